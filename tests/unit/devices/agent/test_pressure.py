"""What the difference of two readings tells, from planted files and a clock that a test turns."""

import os
from pathlib import Path

from devices.agent.pressure import Pressure, of_processes
from tests.support.planted_boards import plant


class World:
    """One second is 100 ticks."""

    def __init__(self, root: Path) -> None:
        self.root, self.now, self.own = root, 0.0, 0.0
        self.pressure = Pressure(str(root), lambda: self.own, lambda: self.now, tick_s=0.01)

    def busy(self, seconds: float) -> None:
        plant(self.root, {"proc/stat": f"cpu  {round(seconds * 100)} 0 0 999 0 0 0 0 0 0\ncpu0 1 2 3\n"})


def test_the_first_reading_does_not_tell(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.busy(5)
    assert world.pressure.neighbours() is None


def test_others_are_what_was_busy_less_what_we_used(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.busy(5)
    world.pressure.neighbours()
    world.busy(8)
    world.now, world.own = 2.0, 1.0
    assert world.pressure.neighbours() == 1.0


def test_rounding_never_makes_others_negative(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.busy(5)
    world.pressure.neighbours()
    world.now, world.own = 2.0, 1.0
    assert world.pressure.neighbours() == 0.0


def test_a_reading_right_after_another_says_the_same(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.busy(5)
    world.pressure.neighbours()
    world.busy(6)
    world.now = 2.0
    assert world.pressure.neighbours() == 0.5
    world.busy(7)
    world.now = 2.1
    assert world.pressure.neighbours() == 0.5


def test_a_system_that_hides_it_is_unknown(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.pressure.neighbours()
    world.now = 2.0
    assert world.pressure.neighbours() is None
    world.busy(0)
    assert world.pressure.neighbours() is None


def test_throttling_is_what_was_counted_since(tmp_path: Path) -> None:
    counter = "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
    pressure = World(tmp_path).pressure
    assert pressure.throttled() is None
    plant(tmp_path, {counter: "7\n"})
    assert pressure.throttled() is None
    assert pressure.throttled() is False
    plant(tmp_path, {counter: "8\n"})
    assert pressure.throttled() is True


def test_our_own_time_is_that_of_this_process_and_its_children() -> None:
    before = of_processes(None)
    assert of_processes(os.getpid()) >= before > 0
