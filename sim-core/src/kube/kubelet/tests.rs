//! Scheduler, kubelets and machines together, without controllers.

use std::sync::Arc;

use crate::api::kube::affinity::Affinity;
use crate::api::kube::container::{Container, ImagePullPolicy};
use crate::api::kube::pod::{PodSpec, RestartPolicy};
use crate::api::kube::probe::{Probe, ProbeHandler};
use crate::api::kube::service::PortTarget;
use crate::api::resources::ResourceAmounts;
use crate::base::name::{Name, Suffix};
use crate::base::resources::ResourceVector;
use crate::base::rng::Seed;
use crate::base::sorted::SortedMap;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{SimDuration, SimTime};
use crate::des::queue::{Queue, Seq};
use crate::kube::Event as PlaneEvent;
use crate::kube::kubelet::Kubelets;
use crate::kube::rows::PodId;
use crate::kube::rows::node::{ConditionStatus, NODE_CONDITIONS, NodeConditionState, NodeRow};
use crate::kube::rows::pod::{ContainerState, Phase, PodFlags};
use crate::kube::scheduler::Scheduler;
use crate::kube::store::Store;
use crate::kube::template::{PodTemplate, QosClass, TemplateId};
use crate::kube::volumes::attach::uses_claims;
use crate::manifest::value::Value;
use crate::substrate::machine::MachineSpec;
use crate::substrate::order::{MachineId, SubstrateFault};
use crate::substrate::rule::{Rule, Side};
use crate::substrate::{Context, PlaneOutbox, Scope, Substrate, SubstrateOutbox};

#[derive(Clone, Copy, Debug)]
enum Event {
    Plane(PlaneEvent),
    Machine(crate::substrate::Event),
}

/// A cluster of scheduler, kubelets and machines.
struct Rig {
    queue: Queue<Event>,
    symbols: Symbols,
    store: Store,
    substrate: Substrate,
    scheduler: Scheduler,
    kubelets: Kubelets,
    machines: Vec<MachineId>,
    trace: Vec<String>,
    events: u32,
}

const GIB: i64 = 1 << 30;

impl Rig {
    fn new(nodes: u32) -> Self {
        let mut rig = Self {
            queue: Queue::new(),
            symbols: Symbols::new(),
            store: Store::default(),
            substrate: Substrate::new(),
            scheduler: Scheduler::default(),
            kubelets: Kubelets::default(),
            machines: Vec::new(),
            trace: Vec::new(),
            events: 0,
        };
        for number in 1..=nodes {
            rig.add_node(&format!("node-{number}"));
        }
        rig
    }

    fn add_node(&mut self, name: &str) {
        let name = self.symbols.intern(name);
        let capacity = ResourceVector {
            milli_cpu: 4000,
            memory: 16 * GIB,
            pods: 110,
            ..ResourceVector::default()
        };
        let control = self.machines.len() == 1;
        let spec = MachineSpec {
            name,
            capacity: capacity.clone(),
            zone: None,
            control,
            profile: Default::default(),
            address: None,
            subnet: None,
        };
        let machine = self
            .on_machines(|substrate, scope| substrate.add_machine(spec, scope))
            .expect("a new name");
        self.machines.push(machine);
        let condition = NodeConditionState {
            status: ConditionStatus::True,
            reason: "",
            message: "",
            transition: SimTime::ZERO,
        };
        self.store.add_node(NodeRow {
            name,
            machine,
            labels: Arc::default(),
            annotations: Arc::default(),
            taints: Arc::default(),
            taint_times: Arc::default(),
            no_execute_since: None,
            unschedulable: false,
            capacity: capacity.clone(),
            allocatable: capacity,
            conditions: [condition; NODE_CONDITIONS],
            heartbeat: SimTime::ZERO,
            first_pod: crate::kube::rows::pod::NO_POD,
            pods: 0,
            created: SimTime::ZERO,
            revision: 0,
            pod_ranges: Arc::default(),
            by_hand: false,
            control: false,
            images: Arc::default(),
            zone: Symbol::EMPTY,
            requested: ResourceVector::default(),
        });
        self.tell();
    }

    fn template(&mut self, container: Container, change: impl FnOnce(&mut PodSpec)) -> TemplateId {
        let requests = ResourceVector {
            milli_cpu: container.resources.requests.cpu_milli.unwrap_or(0) as i64,
            pods: 1,
            ..ResourceVector::default()
        };
        let mut spec = PodSpec {
            containers: vec![container],
            init_containers: Vec::new(),
            restart_policy: RestartPolicy::Always,
            termination_grace_period_seconds: 30,
            node_name: None,
            node_selector: SortedMap::new(),
            affinity: Affinity::default(),
            tolerations: Vec::new(),
            priority_class_name: None,
            scheduler_name: "default-scheduler".into(),
            priority: None,
            preempts: None,
            active_deadline_seconds: None,
            topology_spread: Vec::new(),
            scheduling_gates: Vec::new(),
            readiness_gates: Vec::new(),
            ephemeral_containers: Vec::new(),
            volumes: Vec::new(),
            overhead: ResourceAmounts::default(),
            pod_requests: ResourceAmounts::default(),
            pod_limits: ResourceAmounts::default(),
        };
        change(&mut spec);
        let namespace = self.symbols.intern("default");
        self.store.intern_template(PodTemplate {
            namespace,
            labels: Arc::default(),
            annotations: Arc::default(),
            document: Arc::new(Value::Null),
            claims: uses_claims(&spec),
            spec: Arc::new(spec),
            requests,
            qos: QosClass::BestEffort,
            tolerations: Arc::default(),
            grace: SimDuration::from_secs(30),
            active_deadline: None,
            deletion_cost: 0,
            priority: 0,
            preempts: true,
            refers: false,
            automount: None,
            finalizers: None,
        })
    }

    fn create(&mut self, name: &str, template: TemplateId) -> PodId {
        let name = Name {
            prefix: self.symbols.intern(name),
            suffix: Suffix::None,
        };
        let pod =
            self.store
                .create_pod(name, template, None, PodFlags::default(), self.queue.now());
        self.tell();
        pod
    }

    fn delete(&mut self, pod: PodId) {
        self.store.mark_terminating(pod, None, self.queue.now());
        self.tell();
    }

    fn fault(&mut self, fault: SubstrateFault) {
        self.on_machines(|substrate, scope| substrate.fault(fault, scope));
    }

    fn cut_off(&mut self, machine: MachineId, off: bool) {
        if off {
            let other = self
                .machines
                .iter()
                .copied()
                .filter(|other| *other != machine)
                .collect();
            let a = Side {
                machines: vec![machine],
                users: false,
            };
            let b = Side {
                machines: other,
                users: true,
            };
            self.on_machines(|substrate, scope| {
                substrate.add_rule(Rule::Partition { a, b }, scope)
            });
        } else {
            let ids: Vec<_> = self.substrate.rules().map(|(id, _)| id).collect();
            for id in ids {
                self.on_machines(|substrate, scope| substrate.remove_rule(id, scope));
            }
        }
    }

    fn run_until(&mut self, seconds: u64) {
        let end = SimTime::from_micros(seconds * 1_000_000);
        while let Some(next) = self.queue.pop_until(end) {
            self.events += 1;
            match next.event {
                Event::Plane(event) => self.on_plane(|rig, ctx, out| match event {
                    PlaneEvent::Scheduler(event) => rig.0.handle(event, rig.2, ctx, out),
                    PlaneEvent::Kubelet(event) => rig.1.handle(event, rig.2, ctx, out),
                    _ => unreachable!("no controllers here"),
                }),
                Event::Machine(event) => {
                    self.on_machines(|substrate, scope| substrate.handle(event, scope));
                }
            }
        }
        self.queue.advance(end);
    }

    fn on_machines<R>(&mut self, act: impl FnOnce(&mut Substrate, &mut Scope<'_>) -> R) -> R {
        let mut out = SubstrateOutbox::new();
        let mut scope = Scope {
            now: self.queue.now(),
            seed: Seed(1),
            symbols: &self.symbols,
            out: &mut out,
        };
        let result = act(&mut self.substrate, &mut scope);
        for (delay, event) in out.after {
            self.queue
                .schedule(self.queue.now() + delay, Seq::NONE, Event::Machine(event));
        }
        for upcall in out.orders {
            self.on_plane(|rig, ctx, out| rig.1.upcall(upcall, rig.2, ctx, out));
        }
        result
    }

    fn on_plane(
        &mut self,
        act: impl FnOnce(
            (&mut Scheduler, &mut Kubelets, &mut Store),
            &mut Context<'_>,
            &mut PlaneOutbox<PlaneEvent>,
        ),
    ) {
        let mut out = PlaneOutbox::new();
        let mut ctx = Context {
            now: self.queue.now(),
            seq: Seq::NONE,
            seed: Seed(1),
            choices: &mut crate::des::choice::Choices::new(),
            symbols: &mut self.symbols,
            machines: &self.substrate,
        };
        act(
            (&mut self.scheduler, &mut self.kubelets, &mut self.store),
            &mut ctx,
            &mut out,
        );
        self.carry_out(out);
        self.tell();
    }

    fn tell(&mut self) {
        while let Some(change) = self.store.next_change() {
            let mut out = PlaneOutbox::new();
            let mut ctx = Context {
                now: self.queue.now(),
                seq: Seq::NONE,
                seed: Seed(1),
                choices: &mut crate::des::choice::Choices::new(),
                symbols: &mut self.symbols,
                machines: &self.substrate,
            };
            self.scheduler
                .observe(change, &mut self.store, &mut ctx, &mut out);
            self.kubelets
                .observe(change, &mut self.store, &mut ctx, &mut out);
            self.carry_out(out);
        }
    }

    fn carry_out(&mut self, out: PlaneOutbox<PlaneEvent>) {
        for notice in out.notices {
            let seconds = self.queue.now().as_micros() / 1_000_000;
            self.trace.push(format!(
                "{seconds} {} {}",
                notice.verb,
                notice.subject.name.text(&self.symbols)
            ));
        }
        for (delay, event) in out.after {
            self.queue
                .schedule(self.queue.now() + delay, Seq::NONE, Event::Plane(event));
        }
        for order in out.orders {
            self.on_machines(|substrate, scope| substrate.order(order, scope));
        }
    }

    fn event_texts(&self) -> Vec<String> {
        let rows = self.store.events().iter(self.queue.now());
        rows.map(|row| {
            format!(
                "{} {}",
                row.event.reason,
                row.event.message.text(&self.symbols)
            )
        })
        .collect()
    }

    fn waiting(&self, pod: PodId) -> Option<&'static str> {
        match &self.store.pod_details(pod).containers.first()?.state {
            ContainerState::Waiting { reason, .. } => Some(reason),
            ContainerState::Running { .. } | ContainerState::Terminated(_) => None,
        }
    }
}

fn container(image: &str, command: &[&str]) -> Container {
    Container {
        name: "main".into(),
        image: image.into(),
        command: command.iter().map(|word| Arc::from(*word)).collect(),
        args: Vec::new(),
        env: Vec::new(),
        ports: Vec::new(),
        resources: Default::default(),
        liveness_probe: None,
        readiness_probe: None,
        startup_probe: None,
        image_pull_policy: ImagePullPolicy::IfNotPresent,
        post_start: None,
        pre_stop: None,
        sidecar: false,
        restart: None,
        restart_rules: Vec::new(),
        target: None,
    }
}

fn http_probe(initial_delay_seconds: u32) -> Probe {
    Probe {
        handler: ProbeHandler::HttpGet {
            port: PortTarget::Number(80),
            path: "/".into(),
        },
        initial_delay_seconds,
        period_seconds: 10,
        timeout_seconds: 1,
        success_threshold: 1,
        failure_threshold: 3,
        termination_grace_period_seconds: None,
    }
}

#[test]
fn a_pod_is_bound_started_ready_and_removed() {
    let mut rig = Rig::new(3);
    let mut web = container("nginx", &[]);
    web.readiness_probe = Some(http_probe(0));
    let template = rig.template(web, |_| {});
    rig.run_until(1);
    let before = rig.events;
    let pod = rig.create("web", template);
    rig.run_until(60);
    let row = *rig.store.pod(pod).expect("it is there");
    assert_eq!(
        (row.phase, row.is_ready()),
        (Phase::Running, true),
        "{:#?}",
        rig.trace
    );
    assert!(rig.events - before <= 16, "{} events", rig.events - before);
    assert_ne!(rig.store.pod_details(pod).ip, 0);
    let texts = rig.event_texts();
    assert_eq!(
        texts[0],
        "Scheduled Successfully assigned default/web to node-1"
    );
    let reasons: Vec<&str> = texts
        .iter()
        .map(|text| text.split(' ').next().unwrap_or(""))
        .collect();
    assert_eq!(
        reasons,
        ["Scheduled", "Pulling", "Pulled", "Created", "Started"]
    );
    let explained = rig.scheduler.explain(pod, &rig.symbols);
    assert_eq!(explained.len(), 3);
    assert_eq!(explained.iter().filter(|line| line.chosen).count(), 1);
    rig.delete(pod);
    rig.run_until(120);
    assert!(rig.store.pod(pod).is_none());
    assert_eq!(rig.substrate.sandboxes().count(), 0);
    assert!(
        rig.event_texts()
            .iter()
            .any(|text| text == "Killing Stopping container main")
    );
}

#[test]
fn a_crash_backs_off() {
    let mut rig = Rig::new(1);
    let template = rig.template(container("busybox:1.38.0", &["sh", "-c", "exit 3"]), |_| {});
    let pod = rig.create("crash", template);
    rig.run_until(30);
    let status = &rig.store.pod_details(pod).containers[0];
    assert_eq!(
        rig.waiting(pod),
        Some("CrashLoopBackOff"),
        "{:#?}",
        rig.trace
    );
    assert_eq!(status.last.as_ref().map(|end| end.exit_code), Some(3));
    assert_eq!(
        rig.store.pod(pod).map(|row| row.phase),
        Some(Phase::Running)
    );
    let restarts = status.restarts;
    rig.run_until(700);
    assert!(rig.store.pod_details(pod).containers[0].restarts > restarts);
    assert!(
        rig.store.pod_details(pod).containers[0].restarts < 10,
        "{:#?}",
        rig.trace
    );
}

#[test]
fn a_job_like_pod_succeeds() {
    let mut rig = Rig::new(1);
    let template = rig.template(
        container("busybox:1.38.0", &["sh", "-c", "exit 0"]),
        |spec| spec.restart_policy = RestartPolicy::Never,
    );
    let pod = rig.create("once", template);
    rig.run_until(30);
    assert_eq!(
        rig.store.pod(pod).map(|row| row.phase),
        Some(Phase::Succeeded),
        "{:#?}",
        rig.trace
    );
}

#[test]
fn an_image_that_is_not_there_backs_off() {
    let mut rig = Rig::new(1);
    let template = rig.template(container("nginx:9.99-nothing", &[]), |_| {});
    let pod = rig.create("lost", template);
    rig.run_until(8);
    assert_eq!(
        rig.waiting(pod),
        Some("ImagePullBackOff"),
        "{:#?}",
        rig.event_texts()
    );
    assert_eq!(
        rig.store.pod(pod).map(|row| row.phase),
        Some(Phase::Pending)
    );
    assert!(
        rig.event_texts()
            .iter()
            .any(|text| text == "Failed Error: ErrImagePull")
    );
}

#[test]
fn what_fits_nowhere_waits_for_a_node() {
    let mut rig = Rig::new(2);
    let mut big = container("nginx", &[]);
    big.resources.requests.cpu_milli = Some(3000);
    let template = rig.template(big, |_| {});
    rig.run_until(1);
    let pods: Vec<PodId> = (0..3)
        .map(|number| rig.create(&format!("big-{number}"), template))
        .collect();
    rig.run_until(30);
    let waiting: Vec<PodId> = pods
        .iter()
        .copied()
        .filter(|pod| rig.store.pod(*pod).is_some_and(|row| row.node.is_none()))
        .collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        rig.store
            .pod_details(waiting[0])
            .aside
            .unschedulable
            .as_deref(),
        Some(
            "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
        )
    );
    rig.add_node("node-3");
    rig.run_until(40);
    assert!(
        rig.store
            .pod(waiting[0])
            .is_some_and(|row| row.node.is_some())
    );
}

#[test]
fn a_reboot_restarts_what_was_there() {
    let mut rig = Rig::new(1);
    let template = rig.template(container("nginx", &[]), |_| {});
    let kept = rig.create("kept", template);
    let doomed = rig.create("doomed", template);
    rig.run_until(30);
    let machine = rig.machines[0];
    rig.fault(SubstrateFault::Crash(machine));
    rig.run_until(60);
    assert!(
        rig.store.pod(kept).is_some_and(|row| row.is_ready()),
        "nobody has told the API server"
    );
    rig.delete(doomed);
    rig.run_until(70);
    assert!(
        rig.store.pod(doomed).is_some(),
        "only the kubelet can finish it"
    );
    rig.fault(SubstrateFault::PowerOn(machine));
    rig.run_until(200);
    assert!(rig.store.pod(doomed).is_none(), "{:#?}", rig.trace);
    let status = &rig.store.pod_details(kept).containers[0];
    assert_eq!(status.restarts, 1);
    assert_eq!(
        status.last.as_ref().map(|end| (end.exit_code, end.reason)),
        Some((255, "Unknown"))
    );
    assert!(rig.store.pod(kept).is_some_and(|row| row.is_ready()));
    assert!(
        rig.event_texts()
            .iter()
            .any(|text| text.starts_with("SandboxChanged"))
    );
}

#[test]
fn a_partitioned_node_goes_on_and_catches_up() {
    let mut rig = Rig::new(2);
    let template = rig.template(container("nginx", &[]), |_| {});
    let first = rig.create("first", template);
    rig.run_until(30);
    let machine = rig.machines[0];
    rig.cut_off(machine, true);
    rig.delete(first);
    rig.run_until(100);
    assert!(
        rig.store.pod(first).is_some(),
        "the agent cannot hear of it"
    );
    assert_eq!(rig.substrate.containers().count(), 1);
    rig.cut_off(machine, false);
    rig.run_until(160);
    assert!(rig.store.pod(first).is_none(), "{:#?}", rig.trace);
    assert_eq!(rig.substrate.sandboxes().count(), 0);
}

#[test]
fn a_failing_liveness_probe_restarts() {
    let mut rig = Rig::new(1);
    let mut web = container("nginx", &[]);
    let mut probe = http_probe(0);
    probe.handler = ProbeHandler::TcpSocket {
        port: PortTarget::Number(9999),
    };
    web.liveness_probe = Some(probe);
    let template = rig.template(web, |_| {});
    let pod = rig.create("sick", template);
    rig.run_until(60);
    assert_eq!(
        rig.store.pod_details(pod).containers[0].restarts,
        1,
        "{:#?}",
        rig.trace
    );
    assert!(
        rig.event_texts()
            .iter()
            .any(|text| text == "Killing Container main failed liveness probe, will be restarted")
    );
}

#[test]
fn init_containers_run_first_and_one_by_one() {
    let mut rig = Rig::new(1);
    let template = rig.template(container("nginx", &[]), |spec| {
        for name in ["one", "two"] {
            let mut init = container("busybox:1.38.0", &["sh", "-c", "sleep 5"]);
            init.name = name.into();
            spec.init_containers.push(init);
        }
    });
    let pod = rig.create("app", template);
    rig.run_until(6);
    assert_eq!(
        rig.store.pod(pod).map(|row| row.phase),
        Some(Phase::Pending)
    );
    rig.run_until(60);
    assert!(
        rig.store.pod(pod).is_some_and(|row| row.is_ready()),
        "{:#?}",
        rig.trace
    );
    assert!(
        rig.store
            .pod(pod)
            .is_some_and(|row| row.flags.has(PodFlags::INITIALIZED))
    );
}
