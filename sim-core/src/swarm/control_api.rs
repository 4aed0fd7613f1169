//! The control API: what a client may ask of a manager, and why it may be refused.
//! Source: swarmkit `manager/controlapi/{service,node,network,secret,config}.go`.
//!
//! A refused request changes nothing and is never tried again by anyone.

mod lower;
mod named;
mod node;
pub mod validate;

use std::fmt;
use std::sync::Arc;

use crate::api::swarm::service::{PublishMode, ServiceMode, ServiceSpec};
use crate::api::swarm::stack::Stack;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedMap;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::cluster;
use crate::swarm::constraint;
use crate::swarm::identity::Identity;
use crate::swarm::stack::StackOutcome;
use crate::swarm::state::{Availability, Role, UpdateState};
use crate::swarm::store::{
    Counts, NodeId, Service, ServiceId, TEMPLATES_MAX, Template, TemplateId, UpdateStatus,
};
use crate::swarm::{Event, SwarmPlane};

/// A request. Objects are named by name, full identifier or a unique beginning of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        labels: SortedMap<Arc<str>, Arc<str>>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Its text; what the real manager would not say is a sentence in it.
    pub message: Passage,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: Code, message: impl Into<Passage>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl Refusal {
    /// `rpc error: code = NotFound desc = service web not found`.
    pub fn text(&self) -> Passage {
        let code = match self.code {
            Code::InvalidArgument => "InvalidArgument",
            Code::NotFound => "NotFound",
            Code::AlreadyExists => "AlreadyExists",
            Code::FailedPrecondition => "FailedPrecondition",
            Code::Unimplemented => "Unimplemented",
            Code::DeadlineExceeded => "DeadlineExceeded",
            Code::Unknown => "Unknown",
            Code::Plain => return self.message.clone(),
        };
        Passage::from(format!("rpc error: code = {code} desc = ")).then(&self.message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text())
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
            slots: SortedMap::new(),
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

    #[inline(never)]
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

    #[inline(never)]
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
            container: Arc::new(lower::lower(spec, ctx)),
            balanced: (spec.task.networks.iter())
                .any(|network| self.store.networks.contains_key(network))
                || spec
                    .ports
                    .iter()
                    .any(|port| port.mode == PublishMode::Ingress),
        };
        self.store.add_template(template)
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

/// Number of tasks a service wants, where its specification says so.
pub fn replicas(spec: &ServiceSpec) -> Option<u32> {
    match spec.mode {
        ServiceMode::Replicated { replicas } => Some(replicas),
        ServiceMode::Global | ServiceMode::GlobalJob | ServiceMode::ReplicatedJob { .. } => None,
    }
}
