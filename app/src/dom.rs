//! The page's document: with [`crate::link`] and [`crate::editor`] the only place that reaches the
//! browser beyond Yew's own events.

use gloo::events::EventListener;
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, Element, FileList, HtmlAnchorElement, HtmlDialogElement, HtmlElement, HtmlInputElement,
    KeyboardEvent, Storage, Url, UrlSearchParams,
};

/// The element with this `id`, if the document has one.
#[must_use]
pub fn element(id: &str) -> Option<Element> {
    gloo::utils::document().get_element_by_id(id)
}

/// The `content` of `<meta name=…>`: how the build tells the page the hashed names of its files.
/// None where the page was built without that entry.
#[must_use]
pub fn meta(name: &str) -> Option<String> {
    let selector = format!("meta[name=\"{name}\"]");
    let found = gloo::utils::document().query_selector(&selector).ok()??;
    found
        .get_attribute("content")
        .filter(|content| !content.is_empty())
}

/// Removes the static skeleton once the live page stands in its place.
pub fn remove_skeleton() {
    if let Some(skeleton) = element("skeleton") {
        skeleton.remove();
    }
}

/// A parameter of the page's address.
#[must_use]
pub fn parameter(name: &str) -> Option<String> {
    let search = gloo::utils::window().location().search().ok()?;
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// Whether a media query holds now.
#[must_use]
pub fn media(query: &str) -> bool {
    gloo::utils::window()
        .match_media(query)
        .ok()
        .flatten()
        .is_some_and(|list| list.matches())
}

/// The languages that the reader asks for, in order.
#[must_use]
pub fn languages() -> Vec<String> {
    gloo::utils::window()
        .navigator()
        .languages()
        .iter()
        .filter_map(|tag| tag.as_string())
        .collect()
}

/// Whether the page is not on screen.
#[must_use]
pub fn hidden() -> bool {
    gloo::utils::document().visibility_state() == web_sys::VisibilityState::Hidden
}

/// Real time in milliseconds, for pacing announcements only.
#[must_use]
pub fn real_ms() -> f64 {
    gloo::utils::window()
        .performance()
        .map_or(0.0, |performance| performance.now())
}

/// Real time in milliseconds since 1970, for telling when something was kept.
#[must_use]
pub fn date_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// Such a time as people of a language write it.
#[must_use]
pub fn date_text(ms: u64, language: &str) -> String {
    let date = js_sys::Date::new(&JsValue::from_f64(ms as f64));
    let options = Object::new();
    for part in ["dateStyle", "timeStyle"] {
        drop(Reflect::set(&options, &part.into(), &"medium".into()));
    }
    date.to_locale_string(language, &options).into()
}

fn storage() -> Option<Storage> {
    gloo::utils::window().local_storage().ok()?
}

/// What the browser keeps for this page under a key.
#[must_use]
pub fn kept(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?
}

/// Keeps a text, or forgets it. Returns whether the browser did so; one that refuses takes only
/// comfort.
pub fn keep(key: &str, value: Option<&str>) -> bool {
    put(storage(), key, value)
}

/// The same for as long as this tab lives.
pub fn keep_for_tab(key: &str, value: Option<&str>) -> bool {
    put(
        gloo::utils::window().session_storage().ok().flatten(),
        key,
        value,
    )
}

/// What is kept for this tab.
#[must_use]
pub fn kept_for_tab(key: &str) -> Option<String> {
    gloo::utils::window()
        .session_storage()
        .ok()??
        .get_item(key)
        .ok()?
}

fn put(storage: Option<Storage>, key: &str, value: Option<&str>) -> bool {
    storage.is_some_and(|storage| {
        match value {
            Some(value) => storage.set_item(key, value),
            None => storage.remove_item(key),
        }
        .is_ok()
    })
}

/// The page's address without its fragment, and without what only frames need.
#[must_use]
pub fn address() -> String {
    let location = gloo::utils::window().location();
    let part = |part: Result<String, JsValue>| part.unwrap_or_default();
    part(location.origin()) + &part(location.pathname())
}

/// The address's fragment, with its `#`.
#[must_use]
pub fn fragment() -> String {
    gloo::utils::window().location().hash().unwrap_or_default()
}

/// Whether the page stands inside another one.
#[must_use]
pub fn embedded() -> bool {
    parameter("embed").is_some()
}

/// Takes an experiment's link out of the address bar.
pub fn forget_link() {
    let window = gloo::utils::window();
    if !fragment().starts_with("#z") {
        return;
    }
    let location = window.location();
    let address = location.pathname().unwrap_or_default() + &location.search().unwrap_or_default();
    if let Ok(history) = window.history() {
        drop(history.replace_state_with_url(&JsValue::NULL, "", Some(&address)));
    }
}

/// Copies a text; where the browser forbids it, the text stays in its field for the reader to copy.
/// Whether it could be tried.
pub fn copy(text: &str) -> bool {
    let navigator = gloo::utils::window().navigator();
    let has = Reflect::get(&navigator, &"clipboard".into())
        .is_ok_and(|clipboard| !clipboard.is_undefined());
    if has {
        let written = navigator.clipboard().write_text(text);
        wasm_bindgen_futures::spawn_local(async move {
            drop(wasm_bindgen_futures::JsFuture::from(written).await);
        });
    }
    has
}

/// Saves the charts as a picture; `www/export.mjs` draws it.
pub fn picture(kind: &'static str, on_done: impl FnOnce() + 'static) {
    wasm_bindgen_futures::spawn_local(async move {
        let done = async {
            let load: js_sys::Function =
                Reflect::get(&gloo::utils::window(), &"podiumImport".into())
                    .ok()?
                    .dyn_into()
                    .ok()?;
            let promise: js_sys::Promise = load
                .call1(&JsValue::UNDEFINED, &"./export.mjs".into())
                .ok()?
                .dyn_into()
                .ok()?;
            let module = wasm_bindgen_futures::JsFuture::from(promise).await.ok()?;
            let save: js_sys::Function = Reflect::get(&module, &"save".into())
                .ok()?
                .dyn_into()
                .ok()?;
            let saved: js_sys::Promise = save
                .call1(&JsValue::UNDEFINED, &kind.into())
                .ok()?
                .dyn_into()
                .ok()?;
            wasm_bindgen_futures::JsFuture::from(saved).await.ok()
        };
        drop(done.await);
        on_done();
    });
}

/// Whether the browser records videos as `www/export.mjs` has them made.
#[must_use]
pub fn records() -> bool {
    let recorder = Reflect::get(&gloo::utils::window(), &"MediaRecorder".into());
    let records = recorder.and_then(|recorder| {
        let asks = Reflect::get(&recorder, &"isTypeSupported".into())?;
        let asks: js_sys::Function = asks.dyn_into()?;
        asks.call1(&recorder, &"video/webm".into())
    });
    records.is_ok_and(|records| records.is_truthy())
}

/// Whether a newer build of the page waits to be loaded; `www/boot.mjs` says so, and then tells
/// [`on_update`].
#[must_use]
pub fn has_update() -> bool {
    let told = Reflect::get(&gloo::utils::window(), &"podiumUpdate".into());
    told.is_ok_and(|told| told.is_truthy())
}

/// Listens for that.
pub fn on_update(act: impl Fn() + 'static) -> EventListener {
    EventListener::new(&gloo::utils::window(), "podium-update", move |_| act())
}

/// Loads the page again, at this link or where it is.
pub fn reload(link: Option<&str>) {
    let window = gloo::utils::window();
    if let (Some(link), Ok(history)) = (link, window.history()) {
        drop(history.replace_state_with_url(&JsValue::NULL, "", Some(link)));
    }
    drop(window.location().reload());
}

/// Switches an attribute of the root element.
pub fn toggle_root(attribute: &str) {
    if let Some(root) = gloo::utils::document().document_element() {
        drop(root.toggle_attribute(attribute));
    }
}

/// Bytes as text that the store can keep.
#[must_use]
pub fn to_base64(bytes: &[u8]) -> Option<String> {
    let latin: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    gloo::utils::window().btoa(&latin).ok()
}

/// The bytes of such a text.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let latin = gloo::utils::window().atob(text).ok()?;
    latin
        .chars()
        .map(|letter| u8::try_from(u32::from(letter)).ok())
        .collect()
}

/// Sets or removes an attribute of `<html>`.
pub fn set_root(name: &str, value: Option<&str>) {
    if let Some(root) = gloo::utils::document().document_element() {
        drop(match value {
            Some(value) => root.set_attribute(name, value),
            None => root.remove_attribute(name),
        });
    }
}

/// An attribute of `<html>`.
#[must_use]
pub fn root(name: &str) -> Option<String> {
    gloo::utils::document()
        .document_element()?
        .get_attribute(name)
}

/// Shows a panel: alone where the screen is narrow, else where it is.
pub fn panel(name: &str) {
    set_root("data-panel", Some(name));
    if media("(max-width: 719.9px)") {
        gloo::utils::window().scroll_to_with_x_and_y(0.0, 0.0);
    } else if let Some(panel) =
        element(&format!("panel-{name}")).filter(|_| media("(max-width: 1099.9px)"))
    {
        panel.scroll_into_view_with_bool(false);
    }
}

/// Puts the focus on the element with this `id`.
pub fn focus(id: &str) {
    if let Some(element) = element(id).and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        drop(element.focus());
    }
}

/// Puts the focus on the first element that fits. Returns whether there is one.
pub fn focus_first(selector: &str) -> bool {
    let found = gloo::utils::document()
        .query_selector(selector)
        .ok()
        .flatten();
    found
        .and_then(|element| element.dyn_into::<HtmlElement>().ok())
        .is_some_and(|element| element.focus().is_ok())
}

/// Lights up everything that belongs to what is pointed at or has the focus: replicas, services,
/// events; the editor hears of it by the root's `data-lit`.
pub fn light(from: Option<&Element>) {
    let name = from
        .and_then(|element| element.closest("[data-workload]").ok().flatten())
        .and_then(|element| element.get_attribute("data-workload"))
        .filter(|name| !name.is_empty());
    let root = gloo::utils::document().document_element();
    if root
        .as_ref()
        .and_then(|root| root.get_attribute("data-lit"))
        == name
    {
        return;
    }
    set_root("data-lit", name.as_deref());
    let Ok(all) = gloo::utils::document().query_selector_all("[data-workload], [data-subject]")
    else {
        return;
    };
    for place in 0..all.length() {
        let Some(element) = all
            .get(place)
            .and_then(|node| node.dyn_into::<Element>().ok())
        else {
            continue;
        };
        let lit = name.as_deref().is_some_and(|name| {
            element.get_attribute("data-workload").as_deref() == Some(name)
                || element
                    .get_attribute("data-subject")
                    .is_some_and(|subject| belongs(&subject, name))
        });
        drop(element.class_list().toggle_with_force("lit", lit));
    }
}

/// Whether `kind/name` is the workload's: its own name, or one made from it.
fn belongs(subject: &str, workload: &str) -> bool {
    let name = subject.split_once('/').map_or(subject, |(_, name)| name);
    let name = name
        .strip_prefix("app_")
        .or_else(|| name.strip_prefix("app-"))
        .unwrap_or(name);
    name.strip_prefix(workload)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
}

/// Marks the element of an object, or of its workload, and brings it into view. Names are what the
/// engine found to be objects' names; another text fits no selector.
pub fn select(orchestrator: &str, object: &str, workload: &str) {
    let document = gloo::utils::document();
    if let Ok(Some(old)) = document.query_selector("[data-selected]") {
        drop(old.remove_attribute("data-selected"));
    }
    let find = |selector: String| document.query_selector(&selector).ok().flatten();
    let plane =
        format!("#panel-watch :is(.plane-{orchestrator}, [data-orchestrator='{orchestrator}'])");
    let found = find(format!(
        "{plane}[data-object='{object}'], {plane} [data-object='{object}']"
    ))
    .or_else(|| find(format!("{plane} li[data-workload='{workload}']")))
    .or_else(|| find(format!("{plane} [data-workload='{workload}']")));
    let Some(element) = found else {
        return;
    };
    drop(element.set_attribute("data-selected", ""));
    let options = Object::new();
    drop(Reflect::set(&options, &"block".into(), &"nearest".into()));
    if let Ok(Ok(scroll)) =
        Reflect::get(&element, &"scrollIntoView".into()).map(JsCast::dyn_into::<js_sys::Function>)
    {
        drop(scroll.call1(&element, &options));
    }
    light(Some(&element));
}

/// Moves the focus among the buttons of the console's log: Enter goes to them, up and down from line
/// to line, left and right within one. Returns whether the key was for that.
pub fn walk_log(event: &KeyboardEvent) -> bool {
    let Some(button) = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
    else {
        return false;
    };
    if button.tag_name() != "BUTTON" {
        // Arrows scroll the log and its lines.
        let own = button.closest(".console-entry").ok().flatten();
        let entry = own.or_else(|| {
            button
                .query_selector(".console-entry:last-child")
                .ok()
                .flatten()
        });
        let first = entry.and_then(|entry| entry.query_selector("button").ok().flatten());
        return event.key() == "Enter"
            && first
                .and_then(|button| button.dyn_into::<HtmlElement>().ok())
                .is_some_and(|button| button.focus().is_ok());
    }
    let step = match event.key().as_str() {
        "ArrowUp" | "ArrowDown" => {
            walk(event, ".console-entry", event.key() == "ArrowDown");
            return true;
        }
        "ArrowLeft" => -1,
        "ArrowRight" => 1,
        _ => return false,
    };
    let all = button
        .closest(".console-entry")
        .ok()
        .flatten()
        .and_then(|entry| entry.query_selector_all("button").ok());
    if let Some(all) = all {
        let place = (0..all.length()).find(|place| {
            all.get(*place)
                .is_some_and(|node| node.is_same_node(Some(&button)))
        });
        let next = place.and_then(|place| all.get(place.checked_add_signed(step)?));
        if let Some(next) = next.and_then(|node| node.dyn_into::<HtmlElement>().ok()) {
            drop(next.focus());
        }
    }
    true
}

/// Whether some text is marked.
#[must_use]
pub fn has_selection() -> bool {
    let selection = gloo::utils::window().get_selection().ok().flatten();
    selection.is_some_and(|selection| !selection.is_collapsed())
}

/// The value of a colour of the page's, in the theme asked for.
#[must_use]
pub fn token(name: &str, dark: bool) -> String {
    let root = gloo::utils::document().document_element();
    let probe = root.and_then(|root| {
        let style = gloo::utils::window().get_computed_style(&root).ok()??;
        style.get_property_value(name).ok()
    });
    let text = probe.unwrap_or_default();
    // A canvas knows no `light-dark()`.
    let Some(pair) = text.trim().strip_prefix("light-dark(") else {
        return text;
    };
    let mut halves = pair.trim_end_matches(')').split(',').map(str::trim);
    halves.nth(usize::from(dark)).unwrap_or_default().to_owned()
}

/// Where on an element a pointer is, from 0 at its left to 1 at its right.
#[must_use]
pub fn share_across(element: &Element, client_x: i32) -> f64 {
    let place = element.get_bounding_client_rect();
    if place.width() > 0.0 {
        ((f64::from(client_x) - place.left()) / place.width()).clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// Moves the focus within the grid around `from`, by rows and by cells of a row. Returns whether
/// there was somewhere to go.
pub fn move_in_grid(from: &Element, rows: i32, cells: i32) -> bool {
    let Ok(Some(grid)) = from.closest("[role=grid]") else {
        return false;
    };
    let (Ok(Some(row)), Ok(all)) = (
        from.closest("[role=row]"),
        grid.query_selector_all("[role=row]"),
    ) else {
        return false;
    };
    let place = (0..all.length()).find(|place| {
        all.get(*place)
            .is_some_and(|node| node.is_same_node(Some(&row)))
    });
    let Some(target) = place
        .and_then(|place| place.checked_add_signed(rows))
        .and_then(|place| all.get(place))
    else {
        return false;
    };
    let Ok(target) = target.dyn_into::<Element>() else {
        return false;
    };
    let (Ok(own), Ok(others)) = (
        row.query_selector_all("[role=gridcell]"),
        target.query_selector_all("[role=gridcell]"),
    ) else {
        return false;
    };
    let cell = (0..own.length())
        .find(|cell| {
            own.get(*cell)
                .is_some_and(|node| node.is_same_node(Some(from)))
        })
        .unwrap_or(0);
    let Some(wanted) = cell.checked_add_signed(cells) else {
        return false;
    };
    let wanted = if rows == 0 {
        wanted
    } else {
        wanted.min(others.length().saturating_sub(1))
    };
    match others
        .get(wanted)
        .and_then(|node| node.dyn_into::<HtmlElement>().ok())
    {
        Some(element) => element.focus().is_ok(),
        None => false,
    }
}

/// Puts the focus on the button in the next or previous `row` of a list. Returns whether there is one.
pub fn walk(event: &KeyboardEvent, row: &str, down: bool) -> bool {
    let row = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
        .and_then(|target| target.closest(row).ok().flatten());
    let next = row.and_then(|row| {
        if down {
            row.next_element_sibling()
        } else {
            row.previous_element_sibling()
        }
    });
    let button = next.and_then(|row| row.query_selector("button").ok().flatten());
    button
        .and_then(|button| button.dyn_into::<HtmlElement>().ok())
        .is_some_and(|button| button.focus().is_ok())
}

/// Whether keys typed at this element are text for it.
#[must_use]
pub fn takes_text(event: &KeyboardEvent) -> bool {
    let Some(target) = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
    else {
        return false;
    };
    target.closest("input:not([type=checkbox]):not([type=range]), textarea, select, [contenteditable=true], dialog, .cm-editor").ok().flatten().is_some()
}

/// Whether the key's own element uses it: a slider its arrows, a button its space.
#[must_use]
pub fn uses_key(event: &KeyboardEvent) -> bool {
    let Some(target) = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
    else {
        return false;
    };
    let selector = match event.key().as_str() {
        " " => "button, a, summary, input:not([type=range])",
        "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown" | "Home" | "End" => {
            "input, [role=grid], [data-tab]"
        }
        _ => return false,
    };
    target.closest(selector).ok().flatten().is_some()
}

/// Whether an event is at or in an element that fits.
#[must_use]
pub fn is_within(event: &KeyboardEvent, selector: &str) -> bool {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| target.closest(selector).is_ok_and(|found| found.is_some()))
}

/// Data of the element that an event is at, or of one around it: `data-NAME`.
#[must_use]
pub fn data(event: &KeyboardEvent, name: &str) -> Option<String> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target
        .closest(&format!("[data-{name}]"))
        .ok()??
        .get_attribute(&format!("data-{name}"))
}

/// Opens or closes the dialog with this `id`.
pub fn dialog(id: &str, open: bool) {
    if let Some(dialog) =
        element(id).and_then(|element| element.dyn_into::<HtmlDialogElement>().ok())
    {
        if open && !dialog.open() {
            drop(dialog.show_modal());
        } else if !open {
            dialog.close();
        }
    }
}

/// Name and text of every file of a list that is text. A folder's files are named from below it.
pub async fn read_files(list: FileList) -> Vec<(String, String)> {
    let mut read = Vec::new();
    for index in 0..list.length() {
        let Some(file) = list.get(index) else {
            continue;
        };
        let path = Reflect::get(&file, &"webkitRelativePath".into())
            .ok()
            .and_then(|path| path.as_string())
            .unwrap_or_default();
        let name = match path.split_once('/') {
            Some((_, below)) => below.to_owned(),
            None => file.name(),
        };
        if let Ok(text) = wasm_bindgen_futures::JsFuture::from(file.text()).await
            && let Some(text) = text.as_string()
        {
            read.push((name, text));
        }
    }
    read
}

/// Opens the list of commands with this text typed into it.
pub fn palette(text: &str) {
    dialog("palette", true);
    let Some(input) =
        element("palette-line").and_then(|input| input.dyn_into::<HtmlInputElement>().ok())
    else {
        return;
    };
    input.set_value(text);
    let options = web_sys::EventInit::new();
    options.set_bubbles(true);
    if let Ok(event) = web_sys::Event::new_with_event_init_dict("input", &options) {
        drop(input.dispatch_event(&event));
    }
}

/// What is written on the keys at these places of the reader's keyboard, where the browser tells.
pub async fn written_on(codes: &[&str]) -> Option<String> {
    let get = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let call = |of: &JsValue, name: &str, with: &JsValue| -> Option<JsValue> {
        let function: js_sys::Function = get(of, name)?.dyn_into().ok()?;
        function.call1(of, with).ok()
    };
    let keyboard = get(&gloo::utils::window().navigator(), "keyboard")?;
    let asked = call(&keyboard, "getLayoutMap", &JsValue::UNDEFINED)?;
    let map = wasm_bindgen_futures::JsFuture::from(js_sys::Promise::from(asked))
        .await
        .ok()?;
    let letters = codes
        .iter()
        .map(|code| call(&map, "get", &(*code).into())?.as_string());
    let letters: Option<Vec<String>> = letters.collect();
    letters.map(|letters| letters.join(" ").to_uppercase())
}

/// Presses a button, if there is one.
pub fn press(selector: &str) {
    let found = gloo::utils::document()
        .query_selector(selector)
        .ok()
        .flatten();
    if let Some(button) = found.and_then(|button| button.dyn_into::<HtmlElement>().ok()) {
        button.click();
    }
}

/// Offers a text as a file to keep.
pub fn download(name: &str, text: &str) {
    let parts = Array::of1(&JsValue::from_str(text));
    let Ok(blob) = Blob::new_with_str_sequence(&parts) else {
        return;
    };
    let Ok(url) = Url::create_object_url_with_blob(&blob) else {
        return;
    };
    if let Ok(anchor) = gloo::utils::document()
        .create_element("a")
        .map(JsCast::unchecked_into::<HtmlAnchorElement>)
    {
        anchor.set_href(&url);
        anchor.set_download(name);
        anchor.click();
    }
    drop(Url::revoke_object_url(&url));
}

/// What tests and embedding pages may read: `window.__playground`.
pub fn publish(ready: bool, frame: u32, now_us: u64, hash: &str) {
    let state = Object::new();
    let set = |name: &str, value: JsValue| drop(Reflect::set(&state, &name.into(), &value));
    set("ready", ready.into());
    set("frame", frame.into());
    set("now", (now_us as f64 / 1_000_000.0).into());
    set("hash", hash.into());
    drop(Reflect::set(
        &gloo::utils::window(),
        &"__playground".into(),
        &state,
    ));
}
