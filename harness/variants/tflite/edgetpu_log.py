"""What edgetpu_compiler prints, and its `*_edgetpu.log`, as data.

Written for what versions 2.0 to 16.0 print, with and without `-s` and for segments, as users quoted them (the samples
stand in the tests with their places). It counts by what is said, not by success: a model of which nothing is on the
Edge TPU is "compiled successfully" too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.units import Bytes
from harness.core.variant import CompiledOperators, EdgeTpuCompilation

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_VERSION = re.compile(r"^Edge TPU Compiler version (\S+)")
_BEGINS = re.compile(r"^(Model compiled successfully in|Input(?: model)?:)")
_ROW = re.compile(r"^([A-Z][A-Z0-9_]*)\s+(\d+)\s+(\S.*?)\s*$")
_MAPPED = "Mapped to Edge TPU"
_FAILED = re.compile(
    r"^(ERROR: .+|Invalid model: .+|Model not quantized|Model could not be parsed|Internal compiler error\b.*"
    r"|Compilation failed.*|.*timed? ?out\b.*|Unable to .+)$",
    re.IGNORECASE,
)
_SAID: Mapping[str, re.Pattern[str]] = {
    "output": re.compile(r"^Output(?: model)?: (.+)$"),
    "used": re.compile(r"^On-chip memory used for caching model parameters: (\S+)"),
    "available": re.compile(r"^On-chip memory available for caching model parameters: (\S+)"),
    "remaining": re.compile(r"^On-chip memory remaining for caching model parameters: (\S+)"),
    "streamed": re.compile(r"^Off-chip memory used for streaming uncached model parameters: (\S+)"),
    "subgraphs": re.compile(r"^Number of Edge TPU subgraphs: (\d+)"),
    "total": re.compile(r"^Total number of operations: (\d+)"),
    "tpu": re.compile(r"^Number of operations that will run on Edge TPU: (\d+)"),
    "cpu": re.compile(r"^Number of operations that will run on CPU: (\d+)"),
}


class NoCompilerLog(ValueError):
    """A text that edgetpu_compiler did not print, or that it printed of a model that it refused."""


@dataclass(slots=True)
class _Block:
    """What is said of one output."""

    said: dict[str, str] = field(default_factory=dict)
    rows: list[CompiledOperators] = field(default_factory=list)

    @property
    def output(self) -> str | None:
        """The file's name: standard output and the log may name it by other paths."""
        path = self.said.get("output")
        return path.rpartition("/")[2] if path else None


def parse_log(text: str) -> tuple[EdgeTpuCompilation, ...]:
    """One for each model or segment, in order. The text may be standard output, a log, or one after the other.

    Raises NoCompilerLog in words: what the compiler said against the model, or that it is no such log.
    """
    version: str | None = None
    blocks: list[_Block] = []
    for line in map(str.rstrip, text.splitlines()):
        if found := _VERSION.match(line):
            version = found[1]
        elif _BEGINS.match(line) and (not blocks or _is_another(blocks[-1], line)):
            blocks.append(_Block())
        _keep(blocks, line)
    whole = [_told(block, version) for block in _joined(blocks) if block.said.keys() - {"output"} or block.rows]
    if not whole:
        raise NoCompilerLog(failure_in(text) or "this is no log of edgetpu_compiler: it tells of no model")
    return tuple(whole)


def failure_in(text: str) -> str | None:
    """Why the compiler made nothing, in its own words on one line; None where it says nothing of that kind."""
    words = [line.strip() for line in text.splitlines() if _FAILED.match(line.strip())]
    return "; ".join(dict.fromkeys(words)) or None


def size_in(text: str) -> Bytes | None:
    """Bytes of `7.62MiB`; None of anything else."""
    found = re.fullmatch(r"([0-9.]+)([KMG]?i?B)", text)
    if found is None or found[2] not in _UNITS:
        return None
    try:
        return round(float(found[1]) * _UNITS[found[2]])
    except ValueError:
        return None


def _is_another(block: _Block, line: str) -> bool:
    """Whether a line begins another model: `Input` is within one that `Model compiled` has begun and nothing more."""
    return bool(block.said or block.rows) or not line.startswith("Input")


def _keep(blocks: list[_Block], line: str) -> None:
    for key, pattern in _SAID.items():
        if found := pattern.match(line):
            _last(blocks).said[key] = found[1]
            return
    if found := _ROW.match(line):
        status = None if found[3] == _MAPPED else found[3]
        _last(blocks).rows.append(CompiledOperators(type=found[1], count=int(found[2]), status=status))


def _last(blocks: list[_Block]) -> _Block:
    """Excerpts may lack the line that begins a model."""
    if not blocks:
        blocks.append(_Block())
    return blocks[-1]


def _joined(blocks: list[_Block]) -> list[_Block]:
    """Blocks of the same output as one: the log has the table that standard output leaves out."""
    joined: list[_Block] = []
    for block in blocks:
        before = next((each for each in joined if each.output and each.output == block.output), None)
        if before is None:
            joined.append(block)
        else:
            before.said.update(block.said)
            before.rows = max(before.rows, block.rows, key=_counted)
    return joined


def _counted(rows: list[CompiledOperators]) -> int:
    return sum(row.count for row in rows)


def _told(block: _Block, version: str | None) -> EdgeTpuCompilation:
    total, tpu, cpu = (_whole(block, key) for key in ("total", "tpu", "cpu"))
    on_tpu, on_cpu = _split(block, total, tpu, cpu)
    used, available, remaining = (_size(block, key) for key in ("used", "available", "remaining"))
    if remaining is None and available is not None and used is not None:  # version 2.0 said it the other way round
        remaining = available - used
    return EdgeTpuCompilation(
        compiler=version,
        on_tpu=on_tpu,
        on_cpu=on_cpu,
        subgraphs=_whole(block, "subgraphs"),
        on_chip_bytes=used,
        on_chip_remaining_bytes=remaining,
        off_chip_bytes=_size(block, "streamed"),
        operators=tuple(block.rows),
    )


def _split(block: _Block, total: int | None, tpu: int | None, cpu: int | None) -> tuple[int | None, int | None]:
    """How many are where: as it is counted; by the table where that is whole; without either all are on the Edge TPU
    of which the compiler complains about none, but that is said only where there is a program."""
    if tpu is not None and cpu is not None:
        return tpu, cpu
    if block.rows and (total is None or _counted(block.rows) == total):
        outside = sum(row.count for row in block.rows if row.status is not None)
        return _counted(block.rows) - outside, outside
    if total is not None and _whole(block, "subgraphs") and not block.rows:
        return total, 0
    return tpu, cpu


def _whole(block: _Block, key: str) -> int | None:
    return int(block.said[key]) if key in block.said else None


def _size(block: _Block, key: str) -> Bytes | None:
    return size_in(block.said[key]) if key in block.said else None
