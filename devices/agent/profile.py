"""Profiler events of many inferences, brought together event by event."""

from __future__ import annotations

OPERATOR_KINDS = (2, 4, 8)  # a kernel of the runtime, a delegate's view of an operator, a kernel in a delegate
SPAN = 1  # DEFAULT: `Invoke` is the whole inference

# TELEMETRY (32 and above) carries packed status words where others have a time; 16 doubles the spans.
KEPT = (SPAN, *OPERATOR_KINDS)


class Profile:
    """Runs grouped by their sequence of events, since times are only comparable between equal sequences."""

    def __init__(self) -> None:
        self._by_sequence: dict[tuple[tuple[str, int, int, int], ...], list[list[int]]] = {}

    def add(self, events: list[tuple[str, int, int, int, int]]) -> None:
        """One inference: (tag, type, first, second, elapsed_us) in order."""
        kept = [event for event in events if event[1] in KEPT]
        sequence = tuple(event[:4] for event in kept)
        self._by_sequence.setdefault(sequence, []).append([event[4] for event in kept])

    def message(self) -> dict[str, object]:
        """The `profile` message: the most common sequence. Runs that differ from it are counted as dropped."""
        if not self._by_sequence:
            return unavailable("no inference was profiled")
        total = sum(len(runs) for runs in self._by_sequence.values())
        sequence, runs = max(self._by_sequence.items(), key=lambda item: len(item[1]))
        if not any(kind in OPERATOR_KINDS for _, kind, _, _ in sequence):
            return unavailable("the runtime's profiler saw no operator")
        if 2 * len(runs) <= total:
            return unavailable("the sequence of kernels differs from inference to inference")
        events = [
            {"tag": tag, "type": kind, "first": first, "second": second, "elapsed_us": [run[place] for run in runs]}
            for place, (tag, kind, first, second) in enumerate(sequence)
        ]
        return {"events": events, "runs": len(runs), "dropped": total - len(runs), "unavailable": None, "tool": None}


def unavailable(reason: str) -> dict[str, object]:
    """The `profile` message where there is no per-op time."""
    return {"events": [], "runs": 0, "dropped": 0, "unavailable": reason, "tool": None}
