//! `docker version` and `docker info`. Source: docker/cli `cli/command/system/{version,info}.go`.
//!
//! Only what is known of an engine here: what has no model (storage driver, plugins, commits) is left
//! out rather than made up.

use super::container::row::Engine;
use super::flags::{Grammar, Parsed, grammar, parse};
use super::template;
use super::words::bytes;
use crate::base::arrange::Arrange;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::manifest::value::Value;
use crate::object::print::json_plain;
use crate::substrate::profile::{KERNEL, SYSTEM};
use crate::swarm::SwarmPlane;
use crate::swarm::inspect::ENGINE_VERSION;
use crate::swarm::store::Node;

const VERSION: Grammar = grammar("docker version", "[OPTIONS]", "format,f=", 0, Some(0));
const INFO: Grammar = grammar("docker info", "[OPTIONS]", "format,f=", 0, Some(0));

/// Port of the overlay networks. Source: moby `libnetwork/drivers/overlay/overlayutils`.
const DATA_PATH_PORT: u16 = 4789;
/// What nothing here changes. Source: swarmkit `manager/state/raft/raft.go` (DefaultRaftConfig).
const RAFT: &str = "  Raft:\n   Snapshot Interval: 10000\n   Number of Old Snapshots to Retain: 0\n   Heartbeat Tick: 1\n   Election Tick: 10\n";

/// `docker version`.
///
/// # Errors
/// The command line's text.
pub fn version(words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&VERSION, words)?;
    let one = || Value::object([("Version", Value::string(ENGINE_VERSION))]);
    if let Some(output) = formatted(&parsed, "system.versionInfo", || {
        Value::object([("Client", one()), ("Server", one())])
    })? {
        return Ok(output);
    }
    Ok(Output::text(format!(
        "Client:\n Version:           {ENGINE_VERSION}\n\nServer:\n Engine:\n  Version:          {ENGINE_VERSION}\n"
    )))
}

/// `docker info`: what is known of the engine that answers.
///
/// # Errors
/// The command line's or the daemon's text.
pub fn info(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&INFO, words)?;
    let host = session.history.lab().world(Orchestrator::Compose);
    if let Some(plane) = host.and_then(|world| world.compose()) {
        let engine = plane.engine_up().then(|| Engine::of(session)).transpose()?;
        let swarm = || ("inactive\n".to_owned(), inactive());
        return answer(&parsed, engine.as_ref(), swarm);
    }
    let plane = super::swarm(session)?;
    let engine = Engine::of(session).ok();
    answer(&parsed, engine.as_ref(), || {
        (swarm_text(session, plane), swarm_value(session, plane))
    })
}

/// The engine's answer; `swarm` is what it says of a swarm: lines and an object.
fn answer(
    parsed: &Parsed,
    engine: Option<&Engine<'_>>,
    swarm: impl FnOnce() -> (String, Value),
) -> Result<Output, Output> {
    let rows = engine.map(Engine::rows).unwrap_or_default();
    let running = rows.iter().filter(|row| row.state == "running").count();
    let machine = engine.and_then(|engine| {
        let row = engine.world.substrate.machine(engine.machine)?;
        let images = engine.world.substrate.images_on(engine.machine).count();
        Some((row, images, engine.world.symbols.text(row.name)))
    });
    let (lines, swarm) = swarm();
    let images = machine.map_or(0, |(_, images, _)| images);
    let (all, stopped) = (rows.len(), rows.len() - running);
    if let Some(output) = formatted(parsed, "system.dockerInfo", || {
        let mut fields = vec![
            ("Containers", count(all)),
            ("ContainersRunning", count(running)),
            ("ContainersPaused", count(0)),
            ("ContainersStopped", count(stopped)),
            ("Images", count(images)),
            ("ServerVersion", Value::string(ENGINE_VERSION)),
            ("Swarm", swarm),
        ];
        if let Some((row, _, name)) = machine {
            fields.extend([
                ("KernelVersion", Value::string(KERNEL)),
                ("OperatingSystem", Value::string(SYSTEM)),
                ("OSType", Value::string("linux")),
                ("Architecture", Value::string("x86_64")),
                ("NCPU", Value::Int(row.capacity.milli_cpu / 1_000)),
                ("MemTotal", Value::Int(row.capacity.memory)),
                ("DockerRootDir", Value::string("/var/lib/docker")),
                ("Name", Value::string(name)),
            ]);
        }
        Value::object(fields)
    })? {
        return Ok(output);
    }
    let mut text = format!(
        "Client:\n Version:    {ENGINE_VERSION}\n Context:    default\n Debug Mode: false\n\nServer:\n Containers: {all}\n  Running: {running}\n  Paused: 0\n  Stopped: {stopped}\n Images: {images}\n Server Version: {ENGINE_VERSION}\n Swarm: {lines}"
    );
    if let Some((row, _, name)) = machine {
        text.push_str(&format!(
            " Kernel Version: {KERNEL}\n Operating System: {SYSTEM}\n OSType: linux\n Architecture: x86_64\n CPUs: {}\n Total Memory: {}\n Name: {name}\n Docker Root Dir: /var/lib/docker\n",
            row.capacity.milli_cpu / 1_000,
            bytes(row.capacity.memory.unsigned_abs())
        ));
    }
    Ok(Output::text(text))
}

/// What `--format` makes of the answer; none: there is no such flag.
fn formatted(
    parsed: &Parsed,
    of: &'static str,
    answer: impl FnOnce() -> Value,
) -> Result<Option<Output>, Output> {
    let text = match parsed.value("format") {
        None | Some("") => return Ok(None),
        Some("json") => json_plain(&answer()),
        Some(format) => {
            let template =
                template::of_type(format, of).map_err(|message| Output::error(64, message))?;
            template::print(&template, &answer()).map_err(|message| Output::error(1, message))?
        }
    };
    Ok(Some(Output::text(format!("{text}\n"))))
}

/// What an engine says that is in no swarm.
fn inactive() -> Value {
    Value::object([
        ("LocalNodeState", Value::string("inactive")),
        ("ControlAvailable", Value::Bool(false)),
    ])
}

/// `inactive`, `locked` or `active`.
fn local_state(plane: &SwarmPlane) -> &'static str {
    if plane.is_over() {
        "inactive"
    } else if plane.is_locked() {
        "locked"
    } else {
        "active"
    }
}

fn own_node(plane: &SwarmPlane) -> Option<&Node> {
    plane.spoken_to().and_then(|id| plane.store.node(id))
}

/// Managers and nodes, which only a leader knows.
fn members(plane: &SwarmPlane) -> (usize, usize) {
    let ids = plane.store.nodes().map(|(id, _)| id);
    let managers = ids.filter(|id| plane.is_member(*id)).count();
    (managers, plane.store.nodes().count())
}

fn swarm_text(session: &Session, plane: &SwarmPlane) -> String {
    let state = local_state(plane);
    let mut text = format!("{state}\n");
    let Some(node) = own_node(plane).filter(|_| state == "active") else {
        return text;
    };
    // The daemon answers for itself; what only a leader knows is an error inside the answer.
    if let Err(refusal) = plane.require_leader(session.history.now()) {
        text.push_str(&format!(
            "  NodeID: {}\n  Error: {refusal}\n  Is Manager: true\n  Node Address: {}\n",
            node.identity.text(),
            node.address
        ));
        return text;
    }
    let (managers, nodes) = members(plane);
    text.push_str(&format!(
        "  NodeID: {}\n  Is Manager: true\n  ClusterID: {}\n  Managers: {managers}\n  Nodes: {nodes}\n  Data Path Port: {DATA_PATH_PORT}\n",
        node.identity.text(),
        cluster_id(session, plane),
    ));
    text.push_str(&format!(
        "  Orchestration:\n   Task History Retention Limit: {}\n{RAFT}  Dispatcher:\n   Heartbeat Period: {}\n",
        plane.settings.task_history_limit,
        super::words::human(plane.settings.heartbeat_period)
    ));
    text.push_str(&format!(
        "  CA Configuration:\n   Expiry Duration: 3 months\n   Force Rotate: {}\n  Autolock Managers: {}\n  Root Rotation In Progress: false\n  Node Address: {}\n  Manager Addresses:\n",
        plane.rotations(),
        plane.has_autolock(),
        node.address
    ));
    for address in manager_addresses(plane) {
        text.push_str(&format!("   {address}\n"));
    }
    text
}

fn cluster_id(session: &Session, plane: &SwarmPlane) -> String {
    let world = session.world(Orchestrator::Swarm);
    world.map_or_else(|_| String::new(), |world| plane.cluster_id(world.seed))
}

/// Where the group's members listen, in order of their text.
fn manager_addresses(plane: &SwarmPlane) -> Vec<String> {
    let nodes = plane.store.nodes();
    let members = nodes.filter(|(id, _)| plane.is_member(*id));
    let mut addresses: Vec<String> = members
        .map(|(_, node)| format!("{}:2377", node.address))
        .collect();
    addresses.arrange();
    addresses
}

fn swarm_value(session: &Session, plane: &SwarmPlane) -> Value {
    let state = local_state(plane);
    let mut swarm = vec![
        ("LocalNodeState", Value::string(state)),
        ("ControlAvailable", Value::Bool(state == "active")),
    ];
    let own = own_node(plane).filter(|_| state == "active");
    if let Some(node) = own {
        swarm.push(("NodeID", Value::string(&node.identity.text())));
        swarm.push(("NodeAddr", Value::string(&node.address)));
        match plane.require_leader(session.history.now()) {
            Err(refusal) => swarm.push(("Error", Value::string(&refusal.to_string()))),
            Ok(()) => {
                let (managers, nodes) = members(plane);
                swarm.push(("Error", Value::string("")));
                swarm.push(("Managers", count(managers)));
                swarm.push(("Nodes", count(nodes)));
                let id = Value::string(&cluster_id(session, plane));
                swarm.push(("Cluster", Value::object([("ID", id)])));
            }
        }
    }
    Value::object(swarm)
}

fn count(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
