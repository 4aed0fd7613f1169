//! Runs a transcript and compares what the console printed with what the file shows.
//!
//! A transcript is a scenario file (a title, sentences, named files, one `cluster` block) with
//! `console` blocks in place of a script:
//!
//! ````text
//! ```console
//! $ kubectl get pods
//! No resources found in default namespace.
//! $ kubectl get pod web
//! Error from server (NotFound): pods "web" not found
//! [exit 1]
//! ```
//! ````
//! A command begins with `$ ` and goes on while a quote or a here-document is open. Below it stand its
//! standard output, its standard error and, unless it is 0, its exit code. All blocks of a file are
//! one session; time passes only where a command waits or `sim` says so.

use std::sync::Arc;

use sim_core::base::rng::Seed;
use sim_core::console::open::{Experiment, open};
use sim_core::console::scenario::parse;
use sim_core::console::{Output, script};

/// One command of a transcript with what stands below it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exchange {
    /// Line of its `$`, from 1.
    line: usize,
    command: String,
    shown: String,
    /// Byte range of what is shown.
    range: (usize, usize),
}

/// A transcript after its run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Every command whose output differs, as a sentence with both texts.
    pub problems: Vec<String>,
    /// The file with what was printed in the places of what it shows.
    pub rewritten: String,
    /// Number of commands.
    pub commands: usize,
}

/// Runs a transcript from a fresh cluster.
///
/// # Errors
/// A sentence if the file cannot be read as a transcript.
pub fn run(name: &str, text: &str) -> Result<Outcome, String> {
    parse(text).map_err(|(line, message)| format!("{name}:{line}: {message}"))?;
    let exchanges =
        exchanges(text).map_err(|(line, message)| format!("{name}:{line}: {message}"))?;
    if exchanges.is_empty() {
        return Err(format!("{name}: no console block with a command"));
    }
    let mut experiment = Experiment::new(Seed(1));
    experiment.files.push((name.to_owned(), Arc::from(text)));
    let mut session = open(&experiment)?.session;
    let mut outcome = Outcome {
        commands: exchanges.len(),
        ..Outcome::default()
    };
    let mut copied = 0;
    for exchange in &exchanges {
        let printed = shown(&session.run(&exchange.command));
        if printed
            .lines()
            .any(|line| line.starts_with("$ ") || line == "```")
        {
            return Err(format!(
                "{name}:{}: the output has a line that a transcript cannot show",
                exchange.line
            ));
        }
        if printed != exchange.shown {
            outcome.problems.push(format!(
                "{name}:{}: $ {}\n--- it shows\n{}--- it printed\n{printed}",
                exchange.line, exchange.command, exchange.shown
            ));
        }
        outcome.rewritten.push_str(&text[copied..exchange.range.0]);
        outcome.rewritten.push_str(&printed);
        copied = exchange.range.1;
    }
    outcome.rewritten.push_str(&text[copied..]);
    Ok(outcome)
}

/// What a terminal shows, and the exit code if it is not 0.
fn shown(output: &Output) -> String {
    let mut text = output.stdout.to_string();
    for part in [&*output.stderr, &exit(output.code)] {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(part);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn exit(code: i32) -> String {
    if code == 0 {
        String::new()
    } else {
        format!("[exit {code}]\n")
    }
}

fn exchanges(text: &str) -> Result<Vec<Exchange>, (usize, String)> {
    let mut all: Vec<Exchange> = Vec::new();
    let (mut offset, mut inside, mut first) = (0, None, false);
    let mut lines = text.split_inclusive('\n').enumerate();
    while let Some((index, raw)) = lines.next() {
        offset += raw.len();
        let line = raw.trim_end_matches('\n');
        match inside {
            None if line.starts_with("```") => {
                inside = Some(line.trim_end() == "```console");
                first = true;
            }
            None => {}
            Some(_) if line == "```" => inside = None,
            Some(false) => {}
            Some(true) => match line.strip_prefix("$ ") {
                Some(start) => {
                    let mut command = start.to_owned();
                    while is_open(&command) {
                        let Some((_, raw)) = lines.next() else {
                            return Err((index + 1, "the command is not closed".to_owned()));
                        };
                        offset += raw.len();
                        command.push('\n');
                        command.push_str(raw.trim_end_matches('\n'));
                    }
                    first = false;
                    all.push(Exchange {
                        line: index + 1,
                        command,
                        shown: String::new(),
                        range: (offset, offset),
                    });
                }
                None if first => {
                    return Err((index + 1, "a console block begins with \"$ \"".to_owned()));
                }
                None => {
                    let last = all.last_mut().expect("a command precedes its output");
                    last.shown.push_str(raw);
                    last.range.1 = offset;
                }
            },
        }
    }
    Ok(all)
}

/// Whether a quote, a here-document or a line that ends in a backslash waits for more.
fn is_open(command: &str) -> bool {
    command.ends_with('\\')
        || matches!(script::parse(command), Err(error)
            if error.is_open())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# One\n\n```cluster\nnodes 1\norchestrators kubernetes\n```\n\n```console\n$ cat <<EOF\na\nEOF\na\n$ cat none\n```\n\nEnd.\n";

    #[test]
    fn a_difference_is_told_and_rewritten() {
        let seen = run("one.md", TEXT).expect("a transcript");
        assert_eq!(seen.commands, 2);
        assert_eq!(seen.problems.len(), 1);
        let wanted = TEXT.replace(
            "$ cat none\n",
            "$ cat none\ncat: none: No such file or directory\n[exit 1]\n",
        );
        assert_eq!(seen.rewritten, wanted);
        assert!(
            run("one.md", &wanted)
                .expect("still one")
                .problems
                .is_empty()
        );
    }

    #[test]
    fn output_without_a_command_is_refused() {
        let text = TEXT.replace("$ cat <<EOF\na\nEOF\n", "");
        assert_eq!(
            run("one.md", &text),
            Err("one.md:9: a console block begins with \"$ \"".to_owned())
        );
    }
}
