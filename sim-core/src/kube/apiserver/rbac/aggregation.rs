//! ClusterRoles whose rules are those of others that their selectors find.
//! Source: `pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go`.

use crate::base::arrange::Arrange;
use crate::kube::event::{Event, Key};
use crate::kube::kinds::of_word;
use crate::kube::rows::read as fields;
use crate::kube::selector::Labels;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// The rules that an aggregated role has by what others say, each once; roles by name.
pub fn rules(role: &Value, all: &[Value]) -> Vec<Value> {
    let name = |one: &Value| fields::text(one, &["metadata", "name"]).to_owned();
    let mut rules: Vec<Value> = Vec::new();
    for selector in fields::list(role, &["aggregationRule", "clusterRoleSelectors"]) {
        let selector = fields::selector(selector);
        let found = all.iter().filter(|one| name(one) != name(role));
        let mut found: Vec<&Value> = found.filter(|one| selector.matches(&labels(one))).collect();
        found.arrange_by_key(|one| name(one));
        for rule in found.iter().flat_map(|one| fields::list(one, &["rules"])) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    rules
}

fn labels(object: &Value) -> Labels {
    let map = fields::text_map(object.path(&["metadata", "labels"]));
    map.into_iter().collect()
}

/// Puts every aggregated role right; what follows from that, at the next look.
pub fn sync(turn: &mut Turn<'_, '_>) {
    let Some(kind) = of_word("clusterroles") else {
        return;
    };
    let resource = kind.resource();
    let documents = turn.store.documents().of(&resource);
    let (keys, all): (Vec<_>, Vec<Value>) = documents
        .map(|(key, document)| (key.clone(), document.value.clone()))
        .unzip();
    let mut changed = false;
    for (key, role) in keys.iter().zip(&all) {
        if role.get("aggregationRule").is_none() {
            continue;
        }
        let wanted = rules(role, &all);
        if fields::list(role, &["rules"]) != wanted {
            changed = true;
            turn.store
                .change_document(key, |role| role.set("rules", Value::list(wanted)));
        }
    }
    if changed {
        look(turn);
    }
}

/// A ClusterRole was written: aggregated ones are looked at.
pub fn look(turn: &mut Turn<'_, '_>) {
    turn.after(turn.store.watch_lag(), Event::Sync(Key::ClusterRoles));
}
