//! `docker service …`: what looks, and the short verbs. Source: docker/cli `cli/command/service`.

use std::sync::Arc;

use super::flags::{Grammar, parse};
use super::listing::{Listing, filters, inspected, labelled, passes};
use super::words::{nanos_text, service_ports, short};
use super::{
    ask, each, manager as swarm, pretty, progress, service_spec, service_update, task,
    unknown_command,
};
use crate::api::swarm::service::{ServiceMode, ServiceSpec};
use crate::base::arrange::Arrange;
use crate::base::time::SimTime;
use crate::console::{Output, Session, follow};
use crate::engine::command::Orchestrator;
use crate::manifest::value::Value;
use crate::swarm::SwarmPlane;
use crate::swarm::control_api::Request;
use crate::swarm::store::ServiceId;
use crate::swarm::view::ServiceView;

/// Filters of `service ls` and `stack services`.
pub const FILTERS: [&str; 4] = ["id", "name", "label", "mode"];

const LS: Grammar = Grammar {
    path: "docker service ls",
    usage: "[OPTIONS]",
    flags: "filter,f=* format= quiet,q",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const PS: Grammar = Grammar {
    path: "docker service ps",
    usage: "[OPTIONS] SERVICE [SERVICE...]",
    flags: task::FLAGS,
    least: 1,
    most: None,
    interspersed: true,
};
const INSPECT: Grammar = Grammar {
    path: "docker service inspect",
    usage: "[OPTIONS] SERVICE [SERVICE...]",
    flags: "format,f= pretty",
    least: 1,
    most: None,
    interspersed: true,
};
const SCALE: Grammar = Grammar {
    path: "docker service scale",
    usage: "SERVICE=REPLICAS [SERVICE=REPLICAS...]",
    flags: "detach,d",
    least: 1,
    most: None,
    interspersed: true,
};
const ROLLBACK: Grammar = Grammar {
    path: "docker service rollback",
    usage: "[OPTIONS] SERVICE",
    flags: "detach,d quiet,q",
    least: 1,
    most: Some(1),
    interspersed: true,
};
const RM: Grammar = Grammar {
    path: "docker service rm",
    usage: "SERVICE [SERVICE...]",
    flags: "",
    least: 1,
    most: None,
    interspersed: true,
};
const LOGS: Grammar = Grammar {
    path: "docker service logs",
    usage: "[OPTIONS] SERVICE|TASK",
    flags: "details! follow,f no-resolve! no-task-ids no-trunc raw since=! tail,n= timestamps,t",
    least: 1,
    most: Some(1),
    interspersed: true,
};

/// Runs one command.
pub fn run(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let Some(verb) = words.first() else {
        return Ok(Output::text(
            "Usage:  docker service COMMAND\n\nCommands: create, inspect, logs, ls, ps, rm, rollback, scale, update\n",
        ));
    };
    let rest = &words[1..];
    match verb.as_str() {
        "ls" | "list" => list(session, rest),
        "ps" => tasks(session, rest),
        "inspect" => inspect(session, rest),
        "scale" => scale(session, rest),
        "rollback" => rollback(session, rest),
        "rm" | "remove" => {
            let parsed = parse(&RM, rest)?;
            swarm(session)?;
            Ok(each(&parsed.words, |name| {
                ask(session, Request::RemoveService(name.into())).map(|_| name.to_owned())
            }))
        }
        "logs" => {
            let follows = parse(&LOGS, rest)?.has("follow");
            if follows {
                swarm(session)?;
                follow::pass(session, |_| false);
            }
            let mut output = logs(session, rest)?;
            if follows {
                follow::note(&mut output);
            }
            Ok(output)
        }
        "create" => service_spec::create(session, rest),
        "update" => service_update::update(session, rest),
        word => Err(unknown_command("docker service", word)),
    }
}

/// The list's rows.
pub fn listing(views: Vec<ServiceView>) -> Listing {
    let mut listing = Listing::new(
        "*service.serviceContext",
        &[
            ("ID", "ID"),
            ("Name", "NAME"),
            ("Mode", "MODE"),
            ("Replicas", "REPLICAS"),
            ("Image", "IMAGE"),
            ("Ports", "PORTS"),
        ],
        0,
    );
    listing.raw = &["id", "name", "mode", "replicas", "image", "ports"];
    listing.rows = views
        .into_iter()
        .map(|view| {
            vec![
                short(&view.identity.text()),
                view.name.to_string(),
                mode(view.mode).to_owned(),
                replicas(&view),
                task::image(&view.image),
                service_ports(&view.ports),
            ]
        })
        .collect();
    listing
}

fn mode(mode: ServiceMode) -> &'static str {
    match mode {
        ServiceMode::Replicated { .. } => "replicated",
        ServiceMode::Global => "global",
        ServiceMode::ReplicatedJob { .. } => "replicated job",
        ServiceMode::GlobalJob => "global job",
    }
}

fn replicas(view: &ServiceView) -> String {
    let base = format!("{}/{}", view.running, view.desired);
    match view.mode {
        ServiceMode::Replicated { .. } if view.max_per_node > 0 => {
            format!("{base} (max {} per node)", view.max_per_node)
        }
        ServiceMode::ReplicatedJob {
            total_completions, ..
        } => format!("{base} ({}/{total_completions} completed)", view.completed),
        ServiceMode::GlobalJob => format!(
            "{base} ({}/{} completed)",
            view.completed,
            view.desired + view.completed
        ),
        ServiceMode::Replicated { .. } | ServiceMode::Global => base,
    }
}

/// Whether a service passes one filter. Names and identifiers match by their beginning.
pub fn holds(plane: &SwarmPlane, view: &ServiceView, key: &str, value: &str) -> bool {
    match key {
        "id" => view.identity.text().starts_with(value),
        "name" => view.name.starts_with(value),
        "mode" => mode(view.mode).replace(' ', "-") == value,
        "label" => plane.store.service(view.id).is_some_and(|service| {
            labelled(value, |key| {
                service.spec.labels.get(key).map(|text| &**text)
            })
        }),
        _ => false,
    }
}

fn list(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&LS, words)?;
    let filters = filters(&parsed, &FILTERS)?;
    let plane = swarm(session)?;
    let views = plane
        .service_views()
        .into_iter()
        .filter(|view| passes(&filters, |key, value| holds(plane, view, key, value)))
        .collect();
    Ok(listing(views).output(&parsed))
}

/// The service of this name, identifier or beginning of one.
///
/// # Errors
/// The daemon's text.
pub fn find(plane: &SwarmPlane, name: &str) -> Result<ServiceId, Output> {
    plane.find_service(name).ok_or_else(|| {
        Output::error(
            1,
            format!("Error response from daemon: service {name} not found"),
        )
    })
}

fn tasks(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PS, words)?;
    let filters = filters(&parsed, &task::FILTERS)?;
    let plane = swarm(session)?;
    let mut views = Vec::new();
    let mut missing = Vec::new();
    for name in &parsed.words {
        match plane.find_service(name) {
            Some(id) => views.extend(plane.task_views(id)),
            None => missing.push(format!("no such service: {name}")),
        }
    }
    if missing.len() == parsed.words.len() {
        return Err(Output::error(1, missing.join("\n")));
    }
    let mut output = task::print(session, views, &filters, &parsed)?;
    if !missing.is_empty() {
        output.stderr.push(&(missing.join("\n") + "\n"));
        output.code = 1;
    }
    Ok(output)
}

fn inspect(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&INSPECT, words)?;
    let plane = swarm(session)?;
    if parsed.has("pretty") && parsed.value("format").is_some() {
        return Err(Output::error(
            1,
            "--format is incompatible with human friendly format",
        ));
    }
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for name in &parsed.words {
        match plane.find_service(name) {
            Some(id) => found.extend(plane.inspect_service(id).map(|object| (id, object))),
            None => missing.push(format!(
                "Error response from daemon: service {name} not found"
            )),
        }
    }
    if parsed.has("pretty") || parsed.value("format") == Some("pretty") {
        // The first service that is not there ends this form.
        let texts = found.iter().map(|(id, object)| {
            let status = plane.store.service(*id);
            let status = status.and_then(|service| service.update_status.as_ref());
            let network = |id: &str| {
                let networks = plane.named(crate::swarm::control_api::Kind::Network);
                let found = networks
                    .iter()
                    .find(|(_, network)| network.identity.text() == id);
                found.map_or_else(|| id.to_owned(), |(name, _)| name.to_string())
            };
            pretty::service(object, status, session.history.now(), network) + "\n"
        });
        return Ok(Output {
            stdout: texts.collect(),
            stderr: missing.iter().map(|line| format!("{line}\n")).collect(),
            code: i32::from(!missing.is_empty()),
        });
    }
    let objects: Vec<Value> = found.into_iter().map(|(_, object)| object).collect();
    Ok(inspected(&objects, &missing, parsed.value("format")))
}

/// The stored specification and version of a service.
///
/// # Errors
/// The daemon's text if there is none.
pub fn stored(session: &Session, name: &str) -> Result<(Arc<ServiceSpec>, u64), Output> {
    let plane = swarm(session)?;
    let id = find(plane, name)?;
    let service = plane.store.service(id).expect("the service was just found");
    Ok((service.spec.clone(), service.version))
}

fn scale(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&SCALE, words)?;
    swarm(session)?;
    let mut wanted = Vec::new();
    for word in &parsed.words {
        let pair = word.split_once('=');
        let Some((name, count)) =
            pair.filter(|(name, count)| !name.is_empty() && !count.is_empty())
        else {
            return Err(Output::error(
                1,
                format!(
                    "invalid scale specifier '{word}'.\nSee 'docker service scale --help'.\n\nUsage:  docker service scale SERVICE=REPLICAS [SERVICE=REPLICAS...]\n\nScale one or multiple replicated services"
                ),
            ));
        };
        wanted.push((name, count));
    }
    let mut all = Output::default();
    let mut scaled = Vec::new();
    for (name, count) in wanted {
        match scale_one(session, name, count) {
            Ok(()) => {
                all.stdout.push(format!("{name} scaled to {count}\n"));
                scaled.push(name);
            }
            Err(output) => {
                all.stderr.push(format!("{name}: "));
                all.stderr.push(output.stderr);
                all.code = 1;
            }
        }
    }
    if !parsed.has("detach") {
        for name in scaled {
            append(&mut all, progress::wait(session, name));
        }
    }
    Ok(all)
}

fn scale_one(session: &mut Session, name: &str, count: &str) -> Result<(), Output> {
    let Ok(count) = count.parse::<u32>() else {
        return Err(Output::error(
            1,
            format!(
                "invalid replicas value {count}: strconv.ParseUint: parsing \"{count}\": invalid syntax"
            ),
        ));
    };
    let (spec, version) = stored(session, name)?;
    let mut spec = (*spec).clone();
    match &mut spec.mode {
        ServiceMode::Replicated { replicas } => *replicas = count,
        ServiceMode::ReplicatedJob {
            total_completions, ..
        } => *total_completions = count,
        ServiceMode::Global | ServiceMode::GlobalJob => {
            return Err(Output::error(
                1,
                "scale can only be used with replicated or replicated-job mode",
            ));
        }
    }
    ask(
        session,
        Request::UpdateService {
            service: name.into(),
            version,
            spec: Arc::new(spec),
        },
    )?;
    Ok(())
}

fn rollback(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&ROLLBACK, words)?;
    rollback_named(session, &parsed.words[0], parsed.has("detach"))
}

/// Returns a service to its previous specification and waits.
pub fn rollback_named(session: &mut Session, name: &str, detach: bool) -> Result<Output, Output> {
    let (_, version) = stored(session, name)?;
    ask(
        session,
        Request::RollbackService {
            service: name.into(),
            version,
        },
    )?;
    let mut all = Output::text(format!("{name}\n"));
    if !detach {
        append(&mut all, progress::wait(session, name));
    }
    Ok(all)
}

/// Adds one output to another.
pub fn append(all: &mut Output, more: Output) {
    all.stdout.push(&more.stdout);
    all.stderr.push(&more.stderr);
    all.code = all.code.max(more.code);
}

fn logs(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&LOGS, words)?;
    let world = session.world(Orchestrator::Swarm)?;
    let plane = swarm(session)?;
    let name = &parsed.words[0];
    let views = match plane.find_service(name) {
        Some(id) => plane.task_views(id),
        None => match plane.find_task(name, &world.symbols) {
            Some(task) => {
                let service = plane.store.tasks[task].service;
                plane
                    .task_views(service)
                    .into_iter()
                    .filter(|view| view.id == task)
                    .collect()
            }
            None => return Err(Output::error(1, format!("no such task or service: {name}"))),
        },
    };
    let tail = tail(parsed.value("tail"))?;
    let mut lines: Vec<(SimTime, u32, String)> = Vec::new();
    for view in &views {
        let Some(container) = view.container.and_then(|id| world.substrate.container(id)) else {
            continue;
        };
        let id = view.identity.text();
        let who = match (
            parsed.has("raw"),
            parsed.has("no-task-ids"),
            parsed.has("no-trunc"),
        ) {
            (true, ..) => String::new(),
            (_, true, _) => format!("{}@{}    | ", view.name, view.node),
            (_, _, true) => format!("{}.{id}@{}    | ", view.name, view.node),
            _ => format!("{}.{}@{}    | ", view.name, short(&id), view.node),
        };
        let own = container.log(session.history.now());
        let first = tail.map_or(0, |tail| own.len().saturating_sub(tail));
        for (at, line) in &own[first..] {
            let time = if parsed.has("timestamps") {
                format!("{} ", nanos_text(*at))
            } else {
                String::new()
            };
            lines.push((*at, view.slot, format!("{who}{time}{line}\n")));
        }
    }
    lines.arrange_by_key(|(at, slot, _)| (*at, *slot));
    Ok(Output::text(
        lines
            .into_iter()
            .map(|(_, _, line)| line)
            .collect::<String>(),
    ))
}

/// `--tail`: a number, or all.
///
/// # Errors
/// The daemon's text.
pub fn tail(value: Option<&str>) -> Result<Option<usize>, Output> {
    match value {
        None | Some("all") => Ok(None),
        Some(number) => number.parse().map(Some).map_err(|_| {
            Output::error(
                1,
                format!("Error response from daemon: invalid tail option: {number:?}"),
            )
        }),
    }
}
