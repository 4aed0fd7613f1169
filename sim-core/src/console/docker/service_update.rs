//! `docker service update`: read, change in memory, write with the version that was read.
//! Source: docker/cli `cli/command/service/update.go`.
//!
//! Fields without a flag keep their value. Whether removal or addition wins when both name the same
//! thing differs from flag to flag, as upstream.

use std::sync::Arc;

use super::flags::{Grammar, Parsed, parse};
use super::generic_resource::generic;
use super::service::{append, rollback_named, stored};
use super::service_spec::{
    by_id, common, job_has_no_update, network, number, pair, ports, preference, quiet, references,
    shell_words, variable_of,
};
use super::{ask, container_flags, mount, progress};
use crate::api::swarm::service::{
    MountKind, PortProtocol, PublishedPort, ServiceMode, ServiceSpec,
};
use crate::base::arrange::Arrange;
use crate::console::{Output, Session};
use crate::substrate::image::tagged;
use crate::swarm::control_api::Request;

const UPDATE: Grammar = Grammar {
    path: "docker service update",
    usage: "[OPTIONS] SERVICE",
    flags: concat!(
        "image= args= replicas= max-concurrent= force rollback detach,d quiet,q label-add=* label-rm=* env-add=* env-rm=* publish-add=* publish-rm=* ",
        "constraint-add=* constraint-rm=* placement-pref-add=* placement-pref-rm=* replicas-max-per-node= network-add=* network-rm=* ",
        "mount-add=* mount-rm=* secret-add=* secret-rm=* config-add=* config-rm=* entrypoint= endpoint-mode= stop-grace-period= ",
        "limit-cpu= limit-memory= reserve-cpu= reserve-memory= generic-resource-add=* generic-resource-rm=* ",
        "restart-condition= restart-delay= restart-max-attempts= restart-window= ",
        "update-parallelism= update-delay= update-failure-action= update-monitor= update-max-failure-ratio= update-order= ",
        "rollback-parallelism= rollback-delay= rollback-failure-action= rollback-monitor= rollback-max-failure-ratio= rollback-order= ",
        "health-cmd= health-interval= health-timeout= health-retries= health-start-period= health-start-interval= no-healthcheck no-resolve-image with-registry-auth ",
        "cap-add=* cap-drop=* container-label-add=* container-label-rm=* credential-spec=! dns-add=* dns-rm=* dns-option-add=* dns-option-rm=* ",
        "dns-search-add=* dns-search-rm=* group-add=* group-rm=* host-add=* host-rm=* hostname= init isolation=! limit-pids= log-driver= log-opt=* ",
        "memory-swap=! memory-swappiness=! oom-score-adj= read-only stop-signal= sysctl-add=* sysctl-rm=* tty,t ulimit-add=* ulimit-rm=* user,u= workdir,w="
    ),
    least: 1,
    most: Some(1),
    interspersed: true,
};

/// Runs `docker service update`.
pub fn update(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&UPDATE, words)?;
    let name = &parsed.words[0];
    if parsed.has("rollback") {
        if parsed.names().any(|flag| {
            !matches!(
                flag,
                "rollback" | "detach" | "quiet" | "no-resolve-image" | "with-registry-auth"
            )
        }) {
            return Err(Output::error(
                1,
                "other flags may not be combined with --rollback",
            ));
        }
        return rollback_named(session, name, parsed.has("detach"));
    }
    let (spec, version) = stored(session, name)?;
    let mut spec = (*spec).clone();
    change(session, &parsed, &mut spec)?;
    spec.task.container.image = tagged(&spec.task.container.image).into();
    // Only a new image is looked up (`cli/command/service/update.go`).
    let warning = if parsed.value("image").is_some() && !parsed.has("no-resolve-image") {
        super::distribution::resolve(session, &mut spec)
    } else {
        String::new()
    };
    ask(
        session,
        Request::UpdateService {
            service: name.as_str().into(),
            version,
            spec: Arc::new(spec),
        },
    )?;
    let mut output = Output::text(format!("{name}\n"));
    output.stderr = warning.into();
    if !parsed.has("detach") {
        let shown = progress::wait(session, name);
        append(&mut output, quiet(&parsed, shown));
    }
    Ok(output)
}

fn change(session: &Session, parsed: &Parsed, spec: &mut ServiceSpec) -> Result<(), Output> {
    replicas(parsed, spec)?;
    if let Some(image) = parsed.value("image") {
        spec.task.container.image = image.into();
    }
    if let Some(arguments) = parsed.value("args") {
        spec.task.container.args = shell_words(arguments);
    }
    common(parsed, spec)?;
    for key in parsed.values("label-rm") {
        spec.labels.remove(key);
    }
    for label in parsed.values("label-add") {
        let (key, value) = pair(label);
        spec.labels.insert(key, value);
    }
    for key in parsed.values("env-rm") {
        spec.task.container.env.remove(key);
    }
    for text in parsed.values("env-add") {
        if let (key, Some(value)) = variable_of(session, text) {
            spec.task.container.env.insert(key, value);
        }
    }
    change_placement(parsed, spec)?;
    change_names(session, parsed, spec)?;
    container_flags::update(parsed, &mut spec.task.container.options)?;
    job_has_no_update(parsed, spec)?;
    change_mounts(parsed, spec)?;
    for kind in parsed.values("generic-resource-rm") {
        if spec.task.resources.requests.extended.remove(kind).is_none() {
            return Err(Output::error(
                1,
                format!("could not find generic-resource `{kind}` to remove it"),
            ));
        }
    }
    for (kind, amount) in generic(&parsed.values("generic-resource-add"))? {
        spec.task.resources.requests.extended.insert(kind, amount);
    }
    change_ports(parsed, spec)?;
    if parsed.has("with-registry-auth") {
        spec.task.container.options.registry_auth = true;
    }
    spec.task.force_update += u64::from(parsed.has("force"));
    Ok(())
}

fn replicas(parsed: &Parsed, spec: &mut ServiceSpec) -> Result<(), Output> {
    let wanted = parsed.read("replicas", number::<u32>)?;
    let concurrent = parsed.read("max-concurrent", number::<u32>)?;
    match (&mut spec.mode, wanted) {
        (_, None) => {}
        (ServiceMode::Replicated { replicas }, Some(wanted)) => *replicas = wanted,
        (
            ServiceMode::ReplicatedJob {
                total_completions, ..
            },
            Some(wanted),
        ) => *total_completions = wanted,
        (ServiceMode::Global | ServiceMode::GlobalJob, Some(_)) => {
            return Err(Output::error(
                1,
                "replicas can only be used with replicated mode",
            ));
        }
    }
    match (&mut spec.mode, concurrent) {
        (_, None) => {}
        (ServiceMode::ReplicatedJob { max_concurrent, .. }, Some(wanted)) => {
            *max_concurrent = wanted
        }
        (_, Some(_)) => {
            return Err(Output::error(
                1,
                "max-concurrent can only be used with replicated-job mode",
            ));
        }
    }
    Ok(())
}

fn change_placement(parsed: &Parsed, spec: &mut ServiceSpec) -> Result<(), Output> {
    let placement = &mut spec.task.placement;
    // Constraints: a sorted set; removal comes last and wins.
    if parsed.value("constraint-add").is_some() || parsed.value("constraint-rm").is_some() {
        placement
            .constraints
            .extend(parsed.values("constraint-add").into_iter().map(Arc::from));
        let removed = parsed.values("constraint-rm");
        placement
            .constraints
            .retain(|constraint| !removed.contains(&&**constraint));
        placement.constraints.arrange();
        placement.constraints.dedup();
    }
    for text in parsed.values("placement-pref-rm") {
        let label = preference(text)?;
        placement.preferences.retain(|known| *known != label);
    }
    for text in parsed.values("placement-pref-add") {
        placement.preferences.push(preference(text)?);
    }
    Ok(())
}

fn change_names(session: &Session, parsed: &Parsed, spec: &mut ServiceSpec) -> Result<(), Output> {
    let networks = &mut spec.task.networks;
    let plane = super::manager(session)?;
    for text in parsed.values("network-rm") {
        let (_, name) = network(plane, text)?;
        networks.retain(|known| *known != name);
    }
    for text in parsed.values("network-add") {
        let (_, name) = network(plane, text)?;
        if networks.contains(&name) {
            return Err(Output::error(
                1,
                format!("service is already attached to network {text}"),
            ));
        }
        networks.push(name);
    }
    if parsed.value("network-add").is_some() || parsed.value("network-rm").is_some() {
        *networks = by_id(session, networks)?;
    }
    let container = &mut spec.task.container;
    for (flag, names, files) in [
        (
            "secret-rm",
            &mut container.secrets,
            &mut container.options.secret_files,
        ),
        (
            "config-rm",
            &mut container.configs,
            &mut container.options.config_files,
        ),
    ] {
        let removed = parsed.values(flag);
        names.retain(|known| !removed.contains(&&**known));
        files.retain(|known, _| !removed.contains(&&**known));
    }
    references(parsed, "secret-add", "secret", spec)?;
    references(parsed, "config-add", "config", spec)
}

fn change_mounts(parsed: &Parsed, spec: &mut ServiceSpec) -> Result<(), Output> {
    if parsed.value("mount-add").is_none() && parsed.value("mount-rm").is_none() {
        return Ok(());
    }
    let mounts = &mut spec.task.container.mounts;
    let mut added: Vec<Arc<str>> = Vec::new();
    for text in parsed.values("mount-add") {
        let mount = mount::long("mount-add", text).map_err(|why| Output::error(125, why))?;
        if added.contains(&mount.target) {
            return Err(Output::error(1, "duplicate mount target"));
        }
        added.push(mount.target.clone());
        mounts.retain(|known| known.target != mount.target);
        mounts.push(mount);
    }
    let removed = parsed.values("mount-rm");
    mounts.retain(|known| !removed.contains(&&*known.target));
    let rank = |kind: MountKind| match kind {
        MountKind::Bind => 0,
        MountKind::Volume => 1,
        MountKind::Tmpfs => 2,
    };
    mounts.arrange_by(|a, b| {
        (&a.source, &a.target, rank(a.kind)).cmp(&(&b.source, &b.target, rank(b.kind)))
    });
    Ok(())
}

/// `--publish-rm` names the port in the container. A port that exactly equals one of the old list is
/// not added, even if the same command removes the old one: then it is gone, as upstream.
fn change_ports(parsed: &Parsed, spec: &mut ServiceSpec) -> Result<(), Output> {
    let old: Vec<PublishedPort> = spec.ports.clone();
    let mut removed: Vec<(u16, PortProtocol)> = Vec::new();
    for text in parsed.values("publish-rm") {
        for port in ports(text)? {
            removed.push((port.target, port.protocol));
        }
    }
    spec.ports
        .retain(|port| !removed.contains(&(port.target, port.protocol)));
    for text in parsed.values("publish-add") {
        for port in ports(text)? {
            if !old.contains(&port) {
                spec.ports.push(port);
            }
        }
    }
    if !removed.is_empty() || parsed.value("publish-add").is_some() {
        spec.ports
            .arrange_by_key(|port| (port.published, port.target, port.protocol));
    }
    Ok(())
}
