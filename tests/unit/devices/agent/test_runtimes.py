"""Runtimes, found without importing them."""

from pathlib import Path

import pytest

from devices.agent.runtimes import choose, find, find_runtime, lacking

LITERT: dict[str, object] = {"name": "LiteRT", "version": "2.3.0", "package": "/x", "library": None}
OLD: dict[str, object] = {"name": "tflite-runtime", "version": None, "package": "/y", "library": None}
WRAPPER = "_pywrap_tensorflow_interpreter_wrapper"


def plant(folder: Path, package: str, file: str, metadata: str | None = None) -> list[str]:
    """A place in which a package seems to be installed; where to look."""
    (folder / package).mkdir(parents=True)
    (folder / package / file).write_text("")
    if metadata is not None:
        (folder / metadata).mkdir()
    return [str(folder)]


@pytest.mark.parametrize("library", [f"{WRAPPER}.so", f"{WRAPPER}.cpython-37m-aarch64-linux-gnu.so"])
def test_tflite_runtime_is_found_with_its_version_and_library(tmp_path: Path, library: str) -> None:
    search = plant(tmp_path, "tflite_runtime", library, "tflite_runtime-2.14.0.dist-info")
    assert find(search) == [
        {
            "name": "tflite-runtime",
            "version": "2.14.0",
            "package": str(tmp_path / "tflite_runtime"),
            "library": str(tmp_path / "tflite_runtime" / library),
        }
    ]


@pytest.mark.parametrize(
    ("metadata", "version"),
    [
        ("tflite_runtime-2.5.0.post1.egg-info", "2.5.0.post1"),
        ("tflite_runtime-2.5.0-py3.7.egg-info", "2.5.0"),
        ("tflite-runtime-2.11.0.dist-info", "2.11.0"),
        ("tflite_runtime_nightly-2.14.0.dist-info", None),
        (None, None),
    ],
)
def test_a_version_is_that_of_the_package_itself(tmp_path: Path, metadata: str | None, version: str | None) -> None:
    found = find_runtime("tflite-runtime", plant(tmp_path, "tflite_runtime", "interpreter.py", metadata))
    assert found is not None
    assert found["version"] == version


def test_all_runtimes_are_found_litert_first_wherever_they_lie(tmp_path: Path) -> None:
    old = plant(tmp_path / "a", "tflite_runtime", "interpreter.py")
    new = plant(tmp_path / "b", "ai_edge_litert", "libLiteRt.so")
    assert [each["name"] for each in find([*old, *new])] == ["LiteRT", "tflite-runtime"]


def test_a_folder_with_signs_of_a_pattern_in_its_name_is_looked_into(tmp_path: Path) -> None:
    search = plant(tmp_path / "[x]*", "tflite_runtime", f"{WRAPPER}.so")
    assert [each["library"] for each in find(search)] == [f"{search[0]}/tflite_runtime/{WRAPPER}.so"]


def test_the_first_is_chosen_where_none_is_named() -> None:
    assert choose([LITERT, OLD], None) is LITERT
    assert choose([LITERT, OLD], "tflite-runtime") is OLD


@pytest.mark.parametrize("name", ["LiteRT", "no such thing"])
def test_none_is_chosen_where_it_is_not_there(name: str) -> None:
    assert choose([OLD], name) is None


@pytest.mark.parametrize(
    ("found", "name", "words"),
    [
        ([], None, "LiteRT was not found in ['/s']: pip install ai-edge-litert"),
        (
            [LITERT],
            "tflite-runtime",
            "tflite-runtime was not found in ['/s']: pip install tflite-runtime 'numpy<2'; found: LiteRT 2.3.0",
        ),
        (
            [OLD],
            "torch",
            "there is no runtime 'torch'; this agent knows LiteRT, tflite-runtime and has found "
            "tflite-runtime of unknown version",
        ),
    ],
)
def test_what_is_lacking_is_said_with_what_there_is(
    found: list[dict[str, object]], name: str | None, words: str
) -> None:
    assert lacking(found, name, ["/s"]) == words
