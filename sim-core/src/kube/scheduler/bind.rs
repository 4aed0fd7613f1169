//! A decision's way to the API server, and back out of the cache if it does not arrive.

use crate::base::name::{Name, Rule};
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::kube::rows::pod::PodRow;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::Store;
use crate::kube::store::events::Message;
use crate::kube::store::pods::BindError;
use crate::kube::template::TemplateId;
use crate::substrate::{Context, PlaneOutbox};

use super::failure::report_failure;
use super::matcher::Look;
use super::volumes::{self, Awaited, Choice, Waiting};
use super::{BIND_LATENCY, Binding, CLIENT_QPS, CYCLE_TIME, Event, Scheduler, notice, record};

/// Time between two looks at the claims of a pod that waits for its volumes.
/// Source: `pkg/scheduler/framework/plugins/volumebinding/binder.go` (`BindPodVolumes`).
const VOLUME_POLL: SimDuration = SimDuration::from_secs(1);
/// Time after which it gives up. Source: `pkg/scheduler/apis/config/v1/defaults.go` (`BindTimeoutSeconds`).
const VOLUME_TIMEOUT: SimDuration = SimDuration::from_secs(600);

impl Scheduler {
    /// Sends a pod to the node that was found for it.
    pub(super) fn assume(
        &mut self,
        pod: PodId,
        (slot, feasible, nodes): (u32, u32, u32),
        claims: &[Waiting],
        choices: Option<Vec<Choice>>,
        store: &mut Store,
        (ctx, out): (&mut Context<'_>, &mut PlaneOutbox<crate::kube::Event>),
    ) {
        let decided = ctx.now + CYCLE_TIME;
        let sent = self.client.take(decided);
        let facts = self.cache.facts(slot);
        let Some(node) = facts.id else { return };
        let mut takes = sent.since(ctx.now) + BIND_LATENCY + store.commit_delay();
        let mut volumes = None;
        if let Some(choices) = choices.filter(|choices| !choices.is_empty()) {
            let until = ctx.now + takes + VOLUME_TIMEOUT;
            takes += VOLUME_POLL;
            let node = facts.text.clone();
            let mut awaited = Vec::new();
            for (Waiting { claim, .. }, choice) in claims.iter().zip(choices) {
                volumes::reserve(claim, &choice, &node, store);
                awaited.push((claim.namespace.clone(), claim.name.clone(), choice));
            }
            volumes = Some(Box::new(Awaited {
                until,
                claims: awaited,
            }));
        }
        self.bindings.insert(
            pod,
            Binding {
                due: ctx.now + takes,
                node,
                feasible,
                nodes,
                throttled: sent > decided,
                volumes,
            },
        );
        out.after(takes, crate::kube::Event::Scheduler(Event::Bind(pod)));
    }

    pub(super) fn bind(
        &mut self,
        pod: PodId,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<crate::kube::Event>,
    ) {
        // A call that a process before this one had sent is none of this one's.
        let is_due = |binding: &Binding| binding.due <= ctx.now;
        if !self.bindings.get(&pod).is_some_and(is_due) {
            return;
        }
        let Some(mut binding) = self.bindings.remove(&pod) else {
            return;
        };
        let row = store.pod(pod).copied();
        if let (Some(awaited), Some(row)) = (&binding.volumes, row) {
            let why = match self.volumes_bound(awaited, binding.node, store) {
                Ok(true) => None,
                Ok(false) if ctx.now < awaited.until => {
                    binding.due = ctx.now + VOLUME_POLL;
                    self.bindings.insert(pod, binding);
                    out.after(VOLUME_POLL, crate::kube::Event::Scheduler(Event::Bind(pod)));
                    return;
                }
                Ok(false) => Some("context deadline exceeded".to_owned()),
                Err(why) => Some(why),
            };
            if let Some(why) = why {
                self.unassume(pod, &row, store, ctx);
                self.queue.fail(pod, ctx.now);
                let text =
                    format!("running PreBind plugin \"VolumeBinding\": binding volumes: {why}");
                report_failure(pod, &row, &text.into(), None, store, ctx, out);
                return;
            }
        }
        match store.bind(pod, binding.node, ctx.now) {
            Ok(()) => {
                self.queue.remove(pod);
                self.nominator.remove(pod);
                let Some(row) = row else { return };
                let node = store
                    .node(binding.node)
                    .map_or(Symbol::EMPTY, |node| node.name);
                let rule = binding.throttled.then_some(Rule {
                    key: "kube-scheduler.kube-api-qps",
                    value: SimDuration::from_micros(1_000_000 / CLIENT_QPS),
                });
                let detail = Detail::ToOf(Name::plain(node), binding.feasible, binding.nodes);
                out.notice(notice("bind", row.name, detail, rule));
                let namespace = store.template(row.template).namespace;
                let name = self.qualified(row.template, namespace, row.name, ctx.symbols);
                let message =
                    Message::Names("Successfully assigned {} to {}", name, Name::plain(node));
                record(
                    store,
                    (pod, &row),
                    false,
                    ("Scheduled", "Binding"),
                    message,
                    ctx.now,
                );
            }
            Err(error) => {
                if let Some(row) = row {
                    self.unassume(pod, &row, store, ctx);
                }
                match error {
                    BindError::NoNode => self.queue.fail(pod, ctx.now),
                    BindError::Gone => self.queue.remove(pod),
                    // Somebody else has: it is where they sent it.
                    BindError::Bound => self.pod_seen(pod, store, ctx),
                }
            }
        }
    }

    /// Whether the claims that a pod waits for are bound, and can be used on its node.
    fn volumes_bound(
        &self,
        awaited: &Awaited,
        node: NodeId,
        store: &Store,
    ) -> Result<bool, String> {
        let facts = self.cache.facts(node.slot());
        if facts.id != Some(node) {
            let name = &facts.text;
            return Err(format!(
                "failed to get node \"{name}\": node \"{name}\" not found"
            ));
        }
        volumes::are_bound(awaited, facts, store)
    }

    /// An assumed pod will not come to its node.
    pub(super) fn unassume(
        &mut self,
        pod: PodId,
        row: &PodRow,
        store: &Store,
        ctx: &mut Context<'_>,
    ) {
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let template = self.cache.template_of(pod).unwrap_or(row.template);
        let demand = self.demand(template, store);
        self.cache.displace(pod, &demand, look);
        self.announce_freed(template, &demand, look, ctx.now);
    }

    /// `namespace/name`, interned once for the pods of one template.
    pub(super) fn qualified(
        &mut self,
        template: TemplateId,
        namespace: Symbol,
        name: Name,
        symbols: &mut Symbols,
    ) -> Name {
        let index = template.0 as usize;
        if index >= self.qualified.len() {
            self.qualified
                .resize(index + 1, (Symbol::EMPTY, Symbol::EMPTY));
        }
        let (prefix, known) = self.qualified[index];
        if prefix == name.prefix && !known.is_empty() {
            return Name {
                prefix: known,
                suffix: name.suffix,
            };
        }
        let text = format!("{}/{}", symbols.text(namespace), symbols.text(name.prefix));
        let symbol = symbols.intern(&text);
        self.qualified[index] = (name.prefix, symbol);
        Name {
            prefix: symbol,
            suffix: name.suffix,
        }
    }
}
