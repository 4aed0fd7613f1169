import { launch, open, serveDist } from "./harness.mjs";
const site = await serveDist(); const browser = await launch();
for (const [name, viewport] of [["wide",{width:1440,height:900}],["phone",{width:390,height:844}]])
 for (const colorScheme of ["light","dark"]) for (const locale of ["en-US","zh-TW"]) {
  const { page, problems, close } = await open(browser, site, { path: "?seed=42&t=420&speed=0&test=1", colorScheme, locale, viewport });
  await page.waitForFunction(() => window.__playground?.ready && window.__playground.now === 420);
  await page.waitForTimeout(500);
  await page.screenshot({ path: `/tmp/shots/${name}-${colorScheme}-${locale}.png`, fullPage: name === "phone" });
  console.log(name, colorScheme, locale, problems);
  await close();
 }
await browser.close(); await site.close();
