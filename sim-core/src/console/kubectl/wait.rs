//! `kubectl wait`. Source: `k8s.io/kubectl/pkg/cmd/wait`.

use crate::base::time::{SimDuration, SimTime};
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::jsonpath::{Template, text};

use super::pod_status::items;
use super::problem::Problem;
use super::set::LOCAL;
use super::{Call, apply, name_of, printers};

/// Flags of `wait`.
pub const FLAGS: &[&str] = &[
    "for",
    "timeout",
    "selector:l",
    "!all",
    "!all-namespaces:A",
    "filename:f",
    "field-selector",
    "output:o",
    "!local",
];

/// What is said of an object that is as it was waited for.
const MET: &str = "condition met";

/// Grain of the client's watch.
const LOOK_EVERY: SimDuration = SimDuration::from_millis(100);

/// `--timeout` when it is not given.
const DEFAULT: SimDuration = SimDuration::from_secs(30);

/// A negative timeout means a week.
const WEEK: SimDuration = SimDuration::from_secs(7 * 86_400);

enum For {
    Condition(String, String),
    Delete,
    Create,
    Path(Template, Option<String>),
}

/// `wait`.
///
/// # Errors
/// Timeouts, and nothing to wait for.
pub fn wait(call: &mut Call<'_>) -> Result<(), Problem> {
    let goals = call.arguments.each("for").into_iter().map(goal);
    let goals = goals.collect::<Result<Vec<_>, Problem>>()?;
    if goals.is_empty() {
        return Err(Problem::error("unrecognized condition: []"));
    }
    let span = match call.arguments.flag("timeout") {
        Some(text) if text.starts_with('-') => WEEK,
        Some(text) => apply::duration(text)?,
        None => DEFAULT,
    };
    let deadline = call.now() + span;
    let words = call.arguments.words.clone();
    if words.is_empty() && !call.arguments.has_files() {
        return Err(Problem::no_resource());
    }
    if call.arguments.on("local") && !words.is_empty() {
        return Err(Problem::error(LOCAL));
    }
    // That it is made is waited for before all else, wherever that is written.
    if goals.iter().any(|goal| matches!(goal, For::Create)) {
        while !super::edit::looked_up(call, &words).is_ok_and(|(found, _)| !found.is_empty()) {
            if !step(call, deadline) {
                return Err(Problem::error("timed out waiting for the condition"));
            }
        }
    }
    let deletes = goals.iter().any(|goal| matches!(goal, For::Delete));
    let (found, mut problems) = if deletes {
        (present(call, &words)?, Vec::new())
    } else {
        super::edit::looked_up(call, &words)?
    };
    if found.is_empty() && problems.is_empty() {
        return if deletes {
            Ok(())
        } else {
            Err(Problem::error("no matching resources found"))
        };
    }
    for (kind, object) in found {
        let mut until = || {
            goals
                .iter()
                .try_for_each(|goal| one(call, (kind, &object), goal, span, deadline))
        };
        problems.extend(until().err());
    }
    Problem::all(problems)
}

/// Waits for one object to be as it is wanted, and says so.
fn one(
    call: &mut Call<'_>,
    (kind, object): (&'static Kind, &Value),
    goal: &For,
    span: SimDuration,
    deadline: SimTime,
) -> Result<(), Problem> {
    let name = name_of(object).to_owned();
    let uid = object.str_at(&["metadata", "uid"]);
    let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
    loop {
        let now = call.read(kind, namespace, &name)?;
        let met = match (goal, &now) {
            (For::Delete, now) => now
                .as_ref()
                .is_none_or(|now| now.str_at(&["metadata", "uid"]) != uid),
            (_, None) => {
                return Err(Problem::server(&crate::kube::Refusal::not_found(
                    kind, &name,
                )));
            }
            (For::Condition(condition, value), Some(now)) => holds(now, condition, value),
            (For::Path(path, value), Some(now)) => {
                is_value(&path.values(now), value.as_deref()).map_err(Problem::error)?
            }
            (For::Create, Some(_)) => true,
        };
        if met {
            let last = match goal {
                For::Delete => None,
                For::Condition(..) | For::Create | For::Path(..) => now,
            };
            return printers::outcome(call, kind, last.as_ref().unwrap_or(object), MET);
        }
        let why = if span == SimDuration::ZERO {
            "condition not met for"
        } else if step(call, deadline) {
            continue;
        } else {
            "timed out waiting for the condition on"
        };
        return Err(Problem::error(format!("{why} {}/{name}", kind.plural)));
    }
}

/// Whether a path finds one value, and the wanted one if there is any. Maps and lists are values,
/// but are compared with none.
fn is_value(found: &[Value], wanted: Option<&str>) -> Result<bool, &'static str> {
    match (found, wanted) {
        ([], _) => Ok(false),
        ([_], None) => Ok(true),
        ([Value::Map(_) | Value::List(_)], Some(_)) => {
            Err("jsonpath leads to a nested object or list which is not supported")
        }
        ([one], Some(wanted)) => Ok(text(one).trim() == wanted.trim()),
        _ => Err("given jsonpath expression matches more than one value"),
    }
}

/// Objects that are there; absent ones have been deleted already.
fn present(call: &Call<'_>, words: &[String]) -> Result<Vec<(&'static Kind, Value)>, Problem> {
    if call.arguments.has_files() {
        let mut found = Vec::new();
        let (items, problems) = apply::items(call)?;
        Problem::all(problems)?;
        for item in items {
            let object = call.read(item.kind, item.namespace(), name_of(&item.object))?;
            found.extend(object.map(|object| (item.kind, object)));
        }
        return Ok(found);
    }
    let (found, problems) =
        call.looked_up_by(words, |kind, name| call.read(kind, &call.namespace, name))?;
    Problem::all(problems)?;
    Ok(found)
}

/// Lets time pass until the client looks again; false beyond the deadline, and while several worlds are
/// set up.
pub(super) fn step(call: &mut Call<'_>, deadline: crate::base::time::SimTime) -> bool {
    if call.now() >= deadline || !call.session.wait {
        return false;
    }
    let next = (call.now() + LOOK_EVERY).min(deadline);
    call.session.history.advance_to(next);
    true
}

/// A condition counts only if it is about the newest generation.
fn holds(object: &Value, condition: &str, value: &str) -> bool {
    let generation = object.i64_at(&["metadata", "generation"]).unwrap_or(0);
    let found = items(object, &["status", "conditions"]).iter().find(|one| {
        one.str_at(&["type"])
            .is_some_and(|kind| kind.eq_ignore_ascii_case(condition))
    });
    let Some(found) = found else { return false };
    let observed = found
        .i64_at(&["observedGeneration"])
        .or_else(|| object.i64_at(&["status", "observedGeneration"]));
    observed.is_none_or(|observed| observed >= generation)
        && found
            .str_at(&["status"])
            .is_some_and(|status| status.eq_ignore_ascii_case(value))
}

fn goal(text: &str) -> Result<For, Problem> {
    if text.eq_ignore_ascii_case("delete") {
        return Ok(For::Delete);
    }
    if text.eq_ignore_ascii_case("create") {
        return Ok(For::Create);
    }
    if let Some(condition) = text.strip_prefix("condition=") {
        let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
        return Ok(For::Condition(name.to_owned(), value.to_owned()));
    }
    if let Some(path) = text.strip_prefix("jsonpath=") {
        return path_goal(path);
    }
    Err(Problem::error(format!(
        "unrecognized condition: \"{text}\""
    )))
}

/// `{.path}` or `{.path}=value`. Two equal signs side by side are part of the path.
/// Source: `k8s.io/kubectl/pkg/cmd/wait/wait.go` (`processJSONPathInput`).
fn path_goal(text: &str) -> Result<For, Problem> {
    let (mut parts, mut last) = (Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '=' && characters.next_if_eq(&'=').is_none() {
            parts.push(std::mem::take(&mut last));
            continue;
        }
        last.push(character);
        if character == '=' {
            last.push('=');
        }
    }
    parts.push(last);
    let (path, value) = match parts.as_slice() {
        [path] => (path, None),
        [path, value] => (path, Some(value.trim_matches(['\'', '"']).to_owned())),
        _ => {
            return Err(Problem::error(
                "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'",
            ));
        }
    };
    let template = Template::relaxed(path).map_err(|error| Problem::error(&error))?;
    if value.as_ref().is_some_and(String::is_empty) {
        return Err(Problem::error(
            "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
        ));
    }
    if path.is_empty() {
        return Err(Problem::error("jsonpath expression cannot be empty"));
    }
    Ok(For::Path(template, value))
}
