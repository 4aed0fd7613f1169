//! The turns: which pod is tried when, and what becomes of the decision.

use std::sync::Arc;

use crate::base::time::SimTime;
use crate::kube::rows::PodId;
use crate::kube::rows::pod::PodRow;
use crate::kube::selector::Selector;
use crate::kube::store::Store;
use crate::kube::template::PodTemplate;
use crate::substrate::{Context, PlaneOutbox};

use super::cache::Taken;
use super::cycle::{self, Decision, Subject as CycleSubject};
use super::demand::Demand;
use super::explain::{DecisionRecord, Looked};
use super::failure::{Preempted, report_failure};
use super::filter::Candidate;
use super::matcher::Look;
use super::plan::Plan;
use super::plugins::{Plugin, PluginSet};
use super::volumes::{self, Rejection, VolumeNeeds};
use super::{CYCLE_TIME, Event, Scheduler, message};

impl Scheduler {
    /// Runs the next cycle if it is time for it, and makes sure that there will be another one.
    pub(super) fn go_on(
        &mut self,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<crate::kube::Event>,
    ) {
        if self.free_at <= ctx.now && self.queue.has_work(ctx.now) {
            self.cycle(store, ctx, out);
        }
        if self.queue.has_work(ctx.now) {
            self.wake_at(self.free_at, ctx.now, out);
        } else if let Some(retry) = self.queue.next_error_retry() {
            self.wake_at(retry, ctx.now, out);
        }
        if let Some(flush) = self.queue.next_leftover_flush()
            && self.flush_at.is_none()
        {
            self.flush_at = Some(flush);
            out.after(
                flush.since(ctx.now),
                crate::kube::Event::Scheduler(Event::FlushLeftover),
            );
        }
    }

    pub(super) fn wake_at(
        &mut self,
        at: SimTime,
        now: SimTime,
        out: &mut PlaneOutbox<crate::kube::Event>,
    ) {
        let at = at.max(now);
        if self
            .cycle_at
            .is_none_or(|planned| planned > at || planned < now)
        {
            self.cycle_at = Some(at);
            out.after(at.since(now), crate::kube::Event::Scheduler(Event::Cycle));
        }
    }

    pub(super) fn cycle(
        &mut self,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<crate::kube::Event>,
    ) {
        let Some(popped) = self.queue.pop(ctx.now) else {
            return;
        };
        let pod = popped.pod;
        let Some((row, profile, demand)) = self.subject(pod, store) else {
            self.queue.remove(pod);
            return;
        };
        let template = store.template(row.template).clone();
        self.free_at = ctx.now + CYCLE_TIME;
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let plan = self.plan(&row, profile, look);
        let profile = self.profiles[profile].clone();
        let needs = if demand.mounts {
            self.needs((pod, &row), &template, look)
        } else {
            Ok(VolumeNeeds::default())
        };
        let none = VolumeNeeds::default();
        let candidate = Candidate {
            template: &template,
            demand: &demand,
            profile: &profile,
            plan: &plan,
            volumes: needs.as_ref().unwrap_or(&none),
            look,
        };
        let class = self.scratch.classes.of(row.template, &template, &demand);
        let decision = match &needs {
            Ok(_) => cycle::run(
                CycleSubject {
                    pod,
                    class,
                    nominated: self.nominator.node_of(pod),
                },
                &candidate,
                &mut self.cache,
                &mut self.search,
                &mut self.scratch,
                &self.nominator,
                (look.symbols, ctx.choices),
            ),
            Err(rejection) => Decision::Rejected {
                by: rejection.plugin,
                message: rejection.message.clone(),
                nodes: self.cache.tree.len(),
            },
        };
        self.remember(pod, &decision, &candidate, ctx.now);
        let failure = match decision {
            Decision::Bind {
                slot,
                feasible,
                nodes,
            } => {
                let choices = candidate.volumes.choose(self.cache.facts(slot)).ok();
                let place = Taken {
                    slot,
                    template: row.template,
                    live: true,
                };
                self.cache.place(pod, place, &demand, look);
                self.cache.index.keep_plan(row.template, plan);
                let claims = needs.map_or_else(|_| Vec::new(), |needs| needs.waiting);
                self.assume(
                    pod,
                    (slot, feasible, nodes),
                    &claims,
                    choices,
                    store,
                    (ctx, out),
                );
                return;
            }
            Decision::Unschedulable {
                tally,
                absent,
                nodes,
            } => {
                let at = (class, absent, nodes);
                let (message, found) = self.post_filter(pod, &candidate, &tally, at);
                Failure {
                    by: tally.rejected_by(),
                    message,
                    found,
                }
            }
            Decision::Rejected { by, message, nodes } => Failure {
                by: PluginSet::NONE.with(by),
                message: format!("0/{nodes} nodes are available: {message}. not found").into(),
                found: Preempted::NotTried,
            },
            Decision::NoNodes => {
                self.cache.index.keep_plan(row.template, plan);
                self.queue.fail(pod, ctx.now);
                let text = message::NO_NODES.into();
                report_failure(pod, &row, &text, None, store, ctx, out);
                return;
            }
        };
        self.cache.index.keep_plan(row.template, plan);
        self.turn_away(pod, (&row, &demand), &failure, store, (ctx, out));
    }

    /// The pod as it is stored, its profile and what it asks for; `None`: nothing is to be done for it
    /// any more.
    fn subject(&mut self, pod: PodId, store: &Store) -> Option<(PodRow, usize, Arc<Demand>)> {
        let row = *store.pod(pod)?;
        if row.node.is_some() || row.is_terminating() {
            return None;
        }
        let standing = self.standing(row.template, store);
        Some((row, standing.profile?, standing.demand.clone()))
    }

    /// Puts a pod back that no node can take, and evicts those that are in its way.
    fn turn_away(
        &mut self,
        pod: PodId,
        (row, demand): (&PodRow, &Arc<Demand>),
        failure: &Failure,
        store: &mut Store,
        (ctx, out): (&mut Context<'_>, &mut PlaneOutbox<crate::kube::Event>),
    ) {
        self.queue.reject(pod, failure.by, ctx.now);
        let mut nominated = self.nominator.node_of(pod);
        match &failure.found {
            Preempted::Found(found) => {
                nominated = Some(found.slot);
                self.evict(pod, row, demand, found, store, (ctx, out));
            }
            Preempted::Nothing => {
                nominated = None;
                self.nominator.remove(pod);
            }
            Preempted::NotTried => {}
        }
        let nominated = nominated.and_then(|slot| self.cache.facts(slot).id);
        report_failure(pod, row, &failure.message, nominated, store, ctx, out);
    }

    /// The rules of a pod about other pods, as they stand.
    fn plan(&mut self, row: &PodRow, profile: usize, look: Look<'_>) -> Box<Plan> {
        if self.cache.index.reads_namespaces() {
            let documents = look.store.documents();
            let stamp = documents
                .of("namespaces")
                .fold((0, 0), |(count, newest), (_, it)| {
                    (count + 1, it.revision.max(newest))
                });
            if self.namespaces != stamp {
                self.namespaces = stamp;
                self.cache.index.forget();
            }
        }
        if self.cache.index.is_full() {
            self.cache.index.forget();
        }
        self.cache.count(look);
        let made_for = (self.services, profile as u32);
        let profile = &self.profiles[profile];
        let (index, nodes) = self.cache.split();
        let template = row.template;
        let kept = index.take_plan(template);
        if kept.is_none() {
            index.count_plan();
        }
        let mut plan = match kept.filter(|plan| plan.is_of(made_for)) {
            Some(plan) => plan,
            None => {
                let owner: Option<Arc<Selector>> = row
                    .owner
                    .and_then(|owner| look.store.replica_set(owner))
                    .map(|set| set.selector.clone());
                let at = (nodes, look);
                Box::new(Plan::make(
                    template,
                    owner.as_deref(),
                    profile,
                    made_for,
                    index,
                    at,
                ))
            }
        };
        plan.extend(look.store.template(template), profile, index, (nodes, look));
        plan
    }

    /// A pod's volumes and claims.
    pub(super) fn needs(
        &self,
        pod: (PodId, &PodRow),
        template: &PodTemplate,
        look: Look<'_>,
    ) -> Result<VolumeNeeds, Rejection> {
        let users = |claim: &str| volumes::users(claim, template.namespace, &self.cache, look);
        VolumeNeeds::find(pod, template, &users, look)
    }

    /// Keeps what a cycle found, for those who ask why.
    pub(super) fn remember(
        &mut self,
        pod: PodId,
        decision: &Decision,
        candidate: &Candidate<'_>,
        now: SimTime,
    ) {
        let (chosen, scored) = match decision {
            Decision::Bind { slot, feasible, .. } => (
                Some(*slot),
                if self.scratch.glanced {
                    let glance = self.scratch.glance.as_ref();
                    glance.map_or(0, |glance| glance.said)
                } else if *feasible > 1 {
                    self.scratch.board.said()
                } else {
                    0
                },
            ),
            Decision::Unschedulable { .. } => (None, 0),
            Decision::Rejected { .. } | Decision::NoNodes => return,
        };
        let record = DecisionRecord {
            pod,
            at: now,
            chosen,
            scored,
            weights: Plugin::SCORERS.map(|plugin| candidate.profile.weight(plugin)),
            extended: candidate.demand.extended.to_vec(),
            nodes: if self.scratch.glanced {
                Looked::Glance(self.scratch.glance.take().unwrap_or_default())
            } else {
                Looked::Records(Arc::new(self.scratch.records.clone()))
            },
        };
        let used = self.decisions.keep(record);
        self.scratch.glance = self.scratch.glance.take().or(used);
    }
}

/// How a cycle without a node ended.
struct Failure {
    by: PluginSet,
    message: Arc<str>,
    found: Preempted,
}
