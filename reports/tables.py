"""The shapes of the report's tables, from the document."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from reports import numbers
from reports.delegates import cell_marks
from reports.device_view import absence

Json = dict[str, Any]
Column = tuple[str, str]  # device, compute unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One variant of the matrix. cells has one place for each column, None where the plan had no such cell."""

    variant: str
    first: Json
    cells: tuple[Json | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Variants x units of one model. not_built are variants that never became a cell.

    skipped has one place for each column: why the plan left all of it out, None where it holds anything else.
    """

    model: Json
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    not_built: tuple[Json, ...]

    @property
    def devices(self) -> tuple[tuple[str, int], ...]:
        """Each run of columns of one device: its name and how many columns."""
        return tuple((device, len(list(run))) for device, run in groupby(device for device, _ in self.columns))

    @property
    def starts(self) -> tuple[bool, ...]:
        """Whether each column is the first of its device, where there are several devices."""
        several = len(self.devices) > 1
        return tuple(several and place == 0 for _, count in self.devices for place in range(count))

    @property
    def skipped(self) -> tuple[str | None, ...]:
        return tuple(_shared_reason([row.cells[place] for row in self.rows]) for place in range(len(self.columns)))


def _shared_reason(cells: Sequence[Json | None]) -> str | None:
    reasons = {cell["reason"] if cell and cell["outcome"] == "skipped" else None for cell in cells}
    return reasons.pop() if len(reasons) == 1 else None


def matrices(document: Mapping[str, Any]) -> tuple[Matrix, ...]:
    """One matrix a model, in the document's order, the source's row first."""
    known = {model["model"]: model for model in document["models"]}
    names = dict.fromkeys([*known, *(cell["model"] for cell in document["cells"])])
    return tuple(_matrix(document, name, known.get(name, {"model": name, "random_weights": False})) for name in names)


def unfinished(document: Mapping[str, Any]) -> str | None:
    """That the campaign has not ended, and how far it came; None where it has."""
    if document["campaign"]["ended_at"] is not None:
        return None
    # A cell whose launches are not all done has times as well.
    timed = sum(cell["latency_ns"] is not None for cell in document["cells"])
    return f"not finished: {timed} of {len(document['cells'])} cells have times so far"


def _matrix(document: Mapping[str, Any], name: str, model: Json) -> Matrix:
    cells = [cell for cell in document["cells"] if cell["model"] == name]
    found = dict.fromkeys((cell["device"], cell["compute_unit"]) for cell in cells)
    order = list(dict.fromkeys(device for device, _ in found))
    columns = tuple(sorted(found, key=lambda column: order.index(column[0])))
    variants: dict[str, dict[Column, Json]] = {}
    for cell in sorted(cells, key=lambda cell: not cell["is_source"]):
        variants.setdefault(cell["variant"], {})[cell["device"], cell["compute_unit"]] = cell
    return Matrix(
        model=model,
        columns=columns,
        rows=tuple(
            Row(variant=variant, first=_fullest(list(found.values())), cells=tuple(found.get(c) for c in columns))
            for variant, found in variants.items()
        ),
        not_built=tuple(failed for failed in document["builds_failed"] if failed["model"] == name),
    )


def _fullest(cells: Sequence[Json]) -> Json:
    """A cell that knows its variant's size, where one does: units that failed early may not."""
    return next((cell for cell in cells if cell["size_bytes"] is not None and cell["vs_float"]), cells[0])


def cell_words(cell: Json | None, *, verdicts: Mapping[str, str], grade: str) -> list[str]:
    """A place of the matrix in words: ratio, verdict, median, grade; what it lacks is left out.

    verdicts are the words for each verdict, grade is a pattern with one place for the letter.
    """
    if cell is None:
        return []
    if not cell["latency_ns"]:
        return [str(cell["outcome"])]
    latency, against = cell["latency_ns"], cell["vs_float"] or {}
    ratio = against.get("latency_ratio")
    words = [
        "" if cell["is_source"] or ratio is None else numbers.times(ratio, against.get("ci95")),
        f"(over {against['unit']})" if against.get("unit") else "",
        verdicts.get(against.get("verdict") or "", ""),
        numbers.duration(latency["median"], latency["ci95"]),
        grade.format(cell["grade"]) if cell["grade"] else "",
        *cell_marks(cell),
        "INVALID" if cell["outcome"] == "invalid" else "",
    ]
    return [word for word in words if word]


def absent_devices(document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Devices that offered nothing and why, each once."""
    told = ((device["name"], absence(device)) for device in document["devices"])
    return tuple((name, why) for name, why in told if why is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship:
    """What to ship on one unit of one device: the answer with the cell that it chose, None where it has none."""

    headline: Json
    cell: Json | None
    first: bool


def ships(document: Mapping[str, Any]) -> dict[str, tuple[Ship, ...]]:
    """The answers of each model, device by device; first: of its device."""
    cells = {cell["id"]: cell for cell in document["cells"]}
    found: dict[str, list[Ship]] = {}
    for headline in sorted(document["headlines"], key=_order(document)):
        rows = found.setdefault(headline["model"], [])
        first = not rows or rows[-1].headline["device"] != headline["device"]
        rows.append(Ship(headline=headline, cell=cells.get(headline["cell"]), first=first))
    return {model: tuple(rows) for model, rows in found.items()}


def shipped(document: Mapping[str, Any]) -> frozenset[str]:
    """Ids of the cells that are the answer on their own unit."""
    answers = [h for h in document["headlines"] if h["state"] in ("faster", "source", "uncompared")]
    return frozenset(h["cell"] for h in answers if not (h["compared_on"] and h["variant"] == h["source"]))


def _order(document: Mapping[str, Any]) -> Callable[[Json], int]:
    """The order of the document's devices; a device that it does not list comes last."""
    places = {device["name"]: place for place, device in enumerate(document["devices"])}
    return lambda headline: places.get(headline["device"], len(places))


def doubts(document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What keeps every cell of a device from an A: device and reason."""
    return tuple((device["name"], reason) for device in document["devices"] for reason in device["doubts"])


def broken_variants(document: Mapping[str, Any]) -> tuple[Json, ...]:
    """One cell for each variant whose outputs are broken: the reader must not miss these."""
    found = {(c["model"], c["variant"]): c for c in document["cells"] if c["quality"] == "broken"}
    return tuple(found.values())


def pareto_front(cells: Sequence[Json]) -> frozenset[str]:
    """Ids of measured cells that no other cell beats in both median latency and size. Broken outputs do not compete."""
    rivals = [
        (cell["latency_ns"]["median"], cell["size_bytes"], cell["id"])
        for cell in cells
        if cell["outcome"] == "measured" and cell["latency_ns"] and cell["size_bytes"] and cell["quality"] != "broken"
    ]
    front, smallest = [], float("inf")
    for _, size, cell_id in sorted(rivals):
        if size < smallest:
            front.append(cell_id)
            smallest = size
    return frozenset(front)


def group_key(cell: Mapping[str, Any]) -> str:
    """The text that the page's `showing` menu and its rows agree on."""
    return f"{cell['model']}\n{cell['device']}\n{cell['compute_unit']}"


def groups(document: Mapping[str, Any]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for cell in document["cells"]:
        found.setdefault(group_key(cell), []).append(cell)
    return found


def outcome_counts(document: Mapping[str, Any]) -> dict[str, int]:
    counts = dict.fromkeys(("measured", "invalid", "failed", "skipped"), 0)
    for cell in document["cells"]:
        counts[cell["outcome"]] += 1
    return counts


def grade_counts(document: Mapping[str, Any]) -> dict[str, int]:
    grades = [cell["grade"] for cell in document["cells"] if cell["grade"]]
    return {letter: grades.count(letter) for letter in "ABCD" if letter in grades}


def unplanned(devices: Sequence[Json], planned: Sequence[Json]) -> list[Json]:
    """What devices say they lack and the plan did not already leave out, named `device: what` as the plan does."""
    said = {(exclusion["what"], exclusion["reason"]) for exclusion in planned}
    named = [
        {"what": f"{device['name']}: {exclusion['what']}", "reason": exclusion["reason"]}
        for device in devices
        for exclusion in device["exclusions"]
    ]
    return [exclusion for exclusion in named if (exclusion["what"], exclusion["reason"]) not in said]
