//! Filters: which nodes a task may go to, and what is said when there is none.
//! Source: swarmkit `manager/scheduler/{filter,pipeline}.go`.
//!
//! Of plugins, only log drivers are asked for: every node has the engine's own. CSI volumes are not
//! modelled: every node passes that filter.

use crate::api::swarm::service::Platform;
use crate::base::arrange::Arrange;
use crate::swarm::constraint;
use crate::swarm::state::{Availability, NodeState};
use crate::swarm::store::{Node, Store, Template};

/// A filter, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    /// Ready, and active.
    Ready,
    /// Reservations fit.
    Resources,
    /// The node has the plugins that the task needs.
    Plugins,
    /// Placement constraints hold.
    Constraints,
    /// The image is made for the node's platform.
    Platforms,
    /// Host-mode ports are free.
    HostPorts,
    /// Fewer tasks of the service than allowed.
    MaxReplicas,
}

/// Which filters are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All.
    All,
    /// For a task that already has its node: only whether there is room.
    Preassigned,
}

/// All filters in order.
pub const FILTERS: [Filter; 7] = [
    Filter::Ready,
    Filter::Resources,
    Filter::Plugins,
    Filter::Constraints,
    Filter::Platforms,
    Filter::HostPorts,
    Filter::MaxReplicas,
];

/// The first filter that the node does not pass; none if it passes all.
pub fn first_failing(template: &Template, node: &Node, extent: Extent) -> Option<Filter> {
    match extent {
        Extent::Preassigned => (!resources_fit(template, node)).then_some(Filter::Resources),
        Extent::All => FILTERS
            .into_iter()
            .find(|filter| !passes(*filter, template, node)),
    }
}

fn passes(filter: Filter, template: &Template, node: &Node) -> bool {
    match filter {
        Filter::Ready => {
            node.state == NodeState::Ready && node.availability == Availability::Active
        }
        Filter::Resources => resources_fit(template, node),
        Filter::Plugins => has_log_driver(template),
        Filter::Constraints => {
            template.constraints.is_empty()
                || constraint::node_matches(&template.constraints, node, &node.identity.text())
        }
        Filter::Platforms => {
            let platforms = &template.spec.task.placement.platforms;
            platforms.is_empty() || platforms.iter().any(|platform| runs_on(platform, node))
        }
        Filter::HostPorts => template.host_ports().all(|port| {
            !node
                .host_ports
                .contains_key(&(port.protocol, port.published))
        }),
        Filter::MaxReplicas => {
            let limit = template.spec.task.placement.max_replicas_per_node;
            limit == 0 || u64::from(node.active_of(template.service)) < limit
        }
    }
}

/// Whether a template asks for nothing but CPU, memory and a number for each node: then a node's short
/// row answers for it.
pub fn is_plain(template: &Template) -> bool {
    template.constraints.is_empty()
        && template.spec.task.placement.platforms.is_empty()
        && template.spec.task.resources.requests.extended.is_empty()
        && template.host_ports().next().is_none()
        && has_log_driver(template)
}

/// Log drivers of the engine. Source: moby `daemon/logger` (`ListDrivers`).
const LOG_DRIVERS: [&str; 9] = [
    "awslogs",
    "fluentd",
    "gcplogs",
    "gelf",
    "journald",
    "json-file",
    "local",
    "splunk",
    "syslog",
];

/// Whether the engine has the task's log driver; one without a name is the engine's default.
/// Source: `filter.go` PluginFilter.
fn has_log_driver(template: &Template) -> bool {
    let driver = &template.spec.task.container.options.log_driver;
    driver.as_ref().is_none_or(|driver| {
        matches!(&*driver.name, "" | "none") || LOG_DRIVERS.contains(&&*driver.name)
    })
}

/// Whether a node runs what is made for a platform. Both sides' architectures are brought to one
/// spelling. Source: `filter.go` PlatformFilter platformEqual, normalizeArch.
fn runs_on(platform: &Platform, node: &Node) -> bool {
    let plain = |architecture: &str| match architecture {
        "x86_64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        other => other.to_owned(),
    };
    let architecture = &platform.architecture;
    (platform.os.is_empty() || platform.os == node.os)
        && (architecture.is_empty() || plain(architecture) == plain(&node.architecture))
}

/// Reservations only: neither limits nor real use are looked at.
fn resources_fit(template: &Template, node: &Node) -> bool {
    let fits =
        |total: u64, held: u64, asked: u64| asked == 0 || total.saturating_sub(held) >= asked;
    fits(
        node.cpu_milli,
        node.reserved.cpu_milli,
        template.reserved_cpu_milli,
    ) && fits(
        node.memory_bytes,
        node.reserved.memory_bytes,
        template.reserved_memory_bytes,
    ) && template
        .spec
        .task
        .resources
        .requests
        .extended
        .iter()
        .all(|(kind, asked)| {
            let total = node.generic.get(kind).copied().unwrap_or(0);
            let held = node.reserved.generic.get(kind).copied().unwrap_or(0);
            fits(total, held, *asked)
        })
}

/// Why the task fits nowhere, in upstream's words: parts by falling number of nodes.
pub fn explain(store: &Store, template: &Template) -> String {
    let mut counts = [0_u32; FILTERS.len()];
    for (_, node) in store.nodes() {
        if let Some(filter) = first_failing(template, node, Extent::All) {
            counts[filter as usize] += 1;
        }
    }
    let mut parts: Vec<(u32, Filter)> = FILTERS
        .into_iter()
        .map(|filter| (counts[filter as usize], filter))
        .filter(|(count, _)| *count > 0)
        .collect();
    if parts.is_empty() {
        return "no suitable node".to_owned();
    }
    parts.arrange_by_key(|(count, filter)| (u32::MAX - count, *filter));
    let texts: Vec<String> = parts
        .into_iter()
        .map(|(count, filter)| explain_one(filter, count))
        .collect();
    format!("no suitable node ({})", texts.join("; "))
}

/// One part of the explanation.
pub fn explain_one(filter: Filter, nodes: u32) -> String {
    match (filter, nodes) {
        (Filter::Ready, 1) => "1 node not available for new tasks".to_owned(),
        (Filter::Ready, _) => format!("{nodes} nodes not available for new tasks"),
        (Filter::Resources, 1) => "insufficient resources on 1 node".to_owned(),
        (Filter::Resources, _) => format!("insufficient resources on {nodes} nodes"),
        (Filter::Plugins, 1) => "missing plugin on 1 node".to_owned(),
        (Filter::Plugins, _) => format!("missing plugin on {nodes} nodes"),
        (Filter::Constraints, 1) => "scheduling constraints not satisfied on 1 node".to_owned(),
        (Filter::Constraints, _) => {
            format!("scheduling constraints not satisfied on {nodes} nodes")
        }
        (Filter::Platforms, 1) => "unsupported platform on 1 node".to_owned(),
        (Filter::Platforms, _) => format!("unsupported platform on {nodes} nodes"),
        (Filter::HostPorts, 1) => "host-mode port already in use on 1 node".to_owned(),
        (Filter::HostPorts, _) => format!("host-mode port already in use on {nodes} nodes"),
        (Filter::MaxReplicas, _) => "max replicas per node limit exceed".to_owned(),
    }
}
