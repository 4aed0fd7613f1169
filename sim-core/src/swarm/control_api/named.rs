//! Networks, secrets and configs: objects that only have a name.
//! Source: swarmkit `manager/controlapi/{network,secret,config}.go`.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::base::time::SimTime;
use crate::substrate::Context;
use crate::swarm::SwarmPlane;
use crate::swarm::allocator::POOL_FIRST;
use crate::swarm::identity::Identity;
use crate::swarm::state::TaskState;
use crate::swarm::store::Named;

use super::{Code, Kind, Refusal, Response, one, starts};

impl SwarmPlane {
    /// Makes the network that the routing mesh uses.
    pub(crate) fn create_ingress(&mut self) {
        let version = self.store.next_version();
        let network = Named {
            identity: Identity::of(0x1_9e55),
            version,
            created_at: SimTime::ZERO,
            labels: SortedMap::new(),
            data: "".into(),
            subnet: POOL_FIRST,
        };
        self.store.networks.insert("ingress".into(), network);
    }

    #[inline(never)]
    pub(super) fn create_named(
        &mut self,
        kind: Kind,
        name: &Arc<str>,
        labels: &SortedMap<Arc<str>, Arc<str>>,
        data: &Arc<str>,
        ctx: &mut Context<'_>,
    ) -> Result<Response, Refusal> {
        let word = kind.word();
        if kind != Kind::Network {
            super::validate::object_name(name)?;
        }
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

    #[inline(never)]
    pub(super) fn remove_named(&mut self, kind: Kind, text: &str) -> Result<Response, Refusal> {
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
    pub fn named(&self, kind: Kind) -> &SortedMap<Arc<str>, Named> {
        match kind {
            Kind::Network => &self.store.networks,
            Kind::Secret => &self.store.secrets,
            Kind::Config => &self.store.configs,
        }
    }

    fn named_mut(&mut self, kind: Kind) -> &mut SortedMap<Arc<str>, Named> {
        match kind {
            Kind::Network => &mut self.store.networks,
            Kind::Secret => &mut self.store.secrets,
            Kind::Config => &mut self.store.configs,
        }
    }
}
