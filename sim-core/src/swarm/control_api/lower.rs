//! A service as the machines run its containers.

use std::sync::Arc;

use crate::api::health::HealthTest;
use crate::api::swarm::service::{Mount, MountKind, ServiceSpec};
use crate::base::arrange::Arrange;
use crate::base::resources::ResourceVector;
use crate::base::time::SimDuration;
use crate::substrate::Context;
use crate::substrate::cgroup::settings::{GroupSettings, OomScore};
use crate::substrate::order::{ContainerSpec, ProbeAction, ProbePacing, ProbeSpec};
use crate::substrate::root_fs::{self, From, RootSpec};

use super::short_name;

/// The container as the machines run it.
pub(super) fn lower(spec: &ServiceSpec, ctx: &mut Context<'_>) -> ContainerSpec {
    let container = &spec.task.container;
    let mut ports: Vec<u16> = spec.ports.iter().map(|port| port.target).collect();
    ports.arrange();
    ports.dedup();
    let mut vector = |amounts: &crate::api::resources::ResourceAmounts| {
        let mut vector = ResourceVector::new();
        vector.milli_cpu = amounts.cpu_milli.unwrap_or(0) as i64;
        vector.memory = amounts.memory_bytes.unwrap_or(0) as i64;
        for (name, amount) in &amounts.extended {
            vector.set_extended(ctx.symbols.intern(name), *amount as i64);
        }
        vector
    };
    // Swarm's reservations do not reach the kernel: only limits do.
    let limits = vector(&spec.task.resources.limits);
    ContainerSpec {
        name: ctx.symbols.intern(short_name(spec)),
        image: ctx.symbols.intern(&container.image),
        command: container.command.clone().into(),
        arguments: container.args.clone().into(),
        environment: container
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        ports: ports.into(),
        any_but: None,
        group: GroupSettings {
            // Source: moby `daemon/cluster/executor/container/container.go` resources: 0 is no limit.
            pids_limit: (container.options.pids_limit != 0).then_some(container.options.pids_limit),
            ..GroupSettings::docker(limits.milli_cpu, limits.memory)
        },
        oom: OomScore::Fixed(i32::try_from(container.options.oom_score_adjustment).unwrap_or(0)),
        requests: ResourceVector::new(),
        limits,
        mounts: container
            .mounts
            .iter()
            .map(|mount| mount.target.clone())
            .collect(),
        root: Arc::new(root(spec)),
        joins: None,
        probes: probes(spec).into(),
    }
}

/// What is mounted into a service's containers.
fn root(spec: &ServiceSpec) -> RootSpec {
    let container = &spec.task.container;
    let from = |mount: &Mount| match mount.kind {
        MountKind::Bind => From::Machine(mount.source.clone()),
        MountKind::Tmpfs => From::Memory(0),
        MountKind::Volume if mount.source.is_empty() => From::Sandbox(mount.target.clone()),
        MountKind::Volume => From::Volume(mount.source.clone()),
    };
    RootSpec {
        mounts: container
            .mounts
            .iter()
            .map(|mount| root_fs::Mount {
                target: mount.target.trim_end_matches('/').into(),
                from: from(mount),
                sub: "".into(),
                read_only: mount.read_only,
            })
            .collect(),
        read_only: container.options.read_only,
        init: container.options.init == Some(true),
        stdin: false,
    }
}

/// The engine's defaults of a health check. Source: moby `daemon/health.go`.
const HEALTH_PERIOD: SimDuration = SimDuration::from_secs(30);
const HEALTH_START_INTERVAL: SimDuration = SimDuration::from_secs(5);
const HEALTH_RETRIES: u32 = 3;

fn probes(spec: &ServiceSpec) -> Vec<ProbeSpec> {
    let Some(check) = &spec.task.container.health_check else {
        return Vec::new();
    };
    let command: Arc<[Arc<str>]> = match &check.test {
        None | Some(HealthTest::Disabled) => return Vec::new(),
        Some(HealthTest::Command(words)) => words.clone().into(),
        Some(HealthTest::Shell(line)) => Arc::new(["/bin/sh".into(), "-c".into(), line.clone()]),
    };
    // Zero means the engine's default.
    let or = |span: SimDuration, default: SimDuration| if span.is_zero() { default } else { span };
    vec![ProbeSpec {
        which: 0,
        action: ProbeAction::Exec { command },
        initial_delay: SimDuration::ZERO,
        period: or(check.interval, HEALTH_PERIOD),
        timeout: or(check.timeout, HEALTH_PERIOD),
        success_threshold: 1,
        failure_threshold: match check.retries {
            0 => HEALTH_RETRIES,
            retries => retries,
        },
        start_period: check.start_period,
        start_interval: or(check.start_interval, HEALTH_START_INTERVAL),
        pacing: ProbePacing::Gaps,
        initial: None,
        after: None,
        once: false,
        each: false,
    }]
}
