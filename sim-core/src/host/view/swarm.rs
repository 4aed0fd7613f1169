//! Nodes and tasks in their slots.

use crate::engine::world::World;
use crate::protocol::{MachineFrame, StateGroup, Unit};
use crate::swarm::SwarmPlane;
use crate::swarm::state::{NodeState, TaskState};
use crate::swarm::view::TaskView;

use super::{machine, permille};

/// Machines in the order in which they were added, with the tasks assigned to each. Ended tasks of
/// a slot's past are left out.
pub(in crate::host) fn machines(world: &World, plane: &SwarmPlane) -> Vec<MachineFrame> {
    let frames = world.substrate.machines().map(|(_, row)| {
        let mut frame = machine(world, row);
        let Some(node_id) = plane.find_node(&frame.name) else {
            return frame;
        };
        let Some(node) = plane.store.node(node_id) else {
            return frame;
        };
        frame.state = node.state.title().to_owned();
        let number = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        frame.cpu_permille = permille(number(node.reserved.cpu_milli), number(node.cpu_milli));
        frame.memory_permille = permille(
            number(node.reserved.memory_bytes),
            number(node.memory_bytes),
        );
        let lost = node.state == NodeState::Down;
        let tasks = plane.node_task_views(node_id);
        frame.units = tasks
            .iter()
            .filter(|task| shown(task))
            .map(|task| unit(plane, task, lost))
            .collect();
        frame
    });
    frames.collect()
}

/// Tasks that no node has been chosen for.
pub(in crate::host) fn unplaced(plane: &SwarmPlane) -> Vec<Unit> {
    let mut units = Vec::new();
    for service in plane.service_views() {
        let tasks = plane.task_views(service.id);
        units.extend(
            tasks
                .iter()
                .filter(|task| task.node.is_empty() && shown(task))
                .map(|task| unit(plane, task, false)),
        );
    }
    units
}

fn shown(task: &TaskView) -> bool {
    task.state <= TaskState::Running || (!task.historic && task.desired <= TaskState::Complete)
}

fn unit(plane: &SwarmPlane, task: &TaskView, lost: bool) -> Unit {
    let stopping = task.desired > TaskState::Complete;
    let group = match task.state {
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
    };
    let spec = plane
        .store
        .tasks
        .get(task.id)
        .map(|row| plane.store.template(row.template).spec.clone());
    Unit {
        kind: "task".to_owned(),
        name: task.name.clone(),
        workload: spec.map_or_else(String::new, |spec| {
            crate::swarm::control_api::short_name(&spec).to_owned()
        }),
        group,
        state: task.state.word().to_owned(),
    }
}
