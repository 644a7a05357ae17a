"""What a runtime's profiler says of one inference."""

from dataclasses import dataclass

OPERATOR = 2  # a kernel of the runtime itself; first is the node's index in the graph
DELEGATED = 8  # a kernel inside a delegate; first counts from 0 in each partition
DELEGATE_OPERATOR = 4  # a delegate's own view of an operator; not seen from XNNPACK
DEFAULT = 1  # spans of the runtime: `Invoke` is the whole inference


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileEvent:
    """One kind of event, at its place in the order of an inference, with its time in every profiled inference.

    elapsed_us[run] is in whole microseconds (the profiler's resolution); one mean where a tool tells no more. first and
    second are the event's metadata.
    Source: LiteRT 2.3.0, runtime/profiler.h, read from the C API's LiteRtGetProfilerEvents.
    """

    tag: str
    type: int
    first: int
    second: int
    elapsed_us: tuple[float, ...]
