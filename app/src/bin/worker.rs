//! Worker thread: the engine, served to the page. It knows no Yew.

use wasm_bindgen::prelude::wasm_bindgen;

fn main() {
    if let Err(reason) = app::link::serve() {
        panic!("the worker cannot reach its page: {reason}");
    }
}

/// A later part of the worker, as it is sent; none: it is damaged. See [`app::link::unpack`].
#[wasm_bindgen]
pub fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    app::link::unpack(packed)
}

/// For the build: see [`app::link::rehearse`].
///
/// # Errors
/// The stand-in's own words.
#[wasm_bindgen]
pub fn rehearse(played: bool) -> Result<(), String> {
    app::link::rehearse(played)
}
