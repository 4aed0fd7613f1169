//! `kubectl rollout`. Sources: `k8s.io/kubectl/pkg/polymorphichelpers/{rollout_status,history,rollback}.go`.

use crate::base::time::SimDuration;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, apply, describe, kind_of, name_of, title};

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

/// Grain of the client's watch.
const LOOK_EVERY: SimDuration = SimDuration::from_millis(100);

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
        return Err(Problem::error(&format!(
            "unknown command \"{verb} \"\nSee 'kubectl rollout -h' for help and examples"
        )));
    }
    let chosen = if rest.is_empty() && call.arguments.flag("filename").is_some() {
        let (found, problems) = apply::items(call)?;
        Problem::all(problems)?;
        found
            .iter()
            .map(|item| Ok((item.kind, call.object(item.kind, name_of(&item.object))?)))
            .collect::<Result<Vec<_>, Problem>>()?
    } else {
        call.chosen(rest)?
    };
    for (kind, object) in chosen {
        if kind.kind != "Deployment" {
            return Err(refused(kind, verb));
        }
        let name = name_of(&object).to_owned();
        match verb.as_str() {
            "status" => status(call, kind, &name)?,
            "history" => history(call, &object)?,
            "undo" => undo(call, kind, object)?,
            "restart" => {
                if paused(&object) {
                    return Err(Problem::error(&format!(
                        "deployments.apps \"{name}\" can't restart paused deployment (run rollout resume first)"
                    )));
                }
                let mut object = object;
                let now = call.now().rfc3339();
                object.set_path(
                    &["spec", "template", "metadata", "annotations", RESTARTED],
                    now.into(),
                );
                change(call, kind, object, "restarted")?;
            }
            _ => {
                let pause = verb == "pause";
                if paused(&object) == pause {
                    let word = if pause { "already" } else { "not" };
                    return Err(Problem::error(&format!(
                        "deployments.apps \"{name}\" is {word} paused"
                    )));
                }
                let mut object = object;
                if pause {
                    object.set_path(&["spec", "paused"], true.into());
                } else {
                    object.remove_path(&["spec", "paused"]);
                }
                change(call, kind, object, if pause { "paused" } else { "resumed" })?;
            }
        }
    }
    Ok(())
}

fn refused(kind: &Kind, verb: &str) -> Problem {
    let word = match verb {
        "status" => "no status viewer has been implemented for",
        "history" => "no history viewer has been implemented for",
        "undo" => "no rollbacker has been implemented for",
        "restart" => "restarting is not supported for",
        _ => {
            return Problem::error(&format!(
                "{} \"…\" {verb} is not supported",
                kind.resource()
            ));
        }
    };
    match kind.kind {
        "StatefulSet" | "DaemonSet" => {
            Problem::error(&format!("rollouts of a {} are not modelled", kind.kind))
        }
        _ => Problem::error(&format!("{word} {}", kind.qualified())),
    }
}

fn paused(object: &Value) -> bool {
    object.path(&["spec", "paused"]).and_then(Value::as_bool) == Some(true)
}

fn change(call: &mut Call<'_>, kind: &Kind, object: Value, word: &str) -> Result<(), Problem> {
    let line = format!("{} {word}{}", title(kind, name_of(&object)), call.suffix());
    call.put(object)?;
    call.say(&line);
    Ok(())
}

/// The line for a Deployment, and whether its rollout is done.
fn progress(object: &Value) -> Result<(String, bool), Problem> {
    let name = name_of(object);
    let number = |path: &[&str]| object.i64_at(path).unwrap_or(0);
    if number(&["status", "observedGeneration"]) < number(&["metadata", "generation"]) {
        return Ok((
            "Waiting for deployment spec update to be observed...".to_owned(),
            false,
        ));
    }
    let late = items(object, &["status", "conditions"]).iter().any(|one| {
        one.str_at(&["type"]) == Some("Progressing")
            && one.str_at(&["reason"]) == Some("ProgressDeadlineExceeded")
    });
    if late {
        return Err(Problem::error(&format!(
            "deployment \"{name}\" exceeded its progress deadline"
        )));
    }
    let head = format!("Waiting for deployment \"{name}\" rollout to finish:");
    let (wanted, updated) = (
        number(&["spec", "replicas"]),
        number(&["status", "updatedReplicas"]),
    );
    let (all, available) = (
        number(&["status", "replicas"]),
        number(&["status", "availableReplicas"]),
    );
    if updated < wanted {
        return Ok((
            format!("{head} {updated} out of {wanted} new replicas have been updated..."),
            false,
        ));
    }
    if all > updated {
        return Ok((
            format!(
                "{head} {} old replicas are pending termination...",
                all - updated
            ),
            false,
        ));
    }
    if available < updated {
        return Ok((
            format!("{head} {available} of {updated} updated replicas are available..."),
            false,
        ));
    }
    Ok((
        format!("deployment \"{name}\" successfully rolled out"),
        true,
    ))
}

fn status(call: &mut Call<'_>, kind: &Kind, name: &str) -> Result<(), Problem> {
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
    let mut last = String::new();
    loop {
        let object = call.object(kind, name)?;
        if let Some(wanted) = wanted {
            let is = revision(&object);
            if is != wanted {
                return Err(Problem::error(&format!(
                    "desired revision ({wanted}) is different from the running revision ({is})"
                )));
            }
        }
        let (line, done) = progress(&object)?;
        if line != last {
            call.say(&line);
            last = line;
        }
        if done || !watches {
            return Ok(());
        }
        if call.now() >= deadline {
            return Err(Problem::error("timed out waiting for the condition"));
        }
        let next = (call.now() + LOOK_EVERY).min(deadline);
        call.session.history.advance_to(next);
    }
}

fn revision(object: &Value) -> i64 {
    object
        .str_at(&[
            "metadata",
            "annotations",
            "deployment.kubernetes.io/revision",
        ])
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// The ReplicaSets that a Deployment owns, by revision.
pub fn replica_sets(call: &Call<'_>, deployment: &Value) -> Result<Vec<Value>, Problem> {
    let namespace = deployment.str_at(&["metadata", "namespace"]);
    let uid = deployment.str_at(&["metadata", "uid"]);
    let mut sets = call.view()?.list(kind_of("replicasets")?, namespace);
    sets.retain(|set| {
        items(set, &["metadata", "ownerReferences"])
            .iter()
            .any(|owner| owner.str_at(&["uid"]) == uid)
    });
    sets.sort_by_key(revision);
    Ok(sets)
}

fn asked(call: &Call<'_>, flag: &str) -> Result<i64, Problem> {
    match call.arguments.flag(flag) {
        None => Ok(0),
        Some(text) => text
            .parse::<i64>()
            .ok()
            .filter(|number| *number >= 0)
            .ok_or_else(|| Problem::error(&format!("revision must be a positive integer: {text}"))),
    }
}

fn history(call: &mut Call<'_>, object: &Value) -> Result<(), Problem> {
    let wanted = asked(call, "revision")?;
    let sets = replica_sets(call, object)?;
    let name = name_of(object);
    if wanted > 0 {
        let set = sets
            .iter()
            .find(|set| revision(set) == wanted)
            .ok_or_else(|| Problem::error("unable to find the specified revision"))?;
        call.say(&format!("deployment.apps/{name} with revision #{wanted}"));
        let text = describe::template(set.path(&["spec", "template"]).unwrap_or(&Value::Null));
        call.stdout.push_str(&text);
        return Ok(());
    }
    call.say(&format!("deployment.apps/{name} "));
    call.say("REVISION  CHANGE-CAUSE");
    for set in sets.iter().filter(|set| revision(set) > 0) {
        let cause = super::columns::or_none(set.str_at(&[
            "metadata",
            "annotations",
            "kubernetes.io/change-cause",
        ]));
        call.say(&format!("{:<10}{cause}", revision(set)));
    }
    call.say("");
    Ok(())
}

/// A template without what the Deployment controller adds.
fn plain(set: &Value) -> Value {
    let mut template = set.path(&["spec", "template"]).cloned().unwrap_or_default();
    template.remove_path(&["metadata", "labels", "pod-template-hash"]);
    template
}

fn undo(call: &mut Call<'_>, kind: &Kind, object: Value) -> Result<(), Problem> {
    let wanted = asked(call, "to-revision")?;
    let name = name_of(&object).to_owned();
    if paused(&object) {
        return Err(Problem::error(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
        ));
    }
    let sets = replica_sets(call, &object)?;
    let target = if wanted > 0 {
        sets.iter()
            .find(|set| revision(set) == wanted)
            .ok_or_else(|| {
                Problem::error(&format!(
                    "unable to find specified revision {wanted} in history"
                ))
            })?
    } else {
        let current = revision(&object);
        sets.iter()
            .rev()
            .find(|set| revision(set) > 0 && revision(set) < current)
            .ok_or_else(|| {
                Problem::error(&format!(
                    "no rollout history found for deployment \"{name}\""
                ))
            })?
    };
    let template = plain(target);
    if object.path(&["spec", "template"]) == Some(&template) {
        let line = format!(
            "{} skipped rollback (current template already matches revision {})",
            title(kind, &name),
            revision(target)
        );
        call.say(&line);
        return Ok(());
    }
    let mut object = object;
    object.set_path(&["spec", "template"], template);
    change(call, kind, object, "rolled back")
}
