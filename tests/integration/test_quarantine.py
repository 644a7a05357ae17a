"""A device that fails too often, as a user meets it."""

import json
from pathlib import Path

from tests.support.command import run_bench

LOST = """
models: [digits]
variants: [int8]
units: [cpu]
devices:
  - {name: flaky, kind: simulated, scenario: {faults: [{kind: lost, at_launch: 0}]}}
  - {name: fine, kind: simulated}
measure: {launches: 2, inferences: 5, cold_starts: 0}
"""


def test_a_device_that_is_lost_three_times_is_left_alone_until_it_is_released(tmp_path: Path, bench: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(LOST)
    for arguments in (("run", config), ("run", "--resume"), ("run", "--resume")):
        done = run_bench(*arguments, "--bench", bench)
        assert done.returncode == 3, done.stderr
        assert "flaky: the simulated device is gone" in done.stderr

    left_alone = run_bench("run", "--resume", "--bench", bench)
    assert left_alone.returncode == 3, left_alone.stderr
    assert "flaky: quarantined since" in left_alone.stderr

    planned = json.loads(run_bench("plan", config, "--json", "--bench", bench).stdout)
    skipped = {cell["device"]: cell["skipped"] for cell in planned["cells"]}
    assert skipped["fine"] is None
    assert skipped["flaky"].startswith("quarantined since ")
    assert "3 times lost in campaign" in skipped["flaky"]

    done = run_bench("run", config, "--bench", bench)
    assert done.returncode == 3, done.stderr
    assert "flaky" not in done.stderr  # it was not touched

    listed = run_bench("devices", "--bench", bench).stdout
    assert "flaky: quarantined since" in listed
    freed = run_bench("devices", "--release", "flaky", "--bench", bench)
    assert (freed.returncode, freed.stdout) == (0, "flaky: released; the next run measures it again\n")
    again = json.loads(run_bench("plan", config, "--json", "--bench", bench).stdout)
    assert {cell["skipped"] for cell in again["cells"]} == {None}
    history = json.loads(run_bench("devices", "--json", "--bench", bench).stdout)
    assert [trouble["kind"] for trouble in history["troubles"]] == ["lost", "lost", "lost", "released"]
    assert history["quarantined"] == []


def test_a_device_that_cannot_be_made_fit_is_an_outcome(tmp_path: Path, bench: Path) -> None:
    config = tmp_path / "c.yaml"
    oven = "{faults: [], heat: {zone: soc-thermal, ambient: 48}}"
    config.write_text(LOST.replace("{faults: [{kind: lost, at_launch: 0}]}", oven).replace("name: flaky", "name: oven"))
    done = run_bench("run", config, "--bench", bench)
    assert done.returncode == 3, done.stderr
    assert "oven: SoC 48 °C after 300 s, limit 40 °C; cool it or raise limits.soc_celsius" in done.stderr
    report = json.loads(run_bench("report", "--format", "json", "-o", "-", "--bench", bench).stdout)
    outcomes = {cell["device"]: cell["outcome"] for cell in report["cells"]}
    assert outcomes == {"oven": "failed", "fine": "measured"}
    assert any("oven was given up: SoC 48 °C" in (cell["reason"] or "") for cell in report["cells"])
