//! `podium run`.

use crate::base::time::{SimDuration, SimTime};
use crate::console::condition::Condition;
use crate::engine::report::RunReport;
use crate::engine::trace;

use super::options::{Format, RunOptions};
use super::{Stop, load, note, print};

/// Simulated time of a run without `--for`.
const DEFAULT_LENGTH: SimDuration = SimDuration::from_secs(600);

pub(crate) fn run(options: &RunOptions) -> Result<u8, Stop> {
    if options.setup.paths.is_empty()
        && options.setup.stack.is_none()
        && options.setup.compose.is_empty()
    {
        return Err(Stop::usage(
            "podium run needs a scenario, manifests, a stack or a Compose file",
        ));
    }
    let length = options
        .length
        .as_deref()
        .map(|text| load::duration("--for", text))
        .transpose()?;
    let condition = match &options.until {
        Some(text) => {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            Some(
                Condition::parse(&words)
                    .map_err(|message| Stop::usage(format!("--until: {message}")))?,
            )
        }
        None => None,
    };
    let mut opened = load::experiment(&options.setup, options.orchestrator.as_deref())?;
    load::report(&opened)?;
    let deployed = opened.deploy();
    if deployed.code != 0 {
        note(&deployed.stdout);
        return Err(Stop {
            code: 3,
            message: format!("{}nothing was run", &*deployed.stderr),
        });
    }
    note(&deployed.stderr);
    let deadline = SimTime::ZERO + length.unwrap_or(DEFAULT_LENGTH);
    let mut code = 0;
    match (&condition, &opened.script) {
        (_, Some(script)) => {
            let script = script.clone();
            let mut failed = None;
            opened.session.script(&script, true, &mut |line, output| {
                note(&output.stdout);
                note(&output.stderr);
                if output.code != 0 {
                    failed = Some(format!(
                        "line {}: {} (exit {})",
                        line.number, line.text, output.code
                    ));
                }
            });
            if let Some(failed) = failed {
                note(&failed);
                code = 1;
            }
            if let Some(length) = length {
                opened.session.history.advance_to(SimTime::ZERO + length);
            }
        }
        (Some(condition), None) => {
            let step = SimDuration::from_millis(100);
            while !condition.holds(opened.session.history.lab()) {
                if opened.session.history.now() >= deadline {
                    note(&format!(
                        "timed out at {deadline}: not {}",
                        options.until.as_deref().unwrap_or_default()
                    ));
                    for found in condition.instead(opened.session.history.lab()) {
                        note(&format!("  {found}"));
                    }
                    code = 1;
                    break;
                }
                let to = opened.session.history.now() + step;
                opened.session.history.advance_to(to.min(deadline));
            }
        }
        (None, None) => opened.session.history.advance_to(deadline),
    }
    let lab = opened.session.history.lab();
    match options.output {
        Format::Json | Format::Yaml => print(&super::compare::document(lab, options.output)),
        Format::Name => {
            for world in &lab.worlds {
                for service in RunReport::of(world).services {
                    print(&format!("{}/{}\n", world.orchestrator.name(), service.name));
                }
            }
        }
        Format::Table | Format::Wide => {
            for world in &lab.worlds {
                print(&format!("== {} ==\n", world.orchestrator.name()));
                for entry in world.trace.iter() {
                    print(&format!("{}\n", trace::line(entry, &world.symbols)));
                }
            }
            print("\n");
            print(&super::compare::table(lab));
        }
    }
    note(&opened.not_modelled_text());
    Ok(code)
}
