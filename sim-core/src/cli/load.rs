//! From paths to an opened experiment.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::base::limits::{MAX_DOCUMENT_BYTES, MAX_INPUT_FILES};
use crate::base::rng::Seed;
use crate::base::time::SimDuration;
use crate::console::open::{Experiment, Opened, open};
use crate::engine::command::{FaultSpec, Orchestrator};
use crate::manifest::diagnostic::Severity;

use super::options::Setup;
use super::{Stop, explore, note};

/// Reads files and options, checks them, and opens the experiment. Nothing runs yet.
///
/// # Errors
/// Usage (2) for options, input (3) for files; the message holds every diagnostic.
pub(crate) fn experiment(setup: &Setup, only: Option<&str>) -> Result<Opened, Stop> {
    open(&described(setup, only)?).map_err(Stop::usage)
}

/// Reads files and options.
///
/// # Errors
/// As [`experiment`].
pub(crate) fn described(setup: &Setup, only: Option<&str>) -> Result<Experiment, Stop> {
    let mut experiment = Experiment::new(Seed(setup.seed));
    experiment.nodes = setup.nodes;
    experiment.managers = setup.managers;
    if let Some(node) = &setup.node {
        let words: Vec<&str> = node.split(',').collect();
        experiment.worker = crate::console::sim::machine("worker", &words)
            .map_err(|message| Stop::usage(format!("--node: {message}")))?;
    }
    for fault in &setup.fault {
        experiment.faults.push(
            FaultSpec::parse(fault)
                .map_err(|message| Stop::usage(format!("--fault '{fault}': {message}")))?,
        );
    }
    for pair in &setup.set {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Stop::usage(format!("--set '{pair}': write KEY=VALUE")));
        };
        experiment.settings.push((key.to_owned(), value.to_owned()));
    }
    for pair in &setup.env {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Stop::usage(format!("--env '{pair}': write NAME=VALUE")));
        };
        experiment
            .environment
            .insert(key.to_owned(), value.to_owned());
    }
    experiment.only = only.and_then(Orchestrator::parse);
    for path in &setup.paths {
        read(path, &mut experiment.files)?;
    }
    if let Some(path) = &setup.stack {
        experiment.stack = Some(read_named(path, &mut experiment.files)?);
    }
    for path in &setup.compose {
        let name = read_named(path, &mut experiment.files)?;
        experiment.compose.push(name);
    }
    if experiment.files.len() > MAX_INPUT_FILES {
        return Err(Stop::input(format!(
            "{} files are more than the {MAX_INPUT_FILES} that are read at once",
            experiment.files.len()
        )));
    }
    experiment.choices = explore::choices(setup)?;
    Ok(experiment)
}

/// Prints diagnostics; fails if one is an error.
pub(crate) fn report(opened: &Opened) -> Result<(), Stop> {
    let mut errors = 0;
    let mut text = String::new();
    for (source, diagnostic) in opened.diagnostics() {
        text.push_str(&diagnostic.render(Some(source)));
        errors += usize::from(diagnostic.severity == Severity::Error);
    }
    if errors > 0 {
        return Err(Stop::input(format!(
            "{text}{errors} error{} in the input; nothing was run",
            if errors == 1 { "" } else { "s" }
        )));
    }
    note(&text);
    Ok(())
}

/// Reads a duration option.
pub(crate) fn duration(option: &str, text: &str) -> Result<SimDuration, Stop> {
    SimDuration::parse(text).map_err(|message| Stop::usage(format!("{option} {text}: {message}")))
}

pub(crate) fn read(path: &Path, files: &mut Vec<(String, Arc<str>)>) -> Result<(), Stop> {
    if path == Path::new("-") {
        let mut text = String::new();
        let mut limited = std::io::stdin().take(MAX_DOCUMENT_BYTES as u64 + 1);
        limited
            .read_to_string(&mut text)
            .map_err(|error| Stop::input(format!("standard input: {error}")))?;
        return push("stdin.yaml".to_owned(), text, files);
    }
    let data =
        fs::metadata(path).map_err(|error| Stop::input(format!("{}: {error}", path.display())))?;
    if data.is_dir() {
        return directory(path, "", files, 0);
    }
    read_named(path, files).map(|_| ())
}

fn directory(
    path: &Path,
    prefix: &str,
    files: &mut Vec<(String, Arc<str>)>,
    depth: u32,
) -> Result<(), Stop> {
    if depth > 16 {
        return Err(Stop::input(format!(
            "{}: directories are nested deeper than 16",
            path.display()
        )));
    }
    let mut names: Vec<String> = Vec::new();
    let entries =
        fs::read_dir(path).map_err(|error| Stop::input(format!("{}: {error}", path.display())))?;
    for entry in entries {
        let entry = entry.map_err(|error| Stop::input(format!("{}: {error}", path.display())))?;
        if let Some(name) = entry.file_name().to_str()
            && (!name.starts_with('.') || name == ".env")
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    for name in names {
        let inner = path.join(&name);
        let shown = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        if inner.is_dir() {
            directory(&inner, &shown, files, depth + 1)?;
        } else if let Some(text) = text(&inner)? {
            push(shown, text, files)?;
        }
        if files.len() > MAX_INPUT_FILES {
            return Err(Stop::input(format!(
                "{}: more than {MAX_INPUT_FILES} files",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Reads one file under its base name; returns that name.
fn read_named(path: &Path, files: &mut Vec<(String, Arc<str>)>) -> Result<String, Stop> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("input")
        .to_owned();
    if files.iter().any(|(known, _)| *known == name) {
        return Ok(name);
    }
    let Some(text) = text(path)? else {
        return Err(Stop::input(format!("{}: not a text file", path.display())));
    };
    push(name.clone(), text, files)?;
    Ok(name)
}

/// The file's text; `None` for files that are no text.
fn text(path: &Path) -> Result<Option<String>, Stop> {
    let data =
        fs::metadata(path).map_err(|error| Stop::input(format!("{}: {error}", path.display())))?;
    if data.len() > MAX_DOCUMENT_BYTES as u64 {
        return Err(Stop::input(format!(
            "{}: {} bytes are more than the {MAX_DOCUMENT_BYTES} that are read",
            path.display(),
            data.len()
        )));
    }
    let bytes =
        fs::read(path).map_err(|error| Stop::input(format!("{}: {error}", path.display())))?;
    Ok(String::from_utf8(bytes).ok())
}

fn push(name: String, text: String, files: &mut Vec<(String, Arc<str>)>) -> Result<(), Stop> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(Stop::input(format!(
            "{name}: more than {MAX_DOCUMENT_BYTES} bytes"
        )));
    }
    if files.iter().any(|(known, _)| *known == name) {
        return Err(Stop::usage(format!(
            "two files are called {name}; give their common directory instead"
        )));
    }
    files.push((name, text.into()));
    Ok(())
}
