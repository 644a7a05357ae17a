"""Writes .tflite graphs from numpy arrays, without TensorFlow.

The files are what TensorFlow's converter would write for the same network: one buffer per constant, fixed shapes,
operator versions as low as the operator's features allow. They load in LiteRT and pass through ai-edge-quantizer.
Operators with their shape rules are in `tflite_ops.py`.
Format: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3, file identifier TFL3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from harness.sources.tflite_strings import pack_strings

Array = NDArray[Any]

_ALIGNMENT = 16  # schema.fbs: Buffer.data is force_align: 16
_NO_BUFFER = 0  # the first buffer is empty and stands for "not a constant"
_LARGEST_FILE = 2**31 - 1  # a flatbuffer's offsets are signed
_FOLLOWS_NOTHING = 1  # schema.fbs: a buffer's offset of 0 or 1 says that nothing lies behind the flatbuffer
_LARGEST_OLD_CODE = 127  # operators above it are only in builtin_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor of a graph under construction. dtype is numpy's name, or `string`."""

    index: int
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Per-tensor affine quantisation: real = scale * (stored - zero_point)."""

    scale: float
    zero_point: int = 0


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer written at a 16-byte boundary, which the generated code does not do."""

    def Pack(self, builder: flatbuffers.Builder) -> int:
        content: bytes = self.data
        builder.StartVector(1, len(content), _ALIGNMENT)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


class ModelWriter:
    """A .tflite file under construction: graphs, each with a signature, over shared buffers and operator codes."""

    def __init__(self, description: str = "weighbridge", schema_version: int = 3) -> None:
        self._model = schema.ModelT(version=schema_version, description=description)
        self._model.buffers = [schema.BufferT()]
        self._model.operatorCodes = []
        self._model.subgraphs = []
        self._model.signatureDefs = []
        self._model.metadata = []
        self._codes: dict[tuple[str, int, bool], int] = {}

    def graph(self, name: str = "main") -> "GraphWriter":
        """A new subgraph; the first one is the main graph."""
        graph = GraphWriter(self, len(self._model.subgraphs), name)
        self._model.subgraphs.append(graph.table)
        return graph

    def operator_code(self, name: str, version: int, custom: bool) -> int:
        """Index of an operator code, added at first use."""
        key = (name, version, custom)
        if key not in self._codes:
            code = schema.BuiltinOperator.CUSTOM if custom else getattr(schema.BuiltinOperator, name)
            self._model.operatorCodes.append(
                schema.OperatorCodeT(
                    builtinCode=code,
                    deprecatedBuiltinCode=min(code, _LARGEST_OLD_CODE),
                    customCode=name if custom else None,
                    version=version,
                )
            )
            self._codes[key] = len(self._codes)
        return self._codes[key]

    def buffer(self, content: bytes) -> int:
        """Index of a new buffer that holds content."""
        self._model.buffers.append(_AlignedBuffer(data=content))
        return len(self._model.buffers) - 1

    def signature(
        self, graph: "GraphWriter", inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor], key: str
    ) -> None:
        """Name the inputs and outputs of a graph for callers."""
        self._model.signatureDefs.append(
            schema.SignatureDefT(
                inputs=[schema.TensorMapT(name=name, tensorIndex=t.index) for name, t in inputs.items()],
                outputs=[schema.TensorMapT(name=name, tensorIndex=t.index) for name, t in outputs.items()],
                signatureKey=key,
                subgraphIndex=graph.index,
            )
        )

    def pack(self) -> bytes:
        """The file's bytes; the same graph gives the same bytes."""
        return pack(self._model)


def unpack(content: bytes) -> Any:  # noqa: ANN401 (schema.ModelT: the generated code has no types)
    """A file in the schema's object form (`schema.ModelT`), for `pack`.

    What large files and those of ai-edge-quantizer keep behind the flatbuffer is brought inside: constants, and options
    of custom operators. Their offsets would mean other bytes in a file that is packed anew.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    whole = np.frombuffer(content, np.uint8)
    for buffer in model.buffers:
        if buffer.offset > _FOLLOWS_NOTHING:
            buffer.data = whole[buffer.offset : buffer.offset + buffer.size]
            buffer.offset = buffer.size = 0
    for operator in (operator for graph in model.subgraphs for operator in graph.operators or ()):
        start, size = operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize
        if start > _FOLLOWS_NOTHING:
            operator.customOptions = whole[start : start + size]
            operator.largeCustomOptionsOffset = operator.largeCustomOptionsSize = 0
    return model


def pack(model: Any) -> bytes:  # noqa: ANN401 (schema.ModelT)
    """Bytes of a model in the schema's object form (`schema.ModelT`), identifier included.

    Raises ValueError where its constants take more than a flatbuffer holds.
    """
    model.buffers = [_aligned(buffer) for buffer in model.buffers]
    constants = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    if constants > _LARGEST_FILE:
        raise ValueError("its constants take more than 2 GiB, and only smaller files can be written")
    builder = flatbuffers.Builder(constants + 64 * len(model.buffers) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _aligned(buffer: Any) -> Any:  # noqa: ANN401 (schema.BufferT)
    if buffer.data is None or isinstance(buffer, _AlignedBuffer):
        return buffer
    return _AlignedBuffer(data=bytes(buffer.data))


class GraphWriter:
    """One subgraph under construction. Tensor names are made unique by the caller."""

    def __init__(self, model: ModelWriter, index: int, name: str) -> None:
        self.model = model
        self.index = index
        self.table = schema.SubGraphT(tensors=[], inputs=[], outputs=[], operators=[], name=name)

    def input(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        signature_shape: Sequence[int] | None = None,
        quantization: Quantization | None = None,
    ) -> Tensor:
        """A graph input. signature_shape has -1 where the shape was open in the source framework."""
        tensor = self.tensor(name, shape, dtype, quantization=quantization)
        if signature_shape is not None:
            self.table.tensors[tensor.index].shapeSignature = list(signature_shape)
        self.table.inputs.append(tensor.index)
        return tensor

    def output(self, *tensors: Tensor) -> None:
        """Mark tensors as outputs of the graph, in this order."""
        self.table.outputs.extend(tensor.index for tensor in tensors)

    def constant(self, name: str, values: Array, *, quantization: Quantization | None = None) -> Tensor:
        """A constant tensor of the array's shape and dtype."""
        buffer = self.model.buffer(np.ascontiguousarray(values).tobytes())
        return self.tensor(name, values.shape, values.dtype.name, buffer=buffer, quantization=quantization)

    def variable(self, name: str, shape: Sequence[int], dtype: str = "float32") -> Tensor:
        """A tensor that keeps its values from one inference to the next, such as the state of an LSTM."""
        tensor = self.tensor(name, shape, dtype)
        self.table.tensors[tensor.index].isVariable = True
        return tensor

    def constant_strings(self, name: str, values: Sequence[bytes], shape: Sequence[int]) -> Tensor:
        """A constant tensor of strings, in C order."""
        return self.tensor(name, shape, "string", buffer=self.model.buffer(pack_strings(values)))

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        buffer: int = _NO_BUFFER,
        quantization: Quantization | None = None,
    ) -> Tensor:
        """A tensor of the graph; without a buffer it is filled at run time."""
        parameters = schema.QuantizationParametersT()
        if quantization is not None:
            parameters.scale = np.array([quantization.scale], np.float32)
            parameters.zeroPoint = np.array([quantization.zero_point], np.int64)
        self.table.tensors.append(
            schema.TensorT(
                shape=np.array(shape, np.int32),
                type=getattr(schema.TensorType, dtype.upper()),
                buffer=buffer,
                name=name,
                quantization=parameters,
                hasRank=True,
            )
        )
        return Tensor(index=len(self.table.tensors) - 1, shape=tuple(int(d) for d in shape), dtype=dtype)

    def op(
        self,
        code: str,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[Tensor],
        *,
        options: Any = None,  # noqa: ANN401 (one of a hundred generated classes)
        version: int = 1,
        custom: bool = False,
    ) -> None:
        """Append an operator.

        code is the schema's BuiltinOperator name (`CONV_2D`), or with custom the operator's own name.
        An absent optional input is None. options is an object of the schema, such as `schema.Conv2DOptionsT`.
        """
        kind = 0
        if options is not None:
            kind = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.table.operators.append(
            schema.OperatorT(
                opcodeIndex=self.model.operator_code(code, version, custom),
                inputs=np.array([-1 if tensor is None else tensor.index for tensor in inputs], np.int32),
                outputs=np.array([tensor.index for tensor in outputs], np.int32),
                builtinOptionsType=kind,
                builtinOptions=options,
            )
        )
