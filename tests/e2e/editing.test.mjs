// The experiment's own tabs, machines and faults, with what the palette and the text share; and what
// an edit made of the objects.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, axe, say, seek, stage, type } from "./harness.mjs";

const host = stage();
const { frozen } = host;

/** The text of the open editor. */
const text = (page) => page.evaluate(() => [...document.querySelectorAll(".editor:not([hidden]) .cm-line")].map((line) => line.textContent).join("\n"));

/** Opens a tab once its editor is there. */
async function tab(page, name) {
  await page.getByTestId(`tab-${name}`).click();
  await page.locator(".editor:not([hidden]) .cm-content").waitFor();
}

const settled = (page) => page.getByTestId("last-valid").waitFor({ state: "detached" });

test("palette and text show the same faults, and either edits them", async () => {
  const { page, problems, close } = await frozen(30);
  await tab(page, "faults");
  assert.equal(await text(page), "node-crash of:poll at 60s");
  // From the palette into the text, at its time.
  await page.getByTestId("fault-target").selectOption("worker-2");
  await page.getByTestId("fault-kill").click();
  await page.waitForFunction(() => document.querySelector(".editor:not([hidden]) .cm-content").innerText.includes("node-crash worker-2 at 30s"));
  await page.getByTestId("fault-at").fill("50");
  await page.getByTestId("fault-registry-down").click();
  await page.waitForFunction(() => document.querySelector(".editor:not([hidden]) .cm-content").innerText.includes("registry-down at 50.000s"));
  // From the text into the palette: it is run from the start, up to the time shown.
  await type(page, "worker-2 at 30s", "worker-1 at 12s for 5s");
  await page.locator(".fault-list", { hasText: "node-crash worker-1" }).waitFor();
  await at(page, 30);
  assert.equal(await page.locator(".fault-list", { hasText: "node-crash worker-2" }).count(), 0);
  await seek(page, 14);
  await page.waitForFunction(() => document.querySelector("[data-testid=machine-kubernetes-worker-1]").dataset.lost === "true");
  // Taken out in the palette, it is out of the text; undo brings it back.
  await page.locator(".fault-list li", { hasText: "registry-down" }).first().getByTestId("fault-remove").click();
  await page.waitForFunction(() => !document.querySelector(".editor:not([hidden]) .cm-content").innerText.includes("registry-down"));
  await page.waitForFunction(() => !document.querySelector(".fault-list").textContent.includes("registry-down"));
  await page.locator("body").press("Control+z");
  await page.locator(".fault-list", { hasText: "registry-down" }).waitFor();
  // By keyboard from the palette to the text.
  await page.getByTestId("tab-stack.yml").click();
  await page.getByTestId("fault-script").focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.closest("[data-testid=editor-faults]"));
  assert.deepEqual(problems, []);
  await close();
});

test("the fault script has squiggles, completion and meanings, and keeps the last valid state", async () => {
  const { page, problems, close } = await frozen(40);
  const hash = await at(page, 40);
  await tab(page, "faults");
  await type(page, "node-crash", "node-crush");
  const squiggle = page.locator(".editor:not([hidden]) .cm-lintRange-error");
  await squiggle.waitFor();
  assert.equal(await squiggle.textContent(), "node-crush");
  await page.getByTestId("last-valid").waitFor();
  assert.equal(await at(page, 40), hash);
  await type(page, "node-crush", "# 註解\nnode-crash");
  await settled(page);
  await at(page, 40);
  await page.locator(".editor:not([hidden]) .cm-content").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.insertText("\nnode-re");
  await page.keyboard.press("Control+ ");
  await page.locator(".cm-tooltip-autocomplete li", { hasText: "node-reboot" }).click();
  await page.keyboard.insertText(" work");
  await page.keyboard.press("Control+ ");
  await page.locator(".cm-tooltip-autocomplete li", { hasText: "worker-3" }).click();
  await page.waitForFunction(() => document.querySelector(".editor:not([hidden]) .cm-content").innerText.includes("node-reboot worker-3"));
  await page.keyboard.insertText(" at 5s");
  await page.locator(".fault-list", { hasText: "node-reboot worker-3" }).waitFor();
  await page.locator(".editor:not([hidden]) .cm-line", { hasText: "node-crash" }).hover({ position: { x: 30, y: 8 } });
  await page.locator(".cm-hover-text", { hasText: "a machine loses power until healed" }).waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("the cluster is a text: machines, seed and flags, with the run done again", async () => {
  const { page, problems, close } = await frozen(40);
  await say(page, "kubectl scale deployment poll --replicas=4");
  await seek(page, 55);
  await tab(page, "cluster");
  assert.equal(await text(page), "nodes 3\nseed 42\n");
  await type(page, "nodes 3", "nodes 4\nworker cpu=8 memory=4Gi zone=east\nset kube-controller-manager.node-monitor-grace-period 20s");
  await page.getByTestId("machine-kubernetes-worker-4").waitFor({ timeout: 60_000 });
  await at(page, 55);
  // What was done by hand was done again.
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=plane-kubernetes] [data-testid=unit][data-workload=poll]").length === 4);
  assert.match(await say(page, "kubectl get node worker-4 -o jsonpath={.status.capacity.cpu}"), /8$/);
  // A mistake is marked at its word; the last valid state goes on.
  const hash = await at(page, 55);
  await type(page, "memory=4Gi", "memory=much");
  const squiggle = page.locator(".editor:not([hidden]) .cm-lintRange-error");
  await squiggle.waitFor();
  assert.equal(await squiggle.textContent(), "memory=much");
  assert.match(await page.getByTestId("problem").first().textContent(), /CLU001/);
  await page.getByTestId("last-valid").waitFor();
  assert.equal(await at(page, 55), hash);
  await type(page, "memory=much", "memory=2Gi");
  await settled(page);
  // The dialog shows the same numbers, and writes them there.
  await page.getByTestId("experiment-open").click();
  assert.equal(await page.getByTestId("experiment-nodes").inputValue(), "4");
  await page.getByTestId("experiment-nodes").fill("2");
  await page.getByTestId("experiment-start").click();
  await page.waitForFunction(() => document.querySelector(".editor:not([hidden]) .cm-content").innerText.startsWith("nodes 2\n"));
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=plane-kubernetes] .machine[data-machine]").length === 3);
  // A link carries it.
  await page.getByTestId("share-open").click();
  const link = await page.getByTestId("share-link").inputValue();
  const other = await host.browser.newPage();
  await other.goto(link);
  await other.waitForFunction(() => window.__playground?.ready);
  await other.getByTestId("tab-cluster").click();
  await other.locator(".editor:not([hidden]) .cm-line", { hasText: "zone=east" }).waitFor();
  await other.close();
  assert.deepEqual(problems, []);
  await close();
});

test("an edit tells what it changed, overwrote and left alone, and whose it was", async () => {
  const { page, problems, close } = await frozen(30);
  await say(page, "kubectl scale deployment poll --replicas=6");
  await say(page, "kubectl annotate deployment poll team=blue");
  await tab(page, "kubernetes.yaml");
  await type(page, "replicas: 3", "replicas: 4");
  const changes = page.getByTestId("changes");
  await changes.waitFor();
  await changes.locator("summary").focus();
  await page.keyboard.press("Enter");
  const change = changes.getByTestId("change").filter({ hasText: "deployment/poll" });
  await change.waitFor();
  const overwrote = change.locator("tr[data-fate=overwrote]");
  assert.match(await overwrote.textContent(), /\.spec\.replicas 6 → 4overwritten; kubectl \(scale\) owned it until now/);
  assert.match(await change.locator("tr[data-fate=kept]", { hasText: ".metadata.annotations.team" }).textContent(), /left alone: kubectl-annotate owns it/);
  assert.deepEqual(await axe(page, "panel-edit"), []);
  await page.getByTestId("language-zh-TW").click();
  await overwrote.filter({ hasText: "覆寫；先前屬於 kubectl (scale)" }).waitFor();
  // Of Swarm it is the service's specification, with its versions.
  await tab(page, "stack.yml");
  await type(page, "replicas: 3", "replicas: 5");
  const service = changes.getByTestId("change").filter({ hasText: "service/app_poll" });
  await service.waitFor();
  assert.match(await service.textContent(), /版本 \d+ → \d+/);
  assert.match(await service.textContent(), /- +Replicas: 3\n\+ +Replicas: 5/);
  assert.deepEqual(problems, []);
  await close();
});

/** Types a text with no pause in it, and causes a fault in the middle, as another hand on the page would. */
async function typeWhileBroken(page, text) {
  await page.keyboard.type(text.slice(0, 8), { delay: 20 });
  await page.evaluate(() => document.querySelector("[data-testid=fault-kill]").click());
  await page.keyboard.type(text.slice(8), { delay: 40 });
}

test("what is being typed is kept while a fault becomes a line of the script", async () => {
  const { page, problems, close } = await frozen(30);
  const faults = page.locator(".fault-list");
  await page.getByTestId("fault-target").selectOption("worker-2");
  // In a manifest: the script is another text.
  await tab(page, "kubernetes.yaml");
  await page.locator(".editor:not([hidden]) .cm-content").click();
  await page.keyboard.press("Control+Home");
  const words = "# typed while a machine was lost, and all of it is there";
  await typeWhileBroken(page, words);
  await faults.getByText("node-crash worker-2").first().waitFor();
  assert.ok((await text(page)).startsWith(words), (await text(page)).slice(0, 80));
  // In the script itself: what is typed, and the fault's own line below it.
  await tab(page, "faults");
  await page.getByTestId("fault-target").selectOption("worker-3");
  await page.locator(".editor:not([hidden]) .cm-content").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.press("Enter");
  await typeWhileBroken(page, words);
  await page.waitForFunction(() => document.querySelector(".editor:not([hidden]) .cm-content").innerText.includes("node-crash worker-3 at 30s"));
  const lines = ["node-crash of:poll at 60s", "node-crash worker-2 at 30s", words, "node-crash worker-3 at 30s"];
  assert.deepEqual((await text(page)).split("\n"), lines);
  await faults.getByText("node-crash worker-3").first().waitFor();
  // It is what the engine has, too.
  await faults.locator("li", { hasText: "node-crash worker-3" }).first().waitFor();
  assert.deepEqual((await text(page)).split("\n"), lines);
  assert.deepEqual(problems, []);
  await close();
});

test("the last manifest stays, and a tab that is closed leaves the focus at its neighbour", async () => {
  const { page, problems, close } = await frozen(0);
  const names = () => page.locator(".tab-name").evaluateAll((tabs) => tabs.map((tab) => tab.dataset.testid));
  const focus = () => page.evaluate(() => document.activeElement.dataset.testid);
  await page.getByTestId("tab-stack.yml").click();
  await page.keyboard.press("Delete");
  await page.waitForFunction(() => document.querySelectorAll(".tab-name").length === 4);
  assert.deepEqual(await names(), ["tab-compose.yaml", "tab-kubernetes.yaml", "tab-cluster", "tab-faults"]);
  assert.equal(await focus(), "tab-kubernetes.yaml");
  await page.keyboard.press("Delete");
  await page.waitForFunction(() => document.querySelectorAll(".tab-name").length === 3);
  assert.equal(await focus(), "tab-compose.yaml");
  await page.keyboard.press("Delete");
  assert.deepEqual(await names(), ["tab-compose.yaml", "tab-cluster", "tab-faults"]);
  assert.equal(await page.locator(".tab-close").count(), 0);
  // Undo brings the others back.
  await page.keyboard.press("Control+z");
  await page.waitForFunction(() => document.querySelectorAll(".tab-name").length === 4);
  assert.deepEqual(problems, []);
  await close();
});

test("branches that a new script does away with are told", async () => {
  const { page, problems, close } = await frozen(30);
  await page.getByTestId("fork").click();
  await page.getByTestId("branch").waitFor();
  await tab(page, "faults");
  await type(page, "60s", "70s");
  const told = page.getByTestId("dropped");
  await told.filter({ hasText: "its other branch is gone" }).waitFor();
  await page.getByTestId("language-zh-TW").click();
  await told.filter({ hasText: "另外 1 個分支不再存在" }).waitFor();
  await told.getByRole("button").last().click();
  await told.waitFor({ state: "detached" });
  // Another experiment has no branches to lose.
  await page.getByTestId("fork").click();
  await page.getByTestId("branch").waitFor();
  await page.getByTestId("experiment-open").click();
  await page.getByTestId("experiment-start").click();
  await page.getByTestId("branch").waitFor({ state: "detached" });
  assert.equal(await told.count(), 0);
  assert.deepEqual(problems, []);
  await close();
});
