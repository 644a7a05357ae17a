"""What a device tells of itself, in lines."""

import pytest

from harness.core.device import Cluster, DeviceFacts
from reports.device_view import absence, cluster_text, state_of, told_lines
from reports.listings import device_fields, devices_text
from tests.support.fleet import ABSENT, some_devices
from tests.support.hostile import HOSTILE_NAMES

ROCK = next(device for device in some_devices() if device.name == "rock5")
GALAXY = next(device for device in some_devices() if device.name == "galaxy")


def test_every_fact_that_is_known_is_told() -> None:
    told = dict(told_lines(device_fields(ROCK)))
    assert told["serial"] == "3f2a9c"
    assert told["kernel"] == "6.1.43"
    assert told["clusters"].endswith("big 4 \N{MULTIPLICATION SIGN} Cortex-A76 (cores 4-7), 2256 MHz")
    assert told["units"] == "cpu, cpu@big:4, cpu@little:4"


def test_what_is_unknown_is_not_told() -> None:
    bare = DeviceFacts(name="x", family="linux", simulated=False)
    assert told_lines(device_fields(bare)) == []


@pytest.mark.parametrize(("cores", "text"), [((8,), "core 8"), ((0, 1, 2), "cores 0-2"), ((0, 2, 4), "cores 0, 2, 4")])
def test_the_cores_of_a_cluster_are_a_range_where_they_are_one(cores: tuple[int, ...], text: str) -> None:
    cluster = Cluster(name="all", cores=cores)
    assert cluster_text({"name": "all", "cores": cluster.cores, "part": None, "max_mhz": None}) == (
        f"all {len(cores)} \N{MULTIPLICATION SIGN} cores ({text})"
    )


def test_a_device_that_is_not_there_says_why_once() -> None:
    assert absence(device_fields(GALAXY)) == ABSENT
    assert absence(device_fields(ROCK)) is None


def test_the_terminal_lists_serial_clusters_and_details() -> None:
    text = devices_text([ROCK])
    for said in ("serial", "3f2a9c", "Cortex-A76", "RK3588", "6.1.43"):
        assert said in text


def test_the_terminal_says_of_an_absent_device_why_in_one_line() -> None:
    assert devices_text([GALAXY]).count(ABSENT) == 1


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_word_of_a_device_reaches_the_terminal_with_control_characters(name: str) -> None:
    assert all(line.isprintable() for line in devices_text(some_devices(name)).splitlines())


def test_the_state_of_a_device_spans_all_its_cells() -> None:
    def cell(device: str, first: float, last: float) -> dict[str, object]:
        return {"device": device, "conditions": {"before": {"taken_at": first}, "after": {"taken_at": last}}}

    found = state_of([cell("a", 2, 3), cell("a", 1, 2), cell("b", 5, 6)])
    assert found["a"] == {"before": {"taken_at": 1}, "after": {"taken_at": 3}}
