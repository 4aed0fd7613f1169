//! Conditions of `sim until`, `sim expect` and `sim … within`.
//!
//! `converged`, `ready deployment/web 3`, `phase pod/x Running`, `available service/web`,
//! `node/worker-1 NotReady`, `task-state web.1 running`, `not …`, `a and b`.

use crate::api::status::WorkloadStatus;
use crate::base::sentence::{Sentence, catalogue};
use crate::engine::command::Orchestrator;
use crate::engine::lab::Lab;
use crate::engine::report::percent;
use crate::engine::world::World;
use crate::kube::kinds::of_word;

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
            [node, state] if is_node(node) => Ok(Self::Node(plain(node), (*state).to_owned())),
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
                workload(world, name).map(|it| it.ready >= count.unwrap_or(it.desired))
            }),
            Self::Phase(name, phase) => {
                any(lab, |world| self.state(world, name).map(|it| it == *phase))
            }
            Self::Available(name) => any(lab, |world| {
                answered(world, name).map(|ppm| ppm == 1_000_000)
            }),
            Self::Node(name, state) | Self::TaskState(name, state) => any(lab, |world| {
                let found = self.state(world, name)?;
                Some(found.eq_ignore_ascii_case(state))
            }),
            Self::Not(inner) => !inner.holds(lab),
            Self::And(left, right) => left.holds(lab) && right.holds(lab),
        }
    }

    /// The state of the node, task or pod that it is about, in a world that knows it.
    fn state(&self, world: &World, name: &str) -> Option<String> {
        let symbols = &world.symbols;
        let found = match (self, world.orchestrator) {
            (Self::Node(..), Orchestrator::Kubernetes) => {
                world.kube()?.node_state(name, symbols)?
            }
            (Self::Node(..), Orchestrator::Swarm) => world.swarm()?.node_state(name, symbols)?,
            (Self::TaskState(..), Orchestrator::Swarm) => {
                world.swarm()?.task_state(name, symbols)?
            }
            (Self::Phase(..), Orchestrator::Kubernetes) => world.kube()?.phase_of(name, symbols)?,
            _ => return None,
        };
        Some(found.to_owned())
    }

    /// What is found of what it is about, a sentence for each world that knows it; nothing if it
    /// holds.
    pub fn instead(&self, lab: &Lab) -> Vec<Sentence> {
        let (name, found): (&str, Vec<Sentence>) = match self {
            _ if self.holds(lab) => return Vec::new(),
            Self::Not(_) => return Vec::new(),
            Self::And(left, right) => {
                let mut both = left.instead(lab);
                both.extend(right.instead(lab));
                return both;
            }
            Self::Converged => return lab.worlds.iter().filter_map(unmet).collect(),
            Self::Ready(name, _) => (name, in_each(lab, |world| ready(world, name))),
            Self::Available(name) => (name, in_each(lab, |world| served(world, name))),
            Self::Phase(name, _) | Self::Node(name, _) | Self::TaskState(name, _) => {
                let found = |world: &World| {
                    let state = self.state(world, name)?;
                    let orchestrator = world.orchestrator.name();
                    Some(catalogue::FOUND_STATE.with(&[
                        ("world", &orchestrator),
                        ("name", name),
                        ("state", &state),
                    ]))
                };
                (name, in_each(lab, found))
            }
        };
        if found.is_empty() {
            let form = match self {
                Self::Available(_) => catalogue::FOUND_UNASKED,
                _ => catalogue::FOUND_NOTHING,
            };
            return vec![form.with(&[("name", &name)])];
        }
        found
    }
}

/// Whether a word is of a node, by any name of the kind.
fn is_node(word: &str) -> bool {
    let kind = word.split_once('/').and_then(|(kind, _)| of_word(kind));
    kind.is_some_and(|kind| kind.kind == "Node")
}

fn in_each(lab: &Lab, look: impl Fn(&World) -> Option<Sentence>) -> Vec<Sentence> {
    lab.worlds.iter().filter_map(look).collect()
}

/// What is left to do in a world, and what is in the way.
fn unmet(world: &World) -> Option<Sentence> {
    let (orchestrator, unmet) = (world.orchestrator.name(), world.unmet());
    if unmet == 0 {
        return None;
    }
    Some(match world.obstacle() {
        Some((name, what)) => catalogue::FOUND_UNMET_BY.with(&[
            ("world", &orchestrator),
            ("unmet", &unmet),
            ("name", &name),
            ("what", &what),
        ]),
        None => catalogue::FOUND_UNMET.with(&[("world", &orchestrator), ("unmet", &unmet)]),
    })
}

fn workload(world: &World, name: &str) -> Option<WorkloadStatus> {
    let mut workloads = world.workloads().into_iter();
    workloads.find(|workload| workload.name == *name)
}

fn ready(world: &World, name: &str) -> Option<Sentence> {
    let found = workload(world, name)?;
    let orchestrator = world.orchestrator.name();
    Some(catalogue::FOUND_READY.with(&[
        ("world", &orchestrator),
        ("ready", &found.ready),
        ("desired", &found.desired),
        ("name", &name),
    ]))
}

/// Share of requests that are answered, in millionths; none: nobody asks.
fn answered(world: &World, name: &str) -> Option<u32> {
    let figures = world.flow_figures(world.symbols.get(name)?)?;
    Some(figures.answered_ppm)
}

fn served(world: &World, name: &str) -> Option<Sentence> {
    let (share, orchestrator) = (answered(world, name)?, world.orchestrator.name());
    let silence = world
        .symbols
        .get(name)
        .filter(|_| share == 0)
        .and_then(|name| world.silence(name));
    Some(match silence {
        Some(silence) => catalogue::FOUND_SILENT
            .with(&[("world", &orchestrator)])
            .and("what", silence),
        None => catalogue::FOUND_ANSWERED.with(&[
            ("world", &orchestrator),
            ("share", &percent(share)),
            ("name", &name),
        ]),
    })
}

/// Holds in every world that knows the object, and at least one does.
fn any(lab: &Lab, look: impl Fn(&World) -> Option<bool>) -> bool {
    let answers: Vec<bool> = lab.worlds.iter().filter_map(look).collect();
    !answers.is_empty() && answers.into_iter().all(|answer| answer)
}
