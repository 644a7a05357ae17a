"""What the doctor says of a machine's units."""

from dataclasses import replace
from pathlib import Path

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Conditions, Exclusion
from harness.core.survey import Phone, Phones, Seen, Want
from harness.doctor import Finding, examine, examine_device, examine_phones, wants_of
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


def a_seen(kind: str = "ssh", **changes: object) -> Seen:
    return Seen(name="pi5", kind=kind, remote=True, facts=replace(some_facts(), runtime="LiteRT"), now=NOW, **changes)  # type: ignore[arg-type]


def wants(seen: Seen) -> dict[str, str]:
    return {want.what: want.advice for want in wants_of(seen, "c.yaml")}


def test_a_device_that_does_not_answer_stops_measuring() -> None:
    (finding,) = examine_device(Seen(name="pi5", kind="ssh", problem="nothing listens there; is sshd on?"), "c.yaml")
    assert str(finding) == "no  pi5: does not answer\n      nothing listens there; is sshd on?"


def test_a_board_without_a_runtime_is_set_up_by_one_command() -> None:
    bare = replace(some_facts(), runtime=None, units=(), exclusions=(Exclusion(what="cpu", reason="LiteRT: pip"),))
    assert wants(replace(a_seen(), facts=bare)) == {
        "runtime: not found": "`run_bench.py setup c.yaml` installs it there; or LiteRT: pip"
    }


def test_a_phone_without_its_tool_says_where_it_goes() -> None:
    bare = replace(some_facts(), runtime=None, units=(), exclusions=(Exclusion(what="cpu", reason="x is missing"),))
    assert wants(Seen(name="p", kind="android", facts=bare, now=NOW)) == {"benchmark_model: not found": "x is missing"}


def test_a_governor_that_may_not_be_set_is_one_command_away() -> None:
    now = replace(NOW, governor="ondemand")
    assert "sudo chmod" in wants(replace(a_seen(may_set_governor=False), now=now))["clock governor: ondemand"]
    assert wants(replace(a_seen(may_set_governor=True), now=now)) == {}


def test_an_edge_tpu_wants_its_library_and_to_be_plugged_in() -> None:
    found = {each.what: each for each in examine_device(a_seen(kind="edgetpu"), "c.yaml")}
    assert not found["pi5: libedgetpu"].ok
    assert not found["pi5: Edge TPU"].ok
    assert found["pi5: edgetpu_compiler"].ok


def test_what_is_over_a_limit_unknown_or_taken_is_told() -> None:
    over = (Want(what="SoC 70 °C, limit 65 °C", advice="cool it or raise limits.soc_celsius"),)
    seen = a_seen(over=over, unknown=("battery",), held="process 7 has measured on it")
    text = "\n".join(map(str, examine_device(seen, "c.yaml")))
    assert "--  pi5: state: SoC 70 °C, limit 65 °C\n      cool it or raise limits.soc_celsius" in text
    assert "ok  pi5: state: has a limit and no reading: battery" in text
    assert "process 7 has measured on it" in text


def test_phones_that_cannot_be_used_do_not_stop_this_machine() -> None:
    phones = Phones(server="s", found=(Phone(serial="A1", state="offline", advice="plug it in again"),))
    (finding,) = examine_phones(phones)
    assert (finding.what, finding.ok, finding.advice) == ("phone A1", True, "plug it in again")
    assert examine_phones(Phones(server="no server"))[0].seen == "no server"
