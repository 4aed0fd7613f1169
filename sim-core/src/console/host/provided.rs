//! What the kubelet puts into pods: files of volumes and variables, made when somebody looks.

use std::sync::Arc;

use crate::base::base64::encode_url;
use crate::base::sha256::sha256;
use crate::base::time::{EPOCH_UNIX_SECONDS, SimDuration, SimTime};
use crate::engine::command::Orchestrator;
use crate::kube::controllers::service_account::root_key;
use crate::kube::kubelet::content::{self, PROVIDED, Taken};
use crate::kube::kubelet::files::{self, Ground};
use crate::kube::render::token::{TOKEN_VOLUME, sources};
use crate::kube::render::{View, pod};
use crate::kube::rows::PodId;
use crate::manifest::value::Value;
use crate::substrate::file::Tree;
use crate::substrate::order::{ContainerId, SandboxId};
use crate::substrate::root_fs::{Disk, Store};

use super::place::Place;
use super::sight::Sight;

/// Time after which a token is asked for anew: four fifths of its life.
/// Source: `pkg/kubelet/token/token_manager.go` (`requiresRefresh`).
const TOKEN_AGE: SimDuration = SimDuration::from_secs(3_607 * 4 / 5);

/// A pod of a machine, as its own containers see it.
struct Own<'a> {
    view: View<'a>,
    pod: PodId,
    object: Value,
    allocatable: Value,
    token: (String, SimTime),
}

impl<'a> Own<'a> {
    fn of(place: &Place<'a>, sandbox: SandboxId) -> Option<Self> {
        let world = place.world;
        let kube = world
            .kube()
            .filter(|_| world.orchestrator == Orchestrator::Kubernetes)?;
        let view = kube.view(&world.symbols, &world.substrate, place.now, world.seed);
        let node = view.store.node_of(place.machine)?;
        let (id, _) = view
            .store
            .pods_on(node)
            .find(|(id, _)| view.store.pod_details(*id).sandbox == Some(sandbox))?;
        let mut object = pod::render(&view, id);
        // Its containers know it before it stands in the status.
        if object.path(&["status", "podIP"]).is_none() {
            let address = world.substrate.sandbox(sandbox)?.address;
            let address = std::net::Ipv4Addr::from(address).to_string();
            object.set_path(&["status", "podIP"], address.into());
        }
        let node = crate::kube::kinds::of_word("nodes").and_then(|kind| {
            let name = object.str_at(&["spec", "nodeName"])?;
            view.get(kind, "", name)
        });
        let allocatable = node
            .as_ref()
            .and_then(|node| node.path(&["status", "allocatable"]));
        let allocatable = allocatable.cloned().unwrap_or_default();
        let token = token(&view, id, &object);
        Some(Self {
            view,
            pod: id,
            object,
            allocatable,
            token,
        })
    }

    /// The pod as it was described when something was taken.
    fn as_taken(&self, taken: Option<&Taken>) -> Value {
        let mut object = self.object.clone();
        if let Some(taken) = taken {
            let template = self.view.store.template(taken.template);
            let row = self.view.store.pod(self.pod);
            let node = row.and_then(|row| self.view.store.node(row.node?));
            for (field, map) in [
                ("labels", pod::labels(template, node)),
                (
                    "annotations",
                    crate::kube::render::text_map(&template.annotations),
                ),
            ] {
                object.set_path(&["metadata", field], map);
            }
        }
        object
    }

    fn look<T>(&self, taken: Option<&Taken>, look: impl FnOnce(&Ground<'_>) -> T) -> T {
        let row = self.view.store.pod(self.pod).expect("it was found");
        let sources = content::sources(self.view.store.template(row.template));
        let pod = self.as_taken(taken);
        look(&Ground {
            pod: &pod,
            sources: sources.as_deref().unwrap_or(&[]),
            taken,
            allocatable: &self.allocatable,
            token: (&self.token.0, self.token.1),
        })
    }

    fn volume(&self, volume: &Value, taken: Option<&Taken>) -> Tree {
        self.look(taken, |ground| files::tree(volume, ground))
    }

    /// The volume with the pod's token.
    fn access(&self) -> Tree {
        let volume = Value::object([
            ("name", Value::from(TOKEN_VOLUME)),
            ("projected", Value::object([("sources", sources())])),
        ]);
        let namespace = self.object.str_at(&["metadata", "namespace"]).unwrap_or("");
        let root = self.view.store.documents().get(&root_key(namespace));
        let started = self.view.store.pod_details(self.pod).started;
        let taken = Taken {
            template: self
                .view
                .store
                .pod(self.pod)
                .expect("it was found")
                .template,
            since: started.unwrap_or(SimTime::ZERO),
            objects: vec![(
                root.map_or(Value::Null, |root| root.value.clone()),
                started.unwrap_or(SimTime::ZERO),
            )],
        };
        let source = [content::Source {
            resource: "configmaps",
            name: "kube-root-ca.crt".into(),
        }];
        files::tree(
            &volume,
            &Ground {
                pod: &self.object,
                sources: &source,
                taken: Some(&taken),
                allocatable: &self.allocatable,
                token: (&self.token.0, self.token.1),
            },
        )
    }
}

/// A token of the pod's service account, as the API server signs them; nobody checks the signature.
/// Source: `pkg/serviceaccount/claims.go`.
fn token(view: &View<'_>, id: PodId, pod: &Value) -> (String, SimTime) {
    let started = view.store.pod_details(id).started.unwrap_or(SimTime::ZERO);
    let age = view.now.since(started.min(view.now)).as_micros();
    let issued = started + TOKEN_AGE.saturating_mul(age / TOKEN_AGE.as_micros());
    let text = |path: &[&str]| pod.str_at(path).unwrap_or("").to_owned();
    let (namespace, account) = (
        text(&["metadata", "namespace"]),
        text(&["spec", "serviceAccountName"]),
    );
    let kind = crate::kube::kinds::of_word("serviceaccounts");
    let uid = kind
        .and_then(|kind| view.get(kind, &namespace, &account))
        .and_then(|found| found.str_at(&["metadata", "uid"]).map(str::to_owned))
        .unwrap_or_default();
    let second = EPOCH_UNIX_SECONDS + issued.as_micros() / 1_000_000;
    let payload = format!(
        "{{\"aud\":[\"https://kubernetes.default.svc.cluster.local\"],\"exp\":{},\"iat\":{second},\"iss\":\"https://kubernetes.default.svc.cluster.local\",\"kubernetes.io\":{{\"namespace\":\"{namespace}\",\"node\":{{\"name\":\"{}\"}},\"pod\":{{\"name\":\"{}\",\"uid\":\"{}\"}},\"serviceaccount\":{{\"name\":\"{account}\",\"uid\":\"{uid}\"}},\"warnafter\":{}}},\"nbf\":{second},\"sub\":\"system:serviceaccount:{namespace}:{account}\"}}",
        // Tokens of pods are valid for a year, and a reader is warned after an hour.
        second + 365 * 86_400,
        text(&["spec", "nodeName"]),
        text(&["metadata", "name"]),
        text(&["metadata", "uid"]),
        second + 3_607,
    );
    let key = sha256(&view.seed.0.to_le_bytes());
    let head = format!("{{\"alg\":\"RS256\",\"kid\":\"{}\"}}", encode_url(&key));
    let mut signature = Vec::new();
    let mut block = sha256(format!("{payload}{}", view.seed.0).as_bytes());
    for _ in 0..8 {
        signature.extend_from_slice(&block);
        block = sha256(&block);
    }
    let parts = [head.as_bytes(), payload.as_bytes(), &signature];
    (parts.map(encode_url).join("."), issued)
}

/// The index of a container in its pod, and its description.
fn container<'a>(
    own: &'a Own<'_>,
    place: &Place<'_>,
    id: ContainerId,
) -> Option<(usize, &'a Value)> {
    let name = place.world.substrate.container(id)?.spec.name;
    let name = place.world.symbols.text(name);
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let all = lists
        .iter()
        .filter_map(|list| own.object.path(&["spec", list]));
    let all = all.filter_map(Value::as_list).flatten();
    all.enumerate()
        .find(|(_, one)| one.str_at(&["name"]) == Some(name))
}

/// Adds to a copy of a machine's disk what its pods are provided with; `inside`: those of one container
/// only.
pub fn add(place: &Place<'_>, inside: Option<ContainerId>, disk: &mut Arc<Disk>) {
    let machines = &place.world.substrate;
    let Some(kube) = place.world.kube() else {
        return;
    };
    let of_container = |id: ContainerId| machines.container(id).map(|row| row.sandbox);
    let only = inside.map(of_container);
    for sandbox in place.units.keys().copied() {
        if only.is_some_and(|only| only != Some(sandbox)) {
            continue;
        }
        let (Some(own), Some(row)) = (Own::of(place, sandbox), machines.sandbox(sandbox)) else {
            continue;
        };
        let mut put = |name: &str, tree: Tree| {
            Arc::make_mut(disk).provide(Store::Sandbox(row.owner, name.into()), tree);
        };
        if own
            .view
            .store
            .pod(own.pod)
            .is_some_and(|row| row.has_token())
        {
            put(TOKEN_VOLUME, own.access());
        }
        let volumes = own
            .object
            .path(&["spec", "volumes"])
            .and_then(Value::as_list);
        for volume in volumes.unwrap_or(&[]) {
            let name = volume.str_at(&["name"]).unwrap_or("");
            let is_provided = PROVIDED.iter().any(|kind| volume.get(kind).is_some());
            if !is_provided || name.starts_with(TOKEN_VOLUME) {
                continue;
            }
            put(
                name,
                own.volume(volume, kube.kubelets().taken(own.pod, 0).0),
            );
            let Some((index, one)) = inside.and_then(|id| container(&own, place, id)) else {
                continue;
            };
            let (_, at_start) = kube.kubelets().taken(own.pod, index);
            let container = one.str_at(&["name"]).unwrap_or("");
            put(&format!("{name}/{container}"), own.volume(volume, at_start));
        }
    }
}

/// The kind of directory that a pod's volume has on its machine, and its name there.
pub fn directory(
    place: &Place<'_>,
    sandbox: Option<SandboxId>,
    name: &str,
) -> Option<(&'static str, String)> {
    if name == TOKEN_VOLUME {
        let own = Own::of(place, sandbox?)?;
        let volumes = own
            .object
            .path(&["spec", "volumes"])
            .and_then(Value::as_list);
        let mut names = volumes?
            .iter()
            .filter_map(|volume| volume.str_at(&["name"]));
        let name = names.find(|name| name.starts_with(TOKEN_VOLUME))?;
        return Some(("projected", name.to_owned()));
    }
    if name.contains('/') {
        return None;
    }
    let own = sandbox.and_then(|sandbox| Own::of(place, sandbox));
    let volumes = own
        .as_ref()
        .and_then(|own| own.object.path(&["spec", "volumes"]));
    let volumes = volumes.and_then(Value::as_list).unwrap_or(&[]);
    let volume = volumes
        .iter()
        .find(|volume| volume.str_at(&["name"]) == Some(name));
    let kinds = ["configmap", "secret", "projected", "downward-api"];
    let kind = PROVIDED
        .iter()
        .zip(kinds)
        .find(|(kind, _)| volume.is_some_and(|volume| volume.get(kind).is_some()));
    Some((
        kind.map_or("empty-dir", |(_, directory)| directory),
        name.to_owned(),
    ))
}

/// Variables of the container that somebody looks from; none: it is no pod's.
pub fn variables(sight: &Sight<'_>) -> Option<Vec<(String, String)>> {
    let place = sight.place;
    let id = sight.inside?;
    let sandbox = place.world.substrate.container(id)?.sandbox;
    let own = Own::of(place, sandbox)?;
    let (index, description) = container(&own, place, id)?;
    let links = own.object.path(&["spec", "enableServiceLinks"]);
    let links = links.and_then(Value::as_bool).unwrap_or(true);
    let services = super::names::service_variables(sight, links);
    let service = |name: &str| {
        let found = services.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let kube = place.world.kube()?;
    let (_, taken) = kube.kubelets().taken(own.pod, index);
    let mut all = own.look(taken, |ground| {
        files::variables(description, &service, ground)
    });
    let more = services
        .iter()
        .filter(|(name, _)| all.iter().all(|(known, _)| known != name));
    let more: Vec<(String, String)> = more.cloned().collect();
    all.extend(more);
    Some(all)
}
