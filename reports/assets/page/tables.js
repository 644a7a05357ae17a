"use strict";
// Sorting and filtering of the tables that stand in the page.

/** Put a button in every heading; pressing it sorts, pressing again turns the order. Missing values stay last. */
function makeSortable(table) {
  table.querySelectorAll("thead th").forEach((heading, column) => {
    const button = element("button", { type: "button", text: heading.textContent });
    heading.replaceChildren(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sortBy(table, heading, column));
  });
}

function sortBy(table, heading, column) {
  const descending = heading.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("thead th").forEach((other) => other.setAttribute("aria-sort", "none"));
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [sortKey(row.cells[column]), row]);
  keyed.sort(([x], [y]) => compareKeys(x, y, descending ? -1 : 1));
  body.append(...keyed.map(([, row]) => row));
  if (table.dataset.long) shorten(table);
}

/** Laying out hundreds of rows takes longer than a reader waits: the first of them, and the rest on demand. */
const MOST_ROWS = 80;

function shorten(table, most = MOST_ROWS) {
  const rows = [...table.tBodies[0].rows], longer = rows.length > 1.25 * most;
  rows.forEach((row, i) => { row.hidden = longer && i >= most; });
  const more = byId(table.dataset.long);
  more.hidden = !longer;
  more.textContent = `Show all ${rows.length} rows`;
}

function makeLong() {
  document.querySelectorAll("table[data-long]").forEach((table) => byId(table.dataset.long).addEventListener("click", () => shorten(table, Infinity)));
}

/** Say where a table goes on beyond its right edge: nothing else shows it where scroll bars hide themselves. */
function markBeyond() {
  const found = [...document.querySelectorAll(".scroll")].map((place) => [place, place.scrollWidth - place.clientWidth - place.scrollLeft > 2]);
  for (const [place, more] of found) {
    place.classList.toggle("more", more);
    const sign = place.nextElementSibling?.classList.contains("beyond") ? place.nextElementSibling : null;
    if (more && !sign) place.after(element("p", { class: "beyond", "aria-hidden": "true", text: "the table goes on to the right →" }));
    else if (sign) sign.hidden = !more;
  }
}

function makeBeyond() {
  const seen = new ResizeObserver(markBeyond);
  document.querySelectorAll(".scroll").forEach((place) => {
    seen.observe(place);
    place.addEventListener("scroll", markBeyond, { passive: true });
  });
  document.querySelectorAll("details").forEach((details) => details.addEventListener("toggle", markBeyond));
}

function sortKey(cell) {
  if (!cell) return null;
  const text = (cell.dataset.v ?? cell.textContent).trim();
  if (text === "" || text === MISSING) return null;
  const number = Number(text);
  return Number.isNaN(number) ? text.toLowerCase() : number;
}

function compareKeys(x, y, direction) {
  if (x === null || y === null) return (x === null) - (y === null);
  if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
  return direction * (typeof x === "number" ? x - y : x.localeCompare(y));
}

function makeFilters() {
  const rows = [...byId("cells-table").tBodies[0].rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const apply = () => {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = ["outcome", "verdict", "grade"].map((name) => [name, byId("by-" + name).value]);
    let shown = 0;
    rows.forEach((row, i) => {
      const fits = words.every((word) => texts[i].includes(word)) &&
        wanted.every(([name, value]) => !value || row.dataset[name] === value);
      row.hidden = !fits;
      shown += fits;
    });
    byId("shown").textContent = `${shown} of ${rows.length} cells`;
  };
  byId("filters").addEventListener("input", apply);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
}

/** Show the rows of one group alone in the tables that stand beside charts. */
function focusTables(group) {
  document.querySelectorAll("table.focused tbody tr").forEach((row) => {
    row.hidden = row.dataset.g !== String(group);
  });
}
