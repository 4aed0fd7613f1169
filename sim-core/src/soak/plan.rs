//! What a seed stands for: machines, one application in three dialects, and a script of operations
//! and faults.

use std::sync::Arc;

use crate::base::ratio::Ratio;
use crate::base::rng::{Seed, Stream};
use crate::base::time::{SimDuration, SimTime};

/// Images that run without configuration, and a second version of each.
const IMAGES: [[&str; 2]; 4] = [
    ["nginx:1.27", "nginx:1.28"],
    ["httpd:2.4", "httpd:2.4.62"],
    ["redis:7", "redis:7.4"],
    ["memcached:1.6", "memcached:1.6.33"],
];

/// A whole experiment.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed that it stands for.
    pub seed: Seed,
    /// Worker machines.
    pub nodes: u32,
    /// The same application for each orchestrator.
    pub files: Vec<(String, Arc<str>)>,
    /// Console lines and when each is said, in order of time.
    pub script: Vec<(SimTime, String)>,
    /// When the script is over and everything is healed.
    pub end: SimTime,
}

struct App {
    name: String,
    image: &'static [&'static str; 2],
    replicas: u32,
    milli_cpu: u32,
    mebibytes: u32,
    surge: bool,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: Seed) -> Self {
        let mut draw = Stream::new(seed, "soak.plan", 0, 0);
        let nodes = 2 + draw.below(5);
        let apps: Vec<App> = (0..1 + draw.below(4))
            .map(|number| app(number, &mut draw))
            .collect();
        let files = vec![
            ("kubernetes.yaml".to_owned(), kubernetes(&apps).into()),
            ("stack.yml".to_owned(), stack(&apps).into()),
            ("compose.yaml".to_owned(), compose(&apps).into()),
        ];
        let mut script = Vec::new();
        let mut at = SimTime::ZERO + SimDuration::from_secs(u64::from(5 + draw.below(60)));
        for _ in 0..3 + draw.below(10) {
            for line in step(nodes, &apps, &mut draw) {
                script.push((at, line));
            }
            at += SimDuration::from_millis(u64::from(100 + draw.below(120_000)));
        }
        Self {
            seed,
            nodes,
            files,
            script,
            end: at,
        }
    }
}

impl std::fmt::Display for Plan {
    /// The plan as a scenario file: `podium run` plays it.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "# A soaked experiment\n")?;
        for (name, text) in &self.files {
            writeln!(formatter, "```yaml name={name}\n{text}```\n")?;
        }
        writeln!(
            formatter,
            "```cluster\nnodes {}\nseed {}\n```\n\n```sim",
            self.nodes, self.seed.0
        )?;
        for (at, line) in &self.script {
            writeln!(formatter, "at {} {line}", at.since(SimTime::ZERO))?;
        }
        writeln!(
            formatter,
            "at {} sim heal\n```",
            self.end.since(SimTime::ZERO)
        )
    }
}

fn app(number: u32, draw: &mut Stream) -> App {
    App {
        name: format!("app{}", number + 1),
        image: &IMAGES[draw.below(IMAGES.len() as u32) as usize],
        replicas: 1 + draw.below(5),
        milli_cpu: 50 * (1 + draw.below(6)),
        mebibytes: 32 * (1 + draw.below(6)),
        surge: draw.chance(Ratio::percent(50)),
    }
}

fn kubernetes(apps: &[App]) -> String {
    let mut text = String::new();
    for app in apps {
        let App {
            name,
            replicas,
            milli_cpu,
            mebibytes,
            ..
        } = app;
        let (surge, unavailable) = if app.surge { (1, 0) } else { (0, 1) };
        text.push_str(&format!(
            "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  strategy: {{rollingUpdate: {{maxSurge: {surge}, maxUnavailable: {unavailable}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: main
        image: {image}
        resources: {{requests: {{cpu: {milli_cpu}m, memory: {mebibytes}Mi}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{port: 80}}]
---
",
            image = app.image[0]
        ));
    }
    text
}

fn stack(apps: &[App]) -> String {
    let mut text = String::from("services:\n");
    for app in apps {
        let order = if app.surge {
            "start-first"
        } else {
            "stop-first"
        };
        text.push_str(&format!(
            "  {}:
    image: {}
    deploy:
      replicas: {}
      update_config: {{parallelism: 1, order: {order}}}
      resources: {{reservations: {{cpus: \"0.{:03}\", memory: {}M}}}}
",
            app.name, app.image[0], app.replicas, app.milli_cpu, app.mebibytes
        ));
    }
    text
}

fn compose(apps: &[App]) -> String {
    let mut text = String::from("services:\n");
    for app in apps {
        text.push_str(&format!(
            "  {}:\n    image: {}\n    restart: always\n    scale: {}\n",
            app.name, app.image[0], app.replicas
        ));
    }
    text
}

/// One operation or fault; what a plane does not have it refuses.
fn step(nodes: u32, apps: &[App], draw: &mut Stream) -> Vec<String> {
    let node = format!("worker-{}", 1 + draw.below(nodes));
    let app = &apps[draw.below(apps.len() as u32) as usize];
    let name = &app.name;
    let seconds = 1 + draw.below(600);
    match draw.below(12) {
        0..=2 => vec![format!("sim fault node-crash {node} for {seconds}s")],
        3 => vec![format!("sim fault node-crash {node}")],
        4 => vec![format!("sim fault node-reboot {node}")],
        5 => vec![format!(
            "sim fault partition {node}|control-1 for {seconds}s"
        )],
        6 => vec![format!("sim fault pod-kill of:{name}")],
        7 => vec![format!("sim fault container-kill of:{name}")],
        8 => vec![format!("sim fault registry-down all for {seconds}s")],
        9 => {
            let replicas = draw.below(6);
            vec![
                format!("kubectl scale deployment/{name} --replicas={replicas}"),
                format!("docker service scale --detach app_{name}={replicas}"),
            ]
        }
        10 => {
            let image = app.image[draw.below(2) as usize];
            vec![
                format!("kubectl set image deployment/{name} main={image}"),
                format!("docker service update --detach --image {image} app_{name}"),
            ]
        }
        _ => vec![
            format!("kubectl rollout restart deployment/{name}"),
            format!("docker service update --detach --force app_{name}"),
        ],
    }
}
