//! A layered graph as boxes and lines: what follows stands below.

use sim_core::protocol::views::{Graph, GraphNode};
use web_sys::KeyboardEvent;
use yew::prelude::*;

use crate::format::clock;
use crate::text::Text;
use crate::ui::state;

const WIDTH: u32 = 240;
const HEIGHT: u32 = 44;
const GAP_X: u32 = 14;
const GAP_Y: u32 = 34;

/// Letters of a title that fit into a box, wide ones too.
const LETTERS: usize = 27;

/// The graph; `on_choose` hears of the box that was chosen.
pub fn graph(t: Text, drawn: &Graph, label: &str, on_choose: &Callback<u64>) -> Html {
    let columns = drawn.nodes.iter().map(|node| node.order).max().unwrap_or(0) + 1;
    let rows = drawn.nodes.iter().map(|node| node.layer).max().unwrap_or(0) + 1;
    let width = columns * (WIDTH + GAP_X) + GAP_X;
    let height = rows * (HEIGHT + GAP_Y);
    html! {
        <div class="graph-place" tabindex="0" role="region" aria-label={label.to_owned()}>
            <svg class="graph" width={width.to_string()} height={height.to_string()} viewBox={format!("0 0 {width} {height}")} role="group" aria-label={label.to_owned()}>
                { for drawn.edges.iter().map(|edge| {
                    let (from, to) = (&drawn.nodes[edge.from as usize], &drawn.nodes[edge.to as usize]);
                    line(from, to, &edge.label)
                }) }
                { for drawn.nodes.iter().map(|node| self::node(t, node, on_choose)) }
            </svg>
        </div>
    }
}

fn corner(node: &GraphNode) -> (u32, u32) {
    (
        GAP_X + node.order * (WIDTH + GAP_X),
        4 + node.layer * (HEIGHT + GAP_Y),
    )
}

fn line(from: &GraphNode, to: &GraphNode, label: &str) -> Html {
    let ((x1, y1), (x2, y2)) = (corner(from), corner(to));
    let (x1, x2, y1) = (x1 + WIDTH / 2, x2 + WIDTH / 2, y1 + HEIGHT);
    let middle = u32::midpoint(y1, y2);
    let class = if from.chosen && to.chosen {
        "graph-line graph-chosen"
    } else {
        "graph-line"
    };
    html! {
        <g>
            <path {class} d={format!("M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}")} />
            if !label.is_empty() {
                <text class="graph-label" x={(x2 + 4).to_string()} y={(y2 - 6).to_string()}>{ short(label, 26) }<title>{ label.to_owned() }</title></text>
            }
        </g>
    }
}

fn node(t: Text, node: &GraphNode, on_choose: &Callback<u64>) -> Html {
    let (x, y) = corner(node);
    let state = node.group.map_or("", state::class);
    let word = node
        .group
        .map(|group| state::word(group, t))
        .unwrap_or_default();
    let class = classes!("graph-node", state, node.chosen.then_some("graph-chosen"));
    let glyph = node.group.map(state::glyph);
    let second = if node.seq > 0 {
        format!("{} {}", clock(node.at_us), node.text)
    } else if node.group.is_some() {
        format!(
            "{} {}",
            glyph.unwrap_or_default(),
            if node.text.is_empty() {
                word
            } else {
                node.text.as_str()
            }
        )
    } else {
        node.text.clone()
    };
    let (title, second) = (short(&node.title, LETTERS), short(&second, LETTERS + 4));
    let shape = html! {
        <>
        <rect width={WIDTH.to_string()} height={HEIGHT.to_string()} rx="6" />
        <text x="9" y="18" class="graph-title">{ format!("{title} ") }</text>
        <text x="9" y="35" class="graph-text">{ &second }</text>
        </>
    };
    let place = format!("translate({x} {y})");
    // What is read begins with what is seen: speech control knows a box by its words. The blank after
    // the title keeps its last word from the next line's first.
    let label = if node.seq > 0 {
        t.graph_label(&node.text, clock(node.at_us), &node.title)
    } else {
        format!("{} {} {}", node.title, word, node.text)
    };
    let label = format!("{title} {second} – {label}");
    if node.seq == 0 {
        return html! { <g {class} transform={place} role="img" aria-label={label.clone()}><title>{ label }</title>{ shape }</g> };
    }
    let (seq, chosen, by_key) = (node.seq, on_choose.clone(), on_choose.clone());
    let on_key = Callback::from(move |event: KeyboardEvent| {
        if matches!(event.key().as_str(), "Enter" | " ") {
            event.prevent_default();
            by_key.emit(seq);
        }
    });
    html! {
        <g {class} transform={place} role="button" tabindex="0" aria-label={label.clone()} data-testid="graph-node"
            onclick={move |_| chosen.emit(seq)} onkeydown={on_key}><title>{ label }</title>{ shape }</g>
    }
}

/// A text of no more letters than these, without its middle: names that were made differ at their ends.
fn short(text: &str, letters: usize) -> String {
    let all = text.chars().count();
    if all <= letters {
        return text.to_owned();
    }
    let head = (letters - 1) * 2 / 3;
    let tail = all - (letters - 1 - head);
    let (mut begin, mut end) = (String::new(), String::new());
    for (place, letter) in text.chars().enumerate() {
        if place < head {
            begin.push(letter);
        } else if place >= tail {
            end.push(letter);
        }
    }
    begin + "…" + &end
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn what_is_too_long_keeps_its_end() {
        assert_eq!(short("create pod/web", 20), "create pod/web");
        assert_eq!(
            short("create pod/poll-9f7979c9d-5wnkm", 19),
            "create pod/p…-5wnkm"
        );
    }
}
