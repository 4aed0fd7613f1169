//! Static pods: what an agent runs because a manifest lies in its directory on the machine, with or
//! without an API server.
//!
//! Owns, for each such pod, its worker and what its mirror at the API server should say. It knows
//! nothing of how mirrors are written: that is [`super::mirror`]'s.
//!
//! ```text
//! /etc/kubernetes/manifests/web.yaml ─▶ Manifests ─▶ worker of web-NODE ─▶ Mirrors ─▶ pod/web-NODE
//! edited ─▶ the old one ends with its grace ─▶ Manifests ─▶ the new one starts
//! ```
//! Sources: `pkg/kubelet/config/{file,file_linux,common}.go`, `pkg/kubelet/pod_workers.go`
//! (`allowPodStart`), `pkg/kubelet/kubelet_pods.go` (`HandlePodCleanups`).
//!
//! Not modelled: manifests from a URL.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::api::kube::object::KubeSpec;
use crate::api::kube::pod::PodTemplate as ApiTemplate;
use crate::base::name::Name;
use crate::base::sha256::sha256;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::kube::apiserver::template::build;
use crate::kube::apiserver::write::pod::pod_document;
use crate::kube::render::time;
use crate::kube::rows::PodId;
use crate::kube::template::PodTemplate;
use crate::kube::turn::Turn;
use crate::manifest::decode::documents;
use crate::manifest::decode::kube::decode_value;
use crate::manifest::decode::kube::defaults::apply_defaults;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::value::Value;
use crate::substrate::Substrate;
use crate::substrate::file::{Kind, below};
use crate::substrate::order::MachineId;
use crate::substrate::root_fs::Store as Tree;

use super::admission::Admission;
use super::desk::Desk;
use super::worker::Worker;
use super::{Event, Kubelets, lifecycle, reattach, stop};

/// The agents' directory of manifests (`staticPodPath`, as kubeadm sets it).
pub const DIRECTORY: &str = "/etc/kubernetes/manifests";

/// Directories that the cluster's installer makes on a machine.
pub const INSTALLED: [&str; 2] = ["/etc/kubernetes", DIRECTORY];

/// Marks a pod at the API server as the mirror of a static one.
pub const MIRROR: &str = "kubernetes.io/config.mirror";

/// Slots from here on name static pods' workers; no table of pods gets so far.
const FIRST_SLOT: u32 = 1 << 30;

/// Time between two rounds of cleaning up. Source: `pkg/kubelet/kubelet.go` (`housekeepingPeriod`).
const HOUSEKEEPING: SimDuration = SimDuration::from_secs(2);

/// Whether an id names a static pod's worker instead of a row of the store.
pub const fn is_static(pod: PodId) -> bool {
    pod.slot() >= FIRST_SLOT
}

/// Whether pods of a template are mirrors of static ones.
pub fn is_mirror(template: &PodTemplate) -> bool {
    template.annotations.iter().any(|(key, _)| &**key == MIRROR)
}

/// One static pod of one machine.
#[derive(Clone, Debug)]
pub(super) struct StaticPod {
    pub(super) machine: MachineId,
    file: Arc<str>,
    pub(super) hash: Arc<str>,
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    /// The mirror as it is to be written.
    pub(super) object: Arc<Value>,
    /// The mirror as it was last seen.
    pub(super) mirror: Option<PodId>,
    /// Its manifest is gone or changed: it is ending.
    pub(super) going: bool,
    pub(super) worker: Arc<Worker>,
}

/// All machines' static pods, by the slots of their workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Statics {
    pods: SortedMap<u32, StaticPod>,
    by_machine: SortedMap<MachineId, SortedSet<u32>>,
    made: u32,
}

impl Statics {
    pub(super) fn worker(&self, pod: PodId) -> Option<&Worker> {
        self.pods.get(&pod.slot()).map(|own| &*own.worker)
    }

    pub(super) fn worker_mut(&mut self, pod: PodId) -> Option<&mut Worker> {
        let own = self.pods.get_mut(&pod.slot())?;
        Some(Arc::make_mut(&mut own.worker))
    }

    pub(super) fn get(&self, pod: PodId) -> Option<&StaticPod> {
        self.pods.get(&pod.slot())
    }

    pub(super) fn get_mut(&mut self, pod: PodId) -> Option<&mut StaticPod> {
        self.pods.get_mut(&pod.slot())
    }

    /// A machine's static pods.
    pub(super) fn of(&self, machine: MachineId) -> impl Iterator<Item = &StaticPod> {
        let slots = self.by_machine.get(&machine).into_iter().flatten();
        slots.filter_map(|slot| self.pods.get(slot))
    }

    /// Workers' ids of a machine's static pods.
    pub(super) fn on(&self, machine: MachineId) -> Vec<PodId> {
        self.of(machine).map(|own| own.worker.pod).collect()
    }

    fn insert(&mut self, pod: StaticPod) {
        let slot = pod.worker.pod.slot();
        self.by_machine.entry(pod.machine).or_default().insert(slot);
        self.pods.insert(slot, pod);
    }

    fn remove(&mut self, pod: PodId) -> Option<StaticPod> {
        let gone = self.pods.remove(&pod.slot())?;
        if let Some(slots) = self.by_machine.get_mut(&gone.machine) {
            slots.remove(&pod.slot());
            if slots.is_empty() {
                self.by_machine.remove(&gone.machine);
            }
        }
        Some(gone)
    }
}

/// A manifest that says what to run.
struct Wanted {
    file: Arc<str>,
    hash: Arc<str>,
    namespace: Arc<str>,
    name: Arc<str>,
    object: Value,
}

impl Kubelets {
    /// The pod of the store that says how a worker's pod is: itself, or its mirror.
    pub(super) fn api_pod(&self, pod: PodId) -> Option<PodId> {
        if is_static(pod) {
            return self.statics.get(pod)?.mirror;
        }
        Some(pod).filter(|pod| !self.departed.contains_key(pod))
    }

    /// An agent reads its directory: starts what is new, ends what is gone or says something else.
    pub(in crate::kube) fn read_manifests(&mut self, machine: MachineId, turn: &mut Turn<'_, '_>) {
        let asleep = self
            .trouble
            .get(&machine)
            .is_some_and(|trouble| trouble.down && !trouble.blind);
        if asleep || self.refuse_at_shutdown(machine).is_some() {
            return;
        }
        let wanted = manifests(machine, turn);
        let gone: Vec<PodId> = self
            .statics
            .of(machine)
            .filter(|pod| !pod.going)
            .filter(|pod| {
                !wanted
                    .iter()
                    .any(|one| one.hash == pod.hash && one.file == pod.file)
            })
            .map(|pod| pod.worker.pod)
            .collect();
        for pod in gone {
            self.end_static(pod, &mut desk(turn));
        }
        for one in wanted {
            // One of the same name that is still ending keeps its place until it has ended.
            let taken = self
                .statics
                .of(machine)
                .any(|pod| (&pod.namespace, &pod.name) == (&one.namespace, &one.name));
            if !taken {
                self.begin_static(one, machine, turn);
            }
        }
    }

    fn begin_static(&mut self, wanted: Wanted, machine: MachineId, turn: &mut Turn<'_, '_>) {
        let (Some(object), _) = decode_value(&wanted.object) else {
            return;
        };
        let KubeSpec::Pod(spec) = &object.spec else {
            return;
        };
        let written = ApiTemplate {
            labels: object.meta.labels.clone(),
            annotations: object.meta.annotations.clone(),
            spec: (**spec).clone(),
        };
        let namespace = turn.ctx.symbols.intern(&wanted.namespace);
        let template = build(namespace, &written, pod_document(&wanted.object), turn);
        let id = turn.store.intern_template(template);
        let Some(node) = turn.store.node_of(machine) else {
            return;
        };
        let mut desk = desk(turn);
        let recipe = self.recipe(id, false, &mut desk);
        self.statics.made += 1;
        let slot = FIRST_SLOT + self.statics.made;
        let pod = PodId::new(slot, NonZeroU32::MIN);
        let name = Name::plain(desk.ctx.symbols.intern(&wanted.name));
        let Some(row) = desk.store.node(node) else {
            return;
        };
        let host = row.name;
        let old = desk
            .store
            .pods_on(node)
            .find(|(_, row)| {
                row.name == name && desk.store.template(row.template).namespace == namespace
            })
            .map(|(mirror, _)| mirror);
        let known = old.unwrap_or(pod);
        let asks = (id, &*recipe);
        let rejected = match self.admit((known, name), asks, (node, machine), false, &mut desk) {
            Admission::Waits => return,
            Admission::Taken => None,
            Admission::Refused(why) => Some(why),
        };
        let now = desk.now();
        let mut worker = Worker::new(
            (pod, name),
            (id, namespace),
            (node, host, machine),
            recipe,
            now,
        );
        if rejected.is_some() {
            worker.aside.write().rejected = rejected;
        }
        desk.taken_on(&worker, host);
        let settings = self.settings.workers;
        lifecycle::advance(&mut worker, &settings, &mut desk);
        self.statics.insert(StaticPod {
            machine,
            file: wanted.file,
            hash: wanted.hash,
            namespace: wanted.namespace,
            name: wanted.name,
            object: Arc::new(wanted.object),
            mirror: None,
            going: false,
            worker: Arc::new(worker),
        });
        let at = now + desk.write_time(machine);
        desk.at(at, Event::Mirrors(machine));
    }

    fn end_static(&mut self, pod: PodId, desk: &mut Desk<'_, '_>) {
        let Some(own) = self.statics.get_mut(pod) else {
            return;
        };
        own.going = true;
        let worker = Arc::make_mut(&mut own.worker);
        if worker.finished || worker.aside.rejected.is_some() {
            stop::finish(worker, desk);
            return;
        }
        let deadline = desk.now() + worker.recipe.grace;
        stop::terminate(worker, deadline, desk);
    }

    /// A static pod's containers have ended.
    pub(super) fn static_ended(&mut self, pod: PodId, desk: &mut Desk<'_, '_>) {
        let Some(own) = self.statics.get(pod) else {
            return;
        };
        let (machine, going) = (own.machine, own.going);
        if self.awake(pod).is_none() {
            return;
        }
        self.write_status(pod, desk);
        if !going {
            // Its node has ended it: it stays as it is until the agent starts anew.
            self.shutdown_goes_on(machine, desk);
            return;
        }
        let now = desk.now();
        if let Some(own) = self.statics.remove(pod) {
            desk.note("removed", &own.worker, Detail::None, None);
            self.images.released(&own.worker, now);
        }
        self.shutdown_goes_on(machine, desk);
        desk.at(now, Event::Manifests(machine));
        desk.at(next_round(now), Event::Mirrors(machine));
    }

    /// An agent has started: its static pods are the first that it looks after.
    pub(super) fn statics_return(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        let (lost, restarted) = self
            .trouble
            .get(&machine)
            .map_or((false, false), |trouble| (trouble.lost, trouble.restarted));
        let settings = self.settings.workers;
        for pod in self.statics.on(machine) {
            let is_over = self.statics.get(pod).is_some_and(|own| {
                let aside = &own.worker.aside;
                let anew = aside.evicted.is_some() || aside.rejected.is_some();
                anew || lost && own.going
            });
            if is_over {
                self.statics.remove(pod);
                continue;
            }
            let Some(worker) = self.statics.worker_mut(pod) else {
                continue;
            };
            if lost {
                reattach::lost(worker, desk);
                lifecycle::advance(worker, &settings, desk);
            } else if restarted {
                reattach::reattach(worker, &settings, desk);
            }
            desk.request_status(worker);
        }
        if has_manifests(machine, desk.ctx.machines) || !self.statics.on(machine).is_empty() {
            let now = desk.now();
            desk.at(now, Event::Manifests(machine));
            let at = now + desk.write_time(machine);
            desk.at(at, Event::Mirrors(machine));
        }
    }

    /// Forgets a machine's static pods: it is gone for good.
    pub(in crate::kube) fn forget_statics(&mut self, machine: MachineId) {
        for pod in self.statics.on(machine) {
            self.statics.remove(pod);
        }
    }
}

/// The first round of cleaning up after a time.
fn next_round(time: SimTime) -> SimTime {
    let period = HOUSEKEEPING.as_micros();
    SimTime::from_micros((time.as_micros() / period + 1) * period)
}

fn desk<'a, 'b>(turn: &'a mut Turn<'_, 'b>) -> Desk<'a, 'b> {
    Desk {
        store: turn.store,
        ctx: turn.ctx,
        out: turn.out,
    }
}

/// Files in the directory, with their text.
fn files(machine: MachineId, machines: &Substrate) -> impl Iterator<Item = (&str, &Arc<str>)> {
    let row = machines.machine(machine);
    let tree = row.and_then(|row| row.disk.tree(&Tree::Machine));
    let entries = tree.into_iter().flat_map(|tree| tree.iter());
    entries.filter_map(|(path, entry)| {
        // Source: `pkg/kubelet/config/file.go`: names that begin with a dot are passed over.
        let name =
            below(path, DIRECTORY).filter(|name| !name.contains('/') && !name.starts_with('.'))?;
        match &entry.kind {
            Kind::File {
                text: Some(text), ..
            } => Some((name, text)),
            Kind::File { text: None, .. }
            | Kind::Directory { .. }
            | Kind::Link(_)
            | Kind::Whiteout => None,
        }
    })
}

fn has_manifests(machine: MachineId, machines: &Substrate) -> bool {
    files(machine, machines).next().is_some()
}

/// Pods that a machine's manifests ask for, by file name; those that say nothing useful are noted.
fn manifests(machine: MachineId, turn: &mut Turn<'_, '_>) -> Vec<Wanted> {
    let texts: Vec<(Arc<str>, Arc<str>)> = files(machine, turn.ctx.machines)
        .map(|(name, text)| (name.into(), text.clone()))
        .collect();
    let Some(host) = turn.ctx.machines.machine(machine).map(|row| row.name) else {
        return Vec::new();
    };
    let host: Arc<str> = turn.ctx.symbols.text(host).into();
    let mut wanted = Vec::new();
    for (file, text) in texts {
        match read(&file, &text, &host, turn.now()) {
            Ok(one) => wanted.push(one),
            Err(why) => {
                let subject = Subject {
                    kind: "file",
                    name: Name::plain(turn.ctx.symbols.intern(&file)),
                };
                turn.out.notice(Notice {
                    source: "kube.kubelet",
                    verb: "skip",
                    subject,
                    detail: Detail::Text(turn.ctx.symbols.intern(&why)),
                    rule: None,
                });
            }
        }
    }
    wanted
}

/// One manifest.
fn read(file: &str, text: &str, host: &str, now: SimTime) -> Result<Wanted, String> {
    let source = Source::new(file, text);
    let (roots, problems) = documents(&source, Dialect::Kubernetes);
    if let Some(problem) = problems.iter().find(|problem| problem.is_error()) {
        return Err(problem.message.to_string());
    }
    let mut value = roots.first().ok_or("no pod in it")?.to_value();
    if value.str_at(&["kind"]) != Some("Pod") {
        return Err("no pod in it".to_owned());
    }
    if let Some(resource) = reference(&value) {
        return Err(format!("static pods can not reference {resource}"));
    }
    let hash = sha256(format!("host:{host}\nfile:{DIRECTORY}/{file}\n{text}").as_bytes());
    let hash: String = hash[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = value.str_at(&["metadata", "name"]).unwrap_or("");
    let name = format!("{name}-{}", host.to_lowercase());
    let namespace = value
        .str_at(&["metadata", "namespace"])
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or("default")
        .to_owned();
    value.set_path(&["metadata", "name"], name.as_str().into());
    value.set_path(&["metadata", "namespace"], namespace.as_str().into());
    for (key, text) in [
        ("kubernetes.io/config.hash", Value::from(hash.as_str())),
        (MIRROR, hash.as_str().into()),
        ("kubernetes.io/config.seen", time(now)),
        ("kubernetes.io/config.source", "file".into()),
    ] {
        value.set_path(&["metadata", "annotations", key], text);
    }
    value.set_path(&["spec", "nodeName"], host.into());
    let tolerations = value
        .path(&["spec", "tolerations"])
        .and_then(Value::as_list);
    let mut tolerations = tolerations.unwrap_or(&[]).to_vec();
    tolerations.push(Value::object([
        ("effect", Value::from("NoExecute")),
        ("operator", "Exists".into()),
    ]));
    value.set_path(&["spec", "tolerations"], Value::list(tolerations));
    value.remove("status");
    apply_defaults("Pod", &mut value);
    let (decoded, problems) = decode_value(&value);
    if decoded.is_none() {
        let mut errors = problems.iter().filter(|problem| problem.is_error());
        let why = errors.next().map(|problem| problem.message.to_string());
        return Err(why.unwrap_or_else(|| "invalid pod".to_owned()));
    }
    Ok(Wanted {
        file: file.into(),
        hash: hash.into(),
        namespace: namespace.into(),
        name: name.into(),
        object: value,
    })
}

/// What a pod takes from the API server, if anything.
/// Source: `pkg/api/pod/util.go` (`HasAPIObjectReference`).
fn reference(pod: &Value) -> Option<&'static str> {
    let list = |value: &Value, path: &[&str]| {
        let items = value.path(path).and_then(Value::as_list);
        items.unwrap_or(&[]).to_vec()
    };
    if pod
        .str_at(&["spec", "serviceAccountName"])
        .is_some_and(|name| !name.is_empty())
    {
        return Some("serviceaccounts");
    }
    for volume in list(pod, &["spec", "volumes"]) {
        for (field, resource) in [
            ("configMap", "configmaps"),
            ("secret", "secrets"),
            ("persistentVolumeClaim", "persistentvolumeclaims"),
            ("projected", "projected volumes"),
        ] {
            if volume.get(field).is_some() {
                return Some(resource);
            }
        }
    }
    for field in ["initContainers", "containers"] {
        for container in list(pod, &["spec", field]) {
            let sources = list(&container, &["envFrom"]).into_iter();
            let single = list(&container, &["env"]).into_iter();
            let single = single.filter_map(|variable| variable.get("valueFrom").cloned());
            for source in sources.chain(single) {
                for (field, resource) in [
                    ("configMapRef", "configmaps"),
                    ("configMapKeyRef", "configmaps"),
                    ("secretRef", "secrets"),
                    ("secretKeyRef", "secrets"),
                ] {
                    if source.get(field).is_some() {
                        return Some(resource);
                    }
                }
            }
        }
    }
    None
}
