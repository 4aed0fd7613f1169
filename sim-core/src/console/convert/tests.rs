//! Drafts as people read them.

use std::sync::Arc;

use expect_test::{Expect, expect};

use super::{Target, convert};

fn check(name: &str, text: &str, target: Target, expected: &Expect) {
    let draft = convert(target, &[(name.to_owned(), Arc::from(text))]).expect("an input");
    let mut seen = draft.text;
    for (_, problem) in &draft.problems {
        seen.push_str(&format!("{}\n", problem.message));
    }
    for lost in &draft.lost {
        seen.push_str(&format!(
            "{}:{}: {}: {}\n",
            lost.file, lost.line, lost.what, lost.why
        ));
    }
    expected.assert_eq(&seen);
}

const COMPOSE: &str = "\
services:
  web:
    image: nginx:1.27
    ports: ['8080:80']
    restart: \"no\"
    privileged: true
    volumes: [data:/d, ./conf:/conf:ro]
    depends_on: {migrate: {condition: service_completed_successfully}}
    deploy: {replicas: 2, resources: {limits: {cpus: '0.5', memory: 64M}}, placement: {constraints: [node.role==worker]}}
    healthcheck: {test: curl -f localhost, interval: 5s}
  migrate:
    image: alpine
    command: sleep 1
volumes: {data: {}}
";

#[test]
fn compose_to_kubernetes() {
    check(
        "compose.yaml",
        COMPOSE,
        Target::Kubernetes,
        &expect![[r#"
            apiVersion: batch/v1
            kind: Job
            metadata:
              labels:
                app: migrate
              name: migrate
            spec:
              template:
                metadata:
                  labels:
                    app: migrate
                spec:
                  containers:
                  - args:
                    - sleep
                    - "1"
                    image: alpine
                    name: migrate
                  restartPolicy: OnFailure
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              labels:
                app: web
              name: web
            spec:
              replicas: 2
              selector:
                matchLabels:
                  app: web
              template:
                metadata:
                  labels:
                    app: web
                spec:
                  containers:
                  - image: nginx:1.27
                    name: web
                    ports:
                    - containerPort: 80
                    readinessProbe:
                      exec:
                        command:
                        - /bin/sh
                        - -c
                        - curl -f localhost
                      failureThreshold: 3
                      periodSeconds: 5
                      timeoutSeconds: 30
                    resources:
                      limits:
                        cpu: 500m
                        memory: 64Mi
                    volumeMounts:
                    - mountPath: /d
                      name: data
                  volumes:
                  - name: data
                    persistentVolumeClaim:
                      claimName: data
            ---
            apiVersion: v1
            kind: Service
            metadata:
              name: web
            spec:
              ports:
              - name: tcp-8080
                port: 8080
                targetPort: 80
              - name: tcp-80
                port: 80
                targetPort: 80
              selector:
                app: web
            ---
            apiVersion: v1
            kind: PersistentVolumeClaim
            metadata:
              name: data
            spec:
              accessModes:
              - ReadWriteOnce
              resources:
                requests:
                  storage: 100Mi
            compose.yaml:5: service web restart: a Deployment's pods are always started again
            compose.yaml:6: service web privileged: it has no counterpart in the draft
            compose.yaml:7: service web bind mount: the files are not on the other machines; put them into the image, a config or a volume
            compose.yaml:8: service web depends_on: Kubernetes starts everything at once: let the program try again, or wait in an init container
            compose.yaml:9: service web deploy.placement: write nodeSelector, affinity or topologySpreadConstraints by hand
            compose.yaml:11: service migrate: no Service is drafted, because it names no port: others cannot find it by name until it has `expose`
        "#]],
    );
}

#[test]
fn compose_to_a_stack() {
    check(
        "compose.yaml",
        COMPOSE,
        Target::Stack,
        &expect![[r#"
            services:
              migrate:
                image: alpine
                command:
                  - sleep
                  - "1"
                deploy:
                  mode: replicated-job
                  restart_policy:
                    condition: on-failure
              web:
                image: nginx:1.27
                ports:
                  - 8080:80
                volumes:
                  - data:/d
                healthcheck:
                  test:
                    - CMD-SHELL
                    - curl -f localhost
                  interval: 5s
                  timeout: 30s
                  retries: 3
                deploy:
                  replicas: 2
                  resources:
                    limits:
                      cpus: "0.5"
                      memory: 64M
                  placement:
                    constraints:
                      - node.role==worker
            volumes:
              data: {}
            compose.yaml:6: service web privileged: docker stack deploy ignores it
            compose.yaml:7: service web bind mount: the files are not on the other machines; put them into the image, a config or a volume
            compose.yaml:8: service web depends_on: docker stack deploy accepts it and ignores it
        "#]],
    );
}

const KUBERNETES: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {COLOUR: blue}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {disk: ssd}
      containers:
      - name: web
        image: nginx:1.27
        envFrom: [{configMapRef: {name: settings}}]
        env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: s, key: k}}}]
        ports: [{containerPort: 80}]
        resources: {limits: {cpu: 500m, memory: 64Mi}}
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 5}
      - name: sidecar
        image: busybox
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 8080, targetPort: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: edge}
spec: {}
";

#[test]
fn kubernetes_to_compose() {
    check(
        "app.yaml",
        KUBERNETES,
        Target::Compose,
        &expect![[r#"
        services:
          web:
            image: nginx:1.27
            environment:
              COLOUR: blue
            ports:
              - 8080:80
            networks:
              default:
                aliases:
                  - front
            healthcheck:
              test:
                - CMD-SHELL
                - wget -q -O /dev/null http://localhost:80/
              interval: 5s
              timeout: 1s
              retries: 3
            restart: always
            deploy:
              resources:
                limits:
                  cpus: "0.5"
                  memory: 64M
        app.yaml:15: Deployment/web nodeSelector: pods have it, services do not
        app.yaml:20: Deployment/web env PASSWORD: its value is outside the files
        app.yaml:24: Deployment/web container sidecar: a service has one container; make it a service of its own
        app.yaml:27: web replicas: 1 instead: on one machine only one container can have the published port
        app.yaml:32: Ingress/edge: there is no counterpart of this kind
    "#]],
    );
}

#[test]
fn there_has_to_be_something_else() {
    let files = [("compose.yaml".to_owned(), Arc::from(COMPOSE))];
    let refusal = convert(Target::Compose, &files).expect_err("the same kind");
    assert_eq!(
        refusal,
        "nothing to draft a Compose file from: give a stack file or Kubernetes file"
    );
}
