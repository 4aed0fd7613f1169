//! Building and serving the page with trunk.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::budget;
use crate::npm;
use crate::place;
use crate::report::say;
use crate::run;
use crate::tools;
use crate::wasm::Toolchain;

/// For bytes: a release of the page does not know at which line of the source a panic arose, which is a
/// hundredth of it. A run that panics can be exported and done again natively, where the line is told.
const WITHOUT_LINES: [(&str, &str); 2] = [
    (
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
        "-Zlocation-detail=none",
    ),
    // The flag is not stable; Debian's compiler is run with this in any case (crate::wasm).
    ("RUSTC_BOOTSTRAP", "1"),
];

/// All that a build of the page needs.
pub(crate) struct Kit {
    toolchain: Toolchain,
    folders: Vec<PathBuf>,
}

impl Kit {
    /// Finds or installs it.
    ///
    /// # Errors
    /// One sentence with the remedy.
    pub(crate) fn find() -> Result<Kit, String> {
        npm::need_node()?;
        let toolchain = Toolchain::find()?;
        let mut folders = tools::page_tools()?;
        folders.push(npm::install(
            "www/editor",
            "the editor, its bundler, and wasm-opt",
        )?);
        Ok(Kit { toolchain, folders })
    }

    fn trunk(&self) -> Result<Command, String> {
        let mut trunk = self.toolchain.command("trunk", &self.folders)?;
        // Trunk reads NO_COLOR as a boolean and fails on other values; the convention is any value.
        if env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            trunk.env("NO_COLOR", "true");
        }
        Ok(trunk)
    }

    fn release(&self) -> Result<Command, String> {
        let mut trunk = self.trunk()?;
        trunk.envs(WITHOUT_LINES);
        Ok(trunk)
    }
}

/// `cargo xtask build`.
///
/// # Errors
/// When a tool is missing, the build fails or a file is larger than its budget.
pub(crate) fn build() -> Result<(), String> {
    dist(&Kit::find()?)?;
    say("dist/ is ready for any static host, at any path");
    Ok(())
}

/// Builds `dist/` and checks its sizes; returns the line with the total.
///
/// # Errors
/// When the build fails or a file is larger than its budget.
pub(crate) fn dist(kit: &Kit) -> Result<Vec<String>, String> {
    say(&format!("building dist/ with {}", kit.toolchain.name()));
    let mut trunk = kit.release()?;
    trunk.args(["build", "--release"]);
    if run::is_ci() {
        trunk.arg("--locked");
    }
    run::foreground(trunk)?;
    budget::check(&place::root().join("dist"))
}

/// `cargo xtask serve [--dev] [ARGS…]`.
///
/// # Errors
/// When a tool is missing or trunk fails.
pub(crate) fn serve(arguments: &[String]) -> Result<(), String> {
    let kit = Kit::find()?;
    let dev = arguments.iter().any(|argument| argument == "--dev");
    let folder = kit.toolchain.target_folder().join("serve");
    run::make_folder(&folder)?;
    let mut trunk = if dev { kit.trunk()? } else { kit.release()? };
    trunk.arg("serve").arg("--dist").arg(&folder);
    if !dev {
        trunk.arg("--release");
    }
    if can_open() {
        trunk.arg("--open");
    }
    trunk.args(arguments.iter().filter(|argument| *argument != "--dev"));
    say(&format!(
        "building with {}; then http://{} (Ctrl+C stops)",
        kit.toolchain.name(),
        address(arguments)
    ));
    run::foreground(trunk)
}

/// Where trunk will listen: Trunk.toml's address unless the arguments say otherwise.
fn address(arguments: &[String]) -> String {
    let value = |long: &str, short: &str| {
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == long || argument == short {
                return rest.next().cloned();
            }
            let joined = argument
                .strip_prefix(long)
                .and_then(|value| value.strip_prefix('='));
            if let Some(value) = joined {
                return Some(value.to_string());
            }
        }
        None
    };
    let host = value("--address", "-a").unwrap_or_else(|| "127.0.0.1".into());
    let port = value("--port", "-p").unwrap_or_else(|| "8080".into());
    format!("{host}:{port}/")
}

/// Whether there is a screen to open a browser on.
fn can_open() -> bool {
    let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let screen =
        cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY");
    screen && !run::is_ci()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_address_follows_the_arguments() {
        let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        assert_eq!(address(&[]), "127.0.0.1:8080/");
        assert_eq!(address(&words("--port 9000")), "127.0.0.1:9000/");
        assert_eq!(address(&words("--port=9000 -a 0.0.0.0")), "0.0.0.0:9000/");
    }
}
