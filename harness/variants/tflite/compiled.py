"""Files that a vendor's compiler made for one accelerator: nothing on the host can run them."""

from harness.variants.settings import operators_in

EDGETPU = "the Edge TPU"
_COMPILED = {"CUSTOM:DISPATCH_OP": "an NPU", "CUSTOM:edgetpu-custom-op": EDGETPU}


def compiled_for(content: bytes) -> str | None:
    """Whom a file holds a program for, as `an NPU (DISPATCH_OP)`; None for one that the host can run."""
    types = (operator.type for operator in operators_in(content))
    return next((f"{_COMPILED[t]} ({t.removeprefix('CUSTOM:')})" for t in types if t in _COMPILED), None)
