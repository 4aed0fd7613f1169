//! `--raw`: a request to a path of the API, as it stands.
//! Source: `k8s.io/kubectl/pkg/rawhttp`.

pub mod discovery;
mod read;

use crate::console::not_modelled;
use crate::kube::apiserver::Request;
use crate::kube::kinds::Kind;
use crate::manifest::json;
use crate::manifest::lines::{FileId, Source};
use crate::manifest::tree::Node;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json as printed};

use super::apply::{Item, Validate};
use super::problem::Problem;
use super::watch::Scope;
use super::{Call, name_of};
use read::Query;

/// Beginnings of paths that a real server answers and this one does not.
const ABSENT: [&str; 4] = [
    "/.well-known/",
    "/openid/",
    "/apis/authentication.k8s.io",
    "/apis/authorization.k8s.io",
];

/// What a path names.
struct Place {
    kind: &'static Kind,
    namespace: String,
    name: Option<String>,
    subresource: Option<String>,
}

fn unknown() -> Problem {
    Problem::said(
        "Error from server (NotFound): the server could not find the requested resource",
        "NotFound",
    )
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
        ["namespaces", _, "status" | "finalize"] => ("", rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let whole = rest.len() <= 3 || rest.get(2) == Some(&"proxy");
    let (Some(plural), true) = (rest.first(), whole) else {
        return Err(unknown());
    };
    let mut served = discovery::served(call)?.into_iter();
    let kind = served.find(|kind| kind.api_version == api_version && kind.plural == *plural);
    let kind = kind.ok_or_else(unknown)?;
    Ok(Place {
        kind,
        namespace: namespace.to_owned(),
        name: rest.get(1).map(|name| (*name).to_owned()),
        subresource: rest.get(2).map(|name| (*name).to_owned()),
    })
}

fn body(call: &Call<'_>) -> Result<Value, Problem> {
    Ok(read(&text(call)?)?.0.to_value())
}

fn read(text: &str) -> Result<(Node, Vec<u32>), Problem> {
    json::parse_with_repeated(text, FileId::default()).map_err(|error| {
        Problem::said(
            format!("Error from server (BadRequest): {}", error.message),
            "BadRequest",
        )
    })
}

/// The object of a request, as far as `fieldValidation` lets it through.
/// Source: `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/create.go`.
fn object(call: &mut Call<'_>, kind: &'static Kind, query: &Query) -> Result<Value, Problem> {
    let mode = match query.get("fieldValidation") {
        "Strict" => Validate::Strict,
        "Warn" | "" => Validate::Warn,
        "Ignore" => Validate::Ignore,
        other => {
            let options = if call.verb == "create" {
                "Create"
            } else {
                "Update"
            };
            let text = format!(
                "The {options}Options \"\" is invalid: fieldValidation: Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
            );
            return Err(Problem::said(text, "Invalid"));
        }
    };
    let text = text(call)?;
    let ((node, again), source) = (read(&text)?, Source::new("", &text));
    let mut found = Vec::new();
    repeated(&node, "", &again, &mut found);
    let item = Item::checked(call, kind, (&source, &node), found, mode)?;
    item.strict()?;
    item.warn(call);
    Ok(item.object)
}

/// What is said of keys that come again, in the order of their places.
fn repeated(node: &Node, path: &str, again: &[u32], found: &mut Vec<(u32, String)>) {
    for (at, item) in node.as_seq().unwrap_or(&[]).iter().enumerate() {
        repeated(item, &format!("{path}[{at}]"), again, found);
    }
    for entry in node.as_map().unwrap_or(&[]) {
        let (key, at) = (&entry.key.text, entry.key.span.start);
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{key}");
        if again.contains(&at) {
            found.push((at, format!("duplicate field \"{path}\"")));
        }
        repeated(&entry.value, &path, again, found);
    }
}

fn text(call: &Call<'_>) -> Result<String, Problem> {
    let text = match call.arguments.flag("filename") {
        Some("-" | "/dev/stdin") => call.input.to_owned(),
        Some(name) => match call.session.file(name) {
            Some(text) => text.to_string(),
            None => {
                return Err(Problem::error(format!(
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
    Ok(text.to_owned())
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
    if call.verb == "get" {
        let given = &call.arguments;
        let filters = given.on("watch") || given.on("watch-only");
        let said = if !given.words.is_empty() {
            "arguments may not be passed when --raw is specified"
        } else if filters || given.flag("selector").is_some_and(|text| !text.is_empty()) {
            "--raw may not be specified with other flags that filter the server request or alter the output"
        } else if given.flag("output").is_some_and(|text| !text.is_empty()) {
            "--raw and --output are mutually exclusive"
        } else {
            ""
        };
        if !said.is_empty() {
            return Err(Problem::error(said));
        }
    }
    if call.verb == "create" {
        let given = &call.arguments;
        let has = |flag: &str| given.flag(flag).is_some_and(|text| !text.is_empty());
        let with = if given.on("edit") {
            "--edit"
        } else if given.on("recursive") {
            "--recursive"
        } else if has("selector") {
            "--selector (-l)"
        } else if has("output") {
            "--output"
        } else {
            ""
        };
        if !with.is_empty() {
            return Err(Problem::error(format!(
                "--raw and {with} are mutually exclusive"
            )));
        }
    }
    if call.verb == "get"
        && let Some(text) = discovery::answer(call, path)?
    {
        call.say(&text);
        return Ok(());
    }
    if ABSENT.iter().any(|absent| path.starts_with(absent)) {
        let what = format!("kubectl {} --raw {path}", call.verb);
        return Err(Problem::error(not_modelled(what)));
    }
    let place = place(call, path)?;
    let query = Query::parse(path.split_once('?').map_or("", |(_, query)| query));
    let answer = match (call.verb, place.name, place.subresource.as_deref()) {
        ("delete", None, None) if place.kind.kind == "Namespace" => {
            let said = "Error from server (MethodNotAllowed): the server does not allow this method on the requested resource";
            return Err(Problem::said(said, "MethodNotAllowed"));
        }
        ("delete", None, None) => read::clear(call, scope(place.kind, place.namespace), &query)?,
        ("get", Some(name), None) => stored(call, &place.namespace, place.kind, &name)?,
        ("get", None, None) => {
            let scope = scope(place.kind, place.namespace);
            return read::collection(call, scope, &query);
        }
        ("get", Some(name), Some("status")) => stored(call, &place.namespace, place.kind, &name)?,
        ("get", Some(name), Some("scale")) => {
            let object = stored(call, &place.namespace, place.kind, &name)?;
            scale(call, place.kind, &object)?
        }
        ("create", Some(name), Some("binding")) if place.kind.kind == "Pod" => {
            let binding = body(call)?;
            call.ask(Request::Bind {
                namespace: place.namespace.as_str().into(),
                name: name.as_str().into(),
                kind: binding.str_at(&["target", "kind"]).unwrap_or("").into(),
                node: binding.str_at(&["target", "name"]).unwrap_or("").into(),
            })?;
            success()
        }
        ("replace", Some(name), Some("scale")) => {
            let wanted = body(call)?;
            call.ask(Request::Scale {
                kind: place.kind.request_name().into(),
                namespace: place.namespace.as_str().into(),
                name: name.as_str().into(),
                replicas: wanted.i64_at(&["spec", "replicas"]).unwrap_or(0),
            })?;
            let object = stored(call, &place.namespace, place.kind, &name)?;
            scale(call, place.kind, &object)?
        }
        ("create", None, None) => {
            let request = Request::Create {
                object: object(call, place.kind, &query)?,
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
        ("replace", Some(_), Some("ephemeralcontainers")) if place.kind.kind == "Pod" => {
            let (object, namespace) = (body(call)?, place.namespace.as_str().into());
            call.ask(Request::Ephemeral { object, namespace })?.object
        }
        ("replace", Some(_), Some("finalize")) if place.kind.kind == "Namespace" => {
            call.ask(Request::Finalize(body(call)?))?.object
        }
        ("replace", Some(_), sub @ (None | Some("status"))) => {
            let object = object(call, place.kind, &query)?;
            let namespace = place.namespace.as_str().into();
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
            let what = format!("kubectl {verb} --raw {path}");
            return Err(Problem::error(not_modelled(what)));
        }
    };
    call.say(&printed(&answer, KeyOrder::Sorted));
    Ok(())
}

fn scope(kind: &'static Kind, namespace: String) -> Scope {
    Scope {
        kind,
        namespace: (!namespace.is_empty()).then_some(namespace),
        name: None,
        labels: None,
        fields: Vec::new(),
    }
}

fn stored(call: &Call<'_>, namespace: &str, kind: &Kind, name: &str) -> Result<Value, Problem> {
    let found = call.read(kind, namespace, name)?;
    found.ok_or_else(|| Problem::server(&crate::kube::Refusal::not_found(kind, name)))
}

/// The scale subresource. Source: `pkg/registry/apps/deployment/storage/storage.go` (scaleFromDeployment).
///
/// # Errors
/// Kinds that have none.
pub fn scale(call: &Call<'_>, kind: &Kind, object: &Value) -> Result<Value, Problem> {
    let unknown = unknown();
    let (wanted, there, selector) = match kind.kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController" => (
            object.i64_at(&["spec", "replicas"]),
            object.i64_at(&["status", "replicas"]),
            selector_text(object),
        ),
        _ => {
            let view = call.view()?;
            let paths = view.store.definitions().of_kind(kind);
            let Some(paths) = paths.and_then(|(_, version)| version.scale.as_ref()) else {
                return Err(unknown);
            };
            let at = |path: &[String]| crate::kube::store::custom::at(object, path);
            (
                at(&paths.spec).and_then(Value::as_i64),
                at(&paths.status).and_then(Value::as_i64),
                paths
                    .selector
                    .as_ref()
                    .and_then(|path| at(path)?.as_str().map(str::to_owned))
                    .unwrap_or_default(),
            )
        }
    };
    let mut metadata = Value::object([("name", Value::from(name_of(object)))]);
    for field in ["namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.path(&["metadata", field]) {
            metadata.set(field, value.clone());
        }
    }
    let mut status = Value::object([("replicas", Value::Int(there.unwrap_or(0)))]);
    if !selector.is_empty() {
        status.set("selector", selector.into());
    }
    Ok(Value::object([
        ("apiVersion", Value::from("autoscaling/v1")),
        ("kind", "Scale".into()),
        ("metadata", metadata),
        (
            "spec",
            Value::object([("replicas", Value::Int(wanted.unwrap_or(0)))]),
        ),
        ("status", status),
    ]))
}

fn selector_text(object: &Value) -> String {
    let labels = object
        .path(&["spec", "selector", "matchLabels"])
        .or_else(|| object.path(&["spec", "selector"]));
    let map = labels.and_then(Value::as_map);
    let pairs = map.map(|map| map.sorted()).unwrap_or_default();
    let texts: Vec<String> = pairs
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    texts.join(",")
}
