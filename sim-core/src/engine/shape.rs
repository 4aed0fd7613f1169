//! Links that delay or lose packets, as Chaos Mesh's NetworkChaos has them made with `tc netem`, disks
//! that are slower than they should be, and clocks that are wrong.
//!
//! `A|B` shapes what passes between two groups of machines, either way; a machine alone or a replica
//! shapes what its own interface sends, to whomever. A disk is slowed down as `dm-delay` and a throttled
//! volume are.

use crate::base::rng::stable_hash_parts;
use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::substrate::net::wire::{WHOLE, Wire};
use crate::substrate::order::SubstrateFault;
use crate::substrate::rule::{Rule, Side};

use super::command::{FaultKind, FaultSpec, Pace, Strength};
use super::world::{Plane, World};

/// Delay unless the fault says how much: between continents.
const DELAY: SimDuration = SimDuration::from_millis(200);
/// Loss unless the fault says how much, in millionths: a tenth.
const LOSS: u32 = 100_000;
/// How much longer a request to a slow disk takes unless the fault says how much.
const DISK_DELAY: SimDuration = SimDuration::from_millis(100);
/// By how much a clock is ahead unless the fault says by how much, in microseconds.
const SKEW_US: i64 = 600_000_000;

impl World {
    /// Begins to delay or lose packets. `None`: this world has no such link.
    pub(super) fn shape_link(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let mut wire = Wire::default();
        let text;
        if spec.kind == FaultKind::Delay {
            let (delay, jitter) = match spec.strength {
                Strength::Delay { latency, jitter } => (latency, jitter),
                _ => (None, None),
            };
            wire.delay = delay.unwrap_or(DELAY);
            wire.jitter = jitter.unwrap_or(SimDuration::ZERO);
            text = wire.delay.exact();
        } else {
            let loss = match spec.strength {
                Strength::Loss(loss) => loss,
                _ => LOSS,
            };
            wire.loss = loss.min(WHOLE);
            let part = format!("{:04}", loss % 10_000);
            let text_of = format!("{}.{part}", loss / 10_000);
            text = format!("{}%", text_of.trim_end_matches('0').trim_end_matches('.'));
        }
        let side = |machines| Side {
            machines,
            users: false,
        };
        let (rule, hit) = if let Some((a, b)) = spec.target.split_once('|') {
            let (a, b) = (self.machine_list(a), self.machine_list(b));
            if a.is_empty() || b.is_empty() {
                return None;
            }
            let hit = a.iter().chain(&b).copied().collect();
            let (a, b) = (side(a), Some(side(b)));
            (Rule::Shape { a, b, wire }, hit)
        } else if let Some(machine) = self.machine(&spec.target) {
            let (a, b) = (side(vec![machine]), None);
            (Rule::Shape { a, b, wire }, vec![machine])
        } else if let Some(sandbox) = self.target_sandbox(&spec.target) {
            let luck = stable_hash_parts(&[&self.seed.0.to_string(), &spec.target]);
            let rule = Rule::ShapeSandbox {
                sandbox,
                wire,
                luck,
            };
            let machine = self.substrate.sandbox(sandbox).map(|row| row.machine);
            (rule, machine.into_iter().collect())
        } else {
            return None;
        };
        for machine in hit {
            self.hit(index, machine);
        }
        let detail = Detail::Text(self.symbols.intern(&text));
        self.note("fault", spec.kind.name(), "link", &spec.target, detail);
        self.stand(index, rule);
        self.pace_changed(spec.kind);
        Some(())
    }

    /// Begins to slow a machine's disk down.
    pub(super) fn slow_disk(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let machine = self.target_machine(&spec.target)?;
        self.hit(index, machine);
        let (rate, delay) = match spec.strength {
            Strength::Disk {
                rate_bytes_per_s,
                delay,
            } => (rate_bytes_per_s, delay.unwrap_or(SimDuration::ZERO)),
            _ => (None, DISK_DELAY),
        };
        let rate = rate.map(|rate| rate.max(1));
        let mut words = Vec::new();
        if let Some(rate) = rate {
            words.push(format!("{rate} B/s"));
        }
        if !delay.is_zero() {
            words.push(delay.exact());
        }
        let name = self.machine_text(machine).to_owned();
        let detail = Detail::Text(self.symbols.intern(&words.join(" ")));
        self.note("fault", spec.kind.name(), "node", &name, detail);
        let rule = Rule::DiskSlow {
            machine,
            rate: rate.unwrap_or(u64::MAX),
            delay,
        };
        self.stand(index, rule);
        self.pace_changed(spec.kind);
        Some(())
    }

    /// Turns a machine's clock.
    pub(super) fn turn_clock(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let machine = self.target_machine(&spec.target)?;
        self.hit(index, machine);
        let by = match spec.strength {
            Strength::Clock(by) => by,
            _ => SKEW_US,
        };
        let span = SimDuration::from_micros(by.unsigned_abs()).exact();
        let text = format!("{}{span}", if by < 0 { "-" } else { "+" });
        let name = self.machine_text(machine).to_owned();
        let detail = Detail::Text(self.symbols.intern(&text));
        self.note("fault", spec.kind.name(), "node", &name, detail);
        self.strain(index, SubstrateFault::TurnClock(machine, by));
        self.pace_changed(spec.kind);
        Some(())
    }

    /// What groups of managers or members hear of each other, what etcd waits for, or what a control
    /// machine's clock shows, may be other now.
    pub(super) fn pace_changed(&mut self, kind: FaultKind) {
        match (kind.pace(), &self.plane) {
            (Some(Pace::Links), Plane::Kubernetes(_)) => {
                self.lend_kube(|plane, context, out| plane.links_changed(context, out));
            }
            (Some(Pace::Links), Plane::Swarm(_)) => {
                self.lend_swarm(|plane, context, out| plane.links_changed(context, out));
            }
            (Some(Pace::Machines), Plane::Kubernetes(_)) => {
                self.lend_kube(|plane, context, out| plane.pace_changed(context, out));
            }
            (Some(Pace::Machines), Plane::Swarm(_)) | (None, _) | (_, Plane::Compose(_)) => {}
        }
    }
}
