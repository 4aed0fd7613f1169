//! Lints every manifest of the folders and files that are named and applies it to a fresh cluster:
//! `cargo run -p tests --bin manifests -- PATH…`.
//!
//! A line for each file; the exit code is 1 if one has errors or is refused. Fields that nothing acts
//! upon are counted, not errors. What a file takes for granted, such as a namespace or a kind that
//! something else installs, is refused here as it would be on a fresh cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use sim_core::base::rng::Seed;
use sim_core::console::open::{Experiment, open};
use sim_core::engine::command::Orchestrator;
use sim_core::manifest::diagnostic::Severity;

fn below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut all: Vec<PathBuf> = match fs::read_dir(path) {
        Ok(entries) => entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect(),
        Err(error) => {
            eprintln!("manifests: {}: {error}", path.display());
            std::process::exit(2);
        }
    };
    all.sort();
    all.iter().flat_map(|path| below(path)).collect()
}

/// What is wrong with a file; `Ok` says what was made and how much of it nothing acts upon.
fn check(text: &str) -> Result<(usize, usize), String> {
    let mut experiment = Experiment::new(Seed(1));
    experiment.only = Some(Orchestrator::Kubernetes);
    experiment
        .files
        .push(("file.yaml".to_owned(), Arc::from(text)));
    let mut opened = open(&experiment)?;
    let errors: Vec<String> = opened
        .diagnostics()
        .filter(|(_, one)| one.severity == Severity::Error)
        .map(|(source, one)| {
            let at = source.position(one.span.start);
            format!("{}:{}: {}", at.line, at.column, one.message)
        })
        .collect();
    if !errors.is_empty() {
        return Err(errors.join("; "));
    }
    let output = opened.session.run("kubectl apply -f file.yaml");
    if output.code != 0 {
        return Err(output.stderr.into());
    }
    let made = output.stdout.lines().count();
    opened.session.run("sim advance 60s");
    Ok((made, opened.not_modelled.len()))
}

fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let files: Vec<PathBuf> = paths
        .iter()
        .flat_map(|path| below(path))
        .filter(|path| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            matches!(ending, Some("yaml" | "yml" | "json"))
        })
        .collect();
    let mut failed = 0;
    for file in &files {
        let text = fs::read_to_string(file).unwrap_or_default();
        match check(&text) {
            Ok((made, unread)) => println!(
                "ok    {}: {made} objects, {unread} fields not modelled",
                file.display()
            ),
            Err(why) => {
                failed += 1;
                println!("FAIL  {}: {}", file.display(), why.trim_end());
            }
        }
    }
    println!(
        "{} of {} files lint and apply",
        files.len() - failed,
        files.len()
    );
    if failed > 0 || files.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
