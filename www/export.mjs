// Saves the charts as a picture, as they stand on the page: colours and strokes are written into a
// copy, because a picture has no style sheet.

const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap"];
const GAP = 28;
const SCALE = 2;

// A moving picture: its frames, and the time each is shown, in hundredths of a second.
const FRAMES = 40;
const DELAY = 12;

// What browsers record.
const VIDEO = "video/webm";

/** `kind` is `svg`, `png`, `gif` or, where the browser records it, `webm`. */
export async function save(kind) {
  if (kind === "gif") return offer(await animation(), "podium.gif");
  if (kind === "webm") return offer(await video(), "podium.webm");
  const { text, width, height } = draw();
  const svg = new Blob([text], { type: "image/svg+xml" });
  offer(kind === "png" ? await paint(text, width, height) : svg, `podium.${kind}`);
}

function draw() {
  const strips = [...document.querySelectorAll(".strip")];
  const surface = getComputedStyle(document.querySelector(".charts"));
  const parts = [];
  let y = 8;
  let width = 640;
  for (const strip of strips) {
    const source = strip.querySelector("svg");
    if (!source) continue;
    const box = source.getBoundingClientRect();
    const [w, h] = [Math.max(Math.round(box.width), 320), Math.max(Math.round(box.height), 58)];
    width = Math.max(width, w);
    const copy = source.cloneNode(true);
    const [from, to] = [source.querySelectorAll("path, line"), copy.querySelectorAll("path, line")];
    from.forEach((element, place) => {
      const style = getComputedStyle(element);
      for (const name of STYLES) to[place].setAttribute(name, style.getPropertyValue(name));
      to[place].setAttribute("vector-effect", "non-scaling-stroke");
    });
    for (const [name, value] of Object.entries({ x: 8, y: y + 20, width: w, height: h })) copy.setAttribute(name, value);
    parts.push(`<text x="8" y="${y + 14}" font-size="13" fill="${surface.color}">${escape(strip.querySelector("figcaption span").textContent)}</text>`);
    parts.push(new XMLSerializer().serializeToString(copy));
    y += h + GAP;
  }
  const size = `width="${width + 16}" height="${y + 8}"`;
  const text = `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif"><rect width="100%" height="100%" fill="${surface.backgroundColor}"/>${parts.join("")}</svg>`;
  return { text, width: width + 16, height: y + 8 };
}

function escape(text) {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

async function paint(text, width, height) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * SCALE, height * SCALE];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function offer(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}

async function animation() {
  const { canvas, frames } = await film((context, { width, height }) => indexed(context.getImageData(0, 0, width, height).data));
  return new Blob([gif(canvas.width, canvas.height, frames)], { type: "image/gif" });
}

// A browser records by the clock, so the frames are shown once more, as fast as the animation has them.
async function video() {
  const { canvas, context, frames } = await film((_context, canvas) => createImageBitmap(canvas));
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: VIDEO });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const ended = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  for (const frame of frames) {
    context.drawImage(frame, 0, 0);
    frame.close();
    await new Promise((shown) => setTimeout(shown, DELAY * 10));
  }
  recorder.stop();
  await ended;
  return new Blob(parts, { type: VIDEO });
}

// Plays the run in equal steps, draws the charts at each and keeps what `take` makes of it; the time
// shown before comes back.
async function film(take) {
  const slider = document.getElementById("timeline-slider");
  const [begin, end] = [slider.value, Number(slider.max)];
  const seek = async (value) => {
    slider.value = value;
    slider.dispatchEvent(new InputEvent("input", { bubbles: true }));
    const arrived = () => Math.abs(window.__playground.now * 10 - value) < 1;
    for (let tries = 0; tries < 600 && !arrived(); tries += 1) await new Promise((done) => requestAnimationFrame(done));
    await new Promise((done) => requestAnimationFrame(done));
  };
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const frames = [];
  for (let step = 1; step <= FRAMES; step += 1) {
    await seek(Math.round((end * step) / FRAMES));
    const { text, width, height } = draw();
    if (step === 1) [canvas.width, canvas.height] = [width, height];
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    context.drawImage(image, 0, 0);
    frames.push(await take(context, canvas));
  }
  await seek(Number(begin));
  return { canvas, context, frames };
}

// Six steps of each colour: 216 entries; lines and letters need no more.
const STEPS = [0, 51, 102, 153, 204, 255];

function indexed(data) {
  const pixels = new Uint8Array(data.length / 4);
  for (let at = 0; at < pixels.length; at += 1) {
    const [r, g, b] = [data[at * 4], data[at * 4 + 1], data[at * 4 + 2]].map((value) => Math.round(value / 51));
    pixels[at] = r * 36 + g * 6 + b;
  }
  return pixels;
}

function gif(width, height, frames) {
  const bytes = [];
  const word = (value) => bytes.push(value & 255, value >> 8);
  const text = (letters) => bytes.push(...[...letters].map((letter) => letter.charCodeAt(0)));
  text("GIF89a");
  word(width);
  word(height);
  bytes.push(0xf7, 0, 0);
  for (let entry = 0; entry < 256; entry += 1) {
    const colour = entry < 216 ? [Math.floor(entry / 36), Math.floor(entry / 6) % 6, entry % 6].map((step) => STEPS[step]) : [0, 0, 0];
    bytes.push(...colour);
  }
  bytes.push(0x21, 0xff, 11);
  text("NETSCAPE2.0");
  bytes.push(3, 1, 0, 0, 0);
  frames.forEach((pixels, place) => {
    bytes.push(0x21, 0xf9, 4, 0);
    word(place === frames.length - 1 ? DELAY * 12 : DELAY);
    bytes.push(0, 0, 0x2c);
    for (const value of [0, 0, width, height]) word(value);
    bytes.push(0, 8);
    const packed = packed8(pixels);
    for (let at = 0; at < packed.length; at += 255) {
      const part = packed.slice(at, at + 255);
      bytes.push(part.length);
      for (const value of part) bytes.push(value);
    }
    bytes.push(0);
  });
  bytes.push(0x3b);
  return new Uint8Array(bytes);
}

// The variable-length code of GIF (LZW) over eight-bit pixels.
function packed8(pixels) {
  const [clear, stop] = [256, 257];
  const out = [];
  let [bits, have, size] = [0, 0, 9];
  const put = (code) => {
    bits |= code << have;
    for (have += size; have >= 8; have -= 8) {
      out.push(bits & 255);
      bits >>>= 8;
    }
  };
  let codes = new Map();
  let next = 258;
  put(clear);
  let prefix = pixels[0];
  for (let at = 1; at < pixels.length; at += 1) {
    const key = prefix * 256 + pixels[at];
    const known = codes.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    put(prefix);
    codes.set(key, next);
    if (next === 1 << size) size += 1;
    next += 1;
    if (next > 4095) {
      put(clear);
      [codes, next, size] = [new Map(), 258, 9];
    }
    prefix = pixels[at];
  }
  put(prefix);
  put(stop);
  if (have > 0) out.push(bits & 255);
  return out;
}
