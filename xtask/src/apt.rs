//! Debian's packages, where apt-get is there and may be used.

use std::process::Command;

use crate::place;
use crate::report::say;
use crate::run;

/// Whether packages can be installed at all.
pub(crate) fn available() -> bool {
    place::find_program("apt-get").is_some()
}

/// Installs `packages`; `why` completes the sentence "installing …".
///
/// # Errors
/// One sentence with the remedy.
pub(crate) fn install(packages: &[&str], why: &str) -> Result<(), String> {
    let names = packages.join(" ");
    if !available() {
        return Err(format!(
            "{names} needed ({why}), and there is no apt-get here: install them by your system's means"
        ));
    }
    say(&format!("installing Debian's {names}: {why}"));
    let log = place::cache()?.join("log").join("apt.log");
    let remedy = |reason: String| {
        format!("{reason}; run `apt-get install {names}` as root, then this command again")
    };
    // Lists that are weeks old name packages that are gone.
    run::quiet(as_root(&["update"])?, "apt-get update", &log).map_err(remedy)?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    run::quiet(as_root(&arguments)?, "apt-get install", &log).map_err(remedy)
}

fn as_root(arguments: &[&str]) -> Result<Command, String> {
    let root = run::answer("id", &["-u"]).is_some_and(|user| user == "0");
    let mut command = if root {
        run::command("apt-get")
    } else if place::find_program("sudo").is_some() {
        let mut command = run::command("sudo");
        // Nobody is there to type a password in continuous integration, and output is captured.
        command.args([
            "--non-interactive",
            "--preserve-env=DEBIAN_FRONTEND",
            "apt-get",
        ]);
        command
    } else {
        return Err(format!(
            "`apt-get {}` needs root, and there is no sudo",
            arguments.join(" ")
        ));
    };
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}
