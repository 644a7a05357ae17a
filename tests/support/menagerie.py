"""One model with every operator that XNNPACK's delegate takes, in the forms it treats differently.

Made to be cut up: what each operator runs as alone is what the mapping's table of kernels has to say.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import Array, ModelWriter, Quantization, Tensor

_SAME_SHAPE: Mapping[str, object] = {
    **dict.fromkeys(
        ("ABS", "NEG", "SQUARE", "SQRT", "RSQRT", "EXP", "LOG", "CEIL", "FLOOR", "ROUND", "TANH", "LOGISTIC")
    ),
    **dict.fromkeys(("ELU", "HARD_SWISH", "RELU", "RELU6", "RELU_N1_TO_1", "SIN", "COS")),
    "GELU": schema.GeluOptionsT(approximate=False),
    "GELU approximate": schema.GeluOptionsT(approximate=True),
    "LEAKY_RELU": schema.LeakyReluOptionsT(alpha=0.1),
    "SOFTMAX": schema.SoftmaxOptionsT(beta=1.0),
}
_TWO_SIDED = {
    "ADD": schema.AddOptionsT,
    "SUB": schema.SubOptionsT,
    "MUL": schema.MulOptionsT,
    "DIV": schema.DivOptionsT,
    "MAXIMUM": schema.MaximumMinimumOptionsT,
    "MINIMUM": schema.MaximumMinimumOptionsT,
    "SQUARED_DIFFERENCE": schema.SquaredDifferenceOptionsT,
}
_WITH_ACTIVATION = ("ADD", "SUB", "MUL", "DIV")
_RELU = schema.ActivationFunctionType.RELU


class Menagerie:
    """The model under construction; operators are named after what is particular about them."""

    def __init__(self) -> None:
        self.writer = ModelWriter()
        self.graph = self.writer.graph()
        self.rng = np.random.default_rng(0)
        self.image = self.graph.input("image", (1, 16, 16, 16))
        self.other = self.graph.input("other", (1, 16, 16, 16))
        self.rows = self.graph.input("rows", (2, 8, 16))
        self.columns = self.graph.input("columns", (2, 16, 8))
        self.quantised = self.graph.input("quantised", (1, 16, 16, 16), "int8", quantization=Quantization(scale=0.05))
        self.count = 0

    def weights(self, *shape: int) -> Array:
        return self.rng.normal(size=shape).astype(np.float32)

    def integers(self, *values: int) -> Tensor:
        return self.constant(np.array(values, np.int32))

    def constant(self, values: Array) -> Tensor:
        self.count += 1
        return self.graph.constant(f"constant_{self.count}", values)

    def name(self, what: str) -> str:
        self.count += 1
        return f"{what} {self.count}"

    def op(
        self,
        code: str,
        inputs: Sequence[Tensor | None],
        shape: Sequence[int],
        options: object = None,
        *,
        version: int = 1,
        dtype: str = "float32",
        quantization: Quantization | None = None,
    ) -> Tensor:
        out = self.graph.tensor(self.name(code), shape, dtype, quantization=quantization)
        self.graph.op(code, inputs, (out,), options=options, version=version)
        return out


def menagerie() -> bytes:
    """The model's bytes. Every operator's result is an output, so that nothing is merged."""
    made = Menagerie()
    for fill in (_elementwise, _layers, _products, _shapes, _windows, _quantised):
        fill(made)
    table = made.graph.table
    table.outputs.extend(int(t) for operator in table.operators for t in operator.outputs)
    inputs = {f"in_{i}": Tensor(index=i, shape=(), dtype="") for i in table.inputs}
    outputs = {f"out_{i}": Tensor(index=i, shape=(), dtype="") for i in table.outputs}
    made.writer.signature(made.graph, inputs, outputs, "serving_default")
    return made.writer.pack()


def _elementwise(made: Menagerie) -> None:
    x, y = made.image, made.other
    for name, options in _SAME_SHAPE.items():
        made.op(name.split()[0], (x,), x.shape, options)
    for code, options_of in _TWO_SIDED.items():
        made.op(code, (x, y), x.shape, options_of())
        made.op(code, (x, made.constant(made.weights(16))), x.shape, options_of())
        made.op(code, (x, made.constant(np.array([0.5], np.float32))), x.shape, options_of())
        made.op(code, (x, x), x.shape, options_of())
    for code in _WITH_ACTIVATION:
        made.op(code, (x, y), x.shape, _TWO_SIDED[code](fusedActivationFunction=_RELU))
    made.op("PRELU", (x, made.constant(made.weights(1, 1, 16))), x.shape)


def _layers(made: Menagerie) -> None:
    graph, x = made.graph, made.image
    for activation in ("NONE", "RELU", "RELU6"):
        for size in (1, 3):
            for stride in (1, 2):
                ops.conv_2d(
                    graph,
                    x,
                    made.weights(8, size, size, 16),
                    made.weights(8),
                    name=made.name("conv"),
                    stride=stride,
                    activation=activation,
                )
        for size, channels in ((3, 16), (5, 16), (7, 16), (3, 32)):
            name = made.name("depthwise")
            filters, bias = made.weights(1, size, size, channels), made.weights(channels)
            ops.depthwise_conv_2d(graph, x, filters, bias, name=name, activation=activation)
    for size in (2, 3, 4):
        ops.transpose_conv(graph, x, made.weights(8, size, size, 16), name=made.name("transposed"))


def _products(made: Menagerie) -> None:
    graph, rows, columns = made.graph, made.rows, made.columns
    for bias in (made.weights(8), None):
        ops.fully_connected(graph, rows, made.weights(8, 16), bias, name=made.name("dense"))
    kept = schema.FullyConnectedOptionsT(keepNumDims=True)
    made.op(
        "FULLY_CONNECTED",
        (rows, made.constant(made.weights(8, 16)), made.constant(made.weights(8))),
        (2, 8, 8),
        kept,
        version=5,
    )
    for left, right in ((rows, columns), (rows, rows), (columns, columns), (columns, rows)):
        turned = schema.BatchMatMulOptionsT(adjX=left is columns, adjY=right is rows)
        made.op("BATCH_MATMUL", (left, right), (2, 8, 8), turned)
        made.op("BATCH_MATMUL", (left, made.constant(made.weights(*right.shape))), (2, 8, 8), turned)


def _shapes(made: Menagerie) -> None:
    graph, x = made.graph, made.image
    ops.reshape(graph, x, (1, 256, 16), name=made.name("reshape"))
    ops.transpose(graph, x, (0, 3, 1, 2), name=made.name("transpose"))
    ops.transpose(graph, x, (0, 1, 2, 3), name=made.name("transpose"))
    ops.pad(graph, x, ((0, 0), (1, 1), (1, 1), (0, 0)), name=made.name("pad"))
    for parts in (2, 3, 4):
        ops.concatenation(graph, (x,) * parts, 3, name=made.name("concatenation"))
    halves = [graph.tensor(made.name("split"), (1, 16, 16, 8)) for _ in range(2)]
    graph.op("SPLIT", (made.constant(np.array(3, np.int32)), x), halves, options=schema.SplitOptionsT(numSplits=2))
    made.op("SLICE", (x, made.integers(0, 2, 2, 0), made.integers(1, 4, 4, 16)), (1, 4, 4, 16))
    cut = (x, made.integers(0, 2, 2, 0), made.integers(1, 6, 6, 16), made.integers(1, 1, 1, 1))
    made.op("STRIDED_SLICE", cut, (1, 4, 4, 16), schema.StridedSliceOptionsT())
    made.op("DEPTH_TO_SPACE", (x,), (1, 32, 32, 4), schema.DepthToSpaceOptionsT(blockSize=2))
    made.op("SPACE_TO_DEPTH", (x,), (1, 8, 8, 64), schema.SpaceToDepthOptionsT(blockSize=2))


def _windows(made: Menagerie) -> None:
    graph, x = made.graph, made.image
    for pool in (ops.average_pool_2d, ops.max_pool_2d):
        pool(graph, x, name=made.name("pool"))
        pool(graph, x, name=made.name("pool"), size=3, stride=1, padding="SAME")
        pool(graph, x, name=made.name("pool"), size=1, stride=1)
    ops.resize_bilinear(graph, x, (32, 32), name=made.name("resize"))
    for kept in (False, True):
        for code in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
            shape = (1, 1, 1, 16) if kept else (1, 16)
            made.op(code, (x, made.integers(1, 2)), shape, schema.ReducerOptionsT(keepDims=kept))


def _quantised(made: Menagerie) -> None:
    x, fine = made.quantised, Quantization(scale=1 / 128)
    made.op("QUANTIZE", (made.image,), x.shape, dtype="int8", quantization=fine)
    made.op("DEQUANTIZE", (x,), x.shape, version=2)
    made.op("QUANTIZE", (x,), x.shape, dtype="int8", quantization=fine, version=2)
    made.op("TANH", (x,), x.shape, dtype="int8", quantization=fine, version=2)
    made.op(
        "LOGISTIC", (x,), x.shape, dtype="int8", quantization=Quantization(scale=1 / 256, zero_point=-128), version=2
    )
    for code in ("ADD", "SUB", "MUL"):
        wide = Quantization(scale=0.1)
        made.op(code, (x, x), x.shape, _TWO_SIDED[code](), dtype="int8", quantization=wide, version=2)
