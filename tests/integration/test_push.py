"""Files brought by their digest, over the ways that a device is reached."""

import dataclasses
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from devices.transport.local import LocalTransport
from devices.transport.push import Delivery, Pushed, clean
from devices.transport.transport import Completed, Transport
from harness.core.compute_unit import ComputeUnit
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError, DeviceFull, DeviceLost
from harness.core.launch import LaunchOrder, MeasureSettings, Pass
from tests.contract.test_transport import by_itself, by_ssh
from tests.integration.test_ssh_faults import full_soon as full_soon

pytestmark = pytest.mark.waits

HOSTILE = ("$(touch pwned).tflite", "-rf", "a b'\".tflite", "x.t;reboot", "new\nline.bin", "ü.ümlaut", ".tflite", "a.")


@pytest.fixture(params=[by_itself, by_ssh])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transport]:
    way: Callable[[Path], AbstractContextManager[Transport]] = request.param
    with way(tmp_path / "way") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a board's home" / ".weighbridge"


def delivery_over(transport: Transport, folder: Path) -> Delivery:
    return Delivery("board", lambda: transport, str(folder))


def a_file(folder: Path, name: str = "model.tflite", content: bytes = b"weights") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def there(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "files").iterdir())


def test_a_file_lies_under_its_digest_and_is_the_owners_alone(
    transport: Transport, folder: Path, tmp_path: Path
) -> None:
    place = Path(delivery_over(transport, folder).bring(a_file(tmp_path)))
    assert place == folder / "files" / f"{sha256(b'weights')}.tflite"
    assert place.read_bytes() == b"weights"
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "files", place)] == [0o700, 0o700, 0o600]
    assert there(folder) == [place.name]


def test_nothing_is_sent_twice_and_what_is_sent_is_counted(transport: Transport, folder: Path, tmp_path: Path) -> None:
    first, later = delivery_over(transport, folder), delivery_over(transport, folder)
    places = [first.bring(a_file(tmp_path)), first.bring(a_file(tmp_path, "same.tflite"))]
    places.append(later.bring(a_file(tmp_path, "later.tflite")))
    assert len(set(places)) == 1
    assert first.pushed == Pushed(files=1, bytes=7)
    assert later.pushed == Pushed(files=0, bytes=0)


def test_a_file_that_changed_on_this_machine_is_another(transport: Transport, folder: Path, tmp_path: Path) -> None:
    delivery = delivery_over(transport, folder)
    first = delivery.bring(a_file(tmp_path))
    assert delivery.bring(a_file(tmp_path, content=b"other weights")) != first


def test_a_file_that_was_damaged_on_the_device_is_sent_again(
    transport: Transport, folder: Path, tmp_path: Path
) -> None:
    place = Path(delivery_over(transport, folder).bring(a_file(tmp_path)))
    place.write_bytes(b"rotten!")
    again = delivery_over(transport, folder)
    again.bring(a_file(tmp_path))
    assert (place.read_bytes(), again.pushed.files) == (b"weights", 1)


def test_another_connection_is_asked_again(folder: Path, tmp_path: Path) -> None:
    """It may lead to a device that was installed anew meanwhile."""
    ways: list[Transport] = [LocalTransport("one")]
    delivery = Delivery("board", lambda: ways[-1], str(folder))
    place = Path(delivery.bring(a_file(tmp_path)))
    place.unlink()
    ways.append(LocalTransport("two"))
    delivery.bring(a_file(tmp_path))
    assert place.read_bytes() == b"weights"


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_a_name_but_a_plain_suffix_goes_to_the_device(
    transport: Transport, folder: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "host").mkdir()
    place = delivery_over(transport, folder).bring(a_file(tmp_path / "host", name))
    suffix = Path(name).suffix if Path(name).suffix[1:].isascii() and Path(name).suffix[1:].isalnum() else ""
    assert there(folder) == [Path(place).name] == [sha256(b"weights") + suffix]
    assert not Path("pwned").exists()


def test_an_order_comes_back_with_the_places_of_its_files(transport: Transport, folder: Path, tmp_path: Path) -> None:
    order = LaunchOrder(
        attempt="a",
        variant=a_file(tmp_path),
        variant_digest="0" * 64,
        pass_=Pass.LATENCY,
        unit=ComputeUnit(kind="cpu"),
        settings=MeasureSettings(),
        deadline_s=60.0,
        inputs=(a_file(tmp_path, "in.bin", b"input"), a_file(tmp_path, "other.bin", b"other input")),
    )
    brought = delivery_over(transport, folder).deliver(order)
    assert [path.read_bytes() for path in (brought.variant, *brought.inputs)] == [b"weights", b"input", b"other input"]
    assert all(folder in path.parents for path in (brought.variant, *brought.inputs))
    assert dataclasses.replace(brought, variant=order.variant, inputs=order.inputs) == order


def test_a_folder_is_refused_in_words(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "m.mlpackage").mkdir()
    with pytest.raises(DeviceError, match="is a folder; only single files"):
        delivery_over(LocalTransport("board"), folder).bring(tmp_path / "m.mlpackage")


def test_a_file_of_this_machine_that_is_gone_is_its_own_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        delivery_over(LocalTransport("board"), folder).bring(tmp_path / "missing")


class Damaging(LocalTransport):
    """Loses the last byte of what it sends."""

    def send_file(self, source: Path, target: str, deadline: Deadline, *rest: object) -> None:  # noqa: ARG002 (a double)
        Path(target).write_bytes(source.read_bytes()[:-1])


def test_what_arrives_damaged_is_never_taken_for_the_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceLost, match="arrived damaged"):
        delivery_over(Damaging("board"), folder).bring(a_file(tmp_path))
    assert there(folder) == []


class Poor(LocalTransport):
    """A device that has some of its programs only."""

    def __init__(self, programs: Path) -> None:
        super().__init__("board")
        self._programs = programs

    def run(self, argv: Sequence[str], deadline: Deadline, stdin: bytes = b"") -> Completed:
        return super().run(("env", f"PATH={self._programs}", *argv), deadline, stdin)


# What a summer prints, for one that this machine has not.
STAND_IN = """#!{python} -IS
import hashlib, sys
file = sys.argv[-1]
print(hashlib.sha256(open(file, "rb").read()).hexdigest() + {between!r} + file)
"""
BETWEEN = {"sha256sum": "  ", "shasum": "  ", "openssl": " *"}


@pytest.mark.parametrize("summer", ["sha256sum", "shasum", "openssl", "python3"])
def test_the_digest_is_taken_by_whatever_the_device_has(folder: Path, tmp_path: Path, summer: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "mkdir", "chmod", "touch", "mv", "rm", summer):
        program = programs / name
        if found := sys.executable if name == "python3" else shutil.which(name):
            program.write_text(f'#!/bin/sh\nPATH={os.environ["PATH"]} exec {found} "$@"\n')
        else:
            program.write_text(STAND_IN.format(python=sys.executable, between=BETWEEN[name]))
        program.chmod(0o700)
    later = delivery_over(Poor(programs), folder)
    assert Path(delivery_over(Poor(programs), folder).bring(a_file(tmp_path))).read_bytes() == b"weights"
    later.bring(a_file(tmp_path))
    assert later.pushed.files == 0


# A full disk of this machine is its own error.
@pytest.mark.parametrize("transport", [by_ssh], indirect=True)
def test_a_full_disk_is_said_to_be_one_and_keeps_no_part(transport: Transport, full_soon: Path, tmp_path: Path) -> None:
    big = a_file(tmp_path, content=os.urandom(5_000_000))
    with pytest.raises(DeviceFull, match="no space is left"):
        delivery_over(transport, full_soon / "w").bring(big)
    assert there(full_soon / "w") == []


def aged(path: Path, days: float) -> None:
    then = time.time() - days * 86400
    os.utime(path, (then, then))


def test_cleaning_removes_what_was_not_used_for_long(transport: Transport, folder: Path, tmp_path: Path) -> None:
    delivery = delivery_over(transport, folder)
    old, young, used = (
        Path(delivery.bring(a_file(tmp_path, f"{n}.bin", n.encode()))) for n in ("an old one", "a young one", "used")
    )
    part = folder / "files" / f".{'0' * 64}.0123abcd.part"
    part.write_bytes(b"12345")
    foreign = folder / "files" / "not ours"
    foreign.touch()
    for path in (old, used, part, foreign):
        aged(path, 10.5)
    delivery_over(transport, folder).bring(a_file(tmp_path, "used.bin", b"used"))
    assert clean(transport, str(folder), older_than_days=10) == (2, len(b"an old one") + 5)
    assert there(folder) == sorted(path.name for path in (young, used, foreign))


def test_cleaning_of_no_days_removes_all_and_an_empty_device_has_nothing(
    transport: Transport, folder: Path, tmp_path: Path
) -> None:
    assert clean(transport, str(folder), older_than_days=0) == (0, 0)
    delivery_over(transport, folder).bring(a_file(tmp_path))
    assert clean(transport, str(folder), older_than_days=30) == (0, 0)
    assert clean(transport, str(folder), older_than_days=0) == (1, 7)
    assert there(folder) == []
