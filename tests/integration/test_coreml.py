"""Core ML programs from the command line: built and scored without an Apple device, and without torch."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.core import digest
from harness.sources.mlpackage_file import open_package
from tests.support.command import run_bench

EXAMPLE = Path(__file__).parents[2] / "examples" / "coreml.yaml"
CONFIG = """
models:
  - {sample: digits, variants: [float32]}
  - sample: digits
    format: mlpackage
    name: digits.mlpackage
    variants: [float16, palette-2, {recipe: palette-3, target: iOS16}]
  - {path: without.mlpackage}
measure: {launches: 2, inferences: 3, warmup_s: 0.01, cold_starts: 0}
units: [cpu]
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coreml") / "bench"


@pytest.fixture(scope="module")
def built(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The example's variants, built where importing torch fails."""
    no_torch = tmp_path_factory.mktemp("no_torch")
    (no_torch / "torch.py").write_text("raise ImportError('the base has no torch')\n")
    done = run_bench("variants", EXAMPLE, "--json", "--bench", bench, PYTHONPATH=str(no_torch))
    assert done.returncode == 0, done.stderr
    return {variant["variant"]: variant for variant in json.loads(done.stdout)["variants"]}


@pytest.fixture(scope="module")
def shown(bench: Path) -> dict[str, Any]:
    """A campaign of both formats, and of a package that holds nothing."""
    folder = bench.parent
    (folder / "without.mlpackage").mkdir()
    (folder / "bench.yaml").write_text(CONFIG)
    done = run_bench("run", folder / "bench.yaml", "--bench", bench)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    report = run_bench("report", "--format", "json", "-o", "-", "--bench", bench)
    document: dict[str, Any] = json.loads(report.stdout)
    return document


def cells(shown: dict[str, Any], format: str) -> dict[str, dict[str, Any]]:
    return {cell["variant"]: cell for cell in shown["cells"] if cell["format"] == format}


@pytest.mark.thorough
def test_the_example_is_built_without_torch(built: dict[str, dict[str, Any]]) -> None:
    assert set(built) == {
        *("float32", "float16", "palette-4-iOS16", "palette-4-iOS18", "palette-3"),
        *("sparse-50+palette-4", "palette-2-but-last"),
    }
    assert {variant["format"] for variant in built.values()} == {"mlpackage"}


@pytest.mark.thorough
def test_the_same_weights_for_two_systems_compute_the_same(built: dict[str, dict[str, Any]]) -> None:
    old, new = built["palette-4-iOS16"], built["palette-4-iOS18"]
    assert (old["target"], new["target"]) == ("iOS16", "iOS18")
    assert old["fidelity"]["snr_db"] == new["fidelity"]["snr_db"]
    assert old["digest"] != new["digest"]


@pytest.mark.thorough
def test_an_operator_with_more_bits_of_its_own_takes_more_bytes(built: dict[str, dict[str, Any]]) -> None:
    """Nearly all weights are in `dense`, which has 6 bits there."""
    assert built["palette-2-but-last"]["size_bytes"] > 1.5 * built["palette-3"]["size_bytes"]


@pytest.mark.thorough
def test_fidelity_is_labelled_a_reference(built: dict[str, dict[str, Any]]) -> None:
    for variant in built.values():
        assert variant["fidelity"]["reference"].startswith("reference (")
        assert "device" not in variant["fidelity"]["reference"]
        assert variant["accuracy"]["n"] == 540


@pytest.mark.thorough
def test_a_second_build_is_the_same_artefact(built: dict[str, dict[str, Any]], bench: Path) -> None:
    again = json.loads(run_bench("variants", EXAMPLE, "--json", "--bench", bench).stdout)["variants"]
    assert {v["variant"]: v["digest"] for v in again} == {name: v["digest"] for name, v in built.items()}
    for variant in again:
        assert digest.of_path(Path(variant["path"])) == variant["digest"]
        assert digest.size_of(Path(variant["path"])) == variant["size_bytes"]


def test_no_attached_device_runs_a_program(shown: dict[str, Any]) -> None:
    found = cells(shown, "mlpackage")
    assert {cell["outcome"] for cell in found.values()} == {"skipped"}
    reasons = {name: cell["reason"] for name, cell in found.items() if name != "palette-3"}
    assert set(reasons.values()) == {"no Apple device attached: local runs .tflite"}
    assert found["palette-3"]["reason"].startswith("palette-3 needs iOS18, asked for iOS16")


def test_a_program_that_nothing_ran_has_sizes_and_fidelity_and_no_latency(shown: dict[str, Any]) -> None:
    cell = cells(shown, "mlpackage")["palette-2"]
    assert cell["size_bytes"] < 50_000
    assert cell["fidelity"]["snr_db"] > 0
    assert (cell["latency_ns"], cell["observed_unit"], cell["grade"], cell["ops"]) == (None, None, None, [])


def test_the_other_format_is_measured_beside_it(shown: dict[str, Any]) -> None:
    assert cells(shown, "tflite")["float32"]["outcome"] == "measured"


def test_an_unreadable_package_is_one_line(shown: dict[str, Any]) -> None:
    (failed,) = shown["models_failed"]
    assert failed["name"] == "without"
    assert failed["error"].endswith("is a folder without Manifest.json, so no Core ML package; give an .mlpackage")


def test_a_users_package_stays_as_it_is(bench: Path, shown: dict[str, Any], tmp_path: Path) -> None:  # noqa: ARG001
    """The toolkit writes a manifest anew whenever it opens a package itself."""
    (sample,) = (bench / "models").glob("*/digits.mlpackage")
    mine = tmp_path / "mine.mlpackage"
    shutil.copytree(sample, mine)
    (mine / "Manifest.json").write_text((mine / "Manifest.json").read_text() + "\n")
    before = digest.of_path(mine)
    text = f"models: [{{path: {mine}}}]\nvariants: [float16, weight-int8]\n"
    (tmp_path / "c.yaml").write_text(text)
    done = run_bench("variants", tmp_path / "c.yaml", "--bench", bench)
    assert done.returncode == 0, done.stderr
    assert digest.of_path(mine) == before


def test_an_operator_that_nothing_knows_is_one_error(bench: Path, shown: dict[str, Any], tmp_path: Path) -> None:  # noqa: ARG001
    (sample,) = (bench / "models").glob("*/digits.mlpackage")
    odd = tmp_path / "odd.mlpackage"
    shutil.copytree(sample, odd)
    specification = open_package(odd).specification
    (block,) = specification.mlProgram.functions["main"].block_specializations.values()
    next(each for each in block.operations if each.type == "relu").type = "frobnicate"
    (odd / "Data" / "com.apple.CoreML" / "model.mlmodel").write_bytes(specification.SerializeToString())
    done = run_bench("variants", odd, "--bench", bench)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        f"odd: not measured: {odd}: has operators that Core ML's tools do not know: 'frobnicate'; "
        "convert it again without them"
    ]
