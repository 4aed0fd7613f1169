//! Packages from npm, by lock file, into the folder that asks for them.

use std::fs;
use std::path::PathBuf;

use crate::place;
use crate::report::say;
use crate::run;

/// Node's oldest major version that the packages run on.
const NODE_MAJOR_MIN: u32 = 20;

/// Installs what `folder/package-lock.json` names, unless it is there; returns the folder of the
/// packages' programs.
///
/// # Errors
/// One sentence with the remedy.
pub(crate) fn install(folder: &str, why: &str) -> Result<PathBuf, String> {
    need_node()?;
    let home = place::root().join(folder);
    let programs = home.join("node_modules").join(".bin");
    let lock_path = home.join("package-lock.json");
    let lock = fs::read(&lock_path)
        .map_err(|error| format!("cannot read {}: {error}", lock_path.display()))?;
    // A copy of the lock file that was installed, written last: a broken installation has none.
    let installed = home
        .join("node_modules")
        .join(".podium-installed-lock.json");
    if fs::read(&installed).is_ok_and(|found| found == lock) {
        return Ok(programs);
    }
    say(&format!("installing npm packages in {folder}: {why}"));
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let mut command = run::command(npm);
    command
        .current_dir(&home)
        .args(["ci", "--no-audit", "--no-fund"]);
    let log = place::cache()?.join("log").join("npm.log");
    run::quiet(command, &format!("npm ci in {folder}"), &log).map_err(|reason| {
        format!(
            "{reason}; check that npm reaches its registry, then run `npm ci --prefix {folder}`"
        )
    })?;
    fs::write(&installed, lock)
        .map_err(|error| format!("cannot write {}: {error}", installed.display()))?;
    Ok(programs)
}

/// # Errors
/// One sentence with the remedy when Node is missing or too old.
pub(crate) fn need_node() -> Result<(), String> {
    let remedy = format!("install Node.js {NODE_MAJOR_MIN} or newer");
    let Some(version) = run::answer("node", &["--version"]) else {
        return Err(format!(
            "Node.js is needed for the page's editor and tests: {remedy}"
        ));
    };
    let major = version.trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= NODE_MAJOR_MIN => Ok(()),
        _ => Err(format!("Node.js {version} is too old: {remedy}")),
    }
}
