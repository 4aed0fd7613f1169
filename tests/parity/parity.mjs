// Plays every scenario natively and as WebAssembly: fingerprints and transcripts must be equal.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const { PARITY_NATIVE: native, PARITY_WASM: module } = process.env;
if (!native || !module) {
  console.error("parity: run it with `cargo xtask test --only parity`, which builds both sides");
  process.exit(2);
}
const wasm = createRequire(import.meta.url)(module);
const folder = fileURLToPath(new URL("../scenarios", import.meta.url));
const files = readdirSync(folder, { recursive: true })
  .filter((file) => file.endsWith(".md"))
  .sort()
  .map((file) => join(folder, file));
const lines = execFileSync(native, files, { encoding: "utf8", maxBuffer: 1 << 30 }).trimEnd().split("\n");

let passed = 0;
let failed = 0;
files.forEach((file, index) => {
  const name = basename(file);
  let other;
  try {
    other = wasm.play(name, readFileSync(file, "utf8"));
  } catch (error) {
    other = JSON.stringify({ error: `WebAssembly stopped: ${error}` });
  }
  if (lines[index] === other) {
    passed += 1;
    return;
  }
  failed += 1;
  const [left, right] = [JSON.parse(lines[index] ?? "{}"), JSON.parse(other)];
  console.log(`${name}: native ${left.hash ?? left.error}, WebAssembly ${right.hash ?? right.error}`);
  const [a, b] = [left, right].map((side) => (side.transcript ?? "").split("\n"));
  const at = a.findIndex((line, number) => line !== b[number]);
  if (at >= 0) console.log(`  line ${at + 1}\n  native      ${a[at]}\n  WebAssembly ${b[at]}`);
});
console.log(`parity: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
