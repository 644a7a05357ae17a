"""A folder of models of every unusual kind, thrown at `run` as a user would."""

import json
from typing import Any

import pytest

from tests.support.command import run_bench
from tests.support.unusual import folder_of_models

pytestmark = pytest.mark.thorough

_CONFIG = """
models: [{path: models/*.tflite}]
variants: [float32, dynamic-int8]
units: [cpu]
measure: {launches: 2, inferences: 3, max_launch_s: 1, warmup_s: 0, cold_starts: 0}
"""
MEASURED = {
    *("branch", "dynamic_batch", "hash_table", "lstm", "no_inputs", "no_signature", "open_output", "plain"),
    *("resource_variable", "scalar_input", "string_equality", "string_gather", "two_graphs", "two_signatures"),
    *("while", "zero_size"),
}
BY_INTERPRETER = {"hash_table", "lstm", "open_output", "string_equality", "string_gather"}
FAILED = {"aborting", "custom_op", "huge_im2col", "recursion"}
UNREADABLE = {"cut_short", "empty", "open_shape", "wrong_version", "zero_size_input"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("thrown")
    folder_of_models(folder / "models")
    (folder / "bench.yaml").write_text(_CONFIG)
    ran = run_bench("run", folder / "bench.yaml", "--bench", folder / "bench")
    assert ran.returncode == 3, ran.stderr
    assert "Traceback" not in ran.stderr
    report = run_bench("report", "--format", "json", "-o", "-", "--bench", folder / "bench")
    document: dict[str, Any] = json.loads(report.stdout)
    return document


def _sources(shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {cell["model"]: cell for cell in shown["cells"] if cell["is_source"]}


def test_every_file_ends_as_measured_or_failed(shown: dict[str, Any]) -> None:
    ends: dict[str, set[str]] = {}
    for name, cell in _sources(shown).items():
        ends.setdefault(cell["outcome"], set()).add(name)
    assert ends == {"measured": MEASURED, "failed": FAILED}
    assert {failed["name"] for failed in shown["models_failed"]} == UNREADABLE


def test_every_failure_is_one_line_that_says_why(shown: dict[str, Any]) -> None:
    reasons = [cell["reason"] for cell in shown["cells"] if cell["outcome"] in ("failed", "skipped")]
    reasons += [failed["error"] for failed in shown["models_failed"]]
    assert all(reason and "\n" not in reason for reason in reasons)


def test_what_the_compiled_model_refuses_says_that_the_interpreter_ran_it_and_why(shown: dict[str, Any]) -> None:
    sources = _sources(shown)
    assert {name for name in MEASURED if sources[name]["api"] == "interpreter"} == BY_INTERPRETER
    assert all(sources[name]["fallback"] for name in BY_INTERPRETER)


def test_a_model_that_aborts_its_process_costs_no_launch(shown: dict[str, Any]) -> None:
    sources = _sources(shown)
    assert {sources[name]["latency_ns"] for name in ("aborting", "recursion")} == {None}
    assert "SIGABRT" in sources["aborting"]["reason"]
    assert "SIGSEGV" in sources["recursion"]["reason"]
