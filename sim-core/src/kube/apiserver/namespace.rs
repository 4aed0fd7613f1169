//! The namespace controller: what becomes of a namespace that is being deleted.
//! Sources: `pkg/controller/namespace/namespace_controller.go`,
//! `pkg/controller/namespace/deletion/{namespaced_resources_deleter,status_condition_utils}.go`.
//!
//! ```text
//! deleted ──5 s──▶ pods are told to go ──until none is left──▶ all else is told to go
//!                  ──until none is left──▶ finalizer `kubernetes` off ──▶ gone
//! ```
//!
//! It looks again when it has waited for half of what it thinks that the rest takes, and five seconds
//! after its own write of the conditions.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::event::{Event, Key};
use crate::kube::kinds::KINDS;
use crate::kube::render::time;
use crate::kube::rows::read as fields;
use crate::kube::rows::{PodId, ReplicaSetId};
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::{ApiServer, Propagation, Refusal, Response, note, read};

/// How long a namespace that was written is left alone.
/// Source: `namespace_controller.go` (`namespaceDeletionGracePeriod`).
const GRACE: SimDuration = SimDuration::from_secs(5);

/// First and longest wait after a pass that failed.
/// Source: `namespace_controller.go` (`nsControllerRateLimiter`).
const BACK_OFF: (u64, u64) = (5, 60_000);

/// Seconds that finalizers are thought to take.
/// Source: `namespaced_resources_deleter.go` (`finalizerEstimateSeconds`).
const FINALIZERS_S: u64 = 15;

/// The controller's own finalizer, in `spec.finalizers`.
const OWN: &str = "kubernetes";

/// When a namespace is looked at next, and how many passes failed in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Due {
    at: Option<SimTime>,
    failures: u32,
}

/// What a pass found to be left.
#[derive(Debug, Default)]
struct Left {
    /// Objects by resource and group, `configmaps.`.
    objects: SortedMap<String, u32>,
    /// Objects by finalizer.
    finalizers: SortedMap<String, u32>,
    /// Seconds until they are thought to be gone.
    estimate_s: u64,
    /// What should have gone and is there.
    errors: Vec<String>,
}

impl Left {
    fn add(&mut self, resource: &str, object: &Value) {
        let group = if resource.contains('.') { "" } else { "." };
        *self
            .objects
            .entry(format!("{resource}{group}"))
            .or_default() += 1;
        for finalizer in fields::list(object, &["metadata", "finalizers"]) {
            let name = finalizer.as_str().unwrap_or("").to_owned();
            *self.finalizers.entry(name).or_default() += 1;
        }
    }

    /// Source: `deleteAllContentForGroupVersionResource`.
    fn judge(&mut self, estimate_s: u64, namespace: &str, gvr: &str) {
        self.estimate_s = match estimate_s {
            0 if !self.finalizers.is_empty() => FINALIZERS_S,
            estimate_s => estimate_s,
        };
        if self.estimate_s == 0 && !self.objects.is_empty() {
            self.errors.push(format!(
                "unexpected items still remain in namespace: {namespace} for gvr: {gvr}"
            ));
        }
    }
}

fn key(name: &str) -> DocumentKey {
    DocumentKey {
        resource: "namespaces".into(),
        namespace: "".into(),
        name: name.into(),
    }
}

/// Whether a namespace is being deleted.
pub fn is_terminating(name: &str, turn: &Turn<'_, '_>) -> bool {
    let document = turn.store.documents().get(&key(name));
    document.is_some_and(|document| document.deletion.is_some())
}

/// Leaves the finalizers of the spec as they were; a subresource of their own writes them.
/// Source: `pkg/registry/core/namespace/strategy.go` (`PrepareForUpdate`).
pub(super) fn keep_finalizers(old: &Value, value: &mut Value) {
    let path = ["spec", "finalizers"];
    match old.path(&path) {
        Some(kept) => value.set_path(&path, kept.clone()),
        None => drop(value.remove_path(&path)),
    }
}

impl ApiServer {
    /// Lets the controller look at a namespace that was written.
    pub(super) fn namespace_written(&mut self, name: &str, turn: &mut Turn<'_, '_>) {
        let at = turn.now() + GRACE;
        self.look_at_namespace(name, at, turn);
    }

    fn look_at_namespace(&mut self, name: &str, at: SimTime, turn: &mut Turn<'_, '_>) {
        let due = self.namespaces.entry(name.into()).or_default();
        if due.at.is_some_and(|known| known <= at) {
            return;
        }
        due.at = Some(at);
        turn.at(at, Event::Sync(Key::Namespaces));
    }

    /// Looks at the namespaces whose time has come.
    pub fn finish_namespaces(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let ripe: Vec<Arc<str>> = self
            .namespaces
            .iter()
            .filter(|(_, due)| due.at.is_some_and(|at| at <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in ripe {
            if let Some(due) = self.namespaces.get_mut(&name) {
                due.at = None;
            }
            self.namespace_pass(&name, turn);
        }
    }

    fn namespace_pass(&mut self, name: &str, turn: &mut Turn<'_, '_>) {
        let Some(deletion) = turn
            .store
            .documents()
            .get(&key(name))
            .and_then(|document| document.deletion)
        else {
            self.namespaces.remove(name);
            return;
        };
        let now = turn.now();
        let mut left = self.delete_pods_of(name, deletion, turn);
        let pods_left = !left.objects.is_empty();
        if !pods_left {
            left = self.delete_content_of(name, turn);
        }
        if pods_left {
            // While pods are left their number is not told.
            left.objects.clear();
            left.finalizers.clear();
        }
        if write_conditions(name, &left, turn) {
            self.look_at_namespace(name, now + GRACE, turn);
        }
        let estimate_s = left.estimate_s;
        let due = self.namespaces.entry(name.into()).or_default();
        if !left.errors.is_empty() {
            let wait = BACK_OFF.0.saturating_mul(1 << due.failures.min(20));
            due.failures += 1;
            let wait = SimDuration::from_millis(wait.min(BACK_OFF.1));
            self.look_at_namespace(name, now + wait, turn);
        } else if estimate_s > 0 {
            due.failures = 0;
            let wait = SimDuration::from_secs(estimate_s / 2 + 1);
            self.look_at_namespace(name, now + wait, turn);
        } else {
            self.namespaces.remove(name);
            self.finalize(name, turn);
        }
    }

    /// Tells all pods to go, and sees which are left.
    fn delete_pods_of(&mut self, name: &str, deletion: SimTime, turn: &mut Turn<'_, '_>) -> Left {
        let now = turn.now();
        let mut left = Left::default();
        let bare: Vec<DocumentKey> = within(name, turn)
            .into_iter()
            .filter(|key| &*key.resource == "pods")
            .collect();
        for key in bare {
            self.delete_document(&key, Propagation::Background, turn);
            if let Some(document) = turn.store.documents().get(&key) {
                let value = document.value.clone();
                left.add("pods", &value);
            }
        }
        let mut estimate_s = 0;
        for pod in pods(name, turn) {
            let Some(row) = turn.store.pod(pod).copied() else {
                continue;
            };
            let grace = ["spec", "terminationGracePeriodSeconds"];
            let document = &turn.store.template(row.template).document;
            let grace = document.i64_at(&grace).unwrap_or(30);
            if !row.phase.is_terminal() {
                estimate_s = estimate_s.max(u64::try_from(grace).unwrap_or(0));
            }
            if !row.is_terminating() {
                turn.store.mark_terminating(pod, None, now);
            }
        }
        for pod in pods(name, turn) {
            let Some(row) = turn.store.pod(pod) else {
                continue;
            };
            let own = row.name.text(turn.ctx.symbols);
            if let Some(kind) = KINDS.iter().find(|kind| kind.kind == "Pod")
                && let Some(object) = read(kind, name, &own, turn)
            {
                left.add("pods", &object);
            }
        }
        let passed = now.signed_micros() - deletion.signed_micros();
        if passed >= SimDuration::from_secs(estimate_s).as_micros().cast_signed() {
            estimate_s = 0;
        }
        left.judge(estimate_s, name, "/v1, Resource=pods");
        left
    }

    /// Tells everything else to go, and sees what is left.
    fn delete_content_of(&mut self, name: &str, turn: &mut Turn<'_, '_>) -> Left {
        for key in within(name, turn) {
            self.delete_document(&key, Propagation::Background, turn);
        }
        if let Some(namespace) = turn.ctx.symbols.get(name) {
            let sets: Vec<ReplicaSetId> = turn
                .store
                .pod_controllers()
                .filter(|(_, row)| row.namespace == namespace && !row.deleting)
                .map(|(id, _)| id)
                .collect();
            for set in sets {
                turn.store.remove_replica_set(set);
            }
        }
        let mut left = Left::default();
        for key in within(name, turn) {
            if let Some(document) = turn.store.documents().get(&key) {
                let value = document.value.clone();
                left.add(&key.resource, &value);
            }
        }
        left.judge(0, name, "");
        left
    }

    /// PUT to the finalize subresource: of a namespace only the finalizers of its spec are written.
    /// Source: `pkg/registry/core/namespace/strategy.go` (`namespaceFinalizeStrategy`).
    pub(super) fn put_finalizers(
        &mut self,
        object: &Value,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let name = fields::text(object, &["metadata", "name"]);
        let (key, path) = (key(name), ["spec", "finalizers"]);
        let kind = super::known("Namespace", turn)?;
        let missing = || Refusal::not_found(kind, name);
        let mut object_now = read(kind, "", name, turn).ok_or_else(missing)?;
        let wanted = object.path(&path).cloned().unwrap_or_default();
        object_now.set_path(&path, wanted.clone());
        turn.store
            .change_document(&key, |value| value.set_path(&path, wanted));
        self.let_go(name, turn);
        Ok(Response {
            object: read(kind, "", name, turn).unwrap_or(object_now),
            changed: true,
        })
    }

    /// Takes the controller's finalizer off; the namespace goes unless it has others.
    fn finalize(&mut self, name: &str, turn: &mut Turn<'_, '_>) {
        let key = key(name);
        turn.store
            .change_document(&key, |value| value.take_off(&["spec", "finalizers"], OWN));
        self.let_go(name, turn);
    }

    /// Removes a namespace that is being deleted and that nothing holds.
    fn let_go(&mut self, name: &str, turn: &mut Turn<'_, '_>) {
        let key = key(name);
        let held = turn.store.documents().get(&key).is_none_or(|document| {
            document.deletion.is_none() || super::delete::is_held(&document.value)
        });
        if held {
            return;
        }
        turn.store.remove_document(&key);
        if let Some(kind) = KINDS.iter().find(|kind| kind.kind == "Namespace") {
            note("delete", kind, name, turn);
        }
    }
}

/// Documents of a namespace.
fn within(name: &str, turn: &Turn<'_, '_>) -> Vec<DocumentKey> {
    turn.store
        .documents()
        .iter()
        .filter(|(key, _)| &*key.namespace == name)
        .map(|(key, _)| key.clone())
        .collect()
}

fn pods(name: &str, turn: &Turn<'_, '_>) -> Vec<PodId> {
    let Some(namespace) = turn.ctx.symbols.get(name) else {
        return Vec::new();
    };
    turn.store
        .pods()
        .filter(|(_, row)| turn.store.template(row.template).namespace == namespace)
        .map(|(id, _)| id)
        .collect()
}

/// A condition as a pass finds it: type, whether it is true, reason, message.
type Found = (&'static str, bool, &'static str, String);

/// Conditions in the order in which they are written. Source: `status_condition_utils.go`.
fn conditions(left: &Left) -> Vec<Found> {
    let parts = |counts: &SortedMap<String, u32>, verb: &str| {
        let parts: Vec<String> = counts
            .iter()
            .map(|(what, count)| format!("{what} {verb} {count} resource instances"))
            .collect();
        parts.join(", ")
    };
    let fine = |kind, reason, message: &str| (kind, false, reason, message.to_owned());
    let content = if left.errors.is_empty() {
        fine(
            "NamespaceDeletionContentFailure",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        )
    } else {
        let message = format!(
            "Failed to delete all resource types, {} remaining: {}",
            left.errors.len(),
            left.errors.join(", ")
        );
        (
            "NamespaceDeletionContentFailure",
            true,
            "ContentDeletionFailed",
            message,
        )
    };
    let remaining = if left.objects.is_empty() {
        fine(
            "NamespaceContentRemaining",
            "ContentRemoved",
            "All content successfully removed",
        )
    } else {
        let parts = parts(&left.objects, "has");
        (
            "NamespaceContentRemaining",
            true,
            "SomeResourcesRemain",
            format!("Some resources are remaining: {parts}"),
        )
    };
    let finalizers = if left.finalizers.is_empty() {
        fine(
            "NamespaceFinalizersRemaining",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        )
    } else {
        let parts = parts(&left.finalizers, "in");
        (
            "NamespaceFinalizersRemaining",
            true,
            "SomeFinalizersRemain",
            format!("Some content in the namespace has finalizers remaining: {parts}"),
        )
    };
    vec![
        fine(
            "NamespaceDeletionDiscoveryFailure",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        fine(
            "NamespaceDeletionGroupVersionParsingFailure",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        content,
        remaining,
        finalizers,
    ]
}

/// Writes what a pass found. Answers whether anything differs from the last one's.
fn write_conditions(name: &str, left: &Left, turn: &mut Turn<'_, '_>) -> bool {
    let key = key(name);
    let Some(document) = turn.store.documents().get(&key) else {
        return false;
    };
    let mut list = fields::list(&document.value, &["status", "conditions"]).to_vec();
    let now = time(turn.now());
    for (kind, is_true, reason, message) in conditions(left) {
        let status = if is_true { "True" } else { "False" };
        let place = list
            .iter()
            .position(|one| fields::text(one, &["type"]) == kind);
        let since = place
            .map(|at| &list[at])
            .filter(|one| fields::text(one, &["status"]) == status)
            .and_then(|one| one.get("lastTransitionTime").cloned());
        let condition = Value::object([
            ("lastTransitionTime", since.unwrap_or_else(|| now.clone())),
            ("message", message.into()),
            ("reason", reason.into()),
            ("status", status.into()),
            ("type", kind.into()),
        ]);
        match place {
            Some(at) => list[at] = condition,
            None => list.push(condition),
        }
    }
    let status = Value::object([
        ("conditions", Value::list(list)),
        ("phase", "Terminating".into()),
    ]);
    turn.store.write_status(&key, status)
}
