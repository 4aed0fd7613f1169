//! `describe` of Services, Ingresses, NetworkPolicies and EndpointSlices.

use crate::base::arrange::Arrange;
use crate::base::time::go_time;
use crate::console::kubectl::columns::{first_text, or_none, pairs, selector};
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::{Call, kind_of, name_of};
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, annotations, head, labels, meta};

/// A Service with its endpoints.
pub fn service(call: &Call<'_>, object: &Value, sheet: &mut Sheet) {
    let field = |path: &[&str]| object.str_at(path).unwrap_or("").to_owned();
    head(object, sheet);
    meta(object, sheet);
    sheet.row(0, "Selector", pairs(object.path(&["spec", "selector"])));
    sheet.row(0, "Type", field(&["spec", "type"]));
    if let Some(policy) = object.str_at(&["spec", "ipFamilyPolicy"]) {
        sheet.row(0, "IP Family Policy", policy);
    }
    let joined = |path: &[&str]| {
        let list: Vec<&str> = items(object, path)
            .iter()
            .filter_map(Value::as_str)
            .collect();
        list.join(",")
    };
    let listed = |path: &[&str]| or_none(Some(&joined(path)));
    sheet.row(0, "IP Families", listed(&["spec", "ipFamilies"]));
    sheet.row(0, "IP", field(&["spec", "clusterIP"]));
    sheet.row(0, "IPs", listed(&["spec", "clusterIPs"]));
    let external = joined(&["spec", "externalIPs"]);
    let desired = field(&["spec", "loadBalancerIP"]);
    let name = field(&["spec", "externalName"]);
    for (label, value) in [
        ("External IPs", &external),
        ("Desired LoadBalancer IP", &desired),
        ("External Name", &name),
        ("LoadBalancer Ingress", &ingress(object)),
    ] {
        if !value.is_empty() {
            sheet.row(0, label, value);
        }
    }
    let slices = slices_of(call, object);
    let own: Vec<&Value> = slices.iter().collect();
    for port in items(object, &["spec", "ports"]) {
        service_port(port, &own, sheet);
    }
    sheet.row(0, "Session Affinity", field(&["spec", "sessionAffinity"]));
    for (label, key) in [
        ("External Traffic Policy", "externalTrafficPolicy"),
        ("Internal Traffic Policy", "internalTrafficPolicy"),
    ] {
        if let Some(policy) = object.str_at(&["spec", key]) {
            sheet.row(0, label, policy);
        }
    }
    if let Some(port) = object
        .i64_at(&["spec", "healthCheckNodePort"])
        .filter(|port| *port > 0)
    {
        sheet.row(0, "HealthCheck NodePort", port.to_string());
    }
    let ranges = joined(&["spec", "loadBalancerSourceRanges"]);
    if !ranges.is_empty() {
        sheet.row(0, "LoadBalancer Source Ranges", ranges);
    }
    if let Some(distribution) = object.str_at(&["spec", "trafficDistribution"]) {
        sheet.row(0, "Traffic Distribution", distribution);
    }
}

/// What the load balancer was given.
fn ingress(object: &Value) -> String {
    let list: Vec<String> = items(object, &["status", "loadBalancer", "ingress"])
        .iter()
        .map(
            |one| match one.str_at(&["ip"]).filter(|ip| !ip.is_empty()) {
                Some(ip) => match one.str_at(&["ipMode"]) {
                    Some(mode) => format!("{ip} ({mode})"),
                    None => ip.to_owned(),
                },
                None => one.str_at(&["hostname"]).unwrap_or("").to_owned(),
            },
        )
        .collect();
    list.join(", ")
}

fn service_port(port: &Value, slices: &[&Value], sheet: &mut Sheet) {
    let name = port.str_at(&["name"]).unwrap_or("");
    let shown = if name.is_empty() { "<unset>" } else { name };
    let protocol = port.str_at(&["protocol"]).unwrap_or("TCP");
    let number = port.i64_at(&["port"]).unwrap_or(0);
    sheet.line(0, &format!("Port:\t{shown}\t{number}/{protocol}"));
    let target = port.get("targetPort").map_or_else(|| "0".to_owned(), text);
    sheet.line(0, &format!("TargetPort:\t{target}/{protocol}"));
    if let Some(application) = port.str_at(&["appProtocol"]) {
        sheet.row(0, "AppProtocol", application);
    }
    if let Some(node) = port.i64_at(&["nodePort"]).filter(|node| *node > 0) {
        sheet.line(0, &format!("NodePort:\t{shown}\t{node}/{protocol}"));
    }
    sheet.row(0, "Endpoints", endpoints_of(slices, name));
}

/// Up to three ready addresses behind the port of that name, and how many more there are. Of an endpoint's
/// addresses the first counts. Source: as above (`formatEndpointSlices`).
fn endpoints_of(slices: &[&Value], port: &str) -> String {
    if slices.is_empty() {
        return "<none>".to_owned();
    }
    let mut list = Vec::new();
    for slice in slices {
        let ready = items(slice, &["endpoints"]).iter().filter(|one| {
            one.path(&["conditions", "ready"]).and_then(Value::as_bool) != Some(false)
        });
        let ready = ready.map(|one| items(one, &["addresses"]).first().map(text));
        let ready: Vec<String> = ready.map(Option::unwrap_or_default).collect();
        let ports = items(slice, &["ports"]);
        if ports.is_empty() {
            list.extend(ready.iter().cloned());
        }
        for one in ports {
            if one.str_at(&["name"]).unwrap_or("") == port {
                let number = one.i64_at(&["port"]).unwrap_or(0);
                list.extend(ready.iter().map(|ip| match ip.contains(':') {
                    true => format!("[{ip}]:{number}"),
                    false => format!("{ip}:{number}"),
                }));
            }
        }
    }
    match list.len() {
        0..=3 => list.join(","),
        more => format!("{} + {} more...", list[..3].join(","), more - 3),
    }
}

/// `web:80 (10.244.1.2:80)` of a backend. Source: as above (`describeBackendV1`).
fn backend(call: &Call<'_>, ingress: &Value, one: &Value) -> String {
    if let Some(wanted) = one.get("service") {
        let name = wanted.str_at(&["name"]).unwrap_or("");
        let number = wanted.i64_at(&["port", "number"]).filter(|port| *port != 0);
        let named = wanted.str_at(&["port", "name"]).unwrap_or("");
        let shown = number.map_or_else(|| named.to_owned(), |number| number.to_string());
        let shown = format!("{name}:{shown}");
        let Ok(kind) = kind_of("services") else {
            return shown;
        };
        let namespace = ingress
            .str_at(&["metadata", "namespace"])
            .unwrap_or("default");
        let found = call
            .view()
            .ok()
            .and_then(|view| view.get(kind, namespace, name));
        let Some(service) = found else {
            return format!("{shown} (<error: services \"{name}\" not found>)");
        };
        let ports = items(&service, &["spec", "ports"]).iter();
        // The last that fits, as upstream's loop leaves it.
        let port = ports.rev().find(|port| match number {
            Some(number) => port.i64_at(&["port"]) == Some(number),
            None => !named.is_empty() && port.str_at(&["name"]) == Some(named),
        });
        let port = port.and_then(|port| port.str_at(&["name"])).unwrap_or("");
        let slices = slices_of(call, &service);
        let slices: Vec<&Value> = slices.iter().collect();
        return format!("{shown} ({})", endpoints_of(&slices, port));
    }
    one.get("resource").map_or_else(String::new, |resource| {
        format!(
            "APIGroup: {}, Kind: {}, Name: {}",
            resource.str_at(&["apiGroup"]).unwrap_or("<none>"),
            resource.str_at(&["kind"]).unwrap_or(""),
            resource.str_at(&["name"]).unwrap_or("")
        )
    })
}

/// The EndpointSlices with a Service's name.
fn slices_of(call: &Call<'_>, service: &Value) -> Vec<Value> {
    let Ok(kind) = kind_of("endpointslices") else {
        return Vec::new();
    };
    let namespace = service.str_at(&["metadata", "namespace"]);
    let mut slices = call.listing(kind, namespace).unwrap_or_default();
    slices.retain(|slice| {
        slice.str_at(&["metadata", "labels", "kubernetes.io/service-name"])
            == Some(name_of(service))
    });
    slices
}

/// An Ingress.
pub fn ingress_rules(call: &Call<'_>, object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    labels(object, &["metadata", "labels"], "Labels", 0, sheet);
    let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
    sheet.row(0, "Namespace", namespace);
    let given = items(object, &["status", "loadBalancer", "ingress"]).iter();
    let given = given.filter_map(|one| first_text(one, &[&["ip"], &["hostname"]]));
    let mut addresses: Vec<&str> = given.collect();
    addresses.arrange();
    addresses.dedup();
    sheet.row(0, "Address", addresses.join(","));
    let class = object.str_at(&["spec", "ingressClassName"]);
    sheet.row(0, "Ingress Class", or_none(class));
    let default = object.path(&["spec", "defaultBackend"]);
    let default = default.map(|one| backend(call, object, one));
    let default = default.unwrap_or_else(|| "<default>".to_owned());
    sheet.row(0, "Default backend", &default);
    let tls = items(object, &["spec", "tls"]);
    if !tls.is_empty() {
        sheet.line(0, "TLS:");
        for one in tls {
            let hosts: Vec<String> = items(one, &["hosts"]).iter().map(text).collect();
            let hosts = hosts.join(",");
            sheet.line(
                1,
                &match one.str_at(&["secretName"]).filter(|name| !name.is_empty()) {
                    Some(secret) => format!("{secret} terminates {hosts}"),
                    None => format!("SNI routes {hosts}"),
                },
            );
        }
    }
    sheet.line(0, "Rules:");
    sheet.line(1, "Host\tPath\tBackends");
    sheet.line(1, "----\t----\t--------");
    let rules = items(object, &["spec", "rules"]).iter();
    let rules: Vec<&Value> = rules.filter(|rule| rule.get("http").is_some()).collect();
    for rule in &rules {
        let host = rule.str_at(&["host"]).filter(|host| !host.is_empty());
        sheet.line(1, &format!("{}\t", host.unwrap_or("*")));
        for path in items(rule, &["http", "paths"]) {
            let to = path.get("backend").map(|one| backend(call, object, one));
            let path = path.str_at(&["path"]).unwrap_or("");
            sheet.line(2, &format!("\t{path} \t{}", to.unwrap_or_default()));
        }
    }
    if rules.is_empty() {
        sheet.line(1, &format!("*\t*\t{default}"));
    }
    annotations(object, 0, sheet);
}

/// An Endpoints object.
pub fn endpoints(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    meta(object, sheet);
    sheet.line(0, "Subsets:");
    for subset in items(object, &["subsets"]) {
        for (title, field) in [
            ("Addresses", "addresses"),
            ("NotReadyAddresses", "notReadyAddresses"),
        ] {
            let list: Vec<&str> = items(subset, &[field])
                .iter()
                .filter_map(|one| one.str_at(&["ip"]))
                .collect();
            let shown = match list.is_empty() {
                true => "<none>".to_owned(),
                false => list.join(","),
            };
            sheet.row(1, title, shown);
        }
        let ports = items(subset, &["ports"]);
        if !ports.is_empty() {
            sheet.line(1, "Ports:");
            sheet.line(2, "Name\tPort\tProtocol");
            sheet.line(2, "----\t----\t--------");
        }
        for port in ports {
            let name = port.str_at(&["name"]).filter(|name| !name.is_empty());
            sheet.line(
                2,
                &format!(
                    "{}\t{}\t{}",
                    name.unwrap_or("<unset>"),
                    port.i64_at(&["port"]).unwrap_or(0),
                    port.str_at(&["protocol"]).unwrap_or("TCP")
                ),
            );
        }
        sheet.line(0, "");
    }
}

/// An IngressClass.
pub fn ingress_class(object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    meta(object, sheet);
    let text = |path: &[&str]| object.str_at(path).unwrap_or("");
    sheet.row(0, "Controller", text(&["spec", "controller"]));
    if object.path(&["spec", "parameters"]).is_some() {
        sheet.line(0, "Parameters:");
        for (title, field) in [("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name")] {
            if let Some(value) = object.str_at(&["spec", "parameters", field]) {
                sheet.row(1, title, value);
            }
        }
    }
}

/// A NetworkPolicy.
pub fn network_policy(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    let created = object.str_at(&["metadata", "creationTimestamp"]);
    // A time as Go prints it, unlike that of other kinds.
    let created = go_time(created.unwrap_or(""));
    sheet.row(0, "Created on", created);
    meta(object, sheet);
    sheet.line(0, "Spec:");
    let chosen = selector(object.path(&["spec", "podSelector"]));
    let chosen = if chosen == "<none>" {
        "<none> (Allowing the specific traffic to all pods in this namespace)".to_owned()
    } else {
        chosen
    };
    sheet.line(1, &format!("PodSelector:     {chosen}"));
    let types: Vec<String> = items(object, &["spec", "policyTypes"])
        .iter()
        .map(text)
        .collect();
    for (side, word, peers) in [("Ingress", "ingress", "from"), ("Egress", "egress", "to")] {
        if !types.iter().any(|one| one == side) {
            sheet.line(1, &format!("Not affecting {word} traffic"));
            continue;
        }
        sheet.line(1, &format!("Allowing {word} traffic:"));
        let rules = items(object, &["spec", word]);
        if rules.is_empty() {
            sheet.line(
                2,
                &format!("<none> (Selected pods are isolated for {word} connectivity)"),
            );
        }
        for (index, rule) in rules.iter().enumerate() {
            if index > 0 {
                sheet.line(2, "----------");
            }
            policy_rule(rule, peers, sheet);
        }
    }
    let types = or_none(Some(&types.join(", ")));
    sheet.line(1, &format!("Policy Types: {types}"));
}

fn policy_rule(rule: &Value, side: &str, sheet: &mut Sheet) {
    let ports = items(rule, &["ports"]);
    if ports.is_empty() {
        sheet.line(2, "To Port: <any> (traffic allowed to all ports)");
    }
    for port in ports {
        let protocol = port.str_at(&["protocol"]).unwrap_or("TCP");
        // Go prints a port that is not there so.
        let number = port.get("port").map_or_else(|| "<nil>".to_owned(), text);
        sheet.line(
            2,
            &match port.i64_at(&["endPort"]) {
                Some(last) => format!("To Port Range: {number}-{last}/{protocol}"),
                None => format!("To Port: {number}/{protocol}"),
            },
        );
    }
    let word = if side == "from" { "From" } else { "To" };
    let peers = items(rule, &[side]);
    if peers.is_empty() {
        let direction = if side == "from" {
            "source"
        } else {
            "destination"
        };
        sheet.line(
            2,
            &format!("{word}: <any> (traffic not restricted by {direction})"),
        );
    }
    for peer in peers {
        sheet.line(2, &format!("{word}:"));
        for (label, key) in [
            ("NamespaceSelector", "namespaceSelector"),
            ("PodSelector", "podSelector"),
        ] {
            if let Some(chosen) = peer.get(key) {
                sheet.line(3, &format!("{label}: {}", selector(Some(chosen))));
            }
        }
        if let Some(block) = peer.get("ipBlock") {
            sheet.line(3, "IPBlock:");
            sheet.line(
                4,
                &format!("CIDR: {}", block.str_at(&["cidr"]).unwrap_or("")),
            );
            let except: Vec<String> = items(block, &["except"]).iter().map(text).collect();
            sheet.line(4, &format!("Except: {}", except.join(", ")));
        }
    }
}

/// An EndpointSlice.
pub fn endpoint_slice(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    meta(object, sheet);
    let kind = object.str_at(&["addressType"]).unwrap_or("");
    sheet.row(0, "AddressType", kind);
    let ports = items(object, &["ports"]);
    if ports.is_empty() {
        sheet.line(0, "Ports: <unset>");
    } else {
        sheet.line(0, "Ports:");
        sheet.line(1, "Name\tPort\tProtocol");
        sheet.line(1, "----\t----\t--------");
    }
    for port in ports {
        let name = port.str_at(&["name"]).filter(|name| !name.is_empty());
        let number = port.get("port").map_or_else(|| "<unset>".to_owned(), text);
        let protocol = port.str_at(&["protocol"]).unwrap_or("TCP");
        sheet.line(
            1,
            &format!("{}\t{number}\t{protocol}", name.unwrap_or("<unset>")),
        );
    }
    let endpoints = items(object, &["endpoints"]);
    if endpoints.is_empty() {
        sheet.line(0, "Endpoints: <none>");
    } else {
        sheet.line(0, "Endpoints:");
    }
    for endpoint in endpoints {
        let addresses: Vec<String> = items(endpoint, &["addresses"]).iter().map(text).collect();
        sheet.row(1, "- Addresses", or_none(Some(&addresses.join(", "))));
        sheet.line(2, "Conditions:");
        let ready = endpoint
            .path(&["conditions", "ready"])
            .map_or_else(|| "<unset>".to_owned(), text);
        sheet.row(3, "Ready", ready);
        let unset = |key: &str| endpoint.str_at(&[key]).unwrap_or("<unset>").to_owned();
        sheet.row(2, "Hostname", unset("hostname"));
        if let Some(target) = endpoint.get("targetRef") {
            sheet.line(
                2,
                &format!(
                    "TargetRef:\t{}/{}",
                    target.str_at(&["kind"]).unwrap_or(""),
                    target.str_at(&["name"]).unwrap_or("")
                ),
            );
        }
        sheet.row(2, "NodeName", unset("nodeName"));
        sheet.row(2, "Zone", unset("zone"));
    }
}
