//! The reader's earlier work, as the browser keeps it.

use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::files;
use crate::sessions;
use crate::text::Text;

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct EarlierProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
}

/// The dialog.
#[component]
pub fn Earlier(props: &EarlierProps) -> Html {
    let t = props.t;
    // Read when the dialog opens: other tabs work too.
    let snapshots = use_state_eq(Vec::new);
    let on_open = {
        let snapshots = snapshots.clone();
        move |_: FocusEvent| snapshots.set(sessions::snapshots())
    };
    let on_forget = {
        let snapshots = snapshots.clone();
        move |_: MouseEvent| {
            sessions::forget_snapshots();
            snapshots.set(Vec::new());
        }
    };
    let present = props.control.model().project.clone();
    let shown = snapshots.iter().filter_map(|snapshot| {
        let project = snapshot.project().filter(|project| *project != *present)?;
        let own = project.files.iter().filter(|file| !files::is_example(file));
        let mut names: Vec<&str> = own.map(|file| file.name.as_str()).collect();
        if names.is_empty() {
            names.push(t.tab_faults());
        }
        let names = names.join(", ");
        let time = dom::date_text(snapshot.taken_ms, t.language.html());
        let on_back = {
            let (control, project) = (props.control.clone(), project.clone());
            move |_: MouseEvent| {
                dom::dialog("earlier", false);
                control.load(project.clone());
            }
        };
        Some(html! {
            <li key={snapshot.taken_ms}><button type="button" data-testid="earlier-item" onclick={on_back}>
                <time>{ time }</time><span class="quiet">{ names }</span></button></li>
        })
    });
    html! {
        <dialog id="earlier" aria-labelledby="earlier-title" data-testid="earlier" onfocusin={on_open}>
            <form method="dialog" class="dialog">
                <h2 id="earlier-title">{ t.earlier_title() }</h2>
                <p class="quiet">{ if snapshots.is_empty() { t.earlier_none() } else { t.earlier_hint() } }</p>
                <ul class="palette-list">{ for shown }</ul>
                <div class="dialog-buttons">
                    <button type="button" disabled={snapshots.is_empty()} data-testid="earlier-forget" onclick={on_forget}>{ t.earlier_forget() }</button>
                    <button type="submit" class="primary">{ t.close() }</button>
                </div>
            </form>
        </dialog>
    }
}
