//! A console of one line, with a log.

use std::rc::Rc;

use sim_core::protocol::{Answer, Printed, Query, Request, Said, Word};
use web_sys::{HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::entry::ConsoleEntry;
use crate::format::clock;
use crate::model::Action;
use crate::screen::{self, Places};
use crate::text::{Language, Text};

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
    // What is searched for, and how many of the lines that hold it are newer than the one shown.
    let search = use_mut_ref(|| (String::new(), 0_usize, String::new()));
    let log = use_node_ref();
    {
        let log = log.clone();
        use_effect_with(props.entries.len(), move |_| {
            if let Some(log) = log.cast::<web_sys::Element>() {
                log.set_scroll_top(log.scroll_height());
            }
        });
    }
    // Words that fit, and which of them Tab takes.
    let offered = use_state_eq(|| (0_u32, Vec::<Word>::new()));
    let active = use_state_eq(|| 0_usize);
    let on_input = {
        let (control, offered, active) = (props.control.clone(), offered.clone(), active.clone());
        Callback::from(move |event: InputEvent| {
            active.set(0);
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
        let (input, offered, active) = (input.clone(), offered.clone(), active.clone());
        Callback::from(move |word: String| {
            if let Some(input) = input.cast::<HtmlInputElement>() {
                let line: Vec<u16> = input.value().encode_utf16().collect();
                let kept = line.get(..offered.0 as usize).unwrap_or_default();
                input.set_value(&format!("{}{word} ", String::from_utf16_lossy(kept)));
                drop(input.focus());
                offered.set((0, Vec::new()));
                active.set(0);
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
        let (offered, active, take) = (offered.clone(), active.clone(), take.clone());
        let control = props.control.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.ctrl_key() && event.key() == "l" {
                event.prevent_default();
                control.act(Action::Clear);
                return;
            }
            if event.ctrl_key() && event.key() == "r" {
                event.prevent_default();
                if let Some(input) = input.cast::<HtmlInputElement>() {
                    let (needle, newer, shown) = &mut *search.borrow_mut();
                    if *shown != input.value() {
                        (*needle, *newer) = (input.value(), 0);
                    }
                    let lines = entries.iter().rev().map(|entry| &entry.printed.line);
                    let mut found = lines.filter(|line| line.contains(needle.as_str()));
                    if let Some(line) = found.nth(*newer) {
                        *newer += 1;
                        shown.clone_from(line);
                        input.set_value(line);
                    }
                }
                return;
            }
            match (event.key().as_str(), offered.1.get(*active)) {
                ("Tab", Some(word)) if !event.shift_key() => {
                    event.prevent_default();
                    take.emit(word.text.clone());
                    return;
                }
                // A line that is being written is at its end of the history: down goes to the words.
                ("ArrowDown", Some(_)) if *back.borrow() == 0 => {
                    event.prevent_default();
                    active.set((*active + 1).min(offered.1.len() - 1));
                    return;
                }
                ("ArrowUp", Some(_)) if *active > 0 => {
                    event.prevent_default();
                    active.set(*active - 1);
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
                    .map(|entry| entry.printed.line.as_str())
            };
            if let (Some(line), Some(input)) = (line, input.cast::<HtmlInputElement>()) {
                input.set_value(line);
                *back.borrow_mut() = wanted;
            }
        })
    };
    let watching = props.entries.iter().any(ConsoleEntry::watches);
    let on_stop = {
        let control = props.control.clone();
        Callback::from(move |event: KeyboardEvent| {
            // What is marked is copied.
            let stops = event.ctrl_key() && event.key() == "c" && !dom::has_selection();
            if stops && watching {
                event.prevent_default();
                control.act(Action::Unwatch);
            }
        })
    };
    let on_walk = Callback::from(|event: KeyboardEvent| {
        if dom::walk_log(&event) {
            event.prevent_default();
            event.stop_propagation();
        }
    });
    let last = props.entries.len().saturating_sub(1);
    html! {
        <section id="panel-console" class="panel console-panel" tabindex="-1" aria-labelledby="console-title" onkeydown={on_stop}>
            <h2 id="console-title">{ t.console() }</h2>
            <p id="console-log-hint" class="sr-only">{ t.console_log_hint() }</p>
            <div class="console-log" role="log" tabindex="0" aria-labelledby="console-title" aria-describedby="console-log-hint" data-testid="console-log" ref={log} onkeydown={on_walk}>
                if props.entries.is_empty() { <p class="quiet">{ t.console_hint() }</p> }
                { for props.entries.iter().enumerate().map(|(place, entry)| html! {
                    <Entry key={entry.number} {t} control={props.control.clone()} printed={entry.printed.clone()} marks={entry.marks.clone()} last={place == last} />
                }) }
            </div>
            if !offered.1.is_empty() {
                <div class="offered" role="listbox" id="console-words" aria-label={t.console_words()} data-testid="console-words">
                    { for offered.1.iter().enumerate().map(|(place, word)| {
                        let (take, text) = (take.clone(), word.text.clone());
                        html! { <button type="button" class="small" role="option" id={format!("console-word-{place}")} aria-selected={(place == *active).to_string()} tabindex="-1" key={word.label.clone()} title={t.said(&word.detail)} onclick={move |_| take.emit(text.clone())}><span lang="en">{ &word.label }</span></button> }
                    }) }
                </div>
            }
            <form class="console-form" onsubmit={on_submit}>
                <span aria-hidden="true">{ "$" }</span>
                <input id="console-line" type="text" role="combobox" aria-autocomplete="list" aria-expanded={(!offered.1.is_empty()).to_string()} aria-controls="console-words"
                    aria-activedescendant={(!offered.1.is_empty()).then(|| format!("console-word-{}", *active))} ref={input} aria-label={t.console_label()} autocomplete="off" autocapitalize="off" spellcheck="false"
                    aria-describedby="console-tab" data-testid="console-input" onkeydown={on_key} oninput={on_input} />
                <span id="console-tab" class="sr-only">{ t.console_tab() }</span>
                <button type="submit" data-testid="console-run">{ t.console_run() }</button>
            </form>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct EntryProps {
    t: Text,
    control: Control,
    printed: Rc<Printed>,
    /// What a `watch` marks in it.
    marks: Rc<Places>,
    /// Whether it is where Tab arrives.
    last: bool,
}

/// A line, what it printed, and the way to run it again.
#[component]
fn Entry(props: &EntryProps) -> Html {
    let (t, printed) = (props.t, &props.printed);
    let tabindex = if props.last { "0" } else { "-1" };
    let again = t.console_again(&printed.line);
    let on_again = {
        let (control, line) = (props.control.clone(), printed.line.clone());
        Callback::from(move |_: MouseEvent| control.perform(&Request::Console(line.clone())))
    };
    let on_stop = {
        let control = props.control.clone();
        Callback::from(move |_: MouseEvent| control.act(Action::Unwatch))
    };
    // A watch that goes on is not read out each time that it is drawn.
    let watches = printed.every_us > 0;
    html! {
        <div class="console-entry" data-at={printed.at_us.to_string()} data-watching={watches.then_some("")} aria-live={watches.then_some("off")}>
            <div class="console-head">
                <pre class="console-line">{ format!("$ {}", printed.line) }</pre>
                <button type="button" class="small again" {tabindex} aria-label={again.clone()} title={format!("{again} · {}", t.console_ran(clock(printed.at_us)))} data-testid="console-again" onclick={on_again} />
                if watches {
                    <button type="button" class="small" {tabindex} data-testid="watch-stop" onclick={on_stop}>{ t.watch_stop() }</button>
                }
            </div>
            if t.language != Language::English && !printed.said.is_empty() {
                <pre>{ for told(props) }</pre>
            } else if !printed.stdout.is_empty() {
                <pre lang="en">{ for named(props, 0, printed.stdout.len()) }</pre>
            }
            if !printed.stderr.is_empty() { <pre class="console-error">{ for spoken(t, &printed.stderr) }</pre> }
            if printed.code != 0 { <p class="console-code">{ t.exit_code(printed.code) }</p> }
            if printed.watch.beeps { <p class="console-code" role="status" data-testid="beep">{ "♪ " }{ t.watch_beep() }</p> }
        </div>
    }
}

/// What a command wrote, to its last letter: the tools in English, Podium in the page's language.
pub fn spoken(t: Text, parts: &[Said]) -> impl Iterator<Item = Html> {
    let last = parts.len().saturating_sub(1);
    parts.iter().enumerate().map(move |(place, part)| {
        let text = t.said(part);
        let text = if place == last {
            text.trim_end()
        } else {
            &text
        };
        html! { <span lang={t.said_lang(part)}>{ text }</span> }
    })
}

/// Standard output in which Podium speaks: what it says in the page's language, the rest as it is. Its
/// words in a table take the columns that they have in English.
fn told(props: &EntryProps) -> Vec<Html> {
    let (t, text) = (props.t, &props.printed.stdout);
    let mut parts = Vec::new();
    // Where a part begins in English, and what is shown of it by then.
    let (mut start, mut shown) = (0, 0);
    for (place, part) in props.printed.said.iter().enumerate() {
        let length = Text::default().said(part).len();
        let end = start + length;
        let mut columns = None;
        let words = if matches!(part, Said::Plain(_)) {
            named(props, start.max(shown), end)
        } else {
            let rest = text.get(end..).unwrap_or_default();
            let blanks = rest.len() - rest.trim_start_matches(' ').len();
            let is_plain = matches!(props.printed.said.get(place + 1), Some(Said::Plain(_)));
            let mut words = t.said(part);
            if blanks > 1 && is_plain {
                shown = end + blanks;
                columns = Some(format!("min-inline-size:{}ch", length + blanks));
                words.push(' ');
            }
            vec![html! { { words } }]
        };
        start = end;
        parts.push(html! { <span lang={t.said_lang(part)} style={columns}>{ for words }</span> });
    }
    parts
}

/// Standard output from one byte to another; names of objects lead to them, and what a `watch` marks is
/// marked.
fn named(props: &EntryProps, start: usize, end: usize) -> Vec<Html> {
    let text = props.printed.stdout.trim_end();
    let end = end.min(text.len());
    if start >= end {
        return Vec::new();
    }
    let marks = screen::marks(text, &props.marks, props.printed.watch.header_rows as usize);
    let before = |mark: &&screen::Mark| mark.from < start;
    let mut marks = marks.iter().skip_while(before).peekable();
    // The text from one byte to another, with its marks.
    let mut marked = |mut at: usize, to: usize, is_last: bool| -> Vec<Html> {
        let mut parts = Vec::new();
        while let Some(mark) = marks.peek() {
            if mark.from >= to && !is_last {
                break;
            }
            let (from, end) = (mark.from.max(at), mark.to.min(to).max(mark.from));
            let blanks = if mark.to > to { 0 } else { mark.blanks };
            let shown = text.get(from..end).unwrap_or_default().to_owned() + &" ".repeat(blanks);
            parts.push(html! { { text.get(at..from).unwrap_or_default().to_owned() + &mark.gap } });
            parts.push(html! { <mark>{ shown }</mark> });
            at = end.max(at);
            if mark.to > to {
                break;
            }
            marks.next();
        }
        parts.push(html! { { text.get(at..to).unwrap_or_default() } });
        parts
    };
    let mut parts = Vec::new();
    let mut at = start;
    for name in &props.printed.names {
        let (from, to) = (name.from as usize, name.to as usize);
        if from < at || to > end || text.get(from..to).is_none() {
            continue;
        }
        let on_select = {
            let (control, name) = (props.control.clone(), name.clone());
            Callback::from(move |_: MouseEvent| control.select(&name))
        };
        parts.extend(marked(at, from, false));
        parts.push(html! {
            <button type="button" class="name" tabindex="-1" title={props.t.name_show(&name.object)} data-workload={name.workload.clone()}
                data-orchestrator={name.orchestrator.clone()} data-object={name.object.clone()} data-testid="console-name" onclick={on_select}>{ for marked(from, to, false) }</button>
        });
        at = to;
    }
    parts.extend(marked(at, end, end == text.len()));
    parts
}
