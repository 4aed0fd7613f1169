//! What a plane says about one workload, the same for all planes.

/// One line of the comparison between planes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkloadStatus {
    /// Name as its author wrote it, without a stack's or project's prefix.
    pub name: String,
    /// Kind in the plane's own words, e.g. `Deployment`, `service`.
    pub kind: &'static str,
    /// Replicas that are wanted.
    pub desired: u32,
    /// Replicas that are ready now.
    pub ready: u32,
    /// Distance to the desired state that the plane can still close by itself; 0 is converged.
    pub unmet: u32,
    /// What only a lost machine's return could finish.
    pub blocked: u32,
}
