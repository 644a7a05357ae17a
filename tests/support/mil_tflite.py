"""Single operations of ML Programs as .tflite files, run by LiteRT: the cases that the reference is checked with."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sources.mil_tflite.canvas import Untranslatable
from harness.sources.mil_tflite.translate import OPERATORS, translate
from harness.toolkit import import_coremltools
from tests.support.mil_oracle import Case, Result, expected_of

Array = NDArray[Any]

_FOLDER = Path(__file__).parents[1] / "unit" / "harness" / "fidelity" / "mil"
_TYPES = {"float32": "fp32", "int32": "int32", "bool": "bool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A case that has no .tflite, and the words that say so."""

    op: str
    reason: str


def cases() -> list[Case]:
    """Those of the reference's tests whose operator has a counterpart and whose inputs .tflite has types for."""
    modules = (f"tests.unit.harness.fidelity.mil.{path.stem}" for path in sorted(_FOLDER.glob("test_operators_*.py")))
    every = [case for module in modules for case in getattr(importlib.import_module(module), "CASES", ())]
    return [case for case in every if case.op in OPERATORS and all(_is_typed(each) for each in case.inputs.values())]


def _is_typed(value: Array) -> bool:
    return value.dtype.name in _TYPES and value.ndim > 0


def run(case: Case) -> list[Result] | Refused:
    """The outputs of one case, from a file of its own. Raises what LiteRT raises."""
    function, outputs = build(case)
    try:
        content = translate(function)
    except Untranslatable as problem:
        return Refused(op=case.op, reason=str(problem))
    found = run_tflite(content, case.inputs)
    return [
        Result(
            case=case,
            dtype="fp32" if found[name].dtype == np.float32 else found[name].dtype.name,
            actual=found[name].astype(np.float64).reshape(expected.shape),
            expected=_round(expected, found[name].dtype),
        )
        for name, expected in zip(outputs, expected_of(case), strict=True)
    ]


def build(case: Case) -> tuple[Any, list[str]]:
    """A function of a coremltools program with the case's operation alone, and its outputs' names."""
    coremltools = import_coremltools()
    from coremltools.converters.mil.mil import Builder as mb
    from coremltools.converters.mil.mil import Function, types

    kinds = {name: getattr(types, kind) for name, kind in _TYPES.items()}
    inputs = {name: mb.placeholder(value.shape, kinds[value.dtype.name]) for name, value in case.inputs.items()}
    with Function(inputs, opset_version=getattr(coremltools.target, case.target)) as function:
        made = case.build(mb, **function.inputs)
        outputs = [*made] if isinstance(made, tuple | list) else [made]
        function.set_outputs(outputs)
    return function, [each.name for each in outputs]


def run_tflite(content: bytes, inputs: Any) -> dict[str, Array]:  # noqa: ANN401 (arrays by name)
    from ai_edge_litert.interpreter import Interpreter

    found: dict[str, Array] = Interpreter(model_content=content, num_threads=1).get_signature_runner()(**inputs)
    return found


def _round(values: Array, dtype: Any) -> Array:  # noqa: ANN401 (numpy's)
    with np.errstate(all="ignore"):
        return values.astype(dtype).astype(np.float64) if dtype == np.float32 else values.astype(np.float64)
