//! Views that the page asks for when they are on screen: they are in no frame.

use serde::{Deserialize, Serialize};

use super::{EventLine, FaultMark, StateGroup, WorldFrame};

/// What became of each replica in the course of a run: one row each, one cell for each stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Length of the run in microseconds.
    pub length_us: u64,
    /// Rows in order of appearance.
    pub rows: Vec<PictureRow>,
    /// Rows that there was no room for.
    pub more: u32,
    /// When faults began, in microseconds.
    pub faults_us: Vec<u64>,
}

/// One replica's states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureRow {
    /// World.
    pub orchestrator: String,
    /// Name.
    pub name: String,
    /// Workload that it belongs to.
    pub workload: String,
    /// State at the end of each stretch; none: it did not exist.
    pub cells: Vec<Option<StateGroup>>,
}

/// What one control loop did last, and what it saw before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loop {
    /// World.
    pub orchestrator: String,
    /// The loop, as in event lines.
    pub source: String,
    /// Actions so far.
    pub count: u64,
    /// Its latest actions, newest first.
    pub did: Vec<EventLine>,
    /// What led to the newest; none: nothing that was noted.
    pub saw: Option<EventLine>,
}

/// Boxes in layers, with what connects them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// Boxes.
    pub nodes: Vec<GraphNode>,
    /// Lines.
    pub edges: Vec<GraphEdge>,
}

/// A box of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphNode {
    /// What it is about.
    pub title: String,
    /// The rest.
    pub text: String,
    /// State, where it has one.
    pub group: Option<StateGroup>,
    /// The event; zero: none.
    pub seq: u64,
    /// Time of the event in microseconds.
    pub at_us: u64,
    /// Whether it is on the way that was asked for.
    pub chosen: bool,
    /// Layer, from 0.
    pub layer: u32,
    /// Place within its layer, from 0.
    pub order: u32,
}

/// A line between two boxes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphEdge {
    /// Index of the box that comes first.
    pub from: u32,
    /// Index of the box that follows.
    pub to: u32,
    /// Condition or rule; empty: none.
    pub label: String,
}

/// A branch at its latest time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The branch.
    pub branch: u32,
    /// Its latest time in microseconds.
    pub tip_us: u64,
    /// Fingerprint there.
    pub hash: String,
    /// Worlds without machines.
    pub worlds: Vec<WorldFrame>,
    /// Faults.
    pub faults: Vec<FaultMark>,
}
