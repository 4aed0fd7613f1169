//! What a template asks of a machine and of its agent: worked out once, and shared by its pods.

use std::sync::Arc;

use crate::api::kube::pod::RestartPolicy;
use crate::base::time::SimDuration;
use crate::kube::scheduler::demand::host_ports;
use crate::kube::selector::label;
use crate::kube::template::{PodTemplate, TemplateId};
use crate::substrate::cgroup::settings::SandboxSpec;

use super::Kubelets;
use super::desk::Desk;
use super::lower::{self, Lowered};
use super::needs::{self, Need};
use super::resources::{self, ResourceSettings};

/// What is the same for all pods of a template.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// How a sandbox is to be made.
    pub place: Arc<SandboxSpec>,
    /// Containers as they are ordered, init containers first.
    pub containers: Arc<[Lowered]>,
    /// Objects that volumes are made of.
    pub volumes: Arc<[Need]>,
    /// Grace of the template.
    pub grace: SimDuration,
    /// How long a pod may be on its node.
    pub active_deadline: Option<SimDuration>,
    /// Pod's restart policy.
    pub restart_policy: RestartPolicy,
    /// Whether it has init containers.
    pub has_init: bool,
    /// Whether it uses claims.
    pub has_claims: bool,
    /// Whether it has readiness gates.
    pub gated: bool,
    /// Whether it may name a class of runtimes.
    pub refers: bool,
    /// Whether it asks more of a node than room: a label, a name, a port of its own.
    pub is_picky: bool,
    /// Why no machine takes it, as all run one system: reason and message.
    pub foreign: Option<(&'static str, &'static str)>,
}

/// What a pod says of its system that is none of a machine's.
/// Source: `pkg/kubelet/lifecycle/predicate.go` (`rejectPodAdmissionBasedOnOSSelector`, `…OSField`).
fn foreign(template: &PodTemplate) -> Option<(&'static str, &'static str)> {
    const SYSTEM: &str = "linux";
    let label = label(&template.labels, "kubernetes.io/os");
    if label.is_some_and(|label| **label != *SYSTEM) {
        let text = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label";
        return Some(("PodOSSelectorNodeLabelDoesNotMatch", text));
    }
    let field = template.document.str_at(&["spec", "os", "name"]);
    let text = "Failed to admit pod as the OS field doesn't match node OS";
    let differs = field.is_some_and(|field| field != SYSTEM);
    differs.then_some(("PodOSNotSupported", text))
}

impl Recipe {
    fn new(
        template: &PodTemplate,
        token: bool,
        settings: &ResourceSettings,
        desk: &mut Desk<'_, '_>,
    ) -> Self {
        let spec = &template.spec;
        let namespace = desk.ctx.symbols.text(template.namespace);
        let place = resources::sandbox(template, settings, namespace);
        let ground = (desk.ctx.machines, &mut *desk.ctx.symbols);
        Self {
            place: Arc::new(place),
            containers: lower::containers(template, token, settings, ground),
            volumes: needs::of_volumes(template),
            grace: template.grace,
            active_deadline: template.active_deadline,
            restart_policy: spec.restart_policy,
            has_init: !spec.init_containers.is_empty(),
            has_claims: template.claims,
            gated: !spec.readiness_gates.is_empty(),
            refers: template.refers,
            foreign: foreign(template),
            is_picky: !spec.node_selector.is_empty()
                || spec.affinity.node_required.is_some()
                || !host_ports(spec).is_empty(),
        }
    }
}

impl Kubelets {
    /// The recipe of a template, without or with a token for the API server.
    pub(super) fn recipe(
        &mut self,
        id: TemplateId,
        token: bool,
        desk: &mut Desk<'_, '_>,
    ) -> Arc<Recipe> {
        let index = id.0 as usize;
        let list = &mut self.recipes[usize::from(token)];
        if let Some(Some(known)) = list.get(index) {
            return known.clone();
        }
        if index >= list.len() {
            list.resize(index + 1, None);
        }
        let template = desk.store.template(id).clone();
        let made = Recipe::new(&template, token, &self.settings.resources, desk);
        self.gated |= made.gated;
        self.takes |= made
            .containers
            .first()
            .is_some_and(|one| one.sources.is_some());
        list[index].insert(Arc::new(made)).clone()
    }
}
