//! The page's document: the only place, with [`crate::link`], that names `web_sys`.

use web_sys::Element;

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
    found.get_attribute("content")
}

/// Removes the static skeleton once the live page stands in its place.
pub fn remove_skeleton() {
    if let Some(skeleton) = element("skeleton") {
        skeleton.remove();
    }
}
