//! The endpoint slice controller: which pods are behind a Service.
//!
//! Keeps, for each Service, the pods that changed since its last sync, and reads only those.
//! Sources: `pkg/controller/endpointslice/endpointslice_controller.go`,
//! `staging/src/k8s.io/endpointslice/utils.go`.
//!
//! What had changed is told with each write (`endpoints.kubernetes.io/last-change-trigger-time`): the oldest
//! of the times at which pods turned ready or not, that were not told yet. Upstream also looks at pods that
//! have no address yet; here a pod is looked at from its address on.

use std::sync::Arc;

use crate::api::kube::service::ServiceKind;
use crate::base::hash::FxHashMap;
use crate::base::name::Name;
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::limiter::Limiter;
use crate::kube::proxy::Proxy;
use crate::kube::rows::pod::{PodCondition, PodFlags, PodRow, signed_s};
use crate::kube::rows::service::{Endpoint, ServiceRow};
use crate::kube::rows::{PodId, ServiceId};
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;

/// Time between two syncs of a Service after its slices changed.
/// Source: `pkg/controller/endpointslice/endpointslice_controller.go`, `endpointSliceChangeMinSyncDelay`.
const SYNC_DELAY_MIN: SimDuration = SimDuration::from_secs(1);

/// The controller.
#[derive(Clone, Debug)]
pub struct EndpointSliceController {
    /// Its client's rate limiter.
    pub limiter: Limiter,
    /// Services that select the pods of a template; forgotten when any Service changes.
    matches: Vec<Option<Arc<[ServiceId]>>>,
}

impl EndpointSliceController {
    /// A controller with a client.
    pub fn new(limiter: Limiter) -> Self {
        Self {
            limiter,
            matches: Vec::new(),
        }
    }

    /// A Service was written: all its pods are to be read again.
    pub fn service_changed(&mut self, id: ServiceId, turn: &mut Turn<'_, '_>) {
        self.matches.clear();
        if let Some(row) = turn.store.service_mut(id) {
            row.dirty_all = true;
        }
    }

    /// A Service is gone.
    pub fn service_removed(&mut self) {
        self.matches.clear();
    }

    /// Services that have to look at a pod again.
    pub fn pod_changed(
        &mut self,
        pod: PodId,
        row: &PodRow,
        turn: &mut Turn<'_, '_>,
    ) -> Vec<ServiceId> {
        let mut concerned = Vec::new();
        let services = self.services_of(row.template, turn);
        for id in services.iter() {
            let Some(service) = turn.store.service(*id) else {
                continue;
            };
            let known = service.endpoints.get(&pod.slot()).copied();
            if known == endpoint(service, pod, turn) && known.is_none_or(|known| known.pod == pod) {
                continue;
            }
            let service = turn.store.service_mut(*id).expect("read above");
            service.dirty.push(pod);
            concerned.push(*id);
        }
        concerned
    }

    /// Services that a pod was behind by what it was described by before.
    /// Source: `staging/src/k8s.io/endpointslice/util/controller_utils.go` (`GetServicesToUpdateOnPodChange`).
    pub fn pod_left(
        &mut self,
        pod: PodId,
        old: TemplateId,
        turn: &mut Turn<'_, '_>,
    ) -> Vec<ServiceId> {
        let mut left = self.services_of(old, turn).to_vec();
        left.retain(|id| {
            let service = turn.store.service_mut(*id);
            service.is_some_and(|service| {
                let known = service.endpoints.contains_key(&pod.slot());
                if known {
                    service.dirty.push(pod);
                }
                known
            })
        });
        left
    }

    fn services_of(&mut self, template: TemplateId, turn: &Turn<'_, '_>) -> &[ServiceId] {
        let place = template.0 as usize;
        if place >= self.matches.len() {
            self.matches.resize(place + 1, None);
        }
        self.matches[place].get_or_insert_with(|| {
            let description = turn.store.template(template);
            let selects = |service: &ServiceRow| {
                let selector = service.selector.as_ref();
                service.namespace == description.namespace
                    && service.kind != ServiceKind::ExternalName
                    && selector.is_some_and(|selector| selector.matches(&description.labels))
            };
            let services = turn.store.services();
            services
                .filter(|(_, service)| selects(service))
                .map(|(id, _)| id)
                .collect()
        })
    }

    /// One pass over one Service. Answers when to come back, if it came too early.
    pub fn sync(
        &mut self,
        id: ServiceId,
        proxy: &mut Proxy,
        turn: &mut Turn<'_, '_>,
    ) -> Option<SimTime> {
        let row = turn.store.service(id)?;
        // One that is a name elsewhere has no endpoints of its own.
        if row.kind == ServiceKind::ExternalName {
            return None;
        }
        if row.not_before > turn.now() {
            return Some(row.not_before);
        }
        let mut endpoints: SortedMap<u32, Endpoint> = (*row.endpoints).clone();
        let before = row.endpoints.clone();
        let dirty = if row.dirty_all {
            self.all_pods(row, turn)
        } else {
            row.dirty.clone()
        };
        if row.dirty_all {
            endpoints.clear();
        }
        for pod in dirty {
            let template = turn.store.pod(pod).map(|row| row.template);
            let selected = template.is_some_and(|it| self.services_of(it, turn).contains(&id));
            match endpoint(row, pod, turn).filter(|_| selected) {
                Some(endpoint) => {
                    endpoints.insert(pod.slot(), endpoint);
                }
                None => {
                    if endpoints
                        .get(&pod.slot())
                        .is_some_and(|known| known.pod == pod)
                    {
                        endpoints.remove(&pod.slot());
                    }
                }
            }
        }
        let (name, created) = (row.name, row.created);
        let known = row.slices_written.is_some();
        let trigger = trigger(&before, &endpoints);
        // Source: `staging/src/k8s.io/endpointslice/util/trigger_time_tracker.go`.
        let trigger = if known {
            trigger
        } else {
            Some(created.signed_seconds())
        };
        let changed =
            *before != endpoints || (row.selector.is_some() && row.slices_written.is_none());
        let now = turn.now();
        let ready = endpoints.values().filter(|endpoint| endpoint.ready).count();
        let ready_before = before.values().filter(|endpoint| endpoint.ready).count();
        let row = turn.store.service_mut(id).expect("read above");
        row.dirty.clear();
        row.dirty_all = false;
        let alike = tell_alike(&before, &endpoints);
        row.endpoints = Arc::new(endpoints);
        if !changed {
            return None;
        }
        row.triggers[0] = trigger;
        if !known || !alike {
            row.triggers[1] = trigger;
        }
        row.not_before = now + SYNC_DELAY_MIN;
        row.slice_generation += 1;
        row.slices_written.get_or_insert(now);
        turn.store.bump();
        self.limiter.take(now);
        let detail = Detail::Change(ready_before as i64, ready as i64);
        turn.note(
            "kube.endpointslice",
            "update",
            "service",
            Name::plain(name),
            detail,
        );
        proxy.slices_changed(id, turn);
        None
    }

    fn all_pods(&self, row: &ServiceRow, turn: &Turn<'_, '_>) -> Vec<PodId> {
        let Some(selector) = &row.selector else {
            return Vec::new();
        };
        let mut verdicts: FxHashMap<TemplateId, bool> = FxHashMap::default();
        let mut pods = Vec::new();
        for (id, pod) in turn.store.pods() {
            let matches = *verdicts.entry(pod.template).or_insert_with(|| {
                let template = turn.store.template(pod.template);
                template.namespace == row.namespace && selector.matches(&template.labels)
            });
            if matches {
                pods.push(id);
            }
        }
        pods
    }
}

/// The oldest change of pods' readiness that the last sync did not see; seconds.
fn trigger(before: &SortedMap<u32, Endpoint>, now: &SortedMap<u32, Endpoint>) -> Option<i64> {
    let changed = now.iter().filter_map(|(slot, endpoint)| {
        let at = signed_s(endpoint.changed_s?);
        let known = before.get(slot).filter(|known| known.pod == endpoint.pod);
        let seen = known.and_then(|known| known.changed_s).map(signed_s);
        seen.is_none_or(|seen| at > seen).then_some(at)
    });
    changed.min()
}

/// Whether the older Endpoints are the same.
fn tell_alike(before: &SortedMap<u32, Endpoint>, now: &SortedMap<u32, Endpoint>) -> bool {
    fn told(
        all: &SortedMap<u32, Endpoint>,
    ) -> impl Iterator<Item = (PodId, u32, Option<bool>)> + '_ {
        let told = all
            .values()
            .map(|one| (one.pod, one.ip, one.in_endpoints()));
        told.filter(|(.., ready)| ready.is_some())
    }
    told(before).eq(told(now))
}

/// A pod as an endpoint, if it is one.
fn endpoint(service: &ServiceRow, pod: PodId, turn: &Turn<'_, '_>) -> Option<Endpoint> {
    let row = turn.store.pod(pod)?;
    let details = turn.store.pod_details(pod);
    let ip = details.ip;
    if ip == 0 || row.phase.is_terminal() {
        return None;
    }
    let (serving, terminating) = (row.is_ready(), row.is_terminating());
    let ready = service.publish_not_ready || (serving && !terminating);
    Some(Endpoint {
        pod,
        ip,
        ready,
        serving,
        terminating,
        changed_s: row
            .flags
            .has(PodFlags::ACKNOWLEDGED)
            .then(|| details.transitions_s[PodCondition::Ready as usize]),
    })
}
