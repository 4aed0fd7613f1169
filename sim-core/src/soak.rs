//! Random clusters, workloads, operations and faults: first nothing forbidden may happen, then, with
//! everything healed, every run must converge.
//!
//! ```text
//! seed ─▶ Plan (machines, manifests of three dialects, script) ─▶ play: safety at every look
//!                                                              ─▶ heal ─▶ liveness within a bound
//! ```
//! A seed is a whole experiment: what fails can be run again by its number.

pub mod plan;

use crate::base::rng::Seed;
use crate::base::time::{SimDuration, SimTime};
use crate::console::open::{Experiment, open};
use crate::engine::checks;
use crate::engine::command::Orchestrator;
use crate::engine::history::History;
use crate::engine::world::World;
use crate::swarm::SwarmPlane;
use crate::swarm::state::{TaskState, UpdateState};

use plan::Plan;

/// Time between two looks at the invariants.
const LOOK: SimDuration = SimDuration::from_secs(5);

/// How long a healed cluster may take. The longest single wait of the modelled defaults is the
/// kubelet's back-off of five minutes; eviction after a late fault takes another six.
pub const LIVENESS_WITHIN: SimDuration = SimDuration::from_secs(30 * 60);

/// From healing to the operator's return: by then there is a leader again.
const RESTORE_AFTER: SimDuration = SimDuration::from_secs(120);

/// Why a seed failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// Simulated time at which it showed.
    pub at: SimTime,
    /// Which check, and what it saw.
    pub what: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "seed {} of version {} at {}: {}",
            self.seed,
            env!("CARGO_PKG_VERSION"),
            self.at,
            self.what
        )
    }
}

/// What one seed's run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Events of all worlds.
    pub events: u64,
    /// Simulated time at which the slowest world had converged.
    pub converged: SimTime,
}

/// Plays one seed to its end.
///
/// # Errors
/// The first breach of an invariant, a refused set-up, or a world that does not converge.
pub fn run(seed: u64) -> Result<Summary, Box<Failure>> {
    let plan = Plan::new(Seed(seed));
    let mut experiment = Experiment::new(Seed(seed));
    experiment.nodes = plan.nodes;
    experiment.managers = plan.managers;
    experiment.files = plan.files.clone();
    let fail = |at: SimTime, what: String| Box::new(Failure { seed, at, what });
    let mut opened = open(&experiment).map_err(|error| fail(SimTime::ZERO, error.to_string()))?;
    if let Some((_, problem)) = opened.diagnostics().find(|_| !opened.valid()) {
        return Err(fail(
            SimTime::ZERO,
            format!("the plan's own manifests are refused: {problem:?}"),
        ));
    }
    let output = opened.deploy();
    if output.code != 0 {
        return Err(fail(SimTime::ZERO, format!("deploy: {}", &*output.stderr)));
    }
    let mut session = opened.session;
    // Operations must not stop the clock: what does not exist on one plane is refused there, in words.
    session.wait = false;
    let breach = |(at, what)| fail(at, what);
    for (at, line) in &plan.script {
        watch(&mut session.history, *at).map_err(breach)?;
        session.run(line);
    }
    watch(&mut session.history, plan.end).map_err(breach)?;
    session.run("sim heal");
    watch(&mut session.history, plan.end + RESTORE_AFTER).map_err(breach)?;
    for line in &plan.restore {
        session.run(line);
    }
    let deadline = plan.end + LIVENESS_WITHIN;
    while !session.history.lab().worlds.iter().all(settled) {
        let now = session.history.now();
        if now >= deadline {
            return Err(fail(now, stuck(&session.history)));
        }
        // A Compose command that failed, or that nobody types again, is repeated by a person only.
        let compose = session.history.lab().world(Orchestrator::Compose);
        let repeat = compose.is_some_and(|world| {
            world.unmet() > 0
                && world
                    .compose()
                    .is_some_and(|plane| plane.waits_for_person())
        });
        if repeat {
            session.run("docker compose up -d");
        }
        watch(&mut session.history, now + SimDuration::from_secs(30)).map_err(breach)?;
    }
    let history = &session.history;
    let converged = history
        .lab()
        .worlds
        .iter()
        .filter_map(|world| world.observer.converged_at)
        .max()
        .unwrap_or(SimTime::ZERO);
    Ok(Summary {
        events: history.lab().events(),
        converged,
    })
}

/// Lets time pass and looks at the invariants on the way.
fn watch(history: &mut History, until: SimTime) -> Result<(), (SimTime, String)> {
    while history.now() < until {
        let next = (history.now() + LOOK).min(until);
        history.advance_to(next);
        for world in &history.lab().worlds {
            if let Some(breach) = checks::breaches(world).into_iter().next() {
                return Err((
                    history.now(),
                    format!("{}: {breach}", world.orchestrator.name()),
                ));
            }
        }
    }
    Ok(())
}

/// Whether nothing is left to do that the orchestrator would do by itself.
fn settled(world: &World) -> bool {
    world.unmet() == world.swarm().map_or(0, waits_for_person)
}

/// What Swarm's services miss and will go on missing until somebody acts:
/// - an update or rollback that a failure has paused stays half-done;
/// - a task that found no node, and whose service was updated meanwhile, is not tried again: the
///   scheduler keeps only tasks of the service's present revision
///   (`manager/scheduler/scheduler.go` noSuitableNode);
/// - a task that ended and that its restart policy does not replace leaves its slot empty;
/// - a slot that was still being scaled away when it was wanted again is not made;
/// - an update of a global service that was asked for while no node was up is carried out by the nodes
///   as they come, and its status stays as it was (`manager/orchestrator/global/global.go`).
fn waits_for_person(plane: &SwarmPlane) -> u64 {
    plane
        .store
        .services()
        .map(|(id, service)| {
            let paused = service.update_status.as_ref().is_some_and(|status| {
                matches!(
                    status.state,
                    UpdateState::Paused | UpdateState::RollbackPaused
                )
            });
            let tasks = service.slots.values().flatten();
            let forgotten = tasks
                .filter_map(|task| plane.store.tasks.get(*task))
                .filter(|task| {
                    task.state == TaskState::Pending
                        && task.node.is_none()
                        && task.template != service.template
                })
                .count() as u64;
            if paused || forgotten > 0 {
                u64::from(service.unmet())
            } else {
                // Slots beyond the number of replicas are nobody's loss.
                let missing = service.wanted.saturating_sub(service.counts.good);
                let status = u32::from(plane.is_status_left(id));
                u64::from((plane.given_up(id) + plane.overlooked(id)).min(missing) + status)
            }
        })
        .sum()
}

/// Which workloads of which world miss what.
fn stuck(history: &History) -> String {
    let mut text = String::from("not converged after healing:");
    for world in &history.lab().worlds {
        for workload in world.workloads() {
            if workload.unmet > 0 {
                text.push_str(&format!(
                    " {} {}/{} wants {}, has {}, misses {};",
                    world.orchestrator.name(),
                    workload.kind,
                    workload.name,
                    workload.desired,
                    workload.ready,
                    workload.unmet
                ));
            }
        }
        if let Some(plane) = world.swarm() {
            tasks_of_unmet(plane, &mut text);
        }
        if world.unmet() > 0 {
            text.push_str(&format!(
                " {}: distance {}",
                world.orchestrator.name(),
                world.unmet()
            ));
        }
    }
    text
}

/// The tasks of Swarm's services that miss something.
fn tasks_of_unmet(plane: &SwarmPlane, text: &mut String) {
    for (id, service) in plane.store.services() {
        if service.unmet() == 0 {
            continue;
        }
        let given_up = plane.given_up(id);
        let status = service.update_status.as_ref();
        let status = status.map_or("none", |status| status.state.word());
        text.push_str(&format!(
            " {} ({}, given up {given_up}, update {status}):",
            service.spec.name, service.wanted
        ));
        for (slot, tasks) in &service.slots {
            for row in tasks.iter().filter_map(|task| plane.store.tasks.get(*task)) {
                text.push_str(&format!(
                    " {slot}={}/{}",
                    row.desired.word(),
                    row.state.word()
                ));
            }
        }
        text.push(';');
    }
}
