//! One machine with what runs on it.

use sim_core::protocol::{MachineFrame, StateGroup, Unit, Why};
use yew::prelude::*;

use crate::control::Control;
use crate::format::short_name;
use crate::model::Action;
use crate::text::Text;
use crate::ui::{faults, state};

/// What a machine needs.
#[derive(Properties, PartialEq)]
pub struct MachineProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The machine.
    pub machine: MachineFrame,
    /// Whose machine.
    pub orchestrator: String,
    /// Whether it is the grid's first, where Tab arrives.
    pub first: bool,
    /// Whether faults are aimed at it.
    pub chosen: bool,
    /// Whether a fault keeps it down.
    pub healable: bool,
}

/// Whether a machine is off, or its control plane takes it for lost.
#[must_use]
pub fn is_lost(machine: &MachineFrame) -> bool {
    !machine.powered || (!machine.state.is_empty() && machine.state != "Ready")
}

/// How a machine is, in words: whether it has power, and the orchestrator's own words.
#[must_use]
pub fn condition(t: Text, machine: &MachineFrame) -> String {
    let own = match (machine.powered, machine.state.is_empty()) {
        (false, true) => t.machine_lost().to_owned(),
        (false, false) => format!("{} · {}", t.machine_lost(), machine.state),
        (true, true) => t.machine_powered().to_owned(),
        (true, false) => machine.state.clone(),
    };
    if machine.closed.is_empty() {
        own
    } else {
        format!("{own} · {}", machine.closed)
    }
}

/// Aims faults at a machine that gets the focus; not at one that carries the control plane.
#[must_use]
pub fn aim(control: &Control, machine: &MachineFrame) -> Callback<FocusEvent> {
    let (control, name, is_control) = (control.clone(), machine.name.clone(), machine.control);
    Callback::from(move |_: FocusEvent| {
        if !is_control {
            control.act(Action::Aim(name.clone()));
        }
    })
}

/// The machine.
#[component]
pub fn Machine(props: &MachineProps) -> Html {
    let (t, machine) = (props.t, &props.machine);
    let (lost, word) = (is_lost(machine), condition(t, machine));
    let role = match (machine.control, props.orchestrator.as_str()) {
        (false, _) => None,
        (true, "swarm") => Some(t.manager()),
        (true, _) => Some(t.control_plane()),
    };
    let units = t.machine_units(machine.units.len() as u64, &machine.name, &word);
    let on_aim = aim(&props.control, machine);
    let on_kill = {
        let (control, name) = (props.control.clone(), machine.name.clone());
        Callback::from(move |_: MouseEvent| control.kill_machine(&name))
    };
    let on_heal = {
        let (control, name) = (props.control.clone(), machine.name.clone());
        Callback::from(move |_: MouseEvent| control.heal_machine(&name))
    };
    let on_drop = faults::on_machine(&props.control, &machine.name);
    let class = classes!(
        "machine",
        lost.then_some("machine-lost"),
        (!machine.closed.is_empty()).then_some("machine-closed"),
        props.chosen.then_some("machine-chosen")
    );
    html! {
        <div {class} role="row" ondragover={faults::accept} ondrop={on_drop} data-machine={machine.name.clone()} data-object={format!("node/{}", machine.name)} data-orchestrator={props.orchestrator.clone()}
            data-lost={lost.to_string()} data-testid={format!("machine-{}-{}", props.orchestrator, machine.name)}>
            <div class="machine-head" role="gridcell" tabindex={if props.first { "0" } else { "-1" }} onfocus={on_aim} title={units}>
                <span class={classes!("glyph", state::class(if lost { StateGroup::Unknown } else { StateGroup::Ready }))} aria-hidden="true">
                    { if lost { "✕" } else { "✓" } }
                </span>
                <span class="machine-name">{ &machine.name }</span>
                if let Some(role) = role { <span class="machine-role">{ role }</span> }
                <span class="machine-state">{ word }</span>
            </div>
            <div class="machine-tools" role="gridcell">
                if props.healable && lost {
                    <button type="button" class="small" tabindex="-1" aria-label={t.heal_machine(&machine.name)} onclick={on_heal}>{ t.heal() }</button>
                } else if machine.powered {
                    <button type="button" class="small danger" tabindex="-1" aria-label={t.kill_machine(&machine.name)}
                        data-testid={format!("kill-{}-{}", props.orchestrator, machine.name)} onclick={on_kill}>{ t.kill() }</button>
                }
            </div>
            if machine.cpu_permille + machine.memory_permille > 0 {
                <div class="bars" role="presentation" title={t.requested(machine.cpu_permille / 10, machine.memory_permille / 10)}>
                    { bar(t.cpu(), machine.cpu_permille) }
                    { bar(t.memory(), machine.memory_permille) }
                </div>
            }
            if !machine.units.is_empty() {
                <div class="units" role="presentation">{ for keyed(&machine.units).map(|(key, row)| unit(t, &props.control, &props.orchestrator, row, key, true)) }</div>
            }
        </div>
    }
}

fn bar(label: &str, permille: u32) -> Html {
    let width = format!("width: {}%", permille.min(1_000) / 10);
    html! { <span class="bar"><span class="bar-label">{ label }</span><span class="bar-track"><span class="bar-fill" style={width} /></span></span> }
}

/// Units, each with a key of its own: a replica and what was there before it may share a name.
pub fn keyed(units: &[Unit]) -> impl Iterator<Item = (String, &Unit)> {
    units.iter().enumerate().map(|(place, unit)| {
        let before = units[..place].iter();
        let nth = before.filter(|other| other.name == unit.name).count();
        (format!("{}-{nth}", unit.name), unit)
    })
}

/// A pod, a task or a container; in a grid a cell of it.
pub fn unit(
    t: Text,
    control: &Control,
    orchestrator: &str,
    unit: &Unit,
    key: String,
    in_grid: bool,
) -> Html {
    let object = format!("{}/{}", unit.kind, unit.name);
    let on_explain = {
        let (control, orchestrator, object) =
            (control.clone(), orchestrator.to_owned(), object.clone());
        Callback::from(move |_: MouseEvent| {
            control.explain(Some(Why {
                orchestrator: orchestrator.clone(),
                seq: 0,
                object: object.clone(),
            }))
        })
    };
    let quiet = matches!(
        unit.state.as_str(),
        "Running" | "running" | "running (healthy)"
    ) && unit.group == StateGroup::Ready;
    html! {
        <button type="button" key={key} role={in_grid.then_some("gridcell")} tabindex={in_grid.then_some("-1")} class={classes!("unit", state::class(unit.group))}
            data-unit={unit.name.clone()} data-object={object} data-orchestrator={orchestrator.to_owned()} data-state={state::word(unit.group, Text::default())}
            data-workload={unit.workload.clone()} data-testid="unit"
            title={t.unit_label(&unit.name, format!("{}, {}", state::word(unit.group, t), unit.state))} onclick={on_explain}>
            <span class="unit-glyph" aria-hidden="true">{ state::glyph(unit.group) }</span>
            <span class="unit-name">{ short_name(&unit.name, &unit.workload) }</span>
            if quiet {
                <span class="sr-only">{ format!(" {}", state::word(unit.group, t)) }</span>
            } else {
                <span class="unit-state">{ &unit.state }</span>
            }
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_of_one_name_have_keys_of_their_own() {
        let task = |name: &str| Unit {
            name: name.to_owned(),
            ..Unit::default()
        };
        let units = ["poll.1", "poll.2", "poll.1"].map(task);
        let keys: Vec<String> = keyed(&units).map(|(key, _)| key).collect();
        assert_eq!(keys, ["poll.1-0", "poll.2-0", "poll.1-1"]);
    }
}
