//! Rules that Docker's engine writes: its chains in `filter`, `nat` and `raw`.
//! Source: moby `integration/network/bridge/iptablesdoc`, `daemon/libnetwork/drivers/bridge`.

use crate::base::arrange::Arrange;
use crate::base::sorted::SortedSet;
use crate::engine::command::Orchestrator;
use crate::substrate::net::filter::{Cidr, Match, Rule, Ruleset, Table, Target};
use crate::substrate::order::Entry;
use crate::swarm::addresses::GATEWAY_BASE;

use super::networks::on_machine;
use super::place::Place;

/// The mesh's namespace has the second address of the gateway's bridge.
pub const INGRESS_BOX: u32 = GATEWAY_BASE + 2;

/// A port of the machine that leads to a container.
#[derive(Clone, Debug)]
struct Published {
    port: u16,
    target: u16,
    protocol: &'static str,
    address: u32,
    bridge: String,
}

/// A bridge with its range.
#[derive(Clone, Debug)]
struct Bridge {
    name: String,
    range: Cidr,
    internal: bool,
}

fn bridges(place: &Place<'_>) -> Vec<Bridge> {
    on_machine(place)
        .into_iter()
        .filter(|net| !net.bridge.is_empty())
        .map(|net| Bridge {
            name: net.bridge,
            range: Cidr {
                base: net.base,
                prefix: net.prefix,
            },
            internal: net.internal,
        })
        .collect()
}

fn published(place: &Place<'_>, bridges: &[Bridge]) -> Vec<Published> {
    let mut all = Vec::new();
    let mut add = |address: u32, port: u16, target: u16, protocol: &'static str| {
        if let Some(bridge) = bridges.iter().find(|bridge| bridge.range.holds(address)) {
            all.push(Published {
                port,
                target,
                protocol,
                address,
                bridge: bridge.name.clone(),
            });
        }
    };
    let machines = &place.world.substrate;
    if let Some(plane) = place.world.compose() {
        for row in plane.containers() {
            let Some(sandbox) = row
                .sandbox
                .filter(|_| row.process.is_some())
                .and_then(|sandbox| machines.sandbox(sandbox))
                .filter(|sandbox| sandbox.machine == place.machine)
            else {
                continue;
            };
            for port in row.ports.iter() {
                let protocol = if port.protocol == "udp" { "udp" } else { "tcp" };
                add(sandbox.address, port.published, port.target, protocol);
            }
        }
    }
    // A swarm's ports in host mode: by the address on the gateway's bridge, or on the default one.
    for (_, row) in machines.balancers() {
        let Entry::OneMachine(machine, port) = row.entry else {
            continue;
        };
        if machine != place.machine || place.world.orchestrator != Orchestrator::Swarm {
            continue;
        }
        for backend in row.backends() {
            for (_, address) in machines.plugs(backend.sandbox) {
                add(address, port, backend.port, "tcp");
            }
        }
    }
    all.arrange_by_key(|one| one.port);
    all
}

fn through(input: Option<(&str, bool)>, output: Option<(&str, bool)>) -> Match {
    let own = |name: Option<(&str, bool)>| name.map(|(name, not)| (name.to_owned(), not));
    Match {
        input: own(input),
        output: own(output),
        ..Match::default()
    }
}

fn jump(name: &str) -> Target {
    Target::Jump(name.to_owned())
}

fn to_local() -> Match {
    Match {
        to_local: Some(true),
        ..Match::default()
    }
}

/// The engine's own chains.
pub fn write(place: &Place<'_>, all: &mut Ruleset) {
    let bridges = bridges(place);
    let ports = published(place, &bridges);
    let swarm = place.world.orchestrator == Orchestrator::Swarm;
    filter(place, &bridges, &ports, swarm, &mut all.filter);
    nat(place, &bridges, &ports, swarm, &mut all.nat);
    for port in &ports {
        // Nobody outside a bridge may send to its containers' addresses themselves.
        all.raw.chain("PREROUTING").push(Rule::new(
            Match {
                destination: Some((Cidr::host(port.address), false)),
                ..through(Some((&port.bridge, true)), None)
            },
            Target::Drop,
        ));
    }
}

fn filter(
    place: &Place<'_>,
    bridges: &[Bridge],
    ports: &[Published],
    swarm: bool,
    filter: &mut Table,
) {
    // The engine lets nothing through that it does not allow, when it is the one that turned on
    // forwarding.
    for (hook, pass) in &mut filter.hooks {
        *pass = *hook != "FORWARD";
    }
    for name in [
        "DOCKER",
        "DOCKER-BRIDGE",
        "DOCKER-CT",
        "DOCKER-INTERNAL",
        "DOCKER-USER",
    ] {
        filter.chain(name);
    }
    filter.add("FORWARD", Match::default(), jump("DOCKER-USER"));
    filter.add("FORWARD", Match::default(), jump("DOCKER-FORWARD"));
    if swarm {
        filter.add("DOCKER-FORWARD", Match::default(), jump("DOCKER-INGRESS"));
        for port in mesh_ports(place) {
            filter.add(
                "DOCKER-INGRESS",
                Match {
                    protocol: Some("tcp"),
                    port: Some(port),
                    ..Match::default()
                },
                Target::Accept,
            );
        }
        filter.add("DOCKER-INGRESS", Match::default(), Target::Return);
    }
    for name in ["DOCKER-CT", "DOCKER-INTERNAL", "DOCKER-BRIDGE"] {
        filter.add("DOCKER-FORWARD", Match::default(), jump(name));
    }
    for port in ports {
        filter.add(
            "DOCKER",
            Match {
                destination: Some((Cidr::host(port.address), false)),
                protocol: Some(port.protocol),
                port: Some(port.target),
                ..through(Some((&port.bridge, true)), Some((&port.bridge, false)))
            },
            Target::Accept,
        );
    }
    for bridge in bridges {
        let name = bridge.name.as_str();
        if bridge.internal {
            // Neither out of the range nor into it.
            let outside = |input: bool| Match {
                source: input.then_some((bridge.range, true)),
                destination: (!input).then_some((bridge.range, true)),
                ..if input {
                    through(None, Some((name, false)))
                } else {
                    through(Some((name, false)), None)
                }
            };
            filter.add("DOCKER-INTERNAL", outside(false), Target::Drop);
            filter.add("DOCKER-INTERNAL", outside(true), Target::Drop);
        }
        filter.add(
            "DOCKER-FORWARD",
            through(Some((name, false)), None),
            Target::Accept,
        );
        filter.add(
            "DOCKER-BRIDGE",
            through(None, Some((name, false))),
            jump("DOCKER"),
        );
        filter.add(
            "DOCKER-CT",
            Match {
                states: Some(("RELATED,ESTABLISHED", false)),
                ..through(None, Some((name, false)))
            },
            Target::Accept,
        );
        filter.add(
            "DOCKER",
            through(Some((name, true)), Some((name, false))),
            Target::Drop,
        );
    }
}

fn nat(place: &Place<'_>, bridges: &[Bridge], ports: &[Published], swarm: bool, nat: &mut Table) {
    nat.chain("DOCKER");
    if swarm {
        for hook in ["PREROUTING", "OUTPUT"] {
            nat.add(hook, to_local(), jump("DOCKER-INGRESS"));
        }
        ingress(place, nat);
    }
    nat.add("PREROUTING", to_local(), jump("DOCKER"));
    let loopback = Cidr {
        base: 127 << 24,
        prefix: 8,
    };
    nat.add(
        "OUTPUT",
        Match {
            destination: Some((loopback, true)),
            ..to_local()
        },
        jump("DOCKER"),
    );
    for bridge in bridges.iter().filter(|bridge| !bridge.internal) {
        nat.add(
            "POSTROUTING",
            Match {
                source: Some((bridge.range, false)),
                ..through(None, Some((&bridge.name, true)))
            },
            Target::Masquerade,
        );
    }
    for port in ports {
        nat.add(
            "DOCKER",
            Match {
                protocol: Some(port.protocol),
                port: Some(port.port),
                ..through(Some((&port.bridge, true)), None)
            },
            Target::Destination(port.address, port.target),
        );
    }
}

/// Ports that the mesh publishes, each once.
fn mesh_ports(place: &Place<'_>) -> SortedSet<u16> {
    let balancers = place.world.substrate.balancers();
    balancers
        .filter_map(|(_, row)| match row.entry {
            Entry::EveryMachine(port) => Some(port),
            Entry::OneMachine(..) | Entry::Inside => None,
        })
        .collect()
}

/// Published ports of a swarm lead into the namespace of its mesh.
fn ingress(place: &Place<'_>, nat: &mut Table) {
    nat.chain("DOCKER-INGRESS");
    for port in mesh_ports(place) {
        nat.add(
            "DOCKER-INGRESS",
            Match {
                protocol: Some("tcp"),
                port: Some(port),
                ..Match::default()
            },
            Target::Destination(INGRESS_BOX, port),
        );
    }
    nat.add("DOCKER-INGRESS", Match::default(), Target::Return);
}
