//! Watches: what changes while simulated time passes, one event for each write.
//! Sources: `staging/src/k8s.io/apiserver/pkg/storage/cacher`, `k8s.io/kubectl/pkg/cmd/get/get.go`.
//!
//! ```text
//! Scope ──▶ Watcher (objects as last sent) ──look after every event──▶ ADDED, MODIFIED, DELETED
//! ```
//! A watch of the real tools has no end; here it ends with `--request-timeout`, or when the cluster
//! has converged. What was before the present is found by replaying the run from its last snapshot,
//! so that the store keeps no old versions of objects.

use crate::base::arrange::Arrange;
use crate::base::labels::Selector;
use crate::base::sentence::catalogue;
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::console::{after, no_world};
use crate::engine::command::Orchestrator;
use crate::engine::history::History;
use crate::engine::world::World;
use crate::kube::kinds::Kind;
use crate::kube::render::View;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json, json_pretty, yaml};

use super::printers::{self, Format};
use super::problem::Problem;
use super::{Call, apply, get, name_of, selectors};

/// A watch without a time-out that never converges is left after this long.
const PATIENCE: SimDuration = SimDuration::from_secs(300);

/// Time between two compactions. Source: `--etcd-compaction-interval` of kube-apiserver.
pub const COMPACTION: SimDuration = SimDuration::from_secs(300);

/// Which objects.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Their kind.
    pub kind: &'static Kind,
    /// Their namespace, or all.
    pub namespace: Option<String>,
    /// Their name, or all.
    pub name: Option<String>,
    /// `labelSelector`.
    pub labels: Option<Selector>,
    /// `fieldSelector`.
    pub fields: Vec<(String, String, bool)>,
}

impl Scope {
    /// The objects as they are, by namespace and name.
    ///
    /// # Errors
    /// Fields that the kind cannot be selected by.
    pub fn objects(&self, view: &View<'_>) -> Result<Vec<Value>, Problem> {
        let namespace = self.namespace.as_deref();
        let mut found = match &self.labels {
            Some(labels) => view.list_selected(self.kind, namespace, labels),
            None => view.list(self.kind, namespace),
        };
        if let Some(name) = &self.name {
            found.retain(|object| name_of(object) == name);
        }
        let mut kept = Vec::new();
        for object in found {
            if selectors::fields_match(&self.fields, &object) {
                kept.push(object);
            }
        }
        Ok(kept)
    }
}

/// One event of a watch.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `ADDED`, `MODIFIED`, `DELETED`.
    pub word: &'static str,
    /// The object; of a deleted one its last state.
    pub object: Value,
}

/// What a watch has sent so far.
#[derive(Clone, Debug)]
pub struct Watcher {
    scope: Scope,
    known: SortedMap<(String, String), Value>,
    revision: u32,
}

fn key(object: &Value) -> (String, String) {
    let text = |field| object.str_at(&["metadata", field]).unwrap_or("").to_owned();
    (text("namespace"), text("name"))
}

/// Whether nothing but the version is another: of a lease that was not renewed meanwhile, or a Service's
/// address.
fn is_unrenewed(new: &Value, old: &Value) -> bool {
    matches!(new.str_at(&["kind"]), Some("IPAddress" | "Lease"))
        && new.get("spec") == old.get("spec")
        && {
            let labels = |object: &Value| object.path(&["metadata", "labels"]).cloned();
            labels(new) == labels(old)
        }
}

/// `metadata.resourceVersion` as a number.
pub fn version(object: &Value) -> u32 {
    object
        .str_at(&["metadata", "resourceVersion"])
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

impl Watcher {
    /// Begins with what is there.
    ///
    /// # Errors
    /// As [`Scope::objects`].
    pub fn new(scope: Scope, view: &View<'_>) -> Result<Self, Problem> {
        let objects = scope.objects(view)?;
        let known = objects.into_iter().map(|one| (key(&one), one)).collect();
        Ok(Self {
            scope,
            known,
            revision: view.store.revision(),
        })
    }

    /// What was sent last, by namespace and name.
    pub fn known(&self) -> impl Iterator<Item = &Value> {
        self.known.values()
    }

    /// What the writes since the last look did, in their order.
    ///
    /// # Errors
    /// As [`Scope::objects`].
    pub fn look(&mut self, view: &View<'_>) -> Result<Vec<Seen>, Problem> {
        if view.store.revision() == self.revision {
            return Ok(Vec::new());
        }
        self.revision = view.store.revision();
        let objects = self.scope.objects(view)?;
        let mut now: SortedMap<(String, String), Value> =
            objects.into_iter().map(|one| (key(&one), one)).collect();
        let mut seen = Vec::new();
        let uid = |object: &Value| object.str_at(&["metadata", "uid"]).map(str::to_owned);
        for (name, old) in std::mem::take(&mut self.known) {
            match now.get(&name) {
                Some(new) if uid(new) == uid(&old) => {
                    if version(new) != version(&old) && !is_unrenewed(new, &old) {
                        seen.push(Seen {
                            word: "MODIFIED",
                            object: new.clone(),
                        });
                    }
                    self.known
                        .insert(name.clone(), now.remove(&name).unwrap_or_default());
                }
                _ => {
                    let mut object = old;
                    let text = self.revision.to_string();
                    object.set_path(&["metadata", "resourceVersion"], text.into());
                    seen.push(Seen {
                        word: "DELETED",
                        object,
                    });
                }
            }
        }
        for (name, object) in now {
            self.known.insert(name, object.clone());
            seen.push(Seen {
                word: "ADDED",
                object,
            });
        }
        seen.arrange_by_key(|seen| (version(&seen.object), seen.word != "DELETED"));
        Ok(seen)
    }
}

fn view_of(history: &History) -> Result<View<'_>, Problem> {
    let world: Option<&World> = history.lab().world(Orchestrator::Kubernetes);
    let world = world.ok_or_else(|| no_world(Orchestrator::Kubernetes))?;
    let plane = world
        .kube()
        .ok_or_else(|| no_world(Orchestrator::Kubernetes))?;
    Ok(plane.view(&world.symbols, &world.substrate, world.now, world.seed))
}

/// The run as far back as the API server remembers: the last compaction but one.
fn remembered(history: &History) -> (History, SimTime) {
    let now = history.now();
    let interval = COMPACTION.as_micros();
    let rounds = now.as_micros() / interval;
    let from = SimTime::from_micros(rounds.saturating_sub(1) * interval);
    let mut past = history.clone();
    if from == SimTime::ZERO {
        past.begin();
    } else {
        past.seek(from);
    }
    (past, now)
}

/// The revision up to which history is compacted away: 0 in the first ten minutes.
///
/// # Errors
/// A session without Kubernetes.
pub fn compacted(history: &History) -> Result<u32, Problem> {
    let (past, _) = remembered(history);
    if past.now() == SimTime::ZERO {
        return Ok(0);
    }
    Ok(view_of(&past)?.store.revision())
}

/// What a watch from `revision` on sends of the past, and the watcher that goes on from the present.
///
/// # Errors
/// As [`Scope::objects`].
pub fn replay(
    history: &History,
    scope: Scope,
    revision: u32,
) -> Result<(Watcher, Vec<Seen>), Problem> {
    let (mut past, now) = remembered(history);
    let mut watcher = Watcher::new(scope, &view_of(&past)?)?;
    let mut seen = Vec::new();
    loop {
        let reached = past.step(now);
        seen.extend(watcher.look(&view_of(&past)?)?);
        if reached {
            break;
        }
    }
    seen.retain(|seen| version(&seen.object) > revision);
    Ok((watcher, seen))
}

/// The objects as they were at `revision`, which is not compacted.
///
/// # Errors
/// As [`Scope::objects`].
pub fn objects_at(history: &History, scope: Scope, revision: u32) -> Result<Vec<Value>, Problem> {
    let (mut past, now) = remembered(history);
    let mut watcher = Watcher::new(scope, &view_of(&past)?)?;
    let mut known = watcher.known.clone();
    loop {
        let reached = past.step(now);
        for seen in watcher.look(&view_of(&past)?)? {
            if version(&seen.object) > revision {
                continue;
            }
            if seen.word == "DELETED" {
                known.remove(&key(&seen.object));
            } else {
                known.insert(key(&seen.object), seen.object);
            }
        }
        if reached || view_of(&past)?.store.revision() > revision {
            break;
        }
    }
    Ok(known.into_values().collect())
}

/// How long a watch lasts, and whether it ends with convergence.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// When it is over.
    pub until: SimTime,
    /// Whether a cluster that has converged ends it.
    pub settles: bool,
}

impl Span {
    /// The time-out that is given, or else until the cluster has converged.
    ///
    /// # Errors
    /// A text that is no duration.
    pub fn of(call: &Call<'_>, timeout: Option<&str>) -> Result<Self, Problem> {
        match timeout.filter(|text| *text != "0") {
            Some(text) => {
                let plain = text.bytes().all(|byte| byte.is_ascii_digit());
                let text = if plain {
                    format!("{text}s")
                } else {
                    text.to_owned()
                };
                Ok(Self {
                    until: call.now() + apply::duration(&text)?,
                    settles: false,
                })
            }
            None => Ok(Self {
                until: call.now() + PATIENCE,
                settles: true,
            }),
        }
    }
}

/// Lets time pass until the watch is over; `each` prints what is seen.
///
/// # Errors
/// As [`Scope::objects`].
pub fn follow(
    call: &mut Call<'_>,
    watcher: &mut Watcher,
    span: Span,
    each: &mut dyn FnMut(&mut Call<'_>, Seen) -> Result<(), Problem>,
) -> Result<(), Problem> {
    if !call.session.wait {
        return Ok(());
    }
    loop {
        if span.settles && call.session.history.lab().converged() {
            // What was queued for this very moment still counts.
            let now = call.now();
            call.session.history.advance_to(now);
            break;
        }
        let reached = call.session.history.step(span.until);
        for seen in watcher.look(&call.view()?)? {
            each(call, seen)?;
        }
        if reached {
            break;
        }
    }
    if span.settles {
        let at = call.now();
        let left = if call.session.history.lab().converged() {
            catalogue::WATCH_CONVERGED
        } else {
            catalogue::WATCH_LEFT
        };
        let said = left.with(&[("at", &at)]);
        let said = said.advise(catalogue::WATCH_LONGER.plain());
        call.stderr.push(after("podium: ", said).then("\n"));
    }
    Ok(())
}

/// `get --watch`, `get --watch-only`.
///
/// # Errors
/// Several resources, unknown ones, and absent objects.
pub fn watch(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let mut namespace = call.namespace.clone();
    let targets = if call.arguments.has_files() {
        if !words.is_empty() {
            return Err(get::both());
        }
        let (items, problems) = apply::items(call)?;
        Problem::all(problems)?;
        if let Some(item) = items.first() {
            item.namespace().clone_into(&mut namespace);
        }
        let named = items.iter().map(|item| {
            let name = name_of(&item.object).to_owned();
            (item.kind, Some(name))
        });
        named.collect()
    } else {
        call.targets(words)?
    };
    let [(kind, name)] = targets.as_slice() else {
        return Err(super::builder::several());
    };
    let everywhere = call.arguments.on("all-namespaces");
    if let Some(name) = name
        && call.read(kind, &namespace, name)?.is_none()
    {
        return Err(Problem::server(&crate::kube::Refusal::not_found(
            kind, name,
        )));
    }
    let fields = call.field_selector()?;
    selectors::check_fields(call, kind, &fields)?;
    let scope = Scope {
        kind,
        namespace: (!everywhere && kind.namespaced).then_some(namespace),
        name: name.clone(),
        labels: selectors::selector(call, kind)?,
        fields,
    };
    if name.is_none() && !call.arguments.on("watch-only") {
        call.may("list", kind, scope.namespace.as_deref().unwrap_or(""), "")?;
    }
    let (place, one) = (scope.namespace.as_deref().unwrap_or(""), name.as_deref());
    call.may("watch", kind, place, one.unwrap_or(""))?;
    let timeout = call.arguments.flag("request-timeout").map(str::to_owned);
    let span = Span::of(call, timeout.as_deref())?;
    let mut watcher = Watcher::new(scope, &call.view()?)?;
    let mut printer = Printer::new(call);
    if !call.arguments.on("watch-only") {
        let first: Vec<Value> = watcher.known().cloned().collect();
        printer.print(call, kind, "ADDED", &first)?;
    }
    let kind: &'static Kind = kind;
    follow(call, &mut watcher, span, &mut |call, seen| {
        printer.print(call, kind, seen.word, &[seen.object])
    })
}

/// `events --watch`: what is there, and what comes.
/// Source: `k8s.io/kubectl/pkg/cmd/events/events.go` (`runWatch`).
///
/// # Errors
/// Whoever may not watch them.
pub fn events(
    call: &mut Call<'_>,
    kind: &'static Kind,
    namespace: Option<String>,
    wanted: &dyn Fn(&Value) -> bool,
) -> Result<(), Problem> {
    call.may("watch", kind, namespace.as_deref().unwrap_or(""), "")?;
    let scope = Scope {
        kind,
        namespace,
        name: None,
        labels: None,
        fields: Vec::new(),
    };
    let timeout = call.arguments.flag("request-timeout").map(str::to_owned);
    let span = Span::of(call, timeout.as_deref())?;
    let mut watcher = Watcher::new(scope, &call.view()?)?;
    let mut header = !call.arguments.on("no-headers");
    let mut widths = Vec::new();
    let mut print = |call: &mut Call<'_>, event: Value| {
        if !wanted(&event) {
            return Ok(());
        }
        if *call.format != Format::Plain {
            return printers::print(call, &[(kind, event)], false, true);
        }
        let table = get::event_table(call, kind, &[event]);
        let text = table.kubectl_on(std::mem::take(&mut header), &mut widths);
        call.stdout.push_str(&text);
        Ok(())
    };
    let first: Vec<Value> = watcher.known().cloned().collect();
    for event in first {
        print(call, event)?;
    }
    follow(
        call,
        &mut watcher,
        span,
        &mut |call, seen| match seen.word {
            "DELETED" => Ok(()),
            _ => print(call, seen.object),
        },
    )
}

/// Prints objects as they come; columns stay as wide as they have been.
struct Printer {
    events: bool,
    header: bool,
    widths: Vec<usize>,
    first: bool,
}

impl Printer {
    fn new(call: &Call<'_>) -> Self {
        Self {
            events: call.arguments.on("output-watch-events"),
            header: !call.arguments.on("no-headers"),
            widths: Vec::new(),
            first: true,
        }
    }

    fn print(
        &mut self,
        call: &mut Call<'_>,
        kind: &'static Kind,
        word: &str,
        objects: &[Value],
    ) -> Result<(), Problem> {
        if objects.is_empty() {
            return Ok(());
        }
        let format = call.format.clone();
        if let Format::Plain | Format::Wide = *format {
            let group: Vec<(&'static Kind, Value)> = objects
                .iter()
                .map(|object| (kind, object.clone()))
                .collect();
            let wide = *format == Format::Wide;
            let show_kind = call.arguments.on("show-kind");
            let mut table = get::table(call, kind, &group, show_kind, wide);
            if self.events {
                table.header.insert(0, "EVENT".to_owned());
                for row in &mut table.rows {
                    row.insert(0, word.to_owned());
                }
            }
            let text = table.kubectl_on(std::mem::take(&mut self.header), &mut self.widths);
            call.stdout.push_str(&text);
            return Ok(());
        }
        for object in objects {
            let document = if self.events {
                Value::object([("type", Value::from(word)), ("object", object.clone())])
            } else {
                object.clone()
            };
            match *format {
                Format::Json if self.events => call.say(&json_pretty(&document, KeyOrder::Stored)),
                Format::Json => call.say(&json_pretty(&document, KeyOrder::Sorted)),
                Format::Yaml => {
                    if !std::mem::take(&mut self.first) {
                        call.say("---");
                    }
                    call.stdout.push_str(&yaml(&document));
                }
                _ => printers::print(call, &[(kind, object.clone())], false, true)?,
            }
        }
        Ok(())
    }
}

/// An event as the API server writes it.
pub fn line(word: &str, object: &Value) -> String {
    let object = json(object, KeyOrder::Sorted);
    format!("{{\"type\":\"{word}\",\"object\":{object}}}")
}
