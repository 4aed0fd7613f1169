//! Runs a scenario file and compares what it expects with what came out.

use std::sync::Arc;

use sim_core::base::rng::Seed;
use sim_core::console::open::{Experiment, open};
use sim_core::console::scenario::{Expectation, Scenario, parse};
use sim_core::engine::trace;

/// What running a scenario gave.
#[derive(Clone, Debug)]
pub struct Played {
    /// The parsed file.
    pub scenario: Scenario,
    /// The first failing line of the script with its message.
    pub failure: Option<String>,
    /// For each expectation what should stand there: the present text if it holds.
    pub actual: Vec<String>,
    /// Fingerprint of the run.
    pub hash: String,
    /// All that the script printed, then every line of the trace.
    pub transcript: String,
}

impl Played {
    /// Everything that is not as the file says; empty if the scenario passes.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.failure.iter().cloned().collect();
        for (expectation, actual) in self.scenario.expectations.iter().zip(&self.actual) {
            if expectation.text != *actual {
                problems.push(format!(
                    "line {}: expected\n{}but it is\n{actual}",
                    expectation.line, expectation.text
                ));
            }
        }
        problems
    }

    /// The file's text with every expectation replaced by what came out.
    pub fn rewritten(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (expectation, actual) in self.scenario.expectations.iter().zip(&self.actual).rev() {
            text.replace_range(expectation.range.0..expectation.range.1, actual);
        }
        text
    }
}

/// Plays a scenario to its end or to the first failing line.
///
/// # Errors
/// A sentence if the file cannot be read as a scenario.
pub fn play(name: &str, text: &str) -> Result<Played, String> {
    let scenario = parse(text).map_err(|(line, message)| format!("{name}:{line}: {message}"))?;
    let mut experiment = Experiment::new(Seed(1));
    experiment.files.push((name.to_owned(), Arc::from(text)));
    let mut opened = open(&experiment)?;
    let script = opened
        .script
        .take()
        .ok_or_else(|| format!("{name}: no sim block"))?;
    let mut failure = None;
    let mut printed = String::new();
    opened.session.script(&script, true, &mut |line, output| {
        printed.push_str(&output.stdout);
        if output.code != 0 && failure.is_none() {
            failure = Some(format!(
                "sim line {}: {}: exit {}: {}{}",
                line.number, line.text, output.code, &*output.stdout, &*output.stderr
            ));
        }
    });
    let lab = opened.session.history.lab();
    let lines: Vec<String> = lab
        .worlds
        .iter()
        .flat_map(|world| {
            world
                .trace
                .iter()
                .map(|entry| trace::line(entry, &world.symbols))
        })
        .collect();
    let actual = scenario
        .expectations
        .iter()
        .map(|expectation| {
            if expectation.kind == "trace" {
                traced(expectation, &lines)
            } else {
                printed.clone()
            }
        })
        .collect();
    for line in &lines {
        printed.push_str(line);
        printed.push('\n');
    }
    Ok(Played {
        failure,
        actual,
        transcript: printed,
        hash: lab.fingerprint().hex(),
        scenario,
    })
}

/// The text of a trace expectation after the run: its own lines where they match, else the run's.
///
/// The filter's words must all be in a line; a word `~WORD` must not. A line that ends in `…` matches
/// a beginning.
fn traced(expectation: &Expectation, lines: &[String]) -> String {
    let filter = |line: &&String| {
        expectation
            .filter
            .iter()
            .all(|word| match word.strip_prefix('~') {
                Some(word) => !line.contains(word),
                None => line.contains(word.as_str()),
            })
    };
    let seen: Vec<&String> = lines.iter().filter(filter).collect();
    let mut text = String::new();
    let wanted: Vec<&str> = expectation.text.lines().collect();
    for (index, line) in seen.iter().enumerate() {
        let kept = wanted
            .get(index)
            .filter(|wanted| match wanted.strip_suffix('…') {
                Some(start) => line.starts_with(start.trim_end()),
                None => line.trim_end() == **wanted,
            });
        text.push_str(kept.copied().unwrap_or(line.trim_end()));
        text.push('\n');
    }
    text
}
