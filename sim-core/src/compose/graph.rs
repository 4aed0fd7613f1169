//! The order of a project's services.

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::algo::toposort;
use petgraph::graphmap::DiGraphMap;

use crate::api::compose::project::Project;
use crate::api::compose::service::Service;

/// Services with those first that others depend on; services at one depth come by name.
/// A cycle cannot come here: the decoder refuses it with its place in the file.
///
/// # Errors
/// The name of a service on a cycle.
pub fn start_order(project: &Project) -> Result<Vec<Arc<str>>, Arc<str>> {
    let names: Vec<&Arc<str>> = project.services.keys().collect();
    let index: BTreeMap<&str, u32> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (&***name, at as u32))
        .collect();
    let mut graph: DiGraphMap<u32, ()> = DiGraphMap::new();
    for (name, service) in &project.services {
        let to = index[&**name];
        graph.add_node(to);
        for dependency in service.depends_on.keys() {
            if let Some(from) = index.get(&**dependency) {
                graph.add_edge(*from, to, ());
            }
        }
    }
    let order = toposort(&graph, None).map_err(|cycle| names[cycle.node_id() as usize].clone())?;
    // Depth, then name: the order in which parallel starts are made one after another.
    let mut depth: BTreeMap<u32, u32> = BTreeMap::new();
    for at in &order {
        let service = &project.services[names[*at as usize]];
        let own = service
            .depends_on
            .keys()
            .filter_map(|dependency| index.get(&**dependency).and_then(|at| depth.get(at)))
            .max()
            .map_or(0, |deepest| deepest + 1);
        depth.insert(*at, own);
    }
    let mut sorted: Vec<(u32, u32)> = depth.into_iter().map(|(at, depth)| (depth, at)).collect();
    sorted.sort_unstable();
    Ok(sorted
        .into_iter()
        .map(|(_, at)| names[at as usize].clone())
        .collect())
}

/// The named services and everything they depend on; all of them for an empty list.
///
/// # Errors
/// The name that the project does not have.
pub fn selected(project: &Project, services: &[Arc<str>]) -> Result<Vec<Arc<str>>, Arc<str>> {
    if services.is_empty() {
        return Ok(project.services.keys().cloned().collect());
    }
    let mut wanted: Vec<Arc<str>> = Vec::new();
    let mut todo: Vec<Arc<str>> = services.to_vec();
    while let Some(name) = todo.pop() {
        let Some(service) = find(project, &name) else {
            return Err(name);
        };
        if !wanted.contains(&name) {
            wanted.push(name);
            todo.extend(service.depends_on.keys().cloned());
        }
    }
    wanted.sort_unstable();
    Ok(wanted)
}

fn find<'a>(project: &'a Project, name: &str) -> Option<&'a Service> {
    project.services.get(name)
}
