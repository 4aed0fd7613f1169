// What every browser test stands on: the built page served from a sub-path, Chromium, and a
// collector of everything the page complained about.
//
// The tests run `dist/` as a static host would serve it: no rewriting, no help from a dev server,
// and from a folder below the root, because relative addresses are part of what is tested.

import { createServer } from "node:http";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, extname, join, normalize, resolve, sep } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";

/** The built page. */
export const DIST = process.env.PODIUM_DIST ? resolve(process.env.PODIUM_DIST, ".") + sep : fileURLToPath(new URL("../../dist/", import.meta.url));

/** The folder of the host that the page is served from. */
export const SUB_PATH = "/some/folder/";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".lzma": "application/octet-stream",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/**
 * Serves `dist/` below SUB_PATH on a free port, compressed or not: { url, close }. What `withholds` says
 * yes to (a file's path and how often it was asked for) is never answered; `alters` may give another
 * text for a file (by its path in `dist/`).
 */
export async function serveDist({ compress = false, withholds = () => false, alters = () => null } = {}) {
  if (!existsSync(join(DIST, "index.html"))) {
    throw new Error("dist/ holds no page: run `cargo xtask build` first");
  }
  const times = new Map();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://host").pathname);
    const inside = path.startsWith(SUB_PATH) ? path.slice(SUB_PATH.length) || "index.html" : null;
    const file = inside === null ? null : normalize(join(DIST, inside));
    if (!file?.startsWith(DIST.replace(/[\\/]$/, sep)) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    times.set(file, (times.get(file) ?? 0) + 1);
    if (withholds(file, times.get(file))) return;
    const altered = alters(inside);
    if (altered !== null) {
      response.writeHead(200, { "content-type": TYPES[extname(file)], "cache-control": "no-store" });
      response.end(altered);
      return;
    }
    if (compress) {
      const body = packed(file);
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-encoding": "gzip", "content-length": body.length, "cache-control": "no-store" });
      response.end(body);
      return;
    }
    response.writeHead(200, {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-length": statSync(file).size,
      "cache-control": "no-store",
    });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}${SUB_PATH}`,
    close: () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }),
  };
}

const kept = new Map();

/** A file as a host that compresses sends it. */
function packed(file) {
  if (!kept.has(file)) kept.set(file, gzipSync(readFileSync(file), { level: 9 }));
  return kept.get(file);
}

/** The browser's program: PODIUM_CHROMIUM, else the first known name on the PATH. */
function findChromium() {
  const named = process.env.PODIUM_CHROMIUM;
  if (named) return named;
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of names) {
      const path = join(folder, name);
      if (existsSync(path)) return path;
    }
  }
  throw new Error("no Chromium found: install it, or name its program in PODIUM_CHROMIUM");
}

/** Starts Chromium without anything that would reach for the network. */
export function launch() {
  return chromium.launch({
    executablePath: findChromium(),
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/**
 * One test's page: served, opened in a fresh context, watched. Options are Playwright's context
 * options. Returns { page, context, url, problems, close }; `problems` fills with console errors
 * and warnings, uncaught exceptions, failed requests, and requests that leave the origin.
 */
export async function open(browser, site, { path = "?test=1", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const problems = collectProblems(page, new URL(site.url).origin);
  await page.goto(site.url + path);
  return { page, context, problems, close: () => context.close() };
}

/** Waits until the shown time is `t` seconds, and returns its hash. */
export async function at(page, t) {
  await page.waitForFunction((t) => window.__playground?.ready && window.__playground.now === t, t);
  return page.evaluate(() => window.__playground.hash);
}

/**
 * What a file of tests stands on: one served page and one browser for all of them, ended after the
 * last. `open` and `frozen` take Playwright's context options; `frozen(t)` stands still at `t`
 * seconds, with seed 42.
 */
export function stage(serve) {
  const stage = {
    site: null,
    browser: null,
    open: (options) => open(stage.browser, stage.site, options),
    async frozen(t, options = {}) {
      const opened = await stage.open({ path: `?seed=42&t=${t}&speed=0&test=1`, ...options });
      await at(opened.page, t);
      return opened;
    },
  };
  before(async () => {
    stage.site = await serveDist(serve);
    stage.browser = await launch();
  });
  after(async () => {
    await stage.browser?.close();
    await stage.site?.close();
  });
  return stage;
}

/** Moves the slider to `t` seconds, and returns that time's hash. */
export async function seek(page, t) {
  await page.getByTestId("slider").fill(String(t * 10));
  return at(page, t);
}

/** Begins another experiment from pasted text, without faults; `fields` fills others of the dialog. */
export async function start(page, text, fields = {}) {
  await page.getByTestId("experiment-open").click();
  for (const [name, value] of Object.entries({ paste: text, faults: "", ...fields })) {
    // At once: Playwright's own way takes 20 seconds for 2,000 lines.
    await page.getByTestId(`experiment-${name}`).evaluate((field, value) => {
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }, value);
  }
  await page.getByTestId("experiment-start").click();
}

/** What the page keeps of this tab's work. */
export function saved(page) {
  return page.evaluate(() => sessionStorage.getItem("podium.session"));
}

/** Waits until the page keeps something else than `before`: it does so a while after a change. */
export async function autosaved(page, before) {
  await page.waitForFunction((before) => sessionStorage.getItem("podium.session") !== before, before);
}

/** Runs a console line and returns what it printed. */
export async function say(page, line) {
  const entries = page.locator(".console-entry");
  const before = (await entries.count()) ? await entries.last().textContent() : null;
  await page.getByTestId("console-input").fill(line);
  await page.getByTestId("console-run").click();
  await page.waitForFunction((before) => {
    const last = [...document.querySelectorAll(".console-entry")].at(-1)?.textContent ?? null;
    return last !== null && last !== before;
  }, before, { timeout: 300_000 });
  return entries.last().textContent();
}

/** Replaces `from` by `to` in the open editor, as typing would. */
export async function type(page, from, to) {
  await page.locator(".editor:not([hidden]) .cm-content").click();
  await page.evaluate(async (from) => {
    const content = document.querySelector(".editor:not([hidden]) .cm-content");
    const found = () => [...content.querySelectorAll(".cm-line")].find((line) => line.textContent.includes(from));
    // Lines far out of sight are not drawn.
    const scroller = content.closest(".cm-scroller");
    for (let top = 0; !found() && top < scroller.scrollHeight; top += scroller.clientHeight) {
      scroller.scrollTop = top;
      await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    }
    const line = found();
    const start = line.textContent.indexOf(from);
    const place = (offset) => {
      const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (offset <= node.length) return [node, offset];
        offset -= node.length;
      }
      return [line, line.childNodes.length];
    };
    getSelection().setBaseAndExtent(...place(start), ...place(start + from.length));
  }, from);
  await page.waitForTimeout(100);
  await page.keyboard.insertText(to);
}

/** Violations that axe finds on the page, or within the element with this id, each in one line. */
export async function axe(page, id) {
  if (!(await page.evaluate(() => Boolean(window.axe)))) {
    // As text: the page's policy lets no script in.
    await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  }
  const { violations } = await page.evaluate((id) => window.axe.run(id ? document.getElementById(id) : document), id);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`);
}

/** Watches `page`; the returned array grows with one sentence per problem. */
export function collectProblems(page, origin) {
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`uncaught: ${error.message}`));
  page.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText;
    // A worker that its page leaves takes with it what it was still loading. And Chromium says so, one
    // time of fifteen, of a response whose body a worker has read to its end: what needs it does go on.
    if (reason === "net::ERR_ABORTED" && /_(first|play|rest)\.wasm\.lzma$/.test(request.url())) return;
    problems.push(`request failed: ${request.url()} ${reason}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) problems.push(`HTTP ${response.status()}: ${response.url()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.origin !== origin) problems.push(`left the origin: ${url}`);
  });
  return problems;
}
