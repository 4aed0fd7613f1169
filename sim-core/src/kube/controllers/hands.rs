//! The hands of a controller that makes and deletes pods: what was decided goes out in waves of
//! 1, 2, 4, … and at the rate of the controller's client. Until all of it has been carried out its
//! key is not looked at again (upstream's expectations).
//! Sources: `pkg/controller/controller_utils.go`, `pkg/controller/{daemon,job}`.

use std::collections::VecDeque;

use crate::base::name::{Name, SUFFIX_COUNT, Suffix};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::apiserver::namespace;
use crate::kube::event::{Event, Key};
use crate::kube::limiter::Limiter;
use crate::kube::rows::workload::ReplicaSetRow;
use crate::kube::rows::{PodId, ReplicaSetId};
use crate::kube::store::events::Message;
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;

use super::admission;

/// Time of one write to the API server as a controller waits for it: what separates the waves of
/// the slow start. Upstream gives no number; a few milliseconds is etcd's usual commit.
pub const WRITE_TIME: SimDuration = SimDuration::from_millis(5);

/// A pod that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct PodPlan {
    /// Its name.
    pub name: Name,
    /// What it is made from.
    pub template: TemplateId,
}

/// Who acts, in the words of events and of the trace.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// Kind of the objects it looks after.
    pub kind: &'static str,
    /// `source.component` of its events.
    pub component: &'static str,
    /// Its name in the trace.
    pub source: &'static str,
    /// Wait after the first refused creation, doubled with each in a row.
    pub retry_first: SimDuration,
    /// Longest wait.
    pub retry_longest: SimDuration,
}

/// A work queue's own waits after errors.
/// Source: `staging/src/k8s.io/client-go/util/workqueue/default_rate_limiters.go`.
pub const RETRY: (SimDuration, SimDuration) =
    (SimDuration::from_millis(5), SimDuration::from_secs(1_000));

/// What a controller has decided and not yet carried out, and its client.
#[derive(Clone, Debug)]
pub struct Hands {
    /// Its client's rate limiter.
    pub limiter: Limiter,
    actor: Actor,
    plans: SortedMap<ReplicaSetId, VecDeque<PodPlan>>,
    deletions: SortedMap<PodId, ReplicaSetId>,
    refusals: SortedMap<ReplicaSetId, Refused>,
}

/// What the API server has refused of one object.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// How many passes in a row.
    times: u32,
    /// When the next may be tried.
    until: SimTime,
    /// A pod's creation or deletion was refused, which no pass tries before. Else what a pod needs
    /// was refused (a claim), and the others' pods are made at once.
    holds: bool,
}

impl Hands {
    /// Idle hands.
    pub const fn new(actor: Actor, limiter: Limiter) -> Self {
        Self {
            limiter,
            actor,
            plans: SortedMap::new(),
            deletions: SortedMap::new(),
            refusals: SortedMap::new(),
        }
    }

    /// An object's pass went through: the next refusal is the first again.
    pub fn forget(&mut self, id: ReplicaSetId) {
        self.refusals.remove(&id);
    }

    /// Whether creations and deletions of an object wait for their retry.
    fn waits(&self, id: ReplicaSetId, now: SimTime) -> bool {
        let refused = self.refusals.get(&id);
        refused.is_some_and(|refused| refused.holds && refused.until > now)
    }

    /// Whether the API server refused this object's last creation.
    pub fn is_refused(&self, id: ReplicaSetId) -> bool {
        self.refusals.contains_key(&id)
    }

    /// The object that events are about.
    pub fn object(
        &self,
        id: ReplicaSetId,
        turn: &Turn<'_, '_>,
    ) -> Option<(&'static str, Symbol, Name)> {
        let row = turn.store.replica_set(id)?;
        Some((self.actor.kind, row.namespace, Name::plain(row.name)))
    }

    /// Records a Normal event about an object.
    pub fn normal(
        &self,
        id: ReplicaSetId,
        reason: &'static str,
        message: Message,
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let object = self.object(id, turn);
        object.is_some_and(|object| turn.normal(object, self.actor.component, reason, message))
    }

    /// Records a Warning event about an object.
    pub fn warning(
        &self,
        id: ReplicaSetId,
        reason: &'static str,
        message: Message,
        turn: &mut Turn<'_, '_>,
    ) {
        if let Some(object) = self.object(id, turn) {
            turn.warning(object, self.actor.component, reason, message);
        }
    }

    /// Begins to make pods, in order.
    pub fn create(&mut self, id: ReplicaSetId, plans: Vec<PodPlan>, turn: &mut Turn<'_, '_>) {
        let waits = self.waits(id, turn.now());
        let Some(row) = turn
            .store
            .replica_set_mut(id)
            .filter(|_| !plans.is_empty() && !waits)
        else {
            return;
        };
        row.creating = u32::try_from(plans.len()).unwrap_or(u32::MAX);
        row.wave = (1, 1);
        self.plans.insert(id, plans.into());
        let at = self.limiter.take(turn.now());
        turn.at(at, Event::CreatePod(id));
    }

    /// One creation goes through.
    pub fn create_one(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let plan = self.plans.get_mut(&id).and_then(VecDeque::pop_front);
        let row = turn.store.replica_set(id).filter(|row| !row.deleting);
        let (Some(plan), Some(_)) = (plan, row) else {
            self.give_up(id, turn);
            return;
        };
        let template = match admission::admit(id, plan.template, plan.name, turn) {
            Ok(template) => template,
            // Whatever is made there would be refused, so that nobody is told.
            Err(_) if namespace::is_terminating(&self.namespace(id, turn), turn) => {
                self.give_up(id, turn);
                return;
            }
            Err(refusal) => {
                let text = match self.of_set(id, plan.name, turn) {
                    Some(what) => format!("Create {what} failed error: {refusal}"),
                    None => format!("Error creating: {refusal}"),
                };
                self.warning(id, "FailedCreate", Message::Text(text.into()), turn);
                self.give_up(id, turn);
                self.hold(id, turn);
                return;
            }
        };
        let flags = admission::flags(template, turn);
        turn.store
            .create_pod(plan.name, template, Some(id), flags, now);
        turn.note(self.actor.source, "create", "pod", plan.name, Detail::None);
        let message = match self.of_set(id, plan.name, turn) {
            Some(what) => Message::Text(format!("Create {what} successful").into()),
            None => Message::Name("Created pod: {}", plan.name),
        };
        if self.normal(id, "SuccessfulCreate", message, turn) {
            self.limiter.take(now);
        }
        let Some(row) = turn.store.replica_set_mut(id) else {
            return;
        };
        row.ordinal = row.ordinal.saturating_add(1);
        row.creating = row.creating.saturating_sub(1);
        row.wave.0 = row.wave.0.saturating_sub(1);
        if row.creating == 0 {
            self.plans.remove(&id);
            self.refusals.remove(&id);
            return;
        }
        let mut earliest = now;
        if row.wave.0 == 0 {
            row.wave.1 = row.wave.1.saturating_mul(2);
            row.wave.0 = row.wave.1.min(row.creating);
            earliest = now + WRITE_TIME + turn.store.commit_delay();
        }
        let at = self.limiter.take(now);
        turn.at(
            if at > earliest { at } else { earliest },
            Event::CreatePod(id),
        );
    }

    /// A StatefulSet's pod, as its events name it.
    /// Source: `pkg/controller/statefulset/stateful_pod_control.go` (`recordPodEvent`).
    fn of_set(&self, id: ReplicaSetId, pod: Name, turn: &Turn<'_, '_>) -> Option<String> {
        let row = turn
            .store
            .replica_set(id)
            .filter(|_| self.actor.kind == "StatefulSet")?;
        let symbols = &turn.ctx.symbols;
        Some(format!(
            "Pod {} in StatefulSet {}",
            pod.text(symbols),
            symbols.text(row.name)
        ))
    }

    /// The next try has another name and comes after a wait. One wait is enough, however much was
    /// refused: each would bring a pass, and each pass as many again.
    pub(super) fn retry_later(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let refused = self.refusals.entry(id).or_insert(Refused {
            times: 0,
            until: now,
            holds: false,
        });
        if refused.until > now {
            return;
        }
        refused.times = refused.times.saturating_add(1);
        let wait = self
            .actor
            .retry_first
            .saturating_mul(1 << (refused.times - 1).min(20));
        refused.until = now + wait.min(self.actor.retry_longest);
        refused.holds = false;
        turn.at(refused.until, Event::Sync(Key::ReplicaSet(id)));
        if let Some(row) = turn.store.replica_set_mut(id) {
            row.ordinal = row.ordinal.saturating_add(1);
        }
    }

    /// The same, and nothing is made or deleted until then.
    fn hold(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        self.retry_later(id, turn);
        if let Some(refused) = self.refusals.get_mut(&id) {
            refused.holds = true;
        }
    }

    fn namespace(&self, id: ReplicaSetId, turn: &Turn<'_, '_>) -> String {
        let row = turn.store.replica_set(id);
        row.map_or("", |row| turn.ctx.symbols.text(row.namespace))
            .to_owned()
    }

    fn give_up(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        self.plans.remove(&id);
        if let Some(row) = turn.store.replica_set_mut(id) {
            row.creating = 0;
        }
    }

    /// Begins to delete pods.
    pub fn delete(&mut self, id: ReplicaSetId, pods: &[PodId], turn: &mut Turn<'_, '_>) {
        if self.waits(id, turn.now()) {
            return;
        }
        let mut count = 0;
        for pod in pods {
            if turn
                .store
                .pod(*pod)
                .is_none_or(crate::kube::rows::pod::PodRow::is_terminating)
            {
                continue;
            }
            let at = self.limiter.take(turn.now());
            self.deletions.insert(*pod, id);
            turn.at(at, Event::DeletePod(*pod));
            count += 1;
        }
        if let Some(row) = turn.store.replica_set_mut(id) {
            row.deleting_pods += count;
        }
    }

    /// Whether the API server lets a pod of an object be deleted.
    ///
    /// # Errors
    /// Its refusal.
    pub fn judge(&self, id: ReplicaSetId, pod: PodId, turn: &Turn<'_, '_>) -> Result<(), String> {
        let kind = turn.store.replica_set(id).map(|row| row.kind);
        admission::judge_delete(admission::account(kind.unwrap_or_default()), pod, turn)
    }

    /// Whether a deletion is its.
    pub fn deletes(&self, pod: PodId) -> bool {
        self.deletions.contains_key(&pod)
    }

    /// One deletion goes through. Answers whose it was.
    pub fn delete_one(&mut self, pod: PodId, turn: &mut Turn<'_, '_>) -> Option<ReplicaSetId> {
        let now = turn.now();
        let owner = self.deletions.remove(&pod)?;
        if let Some(set) = turn.store.replica_set_mut(owner) {
            set.deleting_pods = set.deleting_pods.saturating_sub(1);
        }
        let Some(row) = turn.store.pod(pod).copied() else {
            return Some(owner);
        };
        if let Err(refusal) = self.judge(owner, pod, turn) {
            let message = Message::Text(format!("Error deleting: {refusal}").into());
            self.warning(owner, "FailedDelete", message, turn);
            self.hold(owner, turn);
            return Some(owner);
        }
        self.normal(
            owner,
            "SuccessfulDelete",
            Message::Name("Deleted pod: {}", row.name),
            turn,
        );
        self.limiter.take(now);
        turn.note(self.actor.source, "delete", "pod", row.name, Detail::None);
        turn.store.mark_terminating(pod, None, now);
        Some(owner)
    }
}

/// Five letters that no other pod of this controller has had: a walk through all of them that
/// begins and steps by chance.
pub fn suffix(id: ReplicaSetId, ordinal: u32, turn: &Turn<'_, '_>) -> Suffix {
    let row = turn.store.replica_set(id);
    row.map_or(Suffix::None, |row| {
        suffix_of_walk(letters(row, turn), ordinal)
    })
}

/// Where a controller's walk through the letters begins, and its step.
pub fn letters(row: &ReplicaSetRow, turn: &Turn<'_, '_>) -> (u32, u32) {
    let symbols = &turn.ctx.symbols;
    let names = [symbols.text(row.namespace), symbols.text(row.name)];
    let mut stream = turn.stream(
        "pod name",
        &names,
        u32::try_from(row.created.whole_seconds()).unwrap_or(0),
    );
    let start = stream.below(SUFFIX_COUNT);
    // A step that shares no factor with 27^5 visits every suffix once.
    let step = stream.below(SUFFIX_COUNT / 3) * 3 + 1;
    (start, step)
}

/// The letters at a place of a walk.
pub fn suffix_of_walk((start, step): (u32, u32), place: u32) -> Suffix {
    let number = u64::from(start) + u64::from(step) * u64::from(place);
    Suffix::Letters(u32::try_from(number % u64::from(SUFFIX_COUNT)).unwrap_or(0))
}
