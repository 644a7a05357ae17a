"""Operators that benchmark_model measured on a device whose runtime has no profiler."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from devices.agent import protocol
from devices.agent.protocol import ProtocolError
from devices.runtimes.benchmark_model_profile import ProfileUnknown, table_from
from devices.runtimes.events import ProfileEvent
from harness.core.launch import OpTable
from harness.core.model import Graph

_WHY = "per-op unavailable: "


def table_of_tool(
    graph: Graph, told: object, refused: str, map_ops: Callable[[Graph, Sequence[ProfileEvent]], OpTable]
) -> tuple[OpTable | None, str | None]:
    """The table, with who measured it, or why there is none. refused is why the runtime did not.

    Raises ProtocolError where it is not as the agent's language has it.
    """
    tool: Mapping[str, Any] = protocol.check("profile.tool", told, protocol.TOOL)
    try:
        profile, info = (base64.b64decode(tool[name], validate=True) for name in ("profile", "runtime_info"))
    except (binascii.Error, ValueError) as exc:
        raise ProtocolError(f"profile.tool: {exc}") from exc
    by = f"benchmark_model sha256:{tool['sha256']}"
    try:
        table = table_from(graph, profile, info, map_ops=map_ops)
    except (ProfileUnknown, ValueError) as exc:
        return None, f"{refused}; the profile that {by} wrote is not known here: {exc}"
    words = f"operators by {by}, whose LiteRT/TensorFlow version is not told, on inputs of its own making"
    return replace(table, measured_by=f"{words}; the runtime has none: {refused.removeprefix(_WHY)}"), None
