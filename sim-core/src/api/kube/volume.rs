//! Volumes of a pod, as far as a loop reads them.

use std::sync::Arc;

/// One entry of `volumes`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Volume {
    /// Its name in the pod.
    pub name: Arc<str>,
    /// What it is made of.
    pub source: VolumeSource,
}

/// Source of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VolumeSource {
    /// `persistentVolumeClaim`.
    Claim {
        /// Name of the claim in the pod's namespace.
        name: Arc<str>,
        /// Mounted read-only.
        read_only: bool,
    },
    /// `ephemeral`: a claim named after pod and volume, made by a controller.
    Ephemeral,
    /// `emptyDir`.
    EmptyDir {
        /// `medium: Memory`.
        memory: bool,
        /// `sizeLimit` in bytes.
        size_limit: Option<u64>,
    },
    /// `configMap`; whether it may be missing.
    ConfigMap(Arc<str>, bool),
    /// `secret`; whether it may be missing.
    Secret(Arc<str>, bool),
    /// A disk that the pod names itself, of which a node can have one user only.
    Disk {
        /// What kind, and where it is: two pods with equal texts want the same one.
        identity: Arc<str>,
        /// Two users are allowed if both only read.
        shared_read_only: bool,
        /// Mounted read-only.
        read_only: bool,
    },
    /// `image`: the files of an image, by its reference.
    Image(Arc<str>),
    /// Anything else.
    Other,
}
