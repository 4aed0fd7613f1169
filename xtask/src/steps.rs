//! `cargo xtask test`: every check in order, timed, the first failure ends the run.

use std::time::Instant;

use crate::browser;
use crate::npm;
use crate::page;
use crate::parity;
use crate::place;
use crate::report::{self, Row, say};
use crate::run;

/// One check.
struct Step {
    name: &'static str,
    why: &'static str,
    run: fn() -> Result<Outcome, String>,
}

/// How a step ended that did not fail.
enum Outcome {
    /// With the closing lines of its runners.
    Passed(Vec<String>),
    /// The repository holds nothing for it to run.
    Nothing(&'static str),
}

/// Cheapest first: what fails often fails early.
const STEPS: [Step; 7] = [
    Step {
        name: "fmt",
        why: "one layout of the code",
        run: fmt,
    },
    Step {
        name: "clippy",
        why: "lints and the determinism rules, warnings are errors",
        run: clippy,
    },
    Step {
        name: "test",
        why: "unit, scenario, property and documentation tests",
        run: cargo_test,
    },
    Step {
        name: "wasm",
        why: "the page builds and keeps its byte budgets",
        run: wasm,
    },
    Step {
        name: "parity",
        why: "native and WebAssembly runs have equal fingerprints",
        run: parity_tests,
    },
    Step {
        name: "conformance",
        why: "the conformance cases that this repository holds",
        run: conformance,
    },
    Step {
        name: "e2e",
        why: "the built page in a real browser",
        run: browser_tests,
    },
];

/// Runs the steps, or those that `--only` names.
///
/// # Errors
/// The first failing step's name and reason, or a mistake in the arguments.
pub(crate) fn test(arguments: &[String]) -> Result<(), String> {
    let chosen = chosen(arguments)?;
    let started = Instant::now();
    let mut rows = Vec::new();
    let mut failure = None;
    for step in &STEPS {
        if !chosen.is_empty() && !chosen.contains(&step.name) {
            continue;
        }
        println!();
        say(&format!("{}: {}", step.name, step.why));
        let step_started = Instant::now();
        let outcome = (step.run)();
        let (verdict, closing) = match outcome {
            Ok(Outcome::Passed(closing)) => ("ok", closing),
            Ok(Outcome::Nothing(reason)) => ("nothing", vec![reason.into()]),
            Err(reason) => {
                failure = Some(format!("step `{}` failed: {reason}", step.name));
                ("FAILED", Vec::new())
            }
        };
        let time = step_started.elapsed();
        rows.push(Row {
            name: step.name,
            verdict: verdict.into(),
            time,
            closing,
        });
        if failure.is_some() {
            break;
        }
    }
    report::table(&rows, started.elapsed());
    match failure {
        None => Ok(()),
        Some(reason) => Err(reason),
    }
}

/// `cargo xtask setup`: everything the steps would find or install.
///
/// # Errors
/// One sentence with the remedy.
pub(crate) fn set_up() -> Result<(), String> {
    page::Kit::find()?;
    browser::chromium()?;
    npm::install(
        "tests/e2e",
        "they drive the browser and check accessibility",
    )?;
    say("all tools are there");
    Ok(())
}

fn chosen(arguments: &[String]) -> Result<Vec<&'static str>, String> {
    let names = || STEPS.map(|step| step.name).join(", ");
    let mut chosen = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let name = match argument.strip_prefix("--only") {
            Some("") => rest.next().map(String::as_str),
            Some(joined) => joined.strip_prefix('='),
            None => {
                return Err(format!(
                    "unexpected argument `{argument}`: only `--only STEP` is known"
                ));
            }
        };
        let step = STEPS.iter().find(|step| Some(step.name) == name);
        chosen.push(
            step.ok_or_else(|| format!("`--only` needs one of: {}", names()))?
                .name,
        );
    }
    Ok(chosen)
}

/// A cargo command; in continuous integration a Cargo.lock that is out of date fails it.
fn cargo(arguments: &[&str]) -> std::process::Command {
    let mut command = run::command("cargo");
    command.args(arguments);
    if run::is_ci() {
        command.arg("--locked");
    }
    command
}

fn fmt() -> Result<Outcome, String> {
    let mut command = run::command("cargo");
    command.args(["fmt", "--all", "--check"]);
    run::foreground(command).map(|()| Outcome::Passed(Vec::new()))
}

fn clippy() -> Result<Outcome, String> {
    let denied = |mut command: std::process::Command| {
        command.args(["--", "--deny", "warnings"]);
        run::foreground(command)
    };
    denied(cargo(&["clippy", "--workspace", "--all-targets"]))?;
    denied(cargo(&[
        "clippy",
        "--package",
        "sim-core",
        "--all-targets",
        "--features",
        "cli",
    ]))?;
    Ok(Outcome::Passed(Vec::new()))
}

fn cargo_test() -> Result<Outcome, String> {
    let command = cargo(&["test", "--workspace", "--features", "sim-core/cli"]);
    run::watched(command, |line| {
        line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed;")
    })
    .map(Outcome::Passed)
}

fn wasm() -> Result<Outcome, String> {
    page::dist(&page::Kit::find()?).map(Outcome::Passed)
}

fn parity_tests() -> Result<Outcome, String> {
    if !parity::exists() {
        return Ok(Outcome::Nothing("tests/parity holds no parity.mjs"));
    }
    parity::tests().map(Outcome::Passed)
}

fn conformance() -> Result<Outcome, String> {
    let root = place::root();
    let (program, cases) = (
        root.join("tests/src/bin/conformance.rs"),
        root.join("tests/conformance"),
    );
    if !program.is_file() || !cases.is_dir() {
        return Ok(Outcome::Nothing(
            "tests/ holds no conformance program with cases",
        ));
    }
    let mut command = cargo(&["run", "--package", "tests", "--bin", "conformance"]);
    // As `cargo test` has built the engine.
    command
        .args(["--features", "sim-core/cli", "--"])
        .arg(cases);
    run::watched(command, |line| line.starts_with("total")).map(Outcome::Passed)
}

fn browser_tests() -> Result<Outcome, String> {
    browser::tests().map(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_steps() {
        let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        assert_eq!(
            chosen(&words("--only fmt --only=e2e")),
            Ok(vec!["fmt", "e2e"])
        );
        assert!(chosen(&words("--only nothing")).is_err());
        assert!(chosen(&words("e2e")).is_err());
    }
}
