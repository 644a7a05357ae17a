"""One call of coremltools.optimize.coreml on weights that were chosen, and the weights under their names again."""

from collections.abc import Callable, Sequence
from typing import Any

from harness.toolkit import quietly
from harness.variants.coreml.names import restored
from harness.variants.technique import CoreMLProgram

Config = Any
"""The toolkit's settings: `OpPalettizerConfig` and so on."""

# A weight must have more elements than this; the toolkit's own threshold
LEAST_ELEMENTS = 2048


def call(
    compress: Callable[..., CoreMLProgram], program: CoreMLProgram, weights: Sequence[str], config: Config, joint: bool
) -> CoreMLProgram:
    """A new program in which these weights are compressed, each still under its name.

    joint: they may be compressed already. Such a weight is named by the operation that unpacks it; the toolkit then
    finds what that operation holds. Raises what the toolkit raises.
    """
    import numpy as np
    from coremltools.optimize.coreml import OptimizationConfig

    named = OptimizationConfig(global_config=None, op_name_configs=dict.fromkeys(weights, config))
    with quietly(), np.errstate(all="ignore"):  # scales that come out as zero are found when it is read back
        return restored(compress(program, named, joint_compression=joint), weights)
