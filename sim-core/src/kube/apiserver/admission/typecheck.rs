//! What the types of a policy's expressions are, by the schemas of what it matches: its status says which
//! cannot be right. Nothing is refused for it.
//! Sources: `staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go`,
//! `pkg/controller/validatingadmissionpolicystatus/controller.go`.

use crate::base::arrange::Arrange;
use crate::kube::kinds::{ALSO, KINDS, Kind};
use crate::kube::store::Store;
use crate::manifest::schema::table::{Shape, TypeId, kubernetes};
use crate::manifest::value::Value;
use crate::object::cel::{Fault, Program, Ty};

use super::policy::{list, variables_of};

/// Kinds that are looked at. Source: as above (`maxTypesToCheck`).
const KINDS_MAX: usize = 10;

/// A policy's status as it is read: the controller looks at each generation once, within milliseconds.
pub fn status(policy: &Value, generation: i64, store: &Store) -> Value {
    let mut status = policy.get("status").cloned().unwrap_or_default();
    if status.i64_at(&["observedGeneration"]).unwrap_or(0) >= generation {
        return status;
    }
    let warnings = warnings(policy, store);
    let mut checked = Value::map();
    if !warnings.is_empty() {
        checked.set("expressionWarnings", Value::list(warnings));
    }
    status.set("observedGeneration", generation.into());
    status.set("typeChecking", checked);
    status
}

fn warnings(policy: &Value, store: &Store) -> Vec<Value> {
    let kinds: Vec<(&Kind, Ty)> = matched(policy, store)
        .into_iter()
        .filter_map(|kind| Some((kind, of_kind(kind, store)?)))
        .collect();
    let mut warnings = Vec::new();
    for (index, one) in list(policy, &["spec", "validations"]).iter().enumerate() {
        for key in ["expression", "messageExpression"] {
            let Some(text) = one.str_at(&[key]).filter(|text| !text.is_empty()) else {
                continue;
            };
            let mut found = Vec::new();
            for (kind, ty) in &kinds {
                if let Some(issue) = issue(policy, text, ty) {
                    let version = kind.api_version.rsplit('/').next().unwrap_or("");
                    let (group, kind) = (kind.group(), kind.kind);
                    found.push(format!("{group}/{version}, Kind={kind}: {issue}\n"));
                }
            }
            if !found.is_empty() {
                let field = format!("spec.validations[{index}].{key}");
                warnings.push(Value::object([
                    ("fieldRef", Value::from(field)),
                    ("warning", found.join("\n").into()),
                ]));
            }
        }
    }
    warnings
}

/// What is wrong with an expression, if the object is of this type. What is not modelled is not wrong.
fn issue(policy: &Value, text: &str, object: &Ty) -> Option<String> {
    let mut fields = Vec::new();
    let names = |fields: &[_]| {
        [
            ("object", object.clone()),
            ("oldObject", object.clone()),
            ("request", Ty::Any),
            ("namespaceObject", Ty::Any),
            ("params", Ty::Any),
            ("authorizer", Ty::Any),
            ("variables", Ty::Object(fields.into())),
        ]
    };
    for (name, text) in variables_of(policy) {
        let gives = Program::new(text, &names(&fields)).map_or(Ty::Any, |made| made.gives);
        fields.push((name.into(), gives));
    }
    match Program::new(text, &names(&fields)) {
        Err(fault @ Fault::Wrong(..)) => {
            let message = fault.message(text).to_string();
            Some(
                message
                    .trim_start_matches("compilation failed: ")
                    .to_owned(),
            )
        }
        Err(Fault::NotModelled(_)) | Ok(_) => None,
    }
}

/// The kinds that rules name without a wildcard, by group, version and kind.
fn matched(policy: &Value, store: &Store) -> Vec<&'static Kind> {
    let mut found: Vec<&'static Kind> = Vec::new();
    for rule in list(policy, &["spec", "matchConstraints", "resourceRules"]) {
        let texts = |key: &str| {
            let texts = list(rule, &[key]).iter().filter_map(Value::as_str);
            texts.collect::<Vec<&str>>()
        };
        let (groups, versions) = (texts("apiGroups"), texts("apiVersions"));
        let resources = texts("resources");
        let own = KINDS.iter().chain(ALSO).chain(store.definitions().served());
        found.extend(own.filter(|kind| {
            let version = kind.api_version.rsplit('/').next().unwrap_or("");
            !groups.contains(&"*")
                && !versions.contains(&"*")
                && groups.contains(&kind.group())
                && versions.contains(&version)
                && resources.contains(&kind.plural)
        }));
    }
    found.arrange_by_key(|kind| (kind.group(), kind.api_version, kind.kind));
    found.dedup();
    found.truncate(KINDS_MAX);
    found
}

fn of_kind(kind: &Kind, store: &Store) -> Option<Ty> {
    if let Some((_, version)) = store.definitions().of_kind(kind) {
        return Some(Ty::of(&version.schema, true));
    }
    let root = kubernetes().kind(kind.api_version, kind.kind)?.root?;
    Some(of_shape(&Shape::Type(root), &mut Vec::new()))
}

/// The type of a shape; a structure in itself may be anything.
fn of_shape(shape: &Shape, above: &mut Vec<TypeId>) -> Ty {
    match shape {
        Shape::Bool => Ty::Bool,
        Shape::Int32 | Shape::Int64 => Ty::Int,
        Shape::Number => Ty::Double,
        Shape::String | Shape::Enum(_) | Shape::Duration => Ty::Text,
        Shape::Time => Ty::Foreign("timestamp"),
        Shape::Bytes => Ty::Foreign("bytes"),
        Shape::List(items) => Ty::List(Box::new(of_shape(items, above))),
        Shape::Map { values, .. } => Ty::Map(Box::new(of_shape(values, above))),
        Shape::Type(id) if !above.contains(id) => {
            let structure = kubernetes().get(*id);
            if structure.is_open {
                return Ty::Any;
            }
            above.push(*id);
            let fields = structure.fields.iter();
            let fields = fields.map(|field| ((*field.name).into(), of_shape(&field.shape, above)));
            let fields = fields.collect();
            above.pop();
            Ty::Object(fields)
        }
        // Quantities, numbers or texts, and what the tables do not say.
        _ => Ty::Any,
    }
}
