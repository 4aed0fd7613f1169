//! Operators that a person brings: loops over a custom resource, declared as a plan of children.
//!
//! ```text
//! custom object ──┐                       ┌─▶ server-side apply of every child
//! child changed ──┴─▶ dirty parent ─pass─▶┼─▶ deletion of children that are no longer wanted
//!                                         └─▶ status of the custom object
//! ```
//! A pass is level-triggered: it looks at what is there and writes what is not as planned, so that
//! it may come late, twice, or for an object that is gone. A child whose expressions name something
//! that is not there yet waits, which orders children by what they need of one another. The plan is
//! data ([`plan::Operator`]), so that an operator is cloned with the world: it survives forks, seeks
//! and runs in the browser.
//!
//! A pass that is refused is tried again after 5 ms, then 10 ms, up to 1,000 s, as the work queues of
//! upstream's libraries do. Source: `staging/src/k8s.io/client-go/util/workqueue/default_rate_limiters.go`.

pub mod plan;

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::kube::apiserver::{ApiServer, Propagation, Refusal, Request, known, read};
use crate::kube::event::{Event, Key};
use crate::kube::kinds::Kind;
use crate::kube::rows::read as fields;
use crate::kube::store::document::DocumentKey;
use crate::kube::store::events::Message;
use crate::kube::store::{Change, WATCH_LAG};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use plan::{Operator, Scope};

/// Operators of one cluster. Each costs a look at every write.
pub const OPERATORS_MAX: usize = 16;

/// First wait after a refusal, and the longest.
const BACKOFF: SimDuration = SimDuration::from_millis(5);
const BACKOFF_MAX: SimDuration = SimDuration::from_secs(1_000);

/// `source.component` of the events that operators post.
const COMPONENT: &str = "operator";

/// All operators and what they have to look at.
#[derive(Clone, Debug, Default)]
pub struct Operators {
    plans: Vec<Arc<Operator>>,
    /// Objects that are to be looked at.
    dirty: SortedSet<DocumentKey>,
    /// Refusals in a row, and when the object is tried again.
    failed: SortedMap<DocumentKey, (u32, SimTime)>,
    /// When the pass is due that is scheduled.
    due: Option<SimTime>,
}

impl Operators {
    /// Plans by name.
    pub fn plans(&self) -> &[Arc<Operator>] {
        &self.plans
    }

    /// Objects that wait for a pass.
    pub fn waiting(&self) -> u64 {
        self.dirty.len() as u64
    }

    /// Starts an operator, or replaces the one of its name.
    ///
    /// # Errors
    /// A sentence when there are too many.
    pub fn install(
        &mut self,
        operator: Arc<Operator>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), Sentence> {
        self.plans.retain(|known| known.name != operator.name);
        if self.plans.len() >= OPERATORS_MAX {
            return Err(catalogue::OPERATORS_MOST.with(&[("most", &OPERATORS_MAX)]));
        }
        let resource = operator.resource.clone();
        self.plans.push(operator);
        self.plans.arrange_by(|one, two| one.name.cmp(&two.name));
        turn.store.documents_mut().follow(true);
        self.stir_all(&resource, turn);
        Ok(())
    }

    /// Stops an operator. What it made stays. Returns whether there was one.
    pub fn remove(&mut self, name: &str, turn: &mut Turn<'_, '_>) -> bool {
        let before = self.plans.len();
        self.plans.retain(|known| &*known.name != name);
        turn.store.documents_mut().follow(!self.plans.is_empty());
        self.plans.len() < before
    }

    fn stir_all(&mut self, resource: &str, turn: &mut Turn<'_, '_>) {
        let all: Vec<DocumentKey> = turn
            .store
            .documents()
            .of(resource)
            .map(|(key, _)| key.clone())
            .collect();
        self.dirty.extend(all);
        self.arrange(turn);
    }

    /// Schedules the pass that the dirty objects need.
    fn arrange(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let soonest = self.dirty.iter().map(|key| {
            let tried = self.failed.get(key).map_or(SimTime::ZERO, |(_, at)| *at);
            tried.max(now + WATCH_LAG)
        });
        let Some(at) = soonest.min() else { return };
        if self.due.is_none_or(|due| due <= now || due > at) {
            self.due = Some(at);
            turn.at(at, Event::Sync(Key::Operators));
        }
    }

    /// Sees a write to a row: a child may have changed.
    pub fn observe(&mut self, change: Change, turn: &mut Turn<'_, '_>) {
        if self.plans.is_empty() {
            return;
        }
        let symbols = &turn.ctx.symbols;
        let key = |resource: &str, namespace, name| DocumentKey {
            resource: resource.into(),
            namespace: symbols.text(namespace).into(),
            name: symbols.text(name).into(),
        };
        let child = match change {
            Change::Deployment(id, _) => turn
                .store
                .deployment(id)
                .map(|row| key("deployments.apps", row.namespace, row.name)),
            Change::ReplicaSet(id, _) => turn.store.replica_set(id).map(|row| {
                let resource = match row.kind.api_version().split_once('/') {
                    Some((group, _)) => format!("{}.{group}", row.kind.plural()),
                    None => row.kind.plural().to_owned(),
                };
                key(&resource, row.namespace, row.name)
            }),
            Change::Service(id) => turn
                .store
                .service(id)
                .map(|row| key("services", row.namespace, row.name)),
            Change::Watched(id, _) => turn.store.watched(id).map(|row| row.key.clone()),
            Change::DeploymentRemoved(_)
            | Change::ReplicaSetRemoved(..)
            | Change::ServiceRemoved(_)
            | Change::WatchedRemoved(_)
            | Change::OwnerRemoved => {
                // What is gone no longer says whose it was.
                for plan in self.plans.clone() {
                    self.stir_all(&plan.resource, turn);
                }
                return;
            }
            Change::PodCreated(_)
            | Change::PodBound(_)
            | Change::PodStatus(_)
            | Change::PodTemplate(..)
            | Change::PodTerminating(_)
            | Change::PodRemoved(..)
            | Change::NodeAdded(_)
            | Change::NodeUpdated(_)
            | Change::NodeImages(_)
            | Change::NodeRemoved(..)
            | Change::NamespaceAdded
            | Change::NamespaceTerminating
            | Change::Stranded(_) => None,
        };
        if let Some(child) = child {
            self.stir(&child, turn);
            self.arrange(turn);
        }
    }

    /// Sees the documents that were written since the last time.
    pub fn observe_documents(&mut self, turn: &mut Turn<'_, '_>) {
        if self.plans.is_empty() {
            return;
        }
        for key in turn.store.documents_mut().take_stirred() {
            self.stir(&key, turn);
        }
        self.arrange(turn);
    }

    /// Marks an object that an operator looks after, or the one that a child belongs to.
    fn stir(&mut self, key: &DocumentKey, turn: &Turn<'_, '_>) {
        if self
            .plans
            .iter()
            .any(|plan| *plan.resource == *key.resource)
        {
            // A person's write is worth a try at once.
            self.failed.remove(key);
            self.dirty.insert(key.clone());
        }
        let Some(document) = turn.store.documents().get(key) else {
            return;
        };
        for owner in fields::list(&document.value, &["metadata", "ownerReferences"]) {
            let (version, kind) = (
                fields::text(owner, &["apiVersion"]),
                fields::text(owner, &["kind"]),
            );
            let Some(kind) = turn.store.kind_of_object(version, kind) else {
                continue;
            };
            let resource = kind.resource();
            if self.plans.iter().any(|plan| *plan.resource == *resource) {
                self.dirty.insert(DocumentKey {
                    resource: resource.into(),
                    namespace: if kind.namespaced {
                        key.namespace.clone()
                    } else {
                        "".into()
                    },
                    name: fields::text(owner, &["name"]).into(),
                });
            }
        }
    }

    /// One pass over the objects that are due.
    #[inline(never)]
    pub fn sync(&mut self, apiserver: &mut ApiServer, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        self.due = None;
        let ready: Vec<DocumentKey> = self
            .dirty
            .iter()
            .filter(|key| self.failed.get(*key).is_none_or(|(_, at)| *at <= now))
            .cloned()
            .collect();
        for key in ready {
            self.dirty.remove(&key);
            for plan in self.plans.clone() {
                if *plan.resource != *key.resource {
                    continue;
                }
                let before = turn.store.revision();
                let result = reconcile(&plan, &key, apiserver, turn);
                if turn.store.revision() == before {
                    // Nothing was written: what was only read stirs nobody.
                    turn.store.documents_mut().take_stirred();
                }
                match result {
                    Ok(()) => drop(self.failed.remove(&key)),
                    Err(refusal) => self.put_off(&key, &refusal, turn),
                }
            }
        }
        self.arrange(turn);
    }

    fn put_off(&mut self, key: &DocumentKey, refusal: &Refusal, turn: &mut Turn<'_, '_>) {
        let times = self.failed.get(key).map_or(0, |(times, _)| *times);
        let wait = BACKOFF
            .saturating_mul(1_u64 << times.min(20))
            .min(BACKOFF_MAX);
        self.failed
            .insert(key.clone(), (times + 1, turn.now() + wait));
        self.dirty.insert(key.clone());
        if let Some(kind) = turn.store.definitions().request_kind(&key.resource) {
            let object = object_of(kind, key, turn);
            let message = Message::Text((&*refusal.message).into());
            turn.warning(object, COMPONENT, "ReconcileError", message);
        }
    }
}

fn object_of(
    kind: &'static Kind,
    key: &DocumentKey,
    turn: &mut Turn<'_, '_>,
) -> (&'static str, crate::base::symbol::Symbol, Name) {
    (
        kind.kind,
        turn.ctx.symbols.intern(&key.namespace),
        Name::plain(turn.ctx.symbols.intern(&key.name)),
    )
}

/// Brings the children of one object to what its plan says.
fn reconcile(
    plan: &Operator,
    key: &DocumentKey,
    apiserver: &mut ApiServer,
    turn: &mut Turn<'_, '_>,
) -> Result<(), Refusal> {
    let Ok(kind) = known(&plan.resource, turn) else {
        return Ok(());
    };
    let Some(parent) = read(kind, &key.namespace, &key.name, turn) else {
        return Ok(());
    };
    if parent.path(&["metadata", "deletionTimestamp"]).is_some() {
        // Its children go with it, by their owner references.
        return Ok(());
    }
    let mut scope = Scope::new(parent.clone());
    let mut wanted: SortedSet<DocumentKey> = SortedSet::new();
    let mut complete = true;
    for child in &plan.children {
        match child.wanted(&scope) {
            Some(true) => {}
            Some(false) => continue,
            None => {
                complete = false;
                continue;
            }
        }
        let Some(mut object) = child.render(&scope) else {
            complete = false;
            continue;
        };
        own(&mut object, kind, &parent);
        let request = Request::As {
            manager: plan.name.clone(),
            request: Arc::new(Request::Apply {
                namespace: key.namespace.clone(),
                object,
                force: true,
                status: false,
            }),
        };
        let made = apiserver.request(&request, turn)?.object;
        if let Some(found) = child_key(&made, turn) {
            wanted.insert(found);
        }
        scope.child(&child.name, made);
    }
    if complete {
        prune(plan, kind, &parent, &wanted, apiserver, turn)?;
    }
    write_status(plan, kind, &parent, &scope, apiserver, turn)
}

/// The reference that makes an object a child: it is collected after its owner.
fn own(object: &mut Value, kind: &Kind, parent: &Value) {
    if kind.namespaced
        && let Some(namespace) = parent.str_at(&["metadata", "namespace"])
    {
        object.set_path(&["metadata", "namespace"], namespace.into());
    }
    let text = |field| parent.str_at(&["metadata", field]).unwrap_or("");
    let reference = Value::object([
        ("apiVersion", Value::from(kind.api_version)),
        ("kind", kind.kind.into()),
        ("name", text("name").into()),
        ("uid", text("uid").into()),
        ("controller", true.into()),
        ("blockOwnerDeletion", true.into()),
    ]);
    object.set_path(
        &["metadata", "ownerReferences"],
        Value::list(vec![reference]),
    );
}

fn child_key(object: &Value, turn: &Turn<'_, '_>) -> Option<DocumentKey> {
    let kind = turn
        .store
        .kind_of_object(object.str_at(&["apiVersion"])?, object.str_at(&["kind"])?)?;
    let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
    Some(DocumentKey {
        resource: kind.resource().into(),
        namespace: if kind.namespaced { namespace } else { "" }.into(),
        name: object.str_at(&["metadata", "name"])?.into(),
    })
}

/// Deletes children that the object no longer wants.
fn prune(
    plan: &Operator,
    kind: &Kind,
    parent: &Value,
    wanted: &SortedSet<DocumentKey>,
    apiserver: &mut ApiServer,
    turn: &mut Turn<'_, '_>,
) -> Result<(), Refusal> {
    let uid = parent.str_at(&["metadata", "uid"]).unwrap_or("");
    let mut gone = Vec::new();
    let mut seen: SortedSet<String> = SortedSet::new();
    for child in &plan.children {
        let (version, name) = child.kind();
        let Some(found) = turn.store.kind_of_object(version, name) else {
            continue;
        };
        if !seen.insert(found.resource()) {
            continue;
        }
        for (key, document) in turn.store.documents().of(&found.resource()) {
            let owners = fields::list(&document.value, &["metadata", "ownerReferences"]);
            let own = owners.iter().any(|owner| {
                fields::text(owner, &["uid"]) == uid && fields::text(owner, &["kind"]) == kind.kind
            });
            if own && !wanted.contains(key) && document.deletion.is_none() {
                gone.push((found, key.clone()));
            }
        }
    }
    for (kind, key) in gone {
        let request = Request::As {
            manager: plan.name.clone(),
            request: Arc::new(Request::Delete {
                kind: kind.request_name().into(),
                namespace: key.namespace.clone(),
                name: key.name.clone(),
                propagation: Some(Propagation::Background),
                grace_seconds: None,
            }),
        };
        apiserver.request(&request, turn)?;
    }
    Ok(())
}

/// Writes the object's status, if its definition has one and the plan says what goes there.
fn write_status(
    plan: &Operator,
    kind: &Kind,
    parent: &Value,
    scope: &Scope,
    apiserver: &mut ApiServer,
    turn: &mut Turn<'_, '_>,
) -> Result<(), Refusal> {
    let Some(status) = plan.status(scope) else {
        return Ok(());
    };
    if parent.get("status") == Some(&status) {
        return Ok(());
    }
    let mut object = parent.clone();
    object.set("status", status);
    object.remove_path(&["metadata", "managedFields"]);
    let namespace = parent.str_at(&["metadata", "namespace"]).unwrap_or("");
    let request = Request::As {
        manager: plan.name.clone(),
        request: Arc::new(Request::UpdateStatus {
            object,
            namespace: if kind.namespaced { namespace } else { "" }.into(),
        }),
    };
    apiserver.request(&request, turn)?;
    Ok(())
}
