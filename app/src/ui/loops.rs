//! The control loops: what each wants, what it saw, what it did. Seen and done are read from the trace.

use std::cell::Cell;
use std::rc::Rc;

use sim_core::protocol::views::Loop;
use sim_core::protocol::{Answer, EventLine, Query, Why};
use yew::prelude::*;

use crate::control::Control;
use crate::filter;
use crate::format::{arrows, clock};
use crate::text::Text;
use crate::ui::planes::name;

/// What the view needs.
#[derive(Properties, PartialEq)]
pub struct LoopsProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// Number of the frame shown.
    pub frame: u32,
    /// Words of which all must be in what is shown.
    pub filter: AttrValue,
}

/// What a loop wants.
fn wants(source: &str, t: Text) -> &'static str {
    match source {
        "kube.apiserver" => t.loop_apiserver(),
        "kube.deployment" => t.loop_deployment(),
        "kube.replicaset" | "kube.replicationcontroller" => t.loop_replicaset(),
        "kube.statefulset" => t.loop_statefulset(),
        "kube.daemonset" => t.loop_daemonset(),
        "kube.job" => t.loop_job(),
        "kube.cronjob" => t.loop_cronjob(),
        "kube.scheduler" => t.loop_scheduler(),
        "kube.kubelet" => t.loop_kubelet(),
        "kube.endpointslice" => t.loop_endpointslice(),
        "kube.proxy" => t.loop_proxy(),
        "kube.node-lifecycle" => t.loop_node_lifecycle(),
        "kube.taint-eviction" => t.loop_taint_eviction(),
        "swarm.control-api" => t.loop_control_api(),
        "swarm.orchestrator" => t.loop_orchestrator(),
        "swarm.scheduler" => t.loop_swarm_scheduler(),
        "swarm.dispatcher" => t.loop_dispatcher(),
        "swarm.agent" => t.loop_agent(),
        "swarm.restart" => t.loop_restart(),
        "swarm.updater" => t.loop_updater(),
        "compose.client" => t.loop_client(),
        "compose.engine" => t.loop_engine(),
        _ => t.loop_other(),
    }
}

/// The view.
#[component]
pub fn Loops(props: &LoopsProps) -> Html {
    let t = props.t;
    let loops = use_state_eq(|| Rc::new(Vec::<Loop>::new()));
    // One question at a time: frames may come faster than answers.
    let asking = use_memo((), |()| Cell::new(false));
    {
        let (control, loops) = (props.control.clone(), loops.clone());
        use_effect_with(props.frame, move |_| {
            if !asking.replace(true) {
                control.ask(Query::Loops, move |answer| {
                    asking.set(false);
                    if let Answer::Loops(found) = answer {
                        loops.set(Rc::new(found));
                    }
                });
            }
        });
    }
    let mut worlds: Vec<&str> = Vec::new();
    for found in loops.iter() {
        if !worlds.contains(&found.orchestrator.as_str()) {
            worlds.push(&found.orchestrator);
        }
    }
    html! {
        <div data-testid="loops">
            <p class="quiet loops-hint">{ t.loops_hint() }</p>
            <div class="planes">
                { for worlds.iter().map(|world| html! {
                    <section key={(*world).to_owned()} class={format!("plane plane-{world}")} aria-label={name(world, t)} data-testid={format!("loops-{world}")}>
                        <h2>{ name(world, t) }</h2>
                        { for loops.iter().filter(|found| found.orchestrator == **world && fits(props, found)).map(|found| card(props, found)) }
                    </section>
                }) }
            </div>
        </div>
    }
}

fn fits(props: &LoopsProps, found: &Loop) -> bool {
    let lines = found.saw.iter().chain(&found.did);
    let subjects = lines.map(|line| line.subject.as_str());
    filter::fits(
        &props.filter,
        std::iter::once(found.source.as_str()).chain(subjects),
    )
}

fn card(props: &LoopsProps, found: &Loop) -> Html {
    let t = props.t;
    html! {
        <article class="loop" key={found.source.clone()} data-testid="loop">
            <h3><code>{ &found.source }</code>{ " " }<span class="quiet">{ t.loop_count(found.count) }</span></h3>
            <dl>
                <div><dt>{ t.loop_wants() }</dt><dd>{ wants(&found.source, t) }</dd></div>
                <div><dt>{ t.loop_saw() }</dt><dd>{ match &found.saw {
                    Some(line) => said(props, line),
                    None => html! { <span class="quiet">{ t.loop_saw_nothing() }</span> },
                } }</dd></div>
                <div><dt>{ t.loop_did() }</dt><dd>{ for found.did.iter().map(|line| said(props, line)) }</dd></div>
            </dl>
        </article>
    }
}

fn said(props: &LoopsProps, line: &EventLine) -> Html {
    let why = Why {
        orchestrator: line.orchestrator.clone(),
        seq: line.seq,
        object: line.subject.clone(),
    };
    let control = props.control.clone();
    html! {
        <button type="button" class="loop-line" lang="en" data-subject={line.subject.clone()} onclick={move |_| control.explain(Some(why.clone()))}>
            <time>{ clock(line.at_us) }</time>{ " " }<b>{ &line.verb }</b>{ " " }{ &line.subject }{ " " }<span class="quiet">{ arrows(&line.detail) }</span>
            if !line.rule.is_empty() { <span class="chain-rule">{ &line.rule }</span> }
        </button>
    }
}
