//! Promises that controllers make, looked at after every single event of random runs: a rollout's
//! surge and unavailability, and budgets under evictions.

use sim_core::base::rng::{Seed, Stream};
use sim_core::base::time::SimDuration;
use sim_core::console::Session;
use sim_core::console::open::{Experiment, open};
use sim_core::engine::command::Orchestrator;
use sim_core::kube::store::Store;

/// Runs of each property; each run is a few thousand events.
const RUNS: u32 = 40;

fn session(seed: u32) -> Session {
    let mut experiment = Experiment::new(Seed(u64::from(seed)));
    experiment.only = Some(Orchestrator::Kubernetes);
    experiment.nodes = 4;
    open(&experiment)
        .expect("an empty experiment opens")
        .session
}

fn store(session: &Session) -> &Store {
    let world = session.history.lab().world(Orchestrator::Kubernetes);
    world
        .and_then(|world| world.kube())
        .expect("Kubernetes runs")
        .store()
}

fn line(session: &mut Session, line: &str) -> i32 {
    session.run(line).code
}

fn done(session: &mut Session, text: &str) {
    let output = session.run(text);
    assert!(output.code == 0, "{text}: {}", &*output.stderr);
}

/// Moves on event by event, and looks after each.
fn each_event(session: &mut Session, span: SimDuration, look: &dyn Fn(&Store, &str)) {
    let until = session.history.now() + span;
    loop {
        let reached = session.history.advance_some(until, 1);
        let at = session.history.now().to_string();
        look(store(session), &at);
        if reached {
            return;
        }
    }
}

/// A number or a share, and what it comes to.
#[derive(Clone, Copy, Debug)]
enum Amount {
    Count(u32),
    Percent(u32),
}

impl Amount {
    fn random(luck: &mut Stream, count_max: u32, percent_max: u32) -> Self {
        if luck.below(2) == 0 {
            Self::Count(luck.below(count_max + 1))
        } else {
            Self::Percent(luck.below(percent_max + 1))
        }
    }

    fn text(self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Percent(percent) => format!("\"{percent}%\""),
        }
    }

    fn up(self, whole: u32) -> i64 {
        i64::from(match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (percent * whole).div_ceil(100),
        })
    }

    fn down(self, whole: u32) -> i64 {
        i64::from(match self {
            Self::Count(count) => count,
            Self::Percent(percent) => percent * whole / 100,
        })
    }

    const fn is_zero(self) -> bool {
        matches!(self, Self::Count(0) | Self::Percent(0))
    }
}

/// Wanted sizes of all ReplicaSets, and pods that are available, counted from the pods.
fn sizes(store: &Store) -> (i64, i64) {
    let mut sum = (0, 0);
    for (id, set) in store.replica_sets() {
        sum.0 += set.replicas;
        let available = store
            .pods_of(id)
            .filter(|(_, pod)| pod.is_active() && pod.is_ready())
            .count();
        sum.1 += i64::try_from(available).expect("a count");
    }
    sum
}

#[test]
fn a_rollout_keeps_within_surge_and_unavailability_at_every_event() {
    for run in 0..RUNS {
        let mut luck = Stream::new(Seed(1), "rollouts", 0, run);
        let replicas = 1 + luck.below(12);
        let (mut surge, unavailable) = (
            Amount::random(&mut luck, 4, 120),
            Amount::random(&mut luck, 4, 100),
        );
        if surge.is_zero() && unavailable.is_zero() {
            surge = Amount::Count(1);
        }
        let (ceiling, mut may_lack) = (surge.up(replicas), unavailable.down(replicas));
        if ceiling == 0 && may_lack == 0 {
            may_lack = 1;
        }
        let ready_s = luck.below(4);
        let mut session = session(run);
        let manifest = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {replicas}\n  minReadySeconds: {ready_s}\n  selector: {{matchLabels: {{app: web}}}}\n  strategy: {{rollingUpdate: {{maxSurge: {}, maxUnavailable: {}}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{containers: [{{name: web, image: \"nginx:1.25\"}}]}}\n",
            surge.text(),
            unavailable.text()
        );
        done(
            &mut session,
            &format!("kubectl apply -f - <<'X'\n{manifest}X\nsim until converged within 10m"),
        );
        let seen =
            format!("run {run}: {replicas} replicas, surge {surge:?}, unavailable {unavailable:?}");
        let look = |store: &Store, at: &str| {
            let (wanted, available) = sizes(store);
            assert!(
                wanted <= i64::from(replicas) + ceiling,
                "{seen}, at {at}: {wanted} wanted in all"
            );
            assert!(
                available >= i64::from(replicas) - may_lack,
                "{seen}, at {at}: {available} available"
            );
        };
        // A second change in the middle of the first, and one that cannot work.
        for image in ["nginx:1.26", "nginx:1.27", "nginx:not-there", "nginx:1.25"] {
            done(
                &mut session,
                &format!("kubectl set image deployment/web web={image}"),
            );
            let pause = SimDuration::from_millis(u64::from(luck.below(20_000)));
            each_event(&mut session, pause, &look);
            if luck.below(3) == 0 {
                done(&mut session, "kubectl rollout pause deployment/web");
                each_event(&mut session, SimDuration::from_secs(20), &look);
                done(&mut session, "kubectl rollout resume deployment/web");
            }
        }
        each_event(&mut session, SimDuration::from_secs(600), &look);
        assert_eq!(
            line(&mut session, "sim expect converged"),
            0,
            "{seen}: the rollout ends"
        );
    }
}

/// One workload of each kind that makes pods.
const KINDS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.25"}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "nginx:1.25"}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: "nginx:1.25"}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: parts}
spec:
  completions: 6
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers: [{name: part, image: busybox, command: [sleep, "5"]}]
"#;

#[test]
fn a_controller_manager_that_restarts_all_the_time_gets_to_the_same_end() {
    for run in 0..RUNS / 4 {
        let mut luck = Stream::new(Seed(1), "restarts", 0, run);
        let mut session = session(run);
        done(&mut session, &format!("kubectl apply -f - <<'X'\n{KINDS}X"));
        for step in 0..30 {
            if step == 8 {
                done(
                    &mut session,
                    "kubectl set image deployment/web web=nginx:1.26\nkubectl set image statefulset/db db=nginx:1.26\nkubectl set image daemonset/agent agent=nginx:1.26",
                );
            }
            done(&mut session, "sim fault controller-restart");
            let pause = SimDuration::from_millis(u64::from(luck.below(25_000)));
            each_event(&mut session, pause, &|_, _| {});
        }
        done(&mut session, "sim advance 5m\nsim expect converged");
        let mut seen = String::from(session.run("kubectl get pods -o jsonpath='{range .items[*]}{.metadata.labels.app} {.spec.containers[0].image} {.status.phase}{\"\\n\"}{end}' | sort").stdout);
        seen += &session
            .run("kubectl get job parts -o jsonpath='{.status.completedIndexes} {.status.succeeded}'")
            .stdout;
        let expected = [
            " busybox Succeeded\n".repeat(6),
            "agent nginx:1.26 Running\n".repeat(4),
            "db nginx:1.26 Running\n".repeat(3),
            "web nginx:1.26 Running\n".repeat(5),
            "0-5 6".to_owned(),
        ];
        assert_eq!(seen, expected.concat(), "run {run}");
    }
}

/// Pods that are ready and stay.
fn healthy(store: &Store) -> i64 {
    let count = store
        .pods()
        .filter(|(_, pod)| pod.is_ready() && !pod.is_terminating())
        .count();
    i64::try_from(count).expect("a count")
}

#[test]
fn evictions_never_take_more_than_a_budget_leaves_at_any_event() {
    let mut granted = 0;
    for run in 0..RUNS {
        let mut luck = Stream::new(Seed(1), "budgets", 0, run);
        let replicas = 1 + luck.below(8);
        let amount = Amount::random(&mut luck, replicas, 100);
        let (field, least) = if luck.below(2) == 0 {
            ("minAvailable", amount.up(replicas))
        } else {
            let least = i64::from(replicas) - amount.up(replicas);
            ("maxUnavailable", least.max(0))
        };
        let mut session = session(run);
        let manifest = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{containers: [{{name: web, image: \"nginx:1.25\"}}]}}\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: web}}\nspec:\n  {field}: {}\n  selector: {{matchLabels: {{app: web}}}}\n",
            amount.text()
        );
        done(
            &mut session,
            &format!("kubectl apply -f - <<'X'\n{manifest}X\nsim until converged within 10m"),
        );
        let seen = format!("run {run}: {replicas} replicas, {field} {amount:?}");
        let look = |store: &Store, at: &str| {
            let left = healthy(store);
            assert!(left >= least, "{seen}, at {at}: {left} healthy");
        };
        for _ in 0..60 {
            let names: Vec<String> = {
                let world = session.history.lab().world(Orchestrator::Kubernetes);
                let symbols = &world.expect("Kubernetes runs").symbols;
                store(&session)
                    .pods()
                    .filter(|(_, pod)| !pod.is_terminating())
                    .map(|(_, pod)| pod.name.text(symbols))
                    .collect()
            };
            let Some(name) = luck.pick(&names).cloned() else {
                continue;
            };
            let evict = format!(
                "kubectl create --raw /api/v1/namespaces/default/pods/{name}/eviction -f - <<'X'\n{{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{{\"name\":\"{name}\"}}}}\nX"
            );
            granted += i32::from(line(&mut session, &evict) == 0);
            let pause = SimDuration::from_millis(u64::from(luck.below(3_000)));
            each_event(&mut session, pause, &look);
        }
    }
    assert!(granted > 100, "evictions happened: {granted}");
}

/// Something of a rollout that is deleted by hand.
fn deletion(luck: &mut Stream, session: &Session) -> Option<String> {
    let world = session.history.lab().world(Orchestrator::Kubernetes)?;
    let store = store(session);
    let word = match luck.below(3) {
        0 => {
            let sets: Vec<_> = store.replica_sets().map(|(_, row)| row.name).collect();
            let name = world.symbols.text(*luck.pick(&sets)?);
            format!(
                "replicaset {name}{}",
                [" --cascade=orphan", ""][luck.below(2) as usize]
            )
        }
        _ => {
            let pods: Vec<String> = store
                .pods()
                .map(|(_, row)| row.name.text(&world.symbols))
                .collect();
            let name = luck.pick(&pods)?;
            let force = [" --grace-period=0 --force", ""][luck.below(2) as usize];
            format!("pod {name}{force}")
        }
    };
    Some(format!(
        "kubectl delete --wait=false --ignore-not-found {word}"
    ))
}

#[test]
fn deletes_during_a_rollout_never_lift_its_ceiling_and_it_ends() {
    let mut deleted = 0;
    for run in 0..RUNS / 2 {
        let mut luck = Stream::new(Seed(1), "deletes", 0, run);
        let replicas = 2 + luck.below(8);
        let surge = Amount::random(&mut luck, 3, 60);
        let unavailable = if surge.is_zero() {
            Amount::Count(1)
        } else {
            Amount::random(&mut luck, 3, 60)
        };
        let mut session = session(run);
        let manifest = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: web}}}}\n  strategy: {{rollingUpdate: {{maxSurge: {}, maxUnavailable: {}}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{terminationGracePeriodSeconds: 3, containers: [{{name: web, image: \"nginx:1.25\"}}]}}\n",
            surge.text(),
            unavailable.text()
        );
        done(
            &mut session,
            &format!("kubectl apply -f - <<'X'\n{manifest}X\nsim until converged within 10m"),
        );
        let ceiling = i64::from(replicas) + surge.up(replicas);
        let seen = format!("run {run}: {replicas} replicas, surge {surge:?}");
        let look = |store: &Store, at: &str| {
            let (wanted, _) = sizes(store);
            assert!(wanted <= ceiling, "{seen}, at {at}: {wanted} wanted in all");
        };
        for image in ["nginx:1.26", "nginx:1.27", "nginx:1.26"] {
            done(
                &mut session,
                &format!("kubectl set image deployment/web web={image}"),
            );
            for _ in 0..6 {
                let pause = SimDuration::from_millis(u64::from(luck.below(4_000)));
                each_event(&mut session, pause, &look);
                if let Some(text) = deletion(&mut luck, &session) {
                    done(&mut session, &text);
                    deleted += 1;
                }
            }
        }
        each_event(&mut session, SimDuration::from_secs(600), &look);
        assert_eq!(
            line(&mut session, "sim expect converged"),
            0,
            "{seen}: the rollout ends"
        );
        let images = session
            .run("kubectl get pods -l app=web -o jsonpath='{.items[*].spec.containers[0].image}'");
        let new = images.stdout.split(' ').filter(|it| *it == "nginx:1.26");
        assert_eq!(
            new.count(),
            replicas as usize,
            "{seen}: {}",
            &*images.stdout
        );
    }
    assert!(deleted > 200, "deletions happened: {deleted}");
}
