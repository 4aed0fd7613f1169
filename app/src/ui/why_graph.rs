//! The causes of what is explained, as a graph: the way that led there and what else came of each event.

use std::rc::Rc;

use sim_core::protocol::Why;
use sim_core::protocol::views::Graph;
use yew::prelude::*;

use crate::control::Control;
use crate::text::Text;
use crate::ui::graph::graph;

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct WhyGraphProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// What is explained, and its graph.
    pub causes: Rc<(Option<Why>, Graph)>,
}

/// The dialog.
#[component]
pub fn WhyGraph(props: &WhyGraphProps) -> Html {
    let t = props.t;
    let (asked, drawn) = &*props.causes;
    let orchestrator = asked
        .as_ref()
        .map(|asked| asked.orchestrator.clone())
        .unwrap_or_default();
    let on_choose = {
        let control = props.control.clone();
        Callback::from(move |seq: u64| {
            let why = Why {
                orchestrator: orchestrator.clone(),
                seq,
                object: String::new(),
            };
            control.explain(Some(why.clone()));
            control.causes(why);
        })
    };
    html! {
        <dialog id="causes" class="wide" aria-labelledby="causes-title" data-testid="causes">
            <form method="dialog" class="dialog">
                <h2 id="causes-title">{ t.cause_graph() }</h2>
                <p class="quiet">{ t.cause_graph_hint() }</p>
                if drawn.nodes.is_empty() {
                    <p class="quiet">{ t.why_none() }</p>
                } else {
                    { graph(t, drawn, t.cause_graph(), &on_choose) }
                }
                <div class="dialog-buttons"><button type="submit" class="primary">{ t.close() }</button></div>
            </form>
        </dialog>
    }
}
