//! Swarm on machines, in a small loop that stands for the engine.

use std::collections::VecDeque;
use std::sync::Arc;

use super::*;
use crate::api::resources::ResourceNeeds;
use crate::api::swarm::service::{
    ContainerSpec, EndpointMode, FailureAction, Placement, PortProtocol, PublishMode,
    PublishedPort, RestartCondition, RestartPolicy, ServiceMode, ServiceSpec, TaskSpec,
    UpdateConfig, UpdateOrder,
};
use crate::base::resources::ResourceVector;
use crate::base::rng::Seed;
use crate::base::sorted::SortedMap;
use crate::base::time::SimTime;
use crate::des::queue::{Queue, Seq};
use crate::substrate::machine::MachineSpec;
use crate::substrate::order::{Order, SubstrateFault};
use crate::substrate::{self, Scope, Substrate, SubstrateOutbox};

mod failures;
mod rules;
mod updates;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Any {
    Machines(substrate::Event),
    Swarm(Event),
}

/// A world of one swarm.
struct Rig {
    now: SimTime,
    seed: Seed,
    symbols: Symbols,
    machines: Substrate,
    plane: SwarmPlane,
    queue: Queue<Any>,
    notices: Vec<(SimTime, Notice)>,
    names: SortedMap<String, MachineId>,
    events: u64,
    orders: VecDeque<Order>,
    upcalls: VecDeque<Upcall>,
    settling: bool,
}

impl Rig {
    /// `control-1` and workers `worker-1` … with it, 4 CPUs and 8 GiB each.
    fn new(workers: u32) -> Self {
        Self::seeded(workers, 7)
    }

    fn seeded(workers: u32, seed: u64) -> Self {
        let mut rig = Self {
            now: SimTime::ZERO,
            seed: Seed(seed),
            symbols: Symbols::new(),
            machines: Substrate::new(),
            plane: SwarmPlane::new(),
            queue: Queue::new(),
            notices: Vec::new(),
            names: SortedMap::new(),
            events: 0,
            orders: VecDeque::new(),
            upcalls: VecDeque::new(),
            settling: false,
        };
        rig.machine("control-1", true);
        for number in 1..=workers {
            rig.machine(&format!("worker-{number}"), false);
        }
        rig
    }

    fn machine(&mut self, name: &str, control: bool) {
        let capacity = ResourceVector {
            milli_cpu: 4000,
            memory: 8 << 30,
            ..ResourceVector::new()
        };
        let spec = MachineSpec {
            name: self.symbols.intern(name),
            capacity,
            zone: None,
            control,
            profile: Default::default(),
            address: None,
            subnet: None,
        };
        let machine = self
            .physical(|machines, scope| machines.add_machine(spec, scope))
            .expect("a new name");
        self.names.insert(name.to_owned(), machine);
        let setup = NodeSetup {
            control,
            ..NodeSetup::default()
        };
        self.swarm(|plane, ctx, out| plane.machine_added(machine, &setup, ctx, out));
    }

    fn physical<R>(&mut self, act: impl FnOnce(&mut Substrate, &mut Scope<'_>) -> R) -> R {
        let mut out = SubstrateOutbox::new();
        let mut scope = Scope {
            now: self.now,
            seed: self.seed,
            symbols: &self.symbols,
            out: &mut out,
        };
        let result = act(&mut self.machines, &mut scope);
        self.upcalls.extend(out.drain_orders());
        for (span, event) in out.drain_after() {
            self.queue
                .schedule(self.now + span, Seq::default(), Any::Machines(event));
        }
        self.settle();
        result
    }

    fn swarm<R>(
        &mut self,
        act: impl FnOnce(&mut SwarmPlane, &mut Context<'_>, &mut PlaneOutbox<Event>) -> R,
    ) -> R {
        let mut out = PlaneOutbox::new();
        let mut ctx = Context {
            now: self.now,
            seq: Seq::default(),
            seed: self.seed,
            choices: &mut crate::des::choice::Choices::new(),
            symbols: &mut self.symbols,
            machines: &self.machines,
        };
        let result = act(&mut self.plane, &mut ctx, &mut out);
        self.orders.extend(out.drain_orders());
        for (span, event) in out.drain_after() {
            self.queue
                .schedule(self.now + span, Seq::default(), Any::Swarm(event));
        }
        let now = self.now;
        self.notices
            .extend(out.drain_notices().map(|notice| (now, notice)));
        self.settle();
        result
    }

    /// Carries out orders and upcalls until none is left.
    fn settle(&mut self) {
        if std::mem::replace(&mut self.settling, true) {
            return;
        }
        loop {
            if let Some(order) = self.orders.pop_front() {
                self.physical(|machines, scope| machines.order(order, scope));
            } else if let Some(upcall) = self.upcalls.pop_front() {
                self.swarm(|plane, ctx, out| plane.upcall(upcall, ctx, out));
            } else {
                break;
            }
        }
        self.settling = false;
    }

    fn run_for(&mut self, span: SimDuration) {
        let end = self.now + span;
        while let Some(at) = self.queue.peek_time().filter(|at| *at <= end) {
            let scheduled = self.queue.pop().expect("an event was just there");
            self.now = at;
            self.events += 1;
            match scheduled.event {
                Any::Machines(event) => {
                    self.physical(|machines, scope| machines.handle(event, scope));
                }
                Any::Swarm(event) => self.swarm(|plane, ctx, out| plane.handle(event, ctx, out)),
            }
        }
        self.now = end;
    }

    fn request(&mut self, request: Request) -> Result<Response, Refusal> {
        self.swarm(|plane, ctx, out| plane.request(&request, ctx, out))
    }

    fn create(&mut self, spec: ServiceSpec) {
        self.request(Request::CreateService(Arc::new(spec)))
            .expect("the service is accepted");
    }

    fn update(&mut self, spec: ServiceSpec) {
        let id = self
            .plane
            .find_service(&spec.name)
            .expect("the service is there");
        let version = self
            .plane
            .store
            .service(id)
            .expect("the service is there")
            .version;
        let service = spec.name.clone();
        self.request(Request::UpdateService {
            service,
            version,
            spec: Arc::new(spec),
        })
        .expect("the update is accepted");
    }

    fn fault(&mut self, fault: SubstrateFault) {
        self.physical(|machines, scope| machines.fault(fault, scope));
    }

    fn id(&self, machine: &str) -> MachineId {
        self.names[machine]
    }

    fn service(&self, name: &str) -> &store::Service {
        let id = self.plane.find_service(name).expect("the service is there");
        self.plane.store.service(id).expect("the service is there")
    }

    /// Rows as `name node desired state error`.
    fn ps(&self, name: &str) -> Vec<String> {
        let id = self.plane.find_service(name).expect("the service is there");
        let views = self
            .plane
            .with_errors(self.plane.task_views(id), &self.symbols);
        views
            .into_iter()
            .map(|view| {
                let mark = if view.historic { "\\_ " } else { "" };
                let mut line = format!(
                    "{mark}{} {} {} {}",
                    view.name,
                    view.node,
                    view.desired.title(),
                    view.state.title()
                );
                if !view.error.is_empty() {
                    line.push_str(&format!(" {:?}", view.error));
                }
                line
            })
            .collect()
    }

    /// Times at which this was noted.
    fn noted(&self, source: &str, verb: &str) -> Vec<SimTime> {
        self.notices
            .iter()
            .filter(|(_, notice)| notice.source == source && notice.verb == verb)
            .map(|(at, _)| *at)
            .collect()
    }

    /// Recomputes from scratch what is kept incrementally.
    fn check_counts(&mut self) {
        let before: Vec<_> = self
            .plane
            .store
            .services()
            .map(|(id, service)| (id, service.counts))
            .collect();
        for (id, counts) in before {
            self.plane.store.recount(id);
            let after = self
                .plane
                .store
                .service(id)
                .expect("it was just there")
                .counts;
            assert_eq!(counts, after);
        }
        let total: u64 = self
            .plane
            .store
            .services()
            .map(|(_, service)| u64::from(service.unmet()))
            .sum();
        assert_eq!(total, self.plane.unmet());
        for (id, node) in self.plane.store.nodes() {
            let active = node
                .tasks
                .iter()
                .filter(|task| self.plane.store.tasks[**task].state.holds_resources());
            assert_eq!(active.count() as u32, node.active, "{id:?}");
        }
    }
}

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

/// A service with the defaults of `docker service create`.
fn spec(name: &str, image: &str, replicas: u32) -> ServiceSpec {
    let config = UpdateConfig {
        parallelism: 1,
        delay: SimDuration::ZERO,
        failure_action: FailureAction::Pause,
        monitor: secs(5),
        max_failure_ratio_millionths: 0,
        order: UpdateOrder::StopFirst,
    };
    ServiceSpec {
        name: name.into(),
        labels: SortedMap::new(),
        mode: ServiceMode::Replicated { replicas },
        task: TaskSpec {
            container: ContainerSpec {
                image: image.into(),
                command: Vec::new(),
                args: Vec::new(),
                env: SortedMap::new(),
                health_check: None,
                stop_grace_period: secs(10),
                mounts: Vec::new(),
                configs: Vec::new(),
                secrets: Vec::new(),
                options: Default::default(),
            },
            resources: ResourceNeeds::default(),
            restart_policy: RestartPolicy {
                condition: RestartCondition::Any,
                delay: secs(5),
                max_attempts: 0,
                window: SimDuration::ZERO,
            },
            placement: Placement::default(),
            networks: Vec::new(),
            force_update: 0,
        },
        endpoint_mode: EndpointMode::Vip,
        ports: Vec::new(),
        update_config: config,
        rollback_config: config,
    }
}

fn ingress(published: u16) -> PublishedPort {
    PublishedPort {
        target: 80,
        published,
        protocol: PortProtocol::Tcp,
        mode: PublishMode::Ingress,
    }
}

#[test]
fn a_service_converges_and_spreads() {
    let mut rig = Rig::new(3);
    rig.create(spec("web", "nginx:alpine", 3));
    assert_eq!(rig.plane.unmet(), 3);
    rig.run_for(secs(30));
    assert_eq!(
        rig.ps("web"),
        [
            "web.1 worker-1 Running Running",
            "web.2 worker-2 Running Running",
            "web.3 worker-3 Running Running"
        ]
    );
    assert_eq!(rig.plane.unmet(), 0);
    rig.check_counts();
    let before = rig.events;
    rig.run_for(secs(3600));
    assert_eq!(rig.events, before, "what does not change costs no events");
}

#[test]
fn a_global_service_follows_the_nodes() {
    let mut rig = Rig::new(2);
    let mut agent = spec("agent", "nginx:alpine", 0);
    agent.mode = ServiceMode::Global;
    rig.create(agent);
    rig.run_for(secs(30));
    assert_eq!(rig.service("agent").counts.good, 2);
    rig.machine("worker-3", false);
    rig.run_for(secs(30));
    assert_eq!(rig.service("agent").counts.good, 3);
    let change = control_api::NodeChange {
        availability: Some(Availability::Drain),
        ..Default::default()
    };
    rig.request(Request::UpdateNode {
        node: "worker-1".into(),
        version: None,
        change,
    })
    .expect("drained");
    rig.run_for(secs(30));
    assert_eq!(rig.service("agent").counts.running, 2);
    assert_eq!(rig.plane.unmet(), 0);
    rig.check_counts();
}

#[test]
fn scaling_down_leaves_no_history() {
    let mut rig = Rig::new(2);
    rig.create(spec("web", "nginx:alpine", 5));
    rig.run_for(secs(30));
    rig.update(spec("web", "nginx:alpine", 2));
    rig.run_for(secs(30));
    assert_eq!(
        rig.ps("web"),
        [
            "web.1 worker-1 Running Running",
            "web.2 worker-2 Running Running"
        ]
    );
    assert_eq!(rig.plane.store.tasks.len(), 2);
    assert_eq!(rig.machines.containers().count(), 2);
    rig.check_counts();
}

#[test]
fn a_removed_service_leaves_nothing() {
    let mut rig = Rig::new(2);
    let mut web = spec("web", "nginx:alpine", 3);
    web.ports.push(ingress(80));
    rig.create(web);
    rig.run_for(secs(30));
    assert_eq!(rig.machines.balancers().count(), 1);
    rig.request(Request::RemoveService("web".into()))
        .expect("removed");
    rig.run_for(secs(30));
    assert_eq!(rig.plane.store.tasks.len(), 0);
    assert_eq!(rig.machines.containers().count(), 0);
    assert_eq!(rig.machines.balancers().count(), 0);
    assert_eq!(rig.plane.unmet(), 0);
}

#[test]
fn refusals_use_upstream_words() {
    let mut rig = Rig::new(1);
    let mut web = spec("web", "nginx:alpine", 1);
    web.ports.push(ingress(80));
    rig.create(web.clone());
    let id = rig.service("web").identity.text();
    let again = rig
        .request(Request::CreateService(Arc::new(spec("web", "nginx", 1))))
        .expect_err("taken");
    assert_eq!(
        again.to_string(),
        "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists"
    );
    let mut other = web.clone();
    other.name = "other".into();
    let port = rig
        .request(Request::CreateService(Arc::new(other)))
        .expect_err("port in use");
    assert_eq!(
        &*port.message,
        &*format!("port '80' is already in use by service 'web' ({id}) as an ingress port")
    );
    let stale = Request::UpdateService {
        service: "web".into(),
        version: 1,
        spec: Arc::new(web.clone()),
    };
    assert_eq!(
        rig.request(stale).expect_err("stale").to_string(),
        "rpc error: code = Unknown desc = update out of sequence"
    );
    let version = rig.service("web").version;
    let back = rig
        .request(Request::RollbackService {
            service: "web".into(),
            version,
        })
        .expect_err("first");
    assert_eq!(
        back.to_string(),
        format!(
            "rpc error: code = FailedPrecondition desc = service {id} does not have a previous spec"
        )
    );
    let node = rig
        .request(Request::RemoveNode {
            node: "worker-1".into(),
            force: false,
        })
        .expect_err("ready");
    assert!(node.message.ends_with("is not down and can't be removed"));
    let mut secret = spec("s", "nginx", 1);
    secret.task.container.secrets.push("x".into());
    let absent = rig
        .request(Request::CreateService(Arc::new(secret)))
        .expect_err("no secret");
    assert_eq!(absent.message, "secret not found: x");
}

#[test]
fn places_by_host_name_follow_the_nodes() {
    let mut rig = Rig::new(2);
    let store = &mut rig.plane.store;
    assert_eq!(&*store.name_ranks(), [0, 1, 2]);
    rig.machine("alpha", false);
    let store = &mut rig.plane.store;
    assert_eq!(&*store.name_ranks(), [1, 2, 3, 0]);
    store.remove_node(NodeId(1));
    // Whose number nobody has any more has no place.
    assert_eq!(&*store.name_ranks(), [1, 0, 2, 0]);
}
