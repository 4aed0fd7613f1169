//! ClusterRoles whose rules are those of others that their selectors find.
//! Source: `pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go`.

use crate::base::arrange::Arrange;
use crate::kube::rows::read as fields;
use crate::kube::selector::Labels;
use crate::kube::store::document::{CLUSTER_ROLES, DocumentKey};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// The rules that an aggregated role has by what others say, each once; roles by name.
pub fn rules(role: &Value, all: &[&Value]) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    for selector in fields::list(role, &["aggregationRule", "clusterRoleSelectors"]) {
        let selector = fields::selector(selector);
        let others = all.iter().copied().filter(|one| name(one) != name(role));
        let mut found: Vec<&Value> = others
            .filter(|one| selector.matches(&labels(one)))
            .collect();
        found.arrange_by_key(|one| name(one));
        for rule in found.iter().flat_map(|one| fields::list(one, &["rules"])) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    rules
}

fn name(role: &Value) -> &str {
    fields::text(role, &["metadata", "name"])
}

fn labels(object: &Value) -> Labels {
    let map = fields::text_map(object.path(&["metadata", "labels"]));
    map.into_iter().collect()
}

/// Puts every aggregated role right; what follows from that, at the next look.
pub fn sync(turn: &mut Turn<'_, '_>) {
    let documents = turn.store.documents().of(CLUSTER_ROLES);
    let (keys, all): (Vec<&DocumentKey>, Vec<&Value>) = documents
        .map(|(key, document)| (key, &document.value))
        .unzip();
    let mut changed: Vec<(DocumentKey, Vec<Value>)> = Vec::new();
    for (key, role) in keys.into_iter().zip(&all) {
        if role.get("aggregationRule").is_none() {
            continue;
        }
        let wanted = rules(role, &all);
        if fields::list(role, &["rules"]) != wanted {
            changed.push((key.clone(), wanted));
        }
    }
    for (key, wanted) in changed {
        turn.store
            .change_document(&key, |role| role.set("rules", Value::list(wanted)));
    }
}
