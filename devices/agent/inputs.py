"""What a model is fed: raw files in the order of its inputs, or values made from a seed."""

from __future__ import annotations

import array
import random
import struct

from .litert import LiteRtError

_BLOCK = 4096

# LiteRtElementType: what a value is, its bytes, and how a block of values is made.
FLOAT32, INT32, UINT8, INT64, STRING, BOOL, INT16, INT8 = 1, 2, 3, 4, 5, 6, 7, 9
FLOAT16, FLOAT64, UINT64, UINT32, UINT16 = 10, 11, 13, 16, 17
_FLOATS = {FLOAT32: "f", FLOAT64: "d"}
_SMALL_INTEGERS = {UINT8: 1, INT8: 1, INT16: 2, UINT16: 2}
_WIDE_INTEGERS = {INT32: "i", INT64: "q", UINT32: "I", UINT64: "Q"}
_LARGEST_INDEX = 127


def make(element_type: int, size: int, seed: int) -> bytes | None:
    """size bytes of little-endian values, the same for the same seed; None for a type that cannot be made up.

    Floats lie in [-1, 1]. Integers of 8 and 16 bits take their whole range. Wider ones lie in [0, 127], since they
    are mostly indexes and one out of range would be refused. A block of 4096 values is repeated: making 150,528
    values one by one would take longer than loading the model.
    """
    block = _block(element_type, random.Random(seed))
    if block is None:
        return None
    return (block * (size // len(block) + 1))[:size]


def content(files: list[str], place: int, element_type: int, size: int, seed: int) -> bytes:
    """What input number `place` is fed: its file, or made-up values. Raises LiteRtError, OSError."""
    if not files:
        made = make(element_type, size, seed + place)
        if made is None:
            raise LiteRtError("input {} has element type {}, which cannot be made up".format(place, element_type))
        return made
    with open(files[place], "rb") as stream:
        read = stream.read()
    if len(read) != size:
        raise LiteRtError("{} has {} bytes, input {} takes {}".format(files[place], len(read), place, size))
    return read


def _block(element_type: int, source: random.Random) -> bytes | None:
    if element_type in _FLOATS:
        return array.array(_FLOATS[element_type], (source.uniform(-1, 1) for _ in range(_BLOCK))).tobytes()
    if element_type == FLOAT16:
        return struct.pack("<{}e".format(_BLOCK), *(source.uniform(-1, 1) for _ in range(_BLOCK)))
    if element_type in _SMALL_INTEGERS:
        size = _BLOCK * _SMALL_INTEGERS[element_type]
        return source.getrandbits(8 * size).to_bytes(size, "little")
    if element_type in _WIDE_INTEGERS:
        return array.array(
            _WIDE_INTEGERS[element_type], (source.randint(0, _LARGEST_INDEX) for _ in range(_BLOCK))
        ).tobytes()
    if element_type == BOOL:
        return bytes(source.randint(0, 1) for _ in range(_BLOCK))
    return None
