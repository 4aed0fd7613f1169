//! Why a pod went where it went: verdict and scores of each node, kept for the latest decisions.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::time::SimTime;
use crate::kube::rows::PodId;

use super::plugins::{PLUGINS, Plugin};

/// Decisions that are kept.
const DECISIONS_MAX: usize = 256;
/// Node records that are kept over all decisions: the oldest decisions give way on large clusters.
const RECORDS_MAX: usize = 25_600;

/// What the filters said of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It can take the pod.
    #[default]
    Fits,
    /// NodeUnschedulable refused.
    Unschedulable,
    /// TaintToleration refused.
    Taint,
    /// NodeAffinity refused.
    Affinity,
    /// NodePorts refused.
    Ports,
    /// NodeResourcesFit refused; the bits say what lacks.
    Lacking(u8),
}

impl Verdict {
    /// A place for one more pod.
    pub const PODS: u8 = 1;
    /// CPU.
    pub const CPU: u8 = 2;
    /// Memory.
    pub const MEMORY: u8 = 4;
    /// Scratch storage.
    pub const EPHEMERAL: u8 = 8;
    /// Some other resource.
    pub const EXTENDED: u8 = 16;

    /// The plugin that refused.
    pub const fn plugin(self) -> Option<Plugin> {
        match self {
            Self::Fits => None,
            Self::Unschedulable => Some(Plugin::NodeUnschedulable),
            Self::Taint => Some(Plugin::TaintToleration),
            Self::Affinity => Some(Plugin::NodeAffinity),
            Self::Ports => Some(Plugin::NodePorts),
            Self::Lacking(_) => Some(Plugin::NodeResourcesFit),
        }
    }

    /// Upstream's reasons, joined by commas.
    pub fn text(self) -> String {
        match self {
            Self::Fits => String::new(),
            Self::Unschedulable => "node(s) were unschedulable".to_owned(),
            Self::Taint => "node(s) had untolerated taint(s)".to_owned(),
            Self::Affinity => "node(s) didn't match Pod's node affinity/selector".to_owned(),
            Self::Ports => "node(s) didn't have free ports for the requested pod ports".to_owned(),
            Self::Lacking(what) => {
                let names = [
                    (Self::PODS, "Too many pods"),
                    (Self::CPU, "Insufficient cpu"),
                    (Self::MEMORY, "Insufficient memory"),
                    (Self::EPHEMERAL, "Insufficient ephemeral-storage"),
                    (Self::EXTENDED, "Insufficient extended resource"),
                ];
                let lacking: Vec<&str> = names
                    .into_iter()
                    .filter(|(bit, _)| what & bit != 0)
                    .map(|(_, name)| name)
                    .collect();
                lacking.join(", ")
            }
        }
    }
}

/// One node in one decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeRecord {
    /// Slot of its row.
    pub slot: u32,
    /// What the filters said.
    pub verdict: Verdict,
    /// Normalised scores by [`Plugin`], before their weights. All zero when there was one feasible
    /// node only: upstream does not score then.
    pub scores: [u8; PLUGINS],
    /// Sum of the weighted scores.
    pub total: u16,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRecord {
    /// For which pod.
    pub pod: PodId,
    /// When.
    pub at: SimTime,
    /// Slot of the node that was taken.
    pub chosen: Option<u32>,
    /// Whether scores were needed: more than one node was feasible.
    pub scored: bool,
    /// The nodes in the order in which they were looked at.
    pub nodes: Arc<Vec<NodeRecord>>,
}

/// The latest decisions, the newest last.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    kept: VecDeque<DecisionRecord>,
    records: usize,
}

impl Decisions {
    /// Keeps a decision, forgetting the oldest.
    pub fn keep(
        &mut self,
        pod: PodId,
        at: SimTime,
        chosen: Option<u32>,
        scored: bool,
        nodes: &[NodeRecord],
    ) {
        let mut buffer = Vec::new();
        while self.kept.len() >= DECISIONS_MAX
            || (self.records + nodes.len() > RECORDS_MAX && !self.kept.is_empty())
        {
            let oldest = self.kept.pop_front().expect("not empty");
            self.records -= oldest.nodes.len();
            buffer = Arc::try_unwrap(oldest.nodes).unwrap_or_default();
        }
        buffer.clear();
        buffer.extend_from_slice(nodes);
        self.records += buffer.len();
        self.kept.push_back(DecisionRecord {
            pod,
            at,
            chosen,
            scored,
            nodes: Arc::new(buffer),
        });
    }

    /// The latest decision about a pod that is still kept.
    pub fn of(&self, pod: PodId) -> Option<&DecisionRecord> {
        self.kept.iter().rev().find(|decision| decision.pod == pod)
    }
}
