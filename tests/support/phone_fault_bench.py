"""A campaign over a phone that things happen to and a neighbour to which nothing happens, and what came of it.

The phone is the emulated adbd behind the real adb, with a stand-in for benchmark_model that really runs LiteRT.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from devices.phone import Phone
from tests.support.fault_bench import BOARD, WAIT_S, FaultBench, Strike, later
from tests.support.phones import Bed, a_bed
from tests.support.waiting import until

PHONE = BOARD  # the name under which the bench strikes


class PhoneFaultBench(FaultBench):
    """One phone, one neighbour, one campaign."""

    def __init__(self, folder: Path, bed: Bed) -> None:
        self.folder = folder
        self.bed = replace(bed, spec=replace(bed.spec, name=PHONE))
        self._loadables = self._make_loadables()

    def board(self, *_: object) -> Phone:  # type: ignore[override]
        """The phone, asked for its facts and ready to be entered. Raises DeviceError."""
        return self.bed.open()

    def in_launch(self, act: Strike) -> Strike:
        """The next launch hangs, and once it does this is done; those after it are well."""

        def begin() -> None:
            self.bed.behave("hang")
            later(self._then_well(act), self.hanging_pid)()

        return begin

    def _then_well(self, act: Strike) -> Strike:
        def do() -> None:
            self.bed.behave("")
            act()

        return do

    def hanging_pid(self) -> int:
        """The process of the stand-in, once it runs: its own Python, not the shell before it."""
        return until(self._stand_in, WAIT_S)

    def _stand_in(self) -> int:
        for file in (self.bed.folder / "runs").glob("*/pid"):
            pid = file.read_text().strip()
            words = Path(f"/proc/{pid}/cmdline") if pid else None
            if words is not None and words.exists() and b"benchmark_model_double" in words.read_bytes():
                return int(pid)
        return 0

    def kill_launch(self) -> None:
        os.kill(self.hanging_pid(), signal.SIGKILL)

    def heal(self) -> None:
        """It answers, and has authorised us."""
        self.bed.phone.is_mute, self.bed.phone.is_authorised = False, True
        self.bed.phone.drop()

    def check_nothing_left(self) -> None:
        """Nothing runs on the phone, nothing is switched on, no lease, no part of a file."""
        with self.board():
            pass  # whoever held the lease would keep us out
        until(lambda: not self.bed.phone.pids, WAIT_S)
        assert (self.bed.state / "stay_on").read_text().strip() == "0"
        assert (self.bed.state / "fixed_performance").read_text().strip() == "false"
        assert not [name for name in ("lease", "prepared.json") if (self.bed.folder / name).exists()]
        assert list((self.bed.folder / "runs").glob("*")) == []
        assert list((self.bed.folder / "files").glob(".*.part")) == []


@contextmanager
def a_phone_bench(folder: Path, port: int) -> Iterator[PhoneFaultBench]:
    """One for the duration, on the adb server of that port."""
    with a_bed(folder, port) as bed:
        yield PhoneFaultBench(folder, bed)
