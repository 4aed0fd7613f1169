//! Clients of the network that scripts wait with: what they ask, and what they make of the answer.

use std::sync::Arc;

use crate::base::time::SimDuration;
use crate::substrate::order::SandboxId;

/// How long a connection is tried that nobody answers: six repetitions.
/// Source: Linux `Documentation/networking/ip-sysctl.rst` (`tcp_syn_retries`).
const CONNECT_MAX: SimDuration = SimDuration::from_secs(127);
/// A lookup of a name in the cluster. Our own figure.
const LOOKUP: SimDuration = SimDuration::from_millis(5);
/// A connection and a short answer. Our own figure.
pub(super) const EXCHANGE: SimDuration = SimDuration::from_millis(2);

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// What a name stands for.
    Name,
    /// Whether somebody accepts connections at this port.
    Connect(u16),
    /// What is answered at this port and path.
    Get(u16, Arc<str>),
}

/// A client's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Whom it asks, as it is written.
    pub host: Arc<str>,
    /// What it asks.
    pub wish: Wish,
    tool: Tool,
    /// How long it waits for an answer.
    patience: SimDuration,
    /// Whether that was said.
    is_limited: bool,
    /// Whether an answer that says no is a failure.
    strict: bool,
    /// Whether it does not say why it fails.
    silent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Getent,
    Dig,
    Lookup,
    Wget,
    Curl,
    Netcat,
    /// Exit code of `pg_isready` without an answer. Source: PostgreSQL `pg_isready(1)`.
    Postgres,
    Other,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is no such name.
    NoName,
    /// The name is there.
    Name,
    /// Nobody listens there.
    Refused,
    /// Nothing comes back.
    Silent,
    /// The connection is accepted; nothing more was asked.
    Open,
    /// An answer of HTTP.
    Http(u16),
}

/// What stands behind a name, as a plane's name server and rules have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// There is no such name.
    Unknown,
    /// Somebody outside, who is taken to answer.
    Outside,
    /// Somebody who answers nobody without a credential.
    Guarded,
    /// An address for whose port nobody has rules: packets get lost.
    Nothing,
    /// Nobody now: whoever connects is refused.
    Nobody,
    /// These sandboxes, at these ports, each as likely as any other.
    Sandboxes(Vec<(SandboxId, u16)>),
}

/// Top-level domains of the world outside that commands name; those of countries have two letters.
/// Source: the root zone.
const DOMAINS: [&str; 14] = [
    "ai", "app", "cloud", "com", "dev", "edu", "gov", "info", "io", "net", "online", "org", "page",
    "xyz",
];

/// Whether a name that nobody inside has may be one of the world outside.
pub fn is_outside(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let Some((_, last)) = host.rsplit_once('.') else {
        return false;
    };
    let is_word = last.bytes().all(|letter| letter.is_ascii_alphabetic());
    // An address of somewhere else.
    DOMAINS.contains(&last)
        || is_word && last.len() == 2
        || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Whether a program asks the network.
pub fn is_client(name: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or_default();
    matches!(
        base,
        "nslookup"
            | "dig"
            | "host"
            | "getent"
            | "nc"
            | "ncat"
            | "netcat"
            | "wget"
            | "curl"
            | "pg_isready"
            | "redis-cli"
            | "mysqladmin"
            | "mariadb-admin"
    )
}

impl Client {
    /// The question that a command asks; none: it asks nobody outside its own container, or that
    /// cannot be told.
    pub fn of(words: &[String]) -> Option<Self> {
        let (first, rest) = words.split_first()?;
        let base = first.rsplit('/').next().unwrap_or_default();
        let words: Vec<&str> = rest
            .iter()
            .map(String::as_str)
            .take_while(|word| *word != ">")
            .collect();
        let (tool, host, wish) = match base {
            "nslookup" | "host" => (Tool::Lookup, operands(&words, "").next()?, Wish::Name),
            "dig" => (
                Tool::Dig,
                operands(&words, "").find(|word| !word.starts_with(['+', '@']))?,
                Wish::Name,
            ),
            "getent" => (Tool::Getent, operands(&words, "").nth(1)?, Wish::Name),
            "nc" | "ncat" | "netcat" => {
                let mut plain = operands(&words, "wiqsp");
                let host = plain.next()?;
                (
                    Tool::Netcat,
                    host,
                    Wish::Connect(plain.next()?.parse().ok()?),
                )
            }
            "wget" => get(Tool::Wget, operands(&words, "OTtoPU").next()?)?,
            "curl" => {
                let mut plain = operands(&words, "omwHXduAebcxyYTE");
                get(Tool::Curl, plain.next()?)?
            }
            "pg_isready" => {
                let port =
                    option(&words, "-p", "--port").map_or(Some(5_432), |port| port.parse().ok())?;
                (
                    Tool::Postgres,
                    option(&words, "-h", "--host")?,
                    Wish::Connect(port),
                )
            }
            "redis-cli" => {
                let port =
                    option(&words, "-p", "--port").map_or(Some(6_379), |port| port.parse().ok())?;
                (
                    Tool::Other,
                    option(&words, "-h", "--host")?,
                    Wish::Connect(port),
                )
            }
            "mysqladmin" | "mariadb-admin" => {
                let port =
                    option(&words, "-P", "--port").map_or(Some(3_306), |port| port.parse().ok())?;
                (
                    Tool::Other,
                    option(&words, "-h", "--host")?,
                    Wish::Connect(port),
                )
            }
            _ => return None,
        };
        let own = matches!(host, "localhost" | "127.0.0.1" | "::1" | "0.0.0.0" | "");
        if own || host.contains('$') {
            return None;
        }
        // Parts of a second count as one.
        let seconds = |text: &str| {
            let whole = text.split('.').next()?.parse::<u64>().ok()?;
            Some(SimDuration::from_secs(
                whole.max(u64::from(text.contains('.'))),
            ))
        };
        let patience = match base {
            "nc" | "ncat" | "netcat" => option(&words, "-w", "--wait"),
            "wget" => option(&words, "-T", "--timeout"),
            "curl" => {
                option(&words, "-m", "--max-time").or(option(&words, "--connect-timeout", ""))
            }
            "pg_isready" => option(&words, "-t", "--timeout").or(Some("3")),
            _ => None,
        };
        let flags = words
            .iter()
            .filter(|word| word.starts_with('-') && !word.starts_with("--"));
        let has =
            |letter, long| words.contains(&long) || flags.clone().any(|word| word.contains(letter));
        let strict = has('f', "--fail");
        let silent = tool == Tool::Curl && has('s', "--silent") && !has('S', "--show-error");
        Some(Self {
            host: host.into(),
            wish,
            tool,
            // Zero is no limit.
            patience: patience
                .and_then(seconds)
                .filter(|patience| !patience.is_zero())
                .unwrap_or(CONNECT_MAX),
            is_limited: patience.is_some(),
            strict,
            silent,
        })
    }

    /// Exit code. Sources: the programs' manuals; `wget` is BusyBox's.
    pub fn code(&self, answer: Answer) -> i32 {
        let good = match answer {
            Answer::NoName | Answer::Refused | Answer::Silent => false,
            Answer::Name | Answer::Open => true,
            Answer::Http(status) => status < 400,
        };
        match (self.tool, answer) {
            (Tool::Dig, _) => 0,
            (Tool::Getent, Answer::NoName) | (Tool::Postgres, _) if !good => 2,
            (Tool::Curl, Answer::NoName) => 6,
            (Tool::Curl, Answer::Refused) => 7,
            (Tool::Curl, Answer::Silent) => 28,
            (Tool::Curl, Answer::Http(_)) if !good && self.strict => 22,
            (Tool::Curl, Answer::Http(_)) => 0,
            _ => i32::from(!good),
        }
    }

    /// The status that it prints, where it is told to print one.
    pub fn printed(&self, answer: Answer) -> String {
        match (self.tool, answer) {
            (_, Answer::Http(status)) => status.to_string(),
            (Tool::Curl, _) => "000".to_owned(),
            _ => String::new(),
        }
    }

    /// The port that it asks at; zero: it asks for a name alone.
    pub fn port(&self) -> u16 {
        match self.wish {
            Wish::Name => 0,
            Wish::Connect(port) | Wish::Get(port, _) => port,
        }
    }

    /// Whom it asks, with a port that is not the usual one.
    pub fn authority(&self) -> String {
        match self.port() {
            80 => self.host.to_string(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// Why it fails, as it says so; none: it does not fail, or says nothing. `address` is what the name
    /// stands for, where that is known.
    /// Sources: busybox `networking/{wget,nc_bloaty}.c`, curl `lib/{connect,strerror}.c`.
    pub fn complaint(&self, answer: Answer, address: Option<&str>) -> Option<String> {
        if self.silent || self.code(answer) == 0 {
            return None;
        }
        let (host, port) = (&self.host, self.port());
        let millis = self.took(answer).as_millis();
        Some(match (self.tool, answer) {
            (Tool::Wget, Answer::NoName) => format!("wget: bad address '{}'", self.authority()),
            (Tool::Wget, Answer::Silent) if self.is_limited => {
                "wget: download timed out".to_owned()
            }
            (Tool::Wget, Answer::Refused | Answer::Silent) => {
                let why = match answer {
                    Answer::Refused => "Connection refused",
                    _ => "Connection timed out",
                };
                format!("wget: can't connect to remote host ({}): {why}", address?)
            }
            (Tool::Wget, Answer::Http(status)) => {
                let reason = reason(status);
                format!("wget: server returned error: HTTP/1.1 {status} {reason}")
            }
            (Tool::Curl, Answer::NoName) => format!("curl: (6) Could not resolve host: {host}"),
            (Tool::Curl, Answer::Refused) => format!(
                "curl: (7) Failed to connect to {host} port {port} after {millis} ms: Could not connect to server"
            ),
            (Tool::Curl, Answer::Silent) if self.is_limited => {
                format!("curl: (28) Connection timed out after {millis} milliseconds")
            }
            (Tool::Curl, Answer::Silent) => format!(
                "curl: (28) Failed to connect to {host} port {port} after {millis} ms: Timeout was reached"
            ),
            (Tool::Curl, Answer::Http(status)) => {
                format!("curl: (22) The requested URL returned error: {status}")
            }
            (Tool::Netcat, Answer::NoName) => format!("nc: bad address '{host}'"),
            _ => return None,
        })
    }

    /// How long it takes.
    pub fn took(&self, answer: Answer) -> SimDuration {
        match answer {
            Answer::NoName | Answer::Name => LOOKUP,
            Answer::Silent => self.patience,
            Answer::Refused | Answer::Open | Answer::Http(_) => EXCHANGE,
        }
    }
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

/// Long options of curl and wget that are followed by a value.
const LONG: [&str; 32] = [
    "cacert",
    "cert",
    "connect-timeout",
    "connect-to",
    "cookie",
    "cookie-jar",
    "data",
    "form",
    "header",
    "key",
    "limit-rate",
    "max-time",
    "output",
    "output-document",
    "output-file",
    "password",
    "post-data",
    "proxy",
    "referer",
    "request",
    "resolve",
    "retry",
    "retry-delay",
    "retry-max-time",
    "timeout",
    "tries",
    "url",
    "user",
    "user-agent",
    "wait",
    "waitretry",
    "write-out",
];

/// Words that are no options, nor the values of those options that have one.
fn operands<'w>(words: &'w [&'w str], valued: &'w str) -> impl Iterator<Item = &'w str> {
    let mut skips = false;
    words.iter().copied().filter(move |word| {
        let skipped = std::mem::replace(&mut skips, false);
        if skipped {
            return false;
        }
        let Some(flags) = word.strip_prefix('-') else {
            return true;
        };
        skips = match flags.strip_prefix('-') {
            Some(long) => LONG.contains(&long),
            None => flags.ends_with(|last| valued.contains(last)),
        };
        false
    })
}

/// The value of an option.
fn option<'w>(words: &[&'w str], short: &str, long: &str) -> Option<&'w str> {
    words.iter().enumerate().find_map(|(at, word)| {
        if *word == short || (!long.is_empty() && *word == long) {
            return words.get(at + 1).copied();
        }
        let joined = word
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix('='));
        let glued = || {
            word.strip_prefix(short)
                .filter(|rest| !short.is_empty() && !short.starts_with("--") && !rest.is_empty())
        };
        // `-zw1`, `-zvw 1`.
        let letter = short.strip_prefix('-').filter(|letter| letter.len() == 1);
        let cluster = letter.and_then(|letter| {
            let flags = word
                .strip_prefix('-')
                .filter(|flags| !flags.starts_with('-'))?;
            let (_, value) = flags.split_once(letter)?;
            match value {
                "" => words.get(at + 1).copied(),
                value if value.bytes().all(|digit| digit.is_ascii_digit()) => Some(value),
                _ => None,
            }
        });
        joined
            .filter(|_| !long.is_empty())
            .or_else(glued)
            .or(cluster)
    })
}

/// What a URL asks; none for what is no HTTP.
fn get(tool: Tool, url: &str) -> Option<(Tool, &str, Wish)> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, path) = rest.split_at(end);
    let place = place.rsplit('@').next().unwrap_or(place);
    let (host, port) = match place.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (place, default),
    };
    let path = if path.is_empty() { "/" } else { path };
    Some((tool, host, Wish::Get(port, path.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<(String, Wish)> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Client::of(&words).map(|client| (client.host.to_string(), client.wish))
    }

    #[test]
    fn questions_are_read_from_commands() {
        let connect = |host: &str, port| Some((host.to_owned(), Wish::Connect(port)));
        let get =
            |host: &str, port, path: &str| Some((host.to_owned(), Wish::Get(port, path.into())));
        assert_eq!(of("nc -z db 5432"), connect("db", 5432));
        assert_eq!(of("nc -z -w 2 db 5432"), connect("db", 5432));
        assert_eq!(of("nc -zvw1 db 5432"), connect("db", 5432));
        assert_eq!(
            of("nslookup web.prod.svc"),
            Some(("web.prod.svc".into(), Wish::Name))
        );
        assert_eq!(of("getent hosts web"), Some(("web".into(), Wish::Name)));
        assert_eq!(
            of("wget -q -O /dev/null http://web:8080/a?b"),
            get("web", 8080, "/a?b")
        );
        assert_eq!(of("wget --spider -T 5 web"), get("web", 80, "/"));
        assert_eq!(
            of("curl -sf -o /dev/null https://web/ok"),
            get("web", 443, "/ok")
        );
        let long = "curl --output /dev/null --silent --max-time 5 --fail http://web:1/";
        assert_eq!(of(long), get("web", 1, "/"));
        assert_eq!(of("pg_isready -h db -p 5433 -U me"), connect("db", 5433));
        assert_eq!(of("redis-cli -h cache ping"), connect("cache", 6379));
        // Its own container, and what is not known.
        assert_eq!(of("curl -f http://localhost:8080/"), None);
        assert_eq!(of("nc -z $DB 5432"), None);
        assert_eq!(of("pg_isready"), None);
    }

    #[test]
    fn codes_are_the_programs_own() {
        let code = |text: &str, answer| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            Client::of(&words).map(|client| client.code(answer))
        };
        assert_eq!(code("curl http://web", Answer::Http(503)), Some(0));
        assert_eq!(code("curl -f http://web", Answer::Http(503)), Some(22));
        assert_eq!(code("curl http://web", Answer::NoName), Some(6));
        assert_eq!(code("wget http://web", Answer::Http(404)), Some(1));
        assert_eq!(code("getent hosts web", Answer::NoName), Some(2));
        assert_eq!(code("nslookup web", Answer::Name), Some(0));
        assert_eq!(code("pg_isready -h db", Answer::Silent), Some(2));
    }
}
