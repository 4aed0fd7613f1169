//! `docker compose …`: finding and reading the files, and the commands on a project.
//! Source: docker/compose `cmd/compose`, compose-go `cli/options.go`.

pub mod act;
pub mod look;
pub mod up;

use std::sync::Arc;

use super::flags::{Grammar, Parsed, parse};
use crate::api::compose::project::Project;
use crate::base::symbol::Symbols;
use crate::compose::store::ContainerRow;
use crate::console::open::PROJECT;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::manifest::compose::dotenv;
use crate::manifest::compose::loaded::Variables;
use crate::manifest::compose::project::{Setting, load_compose};
use crate::manifest::diagnostic::Severity;
use crate::manifest::lines::Source;

/// Names that are looked for, best first. Source: compose-go `cli/options.go` DefaultFileNames.
const FILES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// Names of the file that is put on top. Source: compose-go `cli/options.go` DefaultOverrideFileNames.
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

const GLOBAL: Grammar = Grammar {
    path: "docker compose",
    usage: "[OPTIONS] COMMAND",
    flags: "project-name,p= file,f=* profile=* env-file=* project-directory= progress= ansi= parallel= compatibility all-resources! dry-run! verbose",
    least: 0,
    most: None,
    interspersed: false,
};

/// What stands before the command.
pub struct Global {
    parsed: Parsed,
}

/// Runs one command.
pub fn run(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&GLOBAL, words)?;
    let words = parsed.words.clone();
    let global = Global { parsed };
    let Some(verb) = words.first() else {
        return Ok(Output::text(
            "Usage:  docker compose [OPTIONS] COMMAND\n\nCommands that are modelled: config, down, exec, kill, logs, ls, ps, restart, rm, start, stop, up, version\n",
        ));
    };
    let rest = &words[1..];
    match verb.as_str() {
        "up" => up::up(session, &global, rest),
        "down" => up::down(session, &global, rest),
        "create" => up::create(session, &global, rest),
        "start" | "stop" | "restart" | "kill" | "rm" => act::run(session, &global, verb, rest),
        "ps" | "ls" | "logs" | "exec" | "config" | "convert" => {
            look::run(session, &global, verb, rest)
        }
        "version" => Ok(Output::text(format!(
            "Docker Compose version of engine {}\n",
            super::ENGINE_VERSION
        ))),
        "top" | "images" | "build" | "pull" | "push" | "run" | "events" | "port" | "cp"
        | "pause" | "unpause" | "watch" | "wait" | "stats" | "attach" | "scale" | "volumes"
        | "export" | "commit" | "publish" => {
            Err(super::not_modelled(&format!("docker compose {verb}")))
        }
        word => Err(Output::error(
            1,
            format!("unknown docker command: \"compose {word}\""),
        )),
    }
}

/// The Compose world's host.
///
/// # Errors
/// That this session has none.
fn host(session: &Session) -> Result<(), Output> {
    session.world(Orchestrator::Compose).map(|_| ())
}

impl Global {
    /// Name of the project, as far as the command line tells.
    fn given_name(&self) -> Option<&str> {
        self.parsed.value("project-name")
    }

    /// The project's files.
    fn files(&self, session: &Session) -> Result<Vec<Source>, Output> {
        let mut names: Vec<String> = self
            .parsed
            .values("file")
            .into_iter()
            .map(str::to_owned)
            .collect();
        if names.is_empty()
            && let Some(list) = session.environment.get("COMPOSE_FILE")
        {
            names = list
                .split(':')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
        }
        if names.is_empty() {
            let folder = self
                .parsed
                .value("project-directory")
                .map(|folder| folder.trim_start_matches("./").trim_end_matches('/'));
            let inside = |name: &str| match folder {
                None | Some("" | ".") => name.to_owned(),
                Some(folder) => format!("{folder}/{name}"),
            };
            let present = |names: &[&str]| {
                names
                    .iter()
                    .map(|name| inside(name))
                    .find(|name| session.file(name).is_some())
            };
            let Some(first) = present(&FILES) else {
                return Err(Output::error(
                    1,
                    "no configuration file provided: not found",
                ));
            };
            names.push(first);
            names.extend(present(&OVERRIDES));
        }
        names
            .iter()
            .map(|name| match session.file(name) {
                Some(text) => Ok(Source::new(name.strip_prefix("./").unwrap_or(name), text)),
                None => Err(Output::error(
                    1,
                    format!("open {name}: no such file or directory"),
                )),
            })
            .collect()
    }

    /// Reads the project; the second part is what the client warns of. Services that `named` lists
    /// are enabled, whatever their profiles.
    fn project(&self, session: &Session, named: &[String]) -> Result<(Project, String), Output> {
        let files = self.files(session)?;
        let mut environment: Variables = session
            .environment
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect();
        for name in self.parsed.values("env-file") {
            let Some(text) = session.file(name) else {
                return Err(Output::error(1, format!("couldn't find env file: {name}")));
            };
            for (name, value) in dotenv::parse(text, &environment.clone()) {
                environment.entry(name).or_insert(value);
            }
        }
        let profiles: Vec<Arc<str>> = self
            .parsed
            .values("profile")
            .into_iter()
            .map(Into::into)
            .collect();
        let others = |path: &str| session.file(path).cloned();
        let setting = Setting {
            environment: &environment,
            project_name: self.given_name(),
            folder: PROJECT,
            profiles: &profiles,
            others: &others,
        };
        let loaded = load_compose(&files, setting);
        let mut warnings = String::new();
        for problem in &loaded.problems {
            match problem.severity {
                Severity::Error => {
                    return Err(Output {
                        stderr: format!("{warnings}{}\n", problem.message),
                        code: 1,
                        ..Output::default()
                    });
                }
                Severity::Warning => {
                    warnings.push_str(&format!("WARN[0000] {} \n", problem.message))
                }
                Severity::Info => {}
            }
        }
        let Some(mut project) = loaded.model else {
            return Err(Output::error(1, "empty compose file"));
        };
        for name in named {
            if let Some((key, service)) = project.disabled.remove_entry(name.as_str()) {
                project.services.insert(key, service);
            } else if !project.services.contains_key(name.as_str()) {
                return Err(Output {
                    stderr: format!("{warnings}no such service: {name}\n"),
                    code: 1,
                    ..Output::default()
                });
            }
        }
        Ok((project, warnings))
    }

    /// The project's name: as given, or as its files say.
    fn name(&self, session: &Session) -> Result<String, Output> {
        match self.given_name() {
            Some(name) => Ok(name.to_owned()),
            None => Ok(self.project(session, &[])?.0.name.to_string()),
        }
    }
}

/// Containers of a project by service and number; of some services only, if `services` names any.
///
/// # Errors
/// That the project has no such service.
fn containers<'a>(
    session: &'a Session,
    project: &str,
    services: &[String],
) -> Result<Vec<&'a ContainerRow>, Output> {
    let world = session.world(Orchestrator::Compose)?;
    let symbols: &Symbols = &world.symbols;
    let mut rows: Vec<&ContainerRow> = world
        .compose()
        .map(|plane| plane.containers())
        .unwrap_or_default()
        .into_iter()
        .filter(|row| symbols.text(row.project) == project)
        .collect();
    for name in services {
        if !rows.iter().any(|row| symbols.text(row.service) == name) {
            return Err(Output::error(1, format!("no such service: {name}")));
        }
    }
    rows.retain(|row| {
        services.is_empty()
            || services
                .iter()
                .any(|name| symbols.text(row.service) == name)
    });
    rows.sort_by(|a, b| {
        (symbols.text(a.service), a.number).cmp(&(symbols.text(b.service), b.number))
    });
    Ok(rows)
}
