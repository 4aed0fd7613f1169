//! Containers of a pod.

use std::sync::Arc;

use crate::api::kube::container::{
    Container, ContainerPort, ImagePullPolicy, Protocol, RestartAction, RestartRule,
};
use crate::api::kube::pod::RestartPolicy;
use crate::base::sorted::SortedSet;
use crate::manifest::decode::kube::{fault, name, probe};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::decode::{amount, image};
use crate::manifest::explain;

/// Protocols by their names.
pub const PROTOCOLS: [(&str, Protocol); 3] = [
    ("SCTP", Protocol::Sctp),
    ("TCP", Protocol::Tcp),
    ("UDP", Protocol::Udp),
];

/// What a container needs to know of its pod.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'pod> {
    /// Names of the pod's volumes.
    pub volumes: &'pod SortedSet<Arc<str>>,
    /// Whether the pod uses the node's network.
    pub host_network: bool,
    /// Whether these are its init containers.
    pub init: bool,
}

/// A list of containers. `names` collects the names of all containers of the pod.
pub fn containers(
    field: &Field<'_>,
    scribe: &Scribe,
    pod: Pod<'_>,
    names: &mut SortedSet<Arc<str>>,
) -> Vec<Container> {
    let items = field.items(scribe);
    items
        .iter()
        .map(|item| container(item, scribe, pod, names))
        .collect()
}

fn container(
    item: &Field<'_>,
    scribe: &Scribe,
    pod: Pod<'_>,
    names: &mut SortedSet<Arc<str>>,
) -> Container {
    item.expect_map(scribe);
    let name = container_name(item, scribe, names);
    let image = image_reference(item, scribe);
    let lifecycle = item.get(scribe, "lifecycle");
    let policies = [
        ("Always", ImagePullPolicy::Always),
        ("IfNotPresent", ImagePullPolicy::IfNotPresent),
        ("Never", ImagePullPolicy::Never),
    ];
    let by_tag = if image::is_latest(&image) {
        ImagePullPolicy::Always
    } else {
        ImagePullPolicy::IfNotPresent
    };
    check_mounts(item, scribe, pod.volumes);
    let which = probe::Which::LivenessOrStartup;
    Container {
        name,
        command: item.get(scribe, "command").texts(scribe),
        args: item.get(scribe, "args").texts(scribe),
        env: environment(&item.get(scribe, "env"), scribe),
        ports: ports(&item.get(scribe, "ports"), scribe, pod.host_network),
        resources: amount::needs(&item.get(scribe, "resources"), scribe),
        liveness_probe: probe::probe(&item.get(scribe, "livenessProbe"), scribe, which),
        readiness_probe: probe::probe(
            &item.get(scribe, "readinessProbe"),
            scribe,
            probe::Which::Readiness,
        ),
        startup_probe: probe::probe(&item.get(scribe, "startupProbe"), scribe, which),
        image_pull_policy: fault::word(
            scribe,
            &item.get(scribe, "imagePullPolicy"),
            &policies,
            by_tag,
        ),
        post_start: probe::hook(&lifecycle, "postStart", scribe),
        pre_stop: probe::hook(&lifecycle, "preStop", scribe),
        sidecar: pod.init && item.peek("restartPolicy").text(scribe).as_deref() == Some("Always"),
        restart: restart(item, scribe, pod.init),
        restart_rules: restart_rules(item, scribe),
        target: item
            .peek("targetContainerName")
            .text(scribe)
            .filter(|name| !name.is_empty()),
        image,
    }
}

/// The container's own policy; a sidecar's is its kind.
fn restart(item: &Field<'_>, scribe: &Scribe, init: bool) -> Option<RestartPolicy> {
    let words = [
        ("Always", Some(RestartPolicy::Always)),
        ("Never", Some(RestartPolicy::Never)),
        ("OnFailure", Some(RestartPolicy::OnFailure)),
    ];
    let policy = fault::word(scribe, &item.get(scribe, "restartPolicy"), &words, None);
    policy.filter(|policy| !init || *policy != RestartPolicy::Always)
}

/// Source: `pkg/apis/core/validation/validation.go` (`validateContainerRestartPolicy`).
fn restart_rules(item: &Field<'_>, scribe: &Scribe) -> Vec<RestartRule> {
    let field = item.get(scribe, "restartPolicyRules");
    let rules = field.items(scribe);
    if !rules.is_empty() && item.peek("restartPolicy").text(scribe).is_none() {
        let detail = "must specify restartPolicy when restart rules are used";
        fault::required(scribe, &item.get(scribe, "restartPolicy"), detail);
    }
    let few = |field: &Field<'_>, count: usize, most: usize| {
        if count > most {
            let path = &field.path;
            let text = format!("{path}: Too many: {count}: must have at most {most} items");
            scribe.fault(explain::KUBERNETES_INVALID_VALUE, field, text);
        }
    };
    few(&field, rules.len(), 20);
    let actions = [
        ("Restart", RestartAction::Restart),
        ("RestartAllContainers", RestartAction::RestartAllContainers),
    ];
    let read = |rule: &Field<'_>| {
        let action = rule.get(scribe, "action");
        let action = fault::needed_word(scribe, &action, &actions, RestartAction::Restart);
        let codes = rule.get(scribe, "exitCodes");
        if !codes.exists() {
            fault::required(scribe, &codes, "must be specified");
        }
        let operators = [("In", false), ("NotIn", true)];
        let values = codes.get(scribe, "values");
        let list = values.items(scribe);
        few(&values, list.len(), 255);
        RestartRule {
            action,
            others: codes.exists()
                && fault::needed_word(scribe, &codes.get(scribe, "operator"), &operators, false),
            codes: list
                .iter()
                .filter_map(|code| code.integer(scribe))
                .collect(),
        }
    };
    rules.iter().map(read).collect()
}

fn container_name(item: &Field<'_>, scribe: &Scribe, names: &mut SortedSet<Arc<str>>) -> Arc<str> {
    let field = item.get(scribe, "name");
    let name = field.text_or_empty(scribe);
    if name.is_empty() {
        fault::required(scribe, &field, "");
        return name;
    }
    for detail in name::label(&name) {
        fault::invalid(scribe, &field, format!("{name:?}"), &detail);
    }
    if !names.insert(name.clone()) {
        fault::duplicate(scribe, &field, format!("{name:?}"));
    }
    name
}

fn image_reference(item: &Field<'_>, scribe: &Scribe) -> Arc<str> {
    let field = item.get(scribe, "image");
    let text = field.text_or_empty(scribe);
    if text.is_empty() {
        fault::required(scribe, &field, "");
    } else if text.trim() != &*text {
        fault::invalid(
            scribe,
            &field,
            format!("{text:?}"),
            "must not have leading or trailing whitespace",
        );
    } else if !image::is_reference(&text) {
        // The server takes it; the kubelet then reports InvalidImageName.
        scribe.warning(
            explain::KUBERNETES_INVALID_IMAGE,
            field.span,
            format!(
                "{}: couldn't parse image name \"{text}\": invalid reference format",
                field.path
            ),
        );
    }
    text
}

/// Only for the server's rules; nothing reads mounts.
fn check_mounts(item: &Field<'_>, scribe: &Scribe, volumes: &SortedSet<Arc<str>>) {
    let mut paths = SortedSet::new();
    for mount in item.peek("volumeMounts").items(scribe) {
        let name_field = mount.peek("name");
        let name = name_field.text_or_empty(scribe);
        if name.is_empty() {
            fault::required(scribe, &name_field, "");
        } else if !volumes.contains(&name) {
            fault::not_found(scribe, &name_field, &name);
        }
        let path_field = mount.peek("mountPath");
        let path = path_field.text_or_empty(scribe);
        if path.is_empty() {
            fault::required(scribe, &path_field, "");
        } else if !paths.insert(path.clone()) {
            fault::invalid(scribe, &path_field, format!("{path:?}"), "must be unique");
        }
    }
}

fn environment(field: &Field<'_>, scribe: &Scribe) -> Vec<(Arc<str>, Arc<str>)> {
    let mut environment = Vec::new();
    for item in field.items(scribe) {
        let name_field = item.get(scribe, "name");
        let name = name_field.text_or_empty(scribe);
        if name.is_empty() {
            fault::required(scribe, &name_field, "");
            continue;
        }
        let value_field = item.get(scribe, "value");
        let value = value_field.text_or_empty(scribe);
        let from = item.peek("valueFrom");
        if !from.exists() {
            environment.push((name, value));
        } else if !value.is_empty() {
            fault::invalid(
                scribe,
                &from,
                "\"\"",
                "may not be specified when `value` is not empty",
            );
        }
    }
    environment
}

fn ports(field: &Field<'_>, scribe: &Scribe, host_network: bool) -> Vec<ContainerPort> {
    let mut ports: Vec<ContainerPort> = Vec::new();
    for item in field.items(scribe) {
        let name_field = item.get(scribe, "name");
        let name = name_field.text_or_empty(scribe);
        if !name.is_empty() {
            for detail in name::port_name(&name) {
                fault::invalid(scribe, &name_field, format!("{name:?}"), &detail);
            }
            if ports.iter().any(|port| port.name == name) {
                fault::duplicate(scribe, &name_field, format!("{name:?}"));
            }
        }
        let number_field = item.get(scribe, "containerPort");
        let is_zero = number_field.node.and_then(|node| node.as_i64()) == Some(0);
        let container_port = if is_zero || !number_field.exists() {
            fault::required(scribe, &number_field, "");
            0
        } else {
            fault::port(scribe, &number_field).unwrap_or(0)
        };
        let host_field = item.get(scribe, "hostPort");
        let written = if host_field.node.and_then(|node| node.as_i64()) == Some(0) {
            None
        } else {
            fault::port(scribe, &host_field)
        };
        let host_port = written.unwrap_or(if host_network { container_port } else { 0 });
        if host_network && host_port != container_port {
            let detail = "must match `containerPort` when `hostNetwork` is true";
            fault::invalid(scribe, &host_field, host_port, detail);
        }
        ports.push(ContainerPort {
            name,
            container_port,
            host_port,
            host_ip: item.get(scribe, "hostIP").text_or_empty(scribe),
            protocol: fault::word(
                scribe,
                &item.get(scribe, "protocol"),
                &PROTOCOLS,
                Protocol::Tcp,
            ),
        });
    }
    ports
}
