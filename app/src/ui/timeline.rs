//! The clock: play, speed, steps, the slider with its marks, branches.

use std::rc::Rc;

use sim_core::protocol::{DENSITY_CELLS, Deed, FaultMark, Frame, Recording, Request};
use web_sys::{DragEvent, Element, HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use crate::control::{Control, SPEEDS};
use crate::dom;
use crate::format::{clock, factor};
use crate::model::Action;
use crate::text::Text;
use crate::ui::charts::{self, time_at};
use crate::ui::chooser::Chooser;
use crate::ui::faults;

/// Microseconds for each step of the slider.
const STEP_US: u64 = 100_000;

/// What the timeline needs.
#[derive(Properties, PartialEq)]
pub struct TimelineProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The frame's clock.
    pub clock: Frame,
    /// Begin and end of the time shown.
    pub window: (u64, u64),
    /// Faults.
    pub faults: Rc<Vec<FaultMark>>,
    /// The speed asked for, in thousandths.
    pub speed: u64,
    /// Moments to come back to.
    pub bookmarks: Rc<Vec<(u64, String)>>,
    /// A stretch that is played again and again.
    pub range: Option<(u64, Option<u64>)>,
    /// The machine that a dropped fault hits.
    pub target: String,
    /// What was done so far, for marks of edits.
    pub recording: Option<Rc<Recording>>,
}

/// The timeline.
#[component]
pub fn Timeline(props: &TimelineProps) -> Html {
    let (t, frame) = (props.t, &props.clock);
    let act = |act: fn(&Control)| {
        let control = props.control.clone();
        Callback::from(move |_: MouseEvent| act(&control))
    };
    let on_slide = {
        let control = props.control.clone();
        Callback::from(move |event: InputEvent| {
            let slider: HtmlInputElement = event.target_unchecked_into();
            control.seek((slider.value_as_number().max(0.0) as u64).saturating_mul(STEP_US));
        })
    };
    let on_speed = {
        let control = props.control.clone();
        Callback::from(move |event: Event| {
            let chooser: HtmlSelectElement = event.target_unchecked_into();
            if let Ok(speed) = chooser.value().parse() {
                control.set_speed(speed);
            }
        })
    };
    let on_branch = {
        let control = props.control.clone();
        Callback::from(move |event: Event| {
            let chooser: HtmlSelectElement = event.target_unchecked_into();
            if let Ok(branch) = chooser.value().parse() {
                control.send(&Request::Switch(branch));
            }
        })
    };
    let length = frame.length_us.max(STEP_US);
    let window = (props.window.0, props.window.1.max(props.window.0 + STEP_US));
    let row = use_node_ref();
    let on_drop = {
        let (control, target, row) = (props.control.clone(), props.target.clone(), row.clone());
        Callback::from(move |event: DragEvent| {
            if let (Some(kind), Some(row)) = (faults::dropped(&event), row.cast::<Element>()) {
                event.prevent_default();
                let at = time_at(dom::share_across(&row, event.client_x()), window);
                let target = faults::dropped_link(&event).unwrap_or_else(|| target.clone());
                control.plan_fault(&kind, &target, Some(at));
            }
        })
    };
    let is_in = |at: u64| (window.0..=window.1).contains(&at);
    let play = if frame.playing { t.pause() } else { t.play() };
    html! {
        <section class="timeline" aria-label={t.timeline()} data-testid="timeline">
            <div class="clock-row">
                <button type="button" class="icon-button" aria-label={t.to_start()} title={t.to_start()} onclick={act(|control| control.seek(0))}>{ "|◀" }</button>
                <button type="button" class="icon-button" aria-label={t.step_back()} title={t.step_back()} data-testid="step-back" onclick={act(|control| control.send(&Request::Step(false)))}>{ "◀" }</button>
                <button type="button" class="play" aria-label={play} data-testid="play" data-playing={frame.playing.to_string()} onclick={act(Control::toggle)}>
                    <span aria-hidden="true">{ if frame.playing { "❚❚ " } else { "▶ " } }</span>{ play }
                </button>
                <button type="button" class="icon-button" aria-label={t.step_forward()} title={t.step_forward()} data-testid="step-forward" onclick={act(|control| control.send(&Request::Step(true)))}>{ "▶" }</button>
                <button type="button" class="icon-button" aria-label={t.to_end()} title={t.to_end()} onclick={act(|control| control.seek(control.model().shown.clock.tip_us))}>{ "▶|" }</button>
                <output class="now" data-testid="now">{ clock(frame.now_us) }<span class="quiet">{ " / " }{ clock(length) }</span></output>
                <label class="field"><span>{ t.speed() }</span>
                    <Chooser name="speed" value={props.speed.to_string()} onchange={on_speed}>
                        { for SPEEDS.iter().map(|speed| html! { <option value={speed.to_string()}>{ t.speed_times(factor(*speed)) }</option> }) }
                    </Chooser>
                </label>
                <button type="button" data-testid="fork" onclick={act(Control::fork)}>{ t.fork() }</button>
                if frame.branches.len() > 1 {
                    <label class="field"><span>{ t.branch() }</span>
                        <Chooser name="branch" value={frame.branch.to_string()} onchange={on_branch}>
                            { for frame.branches.iter().enumerate().map(|(place, name)| html! { <option value={place.to_string()}>{ name }</option> }) }
                        </Chooser>
                    </label>
                }
                if frame.branches.len() > 1 {
                    <button type="button" data-testid="compare" onclick={act(|control| {
                        let model = control.model();
                        let clock = &model.shown.clock;
                        let other = if clock.branch == 0 { 1 } else { clock.branch - 1 };
                        control.compare([other, clock.branch]);
                    })}>{ t.compare() }</button>
                }
                <button type="button" data-testid="bookmark" onclick={act(Control::bookmark)}>{ t.bookmark() }</button>
                <button type="button" data-testid="range" aria-pressed={props.range.is_some().to_string()} onclick={act(Control::mark_range)}>{
                    match props.range {
                        None => t.loop_range().to_owned(),
                        Some((from, None)) => t.loop_from(clock(from), "…"),
                        Some((_, Some(_))) => t.loop_clear().to_owned(),
                    }
                }</button>
                if frame.seeking { <span class="quiet" role="status">{ t.seeking() }</span> }
            </div>
            <div class="slider-row" ondragover={faults::accept_in_time} ondrop={on_drop} ref={row} data-testid="slider-row">
                <div class="marks" aria-hidden="true">
                    if let Some((from, Some(to))) = props.range {
                        <span class="mark-range" style={format!("left: {:.3}%; width: {:.3}%", share(from, window), share(to, window) - share(from, window))} />
                    }
                    { for props.bookmarks.iter().filter(|(at, _)| is_in(*at)).map(|(at, text)| html! {
                        <span class="mark mark-kept" style={format!("left: {:.3}%", share(*at, window))} title={text.clone()}><span class="mark-glyph">{ "▾" }</span></span>
                    }) }
                    <span class="mark-run" style={format!("width: {:.3}%", share(frame.tip_us, window))} />
                    { for props.recording.iter().flat_map(|recording| edits(recording)).filter(|(at, _)| is_in(*at)).map(|(at, file)| html! {
                        <span class="mark mark-edit" data-testid="mark-edit" style={format!("left: {:.3}%", share(at, window))} title={t.mark_edit(file)}><span class="mark-glyph">{ "✎" }</span></span>
                    }) }
                    { for marks(&props.faults).into_iter().filter(|(at, until, _)| *until >= window.0 && *at <= window.1).map(|(at, until, text)| html! {
                        <span class="mark" style={format!("left: {:.3}%; width: {:.3}%", share(at, window), share(until, window) - share(at, window))} title={text.clone()}>
                            <span class="mark-glyph">{ "⚡" }</span>
                        </span>
                    }) }
                </div>
                <input type="range" id="timeline-slider" role="slider" min={(window.0 / STEP_US).to_string()} max={(window.1 / STEP_US).to_string()} step="1" value={(frame.now_us / STEP_US).to_string()}
                    aria-label={t.time()} aria-valuetext={value_text(t, frame, &props.faults)} data-testid="slider" oninput={on_slide} />
                { density(frame, window) }
            </div>
            if !props.bookmarks.is_empty() {
                <ul class="bookmarks" aria-label={t.bookmarks()} data-testid="bookmarks">
                    { for props.bookmarks.iter().map(|(at, text)| {
                        let (at, go, forget, note) = (*at, props.control.clone(), props.control.clone(), props.control.clone());
                        let on_note = move |event: Event| {
                            let input: HtmlInputElement = event.target_unchecked_into();
                            note.act(Action::Bookmark(at, Some(input.value())));
                        };
                        html! { <li key={at}>
                            <button type="button" class="small" onclick={move |_| go.seek(at)}>{ clock(at) }</button>
                            <input type="text" class="note" aria-label={t.bookmark_note(clock(at))} maxlength="120" value={text.clone()} data-testid="bookmark-note" onchange={on_note} />
                            <button type="button" class="small" aria-label={t.bookmark_remove(clock(at))} onclick={move |_| forget.act(Action::Bookmark(at, None))}>{ "×" }</button>
                        </li> }
                    }) }
                </ul>
            }
        </section>
    }
}

/// How many events were noted when, a row of bars for each orchestrator; a bar's height is logarithmic.
fn density(frame: &Frame, window: (u64, u64)) -> Html {
    let cell = frame.length_us.div_ceil(DENSITY_CELLS as u64).max(1) as f64;
    let (from, to) = (window.0 as f64 / cell, window.1 as f64 / cell);
    let top = frame.density.iter().flat_map(|(_, cells)| cells).max();
    let top = f64::from(*top.unwrap_or(&0) + 1).ln();
    let bars = |row: usize, cells: &[u32]| -> String {
        let some = cells.iter().enumerate().filter(|(_, count)| **count > 0);
        some.map(|(place, count)| {
            let high = 0.9 * f64::from(count + 1).ln() / top;
            format!("M{place}.5 {}v-{high:.2}", row + 1)
        })
        .collect()
    };
    html! {
        <svg class="density" viewBox={format!("{from:.2} 0 {:.2} {}", to - from, frame.density.len().max(1))} preserveAspectRatio="none" aria-hidden="true" data-testid="density">
            { for frame.density.iter().enumerate().map(|(row, (name, cells))| html! { <path class={format!("density-{name}")} d={bars(row, cells)} /> }) }
        </svg>
    }
}

/// Where on the row a time is, in percent; what is not on it is at its ends.
fn share(at: u64, window: (u64, u64)) -> f64 {
    charts::share(at, window).clamp(0.0, 1.0) * 100.0
}

/// Times of edits with their files, each file once for a time. Acts come in the order of their times.
fn edits(recording: &Recording) -> Vec<(u64, &str)> {
    let mut edits: Vec<(u64, &str)> = Vec::new();
    for act in &recording.acts {
        let Deed::Edit(file) = &act.deed else {
            continue;
        };
        let mut same_time = edits.iter().rev().take_while(|(at, _)| *at == act.at_us);
        if same_time.all(|(_, name)| *name != file.name) {
            edits.push((act.at_us, &file.name));
        }
    }
    edits
}

/// Faults of all worlds, each once: begin, end and text.
fn marks(faults: &[FaultMark]) -> Vec<(u64, u64, String)> {
    let mut marks: Vec<(u64, u64, String)> = Vec::new();
    for fault in faults {
        let Some(begin) = fault.begins_us() else {
            continue;
        };
        let is_same = |(at, _, text): &(u64, u64, String)| *at == begin && *text == fault.text;
        if !marks.iter().any(is_same) {
            // One that is still to come takes no time yet.
            let is_planned = fault.begun_us == u64::MAX;
            let end = if is_planned { begin } else { fault.ended_us };
            marks.push((begin, end, fault.text.clone()));
        }
    }
    marks
}

fn value_text(t: Text, frame: &Frame, faults: &[FaultMark]) -> String {
    let mut texts: Vec<&str> = Vec::new();
    for fault in faults.iter().filter(|fault| fault.active) {
        if !texts.contains(&fault.text.as_str()) {
            texts.push(&fault.text);
        }
    }
    let events = if texts.is_empty() {
        t.no_faults().to_owned()
    } else {
        texts.join(", ")
    };
    t.time_text(events, clock(frame.now_us))
}
