//! What quotas count of pods: how many of each template a namespace with quotas has, and the sums that
//! came of it, kept with every write of a pod, so that a counted write costs the same however many pods
//! there are.
//!
//! ```text
//! pod came, ended, got another size, went ──▶ alike[template], changed[template]
//! a quota is asked ──▶ changed templates ──▶ its sums
//! ```

use std::sync::Arc;

use crate::base::quantity::Quantity;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::kube::rows::pod::{PodFlags, PodRow};
use crate::kube::rows::watched::WatchedKind;
use crate::kube::rows::{PodId, WatchedId};
use crate::kube::template::TemplateId;
use crate::manifest::value::Value;

use super::Store;

/// Pods of one template, or by how many they became more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alike {
    /// Those that are stored.
    pub all: i64,
    /// Those of them that have not ended, nor had more than enough time to go.
    pub live: i64,
}

impl Alike {
    fn of(row: &PodRow) -> Self {
        Self {
            all: 1,
            live: i64::from(!row.phase.is_terminal() && !row.flags.has(PodFlags::OVERDUE)),
        }
    }

    fn is_none(self) -> bool {
        self == Self::default()
    }

    fn add(&mut self, other: Self, times: i64) {
        self.all += other.all * times;
        self.live += other.live * times;
    }
}

/// What a quota's pods use.
#[derive(Clone, Debug)]
pub struct Sums {
    /// The quota's scopes as they were, in an object of the quota's shape.
    pub scopes: Value,
    /// By resource of quotas; all that pods may use, whether it is limited or not.
    pub used: SortedMap<Arc<str>, Quantity>,
}

/// One namespace.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    alike: SortedMap<TemplateId, Alike>,
    /// What the sums do not have yet.
    changed: SortedMap<TemplateId, Alike>,
    sums: SortedMap<WatchedId, Sums>,
    /// Live pods that have been asked to go.
    going: SortedSet<PodId>,
    /// When the quotas are counted next on account of these.
    pub counted_at: Option<SimTime>,
    /// Since when the controller has something to count.
    pub unseen: Option<SimTime>,
}

fn is_going(row: &PodRow) -> bool {
    row.is_terminating() && !row.phase.is_terminal() && !row.flags.has(PodFlags::OVERDUE)
}

fn change(map: &mut SortedMap<TemplateId, Alike>, template: TemplateId, by: Alike, times: i64) {
    let kept = map.entry(template).or_default();
    kept.add(by, times);
    if kept.is_none() {
        map.remove(&template);
    }
}

impl Tally {
    fn change(&mut self, template: TemplateId, by: Alike, times: i64) {
        change(&mut self.alike, template, by, times);
        if !self.sums.is_empty() {
            change(&mut self.changed, template, by, times);
        }
    }

    /// Pods of each template.
    pub fn alike(&self) -> impl Iterator<Item = (TemplateId, Alike)> + '_ {
        self.alike.iter().map(|(id, alike)| (*id, *alike))
    }

    /// Live pods that have been asked to go.
    pub const fn going(&self) -> &SortedSet<PodId> {
        &self.going
    }

    /// By how many they became more since the sums were made.
    pub fn take_changed(&mut self) -> SortedMap<TemplateId, Alike> {
        std::mem::take(&mut self.changed)
    }

    /// The sums of the namespace's quotas, as far as they were asked for.
    pub const fn sums(&self) -> &SortedMap<WatchedId, Sums> {
        &self.sums
    }

    /// The same, for writing.
    pub const fn sums_mut(&mut self) -> &mut SortedMap<WatchedId, Sums> {
        &mut self.sums
    }

    /// Pods of each template as the sums have them.
    pub fn summed(&self) -> SortedMap<TemplateId, Alike> {
        let mut summed = self.alike.clone();
        for (template, by) in self.changed.iter() {
            change(&mut summed, *template, *by, -1);
        }
        summed
    }
}

impl Store {
    /// What the quotas of a namespace count of pods; none: it has no quota.
    pub fn tally(&self, namespace: Symbol) -> Option<&Tally> {
        self.tallies.get(&namespace)
    }

    /// The same, for writing.
    pub fn tally_mut(&mut self, namespace: Symbol) -> Option<&mut Tally> {
        if !self.tallies.contains_key(&namespace) {
            return None;
        }
        Arc::make_mut(&mut self.tallies).get_mut(&namespace)
    }

    /// A pod was written: as it was, as it is.
    pub(super) fn recount_quotas(
        &mut self,
        pod: PodId,
        before: Option<&PodRow>,
        after: Option<&PodRow>,
    ) {
        if self.tallies.is_empty() {
            return;
        }
        let goes = |row: Option<&PodRow>| row.is_some_and(is_going);
        if goes(before) != goes(after)
            && let Some(row) = after.or(before)
        {
            let namespace = self.template(row.template).namespace;
            if let Some(tally) = self.tally_mut(namespace) {
                if goes(after) {
                    tally.going.insert(pod);
                } else {
                    tally.going.remove(&pod);
                }
            }
        }
        let counted = |row: &PodRow| (row.template, Alike::of(row));
        if before.map(counted) == after.map(counted) {
            return;
        }
        for (row, times) in [(before, -1), (after, 1)] {
            let Some(row) = row else { continue };
            let namespace = self.template(row.template).namespace;
            if let Some(tally) = self.tally_mut(namespace) {
                tally.change(row.template, Alike::of(row), times);
            }
        }
    }

    /// A pod has had twice the time to go: nothing is written of it.
    pub fn set_overdue(&mut self, pod: PodId) {
        let Some(row) = self.pods.get_mut(pod) else {
            return;
        };
        let before = *row;
        row.flags.set(PodFlags::OVERDUE, true);
        let after = *row;
        self.recount_quotas(pod, Some(&before), Some(&after));
    }

    /// Counts a namespace's pods, which has its first quota.
    pub(super) fn begin_tally(&mut self, namespace: Symbol) {
        let alike = self.count_alike(namespace);
        let pods = self
            .pods()
            .filter(|(_, row)| is_going(row) && self.template(row.template).namespace == namespace);
        let going = pods.map(|(pod, _)| pod).collect();
        let tally = Tally {
            alike,
            going,
            ..Tally::default()
        };
        Arc::make_mut(&mut self.tallies).insert(namespace, tally);
    }

    /// A quota is gone; with the last of a namespace its tally is.
    pub(super) fn end_tally(&mut self, namespace: Symbol, quota: WatchedId) {
        let is_last = !self.quotas.contains_key(&namespace);
        if is_last {
            Arc::make_mut(&mut self.tallies).remove(&namespace);
        } else if let Some(tally) = self.tally_mut(namespace) {
            tally.sums.remove(&quota);
        }
    }

    fn count_alike(&self, namespace: Symbol) -> SortedMap<TemplateId, Alike> {
        let mut alike = SortedMap::new();
        for (_, row) in self.pods() {
            if self.template(row.template).namespace == namespace {
                change(&mut alike, row.template, Alike::of(row), 1);
            }
        }
        alike
    }

    /// Whether the tallies are of the pods that there are: for soak runs.
    pub fn tallies_agree(&self) -> bool {
        let agrees = |namespace: Symbol| {
            self.tally(namespace)
                .is_some_and(|tally| tally.alike == self.count_alike(namespace))
        };
        self.tallies.len() == self.quotas.len() && self.quota_namespaces().all(agrees)
    }

    /// The tally of each quota's namespace.
    pub fn tallied(&self) -> impl Iterator<Item = &Tally> {
        self.quota_namespaces()
            .filter_map(|namespace| self.tally(namespace))
    }

    fn quota_namespaces(&self) -> impl Iterator<Item = Symbol> {
        let quotas = self.all_watched();
        quotas
            .filter(|(_, row)| row.kind == WatchedKind::Quota)
            .map(|(_, row)| row.namespace)
    }
}
