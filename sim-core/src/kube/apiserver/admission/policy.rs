//! ValidatingAdmissionPolicies and their bindings: rules in CEL that requests must satisfy.
//! Sources: `staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/validating/{dispatcher,validator}.go`,
//! `pkg/apis/admissionregistration/validation/validation.go`.
//!
//! Asked: what people create, change and delete, what controllers make of Deployments, ReplicaSets,
//! StatefulSets, DaemonSets, Jobs and CronJobs, the pods that they and taints delete, and the sizes that
//! Deployments give. Not asked: writes of statuses, the garbage collectors, preemption. Parameters, the authorizer and warnings are refused
//! when the policy or the binding is written.

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::kube::kinds::Kind;
use crate::kube::store::document::{DocumentKey, POLICY_BINDINGS};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;
use crate::object::cel::{COST_MAX, Program, Ty};

use super::super::rbac::Who;
use super::super::refusal::cause;
use super::super::{Cause, Refusal};
use super::webhook;

const POLICIES: &str = "validatingadmissionpolicies.admissionregistration.k8s.io";

/// Whom people's requests come from. Source: kubeadm's `admin.conf`.
pub const ADMINISTRATOR: &str = "kubernetes-admin";

/// Groups of [`ADMINISTRATOR`].
pub const ADMINISTRATOR_GROUPS: [&str; 2] = ["kubeadm:cluster-admins", "system:authenticated"];

/// Whether any policy is bound, or any webhook there, that may refuse something.
pub fn is_any_bound(turn: &Turn<'_, '_>) -> bool {
    let documents = turn.store.documents();
    if !documents.has_judges() {
        return false;
    }
    let mut bindings = documents.of(POLICY_BINDINGS);
    bindings.any(|(_, binding)| is_denying(&binding.value)) || webhook::is_any(turn.store)
}

fn is_denying(binding: &Value) -> bool {
    list(binding, &["spec", "validationActions"]).contains(&"Deny".into())
}

/// What a request wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'v> {
    /// Who wants it: [`ADMINISTRATOR`], or a controller's service account.
    pub user: &'v str,
    /// Somebody else, in whose name a person asks.
    pub who: Option<&'v Who>,
    /// `CREATE`, `UPDATE` or `DELETE`.
    pub operation: &'static str,
    /// Kind.
    pub kind: &'static Kind,
    /// Namespace; empty for cluster-wide kinds.
    pub namespace: &'v str,
    /// Name.
    pub name: &'v str,
    /// The object after it.
    pub object: Option<&'v Value>,
    /// The object before it.
    pub old: Option<&'v Value>,
}

pub(super) fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    value.path(path).and_then(Value::as_list).unwrap_or(&[])
}

pub(super) fn variables_of(policy: &Value) -> impl Iterator<Item = (&str, &str)> {
    list(policy, &["spec", "variables"])
        .iter()
        .filter_map(|one| Some((one.str_at(&["name"])?, one.str_at(&["expression"])?)))
}

pub(super) fn compile(text: &str) -> Result<Program, Passage> {
    let names = [
        "object",
        "oldObject",
        "request",
        "namespaceObject",
        "variables",
    ];
    Program::new(text, &names.map(|name| (name, Ty::Any))).map_err(|why| match text {
        text if text.contains("params") || text.contains("authorizer") => {
            let names = [("name", &"params, authorizer" as &dyn std::fmt::Display)];
            catalogue::UNMODELLED_CEL.with(&names).into()
        }
        text => why.message(text),
    })
}

/// What an expression of a stored policy gives; what cannot be compiled was refused when it was written.
pub(super) fn evaluate(
    text: &str,
    names: &[(&'static str, Value)],
    cost: &mut u32,
) -> Result<Value, String> {
    compile(text)?.eval(names, cost)
}

/// What is wrong with a policy or a binding.
pub fn validate(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let unmodelled = |path: &str| {
        let why = Passage::from("Forbidden: ").then(catalogue::UNMODELLED.plain());
        cause(path, why)
    };
    if kind.kind == "ValidatingAdmissionPolicyBinding" {
        if object
            .str_at(&["spec", "policyName"])
            .is_none_or(str::is_empty)
        {
            causes.push(cause("spec.policyName", "Required value"));
        }
        if object.path(&["spec", "paramRef"]).is_some() {
            causes.push(unmodelled("spec.paramRef"));
        }
        let actions = list(object, &["spec", "validationActions"]);
        if actions.is_empty() {
            causes.push(cause("spec.validationActions", "Required value"));
        }
        for (index, action) in actions.iter().enumerate() {
            let at = format!("spec.validationActions[{index}]");
            match action.as_str() {
                Some("Deny" | "Audit") => {}
                Some("Warn") => causes.push(unmodelled(&at)),
                other => causes.push(cause(
                    at,
                    format!(
                        "Unsupported value: {:?}: supported values: \"Audit\", \"Deny\", \"Warn\"",
                        other.unwrap_or("")
                    ),
                )),
            }
        }
        return causes;
    }
    if matches!(
        kind.kind,
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration"
    ) {
        return webhook::validate(object);
    }
    if kind.kind != "ValidatingAdmissionPolicy" {
        return causes;
    }
    if object.path(&["spec", "paramKind"]).is_some() {
        causes.push(unmodelled("spec.paramKind"));
    }
    if object.path(&["spec", "auditAnnotations"]).is_some() {
        causes.push(unmodelled("spec.auditAnnotations"));
    }
    if object.path(&["spec", "matchConstraints"]).is_none() {
        causes.push(cause("spec.matchConstraints", "Required value"));
    } else if list(object, &["spec", "matchConstraints", "resourceRules"]).is_empty() {
        causes.push(cause(
            "spec.matchConstraints.resourceRules",
            "Required value",
        ));
    }
    if list(object, &["spec", "validations"]).is_empty() {
        causes.push(cause(
            "spec.validations",
            "Required value: validations or auditAnnotations must be specified",
        ));
    }
    for (field, key, wanted) in [
        ("variables", "expression", Ty::Any),
        ("matchConditions", "expression", Ty::Bool),
        ("validations", "expression", Ty::Bool),
        ("validations", "messageExpression", Ty::Text),
    ] {
        for (index, one) in list(object, &["spec", field]).iter().enumerate() {
            let at = format!("spec.{field}[{index}].{key}");
            let Some(text) = one.str_at(&[key]).filter(|text| !text.trim().is_empty()) else {
                if key == "expression" {
                    causes.push(cause(at, "Required value"));
                }
                continue;
            };
            let why = match compile(text) {
                Ok(program)
                    if wanted == Ty::Any || [Ty::Any, wanted.clone()].contains(&program.gives) =>
                {
                    continue;
                }
                Ok(_) if wanted == Ty::Bool => "must evaluate to bool".into(),
                Ok(_) => "must evaluate to string".into(),
                Err(why) => why,
            };
            let before = Passage::from(format!("Invalid value: {text:?}: "));
            causes.push(cause(at, before.then(why)));
        }
    }
    causes
}

/// Whether every bound policy lets a request pass, and every webhook can be asked.
///
/// # Errors
/// The first denial: of policies, bindings and validations in the order of their names.
pub fn check(attempt: &Attempt<'_>, turn: &Turn<'_, '_>) -> Result<(), Refusal> {
    // Policies do not judge policies.
    if attempt.kind.group() == "admissionregistration.k8s.io" {
        return Ok(());
    }
    for (key, policy) in turn.store.documents().of(POLICIES) {
        let policy = &policy.value;
        let constraints = policy.path(&["spec", "matchConstraints"]);
        let bindings = turn
            .store
            .documents()
            .of(POLICY_BINDINGS)
            .filter(|(_, binding)| {
                binding.value.str_at(&["spec", "policyName"]) == Some(&*key.name)
                    && is_denying(&binding.value)
            });
        for (binding_key, binding) in bindings {
            let resources = binding.value.path(&["spec", "matchResources"]);
            if ![constraints, resources]
                .into_iter()
                .flatten()
                .all(|one| concerns(one, attempt, turn))
            {
                continue;
            }
            if let Some((message, reason)) = denial(policy, attempt, turn) {
                let why = format!(
                    "ValidatingAdmissionPolicy '{}' with binding '{}' denied request: {message}",
                    key.name, binding_key.name
                );
                return Err(refusal(attempt, why, reason));
            }
        }
    }
    webhook::check(attempt, turn)
}

fn refusal(attempt: &Attempt<'_>, why: String, reason: &str) -> Refusal {
    let mut refusal = Refusal::forbidden(attempt.kind, attempt.name, why.as_str());
    (refusal.code, refusal.reason) = match reason {
        "Forbidden" => (403, "Forbidden"),
        "Unauthorized" => (401, "Unauthorized"),
        "RequestEntityTooLarge" => (413, "RequestEntityTooLarge"),
        _ => (422, "Invalid"),
    };
    // kubectl prints the resource, and the cause with its field, which is empty.
    refusal.kind = attempt.kind.plural.into();
    refusal.causes = vec![cause("", format!(": {why}"))];
    refusal
}

/// Message and reason of a policy's first denial.
fn denial<'v>(
    policy: &'v Value,
    attempt: &Attempt<'_>,
    turn: &Turn<'_, '_>,
) -> Option<(String, &'v str)> {
    let mut cost = COST_MAX * 10;
    let mut names = scope(attempt, turn);
    for (name, text) in variables_of(policy) {
        let made = evaluate(text, &names, &mut cost);
        if let (Ok(made), Some((_, variables))) = (made, names.last_mut()) {
            variables.set(name, made);
        }
    }
    let ignores = policy.str_at(&["spec", "failurePolicy"]) == Some("Ignore");
    for condition in list(policy, &["spec", "matchConditions"]) {
        let text = condition.str_at(&["expression"]).unwrap_or("");
        match evaluate(text, &names, &mut cost) {
            Ok(Value::Bool(true)) => {}
            Ok(_) => return None,
            Err(_) if ignores => return None,
            Err(why) => return Some((why, "Invalid")),
        }
    }
    for validation in list(policy, &["spec", "validations"]) {
        let text = |key: &str| {
            validation
                .str_at(&[key])
                .map(str::trim)
                .filter(|text| !text.is_empty())
        };
        let expression = text("expression").unwrap_or("");
        let result = evaluate(expression, &names, &mut cost);
        let message = match result {
            Ok(Value::Bool(true)) => continue,
            Err(_) if ignores => continue,
            Err(why) => format!("expression '{expression}' resulted in error: {why}"),
            Ok(_) => {
                let made = text("messageExpression")
                    .and_then(|text| evaluate(text, &names, &mut cost).ok());
                let made = made.as_ref().and_then(Value::as_str).map(str::trim);
                made.filter(|made| !made.is_empty() && !made.contains('\n'))
                    .or(text("message"))
                    .map_or_else(|| format!("failed expression: {expression}"), str::to_owned)
            }
        };
        return Some((message, text("reason").unwrap_or("Invalid")));
    }
    None
}

/// The variables of expressions; the last is `variables`.
pub(super) fn scope(attempt: &Attempt<'_>, turn: &Turn<'_, '_>) -> Vec<(&'static str, Value)> {
    let (kind, text) = (attempt.kind, |text: &str| Value::string(text));
    let version = kind.api_version.rsplit('/').next().unwrap_or("");
    let named = |key: &'static str, name: &str| {
        Value::object([
            ("group", text(kind.group())),
            ("version", text(version)),
            (key, text(name)),
        ])
    };
    let request = Value::object([
        ("kind", named("kind", kind.kind)),
        ("resource", named("resource", kind.plural)),
        ("operation", text(attempt.operation)),
        ("name", text(attempt.name)),
        ("namespace", text(attempt.namespace)),
        ("subResource", text("")),
        ("dryRun", false.into()),
        (
            "userInfo",
            Value::object([
                (
                    "username",
                    text(attempt.who.map_or(attempt.user, |who| &who.user)),
                ),
                (
                    "groups",
                    attempt.who.map_or_else(
                        || groups(attempt.user),
                        |who| Value::list(who.groups.iter().map(|group| text(group)).collect()),
                    ),
                ),
            ]),
        ),
    ]);
    vec![
        ("object", attempt.object.cloned().unwrap_or_default()),
        ("oldObject", attempt.old.cloned().unwrap_or_default()),
        ("request", request),
        ("namespaceObject", namespace(attempt.namespace, turn)),
        ("variables", Value::map()),
    ]
}

fn groups(user: &str) -> Value {
    let groups = match user.strip_prefix("system:serviceaccount:") {
        None => ADMINISTRATOR_GROUPS.map(Value::from).to_vec(),
        Some(rest) => {
            let namespace = rest.split(':').next().unwrap_or("");
            vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}").into(),
                "system:authenticated".into(),
            ]
        }
    };
    Value::list(groups)
}

fn namespace(name: &str, turn: &Turn<'_, '_>) -> Value {
    let key = DocumentKey {
        resource: "namespaces".into(),
        namespace: "".into(),
        name: name.into(),
    };
    let found = turn.store.documents().get(&key);
    found.map_or(Value::Null, |document| document.value.clone())
}

/// Whether rules and selectors of `matchConstraints` or `matchResources` take a request in.
pub(super) fn concerns(constraints: &Value, attempt: &Attempt<'_>, turn: &Turn<'_, '_>) -> bool {
    let rules = list(constraints, &["resourceRules"]);
    if !rules.is_empty() && !rules.iter().any(|rule| names_it(rule, attempt))
        || list(constraints, &["excludeResourceRules"])
            .iter()
            .any(|rule| names_it(rule, attempt))
    {
        return false;
    }
    let labels = |object: &Value| {
        object
            .path(&["metadata", "labels"])
            .cloned()
            .unwrap_or_default()
    };
    let objects = [attempt.object, attempt.old];
    let object_fits = constraints.get("objectSelector").is_none_or(|selector| {
        objects
            .into_iter()
            .flatten()
            .any(|object| selects(selector, &labels(object)))
    });
    object_fits
        && constraints.get("namespaceSelector").is_none_or(|selector| {
            // A namespace is told by its own labels.
            let own = objects.into_iter().flatten().next();
            let namespace = match own.filter(|_| attempt.kind.kind == "Namespace") {
                Some(own) => own.clone(),
                None if attempt.namespace.is_empty() => return true,
                None => namespace(attempt.namespace, turn),
            };
            selects(selector, &labels(&namespace))
        })
}

pub(super) fn names_it(rule: &Value, attempt: &Attempt<'_>) -> bool {
    let has = |key: &str, wanted: &[&str]| {
        list(rule, &[key])
            .iter()
            .filter_map(Value::as_str)
            .any(|one| one == "*" || wanted.contains(&one))
    };
    let version = attempt.kind.api_version.rsplit('/').next().unwrap_or("");
    let own_names = list(rule, &["resourceNames"]);
    let in_scope = match rule.str_at(&["scope"]) {
        Some("Cluster") => !attempt.kind.namespaced,
        Some("Namespaced") => attempt.kind.namespaced,
        _ => true,
    };
    in_scope
        && has("apiGroups", &[attempt.kind.group()])
        && has("apiVersions", &[version])
        && has("operations", &[attempt.operation])
        && has("resources", &[attempt.kind.plural, "*/*"])
        && (own_names.is_empty() || own_names.contains(&attempt.name.into()))
}

/// Whether a label selector, as it is written, takes labels in.
fn selects(selector: &Value, labels: &Value) -> bool {
    let pairs = selector.get("matchLabels").and_then(Value::as_map);
    let equal = pairs.is_none_or(|pairs| {
        pairs
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
    });
    equal
        && list(selector, &["matchExpressions"]).iter().all(|one| {
            let value = one.str_at(&["key"]).and_then(|key| labels.get(key));
            let listed = value.is_some_and(|value| list(one, &["values"]).contains(value));
            match one.str_at(&["operator"]) {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => value.is_some(),
                _ => value.is_none(),
            }
        })
}
