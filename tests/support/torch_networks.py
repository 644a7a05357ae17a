"""Architectures in plain torch, small but whole, with seeded weights: what a user's module looks like.

Normalisations have statistics of their own, as after training. Every input is float32 and channels first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A module with the shapes of its inputs, by the names of forward's arguments."""

    build: Callable[[], nn.Module]
    shapes: Shapes


def conv(before: int, after: int, size: int = 3, *, stride: int = 1, groups: int = 1, act: bool = True) -> nn.Module:
    """Convolution, batch normalisation and, with act, ReLU."""
    filters = nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(filters, nn.BatchNorm2d(after), nn.ReLU() if act else nn.Identity())


class Cnn(nn.Module):
    """A classifier of small images."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(conv(3, 16), nn.MaxPool2d(2), conv(16, 32), nn.AvgPool2d(2), conv(32, 32))
        self.classify = nn.Sequential(nn.Flatten(), nn.Linear(32 * 8 * 8, 64), nn.Tanh(), nn.Linear(64, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classify(self.features(image)).softmax(-1)


class Residual(nn.Module):
    """A block of ResNet v1, with a projection where the shape changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(before, after, stride=stride), conv(after, after, act=False))
        same = before == after and stride == 1
        self.short = nn.Identity() if same else conv(before, after, 1, stride=stride, act=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.short(x))


class ResNet(nn.Module):
    """A ResNet with a padded maximum pool."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 7, stride=2), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2))
        self.classify = nn.Linear(64, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classify(self.blocks(self.stem(image)).mean((2, 3)))


class Inverted(nn.Module):
    """A block of MobileNetV2 with the activations and the gate of V3."""

    def __init__(self, before: int, after: int, stride: int, act: type[nn.Module]) -> None:
        super().__init__()
        wide = before * 4
        self.wide = nn.Sequential(nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide), act())
        depthwise = nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)
        self.filter = nn.Sequential(depthwise, nn.BatchNorm2d(wide), act())
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, wide // 4, 1), nn.ReLU())
        self.open = nn.Sequential(nn.Conv2d(wide // 4, wide, 1), nn.Hardsigmoid())
        self.project = nn.Sequential(nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.filter(self.wide(x))
        y = self.project(y * self.open(self.gate(y)))
        return x + y if x.shape == y.shape else y


class MobileNet(nn.Module):
    """Depthwise convolutions, gates, ReLU6 and hard swish."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
        stages = (Inverted(16, 16, 1, nn.ReLU6), Inverted(16, 24, 2, nn.Hardswish), Inverted(24, 24, 1, nn.SiLU))
        self.blocks = nn.Sequential(*stages)
        self.classify = nn.Sequential(nn.Dropout(0.2), nn.Linear(24, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classify(self.blocks(self.stem(image)).mean((2, 3)))


class Attention(nn.Module):
    """Self-attention over (batch, tokens, width), as ViT has it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        parts = self.project(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        found = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.merge(found.transpose(1, 2).reshape(batch, tokens, width))


class ViTBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.attend = nn.LayerNorm(width), Attention(width, heads)
        self.second = nn.LayerNorm(width)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attend(self.first(x))
        return x + self.think(self.second(x))


class ViT(nn.Module):
    """A vision transformer: patches, a class token, positions."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.1)
        self.positions = nn.Parameter(torch.randn(1, 17, width) * 0.1)
        self.blocks = nn.Sequential(ViTBlock(width, 4), ViTBlock(width, 4))
        self.classify = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), 1) + self.positions
        return self.classify(self.blocks(x)[:, 0])


class Encoder(nn.Module):
    """torch's own transformer encoder, written out as it is for training, over features of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, activation="relu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classify = nn.Linear(32, 5)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.classify(self.layers(features)).log_softmax(-1)


class Segmentation(nn.Module):
    """Down and up again: instance norm, transposed convolution, bilinear and nearest upsampling, a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.InstanceNorm2d(16, affine=True), nn.LeakyReLU(0.1))
        self.deep = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.InstanceNorm2d(32), nn.ELU())
        self.up = nn.ConvTranspose2d(32, 16, 4, 2, 1)
        self.larger = nn.Upsample(scale_factor=2, mode="nearest")
        self.label = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(32, 4, 3))
        self.full = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        skip = self.down(image)
        deep = self.deep(skip)
        x = torch.cat((self.up(deep), skip + self.larger(deep[:, :16])), 1)
        return self.full(self.label(x))


class Recurrent(nn.Module):
    """One-dimensional convolutions over a signal, then an LSTM in both directions and a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv1d(4, 16, 5, 2, 2), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2))
        self.lstm = nn.LSTM(16, 12, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(24, 12, batch_first=True)
        self.classify = nn.Linear(12, 3)

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        x, _ = self.lstm(self.features(signal).transpose(1, 2))
        x, _ = self.gru(x)
        return self.classify(x[:, -1])


class Detector(nn.Module):
    """SSD: heads at two scales, boxes decoded around anchors, scores of each class."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.classes = classes
        self.first, self.second = nn.Sequential(conv(3, 16, stride=2), Residual(16, 32, 2)), Residual(32, 32, 2)
        self.boxes = nn.ModuleList(nn.Conv2d(32, 2 * 4, 3, padding=1) for _ in range(2))
        self.scores = nn.ModuleList(nn.Conv2d(32, 2 * classes, 3, padding=1) for _ in range(2))
        self.register_buffer("anchors", torch.rand(2 * (8 * 8 + 4 * 4), 4) * 0.5 + 0.25)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        near = self.first(image)
        scales = (near, self.second(near))
        offsets = self._rows(self.boxes, scales, 4)
        centres = offsets[..., :2] * 0.1 * self.anchors[:, 2:] + self.anchors[:, :2]
        sizes = torch.exp(offsets[..., 2:] * 0.2) * self.anchors[:, 2:]
        boxes = torch.cat((centres - sizes / 2, centres + sizes / 2), -1).clamp(0, 1)
        return boxes, self._rows(self.scores, scales, self.classes).sigmoid()

    def _rows(self, heads: nn.ModuleList, scales: tuple[torch.Tensor, ...], width: int) -> torch.Tensor:
        """(1, anchors, width) of all scales."""
        found = [head(x).permute(0, 2, 3, 1).reshape(1, -1, width) for head, x in zip(heads, scales, strict=True)]
        return torch.cat(found, 1)


class Bottleneck(nn.Module):
    """ResNet50's block, the stride in the middle."""

    def __init__(self, before: int, middle: int, stride: int) -> None:
        super().__init__()
        after = 4 * middle
        narrow, back = conv(before, middle, 1), conv(middle, after, 1, act=False)
        self.body = nn.Sequential(narrow, conv(middle, middle, stride=stride), back)
        same = before == after and stride == 1
        self.short = nn.Identity() if same else conv(before, after, 1, stride=stride, act=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.short(x))


class ResNet50(nn.Module):
    """He et al. 2016, table 1, at 224x224: 25.6 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 64, 7, stride=2), nn.MaxPool2d(3, 2, 1))
        blocks, before = [], 64
        for middle, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for number in range(count):
                blocks.append(Bottleneck(before, middle, stride if number == 0 else 1))
                before = 4 * middle
        self.blocks, self.classify = nn.Sequential(*blocks), nn.Linear(before, 1000)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classify(self.blocks(self.stem(image)).mean((2, 3)))


_IMAGE: Shapes = {"image": (1, 3, 32, 32)}
NETWORKS: Mapping[str, Network] = {
    "cnn": Network(build=Cnn, shapes=_IMAGE),
    "residual": Network(build=ResNet, shapes={"image": (1, 3, 64, 64)}),
    "mobilenet": Network(build=MobileNet, shapes=_IMAGE),
    "encoder": Network(build=Encoder, shapes={"features": (1, 12, 32)}),
    "vit": Network(build=ViT, shapes=_IMAGE),
    "segmentation": Network(build=Segmentation, shapes=_IMAGE),
    "recurrent": Network(build=Recurrent, shapes={"signal": (1, 4, 64)}),
    "detector": Network(build=Detector, shapes=_IMAGE),
}
RESNET50 = Network(build=ResNet50, shapes={"image": (1, 3, 224, 224)})


def build(network: Network, seed: int = 0) -> nn.Module:
    """The module in evaluation mode, the same at every call with the same seed."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        module = network.build().eval()
        with torch.no_grad():
            for part in module.modules():
                _settle(part)
    return module


def _settle(part: nn.Module) -> None:
    """Give a batch normalisation the statistics of a trained one."""
    if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(part.running_mean, 0, 0.1)
        nn.init.uniform_(part.running_var, 0.5, 1.5)
        nn.init.uniform_(part.weight, 0.8, 1.2)
        nn.init.normal_(part.bias, 0, 0.1)


def draw(network: Network, seed: int = 0) -> dict[str, torch.Tensor]:
    """One seeded input each."""
    source = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=source) for name, shape in network.shapes.items()}


def run(module: nn.Module, inputs: Mapping[str, torch.Tensor]) -> list[Any]:
    """What the module gives, as float32 arrays, in order."""
    with torch.inference_mode():
        found = module(*inputs.values())
    return [each.numpy() for each in (found if isinstance(found, tuple) else (found,))]
