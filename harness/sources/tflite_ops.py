"""Operators for the .tflite writer: each appends one operator to a graph and returns its output tensor.

Shapes are NHWC. Weights are laid out as TFLite has them: convolution (out, height, width, in), depthwise
(1, height, width, channels), fully connected (out, in). Operator versions are those of TensorFlow's converter
(tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc) for float32.
"""

from collections.abc import Sequence
from math import ceil, prod

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources.tflite_writer import Array, GraphWriter, Tensor

Pair = tuple[int, int]
Shape = tuple[int, ...]


def conv_2d(
    graph: GraphWriter,
    x: Tensor,
    weights: Array,
    bias: Array,
    *,
    name: str,
    stride: int = 1,
    padding: str = "SAME",
    activation: str = "NONE",
) -> Tensor:
    """Convolution with a fused activation (`NONE`, `RELU`, `RELU6`)."""
    channels, height, width, _ = weights.shape
    shape = (x.shape[0], *_window(x, (height, width), stride, padding), channels)
    options = schema.Conv2DOptionsT(
        padding=_padding(padding), strideW=stride, strideH=stride, fusedActivationFunction=_activation(activation)
    )
    return _convolve(graph, "CONV_2D", (x, weights, bias), shape, options, name)


def depthwise_conv_2d(
    graph: GraphWriter,
    x: Tensor,
    weights: Array,
    bias: Array,
    *,
    name: str,
    stride: int = 1,
    padding: str = "SAME",
    activation: str = "NONE",
) -> Tensor:
    """Depthwise convolution, one filter a channel."""
    _, height, width, channels = weights.shape
    shape = (x.shape[0], *_window(x, (height, width), stride, padding), channels)
    options = schema.DepthwiseConv2DOptionsT(
        padding=_padding(padding),
        strideW=stride,
        strideH=stride,
        depthMultiplier=channels // x.shape[3],
        fusedActivationFunction=_activation(activation),
    )
    return _convolve(graph, "DEPTHWISE_CONV_2D", (x, weights, bias), shape, options, name)


def _convolve(
    graph: GraphWriter, code: str, operands: tuple[Tensor, Array, Array], shape: Shape, options: object, name: str
) -> Tensor:
    """Append a convolution of (x, weights, bias) that yields the given shape."""
    x, weights, bias = operands
    out = graph.tensor(name, shape, x.dtype)
    inputs = (x, graph.constant(f"{name}/weights", weights), graph.constant(f"{name}/bias", bias))
    graph.op(code, inputs, (out,), options=options)
    return out


def transpose_conv(
    graph: GraphWriter, x: Tensor, weights: Array, *, name: str, stride: int = 2, padding: str = "SAME"
) -> Tensor:
    """Transposed convolution without bias; weights (out, height, width, in)."""
    channels, height, width, _ = weights.shape
    grow = (0, 0) if padding == "SAME" else (max(height - stride, 0), max(width - stride, 0))
    shape = (x.shape[0], x.shape[1] * stride + grow[0], x.shape[2] * stride + grow[1], channels)
    out = graph.tensor(name, shape, x.dtype)
    options = schema.TransposeConvOptionsT(padding=_padding(padding), strideW=stride, strideH=stride)
    sizes = graph.constant(f"{name}/shape", np.array(shape, np.int32))
    graph.op("TRANSPOSE_CONV", (sizes, graph.constant(f"{name}/weights", weights), x), (out,), options=options)
    return out


def fully_connected(
    graph: GraphWriter, x: Tensor, weights: Array, bias: Array | None, *, name: str, activation: str = "NONE"
) -> Tensor:
    """Dense layer over x flattened to (rows, in)."""
    units, width = weights.shape
    out = graph.tensor(name, (prod(x.shape) // width, units), x.dtype)
    options = schema.FullyConnectedOptionsT(fusedActivationFunction=_activation(activation))
    offset = None if bias is None else graph.constant(f"{name}/bias", bias)
    graph.op("FULLY_CONNECTED", (x, graph.constant(f"{name}/weights", weights), offset), (out,), options=options)
    return out


def batch_matmul(graph: GraphWriter, left: Tensor, right: Tensor, *, name: str) -> Tensor:
    """Product of the two innermost dimensions."""
    out = graph.tensor(name, (*left.shape[:-1], right.shape[-1]), left.dtype)
    graph.op("BATCH_MATMUL", (left, right), (out,), options=schema.BatchMatMulOptionsT())
    return out


def add(graph: GraphWriter, left: Tensor, right: Tensor, *, name: str, activation: str = "NONE") -> Tensor:
    """Elementwise sum with broadcasting."""
    options = schema.AddOptionsT(fusedActivationFunction=_activation(activation))
    return _broadcast(graph, "ADD", left, right, name, options)


def mul(graph: GraphWriter, left: Tensor, right: Tensor, *, name: str, activation: str = "NONE") -> Tensor:
    """Elementwise product with broadcasting."""
    options = schema.MulOptionsT(fusedActivationFunction=_activation(activation))
    return _broadcast(graph, "MUL", left, right, name, options)


def unary(graph: GraphWriter, code: str, x: Tensor, *, name: str) -> Tensor:
    """An operator of one input and the same shape: RELU, RELU6, LOGISTIC, TANH, HARD_SWISH, FLOOR, ABS."""
    out = graph.tensor(name, x.shape, x.dtype)
    graph.op(code, (x,), (out,))
    return out


def softmax(graph: GraphWriter, x: Tensor, *, name: str) -> Tensor:
    """Softmax over the last dimension."""
    out = graph.tensor(name, x.shape, x.dtype)
    graph.op("SOFTMAX", (x,), (out,), options=schema.SoftmaxOptionsT(beta=1.0))
    return out


def average_pool_2d(
    graph: GraphWriter, x: Tensor, *, name: str, size: int = 2, stride: int = 2, padding: str = "VALID"
) -> Tensor:
    """Mean over square windows."""
    return _pool(graph, "AVERAGE_POOL_2D", x, name, size, stride, padding)


def max_pool_2d(
    graph: GraphWriter, x: Tensor, *, name: str, size: int = 2, stride: int = 2, padding: str = "VALID"
) -> Tensor:
    """Maximum over square windows."""
    return _pool(graph, "MAX_POOL_2D", x, name, size, stride, padding)


def mean(graph: GraphWriter, x: Tensor, axes: Sequence[int], *, name: str, keep: bool = False) -> Tensor:
    """Mean over axes; keep leaves them with size 1."""
    dropped = set(axes)
    kept = (1 if i in dropped else d for i, d in enumerate(x.shape) if keep or i not in dropped)
    out = graph.tensor(name, tuple(kept), x.dtype)
    where = graph.constant(f"{name}/axes", np.array(axes, np.int32))
    graph.op("MEAN", (x, where), (out,), options=schema.ReducerOptionsT(keepDims=keep))
    return out


def reshape(graph: GraphWriter, x: Tensor, shape: Sequence[int], *, name: str) -> Tensor:
    """The same elements in another shape, all sizes given."""
    out = graph.tensor(name, tuple(shape), x.dtype)
    sizes = np.array(shape, np.int32)
    options = schema.ReshapeOptionsT(newShape=sizes)
    graph.op("RESHAPE", (x, graph.constant(f"{name}/shape", sizes)), (out,), options=options)
    return out


def transpose(graph: GraphWriter, x: Tensor, order: Sequence[int], *, name: str) -> Tensor:
    """Dimensions in another order."""
    out = graph.tensor(name, tuple(x.shape[i] for i in order), x.dtype)
    graph.op("TRANSPOSE", (x, graph.constant(f"{name}/order", np.array(order, np.int32))), (out,))
    return out


def concatenation(graph: GraphWriter, parts: Sequence[Tensor], axis: int, *, name: str) -> Tensor:
    """Parts joined along axis (counted from the front)."""
    first = parts[0]
    shape = tuple(sum(p.shape[axis] for p in parts) if i == axis else d for i, d in enumerate(first.shape))
    out = graph.tensor(name, shape, first.dtype)
    graph.op("CONCATENATION", parts, (out,), options=schema.ConcatenationOptionsT(axis=axis))
    return out


def pad(graph: GraphWriter, x: Tensor, amounts: Sequence[Pair], *, name: str) -> Tensor:
    """Zeros before and after each dimension."""
    shape = tuple(before + d + after for d, (before, after) in zip(x.shape, amounts, strict=True))
    out = graph.tensor(name, shape, x.dtype)
    graph.op("PAD", (x, graph.constant(f"{name}/amounts", np.array(amounts, np.int32))), (out,))
    return out


def resize_bilinear(graph: GraphWriter, x: Tensor, size: Pair, *, name: str) -> Tensor:
    """Bilinear resize with half-pixel centres (operator version 3)."""
    out = graph.tensor(name, (x.shape[0], *size, x.shape[3]), x.dtype)
    options = schema.ResizeBilinearOptionsT(halfPixelCenters=True)
    sizes = graph.constant(f"{name}/size", np.array(size, np.int32))
    graph.op("RESIZE_BILINEAR", (x, sizes), (out,), options=options, version=3)
    return out


def _pool(graph: GraphWriter, code: str, x: Tensor, name: str, size: int, stride: int, padding: str) -> Tensor:
    shape = (x.shape[0], *_window(x, (size, size), stride, padding), x.shape[3])
    out = graph.tensor(name, shape, x.dtype)
    options = schema.Pool2DOptionsT(
        padding=_padding(padding), strideW=stride, strideH=stride, filterWidth=size, filterHeight=size
    )
    graph.op(code, (x,), (out,), options=options)
    return out


def _broadcast(graph: GraphWriter, code: str, left: Tensor, right: Tensor, name: str, options: object) -> Tensor:
    out = graph.tensor(name, np.broadcast_shapes(left.shape, right.shape), left.dtype)
    graph.op(code, (left, right), (out,), options=options)
    return out


def _window(x: Tensor, size: Pair, stride: int, padding: str) -> Pair:
    """Output height and width of a sliding window."""
    if padding == "SAME":
        return ceil(x.shape[1] / stride), ceil(x.shape[2] / stride)
    return (x.shape[1] - size[0]) // stride + 1, (x.shape[2] - size[1]) // stride + 1


def _padding(name: str) -> int:
    return int(getattr(schema.Padding, name))


def _activation(name: str) -> int:
    return int(getattr(schema.ActivationFunctionType, name))
