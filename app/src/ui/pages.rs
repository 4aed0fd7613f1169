//! A long list shown a page at a time: how much of it is made, and the way to the rest.

use std::ops::Range;

use yew::prelude::*;

use crate::text::Text;

/// Rows of a page.
pub const PAGE: usize = 120;

/// The rows from `start` on that one page holds; from the first, where the list has become shorter.
#[must_use]
pub fn page(start: usize, all: usize) -> Range<usize> {
    let first = if start < all { start } else { 0 };
    first..(first + PAGE).min(all)
}

/// What is shown of `all` rows, in words, and buttons for the rows before and behind, whose test ids begin
/// with `id`; nothing where all are shown.
pub fn turning(
    t: Text,
    id: &str,
    shown: Range<usize>,
    all: usize,
    told: String,
    on_start: &Callback<usize>,
) -> Html {
    if all <= PAGE {
        return Html::default();
    }
    let turn = |to: usize, title: &'static str, word: &str, off: bool| {
        let on_start = on_start.clone();
        html! { <button type="button" class="small" data-testid={format!("{id}-{word}")} disabled={off} onclick={move |_| on_start.emit(to)}>{ title }</button> }
    };
    html! {
        <p class="pages">
            { turn(shown.start.saturating_sub(PAGE), t.signs_previous(), "previous", shown.start == 0) }
            <span role="status">{ told }</span>
            { turn(shown.end, t.signs_next(), "next", shown.end == all) }
        </p>
    }
}
