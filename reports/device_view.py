"""What a device tells of itself, in lines: the same on the terminal and in the page. All of it is untrusted text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports.numbers import size

Json = Mapping[str, Any]
Line = tuple[str, str]


def told_lines(device: Json) -> list[Line]:
    """Name and text of each fact that is known, of a device as `device_fields` has it."""
    lines = [
        ("serial", device["serial"]),
        ("clusters", "; ".join(cluster_text(cluster) for cluster in device["clusters"])),
        ("runtimes", ", ".join(f"{name} {version}" for name, version in device["runtimes"].items())),
        ("units", ", ".join(device["units"])),
        ("adapters", ", ".join(device["adapters"])),
        *device["details"].items(),
    ]
    return [(name, str(text)) for name, text in lines if text]


def cluster_text(cluster: Json) -> str:
    """`big 4 x Cortex-A76 (cores 4-7), 2256 MHz`."""
    part = cluster["part"] or "cores"
    clock = f", {cluster['max_mhz']:.0f} MHz" if cluster["max_mhz"] else ""
    count = len(cluster["cores"])
    return f"{cluster['name']} {count} \N{MULTIPLICATION SIGN} {part} ({_cores(cluster['cores'])}){clock}"


def _cores(cores: Sequence[int]) -> str:
    """`cores 4-7`, `core 8`, `cores 0, 2, 4`."""
    if len(cores) == 1:
        return f"core {cores[0]}"
    whole = list(cores) == list(range(cores[0], cores[0] + len(cores))) if cores else False
    return f"cores {cores[0]}-{cores[-1]}" if whole else f"cores {', '.join(map(str, cores))}"


def summary_text(device: Json) -> str:
    """Processor, cores, memory and system in a line."""
    memory = size(device["memory_bytes"]) if device["memory_bytes"] else "unknown memory"
    cores = f"{device['cores']} cores" if device["cores"] else "unknown cores"
    return f"{device['processor'] or 'unknown processor'}, {cores}, {memory}, {device['os'] or 'unknown system'}"


def absence(device: Json) -> str | None:
    """Why a device offers nothing, None where it offers something or does not say why."""
    reasons = dict.fromkeys(exclusion["reason"] for exclusion in device["exclusions"])
    return None if device["units"] or not reasons else "; ".join(reasons)


def state_of(cells: Iterable[Json]) -> dict[str, Json]:
    """By device, its state before the first launch and after the last of all its cells."""
    found: dict[str, Json] = {}
    for cell in cells:
        pair: Json = cell["conditions"]
        if pair["before"] and pair["after"]:
            found[cell["device"]] = _wider(found.get(cell["device"], pair), pair)
    return found


def _wider(one: Json, other: Json) -> Json:
    return {
        "before": min(one["before"], other["before"], key=_taken_at),
        "after": max(one["after"], other["after"], key=_taken_at),
    }


def _taken_at(moment: Json) -> float:
    at: float = moment["taken_at"]
    return at
