//! The sheet of keys, where those of one letter can be exchanged for others.

use std::rc::Rc;

use web_sys::{HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use crate::dom;
use crate::keys::{Command, Keys};
use crate::text::Text;

/// What the sheet needs.
#[derive(Properties, PartialEq)]
pub struct HelpProps {
    /// Words.
    pub t: Text,
    /// Whether single letters act.
    pub letters: bool,
    /// Switches them.
    pub on_letters: Callback<bool>,
    /// Which they are.
    pub keys: Rc<Keys>,
    /// Exchanges some.
    pub on_keys: Callback<Keys>,
    /// Whether texts are edited in a plain text area.
    pub plain: bool,
    /// Switches that.
    pub on_plain: Callback<bool>,
    /// Whether changes of the worlds are kept from screen readers.
    pub silent: bool,
    /// Switches that.
    pub on_silent: Callback<bool>,
}

/// The sheet.
#[component]
pub fn Help(props: &HelpProps) -> Html {
    let t = props.t;
    let check = |on: bool, title: &'static str, id: &'static str, told: &Callback<bool>| {
        let told = told.clone();
        let on_change = move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            told.emit(input.checked());
        };
        html! { <label class="check"><input type="checkbox" checked={on} data-testid={id} onchange={on_change} />{ title }</label> }
    };
    // These lie as in games, whatever is written on them.
    let steering = use_state_eq(|| "W A S D".to_owned());
    {
        let steering = steering.clone();
        use_effect_with((), move |()| {
            wasm_bindgen_futures::spawn_local(async move {
                let codes = ["KeyW", "KeyA", "KeyS", "KeyD"];
                if let Some(written) = dom::written_on(&codes).await {
                    steering.set(written);
                }
            });
        });
    }
    let rows = [
        ("Space", t.help_space()),
        ("← →", t.help_arrows()),
        ("Home End", t.help_home()),
        ("Delete", t.help_delete()),
        ("Ctrl+Z", t.help_undo()),
        ("Ctrl+Shift+Z", t.help_redo()),
        (steering.as_str(), t.help_zoom()),
        ("Ctrl+M", t.help_tab()),
        ("Alt+Enter", t.help_number()),
        ("Shift+F10", t.help_menu()),
        ("Ctrl+K", t.help_palette()),
        ("Ctrl+S", t.help_share()),
        ("Ctrl+Enter", t.help_apply()),
        ("Ctrl+C, L, R", t.help_console()),
    ];
    html! {
        <dialog id="help" aria-labelledby="help-title" data-testid="help">
            <form method="dialog" class="dialog">
                <h2 id="help-title">{ t.help_title() }</h2>
                <p>{ t.help_letters() }</p>
                { check(props.letters, t.help_keys_on(), "help-letters", &props.on_letters) }
                { check(props.plain, t.help_plain(), "help-plain", &props.on_plain) }
                { check(props.silent, t.help_silent(), "help-silent", &props.on_silent) }
                <Letters {t} keys={props.keys.clone()} on_keys={props.on_keys.clone()} />
                <h3>{ t.keys_fixed() }</h3>
                <dl class="keys">{ for rows.iter().map(|(key, does)| html! { <div><dt><kbd>{ key.to_string() }</kbd></dt><dd>{ *does }</dd></div> }) }</dl>
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}

#[derive(Properties, PartialEq)]
struct LettersProps {
    t: Text,
    keys: Rc<Keys>,
    on_keys: Callback<Keys>,
}

/// Keys of one letter: each is a button that takes another key.
#[component]
fn Letters(props: &LettersProps) -> Html {
    let (t, keys) = (props.t, &props.keys);
    // The command whose key is awaited.
    let awaited = use_state_eq(|| None::<Command>);
    let row = |command: Command| {
        let (key, does) = (keys.of(command), command.title(t));
        let is_awaited = *awaited == Some(command);
        let on_press = {
            let awaited = awaited.clone();
            move |_: MouseEvent| awaited.set(Some(command))
        };
        let on_key = {
            let (awaited, keys, on_keys) = (awaited.clone(), keys.clone(), props.on_keys.clone());
            move |event: KeyboardEvent| {
                let key = event.key();
                let none = matches!(key.as_str(), "Backspace" | "Delete");
                let takes = none || Keys::can_be(&key);
                if !is_awaited || event.ctrl_key() || event.meta_key() || event.alt_key() {
                    return;
                }
                if takes || key == "Escape" {
                    event.prevent_default();
                    event.stop_propagation();
                    awaited.set(None);
                }
                if takes {
                    let mut keys = (*keys).clone();
                    keys.choose(command, if none { "" } else { &key });
                    on_keys.emit(keys);
                }
            }
        };
        let on_leave = {
            let awaited = awaited.clone();
            move |_: FocusEvent| awaited.set(None)
        };
        let shown = if is_awaited {
            t.key_press().to_owned()
        } else if key.is_empty() {
            t.key_none().to_owned()
        } else if command.follows() && !keys.of(Command::Break).is_empty() {
            format!("{} {key}", keys.of(Command::Break))
        } else {
            key.to_owned()
        };
        let other = keys.find(key, command.follows());
        let other = other.filter(|other| *other != command && !key.is_empty());
        let id = format!("key-{}", command.name());
        let conflict = other.map(|_| format!("{id}-conflict"));
        let described = ["keys-hint"].into_iter().chain(conflict.as_deref());
        let described = described.collect::<Vec<_>>().join(" ");
        html! {
            <div key={command.name()}>
                <dt><button type="button" class="small" aria-label={t.key_change(does, &shown)} aria-describedby={described} data-testid={id}
                    onclick={on_press} onkeydown={on_key} onblur={on_leave}><kbd>{ shown }</kbd></button></dt>
                <dd>{ does }
                    if let Some(other) = other { <span class="key-conflict" id={conflict} data-testid={format!("conflict-{}", command.name())}>{ "▲ " }{ t.key_conflict(key, other.title(t)) }</span> }
                </dd>
            </div>
        }
    };
    let on_reset = {
        let on_keys = props.on_keys.clone();
        move |_: MouseEvent| on_keys.emit(Keys::default())
    };
    html! {
        <>
        <p id="keys-hint" class="quiet">{ t.keys_hint() }</p>
        <p class="sr-only" role="status">{ if awaited.is_some() { t.key_press() } else { "" } }</p>
        <dl class="keys">{ for Command::all().map(row) }</dl>
        <p><button type="button" data-testid="keys-reset" disabled={keys.are_first()} onclick={on_reset}>{ t.keys_reset() }</button></p>
        </>
    }
}
