"""The architecture skeleton `ssd_resnet18`: SSD300 over a ResNet-18 for one class, with seeded random weights.

The maps behind stages 1 to 3 of the ResNet take the places of VGG's, 38x38 to 10x10; three pairs of convolutions go on
to 1x1; predictors of 3x3 look at all six: 8732 default boxes, as many as the paper's. Padding is SAME wherever the
size comes out alike. Boxes are given as offsets to the default boxes, which the runtime does not know; nothing is
suppressed. 11.8 million parameters. Its outputs mean nothing.
Source: Liu et al. 2016, "SSD: Single Shot MultiBox Detector", figure 2 and section 3; He et al. 2015, "Deep Residual
Learning for Image Recognition", table 1, 18 layers.
"""

from harness.sources.layers import Tensor
from harness.sources.skeleton import Network, Skeleton

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Channels and stride of each stage; two blocks each."""
EXTRAS = ((128, 2, "SAME"), (128, 1, "VALID"), (128, 1, "VALID"))
"""Channels, stride and padding of the 3x3 convolutions behind the ResNet; a 1x1 one of half as many is before each."""
BOXES = (4, 6, 6, 6, 4, 4)
"""Default boxes at each place of a map, largest map first."""
CLASSES = 2  # the object, and none
_BRANCH_GAIN = 0.5
_PREDICTOR_GAIN = 0.5


def _build(net: Skeleton) -> None:
    padded = net.layers.pad(net.layers.image, 3, name="stem/pad")
    x = net.convolve(padded, 64, "stem", size=7, stride=2, padding="VALID")
    x = net.layers.pool_largest(net.layers.pad(x, 1, name="pool/pad"), name="pool", size=3, stride=2)
    maps = []
    for s, (channels, stride) in enumerate(STAGES):
        x = _block(net, x, channels, stride, f"stage{s}/block0")
        x = _block(net, x, channels, 1, f"stage{s}/block1")
        maps.append(x)
    for i, (channels, stride, padding) in enumerate(EXTRAS):
        x = net.convolve(x, channels // 2, f"extra{i}/narrow")
        x = net.convolve(x, channels, f"extra{i}/filter", size=3, stride=stride, padding=padding)
        maps.append(x)
    boxes = _predict(net, maps[1:], 4, "boxes")
    scores = net.layers.softmax(_predict(net, maps[1:], CLASSES, "logits"), name="scores")
    net.layers.end({"boxes": boxes, "scores": scores})


def _block(net: Skeleton, x: Tensor, channels: int, stride: int, name: str) -> Tensor:
    """Figure 5 of He et al., left; where the shape changes the shortcut is a convolution."""
    shortcut = x
    if x.shape[3] != channels or stride != 1:
        shortcut = net.convolve(x, channels, f"{name}/shortcut", stride=stride, activation="NONE")
    out = net.convolve(x, channels, f"{name}/first", size=3, stride=stride)
    out = net.convolve(out, channels, f"{name}/second", size=3, activation="NONE", gain=_BRANCH_GAIN)
    return net.layers.add(shortcut, out, name=f"{name}/add", activation="RELU")


def _predict(net: Skeleton, maps: list[Tensor], width: int, name: str) -> Tensor:
    """Numbers of every default box, (1, 8732, width)."""
    parts = []
    for i, (x, boxes) in enumerate(zip(maps, BOXES, strict=True)):
        out = net.convolve(x, boxes * width, f"{name}/map{i}", size=3, activation="NONE", gain=_PREDICTOR_GAIN)
        parts.append(net.layers.split_rows(out, width, name=f"{name}/rows{i}"))
    return net.layers.join(parts, 1, name=name)


NETWORK = Network(description="ssd_resnet18 300", image=300, build=_build)
"""To boxes (1, 8732, 4) and scores (1, 8732, 2)."""
