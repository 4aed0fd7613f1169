//! Graphs: what led to an event with what else came of it, and what waits for what in Compose files.

use std::sync::Arc;

use crate::api::compose::service::DependencyCondition;
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;
use crate::console::open::PROJECT;
use crate::des::queue::Seq;
use crate::engine::command::Orchestrator;
use crate::engine::lab::Lab;
use crate::engine::trace::{Entry, detail_text, subject_text};
use crate::engine::world::World;
use crate::manifest::compose::loaded::Variables;
use crate::manifest::compose::project::{Setting, load_compose};
use crate::manifest::detect::{self, Wishes};
use crate::protocol::views::{Graph, GraphEdge, GraphNode};
use crate::protocol::{Project, StateGroup, Why};

use super::{layers, view};

/// Consequences shown of each event of the chain, besides the next one.
const SIDE_MAX: usize = 5;

/// Events of a chain that are shown; of a longer one the latest.
const CHAIN_MAX: usize = 40;

/// The chain that was asked for, each event with what else came of it.
pub fn causes(lab: &Lab, asked: &Why) -> Option<Graph> {
    let world = lab
        .worlds
        .iter()
        .find(|world| world.orchestrator.name() == asked.orchestrator)?;
    let end = if asked.seq == 0 {
        crate::engine::why::why(world, &asked.object)?.last()?.seq
    } else {
        Seq(asked.seq)
    };
    let mut chain = world.trace.chain(end);
    chain.drain(..chain.len().saturating_sub(CHAIN_MAX));
    let first = chain.first()?.seq;
    let mut children: SortedMap<Seq, Vec<Seq>> = SortedMap::new();
    for entry in world.trace.iter() {
        // Nothing is led to by what comes later, so that all before the chain can be passed over.
        if entry.cause >= first && entry.cause < entry.seq {
            let list = children.entry(entry.cause).or_default();
            if list.last() != Some(&entry.seq) {
                list.push(entry.seq);
            }
        }
    }
    let mut graph = Graph::default();
    for (place, entry) in chain.iter().enumerate() {
        let own = push(&mut graph, world, entry, true);
        if place > 0 {
            let before = &chain[place - 1];
            let parent = graph
                .nodes
                .iter()
                .position(|node| node.chosen && node.seq == before.seq.0);
            connect(&mut graph, parent, own, entry, before);
        }
        let next = chain.get(place + 1).map(|next| next.seq);
        let others = children.get(&entry.seq).map_or(&[][..], Vec::as_slice);
        let others: Vec<Seq> = others
            .iter()
            .copied()
            .filter(|seq| Some(*seq) != next)
            .collect();
        for seq in others.iter().take(SIDE_MAX) {
            if let Some(side) = world.trace.chain(*seq).last() {
                let number = push(&mut graph, world, side, false);
                connect(&mut graph, Some(own), number, side, entry);
            }
        }
        if others.len() > SIDE_MAX {
            graph.nodes.push(GraphNode {
                title: format!("+{}", others.len() - SIDE_MAX),
                ..GraphNode::default()
            });
            let number = graph.nodes.len() - 1;
            connect(&mut graph, Some(own), number, entry, entry);
        }
    }
    layers::place(&mut graph);
    Some(graph)
}

fn push(graph: &mut Graph, world: &World, entry: &Entry, chosen: bool) -> usize {
    let subject = subject_text(&entry.notice, &world.symbols);
    let detail = detail_text(&entry.notice, &world.symbols);
    graph.nodes.push(GraphNode {
        title: format!("{} {subject}", entry.notice.verb),
        text: format!("{} {detail}", entry.notice.source)
            .trim_end()
            .to_owned(),
        group: None,
        seq: entry.seq.0,
        at_us: entry.at.as_micros(),
        chosen,
        layer: 0,
        order: 0,
    });
    graph.nodes.len() - 1
}

fn connect(graph: &mut Graph, from: Option<usize>, to: usize, entry: &Entry, before: &Entry) {
    let Some(from) = from else { return };
    let wait = entry.at.since(before.at);
    let label = match entry.notice.rule {
        Some(rule) => format!("{} {}", rule.key, rule.value),
        None if wait >= SimDuration::from_secs(1) => format!("+{wait}"),
        None => String::new(),
    };
    graph.edges.push(GraphEdge {
        from: from as u32,
        to: to as u32,
        label,
    });
}

/// What waits for what among the Compose services, with the state of each.
pub fn dependencies(project: &Project, lab: &Lab) -> Option<Graph> {
    let named: Vec<(Arc<str>, Arc<str>)> = project
        .files
        .iter()
        .map(|file| (file.name.as_str().into(), file.text.as_str().into()))
        .collect();
    let (inputs, _) = detect::detect(
        &named,
        Wishes {
            stack: None,
            compose: &[],
        },
    );
    let others = |name: &str| {
        let name = name.strip_prefix("./").unwrap_or(name);
        let found = named.iter().find(|(known, _)| &**known == name);
        found.map(|(_, text)| text.clone())
    };
    let setting = Setting {
        environment: &Variables::new(),
        project_name: Some(PROJECT),
        folder: PROJECT,
        profiles: &[],
        named: &[],
        all_resources: false,
        env_files: &[],
        others: &others,
    };
    if inputs.compose.is_empty() {
        return None;
    }
    let loaded = load_compose(&inputs.compose, setting).model?;
    let units = lab
        .worlds
        .iter()
        .find(|world| world.orchestrator == Orchestrator::Compose)
        .map(view::units)
        .unwrap_or_default();
    let names: Vec<&Arc<str>> = loaded.services.keys().collect();
    let mut graph = Graph::default();
    for (name, service) in &loaded.services {
        let own: Vec<_> = units
            .iter()
            .filter(|unit| unit.workload == **name)
            .collect();
        let worst = own
            .iter()
            .map(|unit| unit.group)
            .find(|group| *group != StateGroup::Ready);
        let group = worst.or(own.first().map(|unit| unit.group));
        let states: Vec<&str> = own.iter().map(|unit| unit.state.as_str()).collect();
        graph.nodes.push(GraphNode {
            title: name.to_string(),
            text: states.join(", "),
            group,
            chosen: true,
            ..GraphNode::default()
        });
        for (needed, dependency) in &service.depends_on {
            let Ok(from) = names.binary_search(&needed) else {
                continue;
            };
            let label = match dependency.condition {
                DependencyCondition::Started => "service_started",
                DependencyCondition::Healthy => "service_healthy",
                DependencyCondition::CompletedSuccessfully => "service_completed_successfully",
            };
            graph.edges.push(GraphEdge {
                from: from as u32,
                to: graph.nodes.len() as u32 - 1,
                label: label.to_owned(),
            });
        }
    }
    layers::place(&mut graph);
    Some(graph)
}
