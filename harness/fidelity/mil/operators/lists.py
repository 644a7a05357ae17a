"""Lists of tensors. A list is one tensor in the graph, its first axis the list's; it grows as it is written to."""

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operation, Translate, Untranslatable

_KINDS: dict[str, type[np.generic]] = {
    "fp16": np.float32,
    "fp32": np.float32,
    "int32": np.int64,
    "bool": np.bool_,
}


def _make_list(emitter: Emitter, operation: Operation) -> str:
    """Zeros, until something is written."""
    sizes = [size.constant for size in operation.values("elem_shape")] if "elem_shape" in operation.inputs else []
    if any(isinstance(size, str) or size is None for size in sizes):
        raise Untranslatable("make_list of elements whose shape is not known")
    given = operation.optional("init_length")
    length = emitter.integers([1]) if given is None else emitter.node("Reshape", [given, emitter.integers([1])])
    shape = emitter.node("Concat", [length, emitter.integers(int(size) for size in sizes)], axis=0)
    zero = emitter.constant(0, _KINDS[operation.constant("dtype", "fp32")])
    return emitter.node("Expand", [zero, shape])


def _list_length(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Reshape", [_length(emitter, operation), emitter.integers([])])


def _length(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Shape", [operation["ls"]], end=1)


def _list_read(emitter: Emitter, operation: Operation) -> str:
    index = emitter.node("Reshape", [operation["index"], emitter.integers([])])
    return emitter.node("Gather", [operation["ls"], index], axis=0)


def _list_gather(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Gather", [operation["ls"], operation["indices"]], axis=0)


def _list_write(emitter: Emitter, operation: Operation) -> str:
    value = emitter.node("Unsqueeze", [operation["value"], emitter.integers([0])])
    index = emitter.node("Reshape", [operation["index"], emitter.integers([1])])
    return _write(emitter, operation, index, value)


def _list_scatter(emitter: Emitter, operation: Operation) -> str:
    return _write(emitter, operation, operation["indices"].tensor, operation["value"].tensor)


def _write(emitter: Emitter, operation: Operation, indices: str, values: str) -> str:
    """values (n, *element) at indices (n,); the list grows to hold the largest, by zeros."""
    last = emitter.node("ReduceMax", [indices, emitter.integers([0])], keepdims=1)
    wanted = emitter.node("Add", [last, emitter.integers([1])])
    missing = emitter.node("Sub", [wanted, _length(emitter, operation)])
    more = emitter.node("Max", [missing, emitter.integers([0])])
    pads = emitter.node("Concat", [emitter.integers([0]), more], axis=0)
    grown = emitter.node("Pad", [operation["ls"], pads, None, emitter.integers([0])])
    places = emitter.node("Unsqueeze", [indices, emitter.integers([1])])
    return emitter.node("ScatterND", [grown, places, values])


TRANSLATIONS: dict[str, Translate] = {
    "make_list": _make_list,
    "list_length": _list_length,
    "list_read": _list_read,
    "list_write": _list_write,
    "list_gather": _list_gather,
    "list_scatter": _list_scatter,
}
