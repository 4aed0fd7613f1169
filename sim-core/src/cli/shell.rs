//! `podium shell`. A file of the disk that a line names is read when the line comes; nothing is written.

use std::fs;
use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;

use crate::base::limits::{MAX_DOCUMENT_BYTES, MAX_INPUT_FILES};
use crate::console::{Output, Session};

use super::options::ShellOptions;
use super::{Stop, load, note, print};

pub(crate) fn run(options: &ShellOptions) -> Result<u8, Stop> {
    let mut opened = load::experiment(&options.setup, options.orchestrator.as_deref())?;
    load::report(&opened)?;
    let show = |output: &Output| {
        print(&output.stdout);
        note(&output.stderr);
    };
    if let Some(lines) = &options.command {
        take_up(&mut opened.session, lines);
        let code = opened
            .session
            .script(lines, options.strict, &mut |_, output| show(output));
        return Ok(exit(code));
    }
    if std::io::stdin().is_terminal() {
        return interactive(&mut opened.session);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Stop::input(format!("standard input: {error}")))?;
    take_up(&mut opened.session, &text);
    let code = opened
        .session
        .script(&text, options.strict, &mut |_, output| show(output));
    Ok(exit(code))
}

fn interactive(session: &mut Session) -> Result<u8, Stop> {
    let mut code = 0;
    let mut pending = String::new();
    let mut input = std::io::stdin().lock();
    loop {
        print(&if pending.is_empty() {
            format!("[{}] $ ", session.history.now())
        } else {
            "> ".to_owned()
        });
        let mut bytes = Vec::new();
        let length = input
            .read_until(b'\n', &mut bytes)
            .map_err(|error| Stop::input(format!("standard input: {error}")))?;
        if length == 0 {
            break;
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches(['\n', '\r']);
        if pending.is_empty() && matches!(line.trim(), "exit" | "quit") {
            break;
        }
        pending.push_str(line);
        pending.push('\n');
        // A here-document or a quote that is still open goes on.
        if let Err(error) = crate::console::script::parse(&pending)
            && (error.message.contains("not closed") || error.message.starts_with("unclosed"))
        {
            continue;
        }
        take_up(session, &pending);
        let output = session.run(&std::mem::take(&mut pending));
        print(&output.stdout);
        note(&output.stderr);
        code = output.code;
    }
    Ok(exit(code))
}

/// Files of the disk that words name and the session does not have yet; of a directory, its manifests.
fn take_up(session: &mut Session, text: &str) {
    for word in text.split(|letter: char| letter.is_whitespace() || "'\"=,".contains(letter)) {
        let name = word.trim_start_matches("./").trim_end_matches('/');
        if name.is_empty() || name.starts_with('-') || session.file(name).is_some() {
            continue;
        }
        let path = Path::new(name);
        if path.is_file() {
            take(session, path);
        } else if path.is_dir() && word.contains(['/', '.']) {
            let listed = fs::read_dir(path).into_iter().flatten().flatten();
            let mut inside: Vec<_> = listed.map(|entry| entry.path()).collect();
            inside.sort();
            for path in inside {
                let extension = path.extension().and_then(|extension| extension.to_str());
                if path.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
                    take(session, &path);
                }
            }
        }
    }
}

/// A file that cannot be read is as one that is not there: the line that names it says so.
fn take(session: &mut Session, path: &Path) {
    let size = fs::metadata(path).map_or(u64::MAX, |found| found.len());
    if size > MAX_DOCUMENT_BYTES as u64 || session.files.len() >= MAX_INPUT_FILES {
        return;
    }
    if let (Some(name), Ok(text)) = (path.to_str(), fs::read_to_string(path)) {
        session.files.insert(name.to_owned(), text.into());
    }
}

fn exit(code: i32) -> u8 {
    u8::try_from(code.clamp(0, 255)).unwrap_or(1)
}
