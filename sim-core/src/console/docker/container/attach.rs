//! `docker attach`: what a running container prints from now on.
//! Source: docker/cli `cli/command/container/attach.go`.

use super::row::Engine;
use super::run::last_words;
use super::{Lines, log_text, verb};
use crate::base::time::SimDuration;
use crate::compose::store::State;
use crate::console::docker::flags::{Grammar, parse};
use crate::console::follow;
use crate::console::{Output, Session};

const ATTACH: Grammar = Grammar {
    path: "docker attach",
    usage: "[OPTIONS] CONTAINER",
    flags: "detach-keys= no-stdin sig-proxy",
    least: 1,
    most: Some(1),
    interspersed: true,
};

/// `docker attach`.
///
/// # Errors
/// The client's text for a container that does not run.
pub fn run(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&ATTACH, words)?;
    let row = Engine::of(session)?.find(&parsed.words[0])?;
    to(session, &row.name)
}

/// Follows one container, and ends with its exit code if it ends meanwhile.
///
/// # Errors
/// The client's text for a container that does not run.
pub fn to(session: &mut Session, name: &str) -> Result<Output, Output> {
    let stopped = |word: &str| Output::error(1, format!("cannot attach to a {word}"));
    match Engine::of(session)?.find(name)?.state {
        "running" => {}
        "restarting" => return Err(stopped("restarting container, wait until it is running")),
        _ => return Err(stopped("stopped container, start it first")),
    }
    let since = session.history.now() + SimDuration::from_micros(1);
    let removes = verb::stored(session, name, |row| row.config.auto_remove).unwrap_or(false);
    let end = removes.then(|| last_words(session, name, since)).flatten();
    let ended = |session: &Session| {
        verb::stored(session, name, |row| {
            (row.state != State::Running).then_some(row.exit_code)
        })
        .unwrap_or(Some(0))
    };
    follow::pass(session, |session| ended(session).is_some());
    let engine = Engine::of(session)?;
    let lines = Lines {
        since: Some(since),
        ..Lines::default()
    };
    let Ok(row) = engine.find(name) else {
        let (stdout, code) = end.unwrap_or_default();
        return Ok(Output {
            code,
            ..Output::text(stdout)
        });
    };
    let mut output = Output::text(log_text(&engine, &row, lines));
    match ended(session) {
        Some(code) => output.code = code,
        None => follow::note(&mut output),
    }
    Ok(output)
}
