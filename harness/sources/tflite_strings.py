"""A tensor of strings as bytes: how many, where each begins and the last ends, then all of them.

Little-endian int32 count, int32 offsets (count + 1) from the start of the buffer, then the strings with no end mark.
Source: tensorflow/lite/string_util.h, "Example of string buffer".
"""

import struct
from collections.abc import Sequence
from itertools import accumulate


def pack_strings(values: Sequence[bytes]) -> bytes:
    """The buffer of a tensor that holds values, in C order."""
    start = 4 * (len(values) + 2)
    offsets = accumulate((len(value) for value in values), initial=start)
    return struct.pack(f"<{len(values) + 2}i", len(values), *offsets) + b"".join(values)
