//! `compose start|stop|restart|kill|rm`: containers of a project, without a plan.

use std::sync::Arc;

use super::{Global, containers, host};
use crate::base::time::SimDuration;
use crate::compose::Request;
use crate::console::docker::container::{until, verb};
use crate::console::docker::flags::{Grammar, parse};
use crate::console::{Output, Session};

const LONGEST: SimDuration = SimDuration::from_minutes(30);

const START: Grammar = verb_grammar("docker compose start", "wait! wait-timeout=!");
const STOP: Grammar = verb_grammar("docker compose stop", "timeout,t=");
const RESTART: Grammar = verb_grammar("docker compose restart", "timeout,t= no-deps");
const KILL: Grammar = verb_grammar("docker compose kill", "signal,s=! remove-orphans!");
const RM: Grammar = verb_grammar("docker compose rm", "force,f stop,s volumes,v");

const fn verb_grammar(path: &'static str, flags: &'static str) -> Grammar {
    Grammar {
        path,
        usage: "[OPTIONS] [SERVICE...]",
        flags,
        least: 0,
        most: None,
        interspersed: true,
    }
}

/// Runs one command.
pub fn run(
    session: &mut Session,
    global: &Global,
    word: &str,
    words: &[String],
) -> Result<Output, Output> {
    let grammar = match word {
        "start" => &START,
        "stop" => &STOP,
        "restart" => &RESTART,
        "kill" => &KILL,
        _ => &RM,
    };
    let parsed = parse(grammar, words)?;
    host(session)?;
    let grace = verb::grace(&parsed)?;
    let project = global.name(session)?;
    match word {
        "rm" => {
            if parsed.has("stop") {
                act(session, &project, &parsed.words, "stop", grace)?;
            }
            remove(session, &project, &parsed.words, parsed.has("force"))
        }
        word => act(session, &project, &parsed.words, word, grace),
    }
}

fn act(
    session: &mut Session,
    project: &str,
    services: &[String],
    word: &str,
    grace: Option<SimDuration>,
) -> Result<Output, Output> {
    let running = |state: &str| matches!(state, "running" | "restarting");
    let names: Vec<String> = names(session, project, services)?
        .into_iter()
        .filter(|name| {
            let state = verb::state(session, name).unwrap_or("");
            match word {
                "start" => !running(state),
                "stop" | "kill" => running(state),
                _ => true,
            }
        })
        .collect();
    let (doing, done) = match word {
        "start" => ("Starting", "Started"),
        "restart" => ("Restarting", "Started"),
        "kill" => ("Killing", "Killed"),
        _ => ("Stopping", "Stopped"),
    };
    let mut text: String = names
        .iter()
        .map(|name| format!(" Container {name} {doing}\n"))
        .collect();
    if names.is_empty() {
        return Ok(Output::default());
    }
    let list: Vec<Arc<str>> = names.iter().map(|name| name.as_str().into()).collect();
    let now = session.history.now();
    verb::act(
        session,
        match word {
            "start" => Request::Start { containers: list },
            "restart" => Request::Restart {
                containers: list,
                grace,
            },
            "kill" => Request::Kill { containers: list },
            _ => Request::Stop {
                containers: list,
                grace,
            },
        },
    )?;
    let reached = |session: &Session, name: &str| match word {
        "start" | "restart" => verb::stored(session, name, |row| {
            row.error.is_some() || row.started_at.is_some_and(|at| at >= now)
        })
        .unwrap_or(true),
        _ => verb::state(session, name).is_none_or(|state| !running(state)),
    };
    until(session, LONGEST, |session| {
        names.iter().all(|name| reached(session, name))
    });
    let mut code = 0;
    for name in &names {
        let world = session.world(crate::engine::command::Orchestrator::Compose)?;
        let error = verb::stored(session, name, |row| {
            row.error.map(|error| world.symbols.text(error).to_owned())
        })
        .flatten();
        match error {
            Some(error) => {
                text.push_str(&format!("Error response from daemon: {error}\n"));
                code = 1;
            }
            None if reached(session, name) => text.push_str(&format!(" Container {name} {done}\n")),
            None => {}
        }
    }
    Ok(Output {
        stdout: String::new(),
        stderr: text,
        code,
    })
}

fn remove(
    session: &mut Session,
    project: &str,
    services: &[String],
    force: bool,
) -> Result<Output, Output> {
    let names: Vec<String> = names(session, project, services)?
        .into_iter()
        .filter(|name| {
            verb::state(session, name).is_some_and(|state| matches!(state, "exited" | "created"))
        })
        .collect();
    if names.is_empty() {
        return Ok(Output {
            stderr: "No stopped containers\n".to_owned(),
            ..Output::default()
        });
    }
    if !force {
        return Err(Output::error(
            1,
            format!(
                "? Going to remove {} (y/N): this console asks no questions, use --force",
                names.join(", ")
            ),
        ));
    }
    let list: Vec<Arc<str>> = names.iter().map(|name| name.as_str().into()).collect();
    verb::act(
        session,
        Request::Remove {
            containers: list,
            force: false,
        },
    )?;
    until(session, LONGEST, |session| {
        names
            .iter()
            .all(|name| verb::state(session, name).is_none())
    });
    let mut text: String = names
        .iter()
        .map(|name| format!(" Container {name} Removing\n"))
        .collect();
    text.extend(
        names
            .iter()
            .map(|name| format!(" Container {name} Removed\n")),
    );
    Ok(Output {
        stderr: text,
        ..Output::default()
    })
}

fn names(session: &Session, project: &str, services: &[String]) -> Result<Vec<String>, Output> {
    let world = session.world(crate::engine::command::Orchestrator::Compose)?;
    Ok(containers(session, project, services)?
        .into_iter()
        .map(|row| world.symbols.text(row.name).to_owned())
        .collect())
}
