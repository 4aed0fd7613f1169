//! `kubectl delete`. Source: `k8s.io/kubectl/pkg/cmd/delete`.

use crate::base::time::SimDuration;
use crate::kube::apiserver::{Propagation, Request};
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::problem::Problem;
use super::{Call, Found, apply, name_of, wait};

/// Flags of `delete`.
pub const FLAGS: &[&str] = &[
    "raw",
    "filename:f",
    "!recursive:R",
    "selector:l",
    "!all",
    "!all-namespaces:A",
    "grace-period",
    "!force",
    "?cascade",
    "!now",
    "!wait",
    "timeout",
    "!ignore-not-found",
    "?dry-run",
    "output:o",
    "field-selector",
    "kustomize:k",
    "!interactive:i",
];

/// Longest wait for removal without `--timeout`: the client itself waits a week; an object that is
/// held for an hour will not go by itself.
const LONGEST: SimDuration = SimDuration::from_secs(3_600);

/// `delete`.
///
/// # Errors
/// Flags that exclude each other, and objects that are not there.
pub fn delete(call: &mut Call<'_>) -> Result<(), Problem> {
    let force = call.arguments.on("force");
    let mut grace = match call.arguments.flag("grace-period") {
        Some(text) => Some(text.parse::<i64>().map_err(|_| Problem::error(format!("invalid argument \"{text}\" for \"--grace-period\" flag: strconv.ParseInt: parsing \"{text}\": invalid syntax")))?),
        None => None,
    }
    .filter(|grace| *grace >= 0);
    if call.arguments.on("now") {
        if grace.is_some() {
            return Err(Problem::error(
                "--now and --grace-period cannot be specified together",
            ));
        }
        grace = Some(1);
    }
    if force && grace.is_some_and(|grace| grace > 0) {
        return Err(Problem::error(
            "--force and --grace-period greater than 0 cannot be specified together",
        ));
    }
    if force {
        grace = Some(0);
    } else if grace == Some(0) {
        // The client waits for the object to be gone, then there is nothing left to force.
        grace = Some(1);
    }
    let propagation = match call.arguments.flag("cascade") {
        None | Some("background" | "" | "true") => Propagation::Background,
        Some("foreground") => Propagation::Foreground,
        Some("orphan" | "false") => Propagation::Orphan,
        Some(other) => {
            return Err(Problem::error(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    };
    if call.arguments.on("all") && call.arguments.flag("selector").is_some() {
        return Err(Problem::error(
            "setting 'all' parameter but found a non empty selector. ",
        ));
    }
    let (chosen, mut problems) = chosen(call)?;
    let output = call.arguments.flag("output");
    if let Some(other) = output.filter(|text| !matches!(*text, "" | "name")) {
        return Err(Problem::error(format!(
            "unexpected -o output mode: {other}. We only support '-o name'"
        )));
    }
    let fields = call.arguments.flag("field-selector");
    if call.arguments.on("all") && fields.is_some_and(|text| !text.is_empty()) {
        return Err(Problem::error(
            "cannot set --all and --field-selector at the same time",
        ));
    }
    if force {
        call.stderr.push("Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.\n");
    }
    if chosen.is_empty() && problems.is_empty() && !call.arguments.on("ignore-not-found") {
        call.say("No resources found");
        return Ok(());
    }
    if call.arguments.on("interactive") {
        // Nothing is deleted of a list that could not be read as a whole.
        if !problems.is_empty() {
            return Problem::all(problems);
        }
        if chosen.is_empty() {
            call.say("No resources found");
            return Ok(());
        }
        if !confirmed(call, &chosen) {
            call.say("deletion is cancelled");
            return Ok(());
        }
    }
    let mut waiting = Vec::new();
    for (kind, object) in chosen {
        let (name, namespace) = (
            name_of(&object).to_owned(),
            object
                .str_at(&["metadata", "namespace"])
                .unwrap_or("")
                .to_owned(),
        );
        if !kind.namespaced
            && call.arguments.flag("namespace").is_some()
            && !call.stderr.contains("cluster-scoped")
        {
            call.stderr.push("Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n");
        }
        if !call.dry_client() {
            let request = Request::Delete {
                kind: kind.request_name().into(),
                namespace: namespace.as_str().into(),
                name: name.as_str().into(),
                propagation: Some(propagation),
                grace_seconds: grace,
            };
            if let Err(problem) = call.ask(request) {
                if !(problem.reason == "NotFound" && call.arguments.on("ignore-not-found")) {
                    problems.push(problem);
                }
                continue;
            }
        }
        let word = if grace == Some(0) {
            "force deleted"
        } else {
            "deleted"
        };
        let place = if kind.namespaced {
            format!(" from {namespace} namespace")
        } else {
            String::new()
        };
        let line = match call.arguments.flag("output") {
            Some("name") => super::title(kind, &name),
            _ => format!(
                "{} \"{name}\" {word}{place}{}",
                kind.qualified().to_ascii_lowercase(),
                call.suffix()
            ),
        };
        call.say(&line);
        waiting.push((kind, namespace, name, object));
    }
    if !call.dry() && call.session.wait && call.arguments.flag("wait") != Some("false") {
        removal(call, &waiting, &mut problems)?;
    }
    Problem::all(problems)
}

/// What `--raw` cannot be given with.
///
/// # Errors
/// The first of them that was.
pub fn check_raw(call: &Call<'_>) -> Result<(), Problem> {
    let said = |flag: &str| call.arguments.on(flag);
    let why = match () {
        () if said("interactive") => "--interactive can not be used with --raw",
        () if said("recursive") => "--raw and --recursive are mutually exclusive",
        () if call.arguments.flag("output").is_some() => {
            "--raw and --output are mutually exclusive"
        }
        () => return Ok(()),
    };
    Err(Problem::error(why))
}

/// Asks whether these are meant; the question's line goes on with the answer's outcome.
fn confirmed(call: &mut Call<'_>, chosen: &[(&'static Kind, Value)]) -> bool {
    let count = chosen.len();
    call.say(&format!(
        "You are about to delete the following {count} resource(s):"
    ));
    for (kind, object) in chosen {
        call.say(&super::title(kind, name_of(object)));
    }
    call.stdout.push_str("Do you want to continue? (y/N): ");
    let line = call.input.lines().next().unwrap_or("");
    let mut words = line.split_whitespace();
    // One word, as Go's `Fscanln` reads it.
    words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("y"))
        && words.next().is_none()
}

fn removal(
    call: &mut Call<'_>,
    waiting: &[(&'static Kind, String, String, Value)],
    problems: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let longest = match call.arguments.flag("timeout") {
        Some(text) => Some(apply::duration(text)?)
            .filter(|span| !span.is_zero())
            .unwrap_or(LONGEST),
        None => LONGEST,
    };
    let deadline = call.now() + longest;
    for (kind, namespace, name, object) in waiting {
        let uid = object.str_at(&["metadata", "uid"]);
        loop {
            let there = call.view()?.get(kind, namespace, name);
            if there.is_none_or(|there| there.str_at(&["metadata", "uid"]) != uid) {
                break;
            }
            if !wait::step(call, deadline) {
                problems.push(Problem::error(format!(
                    "timed out waiting for the condition on {}/{name}",
                    kind.plural
                )));
                break;
            }
        }
    }
    Ok(())
}

fn chosen(call: &Call<'_>) -> Result<Found, Problem> {
    let quiet = call.arguments.on("ignore-not-found");
    if call.arguments.has_files() {
        let mut found = Vec::new();
        let (items, mut problems) = apply::items(call)?;
        for item in items {
            let name = name_of(&item.object);
            call.may("delete", item.kind, item.namespace(), name)?;
            match call.view()?.get(item.kind, item.namespace(), name) {
                Some(object) => found.push((item.kind, object)),
                None if quiet => {}
                None => problems.push(
                    Problem::server(&crate::kube::Refusal::not_found(item.kind, name))
                        .when("deleting", &item.source),
                ),
            }
        }
        return Ok((found, problems));
    }
    if call.arguments.words.is_empty() {
        return Err(Problem::no_resource());
    }
    call.looked_up_by(&call.arguments.words, |kind, name| {
        call.may("delete", kind, &call.namespace, name)?;
        match call.stored(kind, name) {
            Err(problem) if quiet && problem.reason == "NotFound" => Ok(None),
            stored => stored.map(Some),
        }
    })
}
