//! Who depends on whom: what refers to an owner, by the owner's uid and by its name, and what has to
//! be looked at since a reference or an owner came, went or changed. Kept with every write, so that a
//! pass of the garbage collector costs what changed, however many objects there are.
//! Source: `pkg/controller/garbagecollector/graph_builder.go` (`uidToNode`, `processGraphChanges`).
//!
//! ```text
//! write of an item: its references    ──▶ links: (owner's uid, item), names: (owner's name, item)
//!                   they differ       ──▶ fresh: the item is looked at
//! write of an owner: came, goes, gone ──▶ touched ──(names)──▶ fresh: its dependents are
//! ```

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::base::name::Name;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::{Symbol, Symbols};
use crate::kube::rows::{PodId, read};
use crate::manifest::value::Value;

use super::Store;
use super::document::{Document, DocumentKey, RowReference};

/// Finalizer of an object whose dependents are to go first.
/// Source: `staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go` (`FinalizerDeleteDependents`).
pub const FOREGROUND: &str = "foregroundDeletion";

/// Finalizer of an object whose dependents are to stay. Source: as above, `FinalizerOrphanDependents`.
pub const ORPHAN: &str = "orphan";

/// Where an object keeps its references to owners.
pub const REFERENCES: [&str; 2] = ["metadata", "ownerReferences"];

/// Something that has owners, in the order in which a pass looks: documents first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependent {
    /// A document with references.
    Document(DocumentKey),
    /// A pod with references of its own.
    Pod(PodId),
}

/// Namespace of a dependent: documents keep its text, pods its symbol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Text(Arc<str>),
    /// By the symbol's number; no order that matters comes of it.
    Symbol(u32),
}

/// An owner that is a row without a document: resource, namespace if it has one, name.
#[derive(Clone, Copy, Debug)]
pub struct RowOwner {
    /// Resource with group.
    pub resource: &'static str,
    /// Namespace.
    pub namespace: Option<Symbol>,
    /// Name.
    pub name: Name,
}

/// The index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Links {
    /// Owner's uid and dependent; whether the dependent is to go before the owner.
    of_uid: SortedMap<(Arc<str>, Dependent), bool>,
    /// Owner's name, dependent's namespace, dependent.
    of_name: SortedSet<(Arc<str>, Place, Dependent)>,
    /// What goes and has [`ORPHAN`].
    orphaning: SortedSet<DocumentKey>,
    /// What goes and has [`FOREGROUND`] or a row that says so.
    waiting: SortedSet<DocumentKey>,
}

/// The index, and what is to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Dependents {
    links: Arc<Links>,
    fresh: SortedSet<Dependent>,
    /// Owners, named by something, that came, went or changed how they go.
    touched: SortedSet<DocumentKey>,
    rows: Vec<RowOwner>,
    gone: SortedSet<DocumentKey>,
    /// Whether everything that has owners is to be looked at.
    all: bool,
    /// Links that were taken off since the pass began that goes on.
    taken: Option<SortedMap<(Arc<str>, Dependent), bool>>,
}

/// What the index takes from a document.
#[derive(Clone, Debug, Default, PartialEq)]
struct Ties {
    references: Option<Value>,
    goes: bool,
    orphans: bool,
    waits: bool,
}

impl Ties {
    fn of(document: &Document) -> Self {
        let goes = document.is_going();
        let has_row = matches!(
            document.row,
            RowReference::Deployment(_) | RowReference::ReplicaSet(_)
        );
        Self {
            references: document.value.path(&REFERENCES).cloned(),
            goes,
            orphans: goes && document.has_finalizer(ORPHAN),
            waits: goes && (has_row || document.has_finalizer(FOREGROUND)),
        }
    }

    fn list(&self) -> &[Value] {
        let list = self.references.as_ref().and_then(Value::as_list);
        list.unwrap_or(&[])
    }
}

/// A document that is being written; the index has it when the writer lets go.
#[derive(Debug)]
pub struct Writing<'a> {
    key: &'a DocumentKey,
    document: &'a mut Document,
    dependents: &'a mut Dependents,
    before: Ties,
}

impl<'a> Writing<'a> {
    pub(super) fn new(
        key: &'a DocumentKey,
        document: &'a mut Document,
        dependents: &'a mut Dependents,
    ) -> Self {
        let before = Ties::of(document);
        Self {
            key,
            document,
            dependents,
            before,
        }
    }
}

impl Deref for Writing<'_> {
    type Target = Document;

    fn deref(&self) -> &Document {
        self.document
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut Document {
        self.document
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let after = Ties::of(self.document);
        if after != self.before {
            self.dependents.changed(self.key, &self.before, &after);
        }
    }
}

impl Links {
    fn set(&mut self, item: &Dependent, place: &Place, references: &[Value]) {
        for reference in references {
            let part = |field: &str| Arc::from(read::text(reference, &[field]));
            let blocks = read::truth(reference, &["blockOwnerDeletion"]);
            let link = (part("uid"), item.clone());
            *self.of_uid.entry(link).or_default() |= blocks;
            self.of_name
                .insert((part("name"), place.clone(), item.clone()));
        }
    }

    fn list(&mut self, key: &DocumentKey, ties: &Ties) {
        let mut put = |listed: bool, list: fn(&mut Self) -> &mut SortedSet<DocumentKey>| {
            if listed {
                list(self).insert(key.clone());
            } else if list(self).contains(key) {
                list(self).remove(key);
            }
        };
        put(ties.orphans, |links| &mut links.orphaning);
        put(ties.waits, |links| &mut links.waiting);
    }

    /// Whether anything names an owner so.
    fn names(&self, name: &Arc<str>) -> bool {
        let from = (name.clone(), Place::Text("".into()), Dependent::least());
        let mut named = self.of_name.since(&from);
        named.next().is_some_and(|(known, _, _)| known == name)
    }

    /// What names an owner so in a namespace; in all: what it names is of the whole cluster.
    fn named(&self, name: &Arc<str>, place: Option<Place>) -> Vec<Dependent> {
        let from = place.clone().unwrap_or(Place::Text("".into()));
        self.of_name
            .since(&(name.clone(), from, Dependent::least()))
            .take_while(|(known, at, _)| {
                known == name && place.as_ref().is_none_or(|place| at == place)
            })
            .map(|(_, _, item)| item.clone())
            .collect()
    }
}

impl Dependent {
    fn least() -> Self {
        let nothing: Arc<str> = "".into();
        Self::Document(DocumentKey {
            resource: nothing.clone(),
            namespace: nothing.clone(),
            name: nothing,
        })
    }
}

fn range<'a>(
    links: &'a SortedMap<(Arc<str>, Dependent), bool>,
    uid: &str,
) -> impl Iterator<Item = (&'a Dependent, bool)> {
    let uid: Arc<str> = uid.into();
    links
        .since(&(uid.clone(), Dependent::least()))
        .take_while(move |((of, _), _)| *of == uid)
        .map(|((_, item), blocks)| (item, *blocks))
}

impl Dependents {
    fn untie(&mut self, item: &Dependent, place: &Place, references: &[Value]) {
        if references.is_empty() {
            return;
        }
        let links = Arc::make_mut(&mut self.links);
        for reference in references {
            let part = |field: &str| Arc::from(read::text(reference, &[field]));
            let link = (part("uid"), item.clone());
            if let Some(blocks) = links.of_uid.remove(&link)
                && let Some(taken) = &mut self.taken
            {
                *taken.entry(link).or_default() |= blocks;
            }
            links
                .of_name
                .remove(&(part("name"), place.clone(), item.clone()));
        }
    }

    fn tie(&mut self, item: Dependent, place: &Place, references: &[Value]) {
        if references.is_empty() {
            self.fresh.remove(&item);
            return;
        }
        Arc::make_mut(&mut self.links).set(&item, place, references);
        self.fresh.insert(item);
    }

    pub(super) fn added(&mut self, key: &DocumentKey, document: &Document) {
        self.changed(key, &Ties::default(), &Ties::of(document));
        self.touch(key);
    }

    pub(super) fn removed(&mut self, key: &DocumentKey, document: &Document) {
        self.changed(key, &Ties::of(document), &Ties::default());
        self.touch(key);
        if self.touched.contains(key) {
            self.gone.insert(key.clone());
        }
    }

    fn changed(&mut self, key: &DocumentKey, before: &Ties, after: &Ties) {
        if before.references != after.references {
            let place = Place::Text(key.namespace.clone());
            let item = Dependent::Document(key.clone());
            self.untie(&item, &place, before.list());
            self.tie(item, &place, after.list());
        }
        if (before.orphans, before.waits) != (after.orphans, after.waits) {
            Arc::make_mut(&mut self.links).list(key, after);
        }
        if before.goes || after.goes {
            self.touch(key);
        }
    }

    fn touch(&mut self, key: &DocumentKey) {
        if self.links.names(&key.name) {
            self.touched.insert(key.clone());
        }
    }

    /// Notes the references of a pod, which had others `before`.
    pub(super) fn pod(&mut self, pod: PodId, namespace: Symbol, before: &[Value], after: &[Value]) {
        let place = Place::Symbol(namespace.number());
        let item = Dependent::Pod(pod);
        self.untie(&item, &place, before);
        self.tie(item, &place, after);
    }

    /// Says that an owner without a document went, or how it goes.
    pub(super) fn row(&mut self, owner: RowOwner) {
        self.rows.push(owner);
    }

    pub(super) const fn touch_all(&mut self) {
        self.all = true;
    }
}

impl Store {
    /// What refers to an owner, in order; whether it is to go before the owner.
    pub fn dependents_of(&self, uid: &str) -> impl Iterator<Item = (&Dependent, bool)> {
        range(&self.documents.dependents().links.of_uid, uid)
    }

    /// Everything that has owners, in order.
    pub fn dependents(&self) -> SortedSet<Dependent> {
        let links = self.documents.dependents().links.of_name.iter();
        links.map(|(_, _, item)| item.clone()).collect()
    }

    /// Objects that go and leave their dependents, by key.
    pub fn orphaning(&self) -> Vec<DocumentKey> {
        let links = &self.documents.dependents().links;
        links.orphaning.iter().cloned().collect()
    }

    /// Objects that go after their dependents, and controllers of pods that go, by key.
    pub fn waiting(&self) -> Vec<DocumentKey> {
        let links = &self.documents.dependents().links;
        links.waiting.iter().cloned().collect()
    }

    /// Says that a pass looks at everything that has owners, as after a list.
    pub const fn look_at_all_dependents(&mut self) {
        self.documents.dependents_mut().touch_all();
    }

    /// Begins a pass: what is taken off from now on is kept until its end. Answers which owners that
    /// something names have gone since the last one.
    pub fn begin_pass(&mut self) -> SortedSet<DocumentKey> {
        let all = self.dependents_due();
        let dependents = self.documents.dependents_mut();
        dependents.fresh.extend(all);
        dependents.taken = Some(SortedMap::new());
        std::mem::take(&mut dependents.gone)
    }

    /// Ends a pass.
    pub fn end_pass(&mut self) {
        self.documents.dependents_mut().taken = None;
    }

    fn dependents_due(&mut self) -> SortedSet<Dependent> {
        if std::mem::take(&mut self.documents.dependents_mut().all) {
            self.dependents()
        } else {
            SortedSet::new()
        }
    }

    /// Whether an owner that something names has gone since the pass began.
    pub fn has_gone(&self, owner: &DocumentKey) -> bool {
        self.documents.dependents().gone.contains(owner)
    }

    /// What referred to an owner when the pass began, and does not any more.
    pub fn dependents_taken(&self, uid: &str) -> impl Iterator<Item = (&Dependent, bool)> {
        let taken = self.documents.dependents().taken.as_ref();
        taken.into_iter().flat_map(move |taken| range(taken, uid))
    }

    /// The next item after one that is to be looked at.
    pub fn next_fresh(
        &mut self,
        after: Option<&Dependent>,
        symbols: &Symbols,
    ) -> Option<Dependent> {
        let dependents = self.documents.dependents_mut();
        dependents.spread(symbols);
        let mut fresh = match after {
            Some(after) => dependents.fresh.since(after),
            None => dependents.fresh.iter(),
        };
        let next = fresh.find(|item| Some(*item) != after)?.clone();
        dependents.fresh.remove(&next);
        Some(next)
    }

    /// Whether the index is of what is there: for soak runs.
    pub fn dependents_agree(&self) -> bool {
        let mut anew = Links::default();
        for (key, document) in self.documents.iter() {
            let ties = Ties::of(document);
            let item = Dependent::Document(key.clone());
            anew.set(&item, &Place::Text(key.namespace.clone()), ties.list());
            anew.list(key, &ties);
        }
        for (pod, row) in self.pods() {
            let namespace = self.template(row.template).namespace;
            let owners = self.pod_details(pod).owners();
            anew.set(
                &Dependent::Pod(pod),
                &Place::Symbol(namespace.number()),
                owners,
            );
        }
        let foreground = self.replica_sets().filter(|(_, row)| row.foreground);
        let foreground: SortedSet<_> = foreground.map(|(id, _)| id).collect();
        anew == *self.documents.dependents().links && foreground == self.foreground
    }
}

impl Dependents {
    /// From owners to what names them.
    fn spread(&mut self, symbols: &Symbols) {
        for row in std::mem::take(&mut self.rows) {
            let namespace = row.namespace.map_or("", |symbol| symbols.text(symbol));
            let key = DocumentKey {
                resource: row.resource.into(),
                namespace: namespace.into(),
                name: row.name.text(symbols).into(),
            };
            self.touch(&key);
            if self.touched.contains(&key) {
                self.gone.insert(key);
            }
        }
        for key in std::mem::take(&mut self.touched) {
            if key.namespace.is_empty() {
                self.fresh.extend(self.links.named(&key.name, None));
                continue;
            }
            let symbol = symbols
                .get(&key.namespace)
                .map(|symbol| Place::Symbol(symbol.number()));
            // What is of the whole cluster and yet names it cannot have it for an owner.
            let places = [Place::Text(key.namespace), Place::Text("".into())];
            for place in places.into_iter().chain(symbol) {
                self.fresh.extend(self.links.named(&key.name, Some(place)));
            }
        }
    }
}
