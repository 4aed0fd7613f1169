//! The rules that one node's proxy writes, made from the objects that a client reads.
//!
//! Made when somebody looks, so that nothing is kept: requests follow the balancers of the
//! machines, and these rules say the same in the kernel's words. Sources:
//! `pkg/proxy/iptables/proxier.go`, `pkg/proxy/topology.go`, `pkg/proxy/endpointslicecache.go`.

use std::net::Ipv4Addr;

use crate::base::arrange::Arrange;
use crate::base::sha256::{base32, sha256};
use crate::manifest::value::Value;
use crate::substrate::net::filter::{Cidr, Match, Protocol, Rule, Ruleset, Target};

/// Mark of packets that are to come from the node: bit 14.
const MASQUERADE: u32 = 0x4000;

/// What a node's proxy knows.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// Name of its node.
    pub node: &'a str,
    /// Range of pods' addresses.
    pub cluster: Cidr,
    /// Services as objects.
    pub services: &'a [Value],
    /// EndpointSlices as objects.
    pub slices: &'a [Value],
}

/// An endpoint of one service port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Endpoint {
    /// Address and port as text: what they are sorted by.
    text: String,
    address: u32,
    port: u16,
    ready: bool,
    serving: bool,
    terminating: bool,
    local: bool,
}

/// A service port and who takes its traffic.
struct Port<'a> {
    service: &'a Value,
    /// `namespace/name:port`.
    name: String,
    protocol: Protocol,
    number: u16,
    node_port: u16,
    suffix: String,
    /// Endpoints for traffic from everywhere.
    cluster: Vec<Endpoint>,
    /// Endpoints on this node.
    local: Vec<Endpoint>,
    /// Whether there is any endpoint on any node that could take traffic.
    any: bool,
    internal_local: bool,
    external_local: bool,
}

/// Name of a chain: the first sixteen letters of the hash in base 32.
pub fn chain(kind: &str, text: &str) -> String {
    let mut hash = base32(&sha256(text.as_bytes()));
    hash.truncate(16);
    format!("KUBE-{kind}-{hash}")
}

fn protocol(word: Option<&str>) -> Protocol {
    match word {
        Some("UDP") => "udp",
        Some("SCTP") => "sctp",
        _ => "tcp",
    }
}

fn number(value: Option<&Value>) -> u16 {
    value
        .and_then(Value::as_i64)
        .and_then(|number| u16::try_from(number).ok())
        .unwrap_or(0)
}

fn items<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.path(path).and_then(Value::as_list).unwrap_or(&[])
}

fn texts<'a>(value: &'a Value, path: &[&str]) -> Vec<&'a str> {
    items(value, path)
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

fn address(text: &str) -> Option<u32> {
    text.parse::<Ipv4Addr>().ok().map(u32::from)
}

/// Endpoints of a service's port, from all its slices, in the order of their text.
fn endpoints(
    known: &Known<'_>,
    service: &Value,
    port_name: &str,
    wanted: Protocol,
) -> Vec<Endpoint> {
    let (name, namespace) = (
        service.str_at(&["metadata", "name"]).unwrap_or(""),
        service.str_at(&["metadata", "namespace"]).unwrap_or(""),
    );
    let mut found = Vec::new();
    for slice in known.slices {
        let of = slice.path(&["metadata", "labels", "kubernetes.io/service-name"]);
        if of.and_then(Value::as_str) != Some(name)
            || slice.str_at(&["metadata", "namespace"]) != Some(namespace)
            || slice
                .str_at(&["addressType"])
                .is_some_and(|kind| kind != "IPv4")
        {
            continue;
        }
        let port = items(slice, &["ports"]).iter().find(|port| {
            port.str_at(&["name"]).unwrap_or("") == port_name
                && protocol(port.str_at(&["protocol"])) == wanted
        });
        let Some(port) = port
            .map(|port| number(port.get("port")))
            .filter(|port| *port > 0)
        else {
            continue;
        };
        for endpoint in items(slice, &["endpoints"]) {
            let condition = |name: &str| {
                endpoint
                    .path(&["conditions", name])
                    .and_then(Value::as_bool)
            };
            let ready = condition("ready").unwrap_or(true);
            for text in texts(endpoint, &["addresses"]) {
                let Some(address) = address(text) else {
                    continue;
                };
                found.push(Endpoint {
                    text: format!("{text}:{port}"),
                    address,
                    port,
                    ready,
                    serving: condition("serving").unwrap_or(ready),
                    terminating: condition("terminating").unwrap_or(false),
                    local: endpoint.str_at(&["nodeName"]) == Some(known.node),
                });
            }
        }
    }
    found.arrange();
    found.dedup_by(|a, b| a.text == b.text);
    found
}

/// Those that take traffic: the ready ones, else those that still serve while they go.
fn usable(all: &[Endpoint], fits: impl Fn(&Endpoint) -> bool) -> Vec<Endpoint> {
    let pick = |of: &dyn Fn(&Endpoint) -> bool| -> Vec<Endpoint> {
        all.iter()
            .filter(|endpoint| fits(endpoint) && of(endpoint))
            .cloned()
            .collect()
    };
    let ready = pick(&|endpoint| endpoint.ready);
    if ready.is_empty() {
        pick(&|endpoint| endpoint.serving && endpoint.terminating)
    } else {
        ready
    }
}

fn ports<'a>(known: &Known<'a>) -> Vec<Port<'a>> {
    let mut all = Vec::new();
    for service in known.services {
        let cluster_ip = service.str_at(&["spec", "clusterIP"]).unwrap_or("");
        let external = service.str_at(&["spec", "type"]) == Some("ExternalName");
        if external || matches!(cluster_ip, "" | "None") {
            continue;
        }
        let internal_local = service.str_at(&["spec", "internalTrafficPolicy"]) == Some("Local");
        let external_local = service.str_at(&["spec", "externalTrafficPolicy"]) == Some("Local");
        for port in items(service, &["spec", "ports"]) {
            let own = port.str_at(&["name"]).unwrap_or("");
            let protocol = protocol(port.str_at(&["protocol"]));
            let plain = format!(
                "{}/{}",
                service.str_at(&["metadata", "namespace"]).unwrap_or(""),
                service.str_at(&["metadata", "name"]).unwrap_or("")
            );
            let name = if own.is_empty() {
                plain
            } else {
                format!("{plain}:{own}")
            };
            let found = endpoints(known, service, own, protocol);
            let cluster = usable(&found, |_| true);
            let local = usable(&found, |endpoint| endpoint.local);
            all.push(Port {
                service,
                protocol,
                number: number(port.get("port")),
                node_port: number(port.get("nodePort")),
                suffix: format!("{name}{protocol}"),
                any: !cluster.is_empty(),
                cluster,
                local,
                internal_local,
                external_local,
                name,
            });
        }
    }
    // Chains are written in the order of the ports' names.
    all.arrange_by(|a, b| a.name.cmp(&b.name));
    all
}

impl Port<'_> {
    fn svc(&self) -> String {
        chain("SVC", &self.suffix)
    }

    fn svl(&self) -> String {
        chain("SVL", &self.suffix)
    }

    fn ext(&self) -> String {
        chain("EXT", &self.suffix)
    }

    fn firewall(&self) -> String {
        chain("FW", &self.suffix)
    }

    /// Addresses outside the cluster's own range, with what they are called.
    fn outside(&self) -> Vec<(u32, &'static str)> {
        let mut all: Vec<(u32, &'static str)> = texts(self.service, &["spec", "externalIPs"])
            .into_iter()
            .filter_map(|text| Some((address(text)?, "external IP")))
            .collect();
        all.extend(
            items(self.service, &["status", "loadBalancer", "ingress"])
                .iter()
                .filter(|one| one.str_at(&["ipMode"]) != Some("Proxy"))
                .filter_map(|one| Some((address(one.str_at(&["ip"])?)?, "loadbalancer IP"))),
        );
        all
    }

    fn ranges(&self) -> Vec<Cidr> {
        texts(self.service, &["spec", "loadBalancerSourceRanges"])
            .into_iter()
            .filter_map(Cidr::parse)
            .collect()
    }

    fn to(&self, destination: u32, comment: &str) -> Match {
        Match {
            destination: Some((Cidr::host(destination), false)),
            protocol: Some(self.protocol),
            port: Some(self.number),
            comment: format!("{} {comment}", self.name),
            ..Match::default()
        }
    }

    fn affinity(&self) -> Option<u32> {
        let on = self.service.str_at(&["spec", "sessionAffinity"]) == Some("ClientIP");
        let seconds = self
            .service
            .path(&[
                "spec",
                "sessionAffinityConfig",
                "clientIP",
                "timeoutSeconds",
            ])
            .and_then(Value::as_i64)
            .and_then(|seconds| u32::try_from(seconds).ok());
        on.then(|| seconds.unwrap_or(10_800))
    }
}

/// Adds a node's proxy's rules to its tables.
pub fn write(known: &Known<'_>, rules: &mut Ruleset) {
    hooks(rules);
    for port in ports(known) {
        service(known, &port, rules);
    }
    rules.nat.add(
        "KUBE-SERVICES",
        Match {
            comment: "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
                .to_owned(),
            to_local: Some(true),
            ..Match::default()
        },
        Target::Jump("KUBE-NODEPORTS".to_owned()),
    );
}

fn comment(text: &str) -> Match {
    Match {
        comment: text.to_owned(),
        ..Match::default()
    }
}

/// The chains that are always there, and the ways to them.
fn hooks(rules: &mut Ruleset) {
    let jump = |name: &str| Target::Jump(name.to_owned());
    let fresh = |text: &str| Match {
        states: Some(("NEW", false)),
        comment: text.to_owned(),
        ..Match::default()
    };
    let nat = &mut rules.nat;
    for name in [
        "KUBE-KUBELET-CANARY",
        "KUBE-NODEPORTS",
        "KUBE-PROXY-CANARY",
        "KUBE-SERVICES",
    ] {
        nat.chain(name);
    }
    for hook in ["PREROUTING", "OUTPUT"] {
        nat.add(
            hook,
            comment("kubernetes service portals"),
            jump("KUBE-SERVICES"),
        );
    }
    nat.add(
        "POSTROUTING",
        comment("kubernetes postrouting rules"),
        jump("KUBE-POSTROUTING"),
    );
    nat.add(
        "KUBE-MARK-MASQ",
        Match::default(),
        Target::Mark(MASQUERADE, MASQUERADE),
    );
    nat.add(
        "KUBE-POSTROUTING",
        Match {
            mark: Some((MASQUERADE, MASQUERADE, true)),
            ..Match::default()
        },
        Target::Return,
    );
    nat.add(
        "KUBE-POSTROUTING",
        Match::default(),
        Target::Mark(MASQUERADE, 0),
    );
    nat.chain("KUBE-POSTROUTING").push(Rule {
        when: comment("kubernetes service traffic requiring SNAT"),
        then: Target::Masquerade,
        extra: " --random-fully",
    });
    let filter = &mut rules.filter;
    for name in [
        "KUBE-EXTERNAL-SERVICES",
        "KUBE-KUBELET-CANARY",
        "KUBE-NODEPORTS",
        "KUBE-PROXY-CANARY",
        "KUBE-PROXY-FIREWALL",
        "KUBE-SERVICES",
    ] {
        filter.chain(name);
    }
    let (firewall, portals, visible) = (
        "kubernetes load balancer firewall",
        "kubernetes service portals",
        "kubernetes externally-visible service portals",
    );
    filter.add("INPUT", fresh(firewall), jump("KUBE-PROXY-FIREWALL"));
    filter.add(
        "INPUT",
        comment("kubernetes health check service ports"),
        jump("KUBE-NODEPORTS"),
    );
    filter.add("INPUT", fresh(visible), jump("KUBE-EXTERNAL-SERVICES"));
    filter.add("INPUT", Match::default(), jump("KUBE-FIREWALL"));
    filter.add("FORWARD", fresh(firewall), jump("KUBE-PROXY-FIREWALL"));
    filter.add(
        "FORWARD",
        comment("kubernetes forwarding rules"),
        jump("KUBE-FORWARD"),
    );
    filter.add("FORWARD", fresh(portals), jump("KUBE-SERVICES"));
    filter.add("FORWARD", fresh(visible), jump("KUBE-EXTERNAL-SERVICES"));
    filter.add("OUTPUT", fresh(firewall), jump("KUBE-PROXY-FIREWALL"));
    filter.add("OUTPUT", fresh(portals), jump("KUBE-SERVICES"));
    filter.add("OUTPUT", Match::default(), jump("KUBE-FIREWALL"));
    let local = Cidr {
        base: 127 << 24,
        prefix: 8,
    };
    filter.add(
        "KUBE-FIREWALL",
        Match {
            source: Some((local, true)),
            destination: Some((local, false)),
            comment: "block incoming localnet connections".to_owned(),
            states: Some(("RELATED,ESTABLISHED,DNAT", true)),
            ..Match::default()
        },
        Target::Drop,
    );
    filter.add(
        "KUBE-FORWARD",
        Match {
            states: Some(("INVALID", false)),
            ..Match::default()
        },
        Target::Drop,
    );
    filter.add(
        "KUBE-FORWARD",
        Match {
            mark: Some((MASQUERADE, MASQUERADE, false)),
            comment: "kubernetes forwarding rules".to_owned(),
            ..Match::default()
        },
        Target::Accept,
    );
    filter.add(
        "KUBE-FORWARD",
        Match {
            states: Some(("RELATED,ESTABLISHED", false)),
            comment: "kubernetes forwarding conntrack rule".to_owned(),
            ..Match::default()
        },
        Target::Accept,
    );
}

fn service(known: &Known<'_>, port: &Port<'_>, rules: &mut Ruleset) {
    let cluster_ip = port
        .service
        .str_at(&["spec", "clusterIP"])
        .and_then(address)
        .unwrap_or(0);
    let outside = port.outside();
    let reaches_outside = port.node_port > 0 || !outside.is_empty();
    // Inside: by the internal policy's endpoints.
    let inside = if port.internal_local {
        &port.local
    } else {
        &port.cluster
    };
    let portal = if port.internal_local {
        port.svl()
    } else {
        port.svc()
    };
    if inside.is_empty() {
        let (text, then) = if port.any {
            ("has no local endpoints", Target::Drop)
        } else {
            ("has no endpoints", Target::Reject)
        };
        rules
            .filter
            .add("KUBE-SERVICES", port.to(cluster_ip, text), then);
    } else {
        rules.nat.add(
            "KUBE-SERVICES",
            port.to(cluster_ip, "cluster IP"),
            Target::Jump(portal),
        );
    }
    if reaches_outside {
        from_outside(known, port, &outside, rules);
    }
    // The chains of endpoints: those that something jumps to.
    let uses_cluster = port.any && (!port.internal_local || reaches_outside);
    if uses_cluster {
        let masquerade = Match {
            source: Some((known.cluster, true)),
            ..port.to(cluster_ip, "cluster IP")
        };
        choose(port, &port.svc(), &port.cluster, Some(masquerade), rules);
    }
    let uses_local = port.internal_local || (reaches_outside && port.external_local);
    if uses_local && !port.local.is_empty() {
        choose(port, &port.svl(), &port.local, None, rules);
    }
    let mut written: Vec<&Endpoint> = Vec::new();
    if uses_cluster {
        written.extend(&port.cluster);
    }
    if uses_local {
        written.extend(&port.local);
    }
    written.arrange();
    written.dedup_by(|a, b| a.text == b.text);
    for endpoint in written {
        receive(port, endpoint, rules);
    }
}

/// Entry from outside: node port, external addresses, balancers' addresses.
fn from_outside(
    known: &Known<'_>,
    port: &Port<'_>,
    outside: &[(u32, &'static str)],
    rules: &mut Ruleset,
) {
    let ext = port.ext();
    let to_node = Match {
        protocol: Some(port.protocol),
        port: Some(port.node_port),
        comment: port.name.clone(),
        ..Match::default()
    };
    let usable = if port.external_local {
        &port.local
    } else {
        &port.cluster
    };
    let text = if port.any {
        "has no local endpoints"
    } else {
        "has no endpoints"
    };
    let refuse = || {
        if port.any {
            Target::Drop
        } else {
            Target::Reject
        }
    };
    if usable.is_empty() {
        for (destination, _) in outside {
            rules.filter.add(
                "KUBE-EXTERNAL-SERVICES",
                port.to(*destination, text),
                refuse(),
            );
        }
        if port.node_port > 0 {
            rules.filter.add(
                "KUBE-EXTERNAL-SERVICES",
                Match {
                    comment: format!("{} {text}", port.name),
                    to_local: Some(true),
                    ..to_node.clone()
                },
                refuse(),
            );
        }
    }
    if port.any {
        let guarded = !port.ranges().is_empty();
        for (destination, what) in outside {
            let to = if *what == "loadbalancer IP" && guarded {
                port.firewall()
            } else {
                ext.clone()
            };
            rules.nat.add(
                "KUBE-SERVICES",
                port.to(*destination, what),
                Target::Jump(to),
            );
        }
        if port.node_port > 0 {
            rules
                .nat
                .add("KUBE-NODEPORTS", to_node, Target::Jump(ext.clone()));
        }
        guard(port, outside, &ext, rules);
        entry(known, port, &ext, rules);
    }
    let health = number(port.service.path(&["spec", "healthCheckNodePort"]));
    if health > 0 {
        rules.filter.add(
            "KUBE-NODEPORTS",
            Match {
                protocol: Some("tcp"),
                port: Some(health),
                comment: format!("{} health check node port", port.name),
                ..Match::default()
            },
            Target::Accept,
        );
    }
}

/// Only some sources may come through a balancer.
fn guard(port: &Port<'_>, outside: &[(u32, &'static str)], ext: &str, rules: &mut Ruleset) {
    let ranges = port.ranges();
    let balancers: Vec<u32> = outside
        .iter()
        .filter(|(_, what)| *what == "loadbalancer IP")
        .map(|(destination, _)| *destination)
        .collect();
    if ranges.is_empty() || balancers.is_empty() {
        return;
    }
    let firewall = port.firewall();
    for range in ranges {
        rules.nat.add(
            &firewall,
            Match {
                source: Some((range, false)),
                comment: format!("{} loadbalancer IP", port.name),
                ..Match::default()
            },
            Target::Jump(ext.to_owned()),
        );
    }
    rules.nat.add(
        &firewall,
        comment(&format!(
            "other traffic to {} will be dropped by KUBE-PROXY-FIREWALL",
            port.name
        )),
        Target::None,
    );
    for destination in balancers {
        let text = format!("traffic not accepted by {firewall}");
        rules.filter.add(
            "KUBE-PROXY-FIREWALL",
            port.to(destination, &text),
            Target::Drop,
        );
    }
}

/// The chain of traffic from outside.
fn entry(known: &Known<'_>, port: &Port<'_>, ext: &str, rules: &mut Ruleset) {
    let nat = &mut rules.nat;
    let what = format!("for {} external destinations", port.name);
    if !port.external_local {
        nat.add(
            ext,
            comment(&format!("masquerade traffic {what}")),
            Target::Jump("KUBE-MARK-MASQ".to_owned()),
        );
        nat.add(ext, Match::default(), Target::Jump(port.svc()));
        return;
    }
    nat.add(
        ext,
        Match {
            source: Some((known.cluster, false)),
            comment: format!("pod traffic {what}"),
            ..Match::default()
        },
        Target::Jump(port.svc()),
    );
    let from_node = |text: &str| Match {
        comment: format!("{text} LOCAL traffic {what}"),
        from_local: true,
        ..Match::default()
    };
    nat.add(
        ext,
        from_node("masquerade"),
        Target::Jump("KUBE-MARK-MASQ".to_owned()),
    );
    nat.add(ext, from_node("route"), Target::Jump(port.svc()));
    if !port.local.is_empty() {
        nat.add(ext, Match::default(), Target::Jump(port.svl()));
    }
}

/// The chain that chooses an endpoint.
fn choose(
    port: &Port<'_>,
    name: &str,
    endpoints: &[Endpoint],
    masquerade: Option<Match>,
    rules: &mut Ruleset,
) {
    let nat = &mut rules.nat;
    if let Some(when) = masquerade {
        nat.add(name, when, Target::Jump("KUBE-MARK-MASQ".to_owned()));
    }
    let sep = |endpoint: &Endpoint| chain("SEP", &format!("{}{}", port.suffix, endpoint.text));
    let text = |endpoint: &Endpoint| format!("{} -> {}", port.name, endpoint.text);
    if let Some(seconds) = port.affinity() {
        for endpoint in endpoints {
            nat.add(
                name,
                Match {
                    comment: text(endpoint),
                    recent: Some((sep(endpoint), seconds)),
                    ..Match::default()
                },
                Target::Jump(sep(endpoint)),
            );
        }
    }
    let count = endpoints.len() as u64;
    for (index, endpoint) in (0_u64..).zip(endpoints) {
        let rest = count - index;
        nat.add(
            name,
            Match {
                comment: text(endpoint),
                one_in: (rest > 1).then_some(rest),
                ..Match::default()
            },
            Target::Jump(sep(endpoint)),
        );
    }
}

/// The chain that sends to one endpoint.
fn receive(port: &Port<'_>, endpoint: &Endpoint, rules: &mut Ruleset) {
    let name = chain("SEP", &format!("{}{}", port.suffix, endpoint.text));
    rules.nat.add(
        &name,
        Match {
            source: Some((Cidr::host(endpoint.address), false)),
            comment: port.name.clone(),
            ..Match::default()
        },
        Target::Jump("KUBE-MARK-MASQ".to_owned()),
    );
    rules.nat.add(
        &name,
        Match {
            protocol: Some(port.protocol),
            comment: port.name.clone(),
            ..Match::default()
        },
        Target::Destination(endpoint.address, endpoint.port),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_named_as_upstream_names_them() {
        assert_eq!(
            chain("SVC", "default/web:httptcp"),
            "KUBE-SVC-CDGGSHYLG3RE2FKL"
        );
        assert_eq!(
            chain("SEP", "default/web:httptcp10.244.1.7:8080"),
            "KUBE-SEP-A4JCWMD6AMIS43DD"
        );
        assert_eq!(chain("SVC", "default/webtcp"), "KUBE-SVC-LOLE4ISW44XBNF3G");
        assert_eq!(chain("SVC", "ns4/svc4:p80tcp"), "KUBE-SVC-4SW47YFZTEDKD3PK");
    }
}
