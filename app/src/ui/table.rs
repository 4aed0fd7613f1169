//! Everything that runs as one table: what the pictures show, in rows and columns.

use std::rc::Rc;

use sim_core::protocol::{StateGroup, WorldFrame};
use yew::prelude::*;

use crate::control::Control;
use crate::model::Action;
use crate::text::Text;
use crate::ui::machine::{condition, is_lost, keyed, unit};
use crate::ui::pages;
use crate::ui::planes::name;
use crate::ui::state;

/// What the table needs.
#[derive(Properties, PartialEq)]
pub struct TableProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The worlds.
    pub worlds: Vec<Rc<WorldFrame>>,
}

/// The table.
#[component]
pub fn Table(props: &TableProps) -> Html {
    let t = props.t;
    let start = use_state_eq(|| 0_usize);
    let sizes = props.worlds.iter().map(|world| {
        let units = world.machines.iter().map(|machine| machine.units.len());
        world.machines.len() + units.sum::<usize>() + world.unplaced.len()
    });
    let all: usize = sizes.sum();
    let shown = pages::page(*start, all);
    let told = t.table_window(all, shown.start + 1, shown.end);
    let on_start = Callback::from(move |to| start.set(to));
    // Rows beyond the page are not made.
    let mut rows: Vec<Html> = Vec::new();
    let mut place = 0;
    for world in &props.worlds {
        let orchestrator = world.orchestrator.as_str();
        let mut add = |row: &dyn Fn() -> Html| {
            if shown.contains(&place) {
                rows.push(row());
            }
            place += 1;
        };
        for machine in &world.machines {
            add(&|| {
                let group = if is_lost(machine) {
                    StateGroup::Unknown
                } else {
                    StateGroup::Ready
                };
                let (control, aimed) = (props.control.clone(), machine.name.clone());
                html! {
                    <tr key={format!("{orchestrator}-node/{}", machine.name)} data-machine={machine.name.clone()} data-object={format!("node/{}", machine.name)} data-orchestrator={orchestrator.to_owned()}>
                        <th scope="row"><button type="button" class="link" onclick={move |_| control.act(Action::Aim(aimed.clone()))}>{ format!("node/{}", machine.name) }</button></th>
                        <td>{ name(orchestrator, t) }</td><td>{ state::glyph(group) }{ " " }{ condition(t, machine) }</td><td>{ "–" }</td>
                        <td>{ state::counted(&machine.counts, t) }</td>
                    </tr>
                }
            });
            for (key, one) in keyed(&machine.units) {
                add(&|| row(props, orchestrator, one, &key, &machine.name));
            }
        }
        for (key, one) in keyed(&world.unplaced) {
            add(&|| row(props, orchestrator, one, &key, t.nowhere()));
        }
    }
    html! {
        <div class="panel table-panel" data-testid="table">
            { pages::turning(t, "table", shown, all, told, &on_start) }
            <table class="figures">
                <caption class="sr-only">{ t.view_table() }</caption>
                <thead><tr>{ for [t.table_object(), t.table_plane(), t.legend(), t.fault_target(), t.table_of()].map(|head| html! { <th scope="col">{ head }</th> }) }</tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
            if all == 0 { <p class="quiet" role="status">{ t.palette_none() }</p> }
        </div>
    }
}

fn row(
    props: &TableProps,
    orchestrator: &str,
    one: &sim_core::protocol::Unit,
    key: &str,
    machine: &str,
) -> Html {
    let t = props.t;
    html! {
        <tr key={format!("{orchestrator}-{machine}-{key}")}>
            <th scope="row">{ unit(t, &props.control, orchestrator, one, key.to_owned(), false) }</th>
            <td>{ name(orchestrator, t) }</td>
            <td>{ state::glyph(one.group) }{ " " }{ state::word(one.group, t) }{ " · " }<span lang="en">{ &one.state }</span></td>
            <td>{ machine.to_owned() }</td><td>{ &one.workload }</td>
        </tr>
    }
}
