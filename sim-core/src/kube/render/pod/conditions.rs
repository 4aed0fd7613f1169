//! Conditions of a pod, as its kubelet, the scheduler and the disruptions' controllers have them.

use std::sync::Arc;

use crate::api::kube::container::Container;
use crate::kube::render::{object, time, time_s};
use crate::kube::rows::pod::{
    ContainerState, ContainerStatus, Phase, PodCondition, PodDetails, PodFlags, PodRow,
};
use crate::kube::rows::read;
use crate::kube::template::PodTemplate;
use crate::manifest::value::Value;

/// Whether a node has refused the pod: of that it says why, and nothing else.
/// Sources: `pkg/kubelet/kubelet.go` (`rejectPod`), `pkg/kubelet/status/status_manager.go`
/// (`mergePodStatus`, which keeps no condition that is the kubelet's own).
pub(super) fn is_rejected(row: &PodRow, details: &PodDetails) -> bool {
    let reason = details.aside.reason;
    row.phase == Phase::Failed && reason.is_some() && details.containers.is_empty()
}

fn condition(
    details: &PodDetails,
    kind: &str,
    on: bool,
    which: PodCondition,
    reason: Value,
    message: Value,
) -> Value {
    object([
        (
            "lastTransitionTime",
            time_s(details.transitions_s[which as usize]),
        ),
        ("message", message),
        ("reason", reason),
        ("status", if on { "True" } else { "False" }.into()),
        ("type", kind.into()),
    ])
}

/// What is said of sizes that are not the spec's.
/// Source: `pkg/kubelet/status/status_manager.go` (`SetPodResizePendingCondition`).
fn size_conditions(details: &PodDetails) -> Vec<Value> {
    let Some(sizes) = &details.aside.sizes else {
        return Vec::new();
    };
    let one = |kind: &str, (looked, since), reason: Value, message: Value| {
        object([
            ("lastProbeTime", time(looked)),
            ("lastTransitionTime", time(since)),
            ("message", message),
            ("reason", reason),
            ("status", "True".into()),
            ("type", kind.into()),
        ])
    };
    let pending = sizes.pending.as_ref().map(|pending| {
        let message = Value::String(pending.message.clone());
        let times = (pending.looked, pending.since);
        one("PodResizePending", times, "Deferred".into(), message)
    });
    let progress = sizes.progress.map(|since| {
        let error = sizes.error.clone();
        let reason = error.as_ref().map_or(Value::Null, |_| "Error".into());
        let message = error.map_or(Value::Null, Value::String);
        one("PodResizeInProgress", (since, since), reason, message)
    });
    pending.into_iter().chain(progress).collect()
}

/// Whether all containers restart, of a pod that may do so.
/// Source: `pkg/kubelet/status/generate.go` (`GenerateAllContainersRestartingCondition`).
fn restarting_all(row: &PodRow, details: &PodDetails) -> Option<Value> {
    let (on, since_s) = details.aside.restarting_all?;
    let (reason, message) = match (on, row.phase) {
        (true, _) => (
            "RestartAllContainersStarted".into(),
            "container exited with restart policy rule".into(),
        ),
        (false, Phase::Succeeded) => ("PodCompleted".into(), Value::Null),
        (false, Phase::Failed) => ("PodFailed".into(), Value::Null),
        (false, Phase::Pending | Phase::Running | Phase::Unknown) => (Value::Null, Value::Null),
    };
    // It says nothing of a generation.
    let mut condition = object([
        ("lastTransitionTime", time_s(since_s)),
        ("message", message),
        ("reason", reason),
        ("status", if on { "True" } else { "False" }.into()),
        ("type", "AllContainersRestarting".into()),
    ]);
    condition.set("lastProbeTime", Value::Null);
    Some(condition)
}

/// What is said of gates that are not open. Source: `pkg/kubelet/status/generate.go`
/// (`GeneratePodReadyCondition`).
fn closed_gates(gates: &[Arc<str>], details: &PodDetails) -> Option<String> {
    let closed = gates.iter().filter_map(|gate| {
        let status = details
            .condition(gate)
            .map(|it| read::text(it, &["status"]));
        match status {
            Some("True") => None,
            Some(status) => Some(format!(
                "the status of pod readiness gate {gate:?} is not \"True\", but {status}"
            )),
            None => Some(format!(
                "corresponding condition of pod readiness gate {gate:?} does not exist."
            )),
        }
    });
    let closed: Vec<String> = closed.collect();
    (!closed.is_empty()).then(|| closed.join(", "))
}

/// `status.conditions`.
pub(super) fn conditions(
    row: &PodRow,
    template: &PodTemplate,
    details: &PodDetails,
    generation: i64,
) -> Value {
    let mut list = Vec::new();
    let mut add = |kind: &str, on: bool, which: PodCondition, reason: Value, message: Value| {
        list.push(condition(details, kind, on, which, reason, message));
    };
    let spec = &template.spec;
    let inits = &spec.init_containers;
    // Those of which `lacks` says so, by name, the container and what is known of it being given.
    let named =
        |words: &str, lacks: &dyn Fn(usize, &Container, Option<&ContainerStatus>) -> bool| {
            let all = inits.iter().chain(&spec.containers).enumerate();
            let names: Vec<&str> = all
                .filter(|(index, it)| lacks(*index, it, details.containers.get(*index)))
                .map(|(_, container)| &*container.name)
                .collect();
            Value::from(format!(
                "containers with {words} status: [{}]",
                names.join(" ")
            ))
        };
    let unready = || {
        named("unready", &|index, it, status| {
            (index >= inits.len() || it.sidecar) && !status.is_some_and(|status| status.ready)
        })
    };
    let incomplete = || {
        named("incomplete", &|index, it, status| {
            let done = status.is_some_and(|status| {
                if it.sidecar {
                    status.started
                } else {
                    matches!(&status.state, ContainerState::Terminated(end) if end.exit_code == 0)
                }
            });
            index < inits.len() && !done
        })
    };
    if let Some((reason, message)) = &details.aside.disruption {
        let text = |text: &str| match text {
            "" => Value::Null,
            text => text.into(),
        };
        add(
            "DisruptionTarget",
            row.flags.has(PodFlags::DISRUPTION_TARGET),
            PodCondition::DisruptionTarget,
            text(reason),
            text(message),
        );
    }
    list.extend(size_conditions(details));
    let is_rejected = is_rejected(row, details);
    let mut add = |kind: &str, on: bool, which: PodCondition, reason: Value, message: Value| {
        list.push(condition(details, kind, on, which, reason, message));
    };
    if row.flags.has(PodFlags::ACKNOWLEDGED) && !is_rejected {
        let done = row.phase.is_terminal();
        let reason = |on: bool| match (on, done) {
            (true, _) => (Value::Null, Value::Null),
            (false, true) if row.phase == Phase::Succeeded => ("PodCompleted".into(), Value::Null),
            (false, true) => ("PodFailed".into(), Value::Null),
            (false, false) => ("ContainersNotReady".into(), unready()),
        };
        let flag = |flag| row.flags.has(flag);
        add(
            "PodReadyToStartContainers",
            flag(PodFlags::SANDBOX_READY),
            PodCondition::SandboxReady,
            Value::Null,
            Value::Null,
        );
        let initialized = flag(PodFlags::INITIALIZED);
        let (why, text) = match row.phase {
            Phase::Succeeded => ("PodCompleted".into(), Value::Null),
            _ if initialized => (Value::Null, Value::Null),
            _ => ("ContainersNotInitialized".into(), incomplete()),
        };
        add(
            "Initialized",
            initialized,
            PodCondition::Initialized,
            why,
            text,
        );
        let ready = flag(PodFlags::READY);
        let containers_ready = flag(PodFlags::CONTAINERS_READY);
        // A lost node's pods are not ready without their containers having said so.
        let (why, text) = if containers_ready && !ready {
            match closed_gates(&template.spec.readiness_gates, details) {
                Some(text) => ("ReadinessGatesNotReady".into(), text.into()),
                None => (Value::Null, Value::Null),
            }
        } else {
            reason(ready)
        };
        add("Ready", ready, PodCondition::Ready, why, text);
        let (why, text) = reason(containers_ready);
        add(
            "ContainersReady",
            containers_ready,
            PodCondition::ContainersReady,
            why,
            text,
        );
    }
    if row.node.is_none() && !template.spec.scheduling_gates.is_empty() {
        add(
            "PodScheduled",
            false,
            PodCondition::Scheduled,
            "SchedulingGated".into(),
            "Scheduling is blocked due to non-empty scheduling gates".into(),
        );
    } else if is_rejected {
    } else if row.node.is_some() {
        add(
            "PodScheduled",
            true,
            PodCondition::Scheduled,
            Value::Null,
            Value::Null,
        );
    } else if row.flags.has(PodFlags::UNSCHEDULABLE) {
        let message = details
            .aside
            .unschedulable
            .as_ref()
            .map_or(Value::Null, |text| Value::String(text.clone()));
        add(
            "PodScheduled",
            false,
            PodCondition::Scheduled,
            "Unschedulable".into(),
            message,
        );
    }
    for condition in &mut list {
        // It is never left out, and few of pods' conditions have one.
        if condition.get("lastProbeTime").is_none() {
            condition.set("lastProbeTime", Value::Null);
        }
        condition.set("observedGeneration", Value::Int(generation));
    }
    list.extend(restarting_all(row, details));
    list.extend(
        details
            .aside
            .conditions
            .iter()
            .flat_map(|own| own.iter().cloned()),
    );
    if list.is_empty() {
        Value::Null
    } else {
        Value::list(list)
    }
}
