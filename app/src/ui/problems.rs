//! What the check of the input found, and what is accepted but not modelled.

use std::rc::Rc;

use sim_core::protocol::{Diagnostic, FAULTS, File};
use yew::prelude::*;

use crate::control::Control;
use crate::model::{Action, Checked};
use crate::text::Text;

/// What the list needs.
#[derive(Properties, PartialEq)]
pub struct ProblemsProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The last check.
    pub checked: Rc<Checked>,
}

/// The list.
#[component]
pub fn Problems(props: &ProblemsProps) -> Html {
    let (t, checked) = (props.t, &props.checked);
    let count = checked.problems() as u64;
    let failed = !checked.applied
        && checked
            .diagnostics
            .iter()
            .all(|found| found.severity != "error");
    html! {
        <div class="problems" data-testid="problems">
            <h3 class="problems-title">{ t.problems() }{ " " }<span class={classes!("count", (count > 0).then_some("count-some"))} data-testid="problems-count">{ count }</span></h3>
            if count == 0 && checked.diagnostics.is_empty() && !failed {
                <p class="quiet">{ t.problems_none() }</p>
            }
            <ul class="problem-list">
                { for checked.diagnostics.iter().enumerate().map(|(place, found)| problem(props, place, found)) }
                if failed {
                    <li class="problem problem-error"><pre>{ checked.output.trim_end() }</pre></li>
                }
            </ul>
            if !checked.not_modelled.is_empty() {
                <details class="not-modelled" data-testid="not-modelled">
                    <summary>{ t.not_modelled() }{ format!(" ({})", checked.not_modelled.len()) }</summary>
                    <ul>{ for checked.not_modelled.iter().map(|line| html! { <li key={line.clone()}><code>{ line }</code></li> }) }</ul>
                </details>
            }
        </div>
    }
}

fn problem(props: &ProblemsProps, place: usize, found: &Diagnostic) -> Html {
    let t = props.t;
    let glyph = match found.severity.as_str() {
        "error" => "✕",
        "warning" => "▲",
        _ => "ⓘ",
    };
    let on_show = {
        let (control, file, from) = (props.control.clone(), found.file.clone(), found.from);
        Callback::from(move |_: MouseEvent| {
            control.act(Action::Reveal {
                file: file.clone(),
                from,
            })
        })
    };
    let on_fix = found.fix.clone().map(|fix| {
        let (control, file) = (props.control.clone(), found.file.clone());
        Callback::from(move |_: MouseEvent| {
            let model = control.model();
            let Some(known) = model.project.files.iter().find(|known| known.name == file) else {
                return;
            };
            let units: Vec<u16> = known.text.encode_utf16().collect();
            let (Some(before), Some(after)) =
                (units.get(..fix.from as usize), units.get(fix.to as usize..))
            else {
                return;
            };
            let text =
                String::from_utf16_lossy(before) + &fix.text + &String::from_utf16_lossy(after);
            let mut project = (*model.project).clone();
            if let Some(known) = project.files.iter_mut().find(|known| known.name == file) {
                known.text.clone_from(&text);
            }
            control.replace(
                project,
                File {
                    name: file.clone(),
                    text,
                },
            );
        })
    });
    html! {
        <li key={place} class={format!("problem problem-{}", found.severity)} data-testid="problem">
            <span class="problem-glyph" aria-hidden="true">{ glyph }</span>
            <span class="problem-text">
                <span class="problem-message">{ &found.message }</span>
                if let Some(help) = &found.help { <span class="problem-help">{ help }</span> }
                if !found.file.is_empty() {
                    <button type="button" class="link" onclick={on_show}>{
                        if found.file == FAULTS { t.problem_fault(found.column, found.line) } else { t.problem_place(found.column, &found.file, found.line) }
                    }</button>
                }
                <span class="problem-code">{ &found.code }</span>
                if let Some(on_fix) = on_fix { <button type="button" class="small" onclick={on_fix}>{ t.problem_fix() }</button> }
            </span>
        </li>
    }
}
