//! What a pod's claims are bound to, as its containers mount it: a directory of the machine, or a disk
//! over the network, by the volume's driver.

use std::sync::Arc;

use crate::api::kube::volume::VolumeSource;
use crate::kube::volumes::claim;
use crate::substrate::order::ContainerSpec;
use crate::substrate::profile::storage::{self, Reach};
use crate::substrate::root_fs::{From, Mount, RootSpec};

use super::desk::Desk;
use super::worker::Worker;

/// The specification with what is mounted for each of the pod's claims.
pub fn with_volumes(
    worker: &Worker,
    spec: Arc<ContainerSpec>,
    desk: &Desk<'_, '_>,
) -> Arc<ContainerSpec> {
    let mounts: Vec<Mount> = spec
        .root
        .mounts
        .iter()
        .map(|mount| {
            let from = match &mount.from {
                From::Volume(claim) => found(worker, claim, desk),
                From::Sandbox(name) => {
                    ephemeral(worker, name, desk).and_then(|claim| found(worker, &claim, desk))
                }
                _ => None,
            };
            Mount {
                from: from.unwrap_or_else(|| mount.from.clone()),
                ..mount.clone()
            }
        })
        .collect();
    if mounts == spec.root.mounts {
        return spec;
    }
    Arc::new(ContainerSpec {
        root: Arc::new(RootSpec {
            mounts,
            ..(*spec.root).clone()
        }),
        ..(*spec).clone()
    })
}

/// The claim that is made for a pod's ephemeral volume.
fn ephemeral(worker: &Worker, name: &str, desk: &Desk<'_, '_>) -> Option<Arc<str>> {
    let template = desk.store.template(worker.template);
    let volume = template.spec.volumes.iter().find(|it| *it.name == *name)?;
    let pod = worker.name.text(desk.ctx.symbols);
    (volume.source == VolumeSource::Ephemeral).then(|| format!("{pod}-{name}").into())
}

/// What the volume of a claim is.
fn found(worker: &Worker, name: &str, desk: &Desk<'_, '_>) -> Option<From> {
    let namespace = desk.ctx.symbols.text(worker.namespace);
    let claim = claim::find(namespace, name, desk.store)?;
    let volume = claim::volume(&claim.volume, desk.store)?;
    let document =
        desk.store
            .documents()
            .get(&claim::key("persistentvolumes", "", &volume.name))?;
    let path = |kind: &str| document.value.str_at(&["spec", kind, "path"]);
    if let Some(path) = path("local").or_else(|| path("hostPath")) {
        return Some(From::Machine(path.into()));
    }
    let bytes = u64::try_from(volume.bytes).unwrap_or(0);
    let driver = volume
        .csi
        .as_ref()
        .map_or(storage::FILE, |(driver, _)| storage::driver(driver));
    Some(match driver.reach {
        Reach::Machine => {
            From::Machine(format!("{}/{}_{namespace}_{name}", driver.directory, volume.name).into())
        }
        Reach::Zone | Reach::Everywhere => From::Remote(volume.name, bytes),
    })
}
