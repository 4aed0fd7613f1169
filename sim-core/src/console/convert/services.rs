//! Compose and stack files to workloads.

use std::sync::Arc;

use super::{Check, Course, Draft, Lost, Mount, Port, Target, Test, Workload};
use crate::api::compose::service::{DependencyCondition, Restart, Service};
use crate::api::health::HealthTest;
use crate::api::swarm::service::MountKind;
use crate::base::sorted::SortedSet;
use crate::manifest::compose::loaded::{OtherFiles, Variables};
use crate::manifest::compose::port::protocol_word;
use crate::manifest::compose::project::{Setting, load_compose};
use crate::manifest::decode;
use crate::manifest::lines::{Source, Sources};
use crate::manifest::scalar::Dialect;
use crate::manifest::tree::{Entry, Node};
use crate::manifest::value::Value;

/// Keys of a service that workloads hold.
const CARRIED: [&str; 22] = [
    "image",
    "command",
    "entrypoint",
    "environment",
    "env_file",
    "ports",
    "expose",
    "deploy",
    "scale",
    "healthcheck",
    "restart",
    "volumes",
    "tmpfs",
    "labels",
    "mem_limit",
    "mem_reservation",
    "cpus",
    "extends",
    "stop_grace_period",
    "networks",
    "depends_on",
    "build",
];

/// Keys below `deploy` that workloads hold.
const CARRIED_DEPLOY: [&str; 5] = ["replicas", "resources", "restart_policy", "mode", "labels"];

/// Reads the files as one project.
pub fn read(
    files: &[Source],
    target: Target,
    is_stack: bool,
    others: OtherFiles<'_>,
) -> (Draft, Vec<Workload>) {
    let none = Variables::new();
    let everything: [Arc<str>; 1] = ["*".into()];
    let setting = Setting {
        environment: &none,
        project_name: Some("app"),
        folder: "app",
        profiles: &everything,
        named: &[],
        all_resources: false,
        env_files: &[],
        others,
    };
    let loaded = load_compose(files, setting);
    let mut draft = Draft::default();
    for problem in &loaded.problems {
        let source = loaded
            .sources
            .iter()
            .find(|source| source.name == problem.file);
        if let Some(source) = source {
            draft.problems.push((source.clone(), problem.clone()));
        }
    }
    let Some(project) = loaded.model else {
        return (draft, Vec::new());
    };
    let awaited: SortedSet<&Arc<str>> = project
        .services
        .values()
        .flat_map(|service| &service.depends_on)
        .filter(|(_, dependency)| {
            dependency.condition == DependencyCondition::CompletedSuccessfully
        })
        .map(|(name, _)| name)
        .collect();
    let mut workloads: Vec<Workload> = project
        .services
        .values()
        .map(|service| workload(service, awaited.contains(&service.name), is_stack))
        .collect();
    for source in files {
        let mut sources = Sources::new();
        let file = sources.add(&source.name, &source.text);
        let Some(source) = sources.get(file) else {
            continue;
        };
        for document in decode::documents(source, Dialect::Compose).0 {
            list(&document, source, target, &mut draft.lost);
            for workload in &mut workloads {
                modes(&document, source, workload, target, &mut draft.lost);
            }
        }
    }
    (draft, workloads)
}

fn texts(words: &Option<Vec<Arc<str>>>) -> Option<Vec<String>> {
    words
        .as_ref()
        .map(|words| words.iter().map(ToString::to_string).collect())
}

fn workload(service: &Service, is_awaited: bool, is_stack: bool) -> Workload {
    let pairs = |map: &crate::base::sorted::SortedMap<Arc<str>, Arc<str>>| {
        map.iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect()
    };
    let mut ports: Vec<Port> = service
        .ports
        .iter()
        .map(|port| Port {
            target: port.target,
            published: port.published.map(|range| range.first),
            protocol: protocol_word(port.protocol),
        })
        .collect();
    for (target, _) in &service.expose {
        if !ports.iter().any(|port| port.target == *target) {
            ports.push(Port {
                target: *target,
                published: None,
                protocol: "tcp",
            });
        }
    }
    let check = service.health_check.as_ref().and_then(|check| {
        let words = |words: &[Arc<str>]| words.iter().map(ToString::to_string).collect();
        let test = match check.test.as_ref()? {
            HealthTest::Disabled => return None,
            HealthTest::Command(command) => Test::Command(words(command)),
            HealthTest::Shell(line) => Test::Shell(line.to_string()),
        };
        Some(Check {
            test,
            interval_s: check.interval.as_secs().max(1),
            timeout_s: check.timeout.as_secs().max(1),
            retries: check.retries,
            start_s: check.start_period.as_secs(),
        })
    });
    let ends =
        !is_stack && matches!(service.restart, Restart::OnFailure { .. }) && ports.is_empty();
    Workload {
        name: service.name.to_string(),
        image: service.image.to_string(),
        entrypoint: texts(&service.entrypoint),
        command: texts(&service.command),
        environment: pairs(&service.environment),
        ports,
        replicas: service.scale,
        course: if is_awaited || ends {
            Course::Once
        } else {
            Course::Forever
        },
        check,
        cpu: (
            service.resources.limits.cpu_milli,
            service.resources.requests.cpu_milli,
        ),
        memory: (
            service.resources.limits.memory_bytes,
            service.resources.requests.memory_bytes,
        ),
        mounts: service
            .mounts
            .iter()
            .filter(|mount| mount.kind != MountKind::Bind)
            .map(|mount| Mount {
                volume: mount
                    .source
                    .strip_prefix("app_")
                    .unwrap_or(&mount.source)
                    .to_owned(),
                target: mount.target.to_string(),
                read_only: mount.read_only,
            })
            .collect(),
        aliases: Vec::new(),
        labels: pairs(&service.labels),
        deploy: deploy(service),
    }
}

/// Keys of `deploy` that only Swarm reads.
const OF_SWARM: [&str; 4] = [
    "update_config",
    "rollback_config",
    "placement",
    "endpoint_mode",
];

fn deploy(service: &Service) -> Vec<(&'static str, Value)> {
    let document = Value::parse_json(&service.document).unwrap_or_default();
    OF_SWARM
        .into_iter()
        .filter_map(|key| Some((key, document.path(&["deploy", key])?.clone())))
        .collect()
}

fn place(source: &Source, entry: &Entry, what: String, why: &str) -> Lost {
    Lost {
        file: source.name.clone(),
        line: source.position(entry.key.span.start).line,
        what,
        why: why.to_owned(),
    }
}

/// What of a document no workload holds.
fn list(document: &Node, source: &Source, target: Target, lost: &mut Vec<Lost>) {
    for top in document.as_map().unwrap_or_default() {
        let why = match &*top.key.text {
            "services" | "version" | "name" | "volumes" | "include" => continue,
            key if key.starts_with("x-") => continue,
            "networks" => match target {
                Target::Kubernetes => {
                    "all pods reach one another; write a NetworkPolicy to forbid it"
                }
                Target::Stack | Target::Compose => "the draft has one network, the default",
            },
            "secrets" | "configs" => {
                "their content is outside the file; make them on the other side and mount them"
            }
            _ => "it has no counterpart",
        };
        lost.push(place(source, top, top.key.text.to_string(), why));
    }
    let services = document.get("services").and_then(Node::as_map);
    for service in services.unwrap_or_default() {
        let name = &service.key.text;
        for entry in service.value.as_map().unwrap_or_default() {
            let what = format!("service {name} {}", entry.key.text);
            if let Some(why) = reason(&entry.key.text, target) {
                lost.push(place(source, entry, what, why));
            }
            if &*entry.key.text == "deploy" {
                for inner in entry.value.as_map().unwrap_or_default() {
                    let key = &*inner.key.text;
                    let kept = target == Target::Stack && OF_SWARM.contains(&key);
                    if !kept && !CARRIED_DEPLOY.contains(&key) {
                        let what = format!("service {name} deploy.{}", inner.key.text);
                        lost.push(place(
                            source,
                            inner,
                            what,
                            deploy_reason(&inner.key.text, target),
                        ));
                    }
                }
            }
            if &*entry.key.text == "volumes" {
                for item in entry.value.as_seq().unwrap_or_default() {
                    let is_bind = match item.get("type").and_then(Node::as_str) {
                        Some(kind) => kind == "bind",
                        None => item
                            .as_str()
                            .is_some_and(|text| text.starts_with(['.', '/', '~'])),
                    };
                    if is_bind {
                        lost.push(Lost {
                            file: source.name.clone(),
                            line: source.position(item.span.start).line,
                            what: format!("service {name} bind mount"),
                            why: "the files are not on the other machines; put them into the image, a config or a volume".to_owned(),
                        });
                    }
                }
            }
        }
        let has_ports = ["ports", "expose"]
            .iter()
            .any(|key| service.value.get(key).is_some());
        if target == Target::Kubernetes && !has_ports {
            lost.push(place(
                source,
                service,
                format!("service {name}"),
                "no Service is drafted, because it names no port: others cannot find it by name until it has `expose`",
            ));
        }
    }
}

fn reason(key: &str, target: Target) -> Option<&'static str> {
    Some(match key {
        "depends_on" => match target {
            Target::Kubernetes => {
                "Kubernetes starts everything at once: let the program try again, or wait in an init container"
            }
            Target::Stack => "docker stack deploy accepts it and ignores it",
            Target::Compose => return None,
        },
        "networks" => match target {
            Target::Kubernetes => "all pods reach one another; write a NetworkPolicy to forbid it",
            Target::Stack | Target::Compose => "the draft has one network, the default",
        },
        "build" => "the image has to be built and pushed where the other machines find it",
        "stop_grace_period" => "write it by hand: terminationGracePeriodSeconds, stop_grace_period",
        "container_name" => "names are made by the orchestrator there",
        "profiles" => "there is no such switch; leave the service out, or set its replicas to 0",
        "secrets" | "configs" => "their content is outside the file",
        key if CARRIED.contains(&key) || key.starts_with("x-") => return None,
        "privileged" | "devices" | "security_opt" | "network_mode" | "pid" | "ipc"
        | "cgroup_parent" | "userns_mode" | "shm_size" | "links" | "external_links"
        | "mac_address" | "domainname"
            if target == Target::Stack =>
        {
            "docker stack deploy ignores it"
        }
        _ => "it has no counterpart in the draft",
    })
}

fn deploy_reason(key: &str, target: Target) -> &'static str {
    match (key, target) {
        ("placement", Target::Kubernetes) => {
            "write nodeSelector, affinity or topologySpreadConstraints by hand"
        }
        ("update_config" | "rollback_config", Target::Kubernetes) => {
            "a Deployment's strategy is rolling: 25 % surge, 25 % unavailable"
        }
        ("placement" | "update_config" | "rollback_config", Target::Compose) => {
            "Compose has one machine and no rolling update"
        }
        ("endpoint_mode", _) => "the name leads to one address there",
        _ => "it has no counterpart in the draft",
    }
}

/// What a service's mode and restart policy mean on the other side.
fn modes(
    document: &Node,
    source: &Source,
    workload: &mut Workload,
    target: Target,
    lost: &mut Vec<Lost>,
) {
    let Some(service) = document.path(&["services", &workload.name]) else {
        return;
    };
    match service.path(&["deploy", "mode"]).and_then(Node::as_str) {
        Some("global") => workload.course = Course::Everywhere,
        Some("replicated-job" | "global-job") => workload.course = Course::Once,
        _ => {}
    }
    let never = match service.entry("restart") {
        Some(entry)
            if entry
                .value
                .scalar_text()
                .is_some_and(|text| matches!(&*text, "no" | "false")) =>
        {
            Some(entry)
        }
        _ => None,
    };
    if let Some(entry) =
        never.filter(|_| workload.course == Course::Forever && target == Target::Kubernetes)
    {
        let what = format!("service {} restart", workload.name);
        lost.push(place(
            source,
            entry,
            what,
            "a Deployment's pods are always started again",
        ));
    }
    if target == Target::Compose
        && workload.replicas > 1
        && workload.ports.iter().any(|port| port.published.is_some())
    {
        if let Some(entry) = service
            .get("deploy")
            .and_then(|deploy| deploy.entry("replicas"))
        {
            let what = format!("service {} deploy.replicas", workload.name);
            lost.push(place(
                source,
                entry,
                what,
                "1 instead: on one machine only one container can have the published port",
            ));
        }
        workload.replicas = 1;
    }
}
