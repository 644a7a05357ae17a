"""Kernels of one partition given to its operators, both in the order they run.

XNNPACK numbers its kernels and says nothing of the operator a kernel came from, but it keeps the operators' order: it
folds operators away and adds kernels beside them. So the cheapest alignment in order is sought: each operator takes a
run of zero or more neighbouring kernels, a price stands on each surprise (litert_kernels), and every kernel is taken.
Source: alignment by dynamic programming in a band around the diagonal (Ukkonen 1985, Algorithms for approximate string
matching), the band doubled until the path keeps clear of its edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from devices.runtimes.litert_kernels import LOST, Part, part_of, price_of, rule_for

_MOST_KERNELS = 6  # of one operator
_MOST_OF_MANY = 40  # of one that is known to run as many: an attention composite
_BAND = 24
_FAR = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """owners[k] is the position of the operator that kernel k was given to.

    cost is in tenths; 0 is an alignment without any doubt. unexplained counts the kernels that no rule gives to their
    operator and the operators that no rule lets go without a kernel.
    """

    owners: tuple[int, ...]
    cost: int
    unexplained: int


def align(operators: Sequence[str], tags: Sequence[str]) -> Alignment:
    """Give every kernel to an operator, in order.

    Shapes: operators (n,), types in the order the delegate runs them; tags (e,). n = 0 with e > 0 is a ValueError.
    """
    if not operators and tags:
        raise ValueError(f"{len(tags)} kernels and no operator to give them to")
    runs, band = _Runs(tags), abs(len(operators) - len(tags)) // 2 + _BAND
    most = [_MOST_OF_MANY if rule_for(operator).many else _MOST_KERNELS for operator in operators]
    path = _cheapest(operators, runs, most, band)
    while path is None or (path.touches_edge and band <= len(operators) + len(tags)):
        if path is None:
            most = [2 * limit for limit in most]
        band *= 2
        path = _cheapest(operators, runs, most, band)
    return Alignment(owners=path.owners, cost=path.cost, unexplained=_unexplained(operators, tags, path.owners))


class _Runs:
    """Neighbouring kernels, and what an operator type pays to take them; remembered, for models repeat themselves."""

    def __init__(self, tags: Sequence[str]) -> None:
        self.tags = tuple(tags)
        self._prices: dict[str, dict[tuple[str, ...], int]] = {}

    def prices(self, operator: str, end: int, most: int) -> list[int]:
        """What an operator pays to take the last 0, 1, ... up to most kernels before end."""
        known = self._prices.setdefault(operator, {})
        prices = []
        for taken in range(min(most, end) + 1):
            run = self.tags[end - taken : end]
            if run not in known:
                known[run] = price_of(operator, run)
            prices.append(known[run])
        return prices


@dataclass(frozen=True, slots=True)
class _Path:
    owners: tuple[int, ...]
    cost: int
    touches_edge: bool


@dataclass(slots=True)
class _Row:
    """Cheapest cost of the operators so far taking the first low, low + 1, ... kernels, with how many the last took."""

    low: int
    costs: list[int]
    taken: list[int] = field(default_factory=list)


def _cheapest(operators: Sequence[str], runs: _Runs, most: Sequence[int], band: int) -> _Path | None:
    """The cheapest path inside a band, None where the limits in most allow none."""
    count = len(runs.tags)
    rows = [_Row(0, [0])]
    for i, operator in enumerate(operators, start=1):
        centre = i * count // len(operators)
        low, high = max(0, centre - band), min(count, centre + band)
        row = _Row(low, [])
        for end in range(low, high + 1):
            cost, taken = _best(rows[-1], end, runs.prices(operator, end, most[i - 1]))
            row.costs.append(cost)
            row.taken.append(taken)
        rows.append(row)
    cost = rows[-1].costs[-1]
    return None if cost >= _FAR else _walk_back(rows, count, cost)


def _best(before: _Row, end: int, prices: Sequence[int]) -> tuple[int, int]:
    """Cheapest way to end at a kernel, and how many the operator takes: on equal terms one rather than none."""
    best, pick = _FAR, 0
    costs, low = before.costs, before.low
    for taken in (*range(1, len(prices)), 0):
        place = end - taken - low
        if 0 <= place < len(costs):
            cost = costs[place] + prices[taken]
            if cost < best:
                best, pick = cost, taken
    return best, pick


def _walk_back(rows: Sequence[_Row], count: int, cost: int) -> _Path:
    owners = [0] * count
    end, edge = count, False
    for i in range(len(rows) - 1, 0, -1):
        row = rows[i]
        place = end - row.low
        edge |= (place == 0 and row.low > 0) or (place == len(row.costs) - 1 and end < count)
        owners[end - row.taken[place] : end] = [i - 1] * row.taken[place]
        end -= row.taken[place]
    return _Path(tuple(owners), cost, edge)


def _unexplained(operators: Sequence[str], tags: Sequence[str], owners: Sequence[int]) -> int:
    strange = sum(part_of(operators[o], tag) is Part.UNKNOWN for o, tag in zip(owners, tags, strict=True))
    idle = set(range(len(operators))) - set(owners)
    return strange + sum(rule_for(operators[i]).vanish >= LOST for i in idle)
