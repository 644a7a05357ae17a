"""Feeds the inputs of a Python interpreter."""

from __future__ import annotations

from . import inputs, strings
from .litert import LiteRtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .signatures import Signature

_ELEMENT_TYPES = {
    "float16": inputs.FLOAT16,
    "float32": inputs.FLOAT32,
    "float64": inputs.FLOAT64,
    "int8": inputs.INT8,
    "int16": inputs.INT16,
    "int32": inputs.INT32,
    "int64": inputs.INT64,
    "uint8": inputs.UINT8,
    "uint16": inputs.UINT16,
    "uint32": inputs.UINT32,
    "uint64": inputs.UINT64,
    "bool": inputs.BOOL,
    "bool_": inputs.BOOL,
    "bytes_": inputs.STRING,
    "string_": inputs.STRING,
}


def feed(module: Any, interpreter: Any, signature: Signature, files: list[str], seed: int) -> None:  # noqa: ANN401
    """Fill the inputs of a signature from raw files in order, or from the seed where there are none.

    Raises LiteRtError, OSError, and what the interpreter raises.
    """
    if files and len(files) != len(signature.inputs):
        raise LiteRtError("{} input files for a model with {} inputs".format(len(files), len(signature.inputs)))
    for place, index in enumerate(signature.inputs):
        detail = interpreter._get_tensor_details(index, signature.graph)
        array = _array(module.np, detail, place, files, seed)
        interpreter._interpreter.SetTensor(index, array, signature.graph)


def _array(numpy: Any, detail: dict[str, Any], place: int, files: list[str], seed: int) -> object:  # noqa: ANN401
    """What one input is fed, in its own type and shape."""
    shape = [int(length) for length in detail["shape"]]
    count = 1
    for length in shape:
        count *= length
    if count == 0 and -1 in list(detail.get("shape_signature", ())):
        raise LiteRtError("input {} has the shape {}: fix it when converting".format(place, shape))
    kind = _ELEMENT_TYPES.get(detail["dtype"].__name__)
    if kind is None:
        raise LiteRtError("input {} holds {}, which LiteRT cannot be fed here".format(place, detail["dtype"]))
    if kind == inputs.STRING:
        words = strings.content(files, place, count, seed)
        array = numpy.empty(count, dtype=object)
        array[:] = words
        return array.reshape(shape)
    size = count * numpy.dtype(detail["dtype"]).itemsize
    return numpy.frombuffer(inputs.content(files, place, kind, size, seed), dtype=detail["dtype"]).reshape(shape)
