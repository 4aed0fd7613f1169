//! What the real tools tell about one object, and the way to its causes.

use std::rc::Rc;

use sim_core::protocol::Sheet;
use yew::prelude::*;

use crate::control::Control;
use crate::text::Text;

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct InspectorProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The object and what is told about it.
    pub inspected: Rc<(String, Vec<Sheet>)>,
}

/// The dialog.
#[component]
pub fn Inspector(props: &InspectorProps) -> Html {
    let t = props.t;
    let (object, sheets) = &*props.inspected;
    html! {
        <dialog id="inspector" class="wide" aria-labelledby="inspector-title" data-testid="inspector">
            <form method="dialog" class="dialog">
                <h2 id="inspector-title">{ t.inspector() }{ " " }<code>{ object }</code></h2>
                if sheets.is_empty() { <p class="quiet">{ t.inspector_none() }</p> }
                { for sheets.iter().enumerate().map(|(place, sheet)| html! {
                    <details key={place} open={place == 0}>
                        <summary><code>{ format!("$ {}", sheet.line) }</code></summary>
                        <pre class="sheet" lang="en" tabindex="0" aria-label={sheet.line.clone()}>{ &sheet.text }</pre>
                    </details>
                }) }
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}
