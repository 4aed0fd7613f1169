//! Specs that contradict themselves or each other: the API server refuses them, or the run says
//! what stands in the way; none runs wild.

use sim_core::base::rng::Seed;
use sim_core::base::time::SimDuration;
use sim_core::console::Session;
use sim_core::console::open::{Experiment, open};
use sim_core::engine::command::Orchestrator;

/// How a spec ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Not taken, with these words.
    Refused(&'static str),
    /// Taken, and never through: the scheduler's event says this.
    Blocked(&'static str),
    /// Taken, and nothing is left to do.
    Settles,
}

/// Events in an hour at most, once a spec has been there for twenty minutes: a controller that tries
/// without end would take far more.
const EVENTS_MAX: u64 = 20_000;

fn deployment(strategy: &str, labels: &str, pod: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: odd}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: odd}}}}\n  strategy: {strategy}\n  template:\n    metadata: {{labels: {labels}}}\n    spec: {{{pod}containers: [{{name: c, image: \"nginx:1.25\"}}]}}\n"
    )
}

fn owned(kind: &str, name: &str, owner: &str) -> String {
    format!(
        "apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}, ownerReferences: [{{apiVersion: v1, kind: {kind}, name: {owner}, uid: 11111111-1111-4111-8111-111111111111}}]}}\n"
    )
}

fn cron(schedule: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: odd}}\nspec:\n  schedule: \"{schedule}\"\n  jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: busybox}}]}}}}}}}}\n"
    )
}

fn specs() -> Vec<(&'static str, String, End)> {
    let rolling = |surge: &str, unavailable: &str| {
        format!("{{rollingUpdate: {{maxSurge: {surge}, maxUnavailable: {unavailable}}}}}")
    };
    let plain = "{app: odd}";
    let both_zero = "may not be 0 when `maxSurge` is 0";
    let set = |field: &str| {
        format!(
            "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: odd}}\nspec:\n  selector: {{matchLabels: {{app: odd}}}}\n  updateStrategy: {{rollingUpdate: {field}}}\n  template:\n    metadata: {{labels: {{app: odd}}}}\n    spec: {{containers: [{{name: c, image: \"nginx:1.25\"}}]}}\n"
        )
    };
    vec![
        ("no surge, nothing unavailable", deployment(&rolling("0", "0"), plain, ""), End::Refused(both_zero)),
        ("the same in percent", deployment(&rolling("\"0%\"", "\"0%\""), plain, ""), End::Refused(both_zero)),
        ("shares that come to nothing", deployment(&rolling("0", "\"1%\""), plain, ""), End::Settles),
        ("recreation with bounds", deployment("{type: Recreate, rollingUpdate: {maxSurge: 1}}", plain, ""), End::Refused("may not be specified when strategy `type` is 'Recreate'")),
        ("a selector that misses its pods", deployment("{}", "{app: other}", ""), End::Refused("`selector` does not match template `labels`")),
        ("nodes that there are not", deployment("{}", plain, "nodeSelector: {disk: none}, "), End::Blocked("didn't match Pod's node affinity/selector")),
        ("pods that may not be together or apart", deployment("{}", plain, "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: odd}}}]}, podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: odd}}}]}}, "), End::Blocked("pod anti-affinity")),
        ("a daemon with surge and unavailability", set("{maxSurge: 1, maxUnavailable: 1}"), End::Refused("may not be set when maxUnavailable is non-zero")),
        ("a daemon with neither", set("{maxSurge: 0, maxUnavailable: 0}"), End::Refused("cannot be 0 when maxSurge is 0")),
        ("an hour that there is not", cron("0 25 * * *"), End::Refused("end of range (25) above maximum (23)")),
        ("a day that there is not", cron("59 23 31 2 *"), End::Settles),
        ("owners in a circle that nobody made", format!("{}---\n{}", owned("ConfigMap", "a", "b"), owned("ConfigMap", "b", "a")), End::Settles),
        ("an owner of itself", owned("ConfigMap", "a", "a"), End::Settles),
        ("a budget that says both", "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: odd}\nspec: {minAvailable: 1, maxUnavailable: 1, selector: {matchLabels: {app: odd}}}\n".to_owned(), End::Refused("minAvailable and maxUnavailable cannot be both set")),
        ("more at least than at most", "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: odd}\nspec: {minReplicas: 5, maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: odd}}\n".to_owned(), End::Refused("must be greater than or equal to `minReplicas`")),
        ("a job that never restarts and always does", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: odd}\nspec: {template: {spec: {restartPolicy: Always, containers: [{name: c, image: busybox}]}}}\n".to_owned(), End::Refused("Required value: valid values: \"OnFailure\", \"Never\"")),
        ("an indexed job of no size", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: odd}\nspec: {completionMode: Indexed, backoffLimitPerIndex: 1, maxFailedIndexes: 5, completions: 2, template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}\n".to_owned(), End::Refused("must be less than or equal to completions")),
    ]
}

fn session() -> Session {
    let mut experiment = Experiment::new(Seed(1));
    experiment.only = Some(Orchestrator::Kubernetes);
    experiment.nodes = 3;
    open(&experiment).expect("an experiment opens").session
}

#[test]
fn contradictory_specs_are_refused_or_named_and_none_runs_wild() {
    for (what, manifest, end) in specs() {
        let mut session = session();
        let made = session.run(&format!("kubectl create -f - <<'X'\n{manifest}X"));
        if let End::Refused(words) = end {
            assert_ne!(made.code, 0, "{what}: taken");
            assert!(made.stderr.contains(words), "{what}: {}", &*made.stderr);
            continue;
        }
        assert_eq!(made.code, 0, "{what}: {}", &*made.stderr);
        session.run("sim advance 20m");
        let seen = session.run("sim expect converged");
        let said = format!("{}{}", &*seen.stdout, &*seen.stderr);
        match end {
            End::Blocked(words) => {
                assert_ne!(seen.code, 0, "{what}: through");
                let events = "kubectl get events --field-selector reason=FailedScheduling -o jsonpath='{.items[*].message}'";
                let why = session.run(events).stdout;
                assert!(why.contains(words), "{what}: {}", &*why);
            }
            _ => assert_eq!(seen.code, 0, "{what}: {said}"),
        }
        assert!(!runs_wild(&mut session), "{what}: runs wild");
    }
}

/// Whether an hour takes more than [`EVENTS_MAX`] events.
fn runs_wild(session: &mut Session) -> bool {
    let until = session.history.now() + SimDuration::from_secs(3_600);
    for _ in 0..EVENTS_MAX {
        if session.history.advance_some(until, 1) {
            return false;
        }
    }
    true
}

fn parallel_set(replicas: u32, claims: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: odd}}\nspec:\n  replicas: {replicas}\n  podManagementPolicy: Parallel\n  serviceName: odd\n  selector: {{matchLabels: {{app: odd}}}}\n  template:\n    metadata: {{labels: {{app: odd}}}}\n    spec: {{containers: [{{name: c, image: \"nginx:1.25\"}}]}}\n{claims}"
    )
}

fn create(session: &mut Session, manifest: &str) {
    let made = session.run(&format!("kubectl create -f - <<'X'\n{manifest}X"));
    assert_eq!(made.code, 0, "{}", &*made.stderr);
}

#[test]
fn refused_claims_of_a_parallel_set_bring_one_retry() {
    let mut session = session();
    session.run("kubectl create quota q --hard=persistentvolumeclaims=2");
    create(
        &mut session,
        &parallel_set(
            40,
            "  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]\n",
        ),
    );
    assert!(!runs_wild(&mut session), "runs wild");
    // The first wave makes the first pod, the second another one before it is refused.
    let pods = session.run("kubectl get pods -o name").stdout;
    assert_eq!(&*pods, "pod/odd-0\npod/odd-1\n");
}

#[test]
fn refused_deletions_of_a_parallel_set_bring_one_retry() {
    let mut session = session();
    create(&mut session, &parallel_set(30, ""));
    session.run("sim advance 1m");
    create(
        &mut session,
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: keep}\nspec:\n  matchConstraints: {resourceRules: [{apiGroups: [\"\"], apiVersions: [v1], operations: [DELETE], resources: [pods]}]}\n  validations: [{expression: \"false\"}]\n---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: keep}\nspec: {policyName: keep, validationActions: [Deny]}\n",
    );
    session.run("kubectl scale statefulset odd --replicas=1");
    assert!(!runs_wild(&mut session), "runs wild");
    let events = session
        .run("kubectl get events --field-selector reason=FailedDelete -o name")
        .stdout;
    assert_eq!(events.lines().count(), 1, "{}", &*events);
    session.run("kubectl delete validatingadmissionpolicybinding keep");
    session.run("sim advance 20m");
    let pods = session.run("kubectl get pods -o name").stdout;
    assert_eq!(&*pods, "pod/odd-0\n");
}

#[test]
fn a_pod_that_was_made_ends_the_waits_of_an_ordered_set() {
    let mut session = session();
    let claims = "  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]\n";
    let set = parallel_set(3, claims).replace("Parallel", "OrderedReady");
    session.run("kubectl create quota q --hard=persistentvolumeclaims=1");
    create(&mut session, &set);
    session.run("sim advance 20m");
    let allow = |session: &mut Session, claims: u32| {
        let hard = format!("{{\"spec\":{{\"hard\":{{\"persistentvolumeclaims\":\"{claims}\"}}}}}}");
        session.run(&format!("kubectl patch quota q -p '{hard}'"));
    };
    allow(&mut session, 2);
    let mut waits = 0;
    while !session.run("kubectl get pods").stdout.contains("odd-1") {
        session.run("sim advance 10s");
        waits += 1;
        assert!(waits < 200, "no second pod");
    }
    session.run("sim advance 10s");
    allow(&mut session, 3);
    session.run("sim advance 60s");
    let pods = session.run("kubectl get pods -o name").stdout;
    assert!(pods.contains("odd-2"), "{}", &*pods);
}
