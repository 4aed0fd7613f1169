//! What observers may see of a run: one line of the trace, kept as ids and turned into text late.
//!
//! A notice never influences the run.

use crate::base::name::{Name, Rule};
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;

/// The object a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The object's kind in its own world's words, lower case: `pod`, `node`, `task`, `container`.
    pub kind: &'static str,
    /// Its name.
    pub name: Name,
}

/// The rest of a notice's line. Closed and `Copy`: a million of them are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Nothing to add.
    None,
    /// A message.
    Text(Symbol),
    /// `-> name`: bound to, assigned to, moved to.
    To(Name),
    /// `-> name  a of b`: as `To`, chosen out of so many.
    ToOf(Name, u32, u32),
    /// `from -> to`: a number changed.
    Change(i64, i64),
    /// A number.
    Number(i64),
    /// A time span.
    Span(SimDuration),
    /// An exit code.
    Exit(i32),
}

/// One fact about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    /// Who did it, dotted, e.g. `kube.scheduler`, `swarm.dispatcher`, `substrate.machine`.
    pub source: &'static str,
    /// What it did, one word, e.g. `bind`, `evict`, `down`.
    pub verb: &'static str,
    /// To what.
    pub subject: Subject,
    /// The rest.
    pub detail: Detail,
    /// The timer or rule that this waited for, if one did.
    pub rule: Option<Rule>,
}
