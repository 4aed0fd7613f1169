//! The page's keys. Letters act only outside of text, never while characters are composed, and can
//! be switched off.

use gloo::events::EventListener;
use sim_core::protocol::{Request, Why};
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent};

use crate::control::Control;
use crate::dom;
use crate::ui::detail::Detail;
use crate::ui::watch::Look;

const SECONDS_10_US: i64 = 10_000_000;

/// Listens to the whole document until it is dropped. `letters` is asked at each key.
pub fn listen(control: Control, letters: impl Fn() -> bool + 'static) -> EventListener {
    let mut after_x = false;
    let options = gloo::events::EventListenerOptions::enable_prevent_default();
    EventListener::new_with_options(&gloo::utils::document(), "keydown", options, move |event| {
        let Some(event) = event.dyn_ref::<KeyboardEvent>() else {
            return;
        };
        if event.key() == "s" && (event.ctrl_key() || event.meta_key()) && !event.is_composing() {
            event.prevent_default();
            dom::dialog("share", true);
            return;
        }
        if event.key() == "k" && (event.ctrl_key() || event.meta_key()) && !event.is_composing() {
            event.prevent_default();
            dom::dialog("palette", true);
            return;
        }
        if event.key() == "z"
            && (event.ctrl_key() || event.meta_key())
            && !event.shift_key()
            && !dom::takes_text(event)
        {
            event.prevent_default();
            control.undo();
            return;
        }
        if event.is_composing()
            || dom::takes_text(event)
            || event.ctrl_key()
            || event.meta_key()
            || event.alt_key()
        {
            return;
        }
        let was_after_x = std::mem::replace(&mut after_x, false);
        let key = event.key();
        let acted = if named_key(&control, event, &key) {
            true
        } else if !letters() {
            false
        } else if was_after_x {
            fault_key(&control, event, &key)
        } else if key == "x" {
            after_x = true;
            true
        } else {
            letter(&control, event, &key)
        };
        if acted {
            event.prevent_default();
        }
    })
}

/// Lights up what belongs together, under the pointer and with the focus, until it is dropped.
pub fn lights() -> [EventListener; 2] {
    ["pointerover", "focusin"].map(|name| {
        EventListener::new(&gloo::utils::document(), name, |event| {
            let target = event
                .target()
                .and_then(|target| target.dyn_into::<Element>().ok());
            dom::light(target.as_ref());
        })
    })
}

/// The machine that the focus is at, or the chosen one.
fn machine(control: &Control, event: &KeyboardEvent) -> String {
    dom::data(event, "machine").unwrap_or_else(|| control.model().target())
}

fn named_key(control: &Control, event: &KeyboardEvent, key: &str) -> bool {
    if key == "Delete" {
        if let Some(unit) = dom::data(event, "unit") {
            control.kill_unit(&unit);
        } else if let Some(machine) = dom::data(event, "machine") {
            control.kill_machine(&machine);
        } else {
            return false;
        }
        return true;
    }
    if let (Some(from), true) = (
        event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok()),
        key.starts_with("Arrow"),
    ) {
        let (rows, cells) = match key {
            "ArrowUp" => (-1, 0),
            "ArrowDown" => (1, 0),
            "ArrowLeft" => (0, -1),
            _ => (0, 1),
        };
        if dom::move_in_grid(&from, rows, cells) {
            return true;
        }
    }
    if dom::uses_key(event) {
        return false;
    }
    match key {
        " " => control.toggle(),
        "ArrowLeft" | "ArrowRight" => {
            let forward = key == "ArrowRight";
            if event.shift_key() {
                control.seek_by(if forward {
                    SECONDS_10_US
                } else {
                    -SECONDS_10_US
                });
            } else {
                control.send(&Request::Step(forward));
            }
        }
        "Home" => control.seek(0),
        "End" => control.seek(control.model().shown.clock.tip_us),
        _ => return false,
    }
    true
}

fn fault_key(control: &Control, event: &KeyboardEvent, key: &str) -> bool {
    match key {
        "n" => control.kill_machine(&machine(control, event)),
        "h" => control.heal_machine(&machine(control, event)),
        "r" => control.break_machine("node-reboot", &machine(control, event)),
        "p" => control.break_machine("partition", &machine(control, event)),
        "i" => control.break_machine("registry-down", ""),
        _ => return false,
    }
    true
}

fn letter(control: &Control, event: &KeyboardEvent, key: &str) -> bool {
    match key {
        "." => control.toggle(),
        "[" => control.seek_fault(false),
        "]" => control.seek_fault(true),
        "f" => control.send(&Request::Fork),
        "-" => control.change_speed(false),
        "=" | "+" => control.change_speed(true),
        "1" => dom::focus("panel-edit"),
        "2" => dom::focus("panel-watch"),
        "3" => dom::focus("timeline-slider"),
        "4" => dom::focus("console-line"),
        "w" => {
            let (Some(object), Some(orchestrator)) =
                (dom::data(event, "object"), dom::data(event, "orchestrator"))
            else {
                return false;
            };
            control.explain(Some(Why {
                orchestrator,
                seq: 0,
                object,
            }));
        }
        "d" | "y" | "l" => {
            let (Some(object), Some(orchestrator)) =
                (dom::data(event, "object"), dom::data(event, "orchestrator"))
            else {
                return false;
            };
            control.inspect(&orchestrator, &object);
        }
        "m" => control.bookmark(),
        "M" => control.mark_range(),
        "t" => {
            let shown = control.model().look;
            let place = Look::ALL
                .iter()
                .position(|look| *look == shown)
                .unwrap_or(0);
            control.look(Look::ALL[(place + 1) % Look::ALL.len()]);
        }
        "z" | "Z" => {
            control.detail(Detail::next(&control.model().levels(), key == "z"));
        }
        "p" => dom::toggle_root("data-present"),
        "?" => dom::dialog("help", true),
        _ => return false,
    }
    true
}
