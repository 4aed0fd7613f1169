//! Processes of a machine: those of its system, those that keep sandboxes, and containers' own.
//!
//! Worked out when somebody looks. A number names a process for as long as it lives: it is made of
//! the slot of its row, as processes that nobody starts or ends need no counter.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::time::SimTime;

use super::Substrate;
use super::cgroup::settings::Sharing;
use super::cgroup::tree::{GroupKey, Names};
use super::container::Container;
use super::machine::Power;
use super::namespace::Namespaces;
use super::order::{ContainerId, MachineId, SandboxId};
use super::profile::Isolation;

/// A program that runs on a machine beside containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its name, and that of its service.
    pub name: &'static str,
    /// Its command line.
    pub command: &'static str,
    /// Its `oom_score_adj`.
    pub oom_score_adj: i32,
    /// Its memory, in bytes.
    pub rss: u64,
    /// Its threads.
    pub threads: u64,
}

/// One process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Number on the machine.
    pub pid: u32,
    /// Number of its parent on the machine.
    pub parent: u32,
    /// Number in its own namespace.
    pub inner: u32,
    /// Number of its parent there; 0: outside.
    pub inner_parent: u32,
    /// Short name, at most 15 characters.
    pub name: String,
    /// Command line.
    pub command: Vec<String>,
    /// User that it runs as.
    pub uid: u32,
    /// When it started.
    pub start: SimTime,
    /// Its memory, in bytes.
    pub rss: u64,
    /// Its threads.
    pub threads: u64,
    /// Its `oom_score_adj`.
    pub oom_score_adj: i32,
    /// Its control group.
    pub group: GroupKey,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// Its sandbox; none: the machine's own.
    pub sandbox: Option<SandboxId>,
    /// Its container; none: the machine's own, or one that keeps a sandbox.
    pub container: Option<ContainerId>,
    /// Whether only its machine's kernel knows it: it runs inside a virtual machine.
    pub guest: bool,
    /// Whether it has ended and nobody has waited for it.
    pub zombie: bool,
}

/// First number of processes that belong to sandboxes and containers.
const FIRST: u32 = 2_000;
/// Numbers that each row has for itself.
const STRIDE: u32 = 16;
/// Memory of the process that holds namespaces, in bytes.
pub const HOLDER_RSS: u64 = 256 << 10;
/// Memory of the process that keeps a sandbox's containers, in bytes.
const SHIM_RSS: u64 = 12 << 20;
/// Adjustment of the process that holds namespaces. Source: containerd `internal/cri`.
const HOLDER_SCORE: i32 = -998;
/// Adjustment of the process that keeps containers. Source: containerd `core/runtime`.
const SHIM_SCORE: i32 = -998;

/// Number of a container's main process.
pub fn container_pid(container: ContainerId) -> u32 {
    let turn = container.generation().get() % 4;
    FIRST + container.slot() * STRIDE + 8 + turn * 2
}

/// Number of the process that keeps a sandbox's containers.
fn shim_pid(sandbox: SandboxId) -> u32 {
    let turn = sandbox.generation().get() % 4;
    FIRST + sandbox.slot() * STRIDE + turn * 2
}

/// Number of the process that holds a sandbox's namespaces.
pub fn holder_pid(sandbox: SandboxId) -> u32 {
    shim_pid(sandbox) + 1
}

impl Substrate {
    /// All processes of a machine that runs, by number.
    pub fn processes(&self, machine: MachineId, names: &dyn Names, now: SimTime) -> Vec<Process> {
        let Some(row) = self.machine(machine) else {
            return Vec::new();
        };
        let Power::On { since } = row.power else {
            return Vec::new();
        };
        let mut all = system(since, names.agents());
        for (sandbox, _) in self.sandboxes_on(machine) {
            self.sandbox_processes(sandbox, names, now, &mut all);
        }
        all.arrange_by_key(|process| process.pid);
        all
    }

    /// Processes of one sandbox: what keeps it, what holds it, and its containers'.
    fn sandbox_processes(
        &self,
        sandbox: SandboxId,
        names: &dyn Names,
        now: SimTime,
        all: &mut Vec<Process>,
    ) {
        let Some(row) = self.sandbox(sandbox) else {
            return;
        };
        let Some(machine) = self.machine(row.machine) else {
            return;
        };
        let running: Vec<(ContainerId, &Container)> = self
            .containers_in(sandbox)
            .filter(|(_, container)| container.running_since().is_some())
            .collect();
        if running.is_empty() && !row.spec.holder {
            return;
        }
        let runtime = machine.profile.runtime(&row.spec.runtime);
        let guest = runtime.is_some_and(|runtime| runtime.isolation != Isolation::Shared);
        let holder_id = names.holder(sandbox);
        let host = Namespaces::host();
        let (space, shim_group) = if row.spec.holder {
            ("k8s.io", GroupKey::Sandbox(sandbox))
        } else {
            ("moby", GroupKey::Level("system.slice".to_owned()))
        };
        let id = match running.first() {
            Some((container, _)) if !row.spec.holder => names.container(*container),
            _ => holder_id,
        };
        let shim = shim_pid(sandbox);
        all.push(Process {
            pid: shim,
            parent: 1,
            inner: shim,
            inner_parent: 1,
            name: "containerd-shim".to_owned(),
            command: words(&format!(
                "/usr/bin/containerd-shim-{}-v2 -namespace {space} -id {id} -address /run/containerd/containerd.sock",
                runtime.map_or("runc", |runtime| match runtime.isolation {
                    Isolation::Shared => "runc",
                    Isolation::UserKernel => "runsc",
                    Isolation::VirtualMachine => "kata",
                })
            )),
            uid: 0,
            start: row.created,
            rss: SHIM_RSS,
            threads: 10,
            oom_score_adj: SHIM_SCORE,
            group: shim_group,
            namespaces: host,
            sandbox: Some(sandbox),
            container: None,
            guest: false,
            zombie: false,
        });
        let shared = row.spec.pid == Sharing::Sandbox;
        if row.spec.holder {
            let pid = holder_pid(sandbox);
            all.push(Process {
                pid,
                parent: shim,
                inner: if row.spec.pid == Sharing::Host {
                    pid
                } else {
                    1
                },
                inner_parent: 0,
                name: "pause".to_owned(),
                command: vec!["/pause".to_owned()],
                uid: 65_535,
                start: row.created,
                rss: HOLDER_RSS,
                threads: 1,
                oom_score_adj: HOLDER_SCORE,
                group: GroupKey::Holder(sandbox),
                namespaces: self.holder_namespaces(sandbox),
                sandbox: Some(sandbox),
                container: None,
                guest,
                zombie: false,
            });
        }
        let mut inner = 1;
        // The highest number so far in the namespaces of those that others have joined.
        let mut tops: Vec<(ContainerId, u32)> = Vec::new();
        let mut oldest_first = running;
        oldest_first.reverse();
        for (container, facts) in oldest_first {
            let joined = self.joined(container);
            let top = joined.and_then(|joined| tops.iter_mut().find(|(of, _)| *of == joined));
            inner = match &top {
                Some((_, top)) => *top + 6,
                None if shared => inner + 6,
                None => 1,
            };
            let pid = container_pid(container);
            let command = self.command_of(facts);
            let mut first = Process {
                pid,
                parent: shim,
                inner: if row.spec.pid == Sharing::Host {
                    pid
                } else {
                    inner
                },
                inner_parent: 0,
                name: short(&command),
                command,
                uid: 0,
                start: facts.running_since().unwrap_or(now),
                rss: self.container_memory(container, now).anonymous,
                threads: 1,
                oom_score_adj: facts.spec.oom.adjustment(machine.capacity.memory),
                group: GroupKey::Container(container),
                namespaces: self.namespaces(container),
                sandbox: Some(sandbox),
                container: Some(container),
                guest,
                zombie: false,
            };
            let beside = self.beside(container, &mut first, now);
            let numbers = beside.iter().map(|process| process.inner);
            inner = numbers.max().unwrap_or(0).max(first.inner);
            match top {
                Some((_, top)) => *top = inner,
                None => tops.push((container, inner)),
            }
            all.push(first);
            all.extend(beside);
        }
    }

    /// The command line of a container's main process: as it was told, or its image's own name.
    fn command_of(&self, container: &Container) -> Vec<String> {
        let told: Vec<String> = container
            .spec
            .command
            .iter()
            .chain(container.spec.arguments.iter())
            .map(|word: &Arc<str>| word.to_string())
            .collect();
        if told.is_empty() {
            vec![container.behaviour.program.to_string()]
        } else {
            told
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// What the kernel keeps of a command's name: 15 bytes behind the last slash.
fn short(command: &[String]) -> String {
    let first = command.first().map_or("", String::as_str);
    let name = first.rsplit('/').next().unwrap_or(first);
    name.chars().take(15).collect()
}

/// Processes that every machine has.
fn system(since: SimTime, agents: &[Agent]) -> Vec<Process> {
    let one = |pid: u32, parent: u32, command: &str, group: &str, rss: u64, threads: u64| Process {
        pid,
        parent,
        inner: pid,
        inner_parent: parent,
        name: short(&words(command)),
        command: words(command),
        uid: 0,
        start: since,
        rss,
        threads,
        oom_score_adj: 0,
        group: GroupKey::Level(group.to_owned()),
        namespaces: Namespaces::host(),
        sandbox: None,
        container: None,
        guest: false,
        zombie: false,
    };
    let mut all = vec![
        one(1, 0, "/sbin/init", "init.scope", 12 << 20, 1),
        one(2, 0, "[kthreadd]", "", 0, 1),
    ];
    for (pid, agent) in (700..).step_by(11).zip(agents) {
        let group = format!("system.slice/{}.service", agent.name);
        let mut process = one(pid, 1, agent.command, &group, agent.rss, agent.threads);
        process.oom_score_adj = agent.oom_score_adj;
        all.push(process);
    }
    all
}
