//! From a project to an experiment, and from findings to what the editor shows.

use crate::base::limits::{MAX_DOCUMENT_BYTES, MAX_INPUT_FILES};
use crate::base::rng::Seed;
use crate::console::open::{Experiment, Opened};
use crate::engine::command::FaultSpec;
use crate::protocol::{Diagnostic, Project, TextEdit};

/// Most worker machines of a page's experiment: each is a box on the screen.
const NODES_MAX: u32 = 200;

/// The experiment that a project describes.
///
/// # Errors
/// A sentence about a fault's text or a limit.
pub fn experiment(project: &Project) -> Result<Experiment, String> {
    if project.files.len() > MAX_INPUT_FILES {
        return Err(format!(
            "{} files are more than the {MAX_INPUT_FILES} that are read at once",
            project.files.len()
        ));
    }
    if project.nodes > NODES_MAX {
        return Err(format!(
            "{} machines are more than the {NODES_MAX} that the page shows",
            project.nodes
        ));
    }
    let mut experiment = Experiment::new(Seed(project.seed));
    experiment.nodes = project.nodes;
    for file in &project.files {
        if file.text.len() > MAX_DOCUMENT_BYTES {
            return Err(format!(
                "{}: more than {MAX_DOCUMENT_BYTES} bytes",
                file.name
            ));
        }
        // A tab without text is a file yet to be written.
        if !file.text.trim().is_empty() {
            experiment
                .files
                .push((file.name.clone(), file.text.as_str().into()));
        }
    }
    for fault in &project.faults {
        experiment.faults.push(
            FaultSpec::parse(fault).map_err(|message| format!("fault \"{fault}\": {message}"))?,
        );
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
                message: found.message.clone(),
                help: found.help.clone(),
                fix: found.fix.as_ref().map(|fix| TextEdit {
                    from: source.utf16(fix.span.start),
                    to: source.utf16(fix.span.end),
                    text: fix.replacement.clone(),
                }),
            }
        })
        .collect()
}

/// A finding that is no file's.
pub fn of_project(message: String) -> Diagnostic {
    Diagnostic {
        file: String::new(),
        from: 0,
        to: 0,
        line: 0,
        column: 0,
        severity: "error".to_owned(),
        code: String::new(),
        message,
        help: None,
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
