//! `sim until` and `sim expect`: conditions that are waited for, or hold now.

use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::SimDuration;
use crate::console::condition::Condition;
use crate::console::{Output, Session};
use crate::engine::lab::Lab;

use super::usage;

/// Longest wait of `sim until` without `within`.
const UNTIL_DEFAULT: SimDuration = SimDuration::from_secs(600);

/// Events handled between two looks at a condition's time.
const LOOK_EVERY: SimDuration = SimDuration::from_millis(100);

/// `sim expect CONDITION`.
pub(super) fn expect(session: &Session, words: &[String]) -> Output {
    let condition = match Condition::parse(words) {
        Ok(condition) => condition,
        Err(message) => return usage(message),
    };
    let lab = session.history.lab();
    if condition.holds(lab) {
        return Output::default();
    }
    let failed = catalogue::EXPECTED.with(&[
        ("at", &session.history.now()),
        ("condition", &words.join(" ")),
    ]);
    unmet(failed, &condition, lab)
}

/// A condition that does not hold, and what is found instead.
fn unmet(failed: Sentence, condition: &Condition, lab: &Lab) -> Output {
    let mut text = Passage::from(failed).then("\n");
    for found in condition.instead(lab) {
        text = text.then("  ").then(found).then("\n");
    }
    Output::error(1, text)
}

/// `sim until CONDITION [within D]`.
pub(super) fn until(session: &mut Session, words: &[String]) -> Output {
    let (condition, within) = match words.iter().rposition(|word| word == "within") {
        Some(at) => match words.get(at + 1).map(|word| SimDuration::parse(word)) {
            Some(Ok(span)) => (&words[..at], span),
            Some(Err(message)) => return usage(message),
            None => return usage(catalogue::WITHIN.plain()),
        },
        None => (words, UNTIL_DEFAULT),
    };
    let condition = match Condition::parse(condition) {
        Ok(condition) => condition,
        Err(message) => return usage(message),
    };
    let deadline = session.history.now() + within;
    while !condition.holds(session.history.lab()) {
        let now = session.history.now();
        if now >= deadline {
            let parts: [(_, &dyn std::fmt::Display); 2] =
                [("at", &now), ("condition", &words.join(" "))];
            let failed = catalogue::TIMED_OUT.with(&parts);
            return unmet(failed, &condition, session.history.lab());
        }
        // Nothing changes between events, so the next look is at the next event or the next tick.
        let next = session
            .history
            .lab()
            .next_at()
            .unwrap_or(deadline)
            .max(now + LOOK_EVERY);
        session.history.advance_to(next.min(deadline));
    }
    Output::default()
}
