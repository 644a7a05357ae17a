"""The architecture skeleton `resnet50`: ResNet-50 at 224x224, with seeded random weights.

The graph is Keras's (`keras.applications.ResNet50`) after TensorFlow's converter: batch normalisation folded into the
convolutions, the stride in the first convolution of a stage, the paddings of the stem left as they are; 75 operators,
3.86 billion MACs. Its outputs mean nothing.
Source: He et al. 2015, "Deep Residual Learning for Image Recognition", table 1.
"""

from harness.sources import tflite_ops as ops
from harness.sources.skeleton import Skeleton, Weights
from harness.sources.tflite_writer import Tensor

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Channels inside, count of blocks and stride of each stage."""
_WIDER = 4  # channels outside over channels inside
_BRANCH_GAIN = 0.5


def build(seed: int = 0) -> bytes:
    """The .tflite: image (1, 224, 224, 3) in [-1, 1] to scores (1, 1000)."""
    net = Skeleton("resnet50 224", 224, Weights(seed))
    x = net.convolve(net.pad(net.image, 3, "stem/pad"), 64, "stem", size=7, stride=2, padding="VALID")
    x = ops.max_pool_2d(net.graph, net.pad(x, 1, "pool/pad"), name="pool", size=3)
    for s, (channels, blocks, stride) in enumerate(STAGES):
        for b in range(blocks):
            x = _block(net, x, channels, stride if b == 0 else 1, f"stage{s}/block{b}")
    net.classify(x, gain=1.3)
    return net.pack()


def _block(net: Skeleton, x: Tensor, channels: int, stride: int, name: str) -> Tensor:
    """Figure 5 of the paper, right; where the shape changes the shortcut is a convolution."""
    wide = channels * _WIDER
    shortcut = x
    if x.shape[3] != wide or stride != 1:
        shortcut = net.convolve(x, wide, f"{name}/shortcut", stride=stride, activation="NONE")
    out = net.convolve(x, channels, f"{name}/narrow", stride=stride)
    out = net.convolve(out, channels, f"{name}/filter", size=3)
    out = net.convolve(out, wide, f"{name}/widen", activation="NONE", gain=_BRANCH_GAIN)
    return ops.add(net.graph, shortcut, out, name=f"{name}/add", activation="RELU")
