//! The text editor: CodeMirror behind `www/editor/editor.mjs`, a text area until it has arrived.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect};
use sim_core::protocol::{Answer, Diagnostic, File, Query, Said};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, HtmlTextAreaElement};
use yew::prelude::*;

use crate::control::Control;
use crate::dom;
use crate::model::{Checked, Reveal};
use crate::text::Text;

/// The handle of a mounted editor, with what its callbacks live in.
struct Mounted {
    handle: JsValue,
    _on_change: Closure<dyn FnMut(JsValue, JsValue)>,
    _complete: Asker,
    _hover: Asker,
    _check: Asker,
}

/// Answers the editor's questions: (text, offset) to a promise.
type Asker = Closure<dyn FnMut(JsValue, JsValue) -> Promise>;

fn asker(
    control: &Control,
    name: &str,
    query: fn(File, u32) -> Query,
    (t, read): (&Rc<Cell<Text>>, fn(Answer, Text) -> JsValue),
) -> Asker {
    let (control, name, t) = (control.clone(), name.to_owned(), t.clone());
    Closure::new(move |text: JsValue, offset: JsValue| {
        let file = File {
            name: name.clone(),
            text: text.as_string().unwrap_or_default(),
        };
        let offset = offset.as_f64().unwrap_or(0.0) as u32;
        let (control, t) = (control.clone(), t.clone());
        Promise::new(&mut |resolve, _reject| {
            let t = t.clone();
            control.ask(query(file.clone(), offset), move |answer| {
                // A promise that nobody waits for any more is nobody's loss.
                drop(resolve.call1(&JsValue::UNDEFINED, &read(answer, t.get())));
            });
        })
    })
}

fn read_words(answer: Answer, t: Text) -> JsValue {
    let Answer::Words { from, words } = answer else {
        return JsValue::NULL;
    };
    let options: Array = words
        .iter()
        .map(|word| {
            JsValue::from(record(&[
                ("label", word.label.as_str().into()),
                ("said", told(&word.detail, t)),
                ("apply", word.text.as_str().into()),
            ]))
        })
        .collect();
    record(&[("from", from.into()), ("options", options.into())]).into()
}

/// What the engine says, as the editor takes it: the text, and its language where it is not the page's.
fn told(said: &Said, t: Text) -> JsValue {
    if said.is_empty() {
        return JsValue::NULL;
    }
    let lang = t.said_lang(said).map_or(JsValue::UNDEFINED, JsValue::from);
    record(&[("text", t.said(said).into()), ("lang", lang)]).into()
}

fn read_found(answer: Answer, t: Text) -> JsValue {
    let Answer::Found(found) = answer else {
        return JsValue::NULL;
    };
    entries(&found, t).into()
}

fn entries(found: &[Diagnostic], t: Text) -> Array {
    found.iter().map(|found| entry(found, t)).collect()
}

fn read_meaning(answer: Answer, t: Text) -> JsValue {
    let Answer::Meaning { from, to, lines } = answer else {
        return JsValue::NULL;
    };
    let lines: Array = lines.iter().map(|line| told(line, t)).collect();
    record(&[
        ("from", from.into()),
        ("to", to.into()),
        ("lines", lines.into()),
    ])
    .into()
}

impl Mounted {
    fn call(&self, name: &str, arguments: &[JsValue]) -> Option<JsValue> {
        let function = Reflect::get(&self.handle, &name.into())
            .ok()?
            .dyn_into::<Function>()
            .ok()?;
        function
            .apply(&self.handle, &arguments.iter().collect::<Array>())
            .ok()
    }

    fn text(&self) -> String {
        self.call("text", &[])
            .and_then(|text| text.as_string())
            .unwrap_or_default()
    }

    fn show(&self, diagnostics: &[Diagnostic], t: Text) {
        let Some(revision) = self.call("revision", &[]) else {
            return;
        };
        self.call(
            "setDiagnostics",
            &[revision, entries(diagnostics, t).into()],
        );
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.call("destroy", &[]);
    }
}

fn record(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a field of a fresh object cannot fail.
        drop(Reflect::set(&object, &(*name).into(), value));
    }
    object
}

fn entry(found: &Diagnostic, t: Text) -> JsValue {
    record(&[
        ("from", found.from.into()),
        ("to", found.to.into()),
        ("severity", found.severity.as_str().into()),
        ("code", found.code.as_str().into()),
        ("message", told(&found.message, t)),
        (
            "help",
            found
                .help
                .as_ref()
                .map_or(JsValue::NULL, |help| told(help, t)),
        ),
        (
            "fix",
            found.fix.as_ref().map_or(JsValue::UNDEFINED, |fix| {
                record(&[
                    ("from", fix.from.into()),
                    ("to", fix.to.into()),
                    ("text", fix.text.as_str().into()),
                ])
                .into()
            }),
        ),
    ])
    .into()
}

/// The editor's module, imported by `www/boot.mjs` on the page's behalf.
async fn module() -> Option<JsValue> {
    let url = dom::meta("editor-module")?;
    let load = Reflect::get(&gloo::utils::window(), &"podiumImport".into())
        .ok()?
        .dyn_into::<Function>()
        .ok()?;
    let promise = load
        .call1(&JsValue::UNDEFINED, &url.into())
        .ok()?
        .dyn_into::<Promise>()
        .ok()?;
    JsFuture::from(promise).await.ok()
}

async fn mount(
    element: Element,
    text: String,
    label: String,
    control: Control,
    name: String,
    t: &Rc<Cell<Text>>,
) -> Option<Mounted> {
    let mount = Reflect::get(&module().await?, &"mount".into())
        .ok()?
        .dyn_into::<Function>()
        .ok()?;
    let complete = asker(
        &control,
        &name,
        |file, offset| Query::Complete { file, offset },
        (t, read_words),
    );
    let hover = asker(
        &control,
        &name,
        |file, offset| Query::Hover { file, offset },
        (t, read_meaning),
    );
    let check = asker(
        &control,
        &name,
        |file, _| Query::Check(file),
        (t, read_found),
    );
    let markdown = name.ends_with(".md");
    let on_change = Closure::new(move |_revision: JsValue, text: JsValue| {
        let text = text.as_string().unwrap_or_default();
        control.edit(File {
            name: name.clone(),
            text,
        });
    });
    let options = record(&[
        ("doc", text.into()),
        ("label", label.into()),
        ("markdown", markdown.into()),
        ("describedBy", "editor-hint".into()),
        ("fixLabel", t.get().problem_fix().into()),
        ("onChange", on_change.as_ref().clone()),
        ("complete", complete.as_ref().clone()),
        ("hover", hover.as_ref().clone()),
        ("check", check.as_ref().clone()),
    ]);
    let handle = mount.call2(&JsValue::UNDEFINED, &element, &options).ok()?;
    Some(Mounted {
        handle,
        _on_change: on_change,
        _complete: complete,
        _hover: hover,
        _check: check,
    })
}

/// What an editor shows.
#[derive(Properties, PartialEq)]
pub struct EditorProps {
    /// Words.
    pub t: Text,
    /// The page's hands.
    pub control: Control,
    /// The file, with the text last sent.
    pub file: Rc<File>,
    /// Whether its tab is open.
    pub active: bool,
    /// Raised when the text is another project's.
    pub generation: u32,
    /// Raised when the page changed the text.
    pub text_generation: (u32, u32),
    /// The last check.
    pub checked: Rc<Checked>,
    /// A place to show.
    pub reveal: Option<Reveal>,
    /// Whether the text area is all that is wanted.
    pub plain: bool,
}

/// One file's editor.
#[component]
pub fn Editor(props: &EditorProps) -> Html {
    let place = use_node_ref();
    let mounted = use_mut_ref(|| None::<Mounted>);
    let arrived = use_state_eq(|| false);
    // What is asked in one language may be answered when the page is in another.
    let t = use_memo((), |()| Cell::new(props.t));
    t.set(props.t);
    {
        let (place, mounted, arrived) = (place.clone(), mounted.clone(), arrived.clone());
        let (file, control) = (props.file.clone(), props.control.clone());
        let label = props.t.editor_label(&file.name);
        let (t, plain) = (t.clone(), props.plain);
        use_effect_with((), move |()| {
            let alive = Rc::new(RefCell::new(true));
            let still = alive.clone();
            let kept = mounted.clone();
            spawn_local(async move {
                let Some(element) = place.cast::<Element>().filter(|_| !plain) else {
                    return;
                };
                let name = file.name.clone();
                let made = mount(
                    element,
                    file.text.clone(),
                    label,
                    control.clone(),
                    name.clone(),
                    &t,
                )
                .await;
                if let (Some(made), true) = (made, *still.borrow()) {
                    // What was typed into the text area meanwhile.
                    let model = control.model();
                    if let Some(file) = model.tabs.iter().find(|file| file.name == name) {
                        made.call("setDoc", &[file.text.as_str().into()]);
                    }
                    *kept.borrow_mut() = Some(made);
                    arrived.set(true);
                }
            });
            move || {
                *alive.borrow_mut() = false;
                mounted.borrow_mut().take();
            }
        });
    }
    {
        let mounted = mounted.clone();
        let words = (props.t, *arrived, props.file.name.clone());
        use_effect_with(words, move |(t, _, name)| {
            if let Some(mounted) = &*mounted.borrow() {
                let label = t.editor_label(name);
                let words = [
                    label.as_str(),
                    t.problem_fix(),
                    t.language.html(),
                    t.editor_meaning(),
                    t.editor_number(),
                ];
                mounted.call("setWords", &words.map(JsValue::from_str));
            }
        });
    }
    {
        let mounted = mounted.clone();
        let file = props.file.clone();
        use_effect_with((props.generation, *arrived), move |_| {
            if let Some(mounted) = &*mounted.borrow() {
                mounted.call("setDoc", &[file.text.as_str().into()]);
            }
        });
    }
    {
        let mounted = mounted.clone();
        let file = props.file.clone();
        use_effect_with(props.text_generation, move |_| {
            if let Some(mounted) = &*mounted.borrow() {
                mounted.call("mergeDoc", &[file.text.as_str().into()]);
            }
        });
    }
    {
        let mounted = mounted.clone();
        let file = props.file.clone();
        use_effect_with(
            (
                props.checked.clone(),
                props.t,
                props.generation,
                props.text_generation,
                *arrived,
            ),
            move |(checked, t, ..)| {
                if let Some(mounted) = &*mounted.borrow()
                    && mounted.text() == file.text
                {
                    let own: Vec<Diagnostic> = checked
                        .diagnostics
                        .iter()
                        .filter(|found| found.file == file.name)
                        .cloned()
                        .collect();
                    mounted.show(&own, *t);
                }
            },
        );
    }
    {
        let mounted = mounted.clone();
        let name = props.file.name.clone();
        use_effect_with((props.reveal.clone(), *arrived), move |(reveal, _)| {
            if let (Some(reveal), Some(mounted)) = (reveal, &*mounted.borrow())
                && reveal.file == name
            {
                mounted.call("reveal", &[reveal.from.into()]);
            }
        });
    }
    let on_input = {
        let (control, name) = (props.control.clone(), props.file.name.clone());
        Callback::from(move |event: InputEvent| {
            let area: HtmlTextAreaElement = event.target_unchecked_into();
            control.edit(File {
                name: name.clone(),
                text: area.value(),
            });
        })
    };
    html! {
        <div class="editor" hidden={!props.active} data-testid={format!("editor-{}", props.file.name)}>
            <div class="editor-place" ref={place} hidden={!*arrived} />
            if !*arrived {
                <textarea class="editor-plain" spellcheck="false" aria-label={props.t.editor_label(&props.file.name)}
                    value={props.file.text.clone()} oninput={on_input} />
            }
        </div>
    }
}
