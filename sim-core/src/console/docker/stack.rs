//! `docker stack …`. Source: docker/cli `cli/command/stack`.

use std::sync::Arc;

use super::flags::{Grammar, Parsed, parse};
use super::listing::{Listing, filters, passes};
use super::{ask, manager as swarm, service, stack_config, task, unknown_command};
use crate::base::arrange::Arrange;
use crate::base::sentence::Sentence;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimDuration;
use crate::console::{Output, Session};
use crate::manifest::compose::loaded::Variables;
use crate::manifest::compose::stack::load_stack_files;
use crate::manifest::diagnostic::{Code, Diagnostic, Severity};
use crate::manifest::explain;
use crate::manifest::lines::Source;
use crate::manifest::schema::compose::first_refusal;
use crate::swarm::control_api::{Kind, Request, Response, STACK_LABEL};
use crate::swarm::stack::StackOutcome;

const DEPLOY: Grammar = Grammar {
    path: "docker stack deploy",
    usage: "[OPTIONS] STACK",
    flags: "compose-file,c=* prune detach,d quiet,q resolve-image= with-registry-auth",
    least: 1,
    most: Some(1),
    interspersed: true,
};
const LS: Grammar = Grammar {
    path: "docker stack ls",
    usage: "[OPTIONS]",
    flags: "format=",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const PS: Grammar = Grammar {
    path: "docker stack ps",
    usage: "[OPTIONS] STACK",
    flags: task::FLAGS,
    least: 1,
    most: Some(1),
    interspersed: true,
};
const SERVICES: Grammar = Grammar {
    path: "docker stack services",
    usage: "[OPTIONS] STACK",
    flags: "filter,f=* format= quiet,q",
    least: 1,
    most: Some(1),
    interspersed: true,
};
const RM: Grammar = Grammar {
    path: "docker stack rm",
    usage: "[OPTIONS] STACK [STACK...]",
    flags: "detach,d",
    least: 1,
    most: None,
    interspersed: true,
};
const CONFIG: Grammar = Grammar {
    path: "docker stack config",
    usage: "[OPTIONS]",
    flags: "compose-file,c=* skip-interpolation",
    least: 0,
    most: Some(0),
    interspersed: true,
};

/// Runs one command.
pub fn run(session: &mut Session, words: &[String], input: &str) -> Result<Output, Output> {
    let Some(verb) = words.first() else {
        return Ok(Output::text(
            "Usage:  docker stack COMMAND\n\nCommands: config, deploy, ls, ps, rm, services\n",
        ));
    };
    let rest = &words[1..];
    match verb.as_str() {
        "deploy" | "up" => deploy(session, rest, input),
        "ls" | "list" => list(session, rest),
        "ps" => tasks(session, rest),
        "services" => services(session, rest),
        "rm" | "remove" | "down" => remove(session, rest),
        "config" => config(session, rest, input),
        word => Err(unknown_command("docker stack", word)),
    }
}

fn deploy(session: &mut Session, words: &[String], input: &str) -> Result<Output, Output> {
    let parsed = parse(&DEPLOY, words)?;
    swarm(session)?;
    let name = &parsed.words[0];
    check_name(name)?;
    let mut all = Output::default();
    let sources = sources(session, &parsed, input)?;
    let variables = variables(session);
    let loaded = load_stack_files(&sources, name, &variables, &|path| {
        session.file(path).cloned()
    });
    if let Some(message) = refusal(&loaded.problems) {
        return Err(Output::error(1, message));
    }
    all.stderr.push(warnings(&loaded.problems));
    let Some(mut stack) = loaded.model else {
        return Err(Output::error(1, "empty compose file"));
    };
    for service in &mut stack.services {
        service.task.container.options.registry_auth = parsed.has("with-registry-auth");
        if parsed.value("resolve-image") != Some("never") {
            all.stderr
                .push(super::distribution::resolve(session, service));
        }
    }
    let services: Vec<Arc<str>> = stack
        .services
        .iter()
        .map(|service| service.name.clone())
        .collect();
    if parsed.value("detach").is_none() {
        all.stderr.push("Since --detach=false was not specified, tasks will be created in the background.\nIn a future release, --detach=false will become the default.\n");
    }
    let request = Request::DeployStack {
        stack: Arc::new(stack),
        prune: parsed.has("prune"),
    };
    if let Response::Stack(outcome) = ask(session, request)? {
        let failed = outcome.error.is_some();
        told(outcome, 1, &mut all);
        if !failed && parsed.value("detach") == Some("false") {
            for service in services {
                let waited = super::progress::wait(session, &service);
                all.stdout.push(&waited.stdout);
                all.stderr.push(&waited.stderr);
                all.code = all.code.max(waited.code);
            }
        }
    }
    Ok(all)
}

/// The files that are named.
fn sources(session: &Session, parsed: &Parsed, input: &str) -> Result<Vec<Source>, Output> {
    let files = parsed.values("compose-file");
    if files.is_empty() {
        return Err(Output::error(
            1,
            "Please specify a Compose file (with --compose-file)",
        ));
    }
    let mut sources = Vec::new();
    for file in files {
        let text = match (file, session.file(file)) {
            ("-", None) => Some(input.to_owned()),
            (_, text) => text.map(|text| text.to_string()),
        };
        let Some(text) = text else {
            return Err(Output::error(
                1,
                format!("open {file}: no such file or directory"),
            ));
        };
        sources.push(Source::new(file, &text));
    }
    Ok(sources)
}

fn variables(session: &Session) -> Variables {
    let pairs = session.environment.iter();
    pairs
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect()
}

/// Prints the merged file; asks no manager.
fn config(session: &Session, words: &[String], input: &str) -> Result<Output, Output> {
    let parsed = parse(&CONFIG, words)?;
    let sources = sources(session, &parsed, input)?;
    let variables = variables(session);
    let skips = parsed.has("skip-interpolation");
    if !skips {
        let loaded = load_stack_files(&sources, "", &variables, &|path| {
            session.file(path).cloned()
        });
        if let Some(message) = refusal(&loaded.problems) {
            return Err(Output::error(1, message));
        }
    }
    let text = stack_config::config(&sources, (!skips).then_some(&variables));
    text.map(Output::text)
        .ok_or_else(|| Output::error(1, "empty compose file"))
}

/// What the schema finds. Source: docker/cli `cli/compose/schema/schema.go`.
const SCHEMA: [Code; 4] = [
    explain::STACK_WRONG_TYPE,
    explain::STACK_UNKNOWN_PROPERTY,
    explain::STACK_UNSUPPORTED_VALUE,
    explain::STACK_MISSING_PROPERTY,
];

/// The error that the command ends with: the first one, but all refused options at once.
/// Source: docker/cli `cli/command/stack/loader.go` (propertyWarnings).
fn refusal(problems: &[Diagnostic]) -> Option<Sentence> {
    const FORBIDDEN: &str = "compose file contains unsupported options: ";
    let mut errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error);
    let first = errors.next()?;
    let mut options: Vec<String> = problems
        .iter()
        .filter_map(|problem| {
            let option = problem.message.words();
            let option = option.strip_prefix(FORBIDDEN)?;
            Some(match &problem.help {
                Some(help) => format!("{option}: {help}"),
                None => option.to_owned(),
            })
        })
        .collect();
    if options.is_empty() {
        // The schema is looked at before what the values mean.
        let schema: Vec<Diagnostic> = problems
            .iter()
            .filter(|problem| SCHEMA.contains(&problem.code))
            .cloned()
            .collect();
        let first = first_refusal(&schema).unwrap_or(first);
        return Some(first.message.clone());
    }
    options.arrange();
    options.dedup();
    let options = options.join("\n\n");
    Some(format!("{}\n\n{options}\n", FORBIDDEN.trim_end()).into())
}

/// Options that are ignored, named once each. Source: `cli/command/stack/loader.go`.
fn warnings(problems: &[Diagnostic]) -> Passage {
    let mut text = Passage::default();
    for (title, by, end) in [
        ("Ignoring unsupported options: ", ", ", "\n\n"),
        ("Ignoring deprecated options: ", "\n\n", "\n\n"),
    ] {
        let mut options: Vec<String> = problems
            .iter()
            .filter(|problem| problem.severity == Severity::Warning)
            .filter_map(|problem| Some(problem.message.words().strip_prefix(title)?.to_owned()))
            .collect();
        options.arrange();
        options.dedup();
        if !options.is_empty() {
            let gap = if by == ", " { " " } else { "\n\n" };
            text.push(format!(
                "{}{gap}{}{end}",
                title.trim_end(),
                options.join(by)
            ));
        }
    }
    for problem in problems {
        if problem.severity == Severity::Warning
            && !problem.message.words().starts_with("Ignoring ")
        {
            text.push(problem.message.clone());
            text.push("\n");
        }
    }
    text
}

fn told(outcome: StackOutcome, code: i32, all: &mut Output) {
    for line in outcome.lines {
        all.stdout.push(&line);
        all.stdout.push("\n");
    }
    if let Some(error) = outcome.error {
        all.stderr.push(&error);
        all.stderr.push("\n");
        // An empty stack is told, but is no failure.
        if !error.starts_with("Nothing found in stack") {
            all.code = code;
        }
    }
}

/// Source: docker/cli `cli/command/stack/common.go` validateStackName.
fn check_name(name: &str) -> Result<(), Output> {
    if name
        .trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\''))
        .is_empty()
    {
        return Err(Output::error(1, format!("invalid stack name: {name:?}")));
    }
    Ok(())
}

fn list(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&LS, words)?;
    let plane = swarm(session)?;
    let mut listing = Listing::new(
        "*stack.stackContext",
        &[("Name", "NAME"), ("Services", "SERVICES")],
        0,
    );
    let mut stacks = plane.stacks();
    stacks.arrange_by(|a, b| crate::swarm::view::natural(&a.0, &b.0));
    listing.rows = stacks
        .into_iter()
        .map(|(name, services)| vec![name.to_string(), services.to_string()])
        .collect();
    Ok(listing.output(&parsed))
}

fn tasks(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PS, words)?;
    let filters = filters(&parsed, &task::FILTERS)?;
    let plane = swarm(session)?;
    let stack = &parsed.words[0];
    check_name(stack)?;
    let views: Vec<_> = plane
        .services_of(stack)
        .into_iter()
        .flat_map(|(_, id)| plane.task_views(id))
        .collect();
    if views.is_empty() {
        return Err(Output::error(1, format!("nothing found in stack: {stack}")));
    }
    task::print(session, views, &filters, &parsed)
}

fn services(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&SERVICES, words)?;
    let filters = filters(&parsed, &service::FILTERS)?;
    let plane = swarm(session)?;
    let stack = &parsed.words[0];
    check_name(stack)?;
    let members = plane.services_of(stack);
    if members.is_empty() {
        return Ok(Output {
            stderr: format!("Nothing found in stack: {stack}\n").into(),
            ..Output::default()
        });
    }
    let views = plane
        .service_views()
        .into_iter()
        .filter(|view| members.iter().any(|(_, id)| *id == view.id));
    let views = views
        .filter(|view| {
            passes(&filters, |key, value| {
                service::holds(plane, view, key, value)
            })
        })
        .collect();
    Ok(service::listing(views).output(&parsed))
}

fn remove(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&RM, words)?;
    let mut all = Output::default();
    for stack in &parsed.words {
        check_name(stack)?;
        if let Response::Stack(outcome) = ask(session, Request::RemoveStack(stack.as_str().into()))?
        {
            told(outcome, 1, &mut all);
        }
        if session.wait && parsed.value("detach") == Some("false") {
            wait_gone(session, stack);
        }
    }
    Ok(all)
}

/// Lets time pass until no task of the stack is left, as `--detach=false` does.
fn wait_gone(session: &mut Session, stack: &str) {
    let deadline = session.history.now() + super::progress::LONGEST;
    while session.history.now() < deadline {
        let Ok(plane) = swarm(session) else { return };
        let left = plane.store.tasks.rows().any(|row| {
            let labels = &plane.store.template(row.template).spec.labels;
            row.state <= crate::swarm::state::TaskState::Running
                && labels
                    .get(STACK_LABEL)
                    .is_some_and(|label| &**label == stack)
        });
        let networks = plane.named(Kind::Network).values().any(|network| {
            network
                .labels
                .get(STACK_LABEL)
                .is_some_and(|label| &**label == stack)
        });
        if !left && !networks {
            return;
        }
        let next = session.history.now() + SimDuration::from_millis(200);
        session.history.advance_to(next);
    }
}
