//! Which pods a Job makes: plain ones, or one for each index that lacks one, the lowest first.
//! Source: `pkg/controller/job/indexed_job_utils.go`.

use std::sync::Arc;

use crate::base::name::Name;
use crate::kube::apiserver::workload::keep_template;
use crate::kube::controllers::hands::{PodPlan, suffix};
use crate::kube::rows::read;
use crate::kube::template::{PodTemplate, TemplateId};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::{INDEX, Pass, active_indexes, backoff, look_again};

/// Indexes that are looked at for one pass: bounds the work on a Job of very many.
const LOOKED_AT: i64 = 1_000_000;

pub(super) fn plans(pass: &Pass, count: i64, turn: &mut Turn<'_, '_>) -> Vec<PodPlan> {
    let first = turn.store.replica_set(pass.id).map_or(0, |row| row.ordinal);
    let indexes: Vec<Option<i64>> = if pass.part.indexed {
        free(pass, count, turn).into_iter().map(Some).collect()
    } else {
        (0..count).map(|_| None).collect()
    };
    let mut plans = Vec::new();
    for (offset, index) in indexes.into_iter().enumerate() {
        let ordinal = first.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        let (prefix, template) = match index {
            None => (pass.row.name, Some(pass.row.template)),
            Some(index) => {
                let text = format!("{}-{index}", turn.ctx.symbols.text(pass.row.name));
                let prefix = turn.ctx.symbols.intern(&text);
                (prefix, of_index(pass, index, &text, turn))
            }
        };
        let Some(template) = template else { continue };
        let name = Name {
            prefix,
            suffix: suffix(pass.id, ordinal, turn),
        };
        plans.push(PodPlan { name, template });
    }
    plans
}

/// The lowest indexes that have neither an active pod nor an end, and whose back-off is over.
fn free(pass: &Pass, count: i64, turn: &mut Turn<'_, '_>) -> Vec<i64> {
    let active = active_indexes(pass, turn);
    let part = &pass.part;
    let held = |index: i64| {
        turn.store.pods_of(pass.id).any(|(_, row)| {
            row.is_terminating()
                && !row.phase.is_terminal()
                && super::index_of(row, turn) == Some(index)
        })
    };
    let waits_for_end =
        (part.replace_failed_only || part.failure_rules.is_some()) && pass.terminating > 0;
    let mut found = Vec::new();
    let mut later = None;
    for index in 0..part.completions.unwrap_or(0).min(LOOKED_AT) {
        if i64::try_from(found.len()).unwrap_or(i64::MAX) >= count {
            break;
        }
        if active.contains_key(&index)
            || part.done.contains(&index)
            || part.lost.contains(&index)
            || (waits_for_end && held(index))
        {
            continue;
        }
        if part.per_index.is_some()
            && let Some((counted, ignored, last)) = part.index_failures.get(&index)
        {
            let failures = u64::try_from(counted + ignored).unwrap_or(0);
            if let Some(until) = backoff::after(failures, *last).filter(|at| *at > turn.now()) {
                later = Some(later.map_or(until, |old| if until < old { until } else { old }));
                continue;
            }
        }
        found.push(index);
    }
    if let Some(at) = later {
        look_again(pass.id, at, turn);
    }
    found
}

/// The template of one index: label, annotations, host name, environment.
fn of_index(pass: &Pass, index: i64, host: &str, turn: &mut Turn<'_, '_>) -> Option<TemplateId> {
    let mut document = Value::clone(&turn.store.template(pass.row.template).document);
    let text = index.to_string();
    document.set_path(&["metadata", "labels", INDEX], text.as_str().into());
    document.set_path(&["metadata", "annotations", INDEX], text.as_str().into());
    if pass.part.per_index.is_some() {
        let (counted, ignored, _) = pass
            .part
            .index_failures
            .get(&index)
            .copied()
            .unwrap_or_default();
        for (key, number) in [
            ("batch.kubernetes.io/job-index-failure-count", counted),
            (
                "batch.kubernetes.io/job-index-ignored-failure-count",
                ignored,
            ),
        ] {
            if number > 0 || key.ends_with("index-failure-count") {
                document.set_path(&["metadata", "annotations", key], number.to_string().into());
            }
        }
    }
    if read::text(&document, &["spec", "hostname"]).is_empty() {
        document.set_path(&["spec", "hostname"], host.into());
    }
    for list in ["containers", "initContainers"] {
        let containers = document
            .path_mut(&["spec", list])
            .and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            add_variable(container);
        }
    }
    let namespace = turn.ctx.symbols.text(pass.row.namespace).to_owned();
    let kept = keep_template(&document, &namespace, turn)?;
    // The variable's value is known here; reading it from the pod's labels comes to the same.
    let mut template = PodTemplate::clone(turn.store.template(kept));
    let mut spec = (*template.spec).clone();
    for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
        container.env.retain(|(name, _)| &**name != VARIABLE);
        container.env.push((VARIABLE.into(), text.as_str().into()));
    }
    template.spec = Arc::new(spec);
    Some(turn.store.replace_template(kept, template))
}

const VARIABLE: &str = "JOB_COMPLETION_INDEX";

fn add_variable(container: &mut Value) {
    let known = read::list(container, &["env"])
        .iter()
        .any(|variable| variable.str_at(&["name"]) == Some(VARIABLE));
    if known {
        return;
    }
    let mut list = read::list(container, &["env"]).to_vec();
    let field = Value::object([
        ("apiVersion", Value::from("v1")),
        ("fieldPath", format!("metadata.labels['{INDEX}']").into()),
    ]);
    list.push(Value::object([
        ("name", Value::from(VARIABLE)),
        ("valueFrom", Value::object([("fieldRef", field)])),
    ]));
    container.set("env", Value::list(list));
}
