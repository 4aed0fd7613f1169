//! Machines: capacity, power and boot.
//!
//! A machine that loses power forgets its sandboxes and containers and keeps its images. Its agent
//! is the plane's affair; the plane hears of power through [`Upcall::MachineDown`] and
//! [`Upcall::MachineUp`] and must not let its control loops know more than they could.

use std::sync::Arc;

use crate::base::bits::BitSet;
use crate::base::name::Name;
use crate::base::resources::ResourceVector;
use crate::base::rng::stable_hash;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};

use super::cache::Cache;
use super::cgroup::limits::Limits;
use super::cgroup::settings::GroupSettings;
use super::cgroup::tree::GroupKey;
use super::load::Throttle;
use super::memory::{Leak, OomCount};
use super::order::{ContainerId, MachineId, SandboxId, Upcall};
use super::pressure::Stall;
use super::profile::Profile;
use super::registry::PullId;
use super::root_fs::Disk;
use super::task::TasksByContainer;
use super::{Event, Scope, Substrate};

/// Time from power-on until the machine's agent starts: firmware, kernel, init and the container
/// runtime. Our own figure, the order of magnitude of a virtual machine in a cloud.
pub const BOOT: SimDuration = SimDuration::from_secs(20);

/// Subnets that may be held: those of a network of 16 bits.
const SUBNETS: u32 = 1 << 8;

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Power {
    /// Runs since then.
    On {
        /// End of the boot.
        since: SimTime,
    },
    /// Off until somebody turns it on.
    Off,
    /// Off or booting; runs from then on.
    Booting {
        /// End of the boot.
        until: SimTime,
    },
}

/// What a machine is made with.
#[derive(Clone, Debug)]
pub struct MachineSpec {
    /// Name, unique in the world.
    pub name: Symbol,
    /// What it has.
    pub capacity: ResourceVector,
    /// Failure zone, if it has one.
    pub zone: Option<Symbol>,
    /// Whether the control plane runs there.
    pub control: bool,
    /// What stands under its containers.
    pub profile: Profile,
    /// Its own address; none: the next of the machines' network.
    pub address: Option<u32>,
    /// First address of the /24 that its sandboxes' addresses are from; none, or one that another
    /// machine has: the next free one.
    pub subnet: Option<u32>,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Name.
    pub name: Symbol,
    /// What it has.
    pub capacity: ResourceVector,
    /// Failure zone, if it has one.
    pub zone: Option<Symbol>,
    /// Whether the control plane runs there.
    pub control: bool,
    /// What stands under its containers.
    pub profile: Profile,
    /// What agents ask for of groups that belong to no sandbox, by path.
    pub levels: Arc<SortedMap<&'static str, GroupSettings>>,
    /// What its containers and its own threads want of its CPUs, in millionths of one.
    pub cpu_wanted: u64,
    /// The same, each within what its own limits allow.
    pub cpu_capped: u64,
    /// Containers that get less than they want.
    pub cpu_held: u32,
    /// Threads of its own that never sleep.
    pub hogs: u64,
    /// Containers that have reached their quota.
    pub throttles: SortedMap<ContainerId, Throttle>,
    /// Waits of containers that had to wait for something: CPU, memory, disks.
    pub stalls: SortedMap<ContainerId, [Stall; 3]>,
    /// Containers that take more and more memory.
    pub leaks: SortedMap<ContainerId, Leak>,
    /// When the next limit on memory is reached; [`SimTime::MAX`]: never.
    pub memory_due: SimTime,
    /// Kills for memory, by sandbox.
    pub ooms: SortedMap<SandboxId, OomCount>,
    /// Bytes of its disk that a fault fills.
    pub filled: u64,
    /// Since when it does not reach its disks over the network.
    pub storage_cut: Option<SimTime>,
    /// Limits that somebody wrote over those that were asked for.
    pub written: SortedMap<GroupKey, Arc<Limits>>,
    /// Whether it runs.
    pub power: Power,
    /// How often it has booted; the first time counts.
    pub boots: u32,
    /// Images present, by number.
    pub images: BitSet,
    /// Bytes that they take on its disk: a layer that several share counts once.
    pub images_bytes: u64,
    /// Processes that commands left behind in containers.
    pub tasks: TasksByContainer,
    /// Page cache and disk requests of containers whose commands used files.
    pub caches: SortedMap<ContainerId, Cache>,
    /// When images came, by number.
    pub images_since: Arc<SortedMap<u32, SimTime>>,
    /// Files that were written, on its own file system and in containers' layers and volumes.
    pub disk: Arc<Disk>,
    /// Ports taken on the machine, each with its holder.
    pub ports: Vec<(u16, SandboxId)>,
    /// Whether it can talk to a control machine.
    pub connected: bool,
    /// Since when its clock is how many microseconds ahead, one change after the other.
    pub(super) clock: Vec<(SimTime, i64)>,
    /// Whether the control plane's certificates are not valid by its clock, as a new connection found.
    pub(super) is_distrusted: bool,
    /// When they become valid by its clock.
    pub(super) trust_due: Option<SimTime>,
    /// Whether all that its agent says gets lost just now.
    pub(super) is_mute: bool,
    /// When that begins or ends; [`SimTime::MAX`]: never.
    pub(super) silence_due: SimTime,
    /// How long it will last.
    pub(super) silence: SimDuration,
    /// Its own address.
    pub address: u32,
    /// First of its sandboxes, the newest.
    pub(super) first_sandbox: Option<SandboxId>,
    /// Pulls under way.
    pub(super) pulls: Vec<PullId>,
    /// When the transfers queued so far end.
    pub(super) downlink_free: SimTime,
    /// Number of its subnet, in the order of joining.
    pub(super) subnet: u32,
    /// Host parts in use of its subnet.
    pub(super) addresses: [u64; 4],
    /// Host part given out last.
    pub(super) last_address: u8,
    /// Class of machines that partitions treat alike.
    pub(super) side: u16,
    /// Balancer rules older than this are what it still has; none: it has the newest.
    pub(super) frozen_at: Option<u64>,
    /// Hash of the name, for random streams.
    pub(super) stable_key: u64,
    /// Random draws made for it.
    pub(super) draws: u32,
}

impl Machine {
    /// Whether it runs.
    pub fn is_on(&self) -> bool {
        matches!(self.power, Power::On { .. })
    }
}

impl Substrate {
    /// Changes what a machine has. Running containers keep their limits.
    pub fn set_capacity(&mut self, machine: MachineId, capacity: ResourceVector) {
        if let Some(row) = self.machines.get_mut(machine) {
            row.capacity = capacity;
        }
    }

    /// Adds a running machine. None if the name is taken.
    pub fn add_machine(&mut self, spec: MachineSpec, scope: &mut Scope<'_>) -> Option<MachineId> {
        if self.machine_names.contains_key(&spec.name) {
            return None;
        }
        let subnet = match spec.subnet {
            Some(base) if self.give_up_subnet(base) => self.number_of_subnet(base),
            Some(_) | None => self.free_subnet(),
        };
        let machine = self.machines.insert(Machine {
            name: spec.name,
            capacity: spec.capacity,
            zone: spec.zone,
            control: spec.control,
            profile: spec.profile,
            cpu_wanted: 0,
            cpu_capped: 0,
            cpu_held: 0,
            hogs: 0,
            throttles: SortedMap::new(),
            stalls: SortedMap::new(),
            leaks: SortedMap::new(),
            memory_due: SimTime::MAX,
            ooms: SortedMap::new(),
            filled: 0,
            storage_cut: None,
            levels: Arc::default(),
            written: SortedMap::new(),
            power: Power::On { since: scope.now },
            boots: 1,
            images: BitSet::new(),
            images_bytes: 0,
            images_since: Arc::default(),
            caches: SortedMap::new(),
            tasks: SortedMap::new(),
            disk: Arc::default(),
            ports: Vec::new(),
            connected: true,
            clock: Vec::new(),
            is_distrusted: false,
            trust_due: None,
            is_mute: false,
            silence_due: SimTime::MAX,
            silence: SimDuration::ZERO,
            address: spec.address.unwrap_or_else(|| {
                MACHINE_NETWORK
                    .wrapping_add(self.next_subnet)
                    .wrapping_add(FIRST_MACHINE)
            }),
            first_sandbox: None,
            pulls: Vec::new(),
            downlink_free: SimTime::ZERO,
            subnet,
            addresses: [0; 4],
            last_address: 1,
            side: 0,
            frozen_at: None,
            stable_key: stable_hash(scope.symbols.text(spec.name)),
            draws: 0,
        });
        self.subnets.insert(subnet, machine);
        self.next_subnet += 1;
        self.bridged += u32::from(!self.crosses(machine));
        self.machine_names.insert(spec.name, machine);
        self.count_power(machine, true);
        if spec.control {
            self.controls.push(machine);
            self.refresh_control_links(scope);
        } else {
            self.refresh_control_link(machine, true, scope);
        }
        self.settle(scope);
        Some(machine)
    }

    /// The next subnet that nobody has.
    fn free_subnet(&mut self) -> u32 {
        self.next_subnet = self.number_of_subnet(self.next_subnet());
        self.next_subnet
    }

    /// First address of the next subnet that nobody has.
    pub fn next_subnet(&self) -> u32 {
        let mut number = self.next_subnet;
        while self.subnets.contains_key(&number) {
            number += 1;
        }
        self.network.wrapping_add(number << 8)
    }

    /// Keeps subnets that nobody has, as far as they are cut from the same network.
    pub(super) fn hold_subnets(&mut self, machine: MachineId, base: u32, count: u32) {
        for number in 0..SUBNETS {
            let address = self.network.wrapping_add(number << 8);
            let lies_in = address >> 8 >= base >> 8 && (address >> 8) - (base >> 8) < count;
            if lies_in && !self.subnets.contains_key(&number) {
                if self.next_subnet() == address {
                    // One that was given out is not given out again soon.
                    self.next_subnet = number + 1;
                }
                self.subnets.insert(number, machine);
            }
        }
    }

    /// Whether a subnet is free for a machine that brings it along. One that has it already, and has
    /// never given out an address, takes another.
    fn give_up_subnet(&mut self, base: u32) -> bool {
        let Some(holder) = self.machine_of_subnet(base) else {
            return true;
        };
        let row = &self.machines[holder];
        if row.addresses != [0; 4] || row.last_address != 1 {
            return false;
        }
        let (old, new) = (row.subnet, self.free_subnet());
        self.subnets.remove(&old);
        self.subnets.insert(new, holder);
        self.machines[holder].subnet = new;
        self.next_subnet += 1;
        true
    }

    /// Takes a machine away for good, with all that runs on it. No upcalls follow.
    pub fn remove_machine(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machines.get_mut(machine) else {
            return;
        };
        let (name, on) = (row.name, row.is_on());
        row.power = Power::Off;
        if on {
            self.count_power(machine, false);
        }
        self.keep_remote(machine);
        self.lose_contents(machine);
        self.bridged -= u32::from(!self.crosses(machine));
        self.machines.remove(machine);
        self.machine_names.remove(&name);
        if self.controls.contains(&machine) {
            self.controls.retain(|control| *control != machine);
            self.refresh_control_links(scope);
        }
        self.settle(scope);
    }

    /// Power off. With `down_for`, the machine is turned on again after that time and boots.
    #[inline(never)]
    pub(super) fn power_off(
        &mut self,
        machine: MachineId,
        down_for: Option<SimDuration>,
        scope: &mut Scope<'_>,
    ) {
        let Some(row) = self.machines.get_mut(machine) else {
            return;
        };
        let was_on = row.is_on();
        row.power = match down_for {
            Some(span) => Power::Booting {
                until: scope.now + span + BOOT,
            },
            None => Power::Off,
        };
        if let Some(span) = down_for {
            scope.out.after(span + BOOT, Event::Booted { machine });
        }
        if !was_on {
            return;
        }
        self.count_power(machine, false);
        self.lose_contents(machine);
        self.note_machine(machine, "down", scope);
        scope.out.order(Upcall::MachineDown { machine });
        if self.controls.contains(&machine) {
            self.refresh_control_links(scope);
        }
    }

    /// Turns a machine on that a crash turned off.
    #[inline(never)]
    pub(super) fn power_on(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machines.get_mut(machine) else {
            return;
        };
        if row.power == Power::Off {
            row.power = Power::Booting {
                until: scope.now + BOOT,
            };
            scope.out.after(BOOT, Event::Booted { machine });
        }
    }

    /// The boot has ended, unless the machine lost power again meanwhile.
    pub(super) fn booted(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machines.get_mut(machine) else {
            return;
        };
        if row.power != (Power::Booting { until: scope.now }) {
            return;
        }
        row.power = Power::On { since: scope.now };
        row.boots += 1;
        // Its rules were lost with its memory; if it can reach the control plane it has the newest
        // before anything is sent there.
        let was_cut = !std::mem::replace(&mut row.connected, true);
        row.frozen_at = None;
        self.count_power(machine, true);
        self.note_machine(machine, "up", scope);
        scope.out.order(Upcall::MachineUp { machine });
        if was_cut {
            // It was cut off when it lost power: planes still believe so. If it still is, they hear
            // so next.
            scope.out.order(Upcall::ControlLink {
                machine,
                connected: true,
            });
        }
        if self.controls.contains(&machine) {
            self.refresh_control_links(scope);
        } else {
            self.refresh_control_link(machine, true, scope);
        }
    }

    /// Forgets sandboxes, containers, pulls and ports, without a word.
    fn lose_contents(&mut self, machine: MachineId) {
        while let Some(sandbox) = self.machines[machine].first_sandbox {
            self.remove_sandbox(sandbox);
        }
        let row = &mut self.machines[machine];
        row.ports.clear();
        row.written.clear();
        row.throttles.clear();
        row.stalls.clear();
        row.leaks.clear();
        row.ooms.clear();
        row.caches.clear();
        row.tasks.clear();
        row.memory_due = SimTime::MAX;
        (row.cpu_wanted, row.cpu_capped) = (0, 0);
        (row.cpu_held, row.hogs) = (0, 0);
        row.downlink_free = SimTime::ZERO;
        for pull in std::mem::take(&mut row.pulls) {
            self.pulls.remove(pull);
        }
    }

    /// The machine's id, if there is one of this name.
    pub fn machine_by_name(&self, name: Symbol) -> Option<MachineId> {
        self.machine_names.get(&name).copied()
    }

    /// The machine's own address, e.g. `192.168.0.2`: numbered in the order of joining, unless it
    /// was given one.
    pub fn machine_address(&self, machine: MachineId) -> Option<String> {
        let row = self.machines.get(machine)?;
        Some(super::net::address::text(row.address))
    }

    /// When a machine's clock was turned, and by how many microseconds it was ahead from then on.
    fn clock_of(&self, machine: MachineId) -> &[(SimTime, i64)] {
        if !self.odd_clocks {
            return &[];
        }
        self.machines.get(machine).map_or(&[], |row| &row.clock)
    }

    /// What a machine's clock showed, or shows, at a time.
    pub fn wall(&self, machine: MachineId, at: SimTime) -> SimTime {
        let changes = self.clock_of(machine);
        let last = changes.iter().rev().find(|(from, _)| *from <= at);
        last.map_or(at, |(_, ahead)| at.shifted(*ahead))
    }

    /// When a machine's clock showed a time: the last such moment, or the one at which it was turned
    /// past it.
    pub fn when(&self, machine: MachineId, clock: SimTime) -> SimTime {
        let changes = self.clock_of(machine);
        let mut until = None;
        for (from, ahead) in changes.iter().rev() {
            let at = clock.shifted(ahead.saturating_neg());
            // A time before the run's beginning is a large number.
            if at.signed_micros() >= from.signed_micros() {
                return until.map_or(at, |until| at.min(until));
            }
            until = Some(*from);
        }
        match until {
            Some(until) if clock.signed_micros() > until.signed_micros() => until,
            Some(_) | None => clock,
        }
    }

    /// Whether a machine's clock was ever turned.
    pub fn has_odd_clock(&self, machine: MachineId) -> bool {
        !self.clock_of(machine).is_empty()
    }

    /// By how many microseconds a machine's clock is ahead.
    pub fn clock_ahead(&self, machine: MachineId) -> i64 {
        let last = self.clock_of(machine).last();
        last.map_or(0, |(_, ahead)| *ahead)
    }

    /// Turns a machine's clock by so many microseconds.
    #[inline(never)]
    pub(super) fn turn_clock(&mut self, machine: MachineId, by: i64, scope: &mut Scope<'_>) {
        let ahead = self.clock_ahead(machine).saturating_add(by);
        if let Some(row) = self.machines.get_mut(machine) {
            row.clock.push((scope.now, ahead));
            self.odd_clocks = true;
        }
        self.clock_turned(machine, scope);
    }

    /// Whether the machine runs.
    pub fn is_on(&self, machine: MachineId) -> bool {
        self.machines.get(machine).is_some_and(Machine::is_on)
    }

    /// A trace line about a machine with a detail.
    pub(super) fn note_machine_detail(
        &self,
        machine: MachineId,
        verb: &'static str,
        detail: Detail,
        scope: &mut Scope<'_>,
    ) {
        scope.out.notice(Notice {
            source: "substrate.kernel",
            verb,
            subject: Subject {
                kind: "node",
                name: Name::plain(self.machines[machine].name),
            },
            detail,
            rule: None,
        });
    }

    pub(super) fn note_machine(
        &self,
        machine: MachineId,
        verb: &'static str,
        scope: &mut Scope<'_>,
    ) {
        scope.out.notice(Notice {
            source: "substrate.machine",
            verb,
            subject: Subject {
                kind: "node",
                name: Name::plain(self.machines[machine].name),
            },
            detail: Detail::None,
            rule: None,
        });
    }
}

/// Network of the machines themselves, `192.168.0.0/16`: apart from the pools that engines and
/// orchestrators cut their networks from.
pub const MACHINE_NETWORK: u32 = (192 << 24) | (168 << 16);

/// Host part of the first machine; 1 is the router.
const FIRST_MACHINE: u32 = 2;
