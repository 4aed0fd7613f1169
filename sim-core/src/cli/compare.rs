//! `podium compare`: the same machines, seed and faults on each orchestrator that has input.

use crate::base::time::SimTime;
use crate::console::table::Table;
use crate::engine::lab::Lab;
use crate::engine::report::{RunReport, percent};
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json_pretty, yaml};

use super::options::{CompareOptions, Format};
use super::{Stop, load, note, print};

pub(crate) fn run(options: &CompareOptions) -> Result<u8, Stop> {
    if options.setup.paths.is_empty()
        && options.setup.stack.is_none()
        && options.setup.compose.is_empty()
    {
        return Err(Stop::usage(
            "podium compare needs manifests, a stack or a Compose file",
        ));
    }
    let length = load::duration("--for", &options.length)?;
    let mut opened = load::experiment(&options.setup, None)?;
    load::report(&opened)?;
    let deployed = opened.deploy();
    if deployed.code != 0 {
        return Err(Stop {
            code: 3,
            message: format!("{}{}nothing was run", &*deployed.stdout, &*deployed.stderr),
        });
    }
    note(&deployed.stderr);
    opened.session.history.advance_to(SimTime::ZERO + length);
    let lab = opened.session.history.lab();
    match options.output {
        Format::Json | Format::Yaml => print(&document(lab, options.output)),
        Format::Name => {
            for world in &lab.worlds {
                print(&format!("{}\n", world.orchestrator.name()));
            }
        }
        Format::Table | Format::Wide => {
            print(&format!(
                "{} machines of {} milli-CPU, seed {}, {} simulated\n\n",
                options.setup.nodes, opened.worker_milli_cpu, options.setup.seed, options.length
            ));
            print(&table(lab));
        }
    }
    note(&opened.not_modelled_text());
    Ok(0)
}

/// The report of every run in the shape of design §3.1.
pub(crate) fn document(lab: &Lab, format: Format) -> String {
    let runs = lab
        .worlds
        .iter()
        .map(|world| RunReport::of(world).value())
        .collect();
    let document = Value::object([
        ("schemaVersion", Value::Int(1)),
        ("hash", Value::string(&lab.fingerprint().hex())),
        ("runs", Value::list(runs)),
    ]);
    if format == Format::Yaml {
        yaml(&document)
    } else {
        json_pretty(&document, KeyOrder::Stored)
    }
}

/// The side-by-side table and one sentence for each run.
pub(crate) fn table(lab: &Lab) -> String {
    let reports: Vec<RunReport> = lab.worlds.iter().map(RunReport::of).collect();
    let at =
        |time: Option<SimTime>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
    let mut text = String::new();
    let mut runs = Table::new(&[
        "ORCHESTRATOR",
        "FAULT",
        "AT",
        "DETECTED",
        "RECOVERED",
        "CONVERGED",
        "EVENTS",
        "HASH",
    ]);
    for report in &reports {
        let mut first = true;
        let faults: Vec<[String; 4]> = if report.faults.is_empty() {
            vec![["-".into(), "-".into(), "-".into(), "-".into()]]
        } else {
            report
                .faults
                .iter()
                .map(|fault| {
                    let name =
                        if fault.machines.is_empty() || fault.machines.contains(&fault.target) {
                            format!("{} {}", fault.kind, fault.target)
                        } else {
                            format!(
                                "{} {} ({})",
                                fault.kind,
                                fault.target,
                                fault.machines.join(",")
                            )
                        };
                    if fault.applicable == Some(false) {
                        [name, "not applicable".into(), "-".into(), "-".into()]
                    } else {
                        [name, at(fault.at), at(fault.detected), at(fault.recovered)]
                    }
                })
                .collect()
        };
        for [name, began, detected, recovered] in faults {
            let shown = |value: String| if first { value } else { String::new() };
            runs.rows.push(vec![
                shown(report.orchestrator.name().to_owned()),
                name,
                began,
                detected,
                recovered,
                shown(at(report.converged)),
                shown(report.events.to_string()),
                shown(report.hash.clone()),
            ]);
            first = false;
        }
    }
    text.push_str(&runs.kubectl(true));
    text.push('\n');
    let mut services = Table::new(&[
        "ORCHESTRATOR",
        "SERVICE",
        "DESIRED",
        "SERVING",
        "AVAILABILITY",
        "UNAVAILABLE",
    ]);
    for report in &reports {
        for service in &report.services {
            services.rows.push(vec![
                report.orchestrator.name().to_owned(),
                service.name.to_string(),
                service
                    .desired
                    .map_or_else(|| "-".to_owned(), |desired| desired.to_string()),
                service.ready.to_string(),
                service
                    .availability_ppm
                    .map_or_else(|| "-".to_owned(), percent),
                service
                    .unavailable
                    .map_or_else(|| "-".to_owned(), |span| span.to_string()),
            ]);
        }
    }
    text.push_str(&services.kubectl(true));
    text.push('\n');
    for report in &reports {
        text.push_str(&format!(
            "{}: {}.\n",
            report.orchestrator.name(),
            report.mechanism
        ));
        for sentence in report.untold() {
            text.push_str(&format!("{}: {sentence}.\n", report.orchestrator.name()));
        }
    }
    text
}
