//! Published answers, and repeatability of the workloads.

use sha2::{Digest, Sha256};

use super::{Size, Workload, api, burst, run};

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
