//! Namespaces on the command line: `lsns` and `nsenter`.

use crate::base::sentence::catalogue;
use crate::base::sorted::SortedMap;
use crate::console::table::Table;
use crate::console::{Output, after};
use crate::substrate::namespace::Kind;
use crate::substrate::process::Process;

use super::place::Place;
use super::procfs;
use super::shell::{self, Outcome};
use super::sight::Sight;

/// The first process that this one can see.
pub fn first(sight: &Sight<'_>) -> Option<Process> {
    let all = procfs::visible(sight);
    match sight.inside {
        None => all.into_iter().next(),
        Some(container) => all
            .into_iter()
            .find(|process| process.container == Some(container)),
    }
}

/// `lsns [-t TYPE] [-p PID]`.
pub fn lsns(sight: &Sight<'_>, words: &[&str]) -> Output {
    let after = |short: &str, long: &str| {
        words
            .iter()
            .position(|word| *word == short || *word == long)
            .and_then(|at| words.get(at + 1))
            .copied()
    };
    let wanted = match after("-t", "--type") {
        None => None,
        Some(name) => match Kind::ALL.into_iter().find(|kind| kind.name() == name) {
            Some(kind) => Some(kind),
            None => return Output::error(1, format!("lsns: unknown namespace type: {name}")),
        },
    };
    let of = after("-p", "--task").and_then(|text| text.parse::<u32>().ok());
    // Namespace → number of processes and the one with the lowest number.
    let mut found: SortedMap<(u32, Kind), (u32, Process)> = SortedMap::new();
    for process in procfs::visible(sight) {
        if of.is_some_and(|pid| procfs::number(sight, &process) != pid) {
            continue;
        }
        for kind in Kind::ALL {
            if wanted.is_some_and(|wanted| wanted != kind) {
                continue;
            }
            let entry = found
                .entry((process.namespaces.of(kind), kind))
                .or_insert_with(|| (0, process.clone()));
            entry.0 += 1;
        }
    }
    let mut table = Table::new(&["NS", "TYPE", "NPROCS", "PID", "USER", "COMMAND"]);
    for ((number, kind), (count, process)) in found {
        table.rows.push(vec![
            number.to_string(),
            kind.name().to_owned(),
            count.to_string(),
            procfs::number(sight, &process).to_string(),
            if process.uid == 0 { "root" } else { "65535" }.to_owned(),
            process.command.join(" "),
        ]);
    }
    Output::text(table.kubectl(true))
}

/// `nsenter -t PID [-m] [-u] [-i] [-n] [-p] [-a] COMMAND`: joins another process's namespaces. What
/// the command sees is the target's for the kinds that are joined, and the machine's for the rest.
pub fn nsenter(place: &Place<'_>, words: &[String], input: &str) -> Option<Outcome> {
    let mut target = None;
    let mut kinds: Vec<Kind> = Vec::new();
    let mut file = "";
    let mut index = 0;
    while index < words.len() {
        let word = words[index].as_str();
        let mut add = |kind: Kind| kinds.push(kind);
        match word {
            "-t" | "--target" => {
                index += 1;
                target = words.get(index).and_then(|text| text.parse::<u32>().ok());
            }
            "--all" => Kind::ALL.into_iter().for_each(add),
            "--mount" => add(Kind::Mount),
            "--uts" => add(Kind::Uts),
            "--ipc" => add(Kind::Ipc),
            "--net" | "--network" => add(Kind::Net),
            "--pid" => add(Kind::Pid),
            "--cgroup" => add(Kind::Cgroup),
            "--" => {
                index += 1;
                break;
            }
            _ if word.starts_with("--net=") || word.starts_with("-n/") => {
                file = word.split_once('=').map_or(&word[2..], |(_, path)| path);
            }
            _ if word.starts_with("-t") && word.len() > 2 => target = word[2..].parse().ok(),
            _ if word.starts_with("--target=") => target = word[9..].parse().ok(),
            _ if word.starts_with('-') && !word.starts_with("--") => {
                for flag in word[1..].chars() {
                    match flag {
                        'a' => Kind::ALL.into_iter().for_each(&mut add),
                        'm' => add(Kind::Mount),
                        'u' => add(Kind::Uts),
                        'i' => add(Kind::Ipc),
                        'n' => add(Kind::Net),
                        'p' => add(Kind::Pid),
                        'C' => add(Kind::Cgroup),
                        'T' => add(Kind::Time),
                        'U' => add(Kind::User),
                        other => {
                            return Some(
                                Output::error(1, format!("nsenter: invalid option -- '{other}'"))
                                    .into(),
                            );
                        }
                    }
                }
            }
            _ => break,
        }
        index += 1;
    }
    if !file.is_empty() {
        return Some(in_namespace(
            place,
            file,
            &words[index.min(words.len())..],
            input,
        ));
    }
    let Some(pid) = target else {
        return Some(Output::error(1, "nsenter: no target PID specified").into());
    };
    let process = place
        .processes()
        .into_iter()
        .find(|process| process.pid == pid && !process.guest);
    let Some(process) = process else {
        return Some(
            Output::error(
                1,
                format!("nsenter: cannot open /proc/{pid}/ns/mnt: No such file or directory"),
            )
            .into(),
        );
    };
    let command = &words[index.min(words.len())..];
    if command.is_empty() {
        return Some(Output::error(1, after("nsenter: ", catalogue::NAME_COMMAND.plain())).into());
    }
    let container = process.container.or_else(|| {
        // What holds a sandbox's namespaces has none of its own; its containers share its network.
        let sandbox = process.sandbox?;
        let mut all = place.world.substrate.containers_in(sandbox);
        all.next().map(|(id, _)| id)
    });
    let inside = match container {
        Some(container) => Sight::container(place, container),
        None => Sight::machine(place),
    };
    let outside = Sight::machine(place);
    let name = command[0].as_str();
    let joined = |kind: Kind| kinds.contains(&kind);
    // Files under /proc and /sys come with the mount table; a network command needs the network.
    let sight = match name {
        "ip" | "iptables-save" | "iptables" | "ss" if joined(Kind::Net) => inside,
        "hostname" | "uname" if joined(Kind::Uts) => inside,
        "ip" | "iptables-save" | "iptables" | "ss" | "hostname" | "uname" => outside,
        _ if joined(Kind::Mount) => inside,
        _ => outside,
    };
    shell::run(&sight, command, input)
}

/// A command in a network namespace that the engine keeps as a file. Modelled are the containers'
/// and, with `ipvsadm`, the load balancers'.
fn in_namespace(place: &Place<'_>, path: &str, command: &[String], input: &str) -> Outcome {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let missing = || {
        Outcome::from(Output::error(
            1,
            format!("nsenter: cannot open {path}: No such file or directory"),
        ))
    };
    let Some(name) = super::ipvs::namespace_of(path) else {
        return missing();
    };
    let known = super::networks::namespaces(place);
    if !known.stdout.lines().any(|line| line == name) {
        return missing();
    }
    if let ["ipvsadm", rest @ ..] = words.as_slice() {
        return super::ipvs::run(place, Some(name), rest).into();
    }
    let machines = &place.world.substrate;
    let container = place
        .units
        .iter()
        .find(|(_, unit)| unit.id.starts_with(name))
        .and_then(|(sandbox, _)| machines.containers_in(*sandbox).next())
        .map(|(id, _)| id);
    let sight = match container {
        Some(container) => Sight::container(place, container),
        None if name == "default" => Sight::machine(place),
        None => {
            return Output::error(
                1,
                catalogue::IN_NAMESPACE.with(&[("command", &words.join(" ")), ("name", &name)]),
            )
            .into();
        }
    };
    shell::run(&sight, command, input)
        .unwrap_or_else(|| Output::error(127, format!("{}: not found", words.join(" "))).into())
}
