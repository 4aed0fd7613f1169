
// The later parts of the worker (www/split.mjs), each put in place once: when it has arrived, or by force
// when a function of it is called before that. Each needs those before it.
const later = ["worker_play.wasm.lzma", "worker_rest.wasm.lzma"].map((name) => ({
    url: new URL(name, import.meta.url),
    following: new AbortController(),
}));

// What a part imports: what the glue gives, and the parts before it.
function given(index) {
    const [first, play] = [wasm, later[0].exports];
    return { ...__wbg_get_imports(), first, play, podium_rest: { load: () => load(1) } };
}

function ready(index) {
    return index === 0 ? wasm.podium_first_ready : later[0].exports.podium_play_ready;
}

function place(index, module) {
    const part = later[index];
    if (part.exports) return;
    part.exports = new WebAssembly.Instance(module, given(index)).exports;
    ready(index).value = 1;
}

// They are sent packed (www/pack).
function unpacked(buffer, { url }) {
    const bytes = unpack(new Uint8Array(buffer));
    if (!bytes) throw new Error(`${url.pathname}: damaged`);
    return bytes;
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
    place(index, new WebAssembly.Module(unpacked(request.response, later[index])));
    // The same bytes need not arrive twice.
    following.abort();
}

async function follow(part) {
    const response = await fetch(part.url, { priority: "low", signal: part.following.signal });
    if (!response.ok) throw new Error(`${part.url.pathname}: HTTP ${response.status}`);
    const buffer = await response.arrayBuffer();
    // Others may have put it in place by force meanwhile.
    return part.exports ? undefined : WebAssembly.compile(unpacked(buffer, part));
}

export async function followParts() {
    for (const [index, part] of later.entries()) {
        // What fails to arrive, or came by force, is no reason not to ask for the next.
        const module = await follow(part).catch(() => undefined);
        if (module && (index === 0 || later[index - 1].exports)) place(index, module);
    }
}
