//! `kubectl describe`. Source: `k8s.io/kubectl/pkg/describe/describe.go`.

pub mod autoscaler;
pub mod config;
pub mod generic;
pub mod network;
pub mod node;
pub mod pod;
pub mod storage;
pub mod workload;

use crate::base::arrange::Arrange;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::clock::{age, long};
use super::columns::{event_times, first_text, or_none, pairs, selector};
use super::pod_status::items;
use super::problem::Problem;
use super::{Call, kind_of, name_of, rollout};

/// Lines of tab-separated cells, aligned as upstream's writer does (padding 2) until a line without tabs.
#[derive(Debug, Default)]
pub struct Sheet(Vec<String>);

impl Sheet {
    /// Adds a line; cells are separated by tabs, indentation is two blanks a level.
    pub fn line(&mut self, level: usize, text: &str) {
        self.0.push(format!("{}{text}", "  ".repeat(level)));
    }

    /// Adds `name:` and a value of several lines, the further ones under the first.
    pub fn many(&mut self, level: usize, name: &str, values: &[String]) {
        for (index, value) in values.iter().enumerate() {
            self.line(
                if index == 0 { level } else { 0 },
                &if index == 0 {
                    format!("{name}:\t{value}")
                } else {
                    format!("\t{value}")
                },
            );
        }
        if values.is_empty() {
            self.line(level, &format!("{name}:\t<none>"));
        }
    }

    /// The text with its columns aligned: a column spans consecutive lines that have that cell.
    pub fn text(&self) -> String {
        let rows: Vec<Vec<&str>> = self
            .0
            .iter()
            .map(|line| line.split('\t').collect())
            .collect();
        let mut widths: Vec<Vec<usize>> = rows.iter().map(|row| vec![0; row.len()]).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        for column in 0..columns {
            let mut at = 0;
            while at < rows.len() {
                let mut end = at;
                // The last cell of a line belongs to no column.
                while end < rows.len() && rows[end].len() > column + 1 {
                    end += 1;
                }
                let width = rows[at..end]
                    .iter()
                    .map(|row| crate::console::table::width(row[column]))
                    .max()
                    .unwrap_or(0);
                for row in widths[at..end].iter_mut() {
                    row[column] = width + 2;
                }
                at = end.max(at + 1);
            }
        }
        let mut out = String::new();
        for (row, widths) in rows.iter().zip(&widths) {
            for (index, cell) in row.iter().enumerate() {
                out.push_str(cell);
                if index + 1 < row.len() {
                    out.extend(std::iter::repeat_n(
                        ' ',
                        widths[index].saturating_sub(crate::console::table::width(cell)),
                    ));
                }
            }
            out.push('\n');
        }
        out
    }
}

/// Kinds whose describers show no events.
const QUIET: [&str; 10] = [
    "Secret",
    "Namespace",
    "ResourceQuota",
    "LimitRange",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "NetworkPolicy",
    "Event",
];

/// `describe`.
///
/// # Errors
/// Unknown kinds and absent objects.
pub fn describe(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    let found = if words.is_empty() && call.arguments.flag("filename").is_some() {
        let (items, problems) = super::apply::items(call)?;
        Problem::all(problems)?;
        items
            .iter()
            .map(|item| Ok((item.kind, call.object(item.kind, name_of(&item.object))?)))
            .collect::<Result<Vec<_>, Problem>>()?
    } else {
        let mut found = Vec::new();
        let selector = call.selector()?;
        for (kind, name) in call.targets(&words)? {
            match name {
                Some(name) => found.push((kind, prefixed(call, kind, &name)?)),
                None => {
                    let namespace =
                        (!call.arguments.on("all-namespaces")).then_some(call.namespace.as_str());
                    let all = call.listing(kind, namespace)?;
                    found.extend(
                        all.into_iter()
                            .filter(|object| {
                                selector
                                    .as_ref()
                                    .is_none_or(|selector| super::get::selected(selector, object))
                            })
                            .map(|object| (kind, object)),
                    );
                }
            }
        }
        found
    };
    if found.is_empty() {
        call.stderr.push_str(&format!(
            "No resources found in {} namespace.\n",
            call.namespace
        ));
        return Ok(());
    }
    for (index, (kind, object)) in found.iter().enumerate() {
        let mut sheet = Sheet::default();
        match kind.kind {
            "Pod" => pod::describe(call, object, &mut sheet),
            "Node" => node::describe(call, object, &mut sheet)?,
            "Deployment" => deployment(call, object, &mut sheet)?,
            "ReplicaSet" => replica_set(call, object, &mut sheet)?,
            "ReplicationController" => replica_set(call, object, &mut sheet)?,
            "StatefulSet" => workload::stateful_set(call, object, &mut sheet)?,
            "DaemonSet" => workload::daemon_set(call, object, &mut sheet)?,
            "Job" => workload::job(call, object, &mut sheet),
            "CronJob" => workload::cron_job(object, &mut sheet),
            "Service" => network::service(call, object, &mut sheet)?,
            "Ingress" => network::ingress_rules(object, &mut sheet),
            "NetworkPolicy" => network::network_policy(object, &mut sheet),
            "EndpointSlice" => network::endpoint_slice(object, &mut sheet),
            "Endpoints" => network::endpoints(object, &mut sheet),
            "IngressClass" => network::ingress_class(object, &mut sheet),
            "HorizontalPodAutoscaler" => autoscaler::autoscaler(object, &mut sheet),
            "PodDisruptionBudget" => autoscaler::budget(object, &mut sheet),
            "PersistentVolume" => storage::volume(object, &mut sheet),
            "PersistentVolumeClaim" => storage::claim(call, object, &mut sheet)?,
            "StorageClass" => storage::storage_class(object, &mut sheet),
            "CSINode" => storage::csi_node(object, &mut sheet),
            "ConfigMap" => config::config_map(object, &mut sheet),
            "Secret" => config::secret(object, &mut sheet),
            "ServiceAccount" => config::service_account(object, &mut sheet),
            "Namespace" => config::namespace(call, object, &mut sheet)?,
            "ResourceQuota" => config::resource_quota(object, &mut sheet),
            "LimitRange" => config::limit_range(object, &mut sheet),
            "Role" | "ClusterRole" => config::role(object, &mut sheet),
            "RoleBinding" | "ClusterRoleBinding" => config::role_binding(object, &mut sheet),
            "PriorityClass" => config::priority_class(object, &mut sheet),
            _ => generic::describe(object, &mut sheet),
        }
        if !QUIET.contains(&kind.kind) {
            events(call, kind, object, &mut sheet)?;
        }
        if index > 0 {
            call.stdout.push_str("\n\n");
        }
        call.stdout.push_str(&sheet.text());
    }
    Ok(())
}

/// The object of that name, or else the only one whose name starts so.
fn prefixed(call: &Call<'_>, kind: &'static Kind, name: &str) -> Result<Value, Problem> {
    call.object(kind, name).or_else(|problem| {
        let list = call.listing(kind, Some(&call.namespace))?;
        list.into_iter()
            .find(|object| name_of(object).starts_with(name))
            .ok_or(problem)
    })
}

/// Lines of `k=v` or `k: v`; the annotation of apply is not shown.
pub fn map_lines(object: &Value, path: &[&str], separator: &str) -> Vec<String> {
    let map = object.path(path).and_then(Value::as_map);
    let shown = map
        .into_iter()
        .flat_map(|map| map.sorted())
        .filter(|(key, _)| &***key != super::apply::LAST_APPLIED);
    shown
        .map(|(key, value)| format!("{key}{separator}{}", value.as_str().unwrap_or("")))
        .collect()
}

/// Name, and namespace where there is one.
pub fn head(object: &Value, sheet: &mut Sheet) {
    sheet.line(0, &format!("Name:\t{}", name_of(object)));
    if let Some(namespace) = object.str_at(&["metadata", "namespace"]) {
        sheet.line(0, &format!("Namespace:\t{namespace}"));
    }
}

/// Labels and annotations.
pub fn meta(object: &Value, sheet: &mut Sheet) {
    sheet.many(
        0,
        "Labels",
        &map_lines(object, &["metadata", "labels"], "="),
    );
    sheet.many(
        0,
        "Annotations",
        &map_lines(object, &["metadata", "annotations"], ": "),
    );
}

/// `kind/name` of the controller.
pub fn controller(object: &Value) -> Option<String> {
    let owner = items(object, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))?;
    Some(format!(
        "{}/{}",
        owner.str_at(&["kind"])?,
        owner.str_at(&["name"])?
    ))
}

fn deployment(call: &Call<'_>, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    let number = |path: &[&str]| object.i64_at(path).unwrap_or(0);
    head(object, sheet);
    sheet.line(
        0,
        &format!(
            "CreationTimestamp:\t{}",
            long(
                object
                    .str_at(&["metadata", "creationTimestamp"])
                    .unwrap_or("")
            )
        ),
    );
    meta(object, sheet);
    sheet.line(
        0,
        &format!(
            "Selector:\t{}",
            selector(object.path(&["spec", "selector"]))
        ),
    );
    sheet.line(
        0,
        &format!(
            "Replicas:\t{} desired | {} updated | {} total | {} available | {} unavailable",
            number(&["spec", "replicas"]),
            number(&["status", "updatedReplicas"]),
            number(&["status", "replicas"]),
            number(&["status", "availableReplicas"]),
            number(&["status", "unavailableReplicas"])
        ),
    );
    sheet.line(
        0,
        &format!(
            "StrategyType:\t{}",
            object.str_at(&["spec", "strategy", "type"]).unwrap_or("")
        ),
    );
    sheet.line(
        0,
        &format!("MinReadySeconds:\t{}", number(&["spec", "minReadySeconds"])),
    );
    if let Some(rolling) = object.path(&["spec", "strategy", "rollingUpdate"]) {
        let text = |key: &str| {
            rolling
                .get(key)
                .map(crate::object::jsonpath::text)
                .unwrap_or_default()
        };
        sheet.line(
            0,
            &format!(
                "RollingUpdateStrategy:\t{} max unavailable, {} max surge",
                text("maxUnavailable"),
                text("maxSurge")
            ),
        );
    }
    template_lines(
        object.path(&["spec", "template"]).unwrap_or(&Value::Null),
        sheet,
    );
    conditions(object, &["type", "status", "reason"], sheet);
    let sets = rollout::replica_sets(call, object)?;
    let revision = object.path(&[
        "metadata",
        "annotations",
        "deployment.kubernetes.io/revision",
    ]);
    let (new, old): (Vec<&Value>, Vec<&Value>) = sets.iter().partition(|set| {
        revision.is_some()
            && set.path(&[
                "metadata",
                "annotations",
                "deployment.kubernetes.io/revision",
            ]) == revision
    });
    let shown = |sets: &[&Value]| {
        let list: Vec<String> = sets
            .iter()
            .map(|set| {
                format!(
                    "{} ({}/{} replicas created)",
                    name_of(set),
                    set.i64_at(&["status", "replicas"]).unwrap_or(0),
                    set.i64_at(&["spec", "replicas"]).unwrap_or(0)
                )
            })
            .collect();
        or_none(Some(&list.join(", ")))
    };
    sheet.line(0, &format!("OldReplicaSets:\t{}", shown(&old)));
    sheet.line(0, &format!("NewReplicaSet:\t{}", shown(&new)));
    Ok(())
}

fn replica_set(call: &Call<'_>, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    head(object, sheet);
    sheet.line(
        0,
        &format!(
            "Selector:\t{}",
            selector(object.path(&["spec", "selector"]))
        ),
    );
    meta(object, sheet);
    if let Some(owner) = controller(object) {
        sheet.line(0, &format!("Controlled By:\t{owner}"));
    }
    let number = |path: &[&str]| object.i64_at(path).unwrap_or(0);
    sheet.line(
        0,
        &format!(
            "Replicas:\t{} current / {} desired",
            number(&["status", "replicas"]),
            number(&["spec", "replicas"])
        ),
    );
    sheet.line(0, &format!("Pods Status:\t{}", pods_status(call, object)?));
    template_lines(
        object.path(&["spec", "template"]).unwrap_or(&Value::Null),
        sheet,
    );
    conditions(object, &["type", "status", "reason"], sheet);
    Ok(())
}

/// `1 Running / 0 Waiting / 0 Succeeded / 0 Failed` of the pods that an object controls.
///
/// # Errors
/// If there is no Kubernetes.
pub fn pods_status(call: &Call<'_>, object: &Value) -> Result<String, Problem> {
    let uid = object.str_at(&["metadata", "uid"]);
    let pods = call
        .listing(kind_of("pods")?, object.str_at(&["metadata", "namespace"]))
        .unwrap_or_default();
    let count = |phase: &str| {
        pods.iter()
            .filter(|pod| {
                pod.str_at(&["status", "phase"]) == Some(phase)
                    && items(pod, &["metadata", "ownerReferences"])
                        .iter()
                        .any(|owner| owner.str_at(&["uid"]) == uid)
            })
            .count()
    };
    Ok(format!(
        "{} Running / {} Waiting / {} Succeeded / {} Failed",
        count("Running"),
        count("Pending"),
        count("Succeeded"),
        count("Failed")
    ))
}

/// The conditions as a table with these fields.
pub fn conditions(object: &Value, fields: &[&str], sheet: &mut Sheet) {
    let list = items(object, &["status", "conditions"]);
    if list.is_empty() {
        return;
    }
    sheet.line(0, "Conditions:");
    let cells: Vec<String> = fields
        .iter()
        .map(|field| format!("{}{}", field[..1].to_uppercase(), &field[1..]))
        .collect();
    sheet.line(1, &cells.join("\t"));
    sheet.line(
        1,
        &fields
            .iter()
            .map(|field| "-".repeat(field.len()))
            .collect::<Vec<_>>()
            .join("\t"),
    );
    for one in list {
        let row: Vec<&str> = fields
            .iter()
            .map(|field| one.str_at(&[field]).unwrap_or(""))
            .collect();
        sheet.line(1, &row.join("\t"));
    }
}

/// The block of a pod template.
pub fn template_lines(template: &Value, sheet: &mut Sheet) {
    sheet.line(0, "Pod Template:");
    sheet.many(
        1,
        "Labels",
        &map_lines(template, &["metadata", "labels"], "="),
    );
    let annotations = map_lines(template, &["metadata", "annotations"], ": ");
    if !annotations.is_empty() {
        sheet.many(1, "Annotations", &annotations);
    }
    pod::containers(
        "Init Containers",
        items(template, &["spec", "initContainers"]),
        None,
        1,
        sheet,
    );
    pod::containers(
        "Containers",
        items(template, &["spec", "containers"]),
        None,
        1,
        sheet,
    );
    let volumes = items(template, &["spec", "volumes"]);
    if volumes.is_empty() {
        sheet.line(1, "Volumes:\t<none>");
    } else {
        pod::volumes(volumes, 1, sheet);
    }
    sheet.line(
        1,
        &format!(
            "Node-Selectors:\t{}",
            pairs(template.path(&["spec", "nodeSelector"]))
        ),
    );
    sheet.many(1, "Tolerations", &pod::tolerations(template));
}

/// The block of a pod template, as `rollout history --revision` prints it.
pub fn template(template: &Value) -> String {
    let mut sheet = Sheet::default();
    template_lines(template, &mut sheet);
    // As kubectl 1.36 `polymorphichelpers/history.go`: no writer aligns the tabs.
    sheet.0.join("\n") + "\n"
}

/// The Events block.
fn events(call: &Call<'_>, kind: &Kind, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    if call.arguments.flag("show-events") == Some("false") {
        return Ok(());
    }
    let namespace = object
        .str_at(&["metadata", "namespace"])
        .unwrap_or("default");
    let mut list = call
        .listing(kind_of("events")?, Some(namespace))
        .unwrap_or_default();
    list.retain(|event| {
        event.str_at(&["involvedObject", "kind"]) == Some(kind.kind)
            && event.str_at(&["involvedObject", "name"]) == Some(name_of(object))
            && match event.str_at(&["involvedObject", "uid"]) {
                Some(uid) => object.str_at(&["metadata", "uid"]) == Some(uid),
                None => true,
            }
    });
    if list.is_empty() {
        sheet.line(0, "Events:\t<none>");
        return Ok(());
    }
    // Source: `staging/src/k8s.io/kubectl/pkg/util/event/sorted_event_list.go`: those that know no last
    // time come first.
    let last = |event: &Value| event.str_at(&["lastTimestamp"]).map(str::to_owned);
    list.arrange_by_key(last);
    sheet.line(0, "Events:");
    sheet.line(1, "Type\tReason\tAge\tFrom\tMessage");
    sheet.line(1, "----\t------\t----\t----\t-------");
    for event in &list {
        let text = |path: &[&str]| event.str_at(path).unwrap_or("").to_owned();
        let (seen, first, times) = event_times(event);
        let last = age(seen, call.now());
        let shown = if times > 1 {
            format!("{last} (x{times} over {})", age(first, call.now()))
        } else {
            last
        };
        let field = event
            .str_at(&["involvedObject", "fieldPath"])
            .map_or_else(String::new, |field| format!("{field}: "));
        sheet.line(
            1,
            &format!(
                "{}\t{}\t{shown}\t{}\t{field}{}",
                text(&["type"]),
                text(&["reason"]),
                first_text(event, &[&["source", "component"], &["reportingComponent"]])
                    .unwrap_or(""),
                text(&["message"]).trim()
            ),
        );
    }
    Ok(())
}
