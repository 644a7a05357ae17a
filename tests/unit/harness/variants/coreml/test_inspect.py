"""What an artefact that was read back must hold, for its variant to stand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import RecipeError
from harness.sources.mlprogram_weights import Reader
from harness.variants.coreml.inspect import Found, check
from harness.variants.coreml.sparse import unpatterned
from harness.variants.coreml.weights import Weight
from harness.variants.grammar import parse

READER = Reader(type="linear", name="layer", input="weight")
WEIGHT = Weight(name="w", shape=(64, 64), readers=(READER,), is_output=False, operation=None)
EXACT = Found(weight=WEIGHT, dtype="palette-4", zeros=0, distinct=10, same=True, kept=True, empty=False, was="float16")
CHANGED = replace(EXACT, same=False, kept=False)


def held(recipe: str, found: Found) -> None:
    check(recipe, [found], {"w": parse(recipe).steps})


@pytest.mark.parametrize("dtype", ["palette-1", "palette-2", "palette-3", "palette-4"])
def test_a_palette_of_own_values_may_have_fewer_bits(dtype: str) -> None:
    held("palette-4-unique", replace(EXACT, dtype=dtype))


@pytest.mark.parametrize("dtype", ["float16", "palette-6", "palette-8", "palette-4-int8-lut", "int8"])
def test_a_palette_of_own_values_is_a_palette_of_as_many_bits_at_most(dtype: str) -> None:
    with pytest.raises(RecipeError, match=f"came out as {dtype} instead of palette-4"):
        held("palette-4-unique", replace(EXACT, dtype=dtype))


def test_a_palette_of_own_values_has_the_values_of_before() -> None:
    with pytest.raises(RecipeError, match="has other values than before"):
        held("palette-4-unique", CHANGED)


def test_a_palette_of_own_values_prunes_nothing() -> None:
    with pytest.raises(RecipeError, match="has lost values to zero"):
        held("palette-4-unique", replace(EXACT, same=False, zeros=10))


def test_what_pruning_leaves_has_the_values_of_before() -> None:
    pruned = replace(EXACT, dtype="sparse", zeros=2048, same=False)
    held("sparse-50", pruned)
    with pytest.raises(RecipeError, match="has other values than before"):
        held("sparse-50", replace(pruned, kept=False))


@pytest.mark.parametrize(("recipe", "dtype"), [("weight-int8", "int8"), ("palette-4", "palette-4"), ("int8", "int8")])
def test_no_step_may_lose_everything(recipe: str, dtype: str) -> None:
    lost = replace(CHANGED, dtype=dtype, zeros=4096, distinct=1)
    with pytest.raises(RecipeError, match="the weight 'w' has lost all of its values"):
        held(recipe, lost)
    held(recipe, replace(lost, empty=True))


def test_what_no_step_touched_is_float16_unless_it_was_float32_before() -> None:
    wide = replace(EXACT, dtype="float32", was="float32")
    check("float16", [wide], {})
    with pytest.raises(RecipeError, match="was to stay as it is, and came out as float32"):
        check("float16", [replace(wide, was="float16")], {})


def zeros(places: Any, shape: tuple[int, ...] = (4, 8)) -> Any:  # noqa: ANN401 (an index)
    values = np.ones(shape, np.float32)
    values[places] = 0
    return values


def test_each_group_of_input_channels_has_its_zeros() -> None:
    (step,) = parse("sparse-2:4").steps
    assert unpatterned(step, zeros(np.s_[:, ::2])) is None
    assert unpatterned(step, zeros(np.s_[:, :4])) == "has 4 groups of 4 with fewer than 2 zeros"


def test_blocks_of_output_channels_are_zero_together() -> None:
    (step,) = parse("sparse-50-block-2").steps
    assert unpatterned(step, zeros(np.s_[:2])) is None
    assert unpatterned(step, zeros(np.s_[::2])) == "has 0.0 % of its blocks of 2 zero together instead of 50 %"


def test_last_groups_and_blocks_of_fewer_channels_are_held_to_the_share() -> None:
    grouped, blocked = parse("sparse-2:4").steps[0], parse("sparse-50-block-3").steps[0]
    assert unpatterned(grouped, zeros(np.s_[:, ::2], (4, 7))) is None
    assert unpatterned(blocked, zeros(np.s_[:3], (7, 4))) is None
