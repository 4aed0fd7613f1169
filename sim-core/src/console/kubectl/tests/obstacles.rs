//! What stands in the way of a run, where several things could.

use crate::engine::report::RunReport;

use super::*;

fn obstacle(orchestrator: Orchestrator, lines: &[&str]) -> Option<(String, String)> {
    let session = after(orchestrator, lines);
    let world = session.world(orchestrator).expect("it is the only one");
    world.obstacle()
}

fn after(orchestrator: Orchestrator, lines: &[&str]) -> Session {
    let lab = lab(&[orchestrator], Seed(1));
    let mut session = Session::new(History::new(lab));
    let nodes = ["sim node add cp-1", "sim node add w-1", "sim advance 60s"];
    for line in nodes.iter().chain(lines) {
        let output = session.run(line);
        assert_eq!(output.code, 0, "{line}: {}", &*output.stderr);
    }
    session
}

#[test]
fn a_replica_set_that_may_create_no_pod_stands_in_its_deployments_way() {
    let (name, what) = obstacle(
        Orchestrator::Kubernetes,
        &[
            "kubectl create quota few --hard=pods=1",
            "kubectl create deployment web --image=nginx:1.27 --replicas=2",
            "sim advance 30s",
        ],
    )
    .expect("one pod is missing");
    assert_eq!(name, "web");
    let cause =
        "is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1";
    assert!(
        what.starts_with("FailedCreate: Error creating: pods \"web-"),
        "{what}"
    );
    assert!(what.ends_with(cause), "{what}");
}

const NO_SETS: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-sets}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [replicasets]}
  validations:
    - {expression: 'false', message: no sets here}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-sets}
spec: {policyName: no-sets, validationActions: [Deny]}
";

#[test]
fn a_deployment_that_may_create_no_replica_set_is_named() {
    let (name, what) = obstacle(
        Orchestrator::Kubernetes,
        &[
            &format!("kubectl apply -f - <<END\n{NO_SETS}END"),
            "kubectl create deployment web --image=nginx:1.27",
            "sim advance 30s",
        ],
    )
    .expect("its pod is missing");
    assert_eq!(name, "web");
    assert!(
        what.starts_with("ReplicaSetCreateError: Failed to create new replica set"),
        "{what}"
    );
}

#[test]
fn the_cause_of_a_failed_pull_is_preferred() {
    let (name, what) = obstacle(
        Orchestrator::Kubernetes,
        &[
            "kubectl create deployment web --image=nginx:1.99",
            "sim advance 40s",
        ],
    )
    .expect("it cannot be pulled");
    assert_eq!(name, "web");
    assert!(
        what.starts_with("Failed: Failed to pull image \"nginx:1.99\": "),
        "{what}"
    );
    assert!(what.ends_with("not found"), "{what}");
}

#[test]
fn the_newest_error_of_any_service_is_told() {
    let (name, what) = obstacle(
        Orchestrator::Swarm,
        &[
            "docker service create -d --name alpha --constraint node.labels.x==y nginx:1.27",
            "sim advance 10s",
            "docker service create -d --name beta nginx:1.99",
            "sim advance 20s",
        ],
    )
    .expect("neither runs");
    assert_eq!(name, "beta");
    assert!(what.contains("nginx:1.99"), "{what}");
}

/// Each is right by itself, and none answers: another port, a misspelt label, a policy that lets
/// nobody in.
const SILENT: &str = "
apiVersion: v1
kind: Service
metadata: {name: ported}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: misspelt}
spec: {selector: {app: wbe}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: shut}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shut}
spec: {podSelector: {matchLabels: {app: shop}}, policyTypes: [Ingress]}
";

fn silent(session: &Session) -> String {
    let world = session.history.lab().worlds.first();
    let report = RunReport::of(world.expect("it is the only one"));
    let mut text = format!("{}\n", report.mechanism);
    for service in &report.services {
        let why = service.silent.as_ref();
        let why = why.map_or_else(|| "-".to_owned(), ToString::to_string);
        text.push_str(&format!("{why}\n"));
    }
    text
}

#[test]
fn services_that_answer_nobody_say_why() {
    let mut session = after(
        Orchestrator::Kubernetes,
        &[
            "kubectl create deployment web --image=nginx:1.27",
            "kubectl create deployment shop --image=nginx:1.27",
            "kubectl expose deployment web --port=80",
            &format!("kubectl apply -f - <<END{SILENT}END"),
            "sim advance 30s",
        ],
    );
    expect![[r#"
        converged at 1m5.362s without faults, but ported answers nobody: nothing listens at port 8080, but at 80
        -
        -
        ported answers nobody: nothing listens at port 8080, but at 80
        misspelt answers nobody: no endpoint of it is ready
        shut answers nobody: network policies let no request in at port 80
    "#]].assert_eq(&silent(&session));
    for line in [
        "kubectl delete networkpolicy shut",
        "kubectl patch service ported -p '{\"spec\":{\"ports\":[{\"port\":80,\"targetPort\":80}]}}'",
        "sim fault node-crash w-1",
        "sim advance 5s",
    ] {
        let output = session.run(line);
        assert_eq!(output.code, 0, "{line}: {}", &*output.stderr);
    }
    expect![[r#"
        nothing has reacted to the fault by 1m35s (1 of 2 machines up)
        -
        -
        -
        misspelt answers nobody: no endpoint of it is ready
        shut answers nobody: what the rules lead to is gone
    "#]]
    .assert_eq(&silent(&session));
}

#[test]
fn a_port_that_answers_nobody_is_told_from_one_that_answers_some() {
    let mut session = after(
        Orchestrator::Swarm,
        &[
            "docker service create --detach --name web --replicas 2 -p 80:80 -p 81:8080 nginx:1.27",
            "sim advance 30s",
        ],
    );
    expect![[r#"
        converged at 1m3.6s without faults, but nobody is answered at port 81 of web: nothing listens at port 8080, but at 80
        nobody is answered at port 81 of web: nothing listens at port 8080, but at 80
    "#]].assert_eq(&silent(&session));
    // Half of what is asked at port 80 is answered still.
    session.run("sim fault node-crash w-1");
    session.run("sim advance 1s");
    expect![[r#"
        nothing has reacted to the fault by 1m31s (1 of 2 machines up)
        nobody is answered at port 81 of web: nothing listens at port 8080, but at 80
    "#]]
    .assert_eq(&silent(&session));
}
