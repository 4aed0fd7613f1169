//! Names looked up from inside: the cluster's records, and the engine's own server.
//! Sources: kubernetes/dns `docs/specification.md`, moby `daemon/libnetwork/resolver.go`.

use std::net::Ipv4Addr;

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::console::{Output, after};
use crate::engine::command::Orchestrator;
use crate::kube::kinds;
use crate::kube::kubelet::files::of_service;
use crate::kube::kubelet::resources::{CLUSTER_DNS, CLUSTER_DOMAIN};
use crate::manifest::value::Value;

use super::place::Place;
use super::sight::Sight;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses, in order.
    Addresses(Vec<Ipv4Addr>),
    /// Another name.
    Alias(String),
    /// Services: priority, weight, port and name.
    Services(Vec<(u16, String)>),
    /// The name exists without records of this type.
    Empty,
    /// No such name.
    Unknown,
    /// Names outside are not modelled.
    Outside,
}

/// Objects of a kind, in all namespaces.
pub fn objects(place: &Place<'_>, plural: &str) -> Vec<Value> {
    let (Some(kube), Some(kind)) = (place.world.kube(), kinds::of_word(plural)) else {
        return Vec::new();
    };
    kube.view(
        &place.world.symbols,
        &place.world.substrate,
        place.now,
        place.world.seed,
    )
    .list(kind, None)
}

fn items<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.path(path).and_then(Value::as_list).unwrap_or(&[])
}

/// Ready endpoints of a service: address, its name among them, and ports.
fn endpoints(
    place: &Place<'_>,
    namespace: &str,
    service: &str,
) -> Vec<(Ipv4Addr, String, Vec<(String, String, u16)>)> {
    let mut found = Vec::new();
    for slice in objects(place, "endpointslices") {
        let of = slice.path(&["metadata", "labels", "kubernetes.io/service-name"]);
        if of.and_then(Value::as_str) != Some(service)
            || slice.str_at(&["metadata", "namespace"]) != Some(namespace)
        {
            continue;
        }
        let ports: Vec<(String, String, u16)> = items(&slice, &["ports"])
            .iter()
            .filter_map(|port| {
                Some((
                    port.str_at(&["name"]).unwrap_or("").to_owned(),
                    port.str_at(&["protocol"]).unwrap_or("TCP").to_lowercase(),
                    u16::try_from(port.get("port")?.as_i64()?).ok()?,
                ))
            })
            .collect();
        for endpoint in items(&slice, &["endpoints"]) {
            let ready = endpoint
                .path(&["conditions", "ready"])
                .and_then(Value::as_bool)
                .unwrap_or(true);
            if !ready {
                continue;
            }
            let hostname = endpoint.str_at(&["hostname"]).unwrap_or("");
            for address in items(endpoint, &["addresses"]) {
                if let Some(address) = address.as_str().and_then(|text| text.parse().ok()) {
                    found.push((address, hostname.to_owned(), ports.clone()));
                }
            }
        }
    }
    found.arrange();
    found.dedup();
    found
}

/// Looks a full name up in the cluster's zone.
pub fn cluster(place: &Place<'_>, name: &str, kind: &str) -> Answer {
    let name = name.trim_end_matches('.').to_lowercase();
    if let Some(reverse) = name.strip_suffix(".in-addr.arpa") {
        return backwards(place, reverse);
    }
    let zone = format!(".{CLUSTER_DOMAIN}");
    let Some(inner) = name.strip_suffix(&zone) else {
        return Answer::Outside;
    };
    let parts: Vec<&str> = inner.split('.').collect();
    match parts.as_slice() {
        [address, namespace, "pod"] => {
            let known = objects(place, "namespaces")
                .iter()
                .any(|one| one.str_at(&["metadata", "name"]) == Some(namespace));
            match address.replace('-', ".").parse::<Ipv4Addr>() {
                Ok(address) if known => Answer::Addresses(vec![address]),
                _ => Answer::Unknown,
            }
        }
        [port, protocol, service, namespace, "svc"]
            if port.starts_with('_') && protocol.starts_with('_') =>
        {
            ports(place, namespace, service, &port[1..], &protocol[1..])
        }
        [host, service, namespace, "svc"] => {
            let found: Vec<Ipv4Addr> = endpoints(place, namespace, service)
                .into_iter()
                .filter(|(address, hostname, _)| {
                    hostname == host || address.to_string().replace('.', "-") == *host
                })
                .map(|(address, _, _)| address)
                .collect();
            if found.is_empty() {
                Answer::Unknown
            } else {
                by_type(Answer::Addresses(found), kind)
            }
        }
        [service, namespace, "svc"] => by_type(service_record(place, namespace, service), kind),
        [namespace, "svc"] => {
            let known = objects(place, "namespaces")
                .iter()
                .any(|one| one.str_at(&["metadata", "name"]) == Some(namespace));
            if known {
                Answer::Empty
            } else {
                Answer::Unknown
            }
        }
        ["svc"] => Answer::Empty,
        _ => Answer::Unknown,
    }
}

/// Addresses are records of type A only.
fn by_type(answer: Answer, kind: &str) -> Answer {
    match (&answer, kind) {
        (Answer::Addresses(_), "A" | "ANY") | (Answer::Alias(_), _) => answer,
        (Answer::Addresses(_), _) => Answer::Empty,
        _ => answer,
    }
}

fn find_service(place: &Place<'_>, namespace: &str, service: &str) -> Option<Value> {
    objects(place, "services").into_iter().find(|one| {
        one.str_at(&["metadata", "name"]) == Some(service)
            && one.str_at(&["metadata", "namespace"]) == Some(namespace)
    })
}

fn service_record(place: &Place<'_>, namespace: &str, service: &str) -> Answer {
    let Some(object) = find_service(place, namespace, service) else {
        return Answer::Unknown;
    };
    if let Some(name) = object.str_at(&["spec", "externalName"]) {
        return Answer::Alias(format!("{name}."));
    }
    match object.str_at(&["spec", "clusterIP"]) {
        Some("None") | None => {
            let found: Vec<Ipv4Addr> = endpoints(place, namespace, service)
                .into_iter()
                .map(|(address, _, _)| address)
                .collect();
            if found.is_empty() {
                Answer::Unknown
            } else {
                Answer::Addresses(found)
            }
        }
        Some(text) => match text.parse() {
            Ok(address) => Answer::Addresses(vec![address]),
            Err(_) => Answer::Empty,
        },
    }
}

/// `_port._protocol` of a service.
fn ports(place: &Place<'_>, namespace: &str, service: &str, port: &str, protocol: &str) -> Answer {
    let Some(object) = find_service(place, namespace, service) else {
        return Answer::Unknown;
    };
    let base = format!("{service}.{namespace}.svc.{CLUSTER_DOMAIN}.");
    if matches!(object.str_at(&["spec", "clusterIP"]), Some("None") | None) {
        let found: Vec<(u16, String)> = endpoints(place, namespace, service)
            .into_iter()
            .flat_map(|(address, hostname, ports)| {
                let host = if hostname.is_empty() {
                    address.to_string().replace('.', "-")
                } else {
                    hostname
                };
                let base = base.clone();
                ports
                    .into_iter()
                    .filter(|(name, kind, _)| name == port && kind == protocol)
                    .map(move |(_, _, number)| (number, format!("{host}.{base}")))
                    .collect::<Vec<_>>()
            })
            .collect();
        return if found.is_empty() {
            Answer::Unknown
        } else {
            Answer::Services(found)
        };
    }
    let found = items(&object, &["spec", "ports"]).iter().find(|one| {
        one.str_at(&["name"]) == Some(port)
            && one.str_at(&["protocol"]).unwrap_or("TCP").to_lowercase() == protocol
    });
    match found.and_then(|one| u16::try_from(one.get("port")?.as_i64()?).ok()) {
        Some(number) => Answer::Services(vec![(number, base)]),
        None => Answer::Unknown,
    }
}

/// From an address to the service that has it.
fn backwards(place: &Place<'_>, reverse: &str) -> Answer {
    let mut parts: Vec<&str> = reverse.split('.').collect();
    parts.reverse();
    let address = parts.join(".");
    let found = objects(place, "services")
        .into_iter()
        .find(|one| one.str_at(&["spec", "clusterIP"]) == Some(address.as_str()));
    match found {
        Some(one) => Answer::Alias(format!(
            "{}.{}.svc.{CLUSTER_DOMAIN}.",
            one.str_at(&["metadata", "name"]).unwrap_or(""),
            one.str_at(&["metadata", "namespace"]).unwrap_or("")
        )),
        None => Answer::Unknown,
    }
}

/// Looks a name up as a process does: relative names go through the search list first.
pub(super) fn lookup(sight: &Sight<'_>, name: &str, kind: &str) -> (String, Answer) {
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return (name.to_owned(), Answer::Addresses(vec![address]));
    }
    if sight.place.world.orchestrator != Orchestrator::Kubernetes {
        let plain = name.trim_end_matches('.');
        let answer = super::embedded::lookup(sight, plain).unwrap_or(if plain.contains('.') {
            Answer::Outside
        } else {
            Answer::Unknown
        });
        return (name.to_owned(), answer);
    }
    let machines = &sight.place.world.substrate;
    let resolver = sight
        .inside
        .and_then(|container| machines.sandbox(machines.container(container)?.sandbox))
        .map(|row| &row.spec.resolver);
    let in_cluster = resolver.is_some_and(|resolver| {
        resolver
            .nameservers
            .iter()
            .any(|server| &**server == CLUSTER_DNS)
    });
    if !in_cluster {
        return (name.to_owned(), Answer::Outside);
    }
    let mut tries = Vec::new();
    if !name.ends_with('.') {
        let dots = name.matches('.').count();
        let searches = resolver
            .map(|resolver| resolver.searches.as_slice())
            .unwrap_or(&[]);
        let enough = resolver
            .and_then(|resolver| {
                resolver
                    .options
                    .iter()
                    .find_map(|option| option.strip_prefix("ndots:")?.parse::<usize>().ok())
            })
            .unwrap_or(1);
        if dots >= enough {
            tries.push(name.to_owned());
        }
        tries.extend(searches.iter().map(|domain| format!("{name}.{domain}")));
        if dots < enough {
            tries.push(name.to_owned());
        }
    } else {
        tries.push(name.to_owned());
    }
    let mut outside = false;
    for full in tries {
        match cluster(sight.place, &full, kind) {
            Answer::Unknown => {}
            Answer::Outside => outside = true,
            answer => return (full.trim_end_matches('.').to_owned(), answer),
        }
    }
    // A bare name that no search domain knows is none of the world outside either.
    let answer = if outside && name.trim_end_matches('.').contains('.') {
        Answer::Outside
    } else {
        Answer::Unknown
    };
    (name.trim_end_matches('.').to_owned(), answer)
}

/// Address of the server that a process asks.
fn server(sight: &Sight<'_>) -> String {
    let own = super::net::network(sight);
    if own.is_some_and(|sandbox| super::embedded::has_server(sight.place, sandbox)) {
        return super::embedded::SERVER.to_owned();
    }
    let machines = &sight.place.world.substrate;
    sight
        .inside
        .and_then(|container| machines.sandbox(machines.container(container)?.sandbox))
        .and_then(|row| row.spec.resolver.nameservers.first().cloned())
        .map_or_else(
            || Ipv4Addr::from(super::net::ROUTER).to_string(),
            |server| server.to_string(),
        )
}

/// `getent hosts NAME`, `nslookup NAME`, `dig [+short] NAME [TYPE]`, `host NAME`.
pub fn run(sight: &Sight<'_>, tool: &str, words: &[&str]) -> Option<Output> {
    let plain: Vec<&str> = words
        .iter()
        .filter(|word| !word.starts_with(['-', '+', '@']))
        .copied()
        .collect();
    let type_of = |word: &&&str| {
        matches!(
            word.to_uppercase().as_str(),
            "A" | "AAAA" | "SRV" | "PTR" | "CNAME" | "ANY"
        )
    };
    let kind = plain
        .iter()
        .find(type_of)
        .map_or_else(|| "A".to_owned(), |word| word.to_uppercase());
    let kind = words
        .iter()
        .find_map(|word| word.strip_prefix("-type=").or(word.strip_prefix("-query=")))
        .map_or(kind, str::to_uppercase);
    let mut names = plain
        .iter()
        .filter(|word| !type_of(word) && **word != "hosts" && **word != "ahosts");
    let name = *names.next()?;
    let (full, answer) =
        if tool == "dig" && sight.place.world.orchestrator == Orchestrator::Kubernetes {
            // dig does not follow the search list.
            (
                name.trim_end_matches('.').to_owned(),
                cluster(sight.place, name, &kind),
            )
        } else {
            lookup(sight, name, &kind)
        };
    if answer == Answer::Outside {
        return Some(Output::error(
            1,
            after(
                format!("{tool}: {name}: "),
                catalogue::NAMES_OUTSIDE.plain(),
            ),
        ));
    }
    Some(match tool {
        "getent" => match answer {
            Answer::Addresses(list) => Output::text(
                list.iter()
                    .map(|address| format!("{:<15} {full}\n", address.to_string()))
                    .collect::<String>(),
            ),
            _ => Output {
                code: 2,
                ..Output::default()
            },
        },
        "dig" => dig(
            &full,
            &kind,
            &answer,
            words.contains(&"+short"),
            &server(sight),
        ),
        _ => nslookup(tool, &full, &answer, &server(sight)),
    })
}

fn nslookup(tool: &str, name: &str, answer: &Answer, server: &str) -> Output {
    let mut text = if tool == "nslookup" {
        format!("Server:\t\t{server}\nAddress:\t{server}#53\n\n")
    } else {
        String::new()
    };
    let code = match answer {
        Answer::Addresses(list) => {
            for address in list {
                text.push_str(&if tool == "nslookup" {
                    format!("Name:\t{name}\nAddress: {address}\n")
                } else {
                    format!("{name} has address {address}\n")
                });
            }
            0
        }
        Answer::Alias(other) => {
            text.push_str(&format!("{name}\tcanonical name = {other}\n"));
            0
        }
        Answer::Services(list) => {
            for (port, target) in list {
                text.push_str(&format!("{name}\tservice = 0 100 {port} {target}\n"));
            }
            0
        }
        Answer::Empty => {
            text.push_str(&format!("*** Can't find {name}: No answer\n"));
            0
        }
        Answer::Unknown | Answer::Outside => {
            text.push_str(&format!("** server can't find {name}: NXDOMAIN\n"));
            1
        }
    };
    if tool == "nslookup" {
        text.push('\n');
    }
    Output {
        stdout: text.into(),
        code,
        ..Output::default()
    }
}

fn dig(name: &str, kind: &str, answer: &Answer, short: bool, server: &str) -> Output {
    let records: Vec<(&str, String)> = match answer {
        Answer::Addresses(list) => list
            .iter()
            .map(|address| ("A", address.to_string()))
            .collect(),
        Answer::Alias(other) if kind == "PTR" => vec![("PTR", other.clone())],
        Answer::Alias(other) => vec![("CNAME", other.clone())],
        Answer::Services(list) => list
            .iter()
            .map(|(port, target)| ("SRV", format!("0 100 {port} {target}")))
            .collect(),
        Answer::Empty | Answer::Unknown | Answer::Outside => Vec::new(),
    };
    if short {
        return Output::text(
            records
                .iter()
                .map(|(_, value)| format!("{value}\n"))
                .collect::<String>(),
        );
    }
    let status = if *answer == Answer::Unknown {
        "NXDOMAIN"
    } else {
        "NOERROR"
    };
    let mut text = format!(
        "\n; <<>> DiG 9.20.15 <<>> {name} {kind}\n;; global options: +cmd\n;; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: {status}, id: 1\n;; flags: qr aa rd; QUERY: 1, ANSWER: {}, AUTHORITY: 0, ADDITIONAL: 0\n\n;; QUESTION SECTION:\n;{name}.\t\tIN\t{kind}\n",
        records.len()
    );
    if !records.is_empty() {
        text.push_str("\n;; ANSWER SECTION:\n");
        for (kind, value) in &records {
            text.push_str(&format!("{name}.\t30\tIN\t{kind}\t{value}\n"));
        }
    }
    text.push_str(&format!(";; SERVER: {server}#53({server}) (UDP)\n"));
    Output::text(text)
}

/// Variables that name the API server and, if the pod links to them, the services of its namespace, as
/// far as they were there before it.
/// Sources: `pkg/kubelet/kubelet_pods.go` (`getServiceEnvVarMap`), `pkg/kubelet/envvars/envvars.go`.
pub fn service_variables(sight: &Sight<'_>, links: bool) -> Vec<(String, String)> {
    if sight.place.world.orchestrator != Orchestrator::Kubernetes {
        return Vec::new();
    }
    let machines = &sight.place.world.substrate;
    let Some(sandbox) = sight
        .inside
        .and_then(|container| Some(machines.container(container)?.sandbox))
    else {
        return Vec::new();
    };
    let namespace = sight
        .place
        .units
        .get(&sandbox)
        .map_or("", |unit| unit.namespace.as_str());
    let made = machines
        .sandbox(sandbox)
        .map(|row| row.created.rfc3339())
        .unwrap_or_default();
    let mut rows = Vec::new();
    let mut services = objects(sight.place, "services");
    services.arrange_by_key(|one| one.str_at(&["metadata", "name"]).unwrap_or("").to_owned());
    for service in &services {
        let here = service.str_at(&["metadata", "namespace"]).unwrap_or("");
        let name = service.str_at(&["metadata", "name"]).unwrap_or("");
        let api = here == "default" && name == "kubernetes";
        let before = service
            .str_at(&["metadata", "creationTimestamp"])
            .is_some_and(|at| at <= made.as_str());
        let address = service.str_at(&["spec", "clusterIP"]).unwrap_or("");
        if !(api || links && here == namespace && before) || matches!(address, "" | "None") {
            continue;
        }
        let ports = items(service, &["spec", "ports"]).iter();
        let ports: Vec<(&str, i64, &str)> = ports
            .map(|port| {
                (
                    port.str_at(&["name"]).unwrap_or(""),
                    port.i64_at(&["port"]).unwrap_or(0),
                    port.str_at(&["protocol"]).unwrap_or("TCP"),
                )
            })
            .collect();
        of_service(name, address, &ports, &mut rows);
    }
    rows
}
