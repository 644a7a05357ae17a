"""A whole run with an Edge TPU's device: FakeEdgeTpu and FakeEdgeTpuCompiler at its ends, everything else is real."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import models
from tests.support.benches import beside
from tests.support.command import run_bench
from tests.support.edgetpu_models import build_fake_edgetpu, compile_like, install_fake_compiler, quantised_cnn
from tests.support.models import write_model

_CONFIG = """
models:
  - {{path: tiny.tflite, variants: [float32, int8-edgetpu, int8-edgetpu+edgetpu]}}
  - {{path: theirs_edgetpu.tflite, of: tiny}}
devices: [{{name: coral, kind: edgetpu, library: {library}, accelerator: usb, compiler: {compiler}}}]
units: [cpu, edgetpu]
measure: {{launches: 2, inferences: 3, warmup_s: 0, cold_starts: 0}}
"""
_COMPILED = "int8-edgetpu+edgetpu"

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, built: Path) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("run")
    bench = beside(built, folder / "bench")
    write_model(folder, models.tiny_cnn(), "tiny.tflite")
    write_model(folder, compile_like(quantised_cnn()).content, "theirs_edgetpu.tflite")
    compiler = install_fake_compiler(folder, FAKE_EDGETPU_UNSUPPORTED="SOFTMAX")
    config = _CONFIG.format(library=build_fake_edgetpu(folder), compiler=compiler)
    (folder / "bench.yaml").write_text(config)
    ran = run_bench("run", folder / "bench.yaml", "--bench", bench)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = run_bench("report", "--format", "json", "-o", "-", "--bench", bench)
    told: dict[str, Any] = json.loads(report.stdout)
    return told


def cell(shown: dict[str, Any], variant: str, unit: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each for each in shown["cells"] if (each["variant"], each["compute_unit"]) == (variant, unit)
    )
    return found


def test_what_the_bench_compiled_is_measured_on_it(shown: dict[str, Any]) -> None:
    measured = cell(shown, _COMPILED, "edgetpu")
    assert (measured["outcome"], measured["observed_unit"]) == ("measured", "edgetpu/libedgetpu")
    assert measured["delegation"] == {"delegate": "edgetpu", "full": False, "taken": 1, "total": 2, "partitions": 1}


def test_what_was_compiled_beforehand_is_measured_on_it(shown: dict[str, Any]) -> None:
    assert cell(shown, "theirs_edgetpu", "edgetpu")["outcome"] == "measured"


@pytest.mark.parametrize("variant", ["float32", "int8-edgetpu"])
def test_the_processor_measures_the_references(shown: dict[str, Any], variant: str) -> None:
    assert cell(shown, variant, "cpu")["outcome"] == "measured"


@pytest.mark.parametrize(
    ("variant", "unit", "reason"),
    [
        ("float32", "edgetpu", "not compiled for the Edge TPU"),
        ("int8-edgetpu", "edgetpu", "not compiled for the Edge TPU"),
        (_COMPILED, "cpu", "it needs an Edge TPU"),
        ("theirs_edgetpu", "cpu", "it needs an Edge TPU"),
    ],
)
def test_what_cannot_run_there_is_skipped_with_the_reason(
    shown: dict[str, Any], variant: str, unit: str, reason: str
) -> None:
    skipped = cell(shown, variant, unit)
    assert skipped["outcome"] == "skipped"
    assert reason in skipped["reason"]


def test_its_fidelity_is_unknown(shown: dict[str, Any]) -> None:
    assert cell(shown, _COMPILED, "edgetpu")["fidelity"] is None


def test_it_stands_beside_the_source_on_the_processor_of_the_same_device(shown: dict[str, Any]) -> None:
    ratio = cell(shown, _COMPILED, "edgetpu")["vs_float"]
    assert ratio["latency_ratio"] > 0
    assert ratio["unit"] == "cpu"


def test_every_cell_of_the_double_says_so(shown: dict[str, Any]) -> None:
    assert {each["device"] for each in shown["cells"]} == {"coral (FakeEdgeTpu)"}
