//! Containers, networks, volumes and images as the engine makes and removes them, and what
//! `docker events` tells of it.
//!
//! Sources: moby `daemon/{create,names,network,volumes}.go`, `daemon/events/events.go`.

use std::sync::Arc;

use crate::api::compose::container::ContainerConfig;
use crate::api::swarm::service::MountKind;
use crate::base::id::Id;
use crate::base::rng::stable_hash;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::substrate::Context;
use crate::substrate::image::{ImageRef, tagged};
use crate::substrate::net::filter::Cidr;
use crate::substrate::order::{MachineId, Order};

use super::store::{
    ContainerRow, EVENTS_MAX, EngineEvent, Health, Made, Published, ServiceRow, State, Then,
};
use super::view::{container_id, network_id};
use super::{ComposePlane, Out, Refusal, Response, lower};

/// First of the ports that are given out when none is asked for.
/// Source: `net.ipv4.ip_local_port_range`.
const EPHEMERAL_FIRST: u16 = 32_768;

/// Names of the networks that are always there.
pub const BUILT_IN: [(&str, &str); 3] = [("bridge", "bridge"), ("host", "host"), ("none", "null")];

/// What a new container is, besides its configuration.
pub(crate) struct Birth<'a> {
    /// Name.
    pub name: &'a str,
    /// Name that seeds its id: the last one, where it is made under another.
    pub seed_name: &'a str,
    /// Project; empty for `docker run`.
    pub project: &'a str,
    /// Service.
    pub service: &'a str,
    /// Number in the service.
    pub number: u32,
    /// Hash of the service.
    pub hash: u64,
    /// Whether it counts for the service's scale.
    pub counts: bool,
}

impl ComposePlane {
    /// `docker create`: name, networks and volumes are looked up first; nothing is left behind if
    /// one is wrong.
    #[inline(never)]
    pub(crate) fn create_container(
        &mut self,
        name: &str,
        config: &Arc<ContainerConfig>,
        one_off: Option<&(Arc<str>, Arc<str>)>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        self.check(config, ctx)?;
        self.free_name(name, None, ctx)?;
        let image = &config.image;
        if !self
            .host
            .is_some_and(|host| ctx.machines.has_image(host, image, ctx.symbols))
        {
            let (repository, tag) = super::client::split_tag(&config.image);
            return Err(Refusal::new(format!("No such image: {repository}:{tag}")));
        }
        for network in config.networks.keys() {
            let known = self.store.networks.contains_key(network)
                || BUILT_IN.iter().any(|(built_in, _)| *built_in == &**network);
            if !known {
                return Err(Refusal::new(format!(
                    "failed to set up container networking: network {network} not found"
                )));
            }
        }
        for mount in &config.mounts {
            if mount.kind == MountKind::Volume
                && !mount.source.is_empty()
                && !self.store.volumes.contains_key(&mount.source)
            {
                self.create_volume(&mount.source, &SortedMap::new(), ctx);
            }
        }
        let (project, service) = match one_off {
            Some((project, service)) => (&**project, &**service),
            None => ("", name),
        };
        let birth = Birth {
            name,
            seed_name: name,
            project,
            service,
            number: 1,
            hash: 0,
            counts: one_off.is_none(),
        };
        let id = self.make(birth, config.clone(), ctx, out);
        if one_off.is_none() {
            let row = &self.store.containers[id];
            let (project, service) = (row.project, row.service);
            self.service_row(project, service, 1);
        }
        let text = container_id(&self.store.containers[id], ctx.seed);
        Ok(Response::Containers(vec![text]))
    }

    /// Refuses a configuration that the daemon would refuse on this host.
    pub(crate) fn check(&self, config: &ContainerConfig, ctx: &Context<'_>) -> Result<(), Refusal> {
        super::validate::config(config, self.host_milli_cpu(ctx))
    }

    pub(crate) fn host_milli_cpu(&self, ctx: &Context<'_>) -> i64 {
        let machine = self.host.and_then(|host| ctx.machines.machine(host));
        machine.map_or(0, |machine| machine.capacity.milli_cpu)
    }

    /// Refuses a name that another container has.
    pub(crate) fn free_name(
        &self,
        name: &str,
        own: Option<Id<ContainerRow>>,
        ctx: &Context<'_>,
    ) -> Result<(), Refusal> {
        let holder = ctx
            .symbols
            .get(name)
            .and_then(|symbol| self.store.named(symbol))
            .filter(|id| Some(*id) != own);
        match holder {
            None => Ok(()),
            Some(id) => {
                let id = container_id(&self.store.containers[id], ctx.seed);
                Err(Refusal::new(format!(
                    "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or rename) that container to be able to reuse that name."
                )))
            }
        }
    }

    /// Adds a container that was never started.
    pub(crate) fn make(
        &mut self,
        birth: Birth<'_>,
        config: Arc<ContainerConfig>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Id<ContainerRow> {
        let spec_name = ctx.symbols.intern(birth.service);
        let key = stable_hash(birth.seed_name);
        let spec = Arc::new(lower::spec(&config, (spec_name, key), ctx.symbols));
        let mut ports = Vec::new();
        for port in &config.ports {
            let published = match port.published {
                Some(range) if range.first == range.last => range.first,
                Some(range) => self.free_in(range.first, range.last),
                None => {
                    self.store.next_port = self.store.next_port.max(EPHEMERAL_FIRST);
                    self.store.next_port += 1;
                    self.store.next_port - 1
                }
            };
            ports.push(Published {
                host_ip: port.host_ip.clone(),
                published,
                target: port.target,
                protocol: lower::protocol(port.protocol),
            });
        }
        self.store.ordinals += 1;
        let row = ContainerRow {
            name: ctx.symbols.intern(birth.name),
            key,
            project: ctx.symbols.intern(birth.project),
            service: spec_name,
            number: birth.number,
            is_one_off: !birth.counts,
            config,
            spec,
            ports: ports.into(),
            config_hash: birth.hash,
            ordinal: self.store.ordinals,
            state: State::Created,
            health: Health::None,
            sandbox: None,
            process: None,
            created_at: ctx.now,
            started_at: None,
            finished_at: None,
            exit_code: 0,
            oom_killed: false,
            error: None,
            refusal: 0,
            restarted: false,
            restart_count: 0,
            failures: 0,
            backoff: SimDuration::ZERO,
            stopped_by_user: false,
            wanted: birth.counts,
            attempt: 0,
            then: Then::Policy,
            log: Arc::default(),
        };
        self.note("create", &row, Detail::None, None, out);
        let id = self.store.containers.insert(row);
        self.event("create", id, &[], ctx);
        id
    }

    fn free_in(&self, first: u16, last: u16) -> u16 {
        let taken = |port: &u16| {
            self.store.containers.iter().any(|(_, row)| {
                row.ports
                    .iter()
                    .any(|published| published.published == *port)
            })
        };
        (first..=last).find(|port| !taken(port)).unwrap_or(first)
    }

    /// Sets how many containers of a service there are to be.
    pub(crate) fn service_row(&mut self, project: Symbol, name: Symbol, desired: u32) {
        let known = self
            .store
            .services
            .iter_mut()
            .find(|row| row.name == name && row.project == project);
        if let Some(row) = known {
            row.desired = desired;
            return;
        }
        let keys = self.store.services.iter().map(|row| row.key + 1);
        let key = keys.max().unwrap_or(0);
        self.store.services.push(ServiceRow {
            project,
            name,
            desired,
            key,
        });
    }

    pub(crate) fn create_network(
        &mut self,
        name: &Arc<str>,
        driver: &Arc<str>,
        labels: &SortedMap<Arc<str>, Arc<str>>,
        internal: bool,
        range: Option<Cidr>,
        ctx: &mut Context<'_>,
    ) -> Result<Response, Refusal> {
        if BUILT_IN.iter().any(|(built_in, _)| *built_in == &**name) {
            return Err(Refusal::new(format!(
                "operation is not permitted on predefined {name} network"
            )));
        }
        if self.store.networks.contains_key(name) {
            return Err(Refusal::new(format!(
                "network with name {name} already exists"
            )));
        }
        let range = match range {
            Some(range) => self.pool(range)?,
            None => self.range_of(driver, &crate::manifest::value::Value::map())?,
        };
        self.add_network(
            name,
            Made {
                at: ctx.now,
                driver: driver.clone(),
                labels: labels.clone(),
                internal,
                range,
                document: "".into(),
            },
            ctx,
        );
        Ok(Response::Containers(vec![network_id(name, ctx.seed)]))
    }

    pub(crate) fn add_network(&mut self, name: &Arc<str>, made: Made, ctx: &Context<'_>) {
        self.store.networks.insert(name.clone(), made);
        self.resource_event("network", "create", name, ctx);
    }

    pub(crate) fn remove_network(
        &mut self,
        name: &str,
        ctx: &mut Context<'_>,
    ) -> Result<Response, Refusal> {
        if BUILT_IN.iter().any(|(built_in, _)| *built_in == name) {
            return Err(Refusal::new(format!(
                "{name} is a pre-defined network and cannot be removed"
            )));
        }
        if !self.store.networks.contains_key(name) {
            return Err(Refusal::new(format!("network {name} not found")));
        }
        let running = self.store.containers.iter().find(|(_, row)| {
            matches!(row.state, State::Running | State::Starting)
                && row.config.networks.contains_key(name)
        });
        if let Some((_, row)) = running {
            let network = network_id(name, ctx.seed);
            return Err(Refusal::new(format!(
                "error while removing network: network {name} has active endpoints (name:{:?} id:{:?})",
                ctx.symbols.text(row.name),
                &network[..12]
            )));
        }
        self.store.networks.remove(name);
        self.resource_event("network", "destroy", name, ctx);
        Ok(Response::Containers(vec![name.to_owned()]))
    }

    /// An existing volume of this name is answered like a new one.
    pub(crate) fn create_volume(
        &mut self,
        name: &Arc<str>,
        labels: &SortedMap<Arc<str>, Arc<str>>,
        ctx: &Context<'_>,
    ) -> Response {
        if !self.store.volumes.contains_key(name) {
            let made = Made {
                at: ctx.now,
                driver: "local".into(),
                labels: labels.clone(),
                internal: false,
                range: (0, 0),
                document: "".into(),
            };
            self.store.volumes.insert(name.clone(), made);
            self.resource_event("volume", "create", name, ctx);
        }
        Response::Containers(vec![name.to_string()])
    }

    pub(crate) fn remove_volume(
        &mut self,
        name: &str,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        if !self.store.volumes.contains_key(name) {
            return Err(Refusal::new(format!("get {name}: no such volume")));
        }
        let users: Vec<String> = self
            .store
            .containers
            .iter()
            .filter(|(_, row)| {
                row.config
                    .mounts
                    .iter()
                    .any(|mount| mount.kind == MountKind::Volume && &*mount.source == name)
            })
            .map(|(_, row)| container_id(row, ctx.seed))
            .collect();
        if !users.is_empty() {
            return Err(Refusal::new(format!(
                "remove {name}: volume is in use - [{}]",
                users.join(", ")
            )));
        }
        self.store.volumes.remove(name);
        self.resource_event("volume", "destroy", name, ctx);
        if let Some(machine) = self.host {
            out.order(Order::RemoveVolume {
                machine,
                name: name.into(),
            });
        }
        Ok(Response::Containers(vec![name.to_owned()]))
    }

    /// An image made here. What its build would do is not modelled; it is there at once.
    #[inline(never)]
    pub(crate) fn build(
        &mut self,
        image: &Arc<str>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Response {
        if let Some(machine) = self.host {
            let symbol = ctx.symbols.intern(image);
            out.order(Order::AddImage {
                machine,
                image: symbol,
            });
        }
        if !self.store.built.contains(image) {
            self.store.built.push(image.clone());
        }
        Response::Containers(vec![image.to_string()])
    }

    /// `docker image rm`: not while a container uses it.
    #[inline(never)]
    pub(crate) fn remove_image(
        &mut self,
        image: &Arc<str>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let full = tagged(image);
        let symbol = ctx.symbols.intern(image);
        let is_there = |host: &MachineId| ctx.machines.has_image(*host, image, ctx.symbols);
        let Some(machine) = self.host.filter(is_there) else {
            return Err(Refusal::new(format!("No such image: {full}")));
        };
        let meant = |text: &str| ImageRef::parse(text).map(|reference| reference.canonical());
        let wanted = meant(image);
        let user = self
            .store
            .containers
            .iter()
            .find(|(_, row)| meant(&row.config.image) == wanted);
        if let Some((_, row)) = user {
            let id = container_id(row, ctx.seed);
            let image_id = super::view::image_id(&full);
            let force = match row.state {
                State::Running | State::Starting | State::Restarting => "cannot be forced",
                State::Created | State::Exited | State::Removing => "must force",
            };
            let message = format!(
                "conflict: unable to remove repository reference \"{image}\" ({force}) - container {} is using its referenced image {}",
                &id[..12],
                &image_id[..12]
            );
            return Err(Refusal::new(message));
        }
        out.order(Order::RemoveImage {
            machine,
            image: symbol,
        });
        self.resource_event("image", "untag", &full, ctx);
        self.resource_event("image", "delete", &full, ctx);
        Ok(Response::Lines(vec![
            format!("Untagged: {full}"),
            format!("Deleted: sha256:{}", super::view::image_id(&full)),
        ]))
    }

    /// Remembers what happened to a container.
    pub(crate) fn event(
        &mut self,
        action: &str,
        id: Id<ContainerRow>,
        more: &[(&str, String)],
        ctx: &Context<'_>,
    ) {
        let Some(row) = self.store.containers.get(id) else {
            return;
        };
        let mut attributes = row.config.labels.clone();
        attributes.insert("image".into(), row.config.image.clone());
        attributes.insert("name".into(), ctx.symbols.text(row.name).into());
        for (key, value) in more {
            attributes.insert((*key).into(), value.as_str().into());
        }
        let actor = container_id(row, ctx.seed).into();
        self.record("container", action, actor, attributes, ctx);
    }

    /// Remembers that a container joined or left a network.
    pub(crate) fn network_event(
        &mut self,
        action: &str,
        network: &str,
        id: Id<ContainerRow>,
        ctx: &Context<'_>,
    ) {
        let Some(row) = self.store.containers.get(id) else {
            return;
        };
        let container = container_id(row, ctx.seed);
        let driver = self
            .store
            .networks
            .get(network)
            .map_or_else(|| Arc::from("bridge"), |made| made.driver.clone());
        let attributes = [
            ("container".into(), container.into()),
            ("name".into(), network.into()),
            ("type".into(), driver),
        ];
        let actor = network_id(network, ctx.seed).into();
        self.record("network", action, actor, attributes.into(), ctx);
    }

    fn resource_event(&mut self, kind: &'static str, action: &str, name: &str, ctx: &Context<'_>) {
        let (actor, attributes): (Arc<str>, SortedMap<Arc<str>, Arc<str>>) = match kind {
            "network" => (
                network_id(name, ctx.seed).into(),
                [
                    ("name".into(), name.into()),
                    ("type".into(), "bridge".into()),
                ]
                .into(),
            ),
            "volume" => (name.into(), [("driver".into(), "local".into())].into()),
            _ => (name.into(), [("name".into(), name.into())].into()),
        };
        self.record(kind, action, actor, attributes, ctx);
    }

    /// Remembers that an image was pulled.
    pub(crate) fn image_event(&mut self, action: &str, name: &str, ctx: &Context<'_>) {
        self.resource_event("image", action, name, ctx);
    }

    fn record(
        &mut self,
        kind: &'static str,
        action: &str,
        actor: Arc<str>,
        attributes: SortedMap<Arc<str>, Arc<str>>,
        ctx: &Context<'_>,
    ) {
        if self.store.events.len() >= EVENTS_MAX {
            self.store.events.pop_front();
        }
        self.store.events.push_back(EngineEvent {
            at: ctx.now,
            kind,
            action: action.into(),
            actor,
            attributes,
        });
    }
}
