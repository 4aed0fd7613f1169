// Loads the application: streams the wasm with a progress bar, then runs it. A file of its own
// because the page's security policy allows no inline script.

const module = document.getElementById("app-module");
const progress = document.getElementById("boot-progress");

try {
  const script = new URL(module.getAttribute("href"), document.baseURI);
  const wasm = new URL(module.dataset.wasm, document.baseURI);
  const [{ default: init }, response] = await Promise.all([import(script), fetch(wasm)]);
  if (!response.ok) throw new Error(`${wasm.pathname}: HTTP ${response.status}`);
  await init({ module_or_path: counted(response) });
} catch (error) {
  progress?.remove();
  const place = document.getElementById("boot-error") ?? document.body;
  place.hidden = false;
  place.textContent = `Podium could not start: ${error.message} · Podium 無法啟動。`;
  throw error;
}

// The same response, its bytes counted on the way. The total is the file's size as the build wrote
// it (`data-wasm-bytes`): `Content-Length` would be the compressed size.
function counted(response) {
  const total = Number(module.dataset.wasmBytes);
  if (!total || !progress || !response.body) return response;
  let received = 0;
  const counter = new TransformStream({
    transform(chunk, controller) {
      received += chunk.byteLength;
      progress.value = Math.min(received / total, 1);
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counter), {
    headers: { "content-type": "application/wasm" },
  });
}
