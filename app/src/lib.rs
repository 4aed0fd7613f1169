//! The page of Podium: Yew on the main thread, the engine in a Web Worker.
//!
//! Owns what the browser shows and the link to the worker. It must not know engine internals: the
//! page reaches the engine only through messages, and the worker knows no Yew.
//!
//! ```text
//! bin/app.rs (main thread)  --ArrayBuffer-->  bin/worker.rs
//!            page.rs        <--ArrayBuffer--  link.rs (both ends)
//! ```

pub mod dom;
pub mod link;
pub mod page;
