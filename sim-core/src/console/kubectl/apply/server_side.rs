//! `kubectl apply --server-side`: the server merges; the client only asks, and moves what an earlier
//! client-side apply owned to the new manager.
//! Sources: `k8s.io/kubectl/pkg/cmd/apply/apply.go`, `k8s.io/client-go/util/csaupgrade`.

use std::sync::Arc;

use crate::console::kubectl::Call;
use crate::console::kubectl::problem::Problem;
use crate::kube::apiserver::Request;
use crate::manifest::value::Value;

use super::{Item, named};

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
        manager,
        request: Arc::new(Request::Apply {
            object: item.object.clone(),
            namespace: item.namespace().into(),
            force: call.arguments.on("force-conflicts"),
        }),
    };
    match call.send(request) {
        Ok(response) => Ok(response.object),
        Err(problem) if problem.reason == "Conflict" => {
            let text = problem
                .text
                .split_once("): ")
                .map_or(problem.text.as_str(), |(_, text)| text)
                .to_owned();
            Err(Problem {
                text: format!("error: {text}\n{ADVICE}"),
                ..problem
            })
        }
        Err(problem) => Err(problem),
    }
}
