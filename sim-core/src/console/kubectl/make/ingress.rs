//! `kubectl create ingress`. Source: `k8s.io/kubectl/pkg/cmd/create/create_ingress.go`.

use crate::console::kubectl::Call;
use crate::console::kubectl::problem::Problem;
use crate::manifest::value::Value;

use super::generators::{head, texts};

fn is_word(text: &str) -> bool {
    let good = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    !text.is_empty() && text.chars().all(good)
}

/// Whether a rule begins as `host/path=service:port[,tls[=secret]]`: upstream's pattern has no end.
fn is_rule(rule: &str) -> bool {
    let host = rule.find(|it: char| !(it.is_ascii_alphanumeric() || "_*-.".contains(it)));
    let Some(path) = host
        .map(|at| &rule[at..])
        .filter(|rest| rest.starts_with('/'))
    else {
        return false;
    };
    // The path may hold the sign, too: any of them may be the one before the service.
    path.match_indices('=').any(|(at, _)| {
        let Some((service, port)) = path[at + 1..].split_once(':') else {
            return false;
        };
        is_word(service)
            && port.starts_with(|it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-'))
    })
}

/// `name:port`, by number or name.
fn backend(text: &str) -> Value {
    let mut parts = text.split(':');
    let (service, port) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let mut value = Value::map();
    value.set_path(&["service", "name"], service.into());
    match port.parse::<i64>() {
        Ok(number) => value.set_path(&["service", "port", "number"], number.into()),
        Err(_) => value.set_path(&["service", "port", "name"], port.into()),
    }
    value
}

/// `create ingress NAME`.
///
/// # Errors
/// Without a rule and a default; rules, annotations and defaults that are none.
pub fn ingress(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let mut object = head("networking.k8s.io/v1", "Ingress", name);
    let rules = call.arguments.each("rule");
    let default = call
        .arguments
        .flag("default-backend")
        .filter(|it| !it.is_empty());
    if rules.is_empty() && default.is_none() {
        return Err(Problem::error(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)",
        ));
    }
    if let Some(rule) = rules.iter().find(|rule| !is_rule(rule)) {
        return Err(Problem::error(format!(
            "rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
        )));
    }
    for pair in call.arguments.each("annotation") {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Problem::error(format!(
                "annotation {pair} is invalid and should be in format key=[value]"
            ))
        })?;
        object.set_path(&["metadata", "annotations", key], value.into());
    }
    if default.is_some_and(|default| default.split(':').count() != 2) {
        return Err(Problem::error(
            "default-backend should be in format servicename:serviceport",
        ));
    }
    if let Some(class) = call.arguments.flag("class").filter(|it| !it.is_empty()) {
        object.set_path(&["spec", "ingressClassName"], class.into());
    }
    if let Some(default) = default {
        object.set_path(&["spec", "defaultBackend"], backend(default));
    }
    let hosts = hosts(&rules);
    if !hosts.is_empty() {
        object.set_path(&["spec", "rules"], hosts.into());
    }
    let secrets = secrets(&rules);
    if !secrets.is_empty() {
        object.set_path(&["spec", "tls"], secrets.into());
    }
    Ok(object)
}

fn hosts(rules: &[&str]) -> Vec<Value> {
    let mut hosts: Vec<(&str, Vec<Value>)> = Vec::new();
    for rule in rules {
        let rule = rule.split(',').next().unwrap_or(rule);
        let (host, rest) = rule.split_once('/').unwrap_or((rule, ""));
        let mut parts = rest.split('=');
        let (path, target) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let (path, kind) = match path.strip_suffix('*') {
            Some(prefix) => (format!("/{prefix}"), "Prefix"),
            None => (format!("/{path}"), "Exact"),
        };
        let entry = Value::object([
            ("backend", backend(target)),
            ("path", path.as_str().into()),
            ("pathType", kind.into()),
        ]);
        match hosts.iter_mut().find(|(known, _)| *known == host) {
            Some((_, paths)) => paths.push(entry),
            None => hosts.push((host, vec![entry])),
        }
    }
    let rules = hosts.into_iter().map(|(host, paths)| {
        let mut rule = Value::map();
        if !host.is_empty() {
            rule.set("host", host.into());
        }
        rule.set_path(&["http", "paths"], paths.into());
        rule
    });
    rules.collect()
}

/// Certificates, one for each secret: a host's first one counts.
fn secrets(rules: &[&str]) -> Vec<Value> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for rule in rules {
        let mut parts = rule.split(',');
        let (Some(_), Some(tls), None) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let host = rule.split('/').next().unwrap_or("");
        if seen.contains(&host) {
            continue;
        }
        seen.push(host);
        let secret = tls.split('=').nth(1).unwrap_or("");
        match found.iter_mut().find(|(known, _)| *known == secret) {
            Some((_, hosts)) => hosts.push(host),
            None if host.is_empty() && secret.is_empty() => {}
            None if host.is_empty() => found.push((secret, Vec::new())),
            None => found.push((secret, vec![host])),
        }
    }
    let list = found.into_iter().map(|(secret, hosts)| {
        let mut one = Value::map();
        if !hosts.is_empty() {
            one.set("hosts", texts(&hosts));
        }
        if !secret.is_empty() {
            one.set("secretName", secret.into());
        }
        one
    });
    list.collect()
}
