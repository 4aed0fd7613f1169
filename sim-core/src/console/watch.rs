//! `watch`: a command run again and again, its last output in place of the one before.
//! Source: `procps-ng/src/watch.c` 4.0.
//!
//! The real tool owns a terminal; here a page shows the frames. What a watch repeats must only look:
//! it runs on a copy of the session, and a command that changed the copy is refused.

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimTime;

use super::{Output, Session, after, script};

/// Columns of the terminal, to whose right edge the header goes.
const COLUMNS: usize = 80;

/// Shortest time between two runs, in microseconds.
const INTERVAL_MIN_US: u64 = 100_000;

/// The real tool's package, as `-v` has it.
const VERSION: &str = "procps-ng 4.0.4";

/// Name of the machine that the tools run on.
const HOST: &str = "podium";

/// A command to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Time between two runs, in microseconds.
    pub interval_us: u64,
    /// Whether there is a header.
    pub has_title: bool,
    /// Whether a command that fails ends it.
    pub until_error: bool,
    /// `-b`: whether a command that fails beeps.
    pub beeps: bool,
    /// `-d`: whether what changed is marked.
    pub differences: bool,
    /// `-d=permanent`: whether the marks stay.
    pub permanent: bool,
    /// Whether a change ends it.
    pub until_change: bool,
    /// How many runs without a change end it; zero: none do.
    pub until_equal: u32,
    /// As the header shows it.
    pub title: String,
    /// What is run.
    pub command: String,
}

/// The watch that a line asks for, or its refusal; none: the line asks for something else.
pub fn parse(line: &str) -> Option<Result<Watch, Output>> {
    let lines = script::parse(line).ok()?;
    let [
        script::Line {
            at: None,
            pipelines,
            ..
        },
    ] = lines.as_slice()
    else {
        return None;
    };
    let [pipeline] = pipelines.as_slice() else {
        return None;
    };
    match pipeline.commands.as_slice() {
        [simple] if simple.output.is_none() && simple.words.first()? == "watch" => {
            Some(read(&simple.words[1..]))
        }
        _ => None,
    }
}

/// Long options, with the letters that they stand for.
const LONG: [(&str, char); 15] = [
    ("--beep", 'b'),
    ("--chgexit", 'g'),
    ("--color", 'c'),
    ("--differences", 'd'),
    ("--equexit", 'q'),
    ("--errexit", 'e'),
    ("--exec", 'x'),
    ("--help", 'h'),
    ("--interval", 'n'),
    ("--no-color", 'C'),
    ("--no-rerun", 'r'),
    ("--no-title", 't'),
    ("--no-wrap", 'w'),
    ("--precise", 'p'),
    ("--version", 'v'),
];

fn read(words: &[String]) -> Result<Watch, Output> {
    let mut watch = Watch {
        interval_us: 2_000_000,
        has_title: true,
        until_error: false,
        beeps: false,
        differences: false,
        permanent: false,
        until_change: false,
        until_equal: 0,
        title: String::new(),
        command: String::new(),
    };
    let mut executes = false;
    let mut words = words.iter().map(String::as_str).peekable();
    // Options end at the first word that is none: the rest is the command's.
    while let Some(word) = words.next_if(|word| word.starts_with('-') && word.len() > 1) {
        if word == "--" {
            break;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if word.starts_with("--") => (name, Some(value)),
            _ => (word, None),
        };
        let mut rest = word.trim_start_matches('-');
        let mut value = value;
        let mut letters = Vec::new();
        if word.starts_with("--") {
            let known = LONG.iter().find(|(long, _)| *long == name);
            let (_, letter) =
                known.ok_or_else(|| usage(&format!("watch: unrecognized option '{word}'\n")))?;
            letters.push(*letter);
        } else {
            // Letters stand together; what follows one that takes a value is the value.
            while let Some(letter) = rest.chars().next() {
                letters.push(letter);
                rest = &rest[letter.len_utf8()..];
                if "dnq".contains(letter) {
                    value = Some(rest).filter(|rest| !rest.is_empty());
                    break;
                }
            }
        }
        for letter in letters {
            let mut given = || {
                let text = value.or_else(|| words.next());
                text.ok_or_else(|| {
                    usage(&format!(
                        "watch: option requires an argument -- '{letter}'\n"
                    ))
                })
            };
            match letter {
                'd' => {
                    watch.differences = true;
                    watch.permanent |= value.is_some();
                }
                'e' => watch.until_error = true,
                'g' => watch.until_change = true,
                'h' => return Err(Output::text(help())),
                'n' => watch.interval_us = number(given()?)?.max(INTERVAL_MIN_US),
                'q' => {
                    let runs = number(given()?)? / 1_000_000;
                    watch.until_equal = u32::try_from(runs).unwrap_or(u32::MAX);
                }
                't' => watch.has_title = false,
                'x' => executes = true,
                // Lines are not cut here, nothing is coloured, each run is on time, and there is no
                // window to be resized.
                'w' | 'c' | 'C' | 'p' | 'r' => {}
                'b' => watch.beeps = true,
                'v' => return Err(Output::text(format!("watch from {VERSION}\n"))),
                _ => return Err(usage(&format!("watch: invalid option -- '{letter}'\n"))),
            }
        }
    }
    let words: Vec<&str> = words.collect();
    if words.is_empty() {
        return Err(usage(""));
    }
    watch.title = words.join(" ");
    watch.command = if executes {
        let quoted = words
            .iter()
            .map(|word| format!("'{}' ", word.replace('\'', "'\\''")));
        quoted.collect()
    } else {
        watch.title.clone()
    };
    Ok(watch)
}

fn number(text: &str) -> Result<u64, Output> {
    micros(text)
        .ok_or_else(|| Output::error(1, format!("watch: failed to parse argument: '{text}'")))
}

fn usage(before: &str) -> Output {
    Output::error(1, before.to_owned() + &help())
}

/// Source: `procps-ng/src/watch.c` usage.
fn help() -> String {
    let options = [
        ("b, --beep", "beep if command has a non-zero exit"),
        ("c, --color", "interpret ANSI color and style sequences"),
        (
            "C, --no-color",
            "do not interpret ANSI color and style sequences",
        ),
        (
            "d, --differences[=<permanent>]",
            "highlight changes between updates",
        ),
        ("e, --errexit", "exit if command has a non-zero exit"),
        ("g, --chgexit", "exit when output from command changes"),
        (
            "q, --equexit <cycles>",
            "exit when output from command does not change",
        ),
        ("n, --interval <secs>", "seconds to wait between updates"),
        ("p, --precise", "attempt run command in precise intervals"),
        ("r, --no-rerun", "do not rerun program on window resize"),
        ("t, --no-title", "turn off header"),
        ("w, --no-wrap", "turn off line wrapping"),
        ("x, --exec", "pass command to exec instead of \"sh -c\""),
    ];
    let mut text = "\nUsage:\n watch [options] command\n\nOptions:\n".to_owned();
    for (option, does) in options {
        // What has no room beside it stands below.
        let gap = match option.len() {
            0..=21 => " ".repeat(22 - option.len()),
            _ => format!("\n{}", " ".repeat(25)),
        };
        text.push_str(&format!("  -{option}{gap}{does}\n"));
    }
    text + "\n -h, --help     display this help and exit\n -v, --version  output version information and exit\n"
}

/// Seconds with a point or, as everywhere in the real tool, a comma.
fn micros(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || (whole.len() + part.len() == 0) || whole.len() > 9 {
        return None;
    }
    let seconds: u64 = whole.parse().unwrap_or(0);
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    Some(seconds * 1_000_000 + part.parse::<u64>().ok()?)
}

impl Watch {
    /// Runs it once: the header and what the command printed, or why it cannot be repeated; and
    /// whether it beeped.
    pub fn frame(&self, session: &Session) -> (Output, bool) {
        let mut copy = session.clone();
        let output = copy.run(&self.command);
        if changed(session, &copy) {
            let said = catalogue::WATCH_CHANGES.with(&[("command", &self.title)]);
            return (Output::error(1, after("watch: ", said)), false);
        }
        let mut text = Passage::default();
        if self.has_title {
            text.push(self.header(session.history.now()));
            text.push("\n\n");
        }
        text.push(output.stdout);
        text.push(output.stderr);
        let failed = output.code != 0;
        let output = if self.until_error && failed {
            Output {
                stdout: text,
                stderr: "command exit with a non-zero status, press a key to exit\n".into(),
                code: 8,
            }
        } else {
            Output::text(text)
        };
        (output, self.beeps && failed)
    }

    /// Rows above the command's own output.
    pub fn head(&self) -> u32 {
        if self.has_title { 2 } else { 0 }
    }

    /// Interval and command to the left, host and time to the right, as `output_header` fits them in.
    fn header(&self, now: SimTime) -> String {
        let at = now.civil().strftime("%a %b %e %T %Y").unwrap_or_default();
        let right = format!("{HOST}: {at}");
        let tenths = (self.interval_us + 50_000) / 100_000;
        let mut left = format!("Every {}.{}s: ", tenths / 10, tenths % 10);
        let room = COLUMNS.saturating_sub(left.chars().count() + right.chars().count());
        if self.title.chars().count() < room {
            left.push_str(&self.title);
        } else {
            left.extend(self.title.chars().take(room.saturating_sub(5)));
            left.push_str("...");
        }
        let gap = COLUMNS.saturating_sub(left.chars().count() + right.chars().count());
        left.extend(std::iter::repeat_n(' ', gap));
        left + &right
    }
}

/// Whether a command did anything to the copy that it ran on.
fn changed(session: &Session, copy: &Session) -> bool {
    let state = |session: &Session| {
        let history = &session.history;
        let (branches, current) = history.branches();
        (history.log().len(), branches.len(), current, history.now())
    };
    state(session) != state(copy)
        || session.files != copy.files
        || session.environment != copy.environment
        || (&session.context, &session.contexts) != (&copy.context, &copy.contexts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Seed;
    use crate::console::open::{Experiment, open};

    fn session() -> Session {
        open(&Experiment::new(Seed(1)))
            .expect("nothing can be wrong")
            .session
    }

    fn watch(line: &str) -> Watch {
        parse(line)
            .expect("a watch")
            .unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    #[test]
    fn options_end_at_the_command() {
        let found = watch("watch -n 0.5 kubectl get pods -n kube-system");
        assert_eq!(found.interval_us, 500_000);
        assert_eq!(found.command, "kubectl get pods -n kube-system");
        assert_eq!(watch("watch -n5 -t sim time").interval_us, 5_000_000);
        assert_eq!(
            watch("watch --interval=0,01 sim time").interval_us,
            INTERVAL_MIN_US
        );
        assert_eq!(watch("watch -x echo 'a  b'").command, "'echo' 'a  b' ");
        assert_eq!(
            watch("watch 'kubectl get no | wc -l'").command,
            "kubectl get no | wc -l"
        );
        assert_eq!(parse("sim time"), None);
        assert_eq!(parse("watch sim time | head"), None);
        for (line, word) in [
            ("watch", "Usage:"),
            ("watch -n", "requires an argument -- 'n'"),
            ("watch -tq", "requires an argument -- 'q'"),
            ("watch -n x sim time", "failed to parse argument: 'x'"),
            ("watch -z sim time", "invalid option -- 'z'\n\nUsage:"),
            ("watch --zz sim time", "unrecognized option '--zz'"),
        ] {
            let refusal = parse(line).expect("a watch").expect_err(line);
            assert!(refusal.stderr.contains(word), "{refusal:?}");
            assert_eq!(refusal.code, 1);
        }
    }

    #[test]
    fn letters_stand_together_and_values_follow_theirs() {
        let found = watch("watch -tgn5 sim time");
        assert_eq!(
            (found.has_title, found.until_change, found.interval_us),
            (false, true, 5_000_000)
        );
        let marks = |line: &str| {
            let watch = watch(line);
            (watch.differences, watch.permanent)
        };
        assert_eq!(marks("watch sim time"), (false, false));
        assert_eq!(marks("watch -d sim time"), (true, false));
        for line in [
            "watch -d1 sim time",
            "watch --differences=permanent sim time",
        ] {
            assert_eq!(marks(line), (true, true), "{line}");
        }
        let found = watch("watch -tq 3 -g sim time");
        assert_eq!(
            (found.head(), found.until_change, found.until_equal),
            (0, true, 3)
        );
        let help = parse("watch --help")
            .expect("a watch")
            .expect_err("no command");
        assert_eq!(help.code, 0);
        let version = parse("watch -v").expect("a watch").expect_err("no command");
        assert_eq!(
            (&*version.stdout, version.code),
            ("watch from procps-ng 4.0.4\n", 0)
        );
        assert!(help.stdout.contains("\n  -d, --differences[=<permanent>]\n                         highlight changes between updates\n"), "{}", &*help.stdout);
        assert!(
            help.stdout
                .contains("\n  -n, --interval <secs>  seconds to wait between updates\n")
        );
    }

    #[test]
    fn a_command_that_fails_ends_a_watch_that_asks_for_it() {
        let session = session();
        let line = "kubectl get pod none";
        assert_eq!(watch(&format!("watch {line}")).frame(&session).0.code, 0);
        let frame = watch(&format!("watch -e {line}")).frame(&session).0;
        assert_eq!(frame.code, 8);
        assert!(frame.stderr.contains("press a key to exit"));
        let beeps = |line: &str| watch(line).frame(&session).1;
        assert!(beeps(&format!("watch -b {line}")) && !beeps(&format!("watch {line}")));
        assert!(!beeps("watch --beep sim time"));
    }

    #[test]
    fn a_frame_has_the_tools_header() {
        let mut session = session();
        session.run("sim advance 65s");
        let frame = watch("watch -n 5 sim time").frame(&session).0;
        assert_eq!(
            frame.stdout,
            "Every 5.0s: sim time                            podium: Thu Jan  1 00:01:05 2026\n\n1m5s\n"
        );
        let long = format!("watch echo {}", "x".repeat(90));
        let frame = watch(&long).frame(&session).0;
        let header = frame.stdout.lines().next().expect("a header");
        assert_eq!(header.chars().count(), COLUMNS);
        assert!(header.contains("xxx...  podium: "), "{header}");
        assert_eq!(
            watch("watch -t sim time").frame(&session).0.stdout,
            "1m5s\n"
        );
    }

    #[test]
    fn what_changes_the_experiment_is_not_repeated() {
        let session = session();
        for line in [
            "watch kubectl create namespace a",
            "watch sim advance 1s",
            "watch 'sim time > file'",
            "watch sim fork",
            "watch sim fault node-crash worker-1",
        ] {
            let frame = watch(line).frame(&session).0;
            assert!(
                frame.stderr.contains("only what looks can be repeated"),
                "{line}: {frame:?}"
            );
            assert_eq!(frame.code, 1);
        }
        assert_eq!(
            session.history.log().len(),
            self::session().history.log().len()
        );
    }
}
