//! Title, example, experiment, language, theme, help.

use web_sys::HtmlSelectElement;
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::files;
use crate::page::Theme;
use crate::text::{Language, Text};
use crate::ui::chooser::Chooser;

/// What the bar needs.
#[derive(Properties, PartialEq)]
pub struct TopBarProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// `poll`, `blank`, `gallery` or `own`.
    pub example: &'static str,
    /// The theme.
    pub theme: Theme,
    /// Chooses a language.
    pub on_language: Callback<Language>,
    /// Chooses a theme.
    pub on_theme: Callback<Theme>,
}

/// The bar.
#[component]
pub fn TopBar(props: &TopBarProps) -> Html {
    let t = props.t;
    let on_example = {
        let control = props.control.clone();
        Callback::from(move |event: Event| {
            let chooser: HtmlSelectElement = event.target_unchecked_into();
            match chooser.value().as_str() {
                "poll" => control.fresh(),
                "blank" => control.load(files::blank()),
                _ => {}
            }
        })
    };
    let on_theme = {
        let on_theme = props.on_theme.clone();
        Callback::from(move |event: Event| {
            let chooser: HtmlSelectElement = event.target_unchecked_into();
            on_theme.emit(Theme::parse(&chooser.value()));
        })
    };
    let language = |language: Language, shown: &'static str| {
        let on_language = props.on_language.clone();
        let chosen = t.language == language;
        html! {
            <button type="button" lang={language.html()} class="segment" aria-pressed={chosen.to_string()}
                data-testid={format!("language-{}", language.tag())} onclick={move |_| on_language.emit(language)}>{ shown }</button>
        }
    };
    let option =
        |value: &'static str, shown: &'static str| html! { <option {value}>{ shown }</option> };
    html! {
        <header class="top-bar">
            <h1>{ "Podium" }</h1>
            <p class="tagline">{ t.tagline() }</p>
            <label class="field"><span>{ t.example() }</span>
                <Chooser name="example" value={props.example} onchange={on_example}>
                    { option("poll", t.example_poll()) }
                    { option("blank", t.example_blank()) }
                    if props.example == "gallery" { { option("gallery", t.gallery()) } }
                    { option("own", t.example_own()) }
                </Chooser>
            </label>
            <button type="button" data-testid="experiment-open" onclick={|_| dom::dialog("experiment", true)}>{ t.experiment() }</button>
            <button type="button" data-testid="gallery-open" onclick={|_| dom::dialog("gallery", true)}>{ t.gallery() }</button>
            <button type="button" data-testid="share-open" onclick={|_| dom::dialog("share", true)}>{ t.share() }</button>
            <div class="segments" role="group" aria-label={t.language()}>
                { language(Language::English, "EN") }
                { language(Language::Chinese, "繁中") }
            </div>
            <label class="field"><span class="sr-only">{ t.theme() }</span>
                <Chooser name="theme" value={props.theme.word()} onchange={on_theme}>
                    { option("auto", t.theme_auto()) }
                    { option("light", t.theme_light()) }
                    { option("dark", t.theme_dark()) }
                </Chooser>
            </label>
            <button type="button" class="icon-button" data-testid="help-open" aria-label={t.help()} title={t.help()}
                onclick={|_| dom::dialog("help", true)}>{ "?" }</button>
        </header>
    }
}
