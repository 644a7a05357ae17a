"""coremltools' protobuf classes of Core ML models, without coremltools: importing that takes a second and 100 MB.

They are the very classes that coremltools has once it is imported too. The classes have no types for mypy: Any.
Format: https://apple.github.io/coremltools/mlmodel/
"""

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

_STAND_IN = "_coreml_proto"  # for the package coremltools.proto, whose parent is what takes the time


class SpecificationDamaged(ValueError):
    """Bytes that are no model specification."""


def parse_specification(content: bytes) -> Any:  # noqa: ANN401 (Model_pb2.Model)
    """A model's specification. Raises SpecificationDamaged; an empty one is a specification that says nothing."""
    from google.protobuf.message import DecodeError

    specification = _module("Model_pb2").Model()
    try:
        specification.ParseFromString(content)
    except DecodeError as exc:
        raise SpecificationDamaged(str(exc).partition("\n")[0] or "the bytes are no protobuf") from exc
    return specification


@cache
def element_types() -> dict[int, str]:
    """Names of the element types of ML Programs by their numbers: `float16`, `int4`, `string`."""
    return {number: name.lower() for name, number in _module("MIL_pb2").DataType.items() if number}


@cache
def array_types() -> dict[int, str]:
    """Names of the element types of arrays at a model's inputs and outputs; numpy's, so DOUBLE is `float64`."""
    listed = _module("FeatureTypes_pb2").ArrayFeatureType.ArrayDataType.items()
    return {number: "float64" if name == "DOUBLE" else name.lower() for name, number in listed if number}


@cache
def colour_layouts() -> dict[int, str]:
    """Names of the colour layouts of images by their numbers: `RGB`."""
    return {number: name for name, number in _module("FeatureTypes_pb2").ImageFeatureType.ColorSpace.items() if number}


@cache
def _module(name: str) -> ModuleType:
    if _STAND_IN not in sys.modules:
        package = ModuleType(_STAND_IN)
        package.__path__ = [str(_folder())]
        sys.modules[_STAND_IN] = package
    return importlib.import_module(f"{_STAND_IN}.{name}")


def _folder() -> Path:
    found = importlib.util.find_spec("coremltools")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("coremltools is not installed", name="coremltools")
    return Path(found.submodule_search_locations[0]) / "proto"
