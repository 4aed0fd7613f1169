//! A run at a glance: a ribbon for each replica, coloured by its state as time passes.

use sim_core::protocol::StateGroup;
use sim_core::protocol::views::Picture;
use yew::prelude::*;

use crate::text::Text;
use crate::ui::state;

/// Height of a ribbon with its gap, in the picture's own units.
const ROW: u32 = 10;

/// The picture, as wide as its place.
pub fn picture(t: Text, drawn: &Picture) -> Html {
    let cells = drawn.rows.first().map_or(1, |row| row.cells.len().max(1)) as u32;
    let height = (drawn.rows.len() as u32 * ROW).max(ROW);
    let width = cells * 4;
    let mut texts: Vec<String> = Vec::new();
    for row in &drawn.rows {
        let mut words: Vec<&str> = Vec::new();
        for group in row.cells.iter().flatten() {
            let word = state::word(*group, t);
            if words.last() != Some(&word) {
                words.push(word);
            }
        }
        texts.push(format!("{}: {}", row.name, words.join(" → ")));
    }
    let at = |us: u64| us as f64 / drawn.length_us.max(1) as f64 * f64::from(width);
    html! {
        <svg class="picture" viewBox={format!("0 0 {width} {height}")} preserveAspectRatio="none" role="img" aria-label={t.picture(texts.join("; "))}>
            { for drawn.rows.iter().enumerate().map(|(place, row)| ribbons(place as u32 * ROW, &row.cells)) }
            { for drawn.faults_us.iter().map(|us| html! {
                <line class="picture-fault" x1={format!("{:.1}", at(*us))} x2={format!("{:.1}", at(*us))} y1="0" y2={height.to_string()} />
            }) }
        </svg>
    }
}

/// Equal cells beside each other are one stretch.
fn ribbons(top: u32, cells: &[Option<StateGroup>]) -> Html {
    let mut stretches: Vec<(usize, usize, StateGroup)> = Vec::new();
    for (place, cell) in cells.iter().enumerate() {
        let Some(group) = cell else { continue };
        match stretches.last_mut() {
            Some((_, end, last)) if *end == place && *last == *group => *end = place + 1,
            Some(_) | None => stretches.push((place, place + 1, *group)),
        }
    }
    stretches
        .into_iter()
        .map(|(from, to, group)| {
            // A ribbon that waits is thin, one that failed is notched: colour is not alone.
            let (y, height) = match group {
                StateGroup::Ready | StateGroup::Completed => (1, 8),
                StateGroup::Progressing | StateGroup::Pending => (3, 4),
                StateGroup::Terminating | StateGroup::Failed | StateGroup::Unknown => (2, 6),
            };
            html! { <rect class={state::class(group)} x={(from * 4).to_string()} y={(top + y).to_string()} width={((to - from) * 4).to_string()} height={height.to_string()} /> }
        })
        .collect()
}
