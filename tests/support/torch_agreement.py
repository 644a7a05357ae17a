"""How far the reference of ML Programs is from torch: whole programs at float32, single operations at float16.

End to end a float16 program cannot be held to a bar: one result rounded the other way is seen by all that follow. So
each operation is given what the reference itself had before it, and what it makes of that is compared.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.fidelity.mil.program import declare, is_constant, materialize, read_function
from harness.fidelity.mil.reference import Program
from harness.fidelity.mil.translation import KNOWN
from harness.fidelity.scores import distance
from tests.support.mil_oracle import Case, Result
from tests.support.mil_tflite import run_tflite
from tests.support.torch_oracle import evaluate, operators
from tests.support.torch_packages import SAMPLES, Converted

Array = NDArray[Any]

# A whole program in a program. What stands in its blocks are operators that stand elsewhere too.
NOT_ALONE = frozenset(("while_loop",))
IDENTICAL_DB = 300.0


def end_to_end(network: Converted, precision: str) -> float:
    """The lowest decibels of all outputs against torch at float32, over all samples."""
    return _against_torch(network, Program.load(network.package(precision)).predict)


def end_to_end_by_litert(network: Converted) -> float:
    """The same of the .tflite."""
    content = network.tflite.read_bytes()
    return _against_torch(network, lambda inputs: run_tflite(content, inputs))


def _against_torch(network: Converted, predict: Callable[[Mapping[str, Array]], Mapping[str, Array]]) -> float:
    answers = [predict({key: each[i] for key, each in network.inputs.items()}) for i in range(SAMPLES)]
    names = sorted(answers[0])
    found = [np.stack([answer[name] for answer in answers]).astype(np.float64) for name in names]
    return min(
        decibels(expected.astype(np.float64), given) for expected, given in zip(network.outputs, found, strict=True)
    )


def decibels(expected: Array, given: Array) -> float:
    """IDENTICAL_DB where they are the same."""
    apart = distance(expected, given)
    if apart.not_finite:
        return -np.inf
    return IDENTICAL_DB if apart.snr_db is None else apart.snr_db


def alone(network: Converted) -> list[Result]:
    """What every operation of the float16 program gives for what it reads, against float64 rounded as declared."""
    path = network.package("float16")
    function = read_function(path, None, KNOWN)
    operations = [each for each in function.block.operations if each.op_type != "const"]
    values = [var for operation in operations for var in operation.outputs]
    program = Program.load(path, observe=[var.name for var in values])
    results: list[Result] = []
    for sample in range(SAMPLES):
        given = {key: each[sample] for key, each in network.inputs.items()}
        found = given | program.predict(given)
        results += [result for operation in operations for result in _compare(operation, found)]
    return results


def unchecked(networks: Iterable[Converted]) -> set[str]:
    """Operators of the float16 programs that the oracle does not have."""
    functions = (read_function(each.package("float16"), None, KNOWN) for each in networks)
    used = {operation.op_type for function in functions for operation in function.block.operations}
    return used - set(operators()) - NOT_ALONE - {"const"}


def _compare(operation: Any, found: Mapping[str, Array]) -> Sequence[Result]:  # noqa: ANN401 (coremltools has no types)
    if operation.op_type in NOT_ALONE:
        return []
    declared = [declare(var) for var in operation.outputs]
    given = {name: _read(var, found) for name, var in operation.inputs.items() if var is not None}
    expected = evaluate(operation.op_type, given, [_closed(each.shape) for each in declared])
    case = Case(op=operation.op_type, inputs={}, build=_never, expect=_never)
    return [
        Result(
            case=case, dtype=each.dtype, actual=found[each.name].astype(np.float64), expected=_round(value, each.dtype)
        )
        for each, value in zip(declared, expected, strict=True)
    ]


def _never(**_: object) -> None:
    raise NotImplementedError


def _closed(shape: Sequence[int | None]) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)


def _read(var: Any, found: Mapping[str, Array]) -> Any:  # noqa: ANN401 (coremltools has no types)
    if isinstance(var, list | tuple):
        return tuple(_read(each, found) for each in var)
    return materialize(var) if is_constant(var) else found[var.name]


def _round(values: Array, dtype: str) -> Array:
    """From float64 by way of float32, as the reference does with every result."""
    if dtype == "fp16":
        return values.astype(np.float32).astype(np.float16).astype(np.float64)
    return values.astype(np.float32).astype(np.float64) if dtype == "fp32" else values.astype(np.float64)
