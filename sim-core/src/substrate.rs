//! The machines: knows nothing of pods, tasks or services.
