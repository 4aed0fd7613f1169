//! Programs of the build that come from crates.io: trunk, and the wasm-bindgen of the locked version.
//!
//! They are built once per user and version, outside the clone. Their default release settings
//! optimise across the whole program, which doubles the minutes and saves nothing here.

use std::fs;
use std::path::{Path, PathBuf};

use crate::place;
use crate::report::say;
use crate::run;

/// The last trunk that builds with the workspace's compiler.
const TRUNK_VERSION: &str = "0.21.14";

/// Folders of trunk and wasm-bindgen, to be put in front of the PATH.
///
/// # Errors
/// When one is missing and cannot be built.
pub(crate) fn page_tools() -> Result<Vec<PathBuf>, String> {
    let trunk = Tool {
        package: "trunk",
        program: "trunk",
        version: TRUNK_VERSION.into(),
        // Its update check would ask the network at every start, and it has nothing to download.
        options: &["--locked", "--no-default-features"],
        // It only starts others.
        opt_level: "0",
        why: "it builds and serves the page",
    };
    Ok(vec![trunk.folder()?, wasm_bindgen()?])
}

/// Folder of the wasm-bindgen program of the locked version.
///
/// # Errors
/// When it is missing and cannot be built.
pub(crate) fn wasm_bindgen() -> Result<PathBuf, String> {
    let tool = Tool {
        package: "wasm-bindgen-cli",
        program: "wasm-bindgen",
        version: locked_version("wasm-bindgen")?,
        // Only its test runner speaks HTTPS.
        options: &["--no-default-features", "--bin", "wasm-bindgen"],
        // It goes through megabytes at each build.
        opt_level: "1",
        why: "it must equal the wasm-bindgen in Cargo.lock",
    };
    tool.folder()
}

struct Tool {
    package: &'static str,
    program: &'static str,
    version: String,
    options: &'static [&'static str],
    opt_level: &'static str,
    why: &'static str,
}

impl Tool {
    /// The folder that holds the program; builds it on the first call of a machine's life.
    fn folder(&self) -> Result<PathBuf, String> {
        if let Some(found) = place::find_program(self.program)
            && self.is_version(&found)
            && let Some(folder) = found.parent()
        {
            return Ok(folder.to_path_buf());
        }
        let name = format!("{}-{}", self.package, self.version);
        let home = place::cache()?.join("tools").join(&name);
        let folder = home.join("bin");
        let program = folder.join(format!("{}{}", self.program, std::env::consts::EXE_SUFFIX));
        if !self.is_version(&program) {
            self.build(&name, &home)?;
        }
        Ok(folder)
    }

    fn is_version(&self, program: &Path) -> bool {
        let answer = run::answer(program, &["--version"]);
        answer.is_some_and(|line| line.split_whitespace().any(|word| word == self.version))
    }

    fn build(&self, name: &str, home: &Path) -> Result<(), String> {
        say(&format!(
            "building {name} from crates.io, once, a few minutes: {}",
            self.why
        ));
        let cache = place::cache()?;
        // A folder of its own survives an interruption, so the next attempt goes on from there.
        let build = cache.join("build").join(name);
        run::make_folder(&build)?;
        let mut command = run::command("cargo");
        command
            .current_dir(&cache)
            .args(["install", self.package, "--no-track", "--force"])
            .args(["--version", &format!("={}", self.version)])
            .arg("--root")
            .arg(home)
            .args(self.options)
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", self.opt_level)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
            .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
        let log = cache.join("log").join(format!("{name}.log"));
        run::quiet(command, name, &log).map_err(|reason| {
            let package = self.package;
            let version = &self.version;
            format!("{reason}; with access to crates.io, `cargo install {package} --version {version}` brings it")
        })?;
        // Over a gigabyte that nobody needs again.
        fs::remove_dir_all(&build)
            .map_err(|error| format!("cannot remove {}: {error}", build.display()))
    }
}

/// The version of `package` in Cargo.lock.
fn locked_version(package: &str) -> Result<String, String> {
    let path = place::root().join("Cargo.lock");
    let lock = fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    version_in(&lock, package).ok_or_else(|| format!("Cargo.lock has no package {package}"))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')?;
    Some(version.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_version_is_found_by_its_whole_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.80\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in(lock, "trunk"), None);
    }
}
