// `podium bench` as WebAssembly in Node: the same arguments, the same figures.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const wasm = createRequire(import.meta.url)(process.env.PARITY_WASM);
const known = wasm.workloads().split(" ");
let options;
try {
  options = parseArgs({
    allowPositionals: true,
    options: {
      nodes: { type: "string" },
      pods: { type: "string" },
      seed: { type: "string", default: "42" },
      all: { type: "boolean", default: false },
      output: { type: "string", short: "o", default: "table" },
    },
  });
} catch (error) {
  fail(error.message);
}
const { values, positionals } = options;
if (positionals.includes("api")) await api();
const unknown = positionals.find((name) => !known.includes(name));
if (unknown) fail(`unknown workload "${unknown}"; known: ${known.join(", ")}`);
if ((values.nodes === undefined) !== (values.pods === undefined)) fail("--nodes and --pods go together");
const published = JSON.parse(wasm.sizes());
const sizes = values.nodes
  ? [[Number(values.nodes), Number(values.pods)]]
  : published.slice(0, values.all ? published.length : 2);

const runs = [];
for (const workload of positionals.length ? positionals : known) {
  for (const [nodes, pods] of sizes) {
    const before = wasm.memory_bytes();
    const [cpu, start] = [process.cpuUsage(), performance.now()];
    const outcome = JSON.parse(wasm.bench(workload, nodes, pods, BigInt(values.seed)));
    const wall = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    if (outcome.error) fail(outcome.error);
    const { placements, ...rest } = outcome;
    const memory = wasm.memory_bytes();
    const run = {
      target: "wasm32",
      workload,
      nodes,
      pods,
      ...rest,
      wall_s: round(wall),
      cpu_s: round((user + system) / 1e6),
      events_per_s: Math.round(outcome.events / Math.max(wall, 1e-6)),
      // Linear memory never shrinks: after a larger run this says nothing about a smaller one.
      peak_memory_bytes: memory,
      bytes_per_pod: Math.round((memory - before) / Math.max(pods, 1)),
    };
    if (workload === "burst") {
      const hash = createHash("sha256");
      placements.forEach((node, pod) => hash.update(`pod_${pod} node_${node}\n`));
      run.placements_sha256 = hash.digest("hex");
    }
    runs.push(run);
  }
}
if (values.output === "json") {
  const document = runs.length === 1 ? { schemaVersion: 1, ...runs[0] } : { schemaVersion: 1, runs };
  console.log(JSON.stringify(document, null, 2));
} else {
  const heads = ["WORKLOAD", "NODES", "PODS", "SIMULATED", "EVENTS", "WALL", "CPU", "EVENTS/S", "MEMORY", "UNMET", "HASH"];
  const rows = runs.map((run) => [
    run.workload,
    run.nodes,
    run.pods,
    `${run.simulated_s}s`,
    run.events,
    `${run.wall_s}s`,
    `${run.cpu_s}s`,
    run.events_per_s,
    `${run.peak_memory_bytes >> 20}MiB`,
    run.unmet,
    run.hash,
  ].map(String));
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column].length)));
  console.log("WebAssembly in Node");
  for (const row of [heads, ...rows]) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("   ").trimEnd());
  }
}
process.exit(runs.some((run) => run.unmet > 0) ? 1 : 0);

// `podium bench api`: each task prepared once and done five times; the median counts.
async function api() {
  if (positionals.length > 1) fail("api is measured by itself");
  const tasks = wasm.api_tasks().split(" ").map((task) => {
    const prepared = wasm.ApiTask.prepare(task, Number(values.nodes ?? 0), Number(values.pods ?? 0));
    const walls = [];
    let done;
    for (let run = 0; run < 5; run += 1) {
      const copy = prepared.copy();
      const start = performance.now();
      done = JSON.parse(copy.run());
      walls.push((performance.now() - start) / 1000);
    }
    prepared.free();
    walls.sort((one, two) => one - two);
    return { target: "wasm32", task, items: done.items, wall_s: walls[2].toFixed(4) * 1, good: done.good, hash: done.hash };
  });
  if (values.output === "json") {
    console.log(JSON.stringify({ schemaVersion: 1, workload: "api", tasks }, null, 2));
  } else {
    console.log("WebAssembly in Node");
    for (const task of tasks) {
      console.log(`${task.task.padEnd(14)}${String(task.items).padEnd(10)}${`${task.wall_s}s`.padEnd(12)}${task.hash}`);
    }
  }
  process.exit(tasks.every((task) => task.good) ? 0 : 1);
}

function round(seconds) {
  return Math.round(seconds * 1000) / 1000;
}

function fail(message) {
  console.error(`bench: ${message}`);
  process.exit(2);
}
