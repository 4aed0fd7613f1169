//! The native runner `podium`: files, arguments, exit codes. Everything else is in the library.
//!
//! Exit codes: 0 fine, 1 a verdict failed, 2 usage, 3 input invalid, 4 inconclusive.

// The runner is where the library meets the host: files, arguments, output.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod bench;
mod compare;
mod converge;
mod convert;
mod explore;
mod lint;
mod load;
mod options;
mod run;
mod shell;
mod soak;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use options::{Arguments, Verb};

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Exit code.
    pub(crate) code: u8,
    /// What to print on standard error.
    pub(crate) message: String,
}

impl Stop {
    fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            message: message.into(),
        }
    }

    fn input(message: impl Into<String>) -> Self {
        Self {
            code: 3,
            message: message.into(),
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let result = match &arguments.verb {
        Verb::Run(options) => run::run(options),
        Verb::Compare(options) => compare::run(options),
        Verb::Shell(options) => shell::run(options),
        Verb::Lint(options) => lint::run(options),
        Verb::Bench(options) => bench::run(options),
        Verb::Soak(options) => soak::run(options),
        Verb::Explore(options) => explore::run(options),
        Verb::Converge(options) => converge::run(options),
        Verb::Convert(options) => convert::run(options),
        Verb::Explain { code } => explain(code),
        Verb::Completion { shell } => {
            clap_complete::generate(
                *shell,
                &mut Arguments::command(),
                "podium",
                &mut std::io::stdout(),
            );
            Ok(0)
        }
        Verb::Man => man(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(stop) => {
            note(&stop.message);
            ExitCode::from(stop.code)
        }
    }
}

fn explain(code: &str) -> Result<u8, Stop> {
    match crate::manifest::explain::explain(code) {
        Some(text) => {
            print(&format!("{text}\n"));
            Ok(0)
        }
        None => Err(Stop::usage(format!(
            "there is no code {code}; codes are printed by podium lint, e.g. K8S001"
        ))),
    }
}

fn man() -> Result<u8, Stop> {
    clap_mangen::Man::new(Arguments::command())
        .render(&mut std::io::stdout())
        .map_err(|error| Stop {
            code: 1,
            message: format!("cannot print the manual page: {error}"),
        })?;
    Ok(0)
}

/// Prints data. A closed pipe ends the program quietly, as other tools do.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

/// Prints for people.
pub(crate) fn note(text: &str) {
    if !text.is_empty() {
        let mut out = std::io::stderr().lock();
        let _ = writeln!(out, "{}", text.trim_end_matches('\n'));
    }
}
