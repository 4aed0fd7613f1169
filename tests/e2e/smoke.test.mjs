// The page loads from any folder, its worker answers, its policy holds, and it complains of nothing.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DIST, open as openOn, say, serveDist, stage } from "./harness.mjs";

const host = stage();
const { open } = host;

test("the page paints and the worker answers", async () => {
  const { page, problems, close } = await open();
  await page.locator("[data-engine=ready]").waitFor();
  assert.equal(await page.locator("h1").count(), 1);
  assert.equal(await page.locator("h1").textContent(), "Podium");
  assert.equal(await page.locator("#skeleton").count(), 0);
  assert.deepEqual(problems, []);
  await close();
});

test("the skeleton paints before any wasm arrives", async () => {
  const context = await host.browser.newContext();
  const page = await context.newPage();
  await page.route("**/app-*.wasm*", () => {}); // Never answered.
  await page.goto(host.site.url, { waitUntil: "domcontentloaded" });
  await page.getByRole("heading", { level: 1, name: "Podium" }).waitFor();
  await page.getByRole("progressbar").waitFor();
  await context.close();
});

test("a wasm file that is missing is said, in words", async () => {
  const context = await host.browser.newContext();
  const page = await context.newPage();
  await page.route("**/app-*.wasm*", (route) => route.fulfill({ status: 404 }));
  await page.goto(host.site.url);
  const alert = page.getByRole("alert");
  await alert.waitFor();
  assert.match(await alert.textContent(), /could not start: .*HTTP 404/);
  await context.close();
});

test("a part that arrives damaged or cut short is said by its name", async () => {
  const packed = (name) => readdirSync(DIST).find((file) => file.endsWith(".lzma") && file.includes(name));
  for (const [name, spoil, said] of [
    ["app-", (bytes) => bytes.subarray(0, bytes.length - 1_000), /could not start: .*app-.*\.lzma: cut short/],
    ["app-", (bytes) => Buffer.concat([Buffer.from([255]), bytes.subarray(1)]), /could not start: .*app-.*\.lzma: damaged/],
    ["_first", (bytes) => bytes.subarray(0, bytes.length - 1_000), /worker.*_first\.wasm\.lzma: cut short/],
  ]) {
    const file = packed(name);
    const bytes = spoil(readFileSync(join(DIST, file)));
    const site = await serveDist({ alters: (asked) => (asked === file ? bytes : null) });
    const context = await host.browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(`${site.url}?test=1`);
      const alert = page.getByRole("alert").filter({ hasText: said });
      await alert.first().waitFor();
    } finally {
      await context.close();
      await site.close();
    }
  }
});

test("the first screen waits for the worker's first part, playing for the second, and the rest comes when it is needed", async () => {
  const asked = { play: 0, rest: 0 };
  const site = await serveDist({
    withholds: (file, time) => {
      const part = file.match(/_(play|rest)\.wasm\.lzma$/)?.[1];
      if (!part) return false;
      asked[part] = time;
      return time === 1;
    },
  });
  try {
    const { page, problems, close } = await openOn(host.browser, site);
    await page.locator("[data-engine=ready]").waitFor();
    assert.deepEqual(asked, { play: 1, rest: 0 }, "the first screen needs the first part only");
    await page.getByTestId("play").click();
    await page.waitForFunction(() => window.__playground.now > 10);
    assert.equal(asked.play, 2, "playing fetched what had not arrived");
    // A busy machine takes ways that nobody rehearsed: that the rest was asked for once is all there is to say.
    assert.match(await say(page, "kubectl explain deployment.spec.strategy"), /rollingUpdate/);
    assert.deepEqual(asked, { play: 2, rest: 2 });
    assert.deepEqual(problems, []);
    await close();
  } finally {
    await site.close();
  }
});

test("the security policy refuses inline scripts and code made from text", async () => {
  const { page, close } = await open();
  await page.locator("[data-engine=ready]").waitFor();
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.inlineRan = true";
    document.head.append(script);
    return window.inlineRan === true;
  });
  assert.equal(ran, false);
  await close();
});

test("the editor chunk loads on demand, reports typing and underlines what it is told", async () => {
  const { page, problems, close } = await open();
  await page.locator("[data-engine=ready]").waitFor();
  const chunk = await page.locator("meta[name=editor-module]").getAttribute("content");
  await page.evaluate(async (chunk) => {
    const { mount } = await window.podiumImport(chunk);
    const element = document.createElement("div");
    document.body.append(element);
    window.heard = [];
    window.editor = mount(element, {
      doc: "# 註解\nreplicas: 3\n",
      label: "Manifest",
      onChange: (revision, text) => window.heard.push([revision, text]),
    });
  }, chunk);
  const diagnostic = { from: 15, to: 16, severity: "error", code: "K8S001", message: "bad", help: "write a number" };
  assert.equal(await page.evaluate((found) => window.editor.setDiagnostics(1, [found]), diagnostic), true);
  assert.equal(await page.locator(".cm-lintRange-error").textContent(), "3");

  await page.getByRole("textbox", { name: "Manifest" }).click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("a: 1");
  // Somebody slow is heard in parts.
  await page.waitForFunction(() => window.heard.at(-1)?.[1].endsWith("1"));
  const [revision, text] = await page.evaluate(() => window.heard.at(-1));
  assert.equal(text, "# 註解\nreplicas: 3\na: 1");
  assert.ok(revision > 1);
  // What was found in an older text is not shown.
  assert.equal(await page.evaluate((found) => window.editor.setDiagnostics(1, [found]), diagnostic), false);
  await page.evaluate(() => window.editor.destroy());
  assert.deepEqual(problems, []);
  await close();
});
