//! From a pod's containers to what machines run: defaults and probe meaning belong to this side.

use std::sync::Arc;

use crate::api::kube::container::{Container, ImagePullPolicy, RestartAction, RestartRule};
use crate::api::kube::pod::RestartPolicy;
use crate::api::kube::probe::{Probe, ProbeHandler};
use crate::api::kube::service::PortTarget;
use crate::api::resources::ResourceAmounts;
use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::base::resources::ResourceVector;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SimDuration;
use crate::kube::render::token::{TOKEN_PATH, TOKEN_VOLUME};
use crate::kube::template::PodTemplate;
use crate::manifest::value::Value;
use crate::substrate::Substrate;
use crate::substrate::cgroup::settings::{GroupSettings, OomScore};
use crate::substrate::order::{ContainerSpec, ProbeAction, ProbePacing, ProbeSpec, PullPolicy};
use crate::substrate::root_fs::{From, Mount, RootSpec};

use super::content::{self, PROVIDED, Source};
use super::files;
use super::hooks::{self, HookRun};
use super::needs::{self, Need};
use super::resources::{self, ResourceSettings};

/// Number of the startup probe.
pub const STARTUP: u8 = 0;
/// Number of the liveness probe.
pub const LIVENESS: u8 = 1;
/// Number of the readiness probe.
pub const READINESS: u8 = 2;

/// One container, ready to be ordered.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// What the machine gets.
    pub spec: Arc<ContainerSpec>,
    /// Its name.
    pub name: Symbol,
    /// Its image as written.
    pub image: Symbol,
    /// When the image is pulled.
    pub pull: PullPolicy,
    /// Whether it is an init container that runs to its end.
    pub init: bool,
    /// Whether it is a sidecar.
    pub sidecar: bool,
    /// Its own policy, and the exit codes that precede it.
    pub restart: Option<RestartPolicy>,
    /// As above.
    pub restart_rules: Arc<[RestartRule]>,
    /// Whether it was added to look inside: it counts for nothing and is never started again.
    pub ephemeral: bool,
    /// The hook after its start.
    pub post_start: HookRun,
    /// The hook before its stop.
    pub pre_stop: HookRun,
    /// Objects that its variables are taken from.
    pub variables: Arc<[Need]>,
    /// What its pod takes something from; none: nothing.
    pub sources: Option<Arc<[Source]>>,
    /// Probes, if it has them.
    pub startup: Option<Probe>,
    /// As above.
    pub liveness: Option<Probe>,
    /// As above.
    pub readiness: Option<Probe>,
}

impl Lowered {
    /// What its rules say of an exit; the first that matches counts.
    /// Source: `pkg/api/v1/pod/util.go` (`FindMatchingContainerRestartRule`).
    pub fn action_after(&self, code: i32) -> Option<RestartAction> {
        let rule = self.restart_rules.iter().find(|rule| rule.matches(code));
        rule.map(|rule| rule.action)
    }
}

/// The containers of a template, init containers first, ephemeral ones last.
pub fn containers(
    template: &PodTemplate,
    token: bool,
    settings: &ResourceSettings,
    (machines, symbols): (&Substrate, &mut Symbols),
) -> Arc<[Lowered]> {
    let spec = &template.spec;
    let sources = content::sources(template);
    let init = spec
        .init_containers
        .iter()
        .map(|container| (container, true));
    let all = init.chain(spec.containers.iter().map(|container| (container, false)));
    let mut make = |container: &Container, init: bool| {
        let (group, oom) = resources::container(template, container, settings);
        let root = root(template, container, token);
        let needs = (group, oom);
        Lowered {
            sources: sources.clone(),
            ..lowered(template, container, init, needs, root, symbols)
        }
    };
    let mut list: Vec<Lowered> = all.map(|(container, init)| make(container, init)).collect();
    let ephemeral = spec.ephemeral_containers.iter();
    let ephemeral = ephemeral.map(|container| Lowered {
        ephemeral: true,
        ..make(container, false)
    });
    let ephemeral: Vec<Lowered> = ephemeral.collect();
    open(template, &mut list, machines, symbols);
    list.extend(ephemeral);
    list.into()
}

fn lowered(
    template: &PodTemplate,
    container: &Container,
    init: bool,
    (group, oom): (GroupSettings, OomScore),
    root: RootSpec,
    symbols: &mut Symbols,
) -> Lowered {
    let name = symbols.intern(&container.name);
    let image = symbols.intern(&container.image);
    let mut environment: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    let has_sources = content::sources(template).is_some();
    for (name, value) in &container.env {
        let value = files::expand(value, &|name| files::among(&environment, name));
        environment.retain(|(known, _)| known != name);
        environment.push((name.clone(), value.into()));
    }
    environment.arrange();
    // What takes something from elsewhere is completed when it is started.
    let words = |words: &[Arc<str>]| -> Arc<[Arc<str>]> {
        if has_sources || !words.iter().any(|word| word.contains('$')) {
            return words.into();
        }
        files::expanded(words, &environment)
    };
    let (command, arguments) = (words(&container.command), words(&container.args));
    let runs_on = !init || container.sidecar;
    let probes = [
        (STARTUP, &container.startup_probe),
        (LIVENESS, &container.liveness_probe),
        (READINESS, &container.readiness_probe),
    ];
    let gate = container.startup_probe.as_ref().map(|_| STARTUP);
    let spec = ContainerSpec {
        name,
        image,
        command,
        arguments,
        environment: environment.into(),
        ports: ports(container),
        any_but: None,
        requests: amounts(&container.resources.requests, symbols),
        limits: amounts(&container.resources.limits, symbols),
        group,
        oom,
        mounts: Arc::from([]),
        root: Arc::new(root),
        joins: (container.target.as_deref()).map(|name| symbols.intern(name)),
        probes: probes
            .into_iter()
            .filter(|_| runs_on)
            .filter_map(|(which, probe)| Some(probe_spec(which, probe.as_ref()?, gate, container)))
            .collect(),
    };
    let probe_of = |probe: &Option<Probe>| if runs_on { probe.clone() } else { None };
    Lowered {
        spec: Arc::new(spec),
        name,
        image,
        pull: match container.image_pull_policy {
            ImagePullPolicy::Always => PullPolicy::Always,
            ImagePullPolicy::IfNotPresent => PullPolicy::IfNotPresent,
            ImagePullPolicy::Never => PullPolicy::Never,
        },
        init: init && !container.sidecar,
        sidecar: container.sidecar,
        restart: container.restart,
        restart_rules: container.restart_rules.as_slice().into(),
        ephemeral: false,
        post_start: hooks::run(container.post_start.as_ref()),
        pre_stop: hooks::run(container.pre_stop.as_ref()),
        variables: needs::of_variables(template, &container.name),
        sources: None,
        startup: probe_of(&container.startup_probe),
        liveness: probe_of(&container.liveness_probe),
        readiness: probe_of(&container.readiness_probe),
    }
}

/// Ports that a container says it has: those of its list, and where its probes ask. `containerPort` only tells; what is left out of it can be asked nevertheless.
fn ports(container: &Container) -> Arc<[u16]> {
    let declared = container.ports.iter().map(|port| port.container_port);
    let probes = [
        &container.startup_probe,
        &container.liveness_probe,
        &container.readiness_probe,
    ];
    let asked = probes.into_iter().flatten();
    let asked = asked.filter_map(|probe| match &probe.handler {
        ProbeHandler::HttpGet { port, .. } | ProbeHandler::TcpSocket { port } => match port {
            PortTarget::Number(port) => Some(*port),
            PortTarget::Name(_) => None,
        },
        ProbeHandler::Grpc { port } => Some(*port),
        ProbeHandler::Exec { .. } => None,
    });
    declared.chain(asked).collect()
}

/// Of the containers that list no ports, the first whose program nobody knows is taken to listen at all that
/// no other container has that runs beside it. A script that asks before it starts its program comes after
/// those that start theirs at once.
fn open(template: &PodTemplate, list: &mut [Lowered], machines: &Substrate, symbols: &Symbols) {
    let inits = template.spec.init_containers.len();
    let lists_none = |at: &usize| template.spec.containers[*at].ports.is_empty();
    let silent = (0..template.spec.containers.len()).filter(lists_none);
    let openness = |at: usize| {
        let spec = &list[inits + at].spec;
        Some((machines.openness(spec, symbols)?, inits + at))
    };
    let Some((_, first)) = silent.filter_map(openness).min() else {
        return;
    };
    let beside = list.iter().filter(|one| !one.init);
    let taken = beside.flat_map(|one| machines.ports_of(&one.spec, symbols));
    let taken: Arc<[u16]> = taken.collect();
    Arc::make_mut(&mut list[first].spec).any_but = Some(taken);
}

/// What is mounted into a container. A claim's volume is named by the claim here; what it is bound to
/// is looked up when the container starts.
fn root(template: &PodTemplate, container: &Container, token: bool) -> RootSpec {
    let list = |path: &[&str]| template.document.path(path).and_then(Value::as_list);
    let named = |list: Option<&[Value]>, name: &str| {
        let mut all = list.into_iter().flatten();
        all.find(|item| item.str_at(&["name"]) == Some(name))
            .cloned()
    };
    let own = named(list(&["spec", "containers"]), &container.name)
        .or_else(|| named(list(&["spec", "initContainers"]), &container.name))
        .or_else(|| named(list(&["spec", "ephemeralContainers"]), &container.name))
        .unwrap_or_default();
    let flag =
        |value: &Value, path: &[&str]| value.path(path).and_then(Value::as_bool) == Some(true);
    let mounts = own.path(&["volumeMounts"]).and_then(Value::as_list);
    let mount = |mount: &Value| {
        let name = mount.str_at(&["name"])?;
        let volume = named(list(&["spec", "volumes"]), name)?;
        let sub = mount.str_at(&["subPath"]).unwrap_or("");
        let from = source(name, &volume);
        // A path of such a volume is mounted as it is when the container is made, and stays so.
        let from = match from {
            From::Provided(_) if !sub.is_empty() => {
                From::Provided(format!("{name}/{}", container.name).into())
            }
            from => from,
        };
        Some(Mount {
            target: mount.str_at(&["mountPath"])?.trim_end_matches('/').into(),
            read_only: flag(mount, &["readOnly"]) || matches!(from, From::Provided(_)),
            from,
            sub: sub.trim_matches('/').into(),
        })
    };
    let mut mounts: Vec<Mount> = mounts.into_iter().flatten().filter_map(mount).collect();
    // Containers that are added later have no token.
    let has_own = mounts.iter().any(|mount| *mount.target == *TOKEN_PATH);
    let is_added = template.spec.ephemeral_containers.contains(container);
    if token && !has_own && !is_added {
        mounts.push(Mount {
            target: TOKEN_PATH.into(),
            from: From::Provided(TOKEN_VOLUME.into()),
            sub: "".into(),
            read_only: true,
        });
    }
    RootSpec {
        mounts,
        read_only: flag(&own, &["securityContext", "readOnlyRootFilesystem"]),
        init: false,
        stdin: flag(&own, &["stdin"]),
    }
}

fn source(name: &str, volume: &Value) -> From {
    if let Some(path) = volume.str_at(&["hostPath", "path"]) {
        return From::Machine(path.into());
    }
    if volume.str_at(&["emptyDir", "medium"]) == Some("Memory") {
        let limit = volume
            .path(&["emptyDir", "sizeLimit"])
            .and_then(|value| {
                let text = value.as_str().map(str::to_owned);
                let text = text.or_else(|| value.as_i64().map(|bytes| bytes.to_string()))?;
                Quantity::parse(&text).ok()
            })
            .and_then(|quantity| u64::try_from(quantity.value()).ok());
        return From::Shared(name.into(), limit.unwrap_or(0));
    }
    if PROVIDED.iter().any(|kind| volume.get(kind).is_some()) {
        return From::Provided(name.into());
    }
    match volume.str_at(&["persistentVolumeClaim", "claimName"]) {
        Some(claim) => From::Volume(claim.into()),
        None => From::Sandbox(name.into()),
    }
}

/// Initial results and gating as in `pkg/kubelet/prober/worker.go`.
fn probe_spec(which: u8, probe: &Probe, gate: Option<u8>, container: &Container) -> ProbeSpec {
    let port = |target: &PortTarget| match target {
        PortTarget::Number(number) => *number,
        PortTarget::Name(name) => container
            .ports
            .iter()
            .find(|port| port.name == *name)
            .map_or(0, |port| port.container_port),
    };
    let seconds = |value: u32| SimDuration::from_secs(u64::from(value));
    ProbeSpec {
        which,
        action: match &probe.handler {
            ProbeHandler::HttpGet { port: target, path } => ProbeAction::Http {
                port: port(target),
                path: path.clone(),
            },
            ProbeHandler::TcpSocket { port: target } => ProbeAction::Tcp { port: port(target) },
            ProbeHandler::Grpc { port } => ProbeAction::Grpc { port: *port },
            // Only with variables that the spec gives a value.
            // Source: `pkg/kubelet/container/helpers.go` (`ExpandContainerCommandOnlyStatic`).
            ProbeHandler::Exec { command } => ProbeAction::Exec {
                command: files::expanded(command, &container.env),
            },
        },
        initial_delay: seconds(probe.initial_delay_seconds),
        period: seconds(probe.period_seconds.max(1)),
        timeout: seconds(probe.timeout_seconds.max(1)),
        success_threshold: probe.success_threshold.max(1),
        failure_threshold: probe.failure_threshold.max(1),
        start_period: SimDuration::ZERO,
        start_interval: SimDuration::ZERO,
        pacing: ProbePacing::Ticks,
        initial: match which {
            LIVENESS => Some(true),
            READINESS => Some(false),
            _ => None,
        },
        after: if which == STARTUP { None } else { gate },
        once: which == STARTUP,
        each: true,
    }
}

fn amounts(amounts: &ResourceAmounts, symbols: &mut Symbols) -> ResourceVector {
    let clamp = |value: Option<u64>| i64::try_from(value.unwrap_or(0)).unwrap_or(i64::MAX);
    let mut vector = ResourceVector {
        milli_cpu: clamp(amounts.cpu_milli),
        memory: clamp(amounts.memory_bytes),
        ephemeral_storage: clamp(amounts.ephemeral_storage_bytes),
        ..ResourceVector::default()
    };
    for (name, amount) in &amounts.extended {
        vector.set_extended(symbols.intern(name), clamp(Some(*amount)));
    }
    vector
}
