//! A pod as an object.

use std::sync::Arc;

use crate::api::kube::container::Container;
use crate::base::rng::Seed;
use crate::base::sorted::SortedMap;
use crate::kube::kubelet::resize;
use crate::kube::kubelet::statics::is_mirror;
use crate::kube::rows::node::NodeRow;
use crate::kube::rows::pod::{
    ContainerState, ContainerStatus, PodDetails, PodFlags, PodRow, Termination,
};
use crate::kube::rows::workload::Part;
use crate::kube::rows::{PodId, read};
use crate::kube::selector::label;
use crate::kube::template::{PodTemplate, TemplateId};
use crate::manifest::value::Value;
use crate::substrate::image::ImageRef;

use conditions::{conditions, is_rejected};

use super::{View, address, object, text_map, text_or_null, time, time_s, uid, uid_text};

mod conditions;
mod sizes;

/// The pod, complete.
pub fn render(view: &View<'_>, id: PodId) -> Value {
    let Some(row) = view.store.pod(id) else {
        return Value::Null;
    };
    let template = view.store.template(row.template);
    let details = view.store.pod_details(id);
    let spec = spec(view, row, template);
    let status = status(view, (id, row), template, details, &spec);
    object([
        ("apiVersion", "v1".into()),
        ("kind", "Pod".into()),
        ("metadata", metadata(view, id, row, template, details)),
        ("spec", spec),
        ("status", status),
    ])
}

/// Labels of its node that a bound pod gets.
/// Source: `pkg/kubeapiserver/options/plugins.go` (`podtopologylabels.NewPodTopologyPlugin`),
/// `plugin/pkg/admission/podtopologylabels/admission.go`.
pub const OF_NODE: [&str; 2] = [
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// A pod's labels: its own, and its node's place where it does not name another.
pub fn labels(template: &PodTemplate, node: Option<&NodeRow>) -> Value {
    let mut labels: SortedMap<Arc<str>, Arc<str>> = template.labels.iter().cloned().collect();
    for key in OF_NODE {
        if let Some(place) = node.and_then(|row| label(&row.labels, key)) {
            labels.entry(key.into()).or_insert_with(|| place.clone());
        }
    }
    let labels: Vec<(Arc<str>, Arc<str>)> = labels.into_iter().collect();
    text_map(&labels)
}

fn metadata(
    view: &View<'_>,
    id: PodId,
    row: &PodRow,
    template: &PodTemplate,
    details: &PodDetails,
) -> Value {
    let namespace = view.symbols.text(template.namespace);
    let name = row.name.text(view.symbols);
    let owner = row.owner.and_then(|owner| view.store.replica_set(owner));
    // A generated name's base is all but the five letters; an ordinal's is the set's name.
    let generate = owner.map_or(Value::Null, |_| {
        format!("{}-", view.symbols.text(row.name.prefix)).into()
    });
    let others = details.owners();
    let owners = match owner {
        Some(set) => {
            let reference = owner_reference(
                view,
                set.kind.api_version(),
                set.kind.text(),
                set.kind.plural(),
                namespace,
                view.symbols.text(set.name),
                set.created.as_micros(),
            );
            super::workload::owners(others, reference)
        }
        None if others.is_empty() && is_mirror(template) => node_owner(view, row),
        None if others.is_empty() => Value::Null,
        None => Value::list(others.to_vec()),
    };
    let tracked = owner.is_some_and(|set| match &set.part {
        Part::Job(part) => part.finished.is_none() && !part.counted.contains(&id),
        Part::None | Part::StatefulSet(_) | Part::DaemonSet(_) => false,
    });
    let mut finalizers: Vec<Value> = details
        .finalizers()
        .iter()
        .map(|name| Value::String(name.clone()))
        .collect();
    if tracked {
        finalizers.push("batch.kubernetes.io/job-tracking".into());
    }
    let finalizers = if finalizers.is_empty() {
        Value::Null
    } else {
        Value::list(finalizers)
    };
    let (deletion, grace) = match details.terminating_since.filter(|_| row.is_terminating()) {
        Some(since) => (
            time(since + details.deletion_grace),
            Value::Int(details.deletion_grace.as_secs().cast_signed()),
        ),
        None => (Value::Null, Value::Null),
    };
    object([
        ("annotations", text_map(&template.annotations)),
        ("creationTimestamp", time_s(row.created_s)),
        ("deletionGracePeriodSeconds", grace),
        ("deletionTimestamp", deletion),
        ("finalizers", finalizers),
        ("generateName", generate),
        (
            "generation",
            Value::Int(i64::from(view.store.generation(id))),
        ),
        (
            "labels",
            labels(template, row.node.and_then(|node| view.store.node(node))),
        ),
        ("name", name.as_str().into()),
        ("namespace", namespace.into()),
        ("ownerReferences", owners),
        ("resourceVersion", row.revision.to_string().into()),
        (
            "uid",
            details.aside.uid.as_ref().map_or_else(
                || {
                    let own = uid(
                        view.seed,
                        "pods",
                        namespace,
                        &name,
                        u64::from(row.created_s),
                    );
                    uid_text(own).into()
                },
                |uid| Value::String(uid.clone()),
            ),
        ),
    ])
}

/// A mirror belongs to its node. Source: `pkg/kubelet/pod/mirror_client.go`.
fn node_owner(view: &View<'_>, row: &PodRow) -> Value {
    let Some(node) = row.node.and_then(|id| view.store.node(id)) else {
        return Value::Null;
    };
    let name = view.symbols.text(node.name);
    Value::list(vec![object([
        ("apiVersion", "v1".into()),
        ("controller", true.into()),
        ("kind", "Node".into()),
        ("name", name.into()),
        ("uid", super::node::own_uid(view, node).into()),
    ])])
}

/// A controller's reference.
pub fn owner_reference(
    view: &View<'_>,
    api_version: &str,
    kind: &str,
    plural: &str,
    namespace: &str,
    name: &str,
    created: u64,
) -> Value {
    object([
        ("apiVersion", api_version.into()),
        ("blockOwnerDeletion", true.into()),
        ("controller", true.into()),
        ("kind", kind.into()),
        ("name", name.into()),
        (
            "uid",
            uid_text(uid(view.seed, plural, namespace, name, created)).into(),
        ),
    ])
}

fn spec(view: &View<'_>, row: &PodRow, template: &PodTemplate) -> Value {
    let mut spec = template.document.get("spec").cloned().unwrap_or_default();
    if let Some((node, _)) = row.node.and_then(|node| view.store.node_place(node)) {
        spec.set("nodeName", view.symbols.text(node).into());
    }
    let tolerations = template.tolerations.iter().map(|toleration| {
        use crate::api::kube::affinity::TolerationOperator;
        let operator = match toleration.operator {
            TolerationOperator::Equal => Value::from("Equal"),
            TolerationOperator::Exists => Value::from("Exists"),
        };
        object([
            (
                "effect",
                toleration.effect.map_or(Value::Null, |effect| {
                    crate::kube::rows::node::effect_text(effect).into()
                }),
            ),
            ("key", text_or_null(&toleration.key)),
            ("operator", operator),
            (
                "tolerationSeconds",
                toleration.seconds.map_or(Value::Null, Value::Int),
            ),
            ("value", text_or_null(&toleration.value)),
        ])
    });
    spec.set("tolerations", Value::list(tolerations.collect()));
    let policy = crate::kube::apiserver::priority::policy(template.preempts);
    for (key, value) in [
        ("enableServiceLinks", Value::Bool(true)),
        ("preemptionPolicy", policy.into()),
        ("priority", Value::Int(template.priority.into())),
        ("serviceAccount", "default".into()),
        ("serviceAccountName", "default".into()),
    ] {
        if spec.get(key).is_none() {
            spec.set(key, value);
        }
    }
    if row.has_token() {
        let namespace = view.symbols.text(template.namespace);
        let name = row.name.text(view.symbols);
        let created = u64::from(row.created_s);
        super::token::add(&mut spec, uid(view.seed, "pods", namespace, &name, created));
    }
    spec
}

fn status(
    view: &View<'_>,
    (id, row): (PodId, &PodRow),
    template: &PodTemplate,
    details: &PodDetails,
    spec: &Value,
) -> Value {
    let place = row.node.and_then(|node| view.store.node_place(node));
    let is_rejected = is_rejected(row, details);
    let host = place
        .and_then(|(_, machine)| view.machines.machine_address(machine))
        .filter(|_| row.flags.has(PodFlags::ACKNOWLEDGED) && !is_rejected);
    let ip = if details.ip == 0 {
        Value::Null
    } else {
        address(details.ip).into()
    };
    let ips = |ip: &Value| {
        if ip.is_null() {
            Value::Null
        } else {
            Value::list(vec![object([("ip", ip.clone())])])
        }
    };
    let host = host.map_or(Value::Null, Value::from);
    let inits = template
        .spec
        .init_containers
        .len()
        .min(details.containers.len());
    let (init, rest) = details.containers.split_at(inits);
    let (main, ephemeral) = rest.split_at(template.spec.containers.len().min(rest.len()));
    let sizes = |template: TemplateId| resize::sizes(view.store.template(template));
    let (allocated, actual) = details.aside.sizes.as_ref().map_or_else(
        || (sizes(row.template), sizes(row.template)),
        |known| (sizes(known.allocated), sizes(known.actual)),
    );
    let with_sizes = |list: Value, from: usize, which: &str| {
        let mounted = with_mounts(list, read::list(spec, &[which]));
        with_sizes(mounted, from, &allocated, &actual)
    };
    let (granted, whole) = if row.flags.has(PodFlags::ACKNOWLEDGED) && !is_rejected {
        let known = details.aside.sizes.as_ref();
        let (allocated, actual) = known.map_or((row.template, row.template), |known| {
            (known.allocated, known.actual)
        });
        let template = |id| view.store.template(id);
        sizes::of_pod(view, (row, details), template(allocated), template(actual))
    } else {
        (Value::Null, Value::Null)
    };
    let generation = i64::from(view.store.generation(id));
    let names = |containers: &[crate::api::kube::container::Container]| {
        containers
            .iter()
            .map(|container| (container.name.clone(), container.image.clone()))
            .collect::<Vec<_>>()
    };
    object([
        ("allocatedResources", granted),
        ("conditions", conditions(row, template, details, generation)),
        (
            "containerStatuses",
            with_sizes(
                container_statuses(view, main, &names(&template.spec.containers)),
                template.spec.init_containers.len(),
                "containers",
            ),
        ),
        (
            "ephemeralContainerStatuses",
            unprobed(container_statuses(
                view,
                ephemeral,
                &names(&template.spec.ephemeral_containers),
            )),
        ),
        ("hostIP", host.clone()),
        ("hostIPs", ips(&host)),
        (
            "initContainerStatuses",
            with_sizes(
                through(
                    container_statuses(view, init, &names(&template.spec.init_containers)),
                    &template.spec.init_containers,
                ),
                0,
                "initContainers",
            ),
        ),
        (
            "message",
            details
                .aside
                .message
                .as_ref()
                .map_or(Value::Null, |text| Value::String(text.clone())),
        ),
        (
            "nominatedNodeName",
            details
                .aside
                .nominated
                .filter(|_| row.node.is_none())
                .and_then(|node| view.store.node(node))
                .map_or(Value::Null, |node| view.symbols.text(node.name).into()),
        ),
        (
            "observedGeneration",
            if row.flags.has(PodFlags::ACKNOWLEDGED) {
                Value::Int(generation)
            } else {
                Value::Null
            },
        ),
        ("phase", row.phase.text().into()),
        ("podIP", ip.clone()),
        ("podIPs", ips(&ip)),
        ("qosClass", template.qos.text().into()),
        (
            "reason",
            details.aside.reason.map_or(Value::Null, Value::from),
        ),
        ("resources", whole),
        ("startTime", details.started.map_or(Value::Null, time)),
    ])
}

/// Adds where volumes are mounted. Source: `pkg/kubelet/kubelet_pods.go`
/// (`convertToAPIContainerStatuses`).
fn with_mounts(list: Value, containers: &[Value]) -> Value {
    let Some(items) = list.as_list() else {
        return list;
    };
    let mut items = items.to_vec();
    for (item, container) in items.iter_mut().zip(containers) {
        let mounts = read::list(container, &["volumeMounts"])
            .iter()
            .map(|mount| {
                let field = |key: &str| mount.get(key).cloned().unwrap_or_default();
                let read_only = read::truth(mount, &["readOnly"]);
                object([
                    ("mountPath", field("mountPath")),
                    ("name", field("name")),
                    (
                        "readOnly",
                        if read_only { true.into() } else { Value::Null },
                    ),
                    (
                        "recursiveReadOnly",
                        if read_only {
                            "Disabled".into()
                        } else {
                            Value::Null
                        },
                    ),
                ])
            });
        let mounts: Vec<Value> = mounts.collect();
        if !mounts.is_empty() {
            item.set("volumeMounts", Value::list(mounts));
        }
    }
    Value::list(items)
}

/// Adds the sizes that were granted and that the control groups have.
/// Source: `pkg/kubelet/kubelet_pods.go` (`convertToAPIContainerStatuses`).
fn with_sizes(list: Value, from: usize, allocated: &[Value], actual: &[Value]) -> Value {
    let Some(items) = list.as_list() else {
        return list;
    };
    let mut items = items.to_vec();
    for (index, item) in items.iter_mut().enumerate() {
        if item.get("containerID").is_none() {
            continue;
        }
        let granted = allocated.get(from + index);
        if let Some(requests) = granted.and_then(|sizes| sizes.get("requests")) {
            item.set("allocatedResources", requests.clone());
        }
        let runs = item.path(&["state", "running"]).is_some();
        let sizes = if runs {
            actual.get(from + index)
        } else {
            granted
        };
        item.set("resources", sizes.cloned().unwrap_or_else(Value::map));
    }
    Value::list(items)
}

/// Statuses of init containers: one that has ended well is ready, one that runs is not; sidecars are
/// as their probes say.
/// Source: `pkg/kubelet/prober/prober_manager.go` (`UpdatePodStatus`).
fn through(list: Value, specs: &[Container]) -> Value {
    let Some(items) = list.as_list() else {
        return list;
    };
    let mut items = items.to_vec();
    for (item, _) in items.iter_mut().zip(specs).filter(|(_, it)| !it.sidecar) {
        let code = item.i64_at(&["state", "terminated", "exitCode"]);
        item.set("ready", (code == Some(0)).into());
    }
    Value::list(items)
}

/// Statuses of containers that the kubelet's prober does not look at. Source: as above.
fn unprobed(list: Value) -> Value {
    let Some(items) = list.as_list() else {
        return list;
    };
    let mut items = items.to_vec();
    for item in &mut items {
        item.set("ready", false.into());
        item.remove("started");
        if item.get("containerID").is_some() {
            item.set("resources", Value::map());
        }
    }
    Value::list(items)
}

fn container_statuses(
    view: &View<'_>,
    statuses: &[ContainerStatus],
    names: &[(std::sync::Arc<str>, std::sync::Arc<str>)],
) -> Value {
    if statuses.is_empty() {
        return Value::Null;
    }
    let list = statuses.iter().zip(names).map(|(status, (name, image))| {
        let id = status.container.map_or(Value::from(""), |container| {
            container_id(view, container.bits()).into()
        });
        // A container that was made tells its image as containerd names it.
        let known = ImageRef::parse(image).filter(|_| status.container.is_some());
        let (image, image_id) = match known {
            Some(known) => (known.canonical().into(), known.digested().into()),
            None => (Value::String(image.clone()), Value::from("")),
        };
        object([
            (
                "containerID",
                if status.container.is_some() {
                    id
                } else {
                    Value::Null
                },
            ),
            ("image", image),
            ("imageID", image_id),
            (
                "lastState",
                status.last.as_ref().map_or_else(Value::map, |last| {
                    object([("terminated", terminated(view, last))])
                }),
            ),
            ("name", Value::String(name.clone())),
            ("ready", status.ready.into()),
            ("restartCount", status.restarts.into()),
            ("started", status.started.into()),
            ("state", state(view, &status.state)),
        ])
    });
    Value::list(list.collect())
}

fn state(view: &View<'_>, state: &ContainerState) -> Value {
    match state {
        ContainerState::Waiting { reason, message } => {
            let message = message
                .as_ref()
                .map_or(Value::Null, |text| Value::String(text.clone()));
            object([(
                "waiting",
                object([("message", message), ("reason", text_or_null(reason))]),
            )])
        }
        ContainerState::Running { started } => {
            object([("running", object([("startedAt", time(*started))]))])
        }
        ContainerState::Terminated(end) => object([("terminated", terminated(view, end))]),
    }
}

fn terminated(view: &View<'_>, end: &Termination) -> Value {
    let mut ended = object([
        (
            "containerID",
            end.container.map_or(Value::Null, |container| {
                container_id(view, container.bits()).into()
            }),
        ),
        ("exitCode", end.exit_code.into()),
        (
            "message",
            end.message
                .as_ref()
                .map_or(Value::Null, |text| Value::String(text.clone())),
        ),
        ("reason", end.reason.into()),
    ]);
    // Times are never left out, also where nobody knows them.
    for (key, at) in [("finishedAt", end.finished), ("startedAt", end.started)] {
        ended.set(key, at.map_or(Value::Null, time));
    }
    ended
}

/// The runtime's id of a container with its scheme.
fn container_id(view: &View<'_>, bits: u64) -> String {
    format!("containerd://{}", container_hex(view.seed, bits))
}

/// The runtime's id of a container, 64 hexadecimal digits.
pub fn container_hex(seed: Seed, bits: u64) -> String {
    let first = uid(seed, "containers", "", "", bits);
    let second = uid(seed, "containers", "", "more", bits);
    format!("{first:032x}{second:032x}")
}
