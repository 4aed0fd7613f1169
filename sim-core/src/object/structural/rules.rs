//! `x-kubernetes-validations`: rules in CEL on nodes of a schema.
//! Sources: `…/apiserver/schema/cel/{compilation,validation}.go`,
//! `…/apis/apiextensions/validation/validation.go`.

use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::manifest::schema::table::ListType;
use crate::manifest::value::Value;
use crate::object::cel::eval::SPENT;
use crate::object::cel::{COST_MAX, Program, Ty};
use crate::object::print::{KeyOrder, json};

use super::prune::join;
use super::{Additional, Fault, Structural, Type, fault};

/// Steps of all rules of one object. Source: `RuntimeCELCostBudget` in `apis/cel/config.go`.
const BUDGET: u32 = 10_000_000;

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    program: Program,
    message: Option<Arc<str>>,
    message_program: Option<Program>,
    reason: Reason,
    field: String,
    /// Whether it compares with the object before.
    transition: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Invalid,
    Forbidden,
    Required,
    Duplicate,
}

/// Reads the rules of a node, whose other parts are read already.
pub fn parse(
    schema: &Value,
    path: &str,
    node: &Structural,
    root: bool,
    faults: &mut Vec<Fault>,
) -> Vec<Rule> {
    let list = schema
        .get("x-kubernetes-validations")
        .and_then(Value::as_list);
    let ty = match list {
        Some(_) => Ty::of(node, root),
        None => return Vec::new(),
    };
    let mut rules = Vec::new();
    for (index, rule) in list.unwrap_or(&[]).iter().enumerate() {
        let at = format!("{path}.x-kubernetes-validations[{index}]");
        rules.extend(one(rule, &at, &ty, faults));
    }
    rules
}

fn one(rule: &Value, at: &str, ty: &Ty, faults: &mut Vec<Fault>) -> Option<Rule> {
    let text = rule.str_at(&["rule"]).unwrap_or("");
    let quoted = |text: &str| format!("{text:?}");
    if text.trim().is_empty() {
        faults.push(fault(
            format!("{at}.rule"),
            "Required value: rule is not specified",
        ));
        return None;
    }
    let message = rule.str_at(&["message"]).map(str::trim);
    if message == Some("") {
        let why = "Invalid value: \"\": message must be non-empty if specified";
        faults.push(fault(format!("{at}.message"), why));
    } else if message.is_some_and(|message| message.contains('\n')) {
        let why = "message must not contain line breaks";
        let value = quoted(message.unwrap_or(""));
        faults.push(fault(
            format!("{at}.message"),
            format!("Invalid value: {value}: {why}"),
        ));
    } else if message.is_none() && text.contains('\n') {
        let why = "Required value: message must be specified if rule contains line breaks";
        faults.push(fault(format!("{at}.message"), why));
    }
    let reason = match rule.str_at(&["reason"]) {
        None | Some("FieldValueInvalid") => Reason::Invalid,
        Some("FieldValueForbidden") => Reason::Forbidden,
        Some("FieldValueRequired") => Reason::Required,
        Some("FieldValueDuplicate") => Reason::Duplicate,
        Some(other) => {
            let why = format!(
                "Unsupported value: {}: supported values: \"FieldValueDuplicate\", \"FieldValueForbidden\", \"FieldValueInvalid\", \"FieldValueRequired\"",
                quoted(other)
            );
            faults.push(fault(format!("{at}.reason"), why));
            Reason::Invalid
        }
    };
    if rule.get("optionalOldSelf").and_then(Value::as_bool) == Some(true) {
        let why = catalogue::UNMODELLED_CEL.with(&[("name", &"optional")]);
        let why = Passage::from("Invalid value: true: ").then(why);
        faults.push(fault(format!("{at}.optionalOldSelf"), why));
        return None;
    }
    let variables = [("self", ty.clone()), ("oldSelf", ty.clone())];
    let mut compile = |text: &str, key: &str, wanted: &Ty, otherwise: &str| {
        let why = match Program::new(text, &variables) {
            Ok(program) if program.gives == *wanted || program.gives == Ty::Any => {
                return Some(program);
            }
            Ok(_) => otherwise.into(),
            Err(why) => why.message(text),
        };
        let at = format!("{at}.{key}");
        let before = Passage::from(format!("Invalid value: {}: ", quoted(text)));
        faults.push(fault(at, before.then(why)));
        None
    };
    let program = compile(
        text,
        "rule",
        &Ty::Bool,
        "cel expression must evaluate to a bool",
    );
    let message_program = rule.str_at(&["messageExpression"]).and_then(|text| {
        compile(
            text,
            "messageExpression",
            &Ty::Text,
            "messageExpression must evaluate to a string",
        )
    });
    let program = program?;
    Some(Rule {
        transition: program.names("oldSelf"),
        program,
        message: message.map(Arc::from),
        message_program,
        reason,
        field: rule.str_at(&["fieldPath"]).unwrap_or("").to_owned(),
    })
}

/// Rules that compare with the object before stand where the server can tell what was there before.
pub fn correlatable(schema: &Structural, path: &str, lost: Option<&str>, faults: &mut Vec<Fault>) {
    for (index, rule) in schema.rules.iter().enumerate() {
        if let Some(lost) = lost.filter(|_| rule.transition) {
            let text = &rule.program.text;
            faults.push(fault(
                format!("{path}.x-kubernetes-validations[{index}].rule"),
                format!("Invalid value: {text:?}: oldSelf cannot be used on the uncorrelatable portion of the schema within {lost}"),
            ));
        }
    }
    let own = match schema.kind {
        Type::Array => schema.list_type != ListType::Map,
        Type::Object => schema.atomic_map,
        _ => false,
    };
    let lost = lost.or(own.then_some(path));
    for (name, inner) in &schema.properties {
        correlatable(inner, &format!("{path}.properties[{name}]"), lost, faults);
    }
    if let Some(inner) = &schema.items {
        correlatable(inner, &format!("{path}.items"), lost, faults);
    }
    if let Some(Additional::Of(inner)) = &schema.additional {
        correlatable(inner, &format!("{path}.additionalProperties"), lost, faults);
    }
}

/// Whether some rule stands here or below.
pub fn any(schema: &Structural) -> bool {
    !schema.rules.is_empty()
        || schema.properties.values().any(any)
        || schema.items.as_deref().is_some_and(any)
        || matches!(&schema.additional, Some(Additional::Of(inner)) if any(inner))
}

/// What the rules say of an object; `old` is the object that it replaces.
pub fn judge(value: &Value, old: Option<&Value>, schema: &Structural) -> Vec<Fault> {
    let mut judge = Judge {
        left: BUDGET,
        faults: Vec::new(),
    };
    judge.node(value, old, schema, "", true);
    judge.faults
}

/// Added when the rules were not asked because the schema's own checks failed.
pub fn not_asked() -> Fault {
    fault(
        "<nil>",
        "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
    )
}

struct Judge {
    left: u32,
    faults: Vec<Fault>,
}

impl Judge {
    fn node(
        &mut self,
        value: &Value,
        old: Option<&Value>,
        schema: &Structural,
        path: &str,
        root: bool,
    ) {
        if value.is_null() {
            return;
        }
        let whole = root || schema.embedded;
        if !schema.rules.is_empty() {
            let seen = |value: &Value| if whole { visible(value) } else { value.clone() };
            let (now, before) = (seen(value), old.map(seen));
            for rule in &schema.rules {
                self.rule(rule, &now, before.as_ref(), path);
            }
        }
        match value {
            Value::Map(map) => {
                for (name, inner) in map.sorted() {
                    if whole && matches!(&**name, "apiVersion" | "kind" | "metadata") {
                        continue;
                    }
                    let Some(property) = schema.field(name) else {
                        continue;
                    };
                    let at = if schema.properties.contains_key(name) {
                        join(path, name)
                    } else {
                        format!("{path}[{name}]")
                    };
                    let before = old
                        .filter(|_| !schema.atomic_map)
                        .and_then(|old| old.get(name));
                    self.node(inner, before, property, &at, false);
                }
            }
            Value::List(items) => {
                let Some(inner) = &schema.items else { return };
                for (index, item) in items.iter().enumerate() {
                    let before = old.and_then(|old| same_item(item, old, schema));
                    self.node(item, before, inner, &format!("{path}[{index}]"), false);
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn rule(&mut self, rule: &Rule, value: &Value, old: Option<&Value>, path: &str) {
        // What did not change may stay as wrong as it was, unless it is compared with what was.
        if rule.transition && old.is_none() || !rule.transition && old == Some(value) {
            return;
        }
        let mut variables = vec![("self", value.clone())];
        variables.extend(old.map(|old| ("oldSelf", old.clone())));
        let mut cost = COST_MAX.min(self.left);
        let before = cost;
        let result = rule.program.eval(&variables, &mut cost);
        self.left -= before - cost;
        let text = rule.message.as_deref().unwrap_or(rule.program.text.trim());
        let detail = match result {
            Ok(Value::Bool(true)) => return,
            Ok(_) => {
                let made = rule.message_program.as_ref().and_then(|program| {
                    let made = program
                        .eval(&variables, &mut COST_MAX.min(self.left))
                        .ok()?;
                    let text = made.as_str()?.trim().to_owned();
                    (!text.is_empty() && !text.contains('\n')).then_some(text)
                });
                made.unwrap_or_else(|| match &rule.message {
                    Some(message) => message.to_string(),
                    None => format!("failed rule: {text}"),
                })
            }
            Err(why) if why == SPENT => format!(
                "'{why}': no further validation rules will be run due to call cost exceeds limit for rule: {text}"
            ),
            Err(why) if why == "no such overload" => format!(
                "'{why}': call arguments did not match a supported operator, function or macro signature for rule: {text}"
            ),
            Err(why) => format!("{why} evaluating rule: {text}"),
        };
        let field = format!("{path}{}", rule.field);
        let field = match field.trim_start_matches('.') {
            "" => "<nil>",
            field => field,
        };
        let shown = match value {
            Value::Map(_) | Value::List(_) => String::new(),
            Value::String(text) => format!("{text:?}: "),
            scalar => format!("{}: ", json(scalar, KeyOrder::Sorted)),
        };
        self.faults.push(fault(
            field,
            match rule.reason {
                Reason::Invalid => format!("Invalid value: {shown}{detail}"),
                Reason::Forbidden => format!("Forbidden: {detail}"),
                Reason::Required => format!("Required value: {detail}"),
                Reason::Duplicate => {
                    format!("Duplicate value: {}", json(value, KeyOrder::Sorted))
                }
            },
        ));
    }
}

/// Of an object with a kind, rules see its name but no other metadata.
fn visible(value: &Value) -> Value {
    let mut seen = value.clone();
    let meta = value.get("metadata").cloned().unwrap_or_default();
    let kept = ["name", "generateName"]
        .into_iter()
        .filter_map(|key| Some((key, meta.get(key)?.clone())));
    if value.as_map().is_some() {
        seen.set("metadata", Value::object(kept));
    }
    seen
}

/// The item of the old list that has the same keys.
fn same_item<'v>(item: &Value, old: &'v Value, schema: &Structural) -> Option<&'v Value> {
    if schema.list_type != ListType::Map {
        return None;
    }
    old.as_list()?.iter().find(|before| {
        schema
            .list_keys
            .iter()
            .all(|key| before.get(key) == item.get(key))
    })
}
