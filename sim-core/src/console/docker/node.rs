//! `docker node …`. Source: docker/cli `cli/command/node`.

use std::sync::Arc;

use super::flags::{Grammar, parse};
use super::listing::{Listing, filters, inspected, labelled, passes};
use super::{ENGINE_VERSION, ask, each, manager as plane_of, pretty, task, unknown_command};
use crate::console::{Output, Session};
use crate::swarm::SwarmPlane;
use crate::swarm::control_api::{NodeChange, Request};
use crate::swarm::state::{Availability, Role};
use crate::swarm::store::{Node, NodeId};
use crate::swarm::view::NodeView;

const LS: Grammar = Grammar {
    path: "docker node ls",
    usage: "[OPTIONS]",
    flags: "filter,f=* format= quiet,q",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const PS: Grammar = Grammar {
    path: "docker node ps",
    usage: "[OPTIONS] [NODE...]",
    flags: task::FLAGS,
    least: 0,
    most: None,
    interspersed: true,
};
const INSPECT: Grammar = Grammar {
    path: "docker node inspect",
    usage: "[OPTIONS] self|NODE [NODE...]",
    flags: "format,f= pretty",
    least: 1,
    most: None,
    interspersed: true,
};
const UPDATE: Grammar = Grammar {
    path: "docker node update",
    usage: "[OPTIONS] NODE",
    flags: "availability= role= label-add=* label-rm=*",
    least: 1,
    most: Some(1),
    interspersed: true,
};
const PROMOTE: Grammar = Grammar {
    path: "docker node promote",
    usage: "NODE [NODE...]",
    flags: "",
    least: 1,
    most: None,
    interspersed: true,
};
const DEMOTE: Grammar = Grammar {
    path: "docker node demote",
    usage: "NODE [NODE...]",
    flags: "",
    least: 1,
    most: None,
    interspersed: true,
};
const RM: Grammar = Grammar {
    path: "docker node rm",
    usage: "[OPTIONS] NODE [NODE...]",
    flags: "force,f",
    least: 1,
    most: None,
    interspersed: true,
};
/// Runs one `docker node` command.
pub fn run(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let Some(verb) = words.first() else {
        return Ok(Output::text(
            "Usage:  docker node COMMAND\n\nCommands: demote, inspect, ls, promote, ps, rm, update\n",
        ));
    };
    let rest = &words[1..];
    match verb.as_str() {
        "ls" | "list" => list(session, rest),
        "ps" => tasks(session, rest),
        "inspect" => inspect(session, rest),
        "update" => update(session, rest),
        "promote" => set_role(session, &parse(&PROMOTE, rest)?.words, Role::Manager),
        "demote" => set_role(session, &parse(&DEMOTE, rest)?.words, Role::Worker),
        "rm" | "remove" => {
            let parsed = parse(&RM, rest)?;
            plane_of(session)?;
            let force = parsed.has("force");
            Ok(each(&parsed.words, |name| {
                ask(
                    session,
                    Request::RemoveNode {
                        node: name.into(),
                        force,
                    },
                )
                .map(|_| name.to_owned())
            }))
        }
        word => Err(unknown_command("docker node", word)),
    }
}

fn list(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&LS, words)?;
    let filters = filters(
        &parsed,
        &["id", "name", "role", "membership", "node.label", "label"],
    )?;
    let plane = plane_of(session)?;
    let spoken_to = plane.spoken_to();
    let mut listing = Listing::new(
        "*node.nodeContext",
        &[
            ("ID", "ID"),
            ("Hostname", "HOSTNAME"),
            ("Status", "STATUS"),
            ("Availability", "AVAILABILITY"),
            ("ManagerStatus", "MANAGER STATUS"),
            ("EngineVersion", "ENGINE VERSION"),
            ("Self", "SELF"),
        ],
        1,
    );
    listing.raw = &[
        "node_id",
        "hostname",
        "status",
        "availability",
        "manager_status",
    ];
    for view in plane.node_views() {
        let Some(node) = plane.store.node(view.id) else {
            continue;
        };
        if !passes(&filters, |key, value| holds(&view, node, key, value)) {
            continue;
        }
        let own = spoken_to == Some(view.id);
        let marked = own
            && !parsed.has("quiet")
            && parsed
                .value("format")
                .is_none_or(|format| format == "table");
        listing.rows.push(vec![
            format!("{}{}", view.identity.text(), if marked { " *" } else { "" }),
            view.hostname.to_string(),
            view.state.title().to_owned(),
            view.availability.title().to_owned(),
            view.manager_status.to_owned(),
            ENGINE_VERSION.to_owned(),
            own.to_string(),
        ]);
    }
    Ok(listing.output(&parsed))
}

fn holds(view: &NodeView, node: &Node, key: &str, value: &str) -> bool {
    let label = |labels: &crate::base::sorted::SortedMap<Arc<str>, Arc<str>>| {
        labelled(value, |key| labels.get(key).map(|text| &**text))
    };
    match key {
        "id" => view.identity.text().starts_with(value),
        "name" => view.hostname.starts_with(value),
        "role" => node.role.word() == value,
        "membership" => value == "accepted",
        "node.label" => label(&node.labels),
        "label" => label(&node.engine_labels),
        _ => false,
    }
}

fn find(plane: &SwarmPlane, name: &str) -> Result<NodeId, Output> {
    let found = if name == "self" {
        plane.spoken_to()
    } else {
        plane.find_node(name)
    };
    found.ok_or_else(|| {
        Output::error(
            1,
            format!("Error response from daemon: node {name} not found"),
        )
    })
}

fn tasks(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PS, words)?;
    let filters = filters(&parsed, &task::FILTERS)?;
    let plane = plane_of(session)?;
    let own = vec!["self".to_owned()];
    let names = if parsed.words.is_empty() {
        &own
    } else {
        &parsed.words
    };
    let mut views = Vec::new();
    for name in names {
        views.extend(plane.node_task_views(find(plane, name)?));
    }
    task::print(session, views, &filters, &parsed)
}

fn inspect(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&INSPECT, words)?;
    let plane = plane_of(session)?;
    let mut objects = Vec::new();
    let mut missing = Vec::new();
    for name in &parsed.words {
        match find(plane, name) {
            Ok(id) => objects.extend(plane.inspect_node(id)),
            Err(output) => missing.push(output.stderr.trim_end().to_owned()),
        }
    }
    if parsed.has("pretty") {
        let text: String = objects.iter().map(pretty::node).collect();
        return Ok(Output {
            stdout: text.into(),
            stderr: missing.iter().map(|line| format!("{line}\n")).collect(),
            code: i32::from(!missing.is_empty()),
        });
    }
    Ok(inspected(&objects, &missing, parsed.value("format")))
}

fn update(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&UPDATE, words)?;
    let name = &parsed.words[0];
    let mut change = NodeChange {
        availability: match parsed.value("availability") {
            None => None,
            Some("active") => Some(Availability::Active),
            Some("pause") => Some(Availability::Pause),
            Some("drain") => Some(Availability::Drain),
            Some(other) => {
                return Err(Output::error(
                    1,
                    format!(
                        "invalid availability {other:?}, only active, pause, and drain are supported"
                    ),
                ));
            }
        },
        role: match parsed.value("role") {
            None => None,
            Some("worker") => Some(Role::Worker),
            Some("manager") => Some(Role::Manager),
            Some(other) => {
                return Err(Output::error(
                    1,
                    format!("invalid role {other:?}, only worker and manager are supported"),
                ));
            }
        },
        ..NodeChange::default()
    };
    let plane = plane_of(session)?;
    let node = plane.store.node(find(plane, name)?);
    for label in parsed.values("label-add") {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        change.labels_add.push((key.into(), value.into()));
    }
    for label in parsed.values("label-rm") {
        if !node.is_some_and(|node| node.labels.contains_key(label)) {
            return Err(Output::error(
                1,
                format!("key {label} doesn't exist in node's labels"),
            ));
        }
        change.labels_remove.push(label.into());
    }
    let version = node.map(|node| node.version);
    ask(
        session,
        Request::UpdateNode {
            node: name.as_str().into(),
            version,
            change,
        },
    )?;
    Ok(Output::text(format!("{name}\n")))
}

fn set_role(session: &mut Session, names: &[String], role: Role) -> Result<Output, Output> {
    plane_of(session)?;
    Ok(each(names, |name| {
        let plane = plane_of(session)?;
        let node = plane
            .store
            .node(find(plane, name)?)
            .expect("the node was just found");
        if node.role == role {
            return Ok(format!("Node {name} is already a {}.", role.word()));
        }
        let version = Some(node.version);
        ask(
            session,
            Request::UpdateNode {
                node: name.into(),
                version,
                change: NodeChange {
                    role: Some(role),
                    ..NodeChange::default()
                },
            },
        )?;
        Ok(match role {
            Role::Manager => format!("Node {name} promoted to a manager in the swarm."),
            Role::Worker => format!("Manager {name} demoted in the swarm."),
        })
    }))
}
