// Acceptance criteria of the page that need no link and no file: each test is named after its own.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { at, autosaved, axe, saved, say, seek, stage, start, type } from "./harness.mjs";

const host = stage();
const { open, frozen } = host;

test("criterion 2: nothing on screen moves while the page arrives", async () => {
  for (const [width, lang] of [[390, "en"], [390, "zh-TW"], [1440, "en"], [1440, "zh-TW"]]) {
    const context = await host.browser.newContext({ viewport: { width, height: 900 } });
    const page = await context.newPage();
    await page.addInitScript(() => {
      window.shifts = [];
      const note = (list) => window.shifts.push(...list.getEntries().map(({ value, sources }) => ({ value, who: sources.map(({ node }) => node?.className || node?.nodeName) })));
      new PerformanceObserver(note).observe({ type: "layout-shift", buffered: true });
    });
    await page.goto(`${host.site.url}?seed=42&test=1&lang=${lang}`);
    await page.waitForFunction(() => window.__playground?.ready);
    await page.waitForTimeout(3_000);
    const shifts = await page.evaluate(() => window.shifts);
    const sum = shifts.reduce((sum, { value }) => sum + value, 0);
    assert.ok(sum <= 0.05, `${width} px, ${lang}: ${sum.toFixed(3)} ${JSON.stringify(shifts)}`);
    await context.close();
  }
});

test("criterion 3: no request leaves the origin, and there is no font", async () => {
  const context = await host.browser.newContext();
  const page = await context.newPage();
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url())));
  await page.goto(`${host.site.url}?seed=42&test=1`);
  await page.waitForFunction(() => window.__playground?.ready);
  await page.locator(".cm-content").waitFor();
  await page.getByTestId("gallery-open").click();
  await page.locator("svg.picture").first().waitFor();
  const own = new URL(host.site.url).origin;
  assert.deepEqual(asked.filter((url) => url.origin !== own && url.protocol !== "data:").map(String), []);
  assert.deepEqual(asked.filter((url) => /\.(woff2?|ttf|otf)$/.test(url.pathname)).map(String), []);
  await context.close();
});

test("criterion 6: in the third document, after Chinese comments, exactly the wrong token is underlined", async () => {
  const { page, problems, close } = await frozen(1);
  const pod = (name, image) => `# 一則註解：${name}\napiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name} # 名稱\nspec:\n  containers:\n    - name: web\n      image: ${image}\n`;
  const broken = pod("three", "nginx").replace("image: nginx", "image: nginx\n      ports:\n        - containerPort: eighty # 連接埠");
  await start(page, `# file: three.yaml\n${pod("one", "nginx")}---\n${pod("two", "nginx")}---\n${broken}`);
  await page.getByTestId("problem").first().waitFor();
  await page.locator(".problem .link").first().click();
  const marked = page.locator(".editor:not([hidden]) .cm-lintRange-error");
  await marked.first().waitFor();
  assert.deepEqual(await marked.allTextContents(), ["eighty"]);
  assert.deepEqual(problems, []);
  await close();
});

test("criterion 9: after a machine is lost Kubernetes and Swarm are whole again, Compose is not", async () => {
  const { page, close } = await frozen(900);
  const ready = async (plane) => (await page.getByTestId(`ready-${plane}`).textContent()).match(/(\d+)\/(\d+)/).slice(1).map(Number);
  for (const plane of ["kubernetes", "swarm"]) {
    const [now, wanted] = await ready(plane);
    assert.equal(now, wanted, plane);
    const said = await page.getByTestId(`mechanism-${plane}`).textContent();
    assert.match(said, /served as before .* after the fault: \S.*; then \S/);
  }
  const [now, wanted] = await ready("compose");
  assert.ok(now < wanted);
  assert.match(await page.getByTestId("mechanism-compose").textContent(), /nothing reacted/);
  await page.getByTestId("language-zh-TW").click();
  await page.waitForFunction(() => document.querySelector("[data-testid=mechanism-kubernetes]").textContent.includes("恢復原有服務"));
  await close();
});

test("criterion 8: a fault by keyboard is undone by keyboard", async () => {
  const { page, close } = await frozen(30);
  await page.locator("[data-testid=plane-kubernetes] .machine-head").nth(2).focus();
  const before = await at(page, 30);
  await page.keyboard.press("x");
  await page.keyboard.press("n");
  await page.waitForFunction(() => document.querySelector("[data-testid=machine-swarm-worker-2]").dataset.lost === "true");
  await page.keyboard.press("Control+z");
  await page.waitForFunction(() => document.querySelector("[data-testid=machine-swarm-worker-2]").dataset.lost === "false");
  assert.equal(await at(page, 30), before);
  await close();
});

test("criterion 13: links of every version still open", async () => {
  // One pod, killed at 20 s, shown at 30 s.
  const links = {
    z1: "#z1.eNpFjDsKwkAURQ1pZApL6wt2QkQtZxVW9s_MGB7JvAlm8NOlsxIEF6GNhVtxD-I2zNikPPdzkuHBbmYncpWnmtd217AXjf1ClSxGY-WNcjaQoUBaAULOanQfTPC5Xr6Pl2pqm8cq9xKIpVNEArJ-_GeAHRVdIAXLUaXTZFx7k5VcVfBbHZ0UsJw37fv2TAft-T76ATfZM6k",
  };
  for (const [version, link] of Object.entries(links)) {
    const { page, problems, close } = await open({ path: `?test=1${link}` });
    await at(page, 30);
    await page.getByTestId("tab-web.yaml").waitFor();
    assert.match(await page.locator(".fault-list").textContent(), /pod-kill/, version);
    assert.deepEqual(problems, [], version);
    await close();
  }
});

test("criterion 14: a reset takes the reader's text away, and undo brings it back", async () => {
  const { page, close } = await frozen(5);
  await page.locator(".cm-content").waitFor();
  await start(page, "# file: mine.yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: mine\nspec:\n  containers:\n    - name: web\n      image: nginx\n");
  await page.getByTestId("tab-mine.yaml").waitFor();
  await page.getByTestId("example").selectOption("poll");
  await page.getByTestId("tab-kubernetes.yaml").waitFor();
  await page.locator("h1").click();
  await page.keyboard.press("Control+z");
  await page.getByTestId("tab-mine.yaml").waitFor();
  await page.waitForFunction(() => document.querySelector(".editor:not([hidden]) .cm-content")?.textContent.includes("name: mine"));
  await close();
});

test("criterion 14: a clean desk shows nothing of the last session", async () => {
  const { page, context, close } = await open({ path: "?seed=42&speed=0" });
  await page.locator(".cm-content").waitFor();
  const session = await saved(page);
  await start(page, "# file: secret.yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: secret\nspec:\n  containers:\n    - name: web\n      image: nginx\n");
  await page.getByTestId("tab-secret.yaml").waitFor();
  await autosaved(page, session);
  const desk = await context.newPage();
  await desk.goto(`${host.site.url}?new&speed=0`);
  await desk.waitForFunction(() => window.__playground?.ready);
  assert.equal(await desk.getByTestId("restored").count(), 0);
  assert.doesNotMatch(await desk.evaluate(() => document.body.textContent), /secret/);
  await close();
});

test("criterion 15: Tab reaches every region, is never trapped, and shows where it is", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const { page, close } = await frozen(80, { colorScheme });
    await page.locator(".cm-content").waitFor();
    const regions = new Set();
    let stops = 0;
    for (; stops < 81; stops += 1) {
      await page.keyboard.press("Tab");
      // The editor notes its focus a moment later.
      await page.waitForTimeout(40);
      const stop = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        // The focus ring may belong to the element, its label, or the editor around it.
        const ring = [element, element.closest(".cm-editor"), element.closest("label"), element.querySelector?.("rect")].filter(Boolean)
          .map((candidate) => getComputedStyle(candidate)).find((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
        const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
        const light = (colour) => numbers(colour).slice(0, 3).map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4)).reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
        const page = getComputedStyle(document.body).backgroundColor;
        const [high, low] = ring ? [light(ring.outlineColor), light(page)].sort((a, b) => b - a) : [0, 0];
        const region = element.closest(".skips, .top-bar, .editor-panel, .planes-panel, .charts, .faults, .timeline, .events-panel, .console-panel");
        return { name: `${element.tagName}.${element.className} ${element.textContent.slice(0, 20)}`, region: region?.className.split(" ").find((name) => name !== "panel") ?? "", ring: Boolean(ring), ratio: (high + 0.05) / (low + 0.05) };
      });
      if (stop === null) break;
      assert.ok(stop.ring, `no outline: ${stop.name}`);
      assert.ok(stop.ratio >= 3, `outline with ${stop.ratio.toFixed(2)}: ${stop.name}`);
      regions.add(stop.region);
    }
    assert.ok(stops <= 80, `${stops} stops and still on the page`);
    for (const region of ["skips", "top-bar", "editor-panel", "planes-panel", "charts", "faults", "timeline", "events-panel", "console-panel"]) assert.ok(regions.has(region), `${region} was not reached`);
    await close();
  }
});

test("criterion 15: what has the focus is not behind a bar that stays", async () => {
  for (const [width, height, touch] of [[390, 844], [390, 844, { hasTouch: true, isMobile: true }], [1024, 768], [1440, 900]]) {
    const { page, close } = await frozen(80, { viewport: { width, height }, ...touch });
    if (width > 720) await page.locator(".cm-content").waitFor();
    let stops = 0;
    for (; stops < 81; stops += 1) {
      await page.keyboard.press("Tab");
      await page.waitForTimeout(20);
      const stop = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        const place = element.getBoundingClientRect();
        const [top, bottom] = [Math.max(place.top, 0), Math.min(place.bottom, innerHeight)];
        const [left, right] = [Math.max(place.left, 0), Math.min(place.right, innerWidth)];
        const own = (at) => at && (element.contains(at) || [...(element.labels ?? [])].some((label) => label.contains(at)));
        const shares = [0.1, 0.3, 0.5, 0.7, 0.9];
        const seen = shares.some((x) => shares.some((y) => own(document.elementFromPoint(left + (right - left) * x, top + (bottom - top) * y))));
        // A file field is as small as can be: its label shows it.
        return { seen: seen || element.type === "file", who: element.outerHTML.slice(0, 100) };
      });
      if (stop === null) break;
      assert.ok(stop.seen, `${width} pixels: ${stop.who}`);
    }
    assert.ok(stops > 20 && stops <= 80, `${stops} stops`);
    await close();
  }
});

test("criterion 16: every view and dialog, in both themes and languages, is within reach of assistive technology", async () => {
  const check = async (page, what, id) => assert.deepEqual(await axe(page, id), [], what);
  for (const colorScheme of ["light", "dark"]) {
    for (const locale of ["en-GB", "zh-TW"]) {
      const { page, close } = await frozen(420, { colorScheme, locale });
      const what = `${colorScheme}, ${locale}`;
      await page.locator(".cm-content").waitFor();
      for (const look of ["machines", "services", "loops", "table"]) {
        await page.getByTestId(`look-${look}`).click();
        if (look === "services") await page.locator(".graph-node").first().waitFor();
        if (look === "loops") await page.getByTestId("loop").first().waitFor();
        await check(page, `${look}, ${what}`);
      }
      for (const id of ["share", "gallery", "help", "experiment"]) {
        await page.getByTestId(`${id}-open`).click();
        if (id === "gallery") await page.locator("svg.picture").first().waitFor();
        await check(page, `${id}, ${what}`, id);
        await page.keyboard.press("Escape");
      }
      await page.keyboard.press("Control+k");
      await page.getByTestId("palette-item").first().waitFor();
      await check(page, `palette, ${what}`, "palette");
      await page.keyboard.press("Escape");
      await page.locator(".event").first().click();
      await page.getByTestId("cause-graph").click();
      await page.getByTestId("graph-node").first().waitFor();
      await check(page, `causes, ${what}`, "causes");
      await page.keyboard.press("Escape");
      await page.getByTestId("look-machines").click();
      await page.locator("[data-testid=plane-swarm] [data-testid=unit][data-state=ready]").first().click();
      await page.getByTestId("inspect").click();
      await page.getByTestId("anatomy").waitFor();
      await page.evaluate(() => document.querySelectorAll("#inspector details").forEach((part) => (part.open = true)));
      await check(page, `inspector, ${what}`, "inspector");
      await page.keyboard.press("Escape");
      await page.getByTestId("fork").click();
      await page.getByTestId("compare").click();
      await page.getByTestId("compare-summary").waitFor();
      await check(page, `compare, ${what}`, "compare");
      await close();
    }
  }
});

test("criterion 16: the machines are a grid of rows and cells to assistive technology", async () => {
  const { page, close } = await frozen(80);
  const golden = new URL("grid.aria.yml", import.meta.url);
  const seen = `${await page.getByTestId("plane-kubernetes").getByRole("grid").ariaSnapshot()}\n`;
  if (process.env.UPDATE_EXPECT) await writeFile(golden, seen);
  assert.equal(seen, await readFile(golden, "utf8"));
  await close();
});

test("criterion 17: states are told apart in every kind of sight, and without colours by name", async () => {
  const css = await readFile(new URL("../../www/css/app.css", import.meta.url), "utf8");
  const names = ["ready", "progressing", "pending", "terminating", "failed", "unknown", "completed"];
  const pairs = names.map((name) => css.match(new RegExp(`--${name}: light-dark\\((#\\w+), (#\\w+)\\)`)).slice(1));
  for (const [theme, board] of [[0, "#ffffff"], [1, "#0f1420"]]) {
    const colours = pairs.map((pair) => pair[theme]);
    for (const [place, colour] of colours.entries()) {
      const ratio = contrast(colour, board);
      assert.ok(ratio >= 3, `${names[place]} on ${board}: ${ratio.toFixed(2)}`);
    }
    for (const [vision, matrix] of Object.entries(VISIONS)) {
      const labs = colours.map((colour) => lab(linear(colour), matrix));
      const least = Math.min(...labs.flatMap((one, place) => labs.slice(place + 1).map((two) => distance(one, two))));
      assert.ok(least >= 15, `${vision}, theme ${theme}: ${least.toFixed(1)}`);
    }
  }
  // Without any colour the glyphs differ, one from the other.
  const grey = await frozen(80);
  const session = await grey.context.newCDPSession(grey.page);
  await session.send("Emulation.setEmulatedVisionDeficiency", { type: "achromatopsia" });
  const glyphs = grey.page.locator(".legend .glyph");
  assert.equal(await glyphs.count(), 7);
  const pictures = [];
  for (const glyph of await glyphs.all()) pictures.push((await glyph.screenshot()).toString("base64"));
  assert.equal(new Set(pictures).size, 7);
  assert.equal(new Set(await glyphs.allTextContents()).size, 7);
  await grey.close();
  const { page, close } = await frozen(80, { forcedColors: "active" });
  const unit = page.locator("[data-testid=unit][data-state=lost]").first();
  assert.match(await unit.getAttribute("title"), /lost/);
  assert.equal(await unit.locator(".unit-glyph").textContent(), "?");
  await close();
});

test("criterion 18: with reduced motion nothing moves by itself; a hidden page lets no time pass", async () => {
  const { page, close } = await open({ path: "?seed=42", reducedMotion: "reduce" });
  await page.waitForFunction(() => window.__playground?.ready);
  const moving = () => page.evaluate(() => document.getAnimations().filter((animation) => Number(animation.effect.getComputedTiming().duration) > 17).length);
  assert.equal(await moving(), 0);
  await page.getByTestId("play").hover();
  assert.equal(await moving(), 0);
  await page.locator("body").press(" ");
  await page.waitForFunction(() => window.__playground.now > 1);
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForFunction(() => document.querySelector("[data-testid=play]").dataset.playing === "false");
  const stopped = await page.evaluate(() => window.__playground.now);
  await page.waitForTimeout(600);
  assert.equal(await page.evaluate(() => window.__playground.now), stopped);
  await close();
});

test("criterion 20: nothing in the other language is left as it is in English", async () => {
  const words = async (name) => {
    const text = await readFile(new URL(`../../www/locales/${name}.ftl`, import.meta.url), "utf8");
    return new Map([...text.matchAll(/^([a-z-]+) = (.*)$/gm)].map(([, key, value]) => [key, value]));
  };
  const [english, chinese] = [await words("en"), await words("zh-TW")];
  assert.deepEqual([...english.keys()].filter((key) => !chinese.has(key)), []);
  // Names of products, and what is only a number, gaps or a choice of forms.
  const gaps = /^({ \$[a-z]+ } ?)+$/;
  const same = [...english].filter(([key, value]) => chinese.get(key) === value && !value.startsWith("{ $count") && !gaps.test(value));
  assert.deepEqual(same.map(([key]) => key), ["plane-kubernetes", "plane-swarm", "plane-compose", "cpu", "speed-times"]);
  // Nor is it on the page, in text, names or hints.
  const left = new Set(english.values());
  for (const [key] of same) left.delete(english.get(key));
  const { page, close } = await frozen(420);
  await page.locator(".cm-content").waitFor();
  await page.getByTestId("language-zh-TW").click();
  await page.getByRole("heading", { name: "圖表" }).waitFor();
  const shown = await page.evaluate(() => {
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      // Manifests and the trace speak for themselves.
      if ((node.closest ? node : node.parentElement).closest(".cm-content, .event-body")) continue;
      if (node.nodeType === Node.TEXT_NODE) texts.push(node.data.trim());
      else for (const name of ["aria-label", "title", "placeholder", "aria-valuetext"]) texts.push(node.getAttribute(name) ?? "");
    }
    return texts;
  });
  assert.ok(shown.length > 500, `${shown.length} texts`);
  assert.deepEqual(shown.filter((text) => left.has(text)), []);
  const editor = page.locator(".editor:not([hidden]) .cm-content");
  assert.match(await editor.getAttribute("aria-label"), /[\u4e00-\u9fff]/);
  await editor.click();
  await page.keyboard.press("Control+f");
  await page.locator(".cm-search [name=search][placeholder=尋找]").waitFor();
  await close();
});

test("criterion 20: on the Chinese page only the real tools speak English, and nothing is blank beside full-width punctuation", async () => {
  const { page, problems, close } = await frozen(420, { locale: "zh-TW" });
  await page.locator(".cm-content").waitFor();
  const check = async (what) => {
    const found = await page.evaluate(() => {
      const sentence = /[A-Za-z][a-z']+(?: [A-Za-z][a-z']+){2,}/;
      const blank = /[，。：；！？（）「」、] | [，。：；！？（）「」、]/;
      const texts = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.closest ? node : node.parentElement;
        // What the tools say is marked as theirs; commands are no sentences.
        if (element.closest("script, style, code, .cm-content, [lang=en], [data-testid=language-en]")) continue;
        if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
        else for (const name of ["aria-label", "title", "placeholder", "aria-valuetext"]) texts.push(node.getAttribute(name) ?? "");
      }
      return texts.map((text) => text.replaceAll(/kubectl get pods|docker compose up|sim (metric set|node add)/g, "x")).filter((text) => sentence.test(text) || blank.test(text.replaceAll(/\n\s*/g, "")));
    });
    assert.deepEqual(found, [], what);
  };
  await check("machines");
  for (const look of ["services", "loops", "table", "machines"]) {
    await page.getByTestId(`look-${look}`).click();
    await check(look);
  }
  for (const id of ["share", "help", "experiment"]) {
    await page.getByTestId(`${id}-open`).click();
    await check(id);
    await page.keyboard.press("Escape");
  }
  await page.locator(".event").first().click();
  await page.getByTestId("cause-graph").click();
  await page.getByTestId("graph-node").first().waitFor();
  await check("causes");
  await page.keyboard.press("Escape");
  await page.locator("[data-testid=plane-swarm] [data-testid=unit][data-state=ready]").first().click();
  await page.getByTestId("inspect").click();
  await page.getByTestId("anatomy").waitFor();
  await page.evaluate(() => document.querySelectorAll("#inspector details").forEach((part) => (part.open = true)));
  await check("inspector");
  await page.keyboard.press("Escape");
  // What Podium refuses or explains in the console is its own; what the tools say stays theirs.
  const spoken = async (line, english) => {
    await say(page, line);
    const parts = page.locator(".console-entry").last().locator("pre:not(.console-line) > span");
    const [own, tools] = [await parts.evaluateAll((spans) => spans.filter((span) => !span.lang).map((span) => span.textContent)), await parts.evaluateAll((spans) => spans.filter((span) => span.lang).map((span) => span.textContent))];
    assert.ok(own.length > 0, `${line}: ${tools}`);
    assert.deepEqual(own.filter((text) => !/[\u4e00-\u9fff]/.test(text) || / modelled|[，。：；（）「」、] | [，。：；（）「」、]/.test(text)), [], line);
    assert.deepEqual(tools.filter((text) => / modelled|this console|[\u4e00-\u9fff]/.test(text)), [], line);
    await page.getByTestId("language-en").click();
    await page.waitForFunction((english) => [...document.querySelectorAll(".console-entry")].at(-1).textContent.includes(english), english);
    await page.getByTestId("language-zh-TW").click();
    await page.waitForFunction((english) => ![...document.querySelectorAll(".console-entry")].at(-1).textContent.includes(english), english);
  };
  await spoken("kubectl cp a b", "error: kubectl cp is not modelled: containers have no file system of their own to copy into");
  await spoken("kubectl logs -f deploy/poll 2>&1", "followed for 10s of simulated time, as if interrupted then");
  await spoken("watch kubectl port-forward web 80", "nothing outside the cluster connects to it; sim traffic");
  await spoken("docker image prune", "docker image prune: this console asks no questions, use --force");
  await spoken("docker compose exec poll ls --nothing; docker push x", "docker push is not modelled");
  await spoken("host worker-1 ip tunnel; sort", "ip tunnel is not modelled");
  await spoken("echo a | sort -k1", "sort: option -k1 is not modelled");
  await spoken("sim fault node-crash worker-77", "there is no machine \"worker-77\"; machines are: ");
  await spoken("sim until soon", "unknown condition \"soon\"; known: converged");
  await spoken("sim set kube-scheduler.nothing 1", "unknown setting \"kube-scheduler.nothing\"; see sim settings");
  await spoken("nonsense", "nonsense: command not found; this console knows kubectl");
  await spoken("help", "kubectl --help, docker --help, host and sim help say more");
  await spoken("kubectl get --help", "Options that are modelled:");
  await spoken("sleep 1 & x", "1:9: background jobs are not part of this console");
  // So is what only Podium says within an answer of a server, and what its own commands print.
  await spoken("kubectl patch deployment poll --subresource=status -p '{\"status\":{\"replicas\":9}}'", "is forbidden: its status is what its controllers find; writing it is not modelled");
  await spoken("docker service create --replicas 9999999 nginx", "desc = 9999999 tasks of one service at a time are not modelled; ");
  await spoken("docker run -p 1-60000:1-60000 nginx", "docker: invalid containerPort: 1-60000: more than");
  await spoken("echo 'for: a' | sim operator start -f -", "-: operator: text is required");
  await spoken("sim packet from outside to worker-1:81", "connection refused: no process of the machine listens there in this model");
  await spoken("sim faults", " active");
  await spoken("sim metrics", "AVAILABILITY");
  // What was typed is no sentence of anybody's.
  await page.getByTestId("console-input").press("Control+l");
  await page.getByTestId("fork").click();
  await page.getByTestId("compare").click();
  await page.getByTestId("compare-summary").waitFor();
  await check("compare");
  await page.keyboard.press("Escape");
  // What to do about a finding is always Podium's own; what is wrong is a tool's word or a sentence.
  const services = (image, more = "") => `services:\n  web:\n    image: ${image}\n${more}`;
  const wrong = {
    "a.yaml": services("nginx"),
    "b.yaml": services("nginx"),
    "my-stack.yaml": services("Nginx", "    depends_on: {db: {}}\n    profiles: [a]\n"),
    "k.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replica: 3\n  template:\n    spec:\n      containers:\n        - name: a\n          image: ngnix\n          ports: [{containerPort: \"80\"}]\n          resources: {limits: {cpu: 5x}}\n          env: [{name: A, value: 5}]\n---\napiVersion: v1\nkind: Sevice\nmetadata: {name: b}\n---\napiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: b}\n---\na: [1\n",
  };
  await start(page, Object.entries(wrong).map(([name, text]) => `# file: ${name}\n${text}`).join(""));
  await page.getByTestId("problem").filter({ hasText: "FIL001" }).waitFor();
  await page.getByTestId("problem").filter({ hasText: "YAML001" }).waitFor();
  await check("problems");
  const helps = await page.locator(".problem-help").allTextContents();
  assert.ok(helps.length >= 8, `${helps.length} pieces of advice`);
  assert.deepEqual(helps.filter((help) => !/[\u4e00-\u9fff]/.test(help)), []);
  assert.match(await page.getByTestId("problem").filter({ hasText: "FIL001" }).textContent(), /好幾個都可能是 Compose 檔案/);
  assert.match(await page.getByTestId("problem").filter({ hasText: "IMG001" }).textContent(), /您是指「nginx」嗎？/);
  await page.getByTestId("gallery-open").click();
  await page.locator(".card").first().waitFor();
  await check("gallery");
  assert.deepEqual(problems, []);
  await close();
});

// Machado, Oliveira and Fernandes 2009, full severity, on linear light.
const VISIONS = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

function linear(colour) {
  return [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
}

function contrast(one, two) {
  const light = (colour) => linear(colour).reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

function lab(rgb, matrix) {
  const seen = matrix.map((row) => Math.min(1, Math.max(0, row.reduce((sum, weight, place) => sum + weight * rgb[place], 0))));
  const xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    .map((row, place) => row.reduce((sum, weight, at) => sum + weight * seen[at], 0) / [0.95047, 1, 1.08883][place])
    .map((value) => (value > 216 / 24389 ? Math.cbrt(value) : (value * 24389 / 27 + 16) / 116));
  return [116 * xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])];
}

// CIEDE2000.
function distance([l1, a1, b1], [l2, a2, b2]) {
  const radians = Math.PI / 180;
  const mean7 = ((Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2) ** 7;
  const g = 0.5 * (1 - Math.sqrt(mean7 / (mean7 + 25 ** 7)));
  const polar = (a, b) => [Math.hypot(a * (1 + g), b), (Math.atan2(b, a * (1 + g)) / radians + 360) % 360];
  const [[c1, h1], [c2, h2]] = [polar(a1, b1), polar(a2, b2)];
  const turn = c1 * c2 === 0 ? 0 : ((h2 - h1 + 540) % 360) - 180;
  const dh = 2 * Math.sqrt(c1 * c2) * Math.sin((turn / 2) * radians);
  const [l, c, h] = [(l1 + l2) / 2, (c1 + c2) / 2, c1 * c2 === 0 ? h1 + h2 : h1 + turn / 2];
  const t = 1 - 0.17 * Math.cos((h - 30) * radians) + 0.24 * Math.cos(2 * h * radians) + 0.32 * Math.cos((3 * h + 6) * radians) - 0.2 * Math.cos((4 * h - 63) * radians);
  const sl = 1 + (0.015 * (l - 50) ** 2) / Math.sqrt(20 + (l - 50) ** 2);
  const [sc, sh] = [1 + 0.045 * c, 1 + 0.015 * c * t];
  const rt = -Math.sin(60 * Math.exp(-(((((h + 360) % 360) - 275) / 25) ** 2)) * radians) * 2 * Math.sqrt(c ** 7 / (c ** 7 + 25 ** 7));
  const [x, y, z] = [(l2 - l1) / sl, (c2 - c1) / sc, dh / sh];
  return Math.sqrt(x * x + y * y + z * z + rt * y * z);
}
