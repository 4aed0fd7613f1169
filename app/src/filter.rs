//! What the reader looks for: only what has all of its words is shown, in every view alike.

use std::rc::Rc;

use sim_core::protocol::{MachineFrame, Unit, WorldFrame};

/// Whether each word of a filter is in one of the texts, whatever its case.
pub fn fits<'t>(filter: &str, texts: impl Iterator<Item = &'t str>) -> bool {
    let all = texts.collect::<Vec<_>>().join(" ").to_lowercase();
    let wanted = filter.to_lowercase();
    wanted.split_whitespace().all(|word| all.contains(word))
}

fn fits_unit(filter: &str, machine: &str, unit: &Unit) -> bool {
    let object = format!("{}/{}", unit.kind, unit.name);
    let texts = [&object, &unit.workload, &unit.state, machine];
    fits(filter, texts.into_iter())
}

fn of_machine(filter: &str, machine: &MachineFrame) -> Option<MachineFrame> {
    let object = format!("node/{}", machine.name);
    if fits(
        filter,
        [object.as_str(), &machine.state, &machine.closed].into_iter(),
    ) {
        return Some(machine.clone());
    }
    let mut left = machine.clone();
    left.units.retain(|unit| fits_unit(filter, &object, unit));
    (!left.units.is_empty()).then_some(left)
}

/// A world with nothing but what fits. Machines that are only counted are known by their names alone.
#[must_use]
pub fn of(filter: &str, world: &Rc<WorldFrame>) -> Rc<WorldFrame> {
    if filter.trim().is_empty() {
        return world.clone();
    }
    let mut left = (**world).clone();
    let machines = world.machines.iter();
    left.machines = machines
        .filter_map(|machine| of_machine(filter, machine))
        .collect();
    left.unplaced.retain(|unit| fits_unit(filter, "", unit));
    left.services.retain(|service| {
        let units = left.machines.iter().flat_map(|machine| &machine.units);
        let mut units = units.chain(&left.unplaced);
        fits(filter, [service.name.as_str()].into_iter())
            || units.any(|unit| unit.workload == service.name)
    });
    Rc::new(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_all_words_is_left() {
        let unit = |name: &str, state: &str| Unit {
            kind: "pod".to_owned(),
            name: name.to_owned(),
            workload: "web".to_owned(),
            state: state.to_owned(),
            ..Unit::default()
        };
        let machine = |name: &str, units: &[Unit]| MachineFrame {
            name: name.to_owned(),
            units: units.to_vec(),
            ..MachineFrame::default()
        };
        let world = Rc::new(WorldFrame {
            machines: vec![
                machine(
                    "worker-1",
                    &[unit("web-1", "Running"), unit("web-2", "Pending")],
                ),
                machine("worker-2", &[unit("db-1", "Running")]),
            ],
            ..WorldFrame::default()
        });
        let shown = |filter: &str| -> Vec<(String, usize)> {
            let left = of(filter, &world);
            let machines = left.machines.iter();
            machines
                .map(|machine| (machine.name.clone(), machine.units.len()))
                .collect()
        };
        let one = |name: &str, units: usize| (name.to_owned(), units);
        assert!(Rc::ptr_eq(&of(" ", &world), &world));
        assert_eq!(
            shown("pod/ RUNNING"),
            [one("worker-1", 1), one("worker-2", 1)]
        );
        assert_eq!(shown("worker-1"), [one("worker-1", 2)]);
        assert_eq!(shown("db pending"), []);
    }
}
