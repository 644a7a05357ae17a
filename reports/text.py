"""The campaign on a terminal: the answer for each unit, then the matrix. Plain text; colour is the caller's."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from reports import numbers, tables
from reports.names import clipped

Json = dict[str, Any]
_MARKS = {"faster": "faster", "slower": "SLOWER", "same": "same", "inconclusive": "?"}
_NARROWEST = 40


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
    for headline in document["headlines"]:
        yield f"{_place(headline)}: {headline['sentence']}" + (f" [{headline['grade']}]" if headline["grade"] else "")
        yield from (f"    {caveat}" for caveat in headline["caveats"])
    for cell in tables.broken_variants(document):
        yield f"OUTPUTS BROKEN: {clipped(cell['model'], 30)} {clipped(cell['variant'], 30)}: {cell['quality_why']}"
    for matrix in tables.matrices(document):
        if matrix.rows:
            yield from (
                "",
                f"{clipped(matrix.model['model'], 60)}, latency against the source:",
                *_table(matrix, width),
            )
    yield from _failures(document)


def _place(headline: Json) -> str:
    return f"{clipped(headline['model'], 30)} on {clipped(headline['device'], 20)} {headline['compute_unit']}"


def _table(matrix: tables.Matrix, width: int) -> Iterable[str]:
    header = ["variant", "size", *(f"{clipped(device, 12)} {unit}" for device, unit in matrix.columns)]
    body = [
        [clipped(row.variant, 28), numbers.size(row.first["size_bytes"]), *(_cell(cell) for cell in row.cells)]
        for row in matrix.rows
    ]
    widths = [max(len(row[i]) for row in [header, *body]) for i in range(len(header))]
    for shown in _fitting(widths, width):
        for row in [header, *body]:
            yield "  " + "  ".join(_padded(row[i], widths[i], i) for i in shown).rstrip()


def _fitting(widths: list[int], width: int) -> Iterable[list[int]]:
    """Which columns stand in one block of the table: variant, size and as many units as fit; the rest follow."""
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


def _cell(cell: Json | None) -> str:
    if cell is None:
        return ""
    if not cell["latency_ns"]:
        return str(cell["outcome"])
    latency, against = cell["latency_ns"], cell["vs_float"] or {}
    time = numbers.duration(latency["median"], latency["ci95"])
    ratio = "" if cell["is_source"] else numbers.times(against.get("latency_ratio"), against.get("ci95"))
    mark = _MARKS.get(against.get("verdict") or "", "")
    doubt = "INVALID" if cell["outcome"] == "invalid" else ""
    return " ".join(part for part in (ratio, mark, time, f"[{cell['grade']}]" if cell["grade"] else "", doubt) if part)


def _failures(document: Mapping[str, Any]) -> Iterable[str]:
    lines = [f"failed: {failed['error']}" for failed in document["models_failed"]]
    lines += [
        f"{'refused' if failed['refused'] else 'not built'}: {clipped(failed['model'], 30)} "
        f"{clipped(failed['name'], 30)}: {failed['error']}"
        for failed in document["builds_failed"]
    ]
    unbuilt = {(failed["model"], failed["name"]) for failed in document["builds_failed"]}
    lines += [
        f"{c['outcome']}: {clipped(c['model'], 30)} {clipped(c['variant'], 30)} {c['compute_unit']}: {c['reason']}"
        for c in document["cells"]
        if c["outcome"] in ("failed", "invalid") and (c["model"], c["variant"]) not in unbuilt
    ]
    if lines:
        yield ""
        yield from lines
