//! What is said to be read of stored documents (`manifest/decode/kube/elsewhere.rs`) is read by loops.
//!
//! The lists keep fields off the "not modelled" list, so each field that they cover, down to the schema's last
//! level, must be named as a text by a source of the loops, together with the field around it in one file. A
//! field that a loop names in this way, and that neither decoders nor the lists know, is found as well. The
//! check is by word: it does not see whether a loop acts on what it names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sim_core::manifest::decode::kube::elsewhere::{Claim, claims};
use sim_core::manifest::schema::table::{Shape, TypeId, kubernetes};

/// Fields that nobody names and that are rightly not told of.
const WHOLE: &[&str] = &[
    // Kinds are known by their names; there is one group that each can be of.
    "roleRef.apiGroup",
    "subjects.apiGroup",
    "spec.metrics.object.describedObject.apiVersion",
    "spec.scaleTargetRef.apiVersion",
    "spec.paramKind.apiVersion",
    "spec.volumeClaimTemplates.apiVersion",
    "spec.volumeClaimTemplates.kind",
    // Read as the rules of policies are.
    "webhooks.rules.apiVersions",
    "webhooks.rules.operations",
    "webhooks.rules.scope",
    // For people.
    "description",
    "spec.versions.additionalPrinterColumns.description",
    "spec.versions.additionalPrinterColumns.format",
    // Served versions may only have one value, and so does what conversion could understand.
    "spec.preserveUnknownFields",
    // Controllers write it; a person's is dropped.
    "spec.claimRef.fieldPath",
    "spec.claimRef.resourceVersion",
    "spec.volumeClaimTemplates.status",
    // Tolerations are added to the pod as they are.
    "scheduling.tolerations.tolerationSeconds",
];

/// Fields that loops name for another reason.
const NAMED: &[&str] = &[
    // Only that it does not change.
    "parameters",
    // A policy that has some is refused, in as many words.
    "spec.auditAnnotations",
    // Of volumes of the cluster, not of a pod's own.
    "volumes.csi.driver",
    // That a volume is of a file server says who could delete it; nobody mounts it.
    "spec.nfs.path",
    "volumes.nfs.path",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("folder of sources");
    for path in entries.map(|entry| entry.expect("entry").path()) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        // What is shown, who owns which field and built-in roles are no reading.
        if ["tests", "render", "managed", "bootstrap", "elsewhere"].contains(&&*stem) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Words in quotes in the sources of some folders, file by file.
fn words(folders: &[&str]) -> Vec<BTreeSet<String>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sim-core/src");
    let mut found = Vec::new();
    for folder in folders {
        files(&source.join(folder), &mut found);
    }
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("source");
        let lines = text.lines();
        let code = lines.filter(|line| !line.trim_start().starts_with("//"));
        let quoted = code.flat_map(|line| line.split('"').skip(1).step_by(2));
        quoted.map(str::to_owned).collect()
    };
    found.iter().map(read).collect()
}

/// A field and the one around it; a specification says nothing of what is in it.
fn ends(path: &[String]) -> impl Iterator<Item = &String> {
    let last = path.iter().rev().take(2).enumerate();
    last.filter(|(place, key)| *place == 0 || *key != "spec")
        .map(|(_, key)| key)
}

/// Whether a file names a field and the one around it.
fn names(files: &[BTreeSet<String>], path: &[String]) -> bool {
    files
        .iter()
        .any(|file| ends(path).all(|key| file.contains(key)))
}

/// Whether files together do.
fn name_apart(files: &[BTreeSet<String>], path: &[String]) -> bool {
    ends(path).all(|key| files.iter().any(|file| file.contains(key)))
}

fn inner(shape: &Shape) -> Option<TypeId> {
    match shape {
        Shape::Type(id) => Some(*id),
        Shape::List(values) | Shape::Map { values, .. } => inner(values),
        _ => None,
    }
}

/// The last level of a type's fields, as paths.
fn leaves(
    of: TypeId,
    path: &mut Vec<String>,
    seen: &mut Vec<TypeId>,
    found: &mut Vec<Vec<String>>,
) {
    let table = kubernetes();
    seen.push(of);
    for field in &table.get(of).fields {
        path.push(field.name.to_string());
        let below = inner(&field.shape).filter(|id| !table.get(*id).fields.is_empty());
        // Metadata is the same everywhere, and the server's own business.
        let metadata = &*field.name == "metadata";
        match below {
            _ if metadata => {}
            Some(id) if !seen.contains(&id) => leaves(id, path, seen, found),
            Some(_) | None => found.push(path.clone()),
        }
        path.pop();
    }
    seen.pop();
}

fn type_of(claim: &Claim) -> TypeId {
    let table = kubernetes();
    if claim.kind.is_empty() {
        let pod = table.kind("v1", "Pod").and_then(|kind| kind.root);
        let path: &[&str] = match claim.group {
            "core.v1.PodSpec" => &["spec"],
            _ => &["spec", "containers"],
        };
        let field = table.field_at(pod.expect("pods"), path);
        return field.and_then(|field| inner(&field.shape)).expect("a part");
    }
    let group = |version: &str| match version.split_once('/') {
        Some((group, _)) => group.to_owned(),
        None => String::new(),
    };
    let kinds = table.kinds().iter();
    let found = kinds.filter(|kind| group(&kind.api_version) == claim.group);
    let mut roots = found
        .filter(|kind| &*kind.kind == claim.kind)
        .filter_map(|kind| kind.root);
    // The newest version stands last.
    roots.next_back().expect("a kind of the table")
}

/// Whether a path lies at or below one of these.
fn lies_in(path: &str, these: &[&str]) -> bool {
    these.iter().any(|one| {
        let one = one.replace("[]", "");
        let rest = path.strip_prefix(&one);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[test]
fn what_loops_are_said_to_read_is_named_by_them() {
    let sources = words(&["kube", "object", "engine", "substrate"]);
    let decoders = words(&["manifest/decode"]);
    let (mut unread, mut untold) = (Vec::new(), Vec::new());
    for claim in claims() {
        let mut all = Vec::new();
        leaves(type_of(&claim), &mut Vec::new(), &mut Vec::new(), &mut all);
        for read in claim.read {
            let exists = all.iter().any(|path| lies_in(&path.join("."), &[read]));
            let open = read.contains("volumeClaimTemplate") || *read == "spec";
            assert!(exists || open, "{}: there is no {read}", claim.kind);
        }
        for path in all {
            let text = path.join(".");
            let elsewhere = !claim.template.is_empty() && lies_in(&text, &[claim.template])
                || lies_in(&text, &["status", "kind", "apiVersion"])
                || lies_in(&text, &["initContainers", "ephemeralContainers"]);
            let claimed = lies_in(&text, claim.read) && !lies_in(&text, claim.but);
            if elsewhere {
                continue;
            }
            let named = names(&sources, &path);
            if claimed && !named && !lies_in(&text, WHOLE) {
                unread.push(format!("{} {text}", claim.kind));
            }
            let known = claimed || name_apart(&decoders, &path);
            let part = claim.kind.is_empty() && text.starts_with("containers.");
            if named && !known && !part && !lies_in(&text, NAMED) {
                untold.push(format!("{} {text}", claim.kind));
            }
        }
    }
    assert!(
        unread.is_empty(),
        "no loop names these: they are not modelled: {unread:#?}"
    );
    assert!(
        untold.is_empty(),
        "loops name these: they are not to be told as not modelled: {untold:#?}"
    );
}
