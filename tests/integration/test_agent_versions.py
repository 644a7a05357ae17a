"""LiteRTs that are not the known one, planted: latency and memory where possible, words where not, no crash."""

import _ctypes
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devices.agent.runtimes import LITERT, find_runtime
from devices.device import AttachedDevice
from devices.inventory import LocalAgent, local_device
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import Api, FailureKind, LaunchFailure, Pass
from harness.sources.tflite import read_graph
from tests.support import models
from tests.support.models import write_model

from .agent_bench import an_order, measured


def the_real_library() -> Path:
    found = find_runtime(LITERT, sys.path)
    assert found is not None
    return Path(str(found["library"]))


def plant(folder: Path, version: str | None) -> Path:
    """A place where LiteRT of that version seems to be installed; answers where its library goes."""
    (folder / "ai_edge_litert").mkdir()
    if version is not None:
        (folder / f"ai_edge_litert-{version}.dist-info").mkdir()
    return folder / "ai_edge_litert" / "libLiteRt.so"


@contextmanager
def device_with(search: Path, folder: Path) -> Iterator[AttachedDevice]:
    with local_device(agent=LocalAgent(agents=folder, leases=folder, search=(search,))) as device:
        yield device


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path, models.tiny_cnn())


OTHERWISE = "; benchmark_model would do: docs/boards.md"
UNKNOWN = "per-op unavailable: LiteRT 9.9.0 is unknown, known 2.3"


def plant_another_version(folder: Path, version: str | None = "9.9.0") -> Path:
    """The whole LiteRT of this environment under another version."""
    plant(folder, version)
    (folder / "ai_edge_litert").rmdir()
    (folder / "ai_edge_litert").symlink_to(the_real_library().parent)
    return folder


@pytest.mark.parametrize(
    ("version", "name", "reason"),
    [
        ("9.9.0", "LiteRT 9.9.0", UNKNOWN),
        (
            None,
            "LiteRT of unknown version",
            "per-op unavailable: LiteRT of an unnamed version is unknown, known 2.3",
        ),
    ],
)
def test_an_unknown_litert_gives_latency_and_memory_and_says_why_no_ops(
    place: Path, tmp_path: Path, model: Path, version: str | None, name: str, reason: str
) -> None:
    with device_with(plant_another_version(place, version), tmp_path) as device:
        latency = measured(device.launch(an_order(model)))
        memory = measured(device.launch(an_order(model, pass_=Pass.MEMORY)))
        ops = measured(device.launch(an_order(model, pass_=Pass.OPS, graph=read_graph(model))))
    assert (latency.runtime, len(latency.samples_ns)) == (name, 8)
    assert memory.memory is not None
    assert (ops.ops, ops.ops_unavailable) == (None, reason + OTHERWISE)
    assert [record.fallback for record in (latency, memory, ops)] == [reason.partition(": ")[2]] * 3


@pytest.mark.parametrize("api", [None, Api.INTERPRETER])
def test_an_unknown_litert_s_reason_for_no_ops_is_its_version_however_it_was_asked(
    place: Path, tmp_path: Path, model: Path, api: Api | None
) -> None:
    order = replace(an_order(model, pass_=Pass.OPS, graph=read_graph(model)), api=api)
    with device_with(plant_another_version(place), tmp_path) as device:
        assert measured(device.launch(order)).ops_unavailable == UNKNOWN + OTHERWISE


@pytest.mark.parametrize(
    ("unit", "backend", "observed"),
    [
        ("cpu", "xnnpack", "cpu/xnnpack"),
        ("cpu:2", "xnnpack", "cpu/xnnpack"),
        ("cpu/xnnpack", "xnnpack", "cpu/xnnpack"),
        ("cpu/builtin", "builtin", "cpu/builtin"),
    ],
)
def test_an_unknown_litert_has_the_same_units(
    place: Path, tmp_path: Path, model: Path, unit: str, backend: str | None, observed: str
) -> None:
    with device_with(plant_another_version(place), tmp_path) as device:
        record = measured(device.launch(an_order(model, unit=unit)))
    assert record.backend == backend
    assert record.observed == ComputeUnit.parse(observed)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"text and no model", "Interpreter: "),
        (models.custom_op(), "unresolved custom op: NoSuchOperator"),
    ],
    ids=["text", "unknown operator"],
)
def test_what_an_unknown_litert_cannot_run_is_refused_in_words(
    place: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    with device_with(plant_another_version(place), tmp_path) as device:
        outcome = device.launch(an_order(write_model(tmp_path, content)))
    assert isinstance(outcome, LaunchFailure)
    assert outcome.kind is FailureKind.ERROR
    assert words in outcome.message


def test_an_unknown_litert_is_fed_from_files(place: Path, tmp_path: Path, model: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(8 * 8 * 3 * 4))
    (tmp_path / "short").write_bytes(bytes(12))
    with device_with(plant_another_version(place), tmp_path) as device:
        measured(device.launch(an_order(model, inputs=(tmp_path / "x",))))
        short = device.launch(an_order(model, inputs=(tmp_path / "short",)))
    assert isinstance(short, LaunchFailure)
    assert short.message.endswith("short has 12 bytes, input 0 takes 768")


def test_the_litert_of_another_place_does_not_stand_in(place: Path, tmp_path: Path, model: Path) -> None:
    """Its times would carry the wrong name."""
    plant(place, "9.9.0").symlink_to(the_real_library())
    with device_with(place, tmp_path) as device:
        outcome = device.launch(an_order(model))
    assert isinstance(outcome, LaunchFailure)
    assert outcome.message == f"{UNKNOWN}; and it has no Python interpreter"


def test_a_litert_with_an_interpreter_of_another_day_is_refused_by_what_it_lacks(
    place: Path, tmp_path: Path, model: Path
) -> None:
    package = plant(place, "0.9.0").parent
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("class Interpreter:\n    def _get_tensor_details(self, index): ...\n")
    with device_with(place, tmp_path) as device:
        outcome = device.launch(an_order(model, unit="cpu/builtin"))
    assert isinstance(outcome, LaunchFailure)
    assert outcome.kind is FailureKind.ERROR
    assert "LiteRT 0.9.0 has its own choice of kernels alone, take cpu: it lacks OpRes" in outcome.message


def test_a_known_litert_without_its_profiler_says_why_no_ops(place: Path, tmp_path: Path, model: Path) -> None:
    library = plant(place, "2.3.0")
    content = the_real_library().read_bytes()
    assert content.count(b"\0LiteRtStartProfiler\0") == 1
    library.write_bytes(content.replace(b"\0LiteRtStartProfiler\0", b"\0LiteRtStirtProfiler\0"))
    with device_with(place, tmp_path) as device:
        ops = measured(device.launch(an_order(model, pass_=Pass.OPS, graph=read_graph(model))))
    assert ops.ops_unavailable == "per-op unavailable: this LiteRT lacks LiteRtStartProfiler" + OTHERWISE
    assert len(ops.samples_ns) == 8


def test_a_library_that_is_no_litert_is_refused_by_what_it_lacks(place: Path, tmp_path: Path, model: Path) -> None:
    plant(place, "2.3.0").symlink_to(_ctypes.__file__)
    with device_with(place, tmp_path) as device:
        outcome = device.launch(an_order(model))
    assert isinstance(outcome, LaunchFailure)
    assert outcome.kind is FailureKind.ERROR
    assert "no LiteRT this agent can use: it lacks LiteRtCreateEnvironment" in outcome.message


def test_a_library_that_cannot_be_loaded_is_refused(place: Path, tmp_path: Path, model: Path) -> None:
    plant(place, "2.3.0").write_text("no library")
    with device_with(place, tmp_path) as device:
        outcome = device.launch(an_order(model))
    assert isinstance(outcome, LaunchFailure)
    assert outcome.kind is FailureKind.ERROR
    assert "cannot be loaded" in outcome.message


def test_without_litert_there_are_no_units_and_a_reason(place: Path, tmp_path: Path, model: Path) -> None:
    with device_with(place, tmp_path) as device:
        facts, outcome = device.facts, device.launch(an_order(model))
    assert facts.units == ()
    assert facts.exclusions[0].reason.startswith("LiteRT was not found by ")
    assert isinstance(outcome, LaunchFailure)
    assert "LiteRT was not found" in outcome.message


def test_a_litert_that_goes_away_costs_launches_and_no_more(place: Path, tmp_path: Path, model: Path) -> None:
    library = plant(place, "2.3.0")
    library.symlink_to(the_real_library())
    with device_with(place, tmp_path) as device:
        measured(device.launch(an_order(model)))
        shutil.rmtree(place)
        gone = device.launch(an_order(model))
        assert len(device.canary().samples_ns) == 9
    assert isinstance(gone, LaunchFailure)
    assert gone.kind is FailureKind.ERROR
