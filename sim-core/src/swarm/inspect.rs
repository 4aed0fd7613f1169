//! Objects as the Docker API shows them: `docker service inspect`, `docker inspect TASK`,
//! `docker node inspect`. Source: moby `api/types/swarm`, `daemon/cluster/convert`.
//!
//! Rendered on demand from rows; fields that are not modelled are left out.

use std::sync::Arc;

use crate::api::health::{HealthCheck, HealthTest};
use crate::api::resources::ResourceAmounts;
use crate::api::swarm::options::FileTarget;
use crate::api::swarm::service::{
    ContainerSpec, EndpointMode, FailureAction, MountKind, PortProtocol, PublishMode,
    PublishedPort, RestartCondition, ServiceMode, ServiceSpec, TaskSpec, UpdateConfig, UpdateOrder,
};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbols;
use crate::base::time::{SimDuration, SimTime};
use crate::manifest::value::Value;
use crate::substrate::Substrate;
use crate::swarm::SwarmPlane;
use crate::swarm::control_api::Kind;
use crate::swarm::identity::Identity;
use crate::swarm::store::{NodeId, ServiceId, TaskError, TaskId};
use crate::swarm::view::error_text;

/// Version that engine and client say they have.
pub const ENGINE_VERSION: &str = "29.7.2";

type Fields = Vec<(&'static str, Value)>;

impl SwarmPlane {
    /// A service as `docker service inspect` shows it.
    pub fn inspect_service(&self, id: ServiceId) -> Option<Value> {
        let service = self.store.service(id)?;
        let mut fields: Fields = vec![
            ("ID", text(&service.identity.text())),
            ("Version", object(vec![("Index", number(service.version))])),
            ("CreatedAt", time(service.created_at)),
            ("UpdatedAt", time(service.updated_at)),
            ("Spec", self.spec(&service.spec)),
        ];
        if let Some((previous, _)) = &service.previous {
            fields.push(("PreviousSpec", self.spec(previous)));
        }
        let mut endpoint: Fields = vec![("Spec", endpoint_spec(&service.spec))];
        if !service.ports.is_empty() {
            endpoint.push(("Ports", ports(&service.ports)));
        }
        if !service.virtual_addresses.is_empty() {
            let addresses = service.virtual_addresses.iter().map(|(network, address)| {
                let id = self
                    .store
                    .networks
                    .get(network)
                    .map(|network| network.identity.text())
                    .unwrap_or_default();
                object(vec![
                    ("NetworkID", text(&id)),
                    ("Addr", text(&format!("{}/24", address_text(*address)))),
                ])
            });
            endpoint.push(("VirtualIPs", Value::list(addresses.collect())));
        }
        fields.push(("Endpoint", object(endpoint)));
        if let Some(status) = &service.update_status {
            let mut update: Fields = vec![
                ("State", text(status.state.word())),
                ("StartedAt", time(status.started_at)),
            ];
            if let Some(at) = status.completed_at {
                update.push(("CompletedAt", time(at)));
            }
            update.push(("Message", text(&status.message)));
            fields.push(("UpdateStatus", object(update)));
        }
        if service.is_job() {
            fields.push((
                "JobStatus",
                object(vec![(
                    "JobIteration",
                    object(vec![("Index", number(service.job_iteration))]),
                )]),
            ));
        }
        Some(object(fields))
    }

    /// A task as `docker inspect` shows it.
    pub fn inspect_task(
        &self,
        id: TaskId,
        symbols: &Symbols,
        machines: &Substrate,
    ) -> Option<Value> {
        let row = self.store.tasks.get(id)?;
        let template = self.store.template(row.template);
        let service = self
            .store
            .service(row.service)
            .map(|service| service.identity.text());
        let mut fields: Fields = vec![
            ("ID", text(&row.identity.text())),
            ("Version", object(vec![("Index", number(row.version))])),
            ("CreatedAt", time(row.created_at)),
            ("UpdatedAt", time(row.status_at)),
            (
                "Name",
                text(&format!("{}.{}", self.task_name(row), row.identity.text())),
            ),
            ("Labels", object(Vec::new())),
            ("Spec", self.task_spec(&template.spec.task)),
            ("ServiceID", text(&service.unwrap_or_default())),
        ];
        if row.slot != 0 {
            fields.push(("Slot", number(u64::from(row.slot))));
        }
        if let Some(node) = row.node.and_then(|node| self.store.node(node)) {
            fields.push(("NodeID", text(&node.identity.text())));
        }
        let mut status: Fields = vec![
            ("Timestamp", time(self.status_time(id, machines))),
            ("State", text(row.state.word())),
            ("Message", text(row.message.text())),
        ];
        let error = error_text(row.error, symbols);
        if !error.is_empty() {
            status.push(("Err", text(&error)));
        }
        if row.container.is_some() {
            let code = match row.error {
                TaskError::Exit(code) | TaskError::Unhealthy(code) => code,
                TaskError::None | TaskError::Text(_) | TaskError::Enforced => 0,
            };
            status.push((
                "ContainerStatus",
                object(vec![("ExitCode", Value::Int(i64::from(code)))]),
            ));
        }
        fields.push(("Status", object(status)));
        fields.push(("DesiredState", text(row.desired.word())));
        Some(object(fields))
    }

    /// A node as `docker node inspect` shows it.
    pub fn inspect_node(&self, id: NodeId) -> Option<Value> {
        let node = self.store.node(id)?;
        let mut resources: Fields = vec![
            ("NanoCPUs", number(node.cpu_milli * 1_000_000)),
            ("MemoryBytes", number(node.memory_bytes)),
        ];
        if !node.generic.is_empty() {
            resources.push(("GenericResources", generic(&node.generic)));
        }
        let mut status: Fields = vec![("State", text(node.state.word()))];
        if !node.message.is_empty() {
            status.push(("Message", text(node.message)));
        }
        status.push(("Addr", text(&node.address)));
        let mut fields: Fields = vec![
            ("ID", text(&node.identity.text())),
            ("Version", object(vec![("Index", number(node.version))])),
            ("CreatedAt", time(node.created_at)),
            ("UpdatedAt", time(node.updated_at)),
            (
                "Spec",
                object(vec![
                    ("Labels", labels(&node.labels)),
                    ("Role", text(node.role.word())),
                    ("Availability", text(node.availability.word())),
                ]),
            ),
            (
                "Description",
                object(vec![
                    ("Hostname", text(&node.hostname)),
                    (
                        "Platform",
                        object(vec![
                            ("Architecture", text(&node.architecture)),
                            ("OS", text(&node.os)),
                        ]),
                    ),
                    ("Resources", object(resources)),
                    (
                        "Engine",
                        object(vec![
                            ("EngineVersion", text(ENGINE_VERSION)),
                            ("Labels", labels(&node.engine_labels)),
                        ]),
                    ),
                ]),
            ),
            ("Status", object(status)),
        ];
        if self.is_member(id) {
            let mut manager: Fields = Vec::new();
            if self.leader() == Some(id) {
                manager.push(("Leader", Value::Bool(true)));
            }
            let reachability = if self.is_reachable(id) {
                "reachable"
            } else {
                "unreachable"
            };
            manager.push(("Reachability", text(reachability)));
            manager.push(("Addr", text(&format!("{}:2377", node.address))));
            fields.push(("ManagerStatus", object(manager)));
        }
        Some(object(fields))
    }

    /// A network, secret or config as its `inspect` shows it.
    pub fn inspect_named(&self, kind: Kind, name: &str) -> Option<Value> {
        let named = self.named(kind).get(name)?;
        let id = text(&named.identity.text());
        let created = time(named.created_at);
        Some(match kind {
            Kind::Network => object(vec![
                ("Name", text(name)),
                ("Id", id),
                ("Created", created),
                ("Scope", text("swarm")),
                ("Driver", text("overlay")),
                ("Ingress", Value::Bool(name == "ingress")),
                (
                    "IPAM",
                    object(vec![(
                        "Config",
                        Value::list(vec![object(vec![
                            (
                                "Subnet",
                                text(&format!("{}/24", address_text(named.subnet))),
                            ),
                            ("Gateway", text(&address_text(named.subnet + 1))),
                        ])]),
                    )]),
                ),
                ("Labels", labels(&named.labels)),
            ]),
            Kind::Secret | Kind::Config => object(vec![
                ("ID", id),
                ("Version", object(vec![("Index", number(named.version))])),
                ("CreatedAt", created.clone()),
                ("UpdatedAt", created),
                (
                    "Spec",
                    object(vec![
                        ("Name", text(name)),
                        ("Labels", labels(&named.labels)),
                    ]),
                ),
            ]),
        })
    }

    fn spec(&self, spec: &ServiceSpec) -> Value {
        let mode = match spec.mode {
            ServiceMode::Replicated { replicas } => (
                "Replicated",
                object(vec![("Replicas", number(u64::from(replicas)))]),
            ),
            ServiceMode::Global => ("Global", object(Vec::new())),
            ServiceMode::ReplicatedJob {
                total_completions,
                max_concurrent,
            } => (
                "ReplicatedJob",
                object(vec![
                    ("MaxConcurrent", number(u64::from(max_concurrent))),
                    ("TotalCompletions", number(u64::from(total_completions))),
                ]),
            ),
            ServiceMode::GlobalJob => ("GlobalJob", object(Vec::new())),
        };
        let mut fields: Fields = vec![
            ("Name", text(&spec.name)),
            ("Labels", labels(&spec.labels)),
            ("TaskTemplate", self.task_spec(&spec.task)),
            ("Mode", object(vec![mode])),
        ];
        if !matches!(
            spec.mode,
            ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob
        ) {
            fields.push(("UpdateConfig", update_config(&spec.update_config)));
            fields.push(("RollbackConfig", update_config(&spec.rollback_config)));
        }
        fields.push(("EndpointSpec", endpoint_spec(spec)));
        object(fields)
    }

    fn task_spec(&self, task: &TaskSpec) -> Value {
        let container = &task.container;
        let mut fields: Fields = vec![("Image", text(&container.image))];
        if !container.command.is_empty() {
            fields.push(("Command", texts(&container.command)));
        }
        if !container.args.is_empty() {
            fields.push(("Args", texts(&container.args)));
        }
        if !container.env.is_empty() {
            let env = container
                .env
                .iter()
                .map(|(name, value)| text(&format!("{name}={value}")));
            fields.push(("Env", Value::list(env.collect())));
        }
        if !container.mounts.is_empty() {
            let mounts = container.mounts.iter().map(|mount| {
                let kind = match mount.kind {
                    MountKind::Bind => "bind",
                    MountKind::Volume => "volume",
                    MountKind::Tmpfs => "tmpfs",
                };
                let mut fields: Fields = vec![
                    ("Type", text(kind)),
                    ("Source", text(&mount.source)),
                    ("Target", text(&mount.target)),
                ];
                if mount.read_only {
                    fields.push(("ReadOnly", Value::Bool(true)));
                }
                object(fields)
            });
            fields.push(("Mounts", Value::list(mounts.collect())));
        }
        fields.push(("StopGracePeriod", nanos(container.stop_grace_period)));
        if let Some(check) = &container.health_check {
            fields.push(("Healthcheck", health_check(check)));
        }
        container_options(container, &mut fields);
        for (key, id_key, name_key, names, kind) in [
            (
                "Secrets",
                "SecretID",
                "SecretName",
                &container.secrets,
                Kind::Secret,
            ),
            (
                "Configs",
                "ConfigID",
                "ConfigName",
                &container.configs,
                Kind::Config,
            ),
        ] {
            if !names.is_empty() {
                let grants = names
                    .iter()
                    .map(|name| self.grant(container, kind, name, id_key, name_key));
                fields.push((key, Value::list(grants.collect())));
            }
        }
        let policy = &task.restart_policy;
        let condition = match policy.condition {
            RestartCondition::None => "none",
            RestartCondition::OnFailure => "on-failure",
            RestartCondition::Any => "any",
        };
        let mut restart: Fields = vec![
            ("Condition", text(condition)),
            ("Delay", nanos(policy.delay)),
            ("MaxAttempts", number(policy.max_attempts)),
        ];
        if !policy.window.is_zero() {
            restart.push(("Window", nanos(policy.window)));
        }
        let mut placement: Fields = Vec::new();
        if !task.placement.constraints.is_empty() {
            placement.push(("Constraints", texts(&task.placement.constraints)));
        }
        if !task.placement.preferences.is_empty() {
            let preferences = task.placement.preferences.iter();
            let preferences = preferences.map(|label| {
                object(vec![(
                    "Spread",
                    object(vec![("SpreadDescriptor", text(label))]),
                )])
            });
            placement.push(("Preferences", Value::list(preferences.collect())));
        }
        if task.placement.max_replicas_per_node != 0 {
            placement.push(("MaxReplicas", number(task.placement.max_replicas_per_node)));
        }
        if !task.placement.platforms.is_empty() {
            let platforms = task.placement.platforms.iter().map(|platform| {
                object(vec![
                    ("Architecture", text(&platform.architecture)),
                    ("OS", text(&platform.os)),
                ])
            });
            placement.push(("Platforms", Value::list(platforms.collect())));
        }
        let mut all: Fields = vec![
            ("ContainerSpec", object(fields)),
            (
                "Resources",
                object(vec![
                    ("Limits", limits(task)),
                    ("Reservations", amounts(&task.resources.requests)),
                ]),
            ),
            ("RestartPolicy", object(restart)),
            ("Placement", object(placement)),
        ];
        if !task.networks.is_empty() {
            let networks = task.networks.iter().map(|network| {
                // The client sends identifiers.
                let id = self.network_identity(network);
                let id = id.map_or_else(|| network.to_string(), Identity::text);
                object(vec![("Target", text(&id))])
            });
            all.push(("Networks", Value::list(networks.collect())));
        }
        if let Some(driver) = &task.container.options.log_driver {
            let mut fields: Fields = Vec::new();
            if !driver.name.is_empty() {
                fields.push(("Name", text(&driver.name)));
            }
            if !driver.options.is_empty() {
                fields.push(("Options", labels(&driver.options)));
            }
            all.push(("LogDriver", object(fields)));
        }
        all.push(("ForceUpdate", number(task.force_update)));
        all.push(("Runtime", text("container")));
        object(all)
    }

    /// A secret or config as a task's file.
    fn grant(
        &self,
        container: &ContainerSpec,
        kind: Kind,
        name: &Arc<str>,
        id_key: &'static str,
        name_key: &'static str,
    ) -> Value {
        let files = match kind {
            Kind::Config => &container.options.config_files,
            Kind::Secret | Kind::Network => &container.options.secret_files,
        };
        let file = files.get(name).cloned();
        let file = file.unwrap_or_else(|| FileTarget::named(name));
        let id = self.named(kind).get(name);
        let id = id.map(|named| named.identity.text()).unwrap_or_default();
        object(vec![
            (
                "File",
                object(vec![
                    ("Name", text(&file.name)),
                    ("UID", text(&file.uid)),
                    ("GID", text(&file.gid)),
                    ("Mode", number(u64::from(file.mode))),
                ]),
            ),
            (id_key, text(&id)),
            (name_key, text(name)),
        ])
    }
}

fn endpoint_spec(spec: &ServiceSpec) -> Value {
    let mode = match spec.endpoint_mode {
        EndpointMode::Vip => "vip",
        EndpointMode::Dnsrr => "dnsrr",
    };
    let mut fields: Fields = vec![("Mode", text(mode))];
    if !spec.ports.is_empty() {
        fields.push(("Ports", ports(&spec.ports)));
    }
    object(fields)
}

fn ports(ports: &[PublishedPort]) -> Value {
    let ports = ports.iter().map(|port| {
        let protocol = match port.protocol {
            PortProtocol::Tcp => "tcp",
            PortProtocol::Udp => "udp",
            PortProtocol::Sctp => "sctp",
        };
        let mut fields: Fields = vec![
            ("Protocol", text(protocol)),
            ("TargetPort", number(u64::from(port.target))),
        ];
        if port.published != 0 {
            fields.push(("PublishedPort", number(u64::from(port.published))));
        }
        let mode = match port.mode {
            PublishMode::Ingress => "ingress",
            PublishMode::Host => "host",
        };
        fields.push(("PublishMode", text(mode)));
        object(fields)
    });
    Value::list(ports.collect())
}

/// Fields of the container that the swarm only carries.
fn container_options(container: &ContainerSpec, fields: &mut Fields) {
    let options = &container.options;
    for (key, value) in [
        ("Hostname", &options.hostname),
        ("Dir", &options.directory),
        ("User", &options.user),
        ("StopSignal", &options.stop_signal),
    ] {
        if !value.is_empty() {
            fields.push((key, text(value)));
        }
    }
    if !options.labels.is_empty() {
        fields.push(("Labels", labels(&options.labels)));
    }
    for (key, list) in [
        ("Groups", &options.groups),
        ("Hosts", &options.hosts),
        ("CapabilityAdd", &options.capabilities_add),
        ("CapabilityDrop", &options.capabilities_drop),
    ] {
        if !list.is_empty() {
            fields.push((key, texts(list)));
        }
    }
    for (key, on) in [("TTY", options.tty), ("ReadOnly", options.read_only)] {
        if on {
            fields.push((key, Value::Bool(true)));
        }
    }
    if let Some(init) = options.init {
        fields.push(("Init", Value::Bool(init)));
    }
    let mut resolver: Fields = Vec::new();
    for (key, list) in [
        ("Nameservers", &options.dns_servers),
        ("Search", &options.dns_search),
        ("Options", &options.dns_options),
    ] {
        if !list.is_empty() {
            resolver.push((key, texts(list)));
        }
    }
    if !resolver.is_empty() {
        fields.push(("DNSConfig", object(resolver)));
    }
    if !options.sysctls.is_empty() {
        fields.push(("Sysctls", labels(&options.sysctls)));
    }
    if !options.ulimits.is_empty() {
        let limits = options.ulimits.iter().map(|(name, (soft, hard))| {
            object(vec![
                ("Name", text(name)),
                ("Hard", Value::Int(*hard)),
                ("Soft", Value::Int(*soft)),
            ])
        });
        fields.push(("Ulimits", Value::list(limits.collect())));
    }
    if options.oom_score_adjustment != 0 {
        fields.push(("OomScoreAdj", Value::Int(options.oom_score_adjustment)));
    }
}

fn limits(task: &TaskSpec) -> Value {
    let mut fields = amount_fields(&task.resources.limits);
    if task.container.options.pids_limit != 0 {
        fields.push(("Pids", Value::Int(task.container.options.pids_limit)));
    }
    object(fields)
}

fn health_check(check: &HealthCheck) -> Value {
    let mut fields: Fields = Vec::new();
    match &check.test {
        None => {}
        Some(HealthTest::Disabled) => fields.push(("Test", Value::list(vec![text("NONE")]))),
        Some(HealthTest::Shell(line)) => {
            fields.push(("Test", Value::list(vec![text("CMD-SHELL"), text(line)])))
        }
        Some(HealthTest::Command(words)) => {
            let words = std::iter::once(text("CMD")).chain(words.iter().map(|word| text(word)));
            fields.push(("Test", Value::list(words.collect())));
        }
    }
    for (key, span) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ] {
        if !span.is_zero() {
            fields.push((key, nanos(span)));
        }
    }
    if check.retries != 0 {
        fields.push(("Retries", number(u64::from(check.retries))));
    }
    object(fields)
}

fn update_config(config: &UpdateConfig) -> Value {
    let action = match config.failure_action {
        FailureAction::Pause => "pause",
        FailureAction::Continue => "continue",
        FailureAction::Rollback => "rollback",
    };
    let order = match config.order {
        UpdateOrder::StopFirst => "stop-first",
        UpdateOrder::StartFirst => "start-first",
    };
    let mut fields: Fields = vec![("Parallelism", number(config.parallelism))];
    if !config.delay.is_zero() {
        fields.push(("Delay", nanos(config.delay)));
    }
    fields.push(("FailureAction", text(action)));
    fields.push(("Monitor", nanos(config.monitor)));
    fields.push((
        "MaxFailureRatio",
        millionths(config.max_failure_ratio_millionths),
    ));
    fields.push(("Order", text(order)));
    object(fields)
}

fn amounts(amounts: &ResourceAmounts) -> Value {
    object(amount_fields(amounts))
}

fn amount_fields(amounts: &ResourceAmounts) -> Fields {
    let mut fields: Fields = Vec::new();
    if let Some(milli) = amounts.cpu_milli.filter(|milli| *milli != 0) {
        fields.push(("NanoCPUs", number(milli * 1_000_000)));
    }
    if let Some(bytes) = amounts.memory_bytes.filter(|bytes| *bytes != 0) {
        fields.push(("MemoryBytes", number(bytes)));
    }
    if !amounts.extended.is_empty() {
        fields.push(("GenericResources", generic(&amounts.extended)));
    }
    fields
}

fn generic(amounts: &SortedMap<Arc<str>, u64>) -> Value {
    let list = amounts.iter().map(|(kind, amount)| {
        object(vec![(
            "DiscreteResourceSpec",
            object(vec![("Kind", text(kind)), ("Value", number(*amount))]),
        )])
    });
    Value::list(list.collect())
}

fn labels(labels: &SortedMap<Arc<str>, Arc<str>>) -> Value {
    Value::object(labels.iter().map(|(key, value)| (key.clone(), text(value))))
}

fn object(fields: Fields) -> Value {
    Value::object(fields)
}

fn text(text: &str) -> Value {
    Value::string(text)
}

fn texts(texts: &[Arc<str>]) -> Value {
    Value::list(texts.iter().map(|item| text(item)).collect())
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A duration as the API writes it: nanoseconds.
fn nanos(span: SimDuration) -> Value {
    number(span.as_micros().saturating_mul(1000))
}

fn time(time: SimTime) -> Value {
    text(&time.rfc3339_nano())
}

fn millionths(ratio: u32) -> Value {
    if ratio.is_multiple_of(1_000_000) {
        return number(u64::from(ratio / 1_000_000));
    }
    let digits = format!("{:06}", ratio % 1_000_000);
    Value::Number(format!("{}.{}", ratio / 1_000_000, digits.trim_end_matches('0')).into())
}

fn address_text(address: u32) -> String {
    let [a, b, c, d] = address.to_be_bytes();
    format!("{a}.{b}.{c}.{d}")
}
