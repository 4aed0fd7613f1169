//! What an editor offers in the fault script and in the cluster's description: words of their
//! grammars and names of what is there, and what a word means.

use crate::console::{Session, cluster};
use crate::engine::command::FaultKind;
use crate::protocol::{Answer, FAULTS, File, Said, Word};

use super::assist::{byte_of, utf16_of};
use super::view;

/// Words that are offered at most.
const WORDS_MAX: usize = 200;

/// Keys of a machine's words, with the values that are known beforehand.
const KEYS: [(&str, &str); 14] = [
    ("cpu", ""),
    ("memory", ""),
    ("disk", ""),
    ("swap", ""),
    ("zone", ""),
    ("label.", ""),
    ("taint", ""),
    ("cgroup", "v1 v2"),
    ("cgroup-driver", "systemd cgroupfs"),
    ("runtime", "containerd crio runc crun runsc kata"),
    ("network", "bridge overlay routed"),
    ("role", "manager worker control-plane"),
    ("image.", ""),
    ("allocatable.", ""),
];

/// What can be written at `offset`.
pub fn complete(session: &Session, file: &File, offset: u32) -> Answer {
    let at = byte_of(&file.text, offset);
    let start = file.text[..at].rfind('\n').map_or(0, |found| found + 1);
    let before = &file.text[start..at];
    let word = before
        .rfind([' ', '=', ',', '|'])
        .map_or(0, |found| found + 1);
    let typed = &before[word..];
    let given: Vec<&str> = before[..word].split_whitespace().collect();
    let mut words = if file.name == FAULTS {
        of_faults(session, &given)
    } else {
        of_cluster(session, &given, before[..word].ends_with('='))
    };
    words.retain(|word| word.label.starts_with(typed));
    words.truncate(WORDS_MAX);
    if words.is_empty() {
        return Answer::Nothing;
    }
    Answer::Words {
        from: utf16_of(&file.text, start + word),
        words,
    }
}

/// What the word at `offset` means.
pub fn hover(session: &Session, file: &File, offset: u32) -> Answer {
    let text = &file.text;
    let at = byte_of(text, offset);
    let is_end = |letter: char| letter.is_whitespace();
    let from = text[..at].rfind(is_end).map_or(0, |found| found + 1);
    let to = text[at..]
        .find(is_end)
        .map_or(text.len(), |found| at + found);
    let word = &text[from..to];
    let lines = if file.name == FAULTS {
        let kind = FaultKind::ALL.into_iter().find(|(_, name)| *name == word);
        kind.map(|(_, name)| {
            let meaning = ("meaning", does(name));
            vec![Said::own("word-means", [("word", name.into()), meaning])]
        })
    } else {
        let line = cluster::WORDS.into_iter().find(|name| *name == word);
        let line = line.map(|name| {
            let meaning = ("meaning", line_is(name));
            vec![Said::own("line-means", [("word", name.into()), meaning])]
        });
        line.or_else(|| {
            let worlds = session.history.lab().worlds.iter();
            let mut known = worlds.flat_map(|world| {
                let settings = world.settings().into_iter();
                settings.map(|(key, value)| (key, value, world.orchestrator.name()))
            });
            let (key, value, orchestrator) = known.find(|(key, ..)| *key == word)?;
            let value = ("value", value.as_str().into());
            let of = ("orchestrator", orchestrator.into());
            Some(vec![
                (*key).into(),
                Said::own("setting-now", [value]),
                Said::own("setting-of", [of]),
            ])
        })
    };
    match lines {
        Some(lines) => Answer::Meaning {
            from: utf16_of(text, from),
            to: utf16_of(text, to),
            lines,
        },
        None => Answer::Nothing,
    }
}

/// What a fault of this kind does, in the page's words.
fn does(kind: &str) -> Said {
    Said::own(&format!("does-{kind}"), [])
}

/// What a line of the cluster's description that begins with this word is.
fn line_is(word: &str) -> Said {
    Said::own(&format!("line-{word}"), [])
}

fn word(label: impl Into<String>, detail: Said) -> Word {
    let label = label.into();
    Word {
        text: label.clone(),
        label,
        detail,
    }
}

/// A word without an explanation.
fn bare(label: impl Into<String>) -> Word {
    word(label, Said::default())
}

fn of_faults(session: &Session, given: &[&str]) -> Vec<Word> {
    let Some(kind_word) = given.first() else {
        let kinds = FaultKind::ALL.iter();
        return kinds.map(|(_, name)| word(*name, does(name))).collect();
    };
    let known = FaultKind::ALL
        .into_iter()
        .find(|(_, name)| name == kind_word);
    let Some((kind, _)) = known else {
        return Vec::new();
    };
    let times = |times: [&str; 3]| times.map(bare).to_vec();
    match given.last() {
        Some(&"at") => return times(["30s", "60s", "5m"]),
        Some(&"for") => return times(["10s", "30s", "2m"]),
        _ => {}
    }
    if kind.needs_target() && given.len() == 1 {
        return targets(session, kind);
    }
    let amount = match kind {
        FaultKind::CpuHog => "cores=",
        FaultKind::MemoryLeak | FaultKind::RegistrySlow => "rate=",
        FaultKind::DiskFill => "size=",
        FaultKind::EtcdSlow | FaultKind::ApiserverSlow => "delay=",
        FaultKind::WatchStale => "lag=",
        _ => "",
    };
    let all = [
        ("at", "is-when"),
        ("for", "is-how-long"),
        (amount, "is-how-much"),
    ];
    all.into_iter()
        .filter(|(name, _)| !name.is_empty() && !given.iter().any(|word| word.starts_with(name)))
        .map(|(name, key)| word(name, Said::own(key, [])))
        .collect()
}

fn targets(session: &Session, kind: FaultKind) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut add = |label: String, key: &str| {
        if !words.iter().any(|word| word.label == label) && words.len() < WORDS_MAX {
            words.push(word(label, Said::own(key, [])));
        }
    };
    for world in &session.history.lab().worlds {
        let name = |symbol| world.symbols.text(symbol).to_owned();
        let machines = || world.substrate.machines().take(WORDS_MAX);
        match kind {
            FaultKind::ZoneOutage => {
                for zone in machines().filter_map(|(_, row)| row.zone) {
                    add(name(zone), "is-zone");
                }
            }
            FaultKind::ControllerRestart | FaultKind::ImageMissing => {}
            FaultKind::PodKill
            | FaultKind::ContainerKill
            | FaultKind::Oom
            | FaultKind::MemoryLeak => {
                for workload in world.workloads().iter().take(WORDS_MAX) {
                    add(format!("of:{}", workload.name), "is-replica-of");
                }
                if world.substrate.sandboxes().take(WORDS_MAX).count() < WORDS_MAX {
                    for unit in view::units(world) {
                        add(unit.name, "is-replica");
                    }
                }
            }
            _ => {
                for (_, row) in machines() {
                    add(name(row.name), "is-machine");
                }
                for workload in world.workloads().iter().take(WORDS_MAX) {
                    add(format!("of:{}", workload.name), "is-machine-of");
                }
            }
        }
    }
    words
}

fn of_cluster(session: &Session, given: &[&str], is_value: bool) -> Vec<Word> {
    match given {
        [] => cluster::WORDS
            .map(|name| word(name, line_is(name)))
            .to_vec(),
        ["set"] => {
            let mut words: Vec<Word> = Vec::new();
            for world in &session.history.lab().worlds {
                let settings = world.settings().into_iter();
                words.extend(settings.map(|(key, value)| word(key, Said::Plain(value))));
            }
            words
        }
        ["worker" | "node", .., last] if is_value => {
            let key = last.trim_end_matches('=');
            let known = KEYS.iter().find(|(name, _)| *name == key);
            let values = known.map_or("", |(_, values)| values);
            values.split_whitespace().map(bare).collect()
        }
        ["node"] => Vec::new(),
        ["worker", ..] | ["node", _, ..] => KEYS
            .iter()
            .map(|(key, values)| {
                let sign = if key.ends_with('.') { "" } else { "=" };
                word(format!("{key}{sign}"), (*values).into())
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Seed;
    use crate::console::open::{Experiment, open};

    fn session() -> Session {
        let mut experiment = Experiment::new(Seed(1));
        let text = include_str!("../../../examples/poll/compose.yaml");
        experiment
            .files
            .push(("compose.yaml".to_owned(), text.into()));
        let mut opened = open(&experiment).expect("it opens");
        opened.deploy();
        opened.session.run("sim advance 60s");
        opened.session
    }

    fn offered(name: &str, text: &str) -> Vec<String> {
        let file = File {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        match complete(&session(), &file, utf16_of(text, text.len())) {
            Answer::Words { words, .. } => words.into_iter().map(|word| word.label).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn faults_are_offered_word_by_word() {
        assert_eq!(offered(FAULTS, "# 註解\nnode-r"), ["node-reboot"]);
        assert!(offered(FAULTS, "node-crash ").contains(&"worker-1".to_owned()));
        assert!(offered(FAULTS, "node-crash of:p").contains(&"of:poll".to_owned()));
        assert!(offered(FAULTS, "pod-kill ").contains(&"app-poll-1".to_owned()));
        assert_eq!(
            offered(FAULTS, "cpu-hog worker-1 "),
            ["at", "for", "cores="]
        );
        assert_eq!(
            offered(FAULTS, "cpu-hog worker-1 at 5s "),
            ["for", "cores="]
        );
        assert_eq!(offered(FAULTS, "no-such "), [""; 0]);
    }

    #[test]
    fn the_cluster_is_offered_word_by_word() {
        assert_eq!(offered(cluster::FILE, "no"), ["nodes", "node"]);
        assert_eq!(offered(cluster::FILE, "worker me"), ["memory="]);
        assert_eq!(offered(cluster::FILE, "worker cpu=2 runtime=cri"), ["crio"]);
        assert_eq!(offered(cluster::FILE, "node "), [""; 0]);
    }

    #[test]
    fn a_word_is_explained() {
        let file = File {
            name: FAULTS.to_owned(),
            text: "# 註解\nnode-crash worker-1".to_owned(),
        };
        let Answer::Meaning { from, to, lines } = hover(&session(), &file, 6) else {
            panic!("nothing")
        };
        assert_eq!((from, to), (5, 15));
        let meaning = ("meaning", Said::own("does-node-crash", []));
        let parts = [("word", "node-crash".into()), meaning];
        assert_eq!(lines, [Said::own("word-means", parts)]);
    }
}
