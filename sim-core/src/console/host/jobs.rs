//! Background jobs, loops over a list, and signals, as far as scripts inside containers use them.

use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::base::time::SimDuration;
use crate::console::Output;
use crate::engine::command::ProcessAct;
use crate::substrate::errno::Errno;

use super::procfs;
use super::shell::{Outcome, Wish};
use super::sight::Sight;

/// Turns of a loop before this shell gives up.
const TURNS_MAX: usize = 1_000;

/// A script without its loops over a list: `for i in $(seq 3); do …; done` is its body three times.
pub fn unrolled(text: &str) -> String {
    let Some((before, rest)) = text.split_once("for ") else {
        return text.to_owned();
    };
    let parts = rest.split_once(" in ").and_then(|(name, rest)| {
        let (list, rest) = rest.split_once(';')?;
        let body = rest.trim_start().strip_prefix("do ")?;
        let (body, after) = body.split_once("done")?;
        Some((
            name.trim(),
            list.trim(),
            body.trim().trim_end_matches(';'),
            after,
        ))
    });
    let Some((name, list, body, after)) = parts else {
        return text.to_owned();
    };
    let counted = list
        .trim_start_matches("$(")
        .trim_end_matches(')')
        .trim_matches('`')
        .strip_prefix("seq ")
        .map(|words| {
            let numbers: Vec<u64> = words
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect();
            match numbers.as_slice() {
                [last] => (1..=*last).collect::<Vec<u64>>(),
                [first, last] => (*first..=*last).collect(),
                _ => Vec::new(),
            }
        });
    let values: Vec<String> = match counted {
        Some(numbers) => numbers.iter().take(TURNS_MAX).map(u64::to_string).collect(),
        None => list
            .split_whitespace()
            .take(TURNS_MAX)
            .map(str::to_owned)
            .collect(),
    };
    let mut whole = before.to_owned();
    for value in values {
        let turn = body
            .replace(&format!("${{{name}}}"), &value)
            .replace(&format!("${name}"), &value);
        whole.push_str(&turn);
        whole.push_str(if turn.ends_with('&') { "\n" } else { ";\n" });
    }
    whole.push_str(after.trim_start_matches(';'));
    whole
}

/// Splits a script at single ampersands outside of quotes: each part, and whether it is left behind.
pub fn parts(text: &str) -> Vec<(String, bool)> {
    let mut all = Vec::new();
    let mut part = String::new();
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('&', None) if letters.peek() == Some(&'&') => {
                letters.next();
                part.push('&');
            }
            ('&', None) if part.ends_with('>') => {}
            ('&', None) => {
                // Only the last command of a list goes to the background.
                let at = part.rfind([';', '\n']).map_or(0, |at| at + 1);
                let last = part.split_off(at);
                if !part.trim().is_empty() {
                    all.push((std::mem::take(&mut part), false));
                }
                part.clear();
                all.push((last.trim().to_owned(), true));
                continue;
            }
            _ => {}
        }
        part.push(letter);
    }
    let rest = part.trim().trim_start_matches(';').trim();
    if !rest.is_empty() {
        all.push((rest.to_owned(), false));
    }
    all
}

/// Whether a command goes on until it is stopped or its time is over.
pub fn stays(name: &str) -> bool {
    matches!(name, "sleep" | "tail" | "yes" | "watch" | "top" | "nc")
}

/// Leaves a command behind.
///
/// # Errors
/// The shell's complaint that it cannot fork.
pub fn leave(sight: &Sight<'_>, line: &str) -> Result<Wish, Outcome> {
    let words: Vec<Arc<str>> = line.split_whitespace().map(Arc::from).collect();
    let refused = |error: Errno| -> Outcome {
        Output::error(2, format!("sh: can't fork: {}", error.text())).into()
    };
    let Some(container) = sight.inside else {
        return Err(Output::error(1, catalogue::JOBS_OF_MACHINE.plain()).into());
    };
    let machines = &sight.place.world.substrate;
    let most = machines.pids_max(container).unwrap_or(u64::MAX);
    let now = 2 + machines.tasks_beside(container, sight.place.now) + sight.left.get();
    let span = match (words.first().map(|word| &**word), words.get(1)) {
        (Some("sleep"), Some(time)) => time.parse::<u64>().ok().map(SimDuration::from_secs),
        (Some("true" | "false" | "echo" | "touch"), _) => Some(SimDuration::from_millis(1)),
        _ => None,
    };
    let wish = Wish::Process {
        container,
        act: ProcessAct::Leave {
            command: words.into(),
            span,
        },
    };
    if now >= most {
        let mut outcome = refused(Errno::Again);
        outcome.wishes.push(wish);
        return Err(outcome);
    }
    sight.left.set(sight.left.get() + 1);
    Ok(wish)
}

/// `kill [-SIGNAL] PID…` inside a container.
pub fn kill(sight: &Sight<'_>, words: &[&str]) -> Option<Outcome> {
    const SIGNALS: [(&str, u8); 7] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("KILL", 9),
        ("USR1", 10),
        ("USR2", 12),
        ("TERM", 15),
    ];
    sight.inside?;
    let mut signal = 15;
    let mut outcome = Outcome::default();
    let all = procfs::visible(sight);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let named = match *word {
            "-s" => rest.next().copied(),
            word => word.strip_prefix('-'),
        };
        if let Some(named) = named {
            let plain = named.trim_start_matches("SIG");
            let known = SIGNALS
                .iter()
                .find(|(name, _)| *name == plain)
                .map(|(_, number)| *number);
            match known.or_else(|| plain.parse().ok()) {
                Some(number) => signal = number,
                None => {
                    return Some(
                        Output::error(1, format!("sh: kill: bad signal name '{named}'")).into(),
                    );
                }
            }
            continue;
        }
        let there = word.parse::<u32>().ok().and_then(|pid| {
            let found = all.iter().find(|process| process.inner == pid)?;
            // Numbers beside the first process of its own container.
            let container = found.container?;
            let beside = all.iter().filter(|one| one.container == Some(container));
            let first = beside.map(|one| one.inner).min()?;
            Some((container, pid - first + 1))
        });
        match there {
            Some((container, inner)) => outcome.wishes.push(Wish::Process {
                container,
                act: ProcessAct::Signal { inner, signal },
            }),
            None => {
                outcome.output.stderr.push(format!(
                    "sh: can't kill pid {word}: {}\n",
                    Errno::NoProcess.text()
                ));
                outcome.output.code = 1;
            }
        }
    }
    Some(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_unrolled_and_jobs_are_split() {
        assert_eq!(
            unrolled("for i in $(seq 2); do sleep 1$i & done; ps").trim(),
            "sleep 11 &\nsleep 12 &\n ps"
        );
        let split = parts("sleep 5 & echo a && echo b");
        assert_eq!(
            split,
            [
                ("sleep 5".to_owned(), true),
                ("echo a && echo b".to_owned(), false)
            ]
        );
        assert_eq!(parts("echo 'a & b'").len(), 1);
    }
}
