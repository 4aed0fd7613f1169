//! The end of a kernel that only one sandbox has.

use super::order::{ContainerId, SandboxId};
use super::{Scope, Substrate};

/// Exit code of a process whose kernel is gone: the engine knows no other than that it lost it.
/// Source: containerd `core/runtime/v2/shim.go` (255 when the shim's process is gone).
const LOST: i32 = 255;

impl Substrate {
    /// A sandbox's own kernel panics: its containers end, and nobody else's.
    ///
    /// Not modelled: that the sandbox itself has to be made anew; its containers start in it again.
    pub(super) fn panic_guest(&mut self, sandbox: SandboxId, scope: &mut Scope<'_>) {
        let running: Vec<ContainerId> = self
            .containers_in(sandbox)
            .filter(|(_, row)| row.running_since().is_some())
            .map(|(id, _)| id)
            .collect();
        for container in running {
            self.end_now(container, LOST, scope);
        }
    }
}
