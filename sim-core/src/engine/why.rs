//! Explanations, made from recorded causes only: change a timer and the explanation changes.

use std::fmt;

use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::SimDuration;
use crate::des::queue::Seq;

use super::fault::FaultState;
use super::observe::{Outcome, RECOVERED_FOR};
use super::report::ServiceReport;
use super::trace::{Entry, detail_text, line, subject_text};
use super::world::World;

/// The causal chain of the last thing that happened to `object` (`kind/name`, the kind in any of its
/// words, or a name), oldest first. `None` if the trace knows no such object.
pub fn why(world: &World, object: &str) -> Option<Vec<Entry>> {
    let (kind, name) = match object.split_once('/') {
        Some((kind, name)) => (Some(world.trace_kind(kind)), name),
        None => (None, object),
    };
    let last = world.trace.iter().rev().find(|entry| {
        let subject = &entry.notice.subject;
        subject.name.text(&world.symbols) == name
            && kind
                .is_none_or(|kind| subject.kind == kind || world.trace_kind(subject.kind) == kind)
    })?;
    let mut chain = world.trace.chain(last.seq);
    // The chain ends with the event's representative; the object's own line may be another of it.
    if let Some(end) = chain.last_mut() {
        *end = *last;
    }
    Some(chain)
}

/// The chain as text, one line an entry, with the wait before each.
pub fn why_text(world: &World, chain: &[Entry]) -> String {
    let mut text = String::new();
    for (index, entry) in chain.iter().enumerate() {
        let wait = match index.checked_sub(1).and_then(|before| chain.get(before)) {
            Some(before) => entry.at.since(before.at),
            None => SimDuration::from_micros(0),
        };
        text.push_str(&format!(
            "{:>10}  {}\n",
            format!("+{wait}"),
            line(entry, &world.symbols)
        ));
    }
    text
}

/// What came of a fault, and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mechanism {
    /// What came of it.
    pub outcome: Sentence,
    /// Who did what on the way, in order; empty: nothing to tell.
    pub steps: Vec<Sentence>,
}

impl Mechanism {
    const fn of(outcome: Sentence) -> Self {
        Self {
            outcome,
            steps: Vec::new(),
        }
    }
}

impl fmt::Display for Mechanism {
    /// One sentence in English: the steps, then the outcome.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps.iter().enumerate() {
            formatter.write_str(if place == 0 { "" } else { "; then " })?;
            write!(formatter, "{step}")?;
        }
        formatter.write_str(if self.steps.is_empty() { "" } else { ": " })?;
        write!(formatter, "{}", self.outcome)
    }
}

/// Names what brought service back after a fault, or why nothing did.
pub fn mechanism(world: &World, outcome: &Outcome) -> Mechanism {
    match world.observer.recovered(outcome, world.now) {
        Some((at, seq)) => recovered(world, outcome, seq, at.since(outcome.began)),
        None => match world.observer.served_since(outcome) {
            Some(at) if at > outcome.began => Mechanism::of(
                catalogue::SERVED_SINCE.with(&[("at", &at), ("long", &RECOVERED_FOR)]),
            ),
            _ => Mechanism::of(unrecovered(world, outcome)),
        },
    }
}

fn recovered(world: &World, outcome: &Outcome, seq: Seq, took: SimDuration) -> Mechanism {
    if took.as_micros() == 0 {
        return Mechanism::of(catalogue::NEVER_BELOW.plain());
    }
    let chain: Vec<Entry> = world
        .trace
        .chain(seq)
        .into_iter()
        .filter(|entry| entry.at >= outcome.began)
        .collect();
    let mut steps: Vec<Sentence> = Vec::new();
    for entry in &chain {
        if let Some(rule) = entry.notice.rule {
            let subject = subject_text(&entry.notice, &world.symbols);
            let rule = format!("{} {}", rule.key, rule.value);
            steps.push(step(entry, &subject, Some(&rule)));
        }
    }
    let last = chain
        .iter()
        .rev()
        .find(|entry| !matches!(entry.notice.source, "substrate.users"));
    if let Some(last) = last
        && last.notice.rule.is_none()
    {
        let detail = detail_text(&last.notice, &world.symbols);
        let mut subject = subject_text(&last.notice, &world.symbols);
        if !detail.is_empty() && detail.len() < 40 {
            subject.push(' ');
            subject.push_str(&detail);
        }
        steps.push(step(last, &subject, None));
    }
    Mechanism {
        outcome: catalogue::SERVED.with(&[("took", &took)]),
        steps,
    }
}

fn step(entry: &Entry, subject: &str, rule: Option<&str>) -> Sentence {
    let source: (&str, &dyn fmt::Display) = ("source", &entry.notice.source);
    let done = match rule {
        Some(rule) => catalogue::STEP_AFTER.with(&[source, ("subject", &subject), ("rule", &rule)]),
        None => catalogue::STEP.with(&[source, ("subject", &subject)]),
    };
    done.and("verb", verb(entry.notice.verb))
}

fn unrecovered(world: &World, outcome: &Outcome) -> Sentence {
    let (up, all) = world.machines_up();
    let followed: Vec<&Entry> = world
        .trace
        .iter()
        .rev()
        .filter(|entry| {
            entry.at >= outcome.began
                && entry.seq != outcome.began_seq
                && !entry.notice.source.starts_with("substrate")
                && entry.notice.source != "fault"
        })
        .take(256)
        .collect();
    let reaction = followed.iter().find(|entry| {
        world
            .trace
            .chain(entry.seq)
            .first()
            .is_some_and(|root| root.seq == outcome.began_seq)
    });
    match reaction {
        None if world.pending() > 0 => {
            catalogue::NOT_REACTED_YET.with(&[("now", &world.now), ("up", &up), ("all", &all)])
        }
        None => catalogue::NOT_REACTED.with(&[("up", &up), ("all", &all)]),
        Some(entry) => {
            let subject = subject_text(&entry.notice, &world.symbols);
            catalogue::NOT_SERVED
                .with(&[("now", &world.now), ("at", &entry.at)])
                .and("step", step(entry, &subject, None))
        }
    }
}

/// The sentence for a whole run: of its first fault that applied, or of its convergence.
pub fn run_mechanism(world: &World, services: &[ServiceReport]) -> Mechanism {
    if let Some(outcome) = world.observer.outcomes.first() {
        return mechanism(world, outcome);
    }
    if world
        .faults
        .list
        .iter()
        .any(|fault| fault.state == FaultState::NotApplicable)
    {
        return Mechanism::of(catalogue::NO_TARGET.plain());
    }
    let now = world.now;
    Mechanism::of(match world.observer.converged_at {
        Some(at) => match services.iter().find_map(|it| it.silent.as_ref()) {
            Some(silent) => catalogue::CONVERGED_SILENT
                .with(&[("at", &at)])
                .and("what", silent.clone()),
            None => catalogue::CONVERGED.with(&[("at", &at)]),
        },
        None if world.unmet() == 0 => catalogue::NOTHING_ASKED.with(&[("now", &now)]),
        None => match world.obstacle() {
            Some((name, what)) => catalogue::NOT_CONVERGED_BY.with(&[
                ("now", &now),
                ("unmet", &world.unmet()),
                ("name", &name),
                ("what", &what),
            ]),
            None => catalogue::NOT_CONVERGED.with(&[("now", &now), ("unmet", &world.unmet())]),
        },
    })
}

/// A verb as it reads in a sentence.
fn verb(verb: &'static str) -> Sentence {
    let form = match verb {
        "bind" => catalogue::VERB_BIND,
        "evict" => catalogue::VERB_EVICT,
        "create" => catalogue::VERB_CREATE,
        "start" | "started" => catalogue::VERB_START,
        "down" => catalogue::VERB_DOWN,
        "not-ready" => catalogue::VERB_NOT_READY,
        "taint" => catalogue::VERB_TAINT,
        "assign" => catalogue::VERB_ASSIGN,
        "restart" => catalogue::VERB_RESTART,
        "running" => catalogue::VERB_RUN,
        "program" => catalogue::VERB_PROGRAM,
        "update" => catalogue::VERB_UPDATE,
        "delete" => catalogue::VERB_DELETE,
        // As the trace has it.
        other => return Sentence::quoted(other),
    };
    form.plain()
}
