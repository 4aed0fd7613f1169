//! Why a pod went where it went: verdict and scores of each node, kept for the latest decisions.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SimTime;
use crate::kube::rows::PodId;

use super::plugins::{Plugin, SCORERS};
use super::score::{BALANCE, FIT, IMAGES, SPREAD, TAINTS};

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
    /// NodeName refused.
    NodeName,
    /// TaintToleration refused.
    Taint,
    /// NodeAffinity refused.
    Affinity,
    /// NodeAffinity refused by the profile's own affinity.
    AddedAffinity,
    /// NodePorts refused.
    Ports,
    /// NodeResourcesFit refused; the bits say what lacks.
    Lacking(u16),
    /// VolumeRestrictions refused: a disk is taken.
    DiskTaken,
    /// VolumeRestrictions refused: a claim is for one pod.
    ClaimTaken,
    /// NodeVolumeLimits refused.
    VolumeLimit,
    /// VolumeBinding refused; the bits say why.
    Volumes(u8),
    /// VolumeZone refused.
    VolumeZone,
    /// PodTopologySpread refused: the node lacks a label.
    SpreadLabel,
    /// PodTopologySpread refused.
    Spread,
    /// InterPodAffinity refused: not near the pods that it wants.
    NotNear,
    /// InterPodAffinity refused: near pods that it does not want.
    Near,
    /// InterPodAffinity refused: pods there do not want it.
    Unwanted,
}

impl Verdict {
    /// A bound volume is elsewhere.
    pub const ELSEWHERE: u8 = 1;
    /// There is no volume to bind.
    pub const NONE: u8 = 2;
    /// There is no space to make one.
    pub const SPACE: u8 = 4;
    /// A bound volume is gone.
    pub const GONE: u8 = 8;
    /// A place for one more pod.
    pub const PODS: u16 = 1;
    /// CPU.
    pub const CPU: u16 = 2;
    /// Memory.
    pub const MEMORY: u16 = 4;
    /// Scratch storage.
    pub const EPHEMERAL: u16 = 8;
    /// More is asked for than the node could ever give.
    pub const NEVER: u16 = 16;
    /// The first of the other resources that the pod asks for; each has the next bit.
    pub const EXTENDED: u16 = 32;

    /// The plugin that refused.
    pub const fn plugin(self) -> Option<Plugin> {
        match self {
            Self::Fits => None,
            Self::Unschedulable => Some(Plugin::NodeUnschedulable),
            Self::NodeName => Some(Plugin::NodeName),
            Self::Taint => Some(Plugin::TaintToleration),
            Self::Affinity | Self::AddedAffinity => Some(Plugin::NodeAffinity),
            Self::Ports => Some(Plugin::NodePorts),
            Self::Lacking(_) => Some(Plugin::NodeResourcesFit),
            Self::DiskTaken | Self::ClaimTaken => Some(Plugin::VolumeRestrictions),
            Self::VolumeLimit => Some(Plugin::NodeVolumeLimits),
            Self::Volumes(_) => Some(Plugin::VolumeBinding),
            Self::VolumeZone => Some(Plugin::VolumeZone),
            Self::SpreadLabel | Self::Spread => Some(Plugin::PodTopologySpread),
            Self::NotNear | Self::Near | Self::Unwanted => Some(Plugin::InterPodAffinity),
        }
    }

    /// Whether the removal of pods could make the node fit: status Unschedulable, and not
    /// UnschedulableAndUnresolvable.
    pub const fn is_resolvable(self) -> bool {
        match self {
            Self::Lacking(what) => what & Self::NEVER == 0,
            Self::Ports
            | Self::DiskTaken
            | Self::ClaimTaken
            | Self::VolumeLimit
            | Self::Spread
            | Self::Near
            | Self::Unwanted => true,
            Self::Fits
            | Self::Unschedulable
            | Self::NodeName
            | Self::Taint
            | Self::Affinity
            | Self::AddedAffinity
            | Self::Volumes(_)
            | Self::VolumeZone
            | Self::SpreadLabel
            | Self::NotNear => false,
        }
    }

    /// Upstream's status code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fits => "Success",
            _ if self.is_resolvable() => "Unschedulable",
            _ => "UnschedulableAndUnresolvable",
        }
    }

    /// Upstream's reasons. `extended`: the other resources that the pod asks for.
    pub fn reasons(self, extended: &[(Symbol, i64)], symbols: &Symbols) -> Vec<String> {
        let text = match self {
            Self::Fits => return Vec::new(),
            Self::Unschedulable => "node(s) were unschedulable",
            Self::NodeName => "node(s) didn't match the requested node name",
            Self::Taint => "node(s) had untolerated taint(s)",
            Self::Affinity => "node(s) didn't match Pod's node affinity/selector",
            Self::AddedAffinity => "node(s) didn't match scheduler-enforced node affinity",
            Self::Ports => "node(s) didn't have free ports for the requested pod ports",
            Self::Lacking(what) => return lacking(what, extended, symbols),
            Self::DiskTaken => "node(s) had no available disk",
            Self::ClaimTaken => {
                "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
            }
            Self::VolumeLimit => "node(s) exceed max volume count",
            Self::Volumes(why) => return volumes(why),
            Self::VolumeZone => "node(s) had no available volume zone",
            Self::SpreadLabel => {
                "node(s) didn't match pod topology spread constraints (missing required label)"
            }
            Self::Spread => "node(s) didn't match pod topology spread constraints",
            Self::NotNear => "node(s) didn't match pod affinity rules",
            Self::Near => "node(s) didn't match pod anti-affinity rules",
            Self::Unwanted => "node(s) didn't satisfy existing pods anti-affinity rules",
        };
        vec![text.to_owned()]
    }
}

/// Source: `pkg/scheduler/framework/plugins/volumebinding/binder.go` (`FindPodVolumes`).
fn volumes(why: u8) -> Vec<String> {
    let all = [
        (
            Verdict::ELSEWHERE,
            "didn't match PersistentVolume's node affinity",
        ),
        (
            Verdict::NONE,
            "didn't find available persistent volumes to bind",
        ),
        (Verdict::SPACE, "did not have enough free storage"),
        (
            Verdict::GONE,
            "unavailable due to one or more pvc(s) bound to non-existent pv(s)",
        ),
    ];
    let all = all.into_iter().filter(|(bit, _)| why & bit != 0);
    all.map(|(_, text)| format!("node(s) {text}")).collect()
}

fn lacking(what: u16, extended: &[(Symbol, i64)], symbols: &Symbols) -> Vec<String> {
    let fixed = [
        (Verdict::PODS, "Too many pods"),
        (Verdict::CPU, "Insufficient cpu"),
        (Verdict::MEMORY, "Insufficient memory"),
        (Verdict::EPHEMERAL, "Insufficient ephemeral-storage"),
    ];
    let mut reasons: Vec<String> = fixed
        .into_iter()
        .filter(|(bit, _)| what & bit != 0)
        .map(|(_, text)| text.to_owned())
        .collect();
    for (index, (name, _)) in extended.iter().enumerate() {
        let bit = Verdict::EXTENDED.checked_shl(index as u32).unwrap_or(0);
        if what & bit != 0 {
            reasons.push(format!("Insufficient {}", symbols.text(*name)));
        }
    }
    reasons
}

/// One node in one decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeRecord {
    /// Slot of its row.
    pub slot: u32,
    /// What the filters said.
    pub verdict: Verdict,
    /// Normalised scores by place in [`Plugin::SCORERS`], before their weights.
    pub scores: [u8; SCORERS],
    /// Scores before they were normalised.
    pub raw: [i32; SCORERS],
    /// Sum of the weighted scores.
    pub total: u32,
}

/// What the quick way of a cycle saw: columns, of which records are made when somebody asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// Nodes in the order of search.
    pub order: Arc<Vec<u32>>,
    /// Place of the first that was looked at.
    pub start: u32,
    /// How many were looked at.
    pub looked_at: u32,
    /// What the filters said, by place; `None`: all that were looked at fit.
    pub verdicts: Option<Arc<Vec<Verdict>>>,
    /// The scorers that had a say, one bit each.
    pub said: u8,
    /// Scores of NodeResourcesFit and NodeResourcesBalancedAllocation, in the order of search.
    pub marks: Vec<[u8; 2]>,
    /// Which images each has, likewise; nothing where no node has any.
    pub masks: Vec<u8>,
    /// The score of ImageLocality by such a mask.
    pub by_mask: Vec<u8>,
    /// Value of the label that pods are spread by, by place; it decides, with the number of pods to be
    /// spread that a node has, which of the rates the node has.
    pub spread_values: Option<Arc<Vec<u32>>>,
    /// Nodes that have some of those pods, in any order, as the how manieth they were looked at, and
    /// their rates.
    pub spread_counted: Vec<(u32, u32)>,
    /// Scores of PodTopologySpread, before and after they were normalised.
    pub spread_rates: Vec<(i32, u8)>,
}

impl Glance {
    /// Rates for each value of the label: one for each number of pods below this.
    pub const COUNTS: u32 = 8;

    /// Forgets everything but the buffers.
    pub fn clear(&mut self) {
        (self.start, self.looked_at, self.said) = (0, 0, 0);
        self.verdicts = None;
        self.marks.clear();
        self.masks.clear();
        self.by_mask.clear();
        self.spread_values = None;
        self.spread_counted.clear();
        self.spread_rates.clear();
    }

    /// The records of the nodes that were looked at.
    pub fn records(&self, weights: &[u32; SCORERS]) -> Vec<NodeRecord> {
        let nodes = self.order.len() as u32;
        let places = (0..self.looked_at).map(|turn| ((self.start + turn) % nodes) as usize);
        let values = self.spread_values.as_deref();
        let mut rates: Vec<u32> = places
            .clone()
            .map(|place| values.map_or(0, |values| values[place]) * Self::COUNTS)
            .collect();
        for (turn, rate) in &self.spread_counted {
            rates[*turn as usize] = *rate;
        }
        let verdicts = self.verdicts.as_deref();
        let record = |(turn, place): (usize, usize)| {
            let mut record = NodeRecord {
                slot: self.order[place],
                verdict: verdicts.map_or(Verdict::Fits, |verdicts| verdicts[place]),
                ..NodeRecord::default()
            };
            if record.verdict == Verdict::Fits {
                self.rate(turn, rates[turn], weights, &mut record);
            }
            record
        };
        places.enumerate().map(record).collect()
    }

    /// Fills the scores of one of the nodes that fit in.
    fn rate(&self, turn: usize, rate: u32, weights: &[u32; SCORERS], record: &mut NodeRecord) {
        let said = |place: usize| self.said & 1 << place != 0;
        let mut set = |place: usize, raw: i32, score: u8| {
            if said(place) {
                record.raw[place] = raw;
                record.scores[place] = score;
                record.total += weights[place] * u32::from(score);
            }
        };
        set(TAINTS, 0, 100);
        if let Some([fit, balance]) = self.marks.get(turn) {
            set(FIT, i32::from(*fit), *fit);
            set(BALANCE, i32::from(*balance), *balance);
        }
        if let Some((raw, score)) = self.spread_rates.get(rate as usize) {
            set(SPREAD, *raw, *score);
        }
        let mask = self.masks.get(turn).copied().map(usize::from);
        let score = mask.and_then(|mask| self.by_mask.get(mask)).copied();
        let score = score.unwrap_or(0);
        set(IMAGES, i32::from(score), score);
    }
}

/// The nodes of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// One by one.
    Records(Arc<Vec<NodeRecord>>),
    /// As columns.
    Glance(Arc<Glance>),
}

impl Looked {
    fn len(&self) -> usize {
        match self {
            Self::Records(records) => records.len(),
            Self::Glance(glance) => glance.looked_at as usize,
        }
    }
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
    /// The scorers that had a say, one bit each; none when one node only was feasible.
    pub scored: u8,
    /// Weights of the scorers.
    pub weights: [u32; SCORERS],
    /// Other resources that the pod asks for.
    pub extended: Vec<(Symbol, i64)>,
    /// The nodes in the order in which they were looked at.
    pub nodes: Looked,
}

impl DecisionRecord {
    /// Verdict and scores of each node.
    pub fn records(&self) -> Vec<NodeRecord> {
        match &self.nodes {
            Looked::Records(records) => records.to_vec(),
            Looked::Glance(glance) => glance.records(&self.weights),
        }
    }
}

/// The latest decisions, the newest last.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    kept: VecDeque<DecisionRecord>,
    records: usize,
}

impl Decisions {
    /// Keeps a decision, forgetting the oldest. Returns what was seen for one of those, if nobody
    /// else looks at it: its buffers are used again.
    pub fn keep(&mut self, decision: DecisionRecord) -> Option<Arc<Glance>> {
        let nodes = decision.nodes.len();
        let mut used = None;
        while self.kept.len() >= DECISIONS_MAX
            || (self.records + nodes > RECORDS_MAX && !self.kept.is_empty())
        {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.records -= oldest.nodes.len();
            if let Looked::Glance(mut glance) = oldest.nodes
                && Arc::get_mut(&mut glance).is_some()
            {
                used = Some(glance);
            }
        }
        self.records += nodes;
        self.kept.push_back(decision);
        used
    }

    /// The latest decision.
    pub fn latest(&self) -> Option<&DecisionRecord> {
        self.kept.back()
    }

    /// The latest decision about a pod that is still kept.
    pub fn of(&self, pod: PodId) -> Option<&DecisionRecord> {
        self.kept.iter().rev().find(|decision| decision.pod == pod)
    }
}
