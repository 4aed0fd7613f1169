//! Every command in one list that is searched by typing.

use std::rc::Rc;

use sim_core::protocol::{Project, Request, Why, WorldFrame};
use web_sys::{HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::files;
use crate::gallery::{self, ENTRIES};
use crate::model::Action;
use crate::text::Text;
use crate::ui::detail::Detail;
use crate::ui::planes;
use crate::ui::watch::Look;

/// Commands shown at once.
const SHOWN: usize = 14;

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct PaletteProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The worlds, for their objects.
    pub worlds: Vec<Rc<WorldFrame>>,
    /// Machines that can be broken.
    pub workers: Rc<Vec<String>>,
}

type Deed = Rc<dyn Fn(&Control)>;

/// The dialog.
#[component]
pub fn Palette(props: &PaletteProps) -> Html {
    let t = props.t;
    let typed = use_state_eq(String::new);
    let opened = use_state_eq(|| false);
    let found: Vec<(String, Deed)> = if *opened {
        let wanted: Vec<String> = typed
            .to_lowercase()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let fits = |(title, _): &(String, Deed)| {
            let title = title.to_lowercase();
            wanted.iter().all(|word| title.contains(word))
        };
        let found = match typed.strip_prefix(':') {
            Some(_) => kinds(props),
            None => commands(props, !wanted.is_empty()),
        };
        found.into_iter().filter(fits).take(SHOWN).collect()
    } else {
        Vec::new()
    };
    let run = {
        let (control, typed) = (props.control.clone(), typed.clone());
        move |deed: &Deed| {
            dom::dialog("palette", false);
            typed.set(String::new());
            deed(&control);
        }
    };
    let on_input = {
        let typed = typed.clone();
        Callback::from(move |event: InputEvent| {
            let input: HtmlInputElement = event.target_unchecked_into();
            typed.set(input.value());
        })
    };
    let on_submit = {
        let (first, run) = (found.first().map(|(_, deed)| deed.clone()), run.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(deed) = &first {
                run(deed);
            }
        })
    };
    let on_open = {
        let opened = opened.clone();
        Callback::from(move |_: FocusEvent| opened.set(true))
    };
    let on_close = {
        let opened = opened.clone();
        Callback::from(move |_: Event| opened.set(false))
    };
    let on_key = Callback::from(|event: KeyboardEvent| {
        let down = match event.key().as_str() {
            "ArrowDown" => true,
            "ArrowUp" => false,
            _ => return,
        };
        if dom::walk(&event, "li", down) || (down && dom::focus_first("#palette li button")) {
            event.prevent_default();
        }
    });
    html! {
        <dialog id="palette" aria-labelledby="palette-title" data-testid="palette" onfocusin={on_open} onclose={on_close}>
            <form class="dialog" onsubmit={on_submit} onkeydown={on_key}>
                <h2 id="palette-title">{ t.palette() }</h2>
                <label>{ t.palette_hint() }<input id="palette-line" type="text" autocomplete="off" spellcheck="false" value={(*typed).clone()} oninput={on_input} data-testid="palette-input" /></label>
                <ul class="palette-list">
                    { for found.iter().enumerate().map(|(place, (title, deed))| {
                        let (deed, run) = (deed.clone(), run.clone());
                        html! { <li key={place}><button type="button" data-testid="palette-item" onclick={move |_| run(&deed)}>{ title }</button></li> }
                    }) }
                </ul>
                if found.is_empty() { <p class="quiet" role="status">{ t.palette_none() }</p> }
            </form>
        </dialog>
    }
}

/// A table for each kind of object, as k9s has it.
fn kinds(props: &PaletteProps) -> Vec<(String, Deed)> {
    let units = props.worlds.iter().flat_map(|world| {
        let placed = world.machines.iter().flat_map(|machine| &machine.units);
        placed.chain(&world.unplaced).map(|unit| unit.kind.as_str())
    });
    let mut known: Vec<&str> = Vec::new();
    for kind in std::iter::once("node").chain(units) {
        if !known.contains(&kind) {
            known.push(kind);
        }
    }
    let table = |kind: &str| -> (String, Deed) {
        let filter = format!("{kind}/");
        let deed = move |control: &Control| {
            control.act(Action::Filter(filter.clone()));
            control.look(Look::Table);
        };
        (format!(":{kind}s"), Rc::new(deed))
    };
    known.into_iter().map(table).collect()
}

fn commands(props: &PaletteProps, asked: bool) -> Vec<(String, Deed)> {
    let t = props.t;
    let mut all: Vec<(String, Deed)> = Vec::new();
    // Words of other places that begin within a sentence there.
    let mut add = |mut title: String, deed: Deed| {
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        all.push((title, deed));
    };
    let simple: [(&str, fn(&Control)); 12] = [
        (t.play(), |control| control.toggle()),
        (t.step_back(), |control| control.send(&Request::Step(false))),
        (t.step_forward(), |control| {
            control.send(&Request::Step(true))
        }),
        (t.to_start(), |control| control.seek(0)),
        (t.to_end(), |control| {
            control.seek(control.model().shown.clock.tip_us)
        }),
        (t.fork(), Control::fork),
        (t.bookmark(), |control| control.bookmark()),
        (t.fault_heal_all(), |control| {
            control.perform(&Request::Heal(None))
        }),
        (t.fault_registry(), |control| {
            control.break_machine("registry-down", "")
        }),
        (t.help_present(), |_| dom::toggle_root("data-present")),
        (t.help_undo(), Control::undo),
        (t.help_redo(), Control::redo),
    ];
    for (title, deed) in simple {
        add(title.to_owned(), Rc::new(deed));
    }
    let examples: [(&str, fn() -> Project); 2] = [
        (t.example_poll(), files::poll),
        (t.example_blank(), files::blank),
    ];
    for (title, project) in examples {
        add(
            format!("{}: {title}", t.example()),
            Rc::new(move |control: &Control| control.load(project())),
        );
    }
    for look in Look::ALL {
        add(
            format!("{}: {}", t.views(), look.title(t)),
            Rc::new(move |control: &Control| control.look(look)),
        );
    }
    for detail in Detail::ALL {
        add(
            format!("{}: {}", t.detail(), detail.title(t)),
            Rc::new(move |control: &Control| control.detail(detail)),
        );
    }
    let dialogs = [
        ("experiment", t.experiment()),
        ("earlier", t.earlier()),
        ("gallery", t.gallery()),
        ("share", t.share()),
        ("help", t.help_title()),
    ];
    for (id, title) in dialogs {
        add(
            title.to_owned(),
            Rc::new(move |_: &Control| dom::dialog(id, true)),
        );
    }
    for machine in props.workers.iter() {
        let kinds = [
            ("node-crash", t.fault_kill()),
            ("node-reboot", t.fault_reboot()),
            ("partition", t.fault_partition()),
            ("disk-slow", t.fault_disk()),
            ("cpu-hog", t.fault_cpu()),
        ];
        for (kind, title) in kinds {
            let machine = machine.clone();
            add(
                format!("{title}: {machine}"),
                Rc::new(move |control: &Control| control.break_machine(kind, &machine)),
            );
        }
        let machine = machine.clone();
        add(
            t.heal_machine(&machine),
            Rc::new(move |control: &Control| control.heal_machine(&machine)),
        );
    }
    for entry in ENTRIES {
        let question = gallery::words(entry.name, t).map_or(entry.title, |(question, _)| question);
        add(
            format!("{}: {question}", t.gallery()),
            Rc::new(move |control: &Control| control.load(gallery::project(entry))),
        );
    }
    // Objects are many: they come once something is looked for.
    for world in props.worlds.iter().filter(|_| asked) {
        let machines = world
            .machines
            .iter()
            .map(|machine| format!("node/{}", machine.name));
        let units = world.machines.iter().flat_map(|machine| &machine.units);
        let units = units.map(|unit| format!("{}/{}", unit.kind, unit.name));
        for object in machines.chain(units) {
            let shown = format!("{object} · {}", planes::name(&world.orchestrator, t));
            let (orchestrator, named) = (world.orchestrator.clone(), object.clone());
            add(
                format!("{}: {shown}", t.inspect()),
                Rc::new(move |control: &Control| control.inspect(&orchestrator, &named)),
            );
            let (orchestrator, named) = (world.orchestrator.clone(), object.clone());
            let why = move |control: &Control| {
                control.explain(Some(Why {
                    orchestrator: orchestrator.clone(),
                    seq: 0,
                    object: named.clone(),
                }));
            };
            add(format!("{} {shown}", t.why()), Rc::new(why));
            if let Some((kind, name)) = object.split_once('/')
                && kind != "node"
            {
                let name = name.to_owned();
                let kill = move |control: &Control| control.kill_unit(&name);
                add(format!("{}: {shown}", t.kill()), Rc::new(kill));
            }
        }
    }
    all
}
