//! `podium bench api`: what a person at the console and in the editor waits for.
//!
//! A task is prepared first and then done, so that whoever measures measures the second part alone:
//!
//! ```text
//! Task ──prepare──▶ Prepared (cluster, file) ──run──▶ Done (what came out, the same everywhere)
//! ```
//! Goes through the console and the linter as a person does: nothing is faster here than there.

use std::sync::Arc;

use crate::base::rng::Seed;
use crate::base::time::SimTime;
use crate::console::Session;
use crate::console::open::{Experiment, open};
use crate::des::fingerprint::Fingerprint;
use crate::engine::command::Orchestrator;
use crate::engine::history::History;
use crate::engine::lab::Lab;
use crate::engine::world::World;

use super::{Size, cluster};

/// Objects that are applied.
const OBJECTS: u32 = 1_000;
/// Pods among which a selector chooses the hundred of one Deployment.
const PODS: Size = Size {
    nodes: 5_000,
    pods: 150_000,
};
/// Lines of the file that is validated.
const LINES: u32 = 2_000;
/// Name of the file.
const FILE: &str = "objects.yaml";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// `kubectl apply -f` of 1,000 objects: Deployments, Services, ConfigMaps and Secrets in turn.
    Apply,
    /// The same file again, in which every Deployment has another image.
    ApplyAgain,
    /// `kubectl get pods -l app=app-7` among 150,000 pods.
    List,
    /// `podium lint` of a file of 2,000 lines.
    Validate,
}

impl Task {
    /// All tasks with their names.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Apply, "apply"),
        (Self::ApplyAgain, "apply-again"),
        (Self::List, "list"),
        (Self::Validate, "validate"),
    ];

    /// The task of that name.
    pub fn parse(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(_, known)| *known == name);
        found.map(|(task, _)| task)
    }
}

/// A task that can be done at once.
#[derive(Clone, Debug)]
pub struct Prepared {
    task: Task,
    session: Session,
    file: Arc<str>,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Objects applied, pods searched, or lines validated.
    pub items: u64,
    /// Whether everything was granted and found.
    pub good: bool,
    /// Fingerprint of what was printed, in hexadecimal.
    pub hash: String,
}

/// Makes the cluster and the file of a task. `pods` is for [`Task::List`]: how many there are.
pub fn prepare(task: Task, pods: Option<Size>) -> Prepared {
    let (mut session, file) = match task {
        Task::Apply | Task::ApplyAgain => (
            session(cluster::cluster(
                Size {
                    nodes: 100,
                    pods: OBJECTS,
                },
                1,
            )),
            objects(0..OBJECTS, 0),
        ),
        Task::List => {
            let size = pods.unwrap_or(PODS);
            let mut world = cluster::cluster(size, 1);
            cluster::deploy(&mut world, size);
            cluster::converge(&mut world);
            (session(world), String::new())
        }
        Task::Validate => (
            session(World::new(Orchestrator::Kubernetes, Seed(1))),
            lines(),
        ),
    };
    session.files.insert(FILE.to_owned(), file.as_str().into());
    if task == Task::ApplyAgain {
        session.run(&format!("kubectl apply -f {FILE}"));
        let changed = objects(0..OBJECTS, 1);
        session.files.insert(FILE.to_owned(), changed.into());
    }
    Prepared {
        task,
        session,
        file: file.into(),
    }
}

impl Prepared {
    /// Does it.
    pub fn run(mut self) -> Done {
        let (items, good, text) = match self.task {
            Task::Apply | Task::ApplyAgain => {
                let output = self.session.run(&format!("kubectl apply -f {FILE}"));
                let word = if self.task == Task::Apply {
                    " created"
                } else {
                    " configured"
                };
                let granted = output.stdout.lines().filter(|line| line.ends_with(word));
                let expected = if self.task == Task::Apply {
                    OBJECTS
                } else {
                    OBJECTS / 4
                };
                let good = output.code == 0 && granted.count() == expected as usize;
                (u64::from(OBJECTS), good, output.stdout.into())
            }
            Task::List => {
                let output = self
                    .session
                    .run("kubectl get pods -l app=app-7 --no-headers");
                let good = output.code == 0 && output.stdout.lines().count() == 100;
                let world = self.session.world(Orchestrator::Kubernetes).ok();
                let pods = world
                    .and_then(World::kube)
                    .map_or(0, |plane| plane.store().pods().count());
                (pods as u64, good, output.stdout.into())
            }
            Task::Validate => {
                let mut experiment = Experiment::new(Seed(1));
                experiment.files.push((FILE.to_owned(), self.file.clone()));
                let text = match open(&experiment) {
                    Ok(opened) => opened
                        .diagnostics()
                        .map(|(source, one)| one.render(Some(source)))
                        .collect(),
                    Err(error) => error.to_string(),
                };
                let good = text.is_empty();
                (self.file.lines().count() as u64, good, text)
            }
        };
        let mut print = Fingerprint::default();
        print.fold(&text);
        Done {
            items,
            good,
            hash: print.hex(),
        }
    }
}

fn session(world: World) -> Session {
    let now: SimTime = world.now;
    Session::new(History::new(Lab {
        worlds: vec![world],
        now,
    }))
}

/// Objects by number; `version` goes into the images.
fn objects(numbers: std::ops::Range<u32>, version: u32) -> String {
    numbers.map(|number| object(number, version)).collect()
}

fn object(number: u32, version: u32) -> String {
    let app = format!("app-{}", number / 4);
    match number % 4 {
        0 => format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {app}\n  labels:\n    app: {app}\nspec:\n  \
             replicas: 1\n  selector:\n    matchLabels:\n      app: {app}\n  template:\n    metadata:\n      labels:\n        \
             app: {app}\n    spec:\n      containers:\n      - name: main\n        image: nginx:1.{version}\n        \
             env:\n        - name: MODE\n          value: \"{number}\"\n        ports:\n        - containerPort: 80\n        \
             resources:\n          requests:\n            cpu: 100m\n            memory: 64Mi\n        readinessProbe:\n          \
             httpGet:\n            path: /\n            port: 80\n"
        ),
        1 => format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {app}\nspec:\n  selector:\n    app: {app}\n  \
             ports:\n  - port: 80\n    targetPort: 80\n"
        ),
        2 => format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {app}\ndata:\n  mode: \"{number}\"\n  \
             motd: |\n    Hello,\n    this is {app}.\n"
        ),
        _ => format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {app}\ndata:\n  password: c2VjcmV0\n"
        ),
    }
}

/// A file of 2,000 lines: whole objects, then comments.
fn lines() -> String {
    let mut text = String::new();
    let mut number = 0;
    let mut count = 0;
    loop {
        let next = object(number, 0);
        let height = u32::try_from(next.lines().count()).unwrap_or(u32::MAX);
        if count + height > LINES {
            break;
        }
        text.push_str(&next);
        count += height;
        number += 1;
    }
    for _ in count..LINES {
        text.push_str("# The end.\n");
    }
    text
}
