//! `kubectl rollout`. Sources: `k8s.io/kubectl/pkg/polymorphichelpers/{rollout_status,history,rollback}.go`.

pub mod revisions;
pub mod status;

use std::sync::Arc;

use crate::base::time::SimDuration;
use crate::kube::Request;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::problem::Problem;
use super::watch::{Scope, Watcher};
use super::{Call, apply, describe, name_of, title};

pub use revisions::replica_sets;

/// Flags of `rollout`.
pub const FLAGS: &[&str] = &[
    "!watch:w",
    "timeout",
    "revision",
    "to-revision",
    "filename:f",
    "selector:l",
    "?dry-run",
    "output:o",
    "field-manager",
    "!recursive:R",
];

/// Longest wait without `--timeout`. The real client waits for ever; a rollout without progress
/// fails by its deadline, one that is paused never ends.
const LONGEST: SimDuration = SimDuration::from_secs(3_600);

const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// `rollout SUBCOMMAND`.
///
/// # Errors
/// By subcommand, in upstream's words.
pub fn rollout(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    let Some((verb, rest)) = words.split_first() else {
        return Err(Problem::error(
            "Required subcommand: history, pause, restart, resume, status or undo",
        ));
    };
    if !["status", "history", "undo", "restart", "pause", "resume"].contains(&verb.as_str()) {
        return Err(Problem::error(format!(
            "unknown command \"{}\"\nSee 'kubectl rollout -h' for help and examples",
            words.join(" ")
        )));
    }
    if rest.is_empty() && !call.arguments.has_files() {
        return Err(Problem::error("required resource not specified"));
    }
    let (found, mut problems) = super::edit::looked_up(call, rest)?;
    if found.is_empty()
        && problems.is_empty()
        && matches!(verb.as_str(), "pause" | "restart" | "resume" | "status")
    {
        let place = format!("No resources found in {} namespace.\n", call.namespace);
        call.stderr.push(place);
    }
    for (kind, object) in found {
        problems.extend(one(call, verb, kind, object).err());
    }
    Problem::all(problems)
}

/// What a subcommand does with one object.
fn one(call: &mut Call<'_>, verb: &str, kind: &'static Kind, object: Value) -> Result<(), Problem> {
    if kind.custom {
        return Err(Problem::unregistered(kind));
    }
    supported(kind, name_of(&object), verb)?;
    let name = name_of(&object).to_owned();
    match verb {
        "status" => watch(call, kind, &name),
        "history" => history(call, kind, &object),
        "undo" => undo(call, kind, object),
        "restart" => restart(call, kind, object),
        _ => {
            let pause = verb == "pause";
            if paused(&object) == pause {
                let word = if pause { "already" } else { "not" };
                return Err(Problem::error(format!(
                    "deployments.apps \"{name}\" is {word} paused"
                )));
            }
            let mut object = object;
            if pause {
                object.set_path(&["spec", "paused"], true.into());
            } else {
                object.remove_path(&["spec", "paused"]);
            }
            change(call, kind, object, if pause { "paused" } else { "resumed" })
        }
    }
}

/// Source: `k8s.io/kubectl/pkg/polymorphichelpers/objectrestarter.go`.
fn restart(call: &mut Call<'_>, kind: &'static Kind, mut object: Value) -> Result<(), Problem> {
    let name = name_of(&object);
    if paused(&object) {
        return Err(Problem::error(format!(
            "deployments.apps \"{name}\" can't restart paused deployment (run rollout resume first)"
        )));
    }
    let path = ["spec", "template", "metadata", "annotations", RESTARTED];
    let now = Value::from(call.now().rfc3339());
    if object.path(&path) == Some(&now) {
        return Err(Problem::error(format!(
            "failed to create patch for {name}: if restart has already been triggered within the past second, please wait before attempting to trigger another"
        )));
    }
    object.set_path(&path, now);
    change(call, kind, object, "restarted")
}

fn supported(kind: &Kind, name: &str, verb: &str) -> Result<(), Problem> {
    let known: &[&str] = match verb {
        "pause" | "resume" => &["Deployment"],
        _ => &["Deployment", "DaemonSet", "StatefulSet"],
    };
    if known.contains(&kind.kind) {
        return Ok(());
    }
    let (group, resource) = (kind.qualified(), kind.resource());
    Err(Problem::error(&match verb {
        "status" => format!("no status viewer has been implemented for {group}"),
        "history" => format!("no history viewer has been implemented for \"{group}\""),
        "undo" => format!("no rollbacker has been implemented for \"{group}\""),
        "restart" => format!("{resource} \"{name}\" restarting is not supported"),
        "pause" => format!("{resource} \"{name}\" pausing is not supported"),
        _ => format!("{resource} \"{name}\" resuming is not supported"),
    }))
}

fn paused(object: &Value) -> bool {
    object.path(&["spec", "paused"]).and_then(Value::as_bool) == Some(true)
}

fn change(
    call: &mut Call<'_>,
    kind: &'static Kind,
    object: Value,
    word: &str,
) -> Result<(), Problem> {
    let made = call.put(object).map_err(|problem| {
        let why = super::make::whole(&problem, kind);
        Problem::error(format!("failed to patch: {why}"))
    })?;
    super::printers::outcome(call, kind, &made, word)
}

fn watch(call: &mut Call<'_>, kind: &'static Kind, name: &str) -> Result<(), Problem> {
    let limit = call
        .arguments
        .flag("timeout")
        .map(apply::duration)
        .transpose()?
        .filter(|span| !span.is_zero());
    let deadline = call.now() + limit.unwrap_or(LONGEST);
    let watches = call.session.wait && call.arguments.flag("watch") != Some("false");
    let wanted = call
        .arguments
        .flag("revision")
        .and_then(|text| text.parse::<i64>().ok())
        .filter(|number| *number > 0);
    // Each write of the object is looked at, whether it changes what is said or not.
    let scope = Scope {
        kind,
        namespace: Some(call.namespace.clone()),
        name: Some(name.to_owned()),
        labels: None,
        fields: Vec::new(),
    };
    let mut watcher = Watcher::new(scope, &call.view()?)?;
    let mut seen = vec![call.object(kind, name)?];
    loop {
        for object in std::mem::take(&mut seen) {
            if let Some(wanted) = wanted.filter(|_| kind.kind == "Deployment") {
                let is = revisions::number(&object);
                if is != wanted {
                    return Err(Problem::error(format!(
                        "desired revision ({wanted}) is different from the running revision ({is})"
                    )));
                }
            }
            let (line, done) = status::line(kind, &object)?;
            call.say(&line);
            if done || !watches {
                return Ok(());
            }
        }
        if call.now() >= deadline {
            return Err(Problem::error("timed out waiting for the condition"));
        }
        call.session.history.step(deadline);
        for event in watcher.look(&call.view()?)? {
            if event.word == "DELETED" {
                return Err(Problem::error("object has been deleted"));
            }
            seen.push(event.object);
        }
    }
}

fn asked(call: &Call<'_>, flag: &str) -> Result<i64, Problem> {
    match call.arguments.flag(flag) {
        None => Ok(0),
        Some(text) => text
            .parse::<i64>()
            .ok()
            .filter(|number| *number >= 0)
            .ok_or_else(|| Problem::error(format!("revision must be a positive integer: {text}"))),
    }
}

fn history(call: &mut Call<'_>, kind: &'static Kind, object: &Value) -> Result<(), Problem> {
    let wanted = asked(call, "revision")?;
    let list = revisions::of(call, kind, object)?;
    if call
        .arguments
        .flag("output")
        .is_some_and(|text| !text.is_empty())
    {
        return history_objects(call, kind, object, wanted, &list);
    }
    if *call.format != super::printers::Format::Plain {
        // A template alone is no output format: it is filled from what the history is of.
        return super::printers::outcome(call, kind, object, "");
    }
    let shown = title(kind, name_of(object));
    if wanted > 0 {
        let found = list
            .iter()
            .find(|revision| revision.number == wanted)
            .ok_or_else(|| Problem::error("unable to find the specified revision"))?;
        call.say(&format!("{shown} with revision #{wanted}"));
        let mut template = found.template.clone();
        if let Some(cause) = &found.cause {
            let path = ["metadata", "annotations", "kubernetes.io/change-cause"];
            template.set_path(&path, cause.as_str().into());
        }
        call.stdout.push_str(&describe::template(&template));
        return Ok(());
    }
    call.say(&format!("{shown} "));
    if list.is_empty() {
        call.say("No rollout history found.");
        return Ok(());
    }
    call.say("REVISION  CHANGE-CAUSE");
    for revision in &list {
        let cause = super::columns::or_none(revision.cause.as_deref());
        call.say(&format!("{:<10}{cause}", revision.number));
    }
    call.say("");
    Ok(())
}

/// With `-o`: a Deployment's ReplicaSets, or the object as each revision had it.
fn history_objects(
    call: &mut Call<'_>,
    kind: &Kind,
    object: &Value,
    wanted: i64,
    list: &[revisions::Revision],
) -> Result<(), Problem> {
    let mut found = Vec::new();
    if kind.kind == "Deployment" {
        let kind = super::kind_of("replicasets")?;
        let sets = revisions::replica_sets(call, object)?;
        let numbered = sets
            .into_iter()
            .map(|set| (revisions::number(&set), kind, set));
        found.extend(numbered.filter(|(number, ..)| *number > 0));
    } else {
        let kind = super::kind_of(kind.plural)?;
        for revision in list {
            let mut then = object.clone();
            then.set_path(&["spec", "template"], revision.template.clone());
            found.push((revision.number, kind, then));
        }
    }
    let mut any = false;
    for (number, kind, object) in found {
        if wanted > 0 && number != wanted {
            continue;
        }
        // Documents of one stream.
        if any && matches!(&*call.format, super::printers::Format::Yaml) {
            call.say("---");
        }
        any = true;
        super::printers::print(call, &[(kind, object)], false, true)?;
    }
    if wanted > 0 && !any {
        return Err(Problem::error("unable to find the specified revision"));
    }
    Ok(())
}

/// Annotations of a Deployment that stay what they are. Source: `rollback.go` (`annotationsToSkip`).
const KEPT: [&str; 6] = [
    LAST_APPLIED,
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn undo(call: &mut Call<'_>, kind: &'static Kind, object: Value) -> Result<(), Problem> {
    let wanted = asked(call, "to-revision")?;
    let name = name_of(&object).to_owned();
    // Source: `k8s.io/kubectl/pkg/cmd/rollout/rollout_undo.go`.
    if object
        .path(&["metadata", "annotations", LAST_APPLIED])
        .is_some()
    {
        call.stderr.push(format!(
            "Warning: resource {}/{name} was previously managed with 'kubectl apply'. Rolling back will not update the {LAST_APPLIED} annotation, which may cause unexpected behavior on future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead.\n",
            kind.plural
        ));
    }
    let deployment = kind.kind == "Deployment";
    let list = revisions::of(call, kind, &object)?;
    let target = if wanted > 0 {
        list.iter()
            .find(|revision| revision.number == wanted)
            .ok_or_else(|| {
                Problem::error(format!(
                    "unable to find specified revision {wanted} in history"
                ))
            })?
    } else {
        let before = list.len().checked_sub(2).and_then(|at| list.get(at));
        before.ok_or_else(|| {
            Problem::error(if deployment {
                format!("no rollout history found for deployment \"{name}\"")
            } else {
                "no last revision to roll back to".to_owned()
            })
        })?
    };
    let mut template = target.template.clone();
    // What the Deployment controller adds to its ReplicaSets' templates.
    template.remove_path(&["metadata", "labels", "pod-template-hash"]);
    if call.dry_client() {
        let word = describe::template(&template);
        return super::printers::outcome(call, kind, &object, word.trim_end());
    }
    if deployment && paused(&object) {
        return Err(Problem::error(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
        ));
    }
    if object.path(&["spec", "template"]) == Some(&template) {
        let word = format!("skipped rollback (current template already matches revision {wanted})");
        return super::printers::outcome(call, kind, &object, &word);
    }
    let mut made = object.clone();
    made.set_path(&["spec", "template"], template);
    if deployment {
        let path = ["metadata", "annotations"];
        let mut annotations = Value::map();
        let entries = |from: &Value, ours: bool, to: &mut Value| {
            for (key, value) in from.as_map().unwrap_or_default().iter() {
                if KEPT.contains(&&**key) == ours {
                    to.set(key, value.clone());
                }
            }
        };
        if let Some(own) = made.path(&path) {
            entries(own, true, &mut annotations);
        }
        entries(&target.annotations, false, &mut annotations);
        made.set_path(&path, annotations);
    }
    // The rollback is the work of the client's library, under its own name.
    let namespace = made.str_at(&["metadata", "namespace"]).unwrap_or("").into();
    let request = Request::As {
        manager: "kubectl".into(),
        request: Arc::new(Request::Update {
            object: made,
            namespace,
        }),
    };
    call.send(request).map_err(|problem| {
        let why = super::make::whole(&problem, kind);
        Problem::error(format!("failed restoring revision {wanted}: {why}"))
    })?;
    super::printers::outcome(call, kind, &object, "rolled back")
}
