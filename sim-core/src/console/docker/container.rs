//! `docker ps|inspect|logs|exec|start|stop|restart|kill|rm|update|stats`: containers of one engine.
//! Source: docker/cli `cli/command/container`, moby `daemon/container/state.go`.

pub mod attach;
pub mod copy;
pub mod image;
pub mod more;
pub mod ports;
pub mod resource;
pub mod row;
pub mod run;
pub mod stats;
pub mod verb;

use super::flags::{Grammar, Parsed, parse};
use super::listing::{Listing, filters, inspected, passes};
use super::words::{ellipsis, human, human_size, nanos_text, short};
use super::{not_modelled, service, unknown_command};
use crate::console::follow;
use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::base::time::{SimDuration, SimTime};
use crate::console::host::{self, shell::Outcome};
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::swarm::control_api::Kind;

use row::{Engine, Row};

/// Commands of this module.
pub const VERBS: [&str; 25] = [
    "ps", "inspect", "logs", "exec", "start", "stop", "restart", "kill", "rm", "update", "stats",
    "top", "run", "create", "wait", "port", "rename", "events", "images", "pull", "rmi", "diff",
    "history", "cp", "attach",
];

const PS: Grammar = Grammar {
    path: "docker ps",
    usage: "[OPTIONS]",
    flags: "all,a filter,f=* format= last,n= latest,l no-trunc quiet,q size,s",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const INSPECT: Grammar = Grammar {
    path: "docker inspect",
    usage: "[OPTIONS] NAME|ID [NAME|ID...]",
    flags: "format,f= type= size,s!",
    least: 1,
    most: None,
    interspersed: true,
};
const LOGS: Grammar = Grammar {
    path: "docker logs",
    usage: "[OPTIONS] CONTAINER",
    flags: "follow,f tail,n= timestamps,t details! since= until=",
    least: 1,
    most: Some(1),
    interspersed: true,
};
const EXEC: Grammar = Grammar {
    path: "docker exec",
    usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
    flags: "interactive,i tty,t detach,d env,e=*! env-file=*! user,u=! workdir,w=! privileged!",
    least: 2,
    most: None,
    interspersed: false,
};
const STATS: Grammar = Grammar {
    path: "docker stats",
    usage: "[OPTIONS] [CONTAINER...]",
    flags: "all,a format= no-stream no-trunc",
    least: 0,
    most: None,
    interspersed: true,
};

/// Runs `docker container …`, `docker image …`, `docker system …`.
pub fn grouped(
    session: &mut Session,
    group: &str,
    verb: &str,
    words: &[String],
) -> Result<Output, Output> {
    match (group, verb) {
        ("container", "ls" | "list") => run(session, "ps", words),
        ("container", "prune") => resource::system(session, "containers", words),
        ("container", verb)
            if VERBS.contains(&verb)
                && !matches!(
                    verb,
                    "ps" | "events" | "images" | "pull" | "rmi" | "history"
                ) =>
        {
            run(session, verb, words)
        }
        ("system", "info") => super::about::info(session, words),
        ("system", "events") => run(session, "events", words),
        ("system", "df" | "prune") => resource::system(session, verb, words),
        ("image", verb) => image::run(session, verb, words),
        ("container", "pause" | "unpause" | "export" | "commit") | ("system", "dial-stdio") => {
            Err(not_modelled(format!("docker {group} {verb}")))
        }
        _ => Err(unknown_command(&format!("docker {group}"), verb)),
    }
}

/// Runs one command.
pub fn run(session: &mut Session, verb: &str, words: &[String]) -> Result<Output, Output> {
    match verb {
        "ps" => {
            let parsed = parse(&PS, words)?;
            list(&Engine::of(session)?, &parsed)
        }
        "inspect" => inspect(session, &parse(&INSPECT, words)?),
        "logs" => {
            let parsed = parse(&LOGS, words)?;
            let engine = Engine::of(session)?;
            engine.find(&parsed.words[0])?;
            let follows = parsed.has("follow");
            if follows {
                follow::pass(session, |_| false);
            }
            let mut output = logs(session, &parsed)?;
            if follows {
                follow::note(&mut output);
            }
            Ok(output)
        }
        "exec" => exec(session, &parse(&EXEC, words)?),
        "stats" => stats::run(session, &parse(&STATS, words)?),
        "run" => run::run(session, words),
        "create" => run::create_only(session, words),
        "images" => image::list(session, words),
        "pull" => image::pull(session, words),
        "rmi" => image::remove(session, words),
        "cp" => copy::run(session, words),
        "attach" => attach::run(session, words),
        "diff" => diff(session, &parse(&DIFF, words)?),
        "history" => image::history(session, words),
        "wait" | "port" | "top" | "rename" | "events" => more::run(session, verb, words),
        verb => verb::run(session, verb, words),
    }
}

const DIFF: Grammar = Grammar {
    path: "docker diff",
    usage: "CONTAINER",
    flags: "",
    least: 1,
    most: Some(1),
    interspersed: true,
};

/// `docker diff`: how a container's own layer differs from its image.
fn diff(session: &Session, parsed: &Parsed) -> Result<Output, Output> {
    let engine = Engine::of(session)?;
    let row = engine.find(&parsed.words[0])?;
    let machines = &engine.world.substrate;
    let running = row
        .process
        .and_then(|id| Some((id, machines.container(id)?)));
    let spec = match running {
        Some((_, container)) => Some(container.spec.clone()),
        None => verb::stored(session, &row.name, |stored| stored.spec.clone()),
    };
    let Some((spec, layer)) = spec.zip(row.layer) else {
        return Ok(Output::default());
    };
    let all = machines.differences(
        engine.machine,
        (spec.image, &spec.root),
        &layer,
        running.map(|(id, _)| id),
        engine.now,
    );
    let lines = all
        .into_iter()
        .map(|(kind, path)| format!("{kind} {path}\n"));
    Ok(Output::text(lines.collect::<String>()))
}

/// What a container wrote, and with its image: `3B (virtual 180MB)`.
fn size(engine: &Engine<'_>, row: &Row) -> String {
    let machines = &engine.world.substrate;
    let own = row
        .layer
        .as_ref()
        .map_or(0, |layer| machines.layer_bytes(engine.machine, layer));
    let image = engine
        .world
        .symbols
        .get(&row.image)
        .and_then(|image| machines.image_named(image))
        .map_or(0, |image| machines.image_bytes(image));
    format!("{} (virtual {})", human_size(own), human_size(own + image))
}

const FIELDS: [(&str, &str); 15] = [
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
    ("Size", "SIZE"),
    ("State", "STATE"),
    ("CreatedAt", "CREATED AT"),
    ("Labels", "LABELS"),
    ("Networks", "NETWORKS"),
    ("Mounts", "MOUNTS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("HealthStatus", "HEALTH STATUS"),
];

/// Prints containers of an engine as `docker ps`.
///
/// # Errors
/// The daemon's text for an unknown filter.
pub fn list(engine: &Engine<'_>, parsed: &Parsed) -> Result<Output, Output> {
    let filters = filters(
        parsed,
        &[
            "id", "name", "status", "label", "health", "ancestor", "exited", "network", "volume",
            "before", "since", "publish",
        ],
    )?;
    let last = parsed.read("last", |text| {
        text.parse::<usize>()
            .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
    })?;
    let last = if parsed.has("latest") { Some(1) } else { last };
    let all = parsed.has("all")
        || last.is_some()
        || filters
            .iter()
            .any(|filter| filter.key == "status" || filter.key == "exited");
    let mut rows = engine.rows();
    let place = |rows: &[Row], name: &str| {
        rows.iter()
            .position(|row| row.name == name || row.id.starts_with(name))
    };
    // Rows are newest first.
    for filter in &filters {
        match (filter.key.as_str(), place(&rows, &filter.value)) {
            ("before", Some(place)) => {
                rows.drain(..=place);
            }
            ("since", Some(place)) => rows.truncate(place),
            ("before" | "since", None) => {
                return Err(Output::error(
                    1,
                    format!(
                        "Error response from daemon: No such container: {}",
                        filter.value
                    ),
                ));
            }
            _ => {}
        }
    }
    rows.retain(|row| {
        (all || matches!(row.state, "running" | "restarting" | "paused"))
            && passes(&filters, |key, value| holds(row, key, value))
    });
    rows.truncate(last.unwrap_or(usize::MAX));
    let whole = parsed.has("no-trunc");
    let mut listing = Listing::new(
        "*formatter.ContainerContext",
        &FIELDS,
        if parsed.has("size") { 7 } else { 8 },
    );
    listing.check(parsed)?;
    // It is told only if it is asked for.
    let sized = parsed.has("size")
        || parsed
            .value("format")
            .is_some_and(|format| format.contains(".Size"));
    for row in rows {
        let size = if sized {
            size(engine, &row)
        } else {
            "0B".to_owned()
        };
        listing.rows.push(vec![
            if whole {
                row.id.clone()
            } else {
                short(&row.id)
            },
            row.image.clone(),
            command(&row.command, whole),
            format!("{} ago", human(engine.now.since(row.created))),
            row.status.clone(),
            row.ports.clone(),
            row.name.clone(),
            size,
            row.state.to_owned(),
            row.created.truncated_to_second().go_text(),
            row.labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect::<Vec<_>>()
                .join(","),
            row.networks.join(","),
            row.mounts.join(","),
            row.mounts.len().to_string(),
            row.health.unwrap_or("").to_owned(),
        ]);
    }
    Ok(listing.output(parsed))
}

/// A command in quotes, cut to twenty columns.
pub fn command(text: &str, whole: bool) -> String {
    format!(
        "{:?}",
        if whole {
            text.to_owned()
        } else {
            ellipsis(text, 20)
        }
    )
}

fn holds(row: &Row, key: &str, value: &str) -> bool {
    match key {
        "id" => row.id.starts_with(value),
        "name" => named(&row.name, value),
        "status" => row.state == value,
        "health" => row.health.unwrap_or("none") == value,
        "ancestor" => row.image == value || row.image.split(':').next() == Some(value),
        "exited" => row.state == "exited" && row.exit_code.to_string() == value,
        "network" => row.networks.iter().any(|name| name == value),
        "volume" => row.mounts.iter().any(|name| name == value),
        "publish" => row
            .ports
            .contains(&format!(":{}->", value.split('/').next().unwrap_or(""))),
        "before" | "since" => true,
        "label" => super::listing::labelled(value, |key| {
            row.labels
                .iter()
                .find(|(known, _)| *known == key)
                .map(|(_, text)| text.as_str())
        }),
        _ => false,
    }
}

/// Whether a name matches a pattern, of whose regular expression only the anchors are modelled.
fn named(name: &str, pattern: &str) -> bool {
    let (begins, rest) = match pattern.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (pattern.starts_with('/'), pattern),
    };
    let rest = rest.trim_start_matches('/');
    match (begins, rest.strip_suffix('$')) {
        (true, Some(whole)) => name == whole,
        (true, None) => name.starts_with(rest),
        (false, Some(end)) => name.ends_with(end),
        (false, None) => name.contains(rest),
    }
}

fn inspect(session: &Session, parsed: &Parsed) -> Result<Output, Output> {
    let mut objects = Vec::new();
    let mut missing = Vec::new();
    let kind = parsed.value("type");
    for name in &parsed.words {
        let found = kind
            .is_none_or(|kind| kind == "container")
            .then(|| Engine::of(session).ok()?.inspect(name))
            .flatten();
        let found = found.or_else(|| {
            let world = session.history.lab().world(Orchestrator::Swarm)?;
            let plane = world.swarm()?;
            let wants = |word: &str| kind.is_none_or(|kind| kind == word);
            let service = || {
                wants("service")
                    .then(|| {
                        plane
                            .find_service(name)
                            .and_then(|id| plane.inspect_service(id))
                    })
                    .flatten()
            };
            let task = || {
                wants("task")
                    .then(|| {
                        plane
                            .find_task(name, &world.symbols)
                            .and_then(|id| plane.inspect_task(id, &world.symbols, &world.substrate))
                    })
                    .flatten()
            };
            let node = || {
                wants("node")
                    .then(|| plane.find_node(name).and_then(|id| plane.inspect_node(id)))
                    .flatten()
            };
            let network = || {
                wants("network")
                    .then(|| plane.inspect_named(Kind::Network, name))
                    .flatten()
            };
            network().or_else(node).or_else(service).or_else(task)
        });
        let wants = |word: &str| kind.is_none_or(|kind| kind == word);
        let found = found
            .or_else(|| {
                wants("image")
                    .then(|| image::object(session, name))
                    .flatten()
            })
            .or_else(|| {
                wants("network")
                    .then(|| resource::network(session, name))
                    .flatten()
            })
            .or_else(|| {
                wants("volume")
                    .then(|| resource::volume_object(session, name))
                    .flatten()
            });
        match found {
            Some(object) => objects.push(object),
            None => missing.push(match kind {
                Some("container") => {
                    format!("Error response from daemon: No such container: {name}")
                }
                Some(kind) => format!("Error response from daemon: no such {kind}: {name}"),
                None => format!("error: no such object: {name}"),
            }),
        }
    }
    Ok(inspected(&objects, &missing, parsed.value("format")))
}

fn logs(session: &Session, parsed: &Parsed) -> Result<Output, Output> {
    let engine = Engine::of(session)?;
    let row = engine.find(&parsed.words[0])?;
    let tail = service::tail(parsed.value("tail"))?;
    let time = |name: &str| match parsed.value(name) {
        None => Ok(None),
        Some(text) => more::instant(text, engine.now)
            .map(Some)
            .map_err(|message| Output::error(1, message)),
    };
    let lines = Lines {
        prefix: "",
        tail,
        timestamps: parsed.has("timestamps"),
        since: time("since")?,
        until: time("until")?,
    };
    Ok(Output::text(log_text(&engine, &row, lines)))
}

/// Which lines of a log are printed, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines<'a> {
    /// Stands before each.
    pub prefix: &'a str,
    /// Only so many, the last ones.
    pub tail: Option<usize>,
    /// Whether the time stands before each.
    pub timestamps: bool,
    /// Only from then on.
    pub since: Option<SimTime>,
    /// Only until then.
    pub until: Option<SimTime>,
}

/// The container's log.
pub fn log_text(engine: &Engine<'_>, row: &Row, how: Lines<'_>) -> String {
    let mut lines: Vec<(SimTime, Arc<str>)> = match engine.world.compose() {
        Some(plane) => plane
            .containers()
            .into_iter()
            .find(|stored| engine.world.symbols.text(stored.name) == row.name)
            .map(|stored| plane.log(stored, &engine.world.substrate, engine.now))
            .unwrap_or_default(),
        None => row
            .process
            .and_then(|id| engine.world.substrate.container(id))
            .map(|container| container.log(engine.now))
            .unwrap_or_default(),
    };
    lines.retain(|(at, _)| {
        how.since.is_none_or(|since| *at >= since) && how.until.is_none_or(|until| *at <= until)
    });
    let first = how.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
    lines[first..]
        .iter()
        .map(|(at, line)| {
            let time = if how.timestamps {
                format!("{} ", nanos_text(*at))
            } else {
                String::new()
            };
            format!("{}{time}{line}\n", how.prefix)
        })
        .collect()
}

fn exec(session: &mut Session, parsed: &Parsed) -> Result<Output, Output> {
    let row = Engine::of(session)?.find(&parsed.words[0])?;
    if parsed.has("detach") {
        return leave(session, &row, &parsed.words[1..]);
    }
    execute(session, &row, &parsed.words[1..])
}

/// Starts a command inside a container and does not wait: what it prints is seen by nobody.
///
/// # Errors
/// The daemon's text if nothing runs there.
pub fn leave(session: &mut Session, row: &Row, words: &[String]) -> Result<Output, Output> {
    let engine = Engine::of(session)?;
    let (orchestrator, node) = (
        engine.world.orchestrator,
        engine.world.machine_text(engine.machine).to_owned(),
    );
    let ends = outcome(&engine, row, words)?;
    let stays = row
        .process
        .filter(|_| host::jobs::stays(&words[0]))
        .and_then(|id| host::left(engine.world, id, engine.now, &words.join(" ")));
    let outcome = Outcome {
        output: Output::default(),
        takes: SimDuration::ZERO,
        ..stays.unwrap_or(ends)
    };
    Ok(host::carry(session, orchestrator, &node, outcome))
}

/// Runs a command inside a container and does there what it wants.
///
/// # Errors
/// The daemon's text if nothing runs there.
pub fn execute(session: &mut Session, row: &Row, words: &[String]) -> Result<Output, Output> {
    let engine = Engine::of(session)?;
    let (orchestrator, node) = (
        engine.world.orchestrator,
        engine.world.machine_text(engine.machine).to_owned(),
    );
    let outcome = outcome(&engine, row, words)?;
    Ok(host::carry(session, orchestrator, &node, outcome))
}

fn outcome(engine: &Engine<'_>, row: &Row, words: &[String]) -> Result<Outcome, Output> {
    // The runtime's own process does not fit below the limit on tasks.
    let full = row.process.is_some_and(|id| {
        let most = engine.world.substrate.pids_max(id);
        let now = 1 + engine.world.substrate.tasks_beside(id, engine.now);
        most.is_some_and(|most| now >= most)
    });
    if full {
        return Err(Output::error(
            126,
            "OCI runtime exec failed: exec failed: unable to start container process: error executing setns process: exit status 1",
        ));
    }
    let command: Vec<Arc<str>> = words.iter().map(|word| word.as_str().into()).collect();
    let code = row
        .process
        .and_then(|id| engine.world.substrate.exec(id, &command, engine.now));
    if code.is_some_and(|code| !matches!(code, 126 | 127))
        && let Some(outcome) = row
            .process
            .and_then(|id| host::inside(engine.world, id, engine.now, words, ""))
    {
        return Ok(outcome);
    }
    match code {
        None => Err(Output::error(
            1,
            format!(
                "Error response from daemon: container {} is not running",
                row.id
            ),
        )),
        Some(127) => Err(Output::error(
            127,
            format!(
                "OCI runtime exec failed: exec failed: unable to start container process: exec: {:?}: executable file not found in $PATH",
                words[0]
            ),
        )),
        Some(126) => Err(Output::error(
            126,
            format!(
                "OCI runtime exec failed: exec failed: unable to start container process: exec: {:?}: permission denied",
                words[0]
            ),
        )),
        Some(code) => Ok(Output::error(code, catalogue::PRINTS_UNKNOWN.plain()).into()),
    }
}

/// Lets time pass until `done`, if the session waits. Returns whether it came true.
pub fn until(session: &mut Session, longest: SimDuration, done: impl Fn(&Session) -> bool) -> bool {
    let deadline = session.history.now() + longest;
    while !done(session) {
        let now = session.history.now();
        if !session.wait || now >= deadline {
            return false;
        }
        // Nothing changes between events; looking every millisecond is close enough in a busy world.
        let next = session
            .history
            .lab()
            .next_at()
            .unwrap_or(deadline)
            .max(now + SimDuration::from_millis(1));
        session.history.advance_to(next.min(deadline));
    }
    true
}
