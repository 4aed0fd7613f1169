// Times and sizes beside their budgets: printed in every run. A time says something only about the
// machine that it was taken on, and fails nothing; what does not depend on the machine is held to
// what alarms.

import assert from "node:assert/strict";

/** What must stay below its alarm on any machine. */
const HELD = ["cls", "bytes"];

/** Target on a mid laptop and what alarms, as the specification of the page has them. */
const BUDGETS = {
  fcp: ["first contentful paint", "ms", 800, 2_000],
  lcp: ["largest contentful paint", "ms", 1_500, 4_000],
  interactive: ["interactive", "ms", 2_500, 8_000],
  cls: ["cumulative layout shift", "", 0.01, 0.05],
  diagnostics: ["keystroke to diagnostics, 2,000 lines", "ms", 150, 600],
  consequence: ["edit to first visible consequence", "ms", 300, 1_200],
  scrub: ["scrub within 10 minutes, 100 machines", "ms", 50, 250],
  frame: ["frame while playing", "ms", 4, 16],
  redraw: ["full redraw", "ms", 12, 50],
  inp: ["interaction to next paint, typing during play", "ms", 100, 200],
  long: ["longest task on the main thread while playing", "ms", 50, 200],
  bytes: ["worker to page per frame", "KB", 200, 200],
  memory: ["memory", "MB", 250, 400],
};

/** Prints one figure beside its budget; `what` says of which situation. */
export function print(context, name, value, what = "") {
  const [title, unit, target, alarm] = BUDGETS[name];
  const verdict = value <= target ? "within" : value <= alarm ? "above the target" : "ALARM";
  const shown = Number.isInteger(value) ? value : value.toFixed(value < 1 ? 3 : 1);
  context.diagnostic(`${title}${what && ` (${what})`}: ${shown} ${unit} · target ${target}, alarm ${alarm} · ${verdict}`);
  if (HELD.includes(name)) assert.ok(value <= alarm, `${title}: ${shown} ${unit}, more than ${alarm}`);
}

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/**
 * Prepares a page, before it is opened, to note what its frames cost: `window.measured` has for each
 * message of the worker its bytes and the time until the page had nothing more to do for it, long
 * tasks, and interactions. The memory of both WebAssembly modules is kept for `memory`.
 */
export async function watch(page) {
  const keep = `for (const name of ["instantiate", "instantiateStreaming"]) {
    const own = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const made = await own.apply(WebAssembly, given);
      globalThis.memoryOfWasm = (made.instance ?? made).exports.memory;
      return made;
    };
  }`;
  await page.addInitScript(keep);
  await page.addInitScript(() => {
    window.measured = { frames: [], long: [], events: [] };
    const own = Object.getOwnPropertyDescriptor(Worker.prototype, "onmessage");
    Object.defineProperty(Worker.prototype, "onmessage", {
      configurable: true,
      get() { return own.get.call(this); },
      set(listener) {
        own.set.call(this, (event) => {
          const begun = performance.now();
          const bytes = event.data.byteLength;
          listener.call(this, event);
          // A task of its own, after everything that the message set going.
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => {
            window.measured.frames.push({ bytes, took: performance.now() - begun });
            port1.close();
          };
          port2.postMessage(null);
        });
      },
    });
    new PerformanceObserver((list) => window.measured.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
    new PerformanceObserver((list) => window.measured.events.push(...list.getEntries().filter(({ interactionId }) => interactionId).map(({ duration }) => duration)))
      .observe({ type: "event", durationThreshold: 16 });
  });
  await page.route("**/worker-*_loader.js", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `${keep}\n${await answer.text()}` });
  });
}

/** Forgets what was noted. */
export const forget = (page) => page.evaluate(() => {
  for (const list of Object.values(window.measured)) list.length = 0;
});

/** What was noted once there are `count` messages of more than `least` bytes. */
export async function frames(page, count, least, timeout = 300_000) {
  await page.waitForFunction(([count, least]) => window.measured.frames.filter(({ bytes }) => bytes > least).length >= count, [count, least], { timeout });
  const { frames, long, events } = await page.evaluate(() => window.measured);
  const large = frames.filter(({ bytes }) => bytes > least);
  return { took: large.map(({ took }) => took), bytes: Math.max(...large.map(({ bytes }) => bytes)), long: Math.max(0, ...long), longs: long.length, events };
}

/** Script heaps and WebAssembly memories of page and worker, in megabytes. */
export async function memory(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  const own = await page.evaluate(() => globalThis.memoryOfWasm?.buffer.byteLength ?? 0);
  const worker = await page.workers()[0].evaluate(() => globalThis.memoryOfWasm?.buffer.byteLength ?? 0);
  const parts = { script: usedSize / 1e6, page: own / 1e6, worker: worker / 1e6 };
  return { ...parts, all: parts.script + parts.page + parts.worker };
}
