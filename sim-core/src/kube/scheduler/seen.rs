//! What the informers say: pods and nodes that came, changed and went, and which waiting pods that may
//! help.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::base::time::SimTime;
use crate::kube::rows::pod::PodRow;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::Store;
use crate::kube::store::document::DocumentKey;
use crate::kube::template::TemplateId;
use crate::manifest::value::Value;
use crate::substrate::Context;

use super::cache::{NodeView, Taken};
use super::demand::Demand;
use super::hints::{self, Waiting};
use super::matcher::Look;
use super::nominator::Guest;
use super::plugins::PluginSet;
use super::profile::Profile;
use super::{Scheduler, Standing};

impl Scheduler {
    /// Whether what is known of a pod was made from another template than it has now.
    pub(super) fn is_other(&self, pod: PodId, row: &PodRow) -> bool {
        if self.gated.contains(&pod) {
            return true;
        }
        if row.node.is_some() {
            return self
                .cache
                .template_of(pod)
                .is_some_and(|known| known != row.template);
        }
        self.queue
            .group_of(pod)
            .is_some_and(|known| known != row.template.0)
    }

    pub(super) fn pod_seen(&mut self, pod: PodId, store: &Store, ctx: &mut Context<'_>) {
        let Some(row) = store.pod(pod).copied() else {
            return;
        };
        if row.phase.is_terminal() {
            return;
        }
        let standing = self.standing(row.template, store);
        let (demand, profile) = (standing.demand.clone(), standing.profile);
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        if let Some(node) = row.node {
            self.queue.remove(pod);
            self.gated.remove(&pod);
            self.nominator.remove(pod);
            let known = self.cache.template_of(pod);
            let known = known.filter(|known| *known != row.template);
            let old = known.map(|known| (known, self.demand(known, store)));
            if let Some((_, old)) = &old {
                self.cache.displace(pod, old, look);
            }
            // Where another node has taken a removed one's slot, the pod is nowhere.
            if self.cache.facts(node.slot()).id == Some(node) {
                let place = Taken {
                    slot: node.slot(),
                    template: row.template,
                    live: !row.is_terminating(),
                };
                self.cache.place(pod, place, &demand, look);
            }
            let seen = store.template(row.template);
            let known = (&self.standings[..], &self.profiles[..]);
            self.queue.announce(ctx.now, |group, by| {
                waiting(known, group, by, store).is_none_or(|waiting| match &old {
                    None => hints::pod_came(waiting, seen, look),
                    Some((template, before)) => hints::pod_changed(
                        waiting,
                        [store.template(*template), seen],
                        [before, &demand],
                        look,
                    ),
                })
            });
            return;
        }
        // One that was made for a node is nobody's to place while there is no such node.
        if profile.is_none() || store.is_for_nowhere(row.template, ctx.symbols) {
            return;
        }
        if demand.gated {
            self.gated.insert(pod);
            return;
        }
        self.gated.remove(&pod);
        // A promise that an earlier process wrote.
        if let Some(node) = store.pod_details(pod).aside.nominated
            && self.nominator.node_of(pod).is_none()
            && self.cache.facts(node.slot()).id == Some(node)
        {
            let guest = Guest {
                pod,
                template: row.template,
                demand: demand.clone(),
            };
            self.nominator.add(guest, node.slot());
        }
        match self.queue.group_of(pod) {
            None => self
                .queue
                .add(pod, demand.priority, row.template.0, ctx.now),
            Some(known) if known != row.template.0 => {
                let (old, template) = (
                    store.template(TemplateId(known)),
                    store.template(row.template),
                );
                let now = ctx.now;
                let known = (&self.standings[..], &self.profiles[..]);
                let group = row.template.0;
                self.queue.update(pod, demand.priority, group, now, |by| {
                    waiting(known, group, by, store)
                        .is_none_or(|waiting| hints::own(waiting, old, template))
                });
            }
            Some(_) => {}
        }
    }

    pub(super) fn pod_gone(
        &mut self,
        pod: PodId,
        template: TemplateId,
        store: &Store,
        ctx: &mut Context<'_>,
    ) {
        self.queue.remove(pod);
        self.gated.remove(&pod);
        self.victims.remove(&pod);
        let promised = self.nominator.node_of(pod).is_some();
        self.nominator.remove(pod);
        self.bindings.remove(&pod);
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let template = self.cache.template_of(pod).unwrap_or(template);
        let demand = self.demand(template, store);
        if self.cache.displace(pod, &demand, look).is_some() {
            self.announce_freed(template, &demand, look, ctx.now);
        } else if promised {
            self.unpromised(template, store, ctx);
        }
    }

    /// A pod has lost the node that it was promised: for others it was as good as there.
    /// Source: `pkg/scheduler/eventhandlers.go` (`hasNominatedNodeNameChanged`, `getLEPriorityPreCheck`).
    pub(super) fn unpromised(
        &mut self,
        template: TemplateId,
        store: &Store,
        ctx: &mut Context<'_>,
    ) {
        let demand = self.demand(template, store);
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let known = (&self.standings[..], &self.profiles[..]);
        let gone = store.template(template);
        self.queue.announce(ctx.now, |group, by| {
            waiting(known, group, by, store).is_none_or(|waiting| {
                waiting.demand.priority <= demand.priority
                    && hints::pod_gone(waiting, (gone, &demand), look)
            })
        });
    }

    /// An assigned pod is gone, or an assumed one will not come.
    pub(super) fn announce_freed(
        &mut self,
        gone: TemplateId,
        freed: &Demand,
        look: Look<'_>,
        now: SimTime,
    ) {
        let known = (&self.standings[..], &self.profiles[..]);
        let gone = look.store.template(gone);
        self.queue.announce(now, |group, by| {
            waiting(known, group, by, look.store)
                .is_none_or(|waiting| hints::pod_gone(waiting, (gone, freed), look))
        });
    }

    /// Claims, volumes and the like were written; the informers have it at `due`.
    pub fn storage_written(
        &mut self,
        due: SimTime,
        changes: SortedMap<DocumentKey, Option<Value>>,
    ) {
        let changes = changes.into_iter();
        self.storage
            .extend(changes.map(|(key, before)| (due, key, before)));
    }

    /// The informers have what was written of claims, volumes and the like.
    pub(super) fn storage_seen(&mut self, store: &Store, ctx: &mut Context<'_>) {
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let later = |(due, ..): &(SimTime, DocumentKey, Option<Value>)| *due > ctx.now;
        let rest = self.storage.iter().position(later);
        let rest = rest.unwrap_or(self.storage.len());
        let known = (&self.standings[..], &self.profiles[..]);
        for (_, key, before) in self.storage.drain(..rest) {
            self.queue.announce(ctx.now, |group, by| {
                waiting(known, group, by, store)
                    .is_none_or(|waiting| hints::storage(waiting, &key, before.as_ref(), look))
            });
        }
    }

    pub(super) fn node_gone(&mut self, node: NodeId, store: &Store, ctx: &mut Context<'_>) {
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let labels = self.cache.facts(node.slot()).labels.clone();
        self.cache.remove_node(node, look);
        let known = (&self.standings[..], &self.profiles[..]);
        self.queue.announce(ctx.now, |group, by| {
            waiting(known, group, by, store)
                .is_none_or(|waiting| hints::node_gone(waiting, &labels))
        });
    }

    pub(super) fn node_seen(&mut self, node: NodeId, store: &Store, ctx: &mut Context<'_>) {
        let Some(row) = store.node(node) else { return };
        let text: Arc<str> = ctx.symbols.text(row.name).into();
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let view = NodeView {
            id: node,
            name: row.name,
            text: &text,
            tree_zone: row.zone,
            labels: &row.labels,
            taints: &row.taints,
            unschedulable: row.unschedulable,
            allocatable: &row.allocatable,
            images: &row.images,
        };
        let change = self.cache.set_node(&view, look);
        if change.added {
            // Pods that were bound before the node was seen here, as after a node object's return.
            let there: Vec<(PodId, PodRow)> =
                store.pods_on(node).map(|(pod, row)| (pod, *row)).collect();
            for (pod, row) in there {
                if !row.phase.is_terminal() {
                    let demand = self.demand(row.template, store);
                    let place = Taken {
                        slot: node.slot(),
                        template: row.template,
                        live: !row.is_terminating(),
                    };
                    self.cache.place(pod, place, &demand, look);
                }
            }
        }
        if change.is_nothing() {
            return;
        }
        let known = (&self.standings[..], &self.profiles[..]);
        let cache = &self.cache;
        self.queue.announce(ctx.now, |group, by| {
            waiting(known, group, by, store)
                .is_none_or(|waiting| hints::node(waiting, &change, cache, node.slot()))
        });
    }
}

/// The pods of a group in the queue; `None`: nothing is known of them, and any change may help.
fn waiting<'a>(
    (standings, profiles): (&'a [Option<Standing>], &'a [Arc<Profile>]),
    group: u32,
    by: PluginSet,
    store: &'a Store,
) -> Option<Waiting<'a>> {
    let standing = standings.get(group as usize)?.as_ref()?;
    Some(Waiting {
        template: store.template(TemplateId(group)),
        demand: &standing.demand,
        profile: profiles.get(standing.profile?)?,
        by,
    })
}
