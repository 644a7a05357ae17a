"""What an Android phone says of itself and of its state, read."""

from pathlib import Path

import pytest

from devices.families.android import clusters_of, facts_from, parts_of, sections
from devices.families.android_conditions import conditions_from, power_of, temperatures_of, thermal_status_of
from devices.families.android_prepare import Note, note_from, prepared_from
from harness.core.device import Conditions, DeviceFacts
from harness.core.zones import Zone, clock_share, hottest
from tests.support.phones import BATTERY, THERMAL

SAMSUNG = (Path(__file__).parents[2] / "data/android/thermalservice_samsung.txt").read_text()
ARM = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"


def test_an_answer_is_cut_at_its_sections() -> None:
    assert sections("@one\na\nb\n@two\n@three\nc\n") == {"one": "a\nb\n", "two": "", "three": "c\n"}


def test_what_a_phone_does_not_say_is_unknown() -> None:
    told = facts_from("@properties\n@machine\n@cores\n@memory\n@policies\n;\n")
    assert (told.serial, told.os, told.processor, told.cores, told.memory_bytes) == (None,) * 5
    assert told.clusters == ()


def test_a_part_of_arms_has_its_name_and_another_its_number() -> None:
    other = ARM.replace("0x41", "0x51").replace("processor\t: 0", "processor\t: 1")
    assert parts_of(ARM + other) == {0: "Cortex-A55", 1: "0xd05"}


def test_clusters_are_named_by_their_clocks() -> None:
    clusters = clusters_of("4 5 6 7;2400000\n0 1 2 3;1800000\n", {0: "Cortex-A55"})
    assert [(each.name, each.cores, each.max_mhz) for each in clusters] == [
        ("little", (0, 1, 2, 3), 1800.0),
        ("big", (4, 5, 6, 7), 2400.0),
    ]


def test_policies_of_one_clock_are_one_cluster() -> None:
    (cluster,) = clusters_of("0;1800000\n1;1800000\n", {})
    assert (cluster.name, cluster.cores) == ("all", (0, 1))


def test_of_four_clocks_those_between_are_the_middle() -> None:
    clusters = clusters_of("0 1;1\n2 3;2\n4 5;3\n6;4\n", {})
    assert [(each.name, each.cores) for each in clusters] == [
        ("little", (0, 1)),
        ("middle", (2, 3, 4, 5)),
        ("big", (6,)),
    ]


def test_a_policy_that_hides_its_clock_leaves_the_clusters_unknown() -> None:
    assert clusters_of("0 1;1800000\n2 3;\n", {}) == ()


def test_temperatures_are_those_of_the_hal_and_not_the_remembered_ones() -> None:
    assert temperatures_of(SAMSUNG) == {
        "TYPE_CPU": 24.1,
        "TYPE_BATTERY": 24.4,
        "TYPE_SKIN": 25.3,
        "TYPE_USB_PORT": 24.2,
    }


def test_sensors_named_by_their_types_are_judged_as_what_they_are() -> None:
    now = Conditions(taken_at=0.0, temperatures=temperatures_of(SAMSUNG))
    assert (hottest(now, Zone.SKIN), hottest(now, Zone.BATTERY)) == (25.3, 24.4)


def test_clocks_and_caps_are_of_the_cores_that_clusters_name() -> None:
    now = conditions_from("@date\n1\n@clocks\n0;300000;900000;walt\n", {})
    facts = DeviceFacts(name="p", family="android", simulated=False, clusters=clusters_of("0;1800000\n", {}))
    assert (now.clocks_mhz, clock_share(now, facts)) == ({"cpu0": 300.0}, 0.5)


@pytest.mark.parametrize("absent", ["-99.9", "0.0", "NaN", "nonsense"])
def test_a_sensor_that_is_not_there_has_no_temperature(absent: str) -> None:
    text = f"Current temperatures from HAL:\n\tTemperature{{mValue={absent}, mType=0, mName=A, mStatus=0}}\n"
    assert temperatures_of(text) == {}


def test_without_the_hals_section_the_remembered_temperatures_are_taken() -> None:
    text = SAMSUNG.partition("Current temperatures from HAL:")[0]
    assert temperatures_of(text)["TYPE_CPU"] == 24.0


def test_a_hal_that_is_not_ready_has_no_status() -> None:
    assert thermal_status_of(THERMAL) == 0
    assert thermal_status_of(THERMAL.replace("HAL Ready: true", "HAL Ready: false")) is None
    assert thermal_status_of("") is None


def test_power_is_mains_where_any_source_feeds_the_phone() -> None:
    assert power_of(BATTERY) == "mains"
    assert power_of(BATTERY.replace("true", "false")) == "battery"
    assert power_of("") is None


def test_conditions_of_a_phone_that_says_little_are_mostly_unknown() -> None:
    now = conditions_from("@date\n1700000000.%N\n@load\n@memory\n@clocks\n@thermal\n@battery\n", {})
    assert now.taken_at == 1700000000.0
    assert (now.load, now.power, now.battery_percent, now.thermal_status, now.throttled, now.governor) == (None,) * 6
    assert (now.temperatures, now.clocks_mhz, now.clock_caps_mhz) == ({}, {}, {})


def test_an_answer_without_a_time_is_none_of_ours() -> None:
    with pytest.raises(ValueError, match="date"):
        conditions_from("/system/bin/sh: out of memory\n", {})


def test_a_torn_note_says_that_all_may_be_on() -> None:
    assert note_from('{"stay": "0", "fi') == Note(stay="", fixed="unknown")
    assert note_from("\n") is None


def test_what_is_switched_on_is_what_the_phone_reads_back() -> None:
    note = Note(stay="0", fixed="refused: no HAL")
    assert prepared_from(note.text, "15\n") == {
        "fixed performance": "refused: no HAL",
        "stay awake": "stay_on_while_plugged_in 15",
    }
    assert prepared_from("", "15\n") == {}
