//! Invariants of a world, looked at from outside: what no run may ever show, whatever its input.
//!
//! Each check recomputes from rows what the planes and the machines keep incrementally, so that it is
//! also the oracle of the counts. Looking costs as much as the cluster is large: soak runs do it,
//! ordinary runs never.

use crate::base::resources::ResourceVector;
use crate::base::sorted::SortedSet;
use crate::kube::KubePlane;
use crate::manifest::value::Value;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::container::ContainerState;
use crate::swarm::SwarmPlane;

use super::world::{Plane, World};

/// What is wrong with a world, one sentence for each breach; empty: nothing.
pub fn breaches(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    addresses(world, &mut found);
    let told = world.substrate.stirred();
    found.extend(world.observer.breaches(world, told));
    match &world.plane {
        Plane::Kubernetes(plane) => {
            capacity(world, plane, &mut found);
            attachments(plane, &mut found);
            found.extend(plane.breaches(&world.symbols, &world.substrate, world.now));
        }
        Plane::Swarm(plane) => counts(plane, &mut found),
        Plane::Compose(_) => {}
    }
    found
}

/// No two sandboxes of a machine that have a network hold one address.
fn addresses(world: &World, found: &mut Vec<String>) {
    for (machine, _) in world.substrate.machines() {
        let mut taken = SortedSet::new();
        for (id, sandbox) in world.substrate.sandboxes_on(machine) {
            let own = sandbox.spec.network != Sharing::Host;
            // A pod's sandbox keeps its network while containers come and go; an engine's container
            // has an endpoint only while it runs (moby `daemon/container_operations.go`).
            let plugged = matches!(world.plane, Plane::Kubernetes(_))
                || world
                    .substrate
                    .containers_in(id)
                    .any(|(_, row)| matches!(row.state, ContainerState::Running { .. }));
            if own && plugged && sandbox.address != 0 && !taken.insert(sandbox.address) {
                found.push(format!(
                    "machine {}: two sandboxes hold the address {}",
                    world.machine_text(machine),
                    std::net::Ipv4Addr::from(sandbox.address)
                ));
            }
        }
    }
}

/// What the pods bound to a node ask for is not more than the node has to give, every pod stands in
/// its node's list, and the list is as long as the node says.
fn capacity(world: &World, plane: &KubePlane, found: &mut Vec<String>) {
    let bound = plane
        .store()
        .pods()
        .filter(|(_, pod)| pod.node.is_some())
        .count();
    let mut listed = 0;
    for (id, node) in plane.store().nodes() {
        let name = world.symbols.text(node.name);
        let (mut asked, mut pods) = (ResourceVector::new(), 0);
        for (_, pod) in plane.store().pods_on(id) {
            pods += 1;
            if !pod.phase.is_terminal() {
                asked.add(&plane.store().template(pod.template).requests);
            }
        }
        listed += pods as usize;
        if pods != node.pods {
            found.push(format!(
                "node {name}: {pods} pods are bound, it counts {}",
                node.pods
            ));
        }
        let room = &node.allocatable;
        for (what, asked, room) in [
            ("cpu", asked.milli_cpu, room.milli_cpu),
            ("memory", asked.memory, room.memory),
            ("pods", asked.pods, room.pods),
        ] {
            if asked > room {
                found.push(format!(
                    "node {name}: its pods ask for {asked} of {what}, {room} are allocatable"
                ));
            }
        }
    }
    if listed != bound {
        found.push(format!(
            "{bound} pods are bound, the nodes' lists hold {listed}"
        ));
    }
}

/// A volume that one node may use is attached to one node at most.
fn attachments(plane: &KubePlane, found: &mut Vec<String>) {
    let documents = plane.store().documents();
    if !documents.has_storage() {
        return;
    }
    let mut taken = SortedSet::new();
    for (_, document) in documents.of("volumeattachments.storage.k8s.io") {
        let value = &document.value;
        let is_attached =
            value.path(&["status", "attached"]).and_then(Value::as_bool) == Some(true);
        let volume = value
            .str_at(&["spec", "source", "persistentVolumeName"])
            .unwrap_or("");
        let shared = documents
            .of("persistentvolumes")
            .find(|(key, _)| &*key.name == volume)
            .and_then(|(_, volume)| volume.value.path(&["spec", "accessModes"]))
            .and_then(Value::as_list)
            .is_some_and(|modes| {
                let mut modes = modes.iter().filter_map(Value::as_str);
                modes.any(|mode| mode.ends_with("Many"))
            });
        if is_attached && !shared && !taken.insert(volume) {
            found.push(format!("volume {volume} is attached to two nodes"));
        }
    }
}

/// Each service's counts are what counting its tasks gives.
fn counts(plane: &SwarmPlane, found: &mut Vec<String>) {
    let mut again = plane.store.clone();
    for (id, service) in plane.store.services() {
        again.recount(id);
        let recounted = again.service(id).map(|service| service.counts);
        if recounted != Some(service.counts) {
            found.push(format!(
                "service {}: it counts {:?}, its tasks are {recounted:?}",
                service.spec.name, service.counts
            ));
        }
    }
}
