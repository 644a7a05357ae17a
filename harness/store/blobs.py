"""Raw samples and op tables as compressed bytes. A codec number stands beside each blob in its row.

Codec 1: zlib (level 1) over JSON for nouns; over four series of little-endian int64, each after its uint32 length, for
the samples of a launch.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.core.launch import LaunchRecord
from harness.store import codec
from harness.store.codec import CodecError

CODEC = 1
_LEVEL = 1
# What damaged bytes raise while they are unpacked.
_DAMAGE = (zlib.error, struct.error, UnicodeDecodeError)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The series of a launch: see LaunchRecord."""

    samples_ns: tuple[int, ...]
    cpu_ns: tuple[int, ...]
    starts_ns: tuple[int, ...]
    warmup_ns: tuple[int, ...]

    @classmethod
    def of(cls, record: LaunchRecord) -> "Samples":
        return cls(
            samples_ns=record.samples_ns,
            cpu_ns=record.cpu_ns,
            starts_ns=record.starts_ns,
            warmup_ns=record.warmup_ns,
        )


def pack(value: object, kind: object) -> bytes:
    """A noun of type `kind` in the codec of today. Raises CodecError."""
    return zlib.compress(codec.dumps(value, kind).encode("ascii"), _LEVEL)


def unpack(number: int, blob: bytes, kind: object) -> Any:  # noqa: ANN401  # it is of type `kind`
    """The noun of type `kind` in a blob. Raises CodecError on damage and on a codec that is not known here."""
    return codec.loads(_undamaged(number, lambda: zlib.decompress(blob)), kind)


def pack_samples(samples: Samples) -> bytes:
    """Raises CodecError on what does not fit 64 bits."""
    try:
        return zlib.compress(b"".join(_series(samples)), _LEVEL)
    except struct.error as error:
        raise CodecError(f"a sample is not a whole number of nanoseconds in 64 bits: {error}") from error


def unpack_samples(number: int, blob: bytes) -> Samples:
    """Raises CodecError on damage and on a codec that is not known here."""
    return _undamaged(number, lambda: _split(zlib.decompress(blob)))


def _series(samples: Samples) -> Iterator[bytes]:
    for series in (samples.samples_ns, samples.cpu_ns, samples.starts_ns, samples.warmup_ns):
        yield struct.pack(f"<I{len(series)}q", len(series), *series)


def _split(content: bytes) -> Samples:
    parts: list[tuple[int, ...]] = []
    offset = 0
    for _ in range(4):
        (length,) = struct.unpack_from("<I", content, offset)
        if length * 8 > len(content) - offset - 4:
            raise struct.error(f"{length} samples in {len(content)} bytes")
        parts.append(struct.unpack_from(f"<{length}q", content, offset + 4))
        offset += 4 + 8 * length
    if offset != len(content):
        raise struct.error(f"{len(content) - offset} bytes too many")
    return Samples(samples_ns=parts[0], cpu_ns=parts[1], starts_ns=parts[2], warmup_ns=parts[3])


def _undamaged(number: int, read: Callable[[], _T]) -> _T:
    if number != CODEC:
        raise CodecError(f"written with codec {number}, this version reads codec {CODEC}; use a newer weighbridge")
    try:
        return read()
    except _DAMAGE as error:
        raise CodecError(f"damaged: {error}") from error
