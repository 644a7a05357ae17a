"""Files that a vendor's compiler made for one accelerator: nothing on the host can run them."""

from harness.variants.settings import operators_in

_COMPILED = {"CUSTOM:DISPATCH_OP": "an NPU", "CUSTOM:edgetpu-custom-op": "the Edge TPU"}


def compiled_for(content: bytes) -> str | None:
    """A sentence for a file that holds an accelerator's program, None for any other."""
    for operator in operators_in(content):
        if accelerator := _COMPILED.get(operator.type):
            name = operator.type.removeprefix("CUSTOM:")
            return f"compiled for {accelerator} ({name}), which the host cannot run: fidelity is unknown"
    return None
