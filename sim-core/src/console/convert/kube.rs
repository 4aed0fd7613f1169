//! Kubernetes manifests to workloads.

use super::{Check, Course, Draft, Lost, Mount, Port, Target, Test, Workload};
use crate::base::quantity::Quantity;
use crate::base::sorted::SortedMap;
use crate::manifest::decode;
use crate::manifest::lines::{Source, Span};
use crate::manifest::scalar::Dialect;
use crate::manifest::tree::Node;

/// Fields of a container that workloads hold.
const CONTAINER: [&str; 12] = [
    "name",
    "image",
    "command",
    "args",
    "env",
    "envFrom",
    "ports",
    "resources",
    "volumeMounts",
    "readinessProbe",
    "livenessProbe",
    "imagePullPolicy",
];

/// Reads the objects: workloads first, then the Services that point at them.
pub fn read(files: &[Source], target: Target) -> (Draft, Vec<Workload>) {
    let mut draft = Draft::default();
    let mut objects: Vec<(&Source, Node)> = Vec::new();
    for source in files {
        let (nodes, problems) = decode::documents(source, Dialect::Kubernetes);
        draft.problems.extend(
            problems
                .into_iter()
                .map(|problem| (source.clone(), problem)),
        );
        for node in nodes {
            match node.get("items").and_then(Node::as_seq) {
                Some(items) => objects.extend(items.iter().map(|item| (source, item.clone()))),
                None => objects.push((source, node)),
            }
        }
    }
    let text = |node: &Node, path: &[&str]| {
        node.path(path)
            .and_then(Node::scalar_text)
            .map(|text| text.to_string())
            .unwrap_or_default()
    };
    let mut maps: SortedMap<String, SortedMap<String, String>> = SortedMap::new();
    for (_, node) in &objects {
        if text(node, &["kind"]) == "ConfigMap" {
            maps.insert(text(node, &["metadata", "name"]), pairs(node.get("data")));
        }
    }
    let mut workloads = Vec::new();
    let mut selected: Vec<SortedMap<String, String>> = Vec::new();
    for (source, node) in &objects {
        let kind = text(node, &["kind"]);
        let name = text(node, &["metadata", "name"]);
        let (course, template) = match kind.as_str() {
            "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => {
                (Course::Forever, node.path(&["spec", "template"]))
            }
            "DaemonSet" => (Course::Everywhere, node.path(&["spec", "template"])),
            "Job" => (Course::Once, node.path(&["spec", "template"])),
            "Pod" => (Course::Forever, Some(node)),
            "Service" | "ConfigMap" | "Namespace" => continue,
            _ => {
                lose(
                    &mut draft,
                    source,
                    node.span,
                    format!("{kind}/{name}"),
                    "there is no counterpart of this kind",
                );
                continue;
            }
        };
        let Some(template) = template else { continue };
        let replicas = node
            .path(&["spec", "replicas"])
            .and_then(Node::as_i64)
            .unwrap_or(1);
        let mut workload = Workload {
            name: name.clone(),
            replicas: u32::try_from(replicas).unwrap_or(0),
            course,
            ..Workload::default()
        };
        let label = format!("{kind}/{name}");
        pod(template, source, &label, &maps, &mut workload, &mut draft);
        selected.push(pairs(template.path(&["metadata", "labels"])));
        workloads.push(workload);
    }
    for (source, node) in &objects {
        if text(node, &["kind"]) == "Service" {
            service(node, source, &selected, &mut workloads, target, &mut draft);
        }
    }
    (draft, workloads)
}

fn lose(draft: &mut Draft, source: &Source, span: Span, what: String, why: &str) {
    draft.lost.push(Lost {
        file: source.name.clone(),
        line: source.position(span.start).line,
        what,
        why: why.to_owned(),
    });
}

fn pairs(node: Option<&Node>) -> SortedMap<String, String> {
    node.and_then(Node::as_map)
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| {
            Some((
                entry.key.text.to_string(),
                entry.value.scalar_text()?.to_string(),
            ))
        })
        .collect()
}

fn words(node: Option<&Node>) -> Option<Vec<String>> {
    let items = node?.as_seq()?;
    Some(
        items
            .iter()
            .filter_map(|item| Some(item.scalar_text()?.to_string()))
            .collect(),
    )
}

fn pod(
    template: &Node,
    source: &Source,
    label: &str,
    maps: &SortedMap<String, SortedMap<String, String>>,
    workload: &mut Workload,
    draft: &mut Draft,
) {
    let Some(spec) = template.get("spec") else {
        return;
    };
    for entry in spec.as_map().unwrap_or_default() {
        if !matches!(&*entry.key.text, "containers" | "volumes" | "restartPolicy") {
            let what = format!("{label} {}", entry.key.text);
            lose(
                draft,
                source,
                entry.key.span,
                what,
                "pods have it, services do not",
            );
        }
    }
    let containers = spec
        .get("containers")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    for other in containers.iter().skip(1) {
        let name = other
            .get("name")
            .and_then(Node::scalar_text)
            .unwrap_or_else(|| "".into());
        let what = format!("{label} container {name}");
        lose(
            draft,
            source,
            other.span,
            what,
            "a service has one container; make it a service of its own",
        );
    }
    let Some(container) = containers.first() else {
        return;
    };
    for entry in container.as_map().unwrap_or_default() {
        if !CONTAINER.contains(&&*entry.key.text) {
            let what = format!("{label} {}", entry.key.text);
            lose(
                draft,
                source,
                entry.key.span,
                what,
                "it has no counterpart in the draft",
            );
        }
    }
    let image = container.get("image").and_then(Node::scalar_text);
    workload.image = image.map(|image| image.to_string()).unwrap_or_default();
    workload.entrypoint = words(container.get("command"));
    workload.command = words(container.get("args"));
    environment(container, source, label, maps, workload, draft);
    ports(container, workload);
    sizes(container, workload);
    workload.check = ["readinessProbe", "livenessProbe"]
        .iter()
        .find_map(|key| check(container.get(key)?, &workload.ports, container));
    mounts(spec, container, source, label, workload, draft);
}

/// `envFrom` and `env`, as far as their values stand in the files.
fn environment(
    container: &Node,
    source: &Source,
    label: &str,
    maps: &SortedMap<String, SortedMap<String, String>>,
    workload: &mut Workload,
    draft: &mut Draft,
) {
    for reference in container
        .get("envFrom")
        .and_then(Node::as_seq)
        .unwrap_or_default()
    {
        let name = reference
            .path(&["configMapRef", "name"])
            .and_then(Node::scalar_text);
        match name.and_then(|name| maps.get(&*name)) {
            Some(map) => workload.environment.extend(map.clone()),
            None => lose(
                draft,
                source,
                reference.span,
                format!("{label} envFrom"),
                "its content is outside the files",
            ),
        }
    }
    for variable in container
        .get("env")
        .and_then(Node::as_seq)
        .unwrap_or_default()
    {
        let Some(name) = variable.get("name").and_then(Node::scalar_text) else {
            continue;
        };
        let from = variable.path(&["valueFrom", "configMapKeyRef"]);
        let looked_up = from.and_then(|from| {
            let map = maps.get(&*from.get("name")?.scalar_text()?)?;
            map.get(&*from.get("key")?.scalar_text()?).cloned()
        });
        let value = variable
            .get("value")
            .and_then(Node::scalar_text)
            .map(|value| value.to_string());
        match value.or(looked_up) {
            Some(value) => {
                workload.environment.insert(name.to_string(), value);
            }
            None if variable.get("valueFrom").is_some() => {
                lose(
                    draft,
                    source,
                    variable.span,
                    format!("{label} env {name}"),
                    "its value is outside the files",
                );
            }
            None => {
                workload.environment.insert(name.to_string(), String::new());
            }
        }
    }
}

fn ports(container: &Node, workload: &mut Workload) {
    for port in container
        .get("ports")
        .and_then(Node::as_seq)
        .unwrap_or_default()
    {
        let number = port.get("containerPort").and_then(Node::as_i64);
        if let Some(target) = number.and_then(|number| u16::try_from(number).ok()) {
            let published = port.get("hostPort").and_then(Node::as_i64);
            workload.ports.push(Port {
                target,
                published: published.and_then(|number| u16::try_from(number).ok()),
                protocol: protocol(port),
            });
        }
    }
}

/// Limits and requests.
fn sizes(container: &Node, workload: &mut Workload) {
    let amount = |path: &[&str]| {
        let text = container.path(path).and_then(Node::scalar_text)?;
        Quantity::parse(&text).ok()
    };
    let milli = |quantity: Option<Quantity>| {
        quantity.and_then(|quantity| u64::try_from(quantity.milli_value()).ok())
    };
    let whole = |quantity: Option<Quantity>| {
        quantity.and_then(|quantity| u64::try_from(quantity.value()).ok())
    };
    workload.cpu = (
        milli(amount(&["resources", "limits", "cpu"])),
        milli(amount(&["resources", "requests", "cpu"])),
    );
    workload.memory = (
        whole(amount(&["resources", "limits", "memory"])),
        whole(amount(&["resources", "requests", "memory"])),
    );
}

fn protocol(port: &Node) -> &'static str {
    match port.get("protocol").and_then(Node::as_str) {
        Some("UDP") => "udp",
        Some("SCTP") => "sctp",
        _ => "tcp",
    }
}

fn check(probe: &Node, _ports: &[Port], container: &Node) -> Option<Check> {
    let number = |key: &str, default: u64| {
        probe
            .get(key)
            .and_then(Node::as_i64)
            .and_then(|number| u64::try_from(number).ok())
            .unwrap_or(default)
    };
    let port_of = |node: &Node| -> Option<u16> {
        let port = node.get("port")?;
        if let Some(number) = port.as_i64() {
            return u16::try_from(number).ok();
        }
        let name = port.as_str()?;
        let ports = container.get("ports")?.as_seq()?;
        let named = ports
            .iter()
            .find(|port| port.get("name").and_then(Node::as_str) == Some(name))?;
        u16::try_from(named.get("containerPort")?.as_i64()?).ok()
    };
    let test = if let Some(exec) = probe.get("exec") {
        Test::Command(words(exec.get("command"))?)
    } else if let Some(get) = probe.get("httpGet") {
        let path = get.get("path").and_then(Node::as_str).unwrap_or("/");
        Test::Http(port_of(get)?, path.to_owned())
    } else {
        Test::Tcp(port_of(probe.get("tcpSocket")?)?)
    };
    Some(Check {
        test,
        interval_s: number("periodSeconds", 10),
        timeout_s: number("timeoutSeconds", 1),
        retries: u32::try_from(number("failureThreshold", 3)).unwrap_or(3),
        start_s: number("initialDelaySeconds", 0),
    })
}

fn mounts(
    spec: &Node,
    container: &Node,
    source: &Source,
    label: &str,
    workload: &mut Workload,
    draft: &mut Draft,
) {
    let volumes = spec
        .get("volumes")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    for mount in container
        .get("volumeMounts")
        .and_then(Node::as_seq)
        .unwrap_or_default()
    {
        let text = |key: &str| {
            mount
                .get(key)
                .and_then(Node::as_str)
                .unwrap_or("")
                .to_owned()
        };
        let name = text("name");
        let volume = volumes
            .iter()
            .find(|volume| volume.get("name").and_then(Node::as_str) == Some(name.as_str()));
        let has = |key: &str| volume.is_some_and(|volume| volume.get(key).is_some());
        let in_memory = volume
            .and_then(|volume| volume.path(&["emptyDir", "medium"]))
            .and_then(Node::as_str)
            == Some("Memory");
        // What a StatefulSet claims has no entry among the volumes.
        if has("emptyDir") || has("persistentVolumeClaim") || volume.is_none() {
            workload.mounts.push(Mount {
                volume: if in_memory { String::new() } else { name },
                target: text("mountPath"),
                read_only: mount
                    .get("readOnly")
                    .and_then(Node::as_bool)
                    .unwrap_or(false),
            });
        } else {
            let what = format!("{label} volume {name}");
            lose(
                draft,
                source,
                mount.span,
                what,
                "only claims and empty directories become volumes",
            );
        }
    }
}

/// What a Service says of the workload that it selects: the ports that are open to the outside, and
/// another name.
fn service(
    node: &Node,
    source: &Source,
    selected: &[SortedMap<String, String>],
    workloads: &mut [Workload],
    target: Target,
    draft: &mut Draft,
) {
    let name = node
        .path(&["metadata", "name"])
        .and_then(Node::scalar_text)
        .unwrap_or_else(|| "".into());
    let selector = pairs(node.path(&["spec", "selector"]));
    let fits = |labels: &SortedMap<String, String>| {
        !selector.is_empty()
            && selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
    };
    let Some(place) = selected.iter().position(fits) else {
        lose(
            draft,
            source,
            node.span,
            format!("Service/{name}"),
            "it selects nothing among the files",
        );
        return;
    };
    let workload = &mut workloads[place];
    if workload.name != *name {
        workload.aliases.push(name.to_string());
    }
    let kind = node
        .path(&["spec", "type"])
        .and_then(Node::as_str)
        .unwrap_or("ClusterIP");
    let is_open = matches!(kind, "NodePort" | "LoadBalancer");
    for port in node
        .path(&["spec", "ports"])
        .and_then(Node::as_seq)
        .unwrap_or_default()
    {
        let number = |key: &str| {
            port.get(key)
                .and_then(Node::as_i64)
                .and_then(|number| u16::try_from(number).ok())
        };
        let Some(outside) = number("port") else {
            continue;
        };
        let inside = number("targetPort").unwrap_or(outside);
        let inside = if workload.ports.len() == 1
            && port
                .get("targetPort")
                .is_some_and(|port| port.as_str().is_some())
        {
            workload.ports[0].target
        } else {
            inside
        };
        let published = is_open.then_some(if kind == "NodePort" {
            number("nodePort").unwrap_or(outside)
        } else {
            outside
        });
        if outside != inside && !is_open {
            let what = format!("Service/{name} port {outside}");
            lose(
                draft,
                source,
                port.span,
                what,
                "inside the network the container's own port is used; change the clients",
            );
        }
        match workload.ports.iter_mut().find(|port| port.target == inside) {
            Some(known) => known.published = known.published.or(published),
            None => workload.ports.push(Port {
                target: inside,
                published,
                protocol: protocol(port),
            }),
        }
    }
    if target == Target::Compose && is_open && workload.replicas > 1 {
        let what = format!("{} replicas", workload.name);
        lose(
            draft,
            source,
            node.span,
            what,
            "1 instead: on one machine only one container can have the published port",
        );
        workload.replicas = 1;
    }
}
