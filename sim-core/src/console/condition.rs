//! Conditions of `sim until`, `sim expect` and `sim … within`.
//!
//! `converged`, `ready deployment/web 3`, `phase pod/x Running`, `available service/web`,
//! `node/worker-1 NotReady`, `task-state web.1 running`, `not …`, `a and b`.

use crate::base::sentence::{Sentence, catalogue};
use crate::engine::command::Orchestrator;
use crate::engine::lab::Lab;
use crate::engine::world::World;

/// A parsed condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is left to do in any world.
    Converged,
    /// A workload has at least so many ready replicas (all it wants, if no number is given).
    Ready(String, Option<u32>),
    /// A pod is in a phase.
    Phase(String, String),
    /// Every request to a service is answered.
    Available(String),
    /// A node is in a state, in the orchestrator's own word.
    Node(String, String),
    /// A Swarm task is in a state.
    TaskState(String, String),
    /// It does not hold.
    Not(Box<Condition>),
    /// Both hold.
    And(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// Reads a condition from words.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(words: &[String]) -> Result<Self, Sentence> {
        if let Some(at) = words.iter().position(|word| word == "and") {
            let left = Self::parse(&words[..at])?;
            let right = Self::parse(&words[at + 1..])?;
            return Ok(Self::And(Box::new(left), Box::new(right)));
        }
        let plain = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["not", rest @ ..] => {
                let rest: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
                Ok(Self::Not(Box::new(Self::parse(&rest)?)))
            }
            ["converged"] => Ok(Self::Converged),
            ["ready", workload] => Ok(Self::Ready(plain(workload), None)),
            ["ready", workload, count] => match count.parse() {
                Ok(count) => Ok(Self::Ready(plain(workload), Some(count))),
                Err(_) => Err(catalogue::NO_REPLICA_COUNT.with(&[("word", count)])),
            },
            ["phase", pod, phase] => Ok(Self::Phase(plain(pod), (*phase).to_owned())),
            ["available", service] => Ok(Self::Available(plain(service))),
            ["task-state", task, state] => {
                Ok(Self::TaskState((*task).to_owned(), (*state).to_owned()))
            }
            [node, state] if node.starts_with("node/") => {
                Ok(Self::Node(plain(node), (*state).to_owned()))
            }
            _ => Err(catalogue::CONDITION_UNKNOWN
                .with(&[("word", &words.join(" "))])
                .advise(catalogue::KNOWN.with(&[(
                    "names",
                    &"converged, ready KIND/NAME [N], phase pod/NAME PHASE, available service/NAME, node/NAME STATE, task-state TASK STATE, not …, … and …",
                )]))),
        }
    }

    /// Whether it holds now.
    pub fn holds(&self, lab: &Lab) -> bool {
        match self {
            Self::Converged => lab.converged(),
            Self::Ready(name, count) => any(lab, |world| {
                world
                    .workloads()
                    .iter()
                    .find(|workload| workload.name == *name)
                    .map(|workload| match count {
                        Some(count) => {
                            workload.ready >= *count && workload.ready > 0
                                || *count == 0 && workload.ready == 0
                        }
                        None => workload.ready >= workload.desired,
                    })
            }),
            Self::Phase(name, phase) => lab
                .world(Orchestrator::Kubernetes)
                .and_then(|world| world.kube()?.phase_of(name, &world.symbols))
                .is_some_and(|found| found == phase),
            Self::Available(name) => any(lab, |world| {
                let symbol = world.symbols.get(name)?;
                world
                    .flow_figures(symbol)
                    .map(|figures| figures.answered_ppm)
                    .map(|answered| answered == 1_000_000)
            }),
            Self::Node(name, state) => any(lab, |world| match world.orchestrator {
                Orchestrator::Kubernetes => world
                    .kube()?
                    .node_state(name, &world.symbols)
                    .map(|found| found.eq_ignore_ascii_case(state)),
                Orchestrator::Swarm => world
                    .swarm()?
                    .node_state(name, &world.symbols)
                    .map(|found| found.eq_ignore_ascii_case(state)),
                Orchestrator::Compose => None,
            }),
            Self::TaskState(name, state) => lab
                .world(Orchestrator::Swarm)
                .and_then(|world| world.swarm()?.task_state(name, &world.symbols))
                .is_some_and(|found| found.eq_ignore_ascii_case(state)),
            Self::Not(inner) => !inner.holds(lab),
            Self::And(left, right) => left.holds(lab) && right.holds(lab),
        }
    }
}

/// Holds in every world that knows the object, and at least one does.
fn any(lab: &Lab, look: impl Fn(&World) -> Option<bool>) -> bool {
    let answers: Vec<bool> = lab.worlds.iter().filter_map(look).collect();
    !answers.is_empty() && answers.into_iter().all(|answer| answer)
}
