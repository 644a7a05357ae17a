"""`float32`: the source as it is."""

from harness.variants.technique import Calibration, Step


def build(content: bytes, step: Step, calibration: Calibration | None) -> bytes:  # noqa: ARG001 (the table's signature)
    """The source's own bytes."""
    return content
