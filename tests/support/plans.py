"""Small models, devices and wishes for tests of what is planned."""

from collections.abc import Callable
from pathlib import Path

from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts, Exclusion
from harness.core.launch import MeasureSettings
from harness.core.model import Model, TensorSpec
from harness.core.variant import VariantSpec
from harness.plan import Rules, Wishes

CPU = ComputeUnit.parse("cpu")
BUILTIN = ComputeUnit.parse("cpu/builtin")
GPU = ComputeUnit.parse("gpu")


def a_model(name: str = "m", precision: str = "float32") -> Model:
    image = TensorSpec(name="x", shape=(1, 4), dtype="float32")
    return Model(
        name=name,
        format="tflite",
        path=Path(f"{name}.tflite"),
        digest=name * 8,
        size_bytes=1000,
        inputs=(image,),
        outputs=(image,),
        precision=precision,
        parameters=250,
    )


def some_facts(name: str = "local", cores: int | None = 2) -> DeviceFacts:
    return DeviceFacts(
        name=name,
        family="linux",
        simulated=False,
        cores=cores,
        units=(CPU, BUILTIN),
        exclusions=(Exclusion(what="gpu", reason="no render node"),),
    )


def some_rules(refusal: Callable[[VariantSpec, Model], str | None] = lambda *_: None) -> Rules:
    """Rules that have nothing to say but a refusal."""
    return Rules(refusal=refusal, unable=lambda *_: None, lacking=lambda *_: None, warning=lambda *_: None)


def some_wishes(
    *recipes: str,
    model: str = "m",
    units: tuple[ComputeUnit, ...] | None = None,
    launches: int = 4,
    cold_starts: int = 0,
) -> Wishes:
    specs = tuple(VariantSpec(model=model, name=recipe, recipe=recipe) for recipe in recipes)
    return Wishes(
        specs={model: specs},
        units=units,
        settings=MeasureSettings(launches=launches, inferences=5, cold_starts=cold_starts),
    )
