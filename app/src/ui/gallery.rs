//! The gallery: scenarios to open, each with its question and what to try.

use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::gallery::{self, ENTRIES};
use crate::text::{Language, Text};

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct GalleryProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
}

/// The dialog.
#[component]
pub fn Gallery(props: &GalleryProps) -> Html {
    let t = props.t;
    html! {
        <dialog id="gallery" aria-labelledby="gallery-title" data-testid="gallery">
            <form method="dialog" class="dialog">
                <h2 id="gallery-title">{ t.gallery() }</h2>
                <p class="quiet">{ t.gallery_hint() }</p>
                <ul class="gallery">{ for ENTRIES.iter().map(|entry| card(props, entry)) }</ul>
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}

fn card(props: &GalleryProps, entry: &'static gallery::Entry) -> Html {
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
            if t.language == Language::English || words.is_none() { <p class="quiet" lang="en">{ plain(entry.prose) }</p> }
            if let Some((_, try_this)) = words { <p>{ t.gallery_try(try_this) }</p> }
            <button type="button" class="small" aria-label={t.gallery_open(entry.title)} data-testid={format!("gallery-{}", entry.name)} onclick={on_open}>{ t.open() }</button>
        </li>
    }
}

/// Prose without Markdown's marks.
fn plain(prose: &str) -> String {
    prose.replace(['`', '*'], "")
}
