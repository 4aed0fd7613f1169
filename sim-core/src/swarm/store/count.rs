//! Numbers that the store derives from its tasks: what each service has of them, and what each node
//! has reserved. Nothing outside the store changes them.

use crate::api::swarm::service::ContainerSpec;
use crate::swarm::state::{NodeState, TaskState};

use super::{Counts, Service, ServiceId, Store, TaskId, TaskRow, Template};

impl Store {
    /// Recomputes which templates need no update, and the counts that follow from it.
    pub fn recount(&mut self, id: ServiceId) {
        let Some(service) = self.service(id) else {
            return;
        };
        let current = self.template(service.template).clone();
        let clean = service
            .templates
            .iter()
            .copied()
            .filter(|other| *other == service.template || !differs(&current, self.template(*other)))
            .collect();
        let tasks: Vec<TaskId> = service.slots.values().flatten().copied().collect();
        self.touch_service(id, |service| {
            service.clean = clean;
            service.counts = Counts::default();
        });
        for task in tasks {
            let row = self.tasks[task];
            let down = self.node_is_down(&row);
            self.add_count(&row, down);
        }
    }

    pub(super) fn node_is_down(&self, row: &TaskRow) -> bool {
        row.node.is_some_and(|node| {
            self.node(node)
                .is_none_or(|node| node.state == NodeState::Down)
        })
    }

    pub(super) fn add_contribution(&mut self, row: &TaskRow) {
        let down = self.node_is_down(row);
        self.add_count(row, down);
        self.hold(row, true);
    }

    pub(super) fn remove_contribution(&mut self, row: &TaskRow) {
        let down = self.node_is_down(row);
        self.remove_count(row, down);
        self.hold(row, false);
    }

    /// Replaces what a task counts as. Most writes change neither its counts nor what it holds.
    pub(super) fn move_contribution(&mut self, before: &TaskRow, after: &TaskRow) {
        let (was_down, is_down) = (self.node_is_down(before), self.node_is_down(after));
        if let Some(service) = self.service(after.service) {
            let old = parts(service, before, was_down);
            let new = parts(service, after, is_down);
            if old != new {
                self.touch_service(after.service, |service| {
                    service.counts.take(old);
                    service.counts.add(new);
                });
            }
        }
        let held = before.node.filter(|_| before.state.holds_resources());
        let holds = after.node.filter(|_| after.state.holds_resources());
        if held != holds {
            self.hold(before, false);
            self.hold(after, true);
        }
    }

    pub(super) fn count(&mut self, row: &TaskRow, was_down: bool, is_down: bool) {
        self.remove_count(row, was_down);
        self.add_count(row, is_down);
    }

    fn add_count(&mut self, row: &TaskRow, down: bool) {
        self.touch_service(row.service, |service| {
            let parts = parts(service, row, down);
            service.counts.add(parts);
        });
    }

    fn remove_count(&mut self, row: &TaskRow, down: bool) {
        self.touch_service(row.service, |service| {
            let parts = parts(service, row, down);
            service.counts.take(parts);
        });
    }

    /// Takes or gives back what the task reserves on its node. A task that an orchestrator put on
    /// a node counts there once the scheduler has confirmed it.
    fn hold(&mut self, row: &TaskRow, take: bool) {
        let Some(node) = row.node else { return };
        if !row.state.holds_resources() {
            return;
        }
        let template = self.template(row.template).clone();
        let service = row.service;
        self.touch_node(node, |node| {
            let generic = &template.spec.task.resources.requests.extended;
            let count = node.active_by_service.entry(service).or_insert(0);
            if take {
                *count += 1;
                node.active += 1;
                node.reserved.cpu_milli += template.reserved_cpu_milli;
                node.reserved.memory_bytes += template.reserved_memory_bytes;
                for (name, amount) in generic {
                    *node.reserved.generic.entry(name.clone()).or_insert(0) += amount;
                }
                for port in template.host_ports() {
                    *node
                        .host_ports
                        .entry((port.protocol, port.published))
                        .or_insert(0) += 1;
                }
            } else {
                *count -= 1;
                if *count == 0 {
                    node.active_by_service.remove(&service);
                }
                node.active -= 1;
                node.reserved.cpu_milli -= template.reserved_cpu_milli;
                node.reserved.memory_bytes -= template.reserved_memory_bytes;
                for (name, amount) in generic {
                    if let Some(held) = node.reserved.generic.get_mut(name) {
                        *held -= amount;
                    }
                }
                for port in template.host_ports() {
                    let key = (port.protocol, port.published);
                    let used = node
                        .host_ports
                        .get_mut(&key)
                        .expect("a host port in use is counted");
                    *used -= 1;
                    if *used == 0 {
                        node.host_ports.remove(&key);
                    }
                }
            }
        });
    }
}

impl Counts {
    fn add(&mut self, parts: [bool; 6]) {
        for (total, part) in self.each_mut().into_iter().zip(parts) {
            *total += u32::from(part);
        }
    }

    fn take(&mut self, parts: [bool; 6]) {
        for (total, part) in self.each_mut().into_iter().zip(parts) {
            *total -= u32::from(part);
        }
    }

    fn each_mut(&mut self) -> [&mut u32; 6] {
        [
            &mut self.running,
            &mut self.good,
            &mut self.live,
            &mut self.stopping,
            &mut self.blocked,
            &mut self.completed,
        ]
    }
}

/// Which counts a task is part of, in the order of [`Counts`].
fn parts(service: &Service, row: &TaskRow, down: bool) -> [bool; 6] {
    let ended = row.state > TaskState::Running;
    let wanted = row.desired <= TaskState::Complete;
    let on_node = row.state >= TaskState::Assigned && !ended;
    [
        row.state == TaskState::Running,
        wanted
            && row.state == TaskState::Running
            && row.desired >= TaskState::Running
            && !down
            && service.is_clean(row.template),
        wanted && !ended,
        !wanted && on_node && !down,
        !wanted && on_node && down,
        wanted && row.state == TaskState::Complete,
    ]
}

/// Whether a task made from `old` must be replaced under `new`, placement aside.
/// Source: swarmkit `manager/orchestrator/task.go` IsTaskDirty.
pub fn differs(new: &Template, old: &Template) -> bool {
    if new.spec_version == old.spec_version {
        return false;
    }
    let (new, old) = (&new.spec, &old.spec);
    !same_container(&new.task.container, &old.task.container)
        || new.task.resources != old.task.resources
        || new.task.restart_policy != old.task.restart_policy
        || new.task.networks != old.task.networks
        || new.task.force_update != old.task.force_update
        || new.endpoint_mode != old.endpoint_mode
        || new.ports != old.ports
}

/// Whether two containers are the same but for the credentials to pull their image with.
fn same_container(new: &ContainerSpec, old: &ContainerSpec) -> bool {
    if new.options.registry_auth == old.options.registry_auth {
        return new == old;
    }
    let mut new = new.clone();
    new.options.registry_auth = old.options.registry_auth;
    new == *old
}
