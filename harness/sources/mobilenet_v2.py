"""The architecture skeleton `mobilenet_v2`: MobileNetV2 1.0 at 224x224, with seeded random weights.

The graph is Keras's (`keras.applications.MobileNetV2`) after TensorFlow's converter: batch normalisation folded into
the convolutions, the padding before strided depthwise convolutions fused into SAME; 65 operators, 300.8 million MACs.
It has the real network's size and latency. Its outputs mean nothing.
Source: Sandler et al. 2018, "MobileNetV2", table 2.
"""

from dataclasses import dataclass

from harness.sources.layers import Tensor
from harness.sources.skeleton import Network, Skeleton, Weights

_LAST_CHANNELS = 1280


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A run of inverted residual blocks; the first has the stride."""

    expansion: int
    channels: int
    blocks: int
    stride: int


STAGES = (
    Stage(expansion=1, channels=16, blocks=1, stride=1),
    Stage(expansion=6, channels=24, blocks=2, stride=2),
    Stage(expansion=6, channels=32, blocks=3, stride=2),
    Stage(expansion=6, channels=64, blocks=4, stride=2),
    Stage(expansion=6, channels=96, blocks=3, stride=1),
    Stage(expansion=6, channels=160, blocks=3, stride=2),
    Stage(expansion=6, channels=320, blocks=1, stride=1),
)


def _build(net: Skeleton) -> None:
    x = net.convolve(net.layers.image, 32, "stem", size=3, stride=2, activation="RELU6")
    number = 0
    for stage in STAGES:
        for i in range(stage.blocks):
            x = _block(net, x, stage, stage.stride if i == 0 else 1, f"block{number}")
            number += 1
    net.classify(net.convolve(x, _LAST_CHANNELS, "last", activation="RELU6"))


def _block(net: Skeleton, x: Tensor, stage: Stage, stride: int, name: str) -> Tensor:
    """Expand, filter, project; add the input where shapes allow."""
    wide = x.shape[3] * stage.expansion
    out = x if stage.expansion == 1 else net.convolve(x, wide, f"{name}/expand", activation="RELU6")
    out = net.filter_depthwise(out, f"{name}/depthwise", stride=stride)
    out = net.convolve(out, stage.channels, f"{name}/project", activation="NONE")
    return net.layers.add(x, out, name=f"{name}/add") if stride == 1 and x.shape == out.shape else out


def _weights(seed: int) -> Weights:
    return Weights(seed, centred=1, gain=1)


NETWORK = Network(description="mobilenet_v2 1.0 224", image=224, build=_build, weights=_weights)
"""To scores (1, 1000)."""
