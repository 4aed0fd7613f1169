//! Verbs that change a field or two of objects: scale, label, annotate, set image, patch, cordon.

use crate::kube::apiserver::Request;
use crate::kube::kinds::Kind;
use crate::manifest::decode;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::value::Value;
use crate::object::patch as patches;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, kind_of, name_of, title};

/// Flags of `label` and `annotate`.
pub const META_FLAGS: &[&str] = &[
    "!overwrite",
    "selector:l",
    "!all",
    "!all-namespaces:A",
    "?dry-run",
    "output:o",
    "!list",
    "resource-version",
    "field-manager",
    "filename:f",
];
/// Flags of `scale`.
pub const SCALE_FLAGS: &[&str] = &[
    "replicas",
    "current-replicas",
    "resource-version",
    "selector:l",
    "!all",
    "filename:f",
    "?dry-run",
    "timeout",
    "output:o",
];
/// Flags of `patch`.
pub const PATCH_FLAGS: &[&str] = &[
    "patch:p",
    "patch-file",
    "type",
    "subresource",
    "?dry-run",
    "output:o",
    "!local",
    "field-manager",
    "filename:f",
];

/// Objects of `-f`, or of the words.
fn chosen(call: &Call<'_>, words: &[String]) -> Result<Vec<(&'static Kind, Value)>, Problem> {
    if call.arguments.flag("filename").is_none() {
        return call.chosen(words);
    }
    let (found, problems) = super::apply::items(call)?;
    Problem::all(problems)?;
    let view = call.view()?;
    let look = |item: super::apply::Item| {
        let name = name_of(&item.object);
        let object = view.get(item.kind, item.namespace(), name);
        object
            .map(|object| (item.kind, object))
            .ok_or_else(|| Problem::server(&crate::kube::Refusal::not_found(item.kind, name)))
    };
    found.into_iter().map(look).collect()
}

/// `scale`.
///
/// # Errors
/// A wrong number, a precondition that does not hold, the server's refusal.
pub fn scale(call: &mut Call<'_>) -> Result<(), Problem> {
    let number = |text: &str| {
        text.parse::<i64>().map_err(|_| Problem::error(&format!("invalid argument \"{text}\" for \"--replicas\" flag: strconv.ParseInt: parsing \"{text}\": invalid syntax\nSee 'kubectl scale --help' for usage.")))
    };
    let replicas = match call.arguments.flag("replicas") {
        Some(text) => number(text)?,
        None => return Err(Problem::error("required flag(s) \"replicas\" not set")),
    };
    if replicas < 0 {
        return Err(Problem::error(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ));
    }
    let expected = call
        .arguments
        .flag("current-replicas")
        .map(number)
        .transpose()?
        .filter(|number| *number >= 0);
    for (kind, object) in chosen(call, &call.arguments.words)? {
        if ![
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
            "ReplicationController",
        ]
        .contains(&kind.kind)
        {
            return Err(Problem {
                text:
                    "Error from server (NotFound): the server could not find the requested resource"
                        .to_owned(),
                code: 1,
                reason: "NotFound",
            });
        }
        let was = object.i64_at(&["spec", "replicas"]).unwrap_or(0);
        if let Some(expected) = expected.filter(|expected| *expected != was) {
            return Err(Problem::error(&format!(
                "Expected replicas to be {expected}, was {was}"
            )));
        }
        if !call.dry() {
            let namespace = object
                .str_at(&["metadata", "namespace"])
                .unwrap_or("")
                .into();
            call.ask(Request::Scale {
                kind: kind.kind.into(),
                namespace,
                name: name_of(&object).into(),
                replicas,
            })?;
        }
        let line = format!("{} scaled{}", title(kind, name_of(&object)), call.suffix());
        call.say(&line);
    }
    Ok(())
}

/// `label`.
///
/// # Errors
/// Values that are there already without `--overwrite`.
pub fn label(call: &mut Call<'_>) -> Result<(), Problem> {
    metadata(call, "labels")
}

/// `annotate`.
///
/// # Errors
/// Values that are there already without `--overwrite`.
pub fn annotate(call: &mut Call<'_>) -> Result<(), Problem> {
    metadata(call, "annotations")
}

fn metadata(call: &mut Call<'_>, field: &str) -> Result<(), Problem> {
    let is_change = |word: &String| word.contains('=') || word.ends_with('-');
    let (changes, words): (Vec<String>, Vec<String>) = call
        .arguments
        .words
        .clone()
        .into_iter()
        .partition(is_change);
    let what = if field == "labels" {
        "label"
    } else {
        "annotation"
    };
    if changes.is_empty() && !call.arguments.on("list") {
        return Err(Problem::error(&format!(
            "at least one {what} update is required"
        )));
    }
    let overwrite = call.arguments.on("overwrite");
    for (kind, mut object) in chosen(call, &words)? {
        if call.arguments.on("list") {
            for (key, value) in super::get::text_pairs(&object, field) {
                call.say(&format!("{key}={value}"));
            }
            continue;
        }
        let before = object.clone();
        let (mut added, mut removed) = (false, false);
        let mut taken = Vec::new();
        for change in &changes {
            if let Some((key, value)) = change.split_once('=') {
                let old = object.str_at(&["metadata", field, key]).map(str::to_owned);
                if let Some(old) = old.filter(|old| old != value && !overwrite) {
                    taken.push(format!(
                        "'{key}' already has a value ({old}), and --overwrite is false"
                    ));
                    continue;
                }
                added |= object.str_at(&["metadata", field, key]) != Some(value);
                object.set_path(&["metadata", field, key], value.into());
            } else {
                let key = change.strip_suffix('-').unwrap_or(change);
                if object.remove_path(&["metadata", field, key]).is_some() {
                    removed = true;
                } else if field == "labels" {
                    call.say(&format!("label \"{key}\" not found."));
                }
            }
        }
        if !taken.is_empty() {
            return Err(Problem::error(&if field == "labels" {
                taken.join("\n")
            } else {
                let shown: Vec<String> = taken
                    .iter()
                    .map(|text| text.replace(", and --overwrite is false", ""))
                    .collect();
                format!(
                    "--overwrite is false but found the following declared annotation(s): {}",
                    shown.join("; ")
                )
            }));
        }
        if object != before {
            call.put(object.clone())?;
        }
        let word = match (field, added, removed) {
            ("annotations", _, _) => "annotated",
            (_, true, true) => "modified",
            (_, true, false) => "labeled",
            (_, false, true) => "unlabeled",
            (_, false, false) => "not labeled",
        };
        let line = format!("{} {word}{}", title(kind, name_of(&object)), call.suffix());
        call.say(&line);
    }
    Ok(())
}

/// `set image`.
///
/// # Errors
/// A container that is not there; other fields are refused in words.
pub fn set(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    match words.first().map(String::as_str) {
        Some("image") => {}
        Some(other @ ("env" | "resources" | "selector" | "serviceaccount" | "subject")) => {
            return Err(Problem::error(&format!(
                "kubectl set {other} is not modelled; use kubectl patch or apply"
            )));
        }
        _ => {
            return Err(Problem::error(
                "Required subcommand: image, env, resources, selector, serviceaccount or subject",
            ));
        }
    }
    let (changes, rest): (Vec<String>, Vec<String>) = words[1..]
        .iter()
        .cloned()
        .partition(|word| word.contains('='));
    if changes.is_empty() {
        return Err(Problem::error("at least one image update is required"));
    }
    for (kind, mut object) in chosen(call, &rest)? {
        let before = object.clone();
        let base: &[&str] = if kind.kind == "Pod" {
            &["spec"]
        } else {
            &["spec", "template", "spec"]
        };
        for change in &changes {
            let (name, image) = change.split_once('=').unwrap_or((change, ""));
            let mut hit = false;
            for list in ["initContainers", "containers"] {
                let path: Vec<&str> = base.iter().copied().chain([list]).collect();
                for container in object
                    .path_mut(&path)
                    .and_then(Value::as_list_mut)
                    .into_iter()
                    .flatten()
                {
                    if name == "*" || container.str_at(&["name"]) == Some(name) {
                        container.set("image", image.into());
                        hit = true;
                    }
                }
            }
            if !hit {
                return Err(Problem::error(&format!(
                    "unable to find container named \"{name}\""
                )));
            }
        }
        if object == before {
            continue;
        }
        call.put(object.clone())?;
        let line = format!(
            "{} image updated{}",
            title(kind, name_of(&object)),
            call.suffix()
        );
        call.say(&line);
    }
    Ok(())
}

/// `patch`.
///
/// # Errors
/// Text that is no patch, patches that do not fit, the server's refusal.
pub fn patch(call: &mut Call<'_>) -> Result<(), Problem> {
    let text = match (
        call.arguments.flag("patch"),
        call.arguments.flag("patch-file"),
    ) {
        (Some(text), None) => text.to_owned(),
        (None, Some(file)) => call
            .session
            .file(file)
            .map(ToString::to_string)
            .ok_or_else(|| {
                Problem::error(&format!(
                    "unable to read patch file: open {file}: no such file or directory"
                ))
            })?,
        _ => {
            return Err(Problem::error(
                "must specify --patch or --patch-file containing the contents of the patch",
            ));
        }
    };
    let source = Source::new("patch", &text);
    let (documents, remarks) = decode::documents(&source, Dialect::Kubernetes);
    if let Some(remark) = remarks.iter().find(|remark| remark.is_error()) {
        return Err(Problem::error(&format!(
            "unable to parse \"{text}\": {}",
            remark.message
        )));
    }
    let change = documents
        .first()
        .map(|node| node.to_value())
        .unwrap_or_default();
    if call
        .arguments
        .flag("subresource")
        .is_some_and(|name| !name.is_empty())
    {
        return Err(Problem::error("--subresource is not modelled"));
    }
    let mode = call
        .arguments
        .flag("type")
        .unwrap_or("strategic")
        .to_owned();
    for (kind, object) in chosen(call, &call.arguments.words)? {
        let patched = match mode.as_str() {
            "merge" => patches::merge(&object, &change),
            "json" => patches::json_patch(&object, &change).map_err(|_| Problem {
                text: "The request is invalid: the server rejected our request due to an error in our request".to_owned(),
                code: 1,
                reason: "Invalid",
            })?,
            "strategic" => {
                let known = patches::schema(kind.api_version, kind.kind);
                patches::strategic(&object, &change, known.as_ref()).map_err(|error| Problem { text: format!("Error from server: {error}"), code: 1, reason: "" })?
            }
            other => return Err(Problem::error(&format!("--type must be one of [json merge strategic], not \"{other}\""))),
        };
        let same = patched == object;
        let after = if same {
            object.clone()
        } else {
            call.put(patched)?
        };
        let unmoved = same
            || after.path(&["metadata", "resourceVersion"])
                == object.path(&["metadata", "resourceVersion"])
                && !call.dry();
        let line = format!(
            "{} patched{}{}",
            title(kind, name_of(&object)),
            if unmoved { " (no change)" } else { "" },
            call.suffix()
        );
        call.say(&line);
    }
    Ok(())
}

/// `cordon`.
///
/// # Errors
/// Nodes that are not there.
pub fn cordon(call: &mut Call<'_>) -> Result<(), Problem> {
    schedulable(call, true)
}

/// `uncordon`.
///
/// # Errors
/// Nodes that are not there.
pub fn uncordon(call: &mut Call<'_>) -> Result<(), Problem> {
    schedulable(call, false)
}

fn schedulable(call: &mut Call<'_>, cordon: bool) -> Result<(), Problem> {
    let verb = if cordon { "cordon" } else { "uncordon" };
    let node = kind_of("nodes")?;
    let mut words = call.arguments.words.clone();
    if words.is_empty() && call.arguments.flag("selector").is_none() {
        return Err(Problem::error(&format!(
            "USAGE: {verb} NODE [flags]\nSee 'kubectl {verb} -h' for help and examples"
        )));
    }
    if !words.iter().any(|word| word.contains('/')) {
        words.insert(0, "nodes".to_owned());
    }
    for (_, mut object) in call.chosen(&words)? {
        let name = name_of(&object).to_owned();
        let is = object
            .path(&["spec", "unschedulable"])
            .and_then(Value::as_bool)
            == Some(true);
        if is == cordon {
            let line = format!("{} already {verb}ed{}", title(node, &name), call.suffix());
            call.say(&line);
            continue;
        }
        if cordon {
            object.set_path(&["spec", "unschedulable"], true.into());
        } else {
            object.remove_path(&["spec", "unschedulable"]);
        }
        call.put(object)?;
        let line = format!("{} {verb}ed{}", title(node, &name), call.suffix());
        call.say(&line);
    }
    Ok(())
}

/// Names of a workload's or pod's containers.
pub fn container_names(object: &Value) -> Vec<String> {
    let base: &[&str] = if object.str_at(&["kind"]) == Some("Pod") {
        &["spec", "containers"]
    } else {
        &["spec", "template", "spec", "containers"]
    };
    items(object, base)
        .iter()
        .filter_map(|one| one.str_at(&["name"]).map(str::to_owned))
        .collect()
}
