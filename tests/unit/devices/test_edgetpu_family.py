"""A device of kind edgetpu: its route, its facts, its two leases."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from devices.families import edgetpu
from harness.core.device import DeviceFacts, DeviceSpec, EdgeTpuChoice
from harness.core.errors import DeviceBusy


def a_spec(**choice: object) -> DeviceSpec:
    return DeviceSpec(name="coral", kind="edgetpu", edgetpu=EdgeTpuChoice(**choice))  # type: ignore[arg-type]


def test_the_accelerator_is_the_librarys_option_device() -> None:
    delegate = edgetpu.route_of(a_spec(accelerator="usb:1", options={"Usb.AlwaysDfu": "True"})).delegate
    assert delegate is not None
    assert (delegate.library, dict(delegate.options)) == (
        "libedgetpu.so.1",
        {"device": "usb:1", "Usb.AlwaysDfu": "True"},
    )


def test_without_a_choice_the_library_chooses() -> None:
    delegate = edgetpu.route_of(a_spec()).delegate
    assert delegate is not None
    assert not delegate.options


@pytest.mark.parametrize(
    ("library", "double"),
    [("/t/libfake_edgetpu.so.1", True), ("libedgetpu.so.1", False), ("/fake/libedgetpu.so.1", False)],
)
def test_the_double_of_the_tests_is_known_by_its_name(library: str, double: bool) -> None:
    facts = DeviceFacts(name="coral", family="linux", simulated=False)
    told = edgetpu.facts_of(facts, edgetpu.delegate_of(EdgeTpuChoice(library=library)))
    assert ("double" in told.details, told.family) == (double, "edgetpu")


def test_a_board_that_is_taken_leaves_the_accelerator_free() -> None:
    taken: list[str] = []

    def busy() -> AbstractContextManager[None]:
        raise DeviceBusy("coral", "somebody else")

    @contextmanager
    def accelerator() -> Iterator[None]:
        taken.append("accelerator")
        yield

    with ExitStack() as stack, pytest.raises(DeviceBusy):
        stack.enter_context(edgetpu.with_accelerator(busy, accelerator)())
    assert taken == []


def test_two_accelerators_of_one_board_have_keys_of_their_own() -> None:
    first, second = (edgetpu.delegate_of(EdgeTpuChoice(accelerator=name)) for name in ("usb:0", "usb:1"))
    assert edgetpu.accelerator_key("local", first) != edgetpu.accelerator_key("local", second)
