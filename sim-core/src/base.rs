//! Words every layer uses; knows no domain.

pub mod arrange;
pub mod base64;
pub mod bits;
pub mod double;
pub mod glance;
pub mod hash;
pub mod id;
mod intern;
pub mod labels;
pub mod limits;
pub mod name;
pub mod quantity;
pub mod rare;
pub mod ratio;
pub mod resources;
pub mod rng;
pub mod room;
pub mod sentence;
pub mod sha256;
pub mod sorted;
pub mod stats;
pub mod symbol;
pub mod table;
pub mod time;
