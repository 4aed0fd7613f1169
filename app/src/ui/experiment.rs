//! The experiment's dialog: files, machines, seed, faults, length.

use std::rc::Rc;

use sim_core::protocol::Project;
use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::files;
use crate::text::Text;
use crate::ui::editor_panel::take;

/// What the dialog needs.
#[derive(Properties, PartialEq)]
pub struct ExperimentProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The project.
    pub project: Rc<Project>,
}

/// The dialog.
#[component]
pub fn Experiment(props: &ExperimentProps) -> Html {
    let (t, project) = (props.t, &props.project);
    let (pasted, nodes, seed) = (use_node_ref(), use_node_ref(), use_node_ref());
    let (faults, length, replace) = (use_node_ref(), use_node_ref(), use_node_ref());
    let on_files = {
        let (control, replace) = (props.control.clone(), replace.clone());
        Callback::from(move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            let replace = replace
                .cast::<HtmlInputElement>()
                .is_none_or(|add| !add.checked());
            take(&control, input.files(), replace);
            dom::dialog("experiment", false);
        })
    };
    let on_start = {
        let control = props.control.clone();
        let (pasted, nodes, seed, faults, length, replace) = (
            pasted.clone(),
            nodes.clone(),
            seed.clone(),
            faults.clone(),
            length.clone(),
            replace.clone(),
        );
        Callback::from(move |_: MouseEvent| {
            let number = |place: &NodeRef| {
                place
                    .cast::<HtmlInputElement>()
                    .and_then(|input| input.value().trim().parse::<u64>().ok())
            };
            let text = |place: &NodeRef| {
                place
                    .cast::<HtmlTextAreaElement>()
                    .map(|area| area.value())
                    .unwrap_or_default()
            };
            let mut project = (*control.model().project).clone();
            let added = files::split(&text(&pasted));
            if !added.is_empty()
                && replace
                    .cast::<HtmlInputElement>()
                    .is_none_or(|add| !add.checked())
            {
                project.files.retain(|file| file.name == files::CLUSTER);
            }
            files::merge(&mut project.files, added);
            project.nodes = number(&nodes)
                .and_then(|nodes| u32::try_from(nodes).ok())
                .unwrap_or(project.nodes);
            project.seed = number(&seed).unwrap_or(project.seed);
            let (nodes, seed) = (u64::from(project.nodes), project.seed);
            files::say(&mut project, "nodes", nodes);
            files::say(&mut project, "seed", seed);
            project.length_us = number(&length).map_or(project.length_us, |seconds| {
                seconds.saturating_mul(1_000_000)
            });
            project.faults = text(&faults)
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect();
            if let Some(area) = pasted.cast::<HtmlTextAreaElement>() {
                area.set_value("");
            }
            control.load(project);
            dom::dialog("experiment", false);
        })
    };
    let on_download = {
        let control = props.control.clone();
        Callback::from(move |_: MouseEvent| {
            dom::download("podium.yaml", &files::join(&control.model().project.files))
        })
    };
    // Enter would press the form's first button, which cancels.
    let on_key = |event: KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
            dom::press("[data-testid=experiment-start]");
        }
    };
    html! {
        <dialog id="experiment" aria-labelledby="experiment-title" data-testid="experiment">
            <form method="dialog" class="dialog">
                <h2 id="experiment-title">{ t.experiment_title() }</h2>
                <label class="check"><input type="checkbox" ref={replace} data-testid="experiment-add" />{ t.experiment_add() }</label>
                <div class="columns">
                    // A browser's own file fields speak the browser's language.
                    <label class="button">{ t.experiment_files() }<input type="file" multiple=true class="sr-only" data-testid="experiment-files" onchange={on_files.clone()} /></label>
                    <label class="button">{ t.experiment_folder() }<input type="file" multiple=true webkitdirectory=true class="sr-only" data-testid="experiment-folder" onchange={on_files} /></label>
                </div>
                <label>{ t.experiment_paste() }<textarea rows="6" spellcheck="false" ref={pasted} placeholder={t.experiment_paste_hint()} data-testid="experiment-paste" /></label>
                <div class="columns" onkeydown={on_key}>
                    <label>{ t.experiment_nodes() }<input type="number" min="1" max="5000" ref={nodes} value={files::said(project, "nodes", project.nodes.into()).to_string()} data-testid="experiment-nodes" /></label>
                    <label>{ t.experiment_seed() }<input type="number" min="0" ref={seed} value={files::said(project, "seed", project.seed).to_string()} data-testid="experiment-seed" /></label>
                    <label>{ t.experiment_length() }<input type="number" min="1" ref={length} value={(project.length_us / 1_000_000).to_string()} data-testid="experiment-length" /></label>
                </div>
                <label>{ t.experiment_faults() }<textarea rows="3" spellcheck="false" id="experiment-faults" ref={faults} placeholder={t.experiment_faults_hint()}
                    value={project.faults.join("\n")} data-testid="experiment-faults" /></label>
                <div class="dialog-buttons">
                    <button type="button" data-testid="earlier-open" onclick={|_| { dom::dialog("experiment", false); dom::dialog("earlier", true) }}>{ t.earlier() }</button>
                    <button type="button" onclick={on_download}>{ t.download() }</button>
                    <button type="submit">{ t.cancel() }</button>
                    <button type="button" class="primary" data-testid="experiment-start" onclick={on_start}>{ t.experiment_start() }</button>
                </div>
            </form>
        </dialog>
    }
}
