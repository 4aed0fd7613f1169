//! Commands that change one container each.

use std::sync::Arc;

use super::row::Engine;
use super::until;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimDuration;
use crate::compose::{Refusal, Request, Response};
use crate::console;
use crate::console::docker::flags::{Grammar, Parsed, parse};
use crate::console::docker::{each, not_modelled};
use crate::console::{Output, Session};
use crate::engine::command::{Answer, Command, Orchestrator};

/// Longest wait for a container to stop or start, besides its own grace period.
const LONGEST: SimDuration = SimDuration::from_minutes(30);

const GRAMMARS: [Grammar; 6] = [
    one(
        "docker start",
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "attach,a! interactive,i! detach-keys=!",
    ),
    one(
        "docker stop",
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "timeout,t= time= signal,s=!",
    ),
    one(
        "docker restart",
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "timeout,t= time= signal,s=!",
    ),
    one(
        "docker kill",
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "signal,s=",
    ),
    one(
        "docker rm",
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "force,f volumes,v link,l!",
    ),
    one(
        "docker update",
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "restart= cpus= memory,m= memory-swap= memory-reservation= cpu-shares,c= cpu-period= cpu-quota= cpuset-cpus= cpuset-mems=! pids-limit= blkio-weight=",
    ),
];

const fn one(path: &'static str, usage: &'static str, flags: &'static str) -> Grammar {
    Grammar {
        path,
        usage,
        flags,
        least: 1,
        most: None,
        interspersed: true,
    }
}

/// Runs one command.
pub fn run(session: &mut Session, verb: &str, words: &[String]) -> Result<Output, Output> {
    let Some(grammar) = GRAMMARS
        .iter()
        .find(|grammar| grammar.path.strip_prefix("docker ") == Some(verb))
    else {
        return Err(not_modelled(format!("docker {verb}")));
    };
    let parsed = parse(grammar, words)?;
    if session.history.lab().world(Orchestrator::Compose).is_none() {
        let engine = Engine::of(session)?;
        engine.find(&parsed.words[0])?;
        let said = console::not_modelled(catalogue::OF_TASK.with(&[("verb", &verb)]));
        let see = catalogue::SEE.with(&[("command", &"sim fault container-kill")]);
        return Err(Output::error(1, said.advise(see)));
    }
    let restart = match parsed.value("restart") {
        Some(text) => Some(super::run::restart(text).map_err(|message| Output::error(1, message))?),
        None => None,
    };
    let grace = grace(&parsed)?;
    let polite = match parsed
        .value("signal")
        .map(|signal| signal.trim_start_matches("SIG"))
    {
        _ if verb != "kill" => false,
        None | Some("KILL" | "9") => false,
        Some("TERM" | "15" | "INT" | "2" | "QUIT" | "3") => true,
        Some(signal) => {
            return Err(Output::error(
                1,
                catalogue::SIGNAL_UNKNOWN.with(&[("signal", &signal)]),
            ));
        }
    };
    Ok(each(&parsed.words, |name| {
        let row = Engine::of(session)?.find(name)?;
        let containers = vec![Arc::from(row.name.as_str())];
        let request = match verb {
            "start" => Request::Start { containers },
            "stop" => Request::Stop { containers, grace },
            "restart" => Request::Restart { containers, grace },
            "kill" => Request::Kill { containers, polite },
            "rm" => Request::Remove {
                containers,
                force: parsed.has("force"),
            },
            _ => {
                if parsed.names().next().is_none() {
                    return Err(Output::error(
                        1,
                        "you must provide one or more flags when using this command",
                    ));
                }
                let known = stored(session, &row.name, |row| row.config.limits.clone());
                let known = known.unwrap_or_default();
                let limits =
                    super::run::limits(&parsed, &known).map_err(|text| Output::error(125, text))?;
                Request::Update {
                    container: row.name.as_str().into(),
                    restart,
                    limits: (limits != known).then_some(limits),
                }
            }
        };
        act(session, request)?;
        // A process without a handler outlives the signal.
        if !polite {
            settle(session, verb, &row.name)?;
        }
        Ok(name.to_owned())
    }))
}

/// Waits as the command does, and tells a start that was refused.
fn settle(session: &mut Session, verb: &str, name: &str) -> Result<(), Output> {
    let now = session.history.now();
    match verb {
        "stop" | "kill" => {
            until(session, LONGEST, |session| {
                state(session, name).is_none_or(|state| !matches!(state, "running" | "created"))
                    || stopped(session, name)
            });
        }
        "rm" => {
            until(session, LONGEST, |session| state(session, name).is_none());
        }
        "start" | "restart" => {
            until(session, LONGEST, |session| {
                stored(session, name, |row| {
                    // One that started in this instant has not been restarted yet.
                    row.error.is_some()
                        || row
                            .started_at
                            .is_some_and(|at| at > now || at == now && verb == "start")
                        || row.started_at.is_some()
                            && row.state == crate::compose::store::State::Running
                            && verb == "start"
                })
                .unwrap_or(true)
            });
            let world = session.world(Orchestrator::Compose)?;
            let error = stored(session, name, |row| {
                row.error.map(|error| world.symbols.text(error).to_owned())
            })
            .flatten();
            if let Some(error) = error {
                return Err(Output::error(
                    1,
                    format!(
                        "Error response from daemon: {error}\nError: failed to start containers: {name}"
                    ),
                ));
            }
        }
        _ => {}
    }
    Ok(())
}

fn stopped(session: &Session, name: &str) -> bool {
    stored(session, name, |row| {
        row.process.is_none()
            || row.finished_at.is_some() && row.state != crate::compose::store::State::Running
    })
    .unwrap_or(true)
}

/// Name of the container with this id.
pub fn name_of(session: &Session, id: &str) -> Option<String> {
    let world = session.history.lab().world(Orchestrator::Compose)?;
    let rows = world.compose()?.containers();
    rows.into_iter()
        .find(|row| crate::compose::view::container_id(row, world.seed) == id)
        .map(|row| world.symbols.text(row.name).to_owned())
}

/// `State.Status` of a container; none if it is gone.
pub fn state(session: &Session, name: &str) -> Option<&'static str> {
    stored(session, name, crate::compose::view::status_word)
}

/// Reads something of a container's row.
pub fn stored<T>(
    session: &Session,
    name: &str,
    read: impl FnOnce(&crate::compose::store::ContainerRow) -> T,
) -> Option<T> {
    let world = session.history.lab().world(Orchestrator::Compose)?;
    let rows = world.compose()?.containers();
    rows.into_iter()
        .find(|row| world.symbols.text(row.name) == name)
        .map(read)
}

/// Gives a request to the Compose host's engine.
///
/// # Errors
/// The daemon's text.
pub fn act(session: &mut Session, request: Request) -> Result<Response, Output> {
    give(session, request)?.map_err(|refusal| {
        let prefix = if refusal.message.starts_with("Cannot connect") {
            ""
        } else {
            "Error response from daemon: "
        };
        Output::error(refusal.code, Passage::from(prefix).then(refusal.message))
    })
}

/// Gives a request and returns the answer as it is.
///
/// # Errors
/// That there is no such world.
pub fn give(session: &mut Session, request: Request) -> Result<Result<Response, Refusal>, Output> {
    match session.command(Orchestrator::Compose, Command::Compose(Arc::new(request)))? {
        Answer::Compose(result) => Ok(*result),
        Answer::Refused(message) => Err(Output::error(1, message)),
        Answer::Done | Answer::Fault(_) | Answer::Kube(_) | Answer::Swarm(_) => {
            Ok(Ok(Response::Containers(Vec::new())))
        }
    }
}

/// `--timeout` in seconds.
///
/// # Errors
/// The command line's text.
pub fn grace(parsed: &Parsed) -> Result<Option<SimDuration>, Output> {
    let flag = if parsed.value("time").is_some() {
        "time"
    } else {
        "timeout"
    };
    parsed.read(flag, |text| {
        text.parse::<u64>()
            .map(SimDuration::from_secs)
            .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
    })
}
