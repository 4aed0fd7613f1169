//! `conformance DIR [-o json]`: runs every case file of a directory and prints what passes.

use std::path::PathBuf;
use std::process::ExitCode;

use tests::conformance::{Verdict, directory, document, table};

fn main() -> ExitCode {
    let mut folder = None;
    let mut json = false;
    let mut verbose = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "--output" => match words.next().as_deref() {
                Some("json") => json = true,
                Some("table") => {}
                _ => return usage("-o needs json or table"),
            },
            "-v" | "--verbose" => verbose = true,
            word if word.starts_with('-') => return usage(&format!("unknown option {word}")),
            _ if folder.is_none() => folder = Some(PathBuf::from(word)),
            _ => return usage("one directory only"),
        }
    }
    let Some(folder) = folder else {
        return usage("a directory is needed");
    };
    // A panic is a verdict of its case, printed with the others.
    std::panic::set_hook(Box::new(|_| {}));
    match directory(&folder) {
        Ok(outcomes) if json => println!("{}", document(&outcomes)),
        Ok(outcomes) => {
            for outcome in outcomes
                .iter()
                .filter(|outcome| verbose && outcome.verdict != Verdict::Pass)
            {
                println!(
                    "{} {}: {}",
                    outcome.verdict.name(),
                    outcome.id,
                    outcome.verdict.why()
                );
            }
            print!("{}", table(&outcomes));
        }
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(3);
        }
    }
    ExitCode::SUCCESS
}

fn usage(message: &str) -> ExitCode {
    eprintln!("{message}\nusage: conformance DIR [-o json] [-v]");
    ExitCode::from(2)
}
