"""Runs an ML Program on this host as a reference: what it computes by its own semantics, never what a device does.

The program becomes an ONNX graph on onnxruntime's CPU kernels in which each float16 result is rounded as the program
declares it (docs/reference.md). How a Neural Engine or a GPU accumulates is not modelled.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.core.deadline import Deadline
from harness.core.errors import ReferenceUnable
from harness.core.model import TensorSpec
from harness.core.units import Seconds
from harness.fidelity.array import Array
from harness.fidelity.evaluation import Dataset
from harness.fidelity.inputs import match_inputs
from harness.fidelity.mil.program import Function, read_function, refusals
from harness.fidelity.mil.rounding import prove_rounding
from harness.fidelity.mil.session import Limit, Port, Session, limited, open_session, versions
from harness.fidelity.mil.translation import KNOWN, Translation, translate
from harness.fidelity.output import Output
from harness.fidelity.wording import with_kind

_LONGEST_S = 600.0


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
        read the file, ReferenceUnable naming every operator without a translation, or where its operations contradict
        themselves.
        """
        prove_rounding()
        translation = _translated(read_function(path, function, KNOWN), observe)
        return cls(path=path, session=open_session(translation.graph, threads), translation=translation)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes, -1 where a size is open. Images are tensors, as inside the program."""
        return tuple(_specify(port) for port in self.translation.inputs)

    def make_state(self) -> dict[str, Array]:
        """The states before the first prediction: zeros."""
        return {name: _zeros(port) for name, (port, _) in self.translation.states.items()}

    def predict(
        self, inputs: Mapping[str, Array], state: dict[str, Array] | None = None, limit: Limit | None = None
    ) -> dict[str, Array]:
        """Outputs and observed values by name, in the program's own dtypes; a class label is its index.

        inputs are cast to the declared dtypes. state is what `make_state` gave and is changed; without one every
        prediction starts anew; without a limit it may take 600 s. Raises ReferenceUnable where an input is missing,
        where a kernel refuses the values, or where the time is over.
        """
        if limit is None:
            with limited(Deadline(_LONGEST_S)) as limit:
                return self.predict(inputs, state, limit)
        held = self.make_state() if state is None else state
        feeds = {port.name: _cast(self._given(inputs, port), port) for port in self.translation.inputs}
        results = self.session.run(feeds | held, limit)
        held.update({name: results[out.name] for name, (_, out) in self.translation.states.items()})
        return {name: results[port.name] for name, port in self.translation.outputs.items()}

    def _given(self, inputs: Mapping[str, Array], port: Port) -> Array:
        if port.name not in inputs:
            raise ReferenceUnable(f"no values for input {port.name}; given: {', '.join(inputs) or 'none'}")
        return inputs[port.name]


def run_program(
    path: Path, dataset: Dataset, function: str | None = None, limit_s: Seconds = 60.0
) -> tuple[Output, ...]:
    """Outputs of every sample, in the program's order. Samples are independent: each starts with empty states.

    limit_s bounds all predictions together. Raises ModelUnreadable where the file cannot be read or the samples do not
    fit its inputs, ReferenceUnable where this host cannot run it, or not in that time.
    """
    program = Program.load(path, function=function)
    arrays = match_inputs(path, program.inputs, dataset)
    given = {spec.name: values for spec, values in zip(program.inputs, arrays, strict=True)}
    with limited(Deadline(limit_s)) as limit:
        results = [
            program.predict({name: values[i] for name, values in given.items()}, limit=limit)
            for i in range(dataset.samples)
        ]
    outputs = program.translation.outputs
    return tuple(_output(program.translation, name, [result[name] for result in results]) for name in outputs)


def _translated(function: Function, observe: Sequence[str]) -> Translation:
    try:
        return translate(function, observe)
    except refusals() as exc:
        raise ReferenceUnable(f"the reference cannot translate its program: {with_kind(exc)}") from exc


def _output(translation: Translation, name: str, results: Sequence[Array]) -> Output:
    """A label is no number: how far it is from another says nothing. What it was chosen by is compared."""
    if name in translation.labels:
        return Output(name=name, values=None, unlike="is a label")
    if len({result.shape for result in results}) > 1:
        return Output(name=name, values=None, unlike="has another size for every sample", sized_by_values=True)
    return Output(name=name, values=np.stack(results, dtype=np.float64))


def _cast(values: Array, port: Port) -> Array:
    """Raises ReferenceUnable where the values are no numbers."""
    given = np.asarray(values)
    if given.dtype.kind not in "biuf":
        raise ReferenceUnable(f"input {port.name} takes {port.dtype} and was given {given.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        return given.astype(port.dtype, copy=False)


def _zeros(port: Port) -> Array:
    return np.zeros([size or 0 for size in port.shape or ()], port.dtype)


def _specify(port: Port) -> TensorSpec:
    shape = tuple(-1 if size is None else size for size in port.shape or ())
    return TensorSpec(name=port.name, shape=shape, dtype=port.dtype)
