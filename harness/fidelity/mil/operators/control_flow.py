"""Branches, loops and choices: cond is an If, while_loop a Loop whose body ends with the loop's own condition."""

from collections.abc import Callable, Sequence
from typing import Any

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate

Enter = Callable[[Any, Emitter, Sequence[Operand]], list[Operand]]
"""Translates a nested block with values for its inputs; its outputs."""


def translate_cond(emitter: Emitter, operation: Operation, enter: Enter) -> list[str]:
    branches = []
    for block in operation.blocks:
        inside = emitter.nested()
        results = enter(block, inside, ())
        branches.append(_graph(inside, [], [_leave(inside, each) for each in results], results))
    then, otherwise = branches
    return emitter.split("If", [operation["pred"]], len(operation.outputs), then_branch=then, else_branch=otherwise)


def translate_while_loop(emitter: Emitter, operation: Operation, enter: Enter) -> list[str]:
    """The condition stands before the loop, for its first turn, and at the end of its body, for the next."""
    condition, body = operation.blocks
    start = operation.values("loop_vars")
    (first,) = enter(condition, emitter, start)
    inside = emitter.nested()
    turn, going = inside.name("turn"), inside.name("going")
    variables = [_renamed(each, inside.name("variable")) for each in start]
    results = enter(body, inside, variables)
    (again,) = enter(condition, inside, results)
    left = [_scalar(inside, again), *(_leave(inside, each) for each in results)]
    graph = _graph(inside, [_integer(turn), _flag(going), *map(_typed, variables)], left, [again, *results])
    return emitter.split("Loop", [None, _scalar(emitter, first), *start], len(operation.outputs), body=graph)


def _renamed(operand: Operand, name: str) -> Operand:
    return Operand(tensor=name, constant=None, dtype=operand.dtype, shape=(None,) * operand.rank)


def _scalar(emitter: Emitter, condition: Operand) -> str:
    """A loop of torch's has a condition of shape (1,)."""
    return emitter.node("Reshape", [condition, emitter.integers(())])


def _leave(inside: Emitter, result: Operand) -> str:
    """A nested graph's output: a node of its own makes it, also where the value came from outside."""
    return inside.node("Identity", [result])


def _graph(inside: Emitter, inputs: list[Any], names: Sequence[str], results: Sequence[Operand]) -> Any:  # noqa: ANN401
    from onnx import helper

    outputs = [
        helper.make_tensor_value_info(name, _kind(each), None) for name, each in zip(names, results, strict=True)
    ]
    return helper.make_graph(inside.nodes, "block", inputs, outputs)


def _typed(operand: Operand) -> Any:  # noqa: ANN401 (onnx has no types)
    from onnx import helper

    return helper.make_tensor_value_info(operand.tensor, _kind(operand), None)


def _integer(name: str) -> Any:  # noqa: ANN401 (onnx has no types)
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.INT64, [])


def _flag(name: str) -> Any:  # noqa: ANN401 (onnx has no types)
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.BOOL, [])


def _kind(operand: Operand) -> int:
    from onnx import TensorProto

    if operand.is_float:
        return int(TensorProto.FLOAT)
    return int(TensorProto.BOOL if operand.dtype == "bool" else TensorProto.INT64)


BLOCKS = {"cond": translate_cond, "while_loop": translate_while_loop}
"""Operators with blocks inside."""


def _select(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Where", [operation["cond"], operation["a"], operation["b"]])


TRANSLATIONS: dict[str, Translate] = {"select": _select}
