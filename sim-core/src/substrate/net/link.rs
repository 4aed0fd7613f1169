//! Who reaches whom.
//!
//! Machines that every partition treats alike form a *side*: a small number. Side 0 is named by no
//! partition. All questions are asked of sides, so their cost does not grow with the machines.

use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::order::{MachineId, Upcall};
use crate::substrate::rule::Rule;
use crate::substrate::{Scope, Substrate};

/// Where the partitions put somebody, in the order of their ids: 0 on no side, else 1 or 2.
type Place = Vec<u8>;

/// The sides that the partitions in force make.
#[derive(Clone, Debug)]
pub struct Sides {
    /// By side's number; side 0 is on no side of anything.
    places: Vec<Place>,
    users: Place,
    /// Groups of machines that requests enter at alike.
    pub(super) groups: Vec<EntryGroup>,
}

/// Machines that are alike for requests that enter there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryGroup {
    pub(super) side: u16,
    /// As in the machine's row.
    pub(super) frozen_at: Option<u64>,
    /// How many of them run.
    pub(super) powered: u32,
}

impl Default for Sides {
    fn default() -> Self {
        Self {
            places: vec![Vec::new()],
            users: Vec::new(),
            groups: Vec::new(),
        }
    }
}

impl Sides {
    /// Number of sides.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    /// Whether no partition stands between the two sides.
    pub fn reach(&self, a: u16, b: u16) -> bool {
        a == b || open(&self.places[usize::from(a)], &self.places[usize::from(b)])
    }

    /// Whether users reach the machines of a side.
    pub fn users_reach(&self, side: u16) -> bool {
        open(&self.users, &self.places[usize::from(side)])
    }
}

fn open(a: &[u8], b: &[u8]) -> bool {
    a.iter().zip(b).all(|(a, b)| a | b != 3)
}

impl Substrate {
    /// Whether packets pass between two running machines.
    pub fn reachable(&self, a: MachineId, b: MachineId) -> bool {
        match (self.machines.get(a), self.machines.get(b)) {
            (Some(a), Some(b)) => a.is_on() && b.is_on() && self.sides.reach(a.side, b.side),
            (None, _) | (_, None) => false,
        }
    }

    /// Whether packets pass between the sandboxes of two running machines: those of a bridge never
    /// leave it.
    pub fn connects(&self, a: MachineId, b: MachineId) -> bool {
        a == b || self.reachable(a, b) && self.crosses(a) && self.crosses(b)
    }

    /// Whether a machine's sandboxes are joined to other machines'.
    pub fn crosses(&self, machine: MachineId) -> bool {
        self.machines
            .get(machine)
            .and_then(|row| row.profile.network)
            .is_none_or(|kind| kind.driver().crosses)
    }

    /// Whether users' packets reach a running machine.
    pub fn users_reach(&self, machine: MachineId) -> bool {
        self.machines
            .get(machine)
            .is_some_and(|row| row.is_on() && self.sides.users_reach(row.side))
    }

    /// Whether a running machine can talk to a running control machine. Without control machines
    /// in the world, always.
    pub fn control_reachable(&self, machine: MachineId) -> bool {
        let Some(row) = self.machines.get(machine) else {
            return false;
        };
        row.is_on()
            && (self.controls.is_empty()
                || self
                    .controls
                    .iter()
                    .any(|control| self.reachable(machine, *control)))
    }

    /// Works out the sides anew: the partitions in force have changed.
    pub(in crate::substrate) fn links_changed(&mut self, scope: &mut Scope<'_>) {
        let mut partitions = 0_usize;
        self.sides.users.clear();
        let mut places: Vec<Place> = vec![Vec::new(); self.machines.capacity_slots() as usize];
        for rule in self.rules.values() {
            let Rule::Partition { a, b } = rule.as_ref() else {
                continue;
            };
            partitions += 1;
            for (mark, side) in [(1, a), (2, b)] {
                for machine in side
                    .machines
                    .iter()
                    .filter(|machine| self.machines.contains(**machine))
                {
                    let place = &mut places[machine.slot() as usize];
                    place.resize(partitions, 0);
                    // Whoever is on both sides is cut off from both by the first mark alone.
                    if place[partitions - 1] == 0 {
                        place[partitions - 1] = mark;
                    }
                }
                if side.users {
                    self.sides.users.resize(partitions, 0);
                    self.sides.users[partitions - 1] = mark;
                }
            }
        }
        self.sides.places = vec![Vec::new()];
        for slot in 0..self.machines.capacity_slots() {
            let Some(machine) = self.machines.id_at(slot) else {
                continue;
            };
            let place = &places[slot as usize];
            let known = self.sides.places.iter().position(|known| known == place);
            let number = known.unwrap_or_else(|| {
                self.sides.places.push(place.clone());
                self.sides.places.len() - 1
            });
            let side = u16::try_from(number).expect("partitions are few");
            if self.machines[machine].side != side {
                self.machines[machine].side = side;
            }
        }
        self.recount_members();
        self.refresh_control_links(scope);
        self.regroup();
        // Several control machines may have lost or found each other; their plane looks for itself.
        if self.controls.len() > 1 {
            for machine in self.controls.clone() {
                if self.machines.get(machine).is_some_and(|row| row.is_on()) {
                    scope.out.order(Upcall::ControlLink {
                        machine,
                        connected: true,
                    });
                }
            }
        }
    }

    /// Tells planes whose machines' way to the control plane has changed.
    pub(in crate::substrate) fn refresh_control_links(&mut self, scope: &mut Scope<'_>) {
        let mut changed = false;
        for slot in 0..self.machines.capacity_slots() {
            if let Some(machine) = self.machines.id_at(slot) {
                changed |= self.refresh_link(machine, scope);
            }
        }
        if changed {
            self.regroup();
        }
    }

    /// As [`Self::refresh_control_links`], for one machine that has just booted.
    pub(in crate::substrate) fn refresh_control_link(
        &mut self,
        machine: MachineId,
        booted: bool,
        scope: &mut Scope<'_>,
    ) {
        if self.refresh_link(machine, scope) {
            if booted {
                // It has no rules at all and cannot get any.
                self.machines[machine].frozen_at = Some(0);
            }
            self.regroup();
        }
    }

    fn refresh_link(&mut self, machine: MachineId, scope: &mut Scope<'_>) -> bool {
        let row = &self.machines[machine];
        let connected = self.control_reachable(machine);
        if !row.is_on() || row.connected == connected {
            return false;
        }
        let name = row.name;
        let revision = self.revision;
        let row = &mut self.machines[machine];
        row.connected = connected;
        row.frozen_at = if connected { None } else { Some(revision) };
        scope.out.notice(Notice {
            source: "substrate.link",
            verb: if connected { "joined" } else { "cut" },
            subject: Subject {
                kind: "node",
                name: Name::plain(name),
            },
            detail: Detail::None,
            rule: None,
        });
        scope.out.order(Upcall::ControlLink { machine, connected });
        true
    }

    /// Counts the groups of machines anew.
    pub(super) fn regroup(&mut self) {
        let mut groups: Vec<EntryGroup> = Vec::new();
        for row in self.machines.rows().filter(|row| row.is_on()) {
            match groups
                .iter_mut()
                .find(|group| group.side == row.side && group.frozen_at == row.frozen_at)
            {
                Some(group) => group.powered += 1,
                None => groups.push(EntryGroup {
                    side: row.side,
                    frozen_at: row.frozen_at,
                    powered: 1,
                }),
            }
        }
        groups.arrange_by_key(|group| (group.side, group.frozen_at));
        self.sides.groups = groups;
        self.drop_unused_versions();
        self.touch_all();
    }

    /// A machine was turned on or off. While all are alike, that moves no share, save at the first
    /// and the last.
    pub(in crate::substrate) fn count_power(&mut self, machine: MachineId, on: bool) {
        let row = &self.machines[machine];
        let alike = row.side == 0 && row.frozen_at.is_none();
        match self.sides.groups.as_mut_slice() {
            [group] if alike && group.side == 0 && group.frozen_at.is_none() => {
                group.powered = if on {
                    group.powered + 1
                } else {
                    group.powered - 1
                };
                let is_edge = group.powered <= u32::from(on);
                if is_edge {
                    self.touch_all();
                } else {
                    self.touch_entries_of(machine);
                }
            }
            _ => self.regroup(),
        }
    }

    /// Counts everything anew that is otherwise kept up to date: the oracle of the tests.
    #[cfg(test)]
    pub(in crate::substrate) fn recount(&mut self, scope: &mut Scope<'_>) {
        self.recount_members();
        self.regroup();
        self.settle(scope);
    }
}
