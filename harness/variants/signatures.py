"""Signatures of a model besides the one that is run: their graphs are quantised too."""

from harness.core.errors import ModelUnreadable
from harness.core.model import Model
from harness.sources.signatures import Signature
from harness.sources.tflite import read_signatures


def other_signatures(model: Model) -> tuple[Signature, ...]:
    """One signature for each graph that the one that is run does not run. Raises ModelUnreadable."""
    signatures = read_signatures(model.path)
    run = next((each for each in signatures if each.key == model.signature), signatures[0])
    by_graph = {each.graph: each for each in reversed(signatures) if each.graph != run.graph}
    return tuple(by_graph.values())[::-1]


def calibration_refusal(model: Model) -> str | None:
    """Why a signature that is not run cannot be calibrated on inputs that are made up, None where all can."""
    try:
        others = other_signatures(model) if len(model.signatures) > 1 else ()
    except ModelUnreadable:
        return None  # not there any more: the build will say so
    for signature in others:
        for spec in signature.inputs:
            if spec.dtype == "string" or any(size < 1 for size in spec.shape):
                what = "holds strings" if spec.dtype == "string" else f"has the open shape {list(spec.shape)}"
                reason = f"the input {spec.name!r} of its signature {signature.key!r} {what}"
                return f"{reason}, so that graph cannot be calibrated; export the signature that is to be run alone"
    return None
