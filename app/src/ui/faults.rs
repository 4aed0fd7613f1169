//! Break and mend, and what became of each fault on each orchestrator.

use std::rc::Rc;

use sim_core::protocol::{DENSE_MACHINES, FAULTS, FaultMark, Project, Request};
use web_sys::{DragEvent, HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::files;
use crate::format::{clock, span};
use crate::links::cuts;
use crate::model::Action;
use crate::text::Text;
use crate::ui::chooser::Chooser;
use crate::ui::planes;

/// What is dragged: kinds of faults, under a name of their own so that nothing else is taken for one.
const DRAGGED: &str = "application/x-podium-fault";

/// What a dragged fault is besides: one that cuts links, and a link itself, for the time line only.
/// Where it is, only such names can be seen of it until it is dropped.
const CUTS: &str = "application/x-podium-cut";
const LINK: &str = "application/x-podium-link";

fn carries(event: &DragEvent, what: &str) -> bool {
    let dragged = event.data_transfer().map(|data| data.types());
    dragged.is_some_and(|types| types.includes(&what.into(), 0))
}

/// Lets a fault be dropped on a machine.
pub fn accept(event: DragEvent) {
    if carries(&event, DRAGGED) && !carries(&event, LINK) {
        event.prevent_default();
    }
}

/// Lets a fault, or a link that is to be cut, be dropped on the time line.
pub fn accept_in_time(event: DragEvent) {
    if carries(&event, DRAGGED) {
        event.prevent_default();
    }
}

fn accept_on_link(event: DragEvent) {
    if carries(&event, CUTS) {
        event.prevent_default();
    }
}

/// The link that was dropped, if it was one.
#[must_use]
pub fn dropped_link(event: &DragEvent) -> Option<String> {
    let link = event.data_transfer()?.get_data(LINK).ok()?;
    (!link.is_empty()).then_some(link)
}

/// The kind of fault that was dropped, if it was one.
#[must_use]
pub fn dropped(event: &DragEvent) -> Option<String> {
    let kind = event.data_transfer()?.get_data(DRAGGED).ok()?;
    (!kind.is_empty()).then_some(kind)
}

/// What a fault dropped on a machine does to it.
pub fn on_machine(control: &Control, machine: &str) -> Callback<DragEvent> {
    let (control, machine) = (control.clone(), machine.to_owned());
    Callback::from(move |event: DragEvent| {
        if let Some(kind) = dropped(&event) {
            event.prevent_default();
            control.break_machine(&kind, &machine);
        }
    })
}

fn drag(kind: &'static str) -> Callback<DragEvent> {
    Callback::from(move |event: DragEvent| {
        if let Some(data) = event.data_transfer() {
            drop(data.set_data(DRAGGED, kind));
            if kind == "partition" {
                drop(data.set_data(CUTS, kind));
            }
        }
    })
}

/// What the row needs.
#[derive(Properties, PartialEq)]
pub struct FaultsProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// Machines that can be killed.
    pub workers: Rc<Vec<String>>,
    /// The machine aimed at.
    pub target: String,
    /// The other ends of its links; none where they are too many to be listed.
    pub others: Vec<String>,
    /// Faults.
    pub faults: Rc<Vec<FaultMark>>,
    /// The project, with its fault script.
    pub project: Rc<Project>,
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
    // A list of thousands is no choice: the name is typed.
    let on_name = {
        let (control, workers, target) = (
            props.control.clone(),
            props.workers.clone(),
            props.target.clone(),
        );
        Callback::from(move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            let name = input.value().trim().to_owned();
            if workers.contains(&name) {
                control.act(Action::Aim(name));
            } else {
                // What is shown is what a fault would hit.
                input.set_value(&target);
            }
        })
    };
    // Empty: at once.
    let when = use_node_ref();
    let cause = |kind: &'static str| {
        let (control, target, when) = (props.control.clone(), props.target.clone(), when.clone());
        Callback::from(move |_: MouseEvent| control.plan_fault(kind, &target, planned(&when)))
    };
    let button = |kind: &'static str,
                  id: &'static str,
                  class: Option<&'static str>,
                  shown: Html| {
        html! { <button type="button" {class} draggable="true" title={t.fault_drag()} data-testid={format!("fault-{id}")} disabled={props.target.is_empty()}
        ondragstart={drag(kind)} onclick={cause(kind)}>{ shown }</button> }
    };
    let other = |kind: &'static str, shown: &'static str| button(kind, kind, None, shown.into());
    let on_heal = {
        let control = props.control.clone();
        Callback::from(move |_: MouseEvent| control.perform(&Request::Heal(None)))
    };
    let on_script = {
        let control = props.control.clone();
        Callback::from(move |_: MouseEvent| {
            let script = control.model().project.faults.join("\n");
            let end = script.encode_utf16().count();
            dom::panel("edit");
            control.act(Action::Reveal {
                file: FAULTS.to_owned(),
                from: u32::try_from(end).unwrap_or(0),
            });
        })
    };
    let active = props.faults.iter().any(|fault| fault.active);
    // What became of one fault stands together.
    let mut marks: Vec<&FaultMark> = props.faults.iter().collect();
    marks.sort_by_key(|fault| fault.number);
    html! {
        <section class="faults" aria-labelledby="faults-title" data-testid="faults">
            <div class="fault-row">
                <h2 id="faults-title">{ t.faults() }</h2>
                <label class="field"><span>{ t.fault_target() }</span>
                    if props.workers.len() > DENSE_MACHINES {
                        <input type="text" class="fault-target" spellcheck="false" value={props.target.clone()} data-testid="fault-target" onchange={on_name} />
                    } else {
                        <Chooser name="fault-target" value={props.target.clone()} onchange={on_aim}>
                            { for props.workers.iter().map(|name| html! { <option key={name.clone()} value={name.clone()}>{ name }</option> }) }
                        </Chooser>
                    }
                </label>
                <label class="field"><span>{ t.fault_at() }</span>
                    <input type="number" min="0" step="1" class="fault-when" placeholder={t.fault_at_now()} data-testid="fault-at" ref={when.clone()} />
                </label>
                { button("node-crash", "kill", Some("danger"), html! { <>{ "⚡ " }{ t.fault_kill() }</> }) }
                { other("node-reboot", t.fault_reboot()) }
                { other("partition", t.fault_partition()) }
                { other("registry-down", t.fault_registry()) }
                { other("delay", t.fault_delay()) }
                { other("loss", t.fault_loss()) }
                { other("disk-slow", t.fault_disk()) }
                { other("clock-skew", t.fault_clock()) }
                { other("oom", t.fault_oom()) }
                { other("cpu-hog", t.fault_cpu()) }
                <button type="button" data-testid="fault-heal" disabled={!active} onclick={on_heal}>{ t.fault_heal_all() }</button>
                <button type="button" data-testid="fault-script" onclick={on_script}>{ t.fault_script() }</button>
            </div>
            { links(props, &when) }
            if props.faults.is_empty() {
                <p class="quiet">{ t.fault_list_empty() }</p>
            } else {
                <ul class="fault-list" tabindex="0" aria-labelledby="faults-title">{ for marks.iter().enumerate().map(|(place, fault)| outcome(props, fault, place.checked_sub(1).is_none_or(|before| marks[before].number != fault.number))) }</ul>
            }
        </section>
    }
}

/// The time written in the field; none: at once.
fn planned(when: &NodeRef) -> Option<u64> {
    let input = when.cast::<HtmlInputElement>()?;
    let seconds = input.value_as_number();
    // Nothing is written there, or no number.
    (!seconds.is_nan()).then(|| (seconds.max(0.0) * 1_000_000.0) as u64)
}

/// The links of the machine aimed at: a fault is dropped on one, or a press cuts and mends it.
fn links(props: &FaultsProps, when: &NodeRef) -> Html {
    let (t, target) = (props.t, &props.target);
    if props.others.is_empty() || target.is_empty() {
        return Html::default();
    }
    let chip = |other: &String| {
        let link = format!("{target}|{other}");
        let is_cut = cuts(&props.faults, &link).next().is_some();
        let label = if is_cut {
            t.link_mend(target, other)
        } else {
            t.link_cut(target, other)
        };
        let on_press = {
            let (control, link, when) = (props.control.clone(), link.clone(), when.clone());
            Callback::from(move |_: MouseEvent| control.cut(&link, planned(&when)))
        };
        let on_drag = {
            let link = link.clone();
            Callback::from(move |event: DragEvent| {
                if let Some(data) = event.data_transfer() {
                    drop(data.set_data(DRAGGED, "partition"));
                    drop(data.set_data(LINK, &link));
                }
            })
        };
        let on_drop = {
            let (control, link) = (props.control.clone(), link.clone());
            Callback::from(move |event: DragEvent| {
                event.prevent_default();
                if dropped_link(&event).is_none() && dropped(&event).as_deref() == Some("partition")
                {
                    control.plan_fault("partition", &link, None);
                }
            })
        };
        html! {
            <li key={link.clone()}><button type="button" class={classes!("small", "net-link", is_cut.then_some("net-cut"))} draggable="true" data-cut={is_cut.then_some("")} aria-label={label.clone()} title={label}
                data-testid={format!("link-{target}-{other}")} ondragstart={on_drag} ondragover={accept_on_link} ondrop={on_drop} onclick={on_press}>
                { if is_cut { "✂ " } else { "⇄ " } }{ other }</button></li>
        }
    };
    html! {
        <div class="net-links" role="group" aria-labelledby="links-title">
            <span id="links-title" class="quiet">{ t.links_of(target) }</span>
            <ul>{ for props.others.iter().map(chip) }</ul>
        </div>
    }
}

/// What became of a fault in one world; the `first` row of each can take it out of the script.
fn outcome(props: &FaultsProps, fault: &FaultMark, first: bool) -> Html {
    let t = props.t;
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
    let on_remove = {
        let (control, line, text) = (props.control.clone(), fault.line, fault.text.clone());
        Callback::from(move |_: MouseEvent| control.unscript(line, &text))
    };
    html! {
        <li key={format!("{}-{}", fault.orchestrator, fault.number)} class={classes!(fault.active.then_some("fault-active"))}>
            <span class="fault-plane">{ plane }</span>
            <code>{ &fault.text }</code>
            <span class="fault-words">{ words.join(" · ") }</span>
            if first && files::says_fault(&props.project, fault.line, &fault.text) {
                <button type="button" class="small" aria-label={t.fault_remove(&fault.text)} title={t.fault_remove(&fault.text)} data-testid="fault-remove" onclick={on_remove}>{ "×" }</button>
            }
        </li>
    }
}
