//! `/etc`: names of hosts and how names are looked up.

use std::net::Ipv4Addr;

use crate::engine::command::Orchestrator;
use crate::substrate::cgroup::settings::{Resolver, Sharing};
use crate::substrate::errno::Errno;
use crate::substrate::order::SandboxId;
use crate::swarm::addresses::GATEWAY;

use super::sight::{Node, Sight, directory};

/// Name server and search domain of the machines themselves.
const MACHINE_RESOLVER: &str = "nameserver 192.168.0.1\noptions edns0 trust-ad\nsearch .\n";

/// What is below `/etc`.
///
/// # Errors
/// ENOENT.
pub fn look(sight: &Sight<'_>, names: &[&str]) -> Result<Node, Errno> {
    match names {
        [] => Ok(directory(&[
            "group",
            "hostname",
            "hosts",
            "os-release",
            "passwd",
            "resolv.conf",
        ])),
        ["hostname"] => Ok(Node::File(format!("{}\n", hostname(sight)))),
        ["hosts"] => Ok(Node::File(hosts(sight))),
        ["resolv.conf"] => Ok(Node::File(resolver(sight))),
        ["os-release"] if sight.inside.is_none() => Ok(Node::File(
            "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME=\"Debian GNU/Linux\"\n\
             VERSION_ID=\"13\"\nVERSION=\"13 (trixie)\"\nVERSION_CODENAME=trixie\nID=debian\n"
                .to_owned(),
        )),
        ["passwd"] => Ok(Node::File(
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
                .to_owned(),
        )),
        ["group"] => Ok(Node::File("root:x:0:\nnogroup:x:65534:\n".to_owned())),
        _ => Err(Errno::NotFound),
    }
}

/// The host's name as this process sees it.
pub fn hostname(sight: &Sight<'_>) -> String {
    let place = sight.place;
    let own = sight.inside.and_then(|container| {
        let sandbox = place.world.substrate.container(container)?.sandbox;
        place.units.get(&sandbox).map(|unit| unit.hostname.clone())
    });
    own.unwrap_or_else(|| place.node_name().to_owned())
}

/// The domain of the name, where it has one.
pub fn domain(sight: &Sight<'_>) -> Option<String> {
    let place = sight.place;
    let sandbox = place.world.substrate.container(sight.inside?)?.sandbox;
    let unit = place.units.get(&sandbox)?;
    (!unit.domain.is_empty()).then(|| unit.domain.clone())
}

/// The name with its domain.
pub fn full_name(sight: &Sight<'_>) -> String {
    let name = hostname(sight);
    match domain(sight) {
        Some(domain) => format!("{name}.{domain}"),
        None => name,
    }
}

/// `/etc/hosts`.
fn hosts(sight: &Sight<'_>) -> String {
    let place = sight.place;
    let machines = &place.world.substrate;
    let name = hostname(sight);
    let Some(sandbox) = sight
        .inside
        .and_then(|container| Some(machines.container(container)?.sandbox))
    else {
        return format!("127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n");
    };
    let row = machines.sandbox(sandbox);
    let mut text;
    if row.is_some_and(|row| row.spec.network == Sharing::Host) {
        // The machine's own file, for pods with a line above it that says so.
        // Source: `pkg/kubelet/kubelet_pods.go` (nodeHostsFileContent).
        let node = place.node_name();
        let above = if place.world.orchestrator == Orchestrator::Kubernetes {
            "# Kubernetes-managed hosts file (host network).\n"
        } else {
            ""
        };
        text = format!("{above}127.0.0.1\tlocalhost\n127.0.1.1\t{node}\n");
    } else if place.world.orchestrator != Orchestrator::Kubernetes {
        return engine_hosts(sight, sandbox, &name);
    } else {
        let local = "localhost ip6-localhost ip6-loopback";
        text = format!(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\t{local}\nfe00::0\tip6-localnet\n\
             fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
        );
        if let Some(address) = machines.sandbox_address(sandbox) {
            let full = full_name(sight);
            let both = if full == name {
                name
            } else {
                format!("{full}\t{name}")
            };
            text.push_str(&format!("{address}\t{both}\n"));
        }
    }
    let aliases = row.map(|row| &row.spec.host_aliases);
    if let Some(aliases) = aliases.filter(|aliases| !aliases.is_empty()) {
        text.push_str("\n# Entries added by HostAliases.\n");
        for (address, names) in aliases {
            text.push_str(&format!("{address}\t{}\n", names.join("\t")));
        }
    }
    text
}

/// The file of a container of the engine's. Source: moby `daemon/libnetwork/etchosts`.
fn engine_hosts(sight: &Sight<'_>, sandbox: SandboxId, name: &str) -> String {
    let machines = &sight.place.world.substrate;
    let mut text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
                    fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\n\
                    ff02::2\tip6-allrouters\n"
        .to_owned();
    if let Some(row) = machines.sandbox(sandbox) {
        for (address, names) in &row.spec.host_aliases {
            text.push_str(&format!("{address}\t{}\n", names.join(" ")));
        }
    }
    for (plug, address) in machines.plugs(sandbox) {
        if &*plug.network != GATEWAY {
            text.push_str(&format!("{}\t{name}\n", Ipv4Addr::from(address)));
        }
    }
    text
}

/// Text of a resolver's file.
fn lines(resolver: &Resolver) -> String {
    let mut text = String::new();
    if !resolver.searches.is_empty() {
        text.push_str(&format!("search {}\n", resolver.searches.join(" ")));
    }
    for server in &resolver.nameservers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if !resolver.options.is_empty() {
        text.push_str(&format!("options {}\n", resolver.options.join(" ")));
    }
    text
}

/// `/etc/resolv.conf`.
fn resolver(sight: &Sight<'_>) -> String {
    let machines = &sight.place.world.substrate;
    let Some(row) = sight
        .inside
        .and_then(|container| machines.sandbox(machines.container(container)?.sandbox))
    else {
        return MACHINE_RESOLVER.to_owned();
    };
    if sight.place.world.orchestrator != Orchestrator::Kubernetes {
        if row.spec.network == Sharing::Host {
            return MACHINE_RESOLVER.to_owned();
        }
        // Networks that people make have the engine's own server behind a loopback address; the
        // default bridge has the machine's. Source: moby `daemon/libnetwork/internal/resolvconf`.
        let head = "# Generated by Docker Engine.\n# This file can be edited; Docker Engine will not \
                    make further changes once it\n# has been modified.\n\n";
        let own = super::net::network(sight);
        if own.is_some_and(|sandbox| super::embedded::has_server(sight.place, sandbox)) {
            return format!(
                "{head}nameserver {}\nsearch .\noptions edns0 trust-ad ndots:0\n\n# Based on host \
                 file: '/etc/resolv.conf' (internal resolver)\n# ExtServers: [192.168.0.1]\n# \
                 Overrides: []\n# Option ndots from: internal\n",
                super::embedded::SERVER
            );
        }
        return format!(
            "{head}nameserver 192.168.0.1\nsearch .\noptions edns0 trust-ad\n\n# Based on host \
             file: '/etc/resolv.conf' (legacy)\n# Overrides: []\n"
        );
    }
    if row.spec.resolver.nameservers.is_empty() && row.spec.resolver.searches.is_empty() {
        return MACHINE_RESOLVER.to_owned();
    }
    lines(&row.spec.resolver)
}
