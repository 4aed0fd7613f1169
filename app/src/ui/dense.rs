//! A world as a map: a tile for each machine, coloured by the worst state on it, on one canvas.
//!
//! The canvas is for the eye; what [`crate::ui::crowd`] puts beside it is its twin.

use std::rc::Rc;

use sim_core::protocol::{MachineFrame, StateGroup, WorldFrame};
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};
use yew::prelude::*;

use crate::dom;
use crate::ui::machine::is_lost;
use crate::ui::state::{self, GROUPS, WORST};

/// Width of the canvas in its own dots; it is stretched to its place.
const WIDTH: u32 = 672;

/// What the tiles need.
#[derive(Properties, PartialEq)]
pub struct DenseProps {
    /// The world.
    pub world: Rc<WorldFrame>,
    /// Whether the page is dark.
    pub dark: bool,
    /// The sentence that stands for the picture.
    pub label: String,
    /// Takes the name of a machine that was pointed at.
    pub on_choose: Callback<String>,
}

/// Side of a tile with its gap, in dots.
fn side(machines: usize) -> u32 {
    match machines {
        0..=800 => 21,
        801..=2_000 => 14,
        _ => 8,
    }
}

fn group(machine: &MachineFrame) -> Option<StateGroup> {
    if is_lost(machine) {
        return Some(StateGroup::Unknown);
    }
    let there = |group: &StateGroup| {
        machine.counts[*group as usize] > 0 || machine.units.iter().any(|unit| unit.group == *group)
    };
    WORST.into_iter().find(there)
}

/// The tiles.
#[component]
pub fn Dense(props: &DenseProps) -> Html {
    let world = &props.world;
    let canvas = use_node_ref();
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
    let on_click = {
        let (choose, world, canvas) = (props.on_choose.clone(), world.clone(), canvas.clone());
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
    html! { <canvas class="dense" ref={canvas} width={WIDTH.to_string()} height={height.to_string()} role="img" aria-label={props.label.clone()} onclick={on_click} /> }
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
