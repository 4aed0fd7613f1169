//! Messages between the page and the engine; the only serde of the library.
