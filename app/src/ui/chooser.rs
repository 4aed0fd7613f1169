//! A list to choose from that shows what is so.
//!
//! Once its reader has chosen, a `select` no longer follows its options' `selected`; what is chosen by
//! other ways, undoing among them, is set after each drawing.

use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// What the list needs.
#[derive(Properties, PartialEq)]
pub struct ChooserProps {
    /// Its name for tests.
    pub name: AttrValue,
    /// Value of the option that is chosen.
    pub value: AttrValue,
    /// The reader has chosen.
    pub onchange: Callback<Event>,
    /// Whether there is nothing to choose.
    #[prop_or_default]
    pub disabled: bool,
    /// The options.
    pub children: Html,
}

/// The list.
#[component]
pub fn Chooser(props: &ChooserProps) -> Html {
    let element = use_node_ref();
    let (shown, value) = (element.clone(), props.value.clone());
    use_effect(move || {
        if let Some(list) = shown.cast::<HtmlSelectElement>()
            && list.value() != *value
        {
            list.set_value(&value);
            // What is not offered any more gives way to the first.
            if list.selected_index() < 0 {
                list.set_selected_index(0);
            }
        }
    });
    html! {
        <select ref={element} data-testid={props.name.clone()} disabled={props.disabled} onchange={props.onchange.clone()}>
            { props.children.clone() }
        </select>
    }
}
