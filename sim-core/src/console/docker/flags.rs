//! Flags and arguments as the docker command line reads them, with its own error texts.
//! Source: docker/cli `cli/required.go`, `cli/cobra.go` FlagErrorFunc; spf13/pflag `flag.go`.

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::console::{Output, go_bool};

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct Grammar {
    /// Words that name it, e.g. `docker service ls`.
    pub path: &'static str,
    /// What its usage line says after the words.
    pub usage: &'static str,
    /// Its flags, separated by blanks: `name`, `name,n` with a short form, `name=` with a value,
    /// `name=*` with a value and given many times. A `!` at the end: real, but not modelled.
    pub flags: &'static str,
    /// Fewest arguments.
    pub least: usize,
    /// Most arguments; `None`: any number.
    pub most: Option<usize>,
    /// Whether flags may follow arguments.
    pub interspersed: bool,
}

/// A command whose flags may follow its arguments; the parts are those of [`Grammar`].
pub const fn grammar(
    path: &'static str,
    usage: &'static str,
    flags: &'static str,
    least: usize,
    most: Option<usize>,
) -> Grammar {
    Grammar {
        path,
        usage,
        flags,
        least,
        most,
        interspersed: true,
    }
}

/// What was given.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    given: Vec<(&'static str, String)>,
    /// Arguments.
    pub words: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Switch,
    Value,
}

#[derive(Clone, Copy)]
struct Flag {
    long: &'static str,
    short: Option<char>,
    kind: Kind,
    modelled: bool,
}

impl Parsed {
    /// Whether the flag was given, and not as `--flag=false`.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value != "false")
    }

    /// The last value of a flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.given
            .iter()
            .rev()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a flag, in order.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.given
            .iter()
            .filter(|(given, _)| *given == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// Names of all flags that were given.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.given.iter().map(|(name, _)| *name)
    }

    /// The flag's value through `read`.
    ///
    /// # Errors
    /// pflag's text for a value that cannot be read.
    pub fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Output> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match read(value) {
                Ok(value) => Ok(Some(value)),
                Err(message) => Err(Output::error(
                    125,
                    format!("invalid argument \"{value}\" for \"--{name}\" flag: {message}"),
                )),
            },
        }
    }
}

/// Reads a command's words.
///
/// # Errors
/// The command line's own text and exit code; `--help` also ends here, with code 0.
pub fn parse(grammar: &Grammar, words: &[String]) -> Result<Parsed, Output> {
    let flags: Vec<Flag> = grammar.flags.split_whitespace().map(flag).collect();
    let mut parsed = Parsed::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            parsed.words.extend(rest.cloned());
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            if name == "help" {
                return Err(help(grammar, &flags));
            }
            let Some(flag) = flags.iter().find(|flag| flag.long == name) else {
                return Err(flag_error(grammar, &format!("unknown flag: --{name}")));
            };
            let value = match (flag.kind, value) {
                (_, Some(value)) => value,
                (Kind::Switch, None) => "true".to_owned(),
                (Kind::Value, None) => match rest.next() {
                    Some(value) => value.clone(),
                    None => {
                        return Err(flag_error(
                            grammar,
                            &format!("flag needs an argument: --{name}"),
                        ));
                    }
                },
            };
            give(grammar, *flag, value, &mut parsed)?;
        } else if word.len() > 1 && word.starts_with('-') {
            for (at, letter) in word[1..].char_indices() {
                if letter == 'h' && !flags.iter().any(|flag| flag.short == Some('h')) {
                    return Err(help(grammar, &flags));
                }
                let Some(flag) = flags.iter().find(|flag| flag.short == Some(letter)) else {
                    return Err(flag_error(
                        grammar,
                        &format!("unknown shorthand flag: '{letter}' in {word}"),
                    ));
                };
                if flag.kind == Kind::Switch {
                    give(grammar, *flag, "true".to_owned(), &mut parsed)?;
                    continue;
                }
                let tail = &word[1 + at + letter.len_utf8()..];
                let tail = tail.strip_prefix('=').unwrap_or(tail);
                let value = if tail.is_empty() {
                    rest.next().cloned()
                } else {
                    Some(tail.to_owned())
                };
                let Some(value) = value else {
                    return Err(flag_error(
                        grammar,
                        &format!("flag needs an argument: '{letter}' in {word}"),
                    ));
                };
                give(grammar, *flag, value, &mut parsed)?;
                break;
            }
        } else {
            parsed.words.push(word.clone());
            if !grammar.interspersed {
                parsed.words.extend(rest.cloned());
                break;
            }
        }
    }
    count(grammar, parsed.words.len())?;
    Ok(parsed)
}

fn give(grammar: &Grammar, flag: Flag, value: String, parsed: &mut Parsed) -> Result<(), Output> {
    if !flag.modelled {
        return Err(super::not_modelled(format!(
            "{} --{}",
            grammar.path, flag.long
        )));
    }
    let value = match (flag.kind, go_bool(&value)) {
        (Kind::Value, _) => value,
        (Kind::Switch, Some(on)) => on.to_string(),
        (Kind::Switch, None) => {
            let message = format!(
                "invalid argument \"{value}\" for \"--{}\" flag: strconv.ParseBool: parsing \"{value}\": invalid syntax",
                flag.long
            );
            return Err(flag_error(grammar, &message));
        }
    };
    parsed.given.push((flag.long, value));
    Ok(())
}

fn count(grammar: &Grammar, number: usize) -> Result<(), Output> {
    let Grammar {
        path, least, most, ..
    } = grammar;
    let plural = |count: usize| if count == 1 { "argument" } else { "arguments" };
    let (rule, verb) = match most {
        Some(0) if number > 0 => ("accepts no arguments".to_owned(), "Run"),
        Some(most) if most == least && number != *least => {
            (format!("requires {least} {}", plural(*least)), "See")
        }
        _ if number < *least => (
            format!("requires at least {least} {}", plural(*least)),
            "See",
        ),
        Some(most) if number > *most => {
            (format!("requires at most {most} {}", plural(*most)), "Run")
        }
        _ => return Ok(()),
    };
    Err(Output::error(
        1,
        format!(
            "docker: '{path}' {rule}\n\nUsage:  {}\n\n{verb} '{path} --help' for more information",
            usage_line(grammar)
        ),
    ))
}

fn usage_line(grammar: &Grammar) -> String {
    format!("{} {}", grammar.path, grammar.usage)
        .trim_end()
        .to_owned()
}

fn flag_error(grammar: &Grammar, message: &str) -> Output {
    Output::error(
        125,
        format!(
            "{message}\n\nUsage:  {}\n\nRun '{} --help' for more information",
            usage_line(grammar),
            grammar.path
        ),
    )
}

fn help(grammar: &Grammar, flags: &[Flag]) -> Output {
    let mut text = Passage::from(format!("Usage:  {}\n", usage_line(grammar)));
    let modelled: Vec<&Flag> = flags.iter().filter(|flag| flag.modelled).collect();
    if !modelled.is_empty() {
        text.push("\n");
        text.push(catalogue::OPTIONS_MODELLED.plain());
        text.push("\n");
        for flag in modelled {
            let short = flag
                .short
                .map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
            let value = if flag.kind == Kind::Value {
                " value"
            } else {
                ""
            };
            text.push(format!("  {short}--{}{value}\n", flag.long));
        }
    }
    Output::text(text)
}

fn flag(text: &'static str) -> Flag {
    let (text, modelled) = match text.strip_suffix('!') {
        Some(text) => (text, false),
        None => (text, true),
    };
    let text = text.strip_suffix('*').unwrap_or(text);
    let (text, kind) = match text.strip_suffix('=') {
        Some(text) => (text, Kind::Value),
        None => (text, Kind::Switch),
    };
    let (long, short) = match text.split_once(',') {
        Some((long, short)) => (long, short.chars().next()),
        None => (text, None),
    };
    Flag {
        long,
        short,
        kind,
        modelled,
    }
}
