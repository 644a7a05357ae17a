"""Memory levels: read from the system's own text, reported above the start, never made up."""

import struct
from pathlib import Path

from devices.agent.memory import Levels, Meter, parse_status, parse_task_vm_info

KB = 1024


def status(resident: int, peak: int, anonymous: int, file_backed: int) -> str:
    return (
        f"Name:\tpython\nVmPeak:\t  999999 kB\nVmHWM:\t{peak:8d} kB\nVmRSS:\t{resident:8d} kB\n"
        f"RssAnon:\t{anonymous:8d} kB\nRssFile:\t{file_backed:8d} kB\nRssShmem:\t       0 kB\n"
    )


def plant(proc: Path, text: str, *, may_reset: bool) -> Path:
    (proc / "status").write_text(text)
    target = proc / "clear_refs"
    if may_reset:
        target.write_text("")
    elif not target.exists():
        target.mkdir()  # writing to it fails, for root too
    return proc


def test_the_levels_of_a_status_file_are_bytes() -> None:
    levels = parse_status(status(200, 300, 120, 80))
    assert (levels.resident, levels.peak) == (200 * KB, 300 * KB)
    assert (levels.anonymous, levels.file_backed) == (120 * KB, 80 * KB)


def test_what_a_status_file_does_not_say_is_none() -> None:
    levels = parse_status("Name:\tpython\n")
    assert (levels.resident, levels.peak, levels.anonymous, levels.file_backed) == (None, None, None, None)


def test_task_vm_info_is_read_at_the_places_of_the_header() -> None:
    words = [0] * 19
    words[2], words[3], words[6], words[8] = 1000, 2000, 300, 400  # resident, its peak, internal, external
    levels = parse_task_vm_info(struct.pack("<19Q", *words))
    assert (levels.resident, levels.peak, levels.anonymous, levels.file_backed) == (1000, 2000, 300, 400)


def test_a_reset_mark_is_the_peak(tmp_path: Path) -> None:
    meter = Meter("linux", str(plant(tmp_path, status(100, 100, 60, 40), may_reset=True)))
    report = meter.report(Levels(150 * KB, 160 * KB, None, None), parse_status(status(180, 260, 130, 50)))
    assert report == {
        "after_load": 50 * KB,
        "after_run": 80 * KB,
        "peak": 160 * KB,
        "anonymous": 70 * KB,
        "file_backed": 10 * KB,
        "method": "/proc/self/status; peak is VmHWM, reset through clear_refs",
    }
    assert (tmp_path / "clear_refs").read_text() == "5"


def test_a_mark_that_could_not_be_reset_counts_where_it_rose(tmp_path: Path) -> None:
    meter = Meter("linux", str(plant(tmp_path, status(100, 150, 60, 40), may_reset=False)))
    report = meter.report(meter.levels(), parse_status(status(180, 260, 130, 50)))
    assert report["peak"] == 160 * KB
    assert "not permitted" in str(report["method"])


def test_a_mark_from_before_the_start_is_no_peak(tmp_path: Path) -> None:
    meter = Meter("linux", str(plant(tmp_path, status(100, 900, 60, 40), may_reset=False)))
    assert meter.report(meter.levels(), parse_status(status(180, 900, 130, 50)))["peak"] is None


def test_a_system_without_proc_says_nothing(tmp_path: Path) -> None:
    meter = Meter("linux", str(tmp_path / "nowhere"))
    report = meter.report(meter.levels(), meter.levels())
    assert [report[key] for key in ("after_load", "after_run", "peak", "anonymous", "file_backed")] == [None] * 5


def test_this_process_has_levels() -> None:
    levels = Meter().levels()
    assert levels.resident is not None
    assert levels.resident > 1_000_000
