//! Containers as an engine lists them: those of the Compose host, or of one node's tasks.

use std::sync::Arc;

use super::ports::{self, Port};
use crate::api::swarm::service::PortProtocol;
use crate::base::arrange::Arrange;
use crate::base::id::Id;
use crate::base::rng::{Stream, stable_hash};
use crate::base::sorted::SortedSet;
use crate::base::time::SimTime;
use crate::compose::engine::PART_RUN;
use crate::compose::store::{ContainerRow, State, owner};
use crate::compose::view::{container_id, health_word, status_word};
use crate::console::docker::words::human;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::engine::world::World;
use crate::manifest::compose::port::protocol_word;
use crate::manifest::value::Value;
use crate::substrate::catalogue::start::start;
use crate::substrate::container::ContainerState;
use crate::substrate::image::ImageRef;
use crate::substrate::order::{ContainerId, MachineId};
use crate::substrate::root_fs::Store;

/// The engine of one machine.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'a> {
    /// Its world.
    pub world: &'a World,
    /// Its machine.
    pub machine: MachineId,
    /// Now.
    pub now: SimTime,
}

/// One container.
#[derive(Clone, Debug)]
pub struct Row {
    /// Identifier, 64 hexadecimal digits.
    pub id: String,
    /// Name without slash.
    pub name: String,
    /// Image as written.
    pub image: String,
    /// Command as written; empty: the image's own, which is not known.
    pub command: String,
    /// When it was made.
    pub created: SimTime,
    /// `running`, `exited`, …
    pub state: &'static str,
    /// The state with times.
    pub status: String,
    /// Health; none without a check.
    pub health: Option<&'static str>,
    /// Exit code of the last run.
    pub exit_code: i32,
    /// Published ports while it runs.
    pub ports: String,
    /// Labels, sorted by key.
    pub labels: Vec<(String, String)>,
    /// Networks it is on.
    pub networks: Vec<String>,
    /// Volumes and paths of the host that it mounts.
    pub mounts: Vec<String>,
    /// Its process.
    pub process: Option<ContainerId>,
    /// The tree of its writable layer.
    pub layer: Option<Store>,
}

impl<'a> Engine<'a> {
    /// The engine that the command line speaks to: the Compose host, else the manager's machine.
    ///
    /// # Errors
    /// That there is none.
    pub fn of(session: &'a Session) -> Result<Self, Output> {
        let lab = session.history.lab();
        let unreachable = || {
            Output::error(
                1,
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            )
        };
        if let Some(world) = lab.world(Orchestrator::Compose) {
            let host = world
                .substrate
                .machines()
                .next()
                .map(|(id, _)| id)
                .ok_or_else(unreachable)?;
            if !world.compose().is_some_and(|plane| plane.engine_up()) {
                return Err(unreachable());
            }
            return Ok(Self {
                world,
                machine: host,
                now: lab.now,
            });
        }
        let plane = super::super::swarm(session)?;
        let world = session.world(Orchestrator::Swarm)?;
        let machine = plane
            .spoken_to()
            .and_then(|id| plane.store.node(id))
            .map(|node| node.machine)
            .ok_or_else(unreachable)?;
        Ok(Self {
            world,
            machine,
            now: lab.now,
        })
    }

    /// All its containers, newest first.
    pub fn rows(&self) -> Vec<Row> {
        if let Some(plane) = self.world.compose() {
            let mut rows: Vec<(Id<ContainerRow>, &ContainerRow)> = plane.rows().collect();
            rows.arrange_by_key(|(_, row)| std::cmp::Reverse(row.ordinal));
            return rows
                .into_iter()
                .map(|(id, row)| self.compose_row(id, row))
                .collect();
        }
        let mut rows = self.task_rows();
        rows.arrange_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
        rows
    }

    /// The container of this name or beginning of an identifier.
    ///
    /// # Errors
    /// The daemon's text.
    pub fn find(&self, name: &str) -> Result<Row, Output> {
        let rows = self.rows();
        let plain = name.trim_start_matches('/');
        if let Some(row) = rows.iter().find(|row| row.name == plain) {
            return Ok(row.clone());
        }
        let mut found = rows.iter().filter(|row| row.id.starts_with(plain));
        match (found.next(), found.next()) {
            (Some(row), None) => Ok(row.clone()),
            (Some(_), Some(_)) => Err(Output::error(
                1,
                format!(
                    "Error response from daemon: multiple IDs found with provided prefix: {name}"
                ),
            )),
            (None, _) => Err(Output::error(
                1,
                format!("Error response from daemon: No such container: {name}"),
            )),
        }
    }

    /// The whole object of a container.
    pub fn inspect(&self, name: &str) -> Option<Value> {
        let row = self.find(name).ok()?;
        let plane = self.world.compose()?;
        let stored = plane
            .containers()
            .into_iter()
            .find(|stored| self.world.symbols.text(stored.name) == row.name)?;
        Some(plane.inspect(
            stored,
            self.world.seed,
            &self.world.symbols,
            &self.world.substrate,
            self.now,
        ))
    }

    /// Published ports, and those that are only open inside: asked for, or the image's own.
    fn ports_of(&self, row: &ContainerRow) -> Vec<Port> {
        let mut all: Vec<Port> = Vec::new();
        for port in row.ports.iter() {
            let both = ["0.0.0.0", "::"];
            let own = [&*port.host_ip];
            // Without an address both families are bound.
            let addresses: &[&str] = if port.host_ip.is_empty() { &both } else { &own };
            all.extend(addresses.iter().map(|address| Port {
                private: port.target,
                address: address.trim_matches(['[', ']']).to_owned(),
                public: port.published,
                protocol: port.protocol,
            }));
        }
        let program = row
            .process
            .and_then(|process| self.world.substrate.container(process));
        let listens = program.map_or(&[][..], |program| &program.behaviour.ports);
        let listens = listens.iter().map(|port| (*port, PortProtocol::Tcp));
        let of = |port: &Port| (port.private, port.protocol);
        let mut known: SortedSet<(u16, &str)> = all.iter().map(of).collect();
        for (private, protocol) in row.config.expose.iter().copied().chain(listens) {
            let protocol = protocol_word(protocol);
            if known.insert((private, protocol)) {
                all.push(Port {
                    private,
                    address: String::new(),
                    public: 0,
                    protocol,
                });
            }
        }
        all
    }

    fn compose_row(&self, id: Id<ContainerRow>, row: &ContainerRow) -> Row {
        let symbols = &self.world.symbols;
        let image = symbols.text(row.spec.image);
        Row {
            id: container_id(row, self.world.seed),
            name: symbols.text(row.name).to_owned(),
            image: image.to_owned(),
            command: started(image, &row.spec.command, &row.spec.arguments),
            created: row.created_at,
            state: status_word(row),
            status: self.compose_status(row),
            health: health_word(row),
            exit_code: row.exit_code,
            ports: if row.state == State::Running {
                ports::text(&self.ports_of(row))
            } else {
                String::new()
            },
            labels: row
                .config
                .labels
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
            networks: if row.config.networks.is_empty() {
                vec![if row.config.network_mode.is_empty() {
                    "bridge".to_owned()
                } else {
                    row.config.network_mode.to_string()
                }]
            } else {
                row.config
                    .networks
                    .keys()
                    .map(ToString::to_string)
                    .collect()
            },
            mounts: row
                .config
                .mounts
                .iter()
                .filter(|mount| !mount.source.is_empty())
                .map(|mount| mount.source.to_string())
                .collect(),
            process: row.process,
            layer: Some(Store::Lasting(owner(id, PART_RUN))),
        }
    }

    fn compose_status(&self, row: &ContainerRow) -> String {
        let since = |at: Option<SimTime>| human(self.now.since(at.unwrap_or(row.created_at)));
        match row.state {
            State::Created | State::Starting => "Created".to_owned(),
            State::Removing => "Removal In Progress".to_owned(),
            State::Restarting => format!(
                "Restarting ({}) {} ago",
                row.exit_code,
                since(row.finished_at)
            ),
            State::Exited => format!("Exited ({}) {} ago", row.exit_code, since(row.finished_at)),
            State::Running => {
                let health = match health_word(row) {
                    None => "",
                    Some("healthy") => " (healthy)",
                    Some("unhealthy") => " (unhealthy)",
                    Some(_) => " (health: starting)",
                };
                format!("Up {}{health}", since(row.started_at))
            }
        }
    }

    fn task_rows(&self) -> Vec<Row> {
        let Some(plane) = self.world.swarm() else {
            return Vec::new();
        };
        let Some((node, _)) = plane
            .store
            .nodes()
            .find(|(_, node)| node.machine == self.machine)
        else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        for view in plane.node_task_views(node) {
            let Some((process, container)) = view
                .container
                .and_then(|id| Some((id, self.world.substrate.container(id)?)))
            else {
                continue;
            };
            let task = view.identity.text();
            let since = |at: SimTime| human(self.now.since(at));
            let (state, status, exit_code) = match container.state {
                ContainerState::Created => ("created", "Created".to_owned(), 0),
                ContainerState::Running { since: at } => {
                    ("running", format!("Up {}", since(at)), 0)
                }
                ContainerState::Exited { at, code, .. } => {
                    ("exited", format!("Exited ({code}) {} ago", since(at)), code)
                }
            };
            let mut stream =
                Stream::new(self.world.seed, "swarm.container-id", stable_hash(&task), 0);
            rows.push(Row {
                id: (0..4).map(|_| format!("{:016x}", stream.bits())).collect(),
                name: format!("{}.{task}", view.name),
                image: view.image.to_string(),
                command: started(
                    &view.image,
                    &container.spec.command,
                    &container.spec.arguments,
                ),
                created: self
                    .world
                    .substrate
                    .sandbox(container.sandbox)
                    .map_or(SimTime::ZERO, |sandbox| sandbox.created),
                state,
                status,
                health: None,
                exit_code,
                ports: String::new(),
                labels: vec![("com.docker.swarm.task.id".to_owned(), task)],
                networks: Vec::new(),
                mounts: Vec::new(),
                process: Some(process),
                layer: self.world.substrate.layer_of(process),
            });
        }
        rows
    }
}

/// What is started: entry point and command as given, else the image's own.
fn started(image: &str, command: &[Arc<str>], arguments: &[Arc<str>]) -> String {
    let given = |words: &[Arc<str>]| {
        let words = words.iter().map(|word| match word.contains(' ') {
            // Source: moby `daemon/list.go` (an argument with a blank is quoted).
            true => format!("'{word}'"),
            false => word.to_string(),
        });
        words.collect::<Vec<String>>().join(" ")
    };
    let known = ImageRef::parse(image).and_then(|image| start(&image.repository()));
    let (entry, default) = known.unwrap_or_default();
    let first = if command.is_empty() {
        entry.to_owned()
    } else {
        given(command)
    };
    let rest = match (command.is_empty(), arguments.is_empty()) {
        (_, false) => given(arguments),
        (true, true) => default.to_owned(),
        (false, true) => String::new(),
    };
    format!("{first} {rest}").trim().to_owned()
}
