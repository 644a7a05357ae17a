"""TensorFlow Lite's form of a tensor of strings (tflite/string_util.h), little-endian.

A count n as int32, n + 1 offsets as int32 counted from the beginning, and the strings' bytes.
"""

from __future__ import annotations

import random
import struct

from .litert import LiteRtError

_SYLLABLES = ("ba", "ko", "li", "mu", "ne", "ra", "si", "to")


def unpack(content: bytes) -> list[bytes]:
    """The strings in it. Raises ValueError where it is none of that form."""
    try:
        (count,) = struct.unpack_from("<i", content)
        offsets = struct.unpack_from("<{}i".format(count + 1), content, 4) if count >= 0 else ()
    except struct.error as problem:
        raise ValueError("no count and offsets of strings: {}".format(problem)) from problem
    first = 4 * (len(offsets) + 1)
    if not offsets or offsets[0] != first or list(offsets) != sorted(offsets) or offsets[-1] != len(content):
        raise ValueError("its offsets do not lead from {} to its end at {}".format(first, len(content)))
    return [content[start:end] for start, end in zip(offsets, offsets[1:])]  # noqa: RUF007 (not in Python 3.7)


def make(count: int, seed: int) -> list[bytes]:
    """Words of two to four syllables, the same for the same seed."""
    source = random.Random(seed)
    return ["".join(source.choices(_SYLLABLES, k=source.randint(2, 4))).encode() for _ in range(count)]


def content(files: list[str], place: int, count: int, seed: int) -> list[bytes]:
    """What input number `place` is fed: the strings of its file, or made-up ones. Raises LiteRtError, OSError."""
    if not files:
        return make(count, seed + place)
    with open(files[place], "rb") as stream:
        read = stream.read()
    try:
        words = unpack(read)
    except ValueError as problem:
        raise LiteRtError("{} holds no strings: {}".format(files[place], problem)) from problem
    if len(words) != count:
        raise LiteRtError("{} has {} strings, input {} takes {}".format(files[place], len(words), place, count))
    return words
