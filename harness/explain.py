"""Why a cell is as fast as it is, in at most a few sentences, from what was seen of it and its source: no guesses."""

from collections.abc import Iterable, Sequence

from harness.core.cell import Cell
from harness.core.judgement import Comparison, Verdict
from harness.core.launch import Api, OpRecord, OpTable
from harness.core.outcome import Measurement
from harness.core.units import Nanoseconds
from harness.op_pairs import Pair, changes_by_type, pair_operators
from harness.placement import BUILTIN, count_of, describe_placement, is_profiled, own_kernels

# As in the report: under this coverage a share of what was seen is no share of the run.
_LEAST_COVERAGE = 0.8
_WORTH_SAYING = 0.03
_CHANGED = 0.05
_CONVERSIONS = ("DEQUANTIZE", "QUANTIZE")
# Kernels that only prepare another one's input or finish its output.
_MINOR = ("Static Reshape", "Convert", "Clamp", "Copy", "Transpose")


def explain(
    cell: Cell, measured: Measurement, source: Measurement | None, comparison: Comparison | None
) -> tuple[str, ...]:
    """Sentences on where the operators ran, which kernels took the time and which operators account for the change.

    source is the source's measurement on the same unit, None for the source itself or where it has none; comparison
    is with that source. Empty where nothing is known.
    """
    table, before = _told(measured), _told(source) if source else None
    pairs = pair_operators(before, table) if before and table else ()
    found = (
        _api(measured, source),
        describe_placement(cell, measured, source),
        _kernels(measured, table, before, pairs),
        _change(pairs, comparison),
    )
    return tuple(f"{sentence}." for sentence in found if sentence)


def _told(measured: Measurement) -> OpTable | None:
    """The operator table where its shares stand for the run, and the runtime itself measured it."""
    table = measured.ops
    if (
        table is None
        or table.measured_by is not None
        or table.approximate
        or not is_profiled(table)
        or not _total(table.ops)
    ):
        return None
    return table if table.coverage is not None and table.coverage >= _LEAST_COVERAGE else None


def _api(measured: Measurement, source: Measurement | None) -> str | None:
    if source is None or None in (measured.api, source.api) or measured.api is source.api:
        return None
    faces = {Api.INTERPRETER: "the Interpreter API", Api.COMPILED_MODEL: "the compiled-model API", None: ""}
    return f"It ran through {faces[measured.api]}, its source through {faces[source.api]}"


def _kernels(measured: Measurement, table: OpTable | None, before: OpTable | None, pairs: Sequence[Pair]) -> str | None:
    if table is None:
        return None
    taken = measured.delegation.taken if measured.delegation else None
    parts = [*_conversions(table, pairs), *(_outside(measured, table, pairs) if taken else ())]
    if parts:
        return _capitalised("; ".join(parts))
    folded = _folded(pairs)
    if _all_the_same(pairs):
        same = "the kernels are those of the source"
        return _capitalised(f"{folded}, and {same}" if folded else f"{same}, operator by operator")
    return _capitalised("; ".join(filter(None, [folded, _families(table, before)])))


def _conversions(table: OpTable, pairs: Sequence[Pair]) -> Iterable[str]:
    """QUANTIZE and DEQUANTIZE that the source has not and that take time of their own."""
    for kind in _CONVERSIONS:
        added = _added(pairs, kind)
        share = _total(added) / _total(table.ops)
        if share >= _WORTH_SAYING:
            yield f"{len(added)} added {kind} take {_percent(share)} of the operators' time, at every inference"


def _added(pairs: Sequence[Pair], kind: str) -> list[OpRecord]:
    return [pair.after for pair in pairs if pair.before is None and pair.after and pair.after.type == kind]


def _outside(measured: Measurement, table: OpTable, pairs: Sequence[Pair]) -> Iterable[str]:
    """Types that the delegate left to the runtime, by the time that they take."""
    left = [op for op in table.ops if _is_outside(op) and op.type not in _CONVERSIONS]
    shares = _shares((op.type, op) for op in left)
    whole, share = _total(table.ops), _total(left) / _total(table.ops)
    if share >= _CHANGED:
        named = [f"{kind} {_percent(ns / whole)}" for kind, ns in shares if ns >= _CHANGED * whole] or ["several types"]
        types = shares[0][0] if len(named) == 1 and shares[0][1] >= 0.95 * share * whole else ", ".join(named[:3])
        yield f"outside it, {own_kernels(measured)} take {_percent(share)} of the operators' time ({types})"
    # LiteRT widens constant weights once and keeps them, but a delegate cannot take what reads them.
    idle = [op for op in _added(pairs, "DEQUANTIZE") if _is_outside(op)]
    if idle and _total(idle) < _WORTH_SAYING * whole:
        yield f"{len(idle)} added DEQUANTIZE stay outside it too, with hardly any time"


def _folded(pairs: Sequence[Pair]) -> str | None:
    count = sum(
        pair.before is None and pair.after is not None and pair.after.type == "DEQUANTIZE" and not pair.after.kernels
        for pair in pairs
    )
    return f"{count} added DEQUANTIZE are folded (weights are widened on loading)" if count else None


def _all_the_same(pairs: Sequence[Pair]) -> bool:
    """Whether every operator runs the kernels of its source's. A builtin kernel's name does not tell its types."""
    ran = [pair for pair in pairs if any(op and op.kernels for op in (pair.before, pair.after))]
    return bool(ran) and all(_same_kernels(pair) for pair in ran)


def _same_kernels(pair: Pair) -> bool:
    if pair.before is None or pair.after is None:
        return False
    named = not _is_outside(pair.after) or not pair.after_ns
    return named and pair.before.kernels == pair.after.kernels


def _families(table: OpTable, before: OpTable | None) -> str | None:
    ours, theirs = _family_shares(table), _family_shares(before) if before else []
    words = ", ".join(f"{_percent(share)} in {name}" for name, share in ours[:2])
    if not theirs or _is_builtin(table) or {name for name, _ in ours[:2]} == {name for name, _ in theirs[:2]}:
        return f"of the operators' time {words}"
    source = ", ".join(f"{_percent(share)} in {name}" for name, share in theirs[:2])
    return f"of the operators' time {words}; in the source {source}"


def _is_outside(op: OpRecord) -> bool:
    return (op.placed_on or "").endswith(f"/{BUILTIN}")


def _is_builtin(table: OpTable) -> bool:
    """Builtin kernels are called by their operator's type, which is not to be held against a delegate's names."""
    return all(_is_outside(op) for op in table.ops if op.kernels)


def _family_shares(table: OpTable) -> list[tuple[str, float]]:
    shares = _shares((_family(op), op) for op in table.ops if op.kernels)
    return [(name, ns / _total(table.ops)) for name, ns in shares if ns >= _CHANGED * _total(table.ops)]


def _family(op: OpRecord) -> str:
    return next((kernel for kernel in op.kernels if not kernel.startswith(_MINOR)), op.kernels[0])


def _change(pairs: Sequence[Pair], comparison: Comparison | None) -> str | None:
    """What accounts for the change. Silent without a verdict, and where profile and latency do not point one way."""
    before, change = sum(pair.before_ns for pair in pairs), sum(pair.change_ns for pair in pairs)
    if comparison is None or comparison.verdict not in (Verdict.FASTER, Verdict.SLOWER):
        return None
    if not before or abs(change) < _CHANGED * before or abs(comparison.ratio - 1) < _CHANGED:
        return None
    if (change < 0) != (comparison.ratio < 1):
        return None
    largest = max(pairs, key=lambda pair: pair.change_ns / change)
    one = largest.change_ns / change
    whole = f"Of the time {'saved' if change < 0 else 'added'}, {_by_types(pairs, change)}"
    return f"{whole}; one operator alone for {_part(one)}: {_short(largest)}" if one >= 0.25 else whole


def _by_types(pairs: Sequence[Pair], change: Nanoseconds) -> str:
    """The types with the largest parts of the change, or how many share it where none has a tenth."""
    moved = {kind: times for kind, times in changes_by_type(pairs).items() if (times[1] - times[0]) / change > 0}
    named = [
        f"{kind} accounts for {_part((after - first) / change)} ({_milliseconds(first)} to {_milliseconds(after)} ms)"
        for kind, (first, after) in moved.items()
        if (after - first) / change >= 0.1
    ]
    return ", ".join(named[:2]) or f"no type accounts for a tenth: it is spread over {count_of(len(moved), 'type')}"


def _short(pair: Pair) -> str:
    known = pair.before or pair.after
    name = known.name.split(";")[0] if known else ""
    return name if len(name) <= 60 else f"…{name[-59:]}"


def _shares(named: Iterable[tuple[str, OpRecord]]) -> list[tuple[str, Nanoseconds]]:
    sums: dict[str, float] = {}
    for name, op in named:
        sums[name] = sums.get(name, 0.0) + (op.latency_ns or 0.0)
    return sorted(sums.items(), key=lambda item: -item[1])


def _total(ops: Iterable[OpRecord]) -> Nanoseconds:
    return sum(op.latency_ns or 0.0 for op in ops)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _part(share: float) -> str:
    """A share of a change; others may have gone the other way."""
    return _percent(share) if share < 1.005 else "all and more"


def _milliseconds(ns: Nanoseconds) -> str:
    return f"{ns / 1e6:.3g}" if ns < 1e9 else f"{ns / 1e6:.0f}"


def _capitalised(text: str) -> str | None:
    return text[:1].upper() + text[1:] if text else None
