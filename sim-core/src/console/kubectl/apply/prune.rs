//! `kubectl apply --prune`: what was applied before and is not applied any more goes.
//! Sources: `k8s.io/kubectl/pkg/cmd/apply/prune.go`, `k8s.io/kubectl/pkg/util/prune`.

use crate::base::sorted::SortedSet;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, name_of, selectors, title};
use crate::kube::apiserver::{Propagation, Request};
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::last_applied;

/// Resources that are looked through without `--prune-allowlist`: namespaced ones, then the others.
const DEFAULT: [&str; 16] = [
    "configmaps",
    "endpoints",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "secrets",
    "services",
    "jobs.batch",
    "cronjobs.batch",
    "ingresses.networking.k8s.io",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "namespaces",
    "persistentvolumes",
];

/// What was applied before, in the namespaces of `applied`, and is not among it.
///
/// # Errors
/// Unknown resources in `--prune-allowlist`.
pub fn left_over(
    call: &Call<'_>,
    applied: &[(&'static Kind, Value)],
) -> Result<Vec<(&'static Kind, Value)>, Problem> {
    let uid = |object: &Value| object.str_at(&["metadata", "uid"]).unwrap_or("").to_owned();
    let kept: SortedSet<String> = applied.iter().map(|(_, object)| uid(object)).collect();
    let namespaces: SortedSet<String> = applied
        .iter()
        .filter_map(|(_, object)| object.str_at(&["metadata", "namespace"]))
        .map(str::to_owned)
        .collect();
    let kinds = kinds(call)?;
    let selector = call.selector()?;
    let mut gone = Vec::new();
    for kind in kinds {
        let places: Vec<Option<&str>> = if kind.namespaced {
            namespaces.iter().map(|one| Some(one.as_str())).collect()
        } else {
            vec![None]
        };
        for place in places {
            for object in call.listing(kind, place)? {
                let wanted = selector
                    .as_ref()
                    .is_none_or(|selector| selectors::selected(selector, &object));
                if wanted && last_applied::of(&object).is_some() && !kept.contains(&uid(&object)) {
                    gone.push((kind, object));
                }
            }
        }
    }
    Ok(gone)
}

/// Deletes what is to be pruned, after `applied`.
///
/// # Errors
/// Unknown resources in `--prune-allowlist`; refusals are added to `problems`.
pub fn prune(
    call: &mut Call<'_>,
    applied: &[(&'static Kind, Value)],
    problems: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let gone = left_over(call, applied)?;
    let propagation = match call.arguments.flag("cascade") {
        Some("foreground") => Propagation::Foreground,
        Some("orphan" | "false") => Propagation::Orphan,
        _ => Propagation::Background,
    };
    for (kind, object) in gone {
        if !call.dry_client() {
            let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
            let request = Request::Delete {
                kind: kind.request_name().into(),
                namespace: namespace.into(),
                name: name_of(&object).into(),
                propagation: Some(propagation),
                grace_seconds: None,
            };
            if let Err(problem) = call.ask(request) {
                problems.push(problem);
                continue;
            }
        }
        let line = format!("{} pruned{}", title(kind, name_of(&object)), call.suffix());
        call.say(&line);
    }
    Ok(())
}

fn kinds(call: &Call<'_>) -> Result<Vec<&'static Kind>, Problem> {
    let named = call.arguments.all("prune-allowlist");
    if named.is_empty() {
        return DEFAULT.iter().map(|word| call.kind_of(word)).collect();
    }
    named
        .iter()
        .map(|text| {
            // `core/v1/Pod`, `apps/v1/Deployment`.
            let parts: Vec<&str> = text.split('/').collect();
            let [group, version, kind] = parts.as_slice() else {
                return Err(Problem::error(format!(
                    "invalid GroupVersionKind format: {text}, please follow <group/version/kind>"
                )));
            };
            let api_version = if *group == "core" || group.is_empty() {
                (*version).to_owned()
            } else {
                format!("{group}/{version}")
            };
            let found = call.view()?.store.kind_of_object(&api_version, kind);
            found.ok_or_else(|| {
                Problem::error(format!(
                    "no matches for kind \"{kind}\" in version \"{api_version}\""
                ))
            })
        })
        .collect()
}
