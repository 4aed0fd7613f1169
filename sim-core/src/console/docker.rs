//! The `docker` grammar: which command goes to which world, and the command line's own texts.
//!
//! `service`, `stack`, `node`, `swarm`, `secret` and `config` speak to the Swarm world's manager;
//! `compose` and containers to the Compose world's host. Without a Compose world, containers are
//! those of the manager's machine.

pub mod about;
pub mod cluster;
pub mod compose;
pub mod container;
pub mod container_flags;
pub mod distribution;
pub mod flags;
pub mod generic_resource;
pub mod listing;
mod mount;
pub mod named;
pub mod node;
pub mod pretty;
pub mod progress;
pub mod service;
pub mod service_spec;
pub mod service_update;
pub mod stack;
pub mod stack_config;
pub mod task;
pub mod template;
#[cfg(test)]
mod tests;
pub mod words;

use std::sync::Arc;

use super::{Output, Session};
use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::engine::command::{Answer, Command, Orchestrator};
use crate::swarm::SwarmPlane;
use crate::swarm::cluster::NOT_A_MANAGER;
use crate::swarm::control_api::{Code, Refusal, Request, Response};
use crate::swarm::inspect::ENGINE_VERSION;

/// Runs one `docker` command.
pub fn run(session: &mut Session, words: &[String], input: &str) -> Output {
    dispatch(session, words, input).unwrap_or_else(|output| output)
}

fn dispatch(session: &mut Session, words: &[String], input: &str) -> Result<Output, Output> {
    let Some(first) = words.first() else {
        return Ok(commands(
            "docker",
            "service, stack, node, swarm, secret, config, network, volume, image, system, compose, run, create, ps, inspect, logs, attach, exec, cp, start, stop, restart, kill, wait, rm, rename, update, port, top, stats, events, images, pull, rmi, version, info",
        ));
    };
    let rest = &words[1..];
    match first.as_str() {
        "service" => service::run(session, rest),
        "stack" => stack::run(session, rest, input),
        "node" => node::run(session, rest),
        "swarm" => cluster::run(session, rest, input),
        "secret" | "config" | "network" | "volume" => named::run(session, first, rest, input),
        "compose" => compose::run(session, rest, input),
        "container" | "image" | "system" => match rest.first() {
            Some(verb) => container::grouped(session, first, verb, &rest[1..]),
            None => Ok(Output::text(format!("Usage:  docker {first} COMMAND\n"))),
        },
        "version" => about::version(rest),
        "info" => about::info(session, rest),
        name if container::VERBS.contains(&name) => container::run(session, name, rest),
        "-v" | "--version" => Ok(Output::text(format!("Docker version {ENGINE_VERSION}\n"))),
        "--help" | "help" => dispatch(session, &[], input),
        name if REAL.contains(&name) => Err(not_modelled(format!("docker {name}"))),
        name if name.starts_with('-') => Err(Output::error(
            125,
            format!(
                "unknown flag: {name}\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information"
            ),
        )),
        name => Err(Output::error(
            1,
            format!(
                "docker: unknown command: docker {name}\n\nRun 'docker --help' for more information"
            ),
        )),
    }
}

/// How a group is used, and what there is in it.
pub(super) fn commands(group: &str, names: &str) -> Output {
    let names = catalogue::COMMANDS_MODELLED.with(&[("names", &names)]);
    let usage = format!("Usage:  {group} [OPTIONS] COMMAND\n\n");
    Output::text(Passage::from(usage).then(names).then("\n"))
}

/// Real commands that nothing here models.
const REAL: [&str; 18] = [
    "build", "builder", "buildx", "commit", "context", "export", "import", "load", "login",
    "logout", "manifest", "pause", "plugin", "push", "save", "search", "tag", "unpause",
];

/// The sentence for a real command that is not modelled.
pub(super) fn not_modelled(what: impl Into<Sentence>) -> Output {
    Output::error(1, super::not_modelled(what))
}

/// The refusal where the real tool would ask whether it is meant.
pub(super) fn asks_nothing(question: &str) -> Output {
    Output::error(
        1,
        Passage::from(question).then(catalogue::ASKS_NOTHING.plain()),
    )
}

/// The text for a word that is no command of a group.
pub(super) fn unknown_command(group: &str, word: &str) -> Output {
    Output::error(
        1,
        format!(
            "docker: unknown command: {group} {word}\n\nUsage:  {group} COMMAND\n\nRun '{group} --help' for more information"
        ),
    )
}

/// The Swarm world's plane.
///
/// # Errors
/// What an engine outside a swarm answers, or that there is no such world.
pub(super) fn swarm(session: &Session) -> Result<&SwarmPlane, Output> {
    match session
        .history
        .lab()
        .world(Orchestrator::Swarm)
        .and_then(|world| world.swarm())
    {
        Some(plane) => Ok(plane),
        None if session.history.lab().world(Orchestrator::Compose).is_some() => Err(Output::error(
            1,
            format!("Error response from daemon: {NOT_A_MANAGER}"),
        )),
        None => Err(super::no_world(Orchestrator::Swarm)),
    }
}

/// The Swarm world's plane, if it answers: without a leader it tells nobody anything.
///
/// # Errors
/// The daemon's text.
pub(super) fn manager(session: &Session) -> Result<&SwarmPlane, Output> {
    let plane = swarm(session)?;
    plane
        .require_leader(session.history.now())
        .map_err(|refusal| Output::error(1, daemon(&refusal)))?;
    Ok(plane)
}

/// Gives a request to the manager.
///
/// # Errors
/// The daemon's text for the refusal.
pub(super) fn ask(session: &mut Session, request: Request) -> Result<Response, Output> {
    swarm(session)?;
    match session.command(Orchestrator::Swarm, Command::Swarm(Arc::new(request)))? {
        Answer::Swarm(result) => result.map_err(|refusal| Output::error(1, daemon(&refusal))),
        Answer::Refused(message) => Err(Output::error(1, message)),
        Answer::Done | Answer::Fault(_) | Answer::Kube(_) | Answer::Compose(_) => {
            Ok(Response::Done)
        }
    }
}

/// A refusal as the client prints it. The daemon looks an object up itself first, so an absent one
/// is told without the manager's prefix. Source: moby `daemon/cluster/helpers.go`.
pub(super) fn daemon(refusal: &Refusal) -> Passage {
    let said = match refusal.code {
        Code::NotFound => refusal.message.clone(),
        Code::InvalidArgument
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::DeadlineExceeded
        | Code::Unknown
        | Code::Plain => refusal.text(),
    };
    Passage::from("Error response from daemon: ").then(said)
}

/// Carries out `act` for each name, prints what it says, and goes on after a failure.
pub(super) fn each(
    names: &[String],
    mut act: impl FnMut(&str) -> Result<String, Output>,
) -> Output {
    let mut all = Output::default();
    for name in names {
        match act(name) {
            Ok(text) => {
                all.stdout.push(&text);
                all.stdout.push("\n");
            }
            Err(output) => {
                all.stderr.push(&output.stderr);
                all.code = 1;
            }
        }
    }
    all
}
