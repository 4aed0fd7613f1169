//! What stands in the way of a run, where several things could.

use super::*;

fn obstacle(orchestrator: Orchestrator, lines: &[&str]) -> Option<(String, String)> {
    let lab = Lab::new(&[orchestrator], Seed(1));
    let mut session = Session::new(History::new(lab));
    let nodes = ["sim node add cp-1", "sim node add w-1", "sim advance 60s"];
    for line in nodes.iter().chain(lines) {
        let output = session.run(line);
        assert_eq!(output.code, 0, "{line}: {}", &*output.stderr);
    }
    let world = session.world(orchestrator).expect("it is the only one");
    world.obstacle()
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
