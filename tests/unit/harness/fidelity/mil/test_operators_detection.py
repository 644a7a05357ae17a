"""Non maximum suppression, against the plain algorithm."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.detection import TRANSLATIONS
from tests.support.mil_cases import Real, case
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep

pytestmark = pytest.mark.thorough

IOS15, IOS17 = Target.IOS15, Target.IOS17
RANDOM = np.random.default_rng(4)


def overlap(one: Array, two: Array) -> float:
    """Intersection over union of boxes of centre and size."""
    low = np.maximum(one[:2] - one[2:] / 2, two[:2] - two[2:] / 2)
    high = np.minimum(one[:2] + one[2:] / 2, two[:2] + two[2:] / 2)
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / float(np.prod(one[2:]) + np.prod(two[2:]) - shared)


def survivors(boxes: Array, scores: Array, iou: float, least: float, most: int, by_class: bool) -> list[int]:
    """Indices, the best first; never none."""
    best, kinds = scores.max(1), scores.argmax(1)
    kept: list[int] = []
    for candidate in sorted(range(len(boxes)), key=lambda at: -best[at]):
        rivals = [at for at in kept if not by_class or kinds[at] == kinds[candidate]]
        if best[candidate] >= least and all(overlap(boxes[at], boxes[candidate]) <= iou for at in rivals):
            kept.append(candidate)
    return kept[:most] or [int(best.argmax())]


def suppressed(iou: float, least: float, most: int, by_class: bool) -> Callable[..., list[Array]]:
    def expect(boxes: Array, scores: Array) -> list[Array]:
        n, classes = len(boxes), scores.shape[2]
        kept_boxes, kept_scores = np.zeros((n, most, 4)), np.zeros((n, most, classes))
        indices, counts = np.full((n, most), -1), np.zeros(n, np.int64)
        for b in range(n):
            kept = survivors(boxes[b], scores[b], iou, least, most, by_class)
            kept_boxes[b, : len(kept)], kept_scores[b, : len(kept)] = boxes[b, kept], scores[b, kept]
            indices[b, : len(kept)], counts[b] = kept, len(kept)
        return [kept_boxes, kept_scores, indices, counts]

    return expect


def newer(expect: Callable[..., list[Array]]) -> Callable[..., list[Array]]:
    """With the boxes in the last axis and no counts, as iOS17 has it."""

    def turned(boxes: Array, scores: Array) -> list[Array]:
        kept_boxes, kept_scores, indices, _ = expect(boxes.swapaxes(1, 2), scores.swapaxes(1, 2))
        return [kept_boxes.swapaxes(1, 2), kept_scores.swapaxes(1, 2), indices]

    return turned


def boxes_of(real: Real, n: int, count: int) -> Array:
    return np.concatenate([RANDOM.uniform(0, 4, (n, count, 2)), RANDOM.uniform(1, 3, (n, count, 2))], 2).astype(real)


def scores_of(real: Real, n: int, count: int, classes: int) -> Array:
    """All different, so that there is one order."""
    return (RANDOM.permutation(n * count * classes).reshape(n, count, classes) / 256 - 0.1).astype(real)


def suppressions(real: Real) -> Iterator[Case]:
    for n, count, classes, most in ((1, 20, 1, 5), (2, 20, 4, 20), (2, 6, 3, 9)):
        boxes, scores = boxes_of(real, n, count), scores_of(real, n, count, classes)
        for iou, least in ((0.3, 0.05), (0.6, -9.0), (0.1, 99.0)):
            for by_class in (False, True):
                given = {
                    "iou_threshold": real(iou),
                    "max_boxes": most,
                    "per_class_suppression": by_class,
                }
                expect = suppressed(float(real(iou)), float(real(least)), most, by_class)
                older = {"score_threshold": real(least), **given}
                yield case("non_maximum_suppression", expect, IOS15, older, boxes=boxes, scores=scores)
                if least < 0:
                    turned = {"boxes": boxes.swapaxes(1, 2), "scores": scores.swapaxes(1, 2)}
                    yield case("non_maximum_suppression", newer(expect), IOS17, given, **turned)


CASES = sweep(suppressions)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_the_plain_algorithm_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
