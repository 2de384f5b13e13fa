// A browser with a page in it, that notes what a report must never do: ask for anything, complain, break its policy.

import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const tools = createRequire(join(process.env.KEYTRAIL_TEST_BROWSER, "package.json"));
const { chromium } = tools("playwright-core");
const axe = readFileSync(tools.resolve("axe-core/axe.min.js"), "utf8");

export const failures = [];
export const check = (is, words) => { if (!is) failures.push(words); };

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

// Runs the work with a browser, and ends with 1 where a check failed.
export async function run(work) {
  const profile = mkdtempSync(join(tmpdir(), "keytrail-browser-"));
  const home = { ...process.env, HOME: profile };
  const browser = await chromium.launch({ executablePath: process.env.KEYTRAIL_TEST_CHROMIUM, args: flags, env: home });
  try {
    await work(browser);
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  }
  for (const failure of failures) console.error(failure);
  process.exitCode = failures.length ? 1 : 0;
}

// Opens a report. What it asks for beside itself, and every complaint of the browser, fails.
export async function open(browser, file, options = {}) {
  const { fragment = "", ...rest } = options;
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...rest });
  const page = await context.newPage();
  const address = pathToFileURL(file).href;
  page.on("request", (request) => check(request.url().split("#")[0] === address, `${file}: asks for ${request.url()}`));
  page.on("console", (message) => check(false, `${file}: the console says: ${message.text()}`));
  page.on("pageerror", (error) => check(false, `${file}: ${error.message}`));
  page.on("dialog", (dialog) => { check(false, `${file}: a dialog: ${dialog.message()}`); return dialog.dismiss(); });
  await page.goto(address + fragment);
  return page;
}

// What axe finds wrong, as `rule: element`.
export async function violations(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return result.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target} ${node.failureSummary}`));
}
