"""Whole campaigns: names reach no shell, and what is secret comes to light nowhere. The devices are doubles."""

import glob
import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from devices.boards import board_of
from devices.runtimes.owner import Owner
from devices.transport.bundle import bundle_folder
from harness.core.device import DeviceSpec, SshAddress
from tests.contract.test_device import an_order
from tests.support.command import RUN_BENCH, run_bench
from tests.support.passwords import SECRET, password_server
from tests.support.phones import a_bed
from tests.support.sshd import free_port, sshd

HOSTILE = "; touch pwned; rm -rf $HOME #'\"\n`touch pwned` $(touch pwned) \\"
# This machine is busy with other tests, and no campaign shall wait for that.
ANY_STATE = dict.fromkeys(("soc_celsius", "battery_celsius", "battery_percent", "neighbours", "canary", "clock_share"))
MEASURE = {"launches": 2, "inferences": 3, "cold_starts": 0, "max_launch_s": 1, "warmup_max_s": 0.2}


def a_config(folder: Path, model: Path, devices: Iterable[Mapping[str, object]], variant: str = "float32") -> Path:
    config = folder / "c.yaml"
    content = {
        "models": [{"path": glob.escape(str(model))}],
        "variants": [variant],
        "units": ["cpu"],
        "devices": list(devices),
        "measure": MEASURE,
    }
    config.write_text(json.dumps(content))
    return config


def entry(name: str, address: SshAddress) -> Mapping[str, object]:
    """A board as a configuration has it."""
    words = ("host", "port", "user", "key", "password_env", "known_hosts", "ssh_config")
    given = {word: getattr(address, word) for word in words}
    said = {word: str(value) if isinstance(value, Path) else value for word, value in given.items() if value}
    return {"name": name, "kind": "ssh", "python": sys.executable, "limits": ANY_STATE, **said}


def outcomes(bench: Path) -> Mapping[str, set[str]]:
    report = json.loads(run_bench("report", "--format", "json", "-o", "-", "--bench", bench).stdout)
    found: dict[str, set[str]] = {}
    for cell in report["cells"]:
        found.setdefault(cell["device"], set()).add(cell["outcome"])
    return found


def test_hostile_names_of_models_devices_and_folders_reach_no_shell(tmp_path: Path) -> None:
    model = an_order(tmp_path).variant
    hostile = Path(shutil.copy(model, tmp_path / f"{HOSTILE}.tflite"))
    with sshd(tmp_path / "sshd") as server, a_bed(tmp_path / "bed") as bed:
        assert bed.spec.adb is not None
        assert bed.spec.tools is not None
        assert bed.spec.tools.folder is not None
        tools = bed.spec.tools.folder.rename(tmp_path / HOSTILE)
        (server.home / "kept").touch()
        phone: dict[str, object] = {
            "name": f"phone {HOSTILE}",
            "kind": "android",
            "tools": str(tools),
            "limits": ANY_STATE,
        }
        phone |= {"address": bed.spec.adb.address, "server_port": bed.spec.adb.server_port}
        board = entry(f"board {HOSTILE}", server.address)
        config, bench = a_config(tmp_path, hostile, [board, phone]), tmp_path / "b"
        done = run_bench("run", config, "--bench", bench, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert outcomes(bench) == {str(board["name"]): {"measured"}, str(phone["name"]): {"measured"}}
        assert (server.home / "kept").exists()
    assert not list(tmp_path.rglob("pwned"))


def holds(folder: Path, secret: str) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]


def test_a_password_and_the_token_of_a_lease_are_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model, bench = an_order(tmp_path).variant, tmp_path / "b"
    (place := tmp_path / "server").mkdir()
    with password_server(place) as address:
        config = a_config(tmp_path, model, [entry("board", address)])
        done = run_bench("run", config, "--bench", bench, BOARD_PASSWORD=SECRET)
        assert done.returncode == 0, done.stderr
        monkeypatch.setenv("BOARD_PASSWORD", SECRET)
        board = board_of(DeviceSpec(name="board", kind="ssh", python=Path(sys.executable), ssh=address))
        token = Owner.here("campaign", board.identity).token
        board.close()
    said = [done.stdout, done.stderr]
    said += [run_bench("report", "--format", each, "-o", "-", "--bench", bench).stdout for each in ("html", "json")]
    own = (bundle_folder() / "secret").read_text()
    for secret in (SECRET, token, own):
        assert not [words for words in said if secret in words]
        assert holds(tmp_path, secret) == ([bundle_folder() / "secret"] if secret == own else [])
    assert (bundle_folder() / "secret").stat().st_mode & 0o777 == 0o600


# Run by each Python that starts: whether it sees the password.
_TELL = """
import json, os, sys
with open(os.path.join(os.environ["NOTES"], str(os.getpid())), "w") as note:
    json.dump({"argv": sys.orig_argv, "sees": "BOARD_PASSWORD" in os.environ}, note)
"""
_ADB = """#!/bin/sh
[ -n "$BOARD_PASSWORD" ] && sees=true || sees=false
printf '{"argv": ["%s"], "sees": %s}' "$3" $sees > "$NOTES/adb"
exit 1
"""


def test_a_password_is_in_the_environment_of_nothing_that_a_run_starts(tmp_path: Path) -> None:
    bench = tmp_path / "b"  # where the variant is not built yet: a build is among what is started
    for name in ("server", "site", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(_TELL)
    adb, notes = tmp_path / "adb", tmp_path / "notes"
    adb.write_text(_ADB)
    adb.chmod(0o755)
    here = {"name": "here", "kind": "local", "limits": ANY_STATE}
    phone = {"name": "phone", "kind": "android", "adb": str(adb), "server_port": free_port(), "serial": "X"}
    with password_server(tmp_path / "server") as address:
        config = a_config(tmp_path, an_order(tmp_path).variant, [entry("board", address), here, phone], "float16")
        site = str(tmp_path / "site")
        done = run_bench("run", config, "--bench", bench, BOARD_PASSWORD=SECRET, PYTHONPATH=site, NOTES=str(notes))
    came_of = {"board": {"measured"}, "here": {"measured"}, "phone": {"skipped"}}
    assert outcomes(bench) == came_of, done.stderr
    told = [json.loads(note.read_text()) for note in notes.iterdir()]
    assert [note["argv"][1:3] for note in told if note["sees"]] == [[str(RUN_BENCH), "run"]]
    started = " ".join(word for note in told if not note["sees"] for word in note["argv"])
    for what in ("supervise", "forkserver", "start-server"):  # a launch has the environment of its supervisor
        assert what in started


def test_a_wrong_password_is_refused_without_being_told(tmp_path: Path) -> None:
    wrong, bench = "wrong, and secret", tmp_path / "b"
    model = an_order(tmp_path).variant
    (place := tmp_path / "server").mkdir()
    with password_server(place) as address:
        config = a_config(tmp_path, model, [entry("board", address), {"name": "fine", "kind": "simulated"}])
        done = run_bench("run", config, "--bench", bench, BOARD_PASSWORD=wrong)
    assert done.returncode == 3
    report = run_bench("report", "--format", "json", "-o", "-", "--bench", bench).stdout
    assert "lets us in by none of: the password in BOARD_PASSWORD" in report
    assert wrong not in report + done.stdout + done.stderr
    assert not holds(tmp_path, wrong)
