"use strict";
// The page's script, joined from a few files in the order of reports/html.py. Everything a model or a configuration
// named reaches the page as text: textContent here, rich text in the charts' tooltips. No markup is ever built.

const DATA = JSON.parse(document.getElementById("data").textContent);
const MISSING = "–";

const byId = (id) => document.getElementById(id);

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "text") made.textContent = value;
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Three significant digits, never in exponent form. */
function significant(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING;
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.max(0, digits - 1 - size));
}

const microseconds = (ns) => (ns === null ? MISSING : significant(ns / 1e3));
/** A unit of time for a whole chart: its divisor in ns, and its name. */
const timeUnit = (longest) => (longest < 1e5 ? [1e3, "µs"] : longest < 1e10 ? [1e6, "ms"] : [1e9, "s"]);

function durationText(ns) {
  if (ns === null) return MISSING;
  const [divisor, name] = timeUnit(ns);
  return `${significant(ns / divisor)} ${name}`;
}

const percent = (share, places = 0) =>
  share === null || share === undefined ? MISSING : (100 * share).toFixed(places) + " %";

function byteText(count) {
  if (count === null || count === undefined) return MISSING;
  let rest = Math.abs(count);
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (rest < 999.5 || unit === "GB") return (count < 0 ? "-" : "") + (unit === "B" ? rest.toFixed(0) : significant(rest)) + " " + unit;
    rest /= 1000;
  }
}

/** A name on one line, its middle left out where it is long. */
function clipped(text, most = 40) {
  const shown = text.replace(/[\u0000-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, "\ufffd");
  if (shown.length <= most) return shown;
  const tail = Math.floor(most / 3);
  return shown.slice(0, most - tail - 1) + "…" + shown.slice(-tail);
}

/** A column of numbers, and one of texts, by their places in DATA. */
const numbersOf = (place) => DATA.columns[place];
const textsOf = (place) => DATA.columns[place].map((at) => (at === null ? null : DATA.strings[at]));
