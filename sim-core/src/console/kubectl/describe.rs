//! `kubectl describe`. Source: `k8s.io/kubectl/pkg/describe/describe.go`.

pub mod amounts;
pub mod autoscaler;
pub mod config;
pub mod container;
pub mod generic;
pub mod network;
pub mod node;
pub mod pod;
pub mod storage;
pub mod volume;
pub mod workload;

use crate::base::arrange::Arrange;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::clock::{age, long};
use super::columns::{first_text, or_none, selector};
use super::pod_status::items;
use super::problem::Problem;
use super::{Call, builder, kind_of, name_of, rollout};

/// Lines of tab-separated cells, aligned as upstream's writer does (padding 2) until a line without tabs.
#[derive(Debug, Default)]
pub struct Sheet(Vec<String>);

impl Sheet {
    /// Adds a line; cells are separated by tabs, indentation is two blanks a level.
    pub fn line(&mut self, level: usize, text: &str) {
        self.0.push(format!("{}{text}", "  ".repeat(level)));
    }

    /// Adds a line of `name:` and a value.
    pub fn row(&mut self, level: usize, name: &str, value: impl AsRef<str>) {
        self.pair(level, name, value.as_ref());
    }

    #[inline(never)]
    fn pair(&mut self, level: usize, name: &str, value: &str) {
        self.line(level, &format!("{name}:\t{value}"));
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
        // A line end within a value, such as a message's, ends the line.
        let rows: Vec<Vec<&str>> = self
            .0
            .iter()
            .flat_map(|line| line.split('\n'))
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

/// Columns of the conditions of Deployments and of what they make.
const WORKLOAD: [(&str, &str); 3] = [("Type", " "), ("Status", ""), ("Reason", "")];

/// `describe`.
///
/// # Errors
/// Unknown kinds and absent objects; the others are described.
pub fn describe(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    let (found, problems) = if words.is_empty() && call.arguments.has_files() {
        super::edit::looked_up(call, &words)?
    } else {
        named(call, &words)?
    };
    // Of several the events are told only if they are asked for.
    let tells = match call.arguments.flag("show-events") {
        Some(word) => word != "false",
        None => problems.is_empty() && found.len() == 1,
    };
    let begun = matches!(problems.as_slice(), [one] if one.reason == "NotFound");
    if begun && let [kind, start] = words.as_slice() {
        let kinds = call.kinds_of(kind)?;
        let [kind] = kinds[..] else {
            return Err(builder::several());
        };
        let mut list = call.listing(kind, Some(&call.namespace))?;
        list.retain(|object| name_of(object).starts_with(&**start));
        if !list.is_empty() {
            for object in &list {
                let text = described(call, kind, object, tells)?;
                call.say(&text);
            }
            return Ok(());
        }
    }
    if found.is_empty() && problems.is_empty() {
        call.stderr.push(if call.arguments.on("all-namespaces") {
            "No resources found\n".to_owned()
        } else {
            format!("No resources found in {} namespace.\n", call.namespace)
        });
    }
    for (index, (kind, object)) in found.iter().enumerate() {
        let text = described(call, kind, object, tells)?;
        if index > 0 {
            call.stdout.push_str("\n\n");
        }
        call.stdout.push_str(&text);
    }
    Problem::all(problems)
}

/// What words name; a kind alone is all of it.
fn named(call: &mut Call<'_>, words: &[String]) -> Result<super::Found, Problem> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let selector = call.selector()?;
    for (kind, name) in call.targets(words)? {
        call.warn(kind)?;
        if let Some(name) = name {
            match call.object(kind, &name) {
                Ok(object) => found.push((kind, object)),
                Err(problem) => problems.push(problem),
            }
            continue;
        }
        let namespace = (!call.arguments.on("all-namespaces")).then_some(call.namespace.as_str());
        let mut all = call.listing(kind, namespace)?;
        if let Some(selector) = &selector {
            all.retain(|object| super::selectors::selected(selector, object));
        }
        found.extend(all.into_iter().map(|object| (kind, object)));
    }
    Ok((found, problems))
}

/// One object, with its events if they are told.
fn described(call: &Call<'_>, kind: &Kind, object: &Value, tells: bool) -> Result<String, Problem> {
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
        "Service" => network::service(call, object, &mut sheet),
        "Ingress" => network::ingress_rules(call, object, &mut sheet),
        "NetworkPolicy" => network::network_policy(object, &mut sheet),
        "EndpointSlice" => network::endpoint_slice(object, &mut sheet),
        "Endpoints" => network::endpoints(object, &mut sheet),
        "IngressClass" => network::ingress_class(object, &mut sheet),
        "HorizontalPodAutoscaler" => autoscaler::autoscaler(object, &mut sheet),
        "PodDisruptionBudget" => autoscaler::budget(object, &mut sheet),
        "PersistentVolume" => storage::volume(call, object, &mut sheet),
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
    if tells && !QUIET.contains(&kind.kind) {
        events(call, kind, object, &mut sheet)?;
    }
    Ok(sheet.text())
}

/// Lines of `k=v` or `k: v`, sorted.
pub fn map_lines(object: &Value, path: &[&str], separator: &str) -> Vec<String> {
    let map = object.path(path).and_then(Value::as_map);
    let shown = map.unwrap_or_default().sorted().into_iter();
    shown
        .map(|(key, value)| format!("{key}{separator}{}", value.as_str().unwrap_or("")))
        .collect()
}

/// At most that many bytes of a text, `...` after a longer one. Source: as above (`shorten`).
pub fn shorten(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    // Upstream cuts through a letter of several bytes; this ends before it.
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    format!("{}...", &text[..end.unwrap_or(0)])
}

/// A time of an object; the time of none is the year 1, as Go's.
pub fn moment(text: Option<&str>) -> String {
    text.map_or_else(|| "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(), long)
}

/// `True` or `False`.
pub const fn yes(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// Labels, or another map of texts, a pair on each line.
pub fn labels(object: &Value, path: &[&str], title: &str, level: usize, sheet: &mut Sheet) {
    sheet.many(level, title, &map_lines(object, path, "="));
}

/// Annotations, without the one of apply; values that are long or have several lines stand below their keys.
/// Source: as above (`printAnnotationsMultiline`).
pub fn annotations(object: &Value, level: usize, sheet: &mut Sheet) {
    const MOST: usize = 140;
    let map = object
        .path(&["metadata", "annotations"])
        .and_then(Value::as_map);
    let mut lines = Vec::new();
    for (key, value) in map.unwrap_or_default().sorted().into_iter() {
        if &**key == super::apply::LAST_APPLIED {
            continue;
        }
        let value = value.as_str().unwrap_or("");
        let value = value.strip_suffix('\n').unwrap_or(value);
        if value.len() + key.len() + 2 > MOST || value.contains('\n') {
            lines.push(format!("{key}:"));
            lines.extend(
                value
                    .split('\n')
                    .map(|line| format!("  {}", shorten(line, MOST - 2))),
            );
        } else {
            lines.push(format!("{key}: {value}"));
        }
    }
    sheet.many(level, "Annotations", &lines);
}

/// Name, and namespace where there is one.
pub fn head(object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    if let Some(namespace) = object.str_at(&["metadata", "namespace"]) {
        sheet.row(0, "Namespace", namespace);
    }
}

/// Labels and annotations.
pub fn meta(object: &Value, sheet: &mut Sheet) {
    labels(object, &["metadata", "labels"], "Labels", 0, sheet);
    annotations(object, 0, sheet);
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
    sheet.row(
        0,
        "CreationTimestamp",
        long(
            object
                .str_at(&["metadata", "creationTimestamp"])
                .unwrap_or(""),
        ),
    );
    meta(object, sheet);
    sheet.row(0, "Selector", selector(object.path(&["spec", "selector"])));
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
    sheet.row(
        0,
        "StrategyType",
        object.str_at(&["spec", "strategy", "type"]).unwrap_or(""),
    );
    sheet.row(
        0,
        "MinReadySeconds",
        number(&["spec", "minReadySeconds"]).to_string(),
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
    conditions(object, &WORKLOAD, sheet);
    let sets = rollout::replica_sets(call, object)?;
    let (new, old) = new_and_old(object, &sets);
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
    if !old.is_empty() || !new.is_empty() {
        sheet.row(0, "OldReplicaSets", shown(&old));
        sheet.row(0, "NewReplicaSet", shown(&new));
    }
    Ok(())
}

/// The oldest ReplicaSet with the Deployment's template, whatever its hash, and the others, by their age.
/// Source: `k8s.io/kubectl/pkg/util/deployment/deployment.go` (`findNewReplicaSet`, `findOldReplicaSets`).
fn new_and_old<'a>(deployment: &Value, sets: &'a [Value]) -> (Vec<&'a Value>, Vec<&'a Value>) {
    let template = |of: &Value| {
        let mut template = of.path(&["spec", "template"]).cloned().unwrap_or_default();
        template.remove_path(&["metadata", "labels", "pod-template-hash"]);
        template
    };
    let mut sets: Vec<&Value> = sets.iter().collect();
    sets.arrange_by_key(|set| {
        let created = set.str_at(&["metadata", "creationTimestamp"]);
        (created.unwrap_or("").to_owned(), name_of(set).to_owned())
    });
    let wanted = template(deployment);
    let at = sets.iter().position(|set| template(set) == wanted);
    let new = at.map(|at| sets.remove(at));
    (new.into_iter().collect(), sets)
}

fn replica_set(call: &Call<'_>, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    head(object, sheet);
    sheet.row(0, "Selector", selector(object.path(&["spec", "selector"])));
    meta(object, sheet);
    if let Some(owner) = controller(object) {
        sheet.row(0, "Controlled By", owner);
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
    sheet.row(0, "Pods Status", pods_status(call, object)?);
    template_lines(
        object.path(&["spec", "template"]).unwrap_or(&Value::Null),
        sheet,
    );
    conditions(object, &WORKLOAD, sheet);
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

/// The conditions as a table of these columns, each with what upstream writes behind its cells. Those that
/// begin with `Last` are times.
pub fn conditions(object: &Value, columns: &[(&str, &str)], sheet: &mut Sheet) {
    let list = items(object, &["status", "conditions"]);
    if list.is_empty() {
        return;
    }
    let rule = |heading: &str| match heading {
        // Upstream's rule is that of the heartbeat's column.
        "LastProbeTime" => 17,
        _ => heading.len(),
    };
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let rules = headings.iter().map(|heading| "-".repeat(rule(heading)));
    sheet.line(0, "Conditions:");
    sheet.line(1, &headings.join("\t"));
    sheet.line(1, &rules.collect::<Vec<_>>().join("\t"));
    for one in list {
        let row = columns.iter().map(|(heading, after)| {
            let field = format!("{}{}", heading[..1].to_lowercase(), &heading[1..]);
            let found = one.str_at(&[&field]);
            let shown = match heading.starts_with("Last") {
                true => moment(found),
                false => found.unwrap_or("").to_owned(),
            };
            shown + after
        });
        sheet.line(1, &row.collect::<Vec<_>>().join("\t"));
    }
}

/// The block of a pod template.
pub fn template_lines(template: &Value, sheet: &mut Sheet) {
    sheet.line(0, "Pod Template:");
    labels(template, &["metadata", "labels"], "Labels", 1, sheet);
    let annotated = template.path(&["metadata", "annotations"]);
    if annotated
        .and_then(Value::as_map)
        .is_some_and(|map| !map.is_empty())
    {
        annotations(template, 1, sheet);
    }
    let said = |key: &str| {
        let found = template.str_at(&["spec", key]);
        found.filter(|text| !text.is_empty())
    };
    if let Some(account) = said("serviceAccountName") {
        sheet.row(1, "Service Account", account);
    }
    for (label, list) in [
        ("Init Containers", "initContainers"),
        ("Containers", "containers"),
    ] {
        let list = items(template, &["spec", list]);
        if !list.is_empty() || label == "Containers" {
            container::containers(label, list, None, 1, sheet);
        }
    }
    volume::volumes(items(template, &["spec", "volumes"]), 1, sheet);
    pod::spread(template, 1, sheet);
    if let Some(class) = said("priorityClassName") {
        sheet.row(1, "Priority Class Name", class);
    }
    labels(
        template,
        &["spec", "nodeSelector"],
        "Node-Selectors",
        1,
        sheet,
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
                // A kubelet writes its node's name.
                Some(uid) => {
                    object.str_at(&["metadata", "uid"]) == Some(uid)
                        || kind.kind == "Node" && uid == name_of(object)
                }
                // One that is not known any more was another object of this name, or is a pod's.
                None => {
                    event.str_at(&["metadata", "creationTimestamp"])
                        >= object.str_at(&["metadata", "creationTimestamp"])
                }
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
        let since = |path: &[&str]| age(event.str_at(path), call.now());
        // Source: `describe.go` (`DescribeEvents`).
        let first = match event.str_at(&["eventTime"]) {
            Some(_) => since(&["eventTime"]),
            None => since(&["firstTimestamp"]),
        };
        let times = event.i64_at(&["count"]).unwrap_or(0);
        let shown = if let Some(series) = event.get("series").filter(|series| !series.is_null()) {
            let last = since(&["series", "lastObservedTime"]);
            let times = series.i64_at(&["count"]).unwrap_or(0);
            format!("{last} (x{times} over {first})")
        } else if times > 1 {
            format!("{} (x{times} over {first})", since(&["lastTimestamp"]))
        } else {
            first
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
