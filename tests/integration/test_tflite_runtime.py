"""This machine through tflite-runtime 2.14.0, in an environment of its own (docs/tflite-runtime.md)."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from devices.agent.runtimes import find_runtime
from devices.device import AttachedDevice
from devices.inventory import LocalAgent, local_device
from devices.runtimes.agent_launch import Route
from devices.transport.bundle import bundle_file
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import Api, FailureKind, LaunchFailure, Pass
from harness.core.variant import Variant, VariantSpec
from harness.sources.samples import sample_model
from harness.sources.tflite import read_graph
from harness.variants.build import build_variants
from tests.support import zoo
from tests.support.command import run_bench
from tests.support.models import custom_op, tiny_cnn, write_model
from tests.support.old_runtime import TFLITE_RUNTIME, old_device, old_python, run_in_old_runtime
from tests.support.one_op import compare

from .agent_bench import an_order, measured

RECIPES = ("float32", "float16", "dynamic-int8", "int8", "uint8", "int16x8")
# One that XNNPACK takes whole, one that it takes piece by piece, one that it leaves to the runtime's own kernels.
PROFILED = {"float32": 1, "dynamic-int8": 12, "int8": 0}


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttachedDevice]:
    with old_device(tmp_path_factory.mktemp("old")) as entered:
        yield entered


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("digits")
    model = sample_model("digits", folder)
    orders = [(model, VariantSpec(model=model.name, name=recipe, recipe=recipe)) for recipe in RECIPES]
    built = build_variants(orders, cache=folder, timeout_of=lambda _: 120, progress=lambda _: None)
    return {outcome.recipe: outcome.path for outcome in built if isinstance(outcome, Variant)}


def with_int4_weights(source: bytes, folder: Path) -> Path:
    """Weights of 4 bits that a DEQUANTIZE widens, which came after this runtime."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.quantizer import Quantizer

    quantizer = Quantizer(bytearray(source))
    quantizer.add_weight_only_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, 4)
    return write_model(folder, bytes(quantizer.quantize().quantized_model), "weight-int4.tflite")


def test_the_device_is_this_machine_with_the_other_runtime(device: AttachedDevice) -> None:
    facts = device.facts
    assert (facts.runtimes, facts.runtime) == ({TFLITE_RUNTIME: "2.14.0"}, TFLITE_RUNTIME)
    assert facts.machine == local_device("local", LocalAgent()).facts.machine


def test_it_offers_the_cpu_alone_and_says_why(device: AttachedDevice) -> None:
    facts = device.facts
    assert {(unit.kind, unit.backend) for unit in facts.units} == {("cpu", None), ("cpu", "builtin")}
    reasons = {exclusion.what: exclusion.reason for exclusion in facts.exclusions}
    assert reasons["gpu"] == reasons["npu"] == "tflite-runtime measures on the CPU alone here"


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("unit", ["cpu", "cpu/builtin", "cpu:2"])
def test_variants_of_this_day_run_in_it(
    device: AttachedDevice, digits: Mapping[str, Path], recipe: str, unit: str
) -> None:
    record = measured(device.launch(an_order(digits[recipe], unit=unit)))
    assert (record.runtime, record.api, record.fallback) == ("tflite-runtime 2.14.0", Api.INTERPRETER, None)
    assert len(record.samples_ns) == 8


def test_a_cell_that_is_resumed_goes_the_same_way(device: AttachedDevice, digits: Mapping[str, Path]) -> None:
    record = measured(device.launch(replace(an_order(digits["int8"]), api=Api.INTERPRETER)))
    assert (record.api, record.fallback) == (Api.INTERPRETER, None)


def test_the_backend_that_was_demanded_is_observed(device: AttachedDevice, digits: Mapping[str, Path]) -> None:
    record = measured(device.launch(an_order(digits["float32"], unit="cpu/builtin")))
    assert record.observed == ComputeUnit.parse("cpu/builtin")


def test_memory_and_cold_starts_are_measured(device: AttachedDevice, digits: Mapping[str, Path]) -> None:
    memory = measured(device.launch(an_order(digits["float32"], pass_=Pass.MEMORY))).memory
    cold = measured(device.launch(an_order(digits["float32"], pass_=Pass.COLD)))
    assert memory is not None
    assert (memory.after_run or 0) > 0
    assert min(cold.load.compile_ns, cold.load.first_ns) > 0


@pytest.mark.parametrize(("recipe", "partitions"), PROFILED.items())
def test_every_operator_of_mobilenet_has_a_time_and_the_whole_is_covered(
    device: AttachedDevice, tmp_path: Path, recipe: str, partitions: int
) -> None:
    path = zoo.write(zoo.Entry(network="mobilenet_v2", recipe=recipe), tmp_path)
    table = measured(device.launch(an_order(path, pass_=Pass.OPS, graph=read_graph(path)))).ops
    assert table is not None
    assert [row.index for row in table.ops] == list(range(65))
    assert (table.approximate, table.mapping_cost, table.partitions) == (False, 0, partitions)
    assert (table.coverage or 0) >= 0.9


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_operator_of_digits_is_accounted_for(
    device: AttachedDevice, digits: Mapping[str, Path], recipe: str
) -> None:
    graph = read_graph(digits[recipe])
    table = measured(device.launch(an_order(digits[recipe], pass_=Pass.OPS, graph=graph))).ops
    assert table is not None
    assert [row.index for row in table.ops] == [node.index for node in graph.nodes]
    assert not table.approximate


@pytest.mark.parametrize(
    "entry",
    [
        zoo.Entry(network="partitioned", recipe="float32"),
        zoo.Entry(network="residual_cnn", recipe="float32"),
        zoo.Entry(network="mobilenet_v2", recipe="dynamic-int8"),
    ],
    ids=lambda entry: entry.name,
)
def test_every_operator_has_the_kernels_it_runs_as_alone(
    device: AttachedDevice, tmp_path: Path, entry: zoo.Entry
) -> None:
    path = zoo.write(entry, tmp_path)
    table = measured(device.launch(an_order(path, pass_=Pass.OPS, graph=read_graph(path)))).ops
    assert table is not None
    agreement = compare(path.read_bytes(), table, tmp_path, run=run_in_old_runtime)
    assert agreement.differences == ()
    assert agreement.same + agreement.merged == agreement.total


def test_a_version_that_was_not_proven_gives_latency_and_says_why_no_ops(tmp_path: Path) -> None:
    model = write_model(tmp_path, tiny_cnn())
    agent = LocalAgent(agents=tmp_path, leases=tmp_path, python=old_python(), search=(planted(tmp_path, "2.13.0"),))
    with local_device("older", agent) as device:
        record = measured(device.launch(an_order(model, pass_=Pass.OPS, graph=read_graph(model))))
    assert (record.runtime, record.ops) == ("tflite-runtime 2.13.0", None)
    words = (
        "per-op unavailable: tflite-runtime 2.13.0 is unknown, known 2.14.0; benchmark_model would do: docs/boards.md"
    )
    assert record.ops_unavailable == words


def test_numpy_2_is_named_as_the_reason(tmp_path: Path) -> None:
    """The bench's own Python has it."""
    agent = LocalAgent(agents=tmp_path, leases=tmp_path, search=(planted(tmp_path, "2.14.0"),))
    with local_device("new-numpy", agent, Route(runtime=TFLITE_RUNTIME)) as device:
        outcome = device.launch(an_order(write_model(tmp_path, tiny_cnn())))
    assert isinstance(outcome, LaunchFailure)
    assert outcome.kind is FailureKind.ERROR
    assert outcome.message.startswith("tflite-runtime was built for numpy 1 and does not work with numpy 2.")
    assert "give it an environment with 'numpy<2'" in outcome.message


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"text and no model", "Interpreter: "), (custom_op(), "unresolved custom op: NoSuchOperator")],
    ids=["text", "unknown operator"],
)
def test_what_it_cannot_run_is_refused_in_its_own_words(
    device: AttachedDevice, tmp_path: Path, content: bytes, words: str
) -> None:
    outcome = device.launch(an_order(write_model(tmp_path, content)))
    assert isinstance(outcome, LaunchFailure)
    assert outcome.kind is FailureKind.ERROR
    assert words in outcome.message


def test_weights_of_4_bits_are_one_launchs_failure(
    device: AttachedDevice, digits: Mapping[str, Path], tmp_path: Path
) -> None:
    outcome = device.launch(an_order(with_int4_weights(digits["float32"].read_bytes(), tmp_path)))
    assert isinstance(outcome, LaunchFailure)
    assert "DEQUANTIZE" in outcome.message
    measured(device.launch(an_order(digits["float32"])))


def planted(folder: Path, version: str) -> Path:
    """A place where tflite-runtime seems to be installed in that version."""
    site = folder / "site"
    (site / f"tflite_runtime-{version}.dist-info").mkdir(parents=True)
    script = "import importlib.util; print(importlib.util.find_spec('tflite_runtime').submodule_search_locations[0])"
    told = subprocess.run((old_python(), "-c", script), capture_output=True, text=True, check=True, timeout=60)
    (site / "tflite_runtime").symlink_to(told.stdout.strip())
    return site


def test_one_campaign_measures_both_runtimes_of_this_machine(
    digits: Mapping[str, Path], tmp_path: Path, bench: Path
) -> None:
    config = tmp_path / "both.yaml"
    config.write_text(
        f"""
models:
  - digits
  - {{path: {with_int4_weights(digits["float32"].read_bytes(), tmp_path)}, of: digits}}
variants: [int8]
units: [cpu]
devices:
  - local
  - {{kind: local, name: old, python: {old_python()}, runtime: tflite-runtime}}
measure: {{launches: 2, inferences: 5, warmup_s: 0, cold_starts: 1}}
"""
    )
    done = run_bench("run", config, "--bench", bench)
    assert done.stdout, done.stderr
    assert done.returncode == 3  # what old cannot run
    shown = run_bench("report", "--format", "json", "-o", "-", "--bench", bench)
    assert shown.returncode == 0, shown.stderr
    cells = {(cell["device"], cell["variant"]): cell for cell in json.loads(shown.stdout)["cells"]}
    refused = cells.pop(("old", "weight-int4"))
    assert refused["outcome"] == "failed"
    assert "DEQUANTIZE" in json.dumps(refused)
    assert {place: cell["outcome"] for place, cell in cells.items()} == dict.fromkeys(
        (
            ("local", "float32"),
            ("local", "int8"),
            ("local", "weight-int4"),
            ("old", "float32"),
            ("old", "int8"),
        ),
        "measured",
    )
    runtimes = {cell["device"]: cell["runtime"] for cell in cells.values()}
    assert runtimes == {"local": "LiteRT 2.3.0", "old": "tflite-runtime 2.14.0"}


def test_the_proof_of_per_op_holds_on_this_machine(tmp_path: Path) -> None:
    """As the supervisor runs it on aarch64, where nobody has proven it by hand; here it is known to be true."""
    python = str(old_python())
    path = json.loads(subprocess.check_output((python, "-c", "import json, sys; print(json.dumps(sys.path))")))
    task = json.dumps({"runtime": find_runtime(TFLITE_RUNTIME, path), "path": [each for each in path if each]})
    said = subprocess.check_output((python, "-I", "-S", str(bundle_file(tmp_path)), "prove", task), timeout=60)
    assert json.loads(said) == {"proof": "proven"}
