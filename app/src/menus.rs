//! What can be done with an object of the machines, as a list: at a right click, at the menu key, and
//! where a finger rests on it.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::events::{EventListener, EventListenerOptions, EventListenerPhase};
use gloo::timers::callback::Timeout;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, PointerEvent};

use crate::dom;

/// How long a finger rests for a long press, in milliseconds: as long as Android's and iOS's own.
const LONG_PRESS_MS: u32 = 500;

/// How far a resting finger may drift, in CSS pixels.
const DRIFT_MAX: u32 = 10;

/// Opens the list where it is asked for, until this is dropped.
///
/// Safari on iOS tells of no long press, so the page measures one itself; where the browser tells of it
/// first, that ends the measuring.
pub fn listen() -> Vec<EventListener> {
    let pressed: Rc<RefCell<Option<Press>>> = Rc::default();
    let menu = {
        let pressed = pressed.clone();
        move |event: &Event| {
            pressed.take();
            if let Some(name) = object_at(event) {
                event.prevent_default();
                dom::palette(&name);
            }
        }
    };
    let press = {
        let pressed = pressed.clone();
        move |event: &Event| {
            pressed.take();
            let Some((touch, name)) = event
                .dyn_ref::<PointerEvent>()
                .filter(|pointer| pointer.pointer_type() == "touch" && pointer.is_primary())
                .zip(object_at(event))
            else {
                return;
            };
            let held = pressed.clone();
            let ripens = Timeout::new(LONG_PRESS_MS, move || {
                if let Some(press) = &mut *held.borrow_mut() {
                    press.is_long = true;
                }
                dom::palette(&name);
            });
            *pressed.borrow_mut() = Some(Press {
                at: (touch.client_x(), touch.client_y()),
                is_long: false,
                _ripens: ripens,
            });
        }
    };
    let drift = {
        let pressed = pressed.clone();
        move |event: &Event| {
            let Some(pointer) = event.dyn_ref::<PointerEvent>() else {
                return;
            };
            let (x, y) = (pointer.client_x(), pointer.client_y());
            let has_left = |press: &mut Press| {
                let (from_x, from_y) = press.at;
                !press.is_long && x.abs_diff(from_x).max(y.abs_diff(from_y)) > DRIFT_MAX
            };
            pressed.borrow_mut().take_if(has_left);
        }
    };
    let end = {
        let pressed = pressed.clone();
        move |_: &Event| drop(pressed.borrow_mut().take_if(|press| !press.is_long))
    };
    // A press that was long is no click as well.
    let click = move |event: &Event| {
        let was_long = pressed.take().is_some_and(|press| press.is_long);
        if was_long && object_at(event).is_some() {
            event.prevent_default();
            event.stop_propagation();
        }
    };
    let options = EventListenerOptions {
        phase: EventListenerPhase::Capture,
        passive: false,
    };
    let hear = |name: &'static str, heard: Rc<dyn Fn(&Event)>| {
        let document = gloo::utils::document();
        EventListener::new_with_options(&document, name, options, move |event| heard(event))
    };
    vec![
        hear("contextmenu", Rc::new(menu)),
        hear("pointerdown", Rc::new(press)),
        hear("pointermove", Rc::new(drift)),
        hear("pointerup", Rc::new(end.clone())),
        hear("pointercancel", Rc::new(end)),
        hear("click", Rc::new(click)),
    ]
}

/// A finger that rests on an object.
struct Press {
    /// Where it came down, in CSS pixels.
    at: (i32, i32),
    /// Whether it has rested long enough.
    is_long: bool,
    _ripens: Timeout,
}

/// The name of the object that an event is at.
fn object_at(event: &Event) -> Option<String> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    let place = target.closest("#panel-watch [data-object]").ok()??;
    let object = place.get_attribute("data-object")?;
    Some(
        object
            .split_once('/')
            .map_or("", |(_, name)| name)
            .to_owned(),
    )
}
