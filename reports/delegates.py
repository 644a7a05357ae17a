"""How much of a graph a delegate took, in a word or two."""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
_NAMES = {"xnnpack": "XNNPACK", "webgpu": "WebGPU", "dispatch": "NPU"}


def delegate_words(told: Mapping[str, Any] | None) -> str:
    """`XNNPACK 65/65`, `XNNPACK 48/65 in 18`, `none`; `unknown` where the runtime does not say."""
    if told is None or (told["full"] is None and told["taken"] is None):
        return "unknown"
    if told["taken"] == 0:
        return "none"
    name = _NAMES.get(told["delegate"], told["delegate"] or "a delegate")
    if told["taken"] is None or told["total"] is None:
        return f"{name}, all" if told["full"] else f"{name}, in part"
    pieces = f" in {told['partitions']}" if told["taken"] < told["total"] and told["partitions"] else ""
    return f"{name} {told['taken']}/{told['total']}{pieces}"


def delegate_extent(told: Mapping[str, Any] | None) -> str:
    """`full`, `partly`, `none` or `unknown`: how a view sets it off. One operator in twenty is no part worth a mark."""
    words = delegate_words(told)
    if told is None or words in ("unknown", "none"):
        return words
    return "full" if told["full"] or _nearly(told) else "partly"


def _nearly(told: Mapping[str, Any]) -> bool:
    taken, total = told["taken"], told["total"]
    return taken is not None and total is not None and taken < total and total - taken <= 0.05 * total


def cell_marks(cell: Json) -> list[str]:
    """What a reader must know beside a latency: a delegate that took only a part, an API that is not the usual one."""
    told, extent = cell["delegation"], delegate_extent(cell["delegation"])
    marks = [delegate_words(told)] if extent == "partly" else []
    if extent == "none" and not cell["compute_unit"].partition(":")[0].endswith("/builtin"):
        marks = ["no delegate"]
    return [*marks, "Interpreter"] if cell["api"] == "interpreter" else marks
