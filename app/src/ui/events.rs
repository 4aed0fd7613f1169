//! The event list, and the causal chain of what was chosen from it.

use std::rc::Rc;

use sim_core::protocol::{EventLine, Why};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::format::{arrows, clock, span};
use crate::text::Text;
use crate::ui::planes;

/// What the panel needs.
#[derive(Properties, PartialEq)]
pub struct EventsProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The latest events, oldest first.
    pub events: Rc<Vec<EventLine>>,
    /// What is explained.
    pub asked: Option<Why>,
    /// Its chain.
    pub why: Rc<Vec<EventLine>>,
}

/// The list, newest first, below the chain.
#[component]
pub fn Events(props: &EventsProps) -> Html {
    let t = props.t;
    html! {
        <section id="panel-why" class="panel events-panel" tabindex="-1" aria-labelledby="events-title">
            { chain(props) }
            <h2 id="events-title">{ t.events() }</h2>
            if props.events.is_empty() { <p class="quiet">{ t.events_empty() }</p> }
            <ol class="event-list" reversed=true style={format!("--rows:{}", props.events.len())} data-testid="events" onkeydown={|event: KeyboardEvent| walk(&event)}>
                { for props.events.iter().rev().enumerate().map(|(place, line)| event(props, line, place)) }
            </ol>
        </section>
    }
}

fn chain(props: &EventsProps) -> Html {
    let t = props.t;
    let Some(asked) = &props.asked else {
        return html! { <div class="why"><h2>{ t.why() }</h2><p class="quiet">{ t.why_hint() }</p></div> };
    };
    let on_close = {
        let control = props.control.clone();
        Callback::from(move |_: MouseEvent| control.explain(None))
    };
    let on_inspect = {
        let (control, asked) = (props.control.clone(), asked.clone());
        Callback::from(move |_: MouseEvent| control.inspect(&asked.orchestrator, &asked.object))
    };
    let on_graph = {
        let (control, asked) = (props.control.clone(), asked.clone());
        Callback::from(move |_: MouseEvent| control.causes(asked.clone()))
    };
    let waits = std::iter::once(0).chain(
        props
            .why
            .windows(2)
            .map(|pair| pair[1].at_us.saturating_sub(pair[0].at_us)),
    );
    html! {
        <div class="why" data-testid="why">
            <header class="why-head">
                <h2>{ t.why() }</h2>
                <code>{ &asked.object }</code>
                <button type="button" class="small" data-testid="cause-graph" onclick={on_graph}>{ t.cause_graph() }</button>
                <button type="button" class="small" data-testid="inspect" onclick={on_inspect}>{ t.inspect() }</button>
                <button type="button" class="small" aria-label={t.close()} onclick={on_close}>{ "×" }</button>
            </header>
            if props.why.is_empty() { <p class="quiet">{ t.why_none() }</p> }
            <ol class="chain">
                { for props.why.iter().zip(waits).enumerate().map(|(place, (line, wait))| html! {
                    <li key={place}>
                        if wait > 0 { <span class="chain-wait">{ t.why_wait(span(wait)) }</span> }
                        { body(line) }
                        if !line.rule.is_empty() { <span class="chain-rule">{ t.why_rule(&line.rule) }</span> }
                    </li>
                }) }
            </ol>
        </div>
    }
}

fn body(line: &EventLine) -> Html {
    html! {
        <span class="event-body" lang="en">
            <time>{ clock(line.at_us) }</time>{ " " }<span class="event-source">{ &line.source }</span>{ " " }<b>{ &line.verb }</b>{ " " }
            <span class="event-subject">{ &line.subject }</span>{ " " }<span class="quiet">{ arrows(&line.detail) }</span>
        </span>
    }
}

/// Up and down walk through the list, which is one stop for Tab.
pub fn walk(event: &KeyboardEvent) {
    let down = match event.key().as_str() {
        "ArrowDown" => true,
        "ArrowUp" => false,
        _ => return,
    };
    if dom::walk(event, "li", down) {
        event.prevent_default();
    }
}

fn event(props: &EventsProps, line: &EventLine, place: usize) -> Html {
    let on_explain = {
        let (control, why) = (
            props.control.clone(),
            Why {
                orchestrator: line.orchestrator.clone(),
                seq: line.seq,
                object: line.subject.clone(),
            },
        );
        Callback::from(move |_: MouseEvent| control.explain(Some(why.clone())))
    };
    let key = format!(
        "{}-{}-{}-{}",
        line.orchestrator, line.seq, line.verb, line.subject
    );
    let mark = match line.orchestrator.as_str() {
        "kubernetes" => "K8S",
        "swarm" => "SWARM",
        _ => "COMPOSE",
    };
    html! {
        <li {key} style={format!("--place:{place}")}>
            <button type="button" class={format!("event event-{}", line.orchestrator)} data-subject={line.subject.clone()} tabindex={if place == 0 { "0" } else { "-1" }} onclick={on_explain}>
                <span class="event-mark" title={planes::name(&line.orchestrator, props.t)}>{ mark }</span>
                { body(line) }
            </button>
        </li>
    }
}
