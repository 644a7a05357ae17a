"""The command line as a user meets it: outputs, exit codes, wrong inputs."""

import contextlib
import json
import os
import pty
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.benches import beside
from tests.support.command import argv, run_bench
from tests.support.models import (
    custom_op,
    hostile_names,
    many_ops,
    no_inputs,
    open_shape,
    several_inputs,
    several_signatures,
    tiny_cnn,
)

SIMULATED = """
devices: [{name: sim, kind: simulated}]
measure: {launches: 8, inferences: 10}
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory, built: Path) -> tuple[Path, Path, list[str]]:
    """A finished campaign of two variants of `digits` on the simulated device: bench folder, config, output lines."""
    folder = tmp_path_factory.mktemp("bench")
    config = write(folder / "sim.yaml", f"models: [digits]\nvariants: [float16, int8]\n{SIMULATED}")
    bench = beside(built, folder / "b")
    done = run_bench("run", config, "--bench", bench)
    assert done.returncode == 0, done.stderr
    return bench, config, done.stdout.splitlines()


def test_help_names_the_commands() -> None:
    shown = run_bench("--help")
    assert shown.returncode == 0
    for command in ("doctor", "devices", "variants", "plan", "run", "report"):
        assert re.search(rf"^  {command} ", shown.stdout, re.M)


def test_run_ends_with_campaign_and_report(campaign: tuple[Path, Path, list[str]]) -> None:
    bench, _, lines = campaign
    identity, report = lines[-2:]
    assert Path(report) == bench / "reports" / f"{identity}.html"
    assert Path(report).read_text(encoding="utf-8").startswith("<!")


def test_json_report_is_alone_on_standard_output(campaign: tuple[Path, Path, list[str]]) -> None:
    bench, _, lines = campaign
    shown = run_bench("report", lines[-2], "--format", "json", "-o", "-", "--bench", bench)
    document = json.loads(shown.stdout)
    assert document["campaign"]["id"] == lines[-2]
    assert Counter(cell["outcome"] for cell in document["cells"]) == {"measured": 9}
    assert {cell["variant"] for cell in document["cells"]} == {"float32", "float16", "int8"}


@pytest.mark.parametrize("format_", ["html", "json", "csv", "markdown", "trace"])
def test_each_format_goes_to_a_file(campaign: tuple[Path, Path, list[str]], tmp_path: Path, format_: str) -> None:
    target = tmp_path / "out"
    shown = run_bench("report", "--format", format_, "-o", target, "--bench", campaign[0])
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [str(target)]
    assert target.stat().st_size > 500


def test_report_writes_into_a_pipe_in_place(campaign: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        shown = run_bench("report", "--format", "csv", "-o", pipe, "--bench", campaign[0])
        assert shown.returncode == 0, shown.stderr
        assert b"float16" in os.read(reader, 1 << 16)
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_resume_of_a_finished_campaign_says_it_again(campaign: tuple[Path, Path, list[str]]) -> None:
    bench, config, lines = campaign
    again = run_bench("run", config, "--resume", "--bench", bench)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-2:] == lines[-2:]


def test_plan_counts_cells_and_time(tmp_path: Path, bench: Path) -> None:
    config = write(tmp_path / "c.yaml", f"models: [digits]\nvariants: [int8]\n{SIMULATED}")
    shown = run_bench("plan", config, "--json", "--bench", bench)
    planned = json.loads(shown.stdout)
    assert len(planned["cells"]) == 6
    assert planned["estimate_s"] > 0


def test_only_that_matches_nothing_is_wrong_usage(tmp_path: Path, bench: Path) -> None:
    config = write(tmp_path / "c.yaml", f"models: [digits]\nvariants: [int8]\n{SIMULATED}")
    shown = run_bench("run", config, "--only", "no-such-cell", "--bench", bench)
    assert (shown.returncode, len(shown.stderr.splitlines())) == (2, 1)


def test_variants_prints_what_was_built(tmp_path: Path) -> None:
    model = tmp_path / "my.tflite"
    model.write_bytes(tiny_cnn())
    shown = run_bench("variants", model, "--json", "--bench", tmp_path / "b")
    assert shown.returncode == 0, shown.stderr
    built = {variant["variant"]: variant for variant in json.loads(shown.stdout)["variants"]}
    assert built["float32"]["size_bytes"] == model.stat().st_size
    assert built["int8"]["weights_compressed"] == built["int8"]["weights_total"] > 0
    assert "calibrated on random inputs" in " ".join(built["int8"]["notes"])


UNUSABLE = {
    "missing": (None, "no such file"),
    "empty": (b"", "empty"),
    "text": (b"hello, I am a model\n" * 100, "TFL3"),
    "truncated": (tiny_cnn()[:900], ""),
    "open": (open_shape(), "input_shapes"),
    "custom": (custom_op(), "NoSuchOperator"),
}


@pytest.fixture(scope="module")
def unusable(tmp_path_factory: pytest.TempPathFactory, built: Path) -> dict[str, Any]:
    """A campaign of models that cannot be used, with one that can in their midst."""
    folder = tmp_path_factory.mktemp("unusable")
    (folder / "good.tflite").write_bytes(tiny_cnn())
    for name, (content, _) in UNUSABLE.items():
        if content is not None:
            (folder / f"{name}.tflite").write_bytes(content)
    names = [*UNUSABLE]
    models = "".join(f"  - {{path: {name}.tflite}}\n" for name in (*names[:3], "good", *names[3:]))
    config = write(folder / "c.yaml", f"models:\n{models}variants: [float16]\nunits: [cpu]\n{SIMULATED}")
    bench = beside(built, folder / "b")
    done = run_bench("run", config, "--bench", bench)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    document: dict[str, Any] = json.loads(run_bench("report", "--format", "json", "-o", "-", "--bench", bench).stdout)
    return document


@pytest.mark.parametrize("name", UNUSABLE)
def test_model_that_cannot_be_used_fails_alone(unusable: dict[str, Any], name: str) -> None:
    outcomes = {(cell["model"], cell["outcome"]) for cell in unusable["cells"]}
    assert ("good", "measured") in outcomes
    assert (name, "measured") not in outcomes
    reasons = [each["error"] for each in unusable["models_failed"] if Path(each["path"]).stem == name]
    reasons += [each["error"] for each in unusable["builds_failed"] if each["model"] == name]
    assert any(UNUSABLE[name][1].lower() in reason.lower() for reason in reasons), reasons


def test_prebuilt_file_of_another_network_is_called_by_its_own_name(tmp_path: Path, bench: Path) -> None:
    (tmp_path / "good.tflite").write_bytes(tiny_cnn())
    (tmp_path / "theirs.tflite").write_bytes(several_inputs())
    text = f"models: [{{path: good.tflite}}, {{path: theirs.tflite, of: good}}]\nvariants: [float32]\n{SIMULATED}"
    done = run_bench("run", write(tmp_path / "c.yaml", text), "--bench", bench)
    assert done.returncode == 3
    assert "theirs.tflite" in done.stdout
    assert "scratch" not in done.stdout


def test_hostile_names_come_through_as_text(tmp_path: Path, bench: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(hostile_names())
    name = "</script><b>\\\"'../../x"
    text = f"models: [{{path: m.tflite, name: {json.dumps(name)}}}]\nvariants: [float16]\nunits: [cpu]\n{SIMULATED}"
    done = run_bench("run", write(tmp_path / "c.yaml", text), "--bench", bench)
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.splitlines()[-1]).read_text(encoding="utf-8")
    assert "</script><b>" not in page


def test_unusual_models_are_measured_with_their_operators(tmp_path: Path, bench: Path) -> None:
    unusual = {
        "signatures": several_signatures(),
        "none": no_inputs(),
        "many": many_ops(200),
        "inputs": several_inputs(),
    }
    for name, content in unusual.items():
        (tmp_path / f"{name}.tflite").write_bytes(content)
    models = "".join(f"  - {{path: {name}.tflite}}\n" for name in unusual)
    text = f"models:\n{models}variants: [float32]\nmeasure: {{launches: 2, inferences: 3, warmup_s: 0.01}}\n"
    done = run_bench("run", write(tmp_path / "c.yaml", text), "--bench", bench)
    assert done.returncode == 0, done.stderr
    shown = run_bench("report", "--format", "json", "-o", "-", "--bench", bench)
    cells = json.loads(shown.stdout)["cells"]
    assert {cell["model"] for cell in cells} == set(unusual)
    assert {cell["outcome"] for cell in cells} == {"measured"}
    assert all(cell["ops"] for cell in cells)


def test_model_alone_stands_for_a_configuration(tmp_path: Path, bench: Path) -> None:
    (tmp_path / "my.tflite").write_bytes(tiny_cnn())
    for model in ("my.tflite", "digits"):
        shown = run_bench("plan", model, "--json", "--bench", bench, cwd=tmp_path)
        assert {cell["model"] for cell in json.loads(shown.stdout)["cells"]} == {model.removesuffix(".tflite")}
    refused = run_bench("plan", "digit", "--bench", bench)
    assert (refused.returncode, "digits, mobilenet_v1, mobilenet_v2" in refused.stderr) == (2, True)


def test_folder_for_variants_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    shown = run_bench("variants", "digits", "--bench", tmp_path / "file" / "b")
    assert (shown.returncode, len(shown.stderr.splitlines())) == (3, 1)
    assert str(tmp_path / "file") in shown.stderr


def test_every_wrong_key_is_one_line_with_its_place(tmp_path: Path) -> None:
    config = write(tmp_path / "c.yaml", "models: [digits]\nlaunchs: 3\nmeasure:\n  launches: many\n")
    shown = run_bench("run", config, "--bench", tmp_path / "b")
    assert shown.returncode == 2
    assert [line.split(": ")[0] for line in shown.stderr.splitlines()] == [f"{config}:2:1", f"{config}:4:13"]
    assert not (tmp_path / "b").exists()


def test_unknown_command_is_wrong_usage() -> None:
    assert run_bench("weigh").returncode == 2


def test_report_without_campaigns_says_how_to_get_one(tmp_path: Path) -> None:
    shown = run_bench("report", "--bench", tmp_path / "b")
    assert shown.returncode == 2
    assert "run_bench.py run" in shown.stderr
    assert not (tmp_path / "b").exists()


def test_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    shown = run_bench("run", "--dry-run", "--bench", tmp_path / "file" / "b")
    assert shown.returncode == 3
    assert len(shown.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in shown.stderr


def test_run_on_a_terminal_draws_its_progress(tmp_path: Path, bench: Path) -> None:
    config = write(tmp_path / "c.yaml", f"models: [digits]\nvariants: [int8]\nunits: [cpu]\n{SIMULATED}")
    drawn = bytearray()
    master, slave = pty.openpty()
    with subprocess.Popen(argv("run", config, "--bench", bench), stdout=subprocess.PIPE, stderr=slave) as run:
        os.close(slave)
        with contextlib.suppress(OSError):  # how a terminal says that its last writer has gone
            while piece := os.read(master, 1 << 16):
                drawn += piece
        assert run.stdout is not None
        shown = run.stdout.read().decode()
    os.close(master)
    assert run.returncode == 0, drawn.decode()
    assert b"measuring" in drawn
    assert Path(shown.splitlines()[-1]).is_file()


def test_resume_takes_no_other_choice(tmp_path: Path) -> None:
    for choice in (("--dry-run",), ("--only", "*")):
        refused = run_bench("run", "--resume", *choice, "--bench", tmp_path / "b")
        assert (refused.returncode, "leave out" in refused.stderr) == (2, True)


def test_unknown_campaign_is_wrong_usage(campaign: tuple[Path, Path, list[str]]) -> None:
    for command in (("report", "nosuch"), ("run", "nosuch", "--resume")):
        refused = run_bench(*command, "--bench", campaign[0])
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_changed_config_starts_anew_and_says_so(tmp_path: Path, bench: Path) -> None:
    config = write(tmp_path / "c.yaml", f"models: [digits]\nvariants: [float16]\nunits: [cpu]\n{SIMULATED}")
    begun = run_bench("run", config, "--resume", "--bench", bench)
    assert begun.returncode == 0
    assert "starting a new campaign" in begun.stderr


def test_only_can_name_one_cell(tmp_path: Path, bench: Path) -> None:
    config = write(tmp_path / "c.yaml", f"models: [digits]\nvariants: [int8]\n{SIMULATED}")
    shown = run_bench("plan", config, "--only", "digits/int8/sim/cpu", "--json", "--bench", bench)
    cells = json.loads(shown.stdout)["cells"]
    assert [(cell["variant"], cell["compute_unit"]) for cell in cells] == [("float32", "cpu"), ("int8", "cpu")]


def test_output_that_goes_nowhere_is_one_clear_error(campaign: tuple[Path, Path, list[str]]) -> None:
    shown = run_bench("report", "--format", "json", "-o", "/dev/full", "--bench", campaign[0])
    assert shown.returncode == 3
    assert len(shown.stderr.splitlines()) == 1
    assert "/dev/full" in shown.stderr


def test_report_through_standard_output_has_nothing_else_in_it(campaign: tuple[Path, Path, list[str]]) -> None:
    shown = run_bench("report", "--format", "json", "-o", "/dev/stdout", "--bench", campaign[0])
    assert json.loads(shown.stdout)["campaign"]["id"] == campaign[2][-2]


def test_reader_that_leaves_early_is_no_traceback(campaign: tuple[Path, Path, list[str]]) -> None:
    with subprocess.Popen(
        argv("report", "--format", "json", "-o", "-", "--bench", campaign[0]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_scenario_error_has_its_place(tmp_path: Path, bench: Path) -> None:
    text = "models: [digits]\ndevices:\n  - name: sim\n    kind: simulated\n    scenario:\n      launch_noise: loud\n"
    config = write(tmp_path / "c.yaml", text)
    refused = run_bench("plan", config, "--bench", bench)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"{config}:6:")
