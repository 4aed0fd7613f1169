//! What the server checks of pods beside what a loop reads.
//! Source: `pkg/apis/core/validation/validation.go`.

use std::net::IpAddr;

use crate::manifest::decode::kube::{fault, name};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::tree::Node;

use super::{items, number, one_of, shown, text};

/// Fields of a pod that a variable can show.
const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields that there are, and that a variable cannot show.
const OTHER_FIELDS: [&str; 7] = [
    "metadata.annotations",
    "metadata.labels",
    "spec.hostNetwork",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.nominatedNodeName",
    "status.phase",
];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const SOURCES: [&str; 5] = [
    "configMapKeyRef",
    "fieldRef",
    "fileKeyRef",
    "resourceFieldRef",
    "secretKeyRef",
];
const POSITIVE: &str = "must be between 1 and 2147483647, inclusive";
const IDENTIFIER: &str = "must be between 0 and 2147483647, inclusive";

/// `dnsConfig` of a pod. Source: `validatePodDNSConfig`.
fn dns(field: &Field<'_>, policy: &str, scribe: &Scribe) {
    /// Most name servers, most search paths, most characters of these with the spaces between them.
    const BOUNDS: (usize, usize, usize) = (3, 32, 2048);
    let (servers, searches) = (field.peek("nameservers"), field.peek("searches"));
    if policy == "None" && items(&servers).is_empty() {
        let detail = "must provide at least one DNS nameserver when `dnsPolicy` is \"None\"";
        fault::required(scribe, &servers, detail);
        return;
    }
    if items(&servers).len() > BOUNDS.0 {
        let detail = format!("must not have more than {} nameservers", BOUNDS.0);
        fault::invalid(scribe, &servers, shown(&servers), &detail);
    }
    for server in items(&servers) {
        let found = text(&server);
        if found.parse::<IpAddr>().is_err() {
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            fault::invalid(scribe, &server, format!("{found:?}"), detail);
        }
    }
    let all = items(&searches);
    let length = all.iter().map(|one| text(one).len() + 1).sum::<usize>();
    if all.len() > BOUNDS.1 {
        let detail = format!("must not have more than {} search paths", BOUNDS.1);
        fault::invalid(scribe, &searches, shown(&searches), &detail);
    }
    if length > BOUNDS.2 + 1 {
        let detail = format!(
            "must not have more than {} characters (including spaces) in the search list",
            BOUNDS.2
        );
        fault::invalid(scribe, &searches, shown(&searches), &detail);
    }
    for search in all.iter().filter(|one| text(one) != ".") {
        let found = text(search).strip_suffix('.').unwrap_or(text(search));
        for detail in name::subdomain_with_underscores(found) {
            fault::invalid(scribe, search, format!("{found:?}"), &detail);
        }
    }
    for option in items(&field.peek("options")) {
        if text(&option.peek("name")).is_empty() {
            fault::required(scribe, &option, "must not be empty");
        }
    }
}

/// `spec` of a pod.
pub fn spec(field: &Field<'_>, scribe: &Scribe) {
    let policy = field.peek("dnsPolicy");
    let words = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(&policy, &words, scribe);
    dns(&field.peek("dnsConfig"), text(&policy), scribe);
    let deadline = field.peek("activeDeadlineSeconds");
    if let Some(seconds) = number(&deadline).filter(|seconds| !is_natural(*seconds, 1)) {
        fault::invalid(scribe, &deadline, seconds, POSITIVE);
    }
    for key in ["hostname", "subdomain"] {
        let found = field.peek(key);
        for detail in Some(text(&found))
            .filter(|text| !text.is_empty())
            .map(name::label)
            .unwrap_or_default()
        {
            fault::invalid(scribe, &found, format!("{:?}", text(&found)), &detail);
        }
    }
    let whole = field.peek("hostnameOverride");
    if !text(&whole).is_empty() {
        for key in ["setHostnameAsFQDN", "hostNetwork"] {
            let other = field.peek(key).node.map(Node::to_value);
            if other.and_then(|value| value.as_bool()) == Some(true) {
                let detail = format!("may not be specified when {key} is true");
                fault::forbidden(scribe, &whole, &detail);
            }
        }
        for detail in name::subdomain(text(&whole)) {
            fault::invalid(scribe, &whole, format!("{:?}", text(&whole)), &detail);
        }
    }
    identifiers(&field.peek("securityContext"), scribe);
    for list in ["initContainers", "containers"] {
        for one in items(&field.peek(list)) {
            container(&one, scribe);
            sizing(&one, text(&field.peek("restartPolicy")), scribe);
            if list == "initContainers" && text(&one.peek("restartPolicy")) != "Always" {
                passing(&one, scribe);
            }
        }
    }
}

/// Whether containers restart when they get another size. Source: `validateResizePolicy`.
fn sizing(one: &Field<'_>, restart: &str, scribe: &Scribe) {
    let list = one.peek("resizePolicy");
    let mut known: Vec<String> = Vec::new();
    for item in items(&list) {
        let pairs = [
            ("resourceName", ["cpu", "memory"]),
            ("restartPolicy", ["NotRequired", "RestartContainer"]),
        ];
        let [resource, policy] = pairs.map(|(key, _)| item.peek(key));
        let [resource, policy] = [text(&resource), text(&policy)];
        if known.iter().any(|known| known == resource) {
            fault::duplicate(scribe, &item, format!("{resource:?}"));
        }
        known.push(resource.to_owned());
        for (word, (_, words)) in [resource, policy].into_iter().zip(pairs) {
            if word.is_empty() {
                fault::required(scribe, &list, "");
            } else if !words.contains(&word) {
                fault::unsupported(scribe, &list, word, &words);
            }
        }
        if restart == "Never" && policy != "NotRequired" {
            let detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            fault::invalid(scribe, &list, format!("{policy:?}"), detail);
        }
    }
}

/// What an init container that is no sidecar may not have. Source: `validateInitContainers`.
fn passing(one: &Field<'_>, scribe: &Scribe) {
    for key in [
        "lifecycle",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
    ] {
        let found = one.peek(key);
        if found.exists() {
            let detail = "may not be set for init containers without restartPolicy=Always";
            fault::forbidden(scribe, &found, detail);
        }
    }
    for item in items(&one.peek("resizePolicy")) {
        let policy = item.peek("restartPolicy");
        if text(&policy) == "RestartContainer" {
            let detail = "must not be set to 'RestartContainer' for non-sidecar initContainers";
            fault::invalid(scribe, &policy, "\"RestartContainer\"", detail);
        }
    }
}

fn is_natural(number: i64, least: i64) -> bool {
    (least..=i64::from(i32::MAX)).contains(&number)
}

fn identifiers(context: &Field<'_>, scribe: &Scribe) {
    for key in ["runAsUser", "runAsGroup", "fsGroup"] {
        let found = context.peek(key);
        if let Some(id) = number(&found).filter(|id| !is_natural(*id, 0)) {
            fault::invalid(scribe, &found, id, IDENTIFIER);
        }
    }
}

fn container(one: &Field<'_>, scribe: &Scribe) {
    for variable in items(&one.peek("env")) {
        let named = variable.peek("name");
        if text(&named).contains('=') || !text(&named).bytes().all(|byte| (32..127).contains(&byte))
        {
            let detail = "a valid environment variable name must consist only of printable ASCII characters other than '='";
            fault::invalid(scribe, &named, format!("{:?}", text(&named)), detail);
        }
        let from = variable.peek("valueFrom");
        if from.exists() && text(&variable.peek("value")).is_empty() {
            source(&from, scribe);
        }
    }
    for from in items(&one.peek("envFrom")) {
        for key in ["configMapRef", "secretRef"] {
            let reference = from.peek(key);
            if reference.exists() && text(&reference.peek("name")).is_empty() {
                fault::required(scribe, &reference.peek("name"), "");
            }
        }
    }
    let context = one.peek("securityContext");
    identifiers(&context, scribe);
    let is = |key: &str, wanted: &str| shown(&context.peek(key)) == wanted;
    if is("privileged", "true") && is("allowPrivilegeEscalation", "false") {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        fault::invalid(scribe, &context, shown(&context), detail);
    }
}

fn source(from: &Field<'_>, scribe: &Scribe) {
    let found = SOURCES.iter().filter(|key| from.peek(key).exists());
    match found.count() {
        0 => fault::invalid(
            scribe,
            from,
            "\"\"",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        ),
        1 => {}
        _ => fault::invalid(
            scribe,
            from,
            "\"\"",
            "may not have more than one field specified at a time",
        ),
    }
    for key in ["configMapKeyRef", "secretKeyRef"] {
        let reference = from.peek(key);
        for part in ["name", "key"] {
            if reference.exists() && text(&reference.peek(part)).is_empty() {
                fault::required(scribe, &reference.peek(part), "");
            }
        }
    }
    let field = from.peek("fieldRef");
    if field.exists() {
        path(&field.peek("fieldPath"), scribe);
    }
    let resource = from.peek("resourceFieldRef");
    if resource.exists() {
        let named = resource.peek("resource");
        let word = text(&named);
        if word.is_empty() {
            fault::required(scribe, &named, "");
        } else if !RESOURCES.contains(&word) && !word.contains(".hugepages-") {
            fault::unsupported(scribe, &named, word, &RESOURCES);
        }
    }
}

fn path(field: &Field<'_>, scribe: &Scribe) {
    let found = text(field);
    let subscript = found
        .strip_suffix("']")
        .and_then(|rest| rest.split_once("['"))
        .map(|(map, _)| map);
    if found.is_empty() {
        fault::required(scribe, field, "");
        return;
    }
    let map = matches!(subscript, Some("metadata.labels" | "metadata.annotations"));
    if map || ENV_FIELDS.contains(&found) {
        return;
    }
    if OTHER_FIELDS.contains(&found) {
        fault::unsupported(scribe, field, found, &ENV_FIELDS);
    } else {
        let detail = format!("error converting fieldPath: field label not supported: {found}");
        fault::invalid(scribe, field, format!("{found:?}"), &detail);
    }
}
