//! Clients that are run by hand in a container: `wget` as BusyBox has it, `curl` and `nc`.
//! Source: busybox `networking/{wget,nc_bloaty}.c`.
//!
//! They hear what a container's own script would hear at this moment. Not modelled: what an answer
//! says beyond its status, and the meters that show how much of it has come.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::console::{Output, after};
use crate::substrate::script::client::{Answer, Client};

use super::names;
use super::shell::Outcome;
use super::sight::Sight;

/// Runs one of them; none: on a machine itself, and where nobody can tell whom it asks.
pub fn run(sight: &Sight<'_>, tool: &str, words: &[&str]) -> Option<Outcome> {
    let container = sight.inside?;
    let world = sight.place.world;
    let line = std::iter::once(&tool).chain(words);
    let all: Vec<String> = line.map(|word| (*word).to_owned()).collect();
    let Some(client) = Client::of(&all) else {
        let words: Vec<Arc<str>> = all.iter().map(|word| word.as_str().into()).collect();
        let code = world
            .substrate
            .exec(container, &words, sight.place.now)
            .filter(|code| *code != 127)?;
        let mut output = Output::default();
        end(&mut output, tool, code, false);
        return Some(output.into());
    };
    let answer = world.hears(container, &client)?;
    let exchange = Exchange {
        address: match names::lookup(sight, &client.host, "A").1 {
            names::Answer::Addresses(list) => list.first().map(Ipv4Addr::to_string),
            _ => None,
        },
        words,
        answer,
        client: &client,
    };
    let mut output = Output::default();
    let is_told = match tool {
        "wget" => exchange.wget(&mut output),
        "curl" => exchange.curl(&mut output),
        _ => exchange.nc(&mut output),
    };
    end(&mut output, tool, client.code(answer), is_told);
    Some(Outcome {
        output,
        takes: client.took(answer),
        ..Outcome::default()
    })
}

/// The exit code; where something was printed that is not known, this is said.
fn end(output: &mut Output, tool: &str, code: i32, is_told: bool) {
    output.code = code;
    if !is_told && code == 0 {
        let said = after(format!("{tool}: "), catalogue::PRINT_UNKNOWN.plain());
        output.stderr.push(said.then("\n"));
    }
}

/// A question and what became of it.
struct Exchange<'a> {
    client: &'a Client,
    words: &'a [&'a str],
    /// What the name stands for, where that is known.
    address: Option<String>,
    answer: Answer,
}

impl Exchange<'_> {
    /// Whether one of the single letters was given, before one that has a value.
    fn has(&self, letter: char, valued: &str) -> bool {
        self.words.iter().any(|word| {
            let flags = word.strip_prefix('-').unwrap_or_default();
            let mut letters = flags.chars().take_while(|one| !valued.contains(*one));
            !flags.starts_with('-') && letters.any(|one| one == letter)
        })
    }

    /// The value of an option, joined to it or behind it.
    fn value(&self, letter: char, long: &str) -> Option<&str> {
        self.words.iter().enumerate().find_map(|(at, word)| {
            let next = || self.words.get(at + 1).copied();
            if let Some(rest) = word.strip_prefix("--") {
                let rest = rest.strip_prefix(long)?;
                return rest
                    .strip_prefix('=')
                    .or_else(|| rest.is_empty().then(next)?);
            }
            let (_, rest) = word.strip_prefix('-')?.split_once(letter)?;
            Some(rest).filter(|rest| !rest.is_empty()).or_else(next)
        })
    }

    /// Returns whether all that is printed is known.
    fn wget(&self, output: &mut Output) -> bool {
        const VALUED: &str = "OTtoPU";
        let quiet = self.has('q', VALUED) || self.words.contains(&"--quiet");
        if let Some(address) = self.address.as_ref().filter(|_| !quiet) {
            let (host, port) = (self.client.authority(), self.client.port());
            let line = format!("Connecting to {host} ({address}:{port})\n");
            output.stderr.push(line);
        }
        if self.complains(output) {
            return true;
        }
        if self.words.contains(&"--spider") {
            if !quiet {
                output.stderr.push("remote file exists\n");
            }
            return true;
        }
        quiet && self.value('O', "output-document") != Some("-")
    }

    /// Says why it fails, if it does.
    fn complains(&self, output: &mut Output) -> bool {
        let said = self.client.complaint(self.answer, self.address.as_deref());
        if let Some(said) = said {
            output.stderr.push(said + "\n");
        }
        self.client.code(self.answer) != 0
    }

    fn curl(&self, output: &mut Output) -> bool {
        const VALUED: &str = "omwHXduAebcxyYTE";
        let has = |letter, long: &str| self.has(letter, VALUED) || self.words.contains(&long);
        if let Some(format) = self.value('w', "write-out") {
            let status = self.client.printed(self.answer);
            let mut text = format.replace("\\n", "\n");
            for name in ["%{http_code}", "%{response_code}"] {
                text = text.replace(name, &status);
            }
            if text.contains("%{") {
                return false;
            }
            output.stdout.push(text);
        }
        let kept = self.value('o', "output").is_some() || self.has('O', VALUED);
        self.complains(output) || kept && !has('v', "--verbose")
    }

    fn nc(&self, output: &mut Output) -> bool {
        const VALUED: &str = "wiqsp";
        if let Some(address) = self.address.as_ref().filter(|_| self.has('v', VALUED)) {
            let (host, port) = (&self.client.host, self.client.port());
            let place = format!("{host} ({address}:{port})");
            let line = match self.answer {
                Answer::NoName => String::new(),
                Answer::Refused => format!("nc: {place}: Connection refused\n"),
                Answer::Silent => "nc: timed out\n".to_owned(),
                Answer::Open | Answer::Http(_) | Answer::Name => format!("{place} open\n"),
            };
            output.stderr.push(line);
        }
        self.complains(output) || self.has('z', VALUED)
    }
}
