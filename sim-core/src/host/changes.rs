//! What applying an edit made of the objects: fields and their owners in Kubernetes, a service's
//! specification in Swarm. Compose keeps neither; its client says which containers it made anew.

use crate::console::kubectl::apply;
use crate::console::open::Opened;
use crate::console::{Session, unified};
use crate::engine::command::Orchestrator;
use crate::kube::apiserver::changes::Owned;
use crate::kube::kinds::Kind;
use crate::kube::render::View;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json, yaml};
use crate::protocol::{Change, FieldLine};

/// Objects that are compared at most.
const OBJECTS_MAX: usize = 200;

/// Characters of a value that are shown.
const VALUE_MAX: usize = 120;

/// An object of Kubernetes as it was before.
struct Object {
    kind: &'static Kind,
    namespace: String,
    name: String,
    was: Option<Owned>,
}

/// Everything as it was before.
pub struct Before {
    objects: Vec<Object>,
    services: Vec<Service>,
}

/// A service's version and specification.
struct Service {
    name: String,
    version: u64,
    spec: String,
}

fn view(session: &Session) -> Option<View<'_>> {
    let world = session.world(Orchestrator::Kubernetes).ok()?;
    let plane = world.kube()?;
    Some(plane.view(&world.symbols, &world.substrate, world.now, world.seed))
}

/// What an edit may change, before it does.
pub fn before(session: &Session, opened: &Opened) -> Before {
    let mut objects = Vec::new();
    if let Some(view) = view(session) {
        for object in opened.objects().take(OBJECTS_MAX) {
            let text = |path: &[&str]| object.str_at(path).unwrap_or("").to_owned();
            let (version, word) = (text(&["apiVersion"]), text(&["kind"]));
            let Some(kind) = view.store.kind_of_object(&version, &word) else {
                continue;
            };
            let (namespace, name) = (
                text(&["metadata", "namespace"]),
                text(&["metadata", "name"]),
            );
            let was = view.owned(kind, &namespace, &name);
            objects.push(Object {
                kind,
                namespace,
                name,
                was,
            });
        }
    }
    Before {
        objects,
        services: services(session),
    }
}

/// What has changed since.
pub fn since(before: &Before, session: &Session) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(view) = view(session) {
        for object in &before.objects {
            let now = view.owned(object.kind, &object.namespace, &object.name);
            let Some(now) = now else { continue };
            let mut change = Change {
                orchestrator: Orchestrator::Kubernetes.name().to_owned(),
                object: format!("{}/{}", object.kind.kind.to_lowercase(), object.name),
                word: "created".to_owned(),
                manager: apply::MANAGER.to_owned(),
                ..Change::default()
            };
            if let Some(was) = &object.was {
                let found = view.changes(object.kind, was, &now, apply::MANAGER);
                // An object of which nothing but what others own is to be told was not written.
                if found.iter().all(|field| field.fate.word() == "kept") {
                    continue;
                }
                "configured".clone_into(&mut change.word);
                change.fields = found
                    .into_iter()
                    .map(|field| FieldLine {
                        path: field.path,
                        fate: field.fate.word().to_owned(),
                        before: value(field.before.as_ref()),
                        after: value(field.after.as_ref()),
                        owners: field.owners,
                    })
                    .collect();
            }
            changes.push(change);
        }
    }
    for now in services(session) {
        let was = before.services.iter().find(|was| was.name == now.name);
        let word = match was {
            None => "created",
            Some(was) if was.spec == now.spec => continue,
            Some(_) => "updated",
        };
        changes.push(Change {
            orchestrator: Orchestrator::Swarm.name().to_owned(),
            object: format!("service/{}", now.name),
            word: word.to_owned(),
            versions: was.map_or((0, 0), |was| (was.version, now.version)),
            text: was.map_or_else(String::new, |was| unified::hunks(&was.spec, &now.spec)),
            ..Change::default()
        });
    }
    changes
}

fn value(value: Option<&Value>) -> String {
    let text = value.map_or_else(String::new, |value| json(value, KeyOrder::Sorted));
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Swarm's services as `docker service inspect` tells them.
fn services(session: &Session) -> Vec<Service> {
    let Some(plane) = session
        .world(Orchestrator::Swarm)
        .ok()
        .and_then(|world| world.swarm())
    else {
        return Vec::new();
    };
    let names = plane.service_views().into_iter().take(OBJECTS_MAX);
    let mut copy = None;
    let inspected = names.filter_map(|service| {
        let copy = copy.get_or_insert_with(|| session.clone());
        let output = copy.run(&format!("docker service inspect {}", service.name));
        let list = Value::parse_json(&output.stdout).ok()?;
        let found = list.as_list()?.first()?;
        Some(Service {
            name: service.name.to_string(),
            version: u64::try_from(found.i64_at(&["Version", "Index"])?).ok()?,
            spec: yaml(found.get("Spec")?),
        })
    });
    inspected.collect()
}
