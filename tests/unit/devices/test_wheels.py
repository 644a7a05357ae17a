"""Which wheels a board can use, by their names alone."""

import dataclasses
from pathlib import Path

import pytest

from devices.agent.runtimes import LITERT, TFLITE_RUNTIME
from devices.wheels import BoardPython, choose, download_command, needs_of
from harness.core.errors import DeviceError

PI = BoardPython(
    executable="python3", machine="aarch64", python=(3, 11), glibc=(2, 36), home="/home/pi", free_bytes=10**9
)
LITERT_PI = "ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_aarch64.whl"
NUMPY_PI = "numpy-2.3.5-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl"


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def chosen(folder: Path, board: BoardPython = PI, runtime: str = LITERT) -> list[str]:
    return [wheel.name for wheel in choose("pi", board, needs_of("pi", board, runtime), folder)]


def test_a_board_gets_its_own_wheels_and_the_newest(tmp_path: Path) -> None:
    others = (
        LITERT_PI.replace("aarch64", "x86_64"),
        NUMPY_PI.replace("cp311", "cp310"),
        NUMPY_PI.replace("2.3.5", "2.3.10"),
    )
    folder = fill(tmp_path, LITERT_PI, NUMPY_PI, *others)
    assert chosen(folder) == [LITERT_PI, NUMPY_PI.replace("2.3.5", "2.3.10")]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((LITERT_PI,), r"no wheel of numpy>=1.23.2 in it; fill it with: pip download"),
        (
            (LITERT_PI.replace("aarch64", "x86_64"), NUMPY_PI),
            r"is for manylinux_2_27_x86_64, the device has Python 3.11",
        ),
        ((LITERT_PI.replace("cp311", "cp312"), NUMPY_PI), r"is for cp312, the device has Python 3.11 on aarch64"),
        ((LITERT_PI.replace("2_27", "2_39"), NUMPY_PI), r"is for manylinux_2_39_aarch64, the device has"),
    ],
)
def test_a_wheel_that_does_not_fit_or_is_missing_is_one_error(
    tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(DeviceError, match=words) as caught:
        chosen(fill(tmp_path, *names))
    assert "\n" not in str(caught.value)


def test_a_python_too_old_for_the_wheels_gets_the_c_library_alone(tmp_path: Path) -> None:
    coral = dataclasses.replace(PI, python=(3, 7), glibc=(2, 28))
    assert needs_of("coral", coral, LITERT).lean
    assert chosen(fill(tmp_path, LITERT_PI.replace("cp311", "cp310")), coral) == [LITERT_PI.replace("cp311", "cp310")]


@pytest.mark.parametrize(
    ("changes", "runtime"),
    [
        ({"machine": "armv7l"}, LITERT),
        ({"machine": "riscv64"}, TFLITE_RUNTIME),
        ({"glibc": None}, LITERT),
        ({"python": (3, 12)}, TFLITE_RUNTIME),
    ],
)
def test_a_board_that_no_wheel_is_made_for_is_told_so(changes: dict[str, object], runtime: str) -> None:
    board = dataclasses.replace(PI, **changes)  # type: ignore[arg-type]
    with pytest.raises(
        DeviceError, match=r"there is no LiteRT|there is no tflite-runtime|comes for Python 3.9 to 3.11"
    ):
        needs_of("board", board, runtime)


def test_pip_is_asked_for_the_boards_tags_and_not_for_newer_ones(tmp_path: Path) -> None:
    words = download_command(PI, needs_of("pi", PI, LITERT), tmp_path)
    assert "manylinux_2_27_aarch64" in words
    assert "manylinux_2_34_aarch64" in words
    bullseye = dataclasses.replace(PI, glibc=(2, 31))
    assert "manylinux_2_34_aarch64" not in download_command(bullseye, needs_of("pi", bullseye, LITERT), tmp_path)
    assert words[words.index("--python-version") + 1] == "3.11"
