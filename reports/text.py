"""The campaign on a terminal: the answer for each unit, then the matrix. Plain text; colour is the caller's."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from reports import numbers, tables, unmeasured
from reports.listings import by_reason
from reports.names import clipped

Json = dict[str, Any]
_MARKS = {"faster": "faster", "slower": "SLOWER", "same": "same", "inconclusive": "?"}
_OUTPUTS = {
    "kept": "kept",
    "reduced": "reduced",
    "broken": "BROKEN",
    "not meaningful": "no meaning",
    "unknown": "unknown",
}
_NARROWEST = 40
_MOST = 6
_LONGEST = 220


def summary(document: Mapping[str, Any], width: int) -> str:
    """Lines of at most `width` columns (40 at least), without a final newline."""
    width = max(width, _NARROWEST)
    return "\n".join(line for text in _lines(document, width) for line in _wrapped(text, width)).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    """text on one line where it fits, else on several, the later ones indented; spaces of a table stay."""
    shown = clipped(text, 1000)
    if len(shown) <= width:
        return [shown]
    indent = " " * (len(shown) - len(shown.lstrip()) + 4)
    return textwrap.wrap(shown, width, subsequent_indent=indent, break_on_hyphens=False)


def _lines(document: Mapping[str, Any], width: int) -> Iterable[str]:
    if any(device["simulated"] for device in document["devices"]):
        yield "SIMULATED: times are made up."
        yield ""
    if told := tables.unfinished(document):
        yield f"{told}; `run_bench.py run --resume` does the rest"
        yield ""
    yield from _answers(document["headlines"])
    yield from _absent(document)
    yield from (f"every cell of {clipped(name, 30)}: {reason}" for name, reason in tables.doubts(document))
    yield from _capped(
        f"OUTPUTS BROKEN: {clipped(cell['model'], 30)} {clipped(cell['variant'], 30)}: {cell['quality_why']}"
        for cell in tables.broken_variants(document)
    )
    for matrix in tables.matrices(document):
        if _timed(matrix):
            yield from ("", f"{_title(matrix)}, latency against the source:", *_table(*_latencies(matrix), width))
        elif shown := unmeasured.figures(matrix):
            reasons = "; ".join(shown.reasons)
            yield from ("", f"{_title(matrix)}, {unmeasured.title(shown)} ({reasons}):", *_table(*_known(shown), width))
    yield from _failures(document)


def _answers(headlines: Iterable[Json]) -> Iterable[str]:
    """Every answer with its caveats; of the places without one the first few."""
    without = [headline for headline in headlines if headline["state"] == "nothing"]
    for headline in headlines:
        if headline not in without:
            yield f"{_place(headline)}: {headline['sentence']}" + (
                f" [{headline['grade']}]" if headline["grade"] else ""
            )
            yield from (f"    {caveat}" for caveat in headline["caveats"])
    yield from _capped(f"{_place(headline)}: {headline['sentence']}" for headline in without)


def _absent(document: Mapping[str, Any]) -> Iterable[str]:
    """Devices that were asked for and offer nothing."""
    for device, why in tables.absent_devices(document):
        yield f"{clipped(device, 30)}: not measured: {clipped(why, _LONGEST)}"


def _capped(lines: Iterable[str]) -> Iterable[str]:
    """The first few, each cut to what a reader takes in, and how many more there are."""
    shown = list(lines)
    yield from (clipped(line, _LONGEST) for line in shown[:_MOST])
    if len(shown) > _MOST:
        yield f"and {len(shown) - _MOST} more in the report"


def _timed(matrix: tables.Matrix) -> list[tables.Row]:
    """Rows with a time in any place; the others are among the failures."""
    return [row for row in matrix.rows if any(cell and cell["latency_ns"] for cell in row.cells)]


def _place(headline: Json) -> str:
    return f"{clipped(headline['model'], 30)} on {clipped(headline['device'], 20)} {headline['compute_unit']}"


def _only_device(matrix: tables.Matrix) -> str | None:
    devices = {device for device, _ in matrix.columns}
    return devices.pop() if len(devices) == 1 else None


def _title(matrix: tables.Matrix) -> str:
    device = _only_device(matrix)
    return clipped(matrix.model["model"], 60) + (f" on {clipped(device, 40)}" if device else "")


Lines = tuple[list[str], list[list[str]]]  # a table's header and body: variant, size, and what else there is


def _latencies(matrix: tables.Matrix) -> Lines:
    one = _only_device(matrix) is not None
    header = ["variant", "size", *(unit if one else f"{clipped(device, 16)} {unit}" for device, unit in matrix.columns)]
    body = [[clipped(row.variant, 28), numbers.size(row.first["size_bytes"]), *_words(row)] for row in _timed(matrix)]
    return header, body


def _known(shown: unmeasured.Figures) -> Lines:
    """The word for the outputs stands early: the last columns may follow below."""
    body = [
        [clipped(row.variant, 28), size.text, _OUTPUTS[row.first["quality"]], *(figure.text for figure in others)]
        for row, (size, *others) in shown.rows
    ]
    return ["variant", "size", "outputs", *shown.heads[1:]], body


def _table(header: list[str], body: list[list[str]], width: int) -> Iterable[str]:
    widths = [max(len(row[i]) for row in [header, *body]) for i in range(len(header))]
    for shown in _fitting(widths, width):
        for row in [header, *body]:
            yield "  " + "  ".join(_padded(row[i], widths[i], i) for i in shown).rstrip()


def _words(row: tables.Row) -> Iterable[str]:
    return (" ".join(tables.cell_words(cell, verdicts=_MARKS, grade="[{}]")) for cell in row.cells)


def _fitting(widths: list[int], width: int) -> Iterable[list[int]]:
    """Which columns stand in one block of the table: variant, size and as many others as fit; the rest follow."""
    fixed = 2 + widths[0] + 2 + widths[1]
    block, used = [0, 1], fixed
    for column in range(2, len(widths)):
        if len(block) > 2 and used + 2 + widths[column] > width:
            yield block
            block, used = [0, 1], fixed
        block.append(column)
        used += 2 + widths[column]
    yield block


def _padded(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column == 1 else text.ljust(width)


def _failures(document: Mapping[str, Any]) -> Iterable[str]:
    lines = [f"failed: {failed['error']}" for failed in document["models_failed"]]
    lines += [
        f"{'refused' if failed['refused'] else 'not built'}: {clipped(failed['model'], 30)} "
        f"{clipped(failed['name'], 30)}: {failed['error']}"
        for failed in document["builds_failed"]
    ]
    unbuilt = {(failed["model"], failed["name"]) for failed in document["builds_failed"]}
    lost = [c for c in document["cells"] if c["outcome"] in ("failed", "invalid")]
    places = [(c, _cell_name(c, document)) for c in lost if (c["model"], c["variant"]) not in unbuilt]
    for outcome in ("failed", "invalid"):
        reasons = by_reason((place, c["reason"]) for c, place in places if c["outcome"] == outcome)
        lines += [f"{outcome}: {line}" for line in reasons]
    lines += [f"skipped: {line}" for line in by_reason(_skipped(document))]
    if lines:
        yield ""
        yield from _capped(lines)


def _skipped(document: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Skipped cells whose reason is said nowhere above."""
    refused = {(failed["model"], failed["name"]) for failed in document["builds_failed"]}
    said = unmeasured.said(document)
    for cell in document["cells"]:
        known = (cell["model"], cell["variant"]) in refused or (cell["model"], cell["reason"]) in said
        if cell["outcome"] == "skipped" and not known:
            yield _cell_name(cell, document), cell["reason"]


def _cell_name(cell: Json, document: Mapping[str, Any]) -> str:
    """The device stands in it where there are several."""
    device = f"{clipped(cell['device'], 20)} " if len(document["devices"]) > 1 else ""
    return f"{clipped(cell['model'], 30)} {clipped(cell['variant'], 30)} {device}{cell['compute_unit']}"
