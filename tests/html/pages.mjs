// What holds of every report: usage: pages.mjs NAME.html … (beside each lies NAME.txt, the ids of its secrets, one a line)

import { readFileSync } from "node:fs";
import { check, open, run, violations } from "./browser.mjs";

const squeeze = (text) => text.replace(/\s+/g, "");
const ids = (file) => readFileSync(file.replace(/html$/, "txt"), "utf8").split("\n").map(squeeze).filter(Boolean);

// Every secret is in the markup, and the last one is there for somebody who scrolls to it.
async function isReadable(page, file, how) {
  const table = page.locator("#rows");
  const wanted = ids(file);
  const shown = wanted.length ? squeeze(await table.textContent()) : "";
  for (const id of wanted) check(shown.includes(id), `${file}${how}: ${id} is not there`);
  if (!wanted.length) return;
  const last = table.locator("tbody tr").last();
  await last.scrollIntoViewIfNeeded();
  check((await last.boundingBox())?.height > 20, `${file}${how}: the last secret is not shown`);
}

await run(async (browser) => {
  for (const file of process.argv.slice(2)) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open(browser, file, { colorScheme });
      for (const one of await violations(page)) check(false, `${file}, ${colorScheme}: ${one}`);
      await page.setViewportSize({ width: 360, height: 900 });
      for (const one of await violations(page)) check(false, `${file}, narrow ${colorScheme}: ${one}`);
      if (colorScheme === "light") {
        for (const width of [320, 360, 768, 1440, 2560]) {
          await page.setViewportSize({ width, height: 900 });
          const reach = await page.evaluate(() => document.documentElement.scrollWidth);
          check(reach <= width, `${file}: ${reach} pixels wide at ${width}`);
        }
        await isReadable(page, file, "");
      }
      await page.context().close();
    }
    const plain = await open(browser, file, { javaScriptEnabled: false });
    await isReadable(plain, file, " without the script");
    check(!(await plain.locator("#tools").isVisible()), `${file}: fields that do nothing are shown without the script`);
    await plain.context().close();
  }
});
