// What goes wrong in a reader's own words: each finding has its place and its remedy, the last valid
// state keeps running, and nothing that was written is lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { at, axe, collectProblems, say, stage, start, type } from "./harness.mjs";

const host = stage();
const { frozen } = host;

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
  const { page, problems, close } = await frozen(30);
  const hash = await at(page, 30);
  await start(page, `# file: web.yaml\n${pod("web", "nginx")}${service("one")}${service("two")}`);
  const kubernetes = await problem(page, "web.yaml, line 30, column 17");
  assert.match(kubernetes, /provided port is already allocated/);
  assert.match(kubernetes, /service "one" has this node port; choose another/);
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
  assert.match(compose, /service "one" publishes this port too; choose another host port/);
  assert.deepEqual(problems, []);
  await close();
});

test("an image that does not exist is told at its place, and mended by a press", async () => {
  const { page, problems, close } = await frozen(5);
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
  const { page, problems, close } = await frozen(30);
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
  assert.equal(await page.getByTestId("tab-faults").getAttribute("aria-pressed"), "true");
  const marked = page.locator(".editor:not([hidden]) .cm-lintRange-error");
  await marked.waitFor();
  assert.equal(await marked.textContent(), "worker-99");
  await type(page, "worker-99", "worker-2");
  await page.getByTestId("last-valid").waitFor({ state: "detached" });
  // In the console it is the tool's own refusal.
  await page.getByTestId("console-input").fill("sim fault node-crash worker-99");
  await page.getByTestId("console-run").click();
  await page.locator(".console-error").filter({ hasText: 'there is no machine "worker-99"' }).waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("what was written by others is shown as text, never as markup or code", async () => {
  const { page, problems, close } = await frozen(30);
  const hostile = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 2</script>';
  const elements = () => page.evaluate(() => [document.querySelectorAll("img, main script, dialog script").length, window.hacked ?? 0]);
  // As a file's name, in a file, in a fault, in the console.
  await start(page, `# file: ${hostile}.yaml\napiVersion: v1\nkind: '${hostile}'\nmetadata:\n  name: '${hostile}'\n`);
  await page.getByTestId("problem").first().waitFor();
  assert.match(await page.getByTestId("problem").first().textContent(), /<img src=x/);
  await start(page, `# file: compose.yaml\nservices:\n  web:\n    image: '${hostile}'\n    command: ["echo", '${hostile}']\n`);
  await page.getByTestId("problem").first().waitFor();
  await start(page, "", { faults: hostile });
  await page.getByTestId("problem").first().waitFor();
  for (const line of [hostile, `kubectl get ${hostile}`, `docker run ${hostile}`, `sim trace ${hostile}`]) {
    assert.match(await say(page, line), /<img src=x/);
  }
  assert.deepEqual(await elements(), [0, 0]);
  assert.deepEqual(problems, []);
  await close();
});

test("huge and malicious files end in a sentence or in a run, and the page lives on", async (context) => {
  const aliases = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 12; level += 1) aliases.push(`a${level}: &a${level} [${Array(10).fill(`*a${level - 1}`).join(", ")}]`);
  const map = (data) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {a: ${data}}\n`;
  const files = {
    "aliases that grow to billions": [map(`x\n${aliases.join("\n")}`), /huge\.yaml/],
    "a hundred thousand levels": [map("[".repeat(100_000)), /huge\.yaml/],
    "three megabytes of one value": [map(`"${"x".repeat(3_000_000)}"`), /must have at most 1048576 bytes/],
    "bytes that are no text": ["\u0000\u0007\ufffe\ud800 a: [\n", /unexpected character/],
    "fifty thousand documents of no kind": ["---\na: 1\n".repeat(50_000), null],
    "five thousand pods of one name": [`---\n${pod("web", "nginx")}`.repeat(5_000), null],
    "a million lines": ["#\n".repeat(1_000_000), null],
    "a billion replicas": [pod("web", "nginx").replace("kind: Pod", "kind: Deployment").replace("v1", "apps/v1").replace("spec:", "spec:\n  replicas: 1000000000\n  selector: {matchLabels: {app: web}}\n  template:\n   metadata: {labels: {app: web}}\n   spec:").replace("  containers", "    containers").replace("    - name", "      - name").replace("      image", "        image"), null],
  };
  for (const [name, [text, refusal]] of Object.entries(files)) {
    const { page, problems, close } = await frozen(30);
    const hash = await at(page, 30);
    const begun = Date.now();
    // As a file: what a text area takes is the browser's affair.
    await page.getByTestId("file-add").setInputFiles({ name: "huge.yaml", mimeType: "text/yaml", buffer: Buffer.from(text) });
    await page.getByTestId("tab-huge.yaml").waitFor();
    if (refusal) {
      await page.getByTestId("problem").filter({ hasText: refusal }).first().waitFor({ timeout: 60_000 });
      await page.getByTestId("last-valid").waitFor();
      assert.equal(await at(page, 30), hash, name);
    }
    // The clock runs, and the engine answers.
    await page.getByTestId("speed").selectOption("1000000");
    await page.getByTestId("play").click();
    await page.waitForTimeout(1_500);
    assert.match(await say(page, "sim time"), /^\$ sim time[\dhms.]+$/, name);
    assert.equal(await page.getByTestId("page").getAttribute("data-engine"), "ready", name);
    assert.equal(await page.getByTestId("crash").count(), 0, name);
    assert.ok((await page.locator("*").count()) < 10_000, name);
    context.diagnostic(`${name}: ${refusal ? "refused" : "taken"}, ${Date.now() - begun} ms`);
    assert.deepEqual(problems, [], name);
    await close();
  }
});

test("hostile links are refused in words, and local work stays", async () => {
  const { page, problems, close } = await frozen(30);
  const hash = await at(page, 30);
  const bomb = deflateSync(Buffer.alloc(64 << 20)).toString("base64url");
  const links = { "#z9.AAAA": /newer/, [`#z1.${"A".repeat(40_000)}`]: /longer/, [`#z1.${bomb.slice(0, 31_000)}`]: /damaged/, "#z1.%00%ff<script>": /damaged/ };
  for (const [link, words] of Object.entries(links)) {
    await page.evaluate((link) => (location.hash = link), link);
    await page.getByTestId("link-fault").filter({ hasText: words }).waitFor();
    assert.equal(await at(page, 30), hash, link.slice(0, 20));
    await page.getByTestId("link-fault").getByRole("button").click();
  }
  assert.deepEqual(problems, []);
  await close();
});

test("where the browser keeps nothing, or no more, the page says so and works", async () => {
  const ways = {
    blocked: () => ["localStorage", "sessionStorage"].forEach((name) => Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } })),
    full: () => (Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); }),
  };
  for (const [name, way] of Object.entries(ways)) {
    const browsing = await host.browser.newContext();
    const page = await browsing.newPage();
    const problems = collectProblems(page, new URL(host.site.url).origin);
    await page.addInitScript(way);
    await page.goto(`${host.site.url}?seed=42&speed=0`);
    await page.waitForFunction(() => window.__playground?.ready);
    await page.locator(".cm-content").waitFor();
    await type(page, "replicas: 3", "replicas: 4");
    await page.getByTestId("mark-edit").waitFor({ state: "attached" });
    await page.getByTestId("unkept").waitFor();
    await page.getByTestId("language-zh-TW").click();
    await page.getByRole("heading", { name: "圖表" }).waitFor();
    assert.deepEqual(problems, [], name);
    await browsing.close();
  }
});

test("two tabs do not disturb each other, and each comes back as it was", async () => {
  const browsing = await host.browser.newContext();
  const tabs = [await browsing.newPage(), await browsing.newPage()];
  const problems = tabs.map((page) => collectProblems(page, new URL(host.site.url).origin));
  for (const page of tabs) {
    await page.goto(`${host.site.url}?seed=42&speed=0`);
    await page.waitForFunction(() => window.__playground?.ready);
    await page.locator(".cm-content").waitFor();
  }
  for (const [place, page] of tabs.entries()) {
    await type(page, "replicas: 3", `replicas: ${4 + place}`);
    await page.getByTestId("mark-edit").waitFor({ state: "attached" });
  }
  const shows = (page, replicas) => page.waitForFunction((wanted) => document.querySelector(".cm-content")?.textContent.includes(wanted), `replicas: ${replicas}`);
  for (const [place, page] of tabs.entries()) await shows(page, 4 + place);
  for (const [place, page] of tabs.entries()) {
    await page.reload();
    await page.getByTestId("restored").waitFor();
    await shows(page, 4 + place);
  }
  // A new tab goes on with what was done last.
  const third = await browsing.newPage();
  await third.goto(`${host.site.url}?seed=42&speed=0`);
  await third.getByTestId("restored").waitFor();
  await shows(third, 5);
  assert.deepEqual(problems.flat(), []);
  await browsing.close();
});

test("earlier work is kept beside the present, of all tabs, and comes back", async () => {
  const browsing = await host.browser.newContext();
  const tabs = [await browsing.newPage(), await browsing.newPage()];
  const problems = tabs.map((page) => collectProblems(page, new URL(host.site.url).origin));
  const pod = (name) => `# file: ${name}.yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name}\nspec:\n  containers:\n    - name: web\n      image: nginx\n`;
  const kept = (page) => page.evaluate(() => localStorage.getItem("podium.snapshots")?.length ?? 0);
  for (const [place, page] of tabs.entries()) {
    await page.goto(`${host.site.url}?seed=42&speed=0`);
    await page.locator(".cm-content").waitFor();
    await page.waitForFunction(() => window.__playground?.ready);
    const before = await kept(page);
    await start(page, pod(["one", "two"][place]));
    await page.getByTestId(`tab-${["one", "two"][place]}.yaml`).waitFor();
    await page.waitForFunction((before) => (localStorage.getItem("podium.snapshots")?.length ?? 0) > before, before);
  }
  // What another experiment takes the place of is kept at once.
  const [first] = tabs;
  await start(first, pod("three"));
  await start(first, pod("four"));
  await first.getByTestId("experiment-open").click();
  await first.getByTestId("earlier-open").click();
  const items = first.getByTestId("earlier-item");
  await items.first().waitFor();
  assert.deepEqual(await items.locator(".quiet").allTextContents(), ["three.yaml", "two.yaml", "one.yaml"]);
  assert.deepEqual(await axe(first, "earlier"), []);
  await items.nth(1).click();
  await first.getByTestId("tab-two.yaml").waitFor();
  await first.locator("h1").click();
  await first.keyboard.press("Control+z");
  await first.getByTestId("tab-four.yaml").waitFor();
  // The oldest make room where the store is full, and all go where that is wanted.
  await first.evaluate(() => {
    const set = Storage.prototype.setItem;
    Storage.prototype.setItem = function (key, value) {
      if (key === "podium.snapshots" && value.length > 600) throw new DOMException("full", "QuotaExceededError");
      set.call(this, key, value);
    };
  });
  await start(first, pod("five"));
  await first.getByTestId("tab-five.yaml").waitFor();
  await first.waitForFunction(() => localStorage.getItem("podium.snapshots").length <= 600);
  await first.getByTestId("experiment-open").click();
  await first.getByTestId("earlier-open").click();
  await items.first().waitFor();
  await first.getByTestId("earlier-forget").click();
  await items.first().waitFor({ state: "detached" });
  assert.deepEqual(problems.flat(), []);
  await browsing.close();
});

test("a plain text area edits as the editor does", async () => {
  const { page, problems, close } = await frozen(30);
  await page.getByTestId("help-open").click();
  await page.getByTestId("help-plain").check();
  await page.keyboard.press("Escape");
  const area = page.locator("textarea.editor-plain");
  await area.waitFor();
  assert.equal(await page.locator(".cm-editor").count(), 0);
  const hash = await at(page, 30);
  await area.fill((await area.inputValue()).replace("replicas: 3", "replicas: 4"));
  await page.waitForFunction((hash) => window.__playground.hash !== hash, hash);
  await page.getByTestId("help-open").click();
  await page.getByTestId("help-plain").uncheck();
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelector(".cm-content")?.textContent.includes("replicas: 4"));
  assert.deepEqual(problems, []);
  await close();
});
