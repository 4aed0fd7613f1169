//! The Kubernetes control plane and its node agents.
