"""What the page's script draws from: the document's cells, with operator and weight tables as shared columns."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from reports.conditions import known_lines
from reports.delegates import delegate_words

Document = Mapping[str, Any]
Json = dict[str, Any]


class Pool:
    """Values kept once and named by position."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._places: dict[Hashable, int] = {}

    def place(self, key: Hashable, value: object) -> int:
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


class Columns:
    """Columns of tables, shared where two tables have the same: names and shapes repeat in every cell of a model."""

    def __init__(self) -> None:
        self._strings = Pool()
        self._columns = Pool()

    def numbers(self, values: Iterable[float | None]) -> int:
        column = tuple(values)
        return self._columns.place(("n", column), list(column))

    def texts(self, values: Iterable[str | None]) -> int:
        column = tuple(None if text is None else self._strings.place(text, text) for text in values)
        return self._columns.place(("t", column), list(column))

    @property
    def content(self) -> Json:
        return {"strings": self._strings.values, "columns": self._columns.values}


def page_data(document: Document) -> Json:
    """The page's own data: rounded to four significant digits, launches as figures, no raw samples."""
    columns = Columns()
    models = {model["model"]: model for model in document["models"]}
    variants = {(variant["model"], variant["variant"]): variant for variant in document["variants"]}
    return {
        "cells": [
            {
                **_cell(cell, columns),
                "detail": _detail(
                    cell, models.get(cell["model"]), variants.get((cell["model"], cell["variant"])), columns
                ),
            }
            for cell in document["cells"]
        ],
        "headlines": [
            {key: h[key] for key in ("model", "device", "compute_unit", "cell", "source_cell", "simulated")}
            for h in document["headlines"]
        ],
        "weights": [_weights(variant, columns) for variant in document["variants"]],
        **columns.content,
    }


def _cell(cell: Json, columns: Columns) -> Json:
    latency, against, memory = cell["latency_ns"] or {}, cell["vs_float"] or {}, cell["memory_bytes"] or {}
    fidelity, accuracy = cell["fidelity"] or {}, cell["accuracy"] or {}
    copied = ("id", "model", "variant", "device", "compute_unit", "is_source", "outcome", "grade", "quality")
    return {
        **{key: cell[key] for key in copied},
        "size": cell["size_bytes"],
        "zip": cell["zip_bytes"],
        "median": significant(latency.get("median")),
        "ci": _pair(latency.get("ci95")),
        "p10": significant(latency.get("p10")),
        "p90": significant(latency.get("p90")),
        "ratio": significant(against.get("latency_ratio")),
        "ratioCi": _pair(against.get("ci95")),
        "verdict": against.get("verdict"),
        "memory": {key: memory.get(key) for key in ("after_run", "peak", "anonymous", "file_backed")},
        "accuracy": accuracy.get("value"),
        "metric": accuracy.get("metric"),
        "snr": significant(fidelity.get("snr_db")) if fidelity.get("meaningful", True) else None,
        "launches": [significant(launch["median_ns"]) for launch in cell["launches"]],
        "blocks": [launch["block"] for launch in cell["launches"]],
        "ops": _ops(cell["ops"], columns) if cell["ops"] else None,
        "mapping": cell["ops_mapping"],
    }


def _detail(cell: Json, model: Json | None, variant: Json | None, columns: Columns) -> Json:
    """What the page shows of a cell on demand."""
    copied = (
        "reason",
        "observed_unit",
        "backend",
        "runtime",
        "api",
        "fallback",
        "adapter",
        "signature",
        "quality_why",
        "target",
    )
    return {
        **{key: cell[key] for key in copied},
        "delegate": delegate_words(cell),
        "raw": (cell["latency_ns"] or {}).get("raw"),
        "resolution": (cell["latency_ns"] or {}).get("resolution"),
        "conditions": [columns.texts(line) for line in known_lines(cell["conditions"])],
        "noOps": cell["ops_unavailable"],
        "reference": columns.texts([(cell["fidelity"] or {}).get("reference")]),
        "settings": [_setting(setting) for setting in cell["op_settings"]],
        "cold": _cold(cell["cold_start"]),
        "grades": columns.texts(cell["grade_reasons"]),
        "explanation": columns.texts(cell["explanation"]),
        "notes": columns.texts(variant["notes"] if variant else ()),
        "modelNotes": columns.texts(model["notes"] if model else ()),
    }


def _setting(setting: Json) -> str:
    """`SOFTMAX: left as in the source`."""
    return f"{setting['op'] or setting['op_type']}: {setting['recipe'] or 'left as in the source'}"


def _cold(cold: Json | None) -> Json | None:
    if cold is None:
        return None
    starts = {
        key: start and {name: significant(value) for name, value in start.items()}
        for key, start in cold.items()
        if key not in ("unavailable", "idle")
    }
    return {**starts, "unavailable": cold["unavailable"], "idle": cold["idle"]}


def _ops(ops: Sequence[Json], columns: Columns) -> Json:
    text: Mapping[str, Callable[[Json], str | None]] = {
        "name": lambda op: op["name"],
        "type": lambda op: op["type"],
        "shape": lambda op: shape_text(op["shape"]),
        "kernels": lambda op: ", ".join(op["kernels"]),
        "placed": lambda op: op["placed_on"],
        "label": lambda op: op["label"],
    }
    number: Mapping[str, Callable[[Json], float | None]] = {
        "index": lambda op: op["index"],
        "ns": lambda op: significant(op["latency_ns"]),
        "share": lambda op: significant(op["share"]),
        "macs": lambda op: op["macs"],
        "bytes": lambda op: op["bytes"],
    }
    return {
        **{name: columns.texts(read(op) for op in ops) for name, read in text.items()},
        **{name: columns.numbers(read(op) for op in ops) for name, read in number.items()},
    }


def _weights(variant: Json, columns: Columns) -> Json:
    tensors = variant["tensors"]
    return {
        "model": variant["model"],
        "variant": variant["variant"],
        "name": columns.texts(t["name"] for t in tensors),
        "shape": columns.texts(shape_text(t["shape"]) for t in tensors),
        "dtype": columns.texts(t["dtype"] for t in tensors),
        "elements": columns.numbers(t["elements"] for t in tensors),
        "bytes": columns.numbers(t["size_bytes"] for t in tensors),
        "zeros": columns.numbers(t["zeros"] for t in tensors),
        "distinct": columns.numbers(t["distinct"] for t in tensors),
        "compressed": columns.numbers(int(t["compressed"]) for t in tensors),
    }


def shape_text(shape: Sequence[int]) -> str:
    return "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"


def significant(value: float | None) -> float | None:
    """Four significant digits; whole numbers as integers, which are shorter."""
    if value is None:
        return None
    short = float(f"{value:.4g}")
    return int(short) if short.is_integer() else short


def _pair(interval: Sequence[float] | None) -> list[float | None] | None:
    return [significant(bound) for bound in interval] if interval else None
