//! Desired and ready replicas and the answered share of requests, one strip for each orchestrator,
//! on one time axis. Lines differ by dash and label, not by colour alone.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;

use sim_core::protocol::views::Outcome;
use sim_core::protocol::{FaultMark, SeriesFrame, WorldFrame};
use web_sys::{Element, HtmlSelectElement};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::format::{clock, percent};
use crate::model::Action;
use crate::text::Text;
use crate::ui::chooser::Chooser;
use crate::ui::{pages, planes};

/// Width of a strip's own coordinates; it is stretched to its place.
const WIDTH: f64 = 1_000.0;
/// Height of a strip.
const HEIGHT: f64 = 100.0;
/// Pixels from which a press that moves is a drag.
const DRAG_MIN: u32 = 6;
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
    /// Begin and end of the axis, in microseconds.
    pub window: (u64, u64),
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
    let pressed: Pressed = use_mut_ref(|| None);
    let as_table = use_state_eq(|| false);
    let start = use_state_eq(|| 0_usize);
    let on_start = {
        let start = start.clone();
        Callback::from(move |to| start.set(to))
    };
    let on_table = {
        let as_table = as_table.clone();
        move |_: MouseEvent| as_table.set(!*as_table)
    };
    let zoom = |closer: bool, shown: &'static str, word: &'static str| {
        let control = props.control.clone();
        html! { <button type="button" class="small" aria-label={word} title={word} data-testid={format!("zoom-{closer}")} onclick={move |_| control.zoom(Some(closer), true)}>{ shown }</button> }
    };
    html! {
        <section class="charts" aria-labelledby="charts-title" data-testid="charts">
            <header class="charts-head">
                <h2 id="charts-title">{ t.charts() }</h2>
                <label class="field"><span>{ t.chart_service() }</span>
                    <Chooser name="chart-service" value={props.service.clone()} disabled={props.services.is_empty()} onchange={on_service}>
                        { for props.services.iter().map(|name| html! { <option key={name.clone()} value={name.clone()}>{ name }</option> }) }
                    </Chooser>
                </label>
                <span class="chart-tools">{ zoom(false, "−", t.zoom_out()) }{ zoom(true, "+", t.zoom_in()) }
                    <button type="button" class="small" aria-expanded={as_table.to_string()} data-testid="chart-as-table" onclick={on_table}>{ t.view_table() }</button></span>
                <ul class="line-legend">
                    <li><span class="sample sample-desired" aria-hidden="true" />{ t.chart_desired() }</li>
                    <li><span class="sample sample-ready" aria-hidden="true" />{ t.chart_ready() }</li>
                    <li><span class="sample sample-answered" aria-hidden="true" />{ t.chart_answered() }</li>
                    if props.ghost.is_some() { <li data-testid="ghost"><span class="sample sample-ghost" aria-hidden="true" />{ t.chart_ghost() }</li> }
                </ul>
            </header>
            { for props.worlds.iter().map(|world| strip(props, world, &pressed)) }
            <div class="axis" aria-hidden="true">{ for ticks(props.window).into_iter().map(|at| html! {
                <span style={format!("left: {:.3}%", share(at, props.window) * 100.0)}>{ clock(at).trim_end_matches(".0").to_owned() }</span>
            }) }</div>
            if *as_table { { table(props, *start, &on_start) } }
        </section>
    }
}

/// Where on an axis a time is, from 0 to 1; what is not on it is before or behind.
#[must_use]
pub fn share(at: u64, (from, to): (u64, u64)) -> f64 {
    (at as f64 - from as f64) / (to.saturating_sub(from).max(1) as f64)
}

/// The time at a place of an axis.
#[must_use]
pub fn time_at(share: f64, (from, to): (u64, u64)) -> u64 {
    from + (share * to.saturating_sub(from) as f64) as u64
}

/// At most seven round times.
fn ticks((from, to): (u64, u64)) -> Vec<u64> {
    let length = to.saturating_sub(from);
    const STEPS: [u64; 12] = [
        1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400,
    ];
    let step = STEPS
        .into_iter()
        .map(|seconds| seconds * 1_000_000)
        .find(|step| length / step <= 6)
        .unwrap_or(u64::MAX);
    let places = from.div_ceil(step)..=to / step;
    places.map(|place| place * step).collect()
}

/// A line that holds its value until the next point; where the value is missing it has a gap.
fn line(times: &[u64], values: &[u32], top: f64, now: u64, window: (u64, u64)) -> String {
    let mut path = String::new();
    let mut drawn = false;
    let x = |at: u64| share(at, window) * WIDTH;
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

/// All values and when they changed, a page of them: the charts for who reads.
fn table(props: &ChartsProps, start: usize, on_start: &Callback<usize>) -> Html {
    let t = props.t;
    let mut changes = Vec::new();
    for world in &props.worlds {
        let Some(series) = world
            .series
            .iter()
            .find(|series| series.name == props.service)
        else {
            continue;
        };
        let mut last = None;
        let values = series
            .desired
            .iter()
            .zip(&series.ready)
            .zip(&series.answered_ppm);
        for (at, ((desired, ready), answered)) in series.at_us.iter().zip(values) {
            let row = (*desired, *ready, *answered);
            if last.replace(row) != Some(row) {
                changes.push((&world.orchestrator, *at, row));
            }
        }
    }
    let shown = pages::page(start, changes.len());
    let told = t.table_window(changes.len(), shown.start + 1, shown.end);
    let row = |(orchestrator, at, (desired, ready, answered)): &(&String, u64, _)| {
        html! { <tr><th scope="row">{ planes::name(orchestrator, t) }</th><td>{ clock(*at) }</td><td>{ *desired }</td><td>{ *ready }</td><td>{ share_text(*answered) }</td></tr> }
    };
    let heads = [
        t.table_plane(),
        t.time(),
        t.chart_desired(),
        t.chart_ready(),
        t.chart_answered(),
    ];
    html! {
        <>
        { pages::turning(t, "chart-table", shown.clone(), changes.len(), told, on_start) }
        <div class="table-place" tabindex="0" role="region" aria-label={format!("{}: {}", t.charts(), t.view_table())} data-testid="chart-table">
            <table class="figures"><thead><tr>{ for heads.map(|head| html! { <th scope="col">{ head }</th> }) }</tr></thead><tbody>{ for changes[shown].iter().map(row) }</tbody></table>
        </div>
        </>
    }
}

/// A share of requests that was answered, in words; there is none where nobody asked.
fn share_text(answered_ppm: u32) -> String {
    if answered_ppm == u32::MAX {
        "–".to_owned()
    } else {
        percent(answered_ppm)
    }
}

/// Where a press on a chart began.
type Pressed = Rc<RefCell<Option<i32>>>;

fn strip(props: &ChartsProps, world: &Rc<WorldFrame>, pressed: &Pressed) -> Html {
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
    let (now, window) = (props.now_us, props.window);
    let ghost = props.ghost.as_ref().and_then(|ghost| {
        let own = |other: &&WorldFrame| other.orchestrator == world.orchestrator;
        let series = &ghost.worlds.iter().find(own)?.series;
        let series = series.iter().find(|series| series.name == props.service)?;
        Some((ghost.tip_us, series))
    });
    let desired = series.desired.last().copied().unwrap_or(0);
    let ready = series.ready.last().copied().unwrap_or(0);
    let answered = share_text(series.answered_ppm.last().copied().unwrap_or(u32::MAX));
    let on_press = {
        let pressed = pressed.clone();
        move |event: MouseEvent| *pressed.borrow_mut() = Some(event.client_x())
    };
    // A click goes there; a drag chooses a stretch to play again and again.
    let on_seek = {
        let (control, pressed) = (props.control.clone(), pressed.clone());
        Callback::from(move |event: MouseEvent| {
            let Some(element) = event
                .target_dyn_into::<Element>()
                .and_then(|element| element.closest("svg").ok().flatten())
            else {
                return;
            };
            let at = |x: i32| time_at(dom::share_across(&element, x), window);
            let (begun, ended) = (pressed.borrow_mut().take(), event.client_x());
            match begun.filter(|begun| begun.abs_diff(ended) > DRAG_MIN) {
                Some(begun) => control.choose_range(at(begun), at(ended), event.shift_key()),
                None => control.seek(at(ended)),
            }
        })
    };
    let at = |us: u64| format!("{:.2}", share(us, window) * WIDTH);
    let marks = props
        .faults
        .iter()
        .filter(|fault| fault.orchestrator == world.orchestrator && fault.applicable);
    let title = format!("chart-{}", world.orchestrator);
    let described = format!("{title}-now");
    html! {
        <figure class="strip" key={world.orchestrator.clone()} data-testid={format!("chart-{}", world.orchestrator)}>
            <figcaption class="strip-name"><span>{ plane }</span><span class="strip-top">{ top }</span></figcaption>
            if series.at_us.is_empty() {
                <p class="strip-empty quiet">{ if props.services.is_empty() { t.events_empty() } else { t.chart_none() } }</p>
            } else {
                <svg viewBox={format!("0 0 {WIDTH} {HEIGHT}")} preserveAspectRatio="none" role="img" aria-labelledby={title.clone()} aria-describedby={described.clone()} onmousedown={on_press} onclick={on_seek}>
                    <title id={title}>{ t.chart_title(plane, &props.service) }</title>
                    <desc id={described}>{ t.chart_now(&answered, desired, plane, ready) }</desc>
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
                        <path class="chart-ghost" d={line(&ghost.at_us, &ghost.ready, f64::from(top), tip, window)} />
                    }
                    <path class="chart-answered" d={line(&series.at_us, &series.answered_ppm, 1_000_000.0, now, window)} />
                    <path class="chart-desired" d={line(&series.at_us, &series.desired, f64::from(top), now, window)} />
                    <path class="chart-ready" d={line(&series.at_us, &series.ready, f64::from(top), now, window)} />
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
        let path = line(&[0, 50, 75], &[2, u32::MAX, 1], 2.0, 100, (0, 100));
        assert_eq!(path, "M0.00 8.00H500.00M750.00 50.00H1000.00");
    }

    #[test]
    fn the_axis_has_few_round_times() {
        assert_eq!(
            ticks((0, 900_000_000)),
            [0, 300_000_000, 600_000_000, 900_000_000]
        );
        assert!(ticks((0, 3_600_000_000)).len() <= 7);
        assert_eq!(ticks((59_000_000, 64_000_000)).len(), 6);
        assert_eq!(
            ticks((61_000_000, 76_000_000)),
            [65_000_000, 70_000_000, 75_000_000]
        );
    }
}
