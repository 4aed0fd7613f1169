//! Budgets, limits, quotas, classes, claims, ingresses and roles.
//! Sources: `pkg/apis/{policy,core,scheduling,storage,networking,rbac}/validation/validation.go`.

use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::manifest::decode::kube::{fault, meta, name};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::tree::Node;

use super::{items, needed, number, one_of, shown, text};

/// Source: `IsWildcardDNS1123Subdomain` in `apimachinery/pkg/util/validation/validation.go`.
const WILDCARD: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// `spec` of a PodDisruptionBudget.
#[inline(never)]
pub fn budget(spec: &Field<'_>, scribe: &Scribe) {
    let (least, most) = (spec.peek("minAvailable"), spec.peek("maxUnavailable"));
    if least.exists() && most.exists() {
        fault::invalid(
            scribe,
            spec,
            shown(spec),
            "minAvailable and maxUnavailable cannot be both set",
        );
    }
    for field in [&least, &most] {
        count_or_percent(field, scribe);
    }
    meta::selector(&spec.peek("selector"), scribe);
    one_of(
        &spec.peek("unhealthyPodEvictionPolicy"),
        &["AlwaysAllow", "IfHealthyBudget"],
        scribe,
    );
}

fn count_or_percent(field: &Field<'_>, scribe: &Scribe) {
    if let Some(found) = number(field) {
        if found < 0 {
            fault::invalid(scribe, field, found, "must be greater than or equal to 0");
        }
        return;
    }
    if !field.exists() {
        return;
    }
    let written = text(field);
    let percent = written
        .strip_suffix('%')
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    match percent.map(str::parse::<u32>) {
        Some(Ok(percent)) if percent <= 100 => {}
        Some(_) => fault::invalid(
            scribe,
            field,
            format!("{written:?}"),
            "must not be greater than 100%",
        ),
        None => fault::invalid(
            scribe,
            field,
            format!("{written:?}"),
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
    }
}

/// Amounts of a resource list by name.
fn amounts<'n>(field: &Field<'n>) -> Vec<(String, Field<'n>, Option<Quantity>)> {
    let map = field.node.and_then(Node::as_map).unwrap_or(&[]);
    map.iter()
        .map(|entry| {
            let name = entry.key.text.to_string();
            let at = Field::at(&entry.value, format!("{}[{name}]", field.path));
            let written = match entry.value.as_str() {
                Some(text) => text.to_owned(),
                None => shown(&at),
            };
            let amount = Quantity::parse(&written).ok();
            (name, at, amount)
        })
        .collect()
}

/// `spec` of a LimitRange.
#[inline(never)]
pub fn limit_range(spec: &Field<'_>, scribe: &Scribe) {
    let mut seen: Vec<&str> = Vec::new();
    for limit in items(&spec.peek("limits")) {
        let kind = limit.peek("type");
        if seen.contains(&text(&kind)) {
            fault::duplicate(scribe, &kind, format!("{:?}", text(&kind)));
        }
        seen.push(text(&kind));
        let (most, least) = (limit.peek("max"), limit.peek("min"));
        let (default, request) = (limit.peek("default"), limit.peek("defaultRequest"));
        if text(&kind) == "Pod" {
            for field in [&default, &request] {
                if field.exists() {
                    fault::forbidden(scribe, field, "may not be specified when `type` is 'Pod'");
                }
            }
        }
        if text(&kind) == "PersistentVolumeClaim" && !most.exists() && !least.exists() {
            let detail =
                "either minimum or maximum storage value is required, but neither was provided";
            fault::required(scribe, &limit, detail);
        }
        let find = |field: &Field<'_>, name: &str| {
            amounts(field)
                .into_iter()
                .find(|(found, _, _)| found == name)
                .and_then(|(_, at, amount)| Some((shown_plain(&at), amount?)))
        };
        let mut names: Vec<String> = [&most, &least, &default, &request]
            .into_iter()
            .flat_map(|field| amounts(field).into_iter().map(|(name, _, _)| name))
            .collect();
        names.arrange();
        names.dedup();
        for name in names {
            let pairs = [
                (&least, &most, "min", "max", "min"),
                (&request, &most, "defaultRequest", "max", "default request"),
                (
                    &request,
                    &default,
                    "defaultRequest",
                    "default",
                    "default request",
                ),
                (&default, &most, "default", "max", "default"),
                (&least, &request, "defaultRequest", "default request", "min"),
                (&least, &default, "default", "default", "min"),
            ];
            for (low, high, field, high_word, low_word) in pairs {
                let (Some((low_text, low)), Some((high_text, high))) =
                    (find(low, &name), find(high, &name))
                else {
                    continue;
                };
                if low.milli_value() > high.milli_value() {
                    let at = limit.peek(field);
                    let path = format!("{}[{name}]", at.path);
                    let at = Field { path, ..at };
                    let written =
                        if low_word == "min" && matches!(field, "default" | "defaultRequest") {
                            &high_text
                        } else {
                            &low_text
                        };
                    fault::invalid(
                        scribe,
                        &at,
                        format!("{written:?}"),
                        &format!(
                            "{low_word} value {low_text} is greater than {high_word} value {high_text}"
                        ),
                    );
                }
            }
        }
    }
}

fn shown_plain(field: &Field<'_>) -> String {
    let written = match field.node.and_then(Node::as_str) {
        Some(text) => text.to_owned(),
        None => shown(field),
    };
    Quantity::parse(&written).map_or(written, |amount| amount.canonical())
}

/// Standard names of a quota. Source: `pkg/apis/core/helper/helpers.go`.
const QUOTA_NAMES: [&str; 22] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
    "storage",
    "requests.hugepages",
    "count",
];

/// `spec` of a ResourceQuota.
#[inline(never)]
pub fn quota(spec: &Field<'_>, scribe: &Scribe) {
    for (resource, at, amount) in amounts(&spec.peek("hard")) {
        let is_known = resource.contains('/')
            || QUOTA_NAMES.contains(&&*resource)
            || resource.starts_with("hugepages-")
            || resource.starts_with("requests.hugepages-");
        if !is_known {
            for detail in [
                "must be a standard resource type or fully qualified",
                "must be a standard resource for quota",
            ] {
                fault::invalid(scribe, &at, format!("{resource:?}"), detail);
            }
        }
        if let Some(amount) = amount
            && amount.milli_value() < 0
        {
            fault::invalid(
                scribe,
                &at,
                format!("{:?}", amount.canonical()),
                "must be greater than or equal to 0",
            );
        }
    }
    let words = [
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    ];
    for scope in items(&spec.peek("scopes")) {
        if !words.contains(&text(&scope)) {
            let at = spec.peek("scopes");
            fault::invalid(scribe, &at, shown(&at), "unsupported scope");
        }
    }
}

/// Highest value of a class that people make; the system's own are above.
const PRIORITY_MAX: i64 = 1_000_000_000;

/// A PriorityClass.
#[inline(never)]
pub fn priority_class(object: &Field<'_>, scribe: &Scribe) {
    let (value, own) = (object.peek("value"), object.peek("metadata").peek("name"));
    if text(&own).starts_with("system-")
        && !matches!(
            text(&own),
            "system-cluster-critical" | "system-node-critical"
        )
    {
        fault::forbidden(
            scribe,
            &own,
            "priority class names with 'system-' prefix are reserved for system use only. error: only system priority classes can start with `system-`",
        );
    } else if number(&value).is_some_and(|found| found > PRIORITY_MAX)
        && !text(&own).starts_with("system-")
    {
        fault::forbidden(
            scribe,
            &value,
            &format!("maximum allowed value of a user defined priority is {PRIORITY_MAX}"),
        );
    }
    one_of(
        &object.peek("preemptionPolicy"),
        &["PreemptLowerPriority", "Never"],
        scribe,
    );
}

const MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

/// `spec` of a PersistentVolumeClaim.
#[inline(never)]
pub fn claim(spec: &Field<'_>, scribe: &Scribe) {
    let modes = spec.peek("accessModes");
    if items(&modes).is_empty() {
        fault::required(scribe, &modes, "at least 1 access mode is required");
    }
    for mode in items(&modes) {
        if !MODES.contains(&text(&mode)) {
            let at = Field {
                path: modes.path.clone(),
                ..mode.clone()
            };
            fault::unsupported(scribe, &at, text(&mode), &MODES);
        }
    }
    let found = amounts(&spec.peek("resources").peek("requests"));
    match found.iter().find(|(name, _, _)| name == "storage") {
        None => {
            let at = spec.peek("resources");
            let path = format!("{}[storage]", at.path);
            fault::required(scribe, &Field { path, ..at }, "");
        }
        Some((_, at, Some(amount))) if amount.milli_value() <= 0 => {
            let path = format!("{}[storage]", spec.peek("resources").path);
            let at = Field { path, ..at.clone() };
            fault::invalid(
                scribe,
                &at,
                format!("{:?}", amount.canonical()),
                "must be greater than zero",
            );
        }
        Some(_) => {}
    }
    one_of(&spec.peek("volumeMode"), &["Block", "Filesystem"], scribe);
}

/// `spec` of a PersistentVolume.
#[inline(never)]
pub fn volume(spec: &Field<'_>, scribe: &Scribe) {
    let modes = spec.peek("accessModes");
    if items(&modes).is_empty() {
        fault::required(scribe, &modes, "");
    }
    for mode in items(&modes) {
        one_of(&mode, &MODES, scribe);
    }
    let capacity = spec.peek("capacity");
    if !capacity.exists() {
        fault::required(scribe, &capacity, "");
    }
    for (_, at, amount) in amounts(&capacity) {
        if let Some(amount) = amount.filter(|amount| amount.milli_value() <= 0) {
            let shown = format!("{:?}", amount.canonical());
            fault::invalid(scribe, &at, shown, "must be greater than zero");
        }
    }
    let path = spec.peek("hostPath").peek("path");
    if text(&path).split('/').any(|part| part == "..") {
        let shown = format!("{:?}", text(&path));
        fault::invalid(scribe, &path, shown, "must not contain '..'");
    }
    one_of(
        &spec.peek("persistentVolumeReclaimPolicy"),
        &["Delete", "Recycle", "Retain"],
        scribe,
    );
    const OTHERS: [&str; 9] = [
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeMode",
        "volumeAttributesClassName",
    ];
    let map = spec.node.and_then(Node::as_map).unwrap_or(&[]);
    let sources: Vec<&str> = map
        .iter()
        .map(|entry| &*entry.key.text)
        .filter(|key| !OTHERS.contains(key))
        .collect();
    match sources.as_slice() {
        [] => fault::required(scribe, spec, "must specify a volume type"),
        [_] => {}
        [_, rest @ ..] => {
            for key in rest {
                let at = spec.peek(key);
                fault::forbidden(scribe, &at, "may not specify more than 1 volume type");
            }
        }
    }
    let local = spec.peek("local");
    if local.exists() && !spec.peek("nodeAffinity").exists() {
        fault::required(
            scribe,
            &spec.peek("nodeAffinity"),
            "Local volume requires node affinity",
        );
    }
}

/// A StorageClass.
#[inline(never)]
pub fn storage_class(object: &Field<'_>, scribe: &Scribe) {
    needed(&object.peek("provisioner"), "", scribe);
    one_of(&object.peek("reclaimPolicy"), &["Delete", "Retain"], scribe);
    one_of(
        &object.peek("volumeBindingMode"),
        &["Immediate", "WaitForFirstConsumer"],
        scribe,
    );
}

/// `spec` of an Ingress.
#[inline(never)]
pub fn ingress(spec: &Field<'_>, scribe: &Scribe) {
    let (rules, default) = (spec.peek("rules"), spec.peek("defaultBackend"));
    if items(&rules).is_empty() && !default.exists() {
        fault::invalid(
            scribe,
            spec,
            shown(spec),
            "either `defaultBackend` or `rules` must be specified",
        );
    }
    if default.exists() {
        backend(&default, scribe);
    }
    for rule in items(&rules) {
        let host = rule.peek("host");
        let plain = text(&host);
        if host.exists() && !plain.is_empty() {
            if plain.parse::<std::net::IpAddr>().is_ok() {
                fault::invalid(
                    scribe,
                    &host,
                    format!("{plain:?}"),
                    "must be a DNS name, not an IP address",
                );
            } else if plain.contains('*') {
                let bare = plain.strip_prefix("*.");
                if bare.is_none_or(|bare| !name::subdomain(bare).is_empty()) {
                    fault::invalid(scribe, &host, format!("{plain:?}"), WILDCARD);
                }
            } else {
                for detail in name::subdomain(plain) {
                    fault::invalid(scribe, &host, format!("{plain:?}"), &detail);
                }
            }
        }
        let paths = rule.peek("http").peek("paths");
        if rule.peek("http").exists() && items(&paths).is_empty() {
            fault::required(scribe, &paths, "");
        }
        for path in items(&paths) {
            let (kind, written) = (path.peek("pathType"), path.peek("path"));
            match text(&kind) {
                "Exact" | "Prefix" => {
                    if !text(&written).starts_with('/') {
                        fault::invalid(
                            scribe,
                            &written,
                            format!("{:?}", text(&written)),
                            "must be an absolute path",
                        );
                    }
                }
                "ImplementationSpecific" => {}
                "" => {
                    // The schema has said that it is missing.
                    if kind.exists() {
                        fault::required(scribe, &kind, "pathType must be specified");
                    }
                    continue;
                }
                other => fault::unsupported(
                    scribe,
                    &kind,
                    other,
                    &["Exact", "ImplementationSpecific", "Prefix"],
                ),
            }
            backend(&path.peek("backend"), scribe);
        }
    }
}

fn backend(backend: &Field<'_>, scribe: &Scribe) {
    let (service, resource) = (backend.peek("service"), backend.peek("resource"));
    if service.exists() && resource.exists() {
        fault::invalid(
            scribe,
            backend,
            "\"\"",
            "cannot set both resource and service backends",
        );
        return;
    }
    if !service.exists() {
        if !resource.exists() && backend.exists() {
            fault::required(
                scribe,
                backend,
                "must specify either a resource or a service backend",
            );
        }
        return;
    }
    needed(&service.peek("name"), "", scribe);
    let port = service.peek("port");
    let (by_name, by_number) = (port.peek("name"), port.peek("number"));
    if by_name.exists() && by_number.exists() {
        fault::invalid(
            scribe,
            backend,
            "\"\"",
            "cannot set both port name & port number",
        );
    } else if !by_name.exists() && !by_number.exists() {
        fault::required(scribe, backend, "port name or number is required");
    } else if let Some(found) = number(&by_number).filter(|found| !(1..=65_535).contains(found)) {
        fault::invalid(
            scribe,
            &by_number,
            found,
            "must be between 1 and 65535, inclusive",
        );
    }
}

/// A RoleBinding or ClusterRoleBinding.
#[inline(never)]
pub fn binding(object: &Field<'_>, scribe: &Scribe) {
    let role = object.peek("roleRef");
    let kinds: &[&str] = if text(&object.peek("kind")) == "ClusterRoleBinding" {
        &["ClusterRole"]
    } else {
        &["Role", "ClusterRole"]
    };
    one_of(&role.peek("kind"), kinds, scribe);
    if role.exists() {
        needed(&role.peek("name"), "", scribe);
    }
    for subject in items(&object.peek("subjects")) {
        needed(&subject.peek("name"), "", scribe);
        let kind = subject.peek("kind");
        match text(&kind) {
            "ServiceAccount" => {
                let in_namespace = object.peek("roleRef").exists()
                    && object.peek("metadata").peek("namespace").exists();
                if !in_namespace {
                    needed(&subject.peek("namespace"), "", scribe);
                }
            }
            "User" | "Group" => {}
            other => fault::unsupported(scribe, &kind, other, &["ServiceAccount", "User", "Group"]),
        }
    }
}

/// A Role or ClusterRole.
#[inline(never)]
pub fn role(object: &Field<'_>, namespaced: bool, scribe: &Scribe) {
    for rule in items(&object.peek("rules")) {
        let filled = |key: &str| !items(&rule.peek(key)).is_empty();
        if !filled("verbs") {
            fault::required(
                scribe,
                &rule.peek("verbs"),
                "verbs must contain at least one value",
            );
        }
        if filled("nonResourceURLs") {
            if namespaced {
                let at = rule.peek("nonResourceURLs");
                fault::invalid(
                    scribe,
                    &at,
                    shown(&at),
                    "namespaced rules cannot apply to non-resource URLs",
                );
            }
            if filled("resources") || filled("apiGroups") || filled("resourceNames") {
                let at = rule.peek("nonResourceURLs");
                fault::invalid(
                    scribe,
                    &at,
                    shown(&at),
                    "rules cannot apply to both regular resources and non-resource URLs",
                );
            }
            continue;
        }
        if !filled("apiGroups") {
            fault::required(
                scribe,
                &rule.peek("apiGroups"),
                "resource rules must supply at least one api group",
            );
        }
        if !filled("resources") {
            fault::required(
                scribe,
                &rule.peek("resources"),
                "resource rules must supply at least one resource",
            );
        }
    }
}
