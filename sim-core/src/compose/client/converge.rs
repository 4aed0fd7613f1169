//! Networks, volumes and containers as the file wants them: what is missing is made, what has
//! changed is replaced, what is too many is removed.
//!
//! Source: `docker/compose pkg/compose/reconcile.go`.

use std::sync::Arc;

use crate::api::compose::project::Resource;
use crate::api::compose::service::Service;
use crate::base::arrange::Arrange;
use crate::base::id::Id;
use crate::base::sorted::SortedMap;
use crate::substrate::Context;

use super::super::resource::Birth;
use super::super::store::{ContainerRow, Made, State};
use super::super::view::container_id;
use super::super::{ComposePlane, Out, lower};
use super::{Operation, Phase, Stage};

impl ComposePlane {
    /// Makes networks and volumes that are missing, and begins to stop what stands on networks that
    /// have changed.
    #[inline(never)]
    pub(super) fn plan_resources(
        &mut self,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let project = operation.project.clone();
        for (key, network) in &project.networks {
            if network.external {
                if !self.knows_network(&network.name) {
                    operation.fail(format!(
                        "network {} declared as external, but could not be found",
                        network.name
                    ));
                    return;
                }
                continue;
            }
            match self.store.networks.get(&network.name) {
                None => self.new_network(key, network, operation, ctx),
                Some(made) if !made.document.is_empty() && made.document != network.document => {
                    operation.remade.push(key.clone());
                }
                Some(_) => {}
            }
        }
        for (key, volume) in &project.volumes {
            let known = self.store.volumes.get(&volume.name);
            match known {
                None if volume.external => {
                    operation.fail(format!("external volume {:?} not found", volume.name));
                    return;
                }
                None => {
                    operation.say("Volume", &volume.name, "Creating");
                    let labels = labels(&project.name, "volume", key);
                    self.create_volume(&volume.name, &labels, ctx);
                    if let Some(made) = self.store.volumes.get_mut(&volume.name) {
                        made.document = volume.document.clone();
                    }
                    operation.say("Volume", &volume.name, "Created");
                }
                // Nobody answers the question here, and its default is no.
                Some(made)
                    if !volume.external
                        && !made.document.is_empty()
                        && made.document != volume.document =>
                {
                    operation.lines.push(format!(
                        "? Volume {:?} exists but doesn't match configuration in compose file. Recreate (data will be lost)? (y/N)",
                        volume.name
                    ));
                }
                Some(_) => {}
            }
        }
        for key in operation.remade.clone() {
            let members: Vec<Id<ContainerRow>> = operation
                .jobs
                .iter()
                .filter_map(|job| job.service.as_ref())
                .filter(|service| service.networks.contains(&key))
                .flat_map(|service| self.present(&project.name, service, ctx))
                .collect();
            for id in members {
                if !operation.busy.iter().any(|busy| busy.id == id) {
                    let busy = self.halt(id, false, false, operation, ctx, out);
                    operation.busy.push(busy);
                }
            }
        }
    }

    fn knows_network(&self, name: &str) -> bool {
        self.store.networks.contains_key(name)
            || super::super::resource::BUILT_IN
                .iter()
                .any(|(built_in, _)| *built_in == name)
    }

    fn new_network(
        &mut self,
        key: &str,
        network: &Resource,
        operation: &mut Operation,
        ctx: &Context<'_>,
    ) {
        operation.say("Network", &network.name, "Creating");
        let document = crate::manifest::value::Value::parse_json(&network.document);
        let document = document.unwrap_or_default();
        let driver = document.str_at(&["driver"]).unwrap_or("bridge");
        let range = match self.range_of(driver, &document) {
            Ok(range) => range,
            Err(refusal) => {
                operation.fail(format!(
                    "failed to create network {}: Error response from daemon: {}",
                    network.name, &*refusal.message
                ));
                return;
            }
        };
        let made = Made {
            at: ctx.now,
            driver: driver.into(),
            range,
            labels: labels(&operation.project.name, "network", key),
            internal: document
                .get("internal")
                .and_then(crate::manifest::value::Value::as_bool)
                .unwrap_or(false),
            document: network.document.clone(),
        };
        self.add_network(&network.name, made, ctx);
        operation.say("Network", &network.name, "Created");
    }

    /// Makes networks anew once nothing runs on them.
    #[inline(never)]
    pub(super) fn remake_networks(
        &mut self,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let busy = std::mem::take(&mut operation.busy);
        operation.busy = self.settle(busy, operation, ctx, out);
        if !operation.busy.is_empty() {
            return;
        }
        let project = operation.project.clone();
        for key in std::mem::take(&mut operation.remade) {
            let Some(network) = project.networks.get(&key) else {
                continue;
            };
            operation.say("Network", &network.name, "Removing");
            if let Err(refusal) = self.remove_network(&network.name, ctx) {
                operation.fail(format!(
                    "failed to remove network {}: Error response from daemon: {}",
                    network.name, &*refusal.message
                ));
                return;
            }
            operation.say("Network", &network.name, "Removed");
            self.new_network(&key, network, operation, ctx);
        }
        self.orphans(operation, ctx, out);
        operation.phase = Phase::Converging;
    }

    fn orphans(&mut self, operation: &mut Operation, ctx: &mut Context<'_>, out: &mut Out) {
        let project = ctx.symbols.intern(&operation.project.name);
        let mut orphans: Vec<(String, Id<ContainerRow>)> = self
            .store
            .containers
            .iter()
            .filter(|(_, row)| {
                let name = ctx.symbols.text(row.service);
                row.project == project
                    && !row.is_one_off
                    && !operation.project.services.contains_key(name)
                    && !operation.project.disabled.contains_key(name)
            })
            .map(|(id, row)| (ctx.symbols.text(row.name).to_owned(), id))
            .collect();
        orphans.arrange();
        if orphans.is_empty() {
            return;
        }
        if operation.options.remove_orphans {
            for (_, id) in orphans {
                let busy = self.halt(id, true, false, operation, ctx, out);
                operation.busy.push(busy);
            }
            return;
        }
        let names: Vec<&str> = orphans.iter().map(|(name, _)| name.as_str()).collect();
        operation.lines.push(format!(
            "WARN[0000] Found orphan containers ([{}]) for this project. If you removed or renamed this service in your compose file, you can run this command with the --remove-orphans flag to clean it up. ",
            names.join(" ")
        ));
    }

    /// Containers of a service by number.
    fn present(
        &self,
        project: &str,
        service: &Service,
        ctx: &Context<'_>,
    ) -> Vec<Id<ContainerRow>> {
        let symbols = (ctx.symbols.get(project), ctx.symbols.get(&service.name));
        let (Some(project), Some(name)) = symbols else {
            return Vec::new();
        };
        let mut found: Vec<(u32, Id<ContainerRow>)> = self
            .store
            .of_service(project, name)
            .map(|(id, row)| (row.number, id))
            .collect();
        found.arrange();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// Goes on with every service whose dependencies are made.
    #[inline(never)]
    pub(super) fn converge(
        &mut self,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let busy = std::mem::take(&mut operation.busy);
        operation.busy = self.settle(busy, operation, ctx, out);
        for place in 0..operation.jobs.len() {
            if operation.jobs[place].stage == Stage::Waiting
                && operation.may_begin(place)
                && let Err(message) = self.plan_service(place, operation, ctx, out)
            {
                operation.fail(message);
                return;
            }
            let stage = operation.jobs[place].stage;
            if matches!(stage, Stage::Waiting | Stage::Done) {
                continue;
            }
            let busy = std::mem::take(&mut operation.jobs[place].busy);
            let busy = self.settle(busy, operation, ctx, out);
            operation.jobs[place].busy = busy;
            if stage == Stage::Clearing && operation.jobs[place].busy.is_empty() {
                operation.jobs[place].stage = Stage::Working;
                self.replace(place, operation, ctx, out);
                // What did not run needs no time to stop.
                let busy = std::mem::take(&mut operation.jobs[place].busy);
                operation.jobs[place].busy = self.settle(busy, operation, ctx, out);
            }
            if operation.jobs[place].stage == Stage::Working
                && operation.jobs[place].busy.is_empty()
            {
                self.rename_new(place, operation, ctx);
                operation.jobs[place].stage = Stage::Done;
            }
        }
        let done = operation.jobs.iter().all(|job| job.stage == Stage::Done);
        if !done || !operation.busy.is_empty() {
            return;
        }
        if operation.options.no_start {
            operation.over(0);
            return;
        }
        for job in &mut operation.jobs {
            job.stage = Stage::Waiting;
        }
        operation.phase = Phase::Starting;
    }

    /// Compares a service's containers with the file: removes, notes what is to be replaced, and
    /// makes what is missing.
    fn plan_service(
        &mut self,
        place: usize,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<(), String> {
        operation.jobs[place].stage = Stage::Clearing;
        let Some(service) = operation.jobs[place].service.clone() else {
            return Ok(());
        };
        let project = operation.project.clone();
        let hash = lower::config_hash(&service);
        let project_name = ctx.symbols.intern(&project.name);
        let name = ctx.symbols.intern(&service.name);
        self.service_row(project_name, name, service.scale);
        let mut present = self.present(&project.name, &service, ctx);
        let next = present
            .last()
            .map_or(1, |id| self.store.containers[*id].number + 1);
        let options = &operation.options;
        let is_named = options.services.is_empty() || options.services.contains(&service.name);
        let forced = options.force_recreate && is_named || options.recreate_dependencies;
        let with_parent = lower::parents(&service)
            .iter()
            .any(|parent| operation.recreated.contains(parent));
        let changed = |row: &ContainerRow| {
            !options.no_recreate && (forced || with_parent || row.config_hash != hash)
        };
        // Too many: obsolete ones go first, then the highest numbers.
        let mut excess = Vec::new();
        while present.len() > service.scale as usize {
            let obsolete = present
                .iter()
                .rposition(|id| changed(&self.store.containers[*id]));
            excess.push(present.remove(obsolete.unwrap_or(present.len() - 1)));
        }
        // One that a client was about to remove when its host went down is as good as any.
        for id in &present {
            self.store.containers[*id].wanted = true;
        }
        let replaced: Vec<_> = present
            .iter()
            .filter(|id| changed(&self.store.containers[**id]))
            .copied()
            .collect();
        for id in excess {
            let busy = self.halt(id, true, false, operation, ctx, out);
            operation.jobs[place].busy.push(busy);
        }
        for id in &present {
            let row = &self.store.containers[*id];
            if row.state == State::Running && !replaced.contains(id) {
                let name = ctx.symbols.text(row.name).to_owned();
                operation.say("Container", &name, "Running");
            }
        }
        if !replaced.is_empty() {
            operation.recreated.insert(service.name.clone());
            self.stop_dependents(place, &service.name, operation, ctx, out);
        }
        let missing = (service.scale as usize).saturating_sub(present.len()) as u32;
        operation.jobs[place].replaced = replaced.iter().map(|id| (*id, None)).collect();
        operation.jobs[place].containers = present;
        for number in next..next + missing {
            let name = container_name(&project.name, &service, number);
            operation.say("Container", &name, "Creating");
            if let Err(refusal) = self.free_name(&name, None, ctx) {
                operation.say("Container", &name, &format!("Error {}", &*refusal.message));
                return Err(format!("Error response from daemon: {}", &*refusal.message));
            }
            let config = lower::config(&project, &service, number, hash);
            if let Err(refusal) = self.check(&config, ctx) {
                operation.say("Container", &name, &format!("Error {}", &*refusal.message));
                return Err(format!("Error response from daemon: {}", &*refusal.message));
            }
            let birth = Birth {
                name: &name,
                seed_name: &name,
                project: &project.name,
                service: &service.name,
                number,
                hash,
                counts: true,
            };
            let id = self.make(birth, Arc::new(config), ctx, out);
            operation.say("Container", &name, "Created");
            operation.jobs[place].containers.push(id);
        }
        Ok(())
    }

    /// Containers that ask to be restarted with this service are stopped before it is replaced; the
    /// start phase starts them again.
    fn stop_dependents(
        &mut self,
        place: usize,
        service: &str,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let project = operation.project.clone();
        let dependents: Vec<Id<ContainerRow>> = project
            .services
            .values()
            .filter(|other| {
                other
                    .depends_on
                    .get(service)
                    .is_some_and(|dependency| dependency.restart)
            })
            .flat_map(|other| self.present(&project.name, other, ctx))
            .collect();
        for id in dependents {
            if self.store.containers[id].state == State::Running {
                let busy = self.halt(id, false, false, operation, ctx, out);
                operation.jobs[place].busy.push(busy);
            }
        }
    }

    /// Makes the new containers under a name of their own and begins to stop the old ones.
    fn replace(
        &mut self,
        place: usize,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(service) = operation.jobs[place].service.clone() else {
            return;
        };
        let project = operation.project.clone();
        let hash = lower::config_hash(&service);
        for index in 0..operation.jobs[place].replaced.len() {
            let (old, _) = operation.jobs[place].replaced[index];
            let Some(row) = self.store.containers.get(old) else {
                continue;
            };
            let number = row.number;
            let old_name = ctx.symbols.text(row.name).to_owned();
            let old_id = container_id(row, ctx.seed);
            let last = container_name(&project.name, &service, number);
            operation.say("Container", &old_name, "Recreate");
            let first = format!("{}_{last}", &old_id[..12]);
            let config = lower::config(&project, &service, number, hash);
            let birth = Birth {
                name: &first,
                seed_name: &last,
                project: &project.name,
                service: &service.name,
                number,
                hash,
                counts: true,
            };
            // The old one gives its host ports back before the new one is started.
            let new = self.make(birth, Arc::new(config), ctx, out);
            let busy = self.halt(old, true, true, operation, ctx, out);
            let job = &mut operation.jobs[place];
            job.busy.push(busy);
            job.replaced[index].1 = Some((new, last));
            if let Some(slot) = job.containers.iter_mut().find(|id| **id == old) {
                *slot = new;
            }
        }
    }

    /// Gives the new containers their last names.
    fn rename_new(&mut self, place: usize, operation: &mut Operation, ctx: &mut Context<'_>) {
        for (_, new) in std::mem::take(&mut operation.jobs[place].replaced) {
            let Some((id, name)) = new else { continue };
            if let Some(row) = self.store.containers.get_mut(id) {
                let old = ctx.symbols.text(row.name).to_owned();
                row.name = ctx.symbols.intern(&name);
                self.event("rename", id, &[("oldName", format!("/{old}"))], ctx);
                operation.say("Container", &name, "Recreated");
            }
        }
    }
}

fn container_name(project: &str, service: &Service, number: u32) -> String {
    match &service.container_name {
        Some(name) => name.to_string(),
        None => format!("{project}-{}-{number}", service.name),
    }
}

fn labels(project: &str, kind: &str, key: &str) -> SortedMap<Arc<str>, Arc<str>> {
    [
        (format!("{}{kind}", lower::LABEL).into(), key.into()),
        (format!("{}project", lower::LABEL).into(), project.into()),
    ]
    .into()
}
