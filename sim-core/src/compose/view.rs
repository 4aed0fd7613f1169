//! What `docker inspect` and `docker ps` show of a container, made from the engine's rows.

use std::sync::Arc;

use crate::api::compose::service::Restart;
use crate::api::health::HealthTest;
use crate::api::swarm::service::MountKind;
use crate::base::arrange::Arrange;
use crate::base::rng::{Seed, Stream, stable_hash};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbols;
use crate::base::time::{SimDuration, SimTime};
use crate::manifest::value::Value;
use crate::substrate::Substrate;
use crate::substrate::catalogue::start::start;
use crate::substrate::image::{self, ImageRef};
use crate::substrate::process::container_pid;

use super::ComposePlane;
use super::store::{ContainerRow, EngineEvent, Health, Made, State};

/// Words of a command line; none: not given.
type Words = Option<Vec<Arc<str>>>;

/// The container's 64 hexadecimal digits.
pub fn container_id(row: &ContainerRow, seed: Seed) -> String {
    let mut stream = Stream::new(seed, "compose.container-id", row.key, row.ordinal);
    (0..4).map(|_| format!("{:016x}", stream.bits())).collect()
}

/// A configuration's hash as labels and `compose config --hash` show it: 64 hexadecimal digits, as
/// upstream's SHA-256 has, though by another function.
pub fn hash_text(hash: u64) -> String {
    let mut stream = Stream::new(Seed(hash), "compose.config-hash", 0, 0);
    (0..4).map(|_| format!("{:016x}", stream.bits())).collect()
}

/// A network's 64 hexadecimal digits.
pub fn network_id(name: &str, seed: Seed) -> String {
    let mut stream = Stream::new(seed, "compose.network-id", stable_hash(name), 0);
    (0..4).map(|_| format!("{:016x}", stream.bits())).collect()
}

/// An image's 64 hexadecimal digits; `name` is repository and tag. Equal in every run.
pub fn image_id(name: &str) -> String {
    image::hexadecimal(name)
}

/// `State.Status`.
pub fn status_word(row: &ContainerRow) -> &'static str {
    match row.state {
        State::Created | State::Starting => "created",
        State::Running => "running",
        State::Restarting => "restarting",
        State::Exited => "exited",
        State::Removing => "removing",
    }
}

/// `State.Health.Status`; `None` without a check.
pub fn health_word(row: &ContainerRow) -> Option<&'static str> {
    match row.health {
        Health::None => None,
        Health::Starting => Some("starting"),
        Health::Healthy => Some("healthy"),
        Health::Unhealthy => Some("unhealthy"),
    }
}

/// `HostConfig.RestartPolicy`: name and maximum.
pub fn restart_words(restart: Restart) -> (&'static str, u32) {
    match restart {
        Restart::No => ("no", 0),
        Restart::Always => ("always", 0),
        Restart::UnlessStopped => ("unless-stopped", 0),
        Restart::OnFailure { max_retries } => ("on-failure", max_retries),
    }
}

impl ComposePlane {
    /// Containers, newest first, as `docker ps` lists them.
    pub fn containers(&self) -> Vec<&ContainerRow> {
        let mut rows: Vec<&ContainerRow> =
            self.store.containers.iter().map(|(_, row)| row).collect();
        rows.arrange_by_key(|row| std::cmp::Reverse(row.ordinal));
        rows
    }

    /// All containers with their ids, in table order.
    pub fn rows(&self) -> impl Iterator<Item = (crate::base::id::Id<ContainerRow>, &ContainerRow)> {
        self.store.containers.iter()
    }

    /// Whether the engine answers.
    pub fn engine_up(&self) -> bool {
        self.engine_up
    }

    /// Networks that were made, by full name.
    pub fn networks(&self) -> &SortedMap<Arc<str>, Made> {
        &self.store.networks
    }

    /// Volumes, by full name.
    pub fn volumes(&self) -> &SortedMap<Arc<str>, Made> {
        &self.store.volumes
    }

    /// What happened last, oldest first.
    pub fn events(&self) -> impl Iterator<Item = &EngineEvent> {
        self.store.events.iter()
    }

    /// Whether an image was built here.
    pub fn is_built(&self, image: &str) -> bool {
        self.store.built.iter().any(|built| &**built == image)
    }

    /// Lines of a container's log so far, with their times: of all its runs.
    pub fn log(
        &self,
        row: &ContainerRow,
        machines: &Substrate,
        now: SimTime,
    ) -> Vec<(SimTime, Arc<str>)> {
        let mut lines = row.log.to_vec();
        let running = row.process.and_then(|process| machines.container(process));
        if let Some(container) = running {
            lines.extend(container.log(now));
        }
        lines
    }

    /// The whole object of a container, in the shape of `docker inspect`.
    pub fn inspect(
        &self,
        row: &ContainerRow,
        seed: Seed,
        symbols: &Symbols,
        machines: &Substrate,
        now: SimTime,
    ) -> Value {
        let id = container_id(row, seed);
        let config = &row.config;
        let words = |words: &Option<Vec<Arc<str>>>| match words {
            Some(words) => texts(words),
            None => Value::Null,
        };
        let (entry, command) = started(row, symbols);
        let all = entry.iter().chain(&command).flatten();
        let mut all = all.map(|word| &**word);
        let path = all.next().unwrap_or("");
        let arguments = Value::list(all.map(Value::string).collect());
        let kept = |file: &str| format!("/var/lib/docker/containers/{id}/{file}");
        let image = super::client::split_tag(&config.image);
        let image_digest = image_id(&format!("{}:{}", image.0, image.1));
        Value::object([
            ("Id", Value::string(&id)),
            ("Created", time(Some(row.created_at))),
            ("Path", Value::string(path)),
            ("Args", arguments),
            ("State", state(row, symbols, machines, now)),
            ("Image", Value::string(&format!("sha256:{image_digest}"))),
            ("ResolvConfPath", Value::string(&kept("resolv.conf"))),
            ("HostnamePath", Value::string(&kept("hostname"))),
            ("HostsPath", Value::string(&kept("hosts"))),
            ("LogPath", Value::string(&kept(&format!("{id}-json.log")))),
            (
                "Name",
                Value::string(&format!("/{}", symbols.text(row.name))),
            ),
            ("RestartCount", Value::Int(i64::from(row.restart_count))),
            ("Driver", Value::string("overlay2")),
            ("Platform", Value::string("linux")),
            ("HostConfig", host_config(row)),
            ("Mounts", mounts(row)),
            (
                "Config",
                Value::object([
                    (
                        "Hostname",
                        Value::string(if config.hostname.is_empty() {
                            &id[..12]
                        } else {
                            &config.hostname
                        }),
                    ),
                    ("User", Value::string(&config.user)),
                    ("Tty", Value::Bool(config.tty)),
                    ("OpenStdin", Value::Bool(config.open_stdin)),
                    ("ExposedPorts", exposed(row)),
                    (
                        "Env",
                        Value::list(
                            row.spec
                                .environment
                                .iter()
                                .map(|(name, value)| Value::string(&format!("{name}={value}")))
                                .collect(),
                        ),
                    ),
                    ("Cmd", words(&command)),
                    ("Healthcheck", health_check(row)),
                    ("Image", Value::string(&config.image)),
                    ("WorkingDir", Value::string(&config.working_dir)),
                    ("Entrypoint", words(&entry)),
                    (
                        "Labels",
                        Value::object(
                            config
                                .labels
                                .iter()
                                .map(|(key, value)| (key.clone(), Value::string(value))),
                        ),
                    ),
                    (
                        "StopSignal",
                        if config.stop_signal.is_empty() {
                            Value::Null
                        } else {
                            Value::string(&config.stop_signal)
                        },
                    ),
                    (
                        "StopTimeout",
                        config.stop_timeout.map_or(Value::Null, |span| {
                            Value::Int(i64::try_from(span.as_secs()).unwrap_or(i64::MAX))
                        }),
                    ),
                ]),
            ),
            ("NetworkSettings", network_settings(row, seed, machines)),
        ])
    }
}

/// What is started: entry point and command as given, else the image's own. A given entry point leaves
/// the image's command out. Source: moby `daemon/commit.go` (merge).
fn started(row: &ContainerRow, symbols: &Symbols) -> (Words, Words) {
    let config = &row.config;
    let image = ImageRef::parse(symbols.text(row.spec.image));
    let known = image.and_then(|image| start(&image.repository()));
    let (entry, default) = known.unwrap_or_default();
    let own = |text: &str| {
        let mut words: Vec<Arc<str>> = Vec::new();
        // Only words in quotes have blanks.
        for (place, part) in text.split('\'').enumerate() {
            if place % 2 == 1 {
                words.push(part.into());
            } else {
                words.extend(part.split_whitespace().map(Arc::from));
            }
        }
        (!words.is_empty()).then_some(words)
    };
    let is_own = config.entrypoint.is_none();
    let command = config.command.clone();
    (
        config.entrypoint.clone().or_else(|| own(entry)),
        command.or_else(|| own(default).filter(|_| is_own)),
    )
}

fn time(at: Option<SimTime>) -> Value {
    Value::string(&at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), SimTime::rfc3339_nano))
}

fn texts(words: &[Arc<str>]) -> Value {
    Value::list(words.iter().map(|word| Value::string(word)).collect())
}

fn texts_or_null(words: &[Arc<str>]) -> Value {
    if words.is_empty() {
        Value::Null
    } else {
        texts(words)
    }
}

fn state(row: &ContainerRow, symbols: &Symbols, machines: &Substrate, now: SimTime) -> Value {
    let running = matches!(row.state, State::Running | State::Restarting);
    let mut state = vec![
        ("Status", Value::string(status_word(row))),
        ("Running", Value::Bool(running)),
        ("Paused", Value::Bool(false)),
        ("Restarting", Value::Bool(row.state == State::Restarting)),
        ("OOMKilled", Value::Bool(row.oom_killed)),
        ("Dead", Value::Bool(false)),
        ("Pid", Value::Int(process_number(row))),
        ("ExitCode", Value::Int(i64::from(row.exit_code))),
        (
            "Error",
            Value::string(row.error.map_or("", |error| symbols.text(error))),
        ),
        ("StartedAt", time(row.started_at)),
        ("FinishedAt", time(row.finished_at)),
    ];
    if let Some(health) = health_word(row) {
        let streak = row
            .process
            .and_then(|process| machines.failing_streak(process, 0, now))
            .unwrap_or(0);
        state.push((
            "Health",
            Value::object([
                ("Status", Value::string(health)),
                ("FailingStreak", Value::Int(i64::from(streak))),
            ]),
        ));
    }
    Value::object(state)
}

/// The first process's number on the host; 0: it does not run.
pub fn process_number(row: &ContainerRow) -> i64 {
    row.process
        .filter(|_| row.state == State::Running)
        .map_or(0, |process| i64::from(container_pid(process)))
}

fn host_config(row: &ContainerRow) -> Value {
    let config = &row.config;
    let limits = &config.limits;
    let (policy, maximum) = restart_words(config.restart);
    let binds: Vec<Value> = config
        .mounts
        .iter()
        .filter(|mount| mount.kind != MountKind::Tmpfs && !mount.source.is_empty())
        .map(|mount| {
            let mode = if mount.read_only { "ro" } else { "rw" };
            Value::string(&format!("{}:{}:{mode}", mount.source, mount.target))
        })
        .collect();
    // Source: moby daemon/daemon_unix.go: swap is as large again where only memory is bounded.
    let swap = match (limits.memory_swap, limits.memory) {
        (0, memory) => memory.saturating_mul(2),
        (swap, _) => swap,
    };
    let network_mode = if config.network_mode.is_empty() {
        "bridge"
    } else {
        &config.network_mode
    };
    Value::object([
        (
            "Binds",
            if binds.is_empty() {
                Value::Null
            } else {
                Value::list(binds)
            },
        ),
        ("NetworkMode", Value::string(network_mode)),
        ("PortBindings", Value::object(bindings(row, false))),
        (
            "RestartPolicy",
            Value::object([
                ("Name", Value::string(policy)),
                ("MaximumRetryCount", Value::Int(i64::from(maximum))),
            ]),
        ),
        ("AutoRemove", Value::Bool(config.auto_remove)),
        ("CapAdd", texts_or_null(&config.cap_add)),
        ("CapDrop", texts_or_null(&config.cap_drop)),
        ("Dns", texts_or_null(&config.dns)),
        ("ExtraHosts", texts_or_null(&config.extra_hosts)),
        ("OomScoreAdj", Value::Int(limits.oom_score_adj)),
        ("Privileged", Value::Bool(config.privileged)),
        ("ReadonlyRootfs", Value::Bool(config.read_only)),
        (
            "ShmSize",
            Value::Int(if limits.shm_size == 0 {
                DEFAULT_SHM_BYTES
            } else {
                limits.shm_size
            }),
        ),
        ("CpuShares", Value::Int(limits.cpu_shares)),
        ("Memory", Value::Int(limits.memory)),
        ("NanoCpus", Value::Int(limits.nano_cpus)),
        ("BlkioWeight", Value::Int(limits.blkio_weight)),
        ("CpuPeriod", Value::Int(limits.cpu_period)),
        ("CpuQuota", Value::Int(limits.cpu_quota)),
        ("CpusetCpus", Value::string(&limits.cpuset_cpus)),
        ("MemoryReservation", Value::Int(limits.memory_reservation)),
        ("MemorySwap", Value::Int(swap)),
        (
            "PidsLimit",
            if limits.pids_limit == 0 {
                Value::Null
            } else {
                Value::Int(limits.pids_limit)
            },
        ),
        ("Init", config.init.map_or(Value::Null, Value::Bool)),
    ])
}

/// Size of `/dev/shm`. Source: moby `daemon/config/config_linux.go` DefaultShmSize.
const DEFAULT_SHM_BYTES: i64 = 64 << 20;

/// Published ports as they were asked for, or as they are bound.
fn bindings(row: &ContainerRow, bound: bool) -> SortedMap<String, Value> {
    let mut found: SortedMap<String, Vec<Value>> = SortedMap::new();
    for port in row.ports.iter() {
        let binding = |address: &str| {
            Value::object([
                ("HostIp", Value::string(address.trim_matches(['[', ']']))),
                ("HostPort", Value::string(&port.published.to_string())),
            ])
        };
        let list = found
            .entry(format!("{}/{}", port.target, port.protocol))
            .or_default();
        // Without an address both families are bound.
        if bound && port.host_ip.is_empty() {
            list.extend(["0.0.0.0", "::"].map(binding));
        } else {
            list.push(binding(&port.host_ip));
        }
    }
    found
        .into_iter()
        .map(|(key, list)| (key, Value::list(list)))
        .collect()
}

fn exposed(row: &ContainerRow) -> Value {
    let published = row
        .ports
        .iter()
        .map(|port| format!("{}/{}", port.target, port.protocol));
    let declared = row.config.expose.iter();
    let declared =
        declared.map(|(port, protocol)| format!("{port}/{}", super::lower::protocol(*protocol)));
    let all: SortedMap<String, Value> = published
        .chain(declared)
        .map(|port| (port, Value::map()))
        .collect();
    Value::object(all)
}

fn health_check(row: &ContainerRow) -> Value {
    let Some(check) = &row.config.health_check else {
        return Value::Null;
    };
    let test = match &check.test {
        None => Value::list(Vec::new()),
        Some(HealthTest::Disabled) => Value::list(vec![Value::string("NONE")]),
        Some(HealthTest::Command(words)) => {
            let first = std::iter::once(Value::string("CMD"));
            Value::list(
                first
                    .chain(words.iter().map(|word| Value::string(word)))
                    .collect(),
            )
        }
        Some(HealthTest::Shell(line)) => {
            Value::list(vec![Value::string("CMD-SHELL"), Value::string(line)])
        }
    };
    let nanos = |span: SimDuration| {
        Value::Int(i64::try_from(span.as_micros().saturating_mul(1_000)).unwrap_or(i64::MAX))
    };
    Value::object([
        ("Test", test),
        ("Interval", nanos(check.interval)),
        ("Timeout", nanos(check.timeout)),
        ("Retries", Value::Int(i64::from(check.retries))),
        ("StartPeriod", nanos(check.start_period)),
        ("StartInterval", nanos(check.start_interval)),
    ])
}

fn mounts(row: &ContainerRow) -> Value {
    let mounts = row.config.mounts.iter().map(|mount| {
        let kind = match mount.kind {
            MountKind::Bind => "bind",
            MountKind::Volume => "volume",
            MountKind::Tmpfs => "tmpfs",
        };
        let mut fields = vec![("Type", Value::string(kind))];
        if mount.kind == MountKind::Volume {
            fields.push(("Name", Value::string(&mount.source)));
            let path = format!("/var/lib/docker/volumes/{}/_data", mount.source);
            fields.push(("Source", Value::string(&path)));
        } else {
            fields.push(("Source", Value::string(&mount.source)));
        }
        fields.push(("Destination", Value::string(&mount.target)));
        if mount.kind == MountKind::Volume {
            fields.push(("Driver", Value::string("local")));
        }
        fields.push(("RW", Value::Bool(!mount.read_only)));
        Value::object(fields)
    });
    Value::list(mounts.collect())
}

fn network_settings(row: &ContainerRow, seed: Seed, machines: &Substrate) -> Value {
    let config = &row.config;
    let mut names: Vec<(Arc<str>, Vec<Arc<str>>)> = config
        .networks
        .iter()
        .map(|(name, aliases)| (name.clone(), aliases.clone()))
        .collect();
    let on_bridge = names.is_empty() && matches!(&*config.network_mode, "" | "bridge");
    if on_bridge {
        names.push(("bridge".into(), Vec::new()));
    }
    let plugs = row
        .sandbox
        .map(|sandbox| machines.plugs(sandbox))
        .unwrap_or_default();
    let networks = names.iter().map(|(name, aliases)| {
        let plug = plugs.iter().find(|(plug, _)| plug.network == *name);
        let text = |address: u32| crate::substrate::net::address::text(address);
        let address = plug.map_or_else(String::new, |(_, address)| text(*address));
        let gateway = plug.map_or_else(String::new, |(plug, _)| text(plug.base + 1));
        let prefix = plug.map_or(0, |(plug, _)| i64::from(plug.prefix));
        let aliases = if aliases.is_empty() {
            Value::Null
        } else {
            texts(aliases)
        };
        let endpoint = Value::object([
            ("Aliases", aliases),
            ("NetworkID", Value::string(&network_id(name, seed))),
            ("Gateway", Value::string(&gateway)),
            ("IPAddress", Value::string(&address)),
            ("IPPrefixLen", Value::Int(prefix)),
        ]);
        (name.clone(), endpoint)
    });
    let ports = if row.state == State::Running {
        Value::object(bindings(row, true))
    } else {
        Value::map()
    };
    Value::object([("Ports", ports), ("Networks", Value::object(networks))])
}
