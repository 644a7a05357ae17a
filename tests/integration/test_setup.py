"""A runtime that is installed by setup, on this machine and over a real sshd, and really measured with."""

import os
import shlex
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from devices import setup, wheels
from devices.agent.runtimes import LITERT
from devices.boards import attach, board_of
from devices.device import AttachedDevice
from devices.runtimes.litert_ops import op_table
from devices.transport.bundle import bundle_file
from devices.transport.local import LocalTransport, ProcessLines
from harness.core.device import DeviceFacts, DeviceSpec
from harness.core.errors import DeviceError, DeviceFull
from harness.core.launch import Api, LaunchFailure
from tests.support.boards import board_spec
from tests.support.command import run_bench
from tests.support.models import tiny_cnn, write_model
from tests.support.sshd import sshd

from .agent_bench import an_order, measured

pytestmark = pytest.mark.waits

SPEC = DeviceSpec(name="local", kind="local")


@pytest.fixture(scope="module")
def wheel_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    board = setup.examine(LocalTransport("local"), "local", sys.executable)
    wheels.download("local", board, wheels.needs_of("local", board, LITERT), folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def device(folder: Path, search: str) -> AttachedDevice:
    """An agent of a Python that has nothing, and is told of one directory."""
    argv = (sys.executable, "-I", "-S", str(bundle_file(folder)), "supervise", "--search", search)
    facts = DeviceFacts(name="local", family="linux", simulated=False)
    return AttachedDevice(facts, lambda: ProcessLines("local", argv), nullcontext, op_table)


@pytest.mark.parametrize("api", [Api.COMPILED_MODEL, Api.INTERPRETER])
def test_what_setup_installed_measures_with_nothing_else(
    wheel_folder: Path, home: Path, tmp_path: Path, api: Api
) -> None:
    installed = setup.set_up(SPEC, wheel_folder, lambda _: None)
    assert installed.folder.startswith(str(home / ".weighbridge/runtime/cp"))
    with device(tmp_path, installed.folder) as entered:
        order = replace(an_order(write_model(tmp_path, tiny_cnn())), api=api)
        record = measured(entered.launch(order))
    assert (record.runtime, record.api) == (installed.runtime, api)


@pytest.mark.parametrize("is_there", [False, True])
def test_what_setup_makes_is_its_users_alone_from_the_start(home: Path, is_there: bool) -> None:
    """Also where an earlier version left it open."""
    before = os.umask(0o022)
    try:
        home.mkdir()
        if is_there:
            (home / ".weighbridge").mkdir()
        setup.examine(LocalTransport("local"), "local", sys.executable)
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (home / ".weighbridge", home / ".weighbridge/runtime")]
    assert modes == [0o700, 0o700]


def test_the_c_library_alone_measures_and_the_interpreter_says_what_it_lacks(
    wheel_folder: Path, tmp_path: Path
) -> None:
    (wheel,) = wheel_folder.glob("ai_edge_litert-*.whl")
    subprocess.check_call((sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path / "lean")))
    model = write_model(tmp_path, tiny_cnn())
    with device(tmp_path, str(tmp_path / "lean")) as entered:
        assert measured(entered.launch(an_order(model))).api is Api.COMPILED_MODEL
        failure = entered.launch(replace(an_order(model), api=Api.INTERPRETER))
    assert isinstance(failure, LaunchFailure)
    assert "No module named 'numpy'" in failure.message


def test_a_second_setup_sends_nothing_and_the_agent_finds_the_runtime_by_itself(wheel_folder: Path, home: Path) -> None:
    first = setup.set_up(SPEC, wheel_folder, lambda _: None)
    again = setup.set_up(SPEC, wheel_folder, lambda _: None)
    assert (first.sent_bytes > 10**7, again.sent_bytes, again.folder) == (True, 0, first.folder)
    assert not list((home / ".weighbridge/runtime").glob(".new-*"))


def test_what_broke_off_leaves_what_was_there(wheel_folder: Path, home: Path, tmp_path: Path) -> None:
    setup.set_up(SPEC, wheel_folder, lambda _: None)
    before = sorted(each.name for each in (home / ".weighbridge/runtime").iterdir())
    for wheel in wheel_folder.iterdir():
        (tmp_path / wheel.name).write_bytes(wheel.read_bytes()[:-1000])
    with pytest.raises(DeviceError, match="not a whole wheel"):
        setup.set_up(SPEC, tmp_path, lambda _: None)
    assert sorted(each.name for each in (home / ".weighbridge/runtime").iterdir()) == before


def test_a_full_device_is_told_before_anything_is_sent(wheel_folder: Path, home: Path) -> None:
    transport = LocalTransport("local")
    board = replace(setup.examine(transport, "local", sys.executable), free_bytes=1000)
    chosen = wheels.choose("local", board, wheels.needs_of("local", board, LITERT), wheel_folder)
    with pytest.raises(DeviceFull, match=r"the runtime takes .* MB there"):
        setup.place(transport, "local", board, chosen, lambda _: None)
    assert not list((home / ".weighbridge/runtime").glob("cp*"))


def test_the_command_installs_and_a_missing_wheel_is_exit_3(wheel_folder: Path, home: Path, tmp_path: Path) -> None:
    del home
    good = run_bench("setup", "local", "--wheels", str(wheel_folder))
    assert (good.returncode, "LiteRT 2" in good.stdout) == (0, True)
    empty = tmp_path / "empty"
    empty.mkdir()
    bad = run_bench("setup", "local", "--wheels", str(empty))
    assert bad.returncode == 3
    assert "no wheel of ai-edge-litert==2.3.0 in it; fill it with: pip download" in bad.stderr


def test_a_python_that_is_not_there_is_told(home: Path) -> None:
    del home
    with pytest.raises(DeviceError, match="/no/python does not run there"):
        setup.set_up(replace(SPEC, python=Path("/no/python")), None, lambda _: None)


@pytest.mark.parametrize("kind", ["ssh", "edgetpu"])
def test_a_board_is_set_up_over_ssh_and_its_agent_measures_with_that(
    wheel_folder: Path, tmp_path: Path, kind: str
) -> None:
    """The board's Python has nothing of its own: what the agent finds, setup brought."""
    with sshd(tmp_path / "sshd") as server:
        bare = tmp_path / "python"
        bare.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S "$@"\n')
        bare.chmod(0o755)
        spec = replace(board_spec(server), kind=kind, python=bare)
        assert attach(board_of(spec), "board").facts.runtime is None
        installed = setup.set_up(spec, wheel_folder, lambda _: None)
        assert installed.folder.startswith(str(server.home / ".weighbridge/runtime/cp"))
        assert setup.set_up(spec, wheel_folder, lambda _: None).sent_bytes == 0
        with attach(board_of(spec), "board") as device:
            record = measured(device.launch(an_order(write_model(tmp_path, tiny_cnn()))))
        assert record.runtime == installed.runtime


def test_the_command_sets_up_every_board_of_a_configuration(wheel_folder: Path, tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd") as server:
        at = server.address
        reached = f"host: {at.host}, port: {at.port}, user: {at.user}, key: {at.key}, known_hosts: {at.known_hosts}"
        config = tmp_path / "c.yaml"
        config.write_text(
            "models: [digits]\ndevices:\n"
            f"  - {{name: board, kind: ssh, {reached}, ssh_config: {at.ssh_config}, python: {sys.executable}}}\n"
        )
        done = run_bench("setup", config, "--wheels", wheel_folder)
        assert (done.returncode, done.stdout.startswith("board: LiteRT 2")) == (0, True), done.stderr
        assert list((server.home / ".weighbridge/runtime").glob("cp*"))
