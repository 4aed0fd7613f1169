//! Event objects: bounded, aggregated, made into text when somebody reads them.

use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use crate::base::name::Name;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{SimDuration, SimTime};
use crate::kube::rows::PodId;
use crate::store::log::Revision;
use crate::store::paged::{Paged, SMALL};

/// Event objects kept. Upstream forgets them after an hour; this bounds the memory of a large run
/// below that.
pub const EVENTS_MAX: u32 = 16_384;

/// `--event-ttl`. Source: `pkg/controlplane/apiserver/options/options.go`.
pub const EVENT_TTL: SimDuration = SimDuration::from_secs(3_600);

/// An event's message, kept as its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A constant sentence.
    Plain(&'static str),
    /// A text of its own.
    Text(Arc<str>),
    /// A sentence with `{}` where the name goes.
    Name(&'static str, Name),
    /// A sentence with `{}` twice.
    Names(&'static str, Name, Name),
    /// A text, and the annotations of its Event object.
    Annotated(Arc<Annotated>),
    /// The latest of many that differ in their sentences only.
    Combined(Box<Self>),
}

/// A message with annotations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Annotated {
    /// The sentence.
    pub text: Arc<str>,
    /// `metadata.annotations`, in the order of the keys.
    pub annotations: Vec<(&'static str, String)>,
}

/// Messages of one kind about one object at which the next that differ are combined.
/// Source: `staging/src/k8s.io/client-go/tools/record/events_cache.go` (`defaultAggregateMaxEvents`).
const SIMILAR_MAX: usize = 10;
/// Time after which what was similar is forgotten. Source: as above.
const SIMILAR_TIME: SimDuration = SimDuration::from_secs(600);
/// Events that one component tells of one object at once; one more comes free each five minutes.
/// Source: as above (`defaultSpamBurst`, `defaultSpamQPS`).
const BURST: u64 = 25;
/// As above.
const REFILL: SimDuration = SimDuration::from_secs(300);
/// How often series that are quiet for as long are ended, and their counts written.
/// Source: `staging/src/k8s.io/client-go/tools/events/event_broadcaster.go` (`finishTime`).
const FINISH: SimDuration = SimDuration::from_secs(360);
/// How often the counts of open series are written. Source: as above (`refreshTime`).
const REFRESH: SimDuration = SimDuration::from_secs(1_800);

impl Message {
    /// The sentence.
    pub fn text(&self, symbols: &Symbols) -> String {
        match self {
            Self::Plain(text) => (*text).to_owned(),
            Self::Text(text) => text.to_string(),
            Self::Annotated(annotated) => annotated.text.to_string(),
            Self::Name(sentence, name) => sentence.replacen("{}", &name.text(symbols), 1),
            Self::Names(sentence, first, second) => sentence
                .replacen("{}", &first.text(symbols), 1)
                .replacen("{}", &second.text(symbols), 1),
            Self::Combined(latest) => {
                format!("(combined from similar events): {}", latest.text(symbols))
            }
        }
    }
}

impl Message {
    /// The annotations of its Event object; one that combines several has none.
    pub fn annotations(&self) -> &[(&'static str, String)] {
        match self {
            Self::Annotated(annotated) => &annotated.annotations,
            Self::Plain(_)
            | Self::Text(_)
            | Self::Name(..)
            | Self::Names(..)
            | Self::Combined(_) => &[],
        }
    }
}

/// An event as a component reports it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewEvent {
    /// Kind of the object it is about, e.g. `Pod`.
    pub kind: &'static str,
    /// Namespace of the object; empty for cluster-wide ones.
    pub namespace: Symbol,
    /// Name of the object.
    pub name: Name,
    /// Warning instead of Normal.
    pub warning: bool,
    /// `reason`.
    pub reason: &'static str,
    /// `message`.
    pub message: Message,
    /// `source.component`.
    pub component: &'static str,
    /// `source.host`: for kubelets.
    pub host: Option<Symbol>,
    /// `involvedObject.fieldPath`: list and name, for events of one container.
    pub container: Option<(ContainerList, Symbol)>,
    /// The pod, if it is about one: others of its name are other objects.
    pub pod: Option<Incarnation>,
    /// Of components that use `events.k8s.io/v1`, which counts repetitions as a series.
    pub series: Option<Isomorphic>,
}

/// What keeps pods of one name apart, and what their uid is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation {
    /// Its row, as long as it is there.
    pub id: PodId,
    /// When it was created, as its row keeps it.
    pub created_s: u32,
}

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Regarding {
    /// Its kind, e.g. `Pod`.
    pub kind: &'static str,
    /// Its namespace; empty for cluster-wide ones.
    pub namespace: Symbol,
    /// Its name.
    pub name: Name,
    /// Which pod it is, if it is one.
    pub pod: Option<Incarnation>,
}

impl From<(&'static str, Symbol, Name)> for Regarding {
    fn from((kind, namespace, name): (&'static str, Symbol, Name)) -> Self {
        Self {
            kind,
            namespace,
            name,
            pod: None,
        }
    }
}

/// What events of a series have in common besides what they are about.
/// Source: `staging/src/k8s.io/client-go/tools/events/event_broadcaster.go` (`eventKey`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isomorphic {
    /// `action`.
    pub action: &'static str,
    /// `involvedObject.resourceVersion`: after a change of the object another event is begun.
    pub revision: u32,
}

impl NewEvent {
    /// An event that a kubelet tells of its node.
    pub const fn of_node(
        node: Symbol,
        warning: bool,
        reason: &'static str,
        message: Message,
    ) -> Self {
        Self {
            kind: "Node",
            namespace: Symbol::EMPTY,
            name: Name::plain(node),
            warning,
            reason,
            message,
            component: "kubelet",
            host: Some(node),
            container: None,
            pod: None,
            series: None,
        }
    }

    /// Whether one component tells both of one object.
    fn of_one_source(&self, other: &Self) -> bool {
        self.name == other.name
            && self.component == other.component
            && self.host == other.host
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.pod == other.pod
    }

    fn of_one_reason(&self, other: &Self) -> bool {
        self.reason == other.reason && self.warning == other.warning
    }
}

/// Where a pod's spec lists a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerList {
    /// `containers`.
    Main,
    /// `initContainers`.
    Init,
    /// `ephemeralContainers`.
    Ephemeral,
}

impl ContainerList {
    /// The field's name.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Main => "containers",
            Self::Init => "initContainers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// What was reported.
    pub event: NewEvent,
    /// First time.
    pub first: SimTime,
    /// `resourceVersion`.
    pub revision: u32,
    /// Its number: names come from it.
    pub ordinal: u32,
    /// How often, as the API server was told; 0: it was not told yet.
    told: u32,
    /// How often since.
    untold: u32,
    /// Last time that was told.
    last: SimTime,
    /// Last time, told or not.
    heard: SimTime,
    /// Since when what is similar has been counted.
    since: SimTime,
    /// When its source may tell a whole burst of its object again: true of the source's latest.
    whole: SimTime,
}

/// Whether, of times `interval` apart, there is one after `heard` up to `now`.
const fn ticked(interval: SimDuration, heard: SimTime, now: SimTime) -> bool {
    heard.as_micros() / interval.as_micros() < now.as_micros() / interval.as_micros()
}

impl EventRow {
    /// Whether the series was quiet for long enough at a time at which that is looked at.
    const fn finished(&self, now: SimTime) -> bool {
        let interval = FINISH.as_micros();
        let looked = now.as_micros() / interval * interval;
        looked > self.heard.as_micros() + interval
    }

    /// How often, and the last time, as the API server knows at `now`.
    pub const fn told(&self, now: SimTime) -> (u32, SimTime) {
        let written =
            self.event.series.is_some() && (self.finished(now) || ticked(REFRESH, self.heard, now));
        if written {
            (self.told.saturating_add(self.untold), self.heard)
        } else {
            (self.told, self.last)
        }
    }

    fn tell(&mut self, now: SimTime, revision: u32) {
        self.told = self.told.saturating_add(self.untold);
        self.untold = 0;
        self.last = now;
        self.revision = revision;
    }
}

/// One more than an event's number; 0: none. The ring may hold a newer event in its place: then the
/// chain ends there, as what comes later in it is older.
type Link = u32;

/// A place of the ring, as chains are walked: small, so that a walk reads the event itself only where
/// the tags agree.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The event that is there.
    number: Link,
    /// The next in its chain.
    next: Link,
    tags: Tags,
}

/// Hashes of what a source remembers events by: events that differ in one are different, what agrees
/// is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tags {
    source: u32,
    reason: u32,
}

impl Tags {
    fn of(event: &NewEvent) -> Self {
        let source = (event.name, event.pod, event.host, event.component);
        Self {
            source: FxBuildHasher.hash_one(source) as u32,
            reason: FxBuildHasher.hash_one((event.reason, event.warning)) as u32,
        }
    }
}

/// Chains of the index: twice as many as events, so that most have one object's events or none.
const CHAINS: u64 = 2 * EVENTS_MAX as u64;

/// The events, oldest first, in a ring, with what those who tell them remember of each.
#[derive(Clone, Debug, Default)]
pub struct Events {
    rows: Paged<Option<EventRow>>,
    /// By the same places.
    entries: Paged<Entry, SMALL>,
    /// By a hash of the object, the latest of its events.
    chains: Paged<Link, SMALL>,
    next: u32,
}

/// The chain of an object's events. What is in one is compared, so that the order of nothing depends
/// on the hash.
fn chain_of(event: &NewEvent) -> u32 {
    (FxBuildHasher.hash_one((event.namespace, event.name)) % CHAINS) as u32
}

/// What became of an event that a source recorded.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Whether the API server is told of it now.
    pub now: bool,
    /// When the source can tell the next of its object: before it, they are only counted.
    pub next: SimTime,
}

/// What a source remembers of an object when it tells the next event.
#[derive(Default)]
struct Memory {
    /// The source's latest.
    latest: Option<u32>,
    /// The same event.
    same: Option<u32>,
    /// The event that stands for the similar ones.
    combined: Option<u32>,
    /// When others of the reason were heard last.
    others: SmallVec<[SimTime; SIMILAR_MAX]>,
    /// When the reason was heard last, and since when it has been counted.
    heard: Option<(SimTime, SimTime)>,
    /// When the burst is whole again.
    whole: SimTime,
}

impl Events {
    fn memory(&self, event: &NewEvent, tags: Tags) -> Memory {
        let mut memory = Memory::default();
        for (slot, entry) in self.chain(chain_of(event)) {
            let unmet = memory.latest.is_none() && entry.tags.source == tags.source;
            if !unmet && entry.tags != tags {
                continue;
            }
            let Some(row) = self.row(slot) else { continue };
            if !row.event.of_one_source(event) {
                continue;
            }
            if memory.latest.is_none() {
                (memory.latest, memory.whole) = (Some(slot), row.whole);
            }
            if !row.event.of_one_reason(event) {
                continue;
            }
            memory.heard = memory.heard.max(Some((row.heard, row.since)));
            if matches!(row.event.message, Message::Combined(_)) {
                memory.combined = memory.combined.or(Some(slot));
            } else if row.event == *event {
                memory.same = memory.same.or(Some(slot));
            } else {
                memory.others.push(row.heard);
            }
        }
        memory
    }

    /// Takes an event as its source does before it tells the API server: the same again is counted,
    /// many similar ones are combined, and what comes too often is kept back until later, when it counts.
    /// Source: `staging/src/k8s.io/client-go/tools/record/events_cache.go` (`EventCorrelate`).
    pub fn record(
        &mut self,
        mut event: NewEvent,
        count: u32,
        now: SimTime,
        revision: &mut Revision,
    ) -> Told {
        if event.series.is_some() {
            return Told {
                now: self.record_series(event, now, revision),
                next: now,
            };
        }
        let tags = Tags::of(&event);
        let memory = self.memory(&event, tags);
        let since = match memory.heard {
            Some((heard, since)) if now.since(heard) <= SIMILAR_TIME => since,
            _ => now,
        };
        let seen = |slot: &u32| self.row(*slot).is_some_and(|row| row.heard >= since);
        let others = memory.others.iter().filter(|heard| **heard >= since);
        let combined = !memory.same.as_ref().is_some_and(seen) && others.count() + 1 >= SIMILAR_MAX;
        let spent = memory.whole.max(now) + REFILL;
        let told = spent.since(now) <= REFILL.saturating_mul(BURST);
        let whole = if told { spent } else { memory.whole };
        let slot = if combined {
            event.message = Message::Combined(Box::new(event.message));
            memory.combined
        } else {
            memory.same
        };
        let (slot, latest) = match slot {
            Some(slot) => {
                if let (true, Some(row)) = (combined && told, self.rows.get_mut(slot)) {
                    row.event.message = event.message;
                }
                (slot, memory.latest.unwrap_or(slot))
            }
            None => {
                let slot = self.push(event, tags, now);
                (slot, slot)
            }
        };
        if let Some(row) = self.rows.get_mut(latest) {
            row.whole = whole;
        }
        if let Some(row) = self.rows.get_mut(slot) {
            row.heard = now;
            row.since = since;
            row.untold = row.untold.saturating_add(count);
            if told {
                row.tell(now, revision.bump());
            }
        }
        let burst = REFILL.saturating_mul(BURST - 1).as_micros();
        Told {
            now: told,
            next: SimTime::from_micros(whole.as_micros().saturating_sub(burst)),
        }
    }

    /// The second of a series is told at once, later ones when their count is written.
    /// Source: `staging/src/k8s.io/client-go/tools/events/event_broadcaster.go` (`recordToSink`).
    fn record_series(&mut self, event: NewEvent, now: SimTime, revision: &mut Revision) -> bool {
        let tags = Tags::of(&event);
        let is_open = |slot: &u32| {
            self.row(*slot).is_some_and(|row| {
                row.event.of_one_source(&event)
                    && row.event.of_one_reason(&event)
                    && row.event.series == event.series
                    && !row.finished(now)
            })
        };
        let open = self
            .chain(chain_of(&event))
            .filter(|(_, entry)| entry.tags == tags)
            .map(|(slot, _)| slot)
            .find(is_open);
        let slot = open.unwrap_or_else(|| self.push(event, tags, now));
        let Some(row) = self.rows.get_mut(slot) else {
            return false;
        };
        let (told, last) = row.told(now);
        row.untold = row.untold.saturating_sub(told - row.told);
        (row.told, row.last) = (told, last);
        row.heard = now;
        row.untold = row.untold.saturating_add(1);
        let tells = told < 2;
        if tells {
            row.tell(now, revision.bump());
        }
        tells
    }

    /// Makes room for an event of which nothing was told yet; its slot.
    fn push(&mut self, event: NewEvent, tags: Tags, now: SimTime) -> u32 {
        let slot = self.next % EVENTS_MAX;
        let number = self.next + 1;
        let first = self.chains.get_mut(chain_of(&event));
        let next = std::mem::replace(first, number);
        *self.entries.get_mut(slot) = Entry { number, next, tags };
        *self.rows.get_mut(slot) = Some(EventRow {
            event,
            first: now,
            revision: 0,
            ordinal: self.next,
            told: 0,
            untold: 0,
            last: now,
            heard: now,
            since: now,
            whole: now,
        });
        self.next += 1;
        slot
    }

    fn row(&self, slot: u32) -> Option<&EventRow> {
        self.rows.get(slot).as_ref()
    }

    /// The events of a chain, latest first, with their slots.
    fn chain(&self, chain: u32) -> impl Iterator<Item = (u32, Entry)> {
        let mut link = *self.chains.get(chain);
        std::iter::from_fn(move || {
            let slot = link.checked_sub(1)? % EVENTS_MAX;
            let entry = *self.entries.get(slot);
            let there = entry.number == link;
            link = entry.next;
            there.then_some((slot, entry))
        })
    }

    /// Bytes of events that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.rows.bytes_apart(&later.rows)
            + self.entries.bytes_apart(&later.entries)
            + self.chains.bytes_apart(&later.chains)
    }

    /// Whether each event is in the chain of its object, once, and nothing else is: for soak runs.
    pub fn index_agrees(&self) -> bool {
        let first = self.next.saturating_sub(EVENTS_MAX);
        let kept = (self.next - first) as usize;
        let mut listed = vec![false; kept];
        (0..CHAINS as u32).all(|chain| {
            self.chain(chain).all(|(slot, entry)| {
                let Some(row) = self.row(slot) else {
                    return false;
                };
                let place = row.ordinal.checked_sub(first);
                let place = place.and_then(|place| listed.get_mut(place as usize));
                let once = place.is_some_and(|listed| !std::mem::replace(listed, true));
                once && entry.number == row.ordinal + 1
                    && entry.tags == Tags::of(&row.event)
                    && chain == chain_of(&row.event)
            })
        }) && listed.iter().all(|listed| *listed)
    }

    /// Events that the API server knows and that have not expired, oldest first.
    pub fn iter(&self, now: SimTime) -> impl DoubleEndedIterator<Item = &EventRow> {
        let first = self.next.saturating_sub(EVENTS_MAX);
        (first..self.next)
            .filter_map(|number| self.row(number % EVENTS_MAX))
            .filter(move |row| {
                let (told, last) = row.told(now);
                told > 0 && now.since(last) < EVENT_TTL
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incarnation(created_s: u32) -> Incarnation {
        Incarnation {
            id: PodId::new(0, std::num::NonZeroU32::MIN),
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
        rows.map(|row| row.told(at(second)).0).collect()
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
        assert_eq!(last.told(at(301)).0, 32);
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
        assert_eq!(row.told(at(600)), (31, at(300)));
        // A pod of the same name that was made later is another object.
        let mut other = event(pod, "BackOff", message);
        other.pod = Some(incarnation(7));
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
            let name = Name::plain(symbols.intern(&format!("web-{}", number % 1_000)));
            let mut made = event(name, "Scheduled", Message::Plain("made"));
            made.pod = Some(incarnation(number / 1_000));
            events.record(made, 1, at(0), &mut revision);
        }
        assert!(events.index_agrees());
        assert_eq!(events.iter(at(0)).count(), EVENTS_MAX as usize);
        let first = events.iter(at(0)).next().expect("there are some");
        assert_eq!(first.ordinal, 40);
    }
}
