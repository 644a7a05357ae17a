"""A launch that is bound to some cores. Threads that are started later inherit it: sched_setaffinity(2)."""

from __future__ import annotations

import os

from .litert import LiteRtError


def bind(cores: list[int]) -> None:
    """Bind this process, before it has threads of a runtime. Raises LiteRtError in words."""
    try:
        os.sched_setaffinity(0, cores)
    except AttributeError:
        raise LiteRtError("this system cannot bind a process to cores") from None
    except (OSError, ValueError) as problem:
        words = "the launch cannot be bound to the cores {}: {}; are they switched off?"
        raise LiteRtError(words.format(cores, getattr(problem, "strerror", None) or problem)) from problem


def read_back() -> list[int]:
    """The cores that any thread of this process may run on, by the kernel."""
    cores: set[int] = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            cores |= os.sched_getaffinity(int(thread))
        except ProcessLookupError:
            pass  # it ended
    return sorted(cores)
