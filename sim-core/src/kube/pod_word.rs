//! The word that sums a pod up: STATUS in kubectl's table, and what the page writes on a replica.
//! Source: `pkg/printers/internalversion/printers.go` (`printPod`).

use std::borrow::Cow;

/// What of a pod the word depends on.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'a> {
    /// `status.phase`.
    pub phase: &'a str,
    /// `status.reason`; empty: none.
    pub reason: &'a str,
    /// Whether condition PodScheduled has the reason SchedulingGated.
    pub gated: bool,
    /// Whether condition Initialized is True.
    pub initialized: bool,
    /// Whether condition Ready is True.
    pub ready: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Init containers, sidecars among them, of the specification.
    pub inits: usize,
}

/// What a container does.
#[derive(Clone, Copy, Debug)]
pub enum Doing<'a> {
    /// It waits, for a reason; empty: none is given.
    Waiting(&'a str),
    /// It runs.
    Running,
    /// It has ended.
    Ended {
        /// Reason; empty: none is given.
        reason: &'a str,
        /// Signal; 0: none.
        signal: i64,
        /// Exit code.
        exit_code: i64,
    },
}

/// What of a container the word depends on.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    /// Its state.
    pub doing: Doing<'a>,
    /// `ready`.
    pub ready: bool,
    /// `started`.
    pub started: bool,
    /// Whether it is an init container that is always restarted.
    pub sidecar: bool,
}

/// Why a container ended: its reason, or its signal or exit code.
fn ending<'a>(reason: &'a str, signal: i64, exit_code: i64) -> Cow<'a, str> {
    match (reason, signal) {
        ("", 0) => format!("ExitCode:{exit_code}").into(),
        ("", signal) => format!("Signal:{signal}").into(),
        (reason, _) => reason.into(),
    }
}

/// The word, and the init container that the others wait for, if one is not done. `inits` and
/// `containers` are the statuses that the kubelet has written, in order.
pub fn word<'a>(
    pod: &Pod<'a>,
    inits: impl Iterator<Item = Container<'a>>,
    containers: impl DoubleEndedIterator<Item = Container<'a>>,
) -> (Cow<'a, str>, Option<usize>) {
    let mut word = Cow::Borrowed(match pod.reason {
        _ if pod.gated => "SchedulingGated",
        "" => pod.phase,
        reason => reason,
    });
    let mut waits_for = None;
    for (index, one) in inits.enumerate() {
        let undone = match one.doing {
            Doing::Ended { exit_code: 0, .. } => continue,
            _ if one.sidecar && one.started => continue,
            Doing::Ended {
                reason,
                signal,
                exit_code,
            } => ending(reason, signal, exit_code),
            Doing::Waiting(reason) if !matches!(reason, "" | "PodInitializing") => reason.into(),
            Doing::Waiting(_) | Doing::Running => format!("{index}/{}", pod.inits).into(),
        };
        word = format!("Init:{undone}").into();
        waits_for = Some(index);
        break;
    }
    if waits_for.is_none() || pod.initialized {
        let mut running = false;
        let mut failed = None;
        for one in containers.rev() {
            match one.doing {
                Doing::Waiting("") => {}
                Doing::Waiting(reason) => word = reason.into(),
                Doing::Ended {
                    reason,
                    signal,
                    exit_code,
                } => {
                    word = ending(reason, signal, exit_code);
                    if exit_code != 0 {
                        failed = Some(word.clone());
                    }
                }
                Doing::Running => running |= one.ready,
            }
        }
        if word == "Completed" {
            if running && pod.ready {
                word = "Running".into();
            } else if let Some(failed) = failed {
                word = failed;
            } else if running {
                word = "NotReady".into();
            }
        }
    }
    if pod.deleting {
        if pod.reason == "NodeLost" {
            word = "Unknown".into();
        } else if !matches!(pod.phase, "Succeeded" | "Failed") {
            word = "Terminating".into();
        }
    }
    (word, waits_for)
}
