"""Weights as integers with a scale: int8 and int4 symmetric, uint8 with an offset, one scale an output channel, or one
for every G input channels of it. Operators compute on floats."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.core.target import Target
from harness.variants.coreml.spared import Spares, ambiguous, indivisible
from harness.variants.coreml.toolkit_calls import LEAST_ELEMENTS, call
from harness.variants.technique import Calibration, Compression, CoreMLProgram, Step

if TYPE_CHECKING:
    from harness.variants.coreml.weights import Weight


def compress(
    program: CoreMLProgram, step: Step, weights: Sequence[str], joint: bool, _calibration: Calibration | None
) -> CoreMLProgram:
    """Quantise the weights. Raises what the toolkit raises."""
    from coremltools.optimize.coreml import linear_quantize_weights

    return call(linear_quantize_weights, program, weights, _config(step), joint)


def _config(step: Step) -> object:
    from coremltools.optimize.coreml import OpLinearQuantizerConfig

    in_blocks = "block" in step.row
    return OpLinearQuantizerConfig(
        mode="linear" if dtype_of(step) == "uint8" else "linear_symmetric",
        dtype=dtype_of(step),
        granularity="per_block" if in_blocks else "per_channel",
        **({"block_size": step.whole("G")} if in_blocks else {}),
        weight_threshold=LEAST_ELEMENTS,
    )


def dtype_of(step: Step) -> str:
    """int8 of `weight-int8`, int4 of `weight-int4-block-G`."""
    return step.row.split("-")[1]


def _indivisible(step: Step, weight: "Weight") -> str | None:
    return ambiguous(weight) or _in_parts(step, weight)


def _in_parts(step: Step, weight: "Weight") -> str | None:
    return indivisible(weight, weight.input_axis, step.whole("G"), "blocks") if "block" in step.row else None


def _since(step: Step) -> Target:
    return Target.IOS18 if dtype_of(step) == "int4" else Target.IOS16


COMPRESSION = Compression(compress=compress, since=_since)
SPARES = Spares(by_shape=_indivisible)
