"""A launch that is bound to some cores. Threads that are started later inherit it: sched_setaffinity(2)."""

from __future__ import annotations

import os

from .litert import LiteRtError


def bind(cores: list[int]) -> None:
    """Bind the threads of this process, before it has any of a runtime. Raises LiteRtError in words."""
    try:
        for thread in _threads():
            os.sched_setaffinity(thread, cores)
    except AttributeError:
        raise LiteRtError("this system cannot bind a process to cores") from None
    except (OSError, ValueError) as problem:
        words = "the launch cannot be bound to the cores {}: {}; are they switched off?"
        raise LiteRtError(words.format(cores, getattr(problem, "strerror", None) or problem)) from problem


def read_back() -> list[int]:
    """The cores that any thread of this process may run on, by the kernel."""
    cores: set[int] = set()
    for thread in _threads():
        try:
            cores |= os.sched_getaffinity(thread)
        except ProcessLookupError:
            pass  # it ended
    return sorted(cores)


def _threads() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/task")]
