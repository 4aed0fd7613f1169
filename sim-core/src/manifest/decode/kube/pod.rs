//! Pods and pod templates.

use std::sync::Arc;

use crate::api::kube::pod::{PodSpec, PodTemplate, RestartPolicy};
use crate::base::sorted::SortedSet;
use crate::manifest::decode::amount;
use crate::manifest::decode::kube::{affinity, container, fault, meta, name, rules, volume};
use crate::manifest::decode::scribe::{Field, Scribe};

/// `template` of a controller.
pub fn template(field: &Field<'_>, scribe: &Scribe) -> PodTemplate {
    let metadata = field.get(scribe, "metadata");
    let template = PodTemplate {
        labels: meta::labels(&metadata, scribe),
        annotations: meta::annotations(&metadata, scribe),
        spec: spec(&field.get(scribe, "spec"), scribe),
    };
    if let Some(node) = metadata.node {
        scribe.mark_below(node);
    }
    template
}

/// `spec` of a pod.
pub fn spec(field: &Field<'_>, scribe: &Scribe) -> PodSpec {
    let volume_names = volume::names(&field.peek("volumes"), scribe);
    let host_network = field.get(scribe, "hostNetwork").truth(scribe);
    let pod = container::Pod {
        volumes: &volume_names,
        host_network,
        init: false,
    };
    let mut names = SortedSet::new();
    let containers_field = field.get(scribe, "containers");
    let containers = container::containers(&containers_field, scribe, pod, &mut names);
    if containers.is_empty()
        && containers_field
            .node
            .is_none_or(|node| node.as_seq().is_some())
    {
        fault::required(scribe, &containers_field, "");
    }
    let init = container::Pod { init: true, ..pod };
    let init_containers = container::containers(
        &field.get(scribe, "initContainers"),
        scribe,
        init,
        &mut names,
    );
    let ephemeral_containers = container::containers(
        &field.get(scribe, "ephemeralContainers"),
        scribe,
        pod,
        &mut names,
    );
    let policies = [
        ("Always", RestartPolicy::Always),
        ("OnFailure", RestartPolicy::OnFailure),
        ("Never", RestartPolicy::Never),
    ];
    // Read from the document by who makes the sandbox, and by admission.
    for key in [
        "runtimeClassName",
        "hostPID",
        "hostIPC",
        "shareProcessNamespace",
    ] {
        let _ = field.get(scribe, key);
    }
    rules::pods::spec(field, scribe);
    let non_empty = |text: &Arc<str>| !text.is_empty();
    let pod_needs = amount::needs(&field.get(scribe, "resources"), scribe);
    PodSpec {
        containers,
        init_containers,
        ephemeral_containers,
        restart_policy: fault::word(
            scribe,
            &field.get(scribe, "restartPolicy"),
            &policies,
            RestartPolicy::Always,
        ),
        // A negative one counts as one second when the pod is deleted.
        termination_grace_period_seconds: field
            .get(scribe, "terminationGracePeriodSeconds")
            .integer(scribe)
            .map_or(30, |seconds| u32::try_from(seconds).unwrap_or(1)),
        active_deadline_seconds: field
            .get(scribe, "activeDeadlineSeconds")
            .integer(scribe)
            .and_then(|seconds| u64::try_from(seconds).ok()),
        node_name: field.get(scribe, "nodeName").text(scribe).filter(non_empty),
        node_selector: meta::label_map(&field.get(scribe, "nodeSelector"), scribe),
        affinity: affinity::affinity(&field.get(scribe, "affinity"), scribe),
        tolerations: affinity::tolerations(&field.get(scribe, "tolerations"), scribe),
        priority_class_name: field
            .get(scribe, "priorityClassName")
            .text(scribe)
            .filter(non_empty),
        scheduler_name: field
            .get(scribe, "schedulerName")
            .text(scribe)
            .filter(non_empty)
            .unwrap_or_else(|| "default-scheduler".into()),
        priority: field
            .get(scribe, "priority")
            .integer(scribe)
            .and_then(|number| i32::try_from(number).ok()),
        preempts: fault::word(
            scribe,
            &field.get(scribe, "preemptionPolicy"),
            &[("PreemptLowerPriority", Some(true)), ("Never", Some(false))],
            None,
        ),
        topology_spread: affinity::spreads(&field.get(scribe, "topologySpreadConstraints"), scribe),
        scheduling_gates: gates(&field.get(scribe, "schedulingGates"), scribe),
        readiness_gates: conditions(&field.get(scribe, "readinessGates"), scribe),
        volumes: volume::volumes(&field.get(scribe, "volumes"), scribe),
        overhead: amount::amounts(&field.get(scribe, "overhead"), scribe),
        pod_requests: pod_needs.requests,
        pod_limits: pod_needs.limits,
    }
}

/// Types of conditions. Source: `pkg/apis/core/validation/validation.go` (`validateReadinessGates`).
fn conditions(field: &Field<'_>, scribe: &Scribe) -> Vec<Arc<str>> {
    let one = |item: Field<'_>| {
        let kind_field = item.get(scribe, "conditionType");
        let kind = kind_field.text_or_empty(scribe);
        for detail in name::qualified(&kind) {
            fault::invalid(scribe, &kind_field, format!("{kind:?}"), &detail);
        }
        kind
    };
    field.items(scribe).into_iter().map(one).collect()
}

fn gates(field: &Field<'_>, scribe: &Scribe) -> Vec<Arc<str>> {
    let mut gates: Vec<Arc<str>> = Vec::new();
    for item in field.items(scribe) {
        let name_field = item.get(scribe, "name");
        let name = name_field.text_or_empty(scribe);
        if gates.contains(&name) {
            fault::duplicate(scribe, &name_field, format!("{name:?}"));
        } else {
            gates.push(name);
        }
    }
    gates
}
