//! `podium explore`: what would have happened had the open choices gone otherwise.
//!
//! Where the real systems leave an order open, a run takes a default. One run with the defaults
//! records its choices; then each choice alone goes another way, and the outcomes are compared:
//! what differs between them was luck, what does not is the orchestrator's doing.

use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::console::open::{Experiment, open};
use crate::console::table::Table;
use crate::des::choice::Choice;
use crate::engine::command::Orchestrator;
use crate::engine::report::RunReport;

use super::options::{ExploreOptions, Setup};
use super::{Stop, load, print};

/// What is compared between runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    converged: bool,
    /// Since the fault, until every service served as before; the longest of all faults.
    /// `None`: one never did.
    recovered: Option<SimDuration>,
    /// The longest time that a service did not answer everybody.
    unavailable: SimDuration,
}

/// One way that a choice can go.
#[derive(Clone, Copy, Debug)]
struct Way {
    ordinal: u64,
    choice: Choice,
}

pub(crate) fn run(options: &ExploreOptions) -> Result<u8, Stop> {
    if options.setup.paths.is_empty()
        && options.setup.stack.is_none()
        && options.setup.compose.is_empty()
    {
        return Err(Stop::usage(
            "podium explore needs manifests, a stack or a Compose file",
        ));
    }
    let length = load::duration("--for", &options.length)?;
    let base = load::described(&options.setup, options.orchestrator.as_deref())?;
    load::report(&open(&base).map_err(Stop::usage)?)?;
    let mut table = Table::new(&[
        "ORCHESTRATOR",
        "CHOICES",
        "RUNS",
        "OUTCOME",
        "RECOVERED",
        "UNAVAILABLE",
        "SEEN",
        "FIRST",
    ]);
    let present: Vec<Orchestrator> = {
        let opened = open(&base).map_err(Stop::usage)?;
        let worlds = &opened.session.history.lab().worlds;
        worlds.iter().map(|world| world.orchestrator).collect()
    };
    for orchestrator in present {
        let mut experiment = base.clone();
        experiment.only = Some(orchestrator);
        experiment.record_choices = true;
        let (default, made) = outcome(&experiment, length)?;
        let mut seen: SortedMap<Outcome, (u32, String)> = SortedMap::new();
        seen.insert(default, (1, "the defaults".to_owned()));
        let ways = ways(&made, options.limit as usize);
        for way in &ways {
            let script = experiment.choices.entry(orchestrator.name()).or_default();
            let before = script.insert(way.ordinal, way.choice.taken);
            let (outcome, _) = outcome(&experiment, length)?;
            let script = experiment.choices.entry(orchestrator.name()).or_default();
            match before {
                Some(before) => script.insert(way.ordinal, before),
                None => script.remove(&way.ordinal),
            };
            let name = orchestrator.name();
            let flag = format!("--choose {name}:{}={}", way.ordinal, way.choice.taken);
            seen.entry(outcome).or_insert((0, flag)).0 += 1;
        }
        for (outcome, (count, first)) in seen {
            let time = |span: SimDuration| span.to_string();
            table.rows.push(vec![
                orchestrator.name().to_owned(),
                made.len().to_string(),
                (ways.len() + 1).to_string(),
                if outcome.converged {
                    "converged".to_owned()
                } else {
                    "not converged".to_owned()
                },
                outcome.recovered.map_or_else(|| "never".to_owned(), time),
                time(outcome.unavailable),
                count.to_string(),
                first,
            ]);
        }
    }
    print(&table.kubectl(true));
    Ok(0)
}

/// Every other way of every choice, in the order of the choices, at most `limit` of them: where
/// there are more, each choice in turn gives its next way.
fn ways(made: &[Choice], limit: usize) -> Vec<Way> {
    let most = made.iter().map(|choice| choice.arity).max().unwrap_or(0);
    let mut ways = Vec::new();
    for step in 1..most {
        for (ordinal, choice) in made.iter().enumerate() {
            if ways.len() == limit {
                return ways;
            }
            if step < choice.arity {
                ways.push(Way {
                    ordinal: ordinal as u64,
                    choice: Choice {
                        taken: (choice.taken + step) % choice.arity,
                        ..*choice
                    },
                });
            }
        }
    }
    ways
}

/// Runs one experiment to its end: how it went, and its choices.
fn outcome(experiment: &Experiment, length: SimDuration) -> Result<(Outcome, Vec<Choice>), Stop> {
    let mut opened = open(experiment).map_err(Stop::usage)?;
    let deployed = opened.deploy();
    if deployed.code != 0 {
        return Err(Stop::input(deployed.stderr));
    }
    opened.session.history.advance_to(SimTime::ZERO + length);
    let world = &opened.session.history.lab().worlds[0];
    let report = RunReport::of(world);
    let mut recovered = Some(SimDuration::ZERO);
    for fault in &report.faults {
        let Some(at) = fault.at else { continue };
        let this = fault.recovered.map(|back| back.since(at));
        recovered = recovered.zip(this).map(|(one, other)| one.max(other));
    }
    let outcome = Outcome {
        converged: report.converged.is_some(),
        recovered,
        unavailable: report
            .services
            .iter()
            .filter_map(|service| service.unavailable)
            .max()
            .unwrap_or(SimDuration::ZERO),
    };
    Ok((outcome, world.choices.recorded().to_vec()))
}

/// Reads `[ORCHESTRATOR:]ORDINAL=WAY`; without an orchestrator it is for all.
pub(crate) fn choices(setup: &Setup) -> Result<SortedMap<&'static str, SortedMap<u64, u32>>, Stop> {
    let mut all: SortedMap<&'static str, SortedMap<u64, u32>> = SortedMap::new();
    for text in &setup.choose {
        let wrong = || {
            Stop::usage(format!(
                "--choose '{text}': write [ORCHESTRATOR:]NUMBER=WAY, e.g. kubernetes:3=1"
            ))
        };
        let (names, pair) = match text.split_once(':') {
            Some((name, pair)) => (vec![Orchestrator::parse(name).ok_or_else(wrong)?], pair),
            None => (Orchestrator::ALL.to_vec(), text.as_str()),
        };
        let (ordinal, way) = pair.split_once('=').ok_or_else(wrong)?;
        let ordinal: u64 = ordinal.parse().map_err(|_| wrong())?;
        let way: u32 = way.parse().map_err(|_| wrong())?;
        for name in names {
            all.entry(name.name()).or_default().insert(ordinal, way);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(arity: u32, taken: u32) -> Choice {
        Choice {
            point: "test",
            arity,
            taken,
        }
    }

    #[test]
    fn every_other_way_comes_once_and_each_choice_gets_its_turn() {
        let made = [choice(3, 1), choice(2, 0)];
        let all: Vec<(u64, u32)> = ways(&made, 10)
            .iter()
            .map(|way| (way.ordinal, way.choice.taken))
            .collect();
        assert_eq!(all, [(0, 2), (1, 1), (0, 0)]);
        assert_eq!(ways(&made, 2).len(), 2, "the limit holds");
        assert!(ways(&[], 10).is_empty());
    }
}
