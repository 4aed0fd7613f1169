//! `sim scores POD`: what each scheduler plugin said of each node in the latest decision about a pod.

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimTime;
use crate::engine::command::Orchestrator;
use crate::engine::world::World;
use crate::kube::rows::pod::PodRow;
use crate::kube::scheduler::NodeVerdict;
use crate::manifest::value::Value;
use crate::object::jsonpath::Template;
use crate::object::print::{KeyOrder, json_pretty};

use super::{Output, Session};

/// The latest decision about a pod, with its time.
fn kept(world: &World, pod: &str) -> Option<(SimTime, Vec<NodeVerdict>)> {
    let (namespace, pod) = pod.rsplit_once('/').map_or(("", pod), |(namespace, name)| {
        let is_kind = world.trace_kind(namespace) == "pod";
        (if is_kind { "" } else { namespace }, name)
    });
    let kube = world.kube()?;
    let store = kube.store();
    let id = if namespace.is_empty() {
        let named = |(_, row): &(_, &PodRow)| row.name.is(pod, &world.symbols);
        store.pods().find(named)?.0
    } else {
        store.pod_named(namespace, pod, &world.symbols)?
    };
    Some((
        kube.scheduler().decided_at(id)?,
        kube.scheduler().explain(id, &world.symbols),
    ))
}

fn missing(pod: &str) -> Output {
    Output::error(1, catalogue::NO_DECISION.with(&[("word", &pod)]))
}

/// One line for each node, one column for each plugin that scored.
pub fn table(session: &Session, pod: &str) -> Output {
    let world = match session.world(Orchestrator::Kubernetes) {
        Ok(world) => world,
        Err(output) => return output,
    };
    let Some((at, verdicts)) = kept(world, pod) else {
        return missing(pod);
    };
    let plugins: Vec<(&str, u32)> = verdicts
        .iter()
        .find(|verdict| !verdict.scores.is_empty())
        .map_or_else(Vec::new, |verdict| {
            let scores = verdict.scores.iter();
            scores.map(|score| (score.plugin, score.weight)).collect()
        });
    let own = [
        catalogue::COLUMN_NODE,
        catalogue::COLUMN_VERDICT,
        catalogue::COLUMN_TOTAL,
    ];
    let mut header: Vec<Passage> = own.map(|form| form.plain().into()).into();
    header.extend(plugins.iter().map(|(name, weight)| {
        if *weight == 1 {
            Passage::from(*name)
        } else {
            format!("{name}*{weight}").into()
        }
    }));
    let mut rows = vec![header];
    for verdict in &verdicts {
        let word = match &verdict.refused {
            Some((plugin, _, reasons)) => format!("{plugin}: {}", reasons.join(", ")).into(),
            None if verdict.chosen => catalogue::CHOSEN.plain().into(),
            None => catalogue::FEASIBLE.plain().into(),
        };
        let mut row: Vec<Passage> = vec![
            verdict.node.text(&world.symbols).into(),
            word,
            verdict.total.to_string().into(),
        ];
        row.extend(plugins.iter().map(|(name, _)| {
            let score = verdict.scores.iter().find(|score| score.plugin == *name);
            score.map_or_else(|| "-".into(), |score| score.score.to_string().into())
        }));
        rows.push(row);
    }
    let decided = Passage::from(catalogue::DECIDED.with(&[("at", &at)]));
    Output::text(decided.then("\n").then(super::table::lines(rows)))
}

/// The same as a document: raw and normalised scores, weights, status codes and reasons. `format`
/// is `json` or `jsonpath=…`.
pub fn document(session: &Session, pod: &str, format: &str) -> Output {
    let world = match session.world(Orchestrator::Kubernetes) {
        Ok(world) => world,
        Err(output) => return output,
    };
    let Some((at, verdicts)) = kept(world, pod) else {
        return missing(pod);
    };
    let chosen = verdicts.iter().find(|verdict| verdict.chosen);
    let feasible = verdicts.iter().filter(|it| it.refused.is_none()).count();
    let nodes = verdicts.iter().map(|verdict| {
        let (plugin, status, reasons) = match &verdict.refused {
            None => (Value::Null, "Success", Vec::new()),
            Some((plugin, status, reasons)) => (Value::from(*plugin), *status, reasons.clone()),
        };
        let scores = verdict.scores.iter().map(|score| {
            let fields = [
                ("raw", Value::from(score.raw)),
                ("normalized", score.score.into()),
                ("weight", score.weight.into()),
            ];
            (score.plugin, Value::object(fields))
        });
        Value::object([
            ("name", Value::from(verdict.node.text(&world.symbols))),
            ("status", status.into()),
            ("plugin", plugin),
            (
                "reasons",
                Value::list(reasons.into_iter().map(Value::from).collect()),
            ),
            ("scores", Value::object(scores)),
            ("total", verdict.total.into()),
            ("chosen", verdict.chosen.into()),
        ])
    });
    let document = Value::object([
        ("schemaVersion", Value::Int(1)),
        ("pod", pod.into()),
        ("at_s", crate::engine::report::seconds(Some(at))),
        (
            "node",
            chosen.map_or(Value::Null, |it| it.node.text(&world.symbols).into()),
        ),
        ("evaluated", Value::Int(verdicts.len() as i64)),
        ("feasible", Value::Int(feasible as i64)),
        ("nodes", Value::list(nodes.collect())),
    ]);
    match format.strip_prefix("jsonpath=") {
        None if format == "json" => Output::text(json_pretty(&document, KeyOrder::Stored)),
        None => Output::error(
            2,
            catalogue::FORMAT_UNKNOWN
                .with(&[("word", &format)])
                .advise(catalogue::KNOWN.with(&[("names", &"json, jsonpath=…")])),
        ),
        Some(path) => match Template::parse(path).and_then(|template| template.print(&document)) {
            Ok(text) => Output::text(format!("{text}\n")),
            Err(error) => Output::error(1, format!("error parsing jsonpath {path}, {error}")),
        },
    }
}
