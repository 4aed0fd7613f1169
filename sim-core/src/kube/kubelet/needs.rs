//! ConfigMaps and Secrets that a pod needs: as volumes before its sandbox is made, as variables
//! before a container is created.
//! Sources: `pkg/volume/{configmap,secret}`, `pkg/kubelet/kubelet_pods.go`
//! (`makeEnvironmentVariables`), `pkg/util/goroutinemap/exponentialbackoff`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::kube::rows::read;
use crate::kube::scheduler::matcher::Look;
use crate::kube::store::document::DocumentKey;
use crate::kube::template::PodTemplate;
use crate::kube::volumes::attach::{attaches, claimed};
use crate::manifest::value::Value;

use super::desk::{Desk, Report, sentence};
use super::lifecycle::ERROR_PERIOD;
use super::worker::Worker;

/// First wait after a mount that failed. Source: `exponential_backoff.go`.
const MOUNT_WAIT: SimDuration = SimDuration::from_millis(500);
/// Longest such wait. Source: as above.
const MOUNT_WAIT_MAX: SimDuration = SimDuration::from_secs(122);
/// Time of one try to attach and mount everything. Source: `volume_manager.go`
/// (`podAttachAndMountTimeout`).
const MOUNT_TIMEOUT: SimDuration = SimDuration::from_secs(123);
/// Time between two looks at it. Source: as above (`podAttachAndMountRetryInterval`).
const MOUNT_POLL: SimDuration = SimDuration::from_millis(300);

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

/// Whether a claim of a pod has no volume, or one that is not attached to its node yet. Each time-out
/// is said once; each turn says which claims have none.
/// Source: `pkg/kubelet/volumemanager/volume_manager.go` (`WaitForAttachAndMount`).
fn waits_for_claims(worker: &mut Worker, desk: &mut Desk<'_, '_>) -> bool {
    let now = desk.now();
    let planned = worker.aside.claims_until;
    if let Some(until) = planned.filter(|until| *until > now) {
        desk.wake(worker, until);
        return true;
    }
    let look = Look {
        store: desk.store,
        symbols: desk.ctx.symbols,
    };
    let mut missing = Vec::new();
    let mut errors = Vec::new();
    let mut unknown = Vec::new();
    for (name, found) in claimed(worker.pod, look) {
        match found {
            Ok(found) if !attaches(&found, desk.store) => {}
            Ok(found) if desk.store.is_attached(&found.name, worker.node) => {}
            Ok(_) => missing.push(name.to_string()),
            Err(why) => {
                unknown.push(name.to_string());
                errors.push(why);
            }
        }
    }
    if missing.is_empty() && errors.is_empty() {
        if let Some(aside) = worker.aside.written() {
            (aside.attach_since, aside.claims_until) = (None, None);
        }
        return false;
    }
    let since = *worker.aside.write().attach_since.get_or_insert(now);
    let mut until = since + MOUNT_TIMEOUT;
    if !errors.is_empty() && planned.is_none() && now < since + MOUNT_POLL {
        until = since + MOUNT_POLL;
    } else if !errors.is_empty() || now >= until {
        if errors.is_empty() {
            errors.push("context deadline exceeded".to_owned());
        }
        let unattached = missing.join(" ");
        let not_known = unknown.join(" ");
        let mut unmounted = missing;
        unmounted.extend(unknown);
        unmounted.arrange();
        let text = format!(
            "Unable to attach or mount volumes: unmounted volumes=[{}], unattached volumes=[{unattached}], failed to process volumes=[{not_known}]: {}",
            unmounted.join(" "),
            errors.join("; ")
        );
        desk.record(worker, None, Report::warning("FailedMount", sentence(text)));
        until = now + desk.jitter(worker, ERROR_PERIOD);
        let aside = worker.aside.write();
        (aside.attach_since, aside.claims_until) = (None, Some(until));
    }
    desk.wake(worker, until);
    true
}

/// Whether the volumes of a pod cannot be made yet; then the worker looks again after a wait that
/// doubles.
pub fn waits_for_volumes(worker: &mut Worker, desk: &mut Desk<'_, '_>) -> bool {
    if worker.recipe.has_claims && waits_for_claims(worker, desk) {
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
