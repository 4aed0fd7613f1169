//! Writing to a machine's files: an input from outside, as any other.

use crate::kube::kubelet::statics::DIRECTORY;
use crate::substrate::cgroup::convert::SHARES_MIN;
use crate::substrate::cgroup::tree::GroupKey;
use crate::substrate::cgroup::write::{bytes, write};
use crate::substrate::errno::Errno;
use crate::substrate::file::below;
use crate::substrate::order::ContainerId;
use crate::substrate::root_fs::Store;

use super::command::{Answer, FileChange, FileWrite, ProcessAct};
use super::world::World;

impl World {
    /// Carries out a write to a control group's file; a refusal is the kernel's own text.
    #[inline(never)]
    pub(super) fn write_file(&mut self, wanted: &FileWrite) -> Answer {
        match self.try_write(wanted) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Refused(error.text().into()),
        }
    }

    /// Changes a file of a machine's disk; a refusal is the kernel's own text.
    #[inline(never)]
    pub(super) fn change_file(&mut self, wanted: &FileChange) -> Answer {
        let Some(machine) = self.machine(&wanted.machine) else {
            return Answer::Refused(Errno::NotFound.text().into());
        };
        let mut result = Ok(());
        self.on_substrate(|substrate, scope| {
            result = substrate.change_file(machine, &wanted.spot, &wanted.change, wanted.by, scope);
        });
        match result {
            Ok(()) => {
                if wanted.spot.store == Store::Machine
                    && below(&wanted.spot.path, DIRECTORY).is_some()
                {
                    self.lend_kube(|plane, _, out| plane.manifests_changed(machine, out));
                }
                Answer::Done
            }
            Err(error) => Answer::Refused(error.text().into()),
        }
    }

    /// Does something to the processes of a container.
    #[inline(never)]
    pub(super) fn process_act(&mut self, container: ContainerId, act: &ProcessAct) -> Answer {
        let mut result = Ok(());
        self.on_substrate(|substrate, scope| {
            result = match act {
                ProcessAct::Leave { command, span } => {
                    substrate.leave(container, command.clone(), *span, scope)
                }
                ProcessAct::Signal { inner, signal } => {
                    substrate.signal(container, *inner, *signal, scope)
                }
            };
        });
        match result {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Refused(error.text().into()),
        }
    }

    fn try_write(&mut self, wanted: &FileWrite) -> Result<(), Errno> {
        let machine = self.machine(&wanted.machine).ok_or(Errno::NotFound)?;
        let row = self.substrate.machine(machine).ok_or(Errno::NotFound)?;
        let version = row.profile.cgroups;
        let cpus = row.capacity.milli_cpu.unsigned_abs().div_ceil(1_000).max(1);
        if &*wanted.file == "cgroup.kill" {
            return self.kill_group(&wanted.group, wanted.text.trim());
        }
        if matches!(&*wanted.file, "cgroup.procs" | "cgroup.threads" | "tasks") {
            // Moving processes between groups is not modelled.
            return Err(Errno::NotSupported);
        }
        if &*wanted.file == "memory.reclaim" {
            return self.reclaim_group(&wanted.group, wanted.text.trim());
        }
        if wanted.group == GroupKey::Level(String::new()) {
            return Err(Errno::Invalid);
        }
        let mut limits = self.substrate.limits_of(machine, &wanted.group);
        debug_assert!(limits.shares >= SHARES_MIN);
        write(&mut limits, version, &wanted.file, &wanted.text, cpus)?;
        let group = wanted.group.clone();
        self.on_substrate(|substrate, scope| {
            substrate.write_limits(machine, group, limits, scope);
        });
        Ok(())
    }

    /// `memory.reclaim`: EAGAIN if less went than was asked for.
    fn reclaim_group(&mut self, group: &GroupKey, text: &str) -> Result<(), Errno> {
        let bytes = bytes(text)?;
        let GroupKey::Container(container) = group else {
            return Err(Errno::Again);
        };
        let mut gone = 0;
        let container = *container;
        self.on_substrate(|substrate, _| gone = substrate.reclaim_from(container, bytes));
        if gone < bytes {
            return Err(Errno::Again);
        }
        Ok(())
    }

    /// `cgroup.kill`: SIGKILL to all of a group.
    fn kill_group(&mut self, group: &GroupKey, text: &str) -> Result<(), Errno> {
        if text != "1" {
            return Err(Errno::Range);
        }
        match group {
            GroupKey::Container(container) => {
                let container = *container;
                self.on_substrate(|substrate, scope| {
                    substrate.fault(
                        crate::substrate::order::SubstrateFault::KillContainer(container),
                        scope,
                    );
                });
                Ok(())
            }
            GroupKey::Level(_) | GroupKey::Sandbox(_) | GroupKey::Holder(_) => {
                Err(Errno::NotSupported)
            }
        }
    }
}
