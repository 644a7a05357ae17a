"""Scaled dot product attention, against its formula at float64."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.attention import TRANSLATIONS
from tests.support.mil_cases import Real, case, normal
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep, unlike_folded

pytestmark = pytest.mark.thorough

RANDOM = np.random.default_rng(4)


def attend(query: Array, key: Array, value: Array, attn_mask: Array | None = None) -> Array:
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])
    if attn_mask is not None:
        scores = np.where(attn_mask, scores, -np.inf) if attn_mask.dtype == np.bool_ else scores + attn_mask
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(shares / shares.sum(-1, keepdims=True) @ value)


def attentions(real: Real) -> Iterator[Case]:
    for batch, queries, keys, size, width in (((2,), 5, 7, 4, 3), ((2, 3), 6, 6, 8, 8), ((1, 2, 2), 1, 5, 3, 2)):
        tensors = {
            "query": normal(RANDOM, *batch, queries, size, real=real),
            "key": normal(RANDOM, *batch, keys, size, real=real),
            "value": normal(RANDOM, *batch, keys, width, real=real),
        }
        yield case("scaled_dot_product_attention", attend, Target.IOS18, **tensors)
        keep = RANDOM.random((queries, keys)) < 0.6
        keep[:, 0] = True
        masks = (keep, normal(RANDOM, queries, keys, real=real), normal(RANDOM, *batch, 1, keys, real=real))
        for mask in masks:
            yield case("scaled_dot_product_attention", attend, Target.IOS18, attn_mask=mask, **tensors)


CASES = sweep(attentions)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


@pytest.mark.parametrize("op", operators(CASES))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
