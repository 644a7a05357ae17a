"""Checks the reference of ML Programs operation by operation against float64.

A Case is one operation with its inputs and what it must give, in float64. All cases of a list become few programs
(one for each target), which coremltools saves and the reference runs. What is expected is rounded from float64 to
float32 and from there to the declared type, as the reference itself does with every result.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.target import Target
from harness.fidelity.mil.reference import Program
from harness.toolkit import import_coremltools, quietly

Array = NDArray[Any]

FLOAT16_BAR, FLOAT32_BAR = 94.0, 120.0
"""Decibels that an operation must reach, over its whole sweep."""

REALS: tuple[type[np.generic], ...] = (np.float16, np.float32)

_NAMES = {"float16": "fp16", "float32": "fp32"}
_DECLARED = {"fp16": np.float16, "fp32": np.float32, "bool": np.bool_}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One operation of a sweep.

    inputs: what it reads, by name, of the declared types. build(mb, **inputs) adds it by the builder and gives its
    result or results, as Vars; expect(**inputs) gives the same from floats in float64, integers in int64 and bools.
    """

    op: str
    inputs: Mapping[str, Array]
    build: Callable[..., Any]
    expect: Callable[..., Any]
    target: Target = Target.IOS15

    @property
    def is_folded(self) -> bool:
        """Whether `fold` may be asked: coremltools computes in the declared type, of which float16 is too coarse."""
        return not any(value.dtype == np.float16 for value in self.inputs.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """One output of one case: what the reference gave and what was expected, both float64. dtype is MIL's name."""

    case: Case
    dtype: str
    actual: Array
    expected: Array

    @property
    def noise(self) -> float:
        """Energy of the difference over that of what was expected, over its finite values; infinite where shapes
        differ, or where something is not finite that should be, or otherwise infinite or not a number."""
        if self.actual.shape != self.expected.shape:
            return np.inf
        finite = np.isfinite(self.expected)
        if not np.array_equal(self.actual[~finite], self.expected[~finite], equal_nan=True):
            return np.inf
        signal = float(np.sum(self.expected[finite] ** 2))
        difference = float(np.sum((self.actual[finite] - self.expected[finite]) ** 2))
        if difference == 0.0:
            return 0.0
        return difference / signal if signal and np.isfinite(difference) else np.inf


def call(
    op: str,
    inputs: Mapping[str, Array],
    expect: Callable[..., Any],
    target: Target = Target.IOS15,
    **parameters: Any,  # noqa: ANN401 (a number, an array, a string)
) -> Case:
    """The case of an operation that is called by the names of its inputs, and by parameters that the oracle knows."""

    def build(mb: Any, **given: Any) -> Any:  # noqa: ANN401 (coremltools has no types)
        return getattr(mb, op)(**given, **parameters)

    return Case(op=op, inputs=inputs, build=build, expect=expect, target=target)


def measure(cases: Sequence[Case], directory: Path) -> tuple[Result, ...]:
    """Run every case by the reference. directory is for the programs and must exist."""
    results: list[Result] = []
    for target in sorted({case.target for case in cases}):
        wanted = [case for case in cases if case.target is target]
        results += _run(wanted, save(wanted, target, directory / f"{target}.mlpackage"))
    return tuple(results)


def decibels(results: Iterable[Result], op: str, dtype: str) -> float:
    """Signal over noise of all results of an operation that are of that type; every element counts alike, whatever
    the scale of its case. Infinite where nothing differs. Raises LookupError where there are no results."""
    chosen = [result for result in results if result.case.op == op and result.dtype == dtype]
    if not chosen:
        raise LookupError(f"no results of {op} are {dtype}")
    elements = sum(result.expected.size for result in chosen)
    noise = sum(result.expected.size * result.noise for result in chosen if result.noise) / max(elements, 1)
    return float(-10 * np.log10(noise)) if noise else np.inf


def differing(results: Iterable[Result], op: str) -> list[tuple[dict[str, tuple[int, ...]], str, float]]:
    """The results of an operation that miss the bar of their type by themselves, integers and bools where they differ
    at all: shapes of inputs, type, decibels. For the message of a test that fails."""
    bars = {"fp16": FLOAT16_BAR, "fp32": FLOAT32_BAR}
    found = []
    for result in results:
        reached = float(-10 * np.log10(result.noise)) if result.noise else np.inf
        if result.case.op == op and reached < bars.get(result.dtype, np.inf):
            found.append(({name: value.shape for name, value in result.case.inputs.items()}, result.dtype, reached))
    return found


def misses(results: Sequence[Result], op: str) -> list[object]:
    """What of an operation misses its bar: nothing where floats reach theirs and all else is equal."""
    found: list[object] = []
    for dtype in sorted({result.dtype for result in results if result.case.op == op}):
        bar = {"fp16": FLOAT16_BAR, "fp32": FLOAT32_BAR}.get(dtype, np.inf)
        if (reached := decibels(results, op, dtype)) < bar:
            found.append((dtype, round(reached, 1), differing(results, op)))
    return found


def operators(cases: Iterable[Case]) -> list[str]:
    return sorted({case.op for case in cases})


def sweep(make: Callable[[type[np.generic]], Iterable[Case]]) -> list[Case]:
    """The same cases at float16 and at float32."""
    return [case for real in REALS for case in make(real)]


def expected_of(case: Case) -> tuple[Array, ...]:
    """The oracle's own results, not rounded yet."""
    with np.errstate(all="ignore"):
        return tuple(np.asarray(each) for each in _several(case.expect(**{k: _widen(v) for k, v in _inputs(case)})))


def fold(case: Case) -> tuple[Array, ...] | None:
    """What coremltools itself computes for the operation at conversion, a second independent check of the oracle.
    None where it computes nothing."""
    ct = import_coremltools()
    from coremltools.converters.mil.mil import Builder as mb
    from coremltools.converters.mil.mil import Function

    with np.errstate(all="ignore"), Function({}, opset_version=getattr(ct.target, case.target)):
        given = {name: mb.const(val=value.copy()) for name, value in case.inputs.items()}
        values = [var.val for var in _several(case.build(mb, **given))]
    return None if any(value is None for value in values) else tuple(np.asarray(value) for value in values)


def unlike_folded(cases: Iterable[Case], op: str, *, tolerance: float = 1e-4) -> list[dict[str, tuple[int, ...]]]:
    """Shapes of the inputs of an operation for which the oracle is not what coremltools folds, within float32's
    accuracy. Cases at float16, and what coremltools does not fold, are left out."""
    found = []
    for case in cases:
        folded = fold(case) if case.op == op and case.is_folded else None
        if folded is not None and not all(map(_about(tolerance), folded, expected_of(case))):
            found.append({name: value.shape for name, value in case.inputs.items()})
    return found


def _about(tolerance: float) -> Callable[[Array, Array], bool]:
    def compare(folded: Array, expected: Array) -> bool:
        wanted = _round(expected, _NAMES.get(folded.dtype.name, ""))
        return folded.shape == wanted.shape and np.allclose(folded, wanted, tolerance, tolerance, equal_nan=True)

    return compare


def core_operators(*definitions: str) -> set[str]:
    """Operators that coremltools defines in these modules, of any target: `core_operators("pool")`."""
    import_coremltools()
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    versions = ((op, each) for op, targets in SSAOpRegistry.core_ops.items() for each in targets.values())
    return {op for op, each in versions if each.__module__.rpartition(".")[2] in definitions}


def save(cases: Sequence[Case], target: Target, path: Path) -> Path:
    """A program with an operation for every case. Its inputs are float32 and int32, cast to the cases' own types, and
    its outputs likewise, as every target can have them."""
    ct = import_coremltools()
    from coremltools.converters.mil.mil import Function, Program

    opset = getattr(ct.target, target)
    program = Program()
    with Function(_placeholders(cases), opset_version=opset) as function:
        outputs = [output for i, case in enumerate(cases) for output in _build(case, i, function.inputs)]
        function.set_outputs(outputs)
    program.add_function("main", function)
    with quietly():
        ct.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            minimum_deployment_target=opset,
            pass_pipeline=ct.PassPipeline.EMPTY,
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,
        ).save(str(path))
    return path


def _placeholders(cases: Sequence[Case]) -> dict[str, Any]:
    from coremltools.converters.mil.mil import Builder as mb
    from coremltools.converters.mil.mil import types

    return {
        _input(i, name): mb.placeholder(value.shape, types.fp32 if value.dtype.kind == "f" else types.int32)
        for i, case in enumerate(cases)
        for name, value in case.inputs.items()
    }


def _build(case: Case, index: int, inputs: Mapping[str, Any]) -> list[Any]:
    from coremltools.converters.mil.mil import Builder as mb
    from coremltools.converters.mil.mil import types

    given = {}
    for name, value in case.inputs.items():
        wanted, var = _NAMES.get(value.dtype.name, value.dtype.name), inputs[_input(index, name)]
        given[name] = var if value.dtype in (np.float32, np.int32) else mb.cast(x=var, dtype=wanted)
    outputs = []
    for i, var in enumerate(_several(case.build(mb, **given))):
        dtype = types.builtin_to_string(var.dtype)
        outside = "fp32" if dtype in ("fp16", "fp32") else "int32"
        outputs.append(mb.cast(x=var, dtype=outside, name=_output(index, i, dtype)))
    return outputs


def _run(cases: Sequence[Case], path: Path) -> list[Result]:
    program = Program.load(path)
    given = {
        _input(i, name): value.astype(np.float32 if value.dtype.kind == "f" else np.int32)
        for i, case in enumerate(cases)
        for name, value in case.inputs.items()
    }
    outputs = program.predict(given)
    results = []
    for i, case in enumerate(cases):
        for j, expected in enumerate(expected_of(case)):
            prefix = _output(i, j, "")
            name = next(name for name in outputs if name.startswith(prefix))
            dtype = name.removeprefix(prefix)
            actual = np.asarray(outputs[name]).astype(np.float64)
            results.append(Result(case=case, dtype=dtype, actual=actual, expected=_round(expected, dtype)))
    return results


def _round(values: Array, dtype: str) -> Array:
    """From float64 to the declared type, in the two steps that make results agree between libraries, and back."""
    with np.errstate(all="ignore"):
        if dtype in ("fp16", "fp32"):
            return values.astype(np.float32).astype(_DECLARED[dtype]).astype(np.float64)
        return values.astype(np.float64)


def _widen(value: Array) -> Array:
    kinds: dict[str, type[np.generic]] = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}
    return value.astype(kinds[value.dtype.kind])


def _inputs(case: Case) -> list[tuple[str, Array]]:
    return list(case.inputs.items())


def _several(value: Any) -> Sequence[Any]:  # noqa: ANN401 (a Var, or an array, or several)
    return value if isinstance(value, (tuple, list)) else (value,)


def _input(index: int, name: str) -> str:
    return f"case_{index}_{name}"


def _output(index: int, output: int, dtype: str) -> str:
    return f"result_{index}_{output}_{dtype}"
