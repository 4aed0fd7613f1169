//! What a StatefulSet wants and remembers. Defaults: `pkg/apis/apps/v1/defaults.go`.

use std::sync::Arc;

use crate::base::symbol::Symbol;
use crate::kube::template::TemplateId;
use crate::manifest::value::Value;

use super::read;
use super::workload::Amount;

/// One version of the template, kept as a ControllerRevision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its name, `<set>-<hash>`.
    pub name: Symbol,
    /// `revision`.
    pub number: i64,
    /// The template as written.
    pub template: TemplateId,
}

/// A StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatefulSetPart {
    /// `ordinals.start`.
    pub start: i64,
    /// `podManagementPolicy: Parallel`.
    pub parallel: bool,
    /// `updateStrategy.type: OnDelete`.
    pub on_delete: bool,
    /// Whether `updateStrategy.rollingUpdate` is there.
    pub rolling: bool,
    /// `updateStrategy.rollingUpdate.partition`.
    pub partition: i64,
    /// `updateStrategy.rollingUpdate.maxUnavailable`.
    pub max_unavailable: Option<Amount>,
    /// `revisionHistoryLimit`.
    pub history: i64,
    /// `serviceName`.
    pub service: Arc<str>,
    /// `volumeClaimTemplates`, whole.
    pub claims: Arc<[Value]>,
    /// `persistentVolumeClaimRetentionPolicy.whenDeleted: Delete`.
    pub delete_claims_with_set: bool,
    /// `persistentVolumeClaimRetentionPolicy.whenScaled: Delete`.
    pub delete_claims_with_pod: bool,
    /// Versions of the template, oldest first.
    pub revisions: Vec<Revision>,
    /// `status.currentRevision`.
    pub current: Option<Symbol>,
    /// `status.updateRevision`.
    pub update: Option<Symbol>,
    /// `status.currentReplicas` as last written.
    pub current_replicas: i64,
    /// `status.collisionCount`.
    pub collisions: i64,
    /// Pods that are not of the update revision and are going to be.
    pub outdated: u64,
}

impl StatefulSetPart {
    /// Takes over what a document wants.
    pub fn read(&mut self, document: &Value) {
        let Some(spec) = document.get("spec") else {
            return;
        };
        let rolling = ["updateStrategy", "rollingUpdate"];
        self.start = read::number(spec, &["ordinals", "start"]);
        self.parallel = read::text(spec, &["podManagementPolicy"]) == "Parallel";
        self.on_delete = read::text(spec, &["updateStrategy", "type"]) == "OnDelete";
        self.rolling = spec.path(&rolling).is_some_and(|value| !value.is_null());
        self.partition = read::number(spec, &[rolling[0], rolling[1], "partition"]);
        self.max_unavailable = read::amount(spec.path(&[rolling[0], rolling[1], "maxUnavailable"]));
        self.history = spec.i64_at(&["revisionHistoryLimit"]).unwrap_or(10);
        self.service = read::text(spec, &["serviceName"]).into();
        self.claims = read::list(spec, &["volumeClaimTemplates"]).into();
        let policy =
            |when| read::text(spec, &["persistentVolumeClaimRetentionPolicy", when]) == "Delete";
        self.delete_claims_with_set = policy("whenDeleted");
        self.delete_claims_with_pod = policy("whenScaled");
    }

    /// Takes over what a loaded object says it has got to.
    pub fn resume(&mut self, status: &Value, intern: &mut dyn FnMut(&str) -> Symbol) {
        let mut name = |key| {
            Some(read::text(status, &[key]))
                .filter(|text| !text.is_empty())
                .map(&mut *intern)
        };
        self.current = name("currentRevision");
        self.update = name("updateRevision");
        self.current_replicas = read::number(status, &["currentReplicas"]);
        self.collisions = read::number(status, &["collisionCount"]);
    }

    /// A version by its name.
    pub fn revision(&self, name: Option<Symbol>) -> Option<&Revision> {
        let name = name?;
        self.revisions.iter().find(|revision| revision.name == name)
    }
}
