//! What the last edit made of the objects: field by field, whose it was, and what was left alone.

use std::rc::Rc;

use sim_core::protocol::{Change, FieldLine, Said};
use yew::prelude::*;

use crate::control::Control;
use crate::text::Text;
use crate::ui::console::spoken;
use crate::ui::planes;

/// What the list needs.
#[derive(Properties, PartialEq)]
pub struct ChangesProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// What was changed.
    pub changes: Rc<Vec<Change>>,
    /// What the tools printed, in parts.
    pub output: Rc<Vec<Said>>,
}

/// The list; nothing where nothing was applied yet.
#[component]
pub fn Changes(props: &ChangesProps) -> Html {
    let t = props.t;
    if props.output.is_empty() {
        return Html::default();
    }
    html! {
        <details class="changes" data-testid="changes">
            <summary>{ t.changes(props.changes.len() as u64) }</summary>
            <div class="changes-list" role="region" tabindex="0" aria-label={t.changes_label()}>
                { for props.changes.iter().map(|change| object(props, change)) }
                <h3>{ t.changes_output() }</h3>
                <pre>{ for spoken(t, &props.output) }</pre>
                <p class="quiet">{ t.changes_compose() }</p>
            </div>
        </details>
    }
}

fn object(props: &ChangesProps, change: &Change) -> Html {
    let t = props.t;
    let plane = planes::name(&change.orchestrator, t);
    let word = match change.word.as_str() {
        "created" => t.change_created().to_owned(),
        "configured" => t.change_configured(&change.manager),
        _ => t.change_updated(change.versions.0, change.versions.1),
    };
    let on_show = {
        let (control, orchestrator, object) = (
            props.control.clone(),
            change.orchestrator.clone(),
            change.object.clone(),
        );
        Callback::from(move |_: MouseEvent| control.inspect(&orchestrator, &object))
    };
    html! {
        <section key={format!("{}-{}", change.orchestrator, change.object)} data-testid="change">
            <h3><button type="button" class="link" onclick={on_show}>{ &change.object }</button>{ format!(" · {plane} · {word}") }</h3>
            if !change.fields.is_empty() {
                <table>
                    <thead><tr><th scope="col">{ t.change_field() }</th><th scope="col">{ t.change_what() }</th></tr></thead>
                    <tbody>{ for change.fields.iter().map(|line| field(t, line)) }</tbody>
                </table>
            }
            if !change.text.is_empty() { <pre lang="en">{ change.text.trim_end() }</pre> }
        </section>
    }
}

fn field(t: Text, line: &FieldLine) -> Html {
    let owners = line.owners.join(", ");
    let words = match (line.fate.as_str(), owners.is_empty()) {
        ("added", _) => t.change_added().to_owned(),
        ("removed", true) => t.change_removed().to_owned(),
        ("removed", false) => t.change_removed_of(&owners),
        ("overwrote", _) => t.change_overwrote(&owners),
        ("kept", _) => t.change_kept(&owners),
        (_, true) => t.change_changed().to_owned(),
        (_, false) => t.change_changed_of(&owners),
    };
    let values = match (line.before.is_empty(), line.after.is_empty()) {
        (true, _) => line.after.clone(),
        (false, true) => line.before.clone(),
        (false, false) if line.before == line.after => line.after.clone(),
        (false, false) => format!("{} → {}", line.before, line.after),
    };
    html! {
        <tr key={format!("{}-{}", line.fate, line.path)} class={format!("change-{}", line.fate)} data-fate={line.fate.clone()}>
            <td><code>{ &line.path }</code>{ " " }<code class="change-value">{ values }</code></td><td>{ words }</td>
        </tr>
    }
}
