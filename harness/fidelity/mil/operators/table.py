"""The one table of operators that the reference can run: MIL's name -> its translation, from the families' tables.

Branches, loops and states are not here: they need more than one operation (`control_flow.py`, `states.py`).
"""

from harness.fidelity.mil.emitter import Translate
from harness.fidelity.mil.operators import (
    activations,
    arranging,
    attention,
    blocks,
    classification,
    control_flow,
    convolution,
    detection,
    elementwise,
    filling,
    gathering,
    linear,
    lists,
    normalization,
    pooling,
    quantization,
    random_values,
    recurrent,
    reductions,
    resizing,
    sampling,
    scattering,
    shapes,
    slicing,
    sorting,
)

FAMILIES: tuple[dict[str, Translate], ...] = (
    activations.TRANSLATIONS,
    arranging.TRANSLATIONS,
    attention.TRANSLATIONS,
    blocks.TRANSLATIONS,
    classification.TRANSLATIONS,
    control_flow.TRANSLATIONS,
    convolution.TRANSLATIONS,
    detection.TRANSLATIONS,
    elementwise.TRANSLATIONS,
    filling.TRANSLATIONS,
    gathering.TRANSLATIONS,
    linear.TRANSLATIONS,
    lists.TRANSLATIONS,
    normalization.TRANSLATIONS,
    pooling.TRANSLATIONS,
    quantization.TRANSLATIONS,
    random_values.TRANSLATIONS,
    recurrent.TRANSLATIONS,
    reductions.TRANSLATIONS,
    resizing.TRANSLATIONS,
    sampling.TRANSLATIONS,
    scattering.TRANSLATIONS,
    shapes.TRANSLATIONS,
    slicing.TRANSLATIONS,
    sorting.TRANSLATIONS,
)
TRANSLATIONS: dict[str, Translate] = {name: translate for family in FAMILIES for name, translate in family.items()}
