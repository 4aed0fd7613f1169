//! READY, STATUS and RESTARTS of a pod. Source: `pkg/printers/internalversion/printers.go` `printPod`.

use crate::base::time::SimTime;
use crate::kube::pod_word::{self, Container, Doing};
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

/// What a container's status says, as far as the word is concerned.
fn container<'a>(status: &'a Value, sidecars: &[&str]) -> Container<'a> {
    let is_true = |key: &str| status.get(key).and_then(Value::as_bool) == Some(true);
    let ended = status.path(&["state", "terminated"]);
    let waiting = status.str_at(&["state", "waiting", "reason"]).unwrap_or("");
    let doing = match ended {
        _ if !waiting.is_empty() => Doing::Waiting(waiting),
        Some(ended) => Doing::Ended {
            reason: ended.str_at(&["reason"]).unwrap_or(""),
            signal: ended.i64_at(&["signal"]).unwrap_or(0),
            exit_code: ended.i64_at(&["exitCode"]).unwrap_or(0),
        },
        None if status.path(&["state", "running"]).is_some() => Doing::Running,
        None => Doing::Waiting(""),
    };
    let name = status.str_at(&["name"]).unwrap_or("");
    Container {
        doing,
        ready: is_true("ready"),
        started: is_true("started"),
        sidecar: sidecars.contains(&name),
    }
}

/// The columns of one pod.
pub fn pod_status(pod: &Value, now: SimTime) -> PodStatus {
    let phase = pod.str_at(&["status", "phase"]).unwrap_or("");
    let specs = items(pod, &["spec", "initContainers"]);
    let sidecars: Vec<&str> = specs
        .iter()
        .filter(|spec| spec.str_at(&["restartPolicy"]) == Some("Always"))
        .map(|spec| spec.str_at(&["name"]).unwrap_or(""))
        .collect();
    let seen = pod_word::Pod {
        phase,
        reason: pod.str_at(&["status", "reason"]).unwrap_or(""),
        gated: items(pod, &["status", "conditions"]).iter().any(|one| {
            one.str_at(&["type"]) == Some("PodScheduled")
                && one.str_at(&["reason"]) == Some("SchedulingGated")
        }),
        initialized: condition(pod, "Initialized", "True"),
        ready: condition(pod, "Ready", "True"),
        deleting: pod.path(&["metadata", "deletionTimestamp"]).is_some(),
        inits: specs.len(),
    };
    let inits = items(pod, &["status", "initContainerStatuses"]);
    let containers = items(pod, &["status", "containerStatuses"]);
    let of = |status| container(status, &sidecars);
    let (word, waits_for) = pod_word::word(
        &seen,
        inits.iter().map(of),
        containers.iter().map(|status| container(status, &[])),
    );
    let total = items(pod, &["spec", "containers"]).len() + sidecars.len();
    let mut ready = 0;
    let mut restarts = Restarts::default();
    let mut sidecar_restarts = Restarts::default();
    let looked_at = waits_for.map_or(inits.len(), |index| index + 1);
    for (index, status) in inits[..looked_at].iter().enumerate() {
        restarts.add(status);
        let one = of(status);
        if one.sidecar {
            sidecar_restarts.add(status);
            let well = matches!(one.doing, Doing::Ended { exit_code: 0, .. });
            ready += usize::from(waits_for != Some(index) && !well && one.ready);
        }
    }
    if waits_for.is_none() || seen.initialized {
        restarts = sidecar_restarts;
        for status in containers.iter().rev() {
            restarts.add(status);
            let one = of(status);
            ready += usize::from(one.ready && matches!(one.doing, Doing::Running));
        }
    }
    let ago = restarts
        .last
        .as_ref()
        .filter(|_| restarts.count > 0)
        .map(|(_, text)| format!(" ({} ago)", clock::age(Some(text), now)));
    PodStatus {
        ready: format!("{ready}/{total}"),
        status: word.into_owned(),
        restarts: format!("{}{}", restarts.count, ago.unwrap_or_default()),
    }
}
