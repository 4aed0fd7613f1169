// Divides the worker's WebAssembly in three: what the first screen runs, which is loaded first, what
// playing the first experiment runs, and the rest; they follow in this order. All share memory, table
// and globals.
//
// Each function of a later part that an earlier one can reach has a stub there: it sees to it that the
// later part is in place and calls on through a table. So whatever the choice of functions is, the
// program is the same; the choice is made by running what the page asks (`rehearse` in app/src/link.rs).
//
// A module is divided in two at a time: the worker, then what its first part left.
//
// A function goes with its part as a whole, so what a large one seldom needs must be one of its own:
// `#[inline(never)]` in the core keeps the compiler from putting it back.

import binaryen from "./editor/node_modules/binaryen/index.js";
import { inOrder } from "./order.mjs";

const { Features } = binaryen;
// What the build allows wasm-opt (www/index.html).
const FEATURES = Features.BulkMemory | Features.BulkMemoryOpt | Features.NontrappingFPToInt | Features.SignExt | Features.MutableGlobals | Features.ReferenceTypes | Features.Multivalue;

// Names of what the parts give each other, for each division. The glue has none of its own that begin so.
// `loader` is a part's import beside the glue's: its `load()` puts the next part in place, which the
// global `${prefix}ready` then says. `part` is the name by which later parts import an earlier one's exports.
const DIVISIONS = [
  { prefix: "podium_first_", loader: "podium_play", part: "first" },
  { prefix: "podium_play_", loader: "podium_rest", part: "play" },
];
const MARK = "podium_";
// A function's name between parts: short, because there are thousands.
const short = (number) => `$${number.toString(36)}`;

function read(bytes) {
  const module = binaryen.readBinary(bytes);
  module.setFeatures(FEATURES);
  return module;
}

// For bytes. Not before the division: what is called in one place only would be put there, and what is
// seldom needed would come with what always is.
function small(module) {
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  // Each time finds what the one before has freed: 2 KiB (gzip) in all.
  for (let turn = 0; turn < 3; turn += 1) module.optimize();
  inOrder(module, binaryen);
  return write(module);
}

/** A module that is not divided, in an order that compresses well. */
export function reordered(bytes) {
  const module = read(bytes);
  inOrder(module, binaryen);
  return write(module);
}

// With the names of functions, by which the next division knows them.
function whole(module) {
  binaryen.setDebugInfo(true);
  const bytes = write(module);
  binaryen.setDebugInfo(false);
  return bytes;
}

function write(module) {
  if (!module.validate()) throw new Error("the divided worker is not valid WebAssembly");
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}

function each(count, at, info) {
  return Array.from({ length: count }, (_, index) => info(at(index)));
}

// What the glue's tool adds has no name but its place, which a division changes: it stays in the first part.
const isNumber = (name) => /^\d+$/.test(name);

function functionsOf(module) {
  return each(module.getNumFunctions(), (index) => module.getFunctionByIndex(index), binaryen.getFunctionInfo);
}

/** The module with a global for each of its own functions that says whether it ran: { bytes, names }. */
export function instrument(bytes) {
  const module = read(bytes);
  const own = functionsOf(module).filter((known) => !known.module);
  own.forEach(({ name, body, results }, index) => {
    const mark = `${MARK}${index}`;
    module.addGlobal(mark, binaryen.i32, true, module.i32.const(0));
    module.addGlobalExport(mark, mark);
    const marked = module.block(null, [module.global.set(mark, module.i32.const(1)), body], results);
    binaryen.Function(module.getFunction(name)).setBody(marked);
  });
  return { bytes: write(module), names: own.map(({ name }) => name) };
}

/** Which of the names an instrumented instance's exports mark. */
export function touched(exports, names) {
  return new Set(names.filter((_, index) => exports[`${MARK}${index}`].value));
}

/**
 * The parts in the order in which they are loaded: one more than `wanted`, which has the names of the
 * functions of each but the last. The export `unwanted` goes, with what only it needs.
 */
export function split(bytes, wanted, unwanted) {
  const module = read(bytes);
  module.removeExport(unwanted);
  module.runPasses(["remove-unused-module-elements"]);
  if (functionsOf(module).every(({ name }) => isNumber(name))) throw new Error("the worker has no names of functions");
  let left = whole(module);
  const parts = wanted.map((names, index) => {
    const { first, rest } = divide(left, names, DIVISIONS[index]);
    left = rest;
    return first;
  });
  return [...parts, small(read(left))];
}

// What stays of a module, { first }, and what follows it, { rest }, with the names of its functions.
function divide(bytes, wanted, division) {
  const belongs = ({ module, name }) => !module && !name.startsWith(MARK) && !wanted.has(name) && !isNumber(name);
  const reached = stubsOf(read(bytes), belongs, division);
  const { rest, called } = restOf(read(bytes), belongs, reached, division);
  return { first: firstOf(read(bytes), belongs, reached, called, division), rest };
}

// Names of the rest's functions that the first part can reach, in the order of their slots.
function stubsOf(module, belongs, division) {
  const slots = table(module, 0, division);
  loader(module, division);
  for (const known of functionsOf(module)) {
    if (belongs(known)) stub(module, known, slots, 0, division);
    else if (!known.module) module.addFunctionExport(known.name, `${division.prefix}${known.name}`);
  }
  module.runPasses(["remove-unused-module-elements"]);
  const names = functionsOf(module).filter(belongs).map(({ name }) => name);
  module.dispose();
  return names;
}

// The first part: everything but the bodies of the rest.
function firstOf(module, belongs, reached, called, division) {
  const { prefix } = division;
  const slots = table(module, reached.length, division);
  module.addTableExport(slots, slots);
  loader(module, division);
  const slotOf = new Map(reached.map((name, slot) => [name, slot]));
  for (const known of functionsOf(module).filter(belongs)) {
    if (slotOf.has(known.name)) stub(module, known, slots, slotOf.get(known.name), division);
    else module.removeFunction(known.name);
  }
  called.forEach((name, number) => module.addFunctionExport(name, short(number)));
  for (const { name, give } of shared(module, division)) give(`${prefix}${name}`);
  module.runPasses(["remove-unused-module-elements"]);
  return small(module);
}

// The rest, and the names of what it calls in the first part.
function restOf(module, belongs, reached, division) {
  const { prefix, part } = division;
  for (const { name } of exportsOf(module)) module.removeExport(name);
  for (const { name } of segmentsOf(module)) module.removeElementSegment(name);
  const earlier = functionsOf(module).filter((known) => !known.module && !belongs(known));
  for (const known of earlier) take(module, known, part, known.name);
  for (const { name, take } of shared(module, division)) take(`${prefix}${name}`);
  const slots = table(module, reached.length, division);
  module.addActiveElementSegment(slots, slots, reached, module.i32.const(0));
  module.addTableImport(slots, part, slots);
  module.runPasses(["remove-memory-init", "remove-unused-module-elements"]);
  const called = functionsOf(module).filter((known) => known.module === part);
  called.forEach((known, number) => take(module, known, part, short(number)));
  return { rest: whole(module), called: called.map(({ name }) => name) };
}

// Has a function from another part.
function take(module, { name, params, results }, part, as) {
  module.removeFunction(name);
  module.addFunctionImport(name, part, as, params, results);
}

const exportsOf = (module) => each(module.getNumExports(), (index) => module.getExportByIndex(index), binaryen.getExportInfo);
const segmentsOf = (module) => each(module.getNumElementSegments(), (index) => module.getElementSegmentByIndex(index), binaryen.getElementSegmentInfo);
const globalsOf = (module) => each(module.getNumGlobals(), (index) => module.getGlobalByIndex(index), binaryen.getGlobalInfo);
const tablesOf = (module) => each(module.getNumTables(), (index) => module.getTableByIndex(index), binaryen.getTableInfo);

// Memory, tables and the globals that change, which a module does not have from an earlier part: each
// gives itself under a name or is taken by one.
function shared(module, { part }) {
  const memory = module.getMemoryInfo();
  const own = ({ name, module: from }) => !from && !name.startsWith(MARK);
  return [
    ...[memory].filter((known) => !known.module).map(() => ({
      name: "memory",
      give: (name) => module.addMemoryExport(memory.name ?? "0", name),
      take: (name) => module.addMemoryImport(memory.name ?? "0", part, name),
    })),
    ...tablesOf(module).filter(own).map(({ name: inner }, index) => ({
      name: `table${index}`,
      give: (name) => module.addTableExport(inner, name),
      take: (name) => module.addTableImport(inner, part, name),
    })),
    ...globalsOf(module).filter((known) => own(known) && known.mutable).map(({ name: inner, type }, index) => ({
      name: `global${index}`,
      give: (name) => module.addGlobalExport(inner, name),
      take: (name) => {
        module.removeGlobal(inner);
        module.addGlobalImport(inner, part, name, type, true);
      },
    })),
  ];
}

// The table of the rest's functions that the first part can reach.
function table(module, size, { prefix }) {
  const name = `${prefix}slots`;
  module.addTable(name, size, size);
  return name;
}

// The function that every stub begins with: it sees to it that the rest is in place.
function loader(module, { prefix, loader }) {
  const ready = `${prefix}ready`;
  module.addGlobal(ready, binaryen.i32, true, module.i32.const(0));
  module.addGlobalExport(ready, ready);
  module.addFunctionImport(`${prefix}load`, loader, "load", binaryen.none, binaryen.none);
  const absent = module.i32.eqz(module.global.get(ready, binaryen.i32));
  const load = module.call(`${prefix}load`, [], binaryen.none);
  module.addFunction(`${prefix}see`, binaryen.none, binaryen.none, [], module.if(absent, load));
}

function stub(module, { name, params, results }, slots, slot, { prefix }) {
  module.removeFunction(name);
  const types = binaryen.expandType(params);
  const given = types.map((type, index) => module.local.get(index, type));
  const onward = module.call_indirect(slots, module.i32.const(slot), given, params, results);
  const see = module.call(`${prefix}see`, [], binaryen.none);
  module.addFunction(name, params, results, [], module.block(null, [see, onward], results));
}
