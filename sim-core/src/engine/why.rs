//! Explanations, made from recorded causes only: change a timer and the explanation changes.

use crate::base::time::SimDuration;
use crate::des::queue::Seq;

use super::fault::FaultState;
use super::observe::{Outcome, RECOVERED_FOR};
use super::trace::{Entry, detail_text, line, subject_text};
use super::world::World;

/// The causal chain of the last thing that happened to `object` (`kind/name` or a name), oldest
/// first. `None` if the trace knows no such object.
pub fn why(world: &World, object: &str) -> Option<Vec<Entry>> {
    let (kind, name) = match object.split_once('/') {
        Some((kind, name)) => (Some(kind), name),
        None => (None, object),
    };
    let last = world.trace.iter().rev().find(|entry| {
        kind.is_none_or(|kind| entry.notice.subject.kind == kind)
            && entry.notice.subject.name.text(&world.symbols) == name
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

/// One sentence that names what brought service back after a fault, or why nothing did.
pub fn mechanism(world: &World, outcome: &Outcome) -> String {
    match world.observer.recovered(outcome, world.now) {
        Some((at, seq)) => recovered(world, outcome, seq, at.since(outcome.began)),
        None => match world.observer.served_since(outcome) {
            Some(at) if at > outcome.began => format!(
                "served as before since {at}, which counts when it has lasted {RECOVERED_FOR}"
            ),
            _ => unrecovered(world, outcome),
        },
    }
}

fn recovered(world: &World, outcome: &Outcome, seq: Seq, took: SimDuration) -> String {
    if took.as_micros() == 0 {
        return "service was never below what it was before the fault".to_owned();
    }
    let chain: Vec<Entry> = world
        .trace
        .chain(seq)
        .into_iter()
        .filter(|entry| entry.at >= outcome.began)
        .collect();
    let mut parts: Vec<String> = Vec::new();
    for entry in &chain {
        if let Some(rule) = entry.notice.rule {
            parts.push(format!(
                "{} {} {} after {} {}",
                entry.notice.source,
                verb(entry.notice.verb),
                subject_text(&entry.notice, &world.symbols),
                rule.key,
                rule.value
            ));
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
        let mut part = format!(
            "{} {} {}",
            last.notice.source,
            verb(last.notice.verb),
            subject_text(&last.notice, &world.symbols)
        );
        if !detail.is_empty() && detail.len() < 40 {
            part.push(' ');
            part.push_str(&detail);
        }
        parts.push(part);
    }
    if parts.is_empty() {
        return format!("served as before {took} after the fault");
    }
    format!(
        "{}: served as before {took} after the fault",
        parts.join("; then ")
    )
}

fn unrecovered(world: &World, outcome: &Outcome) -> String {
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
        None if world.pending() > 0 => format!(
            "nothing has reacted to the fault by {} ({up} of {all} machines up)",
            world.now
        ),
        None => format!(
            "nothing reacted to the fault ({up} of {all} machines up); nothing is scheduled that could"
        ),
        Some(entry) => format!(
            "not served as before by {}; the last reaction was {} {} {} at {}",
            world.now,
            entry.notice.source,
            verb(entry.notice.verb),
            subject_text(&entry.notice, &world.symbols),
            entry.at
        ),
    }
}

/// The sentence for a whole run: of its first fault that applied, or of its convergence.
pub fn run_mechanism(world: &World) -> String {
    if let Some(outcome) = world.observer.outcomes.first() {
        return mechanism(world, outcome);
    }
    if world
        .faults
        .list
        .iter()
        .any(|fault| fault.state == FaultState::NotApplicable)
    {
        return "the fault has no target in this world".to_owned();
    }
    match world.observer.converged_at {
        Some(at) => format!("converged at {at} without faults"),
        None if world.unmet() == 0 => format!("nothing was asked for by {}", world.now),
        None => format!("not converged at {}: {} unmet", world.now, world.unmet()),
    }
}

/// A verb as it reads in a sentence.
fn verb(verb: &'static str) -> &'static str {
    match verb {
        "bind" => "bound",
        "evict" => "evicted",
        "create" => "created",
        "start" | "started" => "started",
        "down" => "marked down",
        "not-ready" => "marked NotReady",
        "taint" => "tainted",
        "assign" => "assigned",
        "restart" => "restarted",
        "running" => "ran",
        "program" => "programmed",
        "update" => "updated",
        "delete" => "deleted",
        other => other,
    }
}
