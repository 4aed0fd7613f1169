//! Numbered choices: where the real systems leave an order open.
//!
//! An ordinary run takes the default everywhere and pays nothing for the question. A search turns
//! choices on: a recording tells it which there were, and a script overrides single ones by their
//! ordinal. Both count alike, so an ordinal of a recording names the same choice in a scripted run,
//! up to the first override.

use std::sync::Arc;

use crate::base::limits::MAX_CHOICES_RECORDED;
use crate::base::sorted::SortedMap;
use crate::des::fingerprint::Fingerprint;

/// One choice that a run made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// What was chosen, e.g. `scheduler-tie`.
    pub point: &'static str,
    /// How many ways there were.
    pub arity: u32,
    /// The way taken, below `arity`.
    pub taken: u32,
}

/// The choices of a run: how many there were, their hash and, if wanted, their list.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    count: u64,
    run: Fingerprint,
    /// Ordinal of a choice to the way it is to take.
    script: Arc<SortedMap<u64, u32>>,
    record: Option<Vec<Choice>>,
    active: bool,
}

impl Choices {
    /// Every choice takes its default; nothing is recorded.
    pub fn new() -> Self {
        Self::default()
    }

    /// The choices with these ordinals (0 is the run's first) go another way; all others take the
    /// default.
    pub fn scripted(script: SortedMap<u64, u32>) -> Self {
        Self {
            script: Arc::new(script),
            active: true,
            ..Self::default()
        }
    }

    /// Whether choices are counted at all. Where they are not, a point may skip finding out how many
    /// ways there are.
    pub const fn active(&self) -> bool {
        self.active
    }

    /// Keeps a list of choices from now on, up to [`MAX_CHOICES_RECORDED`].
    pub fn start_recording(&mut self) {
        self.active = true;
        self.record.get_or_insert_default();
    }

    /// Chooses one of `arity` ways at `point`: what the script says (its remainder by `arity`, as
    /// an earlier override may have changed what there is to choose), else `default`.
    /// Panics unless `default < arity`.
    pub fn choose(&mut self, point: &'static str, arity: u32, default: u32) -> u32 {
        assert!(default < arity, "default {default} of {arity} ways");
        if !self.active {
            return default;
        }
        let scripted = self.script.get(&self.count);
        let taken = scripted.map_or(default, |way| way % arity);
        let choice = Choice {
            point,
            arity,
            taken,
        };
        self.count += 1;
        self.run.fold(&choice);
        if let Some(record) = &mut self.record
            && record.len() < MAX_CHOICES_RECORDED
        {
            record.push(choice);
        }
        taken
    }

    /// How many choices were made.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Hash of all choices made.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.run
    }

    /// The recorded choices, oldest first; empty without a recording.
    pub fn recorded(&self) -> &[Choice] {
        self.record.as_deref().unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_taken_unless_the_script_says_otherwise() {
        let mut plain = Choices::new();
        let mut scripted = Choices::scripted(SortedMap::from([(1, 2), (2, 5)]));
        scripted.start_recording();
        let run = |choices: &mut Choices| {
            [(4, 0), (3, 1), (2, 0)].map(|(n, d)| choices.choose("nine", n, d))
        };
        assert_eq!(run(&mut plain), [0, 1, 0]);
        assert_eq!(run(&mut scripted), [0, 2, 1]);
        assert_eq!(
            (plain.count(), scripted.count()),
            (0, 3),
            "off unless asked for"
        );
        assert!(plain.recorded().is_empty());
        assert_eq!(
            scripted.recorded()[1],
            Choice {
                point: "nine",
                arity: 3,
                taken: 2
            }
        );
    }

    #[test]
    fn a_recording_is_bounded() {
        let mut choices = Choices::new();
        choices.start_recording();
        for _ in 0..MAX_CHOICES_RECORDED + 1 {
            choices.choose("one", 2, 0);
        }
        assert_eq!(choices.recorded().len(), MAX_CHOICES_RECORDED);
        assert_eq!(choices.count() as usize, MAX_CHOICES_RECORDED + 1);
    }
}
