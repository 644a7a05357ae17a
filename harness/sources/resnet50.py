"""The architecture skeleton `resnet50`: ResNet-50 at 224x224, with seeded random weights.

The graph is Keras's (`keras.applications.ResNet50`) after TensorFlow's converter: batch normalisation folded into the
convolutions, the stride in the first convolution of a stage, the paddings of the stem left as they are; 75 operators,
3.86 billion MACs. Its outputs mean nothing.
Source: He et al. 2015, "Deep Residual Learning for Image Recognition", table 1.
"""

from harness.sources.layers import Tensor
from harness.sources.skeleton import Network, Skeleton

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Channels inside, count of blocks and stride of each stage."""
_WIDER = 4  # channels outside over channels inside
_BRANCH_GAIN = 0.5


def _build(net: Skeleton) -> None:
    padded = net.layers.pad(net.layers.image, 3, name="stem/pad")
    x = net.convolve(padded, 64, "stem", size=7, stride=2, padding="VALID")
    x = net.layers.pool_largest(net.layers.pad(x, 1, name="pool/pad"), name="pool", size=3, stride=2)
    for s, (channels, blocks, stride) in enumerate(STAGES):
        for b in range(blocks):
            x = _block(net, x, channels, stride if b == 0 else 1, f"stage{s}/block{b}")
    net.classify(x, gain=1.3)


def _block(net: Skeleton, x: Tensor, channels: int, stride: int, name: str) -> Tensor:
    """Figure 5 of the paper, right; where the shape changes the shortcut is a convolution."""
    wide = channels * _WIDER
    shortcut = x
    if x.shape[3] != wide or stride != 1:
        shortcut = net.convolve(x, wide, f"{name}/shortcut", stride=stride, activation="NONE")
    out = net.convolve(x, channels, f"{name}/narrow", stride=stride)
    out = net.convolve(out, channels, f"{name}/filter", size=3)
    out = net.convolve(out, wide, f"{name}/widen", activation="NONE", gain=_BRANCH_GAIN)
    return net.layers.add(shortcut, out, name=f"{name}/add", activation="RELU")


NETWORK = Network(description="resnet50 224", image=224, build=_build)
"""To scores (1, 1000)."""
