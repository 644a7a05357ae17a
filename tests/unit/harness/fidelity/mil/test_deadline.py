"""A program that does not end in its time is ended, and its fidelity is unknown."""

from pathlib import Path

import numpy as np
import pytest

from harness.core.deadline import Deadline
from harness.core.errors import ReferenceUnable
from harness.core.model import Model
from harness.core.variant import VariantSpec
from harness.fidelity.evaluation import Dataset
from harness.fidelity.mil.reference import Program, run_program
from harness.fidelity.mil.session import limited
from harness.sources.reading import read_model
from harness.variants.job import BuildJob
from harness.variants.worker import build_one
from tests.support.mil import Var, builder, single, write

mb = builder()


def _halve_for_ever(x: Var) -> Var:
    return mb.while_loop(
        _cond=lambda a: mb.less(x=mb.reduce_sum(x=mb.abs(x=a)), y=np.float32(1e9)),
        _body=lambda a: mb.mul(x=a, y=np.float32(0.5)),
        loop_vars=(x,),
    )


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("programs") / "m.mlpackage", {"x": (2,)}, _halve_for_ever)


def test_a_loop_that_does_not_end_is_ended(endless: Path) -> None:
    program = Program.load(endless)
    ends = pytest.raises(ReferenceUnable, match=r"^the reference did not end within 0\.1 s$")
    with ends, limited(Deadline(0.1)) as limit:
        program.predict({"x": single([0, 0])}, limit=limit)


def test_a_program_without_loops_is_ended_too(tmp_path: Path) -> None:
    def body(x: Var) -> Var:
        for _ in range(300):
            x = mb.tanh(x=x)
        return x

    path = write(tmp_path / "m.mlpackage", {"x": (300_000,)}, body, precision="float32")
    program = Program.load(path)
    with pytest.raises(ReferenceUnable, match="did not end within"), limited(Deadline(0.001)) as limit:
        program.predict({"x": np.ones(300_000)}, limit=limit)


def test_all_samples_share_one_deadline(endless: Path) -> None:
    dataset = Dataset(inputs={"x": np.zeros((1000, 2), np.float32)}, labels=None, source="zeros")
    with pytest.raises(ReferenceUnable, match=r"did not end within 0\.2 s$"):
        run_program(endless, dataset, limit_s=0.2)


def test_a_variant_that_does_not_end_has_no_fidelity_and_is_built(endless: Path, tmp_path: Path) -> None:
    model: Model = read_model(endless, name="endless")
    spec = VariantSpec(model="endless", name="source", recipe=model.precision)
    variant = build_one(BuildJob(model=model, spec=spec, scratch=tmp_path, timeout_s=1.0))
    assert variant.fidelity is None
    assert variant.notes[-1] == "the reference did not end within 0.25 s: fidelity is unknown"
