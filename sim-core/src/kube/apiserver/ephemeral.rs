//! The ephemeralcontainers subresource of pods: of what is sent only the new ephemeral containers are
//! taken.
//! Sources: `pkg/registry/core/pod/strategy.go` (`podEphemeralContainersStrategy`),
//! `pkg/apis/core/validation/validation.go` (`ValidatePodEphemeralContainersUpdate`).

use crate::api::kube::object::KubeSpec;
use crate::api::kube::pod::PodTemplate as ApiTemplate;
use crate::kube::kubelet::statics::is_mirror;
use crate::kube::rows::read as fields;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::refusal::{Cause, cause};
use super::template::build;
use super::write::answer;
use super::write::parse::{Old, parse};
use super::write::pod::{Target, pod_document, target};
use super::{ApiServer, Refusal, Response, note};

/// The list's key.
pub const LIST: &str = "ephemeralContainers";

/// Fields that an ephemeral container has not.
const NOT_ALLOWED: [&str; 6] = [
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resizePolicy",
];

impl ApiServer {
    /// PUT to a pod's ephemeralcontainers subresource.
    #[inline(never)]
    pub(super) fn add_ephemeral(
        &mut self,
        object: &Value,
        namespace: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let Target {
            asked,
            current,
            pod,
            row,
        } = target(object, namespace, turn)?;
        let (kind, key) = (asked.kind, asked.key.clone());
        let old = turn.store.template(row.template).clone();
        let list = fields::list(&asked.value, &["spec", LIST]);
        let mut causes = check(list, &current);
        if is_mirror(&old) {
            let why = "Forbidden: static pods do not support ephemeral containers";
            causes.push(cause("spec", why));
        }
        if !causes.is_empty() {
            return Err(Refusal::invalid(kind, &key.name, causes));
        }
        if list == fields::list(&current, &["spec", LIST]) {
            let mut response = answer(kind, &key, turn)?;
            response.changed = false;
            return Ok(response);
        }
        let mut value = current.clone();
        value.set_path(&["spec", LIST], Value::list(list.to_vec()));
        let parsed = parse(&value, namespace, Old::Stored, turn)?;
        super::admission::security::check(&key.namespace, &value, turn)
            .map_err(|why| Refusal::forbidden(kind, &key.name, &why))?;
        let KubeSpec::Pod(spec) = &parsed.spec else {
            return Err(Refusal::no_such_resource());
        };
        let written = ApiTemplate {
            labels: parsed.meta.labels.clone(),
            annotations: parsed.meta.annotations.clone(),
            spec: (**spec).clone(),
        };
        // What the server adds when it shows a pod is not the template's.
        let mut document = pod_document(&value);
        let mut own = old.document.get("spec").cloned().unwrap_or_default();
        own.set(LIST, Value::list(list.to_vec()));
        document.set("spec", own);
        let mut template = build(old.namespace, &written, document, turn);
        template.labels = old.labels.clone();
        template.annotations = old.annotations.clone();
        template.requests = old.requests.clone();
        let template = turn.store.intern_template(template);
        turn.store.set_pod_template(pod, template);
        turn.store.bump_generation(pod);
        note("debug", kind, &key.name, turn);
        answer(kind, &key, turn)
    }
}

/// What is wrong with a list of ephemeral containers.
fn check(list: &[Value], current: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = |one: &Value| fields::text(one, &["name"]).to_owned();
    for old in fields::list(current, &["spec", LIST]) {
        let found = list.iter().find(|one| name(one) == name(old));
        let word = match found {
            None => "removed",
            Some(new) if new != old => "changed",
            Some(_) => continue,
        };
        let why = format!(
            "Forbidden: existing ephemeral containers {:?} may not be {word}\n",
            name(old)
        );
        causes.push(cause(format!("spec.{LIST}"), why));
    }
    for (index, one) in list.iter().enumerate() {
        let at = |field: &str| format!("spec.{LIST}[{index}].{field}");
        let target = fields::text(one, &["targetContainerName"]);
        let known = ["containers", "initContainers"].iter().any(|list| {
            fields::list(current, &["spec", list])
                .iter()
                .any(|one| name(one) == target)
        });
        if !target.is_empty() && !known {
            let why = format!("Not found: {target:?}");
            causes.push(cause(at("targetContainerName"), why));
        }
        let mut unwanted: Vec<&str> = NOT_ALLOWED
            .into_iter()
            .filter(|field| one.get(field).is_some_and(|value| !value.is_null()))
            .collect();
        let resources = one.get("resources").and_then(Value::as_map);
        if resources.is_some_and(|map| !map.is_empty()) {
            unwanted.push("resources");
        }
        for field in unwanted {
            let why = "Forbidden: cannot be set for an Ephemeral Container";
            causes.push(cause(at(field), why));
        }
    }
    causes
}
