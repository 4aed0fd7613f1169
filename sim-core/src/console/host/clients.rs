//! Clients that are run by hand in a container: `wget` as BusyBox has it, `curl` and `nc`.
//! Sources: busybox `networking/{wget,nc_bloaty}.c`, curl `lib/{connect,strerror}.c`.
//!
//! They hear what a container's own script would hear at this moment. Not modelled: what an answer
//! says beyond its status, and the meters that show how much of it has come.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::base::time::SimDuration;
use crate::console::{Output, after};
use crate::substrate::script::client::{Answer, Client, Wish};

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
            names::Answer::Addresses(list) => {
                list.first().map_or_else(String::new, Ipv4Addr::to_string)
            }
            _ => String::new(),
        },
        took: client.took(answer),
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
        takes: exchange.took,
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
    /// What the name stands for; empty: that is not known.
    address: String,
    answer: Answer,
    took: SimDuration,
}

/// What a server says beside its number. Source: RFC 9110, section 15.
const fn reason(status: u16) -> &'static str {
    match status {
        403 => "Forbidden",
        404 => "Not Found",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "",
    }
}

impl Exchange<'_> {
    fn port(&self) -> u16 {
        match self.client.wish {
            Wish::Name => 0,
            Wish::Connect(port) | Wish::Get(port, _) => port,
        }
    }

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
        let host = match self.port() {
            80 => self.client.host.to_string(),
            port => format!("{}:{port}", self.client.host),
        };
        let address = &self.address;
        if !quiet && self.answer != Answer::NoName {
            let line = format!("Connecting to {host} ({address}:{})\n", self.port());
            output.stderr.push(line);
        }
        let limited = self.value('T', "timeout").is_some();
        let why = match self.answer {
            Answer::NoName => format!("bad address '{host}'"),
            Answer::Refused => {
                format!("can't connect to remote host ({address}): Connection refused")
            }
            Answer::Silent if limited => "download timed out".to_owned(),
            Answer::Silent => {
                format!("can't connect to remote host ({address}): Connection timed out")
            }
            Answer::Http(status) if status >= 400 => {
                format!(
                    "server returned error: HTTP/1.1 {status} {}",
                    reason(status)
                )
            }
            Answer::Http(_) if self.words.contains(&"--spider") => {
                if !quiet {
                    output.stderr.push("remote file exists\n");
                }
                return true;
            }
            Answer::Http(_) | Answer::Name | Answer::Open => {
                return quiet && self.value('O', "output-document") != Some("-");
            }
        };
        output.stderr.push(format!("wget: {why}\n"));
        true
    }

    fn curl(&self, output: &mut Output) -> bool {
        const VALUED: &str = "omwHXduAebcxyYTE";
        let has = |letter, long: &str| self.has(letter, VALUED) || self.words.contains(&long);
        let silent = has('s', "--silent") && !has('S', "--show-error");
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
        let (host, port) = (&self.client.host, self.port());
        let millis = self.took.as_millis();
        let why = match self.answer {
            Answer::NoName => format!("(6) Could not resolve host: {host}"),
            Answer::Refused => format!(
                "(7) Failed to connect to {host} port {port} after {millis} ms: Could not connect to server"
            ),
            Answer::Silent if self.value('m', "max-time").is_some() => {
                format!("(28) Connection timed out after {millis} milliseconds")
            }
            Answer::Silent => format!(
                "(28) Failed to connect to {host} port {port} after {millis} ms: Timeout was reached"
            ),
            Answer::Http(status) if self.client.code(self.answer) != 0 => {
                format!("(22) The requested URL returned error: {status}")
            }
            Answer::Http(_) | Answer::Name | Answer::Open => {
                let kept = self.value('o', "output").is_some() || self.has('O', VALUED);
                return kept && !has('v', "--verbose");
            }
        };
        if !silent {
            output.stderr.push(format!("curl: {why}\n"));
        }
        true
    }

    fn nc(&self, output: &mut Output) -> bool {
        let host = &self.client.host;
        let verbose = self.has('v', "wiqsp");
        let place = format!("{host} ({}:{})", self.address, self.port());
        let line = match self.answer {
            Answer::NoName => format!("nc: bad address '{host}'\n"),
            Answer::Open | Answer::Http(_) | Answer::Name if verbose => format!("{place} open\n"),
            Answer::Refused if verbose => format!("nc: {place}: Connection refused\n"),
            Answer::Silent if verbose => "nc: timed out\n".to_owned(),
            _ => String::new(),
        };
        output.stderr.push(line);
        self.has('z', "wiqsp") || self.client.code(self.answer) != 0
    }
}
