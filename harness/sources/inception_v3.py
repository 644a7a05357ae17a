"""The architecture skeleton `inception_v3`: InceptionV3 at 299x299, with seeded random weights.

The graph is Keras's (`keras.applications.InceptionV3`) after TensorFlow's converter: batch normalisation folded into
the convolutions; 125 operators, 5.71 billion MACs. Its outputs mean nothing.
Source: Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision", table 1.
"""

from collections.abc import Sequence

from harness.sources.layers import Tensor
from harness.sources.skeleton import Network, Skeleton

Filter = tuple[int, int, int]
"""Channels, height and width of a convolution."""
Branch = tuple[Filter, ...]


def _build(net: Skeleton) -> None:
    x = _stem(net)
    for i, pooled in enumerate((32, 64, 64)):
        x = _module(net, x, _wide(pooled), f"mixed{i}")
    x = _reduction(net, x, (((384, 3, 3),), ((64, 1, 1), (96, 3, 3), (96, 3, 3))), "mixed3")
    for i, inner in enumerate((128, 160, 160, 192), 4):
        x = _module(net, x, _factored(inner), f"mixed{i}")
    x = _reduction(net, x, (((192, 1, 1), (320, 3, 3)), ((192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3))), "mixed8")
    for i in (9, 10):
        x = _expanded(net, x, f"mixed{i}")
    net.classify(x, gain=4)


def _stem(net: Skeleton) -> Tensor:
    """299x299x3 to 35x35x192."""
    x = net.convolve(net.layers.image, 32, "stem0", size=3, stride=2, padding="VALID")
    x = net.convolve(x, 32, "stem1", size=3, padding="VALID")
    x = net.convolve(x, 64, "stem2", size=3)
    x = net.layers.pool_largest(x, name="stem3", size=3, stride=2)
    x = net.convolve(x, 80, "stem4", padding="VALID")
    x = net.convolve(x, 192, "stem5", size=3, padding="VALID")
    return net.layers.pool_largest(x, name="stem6", size=3, stride=2)


def _wide(pooled: int) -> tuple[Branch, ...]:
    """Figure 5 of the paper, but with 5x5 filters as in table 1's code; the last branch stands behind the pooling."""
    return (
        ((64, 1, 1),),
        ((48, 1, 1), (64, 5, 5)),
        ((64, 1, 1), (96, 3, 3), (96, 3, 3)),
        ((pooled, 1, 1),),
    )


def _factored(inner: int) -> tuple[Branch, ...]:
    """Figure 6 of the paper with n = 7."""
    return (
        ((192, 1, 1),),
        ((inner, 1, 1), (inner, 1, 7), (192, 7, 1)),
        ((inner, 1, 1), (inner, 7, 1), (inner, 1, 7), (inner, 7, 1), (192, 1, 7)),
        ((192, 1, 1),),
    )


def _module(net: Skeleton, x: Tensor, branches: Sequence[Branch], name: str) -> Tensor:
    """Branches side by side, the last on the average of 3x3 windows."""
    *direct, pooled = branches
    parts = [_chain(net, x, branch, f"{name}/{i}") for i, branch in enumerate(direct)]
    parts.append(_chain(net, _average(net, x, name), pooled, f"{name}/pooled"))
    return net.layers.join(parts, 3, name=name)


def _reduction(net: Skeleton, x: Tensor, branches: Sequence[Branch], name: str) -> Tensor:
    """Figure 10 of the paper: branches that end with stride 2 without padding, and the greatest of 3x3 windows."""
    parts = []
    for i, (*filters, (channels, *_)) in enumerate(branches):
        inner = _chain(net, x, filters, f"{name}/{i}")
        parts.append(net.convolve(inner, channels, f"{name}/{i}/reduce", size=3, stride=2, padding="VALID"))
    parts.append(net.layers.pool_largest(x, name=f"{name}/pool", size=3, stride=2))
    return net.layers.join(parts, 3, name=name)


def _expanded(net: Skeleton, x: Tensor, name: str) -> Tensor:
    """Figure 7 of the paper: branches that fork at their ends."""
    parts = [net.convolve(x, 320, f"{name}/0")]
    for i, filters in enumerate((((384, 1, 1),), ((448, 1, 1), (384, 3, 3))), 1):
        inner = _chain(net, x, filters, f"{name}/{i}")
        ends = [net.convolve(inner, 384, f"{name}/{i}/{h}x{w}", size=(h, w)) for h, w in ((1, 3), (3, 1))]
        parts.append(net.layers.join(ends, 3, name=f"{name}/{i}"))
    parts.append(net.convolve(_average(net, x, name), 192, f"{name}/pooled"))
    return net.layers.join(parts, 3, name=name)


def _chain(net: Skeleton, x: Tensor, filters: Sequence[Filter], name: str) -> Tensor:
    for i, (channels, height, width) in enumerate(filters):
        x = net.convolve(x, channels, f"{name}/{i}", size=(height, width))
    return x


def _average(net: Skeleton, x: Tensor, name: str) -> Tensor:
    return net.layers.pool_average(x, name=f"{name}/pool", size=3)


NETWORK = Network(description="inception_v3 299", image=299, build=_build)
"""To scores (1, 1000)."""
