"""What stands in examples/ works as it stands."""

import json
from pathlib import Path

import pytest

from harness.config import load_config
from harness.variants.recipes import TECHNIQUES, parse, technique
from tests.support.command import run_bench

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.thorough
def test_first_example_runs_to_its_report(bench: Path) -> None:
    done = run_bench("run", EXAMPLES / "first.yaml", "--dry-run", "--bench", bench)
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.splitlines()[-1])
    assert page.stat().st_size < 2.5e6


def test_the_edge_tpu_example_says_what_is_missing(bench: Path) -> None:
    done = run_bench("plan", EXAMPLES / "edgetpu.yaml", "--json", "--bench", bench)
    assert done.returncode == 0, done.stderr
    reasons = {c["skipped"] for c in json.loads(done.stdout)["cells"] if c["compute_unit"] == "edgetpu"}
    assert reasons
    assert None not in reasons


def test_operators_example_treats_operators_apart(bench: Path) -> None:
    done = run_bench("variants", EXAMPLES / "operators.yaml", "--json", "--bench", bench)
    assert done.returncode == 0, done.stderr
    compressed = {v["variant"]: v["weights_compressed"] for v in json.loads(done.stdout)["variants"]}
    assert compressed == {"float32": 0, "int8": 4, "int8-but-logits": 3, "int8-convolutions": 2, "mixed": 4}


def test_boards_example_is_planned_for_every_board(bench: Path) -> None:
    """Its boards are nobody's: simulated ones stand in. tests/integration/test_boards.py measures on a real sshd."""
    shown = run_bench("plan", EXAMPLES / "ssh.yaml", "--dry-run", "--json", "--bench", bench)
    assert shown.returncode == 0, shown.stderr
    devices = {cell["device"] for cell in json.loads(shown.stdout)["cells"]}
    assert devices == {f"{name} (simulated)" for name in ("local", "pi5", "bench-board", "old-board")}
    addresses = [spec.ssh for spec in load_config(EXAMPLES / "ssh.yaml").device_specs() if spec.ssh]
    assert [(each.host, each.port, each.jump, each.password_env) for each in addresses] == [
        ("pi5", None, None, None),
        ("192.0.2.17", 2222, "gate.example:22", None),
        ("192.0.2.18", None, None, "OLD_BOARD_PASSWORD"),
    ]


@pytest.mark.parametrize("scenario", sorted((EXAMPLES / "scenarios").iterdir()), ids=lambda path: str(path.stem))
def test_each_scenario_runs_to_its_report(tmp_path: Path, scenario: Path, bench: Path) -> None:
    config = tmp_path / "c.yaml"
    device = f"{{name: sim, kind: simulated, scenario: {scenario}}}"
    config.write_text(f"models: [digits]\nvariants: [int8]\ndevices: [{device}]\n")
    done = run_bench("run", config, "--bench", bench)
    # Faults strike by chance: hostile may leave a cell failed.
    assert done.returncode in ((0, 3) if scenario.stem == "hostile" else (0,)), done.stderr
    assert Path(done.stdout.splitlines()[-1]).is_file()


def test_the_architectures_are_measured_by_every_technique() -> None:
    config = load_config(EXAMPLES / "architectures.yaml")
    steps = [step for spec in config.specs("resnet50", "tflite", ()) for step in parse(spec.recipe).steps]
    used = [technique(step, "tflite") for step in steps]
    assert [name for (name, its), row in TECHNIQUES.items() if its == "tflite" and row not in used] == [
        "edgetpu"
    ]  # needs its compiler


@pytest.mark.thorough
def test_the_architectures_are_planned_without_exclusions(bench: Path) -> None:
    """Planned alone: to run them takes twenty minutes and 7 GB."""
    shown = run_bench("plan", EXAMPLES / "architectures.yaml", "--json", "--bench", bench)
    assert shown.returncode == 0, shown.stderr
    cells = json.loads(shown.stdout)["cells"]
    variants = len(load_config(EXAMPLES / "architectures.yaml").specs("resnet50", "tflite", ()))
    assert len(cells) == 5 * variants
    assert not [cell for cell in cells if cell["skipped"]]


def test_the_phones_example_asks_for_a_phone() -> None:
    (device,) = load_config(EXAMPLES / "android.yaml").device_specs()
    assert (device.kind, device.name) == ("android", "pixel8")
    assert device.adb is not None
    assert device.adb.serial == "37021FDJH0001"


def test_the_fleet_is_planned_for_a_device_of_each_family(bench: Path) -> None:
    """Its devices are nobody's: simulated ones stand in. tests/integration measures on doubles of each."""
    shown = run_bench("plan", EXAMPLES / "fleet.yaml", "--dry-run", "--json", "--bench", bench)
    assert shown.returncode == 0, shown.stderr
    devices = {cell["device"] for cell in json.loads(shown.stdout)["cells"] if not cell["skipped"]}
    assert devices == {f"{name} (simulated)" for name in ("local", "pi5", "coral", "pixel8")}
    kinds = [spec.kind for spec in load_config(EXAMPLES / "fleet.yaml").device_specs()]
    assert kinds == ["local", "ssh", "edgetpu", "android"]
