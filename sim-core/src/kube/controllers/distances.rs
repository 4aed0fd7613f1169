//! How far each workload is from what is wanted of it. What changed is looked at anew, nothing else.
//!
//! Cost: one look at each touched workload for each event; a sum that is kept, not taken.

use crate::base::id::Id;
use crate::kube::status::{self, WorkloadKey};
use crate::kube::store::Store;

/// What is known of a row.
#[derive(Clone, Copy, Debug)]
struct Known<T> {
    id: Id<T>,
    unmet: u64,
    /// Whether it stands in the list of those that may have changed.
    touched: bool,
    /// Whether it stands in the list of those that moved.
    moved: bool,
}

/// By slot.
#[derive(Clone, Debug)]
struct Column<T>(Vec<Option<Known<T>>>);

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Column<T> {
    fn at(&mut self, id: Id<T>) -> &mut Option<Known<T>> {
        let slot = id.slot() as usize;
        if slot >= self.0.len() {
            self.0.resize_with(slot + 1, || None);
        }
        &mut self.0[slot]
    }

    /// Marks a row as one that may have changed. Answers whether it is not in that list: one that is not
    /// known yet is not told from others.
    fn touch(&mut self, id: Id<T>) -> bool {
        let known = self.at(id).as_mut().filter(|known| known.id == id);
        !known.is_some_and(|known| std::mem::replace(&mut known.touched, true))
    }

    /// Takes over what a row lacks; `None`: it is gone. Returns what it lacked before, and whether it
    /// was not known to have moved.
    fn put(&mut self, id: Id<T>, unmet: Option<u64>) -> (u64, bool) {
        let place = self.at(id);
        let before = place
            .as_ref()
            .map(|known| (known.id == id, known.unmet, known.moved));
        match (unmet, before) {
            // The slot has another row by now.
            (None, Some((false, ..)) | None) => (0, true),
            (None, Some((true, lacked, moved))) => {
                *place = None;
                (lacked, !moved)
            }
            (Some(unmet), before) => {
                *place = Some(Known {
                    id,
                    unmet,
                    touched: false,
                    moved: true,
                });
                let is_news = before.is_none_or(|(is_same, _, moved)| !(is_same && moved));
                (before.map_or(0, |(_, lacked, _)| lacked), is_news)
            }
        }
    }

    fn settle(&mut self, id: Id<T>) {
        if let Some(known) = self.at(id).as_mut().filter(|known| known.id == id) {
            known.moved = false;
        }
    }
}

/// The distances of all workloads that have a controller.
#[derive(Clone, Debug, Default)]
pub struct Distances {
    /// Workloads that may have changed since the last [`Self::refresh`].
    touched: Vec<WorkloadKey>,
    deployments: Column<crate::kube::rows::workload::DeploymentRow>,
    sets: Column<crate::kube::rows::workload::ReplicaSetRow>,
    sum: u64,
    /// Those that changed since [`Self::take_moved`].
    moved: Vec<WorkloadKey>,
}

impl Distances {
    /// A workload with a controller may have changed; the store counts pods without one.
    pub fn touch(&mut self, workload: WorkloadKey) {
        let is_news = match workload {
            WorkloadKey::Deployment(id) => self.deployments.touch(id),
            WorkloadKey::Set(id) => self.sets.touch(id),
            WorkloadKey::Pod(_) => false,
        };
        if is_news && self.touched.last() != Some(&workload) {
            self.touched.push(workload);
        }
    }

    /// Brings the distances of touched workloads up to date.
    pub fn refresh(&mut self, store: &Store) {
        while let Some(workload) = self.touched.pop() {
            let now = status::distance(workload, store).map(|distance| distance.unmet);
            let (before, is_news) = match workload {
                WorkloadKey::Deployment(id) => self.deployments.put(id, now),
                WorkloadKey::Set(id) => self.sets.put(id, now),
                // Never touched.
                WorkloadKey::Pod(_) => continue,
            };
            self.sum = self.sum + now.unwrap_or(0) - before;
            if is_news {
                self.moved.push(workload);
            }
        }
    }

    /// What all workloads lack.
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The workloads that came, changed or went since the last call, in no order that means anything.
    pub fn take_moved(&mut self) -> Vec<WorkloadKey> {
        let moved = std::mem::take(&mut self.moved);
        for workload in &moved {
            match *workload {
                WorkloadKey::Deployment(id) => self.deployments.settle(id),
                WorkloadKey::Set(id) => self.sets.settle(id),
                WorkloadKey::Pod(_) => {}
            }
        }
        moved
    }
}
