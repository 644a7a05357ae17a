"""Normalisations."""

from collections.abc import Iterable

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable


def _batch_norm(emitter: Emitter, operation: Operation) -> str:
    mean, gamma, beta = operation["mean"], operation.optional("gamma"), operation.optional("beta")
    channels = mean.shape[0]
    if channels is None:
        raise Untranslatable("batch_norm over an open number of channels")
    scale = gamma or emitter.constant(np.ones(channels), np.float32)
    offset = beta or emitter.constant(np.zeros(channels), np.float32)
    inputs = [operation["x"], scale, offset, mean, operation["variance"]]
    return emitter.node("BatchNormalization", inputs, epsilon=float(operation.constant("epsilon")))


def _instance_norm(emitter: Emitter, operation: Operation) -> str:
    """Not by ONNX's own operator, which is off by float16's last bit where the mean is large."""
    rank = operation["x"].rank
    return _normalize(emitter, operation, range(2, rank), emitter.integers([-1] + [1] * (rank - 2)))


def _layer_norm(emitter: Emitter, operation: Operation) -> str:
    """Not by ONNX's own operator either, which has the last dimensions alone."""
    rank = operation["x"].rank
    axes = sorted(axis % rank for axis in operation.integers("axes", range(rank)))
    if axes == list(range(axes[0], rank)):
        return _normalize(emitter, operation, axes, None)
    sizes = [operation["x"].shape[i] if i in axes else 1 for i in range(rank)]
    if None in sizes:
        raise Untranslatable("layer_norm over open dimensions that are not the last ones")
    return _normalize(emitter, operation, axes, emitter.integers(size for size in sizes if size is not None))


def _normalize(emitter: Emitter, operation: Operation, axes: Iterable[int], spread: str | None) -> str:
    """Over axes, to a mean of 0 and a variance of 1; then by gamma and beta where they are given. spread: the shape in
    which these two are broadcast, None for the one that they have."""
    x, over = operation["x"], emitter.integers(axes)
    centred = _centre(emitter, _centre(emitter, x, over), over)
    variance = emitter.node("ReduceMean", [emitter.node("Mul", [centred, centred]), over])
    deviation = emitter.node("Sqrt", [emitter.node("Add", [variance, operation["epsilon"]])])
    result = emitter.node("Div", [centred, deviation])
    for kind, name in (("Mul", "gamma"), ("Add", "beta")):
        if (given := operation.optional(name)) is not None:
            result = emitter.node(kind, [result, emitter.node("Reshape", [given, spread]) if spread else given])
    return result


def _centre(emitter: Emitter, value: Operand | str, over: str) -> str:
    """Less its mean; once more takes off what float32 left of a large one."""
    return emitter.node("Sub", [value, emitter.node("ReduceMean", [value, over])])


def _l2_norm(emitter: Emitter, operation: Operation) -> str:
    """Over the last three dimensions."""
    squares = emitter.node("ReduceSumSquare", [operation["x"], emitter.integers([-3, -2, -1])])
    length = emitter.node("Sqrt", [emitter.node("Add", [squares, operation["epsilon"]])])
    return emitter.node("Div", [operation["x"], length])


def _local_response_norm(emitter: Emitter, operation: Operation) -> str:
    """Over channels of images. coremltools documents neither the window of an even size nor, for one spatial
    dimension, what its own tests expect of a device: each value by itself."""
    x, size = operation["x"], int(operation.constant("size"))
    if size % 2 == 0 or x.rank != 4:
        raise Untranslatable(f"local_response_norm of size {size} over rank {x.rank}: its window is not documented")
    alpha, beta, k = (float(operation.constant(name)) for name in ("alpha", "beta", "k"))
    return emitter.node("LRN", [x], size=size, alpha=alpha, beta=beta, bias=k)


TRANSLATIONS: dict[str, Translate] = {
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "l2_norm": _l2_norm,
    "layer_norm": _layer_norm,
    "local_response_norm": _local_response_norm,
}
