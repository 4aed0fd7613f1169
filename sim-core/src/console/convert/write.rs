//! Workloads to YAML.

use super::{Check, Course, Target, Test, Workload};
use crate::base::sorted::SortedMap;
use crate::manifest::value::{Map, Value};
use crate::object::print::{yaml, yaml_as_stored};

/// Size of a drafted claim. Source: kompose `pkg/transformer/kubernetes` (PVCRequestSize).
const CLAIM: &str = "100Mi";

/// The whole draft.
pub fn text(workloads: &[Workload], target: Target) -> String {
    match target {
        Target::Kubernetes => manifests(workloads),
        Target::Stack | Target::Compose => {
            yaml_as_stored(&services(workloads, target == Target::Stack))
        }
    }
}

fn list(words: &[String]) -> Value {
    Value::list(words.iter().map(|word| Value::string(word)).collect())
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn manifests(workloads: &[Workload]) -> String {
    let mut documents: Vec<Value> = Vec::new();
    let mut claims: Vec<&str> = Vec::new();
    for workload in workloads {
        for mount in &workload.mounts {
            if !mount.volume.is_empty() && !claims.contains(&mount.volume.as_str()) {
                claims.push(&mount.volume);
            }
        }
        documents.push(controller(workload));
        if !workload.ports.is_empty() {
            let mut names = vec![workload.name.clone()];
            names.extend(workload.aliases.iter().cloned());
            documents.extend(names.iter().map(|name| service(name, workload)));
        }
    }
    for claim in claims {
        let request = Value::object([(
            "requests",
            Value::object([("storage", Value::string(CLAIM))]),
        )]);
        documents.push(Value::object([
            ("apiVersion", Value::string("v1")),
            ("kind", Value::string("PersistentVolumeClaim")),
            (
                "metadata",
                Value::object([("name", Value::string(&dns(claim)))]),
            ),
            (
                "spec",
                Value::object([
                    (
                        "accessModes",
                        Value::list(vec![Value::string("ReadWriteOnce")]),
                    ),
                    ("resources", request),
                ]),
            ),
        ]));
    }
    documents.iter().map(yaml).collect::<Vec<_>>().join("---\n")
}

/// A name that Kubernetes takes.
fn dns(name: &str) -> String {
    let fits = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    name.chars()
        .map(fits)
        .collect::<String>()
        .trim_matches('-')
        .to_owned()
}

fn labels(workload: &Workload) -> Value {
    Value::object([("app", Value::string(&dns(&workload.name)))])
}

/// The container, but for its volumes.
fn container(workload: &Workload) -> Map {
    let mut container = Map::new();
    container.insert("name", Value::string(&dns(&workload.name)));
    container.insert("image", Value::string(&workload.image));
    if let Some(words) = &workload.entrypoint {
        container.insert("command", list(words));
    }
    if let Some(words) = &workload.command {
        container.insert("args", list(words));
    }
    if !workload.environment.is_empty() {
        let variables = workload.environment.iter().map(|(name, value)| {
            Value::object([
                ("name", Value::string(name)),
                ("value", Value::string(value)),
            ])
        });
        container.insert("env", Value::list(variables.collect()));
    }
    if !workload.ports.is_empty() {
        let ports = workload.ports.iter().map(|port| {
            let mut fields = vec![("containerPort", number(u64::from(port.target)))];
            if port.protocol != "tcp" {
                fields.push(("protocol", Value::string(&port.protocol.to_uppercase())));
            }
            Value::object(fields)
        });
        container.insert("ports", Value::list(ports.collect()));
    }
    if let Some(check) = &workload.check {
        // Unhealthy containers are only labelled by Compose, and get no requests here.
        container.insert("readinessProbe", probe(check));
    }
    let resources = resources(workload);
    if !resources.is_empty() {
        container.insert("resources", Value::from(resources));
    }
    container
}

/// Limits and requests, as far as there are any.
fn resources(workload: &Workload) -> Map {
    let amounts = |cpu: Option<u64>, memory: Option<u64>| {
        let mut amounts = Map::new();
        if let Some(milli) = cpu {
            amounts.insert("cpu", Value::string(&format!("{milli}m")));
        }
        if let Some(bytes) = memory {
            let text = if bytes.is_multiple_of(1 << 20) {
                format!("{}Mi", bytes >> 20)
            } else {
                bytes.to_string()
            };
            amounts.insert("memory", Value::string(&text));
        }
        amounts
    };
    let mut resources = Map::new();
    for (key, amounts) in [
        ("limits", amounts(workload.cpu.0, workload.memory.0)),
        ("requests", amounts(workload.cpu.1, workload.memory.1)),
    ] {
        if !amounts.is_empty() {
            resources.insert(key, Value::from(amounts));
        }
    }
    resources
}

/// A pod's volumes, and where its container has them.
fn volumes(workload: &Workload) -> (Vec<Value>, Vec<Value>) {
    let mut volumes = Vec::new();
    let mut mounts = Vec::new();
    for (place, mount) in workload.mounts.iter().enumerate() {
        let name = if mount.volume.is_empty() {
            format!("{}-tmpfs{place}", dns(&workload.name))
        } else {
            dns(&mount.volume)
        };
        let mut fields = vec![
            ("name", Value::string(&name)),
            ("mountPath", Value::string(&mount.target)),
        ];
        if mount.read_only {
            fields.push(("readOnly", Value::Bool(true)));
        }
        mounts.push(Value::object(fields));
        let from = if mount.volume.is_empty() {
            (
                "emptyDir",
                Value::object([("medium", Value::string("Memory"))]),
            )
        } else {
            (
                "persistentVolumeClaim",
                Value::object([("claimName", Value::string(&name))]),
            )
        };
        volumes.push(Value::object([("name", Value::string(&name)), from]));
    }
    (volumes, mounts)
}

fn controller(workload: &Workload) -> Value {
    let mut container = container(workload);
    let (volumes, mounts) = volumes(workload);
    let mut spec = Map::new();
    if !mounts.is_empty() {
        container.insert("volumeMounts", Value::list(mounts));
        spec.insert("volumes", Value::list(volumes));
    }
    spec.insert("containers", Value::list(vec![Value::from(container)]));
    if workload.course == Course::Once {
        spec.insert("restartPolicy", Value::string("OnFailure"));
    }
    let template = Value::object([
        ("metadata", Value::object([("labels", labels(workload))])),
        ("spec", Value::from(spec)),
    ]);
    let selector = Value::object([("matchLabels", labels(workload))]);
    let (version, kind, spec) = match workload.course {
        Course::Forever => (
            "apps/v1",
            "Deployment",
            Value::object([
                ("replicas", number(u64::from(workload.replicas))),
                ("selector", selector),
                ("template", template),
            ]),
        ),
        Course::Everywhere => (
            "apps/v1",
            "DaemonSet",
            Value::object([("selector", selector), ("template", template)]),
        ),
        Course::Once => ("batch/v1", "Job", Value::object([("template", template)])),
    };
    let metadata = Value::object([
        ("name", Value::string(&dns(&workload.name))),
        ("labels", labels(workload)),
    ]);
    Value::object([
        ("apiVersion", Value::string(version)),
        ("kind", Value::string(kind)),
        ("metadata", metadata),
        ("spec", spec),
    ])
}

fn probe(check: &Check) -> Value {
    let (key, action) = match &check.test {
        Test::Command(words) => ("exec", Value::object([("command", list(words))])),
        Test::Shell(line) => {
            let words = ["/bin/sh", "-c", line].map(str::to_owned);
            ("exec", Value::object([("command", list(&words))]))
        }
        Test::Http(port, path) => (
            "httpGet",
            Value::object([
                ("path", Value::string(path)),
                ("port", number(u64::from(*port))),
            ]),
        ),
        Test::Tcp(port) => (
            "tcpSocket",
            Value::object([("port", number(u64::from(*port)))]),
        ),
    };
    let mut fields = vec![
        (key, action),
        ("periodSeconds", number(check.interval_s)),
        ("timeoutSeconds", number(check.timeout_s)),
        ("failureThreshold", number(u64::from(check.retries))),
    ];
    if check.start_s > 0 {
        fields.push(("initialDelaySeconds", number(check.start_s)));
    }
    Value::object(fields)
}

/// Both ports lead to the container: the one that was open outside, and the container's own, which
/// the other services use.
fn service(name: &str, workload: &Workload) -> Value {
    let mut ports: Vec<(u16, u16, &str)> = Vec::new();
    for port in &workload.ports {
        for outside in [port.published, Some(port.target)].into_iter().flatten() {
            if !ports
                .iter()
                .any(|known| known.0 == outside && known.2 == port.protocol)
            {
                ports.push((outside, port.target, port.protocol));
            }
        }
    }
    let ports = ports.iter().map(|(outside, inside, protocol)| {
        let mut fields = vec![
            ("name", Value::string(&format!("{protocol}-{outside}"))),
            ("port", number(u64::from(*outside))),
            ("targetPort", number(u64::from(*inside))),
        ];
        if *protocol != "tcp" {
            fields.push(("protocol", Value::string(&protocol.to_uppercase())));
        }
        Value::object(fields)
    });
    let spec = Value::object([
        ("selector", labels(workload)),
        ("ports", Value::list(ports.collect())),
    ]);
    Value::object([
        ("apiVersion", Value::string("v1")),
        ("kind", Value::string("Service")),
        (
            "metadata",
            Value::object([("name", Value::string(&dns(name)))]),
        ),
        ("spec", spec),
    ])
}

/// A stack or a Compose file.
fn services(workloads: &[Workload], is_stack: bool) -> Value {
    let mut volumes: SortedMap<String, Value> = SortedMap::new();
    let services: Vec<(String, Value)> = workloads
        .iter()
        .map(|workload| {
            for mount in &workload.mounts {
                if !mount.volume.is_empty() {
                    volumes.insert(mount.volume.clone(), Value::map());
                }
            }
            (workload.name.clone(), one(workload, is_stack))
        })
        .collect();
    let mut all = Map::new();
    all.insert("services", Value::object(services));
    if !volumes.is_empty() {
        all.insert("volumes", Value::object(volumes));
    }
    Value::from(all)
}

fn one(workload: &Workload, is_stack: bool) -> Value {
    let mut map = Map::new();
    map.insert("image", Value::string(&workload.image));
    if let Some(words) = &workload.entrypoint {
        map.insert("entrypoint", list(words));
    }
    if let Some(words) = &workload.command {
        map.insert("command", list(words));
    }
    let pairs = |pairs: &SortedMap<String, String>| {
        Value::object(
            pairs
                .iter()
                .map(|(key, value)| (key.as_str(), Value::string(value))),
        )
    };
    if !workload.environment.is_empty() {
        map.insert("environment", pairs(&workload.environment));
    }
    if !workload.labels.is_empty() {
        map.insert("labels", pairs(&workload.labels));
    }
    let suffix = |protocol: &str| {
        if protocol == "tcp" {
            String::new()
        } else {
            format!("/{protocol}")
        }
    };
    let published: Vec<String> = workload
        .ports
        .iter()
        .filter_map(|port| {
            Some(format!(
                "{}:{}{}",
                port.published?,
                port.target,
                suffix(port.protocol)
            ))
        })
        .collect();
    if !published.is_empty() {
        map.insert("ports", list(&published));
    }
    let declared: Vec<String> = workload
        .ports
        .iter()
        .filter(|port| port.published.is_none())
        .map(|port| port.target.to_string())
        .collect();
    // A stack only warns of `expose`; a program of one's own is found at its port all the same.
    if !declared.is_empty() {
        map.insert("expose", list(&declared));
    }
    let mounts: Vec<String> = workload
        .mounts
        .iter()
        .filter(|mount| !mount.volume.is_empty())
        .map(|mount| {
            format!(
                "{}:{}{}",
                mount.volume,
                mount.target,
                if mount.read_only { ":ro" } else { "" }
            )
        })
        .collect();
    if !mounts.is_empty() {
        map.insert("volumes", list(&mounts));
    }
    let memory: Vec<String> = workload
        .mounts
        .iter()
        .filter(|mount| mount.volume.is_empty())
        .map(|mount| mount.target.clone())
        .collect();
    if !memory.is_empty() {
        map.insert("tmpfs", list(&memory));
    }
    if !workload.aliases.is_empty() {
        let aliases = Value::object([("aliases", list(&workload.aliases))]);
        map.insert("networks", Value::object([("default", aliases)]));
    }
    if let Some(check) = &workload.check {
        map.insert("healthcheck", health(check));
    }
    if !is_stack {
        let restart = match workload.course {
            Course::Forever | Course::Everywhere => "always",
            Course::Once => "on-failure",
        };
        map.insert("restart", Value::string(restart));
    }
    let deploy = deploy(workload, is_stack);
    if !deploy.is_empty() {
        map.insert("deploy", Value::from(deploy));
    }
    Value::from(map)
}

fn deploy(workload: &Workload, is_stack: bool) -> Map {
    let mut deploy = Map::new();
    match workload.course {
        Course::Everywhere if is_stack => {
            deploy.insert("mode", Value::string("global"));
        }
        Course::Once if is_stack => {
            deploy.insert("mode", Value::string("replicated-job"));
        }
        Course::Forever if workload.replicas != 1 => {
            deploy.insert("replicas", number(u64::from(workload.replicas)));
        }
        Course::Forever | Course::Everywhere | Course::Once => {}
    }
    let amounts = |cpu: Option<u64>, memory: Option<u64>| {
        let mut amounts = Map::new();
        if let Some(milli) = cpu {
            let text = format!("{}.{:03}", milli / 1_000, milli % 1_000);
            amounts.insert(
                "cpus",
                Value::string(text.trim_end_matches('0').trim_end_matches('.')),
            );
        }
        if let Some(bytes) = memory {
            let text = if bytes.is_multiple_of(1 << 20) {
                format!("{}M", bytes >> 20)
            } else {
                bytes.to_string()
            };
            amounts.insert("memory", Value::string(&text));
        }
        amounts
    };
    let mut resources = Map::new();
    for (key, amounts) in [
        ("limits", amounts(workload.cpu.0, workload.memory.0)),
        ("reservations", amounts(workload.cpu.1, workload.memory.1)),
    ] {
        if !amounts.is_empty() {
            resources.insert(key, Value::from(amounts));
        }
    }
    if !resources.is_empty() {
        deploy.insert("resources", Value::from(resources));
    }
    for (key, value) in workload.deploy.iter().filter(|_| is_stack) {
        deploy.insert(key, value.clone());
    }
    if is_stack && workload.course == Course::Once {
        let policy = Value::object([("condition", Value::string("on-failure"))]);
        deploy.insert("restart_policy", policy);
    }
    deploy
}

fn health(check: &Check) -> Value {
    let test = match &check.test {
        Test::Command(words) => {
            let mut all = vec!["CMD".to_owned()];
            all.extend(words.iter().cloned());
            list(&all)
        }
        Test::Shell(line) => list(&["CMD-SHELL".to_owned(), line.clone()]),
        // The image has to have the tool.
        Test::Http(port, path) => list(&[
            "CMD-SHELL".to_owned(),
            format!("wget -q -O /dev/null http://localhost:{port}{path}"),
        ]),
        Test::Tcp(port) => list(&["CMD-SHELL".to_owned(), format!("nc -z localhost {port}")]),
    };
    let mut fields = vec![
        ("test", test),
        ("interval", Value::string(&format!("{}s", check.interval_s))),
        ("timeout", Value::string(&format!("{}s", check.timeout_s))),
        ("retries", number(u64::from(check.retries))),
    ];
    if check.start_s > 0 {
        fields.push((
            "start_period",
            Value::string(&format!("{}s", check.start_s)),
        ));
    }
    Value::object(fields)
}
