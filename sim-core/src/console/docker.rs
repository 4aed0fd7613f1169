//! The `docker` grammar: stacks, services and nodes of the swarm, Compose projects and containers of
//! the host. Tables are printed from stored objects. What is not modelled is refused in words.

use std::sync::Arc;

use crate::api::swarm::service::{PortProtocol, PublishedPort, ServiceMode};
use crate::base::time::{SimDuration, SimTime};
use crate::compose::store::{ContainerRow, Health, State};
use crate::compose::{self, UpOptions};
use crate::engine::command::{Answer, Command, Orchestrator};
use crate::engine::world::World;
use crate::manifest::compose::loaded::Variables;
use crate::manifest::compose::project::{Setting, load_compose};
use crate::manifest::compose::stack::load_stack;
use crate::manifest::detect::COMPOSE_NAMES;
use crate::manifest::diagnostic::render_all;
use crate::manifest::lines::Source;
use crate::object::print::{KeyOrder, json_pretty};
use crate::swarm::{self, SwarmPlane};

use super::table::Table;
use super::{Output, Session};

/// Longest simulated time that a waiting command lets pass.
const WAIT_MAX: SimDuration = SimDuration::from_secs(1_800);

/// Runs one `docker` command.
pub fn run(session: &mut Session, words: &[String], _input: &str) -> Output {
    let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["stack", "deploy", rest @ ..] => stack_deploy(session, rest),
        ["stack", "rm", stack] => {
            swarm_request(session, swarm::Request::RemoveStack((*stack).into()))
        }
        ["stack", "services", stack] => services(session, Some(stack)),
        ["stack", "ps", stack] => tasks(session, None, Some(stack)),
        ["stack", "ls"] => stacks(session),
        ["service", "ls"] => services(session, None),
        ["service", "ps", service] => tasks(session, Some(service), None),
        ["service", "scale", pairs @ ..] => scale(session, pairs),
        ["service", "rm", service] => {
            swarm_request(session, swarm::Request::RemoveService((*service).into()))
        }
        ["service", "inspect", service] => inspect_service(session, service),
        ["node", "ls"] => nodes(session),
        ["compose", rest @ ..] => compose_command(session, rest),
        ["ps", rest @ ..] => containers(session, rest.contains(&"-a")),
        ["inspect", name] => inspect_container(session, name),
        ["exec", rest @ ..] => exec(session, rest),
        [verb @ ("stop" | "start" | "restart" | "kill"), names @ ..] if !names.is_empty() => {
            by_hand(session, verb, names, false)
        }
        ["rm", "-f", names @ ..] => by_hand(session, "rm", names, true),
        ["rm", names @ ..] if !names.is_empty() => by_hand(session, "rm", names, false),
        [] => Output::error(
            1,
            "usage: docker stack|service|node|compose|ps|inspect|exec|stop|start|restart|kill|rm …",
        ),
        _ => Output::error(1, format!("docker {} is not modelled", arguments.join(" "))),
    }
}

fn daemon(message: &str) -> Output {
    Output::error(1, format!("Error response from daemon: {message}"))
}

fn swarm_world(session: &Session) -> Result<(&World, &SwarmPlane), Output> {
    let world = session.world(Orchestrator::Swarm)?;
    let plane = world
        .swarm()
        .ok_or_else(|| daemon("This node is not a swarm manager."))?;
    Ok((world, plane))
}

fn swarm_request(session: &mut Session, request: swarm::Request) -> Output {
    match session.command(Orchestrator::Swarm, Command::Swarm(Arc::new(request))) {
        Ok(Answer::Swarm(result)) => match *result {
            Ok(swarm::Response::Stack(outcome)) => {
                let mut output = Output::text(
                    outcome
                        .lines
                        .iter()
                        .map(|line| format!("{line}\n"))
                        .collect::<String>(),
                );
                if let Some(error) = outcome.error {
                    output.stderr = format!("{error}\n");
                    output.code = 1;
                }
                output
            }
            Ok(_) => Output::default(),
            Err(refusal) => daemon(&refusal.to_string()),
        },
        Ok(_) => Output::default(),
        Err(output) => output,
    }
}

fn variables(session: &Session) -> Variables {
    session
        .environment
        .iter()
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect()
}

fn stack_deploy(session: &mut Session, words: &[&str]) -> Output {
    let (mut file, mut stack, mut prune) = (None, None, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "-c" | "--compose-file" => file = words.next().copied(),
            "--prune" => prune = true,
            "--detach" | "-d" | "--detach=true" | "--detach=false" => {}
            flag if flag.starts_with('-') => {
                return Output::error(
                    125,
                    format!("unknown flag: {flag}\nSee 'docker stack deploy --help'."),
                );
            }
            name => stack = Some(name),
        }
    }
    let (Some(file), Some(stack)) = (file, stack) else {
        return Output::error(
            1,
            "\"docker stack deploy\" requires a compose file (-c FILE) and the stack's name",
        );
    };
    let Some(text) = session.file(file).cloned() else {
        return Output::error(1, format!("open {file}: no such file or directory"));
    };
    let others = |name: &str| session.file(name).cloned();
    let loaded = load_stack(
        &Source::new(file, &text),
        stack,
        &variables(session),
        &others,
    );
    let Some(model) = loaded.model else {
        return Output::error(1, render_all(&loaded.problems, &loaded.sources));
    };
    swarm_request(
        session,
        swarm::Request::DeployStack {
            stack: model.into(),
            prune,
        },
    )
}

/// `Replicas` as docker prints them. Source: reference 22.2.
fn replicas(view: &swarm::view::ServiceView) -> String {
    let mut text = format!("{}/{}", view.running, view.desired);
    if view.max_per_node > 0 {
        text.push_str(&format!(" (max {} per node)", view.max_per_node));
    }
    if let ServiceMode::ReplicatedJob {
        total_completions, ..
    } = view.mode
    {
        text.push_str(&format!(
            " ({}/{total_completions} completed)",
            view.completed
        ));
    }
    text
}

fn port(port: &PublishedPort) -> String {
    let protocol = match port.protocol {
        PortProtocol::Tcp => "tcp",
        PortProtocol::Udp => "udp",
        PortProtocol::Sctp => "sctp",
    };
    format!("*:{}->{}/{protocol}", port.published, port.target)
}

fn services(session: &Session, stack: Option<&str>) -> Output {
    let (_, plane) = match swarm_world(session) {
        Ok(found) => found,
        Err(output) => return output,
    };
    let only = stack.map(|stack| plane.services_of(stack));
    if only.as_ref().is_some_and(Vec::is_empty) {
        let stack = stack.unwrap_or_default();
        return Output {
            stderr: format!("Nothing found in stack: {stack}\n"),
            ..Output::default()
        };
    }
    let mut table = Table::new(&["ID", "NAME", "MODE", "REPLICAS", "IMAGE", "PORTS"]);
    for view in plane.service_views() {
        if only
            .as_ref()
            .is_some_and(|only| !only.iter().any(|(_, id)| *id == view.id))
        {
            continue;
        }
        let mode = match view.mode {
            ServiceMode::Replicated { .. } => "replicated",
            ServiceMode::Global => "global",
            ServiceMode::ReplicatedJob { .. } => "replicated job",
            ServiceMode::GlobalJob => "global job",
        };
        let id: String = view.identity.text().chars().take(12).collect();
        let ports: Vec<String> = view.ports.iter().map(port).collect();
        table.rows.push(vec![
            id,
            view.name.to_string(),
            mode.to_owned(),
            replicas(&view),
            view.image.to_string(),
            ports.join(", "),
        ]);
    }
    Output::text(table.docker())
}

fn stacks(session: &Session) -> Output {
    match swarm_world(session) {
        Ok((_, plane)) => {
            let mut table = Table::new(&["NAME", "SERVICES"]);
            for (name, count) in plane.stacks() {
                table.rows.push(vec![name.to_string(), count.to_string()]);
            }
            Output::text(table.docker())
        }
        Err(output) => output,
    }
}

/// A span as docker says it, without "ago". Source: `docker/go-units duration.go` (reference 22.5).
pub fn human(span: SimDuration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours) = (seconds / 60, (seconds + 1_800) / 3_600);
    match seconds {
        0 => "less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..=59 => format!("{seconds} seconds"),
        60..=119 => "about a minute".to_owned(),
        120..=3_599 => format!("{minutes} minutes"),
        _ if hours == 1 => "about an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 730 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

fn tasks(session: &Session, service: Option<&str>, stack: Option<&str>) -> Output {
    let (world, plane) = match swarm_world(session) {
        Ok(found) => found,
        Err(output) => return output,
    };
    let ids = match (service, stack) {
        (Some(name), _) => match plane.find_service(name) {
            Some(id) => vec![id],
            None => return Output::error(1, format!("no such service: {name}")),
        },
        (None, stack) => {
            let stack = stack.unwrap_or_default();
            let found = plane.services_of(stack);
            if found.is_empty() {
                return Output::error(1, format!("nothing found in stack: {stack}"));
            }
            found.into_iter().map(|(_, id)| id).collect()
        }
    };
    let mut table = Table::new(&[
        "ID",
        "NAME",
        "IMAGE",
        "NODE",
        "DESIRED STATE",
        "CURRENT STATE",
        "ERROR",
        "PORTS",
    ]);
    for id in ids {
        for view in plane.with_errors(plane.task_views(id), &world.symbols) {
            let id: String = view.identity.text().chars().take(12).collect();
            let name = if view.historic {
                format!(" \\_ {}", view.name)
            } else {
                view.name.clone()
            };
            let error = if view.error.is_empty() {
                String::new()
            } else {
                ellipsis(&format!("\"{}\"", view.error), 30)
            };
            let ports: Vec<String> = view.ports.iter().map(port).collect();
            table.rows.push(vec![
                id,
                name,
                view.image.to_string(),
                view.node.clone(),
                view.desired.title().to_owned(),
                format!(
                    "{} {} ago",
                    view.state.title(),
                    human(world.now.since(view.since))
                ),
                error,
                ports.join(", "),
            ]);
        }
    }
    Output::text(table.docker())
}

fn ellipsis(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns - 1).collect();
    format!("{kept}…")
}

fn scale(session: &mut Session, pairs: &[&str]) -> Output {
    let mut all = Output::default();
    for pair in pairs.iter().filter(|pair| !pair.starts_with('-')) {
        let Some((name, count)) = pair.split_once('=') else {
            return Output::error(
                1,
                format!("invalid scale specifier '{pair}', must be of form <service>=<replicas>"),
            );
        };
        let Ok(count) = count.parse::<u32>() else {
            return Output::error(1, format!("{name}: invalid replicas value {count}"));
        };
        let found = {
            let (_, plane) = match swarm_world(session) {
                Ok(found) => found,
                Err(output) => return output,
            };
            plane
                .find_service(name)
                .and_then(|id| plane.store.service(id))
                .map(|service| (service.version, service.spec.clone()))
        };
        let Some((version, spec)) = found else {
            return daemon(&format!("service {name} not found"));
        };
        if !matches!(spec.mode, ServiceMode::Replicated { .. }) {
            return Output::error(
                1,
                format!("{name}: scale can only be used with replicated or replicated-job mode"),
            );
        }
        let mut spec = (*spec).clone();
        spec.mode = ServiceMode::Replicated { replicas: count };
        let output = swarm_request(
            session,
            swarm::Request::UpdateService {
                service: (*name).into(),
                version,
                spec: spec.into(),
            },
        );
        if output.code != 0 {
            return output;
        }
        all.stdout.push_str(&format!("{name} scaled to {count}\n"));
    }
    all
}

fn inspect_service(session: &Session, name: &str) -> Output {
    match swarm_world(session) {
        Ok((_, plane)) => match plane
            .find_service(name)
            .and_then(|id| plane.inspect_service(id))
        {
            Some(value) => Output::text(json_pretty(
                &crate::manifest::value::Value::list(vec![value]),
                KeyOrder::Stored,
            )),
            None => daemon(&format!("service {name} not found")),
        },
        Err(output) => output,
    }
}

fn nodes(session: &Session) -> Output {
    let (_, plane) = match swarm_world(session) {
        Ok(found) => found,
        Err(output) => return output,
    };
    let mut table = Table::new(&[
        "ID",
        "HOSTNAME",
        "STATUS",
        "AVAILABILITY",
        "MANAGER STATUS",
        "ENGINE VERSION",
    ]);
    for view in plane.node_views() {
        let mark = if view.manager_status == "Leader" {
            " *"
        } else {
            ""
        };
        table.rows.push(vec![
            format!("{}{mark}", view.identity.text()),
            view.hostname.to_string(),
            view.state.title().to_owned(),
            view.availability.title().to_owned(),
            view.manager_status.to_owned(),
            "29.7.2".to_owned(),
        ]);
    }
    Output::text(table.docker())
}

/// What `docker compose` was told before its verb.
#[derive(Debug, Default)]
struct Project {
    name: Option<String>,
    files: Vec<String>,
    profiles: Vec<Arc<str>>,
}

fn compose_command(session: &mut Session, words: &[&str]) -> Output {
    let mut project = Project::default();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let value = words.get(at + 1).map(|value| (*value).to_owned());
        match (*word, value) {
            ("-p" | "--project-name", Some(value)) => project.name = Some(value),
            ("-f" | "--file", Some(value)) => project.files.push(value),
            ("--profile", Some(value)) => project.profiles.push(value.into()),
            (flag, _) if flag.starts_with('-') => {
                return Output::error(1, format!("unknown flag: {flag}"));
            }
            _ => break,
        }
        at += 2;
    }
    let Some((verb, rest)) = words[at.min(words.len())..].split_first() else {
        return Output::error(
            1,
            "usage: docker compose [-p NAME] [-f FILE] up|down|ps|stop|start|restart|kill|rm|config",
        );
    };
    match *verb {
        "up" => compose_up(session, &project, rest),
        "down" => {
            let name = project
                .name
                .unwrap_or_else(|| super::open::PROJECT.to_owned());
            let volumes = rest.contains(&"-v") || rest.contains(&"--volumes");
            operate(
                session,
                compose::Request::Down {
                    project: name.into(),
                    volumes,
                    grace: None,
                },
            )
        }
        "ps" => compose_ps(session, rest.contains(&"-a") || rest.contains(&"--all")),
        "stop" | "start" | "restart" | "kill" => {
            let names = containers_of(session, rest);
            match names {
                Ok(names) => {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    by_hand(session, verb, &names, false)
                }
                Err(output) => output,
            }
        }
        "config" => match load(session, &project) {
            Ok(_) => Output::error(
                1,
                "docker compose config is not modelled: the file is valid",
            ),
            Err(output) => output,
        },
        other => Output::error(1, format!("docker compose {other} is not modelled")),
    }
}

fn load(
    session: &Session,
    project: &Project,
) -> Result<crate::api::compose::project::Project, Output> {
    let mut names = project.files.clone();
    if names.is_empty() {
        match COMPOSE_NAMES
            .iter()
            .find(|name| session.file(name).is_some())
        {
            Some(name) => names.push((*name).to_owned()),
            None => {
                return Err(Output::error(
                    14,
                    "no configuration file provided: not found",
                ));
            }
        }
    }
    let mut sources = Vec::new();
    for name in &names {
        match session.file(name) {
            Some(text) => sources.push(Source::new(name, text)),
            None => {
                return Err(Output::error(
                    14,
                    format!("open {name}: no such file or directory"),
                ));
            }
        }
    }
    let others = |name: &str| session.file(name).cloned();
    let environment = variables(session);
    let setting = Setting {
        environment: &environment,
        project_name: Some(project.name.as_deref().unwrap_or(super::open::PROJECT)),
        folder: super::open::PROJECT,
        profiles: &project.profiles,
        others: &others,
    };
    let loaded = load_compose(&sources, setting);
    loaded
        .model
        .ok_or_else(|| Output::error(15, render_all(&loaded.problems, &loaded.sources)))
}

fn compose_up(session: &mut Session, project: &Project, words: &[&str]) -> Output {
    let mut options = UpOptions::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "-d" | "--detach" => {}
            "--wait" => options.wait = true,
            "--force-recreate" => options.force_recreate = true,
            "--no-recreate" => options.no_recreate = true,
            "--no-start" => options.no_start = true,
            "--remove-orphans" => options.remove_orphans = true,
            "--scale" => match words.next().and_then(|pair| pair.split_once('=')) {
                Some((name, count)) => match count.parse() {
                    Ok(count) => options.scale.push((name.into(), count)),
                    Err(_) => {
                        return Output::error(
                            1,
                            format!("invalid --scale option \"{name}={count}\": it needs a number"),
                        );
                    }
                },
                None => return Output::error(1, "invalid --scale option: it needs SERVICE=NUM"),
            },
            flag if flag.starts_with('-') => {
                return Output::error(1, format!("unknown flag: {flag}"));
            }
            name => options.services.push(name.into()),
        }
    }
    let project = match load(session, project) {
        Ok(project) => project,
        Err(output) => return output,
    };
    operate(
        session,
        compose::Request::Up {
            project: project.into(),
            options,
        },
    )
}

/// Begins an operation of the client and, if commands may wait, lets time pass until it is over.
fn operate(session: &mut Session, request: compose::Request) -> Output {
    let number = match session.command(Orchestrator::Compose, Command::Compose(Arc::new(request))) {
        Ok(Answer::Compose(result)) => match *result {
            Ok(compose::Response::Operation(number)) => number,
            Ok(compose::Response::Containers(_)) => return Output::default(),
            Err(refusal) => return Output::error(refusal.code, refusal.message),
        },
        Ok(_) => return Output::default(),
        Err(output) => return output,
    };
    let end = session.history.now() + WAIT_MAX;
    loop {
        let state = session.world(Orchestrator::Compose).ok().and_then(|world| {
            let (lines, exit) = world.compose()?.operation(number)?;
            Some((lines.to_vec(), exit))
        });
        let Some((lines, exit)) = state else {
            return Output::default();
        };
        if exit.is_some() || !session.wait || session.history.now() >= end {
            let stderr = lines.iter().map(|line| format!("{line}\n")).collect();
            return Output {
                stdout: String::new(),
                stderr,
                code: exit.unwrap_or(0),
            };
        }
        let next = session.history.now() + SimDuration::from_millis(100);
        session.history.advance_to(next);
    }
}

fn containers_of(session: &Session, services: &[&str]) -> Result<Vec<String>, Output> {
    let world = session.world(Orchestrator::Compose)?;
    let plane = world.compose().ok_or_else(|| daemon("no engine"))?;
    let mut names = Vec::new();
    for service in services {
        if !plane
            .containers()
            .iter()
            .any(|row| world.symbols.text(row.service) == *service)
        {
            return Err(Output::error(1, format!("no such service: {service}")));
        }
    }
    for row in plane.containers() {
        if services.is_empty() || services.contains(&world.symbols.text(row.service)) {
            names.push(world.symbols.text(row.name).to_owned());
        }
    }
    Ok(names)
}

fn by_hand(session: &mut Session, verb: &str, names: &[&str], force: bool) -> Output {
    let containers: Vec<Arc<str>> = names.iter().map(|name| (*name).into()).collect();
    let request = match verb {
        "stop" => compose::Request::Stop {
            containers,
            grace: None,
        },
        "start" => compose::Request::Start { containers },
        "restart" => compose::Request::Restart {
            containers,
            grace: None,
        },
        "kill" => compose::Request::Kill { containers },
        _ => compose::Request::Remove { containers, force },
    };
    match session.command(Orchestrator::Compose, Command::Compose(Arc::new(request))) {
        Ok(Answer::Compose(result)) => match *result {
            Ok(compose::Response::Containers(_)) => Output::text(
                names
                    .iter()
                    .map(|name| format!("{name}\n"))
                    .collect::<String>(),
            ),
            Ok(compose::Response::Operation(_)) => Output::default(),
            Err(refusal) => Output::error(
                refusal.code,
                format!("Error response from daemon: {}", refusal.message),
            ),
        },
        Ok(_) => Output::default(),
        Err(output) => output,
    }
}

/// The STATUS column. Source: reference 22.10.
fn status(row: &ContainerRow, now: SimTime) -> String {
    let since = |at: Option<SimTime>| human(at.map_or(SimDuration::ZERO, |at| now.since(at)));
    let mut ago = since(row.finished_at);
    if let Some(first) = ago.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    match row.state {
        State::Created | State::Starting => "Created".to_owned(),
        State::Running => {
            let health = match row.health {
                Health::None => "",
                Health::Starting => " (health: starting)",
                Health::Healthy => " (healthy)",
                Health::Unhealthy => " (unhealthy)",
            };
            let mut up = since(row.started_at);
            if let Some(first) = up.get_mut(0..1) {
                first.make_ascii_uppercase();
            }
            format!("Up {up}{health}")
        }
        State::Restarting => format!("Restarting ({}) {ago} ago", row.exit_code),
        State::Exited => format!("Exited ({}) {} ago", row.exit_code, since(row.finished_at)),
        State::Removing => "Removal In Progress".to_owned(),
    }
}

fn ports_text(row: &ContainerRow) -> String {
    let texts = row.ports.iter().map(|port| {
        let host = if port.host_ip.is_empty() {
            "0.0.0.0"
        } else {
            &port.host_ip
        };
        let mut text = format!(
            "{host}:{}->{}/{}",
            port.published, port.target, port.protocol
        );
        if port.host_ip.is_empty() {
            text.push_str(&format!(
                ", [::]:{}->{}/{}",
                port.published, port.target, port.protocol
            ));
        }
        text
    });
    if row.state == State::Running {
        texts.collect::<Vec<_>>().join(", ")
    } else {
        String::new()
    }
}

fn compose_ps(session: &Session, all: bool) -> Output {
    let world = match session.world(Orchestrator::Compose) {
        Ok(world) => world,
        Err(output) => return output,
    };
    let Some(plane) = world.compose().filter(|plane| plane.engine_up()) else {
        return no_engine();
    };
    let mut table = Table::new(&[
        "NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS",
    ]);
    let mut rows = plane.containers();
    rows.sort_by(|a, b| world.symbols.text(a.name).cmp(world.symbols.text(b.name)));
    for row in rows
        .into_iter()
        .filter(|row| all || row.state == State::Running)
    {
        table.rows.push(vec![
            world.symbols.text(row.name).to_owned(),
            world.symbols.text(row.spec.image).to_owned(),
            command_text(row),
            world.symbols.text(row.service).to_owned(),
            format!("{} ago", human(world.now.since(row.created_at))),
            status(row, world.now),
            ports_text(row),
        ]);
    }
    Output::text(table.docker())
}

fn no_engine() -> Output {
    Output::error(
        1,
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    )
}

fn command_text(row: &ContainerRow) -> String {
    let words: Vec<&str> = row
        .spec
        .command
        .iter()
        .chain(row.spec.arguments.iter())
        .map(|word| &**word)
        .collect();
    format!("\"{}\"", ellipsis(&words.join(" "), 20))
}

fn containers(session: &Session, all: bool) -> Output {
    let world = match session.world(Orchestrator::Compose) {
        Ok(world) => world,
        Err(output) => return output,
    };
    let Some(plane) = world.compose().filter(|plane| plane.engine_up()) else {
        return no_engine();
    };
    let mut table = Table::new(&[
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ]);
    for row in plane
        .containers()
        .into_iter()
        .filter(|row| all || row.state == State::Running)
    {
        let id = compose::view::container_id(row, world.seed, &world.symbols);
        table.rows.push(vec![
            id[..12].to_owned(),
            world.symbols.text(row.spec.image).to_owned(),
            command_text(row),
            format!("{} ago", human(world.now.since(row.created_at))),
            status(row, world.now),
            ports_text(row),
            world.symbols.text(row.name).to_owned(),
        ]);
    }
    Output::text(table.docker())
}

fn inspect_container(session: &Session, name: &str) -> Output {
    let world = match session.world(Orchestrator::Compose) {
        Ok(world) => world,
        Err(output) => return output,
    };
    let Some(plane) = world.compose().filter(|plane| plane.engine_up()) else {
        return no_engine();
    };
    match plane
        .containers()
        .into_iter()
        .find(|row| world.symbols.text(row.name) == name)
    {
        Some(row) => {
            let value = plane.inspect(row, world.seed, &world.symbols, &world.substrate);
            Output::text(json_pretty(
                &crate::manifest::value::Value::list(vec![value]),
                KeyOrder::Stored,
            ))
        }
        None => Output {
            stdout: "[]\n".to_owned(),
            ..Output::error(1, format!("Error: No such object: {name}"))
        },
    }
}

fn exec(session: &Session, words: &[&str]) -> Output {
    let words: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !matches!(*word, "-i" | "-t" | "-it" | "-ti"))
        .collect();
    let Some((name, command)) = words
        .split_first()
        .filter(|(_, command)| !command.is_empty())
    else {
        return Output::error(1, "\"docker exec\" requires at least 2 arguments.");
    };
    let world = match session.world(Orchestrator::Compose) {
        Ok(world) => world,
        Err(output) => return output,
    };
    let Some(plane) = world.compose().filter(|plane| plane.engine_up()) else {
        return no_engine();
    };
    let Some(row) = plane
        .containers()
        .into_iter()
        .find(|row| world.symbols.text(row.name) == *name)
    else {
        return daemon(&format!("No such container: {name}"));
    };
    let Some(process) = row.process.filter(|_| row.state == State::Running) else {
        let id = compose::view::container_id(row, world.seed, &world.symbols);
        return daemon(&format!("container {id} is not running"));
    };
    let command: Vec<Arc<str>> = command.iter().map(|word| (*word).into()).collect();
    match world.substrate.exec(process, &command, world.now) {
        Some(code) => Output {
            code,
            ..Output::default()
        },
        None => daemon("the container is not running"),
    }
}
