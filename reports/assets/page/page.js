"use strict";
// Wires the page: what is shown, the theme, printing.

const CELLS = new Map(DATA.cells.map((cell) => [cell.id, cell]));
const GROUPS = groupCells();
const THEMES = ["automatic", "light", "dark"];

/** One model on one unit of one device, in the order of the page's `showing` menu. */
function groupCells() {
  const groups = new Map();
  for (const cell of DATA.cells) {
    const key = JSON.stringify([cell.model, cell.device, cell.compute_unit]);
    if (!groups.has(key)) groups.set(key, { model: cell.model, device: cell.device, unit: cell.compute_unit, label: `${cell.model} · ${cell.device} · ${cell.compute_unit}`, cells: [] });
    groups.get(key).cells.push(cell);
  }
  return [...groups.values()];
}

const focused = () => GROUPS[Number(byId("focus").value || 0)];

function focusGroup() {
  const group = focused();
  if (!group) return drawNothing();
  const mark = byId("focus-simulated");
  if (mark) mark.hidden = !DATA.headlines.some((h) => h.device === group.device && h.simulated);
  focusTables(GROUPS.indexOf(group));
  choosePair(group);
  drawAll();
}

let waiting = [];
let drawTimer = 0;

/** What is in sight is drawn at once; the rest too where everything is wanted, as for printing. */
function drawAll(everything = false) {
  const group = focused();
  if (!group) return drawNothing();
  const parts = {
    "chart-pareto": () => drawPareto(group.cells, byId("pareto-axis").value),
    "chart-ratio": () => drawRatios(group.cells),
    operators: showOperators,
    "chart-launches": () => drawLaunches(group.cells),
    "chart-memory": () => drawMemory(group.cells),
  };
  const inSight = (id) => { const box = byId(id).getBoundingClientRect(); return box.bottom > 0 && box.top < innerHeight; };
  waiting = Object.entries(parts);
  if (everything) return waiting.splice(0).forEach(([, show]) => show());
  const now = waiting.filter(([id]) => inSight(id));
  waiting = waiting.filter((part) => !now.includes(part));
  now.forEach(([, show]) => show());
  document.documentElement.dataset.drawing = "";
  drawWaiting();
}

/** What is out of sight follows part by part, so that a reader who does something else is heard in between. */
function drawWaiting() {
  clearTimeout(drawTimer);
  drawTimer = setTimeout(() => {
    const next = waiting.shift();
    if (!next) return delete document.documentElement.dataset.drawing;
    next[1]();
    drawWaiting();
  });
}

/**
 * The first group whose operators can be told apart, where one can with a source that was not too disturbed; a model of
 * few microseconds says little operator by operator.
 */
function firstTelling() {
  const telling = (cell) => (cell.mapping.coverage ?? 0) >= LITTLE;
  const apart = GROUPS.filter((group) => pairOf(group).length && pairOf(group).every(telling));
  const calm = apart.find((group) => pairOf(group)[0].grade !== "D");
  return Math.max(0, GROUPS.indexOf(calm || apart[0]));
}

function drawNothing() {
  for (const id of ["chart-pareto", "chart-ratio", "chart-ops", "chart-launches", "chart-memory"]) draw(id, null, 0, "There are no cells.");
}

function fillWeights() {
  const menu = byId("weights-of");
  DATA.weights.forEach((one, i) => menu.append(element("option", { value: i, text: clipped(`${one.model} ${one.variant}`, 70) })));
  menu.addEventListener("change", showWeights);
  byId("tensors").addEventListener("toggle", showWeights);
}

function showWeights() {
  const one = DATA.weights[Number(byId("weights-of").value || 0)];
  if (!one || !byId("tensors").open) return;
  const texts = ["name", "shape", "dtype"].map((key) => textsOf(one[key]));
  const [elements, bytes, zeros, distinct, compressed] = ["elements", "bytes", "zeros", "distinct", "compressed"].map((key) => numbersOf(one[key]));
  byId("weights-table").tBodies[0].replaceChildren(...elements.map((count, i) => element("tr", {},
    element("th", { scope: "row", text: clipped(texts[0][i], 90) }), element("td", { text: texts[1][i] }), element("td", { text: texts[2][i] }),
    figure(count, count.toLocaleString("en")), figure(bytes[i], byteText(bytes[i])),
    figure(count ? zeros[i] / count : null, percent(count ? zeros[i] / count : null)), figure(distinct[i], distinct[i].toLocaleString("en")),
    element("td", { text: compressed[i] ? "yes" : "no" }))));
  shorten(byId("weights-table"));
}

function themeOf() {
  try { return localStorage.getItem("weighbridge-theme") || "automatic"; } catch { return "automatic"; } // no storage on file: in some browsers
}

function applyTheme(theme) {
  const dark = theme === "dark" || (theme === "automatic" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").textContent = "Theme: " + theme;
}

function turnTheme() {
  const next = THEMES[(THEMES.indexOf(themeOf()) + 1) % THEMES.length];
  try { localStorage.setItem("weighbridge-theme", next); } catch { /* the choice lasts as long as the page */ }
  applyTheme(next);
  drawAll();
}

const ARRIVALS = 20, ARRIVAL_MS = 50;
let arriving = 0;

/** Sections out of sight have no height of their own yet: those on the way get theirs, and the goal moves meanwhile. */
function arrive(goal, left = ARRIVALS) {
  goal.scrollIntoView({ behavior: "instant" });
  if (left) arriving = setTimeout(() => arrive(goal, left - 1), ARRIVAL_MS);
}

for (const turn of ["wheel", "touchstart", "keydown", "pointerdown"]) addEventListener(turn, () => clearTimeout(arriving), { passive: true });

/** Paper is light and has one width; a closed table is lost on it. */
function preparePrint() {
  const opened = [...document.querySelectorAll("details.table:not([open])")];
  window.addEventListener("afterprint", () => {
    opened.forEach((details) => { details.open = false; });
    delete document.documentElement.dataset.printing;
    applyTheme(themeOf());
    drawAll();
  }, { once: true });
  opened.forEach((details) => { details.open = true; });
  document.documentElement.dataset.theme = "light";
  document.documentElement.dataset.printing = "";
  document.querySelectorAll("table[data-long]").forEach((table) => shorten(table, Infinity));
  drawAll(true);
}

applyTheme(themeOf());
document.querySelectorAll("table.sortable").forEach(makeSortable);
makeLong();
makeBeyond();
makeFilters();
fillOperatorMenus();
fillWeights();
if (GROUPS.length) byId("focus").value = firstTelling();
byId("focus").addEventListener("change", focusGroup);
byId("pareto-axis").addEventListener("change", () => { const group = focused(); if (group) drawPareto(group.cells, byId("pareto-axis").value); });
byId("theme").addEventListener("click", turnTheme);
document.querySelectorAll("nav a[href^='#']").forEach((link) => link.addEventListener("click", () => { clearTimeout(arriving); arrive(document.querySelector(link.hash)); }));
makeDetails();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { applyTheme(themeOf()); drawAll(); });
window.addEventListener("beforeprint", preparePrint);
let pending = 0;
window.addEventListener("resize", () => { cancelAnimationFrame(pending); pending = requestAnimationFrame(resizeCharts); });
focusGroup();
