"use strict";
// Filters, sorting and the choice of theme. The page is complete without this script; it adds no content of its own.
(() => {
  const by = (id) => document.getElementById(id);
  const tools = by("tools"), filter = by("filter"), severity = by("severity"), theme = by("theme"), unfold = by("unfold");
  const articles = Array.from(document.querySelectorAll("article.finding"));

  // The text of each row, read once: a report may have many thousand rows.
  let index = null;
  const rows = () => index ??= articles.map((article) => ({
    article,
    bodies: Array.from(article.querySelectorAll(".condition > tbody"), (body) => {
      const all = Array.from(body.rows);
      const shared = all.length > 0 && all[0].className === "g" ? all.shift() : null;
      const text = (row) => row.textContent.toLowerCase();
      return { body, shared: shared ? text(shared) : "", rows: all.map((row) => ({ row, text: text(row) })) };
    }),
    head: (article.querySelector("h3").textContent + " " + article.querySelector(".ref").textContent).toLowerCase(),
  }));

  const apply = () => {
    const wanted = filter.value.trim().toLowerCase(), level = severity.value;
    let shown = 0, all = 0;
    for (const { article, bodies, head } of rows()) {
      const fits = !level || article.dataset.severity === level;
      const whole = !wanted || head.includes(wanted);
      let here = 0;
      for (const { body, shared, rows } of bodies) {
        const every = whole || shared.includes(wanted);
        let inside = 0;
        all += rows.length;
        for (const { row, text } of rows) {
          const hit = fits && (every || text.includes(wanted));
          if (row.hidden === hit) row.hidden = !hit;
          if (hit) inside++;
        }
        body.hidden = inside === 0;
        here += inside;
      }
      article.hidden = !fits || (bodies.length > 0 ? here === 0 : !whole);
      shown += here;
    }
    by("status").textContent = wanted || level ? `${shown} of ${all} findings shown` : "";
  };
  let waiting = 0;
  filter.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  severity.addEventListener("change", apply);

  unfold.addEventListener("click", () => {
    const folds = Array.from(document.querySelectorAll("details"));
    const open = folds.some((fold) => !fold.open);
    for (const fold of folds) fold.open = open;
    unfold.textContent = open ? "Close all" : "Open all";
  });

  // A browser may refuse storage to a page that was opened as a file.
  const remember = (value) => { try { localStorage.setItem("mailvet-theme", value); } catch { /* not remembered */ } };
  const remembered = () => { try { return localStorage.getItem("mailvet-theme") ?? ""; } catch { return ""; } };
  const choose = (value) => {
    if (value === "light" || value === "dark") document.documentElement.dataset.theme = value;
    else delete document.documentElement.dataset.theme;
  };
  theme.addEventListener("change", () => { choose(theme.value); remember(theme.value); });
  theme.value = ["light", "dark"].includes(remembered()) ? remembered() : "";
  choose(theme.value);

  // A link into something folded opens it first.
  const reveal = () => {
    const target = location.hash.length > 1 ? by(decodeURIComponent(location.hash.slice(1))) : null;
    for (let fold = target?.closest("details"); fold; fold = fold.parentElement?.closest("details")) fold.open = true;
    target?.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);

  // Columns sort by number where they hold numbers, else by text; the order of severities is their own.
  const ranks = { critical: 5, high: 4, medium: 3, low: 2, info: 1 };
  const weight = (cell) => {
    const text = cell.textContent.trim();
    const [, count, word] = /^(\d+)(?: (\w+))?$/.exec(text) ?? [];
    return { text, number: count === undefined ? -1 : Number(count) + 1e6 * (ranks[word] ?? 0) };
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach((cell, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const falling = cell.getAttribute("aria-sort") === "descending" ? 1 : -1;
        const first = column === 0 ? -falling : falling;
        const sorted = Array.from(table.tBodies[0].rows, (row) => ({ row, key: weight(row.cells[column]) }));
        sorted.sort((one, other) => first * (one.key.number - other.key.number || one.key.text.localeCompare(other.key.text)));
        table.tBodies[0].append(...sorted.map(({ row }) => row));
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", falling === -1 ? "descending" : "ascending");
      });
    });
  }

  tools.hidden = false;
  reveal();
})();
