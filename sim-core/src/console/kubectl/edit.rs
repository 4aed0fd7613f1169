//! Verbs that change a field or two of objects: scale, label, annotate, set image, patch, cordon.

use crate::base::sentence::passage::Passage;
use crate::kube::apiserver::Request;
use crate::kube::kinds::Kind;
use crate::kube::store::custom::at;
use crate::manifest::decode;
use crate::manifest::decode::kube::name;
use crate::manifest::lines::{Source, Span};
use crate::manifest::scalar::Dialect;
use crate::manifest::schema::kubernetes as schema;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;
use crate::object::patch as patches;
use crate::object::print::{KeyOrder, go, json};
use crate::object::structural;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, Found, kind_of, name_of, title};

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
    "!local",
    "field-selector",
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
///
/// # Errors
/// Objects that are not there.
pub fn chosen(call: &Call<'_>, words: &[String]) -> Result<Vec<(&'static Kind, Value)>, Problem> {
    let (found, problems) = looked_up(call, words)?;
    Problem::all(problems)?;
    Ok(found)
}

/// Objects of `-f` as they stand there, whether the server has them or not; else those of the words.
/// Source: `k8s.io/cli-runtime/pkg/resource/builder.go`, without `Latest`.
///
/// # Errors
/// Objects that cannot be read or are not there.
pub fn as_given(call: &Call<'_>, words: &[String]) -> Result<Found, Problem> {
    if call.arguments.has_files() {
        written(call)
    } else {
        call.looked_up(words)
    }
}

/// Objects of `-f`, or of the words, and what is said of those that are not there.
///
/// # Errors
/// Unknown kinds and missing names.
pub fn looked_up(call: &Call<'_>, words: &[String]) -> Result<Found, Problem> {
    if !call.arguments.has_files() {
        return call.looked_up(words);
    }
    let (items, mut problems) = super::apply::items(call)?;
    let mut found = Vec::new();
    for item in items {
        let name = name_of(&item.object);
        match call.read(item.kind, item.namespace(), name) {
            Ok(Some(object)) => found.push((item.kind, object)),
            Ok(None) => {
                let refusal = crate::kube::Refusal::not_found(item.kind, name);
                problems.push(Problem::server(&refusal));
            }
            Err(problem) => problems.push(problem),
        }
    }
    Ok((found, problems))
}

/// `scale`.
///
/// # Errors
/// A wrong number, a precondition that does not hold, the server's refusal.
pub fn scale(call: &mut Call<'_>) -> Result<(), Problem> {
    // That it is a number was seen when the flags were read.
    let number = |text: &str| text.parse::<i64>().unwrap_or(-1);
    let replicas = match call.arguments.flag("replicas") {
        Some(text) => number(text),
        None => return Err(Problem::error("required flag(s) \"replicas\" not set")),
    };
    if replicas < 0 {
        return Err(Problem::error(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ));
    }
    let expected = call.arguments.flag("current-replicas").map(number);
    if expected.is_some_and(|number| number < -1) {
        return Err(Problem::error(
            "The --current-replicas must specify an integer of -1 or greater",
        ));
    }
    let expected = expected.filter(|number| *number >= 0);
    let (found, problems) = looked_up(call, &call.arguments.words)?;
    if found.is_empty() && problems.is_empty() {
        return Err(Problem::error("no objects passed to scale"));
    }
    for (kind, object) in found {
        let scale = call.view()?.store.definitions().of_kind(kind);
        let scale = scale.and_then(|(_, version)| version.scale.clone());
        let built_in = [
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
            "ReplicationController",
        ];
        if scale.is_none() && (kind.custom || !built_in.contains(&kind.kind)) {
            return Err(Problem::said(
                "Error from server (NotFound): the server could not find the requested resource",
                "NotFound",
            ));
        }
        let was = match &scale {
            None => object.i64_at(&["spec", "replicas"]),
            Some(scale) => at(&object, &scale.spec).and_then(Value::as_i64),
        }
        .unwrap_or(0);
        if !call.dry_client() {
            precondition(call, &object, expected, was)?;
        }
        if !call.dry_client() {
            rescale(call, kind, &object, replicas)?;
            if call.arguments.on("record") {
                let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
                if let Some(object) = call.read(kind, namespace, name_of(&object))? {
                    let namespace = namespace.into();
                    call.ask(Request::Update { object, namespace })?;
                }
            }
        }
        // As it was read, with the new number.
        let mut after = object;
        match &scale {
            None => after.set_path(&["spec", "replicas"], replicas.into()),
            Some(scale) => {
                let path: Vec<&str> = scale.spec.iter().map(|part| &**part).collect();
                after.set_path(&path, replicas.into());
            }
        }
        super::printers::outcome(call, kind, &after, "scaled")?;
    }
    Problem::all(problems)
}

/// What `--resource-version` and `--current-replicas` ask for.
fn precondition(
    call: &Call<'_>,
    object: &Value,
    expected: Option<i64>,
    was: i64,
) -> Result<(), Problem> {
    if let Some(wanted) = call.arguments.flag("resource-version")
        && object.str_at(&["metadata", "resourceVersion"]) != Some(wanted)
    {
        let is = object
            .str_at(&["metadata", "resourceVersion"])
            .unwrap_or("");
        return Err(Problem::error(format!(
            "Expected resource version to be {wanted}, was {is}"
        )));
    }
    if let Some(expected) = expected.filter(|expected| *expected != was) {
        return Err(Problem::error(format!(
            "Expected replicas to be {expected}, was {was}"
        )));
    }
    Ok(())
}

fn rescale(
    call: &mut Call<'_>,
    kind: &'static Kind,
    object: &Value,
    replicas: i64,
) -> Result<Value, Problem> {
    let namespace = object
        .str_at(&["metadata", "namespace"])
        .unwrap_or("")
        .into();
    let answer = call.ask(Request::Scale {
        kind: kind.request_name().into(),
        namespace,
        name: name_of(object).into(),
        replicas,
    })?;
    Ok(answer.object)
}

/// What Go's decoder calls a patch that is no object.
const fn no_object(change: &Value) -> Option<&'static str> {
    match change {
        Value::Null | Value::Map(_) => None,
        Value::String(_) => Some("string"),
        Value::Bool(_) => Some("bool"),
        Value::Int(_) | Value::Number(_) => Some("number"),
        Value::List(_) => Some("array"),
    }
}

/// A map of the metadata that a patch has made something else, in the decoder's words.
fn broken_map(object: &Value) -> Option<String> {
    for field in ["labels", "annotations"] {
        let Some(found) = object.path(&["metadata", field]) else {
            continue;
        };
        let word = match found {
            Value::Null | Value::Map(_) => continue,
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int64",
            Value::Number(_) => "float64",
            Value::List(_) => "[]interface {}",
        };
        return Some(format!("cannot restore map from {word}"));
    }
    None
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
    let what = if field == "labels" {
        "label"
    } else {
        "annotation"
    };
    let (words, changes) = words_and_pairs(&call.arguments.words, what)?;
    let changes = told(changes, what)?;
    let (list, all) = (call.arguments.on("list"), call.arguments.on("all"));
    let text = if list && call.arguments.flag("output").is_some() {
        "--list and --output may not be specified together"
    } else if all && call.arguments.flag("selector").is_some() {
        "cannot set --all and --selector at the same time"
    } else if words.is_empty() && !call.arguments.has_files() {
        NO_RESOURCE
    } else if changes.is_empty() && !list {
        return Err(Problem::error(format!(
            "at least one {what} update is required"
        )));
    } else {
        ""
    };
    if !text.is_empty() {
        return Err(Problem::error(text));
    }
    let (found, mut problems) = if call.arguments.on("local") {
        local(call, &words)?
    } else {
        looked_up(call, &words)?
    };
    let is_one = found.len() == 1 && call.arguments.flag("selector").is_none() && !all;
    for (kind, object) in found {
        let result = if list {
            list_pairs(call, (kind, &object), field, is_one);
            Ok(())
        } else {
            mark(call, kind, object, field, &changes)
        };
        problems.extend(result.err());
    }
    Problem::all(problems)
}

/// What `--list` prints of an object.
fn list_pairs(call: &mut Call<'_>, (kind, object): (&Kind, &Value), field: &str, is_one: bool) {
    if !is_one {
        let (group, name) = (kind.group(), name_of(object));
        call.say(&format!(
            "Listing {field} for {}.{group}/{name}:",
            kind.kind
        ));
    }
    let indent = if is_one { "" } else { " " };
    for (key, value) in super::get::text_pairs(object, field) {
        call.say(&format!("{indent}{key}={value}"));
    }
}

/// Puts labels or annotations to one object.
fn mark(
    call: &mut Call<'_>,
    kind: &'static Kind,
    mut object: Value,
    field: &str,
    changes: &[String],
) -> Result<(), Problem> {
    let overwrite = call.arguments.on("overwrite");
    let before = object.clone();
    let (mut added, mut removed) = (false, false);
    let mut taken = Vec::new();
    for change in changes {
        if let Some((key, value)) = change.split_once('=') {
            let old = object.str_at(&["metadata", field, key]).map(str::to_owned);
            if let Some(old) = old.filter(|old| old != value && !overwrite) {
                taken.push(format!("'{key}' already has a value ({old})"));
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
    if field == "labels" {
        let told = taken
            .iter()
            .map(|text| Problem::error(format!("{text}, and --overwrite is false")));
        Problem::all(told.collect())?;
    } else if !taken.is_empty() {
        return Err(Problem::error(format!(
            "--overwrite is false but found the following declared annotation(s): {}",
            taken.join("; ")
        )));
    }
    if object != before && !call.arguments.on("local") {
        object = call.put(object)?;
    }
    let word = match (field, added, removed) {
        ("annotations", _, _) => "annotated",
        (_, true, true) => "modified",
        (_, true, false) => "labeled",
        (_, false, true) => "unlabeled",
        (_, false, false) => "not labeled",
    };
    super::printers::outcome(call, kind, &object, word)
}

/// Objects of files as they are written there: no server is asked.
/// Source: `k8s.io/kubectl/pkg/cmd/label/label.go` (`Validate`).
fn local(call: &Call<'_>, words: &[String]) -> Result<Found, Problem> {
    let text = if call.arguments.flag("dry-run") == Some("server") {
        "cannot specify --local and --dry-run=server - did you mean --dry-run=client?"
    } else if !words.is_empty() {
        "can only use local files by -f pod.yaml or --filename=pod.json when --local=true is set"
    } else {
        ""
    };
    if !text.is_empty() {
        return Err(Problem::error(text));
    }
    written(call)
}

/// Objects of files as they are written there, and what is wrong with others.
///
/// # Errors
/// Files that are not there.
pub fn written(call: &Call<'_>) -> Result<Found, Problem> {
    let (found, problems) = super::apply::items(call)?;
    let objects = found.into_iter().map(|item| (item.kind, item.object));
    Ok((objects.collect(), problems))
}

/// Fields that a patched object has and its kind has not: the server warns of them and drops them.
/// Source: `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go` (`fieldValidation=Warn`).
fn unknown(call: &Call<'_>, kind: &Kind, object: &Value) -> Result<Vec<String>, Problem> {
    let mut copy = object.clone();
    copy.remove("status");
    if let Some((_, version)) = call.view()?.store.definitions().of_kind(kind) {
        return Ok(structural::prune::prune(&mut copy, &version.schema));
    }
    let node = Node::of_value(&copy, Span::default());
    let remarks = decode::schema_problems(None, |report| {
        schema::check(&node, &|_, _| false, report);
    });
    let named = |text: &str| -> Option<String> {
        let path = text.strip_prefix("unknown field \"")?;
        Some(path.strip_suffix('"').unwrap_or(path).to_owned())
    };
    Ok(remarks
        .iter()
        .filter_map(|remark| named(&remark.message.words()))
        .collect())
}

/// What is said where nothing is named. Source: `k8s.io/kubectl/pkg/cmd/label/label.go` (`Validate`).
pub const NO_RESOURCE: &str =
    "one or more resources must be specified as <resource> <name> or <resource>/<name>";

/// What words name, and after it what they change.
/// Source: `k8s.io/kubectl/pkg/cmd/util/helpers.go` (`GetResourcesAndPairs`).
pub fn words_and_pairs(all: &[String], what: &str) -> Result<(Vec<String>, Vec<String>), Problem> {
    let is_pair = |word: &String| {
        word.contains('=') && !word.starts_with('=') || word.ends_with('-') && word != "-"
    };
    let first = all.iter().position(is_pair).unwrap_or(all.len());
    let (words, pairs) = all.split_at(first);
    if let Some(word) = pairs.iter().find(|word| !is_pair(word)) {
        return Err(Problem::error(format!(
            "all resources must be specified before {what} changes: {word}"
        )));
    }
    Ok((words.to_vec(), pairs.to_vec()))
}

/// The changes that words ask for, one for each key; of several values the last counts.
/// Source: `k8s.io/kubectl/pkg/cmd/label/label.go` (`parseLabels`), `…/cmd/util/helpers.go` (`ParsePairs`).
fn told(words: Vec<String>, what: &str) -> Result<Vec<String>, Problem> {
    let mut changes: Vec<String> = Vec::new();
    let mut both: Vec<String> = Vec::new();
    for word in words {
        let key = match word.split_once('=') {
            Some((_, value)) if what == "label" && value.contains('=') => {
                return Err(Problem::error(format!("invalid label spec: {word}")));
            }
            Some((key, value)) if what == "label" => {
                let faults = name::label_value(value);
                if !faults.is_empty() {
                    let text = faults.join(";");
                    return Err(Problem::error(format!(
                        "invalid label value: {word:?}: {text}"
                    )));
                }
                key
            }
            Some((key, _)) => key,
            None => word.strip_suffix('-').unwrap_or(&word),
        };
        let sets = word.contains('=');
        let same = changes.iter().position(|one| {
            one.split_once('=').map_or_else(
                || one.strip_suffix('-') == Some(key),
                |(other, _)| other == key,
            )
        });
        match same {
            Some(at) if changes[at].contains('=') == sets => changes[at] = word,
            Some(_) if what == "label" => {
                return Err(Problem::error(
                    "can not both modify and remove a label in the same command",
                ));
            }
            Some(_) => both.push(key.to_owned()),
            None => changes.push(word),
        }
    }
    if both.is_empty() {
        return Ok(changes);
    }
    Err(Problem::error(format!(
        "can not both modify and remove the following annotation(s) in the same command: {}",
        both.join(", ")
    )))
}

/// `patch`.
///
/// # Errors
/// Text that is no patch, patches that do not fit, the server's refusal.
pub fn patch(call: &mut Call<'_>) -> Result<(), Problem> {
    let given = |flag: &str| {
        call.arguments
            .flag(flag)
            .is_some_and(|text| !text.is_empty())
    };
    if given("patch") && given("patch-file") {
        return Err(Problem::error(
            "cannot specify --patch and --patch-file together",
        ));
    }
    if call.arguments.on("local") && (given("patch") || given("patch-file")) {
        if !call.arguments.words.is_empty() {
            return Err(Problem::error(
                "cannot specify --local and server resources",
            ));
        }
        if call.arguments.flag("dry-run") == Some("server") {
            return Err(Problem::error(
                "cannot specify --local and --dry-run=server - did you mean --dry-run=client?",
            ));
        }
    }
    let text = match (
        call.arguments.flag("patch"),
        call.arguments.flag("patch-file"),
    ) {
        (Some(text), None) => text.to_owned(),
        (None, Some("/dev/stdin" | "-")) => call.input.to_owned(),
        (None, Some(file)) => call
            .session
            .file(file)
            .map(ToString::to_string)
            .ok_or_else(|| {
                Problem::error(format!(
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
        let shown = json(&text.as_str().into(), KeyOrder::Sorted);
        let doing = Passage::from(format!("unable to parse {shown}: "));
        return Err(Problem::error(
            doing.then(super::apply::yaml_error(&source, remark)),
        ));
    }
    let change = documents
        .first()
        .map(|node| node.to_value())
        .unwrap_or_default();
    if call.arguments.flag("type") != Some("json")
        && let Some(word) = no_object(&change)
    {
        return Err(Problem::said(
            format!(
                "Error from server (BadRequest): error decoding patch: json: cannot unmarshal {word} into Go value of type map[string]interface {{}}"
            ),
            "BadRequest",
        ));
    }
    if call.arguments.flag("type") == Some("json") && change.as_list().is_none() {
        let word = no_object(&change).unwrap_or("object");
        return Err(Problem::said(
            format!(
                "Error from server (BadRequest): json: cannot unmarshal {word} into Go value of type jsonpatch.Patch"
            ),
            "BadRequest",
        ));
    }
    let subresource = call.arguments.flag("subresource").unwrap_or("").to_owned();
    if !matches!(subresource.as_str(), "" | "status" | "scale" | "resize") {
        return Err(Problem::error(format!(
            "invalid subresource value: \"{subresource}\". Must be one of [status scale resize]"
        )));
    }
    let mode = call
        .arguments
        .flag("type")
        .unwrap_or("strategic")
        .to_ascii_lowercase();
    if !matches!(mode.as_str(), "json" | "merge" | "strategic") {
        return Err(Problem::error(format!(
            "--type must be one of [json merge strategic], not \"{mode}\""
        )));
    }
    let (found, mut problems) = if call.arguments.on("local") {
        written(call)?
    } else {
        looked_up(call, &call.arguments.words)?
    };
    if found.is_empty() && problems.is_empty() {
        return Err(Problem::error("no objects passed to patch"));
    }
    for (kind, object) in found {
        let result = patch_one(call, (kind, object), (&mode, &change), &subresource);
        problems.extend(result.err());
    }
    Problem::all(problems)
}

/// An object as a patch makes it.
fn patched(kind: &Kind, object: &Value, mode: &str, change: &Value) -> Result<Value, Problem> {
    match mode {
        "merge" => Ok(patches::merge(object, change)),
        "json" => patches::json_patch(object, change).map_err(|_| Problem::said("The request is invalid: the server rejected our request due to an error in our request", "Invalid")),
        // Source: `k8s.io/kubectl/pkg/cmd/patch/patch.go` (`RunPatch`).
        "strategic" if kind.custom => Err(Problem::error(format!("application/strategic-merge-patch+json is not supported by {}, Kind={}: the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml", kind.api_version, kind.kind))),
        _ => {
            let known = patches::schema(kind.api_version, kind.kind);
            let patched = patches::strategic(object, change, known.as_ref());
            patched.map_err(|error| Problem::said(format!("Error from server: {error}"), ""))
        }
    }
}

fn patch_one(
    call: &mut Call<'_>,
    (kind, object): (&'static Kind, Value),
    (mode, change): (&str, &Value),
    subresource: &str,
) -> Result<(), Problem> {
    if mode == "strategic" && kind.custom && (call.arguments.on("local") || call.dry_client()) {
        return Err(Problem::error(format!(
            "strategic merge patch is not supported for {}, Kind={} locally, try --type merge",
            kind.api_version, kind.kind
        )));
    }
    let patched = patched(kind, &object, mode, change)?;
    let said = |same: bool| {
        if same {
            "patched (no change)"
        } else {
            "patched"
        }
    };
    let same = patched == object;
    if call.arguments.on("local") {
        return super::printers::outcome(call, kind, &patched, said(same));
    }
    for path in unknown(call, kind, &patched)? {
        call.stderr
            .push(format!("Warning: unknown field \"{path}\"\n"));
    }
    if !same && let Some(field) = broken_map(&patched) {
        return Err(Problem::said(
            format!("Error from server (BadRequest): unable to decode patched object: {field}"),
            "BadRequest",
        ));
    }
    let after = match subresource {
        _ if same => object.clone(),
        "status" => call.put_status(patched)?,
        "resize" => call.put_size(patched)?,
        "scale" => {
            let replicas = change.i64_at(&["spec", "replicas"]);
            let replicas = replicas.or_else(|| object.i64_at(&["spec", "replicas"]));
            rescale(call, kind, &object, replicas.unwrap_or(0))?
        }
        _ => call
            .put(patched)
            .map_err(|problem| unconverted(problem, mode, change))?,
    };
    let unmoved = same
        || after.path(&["metadata", "resourceVersion"])
            == object.path(&["metadata", "resourceVersion"])
            && !call.dry();
    super::printers::outcome(call, kind, &after, said(unmoved))
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
    if words.is_empty() {
        match call.arguments.flag("selector") {
            None => {
                return Err(Problem::error(format!(
                    "USAGE: {verb} NODE [flags]\nSee 'kubectl {verb} -h' for help and examples"
                )));
            }
            Some("") => return Err(Problem::no_resource()),
            Some(_) => {}
        }
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

/// What the server says of a patch that puts a value where another type belongs.
/// Sources: `apiserver/pkg/endpoints/handlers/patch.go`, `apimachinery/pkg/runtime/converter.go`.
fn unconverted(mut problem: Problem, mode: &str, change: &Value) -> Problem {
    let Some((_, why)) = problem
        .text
        .split_once(" is invalid: json: cannot unmarshal ")
    else {
        return problem;
    };
    let (shown, why) = if mode == "strategic" {
        let from = why.split(' ').next().unwrap_or("");
        let from = match from {
            "number" => "int64",
            "object" => "map",
            "array" => "slice",
            other => other,
        };
        let to = why.rsplit(' ').next().unwrap_or("");
        let why = match to {
            to if to.starts_with("[]") => format!("cannot restore slice from {from}"),
            to if to.starts_with("map[") => format!("cannot restore map from {from}"),
            to if to.contains('.') => format!("cannot restore struct from: {from}"),
            to => format!("unrecognized type: {to}"),
        };
        (go(change), why)
    } else {
        let text = json(change, KeyOrder::Stored);
        (text, format!("json: cannot unmarshal {why}"))
    };
    let shown = json(&shown.as_str().into(), KeyOrder::Sorted);
    problem.text = format!("The request is invalid: patch: Invalid value: {shown}: {why}").into();
    problem
}
