//! Places a graph's boxes in layers: what follows from something stands below it.
//!
//! Longest paths give the layers; within a layer boxes are ordered by the middle of what they follow
//! from, so that lines are short and seldom cross. Sugiyama's method without its dummy boxes: the
//! graphs are small, and lines that skip layers are rare.

use petgraph::algo::toposort;
use petgraph::graphmap::DiGraphMap;

use crate::base::arrange::Arrange;
use crate::protocol::views::{Graph, GraphNode};

/// Sweeps over the layers; more change nothing for graphs of this size.
const SWEEPS: u32 = 4;

/// Sets `layer` and `order` of every node. Nodes in a circle stay in the first layer.
pub fn place(graph: &mut Graph) {
    let mut map: DiGraphMap<u32, ()> = DiGraphMap::new();
    for number in 0..graph.nodes.len() as u32 {
        map.add_node(number);
    }
    for edge in &graph.edges {
        map.add_edge(edge.from, edge.to, ());
    }
    let sorted = toposort(&map, None).unwrap_or_default();
    for number in sorted {
        let after = graph
            .edges
            .iter()
            .filter(|edge| edge.to == number)
            .map(|edge| graph.nodes[edge.from as usize].layer + 1)
            .max();
        graph.nodes[number as usize].layer = after.unwrap_or(0);
    }
    let layers = graph.nodes.iter().map(|node| node.layer).max().unwrap_or(0) + 1;
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); layers as usize];
    for (number, node) in graph.nodes.iter().enumerate() {
        rows[node.layer as usize].push(number as u32);
    }
    set_orders(&rows, &mut graph.nodes);
    for sweep in 0..SWEEPS {
        for place in 0..rows.len() {
            let place = if sweep % 2 == 0 {
                place
            } else {
                rows.len() - 1 - place
            };
            let middle = |number: &u32| middle(graph, *number, sweep % 2 == 0);
            rows[place].arrange_by_key(middle);
            set_orders(&rows[place..=place], &mut graph.nodes);
        }
    }
}

/// The middle of a box's neighbours above (or below), in thousandths; without any its own place.
fn middle(graph: &Graph, number: u32, above: bool) -> (u64, u32) {
    let neighbours = graph.edges.iter().filter_map(|edge| match above {
        true => (edge.to == number).then_some(edge.from),
        false => (edge.from == number).then_some(edge.to),
    });
    let orders: Vec<u64> = neighbours
        .map(|neighbour| u64::from(graph.nodes[neighbour as usize].order))
        .collect();
    let own = graph.nodes[number as usize].order;
    if orders.is_empty() {
        return (u64::from(own) * 1_000, own);
    }
    (
        orders.iter().sum::<u64>() * 1_000 / orders.len() as u64,
        own,
    )
}

fn set_orders(rows: &[Vec<u32>], nodes: &mut [GraphNode]) {
    for row in rows {
        for (order, number) in row.iter().enumerate() {
            nodes[*number as usize].order = order as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::views::GraphEdge;

    fn graph(count: usize, edges: &[(u32, u32)]) -> Graph {
        let mut graph = Graph {
            nodes: vec![GraphNode::default(); count],
            edges: edges
                .iter()
                .map(|(from, to)| GraphEdge {
                    from: *from,
                    to: *to,
                    label: String::new(),
                })
                .collect(),
        };
        place(&mut graph);
        graph
    }

    #[test]
    fn a_box_stands_below_all_that_it_follows_from() {
        let graph = graph(4, &[(0, 1), (1, 2), (0, 2), (2, 3)]);
        let layers: Vec<u32> = graph.nodes.iter().map(|node| node.layer).collect();
        assert_eq!(layers, [0, 1, 2, 3]);
    }

    #[test]
    fn lines_do_not_cross_where_they_need_not() {
        let graph = graph(4, &[(0, 3), (1, 2)]);
        assert!(graph.nodes[3].order < graph.nodes[2].order);
        let circle = super::tests::graph(2, &[(0, 1), (1, 0)]);
        assert!(circle.nodes.iter().all(|node| node.layer == 0));
    }
}
