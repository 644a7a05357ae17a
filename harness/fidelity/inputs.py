"""A dataset's samples as a model takes them, of any format."""

from collections.abc import Sequence
from pathlib import Path

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.files import keep
from harness.core.model import TensorSpec
from harness.fidelity.array import Array
from harness.fidelity.evaluation import Dataset
from harness.fidelity.quantization import to_stored
from harness.sources.tflite_strings import pack_strings


def match_inputs(path: Path, specs: Sequence[TensorSpec], dataset: Dataset) -> tuple[Array, ...]:
    """The dataset's arrays in the order of specs: by name where the names are the same, else by position.

    Raises ModelUnreadable where count or shapes differ from those of the model the data belongs to.
    """
    arrays = dataset.inputs
    named = {spec.name for spec in specs} == set(arrays)
    ordered = [arrays[spec.name] for spec in specs] if named else list(arrays.values())
    shapes = [values.shape[1:] for values in ordered]
    if len(shapes) != len(specs) or not all(map(_fits, shapes, specs)):
        raise ModelUnreadable(
            path, f"its inputs have shapes {[spec.shape for spec in specs]} and the source's have {shapes}"
        )
    return tuple(ordered)


def _fits(shape: tuple[int, ...], spec: TensorSpec) -> bool:
    """Whether a sample has the shape that is declared; an open size takes any."""
    return len(shape) == len(spec.shape) and all(
        wanted in (-1, size) for size, wanted in zip(shape, spec.shape, strict=True)
    )


def write_input_files(specs: Sequence[TensorSpec], dataset: Dataset, directory: Path) -> tuple[Path, ...]:
    """Write the first sample as one raw little-endian file per input, in the dtypes of specs.

    Strings are written as a tensor holds them (`tflite_strings.py`). Files are named by their content, so that variants
    with the same inputs share them. Raises OSError.
    """
    arrays = match_inputs(directory, specs, dataset)
    return tuple(_write(directory, to_stored(values[0], spec)) for spec, values in zip(specs, arrays, strict=True))


def _write(directory: Path, values: Array) -> Path:
    if values.dtype.kind == "S":
        content = pack_strings(values.ravel().tolist())
    else:
        content = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return keep(directory / f"{digest.of_bytes(content)[:32]}.bin", content)
