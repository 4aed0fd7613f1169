// Divides the worker's WebAssembly in two: what the first screen runs, which is loaded first, and the
// rest, which follows behind it. Both share memory, table and globals.
//
// Each function of the rest that the first part can reach has a stub there: it sees to it that the rest
// is in place and calls on through the table. So whatever the choice of functions is, the program is
// the same; the choice is made by running what the first screen needs (`rehearse` in app/src/link.rs).

import binaryen from "./editor/node_modules/binaryen/index.js";

const { Features } = binaryen;
// What the build allows wasm-opt (www/index.html).
const FEATURES = Features.BulkMemory | Features.BulkMemoryOpt | Features.NontrappingFPToInt | Features.SignExt | Features.MutableGlobals | Features.ReferenceTypes | Features.Multivalue;

// Names of what the parts give each other. The glue has none of its own that begin so.
const PREFIX = "podium_";
/** The imports that the first part has beside the glue's: `load()` puts the rest in place. */
export const LOADER = "podium";
/** The first part's exports that the rest imports. */
export const FIRST = "first";
/** The global that says whether the rest is in place. */
export const READY = `${PREFIX}ready`;

function read(bytes) {
  const module = binaryen.readBinary(bytes);
  module.setFeatures(FEATURES);
  return module;
}

// For bytes, as wasm-opt did with the whole: a part has less to keep.
function small(module) {
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  module.optimize();
  return write(module);
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

function functionsOf(module) {
  return each(module.getNumFunctions(), (index) => module.getFunctionByIndex(index), binaryen.getFunctionInfo);
}

/** The module with a global for each of its own functions that says whether it ran: { bytes, names }. */
export function instrument(bytes) {
  const module = read(bytes);
  const own = functionsOf(module).filter((known) => !known.module);
  own.forEach(({ name, body, results }, index) => {
    const mark = `${PREFIX}${index}`;
    module.addGlobal(mark, binaryen.i32, true, module.i32.const(0));
    module.addGlobalExport(mark, mark);
    const marked = module.block(null, [module.global.set(mark, module.i32.const(1)), body], results);
    binaryen.Function(module.getFunction(name)).setBody(marked);
  });
  return { bytes: write(module), names: own.map(({ name }) => name) };
}

/** Which of the names an instrumented instance's exports mark. */
export function touched(exports, names) {
  return new Set(names.filter((_, index) => exports[`${PREFIX}${index}`].value));
}

/**
 * The two parts: { first, rest }. `wanted` has the names of the first part's functions; the export
 * `unwanted` goes, with what only it needs.
 */
export function split(bytes, wanted, unwanted) {
  const belongs = (known) => !known.module && !known.name.startsWith(PREFIX) && !wanted.has(known.name);
  const open = () => {
    const module = read(bytes);
    module.removeExport(unwanted);
    return module;
  };
  const reached = stubsOf(open(), belongs);
  const { rest, called } = restOf(open(), belongs, reached);
  return { first: firstOf(open(), belongs, reached, called), rest };
}

// Names of the rest's functions that the first part can reach, in the order of their slots.
function stubsOf(module, belongs) {
  const slots = table(module, 0);
  loader(module);
  for (const known of functionsOf(module)) {
    if (belongs(known)) stub(module, known, slots, 0);
    else if (!known.module) module.addFunctionExport(known.name, `${PREFIX}${known.name}`);
  }
  module.runPasses(["remove-unused-module-elements"]);
  const names = functionsOf(module).filter(belongs).map(({ name }) => name);
  module.dispose();
  return names;
}

// The first part: everything but the bodies of the rest.
function firstOf(module, belongs, reached, called) {
  const slots = table(module, reached.length);
  module.addTableExport(slots, slots);
  loader(module);
  const slotOf = new Map(reached.map((name, slot) => [name, slot]));
  for (const known of functionsOf(module).filter(belongs)) {
    if (slotOf.has(known.name)) stub(module, known, slots, slotOf.get(known.name));
    else module.removeFunction(known.name);
  }
  for (const name of called) module.addFunctionExport(name, `${PREFIX}f${name}`);
  for (const { name, give } of shared(module)) give(`${PREFIX}${name}`);
  module.runPasses(["remove-unused-module-elements"]);
  return small(module);
}

// The rest, and the names of what it calls in the first part.
function restOf(module, belongs, reached) {
  for (const { name } of exportsOf(module)) module.removeExport(name);
  for (const { name } of segmentsOf(module)) module.removeElementSegment(name);
  for (const known of functionsOf(module)) {
    if (known.module || belongs(known)) continue;
    module.removeFunction(known.name);
    module.addFunctionImport(known.name, FIRST, `${PREFIX}f${known.name}`, known.params, known.results);
  }
  for (const { name, take } of shared(module)) take(`${PREFIX}${name}`);
  const slots = table(module, reached.length);
  module.addActiveElementSegment(slots, slots, reached, module.i32.const(0));
  module.addTableImport(slots, FIRST, slots);
  module.runPasses(["remove-memory-init", "remove-unused-module-elements"]);
  const called = functionsOf(module).filter((known) => known.module === FIRST).map(({ name }) => name);
  return { rest: small(module), called };
}

const exportsOf = (module) => each(module.getNumExports(), (index) => module.getExportByIndex(index), binaryen.getExportInfo);
const segmentsOf = (module) => each(module.getNumElementSegments(), (index) => module.getElementSegmentByIndex(index), binaryen.getElementSegmentInfo);
const globalsOf = (module) => each(module.getNumGlobals(), (index) => module.getGlobalByIndex(index), binaryen.getGlobalInfo);
const tablesOf = (module) => each(module.getNumTables(), (index) => module.getTableByIndex(index), binaryen.getTableInfo);

// Memory, tables and the globals that change: each gives itself under a name or is taken by one.
function shared(module) {
  const memory = module.getMemoryInfo();
  const own = ({ name, module: from }) => !from && !name.startsWith(PREFIX);
  return [
    {
      name: "memory",
      give: (name) => module.addMemoryExport(memory.name ?? "0", name),
      take: (name) => module.addMemoryImport(memory.name ?? "0", FIRST, name),
    },
    ...tablesOf(module).filter(own).map(({ name: inner }, index) => ({
      name: `table${index}`,
      give: (name) => module.addTableExport(inner, name),
      take: (name) => module.addTableImport(inner, FIRST, name),
    })),
    ...globalsOf(module).filter((known) => own(known) && known.mutable).map(({ name: inner, type }, index) => ({
      name: `global${index}`,
      give: (name) => module.addGlobalExport(inner, name),
      take: (name) => {
        module.removeGlobal(inner);
        module.addGlobalImport(inner, FIRST, name, type, true);
      },
    })),
  ];
}

// The table of the rest's functions that the first part can reach.
function table(module, size) {
  const name = `${PREFIX}slots`;
  module.addTable(name, size, size);
  return name;
}

// The function that every stub begins with: it sees to it that the rest is in place.
function loader(module) {
  module.addGlobal(READY, binaryen.i32, true, module.i32.const(0));
  module.addGlobalExport(READY, READY);
  module.addFunctionImport(`${PREFIX}load`, LOADER, "load", binaryen.none, binaryen.none);
  const absent = module.i32.eqz(module.global.get(READY, binaryen.i32));
  const load = module.call(`${PREFIX}load`, [], binaryen.none);
  module.addFunction(`${PREFIX}see`, binaryen.none, binaryen.none, [], module.if(absent, load));
}

function stub(module, { name, params, results }, slots, slot) {
  module.removeFunction(name);
  const types = binaryen.expandType(params);
  const given = types.map((type, index) => module.local.get(index, type));
  const onward = module.call_indirect(slots, module.i32.const(slot), given, params, results);
  const see = module.call(`${PREFIX}see`, [], binaryen.none);
  module.addFunction(name, params, results, [], module.block(null, [see, onward], results));
}
