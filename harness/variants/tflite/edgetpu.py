"""What the Edge TPU compiler would probably leave on the CPU: a static check, without the compiler.

Source: coral.ai/docs/edgetpu/models-intro ("Model requirements", "Supported operations"). The table here was written
without that page at hand, from a 2019 copy, from developer.axis.com's copy for the ARTPEC-7 and from memory, and no
verdict of this file was ever compared with the real compiler. A model that passes may still be refused by it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

from harness.sources.schema_names import TYPES, operator_name
from harness.variants.tflite.edgetpu_notes import shortened

ON_CHIP_BYTES = 8 << 20  # coral.ai/docs/edgetpu/compiler, "Parameter data caching"
_SOFTMAX_ELEMENTS = 16_000
_INTEGERS = ("int8", "uint8", "int32", "bool")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operator:
    """One operator with what the rules ask of it. constants are None for what is computed or is no int32; filled tells
    of each input whether the file holds its values."""

    type: str
    options: Any
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    constants: tuple[Any, ...]
    filled: tuple[bool, ...]


Rule = Callable[[_Operator], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTpuCheck:
    """reasons of operators that would stay on the CPU, by operator index; parameter_bytes of all constants."""

    operators: int
    reasons: Mapping[int, str]
    parameter_bytes: int


def notes(content: bytes) -> tuple[str, ...]:
    """What to tell of a built variant: which operators could be on the Edge TPU, and whether its memory holds it."""
    found = check(content)
    used = f"{found.parameter_bytes / (1 << 20):.1f} MiB of parameters"
    fits = "fit" if found.parameter_bytes <= ON_CHIP_BYTES else "do not fit"
    memory = f"Edge TPU: {used} {fits} its {ON_CHIP_BYTES >> 20} MiB on-chip memory"
    return f"Edge TPU (static check, not its compiler): {_verdict(found)}", memory


def check(content: bytes) -> EdgeTpuCheck:
    """Judge the operators of a file's first graph."""
    model = flatbuffer_utils.read_model_from_bytearray(content)
    graph = model.subgraphs[0]
    reasons = {}
    for index, operator in enumerate(graph.operators):
        reason = "the file has more than one graph" if len(model.subgraphs) > 1 else _reason(model, graph, operator)
        if reason is not None:
            reasons[index] = reason
    sizes = {tensor.buffer: _bytes(model, tensor) for tensor in graph.tensors}
    return EdgeTpuCheck(operators=len(graph.operators), reasons=reasons, parameter_bytes=sum(sizes.values()))


def _verdict(found: EdgeTpuCheck) -> str:
    if not found.reasons:
        return f"all {found.operators} operators could be on it"
    counts = Counter(found.reasons.values()).most_common()
    told = shortened([f"{count} x {reason}" for reason, count in counts])
    first = min(found.reasons)
    behind = f", and with operator {first} everything behind it" if len(found.reasons) < found.operators - first else ""
    return f"{len(found.reasons)} of {found.operators} operators would stay on the CPU{behind}: {told}"


def _reason(model: Any, graph: Any, operator: Any) -> str | None:  # noqa: ANN401 (generated code)
    """Why an operator would stay on the CPU, None where nothing is known against it."""
    name = operator_name(model.operatorCodes[operator.opcodeIndex])
    if name not in _RULES:
        return f"{name} is not supported"
    there = [graph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0]
    tensors = [_tensor_reason(model, tensor) for tensor in there]
    found = _Operator(
        type=name,
        options=operator.builtinOptions,
        inputs=tuple(_shape(graph.tensors[i]) for i in operator.inputs if i >= 0),
        outputs=tuple(_shape(graph.tensors[i]) for i in operator.outputs),
        constants=tuple(_integers(model, graph.tensors[i]) for i in operator.inputs if i >= 0),
        filled=tuple(_bytes(model, graph.tensors[i]) > 0 for i in operator.inputs if i >= 0),
    )
    reason = next((each for each in (*tensors, *(rule(found) for rule in _RULES[name])) if each), None)
    return f"{name} {reason}" if reason else None


def _tensor_reason(model: Any, tensor: Any) -> str | None:  # noqa: ANN401 (generated code)
    dtype = TYPES.get(tensor.type, "?")
    if dtype not in _INTEGERS:
        return f"has {dtype} tensors"
    signature = tensor.shapeSignature
    if signature is not None and any(size < 0 for size in signature):
        return "has an open shape"
    if not _bytes(model, tensor) and any(size > 1 for size in _shape(tensor)[:-3]):
        return "has a tensor with more than its 3 innermost dimensions above 1"
    return None


def _not_fused(operator: _Operator) -> str | None:
    return "has a fused activation" if getattr(operator.options, "fusedActivationFunction", 0) else None


def _same_dilation(operator: _Operator) -> str | None:
    options = operator.options
    return "has two dilations" if options and options.dilationHFactor != options.dilationWFactor else None


def _one_dimension(operator: _Operator) -> str | None:
    return "has an output of more than one dimension" if sum(size > 1 for size in operator.outputs[0]) > 1 else None


def _not_too_long(operator: _Operator) -> str | None:
    return f"has more than {_SOFTMAX_ELEMENTS} elements" if prod(operator.outputs[0]) > _SOFTMAX_ELEMENTS else None


def _axes(operator: _Operator) -> str | None:
    """No reduction over the batch; MEAN over the channels only where there is a multiple of 4 of them."""
    shape = operator.inputs[0]
    axes = [int(axis) % len(shape) for axis in operator.constants[1]] if operator.constants[1] is not None else []
    if len(shape) > 1 and 0 in axes:
        return "reduces the batch"
    if operator.type == "MEAN" and len(shape) - 1 in axes and shape[-1] % 4:
        return "reduces channels that are no multiple of 4"
    return None


def _strides_of_one(operator: _Operator) -> str | None:
    strides = operator.constants[3] if len(operator.constants) > 3 else None
    return "has strides above 1" if strides is not None and any(stride != 1 for stride in strides) else None


def _no_constant_of_three(operator: _Operator) -> str | None:
    """A constant may be joined to one tensor, and then has to be zeros; whether it is those is not looked at."""
    return "joins a constant to several tensors" if any(operator.filled) and len(operator.filled) > 2 else None


def _not_packing_the_batch(operator: _Operator) -> str | None:
    axis = getattr(operator.options, "axis", None)
    return "packs the batch" if axis is not None and axis % len(operator.outputs[0]) == 0 else None


def _not_padding_the_batch(operator: _Operator) -> str | None:
    pads = operator.constants[1] if len(operator.constants) > 1 else None
    return "pads the batch" if pads is not None and len(operator.inputs[0]) > 3 and any(pads[:2]) else None


def _alpha_of_channels(operator: _Operator) -> str | None:
    wide = len(operator.inputs) > 1 and any(size > 1 for size in operator.inputs[1][:-1])
    return "has an alpha of more than the channels" if wide else None


def _not_splitting_the_batch(operator: _Operator) -> str | None:
    axis, shape = operator.constants[0], operator.inputs[-1]
    return "splits the batch" if axis is not None and len(shape) > 3 and int(axis[0]) % len(shape) == 0 else None


def _plain_slice(operator: _Operator) -> str | None:
    masks = (getattr(operator.options, name, 0) for name in ("ellipsisMask", "newAxisMask"))
    return "has an ellipsis or a new axis" if any(masks) else None


_PLAIN = (
    *("ADD", "EXPAND_DIMS", "L2_NORMALIZATION", "LOGISTIC", "UNIDIRECTIONAL_SEQUENCE_LSTM", "MAXIMUM", "MINIMUM"),
    *("MUL", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR"),
    *("RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE", "SPACE_TO_DEPTH", "SQUEEZE", "SUB", "SQUARED_DIFFERENCE"),
    *("TANH", "TRANSPOSE", "TRANSPOSE_CONV"),
)
_RULES: Mapping[str, tuple[Rule, ...]] = {
    **dict.fromkeys(_PLAIN, ()),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), (_not_fused,)),
    "CONCATENATION": (_not_fused, _no_constant_of_three),
    "PACK": (_not_packing_the_batch,),
    "PAD": (_not_padding_the_batch,),
    "PRELU": (_alpha_of_channels,),
    "SPLIT": (_not_splitting_the_batch,),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), (_same_dilation,)),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), (_axes,)),
    "FULLY_CONNECTED": (_one_dimension,),
    "SOFTMAX": (_one_dimension, _not_too_long),
    "STRIDED_SLICE": (_strides_of_one, _plain_slice),
}


def _shape(tensor: Any) -> tuple[int, ...]:  # noqa: ANN401 (generated code)
    return tuple(int(size) for size in tensor.shape) if tensor.shape is not None else ()


def _bytes(model: Any, tensor: Any) -> int:  # noqa: ANN401 (generated code)
    content = model.buffers[tensor.buffer].data
    return 0 if content is None else len(content)


def _integers(model: Any, tensor: Any) -> Any:  # noqa: ANN401 (generated code)
    """Values of a constant of integers: axes, strides. None for what is computed or is a weight."""
    content = model.buffers[tensor.buffer].data
    if content is None or TYPES.get(tensor.type) != "int32":
        return None
    return np.frombuffer(bytes(content), "<i4")
