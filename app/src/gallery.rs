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

/// The scenario that is a project's only file, as it stands here.
#[must_use]
pub fn entry(project: &Project) -> Option<&'static Entry> {
    let [file] = project.files.as_slice() else {
        return None;
    };
    let mut entries = ENTRIES.iter();
    entries.find(|entry| entry.name == file.name && entry.text == file.text)
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
        "affinity.md" => (t.ask_affinity(), t.try_affinity()),
        "apiserver-down.md" => (t.ask_apiserver_down(), t.try_apiserver_down()),
        "autoscaler.md" => (t.ask_autoscaler(), t.try_autoscaler()),
        "autoscaler-traffic.md" => (t.ask_autoscaler_traffic(), t.try_autoscaler_traffic()),
        "compose-config-change.md" => {
            (t.ask_compose_config_change(), t.try_compose_config_change())
        }
        "compose-crash-on-failure.md" => (
            t.ask_compose_crash_on_failure(),
            t.try_compose_crash_on_failure(),
        ),
        "compose-one-shot.md" => (t.ask_compose_one_shot(), t.try_compose_one_shot()),
        "compose-order.md" => (t.ask_compose_order(), t.try_compose_order()),
        "compose-refusals.md" => (t.ask_compose_refusals(), t.try_compose_refusals()),
        "compose-scale-port.md" => (t.ask_compose_scale_port(), t.try_compose_scale_port()),
        "compose-unhealthy-stays.md" => (
            t.ask_compose_unhealthy_stays(),
            t.try_compose_unhealthy_stays(),
        ),
        "controller-restart.md" => (t.ask_controller_restart(), t.try_controller_restart()),
        "crash-loop.md" => (t.ask_crash_loop(), t.try_crash_loop()),
        "cronjob-forbid.md" => (t.ask_cronjob_forbid(), t.try_cronjob_forbid()),
        "daemonset-new-node.md" => (t.ask_daemonset_new_node(), t.try_daemonset_new_node()),
        "docker-host-crash.md" => (t.ask_docker_host_crash(), t.try_docker_host_crash()),
        "drain-budget.md" => (t.ask_drain_budget(), t.try_drain_budget()),
        "etcd-quorum.md" => (t.ask_etcd_quorum(), t.try_etcd_quorum()),
        "image-typo.md" => (t.ask_image_typo(), t.try_image_typo()),
        "job-backoff.md" => (t.ask_job_backoff(), t.try_job_backoff()),
        "job-indexed.md" => (t.ask_job_indexed(), t.try_job_indexed()),
        "static-pods.md" => (t.ask_static_pods(), t.try_static_pods()),
        "pod-resize.md" => (t.ask_pod_resize(), t.try_pod_resize()),
        "node-shutdown.md" => (t.ask_node_shutdown(), t.try_node_shutdown()),
        "watch-stale.md" => (t.ask_watch_stale(), t.try_watch_stale()),
        "slow-link.md" => (t.ask_slow_link(), t.try_slow_link()),
        "lossy-link.md" => (t.ask_lossy_link(), t.try_lossy_link()),
        "slow-disk.md" => (t.ask_slow_disk(), t.try_slow_disk()),
        "wrong-clock.md" => (t.ask_wrong_clock(), t.try_wrong_clock()),
        "wait-for-service.md" => (t.ask_wait_for_service(), t.try_wait_for_service()),
        "init-and-sidecar.md" => (t.ask_init_and_sidecar(), t.try_init_and_sidecar()),
        "namespace-end.md" => (t.ask_namespace_end(), t.try_namespace_end()),
        "kubelet-restart.md" => (t.ask_kubelet_restart(), t.try_kubelet_restart()),
        "memory-pressure.md" => (t.ask_memory_pressure(), t.try_memory_pressure()),
        "node-drain.md" => (t.ask_node_drain(), t.try_node_drain()),
        "node-loss-compose.md" => (t.ask_node_loss_compose(), t.try_node_loss_compose()),
        "node-loss-kubernetes.md" => (t.ask_node_loss_kubernetes(), t.try_node_loss_kubernetes()),
        "node-loss-swarm.md" => (t.ask_node_loss_swarm(), t.try_node_loss_swarm()),
        "node-reboot.md" => (t.ask_node_reboot(), t.try_node_reboot()),
        "noisy-neighbour.md" => (t.ask_noisy_neighbour(), t.try_noisy_neighbour()),
        "partition.md" => (t.ask_partition(), t.try_partition()),
        "pod-kill.md" => (t.ask_pod_kill(), t.try_pod_kill()),
        "port-taken.md" => (t.ask_port_taken(), t.try_port_taken()),
        "preemption.md" => (t.ask_preemption(), t.try_preemption()),
        "probe-kill.md" => (t.ask_probe_kill(), t.try_probe_kill()),
        "rollout.md" => (t.ask_rollout(), t.try_rollout()),
        "rollout-stuck-undo.md" => (t.ask_rollout_stuck_undo(), t.try_rollout_stuck_undo()),
        "runtime-kill.md" => (t.ask_runtime_kill(), t.try_runtime_kill()),
        "scheduler-down.md" => (t.ask_scheduler_down(), t.try_scheduler_down()),
        "stateful-lost-node.md" => (t.ask_stateful_lost_node(), t.try_stateful_lost_node()),
        "stateful-partition.md" => (t.ask_stateful_partition(), t.try_stateful_partition()),
        "stuck-volume.md" => (t.ask_stuck_volume(), t.try_stuck_volume()),
        "swarm-autolock.md" => (t.ask_swarm_autolock(), t.try_swarm_autolock()),
        "swarm-constraint.md" => (t.ask_swarm_constraint(), t.try_swarm_constraint()),
        "swarm-drain.md" => (t.ask_swarm_drain(), t.try_swarm_drain()),
        "swarm-force-new-cluster.md" => (
            t.ask_swarm_force_new_cluster(),
            t.try_swarm_force_new_cluster(),
        ),
        "swarm-global-new-node.md" => {
            (t.ask_swarm_global_new_node(), t.try_swarm_global_new_node())
        }
        "swarm-job.md" => (t.ask_swarm_job(), t.try_swarm_job()),
        "swarm-quorum-loss.md" => (t.ask_swarm_quorum_loss(), t.try_swarm_quorum_loss()),
        "swarm-resources.md" => (t.ask_swarm_resources(), t.try_swarm_resources()),
        "swarm-restart-window.md" => (t.ask_swarm_restart_window(), t.try_swarm_restart_window()),
        "swarm-rollback.md" => (t.ask_swarm_rollback(), t.try_swarm_rollback()),
        "zone-outage.md" => (t.ask_zone_outage(), t.try_zone_outage()),
        "zone-spread.md" => (t.ask_zone_spread(), t.try_zone_spread()),
        "disk-pressure.md" => (t.ask_disk_pressure(), t.try_disk_pressure()),
        "force-detach.md" => (t.ask_force_detach(), t.try_force_detach()),
        "hooks-and-images.md" => (t.ask_hooks_and_images(), t.try_hooks_and_images()),
        "missing-config.md" => (t.ask_missing_config(), t.try_missing_config()),
        "operator.md" => (t.ask_operator(), t.try_operator()),
        "soft-eviction.md" => (t.ask_soft_eviction(), t.try_soft_eviction()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_asks_something() {
        assert!(ENTRIES.len() >= 24);
        for entry in ENTRIES {
            assert!(
                words(entry.name, Text::default()).is_some(),
                "{}",
                entry.name
            );
        }
    }
}
