//! One machine as a person on it sees it: the substrate's rows under their owners' names.

use crate::base::sorted::SortedMap;
use crate::base::time::SimTime;
use crate::console::docker::container::row::Engine;
use crate::engine::command::Orchestrator;
use crate::engine::world::World;
use crate::kube::kubelet::resources::{CLUSTER_DOMAIN, hostname};
use crate::kube::render::{pod, uid, uid_text};
use crate::manifest::value::Value;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::cgroup::tree::{Group, GroupKey, Names};
use crate::substrate::order::{ContainerId, MachineId, SandboxId};
use crate::substrate::process::{Agent, Process};

/// A sandbox under its owner's names.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Plain name of its control group.
    pub label: String,
    /// Identifier of what holds its namespaces, 64 hexadecimal digits.
    pub id: String,
    /// Name that its processes see as the host's.
    pub hostname: String,
    /// Domain that the name stands in: a pod's subdomain and what is behind it; empty: none.
    pub domain: String,
    /// Its owner's namespace; empty: none.
    pub namespace: String,
    /// Its owner's name.
    pub name: String,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Its world.
    pub world: &'a World,
    /// Which.
    pub machine: MachineId,
    /// Now.
    pub now: SimTime,
    /// Sandboxes of known owners.
    pub units: SortedMap<SandboxId, Unit>,
    /// Identifiers of containers.
    pub ids: SortedMap<ContainerId, String>,
}

const KUBERNETES: &[Agent] = &[
    Agent {
        name: "containerd",
        command: "/usr/bin/containerd",
        oom_score_adj: -999,
        rss: 60 << 20,
        threads: 14,
    },
    Agent {
        name: "kubelet",
        command: "/usr/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml",
        oom_score_adj: -999,
        rss: 90 << 20,
        threads: 16,
    },
    Agent {
        name: "kube-proxy",
        command: "/usr/local/bin/kube-proxy --config=/var/lib/kube-proxy/config.conf",
        oom_score_adj: -999,
        rss: 40 << 20,
        threads: 9,
    },
];

const DOCKER: &[Agent] = &[
    Agent {
        name: "containerd",
        command: "/usr/bin/containerd",
        oom_score_adj: -999,
        rss: 50 << 20,
        threads: 12,
    },
    Agent {
        name: "docker",
        command: "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock",
        oom_score_adj: -500,
        rss: 90 << 20,
        threads: 16,
    },
];

impl<'a> Place<'a> {
    /// A machine of a world.
    pub fn new(world: &'a World, machine: MachineId, now: SimTime) -> Self {
        let mut place = Self {
            world,
            machine,
            now,
            units: SortedMap::new(),
            ids: SortedMap::new(),
        };
        match world.orchestrator {
            Orchestrator::Kubernetes => place.pods(),
            Orchestrator::Swarm | Orchestrator::Compose => place.engine(),
        }
        place
    }

    /// The machine that a container runs on.
    pub fn of_container(world: &'a World, container: ContainerId, now: SimTime) -> Option<Self> {
        let sandbox = world.substrate.container(container)?.sandbox;
        let machine = world.substrate.sandbox(sandbox)?.machine;
        Some(Self::new(world, machine, now))
    }

    fn pods(&mut self) {
        let Some(kube) = self.world.kube() else {
            return;
        };
        let store = kube.store();
        let Some(node) = store.node_of(self.machine) else {
            return;
        };
        let (symbols, seed) = (&self.world.symbols, self.world.seed);
        for (id, row) in store.pods_on(node) {
            let details = store.pod_details(id);
            let Some(sandbox) = details.sandbox else {
                continue;
            };
            let template = store.template(row.template);
            let namespace = symbols.text(template.namespace).to_owned();
            let name = row.name.text(symbols);
            let own = uid(seed, "pods", &namespace, &name, u64::from(row.created_s));
            let (hostname, is_whole) = hostname(template, &name);
            let spec = |key: &str| template.document.path(&["spec", key]);
            let on_host = spec("hostNetwork").and_then(Value::as_bool) == Some(true);
            let domain = template.document.str_at(&["spec", "subdomain"]);
            // With the machine's network it has the machine's names.
            let domain = domain.filter(|_| !on_host && !is_whole);
            let domain = domain.map_or_else(String::new, |own| {
                format!("{own}.{namespace}.svc.{CLUSTER_DOMAIN}")
            });
            let unit = Unit {
                label: format!("pod{}", uid_text(own)),
                id: hex(
                    uid(seed, "sandboxes", &namespace, &name, sandbox.bits()),
                    seed,
                    &name,
                ),
                hostname: if on_host {
                    self.node_name().to_owned()
                } else {
                    hostname
                },
                domain,
                namespace,
                name,
            };
            self.units.insert(sandbox, unit);
        }
        let containers: Vec<ContainerId> = self
            .world
            .substrate
            .sandboxes_on(self.machine)
            .flat_map(|(sandbox, _)| self.world.substrate.containers_in(sandbox))
            .map(|(id, _)| id)
            .collect();
        for container in containers {
            self.ids
                .insert(container, pod::container_hex(seed, container.bits()));
        }
    }

    fn engine(&mut self) {
        let engine = Engine {
            world: self.world,
            machine: self.machine,
            now: self.now,
        };
        // One host runs a whole project; the others have nothing of it.
        for row in engine.rows() {
            let Some(process) = row.process else { continue };
            let Some(container) = self.world.substrate.container(process) else {
                continue;
            };
            let sandbox = container.sandbox;
            let here = self.world.substrate.sandbox(sandbox);
            if here.is_none_or(|here| here.machine != self.machine) {
                continue;
            }
            self.ids.insert(process, row.id.clone());
            // On the machine's own network the engine gives the machine's name too.
            let on_host = here.is_some_and(|here| here.spec.network == Sharing::Host);
            let unit = Unit {
                domain: String::new(),
                label: String::new(),
                id: row.id.clone(),
                hostname: if on_host {
                    self.node_name().to_owned()
                } else {
                    row.id.chars().take(12).collect()
                },
                namespace: String::new(),
                name: row.name,
            };
            self.units.insert(sandbox, unit);
        }
    }

    /// The machine's name.
    pub fn node_name(&self) -> &'a str {
        self.world.machine_text(self.machine)
    }

    /// All processes, by number.
    pub fn processes(&self) -> Vec<Process> {
        self.world.substrate.processes(self.machine, self, self.now)
    }

    /// The tree of control groups.
    pub fn groups(&self) -> Option<Group> {
        self.world.substrate.groups(self.machine, self, self.now)
    }

    /// The path of a group from the root of a hierarchy, with a slash at the front.
    pub fn group_path(&self, key: &GroupKey) -> String {
        self.groups()
            .and_then(|root| root.path_of(key))
            .map_or_else(|| "/".to_owned(), |path| format!("/{path}"))
    }
}

fn hex(first: u128, seed: crate::base::rng::Seed, name: &str) -> String {
    let second = uid(seed, "sandboxes", "more", name, first as u64);
    format!("{first:032x}{second:032x}")
}

impl Names for Place<'_> {
    fn sandbox(&self, sandbox: SandboxId) -> String {
        self.units.get(&sandbox).map_or_else(
            || {
                format!(
                    "pod{}",
                    uid_text(uid(self.world.seed, "pods", "", "", sandbox.bits()))
                )
            },
            |unit| unit.label.clone(),
        )
    }

    fn holder(&self, sandbox: SandboxId) -> String {
        self.units.get(&sandbox).map_or_else(
            || pod::container_hex(self.world.seed, !sandbox.bits()),
            |unit| unit.id.clone(),
        )
    }

    fn container(&self, container: ContainerId) -> String {
        self.ids.get(&container).map_or_else(
            || pod::container_hex(self.world.seed, container.bits()),
            String::clone,
        )
    }

    fn hostname(&self, sandbox: SandboxId) -> String {
        self.units
            .get(&sandbox)
            .map_or_else(String::new, |unit| unit.hostname.clone())
    }

    fn agents(&self) -> &'static [Agent] {
        match self.world.orchestrator {
            Orchestrator::Kubernetes => KUBERNETES,
            Orchestrator::Swarm | Orchestrator::Compose => DOCKER,
        }
    }
}
