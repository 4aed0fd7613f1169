//! The gallery: scenarios to open, each with its question, its run as a picture, and what to try.

use std::collections::BTreeMap;
use std::rc::Rc;

use sim_core::protocol::views::Picture;
use sim_core::protocol::{Answer, File, Query};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::gallery::{self, ENTRIES};
use crate::text::{Language, Text};
use crate::ui::picture::picture;

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct GalleryProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
}

type Pictures = BTreeMap<&'static str, Rc<Picture>>;

/// The dialog. Its pictures are drawn by the engine when it is first opened, one after the other.
#[component]
pub fn Gallery(props: &GalleryProps) -> Html {
    let t = props.t;
    let opened = use_state_eq(|| false);
    let typed = use_state_eq(String::new);
    let drawn = use_state(|| Rc::new(Pictures::new()));
    let kept = use_mut_ref(Pictures::new);
    // A dialog opened by script tells nobody; the focus that comes into it does.
    let on_open = {
        let (opened, drawn, kept) = (opened.clone(), drawn.clone(), kept.clone());
        let control = props.control.clone();
        Callback::from(move |_: FocusEvent| {
            if !*opened {
                opened.set(true);
                draw(
                    &control,
                    0,
                    Rc::new({
                        let (drawn, kept) = (drawn.clone(), kept.clone());
                        move |name: &'static str, picture: Picture| {
                            kept.borrow_mut().insert(name, Rc::new(picture));
                            drawn.set(Rc::new(kept.borrow().clone()));
                        }
                    }),
                );
            }
        })
    };
    let on_input = {
        let typed = typed.clone();
        move |event: InputEvent| {
            let input: HtmlInputElement = event.target_unchecked_into();
            typed.set(input.value().to_lowercase());
        }
    };
    // Enter would close the dialog, as its form's only button does: it leads to what was found.
    let on_key = |event: KeyboardEvent| {
        if event.key() == "Enter" && !event.is_composing() {
            event.prevent_default();
            dom::focus_first("#gallery .card button");
        }
    };
    let fits = |entry: &&gallery::Entry| {
        let question = gallery::words(entry.name, t).map_or("", |(question, _)| question);
        let said = format!("{} {} {question}", entry.name, entry.title).to_lowercase();
        typed.split_whitespace().all(|word| said.contains(word))
    };
    let shown: Vec<&'static gallery::Entry> = ENTRIES.iter().filter(fits).collect();
    html! {
        <dialog id="gallery" aria-labelledby="gallery-title" data-testid="gallery" onfocusin={on_open}>
            <form method="dialog" class="dialog">
                <h2 id="gallery-title">{ t.gallery() }</h2>
                <p class="quiet">{ t.gallery_hint() }</p>
                <label>{ t.filter() }<input type="text" autocomplete="off" spellcheck="false" data-testid="gallery-filter" oninput={on_input} onkeydown={on_key} /></label>
                if *opened {
                    if shown.is_empty() { <p class="quiet" role="status">{ t.palette_none() }</p> }
                    <ul class="gallery">{ for shown.into_iter().map(|entry| card(props, entry, drawn.get(entry.name))) }</ul>
                }
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}

/// Asks for the picture of an entry; its answer asks for the next, so that the engine has time for
/// others in between.
fn draw(control: &Control, place: usize, took: Rc<dyn Fn(&'static str, Picture)>) {
    let Some(entry) = ENTRIES.get(place) else {
        return;
    };
    let file = File {
        name: entry.name.to_owned(),
        text: entry.text.to_owned(),
    };
    let next = control.clone();
    control.ask(Query::Picture(file), move |answer| {
        if let Answer::Picture(picture) = answer {
            took(entry.name, picture);
        }
        draw(&next, place + 1, took);
    });
}

fn card(props: &GalleryProps, entry: &'static gallery::Entry, drawn: Option<&Rc<Picture>>) -> Html {
    let t = props.t;
    let on_open = {
        let control = props.control.clone();
        Callback::from(move |_: MouseEvent| {
            control.load(gallery::project(entry));
            dom::dialog("gallery", false);
        })
    };
    let words = gallery::words(entry.name, t);
    html! {
        <li key={entry.name} class="card">
            <h3>
                if let Some((question, _)) = words { { question } } else { <span lang="en">{ entry.title }</span> }
            </h3>
            <div class="picture-place">if let Some(drawn) = drawn { { picture(t, drawn) } }</div>
            if t.language == Language::English || words.is_none() { <p class="quiet" lang="en">{ plain(entry.prose) }</p> }
            if let Some((_, try_this)) = words { <p>{ t.gallery_try(try_this) }</p> }
            <button type="button" class="small" aria-label={t.gallery_open(words.map_or(entry.title, |(question, _)| question))} data-testid={format!("gallery-{}", entry.name)} onclick={on_open}>{ t.open() }</button>
        </li>
    }
}

/// Prose without Markdown's marks.
fn plain(prose: &str) -> String {
    prose.replace(['`', '*'], "")
}
