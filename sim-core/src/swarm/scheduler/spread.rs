//! The choice among nodes that pass the filters: even by placement preference, then by service,
//! then in total. Source: swarmkit `manager/scheduler/{scheduler,nodeset,nodeinfo,decision_tree}.go`.
//!
//! ```text
//! root --zone=a--> leaf [n1 n2]          tasks of the service are balanced between branches,
//!      \-zone=b--> leaf [n3]             and round robin over the sorted nodes inside a leaf
//! ```

use std::collections::BTreeMap;

use crate::base::time::SimTime;
use crate::des::choice::Choices;
use crate::swarm::scheduler::filter::{self, Extent};
use crate::swarm::scheduler::{MAX_FAILURES, MONITOR_FAILURES};
use crate::swarm::store::{Node, NodeId, ServiceId, Store, Template};

/// What the order of nodes looks at. Upstream's ties are arbitrary (it ranges over a map); here they
/// are broken by host name unless a search chooses another node to come first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Recent failures of the service; zero below [`MAX_FAILURES`].
    failures: usize,
    of_service: u32,
    total: u32,
    /// 1 for a tied node that was not chosen.
    behind: u8,
    hostname: std::sync::Arc<str>,
    id: NodeId,
}

/// A node that tasks can be put on, as it will be once they are.
#[derive(Clone, Debug)]
struct Candidate {
    rank: Rank,
    /// The node with the tasks that were put on it, for the filters.
    node: Node,
    full: bool,
}

/// A branch of the tree that placement preferences make.
#[derive(Clone, Debug, Default)]
pub struct Branch {
    tasks: usize,
    next: BTreeMap<String, Branch>,
    leaf: Vec<Candidate>,
    template: Option<Template>,
}

impl Branch {
    /// The tree for one group of tasks. Each leaf keeps at most `count` nodes, the best ones.
    pub fn build(
        store: &Store,
        service: ServiceId,
        template: &Template,
        count: usize,
        (now, open): (SimTime, &mut Choices),
    ) -> Self {
        let mut root = Self {
            template: Some(template.clone()),
            ..Self::default()
        };
        let mut ranks: BTreeMap<Vec<&str>, Vec<(Rank, NodeId)>> = BTreeMap::new();
        for (id, node) in store.nodes() {
            let path: Vec<&str> = template
                .preferences
                .iter()
                .map(|preference| preference.value(node))
                .collect();
            let of_service = node.active_of(service);
            root.count(&path, of_service as usize);
            if filter::first_failing(template, node, Extent::All).is_some() {
                continue;
            }
            let rank = Rank {
                failures: recent_failures(node, service, template.spec_version, now),
                of_service,
                total: node.active,
                behind: 0,
                hostname: node.hostname.clone(),
                id,
            };
            ranks.entry(path).or_default().push((rank, id));
        }
        for (path, mut nodes) in ranks {
            if open.active() {
                choose_among_ties(&mut nodes, count, open);
            }
            if nodes.len() > count {
                nodes.select_nth_unstable(count);
                nodes.truncate(count);
            }
            nodes.sort();
            let candidates = nodes.into_iter().filter_map(|(rank, id)| {
                // The node's own list of tasks is of no use here and can be long.
                let mut node = store.node(id)?.clone();
                node.tasks = Vec::new();
                Some(Candidate {
                    rank,
                    node,
                    full: false,
                })
            });
            root.leaf_of(&path).leaf = candidates.collect();
        }
        root
    }

    /// Number of nodes that passed the filters and were kept.
    pub fn candidates(&self) -> u32 {
        self.leaf.len() as u32 + self.next.values().map(Self::candidates).sum::<u32>()
    }

    /// Puts up to `count` tasks on nodes; `put` is told each one. Returns how many.
    pub fn place(&mut self, count: usize, put: &mut dyn FnMut(NodeId)) -> usize {
        let Some(template) = self.template.take() else {
            return 0;
        };
        self.place_in(count, &template, put)
    }

    fn count(&mut self, path: &[&str], tasks: usize) {
        self.tasks += tasks;
        if let Some((first, rest)) = path.split_first() {
            self.next
                .entry((*first).to_owned())
                .or_default()
                .count(rest, tasks);
        }
    }

    fn leaf_of(&mut self, path: &[&str]) -> &mut Self {
        match path.split_first() {
            Some((first, rest)) => self
                .next
                .entry((*first).to_owned())
                .or_default()
                .leaf_of(rest),
            None => self,
        }
    }

    fn place_in(
        &mut self,
        count: usize,
        template: &Template,
        put: &mut dyn FnMut(NodeId),
    ) -> usize {
        if self.next.is_empty() {
            return self.place_in_leaf(count, template, put);
        }
        let mut placed = 0;
        let mut usable = self.tasks;
        let mut full = vec![false; self.next.len()];
        let mut converging = true;
        while placed != count && full.iter().any(|full| !full) && converging {
            converging = false;
            let branches = full.iter().filter(|full| !**full).count();
            let wanted = (usable + count - placed) / branches;
            let mut remainder = (usable + count - placed) % branches;
            for (number, branch) in self.next.values_mut().enumerate() {
                if full[number]
                    || branch.tasks > wanted
                    || (branch.tasks == wanted && remainder == 0)
                {
                    continue;
                }
                let share = wanted - branch.tasks + usize::from(remainder > 0);
                let done = branch.place_in(share, template, put);
                if done < share {
                    full[number] = true;
                    usable -= branch.tasks;
                } else {
                    remainder = remainder.saturating_sub(1);
                }
                placed += done;
                converging = true;
            }
        }
        placed
    }

    fn place_in_leaf(
        &mut self,
        count: usize,
        template: &Template,
        put: &mut dyn FnMut(NodeId),
    ) -> usize {
        let nodes = &mut self.leaf;
        nodes.sort_by(|a, b| a.rank.cmp(&b.rank));
        let length = nodes.len();
        let mut placed = 0;
        let mut turn = 0;
        if length == 0 {
            return 0;
        }
        while nodes[turn % length].full
            || filter::first_failing(template, &nodes[turn % length].node, Extent::All).is_some()
        {
            nodes[turn % length].full = true;
            turn += 1;
            if turn == length {
                return 0;
            }
        }
        while placed < count {
            let current = turn % length;
            nodes[current].take(template);
            put(nodes[current].rank.id);
            placed += 1;
            if placed == count {
                break;
            }
            // The first round fills nodes up to the next one; later ones go round robin.
            if turn + 1 < length {
                if nodes[turn + 1].rank.before(&nodes[current].rank) {
                    turn += 1;
                }
            } else {
                turn += 1;
            }
            let start = turn;
            while nodes[turn % length].full
                || filter::first_failing(template, &nodes[turn % length].node, Extent::All)
                    .is_some()
            {
                nodes[turn % length].full = true;
                turn += 1;
                if turn - start == length {
                    return placed;
                }
            }
        }
        placed
    }
}

impl Candidate {
    fn take(&mut self, template: &Template) {
        self.rank.of_service += 1;
        self.rank.total += 1;
        *self
            .node
            .active_by_service
            .entry(template.service)
            .or_insert(0) += 1;
        self.node.active += 1;
        self.node.reserved.cpu_milli += template.reserved_cpu_milli;
        self.node.reserved.memory_bytes += template.reserved_memory_bytes;
        for (kind, amount) in &template.spec.task.resources.requests.extended {
            *self.node.reserved.generic.entry(kind.clone()).or_insert(0) += amount;
        }
        for port in template.host_ports() {
            *self
                .node
                .host_ports
                .entry((port.protocol, port.published))
                .or_insert(0) += 1;
        }
    }
}

impl Rank {
    /// Whether this node comes strictly before the other, names aside.
    fn before(&self, other: &Self) -> bool {
        (self.failures, self.of_service, self.total)
            < (other.failures, other.of_service, other.total)
    }
}

/// Lets a search say which node of each group of equals comes first, as far as `count` reaches.
fn choose_among_ties(nodes: &mut [(Rank, NodeId)], count: usize, open: &mut Choices) {
    nodes.sort();
    let mut start = 0;
    while start < nodes.len().min(count) {
        let (first, _) = &nodes[start];
        let size = nodes[start..]
            .iter()
            .take_while(|(rank, _)| !first.before(rank))
            .count();
        let group = &mut nodes[start..start + size];
        if size > 1 {
            let way = open.choose("swarm-scheduler-tie", size as u32, 0);
            for (at, (rank, _)) in group.iter_mut().enumerate() {
                rank.behind = u8::from(at != way as usize);
            }
        }
        start += size;
    }
}

/// Failures of the service on the node in the last minutes; zero while there are few.
fn recent_failures(node: &Node, service: ServiceId, spec_version: u64, now: SimTime) -> usize {
    let times = node.failures.get(&(service, spec_version));
    let count = times.map_or(0, |times| {
        times
            .iter()
            .filter(|time| now.since(**time) < MONITOR_FAILURES)
            .count()
    });
    if count >= MAX_FAILURES { count } else { 0 }
}
