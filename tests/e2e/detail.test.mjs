// How closely the machines are shown: three levels, each by pointer, keyboard and screen reader; and
// the links between machines, cut and mended.

import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, seek, stage, start } from "./harness.mjs";

const host = stage();
const { frozen } = host;

const REPLICAS = 120;
const deployment = `# file: web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: ${REPLICAS}\n  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n        - name: web\n          image: nginx\n`;

/** A page with a hundred replicas on ten machines, all ready. */
async function crowd(options = {}) {
  const opened = await frozen(0, options);
  await start(opened.page, deployment, { nodes: "10", length: "600" });
  await opened.page.getByTestId("plane-swarm").waitFor({ state: "detached" });
  await seek(opened.page, 120);
  await opened.page.waitForFunction((replicas) => document.querySelector("[data-testid=ready-kubernetes]").textContent.startsWith(`${replicas}/${replicas} `), REPLICAS);
  return opened;
}

const shown = (page) => page.evaluate(() => document.querySelector("[data-detail]")?.dataset.detail ?? "names");

test("a level follows from the number of replicas, and the reader may choose another", async () => {
  const { page, problems, close } = await crowd();
  assert.equal(await shown(page), "signs");
  // A row for each machine, a sign for each replica, and no element for each.
  const signs = await page.getByTestId("signs-kubernetes").evaluate((grid) => ({
    rows: grid.querySelectorAll("[role=row]").length,
    ready: [...grid.querySelectorAll(".sign-run.state-ready")].map((run) => run.textContent).join("").length,
    units: grid.querySelectorAll("[data-testid=unit]").length,
  }));
  assert.deepEqual(signs, { rows: 11, ready: REPLICAS, units: 0 });
  assert.match(await page.getByTestId("sign-kubernetes-worker-3").getAttribute("aria-label"), /^worker-3: .*; ✓ \d+ ready$/);
  assert.deepEqual(await axe(page), []);
  await page.getByTestId("detail-map").click();
  assert.equal(await shown(page), "map");
  assert.match(await page.locator("canvas.dense").getAttribute("aria-label"), /11 machines, 0 lost; ✓ 120 ready$/);
  assert.deepEqual(await axe(page), []);
  await page.getByTestId("detail-names").click();
  assert.equal(await shown(page), "names");
  assert.equal(await page.locator("[data-testid=plane-kubernetes] [data-testid=unit]").count(), REPLICAS);
  await page.getByTestId("detail-auto").click();
  assert.equal(await shown(page), "signs");
  assert.deepEqual(problems, []);
  await close();
});

test("levels, machines and their replicas are reached by keys", async () => {
  const { page, problems, close } = await crowd();
  await page.getByTestId("sign-kubernetes-control-1").focus();
  for (const key of ["ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
  const focus = () => page.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.className);
  assert.equal(await focus(), "sign-kubernetes-worker-2");
  // Who comes to a machine aims at it.
  await page.waitForFunction(() => document.querySelector("[data-testid=fault-target]").value === "worker-2");
  await page.keyboard.press("Enter");
  const opened = page.getByTestId("opened-kubernetes");
  await opened.getByTestId("machine-kubernetes-worker-2").waitFor();
  await page.waitForFunction(() => document.activeElement.className === "machine-head");
  assert.ok((await opened.getByTestId("unit").count()) > 5);
  // What is opened goes on: the machine is killed here and seen lost here.
  await page.keyboard.press("Delete");
  await page.waitForFunction(() => document.querySelector("[data-testid=opened-kubernetes] [data-lost=true]"));
  await page.keyboard.press("Escape");
  await opened.waitFor({ state: "detached" });
  assert.equal(await focus(), "sign-kubernetes-worker-2");
  await page.waitForFunction(() => / 1 lost;/.test(document.querySelector("[data-testid=dense-summary]").textContent));
  const letters = async (key, level) => {
    await page.keyboard.press(key);
    await page.waitForFunction((level) => (document.querySelector("[data-detail]")?.dataset.detail ?? "names") === level, level);
  };
  await letters("Shift+Z", "map");
  await letters("Shift+Z", "map");
  await letters("z", "signs");
  await letters("z", "names");
  assert.deepEqual(problems, []);
  await close();
});

test("levels read as well in Chinese and on a phone", async () => {
  const { page, problems, close } = await crowd({ viewport: { width: 390, height: 844 } });
  await page.getByTestId("language-zh-TW").click();
  await page.getByText("符號", { exact: true }).waitFor();
  assert.match(await page.getByTestId("sign-kubernetes-worker-1").getAttribute("aria-label"), /^worker-1：.*；✓ \d+ 就緒$/);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `${wide} pixels wide`);
  // The clock's controls wrap: none is cut, none is behind a scroll bar.
  const cut = await page.evaluate(() => {
    const row = document.querySelector(".clock-row");
    return { scrolls: row.scrollWidth > row.clientWidth, beyond: [...row.querySelectorAll("button, select, output")].filter((part) => part.getBoundingClientRect().right > innerWidth).length };
  });
  assert.deepEqual(cut, { scrolls: false, beyond: 0 });
  assert.deepEqual(await axe(page), []);
  assert.deepEqual(problems, []);
  await close();
});

/** Drags one element onto another; whether it was let down there. */
const drag = (page, from, to, share = 0.5) => page.evaluate(([from, to, share]) => {
  const [source, target] = [from, to].map((id) => document.querySelector(`[data-testid="${id}"]`));
  const data = new DataTransfer();
  const place = target.getBoundingClientRect();
  const options = { bubbles: true, cancelable: true, dataTransfer: data, clientX: place.left + place.width * share, clientY: place.top + 4 };
  source.dispatchEvent(new DragEvent("dragstart", options));
  const taken = !target.dispatchEvent(new DragEvent("dragover", options));
  if (taken) target.dispatchEvent(new DragEvent("drop", options));
  return taken;
}, [from, to, share]);

test("a link is cut by dropping, by pressing and on the time line, and mended", async () => {
  const { page, problems, close } = await frozen(30);
  const link = page.getByTestId("link-worker-1-worker-2");
  const faults = page.locator(".fault-list");
  // Only what cuts can be dropped on a link.
  assert.equal(await drag(page, "fault-kill", "link-worker-1-worker-2"), false);
  assert.equal(await drag(page, "fault-partition", "link-worker-1-worker-2"), true);
  await faults.getByText("partition worker-1|worker-2").first().waitFor();
  await page.waitForFunction(() => document.querySelector("[data-testid=link-worker-1-worker-2]").hasAttribute("data-cut"));
  assert.equal(await link.getAttribute("aria-label"), "Mend the link between worker-1 and worker-2");
  assert.deepEqual(await axe(page), []);
  await link.focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => !document.querySelector("[data-testid=link-worker-1-worker-2]").hasAttribute("data-cut"));
  await page.getByTestId("link-worker-1-control-1").focus();
  await page.keyboard.press("Enter");
  await faults.getByText("partition worker-1|control-1").first().waitFor();
  // About half of 15 minutes; a machine takes no link.
  assert.equal(await drag(page, "link-worker-1-worker-3", "machine-kubernetes-worker-2"), false);
  assert.equal(await drag(page, "link-worker-1-worker-3", "slider-row", 0.5), true);
  await page.locator(".fault-list li", { hasText: /partition worker-1\|worker-3.*at 7:[23]/ }).first().waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("mending a link mends that link, and leaves cut what else was cut", async () => {
  const { page, problems, close } = await frozen(30);
  const cut = () => page.locator(".net-link[data-cut]").evaluateAll((links) => links.map((link) => link.dataset.testid.replace("link-worker-1-", "")).sort());
  await page.getByTestId("fault-partition").click();
  await page.waitForFunction(() => document.querySelectorAll(".net-link[data-cut]").length === document.querySelectorAll(".net-link").length);
  const all = await cut();
  assert.ok(all.includes("worker-2") && all.length > 2, all.join());
  await page.getByTestId("link-worker-1-worker-2").click();
  await page.waitForFunction(() => !document.querySelector("[data-testid=link-worker-1-worker-2]").hasAttribute("data-cut"));
  assert.deepEqual(await cut(), all.filter((name) => name !== "worker-2"));
  // One act, one undo.
  await page.locator("body").press("Control+z");
  await page.waitForFunction((count) => document.querySelectorAll(".net-link[data-cut]").length === count, all.length);
  assert.deepEqual(problems, []);
  await close();
});

test("every plane in signs has names that are its own", async () => {
  const { page, problems, close } = await frozen(30);
  await page.getByTestId("detail-signs").click();
  await page.waitForFunction(() => document.querySelectorAll("[role=grid][data-testid^=signs-]").length === 3);
  const twice = await page.evaluate(() => {
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    return ids.filter((id, place) => ids.indexOf(id) !== place);
  });
  assert.deepEqual(twice, []);
  assert.deepEqual(await axe(page), []);
  assert.deepEqual(problems, []);
  await close();
});
