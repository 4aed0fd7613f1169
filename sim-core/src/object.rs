//! Documents people write: trees and what is done to them (patch, path, print).
//!
//! The tree itself, `Value`, is defined in `manifest::value`, because reading text needs it; here
//! lives everything that is done to it afterwards.
pub mod print;
pub mod jsonpath;
pub mod cel;
pub mod fields;
pub mod patch;
pub mod structural;
pub mod template;
pub mod typed;
