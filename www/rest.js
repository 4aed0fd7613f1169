
// The rest of the worker (www/split.mjs), put in place once: when it has arrived, or by force when a
// function of it is called before that.
const restUrl = new URL("worker_rest.wasm", import.meta.url);
const following = new AbortController();

function placeRest(module) {
    if (wasm.podium_ready.value) return;
    new WebAssembly.Instance(module, { ...__wbg_get_imports(), first: wasm });
    wasm.podium_ready.value = 1;
}

function loadRest() {
    const request = new XMLHttpRequest();
    // Under an address of its own: a browser lets a second request for one address wait for the first,
    // which this worker would have to read.
    request.open("GET", `${restUrl}?now`, false);
    request.responseType = "arraybuffer";
    request.send();
    if (request.status !== 200) throw new Error(`${restUrl.pathname}: HTTP ${request.status}`);
    placeRest(new WebAssembly.Module(request.response));
    // The same bytes need not arrive twice.
    following.abort();
}

export async function followRest() {
    placeRest(await WebAssembly.compileStreaming(fetch(restUrl, { priority: "low", signal: following.signal })));
}
