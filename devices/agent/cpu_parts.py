"""Which kinds of cores a processor has, by the kernel's own numbers. Pure: takes texts and numbers, touches nothing.

Source of the names: util-linux, sys-utils/lscpu-arm.c (Arm's and Qualcomm's Main ID Register values).
"""

from __future__ import annotations

import re

_IMPLEMENTERS = {
    0x41: {  # Arm
        0xB76: "ARM1176",
        0xC05: "Cortex-A5",
        0xC07: "Cortex-A7",
        0xC08: "Cortex-A8",
        0xC09: "Cortex-A9",
        0xC0E: "Cortex-A17",
        0xC0F: "Cortex-A15",
        0xD01: "Cortex-A32",
        0xD02: "Cortex-A34",
        0xD03: "Cortex-A53",
        0xD04: "Cortex-A35",
        0xD05: "Cortex-A55",
        0xD06: "Cortex-A65",
        0xD07: "Cortex-A57",
        0xD08: "Cortex-A72",
        0xD09: "Cortex-A73",
        0xD0A: "Cortex-A75",
        0xD0B: "Cortex-A76",
        0xD0C: "Neoverse-N1",
        0xD0D: "Cortex-A77",
        0xD0E: "Cortex-A76AE",
        0xD40: "Neoverse-V1",
        0xD41: "Cortex-A78",
        0xD42: "Cortex-A78AE",
        0xD44: "Cortex-X1",
        0xD46: "Cortex-A510",
        0xD47: "Cortex-A710",
        0xD48: "Cortex-X2",
        0xD49: "Neoverse-N2",
        0xD4B: "Cortex-A78C",
        0xD4D: "Cortex-A715",
        0xD4E: "Cortex-X3",
        0xD4F: "Neoverse-V2",
        0xD80: "Cortex-A520",
        0xD81: "Cortex-A720",
        0xD82: "Cortex-X4",
    },
    0x51: {  # Qualcomm
        0x001: "Oryon",
        0x800: "Kryo-2XX-Gold",
        0x801: "Kryo-2XX-Silver",
        0x802: "Kryo-3XX-Gold",
        0x803: "Kryo-3XX-Silver",
        0x804: "Kryo-4XX-Gold",
        0x805: "Kryo-4XX-Silver",
    },
}
_LINE = re.compile(r"^(?P<key>[A-Za-z ]+?)\s*:[ \t]*(?P<value>.*)$", re.MULTILINE)


def part_name(implementer: int, part: int) -> str:
    """`Cortex-A76`, or the two numbers where no name is known."""
    return _IMPLEMENTERS.get(implementer, {}).get(part) or "0x{:02x}:0x{:03x}".format(implementer, part)


def parts_of(cpuinfo: str) -> dict[int, str]:
    """The processor's own name of each core, of /proc/cpuinfo. Cores that say nothing are left out."""
    found = {}
    for block in re.split(r"\n\s*\n", cpuinfo):
        told = {match.group("key"): match.group("value").strip() for match in _LINE.finditer(block)}
        name = _name_of(told)
        if name and told.get("processor", "").isdigit():
            found[int(told["processor"])] = name
    return found


def _name_of(told: dict[str, str]) -> str | None:
    try:
        return part_name(int(told["CPU implementer"], 16), int(told["CPU part"], 16))
    except (KeyError, ValueError):
        return told.get("model name") or None


def clusters_of(
    parts: dict[int, str | None], strength: dict[int, float | None], max_mhz: dict[int, float | None]
) -> list[dict[str, object]]:
    """The `clusters` of docs/agent-protocol.md: cores of one part and strength, the weakest first.

    parts by core; strength orders the kinds (the highest clock, or the kernel's capacity); max_mhz is what is told.
    Between the weakest and the strongest everything is `middle`. Empty where there are several kinds and nothing says
    which is stronger.
    """
    kinds: dict[tuple[float | None, str | None], list[int]] = {}
    for core, part in parts.items():
        kinds.setdefault((strength.get(core), part), []).append(core)
    if len(kinds) > 1 and any(power is None for power, _ in kinds):
        return []
    ordered = [cores for _, cores in sorted(kinds.items(), key=lambda kind: (kind[0][0] or 0.0, kind[0][1] or ""))]
    named = (
        {"all": ordered} if len(ordered) == 1 else {"little": ordered[:1], "middle": ordered[1:-1], "big": ordered[-1:]}
    )
    return [_cluster(name, kinds_of, parts, max_mhz) for name, kinds_of in named.items() if kinds_of]


def _cluster(
    name: str, kinds: list[list[int]], parts: dict[int, str | None], max_mhz: dict[int, float | None]
) -> dict[str, object]:
    cores = sorted(core for kind in kinds for core in kind)
    clocks = [clock for clock in (max_mhz.get(core) for core in cores) if clock is not None]
    names = sorted({part for part in (parts[core] for core in cores) if part})
    return {"name": name, "cores": cores, "max_mhz": max(clocks) if clocks else None, "part": "+".join(names) or None}


def core_list(text: str) -> list[int]:
    """`0-3,8` of the kernel's cpu lists. What makes no sense is left out."""
    cores: list[int] = []
    for piece in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", piece)
        if match:
            cores.extend(range(int(match.group(1)), int(match.group(2) or match.group(1)) + 1))
    return cores
