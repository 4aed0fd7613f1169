//! Services.

use crate::api::kube::container::Protocol;
use crate::api::kube::service::{ClusterIp, PortTarget, Service, ServiceKind, ServicePort};
use crate::base::sorted::SortedSet;
use crate::manifest::decode::kube::container::PROTOCOLS;
use crate::manifest::decode::kube::rules::{items, one_of, text};
use crate::manifest::decode::kube::{fault, meta, name, probe};
use crate::manifest::decode::scribe::{Field, Scribe};

/// Lowest and highest node port. Source: `pkg/kubeapiserver/options/options.go`.
pub const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

/// `spec` of a Service.
pub fn service(field: &Field<'_>, scribe: &Scribe) -> Service {
    field.expect_map(scribe);
    let kinds = [
        ("ClusterIP", ServiceKind::ClusterIp),
        ("ExternalName", ServiceKind::ExternalName),
        ("LoadBalancer", ServiceKind::LoadBalancer),
        ("NodePort", ServiceKind::NodePort),
    ];
    let kind = fault::word(
        scribe,
        &field.get(scribe, "type"),
        &kinds,
        ServiceKind::ClusterIp,
    );
    let ip_field = field.get(scribe, "clusterIP");
    let ip = ip_field.text_or_empty(scribe);
    let cluster_ip = match &*ip {
        "" => ClusterIp::Allocate,
        "None" => ClusterIp::Headless,
        _ => ClusterIp::Fixed(ip.clone()),
    };
    if let ClusterIp::Fixed(ip) = &cluster_ip
        && ip.parse::<std::net::IpAddr>().is_err()
    {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        fault::invalid(scribe, &ip_field, format!("{:?}", &**ip), detail);
    }
    if cluster_ip == ClusterIp::Headless
        && matches!(kind, ServiceKind::NodePort | ServiceKind::LoadBalancer)
    {
        let word = kinds
            .iter()
            .find(|(_, other)| *other == kind)
            .map_or("", |(word, _)| word);
        let detail = format!("may not be set to 'None' for {word} services");
        let at = Field {
            path: format!("{}s[0]", ip_field.path),
            ..ip_field
        };
        fault::invalid(scribe, &at, "\"None\"", &detail);
    }
    let external = field.peek("externalName");
    if kind == ServiceKind::ExternalName && external.text_or_empty(scribe).is_empty() {
        fault::required(scribe, &external, "");
    } else if kind == ServiceKind::ExternalName {
        let name = external.text_or_empty(scribe);
        for detail in name::subdomain(name.strip_suffix('.').unwrap_or(&name)) {
            fault::invalid(scribe, &external, format!("{name:?}"), &detail);
        }
    }
    traffic(field, scribe, kind);
    let selector_field = field.get(scribe, "selector");
    let selector = meta::label_map(&selector_field, scribe);
    let ports_field = field.get(scribe, "ports");
    let ports = ports(&ports_field, scribe, kind);
    if ports.is_empty()
        && kind != ServiceKind::ExternalName
        && cluster_ip != ClusterIp::Headless
        && ports_field.node.is_none_or(|node| node.as_seq().is_some())
    {
        fault::required(scribe, &ports_field, "");
    }
    let allocates = field.get(scribe, "allocateLoadBalancerNodePorts");
    Service {
        kind,
        allocates_node_ports: kind != ServiceKind::LoadBalancer
            || allocates.node.is_none()
            || allocates.truth(scribe),
        ports,
        // An empty selector selects nothing and, as the endpoint controller has it, is none.
        selector: Some(selector).filter(|selector| !selector.is_empty()),
        cluster_ip,
        publish_not_ready_addresses: field.get(scribe, "publishNotReadyAddresses").truth(scribe),
    }
}

/// Source: `pkg/apis/core/validation/validation.go` (`validateServiceExternalTrafficPolicy`).
fn traffic(field: &Field<'_>, scribe: &Scribe, kind: ServiceKind) {
    one_of(
        &field.peek("sessionAffinity"),
        &["ClientIP", "None"],
        scribe,
    );
    one_of(
        &field.peek("internalTrafficPolicy"),
        &["Cluster", "Local"],
        scribe,
    );
    let families = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    one_of(&field.peek("ipFamilyPolicy"), &families, scribe);
    let ranges = field.peek("loadBalancerSourceRanges");
    if kind != ServiceKind::LoadBalancer && !items(&ranges).is_empty() {
        let detail = "may only be used when `type` is 'LoadBalancer'";
        fault::forbidden(scribe, &ranges, detail);
    }
    for ip in items(&field.peek("externalIPs")) {
        if text(&ip).parse::<std::net::IpAddr>().is_err() {
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            fault::invalid(scribe, &ip, format!("{:?}", text(&ip)), detail);
        }
    }
    let external = field.peek("externalTrafficPolicy");
    let reachable = matches!(kind, ServiceKind::NodePort | ServiceKind::LoadBalancer)
        || kind == ServiceKind::ClusterIp && !items(&field.peek("externalIPs")).is_empty();
    if reachable {
        one_of(&external, &["Cluster", "Local"], scribe);
    } else if !text(&external).is_empty() {
        let detail = "may only be set for externally-accessible services";
        fault::invalid(scribe, &external, format!("{:?}", text(&external)), detail);
    }
}

fn ports(field: &Field<'_>, scribe: &Scribe, kind: ServiceKind) -> Vec<ServicePort> {
    let items = field.items(scribe);
    let several = items.len() > 1;
    let mut names = SortedSet::new();
    let mut numbers = SortedSet::new();
    let mut node_ports = SortedSet::new();
    let mut ports = Vec::new();
    for item in &items {
        item.expect_map(scribe);
        let name_field = item.get(scribe, "name");
        let name = name_field.text_or_empty(scribe);
        if name.is_empty() {
            if several {
                fault::required(scribe, &name_field, "");
            }
        } else {
            for detail in name::label(&name) {
                fault::invalid(scribe, &name_field, format!("{name:?}"), &detail);
            }
            if !names.insert(name.clone()) {
                fault::duplicate(scribe, &name_field, format!("{name:?}"));
            }
        }
        let number_field = item.get(scribe, "port");
        if !number_field.exists() {
            fault::invalid(
                scribe,
                &number_field,
                0,
                "must be between 1 and 65535, inclusive",
            );
        }
        let port = fault::port(scribe, &number_field).unwrap_or(0);
        let protocol = fault::word(
            scribe,
            &item.get(scribe, "protocol"),
            &PROTOCOLS,
            Protocol::Tcp,
        );
        if port > 0 && !numbers.insert((port, protocol)) {
            fault::duplicate(scribe, item, format!("{{\"port\":{port}}}"));
        }
        let target_field = item.get(scribe, "targetPort");
        let target_port = if target_field.exists() {
            probe::target(&target_field, scribe)
        } else {
            None
        };
        let node_port = node_port(&item.get(scribe, "nodePort"), scribe, kind);
        if node_port > 0 && !node_ports.insert((node_port, protocol)) {
            fault::duplicate(scribe, &item.peek("nodePort"), node_port);
        }
        ports.push(ServicePort {
            name,
            port,
            target_port: target_port.unwrap_or(PortTarget::Number(port)),
            node_port,
            protocol,
        });
    }
    ports
}

fn node_port(field: &Field<'_>, scribe: &Scribe, kind: ServiceKind) -> u16 {
    let number = field.integer(scribe).unwrap_or(0);
    if number == 0 {
        return 0;
    }
    match kind {
        ServiceKind::ClusterIp | ServiceKind::ExternalName => {
            let word = if kind == ServiceKind::ClusterIp {
                "ClusterIP"
            } else {
                "ExternalName"
            };
            fault::forbidden(
                scribe,
                field,
                &format!("may not be used when `type` is '{word}'"),
            );
            0
        }
        ServiceKind::NodePort | ServiceKind::LoadBalancer => {
            let port = u16::try_from(number)
                .ok()
                .filter(|port| NODE_PORTS.contains(port));
            if port.is_none() {
                let detail = "provided port is not in the valid range. The range of valid ports is 30000-32767";
                fault::invalid(scribe, field, number, detail);
            }
            port.unwrap_or(0)
        }
    }
}
