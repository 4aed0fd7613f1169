//! Tasks of weighted groups on a few CPUs, at the grain of the scheduler's tick.
//!
//! On each CPU the groups with something to run compete by virtual time: of those that have not had
//! more than their due, the one whose slice would end first runs until the tick that finds its slice
//! used (EEVDF). A tick is also when a running group's bandwidth is accounted, so a group overruns
//! its quota by up to a tick and repays it from the next refill.
//!
//! Nothing is done per tick where only one group wants a CPU: the next moment of interest is worked
//! out from what is left of its slice. Times are nanoseconds. Sources: Linux 6.18
//! `kernel/sched/fair.c` (`update_curr`, `pick_eevdf`, `place_entity`, `calc_group_shares`).

use std::collections::VecDeque;

use super::bandwidth::{Bandwidth, Counters, Limit};

/// The scheduler's tick on kernels built with 250 Hz, as most distributions do.
pub const TICK_NS: u64 = 4_000_000;

/// Where ticks lie against time 0. On a real machine their distance from a group's period timer is
/// an accident of when the group was made; half a tick is the middle.
const TICK_OFFSET_NS: u64 = TICK_NS / 2;

/// Slice of one CPU's share before the count of CPUs is taken in: `sysctl_sched_base_slice`.
const BASE_SLICE_NS: u64 = 700_000;

/// Weight of a group with default shares.
const DEFAULT_WEIGHT: u64 = 1_024;

/// Least weight in the arithmetic of virtual time: `scale_load_down` stops there, so a group of
/// two shares on several CPUs counts more than its shares.
const WEIGHT_MIN: u64 = 2;

/// Number of a group, in the order of making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub usize);

/// Number of a task, in the order of starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub usize);

/// When a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// When it has had so much CPU time.
    For(u64),
    /// When it runs at this time or first runs after it: a loop that looks at the clock.
    Until(u64),
}

/// A task that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub task: TaskId,
    /// When.
    pub at: u64,
}

/// A group on one CPU.
#[derive(Clone, Debug, Default)]
struct Entity {
    /// Virtual time in 1/1024 ns of a default group.
    virtual_ns: i128,
    deadline_ns: i128,
    /// Waiting and running tasks; the first runs when the group does.
    tasks: VecDeque<TaskId>,
}

#[derive(Clone, Debug)]
struct Group {
    shares: u64,
    bandwidth: Option<Bandwidth>,
    cpu_ns: u64,
    on: Vec<Entity>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cpu {
    running: Option<GroupId>,
    /// Up to where the running group's time is accounted.
    since: u64,
}

/// A few CPUs and the groups that share them.
#[derive(Clone, Debug)]
pub struct Cpus {
    now: u64,
    slice_ns: u64,
    cpus: Vec<Cpu>,
    groups: Vec<Group>,
    tasks: Vec<Work>,
}

impl Cpus {
    /// So many idle CPUs at time 0, at least one.
    pub fn new(count: usize) -> Self {
        let count = count.max(1);
        // As the kernel's logarithmic scaling: one more for each doubling, up to 8 CPUs.
        let factor = u64::from(count.min(8).ilog2()) + 1;
        Self {
            now: 0,
            slice_ns: BASE_SLICE_NS * factor,
            cpus: vec![Cpu::default(); count],
            groups: Vec::new(),
            tasks: Vec::new(),
        }
    }

    /// Time up to which everything has happened.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// A group with these shares (1024: default), and a limit with the phase of its timer.
    pub fn add_group(&mut self, shares: u64, limit: Option<(Limit, u64)>) -> GroupId {
        let cpus = self.cpus.len();
        self.groups.push(Group {
            shares,
            bandwidth: limit.map(|(limit, phase)| Bandwidth::new(limit, cpus, phase)),
            cpu_ns: 0,
            on: vec![Entity::default(); cpus],
        });
        GroupId(self.groups.len() - 1)
    }

    /// CPU time that a group has had.
    pub fn cpu_ns(&self, group: GroupId) -> u64 {
        self.groups[group.0].cpu_ns
    }

    /// What `cpu.stat` counts for a group.
    pub fn counters(&self, group: GroupId) -> Counters {
        self.groups[group.0]
            .bandwidth
            .as_ref()
            .map(|bandwidth| bandwidth.counters(self.now))
            .unwrap_or_default()
    }

    /// Starts a task of a group on a CPU, now.
    pub fn start(&mut self, group: GroupId, cpu: usize, work: Work) -> TaskId {
        let cpu = cpu % self.cpus.len();
        let task = TaskId(self.tasks.len());
        self.tasks.push(work);
        self.account(cpu);
        let joins = self.groups[group.0].on[cpu].tasks.is_empty();
        self.groups[group.0].on[cpu].tasks.push_back(task);
        if joins {
            self.place(group, cpu);
            if let Some(bandwidth) = &mut self.groups[group.0].bandwidth
                && !bandwidth.is_throttled(cpu)
                && bandwidth.local_ns(cpu) == 0
            {
                bandwidth.charge(cpu, 0, self.now);
            }
        }
        self.pick(cpu);
        task
    }

    /// Lets time pass up to and with `until`, or up to the first end of a task.
    pub fn run(&mut self, until: u64) -> Option<Ended> {
        loop {
            for cpu in 0..self.cpus.len() {
                if let Some(ended) = self.end_task(cpu) {
                    return Some(ended);
                }
            }
            let next = (0..self.cpus.len())
                .filter_map(|cpu| self.next_on(cpu))
                .chain(
                    self.groups
                        .iter()
                        .filter_map(|group| group.bandwidth.as_ref()?.next_timer()),
                )
                .min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = self.now.max(until);
                for cpu in 0..self.cpus.len() {
                    self.account_quietly(cpu);
                }
                return None;
            };
            self.now = next;
            for cpu in 0..self.cpus.len() {
                if self.is_tick() && self.is_due(cpu) == Some(false) {
                    self.account(cpu);
                    self.rotate(cpu);
                    self.pick(cpu);
                }
            }
            self.run_timers();
        }
    }

    fn is_tick(&self) -> bool {
        self.now % TICK_NS == TICK_OFFSET_NS
    }

    fn tick_from(time: u64) -> u64 {
        let past = (time + TICK_NS - TICK_OFFSET_NS) % TICK_NS;
        if past == 0 {
            time
        } else {
            time + TICK_NS - past
        }
    }

    /// When something can change on this CPU by itself.
    fn next_on(&self, cpu: usize) -> Option<u64> {
        let row = self.cpus[cpu];
        let group = &self.groups[row.running?.0];
        let entity = &group.on[cpu];
        let task = entity.tasks.front()?;
        let end = match self.tasks[task.0] {
            Work::For(left) => row.since + left,
            Work::Until(time) => time.max(self.now),
        };
        let contended =
            entity.tasks.len() > 1
                || self.groups.iter().zip(0_usize..).any(|(other, number)| {
                    Some(GroupId(number)) != row.running && other.may_run(cpu)
                });
        let tick = if contended {
            Some(Self::tick_from(self.now + 1))
        } else {
            group.bandwidth.as_ref().map(|bandwidth| {
                Self::tick_from((row.since + bandwidth.local_ns(cpu)).max(self.now + 1))
            })
        };
        Some(tick.map_or(end, |tick| tick.min(end)))
    }

    /// Whether the running task of a CPU is done; none if none runs.
    fn is_due(&self, cpu: usize) -> Option<bool> {
        let row = self.cpus[cpu];
        let task = self.groups[row.running?.0].on[cpu].tasks.front()?;
        Some(match self.tasks[task.0] {
            Work::For(left) => row.since + left <= self.now,
            Work::Until(time) => time <= self.now,
        })
    }

    /// Ends the running task of a CPU if it is done.
    fn end_task(&mut self, cpu: usize) -> Option<Ended> {
        if self.is_due(cpu) != Some(true) {
            return None;
        }
        let group = self.cpus[cpu].running?;
        let task = *self.groups[group.0].on[cpu].tasks.front()?;
        self.account_quietly(cpu);
        let row = &mut self.groups[group.0];
        row.on[cpu].tasks.pop_front();
        if row.on[cpu].tasks.is_empty()
            && let Some(bandwidth) = &mut row.bandwidth
        {
            bandwidth.give_back(cpu, self.now);
        }
        self.cpus[cpu].running = None;
        self.pick(cpu);
        Some(Ended { task, at: self.now })
    }

    /// Books the time that the running group has had, and takes the CPU from it if its quota is
    /// used up.
    fn account(&mut self, cpu: usize) {
        let Some((group, ran)) = self.book(cpu) else {
            return;
        };
        if let Some(bandwidth) = &mut self.groups[group.0].bandwidth
            && !bandwidth.charge(cpu, ran, self.now)
        {
            self.cpus[cpu].running = None;
        }
    }

    /// Books the time at a moment at which the kernel would not look at the quota; what is owed
    /// shows at the next.
    fn account_quietly(&mut self, cpu: usize) {
        let Some((group, ran)) = self.book(cpu) else {
            return;
        };
        if let Some(bandwidth) = &mut self.groups[group.0].bandwidth {
            bandwidth.owe(cpu, ran);
        }
    }

    fn book(&mut self, cpu: usize) -> Option<(GroupId, u64)> {
        let row = &mut self.cpus[cpu];
        let group = row.running?;
        let ran = self.now - row.since;
        row.since = self.now;
        let weight = self.weight(group, cpu);
        let slice = self.slice(weight);
        let row = &mut self.groups[group.0];
        row.cpu_ns += ran;
        let entity = &mut row.on[cpu];
        entity.virtual_ns += i128::from(ran) * i128::from(DEFAULT_WEIGHT * 1_024 / weight);
        if entity.virtual_ns >= entity.deadline_ns {
            entity.deadline_ns = entity.virtual_ns + slice;
        }
        if let Some(task) = entity.tasks.front()
            && let Work::For(left) = &mut self.tasks[task.0]
        {
            *left = left.saturating_sub(ran);
        }
        Some((group, ran))
    }

    fn slice(&self, weight: u64) -> i128 {
        i128::from(self.slice_ns) * i128::from(DEFAULT_WEIGHT * 1_024 / weight)
    }

    /// Weight of a group on one CPU: its shares go to its CPUs by what wants to run there.
    fn weight(&self, group: GroupId, cpu: usize) -> u64 {
        let row = &self.groups[group.0];
        let here = row.on[cpu].tasks.len() as u64;
        let all: u64 = row.on.iter().map(|entity| entity.tasks.len() as u64).sum();
        (row.shares * here / all.max(1)).max(WEIGHT_MIN)
    }

    /// The tasks of a group on one CPU take turns.
    fn rotate(&mut self, cpu: usize) {
        if let Some(group) = self.cpus[cpu].running {
            self.groups[group.0].on[cpu].tasks.rotate_left(1);
        }
    }

    /// A group that begins to want a CPU starts at the others' average.
    fn place(&mut self, group: GroupId, cpu: usize) {
        let (sum, weights) = self.average(cpu, Some(group));
        let weight = self.weight(group, cpu);
        let slice = self.slice(weight);
        let entity = &mut self.groups[group.0].on[cpu];
        if weights > 0 {
            entity.virtual_ns = sum / i128::from(weights);
        }
        entity.deadline_ns = entity.virtual_ns + slice;
    }

    /// Weighted sum of virtual times on a CPU, and the sum of weights.
    fn average(&self, cpu: usize, without: Option<GroupId>) -> (i128, u64) {
        let mut sum = (0, 0);
        for (group, number) in self.groups.iter().zip(0_usize..) {
            let id = GroupId(number);
            if group.may_run(cpu) && Some(id) != without {
                let weight = self.weight(id, cpu);
                sum.0 += group.on[cpu].virtual_ns * i128::from(weight);
                sum.1 += weight;
            }
        }
        sum
    }

    /// Chooses what a CPU runs: of those not ahead of the average, whose slice ends first.
    fn pick(&mut self, cpu: usize) {
        let (sum, weights) = self.average(cpu, None);
        let best = self
            .groups
            .iter()
            .zip(0_usize..)
            .filter(|(group, _)| {
                group.may_run(cpu) && group.on[cpu].virtual_ns * i128::from(weights) <= sum
            })
            .min_by_key(|(group, number)| (group.on[cpu].deadline_ns, *number))
            .map(|(_, number)| GroupId(number));
        if self.cpus[cpu].running != best {
            self.account_quietly(cpu);
            self.cpus[cpu] = Cpu {
                running: best,
                since: self.now,
            };
        }
    }

    fn run_timers(&mut self) {
        for number in 0..self.groups.len() {
            let Some(bandwidth) = &mut self.groups[number].bandwidth else {
                continue;
            };
            if bandwidth.next_timer().is_none_or(|due| due > self.now) {
                continue;
            }
            for cpu in bandwidth.run_timers(self.now) {
                self.place(GroupId(number), cpu);
                self.pick(cpu);
            }
        }
    }
}

impl Group {
    fn may_run(&self, cpu: usize) -> bool {
        !self.on[cpu].tasks.is_empty()
            && self
                .bandwidth
                .as_ref()
                .is_none_or(|bandwidth| !bandwidth.is_throttled(cpu))
    }
}
