"""Fixes the input shapes of a Core ML program, so that all further steps see an ordinary static model.

coremltools works out what every other value's shape becomes, in a process of its own: it raises anything, and hangs.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.files import publish
from harness.core.units import Seconds
from harness.sources.child_process import convert_in_child, told
from harness.sources.coreml_interface import Interface
from harness.sources.mlpackage import read_interface
from harness.sources.mlpackage_file import open_package
from harness.sources.tflite_file import shorten

Shape = tuple[int, ...]

_CHILD = "harness.sources.fixed_shapes_mlpackage_child"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """Sizes that one dimension may have; highest None: without end."""

    lowest: int
    highest: int | None

    def holds(self, size: int) -> bool:
        return self.lowest <= size and (self.highest is None or size <= self.highest)

    def __str__(self) -> str:
        if self.lowest == self.highest:
            return str(self.lowest)
        return f"{self.lowest} or more" if self.highest is None else f"{self.lowest} to {self.highest}"


def fix_program(
    path: Path, shapes: Mapping[str, Shape], directory: Path, *, signature: str | None, deadline_s: Seconds
) -> tuple[Path, str | None]:
    """A copy in `directory` whose function has inputs of `shapes`, named by its content, and what was done.

    Inputs without a shape keep theirs, open ones their default. The model itself, with None, where nothing is to do.
    Raises ModelUnreadable: several functions, names that are no inputs, shapes that the model does not allow or the
    toolkit refuses.
    Raises OSError.
    """
    interface = read_interface(path, signature)
    if interface.key is not None:  # the toolkit's passes know one function alone
        raise ModelUnreadable(path, "input_shapes: it has several functions; fix the shape when converting it")
    own = {named.name: named.type.shape for named in interface.function.inputs}
    wanted = _check(path, interface, own, shapes)
    if wanted == {name: own[name] for name in wanted}:
        return path, None
    kept = directory / "fixed"
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept, prefix=".") as scratch:
        made = Path(scratch) / "fixed.mlpackage"
        _run(path, made, interface, wanted, deadline_s)
        name = digest.of_path(made)[:32]
        place = kept / f"{name}.mlpackage"
        publish(made, place, lambda there: digest.of_path(there)[:32] == name)
    return place, _note(own, shapes)


def _check(path: Path, interface: Interface, own: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shape of every input."""
    described = {each.name: each for each in open_package(path).specification.description.input}
    for name, shape in shapes.items():
        if name not in described:
            known = ", ".join(map(shorten, described)) or "none"
            raise ModelUnreadable(path, f"input_shapes: no input {shorten(name)}; its inputs: {known}")
        if len(shape) != len(own[name]):
            mismatch = f"{shorten(name)} is given {list(shape)} and its shape is {list(own[name])}"
            raise ModelUnreadable(path, f"input_shapes: {mismatch}")
        allowed = _allowed(described[name], own[name])
        if not any(all(map(_Range.holds, choice, shape)) for choice in allowed):
            listed = " or ".join(f"[{', '.join(map(str, choice))}]" for choice in allowed[:10])
            mismatch = f"{shorten(name)} is given {list(shape)} and the model allows {listed}"
            raise ModelUnreadable(path, f"input_shapes: {mismatch}; give one of these or convert it for others")
    wanted = {spec.name: shapes.get(spec.name, spec.shape) for spec in interface.inputs}
    for name, shape in wanted.items():
        if any(size < 1 for size in shape):
            raise ModelUnreadable(path, f"input_shapes: {shorten(name)} is open too, {list(shape)}; give its shape")
    return wanted


def _allowed(described: Any, own: Shape) -> list[tuple[_Range, ...]]:  # noqa: ANN401 (FeatureDescription)
    """Every choice that the description leaves, each a range a dimension. own is the program's shape, -1 where open."""
    if described.type.WhichOneof("Type") == "imageType":
        return _allowed_images(described.type.imageType, own)
    array = described.type.multiArrayType
    match array.WhichOneof("ShapeFlexibility"):
        case "enumeratedShapes":
            return [tuple(map(_only, each.shape)) for each in array.enumeratedShapes.shapes]
        case "shapeRange":
            return [tuple(map(_range, array.shapeRange.sizeRanges))]
    return [tuple(map(_only, own))]


def _allowed_images(image: Any, own: Shape) -> list[tuple[_Range, ...]]:  # noqa: ANN401 (ImageFeatureType)
    """As _allowed; an image is (samples, channels, height, width) to the program."""
    first = tuple(map(_only, own[:2]))
    match image.WhichOneof("SizeFlexibility"):
        case "enumeratedSizes":
            return [(*first, _only(each.height), _only(each.width)) for each in image.enumeratedSizes.sizes]
        case "imageSizeRange":
            return [(*first, _range(image.imageSizeRange.heightRange), _range(image.imageSizeRange.widthRange))]
    return [tuple(map(_only, own))]


def _only(size: int) -> _Range:
    """-1 is any size."""
    return _Range(lowest=1, highest=None) if size < 0 else _Range(lowest=size, highest=size)


def _range(given: Any) -> _Range:  # noqa: ANN401 (SizeRange, whose end is -1 where there is none)
    return _Range(lowest=given.lowerBound, highest=None if given.upperBound < 0 else given.upperBound)


def _run(path: Path, made: Path, interface: Interface, shapes: Mapping[str, Shape], deadline_s: Seconds) -> None:
    job = json.dumps({"function": interface.function.name, "shapes": shapes})
    named = ", ".join(f"{shorten(name)} {list(shape)}" for name, shape in shapes.items())
    failed = convert_in_child(_CHILD, path, made, job, deadline_s)
    if failed is not None:
        raise ModelUnreadable(path, f"coremltools does not fix it to {named}: {told(failed, deadline_s)}")


def _note(own: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> str:
    fixed = ", ".join(f"{name[:80]} {shape}" for name, shape in shapes.items())
    return f"input shapes fixed to {fixed}; the file has {', '.join(str(list(own[name])) for name in shapes)}"
