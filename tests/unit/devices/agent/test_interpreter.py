"""The Python interpreter as the agent runs it: what is fed, which graph is run, what is told of delegates."""

import os
import struct
from pathlib import Path
from typing import Any

import ai_edge_litert
import numpy as np
import pytest

from devices.agent.interpreter import InterpreterRuntime, InterpreterSession
from devices.agent.litert import LiteRtError
from tests.support import models, unusual
from tests.support.edgetpu_models import build_fake_edgetpu, compile_like, quantised_cnn
from tests.support.models import write_model

PACKAGE = os.path.dirname(str(ai_edge_litert.__file__))
CPU: dict[str, object] = {"kind": "cpu", "backend": None, "threads": 1}


class Ticks:
    """A profiler that counts its recordings."""

    def __init__(self, interpreter: Any) -> None:  # noqa: ANN401 (untyped)
        self.interpreter = interpreter
        self.started = 0

    def start(self) -> None:
        self.started += 1

    def stop(self) -> list[tuple[str, int, int, int, int]]:
        return [("TANH", 2, 0, 0, self.started)]


def a_runtime(**changes: Any) -> InterpreterRuntime:  # noqa: ANN401 (any argument)
    return InterpreterRuntime(PACKAGE, [], "no profiler", **changes)


def a_session(
    folder: Path, content: bytes, signature: str | None = None, unit: dict[str, object] = CPU
) -> InterpreterSession:
    model = write_model(folder, content)
    return a_runtime().open({"variant": str(model), "unit": unit, "signature": signature})


def a_file(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def numbers(folder: Path, *values: float) -> str:
    return a_file(folder, f"{len(values)}", np.array(values, np.float32).tobytes())


def words(folder: Path, *given: bytes) -> str:
    offsets = [4 * (len(given) + 2)]
    for word in given:
        offsets.append(offsets[-1] + len(word))
    return a_file(folder, "words", struct.pack(f"<{len(given) + 2}i", len(given), *offsets) + b"".join(given))


def outputs(session: InterpreterSession) -> list[Any]:
    session.inference()()
    wrapped = session._interpreter
    return [wrapped.get_tensor(detail["index"]).tolist() for detail in wrapped.get_output_details()]


def test_strings_reach_the_model(tmp_path: Path) -> None:
    session = a_session(tmp_path, unusual.string_gather())
    session.feed([words(tmp_path, b"ab", b"", "ü".encode())], 0)
    assert outputs(session) == [["ü".encode(), b"ab", b""]]


def test_strings_are_made_up_where_there_are_no_files(tmp_path: Path) -> None:
    session = a_session(tmp_path, unusual.string_gather())
    session.feed([], 3)
    (made,) = outputs(session)
    assert all(word.isalpha() for word in made)


def test_inputs_are_fed_in_the_order_of_the_graph(tmp_path: Path) -> None:
    session = a_session(tmp_path, models.several_inputs())
    session.feed([numbers(tmp_path, *values) for values in ((1, 2), (3, 4, 5), (6, 7, 8, 9))], 0)
    assert outputs(session)[0] == [[6, 7, 8, 9, 1, 2, 3, 4, 5]]


def test_a_signature_over_another_graph_is_fed_and_run_there(tmp_path: Path) -> None:
    session = a_session(tmp_path, unusual.two_signatures_two_graphs(), "decode")
    session.feed([numbers(tmp_path, *values) for values in ((1, 2), (3, 4, 5), (6, 7, 8, 9))], 0)
    session.inference()()
    tensors = {each["name"]: each["index"] for each in session._interpreter.get_tensor_details(1)}
    assert session._interpreter.get_tensor(tensors["tjoined"], 1).tolist() == [[6, 7, 8, 9, 1, 2, 3, 4, 5]]


def test_the_first_signature_of_the_file_runs_without_a_key(tmp_path: Path) -> None:
    session = a_session(tmp_path, models.several_signatures())
    session.feed([numbers(tmp_path, *range(6))], 0)  # `encode` takes 6, `decode` 4


def test_a_signature_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LiteRtError, match="no signature dream; it has encode, decode"):
        a_session(tmp_path, models.several_signatures(), "dream")


@pytest.mark.parametrize(
    ("unit", "words_"),
    [
        ({"kind": "gpu", "backend": None, "threads": None}, "gpu is no unit of LiteRT's Python interpreter"),
        ({**CPU, "backend": "abacus"}, "cpu/abacus is no unit of"),
    ],
)
def test_a_unit_it_has_not_is_refused(tmp_path: Path, unit: dict[str, object], words_: str) -> None:
    with pytest.raises(LiteRtError, match=words_):
        a_session(tmp_path, models.tiny_cnn(), unit=unit)


def test_state_goes_on_from_one_inference_to_the_next(tmp_path: Path) -> None:
    session = a_session(tmp_path, unusual.resource_variable())
    session.feed([numbers(tmp_path, 1, 2, 3, 4)], 0)
    assert [outputs(session) for _ in range(2)] == [[[[1, 2, 3, 4]]], [[[2, 4, 6, 8]]]]


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (None, {"delegate": "xnnpack", "full": False, "taken": 3, "total": 5, "partitions": 3}),
        ("builtin", {"delegate": None, "full": False, "taken": 0, "total": 5, "partitions": 0}),
    ],
)
def test_what_the_delegate_took_is_counted(tmp_path: Path, backend: str | None, expected: dict[str, object]) -> None:
    assert a_session(tmp_path, models.partitioned(), unit={**CPU, "backend": backend}).delegation == expected


def test_of_another_graph_than_the_first_nothing_is_told(tmp_path: Path) -> None:
    assert a_session(tmp_path, models.several_signatures()).delegation is None


def test_a_profiler_is_put_on_before_the_tensors_are_allocated(tmp_path: Path) -> None:
    made = []

    def attach(interpreter: Any) -> Ticks:  # noqa: ANN401 (untyped)
        with pytest.raises(RuntimeError):
            interpreter.invoke()
        made.append(Ticks(interpreter))
        return made[-1]

    order: dict[str, object] = {
        "variant": str(write_model(tmp_path, models.no_signature())),
        "unit": CPU,
        "signature": None,
    }
    session = a_runtime(attach=attach).open(order, profiling=True)
    session.start_profiler()
    assert session.stop_profiler() == [("TANH", 2, 0, 0, 1)]
    a_runtime(attach=attach).open(order)
    assert len(made) == 1


def test_a_module_that_is_not_there_is_refused() -> None:
    with pytest.raises(LiteRtError, match="no profiler; and its Python interpreter cannot be loaded: No module named"):
        a_runtime(module="no_such_runtime.interpreter")


AN_OLD_ONE = """
import numpy as np
from ai_edge_litert.interpreter import Interpreter as Later, load_delegate


class Interpreter:  # the face of tflite-runtime 2.5
    def __init__(self, model_path=None, model_content=None, experimental_delegates=None, num_threads=None):
        self._later = Later(model_path, num_threads=num_threads, experimental_delegates=experimental_delegates)

    def _get_tensor_details(self, tensor_index):
        return self._later._get_tensor_details(tensor_index, 0)

    def __getattr__(self, name):
        if name not in ("allocate_tensors", "get_output_details", "get_tensor", "set_tensor", "invoke"):
            raise AttributeError(name)
        return getattr(self._later, name)
"""


def an_old_runtime(folder: Path, module: str, text: str) -> InterpreterRuntime:
    """One of tflite-runtime 2.5.0, which is a double with its face. Modules are imported once, so each has a name."""
    (folder / module).mkdir()
    (folder / module / "interpreter.py").write_text(text)
    return InterpreterRuntime(str(folder / module), [], None, f"{module}.interpreter", "tflite-runtime 2.5.0")


def test_one_that_tells_of_no_tensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LiteRtError, match=r"2\.5\.0 is not one that this agent knows: it tells of no tensors"):
        an_old_runtime(tmp_path, "oldest_runtime", "class Interpreter: ...")


def test_an_old_one_runs_by_its_own_choice_of_kernels(tmp_path: Path) -> None:
    order: dict[str, object] = {
        "variant": str(write_model(tmp_path, models.several_inputs())),
        "unit": CPU,
        "signature": None,
    }
    session = an_old_runtime(tmp_path, "old_runtime_of_cpu", AN_OLD_ONE).open(order)
    session.feed([numbers(tmp_path, *values) for values in ((1, 2), (3, 4, 5), (6, 7, 8, 9))], 0)
    assert outputs(session)[0] == [[6, 7, 8, 9, 1, 2, 3, 4, 5]]
    assert session.delegation is None


def test_an_old_one_has_no_kernels_to_choose_from(tmp_path: Path) -> None:
    order: dict[str, object] = {"variant": "x", "unit": {**CPU, "backend": "builtin"}, "signature": None}
    with pytest.raises(LiteRtError, match=r"its own choice of kernels alone, take cpu: it lacks OpResolverType\.AUTO"):
        an_old_runtime(tmp_path, "old_runtime_of_builtin", AN_OLD_ONE).open(order)


def test_an_old_one_runs_an_edge_tpus_program(tmp_path: Path) -> None:
    order: dict[str, object] = {
        "variant": str(write_model(tmp_path, compile_like(quantised_cnn()).content)),
        "unit": {"kind": "edgetpu", "backend": None, "threads": None},
        "signature": None,
        "delegate": {"library": str(build_fake_edgetpu(tmp_path)), "options": {"device": "usb"}},
    }
    text = AN_OLD_ONE.replace('("allocate', '("_get_ops_details", "allocate')
    session = an_old_runtime(tmp_path, "old_runtime_of_edgetpu", text).open(order)
    session.feed([], 0)
    session.inference()()
    assert session.delegation == {"delegate": "edgetpu", "full": True, "taken": 1, "total": 1, "partitions": 1}
