//! The worlds of an experiment before anything is deployed: their flags, choices and machines.

use crate::api::node::NodeSetup;
use crate::base::sentence::{Sentence, catalogue};
use crate::console::{self, Session};
use crate::des::choice::Choices;
use crate::engine::command::{Answer, Command, MachineSpec, Orchestrator};
use crate::engine::lab::{Input, Lab};
use crate::engine::world::World;

use super::Experiment;

/// Scripts the choices that go another way, and has them listed if that is asked for.
pub(super) fn choices(lab: &mut Lab, experiment: &Experiment) {
    for world in &mut lab.worlds {
        if let Some(script) = experiment.choices.get(world.orchestrator.name()) {
            world.choices = Choices::scripted(script.clone());
        }
        if experiment.record_choices {
            world.choices.start_recording();
        }
    }
}

/// Sets the components' flags.
///
/// # Errors
/// A flag that no component has, or a value that it does not take.
pub(super) fn settings(lab: &mut Lab, experiment: &Experiment) -> Result<(), Sentence> {
    for (key, value) in &experiment.settings {
        let mut known = false;
        for world in &mut lab.worlds {
            if world.settings().iter().any(|(name, _)| name == key) {
                known = true;
                if let Answer::Refused(message) =
                    world.command(&Command::Set(key.as_str().into(), value.as_str().into()))
                {
                    return Err(message);
                }
            }
        }
        // A flag of a world that does not run changes nothing.
        let elsewhere = || {
            let all = console::lab(&Orchestrator::ALL, experiment.seed);
            let mut settings = all.worlds.iter().flat_map(World::settings);
            settings.any(|(name, _)| name == key)
        };
        if !known && !elsewhere() {
            let sentence = catalogue::SETTING_UNKNOWN.with(&[("word", key)]);
            return Err(sentence.advise(catalogue::SETTINGS_SHELL.plain()));
        }
    }
    Ok(())
}

/// Kubernetes: `control-1` tainted; Swarm: `control-1` manager, drained; Compose: `worker-1` alone.
pub(super) fn machines(session: &mut Session, experiment: &Experiment) {
    let orchestrators: Vec<Orchestrator> = session
        .history
        .lab()
        .worlds
        .iter()
        .map(|world| world.orchestrator)
        .collect();
    for orchestrator in orchestrators {
        let mut add = |spec: MachineSpec| {
            session.history.input(Input {
                only: Some(orchestrator),
                command: Command::AddMachine(Box::new(spec)),
            });
        };
        if orchestrator != Orchestrator::Compose {
            let count = if orchestrator == Orchestrator::Swarm {
                experiment.managers
            } else {
                1
            };
            for number in 1..=count {
                let mut control = experiment.worker.clone();
                control.name = format!("control-{number}").into();
                control.extended.clear();
                control.setup = NodeSetup {
                    control: true,
                    ..NodeSetup::default()
                };
                add(control);
            }
        }
        let count = if orchestrator == Orchestrator::Compose {
            experiment.nodes.min(1)
        } else {
            experiment.nodes
        };
        for number in 1..=count {
            let mut worker = experiment.worker.clone();
            worker.name = format!("worker-{number}").into();
            add(worker);
        }
    }
}

/// Machines of their own, in every world.
pub(super) fn add(session: &mut Session, machines: Vec<MachineSpec>) {
    for machine in machines {
        session.history.input(Input {
            only: None,
            command: Command::AddMachine(Box::new(machine)),
        });
    }
}
