//! The SwarmKit control plane and its agents.
