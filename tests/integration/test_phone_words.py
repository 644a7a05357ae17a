"""What `run_bench.py run` says of phones that cannot be measured, while another device goes on."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.transport.adb_server import AdbServer
from harness.bench import read
from harness.places import Places
from reports.view import document
from tests.support.models import tiny_cnn, write_model
from tests.support.phones import Bed, a_bed
from tests.support.waiting import until

pytestmark = pytest.mark.waits

ROOT = Path(__file__).parents[2]


def unauthorised(bed: Bed) -> str:
    bed.phone.is_authorised = False
    return f"address: '{bed.phone.address}'"


def silent(bed: Bed) -> str:
    """One that adb knows, and that says nothing any more: offline."""
    assert bed.spec.adb is not None
    server = AdbServer("test", bed.spec.adb)
    server.choose()
    bed.phone.is_mute = True
    bed.phone.drop()
    until(lambda: server.states().get(bed.phone.address) == "offline", 30.0)
    return f"serial: '{bed.phone.address}'"


def unplugged(_: Bed) -> str:
    return "serial: NOSUCH"


def any_of_none(_: Bed) -> str:
    return "adb: null"


def any_of_two(bed: Bed) -> str:
    assert bed.spec.adb is not None
    AdbServer("test", bed.spec.adb).choose()
    return "adb: null"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (unauthorised, "accept the prompt"),
        (silent, "is offline, also after it was reconnected; plug it in again, or restart it"),
        (unplugged, "NOSUCH is not attached; plug it in and enable USB debugging"),
        (any_of_none, "no phone is attached; plug it in and enable USB debugging"),
    ],
)
def test_a_phone_that_cannot_be_used_has_one_line_and_the_others_go_on(
    bed: Bed, tmp_path: Path, port: int, state: Callable[[Bed], str], words: str
) -> None:
    done = run(tmp_path, port, state(bed))
    said = " ".join((done.stdout + done.stderr).split())  # lines are as wide as the screen
    assert done.returncode == 3, said
    assert words in said.partition(" pixel8: not measured: ")[2], said
    assert measured(tmp_path) == {"sim"}


def test_of_two_phones_one_has_to_be_named(bed: Bed, tmp_path: Path, port: int) -> None:
    address = any_of_two(bed)
    with a_bed(tmp_path / "second", port) as second:
        any_of_two(second)
        done = run(tmp_path, port, address)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 3, said
    assert "more than one phone is attached" in said
    assert measured(tmp_path) == {"sim"}


def run(folder: Path, port: int, address: str) -> "subprocess.CompletedProcess[str]":
    write_model(folder, tiny_cnn(), "tiny.tflite")
    key = f", {address}" if "null" not in address else ""
    (folder / "c.yaml").write_text(
        "models: [{path: tiny.tflite}]\nvariants: [float32]\nunits: [cpu]\n"
        "measure: {launches: 2, inferences: 5, cold_starts: 0}\n"
        "devices:\n  - {name: sim, kind: simulated, scenario: {}}\n"
        f"  - {{name: pixel8, kind: android, server_port: {port}{key}}}\n"
    )
    words = (sys.executable, str(ROOT / "run_bench.py"), "run", "c.yaml", "--bench", "bench")
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def measured(folder: Path) -> set[str]:
    result = read(Places(root=folder / "bench"), None)
    return {cell["device"] for cell in document(result)["cells"] if cell["outcome"] == "measured"}
