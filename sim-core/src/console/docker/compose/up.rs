//! `compose up`, `create` and `down`: operations of the client that take time.

use std::sync::Arc;

use super::{Global, host};
use crate::base::time::SimDuration;
use crate::compose::{Request, Response, UpOptions};
use crate::console::docker::container::{until, verb};
use crate::console::docker::flags::{Grammar, Parsed, parse};
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;

/// Longest wait for an operation.
const LONGEST: SimDuration = SimDuration::from_minutes(30);

const UP: Grammar = Grammar {
    path: "docker compose up",
    usage: "[OPTIONS] [SERVICE...]",
    flags: concat!(
        "detach,d wait wait-timeout= scale=* force-recreate no-recreate remove-orphans no-start quiet-pull no-build yes,y ",
        "abort-on-container-exit! abort-on-container-failure! always-recreate-deps! attach=*! attach-dependencies! build! exit-code-from=! menu! no-attach=*! ",
        "no-color no-deps! no-log-prefix pull=! renew-anon-volumes,V! timeout,t=! timestamps! watch,w!"
    ),
    least: 0,
    most: None,
    interspersed: true,
};
const CREATE: Grammar = Grammar {
    path: "docker compose create",
    usage: "[OPTIONS] [SERVICE...]",
    flags: "scale=* force-recreate no-recreate remove-orphans no-build yes,y build! pull=! quiet-pull",
    least: 0,
    most: None,
    interspersed: true,
};
const DOWN: Grammar = Grammar {
    path: "docker compose down",
    usage: "[OPTIONS] [SERVICES]",
    flags: "volumes,v timeout,t= remove-orphans rmi=!",
    least: 0,
    most: Some(0),
    interspersed: true,
};

/// `compose up`.
pub fn up(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&UP, words)?;
    let attached = !parsed.has("detach") && !parsed.has("wait") && !parsed.has("no-start");
    let mut output = begin(session, global, &parsed, parsed.has("no-start"))?;
    if attached && output.code == 0 {
        output.stderr.push_str("following the containers' output is not modelled: they run detached, see docker compose logs\n");
    }
    Ok(output)
}

/// `compose create`.
pub fn create(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&CREATE, words)?;
    begin(session, global, &parsed, true)
}

fn begin(
    session: &mut Session,
    global: &Global,
    parsed: &Parsed,
    no_start: bool,
) -> Result<Output, Output> {
    host(session)?;
    let (project, warnings) = global.project(session, &parsed.words)?;
    if parsed.has("force-recreate") && parsed.has("no-recreate") {
        return Err(Output::error(
            1,
            "--force-recreate and --no-recreate are incompatible",
        ));
    }
    let mut scale = Vec::new();
    for text in parsed.values("scale") {
        let found = text
            .split_once('=')
            .and_then(|(name, count)| Some((Arc::from(name), count.parse::<u32>().ok()?)));
        match found {
            Some(pair) => scale.push(pair),
            None => {
                return Err(Output::error(
                    1,
                    format!("invalid --scale option {text:?}. Should be SERVICE=NUM"),
                ));
            }
        }
    }
    if let Some((name, _)) = scale
        .iter()
        .find(|(name, _)| !project.services.contains_key(name))
    {
        return Err(Output::error(1, format!("no such service: {name}")));
    }
    if project.services.is_empty() {
        return Err(Output {
            stderr: format!("{warnings}no service selected\n"),
            code: 1,
            ..Output::default()
        });
    }
    let options = UpOptions {
        force_recreate: parsed.has("force-recreate"),
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
    };
    let longest = parsed.read("wait-timeout", |text| {
        text.parse::<u64>()
            .map(SimDuration::from_secs)
            .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
    })?;
    let request = Request::Up {
        project: Arc::new(project),
        options,
    };
    let mut output = operate(
        session,
        request,
        longest.filter(|span| !span.is_zero()).unwrap_or(LONGEST),
    )?;
    output.stderr.insert_str(0, &warnings);
    Ok(output)
}

/// `compose down`.
pub fn down(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&DOWN, words)?;
    host(session)?;
    let project = global.name(session)?;
    let grace = verb::grace(&parsed)?;
    operate(
        session,
        Request::Down {
            project: project.into(),
            volumes: parsed.has("volumes"),
            grace,
        },
        LONGEST,
    )
}

/// Starts an operation and lets time pass until it is over; its lines go to standard error.
fn operate(
    session: &mut Session,
    request: Request,
    longest: SimDuration,
) -> Result<Output, Output> {
    let number = match verb::give(session, request)? {
        Ok(Response::Operation(number)) => number,
        Ok(Response::Containers(_)) => return Ok(Output::default()),
        Err(refusal) => return Err(Output::error(refusal.code, refusal.message)),
    };
    let over = until(session, longest, |session| exit(session, number).is_some());
    let mut output = Output::default();
    if let Some(world) = session.history.lab().world(Orchestrator::Compose)
        && let Some((lines, code)) = world.compose().and_then(|plane| plane.operation(number))
    {
        output.stderr = lines.iter().map(|line| format!("{line}\n")).collect();
        output.code = code.unwrap_or(0);
    }
    if !over && session.wait {
        output.stderr.push_str(&format!(
            "context deadline exceeded: the command still waits after {longest}\n"
        ));
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
