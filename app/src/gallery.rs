//! Experiments to begin with: the scenarios that the tests run, each with a question and what to try.

use sim_core::protocol::{File, Project};

use crate::text::Text;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The file's name.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Its first paragraph.
    pub prose: &'static str,
    /// The whole file.
    pub text: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/gallery.rs"));

/// The text of a scenario.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    ENTRIES
        .iter()
        .find(|entry| entry.name == name)
        .map(|entry| entry.text)
}

/// A project of one scenario.
#[must_use]
pub fn project(entry: &Entry) -> Project {
    Project {
        files: vec![File {
            name: entry.name.to_owned(),
            text: entry.text.to_owned(),
        }],
        nodes: 3,
        seed: 42,
        faults: Vec::new(),
        length_us: 60_000_000,
    }
}

/// The question that a scenario answers, and what to try in it; none: it has no words of its own yet.
#[must_use]
pub fn words(name: &str, t: Text) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "compose-order.md" => (t.ask_compose_order(), t.try_compose_order()),
        "image-typo.md" => (t.ask_image_typo(), t.try_image_typo()),
        "node-loss-compose.md" => (t.ask_node_loss_compose(), t.try_node_loss_compose()),
        "node-loss-kubernetes.md" => (t.ask_node_loss_kubernetes(), t.try_node_loss_kubernetes()),
        "node-loss-swarm.md" => (t.ask_node_loss_swarm(), t.try_node_loss_swarm()),
        "node-reboot.md" => (t.ask_node_reboot(), t.try_node_reboot()),
        "partition.md" => (t.ask_partition(), t.try_partition()),
        "pod-kill.md" => (t.ask_pod_kill(), t.try_pod_kill()),
        "port-taken.md" => (t.ask_port_taken(), t.try_port_taken()),
        "rollout.md" => (t.ask_rollout(), t.try_rollout()),
        _ => return None,
    })
}
