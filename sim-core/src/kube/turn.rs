//! What a loop has in its hands while it handles one event: the store, the settings, the context
//! and the outbox.

use crate::base::name::{Name, Rule};
use crate::base::rng::{Stream, stable_hash_parts};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::{Context, PlaneOutbox};

use super::event::Event;
use super::rows::PodId;
use super::settings::Settings;
use super::store::Store;
use super::store::events::{Message, NewEvent, Regarding};

/// One event's turn of a loop.
#[derive(Debug)]
pub struct Turn<'a, 'b> {
    /// The store behind the API server.
    pub store: &'a mut Store,
    /// The components' flags.
    pub settings: &'a Settings,
    /// Time, seed, text, machines.
    pub ctx: &'a mut Context<'b>,
    /// Where wishes go.
    pub out: &'a mut PlaneOutbox<Event>,
}

impl Turn<'_, '_> {
    /// Now.
    pub const fn now(&self) -> SimTime {
        self.ctx.now
    }

    /// Schedules an event.
    pub fn after(&mut self, delay: SimDuration, event: Event) {
        self.out.after.push((delay, event));
    }

    /// Schedules an event at a time, now if that is past.
    pub fn at(&mut self, time: SimTime, event: Event) {
        let delay = if time > self.ctx.now {
            time.since(self.ctx.now)
        } else {
            SimDuration::ZERO
        };
        self.after(delay, event);
    }

    /// Leaves a line in the trace.
    pub fn note(
        &mut self,
        source: &'static str,
        verb: &'static str,
        kind: &'static str,
        name: Name,
        detail: Detail,
    ) {
        self.note_rule(source, verb, kind, name, detail, None);
    }

    /// Leaves a line that says what it had waited for.
    pub fn note_rule(
        &mut self,
        source: &'static str,
        verb: &'static str,
        kind: &'static str,
        name: Name,
        detail: Detail,
        rule: Option<Rule>,
    ) {
        self.out.notices.push(Notice {
            source,
            verb,
            subject: Subject { kind, name },
            detail,
            rule,
        });
    }

    /// Records a Normal Event object. Returns whether the API server is told of it now.
    pub fn normal(
        &mut self,
        object: impl Into<Regarding>,
        component: &'static str,
        reason: &'static str,
        message: Message,
    ) -> bool {
        self.record(object.into(), component, reason, message, false)
    }

    /// Records a Warning Event object.
    pub fn warning(
        &mut self,
        object: impl Into<Regarding>,
        component: &'static str,
        reason: &'static str,
        message: Message,
    ) {
        self.record(object.into(), component, reason, message, true);
    }

    fn record(
        &mut self,
        Regarding {
            kind,
            namespace,
            name,
            pod,
        }: Regarding,
        component: &'static str,
        reason: &'static str,
        message: Message,
        warning: bool,
    ) -> bool {
        let event = NewEvent {
            kind,
            namespace,
            name,
            warning,
            reason,
            message,
            component,
            host: None,
            container: None,
            pod,
            series: None,
        };
        self.store.record(event, self.ctx.now)
    }

    /// A pod, for events.
    pub fn pod_object(&self, pod: PodId) -> Option<Regarding> {
        let row = self.store.pod(pod)?;
        Some(Regarding {
            kind: "Pod",
            namespace: self.store.template(row.template).namespace,
            name: row.name,
            pod: self.store.incarnation(pod),
        })
    }

    /// Random numbers for a decision about something with a name.
    pub fn stream(&self, purpose: &'static str, name: &[&str], draw: u32) -> Stream {
        Stream::new(self.ctx.seed, purpose, stable_hash_parts(name), draw)
    }
}
