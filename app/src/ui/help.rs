//! The sheet of keys.

use web_sys::HtmlInputElement;
use yew::prelude::*;

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
    let rows = [
        ("Space  .", t.help_space()),
        ("← →", t.help_arrows()),
        ("Home End", t.help_home()),
        ("[ ]", t.help_brackets()),
        ("f", t.help_fork()),
        ("- =", t.help_speed()),
        ("x n", t.help_kill()),
        ("x r, x p, x i", t.help_break()),
        ("Delete", t.help_delete()),
        ("w", t.help_why()),
        ("d", t.help_inspect()),
        ("p", t.help_present()),
        ("m, Shift+M", t.help_bookmark()),
        ("t", t.views()),
        ("z, Shift+Z", t.help_detail()),
        ("Ctrl+Z", t.help_undo()),
        ("Ctrl+K", t.help_palette()),
        ("Ctrl+S", t.help_share()),
        ("1 2 3 4", t.help_panels()),
        ("Ctrl+Enter", t.help_apply()),
        ("Ctrl+C, L, R", t.help_console()),
        ("?", t.help_question()),
    ];
    html! {
        <dialog id="help" aria-labelledby="help-title" data-testid="help">
            <form method="dialog" class="dialog">
                <h2 id="help-title">{ t.help_title() }</h2>
                <p>{ t.help_letters() }</p>
                { check(props.letters, t.help_keys_on(), "help-letters", &props.on_letters) }
                { check(props.plain, t.help_plain(), "help-plain", &props.on_plain) }
                { check(props.silent, t.help_silent(), "help-silent", &props.on_silent) }
                <dl class="keys">{ for rows.iter().map(|(key, does)| html! { <div><dt><kbd>{ *key }</kbd></dt><dd>{ *does }</dd></div> }) }</dl>
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}
