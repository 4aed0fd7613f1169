//! Running other programs: in plain sight, quietly with progress, or for their answer.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::place;
use crate::report::{say, spell};

/// How often a quiet command says that it still runs, where the line cannot be rewritten.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// Last lines of a quiet command's output that are shown when it fails.
const LINES_SHOWN: usize = 40;

/// Makes this process and what it starts behave as in continuous integration.
pub(crate) fn assume_ci() {
    CI.store(true, std::sync::atomic::Ordering::Relaxed);
}

static CI: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Whether this is a run of continuous integration: nobody to ask, nothing to open.
pub(crate) fn is_ci() -> bool {
    let set = env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    set || CI.load(std::sync::atomic::Ordering::Relaxed)
}

/// A command in the repository's root, free of what `cargo run` told this process about itself.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(place::root());
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let own = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        if own.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    if is_ci() {
        command.env("CI", "true");
    }
    command
}

/// The first line of what `program ARGUMENTS` prints, or None when it fails.
pub(crate) fn answer(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = command(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or_default().trim().to_string())
}

/// Runs in plain sight, with the terminal as its own.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn foreground(mut command: Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| not_started(&command, &error))?;
    verdict(&command, status)
}

/// Runs in plain sight and returns those lines of its output that `closing` picks.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn watched(
    mut command: Command,
    closing: fn(&str) -> bool,
) -> Result<Vec<String>, String> {
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = piped(&mut command)?;
    let picked = Arc::new(Mutex::new(Vec::new()));
    let readers = read_both(&mut child, {
        let picked = picked.clone();
        move |line| {
            println!("{line}");
            let plain = without_colours(line);
            if closing(&plain) {
                lock(&picked).push(plain.trim_start_matches(['ℹ', ' ']).trim_end().to_string());
            }
        }
    });
    let status = child
        .wait()
        .map_err(|error| not_started(&command, &error))?;
    readers.into_iter().for_each(|reader| drop(reader.join()));
    verdict(&command, status)?;
    Ok(std::mem::take(&mut *lock(&picked)))
}

/// Runs for as long as it takes, showing `what`, the time and the last line; the output goes to
/// `log`, whose end is shown when the command fails.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn quiet(mut command: Command, what: &str, log: &Path) -> Result<(), String> {
    if let Some(folder) = log.parent() {
        make_folder(folder)?;
    }
    let started = Instant::now();
    let mut child = piped(&mut command)?;
    let lines = Arc::new(Mutex::new(Vec::<String>::new()));
    let readers = read_both(&mut child, {
        let lines = lines.clone();
        move |line| lock(&lines).push(line.to_string())
    });
    let status = wait_with_progress(&mut child, what, &lines, started)
        .map_err(|error| not_started(&command, &error))?;
    readers.into_iter().for_each(|reader| drop(reader.join()));
    let lines = lock(&lines);
    // The log is a convenience: losing it must not fail what succeeded.
    drop(fs::write(log, lines.join("\n")));
    if !status.success() {
        for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
            eprintln!("  {line}");
        }
        return verdict(&command, status);
    }
    say(&format!("{what}: done in {}", spell(started.elapsed())));
    Ok(())
}

/// Creates a folder and those above it.
///
/// # Errors
/// The system's reason, with the folder's name.
pub(crate) fn make_folder(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot create {}: {error}", folder.display()))
}

fn wait_with_progress(
    child: &mut Child,
    what: &str,
    lines: &Mutex<Vec<String>>,
    started: Instant,
) -> io::Result<ExitStatus> {
    let terminal = io::stdout().is_terminal();
    let mut said = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if terminal {
                print!("\r\x1b[K");
            }
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(100));
        let pause = if terminal {
            Duration::from_secs(1)
        } else {
            SIGN_OF_LIFE
        };
        if said.elapsed() < pause {
            continue;
        }
        said = Instant::now();
        let last = lock(lines).last().cloned().unwrap_or_default();
        let last: String = last.trim().chars().take(60).collect();
        let progress = format!("xtask: {what}: {} … {last}", spell(started.elapsed()));
        if terminal {
            print!("\r\x1b[K{progress}");
            io::stdout().flush()?;
        } else {
            println!("{progress}");
        }
    }
}

fn piped(command: &mut Command) -> Result<Child, String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
        .spawn()
        .map_err(|error| not_started(command, &error))
}

fn read_both(
    child: &mut Child,
    each: impl FnMut(&str) + Send + 'static,
) -> Vec<thread::JoinHandle<()>> {
    let each = Arc::new(Mutex::new(each));
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child
            .stdout
            .take()
            .map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        child
            .stderr
            .take()
            .map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    ];
    let reader = |stream: Box<dyn Read + Send>| {
        let each = each.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                (*lock(&each))(line.trim_end_matches('\r'));
            }
        })
    };
    streams.into_iter().flatten().map(reader).collect()
}

/// A reader that panicked has printed why; the lines it left are still good.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn not_started(command: &Command, error: &io::Error) -> String {
    format!("cannot run {}: {error}", program(command))
}

fn verdict(command: &Command, status: ExitStatus) -> Result<(), String> {
    if status.success() {
        return Ok(());
    }
    let arguments: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .collect();
    Err(format!(
        "`{} {}` failed ({status})",
        program(command),
        arguments.join(" ")
    ))
}

fn program(command: &Command) -> String {
    let path = PathBuf::from(command.get_program());
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// `line` without terminal colour sequences (`ESC [ … m`).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find("\x1b[") {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        rest = rest.find('m').map_or("", |end| &rest[end + 1..]);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(
            without_colours("\x1b[32mok\x1b[0m. 3 passed"),
            "ok. 3 passed"
        );
        assert_eq!(without_colours("plain"), "plain");
    }
}
