"""The document for other programs: JSON, CSV for spreadsheets, Markdown for pull requests, a trace for viewers."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from reports import numbers, tables, unmeasured
from reports.html import QUALITIES, VERDICTS
from reports.names import clipped

Json = dict[str, Any]

# Parts of a cell that are tables of their own or belong to the page.
_NOT_IN_CSV = frozenset({"ops", "launches", "settings", "failure", "explanation"})
# Keyed by names of the device's own: no columns.
_BY_NAME = frozenset({"temperatures", "clocks_mhz", "clock_caps_mhz", "prepared"})
# Characters that Markdown or the HTML inside it would act on.
_MARKDOWN = re.compile(r"([\\`*_\[\]|~<>&])")


def json_text(document: Mapping[str, Any]) -> str:
    """The document itself, indented, in ASCII, with a final newline."""
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def csv_text(document: Mapping[str, Any]) -> str:
    """One line a cell, nested keys joined by a dot: `latency_ns.median`. Missing is empty."""
    rows = [dict(_flat(cell)) for cell in document["cells"]]
    columns = dict.fromkeys(key for row in rows for key in row)
    # A part that is missing in one cell gives the bare key there and dotted keys elsewhere: the dotted ones stay.
    parents = {key.rpartition(".")[0] for key in columns}
    kept = [key for key in columns if key not in parents]
    text = io.StringIO()
    writer = csv.DictWriter(text, kept, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    for key, item in value.items():
        if not prefix and key in _NOT_IN_CSV:
            continue
        if isinstance(item, Mapping) and key not in _BY_NAME:
            yield from _flat(item, f"{prefix}{key}.")
        elif isinstance(item, Mapping | list):
            yield prefix + key, json.dumps(item, sort_keys=True)
        else:
            yield prefix + key, item


def markdown_text(document: Mapping[str, Any]) -> str:
    """Answer, matrix and what was left out, for a pull request or a job's summary."""
    lines = [f"# {_escaped(document['campaign']['name'])}", ""]
    if any(device["simulated"] for device in document["devices"]):
        lines += ["> **SIMULATED: times are made up.**", ""]
    if told := tables.unfinished(document):
        lines += [f"> **{told}**; `run_bench.py run --resume` does the rest.", ""]
    lines += ["## Which variant to ship", "", *(_answer(headline) for headline in document["headlines"])]
    for cell in tables.broken_variants(document):
        why = _escaped(cell["quality_why"])
        lines.append(f"- **OUTPUTS BROKEN**: {_escaped(cell['model'])} {_escaped(cell['variant'])}: {why}")
    lines += [f"- {_escaped(name)} was not measured: {_escaped(why)}" for name, why in tables.absent_devices(document)]
    lines += [f"- Every cell of {_escaped(name)}: {_escaped(reason)}." for name, reason in tables.doubts(document)]
    for matrix in tables.matrices(document):
        lines += ["", f"## {_escaped(matrix.model['model'])}", "", *_model_lines(matrix)]
    return "\n".join([*lines, *_left_out(document), "", f"Reproduce: {_code(document['campaign']['command'])}", ""])


def _answer(headline: Json) -> str:
    place = f"{_escaped(headline['model'])} on {_escaped(headline['device'])} {_code(headline['compute_unit'])}"
    grade = f" Grade {headline['grade']}." if headline["grade"] else ""
    caveats = "".join(f" _{_escaped(caveat)}._" for caveat in headline["caveats"])
    return f"- {place}: **{_escaped(headline['sentence'])}**.{grade}{caveats}"


def _model_lines(matrix: tables.Matrix) -> Iterable[str]:
    shown = unmeasured.figures(matrix)
    return _figure_lines(shown) if shown else _matrix_lines(matrix)


def _figure_lines(shown: unmeasured.Figures) -> Iterable[str]:
    yield f"Not measured: {_escaped('; '.join(shown.reasons))}. These are {_escaped(unmeasured.title(shown))}."
    yield ""
    yield "| " + " | ".join(["variant", "outputs", *shown.heads]) + " |"
    yield "|---|---|" + "---:|" * len(shown.heads)
    for row, found in shown.rows:
        texts = [figure.text + (f" ({figure.note})" if figure.note else "") for figure in found]
        yield "| " + " | ".join([_escaped(row.variant), QUALITIES[row.first["quality"]], *map(_escaped, texts)]) + " |"


def _matrix_lines(matrix: tables.Matrix) -> Iterable[str]:
    columns = [f"{_escaped(device)} {_code(unit)}" for device, unit in matrix.columns]
    yield "| " + " | ".join(["variant", "size", "outputs", *columns]) + " |"
    yield "|---|---:|---|" + "---|" * len(columns)
    for row in matrix.rows:
        quality = QUALITIES[row.first["quality"]]
        cells = [", ".join(tables.cell_words(cell, verdicts=VERDICTS, grade="grade {}")) for cell in row.cells]
        size = numbers.size(row.first["size_bytes"])
        yield "| " + " | ".join([_escaped(row.variant), size, quality, *cells]) + " |"


def _left_out(document: Mapping[str, Any]) -> Iterable[str]:
    said = unmeasured.said(document)
    rows = [(failed["path"], failed["error"]) for failed in document["models_failed"]]
    rows += [(f"{failed['model']} {failed['name']}", failed["error"]) for failed in document["builds_failed"]]
    rows += [
        (f"{c['model']} {c['variant']} {c['device']} {c['compute_unit']}", f"{c['outcome']}: {c['reason']}")
        for c in document["cells"]
        if c["outcome"] != "measured" and (c["model"], c["reason"]) not in said
    ]
    rows += [(excluded["what"], excluded["reason"]) for excluded in document["exclusions"]]
    if rows:
        yield from ("", "## Left out and failed", "")
        yield from (f"- {_escaped(what)}: {_escaped(why)}" for what, why in rows)


def _escaped(text: str) -> str:
    return (
        _MARKDOWN.sub(r"\\\1", clipped(text, 240)).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")
    )


def _code(text: str) -> str:
    """An inline code span; a run of backticks longer than any inside cannot be closed from within."""
    shown = clipped(text, 240).replace("|", "\N{BROKEN BAR}")
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def trace_text(document: Mapping[str, Any]) -> str:
    """Chrome's trace format: a track of launches for each unit, and each cell's operators end to end.

    Launches stand where they were in time; operators have no time of their own, only a length, so their tracks start
    at zero. One without a latency (folded, or below the profiler's clock) has no length and is left out. Times are
    microseconds.
    """
    events = [*_launch_events(document), *_operator_events(document)]
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}, allow_nan=False)


def _launch_events(document: Mapping[str, Any]) -> Iterable[Json]:
    began = document["campaign"]["started_at"]
    yield _process_name(0, "launches")
    tracks: dict[tuple[str, str], int] = {}
    for cell in document["cells"]:
        place = cell["device"], cell["compute_unit"]
        if place not in tracks:
            tracks[place] = len(tracks) + 1
            yield _thread_name(0, tracks[place], " ".join(place))
        for launch in cell["launches"]:
            yield {
                "ph": "X",
                "pid": 0,
                "tid": tracks[place],
                "name": f"{cell['model']} {cell['variant']}",
                "ts": (launch["started_at"] - began) * 1e6,
                "dur": launch["wall_s"] * 1e6,
                "args": {"block": launch["block"], "median_ns": launch["median_ns"], "samples": launch["samples"]},
            }


def _operator_events(document: Mapping[str, Any]) -> Iterable[Json]:
    for number, cell in enumerate((cell for cell in document["cells"] if cell["ops"]), 1):
        yield _process_name(number, f"{cell['model']} {cell['variant']} {cell['device']} {cell['compute_unit']}")
        yield _thread_name(number, 1, "operators, end to end")
        began = 0.0
        for op in cell["ops"]:
            if op["latency_ns"] is None:
                continue
            kept = ("index", "type", "shape", "kernels", "placed_on", "label", "macs", "bytes")
            length = op["latency_ns"] / 1e3
            args = {key: op[key] for key in kept}
            yield {"ph": "X", "pid": number, "tid": 1, "name": op["name"], "ts": began, "dur": length, "args": args}
            began += length


def _process_name(pid: int, name: str) -> Json:
    return {"ph": "M", "pid": pid, "name": "process_name", "args": {"name": name}}


def _thread_name(pid: int, tid: int, name: str) -> Json:
    return {"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": name}}
