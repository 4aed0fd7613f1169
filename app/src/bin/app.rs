//! Main thread: mounts the page.

fn main() {
    let Some(root) = app::dom::element("app") else {
        panic!("index.html has no element with id `app`");
    };
    yew::Renderer::<app::page::Page>::with_root(root).render();
}
