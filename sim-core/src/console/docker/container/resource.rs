//! `docker network`, `docker volume` and `docker system` on the Compose world's host.
//! Source: docker/cli `cli/command/{network,volume,system}`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::row::Engine;
use super::{image, verb};
use crate::api::swarm::service::MountKind;
use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sorted::SortedMap;
use crate::compose::resource::BUILT_IN;
use crate::compose::store::{Made, State};
use crate::compose::view::{container_id, network_id};
use crate::compose::{ComposePlane, Request, Response};
use crate::console::docker::flags::{Grammar, Parsed, grammar, parse};
use crate::console::docker::listing::{Listing, filters, inspected, labelled, passes};
use crate::console::docker::words::human_size;
use crate::console::docker::{asks_nothing, each};
use crate::console::table::Table;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::engine::world::World;
use crate::manifest::value::Value;
use crate::substrate::net::filter::Cidr;
use crate::substrate::root_fs::Store;

/// Whether this session has such a host.
pub fn applies(session: &Session) -> bool {
    session.history.lab().world(Orchestrator::Compose).is_some()
}

fn host(session: &Session) -> Result<(&World, &ComposePlane), Output> {
    let world = session.world(Orchestrator::Compose)?;
    world
        .compose()
        .map(|plane| (world, plane))
        .ok_or_else(|| Output::error(1, catalogue::NO_ENGINE.plain()))
}

const NETWORK_CREATE: Grammar = grammar(
    "docker network create",
    "[OPTIONS] NETWORK",
    "driver,d= attachable label=* internal subnet= gateway=*! ingress! opt,o=*! scope=! ipv6! ip-range=*!",
    1,
    Some(1),
);
const VOLUME_CREATE: Grammar = grammar(
    "docker volume create",
    "[OPTIONS] [VOLUME]",
    "driver,d= name= label=* opt,o=*!",
    0,
    Some(1),
);
const VOLUME_LS: Grammar = grammar(
    "docker volume ls",
    "[OPTIONS]",
    "filter,f=* format= quiet,q",
    0,
    Some(0),
);
const PRUNE: &str = "force,f all,a filter=*! volumes";

fn labels(parsed: &Parsed) -> SortedMap<Arc<str>, Arc<str>> {
    parsed
        .values("label")
        .into_iter()
        .map(|label| label.split_once('=').unwrap_or((label, "")))
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

/// Makes a network, unless it is one of a swarm's: then nothing is done.
///
/// # Errors
/// The command line's or the daemon's text.
pub fn create_network(session: &mut Session, words: &[String]) -> Result<Option<Output>, Output> {
    let parsed = parse(&NETWORK_CREATE, words)?;
    let driver = parsed.value("driver").unwrap_or("bridge");
    if driver == "overlay" {
        return Ok(None);
    }
    if !matches!(driver, "bridge" | "macvlan" | "ipvlan") {
        return Err(Output::error(
            1,
            format!(
                "Error response from daemon: failed to create network {}: plugin {driver:?} not found",
                parsed.words[0]
            ),
        ));
    }
    let range = parsed.value("subnet").map(subnet).transpose()?;
    let request = Request::CreateNetwork {
        name: parsed.words[0].as_str().into(),
        driver: driver.into(),
        labels: labels(&parsed),
        internal: parsed.has("internal"),
        range,
    };
    Ok(Some(printed(verb::act(session, request)?)))
}

/// A network's range as the daemon reads it.
/// Source: moby `daemon/libnetwork/internal/netiputil`, `api/types/network/ipam.go`.
fn subnet(text: &str) -> Result<Cidr, Output> {
    let wrong = |why: String| {
        Output::error(
            1,
            format!(
                "Error response from daemon: invalid network config:\ninvalid subnet {text}: {why}"
            ),
        )
    };
    let written = text.contains('/').then(|| Cidr::parse(text)).flatten();
    let Some(range) = written.filter(|range| range.prefix > 0) else {
        return Err(wrong("invalid CIDR block notation".to_owned()));
    };
    let first = range.base & (u32::MAX << (32 - u32::from(range.prefix)));
    if first != range.base {
        let meant = Cidr {
            base: first,
            ..range
        };
        return Err(wrong(format!("it should be {}", meant.text())));
    }
    Ok(range)
}

fn printed(response: Response) -> Output {
    match response {
        Response::Containers(lines) | Response::Lines(lines) => Output::text(
            lines
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        ),
        Response::Operation(_) => Output::default(),
    }
}

/// Whether the host has this network.
pub fn has_network(session: &Session, name: &str) -> bool {
    host(session).is_ok_and(|(world, plane)| network_name(world, plane, name).is_some())
}

fn network_name(world: &World, plane: &ComposePlane, name: &str) -> Option<String> {
    let mut names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    names.extend(plane.networks().keys().map(|name| &**name));
    let by_id = |known: &&str| name.len() >= 3 && network_id(known, world.seed).starts_with(name);
    names
        .iter()
        .find(|known| **known == name)
        .or_else(|| names.iter().find(|known| by_id(known)))
        .map(|name| (*name).to_owned())
}

/// Removes a network of the host.
///
/// # Errors
/// The daemon's text.
pub fn remove_network(session: &mut Session, name: &str) -> Result<String, Output> {
    let known = host(session)
        .ok()
        .and_then(|(world, plane)| network_name(world, plane, name));
    let full: Arc<str> = known.unwrap_or_else(|| name.to_owned()).into();
    verb::act(session, Request::RemoveNetwork { name: full })?;
    Ok(name.to_owned())
}

/// A network of the host in the shape of `docker network inspect`.
pub fn network(session: &Session, name: &str) -> Option<Value> {
    let (world, plane) = host(session).ok()?;
    let name = network_name(world, plane, name)?;
    let made = plane.networks().get(name.as_str());
    let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
    let driver = made.map_or_else(
        || built_in.map_or("bridge", |(_, driver)| driver),
        |made| &*made.driver,
    );
    let members = plane.containers().into_iter().filter(|row| {
        row.state == State::Running
            && (row.config.networks.contains_key(name.as_str())
                || name == "bridge"
                    && row.config.networks.is_empty()
                    && matches!(&*row.config.network_mode, "" | "bridge"))
    });
    let members: SortedMap<String, Value> = members
        .map(|row| {
            let address = row
                .sandbox
                .and_then(|sandbox| {
                    let plugs = world.substrate.plugs(sandbox);
                    let (plug, address) =
                        plugs.into_iter().find(|(plug, _)| *plug.network == *name)?;
                    Some(format!("{}/{}", Ipv4Addr::from(address), plug.prefix))
                })
                .unwrap_or_default();
            let member = Value::object([
                ("Name", Value::string(world.symbols.text(row.name))),
                ("IPv4Address", Value::string(&address)),
            ]);
            (container_id(row, world.seed), member)
        })
        .collect();
    let labels = made.map(|made| made.labels.clone()).unwrap_or_default();
    let (base, prefix) = match made {
        Some(made) => made.range,
        None if name == "bridge" => crate::compose::pools::DEFAULT_RANGE,
        None => (0, 0),
    };
    let ranges = if prefix == 0 {
        Vec::new()
    } else {
        vec![Value::object([
            (
                "Subnet",
                Value::string(&format!("{}/{prefix}", Ipv4Addr::from(base))),
            ),
            (
                "Gateway",
                Value::string(&Ipv4Addr::from(base + 1).to_string()),
            ),
        ])]
    };
    Some(Value::object([
        ("Name", Value::string(&name)),
        ("Id", Value::string(&network_id(&name, world.seed))),
        ("Scope", Value::string("local")),
        ("Driver", Value::string(driver)),
        (
            "IPAM",
            Value::object([
                ("Driver", Value::string("default")),
                ("Config", Value::list(ranges)),
            ]),
        ),
        (
            "Internal",
            Value::Bool(made.is_some_and(|made| made.internal)),
        ),
        ("Attachable", Value::Bool(false)),
        ("Containers", Value::object(members)),
        ("Options", Value::map()),
        ("Labels", texts(&labels)),
    ]))
}

fn texts(labels: &SortedMap<Arc<str>, Arc<str>>) -> Value {
    Value::object(
        labels
            .iter()
            .map(|(key, value)| (key.clone(), Value::string(value))),
    )
}

/// `docker network prune`.
///
/// # Errors
/// The daemon's text.
pub fn prune_networks(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(
        &grammar("docker network prune", "[OPTIONS]", PRUNE, 0, Some(0)),
        words,
    )?;
    confirmed(&parsed, "network prune")?;
    let (_, plane) = host(session)?;
    let used = |name: &str| {
        plane
            .containers()
            .iter()
            .any(|row| row.state == State::Running && row.config.networks.contains_key(name))
    };
    let names: Vec<Arc<str>> = plane
        .networks()
        .keys()
        .filter(|name| !used(name))
        .cloned()
        .collect();
    let mut text = String::new();
    for name in &names {
        verb::act(session, Request::RemoveNetwork { name: name.clone() })?;
        text.push_str(&format!("{name}\n"));
    }
    if !names.is_empty() {
        text = format!("Deleted Networks:\n{text}\n");
    }
    Ok(Output::text(text))
}

fn confirmed(parsed: &Parsed, what: &str) -> Result<(), Output> {
    if parsed.has("force") {
        return Ok(());
    }
    Err(asks_nothing(&format!("docker {what}: ")))
}

/// `docker volume VERB`.
///
/// # Errors
/// The command line's or the daemon's text.
pub fn volume(session: &mut Session, verb_word: &str, words: &[String]) -> Result<Output, Output> {
    match verb_word {
        "ls" | "list" => volumes(session, &parse(&VOLUME_LS, words)?),
        "create" => {
            let parsed = parse(&VOLUME_CREATE, words)?;
            let name = parsed
                .words
                .first()
                .map(String::as_str)
                .or_else(|| parsed.value("name"));
            let name = match name {
                Some(name) => name.to_owned(),
                None => {
                    let (world, plane) = host(session)?;
                    network_id(&format!("volume {}", plane.volumes().len()), world.seed)
                }
            };
            let request = Request::CreateVolume {
                name: name.into(),
                labels: labels(&parsed),
            };
            Ok(printed(verb::act(session, request)?))
        }
        "rm" | "remove" => {
            let parsed = parse(
                &grammar(
                    "docker volume rm",
                    "[OPTIONS] VOLUME [VOLUME...]",
                    "force,f",
                    1,
                    None,
                ),
                words,
            )?;
            let force = parsed.has("force");
            Ok(each(&parsed.words, |name| {
                match verb::act(session, Request::RemoveVolume { name: name.into() }) {
                    Ok(_) => Ok(name.to_owned()),
                    Err(output) if force && output.stderr.contains("no such volume") => {
                        Ok(name.to_owned())
                    }
                    Err(output) => Err(output),
                }
            }))
        }
        "inspect" => {
            let parsed = parse(
                &grammar(
                    "docker volume inspect",
                    "[OPTIONS] VOLUME [VOLUME...]",
                    "format,f=",
                    1,
                    None,
                ),
                words,
            )?;
            let mut objects = Vec::new();
            let mut missing = Vec::new();
            for name in &parsed.words {
                match volume_object(session, name) {
                    Some(object) => objects.push(object),
                    None => missing.push(format!(
                        "Error response from daemon: get {name}: no such volume"
                    )),
                }
            }
            Ok(inspected(&objects, &missing, parsed.value("format")))
        }
        "prune" => {
            let parsed = parse(
                &grammar("docker volume prune", "[OPTIONS]", PRUNE, 0, Some(0)),
                words,
            )?;
            confirmed(&parsed, "volume prune")?;
            let (_, plane) = host(session)?;
            // Without --all only those without a name of their own: nobody makes such here.
            let names: Vec<Arc<str>> = plane
                .volumes()
                .keys()
                .filter(|name| parsed.has("all") && users(plane, name) == 0)
                .cloned()
                .collect();
            let mut text = String::new();
            for name in &names {
                verb::act(session, Request::RemoveVolume { name: name.clone() })?;
                text.push_str(&format!("{name}\n"));
            }
            if !names.is_empty() {
                text = format!("Deleted Volumes:\n{text}\n");
            }
            Ok(Output::text(format!("{text}Total reclaimed space: 0B\n")))
        }
        word => Err(crate::console::docker::unknown_command(
            "docker volume",
            word,
        )),
    }
}

fn users(plane: &ComposePlane, volume: &str) -> usize {
    let uses = |row: &&crate::compose::store::ContainerRow| {
        row.config
            .mounts
            .iter()
            .any(|mount| mount.kind == MountKind::Volume && &*mount.source == volume)
    };
    plane.containers().into_iter().filter(uses).count()
}

/// A volume in the shape of `docker volume inspect`.
pub fn volume_object(session: &Session, name: &str) -> Option<Value> {
    let (_, plane) = host(session).ok()?;
    let made: &Made = plane.volumes().get(name)?;
    Some(Value::object([
        ("CreatedAt", Value::string(&made.at.rfc3339())),
        ("Driver", Value::string(&made.driver)),
        (
            "Labels",
            if made.labels.is_empty() {
                Value::Null
            } else {
                texts(&made.labels)
            },
        ),
        (
            "Mountpoint",
            Value::string(&format!("/var/lib/docker/volumes/{name}/_data")),
        ),
        ("Name", Value::string(name)),
        ("Options", Value::Null),
        ("Scope", Value::string("local")),
    ]))
}

fn volumes(session: &Session, parsed: &Parsed) -> Result<Output, Output> {
    let filters = filters(parsed, &["name", "driver", "dangling", "label"])?;
    let (_, plane) = host(session)?;
    let mut listing = Listing::new(
        "*formatter.volumeContext",
        &[("Driver", "DRIVER"), ("Name", "VOLUME NAME")],
        0,
    );
    listing.quiet = "Name";
    let mut names: Vec<(&Arc<str>, &Made)> = plane.volumes().iter().collect();
    names.arrange_by(|a, b| crate::swarm::view::natural(a.0, b.0));
    for (name, made) in names {
        let fits = passes(&filters, |key, value| match key {
            "name" => name.contains(value),
            "driver" => *made.driver == *value,
            "dangling" => (users(plane, name) == 0) == matches!(value, "true" | "1"),
            _ => labelled(value, |key| made.labels.get(key).map(|text| &**text)),
        });
        if fits {
            listing
                .rows
                .push(vec![made.driver.to_string(), name.to_string()]);
        }
    }
    Ok(listing.output(parsed))
}

/// Rows of `docker network ls`: id, name, driver, scope.
pub fn network_rows(session: &Session) -> Vec<[String; 4]> {
    let Ok((world, plane)) = host(session) else {
        return Vec::new();
    };
    let local = |name: &str, driver: &str| {
        [
            network_id(name, world.seed),
            name.to_owned(),
            driver.to_owned(),
            "local".to_owned(),
        ]
    };
    // The engine's own three networks are always there.
    let mut rows: Vec<[String; 4]> = BUILT_IN
        .iter()
        .map(|(name, driver)| local(name, driver))
        .collect();
    rows.extend(
        plane
            .networks()
            .iter()
            .map(|(name, made)| local(name, &made.driver)),
    );
    rows
}

/// `docker system df` and `docker system prune`, `docker container prune`.
///
/// # Errors
/// The command line's or the daemon's text.
pub fn system(session: &mut Session, verb_word: &str, words: &[String]) -> Result<Output, Output> {
    match verb_word {
        "df" => disk(session, words),
        "prune" => {
            let parsed = parse(
                &grammar("docker system prune", "[OPTIONS]", PRUNE, 0, Some(0)),
                words,
            )?;
            confirmed(&parsed, "system prune")?;
            let force = ["--force".to_owned()];
            let mut freed = stopped_bytes(session)?;
            let mut text = without_total(&prune_containers(session, &force)?);
            text.push_str(&prune_networks(session, &force)?.stdout);
            let mut words = force.to_vec();
            if parsed.has("all") {
                words.push("--all".to_owned());
                freed += image::reclaimable(session, &image::unused(session)?)?;
            }
            text.push_str(&without_total(&image::prune(session, &words)?));
            Ok(Output::text(format!(
                "{text}Total reclaimed space: {}\n",
                human_size(freed)
            )))
        }
        _ => prune_containers(session, words),
    }
}

/// What a command printed, but for the line of its total.
fn without_total(output: &Output) -> String {
    output
        .stdout
        .lines()
        .filter(|line| !line.starts_with("Total reclaimed space:"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Bytes in the layers of containers that do not run.
fn stopped_bytes(session: &Session) -> Result<u64, Output> {
    let engine = Engine::of(session)?;
    let machines = &engine.world.substrate;
    Ok(engine
        .rows()
        .into_iter()
        .filter(|row| row.state != "running")
        .filter_map(|row| row.layer)
        .map(|layer| machines.layer_bytes(engine.machine, &layer))
        .sum())
}

fn disk(session: &Session, words: &[String]) -> Result<Output, Output> {
    parse(
        &grammar(
            "docker system df",
            "[OPTIONS]",
            "format=! verbose,v!",
            0,
            Some(0),
        ),
        words,
    )?;
    let (_, plane) = host(session)?;
    let (images, bytes) = image::usage(session)?;
    let rows = plane.containers();
    let active = rows
        .iter()
        .filter(|row| row.state == State::Running)
        .count();
    let mut used: Vec<&str> = rows.iter().map(|row| &*row.config.image).collect();
    used.arrange();
    used.dedup();
    let volumes = plane.volumes();
    let mounted = volumes.keys().filter(|name| users(plane, name) > 0).count();
    let engine = Engine::of(session)?;
    let machines = &engine.world.substrate;
    let mut written = (0, 0);
    for row in engine.rows() {
        let bytes = row
            .layer
            .map_or(0, |layer| machines.layer_bytes(engine.machine, &layer));
        written.0 += bytes;
        written.1 += if row.state == "running" { 0 } else { bytes };
    }
    let mut kept = (0, 0);
    for name in volumes.keys() {
        let bytes = machines.layer_bytes(engine.machine, &Store::Volume(name.clone()));
        kept.0 += bytes;
        kept.1 += if users(plane, name) > 0 { 0 } else { bytes };
    }
    let free = image::reclaimable(session, &image::unused(session)?)?;
    let mut table = Table::new(&["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]);
    for (kind, total, active, size, free) in [
        ("Images", images, used.len(), bytes, free),
        ("Containers", rows.len(), active, written.0, written.1),
        ("Local Volumes", volumes.len(), mounted, kept.0, kept.1),
        ("Build Cache", 0, 0, 0, 0),
    ] {
        // The share is left out where there is nothing.
        let share = (free * 100)
            .checked_div(size)
            .filter(|_| kind != "Build Cache")
            .map_or_else(String::new, |share| format!(" ({share}%)"));
        table.rows.push(vec![
            kind.to_owned(),
            total.to_string(),
            active.to_string(),
            human_size(size),
            format!("{}{share}", human_size(free)),
        ]);
    }
    Ok(Output::text(table.docker()))
}

fn prune_containers(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(
        &grammar("docker container prune", "[OPTIONS]", PRUNE, 0, Some(0)),
        words,
    )?;
    confirmed(&parsed, "container prune")?;
    let (world, plane) = host(session)?;
    let stopped: Vec<(Arc<str>, String)> = plane
        .containers()
        .into_iter()
        .filter(|row| matches!(row.state, State::Exited | State::Created))
        .map(|row| {
            let name = world.symbols.text(row.name).into();
            (name, container_id(row, world.seed))
        })
        .collect();
    let mut text = String::new();
    for (name, id) in &stopped {
        let containers = vec![name.clone()];
        verb::act(
            session,
            Request::Remove {
                containers,
                force: false,
            },
        )?;
        text.push_str(&format!("{id}\n"));
    }
    if !stopped.is_empty() {
        text = format!("Deleted Containers:\n{text}\n");
    }
    Ok(Output::text(format!("{text}Total reclaimed space: 0B\n")))
}
