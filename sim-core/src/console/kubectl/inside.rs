//! `kubectl logs` and `kubectl exec`: what the machines know of a pod's containers.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimTime;
use crate::console::{after, host, not_modelled};
use crate::engine::command::Orchestrator;
use crate::kube::kinds::Kind;
use crate::kube::rows::pod::ContainerState;
use crate::kube::rows::read;
use crate::manifest::value::Value;
use crate::substrate::order::ContainerId;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, apply, edit, kind_of, name_of};

/// Flags of `logs`.
pub const LOG_FLAGS: &[&str] = &[
    "container:c",
    "!previous:p",
    "!follow:f",
    "tail",
    "since",
    "!timestamps",
    "!all-containers",
    "selector:l",
    "!prefix",
    "limit-bytes",
    "!ignore-errors",
    "since-time",
    "max-log-requests",
    "!all-pods",
    "pod-running-timeout",
    "!insecure-skip-tls-verify-backend",
];

/// The pod that words like `web-1`, `pod/web-1` or `deploy/web` mean.
fn pod(call: &mut Call<'_>, word: &str) -> Result<Value, Problem> {
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
fn pods_of(call: &mut Call<'_>, word: &str) -> Result<Vec<Value>, Problem> {
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
        .filter(|pod| super::get::selected(&selector, pod))
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

fn may_enter(call: &Call<'_>, verb: &str, part: &str, pod: &Value) -> Result<(), Problem> {
    let namespace = pod.str_at(&["metadata", "namespace"]).unwrap_or("");
    call.may_part(verb, kind_of("pods")?, part, namespace, name_of(pod))
}

/// The annotation that names the container to choose.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The container that is meant; the annotated or the first one if none is named.
fn container_of(call: &mut Call<'_>, pod: &Value) -> Result<String, Problem> {
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

/// `logs`.
///
/// # Errors
/// Pods and containers that are not there, containers that never ran.
pub fn logs(call: &mut Call<'_>) -> Result<(), Problem> {
    if call.arguments.on("follow") {
        return Err(Problem::error(
            not_modelled("--follow").advise(catalogue::ASK_AGAIN.plain()),
        ));
    }
    const USAGE: &str = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\nSee 'kubectl logs -h' for help and examples";
    let mut pods = Vec::new();
    let count = call.arguments.words.len();
    if count == 2 && call.arguments.flag("container").is_some() {
        return Err(Problem::error(
            "only one of -c or an inline [CONTAINER] arg is allowed\nSee 'kubectl logs -h' for help and examples",
        ));
    }
    match (call.arguments.words.first().cloned(), call.selector()?) {
        _ if count > 2 => return Err(Problem::error(USAGE)),
        (Some(word), None) if call.arguments.on("all-pods") => pods = pods_of(call, &word)?,
        (Some(word), None) => {
            pods.push(pod(call, &word)?);
        }
        (Some(_), Some(_)) if count == 1 => {
            return Err(Problem::error(
                "only a selector (-l) or a POD name is allowed\nSee 'kubectl logs -h' for help and examples",
            ));
        }
        (None, Some(selector)) => pods.extend(
            call.listing(kind_of("pods")?, Some(&call.namespace))?
                .into_iter()
                .filter(|pod| super::get::selected(&selector, pod)),
        ),
        _ => return Err(Problem::error(USAGE)),
    }
    check_logs(call)?;
    if pods.is_empty() {
        let said = format!("No resources found in {} namespace.\n", call.namespace);
        call.stderr.push(said);
    }
    for pod in pods {
        let names = if call.arguments.on("all-containers") {
            edit::container_names(&pod)
        } else {
            vec![container_of(call, &pod)?]
        };
        for name in names {
            one_log(call, &pod, &name)?;
        }
    }
    Ok(())
}

/// Source: `k8s.io/kubectl/pkg/cmd/logs/logs.go` (`Validate`).
fn check_logs(call: &Call<'_>) -> Result<(), Problem> {
    let arguments = &call.arguments;
    let number = |name: &str| {
        arguments
            .flag(name)
            .and_then(|text| text.parse::<i64>().ok())
    };
    let container = arguments.flag("container").unwrap_or("");
    let container = arguments.words.get(1).map_or(container, String::as_str);
    let text = if arguments.flag("since-time").is_some() && arguments.flag("since").is_some() {
        "at most one of `sinceTime` or `sinceSeconds` may be specified".to_owned()
    } else if arguments.on("all-containers") && !container.is_empty() {
        format!("--all-containers=true should not be specified with container name {container}")
    } else if number("limit-bytes").is_some_and(|bytes| bytes < 0) {
        "--limit-bytes must be greater than 0".to_owned()
    } else if number("tail").is_some_and(|tail| tail < -1) {
        "--tail must be greater than or equal to -1".to_owned()
    } else {
        return Ok(());
    };
    Err(Problem::error(text))
}

/// The first moment of a log that is asked for.
fn log_since(call: &Call<'_>) -> Result<SimTime, Problem> {
    if let Some(text) = call.arguments.flag("since-time") {
        return read::time(text).ok_or_else(|| {
            Problem::error(format!(
                "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
            ))
        });
    }
    let Some(text) = call.arguments.flag("since") else {
        return Ok(SimTime::ZERO);
    };
    let span = apply::duration(text)?;
    let now = call.now().as_micros();
    Ok(SimTime::from_micros(now.saturating_sub(span.as_micros())))
}

fn one_log(call: &mut Call<'_>, pod: &Value, container: &str) -> Result<(), Problem> {
    may_enter(call, "get", "log", pod)?;
    let previous = call.arguments.on("previous");
    let bad = |text: Passage| {
        Problem::said(
            Passage::from("Error from server (BadRequest): ").then(text),
            "BadRequest",
        )
    };
    let Some(id) = machine_container(call, pod, container, previous)? else {
        let name = name_of(pod);
        if previous {
            let said = format!(
                "previous terminated container \"{container}\" in pod \"{name}\" not found"
            );
            return Err(bad(said.into()));
        }
        if pod.str_at(&["spec", "nodeName"]).is_none() {
            return Err(bad(
                format!("pod {name} does not have a host assigned").into()
            ));
        }
        let status = items(pod, &["status", "containerStatuses"])
            .iter()
            .chain(items(pod, &["status", "initContainerStatuses"]))
            .chain(items(pod, &["status", "ephemeralContainerStatuses"]))
            .find(|one| one.str_at(&["name"]) == Some(container));
        // Source: `pkg/kubelet/kubelet_pods.go` (`validateContainerLogStatus`).
        let state = |path: &[&str]| status.and_then(|status| status.path(path));
        if state(&["state", "terminated"]).is_some()
            || state(&["lastState", "terminated"]).is_some()
        {
            let said = format!("container \"{container}\" in pod \"{name}\" is terminated");
            return Err(bad(said.into()));
        }
        let waiting = state(&["state", "waiting", "reason"]).and_then(Value::as_str);
        let why = match waiting {
            Some("ErrImagePull") => "image can't be pulled",
            Some("ImagePullBackOff") => "trying and failing to pull image",
            Some(reason) => reason,
            None => "ContainerCreating",
        };
        let said =
            format!("container \"{container}\" in pod \"{name}\" is waiting to start: {why}");
        return Err(bad(said.into()));
    };
    let now = call.now();
    let since = log_since(call)?;
    let tail = match call.arguments.flag("tail") {
        Some(text) => text.parse::<i64>().map_err(|_| Problem::error(format!("invalid argument \"{text}\" for \"--tail\" flag: strconv.ParseInt: parsing \"{text}\": invalid syntax")))?,
        // Source: `k8s.io/kubectl/pkg/cmd/logs/logs.go` (`selectorTail`).
        None if call.arguments.flag("selector").is_some() => 10,
        None => -1,
    };
    let stamps = call.arguments.on("timestamps");
    let prefix = if call.arguments.on("prefix") || call.arguments.on("all-pods") {
        format!("[pod/{}/{container}] ", name_of(pod))
    } else {
        String::new()
    };
    let world = call.session.world(Orchestrator::Kubernetes)?;
    let lines: Vec<String> = match world.substrate.container(id) {
        Some(row) => row
            .log(now)
            .filter(|(at, _)| *at >= since)
            .map(|(at, line)| {
                if stamps {
                    // Nine digits, as the runtime's files have them (`RFC3339NanoFixed`).
                    let at = at.rfc3339_micros();
                    format!("{prefix}{}000Z {line}\n", at.trim_end_matches('Z'))
                } else {
                    format!("{prefix}{line}\n")
                }
            })
            .collect(),
        None => {
            return Err(bad(catalogue::LOG_GONE
                .with(&[("container", &container)])
                .into()));
        }
    };
    let skip = usize::try_from(tail).map_or(0, |tail| lines.len().saturating_sub(tail));
    call.stdout.extend(lines.into_iter().skip(skip));
    Ok(())
}

/// `exec`.
///
/// # Errors
/// Pods that do not run; the command's own exit code.
pub fn exec(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
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
    let phase = pod.str_at(&["status", "phase"]).unwrap_or("");
    if phase == "Succeeded" || phase == "Failed" {
        return Err(Problem::error(format!(
            "cannot exec into a container in a completed pod; current phase is {phase}"
        )));
    }
    let container = container_of(call, &pod)?;
    may_enter(call, "create", "exec", &pod)?;
    let id = machine_container(call, &pod, &container, false)?;
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
            &command,
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
