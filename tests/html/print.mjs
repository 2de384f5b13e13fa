// Prints a report: usage: print.mjs FILE OUT.pdf

import { open, run } from "./browser.mjs";

const [file, out] = process.argv.slice(2);
await run(async (browser) => {
  const page = await open(browser, file, { colorScheme: "dark" });
  await page.pdf({ path: out, preferCSSPageSize: true, printBackground: true });
});
