"""Progress of long work on standard error: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.core.units import Seconds
from reports.listings import duration

if TYPE_CHECKING:
    from rich.progress import Progress

Step = Callable[[int, int, str, Seconds | None], None]
_LINE_EVERY_S = 15.0


@contextmanager
def progress(*whats: str) -> Iterator[tuple[Step, ...]]:
    """For each of the works, one after another: a function to call with (done, total, what has just ended, seconds
    left or None)."""
    if sys.stderr.isatty():
        with _bars(whats) as steps:
            yield steps
    else:
        yield tuple(_lines(what) for what in whats)


def _lines(what: str) -> Step:
    last = time.monotonic()

    def step(done: int, total: int, text: str, left_s: Seconds | None) -> None:
        nonlocal last
        if done < total and time.monotonic() - last < _LINE_EVERY_S:
            return
        last = time.monotonic()
        left = f", about {duration(left_s)} left" if left_s and done < total else ""
        print(f"{what}: {done} of {total}{left} ({_short(text)})", file=sys.stderr, flush=True)

    return step


@contextmanager
def _bars(whats: tuple[str, ...]) -> Iterator[tuple[Step, ...]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(separator=" of "),
        TextColumn("{task.fields[left]}", style="bold"),
        TextColumn("{task.fields[text]}", style="dim", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield tuple(_bar(bar, what) for what in whats)


def _bar(bars: "Progress", what: str) -> Step:
    """A bar that shows once there is something to show."""
    task = bars.add_task(what, total=None, visible=False, left="", text="")

    def step(done: int, total: int, text: str, left_s: Seconds | None) -> None:
        left = f"{duration(left_s)} left" if left_s and done < total else ""
        bars.update(task, completed=done, total=total, visible=True, left=left, text=_short(text))

    return step


def _short(text: str, limit: int = 70) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
