"""Branches, loops and lists of a program."""

from pathlib import Path

import numpy as np
import pytest

from harness.fidelity.array import Array
from harness.fidelity.mil.reference import Program
from tests.support.mil import Var, builder, single, write

mb = builder()


def _only(path: Path, values: object) -> Array:
    (result,) = Program.load(path).predict({"x": np.asarray(values, np.float32)}).values()
    return result


def _half(value: Array) -> Array:
    return value.astype(np.float16).astype(np.float32)


def _doubled_or_raised(x: Var) -> Var:
    positive = mb.greater(x=mb.reduce_sum(x=x), y=np.float32(0))
    return mb.cond(
        pred=positive, _true_fn=lambda: mb.mul(x=x, y=np.float32(2)), _false_fn=lambda: mb.add(x=x, y=np.float32(1))
    )


@pytest.mark.parametrize(("values", "wanted"), [([1, 2], [2, 4]), ([-1, -2], [0, -1])])
def test_a_branch_is_taken_by_its_condition(tmp_path: Path, values: list[float], wanted: list[float]) -> None:
    path = write(tmp_path / "m.mlpackage", {"x": (2,)}, _doubled_or_raised)
    assert _only(path, values).tolist() == wanted


def test_a_branch_may_answer_what_stands_outside_of_it(tmp_path: Path) -> None:
    def body(x: Var) -> Var:
        raised = mb.add(x=x, y=np.float32(1))
        positive = mb.greater(x=mb.reduce_sum(x=x), y=np.float32(0))
        return mb.cond(
            pred=positive, _true_fn=lambda: mb.identity(x=raised), _false_fn=lambda: mb.const(val=single([7, 8]))
        )

    path = write(tmp_path / "m.mlpackage", {"x": (2,)}, body)
    assert [_only(path, values).tolist() for values in ([1, 1], [-1, -1])] == [[2, 2], [7, 8]]


def _grow(x: Var) -> Var:
    """Five turns of: a becomes 1.1 a + turn."""

    def turn(i: Var, a: Var) -> tuple[Var, Var]:
        return mb.add(x=i, y=np.float32(1)), mb.add(x=mb.mul(x=a, y=np.float32(1.1)), y=i)

    return mb.while_loop(_cond=lambda i, _: mb.less(x=i, y=np.float32(5)), _body=turn, loop_vars=(np.float32(0), x))[1]


def test_a_loop_runs_until_its_condition_fails(tmp_path: Path) -> None:
    wanted = np.arange(4, dtype=np.float32)
    for turn in range(5):
        wanted = wanted * np.float32(1.1) + np.float32(turn)
    path = write(tmp_path / "m.mlpackage", {"x": (4,)}, _grow, precision="float32")
    assert np.allclose(_only(path, np.arange(4)), wanted, rtol=1e-6)


def test_results_inside_a_loop_are_rounded_each_turn(tmp_path: Path) -> None:
    wanted = np.arange(4, dtype=np.float32)
    for turn in range(5):
        wanted = _half(_half(wanted * _half(single([1.1]))) + np.float32(turn))
    assert np.array_equal(_only(write(tmp_path / "m.mlpackage", {"x": (4,)}, _grow), np.arange(4)), wanted)


def test_a_loop_whose_condition_fails_at_once_gives_what_came_in(tmp_path: Path) -> None:
    def body(x: Var) -> Var:
        return mb.while_loop(
            _cond=lambda a: mb.less(x=mb.reduce_sum(x=a), y=np.float32(0)),
            _body=lambda a: mb.add(x=a, y=np.float32(1)),
            loop_vars=(x,),
        )

    assert _only(write(tmp_path / "m.mlpackage", {"x": (2,)}, body), [3, 4]).tolist() == [3, 4]


def test_a_branch_inside_a_loop_sees_the_loop_s_values(tmp_path: Path) -> None:
    def turn(a: Var) -> Var:
        small = mb.less(x=mb.reduce_sum(x=a), y=np.float32(6))
        return mb.cond(
            pred=small, _true_fn=lambda: mb.mul(x=a, y=np.float32(3)), _false_fn=lambda: mb.add(x=a, y=np.float32(10))
        )

    def body(x: Var) -> Var:
        return mb.while_loop(
            _cond=lambda a: mb.less(x=mb.reduce_sum(x=a), y=np.float32(20)), _body=turn, loop_vars=(x,)
        )

    assert _only(write(tmp_path / "m.mlpackage", {"x": (1,)}, body), [1]).tolist() == [29]


def test_a_list_is_filled_in_a_loop(tmp_path: Path) -> None:
    def body(x: Var) -> Var:
        made = mb.make_list(init_length=3, dtype="fp32", elem_shape=(2,), dynamic_length=False)
        _, filled = mb.while_loop(
            _cond=lambda i, _: mb.less(x=i, y=3),
            _body=lambda i, ls: (
                mb.add(x=i, y=1),
                mb.list_write(ls=ls, index=i, value=mb.mul(x=x, y=mb.cast(x=i, dtype="fp32"))),
            ),
            loop_vars=(0, made),
        )
        return mb.list_gather(ls=filled, indices=np.asarray([0, 1, 2], np.int32))

    path = write(tmp_path / "m.mlpackage", {"x": (2,)}, body, precision="float32")
    assert _only(path, [1, 2]).tolist() == [[0, 0], [1, 2], [2, 4]]
