//! Discrete-event kernel: order, time, causes; knows not what an event means.

pub mod choice;
pub mod fingerprint;
pub mod notice;
pub mod outbox;
pub mod queue;
mod wheel;
pub mod work_queue;
