//! ConfigMaps and Secrets that a pod needs: as volumes before its sandbox is made, as variables
//! before a container is created.
//! Sources: `pkg/volume/{configmap,secret}`, `pkg/kubelet/kubelet_pods.go`
//! (`makeEnvironmentVariables`), `pkg/util/goroutinemap/exponentialbackoff`.

use std::sync::Arc;

use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::kube::rows::read;
use crate::kube::store::document::DocumentKey;
use crate::kube::template::PodTemplate;
use crate::kube::volumes::attach::attachable;
use crate::manifest::value::Value;

use super::desk::{Desk, Report, sentence};
use super::worker::Worker;

/// First wait after a mount that failed. Source: `exponential_backoff.go`.
const MOUNT_WAIT: SimDuration = SimDuration::from_millis(500);
/// Longest such wait. Source: as above.
const MOUNT_WAIT_MAX: SimDuration = SimDuration::from_secs(122);
/// Time of one try to attach and mount everything. Source: `volume_manager.go`
/// (`podAttachAndMountTimeout`).
const MOUNT_TIMEOUT: SimDuration = SimDuration::from_secs(123);

/// Something that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// `configmaps` or `secrets`.
    pub resource: &'static str,
    /// Name of the object.
    pub object: Arc<str>,
    /// Key in it; empty: the object is enough.
    pub key: Arc<str>,
    /// The volume that is made of it; empty for variables.
    pub volume: Arc<str>,
}

const CONFIG_MAPS: &str = "configmaps";
const SECRETS: &str = "secrets";

/// What a pod's volumes are made of: the objects, and keys of them that are named.
pub fn of_volumes(template: &PodTemplate) -> Arc<[Need]> {
    let mut needs = Vec::new();
    for volume in read::list(&template.document, &["spec", "volumes"]) {
        let name: Arc<str> = volume.str_at(&["name"]).unwrap_or("").into();
        let projected = read::list(volume, &["projected", "sources"]);
        for source in std::iter::once(volume).chain(projected) {
            for (kind, resource) in [("configMap", CONFIG_MAPS), ("secret", SECRETS)] {
                let Some(from) = source.get(kind) else {
                    continue;
                };
                if read::truth(from, &["optional"]) {
                    continue;
                }
                let object = from.str_at(&["secretName"]).or(from.str_at(&["name"]));
                let items = read::list(from, &["items"]);
                let keys = items.iter().filter_map(|item| item.str_at(&["key"]));
                for key in std::iter::once("").chain(keys) {
                    needs.push(Need {
                        resource,
                        object: object.unwrap_or("").into(),
                        key: key.into(),
                        volume: name.clone(),
                    });
                }
            }
        }
    }
    needs.into()
}

/// What a container's variables are taken from.
pub fn of_variables(template: &PodTemplate, container: &str) -> Arc<[Need]> {
    let mut needs = Vec::new();
    for list in ["initContainers", "containers"] {
        let containers = read::list(&template.document, &["spec", list]).iter();
        let Some(found) = containers
            .into_iter()
            .find(|it| it.str_at(&["name"]) == Some(container))
        else {
            continue;
        };
        for source in read::list(found, &["envFrom"]) {
            push(source, ["configMapRef", "secretRef"], &mut needs);
        }
        for variable in read::list(found, &["env"]) {
            if let Some(from) = variable.get("valueFrom") {
                push(from, ["configMapKeyRef", "secretKeyRef"], &mut needs);
            }
        }
    }
    needs.into()
}

fn push(source: &Value, words: [&str; 2], needs: &mut Vec<Need>) {
    for (word, resource) in words.into_iter().zip([CONFIG_MAPS, SECRETS]) {
        let Some(reference) = source.get(word) else {
            continue;
        };
        if reference.get("optional").and_then(Value::as_bool) == Some(true) {
            continue;
        }
        needs.push(Need {
            resource,
            object: reference.str_at(&["name"]).unwrap_or("").into(),
            key: reference.str_at(&["key"]).unwrap_or("").into(),
            volume: "".into(),
        });
    }
}

/// The first need that is not met, in the server's or the kubelet's words.
pub fn missing(
    needs: &[Need],
    namespace: Symbol,
    desk: &Desk<'_, '_>,
) -> Option<(Arc<str>, String)> {
    if needs.is_empty() {
        return None;
    }
    let namespace: Arc<str> = desk.ctx.symbols.text(namespace).into();
    needs.iter().find_map(|need| {
        let key = DocumentKey {
            resource: need.resource.into(),
            namespace: namespace.clone(),
            name: need.object.clone(),
        };
        let (word, singular) = if need.resource == CONFIG_MAPS {
            ("ConfigMap", "configmap")
        } else {
            ("Secret", "secret")
        };
        let Some(document) = desk.store.documents().get(&key) else {
            return Some((
                need.volume.clone(),
                format!("{singular} \"{}\" not found", need.object),
            ));
        };
        let has = ["data", "binaryData", "stringData"].iter().any(|field| {
            document
                .value
                .get(field)
                .is_some_and(|data| data.get(&need.key).is_some())
        });
        (!need.key.is_empty() && !has).then(|| {
            let text = if need.volume.is_empty() {
                format!(
                    "couldn't find key {} in {word} {namespace}/{}",
                    need.key, need.object
                )
            } else if need.resource == CONFIG_MAPS {
                format!("configmap references non-existent config key: {}", need.key)
            } else {
                format!("references non-existent secret key: {}", need.key)
            };
            (need.volume.clone(), text)
        })
    })
}

/// Whether a volume of a pod is not attached to its node yet. Each time-out is said once.
/// Source: `pkg/kubelet/volumemanager/volume_manager.go` (`WaitForAttachAndMount`).
fn waits_for_attachment(worker: &mut Worker, desk: &mut Desk<'_, '_>) -> bool {
    let template = desk.store.template(worker.template).clone();
    let namespace = desk.ctx.symbols.text(worker.namespace).to_owned();
    let pod = worker.name.text(desk.ctx.symbols);
    let missing: Vec<String> = attachable(&template, &namespace, &pod, desk.store)
        .into_iter()
        .filter(|(_, volume)| !desk.store.is_attached(volume, worker.node))
        .map(|(name, _)| name.to_string())
        .collect();
    if missing.is_empty() {
        if let Some(aside) = worker.aside.written() {
            aside.attach_since = None;
        }
        return false;
    }
    let now = desk.now();
    let since = *worker.aside.write().attach_since.get_or_insert(now);
    if now >= since + MOUNT_TIMEOUT {
        let names = missing.join(" ");
        let text = format!(
            "Unable to attach or mount volumes: unmounted volumes=[{names}], unattached volumes=[{names}], failed to process volumes=[]: context deadline exceeded"
        );
        desk.record(worker, None, Report::warning("FailedMount", sentence(text)));
        worker.aside.write().attach_since = Some(now);
    }
    let until = worker.aside.attach_since.unwrap_or(now) + MOUNT_TIMEOUT;
    desk.wake(worker, until);
    true
}

/// Whether the volumes of a pod cannot be made yet; then the worker looks again after a wait that
/// doubles.
pub fn waits_for_volumes(worker: &mut Worker, desk: &mut Desk<'_, '_>) -> bool {
    if worker.recipe.has_claims && waits_for_attachment(worker, desk) {
        return true;
    }
    if worker.recipe.volumes.is_empty() {
        return false;
    }
    let until = worker.aside.mount_until;
    if until.is_some_and(|until| until > desk.now()) {
        return true;
    }
    let volumes = worker.recipe.volumes.clone();
    let Some((volume, cause)) = missing(&volumes, worker.namespace, desk) else {
        return false;
    };
    let text = format!("MountVolume.SetUp failed for volume \"{volume}\" : {cause}");
    desk.record(worker, None, Report::warning("FailedMount", sentence(text)));
    if worker.aside.mount_wait.is_zero() {
        let object = desk.ctx.symbols.intern(&volume);
        desk.note(
            "mount-failed",
            worker,
            crate::des::notice::Detail::Text(object),
            None,
        );
    }
    let aside = worker.aside.write();
    aside.mount_wait = if aside.mount_wait.is_zero() {
        MOUNT_WAIT
    } else {
        aside.mount_wait.saturating_mul(2).min(MOUNT_WAIT_MAX)
    };
    let until = desk.now() + aside.mount_wait;
    aside.mount_until = Some(until);
    desk.wake(worker, until);
    true
}
