//! The engine as WebAssembly in Node: the same fingerprints as natively, and its speed.
//!
//! `tests/parity` owns what is compared. Its crate `parity` is built natively (the program `parity`)
//! and for wasm (the library, a `cdylib` with wasm-bindgen exports, bound for Node). The scripts
//! beside it, `parity.mjs` and `bench.mjs`, find both in two variables: `PARITY_NATIVE` (the program)
//! and `PARITY_WASM` (a CommonJS module).

use std::path::PathBuf;
use std::process::Command;

use crate::place;
use crate::run;
use crate::tools;
use crate::wasm::Toolchain;

const FOLDER: &str = "tests/parity";

/// Whether the repository has a parity test.
pub(crate) fn exists() -> bool {
    folder().join("parity.mjs").is_file()
}

/// Runs it and returns its closing lines.
///
/// # Errors
/// When a build fails or a fingerprint differs.
pub(crate) fn tests() -> Result<Vec<String>, String> {
    // Natively as `cargo test` has built it.
    let native = Native {
        profile: "dev",
        folder: "debug",
        features: &["--features", "sim-core/cli"],
    };
    let node = script("parity.mjs", &native, "parity")?;
    run::watched(node, |line| line.starts_with("parity:"))
}

/// `cargo xtask bench [ARGS…]`.
///
/// # Errors
/// When a build or a run fails.
pub(crate) fn bench(arguments: &[String]) -> Result<(), String> {
    let mut native = run::command("cargo");
    native
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "sim-core",
            "--features",
            "cli",
        ])
        .args(["--bin", "podium", "--", "bench"])
        .args(arguments);
    run::foreground(native)?;
    if !folder().join("bench.mjs").is_file() {
        return Ok(());
    }
    let native = Native {
        profile: "release",
        folder: "release",
        features: &[],
    };
    let mut node = script("bench.mjs", &native, "release")?;
    node.args(arguments);
    run::foreground(node)
}

/// How the program is built natively.
struct Native {
    profile: &'static str,
    /// The profile's folder in the target folder.
    folder: &'static str,
    features: &'static [&'static str],
}

/// A Node command for a script of the folder, both builds at hand; `profile` is that of WebAssembly.
fn script(name: &str, native: &Native, profile: &str) -> Result<Command, String> {
    crate::npm::need_node()?;
    let toolchain = Toolchain::find()?;
    let bindgen = tools::wasm_bindgen()?;
    // Standard output belongs to the script: `bench -o json` is read by programs.
    eprintln!(
        "xtask: building the parity program natively and with {}",
        toolchain.name()
    );
    let mut build = run::command("cargo");
    build.args(["build", "--profile", native.profile]);
    build.args(["--package", "parity", "--bin", "parity"]);
    build.args(native.features);
    run::foreground(build)?;
    let mut wasm = toolchain.command("cargo", std::slice::from_ref(&bindgen))?;
    wasm.args([
        "build",
        "--profile",
        profile,
        "--package",
        "parity",
        "--lib",
        "--target",
        "wasm32-unknown-unknown",
    ]);
    run::foreground(wasm)?;
    let built = toolchain
        .target_folder()
        .join("wasm32-unknown-unknown")
        .join(profile)
        .join("parity.wasm");
    let bound = toolchain.target_folder().join("parity-node");
    let mut bind = toolchain.command("wasm-bindgen", &[bindgen])?;
    bind.args(["--target", "nodejs", "--no-typescript", "--out-dir"])
        .arg(&bound)
        .arg(&built);
    run::foreground(bind)?;
    let mut node = run::command("node");
    let program = format!("parity{}", std::env::consts::EXE_SUFFIX);
    node.arg(format!("{FOLDER}/{name}"))
        .env(
            "PARITY_NATIVE",
            place::target().join(native.folder).join(program),
        )
        .env("PARITY_WASM", bound.join("parity.js"));
    Ok(node)
}

fn folder() -> PathBuf {
    place::root().join(FOLDER)
}
