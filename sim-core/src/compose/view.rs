//! What `docker inspect` and `docker ps` show of a container, made from the engine's rows.

use crate::api::compose::service::Restart;
use crate::base::rng::{Seed, Stream, stable_hash};
use crate::base::symbol::Symbols;
use crate::base::time::SimTime;
use crate::manifest::value::Value;
use crate::substrate::Substrate;

use super::ComposePlane;
use super::store::{ContainerRow, Health, State};

/// The container's 64 hexadecimal digits.
pub fn container_id(row: &ContainerRow, seed: Seed, symbols: &Symbols) -> String {
    let mut stream = Stream::new(
        seed,
        "compose.container-id",
        stable_hash(symbols.text(row.name)),
        row.ordinal,
    );
    (0..4).map(|_| format!("{:016x}", stream.bits())).collect()
}

/// A configuration's hash as labels and `compose config --hash` show it: 64 hexadecimal digits, as
/// upstream's SHA-256 has, though by another function.
pub fn hash_text(hash: u64) -> String {
    let mut stream = Stream::new(Seed(hash), "compose.config-hash", 0, 0);
    (0..4).map(|_| format!("{:016x}", stream.bits())).collect()
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
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.ordinal));
        rows
    }

    /// Whether the engine answers.
    pub fn engine_up(&self) -> bool {
        self.engine_up
    }

    /// Names of the networks that clients made.
    pub fn networks<'a>(&'a self, symbols: &'a Symbols) -> impl Iterator<Item = &'a str> {
        self.store.networks.iter().map(|name| symbols.text(*name))
    }

    /// Names of the volumes that clients made.
    pub fn volumes<'a>(&'a self, symbols: &'a Symbols) -> impl Iterator<Item = &'a str> {
        self.store.volumes.iter().map(|name| symbols.text(*name))
    }

    /// The whole object of a container, in the shape of `docker inspect`.
    pub fn inspect(
        &self,
        row: &ContainerRow,
        seed: Seed,
        symbols: &Symbols,
        machines: &Substrate,
    ) -> Value {
        let time = |at: Option<SimTime>| {
            Value::string(&at.map_or_else(
                || "0001-01-01T00:00:00Z".to_owned(),
                SimTime::rfc3339_micros,
            ))
        };
        let text = |symbol| Value::string(symbols.text(symbol));
        let words = |words: &[std::sync::Arc<str>]| {
            Value::list(words.iter().map(|word| Value::string(word)).collect())
        };
        let mut state = vec![
            ("Status", Value::string(status_word(row))),
            (
                "Running",
                Value::Bool(matches!(row.state, State::Running | State::Restarting)),
            ),
            ("Paused", Value::Bool(false)),
            ("Restarting", Value::Bool(row.state == State::Restarting)),
            ("OOMKilled", Value::Bool(row.oom_killed)),
            ("Dead", Value::Bool(false)),
            ("ExitCode", Value::Int(i64::from(row.exit_code))),
            (
                "Error",
                Value::string(row.error.map_or("", |error| symbols.text(error))),
            ),
            ("StartedAt", time(row.started_at)),
            ("FinishedAt", time(row.finished_at)),
        ];
        if let Some(health) = health_word(row) {
            state.push(("Health", Value::object([("Status", Value::string(health))])));
        }
        let (policy, maximum) = restart_words(row.restart);
        let ports = row.ports.iter().map(|port| {
            let host_ip = if port.host_ip.is_empty() {
                "0.0.0.0"
            } else {
                &port.host_ip
            };
            let binding = Value::object([
                ("HostIp", Value::string(host_ip)),
                ("HostPort", Value::string(&port.published.to_string())),
            ]);
            (
                format!("{}/{}", port.target, port.protocol),
                Value::list(vec![binding]),
            )
        });
        let ports: Vec<(String, Value)> = ports.collect();
        let project = symbols.text(row.project);
        let address = row
            .sandbox
            .and_then(|sandbox| machines.sandbox_address(sandbox))
            .unwrap_or_default();
        let labels = Value::object([
            (
                "com.docker.compose.config-hash",
                Value::string(&hash_text(row.config_hash)),
            ),
            (
                "com.docker.compose.container-number",
                Value::string(&row.number.to_string()),
            ),
            ("com.docker.compose.project", Value::string(project)),
            ("com.docker.compose.service", text(row.service)),
        ]);
        Value::object([
            ("Id", Value::string(&container_id(row, seed, symbols))),
            ("Created", time(Some(row.created_at))),
            (
                "Path",
                row.spec
                    .command
                    .first()
                    .map_or(Value::string(""), |word| Value::string(word)),
            ),
            ("Args", words(&row.spec.arguments)),
            ("State", Value::object(state)),
            (
                "Name",
                Value::string(&format!("/{}", symbols.text(row.name))),
            ),
            ("RestartCount", Value::Int(i64::from(row.restart_count))),
            (
                "HostConfig",
                Value::object([
                    ("Memory", Value::Int(row.spec.limits.memory)),
                    (
                        "NanoCpus",
                        Value::Int(row.spec.limits.milli_cpu * 1_000_000),
                    ),
                    ("PortBindings", Value::object(ports.clone())),
                    (
                        "RestartPolicy",
                        Value::object([
                            ("Name", Value::string(policy)),
                            ("MaximumRetryCount", Value::Int(i64::from(maximum))),
                        ]),
                    ),
                ]),
            ),
            (
                "Config",
                Value::object([
                    ("Image", text(row.spec.image)),
                    ("Cmd", words(&row.spec.arguments)),
                    ("Entrypoint", words(&row.spec.command)),
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
                    ("Labels", labels),
                ]),
            ),
            (
                "NetworkSettings",
                Value::object([
                    ("Ports", Value::object(ports)),
                    ("IPAddress", Value::string(&address)),
                ]),
            ),
        ])
    }
}
