"""The binding of LiteRT's C API: sizes, the version gate, and refusals in words."""

import ctypes
import ctypes.util

import pytest

from devices.agent import litert
from devices.agent.litert import Library, LiteRtError


def test_the_structures_have_the_sizes_of_litert_s_64_bit_builds() -> None:
    assert {kind.__name__: ctypes.sizeof(kind) for kind in litert.SIZES} == {
        "Layout": 68,
        "RankedTensorType": 72,
        "Value": 16,
        "EnvironmentOption": 24,
        "ProfiledEvent": 104,
    }


@pytest.mark.parametrize("version", ["2.3.0", "2.3.7", "2.3"])
def test_a_known_version_gives_per_op(version: str) -> None:
    assert litert.ops_refused(version, []) is None


@pytest.mark.parametrize("version", ["2.4.0", "2.30.0", "3.0", "1.9", "2"])
def test_an_unknown_version_gives_no_per_op_and_says_what_is_known(version: str) -> None:
    assert litert.ops_refused(version, []) == f"per-op unavailable: LiteRT {version} is unknown, known 2.3"


def test_a_version_that_is_not_told_gives_no_per_op() -> None:
    assert litert.ops_refused(None, []) == "per-op unavailable: LiteRT of an unnamed version is unknown, known 2.3"


def test_a_missing_call_gives_no_per_op_and_is_named() -> None:
    assert litert.ops_refused("2.3.0", ["LiteRtStartProfiler"]) == (
        "per-op unavailable: this LiteRT lacks LiteRtStartProfiler"
    )


def test_a_layout_s_shape_is_as_long_as_its_rank() -> None:
    layout = litert.Layout(rank_and_flags=0x80 | 3)
    layout.dimensions[:3] = [1, 224, 3]
    assert layout.shape == [1, 224, 3]


def test_a_status_is_given_in_words_and_by_number() -> None:
    assert litert.in_words("LiteRtCreateModelFromFile", 501) == (
        "LiteRtCreateModelFromFile: not a valid flatbuffer (status 501)"
    )


def test_a_status_nobody_knows_keeps_its_number() -> None:
    assert litert.in_words("LiteRtRunCompiledModel", 4711).endswith("unknown status (status 4711)")


def test_a_library_that_is_not_there_is_refused() -> None:
    with pytest.raises(LiteRtError, match=r"/no/such/lib\.so cannot be loaded"):
        Library("/no/such/lib.so", "2.3.0")


def test_a_library_that_is_no_litert_is_refused_by_what_it_lacks() -> None:
    other = ctypes.util.find_library("c")
    assert other is not None
    with pytest.raises(LiteRtError, match="no LiteRT this agent can use: it lacks LiteRtCreateEnvironment"):
        Library(other, "2.3.0")
