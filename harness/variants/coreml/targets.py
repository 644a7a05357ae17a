"""Deployment targets: which one a variant is built for, and which one the steps of a recipe need.

Core ML gained the operations that hold compressed weights in three systems: `constexpr_sparse_to_dense`,
`_lut_to_dense` and `_affine_dequantize` with iOS16, quantised activations with iOS17, tables of three bits, blocks,
groups, vectors, int4 and joint compression with iOS18.
"""

from harness.core.model import Model
from harness.core.target import Target
from harness.variants.technique import Compression, Recipe, Step
from harness.variants.techniques import TECHNIQUES

DEFAULT = Target.IOS18
"""What variants are built for where nobody asks for another: the oldest system that has every compression."""


def chosen_target(model: Model, asked: Target | None) -> Target:
    """What a variant is built for: what was asked for, else the default or the model's own where that is newer."""
    if asked is not None:
        return asked
    own = model.target
    return own if own is not None and DEFAULT.is_before(own) else DEFAULT


def oldest_target(recipe: Recipe) -> Target:
    """The oldest target that has what a recipe of this format's table does."""
    needed = [least for step in recipe.steps if (least := since(step)) is not None]
    joint = [Target.IOS18] if len(needed) > 1 else []
    return max((Target.IOS15, *needed, *joint), key=lambda target: target.specification)


def since(step: Step) -> Target | None:
    """The oldest target that has a step, None for the source as it is."""
    row = TECHNIQUES.get((step.row, "mlpackage"))
    return row.does.since(step) if row is not None and isinstance(row.does, Compression) else None
