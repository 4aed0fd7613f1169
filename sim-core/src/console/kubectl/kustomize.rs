//! `-k`: overlays as kustomize builds them, for the fields that people use most.
//! Source: `sigs.k8s.io/kustomize/api/{types,internal/target,internal/accumulator}`.
//!
//! Modelled: resources, bases, components, namespace, namePrefix, nameSuffix, commonLabels, labels,
//! commonAnnotations, images, replicas, patches, patchesStrategicMerge, patchesJson6902,
//! configMapGenerator, secretGenerator, generatorOptions. Other fields are refused in words.

mod generate;

use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::console::Session;
use crate::console::{after, not_modelled};
use crate::kube::kinds;
use crate::manifest::decode;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;
use crate::object::patch;

use super::problem::Problem;
use super::{Call, name_of};

/// Overlays that one build may read, each as often as it is named.
const OVERLAYS_MAX: u32 = 1_000;

/// Overlays that may stand upon each other.
const DEPTH_MAX: u32 = 32;

/// Names of the file that describes an overlay.
pub const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields that this module reads, and those that say nothing.
const FIELDS: [&str; 20] = [
    "apiVersion",
    "kind",
    "metadata",
    "resources",
    "bases",
    "components",
    "namespace",
    "namePrefix",
    "nameSuffix",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "images",
    "replicas",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
];

/// What an overlay is built from.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    files: &'a SortedMap<String, Arc<str>>,
    environment: &'a SortedMap<String, String>,
}

impl<'a> Given<'a> {
    /// Files by name, and variables for `envs` without a value.
    pub fn new(
        files: &'a SortedMap<String, Arc<str>>,
        environment: &'a SortedMap<String, String>,
    ) -> Self {
        Self { files, environment }
    }

    /// A session's files.
    pub fn of(session: &'a Session) -> Self {
        Self::new(&session.files, &session.environment)
    }

    fn file(self, name: &str) -> Option<&'a Arc<str>> {
        self.files.get(name.strip_prefix("./").unwrap_or(name))
    }

    /// A file that an overlay names: it lies in the overlay's folder or below.
    /// Source: `sigs.k8s.io/kustomize/api/internal/loader/loadrestrictions.go` (`RestrictionRootOnly`).
    fn own(self, folder: &str, name: &str) -> Result<&'a Arc<str>, String> {
        let path = inside(folder, name);
        let is_below = folder.is_empty() && !path.starts_with("..")
            || path
                .strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'));
        if !is_below {
            let folder = if folder.is_empty() { "." } else { folder };
            return Err(format!(
                "security; file '{path}' is not in or below '{folder}'"
            ));
        }
        self.file(&path)
            .ok_or_else(|| format!("open {path}: no such file or directory"))
    }
}

/// Whether a file of this name describes an overlay.
pub fn describes(name: &str) -> bool {
    FILES.contains(&name.rsplit('/').next().unwrap_or(name))
}

/// What an overlay's file refers to by path or address, relative to its folder.
pub fn references(text: &str) -> Vec<String> {
    let plans = documents(FILES[0], text).unwrap_or_default();
    let named = plans.iter().flat_map(|plan| {
        let fields = ["resources", "bases", "components"];
        fields.into_iter().flat_map(|field| list(plan, field))
    });
    named.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Files beside manifests that an overlay's file names, relative to its folder.
pub fn sources(text: &str) -> Vec<String> {
    let plans = documents(FILES[0], text).unwrap_or_default();
    let generators = plans.iter().flat_map(|plan| {
        let fields = ["configMapGenerator", "secretGenerator"];
        fields.into_iter().flat_map(|field| list(plan, field))
    });
    let named = generators.flat_map(|entry| {
        let fields = ["files", "envs"];
        let lists = fields.into_iter().flat_map(|field| list(entry, field));
        lists.chain(entry.get("env"))
    });
    named
        .filter_map(Value::as_str)
        .map(|name| {
            name.split_once('=')
                .map_or(name, |(_, path)| path)
                .to_owned()
        })
        .collect()
}

/// Folders that an overlay stands upon, with its own.
pub fn foundations(files: &SortedMap<String, Arc<str>>, folder: &str) -> Vec<String> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(folder) = found.get(next).cloned() {
        next += 1;
        let named = FILES.iter().map(|file| inside(&folder, file));
        for text in named.filter_map(|file| files.get(&file)) {
            for entry in references(text) {
                let below = inside(&folder, &entry);
                if !found.contains(&below) {
                    found.push(below);
                }
            }
        }
    }
    found
}

/// Folders of overlays that no other one stands upon, in order of their names.
pub fn outermost(files: &SortedMap<String, Arc<str>>) -> Vec<String> {
    let folder = |name: &str| {
        name.rsplit_once('/')
            .map_or(String::new(), |(folder, _)| folder.to_owned())
    };
    let found: Vec<(String, &Arc<str>)> = files
        .iter()
        .filter(|(name, _)| describes(name))
        .map(|(name, text)| (folder(name), text))
        .collect();
    let mut outer: Vec<String> = found.iter().map(|(folder, _)| folder.clone()).collect();
    for (folder, text) in &found {
        for entry in references(text) {
            let below = inside(folder, &entry);
            outer.retain(|one| *one != below);
        }
    }
    outer
}

/// The fields by their own names: Go's decoder does not mind their case.
fn canonical(plan: Value) -> Value {
    let mut named = Value::map();
    for (field, value) in plan.as_map().unwrap_or_default().iter() {
        let known = FIELDS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(field));
        named.set(known.copied().unwrap_or(&**field), value.clone());
    }
    named
}

/// The objects of an overlay, in order.
///
/// # Errors
/// Files that are not there, and fields that are not modelled.
pub fn build(given: Given<'_>, folder: &str) -> Result<Vec<Value>, Problem> {
    let folder = normal(folder);
    if find(given, &folder)?.is_none() {
        return Err(Problem::error(format!(
            "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{folder}'"
        )));
    }
    let mut left = OVERLAYS_MAX;
    let mut objects = overlay(given, &folder, Vec::new(), (0, &mut left))?;
    generate::finish(&mut objects);
    generate::sort(&mut objects);
    Ok(objects)
}

/// `kubectl kustomize DIR`: what an overlay comes to, as one stream of documents.
///
/// # Errors
/// As [`build`].
pub fn print(call: &mut Call<'_>) -> Result<(), Problem> {
    let folder = call.arguments.words.first().cloned().unwrap_or_default();
    let objects = build(
        Given::of(call.session),
        if folder.is_empty() { "." } else { &folder },
    )?;
    let texts: Vec<String> = objects.iter().map(crate::object::print::yaml).collect();
    call.stdout.push_str(&texts.join("---\n"));
    Ok(())
}

/// A path without `./` and with `..` resolved.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    parts.push("..");
                }
            }
            other => parts.push(other),
        }
    }
    parts.join("/")
}

fn inside(folder: &str, name: &str) -> String {
    normal(&format!("{folder}/{name}"))
}

/// Name and text of the file that makes a folder an overlay.
fn find(given: Given<'_>, folder: &str) -> Result<Option<(String, Arc<str>)>, Problem> {
    let named = FILES.iter().map(|file| inside(folder, file));
    let mut found: Vec<(String, Arc<str>)> = named
        .filter_map(|name| Some((name.clone(), given.file(&name)?.clone())))
        .collect();
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        return Err(Problem::error(format!(
            "Found multiple kustomization files: {names}"
        )));
    }
    Ok(found.pop())
}

/// A field that is a list of names, or is not there.
fn names_only(plan: &Value, field: &str) -> Result<(), Problem> {
    let Some(value) = plan.get(field).filter(|value| !value.is_null()) else {
        return Ok(());
    };
    let wrong = match value.as_list() {
        None => Some((value, "[]string")),
        Some(items) => items
            .iter()
            .find(|item| item.as_str().is_none())
            .map(|item| (item, "string")),
    };
    let Some((wrong, wanted)) = wrong else {
        return Ok(());
    };
    let what = match wrong {
        Value::Map(_) => "object",
        Value::List(_) => "array",
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::Null => "null",
        Value::Int(_) | Value::Number(_) => "number",
    };
    Err(Problem::error(format!(
        "invalid Kustomization: json: cannot unmarshal {what} into Go struct field Kustomization.{field} of type {wanted}"
    )))
}

/// An object's group, version, kind, name and namespace, as kustomize tells it apart from others.
/// Source: `sigs.k8s.io/kustomize/kyaml/resid`.
fn id(object: &Value) -> String {
    let written = text(object, &["apiVersion"]);
    let (group, version) = written.split_once('/').unwrap_or(("", written));
    let or = |text: &str, none: &str| if text.is_empty() { none } else { text }.to_owned();
    format!(
        "{}.{}.{}/{}.{}",
        or(text(object, &["kind"]), "[noKind]"),
        or(version, "[noVer]"),
        or(group, "[noGrp]"),
        or(name_of(object), "[noName]"),
        or(text(object, &["metadata", "namespace"]), "[noNs]")
    )
}

/// Adds what one entry of `resources` comes to.
/// Source: `sigs.k8s.io/kustomize/api/resmap/reswrangler.go` (`Append`).
fn join(
    (objects, there): (&mut Vec<Value>, &mut SortedSet<String>),
    more: Vec<Value>,
    entry: &str,
) -> Result<(), Problem> {
    for object in more {
        let own = id(&object);
        if there.contains(&own) {
            return Err(Problem::error(format!(
                "accumulating resources: accumulation err='merging resources from '{entry}': may not add resource with an already registered id: {own}'"
            )));
        }
        there.insert(own);
        objects.push(object);
    }
    Ok(())
}

fn documents(name: &str, text: &str) -> Result<Vec<Value>, Problem> {
    let source = Source::new(name, text);
    let (nodes, remarks) = decode::documents(&source, Dialect::Kubernetes);
    if let Some(remark) = remarks.iter().find(|remark| remark.is_error()) {
        let doing = Passage::from(format!("error parsing {name}: "));
        return Err(Problem::error(doing.then(remark.message.clone())));
    }
    let values = nodes.iter().map(Node::to_value);
    Ok(values
        .filter(|value| value.as_map().is_some_and(|map| !map.is_empty()))
        .collect())
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_list).unwrap_or(&[])
}

fn text<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    value.str_at(path).unwrap_or("")
}

/// Builds one folder's kustomization upon the objects that are there already: none, or a component's
/// parent's.
fn overlay(
    given: Given<'_>,
    folder: &str,
    there: Vec<Value>,
    (depth, left): (u32, &mut u32),
) -> Result<Vec<Value>, Problem> {
    if *left == 0 {
        let many = catalogue::OVERLAYS_MOST.with(&[("most", &OVERLAYS_MAX)]);
        return Err(Problem::error(many));
    }
    *left -= 1;
    if depth > DEPTH_MAX {
        return Err(Problem::error(after(
            "cycle detected: ",
            catalogue::OVERLAY_ITSELF.plain(),
        )));
    }
    let Some(written) = find(given, folder)? else {
        return Err(Problem::error(format!(
            "accumulating resources: '{folder}' doesn't exist"
        )));
    };
    let (name, written) = written;
    let plan = documents(&name, &written)?;
    let Some(plan) = plan.into_iter().next() else {
        return Err(Problem::error(format!("{name} is empty")));
    };
    let plan = canonical(plan);
    let map = plan.as_map().cloned().unwrap_or_default();
    for field in ["resources", "bases", "components", "patchesStrategicMerge"] {
        names_only(&plan, field)?;
    }
    if let Some((field, _)) = map.iter().find(|(field, _)| !FIELDS.contains(&&***field)) {
        let what = catalogue::KUSTOMIZATION_FIELD.with(&[("field", field)]);
        return Err(Problem::error(not_modelled(what)));
    }
    let mut objects = there;
    let mut known: SortedSet<String> = objects.iter().map(id).collect();
    for field in ["resources", "bases"] {
        for entry in list(&plan, field) {
            let entry = entry.as_str().unwrap_or("");
            let path = inside(folder, entry);
            if find(given, &path)?.is_some() {
                let built = overlay(given, &path, Vec::new(), (depth + 1, left))?;
                join((&mut objects, &mut known), built, entry)?;
                continue;
            }
            let found = given.own(folder, entry).map_err(|why| {
                Problem::error(format!(
                    "accumulating resources: accumulation err='accumulating resources from '{entry}': {why}'"
                ))
            })?;
            for object in documents(&path, found)? {
                let items = list(&object, "items");
                if text(&object, &["kind"]).ends_with("List") && !items.is_empty() {
                    join((&mut objects, &mut known), items.to_vec(), entry)?;
                } else {
                    join((&mut objects, &mut known), vec![object], entry)?;
                }
            }
        }
    }
    generate::generate(given, folder, &plan, &mut objects)?;
    // Components see resources and generated objects, ahead of this folder's own changes.
    for entry in list(&plan, "components") {
        let path = inside(folder, entry.as_str().unwrap_or(""));
        objects = overlay(given, &path, objects, (depth + 1, left))?;
    }
    patches(given, folder, &plan, &mut objects)?;
    let accounts = objects
        .iter()
        .filter(|object| text(object, &["kind"]) == "ServiceAccount")
        .map(|object| {
            let namespace = text(object, &["metadata", "namespace"]);
            (name_of(object).to_owned(), namespace.to_owned())
        })
        .collect();
    for object in &mut objects {
        transform(&plan, object, &accounts);
    }
    rename(&plan, &mut objects);
    Ok(objects)
}

/// Patches of all three fields.
fn patches(
    given: Given<'_>,
    folder: &str,
    plan: &Value,
    objects: &mut [Value],
) -> Result<(), Problem> {
    let read = |name: &str| {
        let found = given.own(folder, name).map(ToString::to_string);
        found.map_err(Problem::error)
    };
    for entry in list(plan, "patchesStrategicMerge") {
        let written = entry.as_str().unwrap_or("");
        let content = if written.contains('\n') {
            written.to_owned()
        } else {
            read(written)?
        };
        for change in documents("patch", &content)? {
            strategic(&change, None, objects)?;
        }
    }
    for field in ["patches", "patchesJson6902"] {
        for entry in list(plan, field) {
            let content = match (entry.str_at(&["patch"]), entry.str_at(&["path"])) {
                (Some(text), _) => text.to_owned(),
                (None, Some(path)) => read(path)?,
                (None, None) => {
                    return Err(Problem::error("must specify one of patch and path"));
                }
            };
            let target = entry.get("target");
            for change in parsed(&content)? {
                if change.as_list().is_some() {
                    json(&change, target, objects)?;
                } else {
                    strategic(&change, target, objects)?;
                }
            }
        }
    }
    Ok(())
}

fn parsed(content: &str) -> Result<Vec<Value>, Problem> {
    let source = Source::new("patch", content);
    let (nodes, remarks) = decode::documents(&source, Dialect::Kubernetes);
    if let Some(remark) = remarks.iter().find(|remark| remark.is_error()) {
        let doing = Passage::from("unable to parse SM or JSON patch: ");
        return Err(Problem::error(doing.then(remark.message.clone())));
    }
    Ok(nodes.iter().map(Node::to_value).collect())
}

/// Whether a target, or else a patch's own head, names an object.
fn takes(object: &Value, target: Option<&Value>, change: &Value) -> bool {
    let (group, version) = {
        let written = text(object, &["apiVersion"]);
        written.split_once('/').unwrap_or(("", written))
    };
    match target {
        None => {
            text(change, &["kind"]) == text(object, &["kind"]) && name_of(change) == name_of(object)
        }
        Some(target) => {
            let fits = |field: &str, found: &str| {
                let wanted = text(target, &[field]);
                wanted.is_empty()
                    || wanted == found
                    || crate::object::structural::regex::Regex::parse(&format!("^({wanted})$"))
                        .is_ok_and(|regex| regex.is_match(found))
            };
            let labels = text(target, &["labelSelector"]);
            let selected = labels.is_empty()
                || crate::base::labels::Selector::parse(labels)
                    .is_ok_and(|selector| super::selectors::selected(&selector, object));
            fits("group", group)
                && fits("version", version)
                && fits("kind", text(object, &["kind"]))
                && fits("name", name_of(object))
                && fits("namespace", text(object, &["metadata", "namespace"]))
                && selected
        }
    }
}

fn strategic(change: &Value, target: Option<&Value>, objects: &mut [Value]) -> Result<(), Problem> {
    let mut hits = 0;
    for object in objects.iter_mut() {
        if !takes(object, target, change) {
            continue;
        }
        hits += 1;
        let known = patch::schema(text(object, &["apiVersion"]), text(object, &["kind"]));
        let mut change = change.clone();
        if target.is_some() {
            // A target decides; the head of the patch is only there to be valid.
            for field in ["apiVersion", "kind"] {
                change.remove(field);
            }
            change.remove_path(&["metadata", "name"]);
        }
        *object = match known {
            Some(known) => patch::strategic(object, &change, Some(&known))
                .map_err(|why| Problem::error(&why))?,
            None => patch::merge(object, &change),
        };
    }
    if hits == 0 && target.is_none() {
        return Err(Problem::error(format!(
            "no resource matches strategic merge patch \"{}.{}/{}.[noNs]\": no matches for Id {}.{}/{}.[noNs]; failed to find unique target for patch",
            text(change, &["kind"]),
            text(change, &["apiVersion"]),
            name_of(change),
            text(change, &["kind"]),
            text(change, &["apiVersion"]),
            name_of(change)
        )));
    }
    Ok(())
}

fn json(change: &Value, target: Option<&Value>, objects: &mut [Value]) -> Result<(), Problem> {
    if target.is_none() {
        return Err(Problem::error("must specify a target for JSON patch"));
    }
    for object in objects.iter_mut() {
        if takes(object, target, &Value::Null) {
            *object = patch::json_patch(object, change).map_err(|why| Problem::error(&why))?;
        }
    }
    Ok(())
}

/// Where kinds keep labels beside their metadata, for `commonLabels`.
fn label_places(kind: &str) -> &'static [&'static [&'static str]] {
    match kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" => &[
            &["spec", "selector", "matchLabels"],
            &["spec", "template", "metadata", "labels"],
        ],
        "Job" => &[&["spec", "template", "metadata", "labels"]],
        "CronJob" => &[
            &["spec", "jobTemplate", "metadata", "labels"],
            &[
                "spec",
                "jobTemplate",
                "spec",
                "template",
                "metadata",
                "labels",
            ],
        ],
        "Service" | "ReplicationController" => &[&["spec", "selector"]],
        "PodDisruptionBudget" => &[&["spec", "selector", "matchLabels"]],
        "NetworkPolicy" => &[&["spec", "podSelector", "matchLabels"]],
        _ => &[],
    }
}

fn add(object: &mut Value, path: &[&str], pairs: Option<&Value>) {
    for (key, value) in pairs
        .and_then(Value::as_map)
        .map(|map| map.sorted())
        .unwrap_or_default()
    {
        let full: Vec<&str> = path.iter().copied().chain([&**key]).collect();
        object.set_path(&full, value.clone());
    }
}

/// `accounts`: name and namespace of the service accounts that are built.
fn transform(plan: &Value, object: &mut Value, accounts: &SortedSet<(String, String)>) {
    let kind = text(object, &["kind"]).to_owned();
    let namespace = text(plan, &["namespace"]);
    if !namespace.is_empty() {
        let version = text(object, &["apiVersion"]);
        // A kind that kustomize does not know is in a namespace.
        // Source: `sigs.k8s.io/kustomize/kyaml/openapi/openapi.go` (`IsCertainlyClusterScoped`).
        let known = kinds::of_object(version, &kind);
        if known.is_none_or(|kind| kind.namespaced) {
            object.set_path(&["metadata", "namespace"], namespace.into());
        }
        // Source: `sigs.k8s.io/kustomize/api/internal/konfig/builtinpluginconsts/namespace.go`.
        match &*kind {
            "Namespace" => object.set_path(&["metadata", "name"], namespace.into()),
            "APIService" if object.path(&["spec", "service"]).is_some() => {
                object.set_path(&["spec", "service", "namespace"], namespace.into());
            }
            _ => {}
        }
        // Those that are called `default`, and those that are built as well.
        let subjects = object.path_mut(&["subjects"]).and_then(Value::as_list_mut);
        for subject in subjects.into_iter().flatten() {
            let (name, of) = (text(subject, &["name"]), text(subject, &["namespace"]));
            let is_own = accounts.contains(&(name.to_owned(), of.to_owned()))
                || of.is_empty() && accounts.iter().any(|(one, _)| one == name);
            if text(subject, &["kind"]) == "ServiceAccount" && (name == "default" || is_own) {
                subject.set("namespace", namespace.into());
            }
        }
    }
    let common = plan.get("commonLabels");
    add(object, &["metadata", "labels"], common);
    for path in label_places(&kind) {
        add(object, path, common);
    }
    for entry in list(plan, "labels") {
        let pairs = entry.get("pairs");
        add(object, &["metadata", "labels"], pairs);
        let on = |key: &str| entry.get(key).and_then(Value::as_bool) == Some(true);
        for path in label_places(&kind) {
            let template = path.last() == Some(&"labels");
            if on("includeSelectors") || template && on("includeTemplates") {
                add(object, path, pairs);
            }
        }
    }
    let notes = plan.get("commonAnnotations");
    add(object, &["metadata", "annotations"], notes);
    for path in label_places(&kind) {
        if let Some((_, parents)) = path.split_last()
            && parents.last() == Some(&"metadata")
        {
            let full: Vec<&str> = parents.iter().copied().chain(["annotations"]).collect();
            add(object, &full, notes);
        }
    }
    for image in list(plan, "images") {
        images(object, image);
    }
    for entry in list(plan, "replicas") {
        let scalable = matches!(
            &*kind,
            "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController"
        );
        if scalable && text(entry, &["name"]) == name_of(object) {
            let count = entry.get("count").cloned().unwrap_or_default();
            object.set_path(&["spec", "replicas"], count);
        }
    }
}

/// Changes name, tag or digest of an image wherever containers name it.
fn images(value: &mut Value, change: &Value) {
    if let Some(map) = value.as_map_mut() {
        for (key, inner) in map.iter_mut() {
            if matches!(&**key, "containers" | "initContainers") {
                for container in inner.as_list_mut().into_iter().flatten() {
                    let old = text(container, &["image"]).to_owned();
                    if let Some(new) = image(&old, change) {
                        container.set("image", new.into());
                    }
                }
            } else {
                images(inner, change);
            }
        }
    } else if let Some(items) = value.as_list_mut() {
        for item in items {
            images(item, change);
        }
    }
}

fn image(old: &str, change: &Value) -> Option<String> {
    let (rest, digest) = match old.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (old, None),
    };
    let slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match rest[slash..].find(':') {
        Some(at) => (&rest[..slash + at], Some(&rest[slash + at + 1..])),
        None => (rest, None),
    };
    if name != text(change, &["name"]) {
        return None;
    }
    let new_name = match text(change, &["newName"]) {
        "" => name,
        other => other,
    };
    let (new_tag, new_digest) = (text(change, &["newTag"]), text(change, &["digest"]));
    Some(if !new_digest.is_empty() {
        format!("{new_name}@{new_digest}")
    } else if !new_tag.is_empty() {
        format!("{new_name}:{new_tag}")
    } else {
        match (tag, digest) {
            (Some(tag), Some(digest)) => format!("{new_name}:{tag}@{digest}"),
            (Some(tag), None) => format!("{new_name}:{tag}"),
            (None, Some(digest)) => format!("{new_name}@{digest}"),
            (None, None) => new_name.to_owned(),
        }
    })
}

/// References from one object to another by name: the field, and the kind that it names.
const REFERENCES: [(&[&str], &str); 9] = [
    (&["configMapRef", "name"], "ConfigMap"),
    (&["configMapKeyRef", "name"], "ConfigMap"),
    (&["configMap", "name"], "ConfigMap"),
    (&["secretRef", "name"], "Secret"),
    (&["secretKeyRef", "name"], "Secret"),
    (&["secret", "secretName"], "Secret"),
    (
        &["persistentVolumeClaim", "claimName"],
        "PersistentVolumeClaim",
    ),
    (&["scaleTargetRef", "name"], "Deployment"),
    (&["roleRef", "name"], "Role"),
];

/// Gives objects their prefix and suffix, and renames what refers to them.
fn rename(plan: &Value, objects: &mut [Value]) {
    let (prefix, suffix) = (text(plan, &["namePrefix"]), text(plan, &["nameSuffix"]));
    if prefix.is_empty() && suffix.is_empty() {
        return;
    }
    let mut renamed: Vec<(String, String, String)> = Vec::new();
    for object in objects.iter_mut() {
        let kind = text(object, &["kind"]).to_owned();
        if matches!(&*kind, "CustomResourceDefinition" | "Namespace") {
            continue;
        }
        let old = name_of(object).to_owned();
        let new = format!("{prefix}{old}{suffix}");
        object.set_path(&["metadata", "name"], new.as_str().into());
        renamed.push((kind, old, new));
    }
    for object in objects {
        refer(object, &renamed);
        if text(object, &["kind"]) == "StatefulSet" {
            replace(object, &["spec", "serviceName"], "Service", &renamed);
        }
    }
}

fn replace(value: &mut Value, path: &[&str], kind: &str, renamed: &[(String, String, String)]) {
    let Some(old) = value.str_at(path) else {
        return;
    };
    let new = renamed
        .iter()
        .find(|(found, name, _)| found == kind && name == old);
    if let Some((_, _, new)) = new {
        value.set_path(path, new.as_str().into());
    }
}

fn refer(value: &mut Value, renamed: &[(String, String, String)]) {
    if value.as_map().is_some() {
        for (path, kind) in REFERENCES {
            replace(value, path, kind, renamed);
        }
        replace(value, &["serviceAccountName"], "ServiceAccount", renamed);
        if value.get("port").is_some() {
            // The backend of an Ingress.
            replace(value, &["name"], "Service", renamed);
        }
        if let Some(map) = value.as_map_mut() {
            for (_, inner) in map.iter_mut() {
                refer(inner, renamed);
            }
        }
    } else if let Some(items) = value.as_list_mut() {
        for item in items {
            refer(item, renamed);
        }
    }
}
