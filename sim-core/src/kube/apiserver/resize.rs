//! The resize subresource of pods: of what is sent only the containers' CPU and memory are taken.
//! Sources: `pkg/registry/core/pod/strategy.go` (`podResizeStrategy`),
//! `pkg/apis/core/validation/validation.go` (`ValidatePodResize`).

use crate::api::kube::object::KubeSpec;
use crate::api::kube::pod::PodTemplate as ApiTemplate;
use crate::base::sentence::catalogue;
use crate::kube::controllers::quota;
use crate::kube::kubelet::statics::is_mirror;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::admission::limits;
use super::refusal::{Cause, cause};
use super::template::build;
use super::write::answer;
use super::write::parse::{Old, parse};
use super::write::pod::{Target, own_document, target};
use super::{ApiServer, Refusal, Response, note};

const LISTS: [&str; 2] = ["initContainers", "containers"];

impl ApiServer {
    /// PUT to a pod's resize subresource.
    #[inline(never)]
    pub(super) fn resize(
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
        let whole = ["spec", "resources"];
        if asked.value.path(&whole) != current.path(&whole) {
            let why = catalogue::NOT_MODELLED.with(&[("what", &"resizing spec.resources")]);
            return Err(Refusal::forbidden(kind, &key.name, why));
        }
        let mut value = current.clone();
        let mut causes = take(&asked.value, &mut value);
        let parsed = parse(&value, namespace, Old::Stored, turn)?;
        let KubeSpec::Pod(spec) = &parsed.spec else {
            return Err(Refusal::no_such_resource());
        };
        let old = turn.store.template(row.template).clone();
        let written = ApiTemplate {
            labels: parsed.meta.labels.clone(),
            annotations: parsed.meta.annotations.clone(),
            spec: (**spec).clone(),
        };
        let mut document = own_document(&value, &row, turn);
        // What the server adds when it shows a pod is not the template's.
        if let (Some(shown), Some(own)) = (document.get("spec").cloned(), old.document.get("spec"))
        {
            let mut spec = own.clone();
            for list in LISTS {
                if let Some(containers) = shown.get(list) {
                    spec.set(list, containers.clone());
                }
            }
            document.set("spec", spec);
        }
        let mut template = build(old.namespace, &written, document, turn);
        template.labels = old.labels.clone();
        template.annotations = old.annotations.clone();
        if is_mirror(&old) {
            let why = "Forbidden: static pods cannot be resized";
            causes.push(cause(
                "metadata.annotations[kubernetes.io/config.mirror]",
                why,
            ));
        }
        if template.qos != old.qos {
            let message = format!(
                "Invalid value: \"{}\": Pod QOS Class may not change as a result of resizing",
                template.qos.text()
            );
            causes.push(cause("spec", message));
        }
        if !causes.is_empty() {
            return Err(Refusal::invalid(kind, &key.name, causes));
        }
        if value.get("spec") == current.get("spec") {
            let mut response = answer(kind, &key, turn)?;
            response.changed = false;
            return Ok(response);
        }
        // Until its agent has decided, the node's room counts for both sizes.
        // Source: `staging/src/k8s.io/component-helpers/resource/helpers.go` (`PodRequests`).
        if row.node.is_some() {
            template.requests.max_with(&old.requests);
        }
        let template = turn.store.intern_template(template);
        limits::check_pod(&key.namespace, &value, turn)
            .map_err(|why| Refusal::forbidden(kind, &key.name, &why))?;
        quota::admit_change(Some(row.template), template, row.name, turn)
            .map_err(|why| Refusal::forbidden_text(kind, &key.name, why))?;
        turn.store.keep_sizes(pod, row.template);
        turn.store.set_pod_template(pod, template);
        turn.store.bump_generation(pod);
        note("resize", kind, &key.name, turn);
        answer(kind, &key, turn)
    }
}

/// Takes the resources of the containers over. Answers what may not be asked for.
fn take(asked: &Value, value: &mut Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for list in LISTS {
        let asked = asked.path(&["spec", list]).and_then(Value::as_list);
        let asked = asked.unwrap_or(&[]).to_vec();
        let own = value.path_mut(&["spec", list]).and_then(Value::as_list_mut);
        for (index, container) in own.into_iter().flatten().enumerate() {
            let name = container.str_at(&["name"]).map(str::to_owned);
            let Some(asked) = asked
                .iter()
                .find(|one| one.str_at(&["name"]) == name.as_deref())
            else {
                continue;
            };
            let (old, new) = (
                container
                    .get("resources")
                    .cloned()
                    .unwrap_or_else(Value::map),
                asked.get("resources").cloned().unwrap_or_else(Value::map),
            );
            if old == new {
                continue;
            }
            let path = format!("spec.{list}[{index}].resources");
            check(&path, &old, &new, &mut causes);
            container.set("resources", new);
        }
    }
    causes
}

fn check(path: &str, old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    for part in ["requests", "limits"] {
        let amounts = |value: &Value| {
            let map = value.get(part).and_then(Value::as_map).cloned();
            map.unwrap_or_default()
        };
        let (old, new) = (amounts(old), amounts(new));
        for (name, amount) in old.iter() {
            let is_sized = matches!(&**name, "cpu" | "memory");
            match new.get(name) {
                None if is_sized => {
                    let why = format!("Forbidden: resource {part} cannot be removed");
                    causes.push(cause(format!("{path}.{part}"), why));
                }
                other if !is_sized && other != Some(amount) => {
                    let why = "Forbidden: only cpu and memory resources are mutable";
                    causes.push(cause(path.to_owned(), why));
                }
                _ => {}
            }
        }
        let added = new
            .iter()
            .any(|(name, _)| !matches!(&**name, "cpu" | "memory") && old.get(name).is_none());
        if added {
            let why = "Forbidden: only cpu and memory resources are mutable";
            causes.push(cause(path.to_owned(), why));
        }
    }
}
