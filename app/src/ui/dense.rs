//! A world of many machines: a tile for each, coloured by the worst state on it, on one canvas.
//!
//! The canvas is for the eye. Its twin for the keyboard and for screen readers is beside it: a sentence
//! with all counts, a field that takes a machine's name, and the list of machines that are lost.

use std::rc::Rc;

use sim_core::protocol::{Answer, MachineFrame, Query, StateGroup, WorldFrame};
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlInputElement, ImageData};
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
    /// Whether the page is dark.
    pub dark: bool,
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
        let painted = use_mut_ref(Painted::default);
        use_effect_with((world.clone(), props.dark), move |(world, dark)| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                painted.borrow_mut().paint(&canvas, world, side, *dark);
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
    let mut counts = [0_u32; 7];
    counts[StateGroup::Pending as usize] = world.waiting;
    for machine in &world.machines {
        for (sum, count) in counts.iter_mut().zip(machine.counts) {
            *sum += count;
        }
    }
    let states: Vec<String> = GROUPS
        .iter()
        .map(|group| (group, counts[*group as usize]))
        .filter(|(_, count)| *count > 0)
        .map(|(group, count)| {
            format!(
                "{} {count} {}",
                state::glyph(*group),
                state::word(*group, t)
            )
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

/// What is on the canvas: only what changed is drawn again.
#[derive(Default)]
struct Painted {
    /// Four bytes for each dot.
    dots: Vec<u8>,
    /// What each tile shows.
    tiles: Vec<Option<StateGroup>>,
    /// Side of a tile, and whether the page was dark.
    look: (u32, bool),
}

impl Painted {
    fn paint(&mut self, canvas: &HtmlCanvasElement, world: &WorldFrame, side: u32, dark: bool) {
        let tiles: Vec<Option<StateGroup>> = world.machines.iter().map(group).collect();
        let length = (canvas.width() * canvas.height() * 4) as usize;
        let anew = self.look != (side, dark)
            || self.tiles.len() != tiles.len()
            || self.dots.len() != length;
        if !anew && self.tiles == tiles {
            return;
        }
        if anew {
            self.dots = vec![0; length];
        }
        let colours: Vec<[u8; 3]> = GROUPS
            .iter()
            .map(|group| state::class(*group).trim_start_matches("state-"))
            .chain(["border"])
            .map(|name| colour(&dom::token(&format!("--{name}"), dark)))
            .collect();
        let columns = WIDTH / side;
        for (place, tile) in tiles.iter().enumerate() {
            if anew || self.tiles[place] != *tile {
                let of = tile.map_or(GROUPS.len(), |group| group as usize);
                let (column, row) = (place as u32 % columns, place as u32 / columns);
                self.tile((column * side, row * side), side - 1, *tile, colours[of]);
            }
        }
        self.tiles = tiles;
        self.look = (side, dark);
        let context = canvas.get_context("2d").ok().flatten();
        let context =
            context.and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok());
        let image =
            ImageData::new_with_u8_clamped_array(wasm_bindgen::Clamped(&self.dots), WIDTH).ok();
        if let (Some(context), Some(image)) = (context, image) {
            // A canvas that cannot be drawn on has its twin in words.
            drop(context.put_image_data(&image, 0.0, 0.0));
        }
    }

    /// One tile: colour is not alone, a lost machine is a cross, one in trouble is notched.
    fn tile(&mut self, corner: (u32, u32), size: u32, tile: Option<StateGroup>, colour: [u8; 3]) {
        let filled = |x: u32, y: u32| match tile {
            Some(StateGroup::Unknown) => {
                let middle = size * 2 / 5..(size * 3).div_ceil(5);
                middle.contains(&x) || middle.contains(&y)
            }
            Some(StateGroup::Failed) => x * 2 <= size || y * 2 <= size,
            Some(StateGroup::Pending | StateGroup::Progressing) => y * 2 >= size,
            Some(StateGroup::Ready | StateGroup::Terminating | StateGroup::Completed) | None => {
                true
            }
        };
        for y in 0..size {
            for x in 0..size {
                let at = (((corner.1 + y) * WIDTH + corner.0 + x) * 4) as usize;
                let [red, green, blue] = colour;
                let dot = if filled(x, y) {
                    [red, green, blue, u8::MAX]
                } else {
                    [0; 4]
                };
                if let Some(place) = self.dots.get_mut(at..at + 4) {
                    place.copy_from_slice(&dot);
                }
            }
        }
    }
}

/// `#rrggbb` in numbers; black for what is none.
fn colour(text: &str) -> [u8; 3] {
    let part = |at: usize| {
        let digits = text.trim().strip_prefix('#')?.get(at..at + 2)?;
        u8::from_str_radix(digits, 16).ok()
    };
    [0, 2, 4].map(|at| part(at).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_and_tiles_drawn() {
        assert_eq!(colour(" #3ba57b"), [0x3b, 0xa5, 0x7b]);
        assert_eq!(colour("red"), [0; 3]);
        let mut painted = Painted {
            dots: vec![0; (WIDTH * 8 * 4) as usize],
            ..Painted::default()
        };
        painted.tile((8, 0), 7, Some(StateGroup::Unknown), [1, 2, 3]);
        let dot = |x: usize, y: usize| &painted.dots[(y * WIDTH as usize + x) * 4..][..4];
        assert_eq!(dot(8 + 3, 0), [1, 2, 3, 255]);
        assert_eq!(dot(8, 0), [0; 4]);
        assert_eq!(dot(7, 3), [0; 4]);
    }
}
