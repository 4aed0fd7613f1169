//! Pod security levels, as a namespace's label asks for them.
//! Source: `staging/src/k8s.io/pod-security-admission/policy`.

use crate::base::arrange::Arrange;
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Label of a namespace that says which level is enforced.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
const ENFORCE_VERSION: &str = "pod-security.kubernetes.io/enforce-version";

/// Capabilities that the baseline lets containers add.
const BASELINE_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Volumes that the restricted level allows.
const RESTRICTED_VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Whether a namespace enforces a level.
pub fn is_enforced(namespace: &Value) -> bool {
    namespace
        .str_at(&["metadata", "labels", ENFORCE])
        .is_some_and(|level| level != "privileged")
}

/// Whether a pod satisfies its namespace's level.
///
/// # Errors
/// `violates PodSecurity …`, with everything that is wrong.
pub fn check(namespace: &str, pod: &Value, turn: &Turn<'_, '_>) -> Result<(), String> {
    let key = DocumentKey {
        resource: "namespaces".into(),
        namespace: "".into(),
        name: namespace.into(),
    };
    let Some(document) = turn.store.documents().get(&key) else {
        return Ok(());
    };
    let label = |name: &str| document.value.str_at(&["metadata", "labels", name]);
    let level = label(ENFORCE).unwrap_or("privileged");
    let faults = violations(level, pod);
    if faults.is_empty() {
        return Ok(());
    }
    let version = label(ENFORCE_VERSION).unwrap_or("latest");
    Err(format!(
        "violates PodSecurity \"{level}:{version}\": {}",
        faults.join(", ")
    ))
}

/// What a pod violates of a level; nothing of an unknown one.
fn violations(level: &str, pod: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    match level {
        "baseline" => baseline(pod, false, &mut faults),
        "restricted" => {
            baseline(pod, true, &mut faults);
            restricted(pod, &mut faults);
        }
        _ => return Vec::new(),
    }
    // Upstream reports its checks in the order of their ids.
    faults.arrange_by_key(|(id, _)| *id);
    faults.into_iter().map(|(_, text)| text).collect()
}

/// A violation and the id of its check.
type Fault = (&'static str, String);

fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    value.path(path).and_then(Value::as_list).unwrap_or(&[])
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|field| list(pod, &["spec", field]))
}

/// Names of the containers for which something holds.
fn named(pod: &Value, holds: impl Fn(&Value) -> bool) -> Vec<String> {
    containers(pod)
        .filter(|container| holds(container))
        .map(|container| format!("{:?}", container.str_at(&["name"]).unwrap_or("")))
        .collect()
}

/// `container "a"`, `containers "a", "b"`.
fn plural(names: &[String]) -> String {
    let word = if names.len() == 1 {
        "container"
    } else {
        "containers"
    };
    format!("{word} {}", names.join(", "))
}

fn truth(value: &Value, path: &[&str]) -> Option<bool> {
    value.path(path).and_then(Value::as_bool)
}

fn baseline(pod: &Value, is_restricted: bool, faults: &mut Vec<Fault>) {
    let mut host = Vec::new();
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if truth(pod, &["spec", field]) == Some(true) {
            host.push(format!("{field}=true"));
        }
    }
    if !host.is_empty() {
        faults.push((
            "hostNamespaces",
            format!("host namespaces ({})", host.join(", ")),
        ));
    }
    let bad = named(pod, |container| {
        truth(container, &["securityContext", "privileged"]) == Some(true)
    });
    if !bad.is_empty() {
        faults.push((
            "privileged",
            format!(
                "privileged ({} must not set securityContext.privileged=true)",
                plural(&bad)
            ),
        ));
    }
    if !is_restricted {
        capabilities(pod, faults);
    }
    let paths: Vec<String> = list(pod, &["spec", "volumes"])
        .iter()
        .filter(|volume| volume.get("hostPath").is_some())
        .map(|volume| format!("{:?}", volume.str_at(&["name"]).unwrap_or("")))
        .collect();
    if !paths.is_empty() {
        let word = if paths.len() == 1 {
            "volume"
        } else {
            "volumes"
        };
        faults.push((
            "hostPathVolumes",
            format!("hostPath volumes ({word} {})", paths.join(", ")),
        ));
    }
    let mut ports = Vec::new();
    let bad = named(pod, |container| {
        list(container, &["ports"])
            .iter()
            .any(|port| port.i64_at(&["hostPort"]).unwrap_or(0) != 0)
    });
    for container in containers(pod) {
        for port in list(container, &["ports"]) {
            let number = port.i64_at(&["hostPort"]).unwrap_or(0);
            if number != 0 && !ports.contains(&number) {
                ports.push(number);
            }
        }
    }
    if !bad.is_empty() {
        ports.arrange();
        let word = if ports.len() == 1 {
            "hostPort"
        } else {
            "hostPorts"
        };
        let shown: Vec<String> = ports.iter().map(i64::to_string).collect();
        let uses = if bad.len() == 1 { "uses" } else { "use" };
        faults.push((
            "hostPorts",
            format!(
                "hostPort ({} {uses} {word} {})",
                plural(&bad),
                shown.join(", ")
            ),
        ));
    }
    let unmasked = named(pod, |container| {
        container
            .str_at(&["securityContext", "procMount"])
            .is_some_and(|mount| mount != "Default")
    });
    if !unmasked.is_empty() {
        faults.push((
            "procMount",
            format!(
                "procMount ({} must not set securityContext.procMount to \"Unmasked\")",
                plural(&unmasked)
            ),
        ));
    }
    let sysctls: Vec<&str> = list(pod, &["spec", "securityContext", "sysctls"])
        .iter()
        .filter_map(|one| one.str_at(&["name"]))
        .filter(|name| !SYSCTLS.contains(name))
        .collect();
    if !sysctls.is_empty() {
        faults.push((
            "sysctls",
            format!("forbidden sysctls ({})", sysctls.join(", ")),
        ));
    }
    let unconfined = |value: &Value| {
        value.str_at(&["securityContext", "seccompProfile", "type"]) == Some("Unconfined")
    };
    if !is_restricted {
        let mut where_set = Vec::new();
        if pod.get("spec").is_some_and(unconfined) {
            where_set.push("pod".to_owned());
        }
        let bad = named(pod, unconfined);
        if !bad.is_empty() {
            where_set.push(plural(&bad));
        }
        if !where_set.is_empty() {
            faults.push((
                "seccompProfile_baseline",
                format!(
                    "seccompProfile ({} must not set securityContext.seccompProfile.type to \"Unconfined\")",
                    where_set.join(" and ")
                ),
            ));
        }
    }
}

/// Kernel parameters that the baseline allows.
const SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
];

fn capabilities(pod: &Value, faults: &mut Vec<Fault>) {
    let added = |container: &Value| -> Vec<String> {
        list(container, &["securityContext", "capabilities", "add"])
            .iter()
            .filter_map(Value::as_str)
            .filter(|one| !BASELINE_CAPABILITIES.contains(one))
            .map(|one| format!("{one:?}"))
            .collect()
    };
    let bad = named(pod, |container| !added(container).is_empty());
    if bad.is_empty() {
        return;
    }
    let mut all: Vec<String> = containers(pod).flat_map(added).collect();
    all.arrange();
    all.dedup();
    faults.push((
        "capabilities_baseline",
        format!(
            "non-default capabilities ({} must not include {} in securityContext.capabilities.add)",
            plural(&bad),
            all.join(", ")
        ),
    ));
}

fn restricted(pod: &Value, faults: &mut Vec<Fault>) {
    let bad = named(pod, |container| {
        truth(container, &["securityContext", "allowPrivilegeEscalation"]) != Some(false)
    });
    if !bad.is_empty() {
        faults.push(("allowPrivilegeEscalation", format!("allowPrivilegeEscalation != false ({} must set securityContext.allowPrivilegeEscalation=false)", plural(&bad))));
    }
    let texts = |container: &Value, field: &str| -> Vec<String> {
        list(container, &["securityContext", "capabilities", field])
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let keeping = named(pod, |container| {
        !texts(container, "drop").iter().any(|one| one == "ALL")
    });
    let adding = named(pod, |container| {
        texts(container, "add")
            .iter()
            .any(|one| one != "NET_BIND_SERVICE")
    });
    let mut parts = Vec::new();
    if !keeping.is_empty() {
        parts.push(format!(
            "{} must set securityContext.capabilities.drop=[\"ALL\"]",
            plural(&keeping)
        ));
    }
    if !adding.is_empty() {
        let mut all: Vec<String> = containers(pod)
            .flat_map(|container| texts(container, "add"))
            .filter(|one| one != "NET_BIND_SERVICE")
            .map(|one| format!("{one:?}"))
            .collect();
        all.arrange();
        all.dedup();
        parts.push(format!(
            "{} must not include {} in securityContext.capabilities.add",
            plural(&adding),
            all.join(", ")
        ));
    }
    if !parts.is_empty() {
        faults.push((
            "capabilities_restricted",
            format!("unrestricted capabilities ({})", parts.join("; ")),
        ));
    }
    let mut volumes: Vec<(String, String)> = Vec::new();
    for volume in list(pod, &["spec", "volumes"]) {
        let source = volume
            .as_map()
            .unwrap_or_default()
            .iter()
            .map(|(key, _)| key.to_string())
            .find(|key| key != "name");
        if let Some(source) = source
            && !RESTRICTED_VOLUMES.contains(&source.as_str())
        {
            let name = format!("{:?}", volume.str_at(&["name"]).unwrap_or(""));
            volumes.push((name, source));
        }
    }
    if !volumes.is_empty() {
        let names: Vec<String> = volumes.iter().map(|(name, _)| name.clone()).collect();
        let mut kinds: Vec<String> = volumes
            .iter()
            .map(|(_, kind)| format!("{kind:?}"))
            .collect();
        kinds.arrange();
        kinds.dedup();
        let (word, uses) = if names.len() == 1 {
            ("volume", "uses")
        } else {
            ("volumes", "use")
        };
        let types = if kinds.len() == 1 { "type" } else { "types" };
        faults.push((
            "restrictedVolumes",
            format!(
                "restricted volume types ({word} {} {uses} restricted volume {types} {})",
                names.join(", "),
                kinds.join(", ")
            ),
        ));
    }
    non_root(pod, faults);
    let profile = |value: &Value| {
        value
            .str_at(&["securityContext", "seccompProfile", "type"])
            .map(str::to_owned)
    };
    let fine = |kind: &str| matches!(kind, "RuntimeDefault" | "Localhost");
    let whole = pod.get("spec").and_then(profile);
    let bad = named(pod, |container| {
        profile(container).is_some_and(|kind| !fine(&kind))
    });
    let missing = named(pod, |container| profile(container).is_none());
    let whole_is_fine = whole.as_deref().is_some_and(fine);
    if !bad.is_empty() || (!whole_is_fine && !missing.is_empty()) {
        let text = if bad.is_empty() && whole.is_none() {
            format!(
                "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
                plural(&missing)
            )
        } else {
            let mut places = Vec::new();
            if whole.is_some() && !whole_is_fine {
                places.push("pod".to_owned());
            }
            if !bad.is_empty() {
                places.push(plural(&bad));
            }
            format!(
                "{} must not set securityContext.seccompProfile.type to \"Unconfined\"",
                places.join(" and ")
            )
        };
        faults.push((
            "seccompProfile_restricted",
            format!("seccompProfile ({text})"),
        ));
    }
}

fn non_root(pod: &Value, faults: &mut Vec<Fault>) {
    let path = ["securityContext", "runAsNonRoot"];
    let whole = pod.get("spec").and_then(|spec| truth(spec, &path));
    let explicit = named(pod, |container| truth(container, &path) == Some(false));
    let missing = named(pod, |container| truth(container, &path).is_none());
    if !explicit.is_empty() {
        faults.push((
            "runAsNonRoot",
            format!(
                "runAsNonRoot != true ({} must not set securityContext.runAsNonRoot=false)",
                plural(&explicit)
            ),
        ));
    } else if whole == Some(false) && !missing.is_empty() {
        faults.push((
            "runAsNonRoot",
            "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)".to_owned(),
        ));
    } else if whole.is_none() && !missing.is_empty() {
        faults.push((
            "runAsNonRoot",
            format!(
                "runAsNonRoot != true (pod or {} must set securityContext.runAsNonRoot=true)",
                plural(&missing)
            ),
        ));
    }
    let path = ["securityContext", "runAsUser"];
    let root = named(pod, |container| container.i64_at(&path) == Some(0));
    let whole = pod.get("spec").and_then(|spec| spec.i64_at(&path)) == Some(0);
    if whole || !root.is_empty() {
        let mut places = Vec::new();
        if whole {
            places.push("pod".to_owned());
        }
        if !root.is_empty() {
            places.push(plural(&root));
        }
        faults.push((
            "runAsUser",
            format!(
                "runAsUser=0 ({} must not set runAsUser=0)",
                places.join(" and ")
            ),
        ));
    }
}
