//! The page of Podium: Yew on the main thread, the engine in a Web Worker.
//!
//! Owns what the browser shows and the link to the worker. It must not know engine internals: the
//! page reaches the engine only through the messages of `sim_core::protocol`, and the worker knows
//! no Yew. Every value on the screen comes from a frame of the shown time.
//!
//! ```text
//! bin/app.rs ─ page.rs ─ ui/*        --Request-->   bin/worker.rs ─ sim_core::host
//!              model.rs ◀─ link.rs   <--Reply---    link.rs
//! ```

pub mod dom;
pub mod text;
pub mod format;
pub mod link;
pub mod files;
pub mod filter;
pub mod gallery;
pub mod permalink;
pub mod sessions;
pub mod export;
pub mod screen;
pub mod links;
pub mod entry;
pub mod model;
pub mod control;
pub mod editor;
pub mod keys;
pub mod menus;
pub mod page;
pub mod ui;
