"""A board from end to end: the agent brought over a real sshd, the real runtime. The board itself is a double."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from devices.boards import board_of, ssh_device
from devices.opening import open_devices
from harness.core.device import DeviceSpec
from harness.core.errors import DeviceBusy, DeviceError, DeviceLost, DeviceRefused
from harness.core.launch import FailureKind, LaunchFailure, LaunchOrder, LaunchRecord
from tests.contract.test_device import an_order
from tests.support.boards import board_spec
from tests.support.command import run_bench
from tests.support.sshd import Sshd, make_key
from tests.support.tcp_proxy import proxy_to

pytestmark = pytest.mark.waits


def files_on(server: Sshd) -> list[Path]:
    return sorted((server.home / ".weighbridge" / "files").iterdir())


def anew(order: LaunchOrder) -> LaunchOrder:
    """Another attempt at it: under one lease each is started once."""
    return dataclasses.replace(order, attempt=uuid.uuid4().hex)


def test_a_board_says_who_it_is_whatever_it_is_called(server: Sshd) -> None:
    one, other = ssh_device(board_spec(server, "one")).facts, ssh_device(board_spec(server, "other")).facts
    assert one.serial
    assert one.machine
    assert (one.serial, one.machine) == (other.serial, other.machine)
    assert one.runtime == "LiteRT"


def test_two_names_of_one_board_are_not_measured_on_by_two_processes(server: Sshd) -> None:
    """In one process they take turns."""
    facts = ssh_device(board_spec(server)).facts
    script = (
        "import sys, time; from devices.lease import lease, lease_folder\n"
        "with lease('other', sys.argv[1], lease_folder()): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        (sys.executable, "-c", script, str(facts.machine)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(DeviceBusy, match=f"process {holder.pid}"), ssh_device(board_spec(server)):
        pass
    holder.communicate()


def test_what_is_brought_is_the_agent_and_the_model_each_once_and_private(server: Sshd, tmp_path: Path) -> None:
    order = an_order(tmp_path)
    for _ in range(2):
        with ssh_device(board_spec(server)) as device:
            assert isinstance(device.launch(anew(order)), LaunchRecord)
            assert isinstance(device.launch(anew(order)), LaunchRecord)
    assert [file.suffix for file in files_on(server)].count(".tflite") == 1
    assert [file.suffix for file in files_on(server)].count(".pyz") == 1
    assert {file.stat().st_mode & 0o777 for file in files_on(server)} == {0o600}
    assert (server.home / ".weighbridge").stat().st_mode & 0o777 == 0o700


def test_a_model_of_a_hostile_name_is_measured(server: Sshd, tmp_path: Path) -> None:
    order = an_order(tmp_path)
    hostile = order.variant.rename(order.variant.with_name("$(touch pwned) '\"; -rf.tflite"))
    with ssh_device(board_spec(server)) as device:
        assert isinstance(device.launch(dataclasses.replace(order, variant=hostile)), LaunchRecord)
    assert not (server.home / "pwned").exists()


def test_a_connection_that_breaks_is_one_lost_launch_and_the_next_connects_again(server: Sshd, tmp_path: Path) -> None:
    order = an_order(tmp_path)
    with proxy_to(server.port) as proxy:
        spec = dataclasses.replace(board_spec(server), ssh=server.through(proxy.port))
        with ssh_device(spec) as device:
            assert isinstance(device.launch(anew(order)), LaunchRecord)
            proxy.reset()
            lost = device.launch(anew(order))
            assert isinstance(lost, LaunchFailure)
            assert lost.kind is FailureKind.LOST
            assert isinstance(device.launch(anew(order)), LaunchRecord)


def test_a_board_that_is_gone_is_lost_and_one_that_is_back_is_used(server: Sshd, tmp_path: Path) -> None:
    order = an_order(tmp_path)
    with ssh_device(board_spec(server)) as device:
        server.stop()
        device.launch(anew(order))
        with pytest.raises(DeviceLost, match="nothing listens there"):
            device.launch(anew(order))
        server.start()
        assert isinstance(device.launch(anew(order)), LaunchRecord)


def test_leaving_ends_a_push_that_is_under_way(server: Sshd, tmp_path: Path) -> None:
    order = an_order(tmp_path)
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(4_000_000))
    outcomes: list[object] = []

    def launch() -> None:
        try:
            outcomes.append(device.launch(dataclasses.replace(order, inputs=(big,))))
        except DeviceError as error:
            outcomes.append(error)

    with proxy_to(server.port) as proxy:
        device = ssh_device(dataclasses.replace(board_spec(server), ssh=server.through(proxy.port)))
        with device:
            assert isinstance(device.launch(anew(order)), LaunchRecord)
            proxy.weather.bytes_per_s = 100_000
            pushing = threading.Thread(target=launch)
            pushing.start()
            begun = time.monotonic()
        assert time.monotonic() - begun < 20
        pushing.join(20)
        proxy.restore()
    assert not pushing.is_alive()
    assert isinstance(outcomes[0], DeviceLost), outcomes


def test_nothing_is_left_running_on_the_board(server: Sshd, tmp_path: Path) -> None:
    with ssh_device(board_spec(server)) as device:
        device.launch(an_order(tmp_path))
    left = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(server.home).encode() in (path.read_bytes() if path.exists() else b"")
    ]
    assert left == []


def test_another_board_at_the_same_address_is_refused(server: Sshd, tmp_path: Path) -> None:
    with ssh_device(board_spec(server)) as device:
        server.stop()
        for name in ("host", "host.pub"):
            (server.folder / name).unlink()
        make_key(server.folder / "host")
        server.start()
        lost = device.launch(an_order(tmp_path))
        assert isinstance(lost, LaunchFailure)
        assert lost.kind is FailureKind.LOST
        with pytest.raises(DeviceRefused, match=r"the host key of .* is another"):
            device.canary()


def test_another_board_is_noticed_even_where_its_new_key_was_accepted(server: Sshd) -> None:
    board = board_of(board_spec(server))
    board.connect().close()
    server.stop()
    for name in ("host", "host.pub"):
        (server.folder / name).unlink()
    make_key(server.folder / "host")
    server.start()
    _ = server.address  # writes what is known anew
    with pytest.raises(DeviceRefused, match="another board answers at its address"):
        board.connect()


def test_a_python_that_is_too_old_or_not_there_is_named(server: Sshd, tmp_path: Path) -> None:
    old = tmp_path / "python2"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o700)
    for python in (old, tmp_path / "missing"):
        with pytest.raises(DeviceError, match=f"no Python of 3.7 or later is there .tried {python}"):
            ssh_device(dataclasses.replace(board_spec(server), python=python))


def test_the_boards_own_python_is_found(server: Sshd) -> None:
    board = board_of(dataclasses.replace(board_spec(server), python=None))
    assert os.access(board.python, os.X_OK)
    board.close()


def test_a_board_that_does_not_answer_is_absent_and_the_others_are_not(server: Sshd) -> None:
    gone = dataclasses.replace(server.address, port=1)
    specs = [DeviceSpec(name="gone", kind="ssh", ssh=gone), board_spec(server)]
    absent, present = open_devices(specs, dry_run=False)
    assert absent.facts.units == ()
    assert "nothing listens there" in absent.facts.exclusions[0].reason
    assert present.facts.units


def a_config(server: Sshd, folder: Path) -> Path:
    """A campaign on the board alone."""
    address = server.address
    config = folder / "c.yaml"
    config.write_text(f"""
models: [digits]
variants: [int8]
units: [cpu]
measure: {{launches: 2, inferences: 5, cold_starts: 1}}
limits: {{neighbours: null, canary: null, clock_share: null, soc_celsius: null}}  # other tests keep this machine busy
devices:
  - {{name: board, kind: ssh, host: 127.0.0.1, port: {address.port}, user: {address.user}, key: {address.key},
      known_hosts: {address.known_hosts}, ssh_config: {address.ssh_config}, python: {board_spec(server).python}}}
""")
    return config


def test_a_run_says_how_it_took_a_board_that_was_left_without_giving_it_back(
    server: Sshd, tmp_path: Path, bench: Path
) -> None:
    with ssh_device(board_spec(server)):
        (note,) = (file for file in (server.folder / "leases").iterdir() if file.read_text().startswith("{"))
        os.kill(json.loads(note.read_text())["pid"], signal.SIGKILL)
    done = run_bench("run", a_config(server, tmp_path), "--bench", bench)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("board: "))
    assert line.endswith("left it without giving it back; what it left was ended and restored")


def test_a_campaign_runs_on_a_board_to_its_report(server: Sshd, tmp_path: Path, bench: Path) -> None:
    done = run_bench("run", a_config(server, tmp_path), "--bench", bench)
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.splitlines()[-1]).read_text()
    assert "board" in page


def test_a_board_that_was_left_is_not_connected_to_for_a_delivery(server: Sshd, tmp_path: Path) -> None:
    order = an_order(tmp_path)
    board = board_of(board_spec(server))
    with closing(board.look()):
        board.deliver(order)
    with pytest.raises(DeviceLost, match="the connection is gone"):
        board.deliver(order)
