// post_build hook of trunk, run on the staged files: what trunk itself does not do.
// 1. Names the worker's files by their content (trunk keeps them fixed, so a stale worker could
//    meet a new page) and tells the page that name, the editor's, and the size of the wasm.
// 2. Minifies scripts and styles in release builds.
// 3. Divides the worker in release builds, so that the first screen waits for a part of it only, and
//    playing for a second.
// 4. Orders the application's functions in release builds, as the division does the worker's.
// 5. Packs all these and the editor in release builds (www/pack) and says where what unpacks them is (www/unpack).
// 6. Shortens the names that programs and glue have for each other in release builds (www/names.mjs).
// 7. Lets trunk's own reload script through the security policy, only where it is present.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, basename } from "node:path";
import { fileURLToPath } from "node:url";
import { shortened } from "./names.mjs";

const staging = process.env.TRUNK_STAGING_DIR;
if (!staging) throw new Error("www/finish.mjs is a hook of trunk: run `trunk build`");
// The worker's function that is for this build only.
const REHEARSAL = "rehearse";
// The worker's parts in the order in which they are loaded (www/parts.js).
const PARTS = ["worker_first.wasm.lzma", "worker_play.wasm.lzma", "worker_rest.wasm.lzma"];
// What trunk makes of www/unpack.
const UNPACKER = ["unpack.js", "unpack_bg.wasm"];
const release = process.env.TRUNK_PROFILE === "release";

const page = join(staging, "index.html");
let html = await readFile(page, "utf8");

if (release) {
  const unpacker = await nameUnpacker();
  await divideWorker(unpacker);
  html = await packApp(html, unpacker);
} else {
  for (const file of UNPACKER) await unlink(join(staging, file));
}
html = await nameWorker(html);
html = await nameEditor(html);
html = await sizeOfWasm(html);
if (html.includes("{{__TRUNK_ADDRESS__}}")) {
  html = replaceOnce(html, "script-src 'self'", "script-src 'self' 'unsafe-inline'");
}
if (release) await minify(html);
// A page that trunk serves changes under its service worker's feet.
const served = html.includes("{{__TRUNK_ADDRESS__}}");
if (!served) html = await listFiles(setMeta(html, "service-worker", "./service-worker.js"));
await writeFile(page, html);

// Adds to the glue what the page's own code asks of it, and names both files by their content; returns
// the glue's name.
async function nameUnpacker() {
  const [js, wasm] = UNPACKER.map((file) => join(staging, file));
  const glue = (await readFile(js, "utf8")) + (await readFile(new URL("unpacking.js", import.meta.url), "utf8"));
  const hash = createHash("sha256").update(glue).update(await readFile(wasm));
  const name = `unpack-${hash.digest("hex").slice(0, 16)}`;
  await writeFile(join(staging, `${name}.js`), glue.replaceAll("unpack_bg.wasm", `${name}_bg.wasm`));
  await rename(wasm, join(staging, `${name}_bg.wasm`));
  await unlink(js);
  return `${name}.js`;
}

async function packApp(html, unpacker) {
  const { reordered } = await import("./split.mjs");
  const name = appModule(html, /data-wasm="([^"]+)"/);
  const path = join(staging, basename(name));
  await shorten(path, join(staging, basename(appModule(html, /href="([^"]+)"/))));
  await writeFile(path, reordered(await readFile(path)));
  pack(path, `${path}.lzma`);
  await unlink(path);
  html = replaceOnce(html, `data-wasm="${name}"`, `data-wasm="${name}.lzma" data-unpack="./${unpacker}"`);
  const preload = (attributes, file) => `<link rel="preload" as="fetch" ${attributes}crossorigin href="${file}">`;
  const wasm = 'type="application/wasm" ';
  return replaceOnce(
    html,
    preload(wasm, name),
    `${preload("", `${name}.lzma`)}${preload(wasm, `./${unpacker.replace(".js", "_bg.wasm")}`)}<link rel="modulepreload" href="./${unpacker}">`,
  );
}

// Gives a program and its glue short names for what one imports from the other.
async function shorten(wasm, js) {
  const { bytes, glue } = shortened(await readFile(wasm), await readFile(js, "utf8"));
  await writeFile(wasm, bytes);
  await writeFile(js, glue);
}

async function divideWorker(unpacker) {
  // Only release builds need the library that reads and writes WebAssembly.
  const { split } = await import("./split.mjs");
  const wasm = join(staging, "worker_bg.wasm");
  await shorten(wasm, join(staging, "worker.js"));
  const parts = split(await readFile(wasm), await rehearsed(wasm), REHEARSAL);
  await unlink(wasm);
  const folder = await mkdtemp(join(tmpdir(), "podium-"));
  try {
    const before = [];
    for (const [index, part] of parts.entries()) {
      const path = join(folder, PARTS[index]);
      await writeFile(path, part);
      pack(path, join(staging, PARTS[index]), before);
      before.push(path);
    }
  } finally {
    await rm(folder, { recursive: true });
  }

  const path = join(staging, "worker.js");
  const imports = '"./worker_bg.js": import0,\n';
  const glue = replaceOnce(await readFile(path, "utf8"), imports, `${imports}podium_play: { load: () => load(0) },\n`);
  const rehearsal = glue.match(new RegExp(`(/\\*\\*[^/]*\\*/\\n)?export function ${REHEARSAL}\\([^)]*\\) \\{\\n[^]*?\\n\\}\\n`))?.[0];
  if (!rehearsal) throw new Error(`the worker's glue has no ${REHEARSAL}`);
  const own = replaceOnce(await readFile(new URL("parts.js", import.meta.url), "utf8"), "unpack.js", unpacker);
  await writeFile(path, replaceOnce(glue, rehearsal, "") + own);
  await writeFile(join(staging, "worker_loader.js"), 'import { begin } from "./worker.js";\nbegin();\n');
}

// Packs a file for a page that has the files `before` already.
function pack(from, to, before = []) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  // It runs here: nothing of the page's own target is meant for it.
  const { CARGO_UNSTABLE_BUILD_STD, RUSTC_BOOTSTRAP, ...env } = process.env;
  const words = ["run", "--quiet", "--package", "pack", "--", from, to, ...before];
  execFileSync("cargo", words, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] });
}

// Names of the functions that the first screen runs, and of those that playing runs.
async function rehearsed(wasm) {
  const folder = await mkdtemp(join(tmpdir(), "podium-"));
  try {
    const glue = join(folder, "worker.mjs"); // An ending that makes it a module for Node.
    await writeFile(glue, await readFile(join(staging, "worker.js")));
    const script = fileURLToPath(new URL("rehearse.mjs", import.meta.url));
    const names = execFileSync(process.execPath, [script, glue, wasm], { encoding: "utf8", maxBuffer: 1 << 26 });
    return JSON.parse(names).map((part) => new Set(part));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function nameWorker(html) {
  const glue = await readFile(join(staging, "worker.js"), "utf8");
  const parts = ["worker_bg.wasm", ...PARTS].filter((part) => existsSync(join(staging, part)));
  const hash = createHash("sha256").update(glue);
  for (const part of parts) hash.update(await readFile(join(staging, part)));
  const name = `worker-${hash.digest("hex").slice(0, 16)}`;
  const named = parts.reduce((text, part) => text.replaceAll(part, part.replace("worker", name)), glue);
  await writeFile(join(staging, `${name}.js`), named);
  for (const part of parts) await rename(join(staging, part), join(staging, part.replace("worker", name)));
  const loader = await readFile(join(staging, "worker_loader.js"), "utf8");
  await writeFile(join(staging, `${name}_loader.js`), replaceOnce(loader, "./worker.js", `./${name}.js`));
  await unlink(join(staging, "worker.js"));
  await unlink(join(staging, "worker_loader.js"));
  return setMeta(html, "engine-worker", `./${name}_loader.js`);
}

// Gives the service worker the list of what to keep, and both it and the page the build's name.
async function listFiles(html) {
  const entries = await readdir(staging, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(staging.length).replaceAll("\\", "/").replace(/^\//, ""))
    .filter((name) => name !== "index.html" && !name.endsWith(".keep"))
    .sort();
  const hash = createHash("sha256").update(html);
  // Not every name tells the content.
  for (const name of files) hash.update(name).update(await readFile(join(staging, name)));
  const build = `podium-${hash.digest("hex").slice(0, 16)}`;
  let source = await readFile(new URL("service-worker.js", import.meta.url), "utf8");
  source = replaceOnce(source, "const FILES = [];", `const FILES = ${JSON.stringify(["./", ...files.map((name) => `./${name}`)])};`);
  source = replaceOnce(source, 'const BUILD = "";', `const BUILD = ${JSON.stringify(build)};`);
  await writeFile(join(staging, "service-worker.js"), source);
  return setMeta(html, "build", build);
}

async function nameEditor(html) {
  const manifest = join(staging, "vendor", "manifest.json");
  const { editor } = JSON.parse(await readFile(manifest, "utf8"));
  await unlink(manifest);
  const name = `vendor/${editor}`;
  if (!release) return setMeta(html, "editor-module", `./${name}`);
  const path = join(staging, name);
  pack(path, `${path}.lzma`);
  await unlink(path);
  // What is unpacked has an address that only a script of the page's own can make.
  html = replaceOnce(html, "script-src 'self'", "script-src 'self' blob:");
  return setMeta(html, "editor-module", `./${name}.lzma`);
}

async function sizeOfWasm(html) {
  const wasm = appModule(html, /data-wasm="([^"]+)"/);
  const { size } = await stat(join(staging, basename(wasm)));
  return replaceOnce(html, `data-wasm="${wasm}"`, `data-wasm="${wasm}" data-wasm-bytes="${size}"`);
}

// esbuild is there for the editor; without it all stays readable.
async function minify(html) {
  const library = new URL("editor/node_modules/esbuild/lib/main.js", import.meta.url);
  if (!existsSync(library)) return;
  const { default: esbuild } = await import(library);
  const worker = html.match(/name="engine-worker" content="([^"]+)_loader\.js"/)[1];
  const glue = [appModule(html, /href="([^"]+)"/), appModule(html, /data-unpack="([^"]+)"/), `${worker}.js`];
  const own = (await readdir(staging)).filter((name) => name.endsWith(".mjs") || name.endsWith(".css"));
  for (const file of [...glue, ...own]) {
    const path = join(staging, basename(file));
    const source = await readFile(path, "utf8");
    const script = { treeShaking: true, format: "esm", target: "es2022" };
    const options = { minify: true, ...(file.endsWith(".css") ? { loader: "css" } : script) };
    await writeFile(path, (await esbuild.transform(source, options)).code);
  }
}

function appModule(html, attribute) {
  const element = html.match(/<link[^>]*id="app-module"[^>]*>/);
  const found = element?.[0].match(attribute);
  if (!found) throw new Error("index.html names no application: pattern_script of Trunk.toml changed?");
  return found[1];
}

function setMeta(html, name, content) {
  const entry = new RegExp(`(<meta name="${name}" content=")[^"]*(")`);
  if (!entry.test(html)) throw new Error(`index.html has no <meta name="${name}">`);
  return html.replace(entry, `$1${content}$2`);
}

function replaceOnce(text, from, to) {
  if (!text.includes(from)) throw new Error(`expected ${JSON.stringify(from)} in the built page`);
  return text.replace(from, () => to);
}
