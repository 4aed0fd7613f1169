//! The one host and its containers.

use crate::compose::ComposePlane;
use crate::compose::store::{ContainerRow, Health, State};
use crate::compose::view::{health_word, status_word};
use crate::engine::world::World;
use crate::protocol::{MachineFrame, StateGroup, Unit};

use super::{Wanted, machine};

/// The host first; nobody keeps its state, and Compose reserves nothing.
pub(super) fn machines(world: &World, plane: &ComposePlane, wanted: Wanted) -> Vec<MachineFrame> {
    let frames = world
        .substrate
        .machines()
        .enumerate()
        .filter(|(_, (_, row))| wanted.wants(row))
        .map(|(place, (_, row))| {
            let mut frame = machine(world, row);
            if place == 0 {
                let mut containers = plane.containers();
                containers.reverse();
                frame.units = containers
                    .into_iter()
                    .map(|row| unit(world, plane, row))
                    .collect();
            }
            frame
        });
    frames.collect()
}

fn unit(world: &World, plane: &ComposePlane, row: &ContainerRow) -> Unit {
    let group = match (row.state, row.health) {
        _ if !plane.engine_up() => StateGroup::Unknown,
        (State::Running, Health::None | Health::Healthy) => StateGroup::Ready,
        (State::Running, Health::Starting) | (State::Starting, _) => StateGroup::Progressing,
        (State::Created, _) if row.error.is_some() => StateGroup::Failed,
        (State::Created, _) => StateGroup::Pending,
        (State::Running, Health::Unhealthy) | (State::Restarting, _) => StateGroup::Failed,
        (State::Exited, _) if row.exit_code == 0 => StateGroup::Completed,
        (State::Exited, _) => StateGroup::Failed,
        (State::Removing, _) => StateGroup::Terminating,
    };
    let mut state = status_word(row).to_owned();
    if let Some(health) = health_word(row).filter(|_| row.state == State::Running) {
        state = format!("{state} ({health})");
    }
    Unit {
        kind: "container".to_owned(),
        name: world.symbols.text(row.name).to_owned(),
        workload: world.symbols.text(row.service).to_owned(),
        group,
        state,
    }
}
