//! A machine's groups as a tree, worked out when somebody looks.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::base::time::SimTime;
use crate::substrate::container::Container;
use crate::substrate::order::{ContainerId, ContainerSpec, MachineId, SandboxId};
use crate::substrate::process::{Agent, Process};
use crate::substrate::{Scope, Substrate};

use super::convert::{SHARES_MIN, shares_of_milli};
use super::facts::Facts;
use super::limits::{Limits, MemoryBounds, WeightBy};
use super::place::{Driver, engine_parent, leaf, levels};
use super::settings::{GroupSettings, SandboxSpec};

/// Which group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupKey {
    /// One that belongs to no sandbox, by its path of plain names: the root is empty.
    Level(String),
    /// A sandbox's own.
    Sandbox(SandboxId),
    /// The one of the process that holds a sandbox's namespaces.
    Holder(SandboxId),
    /// A container's.
    Container(ContainerId),
}

/// Names that only the owner knows.
pub trait Names {
    /// Plain name of a sandbox's own group, e.g. `pod` and the identifier.
    fn sandbox(&self, sandbox: SandboxId) -> String;
    /// Identifier of the process that holds a sandbox's namespaces, 64 hexadecimal digits.
    fn holder(&self, sandbox: SandboxId) -> String;
    /// Identifier of a container, 64 hexadecimal digits.
    fn container(&self, container: ContainerId) -> String;
    /// Name that its processes see as the host's.
    fn hostname(&self, sandbox: SandboxId) -> String;
    /// Programs that run on the machine beside containers.
    fn agents(&self) -> &'static [Agent];
}

/// One group and those below it.
#[derive(Clone, Debug)]
pub struct Group {
    /// Which.
    pub key: GroupKey,
    /// What its files are written from.
    pub facts: Facts,
    /// Those below, by the name of their directory.
    pub children: SortedMap<String, Self>,
}

impl Group {
    fn new(key: GroupKey, limits: Limits, cpus: u64) -> Self {
        Self {
            key,
            facts: Facts {
                limits,
                cpus,
                ..Facts::default()
            },
            children: SortedMap::new(),
        }
    }

    /// The group at a path below this one.
    pub fn at<'a>(&self, mut path: impl Iterator<Item = &'a str>) -> Option<&Self> {
        match path.next() {
            None => Some(self),
            Some(name) => self.children.get(name)?.at(path),
        }
    }

    /// The path of a group below this one, without a slash at the front.
    pub fn path_of(&self, key: &GroupKey) -> Option<String> {
        if self.key == *key {
            return Some(String::new());
        }
        self.children.iter().find_map(|(name, child)| {
            let rest = child.path_of(key)?;
            Some(if rest.is_empty() {
                name.clone()
            } else {
                format!("{name}/{rest}")
            })
        })
    }

    /// Adds up what is counted over the groups below.
    fn sum(&mut self) {
        let mut first = true;
        for child in self.children.values_mut() {
            child.sum();
            let runs = child.facts.tasks > 0 && !matches!(child.key, GroupKey::Holder(_));
            let (below, here) = (&child.facts, &mut self.facts);
            if runs {
                for (own, other) in here.pressure.iter_mut().zip(&below.pressure) {
                    own.merge(other, first);
                }
                first = false;
            }
            here.cpu.add_usage(&below.cpu);
            here.memory.add(&below.memory);
            here.tasks += below.tasks;
            here.tasks_peak += below.tasks_peak;
            here.descendants += 1 + below.descendants;
            for (sum, part) in here.io.iter_mut().zip(below.io) {
                *sum += part;
            }
        }
    }

    fn child(&mut self, name: String, key: GroupKey, limits: Limits) -> &mut Self {
        let cpus = self.facts.cpus;
        self.children
            .entry(name)
            .or_insert_with(|| Self::new(key, limits, cpus))
    }
}

impl Substrate {
    /// Who makes a sandbox's groups.
    pub fn driver_of(&self, machine: MachineId, spec: &SandboxSpec) -> Driver {
        let own = self.machine(machine).map(|row| row.profile.driver());
        spec.driver.or(own).unwrap_or_default()
    }

    /// Limits of a group that belongs to no sandbox, by its plain path.
    fn level_limits(&self, machine: MachineId, path: &str, driver: Driver) -> Limits {
        let Some(row) = self.machine(machine) else {
            return Limits::default();
        };
        if let Some(written) = row.written.get(&GroupKey::Level(path.to_owned())) {
            return Limits::clone(written);
        }
        let mut settings = row.levels.get(path).cloned().unwrap_or_default();
        // Levels that share what is above them get the sum of what was asked for below.
        if path.contains('/') && settings.cpu_shares.is_none() {
            let milli: i64 = self
                .sandboxes_on(machine)
                .filter(|(_, sandbox)| sandbox.spec.parents.iter().copied().eq(path.split('/')))
                .map(|(_, sandbox)| sandbox.spec.milli_cpu)
                .fold(0, i64::saturating_add);
            settings.cpu_shares = Some(shares_of_milli(milli).max(SHARES_MIN));
        }
        Limits::of(&settings, row.profile.cgroups, driver, WeightBy::Linear)
    }

    /// Limits of a sandbox's own group.
    pub fn sandbox_limits(&self, sandbox: SandboxId) -> Limits {
        let Some(row) = self.sandbox(sandbox) else {
            return Limits::default();
        };
        let Some(machine) = self.machine(row.machine) else {
            return Limits::default();
        };
        if let Some(written) = machine.written.get(&GroupKey::Sandbox(sandbox)) {
            return Limits::clone(written);
        }
        let driver = self.driver_of(row.machine, &row.spec);
        Limits::of(
            &row.spec.group,
            machine.profile.cgroups,
            driver,
            WeightBy::Linear,
        )
    }

    /// Limits of a container's group.
    pub fn container_limits(&self, container: ContainerId) -> Limits {
        let Some(row) = self.container(container) else {
            return Limits::default();
        };
        let Some(sandbox) = self.sandbox(row.sandbox) else {
            return Limits::default();
        };
        let Some(machine) = self.machine(sandbox.machine) else {
            return Limits::default();
        };
        if let Some(written) = machine.written.get(&GroupKey::Container(container)) {
            return Limits::clone(written);
        }
        let driver = self.driver_of(sandbox.machine, &sandbox.spec);
        Limits::of(
            &row.spec.group,
            machine.profile.cgroups,
            driver,
            WeightBy::Runtime,
        )
    }

    /// The bounds on a container's memory, of its own group and its sandbox's.
    pub fn memory_bounds(&self, container: ContainerId) -> MemoryBounds {
        let Some(row) = self.container(container) else {
            return MemoryBounds::default();
        };
        let Some(sandbox) = self.sandbox(row.sandbox) else {
            return MemoryBounds::default();
        };
        let written = self.machine(sandbox.machine).map(|row| &row.written);
        let bounds = |key: GroupKey, settings| {
            let found = written
                .filter(|written| !written.is_empty())
                .and_then(|written| written.get(&key));
            found.map_or_else(|| MemoryBounds::of(settings), |limits| (&**limits).into())
        };
        bounds(GroupKey::Container(container), &row.spec.group)
            .within(bounds(GroupKey::Sandbox(row.sandbox), &sandbox.spec.group))
    }

    /// `pids.max` of a container's group; none: no limit.
    pub fn pids_max(&self, container: ContainerId) -> Option<u64> {
        let row = self.container(container)?;
        let machine = self.machine(self.sandbox(row.sandbox)?.machine)?;
        match machine.written.get(&GroupKey::Container(container)) {
            Some(limits) => limits.pids_max,
            None => Limits::pids(&row.spec.group),
        }
    }

    /// The present limits of a group.
    pub fn limits_of(&self, machine: MachineId, key: &GroupKey) -> Limits {
        match key {
            GroupKey::Level(path) => {
                let driver = self
                    .machine(machine)
                    .map(|row| row.profile.driver())
                    .unwrap_or_default();
                self.level_limits(machine, path, driver)
            }
            GroupKey::Sandbox(sandbox) => self.sandbox_limits(*sandbox),
            GroupKey::Container(container) => self.container_limits(*container),
            GroupKey::Holder(_) => holder_limits(),
        }
    }

    /// Keeps what somebody wrote over a group's limits.
    pub fn write_limits(
        &mut self,
        machine: MachineId,
        key: GroupKey,
        limits: Limits,
        scope: &mut Scope<'_>,
    ) {
        match key {
            GroupKey::Container(container) => self.keep_memory_stall((machine, container), scope),
            GroupKey::Sandbox(sandbox) => self.keep_memory_stalls(sandbox, scope),
            // Limits on memory of groups further up are not looked at.
            GroupKey::Level(_) | GroupKey::Holder(_) => {}
        }
        if let Some(row) = self.machines.get_mut(machine) {
            row.written.insert(key, Arc::new(limits));
        }
        self.limits_changed(machine, scope);
        self.settle(scope);
    }

    /// A container's group is given other settings; what somebody wrote there is written over.
    pub(in crate::substrate) fn resize(
        &mut self,
        container: ContainerId,
        spec: Arc<ContainerSpec>,
        scope: &mut Scope<'_>,
    ) {
        let at = self
            .container(container)
            .and_then(|row| self.sandbox(row.sandbox))
            .map(|row| (row.machine, container));
        if let Some(at) = at {
            self.keep_memory_stall(at, scope);
        }
        let Some(row) = self.containers.get_mut(container) else {
            return;
        };
        // What is mounted stays.
        let root = row.spec.root.clone();
        row.spec = spec;
        Arc::make_mut(&mut row.spec).root = root;
        let sandbox = row.sandbox;
        if let Some(machine) = self.sandbox(sandbox).map(|row| row.machine) {
            self.unwrite(machine, &GroupKey::Container(container));
            self.limits_changed(machine, scope);
        }
    }

    /// A sandbox's group is given other settings.
    pub(in crate::substrate) fn resize_sandbox(
        &mut self,
        sandbox: SandboxId,
        spec: Arc<SandboxSpec>,
        scope: &mut Scope<'_>,
    ) {
        self.keep_memory_stalls(sandbox, scope);
        let Some(row) = self.sandboxes.get_mut(sandbox) else {
            return;
        };
        row.spec = spec;
        let machine = row.machine;
        self.unwrite(machine, &GroupKey::Sandbox(sandbox));
        self.limits_changed(machine, scope);
    }

    fn unwrite(&mut self, machine: MachineId, key: &GroupKey) {
        if let Some(row) = self.machines.get_mut(machine) {
            row.written.remove(key);
        }
    }

    /// Sets what an agent asks for of a group that belongs to no sandbox.
    #[inline(never)]
    pub fn set_level(&mut self, machine: MachineId, path: &'static str, settings: GroupSettings) {
        if let Some(row) = self.machines.get_mut(machine) {
            Arc::make_mut(&mut row.levels).insert(path, settings);
        }
    }

    /// The groups of a machine that runs; none if it does not.
    pub fn groups(&self, machine: MachineId, names: &dyn Names, now: SimTime) -> Option<Group> {
        let row = self.machine(machine).filter(|row| row.is_on())?;
        let cpus = u64::try_from(row.capacity.milli_cpu)
            .unwrap_or(0)
            .div_ceil(1_000)
            .max(1);
        let mut root = Group::new(GroupKey::Level(String::new()), Limits::default(), cpus);
        root.facts.root = true;
        let processes = self.processes(machine, names, now);
        for name in ["init.scope", "system.slice", "user.slice"] {
            let key = GroupKey::Level(name.to_owned());
            let limits = self.level_limits(machine, name, Driver::Systemd);
            root.child(name.to_owned(), key, limits);
        }
        for agent in names.agents() {
            if let Some(slice) = root.children.get_mut("system.slice") {
                let name = format!("{}.service", agent.name);
                let key = GroupKey::Level(format!("system.slice/{name}"));
                slice.child(name, key, Limits::default());
            }
        }
        let driver = row.profile.driver();
        let paths: Vec<&str> = row.levels.keys().copied().collect();
        for path in paths {
            self.level(
                &mut root,
                machine,
                &path.split('/').collect::<Vec<_>>(),
                driver,
            );
        }
        for (sandbox, _) in self.sandboxes_on(machine) {
            self.grow(&mut root, machine, sandbox, names, now);
        }
        for process in &processes {
            place(&mut root, process);
        }
        root.sum();
        Some(root)
    }

    /// The group of a path of plain names, made where it is missing.
    fn level<'a>(
        &self,
        root: &'a mut Group,
        machine: MachineId,
        names: &[&str],
        driver: Driver,
    ) -> &'a mut Group {
        let mut at = root;
        let mut plain = String::new();
        for (name, directory) in names.iter().zip(levels(names, driver)) {
            if !plain.is_empty() {
                plain.push('/');
            }
            plain.push_str(name);
            let limits = self.level_limits(machine, &plain, driver);
            at = at.child(directory, GroupKey::Level(plain.clone()), limits);
        }
        at
    }

    /// Adds a sandbox's groups.
    fn grow(
        &self,
        root: &mut Group,
        machine: MachineId,
        sandbox: SandboxId,
        names: &dyn Names,
        now: SimTime,
    ) {
        let Some(row) = self.sandbox(sandbox) else {
            return;
        };
        let driver = self.driver_of(machine, &row.spec);
        let engine = self.machine(machine).map(|row| row.profile.engine);
        let prefix = if row.spec.parents.is_empty() {
            "docker"
        } else {
            engine.unwrap_or_default().scope_prefix()
        };
        let parent = if row.spec.parents.is_empty() {
            let name = engine_parent(driver);
            let limits = self.level_limits(machine, name, driver);
            root.child(name.to_owned(), GroupKey::Level(name.to_owned()), limits)
        } else {
            let name = names.sandbox(sandbox);
            let mut path: Vec<&str> = row.spec.parents.clone();
            let above = self.level(root, machine, &path, driver);
            path.push(&name);
            let directory = levels(&path, driver).pop().unwrap_or_default();
            let group = above.child(
                directory,
                GroupKey::Sandbox(sandbox),
                self.sandbox_limits(sandbox),
            );
            let kills = self.oom_kills(sandbox);
            group.facts.memory.oom_events = kills;
            group.facts.memory.oom_kills = kills;
            group.facts.memory.max_events = kills;
            group
        };
        if row.spec.holder {
            let name = leaf(&names.holder(sandbox), prefix, driver);
            parent.child(name, GroupKey::Holder(sandbox), holder_limits());
        }
        let running = |container: &Container| container.running_since().is_some();
        for (container, facts) in self.containers_in(sandbox) {
            if !running(facts) {
                continue;
            }
            let name = leaf(&names.container(container), prefix, driver);
            let limits = self.container_limits(container);
            let group = parent.child(name, GroupKey::Container(container), limits);
            group.facts.memory = self.container_memory(container, now);
            group.facts.cpu = self.container_cpu(container, now);
            group.facts.pids_events = self.pids_refused(container);
            group.facts.io = self.cache_of(container).io;
            group.facts.pressure = self.container_pressure(container, now);
        }
    }
}

/// The group of the process that holds namespaces: the least shares.
fn holder_limits() -> Limits {
    let settings = GroupSettings {
        cpu_shares: Some(SHARES_MIN),
        ..GroupSettings::default()
    };
    Limits::of(
        &settings,
        super::place::Version::V2,
        Driver::Cgroupfs,
        WeightBy::Runtime,
    )
}

/// Counts a process in its group.
fn place(root: &mut Group, process: &Process) {
    if let Some(group) = find(root, &process.group) {
        group.facts.processes.push(process.pid);
        group.facts.tasks += process.threads;
        group.facts.tasks_peak += process.threads;
        if !matches!(process.group, GroupKey::Container(_)) {
            group.facts.memory.anonymous += process.rss;
        }
    }
}

fn find<'a>(group: &'a mut Group, key: &GroupKey) -> Option<&'a mut Group> {
    if group.key == *key {
        return Some(group);
    }
    group
        .children
        .values_mut()
        .find_map(|child| find(child, key))
}
