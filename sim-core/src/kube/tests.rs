//! The control plane on a bench: real store, API server and controllers; a stand-in for scheduler
//! and kubelets that binds in turn, makes a pod ready after two seconds, unless its image is `broken`, and ends it after one.

mod owners;
mod passes;
mod quotas;

use super::event::Event;
use super::kinds;
use super::rows::pod::{Phase, PodStatus};
use super::rows::{NodeId, PodId};
use super::store::Change;
use super::turn::Turn;
use super::{KubePlane, Refusal, Request, Response};
use crate::api::node::NodeSetup;
use crate::base::resources::ResourceVector;
use crate::base::rng::Seed;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbols;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Notice;
use crate::des::queue::Seq;
use crate::manifest::value::Value;
use crate::substrate::machine::MachineSpec;
use crate::substrate::order::{MachineId, Order, Upcall};
use crate::substrate::{Context, PlaneOutbox, Scope, Substrate, SubstrateOutbox};

const READY_AFTER: SimDuration = SimDuration::from_secs(2);
const GONE_AFTER: SimDuration = SimDuration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Item {
    Plane(Event),
    Ready(PodId),
    Gone(PodId),
}

struct Bench {
    plane: KubePlane,
    machines: Substrate,
    symbols: Symbols,
    now: SimTime,
    queue: SortedMap<(SimTime, u64), Item>,
    number: u64,
    trace: Vec<(SimTime, Notice)>,
    orders: Vec<Order>,
    dead: Vec<NodeId>,
    bound: usize,
    nodes: Vec<NodeId>,
}

impl Bench {
    fn new(nodes: usize) -> Self {
        let mut bench = Self {
            plane: KubePlane::new(),
            machines: Substrate::new(),
            symbols: Symbols::new(),
            now: SimTime::ZERO,
            queue: SortedMap::new(),
            number: 0,
            trace: Vec::new(),
            orders: Vec::new(),
            dead: Vec::new(),
            bound: 0,
            nodes: Vec::new(),
        };
        for index in 1..=nodes {
            bench.add_machine(&format!("worker-{index}"));
        }
        bench
    }

    fn add_machine(&mut self, name: &str) -> MachineId {
        let name = self.symbols.intern(name);
        let capacity = ResourceVector {
            milli_cpu: 4_000,
            memory: 8 << 30,
            ..ResourceVector::default()
        };
        let mut out = SubstrateOutbox::new();
        let mut scope = Scope {
            now: self.now,
            seed: Seed(7),
            symbols: &self.symbols,
            out: &mut out,
        };
        let machine = self
            .machines
            .add_machine(
                MachineSpec {
                    name,
                    capacity,
                    zone: None,
                    control: false,
                    profile: Default::default(),
                    address: None,
                    subnet: None,
                },
                &mut scope,
            )
            .unwrap();
        self.with(|parts, turn| {
            parts
                .heartbeats
                .register(machine, &NodeSetup::default(), turn)
        });
        self.nodes.push(self.plane.store.node_of(machine).unwrap());
        machine
    }

    /// Lets a part of the plane act, then tells the loops and the stand-in.
    fn with<R>(&mut self, act: impl FnOnce(&mut Parts<'_>, &mut Turn<'_, '_>) -> R) -> R {
        let mut out = PlaneOutbox::new();
        let answer;
        {
            let mut ctx = Context {
                now: self.now,
                seq: Seq::default(),
                seed: Seed(7),
                choices: &mut crate::des::choice::Choices::new(),
                symbols: &mut self.symbols,
                machines: &self.machines,
            };
            let plane = &mut self.plane;
            let mut turn = Turn {
                store: &mut plane.store,
                settings: &plane.settings,
                ctx: &mut ctx,
                out: &mut out,
            };
            let mut parts = Parts {
                apiserver: &mut plane.apiserver,
                controllers: &mut plane.controllers,
                heartbeats: &mut plane.heartbeats,
            };
            answer = act(&mut parts, &mut turn);
            while let Some(change) = turn.store.next_change() {
                match change {
                    Change::PodCreated(pod) => {
                        let alive: Vec<NodeId> = self
                            .nodes
                            .iter()
                            .copied()
                            .filter(|node| {
                                turn.store
                                    .node(*node)
                                    .is_some_and(|row| row.taints.is_empty())
                            })
                            .collect();
                        let node = alive[self.bound % alive.len()];
                        self.bound += 1;
                        turn.store.bind(pod, node, self.now).unwrap();
                    }
                    Change::PodBound(pod) => {
                        self.number += 1;
                        self.queue
                            .insert((self.now + READY_AFTER, self.number), Item::Ready(pod));
                    }
                    Change::PodTerminating(pod) => {
                        self.number += 1;
                        self.queue
                            .insert((self.now + GONE_AFTER, self.number), Item::Gone(pod));
                    }
                    _ => {}
                }
                parts.controllers.observe(change, true, &mut turn);
            }
        }
        for (delay, event) in out.after {
            self.number += 1;
            self.queue
                .insert((self.now + delay, self.number), Item::Plane(event));
        }
        self.trace
            .extend(out.notices.into_iter().map(|notice| (self.now, notice)));
        self.orders.extend(out.orders);
        answer
    }

    fn run(&mut self, seconds: u64) {
        let until = SimTime::from_micros(seconds * 1_000_000);
        while let Some((&(at, number), &item)) = self
            .queue
            .first_key_value()
            .filter(|((at, _), _)| *at <= until)
        {
            self.queue.remove(&(at, number));
            self.now = at;
            self.step(item);
        }
        self.now = until;
    }

    fn step(&mut self, item: Item) {
        let dead = self.dead.clone();
        match item {
            Item::Plane(event) => self.with(|parts, turn| match event {
                Event::NodeStatus(node) => parts.heartbeats.post_status(
                    node,
                    crate::kube::heartbeat::Health::default(),
                    turn,
                ),
                Event::Sync(super::event::Key::Namespaces) => {
                    parts.controllers.taken(super::event::Key::Namespaces);
                    parts.apiserver.finish_namespaces(turn);
                }
                event => {
                    parts
                        .controllers
                        .handle(event, parts.heartbeats, parts.apiserver, turn);
                }
            }),
            Item::Ready(pod) => self.with(|_, turn| {
                let Some(row) = turn.store.pod(pod) else {
                    return;
                };
                let broken = turn.store.template(row.template).spec.containers[0]
                    .image
                    .contains("broken");
                if row.is_terminating() || broken || dead.contains(&row.node.unwrap()) {
                    return;
                }
                let ip = 0x0af4_0000 + pod.slot() + 1;
                let status = PodStatus {
                    phase: Phase::Running,
                    ip,
                    started: Some(turn.now()),
                    sandbox_ready: true,
                    initialized: true,
                    containers_ready: true,
                    ready: true,
                    ..PodStatus::default()
                };
                let now = turn.now();
                turn.store.set_pod_status(pod, status, now);
            }),
            Item::Gone(pod) => self.with(|_, turn| {
                if turn
                    .store
                    .pod(pod)
                    .is_some_and(|row| !dead.contains(&row.node.unwrap()))
                {
                    turn.store.remove_pod(pod);
                }
            }),
        }
    }

    fn request(&mut self, request: &Request) -> Result<Response, Refusal> {
        self.with(|parts, turn| parts.apiserver.request(request, turn))
    }

    fn create(&mut self, json: &str) -> Result<Response, Refusal> {
        let object = Value::parse_json(json).unwrap();
        self.request(&Request::Create {
            object,
            namespace: "default".into(),
        })
    }

    fn crash(&mut self, index: usize) {
        let node = self.nodes[index];
        let machine = self.plane.store.node(node).unwrap().machine;
        self.dead.push(node);
        self.with(|parts, turn| {
            parts
                .heartbeats
                .upcall(Upcall::MachineDown { machine }, turn)
        });
    }

    fn boot(&mut self, index: usize) {
        let node = self.nodes[index];
        let machine = self.plane.store.node(node).unwrap().machine;
        self.dead.retain(|dead| *dead != node);
        self.with(|parts, turn| parts.heartbeats.upcall(Upcall::MachineUp { machine }, turn));
    }

    fn get(&self, kind: &str, name: &str) -> Value {
        let kind = kinds::of_word(kind).unwrap();
        self.plane
            .view(&self.symbols, &self.machines, self.now, Seed(7))
            .get(kind, "default", name)
            .unwrap()
    }

    fn list(&self, kind: &str) -> Vec<Value> {
        let kind = kinds::of_word(kind).unwrap();
        self.plane
            .view(&self.symbols, &self.machines, self.now, Seed(7))
            .list(kind, None)
    }

    /// Times of the trace lines of one source and verb, in seconds.
    fn times(&self, source: &str, verb: &str) -> Vec<u64> {
        let lines = self
            .trace
            .iter()
            .filter(|(_, notice)| notice.source == source && notice.verb == verb);
        lines.map(|(at, _)| at.whole_seconds()).collect()
    }

    fn sizes(&self) -> Vec<i64> {
        let mut sets: Vec<_> = self
            .plane
            .store
            .replica_sets()
            .map(|(_, row)| (row.created, row.replicas))
            .collect();
        sets.sort();
        sets.into_iter().map(|(_, replicas)| replicas).collect()
    }
}

struct Parts<'a> {
    apiserver: &'a mut super::apiserver::ApiServer,
    controllers: &'a mut super::controllers::Controllers,
    heartbeats: &'a mut super::heartbeat::Heartbeats,
}

fn deployment(replicas: i64, image: &str) -> String {
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"web"}},"spec":{{"replicas":{replicas},
        "selector":{{"matchLabels":{{"app":"web"}}}},"template":{{"metadata":{{"labels":{{"app":"web"}}}},
        "spec":{{"containers":[{{"name":"web","image":"{image}"}}]}}}}}}}}"#
    )
}

fn update(bench: &mut Bench, change: impl FnOnce(&mut Value)) -> Result<Response, Refusal> {
    let mut object = bench.get("deployment", "web");
    change(&mut object);
    bench.request(&Request::Update {
        object,
        namespace: "default".into(),
    })
}

#[test]
fn a_deployment_gets_its_pods_and_says_so() {
    let mut bench = Bench::new(3);
    bench.create(&deployment(3, "nginx")).unwrap();
    bench.run(1);
    assert_eq!(bench.plane.store.pod_count(), 3);
    assert!(bench.plane.controllers.unmet(&bench.plane.store) > 0);
    bench.run(10);
    let web = bench.get("deployment", "web");
    assert_eq!(web.i64_at(&["status", "readyReplicas"]), Some(3));
    assert_eq!(web.i64_at(&["status", "observedGeneration"]), Some(1));
    assert_eq!(
        web.str_at(&["status", "conditions", "0", "reason"]),
        Some("MinimumReplicasAvailable")
    );
    assert_eq!(
        web.str_at(&["status", "conditions", "1", "reason"]),
        Some("NewReplicaSetAvailable")
    );
    assert_eq!(
        web.str_at(&[
            "metadata",
            "annotations",
            "deployment.kubernetes.io/revision"
        ]),
        Some("1")
    );
    assert_eq!(bench.plane.unmet(), 0);
    let pods = bench.list("pods");
    assert_eq!(pods.len(), 3);
    assert_eq!(pods[0].str_at(&["status", "phase"]), Some("Running"));
    assert_eq!(
        pods[0].str_at(&["metadata", "ownerReferences", "0", "kind"]),
        Some("ReplicaSet")
    );
    assert_eq!(
        pods[0]
            .path(&["spec", "tolerations"])
            .unwrap()
            .as_list()
            .unwrap()
            .len(),
        2
    );
    let status = &bench.plane.workloads(&bench.symbols)[0];
    assert_eq!((status.desired, status.ready, status.unmet), (3, 3, 0));
}

#[test]
fn a_rollout_of_ten_stops_at_eight_and_five_when_new_pods_do_not_become_ready() {
    let mut bench = Bench::new(3);
    bench.create(&deployment(10, "nginx")).unwrap();
    bench.run(10);
    update(&mut bench, |web| {
        web.set_path(
            &["spec", "template", "spec", "containers", "0", "image"],
            "broken".into(),
        )
    })
    .unwrap();
    bench.run(60);
    assert_eq!(bench.sizes(), [8, 5]);
    assert_eq!(
        bench
            .get("deployment", "web")
            .i64_at(&["status", "availableReplicas"]),
        Some(8)
    );
    // A deadline later that is all that changes: a condition.
    bench.run(700);
    let web = bench.get("deployment", "web");
    assert_eq!(
        web.str_at(&["status", "conditions", "1", "reason"]),
        Some("ProgressDeadlineExceeded")
    );
    assert_eq!(bench.sizes(), [8, 5]);
    // Back to the first template: its ReplicaSet is used again under a new number.
    update(&mut bench, |web| {
        web.set_path(
            &["spec", "template", "spec", "containers", "0", "image"],
            "nginx".into(),
        )
    })
    .unwrap();
    bench.run(760);
    assert_eq!(bench.sizes(), [10, 0]);
    let web = bench.get("deployment", "web");
    assert_eq!(
        web.str_at(&[
            "metadata",
            "annotations",
            "deployment.kubernetes.io/revision"
        ]),
        Some("3")
    );
    assert_eq!(bench.plane.unmet(), 0);
}

#[test]
fn a_healthy_rollout_replaces_all_pods_within_the_bounds() {
    let mut bench = Bench::new(3);
    bench.create(&deployment(10, "nginx:1")).unwrap();
    bench.run(10);
    update(&mut bench, |web| {
        web.set_path(
            &["spec", "template", "spec", "containers", "0", "image"],
            "nginx:2".into(),
        )
    })
    .unwrap();
    for second in 11..60 {
        bench.run(second);
        let total: i64 = bench.sizes().iter().sum();
        assert!(total <= 13, "surge at {second} s");
        let available: i64 = bench
            .plane
            .store
            .replica_sets()
            .map(|(_, row)| row.pods.available)
            .sum();
        assert!(available >= 8, "{available} available at {second} s");
    }
    assert_eq!(bench.sizes(), [0, 10]);
    assert_eq!(bench.plane.unmet(), 0);
}

#[test]
fn recreate_waits_until_the_last_old_pod_is_gone() {
    let mut bench = Bench::new(1);
    bench
        .create(&deployment(2, "nginx:1").replace(
            r#""selector""#,
            r#""strategy":{"type":"Recreate"},"selector""#,
        ))
        .unwrap();
    bench.run(10);
    update(&mut bench, |web| {
        web.set_path(
            &["spec", "template", "spec", "containers", "0", "image"],
            "nginx:2".into(),
        )
    })
    .unwrap();
    bench.run(10);
    assert_eq!(bench.sizes(), [2]);
    bench.now = SimTime::from_micros(10_000_000);
    bench.run(20);
    assert_eq!(bench.sizes(), [0, 2]);
    let deleted = bench.times("kube.replicaset", "delete");
    let created = bench.times("kube.replicaset", "create");
    assert!(created[2] > deleted[1], "{created:?} {deleted:?}");
}

#[test]
fn a_crashed_node_is_noticed_tainted_and_drained_on_upstreams_clock() {
    let mut bench = Bench::new(3);
    bench.create(&deployment(3, "nginx")).unwrap();
    bench.run(100);
    bench.crash(1);
    assert_eq!(bench.plane.heartbeats.unnoticed(), 1);
    bench.run(600);
    let lost = bench.times("kube.node-lifecycle", "not-ready")[0];
    assert!(
        (140..=165).contains(&lost) && lost.is_multiple_of(5),
        "lost at {lost} s"
    );
    let evicted = bench.times("kube.taint-eviction", "evict");
    assert_eq!(evicted.len(), 1);
    assert!(
        (440..=470).contains(&evicted[0]),
        "evicted at {evicted:?} s"
    );
    assert_eq!(evicted[0], lost + 300);
    let evict = bench
        .trace
        .iter()
        .find(|(_, notice)| notice.verb == "evict")
        .unwrap()
        .1;
    assert_eq!(evict.rule.unwrap().key, "tolerationSeconds");
    let status = &bench.plane.workloads(&bench.symbols)[0];
    assert_eq!((status.ready, status.unmet, status.blocked), (3, 0, 1));
    let node = bench.get("node", "worker-2");
    assert_eq!(
        node.str_at(&["status", "conditions", "3", "status"]),
        Some("Unknown")
    );
    assert_eq!(
        node.path(&["spec", "taints"])
            .unwrap()
            .as_list()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(bench.plane.unmet(), 0);
    // Back: taints go, and the pod that was held up ends.
    bench.boot(1);
    bench.run(620);
    let node = bench.get("node", "worker-2");
    assert_eq!(
        node.str_at(&["status", "conditions", "3", "status"]),
        Some("True")
    );
    assert!(node.path(&["spec", "taints"]).is_none());
}

#[test]
fn a_second_lost_node_waits_ten_seconds_for_its_taint() {
    let mut bench = Bench::new(6);
    bench.run(100);
    bench.crash(0);
    bench.crash(1);
    bench.run(300);
    let taints: Vec<(u64, bool)> = bench
        .trace
        .iter()
        .filter(|(_, notice)| {
            notice.verb == "taint"
                && notice.detail
                    == crate::des::notice::Detail::Text(bench.symbols.get("NoExecute").unwrap())
        })
        .map(|(at, notice)| (at.as_micros() / 100_000, notice.rule.is_some()))
        .collect();
    assert_eq!(taints.len(), 2);
    assert_eq!(taints[1].0 - taints[0].0, 100);
    assert!(
        !taints[0].1 && taints[1].1,
        "the second says what it waited for"
    );
}

#[test]
fn when_all_nodes_are_lost_nothing_is_evicted() {
    let mut bench = Bench::new(2);
    bench.create(&deployment(2, "nginx")).unwrap();
    bench.run(50);
    bench.crash(0);
    bench.crash(1);
    bench.run(900);
    assert_eq!(bench.times("kube.node-lifecycle", "not-ready").len(), 2);
    assert!(bench.times("kube.taint-eviction", "evict").is_empty());
}

#[test]
fn a_service_follows_its_pods_and_refuses_a_taken_port() {
    let mut bench = Bench::new(3);
    bench.create(&deployment(3, "nginx")).unwrap();
    let service = |name: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"{name}"}},"spec":{{"type":"NodePort","selector":{{"app":"web"}},
            "ports":[{{"port":80,"nodePort":30080}}]}}}}"#
        )
    };
    bench.create(&service("web")).unwrap();
    let refused = bench.create(&service("other")).unwrap_err();
    assert_eq!(refused.code, 422);
    assert_eq!(
        refused.message,
        "Service \"other\" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    );
    bench.run(10);
    let slices = bench.list("endpointslices");
    let own = slices
        .iter()
        .find(|slice| slice.str_at(&["metadata", "generateName"]) == Some("web-"));
    assert_eq!(
        own.unwrap()
            .path(&["endpoints"])
            .unwrap()
            .as_list()
            .unwrap()
            .len(),
        3
    );
    assert!(
        bench
            .orders
            .iter()
            .any(|order| matches!(order, Order::SetBalancer { .. }))
    );
    let gaps: Vec<u64> = bench
        .trace
        .iter()
        .filter(|(_, notice)| notice.source == "kube.proxy")
        .map(|(at, _)| at.as_micros() / 1_000)
        .collect();
    assert!(
        gaps.windows(2).all(|pair| pair[1] - pair[0] >= 1_000),
        "{gaps:?}"
    );
}

#[test]
fn what_an_owner_leaves_behind_goes_after_it() {
    let mut bench = Bench::new(3);
    bench.create(&deployment(3, "nginx")).unwrap();
    bench.run(10);
    let delete = |propagation| Request::Delete {
        kind: "Deployment".into(),
        namespace: "default".into(),
        name: "web".into(),
        propagation,
        grace_seconds: None,
    };
    bench
        .request(&delete(Some(super::apiserver::Propagation::Foreground)))
        .unwrap();
    bench.run(11);
    assert_eq!(
        bench.list("deployments").len(),
        1,
        "the owner waits for its dependents"
    );
    bench.run(20);
    assert_eq!(
        (
            bench.list("deployments").len(),
            bench.list("replicasets").len(),
            bench.list("pods").len()
        ),
        (0, 0, 0)
    );
    bench.create(&deployment(3, "nginx")).unwrap();
    bench.run(30);
    bench.request(&delete(None)).unwrap();
    assert_eq!(bench.list("deployments").len(), 0);
    bench.run(40);
    assert_eq!(
        (bench.list("replicasets").len(), bench.list("pods").len()),
        (0, 0)
    );
    assert_eq!(bench.plane.unmet(), 0);
    let refused = bench.request(&delete(None)).unwrap_err();
    assert_eq!(refused.message, "deployments.apps \"web\" not found");
}

#[test]
fn scaling_down_takes_the_surplus_and_the_events_say_so() {
    let mut bench = Bench::new(3);
    bench.create(&deployment(5, "nginx")).unwrap();
    bench.run(10);
    bench
        .request(&Request::Scale {
            kind: "Deployment".into(),
            namespace: "default".into(),
            name: "web".into(),
            replicas: 2,
        })
        .unwrap();
    bench.run(20);
    assert_eq!(bench.plane.store.pod_count(), 2);
    let web = bench.get("deployment", "web");
    assert_eq!(web.i64_at(&["metadata", "generation"]), Some(2));
    let messages: Vec<String> = bench
        .list("events")
        .iter()
        .filter_map(|event| event.str_at(&["message"]).map(str::to_owned))
        .collect();
    assert!(
        messages
            .iter()
            .any(|text| text.starts_with("Scaled down replica set web-")
                && text.ends_with("from 5 to 2")),
        "{messages:?}"
    );
}

#[test]
fn a_large_replica_set_is_created_at_the_clients_rate() {
    let mut bench = Bench::new(3);
    bench.create(&deployment(100, "nginx")).unwrap();
    bench.run(60);
    assert_eq!(bench.plane.store.pod_count(), 100);
    let names: crate::base::sorted::SortedSet<String> = bench
        .plane
        .store
        .pods()
        .map(|(_, row)| row.name.text(&bench.symbols))
        .collect();
    assert_eq!(names.len(), 100);
    let created = bench.times("kube.replicaset", "create");
    assert!(
        (3..=6).contains(&created[99]),
        "last pod at {} s",
        created[99]
    );
}

#[test]
fn a_quota_follows_what_a_pod_is_described_by_and_not_its_statuses() {
    let mut bench = Bench::new(1);
    bench
        .create(
            r#"{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"most"},
            "spec":{"hard":{"requests.cpu":"2"}}}"#,
        )
        .unwrap();
    bench
        .create(
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"one"},"spec":{"containers":[
            {"name":"web","image":"nginx","resources":{"requests":{"cpu":"500m"}}}]}}"#,
        )
        .unwrap();
    bench.run(10);
    let pod = bench.plane.store.pods().next().unwrap().0;
    let looks = |bench: &Bench| {
        let is_look = |item: &&Item| {
            matches!(
                item,
                Item::Plane(Event::Sync(super::event::Key::Watched(_)))
            )
        };
        bench.queue.values().filter(is_look).count()
    };
    bench.with(|_, turn| turn.store.bump_generation(pod));
    bench.step(Item::Ready(pod));
    assert_eq!(looks(&bench), 0, "its status says nothing of its size");
    bench.with(|_, turn| {
        let template = turn.store.pod(pod).unwrap().template;
        turn.store.set_pod_template(pod, template);
    });
    assert_eq!(looks(&bench), 1);
}
