"""What the doctor says of a machine's units."""

from dataclasses import replace
from pathlib import Path

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Conditions
from harness.doctor import Finding, examine
from tests.support.plans import some_facts

NOW = Conditions(taken_at=0.0)


def findings(bench: Path, *units: str, adapters: tuple[str, ...] = ()) -> dict[str, Finding]:
    offered = tuple(ComputeUnit.parse(unit) for unit in units)
    facts = replace(some_facts(), units=offered, adapters=adapters, exclusions=())
    return {finding.what: finding for finding in examine(facts, NOW, bench)}


def test_units_that_have_to_be_named_say_so(tmp_path: Path) -> None:
    assert findings(tmp_path, "cpu", "gpu/software")["compute units"].seen == "cpu, gpu/software (by name only)"


def test_adapters_are_named(tmp_path: Path) -> None:
    assert findings(tmp_path, "cpu", adapters=("RTX", "Pipe (software)"))["GPU adapters"].seen == "RTX, Pipe (software)"
    assert findings(tmp_path, "cpu")["GPU adapters"].seen == "none"


def test_units_that_nobody_has_measured_yet_say_so(tmp_path: Path) -> None:
    found = findings(tmp_path, "cpu", "gpu", "npu")
    assert "no hardware GPU has been measured" in found["gpu"].advice
    assert "no NPU has been measured" in found["npu"].advice


def test_a_software_adapter_is_no_gpu_to_warn_of(tmp_path: Path) -> None:
    assert "gpu" not in findings(tmp_path, "cpu", "gpu/software")


def test_core_ml_builds_here_and_measures_nowhere(tmp_path: Path) -> None:
    found = findings(tmp_path, "cpu")["Core ML"]
    assert found.ok
    assert found.advice == "no Apple device attached: its variants are not measured"


def test_an_edge_tpu_on_usb_2_is_worth_another_port(tmp_path: Path) -> None:
    details = {"edgetpu usb:0": "480 Mbit/s (USB 2), initialised", "edgetpu usb:1": "5000 Mbit/s (USB 3), initialised"}
    found = {each.what: each.advice for each in examine(replace(some_facts(), details=details), NOW, tmp_path)}
    assert found["edgetpu usb:0"].startswith("plug it into USB 3")
    assert found["edgetpu usb:1"] == ""
