"""How far a campaign is, and how long the rest will take."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.core.cell import Cell
from harness.core.units import Seconds
from harness.plan import Block, launch_estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Launches done of total, what has just ended, and a guess of the seconds left."""

    done: int
    total: int
    text: str
    left_s: Seconds


Report = Callable[[Progress], None]


class Countdown:
    """Remaining time, from the launches that have ended. Shared by the threads of all devices."""

    def __init__(self, blocks: Sequence[Block], report: Report) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        self._cells = {cell.id: cell for block in blocks for cell in block.cells}
        for block in blocks:
            for cell in block.cells:
                self._left[cell.id] = self._left.get(cell.id, 0) + 1
        self._total = sum(self._left.values())
        self._spent: dict[str, list[float]] = {}

    def ended(self, cell: Cell, text: str, spent_s: Seconds | None) -> None:
        """A launch of the cell ended after spent_s, or was passed over (None)."""
        with self._lock:
            self._left[cell.id] -= 1
            if spent_s is not None:
                self._spent.setdefault(cell.id, []).append(spent_s)
            self._tell(text)

    def torn(self, cells: Sequence[Cell]) -> None:
        """The launches of these cells will be run again: their block came to nothing."""
        with self._lock:
            for cell in cells:
                self._left[cell.id] += 1

    def waiting(self, text: str) -> None:
        """Nothing ended: this is what is waited for."""
        with self._lock:
            self._tell(text)

    def _tell(self, text: str) -> None:
        done = self._total - sum(self._left.values())
        self._report(Progress(done=done, total=self._total, text=text, left_s=self._remaining()))

    def _remaining(self) -> Seconds:
        known = [s for spent in self._spent.values() for s in spent]
        guesses = [launch_estimate(self._cells[cell]) for cell in self._spent]
        planned = sum(guesses)
        # What launches took over what was guessed scales the cells that have not run yet.
        scale = (sum(known) / len(known)) / (planned / len(guesses)) if known and planned else 1.0
        return sum(left * self._expect(cell, scale) for cell, left in self._left.items() if left)

    def _expect(self, cell: str, scale: float) -> Seconds:
        spent = self._spent.get(cell)
        return sum(spent) / len(spent) if spent else scale * launch_estimate(self._cells[cell])
