//! `ps`: processes as a machine or a container shows them.

use crate::base::arrange::Arrange;
use crate::console::Output;
use crate::console::table::Table;
use crate::substrate::process::Process;

use super::procfs;
use super::sight::Sight;

/// A process's line, bracketed names as they are.
fn command(process: &Process) -> String {
    process.command.join(" ")
}

/// Time of day of a start, as `ps` writes it on the same day.
fn started(process: &Process) -> String {
    let text = process.start.rfc3339();
    text.get(11..16).unwrap_or("00:00").to_owned()
}

/// Parent's number as the one who looks sees it.
fn parent(sight: &Sight<'_>, process: &Process) -> u32 {
    if sight.inside.is_some() {
        process.inner_parent
    } else {
        process.parent
    }
}

const fn user(process: &Process) -> &'static str {
    match process.uid {
        0 => "root",
        _ => "65535",
    }
}

/// Runs `ps` with the options that people use.
pub fn run(sight: &Sight<'_>, words: &[&str]) -> Output {
    let mut all = procfs::visible(sight);
    all.arrange_by_key(|process| procfs::number(sight, process));
    let columns = words
        .iter()
        .position(|word| *word == "-o" || *word == "-eo" || *word == "-Ao")
        .and_then(|at| words.get(at + 1));
    if let Some(columns) = columns {
        return chosen(sight, &all, columns);
    }
    let flags: String = words
        .iter()
        .filter(|word| !word.chars().all(char::is_numeric))
        .map(|word| word.trim_start_matches('-'))
        .collect();
    let table = if flags.contains('f') {
        full(sight, &all)
    } else if flags.contains('u') {
        long(sight, &all)
    } else if sight.inside.is_some() {
        // The small `ps` of images made from BusyBox.
        let mut table = Table::new(&["PID", "USER", "TIME", "COMMAND"]);
        for process in &all {
            table.rows.push(vec![
                procfs::number(sight, process).to_string(),
                user(process).to_owned(),
                "0:00".to_owned(),
                command(process),
            ]);
        }
        table
    } else {
        let mut table = Table::new(&["PID", "TTY", "TIME", "CMD"]);
        for process in &all {
            table.rows.push(vec![
                process.pid.to_string(),
                "?".to_owned(),
                "00:00:00".to_owned(),
                process.name.clone(),
            ]);
        }
        table
    };
    Output::text(table.kubectl(true))
}

/// What `ps -ef` shows of processes.
pub fn full(sight: &Sight<'_>, all: &[Process]) -> Table {
    let mut table = Table::new(&["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    for process in all {
        table.rows.push(vec![
            user(process).to_owned(),
            procfs::number(sight, process).to_string(),
            parent(sight, process).to_string(),
            "0".to_owned(),
            started(process),
            "?".to_owned(),
            "00:00:00".to_owned(),
            command(process),
        ]);
    }
    table
}

fn long(sight: &Sight<'_>, all: &[Process]) -> Table {
    let total = procfs::memory(sight).0.max(1);
    let mut table = Table::new(&[
        "USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND",
    ]);
    for process in all {
        let share = process.rss.saturating_mul(1_000) / total;
        table.rows.push(vec![
            user(process).to_owned(),
            procfs::number(sight, process).to_string(),
            "0.0".to_owned(),
            format!("{}.{}", share / 10, share % 10),
            (process.rss / 1_024 * 2).to_string(),
            (process.rss / 1_024).to_string(),
            "?".to_owned(),
            if process.zombie { "Z" } else { "Ss" }.to_owned(),
            started(process),
            "0:00".to_owned(),
            command(process),
        ]);
    }
    table
}

fn chosen(sight: &Sight<'_>, all: &[Process], columns: &str) -> Output {
    let names: Vec<&str> = columns.split(',').collect();
    let mut header = Vec::new();
    for name in &names {
        header.push(match *name {
            "pid" => "PID",
            "ppid" => "PPID",
            "user" | "uid" => "USER",
            "comm" => "COMMAND",
            "args" | "cmd" => "COMMAND",
            "rss" => "RSS",
            "nlwp" => "NLWP",
            "cgroup" => "CGROUP",
            "pidns" => "PIDNS",
            other => {
                return Output::error(
                    1,
                    format!("error: unknown user-defined format specifier \"{other}\""),
                );
            }
        });
    }
    let mut table = Table::new(&header);
    for process in all {
        table.rows.push(
            names
                .iter()
                .map(|name| match *name {
                    "pid" => procfs::number(sight, process).to_string(),
                    "ppid" => parent(sight, process).to_string(),
                    "user" | "uid" => user(process).to_owned(),
                    "comm" => process.name.clone(),
                    "rss" => (process.rss / 1_024).to_string(),
                    "nlwp" => process.threads.to_string(),
                    "cgroup" => format!("0::{}", sight.place.group_path(&process.group)),
                    "pidns" => process
                        .namespaces
                        .of(crate::substrate::namespace::Kind::Pid)
                        .to_string(),
                    _ => command(process),
                })
                .collect(),
        );
    }
    Output::text(table.kubectl(true))
}
