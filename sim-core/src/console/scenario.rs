//! Scenario files: Markdown with fenced files, a cluster, one script and expectations.
//!
//! ```text
//! # Title                       headings are test names; prose is for people
//! ```yaml name=web.yaml         a file of the session's directory
//! ```cluster                    lines `nodes 3`, `managers 3` (of Swarm), `node NAME cpu=4 memory=8Gi zone=a`, `seed 7`,
//!                               `orchestrators kubernetes swarm`, `set KEY VALUE`
//! ```sim                        console lines, `at T` before a line allowed
//! ```trace [filter…]            expected trace lines; a line that ends in `…` matches a prefix
//! ```table                      expected standard output of the script
//! ```

use std::sync::Arc;

/// An expectation of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// `trace` or `table`.
    pub kind: String,
    /// Words after the kind: a trace's filter.
    pub filter: Vec<String>,
    /// The expected text.
    pub text: String,
    /// Line of the fence, from 1.
    pub line: u32,
    /// Byte range of the text in the file, for rewriting it.
    pub range: (usize, usize),
}

/// A parsed scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// First heading.
    pub title: String,
    /// Files by name.
    pub files: Vec<(String, Arc<str>)>,
    /// Lines of the cluster block, with their line numbers.
    pub cluster: Vec<(u32, String)>,
    /// The script.
    pub script: Option<String>,
    /// What should come out.
    pub expectations: Vec<Expectation>,
    /// `known_failure: reason` of the front matter.
    pub known_failure: Option<String>,
}

/// Whether a file's name says that it is a scenario.
pub fn is_scenario(name: &str) -> bool {
    name.ends_with(".md")
}

/// Reads a scenario.
///
/// # Errors
/// Line and sentence.
pub fn parse(text: &str) -> Result<Scenario, (u32, Sentence)> {
    let mut scenario = Scenario::default();
    let mut offset = 0;
    let mut lines = text.split_inclusive('\n').enumerate();
    while let Some((index, raw)) = lines.next() {
        offset += raw.len();
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let line = raw.trim_end();
        if let Some(reason) = line.strip_prefix("known_failure:") {
            scenario.known_failure = Some(reason.trim().to_owned());
        }
        if scenario.title.is_empty()
            && let Some(title) = line.strip_prefix("# ")
        {
            scenario.title = title.to_owned();
        }
        let Some(words) = line.strip_prefix("```") else {
            continue;
        };
        let start = offset;
        let mut body = String::new();
        let mut closed = false;
        for (_, raw) in lines.by_ref() {
            if raw.trim_end() == "```" {
                offset += raw.len();
                closed = true;
                break;
            }
            offset += raw.len();
            body.push_str(raw);
        }
        if !closed {
            return Err((number, catalogue::BLOCK_OPEN.plain()));
        }
        let range = (start, start + body.len());
        let mut words = words.split_whitespace();
        let kind = words.next().unwrap_or_default().to_owned();
        let rest: Vec<String> = words.map(str::to_owned).collect();
        match kind.as_str() {
            "cluster" => {
                for (inner, line) in body.lines().enumerate() {
                    if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
                        scenario.cluster.push((
                            number + 1 + u32::try_from(inner).unwrap_or(0),
                            line.trim().to_owned(),
                        ));
                    }
                }
            }
            "sim" => {
                if scenario.script.is_some() {
                    return Err((number, catalogue::BLOCK_SECOND.plain()));
                }
                scenario.script = Some(body);
            }
            "trace" | "table" => {
                scenario.expectations.push(Expectation {
                    kind,
                    filter: rest,
                    text: body,
                    line: number,
                    range,
                });
            }
            _ => {
                if let Some(name) = rest.iter().find_map(|word| word.strip_prefix("name=")) {
                    scenario.files.push((name.to_owned(), body.into()));
                }
            }
        }
    }
    Ok(scenario)
}
use crate::base::sentence::{Sentence, catalogue};
