"""The grammar, the table's refusals and the default set."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import RecipeUnknown
from harness.core.model import Model
from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import ModelWriter
from harness.variants.recipes import TECHNIQUES, default_variants, is_source, parse, refusal
from harness.variants.technique import Kind, Numbers, Recipe, Span, Step, letters
from harness.variants.techniques import AS_STORED
from harness.variants.tflite import table as tflite
from tests.support import models, unusual
from tests.unit.harness.variants.models import a_model, normal

ROWS = sorted(TECHNIQUES)
FINALS = [name for name, row in tflite.TECHNIQUES.items() if row.kind is Kind.FINAL and not row.numbers]


def number_of(allowed: Numbers) -> st.SearchStrategy[str]:
    if isinstance(allowed, Span):
        return st.integers(1, 900_000).map(lambda number: f"0.{number:06}").filter(lambda text: float(text) in allowed)
    return st.sampled_from(sorted(allowed)).map(str)


@st.composite
def some_step(draw: st.DrawFn) -> Step:
    name, format = draw(st.sampled_from(ROWS))
    allowed = TECHNIQUES[name, format].numbers
    return Step(row=name, numbers=tuple(draw(number_of(allowed[letter])) for letter in letters(name)))


STEPS = some_step().filter(lambda step: "N:M" not in step.row or step.whole("N") < step.whole("M"))


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return a_model(tmp_path)


@given(st.lists(STEPS, min_size=1, max_size=4).map(lambda steps: Recipe(steps=tuple(steps))))
def test_a_recipe_reads_back_from_its_text(recipe: Recipe) -> None:
    assert parse(str(recipe)) == recipe


@given(st.text(max_size=40))
def test_any_text_is_a_recipe_or_unknown(text: str) -> None:
    try:
        back = str(parse(text))
    except RecipeUnknown as error:
        back = error.recipe
    assert back == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("flaot16", "did you mean float16"),
        ("INT8", "did you mean int8"),
        ("sprase-75", "did you mean sparse-75"),
        ("pallete-4", "did you mean palette-4"),
        ("sparse", "write sparse-1 to sparse-99"),
        ("sparse-0", "sparse-"),
        ("sparse-100", "write sparse-1 to sparse-99"),
        ("palette-9", "write palette-1 to palette-8"),
        ("float16-3", "did you mean float16"),
        ("sparse-050", "sparse-"),
        ("sparse-50+", "is no technique"),
        ("", "one of float32, float16"),
        ("sparse-50 + int8", "sparse-50"),
        ("zzzzzzzz", "sparse-P, sparse-N:M, sparse-P-encoded, palette-B, palette-B-per-channel"),
        ("sparse-4:2", "write sparse-N:M with N from 1 below M, and M from 2 to 32"),
        ("sparse-2:64", "write sparse-N:M with N from 1 below M"),
        ("sparse-N:M", "write sparse-N:M with"),
        ("sprase-2:4", "did you mean sparse-2:4"),
        ("sparse-0:4", "write sparse-N:M with N from 1"),
        ("palette-2:4", "is no technique"),
        ("sparse-encoded", "write sparse-1-encoded to sparse-99-encoded"),
        ("sparse-70-encode", "did you mean sparse-70-encoded"),
        ("sparse-2:4-encoded", "is no technique"),
        ("palette-9-per-channel", "write palette-1-per-channel to palette-8-per-channel"),
    ],
)
def test_an_unknown_recipe_is_answered_with_what_is_close_or_allowed(text: str, hint: str) -> None:
    with pytest.raises(RecipeUnknown, match=re.escape(hint)):
        parse(text)


@pytest.mark.parametrize("text", ["sparse-50+int8@train", "palette-4@skm", "int8@", "@train"])
def test_a_method_is_grammar_but_not_available(text: str) -> None:
    with pytest.raises(RecipeUnknown, match="method @"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["float32", "float16", "int8", "sparse-50+palette-4", "sparse-75+int8", "sparse-50+palette-4+int8", "palette-1"]
    + [f"sparse-50+{final}" for final in FINALS]
    + ["sparse-2:4+int8", "sparse-50+palette-4-per-channel+int8", "palette-4+sparse-70-encoded"],
)
def test_recipes_that_can_work_are_not_refused(model: Model, text: str) -> None:
    assert refusal(parse(text), model) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("int8+palette-4", "write palette-4+int8"),
        ("float16+sparse-50", "write sparse-50+float16"),
        ("sparse-50+int8+palette-4", "write sparse-50+palette-4+int8"),
        ("int8+float16", "int8 and float16 each store the weights"),
        ("int8+int8", "keep one"),
        ("float32+int8", "leave it out"),
        ("sparse-50+palette-1", "use palette-2 or more"),
        ("dynamic-int4+int8", "dynamic-int4 and int8 each store"),
        ("weight-int4+sparse-2:4", "write sparse-2:4+weight-int4"),
        ("sparse-70-encoded+int8", "sparse-70-encoded and int8 each store"),
        ("sparse-70-encoded+palette-4", "write palette-4+sparse-70-encoded"),
        ("sparse-2:4+palette-1-per-channel", "use palette-2 or more"),
        ("int4", "does not exist for tflite"),
        ("palette-4+int4", "does not exist for tflite"),
    ],
)
def test_orders_that_cannot_work_are_refused_with_the_way_out(model: Model, text: str, reason: str) -> None:
    assert reason in str(refusal(parse(text), model))


@pytest.mark.parametrize("text", ["float32", "float16", "dynamic-int8", "sparse-50", "sparse-50+int8"])
def test_a_quantised_source_refuses_what_starts_from_float(model: Model, text: str) -> None:
    assert "tiny is already int8" in str(refusal(parse(text), replace(model, precision="int8")))


@pytest.mark.parametrize("precision", ["float32", "float16", "int8", "uint8", *AS_STORED])
def test_the_source_at_its_own_precision_is_always_allowed(model: Model, precision: str) -> None:
    source = replace(model, precision=precision)
    assert is_source(parse(precision), source)
    assert refusal(parse(precision), source) is None
    assert default_variants(source)[0] == precision


def test_every_type_of_the_format_can_name_a_source() -> None:
    types = {name.lower() for name in vars(schema.TensorType) if not name.startswith("_")}
    assert types - set(AS_STORED) == {"float32", "float16", "int8", "uint8"}


def test_the_default_set_begins_with_the_source_and_holds_all_that_works_on_small_weights_too(model: Model) -> None:
    names = default_variants(model)
    used = {step.row for name in names for step in parse(name).steps}
    assert names[0] == "float32"
    assert used == set(tflite.TECHNIQUES) - {"sparse-N:M", "sparse-P-encoded", "edgetpu"}


def test_the_default_set_has_each_variant_once_and_none_that_is_refused(model: Model) -> None:
    names = default_variants(model)
    assert len(set(names)) == len(names)
    assert [refusal(parse(name), model) for name in names] == [None] * len(names)


@pytest.mark.parametrize("recipe", ["dynamic-int4", "weight-int4", "w4a8", "sparse-50+dynamic-int4"])
def test_int4_is_refused_where_nothing_has_a_kernel_for_it(tmp_path: Path, recipe: str) -> None:
    reason = refusal(parse(recipe), a_model(tmp_path, unusual.lstm()))
    assert str(reason).startswith(f"{recipe.rpartition('+')[2]} is for weights of CONV_2D, FULLY_CONNECTED")


def test_a_signature_that_cannot_be_calibrated_refuses_static_quantisation(tmp_path: Path) -> None:
    model = a_model(tmp_path, dense_and_words())
    assert refusal(parse("dynamic-int8"), model) is None
    assert str(refusal(parse("int8"), model)).startswith("the input 'words' of its signature 'words' holds strings")
    assert "int8" not in default_variants(model)


def test_a_model_without_weights_to_compress_gets_itself_alone(tmp_path: Path) -> None:
    assert default_variants(a_model(tmp_path, models.many_ops(6))) == ("float32",)


def test_a_model_whose_file_is_gone_keeps_the_default_set(model: Model) -> None:
    model.path.unlink()
    assert "int8" in default_variants(model)


@pytest.mark.parametrize(("name", "format"), TECHNIQUES)
def test_every_row_says_what_a_user_needs(name: str, format: str) -> None:
    row = TECHNIQUES[name, format]
    assert row.what
    assert row.runs_on
    assert row.size
    assert set(row.numbers) == set(letters(name))


def test_a_very_long_name_is_not_repeated_whole() -> None:
    with pytest.raises(RecipeUnknown) as caught:
        parse("x" * 10_000)
    assert len(caught.value.reason) < 600


def dense_and_words() -> bytes:
    """A signature with weights, and one over strings."""
    writer = ModelWriter()
    graph = writer.graph("dense")
    x = graph.input("x", (1, 4))
    y = ops.fully_connected(graph, x, normal(4, 4), np.zeros(4, np.float32), name="y")
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "dense")
    other = writer.graph("words")
    words = other.input("words", (3,), "string")
    turned = other.tensor("turned", (3,), "string")
    order = other.constant("order", np.array([2, 0, 1], np.int32))
    other.op("GATHER", (words, order), (turned,), options=schema.GatherOptionsT())
    other.output(turned)
    writer.signature(other, {"words": words}, {"turned": turned}, "words")
    return writer.pack()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dynamic-int8", "dynamic-int8 does not exist for mlpackage; it has weight-int8, "),
        ("palette-5", "write palette-1, palette-2, palette-3, palette-4, palette-6 or palette-8"),
        ("palette-4-per-channel", "it has palette-B, palette-B-uniform"),
        ("int16", "it can only name a source that is stored so"),
    ],
)
def test_what_core_ml_has_not_is_refused_with_what_it_has(model: Model, text: str, reason: str) -> None:
    assert reason in str(refusal(parse(text), replace(model, format="mlpackage")))


@pytest.mark.parametrize("text", ["palette-4-group-16", "sparse-threshold-0.01", "weight-int4-block-32"])
def test_what_core_ml_alone_has_is_refused_for_tflite(model: Model, text: str) -> None:
    assert "does not exist for tflite; it has " in str(refusal(parse(text), model))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("palette-4-group", "did you mean palette-4-group-32"),
        ("palette-group", "write palette-B-group-G with B of 1, 2, 3, 4, 6 or 8 and G of"),
        ("sparse-threshold-20", "write sparse-threshold-0.000001 to sparse-threshold-"),
        ("palette-4-group-0", "write palette-B-group-G with"),
        ("palette-4-grop-16", "did you mean palette-4-group-16"),
        ("weight-int4-block", "write weight-int4-block-"),
    ],
)
def test_numbers_in_two_places_are_asked_for(text: str, hint: str) -> None:
    with pytest.raises(RecipeUnknown, match=re.escape(hint)):
        parse(text)
