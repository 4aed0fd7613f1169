//! What happens to a pod that no node can take: preemption, and the words of it.

use std::sync::Arc;

use crate::base::name::Name;
use crate::des::notice::Detail;
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::pod::{PodFlags, PodRow};
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::Store;
use crate::kube::store::events::Message;
use crate::substrate::{Context, PlaneOutbox};

use super::demand::Demand;
use super::explain::DecisionRecord;
use super::filter::Candidate;
use super::message::{self, NO_CLAIMS, Tally};
use super::nominator::Guest;
use super::plugins::Plugin;
use super::preemption::{self, Outcome};
use super::{Event, Scheduler, notice, record};

/// Reason of the DisruptionTarget condition of pods that were evicted for others.
/// Source: `staging/src/k8s.io/api/core/v1/types.go`.
const PREEMPTED: &str = "PreemptionByScheduler";

/// What a look for pods to evict came to.
pub(super) enum Preempted {
    /// The pod may not, or the profile has no such plugin.
    NotTried,
    /// No node can be made free.
    Nothing,
    /// This one.
    Found(preemption::Plan),
}

impl Scheduler {
    /// What happens when no node can take a pod: the text, and what preemption found.
    pub(super) fn post_filter(
        &mut self,
        pod: PodId,
        candidate: &Candidate<'_>,
        tally: &Tally,
        (class, absent, nodes): (u32, u32, u32),
    ) -> (Arc<str>, Preempted) {
        let look = candidate.look;
        let preempts = candidate.profile.filters.has(Plugin::DefaultPreemption)
            && candidate.template.preempts
            && !self.waits_for_victims(pod, candidate);
        let alone = preempts && !self.cache.holds_below(candidate.demand.priority);
        let column = self.scratch.columns.get_mut(class);
        let mut said = column
            .filter(|_| self.scratch.glanced && alone)
            .map(|column| &mut column.said);
        if let Some(Some(text)) = &said {
            return (text.clone(), Preempted::Nothing);
        }
        let mut reasons = tally.reasons(&candidate.demand.extended, look.symbols);
        reasons.add("node(s) didn't satisfy plugin(s) [NodeAffinity]", absent);
        let text = reasons.text(nodes);
        if !candidate.profile.filters.has(Plugin::DefaultPreemption) {
            return (format!("{text} {NO_CLAIMS}").into(), Preempted::NotTried);
        }
        let refused = |why: &str| format!("{text} {NO_CLAIMS}, preemption: {why}").into();
        if !candidate.template.preempts {
            let why = "not eligible due to preemptionPolicy=Never.";
            return (refused(why), Preempted::NotTried);
        }
        if !preempts {
            let why = "not eligible due to a terminating pod on the nominated node.";
            return (refused(why), Preempted::NotTried);
        }
        if alone {
            let text: Arc<str> = refused(&preemption::nobody(tally, nodes).text(nodes));
            if let Some(said) = &mut said {
                **said = Some(text.clone());
            }
            return (text, Preempted::Nothing);
        }
        let records = self.decisions.latest().map(DecisionRecord::records);
        let standings = &self.standings;
        let demand_of = |pod: PodId| {
            let id = look.store.pod(pod)?.template;
            let standing = standings.get(id.0 as usize)?.as_ref()?;
            Some(standing.demand.clone())
        };
        let outcome = preemption::find(
            pod,
            candidate,
            &records.unwrap_or_default(),
            &mut self.cache,
            &self.nominator,
            &demand_of,
        );
        match outcome {
            Outcome::Found(plan) => (text.into(), Preempted::Found(plan)),
            Outcome::Nothing(reasons) => (refused(&reasons.text(nodes)), Preempted::Nothing),
        }
    }

    /// Whether pods of lower priority are still on their way out of the node that a pod was promised.
    pub(super) fn waits_for_victims(&self, pod: PodId, candidate: &Candidate<'_>) -> bool {
        let Some(slot) = self.nominator.node_of(pod) else {
            return false;
        };
        let refused = self.scratch.records.iter().find(|it| it.slot == slot);
        if refused.is_none_or(|record| !record.verdict.is_resolvable()) {
            return false;
        }
        let store = candidate.look.store;
        self.cache.pods_on(slot).into_iter().any(|other| {
            let lower = self.cache.template_of(other).is_some_and(|template| {
                store.template(template).priority < candidate.demand.priority
            });
            lower && (self.victims.contains(&other) || goes_for_another(other, store))
        })
    }

    /// Evicts the victims and promises the node.
    /// Source: `pkg/scheduler/framework/preemption/executor.go`.
    pub(super) fn evict(
        &mut self,
        pod: PodId,
        row: &PodRow,
        demand: &Arc<Demand>,
        plan: &preemption::Plan,
        store: &mut Store,
        (ctx, out): (&mut Context<'_>, &mut PlaneOutbox<crate::kube::Event>),
    ) {
        for lower in self.nominator.lower_on(plan.slot, demand.priority) {
            self.nominator.remove(lower);
            store.set_nominated(lower, None);
            if let Some(row) = store.pod(lower) {
                let event = Event::Unpromised(row.template);
                out.after(store.watch_lag(), crate::kube::Event::Scheduler(event));
            }
        }
        let node = self.cache.facts(plan.slot).name;
        let template = store.template(row.template).clone();
        let namespace = ctx.symbols.text(template.namespace).to_owned();
        let name = row.name.text(ctx.symbols);
        let created = u64::from(row.created_s);
        let id = uid_text(uid(ctx.seed, "pods", &namespace, &name, created));
        let text = format!("Preempted by pod {id} on node {}", ctx.symbols.text(node));
        let text: Arc<str> = text.into();
        let why: Arc<str> = format!(
            "{}: preempting to accommodate a higher priority pod",
            template.spec.scheduler_name
        )
        .into();
        for victim in &plan.victims {
            let Some(victim_row) = store.pod(*victim).copied() else {
                continue;
            };
            out.notice(notice(
                "preempt",
                victim_row.name,
                Detail::To(row.name),
                None,
            ));
            let message = Message::Text(text.clone());
            record(
                store,
                (*victim, &victim_row),
                false,
                ("Preempted", "Preempting"),
                message,
                ctx.now,
            );
            if !victim_row.is_terminating() {
                self.victims.insert(*victim);
                store.set_disruption(*victim, PREEMPTED, why.clone(), ctx.now);
                store.mark_terminating(*victim, None, ctx.now);
            }
        }
        let guest = Guest {
            pod,
            template: row.template,
            demand: demand.clone(),
        };
        self.nominator.add(guest, plan.slot);
        out.notice(notice(
            "nominate",
            row.name,
            Detail::To(Name::plain(node)),
            None,
        ));
    }
}

/// Whether a pod is on its way out because a scheduler, perhaps an earlier process, evicted it for
/// another one.
/// Source: `pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go`
/// (`podTerminatingByPreemption`).
fn goes_for_another(pod: PodId, store: &Store) -> bool {
    let condition = &store.pod_details(pod).aside.disruption;
    store
        .pod(pod)
        .is_some_and(|row| row.is_terminating() && row.flags.has(PodFlags::DISRUPTION_TARGET))
        && matches!(condition, Some((PREEMPTED, _)))
}

/// Writes PodScheduled=False and FailedScheduling. The same verdict again is counted on the Event
/// object; the trace keeps changes.
pub(super) fn report_failure(
    pod: PodId,
    row: &PodRow,
    text: &Arc<str>,
    nominated: Option<NodeId>,
    store: &mut Store,
    ctx: &mut Context<'_>,
    out: &mut PlaneOutbox<crate::kube::Event>,
) {
    if store.pod_details(pod).aside.unschedulable.as_ref() != Some(text) {
        let symbol = ctx.symbols.intern(text);
        out.notice(notice("failed", row.name, Detail::Text(symbol), None));
    }
    store.set_unschedulable(pod, text.clone(), nominated, ctx.now);
    let shown = message::truncated(text);
    record(
        store,
        (pod, row),
        true,
        ("FailedScheduling", "Scheduling"),
        Message::Text(shown),
        ctx.now,
    );
}
