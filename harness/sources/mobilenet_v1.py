"""The architecture skeleton `mobilenet_v1`: MobileNet 1.0 at 224x224, with seeded random weights.

The graph is Keras's (`keras.applications.MobileNet`) after TensorFlow's converter: batch normalisation folded into the
convolutions, the padding before strided depthwise convolutions fused into SAME, the classifier a 1x1 convolution;
31 operators, 568.7 million MACs. Its outputs mean nothing.
Source: Howard et al. 2017, "MobileNets", table 1.
"""

from harness.sources.skeleton import CLASSES, Network, Skeleton

BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)),
    *((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    *((1024, 2), (1024, 1)),
)
"""Channels and stride of each depthwise separable convolution."""


def _build(net: Skeleton) -> None:
    x = net.convolve(net.layers.image, 32, "stem", size=3, stride=2, activation="RELU6")
    for i, (channels, stride) in enumerate(BLOCKS):
        x = net.filter_depthwise(x, f"block{i}/depthwise", stride=stride)
        x = net.convolve(x, channels, f"block{i}/pointwise", activation="RELU6")
    x = net.layers.average(x, name="pooled", keep=True)
    x = net.convolve(x, CLASSES, "classifier", activation="NONE", gain=2)
    net.score(net.layers.flatten(x, name="logits"))


NETWORK = Network(description="mobilenet_v1 1.0 224", image=224, build=_build)
"""To scores (1, 1000)."""
