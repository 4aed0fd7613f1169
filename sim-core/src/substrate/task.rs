//! Processes that a container has beside its first: those that its program starts, and those that a
//! command inside left behind.
//!
//! A left process ends by itself at a time that is known when it starts, so it needs no event. Its
//! parent is gone, so it belongs to the first process of its namespace; if that one does not wait for
//! it, it stays as a zombie and counts for `pids.max`. Sources: `pid_namespaces(7)`, Linux
//! `kernel/cgroup/pids.c`.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};

use super::container::Container;
use super::errno::Errno;
use super::order::ContainerId;
use super::process::Process;
use super::{Scope, Substrate, catalogue};

/// A process that a command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its number in the container.
    pub inner: u32,
    /// Its command line.
    pub command: Arc<[Arc<str>]>,
    /// When it started.
    pub start: SimTime,
    /// When it ends; [`SimTime::MAX`]: never by itself.
    pub end: SimTime,
}

/// What commands left behind in one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// The processes.
    pub left: Vec<Left>,
    /// Times that there could be no more.
    pub refused: u64,
    /// Number given out last.
    pub last: u32,
}

/// Processes kept for one container; a limit on tasks of its own is reached far before.
const LEFT_MAX: usize = 4_096;
/// Step between numbers in a container: what runs in between took the others.
pub const STEP: u32 = 6;
/// First number on the machine of processes beside the first.
const FIRST: u32 = 1_000_000;
/// Numbers that each container has for them.
const STRIDE: u32 = 4_096;

impl Substrate {
    fn tasks(&self, container: ContainerId) -> Option<&Tasks> {
        let row = self.container(container)?;
        let sandbox = self.sandbox(row.sandbox)?;
        let tasks = self.machine(sandbox.machine)?.tasks.get(&container)?;
        Some(tasks)
    }

    /// Command lines of the processes that a container's program starts.
    pub fn children(&self, row: &Container) -> Vec<String> {
        if is_stress(row) {
            let line: Vec<&str> = words(row).collect();
            return vec![line.join(" "); usize::from(row.behaviour.busy)];
        }
        self.workers(row)
            .flat_map(|(title, count)| (0..count).map(move |_| title.to_owned()))
            .collect()
    }

    /// How many they are.
    pub(super) fn child_count(&self, row: &Container) -> u64 {
        if is_stress(row) {
            return row.behaviour.busy.into();
        }
        self.workers(row).map(|(_, count)| count).sum()
    }

    /// What the image's program starts when it serves, with how many of each.
    fn workers(&self, row: &Container) -> impl Iterator<Item = (&'static str, u64)> {
        let serves = row.spec.command.is_empty() && row.behaviour.listen.is_some();
        let image = self.image_named(row.spec.image).filter(|_| serves);
        let cpus = self
            .sandbox(row.sandbox)
            .and_then(|sandbox| self.machine(sandbox.machine))
            .map_or(1, |machine| {
                machine
                    .capacity
                    .milli_cpu
                    .unsigned_abs()
                    .div_ceil(1_000)
                    .max(1)
            });
        image
            .map_or(catalogue::NO_WORKERS, |image| image.workers)
            .iter()
            .map(move |(title, count)| (*title, count.unwrap_or(cpus)))
    }

    /// Tasks in a container's group.
    pub fn container_tasks(&self, container: ContainerId, now: SimTime) -> u64 {
        let running = self
            .container(container)
            .is_some_and(|row| row.running_since().is_some());
        u64::from(running) + self.tasks_beside(container, now)
    }

    /// Whether a container's first process waits for processes that others left behind.
    fn reaps(&self, row: &Container) -> bool {
        let first = row
            .spec
            .command
            .iter()
            .chain(row.spec.arguments.iter())
            .next()
            .map(|word| word.rsplit('/').next().unwrap_or(word));
        let shell = match first {
            Some(word) => matches!(word, "sh" | "bash" | "ash" | "dash"),
            None => row.behaviour.listen.is_some(),
        };
        row.spec.root.init || shell
    }

    /// Tasks that a container has beside its first process: what its program started, what commands
    /// left, and zombies.
    pub fn tasks_beside(&self, container: ContainerId, now: SimTime) -> u64 {
        let Some(row) = self
            .container(container)
            .filter(|row| row.running_since().is_some())
        else {
            return 0;
        };
        let reaps = self.reaps(row);
        let left = self.tasks(container).map_or(0, |tasks| {
            let there = tasks.left.iter().filter(|left| left.end > now || !reaps);
            there.count() as u64
        });
        let own = self.child_count(row) + u64::from(row.spec.root.init);
        let most = self.pids_max(container).unwrap_or(u64::MAX);
        own.min(most.saturating_sub(1)) + left
    }

    /// The processes beside a container's first one, which is given; the first one's own number in
    /// the container moves up behind a small init.
    pub(super) fn beside(
        &self,
        container: ContainerId,
        first: &mut Process,
        now: SimTime,
    ) -> Vec<Process> {
        let Some(row) = self.container(container) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        let base = FIRST + container.slot() % 700 * STRIDE;
        let (outer, keeper) = (first.pid, first.parent);
        let (mut top, owner) = (first.inner, first.inner);
        let host = first.inner == first.pid;
        if row.spec.root.init {
            let mut init = first.clone();
            init.name = "docker-init".to_owned();
            init.command = std::iter::once("/sbin/docker-init".to_owned())
                .chain(std::iter::once("--".to_owned()))
                .chain(first.command.iter().cloned())
                .collect();
            init.rss = 1 << 20;
            init.pid = outer;
            init.parent = keeper;
            first.pid = base + STRIDE - 1;
            first.parent = outer;
            first.inner_parent = init.inner;
            first.inner = if host { first.pid } else { init.inner + STEP };
            top = first.inner;
            all.push(init);
        }
        let children = self.children(row);
        let most = self.pids_max(container).unwrap_or(u64::MAX);
        let most = usize::try_from(most.saturating_sub(1)).unwrap_or(usize::MAX);
        let each = first.rss / (children.len() as u64 + 1).max(1);
        for (title, number) in children.into_iter().take(most.min(1_000)).zip(1..) {
            let mut child = first.clone();
            child.pid = base + number;
            child.parent = first.pid;
            top += STEP;
            child.inner = if host { child.pid } else { top };
            child.inner_parent = first.inner;
            child.name = title
                .split(' ')
                .next()
                .unwrap_or(&title)
                .trim_end_matches(':')
                .chars()
                .take(15)
                .collect();
            child.command = title.split(' ').map(str::to_owned).collect();
            child.rss = each;
            all.push(child);
        }
        if all.len() > usize::from(row.spec.root.init) {
            first.rss = each;
        }
        let reaps = self.reaps(row);
        for left in self
            .tasks(container)
            .into_iter()
            .flat_map(|tasks| &tasks.left)
        {
            let ended = left.end <= now;
            if ended && reaps {
                continue;
            }
            let mut process = first.clone();
            process.pid = base + 1_000 + left.inner % 2_000;
            process.parent = outer;
            process.inner = if host {
                process.pid
            } else {
                left.inner + owner - 1
            };
            process.inner_parent = owner;
            process.start = left.start;
            process.rss = if ended { 0 } else { 1 << 20 };
            process.zombie = ended;
            let name = left.command.first().map_or("", |word| &**word);
            process.name = name
                .rsplit('/')
                .next()
                .unwrap_or(name)
                .chars()
                .take(15)
                .collect();
            process.command = if ended {
                vec![format!("[{}]", process.name), "<defunct>".to_owned()]
            } else {
                left.command.iter().map(|word| word.to_string()).collect()
            };
            all.push(process);
        }
        all
    }

    /// Leaves a process behind in a container.
    ///
    /// # Errors
    /// EAGAIN at the limit on tasks, ESRCH if the container does not run.
    pub fn leave(
        &mut self,
        container: ContainerId,
        command: Arc<[Arc<str>]>,
        span: Option<SimDuration>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Errno> {
        let (sandbox, children) = match self.container(container) {
            Some(row) if row.running_since().is_some() => (
                row.sandbox,
                self.children(row).len() + usize::from(row.spec.root.init),
            ),
            Some(_) | None => return Err(Errno::NoProcess),
        };
        let machine = self.sandboxes[sandbox].machine;
        let most = self.pids_max(container).unwrap_or(u64::MAX);
        // The first process, those beside it, and the shell that forks.
        let now = 2 + self.tasks_beside(container, scope.now);
        let tasks = self.machines[machine].tasks.entry(container).or_default();
        if now >= most || tasks.left.len() >= LEFT_MAX {
            tasks.refused += 1;
            return Err(Errno::Again);
        }
        let first = 1 + STEP * (u32::try_from(children).unwrap_or(0) + 1);
        tasks.last = tasks.last.max(first) + STEP;
        tasks.left.push(Left {
            inner: tasks.last,
            command,
            start: scope.now,
            end: span.map_or(SimTime::MAX, |span| scope.now + span),
        });
        Ok(())
    }

    /// Times that a container's group could not make another task.
    pub fn pids_refused(&self, container: ContainerId) -> u64 {
        let most = self.pids_max(container).unwrap_or(u64::MAX);
        let own = self.container(container).map_or(0, |row| {
            let wanted = 1 + self.child_count(row);
            wanted.saturating_sub(most)
        });
        own + self.tasks(container).map_or(0, |tasks| tasks.refused)
    }

    /// A signal to a process of a container, by its number beside the container's first, which is 1.
    /// The first process of a namespace has no default actions: from inside nothing kills it that it
    /// does not handle.
    ///
    /// # Errors
    /// ESRCH.
    pub fn signal(
        &mut self,
        container: ContainerId,
        inner: u32,
        signal: u8,
        scope: &mut Scope<'_>,
    ) -> Result<(), Errno> {
        use super::program::OnStop;
        /// SIGTERM, SIGINT, SIGQUIT: what asks a program to end.
        const ASKS: [u8; 3] = [15, 2, 3];
        let Some(row) = self
            .container(container)
            .filter(|row| row.running_since().is_some())
        else {
            return Err(Errno::NoProcess);
        };
        let machine = self.sandboxes[row.sandbox].machine;
        if inner == 1 {
            let handles = matches!(row.behaviour.on_stop, OnStop::Exit { .. });
            let asks = ASKS.contains(&signal);
            if asks && (handles || row.spec.root.init) {
                self.stop(container, SimDuration::from_minutes(60), scope);
            } else if (asks || signal == 9) && !self.is_first(container) {
                self.end_now(container, 128 + i32::from(signal), scope);
            }
            self.settle(scope);
            return Ok(());
        }
        let tasks = self.machines[machine].tasks.get_mut(&container);
        let left = tasks.and_then(|tasks| {
            tasks
                .left
                .iter_mut()
                .find(|left| left.inner == inner && left.end > scope.now)
        });
        match left {
            Some(left) if signal == 9 || ASKS.contains(&signal) || signal == 1 => {
                left.end = scope.now
            }
            Some(_) => {}
            None => return Err(Errno::NoProcess),
        }
        Ok(())
    }
}

/// What is kept for all containers of a machine.
pub type TasksByContainer = SortedMap<ContainerId, Tasks>;

/// A container's command line as it was told.
fn words(row: &Container) -> impl Iterator<Item = &str> {
    let told = row.spec.command.iter().chain(row.spec.arguments.iter());
    told.map(|word| &**word)
}

/// Whether it runs a load generator, whose first process starts one for each load.
fn is_stress(row: &Container) -> bool {
    let tool = words(row).next().and_then(|word| word.rsplit('/').next());
    matches!(tool, Some("stress" | "stress-ng"))
}
