//! Lines in sessions with one world, and what they print.

use expect_test::{Expect, expect};

use crate::api::node::NodeSetup;
use crate::base::rng::Seed;
use crate::console::{Output, Session, lab};
use crate::engine::command::{Command, MachineSpec, Orchestrator};
use crate::engine::history::History;
use crate::engine::lab::Input;

/// A session with one world and machines `node-1` …; in a swarm `manager-1` comes first.
fn session(orchestrator: Orchestrator, machines: u32) -> Session {
    let mut session = Session::new(History::new(lab(&[orchestrator], Seed(1))));
    let mut names: Vec<(String, bool)> = (1..=machines)
        .map(|number| (format!("node-{number}"), false))
        .collect();
    if orchestrator == Orchestrator::Swarm {
        names.insert(0, ("manager-1".to_owned(), true));
    }
    for (name, control) in names {
        let spec = MachineSpec {
            name: name.into(),
            milli_cpu: 4_000,
            memory_bytes: 8 << 30,
            zone: "".into(),
            extended: Vec::new(),
            profile: Default::default(),
            subnet: None,
            setup: NodeSetup {
                control,
                labels: Vec::new(),
                taints: Vec::new(),
                ..NodeSetup::default()
            },
        };
        session.history.input(Input {
            only: None,
            command: Command::AddMachine(Box::new(spec)),
        });
    }
    session
}

fn file(session: &mut Session, name: &str, text: &str) {
    session.files.insert(name.to_owned(), text.into());
}

/// Runs lines and shows each with all that came of it.
fn check(session: &mut Session, lines: &[&str], expected: Expect) {
    let mut shown = String::new();
    for line in lines {
        let Output {
            stdout,
            stderr,
            code,
        } = session.run(line);
        shown.push_str(&format!("$ {line}\n{}{}", &*stdout, &*stderr));
        if code != 0 {
            shown.push_str(&format!("[{code}]\n"));
        }
    }
    expected.assert_eq(&shown);
}

const STACK: &str = "services:\n  web:\n    image: nginx:1.27\n    ports: [\"8080:80\"]\n    deploy: {replicas: 3}\n  agent:\n    image: redis:7\n    deploy: {mode: global}\n";

#[test]
fn a_stack_is_deployed_and_looked_at() {
    let mut session = session(Orchestrator::Swarm, 2);
    file(&mut session, "stack.yml", STACK);
    check(
        &mut session,
        &[
            "docker stack deploy -c stack.yml shop",
            "sim advance 30s",
            "docker stack ls",
            "docker service ls",
            "docker stack ps shop",
            "docker node ls",
            "docker stack rm shop",
            "docker stack rm shop",
            "docker stack ps shop",
        ],
        expect![[r#"
            $ docker stack deploy -c stack.yml shop
            Creating network shop_default
            Creating service shop_agent
            Creating service shop_web
            Since --detach=false was not specified, tasks will be created in the background.
            In a future release, --detach=false will become the default.
            $ sim advance 30s
            $ docker stack ls
            NAME      SERVICES
            shop      2
            $ docker service ls
            ID             NAME         MODE         REPLICAS   IMAGE        PORTS
            7a5xcdrv2rjr   shop_agent   global       2/2        redis:7      
            whi2dbv7rp5p   shop_web     replicated   3/3        nginx:1.27   *:8080->80/tcp
            $ docker stack ps shop
            ID             NAME                                   IMAGE        NODE      DESIRED STATE   CURRENT STATE            ERROR     PORTS
            453cj6ueiy1m   shop_agent.1k8vbp9w3wnhhbhcxeauc2qas   redis:7      node-2    Running         Running 27 seconds ago             
            nlyv4tiq7rg0   shop_agent.yx0yb65jbkhpru1ybdezhp0r1   redis:7      node-1    Running         Running 27 seconds ago             
            jzj9mrb3u1jp   shop_web.1                             nginx:1.27   node-1    Running         Running 25 seconds ago             
            7w12ig39tvxt   shop_web.2                             nginx:1.27   node-2    Running         Running 25 seconds ago             
            r7uyjul6lbi1   shop_web.3                             nginx:1.27   node-1    Running         Running 25 seconds ago             
            $ docker node ls
            ID                            HOSTNAME    STATUS    AVAILABILITY   MANAGER STATUS   ENGINE VERSION
            bckh25v86y9wl984mi9yngnrh *   manager-1   Ready     Drain          Leader           29.7.2
            yx0yb65jbkhpru1ybdezhp0r1     node-1      Ready     Active                          29.7.2
            1k8vbp9w3wnhhbhcxeauc2qas     node-2      Ready     Active                          29.7.2
            $ docker stack rm shop
            Removing service shop_agent
            Removing service shop_web
            Removing network shop_default
            $ docker stack rm shop
            Nothing found in stack: shop
            $ docker stack ps shop
            nothing found in stack: shop
            [1]
        "#]],
    );
}

#[test]
fn a_service_is_created_scaled_updated_and_rolled_back() {
    let mut session = session(Orchestrator::Swarm, 2);
    check(
        &mut session,
        &[
            "docker service create --name web --replicas 2 nginx:1.27",
            "docker service scale web=3",
            "docker service update --image nginx:1.26 --env-add A=1 web",
            "docker service ls --format '{{.Name}} {{.Replicas}} {{.Image}}'",
            "docker service rollback web",
            "docker service ps web --filter desired-state=running --format '{{.Name}} {{.Image}}'",
            "sim fault image-missing nosuch/image:1",
            "docker service update --image nosuch/image:1 web",
            "docker service inspect web --format '{{.UpdateStatus.State}}'",
            "docker service inspect --pretty web",
            "docker service rm web nosuch",
        ],
        expect![[r#"
            $ docker service create --name web --replicas 2 nginx:1.27
            0xw8hs4gz2zxfcvcchn7g85rz
            overall progress: 2 out of 2 tasks
            1/2: running   [==================================================>]
            2/2: running   [==================================================>]
            verify: Service 0xw8hs4gz2zxfcvcchn7g85rz converged
            $ docker service scale web=3
            web scaled to 3
            overall progress: 3 out of 3 tasks
            1/3: running   [==================================================>]
            2/3: running   [==================================================>]
            3/3: running   [==================================================>]
            verify: Service 0xw8hs4gz2zxfcvcchn7g85rz converged
            $ docker service update --image nginx:1.26 --env-add A=1 web
            web
            overall progress: 3 out of 3 tasks
            1/3: running   [==================================================>]
            2/3: running   [==================================================>]
            3/3: running   [==================================================>]
            verify: Service 0xw8hs4gz2zxfcvcchn7g85rz converged
            $ docker service ls --format '{{.Name}} {{.Replicas}} {{.Image}}'
            web 3/3 nginx:1.26
            $ docker service rollback web
            web
            rollback: manually requested rollback
            overall progress: rolling back update: 3 out of 3 tasks
            1/3: running   [==================================================>]
            2/3: running   [==================================================>]
            3/3: running   [==================================================>]
            verify: Service 0xw8hs4gz2zxfcvcchn7g85rz converged
            $ docker service ps web --filter desired-state=running --format '{{.Name}} {{.Image}}'
            web.1 nginx:1.27
            web.2 nginx:1.27
            web.3 nginx:1.27
            $ sim fault image-missing nosuch/image:1
            fault 0
            $ docker service update --image nosuch/image:1 web
            web
            overall progress: 0 out of 3 tasks
            1/3: preparing [=================================>                 ]
            2/3:  
            3/3:  
            image nosuch/image:1 could not be accessed on a registry to record
            its digest. Each node will access nosuch/image:1 independently,
            possibly leading to different nodes running different
            versions of the image.

            service update paused: update paused due to failure or early termination of task u5jiw3yxeg4o1zi8b4zor5xmz
            [1]
            $ docker service inspect web --format '{{.UpdateStatus.State}}'
            paused
            $ docker service inspect --pretty web

            ID:		0xw8hs4gz2zxfcvcchn7g85rz
            Name:		web
            Service Mode:	Replicated
             Replicas:	3
            UpdateStatus:
             State:		paused
             Started:	Less than a second ago
             Message:	update paused due to failure or early termination of task u5jiw3yxeg4o1zi8b4zor5xmz
            Placement:
            UpdateConfig:
             Parallelism:	1
             On failure:	pause
             Monitoring Period: 5s
             Max failure ratio: 0
             Update order:      stop-first
            RollbackConfig:
             Parallelism:	1
             On failure:	pause
             Monitoring Period: 5s
             Max failure ratio: 0
             Rollback order:    stop-first
            ContainerSpec:
             Image:		nosuch/image:1
            Resources:
            Endpoint Mode:	vip

            $ docker service rm web nosuch
            web
            Error response from daemon: service nosuch not found
            [1]
        "#]],
    );
}

#[test]
fn mistakes_are_answered_as_by_the_real_tool() {
    let mut session = session(Orchestrator::Swarm, 1);
    check(
        &mut session,
        &[
            "docker frob",
            "docker service frob",
            "docker service ls --frob",
            "docker service ps",
            "docker service ps nosuch",
            "docker service inspect nosuch",
            "docker service scale web",
            "docker service create --name a --isolation process nginx:1.27",
            "docker service create --name a --mode global --replicas 2 nginx:1.27",
            "docker service create --name bad --publish x:80 nginx:1.27",
            "docker swarm init",
            "docker swarm leave",
            "docker node demote manager-1",
            "docker node rm node-1",
            "docker run nginx",
            "docker compose ps",
        ],
        expect![[r#"
            $ docker frob
            docker: unknown command: docker frob

            Run 'docker --help' for more information
            [1]
            $ docker service frob
            docker: unknown command: docker service frob

            Usage:  docker service COMMAND

            Run 'docker service --help' for more information
            [1]
            $ docker service ls --frob
            unknown flag: --frob

            Usage:  docker service ls [OPTIONS]

            Run 'docker service ls --help' for more information
            [125]
            $ docker service ps
            docker: 'docker service ps' requires at least 1 argument

            Usage:  docker service ps [OPTIONS] SERVICE [SERVICE...]

            See 'docker service ps --help' for more information
            [1]
            $ docker service ps nosuch
            no such service: nosuch
            [1]
            $ docker service inspect nosuch
            []
            Error response from daemon: service nosuch not found
            [1]
            $ docker service scale web
            invalid scale specifier 'web'.
            See 'docker service scale --help'.

            Usage:  docker service scale SERVICE=REPLICAS [SERVICE=REPLICAS...]

            Scale one or multiple replicated services
            [1]
            $ docker service create --name a --isolation process nginx:1.27
            docker service create --isolation is not modelled
            [1]
            $ docker service create --name a --mode global --replicas 2 nginx:1.27
            replicas can only be used with replicated or replicated-job mode
            [1]
            $ docker service create --name bad --publish x:80 nginx:1.27
            invalid argument "x:80" for "-p, --publish" flag: invalid hostPort: x
            [125]
            $ docker swarm init
            Error response from daemon: This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.
            [1]
            $ docker swarm leave
            Error response from daemon: You are attempting to leave the swarm on a node that is participating as a manager. Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. 
            [1]
            $ docker node demote manager-1
            Error response from daemon: rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm
            [1]
            $ docker node rm node-1
            Error response from daemon: rpc error: code = FailedPrecondition desc = node yx0yb65jbkhpru1ybdezhp0r1 is not down and can't be removed
            [1]
            $ docker run nginx
            docker run is modelled on the Compose world's host; this session runs none
            [125]
            $ docker compose ps
            this session runs no compose world; start it with --orchestrator compose
            [1]
        "#]],
    );
}

#[test]
fn nodes_are_drained_and_services_follow() {
    let mut session = session(Orchestrator::Swarm, 2);
    check(
        &mut session,
        &[
            "docker service create --name web --replicas 2 --quiet nginx:1.27",
            "docker node update --availability drain node-1",
            "sim advance 20s",
            "docker node ls --format '{{.Hostname}} {{.Availability}}'",
            "docker service ps web --format '{{.Name}} {{.Node}} {{.CurrentState}}'",
            "docker node update --label-add zone=a node-2",
            "docker service update --constraint-add node.labels.zone==a --detach web",
            "docker node promote node-2",
            "docker node ls -q | wc -l",
        ],
        expect![[r#"
            $ docker service create --name web --replicas 2 --quiet nginx:1.27
            0xw8hs4gz2zxfcvcchn7g85rz
            $ docker node update --availability drain node-1
            node-1
            $ sim advance 20s
            $ docker node ls --format '{{.Hostname}} {{.Availability}}'
            manager-1 Drain
            node-1 Drain
            node-2 Active
            $ docker service ps web --format '{{.Name}} {{.Node}} {{.CurrentState}}'
            web.1 node-2 Running 19 seconds ago
            web.1 node-1 Shutdown 19 seconds ago
            web.2 node-2 Running 25 seconds ago
            $ docker node update --label-add zone=a node-2
            node-2
            $ docker service update --constraint-add node.labels.zone==a --detach web
            web
            $ docker node promote node-2
            Node node-2 promoted to a manager in the swarm.
            $ docker node ls -q | wc -l
            3
        "#]],
    );
}

const COMPOSE: &str = "services:\n  web:\n    image: nginx:1.27\n    ports: [\"8080:80\"]\n    depends_on: [db]\n    restart: always\n  db:\n    image: redis:7\n    command: [redis-server, --appendonly, \"yes\"]\n";

#[test]
fn a_project_comes_up_and_goes_down() {
    let mut session = session(Orchestrator::Compose, 1);
    file(&mut session, "compose.yaml", COMPOSE);
    check(
        &mut session,
        &[
            "docker compose up -d",
            "sim advance 1m",
            "docker compose ps",
            "docker ps",
            "docker compose ls",
            "docker compose stop db",
            "docker compose ps -a --format '{{.Name}} {{.State}} {{.ExitCode}}'",
            "docker start app-db-1",
            "docker inspect app-db-1 --format '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}'",
            "docker update --restart unless-stopped app-db-1",
            "docker rm app-db-1",
            "docker kill app-db-1 nosuch",
            "docker compose logs --tail 1 web",
            "docker exec app-web-1 true",
            "docker exec app-web-1 frobnicate",
            "docker network ls --format '{{.Name}} {{.Driver}}'",
            "docker service ls",
            "docker compose down",
            "docker ps -aq",
        ],
        expect![[r#"
            $ docker compose up -d
             Image redis:7 Pulling 
             Image nginx:1.27 Pulling 
             Image redis:7 Pulled 
             Image nginx:1.27 Pulled 
             Network app_default Creating 
             Network app_default Created 
             Container app-db-1 Creating 
             Container app-db-1 Created 
             Container app-web-1 Creating 
             Container app-web-1 Created 
             Container app-db-1 Starting 
             Container app-db-1 Started 
             Container app-web-1 Starting 
             Container app-web-1 Started 
            $ sim advance 1m
            $ docker compose ps
            NAME        IMAGE        COMMAND                  SERVICE   CREATED              STATUS              PORTS
            app-db-1    redis:7      "docker-entrypoint.s…"   db        About a minute ago   Up About a minute   6379/tcp
            app-web-1   nginx:1.27   "/docker-entrypoint.…"   web       About a minute ago   Up About a minute   0.0.0.0:8080->80/tcp, [::]:8080->80/tcp
            $ docker ps
            CONTAINER ID   IMAGE        COMMAND                  CREATED              STATUS              PORTS                                     NAMES
            064b5fb1871c   nginx:1.27   "/docker-entrypoint.…"   About a minute ago   Up About a minute   0.0.0.0:8080->80/tcp, [::]:8080->80/tcp   app-web-1
            e03004b56e66   redis:7      "docker-entrypoint.s…"   About a minute ago   Up About a minute   6379/tcp                                  app-db-1
            $ docker compose ls
            NAME      STATUS       CONFIG FILES
            app       running(2)   N/A
            $ docker compose stop db
             Container app-db-1 Stopping 
             Container app-db-1 Stopped 
            $ docker compose ps -a --format '{{.Name}} {{.State}} {{.ExitCode}}'
            app-db-1 exited 0
            app-web-1 running 0
            $ docker start app-db-1
            app-db-1
            $ docker inspect app-db-1 --format '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}'
            running no
            $ docker update --restart unless-stopped app-db-1
            app-db-1
            $ docker rm app-db-1
            Error response from daemon: cannot remove container "app-db-1": container is running: stop the container before removing or force remove
            [1]
            $ docker kill app-db-1 nosuch
            app-db-1
            Error response from daemon: No such container: nosuch
            [1]
            $ docker compose logs --tail 1 web
            web-1  | start worker processes
            $ docker exec app-web-1 true
            $ docker exec app-web-1 frobnicate
            what a command prints inside a container is not modelled, only its exit code
            $ docker network ls --format '{{.Name}} {{.Driver}}'
            app_default bridge
            bridge bridge
            host host
            none null
            $ docker service ls
            Error response from daemon: This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.
            [1]
            $ docker compose down
             Container app-web-1 Stopping 
             Container app-web-1 Stopped 
             Container app-web-1 Removing 
             Container app-web-1 Removed 
             Container app-db-1 Stopping 
             Container app-db-1 Stopped 
             Container app-db-1 Removing 
             Container app-db-1 Removed 
             Network app_default Removing 
             Network app_default Removed 
            $ docker ps -aq
        "#]],
    );
}

#[test]
fn files_are_found_and_refused_as_by_compose() {
    let mut session = session(Orchestrator::Compose, 1);
    check(
        &mut session,
        &["docker compose up -d", "docker compose -f nosuch.yml ps"],
        expect![[r#"
            $ docker compose up -d
            no configuration file provided: not found
            [1]
            $ docker compose -f nosuch.yml ps
            open /app/nosuch.yml: no such file or directory
            [1]
        "#]],
    );
    file(
        &mut session,
        "compose.yaml",
        "services:\n  web:\n    image: nginx:1.27\n    depends_on: [nosuch]\n",
    );
    check(
        &mut session,
        &["docker compose config -q"],
        expect![[r#"
        $ docker compose config -q
        service "web" depends on undefined service "nosuch": invalid compose project
        [1]
    "#]],
    );
    file(
        &mut session,
        "compose.yaml",
        "services:\n  web:\n    image: nginx:1.27\n  tools:\n    image: redis:7\n    profiles: [debug]\n",
    );
    check(
        &mut session,
        &[
            "docker compose config --services",
            "docker compose --profile debug config --services",
            "docker compose up -d tools",
            "docker compose up -d nosuch",
            "docker compose frob",
        ],
        expect![[r#"
            $ docker compose config --services
            web
            $ docker compose --profile debug config --services
            tools
            web
            $ docker compose up -d tools
             Image redis:7 Pulling 
             Image redis:7 Pulled 
             Network app_default Creating 
             Network app_default Created 
             Container app-tools-1 Creating 
             Container app-tools-1 Created 
             Container app-tools-1 Starting 
             Container app-tools-1 Started 
            $ docker compose up -d nosuch
            no such service: nosuch
            [1]
            $ docker compose frob
            unknown docker command: "compose frob"
            [1]
        "#]],
    );
}

#[test]
fn a_machine_answers_for_itself() {
    let mut session = session(Orchestrator::Swarm, 1);
    check(
        &mut session,
        &[
            "docker service create --name web --quiet nginx:1.27",
            "host node-1 docker ps --format '{{.Image}} {{.Status}}'",
            "host node-1 hostname",
            "host node-1 free",
            "host node-1 df -h",
            "host nosuch hostname",
            "host node-1 crictl ps",
        ],
        expect![[r#"
            $ docker service create --name web --quiet nginx:1.27
            0xw8hs4gz2zxfcvcchn7g85rz
            $ host node-1 docker ps --format '{{.Image}} {{.Status}}'
            nginx:1.27 Up 5 seconds
            $ host node-1 hostname
            node-1
            $ host node-1 free
                           total        used        free      shared  buff/cache   available
            Mem:         8388608      171520     8217088           0           0     8217088
            Swap:              0           0           0
            $ host node-1 df -h
            Filesystem   Size   Used   Avail   Use%   Mounted on
            udev         4.0G   0      4.0G    0%     /dev
            tmpfs        819M   0      819M    0%     /run
            /dev/sda1    100G   6.1G   93G     7%     /
            tmpfs        4.0G   0      4.0G    0%     /dev/shm
            $ host nosuch hostname
            ssh: Could not resolve hostname nosuch: Name or service not known
            [255]
            $ host node-1 crictl ps
            crictl: command not found
            [127]
        "#]],
    );
}
