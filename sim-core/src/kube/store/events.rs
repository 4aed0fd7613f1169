//! Event objects: bounded, aggregated, made into text when somebody reads them.

use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use crate::base::glance::glance;
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
            && self.pod == other.pod
            && self.host == other.host
            && self.namespace == other.namespace
            && same(self.component, other.component)
            && same(self.kind, other.kind)
    }

    fn of_one_reason(&self, other: &Self) -> bool {
        self.warning == other.warning && same(self.reason, other.reason)
    }
}

/// Whether two constants have one text: mostly they are one constant.
fn same(one: &'static str, other: &'static str) -> bool {
    std::ptr::eq(one, other) || one == other
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
}

/// Whether, of times `interval` apart, there is one after `heard` up to `now`.
const fn ticked(interval: SimDuration, heard: SimTime, now: SimTime) -> bool {
    heard.as_micros() / interval.as_micros() < now.as_micros() / interval.as_micros()
}

impl EventRow {
    /// An event that was heard so often, and of which nothing was told yet; it has no place so far.
    const fn new(event: NewEvent, count: u32, now: SimTime) -> Self {
        Self {
            event,
            first: now,
            revision: 0,
            ordinal: 0,
            told: 0,
            untold: count,
            last: now,
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

/// A place of the ring, as chains are walked: small, so that a walk reads little, and of the events
/// themselves only those that look like what is sought.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The next in its chain.
    next: Link,
    /// The one that its source told of its object before it.
    before: Link,
    /// A number that is one source's events' of one reason alone.
    kind: u32,
    tags: Tags,
    times: Times,
}

/// When an event happened, as its source remembers it.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// Last time, told or not.
    heard: SimTime,
    /// Since when what is similar has been counted.
    since: SimTime,
    /// When its source may tell a whole burst of its object again: true of the source's latest.
    whole: SimTime,
}

impl Times {
    /// Whether a series was quiet for long enough at a time at which that is looked at.
    const fn finished(&self, now: SimTime) -> bool {
        let interval = FINISH.as_micros();
        let looked = now.as_micros() / interval * interval;
        looked > self.heard.as_micros() + interval
    }
}

/// Hashes of what a source remembers events by: events that differ in one are different, what agrees
/// is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tags {
    source: u32,
    reason: u32,
    /// Of what is said; zero: it stands for many.
    text: u32,
}

impl Tags {
    /// Pods that come one after another are told of one after another: their chains lie side by side,
    /// those of a slot's later pods elsewhere.
    fn source_of_pod(pod: PodId, series: bool) -> u32 {
        (pod.slot() << 1 | u32::from(series))
            .wrapping_add(pod.generation().get().wrapping_mul(GENERATION_APART))
    }

    fn of(event: &NewEvent) -> Self {
        let hash = FxBuildHasher;
        let source = match event.pod {
            Some(pod) => Self::source_of_pod(pod.id, event.series.is_some()),
            None => hash.hash_one((event.name, event.host, event.component)) as u32,
        };
        let text = match &event.message {
            Message::Combined(_) => 0,
            message => hash.hash_one(message) as u32 | 1,
        };
        Self {
            source,
            reason: hash.hash_one((event.reason, event.warning)) as u32,
            text,
        }
    }

    /// The chain of what one source tells of one object. What is in one is compared, so that the order
    /// of nothing depends on the hash.
    const fn chain(self) -> u32 {
        self.source % CHAINS
    }
}

/// How far apart the chains of two pods lie that have one slot after another: odd, so that each of
/// [`CHAINS`] generations has another.
const GENERATION_APART: u32 = 0x9e37_79b1;

/// Chains of the index: twice as many as events, so that most have one source's events or none.
const CHAINS: u32 = 2 * EVENTS_MAX;

/// The events, oldest first, in a ring, with what those who tell them remember of each.
#[derive(Clone, Debug, Default)]
pub struct Events {
    rows: Paged<Option<EventRow>>,
    /// By the same places.
    entries: Paged<Entry, SMALL>,
    /// The latest event of each chain.
    chains: Paged<Link, SMALL>,
    next: u32,
}

/// What became of an event that a source recorded.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Whether the API server is told of it now.
    pub now: bool,
    /// When the source can tell the next of its object: before it, they are only counted.
    pub next: SimTime,
}

impl Told {
    /// Of an event after which the source's burst is whole again at a time.
    const fn until(now: bool, whole: SimTime) -> Self {
        let burst = REFILL.saturating_mul(BURST - 1);
        Self {
            now,
            next: whole.saturating_sub(burst),
        }
    }
}

/// What a source remembers of an object when it tells the next event; events by their numbers.
#[derive(Default)]
struct Memory {
    /// The source's latest.
    latest: Option<u32>,
    /// The number of the reason, if the source told it before.
    kind: Option<u32>,
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
    /// Reads what was told of a pod last before more is told.
    pub fn glance(&self, pod: PodId) {
        let link = *self.chains.get(Tags::source_of_pod(pod, false) % CHAINS);
        if let Some(number) = link.checked_sub(1) {
            glance((self.entry(number).next, self.entry(number).times.whole));
            glance(self.row(number).map(|row| (row.revision, row.last)));
        }
    }

    /// The latest that the source of an event told of its object.
    fn latest(&self, event: &NewEvent, tags: Tags) -> Option<(u32, &Entry)> {
        let is_of = |row: &EventRow| row.event.of_one_source(event);
        self.walk(*self.chains.get(tags.chain()), |entry| entry.next)
            .filter(|(_, entry)| entry.tags.source == tags.source)
            .find(|(number, _)| self.row(*number).is_some_and(is_of))
    }

    fn memory(&self, event: &NewEvent, tags: Tags) -> Memory {
        let mut memory = Memory::default();
        let Some((latest, entry)) = self.latest(event, tags) else {
            return memory;
        };
        (memory.latest, memory.whole) = (Some(latest), entry.times.whole);
        for (number, entry) in self.walk(latest + 1, |entry| entry.before) {
            if entry.tags.reason != tags.reason {
                continue;
            }
            let is = |wanted: fn(&NewEvent, &NewEvent) -> bool| {
                self.row(number)
                    .is_some_and(|row| wanted(&row.event, event))
            };
            if memory.kind.is_none() && is(NewEvent::of_one_reason) {
                memory.kind = Some(entry.kind);
            }
            if memory.kind != Some(entry.kind) {
                continue;
            }
            let Times { heard, since, .. } = entry.times;
            memory.heard = memory.heard.max(Some((heard, since)));
            if entry.tags.text == 0 {
                memory.combined = memory.combined.or(Some(number));
            } else if entry.tags.text == tags.text && is(NewEvent::eq) {
                memory.same = memory.same.or(Some(number));
            } else {
                memory.others.push(heard);
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
        let mut tags = Tags::of(&event);
        let memory = self.memory(&event, tags);
        let since = match memory.heard {
            Some((heard, since)) if now.since(heard) <= SIMILAR_TIME => since,
            _ => now,
        };
        let seen = |number: u32| self.entry(number).times.heard >= since;
        let others = memory.others.iter().filter(|heard| **heard >= since);
        let combined = !memory.same.is_some_and(seen) && others.count() + 1 >= SIMILAR_MAX;
        let spent = memory.whole.max(now) + REFILL;
        let told = spent.since(now) <= REFILL.saturating_mul(BURST);
        let whole = if told { spent } else { memory.whole };
        let next = Told::until(told, whole);
        let times = Times {
            heard: now,
            since,
            whole,
        };
        let known = if combined {
            event.message = Message::Combined(Box::new(event.message));
            tags.text = 0;
            memory.combined
        } else {
            memory.same
        };
        let Some(known) = known else {
            let mut row = EventRow::new(event, count, now);
            if told {
                row.tell(now, revision.bump());
            }
            self.push(row, tags, times, memory.latest, memory.kind);
            return next;
        };
        self.entry_mut(known).times = times;
        self.entry_mut(memory.latest.unwrap_or(known)).times.whole = whole;
        let Some(row) = self.row_mut(known) else {
            return next;
        };
        if combined && told {
            row.event.message = event.message;
        }
        row.untold = row.untold.saturating_add(count);
        if told {
            row.tell(now, revision.bump());
        }
        next
    }

    /// The second of a series is told at once, later ones when their count is written.
    /// Source: `staging/src/k8s.io/client-go/tools/events/event_broadcaster.go` (`recordToSink`).
    fn record_series(&mut self, event: NewEvent, now: SimTime, revision: &mut Revision) -> bool {
        let tags = Tags::of(&event);
        let latest = self.latest(&event, tags).map(|(number, _)| number);
        let (mut open, mut kind) = (None, None);
        for (number, entry) in self.walk(latest.map_or(0, |it| it + 1), |entry| entry.before) {
            if entry.tags.reason == tags.reason
                && let Some(row) = self.row(number)
                && row.event.of_one_reason(&event)
            {
                kind = Some(entry.kind);
                if row.event.series == event.series && !entry.times.finished(now) {
                    open = Some(number);
                    break;
                }
            }
        }
        let times = Times {
            heard: now,
            since: now,
            whole: now,
        };
        let Some(number) = open else {
            let mut row = EventRow::new(event, 1, now);
            row.tell(now, revision.bump());
            self.push(row, tags, times, latest, kind);
            return true;
        };
        let known = self.row(number).map(|row| self.told(row, now));
        self.entry_mut(number).times.heard = now;
        let Some((row, (told, last))) = self.row_mut(number).zip(known) else {
            return false;
        };
        row.untold = row.untold.saturating_sub(told - row.told);
        (row.told, row.last) = (told, last);
        row.untold = row.untold.saturating_add(1);
        let tells = told < 2;
        if tells {
            row.tell(now, revision.bump());
        }
        tells
    }

    /// Keeps a new event in the place of the oldest; `latest` and `kind` as in [`Memory`].
    fn push(
        &mut self,
        mut row: EventRow,
        tags: Tags,
        times: Times,
        latest: Option<u32>,
        kind: Option<u32>,
    ) {
        let number = self.next;
        self.next += 1;
        row.ordinal = number;
        let first = self.chains.get_mut(tags.chain());
        *self.entries.get_mut(number % EVENTS_MAX) = Entry {
            next: std::mem::replace(first, self.next),
            before: latest.map_or(0, |latest| latest + 1),
            kind: kind.unwrap_or(number),
            tags,
            times,
        };
        *self.rows.get_mut(number % EVENTS_MAX) = Some(row);
    }

    /// How often an event that is kept happened, and the last time, as the API server knows at `now`.
    pub fn told(&self, row: &EventRow, now: SimTime) -> (u32, SimTime) {
        if row.event.series.is_some() {
            let times = self.entry(row.ordinal).times;
            let all = row.told.saturating_add(row.untold);
            let tells = times.finished(now) || ticked(REFRESH, times.heard, now);
            if tells && (row.told > 0 || all > 1) {
                return (all, times.heard);
            }
        }
        (row.told, row.last)
    }

    /// Takes an event from the API server. Its source knows how often it happened, and makes it anew when it
    /// happens again. Source: `staging/src/k8s.io/client-go/tools/record/event.go` (`recordEvent`).
    pub fn forget(&mut self, number: u32) {
        if let Some(row) = self.row_mut(number) {
            row.untold = row.untold.saturating_add(std::mem::take(&mut row.told));
        }
    }

    fn entry(&self, number: u32) -> &Entry {
        self.entries.get(number % EVENTS_MAX)
    }

    fn entry_mut(&mut self, number: u32) -> &mut Entry {
        self.entries.get_mut(number % EVENTS_MAX)
    }

    fn row(&self, number: u32) -> Option<&EventRow> {
        self.rows.get(number % EVENTS_MAX).as_ref()
    }

    fn row_mut(&mut self, number: u32) -> Option<&mut EventRow> {
        self.rows.get_mut(number % EVENTS_MAX).as_mut()
    }

    /// The events from one on that `next` leads to, latest first, by their numbers.
    fn walk(
        &self,
        mut link: Link,
        next: fn(&Entry) -> Link,
    ) -> impl Iterator<Item = (u32, &Entry)> {
        let oldest = self.next.saturating_sub(EVENTS_MAX);
        std::iter::from_fn(move || {
            let number = link.checked_sub(1).filter(|number| *number >= oldest)?;
            let entry = self.entry(number);
            link = next(entry);
            Some((number, entry))
        })
    }

    /// Bytes of events that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.rows.bytes_apart(&later.rows)
            + self.entries.bytes_apart(&later.entries)
            + self.chains.bytes_apart(&later.chains)
    }

    /// Whether each event is in the chain of its source, once, after those that the source told before,
    /// and nothing else is: for soak runs.
    pub fn index_agrees(&self) -> bool {
        let first = self.next.saturating_sub(EVENTS_MAX);
        let kept = (self.next - first) as usize;
        let mut listed = vec![false; kept];
        (0..CHAINS).all(|chain| {
            let mut chained = self.walk(*self.chains.get(chain), |entry| entry.next);
            chained.all(|(number, entry)| {
                let Some(row) = self.row(number) else {
                    return false;
                };
                let place = number.checked_sub(first);
                let place = place.and_then(|place| listed.get_mut(place as usize));
                let once = place.is_some_and(|listed| !std::mem::replace(listed, true));
                let mut earlier = self.walk(entry.next, |entry| entry.next);
                let before = earlier.find_map(|(number, _)| {
                    let other = self.row(number)?;
                    other.event.of_one_source(&row.event).then_some(number)
                });
                let mut told = self.walk(entry.before, |entry| entry.before).peekable();
                once && row.ordinal == number
                    && entry.tags == Tags::of(&row.event)
                    && chain == entry.tags.chain()
                    && before == told.peek().map(|(number, _)| *number)
                    && told.all(|(number, other)| {
                        let same = |it: &EventRow| it.event.of_one_reason(&row.event);
                        (other.kind == entry.kind) == self.row(number).is_some_and(same)
                    })
            })
        }) && listed.iter().all(|listed| *listed)
    }

    /// Events that the API server knows and that have not expired, oldest first.
    pub fn iter(&self, now: SimTime) -> impl DoubleEndedIterator<Item = &EventRow> {
        let first = self.next.saturating_sub(EVENTS_MAX);
        (first..self.next)
            .filter_map(|number| self.row(number))
            .filter(move |row| {
                let (told, last) = self.told(row, now);
                told > 0 && now.since(last) < EVENT_TTL
            })
    }
}

#[cfg(test)]
mod tests;
