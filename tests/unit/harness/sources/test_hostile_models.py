"""The models that tests use to break a runtime do break it, and can be read all the same."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sources.tflite import read_graph, read_model
from tests.support import models

_RUN = """
import sys, numpy
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], numpy.zeros(1, numpy.float32))
print("running", flush=True)
interpreter.invoke()
"""


def test_the_crashing_model_ends_its_process_by_a_signal(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.crashing())
    assert read_graph(path).nodes[0].type == "WHILE"
    ended = subprocess.run((sys.executable, "-c", _RUN, str(path)), capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGSEGV


def test_the_endless_model_runs_until_it_is_killed(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.endless())
    assert read_model(path, name="m").inputs[0].shape == (1,)
    with subprocess.Popen((sys.executable, "-c", _RUN, str(path)), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        process.kill()
