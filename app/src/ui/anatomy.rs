//! A machine or a container taken apart: control groups with their bars, namespaces, processes,
//! mounts, interfaces and rules, at the time that is shown.

use std::rc::Rc;

use sim_core::protocol::{Anatomy as Parts, GroupLine};
use yew::prelude::*;

use crate::text::Text;

/// What the part of the dialog needs.
#[derive(Properties, PartialEq)]
pub struct AnatomyProps {
    /// Words.
    pub t: Text,
    /// The object taken apart; none: it is not there now.
    pub parts: Rc<Option<Box<Parts>>>,
}

/// The parts.
#[component]
pub fn Anatomy(props: &AnatomyProps) -> Html {
    let t = props.t;
    let Some(parts) = &*props.parts else {
        return html! { <p class="quiet" role="status" data-testid="anatomy-none">{ t.anatomy_none() }</p> };
    };
    let own: Vec<String> = parts
        .spaces
        .iter()
        .map(|space| {
            let mark = if space.own { "" } else { " =" };
            format!("{}:[{}]{mark}", space.kind, space.inode)
        })
        .collect();
    let processes: Vec<String> = parts
        .processes
        .iter()
        .map(|one| {
            format!(
                "{:>7} {:>8}  {}",
                one.pid,
                mebibytes(one.memory_bytes),
                one.command
            )
        })
        .collect();
    html! {
        <section class="anatomy" aria-label={t.anatomy()} data-testid="anatomy" data-object={parts.object.clone()}>
            <p class="quiet">{ t.anatomy_place(&parts.kernel, &parts.machine) }
                if !parts.runtime.is_empty() { { " · " }<code>{ &parts.runtime }</code> }
            </p>
            <details open={true}>
                <summary>{ t.anatomy_groups() }</summary>
                <div role="list" lang="en">{ for parts.groups.iter().enumerate().map(|(place, line)| group(t, place, line)) }</div>
            </details>
            { sheet(t.anatomy_spaces(), own.join("\n")) }
            { sheet(t.anatomy_processes(), processes.join("\n")) }
            { sheet(t.anatomy_mounts(), parts.mounts.join("\n")) }
            { sheet(t.anatomy_interfaces(), [parts.interfaces.join("\n"), parts.routes.join("\n")].join("\n\n")) }
            if !parts.rules.is_empty() { { sheet(t.anatomy_rules(), parts.rules.clone()) } }
        </section>
    }
}

fn sheet(title: &str, text: String) -> Html {
    html! {
        <details>
            <summary>{ title }</summary>
            <pre class="sheet" lang="en" tabindex="0" aria-label={title.to_owned()}>{ text }</pre>
        </details>
    }
}

fn group(t: Text, place: usize, line: &GroupLine) -> Html {
    let indent = format!("padding-inline-start: {}ch", line.depth * 2);
    let values: Vec<String> = line
        .values
        .iter()
        .map(|(file, value)| format!("{file} {value}"))
        .collect();
    html! {
        <div key={place} role="listitem" class="anatomy-group" style={indent} title={values.join("\n")}>
            <code class="anatomy-name">{ &line.name }</code>
            { bar(t.cpu(), line.cpu_milli, line.cpu_limit_milli, format!("{}.{:03}", line.cpu_milli / 1_000, line.cpu_milli % 1_000)) }
            { bar(t.memory(), line.memory_bytes, line.memory_limit_bytes, mebibytes(line.memory_bytes)) }
        </div>
    }
}

/// A bar where there is a limit, else the figure alone.
fn bar(label: &str, used: u64, limit: u64, text: String) -> Html {
    let permille = if limit == u64::MAX || limit == 0 {
        0
    } else {
        u128::from(used) * 1_000 / u128::from(limit)
    };
    let width = format!("width: {}%", permille.min(1_000) / 10);
    html! {
        <span class="bar"><span class="bar-label">{ label }{ " " }{ text }</span>
            if limit != u64::MAX { <span class="bar-track"><span class="bar-fill" style={width} /></span> }
        </span>
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{}Mi", bytes >> 20)
}
