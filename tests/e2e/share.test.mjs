// What the page lets people take away, bring back and look into: links, files, tools, offline use.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { at, DIST, say, seek, serveDist, stage, start, type } from "./harness.mjs";

const host = stage();
const { open, frozen } = host;

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
  const other = await open({ path: `?test=1${fragment}` });
  assert.equal(await at(other.page, 120), hash);
  // What was opened is shared on, whole.
  assert.equal(new URL(await link(other.page)).hash, fragment);
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

test("criterion 12: a link brings back what was chosen: the object explained, the machine aimed at, the view, what is inspected", async () => {
  const { page, problems, close } = await frozen(41);
  await page.getByTestId("fault-target").selectOption("worker-2");
  await page.locator("[data-testid=plane-kubernetes] [data-testid=unit]").first().click();
  const why = await page.locator(".why-head code").textContent();
  await page.getByTestId("detail-signs").click();
  const chosen = new URL(await link(page)).hash;
  const other = await open({ path: `?test=1${chosen}` });
  await at(other.page, 41);
  assert.equal(await other.page.locator(".why-head code").textContent(), why);
  assert.ok((await other.page.locator(".chain li").count()) > 0);
  assert.equal(await other.page.getByTestId("fault-target").inputValue(), "worker-2");
  await other.page.getByTestId("signs-kubernetes").waitFor();
  assert.equal(await other.page.getByTestId("inspector").isVisible(), false);
  // What is shared on is the same; what is inspected comes back when there is something to inspect.
  assert.equal(new URL(await link(other.page)).hash, chosen);
  await other.page.getByTestId("detail-names").click();
  await other.page.locator("[data-testid=plane-kubernetes] [data-testid=unit]").first().focus();
  await other.page.keyboard.press("d");
  await other.page.getByTestId("inspector").waitFor();
  const object = await other.page.locator("#inspector-title code").textContent();
  await other.page.evaluate(() => document.getElementById("share").showModal());
  const inspecting = new URL(await other.page.getByTestId("share-link").inputValue()).hash;
  assert.deepEqual(other.problems, []);
  await other.close();
  await page.evaluate((hash) => (location.hash = hash), inspecting);
  await page.getByTestId("inspector").waitFor();
  assert.equal(await page.locator("#inspector-title code").textContent(), object);
  assert.ok((await page.locator("#inspector .sheet").count()) > 0);
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
  // Asked for under `spec:`, everything that fits there and nothing else.
  for (let place = 0; place < 2; place += 1) await page.keyboard.press("Backspace");
  await page.keyboard.press("Control+ ");
  await page.locator(".cm-tooltip-autocomplete").getByText("progressDeadlineSeconds").waitFor();
  assert.equal(await page.locator(".cm-tooltip-autocomplete").getByText("clusterIP").count(), 0);
  await page.keyboard.press("Escape");
  const word = editor.locator("span", { hasText: /^replicas$/ });
  const meaning = page.locator(".cm-hover-text", { hasText: /replicas: integer.*DeploymentSpec/s });
  // The pointer may still rest on another word: its meaning has to go first.
  await page.mouse.move(0, 0);
  await page.locator(".cm-hover-text").waitFor({ state: "detached" });
  // A hand is never quite still; the editor forgets a pointer whose word it drew anew, until it moves.
  for (let move = 0; !(await meaning.isVisible()); move += 1) {
    assert.ok(move < 20, "the word's meaning is never told");
    await word.hover({ position: { x: 10 + (move % 2) * 4, y: 6 } });
    await meaning.waitFor({ timeout: 1500 }).catch(() => {});
  }
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
  for (const [id, begin] of [["export-podium.csv", "orchestrator,service,"], ["export-svg", "<svg"], ["export-podium.md", "# An experiment"], ["export-png", "\u0089PNG"], ["export-gif", "GIF89a"], ["export-webm", "\u001aE\u00df\u00a3"]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId(id).click()]);
    const text = await readFile(await download.path(), "latin1");
    assert.ok(text.startsWith(begin), `${id}: ${text.slice(0, 20)}`);
  }
  assert.match(await page.getByTestId("share-command").inputValue(), /^podium compare \. --nodes 3 --seed 42 --fault 'node-crash of:poll at 60s' --for 900s$/);
  await close();
});

test("the run leaves as JSON: how to run it again, the report of the command line, the charts' figures", async () => {
  const { page, problems, close } = await frozen(120);
  await page.locator("[data-testid=plane-kubernetes] .machine-head").nth(2).focus();
  await page.keyboard.press("x");
  await page.keyboard.press("n");
  await page.locator(".fault-list").getByText("node-crash worker-2").first().waitFor();
  await page.getByTestId("share-open").click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId("export-podium.json").click()]);
  assert.equal(download.suggestedFilename(), "podium.json");
  const run = JSON.parse(await readFile(await download.path(), "utf8"));
  const command = await page.getByTestId("share-command").inputValue();
  assert.equal(run.schemaVersion, 1);
  assert.equal(run.command, command);
  assert.match(run.scenario, /^# An experiment[^]*sim fault node-crash worker-2/);
  assert.deepEqual(run.columns, ["orchestrator", "service", "seconds", "desired", "ready", "answered"]);
  const worlds = new Set(run.rows.map(([orchestrator]) => orchestrator));
  assert.deepEqual([...worlds], ["kubernetes", "swarm", "compose"]);
  assert.ok(run.rows.every((row) => row.length === 6 && row.slice(2, 5).every(Number.isFinite)));
  await page.keyboard.press("Escape");
  const printed = await say(page, "sim metrics -o json");
  const report = JSON.parse(printed.slice(printed.indexOf("{"), printed.lastIndexOf("}") + 1));
  assert.deepEqual(run.report, report);
  assert.deepEqual(problems, []);
  await close();
});

test("a long link is warned of twice, and none is made where it would be too long", async () => {
  const { page, problems, close } = await frozen(1);
  // Letters that do not pack: two thirds of each are in the link.
  let seed = 1;
  const noise = (length) => Array.from({ length }, () => "abcdefghijklmnopqrstuvwxyz0123456789"[(seed = (seed * 48_271) % 2_147_483_647) % 36]).join("");
  const said = page.getByTestId("share-length");
  const manifest = (length) => `# file: web.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web-${length}\n# ${noise(length).replace(/.{60}/g, "$&\n# ")}\n`;
  for (const [length, warning] of [[300, null], [2_500, /▲ Some programs cut links/], [10_000, /▲ Sites and programs that a link passes.*8,000 characters/]]) {
    await start(page, manifest(length));
    await page.waitForFunction((text) => document.querySelector(".editor:not([hidden])")?.textContent.includes(text), `web-${length}`);
    await page.getByTestId("share-open").click();
    await said.waitFor();
    const link = await page.getByTestId("share-link").inputValue();
    const text = await said.textContent();
    assert.equal(Number(text.match(/^([\d,]+) characters/)[1]), link.length);
    if (warning) assert.match(text, warning);
    else assert.doesNotMatch(text, /▲/);
    await page.keyboard.press("Escape");
  }
  await start(page, manifest(45_000));
  await page.getByTestId("share-open").click();
  await page.locator("#share .notice-error", { hasText: "too large for a link" }).waitFor();
  assert.equal(await page.getByTestId("share-link").count(), 0);
  assert.deepEqual(problems, []);
  await close();
});

test("a newer build is told of, is loaded only when somebody says so, and finds the work as it was", async () => {
  const [document, worker] = await Promise.all(["index.html", "service-worker.js"].map((file) => readFile(`${DIST}${file}`, "utf8")));
  const build = worker.match(/podium-[0-9a-f]{16}/)[0];
  assert.ok(document.includes(build), "the page knows its build");
  const newer = "podium-00000000000000ff";
  let released = false;
  const alters = (file) => (released && file === "index.html" ? document.replace(build, newer) : released && file === "service-worker.js" ? worker.replace(build, newer) : null);
  const site = await serveDist({ alters });
  const context = await host.browser.newContext({ locale: "en-GB" });
  const page = await context.newPage();
  await page.goto(`${site.url}?speed=0&seed=42&t=41`);
  await page.waitForFunction(() => window.__playground?.ready && window.__playground.now === 41);
  await page.evaluate(async () => (await navigator.serviceWorker.ready).active.state);
  await page.evaluate(() => (window.unloaded = false));
  await type(page, "replicas: 3", "replicas: 4");
  await page.getByTestId("mark-edit").waitFor({ state: "attached" });
  const toast = page.getByTestId("update");
  // The same build says nothing.
  await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  assert.equal(await toast.count(), 0);
  released = true;
  await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  await toast.waitFor();
  assert.equal(await toast.getAttribute("role"), "status");
  assert.match(await toast.textContent(), /new version of Podium is ready/);
  await page.getByTestId("language-zh-TW").click();
  await toast.getByText("有新版本了").waitFor();
  // On a narrow screen it hides no control.
  for (const [width, height] of [[390, 844], [1024, 768]]) {
    await page.setViewportSize({ width, height });
    const hidden = await page.evaluate(() => {
      const toast = document.querySelector("[data-testid=update]");
      const controls = [...document.querySelectorAll("button, select, input, a")].filter((control) => !toast.contains(control));
      return controls.filter((control) => {
        const { left, top, width, height } = control.getBoundingClientRect();
        return toast.contains(document.elementFromPoint(left + width / 2, top + height / 2));
      }).map((control) => control.outerHTML.slice(0, 100));
    });
    assert.deepEqual(hidden, [], `${width} px`);
  }
  await page.setViewportSize({ width: 1280, height: 720 });
  const hash = await page.evaluate(() => window.__playground.hash);
  assert.equal(await page.evaluate(() => window.unloaded), false);
  await page.getByTestId("update-load").click();
  await page.waitForFunction((hash) => window.unloaded === undefined && window.__playground?.now === 41 && window.__playground.hash === hash, hash);
  assert.match(await page.locator(".editor:not([hidden])").textContent(), /replicas: 4/);
  assert.equal(await page.locator("meta[name=build]").getAttribute("content"), newer);
  // It is that build, though its service worker waits until no older page is open.
  await page.waitForFunction(async () => Boolean((await navigator.serviceWorker.getRegistration()).waiting));
  assert.equal(await toast.count(), 0);
  await context.close();
  await site.close();
});

test("an engine that stops is started again, keeps the work, and offers a link that shows it again", async () => {
  const { page, close } = await frozen(20);
  await page.locator(".cm-content").waitFor();
  const before = await at(page, 20);
  await type(page, "replicas: 3", "replicas: 4");
  await page.getByTestId("mark-edit").waitFor({ state: "attached" });
  await page.waitForFunction((before) => window.__playground.hash !== before, before);
  const hash = await at(page, 20);
  const fail = () => page.workers()[0].evaluate(() => { setTimeout(() => { throw new Error("made to fail"); }); });
  await fail();
  const crash = page.getByTestId("crash");
  await crash.waitFor();
  assert.match(await crash.textContent(), /made to fail/);
  // The same time, the edit in it, and the text in its editor.
  await page.waitForFunction((hash) => window.__playground.ready && window.__playground.now === 20 && window.__playground.hash === hash, hash);
  assert.equal(await page.getByTestId("page").getAttribute("data-engine"), "ready");
  assert.match(await page.locator(".editor:not([hidden]) .cm-content").textContent(), /replicas: 4/);
  await crash.getByRole("button").first().click();
  const again = await open({ path: `?test=1${new URL(await page.getByTestId("share-link").inputValue()).hash}` });
  await again.page.waitForFunction((hash) => window.__playground?.now === 20 && window.__playground.hash === hash, hash);
  await again.close();
  // One that stops at once again is not started for ever.
  await page.keyboard.press("Escape");
  await fail();
  await page.locator("[data-engine=failed]").waitFor();
  assert.match(await page.getByTestId("engine-status").textContent(), /made to fail/);
  await close();
});

test("criterion 20: after one visit the page works without a network", async () => {
  const context = await host.browser.newContext();
  const page = await context.newPage();
  await page.goto(host.site.url);
  await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === "activated");
  await context.setOffline(true);
  await page.reload();
  await page.waitForFunction(() => window.__playground?.ready);
  await context.setOffline(false);
  await context.close();
});

test("criterion 20: embedded it shows one view and a link to what it shows, and leaves its address alone", async () => {
  const { page, problems, close } = await open();
  await page.waitForFunction(() => window.__playground?.ready);
  await page.route("**/host.html", (route) => route.fulfill({ contentType: "text/html", body: '<!doctype html><title>Host</title><iframe title="Podium" width="900" height="700" src="./?embed=1&seed=42&speed=0&t=30"></iframe>' }));
  await page.goto(`${host.site.url}host.html`);
  await page.locator("iframe").waitFor();
  const frame = page.frames()[1];
  await frame.waitForFunction(() => window.__playground?.ready && window.__playground.now === 30);
  assert.equal(await frame.locator(".editor-panel").isVisible(), false);
  const opening = frame.getByTestId("embed-open");
  assert.match(await opening.getAttribute("href"), /#z1\./);
  const address = frame.url();
  await frame.locator("[data-testid=plane-kubernetes] .machine-head").nth(2).focus();
  await page.keyboard.press("x");
  await page.keyboard.press("n");
  await frame.waitForFunction(() => document.querySelector("[data-testid=machine-swarm-worker-2]").dataset.lost === "true");
  // The link is whole once it carries what was done; what was done is recorded after it is shown.
  await frame.waitForFunction(async () => {
    const packed = document.querySelector("[data-testid=embed-open]").hash.slice("#z1.".length);
    const bytes = Uint8Array.from(atob(packed.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    const text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
    return text.includes("node-crash worker-2");
  });
  assert.equal(frame.url(), address);
  const hash = await frame.evaluate(() => window.__playground.hash);
  const other = await open({ path: `?test=1${new URL(await opening.getAttribute("href")).hash}` });
  // The time is there before what was done at it is done again.
  await other.page.waitForFunction((hash) => window.__playground?.now === 30 && window.__playground.hash === hash, hash);
  await other.close();
  assert.deepEqual(problems, []);
  await close();
});

test("a phone shows one panel at a time", async () => {
  const { page, close } = await frozen(80, { viewport: { width: 390, height: 844 } });
  assert.equal(await page.locator(".editor-panel").isVisible(), false);
  assert.ok(await page.locator(".planes").isVisible());
  await page.getByTestId("panel-edit").click();
  assert.ok(await page.locator(".editor-panel").isVisible());
  assert.equal(await page.locator(".planes").isVisible(), false);
  // What is wrong with a long text stands below it, in reach; another panel is shown from its top.
  const below = await page.evaluate(() => document.querySelector(".problems").getBoundingClientRect().bottom + scrollY);
  assert.ok(below < 844 * 1.2, `problems end at ${below} pixels`);
  await page.getByTestId("panel-watch").click();
  await page.evaluate(() => scrollTo(0, 1_000));
  await page.getByTestId("panel-console").click();
  assert.equal(await page.evaluate(() => scrollY), 0);
  // The bars at the bottom leave no gap between them.
  const gap = await page.evaluate(() => document.querySelector(".bottom-bar").getBoundingClientRect().top - document.querySelector(".timeline").getBoundingClientRect().bottom);
  assert.ok(gap <= 0.5, `${gap} pixels`);
  await close();
});

test("nothing is wider than the screen, down to 320 pixels, nor than its dialog", async () => {
  for (const [width, locale] of [[320, "en-GB"], [320, "zh-TW"], [390, "en-GB"], [1024, "zh-TW"], [1440, "en-GB"], [3840, "zh-TW"]]) {
    const { page, close } = await frozen(80, { viewport: { width, height: width < 3_000 ? 844 : 2_160 }, locale });
    const what = `${width} pixels, ${locale}`;
    const fits = (selector) => page.evaluate((selector) => {
      const element = document.querySelector(selector);
      return element.scrollWidth - element.clientWidth;
    }, selector);
    assert.ok((await fits("html")) <= 0, what);
    // Labels do not outgrow their buttons either.
    const clipped = await page.evaluate(() => [...document.querySelectorAll("button, .plane-head, .machine-head")]
      .filter((element) => element.offsetParent && getComputedStyle(element).overflow === "visible" && element.scrollWidth > element.clientWidth + 1).map((element) => element.textContent));
    assert.deepEqual(clipped, [], what);
    for (const look of ["services", "loops", "table", "machines"]) {
      await page.getByTestId(`look-${look}`).click();
      await page.waitForFunction((look) => document.querySelector(`[data-testid=look-${look}]`).ariaPressed === "true", look);
      assert.ok((await fits("html")) <= 0, `${look}, ${what}`);
    }
    for (const id of ["share", "gallery", "help", "experiment"]) {
      await page.getByTestId(`${id}-open`).click();
      assert.ok((await fits(`#${id}`)) <= 0, `${id}, ${what}`);
      await page.keyboard.press("Escape");
      await page.locator(`#${id}`).waitFor({ state: "hidden" });
    }
    await page.locator("[data-testid=plane-kubernetes] [data-testid=unit][data-state=ready]").last().focus();
    await page.keyboard.press("d");
    await page.getByTestId("anatomy").waitFor();
    await page.evaluate(() => document.querySelectorAll("#inspector details").forEach((part) => (part.open = true)));
    assert.ok((await fits("#inspector")) <= 0, `inspector, ${what}`);
    await close();
  }
});
