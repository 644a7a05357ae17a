"""Weights as indices into a table of 2^B values: by k-means, evenly spaced, of the values that there are already, a
table for each G output channels, or of D values at once; or the table itself in int8.

The toolkit's k-means of float16 weights from 10 000 elements on is the best there is (dynamic programming over the
distinct values), of smaller ones and of vectors sklearn's from a fixed seed.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.core.target import Target
from harness.variants.coreml.spared import Spares, ambiguous, indivisible
from harness.variants.coreml.toolkit_calls import LEAST_ELEMENTS, call
from harness.variants.one_thread import one_thread
from harness.variants.technique import Calibration, Compression, CoreMLProgram, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.variants.coreml.weights import Weight

BITS = (1, 2, 3, 4, 6, 8)
"""What an index may have; three from iOS18 on."""

_BEFORE_IOS18 = (1, 2, 4, 6, 8)


def compress(
    program: CoreMLProgram, step: Step, weights: Sequence[str], joint: bool, _calibration: Calibration | None
) -> CoreMLProgram:
    """Palettise the weights. Raises what the toolkit raises."""
    from coremltools.optimize.coreml import palettize_weights

    # The sums of sklearn's k-means depend on the number of threads; it warns of weights that have fewer values.
    with one_thread(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        made = call(palettize_weights, program, weights, _config(step, program), joint)
    return _with_int8_tables(made, weights) if step.row.endswith("int8-lut") else made


def _with_int8_tables(program: CoreMLProgram, weights: Sequence[str]) -> CoreMLProgram:
    from coremltools.optimize.coreml import OpLinearQuantizerConfig, linear_quantize_weights

    config = OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int8", granularity="per_tensor", weight_threshold=LEAST_ELEMENTS
    )
    return call(linear_quantize_weights, program, weights, config, True)


def _config(step: Step, program: CoreMLProgram) -> object:
    from coremltools.optimize.coreml import OpPalettizerConfig

    more: dict[str, Any] = {}
    if step.row.endswith("group-G"):
        more = {"granularity": "per_grouped_channel", "group_size": step.whole("G")}
    if step.row.endswith("vector-D"):
        more = {"cluster_dim": step.whole("D")}
    if step.row.endswith("unique"):
        newest = program.get_spec().specificationVersion >= Target.IOS18.specification
        found = _table_of_own(BITS if newest else _BEFORE_IOS18)
        return OpPalettizerConfig(mode="custom", lut_function=found, weight_threshold=LEAST_ELEMENTS)
    mode = "uniform" if step.row.endswith("uniform") else "kmeans"
    return OpPalettizerConfig(mode=mode, nbits=step.whole("B"), weight_threshold=LEAST_ELEMENTS, **more)


def _table_of_own(allowed: Sequence[int]) -> "Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]":
    """The toolkit's `unique`, which takes three bits where they are enough, also for systems that cannot read them."""

    def table(values: "NDArray[Any]") -> "tuple[NDArray[Any], NDArray[Any]]":
        import numpy as np

        # NumPy 2.3 sorts float16 wrongly on some processors
        found, indices = np.unique(values.astype(np.float32), return_inverse=True)
        bits = next(bits for bits in allowed if len(found) <= 1 << bits)
        entries = np.zeros(1 << bits, values.dtype)
        entries[: len(found)] = found
        return entries, indices.ravel().astype(np.uint8)

    return table


def _indivisible(step: Step, weight: "Weight") -> str | None:
    if weight.is_ambiguous:
        return ambiguous(weight)
    if step.row.endswith("group-G"):
        return indivisible(weight, weight.output_axis, step.whole("G"), "groups")
    return _splits_vectors(step.whole("D"), weight) if step.row.endswith("vector-D") else None


def _unfit(step: Step, weight: "Weight") -> str | None:
    if step.row.endswith("unique"):
        return _too_many(1 << step.whole("B"), weight)
    return _all_equal(weight) if step.row.endswith("uniform") else None


def _splits_vectors(size: int, weight: "Weight") -> str | None:
    groups = [reader.groups for reader in weight.readers if reader.type in ("conv", "conv_transpose")]
    for each in groups:
        if weight.output_axis == 0 and weight.shape[0] // each % size:
            return f"has {weight.shape[0] // each} output channels in each group, which vectors of {size} do not divide"
    return indivisible(weight, weight.output_axis, size, "vectors")


def _too_many(most: int, weight: "Weight") -> str | None:
    import numpy as np

    found = len(np.unique(weight.values()))
    return f"has {found} distinct values, more than {most}" if found > most else None


def _all_equal(weight: "Weight") -> str | None:
    import numpy as np

    values = weight.values()
    return "has one value alone, which has no range" if np.ptp(values) == 0 else None


def _since(step: Step) -> Target:
    newer = step.whole("B") == 3 or step.row.endswith(("group-G", "vector-D", "int8-lut"))
    return Target.IOS18 if newer else Target.IOS16


COMPRESSION = Compression(compress=compress, since=_since)
SPARES = Spares(by_shape=_indivisible, by_values=_unfit)
