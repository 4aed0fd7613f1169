//! What a script leaves to the commands of its container: whatever reads or changes files.
//!
//! Such a command line is not walked ahead of time. It waits for its moment, as a question does, and
//! is answered by whoever knows what commands print; then the script goes on.
//!
//! ```text
//! cat /data/$NAME | wc -l > /out   ──▶   'cat' '/data/x' | 'wc' '-l' > '/out'
//! ```

use crate::base::time::SimDuration;

use super::TEXT_MAX;
use super::parse::Part;
use super::tokens::Sign;
use super::value::{Template, Values};

/// Time from the start of a small command to its end. Our own figure.
pub(super) const TOOK: SimDuration = SimDuration::from_millis(1);

/// Commands that are left to the container, whatever their operands.
const FILES: [&str; 32] = [
    "cat", "chmod", "chown", "cp", "df", "du", "env", "find", "free", "grep", "head", "hostname",
    "id", "ls", "mkdir", "mount", "mv", "nproc", "printenv", "ps", "pwd", "readlink", "rmdir",
    "sort", "tail", "tee", "tr", "truncate", "uname", "uniq", "wc", "whoami",
];
/// Those that are left to it where their output goes into a file or another command.
const PRINTERS: [&str; 5] = ["echo", "printf", "date", "true", "false"];
/// Those that only look at files or make empty ones.
const TOUCHERS: [&str; 4] = ["touch", "rm", "test", "["];

/// Where processes keep files that nobody else sees, such as signs that they are well.
pub const OWN: &str = "/tmp/";

/// What `test` asks of files. Source: POSIX.1-2024, `test`.
const FILE_TESTS: [&str; 9] = ["-d", "-e", "-f", "-h", "-L", "-r", "-s", "-w", "-x"];

/// A command line for a container's shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Words in quotes, with pipes and redirections between them.
    pub text: String,
    /// Whether what it complains of goes elsewhere.
    pub is_quiet: bool,
    /// Whether nothing but the presence of files of the container itself depends on it.
    pub is_light: bool,
}

impl Line {
    /// A command without operands.
    pub(super) fn plain(name: &str) -> Self {
        Self {
            text: name.to_owned(),
            is_quiet: false,
            is_light: false,
        }
    }
}

/// What became of a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// What it printed.
    pub printed: String,
    /// What it complained of.
    pub complained: String,
    /// Its exit code.
    pub code: i32,
    /// How long it took beyond that of a small command.
    pub took: SimDuration,
}

/// Whether a command may be left to the container, by its words as they are written: none of them is
/// a variable's.
pub(super) fn may_be_left(parts: &[Part]) -> bool {
    let mut words = parts.iter().filter_map(|part| match part {
        Part::Word(word) => Some(word.bare().unwrap_or("$")),
        Part::Sign(_) => None,
    });
    let first = base(words.next().unwrap_or_default());
    let words: Vec<&str> = words.collect();
    let is_light = TOUCHERS.contains(&first) && words.iter().all(|word| is_light(word));
    let goes_on = goes_on(parts);
    let tests = words.iter().any(|word| FILE_TESTS.contains(word));
    knows(first) && (goes_on || is_about_files(first, tests) && !is_light)
}

/// Whether a command that prints nowhere else is about files; `tests`: one of its words asks of one.
fn is_about_files(first: &str, tests: bool) -> bool {
    match first {
        "test" | "[" => tests,
        _ => !PRINTERS.contains(&first),
    }
}

/// Whether a word of a command does not make it one that others see the effect of.
fn is_light(word: &str) -> bool {
    word.starts_with(['-', '!', ']']) || word.starts_with(OWN)
}

/// Whether what a command prints goes into a file or to another command.
fn goes_on(parts: &[Part]) -> bool {
    let mut signs = parts.iter().enumerate();
    signs.any(|(at, part)| match part {
        Part::Sign(Sign::Pipe) => true,
        Part::Sign(Sign::Into | Sign::Onto | Sign::AllInto) => match parts.get(at + 1) {
            Some(Part::Word(word)) => !word.bare().is_some_and(|path| path.starts_with("/dev/")),
            _ => false,
        },
        _ => false,
    })
}

/// The command line, with the values of its variables; none: it is not for the container, or one of its
/// words is not known.
pub(super) fn line(parts: &[Part], values: &Values) -> Option<Line> {
    let mut draft = Draft::default();
    let mut rest = parts.iter();
    while let Some(part) = rest.next() {
        match part {
            Part::Word(word) => draft.words(&known(word, values)?)?,
            Part::Sign(Sign::Pipe) => draft.pipe(),
            Part::Sign(Sign::Merge) => draft.text += " 2>&1",
            Part::Sign(Sign::ToErrors) => {}
            Part::Sign(sign) => {
                let Some(Part::Word(word)) = rest.next() else {
                    return None;
                };
                draft.redirect(*sign, known(word, values)?.pop()?)?;
            }
        }
    }
    draft.finish(goes_on(parts))
}

/// A command line that is being written.
#[derive(Default)]
struct Draft {
    text: String,
    is_quiet: bool,
    /// Whether the present command of the pipe has its name.
    is_named: bool,
    /// Name of the pipe's first command.
    first: Option<String>,
    /// The file that it reads.
    source: Option<String>,
    has_weight: bool,
    tests: bool,
}

impl Draft {
    /// More words of the present command; none: the container has no such command.
    fn words(&mut self, words: &[String]) -> Option<()> {
        for word in words {
            if self.is_named {
                self.has_weight |= !is_light(word);
                self.tests |= FILE_TESTS.contains(&word.as_str());
            } else {
                let name = base(word);
                if !knows(name) {
                    return None;
                }
                self.first.get_or_insert_with(|| name.to_owned());
                self.is_named = true;
            }
            push(&mut self.text, word);
        }
        (self.text.len() <= TEXT_MAX).then_some(())
    }

    fn pipe(&mut self) {
        self.text += " | ";
        self.is_named = false;
    }

    /// A redirection; none: it is not understood.
    fn redirect(&mut self, sign: Sign, target: String) -> Option<()> {
        match sign {
            Sign::Errors if target == "/dev/null" => self.is_quiet = true,
            Sign::Errors => return None,
            Sign::From => self.source = Some(target),
            Sign::Into | Sign::Onto | Sign::AllInto => {
                self.text += if sign == Sign::Onto { " >>" } else { " >" };
                push(&mut self.text, &target);
                if sign == Sign::AllInto {
                    self.text += " 2>&1";
                }
            }
            Sign::Pipe | Sign::Merge | Sign::ToErrors => {}
        }
        Some(())
    }

    fn finish(self, goes_on: bool) -> Option<Line> {
        let first = self.first.as_deref()?;
        if !goes_on && !is_about_files(first, self.tests) {
            return None;
        }
        let text = match &self.source {
            Some(source) => {
                let mut whole = "cat".to_owned();
                push(&mut whole, source);
                whole + " | " + &self.text
            }
            None => self.text.clone(),
        };
        Some(Line {
            is_light: !goes_on && !self.has_weight && TOUCHERS.contains(&first),
            is_quiet: self.is_quiet,
            text,
        })
    }
}

/// The words that a word becomes, if all of it is known.
fn known(word: &Template, values: &Values) -> Option<Vec<String>> {
    word.value(values)?;
    Some(word.expand(values))
}

fn push(text: &mut String, word: &str) {
    if !text.is_empty() && !text.ends_with(' ') {
        text.push(' ');
    }
    text.push('\'');
    text.push_str(&word.replace('\'', "'\"'\"'"));
    text.push('\'');
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

fn knows(name: &str) -> bool {
    FILES.contains(&name) || PRINTERS.contains(&name) || TOUCHERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::super::parse::only;
    use super::*;

    fn of(text: &str) -> Option<Line> {
        let environment = [("NAME".into(), "it's".into())];
        only(text)?.line(&Values::of(&environment))
    }

    #[test]
    fn what_is_about_files_becomes_a_line() {
        let text = |text| of(text).map(|line| line.text);
        assert_eq!(text("cat /a $NAME"), Some("'cat' '/a' 'it'\"'\"'s'".into()));
        assert_eq!(text("wc -l < /a"), Some("cat '/a' | 'wc' '-l'".into()));
        let piped = "'echo' 'a b' | 'tee' '-a' '/f' >> '/g' 2>&1";
        assert_eq!(
            text("echo 'a b' | tee -a /f >> /g 2>&1"),
            Some(piped.into())
        );
        assert!(of("ls /none 2> /dev/null").is_some_and(|line| line.is_quiet));
        assert!(of(&format!("test -f {OWN}well")).is_some_and(|line| line.is_light));
        // Nobody but the script sees these, or nobody knows them.
        for text in [
            "echo a",
            "echo a > /dev/null",
            "[ $NAME = b ]",
            "cat $OTHER",
            "cat /a | awk b",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
