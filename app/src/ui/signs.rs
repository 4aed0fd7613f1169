//! A world in signs: a row for each machine, a sign for each replica, grouped by state.
//!
//! A run of equal signs is one text, so that the page's elements are as many as machines, not as
//! replicas. It is a grid that keys walk through; of many machines a page is shown.

use std::rc::Rc;

use sim_core::protocol::{MachineFrame, WorldFrame};
use yew::prelude::*;

use crate::control::Control;
use crate::text::Text;
use crate::ui::faults;
use crate::ui::machine::{aim, condition, is_lost};
use crate::ui::pages;
use crate::ui::planes::name;
use crate::ui::state::{self, WORST};

/// Signs of one state that are drawn one by one; more are a number.
const RUN_MAX: u32 = 24;

/// What the signs need.
#[derive(Properties, PartialEq)]
pub struct SignsProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The world.
    pub world: Rc<WorldFrame>,
    /// The first machine shown.
    pub start: usize,
    /// Shows others.
    pub on_start: Callback<usize>,
    /// The machine that faults are aimed at.
    pub target: String,
    /// Takes the name of a machine to open.
    pub on_choose: Callback<String>,
}

/// The signs.
#[component]
pub fn Signs(props: &SignsProps) -> Html {
    let (t, world) = (props.t, &props.world);
    let all = world.machines.len();
    let shown = pages::page(props.start, all);
    let told = t.signs_window(all, shown.start + 1, shown.end);
    html! {
        <>
        { pages::turning(t, "signs", shown.clone(), all, told, &props.on_start) }
        <div class="signs" role="grid" aria-label={name(&world.orchestrator, t)} aria-describedby="signs-help" aria-rowcount={all.to_string()} data-testid={format!("signs-{}", world.orchestrator)}>
            { for world.machines[shown.clone()].iter().enumerate().map(|(place, machine)| row(props, machine, shown.start + place, place == 0)) }
        </div>
        </>
    }
}

fn row(props: &SignsProps, machine: &MachineFrame, place: usize, first: bool) -> Html {
    let t = props.t;
    let lost = is_lost(machine);
    let mut counts = machine.counts;
    for unit in &machine.units {
        counts[unit.group as usize] += 1;
    }
    let label = t.signs_machine(
        state::counted(&counts, t),
        &machine.name,
        condition(t, machine),
    );
    let on_choose = {
        let (choose, name) = (props.on_choose.clone(), machine.name.clone());
        Callback::from(move |_: MouseEvent| choose.emit(name.clone()))
    };
    let on_aim = aim(&props.control, machine);
    let on_drop = faults::on_machine(&props.control, &machine.name);
    let class = classes!(
        "sign",
        lost.then_some("machine-lost"),
        (machine.name == props.target).then_some("machine-chosen")
    );
    html! {
        <div key={machine.name.clone()} role="row" aria-rowindex={(place + 1).to_string()} data-machine={machine.name.clone()} data-object={format!("node/{}", machine.name)}
            data-orchestrator={props.world.orchestrator.clone()} data-lost={lost.to_string()} ondragover={faults::accept} ondrop={on_drop}>
            <button type="button" role="gridcell" {class} tabindex={if first { "0" } else { "-1" }} aria-label={label.clone()} title={label}
                data-testid={format!("sign-{}-{}", props.world.orchestrator, machine.name)} onfocus={on_aim} onclick={on_choose}>
                <span class="sign-name">{ if lost { "✕ " } else { "" } }{ &machine.name }</span>
                { for WORST.iter().map(|group| (*group, counts[*group as usize])).filter(|(_, count)| *count > 0).map(|(group, count)| html! {
                    <span class={classes!("sign-run", state::class(group))}>{ run(state::glyph(group), count) }</span>
                }) }
            </button>
        </div>
    }
}

/// A sign for each, or one and their number.
fn run(glyph: &str, count: u32) -> String {
    if count > RUN_MAX {
        format!("{glyph}×{count}")
    } else {
        glyph.repeat(count as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_numbers() {
        assert_eq!(run("✓", 3), "✓✓✓");
        assert_eq!(run("✓", 37), "✓×37");
    }
}
