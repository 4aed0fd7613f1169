//! Two branches beside each other: how each ends, and which figures differ.

use std::rc::Rc;

use sim_core::protocol::FaultMark;
use sim_core::protocol::views::Outcome;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use crate::control::Control;
use crate::format::{clock, percent, span};
use crate::text::Text;
use crate::ui::chooser::Chooser;
use crate::ui::planes::{name, numbers};

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct CompareProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// Names of the branches.
    pub branches: Vec<String>,
    /// The two outcomes.
    pub compared: Rc<Vec<Outcome>>,
}

/// The dialog.
#[component]
pub fn Compare(props: &CompareProps) -> Html {
    let t = props.t;
    let chooser = |side: usize| {
        let chosen = props
            .compared
            .get(side)
            .map_or(side as u32, |outcome| outcome.branch);
        let other = props
            .compared
            .get(1 - side)
            .map_or(1 - side as u32, |outcome| outcome.branch);
        let control = props.control.clone();
        let on_change = Callback::from(move |event: Event| {
            let chooser: HtmlSelectElement = event.target_unchecked_into();
            if let Ok(branch) = chooser.value().parse() {
                control.compare(if side == 0 {
                    [branch, other]
                } else {
                    [other, branch]
                });
            }
        });
        html! {
            <label>{ t.branch() }{ if side == 0 { " A " } else { " B " } }<Chooser name={format!("compare-{side}")} value={chosen.to_string()} onchange={on_change}>
                { for props.branches.iter().enumerate().map(|(branch, name)| html! { <option key={branch} value={branch.to_string()}>{ name }</option> }) }
            </Chooser></label>
        }
    };
    html! {
        <dialog id="compare" class="wide" aria-labelledby="compare-title" data-testid="compare-dialog">
            <form method="dialog" class="dialog">
                <h2 id="compare-title">{ t.compare_title() }</h2>
                if let [one, two] = props.compared.as_slice() {
                    { table(t, one, two, &chooser) }
                }
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}

fn table(t: Text, one: &Outcome, two: &Outcome, chooser: &dyn Fn(usize) -> Html) -> Html {
    let rows = rows(t, one, two);
    let (rows, same): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|(_, one, two)| one != two);
    let different = rows.len();
    html! {
        <>
        <p data-testid="compare-summary"><b>{ if different == 0 { t.compare_same().to_owned() } else { t.compare_different(different as u64) } }</b></p>
        <div class="table-place" tabindex="0" role="region" aria-labelledby="compare-title">
            <table class="figures">
                <thead><tr><th scope="col">{ t.compare_figure() }</th>
                    <th scope="col">{ chooser(0) }{ t.compare_end(clock(one.tip_us)) }</th>
                    <th scope="col">{ chooser(1) }{ t.compare_end(clock(two.tip_us)) }</th></tr></thead>
                <tbody>{ for rows.into_iter().chain(same).map(|(figure, one, two)| {
                    let differs = one != two;
                    html! { <tr class={classes!(differs.then_some("differs"))}><th scope="row">{ if differs { "≠ " } else { "" } }{ figure }</th><td>{ one }</td><td>{ two }</td></tr> }
                }) }</tbody>
            </table>
        </div>
        </>
    }
}

type Row = (String, String, String);

fn rows(t: Text, one: &Outcome, two: &Outcome) -> Vec<Row> {
    const NONE: &str = "–";
    let mut rows: Vec<Row> = Vec::new();
    let mut note = |side: usize, figure: String, value: String| {
        let place = rows.iter().position(|(known, ..)| *known == figure);
        let place = place.unwrap_or_else(|| {
            rows.push((figure, NONE.to_owned(), NONE.to_owned()));
            rows.len() - 1
        });
        if side == 0 {
            rows[place].1 = value;
        } else {
            rows[place].2 = value;
        }
    };
    for (side, outcome) in [one, two].into_iter().enumerate() {
        for fault in outcome
            .faults
            .iter()
            .filter(|fault| fault.applicable && fault.begun_us != u64::MAX)
        {
            let plane = name(&fault.orchestrator, t);
            note(
                side,
                t.compare_noticed(&fault.text, plane),
                since(t, fault, fault.detected_us),
            );
            note(
                side,
                t.compare_recovered(&fault.text, plane),
                since(t, fault, fault.recovered_us),
            );
        }
        for world in &outcome.worlds {
            let plane = name(&world.orchestrator, t);
            for service in &world.services {
                note(
                    side,
                    t.compare_ready(plane, &service.name),
                    numbers(service),
                );
                if service.availability_ppm != u32::MAX {
                    note(
                        side,
                        t.compare_availability(plane, &service.name),
                        percent(service.availability_ppm),
                    );
                }
            }
        }
    }
    rows
}

fn since(t: Text, fault: &FaultMark, at: u64) -> String {
    if at == u64::MAX {
        t.never().to_owned()
    } else {
        span(at.saturating_sub(fault.begun_us))
    }
}
