//! `--raw`: a request to a path of the API, as it stands.
//! Source: `k8s.io/kubectl/pkg/rawhttp`.

use crate::kube::apiserver::Request;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

use super::Call;
use super::get::list;
use super::problem::Problem;

/// What a path names.
struct Place {
    kind: &'static Kind,
    namespace: String,
    name: Option<String>,
    subresource: Option<String>,
}

fn unknown() -> Problem {
    Problem {
        text: "Error from server (NotFound): the server could not find the requested resource"
            .to_owned(),
        code: 1,
        reason: "NotFound",
    }
}

/// `/api/v1/namespaces/N/pods/NAME/status`, `/apis/apps/v1/deployments`, …
fn place(call: &Call<'_>, path: &str) -> Result<Place, Problem> {
    let path = path.split('?').next().unwrap_or(path);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (api_version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ((*version).to_owned(), rest),
        ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
        _ => return Err(unknown()),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let (Some(plural), true) = (rest.first(), rest.len() <= 3) else {
        return Err(unknown());
    };
    let kind = call.kind_of(plural).map_err(|_| unknown())?;
    if kind.api_version != api_version || kind.plural != *plural {
        return Err(unknown());
    }
    Ok(Place {
        kind,
        namespace: namespace.to_owned(),
        name: rest.get(1).map(|name| (*name).to_owned()),
        subresource: rest.get(2).map(|name| (*name).to_owned()),
    })
}

fn body(call: &Call<'_>) -> Result<Value, Problem> {
    let text = match call.arguments.flag("filename") {
        Some("-" | "/dev/stdin") => call.input.to_owned(),
        Some(name) => match call.session.file(name) {
            Some(text) => text.to_string(),
            None => {
                return Err(Problem::error(&format!(
                    "open {name}: no such file or directory"
                )));
            }
        },
        None => {
            return Err(Problem::error(
                "--raw can only use a single local file or stdin",
            ));
        }
    };
    let text = text.trim().trim_start_matches("---").trim();
    Value::parse_json(text).map_err(|error| Problem {
        text: format!("Error from server (BadRequest): {}", error.message),
        code: 1,
        reason: "BadRequest",
    })
}

/// What a subresource without an answer of its own answers.
fn success() -> Value {
    Value::object([
        ("apiVersion", Value::from("v1")),
        ("code", Value::Int(201)),
        ("kind", "Status".into()),
        ("metadata", Value::map()),
        ("status", "Success".into()),
    ])
}

/// `create --raw`, `replace --raw`, `delete --raw`, `get --raw`.
///
/// # Errors
/// Paths that name nothing, and the server's refusal.
pub fn raw(call: &mut Call<'_>, path: &str) -> Result<(), Problem> {
    let place = place(call, path)?;
    let answer = match (call.verb, place.name, place.subresource.as_deref()) {
        ("get", Some(name), None) => {
            let found = call.view()?.get(place.kind, &place.namespace, &name);
            found.ok_or_else(|| {
                Problem::server(&crate::kube::Refusal::not_found(place.kind, &name))
            })?
        }
        ("get", None, None) => {
            let namespace = (!place.namespace.is_empty()).then_some(place.namespace.as_str());
            let objects = call.view()?.list(place.kind, namespace);
            let pairs: Vec<(&'static Kind, Value)> = objects
                .into_iter()
                .map(|object| (place.kind, object))
                .collect();
            let mut all = list(&pairs);
            all.set("apiVersion", place.kind.api_version.into());
            all.set("kind", format!("{}List", place.kind.kind).into());
            all
        }
        ("create", None, None) => {
            let request = Request::Create {
                object: body(call)?,
                namespace: place.namespace.as_str().into(),
            };
            call.ask(request)?.object
        }
        ("create", Some(name), Some("eviction")) if place.kind.kind == "Pod" => {
            let eviction = body(call)?;
            call.ask(Request::Evict {
                namespace: place.namespace.as_str().into(),
                name: name.as_str().into(),
                grace_seconds: eviction.i64_at(&["deleteOptions", "gracePeriodSeconds"]),
            })?;
            success()
        }
        ("replace", Some(_), sub @ (None | Some("status"))) => {
            let (object, namespace) = (body(call)?, place.namespace.as_str().into());
            call.ask(if sub.is_none() {
                Request::Update { object, namespace }
            } else {
                Request::UpdateStatus { object, namespace }
            })?
            .object
        }
        ("delete", Some(name), None) => {
            let request = Request::Delete {
                kind: place.kind.request_name().into(),
                namespace: place.namespace.as_str().into(),
                name: name.as_str().into(),
                propagation: None,
                grace_seconds: None,
            };
            call.ask(request)?.object
        }
        (verb, _, _) => {
            return Err(Problem::error(&format!(
                "kubectl {verb} --raw {path} is not modelled"
            )));
        }
    };
    call.say(&json(&answer, KeyOrder::Sorted));
    Ok(())
}
