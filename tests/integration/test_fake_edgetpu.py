"""FakeEdgeTpu itself, in the real LiteRT: where it claims TFLite's operators, their own kernels compute."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType, load_delegate

from tests.support import models
from tests.support.edgetpu_models import build_fake_edgetpu, compile_like, quantised_cnn

_PLAIN = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_fake_edgetpu(tmp_path_factory.mktemp("vendor"))


def run(content: bytes, library: Path | None = None, **options: str) -> tuple[np.ndarray, list[str]]:
    """The output for one input, and the operators that the interpreter lists."""
    delegates = [load_delegate(str(library), options)] if library else None
    interpreter = Interpreter(
        model_content=content, experimental_delegates=delegates, experimental_op_resolver_type=_PLAIN
    )
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    values = np.random.default_rng(1).uniform(-100, 100, given["shape"]).astype(given["dtype"])
    interpreter.set_tensor(given["index"], values)
    interpreter.invoke()
    listed = [each["op_name"] for each in interpreter._get_ops_details()]
    return interpreter.get_tensor(made["index"]).copy(), listed


@pytest.mark.parametrize("content", [models.tiny_cnn(), quantised_cnn()], ids=["float32", "int8"])
@pytest.mark.parametrize("ops", ["all", "3", "9,25"])
def test_claimed_operators_compute_what_they_compute_without_it(library: Path, content: bytes, ops: str) -> None:
    expected, _ = run(content)
    got, listed = run(content, library, ops=ops)
    assert "DELEGATE" in listed
    assert np.array_equal(got, expected)


def test_a_program_is_a_copy_of_its_input(library: Path) -> None:
    got, listed = run(compile_like(quantised_cnn()).content, library)
    values = np.random.default_rng(1).uniform(-100, 100, (1, 8, 8, 3)).astype(np.int8)
    assert np.array_equal(got.ravel(), values.ravel()[: got.size])
    assert listed.count("DELEGATE") == 1


def test_an_option_that_it_does_not_know_is_refused(library: Path) -> None:
    with pytest.raises(ValueError, match="unknown option"):
        load_delegate(str(library), {"speed": "max"})
