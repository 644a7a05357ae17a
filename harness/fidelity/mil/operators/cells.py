"""One step of recurrent networks, as MIL's formulas have it, and the walk of a step over a sequence.

ONNX's own LSTM and GRU clip the inputs of activations where MIL clips the cell, and know no reset without a bias
inside; a Scan over the formulas has all forms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.fidelity.mil.emitter import Emitter, Operand, Untranslatable
from harness.fidelity.mil.operators.activations import sigmoid

Step = Callable[[Emitter, str, Sequence[str]], Sequence[str]]
"""Adds the nodes of a step to the body: what the input gives to the gates (batch, gates * size) and the states
(batch, size) -> the new states, the first of which is the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """sequence: outputs of all steps (length, batch, size); states: those after the last step."""

    sequence: str
    states: Sequence[str]


def walk(emitter: Emitter, step: Step, given: str, states: Sequence[str], *, backwards: bool, in_order: bool) -> Walked:
    """Scan over given (length, batch, ...). backwards begins at the last; its outputs stand in the order of the steps,
    or with in_order at the places of their inputs."""
    from onnx import TensorProto, helper

    inner = emitter.nested()
    inputs = [f"{given}/state_{index}" for index in range(len(states))] + [f"{given}/now"]
    after = step(inner, inputs[-1], inputs[:-1])
    outputs = [inner.node("Identity", [each]) for each in (*after, after[0])]
    into, out = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names] for names in (inputs, outputs)
    )
    body = helper.make_graph(inner.nodes, "step", into, out)
    directions = {
        "scan_input_directions": [int(backwards)],
        "scan_output_directions": [int(backwards and in_order)],
    }
    *last, sequence = emitter.split(
        "Scan", [*states, given], len(states) + 1, body=body, num_scan_inputs=1, **directions
    )
    return Walked(sequence=sequence, states=last)


def project(emitter: Emitter, x: Operand | str, weight: Operand | str, biases: Sequence[Operand | str | None]) -> str:
    """x @ weight.T + biases."""
    result = emitter.node("MatMul", [x, emitter.node("Transpose", [weight], perm=[1, 0])])
    for bias in biases:
        if bias is not None:
            result = emitter.node("Add", [result, bias])
    return result


def activate(emitter: Emitter, name: str, value: str) -> str:
    """Activations have no parameters here: scaled_tanh is scaled by 1, as coremltools' own tests of lstm have it, and
    hard_sigmoid is 0.2 x + 0.5."""
    kinds = {"tanh": "Tanh", "scaled_tanh": "Tanh", "relu": "Relu", "linear": "Identity"}
    lowered = name.lower()
    if lowered == "sigmoid":
        return sigmoid(emitter, value)
    if lowered in ("hard_sigmoid", "sigmoid_hard"):
        return emitter.node("HardSigmoid", [value], alpha=0.2, beta=0.5)
    if lowered not in kinds:
        raise Untranslatable(f"a recurrent layer with the activation {name}")
    return emitter.node(kinds[lowered], [value])
