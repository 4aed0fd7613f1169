//! Commands that read files and processes, the same on a machine and inside a container.

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimDuration;
use crate::console::script::{self, Join, Simple};
use crate::console::{Output, after, text_tools};
use crate::engine::command::ProcessAct;
use crate::substrate::errno::Errno;
use crate::substrate::order::ContainerId;
use crate::substrate::root_fs::{Change, Spot};
use crate::substrate::script::value::{clock, printf};

use super::listing::{cat, complaint, find, ls, readlink};
use super::place::Place;
use super::sight::{Node, Sight, Target};
use super::{etc, mounts, net, procfs, ps, space};

/// A change that a command wants; carried out by whoever may change the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A file of a control group is written.
    Group {
        /// What it reaches.
        target: Target,
        /// What is written.
        text: String,
        /// Path as written, for messages.
        path: String,
    },
    /// Something is done to the processes of a container.
    Process {
        /// The container.
        container: ContainerId,
        /// What.
        act: ProcessAct,
    },
    /// The machine is told to shut down.
    Shutdown,
    /// A file of a disk is changed.
    File {
        /// Where.
        spot: Spot,
        /// How.
        change: Change,
        /// The container whose process does it.
        by: Option<ContainerId>,
    },
}

/// Longest text of a file, in bytes: of a longer one only the size is known.
const TEXT_MAX: usize = 1 << 20;

/// Writes text to a file: of a control group, or of a disk.
///
/// # Errors
/// The kernel's, at opening it or at writing.
fn put(sight: &Sight<'_>, path: &str, text: &str, append: bool) -> Result<Wish, (bool, Errno)> {
    let is_system = matches!(super::sight::names(path).first(), Some(&("proc" | "sys")));
    if is_system {
        let target = sight.target(path).map_err(|error| (true, error))?;
        return Ok(Wish::Group {
            target,
            text: text.to_owned(),
            path: path.to_owned(),
        });
    }
    let before = match sight.look(path) {
        Ok(Node::File(before)) if append => before,
        Ok(Node::Opaque(bytes)) if append => {
            let whole = bytes.saturating_add(text.len() as u64);
            return sight
                .change(path, Change::Fill(whole))
                .map_err(|error| (false, error));
        }
        Ok(_) | Err(_) => String::new(),
    };
    let whole = before + text;
    let change = if whole.len() > TEXT_MAX {
        Change::Fill(whole.len() as u64)
    } else {
        Change::Write(whole.into())
    };
    sight
        .change(path, change)
        .map_err(|error| (error != Errno::NoSpace, error))
}

/// What a command printed and wants.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Text and exit code.
    pub output: Output,
    /// Changes, in order.
    pub wishes: Vec<Wish>,
    /// How long it takes where that is worth a wait: large writes.
    pub takes: SimDuration,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            output,
            ..Self::default()
        }
    }
}

/// Commands nested in commands before this shell gives up.
const DEPTH_MAX: usize = 4;

/// Runs a command line of words. None: it is not a command that is known here.
pub fn run(sight: &Sight<'_>, words: &[String], input: &str) -> Option<Outcome> {
    let mut outcome = at_depth(sight, words, input, 0)?;
    outcome.takes += sight.waits.take();
    Some(outcome)
}

fn at_depth(sight: &Sight<'_>, words: &[String], input: &str, depth: usize) -> Option<Outcome> {
    let (name, arguments) = words.split_first()?;
    let plain: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let name = name.rsplit('/').next().unwrap_or(name);
    let text = |text: String| Some(Output::text(text).into());
    match name {
        "sh" | "bash" | "ash" | "dash" => {
            let ["-c" | "-lc" | "-ec" | "-xc", script, ..] = plain.as_slice() else {
                return None;
            };
            if depth >= DEPTH_MAX {
                return Some(
                    Output::error(
                        2,
                        after(format!("{name}: "), catalogue::SHELLS_MANY.plain()),
                    )
                    .into(),
                );
            }
            script_lines(sight, script, input, depth)
        }
        "exit" if depth > 0 => Some(
            Output {
                code: plain
                    .first()
                    .and_then(|code| code.parse().ok())
                    .unwrap_or(0)
                    & 0xff,
                ..Output::default()
            }
            .into(),
        ),
        "cat" => Some(cat(sight, &plain, input).into()),
        "ls" => Some(ls(sight, &plain).into()),
        "readlink" => Some(readlink(sight, &plain).into()),
        "find" => Some(find(sight, &plain).into()),
        "tee" => Some(tee(sight, &plain, input)),
        "test" | "[" => Some(test(sight, &plain).into()),
        "hostname" => hostname(sight, &plain).map(Into::into),
        "uname" => Some(uname(sight, &plain).into()),
        "id" => text("uid=0(root) gid=0(root) groups=0(root)\n".to_owned()),
        "whoami" => text("root\n".to_owned()),
        "date" => date(sight, &plain).map(Into::into),
        "pwd" => text("/\n".to_owned()),
        "nproc" => text(format!("{}\n", procfs::cpus(sight))),
        "kill" => super::jobs::kill(sight, &plain),
        "env" | "printenv" if plain.len() <= 1 => {
            Some(environment(sight, plain.first().copied()).into())
        }
        "mount" if plain.is_empty() => {
            let process = space::first(sight)?;
            text(mounts::listing(sight, &process))
        }
        "free" => text(free(sight, &plain)),
        "ps" => Some(ps::run(sight, &plain).into()),
        "lsns" => Some(space::lsns(sight, &plain).into()),
        "pgrep" | "pidof" => {
            let wanted = plain.last().copied().unwrap_or_default();
            let found: Vec<String> = procfs::visible(sight)
                .iter()
                .filter(|process| process.name == wanted)
                .map(|process| procfs::number(sight, process).to_string())
                .collect();
            if found.is_empty() {
                return Some(
                    Output {
                        code: 1,
                        ..Output::default()
                    }
                    .into(),
                );
            }
            text(found.join(if name == "pidof" { " " } else { "\n" }) + "\n")
        }
        "touch" | "rm" | "rmdir" | "mkdir" | "cp" | "mv" | "dd" | "fallocate" | "truncate"
        | "chmod" | "chown" | "du" => super::tools::run(sight, name, &plain),
        "ip" => Some(net::ip(sight, &plain).into()),
        "ss" => Some(super::sockets::run(sight, &plain).into()),
        "df" => Some(super::disk::df(sight, &plain).into()),
        "getent" | "nslookup" | "dig" | "host" => {
            super::names::run(sight, name, &plain).map(Into::into)
        }
        "wget" | "curl" | "nc" => super::clients::run(sight, name, &plain),
        "echo" if plain.first() == Some(&"-n") => text(plain[1..].join(" ")),
        "printf" => text(printf(&plain)),
        "xargs" if !plain.is_empty() => {
            let mut all: Vec<String> = arguments.to_vec();
            all.extend(input.split_whitespace().map(str::to_owned));
            at_depth(sight, &all, "", depth + 1).filter(|_| depth < DEPTH_MAX)
        }
        "tr" if plain.len() == 2 => {
            let unescape = |text: &str| text.replace("\\0", "\0").replace("\\n", "\n");
            let (from, to) = (unescape(plain[0]), unescape(plain[1]));
            let (Some(from), Some(to)) = (from.chars().next(), to.chars().next()) else {
                return None;
            };
            text(input.replace(from, &to.to_string()))
        }
        name if text_tools::knows(name) => Some(filter(sight, name, arguments, input).into()),
        _ => None,
    }
}

/// `date` without an operand, and with a format.
fn date(sight: &Sight<'_>, words: &[&str]) -> Option<Output> {
    let mut plain = words.iter().filter(|word| **word != "-u");
    let format = match plain.next() {
        None => "%a %b %e %T %Z %Y",
        Some(word) => word.strip_prefix('+')?,
    };
    let line = clock(sight.place.now, format)?;
    Some(Output::text(line + "\n"))
}

/// Runs a script: pipelines, and redirections into files.
fn script_lines(sight: &Sight<'_>, text: &str, input: &str, depth: usize) -> Option<Outcome> {
    let text = super::jobs::unrolled(text);
    let parts = super::jobs::parts(&text);
    if parts.iter().any(|(_, behind)| *behind) {
        let mut all = Outcome::default();
        for (part, behind) in parts {
            let outcome = if behind {
                match super::jobs::leave(sight, &part) {
                    Ok(wish) => {
                        all.wishes.push(wish);
                        continue;
                    }
                    Err(outcome) => outcome,
                }
            } else {
                script_lines(sight, &part, input, depth)?
            };
            all.wishes.extend(outcome.wishes);
            all.output.stdout.push(&outcome.output.stdout);
            all.output.stderr.push(&outcome.output.stderr);
            all.output.code = outcome.output.code;
            // A shell that cannot fork gives up.
            if behind {
                break;
            }
        }
        return Some(all);
    }
    let lines = match script::parse(&text) {
        Ok(lines) => lines,
        Err(error) => return Some(Output::error(2, Passage::from("sh: ").then(error)).into()),
    };
    let mut all = Outcome::default();
    for pipeline in lines.iter().flat_map(|line| &line.pipelines) {
        let skip = match pipeline.join {
            Join::Always => false,
            Join::And => all.output.code != 0,
            Join::Or => all.output.code == 0,
        };
        if skip {
            continue;
        }
        let mut piped = input.to_owned();
        let mut last = Output::default();
        for simple in &pipeline.commands {
            let outcome = one(sight, simple, &piped, depth)?;
            last = outcome.output;
            all.wishes.extend(outcome.wishes);
            all.takes += outcome.takes;
            all.output.stderr.push(&last.stderr);
            piped = last.stdout.to_string();
        }
        all.output.stdout.push(&last.stdout);
        all.output.code = last.code;
        let ends = |simple: &Simple| simple.words.first().is_some_and(|word| word == "exit");
        if pipeline.commands.len() == 1 && pipeline.commands.iter().any(ends) {
            break;
        }
    }
    Some(all)
}

fn one(sight: &Sight<'_>, simple: &Simple, piped: &str, depth: usize) -> Option<Outcome> {
    let words = globbed(sight, &simple.words);
    let input = simple.input.as_deref().unwrap_or(piped);
    let mut outcome = match at_depth(sight, &words, input, depth + 1) {
        Some(outcome) => outcome,
        None => {
            let name = words.first().map_or("", String::as_str);
            Output::error(127, format!("sh: 1: {name}: not found")).into()
        }
    };
    if simple.merge_errors {
        let errors = std::mem::take(&mut outcome.output.stderr);
        outcome.output.stdout.push(&errors);
    }
    if let Some((path, append)) = &simple.output {
        let text = std::mem::take(&mut outcome.output.stdout);
        if path == "/dev/null" {
            return Some(outcome);
        }
        match put(sight, path, &text, *append) {
            Ok(wish) => outcome.wishes.push(wish),
            Err((true, error)) => {
                outcome.output.code = 2;
                outcome
                    .output
                    .stderr
                    .push(format!("sh: 1: cannot create {path}: {}\n", error.text()));
            }
            Err((false, error)) => {
                // The file was opened: it is there and empty.
                if sight.look(path).is_err() {
                    outcome.wishes.extend(sight.change(path, Change::Touch));
                }
                outcome.output.code = 1;
                outcome
                    .output
                    .stderr
                    .push(format!("sh: write error: {}\n", error.text()));
            }
        }
    }
    Some(outcome)
}

/// Words after a shell's expansion of `*` and `?` in paths; a pattern that nothing matches stays.
pub fn globbed(sight: &Sight<'_>, words: &[String]) -> Vec<String> {
    words
        .iter()
        .flat_map(|word| {
            if !word.starts_with('/') || !word.contains(['*', '?', '[']) {
                return vec![word.clone()];
            }
            let found = expand(sight, word);
            if found.is_empty() {
                vec![word.clone()]
            } else {
                found
            }
        })
        .collect()
}

fn expand(sight: &Sight<'_>, pattern: &str) -> Vec<String> {
    /// Paths that a pattern may stand for; a shell has a limit on the length of a line, too.
    const FOUND_MAX: usize = 10_000;
    let mut found = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            if !part.contains(['*', '?', '[']) {
                let path = format!("{base}/{part}");
                // A file that can only be written is there, too.
                if !matches!(
                    sight.look(&path),
                    Err(Errno::NotFound | Errno::NotDirectory)
                ) {
                    next.push(path);
                }
                continue;
            }
            let at = if base.is_empty() { "/" } else { base };
            let Ok(Node::Directory(names)) = sight.look(at) else {
                continue;
            };
            next.extend(
                names
                    .iter()
                    .filter(|name| matches(part, name))
                    .map(|name| format!("{base}/{name}")),
            );
        }
        next.truncate(FOUND_MAX);
        found = next;
    }
    found.arrange();
    found
}

/// Whether a name matches a pattern of `*`, `?` and plain characters.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*' {
            p += 1;
            n += 1;
        } else if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if let Some((back, at)) = star {
            p = back + 1;
            n = at + 1;
            star = Some((back, at + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

fn tee(sight: &Sight<'_>, words: &[&str], input: &str) -> Outcome {
    let mut outcome: Outcome = Output::text(input).into();
    for path in words.iter().filter(|word| !word.starts_with('-')) {
        match put(sight, path, input, words.contains(&"-a")) {
            Ok(wish) => outcome.wishes.push(wish),
            Err((_, error)) => {
                outcome.output.stderr.push(complaint("tee", path, error));
                outcome.output.code = 1;
            }
        }
    }
    outcome
}

fn test(sight: &Sight<'_>, words: &[&str]) -> Output {
    let words = words.strip_suffix(&["]"]).unwrap_or(words);
    Output {
        code: i32::from(!holds(sight, words)),
        ..Output::default()
    }
}

/// Whether a condition of `test` holds.
fn holds(sight: &Sight<'_>, words: &[&str]) -> bool {
    let at = |path: &str| sight.look(&sight.follow(path));
    match words {
        ["!", rest @ ..] => !holds(sight, rest),
        ["-f", path] => matches!(at(path), Ok(Node::File(_) | Node::Opaque(_))),
        ["-d", path] => matches!(at(path), Ok(Node::Directory(_))),
        ["-e" | "-r" | "-w" | "-x", path] => at(path).is_ok(),
        ["-s", path] => match at(path) {
            Ok(Node::File(text)) => !text.is_empty(),
            Ok(Node::Opaque(bytes)) => bytes > 0,
            Ok(node) => matches!(node, Node::Directory(_)),
            Err(_) => false,
        },
        ["-L" | "-h", path] => matches!(sight.look(path), Ok(Node::Link(_))),
        [left, "=" | "==", right] => left == right,
        [left, "!=", right] => left != right,
        _ => false,
    }
}

fn hostname(sight: &Sight<'_>, words: &[&str]) -> Option<Output> {
    match words {
        [] | ["-s"] => Some(Output::text(format!("{}\n", etc::hostname(sight)))),
        ["-f"] => Some(Output::text(format!("{}\n", etc::full_name(sight)))),
        ["-d"] => etc::domain(sight).map(|domain| Output::text(format!("{domain}\n"))),
        ["-i" | "-I"] => Some(match net::address(sight) {
            Some(address) => Output::text(format!("{address}\n")),
            None => Output::error(1, "hostname: Name or service not known"),
        }),
        [name] if sight.inside.is_some() && !name.starts_with('-') => Some(Output::error(
            1,
            "hostname: sethostname: Operation not permitted",
        )),
        _ => None,
    }
}

fn uname(sight: &Sight<'_>, words: &[&str]) -> Output {
    let name = etc::hostname(sight);
    let kernel = procfs::kernel(sight);
    Output::text(match words {
        ["-r"] => format!("{kernel}\n"),
        ["-n"] => format!("{name}\n"),
        ["-m"] => "x86_64\n".to_owned(),
        ["-a"] => format!("Linux {name} {kernel} #1 SMP PREEMPT_DYNAMIC x86_64 GNU/Linux\n"),
        _ => "Linux\n".to_owned(),
    })
}

fn environment(sight: &Sight<'_>, wanted: Option<&str>) -> Output {
    let mut rows: Vec<(String, String)> = vec![(
        "PATH".to_owned(),
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
    )];
    if let Some(container) = sight.inside {
        rows.push(("HOSTNAME".to_owned(), etc::hostname(sight)));
        if let Some(own) = super::provided::variables(sight) {
            rows.extend(own);
        } else if let Some(row) = sight.place.world.substrate.container(container) {
            rows.extend(
                row.spec
                    .environment
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_string())),
            );
        }
    }
    rows.push(("HOME".to_owned(), "/root".to_owned()));
    match wanted {
        None => Output::text(
            rows.iter()
                .map(|(name, value)| format!("{name}={value}\n"))
                .collect::<String>(),
        ),
        Some(wanted) => match rows.iter().find(|(name, _)| name == wanted) {
            Some((_, value)) => Output::text(format!("{value}\n")),
            None => Output {
                code: 1,
                ..Output::default()
            },
        },
    }
}

/// `free`: the machine's memory, inside a container too.
fn free(sight: &Sight<'_>, words: &[&str]) -> String {
    let (total, used) = procfs::memory(sight);
    let cache = sight.place.groups().map_or(0, |root| {
        root.facts.memory.active_file + root.facts.memory.inactive_file
    });
    let cache = cache.min(total - used.min(total));
    let unit = |bytes: u64| {
        let shift = match words.first() {
            Some(&"-b") => 0,
            Some(&"-m") => 20,
            Some(&"-g") => 30,
            _ => 10,
        };
        bytes >> shift
    };
    let free = total.saturating_sub(used + cache);
    let swap = sight
        .place
        .world
        .substrate
        .machine(sight.place.machine)
        .map_or(0, |row| row.profile.swap_bytes);
    let mut text =
        "               total        used        free      shared  buff/cache   available\n"
            .to_owned();
    text.push_str(&format!(
        "Mem:    {:>12}{:>12}{:>12}{:>12}{:>12}{:>12}\n",
        unit(total),
        unit(used),
        unit(free),
        0,
        unit(cache),
        unit(total.saturating_sub(used))
    ));
    text.push_str(&format!(
        "Swap:   {:>12}{:>12}{:>12}\n",
        unit(swap),
        0,
        unit(swap)
    ));
    text
}

/// A text filter, with the files that it names read first.
fn filter(sight: &Sight<'_>, name: &str, arguments: &[String], input: &str) -> Output {
    if name == "echo" || name == "true" || name == "false" {
        let mut words = vec![name.to_owned()];
        words.extend_from_slice(arguments);
        return text_tools::run(&words, input);
    }
    let mut words = vec![name.to_owned()];
    let mut text = String::new();
    let mut output = Output::default();
    let mut files: Vec<(String, String)> = Vec::new();
    for argument in arguments {
        let is_file = argument.starts_with('/') && !argument.starts_with('-');
        if !is_file || (name == "grep" && words.iter().skip(1).all(|word| word.starts_with('-'))) {
            words.push(argument.clone());
            continue;
        }
        match sight.read(argument) {
            Ok(read) => files.push((argument.clone(), read)),
            Err(error) => {
                output.stderr.push(complaint(name, argument, error));
                output.code = 2;
            }
        }
    }
    if files.is_empty() && output.code == 0 {
        return text_tools::run(&words, input);
    }
    if name == "grep" && files.len() > 1 {
        // Several files: each line is printed behind its file's name.
        for (path, read) in &files {
            let found = text_tools::run(&words, read);
            for line in found.stdout.lines() {
                text.push_str(&format!("{path}:{line}\n"));
            }
        }
        output.stdout = text.into();
        output.code = output.code.max(i32::from(output.stdout.is_empty()));
        return output;
    }
    text.extend(files.iter().map(|(_, read)| read.as_str()));
    let found = text_tools::run(&words, &text);
    output.stdout = found.stdout;
    output.stderr.push(&found.stderr);
    output.code = output.code.max(found.code);
    output
}

/// The place of a sight, for callers that only have that.
pub const fn place<'a>(sight: &Sight<'a>) -> &'a Place<'a> {
    sight.place
}
