//! What a run amounts to: the rows of `compare`, `run` and `sim metrics`.

use std::sync::Arc;

use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::SortedSet;
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::manifest::value::Value;

use super::command::Orchestrator;
use super::fault::FaultState;
use super::machines::FlowFigures;
use super::observe;
use super::why::{self, Mechanism};
use super::world::World;

/// One service or workload of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceReport {
    /// Its name, without a stack's prefix.
    pub name: Arc<str>,
    /// Replicas wanted; `None`: a service of other workloads' replicas, which has no number of its own.
    pub desired: Option<u32>,
    /// Replicas that really serve at the end.
    pub ready: u32,
    /// Share of requests answered now, in millionths; `None`: nobody asks it.
    pub answered_ppm: Option<u32>,
    /// Share of all requests answered since it first answered one, in millionths.
    pub availability_ppm: Option<u32>,
    /// Time during which not every request was answered, since it first answered one.
    pub unavailable: Option<SimDuration>,
    /// That it answers nobody now and why, if it does not though something of it is wanted.
    pub silent: Option<Sentence>,
}

/// One fault of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultReport {
    /// Kind, in the vocabulary's word.
    pub kind: &'static str,
    /// Target as written.
    pub target: Arc<str>,
    /// Machines that it hit.
    pub machines: Vec<Arc<str>>,
    /// Whether this world has such a target; `None`: its time has not come.
    pub applicable: Option<bool>,
    /// When it began.
    pub at: Option<SimTime>,
    /// When the control plane's record of the target first changed.
    pub detected: Option<SimTime>,
    /// Since when every service serves as before.
    pub recovered: Option<SimTime>,
    /// What came of it, from the causal chain.
    pub mechanism: Option<Mechanism>,
}

/// A run of one orchestrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// Which.
    pub orchestrator: Orchestrator,
    /// Fingerprint.
    pub hash: String,
    /// Events handled.
    pub events: u64,
    /// The last time the run became converged, if it is.
    pub converged: Option<SimTime>,
    /// What was responsible.
    pub mechanism: Mechanism,
    /// Faults in the order of injection.
    pub faults: Vec<FaultReport>,
    /// Services in the plane's order.
    pub services: Vec<ServiceReport>,
}

impl RunReport {
    /// The report of a world as it stands.
    pub fn of(world: &World) -> Self {
        let serving = observe::serving(world);
        let mut services: Vec<ServiceReport> = world
            .workloads()
            .iter()
            .zip(serving.iter())
            .map(|(workload, (name, ready))| {
                let symbol = world.symbols.get(name);
                let flow = symbol.and_then(|name| world.flow_figures(name));
                ServiceReport {
                    name: name.clone(),
                    desired: Some(workload.desired),
                    ready: *ready,
                    answered_ppm: flow.map(|flow| flow.answered_ppm),
                    availability_ppm: flow.and_then(|flow| flow.availability_ppm),
                    unavailable: flow.map(|flow| flow.unavailable),
                    silent: symbol
                        .filter(|_| workload.desired > 0)
                        .and_then(|name| silence(world, name, flow)),
                }
            })
            .collect();
        // Services whose name is no workload's: users ask them all the same.
        let of_workloads: SortedSet<Arc<str>> = services
            .iter()
            .map(|service| service.name.clone())
            .collect();
        for symbol in world.asked_names() {
            let name = world.symbols.text(symbol);
            let Some(flow) = world.flow_figures(symbol) else {
                continue;
            };
            if !of_workloads.contains(name) {
                services.push(ServiceReport {
                    name: name.into(),
                    desired: None,
                    ready: world.answering_backends(symbol).unwrap_or(0),
                    answered_ppm: Some(flow.answered_ppm),
                    availability_ppm: flow.availability_ppm,
                    unavailable: Some(flow.unavailable),
                    silent: silence(world, symbol, Some(flow)),
                });
            }
        }
        let faults = world.faults.list.iter().enumerate().map(|(number, fault)| {
            let outcome = world
                .observer
                .outcomes
                .iter()
                .find(|outcome| outcome.number as usize == number);
            FaultReport {
                kind: fault.spec.kind.name(),
                target: fault.spec.target.clone(),
                machines: fault.machines.clone(),
                applicable: match fault.state {
                    FaultState::Scheduled => None,
                    FaultState::Active | FaultState::Ended => Some(true),
                    FaultState::NotApplicable => Some(false),
                },
                at: fault.begun,
                detected: outcome.and_then(|outcome| outcome.detected),
                recovered: outcome
                    .and_then(|outcome| world.observer.recovered(outcome, world.now))
                    .map(|(at, _)| at),
                mechanism: outcome.map(|outcome| why::mechanism(world, outcome)),
            }
        });
        Self {
            orchestrator: world.orchestrator,
            hash: world.fingerprint().hex(),
            events: world.events(),
            converged: world.observer.converged_at,
            mechanism: why::run_mechanism(world, &services),
            faults: faults.collect(),
            services,
        }
    }

    /// What is to be said of services that answer nobody, but for the one that the sentence of the
    /// run tells of. Nothing while what is wanted is not there yet.
    pub fn untold(&self) -> impl Iterator<Item = &Sentence> {
        let told = usize::from(self.mechanism.outcome.form() == catalogue::CONVERGED_SILENT);
        let settled = self.converged.is_some() || !self.faults.is_empty();
        let silent = self.services.iter().filter(move |_| settled);
        silent.filter_map(|it| it.silent.as_ref()).skip(told)
    }

    /// The report in the shape of design §3.1.
    pub fn value(&self) -> Value {
        let faults = self.faults.iter().map(|fault| {
            Value::object([
                ("kind", Value::string(fault.kind)),
                ("target", Value::string(&fault.target)),
                (
                    "machines",
                    Value::list(
                        fault
                            .machines
                            .iter()
                            .map(|name| Value::string(name))
                            .collect(),
                    ),
                ),
                (
                    "applicable",
                    fault.applicable.map_or(Value::Null, Value::Bool),
                ),
                ("at_s", seconds(fault.at)),
                ("detected_at_s", seconds(fault.detected)),
                ("recovered_at_s", seconds(fault.recovered)),
                (
                    "mechanism",
                    fault
                        .mechanism
                        .as_ref()
                        .map_or(Value::Null, |said| Value::string(&said.to_string())),
                ),
            ])
        });
        let services = self.services.iter().map(|service| {
            Value::object([
                ("name", Value::string(&service.name)),
                (
                    "desired",
                    service
                        .desired
                        .map_or(Value::Null, |desired| Value::Int(i64::from(desired))),
                ),
                ("ready", Value::Int(i64::from(service.ready))),
                (
                    "availability",
                    service
                        .availability_ppm
                        .map_or(Value::Null, |ppm| decimal(u64::from(ppm))),
                ),
                (
                    "unavailable_s",
                    service
                        .unavailable
                        .map_or(Value::Null, |span| decimal(span.as_micros())),
                ),
                (
                    "silent",
                    service
                        .silent
                        .as_ref()
                        .map_or(Value::Null, |why| Value::string(&why.to_string())),
                ),
            ])
        });
        Value::object([
            ("orchestrator", Value::string(self.orchestrator.name())),
            ("hash", Value::string(&self.hash)),
            (
                "events",
                Value::Int(i64::try_from(self.events).unwrap_or(i64::MAX)),
            ),
            ("converged_at_s", seconds(self.converged)),
            ("mechanism", Value::string(&self.mechanism.to_string())),
            ("faults", Value::list(faults.collect())),
            ("services", Value::list(services.collect())),
        ])
    }
}

/// Why a service of these figures answers nobody.
fn silence(world: &World, name: Symbol, flow: Option<FlowFigures>) -> Option<Sentence> {
    flow.filter(|flow| flow.answered_ppm == 0)
        .and_then(|_| world.silence(name))
}

/// Simulated seconds as an exact decimal number; null where it never happened.
pub fn seconds(at: Option<SimTime>) -> Value {
    at.map_or(Value::Null, |at| decimal(at.as_micros()))
}

/// `millionths` / 1,000,000 without trailing zeros.
pub fn decimal(millionths: u64) -> Value {
    let (whole, rest) = (millionths / 1_000_000, millionths % 1_000_000);
    if rest == 0 {
        return Value::Int(i64::try_from(whole).unwrap_or(i64::MAX));
    }
    let text = format!("{whole}.{rest:06}");
    Value::Number(text.trim_end_matches('0').into())
}

/// Millionths as a percentage with two places, rounded down so that 100 % means all of them.
pub fn percent(ppm: u32) -> String {
    let hundredths = ppm / 100;
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}
