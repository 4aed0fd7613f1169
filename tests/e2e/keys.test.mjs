// Keys of one letter: exchanged for others by their owner, kept, told where two collide, and put back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, axe, stage } from "./harness.mjs";

const host = stage();
const { frozen } = host;

const branches = (page) => page.locator("[data-testid=branch] option").count();

/** Opens the sheet, gives a command another key by keyboard, and closes it. */
async function exchange(page, command, key) {
  await page.getByTestId("help-open").click();
  await page.getByTestId(`key-${command}`).focus();
  await page.keyboard.press("Enter");
  await page.getByTestId(`key-${command}`).filter({ hasText: /Press a key|請按一個鍵/ }).waitFor();
  await page.keyboard.press(key);
}

const leave = async (page) => {
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.getElementById("help").open);
};

test("a key is exchanged, kept, and put back", async () => {
  const { page, problems, close } = await frozen(30);
  await exchange(page, "fork", "g");
  assert.equal(await page.getByTestId("key-fork").textContent(), "g");
  assert.equal(await page.getByTestId("key-fork").getAttribute("aria-label"), "fork here: g. Change the key");
  await leave(page);
  await page.locator("body").press("f");
  await page.locator("body").press("g");
  await page.getByTestId("branch").waitFor();
  assert.equal(await branches(page), 2, "the old key does nothing");
  // It outlives the page; another that was not chosen is as ever.
  await page.reload();
  await at(page, 30);
  await page.locator("body").press("g");
  await page.getByTestId("branch").waitFor();
  await page.locator("body").press("t");
  await page.getByTestId("services").waitFor();
  // Escape leaves it as it was, and the sheet open; Backspace takes it away.
  await exchange(page, "views", "Escape");
  assert.equal(await page.getByTestId("key-views").textContent(), "t");
  await page.getByTestId("key-views").press("Enter");
  await page.keyboard.press("Backspace");
  await page.getByTestId("key-views").filter({ hasText: "none" }).waitFor();
  await leave(page);
  await page.locator("body").press("t");
  await page.getByTestId("help-open").click();
  assert.equal(await page.getByTestId("services").count(), 1);
  // All of them again.
  await page.getByTestId("keys-reset").click();
  assert.equal(await page.getByTestId("key-fork").textContent(), "f");
  assert.ok(await page.getByTestId("keys-reset").isDisabled());
  await leave(page);
  await page.locator("body").press("t");
  await page.getByTestId("services").waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => localStorage.getItem("podium.keys")), null);
  assert.deepEqual(problems, []);
  await close();
});

test("two commands with one key are told, in both languages and on a phone", async () => {
  for (const [lang, words] of [["en", "t does something else: explain the unit with the focus"], ["zh-TW", "t 會做別的事：說明焦點所在單元的由來"]]) {
    const { page, problems, close } = await frozen(0, { path: `?seed=42&speed=0&test=1&lang=${lang}`, viewport: { width: 390, height: 844 } });
    await exchange(page, "why", "t");
    await page.getByTestId("conflict-views").filter({ hasText: words }).waitFor();
    assert.equal(await page.locator(".key-conflict").count(), 1);
    // After the key that breaks something the same letter is another key.
    await page.getByTestId("key-kill").press("Enter");
    await page.keyboard.press("t");
    await page.getByTestId("key-kill").filter({ hasText: "x t" }).waitFor();
    assert.equal(await page.locator(".key-conflict").count(), 1);
    assert.deepEqual(await axe(page, "help"), []);
    const wide = await page.evaluate(() => document.getElementById("help").scrollWidth > document.getElementById("help").clientWidth);
    assert.equal(wide, false);
    await leave(page);
    // What breaks is what the sheet says.
    await page.locator("body").press("x");
    await page.locator("body").press("t");
    await page.locator(".fault-list", { hasText: "node-crash worker-1" }).waitFor();
    assert.deepEqual(problems, []);
    await close();
  }
});
