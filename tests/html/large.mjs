// How long a report takes until it can be used, and until a filter, a search and a sort are drawn:
// usage: large.mjs FILE. The best of three, since other work on the machine only ever makes it slower.

import { open, run } from "./browser.mjs";

const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

await run(async (browser) => {
  const best = { ready: Infinity, painted: Infinity, filter: Infinity, search: Infinity, sort: Infinity };
  for (let turn = 0; turn < 3; turn += 1) {
    const page = await open(browser, process.argv[2]);
    const times = await page.evaluate(`(async () => {
      const drawn = ${drawn};
      const of = async (work) => { const from = performance.now(); work(); await drawn(); return performance.now() - from; };
      const ready = performance.getEntriesByName("keytrail-ready")[0].startTime;
      await drawn();
      const painted = performance.now();
      const status = document.querySelector("[data-filter=status]");
      const filter = await of(() => { status.value = "overdue"; status.dispatchEvent(new Event("change")); });
      await of(() => document.querySelector("#reset").click());
      const q = document.querySelector("#q");
      const search = await of(() => { q.value = "payments"; status.dispatchEvent(new Event("change")); });
      await of(() => document.querySelector("#reset").click());
      const sort = await of(() => document.querySelector("[data-sort=due]").click());
      return { ready, painted, filter, search, sort };
    })()`);
    for (const name of Object.keys(best)) best[name] = Math.min(best[name], times[name]);
    await page.context().close();
  }
  console.log(Object.entries(best).map(([name, time]) => `${name} ${Math.round(time)} ms`).join(", "));
});
