//! `kubectl apply --server-side`: the server merges; the client only asks, and moves what an earlier
//! client-side apply owned to the new manager.
//! Sources: `k8s.io/kubectl/pkg/cmd/apply/apply.go`, `k8s.io/client-go/util/csaupgrade`.

use std::sync::Arc;

use crate::console::kubectl::Call;
use crate::console::kubectl::problem::Problem;
use crate::console::not_modelled;
use crate::kube::apiserver::Request;
use crate::manifest::value::Value;
use crate::object::fields::FieldSet;

use super::{Item, LAST_APPLIED, named};

/// The manager of a server-side apply without `--field-manager`.
pub const MANAGER: &str = "kubectl";

/// How to get out of a conflict: what the client says after the server's text.
const ADVICE: &str = "Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

/// Applies one object.
///
/// # Errors
/// The server's refusal; a conflict comes with advice.
pub fn apply(call: &mut Call<'_>, item: &Item) -> Result<Value, Problem> {
    named(item)?;
    // Fields that there are not are the server's to refuse, whatever `--validate` says.
    if !item.wrong.is_empty() {
        item.strict()
            .map_err(|problem| problem.when("applying", &item.source))?;
    }
    let manager: Arc<str> = call
        .arguments
        .flag("field-manager")
        .unwrap_or(MANAGER)
        .into();
    let status = match call.arguments.flag("subresource") {
        None | Some("") => false,
        Some("status") => true,
        Some(other) => {
            let what = format!("kubectl apply --subresource={other}");
            return Err(Problem::error(not_modelled(what)));
        }
    };
    let request = Request::As {
        manager: manager.clone(),
        request: Arc::new(Request::Apply {
            object: item.object.clone(),
            namespace: item.namespace().into(),
            force: call.arguments.on("force-conflicts"),
            status,
        }),
    };
    match call.send(request.clone()) {
        Ok(response) if status => Ok(response.object),
        Ok(response) => migrate(call, item, response.object, (&manager, request)),
        Err(problem) if problem.reason == "Conflict" => {
            let text = problem
                .text
                .split_once("): ")
                .map_or(&*problem.text, |(_, text)| text)
                .to_owned();
            Err(Problem {
                text: format!("error: {text}\n{ADVICE}").into(),
                ..problem
            })
        }
        Err(problem) => Err(problem),
    }
}

/// Owner of the annotation after a server-side apply, so that going back is possible.
const ANNOTATION_MANAGER: &str = "kubectl-last-applied";

/// After client-side applies of the same object: what they owned becomes the new manager's, so that it
/// can be un-applied. With the usual manager the annotation goes on telling what was applied; with another
/// it goes with the rest.
fn migrate(
    call: &mut Call<'_>,
    item: &Item,
    object: Value,
    (manager, request): (&str, Request),
) -> Result<Value, Problem> {
    if super::last_applied::of(&object).is_none() {
        return Ok(object);
    }
    let mut object = object;
    let owners = call.view()?.managed_fields(item.kind, &object);
    if manager == MANAGER && annotators(&owners, "Apply").is_empty() {
        object = keep_annotation(call, item, &object)?;
    }
    let owners = call.view()?.managed_fields(item.kind, &object);
    let Some(owners) = upgraded(&owners, manager) else {
        return Ok(object);
    };
    object.set_path(&["metadata", "managedFields"], owners);
    call.send(Request::Update {
        object,
        namespace: item.namespace().into(),
    })?;
    Ok(call.send(request)?.object)
}

/// Gives the annotation an owner of its own, so that it outlives the manager that wrote it.
fn keep_annotation(call: &mut Call<'_>, item: &Item, object: &Value) -> Result<Value, Problem> {
    let text = object.path(&["metadata", "annotations", LAST_APPLIED]);
    let mut note = Value::map();
    for field in ["apiVersion", "kind"] {
        note.set(field, item.object.get(field).cloned().unwrap_or_default());
    }
    for field in ["name", "namespace"] {
        if let Some(value) = item.object.path(&["metadata", field]) {
            note.set_path(&["metadata", field], value.clone());
        }
    }
    note.set_path(
        &["metadata", "annotations", LAST_APPLIED],
        text.cloned().unwrap_or_default(),
    );
    let request = Request::As {
        manager: ANNOTATION_MANAGER.into(),
        request: Arc::new(Request::Apply {
            object: note,
            namespace: item.namespace().into(),
            force: true,
            status: false,
        }),
    };
    Ok(call.send(request)?.object)
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry.str_at(&[field]).unwrap_or("")
}

fn fields_of(entry: &Value) -> FieldSet {
    FieldSet::from_value(entry.get("fieldsV1").unwrap_or(&Value::Null))
}

/// Managers that own the annotation by one kind of write.
fn annotators(owners: &Value, operation: &str) -> Vec<String> {
    let path = ["metadata", "annotations", LAST_APPLIED].map(|part| Arc::from(format!("f:{part}")));
    let entries = owners.as_list().unwrap_or(&[]).iter();
    let own = entries
        .filter(|entry| text(entry, "operation") == operation && fields_of(entry).holds(&path));
    own.map(|entry| text(entry, "manager").to_owned()).collect()
}

/// Owners after the fields of client-side applies went to the server-side manager; nothing if there were
/// none.
fn upgraded(owners: &Value, manager: &str) -> Option<Value> {
    let mut list = owners.as_list()?.to_vec();
    for old in annotators(owners, "Update") {
        let is_old = |entry: &Value| {
            text(entry, "manager") == old
                && text(entry, "operation") == "Update"
                && text(entry, "subresource").is_empty()
        };
        let Some(fields) = list.iter().find(|entry| is_old(entry)).map(fields_of) else {
            continue;
        };
        list.retain(|entry| !is_old(entry));
        for entry in &mut list {
            if text(entry, "manager") == manager && text(entry, "operation") == "Apply" {
                let all = fields_of(entry).union(&fields).to_value();
                entry.set("fieldsV1", all);
            }
        }
    }
    let list = Value::list(list);
    (list != *owners).then_some(list)
}
