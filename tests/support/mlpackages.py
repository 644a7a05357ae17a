"""Core ML packages for tests of what reads them: unusual ones, and ones that are damaged by hand."""

import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.sources.coreml_schema import parse_specification
from harness.toolkit import import_coremltools, quietly
from tests.support import mil

SPECIFICATION = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")
MANIFEST = Path("Manifest.json")


def tiny_cnn(x: Any) -> Any:  # noqa: ANN401 (the builder has no types)
    """(1, 3, 8, 8) to four scores: a convolution with bias, a mean, a dense layer with bias, softmax."""
    mb = mil.builder()
    source = np.random.default_rng(0)
    x = mb.conv(x=x, weight=_real(source, 8, 3, 3, 3), bias=_real(source, 8), pad_type="same", name="features")
    x = mb.reduce_mean(x=mb.relu(x=x), axes=[2, 3], keep_dims=False)
    x = mb.linear(x=x, weight=_real(source, 4, 8), bias=_real(source, 4), name="dense")
    return mb.softmax(x=x, axis=-1, name="scores")


def edit(package: Path, change: Callable[[Any], object]) -> Path:
    """The same package with another specification: change is given the Model_pb2.Model."""
    file = package / SPECIFICATION if package.is_dir() else package
    specification = parse_specification(file.read_bytes())
    change(specification)
    file.write_bytes(specification.SerializeToString())
    return package


def edit_manifest(package: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The same package with another manifest."""
    manifest = json.loads((package / MANIFEST).read_text())
    change(manifest)
    (package / MANIFEST).write_text(json.dumps(manifest))
    return package


def convert(program: Any, path: Path, target: str = "iOS18", **options: Any) -> Path:  # noqa: ANN401
    """Write a program of the builder with what only the converter gives it: images, labels, open shapes."""
    coremltools = import_coremltools()
    with quietly():
        coremltools.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            minimum_deployment_target=getattr(coremltools.target, target),
            skip_model_load=True,
            **options,
        ).save(str(path))
    return path


def join_functions(path: Path, **packages: Path) -> Path:
    """One package with a function from each; the first is the default."""
    coremltools = import_coremltools()
    descriptor = coremltools.utils.MultiFunctionDescriptor()
    for name, package in packages.items():
        descriptor.add_function(str(package), src_function_name="main", target_function_name=name)
    descriptor.default_function_name = next(iter(packages))
    with quietly():
        coremltools.utils.save_multifunction(descriptor, str(path))
    return path


def image_classifier(path: Path) -> Path:
    """An image of 8 x 8 pixels in, one of four labels out."""
    coremltools = import_coremltools()
    image = coremltools.ImageType(name="x", shape=(1, 3, 8, 8), scale=1 / 255)
    labels = coremltools.ClassifierConfig(list("abcd"))
    return convert(_program((1, 3, 8, 8)), path, inputs=[image], classifier_config=labels)


def ranges(path: Path) -> Path:
    """Height and width are open between 4 and 20, 8 by default."""
    coremltools = import_coremltools()
    sides = [coremltools.RangeDim(4, 20, default=8) for _ in range(2)]
    return convert(_program((1, 3, None, None)), path, inputs=[coremltools.TensorType(name="x", shape=(1, 3, *sides))])


def image_ranges(path: Path) -> Path:
    """An image of 4 to 20 pixels a side, 8 by default."""
    coremltools = import_coremltools()
    sides = [coremltools.RangeDim(4, 20, default=8) for _ in range(2)]
    return convert(_program((1, 3, None, None)), path, inputs=[coremltools.ImageType(name="x", shape=(1, 3, *sides))])


def static(path: Path, *shape: int) -> Path:
    """The same network for one shape alone."""
    return convert(_program(shape), path)


def choices(path: Path) -> Path:
    """Height and width are 8 or 16, 16 by default."""
    coremltools = import_coremltools()
    shapes = coremltools.EnumeratedShapes(shapes=[(1, 3, 8, 8), (1, 3, 16, 16)], default=(1, 3, 16, 16))
    return convert(_program((1, 3, None, None)), path, inputs=[coremltools.TensorType(name="x", shape=shapes)])


def counter(path: Path) -> Path:
    """Keeps the sum of its inputs in a state."""

    def body(x: Any, total: Any) -> Any:  # noqa: ANN401
        mb = mil.builder()
        made = mb.add(x=mb.read_state(input=total), y=mb.cast(x=x, dtype="fp16"))
        return mb.mul(x=mb.coreml_update_state(state=total, value=made), y=np.float16(2))

    return mil.write(path, {"x": (1, 3)}, body, states={"total": (1, 3)})


def loop(path: Path) -> Path:
    """Multiplies its input with one weight, three times."""

    def body(x: Any) -> Any:  # noqa: ANN401
        mb, weight = mil.builder(), _real(np.random.default_rng(0), 4, 4)
        return mb.while_loop(
            _cond=lambda step, _: mb.less(x=step, y=3),
            _body=lambda step, y: (mb.add(x=step, y=1), mb.matmul(x=y, y=weight)),
            loop_vars=(0, x),
        )[1]

    return mil.write(path, {"x": (3, 4)}, body)


def scramble(specification: Any, chance: random.Random, times: int) -> None:  # noqa: ANN401 (Model_pb2.Model)
    """Another number, name or nothing at all in places of a specification, which stays a sound protobuf."""
    for _ in range(times):
        holder, field = chance.choice(list(_fields(specification)))
        value = getattr(holder, field.name)
        if chance.random() < 0.3 or field.message_type is not None:
            holder.ClearField(field.name)
        elif field.is_repeated:
            value[chance.randrange(len(value))] = _other(value[0], chance)
        else:
            setattr(holder, field.name, _other(value, chance))


def _fields(message: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    """Every field that is set, of a message and of those in it."""
    for field, value in message.ListFields():
        yield message, field
        if field.message_type is None:
            continue
        is_map = field.message_type.GetOptions().map_entry
        inner = value.values() if is_map else value if field.is_repeated else [value]
        for each in inner:
            if hasattr(each, "ListFields"):
                yield from _fields(each)


def _other(value: Any, chance: random.Random) -> Any:  # noqa: ANN401
    match value:
        case bool():
            return not value
        case int():
            return chance.choice((0, 1, 2, 3, 7, 64, 128, value + 1, 2 * value, 2**31 - 1))
        case float():
            return chance.choice((0.0, -1.0, math.inf, math.nan))
        case bytes():
            return value[: chance.randrange(len(value) + 1)]
        case _:
            return chance.choice(("", "x", "main", value[:-1], f"{value}_", "@model_path/weights/weight.bin"))


def _program(shape: Sequence[int | None]) -> Any:  # noqa: ANN401
    """tiny_cnn over an input of this shape, None where it is open."""
    coremltools, mb = import_coremltools(), mil.builder()
    from coremltools.converters.mil.mil.program import get_new_symbol

    specs = [mb.TensorSpec(shape=[get_new_symbol() if size is None else size for size in shape])]
    return mb.program(input_specs=specs, opset_version=coremltools.target.iOS18)(lambda x: tiny_cnn(x))


def _real(source: np.random.Generator, *shape: int) -> Any:  # noqa: ANN401 (an array)
    return source.standard_normal(shape).astype(np.float32)
