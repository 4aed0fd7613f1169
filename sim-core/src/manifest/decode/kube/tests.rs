//! Good and broken objects, as a person sees what is said about them.

use expect_test::{Expect, expect};

use super::{decode_kube, decode_value};
use crate::api::kube::object::KubeSpec;
use crate::manifest::lines::Source;

fn check(text: &str, expected: &Expect) {
    let source = Source::new("web.yaml", text);
    let (objects, problems) = decode_kube(&source);
    let mut seen = String::new();
    for object in &objects {
        let paths: Vec<&str> = object
            .not_modelled
            .iter()
            .map(|(path, _)| &**path)
            .collect();
        seen.push_str(&format!(
            "{} {} not modelled: {}\n",
            object.kind,
            object.meta.name,
            paths.join(" ")
        ));
    }
    for problem in &problems {
        seen.push_str(&problem.render(Some(&source)));
    }
    expected.assert_eq(&seen);
}

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx
        resources: {limits: {cpu: 500m, memory: 64Mi}}
        ports: [{containerPort: 80, name: http}]
        readinessProbe: {httpGet: {port: http}}
        securityContext: {runAsUser: 1}
";

#[test]
fn defaults_are_in_the_spec_and_unread_fields_are_listed() {
    check(
        WEB,
        &expect![[r#"
            Deployment web not modelled: 
        "#]],
    );
    let (objects, _) = decode_kube(&Source::new("web.yaml", WEB));
    let KubeSpec::Deployment(deployment) = &objects[0].spec else {
        panic!("not a Deployment")
    };
    assert_eq!(
        (deployment.replicas, deployment.progress_deadline_seconds),
        (1, 600)
    );
    let container = &deployment.template.spec.containers[0];
    assert_eq!(
        container.resources.requests.cpu_milli,
        Some(500),
        "requests are filled from limits"
    );
    assert_eq!(
        container
            .readiness_probe
            .as_ref()
            .map(|probe| probe.period_seconds),
        Some(10)
    );
    let (again, problems) = decode_value(&objects[0].document);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(
        again.map(|object| object.spec),
        Some(objects[0].spec.clone())
    );
}

#[test]
fn one_file_can_have_many_faults() {
    check(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: Web_1}
spec:
  replicas: -1
  selector: {matchLabels: {app: web}}
  strategy: {type: Recreat}
  template:
    metadata: {labels: {app: api}}
    spec:
      restartPolicy: Never
      containers:
      - name: a
        image: Bad Image
        imagePullPolicy: always
        ports: [{containerPort: 70000}]
        resources: {requests: {cpu: 2, memory: 1G}, limits: {cpu: 1, memory: 1Q}}
        volumeMounts: [{name: data, mountPath: /d}]
        livenessProbe: {successThreshold: 2, exec: {command: [ls]}, tcpSocket: {port: 1}}
      - name: a
---
kind: Service
apiVersion: v1
metadata: {name: s}
spec:
  type: ClusterIP
  ports:
  - {port: 80, nodePort: 30000}
  - {name: x, port: 80}
",
        &expect![[r#"
            web.yaml:3:18: error K8S010: metadata.name: Invalid value: "Web_1": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
              3 | metadata: {name: Web_1}
                |                  ^^^^^
            web.yaml:5:13: error K8S010: spec.replicas: Invalid value: -1: must be greater than or equal to 0
              5 |   replicas: -1
                |             ^^
            web.yaml:7:20: error K8S011: spec.strategy: Unsupported value: {"Type":"Recreat","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"
              7 |   strategy: {type: Recreat}
                |                    ^^^^^^^
              help: did you mean "Recreate"?
            web.yaml:9:24: error K8S010: spec.template.metadata.labels: Invalid value: {"app":"api"}: `selector` does not match template `labels`
              9 |     metadata: {labels: {app: api}}
                |                        ^^^^^^^^^^
            web.yaml:11:22: error K8S011: spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
              11 |       restartPolicy: Never
                 |                      ^^^^^
            web.yaml:14:16: warning K8S016: spec.template.spec.containers[0].image: couldn't parse image name "Bad Image": invalid reference format
              14 |         image: Bad Image
                 |                ^^^^^^^^^
            web.yaml:15:26: error K8S011: spec.template.spec.containers[0].imagePullPolicy: Unsupported value: "always": supported values: "Always", "IfNotPresent", "Never"
              15 |         imagePullPolicy: always
                 |                          ^^^^^^
              help: did you mean "Always"?
            web.yaml:16:33: error K8S010: spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive
              16 |         ports: [{containerPort: 70000}]
                 |                                 ^^^^^
            web.yaml:17:37: error K8S010: spec.template.spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1
              17 |         resources: {requests: {cpu: 2, memory: 1G}, limits: {cpu: 1, memory: 1Q}}
                 |                                     ^
            web.yaml:17:78: error K8S008: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
              17 |         resources: {requests: {cpu: 2, memory: 1G}, limits: {cpu: 1, memory: 1Q}}
                 |                                                                              ^^
              help: write for example 500m, 2, 1.5, 128Mi, 1Gi
            web.yaml:18:31: error K8S014: spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"
              18 |         volumeMounts: [{name: data, mountPath: /d}]
                 |                               ^^^^
            web.yaml:19:43: error K8S010: spec.template.spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1
              19 |         livenessProbe: {successThreshold: 2, exec: {command: [ls]}, tcpSocket: {port: 1}}
                 |                                           ^
            web.yaml:19:80: error K8S013: spec.template.spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type
              19 |         livenessProbe: {successThreshold: 2, exec: {command: [ls]}, tcpSocket: {port: 1}}
                 |                                                                                ^^^^^^^^^
            web.yaml:20:9: error K8S004: spec.template.spec.containers[1].image: Required value
              20 |       - name: a
                 |         ^^^^^^^
            web.yaml:20:15: error K8S012: spec.template.spec.containers[1].name: Duplicate value: "a"
              20 |       - name: a
                 |               ^
            web.yaml:28:5: error K8S004: spec.ports[0].name: Required value
              28 |   - {port: 80, nodePort: 30000}
                 |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^
            web.yaml:28:26: error K8S013: spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'
              28 |   - {port: 80, nodePort: 30000}
                 |                          ^^^^^
            web.yaml:29:5: error K8S012: spec.ports[1]: Duplicate value: {"port":80}
              29 |   - {name: x, port: 80}
                 |     ^^^^^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn kinds_and_versions_are_judged() {
    check(
        "\
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: a}
---
apiVersion: apps/v1
kind: Deploymnet
metadata: {name: b}
---
apiVersion: v1
kind: Deployment
metadata: {name: c}
---
kind: Pod
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: d}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: team}}
- {apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {}}}
",
        &expect![[r#"
            Widget d not modelled: kind
            Namespace team not modelled: 
            web.yaml:1:13: error K8S006: no matches for kind "Deployment" in version "extensions/v1beta1"
              1 | apiVersion: extensions/v1beta1
                |             ^^^^^^^^^^^^^^^^^^
              help: removed in v1.16; Deployment is in apps/v1 now
            web.yaml:6:7: error K8S003: no matches for kind "Deploymnet" in version "apps/v1"
              6 | kind: Deploymnet
                |       ^^^^^^^^^^
              help: did you mean "Deployment"?
            web.yaml:9:13: error K8S003: no matches for kind "Deployment" in version "v1"
              9 | apiVersion: v1
                |             ^^
              help: Deployment is in apps/v1
            web.yaml:13:1: error K8S005: apiVersion not set
              13 | kind: Pod
                 | ^
            web.yaml:16:7: warning K8S003: no matches for kind "Widget" in version "example.com/v1" until its CustomResourceDefinition is installed
              16 | kind: Widget
                 |       ^^^^^^
            web.yaml:23:75: error K8S004: spec.template.spec.containers: Required value
              23 | - {apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {}}}
                 |                                                                           ^^
            web.yaml:23:75: error K8S004: spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
              23 | - {apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {}}}
                 |                                                                           ^^
        "#]],
    );
}

#[test]
fn wrong_types_point_at_the_value() {
    check(
        "\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
    name: x
  tolerations: [{key: a, operator: Exists, value: b}]
  hostNetwork: 'yes'
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: z, operator: Is}]}]}}}
",
        &expect![[r#"
            web.yaml:6:5: error K8S002: json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container
              6 |     name: x
                |     ^^^^^^^
            web.yaml:7:36: error K8S010: spec.tolerations[0].operator: Invalid value: "b": value must be empty when `operator` is 'Exists'
              7 |   tolerations: [{key: a, operator: Exists, value: b}]
                |                                    ^^^^^^
            web.yaml:8:16: error K8S002: json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool
              8 |   hostNetwork: 'yes'
                |                ^^^^^
            web.yaml:9:137: error K8S010: spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator
              9 | …redDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: z, operator: Is}]}]}}}
                |                                                                                  ^^
        "#]],
    );
}

#[test]
fn a_node_port_is_given_once() {
    let service = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  type: NodePort\n  ports: [{{port: 80, nodePort: 31000}}]\n"
        )
    };
    check(
        &format!("{}---\n{}", service("a"), service("b")),
        &expect![[r#"
            Service a not modelled: 
            Service b not modelled: 
            web.yaml:13:32: error K8S010: spec.ports[0].nodePort: Invalid value: 31000: provided port is already allocated
              13 |   ports: [{port: 80, nodePort: 31000}]
                 |                                ^^^^^
              help: service "a" has this node port; choose another
        "#]],
    );
}

#[test]
fn what_no_loop_reads_is_checked_and_listed() {
    check(
        "\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  hostNetwork: true
  volumes: [{name: v, configMap: {name: c}}]
  affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone}]}}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]
  containers: [{name: a, image: a, workingDir: /srv, volumeMounts: [{name: v, mountPath: /v}], env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]
",
        &expect![[r#"
            Pod p not modelled: spec.containers[0].workingDir
        "#]],
    );
}

#[test]
fn what_loops_read_of_documents_is_not_said_to_be_unmodelled() {
    check(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      setHostnameAsFQDN: true
      containers:
      - {name: db, image: postgres, tty: true, volumeMounts: [{name: data, mountPath: /data, subPath: a}]}
      volumes: [{name: data, hostPath: {path: /data, type: Directory}}]
---
apiVersion: v1
kind: LimitRange
metadata: {name: range}
spec: {limits: [{type: Container, default: {cpu: 500m}}]}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: example.com/disk
parameters: {kind: ssd}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: outer}
spec: {controller: example.com/outer}
",
        &expect![[r#"
            StatefulSet db not modelled: spec.template.spec.setHostnameAsFQDN spec.template.spec.containers[0].tty spec.template.spec.volumes[0].hostPath.type
            LimitRange range not modelled: 
            StorageClass fast not modelled: parameters
            IngressClass outer not modelled: kind spec
        "#]],
    );
}

#[test]
fn a_kind_is_known_by_its_group() {
    let policy = |version: &str| {
        format!(
            "apiVersion: {version}\nkind: NetworkPolicy\nmetadata: {{name: one}}\nspec: {{podSelector: {{}}}}\n"
        )
    };
    let listed = |text: &str| {
        let (objects, _) = decode_kube(&Source::new("one.yaml", text));
        let paths = objects.iter().flat_map(|object| &object.not_modelled);
        paths.map(|(path, _)| path.clone()).collect::<Vec<_>>()
    };
    assert!(listed(&policy("networking.k8s.io/v1")).is_empty());
    assert_eq!(
        listed(&policy("crd.projectcalico.org/v1")),
        ["kind", "spec"]
    );
    let horizontal = "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: one}\nspec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n";
    assert!(listed(horizontal).is_empty(), "{:?}", listed(horizontal));
}
