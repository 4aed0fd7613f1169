// Saves the charts as a picture, as they stand on the page: colours and strokes are written into a
// copy, because a picture has no style sheet.

const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap"];
const GAP = 28;
const SCALE = 2;

/** `kind` is `svg` or `png`. */
export async function save(kind) {
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
