//! NodeAffinity: `nodeSelector`, required terms, preferred terms.
//!
//! Sources: `staging/src/k8s.io/component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go`,
//! `pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go`.

use std::sync::Arc;

use crate::api::kube::affinity::{Affinity, NodeSelectorTerm};
use crate::api::kube::pod::PodSpec;
use crate::api::selector::{Operator, Requirement};
use crate::base::arrange::Arrange;
use crate::kube::selector::label;

/// Labels of a node, sorted by key.
type Labels = [(Arc<str>, Arc<str>)];

/// Whether a pod's `nodeSelector` and required node affinity allow a node.
pub fn allowed(spec: &PodSpec, name: &str, labels: &Labels) -> bool {
    let selected = spec
        .node_selector
        .iter()
        .all(|(key, value)| label(labels, key) == Some(value));
    let terms = spec.affinity.node_required.as_ref();
    selected && terms.is_none_or(|terms| terms.iter().any(|term| term_matches(term, name, labels)))
}

/// Whether the affinity that a profile adds allows a node.
pub fn allowed_by(added: &Affinity, name: &str, labels: &Labels) -> bool {
    let terms = added.node_required.as_ref();
    terms.is_none_or(|terms| terms.iter().any(|term| term_matches(term, name, labels)))
}

/// The nodes that a pod names one by one: every term has a name among its fields. `None`: it does
/// not name nodes; an empty list: the names of one term contradict each other.
/// Source: `pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go` (`PreFilter`).
pub fn named_nodes(spec: &PodSpec) -> Option<Vec<Arc<str>>> {
    let terms = spec.affinity.node_required.as_ref()?;
    let mut names: Vec<Arc<str>> = Vec::new();
    if terms.is_empty() {
        return None;
    }
    for term in terms {
        let mut common: Option<Vec<Arc<str>>> = None;
        for field in &term.match_fields {
            if &*field.key == "metadata.name" && field.operator == Operator::In {
                common = Some(match common {
                    None => field.values.clone(),
                    Some(known) => known
                        .into_iter()
                        .filter(|name| field.values.contains(name))
                        .collect(),
                });
            }
        }
        names.extend(common?);
    }
    names.arrange();
    names.dedup();
    Some(names)
}

/// Raw score: sum of the weights of the preferred terms that match.
pub fn preference(affinity: &Affinity, name: &str, labels: &Labels) -> i32 {
    let terms = affinity.node_preferred.iter();
    let weights = terms
        .filter(|term| term_matches(&term.preference, name, labels))
        .map(|term| i64::from(term.weight));
    i32::try_from(weights.sum::<i64>()).unwrap_or(i32::MAX)
}

/// A term without requirements matches nothing; a term that upstream cannot compile matches nothing.
pub fn term_matches(term: &NodeSelectorTerm, name: &str, labels: &Labels) -> bool {
    if term.match_expressions.is_empty() && term.match_fields.is_empty() {
        return false;
    }
    term.match_expressions.iter().all(|requirement| {
        let value = label(labels, &requirement.key).map(|value| &**value);
        requirement_holds(requirement, value)
    }) && term.match_fields.iter().all(|requirement| {
        &*requirement.key == "metadata.name"
            && matches!(requirement.operator, Operator::In | Operator::NotIn)
            && requirement.values.len() == 1
            && requirement_holds(requirement, Some(name))
    })
}

fn requirement_holds(requirement: &Requirement, value: Option<&str>) -> bool {
    let listed =
        || value.is_some_and(|value| requirement.values.iter().any(|other| &**other == value));
    let integers = || {
        let [bound] = requirement.values.as_slice() else {
            return None;
        };
        Some((value?.parse::<i64>().ok()?, bound.parse::<i64>().ok()?))
    };
    match requirement.operator {
        Operator::In => listed(),
        Operator::NotIn => !listed(),
        Operator::Exists => requirement.values.is_empty() && value.is_some(),
        Operator::DoesNotExist => requirement.values.is_empty() && value.is_none(),
        Operator::GreaterThan => integers().is_some_and(|(value, bound)| value > bound),
        Operator::LessThan => integers().is_some_and(|(value, bound)| value < bound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(operator: Operator, values: &[&str], value: Option<&str>) -> bool {
        let values = values.iter().map(|value| Arc::from(*value)).collect();
        requirement_holds(
            &Requirement {
                key: "k".into(),
                operator,
                values,
            },
            value,
        )
    }

    #[test]
    fn operators() {
        assert!(holds(Operator::In, &["a", "b"], Some("b")));
        assert!(!holds(Operator::In, &["a"], None));
        assert!(holds(Operator::NotIn, &["a"], None));
        assert!(holds(Operator::GreaterThan, &["4"], Some("5")));
        assert!(!holds(Operator::GreaterThan, &["4"], Some("five")));
        assert!(!holds(Operator::LessThan, &["4", "9"], Some("3")));
        assert!(holds(Operator::DoesNotExist, &[], None));
    }

    #[test]
    fn an_empty_term_matches_nothing() {
        assert!(!term_matches(&NodeSelectorTerm::default(), "n", &[]));
        let by_name = |name: &str| NodeSelectorTerm {
            match_expressions: Vec::new(),
            match_fields: vec![Requirement {
                key: "metadata.name".into(),
                operator: Operator::In,
                values: vec![name.into()],
            }],
        };
        assert!(term_matches(&by_name("n"), "n", &[]));
        assert!(!term_matches(&by_name("m"), "n", &[]));
    }
}
