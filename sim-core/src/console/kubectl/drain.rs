//! `kubectl drain`. Source: `k8s.io/kubectl/pkg/drain`, `k8s.io/kubectl/pkg/cmd/drain`.

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::apiserver::Request;
use crate::manifest::value::Value;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, apply, clock, edit, kind_of, name_of, selectors};

/// Flags of `drain`.
pub const FLAGS: &[&str] = &[
    "!force",
    "!ignore-daemonsets",
    "!delete-emptydir-data",
    "grace-period",
    "timeout",
    "selector:l",
    "pod-selector",
    "?dry-run",
    "!disable-eviction",
    "skip-wait-for-delete-timeout",
    "chunk-size",
];

/// Time between a refused eviction and the next. Source: `drain.go`.
const RETRY: SimDuration = SimDuration::from_secs(5);

/// Time between two looks for a pod that was told to go. Source: `drain.go` (`kubectlDrainPoll`).
const POLL: SimDuration = SimDuration::from_secs(1);

/// Longest wait without `--timeout`; the real client waits for ever.
const LONGEST: SimDuration = SimDuration::from_secs(3_600);

/// What one filter says of a pod.
enum Verdict {
    Delete,
    DeleteWarned(&'static str),
    DeleteWarnedOf(String),
    Skip,
    SkipWarned(&'static str),
    Refuse(String),
}

/// Pods to be evicted, warnings, and refusals by their message.
#[derive(Default)]
struct Chosen {
    pods: Vec<Value>,
    warnings: SortedMap<String, Vec<String>>,
    refusals: SortedMap<String, Vec<String>>,
}

/// `drain NODE…`.
///
/// # Errors
/// Nodes that are not there, pods that may not go, and the time-out.
pub fn drain(call: &mut Call<'_>) -> Result<(), Problem> {
    let help = "\nSee 'kubectl drain -h' for help and examples";
    let selector = call
        .arguments
        .flag("selector")
        .is_some_and(|text| !text.is_empty());
    if call.arguments.words.is_empty() && call.arguments.flag("selector") == Some("") {
        return Err(Problem::no_resource());
    }
    if call.arguments.words.is_empty() && !selector {
        return Err(Problem::error(format!("USAGE: drain NODE [flags]{help}")));
    }
    if !call.arguments.words.is_empty() && selector {
        return Err(Problem::error(format!(
            "cannot specify both a node name and a --selector option{help}"
        )));
    }
    let mut words = call.arguments.words.clone();
    if !words.iter().any(|word| word.contains('/')) {
        words.insert(0, "nodes".to_owned());
    }
    let nodes: Vec<String> = call
        .chosen(&words)?
        .iter()
        .map(|(_, node)| name_of(node).to_owned())
        .collect();
    edit::cordon(call)?;
    let mut problems = Vec::new();
    let mut drained: Vec<String> = Vec::new();
    for node in &nodes {
        match one(call, node) {
            Ok(()) => {
                drained.push(node.clone());
                let line = format!("node/{node} drained{}", call.suffix());
                call.say(&line);
            }
            Err(problem) => {
                let said = problem
                    .text
                    .strip_prefix("error: ")
                    .unwrap_or(&problem.text);
                let mut text = format!(
                    "error: unable to drain node \"{node}\" due to error: {said}, continuing command...\n"
                );
                text.push_str("There are pending nodes to be drained:\n");
                for left in nodes.iter().filter(|name| !drained.contains(name)) {
                    text.push_str(&format!(" {left}\n"));
                }
                call.stderr.push(&text);
                problems.push(problem);
            }
        }
    }
    Problem::all(problems)
}

fn one(call: &mut Call<'_>, node: &str) -> Result<(), Problem> {
    let chosen = choose(call, node)?;
    if !chosen.refusals.is_empty() {
        let list: Vec<String> = chosen
            .refusals
            .iter()
            .map(|(message, pods)| format!("cannot delete {message}: {}", pods.join(", ")))
            .collect();
        return Err(Problem::error(&match list.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        }));
    }
    if !chosen.warnings.is_empty() {
        let list: Vec<String> = chosen
            .warnings
            .iter()
            .map(|(message, pods)| format!("{message}: {}", pods.join(", ")))
            .collect();
        call.stderr.push(format!("Warning: {}\n", list.join("; ")));
    }
    if call.dry() {
        for pod in &chosen.pods {
            let line = format!("evicting pod {}{}", full(pod), call.suffix());
            call.say(&line);
        }
        return Ok(());
    }
    evict(call, node, chosen.pods)
}

fn full(pod: &Value) -> String {
    format!(
        "{}/{}",
        pod.str_at(&["metadata", "namespace"]).unwrap_or(""),
        name_of(pod)
    )
}

fn choose(call: &Call<'_>, node: &str) -> Result<Chosen, Problem> {
    let selector = match call.arguments.flag("pod-selector") {
        Some(text) if !text.is_empty() => Some(
            crate::base::labels::Selector::parse(text).map_err(|error| Problem::error(&error))?,
        ),
        _ => None,
    };
    let mut pods = call.listing(kind_of("pods")?, None)?;
    pods.retain(|pod| {
        pod.str_at(&["spec", "nodeName"]) == Some(node)
            && selector
                .as_ref()
                .is_none_or(|selector| selectors::selected(selector, pod))
    });
    let mut chosen = Chosen::default();
    for pod in pods {
        let name = full(&pod);
        match filter(call, &pod)? {
            Verdict::Delete => chosen.pods.push(pod),
            Verdict::DeleteWarned(message) => {
                chosen
                    .warnings
                    .entry(message.to_owned())
                    .or_default()
                    .push(name);
                chosen.pods.push(pod);
            }
            Verdict::DeleteWarnedOf(message) => {
                chosen.warnings.entry(message).or_default().push(name);
                chosen.pods.push(pod);
            }
            Verdict::Skip => {}
            Verdict::SkipWarned(message) => {
                chosen
                    .warnings
                    .entry(message.to_owned())
                    .or_default()
                    .push(name);
            }
            Verdict::Refuse(message) => chosen.refusals.entry(message).or_default().push(name),
        }
    }
    Ok(chosen)
}

/// The filters in upstream's order: the first that does not let the pod go decides; else the last
/// one's word counts, warnings of those before it are not printed.
fn filter(call: &Call<'_>, pod: &Value) -> Result<Verdict, Problem> {
    let phase = pod.str_at(&["status", "phase"]).unwrap_or("");
    let finished = phase == "Succeeded" || phase == "Failed";
    if overdue(call, pod).1 {
        return Ok(Verdict::Skip);
    }
    let controller = items(pod, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true));
    let force = call.arguments.on("force");
    let mut last = Verdict::Delete;
    if let Some(owner) = controller.filter(|owner| owner.str_at(&["kind"]) == Some("DaemonSet"))
        && !finished
    {
        let set = owner.str_at(&["name"]).unwrap_or("");
        let namespace = pod.str_at(&["metadata", "namespace"]).unwrap_or("");
        let there = call.read(kind_of("daemonsets")?, namespace, set)?;
        match there {
            None if force => {
                last = Verdict::DeleteWarnedOf(format!("daemonsets.apps \"{set}\" not found"));
            }
            None => {
                return Ok(Verdict::Refuse(format!(
                    "daemonsets.apps \"{set}\" not found"
                )));
            }
            Some(_) if !call.arguments.on("ignore-daemonsets") => {
                return Ok(Verdict::Refuse(
                    "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)".to_owned(),
                ));
            }
            Some(_) => return Ok(Verdict::SkipWarned("ignoring DaemonSet-managed Pods")),
        }
    }
    if pod
        .path(&["metadata", "annotations", "kubernetes.io/config.mirror"])
        .is_some()
    {
        return Ok(Verdict::Skip);
    }
    let local = items(pod, &["spec", "volumes"])
        .iter()
        .any(|volume| volume.get("emptyDir").is_some());
    if local && !finished {
        if !call.arguments.on("delete-emptydir-data") {
            return Ok(Verdict::Refuse(
                "Pods with local storage (use --delete-emptydir-data to override)".to_owned(),
            ));
        }
        last = Verdict::DeleteWarned("deleting Pods with local storage");
    }
    if finished || controller.is_some() {
        // The last filter has no objection and no warning, and its word is the one that counts.
        return Ok(match last {
            Verdict::DeleteWarned(_) | Verdict::DeleteWarnedOf(_) => Verdict::Delete,
            other => other,
        });
    }
    if force {
        return Ok(Verdict::DeleteWarned(
            "deleting Pods that declare no controller",
        ));
    }
    Ok(Verdict::Refuse(
        "Pods that declare no controller (use --force to override)".to_owned(),
    ))
}

/// What `--skip-wait-for-delete-timeout` says, and whether a pod is going for longer than that.
fn overdue(call: &Call<'_>, pod: &Value) -> (i64, bool) {
    let skip = call.arguments.flag("skip-wait-for-delete-timeout");
    let skip = skip.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let deletion = pod.str_at(&["metadata", "deletionTimestamp"]);
    let since = deletion.and_then(|at| clock::seconds_since(at, call.now()));
    (skip, skip > 0 && since.is_some_and(|since| since > skip))
}

/// A pod on its way out.
struct Leaving {
    pod: Value,
    gone: bool,
    /// Whether it was told to go.
    told: bool,
    /// When it is looked at next.
    next: SimTime,
}

fn evict(call: &mut Call<'_>, node: &str, pods: Vec<Value>) -> Result<(), Problem> {
    let limit = call
        .arguments
        .flag("timeout")
        .map(apply::duration)
        .transpose()?
        .filter(|span| !span.is_zero());
    let start = call.now();
    let deadline = start + limit.unwrap_or(LONGEST);
    let mut leaving: Vec<Leaving> = pods
        .into_iter()
        .map(|pod| Leaving {
            pod,
            gone: false,
            told: false,
            next: start,
        })
        .collect();
    loop {
        let now = call.now();
        for one in &mut leaving {
            if !one.gone && one.next <= now {
                look(call, one)?;
            }
        }
        let Some(next) = leaving
            .iter()
            .filter(|one| !one.gone)
            .map(|one| one.next)
            .min()
        else {
            return Ok(());
        };
        if next > deadline || !call.session.wait {
            break;
        }
        call.session.history.advance_to(next);
    }
    if !call.session.wait {
        return Ok(());
    }
    call.session.history.advance_to(deadline);
    let span = limit.map_or_else(String::new, |span| format!("{}s", span.as_secs()));
    let errors: Vec<Passage> = leaving
        .iter()
        .filter(|one| !one.gone)
        .map(|one| {
            let (name, namespace) = (
                name_of(&one.pod),
                one.pod.str_at(&["metadata", "namespace"]).unwrap_or(""),
            );
            if limit.is_none() {
                catalogue::DRAIN_LONG.plain().into()
            } else if call.arguments.on("disable-eviction") {
                Passage::from("context deadline exceeded")
            } else if one.told {
                Passage::from(format!(
                    "error when waiting for pod \"{name}\" in namespace \"{namespace}\" to terminate: global timeout reached: {span}"
                ))
            } else {
                Passage::from(format!(
                    "error when evicting pods/\"{name}\" -n \"{namespace}\": global timeout reached: {span}"
                ))
            }
        })
        .collect();
    let mut errors = errors;
    errors.dedup();
    let text = match errors.as_slice() {
        [one] => one.clone(),
        many => {
            let many: Vec<&str> = many.iter().map(|one| &**one).collect();
            format!("[{}]", many.join(", ")).into()
        }
    };
    let head = format!("There are pending pods in node \"{node}\" when an error occurred: ");
    call.stderr.push(Passage::from(head).then(&text).then("\n"));
    for one in leaving.iter().filter(|one| !one.gone) {
        call.stderr.push(format!("pod/{}\n", name_of(&one.pod)));
    }
    Err(Problem::error(text))
}

/// One step of one pod: tell it to go, or see whether it has gone.
fn look(call: &mut Call<'_>, one: &mut Leaving) -> Result<(), Problem> {
    let (namespace, name) = (
        one.pod
            .str_at(&["metadata", "namespace"])
            .unwrap_or("")
            .to_owned(),
        name_of(&one.pod).to_owned(),
    );
    let deletes = call.arguments.on("disable-eviction");
    if !one.told {
        if !deletes {
            let line = format!("evicting pod {namespace}/{name}");
            call.say(&line);
        }
        let grace_seconds = call
            .arguments
            .flag("grace-period")
            .and_then(|text| text.parse::<i64>().ok())
            .filter(|seconds| *seconds >= 0);
        let request = if deletes {
            Request::Delete {
                kind: "Pod".into(),
                namespace: namespace.as_str().into(),
                name: name.as_str().into(),
                propagation: None,
                grace_seconds,
            }
        } else {
            Request::Evict {
                namespace: namespace.as_str().into(),
                name: name.as_str().into(),
                grace_seconds,
            }
        };
        match call.ask(request) {
            Ok(_) => one.told = true,
            Err(problem) if problem.reason == "NotFound" => {
                one.gone = true;
                return Ok(());
            }
            Err(problem) if deletes => {
                return Err(Problem::error(without_head(&problem.text)));
            }
            Err(problem) if problem.reason == "TooManyRequests" => {
                let said = without_head(&problem.text);
                call.stderr.push(format!(
                    "error when evicting pods/\"{name}\" -n \"{namespace}\" (will retry after 5s): {said}\n"
                ));
                one.next = call.now() + RETRY;
                return Ok(());
            }
            Err(problem) => {
                let said = without_head(&problem.text);
                return Err(Problem::error(format!(
                    "error when evicting pods/\"{name}\" -n \"{namespace}\": {said}"
                )));
            }
        }
    }
    let uid = one.pod.str_at(&["metadata", "uid"]);
    let there = call.view()?.get(kind_of("pods")?, &namespace, &name);
    if let Some(pod) = there.filter(|pod| pod.str_at(&["metadata", "uid"]) == uid) {
        one.next = call.now() + POLL;
        let (skip, is_overdue) = overdue(call, &pod);
        if is_overdue {
            let line =
                format!("pod \"{name}\" has DeletionTimestamp older than {skip} seconds, skipping");
            call.say(&line);
            one.gone = true;
        }
        return Ok(());
    }
    one.gone = true;
    let word = if deletes { "deleted" } else { "evicted" };
    let line = format!("pod/{name} {word}");
    call.say(&line);
    Ok(())
}

/// The server's sentence without `Error from server (…): `.
fn without_head(text: &str) -> &str {
    let text = text.trim_end();
    match text.strip_prefix("Error from server") {
        Some(rest) => rest.split_once(": ").map_or(rest, |(_, said)| said),
        None => text.strip_prefix("error: ").unwrap_or(text),
    }
}
