"""Runs a .tflite on this host as a reference, by LiteRT's Interpreter with its default kernels on one thread.

This is about what a model computes, not how fast. A broken model can end the process here: it is called from
processes that may end.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import ModelUnreadable
from harness.core.model import TensorSpec
from harness.core.units import Seconds
from harness.fidelity.array import Array
from harness.fidelity.evaluation import Dataset
from harness.fidelity.inputs import match_inputs
from harness.fidelity.output import Output
from harness.fidelity.quantization import dequantize, to_stored
from harness.fidelity.wording import in_one_line
from harness.sources.signatures import Signature
from harness.sources.tflite import leaves_traces, read_signature

Invoke = Callable[[Sequence[Array]], Sequence[Array]]

REFUSALS = (RuntimeError, ValueError, TypeError, KeyError)
"""What LiteRT's wrapper raises for anything that it refuses."""


def run_on_host(
    path: Path,
    dataset: Dataset,
    signature: str | None = None,
    limit_s: Seconds | None = None,  # noqa: ARG001 (nothing ends an Interpreter but the end of its process)
) -> tuple[Output, ...]:
    """Outputs of every sample, in the model's order, by the signature of that key, by the first without one.

    Samples are independent: what a model remembers is reset between them. Raises ModelUnreadable where LiteRT refuses
    the model or the samples do not fit its inputs.
    """
    chosen = read_signature(path, signature)
    inputs = match_inputs(path, chosen.inputs, dataset)
    try:
        invoke = open_on_host(path, chosen)
        results = [
            invoke([to_stored(values[i], spec) for spec, values in zip(chosen.inputs, inputs, strict=True)])
            for i in range(dataset.samples)
        ]
        return tuple(_output(spec, [result[i] for result in results]) for i, spec in enumerate(chosen.outputs))
    except REFUSALS as exc:
        raise ModelUnreadable(path, f"LiteRT on this host cannot run it: {in_one_line(exc)}") from exc


def _output(spec: TensorSpec, results: Sequence[Array]) -> Output:
    if spec.dtype == "string":
        return Output(name=spec.name, values=None, unlike="holds strings")
    if len({result.shape for result in results}) > 1:
        return Output(name=spec.name, values=None, unlike="has another size for every sample", sized_by_values=True)
    values = np.stack(results)
    if np.iscomplexobj(values):
        values = np.stack([values.real, values.imag], -1)
    sized = results[0].shape != spec.shape
    return Output(name=spec.name, values=dequantize(values, spec), sized_by_values=sized)


def open_on_host(path: Path, signature: Signature) -> Invoke:
    """One inference as a function of stored inputs in the signature's order. Raises REFUSALS, ModelUnreadable."""
    if not leaves_traces(path, signature):
        return _open(path, signature)
    return lambda values: _open(path, signature)(values)


def _open(path: Path, signature: Signature) -> Invoke:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    if signature.graph == 0:
        return _invoke_main(interpreter)
    return _invoke_signature(interpreter.get_signature_runner(signature.key), signature)


def _invoke_main(interpreter: Any) -> Invoke:  # noqa: ANN401 (LiteRT has no types)
    interpreter.allocate_tensors()
    inputs = [detail["index"] for detail in interpreter.get_input_details()]
    outputs = [detail["index"] for detail in interpreter.get_output_details()]

    def invoke(values: Sequence[Array]) -> Sequence[Array]:
        interpreter.reset_all_variables()
        for index, array in zip(inputs, values, strict=True):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return [_read(interpreter, index) for index in outputs]

    return invoke


def _read(interpreter: Any, index: int) -> Array:  # noqa: ANN401 (LiteRT has no types)
    """An output's values. One that came out empty has no memory, and the wrapper refuses to read it."""
    try:
        return np.asarray(interpreter.get_tensor(index))
    except ValueError:
        detail = next(detail for detail in interpreter.get_output_details() if detail["index"] == index)
        if 0 not in detail["shape"]:
            raise
        return np.zeros(detail["shape"], detail["dtype"])


def _invoke_signature(runner: Any, signature: Signature) -> Invoke:  # noqa: ANN401 (LiteRT has no types)
    """A signature over another graph than the first can be run by its names only."""
    names = [spec.name for spec in signature.inputs]

    def invoke(values: Sequence[Array]) -> Sequence[Array]:
        results: Mapping[str, Array] = runner(**dict(zip(names, values, strict=True)))
        return [results[spec.name] for spec in signature.outputs]

    return invoke
