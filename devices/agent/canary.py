"""A small fixed workload. Where its time moves, the device moved, not the model."""

from __future__ import annotations

import hashlib
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REPETITIONS = 9
_HASHED = bytes(range(256)) * 2048  # 512 KB
_COPIED = bytearray(1 << 22)  # 4 MB: past the first caches
_STEPS = 16000


def run(clock: Callable[[], int] = time.perf_counter_ns) -> list[int]:
    """Nanoseconds of each repetition: hashing, an integer loop, copying memory; about 2 ms each."""
    samples = []
    _work()  # not counted: wakes the clocks and fills the caches
    for _ in range(_REPETITIONS):
        start = clock()
        _work()
        samples.append(clock() - start)
    return samples


def _work() -> int:
    total = hashlib.sha256(_HASHED).digest()[0]
    for step in range(_STEPS):
        total = (total * 1103515245 + step) & 0x7FFFFFFF
    return total + len(bytes(_COPIED))
