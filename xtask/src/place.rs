//! Folders and programs: the repository, the per-user cache, the search path.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // Set by `cargo run`; a binary started by hand works from the root.
    let own = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    root.unwrap_or_else(|| PathBuf::from("."))
}

/// Where the native toolchain writes.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(set) => root().join(set),
        None => root().join("target"),
    }
}

/// The user's cache folder for Podium. Its entries carry their version in their name.
///
/// # Errors
/// When the user has no home folder.
pub(crate) fn cache() -> Result<PathBuf, String> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let base = named("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| named("LOCALAPPDATA").map(PathBuf::from))
        .or_else(|| named("HOME").map(|home| PathBuf::from(home).join(".cache")));
    match base {
        Some(base) => Ok(base.join("podium")),
        None => Err("no place for tools: set HOME or XDG_CACHE_HOME".into()),
    }
}

/// The first program called `name` on the PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let mut candidates = env::split_paths(&path).map(|folder| folder.join(&file));
    candidates.find(|candidate| candidate.is_file())
}

/// The PATH with `first` in front.
///
/// # Errors
/// When a folder's name cannot be part of a PATH.
pub(crate) fn path_with(first: &[PathBuf]) -> Result<OsString, String> {
    let rest = env::var_os("PATH").unwrap_or_default();
    let all = first.iter().cloned().chain(env::split_paths(&rest));
    env::join_paths(all).map_err(|error| format!("a tool folder cannot be on the PATH: {error}"))
}
