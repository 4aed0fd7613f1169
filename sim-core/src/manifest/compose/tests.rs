//! Projects and stacks, good and broken, as a person sees what is said about them.

use std::sync::Arc;

use expect_test::{Expect, expect};

use super::loaded::{Loaded, Variables};
use super::project::{Setting, load_compose};
use super::stack::load_stack;
use crate::api::compose::project::Project;
use crate::manifest::diagnostic::render_all;
use crate::manifest::lines::Source;

fn load(files: &[(&str, &str)], others: &[(&str, &str)]) -> Loaded<Project> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(name, text)| Source::new(name, text))
        .collect();
    let others = |path: &str| {
        others
            .iter()
            .find(|(name, _)| *name == path)
            .map(|(_, text)| Arc::from(*text))
    };
    let environment: Variables = [("TAG".into(), "1.2".into())].into();
    load_compose(
        &sources,
        Setting {
            environment: &environment,
            project_name: None,
            folder: "Demo App",
            profiles: &[],
            named: &[],
            all_resources: false,
            env_files: &[],
            others: &others,
        },
    )
}

fn check(files: &[(&str, &str)], others: &[(&str, &str)], expected: &Expect) {
    let loaded = load(files, others);
    let mut seen = render_all(&loaded.problems, &loaded.sources);
    if let Some(project) = &loaded.model {
        seen.push_str(&format!("project {}\n", project.name));
        for service in project.services.values() {
            let ports: Vec<String> = service
                .ports
                .iter()
                .map(|port| {
                    format!(
                        "{:?}:{}",
                        port.published.map(|range| range.first),
                        port.target
                    )
                })
                .collect();
            seen.push_str(&format!(
                "{}: {} {:?} ports {} env {:?} needs {:?} mounts {:?}\n",
                service.name,
                service.image,
                service.command,
                ports.join(" "),
                service.environment,
                service.depends_on.keys().collect::<Vec<_>>(),
                service
                    .mounts
                    .iter()
                    .map(|mount| (&*mount.source, &*mount.target))
                    .collect::<Vec<_>>(),
            ));
        }
        seen.push_str(&format!(
            "networks {:?}\n",
            project.networks.keys().collect::<Vec<_>>()
        ));
    }
    let paths: Vec<&str> = loaded
        .not_modelled
        .iter()
        .map(|(path, _)| &**path)
        .collect();
    seen.push_str(&format!("not modelled: {}\n", paths.join(" ")));
    expected.assert_eq(&seen);
}

#[test]
fn files_extends_includes_and_variables_become_one_project() {
    check(
        &[
            (
                "compose.yaml",
                "\
include: [parts/db.yaml]
x-common: &common {restart: always, environment: {A: '1'}}
services:
  web:
    <<: *common
    image: nginx:${TAG:-latest}
    command: serve --name 'my web'
    ports: ['8080:80', 9090]
    depends_on: [db]
    logging: {driver: none}
  worker:
    extends: {file: parts/base.yaml, service: base}
    image: worker:${NOPE:-x}
    labels: [a=$NOPE]
    networks: [back]
  extra: {image: x, profiles: [debug]}
networks: {back: }
",
            ),
            (
                "compose.override.yaml",
                "\
services:
  web:
    ports: !override ['80:80']
    environment: [B=2, TAG]
    command: !reset null
  worker: {environment: {C: null}}
",
            ),
        ],
        &[
            (
                "parts/db.yaml",
                "services:\n  db: {image: postgres, volumes: ['data:/d', './x:/y:ro']}\nvolumes: {data: }\n",
            ),
            (
                "parts/base.yaml",
                "services:\n  base: {image: base, env_file: base.env, entrypoint: [run]}\n",
            ),
            (
                "parts/base.env",
                "# comment\nLEVEL=\"debug ${TAG}\"\nexport PLAIN=x # y\n",
            ),
        ],
        &expect![[r#"
            compose.yaml:14:14: warning CMP010: The "NOPE" variable is not set. Defaulting to a blank string.
              14 |     labels: [a=$NOPE]
                 |              ^^^^^^^
            project demoapp
            db: postgres None ports  env {} needs [] mounts [("demoapp_data", "/d"), ("./parts/x", "/y")]
            web: nginx:1.2 None ports Some(80):80 env {"A": "1", "B": "2", "TAG": "1.2"} needs ["db"] mounts []
            worker: worker:x None ports  env {"LEVEL": "debug 1.2", "PLAIN": "x"} needs [] mounts []
            networks ["back", "default"]
            not modelled: services.web.logging
        "#]],
    );
}

#[test]
fn what_is_wrong_is_told_where_it_is() {
    check(
        &[(
            "compose.yaml",
            "\
version: '3'
services:
  a:
    image: Bad/Image
    depends_on: [b]
    ports: ['80:80']
  b:
    image: b
    depends_on:
      c: {condition: service_healty}
    ports: ['80:8080', '99999:1', '80/xyz']
    networks: [frnt]
  c:
    image: c
    depends_on: {a: {}}
    healthcheck: {test: [curl, x], interval: 5}
    volumes: ['data:/d', '/e']
    restart: sometimes
  d: {}
  e:
    image: ${X:?set it}
    ports: 80
    network_mode: host
    networks: [front]
    depends_on: [f, e]
    stop_grace_period: 5x
    extends: {service: nobody}
    scale: 2
    deploy: {replicas: 3, resources: {limits: {memory: 5Q}}}
    environment: {A: '${B'}
networks: {front: {}}
",
        )],
        &[],
        &expect![[r#"
            compose.yaml:1:10: warning CMP013: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion
              1 | version: '3'
                |          ^^^
            compose.yaml:4:12: error CMP005: invalid reference format: "Bad/Image"
              4 |     image: Bad/Image
                |            ^^^^^^^^^
              help: repository names are lower case: bad/image
            compose.yaml:10:22: error CMP003: services.b.depends_on.c.condition value must be one of 'service_started', 'service_healthy', 'service_completed_successfully'
              10 |       c: {condition: service_healty}
                 |                      ^^^^^^^^^^^^^^
              help: did you mean "service_healthy"?
            compose.yaml:11:13: warning CMP008: Bind for 0.0.0.0:80 failed: port is already allocated
              11 |     ports: ['80:8080', '99999:1', '80/xyz']
                 |             ^^^^^^^^^
              help: service "a" publishes this port too; choose another host port
            compose.yaml:11:24: error CMP005: services.b.ports[1]: Invalid hostPort: 99999
              11 |     ports: ['80:8080', '99999:1', '80/xyz']
                 |                        ^^^^^^^^^
              help: write for example "8080:80": host port, then container port
            compose.yaml:11:35: error CMP005: services.b.ports[2]: Invalid proto: xyz
              11 |     ports: ['80:8080', '99999:1', '80/xyz']
                 |                                   ^^^^^^^^
              help: write for example "8080:80": host port, then container port
            compose.yaml:12:16: error CMP007: service "b" refers to undefined network frnt: invalid compose project
              12 |     networks: [frnt]
                 |                ^^^^
              help: did you mean "front"?
            compose.yaml:15:18: error CMP006: dependency cycle detected: a -> b -> c -> a
              15 |     depends_on: {a: {}}
                 |                  ^
              help: remove this dependency of "c" on "a", or another link of the circle
            compose.yaml:15:21: error CMP004: services.c.depends_on.a missing property 'condition'
              15 |     depends_on: {a: {}}
                 |                     ^
            compose.yaml:16:19: error CMP005: healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"
              16 |     healthcheck: {test: [curl, x], interval: 5}
                 |                   ^^^^
            compose.yaml:16:46: error CMP002: services.c.healthcheck.interval must be a string
              16 |     healthcheck: {test: [curl, x], interval: 5}
                 |                                              ^
            compose.yaml:17:15: error CMP007: service "c" refers to undefined volume data: invalid compose project
              17 |     volumes: ['data:/d', '/e']
                 |               ^^^^^^^^^
              help: declare it at the top level: volumes: {data: }
            compose.yaml:18:14: error CMP005: services.c.restart: invalid restart policy 'sometimes'
              18 |     restart: sometimes
                 |              ^^^^^^^^^
              help: write one of "no", always, unless-stopped, on-failure[:n]
            compose.yaml:19:3: error CMP015: service "d" has neither an image nor a build context specified: invalid compose project
              19 |   d: {}
                 |   ^
              help: add image: or build:
            compose.yaml:21:12: error CMP011: error while interpolating services.e.image: required variable X is missing a value: set it
              21 |     image: ${X:?set it}
                 |            ^^^^^^^^^^^^
              help: set X in the environment or in .env
            compose.yaml:22:12: error CMP002: services.e.ports must be a array
              22 |     ports: 80
                 |            ^^
            compose.yaml:23:19: error CMP014: service e declares mutually exclusive `network_mode` and `networks`: invalid compose project
              23 |     network_mode: host
                 |                   ^^^^
              help: remove one of the two
            compose.yaml:25:18: error CMP007: service "e" depends on undefined service "f": invalid compose project
              25 |     depends_on: [f, e]
                 |                  ^
              help: did you mean "a"?
            compose.yaml:25:21: error CMP006: dependency cycle detected: e -> e
              25 |     depends_on: [f, e]
                 |                     ^
              help: remove this dependency of "e" on "e", or another link of the circle
            compose.yaml:26:24: error CMP005: services.e.stop_grace_period: unknown unit "x" in duration "5x"
              26 |     stop_grace_period: 5x
                 |                        ^^
              help: write for example 30s, 1m30s
            compose.yaml:27:14: error CMP012: cannot extend service "e" in compose.yaml: service "nobody" not found
              27 |     extends: {service: nobody}
                 |              ^^^^^^^^^^^^^^^^^
            compose.yaml:28:12: error CMP014: services.e: can't set distinct values on 'scale' and 'deploy.replicas': invalid compose project
              28 |     scale: 2
                 |            ^
            compose.yaml:29:56: error CMP005: services.e.deploy.resources.limits.memory: invalid size: '5Q'
              29 |     deploy: {replicas: 3, resources: {limits: {memory: 5Q}}}
                 |                                                        ^^
              help: write for example 512m, 1g
            compose.yaml:30:22: error CMP009: invalid interpolation format for services.e.environment.A.
            You may need to escape any $ with another $.
            ${B
              30 |     environment: {A: '${B'}
                 |                      ^^^^^
              help: write $$ for a dollar, or a name: ${NAME}
            not modelled: 
        "#]],
    );
}

fn check_stack(text: &str, expected: &Expect) {
    let source = Source::new("stack.yml", text);
    let loaded = load_stack(&source, "demo", &Variables::new(), &|_| None);
    let mut seen = render_all(&loaded.problems, &loaded.sources);
    if let Some(stack) = &loaded.model {
        for service in &stack.services {
            seen.push_str(&format!(
                "{} {:?} {:?} {:?} {:?} networks {:?}\n",
                service.name,
                service.mode,
                service.task.restart_policy.condition,
                service
                    .ports
                    .iter()
                    .map(|port| (port.published, port.target, port.mode))
                    .collect::<Vec<_>>(),
                service
                    .task
                    .container
                    .mounts
                    .iter()
                    .map(|mount| &*mount.source)
                    .collect::<Vec<_>>(),
                service.task.networks,
            ));
        }
        let networks: Vec<&str> = stack
            .networks
            .iter()
            .map(|network| &*network.name)
            .collect();
        seen.push_str(&format!("networks {networks:?}\n"));
    }
    let paths: Vec<&str> = loaded
        .not_modelled
        .iter()
        .map(|(path, _)| &**path)
        .collect();
    seen.push_str(&format!("not modelled: {}\n", paths.join(" ")));
    expected.assert_eq(&seen);
}

#[test]
fn a_stack_gets_its_names_and_defaults() {
    check_stack(
        "\
version: '3.9'
services:
  web:
    image: nginx
    ports: ['8080:80', {target: 81, published: 8081, mode: host}]
    networks: [front]
    volumes: ['data:/d']
    restart: on-failure:3
    container_name: x
    depends_on: [db]
    deploy: {replicas: 2, placement: {constraints: ['node.role==worker']}, update_config: {max_failure_ratio: 0.25}}
  db: {image: postgres, deploy: {mode: global}, dns: 1.1.1.1}
networks: {front: , unused: }
volumes: {data: }
",
        &expect![[r#"
            stack.yml:8:5: warning STK005: Ignoring unsupported options: restart
              8 |     restart: on-failure:3
                |     ^^^^^^^
            stack.yml:9:5: warning STK006: Ignoring deprecated options: container_name: Setting the container name is not supported.
              9 |     container_name: x
                |     ^^^^^^^^^^^^^^
            demo_db Global Any [] [] networks ["demo_default"]
            demo_web Replicated { replicas: 2 } OnFailure [(8080, 80, Ingress), (8081, 81, Host)] ["demo_data"] networks ["demo_front"]
            networks ["demo_default", "demo_front"]
            not modelled: services.web.container_name services.web.depends_on
        "#]],
    );
}

#[test]
fn a_stack_is_refused_with_reasons() {
    check_stack(
        "\
services:
  web:
    image: nginx
    ports: ['8080:80']
    mem_limit: 1g
    networks: [frnt]
    deploy: {mode: globl, resources: {limits: {memory: 1m, cpus: '0.0001'}}, restart_policy: {delay: 5}}
  api:
    ports: ['8080:90', '8080:91']
    secrets: [key]
    deploy: {mode: global, replicas: 2, update_config: {max_failure_ratio: 2}}
networks: {front: }
",
        &expect![[r#"
            stack.yml:5:5: error STK007: compose file contains unsupported options: mem_limit
              5 |     mem_limit: 1g
                |     ^^^^^^^^^
              help: Set resource limits using deploy.resources
            stack.yml:6:16: error STK009: undefined network "frnt"
              6 |     networks: [frnt]
                |                ^^^^
              help: did you mean "front"?
            stack.yml:7:20: error STK003: services.web.deploy.mode: unknown value "globl"
              7 |     deploy: {mode: globl, resources: {limits: {memory: 1m, cpus: '0.0001'}}, restart_policy: {delay: 5}}
                |                    ^^^^^
              help: did you mean "global"?
            stack.yml:7:56: error STK008: invalid memory value 1048576: Must be at least 4MiB
              7 |     deploy: {mode: globl, resources: {limits: {memory: 1m, cpus: '0.0001'}}, restart_policy: {delay: 5}}
                |                                                        ^^
            stack.yml:7:66: error STK008: invalid cpu value 0.0001: Must be at least 0.001
              7 |     deploy: {mode: globl, resources: {limits: {memory: 1m, cpus: '0.0001'}}, restart_policy: {delay: 5}}
                |                                                                  ^^^^^^^^
            stack.yml:7:102: error STK002: services.web.deploy.restart_policy.delay must be a string
              7 | …obl, resources: {limits: {memory: 1m, cpus: '0.0001'}}, restart_policy: {delay: 5}}
                |                                                                                  ^
            stack.yml:8:3: error STK008: ContainerSpec: image reference must be provided
              8 |   api:
                |   ^^^
              help: add image: to service "api"; a stack does not build
            stack.yml:9:13: error STK008: port '8080' is already in use by service 'demo_web' as an ingress port
              9 |     ports: ['8080:90', '8080:91']
                |             ^^^^^^^^^
              help: publish another port
            stack.yml:9:24: error STK008: EndpointSpec: duplicate published ports provided
              9 |     ports: ['8080:90', '8080:91']
                |                        ^^^^^^^^^
              help: port 8080 is published twice by this service
            stack.yml:9:24: error STK008: port '8080' is already in use by service 'demo_web' as an ingress port
              9 |     ports: ['8080:90', '8080:91']
                |                        ^^^^^^^^^
              help: publish another port
            stack.yml:10:15: error STK009: undefined secret "key"
              10 |     secrets: [key]
                 |               ^^^
              help: declare it at the top level: secrets: {key: }
            stack.yml:11:38: error STK008: replicas can only be used with replicated or replicated-job mode
              11 |     deploy: {mode: global, replicas: 2, update_config: {max_failure_ratio: 2}}
                 |                                      ^
            stack.yml:11:76: error STK008: update-maxfailureratio cannot be less than 0 or bigger than 1
              11 |     deploy: {mode: global, replicas: 2, update_config: {max_failure_ratio: 2}}
                 |                                                                            ^
            not modelled: 
        "#]],
    );
}

/// A good file with a slice replaced: close to what people type on the way to a good file.
#[test]
fn no_text_makes_a_decoder_panic() {
    const GOOD: &str = "\
name: demo
x-a: &a {restart: on-failure:3, environment: [A=1, B]}
services:
  web: {<<: *a, image: 'nginx:${TAG:-1}', ports: ['8080-8081:80-81', {target: 80, published: '90'}], depends_on: {db: {condition: service_healthy}}}
  db: {image: pg, volumes: ['data:/d:ro'], healthcheck: {test: [CMD, x], interval: 1m5s}, deploy: {resources: {limits: {memory: 1.5g, cpus: 0.5}}, update_config: {max_failure_ratio: 0.1}}, networks: {n: {aliases: [x]}}}
  api: {extends: {service: db}, networks: !reset [n], env_file: [{path: x, required: false}]}
networks: {n: {external: true}}
volumes: {data: {name: d}}
";
    const KUBE: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, labels: {a.b/c: d}}
spec: {replicas: 1, selector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [b]}]}, strategy: {rollingUpdate: {maxSurge: 30%, maxUnavailable: 0}}, template: {metadata: {labels: {a: b}}, spec: {tolerations: [{operator: Exists, tolerationSeconds: 3, effect: NoExecute}], containers: [{name: a, image: a, ports: [{containerPort: 1}], resources: {limits: {cpu: 1, x/y: 2}}, livenessProbe: {exec: {command: [a]}}}]}}}
---
{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIP: None, ports: [{port: 1, targetPort: a}]}}
";
    const PIECES: [&str; 16] = [
        "",
        " ",
        "\n",
        "null",
        "-1",
        "{",
        "}",
        "[]",
        "'",
        "$",
        "${",
        ": ",
        "- ",
        "99999999999999999999",
        "&a",
        "*a",
    ];
    arbtest::arbtest(|input| {
        let good: &str = if input.arbitrary()? { GOOD } else { KUBE };
        let start = input.int_in_range(0..=good.len())?;
        let end = (start + input.int_in_range(0..=12)?).min(good.len());
        let text = format!(
            "{}{}{}",
            &good[..start],
            input.choose(&PIECES)?,
            &good[end..]
        );
        load(
            &[("compose.yaml", &text), ("over.yaml", GOOD)],
            &[("x", "A=${B")],
        );
        load_stack(
            &Source::new("stack.yml", &text),
            "s",
            &Variables::new(),
            &|_| None,
        );
        let (objects, _) =
            crate::manifest::decode::kube::decode_kube(&Source::new("a.yaml", &text));
        for mut object in objects {
            crate::manifest::decode::kube::defaults::apply_defaults(
                &object.kind,
                &mut object.document,
            );
            let (again, problems) = crate::manifest::decode::kube::decode_value(&object.document);
            let problems: Vec<_> = problems
                .iter()
                .filter(|problem| problem.is_error())
                .collect();
            assert!(
                again.is_some_and(|again| again.spec == object.spec),
                "defaults change nothing: {problems:?}"
            );
        }
        Ok(())
    });
}
