// Pictures of a page, and of what a terminal shows: usage: screenshots.mjs PAGE.html TERMINAL.txt FOLDER

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { failures, open, run } from "./browser.mjs";

const [file, terminal, folder] = process.argv.slice(2);
const LINES = 46;

// The colours of ECMA-48 that Keytrail uses, as a terminal of today has them.
const colors = { 31: "#ff8f88", 32: "#86d6a4", 33: "#f0c674", 36: "#7fcbe6" };

function markup(text) {
  const escaped = (part) => part.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
  let [color, bold] = ["inherit", 400];
  return text.split(/(\x1b\[[0-9;]*m)/).map((part) => {
    const codes = part.match(/^\x1b\[([0-9;]*)m$/);
    if (!codes) return part && `<span style="color:${color};font-weight:${bold}">${escaped(part)}</span>`;
    for (const code of codes[1].split(";").map(Number)) {
      if (code === 0) [color, bold] = ["inherit", 400];
      else if (code === 1) bold = 700;
      else if (colors[code]) color = colors[code];
    }
    return "";
  }).join("");
}

// What `script` wrote, without its own first and last lines, without links (OSC 8) and carriage returns.
function shown(text) {
  const plain = text.replace(/\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)/g, "").replaceAll("\r", "");
  const lines = plain.split("\n").filter((line) => !/^Script (started|done)/.test(line));
  return lines.slice(0, LINES).join("\n").trimEnd() + (lines.length > LINES ? "\n  …" : "");
}

await run(async (browser) => {
  const size = { viewport: { width: 1280, height: 860 }, deviceScaleFactor: 1.5 };
  const light = await open(browser, file, { ...size, colorScheme: "light" });
  await light.screenshot({ path: join(folder, "report-light.png") });
  await light.context().close();

  const dark = await open(browser, file, { ...size, colorScheme: "dark" });
  await dark.locator("#tools").scrollIntoViewIfNeeded();
  await dark.evaluate(() => scrollTo(0, document.querySelector("#tools").offsetTop));
  await dark.locator("#rows tbody tr").first().waitFor();
  await dark.screenshot({ path: join(folder, "report-dark.png") });
  await dark.context().close();

  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 });
  const page = await context.newPage();
  await page.setContent(`<!doctype html><style>
    body { margin: 0; background: #10151b; color: #d6dde4; }
    pre { margin: 0; padding: 24px 28px; width: max-content; font: 13px/1.5 "JetBrains Mono", "DejaVu Sans Mono", monospace; }
  </style><pre>$ keytrail scan fixtures/estate\n\n${markup(shown(readFileSync(terminal, "utf8")))}</pre>`);
  await page.locator("pre").screenshot({ path: join(folder, "terminal.png") });
  if (failures.length) throw new Error("the page is not as it should be");
});
