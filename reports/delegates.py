"""How much of a graph a delegate took, in a word or two."""

from typing import Any

from harness.core.delegates import name_delegate

Json = dict[str, Any]


def delegate_words(cell: Json) -> str:
    """`XNNPACK 65/65`, `XNNPACK 48/65 in 18`, `none`; `unknown` where the runtime does not say."""
    told = cell["delegation"]
    if told is None or (told["full"] is None and told["taken"] is None):
        return "unknown"
    if not told["taken"] and not told["full"] and _is_builtin(cell):
        return "builtin kernels"
    if told["taken"] == 0:
        return "none"
    name = name_delegate(told["delegate"])
    if told["taken"] is None or told["total"] is None:
        return f"{name}, all" if told["full"] else f"not all in {name}"
    pieces = f" in {told['partitions']}" if told["taken"] < told["total"] and told["partitions"] else ""
    return f"{name} {told['taken']}/{told['total']}{pieces}"


def delegate_extent(cell: Json) -> str:
    """`full`, `partly`, `none` or `unknown`: how a view sets it off."""
    told, words = cell["delegation"], delegate_words(cell)
    if words in ("unknown", "none"):
        return words
    if words == "builtin kernels":
        return "none"
    whole = told["full"] if None in (told["taken"], told["total"]) else told["taken"] == told["total"]
    return "full" if whole else "partly"


def cell_marks(cell: Json) -> list[str]:
    """What a reader must know beside a latency: a delegate that took only a part, an API that is not the usual one."""
    extent = delegate_extent(cell)
    marks = [delegate_words(cell)] if extent == "partly" else []
    if extent == "none" and not _is_builtin(cell):
        marks = ["no delegate"]
    return [*marks, "Interpreter"] if cell["api"] == "interpreter" else marks


def _is_builtin(cell: Json) -> bool:
    unit: str = cell["compute_unit"]
    return unit.partition(":")[0].partition("@")[0].endswith("/builtin")
