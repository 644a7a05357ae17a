"""A phone as a device, with everything that can go wrong on the way: real adb, emulated phone, LiteRT for real."""

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from devices.cleaning import clean_device
from devices.families.android_folder import FOLDER
from devices.families.android_lease import PhoneLease
from devices.families.android_prepare import Note
from devices.opening import enter_devices, notices_of
from devices.transport.adb import AdbTransport
from harness.core.compute_unit import ComputeUnit
from harness.core.device import PhoneTools
from harness.core.errors import DeviceBusy, DeviceFull, DeviceLost, DeviceRefused
from harness.core.launch import (
    FailureKind,
    LaunchFailure,
    LaunchOrder,
    LaunchOutcome,
    LaunchRecord,
    MeasureSettings,
    Pass,
    WeightCache,
)
from harness.sources.tflite import read_graph
from tests.support.models import tiny_cnn, write_model
from tests.support.phones import SERIAL, Bed
from tests.support.small_disk import ballast, fill, small_disk
from tests.support.waiting import until

pytestmark = pytest.mark.waits

SOON = 30.0
SETTINGS = MeasureSettings(inferences=6, warmup_s=0.0, max_launch_s=5.0)


def an_order(folder: Path, unit: str = "cpu", pass_: Pass = Pass.LATENCY, deadline_s: float = 60.0) -> LaunchOrder:
    model = write_model(folder, tiny_cnn())
    return LaunchOrder(
        attempt="attempt '7'; $(reboot)",
        variant=model,
        variant_digest="0" * 64,
        pass_=pass_,
        unit=ComputeUnit.parse(unit),
        settings=SETTINGS,
        deadline_s=deadline_s,
        graph=read_graph(model),
    )


def record_of(outcome: LaunchOutcome) -> LaunchRecord:
    assert isinstance(outcome, LaunchRecord), outcome
    return outcome


def failure_of(outcome: LaunchOutcome) -> LaunchFailure:
    assert isinstance(outcome, LaunchFailure), outcome
    return outcome


def runs_benchmark(bed: Bed) -> bool:
    """Whether the stand-in is up, by its process id in the launch's own folder."""
    return any(pid.read_text().strip() for pid in (bed.folder / "runs").glob("*/pid"))


def while_it_hangs(bed: Bed, do: Callable[[], None]) -> threading.Thread:
    bed.behave("hang")

    def wait_and_do() -> None:
        until(lambda: runs_benchmark(bed), SOON)
        do()

    thread = threading.Thread(target=wait_and_do)
    thread.start()
    return thread


def stay_on(bed: Bed) -> str:
    return (bed.state / "stay_on").read_text().strip()


def test_a_phone_says_what_it_is(bed: Bed) -> None:
    facts = bed.open().facts
    assert (facts.family, facts.os, facts.arch, facts.processor) == (
        "android",
        "Android 14 (API 34)",
        "arm64-v8a",
        "Google Tensor G3",
    )
    assert facts.serial == SERIAL
    assert facts.details["build"].startswith("google/shiba")
    assert [cluster.part for cluster in facts.clusters] == ["Cortex-A510", "Cortex-A715", "Cortex-X3"]


def test_without_its_tool_a_phone_offers_nothing_and_says_where_to_get_it(bed: Bed, tmp_path: Path) -> None:
    facts = replace_tools(bed, tmp_path / "empty").open().facts
    assert facts.units == ()
    assert "nightly builds" in facts.exclusions[0].reason


def replace_tools(bed: Bed, folder: Path) -> Bed:
    return replace(bed, spec=replace(bed.spec, tools=PhoneTools(folder=folder)))


def test_a_latency_launch_has_the_tools_own_summary(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        record = record_of(phone.launch(an_order(tmp_path)))
    assert record.samples_ns == ()
    assert record.summary is not None
    assert record.summary.count == SETTINGS.inferences
    assert record.summary.median_ns
    assert str(record.observed) == "cpu/xnnpack"
    assert record.delegation is not None
    assert record.delegation.full


def test_a_cluster_binds_the_tool_to_its_cores(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path, "cpu@middle:2")))
    assert (bed.state / "masks").read_text().split() == ["f0"]


def test_a_cluster_is_told_by_what_the_kernel_says_the_tool_was_bound_to(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        bound = record_of(phone.launch(an_order(tmp_path, "cpu@middle:2")))
        (bed.state / "unbound").touch()
        unbound = record_of(phone.launch(an_order(tmp_path, "cpu@middle:2")))
    assert [str(record.observed) for record in (bound, unbound)] == ["cpu/xnnpack@middle", "cpu/xnnpack"]


def test_operators_are_keyed_to_the_models_own(bed: Bed, tmp_path: Path) -> None:
    order = an_order(tmp_path, pass_=Pass.OPS)
    assert order.graph is not None
    with bed.open() as phone:
        table = record_of(phone.launch(order)).ops
    assert table is not None
    assert [op.index for op in table.ops] == [node.index for node in order.graph.nodes]
    assert all(op.kernels for op in table.ops)
    assert not table.approximate


def test_a_delegate_that_declines_is_the_cpu_and_no_failure(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        record = record_of(phone.launch(an_order(tmp_path, "npu/nnapi")))
    assert str(record.observed) == "cpu"
    assert record.delegation is not None
    assert (record.delegation.delegate, record.delegation.full, record.delegation.taken) == ("nnapi", False, 0)


def tools_of(bed: Bed) -> Path:
    assert bed.spec.tools is not None
    assert bed.spec.tools.folder is not None
    return bed.spec.tools.folder


def test_an_external_delegate_is_brought_with_what_lies_beside_it(bed: Bed, tmp_path: Path) -> None:
    folder = tmp_path / "qnn"
    folder.mkdir()
    for name in ("libdelegate.so", "libbackend.so"):
        (folder / name).write_text("#!stand-in\n")
    tools = PhoneTools(folder=tools_of(bed), delegate=folder / "libdelegate.so", delegate_options={"k": "v"})
    with replace(bed, spec=replace(bed.spec, tools=tools)).open() as phone:
        assert ComputeUnit.parse("npu") in phone.facts.units
        record = record_of(phone.launch(an_order(tmp_path, "npu")))
    (place,) = (bed.folder / "files").glob("*.d")
    assert {path.name for path in place.iterdir()} == {"libdelegate.so", "libbackend.so"}
    assert str(record.observed) == "cpu"


def test_a_gpu_is_one_row_beside_the_operators_in_it(bed: Bed, tmp_path: Path) -> None:
    bed.behave("gpu")
    with bed.open() as phone:
        record = record_of(phone.launch(an_order(tmp_path, "gpu", Pass.OPS)))
    assert str(record.observed) == "gpu"
    assert record.ops is not None
    assert record.ops.ops[-1].name == "TfLiteGpuDelegateV2 (4 operators)"


def test_a_cold_launch_fills_and_uses_a_cache(bed: Bed, tmp_path: Path) -> None:
    order = an_order(tmp_path, pass_=Pass.COLD)
    with bed.open() as phone:
        record_of(phone.launch(replace(order, weight_cache=WeightCache.FILL)))
        assert list((bed.folder / "caches").iterdir())
        record = record_of(phone.launch(replace(order, weight_cache=WeightCache.USE)))
    assert record.load.compile_ns > 0


def test_nothing_is_sent_twice(bed: Bed, tmp_path: Path) -> None:
    order = an_order(tmp_path)
    with bed.open() as phone:
        record_of(phone.launch(order))
    sent = bed.phone.received_bytes
    with bed.open() as phone:
        record_of(phone.launch(order))
    assert bed.phone.received_bytes == sent


def test_what_is_on_the_phone_is_its_users_alone(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path)))
    modes = {path: path.stat().st_mode & 0o077 for path in (bed.folder, *bed.folder.rglob("*"))}
    assert not [path for path, mode in modes.items() if mode]


def test_what_is_switched_on_is_told_and_switched_back(bed: Bed) -> None:
    with bed.open() as phone:
        assert phone.conditions().prepared == {
            "fixed performance": "on",
            "stay awake": "stay_on_while_plugged_in 15",
        }
        assert (bed.state / "fixed_performance").read_text() == "true\n"
    assert (bed.state / "fixed_performance").read_text() == "false\n"
    assert stay_on(bed) == "0"
    assert not (bed.folder / "prepared.json").exists()


def test_who_is_stopped_while_a_phone_is_entered_leaves_nothing_switched_on(bed: Bed) -> None:
    def stop_once_it_is_switched() -> None:
        if stay_on(bed) != "0":
            raise KeyboardInterrupt

    def enter() -> None:
        with ExitStack() as stack:
            enter_devices([bed.open()], stack, check=stop_once_it_is_switched)
            stop_once_it_is_switched()  # it may have been entered between two looks

    with pytest.raises(KeyboardInterrupt):
        enter()
    assert stay_on(bed) == "0"
    assert not (bed.folder / "prepared.json").exists()


def test_a_phone_that_refuses_fixed_performance_is_measured_and_says_so(bed: Bed, tmp_path: Path) -> None:
    (bed.state / "no_fixed_performance").touch()
    with bed.open() as phone:
        assert phone.conditions().prepared["fixed performance"].startswith("refused: Failed to set")
        record_of(phone.launch(an_order(tmp_path)))


def test_what_a_killed_host_left_on_is_restored_by_the_next(bed: Bed) -> None:
    bed.folder.mkdir()
    (bed.folder / "prepared.json").write_text(Note(stay="3", fixed="on").text)
    (bed.state / "stay_on").write_text("15\n")
    with bed.open():
        pass
    assert stay_on(bed) == "3"


def test_a_canary_is_five_times_of_the_phones_own_clock(bed: Bed) -> None:
    with bed.open() as phone:
        canary = phone.canary()
    assert len(canary.samples_ns) == 5
    assert (bed.state / "masks").read_text().split()[0] == "100"


@pytest.mark.parametrize(
    ("mood", "kind", "words", "code"),
    [
        ("segfault", FailureKind.CRASH, "segmentation fault", 139),
        ("killed", FailureKind.CRASH, "the system killed it", 137),
        ("error", FailureKind.ERROR, "Didn't find op", 1),
        ("garbage", FailureKind.PROTOCOL, "count=many", 0),
        ("endless", FailureKind.PROTOCOL, "said more than 4 MiB", None),
        ("old", FailureKind.PROTOCOL, "too old", 0),
    ],
)
def test_each_bad_end_of_the_tool_is_told_apart(
    bed: Bed, tmp_path: Path, mood: str, kind: FailureKind, words: str, code: int | None
) -> None:
    bed.behave(mood)
    with bed.open() as phone:
        failure = failure_of(phone.launch(an_order(tmp_path)))
        bed.behave("")
        assert record_of(phone.launch(an_order(tmp_path)))
    assert (failure.kind, failure.exit_code) == (kind, code)
    assert words in failure.message


def test_a_launch_that_hangs_is_ended_on_the_phone(bed: Bed, tmp_path: Path) -> None:
    bed.behave("hang")
    with bed.open() as phone:
        failure = failure_of(phone.launch(an_order(tmp_path, deadline_s=2.0)))
        until(lambda: not bed.phone.pids, SOON)
    assert failure.kind is FailureKind.DEADLINE


def test_a_link_that_is_cut_during_a_launch_loses_the_launch_alone(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path)))
        cut = while_it_hangs(bed, bed.phone.drop)
        failure = failure_of(phone.launch(an_order(tmp_path)))
        cut.join()
        bed.behave("")
        assert record_of(phone.launch(an_order(tmp_path)))
        assert not list((bed.folder / "runs").iterdir())
    assert failure.kind is FailureKind.LOST
    assert stay_on(bed) == "0"


def test_a_phone_that_restarts_during_a_launch_loses_the_launch_and_is_prepared_again(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path)))
        restart = while_it_hangs(bed, bed.phone.reboot)
        failure = failure_of(phone.launch(an_order(tmp_path)))
        restart.join()
        bed.behave("")
        (bed.state / "fixed_performance").write_text("false\n")  # a restart forgets it
        assert record_of(phone.launch(an_order(tmp_path)))
        assert (bed.state / "fixed_performance").read_text() == "true\n"
    assert failure.kind is FailureKind.LOST
    assert "restarted" in failure.message


def test_a_phone_that_stays_away_is_lost(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path)))
        bed.phone.cut()
        failure = failure_of(phone.launch(an_order(tmp_path)))
        with pytest.raises(DeviceLost):
            phone.conditions()
        bed.phone.restore()
    assert failure.kind is FailureKind.LOST


def test_another_phone_at_the_same_address_is_refused(bed: Bed) -> None:
    phone = bed.open()
    properties = bed.state / "properties"
    properties.write_text(properties.read_text().replace(SERIAL, "OTHER"))
    with pytest.raises(DeviceRefused, match=rf"another phone .*OTHER.*{SERIAL}"):
        phone.__enter__()


FULL = r"no space is left on the phone \(.*{}.*No space left on device\); make room there, `devices --clean`"


def test_a_phone_without_space_for_a_file_is_full(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path)))
        other = tmp_path / "other"
        other.mkdir()
        order = an_order(other)
        order.variant.write_bytes(order.variant.read_bytes() + bytes(1000))
        bed.phone.quota = 1
        with pytest.raises(DeviceFull, match=FULL.format(f"{FOLDER}/files/")):
            phone.launch(order)
        bed.phone.quota = None
        record_of(phone.launch(order))


@pytest.fixture
def phone_disk(tmp_path: Path) -> Iterator[Path]:
    """Where the phone keeps its files: 16 MB."""
    with small_disk(tmp_path / "bed/phone/data/local/tmp", mebibytes=16) as folder:
        yield folder


# A launch needs a page for its lease, which it gives back, one for its process id, then more.
@pytest.mark.parametrize(("pages", "place"), [(0, "lease"), (1, "runs/")])
def test_a_phone_without_space_in_a_launch_is_full(
    phone_disk: Path, bed: Bed, tmp_path: Path, pages: int, place: str
) -> None:
    order = an_order(tmp_path, pass_=Pass.OPS)
    with bed.open() as phone:
        record_of(phone.launch(order))
        fill(phone_disk, but_pages=pages)
        with pytest.raises(DeviceFull, match=FULL.format(f"{FOLDER}/{place}")):
            phone.launch(order)
        ballast(phone_disk).unlink()
        assert record_of(phone.launch(order)).ops is not None


def test_a_phone_that_is_full_from_the_start_is_not_entered_and_can_be_cleaned(
    phone_disk: Path, bed: Bed, tmp_path: Path
) -> None:
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path)))
    fill(phone_disk)
    with pytest.raises(DeviceFull, match=FULL.format(FOLDER)):
        bed.open().__enter__()
    assert clean_device(bed.spec, 0, bed.leases).files > 0
    ballast(phone_disk).unlink()
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path)))


def test_two_hosts_take_turns(bed: Bed, tmp_path: Path) -> None:
    other = replace(bed, leases=tmp_path / "of another host")
    other.leases.mkdir()
    with bed.open(), pytest.raises(DeviceBusy, match=r"process \d+ of .* has measured on it for \d+ s"):
        other.open().__enter__()
    with other.open() as phone:
        assert phone.conditions()


def test_a_lease_of_the_same_host_is_taken_over(bed: Bed) -> None:
    first = bed.open()
    first._lease.take()  # and its host is killed
    with bed.open() as phone:
        assert phone.conditions()
        assert notices_of([phone, phone]) == [
            "pixel8: an earlier run of this host left it without giving it back; what it left was ended and restored"
        ]
    assert phone.notices == []


def test_a_lease_whose_time_is_up_is_broken(bed: Bed) -> None:
    left_behind(bed)
    (bed.phone.root / "proc/uptime").write_text("9000.00 1.00\n")
    with bed.open() as phone:
        assert phone.conditions()
        (notice,) = phone.take_notices()
    whose = rf"that of process {os.getpid()} of {re.escape(socket.gethostname())}"
    assert re.match(rf"its lease was broken: {whose} ran out 65 min ago without a sign of life; what it", notice)


def test_a_lease_of_before_a_restart_is_broken(bed: Bed) -> None:
    left_behind(bed)
    bed.phone.reboot()
    with bed.open() as phone:
        assert phone.conditions()
        (notice,) = phone.take_notices()
    assert "measured on it when it was restarted" in notice


def test_a_lease_that_was_given_back_is_nothing_to_tell(bed: Bed, tmp_path: Path) -> None:
    with bed.open():
        pass
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path)))
        bed.phone.drop()
        assert phone.conditions()
    assert phone.notices == []


def left_behind(bed: Bed) -> None:
    assert bed.spec.adb is not None
    transport = AdbTransport("other", bed.spec.adb)
    PhoneLease(transport).take()
    owner = json.loads((bed.folder / "lease/owner").read_text())
    assert owner["pid"]


def test_leaving_ends_a_launch_that_another_thread_waits_for(bed: Bed, tmp_path: Path) -> None:
    phone = bed.open()
    phone.__enter__()
    leaving = while_it_hangs(bed, lambda: phone.__exit__(None, None, None))
    with pytest.raises(DeviceLost, match="closed"):
        phone.launch(an_order(tmp_path))
    leaving.join()
    until(lambda: not bed.phone.pids, SOON)
    assert stay_on(bed) == "0"
    assert not (bed.folder / "lease").exists()


def test_a_hostile_file_name_reaches_no_shell(bed: Bed, tmp_path: Path) -> None:
    order = an_order(tmp_path)
    hostile = order.variant.rename(tmp_path / "$(touch pwned) `reboot`; 'x'\n.tflite")
    with bed.open() as phone:
        record_of(phone.launch(replace(order, variant=hostile)))
    assert not list(bed.phone.root.rglob("pwned"))
    assert not [command for command in bed.phone.commands if "pwned" in command]


def test_a_link_that_stalls_during_a_launch_loses_the_launch_alone(bed: Bed, tmp_path: Path) -> None:
    with bed.open() as phone:
        record_of(phone.launch(an_order(tmp_path)))

        def stall() -> None:
            bed.phone.is_mute = True

        stalling = while_it_hangs(bed, stall)
        failure = failure_of(phone.launch(an_order(tmp_path, deadline_s=5.0)))
        stalling.join()
        bed.behave("")
        bed.phone.is_mute = False
        bed.phone.drop()
        assert record_of(phone.launch(an_order(tmp_path)))
        until(lambda: not bed.phone.pids, SOON)
    assert failure.kind is FailureKind.LOST
    assert stay_on(bed) == "0"
