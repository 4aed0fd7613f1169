
// Bytes of a packed file after which what they become is given away: neither the page nor the compiler
// waits for the whole.
const STEP_BYTES = 1 << 14;

export const unpacking = __wbg_init({ module_or_path: new URL("unpack_bg.wasm", import.meta.url) });

// What the packed bytes become, in order. Needs `unpacking` to have come.
function* steps(unpacker, packed) {
    for (let at = 0; at < packed.length; at += STEP_BYTES) {
        const bytes = unpacker.push(packed.subarray(at, at + STEP_BYTES));
        if (!bytes) throw new Error("damaged");
        yield bytes;
    }
}

/** Unpacks a whole file that was packed after the bytes `before`. Needs `unpacking` to have come. */
export function unpacked(packed, before) {
    const unpacker = new Unpacker(before);
    try {
        const bytes = [...steps(unpacker, packed)];
        if (!unpacker.finished) throw new Error("cut short");
        return joined(bytes);
    } finally {
        unpacker.free();
    }
}

export function joined(parts) {
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
        whole.set(part, at);
        at += part.length;
    }
    return whole;
}

/** The WebAssembly that a response brings packed, as it arrives; `keep` is given its bytes as well. */
export async function unpackedResponse(response, keep = () => {}) {
    await unpacking;
    const unpacker = new Unpacker(new Uint8Array());
    const stream = new TransformStream({
        transform(packed, out) {
            for (const bytes of steps(unpacker, packed)) {
                keep(bytes);
                out.enqueue(bytes);
            }
        },
        flush() {
            if (!unpacker.finished) throw new Error("cut short");
            unpacker.free();
        },
    });
    return new Response(response.body.pipeThrough(stream), { headers: { "Content-Type": "application/wasm" } });
}
