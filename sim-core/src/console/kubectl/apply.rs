//! `kubectl apply`, and reading manifests for it and for `create` and `delete`.
//! Source: `k8s.io/kubectl/pkg/cmd/apply`.

use std::sync::Arc;

use crate::base::time::SimDuration;
use crate::kube::apiserver::Request;
use crate::kube::kinds::{self, Kind};
use crate::manifest::decode;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::schema::kubernetes as schema;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;
use crate::object::patch;
use crate::object::print::{KeyOrder, json};

use super::problem::Problem;
use super::{Call, name_of, title};

/// Flags of `apply`.
pub const FLAGS: &[&str] = &[
    "filename:f",
    "!recursive:R",
    "?dry-run",
    "output:o",
    "!server-side",
    "!force-conflicts",
    "field-manager",
    "!force",
    "!prune",
    "!all",
    "selector:l",
    "?validate",
    "!wait",
    "timeout",
    "!overwrite",
    "!openapi-patch",
    "kustomize:k",
    "grace-period",
    "?cascade",
];

/// The annotation that remembers what was applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// One object of a manifest.
#[derive(Clone, Debug)]
pub struct Item {
    /// File that it is from; `STDIN` for standard input.
    pub source: String,
    /// Its kind.
    pub kind: &'static Kind,
    /// The object with its namespace.
    pub object: Value,
    /// What strict decoding says of it, joined; empty if it is fine.
    pub strict: String,
}

/// Reads what follows `-f`. Objects that cannot be read are problems; the others are there.
///
/// # Errors
/// Files that are not there.
pub fn items(call: &Call<'_>) -> Result<(Vec<Item>, Vec<Problem>), Problem> {
    if call.arguments.flag("kustomize").is_some() {
        return Err(Problem::error(
            "-k is not modelled; apply the files that kustomize prints",
        ));
    }
    let names = call.arguments.all("filename");
    if names.is_empty() {
        return Err(Problem::error("must specify one of -f and -k"));
    }
    let mut texts: Vec<(String, Arc<str>)> = Vec::new();
    for name in names {
        if name == "-" {
            texts.push(("STDIN".to_owned(), call.input.into()));
            continue;
        }
        if let Some(text) = call.session.file(&name) {
            texts.push((name, text.clone()));
            continue;
        }
        let folder = name.trim_start_matches("./").trim_end_matches('/');
        let deep = call.arguments.on("recursive");
        let inside = call.session.files.iter().filter(|(path, _)| {
            let rest = if folder == "." || folder.is_empty() {
                Some(path.as_str())
            } else {
                path.strip_prefix(folder)
                    .and_then(|rest| rest.strip_prefix('/'))
            };
            rest.is_some_and(|rest| deep || !rest.contains('/'))
                && [".json", ".yaml", ".yml"]
                    .iter()
                    .any(|end| path.ends_with(end))
        });
        let before = texts.len();
        texts.extend(inside.map(|(path, text)| (path.clone(), text.clone())));
        if texts.len() == before {
            return Err(Problem::error(&format!(
                "the path \"{name}\" does not exist"
            )));
        }
    }
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in &texts {
        let source = Source::new(name, text);
        let (documents, remarks) = decode::documents(&source, Dialect::Kubernetes);
        if let Some(remark) = remarks.iter().find(|remark| remark.is_error()) {
            problems.push(Problem::error(&format!(
                "error parsing {name}: error converting YAML to JSON: {}",
                remark.message
            )));
        }
        for node in &documents {
            let is_list = node
                .get("kind")
                .and_then(Node::as_str)
                .is_some_and(|kind| kind.ends_with("List"));
            let parts: Vec<&Node> = match node.get("items").and_then(Node::as_seq) {
                Some(parts) if is_list => parts.iter().collect(),
                _ => vec![node],
            };
            for part in parts {
                match read(call, name, &source, part) {
                    Ok(item) => found.push(item),
                    Err(problem) => problems.push(problem),
                }
            }
        }
    }
    Ok((found, problems))
}

fn read(call: &Call<'_>, name: &str, source: &Source, node: &Node) -> Result<Item, Problem> {
    let mut object = node.to_value();
    for (field, word) in [("kind", "Kind"), ("apiVersion", "apiVersion")] {
        if object.str_at(&[field]).is_none_or(str::is_empty) {
            let shown = json(&object, KeyOrder::Sorted);
            return Err(Problem::error(&format!(
                "unable to decode \"{name}\": Object '{word}' is missing in '{shown}'"
            )));
        }
    }
    let version = object.str_at(&["apiVersion"]).unwrap_or("").to_owned();
    let kind_name = object.str_at(&["kind"]).unwrap_or("").to_owned();
    let Some(kind) =
        kinds::of_object(&version, &kind_name).filter(|kind| kind.api_version == version)
    else {
        let own = object.str_at(&["metadata", "namespace"]).unwrap_or("");
        return Err(Problem::error(&format!(
            "resource mapping not found for name: \"{}\" namespace: \"{own}\" from \"{name}\": no matches for kind \"{kind_name}\" in version \"{version}\"\nensure CRDs are installed first",
            name_of(&object)
        )));
    };
    if kind.namespaced {
        let own = object
            .str_at(&["metadata", "namespace"])
            .unwrap_or("")
            .to_owned();
        if own.is_empty() {
            object.set_path(&["metadata", "namespace"], call.namespace.as_str().into());
        } else if call
            .arguments
            .flag("namespace")
            .is_some_and(|wanted| wanted != own)
        {
            return Err(Problem::error(&format!(
                "the namespace from the provided object \"{own}\" does not match the namespace \"{}\". You must pass '--namespace={own}' to perform this operation.",
                call.namespace
            )));
        }
    }
    let remarks = decode::schema_problems(Some(source), |report| {
        schema::check(node, &|_, _| false, report)
    });
    let strict: Vec<String> = remarks
        .into_iter()
        .filter(|remark| remark.is_error())
        .map(|remark| remark.message)
        .collect();
    let off = matches!(call.arguments.flag("validate"), Some("false" | "ignore"));
    Ok(Item {
        source: name.to_owned(),
        kind,
        object,
        strict: if off {
            String::new()
        } else {
            strict.join(", ")
        },
    })
}

impl Item {
    /// The server's refusal of an object that is not of its kind's schema.
    ///
    /// # Errors
    /// If strict decoding found anything.
    pub fn strict(&self) -> Result<(), Problem> {
        if self.strict.is_empty() {
            return Ok(());
        }
        let version = self.kind.api_version.rsplit('/').next().unwrap_or("");
        // Go's decoder speaks of types itself; unknown and repeated fields are the strict decoder's.
        let decoder = if self.strict.contains("cannot unmarshal") {
            ""
        } else {
            "strict decoding error: "
        };
        let kind = self.kind.kind;
        let text = format!(
            "Error from server (BadRequest): {kind} in version \"{version}\" cannot be handled as a {kind}: {decoder}{}",
            self.strict
        );
        Err(Problem {
            text,
            code: 1,
            reason: "BadRequest",
        })
    }

    /// Namespace of the object, empty for cluster-wide kinds.
    pub fn namespace(&self) -> &str {
        self.object.str_at(&["metadata", "namespace"]).unwrap_or("")
    }
}

/// The object with the annotation that remembers it.
pub fn remembering(object: &Value) -> Value {
    let mut shown = object.clone();
    shown.remove_path(&["metadata", "annotations", LAST_APPLIED]);
    if shown.path(&["metadata", "annotations"]).is_none() {
        shown.set_path(&["metadata", "annotations"], Value::map());
    }
    let text = format!("{}\n", json(&shown, KeyOrder::Sorted));
    let mut object = shown;
    object.set_path(&["metadata", "annotations", LAST_APPLIED], text.into());
    object
}

/// `apply`.
///
/// # Errors
/// Flags that exclude each other, and every object's own problem; the others are applied.
pub fn apply(call: &mut Call<'_>) -> Result<(), Problem> {
    if !call.arguments.words.is_empty() {
        return Err(Problem::error(&format!(
            "Unexpected args: [{}]\nSee 'kubectl apply -h' for help and examples",
            call.arguments.words.join(" ")
        )));
    }
    if call.arguments.on("server-side") {
        return Err(Problem::error(
            "--server-side is not modelled; field ownership of managers is not kept",
        ));
    }
    if call.arguments.on("force-conflicts") {
        return Err(Problem::error(
            "--force-conflicts only works with --server-side",
        ));
    }
    if call.arguments.on("prune") || call.arguments.on("force") {
        return Err(Problem::error("--prune and --force are not modelled"));
    }
    let selector = call.selector()?;
    let (found, mut problems) = items(call)?;
    let found: Vec<Item> = found
        .into_iter()
        .filter(|item| {
            selector
                .as_ref()
                .is_none_or(|selector| super::get::selected(selector, &item.object))
        })
        .collect();
    if found.is_empty() && problems.is_empty() {
        return Err(Problem::error("no objects passed to apply"));
    }
    for item in &found {
        match one(call, item) {
            Ok(word) => {
                let line = match call.arguments.flag("output") {
                    Some("name") => title(item.kind, name_of(&item.object)),
                    _ => format!(
                        "{} {word}{}",
                        title(item.kind, name_of(&item.object)),
                        call.suffix()
                    ),
                };
                call.say(&line);
            }
            Err(problem) => problems.push(problem),
        }
    }
    Problem::all(problems)
}

fn one(call: &mut Call<'_>, item: &Item) -> Result<&'static str, Problem> {
    let name = name_of(&item.object);
    if name.is_empty()
        && let Some(base) = item.object.str_at(&["metadata", "generateName"])
    {
        return Err(Problem::error(&format!(
            "from {base}: cannot use generate name with apply"
        )));
    }
    let modified = remembering(&item.object);
    let current = call.view()?.get(item.kind, item.namespace(), name);
    let Some(current) = current else {
        item.strict()
            .map_err(|problem| problem.when("creating", &item.source))?;
        if !call.dry() {
            let request = Request::Create {
                object: patch::without_nulls(&modified),
                namespace: item.namespace().into(),
            };
            call.ask(request)
                .map_err(|problem| problem.when("creating", &item.source))?;
        }
        return Ok("created");
    };
    let original = match current
        .str_at(&["metadata", "annotations", LAST_APPLIED])
        .and_then(|text| Value::parse_json(text).ok())
    {
        Some(original) => original,
        None => {
            call.stderr.push_str(&format!(
                "Warning: resource {}/{name} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.\n",
                item.kind.plural
            ));
            Value::Null
        }
    };
    let known = patch::schema(item.kind.api_version, item.kind.kind);
    let mut original = original;
    if let Some(text) = current.str_at(&["metadata", "annotations", LAST_APPLIED]) {
        original.set_path(&["metadata", "annotations", LAST_APPLIED], text.into());
    }
    let merged = patch::three_way(&original, &modified, &current, known.as_ref());
    if merged == current {
        return Ok("unchanged");
    }
    if current.path(&["metadata", "deletionTimestamp"]).is_some() {
        call.stderr.push_str(&format!(
            "Warning: Detected changes to resource {name} which is currently being deleted.\n"
        ));
    }
    if !item.strict.is_empty() {
        let change = patch::difference(&current, &merged);
        let text = format!(
            "The request is invalid: patch: Invalid value: {:?}: strict decoding error: {}",
            go(&change),
            item.strict
        );
        return Err(Problem {
            text,
            code: 1,
            reason: "Invalid",
        });
    }
    call.put(merged.clone()).map_err(|problem| {
        let change = json(&patch::difference(&current, &merged), KeyOrder::Sorted);
        let kind = item.kind;
        let group = kind.api_version;
        let to = format!(
            "applying patch:\n{change}\nto:\nResource: \"{group}, Resource={}\", GroupVersionKind: \"{group}, Kind={}\"\nName: \"{name}\", Namespace: \"{}\"\nfor:",
            kind.plural,
            kind.kind,
            item.namespace()
        );
        problem.when(&to, &item.source)
    })?;
    Ok("configured")
}

/// A value as Go's `%v` writes it.
fn go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Map(map) => format!(
            "map[{}]",
            map.sorted()
                .into_iter()
                .map(|(key, value)| format!("{key}:{}", go(value)))
                .collect::<Vec<_>>()
                .join(" ")
        ),
        Value::List(items) => format!("[{}]", items.iter().map(go).collect::<Vec<_>>().join(" ")),
        other => crate::object::jsonpath::text(other),
    }
}

/// A Go duration of a flag; a plain number is seconds where upstream allows it.
///
/// # Errors
/// Upstream's text.
pub fn duration(text: &str) -> Result<SimDuration, Problem> {
    let plain = if text == "0" { "0s" } else { text };
    SimDuration::parse(plain).map_err(|error| {
        Problem::error(&format!(
            "invalid argument \"{text}\" for \"--timeout\" flag: {error}"
        ))
    })
}
