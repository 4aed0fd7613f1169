//! What becomes of fields that several managers want.
//! Source: `sigs.k8s.io/structured-merge-diff/merge/update.go`.

use crate::base::arrange::Arrange;
use crate::kube::store::managed::{Owner, Subresource};
use crate::manifest::value::Value;
use crate::object::fields::FieldSet;
use crate::object::print::{KeyOrder, json};
use crate::object::typed::Typed;
use crate::object::typed::compare::compare;
use crate::object::typed::field_set::{field_set_lax, with_named};
use crate::object::typed::remove::remove;

/// Where client-side applies keep what was applied.
const LAST_APPLIED: [&str; 3] = [
    "metadata",
    "annotations",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// Takes away what the manager applied last time, does not apply now, and nobody else owns.
pub(super) fn prune_unapplied(
    merged: Value,
    last: Option<FieldSet>,
    own: &Owner,
    others: &[Owner],
    typed: Typed<'_>,
) -> Value {
    let Some(last) = last.filter(|set| !set.is_empty()) else {
        return merged;
    };
    let last = with_named(&last, typed);
    let pruned = remove(&merged, &last, typed);
    let all = with_named(&field_set_lax(&merged, typed), typed);
    let left = |value: &Value| with_named(&field_set_lax(value, typed), typed);
    let owned = others
        .iter()
        .fold(own.fields.clone(), |set, owner| set.union(&owner.fields));
    let keep = left(&pruned).union(&with_named(&owned, typed));
    let pruned = remove(&merged, &all.difference(&keep), typed);
    // What goes with its parent goes only if the manager had it.
    let gone = all.difference(&left(&pruned)).intersection(&last);
    remove(&merged, &gone, typed)
}

/// While the annotation of a client-side apply is there, `kubectl` may take over what has the value
/// that the annotation remembers. Source: `lastappliedmanager.go`.
pub(super) fn not_last_applied(
    clashes: Vec<(Owner, FieldSet)>,
    live: &Value,
    typed: Typed<'_>,
) -> Vec<(Owner, FieldSet)> {
    let text = live.str_at(&LAST_APPLIED);
    let Some(applied) = text.and_then(|text| Value::parse_json(text).ok()) else {
        return clashes;
    };
    let found = compare(&applied, live, typed);
    let allowed = field_set_lax(&applied, typed)
        .difference(&found.modified)
        .difference(&found.added)
        .difference(&found.removed);
    clashes
        .into_iter()
        .map(|(owner, fields)| (owner, fields.difference(&allowed)))
        .filter(|(_, fields)| !fields.is_empty())
        .collect()
}

/// The text of a conflict, managers in order. Source: `…/internal/conflict.go`.
pub(super) fn conflict_text(clashes: &[(Owner, FieldSet)]) -> String {
    let mut named: Vec<(String, Vec<String>)> = clashes
        .iter()
        .map(|(owner, fields)| {
            let mut name = format!("{:?}", &*owner.manager);
            if owner.subresource != Subresource::Main {
                name.push_str(&format!(" with subresource {:?}", owner.subresource.text()));
            }
            if !owner.applies {
                name.push_str(&format!(" using {}", owner.api_version));
            }
            (name, fields.paths())
        })
        .collect();
    named.arrange();
    let count: usize = named.iter().map(|(_, paths)| paths.len()).sum();
    if let ([(name, paths)], 1) = (named.as_slice(), count) {
        return format!(
            "Apply failed with 1 conflict: conflict with {name}: {}",
            paths.join("")
        );
    }
    let mut lines = Vec::new();
    for (name, paths) in &named {
        lines.push(format!("conflicts with {name}:"));
        lines.extend(paths.iter().map(|path| format!("- {path}")));
    }
    format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
}

/// The annotation of client-side applies is kept true by kubectl's server-side ones, where it is there.
/// Source: `k8s.io/apimachinery/pkg/util/managedfields/internal/lastappliedupdater.go`.
pub(super) fn tell_applied(merged: &mut Value, config: &Value) {
    if merged.path(&LAST_APPLIED).is_none() {
        return;
    }
    let mut applied = config.clone();
    applied.remove_path(&LAST_APPLIED);
    let text = format!("{}\n", json(&applied, KeyOrder::Sorted));
    merged.set_path(&LAST_APPLIED, text.into());
}
