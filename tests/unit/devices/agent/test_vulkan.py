"""Adapters as the drivers tell them, with a loader that misbehaves as it is told."""

from pathlib import Path

import pytest

from devices.agent import vulkan
from devices.agent.vulkan import Survey, find_manifests, survey
from tests.support.dispatched import compile_library

FAKE = Path(__file__).parents[3] / "support" / "fake_vulkan.c"


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a machine with that loader and no drivers."""
    folder = tmp_path_factory.mktemp("lib")
    compile_library(FAKE, folder / vulkan.LOADER)
    return {"LD_LIBRARY_PATH": str(folder)}


def plant(root: Path, *names: str) -> Path:
    folder = root / "usr/share/vulkan/icd.d"
    folder.mkdir(parents=True)
    for name in names:
        (folder / f"{name}.json").write_text("{}")
    return folder


def names_of(found: Survey) -> list[object]:
    return [adapter["name"] for adapter in found.adapters]


def test_adapters_are_told_with_their_kind_and_driver(tmp_path: Path, loader: dict[str, str]) -> None:
    driver = str(plant(tmp_path, "good") / "good.json")
    found = survey(str(tmp_path), loader)
    assert found.adapters == [
        {"name": "Fake RTX", "software": False, "driver": driver},
        {"name": "Fake pipe", "software": True, "driver": driver},
    ]
    assert (found.manifests, found.loaders) == ([driver], [vulkan.LOADER])


@pytest.mark.parametrize("manner", ["crash", "incompatible", "none"])
def test_a_driver_that_gives_nothing_does_not_cost_the_others(
    manner: str, tmp_path: Path, loader: dict[str, str]
) -> None:
    plant(tmp_path, "good", manner)
    assert names_of(survey(str(tmp_path), loader)) == ["Fake RTX", "Fake pipe"]


def test_a_driver_that_hangs_is_ended(tmp_path: Path, loader: dict[str, str]) -> None:
    plant(tmp_path, "hang")
    found = survey(str(tmp_path), loader, patience_s=0.2)
    assert (found.adapters, found.loaders, len(found.manifests)) == ([], [], 1)


def test_what_a_driver_prints_is_no_answer(tmp_path: Path, loader: dict[str, str]) -> None:
    plant(tmp_path, "chatty")
    found = survey(str(tmp_path), loader)
    assert (names_of(found), found.loaders) == (["Fake RTX", "Fake pipe"], [vulkan.LOADER])


def test_the_loader_beside_a_driver_will_do(tmp_path: Path, loader: dict[str, str]) -> None:
    folder = plant(tmp_path, "good")
    own = folder / vulkan.LOADER
    own.write_bytes((Path(loader["LD_LIBRARY_PATH"]) / vulkan.LOADER).read_bytes())
    path, library = vulkan.load(("no-such-library.so", str(own)))
    assert path == str(own)
    assert vulkan.list_adapters(library)


def test_without_drivers_nothing_is_found(tmp_path: Path, loader: dict[str, str]) -> None:
    found = survey(str(tmp_path), loader)
    assert (found.manifests, found.loaders, found.adapters) == ([], [], [])


@pytest.mark.parametrize("variable", ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"])
def test_drivers_that_the_environment_names_go_before_the_system_s(variable: str, tmp_path: Path) -> None:
    system = plant(tmp_path, "system")
    own = tmp_path / "own"
    own.mkdir()
    (own / "b.json").write_text("{}")
    named = f"{tmp_path}/a.json:{own}"
    assert find_manifests(str(tmp_path), {variable: named}) == [f"{tmp_path}/a.json", f"{own}/b.json"]
    assert find_manifests(str(tmp_path), {}) == [str(system / "system.json")]


def two_drivers() -> Survey:
    def answer(loader: str, name: str, *, software: bool) -> dict[str, object]:
        return {"loader": loader, "adapters": [{"name": name, "software": software}]}

    told = {
        "/a.json": answer("libvulkan.so.1", "RTX", software=False),
        "/b/b.json": answer("/b/libvulkan.so.1", "Pipe", software=True),
    }
    return Survey(list(told), told)


def test_a_process_for_the_gpu_sees_the_hardware_s_drivers_alone() -> None:
    given = {"HOME": "/root", "VK_ICD_FILENAMES": "/b/b.json"}
    chosen = two_drivers().environment(False, given)
    assert chosen is not None
    assert (chosen["VK_DRIVER_FILES"], chosen["VK_ICD_FILENAMES"], chosen["HOME"]) == ("/a.json", "/a.json", "/root")


def test_a_loader_that_came_with_its_driver_is_found_by_the_process() -> None:
    chosen = two_drivers().environment(True, {"LD_LIBRARY_PATH": "/lib:/b"})
    assert chosen is not None
    assert (chosen["VK_DRIVER_FILES"], chosen["LD_LIBRARY_PATH"]) == ("/b/b.json", "/b:/lib")


def test_without_such_an_adapter_there_is_no_environment_for_it() -> None:
    assert Survey([], {}).environment(True, {}) is None
