//! `docker compose …`: finding and reading the files, and the commands on a project.
//! Source: docker/compose `cmd/compose`, compose-go `cli/options.go`.

pub mod act;
pub mod config;
pub mod files;
pub mod look;
pub mod up;

use std::sync::Arc;

use super::flags::{Grammar, Parsed, parse};
use crate::api::compose::project::Project;
use crate::base::arrange::Arrange;
use crate::base::sentence::passage::Passage;
use crate::base::symbol::Symbols;
use crate::compose::store::ContainerRow;
use crate::console::open::PROJECT;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::manifest::compose::dotenv;
use crate::manifest::compose::loaded::Variables;
use crate::manifest::compose::project::{Setting, load_compose};
use crate::manifest::explain;
use crate::manifest::lines::Source;
use crate::manifest::schema::compose::first_refusal;
use crate::manifest::value::Value;

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
    flags: "project-name,p= file,f=* profile=* env-file=* project-directory= progress= ansi= parallel= compatibility all-resources dry-run! verbose",
    least: 0,
    most: None,
    interspersed: false,
};

/// What stands before the command.
pub struct Global {
    parsed: Parsed,
    /// Standard input, which the file `-` is.
    input: String,
}

/// Runs one command.
pub fn run(session: &mut Session, words: &[String], input: &str) -> Result<Output, Output> {
    let parsed = parse(&GLOBAL, words)?;
    let words = parsed.words.clone();
    let input = input.to_owned();
    let global = Global { parsed, input };
    let Some(verb) = words.first() else {
        return Ok(super::commands(
            "docker compose",
            "attach, build, config, cp, create, down, events, exec, images, kill, logs, ls, port, ps, pull, restart, rm, run, scale, start, stop, top, up, version, volumes, wait",
        ));
    };
    let rest = &words[1..];
    match verb.as_str() {
        "up" | "down" | "create" | "scale" | "pull" | "build" | "start" | "stop" | "restart" => {
            up::run(session, &global, verb, rest)
        }
        "kill" | "rm" | "run" | "wait" => act::run(session, &global, verb, rest),
        "ps" | "ls" | "logs" | "exec" | "top" | "images" | "port" | "events" | "volumes" => {
            look::run(session, &global, verb, rest)
        }
        "config" | "convert" => config::run(session, &global, rest),
        "version" => Ok(Output::text(format!(
            "Docker Compose version of engine {}\n",
            crate::swarm::inspect::ENGINE_VERSION
        ))),
        "cp" | "attach" => files::run(session, &global, verb, rest),
        "push" | "pause" | "unpause" | "watch" | "stats" | "export" | "commit" | "publish"
        | "bridge" => Err(super::not_modelled(format!("docker compose {verb}"))),
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
        self.parsed
            .value("project-name")
            .filter(|name| !name.is_empty())
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
                // As compose-go `cli/options.go` ReadConfigFiles.
                None if name == "-" => Ok(Source::new(name, &self.input)),
                None => Err(Output::error(
                    1,
                    format!("open {}: no such file or directory", whole_path(name)),
                )),
            })
            .collect()
    }

    /// The process environment with what `--env-file` or `.env` adds.
    fn variables(&self, session: &Session) -> Result<Variables, Output> {
        let mut variables = environment(session);
        let files = self.env_files(session)?;
        let first = self.files(session)?;
        let beside = first.first().map_or_else(String::new, |file| {
            crate::manifest::compose::loaded::relative(&file.name, ".env")
        });
        let names = if files.is_empty() {
            vec![Arc::from(beside)]
        } else {
            files
        };
        for name in names {
            if let Some(text) = session.file(&name) {
                for (name, value) in dotenv::parse(text, &variables.clone()) {
                    variables.entry(name).or_insert(value);
                }
            }
        }
        Ok(variables)
    }

    fn env_files(&self, session: &Session) -> Result<Vec<Arc<str>>, Output> {
        self.parsed
            .values("env-file")
            .into_iter()
            .map(|name| match session.file(name) {
                Some(_) => Ok(Arc::from(name.strip_prefix("./").unwrap_or(name))),
                None => Err(Output::error(
                    1,
                    format!("couldn't find env file: {}", whole_path(name)),
                )),
            })
            .collect()
    }

    /// Reads the project; the second part is what the client warns of. Services that `named` lists
    /// are enabled with their profiles.
    fn project(&self, session: &Session, named: &[String]) -> Result<(Project, Passage), Output> {
        let files = self.files(session)?;
        let environment = environment(session);
        let env_files = self.env_files(session)?;
        let profiles: Vec<Arc<str>> = self
            .parsed
            .values("profile")
            .into_iter()
            .map(Into::into)
            .collect();
        let named: Vec<Arc<str>> = named.iter().map(|name| name.as_str().into()).collect();
        let others = |path: &str| session.file(path).cloned();
        let folder = self.parsed.value("project-directory").map(|folder| {
            let folder = folder.trim_end_matches('/');
            folder.rsplit('/').next().unwrap_or(folder).to_owned()
        });
        let setting = Setting {
            environment: &environment,
            project_name: self.given_name(),
            folder: folder
                .as_deref()
                .filter(|folder| !matches!(*folder, "" | "." | ".."))
                .unwrap_or(PROJECT),
            profiles: &profiles,
            named: &named,
            all_resources: self.parsed.has("all-resources"),
            env_files: &env_files,
            others: &others,
        };
        let loaded = load_compose(&files, setting);
        let mut warnings = String::new();
        for problem in &loaded.problems {
            // The other warnings are advice of `podium lint`: the real client is silent there.
            match problem.code {
                code if code == explain::COMPOSE_OBSOLETE => warnings.push_str(&format!(
                    "WARN[0000] /{PROJECT}/{}: {} \n",
                    problem.file, problem.message
                )),
                code if code == explain::COMPOSE_UNSET_VARIABLE => {
                    warnings.push_str(&format!("WARN[0000] {} \n", problem.message));
                }
                _ => {}
            }
        }
        let refusal = first_refusal(&loaded.problems)
            .or_else(|| loaded.problems.iter().find(|problem| problem.is_error()));
        if let Some(problem) = refusal {
            return Err(Output {
                stderr: Passage::from(warnings)
                    .then(problem.message.clone())
                    .then("\n"),
                code: 1,
                ..Output::default()
            });
        }
        let Some(project) = loaded.model else {
            return Err(Output::error(1, "empty compose file"));
        };
        for name in &named {
            if !project.services.contains_key(name) {
                return Err(Output {
                    stderr: format!("{warnings}no such service: {name}\n").into(),
                    code: 1,
                    ..Output::default()
                });
            }
        }
        Ok((project, warnings.into()))
    }

    /// The project's name: as given, or as its files say.
    fn name(&self, session: &Session) -> Result<String, Output> {
        match self.given_name() {
            Some(name) => Ok(name.to_owned()),
            None => Ok(self.project(session, &[])?.0.name.to_string()),
        }
    }
}

/// A file's path as the client prints it: the console's directory is the project's folder.
fn whole_path(name: &str) -> String {
    if name.starts_with('/') {
        name.to_owned()
    } else {
        format!("/{PROJECT}/{}", name.strip_prefix("./").unwrap_or(name))
    }
}

/// The variables of the process.
fn environment(session: &Session) -> Variables {
    session
        .environment
        .iter()
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect()
}

/// The project with the named services only, and what they depend on if `dependencies`; the whole
/// of it for no names. Networks, volumes, secrets and configs that are not used any more go too.
/// Source: compose-go `types/project.go` WithSelectedServices.
///
/// # Errors
/// That the project has no such service.
fn select(mut project: Project, named: &[String], dependencies: bool) -> Result<Project, Output> {
    if named.is_empty() {
        return Ok(project);
    }
    let named: Vec<Arc<str>> = named.iter().map(|name| name.as_str().into()).collect();
    let kept = if dependencies {
        crate::compose::graph::selected(&project, &named)
            .map_err(|name| Output::error(1, format!("no such service: {name}")))?
    } else {
        named
    };
    let all = std::mem::take(&mut project.services);
    for (name, mut service) in all {
        if kept.contains(&name) {
            if !dependencies {
                service.depends_on.retain(|other, _| kept.contains(other));
            }
            project.services.insert(name, service);
        } else {
            project.disabled.insert(name, service);
        }
    }
    let services = &project.services;
    project.networks.retain(|key, _| {
        services
            .values()
            .any(|service| service.networks.contains(key))
    });
    let names_in = |key: &str| -> Vec<String> {
        let documents = services
            .values()
            .filter_map(|service| Value::parse_json(&service.document).ok());
        documents
            .flat_map(|document| {
                let items = document
                    .get(key)
                    .and_then(Value::as_list)
                    .unwrap_or_default();
                items
                    .iter()
                    .filter_map(|item| item.str_at(&["source"]).map(str::to_owned))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let (volumes, secrets, configs) = (
        names_in("volumes"),
        names_in("secrets"),
        names_in("configs"),
    );
    let has = |list: &[String], key: &str| list.iter().any(|name| name == key);
    project.volumes.retain(|key, _| has(&volumes, key));
    project.secrets.retain(|key, _| has(&secrets, key));
    project.configs.retain(|key, _| has(&configs, key));
    Ok(project)
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
        .filter(|row| symbols.text(row.project) == project && !row.is_one_off)
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
    rows.arrange_by(|a, b| {
        (symbols.text(a.service), a.number).cmp(&(symbols.text(b.service), b.number))
    });
    Ok(rows)
}
