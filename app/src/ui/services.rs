//! What runs, in each orchestrator's own terms: Deployments with their ReplicaSets and pods; services
//! with slots and tasks; Compose's services with what each waits for.

use std::collections::BTreeMap;
use std::rc::Rc;

use sim_core::protocol::views::Graph;
use sim_core::protocol::{Answer, Query, Unit, WorldFrame};
use yew::prelude::*;

use crate::control::Control;
use crate::text::Text;
use crate::ui::graph::graph;
use crate::ui::machine::unit;
use crate::ui::planes::name;

/// What the view needs.
#[derive(Properties, PartialEq)]
pub struct ServicesProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The worlds.
    pub worlds: Vec<Rc<WorldFrame>>,
}

/// A replica and its machine; empty: none yet.
type Placed = (Unit, String);

/// The view.
#[component]
pub fn Services(props: &ServicesProps) -> Html {
    html! {
        <div class="planes" data-testid="services">
            { for props.worlds.iter().map(|world| html! {
                <section key={world.orchestrator.clone()} class={format!("plane plane-{}", world.orchestrator)} aria-label={name(&world.orchestrator, props.t)} data-testid={format!("services-{}", world.orchestrator)}>
                    <h2>{ name(&world.orchestrator, props.t) }</h2>
                    { match world.orchestrator.as_str() {
                        "compose" => html! { <Dependencies t={props.t} control={props.control.clone()} world={world.clone()} /> },
                        _ => tree(props, world),
                    } }
                </section>
            }) }
        </div>
    }
}

fn placed(world: &WorldFrame) -> Vec<Placed> {
    let on = world.machines.iter().flat_map(|machine| {
        machine
            .units
            .iter()
            .map(|unit| (unit.clone(), machine.name.clone()))
    });
    let off = world
        .unplaced
        .iter()
        .map(|unit| (unit.clone(), String::new()));
    on.chain(off).collect()
}

/// Under which heading a replica stands within its workload: a pod's ReplicaSet, a task's slot.
fn heading(orchestrator: &str, unit: &Unit, machine: &str, t: Text) -> String {
    if orchestrator == "swarm" {
        let slot = unit.name.rsplit_once('.').map(|(_, slot)| slot);
        return match slot.and_then(|slot| slot.parse::<u32>().ok()) {
            Some(number) => t.slot(number),
            None => t.slot_global(machine),
        };
    }
    match unit.name.rsplit_once('-') {
        Some((set, _)) if set.len() > unit.workload.len() => format!("replicaset/{set}"),
        Some(_) | None => String::new(),
    }
}

fn tree(props: &ServicesProps, world: &Rc<WorldFrame>) -> Html {
    let t = props.t;
    let mut workloads: BTreeMap<String, BTreeMap<String, Vec<Placed>>> = BTreeMap::new();
    for service in &world.services {
        workloads.entry(service.name.clone()).or_default();
    }
    for (unit, machine) in placed(world) {
        let heading = heading(&world.orchestrator, &unit, &machine, t);
        let workload = workloads.entry(unit.workload.clone()).or_default();
        workload.entry(heading).or_default().push((unit, machine));
    }
    if workloads.is_empty() {
        return html! { <p class="quiet">{ t.services_none() }</p> };
    }
    html! {
        <ul class="tree">
            { for workloads.iter().map(|(workload, parts)| {
                let figures = world.services.iter().find(|service| service.name == *workload);
                html! {
                    <li key={workload.clone()} data-workload={workload.clone()}>
                        <h3>{ workload }{ " " }if let Some(service) = figures { <span class="quiet">{ match service.desired {
                            Some(desired) => t.ready_of(desired, service.ready),
                            None => t.service_serving(&service.name, service.serving),
                        } }</span> }</h3>
                        <ul>
                            { for parts.iter().map(|(heading, units)| html! {
                                <li key={heading.clone()} class="tree-part" data-testid="tree-part">
                                    if !heading.is_empty() { <span class="tree-name">{ heading }</span> }
                                    <div class="tree-units">{ for units.iter().enumerate().map(|(place, (one, machine))| html! {
                                        <span key={place} class="tree-unit">
                                            { unit(t, &props.control, &world.orchestrator, one, one.name.clone(), false) }
                                            <span class="quiet">{ if machine.is_empty() { t.nowhere().to_owned() } else { t.on_machine(machine) } }</span>
                                        </span>
                                    }) }</div>
                                </li>
                            }) }
                        </ul>
                    </li>
                }
            }) }
        </ul>
    }
}

#[derive(Properties, PartialEq)]
struct DependenciesProps {
    t: Text,
    control: Control,
    world: Rc<WorldFrame>,
}

#[component]
fn Dependencies(props: &DependenciesProps) -> Html {
    let drawn = use_state_eq(Graph::default);
    {
        let (control, drawn) = (props.control.clone(), drawn.clone());
        use_effect_with(props.world.clone(), move |_| {
            control.ask(Query::Dependencies, move |answer| {
                if let Answer::Graph(graph) = answer {
                    drawn.set(graph);
                }
            });
        });
    }
    if drawn.nodes.is_empty() {
        return html! { <p class="quiet">{ props.t.services_none() }</p> };
    }
    graph(props.t, &drawn, props.t.dependencies(), &Callback::noop())
}
