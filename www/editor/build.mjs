// pre_build hook of trunk: bundles the editor into www/vendor/, its name made from its content.
// The page imports it lazily; www/finish.mjs tells the page the name.

import { mkdir, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const vendor = fileURLToPath(new URL("../vendor/", import.meta.url));

if (!existsSync(join(here, "node_modules", "esbuild"))) {
  console.error("The editor's packages are not installed: run `npm ci --prefix www/editor` (`cargo xtask serve` does).");
  process.exit(1);
}
const { default: esbuild } = await import("esbuild");

const built = await esbuild.build({
  entryPoints: [join(here, "editor.mjs")],
  entryNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  legalComments: "none",
  metafile: true,
  minify: true,
  outdir: vendor,
  target: "es2022",
  write: false,
});

// Two copies of the state package do not recognise each other's extensions, at run time and silently.
const states = Object.keys(built.metafile.inputs).filter((path) => /@codemirror\/state\/.*index\.js$/.test(path));
if (states.length !== 1) throw new Error(`expected one copy of @codemirror/state, found: ${states.join(", ")}`);

await mkdir(vendor, { recursive: true });
const manifest = {};
for (const file of built.outputFiles) {
  const name = basename(file.path);
  manifest[name.replace(/-[^-]*$/, "")] = name;
  await writeIfChanged(join(vendor, name), file.contents);
}
await writeIfChanged(join(vendor, "manifest.json"), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));

const kept = new Set([".keep", "manifest.json", ...Object.values(manifest)]);
for (const name of await readdir(vendor)) {
  if (!kept.has(name)) await unlink(join(vendor, name));
}

// An untouched file keeps its time, so that a watcher of the folder stays quiet.
async function writeIfChanged(path, contents) {
  const old = existsSync(path) ? await readFile(path) : null;
  if (!old || Buffer.compare(old, Buffer.from(contents)) !== 0) await writeFile(path, contents);
}
