// Real clicks and keys on a report of 240 secrets: usage: use.mjs FILE

import { check, open, run } from "./browser.mjs";

const file = process.argv[2];
const same = (is, wanted, words) => check(is === wanted, `${words}: ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`);

await run(async (browser) => {
  const page = await open(browser, file, { colorScheme: "light" });
  const rows = page.locator("#rows tbody tr");
  const visible = () => rows.count();
  const field = (name) => page.getByRole("combobox", { name, exact: true });
  const count = page.locator("#count");
  const all = await visible();
  const first = () => rows.first().locator("summary, td > span").first().innerText();
  const worst = await first();

  // Filters: each one alone, and two together, in the secrets and in the findings.
  await field("Status").selectOption("overdue");
  const overdue = await visible();
  check(overdue > 0 && overdue < all, `${overdue} of ${all} are overdue`);
  same(await rows.evaluateAll((list) => list.every((row) => row.cells[0].textContent === "overdue")), true, "only overdue ones");
  check((await count.innerText()).startsWith(`${overdue} of ${all} secrets`), `the live region says ${await count.innerText()}`);
  same(await count.getAttribute("role"), "status", "the live region");
  await field("Environment").selectOption("production");
  const both = await visible();
  check(both > 0 && both < overdue, `${both} are overdue in production`);
  check(page.url().includes("status=overdue") && page.url().includes("env=production"), `the address is ${page.url()}`);
  const shared = page.url().split("#")[1];
  await page.getByRole("button", { name: "Clear" }).click();
  same(await visible(), all, "cleared");
  await field("Severity").selectOption("critical");
  const critical = await visible();
  check(critical > 0 && critical < all, `${critical} have a critical finding`);
  same(await page.locator("details.rule:visible").count(), 1, "groups of critical findings");
  await page.getByRole("button", { name: "Clear" }).click();
  await field("Rule").selectOption("overdue-rotation");
  same(await page.locator("details.rule:visible").count(), 1, "groups of one rule");
  await page.getByRole("button", { name: "Clear" }).click();
  await field("Owner").selectOption("payments");
  check((await visible()) < all, "the owner filters");
  await page.getByRole("button", { name: "Clear" }).click();

  // The keyboard alone: search, clear, open a row.
  await page.locator("h1").click();
  await page.keyboard.press("/");
  await page.keyboard.type("billing db staging");
  await page.waitForFunction(() => document.querySelector("#count").textContent.includes("match"));
  const found = await visible();
  check(found > 0 && found < 20, `the search finds ${found}`);
  await page.keyboard.press("Escape");
  same(await visible(), all, "after Escape");
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  await page.goto(page.url().split("#")[0]);
  await page.keyboard.press("Tab");
  same(await page.evaluate(() => document.activeElement.className), "skip", "the first stop");
  same(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "solid", "the outline of the focus");
  await page.locator("#rows summary").first().focus();
  await page.keyboard.press("Enter");
  same(await rows.first().locator("details").evaluate((box) => box.open), true, "a row opens by the keyboard");

  // Sorting.
  const due = page.getByRole("button", { name: "Due", exact: true });
  const head = page.locator("th", { has: due });
  const dues = () => rows.evaluateAll((list) => list.map((row) => row.cells[5].firstChild.textContent).filter((text) => text !== "–"));
  await due.click();
  same(await head.getAttribute("aria-sort"), "ascending", "aria-sort");
  const up = await dues();
  same(JSON.stringify(up), JSON.stringify([...up].sort()), "sorted by due date");
  await due.press("Enter");
  same(await head.getAttribute("aria-sort"), "descending", "aria-sort");
  const down = await dues();
  same(JSON.stringify(down), JSON.stringify([...up].sort().reverse()), "sorted the other way");
  check(page.url().includes("sort=-due"), `the address is ${page.url()}`);
  await due.click();
  same(await head.getAttribute("aria-sort"), null, "aria-sort");
  same(await first(), worst, "the first order");

  // The theme.
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Dark theme" }).click();
  check((await ground()) !== light, "the theme changes nothing");
  await page.reload();
  check((await ground()) !== light, "the theme is forgotten");

  // A link to a secret, and one to a state.
  await page.locator("details.rule li a[href^='#s']").first().click();
  same(await page.locator("tr:target details").evaluate((box) => box.open), true, "the row of a finding opens");
  await page.locator("a[data-set='status=due-soon']").click();
  same(await field("Status").inputValue(), "due-soon", "the number of a status filters");
  await page.context().close();
  const again = await open(browser, file, { fragment: "#" + shared });
  same(await again.locator("#rows tbody tr").count(), both, "a shared address");
  await again.context().close();

  // What a screen reader is told.
  const plain = await open(browser, file);
  const tree = await plain.locator("body").ariaSnapshot();
  for (const part of ["banner", "navigation \"Parts of the report\"", "main", "contentinfo", "columnheader \"Due\"", "table \"240 secrets", "search"]) {
    check(tree.includes(part), `a screen reader finds no ${part}`);
  }
  const cells = (tree.match(/- cell/g) ?? []).length;
  check(cells >= 7 * all, `a screen reader finds ${cells} cells`);
  await plain.context().close();
});
