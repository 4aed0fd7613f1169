//! Where everything meets: worlds, commands, time travel, observation and explanation.
//!
//! `world` is one orchestrator on its machines, `lab` several side by side, `history` the line of
//! time with its forks. Nothing here knows the transport, serde or the browser.

pub mod checks;
pub mod client;
pub mod command;
pub mod event;
pub mod fault;
pub mod history;
pub mod import;
pub mod lab;
pub mod machine_file;
pub mod machines;
pub mod observe;
pub mod outage;
mod panic;
pub mod report;
mod shape;
mod silence;
pub mod trace;
pub mod why;
pub mod world;
