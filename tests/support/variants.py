"""Typed factories for models and variants, with the traits that compression of a small CNN typically gives."""

import re
from collections.abc import Mapping
from pathlib import Path

from harness.core import digest
from harness.core.model import Model, TensorSpec
from harness.core.variant import Accuracy, Fidelity, Variant, WeightTensor

# recipe: latency and size over the source's, SNR in dB, accuracy: what compression of a small CNN typically gives
TRAITS: Mapping[str, tuple[float, float, float | None, float]] = {
    "float32": (1.0, 1.0, None, 0.975),
    "float16": (1.003, 0.51, 62.0, 0.975),
    "dynamic-int8": (0.62, 0.28, 34.0, 0.973),
    "weight-int8": (1.04, 0.27, 41.0, 0.975),
    "int8": (0.41, 0.28, 27.0, 0.969),
    "int8-float-io": (0.42, 0.29, 27.0, 0.969),
    "uint8": (0.415, 0.28, 26.0, 0.967),
    "int16x8": (3.2, 0.30, 48.0, 0.975),
    "sparse-50": (0.998, 1.0, 14.0, 0.961),
    "palette-4": (1.001, 1.0, 19.0, 0.964),
    "sparse-50+palette-4": (1.002, 1.0, 12.0, 0.953),
    "sparse-75+int8": (0.412, 0.28, 4.0, 0.41),
}


def a_variant(
    name: str = "int8",
    *,
    model: str = "digits",
    recipe: str | None = None,
    source_bytes: int = 250_000,
    random_weights: bool = False,
    accuracy: float | None = None,
    snr_db: float | None = None,
    notes: tuple[str, ...] = (),
) -> Variant:
    """A built variant with the traits its recipe usually has. accuracy and snr_db override them."""
    recipe = recipe if recipe is not None else name
    _, size, usual_snr, usual_accuracy = TRAITS.get(recipe, (1.0, 1.0, 30.0, 0.97))
    snr = snr_db if snr_db is not None else usual_snr
    changed = recipe != "float32"
    return Variant(
        model=model,
        name=name,
        recipe=recipe,
        format="tflite",
        digest=digest.of_content({"variant": name, "model": model}),
        path=Path(f"/cache/{model}/{digest.of_content({'name': name})[:12]}.tflite"),
        size_bytes=round(size * source_bytes),
        zip_bytes=round(0.93 * size * source_bytes * (0.5 if "sparse" in recipe or "palette" in recipe else 1)),
        weights_compressed=4 if changed else 0,
        weights_total=4,
        parameters=source_bytes // 4,
        tensors=tuple(_a_weight(i, recipe) for i in range(4)),
        inputs=(TensorSpec(name="image", shape=(1, 8, 8, 1), dtype="float32"),),
        outputs=(TensorSpec(name="probabilities", shape=(1, 10), dtype="float32"),),
        build_s=0.8,
        calibration="100 samples of the model's own data" if "int8" in recipe or recipe == "uint8" else None,
        fidelity=Fidelity(
            snr_db=snr,
            top1_agreement=None if random_weights else accuracy if accuracy is not None else usual_accuracy,
            max_abs_error=0.0 if snr is None else 0.013,
            worst_output="probabilities",
            samples=360,
            reference="LiteRT on the host, 360 samples",
            meaningful=not random_weights,
        ),
        accuracy=None
        if random_weights
        else Accuracy(metric="top1", value=accuracy if accuracy is not None else usual_accuracy, n=360),
        notes=notes,
    )


def _a_weight(index: int, recipe: str) -> WeightTensor:
    elements = 1152 * (index + 1)
    sparse = _figure(recipe, "sparse") or 0
    palette = _figure(recipe, "palette")
    narrow = recipe.endswith("int8")
    return WeightTensor(
        name=f"model/conv_{index}/kernel",
        shape=(3, 3, 8, 16 * (index + 1)),
        dtype="int8" if narrow else "float32",
        size_bytes=elements * (1 if narrow else 4),
        elements=elements,
        zeros=elements * sparse // 100,
        distinct=2**palette if palette else 255 if narrow else elements,
        compressed=recipe != "float32",
    )


def a_model(name: str = "digits", *, size_bytes: int = 250_000, random_weights: bool = False) -> Model:
    return Model(
        name=name,
        format="tflite",
        path=Path(f"/models/{name}.tflite"),
        digest=digest.of_content({"model": name}),
        size_bytes=size_bytes,
        inputs=(TensorSpec(name="image", shape=(1, 8, 8, 1), dtype="float32"),),
        outputs=(TensorSpec(name="probabilities", shape=(1, 10), dtype="float32"),),
        precision="float32",
        parameters=size_bytes // 4,
        metric=None if random_weights else "top1",
        random_weights=random_weights,
    )


def _figure(recipe: str, step: str) -> int | None:
    """The first number of a step of the recipe: 4 of `sparse-50+palette-4`, 2 of `sparse-2:4`."""
    found = re.search(rf"\b{step}-(\d+)", recipe)
    return int(found[1]) if found else None
