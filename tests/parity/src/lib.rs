//! What is compared between the native build and WebAssembly, and measured in the latter.
//!
//! Both builds run this code. `parity.mjs` gives each the same scenario files and demands the same
//! answer, byte for byte; `bench.mjs` times [`bench`] in Node.

use serde_json::json;
use sim_core::bench::{self, Size, Workload, api};
use tests::scenario;
use wasm_bindgen::prelude::wasm_bindgen;

/// Plays a scenario file. JSON with `hash` (the run's fingerprint) and `transcript` (every line that the
/// script printed, then every line of the trace), or with `error`.
#[wasm_bindgen]
pub fn play(name: &str, text: &str) -> String {
    match scenario::play(name, text) {
        Ok(played) => json!({
            "hash": played.hash,
            "transcript": played.transcript,
            "problems": played.problems(),
        }),
        Err(error) => json!({ "error": error }),
    }
    .to_string()
}

/// Runs a workload of `podium bench`. JSON with its deterministic outcome: `events`, `simulated_s`,
/// `hash`, `unmet`, and `placements` (a machine's number for each pod) for `burst`; or with `error`.
#[wasm_bindgen]
pub fn bench(workload: &str, nodes: u32, pods: u32, seed: u64) -> String {
    let Some(workload) = Workload::parse(workload) else {
        return json!({ "error": format!("unknown workload \"{workload}\"; known: {}", workloads()) })
            .to_string();
    };
    if nodes == 0 {
        return json!({ "error": "--nodes must be at least 1" }).to_string();
    }
    let outcome = bench::run(workload, Size { nodes, pods }, seed);
    json!({
        "events": outcome.events,
        "simulated_s": outcome.simulated_s,
        "hash": outcome.hash,
        "unmet": outcome.unmet,
        "placements": outcome.placements,
    })
    .to_string()
}

/// The names of all workloads, with blanks between them.
#[wasm_bindgen]
pub fn workloads() -> String {
    let names: Vec<&str> = Workload::ALL.iter().map(|(_, name)| *name).collect();
    names.join(" ")
}

/// The sizes that figures are published for, as JSON pairs of nodes and pods, smallest first.
#[wasm_bindgen]
pub fn sizes() -> String {
    let sizes: Vec<[u32; 2]> = bench::SIZES
        .iter()
        .map(|size| [size.nodes, size.pods])
        .collect();
    json!(sizes).to_string()
}

/// Size of the module's linear memory in bytes; 0 in the native build.
#[wasm_bindgen]
pub fn memory_bytes() -> f64 {
    #[cfg(target_arch = "wasm32")]
    let pages = core::arch::wasm32::memory_size(0);
    #[cfg(not(target_arch = "wasm32"))]
    let pages = 0_usize;
    // A page has 64 KiB; the product is far below 2^53.
    pages as f64 * 65_536.0
}

/// The tasks of `podium bench api`, with blanks between them.
#[wasm_bindgen]
pub fn api_tasks() -> String {
    let names: Vec<&str> = api::Task::ALL.iter().map(|(_, name)| *name).collect();
    names.join(" ")
}

/// A task of `podium bench api` that can be done at once, as often as one likes.
#[wasm_bindgen]
pub struct ApiTask(api::Prepared);

#[wasm_bindgen]
impl ApiTask {
    /// Prepares a task; of a name that is not known there is none. No machines: the usual size.
    pub fn prepare(name: &str, nodes: u32, pods: u32) -> Option<ApiTask> {
        let size = (nodes > 0).then_some(Size { nodes, pods });
        Some(Self(api::prepare(api::Task::parse(name)?, size)))
    }

    /// Makes ready for [`ApiTask::run`] without changing this.
    pub fn copy(&self) -> ApiTask {
        Self(self.0.clone())
    }

    /// Does it. JSON with `items`, `good` and `hash`.
    pub fn run(self) -> String {
        let done = self.0.run();
        json!({ "items": done.items, "good": done.good, "hash": done.hash }).to_string()
    }
}
