//! Inside a pod: which of its containers is meant, and `kubectl exec`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::console::{after, host, not_modelled_since};
use crate::engine::command::Orchestrator;
use crate::kube::kinds::Kind;
use crate::kube::rows::pod::ContainerState;
use crate::manifest::value::Value;
use crate::substrate::order::ContainerId;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, edit, kind_of, name_of};

/// The pod that words like `web-1`, `pod/web-1` or `deploy/web` mean.
pub(super) fn pod(call: &mut Call<'_>, word: &str) -> Result<Value, Problem> {
    let pods = kind_of("pods")?;
    let Some((kind, name)) = word.split_once('/') else {
        return call.object(pods, word);
    };
    let kind = call.kind_of(kind)?;
    if kind.kind == "Pod" {
        return call.object(pods, name);
    }
    let owner = call.object(kind, name)?;
    let mut found = pods_behind(call, kind, &owner)?;
    if found.is_empty() {
        return Err(Problem::error(format!("no pods found for {word}")));
    }
    if found.len() > 1 {
        call.stderr.push(format!(
            "Found {} pods, using pod/{}\n",
            found.len(),
            name_of(&found[0])
        ));
    }
    Ok(found.remove(0))
}

/// All pods of what a command names.
pub(super) fn pods_of(call: &mut Call<'_>, word: &str) -> Result<Vec<Value>, Problem> {
    match word.split_once('/') {
        Some((kind, name)) if call.kind_of(kind)?.kind != "Pod" => {
            let kind = call.kind_of(kind)?;
            let owner = call.object(kind, name)?;
            pods_behind(call, kind, &owner)
        }
        _ => Ok(vec![pod(call, word)?]),
    }
}

/// The pods that a workload or a Service selects.
fn pods_behind(call: &Call<'_>, kind: &Kind, owner: &Value) -> Result<Vec<Value>, Problem> {
    let pods = kind_of("pods")?;
    if kind.custom {
        return Err(Problem::unregistered(kind));
    }
    // Source: `k8s.io/kubectl/pkg/polymorphichelpers/helpers.go` (`SelectorsForObject`).
    let labels = match kind.kind {
        "Service" | "ReplicationController" => owner.path(&["spec", "selector"]),
        "DaemonSet" | "Deployment" | "Job" | "ReplicaSet" | "StatefulSet" => {
            owner.path(&["spec", "selector", "matchLabels"])
        }
        other => {
            let of = kind.api_version.rsplit('/').next().unwrap_or("");
            let doing = match call.verb {
                "logs" => "get the logs from",
                _ => "attach to",
            };
            return Err(Problem::error(format!(
                "cannot {doing} *{of}.{other}: selector for *{of}.{other} not implemented"
            )));
        }
    };
    let wanted: Vec<(Arc<str>, Arc<str>)> = labels
        .and_then(Value::as_map)
        .unwrap_or_default()
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").into()))
        .collect();
    let selector = crate::base::labels::Selector::from_match_labels(&wanted);
    let mut found: Vec<Value> = call
        .listing(pods, Some(&call.namespace))?
        .into_iter()
        .filter(|pod| super::selectors::selected(&selector, pod))
        .collect();
    // Ready pods first, as the client sorts them, then the oldest.
    found.arrange_by_key(|pod| {
        (
            !super::pod_status::condition(pod, "Ready", "True"),
            pod.str_at(&["metadata", "creationTimestamp"])
                .map(str::to_owned),
        )
    });
    Ok(found)
}

pub(super) fn may_enter(
    call: &Call<'_>,
    verb: &str,
    part: &str,
    pod: &Value,
) -> Result<(), Problem> {
    let namespace = pod.str_at(&["metadata", "namespace"]).unwrap_or("");
    call.may_part(verb, kind_of("pods")?, part, namespace, name_of(pod))
}

/// The phase of a pod that has ended.
pub(super) fn end_of(pod: &Value) -> Option<&str> {
    let phase = pod.str_at(&["status", "phase"])?;
    matches!(phase, "Succeeded" | "Failed").then_some(phase)
}

/// The annotation that names the container to choose.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The container that is meant; the annotated or the first one if none is named.
pub(super) fn container_of(call: &mut Call<'_>, pod: &Value) -> Result<String, Problem> {
    let names = edit::container_names(pod);
    let inits: Vec<String> = ["initContainers", "ephemeralContainers"]
        .iter()
        .flat_map(|list| items(pod, &["spec", list]))
        .filter_map(|one| one.str_at(&["name"]).map(str::to_owned))
        .collect();
    let mut all = names.clone();
    for (list, what) in [("ephemeralContainers", "ephem"), ("initContainers", "init")] {
        all.extend(
            items(pod, &["spec", list])
                .iter()
                .map(|one| format!("{} ({what})", one.str_at(&["name"]).unwrap_or(""))),
        );
    }
    let default = pod.path(&["metadata", "annotations", DEFAULT_CONTAINER]);
    let mut default = default
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty());
    let is_known = |name: &str| names.iter().chain(&inits).any(|known| known == name);
    if let Some(name) = default.filter(|name| call.verb == "logs" && !is_known(name)) {
        let line = format!(
            "Default container name \"{name}\" not found in pod {}\n",
            name_of(pod)
        );
        call.stderr.push(&line);
        default = None;
    }
    // Source: `k8s.io/kubectl/pkg/cmd/util/podcmd/podcmd.go`.
    let second = call.arguments.words.get(1).filter(|_| call.verb == "logs");
    let named = second.map(String::as_str);
    match named.or(call.arguments.flag("container")).or(default) {
        Some(name) if is_known(name) => Ok(name.to_owned()),
        Some(name) => Err(Problem::error(format!(
            "container {name} is not valid for pod {} out of: {}",
            name_of(pod),
            all.join(", ")
        ))),
        None => {
            let first = names.first().cloned().unwrap_or_default();
            if all.len() > 1 {
                call.stderr.push(format!(
                    "Defaulted container \"{first}\" out of: {}\n",
                    all.join(", ")
                ));
            }
            Ok(first)
        }
    }
}

/// The row of a pod's container on its machine.
pub(super) fn machine_container(
    call: &Call<'_>,
    pod: &Value,
    container: &str,
    previous: bool,
) -> Result<Option<ContainerId>, Problem> {
    let world = call.session.world(Orchestrator::Kubernetes)?;
    let Some(kube) = world.kube() else {
        return Ok(None);
    };
    let namespace = pod.str_at(&["metadata", "namespace"]).unwrap_or("");
    let found = kube
        .store()
        .pod_named(namespace, name_of(pod), &world.symbols);
    let Some((id, row)) = found.and_then(|id| Some((id, kube.store().pod(id)?))) else {
        return Ok(None);
    };
    let spec = &kube.store().template(row.template).spec;
    let index = spec
        .init_containers
        .iter()
        .chain(&spec.containers)
        .chain(&spec.ephemeral_containers)
        .position(|one| &*one.name == container);
    let status = index.and_then(|index| kube.store().pod_details(id).containers.get(index));
    Ok(status.and_then(|status| {
        let last = || status.last.as_ref().and_then(|last| last.container);
        match &status.state {
            _ if previous => last(),
            ContainerState::Running { .. } => status.container,
            ContainerState::Terminated(end) => end.container.or_else(last),
            ContainerState::Waiting { .. } => last(),
        }
    }))
}

/// `exec`.
///
/// # Errors
/// Pods that do not run; the command's own exit code.
pub fn exec(call: &mut Call<'_>) -> Result<(), Problem> {
    let mut words = call.arguments.words.clone();
    if words.is_empty() && call.arguments.has_files() {
        let (found, problems) = super::edit::written(call)?;
        Problem::all(problems)?;
        if found.len() > 1 {
            return Err(Problem::error(
                "cannot exec into multiple objects at a time",
            ));
        }
        let named = found
            .iter()
            .map(|(kind, object)| format!("{}/{}", kind.plural, name_of(object)));
        words.extend(named);
    }
    let Some((word, rest)) = words.split_first() else {
        return Err(Problem::error(
            "pod, type/name or --filename must be specified",
        ));
    };
    let command: Vec<String> = match &call.arguments.tail {
        Some(tail) => tail.clone(),
        None if rest.is_empty() => Vec::new(),
        None => {
            return Err(Problem::error(
                "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead\nSee 'kubectl exec -h' for help and examples",
            ));
        }
    };
    if command.is_empty() {
        return Err(Problem::error(
            "you must specify at least one command for the container",
        ));
    }
    // `logs` says which of several pods it took, `exec` does not.
    let said = call.stderr.len();
    let pod = pod(call, word)?;
    call.stderr.cut(said);
    if let Some(phase) = end_of(&pod) {
        return Err(Problem::error(format!(
            "cannot exec into a container in a completed pod; current phase is {phase}"
        )));
    }
    let base = command[0].rsplit('/').next().unwrap_or_default();
    if command.len() == 1 && matches!(base, "sh" | "bash" | "ash") && call.input.is_empty() {
        let what = format!("kubectl exec -- {}", command[0]);
        return Err(Problem::error(not_modelled_since(
            what,
            catalogue::NO_ATTACH.plain(),
        )));
    }
    let container = container_of(call, &pod)?;
    may_enter(call, "create", "exec", &pod)?;
    if pod.str_at(&["spec", "nodeName"]).is_none_or(str::is_empty) {
        return Err(Problem::said(
            format!(
                "Error from server (BadRequest): pod {} does not have a host assigned",
                name_of(&pod)
            ),
            "BadRequest",
        ));
    }
    let id = machine_container(call, &pod, &container, false)?;
    carry_out(call, id, &container, &command)
}

/// Runs a command in a container.
fn carry_out(
    call: &mut Call<'_>,
    id: Option<ContainerId>,
    container: &str,
    command: &[String],
) -> Result<(), Problem> {
    let now = call.now();
    let arguments: Vec<Arc<str>> = command.iter().map(|word| word.as_str().into()).collect();
    let code = match id {
        Some(id) => call
            .session
            .world(Orchestrator::Kubernetes)?
            .substrate
            .exec(id, &arguments, now),
        None => None,
    };
    let Some(code) = code else {
        return Err(Problem::error(format!(
            "Internal error occurred: unable to upgrade connection: container not found (\"{container}\")"
        )));
    };
    if code != 127
        && let Some(id) = id
        && let Some(outcome) = host::inside(
            call.session.world(Orchestrator::Kubernetes)?,
            id,
            now,
            command,
            "",
        )
    {
        let node = host::machine_of(call.session.world(Orchestrator::Kubernetes)?, id);
        let output = host::carry(call.session, Orchestrator::Kubernetes, &node, outcome);
        call.stdout.push_str(&output.stdout);
        call.stderr.push(&output.stderr);
        if output.code == 0 {
            return Ok(());
        }
        let text = format!("command terminated with exit code {}", output.code);
        return Err(Problem::said(text, "").ending(output.code));
    }
    if code == 0 {
        let said = catalogue::PRINT_UNKNOWN.plain();
        let said = after(format!("{}: ", command[0]), said);
        call.stderr.push(said.then("\n"));
        return Ok(());
    }
    let text = match code {
        127 => format!(
            "error: Internal error occurred: error executing command in container: exec: \"{}\": executable file not found in $PATH",
            command[0]
        ),
        code => format!("command terminated with exit code {code}"),
    };
    Err(Problem::said(text, "").ending(if code == 127 { 1 } else { code }))
}
