//! The clock, the stretch of time that is shown, and marks on it.

use sim_core::protocol::Request;

use super::{Control, SPEEDS, ZOOM_MIN_US};
use crate::model::Action;

impl Control {
    /// Shows less of the time, more of it, or what is before or behind.
    pub fn zoom(&self, closer: Option<bool>, forward: bool) {
        let model = self.model();
        let (length, now) = (model.shown.clock.length_us, model.shown.clock.now_us);
        let (from, to) = model.window();
        let width = to.saturating_sub(from);
        let next = match closer {
            Some(true) => (width / 2).max(ZOOM_MIN_US),
            Some(false) => width.saturating_mul(2),
            None => width,
        };
        let start = match closer {
            // Now stays where it is.
            Some(_) => {
                let share = u128::from(now.saturating_sub(from)) * u128::from(next);
                let before = share / u128::from(width.max(1));
                now.saturating_sub(u64::try_from(before).unwrap_or(0))
            }
            None if forward => from.saturating_add(width / 4),
            None => from.saturating_sub(width / 4),
        };
        let start = start.min(length.saturating_sub(next));
        self.act(Action::Zoom((next < length).then(|| (start, start + next))));
    }

    /// Keeps this moment, under what happened last.
    pub fn bookmark(&self) {
        let model = self.model();
        let last = model.shown.events.last();
        let text = last.map_or_else(String::new, |line| {
            format!("{} {}", line.verb, line.subject)
        });
        self.act(Action::Bookmark(model.shown.clock.now_us, Some(text)));
    }

    /// Chooses a stretch to play again and again; one that snaps ends at what is known to have happened.
    pub fn choose_range(&self, one: u64, other: u64, snaps: bool) {
        let model = self.model();
        let events = model.shown.events.iter().map(|line| line.at_us);
        let faults = model.shown.faults.iter().map(|fault| fault.begun_us);
        let known: Vec<u64> = events.chain(faults).collect();
        let snap = |at: u64| {
            let nearest = known.iter().copied().min_by_key(|known| known.abs_diff(at));
            nearest.filter(|_| snaps).unwrap_or(at)
        };
        let (from, to) = (snap(one.min(other)), snap(one.max(other)));
        if from < to {
            self.act(Action::Range(Some((from, Some(to)))));
        }
    }

    /// Begins a stretch here, ends it here, or gives it up.
    pub fn mark_range(&self) {
        let model = self.model();
        let now = model.shown.clock.now_us;
        let next = match model.range {
            None => Some((now, None)),
            Some((from, None)) if now != from => Some((from.min(now), Some(from.max(now)))),
            Some(_) => None,
        };
        self.act(Action::Range(next));
    }

    /// Lets the clock run.
    pub fn play(&self) {
        self.send(&Request::Run {
            speed_milli: *self.0.speed.borrow(),
        });
    }

    /// Starts or stops the clock.
    pub fn toggle(&self) {
        if self.model().shown.clock.playing {
            self.send(&Request::Pause)
        } else {
            self.play()
        }
    }

    /// The speed asked for.
    #[must_use]
    pub fn speed(&self) -> u64 {
        *self.0.speed.borrow()
    }

    /// Another speed; a clock that runs goes on with it.
    pub fn set_speed(&self, speed_milli: u64) {
        *self.0.speed.borrow_mut() = speed_milli;
        if self.model().shown.clock.playing {
            self.play()
        } else {
            self.act(Action::Settle)
        }
    }

    /// The next slower or faster speed.
    pub fn change_speed(&self, faster: bool) {
        let now = self.speed();
        let next = if faster {
            SPEEDS.iter().find(|speed| **speed > now)
        } else {
            SPEEDS.iter().rev().find(|speed| **speed < now)
        };
        if let Some(next) = next {
            self.set_speed(*next);
        }
    }

    /// Goes to a time.
    pub fn seek(&self, at_us: u64) {
        self.send(&Request::Seek(at_us));
    }

    /// Goes some way from the present.
    pub fn seek_by(&self, us: i64) {
        self.seek(self.model().shown.clock.now_us.saturating_add_signed(us));
    }
}
