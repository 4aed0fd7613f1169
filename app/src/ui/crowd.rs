//! A world of many replicas, as a map or in signs, with one machine opened: what runs on it, by name.
//!
//! At both levels there is a way for the keyboard and for screen readers: a sentence with all counts,
//! a field that takes a machine's name, and the list of machines that are lost.

use std::rc::Rc;

use sim_core::protocol::{Answer, MachineFrame, Query, StateGroup, WorldFrame};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::text::Text;
use crate::ui::dense::Dense;
use crate::ui::detail::{Detail, counts};
use crate::ui::machine::{Machine, is_lost, keyed, unit};
use crate::ui::pages::PAGE;
use crate::ui::planes::name;
use crate::ui::signs::Signs;
use crate::ui::state;

/// Lost machines that are listed.
const LISTED: usize = 24;

/// Replicas without a machine that are listed.
const WAITING_LISTED: usize = 24;

/// What the crowd needs.
#[derive(Properties, PartialEq)]
pub struct CrowdProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The world.
    pub world: Rc<WorldFrame>,
    /// Whether the page is dark.
    pub dark: bool,
    /// Map or signs.
    pub detail: Detail,
    /// The machine that faults are aimed at.
    pub target: String,
    /// Machines that a fault keeps down.
    pub healable: Rc<Vec<String>>,
}

/// What is known of the machine that is opened.
#[derive(PartialEq)]
enum Told {
    /// Nothing yet, or none is.
    Nothing,
    /// There is none of this name.
    Gone,
    /// All.
    Machine(MachineFrame),
}

/// The world.
#[component]
pub fn Crowd(props: &CrowdProps) -> Html {
    let (t, world) = (props.t, &props.world);
    let orchestrator = world.orchestrator.as_str();
    // The machine that is opened, and what is known of it.
    let opened = use_state_eq(String::new);
    let told = use_state_eq(|| Told::Nothing);
    let start = use_state_eq(|| 0_usize);
    let arriving = use_mut_ref(|| false);
    // The machine that is opened now, the last question's number, and the last answer's.
    let asked = use_mut_ref(|| (String::new(), 0_u32, 0_u32));
    {
        // A world too large to be named tells of one machine when asked, anew with each frame.
        let (control, told) = (props.control.clone(), told.clone());
        use_effect_with(
            ((*opened).clone(), world.clone()),
            move |(opened, world)| {
                let number = {
                    let (name, number, _) = &mut *asked.borrow_mut();
                    name.clone_from(opened);
                    *number += 1;
                    *number
                };
                let known = |name: &String| {
                    let machine = world
                        .machines
                        .iter()
                        .find(|machine| machine.name == *name)?;
                    (!world.dense).then(|| machine.clone())
                };
                match known(opened) {
                    _ if opened.is_empty() => told.set(Told::Nothing),
                    Some(machine) => told.set(Told::Machine(machine)),
                    None if !world.dense => told.set(Told::Gone),
                    None => {
                        let query = Query::Machine {
                            orchestrator: world.orchestrator.clone(),
                            machine: opened.clone(),
                        };
                        let name = opened.clone();
                        control.ask(query, move |answer| {
                            // Of another machine, or older than what is shown: old news.
                            let (current, _, answered) = &mut *asked.borrow_mut();
                            if *current != name || *answered > number {
                                return;
                            }
                            *answered = number;
                            told.set(match answer {
                                Answer::Machine(machine) => Told::Machine(*machine),
                                _ => Told::Gone,
                            });
                        });
                    }
                }
            },
        );
    }
    {
        // Who opens a machine goes there.
        let (arriving, place) = (arriving.clone(), format!("#opened-{orchestrator}"));
        let there = matches!(&*told, Told::Machine(_));
        use_effect_with(there, move |there| {
            if *there && arriving.replace(false) {
                dom::focus_first(&format!("{place} [role=gridcell]"));
            }
        });
    }
    let choose = {
        let (opened, start, told, world) =
            (opened.clone(), start.clone(), told.clone(), world.clone());
        Callback::from(move |name: String| {
            if name.is_empty() {
                opened.set(name);
                return;
            }
            let mut machines = world.machines.iter();
            if let Some(place) = machines.position(|machine| machine.name == name) {
                start.set(place / PAGE * PAGE);
            }
            if *opened == name {
                dom::focus_first(&format!("#opened-{} [role=gridcell]", world.orchestrator));
            } else {
                *arriving.borrow_mut() = true;
                told.set(Told::Nothing);
                opened.set(name);
            }
        })
    };
    let close = {
        let (opened, orchestrator) = (opened.clone(), world.orchestrator.clone());
        move || {
            // Back to where the machine is among the others, or to the field.
            let place = format!("[data-testid=\"sign-{orchestrator}-{}\"]", *opened);
            if !dom::focus_first(&place) {
                dom::focus(&format!("find-{orchestrator}"));
            }
            opened.set(String::new());
        }
    };
    let on_key = {
        let (close, is_open) = (close.clone(), !opened.is_empty());
        Callback::from(move |event: KeyboardEvent| {
            if is_open && event.key() == "Escape" {
                close();
            }
        })
    };
    let on_name = {
        let choose = choose.clone();
        Callback::from(move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            choose.emit(input.value().trim().to_owned());
        })
    };
    let lost: Vec<&MachineFrame> = world
        .machines
        .iter()
        .filter(|machine| is_lost(machine))
        .collect();
    let counts = counts(world);
    let summary = t.dense_summary(
        lost.len(),
        world.machines.len(),
        name(orchestrator, t),
        state::counted(&counts, t),
    );
    // It stands before it says something, so that it is read out.
    let gone = match &*told {
        Told::Gone => t.dense_gone(&*opened),
        Told::Nothing | Told::Machine(_) => String::new(),
    };
    html! {
        <div class="dense-place" data-testid={format!("dense-{orchestrator}")} data-detail={props.detail.word()} onkeydown={on_key}>
            <p data-testid="dense-summary">{ &summary }</p>
            if props.detail == Detail::Map {
                <Dense world={world.clone()} dark={props.dark} label={summary.clone()} on_choose={choose.clone()} />
                <p class="quiet">{ t.dense_hint() }</p>
            } else {
                <Signs {t} control={props.control.clone()} world={world.clone()} start={*start} target={props.target.clone()}
                    on_start={let start = start.clone(); move |to| start.set(to)} on_choose={choose.clone()} />
            }
            <label class="field"><span>{ t.dense_machine() }</span><input type="text" id={format!("find-{orchestrator}")} spellcheck="false" data-testid="dense-machine" onchange={on_name} /></label>
            <p role="status" data-testid={format!("gone-{orchestrator}")}>{ gone }</p>
            if let Told::Machine(machine) = &*told {
                <div id={format!("opened-{orchestrator}")} class="opened" data-testid={format!("opened-{orchestrator}")}>
                    <div role="grid" aria-label={machine.name.clone()} aria-describedby="grid-help">
                        <Machine {t} control={props.control.clone()} machine={machine.clone()} first=true orchestrator={world.orchestrator.clone()} chosen=true healable={props.healable.contains(&machine.name)} />
                    </div>
                    <button type="button" class="small" data-testid={format!("close-{orchestrator}")} onclick={move |_| close()}>{ t.close() }</button>
                </div>
            }
            if counts[StateGroup::Pending as usize] > 0 && !world.unplaced.is_empty() {
                <h3>{ t.unplaced() }</h3>
                <div class="units">{ for keyed(&world.unplaced[..world.unplaced.len().min(WAITING_LISTED)]).map(|(key, row)| unit(t, &props.control, orchestrator, row, key, false)) }</div>
            }
            if !lost.is_empty() {
                <h3>{ t.dense_lost() }</h3>
                <ul class="tree-units">{ for lost.iter().take(LISTED).map(|machine| {
                    let (choose, name) = (choose.clone(), machine.name.clone());
                    html! { <li key={machine.name.clone()}><button type="button" class="small" onclick={move |_| choose.emit(name.clone())}>{ "✕ " }{ &machine.name }</button></li> }
                }) }</ul>
            }
        </div>
    }
}
