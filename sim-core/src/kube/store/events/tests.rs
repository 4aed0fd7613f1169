use super::*;

fn incarnation(slot: u32, created_s: u32) -> Incarnation {
    Incarnation {
        id: PodId::new(slot, std::num::NonZeroU32::MIN.saturating_add(created_s)),
        created_s,
    }
}

fn event(name: Name, reason: &'static str, message: Message) -> NewEvent {
    NewEvent {
        kind: "ReplicaSet",
        namespace: Symbol::EMPTY,
        name,
        warning: false,
        reason,
        message,
        component: "replicaset-controller",
        host: None,
        container: None,
        pod: None,
        series: None,
    }
}

fn at(second: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs(second)
}

fn counts(events: &Events, second: u64) -> Vec<u32> {
    let rows = events.iter(at(second));
    rows.map(|row| events.told(row, at(second)).0).collect()
}

#[test]
fn many_similar_events_are_one() {
    let mut symbols = Symbols::new();
    let mut revision = Revision::default();
    let mut events = Events::default();
    let set = Name::plain(symbols.intern("web"));
    let mut say = |symbols: &mut Symbols, events: &mut Events, number: u32, second: u64| {
        let pod = Name::plain(symbols.intern(&format!("web-{number}")));
        let message = Message::Name("Created pod: {}", pod);
        events
            .record(
                event(set, "SuccessfulCreate", message),
                1,
                at(second),
                &mut revision,
            )
            .now
    };
    let told = (0..40)
        .filter(|number| say(&mut symbols, &mut events, *number, 0))
        .count();
    assert_eq!(told, 25);
    assert_eq!(counts(&events, 0), [1, 1, 1, 1, 1, 1, 1, 1, 1, 16]);
    assert!(say(&mut symbols, &mut events, 40, 301));
    let last = events.iter(at(301)).last().expect("there are some");
    let text = last.event.message.text(&symbols);
    assert_eq!(text, "(combined from similar events): Created pod: web-40");
    assert_eq!(events.told(last, at(301)).0, 32);
    // After ten minutes of silence they are told one by one again.
    assert!(say(&mut symbols, &mut events, 41, 902));
    assert_eq!(counts(&events, 902), [1, 1, 1, 1, 1, 1, 1, 1, 1, 32, 1]);
    assert!(events.index_agrees());
}

#[test]
fn what_comes_too_often_counts_when_it_is_told() {
    let mut symbols = Symbols::new();
    let mut revision = Revision::default();
    let mut events = Events::default();
    let pod = Name::plain(symbols.intern("web-0"));
    let message = Message::Plain("Back-off restarting failed container");
    let mut told = Vec::new();
    for second in (0..600).step_by(10) {
        let again = event(pod, "BackOff", message.clone());
        if events.record(again, 1, at(second), &mut revision).now {
            told.push(second);
        }
    }
    assert_eq!(told.len(), 26);
    assert_eq!(told.last(), Some(&300));
    let row = events.iter(at(600)).next().expect("there is one");
    assert_eq!(events.told(row, at(600)), (31, at(300)));
    // A pod of the same name that was made later is another object.
    let mut other = event(pod, "BackOff", message);
    other.pod = Some(incarnation(0, 7));
    assert!(events.record(other, 1, at(600), &mut revision).now);
    assert_eq!(counts(&events, 600), [31, 1]);
}

#[test]
fn a_series_is_written_at_its_second_and_at_intervals() {
    let mut symbols = Symbols::new();
    let mut revision = Revision::default();
    let mut events = Events::default();
    let pod = Name::plain(symbols.intern("web-0"));
    let mut fail = |events: &mut Events, text: &'static str, revised: u32, second: u64| {
        let mut again = event(pod, "FailedScheduling", Message::Plain(text));
        again.series = Some(Isomorphic {
            action: "Scheduling",
            revision: revised,
        });
        events.record(again, 1, at(second), &mut revision).now
    };
    assert!(fail(&mut events, "one", 1, 10));
    assert!(fail(&mut events, "two", 2, 20));
    assert!(fail(&mut events, "three", 2, 30));
    assert!(!fail(&mut events, "four", 2, 40));
    assert_eq!(counts(&events, 40), [1, 2]);
    let last = events.iter(at(40)).last().expect("there are two");
    assert_eq!(last.event.message, Message::Plain("two"));
    // At 720 s it was quiet for more than six minutes.
    assert_eq!(counts(&events, 719), [1, 2]);
    assert_eq!(counts(&events, 720), [1, 3]);
    assert!(fail(&mut events, "five", 2, 730));
    assert_eq!(counts(&events, 730), [1, 3, 1]);
    assert!(events.index_agrees());
}

#[test]
fn the_ring_forgets_the_oldest() {
    let mut symbols = Symbols::new();
    let mut revision = Revision::default();
    let mut events = Events::default();
    for number in 0..EVENTS_MAX + 40 {
        let slot = number % 1_000;
        let name = Name::plain(symbols.intern(&format!("web-{slot}")));
        let mut made = event(name, "Scheduled", Message::Plain("made"));
        made.pod = Some(incarnation(slot, number / 1_000));
        events.record(made, 1, at(0), &mut revision);
    }
    assert!(events.index_agrees());
    assert_eq!(events.iter(at(0)).count(), EVENTS_MAX as usize);
    let first = events.iter(at(0)).next().expect("there are some");
    assert_eq!(first.ordinal, 40);
}
