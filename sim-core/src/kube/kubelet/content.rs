//! What a pod takes from objects: the files of its volumes, and its containers' variables.
//!
//! ```text
//! mount, each sync after a write ──▶ Worker::taken          ──▶ files of volumes
//! start of a container           ──▶ ContainerWork::taken   ──▶ variables, subPath mounts
//! ```
//! Only references to the objects' own values are kept, and only for pods that take something; files
//! and variables are made when somebody looks.
//! Sources: `pkg/kubelet/kubelet_pods.go` (`makeEnvironmentVariables`),
//! `pkg/volume/{configmap,secret,projected,downwardapi}`, `pkg/volume/util/atomic_writer.go`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::resources::ResourceVector;
use crate::base::sorted::SortedSet;
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::apiserver::service::RANGE_BASE;
use crate::kube::render::pod::labels;
use crate::kube::render::service::protocol;
use crate::kube::render::{address, text_map, uid, uid_text};
use crate::kube::rows::PodId;
use crate::kube::rows::read;
use crate::kube::rows::service::ServiceRow;
use crate::kube::store::document::DocumentKey;
use crate::kube::template::{PodTemplate, TemplateId};
use crate::manifest::value::Value;
use crate::substrate::order::ContainerSpec;

use super::desk::Desk;
use super::files::{self, Ground};
use super::worker::Worker;
use super::{Event, Kubelets};

/// Time between two looks of a worker at a pod that nothing happens to.
/// Source: `pkg/kubelet/kubelet.go` (`resyncInterval`, `SyncFrequency`), without its jitter.
const SYNC: SimDuration = SimDuration::from_secs(60);

/// Volumes that the kubelet fills.
pub const PROVIDED: [&str; 4] = ["configMap", "secret", "projected", "downwardAPI"];

/// An object of the pod's namespace that it takes something from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `configmaps` or `secrets`.
    pub resource: &'static str,
    /// Its name.
    pub name: Arc<str>,
}

/// What was taken at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What the pod was described by.
    pub template: TemplateId,
    /// Since when it is so.
    pub since: SimTime,
    /// Its sources as they were, null if they were not there, and since when.
    pub objects: Vec<(Value, SimTime)>,
}

/// What a template takes; none: nothing.
pub fn sources(template: &PodTemplate) -> Option<Arc<[Source]>> {
    let document = &*template.document;
    let mut all = Vec::new();
    let mut takes = false;
    let mut add = |resource: &'static str, name: Option<&str>| {
        let source = Source {
            resource,
            name: name.unwrap_or("").into(),
        };
        if !all.contains(&source) {
            all.push(source);
        }
    };
    for volume in read::list(document, &["spec", "volumes"]) {
        takes |= PROVIDED.iter().any(|kind| volume.get(kind).is_some());
        for (resource, name, _) in of_volume(volume) {
            add(resource, name);
        }
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in read::list(document, &["spec", list]) {
            takes |= speaks_of_services(container);
            for from in read::list(container, &["envFrom"]) {
                takes = true;
                for (word, resource) in [("configMapRef", "configmaps"), ("secretRef", "secrets")] {
                    if let Some(reference) = from.get(word) {
                        add(resource, reference.str_at(&["name"]));
                    }
                }
            }
            for from in read::list(container, &["env"])
                .iter()
                .filter_map(|one| one.get("valueFrom"))
            {
                takes = true;
                for (word, resource) in [
                    ("configMapKeyRef", "configmaps"),
                    ("secretKeyRef", "secrets"),
                ] {
                    if let Some(reference) = from.get(word) {
                        add(resource, reference.str_at(&["name"]));
                    }
                }
            }
        }
    }
    takes.then(|| all.into())
}

/// What a volume is made of: kind and name of each object, and what the volume says of it.
fn of_volume(volume: &Value) -> impl Iterator<Item = (&'static str, Option<&str>, &Value)> {
    let parts = read::list(volume, &["projected", "sources"]).iter();
    std::iter::once(volume).chain(parts).flat_map(|part| {
        let kinds = [("configMap", "configmaps"), ("secret", "secrets")];
        kinds.into_iter().filter_map(|(kind, resource)| {
            let from = part.get(kind)?;
            let name = from.str_at(&["secretName"]).or(from.str_at(&["name"]));
            Some((resource, name, from))
        })
    })
}

/// Whether a container's command or variables may name a variable of a Service.
fn speaks_of_services(container: &Value) -> bool {
    let list = |key| read::list(container, &[key]).iter();
    let words = list("command").chain(list("args")).map(Value::as_str);
    let values = list("env").map(|one| one.str_at(&["value"]));
    words
        .chain(values)
        .flatten()
        .any(|text| text.contains('$') && (text.contains("_SERVICE_") || text.contains("_PORT")))
}

/// Variables that name the API server and the Services of a namespace, as there are now.
/// Source: `pkg/kubelet/kubelet_pods.go` (`getServiceEnvVarMap`).
fn of_services(namespace: Symbol, links: bool, desk: &Desk<'_, '_>) -> Vec<(String, String)> {
    let text = |symbol: Symbol| desk.ctx.symbols.text(symbol);
    let mut all: Vec<&ServiceRow> = desk.store.services().map(|(_, row)| row).collect();
    all.retain(|row| links && row.namespace == namespace && row.cluster_ip != 0);
    all.arrange_by_key(|row| text(row.name).to_owned());
    let mut rows = Vec::new();
    let own = address(RANGE_BASE + 1);
    files::of_service("kubernetes", &own, &[("https", 443, "TCP")], &mut rows);
    for row in all {
        let ports = row.ports.iter();
        let ports: Vec<(&str, i64, &str)> = ports
            .map(|port| (&*port.name, port.port.into(), protocol(port.protocol)))
            .collect();
        files::of_service(text(row.name), &address(row.cluster_ip), &ports, &mut rows);
    }
    rows
}

/// Takes what there is now; what has not changed since `before` is shared with it.
pub fn take(
    worker: &Worker,
    before: Option<&Arc<Taken>>,
    desk: &Desk<'_, '_>,
) -> Option<Arc<Taken>> {
    let sources = worker.lowered.first()?.sources.as_ref()?;
    let now = desk.now();
    let namespace: Arc<str> = desk.ctx.symbols.text(worker.namespace).into();
    let objects: Vec<(Value, SimTime)> = sources
        .iter()
        .enumerate()
        .map(|(index, source)| {
            let key = DocumentKey {
                resource: source.resource.into(),
                namespace: namespace.clone(),
                name: source.name.clone(),
            };
            let document = desk.store.documents().get(&key);
            let value = document.map_or(Value::Null, |document| document.value.clone());
            let old = before.and_then(|before| before.objects.get(index));
            match old {
                Some((old, since)) if *old == value => (old.clone(), *since),
                _ => (value, now),
            }
        })
        .collect();
    if let Some(before) = before
        && before.template == worker.template
        && before.objects == objects
    {
        return Some(before.clone());
    }
    Some(Arc::new(Taken {
        template: worker.template,
        since: before
            .filter(|before| before.template == worker.template)
            .map_or(now, |before| before.since),
        objects,
    }))
}

/// Takes anew for the volumes of a pod that its agent looks at. Where an object is gone that a volume
/// needs, the mount fails, and the whole volume stays as it was; of an optional one the files go.
/// Source: `pkg/volume/configmap/configmap.go` (`SetUpAt`), and so for secrets and projected volumes.
pub fn refresh(worker: &mut Worker, desk: &Desk<'_, '_>) {
    let Some(before) = worker.taken.clone() else {
        return;
    };
    let Some(mut taken) = take(worker, Some(&before), desk) else {
        return;
    };
    let sources = worker.lowered.first().and_then(|one| one.sources.as_ref());
    let sources = sources.map_or(&[][..], |list| list);
    let place = |resource: &str, name: Option<&str>| {
        let mut all = sources.iter();
        all.position(|one| (one.resource, Some(&*one.name)) == (resource, name))
    };
    let is_gone = |at: usize| {
        taken
            .objects
            .get(at)
            .is_some_and(|(value, _)| value.is_null())
    };
    let document = &*desk.store.template(worker.template).document;
    let volumes = read::list(document, &["spec", "volumes"]).iter();
    let failing = volumes.filter(|volume| {
        of_volume(volume).any(|(resource, name, from)| {
            !read::truth(from, &["optional"]) && place(resource, name).is_some_and(is_gone)
        })
    });
    let stay = failing.flat_map(of_volume);
    let stay: Vec<usize> = stay
        .filter_map(|(resource, name, _)| place(resource, name))
        .collect();
    for at in stay {
        if let Some(old) = before.objects.get(at) {
            Arc::make_mut(&mut taken).objects[at] = old.clone();
        }
    }
    worker.taken = Some(taken);
}

/// The specification of a container with the variables that are taken from elsewhere, if its command
/// line or its script speaks of any. Others are not kept: nothing but a look asks for them.
pub fn with_variables(
    worker: &Worker,
    index: usize,
    spec: Arc<ContainerSpec>,
    taken: Option<&Taken>,
    desk: &Desk<'_, '_>,
) -> Arc<ContainerSpec> {
    let lowered = &worker.lowered[index];
    let mut words = spec.command.iter().chain(spec.arguments.iter());
    let Some(sources) = lowered.sources.as_ref() else {
        return spec;
    };
    if !words.any(|word| word.contains('$')) {
        return spec;
    }
    let template = desk.store.template(worker.template);
    let symbols = &desk.ctx.symbols;
    let (namespace, name) = (symbols.text(worker.namespace), worker.name.text(symbols));
    let created = desk.store.pod(worker.pod).map_or(0, |row| row.created_s);
    let own = uid(desk.ctx.seed, "pods", namespace, &name, created.into());
    let address = std::net::Ipv4Addr::from(worker.ip).to_string();
    let host = desk.ctx.machines.machine_address(worker.machine);
    let mut pod = Value::map();
    pod.set(
        "spec",
        template.document.get("spec").cloned().unwrap_or_default(),
    );
    for (path, value) in [
        (["metadata", "name"], Value::from(name.as_str())),
        (["metadata", "namespace"], namespace.into()),
        (["metadata", "uid"], uid_text(own).into()),
        (
            ["metadata", "labels"],
            labels(template, desk.store.node(worker.node)),
        ),
        (["metadata", "annotations"], text_map(&template.annotations)),
        (["spec", "nodeName"], symbols.text(worker.host).into()),
        (["status", "podIP"], address.into()),
        (["status", "hostIP"], host.map_or(Value::Null, Value::from)),
    ] {
        pod.set_path(&path, value);
    }
    let node = desk.store.node(worker.node);
    let whole = node.map_or_else(ResourceVector::default, |row| row.allocatable.clone());
    let allocatable = Value::object([
        ("cpu", Value::from(format!("{}m", whole.milli_cpu))),
        ("memory", Value::from(whole.memory)),
        ("ephemeral-storage", Value::from(whole.ephemeral_storage)),
    ]);
    let ground = Ground {
        pod: &pod,
        sources,
        taken,
        allocatable: &allocatable,
        token: ("", desk.now()),
    };
    let container = symbols.text(lowered.name);
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let mut described = lists
        .iter()
        .flat_map(|list| read::list(&pod, &["spec", list]));
    let Some(described) = described.find(|one| one.str_at(&["name"]) == Some(container)) else {
        return spec;
    };
    let links = pod.path(&["spec", "enableServiceLinks"]);
    let links = links.and_then(Value::as_bool).unwrap_or(true);
    // All Services are looked through for it.
    let services = if speaks_of_services(described) {
        of_services(worker.namespace, links, desk)
    } else {
        Vec::new()
    };
    let service = |name: &str| {
        let found = services.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let all = files::variables(described, &service, &ground);
    let is_new = |(name, _): &&(String, String)| all.iter().all(|(known, _)| known != name);
    let more: Vec<(String, String)> = services.iter().filter(is_new).cloned().collect();
    let all: Vec<(Arc<str>, Arc<str>)> = all
        .into_iter()
        .chain(more)
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    Arc::new(ContainerSpec {
        command: files::expanded(&spec.command, &all),
        arguments: files::expanded(&spec.arguments, &all),
        environment: all.into(),
        ..(*spec).clone()
    })
}

impl Kubelets {
    /// ConfigMaps and Secrets were written: pods whose volumes are made of them see it at their next
    /// sync.
    pub fn sources_written(&self, written: &SortedSet<DocumentKey>, desk: &mut Desk<'_, '_>) {
        if !self.takes {
            return;
        }
        let heard = desk.now() + desk.store.watch_lag();
        for slot in 0..self.workers.capacity_slots() {
            let Some(worker) = self.workers.get(slot).as_deref() else {
                continue;
            };
            let namespace = desk.ctx.symbols.text(worker.namespace);
            let sources = worker.lowered.first().and_then(|one| one.sources.as_ref());
            let mut sources = sources.into_iter().flat_map(|list| list.iter());
            let is_written = sources.any(|one| {
                written.iter().any(|key| {
                    *key.resource == *one.resource
                        && key.name == one.name
                        && *key.namespace == *namespace
                })
            });
            if is_written && worker.taken.is_some() {
                let age = heard.since(worker.started).as_micros();
                let turns = age.div_ceil(SYNC.as_micros());
                let at = worker.started + SYNC.saturating_mul(turns);
                desk.at(at, Event::Refresh(worker.pod));
            }
        }
    }

    /// What a pod has taken for its volumes, and one of its containers when it was started.
    pub fn taken(&self, pod: PodId, container: usize) -> (Option<&Taken>, Option<&Taken>) {
        let Some(worker) = self.worker(pod) else {
            return (None, None);
        };
        let work = worker.containers.get(container);
        (
            worker.taken.as_deref(),
            work.and_then(|work| work.taken.as_deref()),
        )
    }
}
