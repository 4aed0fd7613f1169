// A container and a machine taken apart: control groups with their bars, namespaces, processes,
// layers, interfaces and rules, at every time of the time line.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, seek, stage, start } from "./harness.mjs";

const host = stage();
const { frozen } = host;

/** Opens the inspector of what has the focus. */
async function inspect(page, element) {
  await element.focus();
  await page.keyboard.press("d");
  await page.getByTestId("inspector").locator("h2").waitFor();
  await page.getByTestId("anatomy").waitFor();
}

/** What a part says, by its heading. */
const part = (page, name) => page.getByTestId("anatomy").locator("details", { has: page.locator("summary", { hasText: name }) }).locator("pre").textContent();

/** The groups with the figures of their bars: [name, cpu, memory in Mi]. */
const groups = (page) => page.getByTestId("anatomy").locator(".anatomy-group").evaluateAll((lines) => lines.map((line) => {
  const [cpu, memory] = [...line.querySelectorAll(".bar-label")].map((label) => parseFloat(label.textContent.match(/[\d.]+/)[0]));
  return { name: line.querySelector(".anatomy-name").textContent, cpu, memory, files: line.title, bars: line.querySelectorAll(".bar-fill").length };
}));

const pod = (page, workload) => page.getByTestId("plane-kubernetes").locator(`[data-testid=unit][data-workload=${workload}][data-state=ready]`).first();

test("a container is taken apart, and another time shows other values", async () => {
  const { page, problems, close } = await frozen(55);
  await inspect(page, pod(page, "poll"));
  assert.match(await page.getByTestId("anatomy").getAttribute("data-object"), /^pod\/poll-/);
  const before = await groups(page);
  // The container's group, with the kernel's own files; where nothing is limited there is no bar.
  const [own] = before;
  assert.match(own.name, /^\/kubepods\.slice\/.*pod.*\/cri-containerd-[0-9a-f]{64}\.scope$/);
  assert.match(own.files, /memory\.max max/);
  assert.match(own.files, /memory\.current \d+/);
  assert.match(own.files, /cpu\.max max 100000/);
  assert.equal(own.bars, 0);
  assert.ok(own.memory > 0, JSON.stringify(own));
  const spaces = await part(page, "Namespaces");
  for (const kind of ["mnt", "pid", "net", "uts", "ipc"]) assert.match(spaces, new RegExp(`^${kind}:\\[\\d{10}\\]$`, "m"), kind);
  assert.match(spaces, /^user:\[\d{10}\] =$/m); // Shared with the machine.
  assert.match(await part(page, "Processes"), /^ +1 +\d+Mi +\S/);
  assert.match(await part(page, "Mounts"), /overlay on \/ type overlay \(.*lowerdir=[^,:]+:.*upperdir=[^,]+,workdir=/);
  const interfaces = await part(page, "Interfaces");
  assert.match(interfaces, /^lo .*127\.0\.0\.1\/8/m);
  assert.match(interfaces, /^eth0\S* .*10\.\d+\.\d+\.\d+\/\d+/m);
  assert.match(interfaces, /^default via 10\./m);
  // While the inspector is open the time line moves below it.
  const memory = (lines) => lines.map((line) => `${line.name} ${line.files}`).join("\n");
  await page.evaluate(() => {
    const slider = document.querySelector("[data-testid=slider]");
    slider.value = "6000";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await at(page, 600);
  assert.notEqual(memory(await groups(page)), memory(before));
  // Before it was there, it is said.
  await page.evaluate(() => {
    const slider = document.querySelector("[data-testid=slider]");
    slider.value = "0";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await at(page, 0);
  await page.getByTestId("anatomy-none").waitFor();
  await page.keyboard.press("Escape");
  // And the first time again shows the first values.
  await seek(page, 55);
  await inspect(page, pod(page, "poll"));
  assert.deepEqual(await groups(page), before);
  assert.deepEqual(problems, []);
  await close();
});

test("a machine is taken apart, and what moves to it is seen in its groups and rules", async () => {
  const { page, problems, close } = await frozen(55);
  const head = page.locator("[data-testid=machine-kubernetes-worker-2] .machine-head");
  await inspect(page, head);
  assert.equal(await page.getByTestId("anatomy").getAttribute("data-object"), "node/worker-2");
  const names = async () => (await groups(page)).map(({ name }) => name);
  const before = await names();
  for (const name of ["kubepods", "system.slice"]) assert.ok(before.some((line) => line.includes(name)), `${name}: ${before}`);
  assert.match(await part(page, "Processes"), /kubelet/);
  assert.match(await part(page, "Processes"), /containerd/);
  assert.match(await part(page, "Interfaces"), /^eth0\S* .*\d+\.\d+\.\d+\.\d+\/\d+/m);
  const rules = await part(page, "Packet filter");
  assert.match(rules, /^\*nat$/m);
  assert.match(rules, /-A KUBE-SERVICES .*-j KUBE-SVC-/);
  await page.keyboard.press("Escape");
  // The lost machine's pods have moved by then.
  await seek(page, 480);
  await inspect(page, head);
  assert.ok((await names()).length > before.length);
  assert.notEqual(await part(page, "Packet filter"), rules);
  assert.deepEqual(problems, []);
  await close();
});

test("what is limited has bars that fill", async () => {
  const { page, problems, close } = await frozen(0);
  await start(page, "# file: web.yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n    - name: web\n      image: nginx\n      resources:\n        limits: {cpu: 500m, memory: 64Mi}\n");
  await page.getByTestId("plane-swarm").waitFor({ state: "detached" });
  await seek(page, 30);
  await inspect(page, pod(page, "web"));
  const [own] = await groups(page);
  assert.match(own.files, /cpu\.max 50000 100000/);
  assert.match(own.files, /memory\.max 67108864/);
  assert.equal(own.bars, 2);
  const current = Number(own.files.match(/memory\.current (\d+)/)[1]);
  const width = await page.getByTestId("anatomy").locator(".bar-fill").nth(1).evaluate((bar) => bar.style.width);
  assert.ok(Math.abs(parseFloat(width) - (current / 67108864) * 100) < 1, `${width} of ${current}`);
  assert.deepEqual(problems, []);
  await close();
});

test("tasks and containers of the other orchestrators are taken apart, too", async () => {
  const { page, problems, close } = await frozen(55);
  for (const [plane, kind] of [["swarm", "task"], ["compose", "container"]]) {
    await inspect(page, page.getByTestId(`plane-${plane}`).locator("[data-testid=unit][data-state=ready]").first());
    assert.match(await page.getByTestId("anatomy").getAttribute("data-object"), new RegExp(`^${kind}/`));
    assert.match((await groups(page)).map(({ name }) => name).join("\n"), /docker/);
    assert.match(await part(page, "Mounts"), /overlay on \/ type overlay/);
    await page.keyboard.press("Escape");
  }
  assert.deepEqual(problems, []);
  await close();
});
