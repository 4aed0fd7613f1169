//! Which of the feasible nodes is the best: raw scores, normalised scores, weighted totals.

use crate::base::symbol::Symbols;

use super::cache::{Cache, NodeNumbers};
use super::demand::Demand;
use super::filter::{Candidate, Known};
use super::plugins::resources::{self, Share, Use, Weighed, balanced_allocation, least_allocated};
use super::plugins::{Plugin, SCORERS, ScoreOrder, images, interpod, normalize, spread};
use super::profile::{Profile, Strategy};

/// Scores of the last cycle, by place in [`Plugin::SCORERS`]; an empty column: the plugin had
/// nothing to say. Buffers, kept from cycle to cycle.
#[derive(Debug, Default)]
pub struct Board {
    /// Before they were normalised.
    pub raw: [Vec<i64>; SCORERS],
    /// From 0 to 100.
    pub scores: [Vec<i64>; SCORERS],
    /// Weighted sums.
    pub totals: Vec<i64>,
    values: Vec<u32>,
    ignored: Vec<bool>,
}

/// Places in [`Plugin::SCORERS`].
pub const TAINTS: usize = 0;
const AFFINITY: usize = 1;
/// NodeResourcesFit.
pub const FIT: usize = 2;
/// PodTopologySpread.
pub const SPREAD: usize = 3;
const INTERPOD: usize = 4;
/// NodeResourcesBalancedAllocation.
pub const BALANCE: usize = 5;
/// ImageLocality.
pub const IMAGES: usize = 6;

impl Board {
    /// Scores the feasible nodes.
    pub fn score(
        &mut self,
        candidate: &Candidate<'_>,
        (cache, symbols): (&Cache, &Symbols),
        feasible: &[u32],
        known: &[Known],
    ) {
        self.raw.iter_mut().for_each(Vec::clear);
        self.scores.iter_mut().for_each(Vec::clear);
        let profile = candidate.profile;
        let on = |plugin| profile.weight(plugin) > 0;
        if on(Plugin::TaintToleration) {
            self.raw[TAINTS].extend(known.iter().map(|known| i64::from(known.unpreferred)));
            self.scores[TAINTS].clone_from(&self.raw[TAINTS]);
            normalize(&mut self.scores[TAINTS], ScoreOrder::LessIsBetter);
        }
        let prefers = candidate.demand.prefers || !profile.added_affinity.node_preferred.is_empty();
        if on(Plugin::NodeAffinity) && prefers {
            self.raw[AFFINITY].extend(known.iter().map(|known| i64::from(known.preference)));
            self.scores[AFFINITY].clone_from(&self.raw[AFFINITY]);
            normalize(&mut self.scores[AFFINITY], ScoreOrder::MoreIsBetter);
        }
        self.resources(candidate, (cache, symbols), feasible, known);
        if on(Plugin::PodTopologySpread) && !candidate.plan.soft.is_empty() {
            self.spread(candidate, cache, feasible);
        }
        let index = &cache.index;
        let wishes = &candidate.plan.wishes;
        if on(Plugin::InterPodAffinity) && wishes.iter().any(|(_, tally)| index.total(*tally) > 0) {
            self.raw[INTERPOD].extend(feasible.iter().map(|slot| {
                let near = |tally: u32| i64::from(index.near(tally, *slot));
                wishes
                    .iter()
                    .map(|(weight, tally)| weight * near(*tally))
                    .sum::<i64>()
            }));
            self.scores[INTERPOD].clone_from(&self.raw[INTERPOD]);
            interpod::normalize(&mut self.scores[INTERPOD]);
        }
        if on(Plugin::ImageLocality) {
            let nodes = cache.tree.len();
            let wanted = &candidate.demand.images;
            let score = |slot: &u32| {
                if cache.has_any(wanted) {
                    images::score(
                        wanted,
                        candidate.demand.containers,
                        &cache.facts(*slot).images,
                        nodes,
                        |name| {
                            cache
                                .image(name)
                                .map_or((0, 0), |state| (state.size, state.nodes))
                        },
                    )
                } else {
                    0
                }
            };
            self.raw[IMAGES].extend(feasible.iter().map(score));
            self.scores[IMAGES].clone_from(&self.raw[IMAGES]);
        }
        self.totals.clear();
        self.totals.resize(feasible.len(), 0);
        for (place, plugin) in Plugin::SCORERS.into_iter().enumerate() {
            let weight = i64::from(profile.weight(plugin));
            for (total, score) in self.totals.iter_mut().zip(&self.scores[place]) {
                *total += weight * score;
            }
        }
    }

    /// The scorers that had a say, one bit each.
    pub fn said(&self) -> u8 {
        (0..SCORERS)
            .filter(|place| !self.scores[*place].is_empty())
            .fold(0, |bits, place| bits | 1 << place)
    }

    /// NodeResourcesFit and NodeResourcesBalancedAllocation.
    fn resources(
        &mut self,
        candidate: &Candidate<'_>,
        (cache, symbols): (&Cache, &Symbols),
        feasible: &[u32],
        known: &[Known],
    ) {
        let (profile, demand) = (candidate.profile, candidate.demand);
        let fits = profile.weight(Plugin::NodeResourcesFit) > 0;
        let asks = |name: &str| match name {
            "cpu" => demand.milli_cpu > 0,
            "memory" => demand.memory > 0,
            "ephemeral-storage" => demand.ephemeral > 0,
            name => demand
                .extended
                .iter()
                .any(|(other, _)| symbols.text(*other) == name),
        };
        let balances = profile.weight(Plugin::NodeResourcesBalancedAllocation) > 0
            && profile.balanced_resources.iter().any(|name| asks(name));
        let plain = profile.has_plain_resources();
        for (slot, known) in feasible.iter().zip(known) {
            let (fit, balance) = if !plain {
                let fit = |slot| weigh(candidate, cache, slot, symbols);
                let balance = |slot| balance(candidate, cache, slot, symbols);
                (
                    if fits { fit(*slot) } else { 0 },
                    if balances { balance(*slot) } else { 0 },
                )
            } else if known.stamp == cache.stamp(*slot) {
                (known.fit.into(), known.balance.into())
            } else {
                let (fit, balance) = plain_scores(cache.numbers(*slot), demand);
                (fit.into(), balance.into())
            };
            if fits {
                self.raw[FIT].push(fit);
            }
            if balances {
                self.raw[BALANCE].push(balance);
            }
        }
        for place in [FIT, BALANCE] {
            let (raw, scores) = (&self.raw[place], &mut self.scores[place]);
            scores.clone_from(raw);
        }
    }

    /// PodTopologySpread.
    fn spread(&mut self, candidate: &Candidate<'_>, cache: &Cache, feasible: &[u32]) {
        let (index, plan) = (&cache.index, candidate.plan);
        self.ignored.clear();
        self.ignored.extend(feasible.iter().map(|slot| {
            plan.all_keys
                && plan
                    .soft
                    .iter()
                    .any(|constraint| index.value(constraint.column, *slot) == 0)
        }));
        let scored = self.ignored.iter().filter(|ignored| !**ignored).count() as u32;
        let mut sums = vec![0_i64; feasible.len()];
        for constraint in &plan.soft {
            let size = if constraint.hostname {
                scored
            } else {
                self.values.clear();
                let seen = feasible.iter().zip(&self.ignored);
                self.values.extend(
                    seen.filter(|(_, ignored)| !**ignored)
                        .map(|(slot, _)| index.value(constraint.column, *slot)),
                );
                self.values.sort_unstable();
                self.values.dedup();
                self.values.len() as u32
            };
            let weight = spread::topology_weight(size);
            for (slot, sum) in feasible.iter().zip(&mut sums) {
                let value = index.value(constraint.column, *slot);
                if value == 0 {
                    continue;
                }
                let count = if constraint.hostname {
                    index.on_node(constraint.source, *slot)
                } else {
                    constraint.count(index, value)
                };
                *sum += spread::constraint_score(count.into(), weight, constraint.max_skew.into());
            }
        }
        let raw = &mut self.raw[SPREAD];
        raw.extend(sums.iter().zip(&self.ignored).map(|(sum, ignored)| {
            if *ignored { 0 } else { spread::rounded(*sum) }
        }));
        self.scores[SPREAD].clone_from(raw);
        spread::normalize(&mut self.scores[SPREAD], &self.ignored);
    }
}

/// Scores of NodeResourcesFit and NodeResourcesBalancedAllocation as long as both weigh CPU and
/// memory alike.
pub fn plain_scores(node: &NodeNumbers, demand: &Demand) -> (u8, u8) {
    let uses = |milli_cpu, memory| {
        [
            Use {
                requested: node.used_milli_cpu + milli_cpu,
                allocatable: node.milli_cpu,
            },
            Use {
                requested: node.used_memory + memory,
                allocatable: node.memory,
            },
        ]
    };
    let least = plain_least(node, demand.scored_milli_cpu, demand.scored_memory);
    let balance = balanced_allocation(&uses(0, 0), &uses(demand.milli_cpu, demand.memory));
    let percent = |score: i64| u8::try_from(score).expect("scores are 0 to 100");
    (percent(least), percent(balance))
}

/// LeastAllocated of CPU and memory without a division.
fn plain_least(node: &NodeNumbers, milli_cpu: i64, memory: i64) -> i64 {
    least_allocated([
        Share {
            free: node.milli_cpu - node.scored_milli_cpu - milli_cpu,
            allocatable: node.milli_cpu,
            reciprocal: node.per_milli_cpu,
        },
        Share {
            free: node.memory - node.scored_memory - memory,
            allocatable: node.memory,
            reciprocal: node.per_memory,
        },
    ])
}

/// Use of one resource on a node: without the pod, and what the pod adds. `None`: it does not count.
/// `scored`: containers without a request count a default.
fn used(
    name: &str,
    candidate: &Candidate<'_>,
    (cache, slot): (&Cache, u32),
    scored: bool,
    symbols: &Symbols,
) -> Option<(i64, i64, i64)> {
    let (node, demand) = (cache.numbers(slot), candidate.demand);
    Some(match (name, scored) {
        ("cpu", true) => (
            node.scored_milli_cpu,
            demand.scored_milli_cpu,
            node.milli_cpu,
        ),
        ("cpu", false) => (node.used_milli_cpu, demand.milli_cpu, node.milli_cpu),
        ("memory", true) => (node.scored_memory, demand.scored_memory, node.memory),
        ("memory", false) => (node.used_memory, demand.memory, node.memory),
        ("ephemeral-storage", _) => (node.used_ephemeral, demand.ephemeral, node.ephemeral),
        (name, _) => {
            let asked = demand
                .extended
                .iter()
                .find(|(other, _)| symbols.text(*other) == name);
            let (symbol, amount) = asked?;
            let facts = cache.facts(slot);
            (
                facts.used_extended.extended(*symbol),
                *amount,
                facts.allocatable(*symbol),
            )
        }
    })
}

fn weigh(candidate: &Candidate<'_>, cache: &Cache, slot: u32, symbols: &Symbols) -> i64 {
    let profile: &Profile = candidate.profile;
    let weighed: Vec<Weighed> = profile
        .fit_resources
        .iter()
        .filter_map(|resource| {
            let (used, asked, allocatable) =
                used(&resource.name, candidate, (cache, slot), true, symbols)?;
            Some(Weighed {
                used: Use {
                    requested: used + asked,
                    allocatable,
                },
                weight: resource.weight,
            })
        })
        .collect();
    match &profile.strategy {
        Strategy::LeastAllocated => resources::least(&weighed),
        Strategy::MostAllocated => resources::most(&weighed),
        Strategy::RequestedToCapacityRatio(shape) => resources::ratio(&weighed, shape),
    }
}

fn balance(candidate: &Candidate<'_>, cache: &Cache, slot: u32, symbols: &Symbols) -> i64 {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for name in &candidate.profile.balanced_resources {
        let Some((used, asked, allocatable)) = used(name, candidate, (cache, slot), false, symbols)
        else {
            continue;
        };
        before.push(Use {
            requested: used,
            allocatable,
        });
        after.push(Use {
            requested: used + asked,
            allocatable,
        });
    }
    balanced_allocation(&before, &after)
}
