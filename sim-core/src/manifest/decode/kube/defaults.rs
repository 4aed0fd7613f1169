//! What the server fills in, so that `kubectl get -o yaml` shows it.
//! Sources: `pkg/apis/core/v1/defaults.go`, `pkg/apis/apps/v1/defaults.go`,
//! `pkg/apis/batch/v1/defaults.go`.
//!
//! Works on documents that have passed validation; what has an unexpected shape is left alone.
//! Addresses, node ports, uids and other choices of the server are not defaults and not made here.

use crate::manifest::decode::image;
use crate::manifest::value::Value;

/// Fills the defaults of a kind into its document.
pub fn apply_defaults(kind: &str, document: &mut Value) {
    // Empty maps of these are not encoded, so that nobody reads them.
    for path in [&["metadata", "labels"][..], &["metadata", "annotations"]] {
        drop_empty(document, path);
    }
    match kind {
        "ConfigMap" => {
            drop_empty(document, &["data"]);
            drop_empty(document, &["binaryData"]);
        }
        "Deployment" => with(document, &["spec"], |spec| {
            default(spec, "replicas", 1);
            default(spec, "revisionHistoryLimit", 10);
            default(spec, "progressDeadlineSeconds", 600);
            deployment_strategy(spec);
            template(spec);
        }),
        "ReplicaSet" => with(document, &["spec"], |spec| {
            default(spec, "replicas", 1);
            template(spec);
        }),
        "ReplicationController" => with(document, &["spec"], |spec| {
            default(spec, "replicas", 1);
            template(spec);
        }),
        "StatefulSet" => with(document, &["spec"], stateful_set),
        "DaemonSet" => with(document, &["spec"], daemon_set),
        "Job" => with(document, &["spec"], job),
        "CronJob" => with(document, &["spec"], |spec| {
            default(spec, "concurrencyPolicy", "Allow");
            default(spec, "suspend", false);
            default(spec, "successfulJobsHistoryLimit", 3);
            default(spec, "failedJobsHistoryLimit", 1);
            with(spec, &["jobTemplate"], |jobs| {
                default(jobs, "metadata", Value::map());
            });
            with(spec, &["jobTemplate", "spec"], template);
        }),
        "Pod" => with(document, &["spec"], |spec| {
            pod_spec(spec);
            default(spec, "enableServiceLinks", true);
            for list in ["containers", "initContainers"] {
                each(spec, list, requests_from_limits);
            }
        }),
        "Service" => with(document, &["spec"], service),
        "Namespace" => namespace(document),
        "Secret" => {
            default(document, "type", "Opaque");
            drop_empty(document, &["data"]);
        }
        "PersistentVolumeClaim" => with(document, &["spec"], |spec| {
            default(spec, "volumeMode", "Filesystem")
        }),
        "PersistentVolume" => with(document, &["spec"], |spec| {
            default(spec, "volumeMode", "Filesystem");
            default(spec, "persistentVolumeReclaimPolicy", "Retain");
        }),
        "StorageClass" => {
            default(document, "reclaimPolicy", "Delete");
            default(document, "volumeBindingMode", "Immediate");
        }
        "HorizontalPodAutoscaler" => with(document, &["spec"], autoscaler),
        "LimitRange" => with(document, &["spec"], |spec| {
            each(spec, "limits", limit);
        }),
        "EndpointSlice" => each(document, "ports", |port| {
            default(port, "name", "");
            default(port, "protocol", "TCP");
        }),
        "Endpoints" => each(document, "subsets", |subset| {
            each(subset, "ports", |port| default(port, "protocol", "TCP"));
        }),
        "PriorityClass" => default(document, "preemptionPolicy", "PreemptLowerPriority"),
        "RoleBinding" | "ClusterRoleBinding" => {
            each(document, "subjects", |subject| {
                if matches!(subject.str_at(&["kind"]), Some("User" | "Group")) {
                    default(subject, "apiGroup", "rbac.authorization.k8s.io");
                }
            });
            with(document, &["roleRef"], |role| {
                default(role, "apiGroup", "rbac.authorization.k8s.io");
            });
        }
        "NetworkPolicy" => with(document, &["spec"], network_policy),
        "MutatingWebhookConfiguration" => each(document, "webhooks", |webhook| {
            default(webhook, "reinvocationPolicy", "Never");
            self::webhook(webhook);
        }),
        "ValidatingWebhookConfiguration" => each(document, "webhooks", webhook),
        "PodTemplate" => template(document),
        _ => kept(kind, document),
    }
}

/// Of kinds that no loop acts upon.
/// Sources: `pkg/apis/{admissionregistration,flowcontrol,resource}/v1/defaults.go`,
/// `k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/defaults.go`.
fn kept(kind: &str, document: &mut Value) {
    match kind {
        "APIService" => with(document, &["spec", "service"], |service| {
            default(service, "port", 443);
        }),
        "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy" => {
            with(document, &["spec"], |spec| {
                default(spec, "failurePolicy", "Fail");
                with(spec, &["matchConstraints"], match_resources);
            });
        }
        "ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding" => {
            with(document, &["spec", "matchResources"], match_resources);
        }
        "FlowSchema" => with(document, &["spec"], |spec| {
            unless_zero(spec, "matchingPrecedence", 1_000);
        }),
        "PriorityLevelConfiguration" => with(document, &["spec"], |spec| {
            for (kind, shares) in [("limited", 30), ("exempt", 0)] {
                with(spec, &[kind], |level| {
                    default(level, "nominalConcurrencyShares", shares);
                    default(level, "lendablePercent", 0);
                });
            }
            with(spec, &["limited", "limitResponse", "queuing"], |queuing| {
                unless_zero(queuing, "queues", 64);
                unless_zero(queuing, "handSize", 8);
                unless_zero(queuing, "queueLengthLimit", 50);
            });
        }),
        "ResourceClaim" => with(document, &["spec", "devices"], device_requests),
        "ResourceClaimTemplate" => {
            with(document, &["spec", "spec", "devices"], device_requests);
        }
        _ => {}
    }
}

/// Fills a number in of which zero is absence.
fn unless_zero(value: &mut Value, key: &str, number: i64) {
    if value.i64_at(&[key]) == Some(0) {
        value.remove(key);
    }
    default(value, key, number);
}

fn device_requests(devices: &mut Value) {
    let of_one = |request: &mut Value| {
        default(request, "allocationMode", "ExactCount");
        if request.str_at(&["allocationMode"]) == Some("ExactCount") {
            unless_zero(request, "count", 1);
        }
    };
    each(devices, "requests", |request| {
        with(request, &["exactly"], of_one);
        each(request, "firstAvailable", of_one);
    });
}

fn match_resources(resources: &mut Value) {
    default(resources, "matchPolicy", "Equivalent");
    default(resources, "namespaceSelector", Value::map());
    default(resources, "objectSelector", Value::map());
    for rules in ["resourceRules", "excludeResourceRules"] {
        each(resources, rules, |rule| default(rule, "scope", "*"));
    }
}

/// Source: `pkg/apis/admissionregistration/v1/defaults.go`.
fn webhook(webhook: &mut Value) {
    default(webhook, "failurePolicy", "Fail");
    default(webhook, "matchPolicy", "Equivalent");
    default(webhook, "namespaceSelector", Value::map());
    default(webhook, "objectSelector", Value::map());
    default(webhook, "timeoutSeconds", 10);
    each(webhook, "rules", |rule| default(rule, "scope", "*"));
    with(webhook, &["clientConfig", "service"], |service| {
        default(service, "port", 443);
    });
}

fn drop_empty(document: &mut Value, path: &[&str]) {
    let map = document.path(path).and_then(Value::as_map);
    if map.is_some_and(|map| map.is_empty()) {
        document.remove_path(path);
    }
}

/// Changes the map at a path, if it is there.
fn with(value: &mut Value, path: &[&str], change: impl FnOnce(&mut Value)) {
    if value
        .path(path)
        .is_some_and(|inner| inner.as_map().is_some())
        && let Some(inner) = value.path_mut(path)
    {
        change(inner);
    }
}

/// Changes each item of a list, if it is there.
fn each(value: &mut Value, key: &str, mut change: impl FnMut(&mut Value)) {
    let list = value
        .as_map_mut()
        .and_then(|map| map.get_mut(key))
        .and_then(Value::as_list_mut);
    for item in list.into_iter().flatten() {
        if item.as_map().is_some() {
            change(item);
        }
    }
}

fn default(value: &mut Value, key: &str, content: impl Into<Value>) {
    if value.get(key).is_none_or(Value::is_null) {
        value.set(key, content.into());
    }
}

fn deployment_strategy(spec: &mut Value) {
    default(spec, "strategy", Value::map());
    with(spec, &["strategy"], |strategy| {
        default(strategy, "type", "RollingUpdate");
        if strategy.str_at(&["type"]) == Some("RollingUpdate") {
            default(strategy, "rollingUpdate", Value::map());
            with(strategy, &["rollingUpdate"], |bounds| {
                default(bounds, "maxSurge", "25%");
                default(bounds, "maxUnavailable", "25%");
            });
        }
    });
}

fn stateful_set(spec: &mut Value) {
    default(spec, "replicas", 1);
    default(spec, "podManagementPolicy", "OrderedReady");
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "updateStrategy", Value::map());
    with(spec, &["updateStrategy"], |strategy| {
        default(strategy, "type", "RollingUpdate");
        if strategy.str_at(&["type"]) == Some("RollingUpdate") {
            default(strategy, "rollingUpdate", Value::map());
            with(strategy, &["rollingUpdate"], |rolling| {
                default(rolling, "partition", 0)
            });
        }
    });
    default(spec, "persistentVolumeClaimRetentionPolicy", Value::map());
    with(spec, &["persistentVolumeClaimRetentionPolicy"], |policy| {
        default(policy, "whenDeleted", "Retain");
        default(policy, "whenScaled", "Retain");
    });
    each(spec, "volumeClaimTemplates", |claim| {
        default(claim, "apiVersion", "v1");
        default(claim, "kind", "PersistentVolumeClaim");
        with(claim, &["spec"], |spec| {
            default(spec, "volumeMode", "Filesystem")
        });
        default(
            claim,
            "status",
            Value::object([("phase", Value::from("Pending"))]),
        );
    });
    template(spec);
}

fn daemon_set(spec: &mut Value) {
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "updateStrategy", Value::map());
    with(spec, &["updateStrategy"], |strategy| {
        default(strategy, "type", "RollingUpdate");
        if strategy.str_at(&["type"]) == Some("RollingUpdate") {
            default(strategy, "rollingUpdate", Value::map());
            with(strategy, &["rollingUpdate"], |rolling| {
                default(rolling, "maxUnavailable", 1);
                default(rolling, "maxSurge", 0);
            });
        }
    });
    template(spec);
}

fn job(spec: &mut Value) {
    let completions = spec.get("completions").is_some();
    let parallelism = spec.get("parallelism").is_some();
    if !completions && !parallelism {
        default(spec, "completions", 1);
    }
    if !parallelism {
        default(spec, "parallelism", 1);
    }
    let per_index = spec.get("backoffLimitPerIndex").is_some();
    default(spec, "backoffLimit", if per_index { i32::MAX } else { 6 });
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    let by_policy = spec.get("podFailurePolicy").is_some();
    default(
        spec,
        "podReplacementPolicy",
        if by_policy {
            "Failed"
        } else {
            "TerminatingOrFailed"
        },
    );
    template(spec);
}

fn template(spec: &mut Value) {
    with(spec, &["template"], |template| {
        default(template, "metadata", Value::map());
    });
    with(spec, &["template", "spec"], pod_spec);
}

fn pod_spec(spec: &mut Value) {
    default(spec, "restartPolicy", "Always");
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "securityContext", Value::map());
    default(spec, "schedulerName", "default-scheduler");
    if let Some(account) = spec.str_at(&["serviceAccountName"]).map(str::to_owned) {
        default(spec, "serviceAccount", account);
    }
    let host_network = spec
        .get("hostNetwork")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        each(spec, list, |item| container(item, host_network));
    }
    each(spec, "volumes", volume);
}

fn container(container: &mut Value, host_network: bool) {
    let latest = container.str_at(&["image"]).is_some_and(image::is_latest);
    default(
        container,
        "imagePullPolicy",
        if latest { "Always" } else { "IfNotPresent" },
    );
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", Value::map());
    each(container, "ports", |port| {
        default(port, "protocol", "TCP");
        if let Some(number) = port.i64_at(&["containerPort"]).filter(|_| host_network) {
            default(port, "hostPort", number);
        }
    });
    each(container, "env", |variable| {
        with(variable, &["valueFrom"], of_the_pod);
    });
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        with(container, &[probe], |probe| {
            for (key, content) in [
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ] {
                // A zero is absence here.
                if probe.i64_at(&[key]) == Some(0) {
                    probe.remove(key);
                }
                default(probe, key, content);
            }
            with(probe, &["httpGet"], http_get);
            with(probe, &["grpc"], |grpc| default(grpc, "service", ""));
        });
    }
    for hook in ["preStop", "postStart"] {
        with(container, &["lifecycle", hook, "httpGet"], http_get);
    }
}

/// Something that the pod says of itself.
fn of_the_pod(from: &mut Value) {
    with(from, &["fieldRef"], |field| {
        default(field, "apiVersion", "v1")
    });
    with(from, &["resourceFieldRef"], |field| {
        default(field, "divisor", "0")
    });
}

fn http_get(get: &mut Value) {
    default(get, "path", "/");
    default(get, "scheme", "HTTP");
}

fn volume(volume: &mut Value) {
    let sources = volume.as_map().map_or(0, |map| {
        map.iter().filter(|(key, _)| &***key != "name").count()
    });
    if sources == 0 {
        default(volume, "emptyDir", Value::map());
    }
    for key in ["configMap", "secret", "projected", "downwardAPI"] {
        with(volume, &[key], |source| default(source, "defaultMode", 420));
    }
    with(volume, &["hostPath"], |source| default(source, "type", ""));
    with(volume, &["downwardAPI"], |source| {
        each(source, "items", of_the_pod)
    });
    with(volume, &["projected"], |source| {
        each(source, "sources", |source| {
            with(source, &["downwardAPI"], |source| {
                each(source, "items", of_the_pod)
            });
            with(source, &["serviceAccountToken"], |token| {
                default(token, "expirationSeconds", 3_600);
            });
        });
    });
}

/// Only for pods as such: templates keep their requests as written.
fn requests_from_limits(container: &mut Value) {
    let Some(limits) = container
        .path(&["resources", "limits"])
        .and_then(Value::as_map)
        .cloned()
    else {
        return;
    };
    if limits.is_empty() {
        return;
    }
    with(container, &["resources"], |resources| {
        default(resources, "requests", Value::map());
        with(resources, &["requests"], |requests| {
            for (name, amount) in limits.iter() {
                default(requests, name, amount.clone());
            }
        });
    });
}

fn service(spec: &mut Value) {
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    let affinity = spec.str_at(&["sessionAffinity"]);
    if affinity == Some("None") {
        spec.remove("sessionAffinityConfig");
    } else if affinity == Some("ClientIP") && spec.get("sessionAffinityConfig").is_none() {
        spec.set_path(
            &["sessionAffinityConfig", "clientIP", "timeoutSeconds"],
            10_800.into(),
        );
    }
    each(spec, "ports", |port| {
        default(port, "protocol", "TCP");
        if let Some(number) = port.get("port").cloned() {
            default(port, "targetPort", number);
        }
    });
    let kind = spec.str_at(&["type"]).unwrap_or("").to_owned();
    if kind == "ExternalName" {
        return;
    }
    default(spec, "internalTrafficPolicy", "Cluster");
    let external = spec
        .get("externalIPs")
        .and_then(Value::as_list)
        .is_some_and(|list| !list.is_empty());
    if matches!(&*kind, "NodePort" | "LoadBalancer") || external {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    default(spec, "ipFamilies", vec![Value::from("IPv4")]);
    let headless = spec.str_at(&["clusterIP"]) == Some("None");
    let selector = spec
        .get("selector")
        .and_then(Value::as_map)
        .is_some_and(|map| !map.is_empty());
    default(
        spec,
        "ipFamilyPolicy",
        if headless && !selector {
            "RequireDualStack"
        } else {
            "SingleStack"
        },
    );
}

/// Source: `pkg/apis/autoscaling/v2/defaults.go`.
fn autoscaler(spec: &mut Value) {
    default(spec, "minReplicas", 1);
    let empty = spec
        .get("metrics")
        .and_then(Value::as_list)
        .is_none_or(<[Value]>::is_empty);
    if empty {
        let mut metric = Value::map();
        metric.set("type", "Resource".into());
        metric.set_path(&["resource", "name"], "cpu".into());
        metric.set_path(&["resource", "target", "type"], "Utilization".into());
        metric.set_path(&["resource", "target", "averageUtilization"], 80.into());
        spec.set("metrics", vec![metric].into());
    }
    if spec.get("behavior").is_none_or(Value::is_null) {
        return;
    }
    let policy = |kind: &str, value: i32| {
        Value::object([
            ("periodSeconds", Value::from(15)),
            ("type", kind.into()),
            ("value", value.into()),
        ])
    };
    let rules = [
        (
            "scaleUp",
            Some(0),
            vec![policy("Pods", 4), policy("Percent", 100)],
        ),
        ("scaleDown", None, vec![policy("Percent", 100)]),
    ];
    for (direction, window, policies) in rules {
        let path = ["behavior", direction];
        if spec.path(&path).is_none_or(Value::is_null) {
            spec.set_path(&path, Value::map());
        }
        with(spec, &path, |rules| {
            if let Some(window) = window {
                default(rules, "stabilizationWindowSeconds", window);
            }
            default(rules, "selectPolicy", "Max");
            default(rules, "policies", policies);
        });
    }
}

/// Source: `SetDefaults_LimitRangeItem` of `pkg/apis/core/v1/defaults.go`.
fn limit(limit: &mut Value) {
    if limit.str_at(&["type"]) != Some("Container") {
        return;
    }
    for (from, to) in [
        ("max", "default"),
        ("default", "defaultRequest"),
        ("min", "defaultRequest"),
    ] {
        let Some(amounts) = limit.get(from).and_then(Value::as_map).cloned() else {
            continue;
        };
        for (name, amount) in amounts.iter() {
            if limit.path(&[to, name]).is_none() {
                limit.set_path(&[to, name], amount.clone());
            }
        }
    }
}

/// Source: `pkg/apis/networking/v1/defaults.go`.
fn network_policy(spec: &mut Value) {
    default(spec, "podSelector", Value::map());
    for direction in ["ingress", "egress"] {
        each(spec, direction, |rule| {
            each(rule, "ports", |port| default(port, "protocol", "TCP"));
        });
    }
    let egress = spec.get("egress").is_some();
    if spec.get("policyTypes").is_none_or(Value::is_null) {
        let mut types = vec![Value::from("Ingress")];
        if egress {
            types.push("Egress".into());
        }
        spec.set("policyTypes", types.into());
    }
}

fn namespace(document: &mut Value) {
    let Some(name) = document.str_at(&["metadata", "name"]).map(str::to_owned) else {
        return;
    };
    if document
        .path(&["metadata", "labels", "kubernetes.io/metadata.name"])
        .is_none()
    {
        document.set_path(
            &["metadata", "labels", "kubernetes.io/metadata.name"],
            name.into(),
        );
    }
    if document.path(&["spec", "finalizers"]).is_none() {
        document.set_path(
            &["spec", "finalizers"],
            vec![Value::from("kubernetes")].into(),
        );
    }
    if document.path(&["status", "phase"]).is_none() {
        document.set_path(&["status", "phase"], "Active".into());
    }
}
