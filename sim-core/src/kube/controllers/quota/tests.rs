//! What objects take of quotas: rows of `pkg/quota/v1/evaluator/core/{services,persistent_volume_claims}_test.go`.

use super::*;
use crate::kube::kinds;

fn share(kind: &str, resource: &str, object: &str) -> String {
    let kind = kinds::of_word(kind).unwrap();
    let object = Value::parse_json(object).unwrap();
    object_share(kind, resource, &object).map_or("none".to_owned(), |amount| amount.to_string())
}

#[test]
fn services_take_balancers_and_ports_of_nodes() {
    let rows = [
        ("loadbalancer", r#""type":"LoadBalancer""#, "0", "1"),
        (
            "loadbalancer_ports",
            r#""type":"LoadBalancer","ports":[{"port":27443}]"#,
            "1",
            "1",
        ),
        (
            "loadbalancer_2_ports",
            r#""type":"LoadBalancer","ports":[{"port":27443},{"port":27444}]"#,
            "2",
            "1",
        ),
        (
            "clusterip",
            r#""type":"ClusterIP","ports":[{"port":1}]"#,
            "0",
            "0",
        ),
        (
            "nodeports",
            r#""type":"NodePort","ports":[{"port":27443}]"#,
            "1",
            "0",
        ),
        (
            "multi-nodeports",
            r#""type":"NodePort","ports":[{"port":27443},{"port":27444}]"#,
            "2",
            "0",
        ),
        (
            "nodeports-disabled",
            r#""type":"LoadBalancer","ports":[{"port":27443},{"port":27444}],"allocateLoadBalancerNodePorts":false"#,
            "0",
            "1",
        ),
        (
            "nodeports-default-enabled",
            r#""type":"LoadBalancer","ports":[{"port":27443,"nodePort":32001},{"port":27444,"nodePort":32002}]"#,
            "2",
            "1",
        ),
        (
            "nodeports-explicitly-enabled",
            r#""type":"LoadBalancer","ports":[{"port":27443},{"port":27444}],"allocateLoadBalancerNodePorts":true"#,
            "2",
            "1",
        ),
        (
            "nodeports-disabled-but-specified",
            r#""type":"LoadBalancer","ports":[{"port":27443,"nodePort":32001},{"port":27444,"nodePort":32002}],"allocateLoadBalancerNodePorts":false"#,
            "2",
            "1",
        ),
    ];
    for (name, spec, ports, balancers) in rows {
        let service = format!(r#"{{"spec":{{{spec}}}}}"#);
        let of = |resource: &str| share("service", resource, &service);
        assert_eq!(of("services.nodeports"), ports, "{name}");
        assert_eq!(of("services.loadbalancers"), balancers, "{name}");
        assert_eq!(
            (of("services"), of("count/services")),
            ("1".into(), "1".into()),
            "{name}"
        );
    }
}

#[test]
fn claims_take_what_they_ask_for_or_have() {
    let rows = [
        ("pvc-usage", r#""requests":{"storage":"10Gi"}"#, "", "10Gi"),
        (
            "pvc-usage-rounded",
            r#""requests":{"storage":"1001m"}"#,
            "",
            "2",
        ),
        (
            "pvc-usage-higher-allocated-resource",
            r#""requests":{"storage":"5G"}"#,
            r#""allocatedResources":{"storage":"10G"}"#,
            "10G",
        ),
        (
            "pvc-usage-lower-allocated-resource",
            r#""requests":{"storage":"10G"}"#,
            r#""allocatedResources":{"storage":"5G"}"#,
            "10G",
        ),
    ];
    for (name, asked, status, storage) in rows {
        for class in ["", r#","storageClassName":"gold""#] {
            let claim =
                format!(r#"{{"spec":{{"resources":{{{asked}}}{class}}},"status":{{{status}}}}}"#);
            let of = |resource: &str| share("persistentvolumeclaim", resource, &claim);
            assert_eq!(of("requests.storage"), storage, "{name}");
            assert_eq!(of("persistentvolumeclaims"), "1", "{name}");
            assert_eq!(of("count/persistentvolumeclaims"), "1", "{name}");
            let (own, one) = match class {
                "" => ("none", "none"),
                _ => (storage, "1"),
            };
            assert_eq!(of("gold.storageclass.storage.k8s.io/requests.storage"), own);
            let counted = of("gold.storageclass.storage.k8s.io/persistentvolumeclaims");
            assert_eq!(counted, one);
        }
    }
}

/// Source of the rows: `isExtendedResourceNameForQuota`, `podResourcePrefixes`.
#[test]
fn pods_use_what_is_theirs() {
    let own = [
        "pods",
        "count/pods",
        "limits.ephemeral-storage",
        "requests.nvidia.com/gpu",
        "hugepages-2Mi",
        "requests.hugepages-1Gi",
    ];
    assert!(own.iter().all(|resource| pod_resource(resource)));
    let others = [
        "requests.storage",
        "nvidia.com/gpu",
        "limits.nvidia.com/gpu",
        "gold.storageclass.storage.k8s.io/requests.storage",
        "services",
    ];
    assert!(!others.iter().any(|resource| pod_resource(resource)));
}
