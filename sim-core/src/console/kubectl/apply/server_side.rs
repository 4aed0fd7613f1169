//! `kubectl apply --server-side`: the server merges; the client only asks, and moves what an earlier
//! client-side apply owned to the new manager.
//! Sources: `k8s.io/kubectl/pkg/cmd/apply/apply.go`, `k8s.io/client-go/util/csaupgrade`.

use std::sync::Arc;

use crate::console::kubectl::Call;
use crate::console::kubectl::problem::Problem;
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
    item.strict()
        .map_err(|problem| problem.when("applying", &item.source))?;
    let manager: Arc<str> = call
        .arguments
        .flag("field-manager")
        .unwrap_or(MANAGER)
        .into();
    let request = Request::As {
        manager: manager.clone(),
        request: Arc::new(Request::Apply {
            object: item.object.clone(),
            namespace: item.namespace().into(),
            force: call.arguments.on("force-conflicts"),
        }),
    };
    match call.send(request.clone()) {
        Ok(response) => {
            if &*manager != MANAGER {
                return Ok(response.object);
            }
            migrate(call, item, response.object, request)
        }
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

/// After a client-side apply of the same object: what it owned becomes the new manager's, so that
/// it can be un-applied, and the annotation goes on telling what was applied.
fn migrate(
    call: &mut Call<'_>,
    item: &Item,
    object: Value,
    request: Request,
) -> Result<Value, Problem> {
    if super::last_applied::of(&object).is_none() {
        return Ok(object);
    }
    let remembered = super::remembering(&item.object);
    let text = remembered.path(&["metadata", "annotations", LAST_APPLIED]);
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
    let mut object = call
        .send(Request::As {
            manager: ANNOTATION_MANAGER.into(),
            request: Arc::new(Request::Apply {
                object: note,
                namespace: item.namespace().into(),
                force: true,
            }),
        })?
        .object;
    let owners = call.view()?.managed_fields(item.kind, &object);
    let Some(owners) = upgraded(&owners) else {
        return Ok(object);
    };
    object.set_path(&["metadata", "managedFields"], owners);
    call.send(Request::Update {
        object,
        namespace: item.namespace().into(),
    })?;
    Ok(call.send(request)?.object)
}

/// Owners after the client-side manager's fields went to the server-side one; nothing if it had
/// none.
fn upgraded(owners: &Value) -> Option<Value> {
    let text = |entry: &Value, field: &str| entry.str_at(&[field]).unwrap_or("").to_owned();
    let mut list = owners.as_list()?.to_vec();
    let is_old = |entry: &Value| {
        text(entry, "manager") == "kubectl-client-side-apply"
            && text(entry, "operation") == "Update"
            && text(entry, "subresource").is_empty()
    };
    let old = list.iter().find(|entry| is_old(entry))?;
    let mut fields = FieldSet::from_value(old.get("fieldsV1")?);
    list.retain(|entry| !is_old(entry));
    let annotation: Vec<Arc<str>> = [
        "f:metadata".to_owned(),
        "f:annotations".to_owned(),
        format!("f:{LAST_APPLIED}"),
    ]
    .into_iter()
    .map(Into::into)
    .collect();
    let mut without = FieldSet::new();
    without.insert(&annotation);
    fields = fields.difference(&without);
    for entry in &mut list {
        if text(entry, "manager") == MANAGER && text(entry, "operation") == "Apply" {
            let own = FieldSet::from_value(entry.get("fieldsV1").unwrap_or(&Value::Null));
            entry.set("fieldsV1", own.union(&fields).to_value());
        }
    }
    Some(Value::list(list))
}
