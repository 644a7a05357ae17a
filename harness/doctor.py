"""What a machine can measure, and what would make its numbers better. Pure, but for a look at the disk."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path

from harness.core.device import Conditions, DeviceFacts
from harness.core.survey import Phones, Seen, Want
from harness.variants.tflite.edgetpu_compiler import why_absent

_FREE_BYTES = 2_000_000_000
_QUIET_LOAD_PER_CORE = 0.3
_RUNTIME = "LiteRT"
_UNPROVEN = {
    "gpu": "no hardware GPU has been measured with this bench yet: check the first numbers against another tool",
    "edgetpu": "no Edge TPU has been measured with this bench yet: check the first numbers against another tool",
    "npu": "no NPU has been measured with this bench yet: check the first numbers against the vendor's own tool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. ok False: it stops measuring. advice: what to do, where there is something."""

    what: str
    ok: bool
    seen: str
    advice: str = ""

    def fields(self) -> dict[str, object]:
        return asdict(self)

    def __str__(self) -> str:
        mark = "no" if not self.ok else "--" if self.advice else "ok"
        return f"{mark}  {self.what}: {self.seen}" + (f"\n      {self.advice}" if self.advice else "")


def examine(facts: DeviceFacts, now: Conditions, bench: Path) -> tuple[Finding, ...]:
    """Look at the interpreter, the runtime, the folder for results and how quiet the machine is."""
    units = (_units(facts), _adapters(facts), *_edge_tpus(facts), *_unproven(facts), *_left_out(facts))
    return (_python(), _runtime(facts), _core_ml(facts), *units, _folder(bench), *_quietness(facts, now))


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    known = (3, 11) <= sys.version_info < (3, 14)
    return Finding(what="Python", ok=known, seen=version, advice="" if known else "use Python 3.11, 3.12 or 3.13")


def _runtime(facts: DeviceFacts) -> Finding:
    version = facts.runtimes.get(_RUNTIME)
    if version is None:
        return Finding(what="LiteRT", ok=False, seen="not found", advice="pip install ai-edge-litert==2.3.0")
    return Finding(what="LiteRT", ok=True, seen=version)


def _core_ml(facts: DeviceFacts) -> Finding:
    """Variants of Core ML need no Apple device, their measurements do."""
    try:
        seen = f"coremltools {metadata.version('coremltools')} builds its variants, the reference scores them"
    except metadata.PackageNotFoundError:
        return Finding(what="Core ML", ok=False, seen="not found", advice="pip install coremltools==9.0")
    if "Core ML" in facts.runtimes:
        return Finding(what="Core ML", ok=True, seen=seen)
    return Finding(what="Core ML", ok=True, seen=seen, advice="no Apple device attached: its variants are not measured")


def _units(facts: DeviceFacts) -> Finding:
    return Finding(what="compute units", ok=bool(facts.units), seen=", ".join(facts.offered) or "none")


def _adapters(facts: DeviceFacts) -> Finding:
    return Finding(what="GPU adapters", ok=True, seen=", ".join(facts.adapters) or "none")


def _unproven(facts: DeviceFacts) -> Iterator[Finding]:
    """Units that are offered by what the documentation says, which nobody has checked on the hardware yet."""
    offered = {unit.kind for unit in facts.units if not unit.by_name_only}
    for kind in sorted(offered & set(_UNPROVEN)):
        yield Finding(what=kind, ok=True, seen="offered", advice=_UNPROVEN[kind])


def _edge_tpus(facts: DeviceFacts) -> Iterator[Finding]:
    """Each accelerator with what is known of it, and their library."""
    for key, seen in sorted(facts.details.items()):
        if key.startswith("edgetpu ") or key == "libedgetpu":
            slow = "plug it into USB 3: on USB 2 inferences take several times as long" if "USB 2" in seen else ""
            yield Finding(what=key, ok=True, seen=seen, advice=slow)


def _left_out(facts: DeviceFacts) -> Iterator[Finding]:
    for exclusion in facts.exclusions:
        yield Finding(what=exclusion.what, ok=True, seen="not measured here", advice=exclusion.reason)


def _folder(bench: Path) -> Finding:
    there = next(path for path in (bench.absolute(), *bench.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        advice = "choose another folder with --bench, or make it writable"
        return Finding(what="results", ok=False, seen=f"{there} cannot be written", advice=advice)
    free = shutil.disk_usage(there).free
    advice = "" if free >= _FREE_BYTES else "variants of one model can take several times its size"
    return Finding(what="results", ok=True, seen=f"{bench}, {free / 1e9:.0f} GB free", advice=advice)


def _quietness(facts: DeviceFacts, now: Conditions) -> Iterator[Finding]:
    if now.load is not None and facts.cores:
        busy = now.load > _QUIET_LOAD_PER_CORE * facts.cores
        advice = "other programs use the processor: end them, or expect wide intervals and low grades" if busy else ""
        yield Finding(what="load", ok=True, seen=f"{now.load:.1f} on {facts.cores} cores", advice=advice)
    if now.governor not in (None, "performance"):
        advice = "clocks change with load: set the governor to performance for steadier numbers"
        yield Finding(what="clock governor", ok=True, seen=str(now.governor), advice=advice)
    if now.power == "battery":
        yield Finding(what="power", ok=True, seen="battery", advice="plug it in: on battery processors slow down")


def examine_device(seen: Seen, config: str) -> tuple[Finding, ...]:
    """What one device of a configuration is and wants."""
    if seen.facts is None:
        return (Finding(what=seen.name, ok=False, seen="does not answer", advice=seen.problem or ""),)
    is_told = seen.kind == "local" or seen.facts.runtime is None  # above, and with the runtime
    left_out = () if is_told else _left_out(seen.facts)
    found = (*_needs(seen, seen.facts, config), *_of_state(seen), *left_out)
    return tuple(replace(finding, what=f"{seen.name}: {finding.what}") for finding in found)


def wants_of(seen: Seen, config: str) -> tuple[Want, ...]:
    """What a device lacks to be measured, or to be measured well."""
    found = _needs(seen, seen.facts, config) if seen.facts else ()
    return tuple(Want(what=f"{each.what}: {each.seen}", advice=each.advice) for each in found if each.advice)


def _needs(seen: Seen, facts: DeviceFacts, config: str) -> Iterator[Finding]:
    yield from _of_runtime(seen, facts, config)
    if seen.kind == "edgetpu":
        yield from _of_edge_tpu(facts, seen.compiler)
    if seen.now is not None:
        yield from _of_governor(seen, seen.now)


def _of_runtime(seen: Seen, facts: DeviceFacts, config: str) -> Iterator[Finding]:
    if facts.runtime is not None:
        yield Finding(what="runtime", ok=True, seen=f"{facts.runtime} {facts.runtimes.get(facts.runtime, '')}".strip())
        yield _units(facts)
        return
    why = next((each.reason for each in facts.exclusions if each.what == "cpu"), "none was found")
    advice = f"`run_bench.py setup {config}` installs it there; or {why}" if seen.remote else why
    what = "benchmark_model" if seen.kind == "android" else "runtime"
    yield Finding(what=what, ok=False, seen="not found", advice=advice)


def _of_edge_tpu(facts: DeviceFacts, compiler: Path | None) -> Iterator[Finding]:
    yield from _edge_tpus(facts)
    is_double = "double" in facts.details
    if "libedgetpu" not in facts.details:
        advice = "install libedgetpu1-std there (coral.ai/software), or name it as the device's `library`"
        yield Finding(what="libedgetpu", ok=False, seen="not found", advice=advice)
    if not is_double and not any(key.startswith("edgetpu ") for key in facts.details):
        advice = "plug it in: `lsusb` shows 1a6e:089a or 18d1:9302, on PCIe there is /dev/apex_0"
        yield Finding(what="Edge TPU", ok=False, seen="none is attached", advice=advice)
    if (absent := why_absent(compiler, "MODEL")) is not None:
        yield Finding(what="edgetpu_compiler", ok=True, seen="not on this machine", advice=absent)


def _of_governor(seen: Seen, now: Conditions) -> Iterator[Finding]:
    if now.governor in (None, "performance") or seen.kind == "android":  # a phone has its own mode for that
        return
    if seen.may_set_governor:
        advice = "`prepare: true` sets it for measuring" if seen.kind == "local" else ""
    else:
        advice = (
            "clocks change with load, and this user may not set them: "
            "`sudo chmod a+w /sys/devices/system/cpu/cpufreq/policy*/scaling_governor` there"
        )
    yield Finding(what="clock governor", ok=True, seen=str(now.governor), advice=advice)


def _of_state(seen: Seen) -> Iterator[Finding]:
    for want in seen.over:
        yield Finding(what="state", ok=True, seen=want.what, advice=want.advice)
    if seen.unknown:
        yield Finding(what="state", ok=True, seen=f"has a limit and no reading: {', '.join(seen.unknown)}")
    if seen.held is not None:
        yield Finding(what="lease", ok=True, seen="somebody measures on it", advice=seen.held)


def examine_phones(phones: Phones) -> tuple[Finding, ...]:
    """The phones of this machine."""
    if not phones.found:
        return (Finding(what="phones", ok=True, seen=phones.server),)
    return tuple(Finding(what=f"phone {p.serial}", ok=True, seen=p.state, advice=p.advice) for p in phones.found)
