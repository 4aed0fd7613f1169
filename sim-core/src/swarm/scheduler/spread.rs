//! The choice among nodes that pass the filters: even by placement preference, then by service,
//! then in total. Source: swarmkit `manager/scheduler/{scheduler,nodeset,nodeinfo,decision_tree}.go`.
//!
//! ```text
//! root --zone=a--> leaf [n1 n2]          tasks of the service are balanced between branches,
//!      \-zone=b--> leaf [n3]             and round robin over the sorted nodes inside a leaf
//! ```

use smallvec::SmallVec;

use crate::base::arrange::Arrange;
use crate::base::sorted::SortedMap;
use crate::base::time::SimTime;
use crate::des::choice::Choices;
use crate::swarm::scheduler::filter;
use crate::swarm::scheduler::roster::{Entry, Roster};
use crate::swarm::scheduler::{MAX_FAILURES, MONITOR_FAILURES};
use crate::swarm::store::{Node, NodeId, ServiceId, Store, Template};

/// What the order of nodes looks at. Upstream's ties are arbitrary (it ranges over a map); here they
/// are broken by host name unless a search chooses another node to come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Recent failures of the service; zero below [`MAX_FAILURES`].
    failures: usize,
    of_service: u32,
    total: u32,
    /// 1 for a tied node that was not chosen.
    behind: u8,
    /// Place among all nodes by host name.
    name: u32,
    id: NodeId,
}

/// A node that tasks can be put on, as it will be once they are.
#[derive(Clone, Debug)]
struct Candidate {
    rank: Rank,
    cpu_milli: u64,
    memory_bytes: u64,
    /// What is left of each generic resource that the template asks for.
    generic: SmallVec<[u64; 1]>,
    /// Whether the template's host-mode ports are taken, by a task of this pass.
    ports_taken: bool,
    full: bool,
}

/// A branch of the tree that placement preferences make.
#[derive(Clone, Debug, Default)]
pub struct Branch {
    tasks: usize,
    next: SortedMap<String, Branch>,
    leaf: Vec<Candidate>,
    template: Option<Template>,
}

impl Branch {
    /// The tree for one group of tasks. Each leaf keeps at most `count` nodes, the best ones.
    pub fn build(
        (store, roster): (&Store, &mut Roster),
        service: ServiceId,
        template: &Template,
        count: usize,
        (now, open): (SimTime, &mut Choices),
    ) -> Self {
        let mut root = Self {
            template: Some(template.clone()),
            ..Self::default()
        };
        roster.count_service(store, service);
        let is_plain = filter::is_plain(template);
        let mut ranks: SortedMap<Vec<&str>, Vec<Rank>> = SortedMap::new();
        let mut only: Vec<Rank> = Vec::new();
        for (place, entry) in roster.entries.iter().enumerate() {
            let of_service = roster.of_service[place];
            let mut path: Vec<&str> = Vec::new();
            if !template.preferences.is_empty()
                && let Some(node) = store.node(entry.id)
            {
                let preferences = template.preferences.iter();
                path.extend(preferences.map(|preference| preference.value(node)));
            }
            root.count(&path, of_service as usize);
            if !roster.may_pass(place, template)
                || !(is_plain || roster.passes(place, store, template))
            {
                continue;
            }
            let failures = match store.node(entry.id) {
                Some(node) if entry.failures => {
                    recent_failures(node, service, template.spec_version, now)
                }
                Some(_) | None => 0,
            };
            let rank = Rank {
                failures,
                of_service,
                total: entry.active,
                behind: 0,
                name: entry.name,
                id: entry.id,
            };
            if path.is_empty() {
                only.push(rank);
            } else {
                ranks.entry(path).or_default().push(rank);
            }
        }
        if !only.is_empty() {
            ranks.insert(Vec::new(), only);
        }
        for (path, mut nodes) in ranks {
            if open.active() {
                choose_among_ties(&mut nodes, count, open);
            }
            if nodes.len() > count {
                nodes.select_nth_unstable(count);
                nodes.truncate(count);
            }
            nodes.sort_unstable();
            let candidates = nodes
                .into_iter()
                .filter_map(|rank| Candidate::new(rank, roster.entry(rank.id), store, template));
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
        nodes.arrange_by_key(|node| node.rank);
        let length = nodes.len();
        let mut placed = 0;
        let mut turn = 0;
        if length == 0 {
            return 0;
        }
        while nodes[turn % length].full || !nodes[turn % length].fits(template) {
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
            while nodes[turn % length].full || !nodes[turn % length].fits(template) {
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
    /// A node that passed the filters.
    fn new(rank: Rank, entry: &Entry, store: &Store, template: &Template) -> Option<Self> {
        let asked = &template.spec.task.resources.requests.extended;
        let generic = if asked.is_empty() {
            SmallVec::new()
        } else {
            let node = store.node(rank.id)?;
            let left = |kind| {
                let total = node.generic.get(kind).copied().unwrap_or(0);
                let held = node.reserved.generic.get(kind).copied().unwrap_or(0);
                total.saturating_sub(held)
            };
            asked.keys().map(left).collect()
        };
        Some(Self {
            rank,
            cpu_milli: entry.cpu_milli,
            memory_bytes: entry.memory_bytes,
            generic,
            ports_taken: false,
            full: false,
        })
    }

    /// Whether one more task finds room. What does not change by placing tasks has been looked at.
    fn fits(&self, template: &Template) -> bool {
        let fits = |free: u64, asked: u64| asked == 0 || free >= asked;
        let limit = template.spec.task.placement.max_replicas_per_node;
        let asked = &template.spec.task.resources.requests.extended;
        fits(self.cpu_milli, template.reserved_cpu_milli)
            && fits(self.memory_bytes, template.reserved_memory_bytes)
            && self
                .generic
                .iter()
                .zip(asked.values())
                .all(|(free, asked)| fits(*free, *asked))
            && !self.ports_taken
            && (limit == 0 || u64::from(self.rank.of_service) < limit)
    }

    fn take(&mut self, template: &Template) {
        self.rank.of_service += 1;
        self.rank.total += 1;
        self.cpu_milli = self.cpu_milli.saturating_sub(template.reserved_cpu_milli);
        self.memory_bytes = self
            .memory_bytes
            .saturating_sub(template.reserved_memory_bytes);
        let asked = &template.spec.task.resources.requests.extended;
        for (free, asked) in self.generic.iter_mut().zip(asked.values()) {
            *free = free.saturating_sub(*asked);
        }
        self.ports_taken = template.host_ports().next().is_some();
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
fn choose_among_ties(nodes: &mut [Rank], count: usize, open: &mut Choices) {
    nodes.sort_unstable();
    let mut start = 0;
    while start < nodes.len().min(count) {
        let first = nodes[start];
        let size = nodes[start..]
            .iter()
            .take_while(|rank| !first.before(rank))
            .count();
        let group = &mut nodes[start..start + size];
        if size > 1 {
            let way = open.choose("swarm-scheduler-tie", size as u32, 0);
            for (at, rank) in group.iter_mut().enumerate() {
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
