"""Which XNNPACK kernels an operator of a .tflite file runs as.

A kernel's tag is its name with layout and types: `Fully Connected (NC, QDU8, F32, QC8W) GEMM`. What comes before the
parenthesis decides. Sources: XNNPACK src/operator-utils.c (xnn_operator_type_to_string_v2) for the names,
tflite/delegates/xnnpack/xnnpack_delegate.cc (Visit*Node) for what each operator is turned into, XNNPACK src/subgraph.c
(fusion, common subgraphs, inlined packing) for what is folded, and cut-outs of single operators for what they ran as
(docs/per-op.md).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from harness.core.model import OpNode

# Prices of an alignment, in tenths. Their order matters, not their size: the cheapest path must prefer what the
# delegate is known to do, then a helper, then an operator that vanished, and only then a kernel nobody can explain.
ELIDED = 1  # an operator that the delegate is known to fold away
FUSED = 10  # one that it folds in rare cases
LOST = 50  # one that should have run
HELPER = 1  # a kernel that the operator is known to bring along
STRAY = 3  # a kernel that moves or converts data, where it is not expected
MISPLACED = 5  # a helper on the wrong side of its kernel
SECOND = 10  # a further main kernel
HEADLESS = 30  # helpers without a main kernel
UNKNOWN = 200  # a kernel that no rule gives to this operator
UNRULED = 40  # any kernel of an operator type that has no rule: less than LOST, or it would go to a neighbour


class Part(Enum):
    """What a kernel is to an operator."""

    MAIN = 0
    BEFORE = 1
    AFTER = 2
    STRAY = 3
    UNKNOWN = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """main: names of the kernel that does the work. before and after: kernels it brings along.

    vanish is the price of the operator having no kernel. many: several main kernels are expected.
    """

    main: frozenset[str]
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    vanish: int = LOST
    many: bool = False


def kernel_name(tag: str) -> str:
    """The name in a tag, without layout and types, in small letters and without blanks."""
    return re.sub(r"\s", "", tag.split("(", 1)[0]).casefold()


def part_of(operator: str, tag: str) -> Part:
    """What a kernel is to an operator of this type (`CONV_2D`)."""
    name, rule = kernel_name(tag), rule_for(operator)
    if name in rule.main:
        return Part.MAIN
    if name in rule.before:
        return Part.BEFORE
    if name in rule.after:
        return Part.AFTER
    return Part.STRAY if name in _MOVES and operator in _RULES else Part.UNKNOWN


def kind_of(node: OpNode, tags: Sequence[str]) -> str:
    """The type that decides on an operator's kernels, in a partition that ran as these tags.

    XNNPACK rewrites a tensor times itself as its square. Where it makes lookup tables, an operator with a constant
    counts as one of a single input, and one of two inputs may end a chain that both come from (`x * sigmoid(x)`).
    Source: XNNPACK src/subgraph.c, optimize_common_subgraphs_mul_to_sqr and is_pure_unary_elementwise.
    """
    if node.type == "MUL" and len(node.inputs) == 2 and len(set(node.inputs)) == 1:
        return "SQUARE"
    variant = node.type + (_BY_CONSTANT if len(node.inputs) == 1 else _OF_TWO)
    tables = variant in _RULES and any(kernel_name(tag) in _LOOKUP for tag in tags)
    return variant if tables else node.type


def rule_for(operator: str) -> Rule:
    """The rule of an operator type; one that expects nothing where the type is not known."""
    return _RULES.get(operator, _NO_RULE)


def price_of(operator: str, tags: Sequence[str]) -> int:
    """What it costs to say that an operator ran as these kernels, in this order. No kernels: that it vanished."""
    rule = rule_for(operator)
    if not tags:
        return rule.vanish
    if rule is _NO_RULE:
        return UNRULED * len(tags)
    parts = [part_of(operator, tag) for tag in tags]
    price = sum(_PRICES[part] for part in parts)
    if Part.MAIN not in parts:
        return price + (0 if Part.UNKNOWN in parts else HEADLESS + rule.vanish)
    first = parts.index(Part.MAIN)
    price += 0 if rule.many else SECOND * (parts.count(Part.MAIN) - 1)
    return price + MISPLACED * (parts[first:].count(Part.BEFORE) + parts[:first].count(Part.AFTER))


def _names(*names: str) -> frozenset[str]:
    return frozenset(kernel_name(name) for name in names)


_BY_CONSTANT, _OF_TWO = " by a constant", " of two"
_PRICES = {Part.MAIN: 0, Part.BEFORE: HELPER, Part.AFTER: HELPER, Part.STRAY: STRAY, Part.UNKNOWN: UNKNOWN}
_MOVES = _names(
    "Copy", "Convert", "Static Reshape", "Static Expand Dims", "Fuse Dims", "Split Dims", "Transpose", "Pack LH",
    "Constant Pad", "Clamp",
)  # fmt: skip
_RESHAPES = _names("Copy", "Static Reshape", "Static Expand Dims", "Fuse Dims", "Split Dims")
_PACKS = _names("Convert", "Pack LH")
_CLAMP = _names("Clamp")
_LOOKUP = _names("Unary Elementwise", "Invalid Unary Op")  # a chain of quantised operators made into one table
_PRODUCT = _names("Fully Connected", "Dynamic Fully Connected", "Batch Matrix Multiply")


def _unary(*names: str) -> Rule:
    return Rule(_names(*names) | _LOOKUP, vanish=FUSED)


def _binary(*names: str) -> Rule:
    return Rule(_names(*names, "Binary Elementwise"), after=_CLAMP)


_NO_RULE = Rule(frozenset())
_MOVE = Rule(_RESHAPES, vanish=ELIDED)
_ACTIVATION = Rule(_CLAMP | _LOOKUP, vanish=ELIDED)
_CONVERT = Rule(_names("Convert", "Copy") | _LOOKUP, vanish=ELIDED)
_ATTENTION = Rule(
    _PRODUCT
    | _RESHAPES
    | _PACKS
    | _CLAMP
    | _names("Transpose", "Multiply", "Divide", "TanH", "Add", "Softmax", "Subtract", "Square", "Mean", "RoPE")
    | _names("Mean Squared", "Reciprocal Square Root", "Square Root", "Normalize"),
    many=True,
)

_RULES: dict[str, Rule] = {
    "CONV_2D": Rule(_names("Convolution") | _PRODUCT, _PACKS, _CLAMP),
    "DEPTHWISE_CONV_2D": Rule(_names("Convolution"), _PACKS, _CLAMP),
    "TRANSPOSE_CONV": Rule(_names("Deconvolution"), _PACKS, _CLAMP),
    "FULLY_CONNECTED": Rule(_PRODUCT, _PACKS | _names("Static Reshape"), _CLAMP),
    "BATCH_MATMUL": Rule(_PRODUCT, _PACKS | _names("Transpose")),
    "ADD": _binary("Add", "Subtract"),
    "SUB": _binary("Subtract", "Add"),
    "MUL": _binary("Multiply", "Square"),
    "DIV": _binary("Divide"),
    "MAXIMUM": _binary("Maximum", "Clamp"),
    "MINIMUM": _binary("Minimum", "Clamp"),
    "SQUARED_DIFFERENCE": _binary("Squared Difference"),
    "PRELU": _binary("PReLU"),
    "ABS": _unary("Abs"),
    "NEG": _unary("Negate"),
    "SQUARE": _unary("Square"),
    "SQRT": _unary("Square Root"),
    "RSQRT": _unary("Reciprocal Square Root"),
    "EXP": _unary("Exp"),
    "LOG": _unary("Log"),
    "SIN": _unary("Sine"),
    "COS": _unary("Cosine"),
    "CEIL": _unary("Ceiling"),
    "FLOOR": _unary("Floor"),
    "ROUND": _unary("Bankders Rounding", "Bankers Rounding"),  # the first is how XNNPACK spells it
    "TANH": _unary("TanH"),
    "LOGISTIC": _unary("Sigmoid"),
    "GELU": _unary("GELU", "ApproxGELU"),
    "ELU": _unary("ELU"),
    "LEAKY_RELU": _unary("Leaky ReLU"),
    "HARD_SWISH": _unary("HardSwish"),
    "RELU": _ACTIVATION,
    "RELU6": _ACTIVATION,
    "RELU_N1_TO_1": _ACTIVATION,
    "AVERAGE_POOL_2D": Rule(_names("Average Pooling", "Global Average Pooling", "Clamp", "Copy"), after=_CLAMP),
    "MAX_POOL_2D": Rule(_names("Max Pooling", "Clamp", "Copy"), after=_CLAMP),
    "MEAN": Rule(_names("Mean", "Mean Squared", "Global Average Pooling")),
    "SUM": Rule(_names("Sum", "Normalize", "Global Sum Pooling")),
    "REDUCE_MAX": Rule(_names("Reduce Max")),
    "REDUCE_MIN": Rule(_names("Reduce Min")),
    "SOFTMAX": Rule(_names("Softmax")),
    "RESHAPE": _MOVE,
    "SQUEEZE": _MOVE,
    "EXPAND_DIMS": _MOVE,
    "TRANSPOSE": Rule(_names("Transpose", "Copy", "Static Reshape"), vanish=ELIDED),
    "PAD": Rule(_names("Constant Pad"), vanish=ELIDED),
    "PADV2": Rule(_names("Constant Pad"), vanish=ELIDED),
    "CONCATENATION": Rule(_names("Copy")),
    "SPLIT": Rule(_names("Copy")),
    "SLICE": Rule(_names("Slice", "Copy")),
    "STRIDED_SLICE": Rule(_names("Slice", "Copy")),
    "RESIZE_BILINEAR": Rule(_names("Resize Bilinear")),
    "DEPTH_TO_SPACE": Rule(_names("Depth To Space")),
    "SPACE_TO_DEPTH": Rule(_names("Space To Depth")),
    "QUANTIZE": _CONVERT,
    "DEQUANTIZE": _CONVERT,
    "CAST": _CONVERT,
    "DENSIFY": Rule(frozenset(), vanish=ELIDED),
    "VAR_HANDLE": Rule(frozenset(), vanish=ELIDED),
    "READ_VARIABLE": _MOVE,
    "ASSIGN_VARIABLE": _MOVE,
    "STABLEHLO_COMPOSITE": _ATTENTION,
    "CUSTOM:odml.scaled_dot_product_attention": _ATTENTION,
    "CUSTOM:MaxPoolingWithArgmax2D": Rule(_names("ArgMax Pooling")),
    "CUSTOM:MaxUnpooling2D": Rule(_names("Unpooling")),
    "CUSTOM:Convolution2DTransposeBias": Rule(_names("Deconvolution"), after=_CLAMP),
}
_RULES |= {
    f"{code}{which}": Rule(_RULES[code].main | _LOOKUP, after=_CLAMP, vanish=vanish)
    for code in ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU")
    for which, vanish in ((_BY_CONSTANT, FUSED), (_OF_TWO, LOST))
}
