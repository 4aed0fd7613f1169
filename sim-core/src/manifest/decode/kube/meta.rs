//! `metadata`, label maps and selectors.

use std::sync::Arc;

use crate::api::meta::ObjectMeta;
use crate::api::selector::{LabelSelector, Operator, Requirement};
use crate::base::sorted::SortedMap;
use crate::manifest::decode::kube::fault;
use crate::manifest::decode::kube::name::{self, NameRule};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::explain;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;

/// An object's `metadata`, with its name checked.
pub fn object(field: &Field<'_>, scribe: &Scribe, rule: NameRule) -> ObjectMeta {
    let meta = field.get(scribe, "metadata");
    let name_field = meta.get(scribe, "name");
    let generate = meta.get(scribe, "generateName");
    let name = name_field.text_or_empty(scribe);
    let generate_name = generate.text_or_empty(scribe);
    if name.is_empty() && generate_name.is_empty() {
        if !name_field.exists() || name_field.node.is_some_and(|node| node.as_str().is_some()) {
            fault::required(scribe, &name_field, "name or generateName is required");
        }
    } else if !name.is_empty() {
        for detail in name::check(rule, &name) {
            fault::invalid(scribe, &name_field, format!("{name:?}"), &detail);
        }
    }
    let namespace_field = meta.get(scribe, "namespace");
    let namespace = namespace_field
        .text(scribe)
        .filter(|namespace| !namespace.is_empty());
    for detail in namespace
        .iter()
        .flat_map(|namespace| name::label(namespace))
    {
        fault::invalid(
            scribe,
            &namespace_field,
            format!("{:?}", namespace.as_deref().unwrap_or("")),
            &detail,
        );
    }
    let (labels, annotations) = (labels(&meta, scribe), annotations(&meta, scribe));
    owners(&meta.peek("ownerReferences"), scribe);
    let version = super::rules::text(&field.peek("apiVersion")).to_owned();
    finalizers(&meta.peek("finalizers"), &version, scribe);
    ObjectMeta {
        name,
        generate_name,
        namespace,
        labels,
        annotations,
    }
}

/// Groups whose validation knows nothing of the standard names: not `pkg/apis/core/validation`.
const GENERIC_GROUPS: [&str; 3] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "coordination.k8s.io",
];

/// Sources: `staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go` (`ValidateFinalizers`),
/// `pkg/apis/core/validation/validation.go` (`validateKubeFinalizerName`).
fn finalizers(field: &Field<'_>, version: &str, scribe: &Scribe) {
    const ORPHAN: &str = "orphan";
    const FOREGROUND: &str = "foregroundDeletion";
    let items = super::rules::items(field);
    let names: Vec<String> = items
        .iter()
        .map(|one| super::rules::text(one).to_owned())
        .collect();
    for (one, name) in items.iter().zip(&names) {
        let at = Field {
            path: field.path.clone(),
            ..one.clone()
        };
        for detail in name::qualified(name) {
            fault::invalid(scribe, &at, format!("{name:?}"), &detail);
        }
    }
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has(ORPHAN) && has(FOREGROUND) {
        let detail = format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set");
        fault::invalid(
            scribe,
            field,
            format!("{names:?}").replace(", ", ","),
            &detail,
        );
    }
    let group = version.split_once('/').map_or("", |(group, _)| group);
    if GENERIC_GROUPS.contains(&group) {
        return;
    }
    for (one, name) in items.iter().zip(&names) {
        let standard = ["kubernetes", ORPHAN, FOREGROUND].contains(&&**name);
        if !name.contains('/') && !standard {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            fault::invalid(scribe, one, format!("{name:?}"), detail);
        }
    }
}

/// Source: `staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go`
/// (`ValidateOwnerReferences`).
fn owners(field: &Field<'_>, scribe: &Scribe) {
    let mut controller: Option<String> = None;
    for one in super::rules::items(field) {
        for (key, what) in [
            ("apiVersion", "version"),
            ("kind", "kind"),
            ("name", "name"),
            ("uid", "uid"),
        ] {
            let part = one.peek(key);
            if super::rules::text(&part).is_empty() {
                let at = Field {
                    path: format!("{}.{key}", field.path),
                    ..part
                };
                let detail = format!("{what} must not be empty");
                fault::invalid(scribe, &at, "\"\"", &detail);
            }
        }
        let part = |key: &str| super::rules::text(&one.peek(key)).to_owned();
        if part("apiVersion") == "v1" && part("kind") == "Event" {
            let value = one.node.map_or_else(String::new, reference);
            let at = Field {
                path: field.path.clone(),
                ..one.clone()
            };
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            fault::invalid(scribe, &at, value, detail);
        }
        let is_controller = one.peek("controller").node.map(Node::to_value);
        if is_controller.and_then(|value| value.as_bool()) != Some(true) {
            continue;
        }
        let own = format!("{}/{}", part("kind"), part("name"));
        let Some(first) = &controller else {
            controller = Some(own);
            continue;
        };
        let all: Vec<String> = super::rules::items(field)
            .iter()
            .filter_map(|one| one.node.map(reference))
            .collect();
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {own}"
        );
        fault::invalid(scribe, field, format!("[{}]", all.join(",")), &detail);
    }
}

/// A reference as the server's JSON has it: fields in the order of the type.
fn reference(node: &Node) -> String {
    let value = node.to_value();
    let mut parts = Vec::new();
    for (key, always) in [
        ("apiVersion", true),
        ("kind", true),
        ("name", true),
        ("uid", true),
        ("controller", false),
        ("blockOwnerDeletion", false),
    ] {
        match value.get(key) {
            Some(Value::Bool(flag)) => parts.push(format!("{key:?}:{flag}")),
            Some(text) if always => {
                parts.push(format!("{key:?}:{:?}", text.as_str().unwrap_or("")))
            }
            None if always => parts.push(format!("{key:?}:\"\"")),
            Some(_) | None => {}
        }
    }
    format!("{{{}}}", parts.join(","))
}

/// `labels` below a `metadata`.
pub fn labels(meta: &Field<'_>, scribe: &Scribe) -> SortedMap<Arc<str>, Arc<str>> {
    label_map(&meta.get(scribe, "labels"), scribe)
}

/// A map whose keys and values are those of labels.
pub fn label_map(field: &Field<'_>, scribe: &Scribe) -> SortedMap<Arc<str>, Arc<str>> {
    let labels = text_map(field, scribe);
    for (key, inner) in field.entries(scribe) {
        // As upstream, the path is the map's; the text says which key or value it is.
        let at = Field {
            path: field.path.clone(),
            ..inner.clone()
        };
        for detail in name::qualified(&key.text) {
            fault::invalid(scribe, &at, format!("{:?}", &*key.text), &detail);
        }
        if let Some(value) = labels.get(&key.text) {
            for detail in name::label_value(value) {
                fault::invalid(scribe, &at, format!("{value:?}"), &detail);
            }
        }
    }
    labels
}

/// `annotations` below a `metadata`.
pub fn annotations(meta: &Field<'_>, scribe: &Scribe) -> SortedMap<Arc<str>, Arc<str>> {
    let field = meta.get(scribe, "annotations");
    let annotations = text_map(&field, scribe);
    for (key, inner) in field.entries(scribe) {
        let at = Field {
            path: field.path.clone(),
            ..inner
        };
        for detail in name::qualified(&key.text.to_lowercase()) {
            fault::invalid(scribe, &at, format!("{:?}", &*key.text), &detail);
        }
    }
    let bytes: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if bytes > 262_144 {
        scribe.error(
            explain::KUBERNETES_INVALID_VALUE,
            field.span,
            format!(
                "{}: Too long: may not be more than 262144 bytes",
                field.path
            ),
        );
    }
    annotations
}

/// A map of texts.
pub fn text_map(field: &Field<'_>, scribe: &Scribe) -> SortedMap<Arc<str>, Arc<str>> {
    let mut map = SortedMap::new();
    for (key, inner) in field.entries(scribe) {
        // A key without a value is an empty text, as the API's JSON decoding has it.
        if !inner.exists() {
            map.insert(key.text.clone(), "".into());
        } else if let Some(text) = inner.text(scribe) {
            map.insert(key.text.clone(), text);
        }
    }
    map
}

/// A label selector; nothing if absent.
pub fn selector(field: &Field<'_>, scribe: &Scribe) -> Option<LabelSelector> {
    field.node?;
    let match_labels = label_map(&field.get(scribe, "matchLabels"), scribe);
    let match_expressions =
        requirements(&field.get(scribe, "matchExpressions"), scribe, Of::Labels);
    Some(LabelSelector {
        match_labels,
        match_expressions,
    })
}

/// What requirements are about; those of nodes have the two comparisons of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Labels of pods and namespaces.
    Labels,
    /// Labels that a node must have.
    Node,
    /// Labels that a node better has: any value is taken.
    PreferredNode,
    /// Fields of a node.
    NodeFields,
}

/// A list of requirements.
/// Source: `pkg/apis/core/validation/validation.go` (`ValidateNodeSelectorRequirement`),
/// `staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go`.
pub fn requirements(field: &Field<'_>, scribe: &Scribe, of: Of) -> Vec<Requirement> {
    let words: &[(&str, Operator)] = &[
        ("In", Operator::In),
        ("NotIn", Operator::NotIn),
        ("Exists", Operator::Exists),
        ("DoesNotExist", Operator::DoesNotExist),
        ("Gt", Operator::GreaterThan),
        ("Lt", Operator::LessThan),
    ];
    let words = match of {
        Of::Node | Of::PreferredNode => words,
        Of::Labels => &words[..4],
        Of::NodeFields => &words[..2],
    };
    field
        .items(scribe)
        .into_iter()
        .filter_map(|item| {
            let requirement = requirement(&item, scribe, words, of);
            if of == Of::NodeFields {
                node_field(&item, scribe);
            } else {
                label_requirement(&item, scribe, of);
            }
            requirement
        })
        .collect()
}

/// The key and the values of a requirement of labels.
fn label_requirement(item: &Field<'_>, scribe: &Scribe, of: Of) {
    let key = item.get(scribe, "key");
    let text = key.text_or_empty(scribe);
    for detail in name::qualified(&text) {
        fault::invalid(scribe, &key, format!("{text:?}"), &detail);
    }
    if of == Of::PreferredNode {
        return;
    }
    for value in item.get(scribe, "values").items(scribe) {
        let text = value.text_or_empty(scribe);
        for detail in name::label_value(&text) {
            fault::invalid(scribe, &value, format!("{text:?}"), &detail);
        }
    }
}

/// The key and the values of a requirement of a node's fields, of which there is the name.
fn node_field(item: &Field<'_>, scribe: &Scribe) {
    let key = item.get(scribe, "key");
    let text = key.text_or_empty(scribe);
    if &*text != "metadata.name" {
        fault::invalid(
            scribe,
            &key,
            format!("{text:?}"),
            "not a valid field selector key",
        );
        return;
    }
    for value in item.get(scribe, "values").items(scribe) {
        let text = value.text_or_empty(scribe);
        for detail in name::subdomain(&text) {
            fault::invalid(scribe, &value, format!("{text:?}"), &detail);
        }
    }
}

fn requirement(
    item: &Field<'_>,
    scribe: &Scribe,
    words: &[(&str, Operator)],
    of: Of,
) -> Option<Requirement> {
    let key = item.get(scribe, "key").text_or_empty(scribe);
    let operator_field = item.get(scribe, "operator");
    let values_field = item.get(scribe, "values");
    let values = values_field.texts(scribe);
    let text = operator_field.text_or_empty(scribe);
    let Some((_, operator)) = words.iter().find(|(word, _)| **word == *text) else {
        fault::invalid(
            scribe,
            &operator_field,
            format!("{text:?}"),
            "not a valid selector operator",
        );
        return None;
    };
    match operator {
        Operator::In | Operator::NotIn if of == Of::NodeFields && values.len() != 1 => {
            fault::required(
                scribe,
                &values_field,
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            );
        }
        Operator::In | Operator::NotIn if of != Of::NodeFields && values.is_empty() => {
            fault::required(
                scribe,
                &values_field,
                "must be specified when `operator` is 'In' or 'NotIn'",
            );
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            fault::forbidden(
                scribe,
                &values_field,
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            );
        }
        Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
            fault::required(
                scribe,
                &values_field,
                "must be specified single value when `operator` is 'Lt' or 'Gt'",
            );
        }
        _ => {}
    }
    Some(Requirement {
        key,
        operator: *operator,
        values,
    })
}
