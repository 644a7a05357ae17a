"""The oracle of the operator mapping: each operator of a model cut out into a model of its own, and run alone.

A model of one operator leaves no doubt whose kernels it runs as. What the mapping says of the whole model is compared
with that, operator by operator.
"""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from devices.runtimes.events import DELEGATE_OPERATOR, DELEGATED, OPERATOR
from devices.runtimes.litert_kernels import LOST, rule_for
from harness.core.launch import OpTable
from harness.sources.tflite_writer import ModelWriter, Tensor

_UNPACKED_AT_LOAD = ("DEQUANTIZE", "DENSIFY")
_DEADLINE_S = 120.0
_SESSIONS = 8
_CODES = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a mapping compares with operators run alone. Each entry: index, type, kernels alone, kernels mapped.

    same counts operators with the same kernels both ways, none for those that only unpack weights. folded are those
    that the mapping says the delegate merged into a neighbour, which an operator alone cannot show. failed did not run
    alone, in the runtime's words.
    """

    same: int
    folded: tuple[tuple[int, str, tuple[str, ...]], ...]
    different: tuple[tuple[int, str, tuple[str, ...], tuple[str, ...]], ...]
    failed: tuple[tuple[int, str, str], ...]

    @property
    def total(self) -> int:
        return self.same + len(self.folded) + len(self.different) + len(self.failed)


def compare(content: bytes, table: OpTable, directory: Path, backend: str | None = None) -> Agreement:
    """Cut every operator of the model out, run it alone, and compare with the table of the whole model."""
    alone = run_alone(list(cut_all(content, directory)), backend)
    same, folded, different, failed = 0, [], [], []
    for row in (row for row in table.ops if row.index >= 0):
        kernels = alone.get(row.index, ())
        if isinstance(kernels, str):
            failed.append((row.index, row.type, kernels))
        elif kernels == row.kernels:
            same += 1
        elif not row.kernels and rule_for(row.type).vanish < LOST:
            folded.append((row.index, row.type, kernels))
        else:
            different.append((row.index, row.type, kernels, row.kernels))
    return Agreement(same=same, folded=tuple(folded), different=tuple(different), failed=tuple(failed))


def cut_all(content: bytes, directory: Path) -> Iterator[tuple[int, Path]]:
    """Write one model for each operator of the main graph that computes something; (index, path).

    Operators that only unpack constants cannot be run alone: there is nothing left of them once the model is loaded.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    source = _Cutter(content, model)
    for index, operator in enumerate(model.subgraphs[0].operators):
        if not source.only_unpacks(operator):
            path = directory / f"op_{index}.tflite"
            path.write_bytes(_cut(content, model, index))
            yield index, path


def run_alone(models: Sequence[tuple[int, Path]], backend: str | None = None) -> Mapping[int, tuple[str, ...] | str]:
    """Kernel tags of each model's operator, or the runtime's refusal as a string.

    A process runs a few and ends: each session keeps a profiler of 68 MB.
    """
    kernels: dict[int, tuple[str, ...] | str] = {}
    for start in range(0, len(models), _SESSIONS):
        few = [[index, str(path)] for index, path in models[start : start + _SESSIONS]]
        for index, found in _run_few({"backend": backend, "models": few}).items():
            kernels[int(index)] = found if isinstance(found, str) else tuple(found)
    return kernels


def _run_few(order: Mapping[str, object]) -> dict[str, list[str] | str]:
    done = subprocess.run(
        (sys.executable, "-m", "tests.support.one_op"),
        input=json.dumps(order),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=_DEADLINE_S,
        check=True,
    )
    answer: dict[str, list[str] | str] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _cut(content: bytes, model: Any, index: int) -> bytes:  # noqa: ANN401 (schema.ModelT: generated, without types)
    """The operator with those that only unpack its weights."""
    cutter = _Cutter(content, model)
    for unpacking in cutter.unpacking_for(model.subgraphs[0].operators[index]):
        cutter.take(unpacking)
    cutter.take(model.subgraphs[0].operators[index])
    return cutter.finish(model.subgraphs[0].operators[index])


class _Cutter:
    """A small model that grows operator by operator out of a large one."""

    def __init__(self, content: bytes, model: Any) -> None:  # noqa: ANN401
        self.content = content
        self.model = model
        self.source = model.subgraphs[0]
        self.writer = ModelWriter()
        self.graph = self.writer.graph()
        self.makers = {int(t): operator for operator in self.source.operators for t in operator.outputs}
        self.made: dict[int, int] = {}
        self.produced: set[int] = set()

    def constant(self, tensor: int) -> bytes | None:
        """A tensor's stored bytes, None where it is computed.

        ai-edge-quantizer keeps large buffers behind the flatbuffer, where only offset and size tell of them.
        """
        buffer = self.model.buffers[self.source.tensors[tensor].buffer]
        if buffer.data is not None and len(buffer.data):
            return bytes(buffer.data)
        return self.content[buffer.offset : buffer.offset + buffer.size] if buffer.size else None

    def unpacking_for(self, operator: Any) -> list[Any]:  # noqa: ANN401
        """Operators that turn constants into this operator's inputs, in order."""
        found: list[Any] = []
        for tensor in operator.inputs:
            maker = self.makers.get(int(tensor))
            if maker is not None and self.only_unpacks(maker):
                found += [*self.unpacking_for(maker), maker]
        return found

    def only_unpacks(self, operator: Any) -> bool:  # noqa: ANN401
        """Whether this is a DEQUANTIZE or DENSIFY of constants, or of what such a one made of them."""
        made_here = (self.makers.get(int(t)) for t in operator.inputs if self.constant(int(t)) is None)
        return self.name(operator) in _UNPACKED_AT_LOAD and all(
            maker is not None and self.only_unpacks(maker) for maker in made_here
        )

    def name(self, operator: Any) -> str:  # noqa: ANN401
        code = self.model.operatorCodes[operator.opcodeIndex]
        return str(_CODES[max(code.builtinCode, code.deprecatedBuiltinCode)])

    def take(self, operator: Any) -> None:  # noqa: ANN401
        """Append an operator with its tensors. What nothing here produces becomes an input of the graph."""
        code, name = self.model.operatorCodes[operator.opcodeIndex], self.name(operator)
        custom = code.customCode.decode() if name == "CUSTOM" else None
        taken = copy.copy(operator)
        taken.opcodeIndex = self.writer.operator_code(custom or name, code.version, custom is not None)
        taken.inputs = [self._tensor(int(t)) for t in operator.inputs]
        self.produced |= {int(t) for t in operator.outputs}
        taken.outputs = [self._tensor(int(t)) for t in operator.outputs]
        self.graph.table.operators.append(taken)

    def _tensor(self, index: int) -> int:
        if index < 0:
            return index
        if index not in self.made:
            tensor = copy.copy(self.source.tensors[index])
            tensor.buffer = 0
            stored = self.constant(index)
            if stored is not None:
                tensor.buffer = self.writer.buffer(stored)
            elif index not in self.produced:
                self.graph.table.inputs.append(len(self.graph.table.tensors))
            self.made[index] = len(self.graph.table.tensors)
            self.graph.table.tensors.append(tensor)
        return self.made[index]

    def finish(self, operator: Any) -> bytes:  # noqa: ANN401
        """The model's bytes, with the operator's outputs as its own."""
        self.graph.table.outputs.extend(self.made[int(t)] for t in operator.outputs)
        inputs = {f"in_{i}": self._named(i) for i in self.graph.table.inputs}
        outputs = {f"out_{i}": self._named(i) for i in self.graph.table.outputs}
        self.writer.signature(self.graph, inputs, outputs, "serving_default")
        return self.writer.pack()

    def _named(self, index: int) -> Tensor:
        return Tensor(index=index, shape=(), dtype="")


def _main() -> None:
    """Run the models named on standard input; the last line of standard output has their kernels."""
    from devices.agent.litert import Library, LiteRtError
    from devices.agent.session import Session

    order = json.load(sys.stdin)
    library = Library(*_installed_library())
    unit = {"kind": "cpu", "backend": order["backend"], "threads": 1}
    kernels: dict[int, list[str] | str] = {}
    for index, path in order["models"]:
        try:
            kernels[index] = _kernels(Session(library, path, unit, profiling=True))
        except LiteRtError as refusal:
            kernels[index] = str(refusal)
    print(json.dumps(kernels))


def _kernels(session: Any) -> list[str]:  # noqa: ANN401 (the agent's session; its module is loaded late)
    """Tags of one inference; the first, which allocates, is left out."""
    session.feed([], 0)
    infer = session.inference()
    infer()
    session.start_profiler()
    infer()
    kinds = (OPERATOR, DELEGATED, DELEGATE_OPERATOR)
    return [tag for tag, kind, *_ in session.stop_profiler() if kind in kinds]


def _installed_library() -> tuple[str, str]:
    from importlib import metadata, util

    package = util.find_spec("ai_edge_litert")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("ai-edge-litert is not installed")
    folder = Path(package.submodule_search_locations[0])
    return str(next(folder.glob("libLiteRt.*"))), metadata.version("ai-edge-litert")


if __name__ == "__main__":
    _main()
