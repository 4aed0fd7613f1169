//! Runs conformance cases through console lines and compares what they show with what is expected.
//!
//! ```text
//! *.jsonl ─▶ case ─▶ Session::script ─▶ stdout, stderr, exit ─▶ look ─▶ pass | fail | unsupported
//! ```
//! Nothing here knows a case by its id, and no expectation is computed. Two fields of the open cases
//! cannot be seen from outside and are not compared: `patch_sent_spec_part` (the body on the wire) and
//! `done` (what a watching command would do).

pub mod compare;
pub mod look;
pub mod run;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// How a case ended. Unsupported is a failure whose reason is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that the case expects was seen.
    Pass,
    /// Something else was seen.
    Fail(String),
    /// The product says that it does not model this, or the harness cannot express it.
    Unsupported(String),
}

impl Verdict {
    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
            Self::Unsupported(_) => "unsupported",
        }
    }

    /// Why it is not a pass.
    pub fn why(&self) -> &str {
        match self {
            Self::Pass => "",
            Self::Fail(why) | Self::Unsupported(why) => why,
        }
    }
}

/// One case with its verdict.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Identifier, as the file has it.
    pub id: String,
    /// Area, as the file has it.
    pub area: String,
    /// How it ended.
    pub verdict: Verdict,
}

/// The `*.jsonl` files of a directory, in the order of their names.
///
/// # Errors
/// A sentence if the directory cannot be read or holds none.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "jsonl")
    });
    files.sort();
    if files.is_empty() {
        return Err(format!("{}: no *.jsonl file", path.display()));
    }
    Ok(files)
}

/// Runs every case of every `*.jsonl` file of a directory, in the order of names and lines.
///
/// # Errors
/// A sentence if the directory or a file cannot be read.
pub fn directory(path: &Path) -> Result<Vec<Outcome>, String> {
    let mut outcomes = Vec::new();
    for path in files(path)? {
        outcomes.extend(file(&path)?);
    }
    Ok(outcomes)
}

/// Runs every case of one file, in the order of its lines.
///
/// # Errors
/// A sentence if the file cannot be read.
pub fn file(path: &Path) -> Result<Vec<Outcome>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().enumerate();
    let cases = lines.filter(|(_, line)| !line.trim().is_empty());
    Ok(cases
        .map(|(number, line)| match serde_json::from_str::<Value>(line) {
            Ok(case) => outcome(&case),
            Err(error) => Outcome {
                id: format!(
                    "{}:{}",
                    path.file_name().unwrap_or_default().to_string_lossy(),
                    number + 1
                ),
                area: "unreadable".to_owned(),
                verdict: Verdict::Fail(format!("not JSON: {error}")),
            },
        })
        .collect())
}

/// Runs one case. A panic of the product is a failure of the case.
pub fn outcome(case: &Value) -> Outcome {
    let text = |key: &str| case[key].as_str().unwrap_or("?").to_owned();
    let verdict = catch_unwind(AssertUnwindSafe(|| run::case(case))).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Verdict::Fail(format!("panic: {}", message.unwrap_or_default()))
    });
    Outcome {
        id: text("id"),
        area: text("area"),
        verdict,
    }
}

/// Passes, failures, unsupported.
pub fn count<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> [usize; 3] {
    let mut counts = [0; 3];
    for outcome in outcomes {
        counts[match outcome.verdict {
            Verdict::Pass => 0,
            Verdict::Fail(_) => 1,
            Verdict::Unsupported(_) => 2,
        }] += 1;
    }
    counts
}

fn areas(outcomes: &[Outcome]) -> BTreeMap<&str, Vec<&Outcome>> {
    let mut areas: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        areas.entry(&outcome.area).or_default().push(outcome);
    }
    areas
}

/// The report for people: one line for each area, then `total`.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "{:<36} {:>5} {:>5} {:>11}\n",
        "area", "pass", "fail", "unsupported"
    );
    let mut line = |name: &str, [pass, fail, unsupported]: [usize; 3]| {
        text.push_str(&format!(
            "{name:<36} {pass:>5} {fail:>5} {unsupported:>11}\n"
        ));
    };
    for (area, outcomes) in areas(outcomes) {
        line(area, count(outcomes));
    }
    line("total", count(outcomes));
    text
}

/// The report for programs.
pub fn document(outcomes: &[Outcome]) -> Value {
    let counts = |[pass, fail, unsupported]: [usize; 3]| json!({"pass": pass, "fail": fail, "unsupported": unsupported});
    let areas: serde_json::Map<String, Value> = areas(outcomes)
        .into_iter()
        .map(|(area, outcomes)| (area.to_owned(), counts(count(outcomes))))
        .collect();
    let cases: Vec<Value> = outcomes
        .iter()
        .map(|outcome| json!({"id": outcome.id, "verdict": outcome.verdict.name(), "why": outcome.verdict.why()}))
        .collect();
    json!({"total": counts(count(outcomes)), "areas": areas, "cases": cases})
}
