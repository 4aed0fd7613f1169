//! The compiler for `wasm32-unknown-unknown`: the rustup toolchain's own target, or Debian's
//! `rustc-web` that builds the standard library from source.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt;
use crate::place;
use crate::report::say;
use crate::run;

const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler, its standard library's source, and the linker for wasm.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

/// A compiler for wasm and what a build with it needs.
pub(crate) enum Toolchain {
    /// The toolchain that runs this program has the target.
    Rustup,
    /// Debian's; `programs` holds links to its cargo and rustc alone, so that nothing else of
    /// `/usr/bin` moves forward on the PATH.
    Debian { programs: PathBuf, linker: PathBuf },
}

impl Toolchain {
    /// Finds a toolchain, installs what is missing.
    ///
    /// # Errors
    /// One sentence with the remedy.
    pub(crate) fn find() -> Result<Toolchain, String> {
        match env::var("PODIUM_WASM_TOOLCHAIN").as_deref() {
            Ok("rustup") => {
                return if add_by_rustup() {
                    Ok(Toolchain::Rustup)
                } else {
                    Err(no_way())
                };
            }
            Ok("debian") => return debian_installed(),
            Ok(other) => {
                return Err(format!(
                    "PODIUM_WASM_TOOLCHAIN is `{other}`: use `rustup` or `debian`"
                ));
            }
            Err(_) => {}
        }
        if has_target() {
            return Ok(Toolchain::Rustup);
        }
        // Before rustup is asked again: where it cannot reach its server it takes its time to say so.
        if let Some(found) = debian() {
            return found;
        }
        if add_by_rustup() {
            return Ok(Toolchain::Rustup);
        }
        if apt::available() {
            debian_installed()
        } else {
            Err(no_way())
        }
    }

    /// A command that runs `program` with `tools` and this toolchain in front of the PATH.
    ///
    /// # Errors
    /// When a folder's name cannot be part of a PATH.
    pub(crate) fn command(&self, program: &str, tools: &[PathBuf]) -> Result<Command, String> {
        let mut command = run::command(program);
        let mut first = tools.to_vec();
        if let Toolchain::Debian { programs, linker } = self {
            first.insert(0, programs.clone());
            for inherited in [
                "CARGO",
                "RUSTC",
                "RUSTDOC",
                "RUSTUP_TOOLCHAIN",
                "LD_LIBRARY_PATH",
            ] {
                command.env_remove(inherited);
            }
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
            .env("CARGO_TARGET_DIR", self.target_folder())
            .env("PATH", place::path_with(&first)?);
        Ok(command)
    }

    /// Where builds with this toolchain go: compilers that share a folder undo each other's work.
    pub(crate) fn target_folder(&self) -> PathBuf {
        match self {
            Toolchain::Rustup => place::target(),
            Toolchain::Debian { .. } => place::target().join("wasm-std"),
        }
    }

    /// One phrase for the user.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Toolchain::Rustup => "the rustup toolchain",
            Toolchain::Debian { .. } => "Debian's rustc-web, standard library built from source",
        }
    }
}

fn has_target() -> bool {
    let folder = run::answer("rustc", &["--print", "target-libdir", "--target", TARGET]);
    folder.is_some_and(|folder| Path::new(&folder).is_dir())
}

fn add_by_rustup() -> bool {
    if has_target() {
        return true;
    }
    if place::find_program("rustup").is_none() {
        return false;
    }
    say(&format!(
        "adding the target {TARGET} by rustup: the page is WebAssembly"
    ));
    let mut command = run::command("rustup");
    command.args(["target", "add", TARGET]);
    let Ok(cache) = place::cache() else {
        return false;
    };
    let added = run::quiet(
        command,
        "rustup target add",
        &cache.join("log").join("rustup.log"),
    );
    if added.is_err() {
        say("rustup cannot bring it here; trying Debian's compiler");
    }
    added.is_ok() && has_target()
}

fn debian_installed() -> Result<Toolchain, String> {
    if let Some(found) = debian() {
        return found;
    }
    apt::install(&DEBIAN_PACKAGES, "rustup has no wasm target here")?;
    debian().unwrap_or_else(|| Err(no_way()))
}

/// Debian's toolchain when all of it is there.
fn debian() -> Option<Result<Toolchain, String>> {
    let rustc = Path::new("/usr/bin/rustc");
    let sysroot = run::answer(rustc, &["--print", "sysroot"])?;
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std");
    let linker = wasm_linker()?;
    if !source.is_dir() || !Path::new("/usr/bin/cargo").is_file() || !is_recent(rustc) {
        return None;
    }
    Some(links().map(|programs| Toolchain::Debian { programs, linker }))
}

/// Whether `rustc` is at least the workspace's `rust-version`: Debian's ordinary one is years older.
fn is_recent(rustc: &Path) -> bool {
    let version = run::answer(rustc, &["--version"]);
    let manifest = fs::read_to_string(place::root().join("Cargo.toml")).unwrap_or_default();
    let wanted = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "));
    match (version, wanted) {
        (Some(version), Some(wanted)) => {
            let version = version
                .split_whitespace()
                .nth(1)
                .map(numbers)
                .unwrap_or_default();
            version >= numbers(wanted.trim_matches('"'))
        }
        _ => false,
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

/// The newest `wasm-ld` of Debian's LLVM packages, under its plain name: rustc tells the kind of a
/// linker by it.
fn wasm_linker() -> Option<PathBuf> {
    let entries = fs::read_dir("/usr/lib").ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let versions = names.filter_map(|name| name.strip_prefix("llvm-")?.parse::<u32>().ok());
    let linker = |version: u32| PathBuf::from(format!("/usr/lib/llvm-{version}/bin/wasm-ld"));
    let mut found: Vec<u32> = versions
        .filter(|version| linker(*version).exists())
        .collect();
    found.sort_unstable();
    found.pop().map(linker)
}

#[cfg(unix)]
fn links() -> Result<PathBuf, String> {
    let folder = place::cache()?.join("debian-rust");
    run::make_folder(&folder)?;
    for name in ["cargo", "rustc", "rustdoc"] {
        let link = folder.join(name);
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(format!("/usr/bin/{name}"), &link)
                .map_err(|error| format!("cannot create {}: {error}", link.display()))?;
        }
    }
    Ok(folder)
}

#[cfg(not(unix))]
fn links() -> Result<PathBuf, String> {
    Err(no_way())
}

fn no_way() -> String {
    format!(
        "no compiler for {TARGET}: run `rustup target add {TARGET}` with network access, or on Debian \
         `apt-get install {}` as root",
        DEBIAN_PACKAGES.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("1.100.0") > numbers("1.95"));
        assert!(numbers("1.95.0") >= numbers("1.95"));
        assert!(numbers("1.63.0") < numbers("1.95"));
    }
}
