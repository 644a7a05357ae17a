"""The models that ship with the bench: `digits`, with real weights, and the architecture skeletons.

They are built from code and weights in the repository at first use, in a second or two, and kept in the cache under
their digests. What the digest was is noted under a digest of all that decides it, so that later uses only read:

    cache/<digest>/<name>.tflite                           the file
    cache/made-by/<digest of code>/<name>.tflite.sha256    its whole digest
"""

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from harness.core import digest
from harness.core.errors import ConfigError, ModelUnreadable
from harness.core.files import keep, write_whole
from harness.core.model import Model
from harness.sources.tflite import read_model

WRITERS = ("numpy", "ai-edge-litert", "flatbuffers")
"""Packages with a say in the bytes of every file that is written: numbers, the schema, its packing."""
_TOOLS = (*WRITERS, "scikit-learn")  # and the data of `digits`


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How a shipped model is made. data writes its .npz, None where it has none."""

    build: Callable[[], bytes]
    data: Callable[[Path], None] | None
    metric: str | None
    random_weights: bool
    summary: str


def sample_model(name: str, cache: Path) -> Model:
    """The shipped model of that name, written below cache where it is not there yet.

    Raises ConfigError for an unknown name, OSError where the cache cannot be written.
    """
    sample = SAMPLES.get(name)
    if sample is None:
        raise ConfigError(f"{name!r} is no shipped model; the shipped ones are {', '.join(SAMPLES)}")
    return open_sample(name, sample, cache)


def open_sample(name: str, sample: Sample, cache: Path) -> Model:
    """The sample as it lies in the cache; made again where it does not, or not whole. Raises OSError."""
    file = f"{name}.tflite"
    model = _read_kept(name, sample, *_place(cache, file)) or _read(name, sample, _store(cache, file, sample.build()))
    return model if sample.data is None else replace(model, data=_open_data(cache, f"{name}.npz", sample.data))


def _read_kept(name: str, sample: Sample, path: Path, noted: str) -> Model | None:
    """The model at path, None where there is none with the digest that was noted."""
    try:
        model = _read(name, sample, path)
    except ModelUnreadable:
        return None
    return model if model.digest == noted else None


def _read(name: str, sample: Sample, path: Path) -> Model:
    return read_model(path, name=name, metric=sample.metric, random_weights=sample.random_weights)


def _open_data(cache: Path, file: str, write: Callable[[Path], None]) -> Path:
    path, noted = _place(cache, file)
    if path.is_file() and digest.of_file(path) == noted:
        return path
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "data.npz"
        write(written)
        return _store(cache, file, written.read_bytes())


def _place(cache: Path, file: str) -> tuple[Path, str]:
    """Where the file should lie, and its digest; no digest where this code has not made it here yet."""
    try:
        noted = _note(cache, file).read_text(encoding="ascii")
    except (OSError, ValueError):
        noted = ""
    return cache / noted[:16] / file, noted


def _store(cache: Path, file: str, content: bytes) -> Path:
    """Keep content below its digest, then note that."""
    made = digest.of_bytes(content)
    path = keep(cache / made[:16] / file, content)
    write_whole(_note(cache, file), made.encode())
    return path


def _note(cache: Path, file: str) -> Path:
    return cache / "made-by" / _makers()[:16] / f"{file}.sha256"


@functools.cache
def _makers() -> str:
    """Digest of what decides the content of samples: code and weights beside this file, versions. Read once."""
    root = Path(__file__).resolve().parent
    files = sorted(path for path in root.rglob("*") if path.suffix in (".py", ".npz"))
    made_of = {str(path.relative_to(root)): digest.of_file(path) for path in files}
    return digest.of_content(made_of | {tool: metadata.version(tool) for tool in _TOOLS})


def _build_digits() -> bytes:
    from harness.sources.digits import network

    return network.build(network.load_weights())


def _write_digits_data(path: Path) -> None:
    from harness.sources.digits.dataset import write_evaluation_data

    write_evaluation_data(path)


def _build_mobilenet_v1() -> bytes:
    from harness.sources import mobilenet_v1

    return mobilenet_v1.build()


def _build_mobilenet_v2() -> bytes:
    from harness.sources import mobilenet_v2

    return mobilenet_v2.build()


def _build_inception_v3() -> bytes:
    from harness.sources import inception_v3

    return inception_v3.build()


def _build_resnet_v2_101() -> bytes:
    from harness.sources import resnet_v2_101

    return resnet_v2_101.build()


def _build_resnet50() -> bytes:
    from harness.sources import resnet50

    return resnet50.build()


def _skeleton(architecture: str, build: Callable[[], bytes]) -> Sample:
    return Sample(
        build=build,
        data=None,
        metric=None,
        random_weights=True,
        summary=f"the architecture of {architecture} with random weights: real size and latency, no real outputs",
    )


SAMPLES: dict[str, Sample] = {
    "digits": Sample(
        build=_build_digits,
        data=_write_digits_data,
        metric="top1",
        random_weights=False,
        summary="a small CNN trained on scikit-learn's handwritten digits, with 540 labelled test images",
    ),
    "mobilenet_v1": _skeleton("MobileNet 1.0 224", _build_mobilenet_v1),
    "mobilenet_v2": _skeleton("MobileNetV2 1.0 224", _build_mobilenet_v2),
    "inception_v3": _skeleton("InceptionV3 299", _build_inception_v3),
    "resnet_v2_101": _skeleton("ResNet-101 v2 224", _build_resnet_v2_101),
    "resnet50": _skeleton("ResNet-50 224", _build_resnet50),
}
