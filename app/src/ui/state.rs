//! State groups as glyph, class and word: colour is never alone.

use sim_core::protocol::StateGroup;

use crate::text::Text;

/// All groups, in the order of the legend.
pub const GROUPS: [StateGroup; 7] = [
    StateGroup::Ready,
    StateGroup::Progressing,
    StateGroup::Pending,
    StateGroup::Terminating,
    StateGroup::Failed,
    StateGroup::Unknown,
    StateGroup::Completed,
];

/// The worst first.
pub const WORST: [StateGroup; 7] = [
    StateGroup::Failed,
    StateGroup::Unknown,
    StateGroup::Pending,
    StateGroup::Terminating,
    StateGroup::Progressing,
    StateGroup::Ready,
    StateGroup::Completed,
];

/// What of it there is, in words: `✓ 12 ready, ✕ 1 failed`.
#[must_use]
pub fn counted(counts: &[u32; 7], t: Text) -> String {
    let words: Vec<String> = GROUPS
        .iter()
        .map(|group| (group, counts[*group as usize]))
        .filter(|(_, count)| *count > 0)
        .map(|(group, count)| format!("{} {count} {}", glyph(*group), word(*group, t)))
        .collect();
    words.join(", ")
}

/// The glyph of a group.
#[must_use]
pub const fn glyph(group: StateGroup) -> &'static str {
    match group {
        StateGroup::Ready => "✓",
        StateGroup::Progressing => "◔",
        StateGroup::Pending => "○",
        StateGroup::Terminating => "◌",
        StateGroup::Failed => "✕",
        StateGroup::Unknown => "?",
        StateGroup::Completed => "■",
    }
}

/// The class that carries its colour and pattern.
#[must_use]
pub const fn class(group: StateGroup) -> &'static str {
    match group {
        StateGroup::Ready => "state-ready",
        StateGroup::Progressing => "state-progressing",
        StateGroup::Pending => "state-pending",
        StateGroup::Terminating => "state-terminating",
        StateGroup::Failed => "state-failed",
        StateGroup::Unknown => "state-unknown",
        StateGroup::Completed => "state-completed",
    }
}

/// The word for a group.
#[must_use]
pub fn word(group: StateGroup, t: Text) -> &'static str {
    match group {
        StateGroup::Ready => t.state_ready(),
        StateGroup::Progressing => t.state_progressing(),
        StateGroup::Pending => t.state_pending(),
        StateGroup::Terminating => t.state_terminating(),
        StateGroup::Failed => t.state_failed(),
        StateGroup::Unknown => t.state_unknown(),
        StateGroup::Completed => t.state_completed(),
    }
}
