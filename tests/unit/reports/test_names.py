"""Names that somebody else chose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.names import clipped


def test_a_long_name_keeps_both_ends() -> None:
    shown = clipped("a" * 5000 + "b" * 5000, 30)
    assert (shown[0], shown[-1], len(shown)) == ("a", "b", 30)


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\u202eb", "a\x7fb", "a\u2028b"])
def test_nothing_in_a_name_moves_the_screen(text: str) -> None:
    assert clipped(text).isprintable()


@given(st.text(max_size=300), st.integers(3, 120))
def test_a_clipped_name_fits(text: str, most: int) -> None:
    assert len(clipped(text, most)) <= most


def test_a_plain_name_stays_as_it_is() -> None:
    assert clipped("sparse-50+palette-4") == "sparse-50+palette-4"
