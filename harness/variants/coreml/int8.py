"""`int8`: weights per channel and activations per tensor as int8, both symmetric; inputs and outputs stay floats.

The toolkit's two steps: activations get ranges from samples (activations.py), then weights are quantised as by
`weight-int8`. A Neural Engine of an A17 Pro or M4 and later multiplies such pairs in integers; elsewhere they are
widened first.
"""

from collections.abc import Sequence

from harness.core.target import Target
from harness.variants.coreml import linear
from harness.variants.coreml.activations import quantize_activations
from harness.variants.coreml.spared import always, ambiguous, by_numbers
from harness.variants.coreml.weights import read_weights
from harness.variants.technique import Calibration, Compression, CoreMLProgram, Step

_WEIGHTS = Step(row="weight-int8")


def compress(
    program: CoreMLProgram, step: Step, weights: Sequence[str], joint: bool, calibration: Calibration | None
) -> CoreMLProgram:
    """Quantise activations around the operators that read the weights, and those of the weights that can be.

    Raises RecipeRefused where the program cannot have it, and what the toolkit raises.
    """
    if calibration is None:
        raise ValueError("int8 is calibrated; its samples are missing")
    quantised = quantize_activations(str(step), program, weights, calibration)
    return linear.compress(quantised, _WEIGHTS, _possible(program, weights), joint, None)


def _possible(program: CoreMLProgram, weights: Sequence[str]) -> list[str]:
    known = [weight for weight in read_weights(program) if weight.name in weights]
    return [each.name for each in known if not (always(each) or ambiguous(each) or by_numbers(each))]


COMPRESSION = Compression(compress=compress, since=lambda _: Target.IOS17, calibrated=True)
