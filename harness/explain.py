"""Why a cell is as fast as it is, in at most a few sentences, from what was seen of it and its source: no guesses."""

from collections.abc import Iterable, Sequence

from harness.core.cell import Cell
from harness.core.launch import Api, Delegation, OpRecord, OpTable
from harness.core.outcome import Measurement
from harness.core.units import Nanoseconds
from harness.op_pairs import Pair, changes_by_type, pair_operators
from harness.placement import BUILTIN

# As in the report: under this coverage a share of what was seen is no share of the run.
_LEAST_COVERAGE = 0.8
_WORTH_SAYING = 0.03
_CHANGED = 0.05
_DELEGATES = {"xnnpack": "XNNPACK", "webgpu": "WebGPU", "dispatch": "the NPU's dispatch library"}
_CONVERSIONS = ("DEQUANTIZE", "QUANTIZE")
# Kernels that only prepare another one's input or finish its output.
_MINOR = ("Static Reshape", "Convert", "Clamp", "Copy", "Transpose")


def explain(cell: Cell, measured: Measurement, source: Measurement | None, ratio: float | None) -> tuple[str, ...]:
    """Sentences on where the operators ran, which kernels took the time and which operators account for the change.

    source is the source's measurement on the same unit, None for the source itself or where it has none; ratio is
    the latency over the source's. Empty where nothing is known.
    """
    table, before = _told(measured), _told(source) if source else None
    pairs = pair_operators(before, table) if before and table else ()
    found = (
        _api(measured, source),
        _placement(cell, measured, source),
        _kernels(measured, table, before, pairs),
        _change(pairs, ratio),
    )
    return tuple(f"{sentence}." for sentence in found if sentence)


def _told(measured: Measurement) -> OpTable | None:
    """The operator table where its shares stand for the run."""
    table = measured.ops
    if table is None or table.approximate or not _total(table.ops):
        return None
    return table if table.coverage is None or table.coverage >= _LEAST_COVERAGE else None


def _api(measured: Measurement, source: Measurement | None) -> str | None:
    if source is None or None in (measured.api, source.api) or measured.api is source.api:
        return None
    faces = {Api.INTERPRETER: "the Interpreter API", Api.COMPILED_MODEL: "the compiled-model API", None: ""}
    return f"It ran through {faces[measured.api]}, its source through {faces[source.api]}"


def _placement(cell: Cell, measured: Measurement, source: Measurement | None) -> str | None:
    here, there = measured.delegation, source.delegation if source else None
    if here is None or (here.full is None and here.taken is None):
        return None
    if here.taken == 0:
        return _undelegated(cell, measured, here, there)
    words = _extent(here, _delegate(here))
    if there is None or there.taken is None:
        return words
    if (here.full, here.delegate) == (True, there.delegate) and there.full:
        return f"{words}, as in the source"
    return words if _counts(here) == _counts(there) else f"{words} (source: {_counts(there)})"


def _extent(state: Delegation, delegate: str) -> str:
    partitions = f", in {_number(state.partitions, 'partition')}" if state.partitions else ""
    if state.taken is None or state.total is None:
        return f"The whole graph runs in {delegate}" if state.full else f"Only a part of the graph runs in {delegate}"
    if state.taken == state.total:
        return f"All {state.total} operators run in {delegate}{partitions}"
    return f"{state.taken} of {state.total} operators run in {delegate}{partitions}"


def _undelegated(cell: Cell, measured: Measurement, here: Delegation, there: Delegation | None) -> str:
    own = _own_kernels(measured)
    if cell.unit.backend == BUILTIN:
        words = f"All {here.total} operators run in {own}, as was asked for"
    else:
        name = _delegate(there) if there and there.delegate else "a delegate"
        source = f" (source: {_counts(there)})" if there and there.taken else ""
        words = f"None of the {here.total} operators runs in {name}{source}: {own} do the work"
    reference = any(step.startswith("int16") for step in cell.recipe.split("+"))
    return f"{words}; for 16-bit activations these are reference kernels" if reference else words


def _delegate(state: Delegation) -> str:
    return _DELEGATES.get(state.delegate or "", state.delegate or "a delegate")


def _counts(state: Delegation) -> str:
    share = f"all {state.total}" if state.taken == state.total else f"{state.taken} of {state.total}"
    return f"{share} in {_number(state.partitions, 'partition')}" if state.partitions else share


def _own_kernels(measured: Measurement) -> str:
    return "LiteRT's own kernels" if "litert" in measured.runtime.lower() else "the runtime's own kernels"


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
        yield f"outside it, {_own_kernels(measured)} take {_percent(share)} of the operators' time ({types})"
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
    both = [pair for pair in pairs if pair.before and pair.after and pair.before.kernels]
    added = [pair for pair in pairs if pair.before is None and pair.after and pair.after.kernels]
    return bool(both) and not added and all(_same_kernels(pair) for pair in both)


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


def _change(pairs: Sequence[Pair], ratio: float | None) -> str | None:
    """Which types account for the change. Silent where profile and latency do not point the same way."""
    before, change = sum(pair.before_ns for pair in pairs), sum(pair.change_ns for pair in pairs)
    if ratio is None or not before or abs(change) < _CHANGED * before or abs(ratio - 1) < _CHANGED:
        return None
    if (change < 0) != (ratio < 1):
        return None
    named = [
        f"{kind} accounts for {_part((after - first) / change)} ({_milliseconds(first)} to {_milliseconds(after)} ms)"
        for kind, (first, after) in changes_by_type(pairs).items()
        if (after - first) / change >= 0.1
    ]
    largest = max(pairs, key=lambda pair: pair.change_ns / change)
    one = largest.change_ns / change
    whole = f"Of the time {'saved' if change < 0 else 'added'}, {', '.join(named[:2])}"
    return f"{whole}; one operator alone for {_part(one)}: {_short(largest)}" if one >= 0.25 else whole


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


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _part(share: float) -> str:
    """A share of a change; others may have gone the other way."""
    return _percent(share) if share < 1.005 else "all and more"


def _milliseconds(ns: Nanoseconds) -> str:
    return f"{ns / 1e6:.3g}" if ns < 1e9 else f"{ns / 1e6:.0f}"


def _capitalised(text: str) -> str | None:
    return text[:1].upper() + text[1:] if text else None
