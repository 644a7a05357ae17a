"""Evaluation and calibration data: a user's .npz, a sample's own, or seeded random inputs.

An .npz holds one array per input under the input's name, samples first, and optionally
  `labels`               (n,) integers, the right class of each sample,
  `calibration/<input>`  (m, ...) samples for static quantisation; without them the evaluation samples are used.
A model with one input may have its array under any name. The batch dimension of an input of batch 1 may be left out:
for shape (1, 224, 224, 3) an array (n, 224, 224, 3) is as good as (n, 1, 224, 224, 3).
Values are real numbers. For a quantised input an array of the input's own dtype is taken as stored values. For an input
of strings they are text (dtype U, stored as UTF-8) or bytes (dtype S).
"""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import DataUnreadable
from harness.core.model import Model, TensorSpec
from harness.fidelity.array import Array
from harness.fidelity.quantization import dequantize, stored_range

_LABELS = "labels"
_ZIP, _NUMPY = b"PK", b"\x93NUMPY"
_CALIBRATION = "calibration/"
SEEDED_SAMPLES = 16
SEEDED_CALIBRATION_SAMPLES = 8
CALIBRATION_SAMPLES = 100
_CALIBRATION_SEED = 1  # not the evaluation's: a variant is not judged on what it was fitted to
_SEEDED_BYTES = 1 << 28  # all seeded inputs, and all outputs of them, as float64
_WORDS = (b"", b"yes", b"no", b"one", b"weighbridge", "m\u00fcnchen".encode())
_READ_ERRORS = (
    *(OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError, RuntimeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)
"""What numpy and zipfile raise on files that are no .npz, are damaged or hold objects."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Samples to run a model on.

    inputs: by input name, in the model's order, arrays (n, *shape): real numbers in the input's own dtype, float32
    for quantised inputs, bytes (dtype S) for strings. labels (n,) or None. source says what they are: `digits.npz`,
    `random inputs (seed 0)`.
    """

    inputs: Mapping[str, Array]
    labels: Array | None
    source: str

    @property
    def samples(self) -> int:
        """How many; 1 for a model without inputs."""
        return min((len(values) for values in self.inputs.values()), default=1)

    def sample(self, index: int) -> tuple[Array, ...]:
        """One array per input, in the model's order."""
        return tuple(values[index] for values in self.inputs.values())


def dataset_of(model: Model) -> Dataset:
    """What a model is judged on: its own data, or 16 seeded random inputs (fewer where they or its outputs are large).

    Raises DataUnreadable.
    """
    if model.data is None:
        samples = _affordable(model.inputs, model.outputs, SEEDED_SAMPLES)
        return seeded_dataset(model.inputs, samples, seed=0)
    dataset = load_dataset(model.data, model.inputs)
    _check_classes(model.data, dataset, model.outputs)
    if model.metric is not None and dataset.labels is None:
        raise DataUnreadable(model.data, f"has no array `labels`, which the metric {model.metric} needs")
    return dataset


def calibration_of(model: Model, limit: int = CALIBRATION_SAMPLES) -> Dataset:
    """What static quantisation sees: up to limit samples, spread evenly over the model's data; else 8 seeded ones.

    Raises DataUnreadable.
    """
    if model.data is None:
        return seeded_calibration(model.inputs, model.outputs)
    arrays = _read(model.data)
    dataset = _own_calibration(model.data, arrays, model.inputs)
    if dataset is None:
        dataset = _evaluation(model.data, arrays, model.inputs, f"{model.data.name}, also used for evaluation")
    chosen = np.unique(np.linspace(0, dataset.samples - 1, min(limit, dataset.samples)).round().astype(int))
    inputs = {name: values[chosen] for name, values in dataset.inputs.items()}
    return Dataset(inputs=inputs, labels=None, source=dataset.source)


def seeded_calibration(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Dataset:
    """What static quantisation sees where there is no data: 8 seeded samples, fewer where they would be large."""
    samples = _affordable(inputs, outputs, SEEDED_CALIBRATION_SAMPLES)
    return seeded_dataset(inputs, samples, seed=_CALIBRATION_SEED)


def _affordable(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], samples: int) -> int:
    """How many of so many seeded samples fit into memory: at least one."""
    sizes = (8 * sum(prod(max(size, 1) for size in spec.shape) for spec in ends) for ends in (inputs, outputs))
    return max(1, min(samples, _SEEDED_BYTES // max(*sizes, 1)))


def load_dataset(path: Path, specs: Sequence[TensorSpec]) -> Dataset:
    """Read a .npz and check all of it against the model's inputs, calibration samples too.

    Raises DataUnreadable: no such file, no .npz, names, shapes, counts or values that do not fit.
    """
    arrays = _read(path)
    _own_calibration(path, arrays, specs)
    return _evaluation(path, arrays, specs, path.name)


def seeded_dataset(specs: Sequence[TensorSpec], samples: int, seed: int) -> Dataset:
    """Random inputs by shape and dtype, the same for the same seed.

    Floats are uniform in [-1, 1), images whole numbers from 0 to 255, quantised inputs uniform over their real range,
    bytes over theirs, flags even. Other integers are 0 or 1, the only values that are safe as indexes into a table of
    unknown length. Strings are short words.
    """
    rng = np.random.default_rng(seed)
    inputs = {spec.name: _random(rng, spec, (samples, *spec.shape)) for spec in specs}
    return Dataset(inputs=inputs, labels=None, source=f"random inputs (seed {seed})")


def _random(rng: np.random.Generator, spec: TensorSpec, shape: tuple[int, ...]) -> Array:
    if spec.scale is not None:
        lowest, highest = stored_range(spec)
        return dequantize(rng.integers(lowest, highest + 1, shape), spec).astype(np.float32)
    if spec.dtype == "string":
        return rng.choice(np.array(_WORDS), shape)
    dtype = np.dtype(spec.dtype)
    if spec.image:
        return rng.integers(0, 256, shape).astype(dtype)
    if dtype.kind in "fc":
        return rng.uniform(-1, 1, shape).astype(dtype)
    if dtype.kind in "iu" and dtype.itemsize == 1:
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max + 1, shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)


def _read(path: Path) -> dict[str, Array]:
    """Every array of the file, read whole, so that damage shows here."""
    if not path.is_file():
        raise DataUnreadable(path, "no such file" if not path.exists() else "not a file; give an .npz")
    try:
        with path.open("rb") as stream:
            if not stream.read(len(_NUMPY)).startswith((_ZIP, _NUMPY)):
                raise DataUnreadable(path, "not an .npz file; save one with numpy.savez, one name per input")
            stream.seek(0)
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataUnreadable(path, "holds a single array; save it with numpy.savez, one name per input")
            with archive:
                return {name: archive[name] for name in archive.files}
    except _READ_ERRORS as exc:
        reason = " ".join(str(exc).split())[:200] or type(exc).__name__
        raise DataUnreadable(path, f"not a readable .npz of plain arrays: {reason}") from exc


def _evaluation(path: Path, arrays: Mapping[str, Array], specs: Sequence[TensorSpec], source: str) -> Dataset:
    inputs = {n: a for n, a in arrays.items() if n != _LABELS and not n.startswith(_CALIBRATION)}
    return _dataset(path, inputs, specs, arrays.get(_LABELS), source)


def _own_calibration(path: Path, arrays: Mapping[str, Array], specs: Sequence[TensorSpec]) -> Dataset | None:
    """The samples under `calibration/`, None where there are none."""
    own = {name: a for name, a in arrays.items() if name.startswith(_CALIBRATION)}
    if not own:
        return None
    named = [replace(spec, name=_CALIBRATION + spec.name) for spec in specs]
    found = _dataset(path, own, named, None, path.name).inputs
    inputs = {name.removeprefix(_CALIBRATION): values for name, values in found.items()}
    return Dataset(inputs=inputs, labels=None, source=path.name)


def _dataset(
    path: Path, arrays: Mapping[str, Array], specs: Sequence[TensorSpec], labels: Array | None, source: str
) -> Dataset:
    arrays = _by_input(path, arrays, specs)
    inputs = {spec.name: _fit(path, arrays[spec.name], spec) for spec in specs}
    counts = {name: len(values) for name, values in inputs.items()}
    if labels is not None:
        labels = _check_labels(path, labels)
        counts[_LABELS] = len(labels)
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{_short(name)} {count}" for name, count in counts.items())
        raise DataUnreadable(path, f"the arrays differ in their number of samples: {listed}")
    if 0 in counts.values():
        raise DataUnreadable(path, "holds no samples")
    return Dataset(inputs=inputs, labels=labels, source=source)


def _by_input(path: Path, arrays: Mapping[str, Array], specs: Sequence[TensorSpec]) -> Mapping[str, Array]:
    names = [spec.name for spec in specs]
    if len(names) == 1 and len(arrays) == 1:
        return dict(zip(names, arrays.values(), strict=True))
    if set(arrays) != set(names):
        has, needs = (", ".join(map(_short, sorted(keys))) or "none" for keys in (arrays, names))
        raise DataUnreadable(path, f"the arrays are {has}; the model's inputs are {needs} (docs/config.md, data)")
    return arrays


def _fit(path: Path, values: Array, spec: TensorSpec) -> Array:
    """The array as (n, *shape) of real numbers, or the reason why it cannot be that."""
    given = values.shape
    if values.ndim == len(spec.shape) and spec.shape[:1] == (1,):
        values = values[:, np.newaxis]
    if values.shape[1:] != spec.shape:
        raise DataUnreadable(
            path, f"{_short(spec.name)} has shape {given}, and samples of {spec.shape} are needed, samples first"
        )
    if spec.dtype == "string":
        return _encode(path, values, spec.name)
    if spec.scale is not None and values.dtype.name == spec.dtype:
        return dequantize(values, spec).astype(np.float32)
    return _cast(path, values, spec.name, np.dtype(np.float32 if spec.scale is not None else spec.dtype))


def _encode(path: Path, values: Array, name: str) -> Array:
    if values.dtype.kind == "S":
        return values
    if values.dtype.kind != "U":
        raise DataUnreadable(path, f"{_short(name)} holds {values.dtype}, and strings are needed")
    try:
        return np.char.encode(values, "utf-8")
    except UnicodeEncodeError as exc:
        raise DataUnreadable(path, f"{_short(name)} holds text that is no Unicode: {exc.reason}") from exc


def _cast(path: Path, values: Array, name: str, dtype: "np.dtype[Any]") -> Array:
    allowed = {"f": "biuf", "c": "biufc", "b": "b"}.get(dtype.kind, "biu")
    if values.dtype.kind not in allowed:
        raise DataUnreadable(path, f"{_short(name)} holds {values.dtype}, which does not convert to {dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        cast: Array = np.ascontiguousarray(values, dtype)
    unfit = ~np.isfinite(cast) if dtype.kind in "fc" else cast != values
    if unfit.any():
        where = int(np.argwhere(unfit)[0][0])
        raise DataUnreadable(path, f"{_short(name)} sample {where} holds NaN, infinity or a value beyond {dtype}")
    return cast


def _check_labels(path: Path, labels: Array) -> Array:
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or (labels.size and labels.min() < 0):
        raise DataUnreadable(
            path, f"labels are {labels.dtype} of shape {labels.shape}; class numbers from 0 of shape (n,) are needed"
        )
    return labels.astype(np.int64)


def _check_classes(path: Path, dataset: Dataset, outputs: Sequence[TensorSpec]) -> None:
    """A label beyond the model's classes could never be right: it belongs to another model or counts from 1."""
    classes = next((spec.shape[-1] for spec in outputs if spec.shape and prod(spec.shape) == spec.shape[-1] > 1), None)
    if dataset.labels is not None and classes is not None and dataset.labels.max() >= classes:
        raise DataUnreadable(
            path, f"labels go up to {dataset.labels.max()} and the model has {classes} classes, counted from 0"
        )


def _short(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:80] + "...")
