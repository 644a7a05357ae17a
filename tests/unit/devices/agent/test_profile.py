"""Profiler events of many inferences, brought together."""

from typing import Any

from devices.agent.profile import Profile

Event = tuple[str, int, int, int, int]
INVOKE: Event = ("Invoke", 1, 0, 0, 50)
TELEMETRY: Event = ("Invoke", 32, -1, 0, 4294967296)


def conv(elapsed_us: int) -> Event:
    return ("Convolution (NHWC, F32) IGEMM", 8, 0, 0, elapsed_us)


def message_of(*runs: list[Event]) -> dict[str, Any]:
    profile = Profile()
    for run in runs:
        profile.add(run)
    return profile.message()


def test_times_are_grouped_event_by_event() -> None:
    message = message_of([INVOKE, conv(7)], [INVOKE, conv(9)])
    assert message["events"] == [
        {"tag": "Invoke", "type": 1, "first": 0, "second": 0, "elapsed_us": [50, 50]},
        {"tag": "Convolution (NHWC, F32) IGEMM", "type": 8, "first": 0, "second": 0, "elapsed_us": [7, 9]},
    ]


def test_telemetry_is_left_out() -> None:
    assert [event["type"] for event in message_of([INVOKE, conv(7), TELEMETRY])["events"]] == [1, 8]


def test_a_run_with_other_kernels_is_dropped_and_counted() -> None:
    other: Event = ("Copy", 8, 1, 0, 3)
    message = message_of([INVOKE, conv(7)], [INVOKE, conv(8)], [INVOKE, conv(9), other])
    assert (message["runs"], message["dropped"], message["events"][1]["elapsed_us"]) == (2, 1, [7, 8])


def test_kernels_that_differ_every_time_give_no_profile() -> None:
    message = message_of([conv(1)], [conv(1), conv(2)])
    assert (message["events"], message["unavailable"]) == (
        [],
        "the sequence of kernels differs from inference to inference",
    )


def test_a_profile_without_operators_says_so() -> None:
    assert message_of([INVOKE])["unavailable"] == "the runtime's profiler saw no operator"


def test_no_inference_gives_no_profile() -> None:
    assert message_of()["unavailable"] == "no inference was profiled"
