//! `kubectl replace`. Source: `k8s.io/kubectl/pkg/cmd/replace`.

use crate::base::sentence::catalogue;
use crate::base::time::SimDuration;
use crate::console::not_modelled;
use crate::kube::apiserver::{Propagation, Request};
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::patch::without_nulls;

use super::apply::{self, Item};
use super::printers;
use super::problem::Problem;
use super::{Call, name_of, wait};

/// Flags of `replace`.
pub const FLAGS: &[&str] = &[
    "filename:f",
    "!recursive:R",
    "kustomize:k",
    "?dry-run",
    "output:o",
    "!force",
    "!save-config",
    "grace-period",
    "timeout",
    "?cascade",
    "?validate",
    "field-manager",
    "subresource",
    "raw",
    "!wait",
];

/// Longest wait for an object to go: five minutes, as upstream's own.
const LONGEST: SimDuration = SimDuration::from_secs(300);

/// `replace`.
///
/// # Errors
/// Flags that need another, objects that are not there, the server's refusal.
pub fn replace(call: &mut Call<'_>) -> Result<(), Problem> {
    let force = call.arguments.on("force");
    for flag in ["grace-period", "timeout"] {
        if call.arguments.flag(flag).is_some() && !force {
            return Err(Problem::error(format!(
                "--{flag} must have --force specified"
            )));
        }
    }
    if !call.arguments.has_files() {
        return Err(Problem::error("must specify one of -f and -k"));
    }
    let (found, mut problems) = apply::items(call)?;
    if found.is_empty() && problems.is_empty() {
        return Err(Problem::error("no objects passed to replace"));
    }
    for item in &found {
        item.warn(call);
        let result = if force {
            by_force(call, item)
        } else {
            in_place(call, item)
        };
        match result {
            Ok(object) => printers::outcome(call, item.kind, &object, "replaced")?,
            Err(problem) => problems.push(problem.when("replacing", &item.source)),
        }
    }
    Problem::all(problems)
}

/// The object that is sent: with its own annotation if it is to remember itself.
fn wanted(call: &Call<'_>, item: &Item, current: Option<&Value>) -> Value {
    let remembers = call.arguments.on("save-config")
        || current.is_some_and(|object| apply::last_applied::of(object).is_some());
    let object = if remembers {
        apply::remembering(&item.object)
    } else {
        item.object.clone()
    };
    without_nulls(&object)
}

fn in_place(call: &mut Call<'_>, item: &Item) -> Result<Value, Problem> {
    item.strict()?;
    let name = name_of(&item.object);
    call.may("update", item.kind, item.namespace(), name)?;
    let current = call.view()?.get(item.kind, item.namespace(), name);
    let Some(current) = current else {
        return Err(Problem::server(&crate::kube::Refusal::not_found(
            item.kind, name,
        )));
    };
    let mut object = wanted(call, item, Some(&current));
    if object
        .str_at(&["metadata", "resourceVersion"])
        .is_none_or(str::is_empty)
        && let Some(version) = current.path(&["metadata", "resourceVersion"])
    {
        object.set_path(&["metadata", "resourceVersion"], version.clone());
    }
    match call.arguments.flag("subresource").unwrap_or("") {
        "" => call.put(object),
        "status" => call.put_status(object),
        "resize" => call.put_size(object),
        other => {
            let what = catalogue::REPLACING.with(&[("subresource", &other)]);
            Err(Problem::error(not_modelled(what)))
        }
    }
}

fn by_force(call: &mut Call<'_>, item: &Item) -> Result<Value, Problem> {
    let name = name_of(&item.object);
    let current = call.read(item.kind, item.namespace(), name)?;
    if let Some(current) = current {
        let place = if item.kind.namespaced {
            format!(" from {} namespace", item.namespace())
        } else {
            String::new()
        };
        let grace = match call.arguments.flag("grace-period") {
            Some(text) => text.parse::<i64>().ok().filter(|grace| *grace >= 0),
            None => None,
        };
        let word = if grace == Some(0) {
            "force deleted"
        } else {
            "deleted"
        };
        let line = format!(
            "{} \"{name}\" {word}{place}",
            item.kind.qualified().to_ascii_lowercase()
        );
        call.say(&line);
        remove(call, item.kind, &current, grace)?;
    }
    item.strict()?;
    let mut object = wanted(call, item, None);
    object.remove_path(&["metadata", "resourceVersion"]);
    Ok(call
        .ask(Request::Create {
            object,
            namespace: item.namespace().into(),
        })?
        .object)
}

/// Deletes an object and waits until it is gone.
///
/// # Errors
/// The server's refusal, and a time-out.
pub fn remove(
    call: &mut Call<'_>,
    kind: &'static Kind,
    object: &Value,
    grace: Option<i64>,
) -> Result<(), Problem> {
    let (name, namespace) = (
        name_of(object).to_owned(),
        object
            .str_at(&["metadata", "namespace"])
            .unwrap_or("")
            .to_owned(),
    );
    let propagation = match call.arguments.flag("cascade") {
        Some("foreground") => Propagation::Foreground,
        Some("orphan" | "false") => Propagation::Orphan,
        _ => Propagation::Background,
    };
    call.ask(Request::Delete {
        kind: kind.request_name().into(),
        namespace: namespace.as_str().into(),
        name: name.as_str().into(),
        propagation: Some(propagation),
        grace_seconds: grace,
    })?;
    let uid = object.str_at(&["metadata", "uid"]);
    let deadline = call.now() + LONGEST;
    loop {
        let there = call.view()?.get(kind, &namespace, &name);
        if there.is_none_or(|there| there.str_at(&["metadata", "uid"]) != uid) {
            return Ok(());
        }
        if !wait::step(call, deadline) {
            return Err(Problem::error("timed out waiting for the condition"));
        }
    }
}
