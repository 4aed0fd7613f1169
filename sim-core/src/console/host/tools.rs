//! Tools that change files: `touch`, `rm`, `mkdir`, `cp`, `mv`, `dd`, `fallocate`, `truncate`.
//! Messages are those of GNU coreutils.

use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimDuration;
use crate::console::{Output, after, not_modelled};
use crate::substrate::errno::Errno;
use crate::substrate::root_fs::Change;

use super::shell::Outcome;
use super::sight::{Node, Sight};

/// Letters of the short flags among words, and the words that are no flags.
pub(super) fn flags_and_paths<'a>(words: &[&'a str]) -> (String, Vec<&'a str>) {
    let short = words.iter().filter_map(|word| word.strip_prefix('-'));
    let flags = short.filter(|word| !word.starts_with('-')).collect();
    let paths = words.iter().filter(|word| !word.starts_with('-'));
    (flags, paths.copied().collect())
}

/// Runs one of them; none: it is not one.
pub fn run(sight: &Sight<'_>, name: &str, words: &[&str]) -> Option<Outcome> {
    let (flags, paths) = flags_and_paths(words);
    Some(match name {
        "touch" => touch(sight, &paths),
        "rm" => rm(sight, &paths, &flags),
        "rmdir" => rmdir(sight, &paths),
        "mkdir" => mkdir(sight, &paths, &flags),
        "cp" | "mv" => copy(sight, name, &paths, &flags),
        "dd" => dd(sight, words),
        "fallocate" => fallocate(sight, words),
        "truncate" => truncate(sight, words),
        "chmod" | "chown" if paths.len() > 1 => attributes(sight, name, &paths[1..]),
        "du" => du(sight, &paths, &flags),
        _ => return None,
    })
}

fn fail(outcome: &mut Outcome, text: impl Into<Passage>) {
    outcome.output.stderr.push(text);
    outcome.output.stderr.push("\n");
    outcome.output.code = 1;
}

/// Makes a change and keeps its wish, or the complaint.
fn change(
    sight: &Sight<'_>,
    outcome: &mut Outcome,
    path: &str,
    change: Change,
    complaint: &str,
) -> bool {
    match sight.change(path, change) {
        Ok(wish) => {
            outcome.wishes.push(wish);
            true
        }
        Err(error) => {
            fail(outcome, format!("{complaint}: {}", error.text()));
            false
        }
    }
}

fn missing_operand(name: &str) -> Outcome {
    Output::error(
        1,
        format!("{name}: missing operand\nTry '{name} --help' for more information."),
    )
    .into()
}

fn touch(sight: &Sight<'_>, paths: &[&str]) -> Outcome {
    let mut outcome = Outcome::default();
    if paths.is_empty() {
        let text = "touch: missing file operand\nTry 'touch --help' for more information.";
        return Output::error(1, text).into();
    }
    for path in paths {
        let complaint = format!("touch: cannot touch '{path}'");
        change(sight, &mut outcome, path, Change::Touch, &complaint);
    }
    outcome
}

fn rm(sight: &Sight<'_>, paths: &[&str], flags: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let recursive = flags.contains(['r', 'R']);
    if paths.is_empty() && !flags.contains('f') {
        return missing_operand("rm");
    }
    for path in paths {
        let complaint = format!("rm: cannot remove '{path}'");
        let wanted = match sight.look(path) {
            Err(Errno::NotFound) if flags.contains('f') => continue,
            Ok(Node::Directory(_)) if recursive => Change::RemoveTree,
            Ok(_) | Err(_) => Change::Remove,
        };
        change(sight, &mut outcome, path, wanted, &complaint);
    }
    outcome
}

fn rmdir(sight: &Sight<'_>, paths: &[&str]) -> Outcome {
    let mut outcome = Outcome::default();
    for path in paths {
        let complaint = format!("rmdir: failed to remove '{path}'");
        match sight.look(path) {
            Ok(Node::Directory(names)) if names.is_empty() => {
                change(sight, &mut outcome, path, Change::RemoveTree, &complaint);
            }
            Ok(Node::Directory(_)) => {
                fail(&mut outcome, format!("{complaint}: Directory not empty"))
            }
            Ok(_) => fail(&mut outcome, format!("{complaint}: Not a directory")),
            Err(error) => fail(&mut outcome, format!("{complaint}: {}", error.text())),
        }
    }
    outcome
}

fn mkdir(sight: &Sight<'_>, paths: &[&str], flags: &str) -> Outcome {
    let mut outcome = Outcome::default();
    if paths.is_empty() {
        return missing_operand("mkdir");
    }
    for path in paths {
        let mut steps: Vec<String> = Vec::new();
        if flags.contains('p') {
            let mut at = String::new();
            for name in super::sight::names(path) {
                at.push('/');
                at.push_str(name);
                if sight.look(&at).is_err() {
                    steps.push(at.clone());
                }
            }
        } else {
            steps.push((*path).to_owned());
        }
        for step in steps {
            let complaint = format!("mkdir: cannot create directory '{step}'");
            if !change(
                sight,
                &mut outcome,
                &step,
                Change::MakeDirectory,
                &complaint,
            ) {
                break;
            }
        }
    }
    outcome
}

/// The path that a copy of `from` gets at `to`.
fn destination(sight: &Sight<'_>, from: &str, to: &str) -> String {
    match sight.look(to) {
        Ok(Node::Directory(_)) => format!(
            "{}/{}",
            to.trim_end_matches('/'),
            crate::substrate::file::name(from)
        ),
        Ok(_) | Err(_) => to.to_owned(),
    }
}

fn copy(sight: &Sight<'_>, name: &str, paths: &[&str], flags: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let Some((to, sources)) = paths
        .split_last()
        .filter(|(_, sources)| !sources.is_empty())
    else {
        let given = paths.first().map_or_else(
            || format!("{name}: missing file operand"),
            |path| format!("{name}: missing destination file operand after '{path}'"),
        );
        return Output::error(
            1,
            format!("{given}\nTry '{name} --help' for more information."),
        )
        .into();
    };
    for from in sources {
        let target = destination(sight, from, to);
        let content = match sight.look(from) {
            Ok(Node::File(text)) => Change::Write(text.into()),
            Ok(Node::Opaque(bytes)) => Change::Fill(bytes),
            Ok(Node::Directory(_)) if name == "cp" && !flags.contains(['r', 'R', 'a']) => {
                fail(
                    &mut outcome,
                    format!("cp: -r not specified; omitting directory '{from}'"),
                );
                continue;
            }
            Ok(Node::Directory(_) | Node::Link(_) | Node::Device) => {
                fail(
                    &mut outcome,
                    after(
                        format!("{name}: '{from}': "),
                        not_modelled(catalogue::COPYING_DIRECTORIES.plain()),
                    ),
                );
                continue;
            }
            Err(error) => {
                fail(
                    &mut outcome,
                    format!("{name}: cannot stat '{from}': {}", error.text()),
                );
                continue;
            }
        };
        let complaint = format!("{name}: cannot create regular file '{target}'");
        if change(sight, &mut outcome, &target, content, &complaint) && name == "mv" {
            let complaint = format!("mv: cannot remove '{from}'");
            change(sight, &mut outcome, from, Change::Remove, &complaint);
        }
    }
    outcome
}

/// An amount with the suffixes of coreutils; `KB` is a thousand, `K` is 1024.
fn amount(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor: u64 = match &text[digits.len()..] {
        "" | "c" => 1,
        "k" | "K" | "KiB" => 1 << 10,
        "KB" | "kB" => 1_000,
        "M" | "MiB" => 1 << 20,
        "MB" => 1_000_000,
        "G" | "GiB" => 1 << 30,
        "GB" => 1_000_000_000,
        "T" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// Bytes in powers of 1000 or 1024. Source: coreutils `dd`, which rounds to the nearest.
fn scaled(bytes: u64, step: u64, units: [&str; 5]) -> String {
    let (mut divisor, mut unit) = (1_u64, 0);
    while bytes / divisor >= step && unit + 1 < units.len() {
        divisor *= step;
        unit += 1;
    }
    // To the nearest, in tenths below ten.
    let tenths = (u128::from(bytes) * 10 + u128::from(divisor) / 2) / u128::from(divisor);
    if tenths < 100 && unit > 0 {
        format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
    } else {
        let whole = (u128::from(bytes) + u128::from(divisor) / 2) / u128::from(divisor);
        format!("{whole} {}", units[unit])
    }
}

/// What `dd` says at its end.
fn records(blocks: u64, tried: u64, bytes: u64, span: SimDuration) -> String {
    let sizes = if bytes < 1_000 {
        String::new()
    } else {
        format!(
            " ({}, {})",
            scaled(bytes, 1_000, ["B", "kB", "MB", "GB", "TB"]),
            scaled(bytes, 1_024, ["B", "KiB", "MiB", "GiB", "TiB"])
        )
    };
    let micros = span.as_micros().max(1);
    let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    let rate = u128::from(bytes) * 1_000_000 / u128::from(micros);
    let rate = u64::try_from(rate).unwrap_or(u64::MAX);
    let rate = scaled(rate, 1_000, ["B", "kB", "MB", "GB", "TB"]);
    format!(
        "{tried}+0 records in\n{blocks}+0 records out\n{bytes} bytes{sizes} copied, {seconds} s, {rate}/s\n"
    )
}

fn dd(sight: &Sight<'_>, words: &[&str]) -> Outcome {
    let option = |name: &str| {
        words
            .iter()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let mut outcome = Outcome::default();
    let (block, count) = (option("bs").map_or(Some(512), amount), option("count"));
    let count = count.map_or(Some(u64::MAX), amount);
    let (Some(block), Some(count)) = (block, count) else {
        return Output::error(1, "dd: invalid number").into();
    };
    let from = option("if").unwrap_or("/dev/stdin");
    let endless = matches!(from, "/dev/zero" | "/dev/urandom" | "/dev/random");
    let wanted = if endless {
        block.saturating_mul(count)
    } else {
        let size = match sight.look(from) {
            Ok(Node::File(text)) => text.len() as u64,
            Ok(Node::Opaque(bytes)) => bytes,
            Ok(Node::Directory(_)) => {
                return Output::error(1, format!("dd: error reading '{from}': Is a directory"))
                    .into();
            }
            Ok(Node::Link(_) | Node::Device) | Err(_) => {
                let text = format!("dd: failed to open '{from}': No such file or directory");
                return Output::error(1, text).into();
            }
        };
        size.min(block.saturating_mul(count))
    };
    let Some(to) = option("of") else {
        return Output::error(
            1,
            after("dd: ", not_modelled(catalogue::WRITING_OUTPUT.plain())),
        )
        .into();
    };
    if to == "/dev/null" {
        let blocks = wanted / block.max(1);
        let rate = sight.disk_rate();
        let span = SimDuration::from_secs(1).scaled(wanted, rate);
        outcome.output.stderr = records(blocks, blocks, wanted, span).into();
        return outcome;
    }
    let before = match sight.look(to) {
        Ok(Node::Opaque(bytes)) => bytes,
        Ok(Node::File(text)) => text.len() as u64,
        Ok(_) | Err(_) => 0,
    };
    let room = sight.room(to).saturating_add(before);
    let written = wanted.min(room / block.max(1) * block);
    let full = written < wanted;
    let complaint = format!("dd: failed to open '{to}'");
    if !change(sight, &mut outcome, to, Change::Fill(written), &complaint) {
        return outcome;
    }
    let blocks = written / block.max(1);
    if full {
        fail(
            &mut outcome,
            format!("dd: error writing '{to}': {}", Errno::NoSpace.text()),
        );
    }
    // Limits on the disk hold where a container has them.
    let io = sight
        .inside
        .map(|container| sight.place.world.substrate.container_limits(container).io);
    let disk = sight.disk_rate();
    let by_bytes = io.and_then(|io| io[1]).unwrap_or(disk);
    let by_requests = io
        .and_then(|io| io[3])
        .map(|rate| rate.saturating_mul(block.min(512 << 10)));
    let rate = by_bytes
        .min(by_requests.unwrap_or(u64::MAX))
        .clamp(1, disk.max(1));
    outcome.takes = SimDuration::from_secs(1).scaled(written, rate);
    let text = records(blocks, blocks + u64::from(full), written, outcome.takes);
    outcome.output.stderr.push(&text);
    outcome
}

fn fallocate(sight: &Sight<'_>, words: &[&str]) -> Outcome {
    let mut outcome = Outcome::default();
    let at = words
        .iter()
        .position(|word| *word == "-l" || *word == "--length");
    let size = at
        .and_then(|at| words.get(at + 1))
        .and_then(|text| amount(text));
    let path = words
        .iter()
        .enumerate()
        .find(|(index, word)| !word.starts_with('-') && at.is_none_or(|at| *index != at + 1))
        .map(|(_, word)| *word);
    let (Some(size), Some(path)) = (size, path) else {
        return Output::error(1, "fallocate: no length argument specified").into();
    };
    change(
        sight,
        &mut outcome,
        path,
        Change::Fill(size),
        "fallocate: fallocate failed",
    );
    outcome
}

fn truncate(sight: &Sight<'_>, words: &[&str]) -> Outcome {
    let mut outcome = Outcome::default();
    let at = words.iter().position(|word| *word == "-s");
    let size = at
        .and_then(|at| words.get(at + 1))
        .and_then(|text| amount(text));
    let Some(size) = size else {
        return Output::error(
            1,
            "truncate: you must specify either '--size' or '--reference'",
        )
        .into();
    };
    for path in words
        .iter()
        .enumerate()
        .filter(|(index, word)| !word.starts_with('-') && at.is_none_or(|at| *index != at + 1))
        .map(|(_, word)| *word)
    {
        let wanted = if size == 0 {
            Change::Write(Arc::from(""))
        } else {
            Change::Fill(size)
        };
        let complaint = format!("truncate: cannot open '{path}' for writing");
        change(sight, &mut outcome, path, wanted, &complaint);
    }
    outcome
}

/// A change of metadata: it copies the file up as a write does. Modes and owners are not kept.
fn attributes(sight: &Sight<'_>, name: &str, paths: &[&str]) -> Outcome {
    let mut outcome = Outcome::default();
    for path in paths {
        match sight.look(path) {
            Err(error) => fail(
                &mut outcome,
                format!("{name}: cannot access '{path}': {}", error.text()),
            ),
            Ok(_) => {
                let complaint = format!("{name}: changing '{path}'");
                change(sight, &mut outcome, path, Change::Touch, &complaint);
            }
        }
    }
    outcome
}

fn du(sight: &Sight<'_>, paths: &[&str], flags: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for path in if paths.is_empty() { &["/"] } else { paths } {
        if let Err(error) = sight.look(path) {
            fail(
                &mut outcome,
                format!("du: cannot access '{path}': {}", error.text()),
            );
            continue;
        }
        let mut pending = vec![(*path).to_owned()];
        let mut blocks = 0_u64;
        while let Some(at) = pending.pop() {
            blocks += 4;
            match sight.look(&at) {
                Ok(Node::Directory(names)) => pending.extend(
                    names
                        .iter()
                        .filter(|_| !matches!(at.as_str(), "/proc" | "/sys" | "/dev"))
                        .map(|name| format!("{}/{name}", at.trim_end_matches('/'))),
                ),
                Ok(Node::File(text)) => blocks += (text.len() as u64).div_ceil(4_096) * 4 - 4,
                Ok(Node::Opaque(bytes)) => blocks += bytes.div_ceil(4_096) * 4 - 4,
                Ok(Node::Link(_) | Node::Device) | Err(_) => blocks -= 4,
            }
        }
        let amount = if flags.contains('h') {
            super::disk::human(blocks * 1_024)
        } else {
            blocks.to_string()
        };
        outcome.output.stdout.push(format!("{amount}\t{path}\n"));
    }
    outcome
}
