//! Admission of the pods that controllers make: what a person's pod meets, theirs meet too. The
//! namespace's limits fill in what is missing, its limits, security level and quotas are asked.
//! Source: `pkg/kubeapiserver/options/plugins.go`.

use crate::base::name::Name;
use crate::kube::apiserver::workload::keep_template;
use crate::kube::apiserver::{Refusal, admission};
use crate::kube::kinds;
use crate::kube::store::document::DocumentKey;
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::quota;

/// The template that the pod is really made from: the given one, with what its namespace fills in.
///
/// # Errors
/// `pods "x" is forbidden: …`.
pub fn admit(
    template: TemplateId,
    name: Name,
    turn: &mut Turn<'_, '_>,
) -> Result<TemplateId, String> {
    let namespace = turn.store.template(template).namespace;
    let namespace = turn.ctx.symbols.text(namespace).to_owned();
    let admitted = if asks(&namespace, turn) {
        limited(template, name, &namespace, turn)?
    } else {
        template
    };
    quota::admit(admitted, name, turn)?;
    Ok(admitted)
}

/// Whether a namespace says anything about its pods. Most do not, and cost nothing.
fn asks(namespace: &str, turn: &Turn<'_, '_>) -> bool {
    let documents = turn.store.documents();
    let any = |resource: &str| {
        documents
            .of(resource)
            .any(|(key, _)| &*key.namespace == namespace)
    };
    let key = DocumentKey {
        resource: "namespaces".into(),
        namespace: "".into(),
        name: namespace.into(),
    };
    any("limitranges")
        || any("resourcequotas")
        || documents
            .get(&key)
            .is_some_and(|document| admission::security::is_enforced(&document.value))
}

fn limited(
    template: TemplateId,
    name: Name,
    namespace: &str,
    turn: &mut Turn<'_, '_>,
) -> Result<TemplateId, String> {
    let kind = kinds::KINDS
        .iter()
        .find(|kind| kind.kind == "Pod")
        .expect("Pod is a kind");
    let document = turn.store.template(template).document.clone();
    let mut pod = Value::clone(&document);
    let name = name.text(turn.ctx.symbols);
    pod.set_path(&["metadata", "name"], name.as_str().into());
    let before = pod.clone();
    admission::fill(kind, namespace, &mut pod, turn);
    admission::check(kind, namespace, &pod, turn).map_err(|refusal: Refusal| refusal.message)?;
    if pod == before {
        return Ok(template);
    }
    pod.remove_path(&["metadata", "name"]);
    keep_template(&pod, namespace, turn)
        .ok_or_else(|| format!("pods \"{name}\" is forbidden: its limits cannot be read"))
}
