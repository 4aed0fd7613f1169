//! What the check of the input found, and what is accepted but not modelled.

use std::rc::Rc;

use sim_core::protocol::{Diagnostic, FAULTS, File, TextEdit};
use yew::prelude::*;

use crate::control::Control;
use crate::files;
use crate::model::{Action, Checked};
use crate::text::Text;
use crate::ui::console::spoken;

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
    // Not by the check: the tools refused it.
    let refused = !checked.applied
        && checked
            .diagnostics
            .iter()
            .all(|found| found.severity != "error");
    let fixable = checked
        .diagnostics
        .iter()
        .filter(|found| found.fix.is_some());
    let fixable = fixable.count();
    let on_all = {
        let (control, checked) = (props.control.clone(), checked.clone());
        Callback::from(move |_: MouseEvent| mend(&control, &checked.diagnostics))
    };
    html! {
        <div class="problems" data-testid="problems">
            <h3 class="problems-title">{ t.problems() }{ " " }<span class={classes!("count", (count > 0).then_some("count-some"))} data-testid="problems-count">{ count }</span>
                if fixable > 1 { <button type="button" class="small" data-testid="fix-all" onclick={on_all}>{ t.problem_fix_all(fixable) }</button> }
            </h3>
            if checked.diagnostics.is_empty() && !refused {
                <p class="quiet">{ t.problems_none() }</p>
            }
            <ul class="problem-list">
                { for checked.diagnostics.iter().enumerate().map(|(place, found)| problem(props, place, found)) }
                if refused {
                    <li class="problem problem-error"><pre>{ for spoken(t, &checked.output) }</pre></li>
                }
            </ul>
            if !checked.not_modelled.is_empty() {
                <details class="not-modelled" data-testid="not-modelled">
                    <summary>{ t.not_modelled() }{ format!(" ({})", checked.not_modelled.len()) }</summary>
                    <ul>{ for checked.not_modelled.iter().map(|line| html! { <li key={line.clone()} lang="en"><code>{ line }</code></li> }) }</ul>
                </details>
            }
        </div>
    }
}

/// Makes the changes of texts that mend what was found, each text at once.
fn mend(control: &Control, found: &[Diagnostic]) {
    let known = control.model().project.files.clone();
    for file in known {
        let mut units: Vec<u16> = file.text.encode_utf16().collect();
        let own = found.iter().filter(|found| found.file == file.name);
        let fixes: Vec<&TextEdit> = own.filter_map(|found| found.fix.as_ref()).collect();
        // From the end, so that offsets stay what they are; one that overlaps waits for the next check.
        let mut free = units.len();
        loop {
            let left = fixes
                .iter()
                .filter(|fix| fix.from <= fix.to && fix.to as usize <= free);
            let Some(fix) = left.max_by_key(|fix| fix.from) else {
                break;
            };
            let (from, to) = (fix.from as usize, fix.to as usize);
            let new: Vec<u16> = fix.text.encode_utf16().collect();
            units = [&units[..from], &new, &units[to..]].concat();
            if from == 0 {
                break;
            }
            free = from.min(free - 1);
        }
        let text = String::from_utf16_lossy(&units);
        if text != file.text {
            let mut project = (*control.model().project).clone();
            let file = File { text, ..file };
            files::put(&mut project, file.clone());
            control.replace(project, file);
        }
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
    let on_fix = found.fix.is_some().then(|| {
        let (control, found) = (props.control.clone(), found.clone());
        Callback::from(move |_: MouseEvent| mend(&control, std::slice::from_ref(&found)))
    });
    html! {
        <li key={place} class={format!("problem problem-{}", found.severity)} data-testid="problem">
            <span class="problem-glyph" aria-hidden="true">{ glyph }</span>
            <span class="problem-text">
                <span class="problem-message" lang={t.said_lang(&found.message)}>{ t.said(&found.message) }</span>
                if let Some(help) = &found.help { <span class="problem-help" lang={t.said_lang(help)}>{ t.said(help) }</span> }
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
