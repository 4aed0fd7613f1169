//! Mirrors: what the API server shows of static pods. Each is written by its agent, deleted by its
//! agent, and made again when somebody else deletes it.
//! Sources: `pkg/kubelet/pod/mirror_client.go`, `pkg/kubelet/kubelet.go` (`SyncPod`,
//! `tryReconcileMirrorPods`), `pkg/kubelet/kubelet_pods.go` (`deleteOrphanedMirrorPods`).

use std::sync::Arc;

use crate::base::name::Name;
use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::kube::apiserver::Request;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::turn::Turn;
use crate::kube::{Event, KubePlane};
use crate::substrate::order::MachineId;
use crate::substrate::{Context, PlaneOutbox};

use super::desk::Desk;
use super::statics::{MIRROR, is_mirror};
use super::{Event as Own, Kubelets};

/// Time until a mirror is asked for again that was refused: the pod is looked at again after it.
/// Source: `pkg/kubelet/apis/config/v1beta1/defaults.go` (`syncFrequency`).
const MIRROR_PERIOD: SimDuration = SimDuration::from_secs(60);

impl Kubelets {
    /// Whether an agent can write to the API server.
    pub(super) fn is_heard(&self, machine: MachineId) -> bool {
        self.trouble
            .get(&machine)
            .is_none_or(|trouble| !trouble.down && !trouble.unlinked)
    }
}

impl KubePlane {
    /// A file in a machine's directory of manifests has changed: its agent is told by the kernel.
    pub fn manifests_changed(&mut self, machine: MachineId, out: &mut PlaneOutbox<Event>) {
        let event = Event::Kubelet(Own::Manifests(machine));
        out.after(SimDuration::ZERO, event);
    }

    /// An agent reads its directory.
    pub(in crate::kube) fn read_manifests(
        &mut self,
        machine: MachineId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let mut turn = Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        self.kubelets.read_manifests(machine, &mut turn);
    }

    /// An agent compares its static pods with the mirrors on its node.
    pub(in crate::kube) fn reconcile_mirrors(
        &mut self,
        machine: MachineId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        if !self.kubelets.is_heard(machine) || self.control_plane.refusal().is_some() {
            return;
        }
        let Some(node) = self.store.node_of(machine) else {
            return;
        };
        self.remove_stale(machine, node, ctx, out);
        for pod in self.kubelets.statics.on(machine) {
            let Some(own) = self.kubelets.statics.get(pod) else {
                continue;
            };
            let (namespace, name) = (own.namespace.clone(), own.name.clone());
            let mut mirror = self.mirror_named(node, &namespace, &name, ctx);
            if mirror.is_none() && !own.going {
                let request = Request::As {
                    manager: "kubelet".into(),
                    request: Arc::new(Request::Create {
                        object: (*own.object).clone(),
                        namespace: namespace.clone(),
                    }),
                };
                let mut turn = Turn {
                    store: &mut self.store,
                    settings: &self.settings,
                    ctx,
                    out,
                };
                match self.apiserver.request(&request, &mut turn) {
                    Ok(_) => mirror = self.mirror_named(node, &namespace, &name, ctx),
                    Err(refusal) => {
                        // The pod runs on; each further look at it asks again.
                        let name = Name::plain(turn.ctx.symbols.intern(&name));
                        let why = turn.ctx.symbols.intern(&refusal.message);
                        turn.note(
                            "kube.kubelet",
                            "mirror-refused",
                            "pod",
                            name,
                            Detail::Text(why),
                        );
                        turn.after(MIRROR_PERIOD, Event::Kubelet(Own::Mirrors(machine)));
                    }
                }
            }
            let Some(own) = self.kubelets.statics.get_mut(pod) else {
                continue;
            };
            if own.mirror != mirror {
                own.mirror = mirror;
                let mut desk = Desk {
                    store: &mut self.store,
                    ctx,
                    out,
                };
                desk.request_status(Arc::make_mut(&mut own.worker));
            }
        }
    }

    /// Deletes mirrors that mirror nothing, something else, or that somebody has deleted.
    fn remove_stale(
        &mut self,
        machine: MachineId,
        node: NodeId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let statics = &self.kubelets.statics;
        let stale: Vec<(PodId, Name)> = self
            .store
            .pods_on(node)
            .filter(|(_, row)| is_mirror(self.store.template(row.template)))
            .filter(|(_, row)| {
                let template = self.store.template(row.template);
                let hash = template
                    .annotations
                    .iter()
                    .find(|(key, _)| &**key == MIRROR);
                let hash = hash.map(|(_, hash)| hash);
                let name = row.name.text(ctx.symbols);
                let namespace = ctx.symbols.text(template.namespace);
                let stands = statics.of(machine).any(|own| {
                    *own.name == *name
                        && &*own.namespace == namespace
                        && hash == Some(&own.hash)
                        && (own.going || !row.is_terminating())
                });
                !stands
            })
            .map(|(pod, row)| (pod, row.name))
            .collect();
        for (pod, name) in stale {
            let mut turn = Turn {
                store: &mut self.store,
                settings: &self.settings,
                ctx,
                out,
            };
            turn.note("kube.kubelet", "delete-mirror", "pod", name, Detail::None);
            turn.store.remove_pod(pod);
        }
    }

    fn mirror_named(
        &self,
        node: NodeId,
        namespace: &str,
        name: &str,
        ctx: &Context<'_>,
    ) -> Option<PodId> {
        self.store
            .pods_on(node)
            .find(|(_, row)| {
                let template = self.store.template(row.template);
                is_mirror(template)
                    && ctx.symbols.text(template.namespace) == namespace
                    && row.name.text(ctx.symbols) == name
            })
            .map(|(pod, _)| pod)
    }
}
