"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const words = (number, noun) => number.toLocaleString("en") + " " + noun + (number === 1 ? "" : "s");

  // The theme: as the system has it, until somebody says otherwise.
  const theme = $("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = (value) => {
    try {
      if (value) localStorage.setItem("keytrail-theme", value);
      return localStorage.getItem("keytrail-theme");
    } catch {
      return value;
    }
  };
  const shown = () => root.dataset.theme || (system.matches ? "dark" : "light");
  const name = () => { theme.textContent = shown() === "dark" ? "Light theme" : "Dark theme"; };
  const saved = remembered();
  if (saved === "dark" || saved === "light") root.dataset.theme = saved;
  theme.addEventListener("click", () => {
    root.dataset.theme = shown() === "dark" ? "light" : "dark";
    remembered(root.dataset.theme);
    name();
  });
  system.addEventListener("change", name);
  theme.hidden = false;
  name();

  // The secrets and the findings, as the markup has them.
  const chunks = Array.from(document.querySelectorAll("#rows tbody"), (body) => ({ body, held: Array.from(body.rows) }));
  const SIZE = 100;
  const secrets = chunks.flatMap((chunk) => chunk.held).map((row, at) => {
    const cells = row.cells;
    return {
      row, at,
      id: cells[1].querySelector("summary, span").textContent,
      status: cells[0].textContent,
      owner: cells[2].textContent,
      env: cells[3].textContent.trim(),
      age: cells[4].firstChild.textContent,
      due: cells[5].firstChild.textContent,
      rules: new Set(), severities: new Set(), text: null, fits: true,
    };
  });
  const byId = new Map(secrets.map((secret) => [secret.row.id, secret]));
  const groups = Array.from(document.querySelectorAll("details.rule"), (box) => {
    const rule = box.dataset.rule;
    const findings = Array.from(box.querySelectorAll("ul.rows > li[class]:not(.rest)"), (row) => {
      const link = row.querySelector("a[href^='#s']");
      const secret = link ? byId.get(link.getAttribute("href").slice(1)) : undefined;
      const severity = row.className;
      if (secret) {
        secret.rules.add(rule);
        secret.severities.add(severity);
      }
      return { row, secret, severity, rule, text: null };
    });
    const lists = Array.from(box.querySelectorAll("ul.rows"));
    return { box, rule, findings, lists };
  });
  const total = groups.reduce((sum, group) => sum + group.findings.length, 0);

  // The filters and their choices.
  const search = $("q");
  const selects = Array.from(document.querySelectorAll("select[data-filter]"));
  const fill = (select, values) => {
    for (const value of values) select.append(new Option(value, value));
  };
  const sorted = (values) => Array.from(new Set(values)).filter((value) => value !== "–").sort((a, b) => a.localeCompare(b, "en"));
  const unique = (values) => Array.from(new Set(values));
  const levels = ["critical", "high", "medium", "low", "info"];
  const present = new Set(groups.flatMap((group) => group.findings.map((finding) => finding.severity)));
  const choices = {
    status: unique(secrets.map((secret) => secret.status)),
    severity: levels.filter((level) => present.has(level)),
    owner: sorted(secrets.map((secret) => secret.owner)).concat(secrets.some((secret) => secret.owner === "–") ? ["–"] : []),
    env: sorted(secrets.map((secret) => secret.env)).concat(secrets.some((secret) => secret.env === "–") ? ["–"] : []),
    rule: groups.map((group) => group.rule),
  };
  for (const select of selects) fill(select, choices[select.dataset.filter]);

  const text = (one) => one.text ??= one.row.textContent.toLowerCase();
  const order = { by: "", down: false };
  let drawn = "false";

  // The rows that fit, in order, a hundred in each part of the table: far parts cost nothing until they are near.
  let arranged = secrets;
  const draw = () => {
    const rows = arranged.filter((secret) => secret.fits).map((secret) => secret.row);
    chunks.forEach((chunk, at) => {
      const wanted = rows.slice(at * SIZE, (at + 1) * SIZE);
      if (wanted.length === chunk.held.length && wanted.every((row, place) => row === chunk.held[place])) return;
      chunk.held = wanted;
      chunk.body.replaceChildren(...wanted);
      chunk.body.hidden = wanted.length === 0;
      chunk.body.style.containIntrinsicSize = `auto ${wanted.length * 50}px`;
    });
  };

  const apply = () => {
    const want = Object.fromEntries(selects.map((select) => [select.dataset.filter, select.value]));
    const parts = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (one) => parts.every((part) => text(one).includes(part));
    const fits = (secret) => (!want.status || secret.status === want.status)
      && (!want.owner || secret.owner === want.owner)
      && (!want.env || secret.env === want.env);
    const isAboutSecrets = want.status || want.owner || want.env;
    let seen = 0;
    for (const secret of secrets) {
      const is = fits(secret)
        && (!want.rule || secret.rules.has(want.rule))
        && (!want.severity || secret.severities.has(want.severity))
        && (!parts.length || has(secret));
      secret.fits = is;
      if (is) seen += 1;
    }
    draw();
    let found = 0;
    for (const group of groups) {
      let here = 0;
      for (const finding of group.findings) {
        const is = (!want.rule || finding.rule === want.rule)
          && (!want.severity || finding.severity === want.severity)
          && (!isAboutSecrets || (finding.secret !== undefined && fits(finding.secret)))
          && (!parts.length || has(finding));
        if (finding.row.hidden === is) finding.row.hidden = !is;
        if (is) here += 1;
      }
      for (const list of group.lists) {
        const left = Array.from(list.children).reduce((sum, row) => sum + !row.hidden, 0);
        list.hidden = left === 0;
        list.style.containIntrinsicSize = `auto ${left * 72}px`;
      }
      group.box.hidden = here === 0;
      found += here;
    }
    const isAll = seen === secrets.length && found === total;
    $("count").textContent = isAll
      ? words(secrets.length, "secret") + " and " + words(total, "finding")
      : seen.toLocaleString("en") + " of " + words(secrets.length, "secret") + " and " + found.toLocaleString("en") + " of " + words(total, "finding") + " match";
  };

  // Sorting: a second press turns the order around, a third one brings the first order back.
  const number = (value) => {
    const digits = value.match(/\d+/);
    return digits ? Number(digits[0]) : NaN;
  };
  const keys = {
    status: (secret) => secret.at,
    secret: (secret) => secret.id,
    owner: (secret) => secret.owner,
    env: (secret) => secret.env,
    age: (secret) => number(secret.age),
    due: (secret) => secret.due,
  };
  const missing = (value) => value === "–" || Number.isNaN(value);
  const buttons = Array.from(document.querySelectorAll("button[data-sort]"));
  const arrange = () => {
    const wanted = order.by + order.down;
    if (wanted === drawn) return;
    drawn = wanted;
    arranged = secrets;
    if (order.by) {
      const key = keys[order.by];
      const collator = new Intl.Collator("en", { numeric: true });
      const known = secrets.map((secret) => ({ secret, value: key(secret) }));
      known.sort((a, b) => {
        const none = missing(a.value) - missing(b.value);
        if (none) return none;
        const by = typeof a.value === "number" ? a.value - b.value : collator.compare(a.value, b.value);
        return (order.down ? -by : by) || a.secret.at - b.secret.at;
      });
      arranged = known.map((one) => one.secret);
    }
    draw();
    for (const button of buttons) {
      const head = button.closest("th");
      if (button.dataset.sort === order.by) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };
  for (const button of buttons) {
    button.disabled = false;
    button.addEventListener("click", () => {
      const by = button.dataset.sort;
      if (order.by !== by) Object.assign(order, { by, down: false });
      else if (!order.down) order.down = true;
      else Object.assign(order, { by: "", down: false });
      arrange();
      remember();
    });
  }

  // What is shown is in the address, so that it can be sent to somebody.
  const remember = () => {
    const state = new URLSearchParams();
    if (search.value) state.set("q", search.value);
    for (const select of selects) if (select.value) state.set(select.dataset.filter, select.value);
    if (order.by) state.set("sort", (order.down ? "-" : "") + order.by);
    history.replaceState(null, "", "#" + state);
  };
  const recall = (fragment) => {
    const state = new URLSearchParams(fragment);
    search.value = state.get("q") ?? "";
    for (const select of selects) {
      const value = state.get(select.dataset.filter) ?? "";
      select.value = Array.from(select.options).some((option) => option.value === value) ? value : "";
    }
    const sort = state.get("sort") ?? "";
    const by = sort.replace(/^-/, "");
    Object.assign(order, Object.hasOwn(keys, by) ? { by, down: sort.startsWith("-") } : { by: "", down: false });
    arrange();
    apply();
  };
  const show = (target) => {
    const secret = byId.get(target);
    if (secret) {
      if (!secret.fits) recall("");
      const box = secret.row.querySelector("details");
      if (box) box.open = true;
    }
    const place = $(target);
    if (place && place.matches("details")) place.open = true;
    if (place) place.scrollIntoView();
  };
  const read = () => {
    const fragment = location.hash.slice(1);
    if (fragment.includes("=")) recall(fragment);
    else if (fragment) show(decodeURIComponent(fragment));
  };

  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { apply(); remember(); }, secrets.length + total > 2000 ? 120 : 0);
  });
  for (const select of selects) select.addEventListener("change", () => { apply(); remember(); });
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  $("reset").addEventListener("click", (event) => {
    event.preventDefault();
    recall("");
    remember();
    search.focus();
  });
  for (const link of document.querySelectorAll("a[data-set]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      recall(link.dataset.set);
      remember();
      $("secrets").scrollIntoView();
      $("secrets").querySelector("summary, button")?.focus({ preventScroll: true });
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches("input, select, textarea")) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target === search && search.value) {
      search.value = "";
      apply();
      remember();
    }
  });
  addEventListener("hashchange", read);

  const tools = $("tools");
  tools.hidden = false;
  const measure = () => {
    const isSticky = getComputedStyle(tools).position === "sticky";
    root.style.setProperty("--bar", (isSticky ? tools.offsetHeight : 0) + "px");
  };
  new ResizeObserver(measure).observe(tools);
  apply();
  read();
  performance.mark("keytrail-ready");
})();
