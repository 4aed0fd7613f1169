//! `compose ps|ls|logs|exec|top|images|port|events|volumes`: what only looks.

use super::{Global, containers, host};
use crate::base::sorted::SortedMap;
use crate::compose::view::{container_id, status_word};
use crate::console::docker::container::row::{Engine, Row};
use crate::console::docker::container::{self, Lines, command, execute, leave, log_text, more};
use crate::console::docker::flags::{Grammar, Parsed, parse};
use crate::console::docker::listing::{Listing, filters, passes};
use crate::console::docker::service::tail;
use crate::console::docker::words::human;
use crate::console::follow;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;

const PS: Grammar = Grammar {
    path: "docker compose ps",
    usage: "[OPTIONS] [SERVICE...]",
    flags: "all,a filter=* format= no-trunc orphans quiet,q services status=*",
    least: 0,
    most: None,
    interspersed: true,
};
const LS: Grammar = Grammar {
    path: "docker compose ls",
    usage: "[OPTIONS]",
    flags: "all,a filter=*! format= quiet,q",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const LOGS: Grammar = Grammar {
    path: "docker compose logs",
    usage: "[OPTIONS] [SERVICE...]",
    flags: "follow,f tail,n= timestamps,t no-color no-log-prefix index=! since=! until=!",
    least: 0,
    most: None,
    interspersed: true,
};
const EXEC: Grammar = Grammar {
    path: "docker compose exec",
    usage: "[OPTIONS] SERVICE COMMAND [ARGS...]",
    flags: "index= detach,d no-tty,T tty,t interactive,i env,e=*! user,u=! workdir,w=! privileged!",
    least: 2,
    most: None,
    interspersed: false,
};
/// Runs one command.
pub fn run(
    session: &mut Session,
    global: &Global,
    word: &str,
    words: &[String],
) -> Result<Output, Output> {
    match word {
        "ps" => list(session, global, words),
        "ls" => projects(session, words),
        "logs" => {
            let follows = parse(&LOGS, words)?.has("follow");
            if follows {
                host(session)?;
                follow::pass(session, |_| false);
            }
            let mut output = logs(session, global, words)?;
            if follows {
                follow::note(&mut output);
            }
            Ok(output)
        }
        "exec" => exec(session, global, words),
        "top" => top(session, global, words),
        "images" => images(session, global, words),
        "port" => port(session, global, words),
        "events" => events(session, global, words),
        _ => volumes(session, global, words),
    }
}

fn list(session: &Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PS, words)?;
    host(session)?;
    let mut wanted = filters(&parsed, &["status"])?;
    for status in parsed.values("status") {
        wanted.push(crate::console::docker::listing::Filter {
            key: "status".to_owned(),
            value: status.to_owned(),
        });
    }
    let project = global.name(session)?;
    let world = session.world(Orchestrator::Compose)?;
    let engine = Engine::of(session)?;
    let rows = engine.rows();
    let all = parsed.has("all") || !wanted.is_empty();
    let mut listing = Listing::new(
        "*formatter.ContainerContext",
        &[
            ("Name", "NAME"),
            ("Image", "IMAGE"),
            ("Command", "COMMAND"),
            ("Service", "SERVICE"),
            ("RunningFor", "CREATED"),
            ("Status", "STATUS"),
            ("Ports", "PORTS"),
            ("ID", "ID"),
            ("State", "STATE"),
            ("Health", "HEALTH"),
            ("ExitCode", "EXIT CODE"),
            ("Project", "PROJECT"),
        ],
        5,
    );
    listing.quiet = "ID";
    let mut services: Vec<String> = Vec::new();
    for stored in containers(session, &project, &parsed.words)? {
        let state = status_word(stored);
        if !(all || matches!(state, "running" | "restarting" | "paused"))
            || !passes(&wanted, |_, value| state == value)
        {
            continue;
        }
        let id = container_id(stored, world.seed);
        let Some(row) = rows.iter().find(|row| row.id == id) else {
            continue;
        };
        let service = world.symbols.text(stored.service).to_owned();
        if !services.contains(&service) {
            services.push(service.clone());
        }
        listing.rows.push(vec![
            row.name.clone(),
            row.image.clone(),
            command(&row.command, parsed.has("no-trunc")),
            service,
            format!("{} ago", human(engine.now.since(row.created))),
            row.status.clone(),
            row.ports.clone(),
            id,
            state.to_owned(),
            row.health.unwrap_or_default().to_owned(),
            row.exit_code.to_string(),
            project.clone(),
        ]);
    }
    if parsed.has("services") {
        return Ok(Output::text(
            services
                .iter()
                .map(|name| format!("{name}\n"))
                .collect::<String>(),
        ));
    }
    Ok(listing.output(&parsed))
}

fn projects(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&LS, words)?;
    let world = session.world(Orchestrator::Compose)?;
    let mut found: SortedMap<&str, SortedMap<&str, u32>> = SortedMap::new();
    for row in world
        .compose()
        .map(|plane| plane.containers())
        .unwrap_or_default()
        .into_iter()
        .filter(|row| !world.symbols.text(row.project).is_empty())
    {
        *found
            .entry(world.symbols.text(row.project))
            .or_default()
            .entry(status_word(row))
            .or_default() += 1;
    }
    // Containers carry no label with their files here, for which the real tool prints this.
    let mut listing = Listing::new(
        "compose.stackView",
        &[
            ("Name", "NAME"),
            ("Status", "STATUS"),
            ("ConfigFiles", "CONFIG FILES"),
        ],
        0,
    );
    for (name, states) in found {
        if !parsed.has("all") && !states.contains_key("running") {
            continue;
        }
        let status: Vec<String> = states
            .iter()
            .map(|(state, count)| format!("{state}({count})"))
            .collect();
        listing
            .rows
            .push(vec![name.to_owned(), status.join(", "), "N/A".to_owned()]);
    }
    Ok(listing.output(&parsed))
}

pub(super) fn logs(session: &Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&LOGS, words)?;
    host(session)?;
    let project = global.name(session)?;
    let engine = Engine::of(session)?;
    let tail = tail(parsed.value("tail"))?;
    let rows = engine.rows();
    let world = session.world(Orchestrator::Compose)?;
    let mut members = Vec::new();
    for stored in containers(session, &project, &parsed.words)? {
        let name = world.symbols.text(stored.name);
        let shown = name
            .strip_prefix(&format!("{project}-"))
            .unwrap_or(name)
            .to_owned();
        members.extend(
            rows.iter()
                .find(|row| row.name == name)
                .map(|row| (shown, row)),
        );
    }
    let widest = members
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (name, row) in members {
        let prefix = if parsed.has("no-log-prefix") {
            String::new()
        } else {
            format!("{name:<widest$}  | ")
        };
        let lines = Lines {
            prefix: &prefix,
            tail,
            timestamps: parsed.has("timestamps"),
            ..Lines::default()
        };
        text.push_str(&log_text(&engine, row, lines));
    }
    Ok(Output::text(text))
}

fn exec(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&EXEC, words)?;
    host(session)?;
    let index = index(&parsed)?;
    let row = running(session, global, &parsed.words[0], index)?;
    if parsed.has("detach") {
        return leave(session, &row, &parsed.words[1..]);
    }
    execute(session, &row, &parsed.words[1..])
}

/// The number that `--index` gives.
pub(super) fn index(parsed: &Parsed) -> Result<Option<u32>, Output> {
    parsed.read("index", |text| {
        text.parse::<u32>()
            .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
    })
}

/// The running container of a service: the first, or that of a number.
/// Source: docker/compose `pkg/compose/containers.go` getSpecifiedContainer.
pub(super) fn running(
    session: &Session,
    global: &Global,
    service: &str,
    index: Option<u32>,
) -> Result<Row, Output> {
    let project = global.name(session)?;
    let engine = Engine::of(session)?;
    let index = index.filter(|index| *index > 0);
    let not_running = || {
        let which = index.map_or_else(String::new, |index| format!(" container #{index}"));
        Output::error(1, format!("service {service:?} is not running{which}"))
    };
    let found = containers(session, &project, &[service.to_owned()]).map_err(|_| not_running())?;
    let stored = found
        .into_iter()
        .find(|row| status_word(row) == "running" && index.is_none_or(|index| index == row.number))
        .ok_or_else(not_running)?;
    engine.find(engine.world.symbols.text(stored.name))
}

const SERVICES: Grammar = Grammar {
    path: "docker compose top",
    usage: "[SERVICES...]",
    flags: "",
    least: 0,
    most: None,
    interspersed: true,
};
const IMAGES: Grammar = Grammar {
    path: "docker compose images",
    usage: "[OPTIONS] [SERVICE...]",
    flags: "format= quiet,q",
    ..SERVICES
};
const PORT: Grammar = Grammar {
    path: "docker compose port",
    usage: "[OPTIONS] SERVICE PRIVATE_PORT",
    flags: "index= protocol=",
    least: 2,
    most: Some(2),
    interspersed: true,
};
const EVENTS: Grammar = Grammar {
    path: "docker compose events",
    usage: "[OPTIONS] [SERVICE...]",
    flags: "json! since= until=",
    ..SERVICES
};
const VOLUMES: Grammar = Grammar {
    path: "docker compose volumes",
    usage: "[OPTIONS] [SERVICE...]",
    flags: "format= quiet,q",
    ..SERVICES
};

/// Processes of each container, under its name. Source: docker/compose `cmd/compose/top.go`.
fn top(session: &Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&SERVICES, words)?;
    host(session)?;
    let project = global.name(session)?;
    let world = session.world(Orchestrator::Compose)?;
    let mut table = crate::console::table::Table::new(&[
        "SERVICE", "#", "UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD",
    ]);
    for row in containers(session, &project, &parsed.words)? {
        let name = world.symbols.text(row.name);
        let engine = Engine::of(session)?;
        let process = engine.find(name)?.process;
        for process in more::process_rows(&engine, process) {
            let mut line = vec![
                world.symbols.text(row.service).to_owned(),
                row.number.to_string(),
            ];
            line.extend(process);
            table.rows.push(line);
        }
    }
    Ok(Output::text(table.docker()))
}

fn images(session: &Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&IMAGES, words)?;
    host(session)?;
    let project = global.name(session)?;
    let world = session.world(Orchestrator::Compose)?;
    let mut listing = Listing::new(
        "compose.img",
        &[
            ("ContainerName", "CONTAINER"),
            ("Repository", "REPOSITORY"),
            ("Tag", "TAG"),
            ("Platform", "PLATFORM"),
            ("ID", "IMAGE ID"),
            ("Size", "SIZE"),
        ],
        0,
    );
    listing.quiet = "ID";
    for row in containers(session, &project, &parsed.words)? {
        let (repository, tag) = crate::compose::client::split_tag(&row.config.image);
        let full = format!("{repository}:{tag}");
        let bytes = container::image::object(session, &full)
            .and_then(|image| image.i64_at(&["Size"]))
            .unwrap_or(0)
            .unsigned_abs();
        listing.rows.push(vec![
            world.symbols.text(row.name).to_owned(),
            repository.to_owned(),
            tag.to_owned(),
            "linux/amd64".to_owned(),
            crate::console::docker::words::short(&crate::compose::view::image_id(&full)),
            crate::console::docker::words::human_size(bytes),
        ]);
    }
    Ok(listing.output(&parsed))
}

fn port(session: &Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PORT, words)?;
    host(session)?;
    let project = global.name(session)?;
    let world = session.world(Orchestrator::Compose)?;
    let service = &parsed.words[0];
    let wanted = parsed.words[1].parse::<u16>().map_err(|_| {
        let text = &parsed.words[1];
        Output::error(
            1,
            format!("strconv.ParseUint: parsing {text:?}: invalid syntax"),
        )
    })?;
    let index = parsed.read("index", |text| {
        text.parse::<u32>()
            .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
    })?;
    let protocol = parsed.value("protocol").unwrap_or("tcp");
    let none = || Output::error(1, format!("service {service:?} is not running"));
    let rows = containers(session, &project, std::slice::from_ref(service)).map_err(|_| none())?;
    let row = rows
        .into_iter()
        .find(|row| {
            status_word(row) == "running"
                && index.is_none_or(|index| index == 0 || index == row.number)
        })
        .ok_or_else(none)?;
    let found = row
        .ports
        .iter()
        .find(|port| port.target == wanted && port.protocol == protocol);
    match found {
        Some(port) => {
            let address = if port.host_ip.is_empty() {
                "0.0.0.0"
            } else {
                &port.host_ip
            };
            Ok(Output::text(format!("{address}:{}\n", port.published)))
        }
        None => {
            let known: Vec<String> = row
                .ports
                .iter()
                .map(|port| format!("{}/{}", port.target, port.protocol))
                .collect();
            Err(Output::error(
                1,
                format!(
                    "no port {wanted}/{protocol} for container {}: {}",
                    world.symbols.text(row.name),
                    known.join(", ")
                ),
            ))
        }
    }
}

fn events(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&EVENTS, words)?;
    host(session)?;
    let project = global.name(session)?;
    let mut line = vec![
        "--filter".to_owned(),
        format!("label={}project={project}", crate::compose::lower::LABEL),
        "--filter".to_owned(),
        "type=container".to_owned(),
    ];
    for service in &parsed.words {
        line.push("--filter".to_owned());
        line.push(format!(
            "label={}service={service}",
            crate::compose::lower::LABEL
        ));
    }
    for name in ["since", "until"] {
        if let Some(value) = parsed.value(name) {
            line.push(format!("--{name}={value}"));
        }
    }
    more::run(session, "events", &line)
}

fn volumes(session: &Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&VOLUMES, words)?;
    host(session)?;
    let project = global.name(session)?;
    let world = session.world(Orchestrator::Compose)?;
    let mut listing = Listing::new(
        "*formatter.volumeContext",
        &[("Driver", "DRIVER"), ("Name", "VOLUME NAME")],
        0,
    );
    listing.quiet = "Name";
    let label = format!("{}project", crate::compose::lower::LABEL);
    let made = world.compose().map(|plane| plane.volumes().iter());
    for (name, made) in made.into_iter().flatten() {
        if made
            .labels
            .get(label.as_str())
            .is_some_and(|owner| **owner == *project)
        {
            listing
                .rows
                .push(vec![made.driver.to_string(), name.to_string()]);
        }
    }
    Ok(listing.output(&parsed))
}
