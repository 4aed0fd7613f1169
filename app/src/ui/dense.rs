//! A world of many machines: a tile for each, coloured by the worst state on it, on one canvas.
//!
//! The canvas is for the eye. Its twin for the keyboard and for screen readers is beside it: a sentence
//! with all counts, a field that takes a machine's name, and the list of machines that are lost.

use std::rc::Rc;

use sim_core::protocol::{Answer, MachineFrame, Query, StateGroup, WorldFrame};
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlInputElement};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::text::Text;
use crate::ui::machine::Machine;
use crate::ui::planes::name;
use crate::ui::state::{self, GROUPS};

/// Width of the canvas in its own dots; it is stretched to its place.
const WIDTH: u32 = 672;

/// Lost machines that are listed.
const LISTED: usize = 24;

/// The worst first.
const WORST: [StateGroup; 7] = [
    StateGroup::Failed,
    StateGroup::Unknown,
    StateGroup::Pending,
    StateGroup::Terminating,
    StateGroup::Progressing,
    StateGroup::Ready,
    StateGroup::Completed,
];

/// What the tiles need.
#[derive(Properties, PartialEq)]
pub struct DenseProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The world.
    pub world: Rc<WorldFrame>,
}

/// Side of a tile with its gap, in dots.
fn side(machines: usize) -> u32 {
    match machines {
        0..=800 => 21,
        801..=2_000 => 14,
        _ => 8,
    }
}

fn is_lost(machine: &MachineFrame) -> bool {
    !machine.powered || (!machine.state.is_empty() && machine.state != "Ready")
}

fn group(machine: &MachineFrame) -> Option<StateGroup> {
    if is_lost(machine) {
        return Some(StateGroup::Unknown);
    }
    WORST
        .into_iter()
        .find(|group| machine.counts[*group as usize] > 0)
}

/// The tiles with their twin.
#[component]
pub fn Dense(props: &DenseProps) -> Html {
    let (t, world) = (props.t, &props.world);
    let canvas = use_node_ref();
    let chosen = use_state_eq(|| None::<MachineFrame>);
    let side = side(world.machines.len());
    let columns = WIDTH / side;
    let height = (world.machines.len() as u32).div_ceil(columns) * side;
    {
        let canvas = canvas.clone();
        use_effect_with(world.clone(), move |world| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                paint(&canvas, world, side, columns);
            }
        });
    }
    let choose = {
        let (control, chosen, orchestrator) = (
            props.control.clone(),
            chosen.clone(),
            world.orchestrator.clone(),
        );
        Callback::from(move |machine: String| {
            let chosen = chosen.clone();
            let query = Query::Machine {
                orchestrator: orchestrator.clone(),
                machine,
            };
            control.ask(query, move |answer| {
                if let Answer::Machine(machine) = answer {
                    chosen.set(Some(*machine));
                }
            });
        })
    };
    let on_click = {
        let (choose, world, canvas) = (choose.clone(), world.clone(), canvas.clone());
        Callback::from(move |event: MouseEvent| {
            let Some(canvas) = canvas.cast::<HtmlCanvasElement>() else {
                return;
            };
            let place = canvas.get_bounding_client_rect();
            let scale = f64::from(WIDTH) / place.width().max(1.0);
            let dots = |at: f64| (at.max(0.0) * scale) as u32 / side;
            let column = dots(f64::from(event.client_x()) - place.left()).min(columns - 1);
            let row = dots(f64::from(event.client_y()) - place.top());
            if let Some(machine) = world.machines.get((row * columns + column) as usize) {
                choose.emit(machine.name.clone());
            }
        })
    };
    let on_name = {
        let choose = choose.clone();
        Callback::from(move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            choose.emit(input.value().trim().to_owned());
        })
    };
    let lost: Vec<&MachineFrame> = world
        .machines
        .iter()
        .filter(|machine| is_lost(machine))
        .collect();
    let states: Vec<String> = GROUPS
        .iter()
        .filter_map(|group| {
            let count: u32 = world
                .machines
                .iter()
                .map(|machine| machine.counts[*group as usize])
                .sum();
            (count > 0).then(|| {
                format!(
                    "{} {count} {}",
                    state::glyph(*group),
                    state::word(*group, t)
                )
            })
        })
        .collect();
    let summary = t.dense_summary(
        lost.len(),
        world.machines.len(),
        name(&world.orchestrator, t),
        states.join(", "),
    );
    html! {
        <div class="dense-place" data-testid={format!("dense-{}", world.orchestrator)}>
            <p data-testid="dense-summary">{ &summary }</p>
            <canvas class="dense" ref={canvas} width={WIDTH.to_string()} height={height.to_string()} role="img" aria-label={summary.clone()} onclick={on_click} />
            <p class="quiet">{ t.dense_hint() }</p>
            <label class="field"><span>{ t.dense_machine() }</span><input type="text" spellcheck="false" data-testid="dense-machine" onchange={on_name} /></label>
            if let Some(machine) = &*chosen {
                <div role="grid" aria-label={name(&world.orchestrator, t)}>
                    <Machine {t} control={props.control.clone()} machine={machine.clone()} first=true orchestrator={world.orchestrator.clone()} chosen=true healable={props.control.model().fault_on(&machine.name).is_some()} />
                </div>
            }
            if !lost.is_empty() {
                <h3>{ t.dense_lost() }</h3>
                <ul class="tree-units">{ for lost.iter().take(LISTED).map(|machine| {
                    let (choose, name) = (choose.clone(), machine.name.clone());
                    html! { <li key={machine.name.clone()}><button type="button" class="small" onclick={move |_| choose.emit(name.clone())}>{ "✕ " }{ &machine.name }</button></li> }
                }) }</ul>
            }
        </div>
    }
}

fn paint(canvas: &HtmlCanvasElement, world: &WorldFrame, side: u32, columns: u32) {
    let context = canvas.get_context("2d").ok().flatten();
    let Some(context) =
        context.and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok())
    else {
        return;
    };
    context.clear_rect(
        0.0,
        0.0,
        f64::from(canvas.width()),
        f64::from(canvas.height()),
    );
    let tile = f64::from(side - 1);
    let corner = |place: usize| {
        let place = place as u32;
        (
            f64::from(place % columns * side),
            f64::from(place / columns * side),
        )
    };
    // One colour after the other: changing it costs more than filling.
    for wanted in std::iter::once(None).chain(GROUPS.into_iter().map(Some)) {
        let colour = match wanted {
            Some(wanted) => dom::token(&format!(
                "--{}",
                state::class(wanted).trim_start_matches("state-")
            )),
            None => dom::token("--border"),
        };
        context.set_fill_style_str(&colour);
        for (place, machine) in world.machines.iter().enumerate() {
            if group(machine) != wanted {
                continue;
            }
            let (x, y) = corner(place);
            match wanted {
                // A lost machine is a cross, one in trouble is notched: colour is not alone.
                Some(StateGroup::Unknown) => {
                    context.fill_rect(x, y + tile * 0.4, tile, tile * 0.2);
                    context.fill_rect(x + tile * 0.4, y, tile * 0.2, tile);
                }
                Some(StateGroup::Failed) => {
                    context.fill_rect(x, y, tile, tile * 0.55);
                    context.fill_rect(x, y, tile * 0.55, tile);
                }
                Some(StateGroup::Pending | StateGroup::Progressing) => {
                    context.fill_rect(x, y + tile * 0.5, tile, tile * 0.5);
                }
                Some(StateGroup::Ready | StateGroup::Terminating | StateGroup::Completed)
                | None => {
                    context.fill_rect(x, y, tile, tile);
                }
            }
        }
    }
}
