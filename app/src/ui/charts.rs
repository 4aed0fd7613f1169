//! Desired and ready replicas and the answered share of requests, one strip for each orchestrator,
//! on one time axis. Lines differ by dash and label, not by colour alone.

use std::fmt::Write as _;
use std::rc::Rc;

use sim_core::protocol::views::Outcome;
use sim_core::protocol::{FaultMark, SeriesFrame, WorldFrame};
use web_sys::{Element, HtmlSelectElement};
use yew::prelude::*;

use crate::control::Control;
use crate::format::{clock, percent};
use crate::model::Action;
use crate::text::Text;
use crate::ui::planes;

/// Width of a strip's own coordinates; it is stretched to its place.
const WIDTH: f64 = 1_000.0;
/// Height of a strip.
const HEIGHT: f64 = 100.0;
/// Room above and below the lines.
const MARGIN: f64 = 8.0;

/// What the charts need.
#[derive(Properties, PartialEq)]
pub struct ChartsProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The worlds.
    pub worlds: Vec<Rc<WorldFrame>>,
    /// Faults.
    pub faults: Rc<Vec<FaultMark>>,
    /// All services.
    pub services: Vec<String>,
    /// The service shown.
    pub service: String,
    /// Now, in microseconds.
    pub now_us: u64,
    /// End of the axis, in microseconds.
    pub length_us: u64,
    /// The branch that the present one left, as it went on.
    pub ghost: Option<Rc<Outcome>>,
}

/// The charts.
#[component]
pub fn Charts(props: &ChartsProps) -> Html {
    let t = props.t;
    let on_service = {
        let control = props.control.clone();
        Callback::from(move |event: Event| {
            let chooser: HtmlSelectElement = event.target_unchecked_into();
            control.act(Action::Chart(chooser.value()));
        })
    };
    html! {
        <section class="charts" aria-labelledby="charts-title" data-testid="charts">
            <header class="charts-head">
                <h2 id="charts-title">{ t.charts() }</h2>
                <label class="field"><span>{ t.chart_service() }</span>
                    <select data-testid="chart-service" onchange={on_service}>
                        { for props.services.iter().map(|name| html! { <option key={name.clone()} value={name.clone()} selected={*name == props.service}>{ name }</option> }) }
                    </select>
                </label>
                <ul class="line-legend">
                    <li><span class="sample sample-desired" aria-hidden="true" />{ t.chart_desired() }</li>
                    <li><span class="sample sample-ready" aria-hidden="true" />{ t.chart_ready() }</li>
                    <li><span class="sample sample-answered" aria-hidden="true" />{ t.chart_answered() }</li>
                    if props.ghost.is_some() { <li data-testid="ghost"><span class="sample sample-ghost" aria-hidden="true" />{ t.chart_ghost() }</li> }
                </ul>
            </header>
            { for props.worlds.iter().map(|world| strip(props, world)) }
            <div class="axis" aria-hidden="true">{ for ticks(props.length_us).into_iter().map(|at| html! {
                <span style={format!("left: {:.3}%", share(at, props.length_us) * 100.0)}>{ clock(at).trim_end_matches(".0").to_owned() }</span>
            }) }</div>
        </section>
    }
}

fn share(at: u64, length: u64) -> f64 {
    if length == 0 {
        0.0
    } else {
        (at.min(length) as f64) / (length as f64)
    }
}

/// At most seven round times.
fn ticks(length: u64) -> Vec<u64> {
    const STEPS: [u64; 12] = [
        1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400,
    ];
    let step = STEPS
        .into_iter()
        .map(|seconds| seconds * 1_000_000)
        .find(|step| length / step <= 6)
        .unwrap_or(u64::MAX);
    (0..=length / step).map(|place| place * step).collect()
}

/// A line that holds its value until the next point; where the value is missing it has a gap.
fn line(times: &[u64], values: &[u32], top: f64, now: u64, length: u64) -> String {
    let mut path = String::new();
    let mut drawn = false;
    let x = |at: u64| share(at, length) * WIDTH;
    let y = |value: u32| HEIGHT - MARGIN - f64::from(value) / top * (HEIGHT - 2.0 * MARGIN);
    for (place, (at, value)) in times.iter().zip(values).enumerate() {
        if *value == u32::MAX {
            drawn = false;
            continue;
        }
        let until = times.get(place + 1).copied().unwrap_or(now).max(*at);
        let command = if drawn { 'L' } else { 'M' };
        let _ = write!(
            path,
            "{command}{:.2} {:.2}H{:.2}",
            x(*at),
            y(*value),
            x(until)
        );
        drawn = true;
    }
    path
}

fn strip(props: &ChartsProps, world: &Rc<WorldFrame>) -> Html {
    let t = props.t;
    let plane = planes::name(&world.orchestrator, t);
    let empty = SeriesFrame::default();
    let series = world
        .series
        .iter()
        .find(|series| series.name == props.service)
        .unwrap_or(&empty);
    let top = series
        .desired
        .iter()
        .chain(&series.ready)
        .copied()
        .max()
        .unwrap_or(1)
        .max(1);
    let (now, length) = (props.now_us, props.length_us);
    let ghost = props.ghost.as_ref().and_then(|ghost| {
        let own = |other: &&WorldFrame| other.orchestrator == world.orchestrator;
        let series = &ghost.worlds.iter().find(own)?.series;
        let series = series.iter().find(|series| series.name == props.service)?;
        Some((ghost.tip_us, series))
    });
    let desired = series.desired.last().copied().unwrap_or(0);
    let ready = series.ready.last().copied().unwrap_or(0);
    let answered = series
        .answered_ppm
        .last()
        .copied()
        .filter(|share| *share != u32::MAX)
        .map_or_else(|| "–".to_owned(), percent);
    let on_seek = {
        let control = props.control.clone();
        Callback::from(move |event: MouseEvent| {
            let Some(element) = event
                .target_dyn_into::<Element>()
                .and_then(|element| element.closest("svg").ok().flatten())
            else {
                return;
            };
            let place = element.get_bounding_client_rect();
            if place.width() > 0.0 {
                let share =
                    ((f64::from(event.client_x()) - place.left()) / place.width()).clamp(0.0, 1.0);
                control.seek((share * length as f64) as u64);
            }
        })
    };
    let at = |us: u64| format!("{:.2}", share(us, length) * WIDTH);
    let marks = props
        .faults
        .iter()
        .filter(|fault| fault.orchestrator == world.orchestrator && fault.applicable);
    let title = format!("chart-{}", world.orchestrator);
    html! {
        <figure class="strip" key={world.orchestrator.clone()} data-testid={format!("chart-{}", world.orchestrator)}>
            <figcaption class="strip-name"><span>{ plane }</span><span class="strip-top">{ top }</span></figcaption>
            if series.at_us.is_empty() {
                <p class="strip-empty quiet">{ t.chart_none() }</p>
            } else {
                <svg viewBox={format!("0 0 {WIDTH} {HEIGHT}")} preserveAspectRatio="none" role="img" aria-labelledby={title.clone()} onclick={on_seek}>
                    <title id={title}>{ t.chart_title(plane, &props.service) }</title>
                    <line class="chart-base" x1="0" x2={WIDTH.to_string()} y1={(HEIGHT - MARGIN).to_string()} y2={(HEIGHT - MARGIN).to_string()} />
                    { for marks.clone().map(|fault| html! {
                        <>
                        if fault.begun_us != u64::MAX {
                            <line class="chart-fault" x1={at(fault.begun_us)} x2={at(fault.begun_us)} y1="0" y2={HEIGHT.to_string()} />
                        } else if fault.at_us != u64::MAX {
                            <line class="chart-fault chart-planned" x1={at(fault.at_us)} x2={at(fault.at_us)} y1="0" y2={HEIGHT.to_string()} />
                        }
                        if fault.detected_us != u64::MAX {
                            <line class="chart-detected" x1={at(fault.detected_us)} x2={at(fault.detected_us)} y1="0" y2={HEIGHT.to_string()} />
                        }
                        if fault.recovered_us != u64::MAX {
                            <line class="chart-recovered" x1={at(fault.recovered_us)} x2={at(fault.recovered_us)} y1="0" y2={HEIGHT.to_string()} />
                        }
                        </>
                    }) }
                    if let Some((tip, ghost)) = ghost {
                        <path class="chart-ghost" d={line(&ghost.at_us, &ghost.ready, f64::from(top), tip, length)} />
                    }
                    <path class="chart-answered" d={line(&series.at_us, &series.answered_ppm, 1_000_000.0, now, length)} />
                    <path class="chart-desired" d={line(&series.at_us, &series.desired, f64::from(top), now, length)} />
                    <path class="chart-ready" d={line(&series.at_us, &series.ready, f64::from(top), now, length)} />
                    <line class="chart-now" x1={at(now)} x2={at(now)} y1="0" y2={HEIGHT.to_string()} />
                </svg>
            }
            <dl class="strip-values" aria-label={t.chart_now(&answered, desired, plane, ready)}>
                <div class="value-desired"><dt>{ t.chart_desired() }</dt><dd>{ desired }</dd></div>
                <div class="value-ready"><dt>{ t.chart_ready() }</dt><dd>{ ready }</dd></div>
                <div class="value-answered"><dt>{ t.chart_answered() }</dt><dd>{ answered }</dd></div>
            </dl>
        </figure>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_their_value_and_break_where_nobody_asks() {
        let path = line(&[0, 50, 75], &[2, u32::MAX, 1], 2.0, 100, 100);
        assert_eq!(path, "M0.00 8.00H500.00M750.00 50.00H1000.00");
    }

    #[test]
    fn the_axis_has_few_round_times() {
        assert_eq!(
            ticks(900_000_000),
            [0, 300_000_000, 600_000_000, 900_000_000]
        );
        assert!(ticks(3_600_000_000).len() <= 7);
    }
}
