//! Templates whose pods are the same to a node: what the filters and scores read of a pod and a node
//! alone. What was found out about a node for one of them holds for all, however many Deployments of
//! one shape there are.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::kube::affinity::{NodeSelectorTerm, PreferredNodeTerm, Toleration};
use crate::base::hash::FxHashMap;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::kube::template::{PodTemplate, TemplateId};

use super::demand::Demand;

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Traits {
    scheduler_name: Arc<str>,
    node_name: Option<Arc<str>>,
    node_selector: SortedMap<Arc<str>, Arc<str>>,
    node_required: Option<Vec<NodeSelectorTerm>>,
    node_preferred: Vec<PreferredNodeTerm>,
    tolerations: Arc<[Toleration]>,
    /// Requests: CPU in millicores, memory and scratch storage in bytes; CPU and memory as scores
    /// count them.
    asked: [i64; 5],
    extended: SmallVec<[(Symbol, i64); 2]>,
}

/// Numbers of classes, given out as they are first met. Nothing that a run depends on.
#[derive(Debug, Default)]
pub struct Classes {
    numbers: FxHashMap<Traits, u32>,
    /// By template: its class and one; 0: not looked at yet.
    known: Vec<u32>,
}

impl Classes {
    /// The templates that were looked at, each with its class.
    pub fn all(&self) -> impl Iterator<Item = (TemplateId, u32)> {
        (0..)
            .zip(&self.known)
            .filter(|(_, class)| **class > 0)
            .map(|(id, class)| (TemplateId(id), class - 1))
    }

    /// The class of a template.
    pub fn of(&mut self, id: TemplateId, template: &PodTemplate, demand: &Demand) -> u32 {
        let index = id.0 as usize;
        if index >= self.known.len() {
            self.known.resize(index + 1, 0);
        }
        if self.known[index] == 0 {
            let next = self.numbers.len() as u32;
            let class = *self.numbers.entry(traits(template, demand)).or_insert(next);
            self.known[index] = class + 1;
        }
        self.known[index] - 1
    }
}

fn traits(template: &PodTemplate, demand: &Demand) -> Traits {
    let spec = &template.spec;
    Traits {
        scheduler_name: spec.scheduler_name.clone(),
        node_name: spec.node_name.clone(),
        node_selector: spec.node_selector.clone(),
        node_required: spec.affinity.node_required.clone(),
        node_preferred: spec.affinity.node_preferred.clone(),
        tolerations: template.tolerations.clone(),
        asked: [
            demand.milli_cpu,
            demand.memory,
            demand.ephemeral,
            demand.scored_milli_cpu,
            demand.scored_memory,
        ],
        extended: demand.extended.clone(),
    }
}
