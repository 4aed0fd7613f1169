//! Watches that lag or stand still: a process goes on with a cache that is older than the store.
//!
//! Owns, for each reader whose watch is troubled, the changes that it has not been told of and the
//! revision that it has seen. What a loop would write to an object that has moved on since is
//! refused with 409: some loops ask the API server for the object and write again, of others the key
//! comes back after the queue's wait, longer each time, until the cache has caught up. A scheduler places by the nodes and pods that it knows; an agent goes on with the
//! pods that it was told of.
//!
//! ```text
//! write ─▶ kept ─(lag)─▶ told ─▶ Sync(key) ─▶ object newer than what was seen? ─▶ 409 ─▶ 5 ms, 10 ms, …
//! ```
//! Sources: `staging/src/k8s.io/client-go/util/workqueue/default_rate_limiters.go`,
//! `staging/src/k8s.io/apiserver/pkg/storage/cacher/cacher.go`.

use std::collections::VecDeque;

use crate::base::name::{Name, Rule};
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::order::MachineId;
use crate::substrate::{Context, PlaneOutbox};

use super::KubePlane;
use super::control_plane::{Event as Own, Part};
use super::event::{Event, Key};
use super::rows::workload::OwnerKind;
use super::store::{Change, Store};
use super::turn::Turn;

/// First wait of a key that failed. Source: `DefaultTypedControllerRateLimiter`.
const FIRST_WAIT: SimDuration = SimDuration::from_millis(5);
/// Longest wait of a key that failed.
const LONGEST_WAIT: SimDuration = SimDuration::from_secs(1_000);
/// Changes that are kept for one reader; beyond that its watch is too old and it lists anew.
const KEPT_MAX: usize = 100_000;

/// Whose watch it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reader {
    /// A process of the control plane.
    Part(Part),
    /// The kubelet of a machine.
    Agent(MachineId),
}

/// One reader's trouble.
#[derive(Clone, Debug, Default)]
struct Watch {
    /// Lags of the faults; none: nothing comes until the fault's end.
    lags: Vec<Option<SimDuration>>,
    kept: VecDeque<Kept>,
    seen: u32,
    overflown: bool,
}

/// A change that a reader was not told of yet.
#[derive(Clone, Copy, Debug)]
struct Kept {
    made: SimTime,
    due: SimTime,
    revision: u32,
    change: Change,
}

impl Watch {
    /// How late changes are told; none: not at all.
    fn lag(&self) -> Option<SimDuration> {
        let mut lags = self.lags.iter();
        lags.try_fold(SimDuration::ZERO, |most, lag| Some(most.max((*lag)?)))
    }

    /// One of its faults has ended: nothing waits longer than the others ask. Answers when it is to
    /// be looked at.
    fn hasten(&mut self, now: SimTime) -> Vec<SimTime> {
        let Some(lag) = self.lag() else {
            return Vec::new();
        };
        let mut looks: Vec<SimTime> = Vec::new();
        for kept in &mut self.kept {
            kept.due = kept.due.min(kept.made + lag).max(now);
            if looks.last() != Some(&kept.due) {
                looks.push(kept.due);
            }
        }
        looks
    }
}

/// All troubled watches.
#[derive(Clone, Debug, Default)]
pub(super) struct Stale {
    watches: SortedMap<Reader, Watch>,
    /// How often each key's write was refused since its last success.
    refused: SortedMap<Key, u32>,
}

impl Stale {
    pub(super) fn is_idle(&self) -> bool {
        self.watches.is_empty()
    }

    /// A process has started with a cache that it has just read.
    pub(super) fn renewed(&mut self, part: Part, revision: u32) {
        if let Some(watch) = self.watches.get_mut(&Reader::Part(part)) {
            watch.kept.clear();
            watch.seen = revision;
            watch.overflown = false;
        }
    }

    /// Keeps a change from a reader. Answers whether it is kept.
    fn keep(
        &mut self,
        reader: Reader,
        change: Change,
        store: &Store,
        now: SimTime,
        out: &mut PlaneOutbox<Event>,
    ) -> bool {
        let Some(watch) = self.watches.get_mut(&reader) else {
            return false;
        };
        if watch.kept.len() >= KEPT_MAX {
            watch.overflown = true;
        }
        if watch.overflown {
            return true;
        }
        let lag = watch.lag();
        let due = lag.map_or(SimTime::MAX, |lag| now + lag);
        watch.kept.push_back(Kept {
            made: now,
            due,
            revision: store.revision(),
            change,
        });
        if let Some(lag) = lag {
            out.after(lag, Event::ControlPlane(Own::CacheSees(reader)));
        }
        true
    }
}

/// A loop that writes its object's status, and what it does when it is refused.
#[derive(Clone, Copy, Debug)]
struct Loop {
    source: &'static str,
    kind: &'static str,
    /// Whether it gets the object from the API server and tries once more at once.
    /// Sources: `pkg/controller/replicaset/replica_set_utils.go` (`updateReplicaSetStatus`),
    /// `pkg/controller/daemon/daemon_controller.go` (`storeDaemonSetStatus`).
    asks_again: bool,
}

impl Loop {
    const DEPLOYMENT: Self = Self {
        source: "kube.deployment",
        kind: "deployment",
        asks_again: false,
    };

    const fn of(kind: OwnerKind) -> Self {
        let (source, kind, asks_again) = match kind {
            OwnerKind::ReplicaSet => ("kube.replicaset", "replicaset", true),
            OwnerKind::ReplicationController => {
                ("kube.replicationcontroller", "replicationcontroller", true)
            }
            OwnerKind::StatefulSet => ("kube.statefulset", "statefulset", false),
            OwnerKind::DaemonSet => ("kube.daemonset", "daemonset", true),
            OwnerKind::Job => ("kube.job", "job", false),
        };
        Self {
            source,
            kind,
            asks_again,
        }
    }
}

impl KubePlane {
    /// A watch begins to lag, or the fault that made it lag ends.
    pub fn watch_lags(
        &mut self,
        reader: Reader,
        lag: Option<SimDuration>,
        on: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let revision = self.store.revision();
        if on {
            let watch = self.stale.watches.entry(reader).or_insert_with(|| Watch {
                seen: revision,
                ..Watch::default()
            });
            watch.lags.push(lag);
            return;
        }
        let Some(watch) = self.stale.watches.get_mut(&reader) else {
            return;
        };
        if let Some(at) = watch.lags.iter().position(|known| *known == lag) {
            watch.lags.remove(at);
        }
        if watch.lags.is_empty() {
            self.catch_up(reader, ctx, out);
            self.tell(ctx, out);
            return;
        }
        for at in watch.hasten(ctx.now) {
            let event = Event::ControlPlane(Own::CacheSees(reader));
            out.after(at.since(ctx.now), event);
        }
    }

    /// A reader whose watch is well again is told of everything, or lists anew.
    fn catch_up(&mut self, reader: Reader, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let Some(watch) = self.stale.watches.remove(&reader) else {
            return;
        };
        if watch.overflown {
            match reader {
                Reader::Part(part) => self.read_anew(part, ctx, out),
                Reader::Agent(machine) => {
                    self.kubelets.list_anew(machine, &mut self.store, ctx, out);
                }
            }
            return;
        }
        for kept in watch.kept {
            self.told(reader, kept.change, ctx, out);
        }
    }

    /// Some of what a reader was not told of has come through.
    pub(super) fn cache_sees(
        &mut self,
        reader: Reader,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        loop {
            let Some(watch) = self.stale.watches.get_mut(&reader) else {
                return;
            };
            // While one of its faults lets nothing through, what another one delays stays, too.
            let due = watch.kept.front().map(|kept| kept.due);
            if watch.lag().is_none() || due.is_none_or(|due| due > ctx.now) {
                return;
            }
            let Some(kept) = watch.kept.pop_front() else {
                return;
            };
            watch.seen = kept.revision;
            self.told(reader, kept.change, ctx, out);
        }
    }

    /// Tells the loops of one write, each unless its watch lags.
    pub(super) fn tell_of(
        &mut self,
        change: Change,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let (scheduler, controllers) = (
            Reader::Part(Part::Scheduler),
            Reader::Part(Part::ControllerManager),
        );
        if self.stale.is_idle() {
            self.told(scheduler, change, ctx, out);
            self.kubelets.observe(change, &mut self.store, ctx, out);
            self.told(controllers, change, ctx, out);
            return;
        }
        let node = match change {
            Change::PodRemoved(_, row) => row.node,
            Change::PodCreated(pod)
            | Change::PodBound(pod)
            | Change::PodStatus(pod)
            | Change::PodTemplate(pod, _)
            | Change::PodTerminating(pod) => self.store.pod(pod).and_then(|row| row.node),
            _ => None,
        };
        let machine = node
            .and_then(|node| self.store.node(node))
            .map(|row| row.machine);
        let agent = machine.map(Reader::Agent);
        if agent.is_none() {
            self.kubelets.observe(change, &mut self.store, ctx, out);
        }
        for reader in [Some(scheduler), agent, Some(controllers)]
            .into_iter()
            .flatten()
        {
            if !self.stale.keep(reader, change, &self.store, ctx.now, out) {
                self.told(reader, change, ctx, out);
            }
        }
    }

    fn told(
        &mut self,
        reader: Reader,
        change: Change,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        match reader {
            Reader::Part(Part::Scheduler) => {
                self.scheduler.observe(change, &mut self.store, ctx, out);
            }
            Reader::Agent(_) => self.kubelets.observe(change, &mut self.store, ctx, out),
            Reader::Part(Part::ControllerManager) => {
                let mut turn = Turn {
                    store: &mut self.store,
                    settings: &self.settings,
                    ctx,
                    out,
                };
                let fresh = self.stale.is_idle();
                self.controllers.observe(change, fresh, &mut turn);
                let runs = matches!(change, Change::PodRemoved(pod, _) if self.kubelets.runs(pod));
                self.attach.observe(change, runs, &mut turn);
                self.policies.observe(change, &mut turn);
                if let Change::PodCreated(pod) = change {
                    self.volumes.pod_created(pod, &mut turn);
                }
                if let Change::PodRemoved(_, row) = change
                    && turn.store.template(row.template).claims
                {
                    self.volumes.pod_removed(&mut turn);
                }
            }
        }
    }

    /// Whether what a loop would write about a key is refused because its cache is old: then the key
    /// comes back after a wait.
    pub(super) fn conflicts(
        &mut self,
        event: Event,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> bool {
        if self.stale.is_idle() && self.stale.refused.is_empty() {
            return false;
        }
        let Event::Sync(key) = event else {
            return false;
        };
        let reader = Reader::Part(Part::ControllerManager);
        let seen = self.stale.watches.get(&reader).map(|watch| watch.seen);
        let object = match key {
            Key::Deployment(id) => self
                .store
                .deployment(id)
                .map(|row| (Loop::DEPLOYMENT, Name::plain(row.name), row.revision)),
            Key::ReplicaSet(id) => self
                .store
                .replica_set(id)
                .map(|row| (Loop::of(row.kind), Name::plain(row.name), row.revision)),
            _ => None,
        };
        let (writer, name) = match (seen, object) {
            (Some(seen), Some((writer, name, revision))) if revision > seen => (writer, name),
            _ => {
                self.stale.refused.remove(&key);
                return false;
            }
        };
        let text = ctx
            .symbols
            .intern("409: the object has been modified; please apply your changes to the latest version and try again");
        let mut notice = Notice {
            source: writer.source,
            verb: "conflict",
            subject: Subject {
                kind: writer.kind,
                name,
            },
            detail: Detail::Text(text),
            rule: None,
        };
        if writer.asks_again {
            out.notice(notice);
            return false;
        }
        let times = self.stale.refused.entry(key).or_insert(0);
        let factor = 1_u64 << (*times).min(30);
        *times = times.saturating_add(1);
        let wait = SimDuration::from_micros(FIRST_WAIT.as_micros() * factor).min(LONGEST_WAIT);
        notice.rule = Some(Rule {
            key: "workqueue-backoff",
            value: wait,
        });
        out.notice(notice);
        out.after(wait, event);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::rows::PodId;
    use std::num::NonZeroU32;

    #[test]
    fn what_a_standstill_kept_comes_by_the_lag_that_is_left() {
        let seconds = |count| SimTime::ZERO + SimDuration::from_secs(count);
        let kept = |made, due| Kept {
            made: seconds(made),
            due,
            revision: 1,
            change: Change::PodStatus(PodId::new(1, NonZeroU32::MIN)),
        };
        let mut watch = Watch {
            lags: vec![Some(SimDuration::from_secs(4)), None],
            kept: [
                kept(1, seconds(5)),
                kept(2, SimTime::MAX),
                kept(9, SimTime::MAX),
            ]
            .into(),
            ..Watch::default()
        };
        assert_eq!(watch.lag(), None);
        assert_eq!(watch.hasten(seconds(10)), vec![]);
        watch.lags.pop();
        assert_eq!(watch.lag(), Some(SimDuration::from_secs(4)));
        let looks = watch.hasten(seconds(10));
        assert_eq!(looks, vec![seconds(10), seconds(13)]);
        let dues: Vec<SimTime> = watch.kept.iter().map(|kept| kept.due).collect();
        assert_eq!(dues, vec![seconds(10), seconds(10), seconds(13)]);
    }
}
