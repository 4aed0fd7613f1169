// Criterion 19, and what the page costs: every figure beside its budget.
//
// PODIUM_SCALE=full runs criterion 19 with all of its 150,000 pods, which takes minutes; without it
// a Deployment of 15,000 fills the same 5,000 machines.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, axe, collectProblems, stage, start, type } from "./harness.mjs";
import { forget, frames, memory, print, quantile, watch } from "./measure.mjs";

const host = stage({ compress: true });
const { frozen } = host;

const MACHINES = 5_000;
const PODS = process.env.PODIUM_SCALE === "full" ? 150_000 : 15_000;

const deployment = (replicas) => `# file: web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: ${replicas}\n  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n        - name: web\n          image: nginx\n          resources:\n            requests: {cpu: 10m, memory: 16Mi}\n`;

/** A watched page in a fresh context, opened at `path`. */
async function watched(path = "?seed=42&t=0&speed=0&test=1", options = {}) {
  const context = await host.browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  // What is slow is printed; it fails nothing.
  page.setDefaultTimeout(180_000);
  const problems = collectProblems(page, new URL(host.site.url).origin);
  await watch(page);
  await page.goto(host.site.url + path);
  await page.waitForFunction(() => window.__playground?.ready);
  await page.locator(".cm-content").waitFor();
  return { page, problems, close: () => context.close() };
}

/** Time from a move of the slider to the picture of that time, in milliseconds, for each. */
function scrub(page, times) {
  return page.evaluate(async (times) => {
    const slider = document.querySelector("[data-testid=slider]");
    const took = [];
    for (const t of times) {
      const begun = performance.now();
      slider.value = t * 10;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      // No longer than a moment at a time: a timer would be held back after a few.
      while (window.__playground.now !== t) await new Promise((resolve) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = resolve; port2.postMessage(null); });
      took.push(performance.now() - begun);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return took;
  }, times);
}

/** Keys' time to the next paint while the clock runs, in milliseconds. */
async function typing(page) {
  await page.locator(".editor:not([hidden]) .cm-content").click();
  await page.keyboard.press("Control+Home");
  await forget(page);
  await page.keyboard.type("# a comment that is typed while the clock runs", { delay: 50 });
  await page.waitForTimeout(500);
  const events = await page.evaluate(() => window.measured.events);
  // The 98th percentile, as INP has it for many interactions; what took less than 16 ms is not reported.
  return quantile([0, ...events], 0.98);
}

test("criterion 19: five thousand machines are filled, played, broken, found, and typed beside", async (context) => {
  const { page, problems, close } = await watched();
  let begun = Date.now();
  await start(page, deployment(PODS), { nodes: String(MACHINES), length: "9000" });
  const summary = page.getByTestId("dense-summary");
  await page.getByTestId("dense-kubernetes").waitFor({ timeout: 300_000 });
  context.diagnostic(`${MACHINES} machines, ${PODS} pods: loaded in ${Date.now() - begun} ms`);
  await page.getByTestId("speed").selectOption("1000000");
  await page.getByTestId("play").click();
  begun = Date.now();
  await forget(page);
  const filling = await frames(page, 30, 50_000);
  print(context, "frame", quantile(filling.took, 0.5), `median of ${filling.took.length} while the machines fill; p95 ${quantile(filling.took, 0.95).toFixed(1)} ms`);
  print(context, "long", filling.long, `while the machines fill; ${filling.longs} of more than 50 ms`);
  await page.waitForFunction((pods) => document.querySelector("[data-testid=ready-kubernetes]").textContent.startsWith(`${pods}/${pods} `), PODS, { timeout: 900_000, polling: 500 });
  context.diagnostic(`all ready at ${Math.round(await page.evaluate(() => window.__playground.now))} s of the run, after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  assert.match(await summary.textContent(), new RegExp(`${MACHINES + 1} machines, 0 lost; ✓ ${PODS} ready$`));

  await page.getByTestId("speed").selectOption("1000");
  await forget(page);
  begun = Date.now();
  const playing = await frames(page, 120, 50_000);
  context.diagnostic(`${(120_000 / (Date.now() - begun)).toFixed(1)} frames a second`);
  print(context, "frame", quantile(playing.took, 0.5), `median of 120; p95 ${quantile(playing.took, 0.95).toFixed(1)} ms`);
  print(context, "bytes", playing.bytes / 1000, "largest of 120");
  print(context, "long", playing.long, `${playing.longs} of more than 50 ms`);
  print(context, "inp", await typing(page));
  await page.getByTestId("play").click();

  // The whole canvas is drawn anew: the other theme, there and back.
  const redraws = await page.evaluate(async () => {
    const chooser = document.querySelector("[data-testid=theme]");
    const took = [];
    for (let turn = 0; turn < 120; turn += 1) {
      const begun = performance.now();
      chooser.value = turn % 2 ? "light" : "dark";
      chooser.dispatchEvent(new Event("change", { bubbles: true }));
      await new Promise((resolve) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = resolve; port2.postMessage(null); });
      took.push(performance.now() - begun);
      await new Promise(requestAnimationFrame);
    }
    return took;
  });
  print(context, "redraw", quantile(redraws, 0.5), `median of 120; p95 ${quantile(redraws, 0.95).toFixed(1)} ms`);

  const now = Math.floor(await page.evaluate(() => window.__playground.now));
  await forget(page);
  const took = await scrub(page, [0.5, 0.1, 0.8, 0.3, 1].map((share) => Math.floor(now * share)));
  const scrubbing = await page.evaluate(() => window.measured.frames.map(({ took }) => took));
  print(context, "frame", quantile(scrubbing, 0.5), `median of ${scrubbing.length} while scrubbing; p95 ${quantile(scrubbing, 0.95).toFixed(1)} ms`);
  // The budget is of 100 machines; here most of it is the way from the last snapshot.
  context.diagnostic(`scrub within ${now} s, ${MACHINES} machines, ${PODS} pods: ${quantile(took, 0.5).toFixed(0)} ms (median of 5), the longest ${Math.max(...took).toFixed(0)} ms`);

  // One machine is found by its name, broken, and seen among the others.
  await page.getByTestId("dense-machine").fill("worker-4321");
  await page.keyboard.press("Enter");
  await page.getByTestId("machine-kubernetes-worker-4321").waitFor({ timeout: 60_000 });
  await page.getByTestId("kill-kubernetes-worker-4321").click();
  await page.waitForFunction(() => / 1 lost;/.test(document.querySelector("[data-testid=dense-summary]").textContent), null, { timeout: 60_000 });
  const drawn = await page.evaluate(() => {
    const canvas = document.querySelector("canvas.dense");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const dot = (x, y) => [...data.slice((y * canvas.width + x) * 4, (y * canvas.width + x) * 4 + 4)].join();
    let filled = 0;
    for (let at = 3; at < data.length; at += 4) filled += data[at] > 0 ? 1 : 0;
    // Tiles of 8 dots, 84 in a row; the control plane's machine is the first.
    const [x, y] = [(4321 % 84) * 8, Math.floor(4321 / 84) * 8];
    return { filled: filled / (canvas.width * canvas.height), corner: dot(x, y), middle: dot(x + 3, y + 3), beside: dot(x - 8, y) };
  });
  assert.ok(drawn.filled > 0.3, `${drawn.filled} of the canvas is filled`);
  assert.equal(drawn.corner, "0,0,0,0"); // A cross.
  assert.notEqual(drawn.middle, "0,0,0,0");
  assert.notEqual(drawn.middle, drawn.beside);
  assert.deepEqual(await axe(page), []);
  const { script, page: own, worker, all } = await memory(page);
  print(context, "memory", all, `scripts ${script.toFixed(0)}, page ${own.toFixed(0)}, worker ${worker.toFixed(0)}`);
  assert.deepEqual(problems, []);
  await close();
});

test("what loading costs over 10 Mbit/s and 40 ms", async (context) => {
  const browsing = await host.browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await browsing.newPage();
  const session = await browsing.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 40, downloadThroughput: 1_250_000, uploadThroughput: 1_250_000 });
  await page.addInitScript(() => {
    window.paints = { lcp: 0 };
    new PerformanceObserver((list) => (window.paints.lcp = list.getEntries().at(-1).startTime)).observe({ type: "largest-contentful-paint", buffered: true });
  });
  await page.goto(`${host.site.url}?seed=42&test=1`, { waitUntil: "commit" });
  await page.waitForFunction(() => window.__playground?.ready, null, { polling: 16, timeout: 120_000 });
  const interactive = await page.evaluate(() => performance.now());
  await page.waitForTimeout(2_000);
  const { lcp, fcp } = await page.evaluate(() => ({ ...window.paints, fcp: performance.getEntriesByName("first-contentful-paint")[0].startTime }));
  print(context, "fcp", Math.round(fcp));
  print(context, "lcp", Math.round(lcp));
  print(context, "interactive", Math.round(interactive));
  assert.ok(fcp > 0 && interactive > fcp);
  await browsing.close();
});

test("how much moves while the first visit plays", async (context) => {
  for (const [width, height] of [[1440, 900], [1350, 940], [768, 1024], [412, 823]]) {
    const browsing = await host.browser.newContext({ viewport: { width, height } });
    const page = await browsing.newPage();
    await page.addInitScript(() => {
      window.shifts = [];
      new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map(({ value, startTime }) => ({ value, startTime })))).observe({ type: "layout-shift", buffered: true });
    });
    await page.goto(host.site.url);
    await page.locator("[data-engine=ready]").waitFor();
    const begun = await page.getByTestId("now").textContent();
    await page.waitForTimeout(6_000);
    assert.notEqual(await page.getByTestId("now").textContent(), begun, "the first visit plays by itself");
    // As web.dev/articles/cls counts: the worst window of at most 5 s without a second's rest.
    const cls = (await page.evaluate(() => window.shifts)).reduce(
      ({ worst, sum, begun, last }, { value, startTime }) => {
        const goes = startTime - last < 1_000 && startTime - begun < 5_000;
        const now = (goes ? sum : 0) + value;
        return { worst: Math.max(worst, now), sum: now, begun: goes ? begun : startTime, last: startTime };
      },
      { worst: 0, sum: 0, begun: 0, last: -Infinity },
    ).worst;
    print(context, "cls", Number(cls.toFixed(4)), `${width} by ${height}, playing`);
    await browsing.close();
  }
});

test("what edits cost", async (context) => {
  const { page, problems, close } = await frozen(30);
  await page.locator(".cm-content").waitFor();
  // The clock stands: what changes at once is the object.
  const hash = await at(page, 30);
  await type(page, "replicas: 3", "replicas: 5");
  let begun = Date.now();
  await page.waitForFunction((hash) => window.__playground.hash !== hash, hash, { polling: 8 });
  print(context, "consequence", Date.now() - begun);
  const service = (number) => `---\napiVersion: v1\nkind: Service\nmetadata:\n  name: service-${number}\n  labels:\n    app: web\nspec:\n  selector:\n    app: web\n  ports:\n    - port: 80\n`;
  const text = `# file: many.yaml\n# the first line\n${Array.from({ length: 170 }, (_, number) => service(number)).join("")}`;
  assert.ok(text.split("\n").length > 2_000);
  await start(page, text);
  await page.getByTestId("tab-many.yaml").waitFor();
  await page.waitForFunction(() => document.querySelector("[data-testid=problems-count]").textContent === "0");
  await page.locator(".editor:not([hidden]) .cm-content").click();
  await page.keyboard.press("Control+Home");
  // By the page's own clock: what drives the page asks of it later than somebody who looks at it sees.
  await page.evaluate(() => {
    window.looks = [];
    let typed = 0;
    addEventListener("beforeinput", () => (typed ||= performance.now()), { capture: true });
    const mark = ".editor:not([hidden]) .cm-lint-marker-error";
    new MutationObserver(() => {
      if (!typed || !document.querySelector(mark)) return;
      window.looks.push(performance.now() - typed);
      typed = 0;
    }).observe(document.body, { childList: true, subtree: true });
  });
  const looks = [];
  for (let turn = 1; turn <= 5; turn += 1) {
    await page.keyboard.insertText("wrong: [\n");
    await page.waitForFunction((turn) => window.looks.length === turn, turn);
    await page.waitForFunction(() => document.querySelector("[data-testid=problems-count]").textContent !== "0");
    looks.push(await page.evaluate(() => window.looks.at(-1)));
    if (turn === 5) break;
    await page.keyboard.press("Control+Z");
    await page.waitForFunction(() => document.querySelector("[data-testid=problems-count]").textContent === "0");
    await page.waitForFunction(() => !document.querySelector(".editor:not([hidden]) .cm-lint-marker-error"));
  }
  print(context, "diagnostics", looks[0], "from the first keystroke to the mark");
  print(context, "diagnostics", quantile(looks, 0.5), "median of five");
  await page.waitForFunction(() => document.querySelector("[data-testid=problems-count]").textContent !== "0");
  assert.deepEqual(problems, []);
  await close();
});

test("what time costs: scrubbing with 100 machines, playing with 1,000 pods", async (context) => {
  const { page, problems, close } = await watched();
  await start(page, deployment(1_000), { nodes: "100", length: "36000" });
  await page.getByTestId("plane-swarm").waitFor({ state: "detached" });
  await page.getByTestId("speed").selectOption("100000");
  await page.getByTestId("play").click();
  await forget(page);
  const playing = await frames(page, 120, 10_000);
  print(context, "frame", quantile(playing.took, 0.5), `100 machines, 1,000 pods: median of 120; p95 ${quantile(playing.took, 0.95).toFixed(1)} ms`);
  print(context, "bytes", playing.bytes / 1000, "100 machines, 1,000 pods");
  print(context, "long", playing.long, `100 machines, 1,000 pods; ${playing.longs} of more than 50 ms`);
  print(context, "inp", await typing(page), "100 machines, 1,000 pods");
  await page.waitForFunction(() => window.__playground.now >= 600, null, { timeout: 120_000 });
  await page.getByTestId("play").click();
  const took = await scrub(page, [300, 10, 590, 123, 456, 60, 599, 1]);
  print(context, "scrub", quantile(took, 0.5), `median of ${took.length}; the longest ${Math.max(...took)} ms`);
  const { script, page: own, worker, all } = await memory(page);
  print(context, "memory", all, `10 minutes of 1,000 pods; scripts ${script.toFixed(0)}, page ${own.toFixed(0)}, worker ${worker.toFixed(0)}`);
  assert.deepEqual(problems, []);
  await close();
});
