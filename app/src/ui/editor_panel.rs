//! A tab for each file, its editor, and whether the worlds run what it says.

use std::rc::Rc;

use sim_core::protocol::{FAULTS, File};
use web_sys::{DragEvent, FileList, HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::editor::Editor;
use crate::files;
use crate::model::{Action, Applied, Checked, Reveal};
use crate::text::Text;
use crate::ui::changes::Changes;
use crate::ui::problems::Problems;

/// What the panel needs.
#[derive(Properties, PartialEq)]
pub struct EditorPanelProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The texts, a tab each.
    pub tabs: Rc<Vec<Rc<File>>>,
    /// Name of the file whose tab is open.
    pub active: String,
    /// Raised when the texts are another project's.
    pub generation: u32,
    /// Raised when the page changed texts, and when it changed the fault script.
    pub text_generation: (u32, u32),
    /// The last check.
    pub checked: Rc<Checked>,
    /// What the last edit changed.
    pub last: Applied,
    /// A place to show.
    pub reveal: Option<Reveal>,
    /// Whether texts are edited in a plain text area.
    pub plain: bool,
}

/// Adds files that the reader chose or dropped, and starts anew with them.
pub fn take(control: &Control, list: Option<FileList>, replace: bool) {
    let Some(list) = list.filter(|list| list.length() > 0) else {
        return;
    };
    let control = control.clone();
    wasm_bindgen_futures::spawn_local(async move {
        let read = dom::read_files(list).await;
        let added: Vec<File> = read
            .into_iter()
            .map(|(name, text)| File { name, text })
            .collect();
        let mut project = (*control.model().project).clone();
        if replace {
            project.files.retain(|file| file.name == files::CLUSTER);
            // The example's own fault says nothing of other files.
            if project.faults == files::poll().faults {
                project.faults.clear();
            }
        }
        files::merge(&mut project.files, added);
        control.load(project);
    });
}

/// The panel.
#[component]
pub fn EditorPanel(props: &EditorPanelProps) -> Html {
    let (t, shown) = (props.t, &props.tabs);
    let seen = use_mut_ref(Vec::<String>::new);
    if !seen.borrow().contains(&props.active) {
        // An editor is built when its tab is first opened, and stays.
        seen.borrow_mut().push(props.active.clone());
    }
    let on_choose = {
        let control = props.control.clone();
        Callback::from(move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            take(&control, input.files(), false);
        })
    };
    let on_drop = {
        let control = props.control.clone();
        Callback::from(move |event: DragEvent| {
            let list = event
                .data_transfer()
                .and_then(|data| data.files())
                .filter(|list| list.length() > 0);
            if list.is_some() {
                event.prevent_default();
                take(&control, list, false);
            }
        })
    };
    let tabs = (0..shown.len()).map(|place| tab(props, place));
    let editors = shown.iter().filter(|file| seen.borrow().contains(&file.name)).map(|file| {
        let (texts, script) = props.text_generation;
        let script = if file.name == FAULTS { script } else { 0 };
        html! {
            <Editor key={format!("{}-{}", props.plain, file.name)} {t} plain={props.plain} control={props.control.clone()} file={file.clone()} active={file.name == props.active}
                generation={props.generation} text_generation={(texts, script)} checked={props.checked.clone()}
                reveal={props.reveal.clone().filter(|reveal| reveal.file == file.name)} />
        }
    });
    html! {
        <section id="panel-edit" class="panel editor-panel" tabindex="-1" aria-labelledby="editor-title" ondragover={|event: DragEvent| event.prevent_default()} ondrop={on_drop}>
            <h2 id="editor-title" class="sr-only">{ t.editor() }</h2>
            <div class="tabs">
                <div class="tab-list" role="group" aria-label={t.editor()}>{ for tabs }</div>
                <label class="button file-button" title={t.file_add()}>
                    <span aria-hidden="true">{ "+" }</span><span class="sr-only">{ t.file_add() }</span>
                    <input type="file" multiple=true class="sr-only" data-testid="file-add" onchange={on_choose} />
                </label>
            </div>
            <p id="editor-hint" class="sr-only">{ t.editor_hint() }</p>
            <div class="editors">{ for editors }</div>
            // Below the text, which does not move under whoever writes it or points at it.
            if props.checked.stale {
                <p class="badge badge-stale" data-testid="last-valid"><span aria-hidden="true">{ "▲ " }</span>{ t.last_valid() }</p>
            }
            <Changes {t} control={props.control.clone()} changes={props.last.changes.clone()} output={props.last.output.clone()} />
            <Problems {t} control={props.control.clone()} checked={props.checked.clone()} />
        </section>
    }
}

/// Whether a tab is a manifest, not a part of the experiment itself.
fn is_manifest(name: &str) -> bool {
    ![files::CLUSTER, FAULTS].contains(&name)
}

fn tab(props: &EditorPanelProps, place: usize) -> Html {
    let (t, tabs) = (props.t, &props.tabs);
    let name = tabs[place].name.clone();
    let label = match name.as_str() {
        files::CLUSTER => t.tab_cluster(),
        FAULTS => t.tab_faults(),
        name => name,
    };
    // Without any manifest there is nothing to show: the last one stays.
    let manifests = tabs.iter().filter(|file| is_manifest(&file.name)).count();
    let closable = is_manifest(&name) && manifests > 1;
    let chosen = name == props.active;
    let errors = props
        .checked
        .diagnostics
        .iter()
        .filter(|found| found.file == name && found.severity == "error")
        .count();
    let on_choose = {
        let (control, name) = (props.control.clone(), name.clone());
        Callback::from(move |_: MouseEvent| control.act(Action::Activate(name.clone())))
    };
    let close = {
        let (control, tabs) = (props.control.clone(), tabs.clone());
        move || {
            // Its neighbour's tab has the focus then.
            let next = if place == 0 { 1 } else { place - 1 };
            if let Some(file) = tabs.get(next) {
                control.act(Action::Activate(file.name.clone()));
                dom::focus(&format!("tab-{next}"));
            }
            control.remove(&tabs[place].name);
        }
    };
    let on_key = {
        let (control, tabs) = (props.control.clone(), tabs.clone());
        let close = close.clone();
        Callback::from(move |event: KeyboardEvent| {
            let next = match event.key().as_str() {
                "ArrowLeft" => place.checked_sub(1),
                "ArrowRight" => Some(place + 1),
                "Delete" if closable => {
                    event.prevent_default();
                    event.stop_propagation();
                    close();
                    None
                }
                _ => None,
            };
            if let Some((place, file)) = next.and_then(|place| Some((place, tabs.get(place)?))) {
                event.prevent_default();
                control.act(Action::Activate(file.name.clone()));
                dom::focus(&format!("tab-{place}"));
            }
        })
    };
    let on_close = Callback::from(move |_: MouseEvent| close());
    html! {
        <span class={classes!("tab", chosen.then_some("tab-chosen"))} key={name.clone()}>
            <button type="button" id={format!("tab-{place}")} class="tab-name" data-tab="" aria-pressed={chosen.to_string()}
                tabindex={if chosen { "0" } else { "-1" }} data-testid={format!("tab-{name}")} onclick={on_choose} onkeydown={on_key}>
                { label }
                if errors > 0 { <span class="tab-errors">{ format!(" ✕{errors}") }</span> }
            </button>
            if chosen && closable {
                <button type="button" class="tab-close" tabindex="-1" aria-label={t.file_close(&name)} title={t.file_close(&name)} onclick={on_close}>{ "×" }</button>
            }
        </span>
    }
}
