//! `kubectl attach`, and what `kubectl run` does when it attaches itself.
//! Sources: `k8s.io/kubectl/pkg/cmd/attach/attach.go`, `k8s.io/kubectl/pkg/cmd/run/run.go`.
//!
//! Nobody types here: what the container prints is followed until it ends, or for as long as
//! everything else that has no end is followed.

use crate::base::sentence::catalogue;
use crate::base::time::SimDuration;
use crate::console::follow;
use crate::kube::apiserver::Request;
use crate::manifest::value::Value;

use super::inside::{container_of, end_of, machine_container, may_enter, pod};
use super::logs::{coming, is_running, printed};
use super::pod_status::{condition, items};
use super::problem::Problem;
use super::{Call, apply, kind_of, name_of, wait};

/// Flags of `attach`.
pub const FLAGS: &[&str] = &[
    "container:c",
    "!stdin:i",
    "!tty:t",
    "!quiet:q",
    "detach-keys",
    "pod-running-timeout",
];

/// How long a pod may take to run (`defaultPodAttachTimeout`).
const PATIENCE: SimDuration = SimDuration::from_secs(60);

/// `attach`.
///
/// # Errors
/// Pods that are not there or have ended, containers that do not run.
pub fn attach(call: &mut Call<'_>) -> Result<(), Problem> {
    let word = match call.arguments.words.as_slice() {
        [] => {
            return Err(Problem::error("at least 1 argument is required for attach"));
        }
        [word] => word.clone(),
        [kind, name] => format!("{kind}/{name}"),
        words => {
            return Err(Problem::error(format!(
                "expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {}: [{}]",
                words.len(),
                words.join(" ")
            )));
        }
    };
    patience(call).map_err(Problem::error)?;
    // `logs` says which of several pods it took, `attach` does not.
    let said = call.stderr.len();
    let pod = pod(call, &word)?;
    call.stderr.cut(said);
    if let Some(phase) = end_of(&pod) {
        return Err(Problem::error(format!(
            "cannot attach a container in a completed pod; current phase is {phase}"
        )));
    }
    let container = container_of(call, &pod).map_err(|mut problem| {
        let place = "error: ".len();
        problem.text = problem
            .text
            .with_inside(place, "cannot attach to the container: ");
        problem
    })?;
    stream(call, &pod, &container)
}

/// Prints what a container prints from now on.
fn stream(call: &mut Call<'_>, pod: &Value, container: &str) -> Result<(), Problem> {
    let (quiet, input) = (call.arguments.on("quiet"), call.arguments.on("stdin"));
    let spec = ["containers", "initContainers", "ephemeralContainers"]
        .iter()
        .flat_map(|list| items(pod, &["spec", list]))
        .find(|one| one.str_at(&["name"]) == Some(container));
    let has_terminal = spec.and_then(|one| one.get("tty")) == Some(&Value::Bool(true));
    if !quiet && call.arguments.on("tty") && !has_terminal {
        call.stderr.push(format!(
            "error: Unable to use a TTY - container {container} did not allocate one\n"
        ));
    }
    if !quiet {
        call.stderr.push("All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.\nIf you don't see a command prompt, try pressing enter.\n");
    }
    may_enter(call, "create", "attach", pod)?;
    let (name, namespace) = (name_of(pod), namespace_of(pod));
    let found = machine_container(call, pod, container, false)?;
    let Some(id) = found.filter(|id| is_running(call.session, *id)) else {
        return Err(Problem::error(format!(
            "Internal error occurred: unable to upgrade connection: container {container} not found in pod {name}_{namespace}"
        )));
    };
    for (_, _, line) in coming(call.session, &[id]) {
        call.say(&line);
    }
    if is_running(call.session, id) {
        follow::note_in(&mut call.stderr);
        if input {
            call.stderr.push(catalogue::NO_ATTACH.plain());
            call.stderr.push("\n");
        }
    }
    if !quiet && input && has_terminal {
        call.say(&format!("Session ended, resume using 'kubectl attach {name} -c {container} -n {namespace} -i -t' command"));
    }
    Ok(())
}

fn namespace_of(pod: &Value) -> &str {
    pod.str_at(&["metadata", "namespace"]).unwrap_or("")
}

/// How long a pod may take to run.
///
/// # Errors
/// What the flag must be.
pub(super) fn patience(call: &Call<'_>) -> Result<SimDuration, String> {
    let span = match call.arguments.flag("pod-running-timeout") {
        None => return Ok(PATIENCE),
        Some(text) => apply::duration(text).unwrap_or(SimDuration::ZERO),
    };
    if span.is_zero() {
        return Err("--pod-running-timeout must be higher than zero".to_owned());
    }
    Ok(span)
}

/// Waits for a pod that was just made and prints what it prints; `--rm` removes what was made.
///
/// # Errors
/// A pod that does not come to run, and the exit code of one that is not restarted.
pub(super) fn run_attached(
    call: &mut Call<'_>,
    made: &[(&'static str, Value)],
    restart: &str,
) -> Result<(), Problem> {
    let result = match made.first() {
        Some((_, pod)) if call.session.wait => run_to_end(call, pod, restart),
        Some(_) | None => Ok(()),
    };
    if !call.arguments.on("rm") {
        return result;
    }
    for (kind, object) in made {
        let (name, namespace) = (name_of(object), namespace_of(object));
        let gone = call.ask(Request::Delete {
            kind: kind_of(kind)?.request_name().into(),
            namespace: namespace.into(),
            name: name.into(),
            propagation: None,
            grace_seconds: None,
        });
        match gone {
            Err(problem) if problem.reason != "NotFound" => return result.and(Err(problem)),
            Ok(_) if !call.arguments.on("quiet") => {
                call.say(&format!(
                    "{kind} \"{name}\" deleted from {namespace} namespace"
                ));
            }
            Ok(_) | Err(_) => {}
        }
    }
    result
}

/// Source: `run.go` (`handleAttachPod` and what follows it).
fn run_to_end(call: &mut Call<'_>, made: &Value, restart: &str) -> Result<(), Problem> {
    let longest = patience(call).map_err(Problem::error)?;
    let runs = |pod: &Value| {
        end_of(pod).is_some()
            || pod.str_at(&["status", "phase"]) == Some("Running")
                && condition(pod, "Ready", "True")
    };
    let pod = waited_for(call, made, longest, runs)?;
    let container = container_of(call, &pod)?;
    if let Some(id) = machine_container(call, &pod, &container, false)? {
        for (_, line) in printed(call.session, id) {
            call.say(&line);
        }
    }
    if end_of(&pod).is_none() {
        stream(call, &pod, &container)?;
    }
    let id = machine_container(call, &pod, &container, false)?;
    let goes_on = id.is_some_and(|id| is_running(call.session, id));
    if restart == "Always" || call.arguments.on("leave-stdin-open") || goes_on {
        return Ok(());
    }
    let ended = |pod: &Value| match end_of(pod) {
        Some(phase) => restart == "Never" || phase == "Succeeded",
        None => false,
    };
    let pod = waited_for(call, made, longest, ended)?;
    exit_of(&pod)
}

/// What the command itself ends with.
fn exit_of(pod: &Value) -> Result<(), Problem> {
    if pod.str_at(&["status", "phase"]) != Some("Failed") {
        return Ok(());
    }
    let title = format!("pod {}/{}", namespace_of(pod), name_of(pod));
    let end = items(pod, &["status", "containerStatuses"])
        .first()
        .and_then(|one| one.path(&["state", "terminated"]));
    let code = end
        .and_then(|end| end.get("exitCode"))
        .and_then(Value::as_i64);
    let code = code.and_then(|code| i32::try_from(code).ok());
    let Some((end, code)) = end.zip(code.filter(|code| *code != 0)) else {
        return Err(Problem::error(format!(
            "{title} failed with unknown exit code"
        )));
    };
    let text = |field| end.str_at(&[field]).unwrap_or("");
    let said = format!(
        "{title} terminated ({})\n{}",
        text("reason"),
        text("message")
    );
    Err(Problem::said(said, "").ending(code))
}

/// The pod once it is as it should be.
fn waited_for(
    call: &mut Call<'_>,
    made: &Value,
    longest: SimDuration,
    is_so: impl Fn(&Value) -> bool,
) -> Result<Value, Problem> {
    let deadline = call.now() + longest;
    loop {
        let there = call
            .view()?
            .get(kind_of("pods")?, namespace_of(made), name_of(made));
        let Some(pod) = there else {
            return Err(Problem::said(
                "Error from server (NotFound): pods \"\" not found",
                "NotFound",
            ));
        };
        if is_so(&pod) {
            return Ok(pod);
        }
        if !wait::step(call, deadline) {
            return Err(Problem::error("timed out waiting for the condition"));
        }
    }
}
