"""Numbers as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.numbers import duration, duration_span, percent, rounded, size, span, times


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (0.41234, (0.405, 0.419), "0.412"),
        (0.41234, (0.35, 0.48), "0.41"),
        (0.41234, (0.1, 0.8), "0.4"),
        (12.3456, (12.3455, 12.3457), "12.35"),  # never more than four digits
        (1234.5, (1100, 1400), "1234"),
        (0.41234, None, "0.412"),
        (1234.5, None, "1234"),
        (0.0, None, "0.00"),
    ],
)
def test_digits_end_where_the_interval_opens(value: float, interval: tuple[float, float] | None, text: str) -> None:
    assert rounded(value, interval) == text


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_a_dash(value: float | None) -> None:
    assert rounded(value) == "\N{EN DASH}"


@given(st.floats(1e-9, 1e9), st.floats(1e-6, 10))
def test_the_text_is_within_half_a_unit_of_its_last_digit(value: float, relative: float) -> None:
    text = rounded(value, (value * (1 - relative), value * (1 + relative)))
    places = len(text.partition(".")[2])
    assert abs(float(text) - value) <= 0.5 * 10**-places * (1 + 1e-9)


def test_an_interval_has_the_digits_of_its_value() -> None:
    assert span(0.41234, (0.4051, 0.4192)) == "0.405\N{EN DASH}0.419"


def test_an_interval_that_is_missing_is_empty() -> None:
    assert span(0.4, None) == ""


def test_a_ratio_is_written_as_a_multiple() -> None:
    assert times(0.5, (0.49, 0.51)) == "0.50\N{MULTIPLICATION SIGN}"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (640.0, "640 ns"),
        (11_234.0, "11.2 \N{MICRO SIGN}s"),
        (123_456.0, "0.123 ms"),
        (3.2e9, "3200 ms"),
        (12.5e9, "12.5 s"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_duration_takes_the_unit_that_suits_it(nanoseconds: float | None, text: str) -> None:
    assert duration(nanoseconds) == text


def test_a_duration_ends_where_its_interval_opens() -> None:
    assert duration(12_345_678, (12_300_000, 12_400_000)) == "12.35 ms"


def test_an_interval_of_durations_has_the_unit_of_its_value() -> None:
    assert duration_span(98_000, (96_000, 101_000)) == "96\N{EN DASH}101 \N{MICRO SIGN}s"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (13_900_000, "13.9 MB"), (-2048, "-2.05 kB"), (5e12, "5000 GB")],
)
def test_bytes_are_in_powers_of_a_thousand(count: float, text: str) -> None:
    assert size(count) == text


def test_a_share_is_a_percentage() -> None:
    assert percent(0.2749) == "27 %"


def test_an_unknown_share_is_a_dash() -> None:
    assert percent(None) == percent(float("nan")) == "\N{EN DASH}"
