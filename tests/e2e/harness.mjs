// What every browser test stands on: the built page served from a sub-path, Chromium, and a
// collector of everything the page complained about.
//
// The tests run `dist/` as a static host would serve it: no rewriting, no help from a dev server,
// and from a folder below the root, because relative addresses are part of what is tested.

import { createServer } from "node:http";
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, extname, join, normalize, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const DIST = process.env.PODIUM_DIST ? resolve(process.env.PODIUM_DIST, ".") + sep : fileURLToPath(new URL("../../dist/", import.meta.url));

/** The folder of the host that the page is served from. */
export const SUB_PATH = "/some/folder/";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Serves `dist/` below SUB_PATH on a free port: { url, close }. */
export async function serveDist() {
  if (!existsSync(join(DIST, "index.html"))) {
    throw new Error("dist/ holds no page: run `cargo xtask build` first");
  }
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://host").pathname);
    const inside = path.startsWith(SUB_PATH) ? path.slice(SUB_PATH.length) || "index.html" : null;
    const file = inside === null ? null : normalize(join(DIST, inside));
    if (!file?.startsWith(DIST.replace(/[\\/]$/, sep)) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
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

/** A page that stands still at `t` seconds, with seed 42. */
export async function frozen(browser, site, t, options = {}) {
  const opened = await open(browser, site, { path: `?seed=42&t=${t}&speed=0&test=1`, ...options });
  await at(opened.page, t);
  return opened;
}

/** Begins another experiment from pasted text, without faults. */
export async function start(page, text) {
  await page.getByTestId("experiment-open").click();
  await page.getByTestId("experiment-paste").fill(text);
  await page.getByTestId("experiment-faults").fill("");
  await page.getByTestId("experiment-start").click();
}

/** Watches `page`; the returned array grows with one sentence per problem. */
export function collectProblems(page, origin) {
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`uncaught: ${error.message}`));
  page.on("requestfailed", (request) => problems.push(`request failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on("response", (response) => {
    if (response.status() >= 400) problems.push(`HTTP ${response.status()}: ${response.url()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.origin !== origin) problems.push(`left the origin: ${url}`);
  });
  return problems;
}

/** A new empty folder for a test's files, removed by the returned function. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), "podium-e2e-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
