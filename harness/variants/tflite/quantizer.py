"""ai-edge-quantizer, behind one function.

It names tensors by name and runs models by signature; both are made sure of first. It prints a report and a progress
bar, which are turned off where it lets us, and its own threads are set to one because builds run side by side.
"""

import threading
import warnings
from collections.abc import Callable
from typing import Any

import tqdm  # type: ignore[import-untyped]
from ai_edge_quantizer import algorithm_manager, qtyping, recipe_manager
from ai_edge_quantizer.calibrator import Calibrator
from ai_edge_quantizer.quantizer import Quantizer
from ai_edge_quantizer.utils import qsv_utils

from harness.variants.technique import Calibration
from harness.variants.tflite.naming import ensure_names, signature_inputs

Configure = Callable[[Quantizer], None]

EVERY_OPERATOR = qtyping.TFLOperationName.ALL_SUPPORTED
EVERYWHERE = ".*"
NOT_QUANTIZED = algorithm_manager.AlgorithmName.NO_QUANTIZE
CAST = algorithm_manager.AlgorithmName.FLOAT_CASTING


def quantize(content: bytes, configure: Configure, calibration: Calibration | None = None) -> bytes:
    """The model as ai-edge-quantizer makes it with the recipe that configure adds.

    calibration is needed where that recipe has static activations. Raises whatever the quantizer raises.
    """
    content = ensure_names(content)
    tqdm.tqdm.set_lock(threading.RLock())  # its default is a semaphore of the system's, which a killed build leaves
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own debug interpreter; partly quantised sources
        quantizer = Quantizer(content)
        configure(quantizer)
        ranges = _ranges(quantizer, content, calibration) if quantizer.need_calibration else None
        made = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(made.quantized_model)


def _ranges(quantizer: Quantizer, content: bytes, calibration: Calibration | None) -> dict[str, Any]:
    """The least and the greatest value of every tensor over all samples.

    The quantizer's own way is a moving average, which cuts off what the samples reach: on the shipped digits that
    costs 20 dB at 16 bits. TensorFlow's converter takes the extremes as well.
    """
    if calibration is None:
        raise ValueError("static quantisation without calibration samples")
    key, names = signature_inputs(content)
    samples = [{names[place]: values for place, values in sample.items()} for sample in calibration.samples]
    recipe = recipe_manager.RecipeManager()
    recipe.load_quantization_recipe(quantizer.get_quantization_recipe())
    calibrator = Calibrator(content, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    calibrator.calibrate({key: samples}, recipe)
    ranges: dict[str, Any] = calibrator.get_model_qsvs()
    return ranges


def static(activation_bits: int) -> Configure:
    """int8 weights per channel, activations of that many bits, everywhere, inputs and outputs too."""
    return lambda quantizer: quantizer.add_static_config(EVERYWHERE, EVERY_OPERATOR, activation_bits, 8)
