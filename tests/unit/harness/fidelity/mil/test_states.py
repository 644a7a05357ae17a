"""A program's memory between predictions."""

from pathlib import Path

import numpy as np
import pytest

from harness.fidelity.evaluation import Dataset
from harness.fidelity.mil.emitter import Operand, Operation, Untranslatable
from harness.fidelity.mil.operators.states import update_state
from harness.fidelity.mil.reference import Program, run_program
from tests.support.mil import Var, builder, single, write

mb = builder()


def _sum_up(x: Var, total: Var) -> Var:
    """Twice the sum of all inputs so far."""
    raised = mb.add(x=mb.read_state(input=total), y=mb.cast(x=x, dtype="fp16"))
    return mb.mul(x=mb.coreml_update_state(state=total, value=raised), y=np.float16(2))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "m.mlpackage", {"x": (2,)}, _sum_up, states={"total": (2,)})


def test_a_state_lasts_from_one_prediction_to_the_next(path: Path) -> None:
    program = Program.load(path)
    state = program.make_state()
    results = [next(iter(program.predict({"x": np.ones(2)}, state).values())).tolist() for _ in range(3)]
    assert results == [[2, 2], [4, 4], [6, 6]]


def test_a_state_is_zero_at_first_and_holds_the_last_value(path: Path) -> None:
    program = Program.load(path)
    state = program.make_state()
    assert state["total"].tolist() == [0, 0]
    program.predict({"x": np.array([1, 2])}, state)
    assert state["total"].tolist() == [1, 2]
    assert state["total"].dtype == np.float16


def test_samples_do_not_share_a_state(path: Path) -> None:
    dataset = Dataset(inputs={"x": single([[1, 1], [2, 2]])}, labels=None, source="test")
    (output,) = run_program(path, dataset)
    assert output.values is not None
    assert output.values.tolist() == [[2, 2], [4, 4]]


def test_a_state_that_is_read_after_a_write_is_the_written_one(tmp_path: Path) -> None:
    def body(x: Var, kept: Var) -> Var:
        mb.coreml_update_state(state=kept, value=mb.cast(x=x, dtype="fp16"))
        return mb.add(x=mb.read_state(input=kept), y=np.float16(1))

    path = write(tmp_path / "m.mlpackage", {"x": (2,)}, body, states={"kept": (2,)})
    assert next(iter(Program.load(path).predict({"x": np.array([1, 2])}).values())).tolist() == [2, 3]


def test_a_state_that_is_written_within_a_branch_has_no_translation() -> None:
    """coremltools writes no such program, but others may."""
    held = Operand(tensor="kept", constant=None, dtype="fp16", shape=(2,))
    operation = Operation(type="coreml_update_state", name="", inputs={"state": held, "value": held}, outputs=())
    with pytest.raises(Untranslatable, match="a write to a state within a branch or a loop"):
        update_state(operation, {"kept": held}, nested=True)
