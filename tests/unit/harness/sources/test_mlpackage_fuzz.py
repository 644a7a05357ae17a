"""Core ML packages damaged at random: they are read, or refused in one sentence, and nothing else."""

import contextlib
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import ModelUnreadable
from harness.sources.mlpackage import read_graph, read_model, read_weights
from tests.support import mil, mlpackages
from tests.support.mlpackages import MANIFEST, SPECIFICATION, WEIGHTS

pytestmark = pytest.mark.thorough

_FILES = (MANIFEST, SPECIFICATION, WEIGHTS)
_FLIPS = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=3)
_HURRIED = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "tiny.mlpackage"
    return mil.write(path, {"x": (1, 3, 8, 8)}, mlpackages.tiny_cnn)


@pytest.fixture(scope="module")
def kinds(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("kinds")
    return {
        "plain": made,
        "functions": mlpackages.join_functions(folder / "functions.mlpackage", one=made, two=made),
        "loop": mlpackages.loop(folder / "loop.mlpackage"),
        "labels": mlpackages.image_classifier(folder / "labels.mlpackage"),
    }


def _read(path: Path) -> None:
    with contextlib.suppress(ModelUnreadable):
        read_model(path, name="m")
        read_graph(path)
        read_weights(path)


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
@given(flips=_FLIPS)
@_HURRIED
def test_flipped_bytes(made: Path, tmp_path: Path, file: Path, flips: list[tuple[int, int]]) -> None:
    package = Path(shutil.copytree(made, tmp_path / "m.mlpackage", dirs_exist_ok=True))
    content = bytearray((made / file).read_bytes())
    for place, value in flips:
        content[place % len(content)] = value
    (package / file).write_bytes(content)
    _read(package)


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
@given(length=st.integers(0, 1 << 14), tail=st.binary(max_size=64))
@_HURRIED
def test_cut_files_with_another_end(made: Path, tmp_path: Path, file: Path, length: int, tail: bytes) -> None:
    package = Path(shutil.copytree(made, tmp_path / "m.mlpackage", dirs_exist_ok=True))
    (package / file).write_bytes((made / file).read_bytes()[:length] + tail)
    _read(package)


@pytest.mark.parametrize("kind", ["plain", "functions", "loop", "labels"])
@given(seed=st.integers(0, 1 << 32), times=st.integers(1, 3))
@_HURRIED
def test_specifications_that_say_something_else(kinds: dict[str, Path], kind: str, seed: int, times: int) -> None:
    sound = (kinds[kind] / SPECIFICATION).read_bytes()
    try:
        mlpackages.edit(kinds[kind], lambda it: mlpackages.scramble(it, random.Random(seed), times))
        _read(kinds[kind])
    finally:
        (kinds[kind] / SPECIFICATION).write_bytes(sound)
