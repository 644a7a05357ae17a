"use strict";
// The charts. Colours come from the style sheet, so that a theme is chosen in one place.

const drawn = new Map();
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin"];
const CROSS = "path://M2,0 L5,3 L8,0 L10,2 L7,5 L10,8 L8,10 L5,7 L2,10 L0,8 L3,5 L0,2 Z";

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

const narrow = () => window.innerWidth < 640;

/** Draw into the element, or say in words why there is nothing to draw. */
function draw(id, option, height, empty) {
  const place = byId(id);
  if (drawn.has(id)) drawn.get(id).dispose();
  drawn.delete(id);
  place.replaceChildren();
  if (!option) {
    place.style.height = "auto";
    place.append(element("p", { text: empty }));
    return;
  }
  place.style.height = height + "px";
  const chart = echarts.init(place, null, { renderer: "svg" });
  drawn.set(id, chart);
  chart.setOption({ animation: false, aria: { enabled: true }, ...option });
}

function resizeCharts() {
  for (const chart of drawn.values()) chart.resize();
}

function textStyle() {
  return { color: colour("ink"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 };
}

function tooltip(lines) {
  return {
    trigger: "item", renderMode: "richText", confine: true, padding: [8, 10],
    backgroundColor: colour("panel"), borderColor: colour("line"), borderWidth: 1, textStyle: textStyle(),
    formatter: (point) => lines(point).filter(Boolean).map(plain).join("\n"),
  };
}

/** Rich text has a markup of its own, {style|text}: braces of a name must not start one. */
const plain = (line) => line.replace(/\{/g, "❴").replace(/\}/g, "❵");

function axis(name, extra = {}) {
  return {
    name, nameLocation: "middle", nameGap: 30,
    nameTextStyle: { color: colour("muted") },
    axisLabel: { color: colour("muted"), hideOverlap: true },
    axisLine: { show: true, lineStyle: { color: colour("line") } },
    axisTick: { lineStyle: { color: colour("line") } },
    splitLine: { lineStyle: { color: colour("hair") } },
    minorSplitLine: { show: false },
    ...extra,
  };
}

function names(labels) {
  return axis("", {
    type: "category", inverse: true, data: labels.map((label) => plain(clipped(label, narrow() ? 16 : 30))),
    axisTick: { show: false }, splitLine: { show: false },
    axisLabel: { color: colour("ink"), interval: 0, width: narrow() ? 110 : 190, overflow: "truncate" },
  });
}

const room = () => ({ left: narrow() ? 120 : 205, right: narrow() ? 20 : 28, top: 14, bottom: 48, containLabel: false });

function legend(entries) {
  return {
    data: entries, top: 0, left: 0, itemWidth: 14, itemHeight: 10, itemGap: 16, type: "plain",
    textStyle: { color: colour("ink") }, inactiveColor: colour("muted"),
  };
}

/** An axis of latencies or ratios: logarithmic where the values span more than a factor of 3, with ticks at 1, 2, 5. */
function spanAxis(name, values, label) {
  const low = Math.min(...values), high = Math.max(...values);
  if (!(low > 0) || high / low < 3) return axis(name, { type: "value", ...linearBounds(low, high), axisLabel: { color: colour("muted"), formatter: label, hideOverlap: true } });
  const bounds = { min: low / (high / low) ** 0.08, max: high * (high / low) ** 0.12 };
  const ticks = [];
  for (let power = Math.floor(Math.log10(bounds.min)); power <= Math.log10(bounds.max); power++) {
    const steps = bounds.max / bounds.min > 1000 ? [1] : [1, 2, 5];
    for (const step of steps) if (step * 10 ** power >= bounds.min && step * 10 ** power <= bounds.max) ticks.push(Number((step * 10 ** power).toPrecision(2)));
  }
  return axis(name, {
    type: "log", ...bounds, axisTick: { customValues: ticks, lineStyle: { color: colour("line") } },
    axisLabel: { color: colour("muted"), formatter: label, hideOverlap: true, customValues: ticks },
  });
}

function linearBounds(low, high) {
  const step = niceStep((high - low || Math.abs(high) || 1) / 4);
  const floor = Math.floor((low - 0.2 * step) / step) * step;
  return { min: low >= 0 ? Math.max(0, floor) : floor, max: Math.ceil((high + 0.2 * step) / step) * step, interval: step };
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((nice) => nice * power >= rough) || 10);
}

/** An axis from zero: sizes are compared by length. */
function sizeAxis(values) {
  const step = niceStep(Math.max(...values) * 1.08 / 4);
  return axis("", { type: "value", min: 0, max: Math.ceil(Math.max(...values) * 1.04 / step) * step, interval: step, axisLabel: { color: colour("muted"), formatter: (v) => byteText(v).replace(/\.0+ /, " ") } });
}

const PARETO_AXES = {
  size: { name: "File size", value: (cell) => cell.size, text: byteText, down: true },
  zip: { name: "Zipped size", value: (cell) => cell.zip, text: byteText, down: true },
  accuracy: { name: "Accuracy", value: (cell) => cell.accuracy, text: (v) => v.toFixed(3), down: false },
  snr: { name: "SNR, dB", value: (cell) => cell.snr, text: (v) => significant(v), down: false },
};

function drawPareto(cells, key) {
  const chosen = PARETO_AXES[key];
  const points = cells.filter((cell) => cell.median !== null && chosen.value(cell) !== null).sort((x, y) => importance(x) - importance(y));
  if (cells.every((cell) => cell.median === null)) return draw("chart-pareto", null, 0, "No latency was measured here.");
  if (!points.length) return draw("chart-pareto", null, 0, `No measured cell here has this: ${chosen.name.toLowerCase()}.`);
  const front = frontOf(points, chosen);
  const [divisor, unit] = timeUnit(Math.sqrt(Math.min(...points.map((cell) => cell.median)) * Math.max(...points.map((cell) => cell.median))));
  const told = labelled(points, chosen, front);
  const looks = (cell) => {
    if (cell.quality === "broken") return { symbol: CROSS, symbolSize: 13, itemStyle: { color: colour("alarm") } };
    if (cell.is_source) return { symbol: "diamond", symbolSize: 15, itemStyle: { color: colour("ink") } };
    const hollow = cell.grade === "D" || cell.outcome === "invalid";
    return { symbol: "circle", symbolSize: 11, itemStyle: { color: hollow ? colour("panel") : colour("series-1"), borderColor: colour("series-1"), borderWidth: hollow ? 1.5 : 0 } };
  };
  draw("chart-pareto", {
    grid: { left: 70, right: 26, top: 18, bottom: 48 },
    tooltip: tooltip(({ data }) => data.cell && cellLines(data.cell)),
    xAxis: spanAxis("Latency, " + unit, points.map((cell) => cell.median / divisor), (v) => String(Number(v.toPrecision(3)))),
    yAxis: chosen.down ? sizeAxis(points.map(chosen.value)) : spanAxis("", points.map(chosen.value), (v) => chosen.text(v)),
    series: [
      { type: "line", silent: true, symbol: "none", data: front.map((cell) => [cell.median / divisor, chosen.value(cell)]), lineStyle: { color: colour("series-1"), width: 1.2, type: "dashed", opacity: 0.7 }, z: 1 },
      {
        type: "scatter", z: 3,
        data: points.map((cell) => ({ value: [cell.median / divisor, chosen.value(cell)], cell, name: cell.variant, label: { show: told.has(cell) }, ...looks(cell) })),
        label: { show: true, position: "right", distance: 8, color: colour("ink"), fontSize: 11.5, formatter: ({ data }) => plain(clipped(data.cell.variant, narrow() ? 14 : 24)), textBorderColor: colour("panel"), textBorderWidth: 3 },
        labelLine: { show: true, lineStyle: { color: colour("muted"), width: 0.7 } },
        labelLayout: apart(byId("chart-pareto"), points.map((cell) => [cell.median / divisor, chosen.value(cell)])),
      },
    ],
  }, 400);
}

/** The points whose names are written: all of a few; of many those that matter and those that stand apart from them. */
function labelled(points, chosen, front) {
  if (points.length <= 14) return new Set(points);
  const xs = points.map((cell) => Math.log(cell.median)), ys = points.map(chosen.value);
  const scale = (value, all) => (value - Math.min(...all)) / (Math.max(...all) - Math.min(...all) || 1);
  const place = (cell) => [scale(Math.log(cell.median), xs), scale(chosen.value(cell), ys)];
  const told = new Set(points.filter((cell) => importance(cell) === 1 || front.includes(cell)));
  const near = (a, b) => Math.abs(a[0] - b[0]) < 0.2 && Math.abs(a[1] - b[1]) < 0.05;
  for (const cell of points) if (![...told].some((other) => near(place(cell), place(other)))) told.add(cell);
  return told;
}

/** Labels beside their points, moved up and down until they stand clear of one another and of every point. */
function apart(place, points) {
  const marks = () => points.map((point) => drawn.get(place.id).convertToPixel("grid", point))
    .map(([x, y]) => ({ x: x - 6, y: y - 6, width: 12, height: 12 }));
  let taken = [];
  return ({ dataIndex, labelRect, rect }) => {
    if (dataIndex === 0) taken = marks();
    const right = rect.x + rect.width + 8, width = labelRect.width, height = labelRect.height;
    const x = right + width < place.clientWidth - 4 ? right : rect.x - 8 - width;
    const free = (y) => taken.every((t) => x + width < t.x || t.x + t.width < x || y + height <= t.y || t.y + t.height <= y);
    const floor = place.clientHeight - 52 - height, start = rect.y + rect.height / 2 - height / 2;
    let y = start;
    for (let step = 0; !free(y) && step < 60; step++) y = start + (step % 2 ? 1 : -1) * Math.ceil((step + 1) / 2) * 5;
    y = Math.max(2, Math.min(y, floor));
    taken.push({ x, y, width, height });
    return { x, y, align: "left", verticalAlign: "top", hideOverlap: false };
  };
}

/** The variants that none beats in both; broken outputs and invalid cells do not compete. */
function frontOf(points, chosen) {
  const rivals = points.filter((cell) => cell.quality !== "broken" && cell.outcome === "measured")
    .sort((x, y) => x.median - y.median);
  let best = null;
  return rivals.filter((cell) => {
    const value = chosen.value(cell);
    const wins = best === null || (chosen.down ? value < best : value > best);
    if (wins) best = value;
    return wins;
  });
}

function cellLines(cell) {
  return [
    clipped(cell.variant, 60) + (cell.is_source ? " (source)" : ""),
    `${durationText(cell.median)}${cell.ci ? `  (${durationText(cell.ci[0])} – ${durationText(cell.ci[1])})` : ""}`,
    cell.ratio !== null && `${significant(cell.ratio)}× the source${cell.verdict ? ", " + cell.verdict : ""}`,
    `${byteText(cell.size)}, zipped ${byteText(cell.zip)}`,
    cell.accuracy !== null && `${cell.metric} ${cell.accuracy.toFixed(3)}`,
    cell.snr !== null && `SNR ${significant(cell.snr)} dB`,
    cell.quality === "broken" && "OUTPUTS BROKEN",
    cell.grade && `grade ${cell.grade}`,
  ];
}

/** What is drawn last is never covered. */
const importance = (cell) => (cell.quality === "broken" ? 2 : cell.is_source ? 1 : 0);

const VERDICT_LOOKS = { faster: "series-3", slower: "series-2", same: "same", inconclusive: "doubt" };
const VERDICT_SYMBOLS = { faster: "circle", slower: "triangle", same: "rect", inconclusive: "circle" };

function drawRatios(cells) {
  const compared = cells.filter((cell) => cell.ratio !== null && !cell.is_source).sort((x, y) => x.ratio - y.ratio);
  if (!compared.length) return draw("chart-ratio", null, 0, "Nothing here compares with a source.");
  const bounds = compared.flatMap((cell) => [cell.ratio, ...(cell.ratioCi || [])]).concat(1);
  const series = Object.keys(VERDICT_LOOKS).map((verdict) => ({
    type: "scatter", name: verdict, symbol: VERDICT_SYMBOLS[verdict], symbolSize: 10, z: 3,
    itemStyle: { color: colour(verdict === "inconclusive" ? "panel" : VERDICT_LOOKS[verdict]), borderColor: colour(VERDICT_LOOKS[verdict]), borderWidth: verdict === "inconclusive" ? 2 : 0 },
    data: compared.flatMap((cell, row) => (cell.verdict === verdict ? [{ value: [cell.ratio, row], cell }] : [])),
  })).filter((one) => one.data.length);
  draw("chart-ratio", {
    grid: { ...room(), top: 34 }, legend: legend(series.map((one) => one.name)), tooltip: tooltip(({ data }) => cellLines(data.cell)),
    xAxis: spanAxis("× the source's latency", bounds, (v) => String(Number(v.toPrecision(2)))),
    yAxis: names(compared.map((cell) => cell.variant)),
    series: [...series, whiskers(compared.map((cell, row) => cell.ratioCi && [cell.ratioCi[0], cell.ratioCi[1], row, VERDICT_LOOKS[cell.verdict]])), lineAtOne()],
  }, Math.max(340, 100 + 26 * compared.length));
}

function lineAtOne() {
  return { type: "scatter", data: [], silent: true, markLine: { symbol: "none", silent: true, animation: false, label: { show: false }, data: [{ xAxis: 1 }], lineStyle: { color: colour("muted"), type: "solid", width: 1 } } };
}

function whiskers(spans) {
  return {
    type: "custom", silent: true, z: 2,
    data: spans.filter(Boolean).map(([low, high, row, look]) => ({ value: [low, high, row], look })),
    encode: { x: [0, 1], y: 2 },
    renderItem: (params, api) => {
      const [x0, y] = api.coord([api.value(0), api.value(2)]);
      const [x1] = api.coord([api.value(1), api.value(2)]);
      const style = { stroke: colour(spans.filter(Boolean)[params.dataIndex][3] || "muted"), lineWidth: 2, fill: null };
      const line = (a, b, c, d) => ({ type: "line", shape: { x1: a, y1: b, x2: c, y2: d }, style });
      return { type: "group", children: [line(x0, y, x1, y), line(x0, y - 4, x0, y + 4), line(x1, y - 4, x1, y + 4)] };
    },
  };
}

/** Why some launches have a median and no more, with the step their tool tells times in. */
function noteTold(cells) {
  const told = cells.filter((cell) => cell.median !== null && cell.detail.raw === false);
  byId("launch-notes").replaceChildren(...(told.length ? [element("span", { class: "doubt", text: toldText(told[0].detail, "each dot is a launch's median as the tool told it") })] : []));
}

function toldText(detail, shown) {
  const step = detail.resolution ? ` Its times come in steps of ${durationText(detail.resolution)}.` : "";
  return `${clipped(detail.runtime || "The tool", 60)} keeps no single samples: ${shown}, and p10 to p99 are unknown.${step}`;
}

function drawLaunches(cells) {
  noteTold(cells);
  const timed = cells.filter((cell) => cell.median > 0 && cell.launches.length);
  if (!timed.length) return draw("chart-launches", null, 0, "No launch was timed here.");
  const points = timed.flatMap((cell, row) => cell.launches.flatMap((ns, i) =>
    (ns === null ? [] : [{ value: [100 * (ns / cell.median - 1), row], cell, ns, block: cell.blocks[i] }])));
  const reach = Math.max(2, ...points.map((point) => Math.abs(point.value[0])));
  const far = niceStep(reach * 1.05);
  draw("chart-launches", {
    grid: room(),
    tooltip: tooltip(({ data }) => data.cell && [clipped(data.cell.variant, 60), `block ${data.block}: ${durationText(data.ns)}`, `${data.value[0].toFixed(1)} % off the cell's median`]),
    xAxis: axis("% off the cell's median", { type: "value", min: -far, max: far, interval: far / 2, axisLabel: { color: colour("muted"), formatter: (v) => (v > 0 ? "+" : "") + Number(v.toPrecision(3)) } }),
    yAxis: names(timed.map((cell) => cell.variant)),
    series: [
      boxes(timed),
      { type: "scatter", data: points, symbolSize: 8, itemStyle: { color: colour("series-1"), opacity: 0.75 }, z: 3 },
    ],
  }, Math.max(220, 90 + 28 * timed.length));
}

/** A box from the lower to the upper quartile of the launch medians, a stroke at their median. */
function boxes(timed) {
  const quartiles = timed.map((cell, row) => {
    const sorted = cell.launches.filter((ns) => ns !== null).map((ns) => 100 * (ns / cell.median - 1)).sort((x, y) => x - y);
    const at = (share) => { const k = share * (sorted.length - 1), i = Math.floor(k); return sorted[i] + (k - i) * ((sorted[i + 1] ?? sorted[i]) - sorted[i]); };
    return { value: [at(0.25), at(0.5), at(0.75), row] };
  });
  return {
    type: "custom", silent: true, z: 2, data: quartiles, encode: { x: [0, 1, 2], y: 3 },
    renderItem: (params, api) => {
      const [low, middle, high] = [0, 1, 2].map((k) => api.coord([api.value(k), api.value(3)]));
      return {
        type: "group", children: [
          { type: "rect", shape: { x: low[0], y: low[1] - 8, width: Math.max(1, high[0] - low[0]), height: 16 }, style: { fill: colour("accent-soft"), stroke: colour("series-1"), lineWidth: 1 } },
          { type: "line", shape: { x1: middle[0], y1: middle[1] - 8, x2: middle[0], y2: middle[1] + 8 }, style: { stroke: colour("series-1"), lineWidth: 2 } },
        ],
      };
    },
  };
}

function drawMemory(cells) {
  const known = cells.filter((cell) => cell.memory.after_run !== null || cell.memory.peak !== null);
  if (!known.length) return draw("chart-memory", null, 0, "No memory was read here.");
  const split = known.some((cell) => cell.memory.anonymous !== null);
  const mb = (value) => (value === null ? null : value / 1e6);
  const bar = (name, key, look) => ({ type: "bar", name, stack: "after", barMaxWidth: 16, itemStyle: { color: colour(look) }, data: known.map((cell) => ({ value: mb(cell.memory[key]), cell })) });
  const bars = split ? [bar("anonymous", "anonymous", "series-1"), bar("file-backed", "file_backed", "series-1-soft")] : [bar("after run", "after_run", "series-1")];
  const peak = { type: "scatter", name: "peak", symbol: "diamond", symbolSize: 12, itemStyle: { color: colour("series-2") }, z: 4, data: known.flatMap((cell, row) => (cell.memory.peak === null ? [] : [{ value: [mb(cell.memory.peak), row], cell }])) };
  draw("chart-memory", {
    grid: { ...room(), top: 34 }, legend: legend([...bars.map((one) => one.name), "peak"]),
    tooltip: tooltip(({ data }) => [clipped(data.cell.variant, 60), `after run ${byteText(data.cell.memory.after_run)}`, `anonymous ${byteText(data.cell.memory.anonymous)}`, `file-backed ${byteText(data.cell.memory.file_backed)}`, `peak ${byteText(data.cell.memory.peak)}`]),
    xAxis: axis("MB", { type: "value" }),
    yAxis: names(known.map((cell) => cell.variant)),
    series: [...bars, peak],
  }, Math.max(220, 110 + 26 * known.length));
}

function drawOperators(pairs, labels) {
  const cost = ([a, b]) => Math.max(a && a.ns !== null ? a.ns : 0, b && b.ns !== null ? b.ns : 0);
  const top = pairs.filter((pair) => cost(pair) > 0).sort((x, y) => cost(y) - cost(x)).slice(0, 20);
  if (!top.length) return draw("chart-ops", null, 0, "No operator times to compare.");
  const series = (side, name, look) => ({
    type: "bar", name, barMaxWidth: 11, barGap: "10%", itemStyle: { color: colour(look) },
    data: top.map((pair) => ({ value: pair[side] && pair[side].ns !== null ? pair[side].ns / 1e3 : null, pair })),
  });
  draw("chart-ops", {
    grid: { ...room(), top: 34 }, legend: legend(["A", "B"]),
    tooltip: tooltip(({ data }) => {
      const op = data.pair[0] || data.pair[1];
      return [clipped(op.name, 60), `${op.type}  ${op.shape}`, ...[0, 1].map((side) => `${"AB"[side]} ${clipped(labels[side], 50)}: ${data.pair[side] ? operatorTime(data.pair[side]) + (data.pair[side].ns === null && !isBelow(data.pair[side]) ? "" : " µs") : "has no such operator"}`)];
    }),
    xAxis: axis("µs", { type: "value" }),
    yAxis: names(top.map(([a, b]) => shortOperator(a || b))),
    series: [series(0, "A", "series-1"), series(1, "B", "series-2")],
  }, 90 + 28 * top.length);
}

/** The end of a path says more than its start. */
function shortOperator(op) {
  if (op.index < 0) return "unmapped: " + op.name;
  const last = op.name.split(";").pop().split("/").filter(Boolean).slice(-2).join("/") || op.type;
  return `${op.index} ${last}`;
}
