//! The binding subresource: a pod gets its node. Source: `pkg/registry/core/pod/storage/storage.go`.

use crate::base::sentence::catalogue;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::refusal::cause;
use super::{ApiServer, Refusal, Response, eviction, known, note, read};

impl ApiServer {
    /// POST to a pod's `binding`.
    #[inline(never)]
    pub(super) fn bind(
        &mut self,
        namespace: &str,
        name: &str,
        target: &str,
        node: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let kind = known("Pod", turn)?;
        let invalid = |field: &str, message: &str| {
            let mut refusal = Refusal::invalid(kind, name, vec![cause(field, message)]);
            refusal.kind = "Binding".into();
            refusal.message = refusal.message.replacen("Pod", "Binding", 1).into();
            refusal
        };
        if !matches!(target, "" | "Node") {
            let message =
                format!("Unsupported value: \"{target}\": supported values: \"Node\", \"<empty>\"");
            return Err(invalid("target.kind", &message));
        }
        if node.is_empty() {
            return Err(invalid("target.name", "Required value"));
        }
        let object =
            read(kind, namespace, name, turn).ok_or_else(|| Refusal::not_found(kind, name))?;
        let conflict = |why: String| Refusal {
            code: 409,
            reason: "Conflict",
            message: format!("Operation cannot be fulfilled on pods/binding \"{name}\": {why}")
                .into(),
            ..Refusal::not_found(kind, name)
        };
        if object.path(&["metadata", "deletionTimestamp"]).is_some() {
            return Err(conflict(format!(
                "pod {name} is being deleted, cannot be assigned to a host"
            )));
        }
        if let Some(there) = object.str_at(&["spec", "nodeName"]) {
            return Err(conflict(format!(
                "pod {name} is already assigned to node \"{there}\""
            )));
        }
        let gates = object
            .path(&["spec", "schedulingGates"])
            .and_then(Value::as_list);
        if gates.is_some_and(|gates| !gates.is_empty()) {
            return Err(conflict(format!(
                "pod {name} has non-empty .spec.schedulingGates"
            )));
        }
        let machine = turn.ctx.symbols.get(node);
        let machine = machine.and_then(|symbol| turn.store.node_named(symbol));
        let (Some(machine), Some(pod)) = (machine, eviction::find(namespace, name, turn)) else {
            return Err(Refusal::bad_request(
                catalogue::NO_KUBELET.with(&[("node", &node)]),
            ));
        };
        let now = turn.now();
        if turn.store.bind(pod, machine, now).is_err() {
            return Err(Refusal::not_found(kind, name));
        }
        note("bind", kind, name, turn);
        let object = read(kind, namespace, name, turn).unwrap_or(object);
        Ok(Response {
            object,
            changed: true,
        })
    }
}
