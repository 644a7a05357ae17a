"""Models that no attached device can run: their variants were built, and computed by a reference, all the same."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reports import numbers
from reports.tables import Matrix, Row, matrices

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One place of the table: its text, what it sorts by (None: unknown), and a remark, empty where there is none."""

    text: str
    value: float | str | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known of one model's variants without a device.

    reasons: why nothing was measured, each once. reference: what computed the outputs, None where nothing could or
    where they mean nothing. rows: the variants that were built, with one figure for each of heads, the source first.
    """

    matrix: Matrix
    reasons: tuple[str, ...]
    reference: str | None
    heads: tuple[str, ...]
    rows: tuple[tuple[Row, tuple[Figure, ...]], ...]


def figures(matrix: Matrix) -> Figures | None:
    """The figures of a model whose every cell the plan skipped, though some variant was built; None for others."""
    built = [row for row in matrix.rows if row.first["size_bytes"] is not None]
    if not built or any(cell["outcome"] != "skipped" for cell in _cells(matrix.rows)):
        return None
    known = [(head, read) for head, read in _COLUMNS.items() if any(_is_known(read(row.first)) for row in built)]
    compared = (row.first["fidelity"] for row in built)
    return Figures(
        matrix=matrix,
        reasons=tuple(dict.fromkeys(cell["reason"] for cell in _cells(built))),
        reference=next((fidelity["reference"] for fidelity in compared if fidelity and fidelity["meaningful"]), None),
        heads=tuple(head for head, _ in known),
        rows=tuple((row, tuple(read(row.first) for _, read in known)) for row in built),
    )


def title(shown: Figures) -> str:
    """What the figures are: `sizes and fidelity by reference (Linux): onnxruntime 1.31.1, not latencies`."""
    by = f" and fidelity by {shown.reference}" if shown.reference else ""
    return f"sizes{by}, not latencies"


def said(document: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Models and reasons that stand above their figures, and need not be said of each cell again."""
    found = (figures(matrix) for matrix in matrices(document))
    return frozenset((shown.matrix.model["model"], reason) for shown in found if shown for reason in shown.reasons)


def _cells(rows: Iterable[Row]) -> list[Json]:
    return [cell for row in rows for cell in row.cells if cell is not None]


def _is_known(figure: Figure) -> bool:
    return figure.value is not None


def _size(cell: Json) -> Figure:
    ratio = (cell["vs_float"] or {}).get("size_ratio")
    note = "" if ratio is None or cell["is_source"] else numbers.percent(ratio)
    return Figure(text=numbers.size(cell["size_bytes"]), value=cell["size_bytes"], note=note)


def _zip(cell: Json) -> Figure:
    return Figure(text=numbers.size(cell["zip_bytes"]), value=cell["zip_bytes"])


def _weights(cell: Json) -> Figure:
    compressed = cell["weights_compressed"]
    text = numbers.MISSING if compressed is None else f"{compressed} of {cell['weights_total']}"
    return Figure(text=text, value=compressed)


def _snr(cell: Json) -> Figure:
    fidelity = cell["fidelity"]
    if not fidelity or not fidelity["meaningful"]:
        return _UNKNOWN
    if fidelity["max_abs_error"] == 0:
        return Figure(text="identical", value="identical")
    snr = fidelity["snr_db"]
    return _UNKNOWN if snr is None else Figure(text=f"{snr:.1f} dB", value=snr)


def _agreement(cell: Json) -> Figure:
    fidelity = cell["fidelity"]
    agreement = fidelity["top1_agreement"] if fidelity and fidelity["meaningful"] else None
    return Figure(text=numbers.percent(agreement, 1), value=agreement)


def _accuracy(cell: Json) -> Figure:
    accuracy = cell["accuracy"]
    if not accuracy:
        return _UNKNOWN
    return Figure(text=numbers.percent(accuracy["value"], 1), value=accuracy["value"], note=accuracy["metric"])


def _target(cell: Json) -> Figure:
    return Figure(text=cell["target"] or numbers.MISSING, value=cell["target"])


_UNKNOWN = Figure(text=numbers.MISSING, value=None)
_COLUMNS: Mapping[str, Callable[[Json], Figure]] = {
    "size": _size,
    "zip": _zip,
    "weights": _weights,
    "SNR": _snr,
    "top-1 same": _agreement,
    "accuracy": _accuracy,
    "target": _target,
}
