"""Integers of a program are as wide as it says, also between two operations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.fidelity.mil.reference import Program
from tests.support.mil import Var, builder, write

mb = builder()
Array = np.ndarray[Any, np.dtype[np.int32]]
_GIVEN = np.array([46341, 2**30, -(2**31) + 128, 2**20], np.float32)
_WHOLE = _GIVEN.astype(np.int32)
_MOST = np.int32(2**31 - 1)


def _run(path: Path, *bodies: Any) -> list[Array]:  # noqa: ANN401 (functions of the program's integers)
    def body(x: Var) -> list[Var]:
        whole = mb.cast(x=x, dtype="int32")
        return [mb.identity(x=each(whole), name=f"result_{i}") for i, each in enumerate(bodies)]

    results = Program.load(write(path, {"x": (4,)}, body, precision="float32")).predict({"x": _GIVEN})
    return [results[f"result_{i}"] for i in range(len(bodies))]


def test_a_product_wraps_around_before_it_is_divided(tmp_path: Path) -> None:
    (found,) = _run(tmp_path / "m.mlpackage", lambda x: mb.floor_div(x=mb.mul(x=x, y=x), y=np.int32(1000)))
    assert found.tolist() == (_WHOLE * _WHOLE // 1000).tolist()


def test_sums_and_differences_wrap_around_before_they_are_compared(tmp_path: Path) -> None:
    more, less = _run(
        tmp_path / "m.mlpackage",
        lambda x: mb.cast(x=mb.greater(x=mb.add(x=x, y=_MOST), y=np.int32(0)), dtype="int32"),
        lambda x: mb.cast(x=mb.greater(x=mb.sub(x=x, y=_MOST), y=np.int32(0)), dtype="int32"),
    )
    assert more.tolist() == (_WHOLE + _MOST > 0).tolist()
    assert less.tolist() == (_WHOLE - _MOST > 0).tolist()


@pytest.mark.parametrize(("operation", "wanted"), [("reduce_sum", np.add.reduce), ("cumsum", np.add.accumulate)])
def test_sums_over_elements_wrap_around(tmp_path: Path, operation: str, wanted: Any) -> None:  # noqa: ANN401
    over = {"axis": 0} if operation == "cumsum" else {"axes": [0], "keep_dims": True}
    (found,) = _run(
        tmp_path / "m.mlpackage",
        lambda x: mb.floor_div(x=getattr(mb, operation)(x=mb.add(x=x, y=_MOST), **over), y=np.int32(7)),
    )
    assert found.tolist() == np.ravel(wanted(_WHOLE + _MOST, dtype=np.int32) // 7).tolist()


def test_products_over_elements_wrap_around(tmp_path: Path) -> None:
    def product(x: Var) -> Var:
        small = mb.add(x=mb.floor_div(x=x, y=np.int32(4096)), y=np.int32(1))
        return mb.floor_div(x=mb.reduce_prod(x=small, axes=[0], keep_dims=True), y=np.int32(7))

    (found,) = _run(tmp_path / "m.mlpackage", product)
    assert found.tolist() == [np.multiply.reduce(_WHOLE // 4096 + 1, dtype=np.int32) // 7]
