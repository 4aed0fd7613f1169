//! From a project to an experiment, and from findings to what the editor shows.

use crate::base::limits::{MAX_DOCUMENT_BYTES, MAX_INPUT_FILES};
use crate::base::rng::Seed;
use crate::base::sentence::{Sentence, catalogue};
use crate::console::open::{Experiment, Opened, open};
use crate::console::sim;
use crate::engine::command::FaultSpec;
use crate::protocol::{Diagnostic, FAULTS, Project, Said, TextEdit, is_fault};

/// Most worker machines of a page's experiment: what an upstream cluster is tested with.
const NODES_MAX: u32 = 5_000;

/// The experiment that a project describes.
///
/// # Errors
/// A sentence about a fault's text or a limit.
pub fn experiment(project: &Project) -> Result<Experiment, Sentence> {
    let (files, nodes) = (project.files.len(), project.nodes);
    if files > MAX_INPUT_FILES {
        return Err(catalogue::FILES_MOST.with(&[("files", &files), ("most", &MAX_INPUT_FILES)]));
    }
    if nodes > NODES_MAX {
        return Err(
            catalogue::MACHINES_SHOWN_MOST.with(&[("machines", &nodes), ("most", &NODES_MAX)])
        );
    }
    let mut experiment = Experiment::new(Seed(project.seed));
    experiment.nodes = project.nodes;
    for file in &project.files {
        if file.text.len() > MAX_DOCUMENT_BYTES {
            return Err(
                catalogue::FILE_LONG.with(&[("file", &file.name), ("most", &MAX_DOCUMENT_BYTES)])
            );
        }
        // A tab without text is a file yet to be written.
        if !file.text.trim().is_empty() {
            experiment
                .files
                .push((file.name.clone(), file.text.as_str().into()));
        }
    }
    for fault in project.faults.iter().filter(|line| is_fault(line)) {
        let spec = FaultSpec::parse(fault).map_err(|what| {
            catalogue::FAULT_SAYS
                .with(&[("fault", fault)])
                .and("what", what)
        });
        experiment.faults.push(spec?);
    }
    Ok(experiment)
}

/// What the check found, with offsets as editors count.
pub fn diagnostics(opened: &Opened) -> Vec<Diagnostic> {
    opened
        .diagnostics()
        .map(|(source, found)| {
            let at = source.position(found.span.start);
            Diagnostic {
                file: found.file.to_string(),
                from: source.utf16(found.span.start),
                to: source.utf16(found.span.end),
                line: at.line,
                column: at.column,
                severity: found.severity.word().to_owned(),
                code: found.code.0.to_owned(),
                message: Said::from(&found.message),
                help: found.help.as_ref().map(Said::from),
                fix: found.fix.as_ref().map(|fix| TextEdit {
                    from: source.utf16(fix.span.start),
                    to: source.utf16(fix.span.end),
                    text: fix.replacement.clone(),
                }),
            }
        })
        .collect()
}

/// What is wrong with a project that could not be opened: the faults that cannot be carried out, each
/// with its line and column in the list, or what the sentence says; and what is wrong in its files.
pub fn refused(project: &Project, sentence: &Sentence) -> Vec<Diagnostic> {
    let mut without = project.clone();
    without.faults.clear();
    // Machines that faults may aim at are known only if the rest can be built.
    let opened = experiment(&without)
        .and_then(|experiment| open(&experiment))
        .ok();
    let mut found = Vec::new();
    let mut start = 0;
    for (place, text) in project.faults.iter().enumerate() {
        let begin = start;
        start += units(text) + 1;
        if !is_fault(text) {
            continue;
        }
        let checked = FaultSpec::parse(text).and_then(|spec| match &opened {
            Some(opened) => sim::check_target(opened.session.history.lab(), &spec),
            None => Ok(()),
        });
        if let Err(sentence) = checked {
            found.push(of_fault(place, begin, text, &sentence));
        }
    }
    if found.is_empty() {
        found.push(of_project(sentence));
    }
    if let Some(opened) = &opened {
        found.extend(diagnostics(opened));
    }
    found
}

fn units(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}

/// The line begins at `begin` of the script.
fn of_fault(place: usize, begin: u32, text: &str, sentence: &Sentence) -> Diagnostic {
    let about = sentence.word().unwrap_or(text);
    // A word as a whole, else a part of one.
    let mut words = text.split_whitespace();
    let whole = words.find(|word| *word == about).map(|word| {
        // The word is a part of the line.
        (word.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize)
    });
    let (start, about) = match whole.or_else(|| text.find(about)) {
        Some(start) => (start, about),
        None => (0, text),
    };
    let from = begin + units(&text[..start]);
    Diagnostic {
        file: FAULTS.to_owned(),
        from,
        to: from + units(about),
        line: u32::try_from(place).unwrap_or(u32::MAX - 1) + 1,
        column: u32::try_from(text[..start].chars().count()).unwrap_or(u32::MAX - 1) + 1,
        ..of_project(sentence)
    }
}

/// A finding that is no file's.
fn of_project(sentence: &Sentence) -> Diagnostic {
    Diagnostic {
        file: String::new(),
        from: 0,
        to: 0,
        line: 0,
        column: 0,
        severity: "error".to_owned(),
        code: String::new(),
        message: Said::from(sentence),
        help: sentence.advice().map(Said::from),
        fix: None,
    }
}

/// Fields that no loop reads, one line each.
pub fn not_modelled(opened: &Opened) -> Vec<String> {
    opened
        .not_modelled
        .iter()
        .map(|field| {
            format!(
                "{}:{}: {} {}",
                field.file, field.line, field.object, field.path
            )
        })
        .collect()
}
