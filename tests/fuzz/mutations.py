"""Damage to a model, the same for the same seed: to the bytes of its file, or to the numbers that it is made of.

Most of the former end in the reader; the latter are sound flatbuffers that say nonsense, and get as far as the runtime.
"""

import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

Damage = Callable[[bytearray, random.Random], None]
Leaf = tuple[Any, Any, float]  # what holds a number, under which name or index, and the number

_WORDS = (0, 1, -1, 2, 127, 255, 65_535, 2**31 - 1, -(2**31))
_MOST = 3  # damages to one model: more and hardly one gets past the reader
_STRUCTURAL = 0.75  # of all models


def mutate(content: bytes, seed: int) -> bytes:
    """The model with one to three damages of one family."""
    chance = random.Random(seed)
    if chance.random() < _STRUCTURAL:
        return _mutate_numbers(content, chance)
    damaged = bytearray(content)
    for _ in range(chance.randint(1, _MOST)):
        chance.choice(DAMAGES)(damaged, chance)
    return bytes(damaged)


def _mutate_numbers(content: bytes, chance: random.Random) -> bytes:
    """Other numbers in tensors, operators, options, quantisation and signatures; constants stay as they are."""
    model = flatbuffer_utils.convert_bytearray_to_object(content)
    for _ in range(chance.randint(1, _MOST)):
        holder, key, number = chance.choice(list(_leaves(model)))
        _put(holder, key, _other(number, chance))
    try:
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    except (struct.error, TypeError, OverflowError, ValueError):
        return content  # a number that the field cannot hold: the model as it was is a case too


def _put(holder: Any, key: Any, number: float) -> None:  # noqa: ANN401 (generated code)
    if isinstance(holder, list):
        holder[key] = number
    else:
        setattr(holder, key, number)


def _other(number: Any, chance: random.Random) -> float:  # noqa: ANN401 (a bool, a whole number or a real one)
    if isinstance(number, bool):
        return not number
    if isinstance(number, float):
        return chance.choice((0.0, -1.0, 1e38, float("nan"), float("inf"), number * 1e-6))
    return chance.choice((0, 1, -1, number + 1, number - 1, 2 * number, 127, 100_000, 2**31 - 1, chance.randint(0, 40)))


def _leaves(node: Any) -> Iterator[Leaf]:  # noqa: ANN401 (generated code)
    """Every number below a node of the schema's own objects, but those of constants. Arrays become lists."""
    if isinstance(node, schema.BufferT):
        return
    entries: list[tuple[Any, Any]] = list(enumerate(node)) if isinstance(node, list) else list(vars(node).items())
    for key, value in entries:
        if isinstance(value, np.ndarray):
            value = value.tolist()
            setattr(node, key, value)
        if isinstance(value, bool | int | float):
            yield node, key, value
        elif isinstance(value, list) or type(value).__module__ == schema.__name__:
            yield from _leaves(value)


def _flip_bit(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _set_byte(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] = chance.choice((0x00, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _set_word(content: bytearray, chance: random.Random) -> None:
    """A 32-bit number of a flatbuffer stands at a multiple of four: a shape, an index, an offset, an enumeration."""
    place = 4 * chance.randrange(max(1, len(content) // 4 - 1))
    struct.pack_into("<i", content, place, chance.choice((*_WORDS, chance.randint(-10, 1000))))


def _swap_words(content: bytearray, chance: random.Random) -> None:
    first, second = (4 * chance.randrange(max(1, len(content) // 4 - 1)) for _ in range(2))
    content[first : first + 4], content[second : second + 4] = content[second : second + 4], content[first : first + 4]


def _scramble(content: bytearray, chance: random.Random) -> None:
    place, length = chance.randrange(len(content)), chance.randint(1, 32)
    content[place : place + length] = chance.randbytes(len(content[place : place + length]))


def _cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randint(len(content) // 2, len(content)) :]


def _remove(content: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(content))
    del content[place : place + chance.randint(1, 16)]


def _repeat(content: bytearray, chance: random.Random) -> None:
    place, length = chance.randrange(len(content)), chance.randint(1, 64)
    content[place:place] = content[place : place + length]


# Those that leave the reader something to read stand more than once.
DAMAGES: tuple[Damage, ...] = (
    *(_flip_bit, _set_byte, _set_word) * 3,
    *(_swap_words, _scramble, _cut, _remove, _repeat),
)
