//! What screen readers are told: at most one sentence in two seconds.

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use sim_core::protocol::{StateGroup, WorldFrame};
use yew::prelude::*;

use crate::dom;
use crate::text::Text;
use crate::ui::detail::counts;
use crate::ui::planes;

/// Time between two sentences, in milliseconds of real time.
const PAUSE_MS: f64 = 2_000.0;

/// Machines that are named in one sentence; of more their number is said.
const NAMED: usize = 3;

/// What the region watches.
#[derive(Properties, PartialEq)]
pub struct LiveProps {
    /// Words.
    pub t: Text,
    /// The worlds.
    pub worlds: Vec<Rc<WorldFrame>>,
    /// Whether it is to say nothing.
    pub silent: bool,
}

/// A world's replicas that are ready, are wanted, and have failed.
type Standing = (String, u32, u32, u32);

/// What was said last, and of what state.
#[derive(Default)]
struct Said {
    at: Option<f64>,
    lost: Vec<String>,
    ready: Vec<Standing>,
    text: String,
}

/// The region.
#[component]
pub fn Live(props: &LiveProps) -> Html {
    let said = use_mut_ref(Said::default);
    let update = use_force_update();
    let now = dom::real_ms();
    let (lost, ready) = (lost(&props.worlds), ready(&props.worlds));
    let mut said = said.borrow_mut();
    let wait = said.at.map_or(0.0, |at| PAUSE_MS - (now - at));
    let mut later = None;
    if wait <= 0.0 {
        if let Some(text) = sentence(props.t, &said, &lost, &ready) {
            said.text = text;
            said.at = Some(now);
        }
        said.lost = lost;
        said.ready = ready;
    } else if lost != said.lost || ready != said.ready {
        // What happens within the pause is said at its end, even if no frame comes by then.
        later = Some(wait.ceil());
    }
    use_effect(move || {
        let timeout =
            later.map(|wait| Timeout::new(wait as u32 + 1, move || update.force_update()));
        move || drop(timeout)
    });
    html! { <p class="sr-only" role="status" aria-live="polite" data-testid="live">{ if props.silent { String::new() } else { said.text.clone() } }</p> }
}

fn lost(worlds: &[Rc<WorldFrame>]) -> Vec<String> {
    let machines = worlds.iter().flat_map(|world| &world.machines);
    let lost = machines.filter(|machine| !machine.powered);
    let mut names: Vec<String> = lost.map(|machine| machine.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// The names of a sorted list that another sorted list has not.
fn missing<'a>(names: &'a [String], others: &[String]) -> Vec<&'a String> {
    let absent = |name: &&String| others.binary_search(name).is_err();
    names.iter().filter(absent).collect()
}

fn ready(worlds: &[Rc<WorldFrame>]) -> Vec<Standing> {
    let sum = |values: &mut dyn Iterator<Item = u32>| values.sum::<u32>();
    let of = |world: &Rc<WorldFrame>| {
        let ready = sum(&mut world.services.iter().map(|service| service.ready));
        let desired = sum(&mut world.services.iter().filter_map(|service| service.desired));
        let failed = counts(world)[StateGroup::Failed as usize];
        (world.orchestrator.clone(), ready, desired, failed)
    };
    worlds.iter().map(of).collect()
}

fn sentence(t: Text, said: &Said, lost: &[String], ready: &[Standing]) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let told =
        |names: Vec<&String>, one: &dyn Fn(&str) -> String, many: &dyn Fn(usize) -> String| {
            if names.len() > NAMED {
                vec![many(names.len())]
            } else {
                names.into_iter().map(|name| one(name)).collect()
            }
        };
    parts.extend(told(
        missing(lost, &said.lost),
        &|name| t.machine_lost_said(name),
        &|count| t.machines_lost_said(count as u64),
    ));
    parts.extend(told(
        missing(&said.lost, lost),
        &|name| t.machine_back_said(name),
        &|count| t.machines_back_said(count as u64),
    ));
    if !said.ready.is_empty() {
        let changed = ready.iter().filter(|state| !said.ready.contains(state));
        parts.extend(changed.map(|(orchestrator, ready, desired, failed)| {
            let plane = planes::name(orchestrator, t);
            match failed {
                0 => t.ready_said(desired, plane, ready),
                failed => t.ready_failed_said(desired, failed, plane, ready),
            }
        }));
    }
    (!parts.is_empty()).then(|| parts.join(t.between_sentences()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_one_sentence_for_each_world() {
        let standing = |ready, failed| ("kubernetes".to_owned(), ready, 3, failed);
        let said = Said {
            ready: vec![standing(3, 0)],
            ..Said::default()
        };
        let told = |lost: &[String], ready| sentence(Text::default(), &said, lost, &[ready]);
        assert_eq!(told(&[], standing(3, 0)), None);
        let failed = told(&[], standing(2, 1)).expect("it failed");
        assert_eq!(failed, "Kubernetes: 2 of 3 ready, 1 failed.");
        let lost = told(&["worker-1".to_owned()], standing(2, 0)).expect("it is lost");
        assert_eq!(lost, "worker-1 is lost. Kubernetes: 2 of 3 ready.");
    }
}
