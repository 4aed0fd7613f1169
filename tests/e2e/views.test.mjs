// The page's other ways to look: services in each orchestrator's terms, control loops, causes as a
// graph, branches compared, bookmarks, commands by name, faults by drag, the gallery's pictures.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, seek, stage } from "./harness.mjs";

const host = stage();
const { open, frozen } = host;

/** Drags one element onto another, as a mouse would, to a share of its width. */
async function drag(page, from, to, share = 0.5) {
  await page.evaluate(([from, to, share]) => {
    const [source, target] = [from, to].map((id) => document.querySelector(`[data-testid="${id}"]`));
    const data = new DataTransfer();
    const place = target.getBoundingClientRect();
    const options = { bubbles: true, cancelable: true, dataTransfer: data, clientX: place.left + place.width * share, clientY: place.top + 4 };
    source.dispatchEvent(new DragEvent("dragstart", options));
    target.dispatchEvent(new DragEvent("dragover", options));
    target.dispatchEvent(new DragEvent("drop", options));
  }, [from, to, share]);
}

test("each orchestrator's services stand in its own terms", async () => {
  const { page, problems, close } = await frozen(90);
  await page.getByTestId("look-services").click();
  const kubernetes = page.getByTestId("services-kubernetes");
  await kubernetes.getByText(/^replicaset\/poll-/).waitFor();
  const swarm = page.getByTestId("services-swarm");
  const poll = swarm.locator("li[data-workload=poll]");
  assert.deepEqual(await poll.locator(".tree-name").allTextContents(), ["slot 1", "slot 2", "slot 3"]);
  // The machine of the first slot's task was lost at 60 s: its old task and the new one share the slot.
  const tasks = await Promise.all([0, 1, 2].map((slot) => poll.getByTestId("tree-part").nth(slot).locator("[data-testid=unit]").count()));
  assert.ok(tasks.some((count) => count === 2), JSON.stringify(tasks));
  const compose = page.getByTestId("services-compose");
  assert.equal(await compose.locator(".graph-node").count(), 5);
  assert.ok((await compose.locator(".graph-label").allTextContents()).some((text) => text.includes("service_healthy")));
  // What waits stands below what it waits for.
  const top = async (name) => (await compose.locator(".graph-node", { hasText: name }).first().boundingBox()).y;
  assert.ok((await top("poll")) > (await top("queue")));
  await page.getByTestId("language-zh-TW").click();
  await poll.getByText("第 1 個槽位").waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("control loops say what they want, saw and did", async () => {
  const { page, problems, close } = await frozen(420);
  await page.getByTestId("look-loops").click();
  const scheduler = page.getByTestId("loops-kubernetes").getByTestId("loop").filter({ hasText: "kube.scheduler" });
  await scheduler.waitFor();
  const text = await scheduler.textContent();
  assert.match(text, /wants\s*a machine for each pod/);
  assert.match(text, /saw.*create pod\//);
  assert.match(text, /did.*bind pod\//);
  const eviction = page.getByTestId("loop").filter({ hasText: "kube.taint-eviction" });
  assert.match(await eviction.textContent(), /tolerationSeconds/);
  await page.getByTestId("loops-compose").getByText("compose.client").waitFor();
  // A line is an event: it explains itself.
  await scheduler.locator(".loop-line").last().click();
  await page.getByTestId("why").locator(".chain li").first().waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("causes are a graph that can be walked by keyboard", async () => {
  const { page, problems, close } = await frozen(420);
  await page.locator(".event-kubernetes", { hasText: "bind" }).first().click();
  await page.getByTestId("cause-graph").click();
  const nodes = page.getByTestId("causes").getByTestId("graph-node");
  await nodes.first().waitFor();
  assert.ok((await page.locator("#causes .graph-node.graph-chosen").count()) >= 2);
  assert.ok((await page.locator("#causes .graph-node:not(.graph-chosen)").count()) >= 1);
  const before = await page.getByTestId("causes").locator("svg").first().innerHTML();
  await nodes.first().focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction((before) => document.querySelector("#causes svg").innerHTML !== before, before);
  assert.deepEqual(problems, []);
  await close();
});

test("a branch shows the old future as a ghost, and two branches are compared", async () => {
  const { page, problems, close } = await frozen(400);
  await seek(page, 30);
  await page.getByTestId("fork").click();
  await page.getByTestId("ghost").waitFor();
  assert.equal(await page.locator("[data-testid=chart-kubernetes] .chart-ghost").count(), 1);
  await page.getByTestId("fault-target").selectOption("worker-2");
  await page.getByTestId("fault-kill").click();
  await page.waitForFunction(() => document.querySelector("[data-testid=machine-swarm-worker-2]").dataset.lost === "true");
  await seek(page, 300);
  await page.getByTestId("compare").click();
  await page.getByTestId("compare-summary").waitFor();
  assert.match(await page.getByTestId("compare-summary").textContent(), /figures differ/);
  const differing = page.locator("#compare tr.differs");
  assert.ok((await differing.count()) > 0);
  assert.match(await differing.first().textContent(), /≠/);
  // What differs is in sight, and branches have the names that the time line gives them.
  assert.equal(await page.locator("#compare tbody tr").first().getAttribute("class"), "differs");
  assert.deepEqual(await page.locator("[data-testid=compare-0] option").allTextContents(), await page.locator("[data-testid=branch] option").allTextContents());
  await page.getByTestId("compare-0").selectOption("1");
  await page.getByText("Both branches end the same.").waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("bookmarks and a loop", async () => {
  const { page, problems, close } = await frozen(65);
  await page.locator("body").press("m");
  const kept = page.getByTestId("bookmarks").getByRole("button").first();
  await kept.waitFor();
  assert.equal(await kept.textContent(), "1:05.0");
  assert.match(await page.getByTestId("bookmark-note").inputValue(), /\w+ \w+/, "what happened last");
  await seek(page, 20);
  await kept.click();
  await at(page, 65);
  await page.locator("body").press("Shift+M");
  await seek(page, 67);
  await page.locator("body").press("Shift+M");
  await page.locator(".mark-range").waitFor();
  await page.getByTestId("speed").selectOption("1000");
  await seek(page, 65);
  await page.locator("body").press(" ");
  // It comes to the end of the loop and is back at its begin.
  await page.waitForFunction(() => window.__playground.now > 66.4, null, { polling: 16 });
  await page.waitForFunction(() => window.__playground.now < 66, null, { polling: 16 });
  assert.equal(await page.getByTestId("play").getAttribute("data-playing"), "true");
  assert.deepEqual(problems, []);
  await close();
});

test("every command is found by its name", async () => {
  const { page, problems, close } = await frozen(30);
  await page.keyboard.press("Control+k");
  await page.getByTestId("palette-input").fill("kill worker-3");
  assert.equal(await page.getByTestId("palette-item").count(), 1);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("[data-testid=machine-kubernetes-worker-3]").dataset.lost === "true");
  await page.keyboard.press("Control+k");
  await page.getByTestId("palette-input").fill("control loops");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByTestId("loops").waitFor();
  await page.keyboard.press("Control+k");
  await page.getByTestId("palette-input").fill("no such thing");
  await page.getByText("Nothing fits.").waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("a fault is dropped onto a machine or the time line, or planned by number", async () => {
  const { page, problems, close } = await frozen(30);
  await drag(page, "fault-kill", "machine-kubernetes-worker-3");
  await page.waitForFunction(() => document.querySelector("[data-testid=machine-kubernetes-worker-3]").dataset.lost === "true");
  // About half of 15 minutes.
  await drag(page, "fault-node-reboot", "slider-row", 0.5);
  await page.locator(".fault-list", { hasText: /node-reboot worker-1.*at 7:[23]/ }).waitFor();
  await page.getByTestId("fault-at").fill("200");
  await page.getByTestId("fault-partition").click();
  await page.locator(".fault-list", { hasText: /partition worker-1.*at 3:20/ }).waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("what belongs together lights up, in the editor too", async () => {
  const { page, problems, close } = await frozen(30);
  await page.locator(".cm-content").waitFor();
  await page.locator("[data-testid=plane-kubernetes] [data-testid=unit][data-workload=poll]").first().hover();
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=plane-swarm] .lit[data-workload=poll]").length === 4);
  assert.ok((await page.locator(".event.lit").count()) > 0);
  assert.equal(await page.locator(".lit[data-workload=queue]").count(), 0);
  const lines = await page.locator(".cm-lit").allTextContents();
  assert.ok(lines.some((line) => /name: poll/.test(line)), JSON.stringify(lines));
  await page.locator("h1").hover();
  await page.waitForFunction(() => !document.querySelector(".lit, .cm-lit"));
  assert.deepEqual(problems, []);
  await close();
});

test("the gallery is searched by words, and Enter leads to what was found", async () => {
  const { page, problems, close } = await open({ path: "?test=1" });
  await page.waitForFunction(() => window.__playground?.ready);
  await page.getByTestId("gallery-open").click();
  const cards = page.locator(".card");
  const all = await cards.count();
  await page.getByTestId("gallery-filter").fill("zone lost");
  await page.waitForFunction((all) => document.querySelectorAll(".card").length < all, all);
  assert.ok((await cards.locator("h3").allTextContents()).includes("A whole zone is lost. Why are its pods moved one machine at a time?"));
  await page.keyboard.press("Enter");
  assert.match(await page.evaluate(() => document.activeElement.dataset.testid), /^gallery-.*md$/);
  await page.getByTestId("gallery-filter").fill("nothing has these words");
  await page.locator("#gallery [role=status]").waitFor();
  assert.equal(await cards.count(), 0);
  await page.getByTestId("gallery-filter").fill("");
  await page.waitForFunction((all) => document.querySelectorAll(".card").length === all, all);
  assert.deepEqual(problems, []);
  await close();
});

test("a scenario is shown as Markdown with YAML in it", async () => {
  const { page, problems, close } = await open({ path: "?test=1" });
  await page.waitForFunction(() => window.__playground?.ready);
  await page.getByTestId("gallery-open").click();
  await page.getByTestId("gallery-zone-outage.md").click();
  const shown = () => page.evaluate(() => {
    const lines = [...document.querySelectorAll(".editor:not([hidden]) .cm-line")];
    const of = (start) => {
      const line = lines.find((line) => line.textContent.startsWith(start));
      const part = line?.querySelector("span") ?? line;
      const { color, fontWeight } = part ? getComputedStyle(part) : {};
      return [part?.textContent, color, fontWeight];
    };
    return { heading: of("# A zone"), prose: of("Three zones"), key: of("apiVersion"), fence: of("```yaml") };
  });
  await page.locator(".editor:not([hidden]) .cm-line", { hasText: "apiVersion" }).waitFor();
  const { heading, prose, key, fence } = await shown();
  assert.deepEqual([heading[2], key[0], prose[2]], ["700", "apiVersion", "400"]);
  assert.equal(new Set([prose[1], key[1], fence[1]]).size, 3, JSON.stringify({ prose, key, fence }));
  assert.deepEqual(problems, []);
  await close();
});

test("every scenario of the gallery has its question, its picture and something to try", async () => {
  for (const lang of ["en", "zh-TW"]) {
    const { page, problems, close } = await open({ path: `?test=1&lang=${lang}` });
    await page.waitForFunction(() => window.__playground?.ready);
    await page.getByTestId("gallery-open").click();
    const cards = page.locator(".card");
    const count = await cards.count();
    assert.ok(count >= 24, `${count} scenarios`);
    await page.waitForFunction((count) => document.querySelectorAll(".card svg.picture").length === count, count, { timeout: 60_000 });
    for (const card of await cards.all()) {
      const words = await card.textContent();
      assert.match(words, lang === "en" ? /\?.*Try: / : /？.*試/, words);
      assert.ok((await card.locator("svg.picture rect").count()) > 0 || /compose-refusals/.test(await card.locator("button").getAttribute("data-testid")), words);
    }
    assert.deepEqual(problems, []);
    await close();
  }
});

test("every letter is of the scale of type, on every width and view, in both languages", async () => {
  // ux.md's tokens, in pixels; a sign may be smaller.
  const scale = [12.5, 14, 16, 20, 28];
  for (const [width, locale] of [[390, "zh-TW"], [1024, "en-GB"], [1440, "zh-TW"], [2560, "en-GB"], [3840, "zh-TW"]]) {
    const height = width < 500 ? 844 : width < 3_000 ? 900 : 2_160;
    const { page, problems, close } = await frozen(80, { viewport: { width, height }, locale });
    const others = () => page.evaluate((scale) => {
      const found = new Set();
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility() || element.closest(".glyph")) continue;
        const size = parseFloat(getComputedStyle(element).fontSize);
        if (!scale.includes(size)) found.add(`${size} px: ${element.localName}.${element.getAttribute("class")} ${node.data.slice(0, 20)}`);
      }
      return [...found];
    }, scale);
    const what = (view) => `${view}, ${width} pixels, ${locale}`;
    await page.locator(".cm-content").waitFor({ state: "attached" });
    if (width < 500) {
      for (const panel of ["edit", "why", "console"]) {
        await page.getByTestId(`panel-${panel}`).click();
        assert.deepEqual(await others(), [], what(panel));
      }
      await page.getByTestId("panel-watch").click();
    }
    for (const look of ["services", "loops", "table", "machines"]) {
      await page.getByTestId(`look-${look}`).click();
      await page.waitForFunction((look) => document.querySelector(`[data-testid=look-${look}]`).ariaPressed === "true", look);
      assert.deepEqual(await others(), [], what(look));
    }
    for (const id of ["share", "gallery", "help", "experiment"]) {
      await page.getByTestId(`${id}-open`).click();
      assert.deepEqual(await others(), [], what(id));
      await page.keyboard.press("Escape");
      await page.locator(`#${id}`).waitFor({ state: "hidden" });
    }
    assert.deepEqual(problems, []);
    await close();
  }
});
