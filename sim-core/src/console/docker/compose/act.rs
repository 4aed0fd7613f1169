//! `compose kill|rm|run|wait`: containers of a project, without a plan.
//! Source: docker/compose `pkg/compose/{kill,remove,run,wait}.go`.

use std::sync::Arc;

use super::{Global, containers, host, select, up};
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimDuration;
use crate::compose::{Request, Response, UpOptions, lower};
use crate::console::docker::asks_nothing;
use crate::console::docker::container::{more, run as launch, until, verb};
use crate::console::docker::flags::{Grammar, parse};
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;

const LONGEST: SimDuration = SimDuration::from_minutes(30);

const KILL: Grammar = Grammar {
    path: "docker compose kill",
    usage: "[OPTIONS] [SERVICE...]",
    flags: "signal,s= remove-orphans!",
    least: 0,
    most: None,
    interspersed: true,
};
const RM: Grammar = Grammar {
    path: "docker compose rm",
    usage: "[OPTIONS] [SERVICE...]",
    flags: "force,f stop,s volumes,v",
    ..KILL
};
const WAIT: Grammar = Grammar {
    path: "docker compose wait",
    usage: "SERVICE [SERVICE...] [OPTIONS]",
    flags: "down-project!",
    least: 1,
    ..KILL
};
const RUN: Grammar = Grammar {
    path: "docker compose run",
    usage: "[OPTIONS] SERVICE [COMMAND] [ARGS...]",
    flags: concat!(
        "detach,d rm name= no-deps env,e=* entrypoint= user,u= workdir,w= no-TTY,T interactive,i label,l=* quiet quiet-pull remove-orphans ",
        "build! env-from-file=*! cap-add=*! cap-drop=*! publish,p=*! service-ports,P! use-aliases! volume,v=*! pull=!"
    ),
    least: 1,
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
        "kill" => kill(session, global, words),
        "rm" => remove(session, global, words),
        "wait" => wait(session, global, words),
        _ => one_off(session, global, words),
    }
}

fn kill(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&KILL, words)?;
    host(session)?;
    let project = global.name(session)?;
    let signal = parsed.value("signal").unwrap_or("SIGKILL");
    let polite = match signal.trim_start_matches("SIG") {
        "KILL" | "9" => false,
        "TERM" | "15" | "INT" | "2" | "QUIT" | "3" => true,
        other => {
            return Err(Output::error(
                1,
                catalogue::SIGNALS.with(&[("signal", &other)]),
            ));
        }
    };
    let names: Vec<String> = names(session, &project, &parsed.words)?
        .into_iter()
        .filter(|name| verb::state(session, name) == Some("running"))
        .collect();
    if names.is_empty() {
        return Ok(Output {
            stderr: "no container to kill\n".into(),
            ..Output::default()
        });
    }
    let mut text: String = names
        .iter()
        .map(|name| format!(" Container {name} Killing \n"))
        .collect();
    let containers = names.iter().map(|name| name.as_str().into()).collect();
    verb::act(session, Request::Kill { containers, polite })?;
    if !polite {
        until(session, LONGEST, |session| {
            names
                .iter()
                .all(|name| verb::state(session, name) != Some("running"))
        });
    }
    text.extend(
        names
            .iter()
            .map(|name| format!(" Container {name} Killed \n")),
    );
    Ok(Output {
        stderr: text.into(),
        ..Output::default()
    })
}

fn remove(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&RM, words)?;
    host(session)?;
    let project = global.name(session)?;
    let mut text = Passage::default();
    if parsed.has("stop") {
        text = up::run(session, global, "stop", &parsed.words)?.stderr;
    }
    let names: Vec<String> = names(session, &project, &parsed.words)?
        .into_iter()
        .filter(|name| matches!(verb::state(session, name), Some("exited" | "created")))
        .collect();
    if names.is_empty() {
        return Ok(Output {
            stderr: text.then("No stopped containers\n"),
            ..Output::default()
        });
    }
    if !parsed.has("force") {
        let question = format!("? Going to remove {} (y/N): ", names.join(", "));
        return Err(asks_nothing(&question));
    }
    let list: Vec<Arc<str>> = names.iter().map(|name| name.as_str().into()).collect();
    let request = Request::Remove {
        containers: list,
        force: false,
    };
    verb::act(session, request)?;
    for word in ["Removing", "Removed"] {
        let lines = names.iter();
        text.push(
            lines
                .map(|name| format!(" Container {name} {word} \n"))
                .collect::<String>(),
        );
    }
    Ok(Output {
        stderr: text,
        ..Output::default()
    })
}

fn wait(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&WAIT, words)?;
    host(session)?;
    let project = global.name(session)?;
    let names = names(session, &project, &parsed.words)?;
    let mut output = Output::default();
    for name in names {
        let code = more::await_end(session, &name)?;
        output.stdout.push(format!("{code}\n"));
        output.code = code;
    }
    Ok(output)
}

/// `compose run`: a container of its own beside the service's, after the services that it needs.
fn one_off(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&RUN, words)?;
    host(session)?;
    let name = parsed.words[0].clone();
    let named = std::slice::from_ref(&name);
    let (project, mut notes) = global.project(session, named)?;
    let needed = select(project, named, !parsed.has("no-deps"))?;
    let Some(service) = needed.services.get(name.as_str()).cloned() else {
        return Err(Output::error(1, format!("no such service: {name}")));
    };
    let mut start: Vec<Arc<str>> = service.depends_on.keys().cloned().collect();
    start.retain(|other| needed.services.contains_key(other));
    let project = Arc::new(needed);
    // What it needs is brought up; the service itself only gets its image, networks and volumes.
    let own = select((*project).clone(), named, false)?;
    let mut steps = Vec::new();
    if !start.is_empty() {
        let options = UpOptions {
            services: start,
            ..UpOptions::default()
        };
        steps.push((project.clone(), options));
    }
    let options = UpOptions {
        only_resources: true,
        ..UpOptions::default()
    };
    steps.push((Arc::new(own), options));
    for (project, options) in steps {
        let prepared = up::operate(session, Request::Up { project, options }, LONGEST)?;
        notes.push(prepared.stderr);
        if prepared.code != 0 {
            return Err(Output {
                stderr: notes,
                ..prepared
            });
        }
    }
    let mut config = lower::config(&project, &service, 1, 0);
    let label = |key: &str| -> Arc<str> { format!("{}{key}", lower::LABEL).into() };
    config.labels.insert(label("oneoff"), "True".into());
    config.ports.clear();
    config.restart = crate::api::compose::service::Restart::No;
    config.auto_remove = parsed.has("rm");
    if parsed.words.len() > 1 {
        config.command = Some(
            parsed.words[1..]
                .iter()
                .map(|word| word.as_str().into())
                .collect(),
        );
    }
    if let Some(entrypoint) = parsed.value("entrypoint") {
        config.entrypoint = crate::manifest::compose::words::split(entrypoint);
    }
    for pair in parsed.values("env") {
        if let Some((name, value)) = pair.split_once('=') {
            config.environment.insert(name.into(), value.into());
        }
    }
    if let Some(user) = parsed.value("user") {
        config.user = user.into();
    }
    if let Some(folder) = parsed.value("workdir") {
        config.working_dir = folder.into();
    }
    let now = session.history.now();
    let container = match parsed.value("name") {
        Some(name) => name.to_owned(),
        // Upstream's slug is random; this one is the moment.
        None => format!(
            "{}-{name}-run-{:012x}",
            project.name,
            now.since(crate::base::time::SimTime::ZERO).as_micros()
        ),
    };
    notes.push(format!(" Container {container} Creating \n"));
    let request = Request::Create {
        name: container.as_str().into(),
        config: Arc::new(config),
        one_off: Some((project.name.clone(), service.name.clone())),
    };
    match verb::give(session, request)? {
        Ok(Response::Containers(_) | Response::Lines(_) | Response::Operation(_)) => {}
        Err(refusal) => {
            return Err(Output::error(
                1,
                notes
                    .then("Error response from daemon: ")
                    .then(refusal.message),
            ));
        }
    }
    notes.push(format!(" Container {container} Created \n"));
    launch::launch(
        session,
        &container,
        parsed.has("detach"),
        "",
        notes,
        &container,
    )
}

fn names(session: &Session, project: &str, services: &[String]) -> Result<Vec<String>, Output> {
    let world = session.world(Orchestrator::Compose)?;
    Ok(containers(session, project, services)?
        .into_iter()
        .map(|row| world.symbols.text(row.name).to_owned())
        .collect())
}
