//! Workloads on a whole Kubernetes cluster: three zones, Deployments of a hundred pods.

use std::sync::Arc;

use crate::api::node::NodeSetup;
use crate::base::rng::Seed;
use crate::base::time::{SimDuration, SimTime};
use crate::engine::command::{
    Answer, Command, FaultKind, FaultSpec, MachineSpec, Orchestrator, Strength,
};
use crate::engine::world::World;
use crate::kube::Request;
use crate::manifest::value::Value;

use super::{Outcome, Size, Workload};

/// Zones that the machines are spread over in turn.
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];
/// Pods of one Deployment; the last one has the rest.
const REPLICAS: u32 = 100;
/// What a pod asks for.
const POD_MILLI_CPU: u32 = 100;
/// What a pod asks for.
const POD_MEBIBYTES: u32 = 128;
/// A machine has room for three times its share of the pods, but at least this many cores.
const CORES_MIN: u32 = 16;
/// How often the run is looked at.
const LOOK: SimDuration = SimDuration::from_secs(10);
/// Looks until a run that does not converge is given up: a day.
const LOOKS_MAX: u32 = 8_640;
/// Time from a machine's failure until its taint, at the defaults: grace period and monitor period
/// (`node-monitor-grace-period` 50 s, `node-monitor-period` 5 s), toleration (300 s), and some for the
/// pods to start elsewhere.
const MOVE: SimDuration = SimDuration::from_secs(480);
/// Time between two taints in one zone (`node-eviction-rate` 0.1).
const EVICT_EVERY: SimDuration = SimDuration::from_secs(10);
/// Waves of a tenth of the machines each.
const WAVES: u32 = 10;
const IMAGES: [&str; 2] = ["nginx:1.27", "nginx:1.28"];

/// Runs one of the cluster workloads. `burst` has no cluster, `swarm` another one; they are not for here.
pub(super) fn run(workload: Workload, size: Size, seed: u64) -> Outcome {
    let mut world = cluster(size, seed);
    if workload == Workload::Machines {
        return served(world, size);
    }
    deploy(&mut world, size);
    converge(&mut world);
    match workload {
        Workload::Steady | Workload::Swarm | Workload::Burst | Workload::Machines => {
            pass(&mut world, SimDuration::from_secs(3600))
        }
        Workload::Rollout => {
            for (name, replicas) in deployments(size) {
                let object = deployment(&name, replicas, IMAGES[1]);
                request(
                    &mut world,
                    Request::Update {
                        object,
                        namespace: "default".into(),
                    },
                );
            }
            pass(&mut world, LOOK);
            converge(&mut world);
        }
        Workload::NodeLoss => {
            crash(&mut world, 0, None);
            pass(&mut world, SimDuration::from_secs(900));
            converge(&mut world);
        }
        Workload::ZoneLoss => {
            let duration = Some(SimDuration::from_secs(3600));
            inject(
                &mut world,
                FaultSpec {
                    kind: FaultKind::ZoneOutage,
                    target: ZONES[0].into(),
                    at: None,
                    duration,
                    strength: Strength::Usual,
                },
            );
            pass(&mut world, SimDuration::from_secs(3600 + 60));
            converge(&mut world);
        }
        Workload::Waves => {
            let wave = size.nodes.div_ceil(WAVES);
            let down =
                MOVE + EVICT_EVERY.saturating_mul(u64::from(wave.div_ceil(ZONES.len() as u32)));
            for first in (0..size.nodes).step_by(wave as usize) {
                for number in first..size.nodes.min(first + wave) {
                    crash(&mut world, number, Some(down));
                }
                pass(&mut world, down + SimDuration::from_secs(60));
            }
            converge(&mut world);
        }
    }
    outcome(&mut world, workload, size)
}

fn outcome(world: &mut World, workload: Workload, size: Size) -> Outcome {
    Outcome {
        workload,
        size,
        events: world.events(),
        simulated_s: world.now.whole_seconds(),
        hash: world.fingerprint().hex(),
        unmet: world.unmet(),
        placements: Vec::new(),
    }
}

/// Services of ten pods each, whose users change how much they ask for every ten seconds.
fn served(mut world: World, size: Size) -> Outcome {
    /// Pods of one service.
    const PODS: u32 = 10;
    /// Times that the users change their mind.
    const ROUNDS: u32 = 60;
    let services = size.pods.div_ceil(PODS);
    for index in 0..services {
        let replicas = PODS.min(size.pods - index * PODS);
        for text in [
            format!(
                r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"app-{index}"}},"spec":{{"replicas":{replicas},
        "selector":{{"matchLabels":{{"app":"app-{index}"}}}},"template":{{"metadata":{{"labels":{{"app":"app-{index}"}}}},
        "spec":{{"containers":[{{"name":"main","image":"{}","ports":[{{"containerPort":80}}],
        "resources":{{"requests":{{"cpu":"50m","memory":"64Mi"}},"limits":{{"cpu":"100m","memory":"128Mi"}}}}}}]}}}}}}}}"#,
                IMAGES[0]
            ),
            format!(
                r#"{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"app-{index}"}},"spec":{{"selector":{{"app":"app-{index}"}},"ports":[{{"port":80}}]}}}}"#
            ),
        ] {
            let object = Value::parse_json(&text).expect("the template is JSON");
            request(
                &mut world,
                Request::Create {
                    object,
                    namespace: "default".into(),
                },
            );
        }
    }
    pass(&mut world, LOOK);
    converge(&mut world);
    for round in 0..ROUNDS {
        for index in 0..services {
            // Around ten requests a second for each pod, now and then beyond its quota.
            let rate = if (index + round).is_multiple_of(7) {
                PODS * 1_500
            } else {
                PODS * (5 + (index + round) % 11)
            };
            world.command(&Command::Traffic(format!("app-{index}").into(), rate));
        }
        pass(&mut world, SimDuration::from_secs(10));
    }
    outcome(&mut world, Workload::Machines, size)
}

/// Machines and a control machine, no pods yet.
pub(super) fn cluster(size: Size, seed: u64) -> World {
    let mut world = World::new(Orchestrator::Kubernetes, Seed(seed));
    let room = size.pods.div_ceil(size.nodes) * 3;
    let cores = CORES_MIN.max((room * POD_MILLI_CPU).div_ceil(1000));
    let machine = |name: Arc<str>, zone: &str, control: bool| {
        Command::AddMachine(Box::new(MachineSpec {
            name,
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
    world.command(&machine("control-1".into(), "", true));
    for number in 0..size.nodes {
        let zone = ZONES[number as usize % ZONES.len()];
        let answer = world.command(&machine(machine_name(number), zone, false));
        assert!(
            matches!(answer, Answer::Done),
            "a machine is refused: {answer:?}"
        );
    }
    pass(&mut world, LOOK);
    world
}

fn machine_name(number: u32) -> Arc<str> {
    format!("worker-{}", number + 1).into()
}

/// Names and sizes of the Deployments.
fn deployments(size: Size) -> impl Iterator<Item = (String, u32)> {
    (0..size.pods)
        .step_by(REPLICAS as usize)
        .enumerate()
        .map(move |(index, first)| {
            (
                format!("app-{}", index + 1),
                REPLICAS.min(size.pods - first),
            )
        })
}

pub(super) fn deploy(world: &mut World, size: Size) {
    for (name, replicas) in deployments(size) {
        let object = deployment(&name, replicas, IMAGES[0]);
        request(
            world,
            Request::Create {
                object,
                namespace: "default".into(),
            },
        );
    }
    pass(world, LOOK);
}

fn deployment(name: &str, replicas: u32, image: &str) -> Value {
    Value::parse_json(&format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"{name}"}},"spec":{{"replicas":{replicas},
        "selector":{{"matchLabels":{{"app":"{name}"}}}},"template":{{"metadata":{{"labels":{{"app":"{name}"}}}},
        "spec":{{"containers":[{{"name":"main","image":"{image}",
        "resources":{{"requests":{{"cpu":"{POD_MILLI_CPU}m","memory":"{POD_MEBIBYTES}Mi"}}}}}}]}}}}}}}}"#
    ))
    .expect("the template is JSON")
}

fn request(world: &mut World, request: Request) {
    let answer = world.command(&Command::Kube(Arc::new(request)));
    let Answer::Kube(result) = answer else {
        unreachable!("the world runs Kubernetes")
    };
    assert!(result.is_ok(), "a Deployment is refused: {result:?}");
}

fn crash(world: &mut World, number: u32, duration: Option<SimDuration>) {
    inject(
        world,
        FaultSpec {
            kind: FaultKind::NodeCrash,
            target: machine_name(number),
            at: None,
            duration,
            strength: Strength::Usual,
        },
    );
}

fn inject(world: &mut World, spec: FaultSpec) {
    world.command(&Command::Inject(spec));
}

fn pass(world: &mut World, length: SimDuration) {
    let deadline: SimTime = world.now + length;
    world.advance_to(deadline);
}

/// Runs until every pod is as wanted, seen at every look.
pub(super) fn converge(world: &mut World) {
    for _ in 0..LOOKS_MAX {
        if world.unmet() == 0 {
            return;
        }
        pass(world, LOOK);
    }
}
