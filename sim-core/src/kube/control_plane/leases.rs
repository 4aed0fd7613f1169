//! Leases of the leaders and of the API servers as objects. Renewing them changes nothing, so that
//! nobody writes them: they are made for whoever reads them.
//! Sources: `staging/src/k8s.io/client-go/tools/leaderelection/resourcelock/leaselock.go`,
//! `pkg/controlplane/apiserver/server.go`, `staging/src/k8s.io/apiserver/pkg/server/config.go`.

use crate::base::rng::Seed;
use crate::base::sha256::{base32, sha256};
use crate::base::time::{SimDuration, SimTime};
use crate::kube::render::{View, object, time, uid, uid_text};
use crate::manifest::value::Value;
use crate::substrate::order::MachineId;

use super::{ControlPlane, Part, State, lease};

/// The namespace of all of them.
pub const NAMESPACE: &str = "kube-system";
/// `IdentityLeaseDurationSeconds`.
const IDENTITY: SimDuration = SimDuration::from_secs(3_600);
/// `IdentityLeaseRenewIntervalPeriod`.
const IDENTITY_RENEW: SimDuration = SimDuration::from_secs(10);

/// How a process that took the lease at an instant names itself.
pub fn holder(seed: Seed, host: &str, part: Part, since: SimTime) -> String {
    let id = uid(
        seed,
        "leases",
        NAMESPACE,
        part.name(),
        since.whole_seconds(),
    );
    format!("{host}_{}", uid_text(id))
}

/// The name of the lease of a machine's API server.
pub fn server_name(host: &str) -> String {
    let mut data = Vec::new();
    for part in [host, "kube-apiserver"] {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        data.extend(length.to_be_bytes());
        data.extend(part.bytes());
    }
    format!("apiserver-{}", base32(&sha256(&data)[..16]).to_lowercase())
}

/// The last of the renewals that began at an instant.
fn renewal(since: SimTime, until: SimTime, period: SimDuration) -> SimTime {
    let periods = until.max(since).since(since).as_micros() / period.as_micros();
    since + period * periods
}

/// All of them; none where the control machines are not part of the experiment.
pub fn all(plane: &ControlPlane, view: &View<'_>) -> Vec<Value> {
    let controls = view.machines.control_machines();
    let Some(first) = controls.first().copied() else {
        return Vec::new();
    };
    let mut list: Vec<Value> = Part::ALL
        .into_iter()
        .filter_map(|part| leader(plane, part, first, view))
        .collect();
    list.extend(controls.iter().filter_map(|it| server(plane, *it, view)));
    list
}

/// `resourceVersion` of a lease that its holder renews: of all that was written, the renewal is the
/// newest that a reader can know of.
pub fn version(view: &View<'_>) -> Value {
    view.store.revision().to_string().into()
}

fn made(view: &View<'_>, name: &str, mut metadata: Value, spec: Value) -> Value {
    metadata.set("name", name.into());
    metadata.set("namespace", NAMESPACE.into());
    let id = uid(view.seed, "leases", NAMESPACE, name, u64::MAX);
    metadata.set("resourceVersion", version(view));
    metadata.set("uid", uid_text(id).into());
    object([
        ("apiVersion", "coordination.k8s.io/v1".into()),
        ("kind", "Lease".into()),
        ("metadata", metadata),
        ("spec", spec),
    ])
}

fn seconds(span: SimDuration) -> Value {
    Value::Int(span.as_secs().cast_signed())
}

fn leader(plane: &ControlPlane, part: Part, first: MachineId, view: &View<'_>) -> Option<Value> {
    let process = plane.process(part);
    let place = process.place.unwrap_or(first);
    let host = view.symbols.text(view.machines.machine(place)?.name);
    // What has begun to fail is known when it ends, and began a deadline before.
    let failing = process.expires.filter(|_| process.expiring);
    let failing = failing.map(|at| {
        at.since(SimTime::ZERO)
            .saturating_sub(lease::RENEW_DEADLINE)
    });
    let failing = failing.map(|span| (SimTime::ZERO + span).min(view.now));
    let quiet = process.quiet.filter(|_| process.state != State::Leads);
    let until = quiet.or(failing).unwrap_or(view.now);
    let renewed = renewal(process.since, until, lease::RETRY);
    let wall = |at: SimTime| Value::from(view.machines.wall(place, at).rfc3339_micros());
    let spec = object([
        ("acquireTime", wall(process.since)),
        (
            "holderIdentity",
            holder(view.seed, host, part, process.since).into(),
        ),
        ("leaseDurationSeconds", seconds(lease::DURATION)),
        ("leaseTransitions", process.transitions.into()),
        ("renewTime", wall(renewed)),
    ]);
    let metadata = object([("creationTimestamp", time(SimTime::ZERO))]);
    Some(made(view, part.name(), metadata, spec))
}

fn server(plane: &ControlPlane, machine: MachineId, view: &View<'_>) -> Option<Value> {
    let host = view.symbols.text(view.machines.machine(machine)?.name);
    // A server that is gone leaves its lease, which is collected an hour later.
    let fallen = plane.fallen.get(&machine).copied();
    let until = fallen.unwrap_or(view.now);
    if view.now.since(until) > IDENTITY.saturating_mul(2) {
        return None;
    }
    let name = server_name(host);
    let id = uid(view.seed, "identities", NAMESPACE, &name, 0);
    let renewed = renewal(SimTime::ZERO, until, IDENTITY_RENEW);
    let metadata = object([
        ("creationTimestamp", time(SimTime::ZERO)),
        (
            "labels",
            object([
                ("apiserver.kubernetes.io/identity", "kube-apiserver".into()),
                ("kubernetes.io/hostname", host.into()),
            ]),
        ),
    ]);
    let spec = object([
        ("holderIdentity", format!("{name}_{}", uid_text(id)).into()),
        ("leaseDurationSeconds", seconds(IDENTITY)),
        (
            "renewTime",
            view.machines.wall(machine, renewed).rfc3339_micros().into(),
        ),
    ]);
    Some(made(view, &name, metadata, spec))
}
