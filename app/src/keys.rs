//! The page's keys. Letters act only outside of text, never while characters are composed, can be
//! switched off, and be exchanged for others: what each of them does is a [`Command`], found by the
//! reader's own [`Keys`].

use std::rc::Rc;

use gloo::events::EventListener;
use sim_core::protocol::{Request, Why};
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent};

use crate::control::Control;
use crate::dom;
use crate::text::Text;
use crate::ui::detail::Detail;
use crate::ui::watch::Look;

const SECONDS_10_US: i64 = 10_000_000;

/// Under which the reader's keys are kept.
const KEPT: &str = "podium.keys";

/// What a single key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Their words say it.
pub enum Command {
    Toggle,
    FaultBack,
    FaultNext,
    Fork,
    Slower,
    Faster,
    Bookmark,
    Range,
    Editor,
    Machines,
    Timeline,
    Console,
    Views,
    Closer,
    Farther,
    Why,
    Inspect,
    Yaml,
    Logs,
    Find,
    Kinds,
    Glyphs,
    Present,
    Help,
    /// The next key breaks something.
    Break,
    Kill,
    Heal,
    Reboot,
    CutOff,
    Registry,
    Oom,
    Disk,
    Cpu,
}

use Command::{
    Bookmark, Break, Closer, Console, Cpu, CutOff, Disk, Editor, Farther, Faster, FaultBack,
    FaultNext, Find, Fork, Glyphs, Heal, Help, Inspect, Kill, Kinds, Logs, Machines, Oom, Present,
    Range, Reboot, Registry, Slower, Timeline, Toggle, Views, Yaml,
};

/// All of them in the order of the sheet: the name under which a key is kept, and the keys at first.
const COMMANDS: [(Command, &str, &[&str]); 33] = [
    (Toggle, "toggle", &["."]),
    (FaultBack, "fault-back", &["["]),
    (FaultNext, "fault-next", &["]"]),
    (Fork, "fork", &["f"]),
    (Slower, "slower", &["-"]),
    (Faster, "faster", &["=", "+"]),
    (Bookmark, "bookmark", &["m"]),
    (Range, "range", &["M"]),
    (Editor, "editor", &["1"]),
    (Machines, "machines", &["2"]),
    (Timeline, "timeline", &["3"]),
    (Console, "console", &["4"]),
    (Views, "views", &["t"]),
    (Closer, "closer", &["z"]),
    (Farther, "farther", &["Z"]),
    (Command::Why, "why", &["w"]),
    (Inspect, "inspect", &["d"]),
    (Yaml, "yaml", &["y"]),
    (Logs, "logs", &["l"]),
    (Find, "find", &["/"]),
    (Kinds, "kinds", &[":"]),
    (Glyphs, "glyphs", &["g"]),
    (Present, "present", &["p"]),
    (Help, "help", &["?"]),
    (Break, "break", &["x"]),
    (Kill, "kill", &["n"]),
    (Heal, "heal", &["h"]),
    (Reboot, "reboot", &["r"]),
    (CutOff, "cut-off", &["p"]),
    (Registry, "registry", &["i"]),
    (Oom, "oom", &["o"]),
    (Disk, "disk", &["d"]),
    (Cpu, "cpu", &["c"]),
];

impl Command {
    /// All of them, in the order of the sheet.
    pub fn all() -> impl Iterator<Item = Self> {
        COMMANDS.iter().map(|(command, ..)| *command)
    }

    fn entry(self) -> (&'static str, &'static [&'static str]) {
        let (_, name, keys) = COMMANDS[self as usize];
        (name, keys)
    }

    /// As in test ids.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// Whether its key follows that of [`Command::Break`].
    #[must_use]
    pub fn follows(self) -> bool {
        self as usize > Break as usize
    }

    /// As people read it.
    #[must_use]
    pub fn title(self, t: Text) -> &'static str {
        match self {
            Toggle => t.help_space(),
            FaultBack => t.key_fault_back(),
            FaultNext => t.key_fault_next(),
            Fork => t.help_fork(),
            Slower => t.key_slower(),
            Faster => t.key_faster(),
            Bookmark => t.key_bookmark(),
            Range => t.key_range(),
            Editor => t.editor(),
            Machines => t.view_machines(),
            Timeline => t.timeline(),
            Console => t.console(),
            Views => t.key_views(),
            Closer => t.key_closer(),
            Farther => t.key_farther(),
            Self::Why => t.help_why(),
            Inspect => t.help_inspect(),
            Yaml => t.key_yaml(),
            Logs => t.key_logs(),
            Find => t.filter(),
            Kinds => t.key_kinds(),
            Glyphs => t.key_glyphs(),
            Present => t.help_present(),
            Help => t.help_question(),
            Break => t.key_break(),
            Kill => t.fault_kill(),
            Heal => t.key_heal(),
            Reboot => t.fault_reboot(),
            CutOff => t.fault_partition(),
            Registry => t.fault_registry(),
            Oom => t.fault_oom(),
            Disk => t.fault_disk(),
            Cpu => t.fault_cpu(),
        }
    }
}

/// The reader's keys: those that are others than at first. An empty one: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<(Command, String)>);

impl Keys {
    /// As they are kept: `NAME=KEY`, a line each. What is no such line is none.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let chosen = text.lines().filter_map(|line| {
            let (name, key) = line.split_once('=')?;
            let known = COMMANDS.iter().find(|(_, known, _)| *known == name);
            known
                .filter(|_| key.is_empty() || Self::can_be(key))
                .map(|(command, ..)| (*command, key.to_owned()))
        });
        let mut keys = Self::default();
        for (command, key) in chosen {
            keys.choose(command, &key);
        }
        keys
    }

    fn write(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|(command, key)| format!("{}={key}\n", command.name()));
        lines.collect()
    }

    /// Those that the browser keeps.
    #[must_use]
    pub fn kept() -> Self {
        Self::read(&dom::kept(KEPT).unwrap_or_default())
    }

    /// Has the browser keep them.
    pub fn keep(&self) {
        let text = self.write();
        dom::keep(KEPT, Some(text.as_str()).filter(|text| !text.is_empty()));
    }

    /// Whether a key can be one of these: a single character that is seen.
    #[must_use]
    pub fn can_be(key: &str) -> bool {
        let mut letters = key.chars();
        let first = letters.next();
        first.is_some_and(|first| !first.is_whitespace() && !first.is_control())
            && letters.next().is_none()
    }

    /// Gives a command another key, or none.
    pub fn choose(&mut self, command: Command, key: &str) {
        self.0.retain(|(known, _)| *known != command);
        if command.entry().1.first() != Some(&key) {
            self.0.push((command, key.to_owned()));
        }
    }

    /// Whether all are as at first.
    #[must_use]
    pub fn are_first(&self) -> bool {
        self.0.is_empty()
    }

    fn chosen(&self, command: Command) -> Option<&str> {
        let mut chosen = self.0.iter().filter(|(known, _)| *known == command);
        chosen.next().map(|(_, key)| key.as_str())
    }

    /// A command's key, as the sheet shows it; empty: none.
    #[must_use]
    pub fn of(&self, command: Command) -> &str {
        self.chosen(command)
            .unwrap_or_else(|| command.entry().1.first().copied().unwrap_or_default())
    }

    /// What a key does, alone or after that of [`Command::Break`]: what it was chosen for last, else
    /// what it does at first.
    #[must_use]
    pub fn find(&self, key: &str, follows: bool) -> Option<Command> {
        let fits = |command: &Command| command.follows() == follows;
        let chosen = self.0.iter().rev().filter(|(_, known)| known == key);
        let first = Command::all()
            .filter(|command| self.chosen(*command).is_none() && command.entry().1.contains(&key));
        chosen.map(|(command, _)| *command).chain(first).find(fits)
    }
}

/// Listens to the whole document until it is dropped. `letters` is asked at each key for those that act;
/// none: they are switched off.
pub fn listen(control: Control, letters: impl Fn() -> Option<Rc<Keys>> + 'static) -> EventListener {
    let mut breaks = false;
    let options = gloo::events::EventListenerOptions::enable_prevent_default();
    EventListener::new_with_options(&gloo::utils::document(), "keydown", options, move |event| {
        let Some(event) = event.dyn_ref::<KeyboardEvent>() else {
            return;
        };
        if event.key() == "s" && (event.ctrl_key() || event.meta_key()) && !event.is_composing() {
            event.prevent_default();
            dom::dialog("share", true);
            // Its contents are rendered once this event is over.
            gloo::timers::callback::Timeout::new(0, || dom::press("#share-link-copy")).forget();
            return;
        }
        if event.key() == "k" && (event.ctrl_key() || event.meta_key()) && !event.is_composing() {
            event.prevent_default();
            dom::dialog("palette", true);
            return;
        }
        if event.key().eq_ignore_ascii_case("z")
            && (event.ctrl_key() || event.meta_key())
            && !dom::takes_text(event)
        {
            event.prevent_default();
            if event.shift_key() {
                control.redo();
            } else {
                control.undo();
            }
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
        let key = event.key();
        if key == "Shift" {
            // On the way to a capital.
            return;
        }
        let broke = std::mem::replace(&mut breaks, false);
        let acted = named_key(&control, event, &key)
            || letters().is_some_and(|keys| {
                let in_time = !broke && dom::is_within(event, ".timeline, .charts");
                if in_time && zoom(&control, event) {
                    return true;
                }
                let command = keys.find(&key, broke);
                breaks = command == Some(Break);
                command.is_some_and(|command| obey(&control, event, command))
                    || (!broke && zoom(&control, event))
            });
        if acted {
            event.prevent_default();
        }
    })
}

/// The letters of a game's steering, wherever they lie on this keyboard: closer, farther, back, on.
fn zoom(control: &Control, event: &KeyboardEvent) -> bool {
    match event.code().as_str() {
        "KeyW" => control.zoom(Some(true), true),
        "KeyS" => control.zoom(Some(false), true),
        "KeyA" => control.zoom(None, false),
        "KeyD" => control.zoom(None, true),
        _ => return false,
    }
    true
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

/// Does what a key is for; whether there was anything to do.
fn obey(control: &Control, event: &KeyboardEvent, command: Command) -> bool {
    let object = || {
        Some((
            dom::data(event, "object")?,
            dom::data(event, "orchestrator")?,
        ))
    };
    match command {
        Toggle => control.toggle(),
        FaultBack => control.seek_fault(false),
        FaultNext => control.seek_fault(true),
        Fork => control.fork(),
        Slower => control.change_speed(false),
        Faster => control.change_speed(true),
        Editor => dom::focus("panel-edit"),
        Machines => dom::focus("panel-watch"),
        Timeline => dom::focus("timeline-slider"),
        Console => dom::focus("console-line"),
        Command::Why => {
            let Some((object, orchestrator)) = object() else {
                return false;
            };
            control.explain(Some(Why {
                orchestrator,
                seq: 0,
                object,
            }));
        }
        Inspect | Yaml | Logs => {
            let Some((object, orchestrator)) = object() else {
                return false;
            };
            let words: &[&str] = match command {
                Yaml => &["-o yaml", "inspect"],
                Logs => &[" logs "],
                _ => &["describe", "inspect"],
            };
            control.inspect_first(&orchestrator, &object, words);
        }
        Find => dom::focus("filter"),
        Kinds => dom::palette(":"),
        Glyphs => dom::toggle_root("data-plain"),
        Bookmark => control.bookmark(),
        Range => control.mark_range(),
        Views => {
            let shown = control.model().look;
            let place = Look::ALL
                .iter()
                .position(|look| *look == shown)
                .unwrap_or(0);
            control.look(Look::ALL[(place + 1) % Look::ALL.len()]);
        }
        Closer | Farther => {
            let levels = control.model().levels();
            control.detail(Detail::next(&levels, command == Closer));
        }
        Present => dom::toggle_root("data-present"),
        Help => dom::dialog("help", true),
        Break => {}
        Kill => control.kill_machine(&machine(control, event)),
        Heal => control.heal_machine(&machine(control, event)),
        Reboot => control.break_machine("node-reboot", &machine(control, event)),
        CutOff => control.break_machine("partition", &machine(control, event)),
        Registry => control.break_machine("registry-down", ""),
        Oom => {
            let unit = dom::data(event, "unit");
            control.break_machine("oom", &unit.unwrap_or_else(|| machine(control, event)));
        }
        Disk => control.break_machine("disk-slow", &machine(control, event)),
        Cpu => control.break_machine("cpu-hog", &machine(control, event)),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_at_its_place_and_no_key_is_given_twice() {
        for (place, (command, ..)) in COMMANDS.iter().enumerate() {
            assert_eq!(*command as usize, place);
        }
        let keys = Keys::default();
        for command in Command::all() {
            for key in command.entry().1 {
                assert_eq!(keys.find(key, command.follows()), Some(command), "{key}");
                assert!(Keys::can_be(key));
            }
        }
        assert_eq!(keys.find("n", false), None);
        assert_eq!(
            (keys.find("d", false), keys.find("d", true)),
            (Some(Inspect), Some(Disk))
        );
    }

    #[test]
    fn a_key_can_be_exchanged_given_up_and_is_kept() {
        let mut keys = Keys::default();
        keys.choose(Fork, "=");
        assert_eq!(keys.find("=", false), Some(Fork), "what was chosen last");
        assert_eq!(keys.find("+", false), Some(Faster));
        assert_eq!(keys.find("f", false), None);
        keys.choose(Kill, "k");
        assert_eq!(
            (keys.find("k", true), keys.find("n", true)),
            (Some(Kill), None)
        );
        keys.choose(Help, "");
        assert_eq!((keys.of(Help), keys.find("?", false)), ("", None));
        assert_eq!(Keys::read(&keys.write()), keys);
        for command in [Fork, Kill, Help] {
            keys.choose(command, command.entry().1[0]);
        }
        assert!(keys.are_first());
        assert!(Keys::read("fork=ab\nnothing=x\n=\nviews").are_first());
        assert!(!Keys::can_be(" ") && !Keys::can_be("Enter") && Keys::can_be("ㄅ"));
    }
}
