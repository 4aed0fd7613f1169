//! `describe` of what holds text, rights and limits.

use crate::base::arrange::Arrange;
use crate::base::base64;
use crate::base::quantity::Quantity;
use crate::console::kubectl::columns::autoscaler::quantity;
use crate::console::kubectl::columns::{or_none, truth};
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of, name_of};
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, head, meta};

/// A ConfigMap.
pub fn config_map(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    meta(object, sheet);
    sheet.line(0, "");
    sheet.line(0, "Data");
    sheet.line(0, "====");
    for (key, value) in sorted(object, "data") {
        sheet.line(0, &format!("{key}:"));
        sheet.line(0, "----");
        for line in text(value).split('\n') {
            sheet.line(0, line);
        }
        sheet.line(0, "");
    }
    sheet.line(0, "");
    sheet.line(0, "BinaryData");
    sheet.line(0, "====");
    let binary = sorted(object, "binaryData");
    for (key, value) in &binary {
        sheet.line(0, &format!("{key}: {} bytes", decoded(value)));
    }
    sheet.line(0, "");
}

/// A Secret: sizes, not contents.
pub fn secret(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    meta(object, sheet);
    let kind = object.str_at(&["type"]).unwrap_or("");
    sheet.line(0, "");
    sheet.row(0, "Type", kind);
    sheet.line(0, "");
    sheet.line(0, "Data");
    sheet.line(0, "====");
    for (key, value) in sorted(object, "data") {
        // A token is shown, all else by its size.
        let token = key == "token" && kind == "kubernetes.io/service-account-token";
        let bytes = base64::decode(&text(value)).ok().filter(|_| token);
        let shown = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let shown = shown.unwrap_or_else(|| format!("{} bytes", decoded(value)));
        sheet.row(0, key, shown);
    }
}

fn sorted<'a>(object: &'a Value, field: &str) -> Vec<(&'a str, &'a Value)> {
    let map = object.get(field).and_then(Value::as_map);
    let pairs = map.unwrap_or_default().sorted().into_iter();
    pairs.map(|(key, value)| (&**key, value)).collect()
}

/// Bytes that a base64 text stands for.
fn decoded(value: &Value) -> usize {
    let encoded = text(value);
    let letters = encoded.bytes().filter(|byte| !byte.is_ascii_whitespace());
    letters.filter(|byte| *byte != b'=').count() * 3 / 4
}

/// A ServiceAccount.
pub fn service_account(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    meta(object, sheet);
    let secrets = items(object, &["imagePullSecrets"]).iter();
    let names = secrets.map(|one| one.str_at(&["name"]).unwrap_or("").to_owned());
    sheet.many(0, "Image pull secrets", &names.collect::<Vec<_>>());
}

/// A Namespace with its quotas and ranges.
///
/// # Errors
/// If there is no Kubernetes.
pub fn namespace(call: &Call<'_>, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    let name = name_of(object);
    sheet.row(0, "Name", name);
    meta(object, sheet);
    let phase = object.str_at(&["status", "phase"]).unwrap_or("");
    sheet.row(0, "Status", phase);
    let columns = ["Type", "Status", "LastTransitionTime", "Reason", "Message"];
    super::conditions(object, &columns.map(|heading| (heading, "")), sheet);
    let quotas = call
        .listing(kind_of("resourcequotas")?, Some(name))
        .unwrap_or_default();
    sheet.line(0, "");
    if quotas.is_empty() {
        sheet.line(0, "No resource quota.");
    } else {
        sheet.line(0, "Resource Quotas");
    }
    for quota in &quotas {
        sheet.row(1, "Name", name_of(quota));
        scopes(quota, 1, sheet);
        quota_lines(quota, sheet);
    }
    let ranges = call
        .listing(kind_of("limitranges")?, Some(name))
        .unwrap_or_default();
    sheet.line(0, "");
    if ranges.is_empty() {
        sheet.line(0, "No LimitRange resource.");
    } else {
        sheet.line(0, "Resource Limits");
    }
    if !ranges.is_empty() {
        range_headings(" ", sheet);
    }
    for range in &ranges {
        range_lines(range, " ", sheet);
    }
    Ok(())
}

/// A ResourceQuota.
pub fn resource_quota(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    scopes(object, 0, sheet);
    sheet.line(0, "Resource\tUsed\tHard");
    sheet.line(0, "--------\t----\t----");
    let hard = object.path(&["status", "hard"]).and_then(Value::as_map);
    for (name, amount) in hard.unwrap_or_default().sorted().into_iter() {
        let parse = |amount: Option<&Value>| {
            let parsed = amount.and_then(|amount| Quantity::parse(&text(amount)).ok());
            parsed.unwrap_or(Quantity::ZERO)
        };
        let hard = parse(Some(amount));
        let mut used = parse(object.path(&["status", "used", name]));
        // The amount used is written as the bound is.
        if used.format() != hard.format() {
            used = Quantity::from_units(used.value(), hard.format());
        }
        let (used, hard) = (used.canonical(), hard.canonical());
        sheet.line(0, &format!("{name}\t{used}\t{hard}"));
    }
}

/// The scopes of a quota and what each means.
fn scopes(quota: &Value, level: usize, sheet: &mut Sheet) {
    let mut list: Vec<String> = items(quota, &["spec", "scopes"]).iter().map(text).collect();
    if list.is_empty() {
        return;
    }
    list.arrange();
    sheet.row(level, "Scopes", list.join(", "));
    // Of a quota alone the stars stand one blank in.
    let star = if level == 0 { " *" } else { "*" };
    for scope in &list {
        let help = match scope.as_str() {
            "Terminating" => {
                "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system."
            }
            "NotTerminating" => {
                "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate."
            }
            "BestEffort" => {
                "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service."
            }
            "NotBestEffort" => {
                "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service."
            }
            _ => continue,
        };
        sheet.line(level, &format!("{star} {help}"));
    }
}

/// A quota among those of its namespace.
fn quota_lines(quota: &Value, sheet: &mut Sheet) {
    sheet.line(1, "Resource\tUsed\tHard");
    sheet.line(1, "--------\t---\t---");
    let hard = quota.path(&["status", "hard"]).and_then(Value::as_map);
    for (name, amount) in hard.unwrap_or_default().sorted().into_iter() {
        let used = quota
            .path(&["status", "used", name])
            .map_or_else(|| "0".to_owned(), quantity);
        sheet.line(1, &format!("{name}\t{used}\t{}", quantity(amount)));
    }
}

/// A LimitRange.
pub fn limit_range(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    range_headings("", sheet);
    range_lines(object, "", sheet);
}

fn range_headings(indent: &str, sheet: &mut Sheet) {
    for line in [
        "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio",
        "----\t--------\t---\t---\t---------------\t-------------\t-----------------------",
    ] {
        sheet.line(0, &format!("{indent}{line}"));
    }
}

fn range_lines(range: &Value, indent: &str, sheet: &mut Sheet) {
    let columns = [
        "min",
        "max",
        "defaultRequest",
        "default",
        "maxLimitRequestRatio",
    ];
    for limit in items(range, &["spec", "limits"]) {
        let mut names: Vec<&str> = columns
            .iter()
            .flat_map(|column| sorted(limit, column))
            .map(|(name, _)| name)
            .collect();
        names.arrange();
        names.dedup();
        for name in names {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| {
                    let amount = limit.path(&[column, name]);
                    amount.map_or_else(|| "-".to_owned(), quantity)
                })
                .collect();
            let kind = limit.str_at(&["type"]).unwrap_or("");
            sheet.line(0, &format!("{indent}{kind}\t{name}\t{}", cells.join("\t")));
        }
    }
}

/// A Role or ClusterRole.
pub fn role(object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    meta(object, sheet);
    sheet.line(0, "PolicyRule:");
    sheet.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs");
    sheet.line(1, "---------\t-----------------\t--------------\t-----");
    let list = |rule: &Value, key: &str| {
        let found: Vec<String> = items(rule, &[key]).iter().map(text).collect();
        found
    };
    // Taken apart, verbs of the same put together, and sorted as Go prints them: verbs first.
    // Source: `k8s.io/kubectl/pkg/util/rbac/rbac.go`.
    let mut rows: Vec<([String; 4], Vec<String>)> = Vec::new();
    for rule in items(object, &["rules"]) {
        let verbs = list(rule, "verbs");
        let mut names = list(rule, "resourceNames");
        if names.is_empty() {
            names.push(String::new());
        }
        for group in list(rule, "apiGroups") {
            for resource in list(rule, "resources") {
                for name in &names {
                    let key = [group.clone(), resource.clone(), name.clone(), String::new()];
                    let at = rows.iter().position(|(known, _)| *known == key);
                    let at = at.unwrap_or_else(|| {
                        rows.push((key, Vec::new()));
                        rows.len() - 1
                    });
                    for verb in &verbs {
                        if !rows[at].1.contains(verb) {
                            rows[at].1.push(verb.clone());
                        }
                    }
                }
            }
        }
        for url in list(rule, "nonResourceURLs") {
            for verb in &verbs {
                let key = [String::new(), String::new(), String::new(), url.clone()];
                rows.push((key, vec![verb.clone()]));
            }
        }
    }
    rows.arrange_by_key(|([group, resource, name, url], verbs)| {
        let verbs = verbs.join(" ");
        format!("[{verbs}] [{group}] [{resource}] [{name}] [{url}]")
    });
    for ([group, resource, name, url], verbs) in rows {
        let what = in_group(&resource, &group);
        let verbs = verbs.join(" ");
        sheet.line(1, &format!("{what}\t[{url}]\t[{name}]\t[{verbs}]"));
    }
}

/// `deployments.apps/scale`. Source: as above (`CombineResourceGroup`).
pub fn in_group(resource: &str, group: &str) -> String {
    let dot = if group.is_empty() { "" } else { "." };
    match resource.split_once('/') {
        Some((plain, part)) => format!("{plain}{dot}{group}/{part}"),
        None => format!("{resource}{dot}{group}"),
    }
}

/// A RoleBinding or ClusterRoleBinding.
pub fn role_binding(object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    meta(object, sheet);
    sheet.line(0, "Role:");
    for (label, key) in [("Kind", "kind"), ("Name", "name")] {
        let found = object.str_at(&["roleRef", key]).unwrap_or("");
        sheet.row(1, label, found);
    }
    sheet.line(0, "Subjects:");
    sheet.line(1, "Kind\tName\tNamespace");
    sheet.line(1, "----\t----\t---------");
    for subject in items(object, &["subjects"]) {
        let field = |key: &str| subject.str_at(&[key]).unwrap_or("");
        sheet.line(
            1,
            &format!(
                "{}\t{}\t{}",
                field("kind"),
                field("name"),
                field("namespace")
            ),
        );
    }
}

/// A PriorityClass.
pub fn priority_class(object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    sheet.row(
        0,
        "Value",
        object.i64_at(&["value"]).unwrap_or(0).to_string(),
    );
    sheet.row(0, "GlobalDefault", truth(object, &["globalDefault"]));
    let policy = object
        .str_at(&["preemptionPolicy"])
        .unwrap_or("PreemptLowerPriority");
    sheet.row(0, "PreemptionPolicy", policy);
    let description = object.str_at(&["description"]).unwrap_or("");
    sheet.row(0, "Description", description);
    let annotations = super::map_lines(object, &["metadata", "annotations"], "=");
    sheet.row(0, "Annotations", or_none(Some(&annotations.join(","))));
}
