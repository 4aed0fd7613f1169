//! Applications of a plan, each written once for every orchestrator.

use crate::base::ratio::Ratio;
use crate::base::rng::Stream;

/// Images that run without configuration, and a second version of each.
const IMAGES: [[&str; 2]; 4] = [
    ["nginx:1.27", "nginx:1.28"],
    ["httpd:2.4", "httpd:2.4.62"],
    ["redis:7", "redis:7.4"],
    ["memcached:1.6", "memcached:1.6.33"],
];

/// What jobs run.
const JOB_IMAGES: [&str; 2] = ["alpine:3.20", "alpine:3.21"];

/// How many of an application there are, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Replicated,
    Global,
    Job,
    GlobalJob,
}

/// One application.
pub(super) struct App {
    pub(super) name: String,
    pub(super) mode: Mode,
    pub(super) image: [&'static str; 2],
    pub(super) replicas: u32,
    milli_cpu: u32,
    mebibytes: u32,
    surge: bool,
    /// How long a job takes, in seconds.
    seconds: u32,
    /// Whether a health check says when it is up.
    healthy: bool,
    /// Restart policy of Swarm and of Compose.
    restart: (&'static str, &'static str),
    /// Which earlier application it waits for, and until what.
    after: Option<(String, &'static str)>,
}

impl App {
    pub(super) fn draw(number: u32, before: &[Self], draw: &mut Stream) -> Self {
        let mode = match draw.below(10) {
            0..=5 => Mode::Replicated,
            6 | 7 => Mode::Global,
            8 => Mode::Job,
            _ => Mode::GlobalJob,
        };
        let is_job = matches!(mode, Mode::Job | Mode::GlobalJob);
        let image = if is_job {
            JOB_IMAGES
        } else {
            IMAGES[draw.below(IMAGES.len() as u32) as usize]
        };
        let restart = match draw.below(10) {
            _ if is_job => ("{condition: on-failure, delay: 1s}", "on-failure"),
            0..=4 => ("{condition: any}", "always"),
            5 | 6 => ("{condition: on-failure, delay: 2s}", "on-failure"),
            7 => ("{condition: none}", "\"no\""),
            8 => (
                "{condition: any, delay: 1s, max_attempts: 3, window: 60s}",
                "unless-stopped",
            ),
            _ => ("{condition: any, max_attempts: 2}", "\"on-failure:3\""),
        };
        let after = match before.len() as u32 {
            0 => None,
            count if draw.chance(Ratio::percent(50)) => {
                let other = &before[draw.below(count) as usize];
                let condition = match (other.is_job(), other.healthy) {
                    (true, _) => "service_completed_successfully",
                    (false, true) => "service_healthy",
                    (false, false) => "service_started",
                };
                Some((other.name.clone(), condition))
            }
            _ => None,
        };
        Self {
            name: format!("app{}", number + 1),
            mode,
            image,
            replicas: 1 + draw.below(5),
            milli_cpu: 50 * (1 + draw.below(6)),
            mebibytes: 32 * (1 + draw.below(6)),
            surge: draw.chance(Ratio::percent(50)),
            seconds: 1 + draw.below(40),
            healthy: !is_job && draw.chance(Ratio::percent(30)),
            restart,
            after,
        }
    }

    pub(super) fn is_job(&self) -> bool {
        matches!(self.mode, Mode::Job | Mode::GlobalJob)
    }
}

/// Manifests: a Deployment, DaemonSet or Job, and a Service.
pub(super) fn kubernetes(apps: &[App]) -> String {
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
        let (version, kind, spec) = match app.mode {
            Mode::Replicated => (
                "apps/v1",
                "Deployment",
                format!(
                    "  replicas: {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}\n  strategy: {{rollingUpdate: {{maxSurge: {surge}, maxUnavailable: {unavailable}}}}}\n"
                ),
            ),
            Mode::Global => (
                "apps/v1",
                "DaemonSet",
                format!("  selector: {{matchLabels: {{app: {name}}}}}\n"),
            ),
            // Killed pods count as failures.
            Mode::Job | Mode::GlobalJob => (
                "batch/v1",
                "Job",
                format!("  completions: {replicas}\n  backoffLimit: 100\n"),
            ),
        };
        let process = if app.is_job() {
            format!(
                "        command: [sleep, \"{}\"]\n      restartPolicy: OnFailure\n",
                app.seconds
            )
        } else {
            String::new()
        };
        text.push_str(&format!(
            "apiVersion: {version}
kind: {kind}
metadata: {{name: {name}}}
spec:
{spec}  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: main
        image: {image}
        resources: {{requests: {{cpu: {milli_cpu}m, memory: {mebibytes}Mi}}}}
{process}---
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

/// A service of a stack or of a project, up to what differs.
fn service(app: &App) -> String {
    let mut text = format!("  {}:\n    image: {}\n", app.name, app.image[0]);
    if app.is_job() {
        text.push_str(&format!("    command: sleep {}\n", app.seconds));
    }
    if app.healthy {
        text.push_str(
            "    healthcheck: {test: [\"CMD\", \"true\"], interval: 5s, timeout: 3s, retries: 3}\n",
        );
    }
    text
}

/// A stack file.
pub(super) fn stack(apps: &[App]) -> String {
    let mut text = String::from("services:\n");
    for app in apps {
        let order = if app.surge {
            "start-first"
        } else {
            "stop-first"
        };
        let update = format!("      update_config: {{parallelism: 1, order: {order}}}\n");
        let (mode, update) = match app.mode {
            Mode::Replicated => (format!("      replicas: {}\n", app.replicas), update),
            Mode::Global => (
                "      mode: global\n".to_owned(),
                // One that starts first finds its node taken by nobody: the order is allowed.
                update,
            ),
            Mode::Job => (
                format!(
                    "      mode: replicated-job\n      replicas: {}\n",
                    app.replicas
                ),
                String::new(),
            ),
            Mode::GlobalJob => ("      mode: global-job\n".to_owned(), String::new()),
        };
        text.push_str(&service(app));
        text.push_str(&format!(
            "    deploy:\n{mode}{update}      restart_policy: {}\n      resources: {{reservations: {{cpus: \"0.{:03}\", memory: {}M}}}}\n",
            app.restart.0, app.milli_cpu, app.mebibytes
        ));
    }
    text
}

/// A Compose file.
pub(super) fn compose(apps: &[App]) -> String {
    let mut text = String::from("services:\n");
    for app in apps {
        text.push_str(&service(app));
        text.push_str(&format!(
            "    restart: {}\n    scale: {}\n",
            app.restart.1, app.replicas
        ));
        if let Some((other, condition)) = &app.after {
            text.push_str(&format!(
                "    depends_on: {{{other}: {{condition: {condition}}}}}\n"
            ));
        }
    }
    text
}
