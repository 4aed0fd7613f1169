//! Loops that a script never leaves, and what it prints in all.
//!
//! Such a loop is not laid on the time axis: what it prints is worked out, from its beginning, when
//! somebody reads it.

use std::sync::Arc;

use crate::base::time::SimDuration;
use crate::substrate::script::{Shell, Status, Word};

use super::{Behaviour, ONE_SHOT};

/// Lines of a script's output that are kept at least. The kubelet keeps 50 MiB.
const LINES_KEPT: usize = 10_000;
/// Commands of a loop that is never left whose files are there from its beginning.
const FIRST_COMMANDS: u32 = 64;
/// Commands of such a loop that are followed for what it prints: a week of one a second's three.
const CIRCLE_COMMANDS: u32 = 2_000_000;
/// Files of such a loop that are known, the last ones.
const CIRCLE_FILES: usize = 64;
/// A loop that is never left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Circle {
    shell: Shell,
    /// Files that it has made (true) and removed (false).
    own: Vec<(Arc<str>, bool)>,
    /// How many of the script's changes of files came before it.
    before: usize,
}

impl Behaviour {
    /// The script has come to a loop that it never leaves. Files that its first rounds make are there
    /// from then on.
    pub(super) fn go_round(&mut self, shell: Shell) {
        let Some(shell) = shell.circling() else {
            return;
        };
        let circle = Circle {
            shell,
            own: Vec::new(),
            before: self.files.len(),
        };
        let mut first = circle.clone();
        for _ in 0..FIRST_COMMANDS {
            let at = first.shell.at;
            match self.in_circle(&mut first) {
                Some(Word::Files(files)) => {
                    for (path, there) in files.iter() {
                        self.make(at, path, *there);
                    }
                }
                Some(_) => {}
                None => break,
            }
        }
        self.circle = Some(Box::new(circle));
    }

    /// The next command of a loop that is never left; none: nobody knows what comes.
    fn in_circle(&self, circle: &mut Circle) -> Option<Word> {
        let shell = &mut circle.shell;
        shell.go_on();
        let word = shell.command()?.word;
        let (mut code, mut took) = (0, SimDuration::ZERO);
        let is_there = |path: &Arc<str>| {
            let own = circle.own.iter().find(|(known, _)| known == path);
            own.map_or_else(
                || self.has_file_after(&self.files[..circle.before], path, shell.at),
                |(_, there)| *there,
            )
        };
        match &word {
            Word::Forever => return None,
            Word::Exit(code) => {
                shell.exit(*code);
                return Some(word);
            }
            Word::Sleep(span) => took = *span,
            Word::Status(status) => code = *status,
            Word::Program => took = ONE_SHOT,
            Word::Test(path) => code = i32::from(!is_there(path)),
            Word::Lacks(path) => code = i32::from(is_there(path)),
            Word::Files(files) => {
                for (path, there) in files.iter() {
                    circle.own.retain(|(known, _)| known != path);
                    circle.own.push((path.clone(), *there));
                    let excess = circle.own.len().saturating_sub(CIRCLE_FILES);
                    circle.own.drain(..excess);
                }
            }
            _ => {}
        }
        shell.ended(Status::Ended(code), took);
        Some(word)
    }

    /// What it has printed at this age, in order of time; of very much, what came last.
    pub fn printed(&self, age: SimDuration) -> Vec<(SimDuration, Arc<str>)> {
        let past = self.lines.iter().filter(|(at, _)| *at <= age);
        let mut lines: Vec<_> = past.cloned().collect();
        let Some(mut circle) = self.circle.clone() else {
            return lines;
        };
        for _ in 0..CIRCLE_COMMANDS {
            let at = circle.shell.at;
            match self.in_circle(&mut circle) {
                _ if at > age => break,
                Some(Word::Echo(line)) => keep(&mut lines, at, line),
                Some(_) => {}
                // Without a pause it prints more than anybody can tell.
                None => return self.lines.clone(),
            }
        }
        lines
    }
}

/// A line is printed; the oldest go when there are too many.
pub(super) fn keep(lines: &mut Vec<(SimDuration, Arc<str>)>, at: SimDuration, line: Arc<str>) {
    if lines.len() >= 2 * LINES_KEPT {
        lines.drain(..LINES_KEPT);
    }
    lines.push((at, line));
}
