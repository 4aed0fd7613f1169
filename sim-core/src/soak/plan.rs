//! What a seed stands for: machines, one application in three dialects, and a script of operations
//! and faults.

mod app;
mod kept;
mod step;

use std::sync::Arc;

use crate::base::rng::{Seed, Stream};
use crate::base::time::{SimDuration, SimTime};

use app::App;
use kept::Kept;

/// A whole experiment.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed that it stands for.
    pub seed: Seed,
    /// Worker machines.
    pub nodes: u32,
    /// Managers of Swarm.
    pub managers: u32,
    /// The same application for each orchestrator.
    pub files: Vec<(String, Arc<str>)>,
    /// Console lines and when each is said, in order of time.
    pub script: Vec<(SimTime, String)>,
    /// When the script is over and everything is healed.
    pub end: SimTime,
    /// What an operator undoes after that, once there is a leader.
    pub restore: Vec<String>,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: Seed) -> Self {
        let mut draw = Stream::new(seed, "soak.plan", 0, 0);
        let nodes = 2 + draw.below(5);
        let managers = [1, 1, 3, 3, 5][draw.below(5) as usize];
        let mut apps: Vec<App> = Vec::new();
        for number in 0..1 + draw.below(4) {
            let app = App::draw(number, &apps, &mut draw);
            apps.push(app);
        }
        let mut script = Vec::new();
        let mut at = SimTime::ZERO + SimDuration::from_secs(u64::from(5 + draw.below(60)));
        for _ in 0..3 + draw.below(10) {
            for line in step::step(nodes, managers, &apps, &mut draw) {
                script.push((at, line));
            }
            at += SimDuration::from_millis(u64::from(100 + draw.below(120_000)));
        }
        let kept = Kept::draw(seed, nodes, &apps, at);
        script.extend(kept.lines);
        script.sort_by_key(|(at, _)| *at);
        let manifests = app::kubernetes(&apps) + &kept.manifests;
        let files = vec![
            ("kubernetes.yaml".to_owned(), manifests.into()),
            ("stack.yml".to_owned(), app::stack(&apps).into()),
            ("compose.yaml".to_owned(), app::compose(&apps).into()),
        ];
        let restore = (1..=nodes)
            .flat_map(|number| {
                [
                    format!("docker node update --availability active worker-{number}"),
                    format!("kubectl uncordon worker-{number}"),
                ]
            })
            .collect();
        Self {
            seed,
            nodes,
            managers,
            files,
            script,
            end: at,
            restore,
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
            "```cluster\nnodes {}\nmanagers {}\nseed {}\n```\n\n```sim\nkubectl apply -f kubernetes.yaml\ndocker stack deploy -c stack.yml app\ndocker compose up -d",
            self.nodes, self.managers, self.seed.0
        )?;
        for (at, line) in &self.script {
            writeln!(formatter, "at {} {line}", at.since(SimTime::ZERO))?;
        }
        writeln!(formatter, "at {} sim heal", self.end.since(SimTime::ZERO))?;
        let later = self.end + super::RESTORE_AFTER;
        for line in &self.restore {
            writeln!(formatter, "at {} {line}", later.since(SimTime::ZERO))?;
        }
        writeln!(formatter, "```")
    }
}
