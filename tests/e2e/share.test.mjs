// What the page lets people take away, bring back and look into: links, files, tools, offline use.

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

/** Waits until the shown time is `t` seconds, and returns its hash. */
async function at(page, t) {
  await page.waitForFunction((t) => window.__playground?.ready && window.__playground.now === t, t);
  return page.evaluate(() => window.__playground.hash);
}

/** A frozen page at `t` seconds. */
async function frozen(t, options = {}) {
  const opened = await open(browser, site, { path: `?seed=42&t=${t}&speed=0&test=1`, ...options });
  await at(opened.page, t);
  return opened;
}

/** Moves the slider to `t` seconds. */
async function seek(page, t) {
  await page.getByTestId("slider").fill(String(t * 10));
  return at(page, t);
}

/** The link of the share dialog. */
async function link(page) {
  await page.getByTestId("share-open").click();
  const text = await page.getByTestId("share-link").inputValue();
  await page.keyboard.press("Escape");
  return text;
}

test("criterion 12: a link brings texts, faults, time and hash back", async () => {
  const { page, problems, close } = await frozen(41);
  await page.getByTestId("fault-kill").click();
  await page.waitForFunction(() => document.querySelector("[data-lost=true]"));
  const hash = await seek(page, 120);
  const shared = await link(page);
  assert.ok(shared.length < 600, `${shared.length} characters`);
  const fragment = new URL(shared).hash;
  const other = await open(browser, site, { path: `?test=1${fragment}` });
  assert.equal(await at(other.page, 120), hash);
  assert.deepEqual(other.problems, []);
  await other.close();
  // In the same tab: a damaged link changes nothing, a good one is opened.
  await page.evaluate((hash) => (location.hash = hash.slice(0, -12)), fragment);
  await page.getByTestId("link-fault").waitFor();
  assert.equal(await at(page, 120), hash);
  await seek(page, 10);
  await page.evaluate((hash) => (location.hash = hash), fragment);
  assert.equal(await at(page, 120), hash);
  assert.deepEqual(problems, []);
  await close();
});

test("criterion 7: completion offers the structure's fields, and a fix mends the text", async () => {
  const { page, problems, close } = await frozen(5);
  await page.locator(".cm-content").waitFor();
  await page.getByTestId("experiment-open").click();
  const text = "# file: web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicsa: 2\n  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n        - name: web\n          image: nginx\n";
  await page.getByTestId("experiment-paste").fill(text);
  await page.getByTestId("experiment-faults").fill("");
  await page.getByTestId("experiment-start").click();
  const problem = page.getByTestId("problem").first();
  await problem.waitFor();
  assert.match(await problem.textContent(), /web\.yaml, line 6, column 3/);
  await problem.getByRole("button", { name: "Fix" }).click();
  await page.waitForFunction(() => document.querySelector("[data-testid=problems-count]").textContent === "0");
  const editor = page.locator(".editor:not([hidden]) .cm-content");
  await editor.getByText("replicas").click();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.keyboard.type("mi");
  await page.locator(".cm-tooltip-autocomplete").getByText("minReadySeconds").waitFor();
  assert.equal(await page.locator(".cm-tooltip-autocomplete").getByText("clusterIP").count(), 0);
  assert.deepEqual(problems, []);
  await close();
});

test("bad input is told at its place, in every form, and the last valid files keep running", async () => {
  const { page, problems, close } = await frozen(5);
  const cases = {
    "broken YAML": ["# file: a.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: a\n", "a.yaml"],
    "an unknown kind": ["# file: a.yaml\napiVersion: v1\nkind: Pot\nmetadata:\n  name: a\n", "a.yaml, line 2"],
    "a cycle": ["# file: compose.yaml\nservices:\n  a:\n    image: nginx\n    depends_on: [b]\n  b:\n    image: nginx\n    depends_on: [a]\n", "compose.yaml"],
    "an unknown field": ["# file: compose.yaml\nservices:\n  a:\n    imgae: nginx\n", "compose.yaml, line 3"],
  };
  for (const [name, [text, place]] of Object.entries(cases)) {
    await page.getByTestId("experiment-open").click();
    await page.getByTestId("experiment-paste").fill(text);
    await page.getByTestId("experiment-faults").fill("");
    await page.getByTestId("experiment-start").click();
    await page.waitForFunction((place) => [...document.querySelectorAll("[data-testid=problem]")].some((found) => found.textContent.includes(place)), place).catch(() => assert.fail(`${name}: nothing at ${place}`));
    await page.getByTestId("last-valid").waitFor();
    assert.equal(await page.getByTestId("plane-kubernetes").count(), 1, name);
  }
  assert.deepEqual(problems, []);
  await close();
});

test("a scenario of the gallery opens at its start and plays", async () => {
  const { page, problems, close } = await frozen(5);
  await page.getByTestId("gallery-open").click();
  await page.getByTestId("gallery-pod-kill.md").click();
  await page.getByTestId("plane-swarm").waitFor({ state: "detached" });
  await at(page, 0);
  await seek(page, 30);
  const ready = page.getByTestId("plane-kubernetes").locator("[data-testid=unit][data-workload=web][data-state=ready]");
  assert.equal(await ready.count(), 2);
  assert.deepEqual(problems, []);
  await close();
});

test("an object is looked into with the real tools' words, the console offers words", async () => {
  const { page, problems, close } = await frozen(55);
  await page.getByTestId("plane-kubernetes").locator("[data-testid=unit]").first().click();
  await page.getByTestId("inspect").click();
  const inspector = page.getByTestId("inspector");
  await inspector.locator("pre").first().waitFor();
  assert.match(await inspector.locator("pre").first().textContent(), /^Name: /);
  await page.keyboard.press("Escape");
  const line = page.getByTestId("console-input");
  await line.click();
  await page.keyboard.type("kubectl desc");
  await page.getByTestId("console-words").getByText("describe").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await line.inputValue(), "kubectl describe ");
  assert.deepEqual(problems, []);
  await close();
});

test("charts and figures leave as files", async () => {
  const { page, close } = await frozen(120);
  await page.getByTestId("share-open").click();
  for (const [id, begin] of [["export-podium.csv", "orchestrator,service,"], ["export-svg", "<svg"], ["export-podium.md", "# An experiment"], ["export-png", "\u0089PNG"], ["export-gif", "GIF89a"]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId(id).click()]);
    const text = await readFile(await download.path(), "latin1");
    assert.ok(text.startsWith(begin), `${id}: ${text.slice(0, 20)}`);
  }
  assert.match(await page.getByTestId("share-command").inputValue(), /^podium compare \. --nodes 3 --seed 42 --fault 'node-crash of:poll at 60s' --for 900s$/);
  await close();
});

test("an engine that stops is started again, and the work is kept", async () => {
  const { page, close } = await frozen(20);
  await page.workers()[0].evaluate(() => { setTimeout(() => { throw new Error("made to fail"); }); });
  await page.getByTestId("crash").waitFor();
  await at(page, 20);
  assert.equal(await page.getByTestId("page").getAttribute("data-engine"), "ready");
  await close();
});

test("criterion 20: after one visit the page works without a network; embedded it shows one view", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(site.url);
  await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === "activated");
  await context.setOffline(true);
  await page.reload();
  await page.waitForFunction(() => window.__playground?.ready);
  await context.setOffline(false);
  await context.close();
  const embedded = await open(browser, site, { path: "?embed=1&test=1&seed=42" });
  await embedded.page.waitForFunction(() => window.__playground?.ready);
  assert.equal(await embedded.page.locator(".editor-panel").isVisible(), false);
  assert.match(await embedded.page.getByTestId("embed-open").getAttribute("href"), /#z1\./);
  await embedded.close();
});

test("a phone shows one panel at a time, and nothing is wider than it", async () => {
  const { page, close } = await frozen(80, { viewport: { width: 390, height: 844 } });
  assert.equal(await page.locator(".editor-panel").isVisible(), false);
  assert.ok(await page.locator(".planes").isVisible());
  await page.getByTestId("panel-edit").click();
  assert.ok(await page.locator(".editor-panel").isVisible());
  assert.equal(await page.locator(".planes").isVisible(), false);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await close();
});
