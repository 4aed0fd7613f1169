//! Rows of `service ps`, `stack ps` and `node ps`.
//! Source: docker/cli `cli/command/task/{print,formatter}.go`.

use super::flags::Parsed;
use super::listing::{Filter, Listing, passes};
use super::words::{ago, ellipsis, service_ports, short};
use crate::base::arrange::Arrange;
use crate::base::time::SimDuration;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::swarm::SwarmPlane;
use crate::swarm::view::{TaskView, natural};

/// Flags of the three commands.
pub const FLAGS: &str = "filter,f=* format= no-resolve no-trunc quiet,q";

/// Filters of the three commands.
pub const FILTERS: [&str; 6] = ["id", "name", "node", "service", "desired-state", "label"];

const FIELDS: [(&str, &str); 8] = [
    ("ID", "ID"),
    ("Name", "NAME"),
    ("Image", "IMAGE"),
    ("Node", "NODE"),
    ("DesiredState", "DESIRED STATE"),
    ("CurrentState", "CURRENT STATE"),
    ("Error", "ERROR"),
    ("Ports", "PORTS"),
];

/// Longest error in a table. Source: docker/cli `cli/command/task/formatter.go` maxErrLength.
const ERROR_COLUMNS: usize = 30;

/// Fills errors in, applies filters, prints.
pub fn print(
    session: &Session,
    views: Vec<TaskView>,
    filters: &[Filter],
    parsed: &Parsed,
) -> Result<Output, Output> {
    let world = session.world(Orchestrator::Swarm)?;
    let plane = super::swarm(session)?;
    let mut views = plane.with_errors(views, &world.symbols);
    views.retain(|view| passes(filters, |key, value| holds(plane, view, key, value)));
    if parsed.has("no-resolve") {
        for view in &mut views {
            plane.unresolve(view);
        }
    }
    // Within one name the newest comes first already.
    views.arrange_by(|a, b| natural(&a.name, &b.name));
    let mut listing = Listing::new("*task.taskContext", &FIELDS, 0);
    listing.raw = &[
        "id",
        "name",
        "image",
        "node",
        "desired_state",
        "current_state",
        "error",
        "ports",
    ];
    let is_table = parsed
        .value("format")
        .is_none_or(|format| format.starts_with("table"));
    for view in &views {
        let since = plane.status_time(view.id, &world.substrate);
        let span = session.history.now().elapsed(since);
        let mut row = row(view, span, parsed.has("no-trunc"));
        if view.historic && is_table {
            row[1] = format!(" \\_ {}", row[1]);
        }
        listing.rows.push(row);
    }
    Ok(listing.output(parsed))
}

fn holds(_plane: &SwarmPlane, view: &TaskView, key: &str, value: &str) -> bool {
    match key {
        "id" => view.identity.text().starts_with(value),
        "name" => {
            view.name.starts_with(value)
                || format!("{}.{}", view.name, view.identity.text()).starts_with(value)
        }
        "node" => view.node == value,
        "service" => view
            .name
            .rsplit_once('.')
            .is_some_and(|(service, _)| service == value),
        "desired-state" => view.desired.word() == value,
        // Tasks carry no labels here.
        _ => false,
    }
}

fn row(view: &TaskView, span: SimDuration, whole: bool) -> Vec<String> {
    let id = view.identity.text();
    let error = if whole {
        view.error.clone()
    } else {
        ellipsis(&view.error, ERROR_COLUMNS)
    };
    vec![
        if whole { id } else { short(&id) },
        view.name.clone(),
        image(&view.image),
        view.node.clone(),
        view.desired.title().to_owned(),
        format!("{} {}", view.state.title(), ago(span)),
        if error.is_empty() {
            error
        } else {
            format!("\"{error}\"")
        },
        service_ports(&view.ports),
    ]
}

/// An image without its digest.
pub fn image(text: &str) -> String {
    match text.split_once('@') {
        Some((name, _))
            if name
                .rsplit('/')
                .next()
                .is_some_and(|last| last.contains(':')) =>
        {
            name.to_owned()
        }
        _ => text.to_owned(),
    }
}
