//! `describe pod`, and the parts of pods that templates share.

use crate::base::arrange::Arrange;
use crate::console::kubectl::Call;
use crate::console::kubectl::clock::{age, long};
use crate::console::kubectl::columns::{or_none, pairs, selector, truth};
use crate::console::kubectl::pod_status::items;
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, controller, head, meta};

/// A pod.
pub fn describe(call: &Call<'_>, pod: &Value, sheet: &mut Sheet) {
    head(pod, sheet);
    sheet.line(
        0,
        &format!(
            "Priority:\t{}",
            pod.i64_at(&["spec", "priority"]).unwrap_or(0)
        ),
    );
    if let Some(class) = pod.str_at(&["spec", "priorityClassName"]) {
        sheet.line(0, &format!("Priority Class Name:\t{class}"));
    }
    if let Some(class) = pod.str_at(&["spec", "runtimeClassName"]) {
        sheet.line(0, &format!("Runtime Class Name:\t{class}"));
    }
    sheet.line(
        0,
        &format!(
            "Service Account:\t{}",
            pod.str_at(&["spec", "serviceAccountName"])
                .unwrap_or("default")
        ),
    );
    let node = pod
        .str_at(&["spec", "nodeName"])
        .map(|node| format!("{node}/{}", pod.str_at(&["status", "hostIP"]).unwrap_or("")));
    sheet.line(0, &format!("Node:\t{}", or_none(node.as_deref())));
    if let Some(started) = pod.str_at(&["status", "startTime"]) {
        sheet.line(0, &format!("Start Time:\t{}", long(started)));
    }
    meta(pod, sheet);
    let phase = pod.str_at(&["status", "phase"]).unwrap_or("");
    match pod
        .str_at(&["metadata", "deletionTimestamp"])
        .filter(|_| phase != "Succeeded" && phase != "Failed")
    {
        Some(deletion) => {
            let since = age(Some(deletion), call.now());
            sheet.line(0, &format!("Status:\tTerminating (lasts {since})"));
            sheet.line(
                0,
                &format!(
                    "Termination Grace Period:\t{}s",
                    pod.i64_at(&["metadata", "deletionGracePeriodSeconds"])
                        .unwrap_or(0)
                ),
            );
        }
        None => sheet.line(0, &format!("Status:\t{phase}")),
    }
    for (label, key) in [("Reason", "reason"), ("Message", "message")] {
        if let Some(found) = pod.str_at(&["status", key]) {
            sheet.line(0, &format!("{label}:\t{found}"));
        }
    }
    sheet.line(
        0,
        &format!("IP:\t{}", pod.str_at(&["status", "podIP"]).unwrap_or("")),
    );
    let ips = items(pod, &["status", "podIPs"]);
    if ips.is_empty() {
        sheet.line(0, "IPs:\t<none>");
    } else {
        sheet.line(0, "IPs:");
        for ip in ips {
            sheet.line(1, &format!("IP:\t{}", ip.str_at(&["ip"]).unwrap_or("")));
        }
    }
    if let Some(owner) = controller(pod) {
        sheet.line(0, &format!("Controlled By:\t{owner}"));
    }
    if let Some(node) = pod
        .str_at(&["status", "nominatedNodeName"])
        .filter(|node| !node.is_empty())
    {
        sheet.line(0, &format!("NominatedNodeName:\t{node}"));
    }
    containers(
        "Init Containers",
        items(pod, &["spec", "initContainers"]),
        Some(items(pod, &["status", "initContainerStatuses"])),
        0,
        sheet,
    );
    containers(
        "Containers",
        items(pod, &["spec", "containers"]),
        Some(items(pod, &["status", "containerStatuses"])),
        0,
        sheet,
    );
    containers(
        "Ephemeral Containers",
        items(pod, &["spec", "ephemeralContainers"]),
        Some(items(pod, &["status", "ephemeralContainerStatuses"])),
        0,
        sheet,
    );
    gates(pod, sheet);
    conditions(pod, sheet);
    let list = items(pod, &["spec", "volumes"]);
    if list.is_empty() {
        sheet.line(0, "Volumes:\t<none>");
    } else {
        volumes(list, 0, sheet);
    }
    sheet.line(
        0,
        &format!(
            "QoS Class:\t{}",
            pod.str_at(&["status", "qosClass"]).unwrap_or("")
        ),
    );
    sheet.line(
        0,
        &format!(
            "Node-Selectors:\t{}",
            pairs(pod.path(&["spec", "nodeSelector"]))
        ),
    );
    sheet.many(0, "Tolerations", &tolerations(pod));
    spread(pod, 0, sheet);
}

/// Topology spread constraints, by key.
pub fn spread(pod: &Value, level: usize, sheet: &mut Sheet) {
    let mut list: Vec<(&str, String)> = items(pod, &["spec", "topologySpreadConstraints"])
        .iter()
        .map(|one| {
            let key = one.str_at(&["topologyKey"]).unwrap_or("");
            let chosen = one.get("labelSelector").map_or_else(String::new, |chosen| {
                format!(" for selector {}", selector(Some(chosen)))
            });
            let line = format!(
                "{key}:{} when max skew {} is exceeded{chosen}",
                one.str_at(&["whenUnsatisfiable"]).unwrap_or(""),
                one.i64_at(&["maxSkew"]).unwrap_or(0)
            );
            (key, line)
        })
        .collect();
    if list.is_empty() {
        return;
    }
    list.arrange_by_key(|(key, _)| *key);
    let lines: Vec<String> = list.into_iter().map(|(_, line)| line).collect();
    sheet.many(level, "Topology Spread Constraints", &lines);
}

/// The conditions; upstream writes a blank after each cell and no rule below the headings.
fn conditions(pod: &Value, sheet: &mut Sheet) {
    let list = items(pod, &["status", "conditions"]);
    if list.is_empty() {
        return;
    }
    sheet.line(0, "Conditions:");
    sheet.line(1, "Type\tStatus");
    for one in list {
        let text = |field: &str| one.str_at(&[field]).unwrap_or("");
        sheet.line(1, &format!("{} \t{} ", text("type"), text("status")));
    }
}

/// Readiness gates and what their conditions say.
fn gates(pod: &Value, sheet: &mut Sheet) {
    let list = items(pod, &["spec", "readinessGates"]);
    if list.is_empty() {
        return;
    }
    sheet.line(0, "Readiness Gates:");
    sheet.line(1, "Type\tStatus");
    for gate in list {
        let kind = gate.str_at(&["conditionType"]).unwrap_or("");
        let status = items(pod, &["status", "conditions"])
            .iter()
            .find(|one| one.str_at(&["type"]) == Some(kind))
            .and_then(|one| one.str_at(&["status"]));
        sheet.line(1, &format!("{kind}\t{}", status.unwrap_or("<none>")));
    }
}

/// Volumes with their kind.
pub fn volumes(list: &[Value], level: usize, sheet: &mut Sheet) {
    sheet.line(level, "Volumes:");
    for volume in list {
        sheet.line(
            1,
            &format!(
                "{}{}:",
                " ".repeat(level),
                volume.str_at(&["name"]).unwrap_or("")
            ),
        );
        let source = volume
            .as_map()
            .into_iter()
            .flat_map(|map| map.iter())
            .find(|(key, _)| &***key != "name");
        let kind = source.map_or("EmptyDir", |(key, _)| match &**key {
            "configMap" => "ConfigMap (a volume populated by a ConfigMap)",
            "secret" => "Secret (a volume populated by a Secret)",
            "hostPath" => "HostPath (bare host directory volume)",
            "persistentVolumeClaim" => "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
            "projected" => "Projected (a volume that contains injected data from multiple sources)",
            "emptyDir" => "EmptyDir (a temporary directory that shares a pod's lifetime)",
            "nfs" => "NFS (an NFS mount that lasts the lifetime of a pod)",
            "downwardAPI" => "DownwardAPI (a volume populated by information about the pod)",
            "ephemeral" => "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
            "csi" => "CSI (a Container Storage Interface (CSI) volume source)",
            other => other,
        });
        sheet.line(2, &format!("Type:\t{kind}"));
        if let Some((key, value)) = source {
            volume_details(key, value, sheet);
        }
    }
}

fn volume_details(kind: &str, source: &Value, sheet: &mut Sheet) {
    let field = |key: &str| source.get(key).map(text).unwrap_or_default();
    let mut say = |label: &str, value: String| sheet.line(2, &format!("{label}:\t{value}"));
    match kind {
        "emptyDir" => {
            say("Medium", field("medium"));
            let limit = source.get("sizeLimit").map(text);
            say("SizeLimit", limit.unwrap_or_else(|| "<unset>".to_owned()));
        }
        "configMap" => {
            say("Name", field("name"));
            say("Optional", truth(source, &["optional"]));
        }
        "secret" => {
            say("SecretName", field("secretName"));
            say("Optional", truth(source, &["optional"]));
        }
        "hostPath" => {
            say("Path", field("path"));
            say("HostPathType", field("type"));
        }
        "persistentVolumeClaim" => {
            say("ClaimName", field("claimName"));
            say("ReadOnly", truth(source, &["readOnly"]));
        }
        "nfs" => {
            say("Server", field("server"));
            say("Path", field("path"));
            say("ReadOnly", truth(source, &["readOnly"]));
        }
        "projected" => {
            for one in items(source, &["sources"]) {
                let name = |kind: &str| one.str_at(&[kind, "name"]).unwrap_or("").to_owned();
                if one.get("secret").is_some() {
                    say("SecretName", name("secret"));
                    say("Optional", truth(one, &["secret", "optional"]));
                } else if one.get("downwardAPI").is_some() {
                    say("DownwardAPI", "true".to_owned());
                } else if one.get("configMap").is_some() {
                    say("ConfigMapName", name("configMap"));
                    say("Optional", truth(one, &["configMap", "optional"]));
                } else if let Some(token) = one.get("serviceAccountToken") {
                    let seconds = token.i64_at(&["expirationSeconds"]).unwrap_or(3_600);
                    say("TokenExpirationSeconds", seconds.to_string());
                }
            }
        }
        _ => {}
    }
}

/// Tolerations in one line each.
pub fn tolerations(pod: &Value) -> Vec<String> {
    let mut all = items(pod, &["spec", "tolerations"]).to_vec();
    all.arrange_by_key(|one| one.str_at(&["key"]).unwrap_or("").to_owned());
    let shown = all.iter().map(|one| {
        let field = |key: &str| one.str_at(&[key]).unwrap_or("");
        let mut line = field("key").to_owned();
        if !field("value").is_empty() {
            line.push_str(&format!("={}", field("value")));
        }
        if !field("effect").is_empty() {
            line.push_str(&format!(":{}", field("effect")));
        }
        if field("operator") == "Exists" && field("value").is_empty() {
            line.push_str(if field("key").is_empty() && field("effect").is_empty() {
                "op=Exists"
            } else {
                " op=Exists"
            });
        }
        if let Some(seconds) = one.i64_at(&["tolerationSeconds"]) {
            line.push_str(&format!(" for {seconds}s"));
        }
        line
    });
    shown.collect()
}

/// A block for each container. Templates have no statuses.
pub fn containers(
    label: &str,
    list: &[Value],
    statuses: Option<&[Value]>,
    level: usize,
    sheet: &mut Sheet,
) {
    if list.is_empty() {
        return;
    }
    sheet.line(level, &format!("{label}:"));
    for container in list {
        let name = container.str_at(&["name"]).unwrap_or("");
        // Within a template upstream indents names by three blanks; fields stand at four either way.
        sheet.line(1, &format!("{}{name}:", " ".repeat(level)));
        one(
            container,
            statuses.map(|list| {
                list.iter()
                    .find(|status| status.str_at(&["name"]) == Some(name))
            }),
            2,
            sheet,
        );
    }
}

fn one(container: &Value, status: Option<Option<&Value>>, level: usize, sheet: &mut Sheet) {
    let found = status.flatten();
    let of = |key: &str| {
        found
            .and_then(|status| status.str_at(&[key]))
            .unwrap_or("")
            .to_owned()
    };
    if status.is_some() {
        sheet.line(level, &format!("Container ID:\t{}", of("containerID")));
    }
    sheet.line(
        level,
        &format!("Image:\t{}", container.str_at(&["image"]).unwrap_or("")),
    );
    if status.is_some() {
        sheet.line(level, &format!("Image ID:\t{}", of("imageID")));
    }
    let ports = items(container, &["ports"]);
    let word = if ports.len() > 1 { "Ports" } else { "Port" };
    let shown = |key: &str| {
        ports
            .iter()
            .map(|port| {
                format!(
                    "{}/{}",
                    port.i64_at(&[key]).unwrap_or(0),
                    port.str_at(&["protocol"]).unwrap_or("TCP")
                )
            })
            .collect::<Vec<_>>()
            .join(", ")
    };
    sheet.line(
        level,
        &format!("{word}:\t{}", or_none(Some(&shown("containerPort")))),
    );
    sheet.line(
        level,
        &format!("Host {word}:\t{}", or_none(Some(&shown("hostPort")))),
    );
    for (label, key) in [("Command", "command"), ("Args", "args")] {
        let words = items(container, &[key]);
        if !words.is_empty() {
            sheet.line(level, &format!("{label}:"));
            words
                .iter()
                .filter_map(Value::as_str)
                .flat_map(str::lines)
                .for_each(|word| sheet.line(level + 1, word));
        }
    }
    if status.is_some() {
        state(
            "State",
            found.and_then(|status| status.get("state")),
            level,
            sheet,
        );
        if let Some(last) = found
            .and_then(|status| status.get("lastState"))
            .filter(|last| last.get("terminated").is_some())
        {
            state("Last State", Some(last), level, sheet);
        }
        let ready = found
            .and_then(|status| status.get("ready"))
            .and_then(Value::as_bool)
            == Some(true);
        sheet.line(
            level,
            &format!("Ready:\t{}", if ready { "True" } else { "False" }),
        );
        sheet.line(
            level,
            &format!(
                "Restart Count:\t{}",
                found
                    .and_then(|status| status.i64_at(&["restartCount"]))
                    .unwrap_or(0)
            ),
        );
    }
    for (label, key) in [("Limits", "limits"), ("Requests", "requests")] {
        let map = container
            .path(&["resources", key])
            .and_then(Value::as_map)
            .filter(|map| !map.is_empty());
        if let Some(map) = map {
            sheet.line(level, &format!("{label}:"));
            map.sorted().into_iter().for_each(|(name, amount)| {
                sheet.line(level + 1, &format!("{name}:\t{}", text(amount)))
            });
        }
    }
    for (label, key) in [
        ("Liveness", "livenessProbe"),
        ("Readiness", "readinessProbe"),
        ("Startup", "startupProbe"),
    ] {
        if let Some(found) = container.get(key) {
            sheet.line(level, &format!("{label}:\t{}", probe(found)));
        }
    }
    sources(container, level, sheet);
    environment(container, level, sheet);
    let mounts = items(container, &["volumeMounts"]);
    if mounts.is_empty() {
        sheet.line(level, "Mounts:\t<none>");
    } else {
        sheet.line(level, "Mounts:");
        for mount in mounts {
            let mode = if mount.get("readOnly").and_then(Value::as_bool) == Some(true) {
                "ro"
            } else {
                "rw"
            };
            let path = mount
                .str_at(&["subPath"])
                .map_or_else(String::new, |path| format!(",path=\"{path}\""));
            sheet.line(
                level + 1,
                &format!(
                    "{} from {} ({mode}{path})",
                    mount.str_at(&["mountPath"]).unwrap_or(""),
                    mount.str_at(&["name"]).unwrap_or("")
                ),
            );
        }
    }
}

/// `envFrom`.
fn sources(container: &Value, level: usize, sheet: &mut Sheet) {
    let list = items(container, &["envFrom"]);
    if list.is_empty() {
        return;
    }
    sheet.line(level, "Environment Variables from:");
    for one in list {
        let (kind, source) = match (one.get("configMapRef"), one.get("secretRef")) {
            (Some(source), _) => ("ConfigMap", source),
            (None, Some(source)) => ("Secret", source),
            (None, None) => continue,
        };
        let prefix = match one.str_at(&["prefix"]).filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => format!(" with prefix '{prefix}'"),
            None => String::new(),
        };
        sheet.line(
            level + 1,
            &format!(
                "{}\t{kind}{prefix}\tOptional: {}",
                source.str_at(&["name"]).unwrap_or(""),
                truth(source, &["optional"])
            ),
        );
    }
}

fn environment(container: &Value, level: usize, sheet: &mut Sheet) {
    let list = items(container, &["env"]);
    if list.is_empty() {
        sheet.line(level, "Environment:\t<none>");
        return;
    }
    sheet.line(level, "Environment:");
    for one in list {
        let from = |kind: &str, key: &str| one.path(&["valueFrom", kind, key]).map(text);
        let optional = |kind: &str| truth(one, &["valueFrom", kind, "optional"]);
        let value = if let (Some(key), Some(name)) =
            (from("secretKeyRef", "key"), from("secretKeyRef", "name"))
        {
            format!(
                "<set to the key '{key}' in secret '{name}'>\tOptional: {}",
                optional("secretKeyRef")
            )
        } else if let (Some(key), Some(name)) = (
            from("configMapKeyRef", "key"),
            from("configMapKeyRef", "name"),
        ) {
            format!(
                "<set to the key '{key}' of config map '{name}'>\tOptional: {}",
                optional("configMapKeyRef")
            )
        } else if let Some(field) = from("fieldRef", "fieldPath") {
            format!(" (v1:{field})")
        } else if let Some(resource) = from("resourceFieldRef", "resource") {
            let (part, name) = resource.split_once('.').unwrap_or((&resource, ""));
            let amount = container.path(&["resources", part, name]).map(text);
            let amount = amount.unwrap_or_else(|| "node allocatable".to_owned());
            format!("{amount} ({resource})")
        } else {
            one.str_at(&["value"]).unwrap_or("").to_owned()
        };
        sheet.line(
            level + 1,
            &format!("{}:\t{value}", one.str_at(&["name"]).unwrap_or("")),
        );
    }
}

fn state(label: &str, value: Option<&Value>, level: usize, sheet: &mut Sheet) {
    let part = |key: &str| value.and_then(|value| value.get(key));
    if let Some(running) = part("running") {
        sheet.line(level, &format!("{label}:\tRunning"));
        sheet.line(
            level + 1,
            &format!(
                "Started:\t{}",
                long(running.str_at(&["startedAt"]).unwrap_or(""))
            ),
        );
    } else if let Some(ended) = part("terminated") {
        sheet.line(level, &format!("{label}:\tTerminated"));
        for (label, key) in [("Reason", "reason"), ("Message", "message")] {
            if let Some(text) = ended.str_at(&[key]) {
                sheet.line(level + 1, &format!("{label}:\t{text}"));
            }
        }
        sheet.line(
            level + 1,
            &format!("Exit Code:\t{}", ended.i64_at(&["exitCode"]).unwrap_or(0)),
        );
        if let Some(signal) = ended.i64_at(&["signal"]).filter(|signal| *signal > 0) {
            sheet.line(level + 1, &format!("Signal:\t{signal}"));
        }
        for (label, key) in [("Started", "startedAt"), ("Finished", "finishedAt")] {
            sheet.line(
                level + 1,
                &format!("{label}:\t{}", long(ended.str_at(&[key]).unwrap_or(""))),
            );
        }
    } else {
        sheet.line(level, &format!("{label}:\tWaiting"));
        if let Some(reason) = part("waiting").and_then(|waiting| waiting.str_at(&["reason"])) {
            sheet.line(level + 1, &format!("Reason:\t{reason}"));
        }
    }
}

fn probe(probe: &Value) -> String {
    let number = |key: &str, default: i64| probe.i64_at(&[key]).unwrap_or(default);
    let times = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds", 0),
        number("timeoutSeconds", 1),
        number("periodSeconds", 10),
        number("successThreshold", 1),
        number("failureThreshold", 3)
    );
    let port = |kind: &str| probe.path(&[kind, "port"]).map(text).unwrap_or_default();
    if let Some(get) = probe.get("httpGet") {
        let scheme = get.str_at(&["scheme"]).unwrap_or("HTTP").to_lowercase();
        let path = get.str_at(&["path"]).unwrap_or("/");
        return format!(
            "http-get {scheme}://{}:{}{}{path} {times}",
            get.str_at(&["host"]).unwrap_or(""),
            port("httpGet"),
            if path.starts_with('/') { "" } else { "/" }
        );
    }
    if probe.get("tcpSocket").is_some() {
        return format!(
            "tcp-socket {}:{} {times}",
            probe.str_at(&["tcpSocket", "host"]).unwrap_or(""),
            port("tcpSocket")
        );
    }
    if probe.get("grpc").is_some() {
        return format!(
            "grpc <pod>:{} {} {times}",
            port("grpc"),
            probe.str_at(&["grpc", "service"]).unwrap_or("")
        );
    }
    let words: Vec<&str> = items(probe, &["exec", "command"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    format!("exec [{}] {times}", words.join(" "))
}
