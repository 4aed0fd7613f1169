// The console as a terminal: a watch whose frame replaces itself while time moves, names that lead
// to their objects, lines that are run again at another time, all of it by keyboard too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, axe, say, seek, stage } from "./harness.mjs";

const host = stage();
const { frozen } = host;

const entry = (page) => page.locator(".console-entry").last();
const output = (page) => entry(page).locator("pre").nth(1);

/** Waits until the last entry's output has this text in it. */
const shows = (page, text) => output(page).filter({ hasText: text }).waitFor({ timeout: 60_000 });

test("a watch follows the clock, the slider and what is done, until it is stopped", async () => {
  const { page, problems, close } = await frozen(30);
  await say(page, "watch -n 1 kubectl get nodes");
  await shows(page, /^Every 1\.0s: kubectl get nodes +podium: Thu Jan {2}1 00:00:30 2026\n\nNAME/);
  assert.equal(await output(page).filter({ hasText: "NotReady" }).count(), 0);
  // Scrubbing: another moment, and back.
  const hash = await seek(page, 200);
  await shows(page, "NotReady");
  await shows(page, "00:03:20 2026");
  await seek(page, 20);
  await shows(page, "00:00:20 2026");
  assert.equal(await seek(page, 200), hash);
  await shows(page, "00:03:20 2026");
  // Nobody is read the same table each second.
  assert.equal(await entry(page).getAttribute("aria-live"), "off");
  // One entry, however often it was drawn.
  assert.equal(await page.locator(".console-entry").count(), 1);
  // Playing.
  await page.getByTestId("speed").selectOption("10000");
  await page.getByTestId("play").click();
  await page.waitForFunction(() => /00:03:4\d 2026/.test(document.querySelector(".console-entry pre:not(.console-line)").textContent), null, { timeout: 60_000 });
  await page.getByTestId("play").click();
  // What is done meanwhile is seen, and other lines can be run beside it.
  await page.getByTestId("console-input").fill("watch kubectl get deployment poll -o name");
  await page.keyboard.press("Enter");
  await shows(page, "deployment.apps/poll");
  assert.equal(await page.locator(".console-entry[data-watching]").count(), 1, "the newer watch takes the older one's place");
  // Ctrl+C ends it; it stays as it was last.
  await page.getByTestId("console-input").focus();
  await page.keyboard.press("Control+c");
  await page.waitForFunction(() => !document.querySelector("[data-watching]"));
  const last = await output(page).textContent();
  await seek(page, 10);
  assert.equal(await output(page).textContent(), last);
  // The button does the same.
  await say(page, "watch sim time");
  await shows(page, "00:00:10 2026\n\n10s");
  await page.getByTestId("watch-stop").click();
  await page.waitForFunction(() => !document.querySelector("[data-watching]"));
  assert.deepEqual(problems, []);
  await close();
});

test("a watch marks what changed, and ends when it was asked to", async () => {
  const { page, problems, close } = await frozen(30);
  const marks = () => entry(page).locator("mark").allTextContents();
  await say(page, "watch -d kubectl get nodes worker-1 --no-headers");
  assert.deepEqual(await marks(), []);
  await seek(page, 33);
  await shows(page, "00:00:33 2026");
  // The header's clock is no part of what is compared: one digit of the age is.
  assert.deepEqual(await marks(), ["3"]);
  await seek(page, 34);
  await shows(page, "00:00:34 2026");
  assert.deepEqual(await marks(), ["4"]);
  assert.deepEqual(await axe(page, "panel-console"), []);
  // Until something changes: more time alone is no change, another number of replicas is.
  await page.getByTestId("console-input").fill("watch -g kubectl get deployment poll -o jsonpath={.spec.replicas}");
  await page.keyboard.press("Enter");
  await shows(page, "00:00:34 2026\n\n3");
  await seek(page, 36);
  await shows(page, "00:00:36 2026");
  assert.equal(await page.locator("[data-watching]").count(), 1);
  await page.getByTestId("console-input").fill("kubectl scale deployment poll --replicas=5");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => !document.querySelector("[data-watching]"));
  assert.match(await page.locator(".console-entry").nth(-2).locator("pre").nth(1).textContent(), /\n5$/);
  assert.deepEqual(problems, []);
  await close();
});

test("a watch of what acts is refused in words", async () => {
  const { page, problems, close } = await frozen(30);
  const hash = await at(page, 30);
  assert.match(await say(page, "watch kubectl delete pod --all"), /only what looks can be repeated/);
  assert.match(await say(page, "watch -z kubectl get pods"), /invalid option -- 'z'\s+Usage:/);
  assert.equal(await page.locator("[data-watching]").count(), 0);
  assert.equal(await at(page, 30), hash);
  assert.deepEqual(problems, []);
  await close();
});

test("a machine that is closed to new work says so in its orchestrator's word", async () => {
  const { page, problems, close } = await frozen(30);
  await say(page, "kubectl cordon worker-1");
  await say(page, "docker node update --availability drain worker-2");
  const state = (orchestrator, machine) => page.getByTestId(`machine-${orchestrator}-${machine}`).locator(".machine-state");
  await state("kubernetes", "worker-1").filter({ hasText: "Ready · SchedulingDisabled" }).waitFor();
  await state("swarm", "worker-2").filter({ hasText: "Ready · Drain" }).waitFor();
  assert.equal(await state("kubernetes", "worker-2").textContent(), "Ready");
  assert.deepEqual(problems, []);
  await close();
});

test("a name in the output leads to its object", async () => {
  const { page, problems, close } = await frozen(50);
  await say(page, "kubectl get pods -o wide");
  const names = entry(page).getByTestId("console-name");
  assert.ok((await names.count()) >= 16, `${await names.count()} names`);
  const pod = names.filter({ hasText: /^poll-/ }).first();
  const name = await pod.textContent();
  // Under the pointer all that belongs to it lights up, in every plane.
  await pod.hover();
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=plane-swarm] .lit[data-workload=poll]").length > 0);
  await pod.click();
  await page.getByTestId("why").locator("code", { hasText: `pod/${name}` }).waitFor();
  assert.equal(await page.locator("[data-selected]").getAttribute("data-unit"), name);
  // A machine, a service of Swarm, a container.
  await names.filter({ hasText: /^worker-2$/ }).first().click();
  assert.equal(await page.locator("[data-selected]").getAttribute("data-testid"), "machine-kubernetes-worker-2");
  await say(page, "docker service ls");
  await entry(page).getByTestId("console-name").filter({ hasText: /^app_poll$/ }).click();
  assert.equal(await page.locator("[data-testid=plane-swarm] [data-selected]").getAttribute("data-workload"), "poll");
  await say(page, "docker compose -p app ps");
  await entry(page).getByTestId("console-name").filter({ hasText: /^app-poll-1$/ }).first().click();
  assert.equal(await page.locator("[data-testid=plane-compose] [data-selected]").getAttribute("data-unit"), "app-poll-1");
  // What is no object is no link.
  await say(page, "echo worker-2 poll");
  assert.equal(await entry(page).getByTestId("console-name").count(), 0);
  assert.deepEqual(problems, []);
  await close();
});

test("a line is run again at the time shown, by pointer and by keyboard", async () => {
  const { page, problems, close } = await frozen(40);
  assert.match(await say(page, "sim time"), /40s$/);
  await say(page, "kubectl get nodes");
  await seek(page, 100);
  const first = page.locator(".console-entry").first();
  await first.getByTestId("console-again").click();
  await page.waitForFunction(() => document.querySelectorAll(".console-entry").length === 3);
  await shows(page, /^1m40s$/);
  // Enter reaches the newest line's button; arrows go to the older ones and along the names.
  await seek(page, 110);
  await page.getByTestId("console-log").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "control-1");
  await page.keyboard.press("Enter");
  await page.getByTestId("why").locator("code", { hasText: "node/control-1" }).waitFor();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".console-entry").length === 4);
  await shows(page, /^1m50s$/);
  // The arrows were the log's: the clock did not step.
  await at(page, 110);
  assert.deepEqual(await axe(page, "panel-console"), []);
  // Ctrl+R finds an earlier line, and one before that; Ctrl+L empties the log.
  await page.getByTestId("console-input").fill("sim");
  await page.keyboard.press("Control+r");
  assert.equal(await page.getByTestId("console-input").inputValue(), "sim time");
  await page.getByTestId("console-input").fill("get");
  await page.keyboard.press("Control+r");
  assert.equal(await page.getByTestId("console-input").inputValue(), "kubectl get nodes");
  await page.keyboard.press("Control+l");
  await page.waitForFunction(() => !document.querySelector(".console-entry"));
  assert.deepEqual(problems, []);
  await close();
});

test("the terminal's words are Chinese, and fit a phone", async () => {
  const { page, problems, close } = await frozen(30, { viewport: { width: 390, height: 800 } });
  await page.getByTestId("language-zh-TW").click();
  await page.getByTestId("panel-console").click();
  await say(page, "watch kubectl get pods");
  await page.getByTestId("watch-stop").filter({ hasText: "停止" }).waitFor();
  assert.match(await entry(page).getByTestId("console-again").getAttribute("aria-label"), /再執行一次/);
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  assert.deepEqual(await axe(page, "panel-console"), []);
  assert.deepEqual(problems, []);
  await close();
});
