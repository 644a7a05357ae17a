"use strict";
// The comparison of two cells, operator by operator.

function operatorsOf(cell) {
  const texts = Object.fromEntries(["name", "type", "shape", "kernels", "placed", "label"].map((key) => [key, textsOf(cell.ops[key])]));
  const numbers = Object.fromEntries(["index", "ns", "share", "macs", "bytes"].map((key) => [key, numbersOf(cell.ops[key])]));
  return numbers.index.map((_, i) => {
    const op = { resolution: cell.mapping.resolution_ns };
    for (const key in texts) op[key] = texts[key][i];
    for (const key in numbers) op[key] = numbers[key][i];
    return op;
  });
}

/** Below this coverage the profiler saw too little of the run: operators shorter than its clock can tell. */
const LITTLE = 0.8;

const cellLabel = (cell) => `${cell.model} ${cell.variant} on ${cell.device} ${cell.compute_unit}`;

function fillOperatorMenus() {
  for (const id of ["op-a", "op-b"]) {
    GROUPS.forEach((group) => {
      const withOps = group.cells.filter((cell) => cell.ops);
      if (!withOps.length) return;
      const options = withOps.map((cell) => element("option", { value: cell.id, text: clipped(cell.variant, 40) + (cell.is_source ? " (source)" : "") }));
      byId(id).append(element("optgroup", { label: clipped(group.label, 80) }, ...options));
    });
    byId(id).addEventListener("change", showOperators);
  }
  byId("op-pair").addEventListener("submit", (event) => event.preventDefault());
  byId("op-swap").addEventListener("click", () => {
    [byId("op-a").value, byId("op-b").value] = [byId("op-b").value, byId("op-a").value];
    showOperators();
  });
}

/** The source and the answer; where the answer is the source, the fastest other. Empty without operators. */
function pairOf(group) {
  const withOps = group.cells.filter((cell) => cell.ops);
  if (!withOps.length) return [];
  const source = withOps.find((cell) => cell.is_source) || withOps[0];
  const answer = DATA.headlines.find((h) => h.model === group.model && h.device === group.device && h.compute_unit === group.unit);
  const others = withOps.filter((cell) => cell !== source).sort((x, y) => (x.median ?? Infinity) - (y.median ?? Infinity));
  return [source, others.find((cell) => answer && cell.id === answer.cell) || others[0] || source];
}

function choosePair(group) {
  const [a, b] = pairOf(group);
  if (!a) return;
  byId("op-a").value = a.id;
  byId("op-b").value = b.id;
}

function showOperators() {
  const a = CELLS.get(byId("op-a").value), b = CELLS.get(byId("op-b").value);
  byId("op-pair").hidden = byId("ops-region").hidden = !a || !b;
  if (!a || !b) return draw("chart-ops", null, 0, "No cell has operator times.");
  const left = operatorsOf(a), right = operatorsOf(b);
  const pairs = alignOperators(left, right);
  byId("ops-caption").replaceChildren(...[["A", a], ["B", b]].map(([side, cell]) =>
    element("span", { class: "side " + side.toLowerCase() }, element("b", { text: side }), " " + clipped(cellLabel(cell), 120))));
  const table = byId("ops-table");
  table.tBodies[0].replaceChildren(...pairs.map((pair) => operatorRow(pair)));
  shorten(table);
  table.tFoot.replaceChildren(totalRow(totalOf(left), totalOf(right)));
  table.querySelectorAll("thead th").forEach((heading) => heading.setAttribute("aria-sort", "none"));
  byId("op-notes").replaceChildren(...operatorNotes(a, "A"), ...operatorNotes(b, "B"));
  drawOperators(pairs, [a.variant, b.variant]);
}

function operatorRow([a, b]) {
  const op = a || b;
  const ratio = a && b && a.ns && b.ns ? b.ns / a.ns : null;
  const name = element("td", { class: "wide" }, element("span", { class: "name", text: clipped(op.name, 90), title: op.name.length > 90 ? op.name.slice(0, 400) : null }));
  if (!a || !b) name.append(" ", element("span", { class: "only", text: a ? "only in A" : "only in B" }));
  if (a && b && a.name !== b.name) name.append(element("br"), element("small", { text: "B: " + clipped(b.name, 90) }));
  return element("tr", {},
    figure(op.index, op.index < 0 ? "none" : String(op.index)), name,
    element("td", { text: a && b && a.type !== b.type ? `${a.type} / ${b.type}` : op.type }),
    element("td", { text: a && b && a.shape !== b.shape ? `${a.shape} / ${b.shape}` : op.shape }),
    timeCell(a), timeCell(b),
    figure(ratio, ratio === null ? MISSING : significant(ratio) + "×", ratio === null ? "" : ratio > 1.05 ? "up" : ratio < 0.95 ? "down" : ""),
    ...[a, b].map((one) => figure(one && one.share, percent(one && one.share, 1))),
    placeCell(a), placeCell(b),
    figure(op.macs, op.macs === null ? MISSING : op.macs.toLocaleString("en")));
}

function figure(value, text, look = "") {
  return element("td", { class: ("n " + look).trim(), "data-v": value === null || value === undefined ? "" : value, text });
}

function timeCell(op) {
  if (!op) return figure(null, MISSING);
  if (isBelow(op)) return figure(op.resolution, operatorTime(op));
  return figure(op.ns, operatorTime(op) + (op.label === "measured" || op.ns === null ? "" : " " + op.label));
}

/** It ran, in less time than the profiler's clock can tell. */
const isBelow = (op) => op.label === "below_resolution";

function operatorTime(op) {
  if (isBelow(op)) return op.resolution === null ? "too short to tell" : `< ${Number((op.resolution / 1e3).toPrecision(3))}`;
  return op.ns === null ? "folded" : microseconds(op.ns);
}

/** The sum of the times that are told, and the most that those below the clock can add to it, in ns. */
function totalOf(ops) {
  return {
    ns: ops.reduce((sum, op) => sum + (op.ns ?? 0), 0),
    hidden: ops.reduce((sum, op) => sum + (isBelow(op) ? op.resolution ?? Infinity : 0), 0),
  };
}

function placeCell(op) {
  return element("td", { text: !op ? MISSING : op.placed || (op.ns === null && !isBelow(op) ? "folded" : "unknown"), title: op && op.kernels ? clipped(op.kernels, 300) : null });
}

function totalRow(...totals) {
  const known = totals.every((total) => total.ns > 0 && total.hidden < 0.01 * total.ns);
  const ratio = known ? totals[1].ns / totals[0].ns : null;
  return element("tr", {}, element("td", {}), element("th", { scope: "row", text: "Sum of operators" }), element("td", {}), element("td", {}),
    ...totals.map((total) => figure(total.ns, (total.hidden ? "≥ " : "") + microseconds(total.ns))),
    figure(ratio, ratio === null ? MISSING : significant(ratio) + "×"), ...Array.from({ length: 5 }, () => element("td", {})));
}

/** Coverage and every doubt of the mapping, in words. */
function operatorNotes(cell, side) {
  const mapping = cell.mapping;
  const parts = [`${side} covers ${percent(mapping.coverage)} of its profiled run in ${mapping.runs} runs, ${mapping.partitions} ${mapping.partitions === 1 ? "partition" : "partitions"}, mapping cost ${significant(mapping.cost)}. `];
  const doubts = [];
  if (mapping.coverage !== null && mapping.coverage < LITTLE) doubts.push(`its operators cover only ${percent(mapping.coverage)} of the run; shares of it would mean nothing and are left out`);
  if (mapping.measured_by) doubts.push(mapping.measured_by);
  if (mapping.approximate) doubts.push("mapping approximate: a kernel of an unknown kind was assigned by its place");
  if (mapping.unmapped_ns === null) doubts.push("kernels too short to tell belong to no operator");
  if (mapping.unmapped_ns > 0) doubts.push(`${microseconds(mapping.unmapped_ns)} µs belong to no operator`);
  return doubts.length ? [...parts, element("span", { class: "doubt", text: `${side}: ${doubts.join("; ")}. ` })] : parts;
}
