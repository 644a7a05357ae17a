"""Fixes the input shapes of a model, here of a .tflite file, so that all further steps see an ordinary static model.

The runtime is asked what every other tensor's shape becomes, in a process of its own: a damaged model can end it.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.files import keep
from harness.core.units import Seconds
from harness.sources.child_process import convert_in_child, told
from harness.sources.reading import format_of
from harness.sources.signatures import Signature
from harness.sources.tflite import read_signature
from harness.sources.tflite_file import shorten

Shape = tuple[int, ...]

_CHILD = "harness.sources.fixed_shapes_child"
_DEADLINE_S: Seconds = 120.0  # one inference with the slowest kernels, as large as it may be


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedModel:
    """A file whose inputs have the shapes that were asked for. note says what was done, None where nothing was."""

    path: Path
    note: str | None


def fix_shapes(
    path: Path,
    shapes: Mapping[str, Shape],
    directory: Path,
    *,
    signature: str | None = None,
    deadline_s: Seconds = _DEADLINE_S,
) -> FixedModel:
    """A copy in `directory` whose inputs have `shapes`, by the names of a signature, the first one without.

    Sizes that a .tflite file fixes may change too, where its graph takes it. The copy is named by its content. The file
    itself is the answer where it has those shapes and leaves nothing open.
    Raises ModelUnreadable: names that are no inputs, another rank, shapes that the runtime refuses. Raises OSError.
    """
    if format_of(path) == "mlpackage":
        from harness.sources.fixed_shapes_mlpackage import fix_program

        copy, note = fix_program(path, shapes, directory, signature=signature, deadline_s=deadline_s)
        return FixedModel(path=copy, note=note)
    chosen = read_signature(path, signature)
    wanted = _check(path, chosen, shapes)
    if wanted == [spec.shape for spec in chosen.inputs] and not chosen.open:
        return FixedModel(path=path, note=None)
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "fixed.tflite"
        _run(path, target, chosen, wanted, deadline_s)
        content = target.read_bytes()
    kept = keep(directory / "fixed" / f"{digest.of_bytes(content)[:32]}.tflite", content)
    return FixedModel(path=kept, note=_note(chosen, shapes))


def _check(path: Path, signature: Signature, shapes: Mapping[str, Shape]) -> list[Shape]:
    """The shape of every input, in the signature's order."""
    names = {spec.name: spec for spec in signature.inputs}
    for name, shape in shapes.items():
        if name not in names:
            known = ", ".join(map(shorten, names)) or "none"
            raise ModelUnreadable(path, f"input_shapes: no input {shorten(name)}; its inputs: {known}")
        if len(shape) != len(names[name].shape):
            has = list(signature.open.get(name, names[name].shape))
            raise ModelUnreadable(path, f"input_shapes: {shorten(name)} is given {list(shape)} and its shape is {has}")
    for spec in signature.inputs:
        if spec.name not in shapes and any(size < 1 for size in spec.shape):
            has = list(signature.open.get(spec.name, spec.shape))
            raise ModelUnreadable(path, f"input_shapes: {shorten(spec.name)} is open too, {has}; give its shape")
    return [shapes.get(spec.name, spec.shape) for spec in signature.inputs]


def _run(path: Path, target: Path, signature: Signature, shapes: list[Shape], deadline_s: Seconds) -> None:
    job = json.dumps({"graph": signature.graph, "shapes": shapes})
    named = ", ".join(f"{spec.name[:80]!r} {list(shape)}" for spec, shape in zip(signature.inputs, shapes, strict=True))
    failed = convert_in_child(_CHILD, path, target, job, deadline_s)
    if failed is not None:
        raise ModelUnreadable(path, f"LiteRT does not run it with {named}: {told(failed, deadline_s)}")


def _note(signature: Signature, shapes: Mapping[str, Shape]) -> str:
    fixed = ", ".join(f"{name[:80]} {shape}" for name, shape in shapes.items())
    own = {spec.name: spec.shape for spec in signature.inputs}
    had = ", ".join(str(list(signature.open.get(name, own[name]))) for name in shapes)
    left = "leaves them open" if signature.open.keys() & shapes.keys() else f"has {had}"
    return f"input shapes fixed to {fixed}; the file {left}"
