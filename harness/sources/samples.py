"""The models that ship with the bench: `digits` and `mobilenet_v2`.

They are built from code and weights in the repository when they are asked for, in about a second, and kept in the
cache under their digests.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core import digest
from harness.core.errors import ConfigError
from harness.core.files import keep
from harness.core.model import Model
from harness.sources.tflite import read_model


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
    path = _store(cache, name, ".tflite", sample.build())
    model = read_model(path, name=name, metric=sample.metric, random_weights=sample.random_weights)
    return model if sample.data is None else replace(model, data=_store_data(cache, name, sample.data))


def _store(cache: Path, name: str, suffix: str, content: bytes) -> Path:
    """Keep content below its digest. A file that is there is trusted only if it holds the same bytes."""
    return keep(cache / digest.of_bytes(content)[:16] / f"{name}{suffix}", content)


def _store_data(cache: Path, name: str, write: Callable[[Path], None]) -> Path:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "data.npz"
        write(path)
        return _store(cache, name, ".npz", path.read_bytes())


def _build_digits() -> bytes:
    from harness.sources.digits import network

    return network.build(network.load_weights())


def _write_digits_data(path: Path) -> None:
    from harness.sources.digits.dataset import write_evaluation_data

    write_evaluation_data(path)


def _build_mobilenet_v2() -> bytes:
    from harness.sources import mobilenet_v2

    return mobilenet_v2.build()


SAMPLES: dict[str, Sample] = {
    "digits": Sample(
        build=_build_digits,
        data=_write_digits_data,
        metric="top1",
        random_weights=False,
        summary="a small CNN trained on scikit-learn's handwritten digits, with 540 labelled test images",
    ),
    "mobilenet_v2": Sample(
        build=_build_mobilenet_v2,
        data=None,
        metric=None,
        random_weights=True,
        summary="the architecture of MobileNetV2 1.0 224 with random weights: real size and latency, no real outputs",
    ),
}
