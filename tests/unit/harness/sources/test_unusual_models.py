"""What LiteRT does with every model of the folder, through both of its faces: the ground that the bench stands on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter

from harness.core.errors import ModelUnreadable
from harness.sources.tflite import read_graph, read_model
from tests.support import models, unusual

ENDS_THE_PROCESS = {"aborting": -6, "recursion": -11}

INTERPRETER = {
    "custom_op": "Encountered unresolved custom op: NoSuchOperator",
    "huge_im2col": "XNNPack delegate failed to reshape runtime",
    "wrong_version": "Model provided is schema version 2 not equal to supported version 3",
}
COMPILED_MODEL = {
    **dict.fromkeys(("custom_op", "huge_im2col"), "Failed to allocate tensors"),
    "lstm": "Failed to load model",  # "Variable tensors not yet supported"
    "open_output": "Failed to set custom allocation for output",
    **dict.fromkeys(("hash_table", "string_equality", "string_gather"), "Invalid buffer offset"),
    **dict.fromkeys(("open_shape", "zero_size_input"), "TensorBuffer must have all static dimensions"),
    "wrong_version": "Failed to build TFL interpreter",
}
UNREADABLE = ("open_shape", "wrong_version", "zero_size_input")
RUNS = sorted(unusual.FOLDER.keys() - ENDS_THE_PROCESS.keys())


def _interpret(path: str) -> None:
    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()


def _run_compiled(path: str) -> None:
    compiled = CompiledModel.from_file(path)
    inputs = compiled.create_input_buffers(0)
    for place, buffer in enumerate(inputs):
        buffer.write(np.zeros(compiled.get_input_buffer_requirements(place, 0)["buffer_size"], np.uint8))
    compiled.run_by_index(0, inputs, compiled.create_output_buffers(0))


def _path(directory: Path, name: str) -> Path:
    return models.write_model(directory, unusual.FOLDER[name](), f"{name}.tflite")


@pytest.mark.parametrize("name", sorted(set(RUNS) - INTERPRETER.keys()))
def test_the_interpreter_runs_it(name: str, tmp_path: Path) -> None:
    _interpret(str(_path(tmp_path, name)))


@pytest.mark.parametrize("name", sorted(INTERPRETER))
def test_the_interpreter_refuses_it(name: str, tmp_path: Path) -> None:
    with pytest.raises((RuntimeError, ValueError), match=INTERPRETER[name]):
        _interpret(str(_path(tmp_path, name)))


@pytest.mark.parametrize("name", sorted(set(RUNS) - COMPILED_MODEL.keys()))
def test_the_compiled_model_runs_it(name: str, tmp_path: Path) -> None:
    _run_compiled(str(_path(tmp_path, name)))


@pytest.mark.parametrize("name", sorted(COMPILED_MODEL))
def test_the_compiled_model_refuses_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=COMPILED_MODEL[name]):
        _run_compiled(str(_path(tmp_path, name)))


@pytest.mark.parametrize("face", ["_interpret", "_run_compiled"])
@pytest.mark.parametrize("name", sorted(ENDS_THE_PROCESS))
def test_it_ends_the_process_through_either(name: str, face: str, tmp_path: Path) -> None:
    call = f"from {__name__} import {face}; {face}({str(_path(tmp_path, name))!r})"
    ended = subprocess.run((sys.executable, "-c", call), capture_output=True, timeout=60, check=False)
    assert ended.returncode == ENDS_THE_PROCESS[name]


@pytest.mark.parametrize("name", sorted(unusual.FOLDER.keys() - set(UNREADABLE)))
def test_it_is_read(name: str, tmp_path: Path) -> None:
    path = _path(tmp_path, name)
    assert read_model(path, name=name).outputs
    assert read_graph(path).nodes


@pytest.mark.parametrize("name", UNREADABLE)
def test_it_is_refused_before_anything_runs(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable):
        read_model(_path(tmp_path, name), name=name)


def test_the_folder_holds_all_of_them_and_two_files_that_are_no_models(tmp_path: Path) -> None:
    names = {path.stem for path in unusual.folder_of_models(tmp_path / "folder")}
    assert names == unusual.FOLDER.keys() | {"cut_short", "empty"}
