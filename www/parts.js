
import { initUnpacked, joined, unpacked } from "./unpack.js";

// The worker's parts (www/split.mjs) arrive packed (www/pack), each packed after those before it. The
// later ones are put in place once: when they have arrived, or by force when a function of them is
// called before that. Each needs those before it.
const FIRST = new URL("worker_first.wasm.lzma", import.meta.url);
const later = ["worker_play.wasm.lzma", "worker_rest.wasm.lzma"].map((name) => ({
    url: new URL(name, import.meta.url),
    following: new AbortController(),
}));
// The bytes of the parts that are there, in order: the next is unpacked with them. When all are there,
// none are kept.
let arrived = [];

// What a part imports: what the glue gives, and the parts before it.
function given(index) {
    const [first, play] = [wasm, later[0].exports];
    return { ...__wbg_get_imports(), first, play, podium_rest: { load: () => load(1) } };
}

function ready(index) {
    return index === 0 ? wasm.podium_first_ready : later[0].exports.podium_play_ready;
}

function place(index, bytes, module) {
    const part = later[index];
    if (part.exports) return;
    part.exports = new WebAssembly.Instance(module, given(index)).exports;
    ready(index).value = 1;
    arrived = index + 1 < later.length ? [...arrived, bytes] : [];
}

function load(index) {
    if (index > 0 && !later[index - 1].exports) load(index - 1);
    const { url, following } = later[index];
    const request = new XMLHttpRequest();
    // Under an address of its own: a browser lets a second request for one address wait for the first,
    // which this worker would have to read.
    request.open("GET", `${url}?now`, false);
    request.responseType = "arraybuffer";
    request.send();
    if (request.status !== 200) throw new Error(`${url.pathname}: HTTP ${request.status}`);
    const bytes = unpacked(url, new Uint8Array(request.response), joined(arrived));
    place(index, bytes, new WebAssembly.Module(bytes));
    // The same bytes need not arrive twice.
    following.abort();
}

async function follow(index) {
    const part = later[index];
    // Without the one before it nothing can be made of it: both are asked for again when they are needed.
    if (index > 0 && !later[index - 1].exports) return;
    const response = await fetch(part.url, { priority: "low", signal: part.following.signal });
    if (!response.ok) throw new Error(`${part.url.pathname}: HTTP ${response.status}`);
    const buffer = await response.arrayBuffer();
    // It may have been put in place by force meanwhile.
    if (part.exports) return;
    const bytes = unpacked(part.url, new Uint8Array(buffer), joined(arrived));
    place(index, bytes, await WebAssembly.compile(bytes));
}

/** Starts the worker with its first part; the others follow. What fails is said to the page, as an error of the worker. */
export function begin() {
    start().catch((error) => setTimeout(() => { throw error; }));
}

async function start() {
    const response = await fetch(FIRST);
    if (!response.ok) throw new Error(`${FIRST.pathname}: HTTP ${response.status}`);
    await initUnpacked(__wbg_init, response, (bytes) => arrived.push(bytes));
    follow(0)
        // What came by force meanwhile is no reason not to ask for the next.
        .catch(() => {})
        .then(() => follow(1))
        // It is asked for again when it is needed, and then it is said.
        .catch(() => {});
}
