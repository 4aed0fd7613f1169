//! Event objects: bounded, aggregated, made into text when somebody reads them.

use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use crate::base::hash::FxHashMap;
use crate::base::name::Name;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{SimDuration, SimTime};
use crate::store::paged::Paged;

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
}

impl Message {
    /// The sentence.
    pub fn text(&self, symbols: &Symbols) -> String {
        match self {
            Self::Plain(text) => (*text).to_owned(),
            Self::Text(text) => text.to_string(),
            Self::Name(sentence, name) => sentence.replacen("{}", &name.text(symbols), 1),
            Self::Names(sentence, first, second) => sentence
                .replacen("{}", &first.text(symbols), 1)
                .replacen("{}", &second.text(symbols), 1),
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
    /// How often.
    pub count: u32,
    /// First time.
    pub first: SimTime,
    /// Last time.
    pub last: SimTime,
    /// `resourceVersion`.
    pub revision: u32,
    /// Its number: names come from it.
    pub ordinal: u32,
    /// Its [`topic`].
    topic: u64,
}

/// The events, oldest first, in a ring.
#[derive(Clone, Debug, Default)]
pub struct Events {
    rows: Paged<Option<Arc<EventRow>>>,
    /// By topic, where the events are that may be the same.
    index: Arc<FxHashMap<u64, SmallVec<[u32; 2]>>>,
    next: u32,
}

/// The hash of what events that may be the same have in common: the object's namespace and name, the
/// reason, and the first name in the message: a set says of thousands of pods that each was made.
/// Texts are compared, not hashed.
fn topic(event: &NewEvent) -> u64 {
    let named = match &event.message {
        Message::Plain(_) | Message::Text(_) => None,
        Message::Name(_, name) | Message::Names(_, name, _) => Some(*name),
    };
    FxBuildHasher.hash_one((event.namespace, event.name, event.reason, named))
}

impl Events {
    /// Records an event: the same one again within [`EVENT_TTL`] is counted.
    pub fn record(&mut self, event: NewEvent, now: SimTime, revision: u32) {
        let topic = topic(&event);
        let known = self.find(topic, &event);
        if let Some(slot) = known
            && self
                .row(slot)
                .is_some_and(|row| now.since(row.last) < EVENT_TTL)
            && let Some(row) = self.rows.get_mut(slot)
        {
            let row = Arc::make_mut(row);
            row.count += 1;
            row.last = now;
            row.revision = revision;
            return;
        }
        if let Some(expired) = known {
            self.forget(topic, expired);
        }
        let slot = self.next % EVENTS_MAX;
        if let Some(old) = self.row(slot).map(|row| row.topic) {
            self.forget(old, slot);
        }
        let index = Arc::make_mut(&mut self.index);
        index.entry(topic).or_default().push(slot);
        let row = EventRow {
            event,
            count: 1,
            first: now,
            last: now,
            revision,
            ordinal: self.next,
            topic,
        };
        *self.rows.get_mut(slot) = Some(Arc::new(row));
        self.next += 1;
    }

    fn row(&self, slot: u32) -> Option<&EventRow> {
        self.rows.get(slot).as_deref()
    }

    /// Where the same event was recorded last.
    fn find(&self, topic: u64, event: &NewEvent) -> Option<u32> {
        let slots = self.index.get(&topic)?;
        let is_same = |slot: &u32| self.row(*slot).is_some_and(|row| row.event == *event);
        slots.iter().copied().find(is_same)
    }

    /// The event of a slot is not counted on any more.
    fn forget(&mut self, topic: u64, slot: u32) {
        let index = Arc::make_mut(&mut self.index);
        if let Some(slots) = index.get_mut(&topic) {
            slots.retain(|known| *known != slot);
            if slots.is_empty() {
                index.remove(&topic);
            }
        }
    }

    /// Bytes of events that `later`, a clone that went on, no longer shares; its index is copied by
    /// the first write.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        let gone = later.next.saturating_sub(self.next).min(EVENTS_MAX) as usize;
        gone * size_of::<EventRow>() + self.index.capacity() * size_of::<(u64, [usize; 3])>()
    }

    /// Whether the index finds each event where it was recorded last, and nothing else: for soak runs.
    #[expect(clippy::disallowed_methods, reason = "a sum is the same in any order")]
    pub fn index_agrees(&self) -> bool {
        let first = self.next.saturating_sub(EVENTS_MAX);
        let mut latest: FxHashMap<&NewEvent, u32> = FxHashMap::default();
        for number in first..self.next {
            if let Some(row) = self.row(number % EVENTS_MAX) {
                latest.insert(&row.event, number % EVENTS_MAX);
            }
        }
        let listed = self.index.values().map(SmallVec::len).sum::<usize>();
        let found = |row: &EventRow, slot| self.find(topic(&row.event), &row.event) == Some(slot);
        listed == latest.len()
            && (first..self.next)
                .filter_map(|number| self.row(number % EVENTS_MAX))
                .all(|row| latest.get(&row.event).is_some_and(|slot| found(row, *slot)))
    }

    /// Events that have not expired, oldest first.
    pub fn iter(&self, now: SimTime) -> impl Iterator<Item = &EventRow> {
        let first = self.next.saturating_sub(EVENTS_MAX);
        (first..self.next)
            .filter_map(|number| self.rows.get(number % EVENTS_MAX).as_deref())
            .filter(move |row| now.since(row.last) < EVENT_TTL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a maximum is the same in any order"
    )]
    fn a_set_of_many_pods_has_a_topic_for_each() {
        let mut symbols = Symbols::new();
        let mut events = Events::default();
        let set = Name::plain(symbols.intern("web"));
        for round in 0..2 {
            for number in 0..500 {
                let pod = Name::plain(symbols.intern(&format!("web-{number}")));
                let event = NewEvent {
                    kind: "ReplicaSet",
                    namespace: Symbol::EMPTY,
                    name: set,
                    warning: false,
                    reason: "SuccessfulDelete",
                    message: Message::Name("Deleted pod: {}", pod),
                    component: "replicaset-controller",
                    host: None,
                    container: None,
                };
                events.record(event, SimTime::ZERO, round);
            }
        }
        let longest = events.index.values().map(SmallVec::len).max();
        assert_eq!(longest, Some(1));
        assert!(events.index_agrees());
        let counts: Vec<u32> = events.iter(SimTime::ZERO).map(|row| row.count).collect();
        assert_eq!(counts, vec![2; 500]);
    }
}
