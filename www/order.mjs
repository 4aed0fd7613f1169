// Puts functions that resemble each other side by side. What repeats takes fewer bits the nearer it is,
// and the compiler's order leaves instances of one generic function, or the same work for another kind,
// far apart: two hundredths of the application's bytes as they are packed. The program is the same.

// The four numbers are measured, with gzip, which looks back 32 KiB only: the application and the worker's
// first and last part together are least, to a few hundred bytes, with these; each was turned with the
// others as they are.

// Bytes that two functions must have in common to count as resembling. With 4: +10.0 KiB, 5: +3.8,
// 8: +7.4, 12: +20.6.
const COMMON_BYTES = 6;
// Functions that may have them before they say nothing any more. With 16: +4.8 KiB, 32: +2.7, 128: +0.8;
// with 256 it is 0.6 less, for a fifth more time.
const COMMON_MAX = 64;
// How much of what the functions before the last have in common with one still counts, for each function
// further back. With 0: +8.1 KiB, 0.3: +4.9, 0.5: +2.6, 0.8: +1.2, 0.9: +0.8.
const MEMORY = 0.7;
// Of what counts, how little is no longer carried along: it is for speed. With 1 as many bytes and 40 %
// more time, with 4: +1.0 KiB, 8: +0.4.
const FORGOTTEN = 2;

const CODE_SECTION = 10;

/** Puts a module's own functions in that order. */
export function inOrder(module, binaryen) {
  const known = Array.from({ length: module.getNumFunctions() }, (_, index) => binaryen.getFunctionInfo(module.getFunctionByIndex(index)));
  const own = known.filter(({ module: from }) => !from);
  const bodies = bodiesOf(module.emitBinary());
  if (bodies.length !== own.length) throw new Error(`${bodies.length} bodies of ${own.length} functions`);
  for (const index of order(bodies)) {
    const { name, params, results, vars, body } = own[index];
    module.removeFunction(name);
    module.addFunction(name, params, results, vars, body);
  }
}

// The bodies of a module's own functions, in the order in which it has them.
function bodiesOf(bytes) {
  let at = 8;
  const number = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  };
  const taken = (length) => bytes.subarray(at, (at += length));
  while (at < bytes.length) {
    const isCode = bytes[at++] === CODE_SECTION;
    const length = number();
    if (isCode) return Array.from({ length: number() }, () => taken(number()));
    at += length;
  }
  return [];
}

// The places of the bodies, each followed by the one that has most in common with those just before it.
function order(bodies) {
  const having = new Map();
  const parts = bodies.map((body, place) => {
    const own = new Set();
    for (let from = 0; from + COMMON_BYTES <= body.length; from += 1) {
      // FNV-1a.
      let hash = 0x811c9dc5;
      for (let next = 0; next < COMMON_BYTES; next += 1) hash = Math.imul(hash ^ body[from + next], 0x01000193);
      own.add(hash);
    }
    for (const part of own) {
      if (!having.has(part)) having.set(part, []);
      having.get(part).push(place);
    }
    return own;
  });
  const placed = [];
  const left = new Set(bodies.keys());
  const common = new Map();
  while (left.size) {
    let [best] = left;
    let most = 0;
    for (const [place, count] of common) if (count > most) [best, most] = [place, count];
    left.delete(best);
    placed.push(best);
    common.delete(best);
    for (const [place, count] of common) {
      if (count * MEMORY < FORGOTTEN) common.delete(place);
      else common.set(place, count * MEMORY);
    }
    for (const part of parts[best]) {
      const others = having.get(part);
      if (others.length > COMMON_MAX) continue;
      for (const place of others) if (left.has(place)) common.set(place, (common.get(place) ?? 0) + 1);
    }
  }
  return placed;
}
