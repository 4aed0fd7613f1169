//! What is fed: each reader of outside text, with words of its grammar and an oracle where there is
//! one (what is printed reads back, a difference applied gives the other side).

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use sim_core::base::labels::Selector;
use sim_core::base::rng::Seed;
use sim_core::console::open::{Experiment, open};
use sim_core::console::{Session, scenario};
use sim_core::engine::command::FaultSpec;
use sim_core::host::EngineHost;
use sim_core::manifest::compose::loaded::Variables;
use sim_core::manifest::compose::stack::load_stack;
use sim_core::manifest::decode::kube::decode_kube;
use sim_core::manifest::lines::Source;
use sim_core::manifest::value::Value;
use sim_core::object::jsonpath::Template;
use sim_core::object::patch;
use sim_core::object::print::{KeyOrder, json, yaml};
use sim_core::object::structural::regex::Regex;
use sim_core::object::structural::{defaults, parse, prune, validate};
use sim_core::protocol::{self, Act, Deed, File, Project, Query, Recording, Request};

/// Stands between the parts of an input.
pub const SPLIT: &str = "\n%%\n";

/// Lines of one input that are run.
const LINES_MAX: usize = 6;

/// A reader of outside text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Manifests: YAML, decoding, validation, printing, the editor's questions.
    Yaml,
    /// Compose and stack files, and their canonical form.
    Compose,
    /// JSON, merge and strategic patches.
    Patch,
    /// Label selectors, field selectors, quantities, schedules, regular expressions.
    Selector,
    /// JSONPath templates, custom columns, Go templates of docker.
    Jsonpath,
    /// Schemas of custom resources and objects judged by them.
    Schema,
    /// Lines of kubectl.
    Kubectl,
    /// Lines of docker.
    Docker,
    /// Lines on a machine.
    Host,
    /// Lines of the simulation.
    Sim,
    /// Scenario files with faults.
    Scenario,
    /// Messages to the engine, as links carry them.
    Message,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Yaml,
        Self::Compose,
        Self::Patch,
        Self::Selector,
        Self::Jsonpath,
        Self::Schema,
        Self::Kubectl,
        Self::Docker,
        Self::Host,
        Self::Sim,
        Self::Scenario,
        Self::Message,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Compose => "compose",
            Self::Patch => "patch",
            Self::Selector => "selector",
            Self::Jsonpath => "jsonpath",
            Self::Schema => "schema",
            Self::Kubectl => "kubectl",
            Self::Docker => "docker",
            Self::Host => "host",
            Self::Sim => "sim",
            Self::Scenario => "scenario",
            Self::Message => "message",
        }
    }

    /// The target of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Words of its grammar.
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Yaml => &[
                "apiVersion:",
                "kind:",
                "metadata:",
                "name:",
                "spec:",
                "template:",
                "containers:",
                "image:",
                "resources:",
                "limits:",
                "cpu:",
                "memory:",
                "Deployment",
                "StatefulSet",
                "Job",
                "CronJob",
                "Service",
                "Ingress",
                "List",
                "items:",
                "schedule:",
                "replicas:",
                "matchLabels:",
                "volumes:",
                "ports:",
                "&a",
                "*a",
                "<<: *a",
                "!!str",
                "|",
                ">-",
            ],
            Self::Compose => &[
                "services:",
                "image:",
                "build:",
                "deploy:",
                "depends_on:",
                "condition:",
                "healthcheck:",
                "ports:",
                "volumes:",
                "networks:",
                "extends:",
                "include:",
                "profiles:",
                "environment:",
                "x-a:",
                "<<: *a",
                "${A:?b}",
                "${A:+b}",
                "$$",
                "!reset",
                "!override",
                "mem_limit:",
                "8080-8090:80-90/udp",
                "1h5m",
                "10gb",
                "configs:",
                "secrets:",
            ],
            Self::Patch => &[
                "\"$patch\":\"delete\"",
                "\"$patch\":\"replace\"",
                "\"$retainKeys\":[",
                "\"$setElementOrder/containers\":[",
                "\"$deleteFromPrimitiveList/finalizers\":[",
                "\"op\":\"move\"",
                "\"op\":\"copy\"",
                "\"op\":\"test\"",
                "\"path\":\"/a/-\"",
                "\"from\":\"/a\"",
                "~0",
                "~1",
                "null",
                "\"name\":",
            ],
            Self::Selector => &[
                " in (",
                " notin (",
                "!",
                "!=",
                "==",
                ",",
                "@hourly",
                "*/5",
                "1-5",
                "CRON_TZ=UTC",
                "Ki",
                "1e3",
                "(?i)",
                "[[:alpha:]]",
                "{1000}",
                "metadata.name=",
                "status.phase!=",
            ],
            Self::Jsonpath => &[
                "{range ",
                "{end}",
                "{.items[*]",
                "[?(@.",
                "[-1:]",
                "[::2]",
                "..",
                "{\"\\n\"}",
                "['a']",
                ".metadata.name",
                "{{range .}}",
                "{{end}}",
                "{{json .}}",
                "{{.Name}}",
                "NAME:.a",
                "table ",
            ],
            Self::Schema => &[
                "\"type\":\"object\"",
                "\"properties\":{",
                "\"items\":{",
                "\"default\":",
                "\"pattern\":\"",
                "\"x-kubernetes-validations\":[{\"rule\":\"",
                "\"x-kubernetes-int-or-string\":true",
                "\"x-kubernetes-preserve-unknown-fields\":true",
                "\"additionalProperties\":{",
                "self.",
                "oldSelf",
                "has(self.a)",
                "size(",
                ".all(x, ",
                ".exists(x, ",
                " in ",
                "? 1 : 2",
                "matches(",
                "\"multipleOf\":",
                "\"allOf\":[",
                "\"nullable\":true",
            ],
            Self::Kubectl => &[
                "get",
                "describe",
                "apply",
                "-f -",
                "delete",
                "patch",
                "-p",
                "--type=json",
                "--type=merge",
                "-o",
                "jsonpath=",
                "custom-columns=",
                "-l",
                "--sort-by",
                "-A",
                "--all",
                "rollout",
                "undo",
                "--to-revision=",
                "scale",
                "--replicas=",
                "drain",
                "taint",
                "label",
                "annotate",
                "wait",
                "--for=",
                "--timeout=",
                "explain",
                "logs",
                "exec",
                "--",
                "run",
                "create",
                "expose",
                "autoscale",
                "top",
                "events",
                "set",
                "image",
                "--server-side",
                "--dry-run=server",
                "diff",
                "replace",
                "edit",
                "pods",
                "deploy/web",
                "svc",
                "nodes",
                "-n",
                "--raw",
                "/api/v1/pods",
            ],
            Self::Docker => &[
                "service",
                "create",
                "update",
                "ls",
                "ps",
                "inspect",
                "--replicas",
                "--limit-memory",
                "--mount",
                "type=bind,source=/a,target=/b",
                "--publish",
                "80:80",
                "stack",
                "deploy",
                "-c",
                "compose",
                "up",
                "down",
                "run",
                "-d",
                "--rm",
                "--memory",
                "--cpus",
                "--health-cmd",
                "--restart",
                "on-failure:3",
                "--format",
                "{{json .}}",
                "--filter",
                "name=",
                "exec",
                "logs",
                "node",
                "--availability",
                "volume",
                "network",
                "prune",
                "--constraint",
                "node.role==",
                "scale",
                "config",
                "stats",
                "events",
                "--since",
                "nginx",
                "web",
            ],
            Self::Host => &[
                "worker-1",
                "cat",
                "ls",
                "find",
                "/sys/fs/cgroup",
                "/proc/1/status",
                "ps",
                "nsenter",
                "-t",
                "iptables-save",
                "mount",
                "ip",
                "addr",
                "echo",
                ">",
                "unshare",
                "lsns",
                "free",
                "kill",
                "-9",
                "-name",
                "-maxdepth",
                "/proc/meminfo",
                "tee",
                "..",
                "/",
            ],
            Self::Sim => &[
                "fault",
                "node-crash",
                "partition",
                "at",
                "for",
                "heal",
                "node",
                "add",
                "cpu=",
                "memory=",
                "taint=",
                "label.a=b",
                "allocatable.cpu=",
                "worker-{1..3}",
                "set",
                "traffic",
                "rps=",
                "metric",
                "until",
                "expect",
                "ready",
                "within",
                "trace",
                "why",
                "scores",
                "load",
                "-f -",
                "frozen",
                "fork",
                "switch",
                "seek",
                "packet",
                "from",
                "to",
                "usage",
                "controllers",
                "advance",
            ],
            Self::Scenario => &[
                "```cluster",
                "```sim",
                "```trace",
                "```table",
                "```yaml name=a.yaml",
                "```",
                "nodes 2",
                "orchestrators kubernetes",
                "seed 7",
                "at 30s",
                "sim fault",
                "node-crash worker-1",
                "zone-outage",
                "for 10s",
                "set kubelet.",
                "worker cpu=",
                "node a zone=b",
            ],
            Self::Message => &[],
        }
    }

    /// A few inputs to begin with.
    pub const fn seeds(self) -> &'static [&'static str] {
        match self {
            Self::Yaml => &[
                "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: &l {x: \"y\"}}\nspec:\n  containers:\n  - {name: a, image: b, resources: {limits: {cpu: 100m}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: *l, ports: [{port: 80}]}\n",
            ],
            Self::Compose => &[
                "services:\n  web:\n    image: nginx:${TAG:-1}\n    ports: [\"8080-8082:80-82\"]\n    depends_on: {db: {condition: service_healthy}}\n  db:\n    image: postgres\n    healthcheck: {test: [CMD, true], interval: 5s}\n    volumes: [data:/var/lib]\nvolumes: {data: {}}\n",
            ],
            Self::Patch => &[
                "{\"a\":{\"b\":1},\"l\":[1,2]}\n%%\n{\"a\":{\"b\":null},\"l\":[3]}",
                "{\"a\":[1,2],\"b/c\":{}}\n%%\n[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":3},{\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/b~1c/x\"},{\"op\":\"test\",\"path\":\"/a/0\",\"value\":2},{\"op\":\"remove\",\"path\":\"/a\"}]",
                "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x\",\"ports\":[{\"containerPort\":80}]},{\"name\":\"b\"}]}}\n%%\n{\"spec\":{\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}],\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"},{\"name\":\"c\",\"env\":[{\"name\":\"E\",\"value\":\"1\"}]}],\"volumes\":[{\"$retainKeys\":[\"name\",\"emptyDir\"],\"name\":\"v\",\"emptyDir\":{}}]}}",
            ],
            Self::Selector => &[
                "app=web,tier in (a, b),x notin (c),!d,e",
                "metadata.name=a,status.phase!=Running",
                "1.5Gi",
                "100m",
                "1e3",
                "*/5 1-3,7 * JAN-MAR mon",
                "CRON_TZ=Europe/Paris 0 2 * * *",
                "@every 1h30m",
                "^[a-z]([-a-z0-9]*[a-z0-9])?$",
                "(?i)(a|b){2,3}\\d+",
                "node-crash worker-1 at 10s for 5s",
            ],
            Self::Jsonpath => &[
                "{.items[*].metadata.name}",
                "{range .items[*]}{.metadata.name}{\"\\t\"}{.spec.x[?(@.a>1)].b}{\"\\n\"}{end}",
                "{..name}",
                "{.items[-1:].metadata['name','uid']}",
                "NAME:.metadata.name,X:.spec.x[0].a",
                "{{range .items}}{{.metadata.name}}{{end}}",
                "table {{.Name}}\t{{.Image}}",
            ],
            Self::Schema => &[
                "{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":1,\"default\":3},\"l\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^a+$\"},\"x-kubernetes-list-type\":\"set\"},\"m\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}},\"x-kubernetes-validations\":[{\"rule\":\"self.a > 1 && self.l.all(x, x.startsWith('a'))\"}]}}}\n%%\n{\"spec\":{\"a\":2,\"l\":[\"aa\"],\"m\":{\"k\":\"v\"},\"zz\":1}}",
            ],
            Self::Kubectl => &[
                "kubectl get pods -o wide",
                "kubectl get all -A",
                "kubectl describe deployment web",
                "kubectl explain deployment.spec.strategy --recursive",
                "kubectl get deploy web -o yaml",
                "kubectl patch deploy web --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":1}]'",
                "kubectl run a --image=b --labels=x=y --dry-run=client -o yaml",
                "kubectl drain worker-1 --ignore-daemonsets --force",
                "kubectl wait --for=condition=Ready pod -l app=web --timeout=5s",
                "kubectl top pods --containers",
                "kubectl create deployment x --image=y --replicas=2",
                "kubectl get events --sort-by=.lastTimestamp",
                "kubectl exec deploy/web -- cat /proc/self/cgroup",
                "kubectl logs deploy/web --tail=3 -p",
                "kubectl set resources deploy web --limits=cpu=1,memory=1Gi",
                "kubectl rollout undo deploy/web --to-revision=1",
            ],
            Self::Docker => &[
                "docker service ls",
                "docker service create --name a --replicas 2 --limit-memory 64m nginx",
                "docker run -d --name x --memory 64m --restart on-failure:3 nginx sleep 5",
                "docker ps -a --format '{{json .}}'",
                "docker service update --image nginx:2 web",
                "docker inspect web",
                "docker node ls --filter role=manager",
                "docker compose -f compose.yaml up -d",
                "docker compose -f compose.yaml config",
                "docker stack deploy -c stack.yml s",
            ],
            Self::Host => &[
                "host worker-1 cat /proc/1/status",
                "host worker-1 find /sys/fs/cgroup -maxdepth 2 -name cpu.max",
                "host worker-1 iptables-save",
                "host worker-1 ps",
                "host worker-1 nsenter -t 1 -n ip addr",
                "host worker-1 echo 5 > /sys/fs/cgroup/cpu.weight",
                "host worker-1 lsns",
                "host worker-1 mount",
            ],
            Self::Sim => &[
                "sim fault node-crash worker-1 for 10s",
                "sim node add w-{1..3} cpu=4 memory=8Gi label.a=b taint=k=v:NoSchedule",
                "sim set kube-scheduler.config - <<E\nkind: KubeSchedulerConfiguration\napiVersion: kubescheduler.config.k8s.io/v1\nprofiles: []\nE",
                "sim traffic web rps=5",
                "sim until ready deployment/web 2 within 5s",
                "sim trace kube",
                "sim why service/web",
                "sim packet from worker-1 to web:80",
                "sim metric set pod/a cpu=100m",
                "sim load -f - frozen <<E\napiVersion: v1\nkind: Pod\nmetadata: {name: q}\nspec: {containers: [{name: a, image: b}]}\nstatus: {phase: Running}\nE",
                "sim fork\nsim advance 1s\nsim switch 0\nsim seek 20s",
                "sim scores web -o json",
                "sim controllers off deployment",
            ],
            Self::Scenario | Self::Message => &[],
        }
    }

    /// Runs one input. What comes back is what the engine said.
    pub fn run(self, input: &[u8]) -> String {
        let text = String::from_utf8_lossy(input);
        match self {
            Self::Yaml => manifest(&text),
            Self::Compose => compose(&text),
            Self::Patch => patches(&text),
            Self::Selector => selectors(&text),
            Self::Jsonpath => paths(&text),
            Self::Schema => schema(&text),
            Self::Kubectl | Self::Docker | Self::Host | Self::Sim => lines(self.name(), &text),
            Self::Scenario => play(&text),
            Self::Message => message(input),
        }
    }
}

fn manifest(text: &str) -> String {
    let source = Source::new("in.yaml", text);
    let (objects, problems) = decode_kube(&source);
    let mut said = String::new();
    for problem in &problems {
        said.push_str(&problem.message);
        let at = source.position(problem.span.start);
        assert!(at.line >= 1 && problem.span.start <= problem.span.end);
        let _ = source.utf16(problem.span.end);
    }
    for object in &objects {
        let printed = yaml(&object.document);
        let read = decode_kube(&Source::new("out.yaml", &printed)).0;
        if let [again] = read.as_slice() {
            assert_eq!(again.document, object.document, "printed as\n{printed}");
        }
        let line = json(&object.document, KeyOrder::Sorted);
        assert_eq!(
            Value::parse_json(&line).as_ref(),
            Ok(&object.document),
            "{line}"
        );
    }
    let file = File {
        name: "in.yaml".to_owned(),
        text: text.to_owned(),
    };
    let units = u32::try_from(text.len()).unwrap_or(u32::MAX);
    for offset in [0, units / 3, units / 2, units, u32::MAX] {
        sim_core::host::assist::complete(&file, offset);
        sim_core::host::assist::hover(&file, offset, &[]);
    }
    said
}

fn compose(text: &str) -> String {
    let mut session = Session::clone(&empty());
    session
        .files
        .insert("compose.yaml".to_owned(), Arc::from(text));
    let mut said = session.run("docker compose -f compose.yaml config").stderr;
    let source = Source::new("stack.yml", text);
    let stack = load_stack(&source, "s", &Variables::new(), &|_| None);
    for problem in &stack.problems {
        said.push_str(&problem.message);
    }
    if said.is_empty() {
        said.push_str(&session.run("docker compose -f compose.yaml up -d").stderr);
        said.push_str(&session.run("docker stack deploy -c compose.yaml s").stderr);
        session.run("sim advance 2s");
    }
    said
}

fn patches(text: &str) -> String {
    let mut parts = text.split(SPLIT);
    let (Some(current), Some(patch)) = (parts.next(), parts.next()) else {
        return String::new();
    };
    let (Ok(current), Ok(patch)) = (Value::parse_json(current), Value::parse_json(patch)) else {
        return "no JSON".to_owned();
    };
    let mut said = String::new();
    patch::merge(&current, &patch);
    let wanted = patch::without_nulls(&patch);
    if wanted == patch && current.as_map().is_some() && patch.as_map().is_some() {
        let difference = patch::difference(&current, &patch);
        assert_eq!(patch::merge(&current, &difference), patch, "{difference:?}");
    }
    for shape in [
        None,
        patch::schema("v1", "Pod"),
        patch::schema("apps/v1", "Deployment"),
    ] {
        if let Err(message) = patch::strategic(&current, &patch, shape.as_ref()) {
            said.push_str(&message);
        }
        let applied = patch::three_way(&Value::Null, &patch, &current, shape.as_ref());
        patch::three_way(&current, &patch, &applied, shape.as_ref());
    }
    patch::three_way_merge(&current, &patch, &current);
    if let Err(message) = patch::json_patch(&current, &patch) {
        said.push_str(&message);
    }
    said
}

fn selectors(text: &str) -> String {
    let mut said = String::new();
    let labels = [("app", "web"), ("tier", "a")].map(|(key, value)| (key.into(), value.into()));
    match Selector::parse(text) {
        Ok(selector) => said = format!("{}", selector.matches(&labels)),
        Err(message) => said.push_str(&message),
    }
    if let Ok(regex) = Regex::parse(text) {
        said.push_str(
            if regex.is_match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab") {
                "matches"
            } else {
                "does not match"
            },
        );
    }
    if let Err(message) = FaultSpec::parse(text) {
        said.push_str(&message);
    }
    let mut session = Session::clone(&populated());
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    for line in [
        words(&["get", "pods", "-l", text]),
        words(&["get", "pods", "--field-selector", text]),
        words(&["create", "cronjob", "c", "--image=a", "--schedule", text]),
        words(&["autoscale", "deployment", "web", "--max", text]),
        words(&[
            "set",
            "resources",
            "deployment",
            "web",
            &format!("--limits=memory={text}"),
        ]),
    ] {
        said.push_str(&sim_core::console::kubectl::run(&mut session, &line, "").stderr);
    }
    session.run("sim advance 2m");
    said
}

fn paths(text: &str) -> String {
    let mut said = String::new();
    thread_local! {
        static DOCUMENT: Value = {
            let line = "kubectl get pods,nodes,deployments -A -o json";
            let printed = Session::clone(&populated()).run(line).stdout;
            Value::parse_json(&printed).expect("kubectl prints JSON")
        };
    }
    for template in [Template::parse(text), Template::relaxed(text)] {
        match template {
            Ok(template) => {
                let printed = DOCUMENT.with(|document| template.print(document));
                said.push_str(&printed.unwrap_or_else(|message| message));
            }
            Err(message) => said.push_str(&message),
        }
    }
    let mut session = Session::clone(&populated());
    for prefix in ["custom-columns=", "jsonpath=", "go-template="] {
        let line = ["get", "pods", "-o"].map(str::to_owned);
        let mut line = line.to_vec();
        line.push(format!("{prefix}{text}"));
        said.push_str(&sim_core::console::kubectl::run(&mut session, &line, "").stderr);
    }
    for command in ["ps", "images"] {
        let line = [command, "--format", text].map(str::to_owned);
        said.push_str(&sim_core::console::docker::run(&mut session, &line, "").stderr);
    }
    said
}

fn schema(text: &str) -> String {
    let Some((schema, object)) = text.split_once(SPLIT) else {
        return String::new();
    };
    let Ok(schema) = Value::parse_json(schema) else {
        return "no JSON".to_owned();
    };
    let made = match parse::parse(&schema, "spec.validation.openAPIV3Schema") {
        Ok(made) => made,
        Err(faults) => return faults.iter().map(|fault| fault.message.as_str()).collect(),
    };
    let Ok(mut object) = Value::parse_json(object) else {
        return "no JSON".to_owned();
    };
    prune::prune(&mut object, &made);
    defaults::apply(&mut object, &made);
    let once = object.clone();
    prune::prune(&mut object, &made);
    defaults::apply(&mut object, &made);
    assert_eq!(object, once, "pruning and filling in twice is as once");
    validate::validate(&object, &made)
        .iter()
        .map(|fault| fault.message.as_str())
        .collect()
}

fn lines(command: &str, text: &str) -> String {
    let mut session = Session::clone(&populated());
    let mut said = String::new();
    let script = match sim_core::console::script::parse(text) {
        Ok(lines) => lines,
        Err(error) => return error.message,
    };
    for mut line in script.into_iter().take(LINES_MAX) {
        line.at = None;
        let mut foreign = false;
        for simple in line
            .pipelines
            .iter_mut()
            .flat_map(|pipeline| &mut pipeline.commands)
        {
            foreign |= simple.words.first().is_none_or(|word| word != command);
            shorten(&mut simple.words);
        }
        if foreign
            && line
                .pipelines
                .iter()
                .all(|pipeline| pipeline.commands.len() == 1)
        {
            continue;
        }
        let output = session.line(&line);
        let _ = write!(said, "{}{}", output.code, output.stderr);
    }
    session.run("sim advance 2s");
    said
}

/// A person may ask for a long time to pass, and it then takes long; that is no finding.
fn shorten(words: &mut Vec<String>) {
    if words.first().is_some_and(|word| word == "sim")
        && words
            .get(1)
            .is_some_and(|word| matches!(word.as_str(), "advance" | "until" | "seek"))
    {
        words.truncate(2);
        words.push("3s".to_owned());
    }
    if words.iter().any(|word| word == "traffic")
        && let Some(last) = words.last_mut()
    {
        *last = "rps=5".to_owned();
    }
}

fn play(text: &str) -> String {
    let parsed = match scenario::parse(text) {
        Ok(parsed) => parsed,
        Err((_, message)) => return message,
    };
    if parsed.cluster.iter().any(|(_, line)| {
        let machines = line.strip_prefix("nodes").unwrap_or("");
        machines.trim().parse::<u64>().is_ok_and(|count| count > 50)
    }) {
        return String::new();
    }
    let mut experiment = Experiment::new(Seed(1));
    experiment.files.push(("in.md".to_owned(), Arc::from(text)));
    let mut opened = match open(&experiment) {
        Ok(opened) => opened,
        Err(message) => return message,
    };
    let mut said = String::new();
    let script = opened.script.take().unwrap_or_default();
    let Ok(script) = sim_core::console::script::parse(&script) else {
        return "no script".to_owned();
    };
    for mut line in script.into_iter().take(LINES_MAX) {
        line.at = None;
        for simple in line
            .pipelines
            .iter_mut()
            .flat_map(|pipeline| &mut pipeline.commands)
        {
            shorten(&mut simple.words);
        }
        let output = opened.session.line(&line);
        let _ = write!(said, "{}{}", output.code, output.stderr);
    }
    opened.session.run("sim advance 3s");
    said
}

fn message(input: &[u8]) -> String {
    let request = match protocol::decode::<Request>(input) {
        Ok(request) => request,
        Err(message) => return message,
    };
    let mut host = EngineHost::new();
    let (mut replies, mut said) = (host.handle(request), String::new());
    for _ in 0..3 {
        for reply in &replies {
            let name = format!("{reply:?}");
            said.push_str(name.split(['{', '(', ' ']).next().unwrap_or(""));
        }
        replies = host.tick(20_000);
    }
    said
}

/// Messages that a page sends, to begin with.
pub fn messages() -> Vec<Vec<u8>> {
    let file = File {
        name: "web.yaml".to_owned(),
        text: Target::Yaml.seeds()[0].to_owned(),
    };
    let project = Project {
        files: vec![file.clone()],
        nodes: 2,
        seed: 7,
        faults: vec!["node-crash worker-1 at 5s for 3s".to_owned()],
        length_us: 60_000_000,
    };
    let act = |at_us, deed| Act { at_us, deed };
    let recording = Recording {
        project: project.clone(),
        acts: vec![
            act(1_000_000, Deed::Edit(file.clone())),
            act(2_000_000, Deed::Inject("pod-kill a".to_owned())),
            act(3_000_000, Deed::Console("kubectl get pods".to_owned())),
            act(4_000_000, Deed::Heal(Some(1))),
        ],
        at_us: 5_000_000,
    };
    let query = Query::Complete { file, offset: 9 };
    [
        Request::Load(project),
        Request::Replay(recording),
        Request::Ask { number: 1, query },
        Request::Seek(9_000_000),
        Request::Inject("node-crash worker-1".to_owned()),
    ]
    .iter()
    .map(protocol::encode)
    .collect()
}

thread_local! {
    static SESSIONS: RefCell<[Option<Arc<Session>>; 2]> = const { RefCell::new([None, None]) };
}

fn kept(index: usize, make: fn() -> Session) -> Arc<Session> {
    if let Some(session) = SESSIONS.with(|sessions| sessions.borrow()[index].clone()) {
        return session;
    }
    let made = Arc::new(make());
    SESSIONS.with(|sessions| sessions.borrow_mut()[index] = Some(made.clone()));
    made
}

/// Machines, and nothing on them.
fn empty() -> Arc<Session> {
    kept(0, || {
        let mut experiment = Experiment::new(Seed(1));
        experiment.nodes = 2;
        let mut session = open(&experiment).expect("an empty experiment").session;
        session.run("sim advance 1s");
        session
    })
}

/// Machines with an application on each orchestrator, after half a minute.
fn populated() -> Arc<Session> {
    kept(1, || {
        let mut session = Session::clone(&empty());
        let files = [
            ("compose.yaml", Target::Compose.seeds()[0]),
            (
                "stack.yml",
                "services: {web: {image: nginx, deploy: {replicas: 2}}}",
            ),
        ];
        for (name, text) in files {
            session.files.insert(name.to_owned(), Arc::from(text));
        }
        for line in [
            "kubectl create deployment web --image=nginx --replicas=2",
            "kubectl expose deployment web --port=80",
            "kubectl create configmap c --from-literal=a=b",
            "docker compose -f compose.yaml up -d",
            "docker stack deploy -c stack.yml s",
            "docker service create --name web --replicas 2 nginx",
            "sim advance 30s",
        ] {
            session.run(line);
        }
        session
    })
}
