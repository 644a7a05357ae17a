"""What there is for Core ML programs: each technique, what it does and what a person must know of it."""

from harness.variants.coreml import float16, int8, linear, palette, sparse
from harness.variants.technique import Span, Step, Technique

_DENSE = "CPU, GPU, Neural Engine; unpacked on load or as it is used, as the system likes"
_NOTHING_SAVED = "as one of the same share without a pattern"
_BITS = {"B": palette.BITS}
_SHARES = range(1, 100)
_CHANNELS = range(2, 257)

# Seconds of one core for 10 MB of float32 source, measured on a ResNet-50; k-means grows with the entries of its table.
_KMEANS = {1: 0.75, 2: 0.8, 3: 0.8, 4: 0.95, 6: 1.6, 8: 6.0}


def _kmeans(step: Step) -> float:
    return _KMEANS[step.whole("B")]


def _vectors(step: Step) -> float:
    """sklearn's k-means, of all weights whatever their number."""
    return 0.4 * (1 << step.whole("B")) / step.whole("D")


TECHNIQUES: dict[str, Technique] = {
    "float32": Technique(
        what="the source as it is",
        does=None,
        runs_on="CPU and GPU; the Neural Engine computes in float16",
        size="200 %",
        cost=0.15,
    ),
    "float16": Technique(
        what="weights and activations float16; what every compression starts from",
        does=float16.COMPRESSION,
        runs_on="CPU, GPU, Neural Engine",
        size="100 %",
        cost=0.4,
    ),
    "weight-int8": Technique(
        what="weights int8 with a scale for each output channel, symmetric; activations float16",
        does=linear.COMPRESSION,
        runs_on=_DENSE,
        size="50 %",
        cost=0.6,
    ),
    "weight-uint8": Technique(
        what="weights uint8 with a scale and an offset for each output channel; activations float16",
        does=linear.COMPRESSION,
        runs_on=_DENSE,
        size="50 %",
        cost=0.6,
    ),
    "weight-int4": Technique(
        what="weights int4 with a scale for each output channel, symmetric; activations float16",
        does=linear.COMPRESSION,
        runs_on=_DENSE,
        size="25 %",
        cost=0.6,
    ),
    "weight-int4-block-G": Technique(
        what="weights int4 with a scale for every G input channels of each output channel",
        does=linear.COMPRESSION,
        runs_on=_DENSE,
        size="27 % at G = 32",
        numbers={"G": range(8, 257)},
        cost=0.6,
    ),
    "int8": Technique(
        what="weights and activations int8, calibrated on samples; inputs and outputs stay as they are",
        does=int8.COMPRESSION,
        runs_on="Neural Engine of A17 Pro, M4 and later in integers; elsewhere widened first",
        size="50 %",
        cost=2.0,
    ),
    "sparse-P": Technique(
        what="the P % smallest weights of each tensor set to zero, stored as a mask and what is left",
        does=sparse.COMPRESSION,
        runs_on=_DENSE,
        size="57 % at P = 50, 32 % at 75",
        numbers={"P": _SHARES},
        cost=0.6,
    ),
    "sparse-threshold-T": Technique(
        what="weights within T of zero set to zero",
        does=sparse.COMPRESSION,
        runs_on=_DENSE,
        size="6 % and the share of weights that is left",
        numbers={"T": Span(least=0.000001, most=9.0)},
        cost=0.6,
    ),
    "sparse-N:M": Technique(
        what="the N smallest of every M neighbouring input channels' weights set to zero (N counts zeros)",
        does=sparse.COMPRESSION,
        runs_on=_DENSE,
        size=_NOTHING_SAVED,
        numbers={"N": range(1, 32), "M": range(2, 33)},
        cost=0.7,
    ),
    "sparse-block-K": Technique(
        what="half of the weights set to zero, for K neighbouring output channels together",
        does=sparse.COMPRESSION,
        runs_on=_DENSE,
        size="57 %",
        numbers={"K": _CHANNELS},
        cost=0.6,
    ),
    "sparse-P-block-K": Technique(
        what="P % of the weights set to zero, for K neighbouring output channels together",
        does=sparse.COMPRESSION,
        runs_on=_DENSE,
        size=_NOTHING_SAVED,
        numbers={"P": _SHARES, "K": _CHANNELS},
        cost=0.6,
    ),
    "palette-B": Technique(
        what="the weights of each tensor clustered to 2^B values by k-means, stored as indices of B bits",
        does=palette.COMPRESSION,
        runs_on=_DENSE,
        size="B sixteenths",
        numbers=_BITS,
        cost_of=_kmeans,
    ),
    "palette-B-uniform": Technique(
        what="as palette-B, with values spaced evenly between the least and the greatest",
        does=palette.COMPRESSION,
        runs_on=_DENSE,
        size="B sixteenths",
        numbers=_BITS,
        cost=0.6,
    ),
    "palette-B-unique": Technique(
        what="weights that have at most 2^B values already, stored as indices; nothing is lost",
        does=palette.COMPRESSION,
        runs_on=_DENSE,
        size="at most B sixteenths",
        numbers=_BITS,
        cost=0.8,
    ),
    "palette-B-group-G": Technique(
        what="as palette-B, with a palette for every G output channels",
        does=palette.COMPRESSION,
        runs_on=_DENSE,
        size="B sixteenths and the palettes",
        numbers={**_BITS, "G": range(1, 257)},
        cost_of=lambda step: 2.5 * _kmeans(step),
    ),
    "palette-B-vector-D": Technique(
        what="D neighbouring output channels' weights clustered together to 2^B vectors",
        does=palette.COMPRESSION,
        runs_on=_DENSE,
        size="B / D sixteenths",
        numbers={**_BITS, "D": range(2, 33)},
        cost_of=_vectors,
    ),
    "palette-B-int8-lut": Technique(
        what="as palette-B, with the palette itself int8",
        does=palette.COMPRESSION,
        runs_on=_DENSE,
        size="B sixteenths",
        numbers=_BITS,
        cost_of=lambda step: 0.2 + _kmeans(step),
    ),
}

DEFAULTS: tuple[str, ...] = (
    "float32",
    "float16",
    "weight-int8",
    "weight-uint8",
    "weight-int4",
    "weight-int4-block-32",
    "sparse-50",
    "sparse-75",
    "sparse-2:4",
    "palette-8",
    "palette-6",
    "palette-4",
    "palette-3",
    "palette-2",
    "palette-1",
    "palette-4-uniform",
    "palette-4-group-16",
    "palette-2-vector-2",
    "palette-4-int8-lut",
    "sparse-50+palette-4",
    "sparse-50+weight-int8",
    "int8",
)
