"""The way to a phone: the real adb and the real adbutils against the emulated adbd."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devices.transport.adb import AdbTransport
from harness.core.deadline import Deadline
from harness.core.device import AdbAddress
from harness.core.errors import DeviceFull, DeviceLost, DeviceRefused
from tests.support.adbd import Adbd
from tests.support.hostile import HOSTILE_NAMES
from tests.support.phones import plant
from tests.support.waiting import until

pytestmark = pytest.mark.waits

SOON = 20.0
# Those that a file system takes.
NAMES = [name for name in HOSTILE_NAMES if len(name) < 200 and "\ud800" not in name]


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Adbd]:
    with Adbd(plant(tmp_path / "phone")) as adbd:
        yield adbd


@pytest.fixture
def transport(phone: Adbd, port: int) -> Iterator[AdbTransport]:
    transport = AdbTransport("pixel", AdbAddress(address=phone.address, server_port=port))
    yield transport
    transport.close()
    transport.server.ask(lambda client: client.disconnect(phone.address))


def once_it_runs(phone: Adbd, do: Callable[[], None]) -> threading.Thread:
    def wait_and_do() -> None:
        until(lambda: bool(phone.pids))
        do()

    thread = threading.Thread(target=wait_and_do)
    thread.start()
    return thread


def test_a_command_has_its_output_its_errors_and_its_exit_code(transport: AdbTransport) -> None:
    done = transport.run(("sh", "-c", "echo out; echo err >&2; exit 7"), Deadline(SOON))
    assert (done.exit_code, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_a_command_reads_what_it_is_given(transport: AdbTransport) -> None:
    assert transport.run(("cat",), Deadline(SOON), b"a\0b\n").stdout == b"a\0b\n"


def test_a_command_is_ended_on_the_phone_at_its_deadline(transport: AdbTransport, phone: Adbd) -> None:
    with pytest.raises(DeviceLost, match=r"did not end in 0\.5 s"):
        transport.run(("sleep", "60"), Deadline(0.5))
    until(lambda: not phone.pids)


def test_a_signals_death_is_128_and_the_signal(transport: AdbTransport) -> None:
    assert transport.run(("sh", "-c", "kill -9 $$"), Deadline(SOON)).exit_code == 137


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_stay_names(transport: AdbTransport, tmp_path: Path, name: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    target = f"/data/local/tmp/{name.replace('/', '_')}"
    transport.send_file(file, target, Deadline(SOON))
    assert transport.run(("cat", target), Deadline(SOON)).stdout == b"content"
    assert transport.run(("printf", "%s", name), Deadline(SOON)).stdout == name.encode()


def test_a_file_goes_and_comes_back_whole_and_private(transport: AdbTransport, phone: Adbd, tmp_path: Path) -> None:
    file, back = tmp_path / "file", tmp_path / "back"
    file.write_bytes(bytes(range(256)) * 4096 + b"end")
    told: list[tuple[int, int]] = []
    transport.send_file(file, "/data/local/tmp/f", Deadline(SOON), lambda sent, total: told.append((sent, total)))
    transport.fetch_file("/data/local/tmp/f", back, Deadline(SOON))
    assert back.read_bytes() == file.read_bytes()
    assert told[-1] == (file.stat().st_size,) * 2
    assert (phone.root / "data/local/tmp/f").stat().st_mode & 0o777 == 0o600
    assert back.stat().st_mode & 0o777 == 0o600


def test_a_full_phone_is_told_as_such(transport: AdbTransport, phone: Adbd, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(300_000))
    phone.quota = 100_000
    with pytest.raises(DeviceFull, match="No space left on device"):
        transport.send_file(file, "/data/local/tmp/f", Deadline(SOON))


def test_the_hosts_own_trouble_is_an_oserror(transport: AdbTransport, phone: Adbd, tmp_path: Path) -> None:
    (phone.root / "data/local/tmp/f").write_bytes(b"x")
    with pytest.raises(FileNotFoundError):
        transport.fetch_file("/data/local/tmp/f", tmp_path / "no/folder/f", Deadline(SOON))
    with pytest.raises(FileNotFoundError):
        transport.send_file(tmp_path / "none", "/data/local/tmp/g", Deadline(SOON))


def test_a_phone_that_did_not_authorise_us_is_refused_with_what_to_do(phone: Adbd, transport: AdbTransport) -> None:
    phone.is_authorised = False
    with pytest.raises(DeviceRefused, match="accept the prompt"):
        transport.run(("true",), Deadline(SOON))


def test_a_phone_that_is_not_attached_is_told_with_those_that_are(port: int, transport: AdbTransport) -> None:
    attached = transport.serial
    other = AdbTransport("pixel", AdbAddress(serial="NOSUCH", server_port=port))
    with pytest.raises(DeviceLost, match=rf"NOSUCH is not attached \(attached: {attached} \(device\)\)"):
        other.run(("true",), Deadline(SOON))


def test_of_two_phones_one_must_be_named(port: int, transport: AdbTransport, tmp_path: Path) -> None:
    with Adbd(plant(tmp_path / "second")) as second:
        named = AdbTransport("second", AdbAddress(address=second.address, server_port=port))
        assert {transport.serial, named.serial} == set(named.server.states())
        with pytest.raises(DeviceRefused, match=r"more than one phone is attached .*set serial"):
            AdbTransport("any", AdbAddress(server_port=port)).run(("true",), Deadline(SOON))
        named.server.ask(lambda client: client.disconnect(second.address))


def test_a_phone_that_goes_away_during_a_command_is_lost_at_once(transport: AdbTransport, phone: Adbd) -> None:
    transport.attach()
    cut = once_it_runs(phone, phone.cut)
    with pytest.raises(DeviceLost):
        transport.run(("sleep", "60"), Deadline(SOON))
    cut.join()
    until(lambda: not phone.pids)


def test_a_phone_that_comes_back_is_used_again(transport: AdbTransport, phone: Adbd) -> None:
    transport.attach()
    phone.cut()
    phone.restore()
    transport.attach()
    assert transport.run(("echo", "again"), Deadline(SOON)).stdout == b"again\n"


def test_a_link_that_stalls_holds_nobody_past_a_deadline(transport: AdbTransport, phone: Adbd, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(30_000_000))
    transport.attach()
    phone.is_mute = True
    begun = Deadline(SOON)
    with pytest.raises(DeviceLost, match="did not end in 1 s"):
        transport.run(("true",), Deadline(1))
    with pytest.raises(DeviceLost, match="did not answer in 1"):
        transport.send_file(file, "/data/local/tmp/f", Deadline(1))
    with pytest.raises(DeviceLost, match="did not answer in 1"):
        transport.fetch_file("/data/local/tmp/f", tmp_path / "back", Deadline(1))
    assert not begun.expired
    assert not (tmp_path / "back").exists()
    phone.is_mute = False


def test_one_phone_is_reconnected_and_the_others_stay(transport: AdbTransport, port: int, tmp_path: Path) -> None:
    with Adbd(plant(tmp_path / "second")) as second:
        other = AdbTransport("second", AdbAddress(address=second.address, server_port=port))
        other.attach()
        lines = other.start(("sh", "-c", "echo first; cat"))
        assert lines.receive(Deadline(SOON)) == b"first"
        transport.server.reconnect(transport.serial)
        lines.send(b"second")
        assert lines.receive(Deadline(SOON)) == b"second"
        lines.close()
        other.server.ask(lambda client: client.disconnect(second.address))


def test_a_process_of_lines_ends_with_its_link(transport: AdbTransport, phone: Adbd) -> None:
    lines = transport.start(("cat",))
    lines.send(b"one")
    assert lines.receive(Deadline(SOON)) == b"one"
    lines.close()
    until(lambda: not phone.pids)


def test_closing_ends_what_another_thread_waits_for(transport: AdbTransport, phone: Adbd) -> None:
    transport.attach()
    closing = once_it_runs(phone, transport.close)
    with pytest.raises(DeviceLost, match="closed"):
        transport.run(("sleep", "60"), Deadline(SOON))
    closing.join()


def test_endless_output_is_cut(transport: AdbTransport, phone: Adbd) -> None:
    ended = transport.stream("exec yes", Deadline(SOON), most=100_000)
    assert ended.ended_by == "output"
    assert len(ended.stdout) <= 100_000
    until(lambda: not phone.pids)


def test_every_call_of_adb_names_our_servers_port(transport: AdbTransport, port: int) -> None:
    assert transport.server.argv("S", "shell")[1:5] == ("-P", str(port), "-s", "S")
    assert transport.server.environment["ANDROID_ADB_SERVER_PORT"] == str(port)


def test_an_adb_that_cannot_run_is_told(phone: Adbd, port: int) -> None:
    transport = AdbTransport("pixel", AdbAddress(address=phone.address, server_port=port, adb=Path("/no/such/adb")))
    with pytest.raises(Exception, match="/no/such/adb"):
        transport.run(("true",), Deadline(SOON))
