//! Commands that print what comes until somebody interrupts them. Nobody does here: they are ended
//! after some simulated time, and say so.

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimDuration;
use crate::console::{Output, Session};

/// How long is followed.
pub const SPAN: SimDuration = SimDuration::from_secs(10);

/// Lets the time pass that is followed, or less if `over`, asked every step, says that nothing more
/// will come.
pub fn pass(session: &mut Session, mut over: impl FnMut(&Session) -> bool) {
    const STEP: SimDuration = SimDuration::from_millis(200);
    if !session.wait {
        return;
    }
    let deadline = session.history.now() + SPAN;
    while session.history.now() < deadline && !over(session) {
        let next = (session.history.now() + STEP).min(deadline);
        session.history.advance_to(next);
    }
}

/// Adds the sentence that says how long was followed.
pub fn note(output: &mut Output) {
    note_in(&mut output.stderr);
}

/// The same to a standard error that is not yet an output's.
pub fn note_in(stderr: &mut Passage) {
    stderr.push(catalogue::FOLLOWED.with(&[("long", &SPAN)]));
    stderr.push("\n");
}
