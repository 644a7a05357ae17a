"use strict";
// All that is known of one cell, on demand.

const APIS = { "compiled-model": "compiled-model API", interpreter: "Interpreter API" };
const CACHES = { off: "no weight cache", filled: "filling it", used: "using it" };
const IDLE = "XNNPACK took nothing of the graph: the cache is idle and holds nothing.";
const STEPS = { environment_ns: "Environment", compile_ns: "Compile", first_ns: "First inference", warm_ns: "Warm inference" };

function openCell(id) {
  const cell = CELLS.get(id);
  if (!cell) return;
  byId("detail-body").replaceChildren(...detailOf(cell, cell.detail));
  byId("detail").showModal();
}

function detailOf(cell, detail) {
  const told = textsOf(detail.explanation);
  return [
    element("p", { class: "eyebrow", text: `${clipped(cell.model, 60)} · ${clipped(cell.device, 40)} · ${cell.compute_unit}` }),
    element("h2", { id: "detail-title", text: clipped(cell.variant, 80) + (cell.is_source ? " (source)" : "") }),
    ...(told.length ? [element("p", { class: "told", text: clipped(told.join(" "), 2000) })] : []),
    facts(factsOf(cell, detail)),
    ...coldTable(detail.cold),
    ...listOf("Set for single operators", detail.settings),
    ...listOf("Notes on the variant", textsOf(detail.notes)),
    ...listOf("Notes on the model", textsOf(detail.modelNotes)),
    ...listOf("What kept the grade from an A", textsOf(detail.grades)),
    ...stateOf(detail),
    ...compareButton(cell),
  ];
}

function factsOf(cell, detail) {
  const interval = cell.ci ? ` (${durationText(cell.ci[0])} – ${durationText(cell.ci[1])})` : "";
  const ran = [detail.observed_unit, detail.backend].filter(Boolean).join(", ");
  return [
    ["Outcome", cell.outcome + (detail.reason ? ": " + clipped(detail.reason, 400) : "")],
    ["Latency", cell.median === null ? null : durationText(cell.median) + interval],
    ["Samples", detail.raw === false ? toldText(detail, "its medians are as the tool told them") : null],
    ["Against the source", cell.ratio === null || cell.is_source ? null : `${significant(cell.ratio)}×${cell.verdict ? ", " + cell.verdict : ""}`],
    ["Size", cell.size === null ? null : `${byteText(cell.size)}, zipped ${byteText(cell.zip)}`],
    ["Target", detail.target],
    ["Outputs", `${cell.quality}, ${clipped(detail.quality_why, 200)}`],
    ["Compared by", clipped(textsOf(detail.reference)[0] || "", 300)],
    ["Measured through", apiText(detail)],
    ["Delegate", cell.median === null ? null : detail.delegate],
    ["GPU adapter", detail.adapter && clipped(detail.adapter, 120)],
    ["Ran on", ran || null],
    ["Runtime", detail.runtime],
    ["Signature", detail.signature && clipped(detail.signature, 120)],
    ["Operator times", detail.noOps && clipped(detail.noOps, 300)],
  ].filter(([, value]) => value);
}

/** The device before the first launch and after the last. */
function stateOf(detail) {
  if (!detail.conditions.length) return [];
  return [element("h3", { text: "State of the device, before → after" }), facts(detail.conditions.map(textsOf).map(([name, text]) => [name, clipped(text, 400)]))];
}

function apiText(detail) {
  if (!detail.api) return null;
  return "the " + (APIS[detail.api] || detail.api) + apiReason(detail);
}

function apiReason(detail) {
  if (detail.fallback) return " because " + clipped(detail.fallback, 400);
  return detail.api === "interpreter" ? ", the only face of this runtime" : "";
}

function facts(pairs) {
  return element("dl", { class: "detail" }, ...pairs.flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]));
}

function listOf(title, texts) {
  if (!texts.length) return [];
  return [element("h3", { text: title }), element("ul", {}, ...texts.map((text) => element("li", { text: clipped(text, 400) })))];
}

/** Each step of a fresh start, with the weight cache off, filled and used; the ratio is of the whole to that without. */
function coldTable(cold) {
  if (!cold) return [];
  const why = [cold.unavailable, cold.idle ? IDLE : null].filter(Boolean).map((text) => element("p", { class: "small", text: clipped(text, 300) }));
  const found = Object.keys(CACHES).filter((key) => cold[key]);
  if (!found.length) return [element("h3", { text: "Cold start" }), ...why];
  const head = ["XNNPACK weight cache", ...Object.values(STEPS), "To the first result", "Launches"].map((text, i) => element("th", { scope: "col", class: i ? "n" : null, text }));
  return [
    element("h3", { text: "Cold start" }), ...why,
    element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...found.map((key) => coldRow(key, cold))))),
  ];
}

function coldRow(key, cold) {
  const whole = cold[key].total_ns;
  const ratio = cold.off && key !== "off" ? ` (${significant(whole / cold.off.total_ns)}×)` : "";
  return element("tr", {}, element("th", { scope: "row", text: CACHES[key] }),
    ...Object.keys(STEPS).map((step) => figure(cold[key][step], durationText(cold[key][step]))),
    figure(whole, durationText(whole) + ratio), figure(cold[key].launches, String(cold[key].launches)));
}

function compareButton(cell) {
  const group = GROUPS.find((one) => one.cells.includes(cell));
  const source = group.cells.find((one) => one.is_source && one.ops);
  if (!cell.ops || !source || source === cell) return [];
  const button = element("button", { type: "button", text: "Compare with its source, operator by operator" });
  button.addEventListener("click", () => {
    byId("detail").close();
    [byId("op-a").value, byId("op-b").value] = [source.id, cell.id];
    showOperators();
    byId("operators").scrollIntoView();
  });
  return [button];
}

function makeDetails() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) openCell(opener.dataset.open);
  });
  byId("detail").addEventListener("click", (event) => { if (event.target === byId("detail")) byId("detail").close(); });
}
