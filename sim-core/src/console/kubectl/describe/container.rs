//! Blocks of containers. Source: `k8s.io/kubectl/pkg/describe/describe.go` (`describeContainers`).

use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::console::kubectl::columns::autoscaler::quantity;
use crate::console::kubectl::columns::{or_none, truth};
use crate::console::kubectl::pod_status::items;
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::Sheet;

/// A block for each container of a list; those of a template have no pod, and so no statuses.
///
/// `statuses` names the pod's list of them.
pub fn containers(
    label: &str,
    list: &[Value],
    pod: Option<(&Value, &str)>,
    level: usize,
    sheet: &mut Sheet,
) {
    let none = if list.is_empty() { " <none>" } else { "" };
    sheet.line(level, &format!("{label}:{none}"));
    for container in list {
        let name = container.str_at(&["name"]).unwrap_or("");
        // Within a template upstream indents names by three blanks; fields stand at four either way.
        sheet.line(1, &format!("{}{name}:", " ".repeat(level)));
        let status = pod.and_then(|(pod, statuses)| {
            let statuses = items(pod, &["status", statuses]);
            // Of several of one name the last counts, as in a Go map that is filled from the list.
            let mut of_name = statuses.iter().rev();
            of_name.find(|status| status.str_at(&["name"]) == Some(name))
        });
        one(container, status, pod.map(|(pod, _)| pod), sheet);
    }
}

fn one(container: &Value, status: Option<&Value>, pod: Option<&Value>, sheet: &mut Sheet) {
    let of = |key: &str| status.and_then(|status| status.str_at(&[key]));
    if status.is_some() {
        let id = of("containerID").unwrap_or("");
        sheet.row(2, "Container ID", id);
    }
    let image = container.str_at(&["image"]).unwrap_or("");
    sheet.row(2, "Image", image);
    if status.is_some() {
        sheet.row(2, "Image ID", of("imageID").unwrap_or(""));
    }
    let ports = items(container, &["ports"]);
    let plural = if ports.len() > 1 { "s" } else { "" };
    for (word, key) in [("Port", "containerPort"), ("Host Port", "hostPort")] {
        let shown: Vec<String> = ports.iter().map(|one| port(one, key)).collect();
        let shown = or_none(Some(&shown.join(", ")));
        sheet.line(2, &format!("{word}{plural}:\t{shown}"));
    }
    seccomp(container, 2, 3, sheet);
    for (label, key) in [("Command", "command"), ("Args", "args")] {
        let words = items(container, &[key]);
        if !words.is_empty() {
            sheet.line(2, &format!("{label}:"));
        }
        let lines = words.iter().filter_map(Value::as_str);
        for line in lines.flat_map(|word| word.split('\n')) {
            sheet.line(3, line);
        }
    }
    if let Some(status) = status {
        state("State", status.get("state"), sheet);
        let last = status.get("lastState");
        if let Some(last) = last.filter(|last| last.get("terminated").is_some()) {
            state("Last State", Some(last), sheet);
        }
        let ready = status.get("ready").and_then(Value::as_bool) == Some(true);
        sheet.row(2, "Ready", super::yes(ready));
        let restarts = status.i64_at(&["restartCount"]).unwrap_or(0);
        sheet.row(2, "Restart Count", restarts.to_string());
    }
    resources(container.get("resources"), 2, sheet);
    for (label, key) in [
        ("Liveness", "livenessProbe"),
        ("Readiness", "readinessProbe"),
        ("Startup", "startupProbe"),
    ] {
        if let Some(found) = container.get(key) {
            sheet.row(2, label, probe(found));
        }
    }
    sources(container, sheet);
    environment(container, pod, sheet);
    mounts(container, sheet);
}

fn port(port: &Value, key: &str) -> String {
    let number = port.i64_at(&[key]).unwrap_or(0);
    let protocol = port.str_at(&["protocol"]).unwrap_or("TCP");
    match port.str_at(&["name"]).filter(|name| !name.is_empty()) {
        Some(name) => format!("{number}/{protocol} ({name})"),
        None => format!("{number}/{protocol}"),
    }
}

/// The seccomp profile of a pod or container, and the file of a local one.
pub fn seccomp(of: &Value, level: usize, deeper: usize, sheet: &mut Sheet) {
    let Some(profile) = of.path(&["securityContext", "seccompProfile"]) else {
        return;
    };
    let kind = profile.str_at(&["type"]).unwrap_or("");
    sheet.row(level, "SeccompProfile", kind);
    if kind == "Localhost" {
        let file = profile.str_at(&["localhostProfile"]).unwrap_or("");
        sheet.row(deeper, "LocalhostProfile", file);
    }
}

/// Limits and requests.
pub fn resources(resources: Option<&Value>, level: usize, sheet: &mut Sheet) {
    for (label, key) in [("Limits", "limits"), ("Requests", "requests")] {
        let map = resources.and_then(|resources| resources.get(key)?.as_map());
        let Some(map) = map.filter(|map| !map.is_empty()) else {
            continue;
        };
        sheet.line(level, &format!("{label}:"));
        for (name, amount) in map.sorted() {
            sheet.row(level + 1, name, quantity(amount));
        }
    }
}

fn mounts(container: &Value, sheet: &mut Sheet) {
    let sorted = |list: &str, key: &'static str| {
        let mut list: Vec<&Value> = items(container, &[list]).iter().collect();
        list.arrange_by_key(|one| one.str_at(&[key]).unwrap_or("").to_owned());
        list
    };
    let mounts = sorted("volumeMounts", "mountPath");
    let none = if mounts.is_empty() { "\t<none>" } else { "" };
    sheet.line(2, &format!("Mounts:{none}"));
    for mount in mounts {
        let field = |key: &str| mount.str_at(&[key]).unwrap_or("");
        let read_only = mount.get("readOnly").and_then(Value::as_bool) == Some(true);
        let mode = if read_only { "ro" } else { "rw" };
        let path = match field("subPath") {
            "" => String::new(),
            path => format!(",path=\"{path}\""),
        };
        let (at, from) = (field("mountPath"), field("name"));
        sheet.line(3, &format!("{at} from {from} ({mode}{path})"));
    }
    let devices = sorted("volumeDevices", "devicePath");
    if !devices.is_empty() {
        // The word is about the mounts, in upstream too.
        sheet.line(2, &format!("Devices:{none}"));
    }
    for device in devices {
        let field = |key: &str| device.str_at(&[key]).unwrap_or("");
        sheet.line(
            3,
            &format!("{} from {}", field("devicePath"), field("name")),
        );
    }
}

/// `envFrom`.
fn sources(container: &Value, sheet: &mut Sheet) {
    let list = items(container, &["envFrom"]);
    if list.is_empty() {
        return;
    }
    sheet.line(2, "Environment Variables from:");
    for one in list {
        let (kind, source) = match (one.get("configMapRef"), one.get("secretRef")) {
            (Some(source), _) => ("ConfigMap", source),
            (None, Some(source)) => ("Secret", source),
            (None, None) => ("", &Value::Null),
        };
        let prefix = match one.str_at(&["prefix"]).filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => format!(" with prefix '{prefix}'"),
            None => String::new(),
        };
        let name = source.str_at(&["name"]).unwrap_or("");
        let optional = truth(source, &["optional"]);
        sheet.line(3, &format!("{name}\t{kind}{prefix}\tOptional: {optional}"));
    }
}

fn environment(container: &Value, pod: Option<&Value>, sheet: &mut Sheet) {
    let list = items(container, &["env"]);
    let none = if list.is_empty() { "\t<none>" } else { "" };
    sheet.line(2, &format!("Environment:{none}"));
    for one in list {
        let name = one.str_at(&["name"]).unwrap_or("");
        let Some(from) = one.get("valueFrom") else {
            let mut lines = one.str_at(&["value"]).unwrap_or("").split('\n');
            sheet.row(3, name, lines.next().unwrap_or(""));
            for line in lines {
                sheet.line(3, &format!("\t{line}"));
            }
            continue;
        };
        let key = |source: &Value| {
            let field = |key: &str| source.str_at(&[key]).unwrap_or("").to_owned();
            (field("key"), field("name"), truth(source, &["optional"]))
        };
        let value = if let Some(field) = from.get("fieldRef") {
            let path = field.str_at(&["fieldPath"]).unwrap_or("");
            let version = field.str_at(&["apiVersion"]).unwrap_or("v1");
            let found = pod.map_or_else(String::new, |pod| own_field(pod, path));
            format!("{found} ({version}:{path})")
        } else if let Some(field) = from.get("resourceFieldRef") {
            let resource = field.str_at(&["resource"]).unwrap_or("");
            format!("{} ({resource})", amount(container, field, resource))
        } else if let Some(source) = from.get("secretKeyRef") {
            let (key, name, optional) = key(source);
            format!("<set to the key '{key}' in secret '{name}'>\tOptional: {optional}")
        } else if let Some(source) = from.get("configMapKeyRef") {
            let (key, name, optional) = key(source);
            format!("<set to the key '{key}' of config map '{name}'>\tOptional: {optional}")
        } else {
            continue;
        };
        sheet.row(3, name, value);
    }
}

/// What the client reads of a pod's own fields; of those outside of `metadata` it knows none.
/// Source: `k8s.io/kubectl/pkg/util/fieldpath/fieldpath.go` (`ExtractFieldPathAsString`).
fn own_field(pod: &Value, path: &str) -> String {
    if let Some((map, key)) = path.split_once("['") {
        let map = map.split('.').collect::<Vec<_>>();
        let key = key.trim_end_matches("']");
        let found = pod.path(&map).and_then(|map| map.get(key));
        return found.map(text).unwrap_or_default();
    }
    match path {
        "metadata.name" | "metadata.namespace" | "metadata.uid" => {
            let path: Vec<&str> = path.split('.').collect();
            pod.path(&path).map(text).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// A container's amount in units of a divisor, rounded up.
/// Source: `k8s.io/kubectl/pkg/util/resource/resource.go` (`ExtractContainerResourceValue`).
fn amount(container: &Value, field: &Value, resource: &str) -> String {
    let Some((side, name)) = resource.split_once('.') else {
        return String::new();
    };
    let known = matches!(name, "cpu" | "memory" | "ephemeral-storage");
    if !known && !name.starts_with("hugepages-") {
        return String::new();
    }
    let parsed = |value: Option<&Value>| value.and_then(|value| Quantity::parse(&text(value)).ok());
    let units = |of: Quantity| {
        if name == "cpu" {
            of.milli_value()
        } else {
            of.value()
        }
    };
    let one = if name == "cpu" { 1_000 } else { 1 };
    let divisor = parsed(field.get("divisor")).map_or(0, units);
    let divisor = if divisor == 0 { one } else { divisor };
    let of = parsed(container.path(&["resources", side, name])).map_or(0, units);
    let shown = of.div_euclid(divisor) + i64::from(of.rem_euclid(divisor) != 0);
    if shown == 0 && matches!(resource, "limits.cpu" | "limits.memory") {
        return "node allocatable".to_owned();
    }
    shown.to_string()
}

fn state(label: &str, value: Option<&Value>, sheet: &mut Sheet) {
    let part = |key: &str| value.and_then(|value| value.get(key));
    if let Some(running) = part("running") {
        sheet.line(2, &format!("{label}:\tRunning"));
        let started = super::moment(running.str_at(&["startedAt"]));
        sheet.row(3, "Started", started);
    } else if let Some(waiting) = part("waiting") {
        sheet.line(2, &format!("{label}:\tWaiting"));
        if let Some(reason) = waiting.str_at(&["reason"]).filter(|text| !text.is_empty()) {
            sheet.row(3, "Reason", reason);
        }
    } else if let Some(ended) = part("terminated") {
        sheet.line(2, &format!("{label}:\tTerminated"));
        for (label, key) in [("Reason", "reason"), ("Message", "message")] {
            if let Some(text) = ended.str_at(&[key]).filter(|text| !text.is_empty()) {
                sheet.row(3, label, text);
            }
        }
        let code = ended.i64_at(&["exitCode"]).unwrap_or(0);
        sheet.row(3, "Exit Code", code.to_string());
        if let Some(signal) = ended.i64_at(&["signal"]).filter(|signal| *signal > 0) {
            sheet.row(3, "Signal", signal.to_string());
        }
        for (label, key) in [("Started", "startedAt"), ("Finished", "finishedAt")] {
            let at = super::moment(ended.str_at(&[key]));
            sheet.row(3, label, at);
        }
    } else {
        sheet.line(2, &format!("{label}:\tWaiting"));
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
    if let Some(exec) = probe.get("exec") {
        let words: Vec<&str> = items(exec, &["command"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        return format!("exec [{}] {times}", words.join(" "));
    }
    if let Some(get) = probe.get("httpGet") {
        let scheme = get.str_at(&["scheme"]).unwrap_or("HTTP").to_lowercase();
        let host = get.str_at(&["host"]).unwrap_or("");
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let path = get.str_at(&["path"]).unwrap_or("/");
        let slash = if path.starts_with('/') { "" } else { "/" };
        let path = escaped(path);
        let port = port("httpGet");
        return format!("http-get {scheme}://{host}:{port}{slash}{path} {times}");
    }
    if probe.get("tcpSocket").is_some() {
        let host = probe.str_at(&["tcpSocket", "host"]).unwrap_or("");
        return format!("tcp-socket {host}:{} {times}", port("tcpSocket"));
    }
    if probe.get("grpc").is_some() {
        let service = probe.str_at(&["grpc", "service"]).unwrap_or("");
        return format!("grpc <pod>:{} {service} {times}", port("grpc"));
    }
    format!("unknown {times}")
}

/// A path as Go's `net/url` writes it in a URL.
fn escaped(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
