//! From paths to an opened experiment.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::limits::{MAX_DOCUMENT_BYTES, MAX_INPUT_FILES};
use crate::base::rng::Seed;
use crate::base::time::SimDuration;
use crate::console::kubectl::kustomize;
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
    let opened = open(&described(setup, only)?).map_err(Stop::usage)?;
    if setup.server_side && !opened.applies() {
        let message = "--server-side: there are no manifests that are applied; a script says by itself how it applies";
        return Err(Stop::usage(message));
    }
    Ok(opened)
}

/// Reads files and options.
///
/// # Errors
/// As [`experiment`].
pub(crate) fn described(setup: &Setup, only: Option<&str>) -> Result<Experiment, Stop> {
    let mut experiment = Experiment::new(Seed(setup.seed));
    experiment.nodes = setup.nodes;
    experiment.managers = setup.managers;
    experiment.server_side = setup.server_side;
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
    let mut read = Files::default();
    for path in &setup.paths {
        read.read(path, setup.paths.len() == 1)?;
    }
    (experiment.files, experiment.overlay) = (read.files, read.overlay);
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

/// The texts at paths.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// By name, in order.
    pub(crate) files: Vec<(String, Arc<str>)>,
    /// The folder of the overlay that was given, relative to the files.
    overlay: Option<String>,
    /// Where they are, so that none is read twice.
    seen: Vec<PathBuf>,
}

impl Files {
    /// Reads a file, a directory, an overlay with all that it stands upon, or `-`.
    pub(crate) fn read(&mut self, path: &Path, is_alone: bool) -> Result<(), Stop> {
        if path != Path::new("-") && path.is_dir() {
            if let Some(folder) = described_by(path)? {
                return self.overlay(&folder, is_alone);
            }
            return self.directory(path, "", 0);
        }
        let place = fs::canonicalize(path).unwrap_or_default();
        if self.seen.contains(&place) {
            return Ok(());
        }
        self.seen.push(place);
        read(path, &mut self.files)
    }

    /// Reads an overlay's folder and those that it refers to; names begin where all of them lie.
    fn overlay(&mut self, folder: &Path, is_alone: bool) -> Result<(), Stop> {
        let twice = "two folders with a kustomization are given; give one";
        if self.overlay.is_some() {
            return Err(Stop::usage(twice));
        }
        let (mut folders, mut single) = (vec![folder.to_owned()], Vec::new());
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            let Some(text) = kustomization(&folder)? else {
                continue;
            };
            for entry in kustomize::references(&text) {
                // What is not there, and what is none, is the build's to say.
                let Ok(place) = fs::canonicalize(folder.join(&entry)) else {
                    continue;
                };
                if place.is_dir() && !folders.contains(&place) && kustomization(&place)?.is_some() {
                    folders.push(place);
                }
            }
            // Names that begin with a dot are not read with their folder.
            let named = kustomize::sources(&text).into_iter();
            let named = named.filter_map(|name| fs::canonicalize(folder.join(name)).ok());
            single.extend(named.filter(|file| file.is_file() && file.starts_with(&folder)));
        }
        let mut top = folder.to_owned();
        if !is_alone {
            // Other files that were given are not in the overlay's folder.
            top.pop();
        }
        for place in &folders {
            while !place.starts_with(&top) && top.pop() {}
        }
        let name = |place: &Path| {
            let inner = place.strip_prefix(&top).unwrap_or(place);
            let parts = inner.iter().map(|part| part.to_string_lossy());
            parts.collect::<Vec<_>>().join("/")
        };
        self.overlay = Some(name(folder));
        for place in &folders {
            self.directory(place, &name(place), 0)?;
        }
        for file in &single {
            self.file(file, name(file))?;
        }
        Ok(())
    }

    /// Reads what is in a directory and in those below it, in order of their names. Links that lead
    /// nowhere or back, pipes and devices are passed over.
    fn directory(&mut self, path: &Path, prefix: &str, depth: u32) -> Result<(), Stop> {
        let place = fs::canonicalize(path).unwrap_or_default();
        if self.seen.contains(&place) {
            return Ok(());
        }
        self.seen.push(place);
        if depth > 16 {
            return Err(Stop::input(format!(
                "{}: directories are nested deeper than 16",
                path.display()
            )));
        }
        let mut names: Vec<String> = Vec::new();
        let entries = fs::read_dir(path)
            .map_err(|error| Stop::input(format!("{}: {error}", path.display())))?;
        for entry in entries {
            let entry =
                entry.map_err(|error| Stop::input(format!("{}: {error}", path.display())))?;
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
                self.directory(&inner, &shown, depth + 1)?;
            } else if inner.is_file() {
                self.file(&inner, shown)?;
            }
            if self.files.len() > MAX_INPUT_FILES {
                return Err(Stop::input(format!(
                    "{}: more than {MAX_INPUT_FILES} files",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// Reads one file under a name; what is no text is passed over.
    fn file(&mut self, path: &Path, name: String) -> Result<(), Stop> {
        let place = fs::canonicalize(path).unwrap_or_default();
        if self.seen.contains(&place) {
            return Ok(());
        }
        self.seen.push(place);
        match text(path)? {
            Some(text) => push(name, text, &mut self.files),
            None => Ok(()),
        }
    }
}

/// The folder, if one of its files makes it an overlay.
fn described_by(folder: &Path) -> Result<Option<PathBuf>, Stop> {
    let found = kustomization(folder)?.is_some();
    Ok(fs::canonicalize(folder).ok().filter(|_| found))
}

/// The text of the file that makes the folder an overlay.
fn kustomization(folder: &Path) -> Result<Option<String>, Stop> {
    let mut places = kustomize::FILES.iter().map(|name| folder.join(name));
    places
        .find(|place| place.is_file())
        .map_or(Ok(None), |place| text(&place))
}

fn read(path: &Path, files: &mut Vec<(String, Arc<str>)>) -> Result<(), Stop> {
    if path == Path::new("-") {
        let mut text = String::new();
        let mut limited = std::io::stdin().take(MAX_DOCUMENT_BYTES as u64 + 1);
        limited
            .read_to_string(&mut text)
            .map_err(|error| Stop::input(format!("standard input: {error}")))?;
        return push("stdin.yaml".to_owned(), text, files);
    }
    read_named(path, files).map(|_| ())
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
