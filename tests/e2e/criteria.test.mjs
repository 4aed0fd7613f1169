// Acceptance criteria of the page that need no link and no file: each test is named after its own.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launch, open, serveDist } from "./harness.mjs";

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

/** A frozen page at `t` seconds. */
async function frozen(t, options = {}) {
  const opened = await open(browser, site, { path: `?seed=42&t=${t}&speed=0&test=1`, ...options });
  await opened.page.waitForFunction((t) => window.__playground?.ready && window.__playground.now === t, t);
  return opened;
}

/** Begins anew with pasted text. */
async function paste(page, text) {
  await page.getByTestId("experiment-open").click();
  await page.getByTestId("experiment-paste").fill(text);
  await page.getByTestId("experiment-faults").fill("");
  await page.getByTestId("experiment-start").click();
}

test("criterion 2: nothing on screen moves while the page arrives", async () => {
  for (const [width, lang] of [[390, "en"], [390, "zh-TW"], [1440, "en"], [1440, "zh-TW"]]) {
    const context = await browser.newContext({ viewport: { width, height: 900 } });
    const page = await context.newPage();
    await page.addInitScript(() => {
      window.shifts = [];
      const note = (list) => window.shifts.push(...list.getEntries().map(({ value, sources }) => ({ value, who: sources.map(({ node }) => node?.className || node?.nodeName) })));
      new PerformanceObserver(note).observe({ type: "layout-shift", buffered: true });
    });
    await page.goto(`${site.url}?seed=42&test=1&lang=${lang}`);
    await page.waitForFunction(() => window.__playground?.ready);
    await page.waitForTimeout(3_000);
    const shifts = await page.evaluate(() => window.shifts);
    const sum = shifts.reduce((sum, { value }) => sum + value, 0);
    assert.ok(sum <= 0.05, `${width} px, ${lang}: ${sum.toFixed(3)} ${JSON.stringify(shifts)}`);
    await context.close();
  }
});

test("criterion 6: in the third document, after Chinese comments, exactly the wrong token is underlined", async () => {
  const { page, problems, close } = await frozen(1);
  const pod = (name, image) => `# 一則註解：${name}\napiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name} # 名稱\nspec:\n  containers:\n    - name: web\n      image: ${image}\n`;
  const broken = pod("three", "nginx").replace("image: nginx", "image: nginx\n      ports:\n        - containerPort: eighty # 連接埠");
  await paste(page, `# file: three.yaml\n${pod("one", "nginx")}---\n${pod("two", "nginx")}---\n${broken}`);
  await page.getByTestId("problem").first().waitFor();
  await page.locator(".problem .link").first().click();
  const marked = page.locator(".editor:not([hidden]) .cm-lintRange-error");
  await marked.first().waitFor();
  assert.deepEqual(await marked.allTextContents(), ["eighty"]);
  assert.deepEqual(problems, []);
  await close();
});

test("criterion 9: after a machine is lost Kubernetes and Swarm are whole again, Compose is not", async () => {
  const { page, close } = await frozen(900);
  const ready = async (plane) => (await page.getByTestId(`ready-${plane}`).textContent()).match(/(\d+)\/(\d+)/).slice(1).map(Number);
  for (const plane of ["kubernetes", "swarm"]) {
    const [now, wanted] = await ready(plane);
    assert.equal(now, wanted, plane);
    assert.match(await page.getByTestId(`mechanism-${plane}`).textContent(), /served as before .* after the fault/);
  }
  const [now, wanted] = await ready("compose");
  assert.ok(now < wanted);
  assert.match(await page.getByTestId("mechanism-compose").textContent(), /nothing reacted/);
  await page.getByTestId("language-zh-TW").click();
  await page.waitForFunction(() => document.querySelector("[data-testid=mechanism-kubernetes]").textContent.includes("恢復原有服務"));
  await close();
});

test("criterion 16: dialogs and views are within reach of assistive technology", async () => {
  const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  for (const options of [{ colorScheme: "light" }, { colorScheme: "dark", locale: "zh-TW" }]) {
    const { page, close } = await frozen(80, options);
    await page.evaluate(source);
    for (const id of ["share", "gallery", "help", "experiment"]) {
      await page.getByTestId(`${id}-open`).click();
      const { violations } = await page.evaluate((id) => window.axe.run(document.getElementById(id)), id);
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].target}`), [], `${id} ${JSON.stringify(options)}`);
      await page.keyboard.press("Escape");
    }
    await close();
  }
});

test("criterion 17: states are told apart in every kind of sight, and without colours by name", async () => {
  const css = await readFile(new URL("../../www/css/app.css", import.meta.url), "utf8");
  const names = ["ready", "progressing", "pending", "terminating", "failed", "unknown", "completed"];
  const pairs = names.map((name) => css.match(new RegExp(`--${name}: light-dark\\((#\\w+), (#\\w+)\\)`)).slice(1));
  for (const [theme, board] of [[0, "#ffffff"], [1, "#0f1420"]]) {
    const colours = pairs.map((pair) => pair[theme]);
    for (const [place, colour] of colours.entries()) {
      const ratio = contrast(colour, board);
      assert.ok(ratio >= 3, `${names[place]} on ${board}: ${ratio.toFixed(2)}`);
    }
    for (const [vision, matrix] of Object.entries(VISIONS)) {
      const labs = colours.map((colour) => lab(linear(colour), matrix));
      const least = Math.min(...labs.flatMap((one, place) => labs.slice(place + 1).map((two) => distance(one, two))));
      assert.ok(least >= 15, `${vision}, theme ${theme}: ${least.toFixed(1)}`);
    }
  }
  const { page, close } = await frozen(80, { forcedColors: "active" });
  const unit = page.locator("[data-testid=unit][data-state=lost]").first();
  assert.match(await unit.getAttribute("title"), /lost/);
  assert.equal(await unit.locator(".unit-glyph").textContent(), "?");
  await close();
});

// Machado, Oliveira and Fernandes 2009, full severity, on linear light.
const VISIONS = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

function linear(colour) {
  return [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
}

function contrast(one, two) {
  const light = (colour) => linear(colour).reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

function lab(rgb, matrix) {
  const seen = matrix.map((row) => Math.min(1, Math.max(0, row.reduce((sum, weight, place) => sum + weight * rgb[place], 0))));
  const xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    .map((row, place) => row.reduce((sum, weight, at) => sum + weight * seen[at], 0) / [0.95047, 1, 1.08883][place])
    .map((value) => (value > 216 / 24389 ? Math.cbrt(value) : (value * 24389 / 27 + 16) / 116));
  return [116 * xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])];
}

// CIEDE2000.
function distance([l1, a1, b1], [l2, a2, b2]) {
  const radians = Math.PI / 180;
  const mean7 = ((Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2) ** 7;
  const g = 0.5 * (1 - Math.sqrt(mean7 / (mean7 + 25 ** 7)));
  const polar = (a, b) => [Math.hypot(a * (1 + g), b), (Math.atan2(b, a * (1 + g)) / radians + 360) % 360];
  const [[c1, h1], [c2, h2]] = [polar(a1, b1), polar(a2, b2)];
  const turn = c1 * c2 === 0 ? 0 : ((h2 - h1 + 540) % 360) - 180;
  const dh = 2 * Math.sqrt(c1 * c2) * Math.sin((turn / 2) * radians);
  const [l, c, h] = [(l1 + l2) / 2, (c1 + c2) / 2, c1 * c2 === 0 ? h1 + h2 : h1 + turn / 2];
  const t = 1 - 0.17 * Math.cos((h - 30) * radians) + 0.24 * Math.cos(2 * h * radians) + 0.32 * Math.cos((3 * h + 6) * radians) - 0.2 * Math.cos((4 * h - 63) * radians);
  const sl = 1 + (0.015 * (l - 50) ** 2) / Math.sqrt(20 + (l - 50) ** 2);
  const [sc, sh] = [1 + 0.045 * c, 1 + 0.015 * c * t];
  const rt = -Math.sin(60 * Math.exp(-(((((h + 360) % 360) - 275) / 25) ** 2)) * radians) * 2 * Math.sqrt(c ** 7 / (c ** 7 + 25 ** 7));
  const [x, y, z] = [(l2 - l1) / sl, (c2 - c1) / sc, dh / sh];
  return Math.sqrt(x * x + y * y + z * z + rt * y * z);
}
