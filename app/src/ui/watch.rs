//! The middle of the page: machines, services or control loops.

use std::rc::Rc;

use sim_core::protocol::WorldFrame;
use web_sys::{HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::model::Action;
use crate::text::Text;
use crate::ui::detail::{Detail, choice};
use crate::ui::loops::Loops;
use crate::ui::planes::Planes;
use crate::ui::services::Services;
use crate::ui::table::Table;

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// Machines with what runs on them.
    #[default]
    Machines,
    /// Workloads with their replicas.
    Services,
    /// Control loops.
    Loops,
    /// All of it in rows and columns.
    Table,
}

impl Look {
    /// All of them, in the order shown.
    pub const ALL: [Self; 4] = [Self::Machines, Self::Services, Self::Loops, Self::Table];

    /// As in test ids.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Machines => "machines",
            Self::Services => "services",
            Self::Loops => "loops",
            Self::Table => "table",
        }
    }

    /// As people read it.
    #[must_use]
    pub fn title(self, t: Text) -> &'static str {
        match self {
            Self::Machines => t.view_machines(),
            Self::Services => t.view_services(),
            Self::Loops => t.view_loops(),
            Self::Table => t.view_table(),
        }
    }
}

/// What the middle needs.
#[derive(Properties, PartialEq)]
pub struct WatchProps {
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
    /// What is looked at.
    pub look: Look,
    /// How closely the reader wants to see the machines.
    pub detail: Detail,
    /// How closely those of each world are shown.
    pub levels: Vec<Detail>,
    /// Number of the frame shown.
    pub frame: u32,
    /// What is looked for; empty: everything.
    pub filter: AttrValue,
}

/// The middle.
#[component]
pub fn Watch(props: &WatchProps) -> Html {
    let t = props.t;
    let on_filter = {
        let control = props.control.clone();
        Callback::from(move |event: InputEvent| {
            let input: HtmlInputElement = event.target_unchecked_into();
            control.act(Action::Filter(input.value()));
        })
    };
    let on_key = {
        let control = props.control.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                control.act(Action::Filter(String::new()));
                dom::focus("panel-watch");
            }
        })
    };
    html! {
        <section id="panel-watch" class="planes-panel" tabindex="-1" aria-label={props.look.title(t)}>
            <div class="segments looks" role="group" aria-label={t.views()}>
                { for Look::ALL.into_iter().map(|look| {
                    let control = props.control.clone();
                    html! { <button type="button" class="segment small" aria-pressed={(look == props.look).to_string()} data-testid={format!("look-{}", look.word())}
                        onclick={move |_| control.look(look)}>{ look.title(t) }</button> }
                }) }
            </div>
            <input type="text" class="filter" id="filter" placeholder={t.filter_hint()} aria-label={t.filter()} value={props.filter.clone()} autocomplete="off" spellcheck="false"
                data-testid="filter" oninput={on_filter} onkeydown={on_key} />
            if props.look == Look::Machines { { choice(t, &props.control, &props.worlds, props.detail) } }
            { match props.look {
                Look::Machines => html! { <Planes {t} control={props.control.clone()} worlds={props.worlds.clone()} target={props.target.clone()} healable={props.healable.clone()} dark={props.dark} levels={props.levels.clone()} /> },
                Look::Services => html! { <Services {t} control={props.control.clone()} worlds={props.worlds.clone()} /> },
                Look::Loops => html! { <Loops {t} control={props.control.clone()} frame={props.frame} filter={props.filter.clone()} /> },
                Look::Table => html! { <Table {t} control={props.control.clone()} worlds={props.worlds.clone()} /> },
            } }
        </section>
    }
}
