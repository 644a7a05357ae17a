"""Operators of a program that neither the reference nor coremltools knows, from the specification alone."""

from pathlib import Path

from harness.fidelity.mil.program import operator_types
from harness.fidelity.mil.translation import KNOWN
from harness.sources.mlpackage_file import open_package


def unknown_operators(path: Path) -> list[str]:
    """Their types, of all functions. The reference has every operator of the version of coremltools that is pinned.

    Raises ModelUnreadable.
    """
    functions = open_package(path).specification.mlProgram.functions.values()
    blocks = [block for function in functions for block in function.block_specializations.values()]
    return sorted({each for block in blocks for each in operator_types(block)} - KNOWN)
