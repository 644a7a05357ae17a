"""Pruning: the share P of smallest weights, those within a threshold, N of every M, whole blocks of channels.

Stored as a mask of one bit a weight and what is left. Weights of equal magnitude go together, so that there may be more
zeros than P %.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.core.target import Target
from harness.variants.coreml.spared import Spares, too_few, unlike
from harness.variants.coreml.toolkit_calls import LEAST_ELEMENTS, call
from harness.variants.technique import Calibration, Compression, CoreMLProgram, Step, letters

if TYPE_CHECKING:
    from harness.variants.coreml.weights import Floats, Weight

LEAST_SPARSITY = 0.0625
"""Share of zeros from which on a threshold's result is stored as sparse: the mask's bit is a sixteenth of a float16."""

_HALF = 50


def compress(
    program: CoreMLProgram, step: Step, weights: Sequence[str], joint: bool, _calibration: Calibration | None
) -> CoreMLProgram:
    """Prune the weights. Raises what the toolkit raises."""
    return call(_prune, program, weights, _config(step), joint)


def _prune(program: CoreMLProgram, config: object, joint_compression: bool) -> CoreMLProgram:
    """The toolkit's `prune_weights`, with shares that are counted in float32.

    NumPy 2.3's percentile of more than 65504 float16 numbers is no number, as their count overflows, so that the
    toolkit would prune nothing.
    """
    import numpy as np
    from coremltools.converters.mil.mil.passes.graph_pass import PassOption
    from coremltools.models.utils import _apply_graph_pass
    from coremltools.optimize.coreml._quantization_passes import prune_weights

    class Pruner(prune_weights):  # type: ignore[misc]
        @staticmethod
        def compress_by_magnitude(val: "Floats", **how: object) -> object:
            found = prune_weights.compress_by_magnitude(val.astype(np.float32), **how)
            return found and found._replace(nonzero_data=found.nonzero_data.astype(val.dtype))

    pruner = Pruner()
    pruner.set_options([PassOption("config", config), PassOption("joint_compression", joint_compression)])
    return _apply_graph_pass(program, pruner)


def _config(step: Step) -> object:
    from coremltools.optimize.coreml import OpMagnitudePrunerConfig, OpThresholdPrunerConfig

    if step.row == "sparse-threshold-T":
        return OpThresholdPrunerConfig(
            threshold=step.real("T"), minimum_sparsity_percentile=LEAST_SPARSITY, weight_threshold=LEAST_ELEMENTS
        )
    if step.row == "sparse-N:M":
        ratio = (step.whole("N"), step.whole("M"))
        return OpMagnitudePrunerConfig(n_m_ratio=ratio, dim=1, weight_threshold=LEAST_ELEMENTS)
    share = (share_of(step) or 0) / 100
    if "block" in step.row:
        block = step.whole("K")
        return OpMagnitudePrunerConfig(target_sparsity=share, block_size=block, dim=0, weight_threshold=LEAST_ELEMENTS)
    return OpMagnitudePrunerConfig(target_sparsity=share, weight_threshold=LEAST_ELEMENTS)


def promised(step: Step, weight: "Weight") -> float | None:
    """Percent of zeros that a step leaves at least in a weight, None where that depends on its values."""
    if step.row == "sparse-N:M":
        return 100 * _zeros_of(step.whole("N"), step.whole("M"), weight.shape[1]) / weight.shape[1]
    return share_of(step)


def is_patterned(step: Step) -> bool:
    """Whether zeros stand in groups or blocks."""
    return step.row == "sparse-N:M" or (step.is_sparse and "block" in step.row)


def unpatterned(step: Step, values: "Floats") -> str | None:
    """What of a step's pattern values do not have, None where they have it.

    Shapes: values (outputs, inputs, ...). Last groups and blocks, of fewer channels, are held to the share alone.
    """
    if step.row == "sparse-N:M":
        return _ungrouped(step.whole("N"), step.whole("M"), values)
    return _unblocked(share_of(step) or 0, step.whole("K"), values)


def _ungrouped(count: int, group: int, values: "Floats") -> str | None:
    whole = values.shape[1] // group
    zeros = (values[:, : whole * group] == 0).reshape(values.shape[0], whole, group, *values.shape[2:]).sum(2)
    fewer = int((zeros < count).sum())
    return f"has {fewer} groups of {group} with fewer than {count} zeros" if fewer else None


def _unblocked(share: float, block: int, values: "Floats") -> str | None:
    whole = values.shape[0] // block
    zeros = (values[: whole * block] == 0).reshape(whole, block, *values.shape[1:]).all(1)
    together = 100 * float(zeros.mean())
    # rounding a share to whole blocks leaves one block more or less
    if together >= share - 100 / zeros.size - 100 * (values.shape[0] % block) / values.shape[0]:
        return None
    return f"has {together:.1f} % of its blocks of {block} zero together instead of {share:g} %"


def _zeros_of(count: int, group: int, channels: int) -> int:
    """How many of a row's input channels become zero. A last group is filled up with zeros, which count."""
    filled = -channels % group
    return channels // group * count + (max(0, count - filled) if filled else 0)


def share_of(step: Step) -> float | None:
    """Percent of zeros that a step asks for, None where it says none."""
    if step.row == "sparse-block-K":
        return _HALF
    return step.whole("P") if "P" in letters(step.row) else None


def _unlike(step: Step, weight: "Weight") -> str | None:
    if step.row == "sparse-N:M":
        return unlike(weight) or too_few(weight, 1, step.whole("M"), "groups")
    if "block" in step.row:
        return unlike(weight) or too_few(weight, 0, step.whole("K"), "blocks")
    return None


def _above(step: Step, weight: "Weight") -> str | None:
    import numpy as np

    if step.row != "sparse-threshold-T":
        return None
    share = float((np.abs(weight.values()) <= step.real("T")).mean())
    if share >= LEAST_SPARSITY:
        return None
    return f"has {share:.1%} within {step.real('T'):g} of zero; a mask is worth its bits from {LEAST_SPARSITY:.2%} on"


COMPRESSION = Compression(compress=compress, since=lambda _: Target.IOS16, prunes=True)
SPARES = Spares(by_shape=_unlike, by_values=_above)
