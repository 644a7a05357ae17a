"""Runs an ML Program on this host as a reference: what it computes by its own semantics, never what a device does.

The program becomes an ONNX graph on onnxruntime's CPU kernels in which each float16 result is rounded as the program
declares it (docs/reference.md). How a Neural Engine or a GPU accumulates is not modelled.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.core.errors import ReferenceUnable
from harness.core.model import TensorSpec
from harness.fidelity.evaluation import Dataset
from harness.fidelity.inputs import match_inputs
from harness.fidelity.mil.emitter import Array
from harness.fidelity.mil.program import read_function
from harness.fidelity.mil.rounding import prove_rounding
from harness.fidelity.mil.session import Port, Session, open_session, versions
from harness.fidelity.mil.translation import KNOWN, Translation, translate
from harness.fidelity.output import Output


def described() -> str:
    """Who answers: `reference (Linux): onnxruntime 1.31.1`."""
    return f"reference ({platform.system()}): {versions()}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """A function of an ML Program that is ready to run. Load it once: that reads and decompresses every weight."""

    path: Path
    session: Session
    translation: Translation

    @classmethod
    def load(
        cls, path: Path, *, function: str | None = None, observe: Sequence[str] = (), threads: int = 1
    ) -> "Program":
        """A function of an `.mlpackage` or `.mlmodel`, the default one without a name.

        observe: names of values inside it that `predict` answers too. Raises ModelUnreadable where coremltools cannot
        read the file, ReferenceUnable naming every operator without a translation.
        """
        prove_rounding()
        translation = translate(read_function(path, function, KNOWN), observe)
        return cls(path=path, session=open_session(translation.graph, threads), translation=translation)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes, -1 where a size is open. Images are tensors, as inside the program."""
        return tuple(_specify(port) for port in self.translation.inputs)

    def make_state(self) -> dict[str, Array]:
        """The states before the first prediction: zeros."""
        return {name: _zeros(port) for name, (port, _) in self.translation.states.items()}

    def predict(self, inputs: Mapping[str, Array], state: dict[str, Array] | None = None) -> dict[str, Array]:
        """Outputs and observed values by name, in the program's own dtypes; a class label is its index.

        inputs are cast to the declared dtypes. state is what `make_state` gave and is changed; without one every
        prediction starts anew. Raises ReferenceUnable where an input is missing or a kernel refuses the values.
        """
        held = self.make_state() if state is None else state
        feeds = {port.name: _cast(self._given(inputs, port), port) for port in self.translation.inputs}
        results = self.session.run(feeds | held)
        held.update({name: results[out.name] for name, (_, out) in self.translation.states.items()})
        return {name: results[port.name] for name, port in self.translation.outputs.items()}

    def _given(self, inputs: Mapping[str, Array], port: Port) -> Array:
        if port.name not in inputs:
            raise ReferenceUnable(f"{self.path}: no values for input {port.name}; given: {', '.join(inputs) or 'none'}")
        return inputs[port.name]


def run_program(path: Path, dataset: Dataset, function: str | None = None) -> tuple[Output, ...]:
    """Outputs of every sample, in the program's order. Samples are independent: each starts with empty states.

    Raises ModelUnreadable where the file cannot be read or the samples do not fit its inputs, ReferenceUnable where
    this host cannot run it.
    """
    program = Program.load(path, function=function)
    arrays = match_inputs(path, program.inputs, dataset)
    names = [spec.name for spec in program.inputs]
    results = [
        program.predict({name: values[i] for name, values in zip(names, arrays, strict=True)})
        for i in range(dataset.samples)
    ]
    return tuple(_output(name, [result[name] for result in results]) for name in program.translation.outputs)


def _output(name: str, results: Sequence[Array]) -> Output:
    if len({result.shape for result in results}) > 1:
        return Output(name=name, values=None, unlike="has another size for every sample", sized_by_values=True)
    return Output(name=name, values=np.stack(results).astype(np.float64))


def _cast(values: Array, port: Port) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(port.dtype, copy=False)


def _zeros(port: Port) -> Array:
    return np.zeros([size or 0 for size in port.shape or ()], port.dtype)


def _specify(port: Port) -> TensorSpec:
    shape = tuple(-1 if size is None else size for size in port.shape or ())
    return TensorSpec(name=port.name, shape=shape, dtype=port.dtype)
