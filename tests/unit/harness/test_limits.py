"""Limits by kind of device, in the configuration and in the manual."""

import re
from dataclasses import fields, replace
from pathlib import Path

from harness.config import parse_config
from harness.config_limits import LimitsForm
from harness.core.limits import LIMITS, NO_LIMITS, Limits, limits_of

MANUAL = Path(__file__).parents[3] / "docs" / "health.md"
KINDS = ("local", "ssh", "edgetpu", "android")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "\N{EN DASH}" if value is None else f"{value:g}"


def test_the_manual_holds_the_limits_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE)
    shown = [(name, *(cell.strip() for cell in rest.split("|")[:4])) for name, rest in rows]
    assert shown == [(f.name, *(_shown(getattr(LIMITS[k], f.name)) for k in KINDS)) for f in fields(Limits)]


def test_a_simulated_device_has_the_limits_of_a_phone_but_for_its_soc() -> None:
    assert replace(LIMITS["simulated"], soc_celsius=50, soc_peak_celsius=90) == LIMITS["android"]


def test_an_edge_tpu_of_this_machine_leaves_its_owner_at_work() -> None:
    text = "models: [digits]\ndevices: [{name: a, kind: edgetpu, host: b}, {name: c, kind: edgetpu}]\n"
    board, own = parse_config(text, source="c.yaml").device_limits
    assert (board.neighbours, own.neighbours) == (0.5, None)
    assert board.accelerator_celsius == own.accelerator_celsius == 75


def test_a_kind_that_is_not_in_the_table_has_no_limits() -> None:
    assert limits_of("teapot") == NO_LIMITS


def test_the_form_has_every_limit() -> None:
    assert list(LimitsForm.model_fields) == [field.name for field in fields(Limits)]


def test_a_devices_own_limits_go_before_the_common_ones_and_these_before_its_kinds() -> None:
    config = parse_config(
        "models: [digits]\n"
        "limits: {soc_celsius: 50, wait_s: 10}\n"
        "devices:\n"
        "  - local\n"
        "  - {name: phone, kind: android, limits: {wait_s: 5}}\n",
        source="c.yaml",
    )
    local, phone = config.device_limits
    assert (local.soc_celsius, local.wait_s, local.canary) == (50, 10, None)
    assert (phone.soc_celsius, phone.wait_s, phone.battery_percent) == (50, 5, 30)


def test_null_turns_a_limit_off() -> None:
    text = "models: [digits]\ndevices: [{name: p, kind: android, limits: {soc_celsius: null, canary: null}}]\n"
    (phone,) = parse_config(text, source="c.yaml").device_limits
    assert (phone.soc_celsius, phone.canary, phone.battery_percent) == (None, None, 30)
