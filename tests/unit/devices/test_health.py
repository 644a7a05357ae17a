"""Whether a device is fit, and waiting until it is."""

from collections.abc import Callable

import pytest

from devices.health import await_fit, judge
from devices.simulated_body import VirtualClock
from harness.core.device import Cluster, Conditions, DeviceFacts
from harness.core.errors import DeviceUnfit
from harness.core.limits import LIMITS, NO_LIMITS, Limits
from harness.core.zones import Zone, zone_of

PIXEL = DeviceFacts(
    name="pixel-8",
    family="android",
    simulated=False,
    serial="37021FDJ",
    cores=4,
    clusters=(Cluster(name="all", cores=(0, 1), max_mhz=2000.0),),
)


def conditions(**changes: object) -> Conditions:
    return Conditions(taken_at=0.0, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zone", "kind"),
    [
        ("cpu-thermal", Zone.SOC),
        ("soc_thermal", Zone.SOC),
        ("x86_pkg_temp", Zone.SOC),
        ("coretemp Package id 0", Zone.SOC),
        ("CPU", Zone.SOC),
        ("AP", Zone.SOC),
        ("SKIN", Zone.SKIN),
        ("VIRTUAL-SKIN", Zone.SKIN),
        ("BATTERY", Zone.BATTERY),
        ("apex_0", Zone.ACCELERATOR),
        ("acpitz", None),
        ("pmic", None),
        ("simulated", None),
        ("wifi-thermal", None),
    ],
)
def test_a_zone_is_known_by_its_name(zone: str, kind: Zone | None) -> None:
    assert zone_of(zone) is kind


@pytest.mark.parametrize(
    ("now", "limits", "said"),
    [
        ({"temperatures": {"cpu-thermal": 47.51, "gpu": 40.0}}, {"soc_celsius": 40}, "SoC 47.5 °C, limit 40 °C"),
        ({"temperatures": {"apex_0": 80.0}}, {"accelerator_celsius": 75}, "accelerator 80 °C, limit 75 °C"),
        ({"temperatures": {"battery": 38.0}}, {"battery_celsius": 37}, "battery 38 °C, limit 37 °C"),
        ({"thermal_status": 1}, {"thermal_status": 0}, "thermal status 1, limit 0"),
        ({"battery_percent": 12.0}, {"battery_percent": 30}, "battery 12 %, limit 30 %"),
        ({"load": 6.0}, {"load_per_core": 1}, "load per core 1.5, limit 1"),
        ({"neighbours": 1.25}, {"neighbours": 0.5}, "cores kept busy by others 1.25, limit 0.5"),
        (
            {"clock_caps_mhz": {"cpu0": 2000.0, "cpu1": 1500.0}},
            {"clock_share": 0.9},
            "permitted clock over the highest 0.75, limit 0.9",
        ),
    ],
)
def test_a_reading_beyond_its_limit_is_named_with_both(
    now: dict[str, object], limits: dict[str, float], said: str
) -> None:
    verdict = judge(conditions(**now), Limits(**limits), PIXEL)  # type: ignore[arg-type]
    assert [str(excess) for excess in verdict.excesses] == [said]


def test_a_reading_at_its_limit_is_fit() -> None:
    assert judge(conditions(battery_percent=30.0, thermal_status=0), LIMITS["android"], PIXEL).is_fit


def test_what_is_unknown_makes_nothing_unfit_and_is_named() -> None:
    verdict = judge(conditions(), Limits(soc_celsius=40, battery_percent=30), PIXEL)
    assert verdict.is_fit
    assert verdict.unknown == ("SoC", "battery")


def test_a_zone_that_nobody_knows_is_not_judged() -> None:
    assert judge(conditions(temperatures={"pmic": 99.0}), Limits(soc_celsius=40), PIXEL).unknown == ("SoC",)


def test_without_limits_nothing_is_judged() -> None:
    hot = conditions(temperatures={"cpu-thermal": 120.0}, thermal_status=6, battery_percent=1.0)
    assert judge(hot, NO_LIMITS, PIXEL).is_fit


class Kettle:
    """Cools by a degree a second."""

    def __init__(self, celsius: float) -> None:
        self.clock = VirtualClock()
        self._celsius = celsius
        self.told: list[str] = []

    def look(self) -> Conditions:
        return conditions(temperatures={"soc-thermal": self._celsius - self.clock.now})

    def wait(self, limits: Limits, waiting: Callable[[str], None] | None = None) -> float:
        said = waiting or self.told.append
        return await_fit(self.look, PIXEL, limits, said, clock=self.clock, rest=self.clock.advance)


def test_a_fit_device_is_not_waited_for() -> None:
    kettle = Kettle(39)
    assert kettle.wait(Limits(soc_celsius=40)) == 0
    assert kettle.told == []


def test_a_hot_device_is_waited_for_until_it_is_fit() -> None:
    kettle = Kettle(52)
    assert kettle.wait(Limits(soc_celsius=40)) == 15
    assert kettle.told == [f"to cool: SoC {celsius} °C, limit 40 °C" for celsius in (52, 47, 42)]


def test_a_device_that_does_not_get_fit_is_an_error_that_says_what_helps() -> None:
    with pytest.raises(DeviceUnfit) as caught:
        Kettle(347.5).wait(Limits(soc_celsius=40))
    assert str(caught.value) == (
        "pixel-8 (37021FDJ): SoC 47.5 °C after 300 s, limit 40 °C; cool it or raise limits.soc_celsius"
    )


def test_all_that_is_wrong_is_said() -> None:
    now = conditions(battery_percent=3.0, thermal_status=2)
    clock = VirtualClock()
    with pytest.raises(DeviceUnfit, match=r"cool it or raise limits.thermal_status; battery 3 % .* charge it or lower"):
        await_fit(lambda: now, PIXEL, LIMITS["android"], lambda _: None, clock=clock, rest=clock.advance)


def test_whoever_is_told_can_end_the_wait() -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    kettle = Kettle(90)
    with pytest.raises(KeyboardInterrupt):
        kettle.wait(Limits(soc_celsius=40), stop)
    assert kettle.clock.now == 0
