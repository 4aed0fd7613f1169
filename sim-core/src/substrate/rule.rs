//! Standing faults: rules with ids, consulted in the order of their ids until they are lifted.

use std::sync::Arc;

use crate::base::time::SimDuration;

use super::image::ImageRef;
use super::net::wire::Wire;
use super::order::{MachineId, PullError, SandboxId};
use super::{Scope, Substrate};

/// Names a standing fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// Machines on one side of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The machines.
    pub machines: Vec<MachineId>,
    /// Whether the users are on this side too.
    pub users: bool,
}

/// A fault that stands until it is lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing passes between the two sides. Whoever is on neither reaches both; users reach every
    /// machine unless they are named.
    Partition {
        /// One side.
        a: Side,
        /// The other.
        b: Side,
    },
    /// Packets between the two sides take longer or get lost, either way; without another side,
    /// those that the one side's machine sends.
    Shape {
        /// One side.
        a: Side,
        /// The other.
        b: Option<Side>,
        /// What happens to them.
        wire: Wire,
    },
    /// Packets that a sandbox sends take longer or get lost.
    ShapeSandbox {
        /// Whose.
        sandbox: SandboxId,
        /// What happens to them.
        wire: Wire,
        /// Hash that their luck grows from.
        luck: u64,
    },
    /// A machine's disk is slower than it should be.
    DiskSlow {
        /// Whose.
        machine: MachineId,
        /// Bytes per second at most.
        rate: u64,
        /// How much longer each request takes.
        delay: SimDuration,
    },
    /// The registries answer nobody.
    RegistryDown,
    /// The registries send so many bytes per second to each machine, for transfers that begin while
    /// the rule stands.
    RegistrySlow {
        /// Bytes per second.
        rate: u64,
    },
    /// These images cannot be had: without tag and digest in `image`, the whole repository.
    ImageMissing {
        /// The reference as written.
        image: Arc<str>,
    },
}

impl Substrate {
    /// Puts a rule into force.
    pub fn add_rule(&mut self, rule: Rule, scope: &mut Scope<'_>) -> RuleId {
        let id = RuleId(self.next_rule);
        self.next_rule += 1;
        self.before_shaping(&rule, scope.now);
        let rule = Arc::new(rule);
        self.rules.insert(id, rule.clone());
        self.rule_changed(&rule, scope);
        id
    }

    /// Lifts a rule; false if it does not stand.
    pub fn remove_rule(&mut self, id: RuleId, scope: &mut Scope<'_>) -> bool {
        let Some(rule) = self.rules.get(&id).cloned() else {
            return false;
        };
        self.before_shaping(&rule, scope.now);
        self.rules.remove(&id);
        self.rule_changed(&rule, scope);
        true
    }

    fn rule_changed(&mut self, rule: &Rule, scope: &mut Scope<'_>) {
        match rule {
            Rule::Partition { .. } | Rule::Shape { .. } => self.links_changed(scope),
            Rule::ShapeSandbox { sandbox, .. } => self.sandbox_shaped(*sandbox, scope),
            Rule::DiskSlow { .. }
            | Rule::RegistryDown
            | Rule::RegistrySlow { .. }
            | Rule::ImageMissing { .. } => {}
        }
        self.settle(scope);
    }

    /// Rules in force, in the order in which they are consulted.
    pub fn rules(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        self.rules.iter().map(|(id, rule)| (*id, rule.as_ref()))
    }

    /// What the rules say to a pull: the first that objects decides.
    pub(super) fn pull_objection(&self, image: &ImageRef) -> Option<PullError> {
        self.rules.values().find_map(|rule| match rule.as_ref() {
            Rule::RegistryDown => Some(PullError::RegistryDown),
            Rule::ImageMissing { image: missing } => {
                let whole_repository = !missing
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .contains([':', '@']);
                let missing = ImageRef::parse(missing)?;
                let hit = missing.repository() == image.repository()
                    && (whole_repository || missing.canonical() == image.canonical());
                hit.then_some(if whole_repository {
                    PullError::Denied
                } else {
                    PullError::ManifestUnknown
                })
            }
            Rule::Partition { .. }
            | Rule::Shape { .. }
            | Rule::ShapeSandbox { .. }
            | Rule::DiskSlow { .. }
            | Rule::RegistrySlow { .. } => None,
        })
    }

    /// Bytes per second at which registries send now; none: as fast as the line allows.
    pub(super) fn pull_rate(&self) -> Option<u64> {
        self.rules.values().find_map(|rule| match rule.as_ref() {
            Rule::RegistrySlow { rate } => Some(*rate),
            Rule::RegistryDown
            | Rule::ImageMissing { .. }
            | Rule::Partition { .. }
            | Rule::Shape { .. }
            | Rule::DiskSlow { .. }
            | Rule::ShapeSandbox { .. } => None,
        })
    }
}
