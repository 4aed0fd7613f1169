//! `compose up`, `create`, `scale`, `pull`, `build`, `down`, `stop`, `start`, `restart`: operations of
//! the client that take time. Source: docker/compose `cmd/compose`.

use std::sync::Arc;

use super::{Global, host, select};
use crate::base::limits::MAX_REPLICAS;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimDuration;
use crate::compose::store::State;
use crate::compose::{DownOptions, Images, Part, Request, Response, UpOptions};
use crate::console::docker::container::{until, verb};
use crate::console::docker::flags::{Grammar, Parsed, parse};
use crate::console::follow;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;

/// Longest wait for an operation.
const LONGEST: SimDuration = SimDuration::from_minutes(30);

const fn grammar(
    path: &'static str,
    usage: &'static str,
    flags: &'static str,
    most: Option<usize>,
) -> Grammar {
    Grammar {
        path,
        usage,
        flags,
        least: 0,
        most,
        interspersed: true,
    }
}

const UP: Grammar = grammar(
    "docker compose up",
    "[OPTIONS] [SERVICE...]",
    concat!(
        "detach,d wait wait-timeout= scale=* force-recreate no-recreate remove-orphans no-start quiet-pull quiet-build no-build build pull= ",
        "always-recreate-deps no-deps timeout,t= yes,y no-color no-log-prefix renew-anon-volumes,V ",
        "abort-on-container-exit! abort-on-container-failure! attach=*! attach-dependencies! exit-code-from=! menu! no-attach=*! timestamps! watch,w!"
    ),
    None,
);
const CREATE: Grammar = grammar(
    "docker compose create",
    "[OPTIONS] [SERVICE...]",
    "scale=* force-recreate no-recreate remove-orphans no-build yes,y build pull= quiet-pull",
    None,
);
const SCALE: Grammar = Grammar {
    least: 1,
    ..grammar(
        "docker compose scale",
        "[SERVICE=REPLICAS...]",
        "no-deps",
        None,
    )
};
const DOWN: Grammar = grammar(
    "docker compose down",
    "[OPTIONS] [SERVICES]",
    "volumes,v timeout,t= remove-orphans rmi=",
    None,
);
const STOP: Grammar = grammar(
    "docker compose stop",
    "[OPTIONS] [SERVICE...]",
    "timeout,t=",
    None,
);
const START: Grammar = grammar(
    "docker compose start",
    "[SERVICE...]",
    "wait! wait-timeout=!",
    None,
);
const RESTART: Grammar = grammar(
    "docker compose restart",
    "[OPTIONS] [SERVICE...]",
    "timeout,t= no-deps",
    None,
);
const PULL: Grammar = grammar(
    "docker compose pull",
    "[OPTIONS] [SERVICE...]",
    "quiet,q include-deps ignore-buildable ignore-pull-failures! policy=",
    None,
);
const BUILD: Grammar = grammar(
    "docker compose build",
    "[OPTIONS] [SERVICE...]",
    "quiet,q no-cache pull with-dependencies build-arg=* memory,m= builder= push! ssh=! check! print! provenance=! sbom=!",
    None,
);

/// Runs one command.
pub fn run(
    session: &mut Session,
    global: &Global,
    word: &str,
    words: &[String],
) -> Result<Output, Output> {
    match word {
        "up" => up(session, global, words),
        "create" => {
            let parsed = parse(&CREATE, words)?;
            begin(session, global, &parsed, true)
        }
        "scale" => scale(session, global, words),
        "down" => down(session, global, words),
        "pull" => pull(session, global, words),
        "build" => build(session, global, words),
        word => part_of(session, global, word, words),
    }
}

fn up(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&UP, words)?;
    let attached = !parsed.has("detach") && !parsed.has("wait") && !parsed.has("no-start");
    let mut output = begin(session, global, &parsed, parsed.has("no-start"))?;
    if attached && output.code == 0 {
        attach(session, global, &parsed.words, &mut output)?;
    }
    Ok(output)
}

/// What is printed while the containers are followed: their output, and who ended. They run on
/// afterwards, as after the key that detaches. Source: docker/compose `pkg/compose/up.go`.
fn attach(
    session: &mut Session,
    global: &Global,
    services: &[String],
    output: &mut Output,
) -> Result<(), Output> {
    let project = global.name(session)?;
    let members = |session: &Session| -> Result<Vec<(String, State, i32)>, Output> {
        let world = session.world(Orchestrator::Compose)?;
        let rows = super::containers(session, &project, services)?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let name = world.symbols.text(row.name);
                let shown = name.strip_prefix(&format!("{project}-")).unwrap_or(name);
                (shown.to_owned(), row.state, row.exit_code)
            })
            .collect())
    };
    let names: Vec<String> = members(session)?
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    output
        .stdout
        .push(format!("Attaching to {}\n", names.join(", ")));
    let all_ended = |session: &Session| {
        members(session).is_ok_and(|members| {
            let mut states = members.iter().map(|(_, state, _)| *state);
            states.all(|state| state == State::Exited)
        })
    };
    follow::pass(session, all_ended);
    let mut words: Vec<String> = Vec::new();
    words.extend(services.iter().cloned());
    output
        .stdout
        .push(&super::look::logs(session, global, &words)?.stdout);
    for (name, state, code) in members(session)? {
        if state == State::Exited {
            output
                .stdout
                .push(format!("{name} exited with code {code}\n"));
        }
    }
    if !all_ended(session) {
        follow::note(output);
    }
    Ok(())
}

fn scales(pairs: &[&str]) -> Result<Vec<(Arc<str>, u32)>, Output> {
    pairs
        .iter()
        .map(|text| {
            let (name, count) = text.split_once('=').ok_or_else(|| {
                Output::error(
                    1,
                    format!("invalid --scale option {text:?}. Should be SERVICE=NUM"),
                )
            })?;
            let count = count.parse::<u32>().map_err(|_| {
                Output::error(
                    1,
                    format!("strconv.Atoi: parsing {count:?}: invalid syntax"),
                )
            })?;
            if count > MAX_REPLICAS {
                return Err(Output::error(
                    1,
                    catalogue::SO_MANY
                        .with(&[("count", &count), ("most", &MAX_REPLICAS)])
                        .and("what", catalogue::OF_ONE_SERVICE.plain()),
                ));
            }
            Ok((Arc::from(name), count))
        })
        .collect()
}

fn begin(
    session: &mut Session,
    global: &Global,
    parsed: &Parsed,
    no_start: bool,
) -> Result<Output, Output> {
    host(session)?;
    for (one, other) in [
        ("force-recreate", "no-recreate"),
        ("always-recreate-deps", "no-recreate"),
        ("build", "no-build"),
    ] {
        if parsed.has(one) && parsed.has(other) {
            return Err(Output::error(
                1,
                format!("--{one} and --{other} are incompatible"),
            ));
        }
    }
    let (project, warnings) = global.project(session, &parsed.words)?;
    let project = select(project, &parsed.words, !parsed.has("no-deps"))?;
    let scale = scales(&parsed.values("scale"))?;
    let unknown = scale
        .iter()
        .find(|(name, _)| !project.services.contains_key(name));
    if let Some((name, _)) = unknown {
        return Err(Output::error(1, format!("no such service: {name}")));
    }
    if project.services.is_empty() {
        return Err(Output {
            stderr: warnings.then("no service selected\n"),
            code: 1,
            ..Output::default()
        });
    }
    let longest = parsed.read("wait-timeout", |text| {
        text.parse::<u64>()
            .map(SimDuration::from_secs)
            .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
    })?;
    let options = UpOptions {
        force_recreate: parsed.has("force-recreate"),
        recreate_dependencies: parsed.has("always-recreate-deps"),
        no_recreate: parsed.has("no-recreate"),
        remove_orphans: parsed.has("remove-orphans"),
        wait: parsed.has("wait"),
        services: parsed
            .words
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        scale,
        no_start,
        only_resources: false,
        pull: parsed.value("pull") == Some("always"),
        grace: verb::grace(parsed)?,
    };
    let note = built(&project.services);
    let request = Request::Up {
        project: Arc::new(project),
        options,
    };
    let longest = longest.filter(|span| !span.is_zero());
    let mut output = operate(session, request, longest.unwrap_or(LONGEST))?;
    output.stderr.put_before(warnings.then(note));
    Ok(output)
}

/// What is said of images that are built: what their build makes is not known.
fn built(
    services: &crate::base::sorted::SortedMap<Arc<str>, crate::api::compose::service::Service>,
) -> Passage {
    let images: Vec<&str> = services
        .values()
        .filter(|service| service.build)
        .map(|service| &*service.image)
        .collect();
    if images.is_empty() {
        return Passage::default();
    }
    let said = catalogue::BUILDS.with(&[("images", &images.join(", "))]);
    Passage::from(said).then("\n")
}

fn scale(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&SCALE, words)?;
    host(session)?;
    let pairs: Vec<&str> = parsed.words.iter().map(String::as_str).collect();
    if let Some(text) = pairs.iter().find(|text| !text.contains('=')) {
        return Err(Output::error(1, format!("invalid scale specifier: {text}")));
    }
    let scale = scales(&pairs)?;
    let names: Vec<String> = scale.iter().map(|(name, _)| name.to_string()).collect();
    let (project, warnings) = global.project(session, &names)?;
    let project = select(project, &names, !parsed.has("no-deps"))?;
    let options = UpOptions {
        scale,
        services: names.iter().map(|name| name.as_str().into()).collect(),
        ..UpOptions::default()
    };
    let request = Request::Up {
        project: Arc::new(project),
        options,
    };
    let mut output = operate(session, request, LONGEST)?;
    output.stderr.put_before(warnings);
    Ok(output)
}

/// The project and its part that the words name. Without a file the containers' labels serve.
fn part(session: &Session, global: &Global, parsed: &Parsed) -> Result<(Part, Passage), Output> {
    host(session)?;
    let grace = verb::grace(parsed)?;
    let services: Vec<Arc<str>> = parsed
        .words
        .iter()
        .map(|name| name.as_str().into())
        .collect();
    match global.project(session, &parsed.words) {
        Ok((project, warnings)) => {
            let part = Part {
                project: project.name.clone(),
                model: Some(Arc::new(project)),
                services,
                grace,
            };
            Ok((part, warnings))
        }
        Err(output) => match global.given_name() {
            Some(name) if output.stderr.starts_with("no configuration file") => {
                let part = Part {
                    project: name.into(),
                    model: None,
                    services,
                    grace,
                };
                Ok((part, Passage::default()))
            }
            _ => Err(output),
        },
    }
}

fn part_of(
    session: &mut Session,
    global: &Global,
    word: &str,
    words: &[String],
) -> Result<Output, Output> {
    let grammar = match word {
        "start" => &START,
        "stop" => &STOP,
        _ => &RESTART,
    };
    let parsed = parse(grammar, words)?;
    let (part, warnings) = part(session, global, &parsed)?;
    let request = match word {
        "start" => Request::StartProject { part },
        "stop" => Request::StopProject { part },
        _ => Request::RestartProject {
            part,
            no_dependents: parsed.has("no-deps"),
        },
    };
    let mut output = operate(session, request, LONGEST)?;
    output.stderr.put_before(warnings);
    Ok(output)
}

fn down(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&DOWN, words)?;
    let images = match parsed.value("rmi") {
        None | Some("") => None,
        Some("local") => Some(Images::Local),
        Some("all") => Some(Images::All),
        Some(other) => {
            return Err(Output::error(
                1,
                format!("invalid value for --rmi: {other:?}"),
            ));
        }
    };
    let (part, warnings) = part(session, global, &parsed)?;
    let options = DownOptions {
        volumes: parsed.has("volumes"),
        orphans: parsed.has("remove-orphans"),
        images,
    };
    let mut output = operate(session, Request::Down { part, options }, LONGEST)?;
    output.stderr.put_before(warnings);
    Ok(output)
}

fn pull(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PULL, words)?;
    host(session)?;
    let (project, mut stderr) = global.project(session, &parsed.words)?;
    let project = select(project, &parsed.words, parsed.has("include-deps"))?;
    let mut images: Vec<Arc<str>> = Vec::new();
    for service in project.services.values() {
        if service.build {
            stderr.push(format!(
                " Service {} Skipped - No image to be pulled \n",
                service.name
            ));
        } else if !images.contains(&service.image) {
            images.push(service.image.clone());
        }
    }
    let request = Request::Pull {
        images,
        missing_only: parsed.value("policy") == Some("missing"),
    };
    let mut output = operate(session, request, LONGEST)?;
    output.stderr.put_before(stderr);
    Ok(output)
}

fn build(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&BUILD, words)?;
    host(session)?;
    let (project, warnings) = global.project(session, &parsed.words)?;
    let project = select(project, &parsed.words, parsed.has("with-dependencies"))?;
    let mut stderr = warnings.then(built(&project.services));
    for service in project.services.values().filter(|service| service.build) {
        let image = service.image.clone();
        stderr.push(format!(" Image {image} Building \n"));
        verb::act(
            session,
            Request::Build {
                image: image.clone(),
            },
        )?;
        stderr.push(format!(" Image {image} Built \n"));
    }
    Ok(Output {
        stderr,
        ..Output::default()
    })
}

/// Starts an operation and lets time pass until it is over; its lines go to standard error.
///
/// # Errors
/// The client's or the engine's text.
pub fn operate(
    session: &mut Session,
    request: Request,
    longest: SimDuration,
) -> Result<Output, Output> {
    let number = match verb::give(session, request)? {
        Ok(Response::Operation(number)) => number,
        Ok(Response::Containers(_) | Response::Lines(_)) => return Ok(Output::default()),
        Err(refusal) => return Err(Output::error(refusal.code, refusal.message)),
    };
    let over = until(session, longest, |session| exit(session, number).is_some());
    let mut output = Output::default();
    if let Some(world) = session.history.lab().world(Orchestrator::Compose)
        && let Some((lines, code)) = world.compose().and_then(|plane| plane.operation(number))
    {
        output.stderr = lines
            .iter()
            // Progress lines end in a blank: an empty detail. Source: docker/compose
            // `cmd/display/plain.go`.
            .map(|line| match line.strip_prefix(' ') {
                Some(_) => format!("{line} \n"),
                None => format!("{line}\n"),
            })
            .collect();
        output.code = code.unwrap_or(0);
    }
    if !over && session.wait {
        let waits = catalogue::STILL_WAITS.with(&[("long", &longest)]);
        output.stderr.push("context deadline exceeded: ");
        output.stderr.push(waits);
        output.stderr.end_line();
        output.code = 1;
    }
    Ok(output)
}

fn exit(session: &Session, number: u32) -> Option<i32> {
    session
        .history
        .lab()
        .world(Orchestrator::Compose)?
        .compose()?
        .operation(number)?
        .1
}
