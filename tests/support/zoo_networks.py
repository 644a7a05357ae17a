"""Networks of different kinds with seeded weights, as .tflite bytes. Each takes over 1 ms on one core."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import Array, GraphWriter, ModelWriter, Tensor


class Network:
    """A graph under construction whose layers name themselves and draw their own weights."""

    def __init__(self, seed: int) -> None:
        self.writer = ModelWriter()
        self.graph = self.writer.graph()
        self.rng = np.random.default_rng(seed)
        self.count = 0

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}_{self.count}"

    def weights(self, *shape: int) -> Array:
        """He-scaled for a fan-in of all dimensions but the first."""
        return self.rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)

    def bias(self, size: int) -> Array:
        return self.rng.normal(0, 0.1, size).astype(np.float32)

    def constant(self, kind: str, values: object) -> Tensor:
        return self.graph.constant(self.name(kind), np.asarray(values))

    def conv(
        self,
        x: Tensor,
        channels: int,
        size: tuple[int, int] = (3, 3),
        *,
        stride: int = 1,
        activation: str = "NONE",
        padding: str = "SAME",
    ) -> Tensor:
        weights = self.weights(channels, *size, x.shape[3])
        return ops.conv_2d(
            self.graph,
            x,
            weights,
            self.bias(channels),
            name=self.name("conv"),
            stride=stride,
            activation=activation,
            padding=padding,
        )

    def depthwise(self, x: Tensor, size: tuple[int, int] = (3, 3), *, stride: int = 1) -> Tensor:
        weights = self.rng.normal(0, 0.3, (1, *size, x.shape[3])).astype(np.float32)
        return ops.depthwise_conv_2d(
            self.graph,
            x,
            weights,
            self.bias(x.shape[3]),
            name=self.name("depthwise"),
            stride=stride,
            activation="RELU6",
        )

    def dense(self, x: Tensor, units: int, *, activation: str = "NONE") -> Tensor:
        """Over the last dimension; rows are what the others make together."""
        weights = self.weights(units, x.shape[-1])
        name = self.name("dense")
        return ops.fully_connected(self.graph, x, weights, self.bias(units), name=name, activation=activation)

    def add(self, left: Tensor, right: Tensor, *, activation: str = "NONE") -> Tensor:
        return ops.add(self.graph, left, right, name=self.name("add"), activation=activation)

    def mul(self, left: Tensor, right: Tensor) -> Tensor:
        return ops.mul(self.graph, left, right, name=self.name("mul"))

    def unary(self, code: str, x: Tensor) -> Tensor:
        return ops.unary(self.graph, code, x, name=self.name(code.lower()))

    def reshape(self, x: Tensor, *shape: int) -> Tensor:
        return ops.reshape(self.graph, x, shape, name=self.name("reshape"))

    def transpose(self, x: Tensor, *order: int) -> Tensor:
        return ops.transpose(self.graph, x, order, name=self.name("transpose"))

    def op(self, code: str, inputs: tuple[Tensor, ...], shape: tuple[int, ...], options: object = None) -> Tensor:
        """Any other operator, with the shape of its output."""
        out = self.graph.tensor(self.name(code.lower()), shape)
        self.graph.op(code, inputs, (out,), options=options)
        return out

    def classify(self, x: Tensor, classes: int) -> Tensor:
        """Mean over the image, dense layer, softmax."""
        pooled = ops.mean(self.graph, x, (1, 2), name=self.name("mean"))
        return ops.softmax(self.graph, self.dense(pooled, classes), name=self.name("softmax"))

    def finish(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> bytes:
        self.graph.output(*outputs)
        named_inputs = {f"in_{i}": tensor for i, tensor in enumerate(inputs)}
        named_outputs = {f"out_{i}": tensor for i, tensor in enumerate(outputs)}
        self.writer.signature(self.graph, named_inputs, named_outputs, "serving_default")
        return self.writer.pack()


def residual_cnn() -> bytes:
    """Convolution-heavy: padded stem, max pooling, six residual blocks, 10 classes. 0.5 GMAC."""
    net = Network(1)
    image = net.graph.input("image", (1, 64, 64, 3))
    x = ops.pad(net.graph, image, ((0, 0), (3, 3), (3, 3), (0, 0)), name="padded")
    x = net.conv(x, 64, (7, 7), padding="VALID", activation="RELU")
    x = ops.max_pool_2d(net.graph, x, name="pooled")
    for channels, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        short = x if stride == 1 else net.conv(x, channels, (1, 1), stride=stride)
        y = net.conv(net.conv(x, channels, stride=stride, activation="RELU"), channels)
        x = net.add(short, y, activation="RELU")
    return net.finish((image,), (net.classify(x, 10),))


def transformer() -> bytes:
    """Three encoder blocks of MiniLM's size: 128 tokens of 384 numbers, 12 heads. Normalisation is written out."""
    net = Network(2)
    tokens = net.graph.input("tokens", (1, 128, 384))
    x = tokens
    for block in range(3):
        x = net.add(x, _attention(net, _layer_norm(net, x), heads=12))
        h = net.dense(_layer_norm(net, x), 1536)
        h = _gelu(net, h) if block else net.op("GELU", (h,), h.shape, schema.GeluOptionsT(approximate=False))
        x = net.add(x, net.reshape(net.dense(h, 384), *x.shape))
    pooled = ops.mean(net.graph, x, (1,), name="pooled")
    return net.finish((tokens,), (net.unary("TANH", net.dense(pooled, 64)),))


def _attention(net: Network, x: Tensor, heads: int) -> Tensor:
    _, length, width = x.shape
    part = width // heads
    query, key, value = (net.reshape(net.dense(x, width), 1, length, heads, part) for _ in range(3))
    query, value = net.transpose(query, 0, 2, 1, 3), net.transpose(value, 0, 2, 1, 3)
    scores = ops.batch_matmul(net.graph, query, net.transpose(key, 0, 2, 3, 1), name=net.name("scores"))
    scores = net.mul(scores, net.constant("scale", np.float32(part**-0.5)))
    weights = ops.softmax(net.graph, scores, name=net.name("softmax"))
    mixed = net.transpose(ops.batch_matmul(net.graph, weights, value, name=net.name("mixed")), 0, 2, 1, 3)
    return net.reshape(net.dense(net.reshape(mixed, 1, length, width), width), 1, length, width)


def _layer_norm(net: Network, x: Tensor) -> Tensor:
    mean = ops.mean(net.graph, x, (2,), name=net.name("mean"), keep=True)
    squares = net.op("SQUARED_DIFFERENCE", (x, mean), x.shape, schema.SquaredDifferenceOptionsT())
    variance = ops.mean(net.graph, squares, (2,), name=net.name("variance"), keep=True)
    scale = net.unary("RSQRT", net.add(variance, net.constant("epsilon", np.float32(1e-6))))
    centred = net.op("SUB", (x, mean), x.shape, schema.SubOptionsT())
    gamma = net.constant("gamma", net.rng.normal(1, 0.1, x.shape[2]).astype(np.float32))
    return net.add(net.mul(net.mul(centred, scale), gamma), net.constant("beta", net.bias(x.shape[2])))


def _gelu(net: Network, x: Tensor) -> Tensor:
    """0.5 x (1 + tanh(0.8 (x + 0.045 x x x))), as exporters without the operator write it."""
    cube = net.mul(net.mul(x, x), x)
    inner = net.add(x, net.mul(cube, net.constant("c", np.float32(0.044715))))
    bent = net.unary("TANH", net.mul(inner, net.constant("c", np.float32(0.7978845))))
    return net.mul(net.mul(x, net.constant("half", np.float32(0.5))), net.add(bent, net.constant("one", np.float32(1))))


def segmentation() -> bytes:
    """Encoder and decoder with skips: depthwise, bilinear resize, concatenation, transposed convolution, sigmoid."""
    net = Network(3)
    image = net.graph.input("image", (1, 160, 160, 3))
    half = net.conv(image, 24, stride=2, activation="RELU6")
    quarter = net.conv(net.depthwise(half, stride=2), 64, (1, 1), activation="RELU6")
    x = net.conv(net.depthwise(quarter, stride=2), 128, (1, 1), activation="RELU6")
    for _ in range(3):
        x = net.add(x, net.conv(net.depthwise(x, (5, 5)), 128, (1, 1)))
    x = ops.resize_bilinear(net.graph, x, (40, 40), name="upsampled")
    x = ops.concatenation(net.graph, (x, quarter), 3, name="joined_quarter")
    x = net.conv(x, 64, activation="RELU6")
    x = ops.transpose_conv(net.graph, x, net.weights(32, 2, 2, 64), name="grown")
    x = net.conv(ops.concatenation(net.graph, (x, half), 3, name="joined_half"), 32, activation="RELU6")
    x = ops.resize_bilinear(net.graph, x, (160, 160), name="full")
    return net.finish((image,), (net.unary("LOGISTIC", net.conv(x, 8, (1, 1))),))


def keyword_spotting() -> bytes:
    """One-dimensional convolutions over 600 frames of 40 numbers, with the less common activations."""
    net = Network(4)
    frames = net.graph.input("frames", (1, 600, 40))
    x = net.reshape(frames, 1, 1, 600, 40)
    x = net.unary("HARD_SWISH", net.conv(x, 128, (1, 9)))
    for _ in range(2):
        y = net.conv(net.depthwise(x, (1, 9)), 128, (1, 1))
        slopes = net.graph.constant(net.name("slopes"), np.full((1, 1, 128), 0.2, np.float32))
        x = net.op("PRELU", (net.add(x, y), slopes), x.shape)
        x = net.op("LEAKY_RELU", (net.conv(x, 128, (1, 5)),), x.shape, schema.LeakyReluOptionsT(alpha=0.1))
        x = net.op("ELU", (net.conv(x, 128, (1, 9)),), x.shape)
    x = ops.average_pool_2d(net.graph, net.reshape(x, 1, 600, 1, 128), name="windows", size=1, stride=2)
    return net.finish((frames,), (net.classify(x, 12),))


def mlp() -> bytes:
    """Dense layers over 96 rows of two joined inputs, with a gate split off and back in."""
    net = Network(5)
    left, right = net.graph.input("left", (96, 512)), net.graph.input("right", (96, 256))
    x = net.dense(ops.concatenation(net.graph, (left, right), 1, name="joined"), 2048, activation="RELU")
    x = net.dense(x, 2048, activation="RELU")
    signal, gate = (net.graph.tensor(name, (96, 1024)) for name in ("signal", "gate"))
    axis = net.constant("axis", np.int32(1))
    net.graph.op("SPLIT", (axis, x), (signal, gate), options=schema.SplitOptionsT(numSplits=2))
    x = net.mul(signal, net.unary("LOGISTIC", gate))
    x = net.dense(net.dense(x, 1024, activation="RELU6"), 100)
    return net.finish((left, right), (ops.softmax(net.graph, x, name="classes"),))


def gated_cnn() -> bytes:
    """Convolutions with swish and hard swish written out, which XNNPACK makes one lookup table each when quantised."""
    net = Network(7)
    image = net.graph.input("image", (1, 96, 96, 3))
    x = net.conv(image, 64, stride=2)
    for _ in range(3):
        x = net.conv(net.mul(x, net.unary("LOGISTIC", x)), 64)
        shifted = net.unary("RELU6", net.add(x, net.constant("three", np.float32(3))))
        x = net.conv(net.mul(net.mul(x, shifted), net.constant("sixth", np.float32(1 / 6))), 64)
    return net.finish((image,), (net.classify(x, 10),))


def partitioned() -> bytes:
    """Two branches of convolutions cut by operators that XNNPACK does not take, joined again: many partitions."""
    net = Network(6)
    image = net.graph.input("image", (1, 48, 48, 16))
    left = right = image
    for _ in range(3):
        left = _mirrored(net, net.conv(left, 64, activation="RELU"))
        right = net.conv(net.conv(right, 64, activation="RELU"), 64)
        right = net.add(right, left)
    joined = ops.concatenation(net.graph, (left, right), 3, name="joined")
    return net.finish((image,), (net.classify(_mirrored(net, net.conv(joined, 64)), 10),))


def _mirrored(net: Network, x: Tensor) -> Tensor:
    return net.op("REVERSE_V2", (x, net.constant("axis", np.array([2], np.int32))), x.shape, schema.ReverseV2OptionsT())


def loop() -> bytes:
    """A WHILE between two operators that XNNPACK takes; its body has operators of its own."""
    writer = ModelWriter()
    main, condition, body = writer.graph("main"), writer.graph("condition"), writer.graph("body")
    _is_below_three(condition)
    _add_one_and_bend(body)
    count, x = main.input("count", (1,), "int32"), main.input("x", (1, 64))
    bent = ops.unary(main, "TANH", x, name="bent")
    state = (main.tensor("count_after", (1,), "int32"), main.tensor("x_after", (1, 64)))
    start = main.constant("start", np.zeros(1, np.int32))
    total = ops.mul(main, count, start, name="none")
    options = schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2)
    main.op("WHILE", (total, bent), state, options=options)
    flat = ops.reshape(main, ops.unary(main, "LOGISTIC", state[1], name="squashed"), (64,), name="flat")
    main.output(state[0], flat)
    writer.signature(main, {"count": count, "x": x}, {"count": state[0], "x": flat}, "serving_default")
    return writer.pack()


def _is_below_three(graph: GraphWriter) -> None:
    count, _ = graph.input("count", (1,), "int32"), graph.input("x", (1, 64))
    below = graph.tensor("below", (1,), "bool")
    three = graph.constant("three", np.array([3], np.int32))
    graph.op("LESS", (count, three), (below,), options=schema.LessOptionsT())
    graph.output(below)


def _add_one_and_bend(graph: GraphWriter) -> None:
    count, x = graph.input("count", (1,), "int32"), graph.input("x", (1, 64))
    one = graph.constant("one", np.ones(1, np.int32))
    graph.output(ops.add(graph, count, one, name="next"), ops.unary(graph, "TANH", x, name="bent"))
