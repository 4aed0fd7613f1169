//! READY, STATUS and RESTARTS of a pod. Source: `pkg/printers/internalversion/printers.go` `printPod`.

use crate::base::time::SimTime;
use crate::manifest::value::Value;

use super::clock;

/// What the columns show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodStatus {
    /// `1/1`.
    pub ready: String,
    /// `Running`.
    pub status: String,
    /// `3 (5m ago)`.
    pub restarts: String,
}

/// Items of a list, none if it is absent.
pub fn items<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.path(path).and_then(Value::as_list).unwrap_or(&[])
}

/// Whether a condition has this status.
pub fn condition(object: &Value, kind: &str, status: &str) -> bool {
    items(object, &["status", "conditions"])
        .iter()
        .any(|one| one.str_at(&["type"]) == Some(kind) && one.str_at(&["status"]) == Some(status))
}

#[derive(Default)]
struct Restarts {
    count: i64,
    last: Option<(i64, String)>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count += status.i64_at(&["restartCount"]).unwrap_or(0);
        if let Some(text) = status.str_at(&["lastState", "terminated", "finishedAt"])
            && let Some(at) = clock::unix(text)
            && self.last.as_ref().is_none_or(|(last, _)| at > *last)
        {
            self.last = Some((at, text.to_owned()));
        }
    }
}

/// Why a container ended: its reason, or its signal or exit code.
fn ending(ended: &Value) -> String {
    match (
        ended.str_at(&["reason"]).unwrap_or(""),
        ended.i64_at(&["signal"]).unwrap_or(0),
    ) {
        ("", 0) => format!("ExitCode:{}", ended.i64_at(&["exitCode"]).unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// The columns of one pod.
pub fn pod_status(pod: &Value, now: SimTime) -> PodStatus {
    let mut total = items(pod, &["spec", "containers"]).len();
    let mut ready = 0;
    let mut restarts = Restarts::default();
    let mut sidecar_restarts = Restarts::default();
    let phase = pod.str_at(&["status", "phase"]).unwrap_or("");
    let mut status = pod
        .str_at(&["status", "reason"])
        .filter(|reason| !reason.is_empty())
        .unwrap_or(phase)
        .to_owned();
    for one in items(pod, &["status", "conditions"]) {
        if one.str_at(&["type"]) == Some("PodScheduled")
            && one.str_at(&["reason"]) == Some("SchedulingGated")
        {
            status = "SchedulingGated".to_owned();
        }
    }
    let specs = items(pod, &["spec", "initContainers"]);
    let sidecar = |name: Option<&str>| {
        specs.iter().any(|spec| {
            spec.str_at(&["name"]) == name && spec.str_at(&["restartPolicy"]) == Some("Always")
        })
    };
    total += specs
        .iter()
        .filter(|spec| spec.str_at(&["restartPolicy"]) == Some("Always"))
        .count();
    let mut initializing = false;
    for (index, one) in items(pod, &["status", "initContainerStatuses"])
        .iter()
        .enumerate()
    {
        restarts.add(one);
        let restartable = sidecar(one.str_at(&["name"]));
        if restartable {
            sidecar_restarts.add(one);
        }
        let ended = one.path(&["state", "terminated"]);
        if ended.is_some_and(|ended| ended.i64_at(&["exitCode"]).unwrap_or(0) == 0) {
            continue;
        }
        if restartable && one.get("started").and_then(Value::as_bool) == Some(true) {
            ready += usize::from(one.get("ready").and_then(Value::as_bool) == Some(true));
            continue;
        }
        status = match (ended, one.str_at(&["state", "waiting", "reason"])) {
            (Some(ended), _) => format!("Init:{}", ending(ended)),
            (None, Some(reason)) if !reason.is_empty() && reason != "PodInitializing" => {
                format!("Init:{reason}")
            }
            _ => format!("Init:{index}/{}", specs.len()),
        };
        initializing = true;
        break;
    }
    if !initializing || condition(pod, "Initialized", "True") {
        restarts = sidecar_restarts;
        let mut running = false;
        let mut failed = None;
        for one in items(pod, &["status", "containerStatuses"]).iter().rev() {
            restarts.add(one);
            let waiting = one
                .str_at(&["state", "waiting", "reason"])
                .filter(|reason| !reason.is_empty());
            if let Some(reason) = waiting {
                status = reason.to_owned();
            } else if let Some(ended) = one.path(&["state", "terminated"]) {
                status = ending(ended);
                if ended.i64_at(&["exitCode"]).unwrap_or(0) != 0 {
                    failed = Some(status.clone());
                }
            } else if one.get("ready").and_then(Value::as_bool) == Some(true)
                && one.path(&["state", "running"]).is_some()
            {
                running = true;
                ready += 1;
            }
        }
        if status == "Completed" {
            if running && condition(pod, "Ready", "True") {
                status = "Running".to_owned();
            } else if let Some(failed) = failed {
                status = failed;
            } else if running {
                status = "NotReady".to_owned();
            }
        }
    }
    if pod.path(&["metadata", "deletionTimestamp"]).is_some() {
        if pod.str_at(&["status", "reason"]) == Some("NodeLost") {
            status = "Unknown".to_owned();
        } else if phase != "Succeeded" && phase != "Failed" {
            status = "Terminating".to_owned();
        }
    }
    let ago = restarts
        .last
        .as_ref()
        .filter(|_| restarts.count > 0)
        .map(|(_, text)| format!(" ({} ago)", clock::age(Some(text), now)));
    PodStatus {
        ready: format!("{ready}/{total}"),
        status,
        restarts: format!("{}{}", restarts.count, ago.unwrap_or_default()),
    }
}
