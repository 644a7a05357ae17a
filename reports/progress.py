"""Progress of long work on standard error: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.core.units import Seconds
from reports.listings import duration

Step = Callable[[int, int, str, Seconds | None], None]
_LINE_EVERY_S = 15.0


@contextmanager
def progress(what: str) -> Iterator[Step]:
    """A function to call with (done, total, what has just ended, seconds left or None)."""
    if sys.stderr.isatty():
        with _bar(what) as step:
            yield step
    else:
        yield _lines(what)


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
def _bar(what: str) -> Iterator[Step]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f}"),
        TextColumn("{task.fields[left]}", style="bold"),
        TextColumn("{task.fields[text]}", style="dim", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, left="", text="")

        def step(done: int, total: int, text: str, left_s: Seconds | None) -> None:
            left = f"{duration(left_s)} left" if left_s and done < total else ""
            bar.update(task, completed=done, total=total, left=left, text=_short(text))

        yield step


def _short(text: str, limit: int = 70) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
