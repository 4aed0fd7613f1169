// Line by line what the page's specification promises of keys, pointers, reading aids and the editor.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, axe, say, seek, stage, start, type } from "./harness.mjs";

const host = stage();
const { frozen } = host;

const tab = (page, name) => page.getByTestId(`tab-${name}`).click();
const text = (page) => page.evaluate(() => [...document.querySelectorAll(".editor:not([hidden]) .cm-line")].map((line) => line.textContent).join("\n"));
const line = (page, words) => page.locator(".editor:not([hidden]) .cm-line", { hasText: words }).first();

test("a number in the text has a slider, by pointer and by keyboard", async () => {
  const { page, problems, close } = await frozen(30);
  await page.locator(".cm-content").waitFor();
  const number = line(page, "replicas: 3").locator("span", { hasText: /^3$/ });
  await number.click();
  const slider = page.locator(".cm-number input");
  await slider.waitFor();
  assert.match(await page.locator(".cm-number").textContent(), /replicas/);
  await slider.fill("5");
  await line(page, "replicas: 5").waitFor();
  // Applied as typing is.
  await page.getByTestId("changes").waitFor();
  assert.deepEqual(await axe(page, "panel-edit"), []);
  await page.keyboard.press("Escape");
  await slider.waitFor({ state: "detached" });
  assert.ok(await page.evaluate(() => document.activeElement.classList.contains("cm-content")));
  await page.keyboard.press("Alt+Enter");
  await slider.waitFor();
  await page.waitForFunction(() => document.activeElement.type === "range");
  await page.keyboard.press("ArrowLeft");
  await line(page, "replicas: 4").waitFor();
  // A word is no number.
  await line(page, "kind: Deployment").click();
  await slider.waitFor({ state: "detached" });
  assert.deepEqual(problems, []);
  await close();
});

test("a pointer that rests is told what a word means, also while what was typed is checked", async () => {
  const { page, problems, close } = await frozen(30);
  await page.locator(".cm-content").waitFor();
  const word = line(page, "replicas: ").locator("span", { hasText: /^replicas$/ });
  const { x, y } = await word.boundingBox();
  await type(page, "replicas: 3", "replicas: x");
  await word.hover();
  await page.getByTestId("last-valid").waitFor();
  await page.locator(".cm-hover-text").waitFor();
  // The text stays where it is, and what is being written in sight.
  assert.deepEqual([(await word.boundingBox()).x, (await word.boundingBox()).y], [x, y]);
  assert.deepEqual(problems, []);
  await close();
});

test("Ctrl+M lets Tab leave the editor, or indent", async () => {
  const { page, close } = await frozen(30);
  await page.locator(".cm-content").click();
  const before = await text(page);
  await page.keyboard.press("Tab");
  const indented = await text(page);
  assert.notEqual(indented, before, "who works in the text indents");
  await page.keyboard.press("Control+m");
  await page.keyboard.press("Tab");
  assert.equal(await text(page), indented);
  assert.equal(await page.evaluate(() => Boolean(document.activeElement.closest(".cm-content"))), false);
  await close();
});

test("what the tools say is marked as English on the Chinese page, and headed in Chinese", async () => {
  const { page, problems, close } = await frozen(420, { locale: "zh-TW" });
  await page.locator(".cm-content").waitFor();
  await line(page, "replicas: 3").locator("span", { hasText: /^replicas$/ }).hover();
  const meaning = page.locator(".cm-hover-text");
  await meaning.waitFor();
  // Podium's own words are told in Chinese.
  assert.match(await meaning.textContent(), /replicas：整數.*DeploymentSpec 的欄位/s);
  assert.equal(await meaning.locator("[lang=en]").count(), 0);
  assert.match(await meaning.locator(".cm-hover-title").textContent(), /[\u4e00-\u9fff]/);
  await page.mouse.move(5, 5);
  await tab(page, "faults");
  await line(page, "node-crash").hover({ position: { x: 30, y: 8 } });
  const own = page.locator(".cm-hover-text", { hasText: "node-crash：機器斷電" });
  await own.waitFor();
  assert.equal(await own.locator("[lang=en]").count(), 0);
  await page.mouse.move(5, 5);
  // So are the mistakes that it finds in its own languages, in the list and in the text.
  await type(page, "node-crash", "node-crush");
  const mistake = page.getByTestId("problem").filter({ hasText: "不認識的故障種類「node-crush」" });
  await mistake.waitFor();
  assert.match(await mistake.locator(".problem-help").textContent(), /^可用的有：node-crash, /);
  assert.equal(await mistake.locator("[lang=en]").count(), 0);
  await line(page, "node-crush").hover({ position: { x: 30, y: 8 } });
  const marked = page.locator(".cm-tooltip", { hasText: "不認識的故障種類" });
  await marked.waitFor();
  assert.equal(await marked.locator("[lang=en]").count(), 0);
  await page.mouse.move(5, 5);
  await type(page, "node-crush", "node-crash");
  await mistake.waitFor({ state: "detached" });
  await tab(page, "cluster");
  await type(page, "nodes 3", "nodes many");
  await page.getByTestId("problem").filter({ hasText: "「many」不是機器數" }).waitFor();
  await type(page, "nodes many", "nodes 3");
  await page.locator(".problem-message", { hasText: "many" }).waitFor({ state: "detached" });
  await tab(page, "kubernetes.yaml");
  await type(page, "replicas: 3", "replicas: x");
  const found = page.getByTestId("problem").first();
  await found.waitFor();
  assert.equal(await found.locator(".problem-message").getAttribute("lang"), "en");
  await say(page, "kubectl get nodes");
  await page.locator(".event").first().click();
  await page.getByTestId("look-loops").click();
  await page.getByTestId("loop").first().waitFor();
  // No longer passage of English letters is without its language.
  const unmarked = await page.evaluate(() => {
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const around = node.parentElement;
      if (around.closest("[lang=en], .cm-content, script, style, [data-testid=gallery], code, kbd, option") || !around.checkVisibility()) continue;
      if (/^[^\u4e00-\u9fff]*(\b[a-z]{2,}\b[ ,.;:]*){4,}[^\u4e00-\u9fff]*$/i.test(node.data.trim())) texts.push(node.data.trim());
    }
    return texts;
  });
  assert.deepEqual(unmarked, []);
  assert.deepEqual(problems, []);
  await close();
});

test("the same filter holds in every view, and a table has all of it in rows", async () => {
  const { page, problems, close } = await frozen(120);
  await page.locator("body").press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "filter");
  await page.keyboard.type("tally");
  const units = page.getByTestId("unit");
  await page.waitForFunction(() => [...document.querySelectorAll("[data-testid=unit]")].every((unit) => unit.dataset.workload === "tally"));
  assert.ok((await units.count()) >= 4, `${await units.count()} units`);
  await page.getByTestId("look-services").click();
  assert.equal(await page.locator("[data-testid=services-kubernetes] li[data-workload]").count(), 1);
  await page.getByTestId("look-table").click();
  await page.getByTestId("table").waitFor();
  const rows = page.locator("[data-testid=table] tbody tr");
  const shown = await rows.allTextContents();
  assert.ok(shown.length >= 5 && shown.every((row) => /tally|node\//.test(row)), shown.join("\n"));
  assert.deepEqual(await axe(page, "panel-watch"), []);
  await page.getByTestId("filter").focus();
  await page.keyboard.press("Escape");
  await page.waitForFunction((before) => document.querySelectorAll("[data-testid=table] tbody tr").length > before, shown.length);
  // The kinds, as in k9s.
  await page.locator("body").press(":");
  await page.getByTestId("palette-item").filter({ hasText: ":tasks" }).click();
  await page.waitForFunction(() => document.querySelector("[data-testid=filter]").value === "task/");
  assert.ok((await rows.allTextContents()).every((row) => /Docker Swarm/.test(row)));
  // A row is an object: its letters tell of it.
  const unit = rows.getByTestId("unit").first();
  await unit.focus();
  for (const [key, first] of [["y", /inspect/], ["l", /logs/]]) {
    await page.keyboard.press(key);
    const summary = page.locator("#inspector[open] summary").first();
    await summary.filter({ hasText: first }).waitFor();
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.getElementById("inspector").open);
  }
  await page.keyboard.press("w");
  await page.getByTestId("why").waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("what can be done with an object is at a right click and at the menu key", async () => {
  const { page, problems, close } = await frozen(30);
  await page.locator("[data-testid=machine-swarm-worker-2] .machine-head").click({ button: "right" });
  const items = page.getByTestId("palette-item");
  await items.filter({ hasText: "Kill machine: worker-2" }).waitFor();
  assert.ok((await items.allTextContents()).every((item) => item.includes("worker-2")));
  await items.filter({ hasText: "Kill machine: worker-2" }).click();
  await page.waitForFunction(() => document.querySelector("[data-testid=machine-swarm-worker-2]").dataset.lost === "true");
  await page.locator("[data-testid=plane-kubernetes] [data-testid=unit]").first().focus();
  await page.keyboard.press("Shift+F10");
  await items.filter({ hasText: /^Why\? pod\// }).waitFor();
  assert.deepEqual(await axe(page, "palette"), []);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.activeElement.dataset.testid === "unit");
  assert.deepEqual(problems, []);
  await close();
});

test("a finger that rests on an object opens the same list, and is no press as well", async () => {
  const { page, problems, close } = await frozen(55, { hasTouch: true });
  const unit = page.locator("[data-testid=plane-kubernetes] [data-testid=unit]").first();
  const name = (await unit.getAttribute("data-object")).split("/")[1];
  const { x, y } = await unit.boundingBox();
  const touch = (type, by = 0) => unit.dispatchEvent(type, { pointerType: "touch", isPrimary: true, bubbles: true, clientX: x + 5 + by, clientY: y + 5 });
  // One that moves is scrolling.
  await touch("pointerdown");
  await touch("pointermove", 40);
  await page.waitForTimeout(700);
  assert.equal(await page.getByTestId("palette").isVisible(), false);
  await touch("pointerdown");
  await touch("pointermove", 3);
  await page.getByTestId("palette").waitFor();
  assert.equal(await page.getByTestId("palette-input").inputValue(), name);
  await touch("pointerup");
  await unit.dispatchEvent("click", { bubbles: true });
  assert.equal(await page.locator(".why-head").count(), 0);
  await page.keyboard.press("Escape");
  // A tap is a press as ever.
  await unit.tap();
  await page.locator(".why-head").waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("a fork and a fault are undone and done again", async () => {
  const { page, problems, close } = await frozen(30);
  const first = await at(page, 30);
  await page.locator("body").press("m");
  await page.getByTestId("bookmarks").waitFor();
  await page.locator("body").press("f");
  await page.waitForFunction(() => document.querySelector("[data-testid=branch]")?.value === "1");
  await page.keyboard.press("Control+z");
  await page.waitForFunction(() => document.querySelector("[data-testid=branch]").value === "0");
  await page.keyboard.press("Control+Shift+z");
  await page.waitForFunction(() => document.querySelector("[data-testid=branch]").value === "1");
  await page.getByTestId("fault-kill").click();
  await page.waitForFunction((first) => window.__playground.hash !== first, first);
  const broken = await at(page, 30);
  await page.locator("h1").click();
  await page.keyboard.press("Control+z");
  await page.waitForFunction((first) => window.__playground.hash === first && window.__playground.now === 30, first);
  await page.keyboard.press("Control+Shift+z");
  await page.waitForFunction((broken) => window.__playground.hash === broken && window.__playground.now === 30, broken);
  assert.equal(await page.getByTestId("bookmark-note").count(), 1, "bookmarks outlive an undo");
  assert.deepEqual(problems, []);
  await close();
});

test("two experiments in a row are undone one by one", async () => {
  const { page, problems, close } = await frozen(30);
  await page.locator(".cm-content").waitFor();
  const chosen = (name) => page.waitForFunction((name) => document.querySelector("[data-testid=example]").value === name, name);
  for (const name of ["blank", "poll", "blank"]) await page.getByTestId("example").selectOption(name);
  await page.locator("h1").click();
  for (const [name, text] of [["poll", "A poll"], ["blank", ""], ["poll", "A poll"]]) {
    await page.keyboard.press("Control+z");
    await chosen(name);
    await page.waitForFunction((text) => document.querySelector(".editor:not([hidden]) .cm-content").textContent.slice(2, 8) === text, text);
  }
  assert.deepEqual(problems, []);
  await close();
});

test("a branch that a script's edit does away with can be opened again, and the old future is a ghost", async () => {
  const { page, problems, close } = await frozen(80);
  await page.getByTestId("fork").click();
  await page.getByTestId("fault-target").selectOption("worker-2");
  await page.getByTestId("fault-kill").click();
  await page.locator(".fault-list", { hasText: "node-crash worker-2" }).waitFor();
  const forked = await at(page, 80);
  await page.getByTestId("branch").selectOption("0");
  await page.waitForFunction((forked) => window.__playground.hash !== forked, forked);
  await tab(page, "cluster");
  await type(page, "nodes 3", "nodes 4");
  await page.getByTestId("dropped").waitFor();
  await page.getByTestId("machine-kubernetes-worker-4").waitFor();
  await page.getByTestId("ghost").waitFor();
  await page.getByTestId("branch-back").first().click();
  await page.waitForFunction((forked) => window.__playground.hash === forked && window.__playground.now === 80, forked);
  await page.locator("h1").click();
  await page.keyboard.press("Control+z");
  await page.getByTestId("machine-kubernetes-worker-4").waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("a script's edit does not drop a fault that is being recorded", async () => {
  const { page, problems, close } = await frozen(30);
  await page.locator(".cm-content").waitFor();
  await tab(page, "faults");
  await page.locator(".editor:not([hidden]) .cm-content").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("\n# a note");
  // The text is sent, by the editor's own command, in the very moment in which the fault is caused.
  await page.evaluate(() => {
    document.querySelector("[data-testid=fault-kill]").click();
    document.querySelector(".editor:not([hidden]) .cm-content").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", code: "Enter", keyCode: 13, ctrlKey: true, bubbles: true, cancelable: true }));
  });
  await page.waitForFunction(() => document.querySelector(".editor:not([hidden]) .cm-content").innerText.includes("node-crash worker-1 at 30s"));
  await page.waitForTimeout(500);
  assert.deepEqual((await text(page)).split("\n"), ["node-crash of:poll at 60s", "# a note", "node-crash worker-1 at 30s"]);
  await page.locator(".fault-list", { hasText: "node-crash worker-1" }).waitFor();
  assert.equal(await page.locator("[data-testid=machine-kubernetes-worker-1]").getAttribute("data-lost"), "true");
  assert.deepEqual(problems, []);
  await close();
});

test("a click on a chart goes there, a drag chooses a stretch, and there is a table", async () => {
  const { page, problems, close } = await frozen(120);
  const chart = page.locator("[data-testid=chart-kubernetes] svg");
  const box = await chart.boundingBox();
  const x = (t) => box.x + (box.width * t) / 900;
  await page.mouse.click(x(60), box.y + box.height / 2);
  await page.waitForFunction(() => Math.abs(window.__playground.now - 60) < 3);
  await page.mouse.move(x(70), box.y + 10);
  await page.mouse.down();
  await page.mouse.move(x(100), box.y + 12, { steps: 4 });
  await page.mouse.up();
  await page.locator(".mark-range").waitFor();
  assert.match(await page.getByTestId("range").textContent(), /End the loop/);
  await page.getByTestId("chart-as-table").click();
  const rows = page.locator("[data-testid=chart-table] tbody tr");
  assert.ok((await rows.count()) > 6);
  assert.ok((await rows.allTextContents()).some((row) => row.startsWith("Compose") && /0$|0 %$/.test(row)));
  assert.deepEqual(await axe(page), []);
  // Time from closer: keys that lie as in games, and buttons.
  await page.locator("h1").click();
  await page.keyboard.press("w");
  await page.keyboard.press("w");
  const slider = page.getByTestId("slider");
  const width = async () => Number(await slider.getAttribute("max")) - Number(await slider.getAttribute("min"));
  await page.waitForFunction(() => document.querySelector("[data-testid=slider]").max - document.querySelector("[data-testid=slider]").min === 2250);
  const from = Number(await slider.getAttribute("min"));
  await page.keyboard.press("d");
  await page.waitForFunction((from) => Number(document.querySelector("[data-testid=slider]").min) > from, from);
  await page.getByTestId("zoom-false").click();
  await page.getByTestId("zoom-false").click();
  await page.waitForFunction(() => document.querySelector("[data-testid=slider]").max === "9000");
  assert.equal(await width(), 9000);
  // The clock takes the stretch along.
  await page.getByTestId("zoom-true").click();
  await page.getByTestId("zoom-true").click();
  await page.locator("h1").click();
  await page.keyboard.press("End");
  await page.waitForFunction(() => Number(document.querySelector("[data-testid=slider]").max) >= window.__playground.now * 10);
  assert.deepEqual(problems, []);
  await close();
});

test("a long table of a chart is turned page by page", async () => {
  const { page, problems, close } = await frozen(5);
  const web = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 2\n  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n        - {name: web, image: nginx}\n";
  const faults = Array.from({ length: 80 }, (_, number) => `pod-kill of:web at ${20 + 10 * number}s`).join("\n");
  await start(page, web, { faults });
  await page.getByTestId("plane-swarm").waitFor({ state: "detached" });
  await seek(page, 880);
  await page.getByTestId("chart-as-table").click();
  const rows = page.locator("[data-testid=chart-table] tbody tr");
  const told = page.locator(".charts .pages [role=status]");
  const [previous, next] = ["previous", "next"].map((word) => page.getByTestId(`chart-table-${word}`));
  assert.equal(await rows.count(), 120);
  assert.ok((await previous.isDisabled()) && !(await next.isDisabled()));
  const first = await rows.first().textContent();
  await next.click();
  await page.waitForFunction(() => /^Rows 121 /.test(document.querySelector(".charts .pages [role=status]").textContent));
  const all = Number(/ of (\d+)/.exec(await told.textContent())[1]);
  assert.ok(all > 120 && (await rows.count()) === Math.min(120, all - 120), `${all} rows`);
  assert.notEqual(await rows.first().textContent(), first);
  await previous.click();
  await page.waitForFunction((first) => document.querySelector("[data-testid=chart-table] tbody tr").textContent === first, first);
  assert.deepEqual(problems, []);
  await close();
});

test("the sheet of keys shows what is written on the reader's own keyboard", async () => {
  const { page, context, close } = await frozen(30);
  await context.addInitScript(() => {
    const french = new Map(Object.entries({ KeyW: "z", KeyA: "q", KeyS: "s", KeyD: "d" }));
    Object.defineProperty(Object.getPrototypeOf(navigator), "keyboard", { configurable: true, get: () => ({ getLayoutMap: async () => french }) });
  });
  await page.reload();
  await at(page, 30);
  await page.locator("body").press("?");
  await page.locator("#help kbd", { hasText: /^Z Q S D$/ }).waitFor();
  await page.keyboard.press("Escape");
  // Where W lies, there is Z: in the timeline it steers.
  await page.evaluate(() => document.querySelector("[data-testid=slider]").dispatchEvent(new KeyboardEvent("keydown", { key: "z", code: "KeyW", bubbles: true })));
  await page.waitForFunction(() => document.querySelector("[data-testid=slider]").max - document.querySelector("[data-testid=slider]").min === 4500);
  await close();
});

test("words offered in the console are chosen by arrows and told as a list", async () => {
  const { page, problems, close } = await frozen(30);
  const input = page.getByTestId("console-input");
  await input.click();
  await page.keyboard.type("kubectl ");
  await page.locator("#console-words [role=option]").nth(1).waitFor();
  assert.equal(await input.getAttribute("aria-expanded"), "true");
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction(() => document.getElementById("console-line").getAttribute("aria-activedescendant") === "console-word-1");
  const second = await page.locator("#console-word-1").textContent();
  assert.equal(await page.locator("#console-words [aria-selected=true]").textContent(), second);
  assert.deepEqual(await axe(page, "panel-console"), []);
  await page.keyboard.press("Tab");
  assert.equal(await input.inputValue(), `kubectl ${second} `);
  assert.deepEqual(problems, []);
  await close();
});

test("a watch beeps where it is asked to, and says its version", async () => {
  const { page, problems, close } = await frozen(30);
  await say(page, "watch -b kubectl get pod none");
  await page.getByTestId("beep").waitFor();
  await say(page, "watch kubectl get pod none");
  assert.equal(await page.locator(".console-entry").last().getByTestId("beep").count(), 0);
  assert.match(await say(page, "watch -v"), /watch from procps-ng/);
  assert.deepEqual(problems, []);
  await close();
});

test("Ctrl+S copies the link and says so", async () => {
  const { page, context, problems, close } = await frozen(30);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.locator("body").press("m");
  await page.getByTestId("bookmark-note").fill("here it begins");
  await page.getByTestId("bookmark-note").press("Enter");
  await page.locator("h1").click();
  await page.keyboard.press("Control+s");
  await page.getByTestId("copied").filter({ hasText: "Copied" }).waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, await page.getByTestId("share-link").inputValue());
  await page.goto("about:blank");
  await page.goto(link.replace("#", "?test=1#"));
  await at(page, 30);
  assert.equal(await page.getByTestId("bookmark-note").inputValue(), "here it begins", "a note goes into the link");
  assert.deepEqual(problems, []);
  await close();
});

test("all problems that can be are mended at once", async () => {
  const { page, problems, close } = await frozen(5);
  await start(page, "# file: compose.yaml\nservices:\n  a:\n    imgae: nginx\n  b:\n    imgae: redis\n");
  await page.getByTestId("fix-all").filter({ hasText: "2" }).click();
  await page.waitForFunction(() => document.querySelector("[data-testid=problems-count]").textContent === "0");
  assert.equal((await text(page)).match(/image: /g).length, 2);
  assert.deepEqual(problems, []);
  await close();
});

test("changes are told at most every two seconds, and not at all where that was chosen", async () => {
  const { page, close } = await frozen(0);
  await page.evaluate(() => {
    window.told = [];
    const region = document.querySelector("[data-testid=live]");
    new MutationObserver(() => window.told.push([performance.now(), region.textContent])).observe(region, { childList: true, characterData: true, subtree: true });
  });
  await page.getByTestId("speed").selectOption("30000");
  await page.getByTestId("play").click();
  await page.waitForTimeout(7_000);
  const told = await page.evaluate(() => window.told);
  assert.ok(told.length >= 2, JSON.stringify(told));
  // A sentence is drawn a while after it is said, on a busy machine a good while.
  for (const [place, [when]] of told.entries()) if (place > 0) assert.ok(when - told[place - 1][0] >= 1_500, JSON.stringify(told));
  assert.ok(told.some(([, text]) => /is lost/.test(text)) && told.some(([, text]) => /of \d+ ready/.test(text)), JSON.stringify(told));
  await page.getByTestId("help-open").click();
  await page.getByTestId("help-silent").check();
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelector("[data-testid=live]").textContent === "");
  await close();
});

test("fingers find targets of 44 pixels", async () => {
  for (const width of [390, 1024]) {
    const { page, close } = await frozen(80, { viewport: { width, height: 844 }, hasTouch: true, isMobile: true });
    const small = [];
    const measure = async (what) => small.push(...await page.evaluate((what) => {
      const targets = [...document.querySelectorAll("button, select, input, summary, a[href], [role=slider]")].filter((target) => target.checkVisibility({ visibilityProperty: true }) && !target.closest(".sr-only, .skips, .cm-editor, pre, #skeleton"));
      return targets.map((target) => {
        const label = target.matches("input[type=checkbox], input[type=file]") ? target.closest("label") ?? target : target;
        const { width, height } = label.getBoundingClientRect();
        return { what, who: target.outerHTML.slice(0, 90), width, height, inline: target.matches(".link") };
      }).filter(({ width, height, inline }) => height < 43.9 || (!inline && width < 43.9));
    }, what));
    for (const panel of width < 720 ? ["watch", "edit", "why", "console"] : ["watch"]) {
      if (width < 720) await page.getByTestId(`panel-${panel}`).click();
      await measure(`${width} ${panel}`);
    }
    await page.getByTestId("help-open").click();
    await measure(`${width} help`);
    assert.deepEqual(small, []);
    await close();
  }
});

test("at 400 % and with wide text everything can still be read and reached", async () => {
  // 1280 by 1024 pixels at 400 %.
  const zoomed = await frozen(80, { viewport: { width: 320, height: 256 } });
  const seen = await zoomed.page.evaluate(() => {
    const bars = [...document.querySelectorAll("*")].filter((element) => ["fixed", "sticky"].includes(getComputedStyle(element).position) && element.checkVisibility());
    return { covered: bars.reduce((sum, bar) => sum + bar.getBoundingClientRect().height, 0), wide: document.documentElement.scrollWidth };
  });
  assert.ok(seen.covered <= 64, `${seen.covered} pixels are covered`);
  assert.ok(seen.wide <= 320);
  await zoomed.page.getByTestId("slider").scrollIntoViewIfNeeded();
  await zoomed.page.getByTestId("play").click();
  await zoomed.close();
  for (const width of [390, 1440]) {
    const { page, close } = await frozen(80, { viewport: { width, height: 900 } });
    await page.evaluate(() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-bottom: 2em !important }");
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    });
    await page.waitForTimeout(300);
    const cut = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((element) => {
      const style = getComputedStyle(element);
      if (!element.checkVisibility() || element.closest(".sr-only, .cm-editor, svg, .skips, #skeleton") || ![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) return false;
      const clips = ["hidden", "clip"].includes(style.overflowX) || ["hidden", "clip"].includes(style.overflowY);
      // What is read out only is cut on purpose.
      return clips && element.clientWidth > 1 && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1);
    }).map((element) => `${element.className}: ${element.textContent}`));
    assert.deepEqual(cut, [], `${width} pixels`);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
    await close();
  }
});

test("with forced colours and more contrast what is chosen, lost and filled is told apart", async () => {
  const { page, close } = await frozen(80, { forcedColors: "active" });
  const paint = (selector, property) => page.evaluate(([selector, property]) => getComputedStyle(document.querySelector(selector))[property], [selector, property]);
  assert.notEqual(await paint("[data-testid=look-machines]", "backgroundColor"), await paint("[data-testid=look-services]", "backgroundColor"));
  assert.notEqual(await paint(".bar-fill", "backgroundColor"), await paint(".machine", "backgroundColor"));
  assert.equal(await paint(".machine-lost", "borderTopStyle"), "dashed");
  assert.notEqual(await paint(".machine-chosen", "outlineStyle"), "none");
  await close();
  const more = await frozen(80, { contrast: "more" });
  const border = () => more.page.evaluate(() => getComputedStyle(document.querySelector(".panel")).borderTopColor);
  const strong = await border();
  await more.page.emulateMedia({ contrast: "no-preference" });
  assert.notEqual(await border(), strong);
  await more.close();
});

test("more is broken by two letters, and glyphs can be hidden", async () => {
  const { page, problems, close } = await frozen(30);
  const faults = page.locator(".fault-list");
  for (const [letter, said] of [["o", "oom of:poll"], ["c", "cpu-hog worker-1"], ["d", "disk-slow worker-1"]]) {
    await page.locator("body").press("x");
    await page.locator("body").press(letter);
    await faults.getByText(said).first().waitFor();
  }
  assert.equal(await page.getByTestId("refusal").count(), 0);
  // With a replica in focus it is that one whose memory runs out.
  const unit = page.locator("[data-testid=plane-kubernetes] [data-testid=unit]").first();
  const name = await unit.getAttribute("data-unit");
  await unit.focus();
  await page.keyboard.press("x");
  await page.keyboard.press("o");
  await faults.getByText(`oom ${name}`).first().waitFor();
  const glyph = page.locator(".unit-glyph").first();
  assert.ok(await glyph.isVisible());
  await page.keyboard.press("g");
  assert.equal(await glyph.isVisible(), false);
  await page.keyboard.press("g");
  assert.ok(await glyph.isVisible());
  assert.deepEqual(problems, []);
  await close();
});
