// Makes docs/page.png: the built page, seven minutes into the poll. `node tests/e2e/picture.mjs`.

import { fileURLToPath } from "node:url";
import { at, launch, open, serveDist } from "./harness.mjs";

const site = await serveDist();
const browser = await launch();
const { page } = await open(browser, site, { path: "?seed=42&t=425&speed=0&test=1", viewport: { width: 1440, height: 900 }, colorScheme: "light" });
await at(page, 425);
await page.locator(".cm-content").waitFor();
await page.screenshot({ path: fileURLToPath(new URL("../../docs/page.png", import.meta.url)) });
await browser.close();
await site.close();
