"""Damage to a file, the same for the same seed."""

import random
import struct
from collections.abc import Callable

Damage = Callable[[bytearray, random.Random], None]

_WORDS = (0, 1, -1, 2, 127, 255, 65_535, 2**31 - 1, -(2**31))
_MOST = 4  # damages to one file: more and hardly a file gets past the reader


def mutate(content: bytes, seed: int) -> bytes:
    """The content with one to four damages. Its length changes where a damage cuts or shifts."""
    chance = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(chance.randint(1, _MOST)):
        chance.choice(DAMAGES)(damaged, chance)
    return bytes(damaged)


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
