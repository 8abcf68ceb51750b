"use strict";
// Draws charts when they come into view, filters charts and tables, and searches and sorts tables.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("filters");
  const tip = document.getElementById("tooltip");
  const PAGE = matchMedia("(max-width: 40rem)").matches ? 10 : 25;
  const MINUS = "\u2212";

  const missing = (value) => value === null || value === undefined || value === "";
  const shown = (value, digits) => (missing(value) ? "" : value.toFixed(digits).replace("-", MINUS));
  const interval = (low, high) => (missing(low) || missing(high) ? "not known" : `${shown(low, 3)} to ${shown(high, 3)}`);

  // Tables are stored by column, with texts as indices into a list.
  function rowsOf(name) {
    const { size, numbers, names } = data.tables[name];
    const rows = Array.from({ length: size }, () => ({}));
    for (const [key, values] of Object.entries(numbers)) rows.forEach((row, k) => { row[key] = values[k]; });
    for (const [key, [words, codes]] of Object.entries(names)) {
      rows.forEach((row, k) => { row[key] = words[codes[k]]; });
    }
    return rows;
  }

  const tables = {};
  const table = (name) => (tables[name] ??= rowsOf(name).map((row) => complete(name, row)));

  function complete(name, row) {
    if (row.panel !== undefined) Object.assign(row, data.panels[row.panel]);
    const look = data.looks[row.model];
    if (look) {
      row.shape = look.shape;
      row.colour = row.own === 0 ? "var(--other)" : look.colour;
    }
    if (row.low !== undefined) row.interval = interval(row.low, row.high);
    if (row.both_low !== undefined) row.both = row.both_low === null ? "" : interval(row.both_low, row.both_high);
    if (row.left !== undefined) {
      const counts = [[row.left, "left out"], [row.marked, "marked"]].filter(([n]) => n).map((count) => count.join(" "));
      row.n_shown = counts.length ? `${row.n} (${counts.join(", ")})` : `${row.n}`;
    }
    return row;
  }

  // Charts

  const views = new Map();

  function tooltip(texts, event, item, value) {
    tip.hidden = !value;
    if (!value) return;
    const list = document.createElement("dl");
    // Vega-Lite finds the numbers of the nearest point, but looks for its texts in the wrong place.
    const row = item?.datum?.datum ?? item?.datum ?? {};
    for (const key of Object.keys(value)) {
      const text = key in texts ? row[texts[key]] : value[key];
      if (missing(text)) continue;
      list.append(Object.assign(document.createElement("dt"), { textContent: key }));
      const textContent = String(text).replace(/^-(?=\d)/, MINUS);
      list.append(Object.assign(document.createElement("dd"), { textContent }));
    }
    tip.replaceChildren(list);
    const box = tip.getBoundingClientRect();
    const x = event.clientX + 14 + box.width > innerWidth ? event.clientX - 14 - box.width : event.clientX + 14;
    const y = event.clientY + 14 + box.height > innerHeight ? event.clientY - 14 - box.height : event.clientY + 14;
    tip.style.left = `${Math.max(4, x)}px`;
    tip.style.top = `${Math.max(4, y)}px`;
  }

  async function draw(element) {
    if (element.dataset.drawn !== undefined) return;
    element.dataset.drawn = "";
    const chart = data.charts[element.dataset.chart];
    const spec = structuredClone(data.specs[chart.spec]);
    const rows = table(chart.table).slice(chart.start, chart.stop).map((row) => ({ ...row, n: row.n_shown ?? row.n }));
    spec.datasets = { ...spec.datasets, rows };
    spec.description = chart.description;
    const { view } = await vegaEmbed(element, spec, {
      actions: false,
      defaultStyle: false,
      renderer: "svg",
      tooltip: (_, event, item, value) => tooltip(spec.usermeta.texts, event, item, value),
    });
    views.set(element, view);
    view.signal("families", families()).run();
    element.dataset.drawn = "all";
  }

  const waiting = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      waiting.unobserve(entry.target);
      draw(entry.target);
    }),
    { rootMargin: "800px" },
  );
  const charts = [...document.querySelectorAll("[data-chart]")];
  addEventListener("beforeprint", () => charts.filter((chart) => !chart.closest("[hidden]")).forEach(draw));
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  // Filters

  const families = () => [...form.querySelectorAll("[name=family]:checked")].map((box) => box.value);
  const chosen = (name) => form.elements[name]?.value ?? "";

  // Panels and rows without a property pass every filter of this property.
  function passes(of) {
    const [recording, area] = chosen("place") ? JSON.parse(chosen("place")) : [];
    const wanted = { recording, area, split: chosen("split") || undefined, how: chosen("how") || undefined };
    return Object.entries(wanted).every(([key, value]) => value === undefined || !of[key] || of[key] === value);
  }

  function filter() {
    const panels = [...document.querySelectorAll("[data-filtered]")];
    for (const panel of panels) panel.hidden = !passes(panel.dataset);
    for (const section of document.querySelectorAll("section[data-figure]")) {
      section.hidden = !section.querySelector("[data-filtered]:not([hidden])");
    }
    const of = families();
    for (const [element, view] of views) {
      if (!element.closest("[hidden]")) view.signal("families", of).resize().run();
    }
    const figures = panels.filter((panel) => panel.matches("figure"));
    const seen = figures.filter((panel) => !panel.hidden).length;
    const some = `${seen} of ${figures.length} panels`;
    document.getElementById("shown").textContent = seen === figures.length ? `All ${seen} panels` : some;
    for (const one of searchable) one.update();
  }

  // Tables that are searched and sorted

  class Searchable {
    constructor(element) {
      this.element = element;
      this.body = element.querySelector("tbody");
      this.columns = [...element.querySelectorAll("thead th")].map((head) => ({ head, ...head.dataset }));
      this.limit = PAGE;
      this.sorted = null;
      const part = (name) => element.querySelector(name);
      this.search = part("input[type=search]");
      this.count = part(".count");
      this.more = part("button.more");
      this.search.addEventListener("input", () => this.update());
      this.more.addEventListener("click", () => { this.limit += 4 * PAGE; this.show(); });
      for (const column of this.columns) {
        column.head.querySelector("button").addEventListener("click", () => this.sort(column));
      }
    }

    sort(column) {
      const number = column.kind === "number";
      const again = this.sorted?.column === column;
      // The first click on numbers puts the highest on top.
      this.sorted = { column, sign: again ? -this.sorted.sign : number ? -1 : 1 };
      for (const other of this.columns) other.head.removeAttribute("aria-sort");
      column.head.setAttribute("aria-sort", this.sorted.sign > 0 ? "ascending" : "descending");
      this.update();
    }

    update() {
      const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const of = new Set(families());
      const filtered = this.element.dataset.filters !== undefined;
      let rows = table(this.element.dataset.table);
      if (filtered) rows = rows.filter((row) => passes(row) && (!row.family || of.has(row.family)));
      if (words.length) {
        const texts = this.columns.filter((column) => column.kind !== "number").map((column) => column.key);
        rows = rows.filter((row) => {
          row.searched ??= texts.map((key) => row[key] ?? "").join(" ").toLowerCase();
          return words.every((word) => row.searched.includes(word));
        });
      }
      if (this.sorted) {
        const { column: { key, kind }, sign } = this.sorted;
        const texts = new Intl.Collator("en", { numeric: true });
        const compare = kind === "number" ? (a, b) => a - b : (a, b) => texts.compare(a, b);
        rows = [...rows].sort((a, b) => {
          if (missing(a[key]) || missing(b[key])) return missing(a[key]) - missing(b[key]);
          return sign * compare(a[key], b[key]);
        });
      }
      this.found = rows;
      this.limit = PAGE;
      this.show();
    }

    show() {
      const seen = this.found.slice(0, this.limit);
      this.body.replaceChildren(...seen.map((row) => {
        const line = document.createElement("tr");
        for (const { key, kind, digits } of this.columns) {
          const cell = line.insertCell();
          const value = row[key];
          cell.textContent = kind === "number" ? shown(value, Number(digits)) : value ?? "";
          if (kind) cell.className = kind;
        }
        return line;
      }));
      const { length } = this.found;
      this.count.textContent = seen.length < length
        ? `${seen.length.toLocaleString("en")} of ${length.toLocaleString("en")} rows shown`
        : `${length.toLocaleString("en")} ${length === 1 ? "row" : "rows"}`;
      this.more.hidden = seen.length >= length;
    }
  }

  const searchable = [...document.querySelectorAll(".searchable")].map((element) => new Searchable(element));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", filter);
  filter();
  for (const chart of charts) waiting.observe(chart);
})();
