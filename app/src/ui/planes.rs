//! The orchestrators side by side, each in its own terms.

use std::rc::Rc;

use sim_core::protocol::{ServiceFrame, Why, WorldFrame};
use web_sys::KeyboardEvent;
use yew::prelude::*;

use crate::control::Control;
use crate::format::{arrows, percent};
use crate::text::Text;
use crate::ui::crowd::Crowd;
use crate::ui::detail::Detail;
use crate::ui::events;
use crate::ui::machine::{Machine, keyed, unit};
use crate::ui::state::{self, GROUPS};

/// What the board needs.
#[derive(Properties, PartialEq)]
pub struct PlanesProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The worlds.
    pub worlds: Vec<Rc<WorldFrame>>,
    /// The machine that faults are aimed at.
    pub target: String,
    /// Machines that a fault keeps down.
    pub healable: Rc<Vec<String>>,
    /// Whether the page is dark.
    pub dark: bool,
    /// How closely the machines of each world are shown.
    pub levels: Vec<Detail>,
}

/// The name of an orchestrator.
#[must_use]
pub fn name(orchestrator: &str, t: Text) -> &'static str {
    match orchestrator {
        "kubernetes" => t.plane_kubernetes(),
        "swarm" => t.plane_swarm(),
        _ => t.plane_compose(),
    }
}

/// The board.
#[component]
pub fn Planes(props: &PlanesProps) -> Html {
    let t = props.t;
    html! {
        <>
            <p id="grid-help" class="sr-only">{ t.grid_help() }</p>
            <p id="signs-help" class="sr-only">{ t.signs_help() }</p>
            <div class="planes" data-testid="planes">
                { for props.worlds.iter().zip(&props.levels).map(|(world, detail)| html! {
                    <Plane key={world.orchestrator.clone()} {t} control={props.control.clone()} world={world.clone()}
                        target={props.target.clone()} healable={props.healable.clone()} dark={props.dark} detail={*detail} />
                }) }
            </div>
            <ul class="legend" aria-label={t.legend()}>
                { for GROUPS.iter().map(|group| html! {
                    <li><span class={classes!("glyph", state::class(*group))} aria-hidden="true">{ state::glyph(*group) }</span>{ state::word(*group, t) }</li>
                }) }
            </ul>
        </>
    }
}

/// Explains a service's figures: what led to the last change of who answers for it.
fn why(control: &Control, orchestrator: &str, service: &str) -> Callback<MouseEvent> {
    let (control, why) = (
        control.clone(),
        Why {
            orchestrator: orchestrator.to_owned(),
            seq: 0,
            object: format!("service/{service}"),
        },
    );
    Callback::from(move |_: MouseEvent| control.explain(Some(why.clone())))
}

/// Replicas ready and wanted; of a service of other workloads' replicas those that serve.
#[must_use]
pub fn numbers(service: &ServiceFrame) -> String {
    match service.desired {
        Some(desired) => format!("{}/{desired}", service.ready),
        None => service.serving.to_string(),
    }
}

#[derive(Properties, PartialEq)]
struct PlaneProps {
    t: Text,
    control: Control,
    world: Rc<WorldFrame>,
    target: String,
    healable: Rc<Vec<String>>,
    dark: bool,
    detail: Detail,
}

#[component]
fn Plane(props: &PlaneProps) -> Html {
    let (t, world) = (props.t, &props.world);
    let orchestrator = world.orchestrator.as_str();
    let kind = match orchestrator {
        "kubernetes" => t.plane_kubernetes_kind(),
        "swarm" => t.plane_swarm_kind(),
        _ => t.plane_compose_kind(),
    };
    let ready: u32 = world.services.iter().map(|service| service.ready).sum();
    let desired: u32 = world
        .services
        .iter()
        .filter_map(|service| service.desired)
        .sum();
    let steps: Vec<String> = world.steps.iter().map(|step| t.said(step)).collect();
    let steps = arrows(&steps.join(t.mechanism_then()));
    let title = format!("plane-{orchestrator}-title");
    html! {
        <section class={format!("plane plane-{orchestrator}")} aria-labelledby={title.clone()} data-testid={format!("plane-{orchestrator}")}>
            <header class="plane-head">
                <h2 id={title}>{ name(orchestrator, t) }</h2>
                <span class="plane-kind">{ kind }</span>
                <span class="plane-ready" data-testid={format!("ready-{orchestrator}")}>{ t.ready_of(desired, ready) }</span>
                <span class={if world.converged { "plane-state" } else { "plane-state plane-busy" }}>
                    { if world.converged { "● " } else { "◔ " } }{ if world.converged { t.converged() } else { t.working() } }
                </span>
            </header>
            // What came of it stands before how it came about, which is long.
            <p class="mechanism" lang={t.said_lang(&world.mechanism)} data-testid={format!("mechanism-{orchestrator}")}>
                { t.said(&world.mechanism) }
                if !steps.is_empty() { { t.mechanism_by() }<span class="mechanism-steps">{ steps }</span> }
            </p>
            if props.detail != Detail::Names {
                <Crowd {t} control={props.control.clone()} world={world.clone()} dark={props.dark} detail={props.detail} target={props.target.clone()} healable={props.healable.clone()} />
            } else {
            <div class="machines" role="grid" aria-label={name(orchestrator, t)} aria-describedby="grid-help">
                { for world.machines.iter().enumerate().map(|(place, machine)| html! {
                    <Machine key={machine.name.clone()} {t} control={props.control.clone()} machine={machine.clone()} first={place == 0}
                        orchestrator={world.orchestrator.clone()} chosen={machine.name == props.target}
                        healable={props.healable.contains(&machine.name)} />
                }) }
                if !world.unplaced.is_empty() {
                    <div class="machine unplaced" role="row">
                        <div class="machine-head" role="rowheader">{ t.unplaced() }</div>
                        <div class="units" role="presentation">{ for keyed(&world.unplaced).map(|(key, row)| unit(t, &props.control, orchestrator, row, key, true)) }</div>
                    </div>
                }
            </div>
            }
            <ul class="services" onkeydown={|event: KeyboardEvent| events::walk(&event)}>
                { for world.services.iter().enumerate().map(|(place, service)| html! {
                    <li key={service.name.clone()} data-workload={service.name.clone()} class={classes!((service.answered_ppm != u32::MAX).then_some("asked"))}>
                        <button type="button" class="link service-name" tabindex={if place == 0 { "0" } else { "-1" }} title={t.service_why(&service.name)} data-testid="service-why" onclick={why(&props.control, orchestrator, &service.name)}>{ &service.name }</button>
                        <span class="service-numbers" title={match service.desired {
                            Some(desired) => t.service_summary(desired, &service.name, service.ready, service.serving),
                            None => t.service_serving(&service.name, service.serving),
                        }}>{ numbers(service) }</span>
                        <span class="service-share">
                            if service.answered_ppm == u32::MAX {
                                <span class="quiet">{ t.nobody_asks() }</span>
                            } else {
                                { t.serving_now(percent(service.answered_ppm)) }
                                if service.availability_ppm != u32::MAX {
                                    <span class="quiet"><span class="dot">{ " · " }</span>{ t.availability(percent(service.availability_ppm)) }</span>
                                }
                            }
                        </span>
                    </li>
                }) }
            </ul>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_other_workloads_has_the_number_that_serves() {
        let mut service = ServiceFrame {
            ready: 2,
            desired: Some(3),
            serving: 1,
            ..ServiceFrame::default()
        };
        assert_eq!(numbers(&service), "2/3");
        service.desired = Some(0);
        service.ready = 0;
        assert_eq!(numbers(&service), "0/0");
        service.desired = None;
        assert_eq!(numbers(&service), "1");
    }
}
