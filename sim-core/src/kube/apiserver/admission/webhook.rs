//! Webhooks: which requests they are asked about, and what becomes of those that nobody answers.
//!
//! The API server calls the Service by its address. Without a ready endpoint the call fails, and the
//! request by the webhook's `failurePolicy`. What a program answers is not modelled: where there is an
//! endpoint, and of a `url`, the request passes unchanged.
//! Sources: `staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/{generic/webhook.go,validating/dispatcher.go}`,
//! `pkg/util/webhook/{client,error}.go`, `pkg/util/proxy/proxy.go` (`ResolveCluster`).

use crate::kube::apiserver::{Cause, Refusal, known, view};
use crate::kube::store::Store;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;
use crate::object::cel::COST_MAX;

use super::super::refusal::cause;
use super::policy::{Attempt, compile, concerns, evaluate, list, names_it, scope};

/// Configurations, in the order in which they are asked.
pub const CONFIGURATIONS: [&str; 2] = [
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
];

/// Whether there is any.
pub fn is_any(store: &Store) -> bool {
    let mut all = CONFIGURATIONS.iter();
    all.any(|resource| store.documents().of(resource).next().is_some())
}

/// What is wrong with the conditions of a configuration.
pub fn validate(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (at, hook) in list(object, &["webhooks"]).iter().enumerate() {
        for (index, condition) in list(hook, &["matchConditions"]).iter().enumerate() {
            let field = format!("webhooks[{at}].matchConditions[{index}].expression");
            let text = condition.str_at(&["expression"]).unwrap_or("").trim();
            if text.is_empty() {
                causes.push(cause(field, "Required value"));
                continue;
            }
            let why = match compile(text) {
                Ok(program) if program.is_condition() => continue,
                Ok(_) => "must evaluate to bool".into(),
                Err(why) => why,
            };
            let before =
                crate::base::sentence::passage::Passage::from(format!("Invalid value: {text:?}: "));
            causes.push(cause(field, before.then(why)));
        }
    }
    causes
}

/// Whether every webhook that is asked about a request can be reached, or may be ignored.
///
/// # Errors
/// The first that cannot.
pub fn check(attempt: &Attempt<'_>, turn: &Turn<'_, '_>) -> Result<(), Refusal> {
    for resource in CONFIGURATIONS {
        for (_, configuration) in turn.store.documents().of(resource) {
            for hook in list(&configuration.value, &["webhooks"]) {
                let fails = hook.str_at(&["failurePolicy"]) != Some("Ignore");
                if !is_asked(hook, attempt, turn, fails)? || !fails {
                    continue;
                }
                if let Some(why) = unreachable(hook, turn) {
                    return Err(Refusal {
                        reason: "InternalError",
                        ..Refusal::internal(&format!("Internal error occurred: {why}"))
                    });
                }
            }
        }
    }
    Ok(())
}

fn is_asked(
    hook: &Value,
    attempt: &Attempt<'_>,
    turn: &Turn<'_, '_>,
    fails: bool,
) -> Result<bool, Refusal> {
    let mut rules = list(hook, &["rules"]).iter();
    if !rules.any(|rule| names_it(rule, attempt)) || !concerns(hook, attempt, turn) {
        return Ok(false);
    }
    let conditions = list(hook, &["matchConditions"]);
    let names = match conditions {
        [] => return Ok(true),
        _ => scope(attempt, turn),
    };
    let mut cost = COST_MAX * 10;
    let mut failure = None;
    for condition in conditions {
        let text = condition.str_at(&["expression"]).unwrap_or("");
        match evaluate(text, &names, &mut cost) {
            Ok(Value::Bool(true)) => {}
            Ok(_) => return Ok(false),
            Err(why) => failure = Some(why),
        }
    }
    match failure {
        None => Ok(true),
        Some(_) if !fails => Ok(false),
        Some(why) => Err(Refusal::forbidden(attempt.kind, attempt.name, why.as_str())),
    }
}

/// What the server says when it cannot call a webhook's Service.
fn unreachable(hook: &Value, turn: &Turn<'_, '_>) -> Option<String> {
    let service = hook.path(&["clientConfig", "service"])?;
    let text = |key: &str| service.str_at(&[key]).unwrap_or("");
    let (namespace, name) = (text("namespace"), text("name"));
    let port = service.i64_at(&["port"]).unwrap_or(443);
    let why = dial(namespace, name, port, turn)?;
    let path = text("path").trim_start_matches('/');
    let seconds = hook.i64_at(&["timeoutSeconds"]).unwrap_or(10);
    let own = hook.str_at(&["name"]).unwrap_or("");
    Some(format!(
        "failed calling webhook {own:?}: failed to call webhook: Post \"https://{name}.{namespace}.svc:{port}/{path}?timeout={seconds}s\": {why}"
    ))
}

/// Why a Service cannot be reached from the API server, if that is so.
fn dial(namespace: &str, name: &str, port: i64, turn: &Turn<'_, '_>) -> Option<String> {
    let view = view(turn);
    let Some(service) = view.get(known("Service", turn).ok()?, namespace, name) else {
        return Some(format!("service {name:?} not found"));
    };
    let ip = service.str_at(&["spec", "clusterIP"]).unwrap_or("");
    if ip == "None" {
        return Some("cannot route to service with ClusterIP \"None\"".to_owned());
    }
    if service.str_at(&["spec", "type"]) == Some("ExternalName") {
        return None;
    }
    let mut ports = list(&service, &["spec", "ports"]).iter();
    if !ports.any(|one| one.i64_at(&["port"]) == Some(port)) {
        return Some(format!("no service port {port} found for service {name:?}"));
    }
    let slices = view.list(known("EndpointSlice", turn).ok()?, Some(namespace));
    let label = ["metadata", "labels", "kubernetes.io/service-name"];
    let own = slices
        .iter()
        .filter(|slice| slice.str_at(&label) == Some(name));
    let mut endpoints = own.flat_map(|slice| list(slice, &["endpoints"]));
    let ready = endpoints.any(|one| {
        let ready = one.path(&["conditions", "ready"]).and_then(Value::as_bool);
        ready != Some(false)
    });
    (!ready).then(|| format!("dial tcp {ip}:{port}: connect: connection refused"))
}
