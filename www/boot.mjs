// Loads the application: streams the wasm, which release builds pack, with a progress bar, then runs it. A file of its own
// because the page's security policy allows no inline script.

// The application imports the editor through this: an import that is not static needs a script, and
// code made from text is forbidden here. Release builds pack the editor.
globalThis.podiumImport = async (url) => {
  const address = new URL(url, document.baseURI);
  if (!url.endsWith(".lzma")) return import(address);
  const [{ unpacked, unpacking }, response] = await Promise.all([import(new URL(module.dataset.unpack, document.baseURI)), fetch(address)]);
  if (!response.ok) throw new Error(`${address.pathname}: HTTP ${response.status}`);
  const packed = new Uint8Array(await response.arrayBuffer());
  await unpacking;
  const script = URL.createObjectURL(new Blob([unpacked(address, packed, new Uint8Array())], { type: "text/javascript" }));
  return import(script).finally(() => URL.revokeObjectURL(script));
};

const meta = (name) => document.querySelector(`meta[name=${name}]`)?.content;

// The engine's worker arrives beside the application, not after it.
let engine;

/** A worker for the application, which listens to it before it hears anything: the first, or another. */
globalThis.podiumEngine = () => {
  const { worker, heard } = engine ?? startEngine();
  engine = undefined;
  worker.onmessage = worker.onerror = null;
  setTimeout(() => heard.forEach((event) => worker.dispatchEvent(event)));
  return worker;
};

// A worker and what it has said until somebody else listens.
function startEngine() {
  const source = meta("engine-worker");
  if (!source) throw new Error("this page was built without its worker");
  const worker = new Worker(new URL(source, document.baseURI), { type: "module" });
  const heard = [];
  worker.onmessage = worker.onerror = (event) => heard.push(event);
  return { worker, heard };
}

// Shortest time between two looks for a newer build.
const UPDATE_PAUSE_MS = 3_600_000;

const module = document.getElementById("app-module");
const progress = document.getElementById("boot-progress");

try {
  engine = startEngine();
  const script = new URL(module.getAttribute("href"), document.baseURI);
  const wasm = new URL(module.dataset.wasm, document.baseURI);
  const { unpack } = module.dataset;
  const [{ default: init }, response, unpacker] = await Promise.all([import(script), fetch(wasm), unpack && import(new URL(unpack, document.baseURI))]);
  if (!response.ok) throw new Error(`${wasm.pathname}: HTTP ${response.status}`);
  // A download that breaks is said below, by the copy that starts the application.
  show(response.clone()).catch(() => {});
  await (unpacker ? unpacker.initUnpacked(init, response) : init({ module_or_path: response }));
} catch (error) {
  // Nobody will ask it anything.
  engine?.worker.terminate();
  progress?.remove();
  const place = document.getElementById("boot-error") ?? document.body;
  place.hidden = false;
  place.textContent = `Podium could not start: ${error.message} · Podium 無法啟動。`;
  throw error;
}

// After the first visit the page works without a network. Tests look at the network instead.
const keeper = meta("service-worker");
const tested = new URLSearchParams(location.search).has("test");
if (keeper && !tested && "serviceWorker" in navigator) {
  navigator.serviceWorker.register(keeper).then(watchForBuilds).catch(() => {}); // Without it the page needs a network: no more is lost.
}

// Tells the application once of a newer build than this page, which the next load of the page brings:
// the work that is open goes on with what it began with.
function watchForBuilds(registration) {
  const own = meta("build");
  const ask = (worker) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => {
      if (data === own) return;
      globalThis.podiumUpdate = true;
      dispatchEvent(new Event("podium-update"));
    };
    worker.postMessage("build", [port2]);
  };
  if (registration.waiting) ask(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const worker = registration.installing;
    worker.addEventListener("statechange", () => worker.state === "installed" && ask(worker));
  });
  // Browsers look when a page is loaded; one that stays open looks when somebody comes back to it.
  let looked = performance.now();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || performance.now() - looked < UPDATE_PAUSE_MS) return;
    looked = performance.now();
    registration.update().catch(() => {}); // No network: the next time.
  });
}

// Moves the progress bar while a copy of the response arrives. The total is the file's size as the
// build wrote it (`data-wasm-bytes`): `Content-Length` would be the compressed size.
async function show(copy) {
  const total = Number(module.dataset.wasmBytes);
  if (!total || !progress || !copy.body) return;
  let received = 0;
  for (const reader = copy.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    received += value.byteLength;
    progress.value = Math.min(received / total, 1);
  }
}
