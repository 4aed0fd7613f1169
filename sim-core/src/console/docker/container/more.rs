//! `docker wait|port|top|rename` and `docker events`.
//! Source: docker/cli `cli/command/container`, `cli/command/system/events.go`.

use super::row::Engine;
use super::{until, verb};
use crate::base::arrange::Arrange;
use crate::base::sentence::Sentence;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedMap;
use crate::base::time::{EPOCH_UNIX_SECONDS, SimDuration, SimTime};
use crate::compose::Request;
use crate::compose::store::{EngineEvent, State};
use crate::compose::view::container_id;
use crate::console::docker::flags::{Grammar, grammar, parse};
use crate::console::docker::listing::{filters, labelled, passes};
use crate::console::docker::words::nanos_text;
use crate::console::docker::{each, template};
use crate::console::follow;
use crate::console::host::place::Place;
use crate::console::host::ps;
use crate::console::host::sight::Sight;
use crate::console::table::Table;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::manifest::decode::amount::parse_decimal;
use crate::manifest::value::Value;
use crate::object::print::json_plain;
use crate::object::template::Template;
use crate::substrate::order::ContainerId;
use crate::substrate::process::Process;

/// Longest wait for a container's end.
const LONGEST: SimDuration = SimDuration::from_minutes(60);

const WAIT: Grammar = grammar("docker wait", "CONTAINER [CONTAINER...]", "", 1, None);
const PORT: Grammar = grammar(
    "docker port",
    "CONTAINER [PRIVATE_PORT[/PROTO]]",
    "",
    1,
    Some(2),
);
const TOP: Grammar = grammar("docker top", "CONTAINER [ps OPTIONS]", "", 1, None);
const RENAME: Grammar = grammar("docker rename", "CONTAINER NEW_NAME", "", 2, Some(2));
const EVENTS: Grammar = grammar(
    "docker events",
    "[OPTIONS]",
    "filter,f=* format= since= until=",
    0,
    Some(0),
);

/// Runs one command.
pub fn run(session: &mut Session, verb: &str, words: &[String]) -> Result<Output, Output> {
    match verb {
        "wait" => wait(session, words),
        "port" => port(session, words),
        "top" => top(session, words),
        "rename" => {
            let parsed = parse(&RENAME, words)?;
            let row = Engine::of(session)?.find(&parsed.words[0])?;
            let request = Request::Rename {
                container: row.name.as_str().into(),
                name: parsed.words[1].as_str().into(),
            };
            verb::act(session, request).map(|_| Output::default())
        }
        _ => events(session, words),
    }
}

fn wait(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&WAIT, words)?;
    Ok(each(&parsed.words, |name| {
        let row = Engine::of(session)?.find(name)?;
        let code = await_end(session, &row.name)?;
        Ok(code.to_string())
    }))
}

/// Lets time pass until a container has ended, and returns its exit code.
///
/// # Errors
/// That it still runs after the longest wait.
pub fn await_end(session: &mut Session, name: &str) -> Result<i32, Output> {
    let ended = |session: &Session| {
        verb::stored(session, name, |row| {
            matches!(row.state, State::Exited | State::Created).then_some(row.exit_code)
        })
        .unwrap_or(Some(0))
    };
    until(session, LONGEST, |session| ended(session).is_some());
    ended(session).ok_or_else(|| {
        let said = catalogue::STILL_RUNS.with(&[("name", &name), ("long", &LONGEST)]);
        Output::error(1, said)
    })
}

fn port(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PORT, words)?;
    let row = Engine::of(session)?.find(&parsed.words[0])?;
    let lines = verb::stored(session, &row.name, |row| {
        let mut lines: Vec<(String, String)> = Vec::new();
        if row.state == State::Running {
            for port in row.ports.iter() {
                let inside = format!("{}/{}", port.target, port.protocol);
                let addresses = if port.host_ip.is_empty() {
                    vec!["0.0.0.0".to_owned(), "[::]".to_owned()]
                } else {
                    vec![port.host_ip.to_string()]
                };
                for address in addresses {
                    lines.push((inside.clone(), format!("{address}:{}", port.published)));
                }
            }
        }
        lines
    })
    .unwrap_or_default();
    let Some(wanted) = parsed.words.get(1) else {
        let text = lines
            .iter()
            .map(|(inside, outside)| format!("{inside} -> {outside}\n"));
        return Ok(Output::text(text.collect::<String>()));
    };
    let full = if wanted.contains('/') {
        wanted.clone()
    } else {
        format!("{wanted}/tcp")
    };
    let text: String = lines
        .iter()
        .filter(|(inside, _)| *inside == full)
        .map(|(_, outside)| format!("{outside}\n"))
        .collect();
    if text.is_empty() {
        return Err(Output::error(
            1,
            format!("no public port '{full}' published for {}", parsed.words[0]),
        ));
    }
    Ok(Output::text(text))
}

/// Processes of a container, as `ps -ef` on its machine shows them.
/// Source: moby `daemon/top_unix.go`.
fn top(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&TOP, words)?;
    let engine = Engine::of(session)?;
    let row = engine.find(&parsed.words[0])?;
    let mut table = Table::new(&["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    table.rows = process_rows(&engine, row.process);
    if table.rows.is_empty() {
        let text = format!(
            "Error response from daemon: container {} is not running",
            row.id
        );
        return Err(Output::error(1, text));
    }
    Ok(Output::text(table.docker()))
}

/// The columns that `ps -ef` shows of a container's processes; none if it does not run.
pub fn process_rows(engine: &Engine<'_>, container: Option<ContainerId>) -> Vec<Vec<String>> {
    let Some(container) = container else {
        return Vec::new();
    };
    let place = Place::new(engine.world, engine.machine, engine.now);
    let mut all: Vec<Process> = place
        .processes()
        .into_iter()
        .filter(|process| process.container == Some(container))
        .collect();
    all.arrange_by_key(|process| process.pid);
    let sight = Sight::machine(&place);
    ps::full(&sight, &all).rows
}

/// A point in time as the client reads it: seconds since 1970, RFC 3339, or a span before now.
/// Source: moby `api/types/time/timestamp.go` GetTimestamp.
///
/// # Errors
/// The client's sentence.
pub fn instant(text: &str, now: SimTime) -> Result<SimTime, String> {
    let fault = || format!("failed to parse value as time or duration: \"{text}\"");
    if let Ok(span) = SimDuration::parse(text)
        && text.ends_with(|letter: char| letter.is_ascii_alphabetic())
    {
        return Ok(SimTime::from_micros(
            now.since(SimTime::ZERO)
                .as_micros()
                .saturating_sub(span.as_micros()),
        ));
    }
    let from_unix = |seconds: u64, micros: u64| {
        let seconds = seconds.saturating_sub(EPOCH_UNIX_SECONDS);
        SimTime::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros))
    };
    if let Some(micros) = parse_decimal(text, 6) {
        return Ok(from_unix(micros / 1_000_000, micros % 1_000_000));
    }
    let digits = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let read = || {
        let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
        let clock = text.len() > 10;
        let at = |range| if clock { digits(range) } else { Some(0) };
        let (hour, minute, second) = (at(11..13)?, at(14..16)?, at(17..19)?);
        if !(1..=12).contains(&month) || year < 1970 {
            return None;
        }
        // Days from 1970 by the civil calendar: years begin in March.
        let years = if month <= 2 { year - 1 } else { year };
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let days =
            365 * years + years / 4 - years / 100 + years / 400 + (153 * shifted + 2) / 5 + day - 1;
        let unix = (days.checked_sub(719_468)?) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some(from_unix(unix, 0))
    };
    read().ok_or_else(fault)
}

fn events(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&EVENTS, words)?;
    let now = Engine::of(session)?.now;
    let known = [
        "container",
        "event",
        "image",
        "label",
        "network",
        "type",
        "volume",
        "daemon",
        "scope",
        "node",
        "service",
        "secret",
        "config",
        "plugin",
    ];
    let filters = filters(&parsed, &known)?;
    let read = |name: &str| match parsed.value(name) {
        None => Ok(None),
        Some(text) => instant(text, now)
            .map(Some)
            .map_err(|message| Output::error(1, message)),
    };
    // Without a beginning only what is to come is shown, without an end it is followed.
    let since = read("since")?.unwrap_or(now);
    let until = read("until")?;
    match until {
        None => follow::pass(session, |_| false),
        Some(until) if session.wait => session.history.advance_to(until.max(now)),
        Some(_) => {}
    }
    let world = session.world(Orchestrator::Compose)?;
    let Some(plane) = world.compose() else {
        return Ok(Output::default());
    };
    let ids: SortedMap<String, String> = plane
        .containers()
        .into_iter()
        .map(|row| {
            (
                world.symbols.text(row.name).to_owned(),
                container_id(row, world.seed),
            )
        })
        .collect();
    let form = match parsed.value("format") {
        None | Some("") => Form::Plain,
        Some("json" | "{{json .}}") => Form::Json,
        Some(format) => {
            let wrong = |error: Sentence| {
                let error = Passage::from(error).without_start("template parsing error: ");
                Output::error(64, Passage::from("Error parsing format: ").then(error))
            };
            let wanted = template::of_type(format, "*events.Message").map_err(wrong)?;
            // It is tried before anything happens.
            let none = EngineEvent::default();
            template::print(&wanted, &object(&none, FIELDS)).map_err(wrong)?;
            Form::Template(wanted)
        }
    };
    let mut text = String::new();
    for event in plane.events() {
        let in_time = event.at >= since && until.is_none_or(|until| event.at <= until);
        if !in_time || !passes(&filters, |key, value| holds(event, key, value, &ids)) {
            continue;
        }
        let line = match &form {
            Form::Plain => plain(event),
            Form::Json => json_plain(&object(event, KEYS)),
            Form::Template(wanted) => template::print(wanted, &object(event, FIELDS))
                .map_err(|message| Output::error(1, message))?,
        };
        text.push_str(&line);
        text.push('\n');
    }
    let mut output = Output::text(text);
    if until.is_none() {
        follow::note(&mut output);
    }
    Ok(output)
}

/// How an event is written.
enum Form {
    Plain,
    Json,
    Template(Template),
}

fn holds(event: &EngineEvent, key: &str, value: &str, ids: &SortedMap<String, String>) -> bool {
    let attribute = |key: &str| event.attributes.get(key).map(|text| &**text);
    let is_object = |name: Option<&str>| {
        event.actor.starts_with(value)
            || name == Some(value)
            || ids.get(value).is_some_and(|id| **id == *event.actor)
    };
    match key {
        "type" => event.kind == value,
        "event" => *event.action == *value || event.action.split(':').next() == Some(value),
        "container" => event.kind == "container" && is_object(attribute("name")),
        "network" => event.kind == "network" && is_object(attribute("name")),
        "volume" => event.kind == "volume" && is_object(None),
        "image" => attribute("image")
            .or_else(|| attribute("name"))
            .is_some_and(|image| image == value || image.split(':').next() == Some(value)),
        "label" => labelled(value, attribute),
        _ => false,
    }
}

fn plain(event: &EngineEvent) -> String {
    let attributes: Vec<String> = event
        .attributes
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    format!(
        "{} {} {} {} ({})",
        nanos_text(event.at),
        event.kind,
        event.action,
        event.actor,
        attributes.join(", ")
    )
}

/// Fields of an event whose JSON is written otherwise. Source: moby `api/types/events/events.go`.
const FIELDS: [&str; 3] = ["Scope", "Time", "TimeNano"];

/// How their JSON is written.
const KEYS: [&str; 3] = ["scope", "time", "timeNano"];

fn object(event: &EngineEvent, [scope, time, nano]: [&'static str; 3]) -> Value {
    let attributes = event
        .attributes
        .iter()
        .map(|(key, value)| (key.clone(), Value::string(value)));
    let micros = event.at.since(SimTime::ZERO).as_micros();
    let seconds = EPOCH_UNIX_SECONDS + micros / 1_000_000;
    let nanos = seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(micros % 1_000_000 * 1_000);
    let whole = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    Value::object([
        ("Type", Value::string(event.kind)),
        ("Action", Value::string(&event.action)),
        (
            "Actor",
            Value::object([
                ("ID", Value::string(&event.actor)),
                ("Attributes", Value::object(attributes)),
            ]),
        ),
        (scope, Value::string("local")),
        (time, whole(seconds)),
        (nano, whole(nanos)),
    ])
}
