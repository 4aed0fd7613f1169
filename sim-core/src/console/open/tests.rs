use expect_test::{Expect, expect};

use super::*;
use crate::base::time::{SimDuration, SimTime};
use crate::console::Output;

const APPLICATION: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: green}
";

const NAMESPACE: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
";

fn opened(files: &[(&str, &str)]) -> Opened {
    let mut experiment = Experiment::new(Seed(1));
    for (name, text) in files {
        experiment.files.push(((*name).to_owned(), (*text).into()));
    }
    open(&experiment).expect("it opens")
}

/// What is found, what deploying says, and what a command then prints.
fn check(files: &[(&str, &str)], line: &str, expected: &Expect) {
    let mut opened = opened(files);
    let mut seen = String::new();
    for (source, found) in opened.diagnostics() {
        seen.push_str(&found.render(Some(source)));
    }
    if opened.valid() {
        let output = opened.deploy();
        seen.push_str(&format!("exit {}\n{}", output.code, &*output.stderr));
        let output = opened.session.run(line);
        seen.push_str(&format!("{}{}", &*output.stdout, &*output.stderr));
    }
    expected.assert_eq(&seen);
}

#[test]
fn objects_go_to_the_namespace_that_is_described_before_them() {
    check(
        &[("app.yaml", &format!("{NAMESPACE}{APPLICATION}"))],
        "kubectl get configmap settings -n shop",
        &expect![[r#"
            exit 0
            NAME       DATA   AGE
            settings   1      0s
        "#]],
    );
}

#[test]
fn an_object_with_only_the_beginning_of_a_name_is_told_of() {
    check(
        &[(
            "job.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: run-}\n",
        )],
        "kubectl get configmaps -o name",
        &expect![[r#"
            job.yaml:1:1: warning K8S018: from run-: cannot use generate name with apply
              1 | apiVersion: v1
                | ^^^^^^^^^^^^^^
              help: send it with kubectl create
            exit 1
            job.yaml:1: error: from run-: cannot use generate name with apply
            configmap/kube-root-ca.crt
        "#]],
    );
}

#[test]
fn a_namespace_that_nothing_makes_is_told_of_and_refuses_the_object() {
    check(
        &[("app.yaml", APPLICATION)],
        "kubectl get configmap -n shop",
        &expect![[r#"
            app.yaml:3:39: warning K8S017: namespaces "shop" not found
              3 | metadata: {name: settings, namespace: shop}
                |                                       ^^^^
              help: describe the Namespace before what is in it, or make it with: kubectl create namespace shop
            exit 1
            app.yaml:1: Error from server (NotFound): error when creating "app.yaml": namespaces "shop" not found
            No resources found in shop namespace.
        "#]],
    );
}

#[test]
fn an_object_that_is_written_twice_is_applied_twice() {
    let second = APPLICATION.replace("green", "blue");
    check(
        &[
            ("a.yaml", NAMESPACE),
            ("b.yaml", APPLICATION),
            ("c.yaml", &second),
        ],
        "kubectl get configmap settings -n shop -o jsonpath={.data.colour}",
        &expect![[r#"
            exit 0
            blue"#]],
    );
}

#[test]
fn kinds_are_known_once_their_definition_is_there() {
    let definition = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets, singular: widget}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
";
    let widget = "\
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
";
    check(
        &[("a.yaml", definition), ("b.yaml", widget)],
        "kubectl get widgets",
        &expect![[r#"
            exit 0
            NAME   AGE
            one    0s
        "#]],
    );
    check(
        &[("b.yaml", widget)],
        "kubectl get pods",
        &expect![[r#"
        b.yaml:2:7: warning K8S003: no matches for kind "Widget" in version "example.com/v1" until its CustomResourceDefinition is installed
          2 | kind: Widget
            |       ^^^^^^
        exit 1
        b.yaml:1: error: resource mapping not found for name: "one" namespace: "" from "b.yaml": no matches for kind "Widget" in version "example.com/v1"
        ensure CRDs are installed first
        No resources found in default namespace.
    "#]],
    );
}

const OVERLAY: &str = "\
namespace: shop
resources: [../base]
namePrefix: my-
";

const BASE: &str = "resources: [settings.yaml, shop.yaml]\n";

#[test]
fn the_outermost_overlay_is_deployed() {
    check(
        &[
            ("base/kustomization.yaml", BASE),
            ("base/settings.yaml", APPLICATION),
            ("base/shop.yaml", NAMESPACE),
            ("prod/kustomization.yaml", OVERLAY),
        ],
        "kubectl get configmap my-settings -n shop",
        &expect![[r#"
            exit 0
            NAME          DATA   AGE
            my-settings   1      0s
        "#]],
    );
}

#[test]
fn of_two_overlays_one_must_be_named() {
    let files = [
        ("base/kustomization.yaml", BASE),
        ("base/settings.yaml", APPLICATION),
        ("base/shop.yaml", NAMESPACE),
        ("prod/kustomization.yaml", OVERLAY),
        ("test/kustomization.yaml", OVERLAY),
    ];
    check(
        &files,
        "",
        &expect![[r#"
        prod/kustomization.yaml:1:1: error FIL001: several could be the overlay: prod, test
          1 | namespace: shop
            | ^
          help: give the folder of the one that is meant
    "#]],
    );
}

#[test]
fn what_is_wrong_with_an_overlay_is_told_at_its_file() {
    check(
        &[("kustomization.yaml", "resources: [gone.yaml]\n")],
        "",
        &expect![[r#"
            kustomization.yaml:1:1: error KUS001: accumulating resources: accumulation err='accumulating resources from 'gone.yaml': open gone.yaml: no such file or directory'
              1 | resources: [gone.yaml]
                | ^
        "#]],
    );
    let wrong = APPLICATION.replace("\ndata:", "\ndate:");
    check(
        &[
            ("kustomization.yaml", "resources: [a.yaml]\n"),
            ("a.yaml", &wrong),
        ],
        "",
        &expect![[r#"
            kustomization.yaml:1:1: error K8S001: line 2 of what kubectl kustomize prints: unknown field "date"
              1 | resources: [a.yaml]
                | ^
              help: did you mean "data"?
        "#]],
    );
}

#[test]
fn manifests_beside_an_overlay_are_deployed_too() {
    let plain = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: beside}\n";
    check(
        &[
            ("over/kustomization.yaml", "resources: [a.yaml]\n"),
            ("over/a.yaml", &plain.replace("beside", "built")),
            ("over/unread.yaml", &plain.replace("beside", "unread")),
            ("it's.yaml", plain),
        ],
        "kubectl get configmaps -o name",
        &expect![[r#"
            exit 0
            configmap/beside
            configmap/built
            configmap/kube-root-ca.crt
        "#]],
    );
}

#[test]
fn an_overlay_moves_namespaces_and_its_own_accounts() {
    let objects = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects:
- {kind: ServiceAccount, name: web}
- {kind: ServiceAccount, name: default, namespace: other}
- {kind: ServiceAccount, name: prometheus, namespace: monitoring}
";
    check(
        &[
            (
                "kustomization.yaml",
                "namespace: prod\nresources: [a.yaml]\n",
            ),
            ("a.yaml", objects),
        ],
        "kubectl get rolebinding web -n prod -o jsonpath={.subjects[*].namespace}",
        &expect![[r#"
            exit 0
            prod prod monitoring"#]],
    );
}

#[test]
fn an_overlay_refuses_what_kustomize_refuses() {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    for (name, text, expected) in [
        (
            "kustomization.yaml",
            "resources: [a.yaml, a.yaml]\n",
            expect![[r#"
                kustomization.yaml:1:1: error KUS001: accumulating resources: accumulation err='merging resources from 'a.yaml': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/a.[noNs]'
                  1 | resources: [a.yaml, a.yaml]
                    | ^
            "#]],
        ),
        (
            "kustomization.yaml",
            "resources: [1]\n",
            expect![[r#"
                kustomization.yaml:1:1: error KUS001: invalid Kustomization: json: cannot unmarshal number into Go struct field Kustomization.resources of type string
                  1 | resources: [1]
                    | ^
            "#]],
        ),
        (
            "kustomization.yaml",
            "resources: {a: b}\n",
            expect![[r#"
                kustomization.yaml:1:1: error KUS001: invalid Kustomization: json: cannot unmarshal object into Go struct field Kustomization.resources of type []string
                  1 | resources: {a: b}
                    | ^
            "#]],
        ),
        (
            "over/kustomization.yaml",
            "resources: [../a.yaml]\n",
            expect![[r#"
                over/kustomization.yaml:1:1: error KUS001: accumulating resources: accumulation err='accumulating resources from '../a.yaml': security; file 'a.yaml' is not in or below 'over''
                  1 | resources: [../a.yaml]
                    | ^
            "#]],
        ),
        (
            "kustomization.yaml",
            "# nothing\n",
            expect![[r#"
                kustomization.yaml:1:1: error KUS001: kustomization.yaml is empty
                  1 | # nothing
                    | ^
            "#]],
        ),
    ] {
        check(&[(name, text), ("a.yaml", object)], "", &expected);
    }
    check(
        &[
            ("kustomization.yaml", "resources: [a.yaml]\n"),
            ("Kustomization", "resources: [a.yaml]\n"),
            ("a.yaml", object),
        ],
        "",
        &expect![[r#"
            Kustomization:1:1: error KUS001: Found multiple kustomization files: kustomization.yaml, Kustomization
              1 | resources: [a.yaml]
                | ^
        "#]],
    );
}

#[test]
fn a_definition_makes_kinds_of_its_group_known() {
    let text = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: services.example.com}
spec:
  group: example.com
  names: {kind: Service, plural: services, singular: service}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: example.com/v1
kind: Service
metadata: {name: own}
spec: {a: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}], healthCheckNodePort: 30000, publishNotReadyAddresses: true, loadBalancerIP: 10.1.1.1}
";
    let mut experiment = Experiment::new(Seed(1));
    experiment.files.push(("a.yaml".to_owned(), text.into()));
    let opened = open(&experiment).expect("it opens");
    let objects = opened.not_modelled.iter().map(|one| &*one.object);
    let mut objects: Vec<&str> = objects.collect();
    objects.dedup();
    assert_eq!(objects, ["Service/web"]);
}

#[test]
fn what_is_too_large_to_be_remembered_is_applied_by_the_server() {
    let large = format!(
        "{APPLICATION}binaryData: {{a: {}}}\n",
        "AAAA".repeat(70_000)
    );
    let text = format!("{NAMESPACE}{large}");
    let mut experiment = Experiment::new(Seed(1));
    experiment.files.push(("a.yaml".to_owned(), text.into()));
    let client_side = open(&experiment).expect("it opens").deploy();
    expect![[r#"
        a.yaml:5: The ConfigMap "settings" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes
    "#]].assert_eq(&client_side.stderr);
    experiment.server_side = true;
    let mut opened = open(&experiment).expect("it opens");
    assert_eq!(
        opened.deploy_lines(),
        ["kubectl apply --server-side -f 'a.yaml'"]
    );
    assert_eq!(opened.deploy(), Output::default());
    let shown = opened.session.run(
        "kubectl get configmap settings -n shop -o jsonpath={.metadata.managedFields[*].manager}",
    );
    assert_eq!(shown.stdout, "kubectl");
}

#[test]
fn each_line_deploys_what_it_says() {
    let stack = "services: {web: {image: 'nginx:1.27', deploy: {replicas: 2}}}\n";
    let mut opened = opened(&[
        ("it's.yaml", NAMESPACE),
        ("stack.yml", stack),
        ("compose.yaml", stack),
    ]);
    expect![[r#"
        [
            "kubectl apply -f 'it'\\''s.yaml'",
            "docker stack deploy -c 'stack.yml' app",
            "docker compose -p app -f 'compose.yaml' up -d",
        ]
    "#]]
    .assert_debug_eq(&opened.deploy_lines());
    let mut by_hand = opened.session.clone();
    by_hand.wait = false;
    for line in opened.deploy_lines() {
        let output = by_hand.run(&line);
        assert_eq!(output.code, 0, "{line}: {}", &*output.stderr);
    }
    assert_eq!(opened.deploy(), Output::default());
    for session in [&mut by_hand, &mut opened.session] {
        session
            .history
            .advance_to(SimTime::ZERO + SimDuration::from_secs(60));
    }
    for orchestrator in Orchestrator::ALL {
        let hash = |session: &Session| {
            let world = session.world(orchestrator).expect("all three run");
            (world.events(), world.fingerprint().hex())
        };
        assert!(hash(&by_hand).0 > 0);
        assert_eq!(hash(&by_hand), hash(&opened.session));
    }
}
