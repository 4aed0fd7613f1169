//! The scheduling queue: pods that may be tried, pods that back off, pods that nothing can help yet.
//!
//! Owns the order in which pods are tried. It does not know what a pod asks for: pods that are
//! alike share a *group*, and a hint is asked once for each group and set of rejecting plugins,
//! not once for each pod.
//!
//! ```text
//!  add ─▶ active ──pop──▶ (cycle) ──rejected──▶ unschedulable ──event, hint─┬▶ back-off ─▶ active
//!                              └───error──▶ error back-off                  └▶ active
//! ```

use std::cmp::Reverse;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::base::arrange::Arrange;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};

use super::hints::RELATIONS;
use super::plugins::PluginSet;

/// First back-off of a rejected pod. Source: `pkg/scheduler/apis/config/v1/defaults.go`.
pub const POD_INITIAL_BACKOFF: SimDuration = SimDuration::from_secs(1);
/// Longest back-off. Source: `pkg/scheduler/apis/config/v1/defaults.go`.
pub const POD_MAX_BACKOFF: SimDuration = SimDuration::from_secs(10);
/// Time after which a pod leaves the unschedulable pods although no event spoke for it.
/// Source: `pkg/scheduler/backend/queue/scheduling_queue.go`.
pub const POD_MAX_IN_UNSCHEDULABLE: SimDuration = SimDuration::from_secs(5 * 60);
/// Period of the flush that looks for such pods.
/// Source: `pkg/scheduler/backend/queue/scheduling_queue.go`.
pub const UNSCHEDULABLE_FLUSH_PERIOD: SimDuration = SimDuration::from_secs(30);
/// Width of a back-off window, and period of the flush of expired ones.
/// Source: `pkg/scheduler/backend/queue/backoff_queue.go`.
const BACKOFF_WINDOW_US: u64 = 1_000_000;

/// Order inside the active queue: priority, then the time of the last entry, then arrival.
/// Source: `pkg/scheduler/framework/plugins/queuesort/priority_sort.go`; the last step is ours,
/// where upstream's heap leaves the order open.
type ActiveKey<K> = (Reverse<i32>, SimTime, u64, K);

/// Where a pod of the queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Active,
    /// Until the end of this window, in whole seconds.
    Backoff(u64),
    ErrorBackoff(u64),
    Unschedulable,
    /// Popped: being tried or being bound.
    InFlight,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    priority: i32,
    timestamp: SimTime,
    arrival: u64,
    group: u32,
    rejections: u32,
    errors: u32,
    attempts: u32,
    rejected_by: PluginSet,
    place: Place,
}

/// What is known of a pod when it is popped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Popped<K> {
    /// The pod.
    pub pod: K,
    /// How often it has been tried, this attempt included.
    pub attempts: u32,
    /// Whether it came out of its back-off early because nothing else was waiting.
    pub early: bool,
    /// When it entered the queue last.
    pub queued: SimTime,
}

/// The queue. `K` names a pod.
#[derive(Clone, Debug)]
pub struct SchedulingQueue<K: Copy + Ord + Hash> {
    entries: FxHashMap<K, Entry>,
    active: SortedSet<ActiveKey<K>>,
    backoff: SortedSet<(u64, ActiveKey<K>)>,
    error_backoff: SortedSet<(u64, ActiveKey<K>)>,
    unschedulable: SortedMap<(u32, PluginSet), SortedSet<(u64, K)>>,
    unschedulable_since: SortedSet<(SimTime, u64, K)>,
    /// How many of them were rejected by one of [`RELATIONS`].
    related: u32,
    arrivals: u64,
    /// First back-off (`podInitialBackoffSeconds`).
    pub initial_backoff: SimDuration,
    /// Longest back-off (`podMaxBackoffSeconds`); zero: none.
    pub max_backoff: SimDuration,
}

impl<K: Copy + Ord + Hash> Default for SchedulingQueue<K> {
    fn default() -> Self {
        Self {
            entries: FxHashMap::default(),
            active: SortedSet::new(),
            backoff: SortedSet::new(),
            error_backoff: SortedSet::new(),
            unschedulable: SortedMap::new(),
            unschedulable_since: SortedSet::new(),
            related: 0,
            arrivals: 0,
            initial_backoff: POD_INITIAL_BACKOFF,
            max_backoff: POD_MAX_BACKOFF,
        }
    }
}

impl<K: Copy + Ord + Hash> SchedulingQueue<K> {
    /// Puts a new pod into the active queue. A pod that is there already stays where it is.
    pub fn add(&mut self, pod: K, priority: i32, group: u32, now: SimTime) {
        if self.entries.contains_key(&pod) {
            return;
        }
        let entry = Entry {
            priority,
            timestamp: now,
            arrival: self.arrivals,
            group,
            rejections: 0,
            errors: 0,
            attempts: 0,
            rejected_by: PluginSet::NONE,
            place: Place::Active,
        };
        self.arrivals += 1;
        self.active.insert(entry.key(pod));
        self.entries.insert(pod, entry);
    }

    /// Takes a pod out for good: bound, deleted, or no longer ours.
    pub fn remove(&mut self, pod: K) {
        let Some(entry) = self.entries.remove(&pod) else {
            return;
        };
        self.leave(pod, entry);
    }

    /// The group of a pod that is in the queue or in flight.
    pub fn group_of(&self, pod: K) -> Option<u32> {
        self.entries.get(&pod).map(|entry| entry.group)
    }

    /// A waiting pod's own object was written: it belongs to another group now. `helps`: whether
    /// the plugins that rejected it may say yes to what it is now.
    pub fn update(
        &mut self,
        pod: K,
        priority: i32,
        group: u32,
        now: SimTime,
        helps: impl FnOnce(PluginSet) -> bool,
    ) {
        let Some(mut entry) = self.entries.get(&pod).copied() else {
            return;
        };
        self.leave(pod, entry);
        entry.group = group;
        entry.priority = priority;
        let key = entry.key(pod);
        match entry.place {
            Place::Active => {
                self.active.insert(key);
            }
            Place::Backoff(expiry) => {
                self.backoff.insert((expiry, key));
            }
            Place::ErrorBackoff(expiry) => {
                self.error_backoff.insert((expiry, key));
            }
            Place::Unschedulable => self.set_aside(pod, entry),
            Place::InFlight => {}
        }
        self.entries.insert(pod, entry);
        if entry.place == Place::Unschedulable && helps(entry.rejected_by) {
            self.requeue(pod, now);
        }
    }

    /// Whether a pod is in the queue or in flight.
    pub fn contains(&self, pod: K) -> bool {
        self.entries.contains_key(&pod)
    }

    /// Whether [`Self::pop`] would return a pod at this time.
    pub fn has_work(&self, now: SimTime) -> bool {
        !self.active.is_empty()
            || !self.backoff.is_empty()
            || self
                .error_backoff
                .first()
                .is_some_and(|(expiry, _)| *expiry < window(now))
    }

    /// When a pod in the error back-off may be tried next, if only such pods wait.
    pub fn next_error_retry(&self) -> Option<SimTime> {
        self.error_backoff
            .first()
            .map(|(expiry, _)| SimTime::from_micros((expiry + 1) * BACKOFF_WINDOW_US))
    }

    /// The next pod to try. When nothing is active, the head of the back-off is taken early.
    /// Source: `pkg/scheduler/backend/queue/active_queue.go` (`SchedulerPopFromBackoffQ`).
    pub fn pop(&mut self, now: SimTime) -> Option<Popped<K>> {
        self.flush_backoff(now);
        let (key, early) = match self.active.pop_first() {
            Some(key) => (key, false),
            None => (self.backoff.pop_first()?.1, true),
        };
        let pod = key.3;
        let entry = self
            .entries
            .get_mut(&pod)
            .expect("every queued pod has an entry");
        entry.place = Place::InFlight;
        entry.attempts += 1;
        Some(Popped {
            pod,
            attempts: entry.attempts,
            early,
            queued: entry.timestamp,
        })
    }

    /// Puts a pod that no node could take aside; it waits for an event that its rejecting plugins
    /// care about.
    pub fn reject(&mut self, pod: K, by: PluginSet, now: SimTime) {
        let Some(entry) = self.entries.get_mut(&pod) else {
            return;
        };
        entry.timestamp = now;
        entry.rejections += 1;
        entry.errors = 0;
        entry.rejected_by = by;
        entry.place = Place::Unschedulable;
        let entry = *entry;
        self.set_aside(pod, entry);
    }

    /// Whether some pod waits for pods to come to nodes.
    pub const fn waits_for_others(&self) -> bool {
        self.related > 0
    }

    fn set_aside(&mut self, pod: K, entry: Entry) {
        self.unschedulable
            .entry((entry.group, entry.rejected_by))
            .or_default()
            .insert((entry.arrival, pod));
        self.unschedulable_since
            .insert((entry.timestamp, entry.arrival, pod));
        self.related += u32::from(entry.rejected_by.meets(RELATIONS));
    }

    /// Puts a pod back whose attempt ended in an error (a bind that was refused): it waits its
    /// back-off out, idle scheduler or not.
    pub fn fail(&mut self, pod: K, now: SimTime) {
        let Some(entry) = self.entries.get_mut(&pod) else {
            return;
        };
        entry.timestamp = now;
        entry.errors += 1;
        entry.rejected_by = PluginSet::NONE;
        let expiry = window(now + backoff(entry.errors, self.initial_backoff, self.max_backoff));
        entry.place = Place::ErrorBackoff(expiry);
        let key = entry.key(pod);
        self.error_backoff.insert((expiry, key));
    }

    /// Tells the queue of a change in the cluster. `hint` is asked for each group and the plugins
    /// that rejected it, and answers whether the change may help. Returns how many pods moved.
    pub fn announce(&mut self, now: SimTime, mut hint: impl FnMut(u32, PluginSet) -> bool) -> u32 {
        if self.unschedulable.is_empty() {
            return 0;
        }
        let moved: Vec<(u32, PluginSet)> = self
            .unschedulable
            .keys()
            .copied()
            .filter(|(group, by)| hint(*group, *by))
            .collect();
        let mut pods: Vec<(u64, K)> = Vec::new();
        for key in moved {
            pods.extend(self.unschedulable.get(&key).into_iter().flatten().copied());
        }
        pods.arrange();
        for (_, pod) in &pods {
            self.requeue(*pod, now);
        }
        pods.len() as u32
    }

    /// Moves pods that have waited for more than five minutes, whatever rejected them.
    pub fn flush_leftover(&mut self, now: SimTime) -> u32 {
        let mut moved = 0;
        while let Some((since, _, pod)) = self.unschedulable_since.first().copied() {
            if since + POD_MAX_IN_UNSCHEDULABLE >= now {
                break;
            }
            self.requeue(pod, now);
            moved += 1;
        }
        moved
    }

    /// The flush at which the pod that has waited longest will be moved, if any waits.
    pub fn next_leftover_flush(&self) -> Option<SimTime> {
        let (since, _, _) = self.unschedulable_since.first()?;
        let period = UNSCHEDULABLE_FLUSH_PERIOD.as_micros();
        let due = (*since + POD_MAX_IN_UNSCHEDULABLE).as_micros();
        Some(SimTime::from_micros((due / period + 1) * period))
    }

    /// Pods in the active queue, in back-off, unschedulable. Upstream's metric `pending_pods`.
    pub fn pending(&self) -> (u32, u32, u32) {
        (
            self.active.len() as u32,
            (self.backoff.len() + self.error_backoff.len()) as u32,
            self.unschedulable_since.len() as u32,
        )
    }

    /// Moves one pod out of the unschedulable ones: to the back-off while it lasts, else to active.
    fn requeue(&mut self, pod: K, now: SimTime) {
        let mut entry = self.entries[&pod];
        debug_assert_eq!(entry.place, Place::Unschedulable);
        self.leave(pod, entry);
        let wait = backoff(entry.rejections, self.initial_backoff, self.max_backoff);
        let expiry = window(entry.timestamp + wait);
        let key = entry.key(pod);
        if wait > SimDuration::ZERO && expiry >= window(now) {
            entry.place = Place::Backoff(expiry);
            self.backoff.insert((expiry, key));
        } else {
            entry.place = Place::Active;
            self.active.insert(key);
        }
        self.entries.insert(pod, entry);
    }

    /// Moves pods whose back-off ended to the active queue. Upstream does it each whole second;
    /// nothing can tell the difference, because the queue is read here only.
    fn flush_backoff(&mut self, now: SimTime) {
        let window_now = window(now);
        for source in [&mut self.backoff, &mut self.error_backoff] {
            while source
                .first()
                .is_some_and(|(expiry, _)| *expiry < window_now)
            {
                let (_, key) = source.pop_first().expect("just seen");
                self.entries
                    .get_mut(&key.3)
                    .expect("every queued pod has an entry")
                    .place = Place::Active;
                self.active.insert(key);
            }
        }
    }

    /// Takes a pod out of the set in which its place says it is.
    fn leave(&mut self, pod: K, entry: Entry) {
        let key = entry.key(pod);
        let found = match entry.place {
            Place::Active => self.active.remove(&key),
            Place::Backoff(expiry) => self.backoff.remove(&(expiry, key)),
            Place::ErrorBackoff(expiry) => self.error_backoff.remove(&(expiry, key)),
            Place::Unschedulable => {
                let group = (entry.group, entry.rejected_by);
                let members = self.unschedulable.get_mut(&group).expect("its group waits");
                let found = members.remove(&(entry.arrival, pod));
                if members.is_empty() {
                    self.unschedulable.remove(&group);
                }
                self.related -= u32::from(entry.rejected_by.meets(RELATIONS));
                found
                    && self
                        .unschedulable_since
                        .remove(&(entry.timestamp, entry.arrival, pod))
            }
            Place::InFlight => true,
        };
        assert!(found, "a pod is where its place says");
    }
}

impl Entry {
    fn key<K>(&self, pod: K) -> ActiveKey<K> {
        (Reverse(self.priority), self.timestamp, self.arrival, pod)
    }
}

/// Back-off after this many failures: 1, 2, 4, 8, 10, 10 … s with the defaults.
/// Source: `pkg/scheduler/backend/queue/backoff_queue.go`.
pub fn backoff(count: u32, initial: SimDuration, max: SimDuration) -> SimDuration {
    if count == 0 {
        return SimDuration::ZERO;
    }
    let doubled = initial
        .as_micros()
        .checked_shl(count - 1)
        .filter(|wait| *wait >= initial.as_micros());
    SimDuration::from_micros(doubled.map_or(max.as_micros(), |wait| wait.min(max.as_micros())))
}

/// The whole second that a time falls in.
fn window(time: SimTime) -> u64 {
    time.as_micros() / BACKOFF_WINDOW_US
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::scheduler::plugins::Plugin;

    fn at(millis: u64) -> SimTime {
        SimTime::from_micros(millis * 1000)
    }

    const FIT: PluginSet = PluginSet::NONE.with(Plugin::NodeResourcesFit);

    #[test]
    fn backoff_doubles_up_to_ten_seconds() {
        let seconds: Vec<u64> = (0..8)
            .map(|n| backoff(n, POD_INITIAL_BACKOFF, POD_MAX_BACKOFF).as_micros() / 1_000_000)
            .collect();
        assert_eq!(seconds, [0, 1, 2, 4, 8, 10, 10, 10]);
        assert_eq!(
            backoff(200, POD_INITIAL_BACKOFF, POD_MAX_BACKOFF),
            POD_MAX_BACKOFF
        );
    }

    #[test]
    fn priority_goes_before_age_and_a_returner_goes_behind() {
        let mut queue: SchedulingQueue<u32> = SchedulingQueue::default();
        queue.add(1, 0, 0, at(0));
        queue.add(2, 0, 0, at(1));
        queue.add(3, 10, 0, at(2));
        assert_eq!(queue.pop(at(3)).map(|popped| popped.pod), Some(3));
        assert_eq!(queue.pop(at(3)).map(|popped| popped.pod), Some(1));
        queue.reject(1, FIT, at(4));
        assert_eq!(queue.pop(at(5)).map(|popped| popped.pod), Some(2));
        assert_eq!(queue.pop(at(5)), None);
        assert!(!queue.has_work(at(100_000)));
    }

    #[test]
    fn an_idle_scheduler_does_not_wait_for_the_backoff() {
        let mut queue: SchedulingQueue<u32> = SchedulingQueue::default();
        queue.add(1, 0, 7, at(0));
        queue.pop(at(0));
        queue.reject(1, FIT, at(0));
        assert_eq!(queue.announce(at(10), |_, by| by.has(Plugin::NodeName)), 0);
        assert_eq!(
            queue.announce(at(10), |group, by| group == 7
                && by.has(Plugin::NodeResourcesFit)),
            1
        );
        let popped = queue.pop(at(10)).expect("taken early");
        assert!(popped.early);
        assert_eq!(popped.attempts, 2);
    }

    /// Reference 23.11: failures at 0.3 s and at 2.0 s, while other pods keep the queue active.
    #[test]
    fn backoff_ends_at_whole_seconds() {
        let mut queue: SchedulingQueue<u32> = SchedulingQueue::default();
        queue.add(1, 5, 0, at(0));
        queue.pop(at(0));
        queue.reject(1, FIT, at(300));
        queue.announce(at(400), |_, _| true);
        for pod in 100..120 {
            queue.add(pod, 0, 0, at(400));
        }
        assert_ne!(queue.pop(at(1999)).map(|popped| popped.pod), Some(1));
        assert_eq!(queue.pop(at(2000)).map(|popped| popped.pod), Some(1));
        queue.reject(1, FIT, at(2000));
        queue.announce(at(2100), |_, _| true);
        assert_ne!(queue.pop(at(4999)).map(|popped| popped.pod), Some(1));
        assert_eq!(queue.pop(at(5000)).map(|popped| popped.pod), Some(1));
    }

    #[test]
    fn an_error_waits_even_when_idle() {
        let mut queue: SchedulingQueue<u32> = SchedulingQueue::default();
        queue.add(1, 0, 0, at(0));
        queue.pop(at(0));
        queue.fail(1, at(200));
        assert_eq!(queue.pop(at(1500)), None);
        assert_eq!(queue.next_error_retry(), Some(at(2000)));
        assert!(queue.has_work(at(2000)));
        assert_eq!(queue.pop(at(2000)).map(|popped| popped.pod), Some(1));
    }

    #[test]
    fn the_leftover_flush_moves_after_five_minutes() {
        let mut queue: SchedulingQueue<u32> = SchedulingQueue::default();
        queue.add(1, 0, 0, at(0));
        queue.pop(at(0));
        queue.reject(1, FIT, at(0));
        assert_eq!(queue.next_leftover_flush(), Some(at(330_000)));
        assert_eq!(queue.flush_leftover(at(300_000)), 0);
        assert_eq!(queue.flush_leftover(at(330_000)), 1);
        assert!(queue.has_work(at(330_000)));
    }

    #[test]
    fn a_removed_pod_leaves_no_trace() {
        let mut queue: SchedulingQueue<u32> = SchedulingQueue::default();
        queue.add(1, 0, 0, at(0));
        queue.pop(at(0));
        queue.reject(1, FIT, at(0));
        queue.remove(1);
        queue.remove(1);
        assert_eq!(queue.pending(), (0, 0, 0));
        assert!(queue.unschedulable.is_empty());
    }
}
