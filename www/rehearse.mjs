// Runs what the first screen asks of the worker, then what playing asks, and prints the names of the
// functions that have run after each, as JSON: node www/rehearse.mjs GLUE WASM. A process of its own,
// because the glue finds a worker's global scope.

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { instrument, touched } from "./split.mjs";

const [glue, wasm] = process.argv.slice(2);

let now = 0;
globalThis.self = globalThis;
globalThis.postMessage = () => {};
// A beat further at each look: the rehearsal takes the same way on every machine.
Object.defineProperty(globalThis, "performance", { value: { now: () => (now += 16) } });
let beat = () => {};
globalThis.setTimeout = (call) => {
  beat = call;
  return 0;
};

const { initSync, rehearse } = await import(pathToFileURL(glue));
const { bytes, names } = instrument(await readFile(wasm));
const exports = initSync({ module: bytes });

// With every way in which the engine is called: by a message of the page, by one of its own, by its beat.
async function run(played) {
  rehearse(played);
  globalThis.onmessage({ data: new ArrayBuffer(1) });
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  beat();
  return [...touched(exports, names)];
}

const parts = [await run(false), await run(true)];
process.stdout.write(JSON.stringify(parts), () => process.exit(0));
