//! The link between page and worker: one transferred `ArrayBuffer` per message, in postcard's format.
//!
//! Nothing posted before the worker is up would arrive, so the worker speaks first: it posts
//! [`Reply::Ready`] with its protocol version, and the page sends only after that.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use js_sys::{Array, ArrayBuffer, Function, Reflect, Uint8Array};
use sim_core::host::EngineHost;
use sim_core::protocol::{self, Reply, Request, Said, VERSION};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, Worker};

/// Longest time that the worker computes before it looks at its messages, in milliseconds.
const SLICE_MS: f64 = 12.0;

/// Time between two looks at the clock while the run keeps up with it, in milliseconds.
const BEAT_MS: u32 = 16;

/// The page's end of the link. Dropping it ends the worker.
#[derive(Debug)]
pub struct WorkerLink {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(JsValue)>,
}

impl WorkerLink {
    /// Takes the worker that `www/boot.mjs` has started, or has it start another, and hands every reply
    /// to `on_reply`. What cannot be read, or a worker of another build, comes as [`Reply::Fatal`].
    ///
    /// # Errors
    /// The browser's own words when it cannot start a worker.
    pub fn start(on_reply: impl Fn(Reply) + 'static) -> Result<Self, String> {
        let started = Reflect::get(&gloo::utils::window(), &"podiumEngine".into())
            .and_then(|start| start.dyn_into::<Function>()?.call0(&JsValue::UNDEFINED));
        let worker: Worker = started
            .and_then(JsCast::dyn_into)
            .map_err(|error| words(&error))?;
        let on_reply = Rc::new(on_reply);
        let told = on_reply.clone();
        let on_message =
            Closure::new(move |event: MessageEvent| told(read_reply(&bytes_of(&event))));
        let on_error = Closure::new(move |event: JsValue| {
            let message = Reflect::get(&event, &"message".into())
                .ok()
                .and_then(|message| message.as_string());
            on_reply(Reply::Fatal(
                message.unwrap_or_else(|| "the worker could not be loaded".to_owned()),
            ));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(WorkerLink {
            worker,
            _on_message: on_message,
            _on_error: on_error,
        })
    }

    /// Sends one request; its buffer is transferred, not copied.
    ///
    /// # Errors
    /// The browser's own words when the message cannot be posted.
    pub fn send(&self, request: &Request) -> Result<(), String> {
        let buffer = buffer_of(&protocol::encode(request));
        let posted = self
            .worker
            .post_message_with_transfer(&buffer, &Array::of1(&buffer));
        posted.map_err(|error| words(&error))
    }
}

impl Drop for WorkerLink {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

/// A reply from its bytes; a worker of another build and damage are fatal.
fn read_reply(bytes: &[u8]) -> Reply {
    match protocol::decode(bytes) {
        Ok(Reply::Ready { version }) if version != VERSION => Reply::Fatal(format!(
            "page and worker are of different builds (protocol {VERSION} and {version}); reload the page"
        )),
        Ok(reply) => reply,
        Err(sentence) => Reply::Fatal(sentence),
    }
}

/// The worker's end: the engine and its pace.
struct Engine {
    scope: DedicatedWorkerGlobalScope,
    host: RefCell<EngineHost>,
    /// When the clock was looked at last, in milliseconds.
    looked: Cell<f64>,
    /// Whether a tick is already on its way.
    waiting: Cell<bool>,
    /// Wakes the worker after the messages that wait.
    soon: MessageChannel,
    beat: RefCell<Option<Timeout>>,
}

/// Serves the page for as long as the worker lives. Must run inside a dedicated worker.
///
/// # Errors
/// The browser's own words when the first message cannot be posted.
pub fn serve() -> Result<(), String> {
    report_panics();
    let engine = Engine::new()?;
    let scope = engine.scope.clone();
    let told = engine.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        told.receive(&bytes_of(&event))
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget(); // Lives as long as the worker.
    post(&scope, &Reply::Ready { version: VERSION })
}

/// Does with an engine of its own what the page asks of one for its first screen, or when it is `played`
/// until its first fault has been dealt with. For the build: what runs here becomes the parts of the
/// worker that are loaded first (`www/split.mjs`). The global scope is a stand-in, whose clock moves
/// with each look.
///
/// # Errors
/// The stand-in's own words.
pub fn rehearse(played: bool) -> Result<(), String> {
    /// Slices of work: half a minute of simulated time after the example's fault.
    const SLICES: u32 = 300;
    let engine = Engine::new()?;
    let tell = |request: &Request| engine.receive(&protocol::encode(request));
    // The page's own order: Control::begin.
    tell(&Request::Watch(crate::control::whole_view(None, None)));
    tell(&Request::Load(crate::files::poll()));
    tell(&Request::Record);
    let mut frames = 0;
    let mut work = |slices: u32| {
        for _ in 0..slices {
            engine.work();
            frames += 1;
            tell(&Request::Ack(frames));
        }
    };
    work(2);
    if !played {
        return Ok(());
    }
    tell(&Request::Run {
        speed_milli: 10_000,
    });
    work(SLICES);
    tell(&Request::Pause);
    for at_us in [30_000_000, 60_000_000] {
        tell(&Request::Seek(at_us));
        work(2);
    }
    Ok(())
}

impl Engine {
    fn new() -> Result<Rc<Self>, String> {
        let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
        let engine = Rc::new(Engine {
            host: RefCell::new(EngineHost::new()),
            looked: Cell::new(now_ms(&scope)),
            waiting: Cell::new(false),
            soon: MessageChannel::new().map_err(|error| words(&error))?,
            beat: RefCell::new(None),
            scope,
        });
        let woken = engine.clone();
        let on_soon = Closure::<dyn FnMut(JsValue)>::new(move |_| woken.work());
        engine
            .soon
            .port1()
            .set_onmessage(Some(on_soon.as_ref().unchecked_ref()));
        on_soon.forget(); // Lives as long as the worker.
        Ok(engine)
    }

    fn receive(self: &Rc<Self>, bytes: &[u8]) {
        let replies = match protocol::decode::<Request>(bytes) {
            Ok(request) => self.host.borrow_mut().handle(request),
            Err(sentence) => vec![Reply::Refused(vec![Said::Plain(sentence)])],
        };
        self.answer(&replies);
        if !self.waiting.get() {
            // Nothing was running: the time until now is nobody's.
            self.looked.set(now_ms(&self.scope));
            self.wait();
        }
    }

    /// One slice of work.
    fn work(self: &Rc<Self>) {
        self.waiting.set(false);
        let start = now_ms(&self.scope);
        let mut elapsed_us = ((start - self.looked.get()).max(0.0) * 1_000.0) as u64;
        self.looked.set(start);
        loop {
            let replies = self.host.borrow_mut().tick(elapsed_us);
            self.answer(&replies);
            elapsed_us = 0;
            if !self.host.borrow().is_behind() || now_ms(&self.scope) - start >= SLICE_MS {
                break;
            }
        }
        self.wait();
    }

    /// Arranges for the next slice, if one is needed: at once while behind, else with the beat.
    fn wait(self: &Rc<Self>) {
        let (behind, busy) = (self.host.borrow().is_behind(), self.host.borrow().is_busy());
        if behind || (busy && !self.host.borrow().is_playing()) {
            self.waiting.set(true);
            // A channel of the worker's own cannot be closed by anybody.
            drop(self.soon.port2().post_message(&JsValue::NULL));
        } else if busy {
            self.waiting.set(true);
            let engine = self.clone();
            *self.beat.borrow_mut() = Some(Timeout::new(BEAT_MS, move || engine.work()));
        }
    }

    fn answer(&self, replies: &[Reply]) {
        for reply in replies {
            // A page that is gone cannot be told that its answer was lost.
            drop(post(&self.scope, reply));
        }
    }
}

/// A panic becomes a last message to the page.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
        let what = panic.payload_as_str().unwrap_or("panic");
        // Releases do not know the line (xtask/src/page.rs).
        let known = panic.location().filter(|location| location.line() > 0);
        let place = known.map_or_else(String::new, |location| format!(" ({location})"));
        let text = format!("Podium {}: {what}{place}", env!("CARGO_PKG_VERSION"));
        drop(post(&scope, &Reply::Fatal(text)));
    }));
}

fn now_ms(scope: &DedicatedWorkerGlobalScope) -> f64 {
    scope
        .performance()
        .map_or(0.0, |performance| performance.now())
}

fn post(scope: &DedicatedWorkerGlobalScope, reply: &Reply) -> Result<(), String> {
    let buffer = buffer_of(&protocol::encode(reply));
    let posted = scope.post_message_with_transfer(&buffer, &Array::of1(&buffer));
    posted.map_err(|error| words(&error))
}

fn buffer_of(bytes: &[u8]) -> ArrayBuffer {
    Uint8Array::from(bytes).buffer()
}

/// The bytes of a message; empty, hence refused, when it is no buffer.
fn bytes_of(event: &MessageEvent) -> Vec<u8> {
    match event.data().dyn_into::<ArrayBuffer>() {
        Ok(buffer) => Uint8Array::new(&buffer).to_vec(),
        Err(_) => Vec::new(),
    }
}

fn words(error: &JsValue) -> String {
    let message = error.dyn_ref::<js_sys::Error>().map(js_sys::Error::message);
    message.map_or_else(|| format!("{error:?}"), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_of_another_build_is_refused() {
        let reply = read_reply(&protocol::encode(&Reply::Ready {
            version: VERSION + 1,
        }));
        assert!(matches!(reply, Reply::Fatal(sentence) if sentence.contains("reload the page")));
    }

    #[test]
    fn damage_is_a_sentence() {
        assert!(matches!(read_reply(&[250, 1, 2]), Reply::Fatal(_)));
        assert!(matches!(read_reply(&[]), Reply::Fatal(_)));
    }
}
