"""An ONNX graph on onnxruntime's CPU kernels: the same answers for the same inputs, on as many threads as asked."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core.deadline import Deadline
from harness.core.errors import ReferenceUnable
from harness.fidelity.array import Array
from harness.fidelity.mil.emitter import OPSET, Emitter
from harness.fidelity.wording import in_one_line

_IR_VERSION = 10
_INLINE = 256  # elements up to which a constant stands in the graph; protobuf ends at 2 GB
_NOTHING = 4  # of severities: what onnxruntime refuses is raised, and need not stand on standard error too


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of a graph. dtype is numpy's name; shape has None where it is open, or is not said."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """A whole graph: the emitter's nodes and constants, and what goes in and out."""

    emitter: Emitter
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limit:
    """options are onnxruntime's of a run that is told to end when the deadline passes."""

    deadline: Deadline
    options: Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """An opened graph. constants are the arrays that onnxruntime reads in place."""

    native: Any
    outputs: tuple[str, ...]
    constants: Sequence[Any]

    def run(self, feeds: Mapping[str, Array], limit: Limit) -> dict[str, Array]:
        """Outputs by name. Raises ReferenceUnable where a kernel refuses the values, or the limit's deadline passes:
        the run then ends before its next node."""
        try:
            results = self.native.run(list(self.outputs), dict(feeds), limit.options)
        except _refusals() as exc:
            if limit.deadline.expired:
                raise ReferenceUnable(f"the reference did not end within {limit.deadline.seconds:g} s") from exc
            raise ReferenceUnable(f"onnxruntime cannot run it: {in_one_line(exc)}") from exc
        return dict(zip(self.outputs, results, strict=True))


@contextmanager
def limited(deadline: Deadline) -> Iterator[Limit]:
    """What runs, one after the other, are ended by. It costs a thread, which is more than a small run."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = _NOTHING
    timer = threading.Timer(deadline.remaining, setattr, (options, "terminate", True))
    timer.start()
    try:
        yield Limit(deadline=deadline, options=options)
    finally:
        timer.cancel()


def versions() -> str:
    """`onnxruntime 1.31.1`."""
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


def open_session(graph: Graph, threads: int) -> Session:
    """Optimise and open a graph. Raises ReferenceUnable where onnxruntime refuses it."""
    import onnxruntime

    read = _names_read(graph.emitter.nodes)
    constants = {name: array for name, array in graph.emitter.constants.items() if name in read}
    outside = {name: array for name, array in constants.items() if array.size > _INLINE}
    options = _options(threads)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in outside.values()]
    options.add_external_initializers(list(outside), values)
    try:
        native = onnxruntime.InferenceSession(_serialize(graph, constants), options, providers=["CPUExecutionProvider"])
    except _refusals() as exc:
        raise ReferenceUnable(f"onnxruntime cannot run its translation: {in_one_line(exc)}") from exc
    return Session(native=native, outputs=tuple(port.name for port in graph.outputs), constants=values)


def _options(threads: int) -> Any:  # noqa: ANN401 (onnxruntime has no types)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _NOTHING
    options.use_deterministic_compute = True
    return options


def _refusals() -> tuple[type[Exception], ...]:
    """What onnxruntime raises for a graph or values that it refuses."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
        state.EPFail,
    )


def _names_read(nodes: Sequence[Any]) -> set[str]:
    """Names that nodes read, those of the graphs inside them too."""
    return {name for node in _walk(nodes) for name in node.input}


def _walk(nodes: Sequence[Any]) -> Iterator[Any]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _walk(attribute.g.node)


def _serialize(graph: Graph, constants: Mapping[str, Array]) -> bytes:
    from onnx import helper

    body = helper.make_graph(
        graph.emitter.nodes,
        "program",
        [_value_info(port) for port in graph.inputs],
        [_value_info(port) for port in graph.outputs],
        [_initializer(name, array) for name, array in constants.items()],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())


def _value_info(port: Port) -> Any:  # noqa: ANN401 (onnx has no types)
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(port.dtype))
    return helper.make_tensor_value_info(port.name, kind, port.shape)


def _initializer(name: str, array: Array) -> Any:  # noqa: ANN401 (onnx has no types)
    from onnx import TensorProto, helper, numpy_helper

    if array.size <= _INLINE:
        return numpy_helper.from_array(array, name)
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = TensorProto(name=name, data_type=kind, dims=array.shape, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="given with the session")
    return tensor
