//! The page's root: the engine's link, the reader's preferences, and the layout.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use sim_core::base::double;
use sim_core::protocol::{Project, Reply, Request};
use yew::prelude::*;

use crate::control::{Control, Opening, Start};
use crate::dom;
use crate::files;
use crate::filter;
use crate::gallery;
use crate::keys::{self, Keys};
use crate::link::WorkerLink;
use crate::menus;
use crate::model::{Action, Engine, Model};
use crate::permalink;
use crate::sessions;
use crate::text::{Language, Text};
use crate::ui::charts::Charts;
use crate::ui::compare::Compare;
use crate::ui::console::Console;
use crate::ui::earlier::Earlier;
use crate::ui::editor_panel::EditorPanel;
use crate::ui::events::Events;
use crate::ui::experiment::Experiment;
use crate::ui::faults::Faults;
use crate::ui::gallery::Gallery;
use crate::ui::help::Help;
use crate::ui::inspector::Inspector;
use crate::ui::live::Live;
use crate::ui::palette::Palette;
use crate::ui::share::Share;
use crate::ui::timeline::Timeline;
use crate::ui::top_bar::TopBar;
use crate::ui::watch::Watch;
use crate::ui::why_graph::WhyGraph;

/// The page's colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// As it is kept.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of a word; what is no theme is the system's.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }
}

/// The address's word, the kept one, the browser's.
fn first_language() -> Language {
    let asked = dom::parameter("lang").or_else(|| dom::kept("podium.language"));
    let own = dom::languages();
    asked
        .iter()
        .chain(&own)
        .find_map(|tag| Language::parse(tag))
        .unwrap_or_default()
}

/// What the page begins with: the address decides, then the last session.
fn first_model(linked: &Option<Result<Opening, permalink::Fault>>) -> Model {
    if let Some(Ok((recording, scene))) = linked {
        let mut model = Model::new(permalink::latest(recording), false);
        model.recording = Some(Rc::new(recording.clone()));
        return (*Rc::new(model).reduce(Action::Scene(scene.clone()))).clone();
    }
    let clean =
        dom::parameter("test").is_some() || dom::parameter("new").is_some() || dom::embedded();
    let kept = if clean { None } else { sessions::kept() };
    let restored = kept.as_ref().is_some_and(|kept| *kept != files::poll());
    let mut project = kept.unwrap_or_else(files::poll);
    if let Some(seed) = dom::parameter("seed").and_then(|seed| seed.parse().ok()) {
        project.seed = seed;
    }
    let mut model = Model::new(project, restored);
    if let Some(Err(fault)) = linked {
        model.link_fault = Some(*fault);
    }
    model
}

fn first_start() -> Start {
    let seconds = dom::parameter("t")
        .and_then(|time| double::parse(&time))
        .unwrap_or(0.0);
    let stopped =
        dom::parameter("speed").as_deref() == Some("0") || dom::parameter("test").is_some();
    Start {
        playing: !stopped && !dom::media("(prefers-reduced-motion: reduce)"),
        at_us: (seconds.max(0.0) * 1_000_000.0) as u64,
        keeps: dom::parameter("test").is_none() && !dom::embedded(),
    }
}

/// Whether the page is dark now.
fn is_dark(theme: Theme) -> bool {
    match theme {
        Theme::Auto => dom::media("(prefers-color-scheme: dark)"),
        Theme::Light => false,
        Theme::Dark => true,
    }
}

/// The root of the page.
#[component]
pub fn Page() -> Html {
    let linked = use_memo((), |()| permalink::read(&dom::fragment()));
    let model = {
        let linked = linked.clone();
        use_reducer(move || first_model(&linked))
    };
    let language = use_state_eq(first_language);
    let theme = use_state_eq(|| Theme::parse(&dom::kept("podium.theme").unwrap_or_default()));
    let letters = use_state_eq(|| dom::kept("podium.letters").as_deref() != Some("off"));
    let own_keys = use_state_eq(|| Rc::new(Keys::kept()));
    let plain = use_state_eq(|| dom::kept("podium.plain").as_deref() == Some("on"));
    let silent = use_state_eq(|| dom::kept("podium.silent").as_deref() == Some("on"));
    let control = {
        let (dispatch, first) = (model.dispatcher(), Rc::new((*model).clone()));
        let opening = (*linked).clone().and_then(Result::ok);
        use_memo((), move |()| {
            Control::new(dispatch, first, first_start(), opening)
        })
    };
    let control = (*control).clone();
    let shared = use_memo((*model).clone(), |model| Rc::new(model.clone()));
    let shared = (*shared).clone();
    control.renew(shared.clone());
    let t = Text {
        language: *language,
    };

    {
        let control = control.clone();
        use_effect_with((), move |()| {
            start_engine(&control);
            let hiding = pause_while_hidden(control.clone());
            let linking = open_links(control.clone());
            let updating = {
                let control = control.clone();
                // Another page's part is that page's to load.
                dom::on_update(move || control.act(Action::Updated(!dom::embedded())))
            };
            control.act(Action::Updated(dom::has_update() && !dom::embedded()));
            if dom::embedded() {
                dom::set_root("data-embed", Some(""));
            }
            move || {
                drop(hiding);
                drop(linking);
                drop(updating);
                control.connect(None);
            }
        });
    }
    {
        let control = control.clone();
        let acting = use_memo((), |()| RefCell::new(None));
        *acting.borrow_mut() = letters.then(|| (*own_keys).clone());
        use_effect_with((), move |()| {
            let letters = move || acting.borrow().clone();
            let listeners = (
                keys::listen(control, letters),
                keys::lights(),
                menus::listen(),
            );
            move || drop(listeners)
        });
    }
    use_effect_with(shared.script_generation, {
        let (control, project) = (control.clone(), shared.project.clone());
        move |_| control.keep_touched(&project)
    });
    use_effect_with((*language, *theme), |(language, theme)| {
        dom::set_root("lang", Some(language.html()));
        dom::set_root(
            "data-theme",
            if *theme == Theme::Auto {
                None
            } else {
                Some(theme.word())
            },
        );
    });
    use_effect_with((shared.shown.clock.number, shared.engine.clone()), {
        let (shown, begun) = (shared.shown.clone(), shared.begun);
        move |(_, engine)| {
            if begun || matches!(engine, Engine::Failed(_)) {
                dom::remove_skeleton();
            }
            dom::publish(
                *engine == Engine::Ready && begun,
                shown.clock.number,
                shown.clock.now_us,
                &shown.clock.hash,
            )
        }
    });

    let on_language = {
        let language = language.clone();
        Callback::from(move |chosen: Language| {
            dom::keep("podium.language", Some(chosen.tag()));
            language.set(chosen);
        })
    };
    let on_theme = {
        let theme = theme.clone();
        Callback::from(move |chosen: Theme| {
            dom::keep("podium.theme", Some(chosen.word()));
            theme.set(chosen);
        })
    };
    let on_keys = {
        let own_keys = own_keys.clone();
        Callback::from(move |keys: Keys| {
            keys.keep();
            own_keys.set(Rc::new(keys));
        })
    };
    let setting = |state: &UseStateHandle<bool>, key: &'static str| {
        let state = state.clone();
        Callback::from(move |on: bool| {
            dom::keep(key, Some(if on { "on" } else { "off" }));
            state.set(on);
        })
    };
    let (on_letters, on_plain, on_silent) = (
        setting(&letters, "podium.letters"),
        setting(&plain, "podium.plain"),
        setting(&silent, "podium.silent"),
    );
    let example = use_memo(shared.project.clone(), |project| example(project));
    let shown = &shared.shown;
    let found = use_memo(
        (shared.filter.clone(), shown.worlds.clone()),
        |(filter, worlds)| {
            worlds
                .iter()
                .map(|world| filter::of(filter, world))
                .collect::<Vec<_>>()
        },
    );
    let found = (*found).clone();
    let workers = shown.workers.clone();
    html! {
        <div class="page" data-testid="page" data-engine={shared.engine.attribute()}>
            <nav class="skips">
                <a href="#panel-edit">{ t.skip_editor() }</a>
                <a href="#panel-watch">{ t.skip_cluster() }</a>
                <a href="#timeline-slider">{ t.skip_timeline() }</a>
                <a href="#console-line">{ t.skip_console() }</a>
            </nav>
            <TopBar {t} control={control.clone()} example={*example} theme={*theme} {on_language} {on_theme} />
            { notices(t, &control, &shared) }
            if dom::embedded() {
                <p class="embed-link"><a target="_blank" rel="noopener" data-testid="embed-open" href={control.link().unwrap_or_else(|_| dom::address())}>{ t.embed_open() }</a></p>
            }
            <main id="main" class="main">
                <EditorPanel {t} control={control.clone()} tabs={shared.tabs.clone()} active={shared.active.clone()} generation={shared.generation}
                    text_generation={(shared.text_generation, shared.script_generation)} checked={shared.checked.clone()} last={shared.last.clone()}
                    reveal={shared.reveal.clone()} plain={*plain} />
                <div class="center">
                    <Watch {t} control={control.clone()} worlds={found} filter={shared.filter.clone()} target={shared.target()} healable={shown.healable.clone()} dark={is_dark(*theme)} look={shared.look} detail={shared.detail} levels={shared.levels()} frame={shown.clock.number} />
                    <Charts {t} control={control.clone()} worlds={shown.worlds.clone()} faults={shown.faults.clone()} services={shared.services()}
                        service={shared.charted()} now_us={shown.clock.now_us} window={shared.window()} ghost={shared.ghost.clone()} />
                    <Faults {t} control={control.clone()} workers={workers.clone()} target={shared.target()} others={shared.others()} faults={shown.faults.clone()} project={shared.project.clone()} />
                </div>
                <div class="side">
                    <Events {t} control={control.clone()} events={shown.events.clone()} asked={shared.why.clone()} why={shown.why.clone()} />
                    <Console {t} control={control.clone()} entries={shared.console.clone()} />
                </div>
                <Timeline {t} control={control.clone()} clock={shown.clock.clone()} window={shared.window()} faults={shown.faults.clone()} speed={control.speed()}
                    bookmarks={shared.bookmarks.clone()} range={shared.range} target={shared.target()} recording={shared.recording.clone()} />
            </main>
            { bottom_bar(t) }
            <Experiment {t} control={control.clone()} project={shared.project.clone()} />
            <Earlier {t} control={control.clone()} />
            <Share {t} control={control.clone()} recording={shared.recording.clone()} now_us={shown.clock.now_us} />
            <Gallery {t} control={control.clone()} />
            <Inspector {t} control={control.clone()} inspected={shared.inspected.clone()} parts={shown.anatomy.clone()} />
            <WhyGraph {t} control={control.clone()} causes={shared.causes.clone()} />
            <Compare {t} control={control.clone()} branches={shown.clock.branches.clone()} compared={shared.compared.clone()} />
            <Palette {t} control={control.clone()} worlds={shown.worlds.clone()} {workers} />
            <Help {t} letters={*letters} {on_letters} keys={(*own_keys).clone()} {on_keys} plain={*plain} {on_plain} silent={*silent} {on_silent} />
            <Live {t} worlds={shown.worlds.clone()} silent={*silent} />
        </div>
    }
}

fn example(project: &Project) -> &'static str {
    if project.files == files::poll().files {
        "poll"
    } else if project.files == files::blank().files {
        "blank"
    } else if gallery::entry(project).is_some() {
        "gallery"
    } else {
        "own"
    }
}

/// What needs the reader: a stopped engine, a refusal, the restored session.
fn notices(t: Text, control: &Control, model: &Model) -> Html {
    let act = |act: fn(&Control)| {
        let control = control.clone();
        Callback::from(move |_: MouseEvent| act(&control))
    };
    html! {
        <div class="notices">
            { match &model.engine {
                Engine::Starting => html! { <p class="sr-only" role="status" data-testid="engine-status">{ t.engine_starting() }</p> },
                Engine::Ready => html! { <p class="sr-only" role="status" data-testid="engine-status">{ t.engine_ready() }</p> },
                Engine::Failed(reason) => html! { <p class="notice notice-error" role="alert" data-testid="engine-status">{ t.engine_failed(reason) }</p> },
            } }
            if !model.refusal.is_empty() {
                <p class="notice notice-error" role="alert" data-testid="refusal">
                    { for model.refusal.iter().enumerate().map(|(place, said)| html! { <>
                        if place > 0 { { t.between_clauses() } }
                        <span lang={t.said_lang(said)}>{ t.said(said) }</span></> }) }
                    { " " }
                    <button type="button" class="small" onclick={act(|control| control.act(Action::Dismiss))}>{ t.dismiss() }</button></p>
            }
            if let Some(reason) = &model.crash {
                <div class="notice notice-error" role="alert" data-testid="crash"><p>{ t.crash() }</p><p><code lang="en">{ reason }</code></p>
                    <button type="button" class="small" onclick={|_| dom::dialog("share", true)}>{ t.crash_link() }</button>{ " " }
                    <button type="button" class="small" onclick={act(|control| control.act(Action::Crashed(None)))}>{ t.dismiss() }</button></div>
            }
            if let Some(fault) = model.link_fault {
                <p class="notice notice-error" role="alert" data-testid="link-fault">{ match fault {
                    permalink::Fault::Long => t.link_too_long(),
                    permalink::Fault::Version => t.link_version(),
                    permalink::Fault::Damaged => t.link_damaged(),
                    permalink::Fault::Example => t.link_example(),
                } }{ " " }<button type="button" class="small" onclick={act(|control| control.act(Action::LinkFault(None)))}>{ t.dismiss() }</button></p>
            }
            if model.unkept {
                <p class="notice" role="status" data-testid="unkept">{ t.unkept() }</p>
            }
            if model.updated {
                <p class="notice toast" role="status" data-testid="update">{ t.update_ready() }{ " " }
                    <button type="button" class="small" data-testid="update-load" onclick={act(Control::reload)}>{ t.update_load() }</button>{ " " }
                    <button type="button" class="small" onclick={act(|control| control.act(Action::Updated(false)))}>{ t.update_later() }</button></p>
            }
            if !model.dropped.is_empty() {
                <p class="notice" role="status" data-testid="dropped">{ t.branches_dropped(model.dropped.len() as u64) }{ " " }
                    { for model.dropped.iter().map(|(name, recording)| {
                        let (control, recording) = (control.clone(), recording.clone());
                        html! { <><button type="button" class="small" data-testid="branch-back" onclick={move |_| control.bring_back(recording.clone())}>{ t.branch_back(name) }</button>{ " " }</> }
                    }) }
                    <button type="button" class="small" onclick={act(|control| control.act(Action::Dropped(Rc::default())))}>{ t.dismiss() }</button></p>
            }
            if model.restored {
                <p class="notice" data-testid="restored">{ t.restored() }{ " " }
                    <button type="button" class="small" onclick={act(Control::fresh)}>{ t.restored_discard() }</button>{ " " }
                    <button type="button" class="small" onclick={|_| dom::dialog("earlier", true)}>{ t.earlier() }</button>{ " " }
                    <button type="button" class="small" onclick={act(|control| control.act(Action::Settle))}>{ t.dismiss() }</button></p>
            }
        </div>
    }
}

/// The phone's bar: one panel at a time.
fn bottom_bar(t: Text) -> Html {
    let panel = |name: &'static str, shown: &'static str| {
        html! { <button type="button" data-testid={format!("panel-{name}")} data-for={name} onclick={move |_| dom::panel(name)}>{ shown }</button> }
    };
    html! {
        <nav class="bottom-bar" aria-label={t.nav_panels()}>
            { panel("watch", t.panel_watch()) }
            { panel("edit", t.panel_edit()) }
            { panel("why", t.panel_time()) }
            { panel("console", t.panel_console()) }
        </nav>
    }
}

/// Starts the worker; its replies go to the model, and each frame is acknowledged when it is drawn.
fn start_engine(control: &Control) {
    let own = control.clone();
    let drawing = RefCell::new(None);
    let started = WorkerLink::start(move |reply| {
        if own.is_late(&reply) {
            return;
        }
        if own.hear(&reply) {
            if let Reply::Fatal(reason) = reply {
                // The link that speaks now is dropped when it has finished.
                let control = own.clone();
                own.act(Action::Crashed(Some(reason)));
                gloo::timers::callback::Timeout::new(0, move || start_engine(&control)).forget();
            }
            return;
        }
        match &reply {
            Reply::Ready { .. } => own.begin(),
            Reply::Frame(frame) => {
                let (control, number) = (own.clone(), frame.number);
                let drawn = gloo::render::request_animation_frame(move |_| {
                    control.send(&Request::Ack(number))
                });
                *drawing.borrow_mut() = Some(drawn);
            }
            Reply::Checked { .. }
            | Reply::Output(_)
            | Reply::Recorded(_)
            | Reply::Answer { .. }
            | Reply::Refused(_)
            | Reply::Fatal(_) => {}
        }
        own.act(Action::Reply(reply));
    });
    match started {
        Ok(link) => control.connect(Some(link)),
        Err(reason) => control.act(Action::Failed(reason)),
    }
}

/// A page that nobody sees lets no time pass.
fn pause_while_hidden(control: Control) -> EventListener {
    let was_playing = Cell::new(false);
    EventListener::new(&gloo::utils::document(), "visibilitychange", move |_| {
        if dom::hidden() {
            was_playing.set(control.model().shown.clock.playing);
            control.send(&Request::Pause);
        } else if was_playing.replace(false) {
            control.play();
        }
    })
}

/// A link put into the address bar opens; one that cannot be read leaves everything as it is.
fn open_links(control: Control) -> EventListener {
    EventListener::new(
        &gloo::utils::window(),
        "hashchange",
        move |_| match permalink::read(&dom::fragment()) {
            Some(Ok(opening)) => control.open(opening),
            Some(Err(fault)) => control.act(Action::LinkFault(Some(fault))),
            None => {}
        },
    )
}
