"""What an Android phone says of itself, as facts. Pure: text in, nouns out.

Never run on a real phone yet. Sources: AOSP's getprop (toybox), the kernel's cpuinfo and cpufreq.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.device import Cluster
from harness.core.units import Bytes

# One round trip. No name stands in it: it is a fixed text, its answers are cut at the lines that begin with `@`.
FACTS_SCRIPT = """
echo @properties; getprop
echo @machine; uname -m
echo @user; id -u
echo @boot; cat /proc/sys/kernel/random/boot_id
echo @cores; cat /proc/cpuinfo
echo @memory; cat /proc/meminfo
echo @policies
for p in /sys/devices/system/cpu/cpufreq/policy*; do
  echo "$(cat "$p/related_cpus" 2>/dev/null);$(cat "$p/cpuinfo_max_freq" 2>/dev/null)"
done
"""
_SECTION = re.compile(r"^@(?P<name>[a-z]+)\n", re.MULTILINE)
_PROPERTY = re.compile(r"^\[(?P<key>[^]]+)\]: \[(?P<value>.*?)\]$", re.MULTILINE)
_CORE = re.compile(r"^processor\s*:\s*(?P<number>\d+)$(?P<rest>.*?)(?=^processor\s*:|\Z)", re.MULTILINE | re.DOTALL)
_PART = re.compile(r"^CPU part\s*:\s*0x(?P<part>[0-9a-fA-F]+)$", re.MULTILINE)
_IMPLEMENTER = re.compile(r"^CPU implementer\s*:\s*0x(?P<maker>[0-9a-fA-F]+)$", re.MULTILINE)
_NAMES = {1: ("all",), 2: ("little", "big"), 3: ("little", "middle", "big")}
_KHZ = 1000.0
# Arm's own parts (implementer 0x41), from the kernel's arch/arm64/include/asm/cputype.h.
_ARM = 0x41
_PARTS: Mapping[int, str] = {
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0D: "Cortex-A77",
    0xD41: "Cortex-A78",
    0xD44: "Cortex-X1",
    0xD46: "Cortex-A510",
    0xD47: "Cortex-A710",
    0xD48: "Cortex-X2",
    0xD4D: "Cortex-A715",
    0xD4E: "Cortex-X3",
    0xD80: "Cortex-A520",
    0xD81: "Cortex-A720",
    0xD82: "Cortex-X4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneFacts:
    """What was told. abis are those it runs, best first; None and empty: it did not say."""

    serial: str | None
    boot_id: str | None
    os: str | None
    arch: str | None
    processor: str | None
    cores: int | None
    memory_bytes: Bytes | None
    abis: tuple[str, ...]
    sdk: int | None
    clusters: tuple[Cluster, ...]
    nnapi: tuple[str, ...]
    details: Mapping[str, str]


def sections(text: str) -> dict[str, str]:
    """A script's answers by the name of their section."""
    marks = list(_SECTION.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return {mark["name"]: text[mark.end() : end] for mark, end in zip(marks, ends, strict=False)}


def facts_from(text: str) -> PhoneFacts:
    """Read the answer of FACTS_SCRIPT."""
    told = sections(text)
    properties = properties_of(told.get("properties", ""))
    parts = parts_of(told.get("cores", ""))
    sdk = properties.get("ro.build.version.sdk", "")
    clusters = clusters_of(told.get("policies", ""), parts)
    return PhoneFacts(
        serial=properties.get("ro.serialno") or properties.get("ro.boot.serialno") or None,
        boot_id=told.get("boot", "").strip() or None,
        os=_os_of(properties),
        arch=told.get("machine", "").strip() or None,
        processor=_soc_of(properties),
        cores=len(parts) or None,
        memory_bytes=kilobytes_of(told.get("memory", ""), "MemTotal"),
        abis=tuple(abi for abi in properties.get("ro.product.cpu.abilist", "").split(",") if abi),
        sdk=int(sdk) if sdk.isdigit() else None,
        clusters=clusters,
        nnapi=tuple(sorted(key.removeprefix("init.svc.") for key in properties if _is_nnapi(key, properties))),
        details=_details_of(properties),
    )


def properties_of(text: str) -> dict[str, str]:
    """What getprop prints, by name."""
    return {found["key"]: found["value"] for found in _PROPERTY.finditer(text)}


def parts_of(cpuinfo: str) -> dict[int, str | None]:
    """The part of each core, by /proc/cpuinfo: its name where it is one of Arm's, else its number."""
    return {int(core["number"]): _part_of(core["rest"]) for core in _CORE.finditer(cpuinfo)}


def _part_of(block: str) -> str | None:
    part, maker = _PART.search(block), _IMPLEMENTER.search(block)
    if part is None:
        return None
    number = int(part["part"], 16)
    is_arm = maker is not None and int(maker["maker"], 16) == _ARM
    return _PARTS.get(number, hex(number)) if is_arm else hex(number)


def clusters_of(policies: str, parts: Mapping[int, str | None]) -> tuple[Cluster, ...]:
    """Cores by cpufreq's policies, slowest first. Policies of one highest clock are one cluster.

    Empty where a policy does not say its cores or its clock; cores of four or more clocks are named by the rank of
    theirs: the lowest little, the highest big, all between middle.
    """
    by_clock: dict[int, list[int]] = {}
    for line in policies.split("\n"):
        cores, _, clock = line.strip().partition(";")
        if not cores and not clock:
            continue
        if not clock.isdigit() or not all(core.isdigit() for core in cores.split()):
            return ()
        by_clock.setdefault(int(clock), []).extend(int(core) for core in cores.split())
    clocks = sorted(by_clock)
    if len(clocks) > len(_NAMES):
        by_clock = {
            clocks[0]: by_clock[clocks[0]],
            clocks[-2]: sorted(core for clock in clocks[1:-1] for core in by_clock[clock]),
            clocks[-1]: by_clock[clocks[-1]],
        }
        clocks = sorted(by_clock)
    names = _NAMES.get(len(clocks), ())
    return tuple(
        Cluster(
            name=name,
            cores=tuple(sorted(by_clock[clock])),
            max_mhz=clock / _KHZ,
            part=_one_of([parts.get(core) for core in by_clock[clock]]),
        )
        for name, clock in zip(names, clocks, strict=True)
    )


def _one_of(parts: Sequence[str | None]) -> str | None:
    return parts[0] if len(set(parts)) == 1 else None


def kilobytes_of(meminfo: str, key: str) -> Bytes | None:
    """One line of /proc/meminfo, in bytes."""
    found = re.search(rf"^{re.escape(key)}:\s*(\d+) kB$", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _os_of(properties: Mapping[str, str]) -> str | None:
    release, sdk = properties.get("ro.build.version.release"), properties.get("ro.build.version.sdk")
    if not release:
        return None
    return f"Android {release} (API {sdk})" if sdk else f"Android {release}"


def _soc_of(properties: Mapping[str, str]) -> str | None:
    maker, model = properties.get("ro.soc.manufacturer", ""), properties.get("ro.soc.model", "")
    return " ".join(word for word in (maker, model) if word) or properties.get("ro.hardware") or None


def _is_nnapi(key: str, properties: Mapping[str, str]) -> bool:
    return key.startswith("init.svc.") and "neuralnetworks" in key and properties[key] == "running"


def _details_of(properties: Mapping[str, str]) -> dict[str, str]:
    maker, model = properties.get("ro.product.manufacturer", ""), properties.get("ro.product.model", "")
    told = {
        "model": " ".join(word for word in (maker, model) if word),
        "product": properties.get("ro.product.device", ""),
        "hardware": properties.get("ro.hardware", ""),
        "build": properties.get("ro.build.fingerprint", ""),
        "security patch": properties.get("ro.build.version.security_patch", ""),
    }
    return {key: value for key, value in told.items() if value}
