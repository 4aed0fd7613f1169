//! `docker stack deploy` and `docker stack rm`: a client's steps over the control API.
//! Source: docker/cli `cli/command/stack/{deploy_composefile,remove}.go`.
//!
//! Nothing is transactional: the first step that is refused ends a deployment, and what was done
//! before stays. Nothing applies the file again later.

use std::sync::Arc;

use crate::api::swarm::stack::Stack;
use crate::base::arrange::Arrange;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedMap;
use crate::substrate::image::tagged;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::addresses::GATEWAY;
use crate::swarm::control_api::{Code, Kind, Refusal, Request, Response, STACK_LABEL};
use crate::swarm::store::ServiceId;
use crate::swarm::{Event, SwarmPlane};

/// What a client printed and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackOutcome {
    /// Lines on standard output.
    pub lines: Vec<String>,
    /// The error that ended it, as the client prints it.
    pub error: Option<Passage>,
}

impl SwarmPlane {
    /// Brings a stack to what its file says. `prune`: services that are not in the file go first.
    /// Services are handled by name, where upstream's order is arbitrary.
    pub fn deploy_stack(
        &mut self,
        stack: &Stack,
        prune: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> StackOutcome {
        let mut outcome = StackOutcome::default();
        if prune {
            for (name, _) in self.services_of(&stack.name) {
                if !stack.services.iter().any(|service| service.name == name) {
                    outcome.lines.push(format!("Removing service {name}"));
                    let _ = self.request(&Request::RemoveService(name), ctx, out);
                }
            }
        }
        outcome.error = self.deploy_steps(stack, &mut outcome.lines, ctx, out).err();
        outcome
    }

    fn deploy_steps(
        &mut self,
        stack: &Stack,
        lines: &mut Vec<String>,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<(), Passage> {
        let labels: SortedMap<Arc<str>, Arc<str>> = [(Arc::from(STACK_LABEL), stack.name.clone())]
            .into_iter()
            .collect();
        for network in stack.networks.iter().filter(|network| network.external) {
            // What is on every node anyway is not looked for.
            let is_users = !matches!(&*network.name, "bridge" | "default" | "host" | "none")
                && !network.name.starts_with("container:");
            if is_users && &*network.name == GATEWAY {
                return Err(format!(
                    "network {:?} is declared as external, but it is not in the right scope: \"local\" instead of \"swarm\"",
                    &*network.name
                ).into());
            }
            if is_users && !self.store.networks.contains_key(&network.name) {
                return Err(format!(
                    "network {:?} is declared as external, but could not be found. You need to create a swarm-scoped network before the stack is deployed",
                    &*network.name
                ).into());
            }
        }
        for network in stack.networks.iter().filter(|network| !network.external) {
            if self.store.networks.contains_key(&network.name) {
                continue;
            }
            lines.push(format!("Creating network {}", network.name));
            self.create(
                (Kind::Network, &network.name, &"".into()),
                &labels,
                ctx,
                out,
            )?;
        }
        for (kind, names) in [
            (Kind::Secret, &stack.secrets),
            (Kind::Config, &stack.configs),
        ] {
            for name in names {
                let data = stack.contents.get(name);
                if let Some(known) = self.named(kind).get(name) {
                    if data.is_some_and(|data| *data != known.data) {
                        let refusal = Refusal::new(
                            Code::InvalidArgument,
                            "only updates to Labels are allowed",
                        );
                        return Err(refused("update", kind.word(), name, &refusal));
                    }
                    continue;
                }
                lines.push(format!("Creating {} {name}", kind.word()));
                let data = data.cloned().unwrap_or_else(|| "".into());
                self.create((kind, name, &data), &labels, ctx, out)?;
            }
        }
        let mut services: Vec<_> = stack.services.iter().collect();
        services.arrange_by(|a, b| a.name.cmp(&b.name));
        for spec in services {
            let mut spec = spec.clone();
            spec.labels.insert(STACK_LABEL.into(), stack.name.clone());
            spec.labels.insert(
                "com.docker.stack.image".into(),
                spec.task.container.image.clone(),
            );
            spec.task.container.image = tagged(&spec.task.container.image).into();
            let existing = self
                .store
                .service_named(&spec.name)
                .and_then(|id| self.store.service(id));
            let Some(service) = existing else {
                lines.push(format!("Creating service {}", spec.name));
                let name = spec.name.clone();
                self.request(&Request::CreateService(Arc::new(spec)), ctx, out)
                    .map_err(|refusal| refused("create", "service", &name, &refusal))?;
                continue;
            };
            lines.push(format!(
                "Updating service {} (id: {})",
                spec.name,
                service.identity.text()
            ));
            // The whole specification is replaced; only the counter of forced updates and the
            // credentials for the registry are kept.
            spec.task.force_update = service.spec.task.force_update;
            spec.task.container.options.registry_auth |=
                service.spec.task.container.options.registry_auth;
            let (name, version) = (spec.name.clone(), service.version);
            self.request(
                &Request::UpdateService {
                    service: name.clone(),
                    version,
                    spec: Arc::new(spec),
                },
                ctx,
                out,
            )
            .map_err(|refusal| refused("update", "service", &name, &refusal))?;
        }
        Ok(())
    }

    fn create(
        &mut self,
        (kind, name, data): (Kind, &Arc<str>, &Arc<str>),
        labels: &SortedMap<Arc<str>, Arc<str>>,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Passage> {
        self.request(
            &Request::Create {
                kind,
                name: name.clone(),
                labels: labels.clone(),
                data: data.clone(),
            },
            ctx,
            out,
        )
        .map_err(|refusal| refused("create", kind.word(), name, &refusal))
    }

    /// Removes everything that carries the stack's label: services, secrets, configs, networks.
    /// Goes on after a failure.
    #[inline(never)]
    pub fn remove_stack(
        &mut self,
        stack: &str,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> StackOutcome {
        let mut outcome = StackOutcome::default();
        let services = self.services_of(stack);
        let mut objects: Vec<(Kind, Arc<str>)> = Vec::new();
        for kind in [Kind::Secret, Kind::Config, Kind::Network] {
            let named = self.named(kind).iter();
            objects.extend(
                named
                    .filter(|(_, object)| {
                        object
                            .labels
                            .get(STACK_LABEL)
                            .is_some_and(|label| &**label == stack)
                    })
                    .map(|(name, _)| (kind, name.clone())),
            );
        }
        if services.is_empty() && objects.is_empty() {
            outcome.error = Some(format!("Nothing found in stack: {stack}").into());
            return outcome;
        }
        let mut failed = false;
        for (name, _) in services {
            outcome.lines.push(format!("Removing service {name}"));
            failed |= self
                .request(&Request::RemoveService(name), ctx, out)
                .is_err();
        }
        for (kind, name) in objects {
            outcome
                .lines
                .push(format!("Removing {} {name}", kind.word()));
            if let Err(refusal) = self.request(
                &Request::Remove {
                    kind,
                    name: name.clone(),
                },
                ctx,
                out,
            ) {
                outcome.lines.push(format!(
                    "Failed to remove {} {name}: Error response from daemon: {refusal}",
                    kind.word()
                ));
                failed = true;
            }
        }
        if failed {
            let failed = format!("failed to remove some resources from stack: {stack}");
            outcome.error = Some(failed.into());
        }
        outcome
    }

    /// Services of a stack, by name.
    pub fn services_of(&self, stack: &str) -> Vec<(Arc<str>, ServiceId)> {
        self.store
            .services_by_name()
            .filter(|(_, id)| {
                self.store
                    .service(*id)
                    .and_then(|service| service.spec.labels.get(STACK_LABEL))
                    .is_some_and(|label| &**label == stack)
            })
            .map(|(name, id)| (name.clone(), id))
            .collect()
    }

    /// Names of all stacks with the number of their services.
    pub fn stacks(&self) -> Vec<(Arc<str>, u32)> {
        let mut stacks: SortedMap<Arc<str>, u32> = SortedMap::new();
        for (_, service) in self.store.services() {
            if let Some(stack) = service.spec.labels.get(STACK_LABEL) {
                *stacks.entry(stack.clone()).or_insert(0) += 1;
            }
        }
        stacks.into_iter().collect()
    }
}

fn refused(verb: &str, kind: &str, name: &str, refusal: &Refusal) -> Passage {
    let doing = format!("failed to {verb} {kind} {name}: Error response from daemon: ");
    Passage::from(doing).then(refusal.text())
}
