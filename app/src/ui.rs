//! The page's parts. Each is a function of the model and the reader's preferences.

pub mod top_bar;
pub mod editor_panel;
pub mod problems;
pub mod planes;
pub mod machine;
pub mod anatomy;
pub mod charts;
pub mod timeline;
pub mod faults;
pub mod events;
pub mod console;
pub mod experiment;
pub mod gallery;
pub mod help;
pub mod inspector;
pub mod share;
pub mod live;
pub mod state;
