//! A console of one line, with a log.

use std::rc::Rc;

use sim_core::protocol::{Answer, Query, Request, Word};
use web_sys::{HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use crate::control::Control;
use crate::model::ConsoleEntry;
use crate::text::Text;

/// What the console needs.
#[derive(Properties, PartialEq)]
pub struct ConsoleProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The log.
    pub entries: Rc<Vec<ConsoleEntry>>,
}

/// The console.
#[component]
pub fn Console(props: &ConsoleProps) -> Html {
    let t = props.t;
    let input = use_node_ref();
    // Counted back from the newest line; zero: a line of its own.
    let back = use_mut_ref(|| 0_usize);
    let log = use_node_ref();
    {
        let log = log.clone();
        use_effect_with(props.entries.len(), move |_| {
            if let Some(log) = log.cast::<web_sys::Element>() {
                log.set_scroll_top(log.scroll_height());
            }
        });
    }
    let offered = use_state_eq(|| (0_u32, Vec::<Word>::new()));
    let on_input = {
        let (control, offered) = (props.control.clone(), offered.clone());
        Callback::from(move |event: InputEvent| {
            let input: HtmlInputElement = event.target_unchecked_into();
            let line = input.value();
            let offered = offered.clone();
            if line.trim().is_empty() {
                offered.set((0, Vec::new()));
                return;
            }
            let asked = line.clone();
            control.ask(Query::Words(line), move |answer| {
                // An answer to what has been typed over meanwhile is old news.
                if input.value() == asked {
                    offered.set(match answer {
                        Answer::Words { from, words } => (from, words),
                        _ => (0, Vec::new()),
                    });
                }
            });
        })
    };
    let take = {
        let (input, offered) = (input.clone(), offered.clone());
        Callback::from(move |word: String| {
            if let Some(input) = input.cast::<HtmlInputElement>() {
                let line: Vec<u16> = input.value().encode_utf16().collect();
                let kept = line.get(..offered.0 as usize).unwrap_or_default();
                input.set_value(&format!("{}{word} ", String::from_utf16_lossy(kept)));
                drop(input.focus());
                offered.set((0, Vec::new()));
            }
        })
    };
    let on_submit = {
        let forget = offered.clone();
        let (control, input, back) = (props.control.clone(), input.clone(), back.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let Some(input) = input.cast::<HtmlInputElement>() else {
                return;
            };
            let line = input.value();
            if !line.trim().is_empty() {
                *back.borrow_mut() = 0;
                input.set_value("");
                forget.set((0, Vec::new()));
                control.perform(&Request::Console(line));
            }
        })
    };
    let on_key = {
        let (input, entries) = (input.clone(), props.entries.clone());
        let (offered, take) = (offered.clone(), take.clone());
        Callback::from(move |event: KeyboardEvent| {
            match (event.key().as_str(), offered.1.first()) {
                ("Tab", Some(word)) if !event.shift_key() => {
                    event.prevent_default();
                    take.emit(word.text.clone());
                    return;
                }
                ("Escape", Some(_)) => {
                    event.prevent_default();
                    offered.set((0, Vec::new()));
                    return;
                }
                _ => {}
            }
            let wanted = match event.key().as_str() {
                "ArrowUp" => *back.borrow() + 1,
                "ArrowDown" => back.borrow().saturating_sub(1),
                _ => return,
            };
            event.prevent_default();
            let line = if wanted == 0 {
                Some("")
            } else {
                entries
                    .iter()
                    .rev()
                    .nth(wanted - 1)
                    .map(|entry| entry.line.as_str())
            };
            if let (Some(line), Some(input)) = (line, input.cast::<HtmlInputElement>()) {
                input.set_value(line);
                *back.borrow_mut() = wanted;
            }
        })
    };
    html! {
        <section id="panel-console" class="panel console-panel" tabindex="-1" aria-labelledby="console-title">
            <h2 id="console-title">{ t.console() }</h2>
            <div class="console-log" role="log" tabindex="0" aria-labelledby="console-title" data-testid="console-log" ref={log}>
                if props.entries.is_empty() { <p class="quiet">{ t.console_hint() }</p> }
                { for props.entries.iter().map(|entry| html! {
                    <div class="console-entry" key={entry.number}>
                        <pre class="console-line">{ format!("$ {}", entry.line) }</pre>
                        if !entry.stdout.is_empty() { <pre>{ entry.stdout.trim_end() }</pre> }
                        if !entry.stderr.is_empty() { <pre class="console-error">{ entry.stderr.trim_end() }</pre> }
                        if entry.code != 0 { <p class="console-code">{ t.exit_code(entry.code) }</p> }
                    </div>
                }) }
            </div>
            if !offered.1.is_empty() {
                <div class="offered" role="group" id="console-words" aria-label={t.console_words()} data-testid="console-words">
                    { for offered.1.iter().map(|word| {
                        let (take, text) = (take.clone(), word.text.clone());
                        html! { <button type="button" class="small" tabindex="-1" key={word.label.clone()} title={word.detail.clone()} onclick={move |_| take.emit(text.clone())}>{ &word.label }</button> }
                    }) }
                </div>
            }
            <form class="console-form" onsubmit={on_submit}>
                <span aria-hidden="true">{ "$" }</span>
                <input id="console-line" type="text" ref={input} aria-label={t.console_label()} autocomplete="off" autocapitalize="off" spellcheck="false"
                    aria-describedby="console-tab" data-testid="console-input" onkeydown={on_key} oninput={on_input} />
                <span id="console-tab" class="sr-only">{ t.console_tab() }</span>
                <button type="submit" data-testid="console-run">{ t.console_run() }</button>
            </form>
        </section>
    }
}
