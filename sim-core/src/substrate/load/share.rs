//! Filling a machine's tree of groups: each level gives to its groups in proportion to their weights.

use super::CPU;
use crate::base::sorted::SortedMap;
use crate::substrate::cgroup::limits::Limits;
use crate::substrate::cgroup::place::{Version, engine_parent};
use crate::substrate::cgroup::tree::GroupKey;
use crate::substrate::kernel::busy;
use crate::substrate::order::{ContainerId, MachineId};
use crate::substrate::pressure::{self, Resource};
use crate::substrate::{Scope, Substrate};

/// A part of the tree of groups.
#[derive(Clone, Debug, Default)]
struct Part {
    weight: u64,
    /// What it may get at most.
    cap: Option<u64>,
    /// What it wants: for a leaf its own, above the sum of what is below, each within its cap.
    wants: u64,
    leaf: Option<ContainerId>,
    below: Vec<usize>,
}

/// Shares an amount among parts by weight; none gets more than it wants. Returns what each gets.
fn fill(amount: u64, parts: &[(u64, u64)]) -> Vec<u64> {
    let mut got = vec![0; parts.len()];
    let mut order: Vec<usize> = (0..parts.len()).collect();
    // Those that want least for their weight are content first.
    order.sort_unstable_by(|a, b| {
        let (left, right) = (parts[*a], parts[*b]);
        let cross = |wants: u64, weight: u64| u128::from(wants) * u128::from(weight.max(1));
        cross(left.1, right.0)
            .cmp(&cross(right.1, left.0))
            .then(a.cmp(b))
    });
    let mut rest = amount;
    let mut weights: u128 = parts
        .iter()
        .map(|(weight, _)| u128::from((*weight).max(1)))
        .sum();
    for index in order {
        let (weight, wants) = parts[index];
        let weight = u128::from(weight.max(1));
        let fair = u64::try_from(u128::from(rest) * weight / weights.max(1)).unwrap_or(rest);
        got[index] = wants.min(fair);
        rest -= got[index];
        weights -= weight;
    }
    got
}

impl Substrate {
    /// Fills a machine's tree of groups anew.
    pub(in crate::substrate) fn share_cpus(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machine(machine) else {
            return;
        };
        let (capacity, hogs) = (self.cpu_capacity(machine), row.hogs);
        let (mut parts, root) = self.parts(machine, hogs);
        want(&mut parts, root);
        let mut got: SortedMap<ContainerId, u64> = SortedMap::new();
        give(&parts, root, capacity, &mut got);
        let leaves: Vec<ContainerId> = parts.iter().filter_map(|part| part.leaf).collect();
        // A leaf's wish is within its cap by now.
        let capped: u64 = parts
            .iter()
            .filter(|part| part.leaf.is_some())
            .map(|part| part.wants)
            .sum();
        self.machines[machine].cpu_capped = capped.saturating_add(hogs * CPU);
        let mut held = 0;
        for container in leaves {
            let amount = got.get(&container).copied().unwrap_or(0);
            if self.set_got(container, amount, scope) {
                held += 1;
            }
        }
        self.machines[machine].cpu_held = held;
    }

    /// The groups of a machine in which somebody wants CPU time.
    fn parts(&self, machine: MachineId, hogs: u64) -> (Vec<Part>, usize) {
        let mut parts = vec![Part::default()];
        let mut levels: SortedMap<String, usize> = SortedMap::new();
        let mut weights: SortedMap<Option<u64>, u64> = SortedMap::new();
        let version = self
            .machine(machine)
            .map(|row| row.profile.cgroups)
            .unwrap_or_default();
        let weight_of = |limits: &Limits| match version {
            Version::V2 => limits.weight,
            Version::V1 => limits.shares,
        };
        let group_part = |limits: &Limits| Part {
            weight: weight_of(limits),
            cap: cap_of(limits),
            ..Part::default()
        };
        let default = match version {
            Version::V2 => 100,
            Version::V1 => 1_024,
        };
        let driver = self
            .machine(machine)
            .map(|row| row.profile.driver())
            .unwrap_or_default();
        if hogs > 0 {
            let own = Part {
                weight: default,
                wants: hogs * CPU,
                ..Part::default()
            };
            let index = below(&mut parts, 0, own);
            levels.insert("system.slice".to_owned(), index);
        }
        for (sandbox, row) in self.sandboxes_on(machine) {
            let wanting: Vec<ContainerId> = self
                .containers_in(sandbox)
                .filter(|(_, container)| {
                    container.running_since().is_some()
                        && (container.cpu.wanted() > 0 || container.cpu.got > 0)
                })
                .map(|(id, _)| id)
                .collect();
            if wanting.is_empty() {
                continue;
            }
            let mut at = 0;
            let mut path = String::new();
            let own_level = [engine_parent(driver)];
            let above: &[&str] = if row.spec.parents.is_empty() {
                &own_level
            } else {
                &row.spec.parents
            };
            for name in above {
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(name);
                at = match levels.get(&path) {
                    Some(index) => *index,
                    None => {
                        let limits = self.limits_of(machine, &GroupKey::Level(path.clone()));
                        let index = below(&mut parts, at, group_part(&limits));
                        levels.insert(path.clone(), index);
                        index
                    }
                };
            }
            if !row.spec.parents.is_empty() {
                let limits = self.sandbox_limits(sandbox);
                at = below(&mut parts, at, group_part(&limits));
            }
            for container in wanting {
                let group = &self.containers[container].spec.group;
                let written = self.machines[machine]
                    .written
                    .get(&GroupKey::Container(container));
                // Equal shares have equal weights, whose formula is long.
                let weight = match written {
                    Some(limits) => weight_of(limits),
                    None => *weights
                        .entry(group.cpu_shares)
                        .or_insert_with(|| weight_of(&self.container_limits(container))),
                };
                let leaf = Part {
                    weight,
                    cap: self.own_cap(container),
                    wants: self.containers[container].cpu.wanted(),
                    leaf: Some(container),
                    below: Vec::new(),
                };
                below(&mut parts, at, leaf);
            }
        }
        (parts, 0)
    }

    /// Gives a container an amount; whether that is less than it wants.
    pub(super) fn set_got(
        &mut self,
        container: ContainerId,
        amount: u64,
        scope: &mut Scope<'_>,
    ) -> bool {
        let cap = self.own_cap(container);
        let sandbox = self.containers[container].sandbox;
        let machine = self.sandboxes[sandbox].machine;
        let cpus = self.cpu_capacity(machine).div_ceil(CPU).max(1);
        let cpu = &mut self.containers[container].cpu;
        cpu.count(scope.now);
        let before = cpu.served();
        let wants = cpu.wanted();
        cpu.got = u32::try_from(amount).unwrap_or(u32::MAX);
        cpu.held = amount < wants;
        let (held, after, threads) = (cpu.held, cpu.served(), cpu.busy);
        let quota = if held { self.quota_of(container) } else { None };
        let by_quota = cap.is_some_and(|cap| amount >= cap) && quota.is_some();
        let known = self.machines[machine].throttles.contains_key(&container);
        if by_quota || known {
            let threads = if threads > 0 {
                u64::from(threads)
            } else {
                wants.div_ceil(CPU).max(1)
            };
            let throttle = self.machines[machine]
                .throttles
                .entry(container)
                .or_default();
            throttle.count(scope.now);
            throttle.on = by_quota;
            if let Some((quota, period)) = quota.filter(|_| by_quota) {
                throttle.rate = busy::second(quota, period, threads.min(cpus), cpus);
            }
        }
        let rates = pressure::cpu_rates(wants, amount, cpus, by_quota);
        let at = (machine, container);
        self.stall(at, Resource::Cpu, rates, (scope.now, None));
        if before != after {
            self.serving_changed(sandbox, scope);
        }
        held
    }
}

/// Puts a group below another; its place.
fn below(parts: &mut Vec<Part>, at: usize, part: Part) -> usize {
    let index = parts.len();
    parts.push(part);
    parts[at].below.push(index);
    index
}

fn cap_of(limits: &Limits) -> Option<u64> {
    let quota = limits.quota_us?;
    Some(quota.saturating_mul(CPU) / limits.period_us.max(1))
}

/// Adds up what parts want, from below.
fn want(parts: &mut [Part], at: usize) {
    let below = std::mem::take(&mut parts[at].below);
    for index in &below {
        want(parts, *index);
        parts[at].wants += parts[*index].wants;
    }
    parts[at].below = below;
    if let Some(cap) = parts[at].cap {
        parts[at].wants = parts[at].wants.min(cap);
    }
}

/// Gives an amount to a part and those below it.
fn give(parts: &[Part], at: usize, amount: u64, got: &mut SortedMap<ContainerId, u64>) {
    let part = &parts[at];
    let amount = amount.min(part.wants);
    if let Some(container) = part.leaf {
        got.insert(container, amount);
        return;
    }
    // A part that wants of its own beside those below it (the machine's busy threads) is one more.
    let mut wishes: Vec<(u64, u64)> = part
        .below
        .iter()
        .map(|index| (parts[*index].weight, parts[*index].wants))
        .collect();
    let below: u64 = wishes.iter().map(|(_, wants)| *wants).sum();
    if !part.below.is_empty() && part.wants > below {
        wishes.push((100, part.wants - below));
    }
    for (index, share) in part.below.iter().zip(fill(amount, &wishes)) {
        give(parts, *index, share, got);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_weights_and_what_is_left_goes_on() {
        // Two that want all, one that wants little.
        let got = fill(2_000, &[(100, 5_000), (200, 5_000), (100, 50)]);
        assert_eq!(got, [650, 1_300, 50]);
        assert_eq!(fill(1_000, &[(100, 200), (1, 300)]), [200, 300]);
        assert_eq!(fill(0, &[(100, 200)]), [0]);
    }
}
