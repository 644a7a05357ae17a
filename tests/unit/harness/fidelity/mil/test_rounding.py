"""Float16 results are rounded, each of them, and onnxruntime is asked to prove it."""

from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import ReferenceUnable
from harness.fidelity.array import Array
from harness.fidelity.mil.reference import Program
from harness.fidelity.mil.rounding import prove_rounding
from tests.support.mil import Var, builder, single, write

_VALUES = np.random.default_rng(0).standard_normal(512).astype(np.float32) * 10


def _half(values: Array) -> Array:
    return values.astype(np.float16).astype(np.float32)


def _only(path: Path, values: Array = _VALUES) -> Array:
    (result,) = Program.load(path).predict({"x": values}).values()
    return result


def _two_steps(x: Var) -> Var:
    return builder().add(x=builder().mul(x=x, y=np.float32(1.1)), y=np.float32(0.3))


def test_the_pinned_onnxruntime_rounds() -> None:
    prove_rounding()


def test_an_onnxruntime_that_drops_the_rounding_is_refused() -> None:
    with pytest.raises(ReferenceUnable, match=r"onnxruntime [\d.]+ does not round to float16"):
        prove_rounding(lambda values: np.maximum(values + values, 0) * np.float32(0.3))


def test_every_result_is_rounded_and_not_the_last_alone(tmp_path: Path) -> None:
    got = _only(write(tmp_path / "m.mlpackage", {"x": (512,)}, _two_steps))
    once = _half(_half(_VALUES) * _half(single([1.1])))
    assert np.array_equal(got, _half(once + _half(single([0.3]))))


def test_a_float32_program_is_not_rounded(tmp_path: Path) -> None:
    got = _only(write(tmp_path / "m.mlpackage", {"x": (512,)}, _two_steps, precision="float32"))
    assert np.array_equal(got, _VALUES * np.float32(1.1) + np.float32(0.3))


def test_rounding_behind_an_activation_is_rounding_before_it(tmp_path: Path) -> None:
    """The sum waits for the relu, so that both are one kernel; relu6's bounds are float16 values too."""
    mb = builder()
    path = write(
        tmp_path / "m.mlpackage", {"x": (512,)}, lambda x: mb.relu6(x=mb.relu(x=mb.add(x=x, y=np.float32(0.1))))
    )
    assert np.array_equal(_only(path), np.clip(_half(_half(_VALUES) + _half(single([0.1]))), 0, 6))


def test_a_value_that_two_operations_read_is_rounded_before_both(tmp_path: Path) -> None:
    mb = builder()

    def body(x: Var) -> Var:
        total = mb.add(x=x, y=np.float32(0.1))
        return mb.sub(x=mb.relu(x=total), y=total)

    total = _half(_half(_VALUES) + _half(single([0.1])))
    got = _only(write(tmp_path / "m.mlpackage", {"x": (512,)}, body))
    assert np.array_equal(got, _half(np.maximum(total, 0) - total))


def test_what_overflows_is_infinite(tmp_path: Path) -> None:
    path = write(tmp_path / "m.mlpackage", {"x": (2,)}, lambda x: builder().mul(x=x, y=np.float32(2)))
    assert _only(path, single([40000, -40000])).tolist() == [np.inf, -np.inf]
