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
    /// The latest of many that differ in their sentences only.
    Combined(Box<Self>),
}

/// Most events of one kind about one object that differ in their messages: the next are combined.
/// Source: `staging/src/k8s.io/client-go/tools/record/events_cache.go` (`defaultAggregateMaxEvents`).
const SIMILAR_MAX: usize = 10;
/// Time after which what was similar is forgotten. Source: as above.
const SIMILAR_TIME: SimDuration = SimDuration::from_secs(600);
/// Events that one component says of one object at once; one more comes free each five minutes.
/// Source: as above (`defaultSpamBurst`, `defaultSpamQPS`).
const BURST: u64 = 25;
/// As above.
const REFILL: SimDuration = SimDuration::from_secs(300);
/// Objects and kinds that are remembered. Source: as above (`maxLruCacheEntries`); all are forgotten
/// together here.
const REMEMBERED_MAX: usize = 4_096;

/// What a component remembers of events of one kind about one object.
#[derive(Clone, Debug, Default)]
struct Similar {
    last: SimTime,
    /// Hashes of messages.
    seen: SmallVec<[u64; 2]>,
    /// Number of the combined event.
    combined: Option<u32>,
    /// How often it came without being told.
    untold: u32,
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
            Self::Combined(latest) => {
                format!("(combined from similar events): {}", latest.text(symbols))
            }
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
    /// The next in its chain.
    next: Link,
}

/// One more than a slot; 0: none.
type Link = u32;

/// Chains of the index: twice as many as events, so that most have one event or none.
const CHAINS: u64 = 2 * EVENTS_MAX as u64;

/// The events, oldest first, in a ring.
#[derive(Clone, Debug, Default)]
pub struct Events {
    rows: Paged<Option<EventRow>>,
    /// By the topics' remainders, the first of the events that may be the same as others to come: the
    /// latest of each kind.
    chains: Paged<Link>,
    next: u32,
    /// By component, object and reason.
    similar: FxHashMap<u64, Similar>,
    /// By component and object: when its burst is whole again.
    spent: FxHashMap<u64, SimTime>,
}

/// The hash of what events that may be the same have in common: the object's namespace and name, the
/// reason, and the first name in the message: a set says of thousands of pods that each was made.
/// Texts are compared, not hashed.
fn topic(event: &NewEvent) -> u64 {
    let named = match &event.message {
        Message::Plain(_) | Message::Text(_) | Message::Combined(_) => None,
        Message::Name(_, name) | Message::Names(_, name, _) => Some(*name),
    };
    FxBuildHasher.hash_one((event.namespace, event.name, event.reason, named))
}

const fn chain_of(topic: u64) -> u32 {
    (topic % CHAINS) as u32
}

impl Events {
    /// Whether a component tells an event, and whether it is told as one of many. Of pods there are
    /// too many, and of each too few events, to ask.
    pub fn correlate(&mut self, event: &mut NewEvent, now: SimTime) -> bool {
        if event.kind == "Pod" {
            return true;
        }
        if self.similar.len() >= REMEMBERED_MAX || self.spent.len() >= REMEMBERED_MAX {
            self.similar.clear();
            self.spent.clear();
        }
        let object = (event.component, event.host, event.kind);
        let object = FxBuildHasher.hash_one((object, event.namespace, event.name));
        let key = FxBuildHasher.hash_one((object, event.warning, event.reason));
        let message = FxBuildHasher.hash_one(&event.message);
        let similar = self.similar.entry(key).or_default();
        if now.since(similar.last) > SIMILAR_TIME {
            similar.seen.clear();
        }
        similar.last = now;
        if !similar.seen.contains(&message) {
            similar.seen.push(message);
        }
        let combined = similar.seen.len() >= SIMILAR_MAX;
        if combined {
            similar.seen.pop();
            similar.untold += 1;
            event.message = Message::Combined(Box::new(event.message.clone()));
        }
        let whole = self.spent.entry(object).or_insert(now);
        let spent = (*whole).max(now) + REFILL;
        if spent.since(now) > REFILL.saturating_mul(BURST) {
            return false;
        }
        *whole = spent;
        true
    }

    /// Counts an event that is one of many; none: there is no such event yet.
    fn combine(&mut self, event: &NewEvent, now: SimTime, revision: u32) -> Option<()> {
        let object = (event.component, event.host, event.kind);
        let object = FxBuildHasher.hash_one((object, event.namespace, event.name));
        let key = FxBuildHasher.hash_one((object, event.warning, event.reason));
        let next = self.next;
        let similar = self.similar.get_mut(&key)?;
        let untold = std::mem::take(&mut similar.untold);
        let number = *similar.combined.get_or_insert(next);
        let row = self.rows.get_mut(number % EVENTS_MAX).as_mut();
        let row = row.filter(|row| row.ordinal == number && now.since(row.last) < EVENT_TTL);
        let Some(row) = row else {
            similar.combined = Some(next);
            return None;
        };
        row.event.message = event.message.clone();
        row.count += untold;
        row.last = now;
        row.revision = revision;
        Some(())
    }

    /// Records an event: the same one again within [`EVENT_TTL`] is counted.
    pub fn record(&mut self, event: NewEvent, now: SimTime, revision: u32) {
        if matches!(event.message, Message::Combined(_))
            && self.combine(&event, now, revision).is_some()
        {
            return;
        }
        let topic = topic(&event);
        let known = self.find(topic, &event);
        if let Some(slot) = known {
            if let Some(row) = self.rows.get_mut(slot)
                && now.since(row.last) < EVENT_TTL
            {
                row.count += 1;
                row.last = now;
                row.revision = revision;
                return;
            }
            self.forget(topic, slot);
        }
        let slot = self.next % EVENTS_MAX;
        if let Some(old) = self.row(slot).map(|row| row.topic) {
            self.forget(old, slot);
        }
        let first = self.chains.get_mut(chain_of(topic));
        let next = std::mem::replace(first, slot + 1);
        *self.rows.get_mut(slot) = Some(EventRow {
            event,
            count: 1,
            first: now,
            last: now,
            revision,
            ordinal: self.next,
            topic,
            next,
        });
        self.next += 1;
    }

    fn row(&self, slot: u32) -> Option<&EventRow> {
        self.rows.get(slot).as_ref()
    }

    /// The events of a chain with their slots.
    fn chain(&self, chain: u32) -> impl Iterator<Item = (u32, &EventRow)> {
        let mut link = *self.chains.get(chain);
        std::iter::from_fn(move || {
            let slot = link.checked_sub(1)?;
            let row = self.row(slot)?;
            link = row.next;
            Some((slot, row))
        })
    }

    /// Where the same event was recorded last.
    fn find(&self, topic: u64, event: &NewEvent) -> Option<u32> {
        self.chain(chain_of(topic))
            .find(|(_, row)| row.topic == topic && row.event == *event)
            .map(|(slot, _)| slot)
    }

    /// The event of a slot is not counted on any more.
    fn forget(&mut self, topic: u64, slot: u32) {
        let chain = chain_of(topic);
        let mut before = None;
        let mut members = self.chain(chain);
        let Some(next) = members.find_map(|(member, row)| {
            let is_it = member == slot;
            if !is_it {
                before = Some(member);
            }
            is_it.then_some(row.next)
        }) else {
            return;
        };
        drop(members);
        match before {
            None => *self.chains.get_mut(chain) = next,
            Some(before) => {
                if let Some(row) = self.rows.get_mut(before) {
                    row.next = next;
                }
            }
        }
    }

    /// Bytes of events that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.rows.bytes_apart(&later.rows) + self.chains.bytes_apart(&later.chains)
    }

    /// Whether the index finds each event where it was recorded last, and nothing else: for soak runs.
    pub fn index_agrees(&self) -> bool {
        let first = self.next.saturating_sub(EVENTS_MAX);
        let mut latest: FxHashMap<&NewEvent, u32> = FxHashMap::default();
        for number in first..self.next {
            if let Some(row) = self.row(number % EVENTS_MAX) {
                latest.insert(&row.event, number % EVENTS_MAX);
            }
        }
        let listed: usize = (0..CHAINS as u32)
            .map(|chain| self.chain(chain).count())
            .sum();
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
            .filter_map(|number| self.row(number % EVENTS_MAX))
            .filter(move |row| now.since(row.last) < EVENT_TTL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_similar_events_are_one() {
        let mut symbols = Symbols::new();
        let mut events = Events::default();
        let set = Name::plain(symbols.intern("web"));
        let mut say = |events: &mut Events, number: u32, second: u64| {
            let pod = Name::plain(symbols.intern(&format!("web-{number}")));
            let mut event = NewEvent {
                kind: "ReplicaSet",
                namespace: Symbol::EMPTY,
                name: set,
                warning: false,
                reason: "SuccessfulCreate",
                message: Message::Name("Created pod: {}", pod),
                component: "replicaset-controller",
                host: None,
                container: None,
            };
            let now = SimTime::ZERO + SimDuration::from_secs(second);
            if events.correlate(&mut event, now) {
                events.record(event, now, number);
            }
        };
        for number in 0..40 {
            say(&mut events, number, 0);
        }
        let rows: Vec<u32> = events.iter(SimTime::ZERO).map(|row| row.count).collect();
        assert_eq!(rows, [1, 1, 1, 1, 1, 1, 1, 1, 1, 16]);
        say(&mut events, 40, 301);
        let last = events.iter(SimTime::ZERO).last().expect("there are some");
        let text = last.event.message.text(&symbols);
        assert_eq!(text, "(combined from similar events): Created pod: web-40");
        assert_eq!(last.count, 32);
        assert!(events.index_agrees());
    }

    #[test]
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
        let mut topics: Vec<u64> = events.iter(SimTime::ZERO).map(|row| row.topic).collect();
        topics.sort_unstable();
        topics.dedup();
        assert_eq!(topics.len(), 500);
        assert!(events.index_agrees());
        let counts: Vec<u32> = events.iter(SimTime::ZERO).map(|row| row.count).collect();
        assert_eq!(counts, vec![2; 500]);
    }
}
