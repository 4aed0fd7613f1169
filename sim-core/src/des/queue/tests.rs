use super::*;
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;

fn at(micros: u64) -> SimTime {
    SimTime::from_micros(micros)
}

#[test]
fn one_instant_keeps_the_order_of_scheduling() {
    let mut queue = Queue::new();
    for event in 0..100_u64 {
        queue.schedule(at(1_000_000 - event % 2), Seq::NONE, event);
    }
    let fired: Vec<u64> = std::iter::from_fn(|| queue.pop())
        .map(|fired| fired.event)
        .collect();
    let odd = (0..100).filter(|event| event % 2 == 1);
    let even = (0..100).filter(|event| event % 2 == 0);
    assert_eq!(fired, odd.chain(even).collect::<Vec<u64>>());
    assert_eq!(queue.now(), at(1_000_000));
}

#[test]
fn an_event_of_now_fires_before_later_ones_and_names_its_cause() {
    let mut queue = Queue::new();
    queue.schedule(at(5), Seq::NONE, 'a');
    queue.schedule(at(6), Seq::NONE, 'c');
    let first = queue.pop().unwrap();
    let seq = queue.schedule(queue.now(), first.seq, 'b');
    let expected = Scheduled {
        at: at(5),
        seq,
        cause: Seq(1),
        event: 'b',
    };
    assert_eq!(queue.pop(), Some(expected));
    assert_eq!(queue.pop_until(at(5)), None);
    assert_eq!(queue.pop_until(at(6)).map(|fired| fired.event), Some('c'));
    assert_eq!(queue.pop(), None);
}

#[test]
fn never_can_be_scheduled() {
    let mut queue = Queue::new();
    queue.schedule(SimTime::MAX, Seq::NONE, 2);
    queue.schedule(at(0), Seq::NONE, 1);
    assert_eq!(queue.peek_time(), Some(at(0)));
    assert_eq!(queue.pop().map(|fired| fired.event), Some(1));
    assert_eq!(queue.peek_time(), Some(SimTime::MAX));
    assert_eq!(queue.pop().map(|fired| fired.event), Some(2));
}

#[test]
#[should_panic(expected = "scheduled at")]
fn the_past_cannot_be_scheduled() {
    let mut queue = Queue::new();
    queue.schedule(at(10), Seq::NONE, ());
    queue.pop();
    queue.schedule(at(9), Seq::NONE, ());
}

#[test]
#[should_panic(expected = "an event is passed over")]
fn time_does_not_pass_over_an_event() {
    let mut queue = Queue::new();
    queue.schedule(at(10), Seq::NONE, ());
    queue.advance(at(11));
}

/// Every operation agrees with a sorted map, in the queue and in its snapshots.
#[test]
fn it_agrees_with_a_sorted_map() {
    type Model = SortedMap<(SimTime, Seq), u16>;
    fn drain(queue: &mut Queue<u16>, model: &Model) {
        assert_eq!(queue.len(), model.len());
        assert_eq!(queue.iter_unordered().count(), model.len());
        for (key, event) in model {
            assert_eq!(queue.peek_time(), Some(key.0));
            let fired = queue.pop().unwrap();
            assert_eq!(((fired.at, fired.seq), fired.event), (*key, *event));
        }
        assert!(queue.is_empty());
        assert_eq!(queue.pop(), None);
    }
    arbtest::arbtest(|u| {
        let mut queue = Queue::new();
        let mut model = Model::new();
        let mut snapshots = Vec::new();
        for _ in 0..u.int_in_range(0..=200)? {
            match u.int_in_range(0..=9)? {
                0..=5 => {
                    // From the same slice to several turns of the coarse wheel away.
                    let bits = u.int_in_range(0..=38)?;
                    let delay = SimDuration::from_micros(u.int_in_range(0..=1_u64 << bits)?);
                    let time = queue.now() + delay;
                    let event = u.arbitrary()?;
                    let seq = queue.schedule(time, Seq::NONE, event);
                    model.insert((time, seq), event);
                }
                6..=7 => {
                    let fired = queue
                        .pop()
                        .map(|fired| ((fired.at, fired.seq), fired.event));
                    assert_eq!(fired, model.pop_first());
                }
                8 => {
                    let deadline =
                        queue.now() + SimDuration::from_micros(u.int_in_range(0..=40_000_000)?);
                    while let Some(fired) = queue.pop_until(deadline) {
                        let key = (fired.at, fired.seq);
                        assert_eq!(Some((key, fired.event)), model.pop_first());
                    }
                    assert!(
                        model
                            .first_key_value()
                            .is_none_or(|((time, _), _)| *time > deadline)
                    );
                    queue.advance(deadline);
                }
                _ => snapshots.push((queue.clone(), model.clone())),
            }
            assert_eq!(
                queue.peek_time(),
                model.first_key_value().map(|((time, _), _)| *time)
            );
        }
        drain(&mut queue, &model);
        for (mut snapshot, model) in snapshots {
            drain(&mut snapshot, &model);
        }
        Ok(())
    });
}

/// A slice written between many snapshots keeps a short chain of segments and every event.
#[test]
fn many_snapshots_of_one_slice_stay_whole() {
    let mut queue = Queue::new();
    let mut snapshots = Vec::new();
    for event in 0..3_000_u64 {
        for copy in 0..event % 40 {
            let time = at(3_000_000_000 + event * 37 % 1_000 + copy);
            queue.schedule(time, Seq::NONE, event);
        }
        snapshots.push((queue.clone(), queue.len()));
    }
    for (snapshot, len) in snapshots.iter_mut().step_by(250) {
        assert_eq!(snapshot.iter_unordered().count(), *len);
        let fired = std::iter::from_fn(|| snapshot.pop()).map(|fired| (fired.at, fired.seq));
        let fired: Vec<_> = fired.collect();
        assert_eq!(fired.len(), *len);
        assert!(fired.is_sorted());
    }
}
