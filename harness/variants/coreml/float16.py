"""Weights and activations in float16, by the toolkit's cast: what every compression starts from."""

from collections.abc import Sequence

from harness.core.target import Target
from harness.variants.technique import Calibration, Compression, CoreMLProgram, Step


def compress(
    program: CoreMLProgram, _step: Step, _weights: Sequence[str], _joint: bool, _calibration: Calibration | None
) -> CoreMLProgram:
    """The program as it is: it was cast when it was opened (`package.py`)."""
    return program


COMPRESSION = Compression(compress=compress, since=lambda _: Target.IOS15)
