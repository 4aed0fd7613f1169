//! A large swarm: three zones, services of a hundred tasks, one zone lost and back.

use std::sync::Arc;

use crate::api::node::NodeSetup;
use crate::api::resources::{ResourceAmounts, ResourceNeeds};
use crate::api::swarm::service::{
    ContainerSpec, EndpointMode, FailureAction, Placement, RestartCondition, RestartPolicy,
    ServiceMode, ServiceSpec, TaskSpec, UpdateConfig, UpdateOrder,
};
use crate::base::rng::Seed;
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;
use crate::engine::command::{
    Answer, Command, FaultKind, FaultSpec, MachineSpec, Orchestrator, Strength,
};
use crate::engine::world::World;
use crate::swarm::Request;

use super::{Outcome, Size, Workload};

/// Zones that the machines are spread over in turn.
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];
/// Tasks of one service; the last one has the rest.
const REPLICAS: u32 = 100;
/// What a task reserves.
const TASK_MILLI_CPU: u32 = 100;
/// A machine has room for three times its share of the tasks, but at least this many cores.
const CORES_MIN: u32 = 16;
/// Managers, so that the loss of a zone leaves a majority.
const MANAGERS: u32 = 3;
/// How often the run is looked at.
const LOOK: SimDuration = SimDuration::from_secs(10);
/// Looks until a run that does not converge is given up: a day.
const LOOKS_MAX: u32 = 8_640;
/// How long the zone is away.
const OUTAGE: SimDuration = SimDuration::from_minutes(10);

/// Deploys, loses a zone, and waits until every task is as wanted.
pub(super) fn run(size: Size, seed: u64) -> Outcome {
    let mut world = World::new(Orchestrator::Swarm, Seed(seed));
    machines(&mut world, size);
    for first in (0..size.pods).step_by(REPLICAS as usize) {
        let spec = service(first / REPLICAS + 1, REPLICAS.min(size.pods - first));
        let request = Request::CreateService(Arc::new(spec));
        let answer = world.command(&Command::Swarm(Arc::new(request)));
        let taken = matches!(&answer, Answer::Swarm(result) if result.is_ok());
        assert!(taken, "a service is refused: {answer:?}");
    }
    pass(&mut world, LOOK);
    converge(&mut world);
    world.command(&Command::Inject(FaultSpec {
        kind: FaultKind::ZoneOutage,
        target: ZONES[0].into(),
        at: None,
        duration: Some(OUTAGE),
        strength: Strength::Usual,
    }));
    pass(&mut world, OUTAGE + SimDuration::from_secs(60));
    converge(&mut world);
    Outcome {
        workload: Workload::Swarm,
        size,
        events: world.events(),
        simulated_s: world.now.whole_seconds(),
        hash: world.fingerprint().hex(),
        unmet: world.unmet(),
        placements: Vec::new(),
    }
}

fn machines(world: &mut World, size: Size) {
    let room = size.pods.div_ceil(size.nodes) * 3;
    let cores = CORES_MIN.max((room * TASK_MILLI_CPU).div_ceil(1000));
    let machine = |name: String, zone: &str, control: bool| {
        Command::AddMachine(Box::new(MachineSpec {
            name: name.into(),
            milli_cpu: i64::from(cores) * 1000,
            memory_bytes: i64::from(cores) * (4 << 30),
            zone: zone.into(),
            extended: Vec::new(),
            profile: Default::default(),
            subnet: None,
            setup: NodeSetup {
                control,
                ..NodeSetup::default()
            },
        }))
    };
    for number in 0..MANAGERS {
        let zone = ZONES[number as usize % ZONES.len()];
        world.command(&machine(format!("control-{}", number + 1), zone, true));
    }
    for number in 0..size.nodes {
        let zone = ZONES[number as usize % ZONES.len()];
        let answer = world.command(&machine(format!("worker-{}", number + 1), zone, false));
        assert!(
            matches!(answer, Answer::Done),
            "a machine is refused: {answer:?}"
        );
    }
    pass(world, LOOK);
}

fn service(number: u32, replicas: u32) -> ServiceSpec {
    let update = UpdateConfig {
        parallelism: 1,
        delay: SimDuration::ZERO,
        failure_action: FailureAction::Pause,
        monitor: SimDuration::from_secs(5),
        max_failure_ratio_millionths: 0,
        order: UpdateOrder::StopFirst,
    };
    let requests = ResourceAmounts {
        cpu_milli: Some(u64::from(TASK_MILLI_CPU)),
        memory_bytes: Some(128 << 20),
        ..ResourceAmounts::default()
    };
    ServiceSpec {
        name: format!("app-{number}").into(),
        labels: SortedMap::new(),
        mode: ServiceMode::Replicated { replicas },
        task: TaskSpec {
            container: ContainerSpec {
                image: "nginx:1.27".into(),
                command: Vec::new(),
                args: Vec::new(),
                env: SortedMap::new(),
                health_check: None,
                stop_grace_period: SimDuration::from_secs(10),
                mounts: Vec::new(),
                configs: Vec::new(),
                secrets: Vec::new(),
                options: Default::default(),
            },
            resources: ResourceNeeds {
                requests,
                ..ResourceNeeds::default()
            },
            restart_policy: RestartPolicy {
                condition: RestartCondition::Any,
                delay: SimDuration::from_secs(5),
                max_attempts: 0,
                window: SimDuration::ZERO,
            },
            placement: Placement::default(),
            networks: Vec::new(),
            force_update: 0,
        },
        endpoint_mode: EndpointMode::Vip,
        ports: Vec::new(),
        update_config: update,
        rollback_config: update,
    }
}

fn pass(world: &mut World, length: SimDuration) {
    let deadline = world.now + length;
    world.advance_to(deadline);
}

/// Runs until every task is as wanted, seen at every look.
fn converge(world: &mut World) {
    for _ in 0..LOOKS_MAX {
        if world.unmet() == 0 {
            return;
        }
        pass(world, LOOK);
    }
}
