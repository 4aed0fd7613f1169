//! The order of a project's services.

use std::sync::Arc;

use petgraph::algo::toposort;
use petgraph::graphmap::DiGraphMap;

use crate::api::compose::project::Project;
use crate::base::arrange::Arrange;
use crate::base::sorted::SortedMap;

/// Services with those first that others depend on; services at one depth come by name.
/// A cycle cannot come here: the decoder refuses it with its place in the file.
///
/// # Errors
/// The name of a service on a cycle.
pub fn start_order(project: &Project) -> Result<Vec<Arc<str>>, Arc<str>> {
    let edges: SortedMap<Arc<str>, Vec<Arc<str>>> = project
        .services
        .iter()
        .map(|(name, service)| (name.clone(), service.depends_on.keys().cloned().collect()))
        .collect();
    let depth = depths_or_cycle(&edges)?;
    let mut sorted: Vec<(u32, Arc<str>)> = depth
        .into_iter()
        .map(|(name, depth)| (depth, name))
        .collect();
    sorted.arrange();
    Ok(sorted.into_iter().map(|(_, name)| name).collect())
}

/// How deep each name stands above those it depends on; all are at 0 if they go in a circle.
pub fn depths(edges: &SortedMap<Arc<str>, Vec<Arc<str>>>) -> SortedMap<Arc<str>, u32> {
    depths_or_cycle(edges).unwrap_or_default()
}

fn depths_or_cycle(
    edges: &SortedMap<Arc<str>, Vec<Arc<str>>>,
) -> Result<SortedMap<Arc<str>, u32>, Arc<str>> {
    let names: Vec<&Arc<str>> = edges.keys().collect();
    let index: SortedMap<&str, u32> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (&***name, at as u32))
        .collect();
    let mut graph: DiGraphMap<u32, ()> = DiGraphMap::new();
    for (name, needed) in edges {
        let to = index[&**name];
        graph.add_node(to);
        for dependency in needed {
            if let Some(from) = index.get(&**dependency) {
                graph.add_edge(*from, to, ());
            }
        }
    }
    let order = toposort(&graph, None).map_err(|cycle| names[cycle.node_id() as usize].clone())?;
    // Depth, then name: the order in which parallel work is done one after another.
    let mut depth: SortedMap<Arc<str>, u32> = SortedMap::new();
    for at in order {
        let name = names[at as usize];
        let own = edges[name]
            .iter()
            .filter_map(|dependency| depth.get(dependency))
            .max()
            .map_or(0, |deepest| deepest + 1);
        depth.insert(name.clone(), own);
    }
    Ok(depth)
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
    let mut todo: Vec<(Arc<str>, bool)> =
        services.iter().map(|name| (name.clone(), true)).collect();
    while let Some((name, required)) = todo.pop() {
        let Some(service) = project.services.get(&name) else {
            if required {
                return Err(name);
            }
            continue;
        };
        if !wanted.contains(&name) {
            wanted.push(name);
            let needed = service.depends_on.iter();
            todo.extend(needed.map(|(name, dependency)| (name.clone(), dependency.required)));
        }
    }
    wanted.arrange();
    Ok(wanted)
}
