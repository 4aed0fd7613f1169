//! The link between page and worker: one transferred `ArrayBuffer` per message.
//!
//! Every message starts with a header of 16 bytes, four little-endian `u32`: kind, request number,
//! length of the part that follows, protocol version. Nothing posted before the worker is up would
//! arrive, so the worker speaks first: it posts [`Kind::Ready`], and the page sends only after that.

use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Worker, WorkerOptions, WorkerType};

/// Version of the message layout. A page and a worker that differ refuse each other.
pub const PROTOCOL_VERSION: u32 = 1;

/// Bytes of the header of every message.
pub const HEADER_BYTES: usize = 16;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Worker to page, once: it listens from now on.
    Ready,
    /// Page to worker: answer with [`Kind::Pong`] and the same request number.
    Ping,
    /// Worker to page: the answer to [`Kind::Ping`].
    Pong,
}

/// The header of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the message is.
    pub kind: Kind,
    /// Number of the request that this is or answers; 0 where there is none.
    pub request: u32,
}

impl Header {
    /// The header's bytes for a message that carries nothing more.
    #[must_use]
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let kind: u32 = match self.kind {
            Kind::Ready => 1,
            Kind::Ping => 2,
            Kind::Pong => 3,
        };
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.request.to_le_bytes());
        bytes[12..16].copy_from_slice(&PROTOCOL_VERSION.to_le_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// A sentence for the user when the bytes are no message of this protocol version.
    pub fn decode(bytes: &[u8]) -> Result<Header, String> {
        let word = |index: usize| -> Option<u32> {
            let field = bytes.get(index * 4..index * 4 + 4)?;
            Some(u32::from_le_bytes(field.try_into().ok()?))
        };
        let (Some(kind), Some(request), Some(version)) = (word(0), word(1), word(3)) else {
            return Err(format!("a message of {} bytes is too short", bytes.len()));
        };
        if version != PROTOCOL_VERSION {
            return Err(format!(
                "page and worker are of different builds (protocol {PROTOCOL_VERSION} and {version}); reload the page"
            ));
        }
        let kind = match kind {
            1 => Kind::Ready,
            2 => Kind::Ping,
            3 => Kind::Pong,
            other => return Err(format!("unknown message kind {other}")),
        };
        Ok(Header { kind, request })
    }
}

/// The page's end of the link. Dropping it ends the worker.
#[derive(Debug)]
pub struct WorkerLink {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl WorkerLink {
    /// Starts the module worker at `url` (relative to the document) and hands every message it
    /// posts to `on_message`.
    ///
    /// # Errors
    /// The browser's own words when it cannot start a worker.
    pub fn start(url: &str, mut on_message: impl FnMut(Vec<u8>) + 'static) -> Result<Self, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(url, &options).map_err(|error| words(&error))?;
        let on_message = Closure::new(move |event: MessageEvent| on_message(bytes_of(&event)));
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        Ok(WorkerLink {
            worker,
            _on_message: on_message,
        })
    }

    /// Sends one message; its buffer is transferred, not copied.
    ///
    /// # Errors
    /// The browser's own words when the message cannot be posted.
    pub fn send(&self, bytes: &[u8]) -> Result<(), String> {
        let buffer = buffer_of(bytes);
        let transfer = Array::of1(&buffer);
        let posted = self.worker.post_message_with_transfer(&buffer, &transfer);
        posted.map_err(|error| words(&error))
    }
}

impl Drop for WorkerLink {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

/// The worker's end: calls `answer` for every message, posts what it returns, and says it is ready.
/// Must run inside a dedicated worker.
///
/// # Errors
/// The browser's own words when the first message cannot be posted.
pub fn serve(mut answer: impl FnMut(Vec<u8>) -> Option<Vec<u8>> + 'static) -> Result<(), String> {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let reply_scope = scope.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        if let Some(reply) = answer(bytes_of(&event)) {
            // A page that is gone cannot be told that its answer was lost.
            drop(post(&reply_scope, &reply));
        }
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget(); // Lives as long as the worker.
    let ready = Header {
        kind: Kind::Ready,
        request: 0,
    };
    post(&scope, &ready.encode())
}

fn post(scope: &DedicatedWorkerGlobalScope, bytes: &[u8]) -> Result<(), String> {
    let buffer = buffer_of(bytes);
    let transfer = Array::of1(&buffer);
    let posted = scope.post_message_with_transfer(&buffer, &transfer);
    posted.map_err(|error| words(&error))
}

fn buffer_of(bytes: &[u8]) -> ArrayBuffer {
    Uint8Array::from(bytes).buffer()
}

/// The bytes of a message; empty, hence refused by the header, when it is no buffer.
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
    fn a_header_reads_back() {
        let header = Header {
            kind: Kind::Ping,
            request: 7,
        };
        assert_eq!(Header::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn a_short_message_is_refused() {
        assert!(Header::decode(&[1, 0, 0]).is_err());
    }

    #[test]
    fn another_protocol_version_is_refused() {
        let mut bytes = Header {
            kind: Kind::Ready,
            request: 0,
        }
        .encode();
        bytes[12] = 99;
        let refusal = Header::decode(&bytes).unwrap_err();
        assert!(refusal.contains("reload the page"), "{refusal}");
    }
}
