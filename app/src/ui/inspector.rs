//! What the real tools tell about one object, and the way to its causes.

use std::rc::Rc;

use sim_core::protocol::{Anatomy as Parts, Sheet};
use yew::prelude::*;

use crate::control::Control;
use crate::text::Text;
use crate::ui::anatomy::Anatomy;

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct InspectorProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The object and what is told about it.
    pub inspected: Rc<(String, Vec<Sheet>)>,
    /// The same object taken apart; none: it is not a machine or what runs on one.
    pub parts: Rc<Option<Box<Parts>>>,
}

/// The dialog.
#[component]
pub fn Inspector(props: &InspectorProps) -> Html {
    let t = props.t;
    let (object, sheets) = &*props.inspected;
    // What nobody looks at need not be in the frames.
    let on_close = {
        let control = props.control.clone();
        Callback::from(move |_: Event| control.end_inspection())
    };
    html! {
        <dialog id="inspector" class="wide" onclose={on_close} aria-labelledby="inspector-title" data-testid="inspector">
            <form method="dialog" class="dialog">
                <h2 id="inspector-title">{ t.inspector() }{ " " }<code>{ object }</code></h2>
                if sheets.is_empty() { <p class="quiet">{ t.inspector_none() }</p> }
                { for sheets.iter().enumerate().map(|(place, sheet)| html! {
                    <details key={place} open={place == 0}>
                        <summary><code>{ format!("$ {}", sheet.line) }</code></summary>
                        <pre class="sheet" lang="en" tabindex="0" aria-label={sheet.line.clone()}>{ &sheet.text }</pre>
                    </details>
                }) }
                <Anatomy {t} parts={props.parts.clone()} />
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}
