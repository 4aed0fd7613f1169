
// Bytes of a packed file after which what they become is given away: neither the page nor the compiler
// waits for the whole.
const STEP_BYTES = 1 << 14;

export const unpacking = __wbg_init({ module_or_path: new URL("unpack_bg.wasm", import.meta.url) });

// What the packed bytes become, in order. Needs `unpacking` to have come.
function* steps(unpacker, packed) {
    for (let at = 0; at < packed.length; at += STEP_BYTES) {
        const bytes = unpacker.push(packed.subarray(at, at + STEP_BYTES));
        if (!bytes) throw new Error(`${unpacker.of}: damaged`);
        yield bytes;
    }
}

function unpackerOf(url, before) {
    return Object.assign(new Unpacker(before), { of: new URL(url).pathname });
}

function end(unpacker) {
    if (!unpacker.finished) throw new Error(`${unpacker.of}: cut short`);
}

/** Unpacks the whole file of an address, which was packed after the bytes `before`. Needs `unpacking` to have come. */
export function unpacked(url, packed, before) {
    const unpacker = unpackerOf(url, before);
    try {
        const bytes = [...steps(unpacker, packed)];
        end(unpacker);
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

/**
 * Hands `init` the WebAssembly that a response brings packed, as it arrives; `keep` is given its bytes as
 * well. What is wrong with them is said as it is: a browser says only that it could not read them.
 */
export async function initUnpacked(init, response, keep = () => {}) {
    await unpacking;
    const unpacker = unpackerOf(response.url, new Uint8Array());
    let reason;
    const noting = (act) => {
        try {
            act();
        } catch (error) {
            reason = error;
            throw error;
        }
    };
    const stream = new TransformStream({
        transform: (packed, out) => noting(() => {
            for (const bytes of steps(unpacker, packed)) {
                keep(bytes);
                out.enqueue(bytes);
            }
        }),
        flush: () => noting(() => {
            end(unpacker);
            unpacker.free();
        }),
    });
    const unpacked = new Response(response.body.pipeThrough(stream), { headers: { "Content-Type": "application/wasm" } });
    try {
        return await init({ module_or_path: unpacked });
    } catch (error) {
        throw reason ?? error;
    }
}
