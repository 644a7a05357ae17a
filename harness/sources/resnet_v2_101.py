"""The architecture skeleton `resnet_v2_101`: ResNet-101 v2 at 224x224, with seeded random weights.

The graph is Keras's (`keras.applications.ResNet101V2`) after TensorFlow's converter: the batch normalisation before
each block stays as MUL and ADD, the others are folded into the convolutions before them, the stride is in the last
block of a stage; paddings that SAME does not do stay PAD; 217 operators, 7.19 billion MACs. Its outputs
mean nothing.
Source: He et al. 2016, "Identity Mappings in Deep Residual Networks", figure 4e; the stages of He et al. 2015, table 1.
"""

from harness.sources.layers import Tensor
from harness.sources.skeleton import Network, Skeleton

STAGES = ((64, 3, 2), (128, 4, 2), (256, 23, 2), (512, 3, 1))
"""Channels inside, count of blocks and stride of each stage."""
_WIDER = 4  # channels outside over channels inside
_BRANCH_GAIN = 0.5


def _build(net: Skeleton) -> None:
    padded = net.layers.pad(net.layers.image, 3, name="stem/pad")
    x = net.convolve(padded, 64, "stem", size=7, stride=2, padding="VALID", activation="NONE")
    x = net.layers.pool_largest(net.layers.pad(x, 1, name="pool/pad"), name="pool", size=3, stride=2)
    added = 0
    for s, (channels, blocks, stride) in enumerate(STAGES):
        for b in range(blocks):
            name = f"stage{s}/block{b}"
            active = _normalise(net, x, added, name)
            added = 1 if b == 0 else added + 1
            x = _block(net, x, active, channels, stride if b == blocks - 1 else 1, name)
    net.classify(_normalise(net, x, added, "last"), gain=6)


def _block(net: Skeleton, x: Tensor, active: Tensor, channels: int, stride: int, name: str) -> Tensor:
    """active is x behind its batch normalisation; where the channels change the shortcut is a convolution of it."""
    wide = channels * _WIDER
    if x.shape[3] != wide:
        shortcut = net.convolve(active, wide, f"{name}/shortcut", stride=stride, activation="NONE")
    else:
        shortcut = x if stride == 1 else net.layers.pool_largest(x, name=f"{name}/shortcut", size=1, stride=stride)
    out = net.convolve(active, channels, f"{name}/narrow")
    if stride == 1:
        out = net.convolve(out, channels, f"{name}/filter", size=3)
    else:
        padded = net.layers.pad(out, 1, name=f"{name}/pad")
        out = net.convolve(padded, channels, f"{name}/filter", size=3, stride=stride, padding="VALID")
    out = net.convolve(out, wide, f"{name}/widen", activation="NONE", gain=_BRANCH_GAIN)
    return net.layers.add(shortcut, out, name=f"{name}/add")


def _normalise(net: Skeleton, x: Tensor, added: int, name: str) -> Tensor:
    """Batch normalisation and ReLU. added: how many branches, each _BRANCH_GAIN as large, are in x by now."""
    mean_scale, channels = (1 + added * _BRANCH_GAIN**2) ** -0.5, x.shape[3]
    scale = net.weights.draw_around(mean_scale, mean_scale / 4, channels)
    offset = net.weights.draw_around(0, 0.25, channels)
    return net.layers.normalise(x, scale, offset, name=name)


NETWORK = Network(description="resnet_v2_101 224", image=224, build=_build)
"""To scores (1, 1000)."""
