"""Normalisations."""

from collections.abc import Sequence

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable


def _batch_norm(emitter: Emitter, operation: Operation) -> str:
    scale, offset = _affine(emitter, operation, operation["mean"].shape[0])
    inputs = [operation["x"], scale, offset, operation["mean"], operation["variance"]]
    return emitter.node("BatchNormalization", inputs, epsilon=float(operation.constant("epsilon")))


def _instance_norm(emitter: Emitter, operation: Operation) -> str:
    scale, offset = _affine(emitter, operation, operation["x"].shape[1])
    inputs = [operation["x"], scale, offset]
    return emitter.node("InstanceNormalization", inputs, epsilon=float(operation.constant("epsilon")))


def _affine(emitter: Emitter, operation: Operation, channels: int | None) -> tuple[Operand | str, Operand | str]:
    """gamma and beta, or ones and zeros."""
    gamma, beta = operation.optional("gamma"), operation.optional("beta")
    if gamma is not None and beta is not None:
        return gamma, beta
    if channels is None:
        raise Untranslatable(f"{operation.type} without gamma or beta over an open number of channels")
    return (
        gamma or emitter.constant(np.ones(channels), np.float32),
        beta or emitter.constant(np.zeros(channels), np.float32),
    )


def _layer_norm(emitter: Emitter, operation: Operation) -> str:
    """Not by ONNX's own operator: onnxruntime computes its variance from the mean of squares, and loses it where the
    mean is large."""
    x = operation["x"]
    axes = sorted(axis % x.rank for axis in operation.integers("axes", range(x.rank)))
    over = emitter.integers(axes)
    centred = emitter.node("Sub", [x, emitter.node("ReduceMean", [x, over])])
    variance = emitter.node("ReduceMean", [emitter.node("Mul", [centred, centred]), over])
    deviation = emitter.node("Sqrt", [emitter.node("Add", [variance, operation["epsilon"]])])
    result = emitter.node("Div", [centred, deviation])
    for kind, name in (("Mul", "gamma"), ("Add", "beta")):
        if name in operation.inputs:
            result = emitter.node(kind, [result, _spread(emitter, operation[name], x.rank, axes)])
    return result


def _spread(emitter: Emitter, value: Operand, rank: int, axes: Sequence[int]) -> Operand | str:
    """A parameter over the normalised dimensions, broadcast over the others."""
    if list(axes) == list(range(rank - len(axes), rank)):
        return value
    return emitter.node("Unsqueeze", [value, emitter.integers(i for i in range(rank) if i not in axes)])


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
