//! Published answers, and repeatability of the workloads.

use sha2::{Digest, Sha256};

use crate::api::node::NodeSetup;
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;
use crate::des::choice::Choices;
use crate::engine::checks;
use crate::engine::command::{Command, FaultKind, FaultSpec, MachineSpec, Strength};

use super::{Size, Workload, api, burst, cluster, run};

fn placements_hash(size: Size) -> String {
    let mut hash = Sha256::new();
    for (pod, node) in burst::run(size).placements.iter().enumerate() {
        hash.update(format!("pod_{pod} node_{node}\n"));
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn burst_places_as_published() {
    assert_eq!(
        placements_hash(Size {
            nodes: 100,
            pods: 10_000
        }),
        "9a602d265eea723695d4ff45f150a5e52ad69ac1637dd3dd7286bee6f4f3491e"
    );
}

#[test]
fn every_workload_converges_and_repeats() {
    for (workload, name) in Workload::ALL {
        let size = Size { nodes: 9, pods: 40 };
        let (first, second) = (run(workload, size, 1), run(workload, size, 1));
        assert_eq!(first.unmet, 0, "{name}");
        assert_eq!(first.hash, second.hash, "{name}");
        assert!(first.events > 40, "{name}");
    }
}

#[test]
fn what_a_person_waits_for_works_and_repeats() {
    let size = Size {
        nodes: 9,
        pods: 1_000,
    };
    for (task, name) in api::Task::ALL {
        let prepared = api::prepare(task, Some(size));
        let (first, second) = (prepared.clone().run(), prepared.run());
        assert!(first.good, "{name}");
        assert!(first.items >= 1_000, "{name}: {}", first.items);
        assert_eq!(first, second, "{name}");
    }
}

/// A zone is lost while the pods are still on their way to a cluster that is too full without it: at
/// every look the invariants hold, and what the loops keep is what is found from scratch.
#[test]
fn a_cluster_that_is_full_keeps_its_invariants() {
    let size = Size {
        nodes: 30,
        pods: 3_000,
    };
    let mut world = cluster::cluster(size, 1);
    cluster::deploy(&mut world, size);
    world.command(&Command::Inject(FaultSpec {
        kind: FaultKind::ZoneOutage,
        target: "zone-b".into(),
        at: None,
        duration: Some(SimDuration::from_secs(900)),
        strength: Strength::Usual,
    }));
    let mut waited = 0;
    for _ in 0..20 {
        world.advance_to(world.now + SimDuration::from_secs(60));
        assert_eq!(checks::breaches(&world), [""; 0], "at {}", world.now);
        let pods = world.kube().map(|plane| plane.store().pods());
        let unbound = pods.map_or(0, |pods| pods.filter(|(_, pod)| pod.node.is_none()).count());
        waited = waited.max(unbound);
    }
    assert!(waited > 500, "{waited} pods found no node");
    cluster::converge(&mut world);
    assert_eq!(checks::breaches(&world), [""; 0], "at the end");
}

/// Where choices are watched the scheduler goes the long way through each cycle: it comes to the same
/// nodes, verdicts and scores, with holes among the nodes, without a zone, and with more nodes than it
/// looks at.
#[test]
fn either_way_through_a_cycle_comes_to_the_same() {
    let size = Size {
        nodes: 130,
        pods: 1_000,
    };
    let [quick, long] = [false, true].map(|watched| {
        let mut world = cluster::cluster(size, 1);
        world.command(&Command::AddMachine(Box::new(MachineSpec {
            name: "nowhere".into(),
            milli_cpu: 64_000,
            memory_bytes: 256 << 30,
            zone: "".into(),
            extended: Vec::new(),
            profile: Default::default(),
            subnet: None,
            setup: NodeSetup::default(),
        })));
        world.advance_to(world.now + SimDuration::from_secs(30));
        if watched {
            world.choices = Choices::scripted(SortedMap::new());
        }
        cluster::deploy(&mut world, size);
        cluster::converge(&mut world);
        world.command(&Command::Inject(FaultSpec {
            kind: FaultKind::ZoneOutage,
            target: "zone-b".into(),
            at: None,
            duration: Some(SimDuration::from_secs(900)),
            strength: Strength::Usual,
        }));
        let mut seen = Vec::new();
        let mut explained = 0;
        for _ in 0..16 {
            world.advance_to(world.now + SimDuration::from_secs(60));
            let plane = world.kube().expect("it runs Kubernetes");
            for (pod, row) in plane.store().pods() {
                let why = plane.scheduler().explain(pod, &world.symbols);
                explained += usize::from(!why.is_empty());
                seen.push((pod, row.node, why));
            }
        }
        assert!(explained > 1_000, "{explained} decisions were looked at");
        let nowhere = world.machine("nowhere").expect("it was added");
        let plane = world.kube().expect("it runs Kubernetes");
        let node = plane.store().node_of(nowhere);
        assert!(seen.iter().any(|(_, on, _)| on.is_some() && *on == node));
        seen
    });
    let pairs = quick.iter().zip(&long);
    for (quick, long) in pairs {
        assert_eq!(quick, long);
    }
    assert_eq!(quick.len(), long.len());
}
