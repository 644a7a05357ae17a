"""The oracle of the operator mapping: each operator of a model cut out into a model of its own, and run alone.

A model of one operator leaves no doubt whose kernels it runs as. What the mapping says of the whole model is compared
with that, operator by operator. Operators that a delegate merged with a neighbour are cut out again together with
their neighbours.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devices.runtimes.events import DELEGATE_OPERATOR, DELEGATED, OPERATOR
from harness.core.launch import OpTable
from tests.support.cut_out import Source, cut_out

if TYPE_CHECKING:
    from devices.agent.session import Session

Kernels = tuple[str, ...]
# Runs the models named in an order, `{backend, models}`, and answers the kernels of each, or its refusal as a string.
Run = Callable[[Mapping[str, object]], Sequence[list[str] | str]]

_DEADLINE_S = 120.0
_SESSIONS = 8  # in one process: each keeps a profiler of 68 MB until it ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What operators ran as outside their model: each alone, and groups of neighbours that did not fit alone.

    A string is the runtime's refusal. Operators that only unpack weights are not in alone: nothing of them is left.
    """

    alone: Mapping[int, Kernels | str]
    together: Mapping[tuple[int, ...], Kernels | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Operators whose kernels, run alone, are not those that the mapping gives them."""

    operators: tuple[int, ...]
    observed: Kernels | str
    mapped: Kernels


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a mapping compares with operators run alone.

    same counts operators with the same kernels both ways (none, for those that only unpack weights); merged those that
    agree only together with their neighbours, which the delegate fused them with. total counts all of the model's.
    """

    same: int
    merged: int
    total: int
    differences: tuple[Difference, ...]


def compare(
    content: bytes, table: OpTable, directory: Path, backend: str | None = None, run: Run | None = None
) -> Agreement:
    """Run every operator of a model alone, below directory, and compare with the table of the whole model.

    run None: LiteRT, in processes of their own.
    """
    return judge(table, observe(content, table, directory, backend, run))


def observe(content: bytes, table: OpTable, directory: Path, backend: str | None, run: Run | None = None) -> Observed:
    """Run every operator alone, and those that differ from the table once more together with their neighbours."""
    source, mapped = Source(content), _mapped(table)
    singles = [(index,) for index in mapped if not source.only_unpacks(index)]
    alone = {index: found for (index,), found in run_alone(source, singles, directory, backend, run).items()}
    groups = tuple(_groups(source, _apart(mapped, alone)))
    return Observed(alone=alone, together=run_alone(source, groups, directory, backend, run))


def judge(table: OpTable, observed: Observed) -> Agreement:
    """Compare a table with what was observed of its operators."""
    mapped = _mapped(table)
    apart = _apart(mapped, observed.alone)
    differences = [
        Difference(operators=group, observed=found, mapped=_in_order(group, mapped))
        for group, found in observed.together.items()
        if found != _in_order(group, mapped)
    ]
    unseen = apart.difference(*observed.together)
    differences += [
        Difference(operators=(index,), observed=observed.alone.get(index, ()), mapped=mapped[index]) for index in unseen
    ]
    left = {index for difference in differences for index in difference.operators} & apart
    return Agreement(
        same=len(mapped) - len(apart),
        merged=len(apart - left),
        total=len(mapped),
        differences=tuple(differences),
    )


def _mapped(table: OpTable) -> dict[int, Kernels]:
    return {row.index: row.kernels for row in table.ops if row.index >= 0}


def _apart(mapped: Mapping[int, Kernels], alone: Mapping[int, Kernels | str]) -> set[int]:
    return {index for index, kernels in mapped.items() if alone.get(index, ()) != kernels}


def _in_order(group: Iterable[int], mapped: Mapping[int, Kernels]) -> Kernels:
    return tuple(tag for index in group for tag in mapped[index])


def _groups(source: Source, apart: set[int]) -> Iterable[tuple[int, ...]]:
    """Neighbouring operators of those apart, each group with the neighbours that they may have been merged with."""
    left = set(apart)
    while left:
        group, edge = set[int](), {min(left)}
        while edge:
            group |= edge
            edge = {n for index in edge for n in source.neighbours(index) if n in apart} - group
        left -= group
        around = {n for index in group for n in source.neighbours(index)}
        yield tuple(sorted(group | {n for n in around if not source.only_unpacks(n)}))


def run_in_litert(order: Mapping[str, object]) -> list[list[str] | str]:
    """Run models in a process of their own: what a runtime does to it is no matter here."""
    return run_few((sys.executable, "-m", "tests.support.one_op"), order)


def run_alone(
    source: Source,
    groups: Sequence[tuple[int, ...]],
    directory: Path,
    backend: str | None,
    run: Run | None = None,
) -> dict[tuple[int, ...], Kernels | str]:
    """Kernels of each group of operators as a model of its own, or the runtime's refusal as a string."""
    found: dict[tuple[int, ...], Kernels | str] = {}
    for start in range(0, len(groups), _SESSIONS):
        few, paths = groups[start : start + _SESSIONS], []
        for number, group in enumerate(few):
            paths.append(directory / f"cut_{number}.tflite")
            paths[-1].write_bytes(cut_out(source, group))
        answers = (run or run_in_litert)({"backend": backend, "models": [str(path) for path in paths]})
        found.update(
            (group, answer if isinstance(answer, str) else tuple(answer))
            for group, answer in zip(few, answers, strict=True)
        )
    return found


def run_few(argv: Sequence[str], order: Mapping[str, object]) -> list[list[str] | str]:
    """Start a process that reads an order and whose last line of output has the answers."""
    done = subprocess.run(
        argv,
        input=json.dumps(order),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=_DEADLINE_S,
        check=True,
    )
    answers: list[list[str] | str] = json.loads(done.stdout.splitlines()[-1])
    return answers


def _main() -> None:
    """Run the models named on standard input; the last line of standard output has the kernels of each."""
    from devices.agent.litert import Library, LiteRtError
    from devices.agent.runtimes import LITERT, find_runtime
    from devices.agent.session import Session

    runtime = find_runtime(LITERT, sys.path)
    if runtime is None:
        raise SystemExit("ai-edge-litert is not installed")
    order = json.load(sys.stdin)
    library = Library(str(runtime["library"]), str(runtime["version"]))
    unit = {"kind": "cpu", "backend": order["backend"], "threads": 1}
    answers: list[list[str] | str] = []
    for path in order["models"]:
        try:
            launched = {"variant": path, "unit": unit, "signature": None, "dispatch": None}
            answers.append(_kernels(Session(library, launched, profiling=True)))
        except LiteRtError as refusal:
            answers.append(str(refusal))
    print(json.dumps(answers))


def _kernels(session: "Session") -> list[str]:
    """Tags of one inference; the first, which allocates, is left out."""
    session.feed([], 0)
    infer = session.inference()
    infer()
    session.start_profiler()
    infer()
    kinds = (OPERATOR, DELEGATED, DELEGATE_OPERATOR)
    return [tag for tag, kind, *_ in session.stop_profiler() if kind in kinds]


if __name__ == "__main__":
    _main()
