//! `describe` of what holds text, rights and limits.

use crate::base::arrange::Arrange;
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
    sheet.line(0, &format!("Type:\t{kind}"));
    sheet.line(0, "");
    sheet.line(0, "Data");
    sheet.line(0, "====");
    for (key, value) in sorted(object, "data") {
        sheet.line(0, &format!("{key}:\t{} bytes", decoded(value)));
    }
}

fn sorted<'a>(object: &'a Value, field: &str) -> Vec<(&'a str, &'a Value)> {
    let map = object.get(field).and_then(Value::as_map);
    let pairs = map.into_iter().flat_map(|map| map.sorted());
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
    let names = |field: &str| {
        let list: Vec<String> = items(object, &[field])
            .iter()
            .map(|one| one.str_at(&["name"]).unwrap_or("").to_owned())
            .collect();
        list
    };
    sheet.many(0, "Image pull secrets", &names("imagePullSecrets"));
    sheet.many(0, "Mountable secrets", &names("secrets"));
    sheet.line(0, "Tokens:\t<none>");
}

/// A Namespace with its quotas and ranges.
///
/// # Errors
/// If there is no Kubernetes.
pub fn namespace(call: &Call<'_>, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    let name = name_of(object);
    sheet.line(0, &format!("Name:\t{name}"));
    meta(object, sheet);
    let phase = object.str_at(&["status", "phase"]).unwrap_or("");
    sheet.line(0, &format!("Status:\t{phase}"));
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
        sheet.line(1, &format!("Name:\t{}", name_of(quota)));
        quota_lines(quota, 1, sheet);
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
    for range in &ranges {
        range_lines(range, 1, sheet);
    }
    Ok(())
}

/// A ResourceQuota.
pub fn resource_quota(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    let scopes = items(object, &["spec", "scopes"]);
    if !scopes.is_empty() {
        let list: Vec<String> = scopes.iter().map(text).collect();
        sheet.line(0, &format!("Scopes:\t{}", list.join(", ")));
    }
    quota_lines(object, 0, sheet);
}

fn quota_lines(quota: &Value, level: usize, sheet: &mut Sheet) {
    sheet.line(level, "Resource\tUsed\tHard");
    sheet.line(level, "--------\t----\t----");
    let hard = quota.path(&["status", "hard"]).and_then(Value::as_map);
    for (name, amount) in hard.into_iter().flat_map(|map| map.sorted()) {
        let used = quota
            .path(&["status", "used", name])
            .map_or_else(|| "0".to_owned(), quantity);
        sheet.line(level, &format!("{name}\t{used}\t{}", quantity(amount)));
    }
}

/// A LimitRange.
pub fn limit_range(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    range_lines(object, 0, sheet);
}

fn range_lines(range: &Value, level: usize, sheet: &mut Sheet) {
    sheet.line(
        level,
        "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio",
    );
    sheet.line(
        level,
        "----\t--------\t---\t---\t---------------\t-------------\t-----------------------",
    );
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
            sheet.line(level, &format!("{kind}\t{name}\t{}", cells.join("\t")));
        }
    }
}

/// A Role or ClusterRole.
pub fn role(object: &Value, sheet: &mut Sheet) {
    sheet.line(0, &format!("Name:\t{}", name_of(object)));
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
    sheet.line(0, &format!("Name:\t{}", name_of(object)));
    meta(object, sheet);
    sheet.line(0, "Role:");
    for (label, key) in [("Kind", "kind"), ("Name", "name")] {
        let found = object.str_at(&["roleRef", key]).unwrap_or("");
        sheet.line(1, &format!("{label}:\t{found}"));
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
    sheet.line(0, &format!("Name:\t{}", name_of(object)));
    sheet.line(
        0,
        &format!("Value:\t{}", object.i64_at(&["value"]).unwrap_or(0)),
    );
    sheet.line(
        0,
        &format!("GlobalDefault:\t{}", truth(object, &["globalDefault"])),
    );
    let policy = object
        .str_at(&["preemptionPolicy"])
        .unwrap_or("PreemptLowerPriority");
    sheet.line(0, &format!("PreemptionPolicy:\t{policy}"));
    let description = object.str_at(&["description"]).unwrap_or("");
    sheet.line(0, &format!("Description:\t{description}"));
    let annotations = super::map_lines(object, &["metadata", "annotations"], "=");
    sheet.line(
        0,
        &format!("Annotations:\t{}", or_none(Some(&annotations.join(",")))),
    );
}
