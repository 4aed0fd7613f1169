//! How far each workload is from what is wanted of it. What changed is looked at anew, nothing else, and
//! only when somebody asks what the others do not answer.
//!
//! Cost: one look at each touched workload, not for each event: as long as another one lacks something,
//! not all is as it is wanted, whatever the touched ones lack. A sum that is kept, not taken.

use crate::base::id::Id;
use crate::kube::status::{self, WorkloadKey};
use crate::kube::store::Store;

/// What is known of a row.
#[derive(Clone, Copy, Debug)]
struct Known<T> {
    id: Id<T>,
    /// What it lacked when it was looked at last.
    unmet: u64,
    /// Whether it stands in the list of those that may have changed; the sum is without it then.
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

    /// Marks a row as one that may have changed. Answers what the sum is less for it, if it was not marked.
    fn touch(&mut self, id: Id<T>) -> Option<u64> {
        let place = self.at(id);
        let lacked = match place {
            // It has gone, and that was told.
            Some(known) if known.id.generation() > id.generation() => return None,
            Some(known) => {
                let is_news = !std::mem::replace(&mut known.touched, true);
                if known.id == id {
                    return is_news.then_some(known.unmet);
                }
                if is_news { known.unmet } else { 0 }
            }
            None => 0,
        };
        *place = Some(Known {
            id,
            unmet: 0,
            touched: true,
            moved: false,
        });
        Some(lacked)
    }

    /// Takes over what a touched row lacks; `None`: it is gone. Answers whether it was not known to have
    /// moved.
    fn put(&mut self, id: Id<T>, unmet: Option<u64>) -> bool {
        let place = self.at(id);
        let Some(known) = place.as_mut().filter(|known| known.id == id) else {
            // The slot has another row by now.
            return true;
        };
        let is_news = !std::mem::replace(&mut known.moved, true);
        known.touched = false;
        match unmet {
            Some(unmet) => known.unmet = unmet,
            None => *place = None,
        }
        is_news
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
    /// Workloads that may have changed since they were looked at.
    touched: Vec<WorkloadKey>,
    deployments: Column<crate::kube::rows::workload::DeploymentRow>,
    sets: Column<crate::kube::rows::workload::ReplicaSetRow>,
    /// What all others lack.
    sum: u64,
    /// Those that changed since [`Self::take_moved`].
    moved: Vec<WorkloadKey>,
}

impl Distances {
    /// A workload with a controller may have changed; the store counts pods without one.
    pub fn touch(&mut self, workload: WorkloadKey) {
        let lacked = match workload {
            WorkloadKey::Deployment(id) => self.deployments.touch(id),
            WorkloadKey::Set(id) => self.sets.touch(id),
            WorkloadKey::Pod(_) => None,
        };
        if let Some(lacked) = lacked {
            self.sum -= lacked;
            self.touched.push(workload);
        }
    }

    /// Brings the distances of touched workloads up to date.
    fn refresh(&mut self, store: &Store) {
        while let Some(workload) = self.touched.pop() {
            let unmet = status::distance(workload, store).map(|distance| distance.unmet);
            let is_news = match workload {
                WorkloadKey::Deployment(id) => self.deployments.put(id, unmet),
                WorkloadKey::Set(id) => self.sets.put(id, unmet),
                // Never touched.
                WorkloadKey::Pod(_) => continue,
            };
            self.sum += unmet.unwrap_or(0);
            if is_news {
                self.moved.push(workload);
            }
        }
    }

    /// Whether some workload lacks something.
    pub fn lack(&mut self, store: &Store) -> bool {
        if self.sum == 0 {
            self.refresh(store);
        }
        self.sum > 0
    }

    /// What all workloads lack.
    pub fn sum(&self, store: &Store) -> u64 {
        let touched = self.touched.iter();
        let lacked = touched.filter_map(|workload| status::distance(*workload, store));
        self.sum + lacked.map(|distance| distance.unmet).sum::<u64>()
    }

    /// The workloads that came, changed or went since the last call, in no order that means anything.
    pub fn take_moved(&mut self, store: &Store) -> Vec<WorkloadKey> {
        self.refresh(store);
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
