//! Link, command line, and files to take away.

use std::rc::Rc;

use sim_core::protocol::Recording;
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::export;
use crate::permalink::LINK_LONG;
use crate::text::Text;

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct ShareProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The experiment with all that was done to it.
    pub recording: Option<Rc<Recording>>,
    /// The time shown.
    pub now_us: u64,
}

/// The dialog.
#[component]
pub fn Share(props: &ShareProps) -> Html {
    let t = props.t;
    let opened = use_state_eq(|| false);
    // What was copied last.
    let copied = use_state_eq(|| "");
    // A dialog opened by script tells nobody; the focus that comes into it does.
    let on_open = {
        let opened = opened.clone();
        Callback::from(move |_: FocusEvent| opened.set(true))
    };
    let on_close = {
        let (opened, copied) = (opened.clone(), copied.clone());
        Callback::from(move |_: Event| {
            opened.set(false);
            copied.set("");
        })
    };
    html! {
        <dialog id="share" aria-labelledby="share-title" data-testid="share" onfocusin={on_open} onclose={on_close}>
            <form method="dialog" class="dialog">
                <h2 id="share-title">{ t.share_title() }</h2>
                if *opened { { contents(props, &copied) } }
                <p role="status" data-testid="copied">{ if copied.is_empty() { String::new() } else { t.copied(*copied) } }</p>
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}

fn contents(props: &ShareProps, done: &UseStateHandle<&'static str>) -> Html {
    let t = props.t;
    let field = |label: &'static str, text: String, id: &'static str| {
        let (copied, done) = (text.clone(), done.clone());
        let on_copy = move |_: MouseEvent| {
            if dom::copy(&copied) {
                done.set(label);
            }
        };
        html! {
            <div class="copy-row">
                <label>{ label }<input type="text" readonly=true value={text} data-testid={id} /></label>
                <button type="button" id={format!("{id}-copy")} data-testid={format!("{id}-copy")} onclick={on_copy}>{ t.copy() }</button>
            </div>
        }
    };
    let link = match props.control.link() {
        Ok(link) => {
            let long = link.len() > LINK_LONG;
            html! {
                <>
                { field(t.share_link(), link.clone(), "share-link") }
                <p class="quiet">{ t.share_length(link.chars().count() as u64) }{ " " }if long { { t.share_long() } }</p>
                </>
            }
        }
        Err(_) => html! { <p class="notice notice-error">{ t.share_too_long() }</p> },
    };
    let recording = props.recording.clone();
    let command = recording
        .as_deref()
        .map(export::command)
        .unwrap_or_default();
    let save = |name: &'static str, shown: &'static str, make: fn(&Control) -> String| {
        let control = props.control.clone();
        html! { <button type="button" data-testid={format!("export-{name}")} onclick={move |_| dom::download(name, &make(&control))}>{ shown }</button> }
    };
    html! {
        <>
        { link }
        { field(t.share_command(), command, "share-command") }
        <p class="quiet">{ if recording.as_deref().is_none_or(export::is_line) { t.share_command_hint().to_owned() } else { t.share_command_scenario(export::SCENARIO) } }</p>
        <h3>{ t.export() }</h3>
        <div class="export-row">
            <button type="button" data-testid="export-svg" onclick={|_| dom::picture("svg")}>{ t.export_svg() }</button>
            <button type="button" data-testid="export-png" onclick={|_| dom::picture("png")}>{ t.export_png() }</button>
            <button type="button" data-testid="export-gif" onclick={|_| dom::picture("gif")}>{ t.export_gif() }</button>
            { save("podium.csv", t.export_csv(), |control| export::csv(&control.model())) }
            { save(export::SCENARIO, t.export_scenario(), |control| control.model().recording.as_deref().map(export::scenario).unwrap_or_default()) }
        </div>
        </>
    }
}
