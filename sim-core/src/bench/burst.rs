//! The compatibility profile `burst`: the scheduling decisions of the simulator kubernetriks
//! (DSLab), so that both can be timed on the same work with the same answer.
//!
//! ```text
//! Submit(0) .. Submit(M-1)   one a millisecond from 10 s      -> waiting, in order of arrival
//! Cycle                      every 10 s while pods are left   -> places whoever fits, the others stay
//! End(pod)                   start + the pod's duration       -> frees what it had
//! ```
//!
//! A loop of its own on the common event queue; it shares no policy with `kube`. The score is
//! defined in floating point (division, multiplication, addition only, which are exact to the bit on
//! every platform), so floats are used here and nowhere else. They go into no other module.

use crate::base::time::{SimDuration, SimTime};
use crate::des::fingerprint::Fingerprint;
use crate::des::queue::{Queue, Seq};

use super::{Outcome, Size, Workload};

/// Time between scheduling cycles, and until the first pod.
const CYCLE: SimDuration = SimDuration::from_secs(10);
/// Time between two submissions.
const SUBMIT_EVERY: SimDuration = SimDuration::from_millis(1);
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Nodes whose best estimate is kept together.
const BLOCK: usize = 32;
/// Estimates are single precision sums of two rounded products: within 4 units in the last place of
/// 2^-24 each. Whoever is within this factor of the best may be the best.
const SLACK: f32 = 1.0 + 4e-6;

#[derive(Clone, Copy, Hash)]
enum Event {
    Submit(u32),
    Cycle,
    End(u32),
}

#[derive(Clone, Copy)]
struct Pod {
    memory: u64,
    cpu: u32,
    seconds: u32,
}

/// What is free on the nodes, in plain string order of their names.
struct Nodes {
    /// Milli-CPU.
    cpu: Vec<u64>,
    /// Bytes.
    memory: Vec<u64>,
    /// One over the above; infinite when nothing is free. Filled up to whole blocks with infinity.
    cpu_share: Vec<f32>,
    memory_share: Vec<f32>,
    /// Lowest estimate of each block for the pod at hand.
    lowest: Vec<f32>,
}

impl Nodes {
    fn new(count: usize, cpu: u64, memory: u64) -> Self {
        let blocks = count.div_ceil(BLOCK);
        let mut nodes = Self {
            cpu: vec![cpu; count],
            memory: vec![memory; count],
            cpu_share: vec![f32::INFINITY; blocks * BLOCK],
            memory_share: vec![f32::INFINITY; blocks * BLOCK],
            lowest: vec![0.0; blocks],
        };
        for node in 0..count {
            nodes.refresh(node);
        }
        nodes
    }

    fn refresh(&mut self, node: usize) {
        self.cpu_share[node] = 1.0 / self.cpu[node] as f32;
        self.memory_share[node] = 1.0 / self.memory[node] as f32;
    }

    fn fits(&self, node: usize, pod: Pod) -> bool {
        u64::from(pod.cpu) <= self.cpu[node] && pod.memory <= self.memory[node]
    }

    /// The profile's score; the pod fits.
    fn score(&self, node: usize, pod: Pod) -> f64 {
        let share = |free: u64, wanted: u64| (free - wanted) as f64 * 100.0 / free as f64;
        (share(self.cpu[node], u64::from(pod.cpu)) + share(self.memory[node], pod.memory)) / 2.0
    }

    /// The node of the highest score, of equals the last. The score is 100 less half of what
    /// the estimate sums up, so only nodes of almost the lowest estimate need the exact one.
    fn best(&mut self, pod: Pod) -> Option<usize> {
        let (cpu, memory) = (pod.cpu as f32, pod.memory as f32);
        let mut lowest = f32::INFINITY;
        let shares = self
            .cpu_share
            .chunks_exact(BLOCK)
            .zip(self.memory_share.chunks_exact(BLOCK));
        for ((cpu_shares, memory_shares), block) in shares.zip(&mut self.lowest) {
            let mut lanes = [f32::INFINITY; 8];
            for (cpu_shares, memory_shares) in cpu_shares
                .chunks_exact(8)
                .zip(memory_shares.chunks_exact(8))
            {
                for lane in 0..8 {
                    let estimate = cpu * cpu_shares[lane] + memory * memory_shares[lane];
                    lanes[lane] = if estimate < lanes[lane] {
                        estimate
                    } else {
                        lanes[lane]
                    };
                }
            }
            *block = lanes.into_iter().fold(
                f32::INFINITY,
                |low, lane| if lane < low { lane } else { low },
            );
            lowest = if *block < lowest { *block } else { lowest };
        }
        // One that does not fit may have the lowest estimate; then all that fit are looked at.
        self.best_within(pod, lowest * SLACK)
            .or_else(|| self.best_within(pod, f32::INFINITY))
    }

    /// The last node of the highest score among those whose estimate is at most `limit`. A node
    /// beyond it has a lower score than any within, so if one within fits it is the best of all.
    fn best_within(&self, pod: Pod, limit: f32) -> Option<usize> {
        let (cpu, memory) = (pod.cpu as f32, pod.memory as f32);
        let mut best = None;
        let mut highest = f64::NEG_INFINITY;
        for (block, _) in self
            .lowest
            .iter()
            .enumerate()
            .filter(|(_, lowest)| **lowest <= limit)
        {
            for node in block * BLOCK..self.cpu.len().min((block + 1) * BLOCK) {
                if cpu * self.cpu_share[node] + memory * self.memory_share[node] <= limit
                    && self.fits(node, pod)
                {
                    let score = self.score(node, pod);
                    if score >= highest {
                        highest = score;
                        best = Some(node);
                    }
                }
            }
        }
        best
    }
}

/// The pods, drawn from the profile's generator.
fn pods(count: u32) -> Vec<Pod> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    (0..count)
        .map(|_| {
            let cpu = 100 * (1 + draw(10)) as u32;
            let memory = 256 * MIB * (1 + draw(8));
            Pod {
                memory,
                cpu,
                seconds: 1800 + draw(1801) as u32,
            }
        })
        .collect()
}

/// Cores of each node: 1.5 times what the pods ask for on average, at least 64.
fn cores(size: Size) -> u64 {
    (u64::from(size.pods) * 825)
        .div_ceil(1000 * u64::from(size.nodes))
        .max(64)
}

/// Runs the profile to the end of its last pod.
pub fn run(size: Size) -> Outcome {
    let pods = pods(size.pods);
    let mut by_name: Vec<u32> = (0..size.nodes).collect();
    by_name.sort_by_cached_key(u32::to_string);
    let cores = cores(size);
    let mut nodes = Nodes::new(by_name.len(), cores * 1000, cores * 4 * GIB);
    let mut placed = vec![u32::MAX; pods.len()];
    let mut waiting: Vec<u32> = Vec::new();
    let mut queue = Queue::new();
    let mut run = Fingerprint::new();
    let (mut events, mut left) = (0_u64, pods.len());
    if left > 0 {
        queue.schedule(SimTime::ZERO + CYCLE, Seq::NONE, Event::Submit(0));
        queue.schedule(SimTime::ZERO + CYCLE, Seq::NONE, Event::Cycle);
    }
    while let Some(scheduled) = queue.pop() {
        events += 1;
        run.fold(&(scheduled.at, scheduled.event));
        match scheduled.event {
            Event::Submit(pod) => {
                waiting.push(pod);
                if pod + 1 < size.pods {
                    queue.schedule(
                        scheduled.at + SUBMIT_EVERY,
                        scheduled.seq,
                        Event::Submit(pod + 1),
                    );
                }
            }
            Event::Cycle => {
                waiting.retain(|&number| {
                    let pod = pods[number as usize];
                    let Some(node) = nodes.best(pod) else {
                        return true;
                    };
                    nodes.cpu[node] -= u64::from(pod.cpu);
                    nodes.memory[node] -= pod.memory;
                    nodes.refresh(node);
                    placed[number as usize] = node as u32;
                    let length = SimDuration::from_secs(u64::from(pod.seconds));
                    queue.schedule(scheduled.at + length, scheduled.seq, Event::End(number));
                    false
                });
                // Pods that fit no empty node would wait for ever: nothing left but they, it ends.
                if !queue.is_empty() {
                    queue.schedule(scheduled.at + CYCLE, scheduled.seq, Event::Cycle);
                }
            }
            Event::End(number) => {
                let pod = pods[number as usize];
                let node = placed[number as usize] as usize;
                nodes.cpu[node] += u64::from(pod.cpu);
                nodes.memory[node] += pod.memory;
                nodes.refresh(node);
                left -= 1;
            }
        }
    }
    let placements: Vec<u32> = placed
        .iter()
        .map(|&node| by_name.get(node as usize).copied().unwrap_or(u32::MAX))
        .collect();
    run.fold(&placements);
    Outcome {
        workload: Workload::Burst,
        size,
        events,
        simulated_s: queue.now().whole_seconds(),
        hash: run.hex(),
        unmet: left as u64,
        placements,
    }
}
