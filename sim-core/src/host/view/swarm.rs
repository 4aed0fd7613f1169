//! Nodes and tasks in their slots.

use crate::engine::world::World;
use crate::protocol::{MachineFrame, StateGroup, Unit};
use crate::swarm::SwarmPlane;
use crate::swarm::state::{Availability, NodeState, TaskState};
use crate::swarm::store::TaskRow;

use super::{Wanted, machine, permille};

/// Machines in the order in which they were added, with the tasks assigned to each, or their
/// counts. Ended tasks of a slot's past are left out.
pub(super) fn machines(world: &World, plane: &SwarmPlane, wanted: Wanted) -> Vec<MachineFrame> {
    let frames = world
        .substrate
        .machines()
        .filter(|(_, row)| wanted.wants(row))
        .map(|(_, row)| {
            let mut frame = machine(world, row);
            let Some(node_id) = plane.find_node(&frame.name) else {
                return frame;
            };
            let Some(node) = plane.store.node(node_id) else {
                return frame;
            };
            frame.state = node.state.title().to_owned();
            if node.availability != Availability::Active {
                frame.closed = node.availability.title().to_owned();
            }
            let number = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
            frame.cpu_permille = permille(number(node.reserved.cpu_milli), number(node.cpu_milli));
            frame.memory_permille = permille(
                number(node.reserved.memory_bytes),
                number(node.memory_bytes),
            );
            let lost = node.state == NodeState::Down;
            for (_, task, historic) in plane.node_task_rows(node_id) {
                if !shown(&task, historic) {
                    continue;
                }
                if wanted.is_named() {
                    frame.units.push(unit(plane, &task, lost));
                } else {
                    frame.counts[group(&task, lost) as usize] += 1;
                }
            }
            frame
        });
    frames.collect()
}

/// Tasks that no node has been chosen for: at most `named` of them, and how many there are.
pub(in crate::host) fn unplaced(plane: &SwarmPlane, named: usize) -> (Vec<Unit>, usize) {
    let mut count = 0;
    let mut units = Vec::new();
    for service in plane.service_views() {
        for (_, task, historic) in plane.task_rows(service.id) {
            if task.node.is_some() || !shown(&task, historic) {
                continue;
            }
            if count < named {
                units.push(unit(plane, &task, false));
            }
            count += 1;
        }
    }
    (units, count)
}

fn shown(task: &TaskRow, historic: bool) -> bool {
    task.state <= TaskState::Running || (!historic && task.desired <= TaskState::Complete)
}

/// The palette's group of a task on a machine that is lost, or not.
fn group(task: &TaskRow, lost: bool) -> StateGroup {
    let stopping = task.desired > TaskState::Complete;
    match task.state {
        TaskState::Complete => StateGroup::Completed,
        TaskState::Failed | TaskState::Rejected | TaskState::Orphaned => StateGroup::Failed,
        TaskState::Shutdown | TaskState::Remove => StateGroup::Terminating,
        TaskState::New | TaskState::Pending => StateGroup::Pending,
        TaskState::Assigned
        | TaskState::Accepted
        | TaskState::Preparing
        | TaskState::Ready
        | TaskState::Starting
        | TaskState::Running => match (lost, stopping, task.state == TaskState::Running) {
            (true, _, _) => StateGroup::Unknown,
            (false, true, _) => StateGroup::Terminating,
            (false, false, true) => StateGroup::Ready,
            (false, false, false) => StateGroup::Progressing,
        },
    }
}

fn unit(plane: &SwarmPlane, task: &TaskRow, lost: bool) -> Unit {
    let spec = &plane.store.template(task.template).spec;
    Unit {
        kind: "task".to_owned(),
        name: plane.task_name(task),
        workload: crate::swarm::control_api::short_name(spec).to_owned(),
        group: group(task, lost),
        state: task.state.word().to_owned(),
    }
}
