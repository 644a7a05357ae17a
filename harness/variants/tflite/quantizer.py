"""ai-edge-quantizer, behind one function.

It names tensors by name and runs models by signature; both are made sure of first. It prints a report and a progress
bar, which are turned off where it lets us, and its own threads are set to one because builds run side by side.
"""

import re
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tqdm  # type: ignore[import-untyped]
from ai_edge_quantizer import algorithm_manager, qtyping, recipe_manager
from ai_edge_quantizer.calibrator import Calibrator
from ai_edge_quantizer.quantizer import Quantizer
from ai_edge_quantizer.utils import qsv_utils, tfl_flatbuffer_utils

from harness.variants.technique import Arithmetic, Calibration, Quantization
from harness.variants.tflite.naming import ensure_names, signature_inputs

_EVERY_TYPE = qtyping.TFLOperationName.ALL_SUPPORTED
_ALGORITHM = algorithm_manager.AlgorithmName
_ENDS = (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT)
_EVERYWHERE = ".*"
_BITS = {"int4": 4, "int8": 8, "uint8": 8, "int16": 16, "float16": 16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What some operators get instead, each by its graph and index there; quantization None leaves them as they are."""

    quantization: Quantization | None
    operators: frozenset[tuple[int, int]]


def quantize(
    content: bytes,
    quantization: Quantization | None,
    calibration: Calibration | None = None,
    exceptions: Sequence[Rule] = (),
) -> bytes:
    """The model with every operator quantised as said, but for the exceptions; the ends go by `quantization`.

    calibration is needed where one of them has static activations. What is to have them and is in a graph that no
    signature runs (a loop's, a branch's) stays as it is: the quantizer calibrates signatures. Raises whatever the
    quantizer raises.
    """
    content = ensure_names(content)
    tqdm.tqdm.set_lock(threading.RLock())  # its default is a semaphore of the system's, which a killed build leaves
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own debug interpreter; partly quantised sources
        quantizer = Quantizer(content)
        _configure(quantizer, content, quantization, exceptions)
        ranges = _ranges(quantizer, content, calibration) if quantizer.need_calibration else None
        if ranges == {}:  # nothing that the recipe fits, which the quantizer takes for samples that are missing
            return content
        made = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(made.quantized_model)


def _configure(
    quantizer: Quantizer, content: bytes, quantization: Quantization | None, exceptions: Sequence[Rule]
) -> None:
    """Rules are found by regular expression of an operator's outputs, and the last that fits holds.

    The ends are operators too and go by the tensors' names, so they come last.
    """
    model = tfl_flatbuffer_utils.read_model(memoryview(content))
    inner = _inner_graphs(model)
    static = Rule(quantization=None, operators=_static(model, inner, quantization, exceptions))
    _add(quantizer, _EVERYWHERE, quantization)
    for rule in (*exceptions, static):
        # An operator has one rule: two of one expression would count as one rule, written twice.
        names = _scopes(model, rule.operators if rule is static else rule.operators - static.operators)
        if names:
            _add(quantizer, _one_of(names), rule.quantization)
    _add_ends(quantizer, quantization, _end_scopes(model, inner))


def _add_ends(quantizer: Quantizer, quantization: Quantization | None, inner: list[str]) -> None:
    """What inputs and outputs are, those of inner graphs always as they were."""
    for end in _ENDS:
        quantizer.update_quantization_recipe(_again(_EVERYWHERE, 4), end, algorithm_key=_ALGORITHM.NO_QUANTIZE)
        if quantization is not None and quantization.calibrated and quantization.ends != "float32":
            config = _config(quantization, quantization.ends, per_tensor=False)
            quantizer.update_quantization_recipe(_again(_EVERYWHERE, 5), end, config)
        if inner:
            quantizer.update_quantization_recipe(_one_of(inner), end, algorithm_key=_ALGORITHM.NO_QUANTIZE)


def inner_graphs(content: bytes) -> frozenset[int]:
    """Numbers of the graphs that only a loop or a branch runs, whose operators have no static activations."""
    return _inner_graphs(tfl_flatbuffer_utils.read_model(memoryview(ensure_names(content))))


def _inner_graphs(model: Any) -> frozenset[int]:  # noqa: ANN401 (generated code)
    """Graphs that only a loop or a branch runs. A composite's is the quantizer's own business."""
    run = {int(signature.subgraphIndex) for signature in model.signatureDefs}
    for graph in model.subgraphs:
        for operator in graph.operators:
            run.update(tfl_flatbuffer_utils.get_op_side_effect_subgraphs(operator))
    return frozenset(range(len(model.subgraphs))) - run


def _static(
    model: Any,  # noqa: ANN401 (generated code)
    graphs: frozenset[int],
    quantization: Quantization | None,
    exceptions: Sequence[Rule],
) -> frozenset[tuple[int, int]]:
    """The operators of these graphs that are to have static activations."""
    given = {place: rule.quantization for rule in exceptions for place in rule.operators}
    places = [(graph, index) for graph in graphs for index in range(len(model.subgraphs[graph].operators))]
    wanted = {place: given.get(place, quantization) for place in places}
    return frozenset(place for place, rule in wanted.items() if rule is not None and rule.calibrated)


def _end_scopes(model: Any, graphs: frozenset[int]) -> list[str]:  # noqa: ANN401 (generated code)
    return [
        tfl_flatbuffer_utils.get_op_scope(end, model.subgraphs[number].tensors)
        for number in sorted(graphs)
        for end in tfl_flatbuffer_utils.get_subgraph_input_output_operators(model.subgraphs[number])
    ]


def _one_of(names: Sequence[str]) -> str:
    return rf"^(?:{'|'.join(map(re.escape, names))})$"


def _add(quantizer: Quantizer, scope: str, quantization: Quantization | None) -> None:
    """Nothing first, then what the others get, then the rule itself: where it does not fit, the one before holds."""
    quantizer.update_quantization_recipe(scope, _EVERY_TYPE, algorithm_key=_ALGORITHM.NO_QUANTIZE)
    rules = [] if quantization is None else [quantization]
    if quantization is not None and quantization.others is not None:
        rules.insert(0, quantization.others)
    for number, rule in enumerate(rules, 1):
        every = _config(rule, rule.activations, per_tensor=rule.per_tensor is None)
        key = _algorithm(rule)
        quantizer.update_quantization_recipe(_again(scope, number), _EVERY_TYPE, every, key)
        for name in rule.per_tensor or ():
            config = _config(rule, rule.activations, per_tensor=True)
            quantizer.update_quantization_recipe(_again(scope, number), qtyping.TFLOperationName(name), config, key)


def _again(scope: str, number: int) -> str:
    """The same expression written in another way: each is a key, and its rules stand where it was first given."""
    return "(?:)" * number + scope


def _scopes(model: Any, operators: frozenset[tuple[int, int]]) -> list[str]:  # noqa: ANN401 (generated code)
    """What the quantizer calls the operators: the names of their outputs."""
    return [
        tfl_flatbuffer_utils.get_op_scope(operator, graph.tensors)
        for number, graph in enumerate(model.subgraphs)
        for index, operator in enumerate(graph.operators)
        if (number, index) in operators
    ]


def _algorithm(quantization: Quantization) -> Any:  # noqa: ANN401 (an enumeration of the quantizer)
    return _ALGORITHM.FLOAT_CASTING if quantization.weights == "float16" else _ALGORITHM.MIN_MAX_UNIFORM_QUANT


def _config(quantization: Quantization, activations: str, *, per_tensor: bool) -> qtyping.OpQuantizationConfig:
    """Weights are symmetric, which is what LiteRT's kernels take; so are 16-bit activations."""
    granularity = qtyping.QuantGranularity.TENSORWISE if per_tensor else qtyping.QuantGranularity.CHANNELWISE
    widened = quantization.arithmetic is Arithmetic.WIDENED
    return qtyping.OpQuantizationConfig(
        activation_tensor_config=_activations(activations) if quantization.calibrated else None,
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=_BITS[quantization.weights],
            symmetric=True,
            granularity=granularity,
            dtype=_kind(quantization.weights),
        ),
        compute_precision=qtyping.ComputePrecision.FLOAT if widened else qtyping.ComputePrecision.INTEGER,
        explicit_dequantize=widened,
    )


def _activations(dtype: str) -> qtyping.TensorQuantizationConfig:
    return qtyping.TensorQuantizationConfig(num_bits=_BITS[dtype], symmetric=dtype == "int16", dtype=_kind(dtype))


def _kind(dtype: str) -> qtyping.TensorDataType:
    if dtype.startswith("float"):
        return qtyping.TensorDataType.FLOAT
    return qtyping.TensorDataType.UINT if dtype.startswith("uint") else qtyping.TensorDataType.INT


def _ranges(quantizer: Quantizer, content: bytes, calibration: Calibration | None) -> dict[str, Any]:
    """The least and the greatest value of every tensor over all samples.

    The quantizer's own way is a moving average, which cuts off what the samples reach: on the shipped digits that
    costs 20 dB at 16 bits. TensorFlow's converter takes the extremes as well.
    """
    if calibration is None:
        raise ValueError("static quantisation without calibration samples")
    recipe = recipe_manager.RecipeManager()
    recipe.load_quantization_recipe(quantizer.get_quantization_recipe())
    calibrator = Calibrator(content, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    for signature, samples in calibration.samples.items():
        key, names = signature_inputs(content, signature)
        calibrator.calibrate({key: [{names[place]: v for place, v in sample.items()} for sample in samples]}, recipe)
    ranges: dict[str, Any] = calibrator.get_model_qsvs()
    return ranges
