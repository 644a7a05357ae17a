"""The one table of operators that the reference can run: MIL's name -> its translation, from the families' tables.

Branches, loops and states are not here: they need more than one operation (`control_flow.py`, `states.py`).
"""

from harness.fidelity.mil.emitter import Translate
from harness.fidelity.mil.operators import (
    activations,
    convolution,
    elementwise,
    linear,
    normalization,
    pooling,
    quantization,
    reductions,
)

FAMILIES: tuple[dict[str, Translate], ...] = (
    activations.TRANSLATIONS,
    convolution.TRANSLATIONS,
    elementwise.TRANSLATIONS,
    linear.TRANSLATIONS,
    normalization.TRANSLATIONS,
    pooling.TRANSLATIONS,
    quantization.TRANSLATIONS,
    reductions.TRANSLATIONS,
)
TRANSLATIONS: dict[str, Translate] = {name: translate for family in FAMILIES for name, translate in family.items()}
