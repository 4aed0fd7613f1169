//! `podium shell`.

use std::io::{BufRead, IsTerminal, Read};

use crate::console::Output;

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
    let code = opened
        .session
        .script(&text, options.strict, &mut |_, output| show(output));
    Ok(exit(code))
}

fn interactive(session: &mut crate::console::Session) -> Result<u8, Stop> {
    let mut code = 0;
    let mut pending = String::new();
    let mut lines = std::io::stdin().lock().lines();
    loop {
        print(&if pending.is_empty() {
            format!("[{}] $ ", session.history.now())
        } else {
            "> ".to_owned()
        });
        let Some(line) = lines.next() else { break };
        let line = line.map_err(|error| Stop::input(format!("standard input: {error}")))?;
        if pending.is_empty() && matches!(line.trim(), "exit" | "quit") {
            break;
        }
        pending.push_str(&line);
        pending.push('\n');
        // A here-document or a quote that is still open goes on.
        if let Err(error) = crate::console::script::parse(&pending)
            && (error.message.contains("not closed") || error.message.starts_with("unclosed"))
        {
            continue;
        }
        let output = session.run(&std::mem::take(&mut pending));
        print(&output.stdout);
        note(&output.stderr);
        code = output.code;
    }
    Ok(exit(code))
}

fn exit(code: i32) -> u8 {
    u8::try_from(code.clamp(0, 255)).unwrap_or(1)
}
