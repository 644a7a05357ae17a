"""Devices looked at and cleaned over their real ways: a real sshd, the real adb. Board and phone are doubles."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.cleaning import clean_device
from devices.families import android_lease
from devices.lease import lease
from devices.opening import open_devices
from devices.survey import look_at, survey
from devices.transport.adb import AdbTransport
from harness.core.device import AdbAddress, DeviceSpec, PhoneTools, SshAddress
from harness.core.errors import DeviceBusy
from harness.core.limits import NO_LIMITS, Limits, limits_of
from harness.core.survey import Seen
from tests.support.boards import board_spec
from tests.support.command import argv, run_bench
from tests.support.phones import Bed
from tests.support.sshd import Sshd

pytestmark = pytest.mark.waits


def seen(spec: DeviceSpec) -> Seen:
    return look_at(spec, limits_of(spec.kind))


def test_a_board_and_a_phone_are_shown_beside_one_that_is_gone(server: Sshd, bed: Bed) -> None:
    gone = DeviceSpec(name="gone", kind="ssh", ssh=SshAddress(host="127.0.0.1", port=1, user="x"))
    specs = (board_spec(server), gone, bed.spec)
    board, lost, phone = survey(specs, [limits_of(spec.kind) for spec in specs], lambda _: None, lambda: None)
    assert board.problem is None
    assert board.facts is not None
    assert board.facts.runtime == "LiteRT"
    assert "nothing listens there" in (lost.problem or "")
    assert phone.facts is not None
    assert phone.facts.details["model"] == "Google Pixel 8"
    assert (phone.over, phone.held) == ((), None)


def test_a_board_that_is_measured_on_names_who_does(server: Sshd) -> None:
    spec = board_spec(server)
    (device,) = open_devices([spec], dry_run=False)
    with device:
        held = seen(spec).held
    assert held is not None
    assert f"pid {os.getpid()}) has measured on it for" in held
    assert seen(spec).held is None


def test_a_phone_that_is_measured_on_names_who_does(bed: Bed) -> None:
    transport = AdbTransport("pixel8", bed.spec.adb or AdbAddress())
    with android_lease.held(android_lease.PhoneLease(transport)):
        held = seen(bed.spec).held
    assert held is not None
    assert f"process {os.getpid()} of " in held
    assert seen(bed.spec).held is None


def test_a_phone_that_is_too_warm_says_so(bed: Bed) -> None:
    found = look_at(bed.spec, Limits(soc_celsius=20.0, accelerator_celsius=75.0))
    assert [want.what for want in found.over] == ["SoC 31.4 °C, limit 20 °C"]
    assert found.unknown == ("accelerator",)


def test_a_device_that_says_nothing_keeps_nobody(server: Sshd) -> None:
    waited: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = board_spec(server, "mute", port=int(silent.getsockname()[1]))
        (found,) = survey([mute], [NO_LIMITS], waited.extend, lambda: None, patience_s=1.0, word_every_s=0.2)
    assert found.problem == "it did not answer in 1 s; see that it is awake and its link works"
    assert set(waited) == {"mute"}


def test_a_board_is_cleaned_of_what_is_old(server: Sshd, tmp_path: Path) -> None:
    spec = board_spec(server)
    seen(spec)  # which brings the agent
    files = server.home / ".weighbridge" / "files"
    old, own = files / ("a" * 64 + ".tflite"), files / "notes.txt"
    old.write_bytes(b"x" * 1000)
    own.write_text("somebody's own")
    month_ago = time.time() - 40 * 86400
    os.utime(old, (month_ago, month_ago))
    cleaned = clean_device(spec, 30, tmp_path / "leases")
    assert (cleaned.files, cleaned.bytes) == (1, 1000)
    assert clean_device(spec, 0, tmp_path / "leases").files == 1  # the agent, which is in use
    assert [path.name for path in files.iterdir()] == ["notes.txt"]


def test_a_board_that_is_measured_on_is_not_cleaned(server: Sshd, tmp_path: Path) -> None:
    spec = board_spec(server)
    machine = str((found := seen(spec)).facts and found.facts.machine)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_another_process_holds(machine, tmp_path / "leases"))
        with pytest.raises(DeviceBusy):
            clean_device(spec, 0, tmp_path / "leases")
    assert list((server.home / ".weighbridge" / "files").iterdir())


@contextlib.contextmanager
def _another_process_holds(key: str, folder: Path) -> Iterator[None]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with lease("other", key, folder):
            os.write(writing, b"x")
            time.sleep(60)
        os._exit(0)
    os.read(reading, 1)
    try:
        yield
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_a_phone_is_cleaned_of_files_and_libraries(bed: Bed) -> None:
    files = bed.folder / "files"
    library = files / ("b" * 64 + ".d") / "libQnnHtp.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"y" * 10)
    (files / ("c" * 64)).write_bytes(b"z" * 5)
    (files / "mine").write_text("not ours")
    cleaned = clean_device(bed.spec, 0, bed.leases)
    assert (cleaned.files, cleaned.bytes) == (2, 15)
    assert (files / "mine").exists()
    assert not library.exists()


def a_config(folder: Path, *devices: dict[str, object]) -> Path:
    path = folder / "c.yaml"
    path.write_text(json.dumps({"models": ["digits"], "devices": devices}))
    return path


BOARD: dict[str, object] = {"name": "board", "kind": "ssh", "host": "127.0.0.1", "port": 1, "user": "x"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "no-such-host.invalid"}, "cannot be resolved"),
        ({}, "nothing listens there"),
    ],
)
def test_what_is_typed_wrong_is_one_line_and_code_3(tmp_path: Path, change: dict[str, object], words: str) -> None:
    shown = run_bench("devices", a_config(tmp_path, {**BOARD, **change}), "--bench", tmp_path / "b")
    assert shown.returncode == 3
    (line,) = shown.stdout.splitlines()
    assert line.startswith("board (ssh): does not answer: ")
    assert words in line
    assert "Traceback" not in shown.stderr


def test_a_key_that_is_not_there_is_named(server: Sshd) -> None:
    assert "the key /nowhere/key cannot be read" in (seen(board_spec(server, key=Path("/nowhere/key"))).problem or "")


def test_devices_that_are_away_are_named_before_they_are_waited_for(tmp_path: Path, bench: Path) -> None:
    shown = run_bench("plan", a_config(tmp_path, {"kind": "local"}, BOARD), "--bench", bench)
    assert shown.returncode == 0
    assert shown.stderr.splitlines() == ["asking board"]


def test_the_doctor_of_a_configuration_ends_with_its_devices(tmp_path: Path) -> None:
    shown = run_bench("doctor", a_config(tmp_path, BOARD), "--json", "--bench", tmp_path / "b")
    assert shown.returncode == 3
    last = json.loads(shown.stdout)["findings"][-1]
    assert (last["what"], last["ok"], last["seen"]) == ("board", False, "does not answer")


def test_a_phones_missing_adb_is_named() -> None:
    spec = DeviceSpec(
        name="p", kind="android", adb=AdbAddress(adb=Path("/nowhere/adb"), server_port=1), tools=PhoneTools()
    )
    assert "/nowhere/adb" in (seen(spec).problem or "")


@pytest.mark.parametrize(
    "words", [("--older-than", "3"), ("--clean", "--json"), ("--release", "x", "--clean"), ("nobody.yaml",)]
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    refused = run_bench("devices", *words, "--bench", tmp_path / "b")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


def test_ctrl_c_ends_the_wait_for_a_device_that_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        config = a_config(tmp_path, {**BOARD, "port": int(silent.getsockname()[1])})
        words = argv("plan", config, "--bench", tmp_path / "b")
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        link, _ = silent.accept()
        with link:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert said.split() == ["asking", "board", "stopped"]
