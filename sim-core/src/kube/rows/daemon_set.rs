//! What a DaemonSet wants and remembers. Defaults: `pkg/apis/apps/v1/defaults.go`.

use crate::base::time::SimTime;
use crate::kube::rows::NodeId;
use crate::manifest::value::Value;

use super::read;
use super::stateful_set::Revision;
use super::workload::Amount;

/// A DaemonSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSetPart {
    /// `updateStrategy.type: OnDelete`.
    pub on_delete: bool,
    /// `updateStrategy.rollingUpdate.maxUnavailable`.
    pub unavailable: Amount,
    /// `updateStrategy.rollingUpdate.maxSurge`.
    pub surge: Amount,
    /// `revisionHistoryLimit`.
    pub history: i64,
    /// Versions of the template, oldest first.
    pub revisions: Vec<Revision>,
    /// `status.collisionCount`.
    pub collisions: i64,
    /// Pods that are not of the newest revision and are going to be.
    pub outdated: u64,
    /// Nodes whose pod failed: how often, and when it was deleted last.
    pub failures: Vec<(NodeId, u32, SimTime)>,
}

impl Default for DaemonSetPart {
    fn default() -> Self {
        Self {
            on_delete: false,
            unavailable: Amount::Count(1),
            surge: Amount::Count(0),
            history: 10,
            revisions: Vec::new(),
            collisions: 0,
            outdated: 0,
            failures: Vec::new(),
        }
    }
}

impl DaemonSetPart {
    /// Takes over what a document wants.
    pub fn read(&mut self, document: &Value) {
        let rolling =
            |key| read::amount(document.path(&["spec", "updateStrategy", "rollingUpdate", key]));
        self.on_delete = read::text(document, &["spec", "updateStrategy", "type"]) == "OnDelete";
        self.unavailable = rolling("maxUnavailable").unwrap_or(Amount::Count(1));
        self.surge = rolling("maxSurge").unwrap_or(Amount::Count(0));
        self.history = document
            .i64_at(&["spec", "revisionHistoryLimit"])
            .unwrap_or(10);
    }
}
