"""The models that ship with the bench: `digits`, with real weights, and the architecture skeletons.

They are built from code and weights in the repository at first use, in a few seconds, and kept in the cache under
their digests. What the digest was is noted under a digest of all that decides it, so that later uses only read:

    cache/<digest>/<name>.tflite                           the file, or the folder (.mlpackage)
    cache/made-by/<digest of code>/<name>.tflite.sha256    its whole digest
"""

import functools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core import digest
from harness.core.errors import ConfigError, ModelUnreadable
from harness.core.files import PART, publish, write_whole
from harness.core.model import Model
from harness.sources.reading import read_model

if TYPE_CHECKING:
    from harness.sources.skeleton import Network

WRITERS = ("numpy", "ai-edge-litert", "flatbuffers")
"""Packages with a say in the bytes of every .tflite that is written: numbers, the schema, its packing."""
_TOOLS = {
    "tflite": (*WRITERS, "scikit-learn"),  # the last has the data of `digits`
    "mlpackage": ("numpy", "coremltools", "protobuf", "scikit-learn"),
}

Write = Callable[[Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How a shipped model is made: each writes a path that is not there yet.

    builds has the model's file or folder by format, writes_data its .npz where it has one.
    """

    builds: Mapping[str, Write]
    writes_data: Mapping[str, Write] = field(default_factory=dict)
    metric: str | None
    random_weights: bool
    summary: str


def sample_model(name: str, cache: Path, format: str = "tflite") -> Model:
    """The shipped model of that name and format, written below cache where it is not there yet.

    Raises ConfigError for an unknown name or a format that it does not have, OSError where the cache cannot be written.
    """
    sample = SAMPLES.get(name)
    if sample is None:
        raise ConfigError(f"{name!r} is no shipped model; the shipped ones are {', '.join(SAMPLES)}")
    if format not in sample.builds:
        able = [other for other, ours in SAMPLES.items() if format in ours.builds]
        raise ConfigError(
            f"{name} does not ship as {format}, it ships as {' and '.join(sample.builds)}; "
            f"as {format} ship: {', '.join(able) or 'none'}"
        )
    return open_sample(name, sample, cache, format)


def open_sample(name: str, sample: Sample, cache: Path, format: str = "tflite") -> Model:
    """The sample as it lies in the cache; made again where it does not, or not whole. Raises OSError."""
    file, notes = f"{name}.{format}", _notes(cache, format)
    model = _read_kept(name, sample, *_place(cache, notes, file))
    if model is None:
        model = _read(name, sample, _store(cache, notes, file, sample.builds[format]))
    if format not in sample.writes_data:
        return model
    return replace(model, data=_open_data(cache, notes, f"{name}.npz", sample.writes_data[format]))


def _read_kept(name: str, sample: Sample, path: Path, noted: str) -> Model | None:
    """The model at path, None where there is none with the digest that was noted."""
    try:
        model = _read(name, sample, path)
    except ModelUnreadable:
        return None
    return model if model.digest == noted else None


def _read(name: str, sample: Sample, path: Path) -> Model:
    return read_model(path, name=name, metric=sample.metric, random_weights=sample.random_weights)


def _open_data(cache: Path, notes: Path, file: str, write: Write) -> Path:
    path, noted = _place(cache, notes, file)
    if path.is_file() and digest.of_file(path) == noted:
        return path
    return _store(cache, notes, file, write)


def _place(cache: Path, notes: Path, file: str) -> tuple[Path, str]:
    """Where the file should lie, and its digest; no digest where this code has not made it here yet."""
    try:
        noted = _note(notes, file).read_text(encoding="ascii")
    except (OSError, ValueError):
        noted = ""
    return cache / noted[:16] / file, noted


def _store(cache: Path, notes: Path, file: str, write: Write) -> Path:
    """Have it written under a temporary name, rename it to what its digest says, then note that."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".", suffix=PART) as scratch:
        written = Path(scratch) / file
        write(written)
        made = digest.of_path(written)
        path = cache / made[:16] / file
        publish(written, path, lambda there: digest.of_path(there) == made)
    write_whole(_note(notes, file), made.encode())
    return path


def _note(notes: Path, file: str) -> Path:
    return notes / f"{file}.sha256"


def _notes(cache: Path, format: str) -> Path:
    return cache / "made-by" / _makers(format)[:16]


@functools.cache
def _makers(format: str) -> str:
    """Digest of what decides the content of samples: code and weights beside this file, versions. Read once."""
    root = Path(__file__).resolve().parent
    files = sorted(path for path in root.rglob("*") if path.suffix in (".py", ".npz"))
    made_of = {str(path.relative_to(root)): digest.of_file(path) for path in files}
    return digest.of_content(made_of | {tool: metadata.version(tool) for tool in _TOOLS[format]})


def _write_digits_tflite(path: Path) -> None:
    from harness.sources.digits import network

    path.write_bytes(network.build(network.load_weights()))


def _write_digits_mlpackage(path: Path) -> None:
    from harness.sources.digits import network

    network.write_mlpackage(network.load_weights(), path)


def _write_digits_data(path: Path) -> None:
    from harness.sources.digits.dataset import write_evaluation_data

    write_evaluation_data(path)


def _write_digits_data_channels_first(path: Path) -> None:
    from harness.sources.digits.dataset import write_evaluation_data

    write_evaluation_data(path, channels_first=True)


def _skeleton(architecture: str, module: str) -> Sample:
    def network() -> "Network":
        described: Network = import_module(f"harness.sources.{module}").NETWORK
        return described

    def write_tflite(path: Path) -> None:
        path.write_bytes(network().write_tflite())

    def write_mlpackage(path: Path) -> None:
        network().write_mlpackage(path)

    return Sample(
        builds={"tflite": write_tflite, "mlpackage": write_mlpackage},
        metric=None,
        random_weights=True,
        summary=f"the architecture of {architecture} with random weights: real size and latency, no real outputs",
    )


SAMPLES: dict[str, Sample] = {
    "digits": Sample(
        builds={"tflite": _write_digits_tflite, "mlpackage": _write_digits_mlpackage},
        writes_data={"tflite": _write_digits_data, "mlpackage": _write_digits_data_channels_first},
        metric="top1",
        random_weights=False,
        summary="a small CNN trained on scikit-learn's handwritten digits, with 540 labelled test images",
    ),
    "mobilenet_v1": _skeleton("MobileNet 1.0 224", "mobilenet_v1"),
    "mobilenet_v2": _skeleton("MobileNetV2 1.0 224", "mobilenet_v2"),
    "inception_v3": _skeleton("InceptionV3 299", "inception_v3"),
    "resnet_v2_101": _skeleton("ResNet-101 v2 224", "resnet_v2_101"),
    "resnet50": _skeleton("ResNet-50 224", "resnet50"),
    "ssd_resnet18": _skeleton("SSD300 over a ResNet-18, one class,", "ssd_resnet18"),
}
