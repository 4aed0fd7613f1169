//! Hooks of a container's life: how long they take and whether they succeed.
//!
//! A hook that runs a command takes what the command's pauses take; what it asks of a server is
//! answered at once. Source: `pkg/kubelet/lifecycle/handlers.go`.

use crate::api::kube::probe::Hook;
use crate::base::time::SimDuration;
use crate::substrate::script::{Script, Shell, Status, Word};

/// What a hook does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookRun {
    /// How long it takes.
    pub span: SimDuration,
    /// Whether it fails at its end.
    pub fails: bool,
    /// Whether whoever waits for it can give up: it is a command or a pause.
    pub ends_early: bool,
}

impl HookRun {
    /// Whether nothing of it is seen.
    pub fn is_nothing(self) -> bool {
        self.span.is_zero() && !self.fails
    }
}

/// What a hook does; nothing when there is none.
pub fn run(hook: Option<&Hook>) -> HookRun {
    match hook {
        Some(Hook::Sleep { seconds }) => HookRun {
            span: SimDuration::from_secs(u64::from(*seconds)),
            fails: false,
            ends_early: true,
        },
        Some(Hook::Exec { command }) => {
            let words: Vec<&str> = command.iter().map(AsRef::as_ref).collect();
            follow(&Script::of_command(&words, &[]))
        }
        Some(Hook::HttpGet { .. }) | None => HookRun::default(),
    }
}

fn follow(script: &Script) -> HookRun {
    let mut shell = Shell::new(script, SimDuration::ZERO);
    while let Some(command) = shell.command() {
        let (status, took) = match command.word {
            Word::Sleep(pause) => (Status::Ended(0), pause),
            Word::Exit(code) => {
                shell.exit(code);
                continue;
            }
            Word::Status(code) => (Status::Ended(code), SimDuration::ZERO),
            // It runs until the grace is over.
            Word::Forever => match shell.left() {
                Some(left) => (Status::Ended(0), left),
                None => {
                    return HookRun {
                        span: SimDuration::from_secs(u64::from(u32::MAX)),
                        fails: false,
                        ends_early: true,
                    };
                }
            },
            Word::Program | Word::Unknown if command.asked => (Status::Unknown, SimDuration::ZERO),
            // Files of the container, servers and clients of its program: taken to be as the author
            // meant.
            _ => (Status::Ended(0), SimDuration::ZERO),
        };
        shell.ended(status, took);
    }
    HookRun {
        span: shell.at,
        fails: shell.status().code() != 0,
        ends_early: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(words: &[&str]) -> HookRun {
        run(Some(&Hook::Exec {
            command: words.iter().map(|word| (*word).into()).collect(),
        }))
    }

    #[test]
    fn a_hook_takes_its_pauses_and_fails_with_its_last_command() {
        assert_eq!(exec(&["sleep", "15"]).span, SimDuration::from_secs(15));
        let quit = exec(&["sh", "-c", "sleep 5; nginx -s quit"]);
        assert_eq!((quit.span, quit.fails), (SimDuration::from_secs(5), false));
        assert!(exec(&["sh", "-c", "sleep 1 && exit 3"]).fails);
        assert!(exec(&["false"]).fails);
        assert!(run(None).is_nothing());
    }
}
