//! Mounts of the command line: `--mount` of containers and services, and `-v`.
//! Source: docker/cli `opts/mount.go`, moby `volume/mounts/linux_parser.go`.

use crate::api::swarm::service::{Mount, MountKind};
use crate::base::sentence::passage::Passage;
use crate::console::{go_bool, not_modelled};

/// `type=bind,source=…,target=…,readonly`.
///
/// # Errors
/// The command line's text, with the flag's name.
pub(super) fn long(flag: &str, text: &str) -> Result<Mount, Passage> {
    let fault = |message: Passage| {
        let head = format!("invalid argument {text:?} for \"--{flag}\" flag: ");
        Passage::from(head).then(message)
    };
    let mut mount = Mount {
        kind: MountKind::Volume,
        source: "".into(),
        target: "".into(),
        read_only: false,
    };
    for field in text.split(',') {
        set(&mut mount, field).map_err(fault)?;
    }
    if mount.target.is_empty() {
        return Err(fault("target is required".into()));
    }
    Ok(mount)
}

fn set(mount: &mut Mount, field: &str) -> Result<(), Passage> {
    let Some((key, value)) = field.split_once('=').or(match field {
        "readonly" | "ro" => Some((field, "true")),
        _ => None,
    }) else {
        return Err(format!("invalid field '{field}' must be a key=value pair").into());
    };
    match key {
        "type" => {
            mount.kind = match value.to_lowercase().as_str() {
                "bind" => MountKind::Bind,
                "volume" => MountKind::Volume,
                "tmpfs" => MountKind::Tmpfs,
                other => return Err(not_modelled(format!("mount type {other:?}")).into()),
            }
        }
        "source" | "src" => mount.source = value.into(),
        "target" | "dst" | "destination" => mount.target = value.into(),
        "readonly" | "ro" => {
            mount.read_only =
                go_bool(value).ok_or_else(|| format!("invalid value for {key}: {value}"))?;
        }
        "volume-driver" | "volume-nocopy" | "bind-propagation" | "volume-opt" | "volume-label"
        | "tmpfs-size" | "tmpfs-mode" | "consistency" => {
            return Err(not_modelled(format!("\"{key}\"")).into());
        }
        _ => return Err(format!("unexpected key '{key}' in '{field}'").into()),
    }
    Ok(())
}

/// `-v SOURCE:TARGET[:ro]`, or a path in the container alone.
///
/// # Errors
/// The command line's or the daemon's text.
pub(super) fn short(text: &str) -> Result<Mount, String> {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or("");
    let Some(target) = parts.next() else {
        return Ok(Mount {
            kind: MountKind::Volume,
            source: "".into(),
            target: first.into(),
            read_only: false,
        });
    };
    if first.is_empty() || target.is_empty() {
        return Err(format!(
            "invalid spec: {text}: empty section between colons"
        ));
    }
    let read_only = parts
        .next()
        .is_some_and(|options| options.split(',').any(|option| option == "ro"));
    let (kind, name) = if first.starts_with(['/', '.', '~']) {
        (MountKind::Bind, "bind")
    } else {
        (MountKind::Volume, "volume")
    };
    if !target.starts_with('/') {
        return Err(format!(
            "Error response from daemon: invalid volume specification: '{text}': invalid mount config for type \"{name}\": invalid mount path: '{target}' mount path must be absolute"
        ));
    }
    Ok(Mount {
        kind,
        source: first.into(),
        target: target.into(),
        read_only,
    })
}
