//! Named workloads of fixed shape: what `podium bench` measures, natively and in WASM.
//!
//! Owns the shapes and what a run of one answers. Knows no clock: whoever runs a workload measures
//! it. Uses the engine as any other user of it does, so that nothing is faster here than elsewhere.

pub mod api;
pub mod burst;
pub mod cluster;
pub mod swarm;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Workload {
    /// All pods start; an hour passes.
    Steady,
    /// All pods start; every Deployment gets another image.
    Rollout,
    /// All pods start; one machine fails for good.
    NodeLoss,
    /// All pods start; a third of the machines, one zone, fails for an hour.
    ZoneLoss,
    /// All pods start; ten times a tenth of the machines fails until its pods have moved, and returns.
    Waves,
    /// All pods have quotas and serve; the users of every service change their mind every 10 s for
    /// ten minutes.
    Machines,
    /// A swarm: all tasks start; one zone fails for ten minutes.
    Swarm,
    /// The compatibility profile of [`burst`].
    Burst,
}

impl Workload {
    /// All workloads with their names.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Steady, "steady"),
        (Self::Rollout, "rollout"),
        (Self::NodeLoss, "node-loss"),
        (Self::ZoneLoss, "zone-loss"),
        (Self::Waves, "waves"),
        (Self::Machines, "machines"),
        (Self::Swarm, "swarm"),
        (Self::Burst, "burst"),
    ];

    /// The workload of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(_, known)| *known == name)
            .map(|(workload, _)| workload)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(workload, _)| *workload == self)
            .map_or("", |(_, name)| name)
    }
}

/// How many machines and pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Machines that run pods, at least 1.
    pub nodes: u32,
    /// Pods, or tasks of a swarm.
    pub pods: u32,
}

/// The sizes that figures are published for. The largest is the limit that Kubernetes is tested to
/// (kubernetes/community `sig-scalability/configs-and-limits/thresholds.md`).
pub const SIZES: [Size; 3] = [
    Size {
        nodes: 100,
        pods: 1_000,
    },
    Size {
        nodes: 1_000,
        pods: 10_000,
    },
    Size {
        nodes: 5_000,
        pods: 150_000,
    },
];

/// The size that a swarm is measured at unless another is asked for.
pub const SWARM_SIZE: Size = Size {
    nodes: 1_000,
    pods: 100_000,
};

/// What a run answers. The same on every machine.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What ran.
    pub workload: Workload,
    /// At which size.
    pub size: Size,
    /// Events handled.
    pub events: u64,
    /// Simulated time in whole seconds.
    pub simulated_s: u64,
    /// Fingerprint of the run in hexadecimal.
    pub hash: String,
    /// Pods not as wanted when the run ended.
    pub unmet: u64,
    /// For `burst`, the machine's number for each pod, in the pods' order.
    pub placements: Vec<u32>,
}

/// Runs a workload to its end.
pub fn run(workload: Workload, size: Size, seed: u64) -> Outcome {
    match workload {
        Workload::Burst => burst::run(size),
        Workload::Swarm => swarm::run(size, seed),
        Workload::Steady
        | Workload::Rollout
        | Workload::NodeLoss
        | Workload::ZoneLoss
        | Workload::Waves
        | Workload::Machines => cluster::run(workload, size, seed),
    }
}

#[cfg(test)]
mod tests;
