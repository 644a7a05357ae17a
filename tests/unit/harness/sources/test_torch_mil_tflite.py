"""ML Programs as .tflite files: each operator by the cases that the reference is checked with, and whole graphs."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.sources.mil_tflite.canvas import Untranslatable
from harness.sources.mil_tflite.translate import OPERATORS, translate
from harness.sources.tflite_writer import unpack
from harness.toolkit import import_coremltools
from tests.support.mil_oracle import Array, Case, Result, call, misses
from tests.support.mil_tflite import Refused, build, cases, run, run_tflite

RANDOM = np.random.default_rng(3)
Toolkit = Any  # coremltools has no types
# What a loop consists of is checked by a whole one, below.
IN_LOOPS = {"while_loop", "scatter"}
REFUSED = {
    "avg_pool with 3 spatial dimensions",
    "cast to int16",
    "cast to int8",
    "cast to uint16",
    "cast to uint8",
    "concat with interleave",
    "conv with 3 spatial dimensions",
    "conv with weight that is computed",
    "conv_transpose with 3 spatial dimensions",
    "conv_transpose with dilations",
    "conv_transpose with output_padding above its padding",
    "conv_transpose with pad_type same",
    "conv_transpose with weight that is computed",
    "gather with batch_dims",
    "linear of int32",
    "lstm with activations other than sigmoid and tanh",
    "lstm with clip",
    "lstm with peephole",
    "lstm with peephole, clip",
    "lstm with peephole_back",
    "matmul of a vector and a batch",
    "matmul of int32",
    "max_pool with 3 spatial dimensions",
    "no operator of .tflite is written for non_zero, reverse, sliding_windows",
    "resize_bilinear of 3 dimensions",
    "resize_bilinear with ALIGN_CORNERS",
    "resize_bilinear with OFFSET_CORNERS",
    "resize_nearest_neighbor of 3 dimensions",
    "scatter other than of one row that is known",
    "slice_by_size with begin that is computed",
    "stack of bools",
    "upsample_nearest_neighbor of 3 dimensions",
}
OPEN = "has sizes that are open"


def normal(*shape: int) -> Array:
    return RANDOM.normal(size=shape).astype(np.float32)


def selections() -> Iterator[Case]:
    inputs = {"cond": RANDOM.random((2, 3, 4, 4)) > 0.5, "a": normal(2, 3, 4, 4), "b": normal(1, 3, 1, 1)}
    yield call("select", inputs, lambda cond, a, b: np.where(cond, a, b))


@pytest.fixture(scope="module")
def outcomes() -> list[list[Result] | Refused]:
    return [run(case) for case in (*cases(), *selections())]


@pytest.fixture(scope="module")
def results(outcomes: list[list[Result] | Refused]) -> list[Result]:
    return [result for outcome in outcomes if not isinstance(outcome, Refused) for result in outcome]


@pytest.mark.parametrize("operator", sorted(set(OPERATORS) - IN_LOOPS))
def test_an_operator_gives_what_float64_gives(operator: str, results: list[Result]) -> None:
    assert operator in {result.case.op for result in results}
    assert misses(results, operator) == []


def test_forms_without_a_counterpart_are_refused_by_their_names(outcomes: list[list[Result] | Refused]) -> None:
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Refused)}
    assert {reason for reason in reasons if not reason.endswith(OPEN)} == REFUSED


def program(make: Callable[..., Any], **inputs: Array) -> tuple[bytes, str]:
    """A .tflite of what make adds to a program, given the builder and its inputs; the output's name."""
    function, (output,) = build(Case(op="", inputs=inputs, build=make, expect=make, target=Target.IOS15))
    return translate(function), output


def operators_in(content: bytes) -> Counter[str]:
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    model = unpack(content)
    (graph,) = model.subgraphs
    return Counter(names[model.operatorCodes[each.opcodeIndex].builtinCode] for each in graph.operators)


def convolve(mb: Toolkit, x: Toolkit, channels: int) -> Toolkit:
    return mb.conv(x=x, weight=normal(channels, x.shape[1], 3, 3), pad_type="same", bias=normal(channels))


def test_a_convolutional_network_is_transposed_at_its_start_and_its_end() -> None:
    def network(mb: Toolkit, x: Toolkit) -> Toolkit:
        narrow = mb.relu(x=convolve(mb, x, 4))
        both = mb.concat(values=[mb.add(x=narrow, y=normal(4, 1, 1)), convolve(mb, narrow, 2)], axis=1)
        return mb.slice_by_index(x=mb.pad(x=both, pad=[1, 1, 0, 0]), begin=[0, 1, 0, 0], end=[1, 6, 8, 8])

    content, _ = program(network, x=normal(1, 3, 8, 8))
    assert operators_in(content)["TRANSPOSE"] == 2


def test_a_rectifier_is_part_of_the_convolution_before_it() -> None:
    content, _ = program(lambda mb, x: mb.relu(x=convolve(mb, x, 4)), x=normal(1, 3, 8, 8))
    assert "RELU" not in operators_in(content)


def test_a_rectifier_stays_where_what_was_before_it_is_read_too() -> None:
    def network(mb: Toolkit, x: Toolkit) -> Toolkit:
        before = convolve(mb, x, 4)
        return mb.sub(x=before, y=mb.relu(x=before))

    content, output = program(network, x=normal(1, 3, 8, 8))
    assert operators_in(content)["RELU"] == 1
    assert (run_tflite(content, {"x": normal(1, 3, 8, 8)})[output] <= 0).all()


def test_a_program_that_turns_its_image_costs_no_transposition() -> None:
    def network(mb: Toolkit, x: Toolkit) -> Toolkit:
        return mb.transpose(x=convolve(mb, mb.transpose(x=x, perm=[0, 3, 1, 2]), 4), perm=[0, 2, 3, 1])

    content, _ = program(network, x=normal(1, 8, 8, 3))
    assert "TRANSPOSE" not in operators_in(content)


def test_hard_swish_is_one_operator() -> None:
    def network(mb: Toolkit, x: Toolkit) -> Toolkit:
        above = mb.thresholded_relu(x=x, alpha=-3.0)
        return mb.mul(x=above, y=mb.sigmoid_hard(x=above, alpha=1 / 6, beta=0.5))

    x = np.linspace(-5, 5, 41, dtype=np.float32).reshape(1, -1)
    content, output = program(network, x=x)
    assert operators_in(content) == {"HARD_SWISH": 1}
    np.testing.assert_allclose(run_tflite(content, {"x": x})[output], x * np.clip(x + 3, 0, 6) / 6, atol=1e-6)


def test_padding_of_what_is_never_negative_needs_no_lowest_number() -> None:
    def network(mb: Toolkit, x: Toolkit) -> Toolkit:
        return mb.max_pool(x=mb.relu(x=x), kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1])

    content, _ = program(network, x=normal(1, 3, 8, 8))
    assert "PADV2" not in operators_in(content)


def test_a_loop_that_counts_is_written_out() -> None:
    def network(mb: Toolkit, x: Toolkit) -> Toolkit:
        def body(number: Toolkit, kept: Toolkit) -> Toolkit:
            row = mb.gather(x=kept, indices=number, axis=0)
            following = mb.add(x=number, y=1)
            return following, mb.scatter(data=kept, indices=following, updates=mb.mul(x=row, y=2.0), axis=0, mode="add")

        whole = mb.while_loop(
            _cond=lambda number, _: mb.less(x=number, y=np.array([3], np.int32)),
            _body=body,
            loop_vars=(np.array([0], np.int32), x),
        )
        return mb.identity(x=whole[1])

    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    content, output = program(network, x=x)
    expected = x.copy()
    for row in range(3):
        expected[row + 1] += 2 * expected[row]
    np.testing.assert_array_equal(run_tflite(content, {"x": x})[output], expected)


def test_every_operator_without_a_counterpart_is_named() -> None:
    def network(mb: Toolkit, x: Toolkit) -> Toolkit:
        return mb.add(x=mb.erf(x=x), y=mb.reduce_log_sum_exp(x=x, axes=[1], keep_dims=True))

    with pytest.raises(Untranslatable, match="erf, reduce_log_sum_exp"):
        program(network, x=normal(2, 3))


def test_every_form_without_a_counterpart_is_named() -> None:
    def network(mb: Toolkit, x: Toolkit) -> Toolkit:
        pooled = mb.max_pool(x=x, kernel_sizes=[2, 2, 2], strides=[2, 2, 2], pad_type="valid")
        return mb.conv(x=pooled, weight=normal(2, 3, 1, 1, 1))

    with pytest.raises(Untranslatable, match=r"max_pool with 3 .*; conv with 3 "):
        program(network, x=normal(1, 3, 4, 4, 4))


def test_the_same_program_gives_the_same_bytes() -> None:
    weights = normal(4, 3, 3, 3)
    content = {program(lambda mb, x: mb.conv(x=x, weight=weights, name="c"), x=normal(1, 3, 8, 8))[0] for _ in range(2)}
    assert len(content) == 1


def test_open_sizes_are_refused() -> None:
    ct = import_coremltools()
    from coremltools.converters.mil.mil import Builder as mb
    from coremltools.converters.mil.mil import Function, get_new_symbol

    with Function({"x": mb.placeholder((get_new_symbol(), 3))}, opset_version=ct.target.iOS15) as function:
        function.set_outputs([mb.relu(x=function.inputs["x"])])
    with pytest.raises(Untranslatable, match="x has sizes that are open"):
        translate(function)
