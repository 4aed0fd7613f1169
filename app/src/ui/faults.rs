//! Break and mend, and what became of each fault on each orchestrator.

use std::rc::Rc;

use sim_core::protocol::{FaultMark, Request};
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use crate::control::Control;
use crate::format::{clock, span};
use crate::model::Action;
use crate::text::Text;
use crate::ui::planes;

/// What the row needs.
#[derive(Properties, PartialEq)]
pub struct FaultsProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// Machines that can be killed.
    pub workers: Vec<String>,
    /// The machine aimed at.
    pub target: String,
    /// Faults.
    pub faults: Rc<Vec<FaultMark>>,
}

/// The row.
#[component]
pub fn Faults(props: &FaultsProps) -> Html {
    let t = props.t;
    let on_aim = {
        let control = props.control.clone();
        Callback::from(move |event: Event| {
            let chooser: HtmlSelectElement = event.target_unchecked_into();
            control.act(Action::Aim(chooser.value()));
        })
    };
    let on_kill = {
        let (control, target) = (props.control.clone(), props.target.clone());
        Callback::from(move |_: MouseEvent| control.kill_machine(&target))
    };
    let other = |kind: &'static str, shown: &'static str| {
        let (control, target) = (props.control.clone(), props.target.clone());
        html! { <button type="button" data-testid={format!("fault-{kind}")} disabled={target.is_empty()}
        onclick={move |_| control.break_machine(kind, &target)}>{ shown }</button> }
    };
    let on_heal = {
        let control = props.control.clone();
        Callback::from(move |_: MouseEvent| control.perform(&Request::Heal(None)))
    };
    let active = props.faults.iter().any(|fault| fault.active);
    html! {
        <section class="faults" aria-labelledby="faults-title" data-testid="faults">
            <div class="fault-row">
                <h2 id="faults-title">{ t.faults() }</h2>
                <label class="field"><span>{ t.fault_target() }</span>
                    <select data-testid="fault-target" onchange={on_aim}>
                        { for props.workers.iter().map(|name| html! { <option key={name.clone()} value={name.clone()} selected={*name == props.target}>{ name }</option> }) }
                    </select>
                </label>
                <button type="button" class="danger" data-testid="fault-kill" disabled={props.target.is_empty()} onclick={on_kill}>{ "⚡ " }{ t.fault_kill() }</button>
                { other("node-reboot", t.fault_reboot()) }
                { other("partition", t.fault_partition()) }
                { other("registry-down", t.fault_registry()) }
                <button type="button" data-testid="fault-heal" disabled={!active} onclick={on_heal}>{ t.fault_heal_all() }</button>
            </div>
            if props.faults.is_empty() {
                <p class="quiet">{ t.fault_list_empty() }</p>
            } else {
                <ul class="fault-list">{ for props.faults.iter().map(|fault| outcome(t, fault)) }</ul>
            }
        </section>
    }
}

fn outcome(t: Text, fault: &FaultMark) -> Html {
    let plane = planes::name(&fault.orchestrator, t);
    let since = |at: u64| span(at.saturating_sub(fault.begun_us));
    let mut words = Vec::new();
    if fault.begun_us == u64::MAX {
        words.push(t.fault_scheduled(clock(fault.at_us)));
    } else if !fault.applicable {
        words.push(t.fault_not_applicable().to_owned());
    } else {
        words.push(clock(fault.begun_us));
        words.push(if fault.detected_us == u64::MAX {
            t.fault_not_detected().to_owned()
        } else {
            t.fault_detected(since(fault.detected_us))
        });
        words.push(if fault.recovered_us == u64::MAX {
            t.fault_not_recovered().to_owned()
        } else {
            t.fault_recovered(since(fault.recovered_us))
        });
    }
    html! {
        <li key={format!("{}-{}", fault.orchestrator, fault.number)} class={classes!(fault.active.then_some("fault-active"))}>
            <span class="fault-plane">{ plane }</span>
            <code>{ &fault.text }</code>
            <span class="fault-words">{ words.join(" · ") }</span>
        </li>
    }
}
