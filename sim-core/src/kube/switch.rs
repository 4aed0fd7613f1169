//! Switching loops of the control plane off and on again.
//!
//! A loop that is off takes no event; its events wait, in the order in which they were due, and are
//! given back at the instant at which it is switched on. Caches and work queues go on being filled,
//! as they do in a controller whose workers are stuck.

use crate::base::sorted::SortedSet;

use super::event::{Event, Key};
use super::rows::watched::WatchedKind;
use super::rows::workload::OwnerKind;
use super::store::Store;

/// Loops by the names that `kube-controller-manager --controllers` knows them by, the scheduler, and
/// the operators that a person brings.
/// Source: `cmd/kube-controller-manager/names/controller_names.go`.
pub const LOOPS: [&str; 23] = [
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "kube-scheduler",
    "namespace-controller",
    "node-ipam-controller",
    "node-lifecycle-controller",
    "operators",
    "persistentvolume-attach-detach-controller",
    "persistentvolume-binder-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "taint-eviction-controller",
];

/// Which loops are off, and the events that wait for them.
#[derive(Clone, Debug, Default)]
pub struct Switches {
    off: SortedSet<&'static str>,
    held: Vec<Event>,
}

impl Switches {
    /// Names of the loops that are off.
    pub fn off(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.off.iter().copied()
    }

    /// Keeps an event whose loop is off. Returns it if its loop is on.
    pub fn pass(&mut self, event: Event, store: &Store) -> Option<Event> {
        if self.off.is_empty() || !loop_of(event, store).is_some_and(|name| self.off.contains(name))
        {
            return Some(event);
        }
        self.held.push(event);
        None
    }

    /// Switches loops off or on; no name: all. Returns the events that no longer wait.
    ///
    /// # Errors
    /// A sentence naming a word that is no loop's name; nothing is switched then.
    pub fn switch(
        &mut self,
        on: bool,
        names: &[std::sync::Arc<str>],
        store: &Store,
    ) -> Result<Vec<Event>, String> {
        let mut chosen = Vec::new();
        for name in names {
            let found = LOOPS.into_iter().find(|known| {
                **known == **name
                    || known
                        .strip_suffix("-controller")
                        .is_some_and(|short| *short == **name)
                    || aliases(known).contains(&&**name)
            });
            match found {
                Some(known) => chosen.push(known),
                None => {
                    return Err(format!(
                        "\"{name}\" is not in the list of known controllers: {}",
                        LOOPS.join(", ")
                    ));
                }
            }
        }
        if names.is_empty() {
            chosen.extend(LOOPS);
        }
        if !on {
            self.off.extend(chosen);
            return Ok(Vec::new());
        }
        for name in chosen {
            self.off.remove(name);
        }
        let (held, free): (Vec<Event>, Vec<Event>) = self
            .held
            .drain(..)
            .partition(|event| loop_of(*event, store).is_some_and(|name| self.off.contains(name)));
        self.held = held;
        Ok(free)
    }
}

/// Older names. Source: `cmd/kube-controller-manager/names/controller_names.go`.
fn aliases(name: &str) -> &'static [&'static str] {
    match name {
        "replicaset-controller" => &["replicationcontroller", "replicationcontroller-controller"],
        "horizontal-pod-autoscaler-controller" => &["horizontalpodautoscaling"],
        "garbage-collector-controller" => &["garbagecollector"],
        "node-lifecycle-controller" => &["nodelifecycle"],
        "persistentvolume-attach-detach-controller" => &["attachdetach"],
        "pod-garbage-collector-controller" => &["podgc"],
        "kube-scheduler" => &["scheduler"],
        _ => &[],
    }
}

fn loop_of(event: Event, store: &Store) -> Option<&'static str> {
    let of_pods = |kind: OwnerKind| match kind {
        OwnerKind::ReplicaSet | OwnerKind::ReplicationController => "replicaset-controller",
        OwnerKind::StatefulSet => "statefulset-controller",
        OwnerKind::DaemonSet => "daemonset-controller",
        OwnerKind::Job => "job-controller",
    };
    let of_set = |set| store.replica_set(set).map(|row| of_pods(row.kind));
    let of_pod = |pod| {
        let owner = store.pod(pod).and_then(|row| row.owner)?;
        store.replica_set(owner).map(|row| of_pods(row.kind))
    };
    Some(match event {
        Event::Sync(Key::Deployment(_)) => "deployment-controller",
        Event::Sync(Key::ReplicaSet(set)) | Event::CreatePod(set) => return of_set(set),
        Event::DeletePod(pod) | Event::PodAvailable(pod) => return of_pod(pod),
        Event::Sync(Key::Watched(id)) => match store.watched(id).map(|row| row.kind)? {
            WatchedKind::CronJob => "cronjob-controller",
            WatchedKind::Autoscaler => "horizontal-pod-autoscaler-controller",
            WatchedKind::Budget => "disruption-controller",
            WatchedKind::Quota => "resourcequota-controller",
        },
        Event::Sync(Key::Owners | Key::OrphanedPods(_) | Key::OrphanedReplicaSets(_)) => {
            "garbage-collector-controller"
        }
        Event::Sync(Key::Operators) => "operators",
        Event::Sync(Key::Service(_)) => "endpointslice-controller",
        Event::Sync(Key::NodeRange(_)) => "node-ipam-controller",
        Event::Sync(Key::NodeTaints(_))
        | Event::NodeCheck(_)
        | Event::MonitorTick
        | Event::EvictionTick => "node-lifecycle-controller",
        Event::Sync(Key::NodeEvictions(_)) | Event::TolerationEnds(_) => {
            "taint-eviction-controller"
        }
        Event::Sync(Key::Endpoints) => "endpointslice-mirroring-controller",
        Event::Sync(Key::ClusterRoles) => "clusterrole-aggregation-controller",
        Event::Sync(Key::ServiceCidrs) => "service-cidr-controller",
        Event::Sync(Key::ServiceAccounts) => "serviceaccount-controller",
        Event::Sync(Key::Namespaces) => "namespace-controller",
        Event::DisruptionStale(_) => "disruption-controller",
        Event::PodGc => "pod-garbage-collector-controller",
        Event::VolumeSync => "persistentvolume-binder-controller",
        Event::AttachPass => "persistentvolume-attach-detach-controller",
        Event::Scheduler(_) => "kube-scheduler",
        // Agents of the machines, not loops of the control plane.
        Event::NodeStatus(_)
        | Event::ProxySync
        | Event::PolicySync
        | Event::Kubelet(_)
        | Event::ControlPlane(_) => {
            return None;
        }
    })
}
