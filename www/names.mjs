// Short names for what a program imports from its glue. The tool that makes both ends each name in
// sixteen random digits, which no compression makes smaller, once here and once there.

const LONG = /__wbg_\w+_[0-9a-f]{16}/g;
const IMPORTS = 2;

/** The program and its glue with short names in both: { bytes, glue }. */
export function shortened(bytes, glue) {
  const names = new Map();
  const short = (long) => {
    if (!names.has(long)) names.set(long, `$${names.size.toString(36)}`);
    return names.get(long);
  };
  const changed = glue.replace(LONG, short);
  return { bytes: renamed(bytes, (name) => names.get(name) ?? name), glue: changed };
}

// The program with other names of fields in its import section.
function renamed(bytes, name) {
  const own = new Uint8Array(bytes);
  const parts = [own.subarray(0, 8)];
  let at = 8;
  const number = () => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = own[at++];
      value += (byte & 127) * 2 ** shift;
      shift += 7;
      if (byte < 128) return value;
    }
  };
  const leb = (value) => {
    const made = [];
    do {
      made.push((value % 128) | (value >= 128 ? 128 : 0));
      value = Math.floor(value / 128);
    } while (value > 0);
    return made;
  };
  const text = () => {
    const length = number();
    at += length;
    return new TextDecoder().decode(own.subarray(at - length, at));
  };
  const limits = () => {
    const flags = number();
    number();
    if (flags & 1) number();
  };
  const written = (text) => {
    const bytes = new TextEncoder().encode(text);
    return [...leb(bytes.length), ...bytes];
  };
  while (at < own.length) {
    const begin = at;
    const id = own[at++];
    const size = number();
    const end = at + size;
    if (id !== IMPORTS) {
      parts.push(own.subarray(begin, end));
      at = end;
      continue;
    }
    const count = number();
    const made = leb(count);
    for (let left = count; left > 0; left -= 1) {
      made.push(...written(text()), ...written(name(text())));
      const from = at;
      const kind = own[at++];
      if (kind === 0) number();
      else if (kind === 1) {
        at += 1;
        limits();
      } else if (kind === 2) limits();
      else if (kind === 3) at += 2;
      else throw new Error(`an import of kind ${kind}`);
      made.push(...own.subarray(from, at));
    }
    if (at !== end) throw new Error("the import section does not end where it says");
    parts.push(Uint8Array.from([IMPORTS, ...leb(made.length), ...made]));
  }
  return Buffer.concat(parts);
}
