//! Control groups: what is asked for, where it is put in the tree, and what each file then says.
//!
//! ```text
//! settings ──convert──▶ numbers of a file ──files / legacy──▶ text
//!    │                        ▲
//!    └── place: version × driver ──▶ path
//! ```
//!
//! Nothing here is kept per container: a file is worked out when somebody reads it, so groups that
//! nobody looks at cost nothing. What somebody wrote over it by hand is kept by the machine.
//!
//! Not modelled: pressure stall values (the files are there and say that nothing waited), NUMA with
//! more than one node, RDMA, huge pages, and BFQ's own files.

pub mod convert;
pub mod facts;
pub mod files;
pub mod legacy;
pub mod limits;
pub mod place;
pub mod settings;
pub mod tree;
pub mod write;
