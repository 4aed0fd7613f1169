//! Pods that use more local storage than they may: they go at the next pass, whatever the node has
//! left. Source: `pkg/kubelet/eviction/eviction_manager.go` (`localStorageEviction`).

use crate::api::kube::volume::VolumeSource;
use crate::kube::kubelet::Kubelets;
use crate::kube::kubelet::desk::Desk;
use crate::kube::kubelet::worker::Worker;
use crate::kube::rows::{NodeId, PodId, read};
use crate::kube::store::events::Annotated;
use crate::kube::template::PodTemplate;
use crate::kube::thresholds::Signal;
use crate::manifest::value::Value;

use super::{Cause, binary, may_go, rank};

impl Kubelets {
    /// Evicts every pod of a node that is over a limit of its own. Answers whether there was one.
    pub(super) fn evict_over_limit(&mut self, node: NodeId, desk: &mut Desk<'_, '_>) -> bool {
        let over: Vec<(PodId, String)> = desk
            .store
            .pods_on(node)
            .filter_map(|(pod, row)| {
                let worker = self.worker(pod).filter(|worker| may_go(worker, desk))?;
                let template = desk.store.template(row.template);
                Some((pod, excess(worker, template, desk)?))
            })
            .collect();
        let any = !over.is_empty();
        for (pod, message) in over {
            let said = Annotated {
                text: message.into(),
                annotations: Vec::new(),
            };
            self.evict(pod, said, Cause::Limit, desk);
        }
        any
    }
}

/// What is said of a pod that is over a limit.
fn excess(worker: &Worker, template: &PodTemplate, desk: &Desk<'_, '_>) -> Option<String> {
    volume_excess(worker, template, desk)
        .or_else(|| pod_excess(worker, template, desk))
        .or_else(|| container_excess(worker, template, desk))
}

fn volume_excess(worker: &Worker, template: &PodTemplate, desk: &Desk<'_, '_>) -> Option<String> {
    for volume in &template.spec.volumes {
        let VolumeSource::EmptyDir {
            memory: false,
            size_limit: Some(limit),
        } = volume.source
        else {
            continue;
        };
        let used = directory(worker, template, &volume.name, desk);
        if used > limit {
            return Some(format!(
                "Usage of EmptyDir volume \"{}\" exceeds the limit \"{}\". ",
                volume.name,
                binary(i64::try_from(limit).unwrap_or(i64::MAX))
            ));
        }
    }
    None
}

/// Bytes of one of a pod's own directories on disk: what its containers' scripts and commands in
/// them wrote there.
fn directory(worker: &Worker, template: &PodTemplate, volume: &str, desk: &Desk<'_, '_>) -> u64 {
    let (machines, now) = (desk.ctx.machines, desk.now());
    let scripted: u64 = worker
        .lowered
        .iter()
        .zip(&worker.containers)
        .filter_map(|(lowered, work)| {
            let name = desk.ctx.symbols.text(lowered.name);
            let path = mount_path(&template.document, name, volume)?;
            Some(machines.container_disk_below(work.container?, &path, now))
        })
        .sum();
    let sandbox = worker.sandbox;
    scripted + sandbox.map_or(0, |sandbox| machines.directory_bytes(sandbox, volume))
}

/// Bytes of all of a pod's own directories on disk.
pub fn directories(worker: &Worker, template: &PodTemplate, desk: &Desk<'_, '_>) -> u64 {
    let on_disk =
        |source: &VolumeSource| matches!(source, VolumeSource::EmptyDir { memory: false, .. });
    let volumes = template.spec.volumes.iter();
    volumes
        .filter(|volume| on_disk(&volume.source))
        .map(|volume| directory(worker, template, &volume.name, desk))
        .sum()
}

fn mount_path(document: &Value, container: &str, volume: &str) -> Option<String> {
    let containers = read::list(document, &["spec", "containers"]);
    let of_name = |list: &[Value], name: &str| {
        list.iter()
            .find(|it| it.str_at(&["name"]) == Some(name))
            .cloned()
    };
    let container = of_name(containers, container)?;
    let mount = of_name(read::list(&container, &["volumeMounts"]), volume)?;
    mount.str_at(&["mountPath"]).map(str::to_owned)
}

fn pod_excess(worker: &Worker, template: &PodTemplate, desk: &Desk<'_, '_>) -> Option<String> {
    let spec = &template.spec;
    let mut all = spec.containers.iter().chain(&spec.init_containers);
    if all.all(|container| limit_of(container).is_none()) {
        return None;
    }
    // The sum over containers and sidecars, or, where it is more, an init container and the sidecars
    // before it. Source: `staging/src/k8s.io/component-helpers/resource/helpers.go` (`PodLimits`).
    let (mut sidecars, mut peak) = (0_u64, 0_u64);
    for init in &spec.init_containers {
        let limit = limit_of(init).unwrap_or(0);
        peak = peak.max(sidecars.saturating_add(limit));
        if init.sidecar {
            sidecars = sidecars.saturating_add(limit);
        }
    }
    let limits = spec.containers.iter().filter_map(limit_of);
    let limit = limits.fold(sidecars, u64::saturating_add).max(peak);
    let containers: i64 = rank::usage(worker, Signal::Nodefs, desk)
        .iter()
        .map(|(_, bytes)| bytes)
        .sum();
    let directories = directories(worker, template, desk);
    let used = containers.saturating_add(i64::try_from(directories).unwrap_or(i64::MAX));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    (used > limit).then(|| {
        format!(
            "Pod ephemeral local storage usage exceeds the total limit of containers {}. ",
            binary(limit)
        )
    })
}

fn container_excess(
    worker: &Worker,
    template: &PodTemplate,
    desk: &Desk<'_, '_>,
) -> Option<String> {
    for (container, used) in rank::usage(worker, Signal::Nodefs, desk) {
        let name = desk.ctx.symbols.text(container);
        let found = template.spec.containers.iter().find(|it| *it.name == *name);
        let Some(limit) = found.and_then(limit_of) else {
            continue;
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if used > limit {
            return Some(format!(
                "Container {name} exceeded its local ephemeral storage limit \"{}\". ",
                binary(limit)
            ));
        }
    }
    None
}

fn limit_of(container: &crate::api::kube::container::Container) -> Option<u64> {
    container.resources.limits.ephemeral_storage_bytes
}
