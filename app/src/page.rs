//! The page's root component: starts the worker and says whether it answers.

use std::cell::RefCell;
use std::rc::Rc;

use crate::link::{Header, Kind, WorkerLink};
use yew::prelude::*;

/// What is known about the worker.
#[derive(Clone, Debug, PartialEq)]
enum Engine {
    Starting,
    Ready,
    Failed(AttrValue),
}

impl Engine {
    /// The value of `data-engine`, which tests and styles read.
    fn attribute(&self) -> &'static str {
        match self {
            Engine::Starting => "starting",
            Engine::Ready => "ready",
            Engine::Failed(_) => "failed",
        }
    }
}

/// The root of the page.
#[component]
pub fn Page() -> Html {
    let engine = use_state_eq(|| Engine::Starting);
    {
        let engine = engine.clone();
        use_effect_with((), move |()| {
            crate::dom::remove_skeleton();
            let link = Rc::new(RefCell::new(None));
            start_engine(&link, engine);
            move || drop(link.borrow_mut().take())
        });
    }
    let status = match &*engine {
        Engine::Starting => AttrValue::Static("The engine is starting."),
        Engine::Ready => AttrValue::Static("The engine is ready."),
        Engine::Failed(reason) => reason.clone(),
    };
    html! {
        <main id="main" data-testid="page" data-engine={engine.attribute()}>
            <h1>{ "Podium" }</h1>
            <p role="status" data-testid="engine-status">{ status }</p>
        </main>
    }
}

/// Starts the worker, pings it once it is up, and reports to `engine`.
fn start_engine(link: &Rc<RefCell<Option<WorkerLink>>>, engine: UseStateHandle<Engine>) {
    let Some(url) = crate::dom::meta("engine-worker") else {
        engine.set(Engine::Failed(
            "This page was built without its worker.".into(),
        ));
        return;
    };
    let own = link.clone();
    let reported = engine.clone();
    let started = WorkerLink::start(&url, move |bytes| match Header::decode(&bytes) {
        Ok(header) => match header.kind {
            Kind::Ready => ping(&own, &reported),
            Kind::Pong => reported.set(Engine::Ready),
            Kind::Ping => {}
        },
        Err(reason) => reported.set(Engine::Failed(reason.into())),
    });
    match started {
        Ok(started) => *link.borrow_mut() = Some(started),
        Err(reason) => engine.set(Engine::Failed(reason.into())),
    }
}

fn ping(link: &Rc<RefCell<Option<WorkerLink>>>, engine: &UseStateHandle<Engine>) {
    let message = Header {
        kind: Kind::Ping,
        request: 1,
    };
    if let Some(link) = &*link.borrow()
        && let Err(reason) = link.send(&message.encode())
    {
        engine.set(Engine::Failed(reason.into()));
    }
}
