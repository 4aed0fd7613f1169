//! A single-host Compose project.
