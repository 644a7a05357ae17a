"""Non maximum suppression.

A box's score is the largest of its classes, and its class that one. Where no box survives the best one does, alone.
Survivors stand by score; what is missing is padded: 0 for boxes and scores, -1 for indices (the description of the
same layer in Core ML's NeuralNetwork format).
"""

from dataclasses import dataclass

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operation, Translate
from harness.fidelity.mil.operators.shapes import dimension

_LEAST = float(np.finfo(np.float32).min)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """indices (n, count) int64, of which the first of every row are valid (n, count)."""

    indices: str
    valid: str


def _suppress(emitter: Emitter, operation: Operation) -> list[str]:
    """iOS17 has the boxes in the last axis, no threshold of scores and no count."""
    is_new = len(operation.outputs) == 3
    boxes, scores = operation["boxes"].tensor, operation["scores"].tensor
    if is_new:
        boxes, scores = (emitter.node("Transpose", [each], perm=[0, 2, 1]) for each in (boxes, scores))
    chosen = _ranked(emitter, operation, boxes, scores)
    kept = [_chosen_rows(emitter, operation, each, chosen) for each in (boxes, scores)]
    if is_new:
        kept = [emitter.node("Transpose", [each], perm=[0, 2, 1]) for each in kept]
    indices = emitter.node("Where", [chosen.valid, chosen.indices, emitter.constant(-1, np.int64)])
    padded = _pad_second(emitter, operation, indices, -1, 2)
    count = emitter.node("ReduceSum", [emitter.cast(chosen.valid, "int64"), emitter.integers([1])], keepdims=0)
    return [*kept, padded] if is_new else [*kept, padded, count]


def _ranked(emitter: Emitter, operation: Operation, boxes: str, scores: str) -> _Chosen:
    """Survivors first, by score; as many as wanted, or as there are boxes."""
    best = emitter.node("ReduceMax", [scores, emitter.integers([2])], keepdims=0)
    survives = _survivors(emitter, operation, boxes, scores, best)
    ranking = emitter.node("Where", [survives, best, emitter.real(-np.inf)])
    wanted = emitter.constant(int(operation.constant("max_boxes")), np.int64)
    number = emitter.node("Min", [wanted, _box_count(emitter, operation)])
    top, indices = emitter.split("TopK", [ranking, emitter.node("Reshape", [number, emitter.integers([1])])], 2, axis=1)
    return _Chosen(indices=indices, valid=emitter.node("Greater", [top, emitter.real(-np.inf)]))


def _survivors(emitter: Emitter, operation: Operation, boxes: str, scores: str, best: str) -> str:
    """(n, boxes) of bools."""
    by_class = emitter.node("Unsqueeze", [best, emitter.integers([1])])
    if operation.constant("per_class_suppression", False):
        by_class = _of_own_class(emitter, operation, scores, best)
    wanted = emitter.integers([int(operation.constant("max_boxes"))])
    overlap = emitter.constant([float(operation.constant("iou_threshold"))], np.float32)
    least = emitter.constant([_rejected(operation)], np.float32)
    found = emitter.node("NonMaxSuppression", [boxes, by_class, wanted, overlap, least], center_point_box=1)
    places = emitter.node("Gather", [found, emitter.integers([0, 2])], axis=1)
    nothing = emitter.node("Expand", [emitter.constant(0, np.int64), emitter.node("Shape", [best])])
    ones = emitter.node("Expand", [emitter.constant(1, np.int64), emitter.node("Shape", [places], end=1)])
    marked = emitter.node("ScatterND", [nothing, places, ones])
    return emitter.cast(_or_best(emitter, marked, best), "bool")


def _rejected(operation: Operation) -> np.float32:
    """The highest score that is rejected. ONNX rejects what equals its threshold, MIL only what is below."""
    threshold = operation.constant("score_threshold")
    return np.float32(_LEAST) if threshold is None else np.nextafter(np.float32(threshold), np.float32(_LEAST))


def _of_own_class(emitter: Emitter, operation: Operation, scores: str, best: str) -> str:
    """(n, classes, boxes): a box's score at its class alone, so that others never meet it."""
    zero, one = emitter.constant(0, np.int64), emitter.constant(1, np.int64)
    number = dimension(emitter, operation["scores"], 1 if len(operation.outputs) == 3 else 2)
    classes = emitter.node("Reshape", [emitter.node("Range", [zero, number, one]), emitter.integers([1, -1, 1])])
    own = emitter.node("Unsqueeze", [emitter.node("ArgMax", [scores], axis=2, keepdims=0), emitter.integers([1])])
    score = emitter.node("Unsqueeze", [best, emitter.integers([1])])
    return emitter.node("Where", [emitter.node("Equal", [own, classes]), score, emitter.real(-np.inf)])


def _or_best(emitter: Emitter, marked: str, best: str) -> str:
    """The marks, or the box of the highest score where a row has none."""
    zero, one = emitter.constant(0, np.int64), emitter.constant(1, np.int64)
    some = emitter.node("ReduceMax", [marked, emitter.integers([1])], keepdims=1)
    first = emitter.node("ArgMax", [best], axis=1, keepdims=1)
    width = emitter.node("Squeeze", [emitter.node("Shape", [best], start=1)])
    highest = emitter.node("Equal", [emitter.node("Range", [zero, width, one]), first])
    only = emitter.node("Where", [highest, one, zero])
    return emitter.node("Where", [emitter.node("Equal", [some, zero]), only, marked])


def _chosen_rows(emitter: Emitter, operation: Operation, values: str, chosen: _Chosen) -> str:
    """values (n, boxes, width) of the chosen, 0 for the rest."""
    places = emitter.node("Unsqueeze", [chosen.indices, emitter.integers([-1])])
    rows = emitter.node("GatherND", [values, places], batch_dims=1)
    valid = emitter.node("Unsqueeze", [chosen.valid, emitter.integers([-1])])
    kept = emitter.node("Where", [valid, rows, emitter.real(0.0)])
    return _pad_second(emitter, operation, kept, 0, 3)


def _pad_second(emitter: Emitter, operation: Operation, values: str, value: int, rank: int) -> str:
    """To as many as wanted, where there are fewer boxes."""
    wanted = emitter.constant(int(operation.constant("max_boxes")), np.int64)
    missing = emitter.node("Sub", [wanted, _box_count(emitter, operation)])
    more = emitter.node("Max", [missing, emitter.constant(0, np.int64)])
    pads = emitter.node(
        "Concat", [emitter.integers([0]), emitter.node("Reshape", [more, emitter.integers([1])])], axis=0
    )
    filler = emitter.constant(value, np.int64) if rank == 2 else emitter.real(value)
    return emitter.node("Pad", [values, pads, filler, emitter.integers([1])])


def _box_count(emitter: Emitter, operation: Operation) -> str:
    return dimension(emitter, operation["scores"], 2 if len(operation.outputs) == 3 else 1)


TRANSLATIONS: dict[str, Translate] = {"non_maximum_suppression": _suppress}
