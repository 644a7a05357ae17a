"""Which operator of a variant is which of its source, and how its time changed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.core.launch import OpRecord, OpTable
from harness.core.units import Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An operator on both sides; None where one side does not have it."""

    before: OpRecord | None
    after: OpRecord | None

    @property
    def type(self) -> str:
        """The source's type: a recipe may turn one type into another."""
        known = self.before or self.after
        return known.type if known else ""

    @property
    def before_ns(self) -> Nanoseconds:
        return (self.before.latency_ns or 0.0) if self.before else 0.0

    @property
    def after_ns(self) -> Nanoseconds:
        return (self.after.latency_ns or 0.0) if self.after else 0.0

    @property
    def change_ns(self) -> Nanoseconds:
        return self.after_ns - self.before_ns


def pair_operators(source: OpTable, variant: OpTable) -> tuple[Pair, ...]:
    """Pairs by name and type, then, of those left, by type in order; every operator is in one pair."""
    named = _match(source.ops, variant.ops, lambda op: (op.name, op.type))
    taken = {id(op) for pair in named for op in pair}
    left = [op for op in source.ops if id(op) not in taken]
    right = [op for op in variant.ops if id(op) not in taken]
    placed = _match(left, right, lambda op: (op.type, op.index < 0))
    taken |= {id(op) for pair in placed for op in pair}
    return (
        *(Pair(before=a, after=b) for a, b in (*named, *placed)),
        *(Pair(before=op, after=None) for op in left if id(op) not in taken),
        *(Pair(before=None, after=op) for op in right if id(op) not in taken),
    )


def _match(
    left: Iterable[OpRecord], right: Iterable[OpRecord], key: Callable[[OpRecord], object]
) -> list[tuple[OpRecord, OpRecord]]:
    """The first of each key with the first, the second with the second, and so on."""
    waiting: dict[object, list[OpRecord]] = defaultdict(list)
    for op in right:
        waiting[key(op)].append(op)
    return [(op, waiting[key(op)].pop(0)) for op in left if waiting[key(op)]]


def changes_by_type(pairs: Sequence[Pair]) -> dict[str, tuple[Nanoseconds, Nanoseconds]]:
    """Time before and after of each type of operator, the largest change first."""
    sums: dict[str, tuple[float, float]] = {}
    for pair in pairs:
        before, after = sums.get(pair.type, (0.0, 0.0))
        sums[pair.type] = before + pair.before_ns, after + pair.after_ns
    return dict(sorted(sums.items(), key=lambda item: -abs(item[1][1] - item[1][0])))
