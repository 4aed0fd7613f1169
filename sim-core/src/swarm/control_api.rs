//! The control API: what a client may ask of a manager, and why it may be refused.
//! Source: swarmkit `manager/controlapi/{service,node,network,secret,config}.go`.
//!
//! A refused request changes nothing and is never tried again by anyone.

pub mod validate;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::api::health::HealthTest;
use crate::api::swarm::service::{Mount, MountKind, PublishMode, ServiceMode, ServiceSpec};
use crate::api::swarm::stack::Stack;
use crate::base::arrange::Arrange;
use crate::base::resources::ResourceVector;
use crate::base::time::{SimDuration, SimTime};
use crate::substrate::cgroup::settings::{GroupSettings, OomScore};
use crate::substrate::order::{ContainerSpec, ProbeAction, ProbePacing, ProbeSpec};
use crate::substrate::root_fs::{self, From, RootSpec};
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::allocator::POOL_FIRST;
use crate::swarm::cluster;
use crate::swarm::constraint;
use crate::swarm::identity::Identity;
use crate::swarm::stack::StackOutcome;
use crate::swarm::state::{Availability, Message, NodeState, Role, TaskState, UpdateState};
use crate::swarm::store::{
    Counts, Named, NodeId, Service, ServiceId, TEMPLATES_MAX, TaskError, Template, TemplateId,
    UpdateStatus,
};
use crate::swarm::{Event, SwarmPlane};

/// A request. Objects are named by name, full identifier or a unique beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Make a service.
    CreateService(Arc<ServiceSpec>),
    /// Replace a service's specification.
    UpdateService {
        /// Which.
        service: Arc<str>,
        /// Version of the object that the change was made from.
        version: u64,
        /// The new specification.
        spec: Arc<ServiceSpec>,
    },
    /// Return to the previous specification.
    RollbackService {
        /// Which.
        service: Arc<str>,
        /// Version of the object.
        version: u64,
    },
    /// Delete a service.
    RemoveService(Arc<str>),
    /// Change a node's availability, role or labels.
    UpdateNode {
        /// Which.
        node: Arc<str>,
        /// Version of the object; none: whatever it is now.
        version: Option<u64>,
        /// What changes.
        change: NodeChange,
    },
    /// Delete a node.
    RemoveNode {
        /// Which.
        node: Arc<str>,
        /// Whether it may be ready.
        force: bool,
    },
    /// Make a network, secret or config.
    Create {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: Arc<str>,
        /// Its labels.
        labels: BTreeMap<Arc<str>, Arc<str>>,
        /// What is in it; nothing for a network.
        data: Arc<str>,
    },
    /// Delete a network, secret or config.
    Remove {
        /// What it is.
        kind: Kind,
        /// Its name or identifier.
        name: Arc<str>,
    },
    /// What `docker stack deploy` does, as one step of the console.
    DeployStack {
        /// The stack as its file says.
        stack: Arc<Stack>,
        /// Whether services that are not in the file go first.
        prune: bool,
    },
    /// What `docker stack rm` does.
    RemoveStack(Arc<str>),
    /// Something about the swarm itself.
    Cluster(cluster::Change),
}

/// What changes about a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeChange {
    /// New availability.
    pub availability: Option<Availability>,
    /// New role.
    pub role: Option<Role>,
    /// Labels to add or replace.
    pub labels_add: Vec<(Arc<str>, Arc<str>)>,
    /// Labels to take away.
    pub labels_remove: Vec<Arc<str>>,
}

/// Objects that only have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An overlay network.
    Network,
    /// A secret.
    Secret,
    /// A config.
    Config,
}

impl Kind {
    /// Lower-case word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Secret => "secret",
            Self::Config => "config",
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Identifier of the object that was made or written.
    Id(String),
    /// Done; nothing to say.
    Done,
    /// What the client of a stack printed; its steps may have been refused half-way.
    Stack(StackOutcome),
}

/// Class of a refusal, as gRPC names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request makes no sense.
    InvalidArgument,
    /// There is no such object.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// Not now.
    FailedPrecondition,
    /// Never.
    Unimplemented,
    /// Nobody answered in time.
    DeadlineExceeded,
    /// Anything else.
    Unknown,
    /// The daemon's own refusal: no call was made.
    Plain,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its class.
    pub code: Code,
    /// Its text.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Refusal {
    /// `rpc error: code = NotFound desc = service web not found`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self.code {
            Code::InvalidArgument => "InvalidArgument",
            Code::NotFound => "NotFound",
            Code::AlreadyExists => "AlreadyExists",
            Code::FailedPrecondition => "FailedPrecondition",
            Code::Unimplemented => "Unimplemented",
            Code::DeadlineExceeded => "DeadlineExceeded",
            Code::Unknown => "Unknown",
            Code::Plain => return formatter.write_str(&self.message),
        };
        write!(
            formatter,
            "rpc error: code = {code} desc = {}",
            self.message
        )
    }
}

/// Label that says which stack an object belongs to.
pub const STACK_LABEL: &str = "com.docker.stack.namespace";

impl SwarmPlane {
    /// Carries out a request.
    pub(crate) fn carry_out(
        &mut self,
        request: &Request,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        match request {
            Request::CreateService(spec) => self.create_service(spec, ctx, out),
            Request::UpdateService {
                service,
                version,
                spec,
            } => self.update_service(service, *version, spec, ctx, out),
            Request::RollbackService { service, version } => {
                self.rollback_service(service, *version, ctx, out)
            }
            Request::RemoveService(service) => {
                let id = self.require_service(service)?;
                self.note_service(
                    out,
                    "swarm.control-api",
                    "remove",
                    id,
                    crate::des::notice::Detail::None,
                    None,
                );
                self.store.remove_service(id);
                Ok(Response::Done)
            }
            Request::UpdateNode {
                node,
                version,
                change,
            } => self.change_node(node, *version, change, ctx, out),
            Request::RemoveNode { node, force } => self.delete_node(node, *force, ctx, out),
            Request::Create {
                kind,
                name,
                labels,
                data,
            } => self.create_named(*kind, name, labels, data, ctx),
            Request::Remove { kind, name } => self.remove_named(*kind, name),
            Request::DeployStack { stack, prune } => {
                Ok(Response::Stack(self.deploy_stack(stack, *prune, ctx, out)))
            }
            Request::RemoveStack(stack) => Ok(Response::Stack(self.remove_stack(stack, ctx, out))),
            Request::Cluster(change) => self.change_cluster(change, ctx, out),
        }
    }

    /// The service of this name, identifier or unique beginning of one.
    pub fn find_service(&self, text: &str) -> Option<ServiceId> {
        if let Some(id) = self.store.service_named(text) {
            return Some(id);
        }
        one(self
            .store
            .services()
            .filter(|(_, service)| starts(service.identity, text))
            .map(|(id, _)| id))
    }

    /// The node of this host name, identifier or unique beginning of one.
    pub fn find_node(&self, text: &str) -> Option<NodeId> {
        if let Some((id, _)) = self.store.nodes().find(|(_, node)| &*node.hostname == text) {
            return Some(id);
        }
        one(self
            .store
            .nodes()
            .filter(|(_, node)| starts(node.identity, text))
            .map(|(id, _)| id))
    }

    fn require_service(&self, text: &str) -> Result<ServiceId, Refusal> {
        self.find_service(text)
            .ok_or_else(|| Refusal::new(Code::NotFound, format!("service {text} not found")))
    }

    fn create_service(
        &mut self,
        spec: &Arc<ServiceSpec>,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        self.validate(spec, None)?;
        if self.store.service_named(&spec.name).is_some() {
            return Err(Refusal::new(
                Code::AlreadyExists,
                format!(
                    "name conflicts with an existing object: service {} already exists",
                    spec.name
                ),
            ));
        }
        let version = self.store.next_version();
        let id = self.store.next_service();
        let template = self.make_template(id, spec, version, ctx);
        let short = short_name(spec);
        let service = Service {
            identity: Identity::draw(ctx.seed, "swarm.service-id", &spec.name, id.0),
            version,
            created_at: ctx.now,
            updated_at: ctx.now,
            spec: spec.clone(),
            spec_version: version,
            previous: None,
            template,
            clean: [template].into_iter().collect(),
            templates: [template].into_iter().collect(),
            update_status: None,
            ports: Vec::new(),
            virtual_addresses: Vec::new(),
            slots: BTreeMap::new(),
            counts: Counts::default(),
            wanted: 0,
            made: 0,
            job_iteration: 0,
            short_name: ctx.symbols.intern(short),
        };
        let text = service.identity.text();
        self.store.add_service(service);
        self.allocate_service(id);
        self.count_wanted();
        self.rebalance(id, out);
        self.note_service(
            out,
            "swarm.control-api",
            "create",
            id,
            crate::des::notice::Detail::None,
            None,
        );
        Ok(Response::Id(text))
    }

    fn update_service(
        &mut self,
        text: &str,
        version: u64,
        spec: &Arc<ServiceSpec>,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        let id = self.require_service(text)?;
        self.validate(spec, Some(id))?;
        let service = self.store.service(id).expect("the service was just found");
        if std::mem::discriminant(&service.spec.mode) != std::mem::discriminant(&spec.mode) {
            return Err(Refusal::new(
                Code::Unimplemented,
                "service mode change is not allowed",
            ));
        }
        if service.spec.name != spec.name {
            return Err(Refusal::new(
                Code::Unimplemented,
                "renaming services is not supported",
            ));
        }
        in_sequence(service.version, version)?;
        let previous = (service.spec.clone(), service.spec_version);
        let job = service.is_job();
        let identity = service.identity;
        self.put_spec(id, spec.clone(), None, ctx, |service| {
            service.previous = Some(previous);
            service.update_status = None;
            service.job_iteration += u64::from(job);
        });
        self.rebalance(id, out);
        self.note_service(
            out,
            "swarm.control-api",
            "update",
            id,
            crate::des::notice::Detail::None,
            None,
        );
        Ok(Response::Id(identity.text()))
    }

    fn rollback_service(
        &mut self,
        text: &str,
        version: u64,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        let id = self.require_service(text)?;
        let service = self.store.service(id).expect("the service was just found");
        let identity = service.identity;
        let Some((spec, spec_version)) = service.previous.clone() else {
            let message = format!("service {} does not have a previous spec", identity.text());
            return Err(Refusal::new(Code::FailedPrecondition, message));
        };
        in_sequence(service.version, version)?;
        let swapped = (service.spec.clone(), service.spec_version);
        let status = UpdateStatus {
            state: UpdateState::RollbackStarted,
            started_at: ctx.now,
            completed_at: None,
            message: "manually requested rollback".to_owned(),
        };
        self.put_spec(id, spec, Some(spec_version), ctx, |service| {
            service.previous = Some(swapped);
            service.update_status = Some(status);
        });
        self.rebalance(id, out);
        self.note_service(
            out,
            "swarm.control-api",
            "rollback",
            id,
            crate::des::notice::Detail::None,
            None,
        );
        Ok(Response::Id(identity.text()))
    }

    /// Puts a specification in force. `spec_version`: an older version's number, or none for a new
    /// one.
    pub(crate) fn put_spec(
        &mut self,
        id: ServiceId,
        spec: Arc<ServiceSpec>,
        spec_version: Option<u64>,
        ctx: &mut Context<'_>,
        also: impl FnOnce(&mut Service),
    ) {
        let spec_version = spec_version.unwrap_or_else(|| self.store.next_version());
        let template = self.make_template(id, &spec, spec_version, ctx);
        self.store.update_service(id, ctx.now, |service| {
            service.spec = spec;
            service.spec_version = spec_version;
            service.template = template;
            service.templates.push(template);
            if service.templates.len() > TEMPLATES_MAX {
                service.templates.remove(0);
            }
            also(service);
        });
        self.store.recount(id);
        self.allocate_service(id);
        self.count_wanted();
    }

    fn make_template(
        &mut self,
        service: ServiceId,
        spec: &Arc<ServiceSpec>,
        spec_version: u64,
        ctx: &mut Context<'_>,
    ) -> TemplateId {
        let constraints = constraint::parse(&spec.task.placement.constraints).unwrap_or_default();
        let requests = &spec.task.resources.requests;
        let template = Template {
            service,
            spec: spec.clone(),
            spec_version,
            name: ctx.symbols.intern(&spec.name),
            image: ctx.symbols.intern(&spec.task.container.image),
            constraints,
            preferences: constraint::parse_preferences(&spec.task.placement.preferences),
            reserved_cpu_milli: requests.cpu_milli.unwrap_or(0),
            reserved_memory_bytes: requests.memory_bytes.unwrap_or(0),
            container: Arc::new(lower(spec, ctx)),
            balanced: !spec.task.networks.is_empty()
                || spec
                    .ports
                    .iter()
                    .any(|port| port.mode == PublishMode::Ingress),
        };
        self.store.add_template(template)
    }

    fn change_node(
        &mut self,
        text: &str,
        version: Option<u64>,
        change: &NodeChange,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        let Some(id) = self.find_node(text) else {
            return Err(Refusal::new(
                Code::NotFound,
                format!("node {text} not found"),
            ));
        };
        let node = self.store.node(id).expect("the node was just found");
        if self.is_member(id) && change.role == Some(Role::Worker) {
            let nodes = self.store.nodes();
            let managers = nodes.filter(|(id, _)| self.is_member(*id)).count();
            if managers == 1 {
                return Err(Refusal::new(
                    Code::FailedPrecondition,
                    "attempting to demote the last manager of the swarm",
                ));
            }
            if !self.can_remove_member(id) {
                return Err(Refusal::new(
                    Code::FailedPrecondition,
                    "can't remove member from the raft: this would result in a loss of quorum",
                ));
            }
        }
        if let Some(version) = version {
            in_sequence(node.version, version)?;
        }
        let identity = node.identity;
        self.store.update_node(id, ctx.now, |node| {
            if let Some(availability) = change.availability {
                node.availability = availability;
            }
            if let Some(role) = change.role {
                node.role = role;
            }
            for label in &change.labels_remove {
                node.labels.remove(label);
            }
            node.labels.extend(change.labels_add.iter().cloned());
        });
        let verb = change.availability.map_or("update", Availability::word);
        self.note_node(out, "swarm.control-api", verb, id, None);
        if change.role.is_some() {
            self.raft_check(ctx, out);
        }
        Ok(Response::Id(identity.text()))
    }

    fn delete_node(
        &mut self,
        text: &str,
        force: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        let Some(id) = self.find_node(text) else {
            return Err(Refusal::new(
                Code::NotFound,
                format!("node {text} not found"),
            ));
        };
        let node = self.store.node(id).expect("the node was just found");
        let identity = node.identity.text();
        if self.is_member(id) {
            return Err(Refusal::new(
                Code::FailedPrecondition,
                format!(
                    "node {identity} is a cluster manager and is a member of the raft cluster. \
                     It must be demoted to worker before removal"
                ),
            ));
        }
        if !force && node.state == NodeState::Ready {
            return Err(Refusal::new(
                Code::FailedPrecondition,
                format!("node {identity} is not down and can't be removed"),
            ));
        }
        self.note_node(out, "swarm.control-api", "remove", id, None);
        for task in self.tasks_on(id) {
            if self.store.tasks[task].state < TaskState::Complete {
                self.store.update_task(task, |row| {
                    row.state = TaskState::Orphaned;
                    row.message = Message::NodeDeleted;
                    row.error = TaskError::None;
                    row.status_at = ctx.now;
                });
            }
        }
        self.agent_removed(id, out);
        self.store.remove_node(id);
        Ok(Response::Done)
    }

    /// Makes the network that the routing mesh uses.
    pub(crate) fn create_ingress(&mut self) {
        let version = self.store.next_version();
        let network = Named {
            identity: Identity::of(0x1_9e55),
            version,
            created_at: SimTime::ZERO,
            labels: BTreeMap::new(),
            data: "".into(),
            subnet: POOL_FIRST,
        };
        self.store.networks.insert("ingress".into(), network);
    }

    fn create_named(
        &mut self,
        kind: Kind,
        name: &Arc<str>,
        labels: &BTreeMap<Arc<str>, Arc<str>>,
        data: &Arc<str>,
        ctx: &mut Context<'_>,
    ) -> Result<Response, Refusal> {
        let word = kind.word();
        if self.named(kind).contains_key(name) {
            let message = match kind {
                Kind::Network => format!(
                    "name conflicts with an existing object: network with name {name} already exists"
                ),
                Kind::Secret | Kind::Config => format!("{word} {name} already exists"),
            };
            return Err(Refusal::new(Code::AlreadyExists, message));
        }
        let version = self.store.next_version();
        let purpose = match kind {
            Kind::Network => "swarm.network-id",
            Kind::Secret => "swarm.secret-id",
            Kind::Config => "swarm.config-id",
        };
        // The pool is cut in /24; the first one is the ingress network's.
        let subnet = match kind {
            Kind::Network => {
                let used: Vec<u32> = self
                    .store
                    .networks
                    .values()
                    .map(|network| network.subnet)
                    .collect();
                (1_u32..65_536)
                    .map(|number| POOL_FIRST + (number << 8))
                    .find(|subnet| !used.contains(subnet))
                    .unwrap_or(0)
            }
            Kind::Secret | Kind::Config => 0,
        };
        let object = Named {
            identity: Identity::draw(ctx.seed, purpose, name, version as u32),
            version,
            created_at: ctx.now,
            labels: labels.clone(),
            data: data.clone(),
            subnet,
        };
        let id = object.identity.text();
        self.named_mut(kind).insert(name.clone(), object);
        Ok(Response::Id(id))
    }

    fn remove_named(&mut self, kind: Kind, text: &str) -> Result<Response, Refusal> {
        let word = kind.word();
        let found = self
            .named(kind)
            .get_key_value(text)
            .map(|(name, _)| name.clone())
            .or_else(|| {
                one(self
                    .named(kind)
                    .iter()
                    .filter(|(_, object)| starts(object.identity, text))
                    .map(|(name, _)| name.clone()))
            });
        let Some(name) = found else {
            return Err(Refusal::new(
                Code::NotFound,
                format!("{word} {text} not found"),
            ));
        };
        let users: Vec<(String, Arc<str>)> = self
            .store
            .services_by_name()
            .filter_map(|(_, id)| self.store.service(id))
            .filter(|service| {
                let task = &service.spec.task;
                match kind {
                    Kind::Network => task.networks.contains(&name),
                    Kind::Secret => task.container.secrets.contains(&name),
                    Kind::Config => task.container.configs.contains(&name),
                }
            })
            .map(|service| (service.identity.text(), service.spec.name.clone()))
            .collect();
        if let Some((first, _)) = users.first() {
            if kind == Kind::Network {
                let id = self.named(kind)[&name].identity.text();
                return Err(Refusal::new(
                    Code::FailedPrecondition,
                    format!("network {id} is in use by service {first}"),
                ));
            }
            let names: Vec<&str> = users.iter().map(|(_, name)| &**name).collect();
            let services = if names.len() == 1 {
                "service"
            } else {
                "services"
            };
            return Err(Refusal::new(
                Code::InvalidArgument,
                format!(
                    "{word} '{name}' is in use by the following {services}: {}",
                    names.join(", ")
                ),
            ));
        }
        if kind == Kind::Network {
            let id = self.named(kind)[&name].identity.text();
            // Tasks of a service that is gone are about to be told to end. Upstream tells them before
            // a client's next call arrives; here a client's calls are one instant.
            let task = self.store.tasks.rows().find(|row| {
                row.state >= TaskState::Assigned
                    && row.state <= TaskState::Running
                    && self.store.service(row.service).is_some()
                    && self
                        .store
                        .template(row.template)
                        .spec
                        .task
                        .networks
                        .contains(&name)
            });
            if let Some(row) = task {
                let message = format!("network {id} is in use by task {}", row.identity.text());
                return Err(Refusal::new(Code::FailedPrecondition, message));
            }
        }
        self.named_mut(kind).remove(&name);
        self.store.index += 1;
        Ok(Response::Done)
    }

    /// All objects of a kind, by name.
    pub fn named(&self, kind: Kind) -> &BTreeMap<Arc<str>, Named> {
        match kind {
            Kind::Network => &self.store.networks,
            Kind::Secret => &self.store.secrets,
            Kind::Config => &self.store.configs,
        }
    }

    fn named_mut(&mut self, kind: Kind) -> &mut BTreeMap<Arc<str>, Named> {
        match kind {
            Kind::Network => &mut self.store.networks,
            Kind::Secret => &mut self.store.secrets,
            Kind::Config => &mut self.store.configs,
        }
    }
}

/// Refuses a change that was made from another version of the object.
fn in_sequence(stored: u64, given: u64) -> Result<(), Refusal> {
    if stored == given {
        Ok(())
    } else {
        Err(Refusal::new(Code::Unknown, "update out of sequence"))
    }
}

fn starts(identity: Identity, text: &str) -> bool {
    !text.is_empty() && identity.text().starts_with(text)
}

/// The only item, if there is exactly one.
fn one<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

/// The service's name without its stack's prefix.
pub fn short_name(spec: &ServiceSpec) -> &str {
    spec.labels
        .get(STACK_LABEL)
        .and_then(|stack| spec.name.strip_prefix(&**stack)?.strip_prefix('_'))
        .unwrap_or(&spec.name)
}

/// The container as the machines run it.
fn lower(spec: &ServiceSpec, ctx: &mut Context<'_>) -> ContainerSpec {
    let container = &spec.task.container;
    let mut ports: Vec<u16> = spec.ports.iter().map(|port| port.target).collect();
    ports.arrange();
    ports.dedup();
    let mut vector = |amounts: &crate::api::resources::ResourceAmounts| {
        let mut vector = ResourceVector::new();
        vector.milli_cpu = amounts.cpu_milli.unwrap_or(0) as i64;
        vector.memory = amounts.memory_bytes.unwrap_or(0) as i64;
        for (name, amount) in &amounts.extended {
            vector.set_extended(ctx.symbols.intern(name), *amount as i64);
        }
        vector
    };
    // Swarm's reservations do not reach the kernel: only limits do.
    let limits = vector(&spec.task.resources.limits);
    ContainerSpec {
        name: ctx.symbols.intern(short_name(spec)),
        image: ctx.symbols.intern(&container.image),
        command: container.command.clone().into(),
        arguments: container.args.clone().into(),
        environment: container
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        ports: ports.into(),
        group: GroupSettings {
            // Source: moby `daemon/cluster/executor/container/container.go` resources: 0 is no limit.
            pids_limit: (container.options.pids_limit != 0).then_some(container.options.pids_limit),
            ..GroupSettings::docker(limits.milli_cpu, limits.memory)
        },
        oom: OomScore::Fixed(i32::try_from(container.options.oom_score_adjustment).unwrap_or(0)),
        requests: ResourceVector::new(),
        limits,
        mounts: container
            .mounts
            .iter()
            .map(|mount| mount.target.clone())
            .collect(),
        root: Arc::new(root(spec)),
        probes: probes(spec).into(),
    }
}

/// What is mounted into a service's containers.
fn root(spec: &ServiceSpec) -> RootSpec {
    let container = &spec.task.container;
    let from = |mount: &Mount| match mount.kind {
        MountKind::Bind => From::Machine(mount.source.clone()),
        MountKind::Tmpfs => From::Memory(0),
        MountKind::Volume if mount.source.is_empty() => From::Sandbox(mount.target.clone()),
        MountKind::Volume => From::Volume(mount.source.clone()),
    };
    RootSpec {
        mounts: container
            .mounts
            .iter()
            .map(|mount| root_fs::Mount {
                target: mount.target.trim_end_matches('/').into(),
                from: from(mount),
                read_only: mount.read_only,
            })
            .collect(),
        read_only: container.options.read_only,
        init: container.options.init == Some(true),
    }
}

/// The engine's defaults of a health check. Source: moby `daemon/health.go`.
const HEALTH_PERIOD: SimDuration = SimDuration::from_secs(30);
const HEALTH_START_INTERVAL: SimDuration = SimDuration::from_secs(5);
const HEALTH_RETRIES: u32 = 3;

fn probes(spec: &ServiceSpec) -> Vec<ProbeSpec> {
    let Some(check) = &spec.task.container.health_check else {
        return Vec::new();
    };
    let command: Arc<[Arc<str>]> = match &check.test {
        None | Some(HealthTest::Disabled) => return Vec::new(),
        Some(HealthTest::Command(words)) => words.clone().into(),
        Some(HealthTest::Shell(line)) => Arc::new(["/bin/sh".into(), "-c".into(), line.clone()]),
    };
    // Zero means the engine's default.
    let or = |span: SimDuration, default: SimDuration| if span.is_zero() { default } else { span };
    vec![ProbeSpec {
        which: 0,
        action: ProbeAction::Exec { command },
        initial_delay: SimDuration::ZERO,
        period: or(check.interval, HEALTH_PERIOD),
        timeout: or(check.timeout, HEALTH_PERIOD),
        success_threshold: 1,
        failure_threshold: match check.retries {
            0 => HEALTH_RETRIES,
            retries => retries,
        },
        start_period: check.start_period,
        start_interval: or(check.start_interval, HEALTH_START_INTERVAL),
        pacing: ProbePacing::Gaps,
        initial: None,
        after: None,
        once: false,
    }]
}

/// Number of tasks a service wants, where its specification says so.
pub fn replicas(spec: &ServiceSpec) -> Option<u32> {
    match spec.mode {
        ServiceMode::Replicated { replicas } => Some(replicas),
        ServiceMode::Global | ServiceMode::GlobalJob | ServiceMode::ReplicatedJob { .. } => None,
    }
}
