//! Chromium, and what `tests/e2e` shows with it.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::apt;
use crate::npm;
use crate::place;
use crate::run;

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The browser's program, found or installed.
///
/// # Errors
/// One sentence with the remedy.
pub(crate) fn chromium() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os("PODIUM_CHROMIUM") {
        let named = PathBuf::from(named);
        return match named.is_file() {
            true => Ok(named),
            false => Err(format!(
                "PODIUM_CHROMIUM names {}, which is no file",
                named.display()
            )),
        };
    }
    let find = || NAMES.iter().find_map(|name| place::find_program(name));
    if let Some(found) = find() {
        return Ok(found);
    }
    let wanted = "Chromium is needed for the browser tests: install it, or name its program in PODIUM_CHROMIUM";
    if !apt::available() {
        return Err(wanted.into());
    }
    // The fonts make Chinese visible in screenshots.
    apt::install(
        &["chromium", "fonts-noto-cjk"],
        "the page is tested in a real browser, in English and Chinese",
    )?;
    find().ok_or_else(|| wanted.into())
}

/// Runs the browser tests against `dist/` and returns the runner's closing lines.
///
/// # Errors
/// When the tools are missing or a test fails.
pub(crate) fn tests() -> Result<Vec<String>, String> {
    let chromium = chromium()?;
    npm::install(
        "tests/e2e",
        "they drive the browser and check accessibility",
    )?;
    let folder = place::root().join("tests").join("e2e");
    let entries = fs::read_dir(&folder)
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut files: Vec<String> = names.filter(|name| name.ends_with(".test.mjs")).collect();
    files.sort();
    let mut command = run::command("node");
    command
        .args(["--test", "--test-reporter=spec"])
        .args(files.iter().map(|name| format!("tests/e2e/{name}")))
        .env("PODIUM_CHROMIUM", chromium);
    run::watched(command, |line| {
        let line = line.trim_start_matches(['ℹ', '#', ' ']);
        ["tests ", "pass ", "fail "]
            .iter()
            .any(|word| line.starts_with(word))
    })
}
