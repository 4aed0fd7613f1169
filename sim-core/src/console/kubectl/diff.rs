//! `kubectl diff`: what an apply would change, as `diff -u -N` of two YAML texts.
//! Source: `k8s.io/kubectl/pkg/cmd/diff`.

use std::sync::Arc;

use crate::console::unified;
use crate::kube::apiserver::Request;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::print::yaml;

use super::apply::{self, Item};
use super::problem::Problem;
use super::{Call, name_of};

/// Flags of `diff`.
pub const FLAGS: &[&str] = &[
    "filename:f",
    "!recursive:R",
    "kustomize:k",
    "selector:l",
    "field-manager",
    "!server-side",
    "!force-conflicts",
    "!show-managed-fields",
    "!prune",
    "prune-allowlist",
    "concurrency",
    "?validate",
    "?dry-run",
];

/// `diff`: exit code 1 if there are differences, more if something went wrong.
///
/// # Errors
/// Files and objects that cannot be read, and the server's refusal of the dry run.
pub fn diff(call: &mut Call<'_>) -> Result<(), Problem> {
    let wrong = |mut problem: Problem| {
        problem.code = problem.code.max(2);
        problem
    };
    // Everything is asked as a server-side dry run.
    call.arguments.set("dry-run", "server");
    let selector = call.selector().map_err(wrong)?;
    let (mut found, problems) = apply::items(call).map_err(wrong)?;
    Problem::all(problems).map_err(wrong)?;
    found.retain(|item| item.selected(selector.as_ref()));
    let mut differs = false;
    let mut visited = Vec::new();
    for item in &found {
        let (live, merged) = both(call, item).map_err(wrong)?;
        differs |= compared(call, item.kind, live.as_ref(), Some(&merged));
        visited.push((item.kind, live.unwrap_or(merged)));
    }
    if call.arguments.on("prune") {
        for (kind, object) in apply::prune::left_over(call, &visited).map_err(wrong)? {
            differs |= compared(call, kind, Some(&object), None);
        }
    }
    if differs {
        return Err(Problem::code(1));
    }
    Ok(())
}

/// Prints how an object differs from what it will be; either may not be there.
fn compared(
    call: &mut Call<'_>,
    kind: &Kind,
    live: Option<&Value>,
    merged: Option<&Value>,
) -> bool {
    let (old, new) = (text(live), text(merged));
    if old == new {
        return false;
    }
    let object = live.or(merged).cloned().unwrap_or_default();
    let (group, version) = kind
        .api_version
        .split_once('/')
        .unwrap_or(("", kind.api_version));
    let dot = if group.is_empty() { "" } else { "." };
    let name = format!(
        "{group}{dot}{version}.{}.{}.{}",
        kind.kind,
        object.str_at(&["metadata", "namespace"]).unwrap_or(""),
        name_of(&object)
    );
    call.stdout.push_str(&format!(
        "diff -u -N LIVE/{name} MERGED/{name}\n--- LIVE/{name}\n+++ MERGED/{name}\n{}",
        unified::hunks(&old, &new)
    ));
    true
}

/// The object as it is, and as an apply would leave it.
fn both(call: &mut Call<'_>, item: &Item) -> Result<(Option<Value>, Value), Problem> {
    let name = apply::named(item)?.to_owned();
    let live = call.read(item.kind, item.namespace(), &name)?;
    if call.arguments.on("server-side") {
        let manager: Arc<str> = call
            .arguments
            .flag("field-manager")
            .unwrap_or(apply::server_side::MANAGER)
            .into();
        let answer = call.send(Request::As {
            manager,
            request: Arc::new(Request::Apply {
                object: item.object.clone(),
                namespace: item.namespace().into(),
                force: call.arguments.on("force-conflicts"),
                status: false,
            }),
        })?;
        return Ok((live, answer.object));
    }
    let Some(current) = live else {
        let made = apply::post(call, item, &item.object)?;
        return Ok((None, made));
    };
    item.strict()?;
    // As upstream, the annotation is left out so that it is no difference by itself.
    let mut modified = item.object.clone();
    if apply::last_applied::of(&current).is_some() {
        let text = current.path(&["metadata", "annotations", apply::LAST_APPLIED]);
        modified.set_path(
            &["metadata", "annotations", apply::LAST_APPLIED],
            text.cloned().unwrap_or_default(),
        );
    }
    let merged = match apply::patched(item, &modified, &current)?.1 {
        Some(merged) => call.put(merged)?,
        None => current.clone(),
    };
    Ok((Some(current), merged))
}

/// An object as it is compared: no field owners, no revision of the dry run, secrets masked.
fn text(object: Option<&Value>) -> String {
    let Some(object) = object else {
        return String::new();
    };
    let mut object = object.clone();
    object.remove_path(&["metadata", "managedFields"]);
    object.remove_path(&["metadata", "annotations", apply::LAST_APPLIED]);
    if object
        .path(&["metadata", "annotations"])
        .and_then(Value::as_map)
        .is_some_and(|map| map.is_empty())
    {
        object.remove_path(&["metadata", "annotations"]);
    }
    object.remove_path(&["metadata", "resourceVersion"]);
    if object.str_at(&["kind"]) == Some("Secret")
        && let Some(data) = object.path_mut(&["data"]).and_then(Value::as_map_mut)
    {
        for (_, value) in data.iter_mut() {
            *value = "***".into();
        }
    }
    yaml(&object)
}
