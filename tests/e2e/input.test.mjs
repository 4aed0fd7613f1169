// What goes wrong in a reader's own words: each finding has its place and its remedy, the last valid
// state keeps running, and nothing that was written is lost.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { at, frozen, launch, serveDist, start } from "./harness.mjs";

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

const pod = (name, image) => `apiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name}\nspec:\n  containers:\n    - name: web\n      image: ${image}\n`;
const service = (name) => `---\napiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\nspec:\n  type: NodePort\n  selector: {app: web}\n  ports:\n    - port: 80\n      nodePort: 30080\n`;
const composed = (own) => `services:\n  one:\n    image: nginx\n    ports: ["8080:80"]\n  two:\n    image: nginx\n    ${own}\n`;

/** The first problem that names `place`. */
async function problem(page, place) {
  const found = page.getByTestId("problem").filter({ hasText: place }).first();
  await found.waitFor();
  return found.textContent();
}

/** Text of the files as the page has them. */
const texts = (page) => page.evaluate(() => [...document.querySelectorAll(".cm-content")].map((content) => content.innerText).join("\n"));

test("a published port that is taken twice is told at its place on every orchestrator", async () => {
  const { page, problems, close } = await frozen(browser, site, 30);
  const hash = await at(page, 30);
  await start(page, `# file: web.yaml\n${pod("web", "nginx")}${service("one")}${service("two")}`);
  const kubernetes = await problem(page, "web.yaml, line 30, column 17");
  assert.match(kubernetes, /provided port is already allocated/);
  assert.match(kubernetes, /service `one` has this node port; choose another/);
  await page.getByTestId("last-valid").waitFor();
  // The poll is still there and goes on; what was pasted is still in its tab.
  assert.equal(await at(page, 30), hash);
  assert.match(await texts(page), /nodePort: 30080/);
  await start(page, `# file: stack.yml\n${composed('ports: ["8080:81"]')}`);
  const swarm = await problem(page, "stack.yml, line 7, column 13");
  assert.match(swarm, /port '8080' is already in use by service 'app_one' as an ingress port/);
  await page.getByTestId("last-valid").waitFor();
  assert.equal(await at(page, 30), hash);
  await start(page, `# file: compose.yaml\n${composed('ports: ["8080:81"]')}`);
  const compose = await problem(page, "compose.yaml, line 7, column 13");
  assert.match(compose, /Bind for 0\.0\.0\.0:8080 failed: port is already allocated/);
  assert.match(compose, /service `one` publishes this port too; choose another host port/);
  assert.deepEqual(problems, []);
  await close();
});

test("an image that does not exist is told at its place, and mended by a press", async () => {
  const { page, problems, close } = await frozen(browser, site, 5);
  await start(page, `# file: web.yaml\n${pod("web", "ngnix")}`);
  const found = await problem(page, "web.yaml, line 8, column 14");
  assert.match(found, /pull access denied for ngnix, repository does not exist/);
  assert.match(found, /did you mean "nginx"\?/);
  // As in the real world the pod is accepted and waits.
  await page.getByTestId("slider").fill("300");
  const unit = page.locator("[data-testid=unit][data-workload=web]");
  await page.waitForFunction(() => /ImagePull/.test(document.querySelector("[data-testid=unit]")?.textContent ?? ""));
  assert.equal(await unit.getAttribute("data-state"), "failed");
  await page.getByTestId("problem").getByRole("button", { name: "Fix" }).click();
  await page.waitForFunction(() => document.querySelector("[data-testid=problems-count]").textContent === "0");
  assert.match(await texts(page), /image: nginx/);
  assert.deepEqual(problems, []);
  await close();
});

test("a fault on a machine that is not there is told wherever it is asked for", async () => {
  const { page, problems, close } = await frozen(browser, site, 30);
  const hash = await at(page, 30);
  await page.getByTestId("experiment-open").click();
  await page.getByTestId("experiment-faults").fill("node-crash of:poll at 60s\nnode-crash worker-99 at 70s");
  await page.getByTestId("experiment-start").click();
  const found = await problem(page, "Faults of the experiment, line 2, column 12");
  assert.match(found, /there is no machine "worker-99"/);
  assert.match(found, /machines are: control-1, worker-1, worker-2, worker-3/);
  await page.getByTestId("last-valid").waitFor();
  assert.equal(await at(page, 30), hash);
  // Its place is shown where it can be corrected.
  await page.getByTestId("problem").getByRole("button", { name: /Faults of the experiment/ }).click();
  const marked = await page.getByTestId("experiment-faults").evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd));
  assert.equal(marked, "worker-99");
  await page.getByTestId("experiment-faults").fill("node-crash worker-2 at 70s");
  await page.getByTestId("experiment-start").click();
  await page.getByTestId("last-valid").waitFor({ state: "detached" });
  // In the console it is the tool's own refusal.
  await page.getByTestId("console-input").fill("sim fault node-crash worker-99");
  await page.getByTestId("console-run").click();
  await page.locator(".console-error").filter({ hasText: 'there is no machine "worker-99"' }).waitFor();
  assert.deepEqual(problems, []);
  await close();
});
