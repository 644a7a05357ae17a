"""A small ML Program that has every kind of weight that techniques leave alone, and orders for it."""

from pathlib import Path
from typing import Any

import numpy as np

from harness.core.model import Model
from harness.core.target import Target
from harness.core.variant import OpSetting, Variant, VariantSpec
from harness.sources.reading import read_model
from harness.variants.coreml.build import build
from harness.variants.job import BuildJob
from tests.support.mil import builder, write

SHAPE = (1, 3, 16, 16)
FEW = 32 * 3 * 3 * 3
"""Elements of `stem`, too few for any compression."""


def network(image: Any) -> Any:  # noqa: ANN401 (the builder has no types)
    """`stem` is small; `body` and `point` take every technique; `odd` has 40 input and 65 output channels; `coarse`
    has eight values alone."""
    mb, random = builder(), np.random.default_rng(4)

    def drawn(*shape: int) -> Any:  # noqa: ANN401
        return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    few = np.linspace(-0.2, 0.3, 8, dtype=np.float32)[random.integers(0, 8, (64, 65))]
    x = mb.relu(x=mb.conv(x=image, weight=drawn(32, 3, 3, 3), bias=drawn(32), pad_type="same", name="stem"))
    x = mb.relu(x=mb.conv(x=x, weight=drawn(64, 32, 3, 3), strides=[2, 2], pad_type="same", name="body"))
    x = mb.relu(x=mb.conv(x=x, weight=drawn(40, 64, 1, 1), name="point"))
    x = mb.reduce_mean(x=x, axes=[2, 3], keep_dims=False, name="mean")
    x = mb.linear(x=x, weight=drawn(65, 40), bias=drawn(65), name="odd")
    return mb.linear(x=x, weight=few, name="coarse")


def a_model(folder: Path, *, target: str = "iOS15", precision: str = "float32", body: Any = network) -> Model:  # noqa: ANN401
    """The network on disk as a program for a target in a precision."""
    path = write(folder / "small.mlpackage", {"image": SHAPE}, body, target, precision)
    return read_model(path, name="small", random_weights=True)


def a_variant(
    model: Model,
    recipe: str,
    scratch: Path,
    *settings: OpSetting,
    target: Target | None = None,
    prebuilt: Path | None = None,
) -> Variant:
    """Build one variant into a folder of its own below scratch."""
    folder = scratch / f"{recipe.replace(':', '-')}-{target}"
    folder.mkdir(parents=True)
    spec = VariantSpec(
        model=model.name, name=recipe, recipe=recipe, settings=settings, target=target, prebuilt=prebuilt
    )
    return build(BuildJob(model=model, spec=spec, scratch=folder)).variant
