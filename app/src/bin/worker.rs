//! Worker thread: the engine, served to the page. It knows no Yew.

use wasm_bindgen::prelude::wasm_bindgen;

fn main() {
    if let Err(reason) = app::link::serve() {
        panic!("the worker cannot reach its page: {reason}");
    }
}

/// For the build: see [`app::link::rehearse`].
///
/// # Errors
/// The stand-in's own words.
#[wasm_bindgen]
pub fn rehearse(played: bool) -> Result<(), String> {
    app::link::rehearse(played)
}
