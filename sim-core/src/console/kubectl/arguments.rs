//! Words to flags and arguments, as pflag reads them.

use crate::base::time::SimDuration;
use crate::console::go_bool;

/// Flags that every verb has.
const GLOBAL: [&str; 23] = [
    "as",
    "as-group",
    "as-uid",
    "as-user-extra",
    "namespace:n",
    "context",
    "kubeconfig",
    "request-timeout",
    "v:v",
    "cluster",
    "user",
    "server:s",
    "!warnings-as-errors",
    // Of the connection and of the client's own work: nothing that is printed depends on them.
    "cache-dir",
    "certificate-authority",
    "!disable-compression",
    "!insecure-skip-tls-verify",
    "kuberc",
    "log-flush-frequency",
    "!match-server-version",
    "profile-output",
    "tls-server-name",
    "vmodule",
];

/// What a verb takes because of what it takes: templates with `-o`, folders with `-f`.
/// Sources: `k8s.io/cli-runtime/pkg/genericclioptions/print_flags.go`,
/// `k8s.io/kubectl/pkg/cmd/util/helpers.go` (`AddFilenameOptionFlags`, `AddJsonFilenameFlag`).
pub fn with_implied<'a>(verb: &str, flags: &[&'a str]) -> Vec<&'a str> {
    const PRINTED: [&str; 3] = [
        "template",
        "!allow-missing-template-keys",
        "!show-managed-fields",
    ];
    const FOLDERS: [&str; 2] = ["kustomize:k", "!recursive:R"];
    let prints = !["api-resources", "delete", "explain", "kustomize", "version"].contains(&verb);
    let folders: &[&str] = match verb {
        "exec" | "debug" => &[],
        "wait" => &FOLDERS[1..],
        _ => &FOLDERS,
    };
    let mut all = flags.to_vec();
    let mut add = |more: &[&'static str]| {
        let fresh = more.iter().filter(|flag| !flags.contains(flag));
        all.extend(fresh);
    };
    if prints && flags.contains(&"output:o") {
        add(&PRINTED);
    }
    if flags.contains(&"filename:f") {
        add(folders);
    }
    if super::record::is_taken_by(verb) {
        add(&["!record"]);
    }
    all
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Words that are not flags, before `--`.
    pub words: Vec<String>,
    /// Words after `--`; none if there was no `--`.
    pub tail: Option<Vec<String>>,
    flags: Vec<(String, String)>,
}

/// How a flag takes its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Value,
    Nothing,
    Optional,
}

/// Flags whose values are whole numbers, whatever the verb.
const NUMBERS: [&str; 12] = [
    "chunk-size",
    "current-replicas",
    "grace-period",
    "limit-bytes",
    "max",
    "max-log-requests",
    "min",
    "replicas",
    "revision",
    "skip-wait-for-delete-timeout",
    "tail",
    "to-revision",
];

/// Flags whose values are durations, whatever the verb.
const DURATIONS: [&str; 2] = ["pod-running-timeout", "timeout"];

/// Refuses what a flag's type cannot hold, as pflag does; switches become `true` or `false`.
fn check(
    name: &str,
    value: &mut String,
    spec: Option<(Option<&str>, Takes)>,
) -> Result<(), String> {
    let (short, takes) = spec.unwrap_or((None, Takes::Value));
    let why = if NUMBERS.contains(&name) {
        let parsed = value.parse::<i64>().is_ok();
        (!parsed).then(|| format!("strconv.ParseInt: parsing \"{value}\": invalid syntax"))
    } else if DURATIONS.contains(&name) {
        let span = value.strip_prefix(['-', '+']).unwrap_or(value);
        let parsed = if span == "0" {
            Ok(SimDuration::ZERO)
        } else {
            SimDuration::parse(span)
        };
        parsed.err().map(|error| error.replace(span, value))
    } else if takes == Takes::Nothing {
        match go_bool(value) {
            Some(on) => {
                *value = on.to_string();
                None
            }
            None => Some(format!(
                "strconv.ParseBool: parsing \"{value}\": invalid syntax"
            )),
        }
    } else {
        None
    };
    let dashed = short.map_or_else(
        || format!("--{name}"),
        |short| format!("-{short}, --{name}"),
    );
    why.map_or(Ok(()), |why| {
        Err(format!(
            "invalid argument \"{value}\" for \"{dashed}\" flag: {why}"
        ))
    })
}

/// `name`, `name:s`, `!switch`, `?optional`.
fn spec(text: &str) -> (&str, Option<&str>, Takes) {
    let (takes, text) = match text.as_bytes().first() {
        Some(b'!') => (Takes::Nothing, &text[1..]),
        Some(b'?') => (Takes::Optional, &text[1..]),
        _ => (Takes::Value, text),
    };
    match text.split_once(':') {
        Some((name, short)) => (name, Some(short), takes),
        None => (text, None, takes),
    }
}

/// Where the verb is: the first word that is no global flag.
pub fn verb_position(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if !word.starts_with('-') {
            return Some(at);
        }
        let takes_next = GLOBAL
            .iter()
            .map(|text| spec(text))
            .any(|(name, short, takes)| {
                takes == Takes::Value
                    && (word.strip_prefix("--") == Some(name)
                        || short.is_some_and(|short| word.strip_prefix('-') == Some(short)))
            });
        at += if takes_next { 2 } else { 1 };
    }
    None
}

impl Arguments {
    /// Reads the words of a verb with these flags.
    ///
    /// # Errors
    /// pflag's text.
    pub fn parse(words: &[String], flags: &[&str]) -> Result<Self, String> {
        let specs: Vec<_> = flags.iter().chain(&GLOBAL).map(|text| spec(text)).collect();
        let mut found = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                found.tail = Some(words.cloned().collect());
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let Some((name, _, takes)) = specs.iter().find(|(known, _, _)| *known == name)
                else {
                    return Err(format!("unknown flag: --{name}"));
                };
                let value = match (value, takes) {
                    (Some(value), _) => value,
                    (None, Takes::Nothing) => "true".to_owned(),
                    (None, Takes::Optional) => String::new(),
                    (None, Takes::Value) => words
                        .next()
                        .ok_or_else(|| format!("flag needs an argument: --{name}"))?
                        .clone(),
                };
                found.flags.push(((*name).to_owned(), value));
            } else if word.len() > 1 && word.starts_with('-') {
                let letters = &word[1..];
                let mut rest = letters;
                while let Some(letter) = rest.chars().next() {
                    let (one, after) = rest.split_at(letter.len_utf8());
                    let Some((name, _, takes)) =
                        specs.iter().find(|(_, short, _)| *short == Some(one))
                    else {
                        return Err(format!("unknown shorthand flag: '{one}' in -{rest}"));
                    };
                    rest = after;
                    let value = if *takes == Takes::Value {
                        let given = rest.strip_prefix('=').unwrap_or(rest);
                        let value = if rest.is_empty() {
                            words
                                .next()
                                .ok_or_else(|| {
                                    format!("flag needs an argument: '{one}' in -{letters}")
                                })?
                                .clone()
                        } else {
                            given.to_owned()
                        };
                        rest = "";
                        value
                    } else {
                        "true".to_owned()
                    };
                    found.flags.push(((*name).to_owned(), value));
                }
            } else {
                found.words.push(word.clone());
            }
        }
        for (name, value) in &mut found.flags {
            let takes = specs.iter().find(|(known, _, _)| known == name);
            check(name, value, takes.map(|(_, short, takes)| (*short, *takes)))?;
        }
        Ok(found)
    }

    /// Gives a flag a value, as if it had been written last.
    pub fn set(&mut self, name: &str, value: &str) {
        self.flags.push((name.to_owned(), value.to_owned()));
    }

    /// The last value of a flag.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The command as it is recorded: words first, then the flags by their long names.
    /// Source: `k8s.io/cli-runtime/pkg/genericclioptions/record_flags.go` (`parseCommandArguments`).
    pub fn written(&self, verb: &str) -> String {
        let words = self.words.iter().chain(self.tail.iter().flatten());
        let words = words.map(|word| format!(" {word}"));
        let flags = self
            .flags
            .iter()
            .map(|(name, value)| format!(" --{name}={value}"));
        format!("kubectl {verb}{}", words.chain(flags).collect::<String>())
    }

    /// Whether files or a folder to build say what is meant.
    pub fn has_files(&self) -> bool {
        ["filename", "kustomize"]
            .iter()
            .any(|name| self.flag(name).is_some())
    }

    /// All values of a flag, as they were written.
    pub fn each(&self, name: &str) -> Vec<&str> {
        let values = self.flags.iter().filter(|(known, _)| known == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    /// All values of a flag, also those joined by commas.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.flags.iter().filter(|(known, _)| known == name);
        values
            .flat_map(|(_, value)| value.split(',').map(str::to_owned))
            .collect()
    }

    /// Whether a switch is on.
    pub fn on(&self, name: &str) -> bool {
        self.flag(name).is_some_and(|value| value == "true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&words, &["output:o", "!all-namespaces:A", "?dry-run"])
    }

    #[test]
    fn values_are_of_their_flags_types() {
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let flags = ["!force", "grace-period", "timeout", "replicas:r"];
        let parse = |text: &str| Arguments::parse(&words(text), &flags);
        assert!(
            parse("--force=T --grace-period -1 --timeout=-1s")
                .unwrap()
                .on("force")
        );
        assert!(!parse("--force=0").unwrap().on("force"));
        assert_eq!(
            parse("--force=maybe").unwrap_err(),
            "invalid argument \"maybe\" for \"--force\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax"
        );
        assert_eq!(
            parse("-r many").unwrap_err(),
            "invalid argument \"many\" for \"-r, --replicas\" flag: strconv.ParseInt: parsing \"many\": invalid syntax"
        );
        assert_eq!(
            parse("--timeout soon").unwrap_err(),
            "invalid argument \"soon\" for \"--timeout\" flag: time: invalid duration \"soon\""
        );
        assert!(parse("--timeout 0").is_ok());
    }

    #[test]
    fn flags_stand_anywhere() {
        let found = parse("pods -Aowide -n x web --dry-run -- ls -l").unwrap();
        assert_eq!(found.words, ["pods", "web"]);
        assert_eq!(found.flag("output"), Some("wide"));
        assert!(found.on("all-namespaces"));
        assert_eq!(found.flag("dry-run"), Some(""));
        assert_eq!(
            found.tail.as_deref(),
            Some(&["ls".to_owned(), "-l".to_owned()][..])
        );
        assert_eq!(parse("--bogus"), Err("unknown flag: --bogus".to_owned()));
        assert_eq!(
            parse("-z"),
            Err("unknown shorthand flag: 'z' in -z".to_owned())
        );
        assert_eq!(
            parse("-o"),
            Err("flag needs an argument: 'o' in -o".to_owned())
        );
    }
}
