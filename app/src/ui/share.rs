//! Link, command line, and files to take away.

use std::rc::Rc;

use sim_core::protocol::{Answer, Query, Recording};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::export;
use crate::permalink::{LINK_LONG, LINK_LONGER};
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
    let drawing = use_state_eq(|| false);
    let said = match *copied {
        _ if *drawing => t.export_drawing().to_owned(),
        "" => String::new(),
        what => t.copied(what),
    };
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
                if *opened { { contents(props, &copied, &drawing) } }
                <p role="status" data-testid="copied">{ said }</p>
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}

fn contents(
    props: &ShareProps,
    done: &UseStateHandle<&'static str>,
    drawing: &UseStateHandle<bool>,
) -> Html {
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
            let warning = if link.len() > LINK_LONGER {
                Some(t.share_longer())
            } else {
                (link.len() > LINK_LONG).then(|| t.share_long())
            };
            html! {
                <>
                { field(t.share_link(), link.clone(), "share-link") }
                <p class="quiet" data-testid="share-length">{ t.share_length(link.chars().count() as u64) }{ " " }if let Some(warning) = warning { <strong class="warning">{ "▲ " }{ warning }</strong> }</p>
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
    let on_json = {
        let control = props.control.clone();
        move |_: MouseEvent| {
            let own = control.clone();
            control.ask(Query::Report, move |answer| {
                if let Answer::Report(report) = answer {
                    dom::download("podium.json", &export::json(&own.model(), &report));
                }
            });
        }
    };
    // A moving picture is drawn one frame after the other, and a video by the clock.
    let picture = |kind: &'static str, shown: &'static str| {
        let (drawing, is_drawing) = (drawing.clone(), **drawing);
        let on_save = move |_: MouseEvent| {
            let drawing = drawing.clone();
            drawing.set(true);
            dom::picture(kind, move || drawing.set(false));
        };
        html! { <button type="button" disabled={is_drawing} data-testid={format!("export-{kind}")} onclick={on_save}>{ shown }</button> }
    };
    html! {
        <>
        { link }
        { field(t.share_command(), command, "share-command") }
        <p class="quiet">{ if recording.as_deref().is_none_or(export::is_line) { t.share_command_hint().to_owned() } else { t.share_command_scenario(export::SCENARIO) } }</p>
        <h3>{ t.export() }</h3>
        <div class="export-row">
            { picture("svg", t.export_svg()) }
            { picture("png", t.export_png()) }
            { picture("gif", t.export_gif()) }
            if dom::records() { { picture("webm", t.export_webm()) } }
            { save("podium.csv", t.export_csv(), |control| export::csv(&control.model())) }
            <button type="button" data-testid="export-podium.json" onclick={on_json}>{ t.export_json() }</button>
            { save(export::SCENARIO, t.export_scenario(), |control| control.model().recording.as_deref().map(export::scenario).unwrap_or_default()) }
        </div>
        </>
    }
}
