//! DefaultPreemption: whether evicting pods of lower priority makes room, where, and whom.
//!
//! Sources: `pkg/scheduler/framework/preemption/preemption.go`,
//! `pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go`.
//!
//! A dry run takes the pods off the cache, runs the real filters and puts the pods back, so that
//! what it finds is what a later cycle will find. Upstream starts at a random node and leaves the
//! last tie open; here nodes are in the order of the search, and the first wins.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::kube::rows::PodId;
use crate::kube::rows::watched::WatchedPart;
use crate::kube::selector::Selector;
use crate::kube::store::Store;
use crate::kube::store::document::{Document, RowReference};
use crate::kube::volumes::claim::label_selector;
use crate::manifest::value::Value;

use super::cache::{Cache, Taken};
use super::cycle::check;
use super::demand::Demand;
use super::explain::{NodeRecord, Verdict};
use super::filter::Candidate;
use super::message::{NO_VICTIMS, NOT_HELPFUL, Reasons, Tally};
use super::nominator::Nominator;

/// A budget, as it stands.
#[derive(Clone, Debug)]
struct Budget {
    namespace: Arc<str>,
    selector: Selector,
    allowed: i64,
    disrupted: Vec<String>,
}

/// One pod that would go.
#[derive(Clone, Debug)]
struct Victim {
    pod: PodId,
    priority: i32,
    /// In whole seconds, as the API keeps it; a clock that is behind may have shown a negative one.
    started: i64,
}

/// A node on which evictions would make room.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The node.
    pub slot: u32,
    /// Who goes, the most important first.
    pub victims: Vec<PodId>,
    ranks: Vec<(i32, i64)>,
    violations: u32,
}

/// How it ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Evict these.
    Found(Plan),
    /// Nothing helps; the reasons, counted over nodes.
    Nothing(Reasons),
}

/// What is found when no pod anywhere has a lower priority: of each node that said no, whether that
/// could have helped.
pub fn nobody(tally: &Tally, nodes: u32) -> Reasons {
    let mut reasons = Reasons::default();
    let open = tally.resolvable();
    reasons.add(NOT_HELPFUL, nodes - open);
    reasons.add(NO_VICTIMS, open);
    reasons
}

/// What the dry run of one node says.
enum Trial {
    Candidate(Plan),
    NoVictims,
    Refused(Verdict),
}

/// Looks for the node on which the fewest and least important pods must go.
pub fn find(
    pod: PodId,
    candidate: &Candidate<'_>,
    records: &[NodeRecord],
    cache: &mut Cache,
    nominator: &Nominator,
    demands: &dyn Fn(PodId) -> Option<Arc<Demand>>,
) -> Outcome {
    let nodes = cache.tree.len();
    let mut reasons = Reasons::default();
    let open: Vec<u32> = records
        .iter()
        .filter(|record| record.verdict.is_resolvable())
        .map(|record| record.slot)
        .collect();
    reasons.add(NOT_HELPFUL, nodes - open.len() as u32);
    let profile = candidate.profile;
    let wanted = (u64::from(nodes) * u64::from(profile.candidates_percentage) / 100)
        .max(u64::from(profile.candidates_absolute))
        .min(u64::from(nodes)) as usize;
    let budgets = budgets(candidate.look.store);
    let mut plans: Vec<Plan> = Vec::new();
    for slot in open {
        match try_node(pod, candidate, slot, cache, nominator, demands, &budgets) {
            Trial::Candidate(plan) => plans.push(plan),
            Trial::NoVictims => reasons.add(NO_VICTIMS, 1),
            Trial::Refused(verdict) => {
                let extended = &candidate.demand.extended;
                for reason in verdict.reasons(extended, candidate.look.symbols) {
                    reasons.add(&reason, 1);
                }
            }
        }
        if plans.len() >= wanted && plans.iter().any(|plan| plan.violations == 0) {
            break;
        }
    }
    match best(plans) {
        Some(plan) => Outcome::Found(plan),
        None => Outcome::Nothing(reasons),
    }
}

fn try_node(
    pod: PodId,
    candidate: &Candidate<'_>,
    slot: u32,
    cache: &mut Cache,
    nominator: &Nominator,
    demands: &dyn Fn(PodId) -> Option<Arc<Demand>>,
    budgets: &[Budget],
) -> Trial {
    let look = candidate.look;
    let priority = candidate.demand.priority;
    let lower: Vec<(PodId, Arc<Demand>)> = cache
        .pods_on(slot)
        .into_iter()
        .filter_map(|pod| Some((pod, demands(pod)?)))
        .filter(|(_, demand)| demand.priority < priority)
        .collect();
    if lower.is_empty() {
        return Trial::NoVictims;
    }
    let mut taken: Vec<(Victim, Arc<Demand>, Taken)> = Vec::new();
    for (pod, demand) in lower.into_iter().rev() {
        let Some(place) = cache.displace(pod, &demand, look) else {
            continue;
        };
        let started = look
            .store
            .pod_details(pod)
            .started
            .map(|at| at.signed_seconds());
        let victim = Victim {
            pod,
            priority: demand.priority,
            started: started.unwrap_or(i64::MAX),
        };
        taken.push((victim, demand, place));
    }
    let verdict = check(pod, candidate, cache, slot, nominator);
    if verdict != Verdict::Fits {
        for (victim, demand, place) in taken.iter().rev() {
            cache.place(victim.pod, *place, demand, look);
        }
        return Trial::Refused(verdict);
    }
    taken.arrange_by_key(|(victim, _, _)| (Reverse(victim.priority), victim.started, victim.pod));
    let violating = violations(&taken, budgets, candidate);
    let mut victims: Vec<(Victim, Arc<Demand>, Taken)> = Vec::new();
    let mut count = 0;
    for broken in [true, false] {
        for (index, (victim, demand, place)) in taken.iter().enumerate() {
            if violating[index] != broken {
                continue;
            }
            cache.place(victim.pod, *place, demand, look);
            if check(pod, candidate, cache, slot, nominator) != Verdict::Fits {
                cache.displace(victim.pod, demand, look);
                victims.push((victim.clone(), demand.clone(), *place));
                count += u32::from(broken);
            }
        }
    }
    for (victim, demand, place) in &victims {
        cache.place(victim.pod, *place, demand, look);
    }
    victims.arrange_by_key(|(victim, _, _)| (Reverse(victim.priority), victim.started, victim.pod));
    if victims.is_empty() {
        return Trial::NoVictims;
    }
    Trial::Candidate(Plan {
        slot,
        victims: victims.iter().map(|(victim, _, _)| victim.pod).collect(),
        ranks: victims
            .iter()
            .map(|(victim, _, _)| (victim.priority, victim.started))
            .collect(),
        violations: count,
    })
}

/// Which of the pods, in this order, would break a budget.
fn violations(
    taken: &[(Victim, Arc<Demand>, Taken)],
    budgets: &[Budget],
    candidate: &Candidate<'_>,
) -> Vec<bool> {
    let look = candidate.look;
    let mut allowed: Vec<i64> = budgets.iter().map(|budget| budget.allowed).collect();
    taken
        .iter()
        .map(|(victim, _, place)| {
            let template = look.store.template(place.template);
            if template.labels.is_empty() {
                return false;
            }
            let namespace = look.symbols.text(template.namespace);
            let name = look
                .store
                .pod(victim.pod)
                .map_or_else(String::new, |row| row.name.text(look.symbols));
            let mut breaks = false;
            for (budget, left) in budgets.iter().zip(&mut allowed) {
                if &*budget.namespace != namespace
                    || budget.selector.0.is_empty()
                    || !budget.selector.matches(&template.labels)
                    || budget.disrupted.contains(&name)
                {
                    continue;
                }
                *left -= 1;
                breaks |= *left < 0;
            }
            breaks
        })
        .collect()
}

fn budgets(store: &Store) -> Vec<Budget> {
    let all = store.documents().of("poddisruptionbudgets.policy");
    all.map(|(key, document)| {
        let value = &document.value;
        let disrupted = value
            .path(&["status", "disruptedPods"])
            .and_then(Value::as_map);
        Budget {
            namespace: key.namespace.clone(),
            selector: value
                .path(&["spec", "selector"])
                .map(label_selector)
                .unwrap_or_default(),
            allowed: allowed(document, store),
            disrupted: disrupted
                .unwrap_or_default()
                .iter()
                .map(|(name, _)| name.to_string())
                .collect(),
        }
    })
    .collect()
}

/// What a budget's loop last said, or what an imported budget says.
fn allowed(document: &Document, store: &Store) -> i64 {
    if let RowReference::Watched(id) = document.row
        && let Some(WatchedPart::Budget(part)) = store.watched(id).map(|row| &row.part)
    {
        return part.allowed;
    }
    let stated = document.value.i64_at(&["status", "disruptionsAllowed"]);
    stated.unwrap_or(0)
}

/// Fewest broken budgets, then the lowest highest priority, the smallest sum of priorities, the
/// fewest victims, the latest start of the oldest among the most important; then the first.
fn best(mut plans: Vec<Plan>) -> Option<Plan> {
    let keep = |plans: &mut Vec<Plan>, rank: &dyn Fn(&Plan) -> i128| {
        let least = plans.iter().map(rank).min();
        plans.retain(|plan| Some(rank(plan)) == least);
    };
    let highest = |plan: &Plan| {
        plan.ranks
            .first()
            .map_or(i32::MIN, |(priority, _)| *priority)
    };
    keep(&mut plans, &|plan| plan.violations.into());
    keep(&mut plans, &|plan| highest(plan).into());
    keep(&mut plans, &|plan| {
        let shifted = |priority: i32| i128::from(priority) + (1 << 31);
        plan.ranks
            .iter()
            .map(|(priority, _)| shifted(*priority))
            .sum()
    });
    keep(&mut plans, &|plan| plan.victims.len() as i128);
    keep(&mut plans, &|plan| {
        let earliest = plan
            .ranks
            .iter()
            .filter(|(priority, _)| *priority == highest(plan))
            .map(|(_, started)| *started)
            .min();
        -i128::from(earliest.unwrap_or(0))
    });
    plans.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(slot: u32, ranks: &[(i32, i64)]) -> Plan {
        Plan {
            slot,
            victims: Vec::new(),
            ranks: ranks.to_vec(),
            violations: 0,
        }
    }

    fn pick(plans: &[Plan]) -> Option<u32> {
        best(plans.to_vec()).map(|plan| plan.slot)
    }

    /// Reference 8.5 and 23.12.
    #[test]
    fn the_least_harm_wins() {
        let low = plan(1, &[(50, 1), (50, 1), (50, 1)]);
        let few = plan(2, &[(50, 1), (50, 1)]);
        assert_eq!(pick(&[plan(0, &[(100, 1), (100, 1)]), low, few]), Some(2));
        let broken = Plan {
            violations: 1,
            ..plan(3, &[(1, 1)])
        };
        assert_eq!(pick(&[broken, plan(4, &[(9, 1)])]), Some(4));
        assert_eq!(pick(&[plan(5, &[(9, 1)]), plan(6, &[(9, 2)])]), Some(6));
        assert_eq!(pick(&[plan(7, &[(9, 1)]), plan(8, &[(9, 1)])]), Some(7));
        assert_eq!(pick(&[]), None);
    }
}
