//! `kubectl apply`, and reading manifests for it and for `create` and `delete`.
//! Source: `k8s.io/kubectl/pkg/cmd/apply`.

pub mod deploy;
pub mod last_applied;
pub mod prune;
pub mod server_side;

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::labels::Selector;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimDuration;
use crate::console::not_modelled_since;
use crate::kube::apiserver::Request;
use crate::kube::kinds::Kind;
use crate::manifest::decode;
use crate::manifest::decode::kube::list;
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::explain;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::schema::kubernetes as schema;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;
use crate::object::patch;
use crate::object::print::{KeyOrder, go, json};
use crate::object::structural;

use super::kustomize::Given;
use super::printers;
use super::problem::Problem;
use super::{Call, name_of};

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
    "subresource",
    "prune-allowlist",
    "applyset",
    "!create-annotation",
    "!show-managed-fields",
];

/// The annotation that remembers what was applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The manager of a client-side apply.
pub const MANAGER: &str = "kubectl-client-side-apply";

/// One object of a manifest.
#[derive(Clone, Debug)]
pub struct Item {
    /// File that it is from; `STDIN` for standard input.
    pub source: String,
    /// Its kind.
    pub kind: &'static Kind,
    /// The object with its namespace.
    pub object: Value,
    /// Fields that the kind does not have, as strict decoding names them, unless they are ignored.
    pub unknown: Vec<String>,
    /// Values of a wrong type; these are never let through.
    pub wrong: Vec<Passage>,
    /// Whether unknown fields are errors.
    pub is_strict: bool,
}

/// Reads what follows `-f`. Objects that cannot be read are problems; the others are there.
///
/// # Errors
/// Files that are not there.
pub fn items(call: &Call<'_>) -> Result<(Vec<Item>, Vec<Problem>), Problem> {
    let names = call.arguments.all("filename");
    let overlay = call.arguments.flag("kustomize").map(str::to_owned);
    if names.is_empty() && overlay.is_none() {
        return Err(Problem::error("must specify one of -f and -k"));
    }
    let mut texts: Vec<(String, Arc<str>)> = Vec::new();
    if let Some(folder) = overlay {
        if !names.is_empty() {
            return Err(Problem::error("only one of -f or -k can be specified"));
        }
        let built = super::kustomize::build(Given::of(call.session), &folder)?;
        let text: String = built
            .iter()
            .map(|object| format!("---\n{}", crate::object::print::yaml(object)))
            .collect();
        texts.push((folder, text.into()));
    }
    for name in names {
        if name == "-" || name == "/dev/stdin" {
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
            return Err(Problem::error(format!(
                "the path \"{name}\" does not exist"
            )));
        }
    }
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in &texts {
        let source = Source::new(name, text);
        let (documents, remarks) = decode::documents(&source, Dialect::Kubernetes);
        // The client reads on until a document is no YAML; those behind it are not looked at.
        // Source: `k8s.io/cli-runtime/pkg/resource/visitor.go` (StreamVisitor).
        let broken = remarks.iter().find(|remark| remark.is_error());
        let readable = documents
            .iter()
            .take_while(|node| broken.is_none_or(|remark| node.span.end <= remark.span.start));
        let mut unlike = None;
        for document in readable {
            unlike = unlike_object(call, name, document)?;
            if unlike.is_some() {
                break;
            }
            for part in list::flat(document) {
                match read(call, name, &source, part) {
                    Ok(item) => found.push(item),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if let Some(problem) = unlike {
            problems.push(problem);
        } else if let Some(remark) = broken {
            let doing = format!("error parsing {name}: error converting YAML to JSON: ");
            problems.push(Problem::error(
                Passage::from(doing).then(yaml_error(&source, remark)),
            ));
        }
    }
    Ok((found, problems))
}

/// What a validating client says of a document that states no kind, or no version; it reads no further
/// in that file. Sources: `k8s.io/kubectl/pkg/validation/validation.go` (`getObjectKind`),
/// `k8s.io/cli-runtime/pkg/resource/visitor.go` (`ValidateSchema`).
fn unlike_object(call: &Call<'_>, name: &str, node: &Node) -> Result<Option<Problem>, Problem> {
    let validates = match call.verb {
        "create" | "replace" => true,
        "apply" => call.arguments.words.is_empty(),
        _ => false,
    };
    if !validates || Validate::asked(call)? == Validate::Ignore {
        return Ok(None);
    }
    let mut faults = Vec::new();
    if node.as_map().is_none() {
        faults.push("invalid object to validate".to_owned());
    } else {
        for field in ["apiVersion", "kind"] {
            match node.get(field) {
                Some(value) if value.as_str().is_some() => {}
                Some(value) if !value.is_null() => {
                    faults.push(format!("{field} isn't string type"));
                }
                _ => faults.push(format!("{field} not set")),
            }
        }
    }
    let why = match faults.as_slice() {
        [] => return Ok(None),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Ok(Some(Problem::error(format!(
        "error validating \"{name}\": error validating data: {why}; if you choose to ignore these errors, turn validation off with --validate=false"
    ))))
}

fn read(call: &Call<'_>, name: &str, source: &Source, node: &Node) -> Result<Item, Problem> {
    let mut object = node.to_value();
    for (field, word) in [("kind", "Kind"), ("apiVersion", "apiVersion")] {
        if object.str_at(&[field]).is_none_or(str::is_empty) {
            let shown = json(&object, KeyOrder::Sorted);
            return Err(Problem::error(format!(
                "unable to decode \"{name}\": Object '{word}' is missing in '{shown}'"
            )));
        }
    }
    let version = object.str_at(&["apiVersion"]).unwrap_or("").to_owned();
    let kind_name = object.str_at(&["kind"]).unwrap_or("").to_owned();
    let stored = call.view()?.store.kind_of_object(&version, &kind_name);
    let Some(kind) = crate::kube::kinds::also(&version, &kind_name)
        .or(stored)
        .filter(|kind| {
            kind.api_version == version
                || crate::kube::kinds::convert::is_served(&version, &kind_name)
        })
    else {
        let own = object.str_at(&["metadata", "namespace"]).unwrap_or("");
        let place = (name_of(&object), own);
        return Err(Problem::no_mapping(&version, &kind_name, place, name));
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
            return Err(Problem::error(format!(
                "the namespace from the provided object \"{own}\" does not match the namespace \"{}\". You must pass '--namespace={own}' to perform this operation.",
                call.namespace
            )));
        }
    }
    let mode = Validate::asked(call)?;
    let mut item = Item::checked(call, kind, (source, node), Vec::new(), mode)?;
    item.object = object;
    Ok(item)
}

/// A fault of the text as go-yaml words it. It counts lines from 0 where its parser, and from 1 where
/// its scanner fails, and the parser names the line of what it was in, which is not known here unless
/// that is the document. Source: `sigs.k8s.io/yaml/goyaml.v2/decode.go`, `fail`.
pub(super) fn yaml_error(source: &Source, remark: &Diagnostic) -> Passage {
    if remark.code != explain::YAML_SYNTAX {
        return Passage::from("yaml: ").then(remark.message.clone());
    }
    let message = remark.message.words();
    let text = message.rsplit(", ").next().unwrap_or(&message);
    let (text, by_parser) = match text {
        "unclosed bracket '['" | "mismatched bracket '[' closed by '}'" => {
            ("did not find expected ',' or ']'", true)
        }
        "unclosed bracket '{'" | "mismatched bracket '{' closed by ']'" => {
            ("did not find expected ',' or '}'", true)
        }
        "unclosed quote" => ("found unexpected end of stream", false),
        text if text.starts_with("tabs disallowed") || text.starts_with("unexpected character") => {
            ("found character that cannot start any token", false)
        }
        text => (text, message.starts_with("while parsing ")),
    };
    // Documents are read one by one, each from its own first line.
    let mut at = remark.span.start as usize;
    let before = source.text.get(..at).unwrap_or("");
    let lines = before.lines().enumerate();
    let mark = lines.filter(|(_, line)| line.starts_with("---")).last();
    if text == "found unexpected end of stream" {
        // The end is where the quote is missed.
        let rest = source.text.get(at..).unwrap_or("");
        at += rest.find("\n---").map_or(rest.len(), |end| end + 1);
    }
    let line = source.position(u32::try_from(at).unwrap_or(u32::MAX)).line;
    let line = line.saturating_sub(mark.map_or(0, |(at, _)| u32::try_from(at + 1).unwrap_or(0)));
    // The scanner counts lines from one and says nothing of the first, the parser counts from nought.
    let line = if by_parser {
        line.saturating_sub(1)
    } else {
        line
    };
    match line {
        0 => format!("yaml: {text}").into(),
        1 if !by_parser => format!("yaml: {text}").into(),
        line => format!("yaml: line {line}: {text}").into(),
    }
}

/// What `--validate` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Validate {
    Strict,
    Warn,
    Ignore,
}

impl Validate {
    fn asked(call: &Call<'_>) -> Result<Self, Problem> {
        match call.arguments.flag("validate") {
            None | Some("" | "true" | "strict") => Ok(Self::Strict),
            Some("warn") => Ok(Self::Warn),
            Some("false" | "ignore") => Ok(Self::Ignore),
            Some(other) => Err(Problem::error(format!(
                "invalid - validate option \"{other}\"; must be one of: strict (or true), warn, ignore (or false)"
            ))),
        }
    }
}

impl Item {
    /// An object of a request, with what decoding says of it, and has said already, by its place.
    ///
    /// # Errors
    /// A session without Kubernetes.
    pub(super) fn checked(
        call: &Call<'_>,
        kind: &'static Kind,
        (source, node): (&Source, &Node),
        mut unknown: Vec<(u32, String)>,
        mode: Validate,
    ) -> Result<Self, Problem> {
        let object = node.to_value();
        let mut wrong = Vec::new();
        if let Some((_, version)) = call.view()?.store.definitions().of_kind(kind) {
            let gone = structural::prune::prune(&mut object.clone(), &version.schema);
            let gone = gone.into_iter();
            unknown.extend(gone.map(|path| (u32::MAX, format!("unknown field \"{path}\""))));
        } else {
            let remarks = decode::schema_problems(Some(source), |report| {
                schema::check(node, &|_, _| false, report)
            });
            for remark in remarks.into_iter().filter(|remark| remark.is_error()) {
                // What is missing is the validation's to say, not the decoder's.
                let message = remark.message.to_string();
                if message.contains(": Required value") {
                    continue;
                }
                if message.starts_with("unknown field") {
                    unknown.push((remark.span.start, message));
                } else {
                    wrong.push(remark.message.into());
                }
            }
        }
        unknown.arrange_by_key(|(at, _)| *at);
        if mode == Validate::Ignore {
            unknown.clear();
        }
        Ok(Self {
            source: source.name.to_string(),
            kind,
            object,
            unknown: unknown.into_iter().map(|(_, message)| message).collect(),
            wrong,
            is_strict: mode == Validate::Strict,
        })
    }

    /// What strict decoding refuses, joined; empty if the object is fine.
    fn refused(&self) -> Passage {
        // Go's decoder keeps its first error and does not come to the strict ones.
        if let Some(first) = self.wrong.first() {
            first.clone()
        } else if self.is_strict {
            self.unknown.join(", ").into()
        } else {
            Passage::default()
        }
    }

    /// The server's refusal of an object that is not of its kind's schema.
    ///
    /// # Errors
    /// If strict decoding found anything.
    pub fn strict(&self) -> Result<(), Problem> {
        let refused = self.refused();
        if refused.is_empty() {
            return Ok(());
        }
        let version = self.kind.api_version.rsplit('/').next().unwrap_or("");
        // Go's decoder speaks of types itself; unknown and repeated fields are the strict decoder's.
        let decoder = if self.wrong.is_empty() {
            "strict decoding error: "
        } else {
            ""
        };
        let kind = self.kind.kind;
        let text = format!(
            "Error from server (BadRequest): {kind} in version \"{version}\" cannot be handled as a {kind}: {decoder}"
        );
        Err(Problem::said(
            Passage::from(text).then(refused),
            "BadRequest",
        ))
    }

    /// Tells of fields that the server drops, if they are not errors.
    pub fn warn(&self, call: &mut Call<'_>) {
        if self.is_strict {
            return;
        }
        for one in &self.unknown {
            call.stderr.push(format!("Warning: {one}\n"));
        }
    }

    /// Whether a selector, if there is one, takes it.
    pub fn selected(&self, selector: Option<&Selector>) -> bool {
        selector.is_none_or(|selector| super::selectors::selected(selector, &self.object))
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
    match call.arguments.words.first().map(String::as_str) {
        None => {}
        Some("set-last-applied") => return last_applied::set(call),
        Some("view-last-applied") => return last_applied::view(call),
        Some("edit-last-applied") => {
            return Err(Problem::error(not_modelled_since(
                "kubectl apply edit-last-applied",
                catalogue::NO_EDITOR.plain(),
            )));
        }
        Some(_) => {
            return Err(Problem::error(format!(
                "Unexpected args: [{}]\nSee 'kubectl apply -h' for help and examples",
                call.arguments.words.join(" ")
            )));
        }
    }
    check_flags(call)?;
    let selector = call.selector()?;
    let (mut found, mut problems) = items(call)?;
    found.retain(|item| item.selected(selector.as_ref()));
    if found.is_empty() && problems.is_empty() {
        return Err(Problem::error("no objects passed to apply"));
    }
    for item in &mut found {
        call.record(&mut item.object);
    }
    let mut applied = Vec::new();
    let whole = !matches!(
        *call.format,
        printers::Format::Plain | printers::Format::Name
    );
    for item in &found {
        match one(call, item) {
            Ok((object, word)) => {
                if !whole {
                    printers::outcome(call, item.kind, &object, word)?;
                }
                applied.push((item.kind, object));
            }
            Err(problem) => problems.push(problem),
        }
    }
    // Source: `pkg/cmd/apply/apply.go` (`printObjects`).
    if whole && problems.is_empty() {
        printers::outcomes(call, applied.clone())?;
    }
    if call.arguments.on("prune") && problems.is_empty() {
        prune::prune(call, &applied, &mut problems)?;
    }
    Problem::all(problems)
}

/// Flags that exclude each other. Source: `Validate` of `apply.go`.
fn check_flags(call: &Call<'_>) -> Result<(), Problem> {
    let on = |flag: &str| call.arguments.on(flag);
    let wrong = |text: &str| Err(Problem::error(text));
    let dry = call.arguments.flag("dry-run");
    if on("force-conflicts") && !on("server-side") {
        return wrong("--force-conflicts only works with --server-side");
    }
    if on("server-side") && matches!(dry, Some("client" | "")) {
        return wrong(
            "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)",
        );
    }
    if on("force") && on("server-side") {
        return wrong("--force cannot be used with --server-side");
    }
    if on("force") && dry == Some("server") {
        return wrong("--dry-run=server cannot be used with --force");
    }
    if call
        .arguments
        .flag("applyset")
        .is_some_and(|set| !set.is_empty())
    {
        // Source: `k8s.io/kubectl/pkg/cmd/apply/apply.go` (`AddFlags`, `Validate`).
        let gate = call.session.environment.get("KUBECTL_APPLYSET");
        if gate.map(String::as_str) != Some("true") {
            return wrong("unknown flag: --applyset\nSee 'kubectl apply --help' for usage.");
        }
        if !on("prune") {
            return wrong("--applyset requires --prune");
        }
        let said = not_modelled_since("--applyset", catalogue::APPLYSET_ALPHA.plain());
        return Err(Problem::error(
            said.advise(catalogue::APPLYSET_PRUNE.plain()),
        ));
    }
    let selector = call
        .arguments
        .flag("selector")
        .is_some_and(|text| !text.is_empty());
    if on("all") && selector {
        return wrong("cannot set --all and --selector at the same time");
    }
    if on("prune") {
        if on("force") {
            return wrong("--force cannot be used with --prune");
        }
        if !on("all") && !selector {
            return wrong(
                "all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. If you did not mean to prune all resources, specify a label selector",
            );
        }
    }
    let subresource = call
        .arguments
        .flag("subresource")
        .is_some_and(|text| !text.is_empty());
    if subresource && !on("server-side") {
        return wrong("--subresource can only be specified for --server-side");
    }
    Ok(())
}

/// Applies one object: what it is then, and what was done with it.
fn one(call: &mut Call<'_>, item: &Item) -> Result<(Value, &'static str), Problem> {
    item.warn(call);
    if call.arguments.on("server-side") {
        let object = server_side::apply(call, item)?;
        return Ok((object, "serverside-applied"));
    }
    client_side(call, item)
}

fn client_side(call: &mut Call<'_>, item: &Item) -> Result<(Value, &'static str), Problem> {
    let name = named(item)?;
    let modified = remembering(&item.object);
    let current = call
        .read(item.kind, item.namespace(), name)
        .map_err(|problem| {
            let of = format!(
                "retrieving current configuration of:\n{}\nfrom server for:",
                described(item, name)
            );
            problem.when(&of, &item.source)
        })?;
    let Some(current) = current else {
        let object = post(call, item, &modified)?;
        return Ok((object, "created"));
    };
    if last_applied::of(&current).is_none() {
        call.stderr.push(format!(
            "Warning: resource {}/{name} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.\n",
            item.kind.plural
        ));
    }
    let (change, merged) = patched(item, &modified, &current)?;
    let Some(merged) = merged else {
        return Ok((current, "unchanged"));
    };
    if current.path(&["metadata", "deletionTimestamp"]).is_some() {
        call.stderr.push(format!(
            "Warning: Detected changes to resource {name} which is currently being deleted.\n"
        ));
    }
    let refused = item.refused();
    if !refused.is_empty() {
        let text = format!(
            "The request is invalid: patch: Invalid value: {:?}: strict decoding error: ",
            go(&change)
        );
        return Err(Problem::said(Passage::from(text).then(refused), "Invalid"));
    }
    match call.put(merged) {
        Ok(object) => Ok((object, "configured")),
        Err(problem)
            if call.arguments.on("force") && matches!(problem.reason, "Conflict" | "Invalid") =>
        {
            let object = replace_by_force(call, item, &modified, &current)?;
            Ok((object, "configured"))
        }
        Err(problem) => {
            let to = format!(
                "applying patch:\n{}\nto:\n{}\nfor:",
                json(&change, KeyOrder::Sorted),
                described(item, name)
            );
            Err(problem.when(&to, &item.source))
        }
    }
}

fn described(item: &Item, name: &str) -> String {
    let (kind, group) = (item.kind, item.kind.api_version);
    format!(
        "Resource: \"{group}, Resource={}\", GroupVersionKind: \"{group}, Kind={}\"\nName: \"{name}\", Namespace: \"{}\"",
        kind.plural,
        kind.kind,
        item.namespace()
    )
}

/// The name that an applied object must have.
pub fn named(item: &Item) -> Result<&str, Problem> {
    let name = name_of(&item.object);
    match item.object.str_at(&["metadata", "generateName"]) {
        Some(base) if name.is_empty() => Err(Problem::error(format!(
            "from {base}: cannot use generate name with apply"
        ))),
        _ => Ok(name),
    }
}

/// Creates what is applied for the first time.
pub fn post(call: &mut Call<'_>, item: &Item, modified: &Value) -> Result<Value, Problem> {
    item.strict()
        .map_err(|problem| problem.when("creating", &item.source))?;
    let mut object = patch::without_nulls(modified);
    object.remove_path(&["metadata", "resourceVersion"]);
    if call.dry_client() {
        return Ok(object);
    }
    let request = Request::Create {
        object,
        namespace: item.namespace().into(),
    };
    Ok(call
        .ask(request)
        .map_err(|problem| problem.when("creating", &item.source))?
        .object)
}

/// What a patch of `current` is, and the object it gives; no object if the patch is empty.
pub fn patched(
    item: &Item,
    modified: &Value,
    current: &Value,
) -> Result<(Value, Option<Value>), Problem> {
    let mut original = last_applied::of(current).unwrap_or_default();
    if item.kind.custom {
        if let Some(text) = current.str_at(&["metadata", "annotations", LAST_APPLIED]) {
            original.set_path(&["metadata", "annotations", LAST_APPLIED], text.into());
        }
        let change = patch::three_way_merge(&original, modified, current);
        if change.as_map().is_some_and(|map| map.is_empty()) {
            return Ok((change, None));
        }
        for key in [&["apiVersion"][..], &["kind"], &["metadata", "name"]] {
            if change.path(key).is_some() {
                return Err(Problem::error(
                    "At least one of apiVersion, kind and name was changed",
                ));
            }
        }
        let merged = patch::merge(current, &change);
        return Ok((change, Some(merged)));
    }
    let known = patch::schema(item.kind.api_version, item.kind.kind);
    if let Some(text) = current.str_at(&["metadata", "annotations", LAST_APPLIED]) {
        original.set_path(&["metadata", "annotations", LAST_APPLIED], text.into());
    }
    let merged = patch::three_way(&original, modified, current, known.as_ref());
    if merged == *current {
        return Ok((Value::map(), None));
    }
    Ok((patch::difference(current, &merged), Some(merged)))
}

/// `--force`: what cannot be patched is deleted and made again; if that fails the old object is.
fn replace_by_force(
    call: &mut Call<'_>,
    item: &Item,
    modified: &Value,
    current: &Value,
) -> Result<Value, Problem> {
    super::replace::remove(call, item.kind, current, None)?;
    post(call, item, modified).map_err(|problem| {
        let mut old = current.clone();
        old.remove("status");
        for field in ["resourceVersion", "uid", "creationTimestamp", "generation"] {
            old.remove_path(&["metadata", field]);
        }
        let again = call.ask(Request::Create {
            object: old,
            namespace: item.namespace().into(),
        });
        match again {
            Ok(_) => problem,
            Err(other) => Problem {
                text: problem
                    .text
                    .clone()
                    .then("\nAn error occurred force-replacing the existing object with the newly provided one:\n")
                    .then(&problem.text)
                    .then("\nAdditionally, an error occurred attempting to restore the original object:\n")
                    .then(other.text),
                ..problem
            },
        }
    })
}

/// A Go duration of a flag; a plain number is seconds where upstream allows it.
///
/// # Errors
/// Upstream's text.
pub fn duration(text: &str) -> Result<SimDuration, Problem> {
    let plain = if text == "0" { "0s" } else { text };
    SimDuration::parse(plain).map_err(|error| {
        Problem::error(format!(
            "invalid argument \"{text}\" for \"--timeout\" flag: {error}"
        ))
    })
}
