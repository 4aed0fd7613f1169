//! `compose cp|attach`: one service's containers as `docker cp` and `docker attach` know them.
//! Source: docker/compose `pkg/compose/{cp,attach_service}.go`.

use super::look::{index, running};
use super::{Global, containers, host};
use crate::console::docker::container::attach;
use crate::console::docker::container::copy::{Side, from_container, to_container};
use crate::console::docker::container::row::{Engine, Row};
use crate::console::docker::flags::{Grammar, Parsed, parse};
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;

const CP: Grammar = Grammar {
    path: "docker compose cp",
    usage: "[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-\n\tdocker compose cp [OPTIONS] SRC_PATH|- SERVICE:DEST_PATH",
    flags: "all archive,a follow-link,L index=",
    least: 2,
    most: Some(2),
    interspersed: true,
};
const ATTACH: Grammar = Grammar {
    path: "docker compose attach",
    usage: "[OPTIONS] SERVICE",
    flags: "detach-keys= index= no-stdin sig-proxy",
    least: 1,
    most: Some(1),
    interspersed: true,
};

/// Runs one command.
pub fn run(
    session: &mut Session,
    global: &Global,
    word: &str,
    words: &[String],
) -> Result<Output, Output> {
    if word == "cp" {
        return copy(session, global, words);
    }
    let parsed = parse(&ATTACH, words)?;
    host(session)?;
    let row = running(session, global, &parsed.words[0], index(&parsed)?)?;
    attach::to(session, &row.name)
}

fn copy(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&CP, words)?;
    host(session)?;
    let refuse = |text: &str| Err(Output::error(1, text));
    let [source, target] = parsed.words.as_slice() else {
        return Ok(Output::default());
    };
    let mut output = Output::default();
    let mut tell = |name: &str, verb: &str, what: &str| {
        output.stderr.push(format!(" {name} {verb} {what}\n"));
    };
    match (Side::read(source), Side::read(target)) {
        (Side::Inside(..), Side::Inside(..)) => {
            return refuse("copying between services is not supported");
        }
        (Side::Local(_), Side::Local(_)) => return refuse("unknown copy direction"),
        (Side::Inside(service, path), Side::Local(local)) => {
            for row in targets(session, global, &parsed, &service)?.iter().take(1) {
                let what = format!("{}:{path} to {local}", row.name);
                tell(&row.name, "Copying", &what);
                from_container(session, (row, &row.id), &path, &local)?;
                tell(&row.name, "Copied", &what);
            }
        }
        (Side::Local(local), Side::Inside(service, path)) => {
            for row in targets(session, global, &parsed, &service)? {
                let what = format!("{local} to {}:{path}", row.name);
                tell(&row.name, "Copying", &what);
                to_container(session, (&row, &row.id), &local, &path)?;
                tell(&row.name, "Copied", &what);
            }
        }
    }
    Ok(output)
}

/// Containers of a service, also those that do not run: all, or that of a number.
fn targets(
    session: &Session,
    global: &Global,
    parsed: &Parsed,
    service: &str,
) -> Result<Vec<Row>, Output> {
    let index = index(parsed)?.filter(|index| *index > 0);
    let none = || match index {
        Some(index) => format!("service {service:?} is not running container #{index}"),
        None => format!("no container found for service {service:?}"),
    };
    let project = global.name(session)?;
    let engine = Engine::of(session)?;
    let symbols = &session.world(Orchestrator::Compose)?.symbols;
    let found = containers(session, &project, &[service.to_owned()]).unwrap_or_default();
    let rows: Vec<Row> = found
        .into_iter()
        .filter(|row| index.is_none_or(|index| index == row.number))
        .filter_map(|row| engine.find(symbols.text(row.name)).ok())
        .collect();
    if rows.is_empty() {
        return Err(Output::error(1, none()));
    }
    Ok(rows)
}
