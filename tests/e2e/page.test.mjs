// The page as people use it: three planes, live edits, faults, time, languages.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch, open, serveDist } from "./harness.mjs";

let site;
let browser;

before(async () => {
  site = await serveDist();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

/** A frozen page at `t` seconds. */
async function frozen(t, options = {}) {
  const opened = await open(browser, site, { path: `?seed=42&t=${t}&speed=0&test=1`, ...options });
  await at(opened.page, t);
  return opened;
}

/** Waits until the shown time is `t` seconds, and returns its hash. */
async function at(page, t) {
  await page.waitForFunction((t) => window.__playground?.ready && window.__playground.now === t, t);
  return page.evaluate(() => window.__playground.hash);
}

/** Moves the slider to `t` seconds. */
async function seek(page, t) {
  await page.getByTestId("slider").fill(String(t * 10));
  return at(page, t);
}

/** Units of a workload in a state, on one plane. */
const units = (page, plane, workload, state) =>
  page.getByTestId(`plane-${plane}`).locator(`[data-testid=unit][data-workload=${workload}][data-state=${state}]`);

/** Replaces `from` by `to` in the open editor, as typing would. */
async function type(page, from, to) {
  await page.locator(".editor:not([hidden]) .cm-content").click();
  await page.evaluate((from) => {
    const content = document.querySelector(".editor:not([hidden]) .cm-content");
    const line = [...content.querySelectorAll(".cm-line")].find((line) => line.textContent.includes(from));
    const start = line.textContent.indexOf(from);
    const place = (offset) => {
      const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (offset <= node.length) return [node, offset];
        offset -= node.length;
      }
      return [line, line.childNodes.length];
    };
    getSelection().setBaseAndExtent(...place(start), ...place(start + from.length));
  }, from);
  await page.waitForTimeout(100);
  await page.keyboard.insertText(to);
}

test("three planes run the poll, each in its own terms", async () => {
  const { page, problems, close } = await frozen(55);
  for (const plane of ["kubernetes", "swarm", "compose"]) await page.getByTestId(`plane-${plane}`).waitFor();
  assert.equal(await units(page, "kubernetes", "poll", "ready").count(), 3);
  assert.equal(await units(page, "swarm", "poll", "ready").count(), 3);
  assert.equal(await units(page, "compose", "poll", "ready").count(), 1);
  assert.equal(await page.locator("[data-testid=chart-kubernetes] path.chart-ready").count(), 1);
  assert.deepEqual(problems, []);
  await close();
});

test("an edit reaches the running cluster without a button", async () => {
  const { page, problems, close } = await frozen(30);
  await page.locator(".cm-content").waitFor();
  const before = await at(page, 30);
  await type(page, "replicas: 3", "replicas: 5");
  // The clock stands: the object changes at once, the loops act when time passes.
  await page.waitForFunction((hash) => window.__playground.hash !== hash, before);
  await seek(page, 55);
  assert.equal(await units(page, "kubernetes", "poll", "ready").count(), 5);
  assert.equal(await units(page, "swarm", "poll", "ready").count(), 3);
  assert.equal(await page.getByTestId("last-valid").count(), 0);
  assert.deepEqual(problems, []);
  await close();
});

test("a wrong type is underlined, and the last valid files keep running", async () => {
  const { page, problems, close } = await frozen(30);
  const hash = await at(page, 30);
  await page.locator(".cm-content").waitFor();
  await type(page, "replicas: 3", 'replicas: "x"');
  await page.getByTestId("last-valid").waitFor();
  assert.equal(await page.locator(".cm-lintRange-error").first().textContent(), '"x"');
  assert.equal(await page.getByTestId("problems-count").textContent(), "1");
  assert.match(await page.getByTestId("problem").first().textContent(), /kubernetes\.yaml, line 10, column 13/);
  assert.equal(await at(page, 30), hash);
  await page.keyboard.press("Control+z");
  await page.getByTestId("last-valid").waitFor({ state: "detached" });
  assert.equal(await page.getByTestId("problems-count").textContent(), "0");
  assert.deepEqual(problems, []);
  await close();
});

test("a machine is killed and healed by keyboard", async () => {
  const { page, problems, close } = await frozen(30);
  const machine = (plane) => page.getByTestId(`machine-${plane}-worker-2`);
  await page.locator("[data-testid=plane-kubernetes] .machine-head").first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("x");
  await page.keyboard.press("n");
  for (const plane of ["kubernetes", "swarm"]) {
    await page.waitForFunction((plane) => document.querySelector(`[data-testid=machine-${plane}-worker-2]`).dataset.lost === "true", plane);
    assert.match(await machine(plane).textContent(), /✕.*lost/);
  }
  await page.waitForFunction(() => document.querySelector("[data-testid=live]").textContent.includes("worker-2 is lost"));
  await page.keyboard.press("x");
  await page.keyboard.press("h");
  await seek(page, 59);
  await page.waitForFunction(() => !document.querySelector("[data-testid=machine-kubernetes-worker-2]").textContent.includes("lost"));
  assert.deepEqual(problems, []);
  await close();
});

test("the page computes what the command line computes", async () => {
  const hashes = JSON.parse(await readFile(new URL("hashes.json", import.meta.url), "utf8"));
  for (const [t, hash] of Object.entries(hashes)) {
    const { page, close } = await frozen(Number(t));
    assert.equal(await at(page, Number(t)), hash, `at ${t} s`);
    await close();
  }
});

test("a time looks the same however it was reached", async () => {
  const { page, problems, close } = await frozen(41);
  const first = await at(page, 41);
  const start = await seek(page, 0);
  assert.notEqual(start, first);
  assert.equal(await seek(page, 41), first);
  await seek(page, 200);
  assert.equal(await seek(page, 41), first);
  assert.match(await page.getByTestId("slider").getAttribute("aria-valuetext"), /^0:41\.0/);
  assert.deepEqual(problems, []);
  await close();
});

test("a branch leaves the old future as it was", async () => {
  const { page, close } = await frozen(100);
  const future = await at(page, 100);
  await seek(page, 30);
  await page.getByTestId("fork").click();
  await page.getByTestId("branch").waitFor();
  await page.getByTestId("fault-kill").click();
  await page.waitForFunction(() => document.querySelector("[data-lost=true]"));
  assert.notEqual(await seek(page, 100), future);
  await page.getByTestId("branch").selectOption("0");
  await page.waitForFunction((hash) => window.__playground.hash === hash, future);
  await close();
});

test("the other language keeps the time and the text", async () => {
  const { page, problems, close } = await frozen(41);
  const hash = await at(page, 41);
  await page.getByTestId("language-zh-TW").click();
  await page.getByRole("heading", { name: "圖表" }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-Hant-TW");
  assert.equal(await at(page, 41), hash);
  assert.deepEqual(problems, []);
  await close();
});

test("an event is explained by what led to it", async () => {
  const { page, close } = await frozen(400);
  await page.locator(".event-kubernetes").first().click();
  await page.getByTestId("why").locator(".chain li").first().waitFor();
  await close();
});

test("the console reads the shown time", async () => {
  const { page, close } = await frozen(55);
  await page.getByTestId("console-input").fill("sim hash");
  await page.getByTestId("console-run").click();
  const log = page.getByTestId("console-log");
  await log.locator("pre").nth(1).waitFor();
  assert.equal((await log.locator("pre").nth(1).textContent()).trim(), await at(page, 55));
  await close();
});

test("pasted files begin another experiment", async () => {
  const { page, close } = await frozen(0);
  await page.getByTestId("experiment-open").click();
  const text = "# file: one.yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: lonely\nspec:\n  containers:\n    - name: web\n      image: nginx\n";
  await page.getByTestId("experiment-paste").fill(text);
  await page.getByTestId("experiment-faults").fill("");
  await page.getByTestId("experiment-start").click();
  await page.getByTestId("plane-swarm").waitFor({ state: "detached" });
  await seek(page, 20);
  assert.equal(await units(page, "kubernetes", "lonely", "ready").count(), 1);
  await close();
});

test("with reduced motion the page waits to be started", async () => {
  const { page, close } = await open(browser, site, { path: "?seed=42", reducedMotion: "reduce" });
  await page.waitForFunction(() => window.__playground?.ready);
  assert.equal(await page.getByTestId("play").getAttribute("data-playing"), "false");
  await page.locator("body").press(" ");
  await page.waitForFunction(() => window.__playground.now > 1);
  await close();
});

test("the session comes back after a reload", async () => {
  const { page, close } = await open(browser, site, { path: "?seed=42&speed=0" });
  await page.locator(".cm-content").waitFor();
  await page.waitForFunction(() => window.__playground?.ready);
  const before = await page.evaluate(() => window.__playground.hash);
  await type(page, "replicas: 3", "replicas: 4");
  await page.waitForFunction((hash) => window.__playground.hash !== hash, before);
  await page.waitForTimeout(1_500); // autosave
  await page.reload();
  await page.getByTestId("restored").waitFor();
  await page.waitForFunction(() => document.querySelector(".cm-content")?.textContent.includes("replicas: 4"));
  await close();
});

test("nothing is out of reach of assistive technology", async () => {
  const { createRequire } = await import("node:module");
  const source = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
  for (const options of [{ colorScheme: "light" }, { colorScheme: "dark" }, { colorScheme: "light", locale: "zh-TW" }]) {
    const { page, close } = await frozen(400, options);
    await page.locator(".cm-content").waitFor();
    await page.evaluate(await (await import("node:fs/promises")).readFile(source, "utf8")).catch(() => page.addScriptTag({ path: source }));
    const { violations } = await page.evaluate(() => window.axe.run());
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`);
    assert.deepEqual(found, [], JSON.stringify(options));
    await close();
  }
});
