//! `cargo xtask serve|build|test|ci|bench`: brings the tools that are missing, then runs them.
//!
//! Owns set-up and order, and knows nothing of what the product does: every check that could be a
//! Rust test is one. Depends on the standard library only, so that it builds in seconds.
//!
//! ```text
//! main ── steps ── page, parity, browser   what is run, in order, timed
//!            └──── wasm, tools, npm, apt   what is needed for it, found or installed
//!                     └──── run, report, place   processes, words, folders
//! ```

mod apt;
mod browser;
mod budget;
mod npm;
mod page;
mod parity;
mod place;
mod report;
mod run;
mod steps;
mod tools;
mod wasm;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  serve [--dev] [ARGS…]    build the page, serve it and open it; rebuild on change
                           (--dev: faster builds, slower engine; ARGS go to `trunk serve`)
  build                    build dist/ for any static host and check its sizes
  test [--only STEP]…      run every check, stop at the first that fails
  ci                       the same with the settings of continuous integration
  bench [ARGS…]            run `podium bench ARGS`, then the same engine as WebAssembly in Node
  setup                    only find or install the tools

What is missing is installed: tools per user in the cache folder, system packages with apt-get.
Set PODIUM_WASM_TOOLCHAIN to `rustup` or `debian` to force where the wasm target comes from, and
PODIUM_CHROMIUM to name the browser's program.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match command {
        "serve" => page::serve(rest),
        "build" => no_arguments(rest).and_then(|()| page::build()),
        "test" => steps::test(rest),
        "ci" => {
            run::assume_ci();
            steps::test(rest)
        }
        "bench" => parity::bench(rest),
        "setup" => no_arguments(rest).and_then(|()| steps::set_up()),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => Err(format!("unknown command `{other}`\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn no_arguments(rest: &[String]) -> Result<(), String> {
    match rest.first() {
        None => Ok(()),
        Some(extra) => Err(format!("unexpected argument `{extra}`\n\n{USAGE}")),
    }
}
