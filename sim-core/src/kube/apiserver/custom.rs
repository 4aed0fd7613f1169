//! CustomResourceDefinitions: what they must say, what the server makes of them.
//! Sources: `staging/src/k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation`,
//! `…/pkg/controller/{establish,status}`, `…/pkg/registry/customresourcedefinition`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::kube::kinds;
use crate::kube::render::time;
use crate::kube::store::custom::{
    Definition, PrinterColumn, ScalePaths, Version, split_path, version_rank,
};
use crate::manifest::decode::kube::name;
use crate::manifest::value::Value;
use crate::object::jsonpath::Template;
use crate::object::structural::{Structural, parse};

use super::Cause;
use super::refusal::cause;

/// Fills in what a definition may leave out.
pub fn apply_defaults(value: &mut Value) {
    let Some(kind) = value.str_at(&["spec", "names", "kind"]).map(str::to_owned) else {
        return;
    };
    let missing = |value: &Value, path: &[&str]| value.str_at(path).is_none_or(str::is_empty);
    let singular = ["spec", "names", "singular"];
    if missing(value, &singular) {
        value.set_path(&singular, kind.to_lowercase().into());
    }
    let list = ["spec", "names", "listKind"];
    if missing(value, &list) {
        value.set_path(&list, format!("{kind}List").into());
    }
    if value.path(&["spec", "conversion"]).is_none() {
        value.set_path(&["spec", "conversion", "strategy"], "None".into());
    }
}

/// Checks a definition and makes of it what requests are served by.
///
/// # Errors
/// What is wrong, in upstream's order.
pub fn check(value: &Value) -> Result<Definition, Vec<Cause>> {
    let mut causes = Vec::new();
    let text = |path: &[&str]| value.str_at(path).unwrap_or("");
    let (group, plural) = (text(&["spec", "group"]), text(&["spec", "names", "plural"]));
    let own = text(&["metadata", "name"]);
    if own != format!("{plural}.{group}") {
        causes.push(cause(
            "metadata.name",
            format!("Invalid value: {own:?}: must be spec.names.plural+\".\"+spec.group"),
        ));
    }
    if group.is_empty() {
        causes.push(cause("spec.group", "Required value"));
    } else {
        for detail in name::subdomain(group) {
            causes.push(cause(
                "spec.group",
                format!("Invalid value: {group:?}: {detail}"),
            ));
        }
        if !group.contains('.') {
            causes.push(cause(
                "spec.group",
                format!("Invalid value: {group:?}: should be a domain with at least one dot"),
            ));
        }
    }
    match text(&["spec", "scope"]) {
        "Namespaced" | "Cluster" => {}
        "" => causes.push(cause("spec.scope", "Required value")),
        other => causes.push(cause(
            "spec.scope",
            format!("Unsupported value: {other:?}: supported values: \"Cluster\", \"Namespaced\""),
        )),
    }
    let empty: &[Value] = &[];
    let versions = value
        .path(&["spec", "versions"])
        .and_then(Value::as_list)
        .unwrap_or(empty);
    check_versions(versions, &mut causes);
    check_names(value, &mut causes);
    let hoisted = same_everywhere(versions);
    let mut made = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let base = format!("spec.versions[{index}]");
        let at = if hoisted {
            "spec.validation.openAPIV3Schema".to_owned()
        } else {
            format!("{base}.schema.openAPIV3Schema")
        };
        let schema = match version.path(&["schema", "openAPIV3Schema"]) {
            None => {
                causes.push(cause(
                    format!("{base}.schema.openAPIV3Schema"),
                    "Required value: schemas are required",
                ));
                continue;
            }
            Some(_) if hoisted && index > 0 => version.path(&["schema", "openAPIV3Schema"]),
            some => some,
        };
        match parse::parse(schema.unwrap_or(&Value::Null), &at) {
            Ok(schema) => made.push((version, Some(schema))),
            Err(faults) => {
                if !(hoisted && index > 0) {
                    causes.extend(faults.into_iter().map(|one| cause(one.field, one.message)));
                }
                made.push((version, None));
            }
        }
        check_columns(version, &base, hoisted, &mut causes);
    }
    if !causes.is_empty() {
        return Err(causes);
    }
    let served = made
        .into_iter()
        .filter_map(|(version, schema)| schema.map(|schema| (version, schema)));
    definition(value, served.collect()).ok_or_else(|| {
        let most = catalogue::MORE_THAN.with(&[("most", &kinds::CUSTOM_KINDS_MAX)]);
        let most = most.and("what", catalogue::CUSTOM_KINDS.plain());
        vec![cause("spec.names", Passage::from("Forbidden: ").then(most))]
    })
}

fn check_versions(versions: &[Value], causes: &mut Vec<Cause>) {
    if versions.is_empty() {
        causes.push(cause(
            "spec.versions",
            "Invalid value: null: must have exactly one version marked as storage version",
        ));
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let own = version.str_at(&["name"]).unwrap_or("");
        let at = format!("spec.versions[{index}].name");
        if own.is_empty() {
            causes.push(cause(&at, "Required value"));
        } else if seen.contains(&own) {
            causes.push(cause(
                "spec.versions",
                format!("Invalid value: {own:?}: must contain unique version names"),
            ));
        } else {
            for detail in name::label_1035(own) {
                causes.push(cause(&at, format!("Invalid value: {own:?}: {detail}")));
            }
        }
        seen.push(own);
    }
    let stored = versions
        .iter()
        .filter(|version| version.get("storage").and_then(Value::as_bool) == Some(true))
        .count();
    if stored != 1 {
        let shown = crate::object::print::json(
            &Value::list(versions.to_vec()),
            crate::object::print::KeyOrder::Sorted,
        );
        causes.push(cause(
            "spec.versions",
            format!(
                "Invalid value: {shown}: must have exactly one version marked as storage version"
            ),
        ));
    }
}

fn check_names(value: &Value, causes: &mut Vec<Cause>) {
    let names = ["spec", "names"];
    let text = |key: &str| value.str_at(&[names[0], names[1], key]).unwrap_or("");
    for key in ["plural", "singular", "kind", "listKind"] {
        let own = text(key);
        let at = format!("spec.names.{key}");
        if own.is_empty() {
            causes.push(cause(&at, "Required value"));
            continue;
        }
        for detail in name::label_1035(&own.to_lowercase()) {
            causes.push(cause(&at, format!("Invalid value: {own:?}: {detail}")));
        }
    }
    let plural = text("plural");
    if plural != plural.to_lowercase() {
        causes.push(cause(
            "spec.names.plural",
            format!("Invalid value: {plural:?}: must be all lowercase"),
        ));
    }
    if !text("kind").is_empty() && text("kind") == text("listKind") {
        causes.push(cause(
            "spec.names.listKind",
            format!(
                "Invalid value: {:?}: kind and listKind may not be the same",
                text("listKind")
            ),
        ));
    }
    let short = value
        .path(&["spec", "names", "shortNames"])
        .and_then(Value::as_list)
        .unwrap_or(&[]);
    for (index, one) in short.iter().enumerate() {
        let one = one.as_str().unwrap_or("");
        for detail in name::label_1035(one) {
            causes.push(cause(
                format!("spec.names.shortNames[{index}]"),
                format!("Invalid value: {one:?}: {detail}"),
            ));
        }
    }
}

/// Whether all versions share schema, columns and subresources: the server then keeps them once, and
/// its messages name them there.
fn same_everywhere(versions: &[Value]) -> bool {
    versions.windows(2).all(|pair| {
        ["schema", "subresources", "additionalPrinterColumns"]
            .iter()
            .all(|key| pair[0].get(key) == pair[1].get(key))
    })
}

fn check_columns(version: &Value, base: &str, hoisted: bool, causes: &mut Vec<Cause>) {
    let prefix = if hoisted { "spec" } else { base };
    for (index, column) in columns_of(version).iter().enumerate() {
        let at = format!("{prefix}.additionalPrinterColumns[{index}]");
        let text = |key: &str| column.str_at(&[key]).unwrap_or("");
        if text("name").is_empty() {
            causes.push(cause(format!("{at}.name"), "Required value"));
        }
        match text("type") {
            "integer" | "number" | "string" | "boolean" | "date" => {}
            "" => causes.push(cause(
                format!("{at}.type"),
                "Required value: must be one of boolean,date,integer,number,string",
            )),
            other => causes.push(cause(
                format!("{at}.type"),
                format!(
                    "Invalid value: {other:?}: must be one of boolean,date,integer,number,string"
                ),
            )),
        }
        if text("jsonPath").is_empty() {
            causes.push(cause(format!("{at}.JSONPath"), "Required value"));
        } else if !text("jsonPath").starts_with('.') {
            causes.push(cause(
                format!("{at}.JSONPath"),
                format!(
                    "Invalid value: {:?}: must be a simple json path starting with .",
                    text("jsonPath")
                ),
            ));
        }
    }
}

fn columns_of(version: &Value) -> &[Value] {
    version
        .get("additionalPrinterColumns")
        .and_then(Value::as_list)
        .unwrap_or(&[])
}

fn definition(value: &Value, versions: Vec<(&Value, Structural)>) -> Option<Definition> {
    let text = |path: &[&str]| value.str_at(path).unwrap_or("");
    let list = |path: &[&str]| -> Vec<String> {
        value
            .path(path)
            .and_then(Value::as_list)
            .unwrap_or(&[])
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let (group, plural) = (text(&["spec", "group"]), text(&["spec", "names", "plural"]));
    let kind = text(&["spec", "names", "kind"]);
    let short = list(&["spec", "names", "shortNames"]);
    let short: Vec<&str> = short.iter().map(String::as_str).collect();
    let namespaced = text(&["spec", "scope"]) == "Namespaced";
    let mut made = Vec::new();
    for (version, schema) in versions {
        let own = version.str_at(&["name"]).unwrap_or("");
        let on = |key: &str| version.get(key).and_then(Value::as_bool) == Some(true);
        let api_version = format!("{group}/{own}");
        let warning = on("deprecated").then(|| {
            version.str_at(&["deprecationWarning"]).map_or_else(
                || format!("{api_version} {kind} is deprecated"),
                str::to_owned,
            )
        });
        let columns = columns_of(version).iter().filter_map(column).collect();
        let fields = version.get("selectableFields").and_then(Value::as_list);
        let fields = fields.unwrap_or(&[]).iter();
        let selectable = fields.filter_map(|field| field.str_at(&["jsonPath"]));
        let selectable = selectable.map(|path| path.trim_start_matches('.').to_owned());
        let selectable = selectable.collect();
        let scale = version.path(&["subresources", "scale"]).map(|scale| {
            let path = |key: &str| scale.str_at(&[key]).map(split_path);
            ScalePaths {
                spec: path("specReplicasPath").unwrap_or_default(),
                status: path("statusReplicasPath").unwrap_or_default(),
                selector: path("labelSelectorPath"),
            }
        });
        made.push(Version {
            kind: kinds::custom(&api_version, kind, plural, &short, namespaced)?,
            served: on("served"),
            schema: Arc::new(schema),
            columns,
            selectable,
            status: version.path(&["subresources", "status"]).is_some(),
            scale,
            warning,
        });
    }
    made.arrange_by_key(|version| {
        let own = version.kind.api_version.rsplit('/').next().unwrap_or("");
        std::cmp::Reverse(version_rank(own))
    });
    Some(Definition {
        resource: format!("{plural}.{group}").into(),
        singular: text(&["spec", "names", "singular"]).to_owned(),
        categories: list(&["spec", "names", "categories"]),
        versions: made,
    })
}

fn column(column: &Value) -> Option<PrinterColumn> {
    let text = |key: &str| column.str_at(&[key]).unwrap_or("");
    Some(PrinterColumn {
        header: text("name").to_uppercase(),
        kind: text("type").to_owned(),
        path: Template::relaxed(text("jsonPath")).ok()?,
        wide: column.i64_at(&["priority"]).unwrap_or(0) > 0,
    })
}

/// The status of a definition that is written: its storage version is one of those stored.
/// Source: `…/pkg/registry/customresourcedefinition/strategy.go` (`PrepareForUpdate`).
pub fn remember(mut status: Value, value: &Value) -> Value {
    let mut stored = versions_of(&status);
    let storage = storage(value).filter(|name| !stored.contains(name));
    stored.extend(storage.cloned());
    status.set("storedVersions", Value::list(stored));
    status
}

fn versions_of(status: &Value) -> Vec<Value> {
    let stored = status.get("storedVersions").and_then(Value::as_list);
    stored.unwrap_or(&[]).to_vec()
}

fn versions(value: &Value) -> &[Value] {
    let versions = value.path(&["spec", "versions"]);
    versions.and_then(Value::as_list).unwrap_or(&[])
}

/// The version that is stored.
fn storage(value: &Value) -> Option<&Value> {
    let on = |version: &&Value| version.get("storage").and_then(Value::as_bool) == Some(true);
    versions(value).iter().find(on)?.get("name")
}

/// What is wrong with the versions that a status says are stored.
/// Source: `…/validation/validation.go` (`ValidateCustomResourceDefinitionStoredVersions`).
pub fn check_stored(status: &Value, value: &Value) -> Vec<Cause> {
    const FIELD: &str = "status.storedVersions";
    let stored = versions_of(status);
    let mut causes = Vec::new();
    if stored.is_empty() {
        let message = "Invalid value: null: must have at least one stored version";
        causes.push(cause(FIELD, message));
    }
    if let Some(name) = storage(value).filter(|name| !stored.contains(name)) {
        let name = name.as_str().unwrap_or("");
        let message = format!("Invalid value: {name:?}: must have the storage version {name}");
        causes.push(cause(FIELD, message));
    }
    for (at, version) in stored.iter().enumerate() {
        if !versions(value)
            .iter()
            .any(|one| one.get("name") == Some(version))
        {
            let name = version.as_str().unwrap_or("");
            let message = format!(
                "Invalid value: {name:?}: missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            causes.push(cause(format!("{FIELD}[{at}]"), message));
        }
    }
    causes
}

/// A definition's status as it is read: what was written, with what the server's own controllers write.
/// They take milliseconds; here they have looked at once.
pub fn status(value: &Value, created: crate::base::time::SimTime, deleting: bool) -> Value {
    let condition = |kind: &str, reason: &str, message: &str| {
        Value::object([
            ("lastTransitionTime", time(created)),
            ("message", message.into()),
            ("reason", reason.into()),
            ("status", "True".into()),
            ("type", kind.into()),
        ])
    };
    let mut own = vec![
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition(
            "Established",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
    ];
    if deleting {
        own.push(condition(
            "Terminating",
            "InstanceDeletionInProgress",
            "CustomResource deletion is in progress",
        ));
    }
    let mut status = remember(value.get("status").cloned().unwrap_or_default(), value);
    let written = status.get("conditions").and_then(Value::as_list);
    let mut conditions = written.unwrap_or(&[]).to_vec();
    for condition in own {
        let same = |one: &&mut Value| one.get("type") == condition.get("type");
        match conditions.iter_mut().find(same) {
            Some(old) => *old = condition,
            None => conditions.push(condition),
        }
    }
    let names = value.path(&["spec", "names"]).cloned();
    status.set("acceptedNames", names.unwrap_or_else(Value::map));
    status.set("conditions", Value::list(conditions));
    status
}
